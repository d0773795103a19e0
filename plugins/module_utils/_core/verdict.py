# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a verify has seen, judged: one sentence a problem, each with the next step.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .model import Pair, Step


def drift_problem(pair: Pair, drift: Sequence[Step]) -> list[str]:
    """The configuration differs from the declared pair: where."""
    if not drift:
        return []
    places = ", ".join(f"{step.address} ({step.action})" for step in drift)
    return [
        (
            f"AWS differs from the declared pair '{pair.name}' in {_documents(drift)}: {places}. "
            "Run crossregion.s3_dr.setup with --check --diff to see how, and without them to put it right."
        )
    ]


def _documents(drift: Sequence[Step]) -> str:
    return "1 document" if len(drift) == 1 else f"{len(drift)} documents"


IN_VERIFY = {
    "late": "Run again with a longer `deadline_seconds`, or look at the replication latency.",
    "failed": "A role made moments ago may need a minute: run again, then look at its policy and keys.",
    "": "Correct that, then run again.",
}
AFTER_SETUP = {
    "late": "Raise `wait_timeout`, or look at the replication latency.",
    "failed": "Look at the role's policies and boundary, at the keys, and at the policies of both buckets.",
    "": "Correct that, or look for another tool that writes there.",
}
"""What to do about a canary of each status; the empty one is for all others."""


def unproven_by(canaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """What canaries neither proved nor disproved, for want of permissions; and what of them stays behind."""
    said = [
        f"The canary from {canary['source']} to {canary['destination']} by rule '{canary['rule']}' proved nothing, "
        f"since it is {canary['status']}: {canary['reason']}. Allow that, or prove the pair by s3_dr_verify."
        for canary in canaries
        if canary["status"] in ("not_written", "unreadable")
    ]
    return [*said, *left_behind(canaries)]


def left_behind(canaries: Iterable[Mapping[str, Any]]) -> list[str]:
    """What of canaries stays in buckets, with the reason; one that is late is left to arrive."""
    return [
        f"A canary was left behind: {'; '.join(canary['left_behind'])}. Delete these versions later."
        for canary in canaries
        if canary["left_behind"]
    ]


def not_arrived(canaries: Iterable[Mapping[str, Any]], advice: Mapping[str, str]) -> list[str]:
    """One sentence for each canary that did not arrive intact, with the next step."""
    return [
        f"The canary from {canary['source']} to {canary['destination']} by rule '{canary['rule']}' is "
        f"{canary['status']}: {canary['reason']}. {advice.get(canary['status'], advice[''])}"
        for canary in canaries
        if canary["status"] != "replicated"
    ]


def flight_line(canary: Mapping[str, Any]) -> str:
    """What became of a canary, in a line."""
    way = f"{canary['source']} -> {canary['destination']}"
    if canary["status"] == "replicated":
        alike = "intact" if canary["compared"] == "bytes" else "with its size (its class cannot be read at once)"
        return f"{way}: a canary object arrived {alike} in {canary['seconds']} s (rule {canary['rule']})."
    return f"{way}: a canary object is {canary['status']} (rule {canary['rule']}): {canary['reason']}."
