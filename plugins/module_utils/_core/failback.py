# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a failback is to do: its options, its steps in order, how long each is expected to take, and what is said of it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .causes import ACCEPTED, NEVER_ACCEPTED, Cause
from .conflicts import Conflict, Decision, Policy
from .failover import Expected, Phase, check_topics
from .fence import check_exempt
from .journal import TASKS, Journal, Journey, Run, Side, State, moment
from .journey_words import seconds_of
from .model import Direction, InvalidInput, Pair
from .operations import check_path
from .routes import EXPECTED_SECONDS, check_mrap

HEALTHY, DRAIN_REVERSE, BACKFILL, VERIFY, CONFLICTS = "healthy", "drain_reverse", "backfill", "verify", "conflicts"
FENCE, DRAIN, LIFT_PRIMARY, RESOLVE, FLIP = "fence", "drain", "lift_primary", "resolve", "flip"
LIFT_DR, CONFIRM, ANNOUNCE = "lift_dr", "confirm", "announce"
SWITCHING = (HEALTHY, DRAIN_REVERSE, BACKFILL, VERIFY, CONFLICTS, FENCE, DRAIN, LIFT_PRIMARY, RESOLVE, FLIP)
CONFIRMING = (LIFT_DR, CONFIRM, ANNOUNCE)

_LOSS = timedelta(minutes=15)
"""How far back the primary's last words are looked for, if the failover could not tell what had arrived."""


@dataclass(frozen=True, slots=True)
class FailbackWishes:
    """The options of a failback that are not the pair's.

    Attributes:
        accepted: causes of differences that are no obstacle.
        max_missing: so many versions may stay behind at the DR bucket that cannot be replicated again.
        budget_usd: what the backfill may cost; None: any cost will do.
        abandon, take_over: the ID of a run; empty: none.

    Raises:
        InvalidInput: one of them cannot be right; nothing was asked of AWS.
    """

    phase: Phase = Phase.ALL
    reason: str = ""
    conflicts: Policy = Policy.STOP
    accepted: frozenset[Cause] = frozenset(ACCEPTED)
    max_missing: int = 0
    max_head_requests: int = 10_000
    budget_usd: float | None = None
    backfill_seconds: int = 86_400
    fence: bool = True
    exempt: tuple[str, ...] = ()
    drain_seconds: int = 900
    mrap: str = ""
    pointer_path: str = ""
    topics: tuple[str, ...] = ()
    recovery_bucket: str = ""
    take_over: str = ""
    abandon: str = ""

    def __post_init__(self) -> None:
        for name, value, least in (
            ("drain_seconds", self.drain_seconds, 1),
            ("backfill_seconds", self.backfill_seconds, 1),
            ("max_missing_objects", self.max_missing, 0),
            ("max_head_requests", self.max_head_requests, 0),
        ):
            if value < least:
                raise InvalidInput(f"{name} is {value}. Use {least} or more.")
        if self.budget_usd is not None and self.budget_usd < 0:
            raise InvalidInput(f"budget_usd is {self.budget_usd}. Use 0 or more, or leave it out for any cost.")
        check_exempt(self.exempt)
        check_topics(self.topics)
        if self.pointer_path:
            check_path(self.pointer_path)
        if self.phase is Phase.ALL and not self.flips and not self.abandon:
            raise InvalidInput(
                "nothing would send clients back to the primary. Name `mrap`, or `pointer_path`, or both; or do it by "
                "tasks of your own between `phase: switch` and `phase: confirm`."
            )

    @property
    def flips(self) -> bool:
        """Whether this collection itself sends clients back."""
        return bool(self.mrap or self.pointer_path)

    def check_for(self, pair: Pair) -> None:
        """Refuse what does not go with the pair, before AWS is asked.

        Raises:
            InvalidInput: the pair has no way back.
        """
        if pair.direction is Direction.ONE_WAY:
            raise InvalidInput(
                f"pair '{pair.name}' is one-way: nothing replicates from {pair.dr.bucket} to {pair.primary.bucket}, so "
                "what was written there would be lost. Declare `direction: two_way`, run setup.yml, then backfill.yml "
                "with `backfill_source: dr`, then the failback."
            )
        if self.mrap:
            check_mrap(self.mrap, [])

    def as_inputs(self) -> dict[str, Any]:
        """What the journal keeps of them."""
        return {
            "conflicts": self.conflicts.value,
            "accepted_causes": sorted(cause.value for cause in self.accepted),
            "max_missing_objects": self.max_missing,
            "budget_usd": self.budget_usd,
            "fence": self.fence,
            "fence_exempt_principals": list(self.exempt),
            "drain_seconds": self.drain_seconds,
            "mrap": self.mrap,
            "pointer_path": self.pointer_path,
            "topics": list(self.topics),
        }


# --- since when ----------------------------------------------------------------------------------------------


def since_of(journal: Journal) -> tuple[datetime, datetime]:
    """From when on writes at the primary, and at the DR bucket, may not have been known to the other end.

    The DR bucket is written to since clients were sent there. Of the primary's last words some had not arrived by then:
    those after the recovery point of the failover, or if that is not known, of the last 15 minutes before it began.
    Runs that were given up or superseded since then change nothing of it.
    """
    flipped, run = moment(journal.since) if journal.since else datetime.min.replace(tzinfo=UTC), journal.run
    if not journal.since or run is None:
        return flipped, flipped
    known = journal.known_until or run.inputs.get("known_until")
    if known:
        return min(moment(known), flipped), flipped
    is_failover = run.journey is Journey.FAILOVER and run.to is Side.DR
    return (min(moment(run.began), flipped) if is_failover else flipped) - _LOSS, flipped


# --- how far a run has come ----------------------------------------------------------------------------------


def has_sent_clients(run: Run) -> bool:
    """Whether clients may be on their way to the primary. From then on nothing at either end is judged or resolved."""
    return run.was_begun(FLIP) or run.was_begun(TASKS)


def may_be_confirmed(run: Run) -> bool:
    """Whether clients are at the primary, as far as this run or its operator can tell."""
    flip = run.step(FLIP)
    return run.was_begun(TASKS) or (flip is not None and flip.state is State.DONE)


def why_kept(last: Run | None, wanted: str) -> str:
    """Why a run cannot be given up; empty: it can.

    Args:
        last: the last run of the journal.
        wanted: the ID of the run that is to be given up.
    """
    if last is None or last.id != wanted:
        there = f", which is {last.id}." if last else ", since there is none."
        return f"the run {wanted} is not the last one{there} Look at it with failover_status.yml."
    if last.journey is not Journey.FAILBACK:
        return f"{last.id} is a {last.journey.value} to {last.to.value}. Abandon it as that."
    if last.state is State.DONE:
        return f"{last.id} is done. Fail over again instead."
    if has_sent_clients(last):
        return (
            f"the run {last.id} has begun to send clients to the primary, so it cannot be given up. Run it to its end, "
            "then fail over again. If the primary Region is lost, use s3_dr_failover with `mode: unplanned`."
        )
    return ""


# --- steps ---------------------------------------------------------------------------------------------------

_ESTIMATED = {
    HEALTHY: 5.0,
    DRAIN_REVERSE: 60.0,
    BACKFILL: 10.0,
    VERIFY: 10.0,
    CONFLICTS: 10.0,
    FENCE: 10.0,
    DRAIN: 60.0,
    LIFT_PRIMARY: 5.0,
    RESOLVE: 10.0,
    FLIP: 2.0,
    TASKS: 0.0,
    LIFT_DR: 5.0,
    CONFIRM: 60.0,
    ANNOUNCE: 2.0,
}


def steps_of(wishes: FailbackWishes, last: Run | None) -> list[Expected]:
    """The steps in order.

    Args:
        last: the last run of the pair; the times of a failback are the best guess.
    """
    tasks = (TASKS,) if wishes.phase is not Phase.ALL else ()
    return [_expected(name, wishes, last) for name in (*SWITCHING, *tasks, *CONFIRMING)]


def why_skipped(name: str, wishes: FailbackWishes) -> str:
    """Why a step is not done; empty: it is."""
    if name == FENCE and not wishes.fence:
        return "`fence` is false: you keep the writers away yourself"
    if name == FLIP and not wishes.flips:
        return "your own tasks send clients back"
    if name == ANNOUNCE and not wishes.topics:
        return "`topics` is empty"
    return ""


def _expected(name: str, wishes: FailbackWishes, last: Run | None) -> Expected:
    skipped = why_skipped(name, wishes)
    if skipped:
        return Expected(name, 0.0, "estimated", skipped)
    step = last.step(name) if last is not None and last.journey is Journey.FAILBACK else None
    once = step is not None and step.state is State.DONE and step.attempts == 1
    took = seconds_of(step) if once and step is not None else None
    if took is not None and step is not None and "skipped" not in step.result:
        return Expected(name, took, "measured")
    if name == FLIP and wishes.mrap:
        return Expected(name, float(EXPECTED_SECONDS), "documented")
    return Expected(name, _ESTIMATED[name], "estimated")


# --- what is in the way --------------------------------------------------------------------------------------


def accepted_for(wishes: FailbackWishes, made_anew: bool) -> frozenset[Cause]:
    """The causes that are no obstacle. Conflicts are a step of their own.

    A version that only the DR bucket holds is usually one that was deleted at the primary. Not so if that was lost.
    """
    accepted = wishes.accepted | {Cause.CONFLICT}
    return accepted - {Cause.VERSION_DELETED_AT_SOURCE} if made_anew else accepted


def new_obstacles(left_behind: Mapping[str, int], accepted: Collection[Cause], max_missing: int) -> dict[str, int]:
    """What was left behind by the last drain that nobody has accepted."""
    found = {
        cause: count
        for cause, count in left_behind.items()
        if Cause(cause) not in accepted or Cause(cause) in NEVER_ACCEPTED
    }
    return found if sum(found.values()) > max_missing else {}


def in_words(counts: Mapping[str, int]) -> str:
    """For example `3 failed, 1 late`."""
    return ", ".join(f"{count} {cause}" for cause, count in counts.items())


def conflicts_message(pair: str, total: int, open_ones: list[tuple[Conflict, Decision]], policy: Policy) -> str:
    """What is said of conflicts that stop a failback."""
    conflict, decision = open_ones[0]
    counted = "1 key was" if total == 1 else f"{total} keys were"
    said = f"pair '{pair}': {counted} written at both ends, for example '{conflict.key}'"
    if policy is Policy.STOP:
        return (
            f"{said}. Look at `conflicts`, then run again with `conflicts: keep_dr`, `keep_primary` or `newest`. Both "
            "versions of each key stay at both ends, whoever wins."
        )
    return f"{said}. {len(open_ones)} of them cannot be resolved: {decision.why}."


# --- what it came to -----------------------------------------------------------------------------------------


def outcome_result(run: Run) -> dict[str, Any]:
    """What the run keeps: how long nobody could write, and when the primary was verified."""
    fence, flip, confirm = run.step(FENCE), run.step(FLIP), run.step(CONFIRM)
    closed = None
    if fence and flip and fence.ended and flip.ended and "skipped" not in fence.result:
        closed = int((moment(flip.ended) - moment(fence.began)).total_seconds())
    return {
        "seconds_without_writes": closed,
        "verified_at": confirm.result.get("verified_at") if confirm else None,
        "conflicts": _result(run, RESOLVE).get("conflicts_total", 0),
        "backfilled": _result(run, BACKFILL).get("versions", 0),
    }


def _result(run: Run, name: str) -> Mapping[str, Any]:
    step = run.step(name)
    return step.result if step is not None and step.state is State.DONE else {}


def announcement(pair: Pair, run: Run) -> tuple[str, str]:
    """Subject and text of the message that tells of a failback."""
    outcome = outcome_result(run)
    closed = outcome["seconds_without_writes"]
    text = (
        f"Pair {pair.name} is served from {pair.primary.bucket} in {pair.primary.region} again.\n"
        f"Before: {pair.dr.bucket} in {pair.dr.region}.\n"
        f"Failback {run.id} by {run.operator.user}@{run.operator.host}. Reason: {run.reason or 'none'}.\n"
        f"Backfilled: {outcome['backfilled']} versions. Conflicts resolved: {outcome['conflicts']}. "
        f"Closed for writers: {'not' if closed is None else f'{closed} s'}.\n"
        f"Next: write to {pair.primary.bucket} only.\n"
    )
    return f"s3-dr: {pair.name} is back in {pair.primary.region}", text
