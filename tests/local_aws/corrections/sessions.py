# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Who may assume which role. MiniStack gives everybody the credentials of any role, even of one that is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from ministack.services import sts

from . import principals, role
from .callers import Caller, caller_of
from .fitting import corrects, uses
from .principals import Resource

uses("services.iam", "_p(params, key, default)", "_error(status, code, message, ns)")

Answer = tuple[int, dict[str, str], bytes]


@corrects("services.sts", "handle_request(method, path, headers, body, query_params)")
async def refuse_sessions(
    original: Callable[..., Awaitable[Answer]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Answer:
    """STS API, AssumeRole: AccessDenied unless the role's trust policy allows it; that a role is absent is not told.

    IAM User Guide, access_policies-cross-account-resource-access: across accounts the caller's own policies have to
    allow it as well; within an account that is needed where the trust policy names only the account.
    """
    params = dict(query_params) | parse_qs(body.decode(errors="replace"))
    arn = sts._p(params, "RoleArn")
    if sts._p(params, "Action") == "AssumeRole" and arn.count(":") == 5:
        caller = caller_of(headers, query_params)
        if not may_assume(caller, arn, params):
            text = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            return sts._error(403, "AccessDenied", text, ns="sts")
    return await original(method, path, headers, body, query_params)


def may_assume(caller: Caller, arn: str, params: dict[str, Any]) -> bool:
    """IAM User Guide, id_roles_common-scenarios_third-party: a trust may ask for an external ID."""
    record = role.find(arn)
    keys = {f"sts:{name}": sts._p(params, name, None) for name in ("ExternalId", "RoleSessionName")}
    if record is None:
        return False
    trust = record["AssumeRolePolicyDocument"]
    if not caller.is_allowed_by(trust, "sts:AssumeRole", arn, keys):
        return False
    principal = principals.current()
    target = Resource(arn, trust, arn.split(":")[4], needs_policy=True)
    return principal is None or principals.refusal(principal, "sts:AssumeRole", target, keys) is None
