# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Buckets: their versioning and who owns them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import s3

from .fitting import corrects, uses

uses("services.s3", "_error(code, message, status, resource, extra, headers)", "_bucket_owner_account(name)")

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
