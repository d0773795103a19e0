# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What is kept and told of a pair whose drill could not be brought to its end.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .._core.checks import Area, Check, Status, Verdict
from .._core.evidence_words import text
from .drill import BEGUN, RESULT, World

_LONGEST_CAUSE = 2000


def write_failure(world: World, pair: str, error: Mapping[str, Any]) -> dict[str, Any]:
    """Write evidence that says why the pair is not proven.

    Whatever else was found before is not told: what did not come to its end proves nothing. A run whose evidence is
    written already keeps it, since only the telling failed then.

    Args:
        error: `Error` and `Cause`, as the state machine caught them.

    Returns:
        `verdict`: `unknown`.
    """
    work = world.work(pair)
    begun = work.get(BEGUN) or {"run": world.evidence.begin(pair, world.run, world.created, world.execution)}
    work.put(BEGUN, begun)
    result = failed_result(pair, world.settings.region, error)
    work.put(RESULT, result)
    world.evidence.finish(pair, begun["run"], result, world.created, (), world.execution)
    return {"verdict": result["verdict"]}


def failed_result(pair: str, region: str, error: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a pair that says nothing but why it is not known."""
    said = (
        f"Pair '{pair}': the drill in {region} could not be brought to its end: {reason_of(error)} "
        "Mend that, and start the drill again."
    )
    check = Check(Area.VERSIONS, "finished", pair, Status.UNKNOWN, said)
    return {
        "pair": pair,
        "verdict": Verdict.UNKNOWN.value,
        "problems": [said],
        "prefixes": [],
        "recovery": None,
        "comparisons": [],
        "causes": {},
        "findings": [],
        "findings_total": 0,
        "findings_file": None,
        "content": None,
        "checks": [check.as_result()],
        "summary": [said],
        "drift": [],
        "canaries": [],
        "metrics": [],
        "notes": [],
    }


def reason_of(error: Mapping[str, Any]) -> str:
    """What the state machine caught, as a sentence: Lambda gives its errors as JSON, Step Functions as text."""
    cause = text(error, "Cause")
    try:
        said = json.loads(cause)
    except ValueError:
        said = {}
    told = text(said, "errorMessage") if isinstance(said, dict) else ""
    words = (told or cause or "no cause was given")[:_LONGEST_CAUSE].rstrip(". ")
    return f"{text(error, 'Error') or 'an error'}: {words}."
