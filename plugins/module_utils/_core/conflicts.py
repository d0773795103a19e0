# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Keys that both ends of a pair have written: which these are, which version wins, and what makes it the current one.

AWS does not document which version is current at each end after both wrote a key, nor how a destination orders replicas
that arrive late. So nothing here depends on it: a conflict is told by who wrote what, and is resolved by a new version
on top of all others, written when nobody else writes. That one is current by any order.

Sources: S3 User Guide, "Getting replication status information" (replicas are REPLICA), "Restoring previous versions"
(by a copy onto the same key), "Copying objects" (up to 5 GB by one CopyObject).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Any, TypeAlias

from .causes import ARCHIVE_CLASSES, Scope, iso
from .journal import Side
from .march import Difference, Kind, Match, Outcome
from .model import Rule
from .proofs import is_canary
from .versions import Identity, Version

LARGEST_COPY = 5 * 1024**3
"""The most that one CopyObject copies, in bytes."""

REPLICA = "REPLICA"


class Policy(StrEnum):
    """Who wins."""

    STOP = "stop"
    KEEP_DR = "keep_dr"
    KEEP_PRIMARY = "keep_primary"
    NEWEST = "newest"


class Clash(StrEnum):
    """Why a key is a conflict.

    `other_current`: the ends show different versions. `deleted_at_dr`: the DR bucket shows a delete marker that never
    replicates, and the primary an object. `both_wrote`: both ends wrote it without knowing of the other's.
    """

    OTHER_CURRENT = "other_current"
    DELETED_AT_DR = "deleted_at_dr"
    BOTH_WROTE = "both_wrote"


class Action(StrEnum):
    """What makes the winner the current version at both ends."""

    NONE = "none"
    COPY = "copy"
    DELETE = "delete"
    BY_HAND = "by_hand"


# --- what both ends hold of a key ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A version, and which ends hold it.

    Attributes:
        previous: of a delete marker that one end alone holds: when the version before it was written.
    """

    version: Version
    at_primary: bool = True
    at_dr: bool = True
    previous: datetime | None = None

    @property
    def only_at(self) -> Side | None:
        """The one end that holds it; None: both do."""
        if self.at_primary and self.at_dr:
            return None
        return Side.PRIMARY if self.at_primary else Side.DR


@dataclass(frozen=True, slots=True)
class Window:
    """Which writes the other end may not have known of.

    Attributes:
        primary: those at the primary from then on: up to then all had arrived when clients were sent away.
        dr: those at the DR bucket from then on: when clients were sent there.
        until: what is younger is still on its way, and judged the next time.
        markers_may_be_lost: whether a delete marker that has not arrived never will, as when its bucket was not there.
    """

    primary: datetime
    dr: datetime
    until: datetime
    markers_may_be_lost: bool = False


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key: what each end shows, and what was written in the window."""

    key: str
    primary: Held | None
    dr: Held | None
    recent: tuple[Held, ...]

    @property
    def versions(self) -> tuple[Held, ...]:
        """All of them, each once."""
        shown = [held for held in (self.primary, self.dr) if held is not None]
        return tuple({held.version.identity: held for held in (*self.recent, *shown)}.values())


def key_states(outcomes: Iterable[Outcome], window: Window, prefixes: Collection[str]) -> Iterator[KeyState]:
    """Each key of two listings, the primary's on the left. Canaries of rules with these prefixes are left out."""
    for key, group in groupby(outcomes, key=_key):
        if not is_canary(key, prefixes):
            yield _state(key, group, min(window.primary, window.dr), window.until)


def _key(outcome: Outcome) -> str:
    return (outcome.left if isinstance(outcome, Match) else outcome.version).key


def _state(key: str, group: Iterator[Outcome], since: datetime, until: datetime) -> KeyState:
    shown: dict[Side, Held] = {}
    recent = []
    for outcome in group:
        if isinstance(outcome, Difference) and outcome.kind is Kind.CURRENT:
            continue  # both versions come as matches, too
        held, current_at = _held(outcome)
        shown |= dict.fromkeys(current_at, held)
        if since <= held.version.modified <= until:
            recent.append(held)
    return KeyState(key, shown.get(Side.PRIMARY), shown.get(Side.DR), tuple(recent))


def _held(outcome: Outcome) -> tuple[Held, list[Side]]:
    """The version with the ends that hold it, and those that show it."""
    if isinstance(outcome, Difference) and outcome.kind is Kind.MISSING:
        side = Side.PRIMARY if outcome.at_left else Side.DR
        held = Held(outcome.version, side is Side.PRIMARY, side is Side.DR, outcome.previous)
        return held, [side] if outcome.version.is_latest else []
    left, right = (outcome.left, outcome.right) if isinstance(outcome, Match) else (outcome.version, outcome.other)
    latest = [(Side.PRIMARY, left.is_latest), (Side.DR, right is not None and right.is_latest)]
    return Held(left), [side for side, is_latest in latest if is_latest]


# --- what replicates -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ways:
    """Both directions of a pair.

    Attributes:
        forward: from the primary to the DR bucket.
        backward: from the DR bucket to the primary.
    """

    forward: Scope
    backward: Scope

    def prefixes(self) -> frozenset[str]:
        """Those of all rules."""
        return frozenset(rule.prefix for scope in (self.forward, self.backward) for rule in scope.rules)

    def replicate(self, key: str) -> bool:
        """Whether the key goes both ways. Of other keys the two buckets were never meant to hold the same."""
        return bool(self.forward.rules_for(key)) and bool(self.backward.rules_for(key))

    def replicate_markers(self, source: Side, key: str) -> bool:
        """Whether delete markers of the key arrive at the other end."""
        scope = self.forward if source is Side.PRIMARY else self.backward
        rules = scope.rules_for(key, ())
        return bool(rules) and _applying(rules).delete_markers

    def expire_alike(self, marker: Held) -> bool:
        """Whether lifecycle rules of both ends explain a marker of the DR bucket: the other end's follows by itself."""
        scopes = (self.backward, self.forward)
        return all(any(one.explains(marker.version, marker.previous) for one in scope.expirations) for scope in scopes)


def _applying(rules: tuple[Rule, ...]) -> Rule:
    """Of rules that select the same key S3 applies the enabled one of the highest priority."""
    return next((rule for rule in rules if rule.enabled), rules[0])


# --- conflicts -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """The replication status of one version at each end that was asked."""

    primary: str | None = None
    dr: str | None = None


Answers: TypeAlias = Mapping[Identity, Told]


@dataclass(frozen=True, slots=True)
class Conflict:
    """One key.

    Attributes:
        primary: what was written last at the primary; None: nothing that matters.
        dr: the same at the DR bucket.
        shown_at_primary: what the primary shows now.
        shown_at_dr: what the DR bucket shows now.
    """

    key: str
    clash: Clash
    primary: Held | None
    dr: Held | None
    shown_at_primary: Held | None
    shown_at_dr: Held | None

    def written_at(self, side: Side) -> Held | None:
        """What was written last at that end."""
        return self.primary if side is Side.PRIMARY else self.dr

    def shown_at(self, side: Side) -> Held | None:
        """What that end shows now."""
        return self.shown_at_primary if side is Side.PRIMARY else self.shown_at_dr


def is_suspicious(state: KeyState, ways: Ways, window: Window) -> bool:
    """Whether S3 must be asked who wrote the versions of the key. Most keys are not."""
    if not ways.replicate(state.key):
        return False
    return _clash_of_shown(state, ways, window) is not None or _may_both_have_written(state, window)


def conflict_of(state: KeyState, ways: Ways, window: Window, answers: Answers) -> Conflict | None:
    """The conflict of a suspicious key, if it is one.

    Args:
        answers: what S3 told of the objects among `state.versions`.
    """
    written: dict[Side, list[Held]] = {Side.PRIMARY: [], Side.DR: []}
    for held in state.versions:
        written[writer_of(held, answers.get(held.version.identity, Told()), window.dr)].append(held)
    last = {side: _last(held, state, side) for side, held in written.items()}
    clash = _clash_of_shown(state, ways, window)
    if clash is None and _both_wrote(state, written, window) and not _both_deleted(last.values()):
        clash = Clash.BOTH_WROTE
    if clash is None:
        return None
    return Conflict(state.key, clash, last[Side.PRIMARY], last[Side.DR], state.primary, state.dr)


def writer_of(held: Held, told: Told, since: datetime) -> Side:
    """At which end a version was written.

    S3 tells no status of delete markers. One that both ends hold counts for the end that was in use.

    Args:
        since: when clients were sent to the DR bucket.
    """
    replica_at = [side for side, status in ((Side.PRIMARY, told.primary), (Side.DR, told.dr)) if status == REPLICA]
    if len(replica_at) == 1:
        return replica_at[0].other
    if held.only_at is not None:
        return held.only_at
    return Side.DR if held.version.modified >= since else Side.PRIMARY


def _clash_of_shown(state: KeyState, ways: Ways, window: Window) -> Clash | None:
    """What the listings alone tell."""
    primary, dr = state.primary, state.dr
    if primary is None or dr is None or primary.version.identity == dr.version.identity:
        return None
    if max(primary.version.modified, dr.version.modified) > window.until:
        return None
    if primary.only_at is None and dr.only_at is None:
        return Clash.OTHER_CURRENT
    if _is_deleted_at_dr(primary, dr, ways, window.markers_may_be_lost):
        return Clash.DELETED_AT_DR
    both_moved_on = primary.only_at is Side.PRIMARY and dr.only_at is Side.DR
    if both_moved_on and _arrives(primary, Side.PRIMARY, ways) and _arrives(dr, Side.DR, ways):
        return Clash.OTHER_CURRENT
    return None  # one end has moved on, and the other follows


def _is_deleted_at_dr(primary: Held, dr: Held, ways: Ways, may_be_lost: bool) -> bool:
    marker = dr.version.is_delete_marker and not primary.version.is_delete_marker and dr.only_at is Side.DR
    arrives = _arrives(dr, Side.DR, ways) and not may_be_lost
    return marker and not arrives and not ways.expire_alike(dr)


def _arrives(held: Held, source: Side, ways: Ways) -> bool:
    return not held.version.is_delete_marker or ways.replicate_markers(source, held.version.key)


def _may_both_have_written(state: KeyState, window: Window) -> bool:
    """By the times alone: two versions, one of which may be the primary's and another the DR bucket's."""
    primary = {
        one.version.identity for one in state.recent if one.at_primary and one.version.modified >= window.primary
    }
    dr = {one.version.identity for one in state.recent if one.at_dr and one.version.modified >= window.dr}
    return bool(primary) and bool(dr) and len(primary | dr) > 1


def _both_wrote(state: KeyState, written: Mapping[Side, list[Held]], window: Window) -> bool:
    recent = {held.version.identity for held in state.recent}
    return all(
        any(held.version.modified >= since and held.version.identity in recent for held in written[side])
        for side, since in ((Side.PRIMARY, window.primary), (Side.DR, window.dr))
    )


def _both_deleted(last: Iterable[Held | None]) -> bool:
    """Whoever wins, it is gone."""
    return all(held is not None and held.version.is_delete_marker for held in last)


def _last(written: list[Held], state: KeyState, side: Side) -> Held | None:
    """The newest one. S3 tells times to the second: of the same second it is the one that its end shows."""
    shown = state.primary if side is Side.PRIMARY else state.dr
    identity = shown.version.identity if shown else None
    return max(
        written,
        key=lambda held: (held.version.modified, held.version.identity == identity, held.version.version_id),
        default=None,
    )


def as_shown_at_dr(conflict: Conflict) -> Conflict:
    """The conflict with a primary that was lost and made anew: all it holds came from the DR bucket."""
    return replace(conflict, primary=None, dr=conflict.shown_at_dr)


# --- who wins ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a conflict.

    Attributes:
        winner: the end whose version wins; None: nobody has decided.
        version: the version that wins.
        at: the ends where something is written.
        why: what a person should know of it: why it is not resolved here, or why this one wins.
    """

    winner: Side | None
    version: Held | None
    action: Action
    at: tuple[Side, ...] = ()
    why: str = ""


def decide(conflict: Conflict, policy: Policy, ways: Ways) -> Decision:
    """Who wins, and what makes the winner the current version at both ends.

    Where one end alone wrote, and its versions came in another order to the other one, there is nobody to choose.
    """
    winner, why = _winner(conflict, policy)
    held = conflict.written_at(winner) if winner else None
    if winner is None or held is None:
        return Decision(None, None, Action.BY_HAND, why=why)
    if _is_shown_everywhere(held, conflict):
        return Decision(winner, held, Action.NONE, why=why)
    if held.version.is_delete_marker:
        return Decision(winner, held, Action.DELETE, _ends_to_delete_at(conflict, winner, ways), why)
    reason = why_not_copied(held.version.size or 0, held.version.storage_class)
    if reason:
        return Decision(winner, held, Action.BY_HAND, why=reason)
    return Decision(winner, held, Action.COPY, (held.only_at or winner,), why)


def _winner(conflict: Conflict, policy: Policy) -> tuple[Side | None, str]:
    if conflict.primary is None or conflict.dr is None:
        return (Side.DR if conflict.primary is None else Side.PRIMARY), "only this end wrote it"
    if policy is Policy.STOP:
        return None, "choose who wins by `conflicts`"
    if policy is not Policy.NEWEST:
        return (Side.DR if policy is Policy.KEEP_DR else Side.PRIMARY), ""
    times = conflict.primary.version.modified, conflict.dr.version.modified
    if times[0] == times[1]:
        return None, "both were written in the same second, so neither is newer: choose `keep_dr` or `keep_primary`"
    return (Side.PRIMARY if times[0] > times[1] else Side.DR), ""


def _is_shown_everywhere(held: Held, conflict: Conflict) -> bool:
    shown = [conflict.shown_at(side) for side in Side]
    return all(one is not None and one.version.identity == held.version.identity for one in shown)


def _ends_to_delete_at(conflict: Conflict, winner: Side, ways: Ways) -> tuple[Side, ...]:
    """One marker that replicates is enough; otherwise each end that shows an object gets its own."""
    if ways.replicate_markers(winner, conflict.key):
        return (winner,)
    shown = {side: conflict.shown_at(side) for side in Side}
    return tuple(side for side, one in shown.items() if one is not None and not one.version.is_delete_marker)


def why_not_copied(size: int, storage_class: str) -> str | None:
    """Why CopyObject cannot make a version the current one, with the way out."""
    if size > LARGEST_COPY:
        return (
            f"it holds {size} bytes, and S3 copies at most 5 GB at once: copy it onto its own key by a multipart "
            "upload (UploadPartCopy), or upload it again, then run again"
        )
    if storage_class in ARCHIVE_CLASSES:
        return f"it is in {storage_class}: restore it and copy it onto its own key, then run again"
    return None


# --- as results ----------------------------------------------------------------------------------------------


def as_result(conflict: Conflict, decision: Decision) -> dict[str, Any]:
    """Plain values."""
    return {
        "key": conflict.key,
        "clash": conflict.clash.value,
        "primary": _version_result(conflict.primary),
        "dr": _version_result(conflict.dr),
        "shown_at_primary": _shown_result(conflict.shown_at_primary),
        "shown_at_dr": _shown_result(conflict.shown_at_dr),
        "winner": decision.winner.value if decision.winner else None,
        "action": decision.action.value,
        "why": decision.why,
    }


def _version_result(held: Held | None) -> dict[str, Any] | None:
    if held is None:
        return None
    version = held.version
    return {
        "version_id": version.version_id,
        "modified": iso(version.modified),
        "size": version.size or 0,
        "delete_marker": version.is_delete_marker,
    }


def _shown_result(held: Held | None) -> str | None:
    return held.version.version_id if held else None
