# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""One small object sent through a rule, watched until it arrives or the deadline passes, and removed at both ends.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .._core.model import End, Link, Rule
from .row import Client
from .sdk_errors import BotoCoreError, ClientError

RESERVED_PREFIX = ".s3-dr-canary/"
ARCHIVE_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Canary:
    """What became of one canary.

    `status` is `replicated`, `failed`, `late`, `differs` or `not_written`; `compared` says what was compared with the
    replica: its `bytes`, or its `size` where it arrives in a class that must be restored before it can be read.
    """

    rule: str
    source: str
    destination: str
    key: str
    status: str
    version_id: str | None = None
    seconds: float | None = None
    compared: str | None = None
    reason: str | None = None
    left_behind: tuple[str, ...] = ()

    def as_result(self) -> dict[str, Any]:
        """A plain mapping."""
        return {**asdict(self), "left_behind": list(self.left_behind)}


@dataclass(frozen=True, slots=True)
class Route:
    """A rule's way from one end to the other, with a client for each end. Both buckets belong to `account`."""

    rule: Rule
    source: End
    destination: End
    source_client: Client
    destination_client: Client
    account: str

    @classmethod
    def of(cls, rule: Rule, link: Link, source_client: Client, destination_client: Client, account: str) -> Route:
        """The way of a rule in one direction of a pair."""
        return cls(rule, link.source, link.destination, source_client, destination_client, account)


def fly(
    route: Route,
    deadline_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Canary:
    """Write one object under the reserved prefix, wait for its replica, compare it, remove both versions.

    Only versions that this function wrote are ever removed, by their version ID. One that is late is left where it is:
    removing the source in flight would fail its replication, or leave a replica behind that nobody knows of.
    """
    token = uuid.uuid4().hex
    key, body = f"{route.rule.prefix}{RESERVED_PREFIX}{token}", f"s3-dr canary {token}\n".encode()
    begun = Canary(route.rule.id, route.source.bucket, route.destination.bucket, key, "not_written")
    try:
        written = route.source_client.put_object(
            Bucket=route.source.bucket, Key=key, Body=body, ExpectedBucketOwner=route.account
        )
    except (ClientError, BotoCoreError) as error:
        return _with(begun, reason=f"writing it to {route.source.bucket} failed: {error}")
    version = written.get("VersionId")
    if version in (None, "null"):
        return _without_versioning(begun, route)
    started = clock()
    outcome = _watch(route, key, version, body, started + deadline_seconds, sleep, clock)
    seconds = round(clock() - started, 3)
    if outcome["status"] == "late":
        left_behind = _left_to_arrive(route, key, version)
    else:
        left_behind = _remove_both(route, key, version)
    return _with(begun, version_id=version, seconds=seconds, left_behind=left_behind, **outcome)


def _with(canary: Canary, **changes: Any) -> Canary:
    return Canary(**{**asdict(canary), **changes})


def _without_versioning(begun: Canary, route: Route) -> Canary:
    """The object is the null version of a name that nobody else has: removing that version touches nothing else."""
    left_behind = _remove(route.source_client, route.source, begun.key, "null", route.account)
    reason = f"versioning of bucket {route.source.bucket} is not enabled"
    return _with(begun, status="failed", reason=reason, left_behind=tuple(left_behind))


def _watch(
    route: Route,
    key: str,
    version: str,
    body: bytes,
    deadline: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> dict[str, str]:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        waiting_for = "S3 still says PENDING; without an RTC rule it promises no time"
        try:
            outcome = _look(route, key, version, body)
        except ClientError as error:
            return {"status": "failed", "reason": str(error)}
        except BotoCoreError as error:  # the connection; the object may well be on its way
            outcome, waiting_for = None, str(error)
        if outcome is not None:
            return outcome
        left = deadline - clock()
        if left <= 0:
            return {"status": "late", "reason": waiting_for}
        sleep(min(pause, left))
        pause = min(1.5 * pause, _LONGEST_PAUSE_SECONDS)


def _look(route: Route, key: str, version: str, body: bytes) -> dict[str, str] | None:
    """The outcome if there is one yet. S3 itself says whether it replicated; the replica's bytes prove it."""
    head = route.source_client.head_object(
        Bucket=route.source.bucket, Key=key, VersionId=version, ExpectedBucketOwner=route.account
    )
    status = head.get("ReplicationStatus")
    if status == "FAILED":
        return {
            "status": "failed",
            "reason": "S3 says FAILED: the replication role, a key or the destination refuses; S3 does not try again",
        }
    if status is None:
        return {"status": "failed", "reason": "no enabled rule of the bucket matched the object"}
    if status not in ("COMPLETED", "COMPLETE"):
        return None
    return _compare(route, key, version, body)


def _compare(route: Route, key: str, version: str, body: bytes) -> dict[str, str]:
    """Read the replica; one in an archive class cannot be read without a restore, so its size must do."""
    replica = {
        "Bucket": route.destination.bucket,
        "Key": key,
        "VersionId": version,
        "ExpectedBucketOwner": route.account,
    }
    if route.destination.storage_class in ARCHIVE_CLASSES:
        compared, alike = "size", route.destination_client.head_object(**replica)["ContentLength"] == len(body)
    else:
        compared, alike = "bytes", route.destination_client.get_object(**replica)["Body"].read() == body
    if alike:
        return {"status": "replicated", "compared": compared}
    return {
        "status": "differs",
        "compared": compared,
        "reason": f"the replica in {route.destination.bucket} differs in its {compared}",
    }


def _left_to_arrive(route: Route, key: str, version: str) -> tuple[str, ...]:
    return tuple(f"{end.bucket}/{key} ({version}): left to arrive" for end in (route.source, route.destination))


def _remove_both(route: Route, key: str, version: str) -> tuple[str, ...]:
    """Remove the version at both ends; what could not be removed."""
    return (
        *_remove(route.source_client, route.source, key, version, route.account),
        *_remove(route.destination_client, route.destination, key, version, route.account),
    )


def _remove(client: Client, end: End, key: str, version: str, owner: str) -> list[str]:
    """Remove one version; if that fails, the way to say so, as `bucket/key (version): reason`."""
    try:
        client.delete_object(Bucket=end.bucket, Key=key, VersionId=version, ExpectedBucketOwner=owner)
    except (ClientError, BotoCoreError) as error:
        return [f"{end.bucket}/{key} ({version}): {error}"]
    return []
