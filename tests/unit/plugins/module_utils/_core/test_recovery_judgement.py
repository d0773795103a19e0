# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a recovery drill measured, and that nothing is proven that was not seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Status
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_judgement import (
    DrillCheck,
    Flown,
    Part,
    arrival_checks,
    by_size,
    cleaned_check,
    drill_problems,
    drill_sentence,
    precise,
    rpo_of,
    rto_of,
    spread,
    target_checks,
    verdict_of_drill,
)


def check(status: Status, name: str = "read") -> DrillCheck:
    """A check that ended so."""
    return DrillCheck(Part.RECOVERY, name, "example-orders-dr", status, f"{name} {status.value}")


WELL = [check(Status.PASSED, "read"), check(Status.PASSED, "write_there")]


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ([], "proven"),
        ([check(Status.WARNING, "x"), check(Status.SKIPPED, "y")], "proven"),
        ([check(Status.UNKNOWN, "x")], "unknown"),
        ([check(Status.UNKNOWN, "x"), check(Status.AT_RISK, "y")], "failed"),
        ([check(Status.BROKEN, "x")], "failed"),
    ],
)
def test_the_worst_check_is_the_verdict(more: list[DrillCheck], verdict: str) -> None:
    assert verdict_of_drill([*WELL, *more]).value == verdict


@pytest.mark.parametrize("seen", [[], WELL[:1], WELL[1:]])
def test_without_a_read_and_a_write_nothing_is_proven(seen: list[DrillCheck]) -> None:
    assert verdict_of_drill(seen).value == "unknown"


def test_what_failed_is_said_first() -> None:
    assert drill_problems([check(Status.UNKNOWN, "a"), *WELL, check(Status.BROKEN, "b")]) == ["b broken", "a unknown"]


# --- measures ------------------------------------------------------------------------------------------------


def test_a_rank_is_a_value_that_was_measured() -> None:
    assert spread([float(value) for value in range(1, 11)]) == {"p50": 5.0, "p90": 9.0, "p99": 10.0, "max": 10.0}
    assert spread([3.0]) == {"p50": 3.0, "p90": 3.0, "p99": 3.0, "max": 3.0}
    assert spread([]) == {"p50": None, "p90": None, "p99": None, "max": None}


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_ranks_ascend_and_the_order_means_nothing(values: list[float]) -> None:
    found = spread(values)
    ranks = [found["p50"], found["p90"], found["p99"], found["max"]]
    assert ranks == sorted(value for value in ranks if value is not None)
    assert spread(list(reversed(values))) == found


def test_each_class_is_measured_for_itself() -> None:
    flown = [Flown(1, 0.0, 2.0), Flown(1, 0.0, None), Flown(5, 1.0, 4.0), Flown(None, 0.0, 99.0)]
    assert [(one["size"], one["objects"], one["arrived"], one["max"]) for one in by_size(flown)] == [
        (1, 2, 1, 2.0),
        (5, 1, 1, 3.0),
    ]


def test_one_falls_back_to_before_the_oldest_that_was_lost() -> None:
    flown = [Flown(1, 10.0, 12.0), Flown(None, 20.0, None, lost=True), Flown(None, 22.0, None, lost=True)]
    assert rpo_of(flown, 25.0) == 5.0
    assert rpo_of(flown[:1], 25.0) == 0.0


def test_the_time_of_the_recovery_is_that_of_the_later_of_both() -> None:
    assert rto_of(10.0, 11.5, 14.25) == 4.25
    assert rto_of(10.0, 14.25, 11.5) == 4.25
    assert rto_of(10.0, None, 11.0) is None
    assert rto_of(10.0, 11.0, None) is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "0 ms"), (0.064, "64 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (61.0, "1 min 1 s")]
)
def test_short_times_are_told_exactly(seconds: float, said: str) -> None:
    assert precise(seconds) == said


# --- judgements ----------------------------------------------------------------------------------------------


def test_a_class_that_did_not_arrive_says_why() -> None:
    classes = by_size([Flown(1000, 0.0, 2.0), Flown(2000, 0.0, None)])
    first, second = arrival_checks(classes, "a -> b", [], 30.0)
    assert (first.status, second.status) == (Status.PASSED, Status.AT_RISK)
    assert "0 of 1 object of 2.0 kB arrived within 30 s" in second.message
    assert arrival_checks(classes, "a -> b", ["orders/x"], 30.0)[1].status is Status.BROKEN


@pytest.mark.parametrize(
    ("measured", "target", "status"),
    [
        (5.0, 5.0, Status.PASSED),
        (5.001, 5.0, Status.AT_RISK),
        (5.0, None, Status.SKIPPED),
        (None, 5.0, Status.UNKNOWN),
        (None, None, Status.SKIPPED),
    ],
)
def test_a_target_is_met_or_missed(measured: float | None, target: float | None, status: Status) -> None:
    rto, rpo = target_checks("orders", measured, measured, {"rto": target, "rpo": target})
    assert (rto.status, rpo.status) == (status, status)


def test_what_is_left_is_said_and_an_experiment_fails_the_drill() -> None:
    assert cleaned_check("orders", [], harmful=False).status is Status.PASSED
    assert cleaned_check("orders", ["x"], harmful=False).status is Status.WARNING
    assert cleaned_check("orders", ["x"], harmful=True).status is Status.BROKEN


def test_the_sentence_says_what_was_lost_and_what_was_not() -> None:
    told = {"rto_seconds": 0.4, "rpo_seconds": 12.0, "recovery_region": "us-west-2"}
    assert drill_sentence(told) == (
        "Reading and writing in us-west-2 worked 400 ms after the declared failure; what was written in the last 12 s "
        "was not there."
    )
    assert drill_sentence({**told, "rpo_seconds": 0.0}).endswith(", and all was there.")
    assert drill_sentence({"rto_seconds": None, "recovery_region": "us-west-2", "problems": ["Why."]}) == (
        "No recovery in us-west-2 was proven. Why."
    )
