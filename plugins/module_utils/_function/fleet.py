# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What follows when a pair, or all of them, are judged: telling, the evidence of the fleet, and the index.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .._core.checks import Verdict
from .._core.drill_index import DAY_SECONDS, PairRuns, Run, index_page
from .._core.model import InvalidInput, Pair
from .drill import BEGUN, RESULT, World
from .failure import failed_result
from .notice import notify, put_ages


def notify_of(world: World, pair: str) -> dict[str, Any]:
    """Tell of a pair.

    Returns:
        `untold`: what could not be told, a sentence each.
    """
    work = world.work(pair)
    run, result = (work.get(BEGUN) or {"run": world.run})["run"], work.get(RESULT)
    said = {**(result or _lost(world, pair)), "evidence": f"s3://{world.settings.evidence_bucket}/pairs/{pair}/{run}/"}
    return {"untold": notify(world.settings, world.sessions, pair, _declared(world, pair), said)}


def _declared(world: World, pair: str) -> Pair | None:
    try:
        return world.settings.pair(pair)
    except InvalidInput:  # removed since the run began
        return None


def _lost(world: World, pair: str) -> dict[str, Any]:
    return failed_result(pair, world.settings.region, {"Error": "NoResult", "Cause": "no step left a result"})


def finish(world: World, results: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Write the evidence of all pairs and the index; the work is done then.

    Args:
        results: `pair` and `verdict` of each.

    Returns:
        `proven`: all are; `verdicts` by pair; `cause`: the same as text; `untold`: what could not be told.
    """
    names = [one["pair"] for one in results]
    found = [world.work(name).get(RESULT) or _lost(world, name) for name in names]
    runs = {name: (world.work(name).get(BEGUN) or {"run": world.run})["run"] for name in names}
    world.evidence.fleet(found, runs, world.run, world.created, world.execution)
    pairs = write_index(world)
    now = datetime.fromtimestamp(world.clock(), UTC)
    ages = {one.pair: days * DAY_SECONDS for one in pairs if (days := one.days_since_proof(now)) is not None}
    untold = put_ages(world.sessions, {pair: age for pair, age in ages.items() if pair in names})
    for name in names:
        world.work(name).clear()
    verdicts = {one["pair"]: one["verdict"] for one in results}
    proven = set(verdicts.values()) == {Verdict.PROVEN.value}  # of no pair at all nothing is proven
    return {"proven": proven, "verdicts": verdicts, "cause": json.dumps(verdicts, sort_keys=True), "untold": untold}


def write_index(world: World) -> list[PairRuns]:
    """Make the index anew, of all runs that lie in the bucket, whoever wrote them."""
    store = world.evidence
    pairs = [PairRuns(pair, tuple(Run(*found) for found in store.records(f"pairs/{pair}/"))) for pair in store.pairs()]
    store.put_index(index_page(pairs, datetime.fromtimestamp(world.clock(), UTC)))
    return pairs
