# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Why the ends of a pair differ: each difference gets exactly one cause, and each cause a remedy.

Sources: S3 User Guide, "What does Amazon S3 replicate?", "Getting replication status information", "Replicating delete
markers between buckets", "Replicating encrypted objects", "Disabling replication".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .model import End, Rule
from .versions import Version


class Cause(StrEnum):
    """Why a difference is there."""

    PENDING = "pending"
    LATE = "late"
    FAILED = "failed"
    WRITTEN_BEFORE_RULE = "written_before_rule"
    WRITTEN_WHILE_RULE_OFF = "written_while_rule_off"
    NO_RULE_MATCHES = "no_rule_matches"
    TAGGED_AFTER_CREATION = "tagged_after_creation"
    ARCHIVED_CLASS = "archived_class"
    KMS_NOT_SELECTED = "kms_not_selected"
    DELETE_MARKER_BY_CHOICE = "delete_marker_by_choice"
    DELETE_MARKER_BY_LIFECYCLE = "delete_marker_by_lifecycle"
    VERSION_DELETED_AT_SOURCE = "version_deleted_at_source"
    VERSION_DELETED_AT_DESTINATION = "version_deleted_at_destination"
    REPLICA_OF_ANOTHER_SOURCE = "replica_of_another_source"
    CONTENT_DIFFERS = "content_differs"
    CONFLICT = "conflict"
    FOREIGN_OBJECT = "foreign_object_at_destination"
    UNEXPLAINED = "unexplained"
    UNEXAMINED = "unexamined"


ACCEPTED = (
    Cause.NO_RULE_MATCHES,
    Cause.DELETE_MARKER_BY_CHOICE,
    Cause.DELETE_MARKER_BY_LIFECYCLE,
    Cause.VERSION_DELETED_AT_SOURCE,
    Cause.FOREIGN_OBJECT,
)
"""What follows from the declared rules, or loses nothing: these fail no run unless the user says so."""

NEVER_ACCEPTED = (Cause.PENDING, Cause.LATE, Cause.CONTENT_DIFFERS, Cause.UNEXPLAINED, Cause.UNEXAMINED)
"""What has not arrived yet, is wrong, or is not understood, counts for the recovery point whatever the user accepts."""

_BACKFILL = "Backfill it by S3 Batch Replication (filter NONE, unless the detail names another), or write it again."

REMEDIES = {
    Cause.PENDING: "Nothing yet: S3 is still replicating it, and it is within the target.",
    Cause.LATE: "Look at the metrics ReplicationLatency and OperationsPendingReplication in the destination's Region, "
    "and at the AWS Health Dashboard; what is pending goes on by itself.",
    Cause.FAILED: "S3 does not retry it. Mend what the detail names (role, key or bucket), then replicate it by S3 "
    "Batch Replication with the filter FAILED.",
    Cause.WRITTEN_BEFORE_RULE: _BACKFILL,
    Cause.WRITTEN_WHILE_RULE_OFF: _BACKFILL,
    Cause.NO_RULE_MATCHES: "Nothing, unless it belongs in the DR copy: then widen a rule or add one, and backfill.",
    Cause.TAGGED_AFTER_CREATION: "S3 looks only at the tags that an object is written with. " + _BACKFILL,
    Cause.ARCHIVED_CLASS: "S3 does not replicate what is archived. Restore it and copy it onto itself into a class "
    "that is replicated, or keep a copy by other means.",
    Cause.KMS_NOT_SELECTED: "Name `kms_key_arn` for both ends, and leave `kms_objects` of the rule unset or true; run "
    "setup, then backfill.",
    Cause.DELETE_MARKER_BY_CHOICE: "Nothing, or set `delete_markers: true` in the rule.",
    Cause.DELETE_MARKER_BY_LIFECYCLE: "Nothing, or give both buckets the same lifecycle rules.",
    Cause.VERSION_DELETED_AT_SOURCE: "Nothing is lost: S3 never replicates the deletion of a version. Give the "
    "destination a lifecycle rule for noncurrent versions if it shall go there, too.",
    Cause.VERSION_DELETED_AT_DESTINATION: "Copy it onto itself at the source: S3 does not replicate a deleted version "
    "again. Find out who or which lifecycle rule deletes in the destination.",
    Cause.REPLICA_OF_ANOTHER_SOURCE: "S3 does not pass replicas on. Replicate from their first source to the "
    "destination, too, or by S3 Batch Replication with the filter REPLICA.",
    Cause.CONTENT_DIFFERS: "Compare both ends by hand before you trust either: a version never changes by itself.",
    Cause.CONFLICT: "Decide which one is right, and write or delete it again at the end that is in use.",
    Cause.FOREIGN_OBJECT: "Find out who writes into the destination; keep writers out of it by its bucket policy.",
    Cause.UNEXPLAINED: "Look at the version at both ends, and at its events in CloudTrail.",
    Cause.UNEXAMINED: "Raise `max_head_requests`, or allow what the notes name, then run again.",
}

ARCHIVE_CLASSES = ("GLACIER", "DEEP_ARCHIVE")
ARCHIVED_STATUSES = ("ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS")
KMS_ENCRYPTIONS = ("aws:kms", "aws:kms:dsse")


@dataclass(frozen=True, slots=True)
class Expiration:
    """A lifecycle rule's way to put delete markers: on objects of a prefix, that many days after they were written.

    `days` None: on a date, or at a time that cannot be told from a listing.
    """

    prefix: str
    days: int | None = None

    def explains(self, marker: Version, previous: datetime | None) -> bool:
        """Whether it may have put a marker on the version that was written at `previous`.

        Source: S3 User Guide, "Lifecycle rules: Based on an object's age": the days are added to the time at which the
        object was written, and the result is rounded up to the next midnight UTC.
        """
        if not marker.key.startswith(self.prefix):
            return False
        if self.days is None or previous is None:
            return True
        passed = previous + timedelta(days=self.days)
        midnight = passed.replace(hour=0, minute=0, second=0, microsecond=0)
        return marker.modified >= (midnight if midnight == passed else midnight + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which a direction was off. `until` None: it still is."""

    begin: datetime
    until: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether the moment is in it."""
        return self.begin <= moment and (self.until is None or moment <= self.until)


@dataclass(frozen=True, slots=True)
class Scope:
    """What one direction replicates to one destination, as far as AWS tells.

    Attributes:
        rules: those that are declared for the destination, enabled or not as AWS holds them. One that AWS does not hold
            counts as disabled: left out, what it should have replicated would pass for what no rule selects.
        since: when the role of the direction was made: before that nothing replicated; None: not known.
        gaps: when it was paused.
        expirations: of the source's lifecycle configuration.
        destination_has_object_lock: None: not known; so with the next one.
        first_arrived: when the oldest version was written that the destination holds, too.
        fan_out: whether the source replicates to another destination, too; S3 tells one status for all of them.
    """

    source: End
    destination: End
    rules: tuple[Rule, ...]
    since: datetime | None = None
    gaps: tuple[Gap, ...] = ()
    expirations: tuple[Expiration, ...] = ()
    destination_expirations: tuple[Expiration, ...] = ()
    destination_has_object_lock: bool | None = None
    destination_blocks_sse_c: bool | None = None
    first_arrived: datetime | None = None
    fan_out: bool = False

    def rules_for(self, key: str, tags: Iterable[tuple[str, str]] | None = None) -> tuple[Rule, ...]:
        """The rules that select a key, the highest priority first; with tags None the tags of rules are ignored."""
        carried = None if tags is None else set(tags)
        found = [
            rule
            for rule in self.rules
            if key.startswith(rule.prefix) and (carried is None or set(rule.tags) <= carried)
        ]
        return tuple(sorted(found, key=lambda rule: rule.priority, reverse=True))

    @property
    def begin(self) -> datetime | None:
        """From when on S3 can have replicated: the role's making, or the oldest version that arrived, if later."""
        known = [moment for moment in (self.since, self.first_arrived) if moment is not None]
        return max(known, default=None)


@dataclass(frozen=True, slots=True)
class Head:
    """What HeadObject and GetObjectTagging tell of one version at one end.

    Attributes:
        found: None: it was not asked, or the answer was refused.
        refused: why the answer was refused.
        status: PENDING, COMPLETED, FAILED or REPLICA; None: no rule selected the version when it was written.
        parts: of a multipart upload; None: it was none, or it is not known.
        tags: (key, value) pairs; None: not asked.
        checksums: (algorithm, value) pairs, of which those of the same `checksum_type` can be compared.
        modified: its Last-Modified; the only thing that tells one `null` version from another. None: not known.
    """

    found: bool | None
    refused: str = ""
    status: str | None = None
    size: int | None = None
    etag: str = ""
    encryption: str | None = None
    kms_key: str | None = None
    storage_class: str = "STANDARD"
    archive_status: str | None = None
    object_lock: bool = False
    customer_key: bool = False
    parts: int | None = None
    tags: tuple[tuple[str, str], ...] | None = None
    checksums: tuple[tuple[str, str], ...] = ()
    checksum_type: str | None = None
    modified: datetime | None = None


UNASKED = Head(None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One explained difference.

    Attributes:
        source: the bucket whose version it is about; for an extra version the one that should hold it, too.
        destination: the bucket that differs.
        size: in bytes; None: it is a delete marker.
        missing: whether the destination lacks the version, or holds it with other content.
        rule: the ID of the rule that replicates the version; None: no rule does.
        detail: what was seen, if that says more than the cause.
        maybe_rules: IDs of the other rules that may replicate it instead, since nobody looked at its tags.
    """

    cause: Cause
    source: str
    destination: str
    key: str
    version_id: str
    modified: datetime
    size: int | None
    missing: bool
    rule: str | None = None
    detail: str = ""
    maybe_rules: tuple[str, ...] = ()

    def as_result(self, now: datetime) -> dict[str, Any]:
        """Plain values; `age_seconds` is as of `now`."""
        return {
            "cause": self.cause.value,
            "source": self.source,
            "destination": self.destination,
            "key": self.key,
            "version_id": self.version_id,
            "modified": iso(self.modified),
            "age_seconds": max(0, round((now - self.modified).total_seconds())),
            "size": self.size or 0,
            "delete_marker": self.size is None,
            "missing": self.missing,
            "rule": self.rule,
            "detail": self.detail,
            "remedy": REMEDIES[self.cause],
        }


def iso(moment: datetime) -> str:
    """A moment in UTC as ISO 8601, to the second unless it has a fraction."""
    return moment.isoformat().replace("+00:00", "Z")
