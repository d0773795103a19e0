# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Objects: their ETags, the length of their keys, and who may read what another account owns."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import s3

from .fitting import corrects, uses

uses(
    "services.s3",
    "_error(code, message, status, resource, extra, headers)",
    "_foreign_object_acl(owner_account, bucket_name, key, method, query_params)",
    "_acl_grants(stored_xml, grantee)",
    "_canonical_owner_id(account_id)",
)
uses("core.responses", "get_account_id()")

Answer = tuple[int, dict[str, str], bytes]

LONGEST_KEY = 1024  # bytes
GROUPS = (s3._ACL_GROUP_ALL_USERS, s3._ACL_GROUP_AUTHENTICATED)


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


@corrects("services.s3", "_apply_bucket_scope(method, bucket, key, headers, query_params, body, internal)")
def refuse_bucket_owner(
    original: Callable[..., Answer | None],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    query_params: dict[str, Any],
    body: bytes = b"",
    internal: bool = False,
) -> Answer | None:
    """S3 User Guide, example-walkthroughs-managing-access-example3: the owner of a bucket cannot read an object that
    another account owns, unless the object's ACL says so."""
    caller = get_account_id()
    refusal = original(method, bucket, key, headers, query_params, body, internal)
    if refusal is None and not internal and caller == get_account_id() and bucket in s3._buckets:
        acl, wanted = s3._foreign_object_acl(caller, bucket, key, method, query_params)
        if acl and wanted and not acl_allows(acl, caller, wanted):
            return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}")
    return refusal


def acl_allows(acl: str, account: str, wanted: tuple[str, ...]) -> bool:
    """An ACL of one's own object allows all: its owner stands before its grants."""
    me = s3._canonical_owner_id(account)
    is_mine = f"<Owner><ID>{me}<" in acl
    grants = [*s3._acl_grants(acl, "ID"), *s3._acl_grants(acl)]
    return is_mine or any(who in (me, *GROUPS) and permission in wanted for who, permission in grants)
