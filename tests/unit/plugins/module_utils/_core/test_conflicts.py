# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Conflicts: which keys are some, who wins, and that no order in which S3 keeps versions changes the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Expiration, Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.conflicts import (
    LARGEST_COPY,
    Action,
    Clash,
    Conflict,
    Decision,
    KeyState,
    Policy,
    Told,
    Ways,
    Window,
    as_result,
    as_shown_at_dr,
    conflict_of,
    decide,
    is_suspicious,
    key_states,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import march
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY

FLIP = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = Window(FLIP - timedelta(minutes=10), FLIP, FLIP + timedelta(hours=5))
KEY = "orders/1"


def ways(markers: bool = True, prefix: str = "", expires: bool = False) -> Ways:
    """A two-way pair of one rule."""
    rules = (Rule("s3-dr-orders", prefix=prefix, delete_markers=markers),)
    expirations = (Expiration("", 1),) if expires else ()
    return Ways(Scope(PRIMARY, DR, rules, expirations=expirations), Scope(DR, PRIMARY, rules, expirations=expirations))


def at(minutes: float, name: str, size: int | None = 3, key: str = KEY) -> Version:
    """A version written that many minutes after the flip; size None: a delete marker."""
    return Version(key, name, FLIP + timedelta(minutes=minutes), size, "e1" if size is not None else "")


OLD = at(-600, "old")
P1, D1 = at(-5, "p1"), at(30, "d1")
"""Written at the primary just before the flip, and at the DR bucket after it."""
DELETED = at(40, "gone", None)


def listed(*versions: Version) -> list[Version]:
    """A listing, the current version first."""
    return [replace(version, is_latest=place == 0) for place, version in enumerate(versions)]


def told(*at_primary: Version, replicas: Iterable[Version] = ()) -> dict[str, Told]:
    """What S3 tells of objects that both ends hold: which were written at the primary, and which are replicas there."""
    written = {version.version_id: Told("COMPLETED", "REPLICA") for version in at_primary}
    return {**written, **{version.version_id: Told("REPLICA", "COMPLETED") for version in replicas}}


STATUSES = told(OLD, P1, replicas=[D1])


def state(primary: list[Version], dr: list[Version], rules: Ways | None = None) -> KeyState:
    """What both listings say of the one key."""
    suspicious = march(primary, dr, lambda left, right: left.size != right.size)
    (found,) = key_states(suspicious, WINDOW, (rules or ways()).prefixes())
    return found


def conflict(primary: list[Version], dr: list[Version], rules: Ways | None = None) -> Conflict | None:
    """The conflict of the one key."""
    rules, found = rules or ways(), state(primary, dr, rules)
    return conflict_of(found, rules, WINDOW, STATUSES) if is_suspicious(found, rules, WINDOW) else None


def decided(policy: Policy, primary: list[Version], dr: list[Version], rules: Ways | None = None) -> Decision:
    """What becomes of it."""
    found = conflict(primary, dr, rules)
    assert found is not None
    return decide(found, policy, rules or ways())


BY_TIME = (listed(D1, P1, OLD), listed(D1, P1, OLD))
BY_ARRIVAL = (listed(D1, P1, OLD), listed(P1, D1, OLD))
"""The late version arrived last at the DR bucket, and the other one last at the primary."""
CROSSED = (listed(P1, D1, OLD), listed(D1, P1, OLD))
NOT_ARRIVED = (listed(P1, OLD), listed(D1, OLD))
ANY_ORDER = pytest.mark.parametrize("ends", [BY_TIME, BY_ARRIVAL, CROSSED, NOT_ARRIVED])


# --- what is a conflict --------------------------------------------------------------------------------------


@ANY_ORDER
def test_a_key_that_both_ends_wrote_is_one_whatever_they_show(ends):
    found = conflict(*ends)
    assert found is not None
    assert (found.primary.version.version_id, found.dr.version.version_id) == ("p1", "d1")
    same = found.shown_at_primary.version.identity == found.shown_at_dr.version.identity
    assert found.clash is (Clash.BOTH_WROTE if same else Clash.OTHER_CURRENT)


@pytest.mark.parametrize(
    ("primary", "dr"),
    [
        (listed(OLD), listed(OLD)),
        (listed(D1, OLD), listed(D1, OLD)),
        (listed(OLD), listed(D1, OLD)),  # on its way
        (listed(D1), listed(D1)),
        ([], listed(D1)),
        (listed(P1, OLD), listed(OLD)),  # the primary's last words, and nobody wrote over them
        (listed(P1, OLD), listed(P1, OLD)),
        (listed(OLD), listed(DELETED, OLD)),  # the marker is on its way
        (listed(DELETED, D1, OLD), listed(DELETED, D1, OLD)),  # written and deleted at the DR bucket
    ],
)
def test_what_one_end_alone_wrote_is_none(primary, dr):
    assert conflict(primary, dr) is None


def test_a_deletion_that_never_arrives_is_one():
    without = ways(markers=False)
    found = conflict(listed(OLD), listed(DELETED, OLD), without)
    assert found is not None
    assert found.clash is Clash.DELETED_AT_DR
    assert found.dr.version.is_delete_marker
    assert found.primary.version.version_id == "old"


def test_a_deletion_by_lifecycle_rules_of_both_ends_is_none():
    marker = replace(DELETED, modified=FLIP.replace(hour=0))
    assert conflict(listed(OLD), listed(marker, OLD), ways(markers=False)) is not None
    old = replace(OLD, modified=FLIP - timedelta(days=3))
    assert conflict(listed(old), listed(marker, old), ways(markers=False, expires=True)) is None


def test_an_old_deletion_that_the_primary_did_not_replicate_is_none():
    """By choice: the DR bucket writes the key anew, and that is on its way."""
    long_ago = at(-500, "deleted", None)
    assert conflict(listed(long_ago, OLD), listed(D1, OLD), ways(markers=False)) is None


def test_a_deletion_at_the_primary_and_a_write_at_the_dr_bucket_are_one():
    late = at(-2, "late", None)
    found = conflict(listed(D1, late, OLD), listed(D1, OLD), ways(markers=False))
    assert found is not None
    assert found.clash is Clash.BOTH_WROTE
    assert found.primary.version.version_id == "late"


def test_replicas_that_arrived_in_another_order_are_one_with_one_writer():
    second = at(31, "d2")
    pair = ways()
    found = state(listed(D1, second, OLD), listed(second, D1, OLD))
    answers = told(OLD, replicas=[D1, second])
    seen = conflict_of(found, pair, WINDOW, answers)
    assert seen is not None
    assert seen.clash is Clash.OTHER_CURRENT
    assert seen.primary is None
    for policy in Policy:
        decision = decide(seen, policy, pair)
        assert (decision.winner, decision.version.version.version_id) == (Side.DR, "d2")


def test_keys_that_no_rule_replicates_and_canaries_are_none():
    assert conflict(*BY_ARRIVAL, ways(prefix="invoices/")) is None
    canary = f".s3-dr-canary/{'0' * 32}"
    rows = [[replace(row, key=canary) for row in listing] for listing in BY_ARRIVAL]
    assert list(key_states(march(*rows, lambda left, right: False), WINDOW, ways().prefixes())) == []


def test_what_is_younger_than_the_listing_is_judged_the_next_time():
    young = replace(D1, modified=WINDOW.until + timedelta(seconds=1))
    assert conflict(listed(P1, OLD), listed(young, OLD)) is None
    assert conflict(listed(young, P1, OLD), listed(young, P1, OLD)) is None


def test_what_had_arrived_before_the_flip_is_known_to_the_writers_there():
    known = replace(P1, modified=WINDOW.primary - timedelta(seconds=1))
    assert conflict(listed(D1, known), listed(D1, known)) is None


def test_a_version_deleted_at_the_primary_is_still_the_primarys():
    """Its replica is all that is left of it."""
    found = state(listed(D1, OLD), listed(P1, D1, OLD))
    answers = {**STATUSES, "p1": Told(None, "REPLICA")}
    seen = conflict_of(found, ways(), WINDOW, answers)
    assert seen is not None
    assert seen.primary.version.version_id == "p1"
    decision = decide(seen, Policy.KEEP_PRIMARY, ways())
    assert (decision.action, decision.at) == (Action.COPY, (Side.DR,))


# --- who wins ------------------------------------------------------------------------------------------------


@ANY_ORDER
@pytest.mark.parametrize(
    ("policy", "winner", "version"),
    [
        (Policy.KEEP_DR, Side.DR, "d1"),
        (Policy.KEEP_PRIMARY, Side.PRIMARY, "p1"),
        (Policy.NEWEST, Side.DR, "d1"),
    ],
)
def test_the_winner_is_who_wrote_it_and_not_what_is_shown(ends, policy, winner, version):
    decision = decided(policy, *ends)
    assert (decision.winner, decision.version.version.version_id) == (winner, version)
    shown_everywhere = ends is BY_TIME and version == "d1"
    assert decision.action is (Action.NONE if shown_everywhere else Action.COPY)
    assert decision.at == (() if shown_everywhere else (winner,))


@ANY_ORDER
def test_stop_decides_nothing(ends):
    decision = decided(Policy.STOP, *ends)
    assert (decision.winner, decision.action, decision.at) == (None, Action.BY_HAND, ())


def test_the_newest_may_be_the_primarys():
    newer = replace(P1, modified=D1.modified + timedelta(seconds=1))
    ends = [listed(newer, OLD), listed(D1, OLD)]
    assert decided(Policy.NEWEST, *ends).winner is Side.PRIMARY


def test_nobody_is_newest_of_the_same_second():
    same = replace(P1, modified=D1.modified)
    decision = decided(Policy.NEWEST, listed(same, D1), listed(D1, same))
    assert decision.winner is None
    assert decision.action is Action.BY_HAND
    assert "keep_dr" in decision.why
    assert decided(Policy.KEEP_PRIMARY, listed(same, D1), listed(D1, same)).version.version == replace(
        same, is_latest=True
    )


def test_of_one_second_the_version_counts_that_its_end_shows():
    twin = replace(D1, version_id="a-later-one")
    found = state(listed(P1, OLD), listed(twin, D1, OLD))
    seen = conflict_of(found, ways(), WINDOW, told(OLD, P1, replicas=[D1, twin]))
    assert seen is not None
    assert seen.dr.version.version_id == "a-later-one"


def test_a_primary_that_was_made_anew_follows_the_dr_bucket():
    found = conflict(listed(D1, P1, OLD), listed(P1, D1, OLD))
    decision = decide(as_shown_at_dr(found), Policy.STOP, ways())
    assert (decision.winner, decision.version.version.version_id) == (Side.DR, "p1")
    assert (decision.action, decision.at) == (Action.COPY, (Side.DR,))
    without = ways(markers=False)
    decision = decide(as_shown_at_dr(conflict(listed(OLD), listed(DELETED, OLD), without)), Policy.STOP, without)
    assert (decision.action, decision.at) == (Action.DELETE, (Side.PRIMARY,))


@pytest.mark.parametrize(("size", "action"), [(LARGEST_COPY, Action.COPY), (LARGEST_COPY + 1, Action.BY_HAND)])
def test_what_is_too_large_for_one_copy_is_left_to_a_person(size, action):
    large = replace(D1, size=size)
    decision = decided(Policy.KEEP_DR, listed(P1, large), listed(large, P1))
    assert decision.action is action
    assert decision.winner is Side.DR
    assert ("multipart" in decision.why) is (action is Action.BY_HAND)


def test_what_is_archived_is_left_to_a_person():
    frozen = replace(D1, storage_class="DEEP_ARCHIVE")
    decision = decided(Policy.KEEP_DR, listed(P1, frozen), listed(frozen, P1))
    assert decision.action is Action.BY_HAND
    assert "restore" in decision.why


@pytest.mark.parametrize("ends", [(DELETED, P1), (P1, DELETED)])
def test_a_marker_wins_by_a_new_marker_at_its_end(ends):
    first, second = ends
    ends = (listed(first, second, OLD), listed(second, first, OLD))
    decision = decided(Policy.KEEP_DR, *ends)
    assert (decision.winner, decision.action, decision.at) == (Side.DR, Action.DELETE, (Side.DR,))
    assert decided(Policy.KEEP_PRIMARY, *ends).version.version.version_id == "p1"


def test_a_marker_that_never_arrives_is_put_wherever_an_object_is_shown():
    without = ways(markers=False)
    decision = decided(Policy.KEEP_DR, listed(OLD), listed(DELETED, OLD), without)
    assert (decision.action, decision.at) == (Action.DELETE, (Side.PRIMARY,))
    decision = decided(Policy.KEEP_PRIMARY, listed(OLD), listed(DELETED, OLD), without)
    assert (decision.action, decision.at) == (Action.COPY, (Side.PRIMARY,))


@pytest.mark.parametrize("markers", [False, True])
def test_what_both_ends_deleted_is_none(markers):
    late = at(-2, "late", None)
    ends = [listed(late, OLD), listed(DELETED, OLD)]
    if markers:
        ends = [listed(DELETED, late, OLD), listed(DELETED, late, OLD)]
    assert conflict(*ends, ways(markers=markers)) is None


@pytest.mark.parametrize("policy", [Policy.KEEP_DR, Policy.KEEP_PRIMARY, Policy.NEWEST])
def test_a_resolved_conflict_needs_nothing_more(policy):
    """The copy has the name of the winner's end, and is newer than everything."""
    for ends in (BY_TIME, BY_ARRIVAL, CROSSED):
        decision = decided(policy, *ends)
        copy = at(60, "copy")
        after = tuple(listed(copy, *(replace(row, is_latest=False) for row in rows)) for rows in ends)
        answers = {**STATUSES, **(told(copy) if decision.winner is Side.PRIMARY else told(replicas=[copy]))}
        seen = conflict_of(state(*after), ways(), WINDOW, answers)
        assert seen is not None
        assert seen.clash is Clash.BOTH_WROTE
        assert decide(seen, policy, ways()).action is Action.NONE


def test_the_answer_is_the_same_by_any_order_of_the_versions():
    """Which version is current where is not documented, so none of these may change who wins."""
    for ends in product([listed(D1, P1, OLD), listed(P1, D1, OLD)], repeat=2):
        for policy, version in ((Policy.KEEP_DR, "d1"), (Policy.KEEP_PRIMARY, "p1"), (Policy.NEWEST, "d1")):
            assert decided(policy, *ends).version.version.version_id == version


# --- as results ----------------------------------------------------------------------------------------------


def test_a_conflict_is_told_with_both_versions():
    found = conflict(*BY_ARRIVAL)
    assert found is not None
    assert as_result(found, decide(found, Policy.NEWEST, ways())) == {
        "key": KEY,
        "clash": "other_current",
        "primary": {"version_id": "p1", "modified": "2026-11-23T11:55:00Z", "size": 3, "delete_marker": False},
        "dr": {"version_id": "d1", "modified": "2026-11-23T12:30:00Z", "size": 3, "delete_marker": False},
        "shown_at_primary": "d1",
        "shown_at_dr": "p1",
        "winner": "dr",
        "action": "copy",
        "why": "",
    }
