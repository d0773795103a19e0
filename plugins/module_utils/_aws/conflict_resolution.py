# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A conflict resolved: a new version of the winner on top of all others, awaited until both ends show it.

Nothing is ever deleted: both versions stay at both ends. Do it only while nobody else writes, or a write that comes in
between is covered by the copy.

Source: S3 API, CopyObject: metadata, tags and annotations go along; storage class and encryption only if they are
named; ACL and Object Lock settings never.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .._core import journal
from .._core.causes import ARCHIVED_STATUSES
from .._core.conflicts import Action, Conflict, Decision, Ways, why_not_copied
from .._core.versions import Version
from .canary import Side
from .gateway import AwsFailure, asking
from .sdk_errors import ClientError, error_code
from .version_listing import BadPage, read_page

_THREADS = 16
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
    "WebsiteRedirectLocation",
)
"""All of an object's metadata, as HeadObject tells it and CopyObject takes it."""
_SAME_ENCRYPTION = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")

Ends = Mapping[journal.Side, Side]


class NotAgreed(AwsFailure):
    """The winners were written, and both ends do not show them yet."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was done about a conflict.

    Attributes:
        written: the version that was written at each end.
        by_hand: why nothing was written; empty: it was.
        note: what a person should know.
    """

    conflict: Conflict
    decision: Decision
    written: Mapping[journal.Side, str]
    by_hand: str = ""
    note: str = ""


def resolve(ends: Ends, decided: Iterable[tuple[Conflict, Decision]]) -> list[Resolved]:
    """Write the winner of each conflict, some at the same time.

    Raises:
        AwsFailure: a version may not be read or written.
    """
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        return list(pool.map(lambda one: _resolve(ends, *one), decided))


def _resolve(ends: Ends, conflict: Conflict, decision: Decision) -> Resolved:
    if decision.action is Action.DELETE:
        written = {side: _delete(ends[side], conflict.key) for side in decision.at}
        return Resolved(conflict, decision, written)
    if decision.action is Action.COPY and decision.version is not None:
        return _copy(ends, conflict, decision, decision.version.version)
    by_hand = decision.why if decision.action is Action.BY_HAND else ""
    return Resolved(conflict, decision, {}, by_hand)


def _delete(side: Side, key: str) -> str:
    with asking(f"A new delete marker for s3://{side.end.bucket}/{key}", "s3:DeleteObject"):
        answer = side.client.delete_object(**side.bucket, Key=key)
    return str(answer["VersionId"])


def _copy(ends: Ends, conflict: Conflict, decision: Decision, version: Version) -> Resolved:
    """S3 copies it itself; not a byte passes through this machine."""
    (at,) = decision.at
    side = ends[at]
    what = f"The copy of version {version.version_id} onto s3://{side.end.bucket}/{version.key}"
    with asking(what, "s3:GetObjectVersion"):
        head = side.client.head_object(**side.bucket, Key=version.key, VersionId=version.version_id)
    reason = _why_not(head)
    if reason:
        return Resolved(conflict, decision, {}, reason)
    with asking(what, "s3:PutObject, s3:PutObjectTagging, s3:GetObjectVersion and s3:GetObjectVersionTagging"):
        written = _copy_onto_itself(side, version, head)
    return Resolved(conflict, decision, {at: written}, note=_retention(head, version))


def _copy_onto_itself(side: Side, version: Version, head: Mapping[str, Any]) -> str:
    """As it is. Of a version that is the current one S3 may want to hear all of its metadata once more.

    Source: S3 User Guide, "Copying objects": a copy of an object onto itself must change metadata, storage class,
    redirect or encryption. Whether naming the same class is enough for the current version is not documented.
    """
    copy = {
        **side.bucket,
        "Key": version.key,
        "CopySource": {"Bucket": side.end.bucket, "Key": version.key, "VersionId": version.version_id},
        "ExpectedSourceBucketOwner": side.owner,
        "StorageClass": head.get("StorageClass", "STANDARD"),
        **{name: head[name] for name in _SAME_ENCRYPTION if name in head},
    }
    try:
        answer = side.client.copy_object(**copy)
    except ClientError as error:
        if error_code(error) != "InvalidRequest":
            raise
        metadata = {name: head[name] for name in _KEPT if name in head}
        answer = side.client.copy_object(**copy, MetadataDirective="REPLACE", **metadata)
    return str(answer["VersionId"])


def _why_not(head: Mapping[str, Any]) -> str | None:
    if "SSECustomerAlgorithm" in head:
        return "it is under a customer's key (SSE-C), which this task does not have: write it again, then run again"
    if head.get("ArchiveStatus") in ARCHIVED_STATUSES:
        return f"it is in {head['ArchiveStatus']}: restore it and copy it onto its own key, then run again"
    return why_not_copied(head["ContentLength"], head.get("StorageClass", "STANDARD"))


def _retention(head: Mapping[str, Any], version: Version) -> str:
    held = [f"{head['ObjectLockMode']} until {head['ObjectLockRetainUntilDate']}"] if "ObjectLockMode" in head else []
    held += ["legal hold"] if head.get("ObjectLockLegalHoldStatus") == "ON" else []
    if not held:
        return ""
    return (
        f"Object Lock of version {version.version_id} ({', '.join(held)}) stays on that version. The copy has what "
        "the bucket's default gives it."
    )


# --- until both ends agree -----------------------------------------------------------------------------------


def await_agreement(
    ends: Ends,
    resolved: Iterable[Resolved],
    ways: Ways,
    deadline_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until both ends show the same version of each key that was written.

    Raises:
        NotAgreed: they do not in time.
        AwsFailure: a bucket may not be listed.
    """
    waiting = [one.conflict.key for one in resolved if one.written]
    deadline, pause = clock() + deadline_seconds, _FIRST_PAUSE_SECONDS
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        while waiting:
            agreed = pool.map(lambda key: _agree(ends, key, ways), waiting)
            waiting = [key for key, done in zip(waiting, agreed, strict=True) if not done]
            if waiting and clock() >= deadline:
                raise NotAgreed(
                    f"{len(waiting)} keys were resolved, and both ends do not show the same yet after "
                    f"{deadline_seconds:.0f} s, for example '{waiting[0]}'. Replication is late: look at its metrics, "
                    "then run again; what is written is not written again."
                )
            if waiting:
                sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _agree(ends: Ends, key: str, ways: Ways) -> bool:
    primary, dr = (shown(ends[side], key) for side in (journal.Side.PRIMARY, journal.Side.DR))
    if primary is None or dr is None:
        return primary is dr
    if primary.identity == dr.identity:
        return True
    markers_replicate = any(ways.replicate_markers(side, key) for side in journal.Side)
    return primary.is_delete_marker and dr.is_delete_marker and not markers_replicate


def shown(side: Side, key: str) -> Version | None:
    """The current version of a key: S3 lists the key itself before all keys that begin with it.

    Raises:
        AwsFailure: it may not be listed.
    """
    with asking(f"The versions of s3://{side.end.bucket}/{key}", "s3:ListBucketVersions"):
        try:
            rows = read_page(side, key, None).rows
        except BadPage as error:
            raise AwsFailure(f"{side.end.bucket}: S3's answer cannot be read ({error}). Run again.") from error
    return next((row for row in rows if row.key == key and row.is_latest), None)
