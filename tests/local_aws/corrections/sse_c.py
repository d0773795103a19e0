# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Encryption with customer-provided keys, which buckets block unless they are told not to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from ministack.services import s3

from .fitting import corrects, uses

uses(
    "services.s3",
    "_error(code, message, status, resource, extra, headers)",
    "_bucket_owner_account(name)",
)

Answer = tuple[int, dict[str, str], Any]

ALGORITHM = "x-amz-server-side-encryption-customer-algorithm"
DEFAULT = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"


def is_blocked(bucket: str) -> bool:
    """S3 User Guide, default-s3-c-encryption-setting-faq: blocked in a new bucket; NONE unblocks it."""
    configuration = s3._bucket_encryption.get_scoped(s3._bucket_owner_account(bucket), None, bucket) or DEFAULT
    return types_in(configuration) != ["NONE"]


def types_in(configuration: str) -> list[str]:
    root = ElementTree.fromstring(configuration)
    return [element.text or "" for element in root.iter() if element.tag.rpartition("}")[2] == "EncryptionType"]


@corrects("services.s3", "_get_bucket_encryption(name)")
def show_default(original: Callable[..., Answer], name: str) -> Answer:
    """S3 User Guide, default-s3-c-encryption-setting-faq: GetBucketEncryption tells that a new bucket blocks it."""
    status, headers, body = original(name)
    if status == 200 and "BlockedEncryptionTypes" not in body:
        body = body.replace("</Rule>", f"{DEFAULT}</Rule>")
    return status, headers, body


@corrects("services.s3", "_put_bucket_encryption(name, body)")
def keep_blocked_types(original: Callable[..., Answer], name: str, body: bytes) -> Answer:
    """S3 API, PutBucketEncryption and BlockedEncryptionTypes: SSE-C or NONE.

    What a configuration without the element means is not documented; here it leaves what was in force. Deleting the
    configuration makes the bucket as a new one is.
    """
    before = is_blocked(name)
    try:
        types = types_in(body.decode())
    except ElementTree.ParseError:
        return original(name, body)  # to be refused for its own sake
    if not set(types) <= {"SSE-C", "NONE"} or len(types) > 1:
        return s3._error("MalformedXML", s3._MALFORMED_XML, 400)
    if not types:
        in_force = DEFAULT if before else DEFAULT.replace("SSE-C", "NONE")
        body = body.replace(b"</Rule>", f"{in_force}</Rule>".encode())
    return original(name, body)


@corrects("services.s3", "_resolve_sse_write_headers(headers, bucket_name)")
def refuse_blocked_write(
    original: Callable[..., tuple[Any, Answer | None]], headers: dict[str, str], bucket_name: str
) -> tuple[Any, Answer | None]:
    """S3 User Guide, blocking-unblocking-s3-c-encryption-gpb: 403 for PutObject, CopyObject, PostObject and multipart
    uploads; objects that are there already can be read."""
    to_keep, refusal = original(headers, bucket_name)
    if refusal is None and ALGORITHM in to_keep and is_blocked(bucket_name):
        return None, s3._error("AccessDenied", "Access Denied", 403, f"/{bucket_name}")
    return to_keep, refusal


def is_used_by(record: dict[str, Any]) -> bool:
    return ALGORITHM in record.get("preserved_headers", {})
