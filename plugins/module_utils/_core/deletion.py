# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What is said of the deletion of a bucket's contents: how long it will take, how far it is, and what S3 kept.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

ASSUMED_PER_SECOND = 2_000
"""Versions deleted in a second. Below the 3,500 DELETE requests a second that S3 promises for each prefix, since
applications and replication share them."""
MOST_NAMED = 3
WRITTEN_SINCE = "WrittenSince"
"""Stands for S3's code where we keep a version: it was written after the buckets were compared."""
_MOST_KEPT = 10
_MOST_REASONS = 50


@dataclass(frozen=True, slots=True)
class Refusal:
    """One version, delete marker or upload that S3 kept, with S3's reason."""

    key: str
    version_id: str
    code: str
    message: str = ""

    @property
    def reason(self) -> str:
        """S3's code and text."""
        return f"{self.code} ({self.message})" if self.message else self.code

    def as_result(self) -> dict[str, str]:
        """Plain values."""
        return {"key": self.key, "version_id": self.version_id, "code": self.code, "message": self.message}


@dataclass(slots=True)
class Refusals:
    """All that S3 kept, counted by reason; of each reason the first ones are kept."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[Refusal]] = field(default_factory=dict)

    def add(self, refusal: Refusal) -> None:
        """Count one. A store that words each refusal in its own way cannot fill the memory."""
        known = refusal.reason in self.counts or len(self.counts) < _MOST_REASONS
        reason = refusal.reason if known else refusal.code
        self.counts[reason] += 1
        shown = self.first.setdefault(reason, [])
        if len(shown) < _MOST_KEPT:
            shown.append(refusal)

    @property
    def total(self) -> int:
        """How many."""
        return self.counts.total()

    def shown(self) -> list[Refusal]:
        """The first ones, of each reason some."""
        return [refusal for reason in self.first.values() for refusal in reason]


@dataclass(frozen=True, slots=True)
class Lock:
    """What HeadObject tells of the Object Lock of a version.

    Attributes:
        mode: GOVERNANCE or COMPLIANCE; empty: no retention, or the credentials may not see it.
        until: when the retention ends, ISO 8601 in UTC.
    """

    mode: str = ""
    until: str = ""
    legal_hold: bool = False

    def __bool__(self) -> bool:
        return bool(self.mode) or self.legal_hold


def kept_sentences(refusals: Refusals, locks: Sequence[Lock], looked_at: int) -> str:
    """What S3 kept and why, with the next step.

    Args:
        locks: of the versions that were looked at, those that are locked.
        looked_at: how many of those that were refused were looked at.
    """
    reasons = [
        f"{count:,} with {reason}, for example {_names(refusals.first[reason])}"
        for reason, count in refusals.counts.most_common()
        if reason != WRITTEN_SINCE
    ]
    since = refusals.counts[WRITTEN_SINCE]
    said = []
    if since:
        said.append(
            f"{counted(since, 'version')} written after the buckets were compared stayed, since no other bucket may "
            f"hold what they hold, for example {_names(refusals.first[WRITTEN_SINCE])}. Stop what writes, then run "
            "again."
        )
    if reasons:
        kept = refusals.total - since
        said.append(f"S3 kept {kept:,}: {'; '.join(reasons)}. {_about_locks(locks, looked_at)}")
    return " ".join(said)


def _names(refusals: Iterable[Refusal]) -> str:
    return ", ".join([f"'{one.key}' ({one.version_id})" for one in refusals][:MOST_NAMED])


def _about_locks(locks: Sequence[Lock], looked_at: int) -> str:
    if not locks:
        return (
            "See what denies it: the bucket policy, MFA Delete, or missing permissions s3:DeleteObject and "
            "s3:DeleteObjectVersion."
        )
    modes = Counter(lock.mode for lock in locks if lock.mode)
    seen = [f"{count} in {mode} mode" for mode, count in sorted(modes.items())]
    holds = sum(1 for lock in locks if lock.legal_hold)
    seen += [f"{holds} under legal hold"] if holds else []
    ends = sorted(lock.until for lock in locks if lock.until)
    until = f", until {ends[-1]} at the latest" if ends else ""
    return (
        f"Of {looked_at} that were looked at, {len(locks)} are under Object Lock: {' and '.join(seen)}{until}. Object "
        "Lock is never bypassed: wait for its end, have a legal hold released, or keep the bucket."
    )


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def deleted_sentence(deleted: Mapping[str, int]) -> str:
    """How far a deletion is."""
    versions = counted(deleted.get("versions", 0), "version or delete marker", "versions and delete markers")
    return f"{versions} deleted, {counted(deleted.get('uploads', 0), 'upload')} aborted"


def expected_seconds(counts: Mapping[str, int]) -> int:
    """How long the deletion of these contents takes, by the assumed rate. At least a second."""
    things = counts.get("versions", 0) + counts.get("delete_markers", 0) + counts.get("uploads", 0)
    return max(1, round(things / ASSUMED_PER_SECOND))


def deletion_sentence(bucket: str, counts: Mapping[str, int], locked: bool) -> str:
    """What goes with a bucket, and how long that takes.

    Args:
        locked: whether the bucket has Object Lock.
    """
    seconds = expected_seconds(counts)
    duration = f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} minutes"
    held = (
        f"{counted(counts.get('versions', 0), 'version')} with {counted(counts.get('bytes', 0), 'byte')}, "
        f"{counted(counts.get('delete_markers', 0), 'delete marker')} and "
        f"{counted(counts.get('uploads', 0), 'unfinished upload')}"
    )
    time = f"That takes about {duration}, at {ASSUMED_PER_SECOND:,} a second, which is assumed."
    lock = " The bucket has Object Lock: versions under retention or legal hold will stay, and so will the bucket."
    return f"{bucket}: {held} go. {time}{lock if locked else ''}"
