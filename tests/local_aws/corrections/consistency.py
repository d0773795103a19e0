# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Eventual consistency: what was written is not seen at once. Off unless a test sets the seconds (settings.py)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam, s3

from . import replication_config, settings
from .fitting import corrects, uses

uses("services.s3", "_error(code, message, status, resource, extra, headers)", "_parse_bucket_key(path, headers)")
uses("services.iam", "_p(params, key, default)")

Answer = tuple[int, dict[str, str], bytes]

# All of these end at a time, which the setting at the time of the write decides.
_unseen_versioning: dict[str, float] = {}  # by bucket
_unseen_roles: dict[tuple[str, str], float] = {}  # by account and name
_former_policies: dict[tuple[str, str], tuple[float, Any]] = {}  # by account and name of the role
_former_answers: dict[tuple[str, str], tuple[float, Answer]] = {}  # by bucket and what of it is configured

# What of a bucket is read and written as a whole.
CONFIGURATIONS = (
    "accelerate",
    "acl",
    "cors",
    "encryption",
    "lifecycle",
    "logging",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "tagging",
    "versioning",
    "website",
)


def end(name: str) -> float:
    return time.time() + settings.number(name)


@corrects("services.s3", "_put_bucket_versioning(name, body)")
def remember_versioning(original: Callable[..., Answer], name: str, body: bytes) -> Answer:
    """S3 User Guide, manage-versioning-examples: versioning enabled for the first time takes a while."""
    before = s3._bucket_versioning.get(name)
    answer = original(name, body)
    if answer[0] == 200 and s3._bucket_versioning.get(name) == "Enabled" != before:
        _unseen_versioning[name] = end("versioning_seconds")
    return answer


@corrects("services.s3", "_put_bucket_replication(bucket_name, body)")
def refuse_new_versioning(original: Callable[..., Answer], bucket_name: str, body: bytes) -> Answer:
    """S3 API, PutBucketReplication: until versioning has spread, the bucket counts as not versioned."""
    if time.time() < _unseen_versioning.get(bucket_name, 0):
        text = "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
        return s3._error("InvalidRequest", text, 400, f"/{bucket_name}")
    if any(time.time() < _unseen_versioning.get(name, 0) for name in destinations(body)):
        text = "Destination bucket must have versioning enabled."
        return s3._error("InvalidRequest", text, 400, f"/{bucket_name}")
    return original(bucket_name, body)


def destinations(body: bytes) -> list[str]:
    try:
        root = replication_config.parse(body)
    except replication_config.Refused:
        return []  # to be refused for its own sake
    arns = [
        replication_config.text(replication_config.child(rule, "Destination"), "Bucket")
        for rule in replication_config.children(root, "Rule")
    ]
    return [arn.rpartition(":")[2] for arn in arns]


@corrects("services.iam", "_create_role(p)")
def remember_role(original: Callable[..., Answer], p: dict[str, Any]) -> Answer:
    """IAM User Guide, troubleshoot (eventual consistency): a new role cannot be used at once."""
    answer = original(p)
    if answer[0] == 200:
        _unseen_roles[get_account_id(), iam._p(p, "RoleName")] = end("role_seconds")
    return answer


def is_known(account: str, role: str) -> bool:
    """Whether the role has spread to where S3 wants to assume it."""
    return time.time() >= _unseen_roles.get((account, role), 0)


def remember_policies(original: Callable[..., Answer], p: dict[str, Any]) -> Answer:
    """IAM User Guide, troubleshoot (eventual consistency): for a moment, the policies of before are in force."""
    address = get_account_id(), iam._p(p, "RoleName")
    until, former = _former_policies.get(address, (0, None))
    if time.time() >= until:
        former = iam_evaluator._gather_role_policies(address[1], address[0])
    answer = original(p)
    if answer[0] == 200:
        _former_policies[address] = end("role_seconds"), former
    return answer


for _signature in ("_put_role_policy(p)", "_delete_role_policy(p)", "_attach_role_policy(p)", "_detach_role_policy(p)"):
    corrects("services.iam", _signature)(remember_policies)


@corrects("core.iam_evaluator", "_gather_role_policies(role_name, account_id)")
def policies_in_force(original: Callable[..., Any], role_name: str, account_id: str) -> Any:
    """The same, seen by whoever asks what a role may do."""
    until, former = _former_policies.get((account_id, role_name), (0, None))
    return former if time.time() < until else original(role_name, account_id)


@corrects(
    "services.s3",
    "handle_request(method, path, headers, body, query_params, signed_path, enforce_bucket_region, internal, "
    "access_point_region, access_point)",
)
async def read_former_configuration(
    original: Callable[..., Awaitable[Answer]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    *rest: Any,
    **more: Any,
) -> Answer:
    """S3 User Guide, Welcome (consistency model): bucket configurations are eventually consistent."""
    bucket, key = s3._parse_bucket_key(path, headers)
    what = next((name for name in CONFIGURATIONS if name in query_params and bucket and not key), "")
    until, former = _former_answers.get((bucket, what), (0, None))
    is_stale = time.time() < until
    if method == "GET" and former and is_stale:
        status, answered_headers, answered_body = former
        return status, dict(answered_headers), answered_body
    if method in ("PUT", "DELETE") and what and settings.number("bucket_configuration_seconds"):
        if not is_stale:
            former = await original("GET", path, headers, b"", {what: query_params[what]}, *rest, **more)
        answer = await original(method, path, headers, body, query_params, *rest, **more)
        if answer[0] < 300 and former:
            _former_answers[bucket, what] = end("bucket_configuration_seconds"), former
        return answer
    return await original(method, path, headers, body, query_params, *rest, **more)
