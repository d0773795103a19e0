# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Steps as results and diffs, and what a verify says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Step
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish, plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.render import as_diffs, as_results
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.verdict import (
    AFTER_SETUP,
    IN_VERIFY,
    drift_problem,
    flight_line,
    not_arrived,
    unproven_by,
)
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import a_pair, address

SUSPENDED = Step(address("bucket_versioning"), {"Status": "Suspended"}, {"Status": "Enabled"})
CREATED = Step(address("bucket"), None, {"Region": "us-east-1"})
DELETED = Step(address("bucket"), {"Region": "us-east-1"}, None)


@given(strategies.wishes_and_worlds())
def test_results_and_diffs_are_plain_json_one_for_each_step(both: tuple[Wish, Observed]) -> None:
    steps = plan(*both)
    for rendered in (as_results(steps), as_diffs(steps)):
        assert json.loads(json.dumps(rendered)) == rendered
        assert len(rendered) == len(steps)


@given(strategies.wishes_and_worlds())
def test_a_diff_shows_only_what_differs(both: tuple[Wish, Observed]) -> None:
    assert all(diff["before"] != diff["after"] for diff in as_diffs(plan(*both)))


def test_a_result_says_all_of_a_step() -> None:
    assert as_results([SUSPENDED]) == [
        {
            "action": "update",
            "kind": "bucket_versioning",
            "name": "example-orders",
            "region": "us-east-1",
            "account": "111122223333",
            "before": {"Status": "Suspended"},
            "after": {"Status": "Enabled"},
        }
    ]


def test_a_result_has_none_where_nothing_is_and_a_diff_an_empty_file() -> None:
    assert [(one["before"], one["after"]) for one in as_results([CREATED, DELETED])] == [
        (None, {"Region": "us-east-1"}),
        ({"Region": "us-east-1"}, None),
    ]
    assert as_diffs([CREATED])[0] == {
        "before_header": "bucket example-orders (us-east-1)",
        "after_header": "bucket example-orders (us-east-1)",
        "before": "",
        "after": {"Region": "us-east-1"},
    }
    assert as_diffs([DELETED])[0]["after"] == ""


# --- verdicts ------------------------------------------------------------------------------------------------


def canary(**changes: Any) -> dict[str, Any]:
    """A canary's result."""
    ends = {"source": "example-orders", "destination": "example-orders-dr"}
    arrived = {
        "rule": "r",
        "status": "replicated",
        "seconds": 3.2,
        "compared": "bytes",
        "reason": None,
        "left_behind": [],
    }
    return {**ends, **arrived, **changes}


def test_a_pair_that_replicates_has_no_problems() -> None:
    assert drift_problem(a_pair(), []) == []
    assert not_arrived([canary()], IN_VERIFY) == []


def test_drift_names_each_place_and_how_to_put_it_right() -> None:
    (said,) = drift_problem(a_pair(), [SUSPENDED, CREATED])
    for part in (
        "'orders'",
        "2 documents",
        "bucket_versioning example-orders (us-east-1) (update)",
        "bucket example-orders (us-east-1) (create)",
        "with --check --diff",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("advice", "status", "next_step"),
    [
        (IN_VERIFY, "late", "longer `deadline_seconds`"),
        (IN_VERIFY, "failed", "run again, then look at its policy and keys"),
        (IN_VERIFY, "differs", "Correct that, then run again"),
        (IN_VERIFY, "not_written", "Correct that, then run again"),
        (AFTER_SETUP, "late", "Raise `wait_timeout`"),
        (AFTER_SETUP, "failed", "Look at the role's policies"),
        (AFTER_SETUP, "differs", "another tool that writes there"),
    ],
)
def test_each_canary_that_did_not_arrive_is_a_problem_with_its_own_next_step(
    advice: dict[str, str], status: str, next_step: str
) -> None:
    (said,) = not_arrived([canary(status=status, reason="the reason")], advice)
    assert f"from example-orders to example-orders-dr by rule 'r' is {status}: the reason." in said
    assert next_step in said


@pytest.mark.parametrize("status", ["not_written", "unreadable"])
def test_what_a_canary_could_not_prove_is_said_and_is_no_failure_of_the_pair(status: str) -> None:
    (said,) = unproven_by([canary(), canary(status=status, reason="denied")])
    assert "proved nothing" in said
    assert f"it is {status}: denied" in said


def test_what_stays_behind_after_a_proof_is_said() -> None:
    (said,) = unproven_by([canary(left_behind=["b/k (v): locked"])])
    assert "b/k (v): locked" in said


def test_each_canary_is_a_line() -> None:
    late = canary(status="late", reason="S3 still says PENDING")
    way = "example-orders -> example-orders-dr: a canary object"
    assert [flight_line(one) for one in (canary(), canary(compared="size"), late)] == [
        f"{way} arrived intact in 3.2 s (rule r).",
        f"{way} arrived with its size (its class cannot be read at once) in 3.2 s (rule r).",
        f"{way} is late (rule r): S3 still says PENDING.",
    ]
