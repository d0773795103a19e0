# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The verdict is the worst of what was seen, and nothing is proven by not looking."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import (
    WORST_FIRST,
    Area,
    Check,
    Status,
    Verdict,
    problems,
    verdict_of,
    with_warnings,
)

MANY = settings(max_examples=200)
any_checks = st.builds(
    Check, st.sampled_from(Area), st.just("name"), st.just("subject"), st.sampled_from(Status), st.sampled_from("abc")
)
several = st.lists(any_checks, max_size=5)


def check(status: Status, area: Area = Area.VERSIONS, message: str = "A sentence.") -> Check:
    """A check that ended so."""
    return Check(area, "compared", "one -> other", status, message)


COMPARED = check(Status.PASSED)
ALONE = {
    Status.PASSED: Verdict.PROVEN,
    Status.WARNING: Verdict.UNKNOWN,
    Status.AT_RISK: Verdict.AT_RISK,
    Status.BROKEN: Verdict.BROKEN,
    Status.UNKNOWN: Verdict.UNKNOWN,
    Status.SKIPPED: Verdict.UNKNOWN,
}
"""What a single check of the versions says."""


@pytest.mark.parametrize("status", Status)
def test_what_the_versions_alone_say(status: Status) -> None:
    assert verdict_of([check(status)]) is ALONE[status]


@pytest.mark.parametrize(("status", "area"), list(product(Status, Area)))
def test_the_versions_must_be_looked_at_and_the_rest_can_only_make_it_worse(status: Status, area: Area) -> None:
    beside = check(status, area)
    harmless = status in (Status.PASSED, Status.WARNING, Status.SKIPPED)
    assert verdict_of([COMPARED, beside]) is (Verdict.PROVEN if harmless else ALONE[status])
    if area is not Area.VERSIONS:
        assert verdict_of([beside]) is (Verdict.BROKEN if status is Status.BROKEN else Verdict.UNKNOWN)


def test_nothing_proves_nothing() -> None:
    assert verdict_of([]) is Verdict.UNKNOWN


def test_what_is_broken_stays_so_and_what_is_unknown_is_worse_than_a_risk() -> None:
    found = [COMPARED, check(Status.AT_RISK)]
    assert verdict_of(found) is Verdict.AT_RISK
    found.append(check(Status.UNKNOWN))
    assert verdict_of(found) is Verdict.UNKNOWN
    found.append(check(Status.BROKEN))
    assert verdict_of(found) is Verdict.BROKEN


def test_every_verdict_has_its_place() -> None:
    assert sorted(WORST_FIRST) == sorted(Verdict)


@MANY
@given(several, any_checks)
def test_one_more_check_never_makes_it_better(found: list[Check], more: Check) -> None:
    before, after = verdict_of([COMPARED, *found]), verdict_of([COMPARED, *found, more])
    assert WORST_FIRST.index(after) <= WORST_FIRST.index(before)


@MANY
@given(several)
def test_the_order_of_checks_never_matters(found: list[Check]) -> None:
    assert verdict_of(found) is verdict_of(found[::-1])
    assert verdict_of(iter(found)) is verdict_of(found)


@MANY
@given(several)
def test_problems_are_told_unless_it_is_proven(found: list[Check]) -> None:
    verdict = verdict_of([COMPARED, *found])
    assert bool(problems(found)) is (verdict is not Verdict.PROVEN)


def test_the_worst_problem_comes_first_and_those_alike_stay_in_order() -> None:
    found = [
        check(Status.AT_RISK, message="risk 1"),
        check(Status.WARNING, message="warning"),
        check(Status.UNKNOWN, message="unknown"),
        check(Status.AT_RISK, message="risk 2"),
        check(Status.PASSED, message="passed"),
        check(Status.BROKEN, message="broken"),
        check(Status.SKIPPED, message="skipped"),
    ]
    assert problems(found) == ["broken", "unknown", "risk 1", "risk 2"]


@pytest.mark.parametrize("status", Status)
def test_what_is_wrong_in_some_areas_is_only_said(status: Status) -> None:
    found = [check(status, Area.READINESS), check(status, Area.MONITORING)]
    softened = Status.WARNING if status in (Status.AT_RISK, Status.BROKEN, Status.UNKNOWN) else status
    assert with_warnings(found, [Area.READINESS]) == [check(softened, Area.READINESS), found[1]]
    assert with_warnings(found, []) == found


@MANY
@given(several)
def test_nothing_is_proven_by_wishing_not_to_know_of_the_versions(found: list[Check]) -> None:
    unknown = with_warnings([check(Status.UNKNOWN)], [Area.VERSIONS])
    others = [one for one in found if one.area is not Area.VERSIONS]
    assert verdict_of([*unknown, *others]) is not Verdict.PROVEN


def test_a_check_as_plain_values() -> None:
    assert check(Status.AT_RISK, Area.RECOVERY_POINT).as_result() == {
        "area": "recovery_point",
        "name": "compared",
        "subject": "one -> other",
        "status": "at_risk",
        "message": "A sentence.",
    }
