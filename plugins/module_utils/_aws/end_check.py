# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Whether a bucket can be used: its newest objects are read, and an object is written, read and removed again.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core.causes import ARCHIVE_CLASSES
from .._core.proofs import RESERVED_PREFIX
from .canary import Side
from .gateway import AwsFailure, asking
from .sdk_errors import NO_ANSWER, THROTTLED, ClientError, error_code, in_short

NEWEST = 3
"""So many objects are read."""
_MOST_TRIED = 10
"""And at most so many tried, where some of them cannot be read."""
_BYTES = 1 << 20
"""At most so much of each."""
_PAUSE_SECONDS = 0.5
_ARCHIVED = "It is archived, and not restored."


class NotVerified(AwsFailure):
    """The bucket cannot be used. `result` is what was seen until then."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True)
class Written:
    """A canary in a bucket."""

    key: str
    version: str | None


def read_newest(side: Side) -> dict[str, Any]:
    """List a page and read the newest objects on it. One that these credentials cannot read gives way to the next.

    Returns:
        `listed`, how many objects the page has, `read`, the keys of those that were read, and `unread`, which were not,
        and why.

    Raises:
        NotVerified: S3 does not serve, or refuses all that were tried.
    """
    what = f"the objects of bucket '{side.end.bucket}' ({side.end.region})"
    with asking(what, "s3:ListBucket"):
        rows = side.client.list_objects_v2(**side.bucket, MaxKeys=1000).get("Contents", [])
    readable = [row for row in rows if row.get("StorageClass", "STANDARD") not in ARCHIVE_CLASSES]
    newest = sorted(readable, key=lambda row: (row["LastModified"], row["Key"]), reverse=True)[:_MOST_TRIED]
    seen: dict[str, Any] = {"listed": len(rows), "read": [], "unread": []}
    refused = ""
    for row in newest:
        if len(seen["read"]) == NEWEST:
            break
        key = str(row["Key"])
        try:
            with asking(f"object '{key}' of bucket '{side.end.bucket}' ({side.end.region})", "s3:GetObject"):
                unread = _read(side, key)
        except AwsFailure as failure:
            if not _is_of_the_object(failure.__cause__):
                raise NotVerified(str(failure), seen) from failure
            unread = str(failure)
            refused = refused or unread
        if unread:
            seen["unread"].append({"key": key, "why": unread})
        else:
            seen["read"].append(key)
    if refused and not seen["read"]:
        raise NotVerified(f"none of the newest objects could be read. {refused}", seen)
    return seen


def _is_of_the_object(error: BaseException | None) -> bool:
    """Whether it may be this object or its key alone that cannot be read, and not the whole bucket."""
    return isinstance(error, ClientError) and error_code(error) not in THROTTLED


def _read(side: Side, key: str) -> str:
    """HEAD, then the object's first bytes, which are decrypted with its key; why nobody could read it, or nothing.

    One that is gone meanwhile is none.
    """
    try:
        head = side.client.head_object(**side.bucket, Key=key)
        if "ArchiveStatus" in head:
            return _ARCHIVED
        size = head["ContentLength"]
        part = {"Range": f"bytes=0-{min(size, _BYTES) - 1}"} if size else {}
        side.client.get_object(**side.bucket, Key=key, **part)["Body"].read()
    except ClientError as error:
        return _why_for_nobody(error)
    return ""


def _why_for_nobody(error: ClientError) -> str:
    """Why an object cannot be read whoever asks; empty if it is gone. Any other refusal is raised again."""
    code = error_code(error)
    if code in ("NoSuchKey", "404"):
        return ""
    if code == "InvalidObjectState":
        return _ARCHIVED
    if code == "400" and error.operation_name == "HeadObject":
        return "HEAD is refused (400), as that of an object whose key only its application has (SSE-C)."
    raise error


def write_canary(side: Side, prefix: str, kms_key_arn: str | None = None) -> Written:
    """Write an object below the reserved prefix and read it back.

    Raises:
        AwsFailure: it cannot be written or read, or other bytes came back.
    """
    token = uuid.uuid4().hex
    key, body = f"{prefix}{RESERVED_PREFIX}{token}", f"s3-dr canary {token}\n".encode()
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_arn} if kms_key_arn else {}
    what = f"an object written to bucket '{side.end.bucket}' ({side.end.region})"
    with asking(what, "s3:PutObject"):
        version = side.client.put_object(**side.bucket, Key=key, Body=body, **encryption).get("VersionId")
    written = Written(key, version)
    try:
        with asking(what, "s3:GetObject, s3:GetObjectVersion"):
            found = side.client.get_object(**side.bucket, Key=key, **_version(written))["Body"].read()
        if found != body:
            raise AwsFailure(f"{what}: other bytes came back than were written. Do not use this bucket; ask AWS.")
    except AwsFailure:
        remove_canary(side, written)
        raise
    return written


def has_left(
    side: Side,
    written: Written,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Whether S3 has done with replicating the canary. Removed earlier, it would count as a failure."""
    deadline = clock() + seconds
    while True:
        try:
            status = side.client.head_object(**side.bucket, Key=written.key, **_version(written)).get(
                "ReplicationStatus"
            )
        except (ClientError, *NO_ANSWER):
            return False
        if status != "PENDING":
            return True
        if clock() + _PAUSE_SECONDS > deadline:
            return False
        sleep(_PAUSE_SECONDS)


def remove_canary(side: Side, written: Written) -> list[str]:
    """Remove that version and no other; what could not be removed. A version that is not there is fine."""
    try:
        side.client.delete_object(**side.bucket, Key=written.key, **_version(written))
    except (ClientError, *NO_ANSWER) as error:
        return [f"{side.end.bucket}/{written.key} ({written.version}): {in_short(error)}"]
    return []


def _version(written: Written) -> dict[str, str]:
    return {"VersionId": written.version} if written.version else {}
