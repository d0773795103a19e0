# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The index says of each pair when it was last proven, and takes nothing for a proof that is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Verdict
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_index import PairRuns, Run, index_page
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence import pair_evidence

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(day: int, verdict: str = "proven", ended: bool = True, pair: str = "orders", **more: Any) -> Run:
    """A run of a day of November."""
    name, created = f"202611{day:02}T031500Z", f"2026-11-{day:02}T03:15:00Z"
    recovery = {"recovery_point": created, "rpo_seconds": day, "rpo_target_seconds": 900, "measured_at": created}
    canary = {"status": "replicated", "seconds": 2.5}
    said = {"pair": pair, "verdict": verdict, "problems": [], "recovery": recovery, "canaries": [canary], **more}
    return Run(name, pair_evidence(said, name, created), ended)


def page(*pairs: PairRuns, broken: tuple[str, ...] = ()) -> str:
    """The page as text."""
    return index_page(pairs, NOW, broken).decode()


def test_the_days_since_the_last_proof_are_told() -> None:
    pair = PairRuns("orders", (run(21), run(22), run(23, "broken")))
    assert pair.verdict is Verdict.BROKEN
    assert pair.last_proof() == datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
    assert pair.days_since_proof(NOW) == pytest.approx(2.365, abs=0.001)
    assert "2.4 days" in page(pair) or "2 d" in page(pair)


@pytest.mark.parametrize(
    "last",
    [
        run(23, ended=False),
        Run("20261123T031500Z", {}, True),
        Run("20261123T031500Z", {"schema": "older/1", "verdict": "proven", "created": "2026-11-23T03:15:00Z"}, True),
        Run("20261123T031500Z", {"schema": 7, "verdict": ["proven"], "recovery": "x"}, True),
    ],
)
def test_a_run_that_has_not_ended_or_is_of_another_form_proves_nothing(last: Run) -> None:
    pair = PairRuns("orders", (run(22), last))
    assert pair.verdict is Verdict.UNKNOWN
    assert pair.last_proof() == datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
    assert "20261123T031500Z" in page(pair)


def test_a_pair_that_was_never_proven_says_never() -> None:
    pair = PairRuns("orders", (run(22, "at_risk"),))
    assert pair.days_since_proof(NOW) is None
    assert "1 pair never proven" in page(pair)


def test_the_worst_pair_is_first_and_leads() -> None:
    good, bad = PairRuns("a", (run(23),)), PairRuns("z", (run(23, "broken", problems=["z: lost 3 versions."]),))
    found = page(good, bad)
    assert found.index(">z<") < found.index(">a<")
    assert "Not proven by the newest run: z." in found
    assert "z: lost 3 versions." in found
    assert "1 of 2" in found


def test_changed_evidence_is_said_before_anything_else() -> None:
    found = page(
        PairRuns("orders", (run(23),)), broken=("Run 20261122T031500Z: report.html is not as it was written.",)
    )
    assert "Somebody changed the evidence" in found
    assert found.index("report.html is not as it was written") < found.index("The worst first")
    assert "The newest run of every pair is proven." not in found


def test_what_a_bucket_holds_is_shown_as_text() -> None:
    evil = "<script>alert(1)</script>"
    found = page(PairRuns(evil, (run(23, "broken", problems=[evil]),)), broken=(evil,))
    assert "<script>" not in found
    assert 'href="pairs/<' not in found


def test_an_empty_bucket_is_no_proof() -> None:
    assert "nothing is proven" in page()


def test_recovery_lag_and_replication_time_are_charts_over_time() -> None:
    found = page(PairRuns("orders", tuple(run(day) for day in range(1, 24))))
    assert found.count("<svg") >= 2
    assert "within the target in 23 of 23 runs" in found
    assert "Replication time of the slowest canary" in found
