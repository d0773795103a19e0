# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Buckets: their versioning, who owns them, and who pays for requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import s3

from .fitting import corrects, uses

uses(
    "services.s3",
    "_error(code, message, status, resource, extra, headers)",
    "_bucket_owner_account(name)",
    "_get_bucket_request_payment(name)",
)
uses("core.responses", "get_account_id()")

Answer = tuple[int, dict[str, str], bytes]


@corrects("services.s3", "_put_bucket_versioning(name, body)")
def keep_versioning_of_source(original: Callable[..., Answer], name: str, body: bytes) -> Answer:
    """S3 API, PutBucketVersioning: InvalidBucketState while the bucket has replication or Object Lock."""
    present = {
        "A replication configuration": s3._bucket_replication.get(name),
        "An Object Lock configuration": s3._bucket_object_lock.get(name),
    }
    for what, configuration in present.items():
        if configuration and b">Suspended<" in body:
            message = f"{what} is present on this bucket, so you cannot change the versioning state."
            return s3._error("InvalidBucketState", message, 409, f"/{name}")
    return original(name, body)


@corrects("services.s3", "_apply_bucket_scope(method, bucket, key, headers, query_params, body, internal)")
def check_expected_owner(
    original: Callable[..., Answer | None],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    query_params: dict[str, Any],
    body: bytes = b"",
    internal: bool = False,
) -> Answer | None:
    """S3 User Guide, bucket-owner-condition: 403 when the bucket is not of the account the caller expects."""
    expected = headers.get("x-amz-expected-bucket-owner")
    owner = s3._bucket_owner_account(bucket) if bucket else None
    if expected and owner and expected != owner:
        return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}")
    return original(method, bucket, key, headers, query_params, body, internal)


@corrects("services.s3", "_apply_bucket_scope(method, bucket, key, headers, query_params, body, internal)")
def leave_policy_to_owner(
    original: Callable[..., Answer | None],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    query_params: dict[str, Any],
    body: bytes = b"",
    internal: bool = False,
) -> Answer | None:
    """S3 API, GetBucketPolicy, PutBucketPolicy and DeleteBucketPolicy: 405 for another account that has the
    permission; the owner's account alone can use it."""
    account = get_account_id()
    refusal = original(method, bucket, key, headers, query_params, body, internal)
    if refusal is None and "policy" in query_params and not key and account != get_account_id():
        text = "The specified method is not allowed against this resource."
        return s3._error("MethodNotAllowed", text, 405, f"/{bucket}")
    return refusal


@corrects("services.s3", "_dispatch(method, bucket, key, headers, body, query_params)")
def answer_who_pays(
    original: Callable[..., Answer],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Answer:
    """S3 API, GetBucketRequestPayment: the owner of the bucket, unless told otherwise. MiniStack lists the objects."""
    if method == "GET" and bucket and not key and "requestPayment" in query_params:
        return s3._get_bucket_request_payment(bucket)
    return original(method, bucket, key, headers, body, query_params)


@corrects("services.s3", "_put_bucket_request_payment(name, body)")
def refuse_unknown_payer(original: Callable[..., Answer], name: str, body: bytes) -> Answer:
    """S3 API, PutBucketRequestPayment: Requester or BucketOwner."""
    if not any(f">{payer}<".encode() in body for payer in ("Requester", "BucketOwner")):
        return s3._error("MalformedXML", s3._MALFORMED_XML, 400)
    return original(name, body)


def requester_pays(bucket: str) -> bool:
    owner = s3._bucket_owner_account(bucket)
    return ">Requester<" in (s3._bucket_request_payment_config.get_scoped(owner, None, bucket) or "")
