# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""From a difference, and what S3 tells of the version at both ends, to its one cause.

The left end of a comparison is the source of its forward scope. The right end is the source of the backward scope, if
the pair is two-way; otherwise what only the right end holds is something extra.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from .causes import ARCHIVE_CLASSES, ARCHIVED_STATUSES, KMS_ENCRYPTIONS, Cause, Finding, Head, Scope
from .march import Difference, Kind
from .model import Rule
from .rules import selects_kms_objects

_ARRIVED_STATUSES = ("COMPLETED", "COMPLETE")


class Solved(StrEnum):
    """A difference that is none after a second look."""

    GONE = "gone"
    ARRIVED = "arrived"
    SAME_CONTENT = "same_content"
    NOT_COMPARABLE = "not_comparable"


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

    def arrived_from(self, left: datetime | None, right: datetime | None) -> Explainer:
        """The same, knowing when the oldest versions were written that both ends hold."""
        backward = replace(self.backward, first_arrived=right) if self.backward else None
        return replace(self, forward=replace(self.forward, first_arrived=left), backward=backward)

    def scope(self, difference: Difference) -> Scope | None:
        """The direction in which the version should have gone; None: it is extra."""
        return self.forward if difference.at_left else self.backward

    def rank(self, difference: Difference) -> Rank:
        """How much the difference deserves to be looked at."""
        version, scope = difference.version, self.scope(difference)
        if difference.kind is Kind.CURRENT:
            return Rank.SETTLED
        if difference.kind is Kind.DIFFERS:
            return Rank.KMS_CONTENT if self._etags_may_differ(version.key) else Rank.DIFFERS
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
        return any(selects_kms_objects(rule, scope.destination) for scope in scopes for rule in scope.rules_for(key))

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
        return here.status in _ARRIVED_STATUSES

    def explain(self, difference: Difference, here: Head, there: Head) -> Finding | Solved:
        """The one cause of a difference.

        Args:
            here: what the end tells that holds the version; of the left end when both do.
            there: what the other end tells.
        """
        if difference.kind is Kind.CURRENT:
            return self._finding(difference, self.forward, Cause.CONFLICT, _other_current(difference), missing=False)
        if here.found is False or (difference.kind is Kind.DIFFERS and there.found is False):
            return Solved.GONE
        if difference.kind is Kind.DIFFERS:
            return self._explain_content(difference, here, there)
        if there.found:
            return Solved.ARRIVED
        scope = self.scope(difference)
        if scope is None:
            return self._explain_extra(difference, here)
        return self._explain_missing(difference, scope, here, there)

    # --- a version that should be at the other end, too ----------------------------------------------------

    def _explain_missing(self, difference: Difference, scope: Scope, here: Head, there: Head) -> Finding | Solved:
        version = difference.version
        rules = scope.rules_for(version.key)
        if not rules:
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
            return self._explain_replica(difference, scope)
        if here.status in _ARRIVED_STATUSES:
            if there.found is None:
                return self._unexamined(difference, scope, there)
            return self._missing(difference, scope, Cause.VERSION_DELETED_AT_DESTINATION, "S3 says COMPLETED")
        if here.status is not None:
            return self._missing(difference, scope, Cause.UNEXPLAINED, f"S3 says {here.status}")
        return self._explain_unselected(difference, scope, here)

    def _explain_replica(self, difference: Difference, scope: Scope) -> Finding:
        """In a two-way pair a replica came from the other end, where it is not any more."""
        if scope.two_way:
            return self._extra(difference, Cause.VERSION_DELETED_AT_SOURCE, "it is a replica, and its source is gone")
        return self._missing(difference, scope, Cause.REPLICA_OF_ANOTHER_SOURCE)

    def _explain_unselected(self, difference: Difference, scope: Scope, here: Head) -> Finding:
        """S3 tells no status: no rule selected the version when it was written."""
        version = difference.version
        rules = scope.rules_for(version.key, here.tags)
        if here.tags is None:
            rules = tuple(rule for rule in rules if not rule.tags) or rules
            if all(rule.tags for rule in rules):
                return self._unexamined(difference, scope, here)
        if not rules:
            return self._missing(difference, scope, Cause.NO_RULE_MATCHES, "its tags are others")
        if here.storage_class in ARCHIVE_CLASSES or here.archive_status in ARCHIVED_STATUSES:
            return self._missing(difference, scope, Cause.ARCHIVED_CLASS, f"it is in {here.storage_class}")
        if here.encryption in KMS_ENCRYPTIONS and not _selects_kms(rules, scope):
            return self._missing(difference, scope, Cause.KMS_NOT_SELECTED, f"it is encrypted with {here.encryption}")
        return self._explain_by_time(difference, scope, rules) or self._never_selected(difference, scope, rules)

    def _explain_by_time(self, difference: Difference, scope: Scope, rules: tuple[Rule, ...]) -> Finding | None:
        moment = difference.version.modified
        if any(gap.holds(moment) for gap in scope.gaps):
            return self._missing(difference, scope, Cause.WRITTEN_WHILE_RULE_OFF, "the pair was paused")
        if scope.begin is not None and moment < scope.begin:
            return self._missing(difference, scope, Cause.WRITTEN_BEFORE_RULE)
        if not any(rule.enabled for rule in rules):
            return self._missing(difference, scope, Cause.WRITTEN_WHILE_RULE_OFF, "the rule is disabled")
        return None

    def _never_selected(self, difference: Difference, scope: Scope, rules: tuple[Rule, ...]) -> Finding:
        if all(rule.tags for rule in rules):
            return self._missing(difference, scope, Cause.TAGGED_AFTER_CREATION)
        if scope.begin is None:
            return self._missing(difference, scope, Cause.WRITTEN_BEFORE_RULE, "nothing has arrived yet by this rule")
        return self._missing(difference, scope, Cause.WRITTEN_WHILE_RULE_OFF, "older versions have arrived")

    def _explain_marker(self, difference: Difference, scope: Scope) -> Finding:
        """S3 tells no status of a delete marker, so its time and the configuration must do."""
        marker = difference.version
        if not _replicates_markers(scope, marker.key):
            return self._missing(difference, scope, Cause.DELETE_MARKER_BY_CHOICE)
        if any(expiration.explains(marker, difference.previous) for expiration in scope.expirations):
            return self._missing(difference, scope, Cause.DELETE_MARKER_BY_LIFECYCLE)
        by_time = self._explain_by_time(difference, scope, scope.rules_for(marker.key, ()))
        if by_time is not None:
            return by_time
        cause = self._by_age(marker.modified)
        detail = "S3 tells no status of delete markers, so it may be lost" if cause is Cause.LATE else ""
        return self._missing(difference, scope, cause, detail)

    def _by_age(self, moment: datetime) -> Cause:
        late = (self.now - moment).total_seconds() > self.rpo_seconds
        return Cause.LATE if late else Cause.PENDING

    def _unexamined(self, difference: Difference, scope: Scope, head: Head) -> Finding:
        """What the listing tells must do; where it is not enough, that is said."""
        version = difference.version
        if not head.refused and scope.since is not None and version.modified < scope.since:
            return self._missing(difference, scope, Cause.WRITTEN_BEFORE_RULE, "by its time; it was not examined")
        return self._missing(difference, scope, Cause.UNEXAMINED, head.refused)

    # --- what only the destination holds --------------------------------------------------------------------

    def _explain_extra(self, difference: Difference, here: Head) -> Finding:
        version = difference.version
        if version.is_delete_marker:
            return self._explain_extra_marker(difference)
        if here.found is None:
            return self._extra(difference, Cause.UNEXAMINED, here.refused)
        if here.status == "REPLICA":
            return self._extra(difference, Cause.VERSION_DELETED_AT_SOURCE)
        if difference.key_at_other:
            return self._extra(difference, Cause.CONFLICT, "the source holds other versions of the key")
        return self._extra(difference, Cause.FOREIGN_OBJECT)

    def _explain_extra_marker(self, difference: Difference) -> Finding:
        marker, scope = difference.version, self.forward
        at_both = any(marker.key.startswith(expiration.prefix) for expiration in scope.expirations)
        by_lifecycle = any(one.explains(marker, difference.previous) for one in scope.destination_expirations)
        if by_lifecycle and at_both:
            return self._extra(difference, Cause.DELETE_MARKER_BY_LIFECYCLE)
        if difference.hides:
            return self._extra(difference, Cause.CONFLICT, "it hides an object that the source shows")
        if difference.key_at_other and _replicates_markers(scope, marker.key):
            return self._extra(difference, Cause.VERSION_DELETED_AT_SOURCE)
        if by_lifecycle:
            return self._extra(difference, Cause.DELETE_MARKER_BY_LIFECYCLE)
        return self._extra(difference, Cause.FOREIGN_OBJECT)

    # --- a version that both ends hold ------------------------------------------------------------------------

    def _explain_content(self, difference: Difference, here: Head, there: Head) -> Finding | Solved:
        left, right = difference.version, difference.other
        if right is None or left.size != right.size:
            return self._missing(difference, self.forward, Cause.CONTENT_DIFFERS, _sizes(difference))
        unasked = next((head for head in (here, there) if head.found is None), None)
        if unasked is not None:
            if self._etags_may_differ(left.key):
                return Solved.NOT_COMPARABLE
            return self._missing(difference, self.forward, Cause.UNEXAMINED, unasked.refused)
        same = same_content(here, there)
        if same is None:
            return Solved.NOT_COMPARABLE
        if same:
            return Solved.SAME_CONTENT
        return self._missing(difference, self.forward, Cause.CONTENT_DIFFERS, "its checksums or ETags differ")

    # --- findings -----------------------------------------------------------------------------------------------

    def _missing(self, difference: Difference, scope: Scope, cause: Cause, detail: str = "") -> Finding:
        """Of a version that the scope's destination lacks."""
        return self._finding(difference, scope, cause, detail, missing=True)

    def _extra(self, difference: Difference, cause: Cause, detail: str = "") -> Finding:
        """Of a version that is where it need not be: its end counts as the destination."""
        scope = self.forward if not difference.at_left or self.backward is None else self.backward
        return self._finding(difference, scope, cause, detail, missing=False)

    def _finding(self, difference: Difference, scope: Scope, cause: Cause, detail: str, missing: bool) -> Finding:
        version = difference.version
        rules = scope.rules_for(version.key)
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
        )


def _replicates_markers(scope: Scope, key: str) -> bool:
    """A marker has no tags; of the rules that take it the one with the highest priority decides."""
    rules = scope.rules_for(key, ())
    deciding = next((rule for rule in rules if rule.enabled), rules[0] if rules else None)
    return deciding is not None and deciding.delete_markers


def _selects_kms(rules: tuple[Rule, ...], scope: Scope) -> bool:
    return any(selects_kms_objects(rule, scope.destination) for rule in rules)


def same_content(here: Head, there: Head) -> bool | None:
    """Whether two copies hold the same bytes, by what may be compared; None: nothing may.

    Source: S3 User Guide, "Checking object integrity" (only full-object checksums are independent of parts), and
    "Replicating encrypted objects" (ETags differ when only the replica is encrypted; of KMS nothing is promised).
    """
    if here.size != there.size:
        return False
    ours, theirs = dict(here.checksums), dict(there.checksums)
    common = ours.keys() & theirs.keys() if here.checksum_type == there.checksum_type else set()
    if common:
        return all(ours[algorithm] == theirs[algorithm] for algorithm in common)
    if here.etag == there.etag:
        return True
    if here.encryption == there.encryption == "AES256" and here.parts == there.parts:
        return False
    return None


def _likely_reason(here: Head, scope: Scope) -> str:
    """S3 keeps no reason with the object, so what usually is the reason is looked for."""
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
        return "likely a key: look at the state and the policy of the keys of both ends"
    return (
        "S3 keeps no reason; events s3:Replication:OperationFailedReplication tell it. Look at the role's permissions"
    )


def _sizes(difference: Difference) -> str:
    other = difference.other
    return f"{difference.version.size} and {other.size if other else None} bytes"


def _other_current(difference: Difference) -> str:
    other = difference.other
    return f"the other end shows version {other.version_id if other else ''} as the current one"
