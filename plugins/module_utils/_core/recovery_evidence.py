# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The record of a recovery drill: what it says, which controls it supports, and its JUnit form.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .evidence import COLLECTION_VERSION, INTERRUPTED, Point, Support
from .evidence_words import mappings, number, text
from .junit import junit
from .recovery_judgement import AS_VERDICT, DrillVerdict

DRILL_SCHEMA = "crossregion.s3_dr/drill/1"

_OF_THE_TASK = ("changed", "diff", "evidence", "failed", "invocation", "msg", "warnings", "deprecations", "summary")
_CONTROLS = (
    (
        "NIST SP 800-53 Rev. 5",
        "CP-4",
        "Contingency Plan Testing",
        "A recovery that was rehearsed on canaries, and its result. The plan and the people are not looked at.",
    ),
    (
        "NIST SP 800-53 Rev. 5",
        "CP-10",
        "System Recovery and Reconstitution",
        "Reading, restoring and writing in the recovery Region, and the time it took. No application was recovered.",
    ),
    (
        "HIPAA",
        "45 CFR 164.308(a)(7)(ii)(D)",
        "Testing and revision procedures",
        "The test of the recovery on this date. Whether the plan is revised by it is not looked at.",
    ),
)
_SUPPORT = {
    DrillVerdict.PROVEN: Support.SUPPORTS,
    DrillVerdict.FAILED: Support.OPEN,
    DrillVerdict.UNKNOWN: Support.NOT_SHOWN,
}


def drill_verdict_in(found: Mapping[str, Any]) -> DrillVerdict:
    """The verdict of a record; one that nobody knows proves nothing."""
    said = found.get("verdict")
    return next((verdict for verdict in DrillVerdict if said == verdict.value), DrillVerdict.UNKNOWN)


def drill_evidence(
    result: Mapping[str, Any], run: str, created: str, chain: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is kept of a drill of one pair.

    Args:
        result: what the module returns.
        chain: `previous`, `unfinished` and `broken` of the manifest.
    """
    body = {name: value for name, value in result.items() if name not in _OF_THE_TASK}
    verdict = drill_verdict_in(result)
    return {
        **body,
        "schema": DRILL_SCHEMA,
        "run": run,
        "verdict": verdict.value,
        "created": created,
        "collection_version": COLLECTION_VERSION,
        "controls": [
            {"framework": framework, "id": one, "title": title, "basis": basis, "evidence": _SUPPORT[verdict].value}
            for framework, one, title, basis in _CONTROLS
        ],
        "chain": dict(chain or {"previous": None, "unfinished": [], "broken": []}),
    }


def drill_interrupted(pair: str, run: str, created: str) -> dict[str, Any]:
    """The record of a drill that has begun: it proves nothing, and so it stays if the drill is killed."""
    begun = {"pair": pair, "verdict": DrillVerdict.UNKNOWN.value, "problems": [INTERRUPTED]}
    return drill_evidence(begun, run, created)


def drill_junit(evidence: Mapping[str, Any]) -> bytes:
    """A drill as JUnit XML: one test case a check."""
    return junit([{**evidence, "verdict": AS_VERDICT[drill_verdict_in(evidence)].value}])


def seconds_of_steps(evidence: Mapping[str, Any]) -> dict[str, float]:
    """How long each step of a drill took that was done."""
    done = [one for one in mappings(evidence, "steps") if one.get("status") == "done"]
    found = {text(one, "name"): number(one, "seconds") for one in done}
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def points_of(history: Sequence[Mapping[str, Any]], name: str, target: str) -> list[Point]:
    """One measure of each drill, the oldest first, as the charts of a verify draw them."""
    return [
        Point(
            created=text(one, "created"),
            verdict=AS_VERDICT[drill_verdict_in(one)],
            lag_seconds=number(one, name),
            target_seconds=number(one, target),
            versions_at_risk=None,
            slowest_canary_seconds=None,
            matched=0,
        )
        for one in history
    ]
