# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""All pairs side by side."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import WORST_FIRST, Verdict
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fleet import (
    counts_of,
    fleet_evidence,
    fleet_table,
    result_of,
    rows_of,
    totals_of,
    worst_of,
)
from ansible_collections.crossregion.s3_dr.tests.unit.evidence_samples import (
    HOSTILE,
    at_risk,
    json_values,
    proven,
    recovery,
)

verdicts = st.sampled_from([verdict.value for verdict in Verdict])


def handed(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    """Results as the module takes them, made ready."""
    return [result_of({"pair": pair, "result": result}) for pair, result in pairs]


def test_the_table_has_the_worst_first_in_columns() -> None:
    rows = rows_of(handed(("invoices", proven()), ("lost", None), ("orders", at_risk())))
    assert fleet_table(rows) == [
        "PAIR      VERDICT  RECOVERY POINT        LAG   AT RISK     WHY",
        "lost      unknown  -                     -     -           The run ended before a verdict.",
        f"orders    at_risk  2026-11-23 14:03:22Z  42 s  3 (1.2 MB)  {at_risk()['problems'][0]}",
        "invoices  proven   2026-11-23 14:04:04Z  0 s   0",
    ]


def test_a_long_reason_is_cut_in_the_table_and_kept_in_the_record() -> None:
    results = handed(("orders", at_risk(problems=["x" * 500])))
    assert fleet_table(rows_of(results))[1].endswith(f" {'x' * 117}...")
    assert fleet_evidence(results, "R", "now", {}, {})["pairs"][0]["problems"] == ["x" * 500]


def test_no_pairs_prove_nothing() -> None:
    assert fleet_table([]) == ["No pair was verified."]
    assert worst_of([]) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        {"failed": True, "skipped": True},
        {"verdict": None},
        {"verdict": "fine", "recovery": recovery()},
        "",
        3,
    ],
)
def test_a_pair_without_a_verdict_is_unknown_and_has_no_recovery_point(result: Any) -> None:
    (row,) = rows_of(handed(("orders", result)))
    assert (row.verdict, row.lag_seconds, row.recovery_point) == (Verdict.UNKNOWN, None, "")
    assert row.why == "The run ended before a verdict."


def test_the_reason_of_a_failure_is_said() -> None:
    (row,) = rows_of(handed(("orders", {"failed": True, "msg": "Bucket example-orders is gone."})))
    assert row.why == "The run ended before a verdict. Bucket example-orders is gone."


def test_a_pair_is_named_as_the_playbook_names_it() -> None:
    assert rows_of(handed(("host", proven(pair="orders"))))[0].pair == "host"


@given(st.lists(st.tuples(verdicts, st.none() | st.integers(0, 10**6), st.integers(0, 99))))
def test_the_order_is_by_verdict_then_by_lag(found: list[tuple[str, int | None, int]]) -> None:
    results = [
        proven(verdict=verdict, recovery=None if lag is None else recovery(rpo_seconds=lag, versions_at_risk=versions))
        for verdict, lag, versions in found
    ]
    rows = rows_of(handed(*((f"p{index}", result) for index, result in enumerate(results))))
    places = [WORST_FIRST.index(row.verdict) for row in rows]
    assert places == sorted(places)
    for one, other in pairwise(rows):
        if one.verdict is other.verdict and one.lag_seconds is not None:
            assert other.lag_seconds is not None
            assert one.lag_seconds >= other.lag_seconds
    assert not rows or worst_of(rows) is rows[0].verdict
    assert sum(counts_of(rows).values()) == len(rows)
    assert totals_of(rows)["versions_at_risk"] == sum(versions for _v, lag, versions in found if lag is not None)


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=[])), json_values), min_size=1, max_size=4))
def test_the_table_is_one_printable_line_a_pair_whatever_was_handed_over(found: list[tuple[str, Any]]) -> None:
    rows = rows_of(handed(*found, (HOSTILE, at_risk(problems=[HOSTILE]))))
    lines = fleet_table(rows)
    assert len(lines) == len(rows) + 1
    assert all(line.isprintable() for line in lines)
    start = lines[0].index("VERDICT")
    assert [line[start:].split()[0] for line in lines[1:]] == [row.verdict.value for row in rows]


def test_the_record_names_the_runs_of_its_pairs() -> None:
    tie = {"run": "20261123T140322Z", "manifest_sha256": "abc"}
    found = fleet_evidence(
        handed(("orders", proven()), ("lost", None)), "R", "now", {"previous": None}, {"orders": tie}
    )
    assert found["schema"] == "crossregion.s3_dr/fleet/1"
    assert found["verdict"] == "unknown"
    assert found["counts"] == {"broken": 0, "unknown": 1, "at_risk": 0, "proven": 1}
    assert [(one["pair"], one["evidence"]) for one in found["pairs"]] == [("lost", None), ("orders", tie)]
    assert found["totals"]["without_recovery_point"] == 1
