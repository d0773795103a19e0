# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The recovery point promises no more than is there: more that is lost never makes it better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import (
    ACCEPTED,
    NEVER_ACCEPTED,
    Cause,
    Finding,
    iso,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery import (
    Exposure,
    Tally,
    is_at_risk,
    is_unexpected,
    recovery_point,
    together,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY
from ansible_collections.crossregion.s3_dr.tests.unit.version_strategies import NOON, findings, moments

SECOND = timedelta(seconds=1)
MANY = settings(max_examples=200)
several = st.lists(findings, max_size=6)


def exposed(found: Iterable[Finding]) -> Exposure:
    """All of them added up."""
    exposure = Exposure()
    for finding in found:
        exposure.add(finding)
    return exposure


def tallied(found: Iterable[Finding], accepted: Iterable[Cause] = ACCEPTED) -> Tally:
    """All of them counted."""
    tally = Tally(tuple(accepted))
    for finding in found:
        tally.add(finding)
    return tally


def lost(age: int = 60, cause: Cause = Cause.LATE, rule: str | None = "r1", **changes: object) -> Finding:
    """A version of 10 bytes that the copy lacks, and that many seconds old."""
    values = {"version_id": "v1", "size": 10, "missing": True, "key": "k", **changes}
    return Finding(cause, PRIMARY.bucket, DR.bucket, modified=NOON - age * SECOND, rule=rule, **values)


# --- the point ------------------------------------------------------------------------------------------------


def by_trying(cutoff: datetime, oldest: datetime | None) -> datetime:
    """The newest second, found second by second: nothing is missing that was written in it or before."""
    point = cutoff.replace(microsecond=0)
    while oldest is not None and oldest.replace(microsecond=0) <= point:
        point -= SECOND
    return point


fractions = st.integers(0, 999_999).map(lambda part: timedelta(microseconds=part))


@MANY
@given(fractions, st.none() | st.tuples(st.integers(-5, 50), fractions))
def test_the_point_is_the_newest_second_with_nothing_missing(
    part: timedelta, oldest: tuple[int, timedelta] | None
) -> None:
    missing = None if oldest is None else NOON - oldest[0] * SECOND + oldest[1]
    assert recovery_point(NOON + part, missing) == by_trying(NOON + part, missing)


@pytest.mark.parametrize(
    ("missing", "point"),
    [
        (None, NOON),
        (NOON, NOON - SECOND),
        (NOON + SECOND, NOON),
        (NOON - SECOND / 2, NOON - 2 * SECOND),
        (NOON - SECOND, NOON - 2 * SECOND),
    ],
)
def test_a_version_takes_all_of_its_second_with_it(missing: datetime | None, point: datetime) -> None:
    assert recovery_point(NOON + SECOND / 2, missing) == point


# --- laws -----------------------------------------------------------------------------------------------------

Figures: TypeAlias = tuple[datetime, int, int, int]


def figures(exposure: Exposure) -> Figures:
    """The recovery point, how far it is behind, versions and bytes at risk."""
    result = exposure.as_result(NOON, 60)
    point = datetime.fromisoformat(result["recovery_point"])
    return point, result["rpo_seconds"], result["versions_at_risk"], result["bytes_at_risk"]


def is_no_better(worse: Exposure, better: Exposure) -> bool:
    """Whether each figure of the one is as bad as that of the other, or worse."""
    ours, theirs = figures(worse), figures(better)
    return ours[0] <= theirs[0] and all(one >= other for one, other in zip(ours[1:], theirs[1:], strict=True))


@MANY
@given(several, findings)
def test_one_more_finding_never_makes_it_better(found: list[Finding], more: Finding) -> None:
    fewer, all_of_them = tallied(found), tallied([*found, more])
    for destination in (DR.bucket, "example-archive"):
        for rule in (None, "r1", "r2", "r3", "r4"):
            way = (PRIMARY.bucket, destination, rule)
            assert is_no_better(all_of_them.exposure(*way), fewer.exposure(*way))


@MANY
@given(several, st.sets(st.sampled_from(Cause)), st.sampled_from(Cause))
def test_accepting_less_never_makes_it_better(found: list[Finding], accepted: set[Cause], less: Cause) -> None:
    way = (PRIMARY.bucket, DR.bucket)
    strict, lax = tallied(found, accepted - {less}), tallied(found, accepted)
    assert is_no_better(strict.exposure(*way), lax.exposure(*way))
    assert strict.unexpected.total() >= lax.unexpected.total()


@MANY
@given(several)
def test_no_rule_is_behind_more_than_the_pair_is(found: list[Finding]) -> None:
    tally = tallied(found)
    for rule in ("r1", "r2", "r3", "r4"):
        assert is_no_better(tally.exposure(PRIMARY.bucket, DR.bucket), tally.exposure(PRIMARY.bucket, DR.bucket, rule))


@MANY
@given(several)
def test_each_rule_counts_all_that_may_be_its_own(found: list[Finding]) -> None:
    tally = tallied(found)
    risky = [one for one in found if is_at_risk(one, ACCEPTED) and one.destination == DR.bucket]
    assert figures(tally.exposure(PRIMARY.bucket, DR.bucket)) == figures(exposed(risky))
    for rule in ("r1", "r2", "r3", "r4"):
        own = [one for one in risky if rule in (one.rule, *one.maybe_rules)]
        assert figures(tally.exposure(PRIMARY.bucket, DR.bucket, rule)) == figures(exposed(own))


@MANY
@given(several, several, several)
def test_exposures_add_up_in_any_order(one: list[Finding], two: list[Finding], three: list[Finding]) -> None:
    first, second, third = exposed(one), exposed(two), exposed(three)
    assert first.plus(second) == second.plus(first)
    assert first.plus(second).plus(third) == first.plus(second.plus(third))
    assert first.plus(Exposure()) == first
    assert together([first, second, third]) == exposed([*one, *two, *three])


@MANY
@given(several)
def test_the_order_of_findings_never_matters(found: list[Finding]) -> None:
    assert exposed(found) == exposed(found[::-1])


@given(moments, moments)
def test_the_oldest_of_all_is_told(one: datetime, other: datetime) -> None:
    ages = [int((NOON - moment).total_seconds()) for moment in (one, other)]
    oldest = exposed([lost(age) for age in ages]).oldest
    assert oldest is not None
    assert oldest.modified == min(one, other)


# --- by example -----------------------------------------------------------------------------------------------


def test_of_two_of_the_same_second_always_the_same_one_is_told() -> None:
    same = [lost(key="b"), lost(key="a", version_id="v2"), lost(key="a"), lost(key="a", size=0, cause=Cause.FAILED)]
    for one, other in pairwise(same):
        assert exposed([one, other]).oldest == exposed([other, one]).oldest == other


def test_what_is_at_risk_as_plain_values() -> None:
    oldest = lost(120, size=None)
    result = exposed([lost(60), oldest]).as_result(NOON + SECOND / 2, 120)
    assert result == {
        "recovery_point": iso(NOON - 121 * SECOND),
        "measured_at": iso(NOON),
        "rpo_seconds": 121,
        "rpo_target_seconds": 120,
        "within_target": False,
        "versions_at_risk": 2,
        "bytes_at_risk": 10,
        "oldest_missing": oldest.as_result(NOON + SECOND / 2),
    }
    assert exposed([lost(119)]).as_result(NOON, 120)["within_target"] is True


def test_a_fraction_of_a_second_is_no_second_behind() -> None:
    late = exposed([lost(-3)]).as_result(NOON + SECOND * 0.999, 0)
    assert (late["rpo_seconds"], late["within_target"]) == (0, True)


def test_with_nothing_at_risk_the_point_is_when_the_listing_began() -> None:
    assert Exposure().as_result(NOON, 0) == {
        "recovery_point": iso(NOON),
        "measured_at": iso(NOON),
        "rpo_seconds": 0,
        "rpo_target_seconds": 0,
        "within_target": True,
        "versions_at_risk": 0,
        "bytes_at_risk": 0,
        "oldest_missing": None,
    }


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("accepted", [(), ACCEPTED, tuple(Cause)])
def test_what_counts_for_the_point_and_what_fails_the_run(
    cause: Cause, missing: bool, accepted: tuple[Cause, ...]
) -> None:
    finding = lost(cause=cause, missing=missing)
    stands = cause not in accepted or cause in NEVER_ACCEPTED
    assert is_at_risk(finding, accepted) is (missing and stands)
    assert is_unexpected(finding, accepted) is (stands and cause is not Cause.PENDING)


def test_accepted_causes_leave_the_point_alone() -> None:
    found = [lost(1000 + number, cause) for number, cause in enumerate(ACCEPTED)]
    exposure = tallied([*found, lost(60)]).exposure(PRIMARY.bucket, DR.bucket)
    assert figures(exposure) == (NOON - 61 * SECOND, 61, 1, 10)


def test_what_is_pending_counts_for_the_point_and_fails_nothing() -> None:
    tally = tallied([lost(60, Cause.PENDING)])
    assert not tally.unexpected.total()
    assert figures(tally.exposure(PRIMARY.bucket, DR.bucket))[1] == 61


def test_findings_are_counted_by_cause_the_most_frequent_first() -> None:
    marker, by_choice = lost(size=None), lost(cause=Cause.DELETE_MARKER_BY_CHOICE, size=None)
    tally = tallied([by_choice, lost(), marker, lost(cause=Cause.PENDING)])
    assert list(tally.by_cause().items()) == [
        ("late", {"versions": 2, "bytes": 10, "unexpected": 2, "excepted": 0}),
        ("delete_marker_by_choice", {"versions": 1, "bytes": 0, "unexpected": 0, "excepted": 1}),
        ("pending", {"versions": 1, "bytes": 10, "unexpected": 0, "excepted": 0}),
    ]
    assert tally.versions == Counter({Cause.LATE: 2, Cause.DELETE_MARKER_BY_CHOICE: 1, Cause.PENDING: 1})


def test_an_extra_version_that_was_not_examined_puts_nothing_at_risk() -> None:
    tally = tallied([lost(cause=Cause.UNEXAMINED, missing=False), lost(cause=Cause.FAILED)])
    assert tally.unexamined_at_risk == 0
    tally.add(lost(cause=Cause.UNEXAMINED))
    assert tally.unexamined_at_risk == 1


def test_each_way_and_each_rule_has_a_point_of_its_own() -> None:
    tally = tallied([lost(60), lost(120, rule="r2"), lost(180, rule=None)])
    behind = {rule: figures(tally.exposure(PRIMARY.bucket, DR.bucket, rule))[1] for rule in (None, "r1", "r2", "r9")}
    assert behind == {None: 181, "r1": 61, "r2": 121, "r9": 0}
    assert tally.exposure(DR.bucket, PRIMARY.bucket) == Exposure()
    assert tally.exposure(DR.bucket, PRIMARY.bucket, "r1") == Exposure()
    assert tally.exposure(PRIMARY.bucket, "example-archive") == Exposure()
