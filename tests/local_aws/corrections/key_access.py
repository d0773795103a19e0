# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""KMS keys of another account. MiniStack knows the keys of the caller's account only."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, request_scope
from ministack.services import kms

from .callers import caller_of
from .fitting import corrects, uses

uses("services.kms", "_resolve_key(key_id_or_arn)")
uses(
    "core.responses",
    "error_response_json(code, message, status, extra, message_key, content_type)",
    "request_scope(account_id, region)",
    "get_account_id()",
)

Answer = tuple[int, dict[str, str], bytes]

# KMS API, "Cross-account use: Yes", as far as MiniStack has them.
ACROSS_ACCOUNTS = frozenset(
    {
        "CreateGrant",
        "Decrypt",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "RetireGrant",
        "RevokeGrant",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)


@corrects("services.kms", "handle_request(method, path, headers, body, query_params)")
async def reach_keys_of_others(
    original: Callable[..., Awaitable[Answer]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Answer:
    """KMS Developer Guide, key-policy-modifying-external-accounts: the key's policy must allow the other account, and
    only some operations work across accounts. Whether a key of another account exists is not told."""
    key = key_of(body)
    owner = key.split(":")[4] if key.count(":") == 5 else ""
    if owner in ("", get_account_id()):
        return await original(method, path, headers, body, query_params)
    caller = caller_of(headers, query_params)
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    with request_scope(owner, get_region()):
        policy = (kms._resolve_key(key) or {}).get("Policy")
        context = {"kms:CallerAccount": caller.account}
        if action in ACROSS_ACCOUNTS and caller.is_allowed_by(policy, f"kms:{action}", key, context):
            return await original(method, path, headers, body, query_params)
    text = f"User: {caller.arn} is not authorized to perform: kms:{action} on resource: {key}"
    return error_response_json("AccessDeniedException", text, 400)


def key_of(body: bytes) -> str:
    try:
        return str(json.loads(body).get("KeyId") or "")
    except (ValueError, AttributeError):
        return ""  # to be refused for its own sake
