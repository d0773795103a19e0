# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The objects of a recovery drill: written, seen, read back, and removed version by version.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from .._core.recovery_drill import Body
from .._core.recovery_judgement import Flown
from .canary import Side
from .gateway import AwsFailure, asking, explain_connection
from .sdk_errors import NO_ANSWER, ClientError, error_code, in_short

T = TypeVar("T")
R = TypeVar("R")

_THREADS = 8
_LOOK_SECONDS = 0.25
_AT_ONCE = 1000
"""The most that DeleteObjects takes."""


class Differs(Exception):
    """What was read is not what was written; the message names the object."""


@dataclass(slots=True)
class Written:
    """One version of the drill. `written` and `seen` are moments of this machine's clock."""

    key: str
    body: Body
    version: str
    written: float
    size: int | None = None
    seen: float | None = None
    failed: bool = False
    lost: bool = False

    @property
    def decided(self) -> bool:
        """Whether it arrived, or never will."""
        return self.seen is not None or self.failed

    @property
    def flown(self) -> Flown:
        """What is measured by it."""
        return Flown(self.size, self.written, self.seen, self.lost)


def together(work: Callable[[T], R], wanted: Iterable[T]) -> list[R]:
    """What comes of each, some at the same time."""
    pool = ThreadPoolExecutor(max_workers=_THREADS)
    try:
        return list(pool.map(work, wanted))
    finally:  # a signal ends it after what runs now, and not after all that waits
        pool.shutdown(cancel_futures=True)


def watched(work: Callable[[T], R], wanted: Iterable[T], look: Callable[[], None]) -> list[R]:
    """The same, and meanwhile somebody looks: what arrives while others are still being written is seen in time."""
    pool = ThreadPoolExecutor(max_workers=_THREADS)
    try:
        running = [pool.submit(work, one) for one in wanted]
        left: Collection[Future[R]] = running
        while left:
            left = wait(left, timeout=_LOOK_SECONDS).not_done
            look()
        return [one.result() for one in running]
    finally:
        pool.shutdown(cancel_futures=True)


# --- writing -------------------------------------------------------------------------------------------------


def put(side: Side, key: str, body: Body, options: Mapping[str, str]) -> str:
    """Write an object, a large one in parts; its version ID.

    Raises:
        AwsFailure: the bucket keeps no versions, so what is written could neither be told nor removed by its version.
    """
    answer = _put_parts(side, key, body, options) if body.in_parts else _put_whole(side, key, body, options)
    version = str(answer.get("VersionId") or "null")
    if version == "null":
        side.client.delete_object(**side.bucket, Key=key, VersionId="null")  # nobody else has a key of this name
        raise AwsFailure(
            f"bucket '{side.end.bucket}': its versioning is not enabled, so nothing can be recovered there. Enable it, "
            "for example by the role replication_pair, then run again."
        )
    return version


def _put_whole(side: Side, key: str, body: Body, options: Mapping[str, str]) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = side.client.put_object(**side.bucket, Key=key, Body=body.whole(), **options)
    return answer


def _put_parts(side: Side, key: str, body: Body, options: Mapping[str, str]) -> Mapping[str, Any]:
    """An upload that breaks off is aborted when all is cleaned up."""
    upload = {
        "Key": key,
        "UploadId": side.client.create_multipart_upload(**side.bucket, Key=key, **options)["UploadId"],
    }
    parts = []
    for number, part in enumerate(body.parts(), start=1):
        answer = side.client.upload_part(**side.bucket, **upload, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    done: Mapping[str, Any] = side.client.complete_multipart_upload(
        **side.bucket, **upload, MultipartUpload={"Parts": parts}
    )
    return done


# --- reading -------------------------------------------------------------------------------------------------


def read(side: Side, key: str, body: Body, version: str | None = None) -> Mapping[str, Any]:
    """Read an object and compare each byte; what S3 tells of it.

    Raises:
        Differs: it is another one.
    """
    which = {"VersionId": version} if version else {}
    answer: Mapping[str, Any] = side.client.get_object(**side.bucket, Key=key, **which)
    stream = answer["Body"]
    alike = all(_exactly(stream, len(block)) == block for block in body.blocks()) and not stream.read(1)
    if not alike:
        raise Differs(f"{side.end.bucket}/{key} ({version or 'its current version'}) differs from what was written")
    return answer


def _exactly(stream: Any, length: int) -> bytes:
    """So many bytes, or what is left: a stream may give fewer at once."""
    parts: list[bytes] = []
    while length:
        part = stream.read(length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Row:
    """One version or delete marker of a listing."""

    key: str
    version: str
    marker: bool = False


def listed(side: Side, stem: str) -> list[Row]:
    """Every version and delete marker whose key begins so."""
    return list(_rows(side, stem))


def _rows(side: Side, stem: str) -> Iterator[Row]:
    for page in side.client.get_paginator("list_object_versions").paginate(**side.bucket, Prefix=stem):
        for row in page.get("Versions", []):
            yield Row(row["Key"], row["VersionId"])
        for row in page.get("DeleteMarkers", []):
            yield Row(row["Key"], row["VersionId"], marker=True)


def status_of(side: Side, key: str, version: str) -> str | None:
    """The replication status that S3 tells of a version; None: it has none, or is gone."""
    try:
        head = side.client.head_object(**side.bucket, Key=key, VersionId=version)
    except ClientError:
        return None
    status = head.get("ReplicationStatus")
    return str(status) if status else None


# --- removing ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where versions of a pair's drills may be."""

    side: Side
    stem: str

    def __str__(self) -> str:
        return f"{self.side.end.bucket}/{self.stem}*"


def remains(place: Place) -> list[Row]:
    """What is there. A bucket that is gone holds nothing.

    Raises:
        AwsFailure: it may not be listed, or there is no answer.
    """
    with asking(f"the drill's objects in bucket '{place.side.end.bucket}'", "s3:ListBucketVersions"):
        try:
            return listed(place.side, place.stem)
        except ClientError as error:
            if error_code(error) == "NoSuchBucket":
                return []
            raise


def sweep(place: Place, rows: Iterable[Row]) -> list[tuple[Row, str]]:
    """Remove versions by their IDs, but those on their way: their replicas would arrive later, or never.

    Returns:
        What S3 kept, with its reason.

    Raises:
        AwsFailure: the removal was refused as a whole, or there is no answer.
    """
    rows = list(rows)
    with asking(f"the drill's objects in bucket '{place.side.end.bucket}'", "s3:DeleteObjectVersion"):
        waits = together(lambda row: _is_pending(place.side, row), rows)
        going = [row for row, waiting in zip(rows, waits, strict=True) if not waiting]
        starts = range(0, len(going), _AT_ONCE)
        return [one for start in starts for one in _remove(place.side, going[start : start + _AT_ONCE])]


def _is_pending(side: Side, row: Row) -> bool:
    return not row.marker and status_of(side, row.key, row.version) == "PENDING"


def _remove(side: Side, rows: list[Row]) -> list[tuple[Row, str]]:
    """S3 answers 200 even when it kept some of them, so the error of each is read."""
    objects = [{"Key": row.key, "VersionId": row.version} for row in rows]
    answer = side.client.delete_objects(**side.bucket, Delete={"Objects": objects, "Quiet": True})
    by_name = {(row.key, row.version): row for row in rows}
    return [
        (by_name[error["Key"], error.get("VersionId", "")], f"{error.get('Code')}: {error.get('Message', '')}")
        for error in answer.get("Errors", [])
        if (error["Key"], error.get("VersionId", "")) in by_name
    ]


def _uploads(place: Place) -> list[Mapping[str, Any]]:
    pages = place.side.client.get_paginator("list_multipart_uploads").paginate(**place.side.bucket, Prefix=place.stem)
    try:
        return [one for page in pages for one in page.get("Uploads", [])]
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return []
        raise


def abort_uploads(place: Place) -> None:
    """Abort what a killed drill was uploading."""
    with asking(f"the drill's uploads to bucket '{place.side.end.bucket}'", "s3:AbortMultipartUpload"):
        for upload in _uploads(place):
            place.side.client.abort_multipart_upload(
                **place.side.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )


def why(error: Exception) -> str:
    """An error of a call in a few words."""
    return explain_connection(error) if isinstance(error, NO_ANSWER) else in_short(error)
