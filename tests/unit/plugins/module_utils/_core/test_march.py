# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Two listings in lock step say the same as sets of each key do, and hold next to nothing."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import (
    Difference,
    Kind,
    Match,
    NotComparable,
    Outcome,
    march,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import NULL, Identity, Version
from ansible_collections.crossregion.s3_dr.tests.unit.strategies import dice as throws
from ansible_collections.crossregion.s3_dr.tests.unit.version_strategies import NOON, Listings, listings

MANY = settings(max_examples=300)
DAY = timedelta(days=1)


def differ(left: Version, right: Version) -> bool:
    """What the examples take for suspicious."""
    return (left.size, left.etag) != (right.size, right.etag)


def run(left: list[Version], right: list[Version], most_held: int = 1000) -> list[Outcome]:
    """All outcomes of a march."""
    return list(march(iter(left), iter(right), differ, ("the source", "the destination"), most_held))


def version(number: int = 1, key: str = "k", **changes: object) -> Version:
    """The version `v<number>` of a key, of which a higher number is newer."""
    return replace(Version(key, f"v{number}", NOON + number * DAY, 10, "e"), **changes)


def marker(number: int = 1, key: str = "k", **changes: object) -> Version:
    """The same as a delete marker."""
    return version(number, key, size=None, etag="", **changes)


# --- against sets ---------------------------------------------------------------------------------------------

Rows: TypeAlias = dict[Identity, Version]


def by_sets(left: list[Version], right: list[Version]) -> list[Outcome]:
    """The same the simple way: with all of both listings in memory."""
    return [
        outcome
        for key in sorted({row.key for row in left + right})
        for outcome in _one_key([row for row in left if row.key == key], [row for row in right if row.key == key])
    ]


def _one_key(left: list[Version], right: list[Version]) -> Iterator[Outcome]:
    ours = {row.identity: row for row in left}
    theirs = {row.identity: row for row in right}
    for identity in ours.keys() & theirs.keys():
        here, there = ours[identity], theirs[identity]
        alike = here.is_delete_marker == there.is_delete_marker and not differ(here, there)
        yield Match(here, there) if alike else Difference(Kind.DIFFERS, here, other=there)
    for at_left, rows, other in ((True, left, right), (False, right, left)):
        held = {row.identity for row in other}
        shown = any(row.is_latest and not row.is_delete_marker for row in other)
        for row, older in zip(rows, (*rows[1:], None), strict=False):
            if row.identity not in held:
                yield Difference(
                    Kind.MISSING,
                    row,
                    at_left,
                    key_at_other=bool(other),
                    previous=older.modified if older and row.is_delete_marker else None,
                    hides=row.is_latest and shown,
                )
    yield from _current(ours, theirs)


def _current(ours: Rows, theirs: Rows) -> Iterator[Outcome]:
    shown = [next((row for row in rows.values() if row.is_latest), None) for rows in (ours, theirs)]
    here, there = shown
    if here and there and here.identity != there.identity and here.identity in theirs and there.identity in ours:
        yield Difference(Kind.CURRENT, here, other=there)


@MANY
@given(listings())
def test_a_march_says_what_sets_say(found: Listings) -> None:
    assert Counter(run(*found)) == Counter(by_sets(*found))


@MANY
@given(listings())
def test_outcomes_come_key_by_key(found: Listings) -> None:
    told = [one.left.key if isinstance(one, Match) else one.version.key for one in run(*found)]
    assert told == sorted(told)


def mirrored(outcome: Outcome) -> Outcome:
    """The same, seen from the other end."""
    if isinstance(outcome, Match):
        return Match(outcome.right, outcome.left)
    if outcome.other is not None:
        return replace(outcome, version=outcome.other, other=outcome.version)
    return replace(outcome, at_left=not outcome.at_left)


@MANY
@given(listings())
def test_a_march_the_other_way_round_is_its_mirror(found: Listings) -> None:
    assert Counter(run(found.right, found.left)) == Counter(map(mirrored, run(*found)))


@MANY
@given(listings())
def test_each_row_is_in_exactly_one_outcome(found: Listings) -> None:
    left: list[Version] = []
    right: list[Version] = []
    for one in run(*found):
        if isinstance(one, Match):
            left.append(one.left)
            right.append(one.right)
        elif one.kind is Kind.DIFFERS and one.other is not None:
            left.append(one.version)
            right.append(one.other)
        elif one.kind is Kind.MISSING:
            (left if one.at_left else right).append(one.version)
    assert Counter(left) == Counter(found.left)
    assert Counter(right) == Counter(found.right)


@MANY
@given(listings())
def test_the_same_listing_twice_gives_only_matches(found: Listings) -> None:
    assert run(found.left, found.left) == [Match(row, row) for row in found.left]


def without_previous(outcomes: list[Outcome]) -> Counter[Outcome]:
    """What is left of outcomes when the order within a key is not looked at."""
    return Counter(replace(one, previous=None) if isinstance(one, Difference) else one for one in outcomes)


@MANY
@given(listings(), throws)
def test_the_order_within_a_key_never_matters(found: Listings, dice: object) -> None:
    mixed = [
        row
        for _key, rows in groupby(found.right, key=lambda row: row.key)
        for row in sorted(rows, key=lambda row: dice.random())
    ]
    assert without_previous(run(found.left, mixed)) == without_previous(run(*found))


@given(st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=20))
def test_any_keys_are_taken_in_the_order_of_their_utf_8_bytes(keys: set[str]) -> None:
    left = [version(key=key) for key in sorted(keys, key=str.encode)]
    assert run(left, left) == [Match(row, row) for row in left]
    assert Counter(run(left, left[::2])) == Counter(by_sets(left, left[::2]))


# --- by example -----------------------------------------------------------------------------------------------


def test_versions_null_of_other_times_are_two_versions() -> None:
    here, there = version(1, version_id=NULL), version(2, version_id=NULL)
    found = {Difference(Kind.MISSING, here), Difference(Kind.MISSING, there, at_left=False)}
    assert set(run([here], [there])) == found
    assert run([here], [replace(here, storage_class="STANDARD_IA")]) == [
        Match(here, replace(here, storage_class="STANDARD_IA"))
    ]


def test_the_versions_of_two_keys_are_not_taken_for_each_other() -> None:
    assert len(run([version(key="a")], [version(key="b")])) == 2


def test_a_marker_and_an_object_of_one_version_differ_whatever_is_suspicious() -> None:
    [found] = march([version()], [marker()], lambda left, right: False)
    assert isinstance(found, Difference)
    assert found.kind is Kind.DIFFERS


def test_what_differs_is_told_from_the_left_end() -> None:
    left, right = version(), version(size=11)
    assert run([left], [right]) == [Difference(Kind.DIFFERS, left, other=right)]


def test_what_the_other_end_knows_of_the_key_is_told() -> None:
    newer, older = version(2), version(1)
    assert set(run([newer, older], [older])) == {Difference(Kind.MISSING, newer), Match(older, older)}
    assert run([newer], []) == [Difference(Kind.MISSING, newer, key_at_other=False)]
    assert run([], [newer]) == [Difference(Kind.MISSING, newer, at_left=False, key_at_other=False)]


def test_of_a_marker_the_time_before_it_is_told_and_of_an_object_it_is_not() -> None:
    top, older, gone = marker(3), version(2), version(9, key="l")
    found = run([top, older, gone], [version(1)])
    told = {one.version: one.previous for one in found if isinstance(one, Difference) and one.at_left}
    assert told == {top: older.modified, older: None, gone: None}


def test_a_marker_over_nothing_has_no_time_before_it() -> None:
    [found] = run([marker(3, key="a")], [])
    assert isinstance(found, Difference)
    assert found.previous is None
    found = run([marker(3, key="a"), version(2, key="b")], [])[0]
    assert isinstance(found, Difference)
    assert found.previous is None


@pytest.mark.parametrize(
    ("top", "shown", "hides"),
    [
        (marker(2, is_latest=True), version(1, is_latest=True), True),
        (marker(2), version(1, is_latest=True), False),
        (marker(2, is_latest=True), version(1), False),
        (marker(2, is_latest=True), marker(1, is_latest=True), False),
        (version(2, is_latest=True), version(1, is_latest=True), True),
    ],
)
@pytest.mark.parametrize("at_left", [True, False])
def test_what_is_current_hides_what_the_other_end_shows(
    top: Version, shown: Version, hides: bool, at_left: bool
) -> None:
    under = replace(shown, is_latest=False)
    sides = ([top, under], [shown])
    found = run(*(sides if at_left else sides[::-1]))
    assert [(one.at_left, one.hides) for one in found if isinstance(one, Difference)] == [(at_left, hides)]


def test_another_current_version_is_told_even_beside_other_differences() -> None:
    first, second = version(1), version(2)
    now_first, now_second = replace(first, is_latest=True), replace(second, is_latest=True)
    told = Difference(Kind.CURRENT, now_second, other=now_first)
    assert told in run([now_second, first], [now_first, second])
    assert told in run([now_second, first], [now_first, second, version(0)])


def test_a_current_version_that_one_end_lacks_is_told_once() -> None:
    first, second = version(1), version(2, is_latest=True)
    found = run([second, first], [replace(first, is_latest=True)])
    assert [one.kind for one in found if isinstance(one, Difference)] == [Kind.MISSING]


def test_no_current_version_of_another_key_is_remembered() -> None:
    left = [version(1, "a", is_latest=True), version(1, "b")]
    assert not [
        one for one in run(left, [version(1, "a"), version(1, "b", is_latest=True)]) if isinstance(one, Difference)
    ]


# --- memory, and what cannot be compared ----------------------------------------------------------------------


def rows(keys: int, each: int) -> Iterator[Version]:
    """A listing, made row by row."""
    for key in range(keys):
        for number in range(each, 0, -1):
            yield Version(f"{key:09}", f"v{number}", NOON, key, "etag", is_latest=number == each)


def test_of_200000_rows_in_the_same_order_one_is_held_at_most() -> None:
    outcomes = march(rows(50, 4000), rows(50, 4000), differ, most_held=1)
    assert sum(isinstance(one, Match) for one in outcomes) == 200_000


@pytest.mark.parametrize(("keys", "each"), [(20_000, 1), (1, 20_000)])
def test_memory_does_not_grow_with_the_listings(keys: int, each: int) -> None:
    tracemalloc.start()
    try:
        matched = sum(isinstance(one, Match) for one in march(rows(keys, each), rows(keys, each), differ))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert matched == 20_000
    assert peak < 100_000


def test_of_a_key_that_the_other_end_does_not_hold_nothing_is_held() -> None:
    assert len(list(march(rows(1, 10_000), iter(()), differ, most_held=1))) == 10_000
    assert len(list(march(rows(1, 3), rows(1, 3), differ, most_held=1))) == 3


def test_too_many_versions_in_another_order_are_refused_with_what_to_do() -> None:
    ordered = list(rows(1, 10))
    assert len(run(ordered, ordered[::-1], most_held=5)) == 10
    with pytest.raises(
        NotComparable, match=r"^the source: more than 4 versions of the key '000000000' .* `prefixes`\.$"
    ):
        run(ordered, ordered[::-1], most_held=4)


@pytest.mark.parametrize("at_left", [True, False])
def test_a_listing_that_is_not_sorted_is_refused_by_name(at_left: bool) -> None:
    sides = ([version(key="b"), version(key="a")], [])
    name = "the source" if at_left else "the destination"
    with pytest.raises(NotComparable, match=f"^the listing of {name} is not sorted: 'a' comes after 'b'"):
        run(*(sides if at_left else sides[::-1]))


def test_python_s_and_s3_s_order_of_keys_are_the_same_beyond_the_first_plane() -> None:
    assert "\uffff".encode() < "\U0001f600".encode()
    assert len(run([version(key="\uffff"), version(key="\U0001f600")], [])) == 2
    with pytest.raises(NotComparable):
        run([version(key="\U0001f600"), version(key="\uffff")], [])


@pytest.mark.parametrize("other", [[], [version(1)], [version(2), version(1)], [version(3)]])
@pytest.mark.parametrize("twice", [[version(1), version(1)], [version(1), version(2), version(1)]])
def test_a_version_that_is_told_twice_is_refused_or_told_as_a_difference(
    twice: list[Version], other: list[Version]
) -> None:
    """An overlap of two pages never passes for equal."""
    march_on = march(twice, other, differ)
    if len(twice) == 2:
        with pytest.raises(NotComparable, match=r"^the listing of left tells version v1 of 'k' twice"):
            list(march_on)
    else:
        assert any(isinstance(one, Difference) and one.at_left for one in march_on)


def test_a_version_that_is_told_twice_at_once_is_refused() -> None:
    with pytest.raises(NotComparable, match="the destination tells version v1 of 'k' twice"):
        run([version(2), version(1)], [version(1), version(1)])
    with pytest.raises(NotComparable, match="the source tells version v1 of 'k' twice"):
        run([version(1), version(2), version(1), version(5)], [version(3), version(4), version(6), version(7)])


def test_an_empty_object_is_not_a_delete_marker() -> None:
    assert not version(size=0).is_delete_marker
    assert marker().is_delete_marker
