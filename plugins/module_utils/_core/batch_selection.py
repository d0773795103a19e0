# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Which versions a Batch Replication job is to bring, and which it cannot bring, with what helps them.

A job learns its versions by a filter of S3's own, or by a list of exactly those that were found missing. S3 tells no
status in a listing, so the cause that a comparison found says which status S3 would tell.

Sources: S3 User Guide, "Replicating existing objects with Batch Replication", "What does Amazon S3 replicate?".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from .causes import REMEDIES, Cause, Finding
from .model import InvalidInput


class Select(StrEnum):
    """How a job learns its versions."""

    FILTER = "filter"
    FINDINGS = "findings"


class Status(StrEnum):
    """What S3 says of the replication of a version, in the words of a job's filter."""

    NONE = "NONE"
    FAILED = "FAILED"
    COMPLETED = "COMPLETED"
    REPLICA = "REPLICA"


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user wants a job to bring.

    Attributes:
        statuses: which versions, by what S3 says of their replication.
        created_after, created_before: with their time zone; both moments are in it.

    Raises:
        InvalidInput: it selects nothing, or S3 would refuse it.
    """

    select: Select = Select.FILTER
    statuses: tuple[Status, ...] = (Status.NONE, Status.FAILED)
    prefix: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None

    def __post_init__(self) -> None:
        if not self.statuses:
            raise InvalidInput("statuses is empty, so nothing would be backfilled. Leave it out for NONE and FAILED.")
        if len(self.prefix.encode("utf-8", "surrogatepass")) > 1024:
            raise InvalidInput("prefix is longer than a key, 1024 bytes. Shorten it.")
        if self.created_after and self.created_before and self.created_after > self.created_before:
            raise InvalidInput("created_after is later than created_before, so nothing would be backfilled. Swap them.")

    @property
    def is_whole(self) -> bool:
        """Whether no version that a pause kept from replicating is left out."""
        narrowed = bool(self.prefix or self.created_after or self.created_before)
        return self.select is Select.FILTER and not narrowed and Status.NONE in self.statuses

    def holds(self, missing: Missing) -> bool:
        """Whether the version is one of those that the user speaks of."""
        after = self.created_after is None or missing.modified >= self.created_after
        before = self.created_before is None or missing.modified <= self.created_before
        return after and before and missing.key.startswith(self.prefix)


def moment_of(text: str | None, option: str) -> datetime | None:
    """A time as a user writes it, ISO 8601, in UTC unless it says otherwise.

    Raises:
        InvalidInput: it is none.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{option}: '{text}' is no time. Write it like 2026-11-23T14:00:00Z.") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# --- one version ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Missing:
    """One version that a destination lacks, as a comparison or the findings of a verify tell it."""

    cause: Cause
    source: str
    destination: str
    key: str
    version_id: str
    modified: datetime
    size: int | None
    detail: str = ""

    @classmethod
    def of(cls, finding: Finding) -> Missing:
        """Of a finding of this run."""
        return cls(
            finding.cause,
            finding.source,
            finding.destination,
            finding.key,
            finding.version_id,
            finding.modified,
            finding.size,
            finding.detail,
        )

    @classmethod
    def of_line(cls, line: Mapping[str, Any]) -> Missing | None:
        """Of a line of a verify's findings; None: the destination does not lack it.

        Raises:
            KeyError, TypeError, ValueError: it is no such line.
        """
        if not line["missing"]:
            return None
        size = None if line["delete_marker"] else int(line["size"])
        modified = datetime.fromisoformat(line["modified"]).astimezone(UTC)
        texts = {name: _text(line[name]) for name in ("source", "destination", "key", "version_id", "detail")}
        return cls(cause=Cause(line["cause"]), modified=modified, size=size, **texts)


def _text(value: Any) -> str:
    """A text that can be written: JSON may hold halves of characters."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    value.encode()
    return value


_SAYS_COMPLETED = "S3 says COMPLETED"
_IS_REPLICA = "it is a replica"
_NEVER_SELECTED = (
    Cause.WRITTEN_BEFORE_RULE,
    Cause.WRITTEN_WHILE_RULE_OFF,
    Cause.TAGGED_AFTER_CREATION,
    Cause.UNEXPLAINED,
    Cause.UNEXAMINED,
)
"""No rule took them when they were written, or nobody knows better, and a job can only try."""


def status_of(missing: Missing, *, made_anew: bool = False) -> Status | None:
    """What S3 most likely says of the version; None: no job brings it as it is.

    Args:
        made_anew: the destination bucket may be a new one. A marker that was put while there was none is lost for
            good, and nothing tells it from one that is on its way. To bring that one, too, does no harm.
    """
    if missing.cause is Cause.FAILED:
        return Status.FAILED
    if missing.cause is Cause.REPLICA_OF_ANOTHER_SOURCE:
        return Status.REPLICA
    if missing.cause is Cause.VERSION_DELETED_AT_DESTINATION:
        return Status.REPLICA if missing.detail.startswith(_IS_REPLICA) else Status.COMPLETED
    if missing.cause in _NEVER_SELECTED:
        return Status.COMPLETED if missing.detail.startswith(_SAYS_COMPLETED) else Status.NONE
    if missing.size is None and missing.cause in ((Cause.LATE, Cause.PENDING) if made_anew else (Cause.LATE,)):
        return Status.NONE  # of delete markers S3 tells no status: this one may be lost
    return None


# --- all of them ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Sorting:
    """Every version that the destination lacks, counted as what the job brings or as left out."""

    selection: Selection
    versions: int = 0
    delete_markers: int = 0
    size: int = 0
    unexamined: int = 0
    rule_was_off: int = 0
    """Versions that a pause kept from replicating, or of which nobody knows whether it did."""
    off_left_out: int = 0
    """Those of them that are left out by their status."""
    left_out: Counter[tuple[Cause, Status | None]] = field(default_factory=Counter)
    left_out_sizes: Counter[tuple[Cause, Status | None]] = field(default_factory=Counter)

    def after_success(self) -> Sorting:
        """What of a pause is still missing when a job has brought everything that it is to bring."""
        return Sorting(self.selection, rule_was_off=self.off_left_out)

    def wants(self, missing: Missing) -> bool:
        """Count one version; whether the job is to bring it."""
        was_off = missing.cause in (Cause.WRITTEN_WHILE_RULE_OFF, Cause.UNEXAMINED)
        self.rule_was_off += was_off
        if not self.selection.holds(missing):
            return False
        status = status_of(missing, made_anew=Status.REPLICA in self.selection.statuses)
        if status not in self.selection.statuses:
            self.off_left_out += was_off
            self.left_out[missing.cause, status] += 1
            self.left_out_sizes[missing.cause, status] += missing.size or 0
            return False
        self.versions += 1
        self.size += missing.size or 0
        self.delete_markers += missing.size is None
        self.unexamined += missing.cause is Cause.UNEXAMINED
        return True

    def left_out_result(self) -> list[dict[str, Any]]:
        """What the job does not bring, the most frequent first: `cause`, `versions`, `bytes`, `remedy`."""
        return [
            {
                "cause": cause.value,
                "versions": count,
                "bytes": self.left_out_sizes[cause, status],
                "remedy": _remedy(cause, status),
            }
            for (cause, status), count in self.left_out.most_common()
        ]


def _remedy(cause: Cause, status: Status | None) -> str:
    if status is None:
        return REMEDIES[cause]
    add = f"add {status} to `statuses`"
    if cause is Cause.VERSION_DELETED_AT_DESTINATION:
        return f"{REMEDIES[cause]} If the destination bucket was made anew, {add} instead."
    return f"To backfill it, {add}."
