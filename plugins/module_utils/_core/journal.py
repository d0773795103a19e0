# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The record of a pair's failovers and failbacks: which end is active, which run is under way, how far it came.

A journal is a value, and each function gives the next one. Whoever writes it (`_aws/journal_store.py`) writes only on
top of what was read, so of two runs that begin at the same time one finds the other's.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

SCHEMA = 1


class JournalBroken(Exception):
    """What is there is no journal; the message says why."""


class Journey(StrEnum):
    """What a run does."""

    FAILOVER = "failover"
    FAILBACK = "failback"


class Mode(StrEnum):
    """Whether the end that is left is alive: writers can then be fenced off, and nothing is lost."""

    PLANNED = "planned"
    UNPLANNED = "unplanned"


class Side(StrEnum):
    """An end by its part in the pair."""

    PRIMARY = "primary"
    DR = "dr"

    @property
    def other(self) -> Side:
        """The other end."""
        return Side.PRIMARY if self is Side.DR else Side.DR


class State(StrEnum):
    """Where a run is.

    `running`: somebody is at it. `waiting`: for the user's own tasks. `failed`: it ended by an error and can be run
    again. `done` and `abandoned` are over.
    """

    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    DONE = "done"
    ABANDONED = "abandoned"


TASKS = "tasks"
"""The step that is the user's own tasks."""
FLIP = "flip"
"""The step that sends clients to the new end. Of both, at least one does."""

OPEN = frozenset({State.RUNNING, State.WAITING, State.FAILED})


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs it: the caller's ARN, and user, host and process of the controller.

    `machine` is the same for all processes that can see each other, also where hosts or containers share a name; empty:
    it is not known.
    """

    arn: str
    user: str
    host: str
    process: int
    machine: str = ""

    def __str__(self) -> str:
        return f"{self.user}@{self.host} ({self.arn})"

    def is_same_person(self, other: Operator) -> bool:
        """Whether it is the same one, at the same host. The process is a new one each time."""
        return (_person_of(self.arn), self.user, self.host) == (_person_of(other.arn), other.user, other.host)


_GENERATED = re.compile(r"(?<=/)(botocore-session-\d+|aws-go-sdk-\d+|crossregion-s3-dr)$")
"""Session names that an SDK or this collection makes up. Others may be all that tells two persons of one role apart."""


def _person_of(arn: str) -> str:
    """The ARN without the name of the session, if that says nothing of who it is."""
    return _GENERATED.sub("", arn)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run. `result` is what the step returned, `error` why it failed last."""

    name: str
    state: State
    began: str
    ended: str | None = None
    attempts: int = 1
    inputs: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One failover or failback. Times are ISO 8601 in UTC.

    Attributes:
        to: the end that is to be active.
        beat: a count that a living run raises every few seconds.
        operators: everybody who had a part in it, the last one last.
        inputs: the options of the run as it began.
        result: what it came to, when it is done.
    """

    id: str
    journey: Journey
    to: Side
    mode: Mode
    reason: str
    began: str
    operators: tuple[Operator, ...]
    state: State = State.RUNNING
    beat: int = 0
    beat_at: str = ""
    ended: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def operator(self) -> Operator:
        """Who is at it now, or was last."""
        return self.operators[-1]

    def step(self, name: str) -> Step | None:
        """The step of this name, if it was begun."""
        return next((step for step in self.steps if step.name == name), None)

    def was_begun(self, name: str) -> bool:
        """Whether the step has ever done anything."""
        return self.step(name) is not None and not self.was_skipped(name)

    def was_skipped(self, name: str) -> bool:
        """Whether the step was not needed, by the options of that time."""
        step = self.step(name)
        return step is not None and "skipped" in step.result

    def is_done(self, name: str) -> bool:
        """Whether nothing of the step is left to be waited for: it has ended well, or was not needed."""
        step = self.step(name)
        return step is not None and step.state is State.DONE


@dataclass(frozen=True, slots=True)
class Journal:
    """What is known of a pair.

    Attributes:
        serial: rises with each change, so that of two copies the newer one is known.
        active: the end where applications write.
        since: when it became active; None: since ever.
        known_until: up to when it had received then what was written at the other end; None: not known.
        run: the open run, or the last one.
    """

    pair: str
    serial: int = 0
    active: Side = Side.PRIMARY
    since: str | None = None
    known_until: str | None = None
    run: Run | None = None

    @property
    def open_run(self) -> Run | None:
        """The run that has not ended."""
        return self.run if self.run is not None and self.run.state in OPEN else None


# --- from one journal to the next ----------------------------------------------------------------------------


def iso(now: datetime) -> str:
    """A time as the journal has it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _precise(now: datetime) -> str:
    """The same to the millisecond, since a step may be short."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_id(journey: Journey, now: datetime, token: str) -> str:
    """The name of a run: its time first, so that names sort by it.

    Args:
        token: what no other run of that second has.
    """
    return f"{now.astimezone(UTC).strftime('%Y%m%dT%H%M%SZ')}-{journey.value}-{token}"


def begun(journal: Journal, run: Run) -> Journal:
    """With a new run."""
    return _with_run(journal, run)


def ahead(journal: Journal, now: datetime) -> Journal:
    """With a serial beyond that of any copy that was not read: the time, since serials rise slower than seconds."""
    return replace(journal, serial=max(journal.serial, int(now.timestamp())))


def superseded(journal: Journal, run: Run, now: datetime) -> Journal:
    """With a new run in the place of the open one, which is given up. Whoever is still at that one must hear of it.

    A failback that is given up so hands on up to when the DR bucket had received what was written at the primary.
    """
    there = _open(journal)
    handed_on = {"known_until": there.inputs["known_until"]} if "known_until" in there.inputs else {}
    new = replace(run, inputs={**run.inputs, **handed_on, "supersedes": there.id})
    return _with_run(ahead(journal, now), new)


def given_up_for(there: Run, run: Run, now: datetime) -> Run:
    """An open run as it is kept when another one has taken its place."""
    result = {**there.result, "superseded_by": run.id, "operator": str(run.operator)}
    return replace(there, state=State.ABANDONED, ended=iso(now), result=result)


def resumed(journal: Journal, operator: Operator, mode: Mode, now: datetime) -> Journal:
    """With the open run in the hands of this operator. What it did so far stays done."""
    run = _open(journal)
    operators = run.operators if run.operator == operator else (*run.operators, operator)
    return _with_run(
        journal,
        replace(run, state=State.RUNNING, operators=operators, mode=mode, beat=run.beat + 1, beat_at=iso(now)),
    )


def beaten(journal: Journal, now: datetime) -> Journal:
    """With a sign of life."""
    run = _open(journal)
    return _with_run(journal, replace(run, beat=run.beat + 1, beat_at=iso(now)))


def step_begun(journal: Journal, name: str, inputs: Mapping[str, Any], now: datetime) -> Journal:
    """With a step begun, once more if it was begun before. It keeps the time of its first begin."""
    before = _open(journal).step(name)
    step = Step(
        name=name,
        state=State.RUNNING,
        began=before.began if before else _precise(now),
        attempts=before.attempts + 1 if before else 1,
        inputs=dict(inputs),
    )
    return _with_step(journal, step)


def step_ended(journal: Journal, name: str, result: Mapping[str, Any], now: datetime) -> Journal:
    """With a step that ended well."""
    return _with_step(
        journal, replace(_step(journal, name), state=State.DONE, ended=_precise(now), result=dict(result))
    )


def step_skipped(journal: Journal, name: str, why: str, now: datetime) -> Journal:
    """With a step that is not needed."""
    return step_ended(step_begun(journal, name, {}, now), name, {"skipped": why}, now)


def step_left(journal: Journal, name: str, why: str, now: datetime) -> Journal:
    """With a step that was begun, has not ended, and is no longer needed. What it did may still be there."""
    error = f"it was begun and has not ended, and was then left: {why}"
    return _with_step(journal, replace(_step(journal, name), state=State.FAILED, ended=_precise(now), error=error))


def step_failed(journal: Journal, name: str, error: str, result: Mapping[str, Any], now: datetime) -> Journal:
    """With a step that failed, and the run with it."""
    step = replace(_step(journal, name), state=State.FAILED, ended=_precise(now), error=error, result=dict(result))
    return in_state(_with_step(journal, step), State.FAILED)


def in_state(journal: Journal, state: State) -> Journal:
    """With the open run in another open state."""
    return _with_run(journal, replace(_open(journal), state=state))


def switched(journal: Journal, known_until: str = "") -> Journal:
    """With the run's end as the active one, since the first client may have been sent there.

    Args:
        known_until: up to when it had received what was written at the other end; empty: not known.
    """
    run = _open(journal)
    if journal.active is run.to:
        return journal
    began = [step.began for step in run.steps if step.name in (FLIP, TASKS) and run.was_begun(step.name)]
    since = min((moment(one) for one in began), default=moment(run.began))
    return replace(journal, serial=journal.serial + 1, active=run.to, since=iso(since), known_until=known_until or None)


def waiting(journal: Journal, now: datetime) -> Journal:
    """With the run waiting for the user's own tasks, which begin now."""
    return in_state(step_begun(journal, TASKS, {}, now), State.WAITING)


def tasks_ended(journal: Journal, told: bool, now: datetime) -> Journal:
    """With the user's own tasks over. `told`: whether anybody said that they were done."""
    return step_ended(journal, TASKS, {} if told else {"told": False}, now)


def finished(journal: Journal, now: datetime, result: Mapping[str, Any]) -> Journal:
    """With the run at its end."""
    return _with_run(journal, replace(_open(journal), state=State.DONE, ended=iso(now), result=dict(result)))


def abandoned(journal: Journal, now: datetime) -> Journal:
    """With the run given up; the active end stays the one that it is."""
    return _with_run(journal, replace(_open(journal), state=State.ABANDONED, ended=iso(now)))


def newest(journals: Iterable[Journal | None], pair: str) -> Journal:
    """The newest of several copies; an empty journal when there is none."""
    known = [journal for journal in journals if journal is not None]
    return max(known, key=lambda journal: journal.serial, default=Journal(pair))


def _open(journal: Journal) -> Run:
    if journal.open_run is None:
        raise ValueError(f"pair '{journal.pair}' has no open run")
    return journal.open_run


def _step(journal: Journal, name: str) -> Step:
    step = _open(journal).step(name)
    if step is None:
        raise ValueError(f"pair '{journal.pair}': the step '{name}' was not begun")
    return step


def _with_run(journal: Journal, run: Run) -> Journal:
    return replace(journal, serial=journal.serial + 1, run=run)


def _with_step(journal: Journal, step: Step) -> Journal:
    """A step that is there already is replaced where it stands."""
    run = _open(journal)
    names = [one.name for one in run.steps]
    steps = [step if one.name == step.name else one for one in run.steps]
    return _with_run(journal, replace(run, steps=tuple(steps if step.name in names else [*steps, step])))


# --- who may go on -------------------------------------------------------------------------------------------


def supersedes(run: Run, journey: Journey, to: Side, mode: Mode) -> bool:
    """Whether this wish takes the place of an open run, which cannot go on since an end that it needs is lost."""
    is_another = (run.journey, run.to) != (journey, to)
    return journey is Journey.FAILOVER and mode is Mode.UNPLANNED and is_another


def why_refused(run: Run, journey: Journey, to: Side, mode: Mode) -> str | None:
    """Why this wish is not taken up while a run is open; None: it goes on with that run, or supersedes it."""
    if supersedes(run, journey, to, mode):
        return None
    if (run.journey, run.to) != (journey, to):
        return (
            f"a {run.journey.value} to {run.to.value} is not finished: {run.id}, begun {run.began} by {run.operator}, "
            f"{run.state.value}. Run it again to its end, or give it up with `abandon: {run.id}` of that module."
        )
    if run.mode is Mode.UNPLANNED and mode is Mode.PLANNED:
        return (
            f"the run {run.id}, begun {run.began} by {run.operator}, is unplanned: it was taken for granted that the "
            "other end is lost. Go on with `mode: unplanned`."
        )
    return None


def alive_message(pair: str, run: Run) -> str:
    """What the second of two operators is told."""
    return (
        f"pair '{pair}': {run.operator} is at it: {run.journey.value} to {run.to.value}, run {run.id}, begun "
        f"{run.began}, last sign of life {run.beat_at or run.began}, {_at(run)}. Wait for it; if you know that it is "
        f"dead, set `take_over: {run.id}`."
    )


def _at(run: Run) -> str:
    if run.state is State.WAITING:
        return "waiting for that operator's own tasks"
    return f"at the step '{run.steps[-1].name}'" if run.steps else "before its first step"


# --- as text -------------------------------------------------------------------------------------------------


def moment(text: str) -> datetime:
    """A time as the journal has it.

    Raises:
        ValueError: it is none, or of an unknown time zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"the time {text!r} has no time zone")
    return found.astimezone(UTC)


def _time(found: Any) -> str:
    """A time that was read, as it stands there."""
    moment(found)
    return str(found)


def _time_if_any(found: Any) -> str | None:
    return None if found is None else _time(found)


def as_document(journal: Journal) -> dict[str, Any]:
    """Plain values."""
    return {"schema": SCHEMA, **asdict(journal)}


def as_text(journal: Journal) -> str:
    """As it is stored."""
    return json.dumps(as_document(journal), indent=1, sort_keys=True) + "\n"


def run_as_text(pair: str, run: Run) -> str:
    """A run by itself, as it is kept when the next one has begun."""
    return json.dumps({"schema": SCHEMA, "pair": pair, **asdict(run)}, indent=1, sort_keys=True) + "\n"


def from_text(text: str) -> Journal:
    """The journal of a text.

    Raises:
        JournalBroken: it is none, or of a newer collection.
    """
    try:
        found = json.loads(text)
        if found["schema"] != SCHEMA:
            raise JournalBroken(
                f"it has schema {found['schema']}, and this collection knows {SCHEMA}. Use the newer collection."
            )
        run = found["run"]
        return Journal(
            pair=str(found["pair"]),
            serial=int(found["serial"]),
            active=Side(found["active"]),
            since=_time_if_any(found["since"]),
            known_until=_time_if_any(found["known_until"]),
            run=None if run is None else run_from(run),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JournalBroken(f"it is no journal of this collection ({type(error).__name__}: {error})") from error


def run_from(found: Mapping[str, Any]) -> Run:
    """A run of plain values; keys that are not a run's mean nothing."""
    return Run(
        id=str(found["id"]),
        journey=Journey(found["journey"]),
        to=Side(found["to"]),
        mode=Mode(found["mode"]),
        reason=str(found["reason"]),
        began=_time(found["began"]),
        operators=tuple(Operator(**one) for one in found["operators"]),
        state=State(found["state"]),
        beat=int(found["beat"]),
        beat_at=_time(found["beat_at"]) if found["beat_at"] else "",
        ended=_time_if_any(found["ended"]),
        inputs=_inputs_from(found["inputs"]),
        steps=tuple(_step_from(one) for one in found["steps"]),
        result=dict(found["result"]),
    )


def _inputs_from(found: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run, some of which are times."""
    for name in ("declared_at", "known_until", "since"):
        _time_if_any(found.get(name))
    return dict(found)


def _step_from(found: Mapping[str, Any]) -> Step:
    times = {"began": _time(found["began"]), "ended": _time_if_any(found["ended"])}
    return Step(**{**found, **times, "state": State(found["state"])})
