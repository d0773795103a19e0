# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What Lambda calls: one step of a scheduled drill, as the state machine asks for it.

An error that is raised here is known to the state machine by the name of its class.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from .._aws.evidence_store import EvidenceStore
from .._core.causes import iso
from .._core.model import InvalidInput
from .._core.scheduled_drill import WORK
from .drill import PairDrill, World
from .failure import write_failure
from .fleet import finish, notify_of
from .sessions import Sessions
from .settings import Settings
from .work import Work

RESERVE_SECONDS = 20.0
"""So long before its time is up an invocation begins nothing new: what it has must still be written."""
_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)

Event = Mapping[str, Any]


def handle(event: Event, context: Any) -> dict[str, Any]:
    """Take one step.

    Args:
        event: `step` and what it needs; see the state machine.
        context: Lambda's, of which the time that is left is asked.

    Returns:
        The step's answer, small plain values.
    """
    settings = Settings.read(Path(__file__).parents[2])
    answer = take(event, settings, lambda: context.get_remaining_time_in_millis() / 1000)
    _log.info("step %s of pair %s in run %s: %s", event["step"], event.get("pair"), event.get("run"), answer)
    return answer


def take(event: Event, settings: Settings, remaining: Callable[[], float]) -> dict[str, Any]:
    """Take one step with these settings.

    Raises:
        InvalidInput: there is no such step, or no such pair.
    """
    if event["step"] == "load":
        return load(event, settings)
    world = _world(event, settings, remaining)
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        **{name: partial(_of_pair, world, event, method) for name, method in _OF_PAIR.items()},
        "notify": lambda: notify_of(world, event["pair"]),
        "failed": lambda: write_failure(world, event["pair"], event["error"]),
        "finish": lambda: finish(world, event["results"]),
    }
    if event["step"] not in steps:
        raise InvalidInput(f"the function {settings.name} knows no step '{event['step']}'.")
    return steps[event["step"]]()


_OF_PAIR: Mapping[str, Callable[[PairDrill], dict[str, Any]]] = {
    "begin": PairDrill.begin,
    "canaries": PairDrill.send_canaries,
    "poll": PairDrill.poll_canaries,
    "compare": PairDrill.compare,
    "restore": PairDrill.restore,
    "evaluate": PairDrill.evaluate,
    "evidence": PairDrill.write_evidence,
}


def _of_pair(world: World, event: Event, method: Callable[[PairDrill], dict[str, Any]]) -> dict[str, Any]:
    return method(PairDrill(world, event["pair"]))


def load(event: Event, settings: Settings) -> dict[str, Any]:
    """The pairs of a run, and its name: the time at which it began.

    Raises:
        InvalidInput: a pair was asked for that the function does not know.
    """
    only = list((event.get("input") or {}).get("only") or settings.pairs)
    for name in only:
        settings.pair(name)  # one that cannot be right ends the run before it begins
    began = datetime.fromisoformat(event["started"]).astimezone(UTC)
    return {"run": began.strftime("%Y%m%dT%H%M%SZ"), "pairs": [{"pair": name} for name in only]}


def _world(event: Event, settings: Settings, remaining: Callable[[], float]) -> World:
    sessions, run = Sessions(settings.region, settings.account), event["run"]
    s3, owner = sessions.own("s3"), settings.account.id
    began = datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return World(
        settings=settings,
        sessions=sessions,
        evidence=EvidenceStore(s3, settings.evidence_bucket, owner),
        work=lambda name: Work(s3, settings.recovery_bucket, owner, f"{WORK}{event['execution']}/{name}/"),
        seconds=lambda: max(0.0, remaining() - RESERVE_SECONDS),
        run=run,
        execution=event["execution"],
        created=iso(began),
    )
