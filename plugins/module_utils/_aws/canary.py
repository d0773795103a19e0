# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Small objects sent through rules, watched until they arrive or the deadline passes, and removed at both ends.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from .._core.causes import ARCHIVE_CLASSES
from .._core.model import Accounts, End, Rule
from .._core.proofs import RESERVED_PREFIX, Flight
from .row import Client, ClientFor
from .sdk_errors import DENIED, NO_ANSWER, ClientError, error_code, in_short

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_TOKEN_LENGTH = 32

FLYING = "flying"
"""The status of a canary that is on its way."""


@dataclass(frozen=True, slots=True)
class Canary:
    """What became of one canary.

    `encryption` is what was asked for when it was written: the bucket's `default`, or `aws:kms`.
    `status` is `replicated`, `failed`, `late`, `differs`, `not_written` or `unreadable`; `compared` says what was
    compared with the replica: its `bytes`; its `size` where it arrives in a class that must be restored to be read; or
    only the `status` that S3 gives its source, where the replica may not be read.
    """

    rule: str
    source: str
    destination: str
    key: str
    encryption: str
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
class Side:
    """One end of a flight: the bucket, its owner's account ID, and a client that reaches it."""

    end: End
    owner: str
    client: Client

    @property
    def bucket(self) -> dict[str, str]:
        """What every call on the bucket takes."""
        return {"Bucket": self.end.bucket, "ExpectedBucketOwner": self.owner}


@dataclass(frozen=True, slots=True)
class Route:
    """A rule's way from one end to the other, for objects of one encryption: `default`, or `aws:kms` with a key.

    `copies` are the further sides where other rules take the canary.
    """

    rule: Rule
    source: Side
    destination: Side
    copies: tuple[Side, ...] = ()
    kms_key_arn: str | None = None

    @property
    def sides(self) -> tuple[Side, ...]:
        """Everywhere where the canary is, in the end."""
        return (self.source, self.destination, *self.copies)

    @classmethod
    def of(cls, flight: Flight, accounts: Accounts, client_for: ClientFor) -> Route:
        """The way of a flight, with a client for each end."""
        source, destination, *copies = (
            Side(end, accounts[end.bucket].id, client_for("s3", end.region, accounts[end.bucket].id))
            for end in (flight.link.source, *flight.destinations())
        )
        return cls(flight.rule, source, destination, tuple(copies), flight.kms_key_arn)

    @property
    def encryption(self) -> str:
        """What is asked for when the canary is written."""
        return "aws:kms" if self.kms_key_arn else "default"

    def write_options(self) -> dict[str, str]:
        """What makes the rule select the canary: its tags and its encryption."""
        options = {}
        if self.rule.tags:
            options["Tagging"] = urlencode(self.rule.tags)
        if self.kms_key_arn:
            options |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key_arn}
        return options


def fly(
    route: Route,
    deadline_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    token: str | None = None,
) -> Canary:
    """Write one object under the reserved prefix, wait for its replica, compare it, remove both versions.

    Only versions that this function wrote are ever removed, by their version ID. One that is late is left where it is:
    removing the source in flight would fail its replication, or leave a replica behind that nobody knows of.

    Args:
        token: how its key ends, 32 hexadecimal digits, where somebody must know it beforehand.
    """
    begun = send(route, token or uuid.uuid4().hex)
    if begun.status != FLYING:
        return begun
    started = clock()
    outcome = _watch(route, begun, started + deadline_seconds, sleep, clock)
    return land(route, begun, outcome, clock() - started)


def send(route: Route, token: str) -> Canary:
    """Write one object under the reserved prefix. Its status is `flying` if it is on its way.

    Args:
        token: how its key ends, 32 hexadecimal digits.
    """
    key, source = f"{route.rule.prefix}{RESERVED_PREFIX}{token}", route.source.end.bucket
    begun = Canary(route.rule.id, source, route.destination.end.bucket, key, route.encryption, "not_written")
    options = {**route.source.bucket, "Key": key, "Body": _body(key), **route.write_options()}
    try:
        written = route.source.client.put_object(**options)
    except (ClientError, *NO_ANSWER) as error:
        return _with(begun, reason=f"writing it to {source} failed: {in_short(error)}")
    version = written.get("VersionId")
    if version in (None, "null"):
        return _without_versioning(begun, route)
    return _with(begun, status=FLYING, version_id=version)


def land(route: Route, canary: Canary, outcome: Mapping[str, str], seconds: float) -> Canary:
    """What became of a canary that flew for so long. Where it has an end, both versions are removed.

    Args:
        outcome: what `look` told, or `late` with a reason.
    """
    key, version = canary.key, str(canary.version_id)
    if outcome["status"] == "late" or (outcome["status"] == "unreadable" and "compared" not in outcome):
        left_behind = _left_to_arrive(route, key, version)
    else:
        left_behind = _remove_everywhere(route, key, version)
    return _with(canary, seconds=round(seconds, 3), left_behind=left_behind, **outcome)


def _body(key: str) -> bytes:
    return f"s3-dr canary {key[-_TOKEN_LENGTH:]}\n".encode()


def prove(
    route: Route,
    deadline_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    token: str | None = None,
) -> Canary:
    """Fly canaries until one arrives or the deadline passes; the last one's fate.

    Just after a change an object can fail for good only because AWS does not see the new role or versioning everywhere
    yet, so a failure proves nothing until time is up. A canary with another fate is the answer at once.
    """
    deadline, pause = clock() + deadline_seconds, _FIRST_PAUSE_SECONDS
    while True:
        started = clock()
        canary = fly(route, deadline - started, sleep, clock, token)
        took = clock() - started
        if canary.status != "failed" or clock() + pause + 2 * took > deadline:
            return canary  # another one would hardly be decided in the time that is left, and hide this one's fate
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def each(flight: Callable[[Route], Canary], routes: Iterable[Route]) -> list[Canary]:
    """All flights at the same time."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(flight, routes))


def _with(canary: Canary, **changes: Any) -> Canary:
    return Canary(**{**asdict(canary), **changes})


def _without_versioning(begun: Canary, route: Route) -> Canary:
    """The object is the null version of a name that nobody else has: removing that version touches nothing else."""
    left_behind = _remove(route.source, begun.key, "null")
    reason = f"versioning of bucket {route.source.end.bucket} is not enabled"
    return _with(begun, status="failed", reason=reason, left_behind=tuple(left_behind))


def _watch(
    route: Route,
    canary: Canary,
    deadline: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> dict[str, str]:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        outcome, waiting_for = look(route, canary)
        if outcome is not None:
            return outcome
        left = deadline - clock()
        if left <= 0:
            return {"status": "late", "reason": waiting_for}
        sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def look(route: Route, canary: Canary) -> tuple[dict[str, str] | None, str]:
    """The outcome of a canary if there is one yet, and else what it waits for."""
    try:
        outcome = _look(route, canary.key, str(canary.version_id), _body(canary.key))
    except ClientError as error:
        if error_code(error) in DENIED:
            return {"status": "unreadable", "reason": f"it may not be looked at: {error}"}, ""
        return None, str(error)
    except NO_ANSWER as error:  # the connection; the object may well be on its way
        return None, in_short(error)
    return outcome, "S3 still says PENDING; without an RTC rule it promises no time"


def _look(route: Route, key: str, version: str, body: bytes) -> dict[str, str] | None:
    """The outcome if there is one yet. S3 itself says whether it replicated; the replica's bytes prove it."""
    head = route.source.client.head_object(**route.source.bucket, Key=key, VersionId=version)
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
    replica = {**route.destination.bucket, "Key": key, "VersionId": version}
    client = route.destination.client
    try:
        if route.destination.end.storage_class in ARCHIVE_CLASSES:
            compared, alike = "size", client.head_object(**replica)["ContentLength"] == len(body)
        else:
            compared, alike = "bytes", client.get_object(**replica)["Body"].read() == body
    except ClientError as error:
        return _not_compared(error)
    if alike:
        return {"status": "replicated", "compared": compared}
    return {
        "status": "differs",
        "compared": compared,
        "reason": f"the replica in {route.destination.end.bucket} differs in its {compared}",
    }


def _not_compared(error: ClientError) -> dict[str, str]:
    """S3 says that it replicated, and the replica cannot be read: a matter of permissions, or of replication."""
    if error_code(error) in DENIED:
        return {"status": "unreadable", "compared": "status", "reason": f"S3 says COMPLETED, but reading it: {error}"}
    if error_code(error) in ("NoSuchVersion", "NoSuchKey", "404"):
        return {"status": "failed", "reason": f"S3 says COMPLETED, and the replica is not there: {error}"}
    raise error


def _left_to_arrive(route: Route, key: str, version: str) -> tuple[str, ...]:
    return tuple(f"{side.end.bucket}/{key} ({version}): left to arrive" for side in route.sides)


def _remove_everywhere(route: Route, key: str, version: str) -> tuple[str, ...]:
    """Remove the version wherever it is; what could not be removed. S3 answers 204 to a version that is not there."""
    return tuple(failure for side in route.sides for failure in _remove(side, key, version))


def _remove(side: Side, key: str, version: str) -> list[str]:
    """Remove one version; if that fails, the way to say so, as `bucket/key (version): reason`."""
    try:
        side.client.delete_object(**side.bucket, Key=key, VersionId=version)
    except (ClientError, *NO_ANSWER) as error:
        return [f"{side.end.bucket}/{key} ({version}): {in_short(error)}"]
    return []
