# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a failover is to do: its options, its steps in order, how long each is expected to take, and what is said of it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .fence import check_exempt
from .journal import TASKS, Mode, Run, Side, State
from .journal import Step as Done
from .journey_words import seconds_of
from .loss import Limits
from .model import Direction, InvalidInput, Pair
from .operations import check_path
from .routes import EXPECTED_SECONDS, check_mrap

ASSESS, FENCE, DRAIN, FLIP, VERIFY, ANNOUNCE = "assess", "fence", "drain", "flip", "verify", "announce"
LIFT = "lift"
"""Of a run that is abandoned."""
OPEN = "open"
"""The fence of the new end is lifted; only where one stands."""

DEFAULT_LIMITS = Limits(900, 0)
_TOPIC = re.compile(r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w.-]+")


class Phase(StrEnum):
    """Which part of a failover a task does: all of it, or what is before and after the user's own tasks."""

    ALL = "all"
    SWITCH = "switch"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class FailoverWishes:
    """The options of a failover that are not the pair's.

    Attributes:
        declared_at: when the failure was declared; None: when the run begins.
        abandon, take_over: the ID of a run; empty: none.

    Raises:
        InvalidInput: one of them cannot be right; nothing was asked of AWS.
    """

    to: Side = Side.DR
    mode: Mode = Mode.PLANNED
    phase: Phase = Phase.ALL
    reason: str = ""
    accept_data_loss: bool = False
    limits: Limits = DEFAULT_LIMITS
    fence: bool = True
    exempt: tuple[str, ...] = ()
    drain_seconds: int = 900
    mrap: str = ""
    pointer_path: str = ""
    status_path: str = ""
    topics: tuple[str, ...] = ()
    recovery_bucket: str = ""
    take_over: str = ""
    abandon: str = ""
    declared_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.accept_data_loss and not self.reason.strip():
            raise InvalidInput(
                "`accept_data_loss` needs a `reason`, since the journal keeps why data was given up. Write one."
            )
        if self.drain_seconds < 1 or self.limits.seconds < 0 or self.limits.objects < 0:
            raise InvalidInput(
                "`drain_seconds` is at least 1, and `max_loss_seconds` and `max_loss_objects` are not negative. "
                "Correct them."
            )
        if self.to is Side.PRIMARY and self.mode is Mode.PLANNED and not self.abandon:
            raise InvalidInput(
                "a planned way back to the primary is a failback, which backfills and looks for conflicts first: use "
                "crossregion.s3_dr.s3_dr_failback. If the DR Region is lost, set `mode: unplanned`."
            )
        check_exempt(self.exempt)
        check_topics(self.topics)
        for path in (self.pointer_path, self.status_path):
            if path:
                check_path(path)
        if self.pointer_path and self.pointer_path == self.status_path:
            raise InvalidInput(
                f"`pointer_path` and `status_path` are both {self.pointer_path}, and each has a parameter of the "
                "pair's name below it. Choose another path for one of them."
            )
        if self.phase is Phase.ALL and not self.flips and not self.abandon:
            raise InvalidInput(
                "nothing would send clients to the other end. Name `mrap`, or `pointer_path`, or both; or do it by "
                "tasks of your own between `phase: switch` and `phase: confirm`."
            )

    @property
    def flips(self) -> bool:
        """Whether this collection itself sends clients to the other end."""
        return bool(self.mrap or self.pointer_path)

    def check_for(self, pair: Pair) -> None:
        """Refuse what does not go with the pair, before AWS is asked.

        Raises:
            InvalidInput: as of the name of an access point that only a lost Region could look up.
        """
        lost = pair.primary.region if self.to is Side.DR else pair.dr.region
        if self.mrap:
            check_mrap(self.mrap, [lost] if self.mode is Mode.UNPLANNED else [])

    def as_inputs(self) -> dict[str, Any]:
        """What the journal keeps of them."""
        return {
            "accept_data_loss": self.accept_data_loss,
            "max_loss_seconds": self.limits.seconds,
            "max_loss_objects": self.limits.objects,
            "fence": self.fence,
            "fence_exempt_principals": list(self.exempt),
            "drain_seconds": self.drain_seconds,
            "mrap": self.mrap,
            "pointer_path": self.pointer_path,
            "topics": list(self.topics),
        }


def check_topics(topics: Iterable[str]) -> None:
    """Refuse what is no topic.

    Raises:
        InvalidInput: names it.
    """
    for topic in topics:
        if not _TOPIC.fullmatch(topic):
            raise InvalidInput(
                f"topics: '{topic}' is not the ARN of an SNS topic. Write it like "
                "arn:aws:sns:us-west-2:111122223333:name."
            )


@dataclass(frozen=True, slots=True)
class Expected:
    """One step that is to be done.

    Attributes:
        seconds: how long it should take.
        why: where that is from: `measured` by the last run of the pair, `documented` by AWS, or `estimated`.
        skipped: why it is not done; empty: it is.
    """

    name: str
    seconds: float
    why: str
    skipped: str = ""


_ESTIMATED = {ASSESS: 5.0, FENCE: 10.0, DRAIN: 60.0, OPEN: 5.0, FLIP: 2.0, TASKS: 0.0, VERIFY: 5.0, ANNOUNCE: 2.0}


def steps_of(wishes: FailoverWishes, last: Run | None, closed: bool = False) -> list[Expected]:
    """The steps in order.

    Args:
        last: the last run of the pair, whose times are the best guess.
        closed: whether a fence stands around the new end.
    """
    names = [
        ASSESS,
        FENCE,
        DRAIN,
        *([OPEN] if closed else []),
        FLIP,
        *([TASKS] if wishes.phase is not Phase.ALL else []),
        VERIFY,
        ANNOUNCE,
    ]
    return [_expected(name, wishes, last) for name in names]


def why_skipped(name: str, wishes: FailoverWishes) -> str:
    """Why a step is not done; empty: it is."""
    if name in (FENCE, DRAIN) and wishes.mode is Mode.UNPLANNED:
        return "unplanned: the other end is taken for lost"
    if name == FENCE and not wishes.fence:
        return "`fence` is false: you keep the writers away yourself"
    if name == FLIP and not wishes.flips:
        return "your own tasks send clients to the other end"
    if name == ANNOUNCE and not wishes.topics:
        return "`topics` is empty"
    return ""


def _expected(name: str, wishes: FailoverWishes, last: Run | None) -> Expected:
    skipped = why_skipped(name, wishes)
    if skipped:
        return Expected(name, 0.0, "estimated", skipped)
    step = last.step(name) if last is not None and last.mode is wishes.mode else None
    if step is not None and step.state is State.DONE and "skipped" not in step.result:
        # What was looked at before the run was begun took longer than its step.
        return Expected(name, float(step.result.get("seconds", seconds_of(step) or 0.0)), "measured")
    if name == FLIP and wishes.mrap:
        return Expected(name, float(EXPECTED_SECONDS), "documented")
    return Expected(name, _ESTIMATED[name], "estimated")


# --- what a person should know -------------------------------------------------------------------------------


def warnings_of(pair: Pair, wishes: FailoverWishes, lost: str) -> list[str]:
    """What must not be overlooked.

    Args:
        lost: why the other end is gone; empty: it answers.
    """
    new, old = (pair.dr, pair.primary) if wishes.to is Side.DR else (pair.primary, pair.dr)
    said = []
    if wishes.mode is Mode.UNPLANNED and not lost:
        then = "is a conflict that failback lists" if wishes.to is Side.DR else "may come here over what is newer"
        said.append(
            f"pair '{pair.name}': the failover is unplanned, and {old.bucket} ({old.region}) answers. Nobody keeps its "
            f"writers from it, so both ends may be written from now on. Stop them yourself; what they write until then "
            f"{then}."
        )
    if pair.direction is Direction.ONE_WAY and wishes.to is Side.DR:
        said.append(
            f"pair '{pair.name}' is one-way: what is written to {new.bucket} from now on does not come back by itself, "
            f"and a failback refuses. Prepare it with `direction: two_way` and setup.yml as soon as {old.region} "
            "answers."
        )
    if wishes.mode is Mode.PLANNED and not wishes.fence:
        said.append(
            f"pair '{pair.name}': no fence is put around {old.bucket}. What is still written there after the switch is "
            "a conflict that failback lists."
        )
    return said


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a failover came to, in numbers; None: not known, or not yet."""

    recovery_point: str | None = None
    loss_seconds: int | None = None
    loss_objects: int | None = None
    source_of_knowledge: str = "none"
    why: str = ""
    rto_seconds: int | None = None
    verified_at: str | None = None
    owed: tuple[str, ...] = field(default=())

    def loss(self) -> dict[str, Any]:
        """What was lost."""
        return {
            "recovery_point": self.recovery_point,
            "seconds": self.loss_seconds,
            "objects": self.loss_objects,
            "source_of_knowledge": self.source_of_knowledge,
            "why": self.why,
        }

    def as_result(self) -> dict[str, Any]:
        """What the run keeps."""
        return {
            "loss": self.loss(),
            "rto_seconds": self.rto_seconds,
            "rpo_seconds": self.loss_seconds,
            "verified_at": self.verified_at,
            "pointer_owed": list(self.owed),
        }


def outcome_of(run: Run) -> Outcome:
    """The numbers of a run, as far as it came."""
    loss = _loss_of(run)
    verify, flip = _result(run, VERIFY), _result(run, FLIP)
    declared, verified = run.inputs.get("declared_at") or run.began, verify.get("verified_at")
    rto = _between(str(declared), str(verified)) if verified else None
    return Outcome(
        recovery_point=loss.get("recovery_point"),
        loss_seconds=loss.get("seconds"),
        loss_objects=loss.get("objects"),
        source_of_knowledge=str(loss.get("source_of_knowledge", "none")),
        why=str(loss.get("why", "")),
        rto_seconds=rto,
        verified_at=verified,
        owed=tuple((flip.get("pointer") or {}).get("owed", {})),
    )


def _loss_of(run: Run) -> Mapping[str, Any]:
    """A drained bucket loses only what was left behind, even if that is too much to go on; else see the assessment."""
    drain = run.step(DRAIN)
    if drain is not None and "loss" in drain.result:
        return dict(drain.result["loss"])
    return dict(_result(run, ASSESS).get("loss", {}))


def _result(run: Run, name: str) -> Mapping[str, Any]:
    step: Done | None = run.step(name)
    return step.result if step is not None and step.state is State.DONE else {}


def _between(begin: str, end: str) -> int:
    return max(0, int((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()))


def writer_of_owed(to: Side) -> str:
    """What writes a pointer that could not be written in the Region that was lost."""
    return "the failback" if to is Side.DR else "setup.yml, when the Region answers again,"


def _when_healthy(pair: Pair, to: Side) -> str:
    """What is to be done when the other end is back. There is no failback from the primary."""
    if to is Side.DR:
        return f"When {pair.primary.region} is healthy, run failback.yml for this pair."
    late = (
        f" What {pair.dr.bucket} took before and had not replicated may still arrive at {pair.primary.bucket}, over "
        "what is written from now on; nothing lists these keys, so look for them."
        if pair.direction is Direction.TWO_WAY
        else ""
    )
    return f"When {pair.dr.region} is healthy, run setup.yml and then verify.yml for this pair.{late}"


def announcement(pair: Pair, run: Run) -> tuple[str, str]:
    """Subject and text of the message that tells of a failover. Short and plain, since it is read in a hurry."""
    new, old = (pair.dr, pair.primary) if run.to is Side.DR else (pair.primary, pair.dr)
    outcome = outcome_of(run)
    lost = (
        "not known"
        if outcome.loss_seconds is None
        else f"{outcome.loss_seconds} s, {'?' if outcome.loss_objects is None else outcome.loss_objects} objects"
    )
    writer = writer_of_owed(run.to)
    owed = f"\nOwed: the pointer in {', '.join(outcome.owed)}; {writer} writes it." if outcome.owed else ""
    text = (
        f"Pair {pair.name} is served from {new.bucket} in {new.region} now.\n"
        f"Before: {old.bucket} in {old.region}.\n"
        f"{run.mode.value} failover {run.id} by {run.operator.user}@{run.operator.host}.\n"
        f"Reason: {run.reason or 'none'}.\n"
        f"RTO: {outcome.rto_seconds} s. RPO: {lost}. Complete up to {outcome.recovery_point or 'not known'}.{owed}\n"
        f"Next: write to {new.bucket} only. {_when_healthy(pair, run.to)}\n"
    )
    return f"s3-dr: {pair.name} failed over to {new.region}", text
