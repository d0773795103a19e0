# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The principal behind a request, and what the policies that concern it say.

The key of an account itself is its root user, whom only the policy of a resource can deny something. The session of a
role and the key of a user may do what their own policies allow. MiniStack looks at policies only when it also checks
signatures, which here it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_evaluator, router
from ministack.core.iam_evaluator import AuthError, EvalContext, EvalResult, PrincipalInfo
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam

from .fitting import corrects, uses

uses(
    "core.iam_evaluator",
    "evaluate(ctx, policies, limits)",
    "evaluate_resource_policy(doc, ctx, service, named_only, direct_only)",
    "combine_resource_policy(identity, ctx, policy, owner_account, required, limits)",
    "resolve_principal(access_key_id, account_id, credential)",
    "pin_request_origin(source_ip, secure_transport)",
    "_role_name_from_assumed_arn(assumed_arn)",
)
uses("core.router", "extract_access_key_id(headers, query_params)")
uses("core.responses", "get_account_id()", "get_region()")

_current: ContextVar[PrincipalInfo | None] = ContextVar("local_aws_principal", default=None)


@dataclass(frozen=True)
class Resource:
    """What an action is done to, with the policy it has of its own and the account that owns it, if there is one."""

    arn: str
    policy: str | dict[str, Any] | None = None
    owner: str | None = None
    needs_policy: bool = False  # a KMS key: nobody may use it whom its policy does not let


def remember(headers: dict[str, str], query_params: dict[str, Any]) -> PrincipalInfo | None:
    """Know the principal for the rest of this request. The plain HTTP of a local AWS stands for the TLS that clients of
    AWS use, so that policies which demand TLS let it pass."""
    iam_evaluator.pin_request_origin("127.0.0.1", True)
    principal = principal_of(headers, query_params)
    _current.set(principal)
    return principal


def current() -> PrincipalInfo | None:
    """Who makes this request; None when it is not signed."""
    return _current.get()


def principal_of(headers: dict[str, str], query_params: dict[str, Any]) -> PrincipalInfo | None:
    key = router.extract_access_key_id(headers, query_params)
    if not key:
        return None
    account = get_account_id()
    found = iam_evaluator.resolve_principal(key, account)
    if isinstance(found, AuthError):  # a key that nobody made: as everywhere in MiniStack, the root user
        return PrincipalInfo(arn=f"arn:aws:iam::{account}:root", type="Root", account=account, policies=None)
    return found


def is_limited(principal: PrincipalInfo | None) -> bool:
    """Whether it may only do what its policies allow, unlike the root user of an account."""
    return principal is not None and principal.policies is not None


def refusal(
    principal: PrincipalInfo, action: str, resource: Resource, keys: Mapping[str, Any] | None = None
) -> EvalResult | None:
    """Why the principal may not do this, or None when it may.

    IAM User Guide, reference_policies_evaluation-logic: an explicit Deny in any policy wins. Within an account an Allow
    of the principal's policies or of the resource's is enough, across accounts both have to allow. What the policies
    of a resource let the root user of another account do is judged elsewhere.
    """
    given = {name.lower(): value for name, value in (keys or {}).items() if value is not None}
    context = EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource.arn,
        region=get_region(),
        service_context={"aws:principalisawsservice": "false"} | given,
        principal_keys=principal.keys,
    )
    if principal.policies is None:
        result = iam_evaluator.evaluate_resource_policy(resource.policy, context)
        result.resource_policy_arn = resource.arn
        return result if result.decision == "Deny" else None
    own = iam_evaluator.evaluate(context, principal.policies, *principal.limits)
    result = iam_evaluator.combine_resource_policy(
        own, context, resource.policy, resource.owner, resource.needs_policy, principal.limits
    )
    return None if result.decision == "Allow" else result


@corrects("core.iam_evaluator", "_resolve_condition_key(key, ctx)")
def role_of_session(original: Callable[..., Any], key: str, ctx: EvalContext) -> Any:
    """IAM User Guide, reference_policies_condition-keys, aws:PrincipalArn: for a session the ARN of its role, with the
    role's path, and not that of the session."""
    if key.lower() == "aws:principalarn" and ":assumed-role/" in ctx.principal_arn:
        name = iam_evaluator._role_name_from_assumed_arn(ctx.principal_arn)
        role = iam._roles.get_scoped(ctx.principal_account, None, name)
        return role["Arn"] if role else f"arn:aws:iam::{ctx.principal_account}:role/{name}"
    return original(key, ctx)
