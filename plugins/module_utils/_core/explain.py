# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""From a difference, and what S3 tells of the version at both ends, to its one cause.

The left end of a comparison is the source of its forward scope. The right end is the source of the backward scope, if
the pair is two-way; otherwise what only the right end holds is something extra.

In doubt it chooses a cause that nobody accepts unasked: a lost version must never pass for one that need not be there.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import TypeAlias

from .causes import ARCHIVE_CLASSES, ARCHIVED_STATUSES, KMS_ENCRYPTIONS, Cause, Expiration, Finding, Head, Scope, iso
from .march import Difference, Kind
from .model import Rule
from .rules import selects_kms_objects
from .versions import NULL, Version

_ARRIVED_STATUSES = ("COMPLETED", "COMPLETE")
_LIFECYCLE_LAG = timedelta(days=3)
"""S3 promises no time for lifecycle actions; after this nobody waits any longer for the other end to follow."""

_REPLACED = Head(False)
_UNCERTAIN = Head(None, "both ends may hold another version under the version ID null, and its time is not known")
_OTHER_END_UNASKED = "S3 says that it has arrived, but the other end was not asked"
_OTHER_CHECKSUMS = "its checksums or ETags differ"

Tags: TypeAlias = "tuple[tuple[str, str], ...]"


class Solved(StrEnum):
    """A difference that is none after a second look."""

    GONE = "gone"
    ARRIVED = "arrived"
    SAME_CONTENT = "same_content"
    NOT_COMPARABLE = "not_comparable"
    NOT_LOOKED_AT = "not_looked_at"
    """Its ETags differ, as they may with KMS, and the budget or a permission did not suffice for its checksums."""


class Rank(IntEnum):
    """In which order differences are examined, so that a budget is spent on what matters most."""

    MISSING = 0
    DIFFERS = 1
    BEFORE_RULE = 2
    KMS_CONTENT = 3
    EXTRA = 4
    SETTLED = 5
    """The listing alone tells the cause."""


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains the differences of one comparison.

    Attributes:
        backward: None: the right end replicates nothing to the left one.
        now: as AWS's clock tells it.
        rpo_seconds: how long a version may take to arrive before it is late.
    """

    forward: Scope
    backward: Scope | None
    now: datetime
    rpo_seconds: int

    def arrived_from(self, oldest: datetime | None) -> Explainer:
        """The same, knowing when the oldest version was written that arrived at the right end."""
        return replace(self, forward=replace(self.forward, first_arrived=oldest))

    def rule_prefixes(self) -> frozenset[str]:
        """The prefixes of all rules, in both directions."""
        scopes = [self.forward, *([self.backward] if self.backward else [])]
        return frozenset(rule.prefix for scope in scopes for rule in scope.rules)

    def scope(self, difference: Difference) -> Scope | None:
        """The direction in which the version should have gone; None: it is extra."""
        if difference.at_left:
            return self.forward
        wanted = self.backward is not None and self.backward.rules_for(difference.version.key)
        return self.backward if wanted else None

    def rank(self, difference: Difference) -> Rank:
        """How much the difference deserves to be looked at."""
        version, scope = difference.version, self.scope(difference)
        if difference.kind is Kind.CURRENT:
            return Rank.SETTLED
        if difference.kind is Kind.DIFFERS:
            sure = difference.other is None or version.size != difference.other.size
            return Rank.DIFFERS if sure or not self._etags_may_differ(version.key) else Rank.KMS_CONTENT
        if scope is None:
            return Rank.EXTRA
        if not scope.rules_for(version.key):
            return Rank.SETTLED
        if version.is_delete_marker and not _replicates_markers(scope, version.key):
            return Rank.SETTLED
        if scope.since is not None and version.modified < scope.since:
            return Rank.BEFORE_RULE
        return Rank.MISSING

    def _etags_may_differ(self, key: str) -> bool:
        """AWS does not say that the ETags of objects encrypted with KMS are equal at both ends."""
        scopes = [self.forward, *([self.backward] if self.backward else [])]
        return any(_selects_kms(rule, scope) for scope in scopes for rule in scope.rules_for(key))

    def asks_tags(self, difference: Difference, here: Head) -> bool:
        """Whether the version's tags decide; they are asked for in a call of their own."""
        scope = self.scope(difference)
        if difference.kind is not Kind.MISSING or scope is None or not here.found or here.status is not None:
            return False
        return any(rule.tags for rule in scope.rules_for(difference.version.key))

    def asks_other_end(self, difference: Difference, here: Head) -> bool:
        """Whether the other end must be looked at once more: it may have changed since it was listed."""
        if not here.found:
            return False
        if difference.kind is Kind.DIFFERS or difference.version.is_delete_marker or self.scope(difference) is None:
            return True
        return here.status in _ARRIVED_STATUSES or (here.status == "REPLICA" and self._goes_both_ways(difference))

    def explain(self, difference: Difference, here: Head, there: Head) -> Finding | Solved:
        """The one cause of a difference.

        Args:
            here: what the end tells that holds the version; of the left end when both do.
            there: what the other end tells.
        """
        if difference.kind is Kind.CURRENT:
            return self._finding(difference, self.forward, Cause.CONFLICT, _other_current(difference), missing=False)
        version = difference.version
        here = _of_this_version(version, here, if_unknown=here)
        if here.found is False:
            return Solved.GONE
        if difference.kind is Kind.DIFFERS:
            return self._explain_content(difference, here, _of_this_version(version, there, if_unknown=there))
        there = _of_this_version(version, there, if_unknown=_UNCERTAIN)
        scope = self.scope(difference)
        if there.found:
            return self._explain_arrived(difference, scope or self.forward, here, there)
        if difference.hides and not difference.at_left and version.is_delete_marker:
            hiding = self._explain_hiding_marker(difference, scope)
            if hiding is not None:
                return hiding
        if scope is None:
            return self._explain_extra(difference, here)
        return self._explain_missing(difference, scope, here, there)

    def _explain_arrived(self, difference: Difference, scope: Scope, here: Head, there: Head) -> Finding | Solved:
        """It came after its end was listed, so nobody has compared it yet."""
        size, found = difference.version.size, there.size
        if size is not None and found is not None and size != found:
            return self._missing(difference, scope, Cause.CONTENT_DIFFERS, f"{size} and {found} bytes")
        if same_content(here, there) is False:
            return self._missing(difference, scope, Cause.CONTENT_DIFFERS, _OTHER_CHECKSUMS)
        return Solved.ARRIVED

    # --- a version that should be at the other end, too ----------------------------------------------------

    def _explain_missing(self, difference: Difference, scope: Scope, here: Head, there: Head) -> Finding:
        version = difference.version
        if not scope.rules_for(version.key):
            return self._missing(difference, scope, Cause.NO_RULE_MATCHES)
        if version.is_delete_marker:
            return self._explain_marker(difference, scope)
        if here.found is None:
            return self._unexamined(difference, scope, here)
        if here.status == "FAILED":
            return self._missing(difference, scope, Cause.FAILED, _likely_reason(here, scope))
        if here.status == "PENDING":
            return self._missing(difference, scope, self._by_age(version.modified))
        if here.status == "REPLICA":
            return self._explain_replica(difference, scope, there)
        if here.status in _ARRIVED_STATUSES:
            return self._explain_completed(difference, scope, there)
        if here.status is not None:
            return self._missing(difference, scope, Cause.UNEXPLAINED, f"S3 says {here.status}")
        return self._explain_unselected(difference, scope, here)

    def _explain_completed(self, difference: Difference, scope: Scope, there: Head) -> Finding:
        """It arrived wherever rules sent it when it was written, which need not have been this destination."""
        if there.found is None:
            return self._missing(difference, scope, Cause.UNEXAMINED, there.refused or _OTHER_END_UNASKED)
        if scope.fan_out and scope.begin is not None and difference.version.modified < scope.begin:
            detail = "S3 says COMPLETED: it went to another destination. Backfill with the filter COMPLETED"
            return self._missing(difference, scope, Cause.WRITTEN_BEFORE_RULE, detail)
        return self._missing(difference, scope, Cause.VERSION_DELETED_AT_DESTINATION, "S3 says COMPLETED")

    def _explain_replica(self, difference: Difference, scope: Scope, there: Head) -> Finding:
        """S3 does not say of which source. If it can be the other end, the version is not there any more."""
        if not self._goes_both_ways(difference):
            return self._missing(difference, scope, Cause.REPLICA_OF_ANOTHER_SOURCE)
        if not difference.at_left:
            detail = f"it is a replica that {self.forward.source.bucket} does not hold, or one of a third bucket"
            return self._extra(difference, Cause.VERSION_DELETED_AT_SOURCE, detail)
        if there.found is None:
            return self._missing(difference, scope, Cause.UNEXAMINED, there.refused or _OTHER_END_UNASKED)
        bucket = scope.destination.bucket
        detail = f"it is a replica: it was written to {bucket} and deleted there, or it is of a third bucket"
        return self._missing(difference, scope, Cause.VERSION_DELETED_AT_DESTINATION, detail)

    def _goes_both_ways(self, difference: Difference) -> bool:
        """Whether a replica of this key can have come from the other end."""
        key = difference.version.key
        scopes = (self.forward, self.backward)
        return all(scope is not None and bool(scope.rules_for(key)) for scope in scopes)

    def _explain_unselected(self, difference: Difference, scope: Scope, here: Head) -> Finding:
        """S3 tells no status: no rule selected the version when it was written."""
        rules = scope.rules_for(difference.version.key, here.tags)
        if here.tags is None:
            rules = tuple(rule for rule in rules if not rule.tags)
            if not rules:
                return self._unexamined(difference, scope, here)
        if not rules:
            return self._missing(difference, scope, Cause.NO_RULE_MATCHES, "it does not carry a rule's tags", here.tags)
        cause, detail = self._why_not_selected(difference.version, scope, here, rules)
        return self._missing(difference, scope, cause, detail, here.tags)

    def _why_not_selected(
        self, version: Version, scope: Scope, here: Head, rules: tuple[Rule, ...]
    ) -> tuple[Cause, str]:
        if here.storage_class in ARCHIVE_CLASSES:
            return Cause.ARCHIVED_CLASS, f"it is in {here.storage_class}"
        if here.archive_status in ARCHIVED_STATUSES:
            return Cause.ARCHIVED_CLASS, f"it is in {here.storage_class}, {here.archive_status}"
        if here.encryption in KMS_ENCRYPTIONS and not _selects_kms(_applying(rules), scope):
            return Cause.KMS_NOT_SELECTED, f"it is encrypted with {here.encryption}"
        return _by_time(version.modified, scope, rules) or _never_selected(scope, rules)

    def _explain_marker(self, difference: Difference, scope: Scope) -> Finding:
        """S3 tells no status of a delete marker, so its time and the configuration must do."""
        marker = difference.version
        if not _replicates_markers(scope, marker.key):
            return self._missing(difference, scope, Cause.DELETE_MARKER_BY_CHOICE)
        if _explained(scope.expirations, difference):
            return self._missing(difference, scope, Cause.DELETE_MARKER_BY_LIFECYCLE)
        by_time = _by_time(marker.modified, scope, scope.rules_for(marker.key, ()))
        if by_time is not None:
            return self._missing(difference, scope, *by_time)
        cause = self._by_age(marker.modified)
        detail = "S3 tells no status of delete markers, so it may be lost" if cause is Cause.LATE else ""
        return self._missing(difference, scope, cause, detail)

    def _by_age(self, moment: datetime) -> Cause:
        late = (self.now - moment).total_seconds() > self.rpo_seconds
        return Cause.LATE if late else Cause.PENDING

    def _unexamined(self, difference: Difference, scope: Scope, head: Head) -> Finding:
        """Nothing is guessed: a version older than the role can have failed by a rule that was there before."""
        older = scope.since is not None and difference.version.modified < scope.since
        hint = "by its time it is from before the rule" if older else ""
        return self._missing(difference, scope, Cause.UNEXAMINED, head.refused or hint)

    def _explain_hiding_marker(self, difference: Difference, scope: Scope | None) -> Finding | None:
        """At the right end it hides an object that the left end shows: who fails over finds less than there is.

        None: it may be on its way to the left end.
        """
        marker = difference.version
        theirs = (*self.forward.destination_expirations, *(self.backward.expirations if self.backward else ()))
        by_lifecycle = _explained(theirs, difference)
        may_follow = self.now - marker.modified <= _LIFECYCLE_LAG
        if by_lifecycle and may_follow and _explained(self.forward.expirations, difference):
            return self._extra(difference, Cause.DELETE_MARKER_BY_LIFECYCLE)
        if not by_lifecycle and scope is not None and _replicates_markers(scope, marker.key):
            return None
        return self._extra(difference, Cause.CONFLICT, f"it hides an object that {self.forward.source.bucket} shows")

    # --- what only the destination holds --------------------------------------------------------------------

    def _explain_extra(self, difference: Difference, here: Head) -> Finding:
        if difference.version.is_delete_marker:
            return self._explain_extra_marker(difference)
        if difference.hides:
            replica, foreign = "a replica of a version deleted there, or of a third bucket", "written by somebody else"
            what, shown = (replica if here.status == "REPLICA" else foreign), self.forward.source.bucket
            return self._extra(difference, Cause.CONFLICT, f"it stands in place of what {shown} shows: it is {what}")
        if here.found is None:
            return self._extra(difference, Cause.UNEXAMINED, here.refused)
        if here.status == "REPLICA":
            return self._extra(difference, Cause.VERSION_DELETED_AT_SOURCE)
        if difference.key_at_other:
            return self._extra(difference, Cause.CONFLICT, "the source holds other versions of the key")
        return self._extra(difference, Cause.FOREIGN_OBJECT)

    def _explain_extra_marker(self, difference: Difference) -> Finding:
        marker, scope = difference.version, self.forward
        by_lifecycle = _explained(scope.destination_expirations, difference)
        if by_lifecycle and _explained(scope.expirations, difference):
            return self._extra(difference, Cause.DELETE_MARKER_BY_LIFECYCLE)
        of_known_key = difference.key_at_other or difference.previous is not None
        if of_known_key and _replicates_markers(scope, marker.key):
            return self._extra(difference, Cause.VERSION_DELETED_AT_SOURCE)
        return self._extra(difference, Cause.DELETE_MARKER_BY_LIFECYCLE if by_lifecycle else Cause.FOREIGN_OBJECT)

    # --- a version that both ends hold ------------------------------------------------------------------------

    def _explain_content(self, difference: Difference, here: Head, there: Head) -> Finding | Solved:
        left, right = difference.version, difference.other
        if there.found is False:
            detail = "it differed from the source's when it was listed, and is gone now"
            return self._missing(difference, self.forward, Cause.VERSION_DELETED_AT_DESTINATION, detail)
        if right is None or left.size != right.size:
            return self._missing(difference, self.forward, Cause.CONTENT_DIFFERS, _sizes(difference))
        unasked = next((head for head in (here, there) if head.found is None), None)
        if unasked is not None:
            if self._etags_may_differ(left.key):
                return Solved.NOT_LOOKED_AT
            return self._missing(difference, self.forward, Cause.UNEXAMINED, unasked.refused)
        same = same_content(here, there)
        if same is None:
            return Solved.NOT_COMPARABLE
        if same:
            return Solved.SAME_CONTENT
        return self._missing(difference, self.forward, Cause.CONTENT_DIFFERS, _OTHER_CHECKSUMS)

    # --- findings -----------------------------------------------------------------------------------------------

    def _missing(
        self, difference: Difference, scope: Scope, cause: Cause, detail: str = "", tags: Tags | None = None
    ) -> Finding:
        """Of a version that the scope's destination lacks."""
        return self._finding(difference, scope, cause, detail, missing=True, tags=tags)

    def _extra(self, difference: Difference, cause: Cause, detail: str = "") -> Finding:
        """Of a version that only the right end holds, and need not."""
        return self._finding(difference, self.forward, cause, detail, missing=False)

    def _finding(
        self, difference: Difference, scope: Scope, cause: Cause, detail: str, missing: bool, tags: Tags | None = None
    ) -> Finding:
        version = difference.version
        rules = _possible(scope, version.key, () if version.is_delete_marker else tags)
        return Finding(
            cause,
            scope.source.bucket,
            scope.destination.bucket,
            version.key,
            version.version_id,
            version.modified,
            version.size,
            missing,
            rules[0].id if rules else None,
            detail,
            tuple(rule.id for rule in rules[1:]),
        )


def _of_this_version(version: Version, head: Head, if_unknown: Head) -> Head:
    """What an end tells of `null` is of this version only if the time is: any later `null` version takes its place."""
    if not head.found or version.version_id != NULL:
        return head
    if head.modified is None:
        return if_unknown
    same = head.modified.replace(microsecond=0) == version.modified.replace(microsecond=0)
    return head if same else _REPLACED


def _explained(expirations: Iterable[Expiration], difference: Difference) -> bool:
    """Whether lifecycle may have put the marker."""
    return any(one.explains(difference.version, difference.previous) for one in expirations)


def _by_time(moment: datetime, scope: Scope, rules: tuple[Rule, ...]) -> tuple[Cause, str] | None:
    if any(gap.holds(moment) for gap in scope.gaps):
        return Cause.WRITTEN_WHILE_RULE_OFF, "the pair was paused"
    if scope.begin is not None and moment < scope.begin:
        return Cause.WRITTEN_BEFORE_RULE, f"the copy begins with what was written at {iso(scope.begin)}"
    if not any(rule.enabled for rule in rules):
        return Cause.WRITTEN_WHILE_RULE_OFF, "the rule is disabled"
    return None


def _never_selected(scope: Scope, rules: tuple[Rule, ...]) -> tuple[Cause, str]:
    """Of a version that an enabled rule selects by what it is now, and that no rule selected when it was written."""
    if all(rule.tags for rule in rules if rule.enabled):
        return Cause.TAGGED_AFTER_CREATION, ""
    if scope.begin is None:
        return Cause.WRITTEN_BEFORE_RULE, "nothing has arrived yet by this rule"
    return Cause.WRITTEN_WHILE_RULE_OFF, "S3 tells no status, and older versions have arrived: the rule was off then"


def _applying(rules: tuple[Rule, ...]) -> Rule:
    """Of rules that select the same version for one destination S3 applies the enabled one of the highest priority."""
    return next((rule for rule in rules if rule.enabled), rules[0])


def _possible(scope: Scope, key: str, tags: Tags | None) -> tuple[Rule, ...]:
    """The rules of which one applies; with the tags unknown each that has some, down to the first without."""
    rules = scope.rules_for(key, tags)
    if tags is not None:
        return (_applying(rules),) if rules else ()
    rules = tuple(rule for rule in rules if rule.enabled) or rules
    sure = next((place for place, rule in enumerate(rules) if not rule.tags), len(rules))
    return rules[: sure + 1]


def _replicates_markers(scope: Scope, key: str) -> bool:
    """A marker has no tags; of the rules that take it the one with the highest priority decides."""
    rules = scope.rules_for(key, ())
    return bool(rules) and _applying(rules).delete_markers


def _selects_kms(rule: Rule, scope: Scope) -> bool:
    return selects_kms_objects(rule, rule.destination or scope.destination)


def same_content(here: Head, there: Head) -> bool | None:
    """Whether two copies hold the same bytes, by what may be compared; None: nothing may.

    Source: S3 User Guide, "Checking object integrity" (only full-object checksums are independent of parts), and
    "Replicating encrypted objects" (ETags differ when only the replica is encrypted; of KMS nothing is promised).
    """
    if here.size is not None and there.size is not None and here.size != there.size:
        return False
    ours, theirs = dict(here.checksums), dict(there.checksums)
    common = ours.keys() & theirs.keys() if here.checksum_type == there.checksum_type else set()
    differing = [algorithm for algorithm in common if ours[algorithm] != theirs[algorithm]]
    if common and not differing:
        return True
    if any(_is_of_whole_object(here, ours[algorithm]) for algorithm in differing):
        return False
    if not here.etag or not there.etag:
        return None
    if here.etag == there.etag:
        return None if differing else True
    return False if _is_sse_s3(here) and _is_sse_s3(there) and _parts(here) == _parts(there) else None


def _is_of_whole_object(head: Head, checksum: str) -> bool:
    """A composite checksum depends on the parts, too, and ends with how many there are."""
    return head.checksum_type in (None, "FULL_OBJECT") and "-" not in checksum


def _is_sse_s3(head: Head) -> bool:
    return head.encryption == "AES256" and not head.customer_key


def _parts(head: Head) -> tuple[int | None, str]:
    """How many parts it was written in, of which the ETag tells, too."""
    return head.parts, head.etag.partition("-")[2]


def _likely_reason(here: Head, scope: Scope) -> str:
    """S3 keeps no reason with the object, so what usually is the reason is looked for."""
    reason = _usual_reason(here, scope)
    return f"{reason}. S3 tells one status for all destinations: another may be meant" if scope.fan_out else reason


def _usual_reason(here: Head, scope: Scope) -> str:
    if here.object_lock and scope.destination_has_object_lock is False:
        return (
            f"likely DstBucketObjectLockConfigMissing: it is locked, and {scope.destination.bucket} has no Object Lock"
        )
    if here.customer_key and scope.destination_blocks_sse_c:
        return f"likely DstPutObjectNotPermitted: {scope.destination.bucket} blocks SSE-C"
    if here.encryption in KMS_ENCRYPTIONS:
        named = scope.source.kms_keys()
        if here.kms_key and here.kms_key not in named:
            return (
                f"likely the key {here.kms_key}, which the pair does not name in `kms_key_arn` or `more_kms_key_arns`"
            )
        return "likely a KMS key: look at the state and the policy of the keys of both ends"
    return (
        "S3 keeps no reason; the event s3:Replication:OperationFailedReplication does. Look at the role's permissions"
    )


def _sizes(difference: Difference) -> str:
    ends = (difference.version, difference.other)
    sizes = ["a delete marker" if one is None or one.size is None else f"{one.size} bytes" for one in ends]
    return " and ".join(sizes)


def _other_current(difference: Difference) -> str:
    other = difference.other
    return f"the other end shows version {other.version_id if other else ''} as the current one"
