# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What roles and users may do with the other services: KMS, Systems Manager, SNS, CloudWatch and S3 Control.

What is left out: IAM and all others, and actions on several resources at once are judged for the one that MiniStack
finds in the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote

from ministack.core import iam_actions
from ministack.core.iam_evaluator import EvalResult
from ministack.core.responses import get_account_id, get_region
from ministack.services import kms, s3

from . import operations, principals, s3_access
from .fitting import corrects, uses
from .principals import Resource

uses(
    "core.iam_actions",
    "extract_resource_arn(service, method, path, headers, body, query_params, region, account_id)",
    "access_denied_response(service, action, principal_arn, request_id, error_code, message, headers, resource_arn, "
    "explicit_deny, resource_policy_arn)",
)
uses("app", "_routing_params(method, path, headers, body, query_params)", "_s3control_mrap_arn(s3, path)")
uses("services.kms", "_resolve_key(key_id_or_arn)")

Answer = tuple[int, dict[str, str], bytes]

# The names of the services here, for IAM's policies, and for MiniStack.
JUDGED = {
    "kms": ("kms", "kms"),
    "ssm": ("ssm", "ssm"),
    "sns": ("sns", "sns"),
    "cloudwatch": ("cloudwatch", "monitoring"),
    "s3control": ("s3", "s3"),
}
MULTI_REGION = re.compile(r"/v20180820/(mrap|async-requests)/")


@corrects("app", "_handle_post_body_shortcuts(method, path, headers, body, query_params, request_id)")
async def refuse_by_policy(
    original: Callable[..., Awaitable[Answer | None]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    request_id: str,
) -> Answer | None:
    """IAM User Guide, reference_policies_evaluation-logic: what no policy allows is denied.

    Every request passes here once its body is read, so this is where its principal is found out for all that follows.
    """
    principal = principals.remember(headers, query_params)
    request = operations.Request(method, path, headers, query_params, body)
    call = operations.call_of(request) if principal and principals.is_limited(principal) else None
    if principal and call and call.service in JUDGED and call.operation:
        action, resource = f"{JUDGED[call.service][0]}:{call.operation}", resource_of(call, request)
        if refused := principals.refusal(principal, action, resource, condition_keys(action, request)):
            return denied(call, action, resource, refused, request)
    return await original(method, path, headers, body, query_params, request_id)


def condition_keys(action: str, request: operations.Request) -> dict[str, Any]:
    """CloudWatch User Guide, iam-cw-condition-keys-namespace: `cloudwatch:namespace` is that of the metrics."""
    if action != "cloudwatch:PutMetricData":
        return {}
    if "json" in request.headers.get("content-type", ""):
        return {"cloudwatch:namespace": json.loads(request.body).get("Namespace", "")}
    return {"cloudwatch:namespace": parse_qs(request.body.decode()).get("Namespace", [""])[0]}


def resource_of(call: operations.Call, request: operations.Request) -> Resource:
    if call.service == "s3control":
        return Resource(control_arn(request.path))
    from ministack import app

    params = app._routing_params(request.method, request.path, request.headers, request.body, request.query)
    arn = iam_actions.extract_resource_arn(
        JUDGED[call.service][1],
        request.method,
        request.path,
        request.headers,
        request.body,
        params,
        get_region(),
        get_account_id(),
    )
    found = kms._resolve_key(arn) if call.service == "kms" and arn != "*" else None
    if found is None:
        return Resource(arn)
    return Resource(found["Arn"], found.get("Policy") or "", found["Arn"].split(":")[4], needs_policy=True)


def control_arn(path: str) -> str:
    """S3 User Guide, list_amazons3: jobs and Multi-Region Access Points are resources of their own."""
    from ministack import app

    path = unquote(path)
    if job := re.match(r"/v20180820/jobs/([^/]+)", path):
        return f"arn:aws:s3:{get_region()}:{get_account_id()}:job/{job[1]}"
    return str(app._s3control_mrap_arn(s3, path)) if MULTI_REGION.match(path) else "*"


def denied(
    call: operations.Call, action: str, resource: Resource, refused: EvalResult, request: operations.Request
) -> Answer:
    if call.service == "s3control":
        return s3.s3control_error("AccessDenied", s3_access.message(action, resource.arn, refused), 403)
    answer: Answer = iam_actions.access_denied_response(
        JUDGED[call.service][1],
        action,
        refused.principal_arn,
        "",
        headers=request.headers,
        resource_arn=resource.arn,
        explicit_deny=refused.decision == "Deny",
        resource_policy_arn=refused.resource_policy_arn,
    )
    if call.service == "kms":  # KMS API, common errors: 400
        return 400, *answer[1:]
    return answer
