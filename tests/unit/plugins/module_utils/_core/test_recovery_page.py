# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The record and the page of a recovery drill: what was seen, and nothing that could be taken for more."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_evidence import (
    drill_evidence,
    drill_interrupted,
    drill_junit,
    seconds_of_steps,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_page import drill_page
from ansible_collections.crossregion.s3_dr.tests.unit.evidence_samples import HOSTILE

RUN, CREATED = "20261123T140322Z", "2026-11-23T14:03:22Z"


def result(**changes: Any) -> dict[str, Any]:
    """What the module returns of a drill that went well."""
    steps = [("write", 0.0, 1.0), ("sign_in", 10.0, 0.25), ("read", 10.25, 0.5), ("clean_up", 20.0, 3.0)]
    return {
        "changed": False,
        "pair": "orders",
        "verdict": "proven",
        "problems": [],
        "summary": ["orders: proven."],
        "active_bucket": "example-orders",
        "active_region": "us-east-1",
        "recovery_bucket": "example-orders-dr",
        "recovery_region": "us-west-2",
        "rule": "s3-dr-orders",
        "encryption": "aws:kms",
        "declared_at": "2026-11-23T14:03:32Z",
        "rto_seconds": 0.75,
        "rto_target_seconds": 60.0,
        "rpo_seconds": 12.0,
        "rpo_target_seconds": None,
        "replication": [
            {"size": 1024, "objects": 5, "arrived": 5, "p50": 1.0, "p90": 2.0, "p99": 2.5, "max": 2.5},
            {"size": 8388608, "objects": 5, "arrived": 0, "p50": None, "p90": None, "p99": None, "max": None},
        ],
        "pause": None,
        "steps": [
            {"name": name, "what": f"what {name} is", "status": "done", "began_after_seconds": began, "seconds": took}
            for name, began, took in steps
        ],
        "checks": [
            {"area": "recovery", "name": "read", "subject": "b", "status": "passed", "message": "It was read."},
            {"area": "pause", "name": "not_paused", "subject": "b", "status": "warning", "message": "It arrived."},
        ],
        "notes": [],
        "left_behind": [],
        **changes,
    }


def said(evidence: dict[str, Any], history: list[dict[str, Any]] | None = None) -> str:
    """The page as text."""
    return drill_page(evidence, history or []).decode()


def test_the_record_speaks_of_the_drill_and_not_of_the_task() -> None:
    evidence = drill_evidence(result(), RUN, CREATED)
    assert (evidence["schema"], evidence["run"], evidence["created"]) == ("crossregion.s3_dr/drill/1", RUN, CREATED)
    assert {"changed", "summary"}.isdisjoint(evidence)


@pytest.mark.parametrize(
    ("verdict", "support"), [("proven", "supports"), ("failed", "open"), ("unknown", "not_shown"), (None, "not_shown")]
)
def test_the_controls_are_supported_by_what_was_proven_alone(verdict: str | None, support: str) -> None:
    evidence = drill_evidence(result(verdict=verdict), RUN, CREATED)
    assert {one["evidence"] for one in evidence["controls"]} == {support}
    assert {one["id"] for one in evidence["controls"]} == {"CP-4", "CP-10", "45 CFR 164.308(a)(7)(ii)(D)"}


def test_a_drill_that_has_begun_proves_nothing() -> None:
    evidence = drill_interrupted("orders", RUN, CREATED)
    assert evidence["verdict"] == "unknown"
    assert "has not ended" in evidence["problems"][0]
    assert "unknown" in said(evidence)


@pytest.mark.parametrize(("verdict", "kind"), [("failed", "failure"), ("unknown", "error")])
def test_a_ci_sees_a_drill_that_is_not_proven(verdict: str, kind: str) -> None:
    suite = ElementTree.fromstring(drill_junit(drill_evidence(result(verdict=verdict), RUN, CREATED)))
    assert len(list(suite.iter(kind))) == 1
    assert not list(ElementTree.fromstring(drill_junit(drill_evidence(result(), RUN, CREATED))).iter("failure"))


def test_the_page_tells_the_time_since_the_declared_failure() -> None:
    page = said(drill_evidence(result(), RUN, CREATED))
    recovery = page[page.index("The recovery") : page.index("Replication time")]
    assert ">250 ms<" in recovery
    assert ">750 ms<" in recovery  # sign in and read, since the failure
    assert "clean up" not in recovery
    assert "within the target of 1 min" in page
    assert "no target is set" in page
    assert "not measured" in page  # of a class of which nothing arrived


def test_the_pause_is_shown_where_there_was_one() -> None:
    pause = {"held_seconds": 60.0, "not_paused": True, "catch_up_seconds": 21.7, "resumed_seconds": None}
    assert "Paused replication" not in said(drill_evidence(result(), RUN, CREATED))
    page = said(drill_evidence(result(pause=pause), RUN, CREATED))
    assert "arrived all the same after" in page
    assert "21.7 s" in page


def test_the_charts_show_the_drills_before() -> None:
    evidence = drill_evidence(result(), RUN, CREATED)
    assert "The last 2 drills" in said(evidence, [drill_evidence(result(rto_seconds=None), RUN, CREATED), evidence])
    assert "The last" not in said(evidence, [evidence])


def test_only_what_was_done_is_expected_the_next_time() -> None:
    evidence = drill_evidence(result(), RUN, CREATED)
    evidence["steps"][0]["status"] = "failed"
    assert seconds_of_steps(evidence) == {"sign_in": 0.25, "read": 0.5, "clean_up": 3.0}


@pytest.mark.parametrize("broken", [{}, {"steps": [None, {}], "checks": 5, "replication": [{}], "pair": HOSTILE}])
def test_any_record_becomes_a_page(broken: dict[str, Any]) -> None:
    page = said(drill_evidence(broken, RUN, CREATED))
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
