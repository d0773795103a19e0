# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Objects: their ETags and the length of their keys."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from ministack.services import s3

from .fitting import corrects, uses

uses("services.s3", "_error(code, message, status, resource, extra, headers)")

Answer = tuple[int, dict[str, str], bytes]

LONGEST_KEY = 1024  # bytes


def refuse_long_key(original: Callable[..., Answer], bucket: str, key: str, *rest: Any) -> Answer:
    """S3 User Guide, object-keys: a key has at most 1,024 bytes of UTF-8."""
    if len(key.encode()) > LONGEST_KEY:
        return s3._error("KeyTooLongError", "Your key is too long", 400, f"/{bucket}/{key}")
    return original(bucket, key, *rest)


for _signature in (
    "_put_object(bucket_name, key, body, headers)",
    "_copy_object(bucket_name, dest_key, headers)",
    "_create_multipart_upload(bucket_name, key, headers)",
):
    corrects("services.s3", _signature)(refuse_long_key)


@corrects("services.s3", "_put_object(bucket_name, key, body, headers)")
def hide_digest_of_encrypted_data(
    original: Callable[..., Answer], bucket_name: str, key: str, body: bytes, headers: dict[str, Any]
) -> Answer:
    """S3 API, Object: the ETag of an object encrypted with SSE-KMS or SSE-C is not the MD5 digest of its data."""
    answer = original(bucket_name, key, body, headers)
    by_kms = answer[1].get("x-amz-server-side-encryption", "").startswith("aws:kms")
    if answer[0] == 200 and (by_kms or "x-amz-server-side-encryption-customer-algorithm" in answer[1]):
        etag = f'"{uuid.uuid4().hex}"'
        answer[1]["ETag"] = etag
        current = s3._buckets[bucket_name]["objects"][key]
        current["etag"] = etag
        for version in s3._object_versions.get((bucket_name, key), []):
            if version["version_id"] == current.get("version_id"):
                version["etag"] = etag
    return answer
