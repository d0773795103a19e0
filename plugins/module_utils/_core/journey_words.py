# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A journal in words: the timeline of a run, and one line for each pair.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .journal import Journal, Run, State, Step


def seconds_of(step: Step) -> float | None:
    """How long a step took from its first begin to its end; None: it has not ended."""
    if step.ended is None:
        return None
    return round(max(0.0, (datetime.fromisoformat(step.ended) - datetime.fromisoformat(step.began)).total_seconds()), 3)


def timeline(run: Run) -> list[dict[str, Any]]:
    """Each step that was begun, in order."""
    return [
        {
            "step": step.name,
            "state": _state_of(step),
            "began": step.began,
            "ended": step.ended,
            "seconds": seconds_of(step),
            "attempts": step.attempts,
            "error": step.error,
            "result": dict(step.result),
        }
        for step in run.steps
    ]


def _state_of(step: Step) -> str:
    if "skipped" in step.result:
        return "skipped"
    return "not told" if step.result.get("told") is False else step.state.value


def run_result(run: Run) -> dict[str, Any]:
    """A run as plain values."""
    return {
        "id": run.id,
        "journey": run.journey.value,
        "to": run.to.value,
        "mode": run.mode.value,
        "reason": run.reason,
        "state": run.state.value,
        "began": run.began,
        "ended": run.ended,
        "last_sign_of_life": run.beat_at or run.began,
        "operator": str(run.operator),
        "operators": [str(one) for one in run.operators],
        "inputs": dict(run.inputs),
        "steps": timeline(run),
        "result": dict(run.result),
    }


def status_of(journal: Journal) -> dict[str, Any]:
    """What is to be known of a pair: its active end, the run that is open, and the last one."""
    run = journal.run
    return {
        "pair": journal.pair,
        "active": journal.active.value,
        "since": journal.since,
        "open_run": run_result(run) if run is not None and journal.open_run else None,
        "last_run": run_result(run) if run is not None and not journal.open_run else None,
        "summary": summary(journal),
    }


def summary(journal: Journal) -> str:
    """One line for a table."""
    where = f"{journal.pair}: {journal.active.value} is active" + (f" since {journal.since}" if journal.since else "")
    run = journal.run
    if run is None:
        return f"{where}; never failed over."
    what = f"{run.journey.value} to {run.to.value} {run.id} by {run.operator.user}@{run.operator.host}"
    if journal.open_run:
        at = f" at '{run.steps[-1].name}'" if run.steps else ""
        error = next((f": {step.error}" for step in reversed(run.steps) if step.error), "")
        last = f"last sign of life {run.beat_at or run.began}"
        return f"{where}; OPEN: {what}, {run.state.value}{at}, {last}{error if run.state is State.FAILED else ''}"
    return f"{where}; last: {what}, {run.state.value} {run.ended}{_numbers(run)}."


def _numbers(run: Run) -> str:
    known = [(name, run.result.get(key)) for name, key in (("RTO", "rto_seconds"), ("RPO", "rpo_seconds"))]
    said = ", ".join(f"{name} {value} s" for name, value in known if value is not None)
    return f", {said}" if said else ""
