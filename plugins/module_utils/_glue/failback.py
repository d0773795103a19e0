# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One failback of one pair, from the look whether the primary is healthy to the message that clients are back.

Until clients are sent back, what was looked at is looked at again by each run that goes on: meanwhile the DR bucket is
in use. The order of the fences: the DR bucket is closed first, the primary is open before clients come, and the DR
bucket opens when they have left.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure, Gateway
from .._core.batch_prices import Prices
from .._core.failback import (
    ANNOUNCE,
    BACKFILL,
    CONFIRM,
    CONFLICTS,
    DRAIN,
    DRAIN_REVERSE,
    FENCE,
    FLIP,
    HEALTHY,
    LIFT_DR,
    LIFT_PRIMARY,
    RESOLVE,
    VERIFY,
    FailbackWishes,
    announcement,
    has_sent_clients,
    may_be_confirmed,
    outcome_result,
    since_of,
    steps_of,
    why_kept,
    why_skipped,
)
from .._core.failover import Phase
from .._core.journal import Journal, Journey, Mode, Run, Side, State, moment, why_refused
from .._core.journey_words import run_result, timeline
from .._core.model import Pair, Refused
from .clients import Clients
from .failback_conflicts import Conflicts
from .failback_steps import (
    backfill,
    confirm,
    drain_backlog,
    drain_for_good,
    drain_to_made_anew,
    look_at_health,
    told_since,
    verify_both_ways,
)
from .journal_homes import Homes
from .journey import JourneyRun, Wanted, how_to_go_on, opened, operator
from .reconcile import NotProven
from .site import LOOK_SECONDS, PATIENT_SECONDS, Site, caller_arn, looked_at, require_both, sign_in
from .switching import announce, fence, flip, lift, spared

_MADE_ANEW = "the primary was made anew: what it lacks is backfilled"
_ABANDONED = "lift"
"""The step of a run that is abandoned."""


class Failback:
    """One task. `result` tells at any time what was done so far."""

    def __init__(
        self,
        module: AnsibleAWSModule,
        gateway: Gateway,
        clients: Clients,
        pair: Pair,
        wishes: FailbackWishes,
        prices: Prices,
    ) -> None:
        self._module = module
        self._gateway = gateway
        self._clients = clients
        self._pair = pair
        self._wishes = wishes
        self._prices = prices
        self._journal: Journal | None = None
        self._open: JourneyRun | None = None
        self._predicted: list[dict[str, Any]] = []
        self._refused: list[str] = []
        self._missing: Mapping[str, Any] | None = None
        self._conflicts: Mapping[str, Any] = {}
        self._change: dict[str, Any] = {"changed": False, "steps": [], "diff": []}
        self._notes: list[str] = []

    def run(self) -> dict[str, Any]:
        """Do it, or in check mode say what would be done.

        Raises:
            InvalidInput, Refused: nothing was changed.
            AwsFailure, NotProven: a step failed; another run goes on with it.
        """
        site = self._sign_in_at_dr() if self._wishes.abandon else self._sign_in()
        homes = Homes.of(site, self._wishes.recovery_bucket, Side.DR)
        journal = self._journal = homes.read(LOOK_SECONDS if site.lost else PATIENT_SECONDS)
        if not site.lost:
            homes.require_all_read()
        if self._wishes.abandon:
            self._abandon(site, homes, journal)
        elif self._is_to_be_done(journal):
            self._fail_back(site, homes, journal)
        self._notes += homes.notes
        return self.result()

    def _sign_in(self) -> Site:
        pair = self._pair
        try:
            site, looking = sign_in(self._module, self._gateway, self._clients, pair, Side.PRIMARY, PATIENT_SECONDS)
        except AwsFailure as failure:
            raise AwsFailure(
                f"pair '{pair.name}': a failback needs {pair.primary.region}, and nobody could be signed in there: "
                f"{failure}"
            ) from failure
        site = looked_at(site, looking)
        if site.lost:
            raise Refused(
                f"pair '{pair.name}': a failback needs both ends, and {pair.dr.bucket} is not there: "
                f"{site.lost.rstrip('.')}. If it is lost, use s3_dr_failover with `to: primary` and `mode: unplanned`."
            )
        return self._signed_in_to_both(site)

    def _sign_in_at_dr(self) -> Site:
        """The site of a run that is given up: the DR Region is enough, and the primary is used if it is there."""
        pair = self._pair
        site, looking = sign_in(self._module, self._gateway, self._clients, pair, Side.DR, PATIENT_SECONDS)
        site = looked_at(site, looking)
        return site if site.lost else self._signed_in_to_both(site)

    def _signed_in_to_both(self, site: Site) -> Site:
        pair, site = self._pair, require_both(site)
        beyond = [end.bucket for end in (pair.primary, pair.dr) if not site.accounts[end.bucket].ours]
        if beyond:
            raise Refused(
                f"pair '{pair.name}': this task has no credentials of the account of {', '.join(beyond)}. Give that "
                "end `profile` or `assume_role_arn`."
            )
        return site

    def _is_to_be_done(self, journal: Journal) -> bool:
        """Whether there is anything to do; a run of somebody else's, or for something else, is refused."""
        there, confirms = journal.open_run, self._wishes.phase is Phase.CONFIRM
        if there is not None:
            reason = why_refused(there, Journey.FAILBACK, Side.PRIMARY, Mode.PLANNED)
            if reason:
                raise Refused(f"pair '{self._pair.name}': {reason}")
            if confirms and not may_be_confirmed(there):
                raise Refused(
                    f"pair '{self._pair.name}': there is nothing to confirm yet, since the run {there.id} has not come "
                    "past its step 'flip'. Run `phase: switch` first."
                )
            return True
        if journal.active is Side.PRIMARY:
            self._notes.append("The primary is active, and no run is open. Nothing was done.")
            return False
        if confirms:
            raise Refused(f"pair '{self._pair.name}': no run is open. Run `phase: switch` first.")
        return True

    # --- the way ----------------------------------------------------------------------------------------------

    def _fail_back(self, site: Site, homes: Homes, journal: Journal) -> None:
        if site.is_predicting:
            self._predict(site, journal)
            return
        arn = caller_arn(self._clients, self._pair.dr.region, site.account(Side.DR))
        inputs = {**self._wishes.as_inputs(), **told_since(since_of(journal))}
        wanted = Wanted(
            Journey.FAILBACK, Side.PRIMARY, Mode.PLANNED, self._wishes.reason, self._wishes.take_over, inputs
        )
        self._open = opened(homes, journal, wanted, operator(arn))
        self._change["changed"] = True
        with self._open.living():
            self._go(site, self._open)

    def _go(self, site: Site, run: JourneyRun) -> None:
        wishes = self._wishes
        if wishes.phase is not Phase.CONFIRM:
            if not has_sent_clients(run.run):
                self._prepare(site, run)
                self._close(site, run)
            self._flip(site, run)
            if wishes.flips:
                run.switched()
            if wishes.phase is Phase.SWITCH:
                run.wait_for_tasks()
                return
        run.tasks_are_done(told=wishes.phase is Phase.CONFIRM)
        run.switched()
        self._confirm(site, run)

    def _prepare(self, site: Site, run: JourneyRun) -> None:
        """Everything that can be done while clients write at the DR bucket."""
        wishes, before = self._wishes, run.run.step(HEALTHY)
        known = {**before.inputs, **before.result} if before else {}
        flipped = moment(run.run.inputs["since"])
        healthy = run.step(HEALTHY, known, lambda: look_at_health(site, flipped, known), again=True)
        anew = bool(healthy["primary_made_anew"])
        if anew:
            run.step(DRAIN_REVERSE, {}, lambda: {"skipped": _MADE_ANEW}, again=True)
        else:
            seconds = wishes.drain_seconds
            run.step(DRAIN_REVERSE, {"seconds": seconds}, lambda: drain_backlog(site, seconds), again=True)
        limits = {"budget_usd": wishes.budget_usd}
        self._missing = run.step(BACKFILL, limits, lambda: backfill(site, wishes, self._prices, anew), again=True)
        self._changing(self._missing)
        run.step(VERIFY, {}, lambda: verify_both_ways(site, wishes, anew), again=True)
        conflicts = self._conflicts_of(site, run, anew)
        self._conflicts = self._telling(run, CONFLICTS, conflicts.listed)

    def _close(self, site: Site, run: JourneyRun) -> None:
        """From here on clients cannot write, until they are at the primary."""
        wishes, healthy = self._wishes, run.run.step(HEALTHY)
        anew = healthy is not None and bool(healthy.result["primary_made_anew"])
        conflicts = self._conflicts_of(site, run, anew)
        if self._is_wanted(run, FENCE):
            exempt = spared(site, self._wishes.exempt)
            self._changing(run.step(FENCE, {"exempt": exempt}, lambda: fence(site, Side.DR, exempt), again=True))
        limits = {"seconds": wishes.drain_seconds}
        drained = drain_to_made_anew if anew else drain_for_good
        run.step(DRAIN, limits, lambda: drained(site, wishes), again=True)
        self._changing(run.step(LIFT_PRIMARY, {}, lambda: lift(site, Side.PRIMARY), again=True))
        self._conflicts = self._telling(run, RESOLVE, conflicts.resolve)
        self._notes += self._conflicts.get("notes", [])

    def _flip(self, site: Site, run: JourneyRun) -> None:
        """Send clients back. Some may write at the primary as soon as this was begun, though it has failed."""
        wishes = self._wishes
        if self._is_wanted(run, FLIP):
            inputs = {"mrap": wishes.mrap, "pointer_path": wishes.pointer_path}
            done = run.step(
                FLIP,
                inputs,
                lambda: flip(site, wishes.mrap, wishes.pointer_path, run.run.id, datetime.now(UTC)),
                renew_if_changed=True,
            )
            self._changing(done)
            owed = (done["pointer"] or {}).get("owed", {})
            self._notes += [f"The pointer in {region} is owed: {why}" for region, why in owed.items()]

    def _confirm(self, site: Site, run: JourneyRun) -> None:
        """Clients are at the primary."""
        wishes = self._wishes
        self._changing(run.step(LIFT_DR, {}, lambda: lift(site, Side.DR)))
        checked = run.step(CONFIRM, {}, lambda: confirm(site, wishes.drain_seconds))
        self._notes += [f"A canary stays: {one}" for one in checked["left_behind"]]
        if self._is_wanted(run, ANNOUNCE):
            subject, text = announcement(self._pair, run.run)
            topics = wishes.topics
            told = run.step(ANNOUNCE, {"topics": list(topics)}, lambda: announce(site, topics, subject, text))
            self._notes += [f"{one['topic']} was not told: {one['why']}" for one in told["untold"]]
        run.finish(outcome_result(run.run))

    def _conflicts_of(self, site: Site, run: JourneyRun, anew: bool) -> Conflicts:
        return Conflicts(site, self._wishes, _window(run.run), anew, run.run.is_done(RESOLVE))

    def _telling(self, run: JourneyRun, name: str, body: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """A step about conflicts; if it fails, the task tells which."""
        try:
            return run.step(name, {"policy": self._wishes.conflicts.value}, body, again=True)
        except AwsFailure as failure:
            self._conflicts = getattr(failure, "result", {})
            raise

    def _is_wanted(self, run: JourneyRun, name: str) -> bool:
        """Whether the step is to be done; if not, the journal is told why, but keeps what was begun before."""
        reason = why_skipped(name, self._wishes)
        if reason and not run.run.was_begun(name):
            run.skip(name, reason)
        return not reason

    def _changing(self, done: Mapping[str, Any]) -> None:
        """What a step changed in AWS's documents."""
        self._change["steps"] += done["steps"]
        self._change["diff"] += done["diff"]

    # --- check mode -------------------------------------------------------------------------------------------

    def _predict(self, site: Site, journal: Journal) -> None:
        """The steps in order, what is missing at the primary, and the conflicts as they are. Nothing is written."""
        there, wishes = journal.open_run, self._wishes
        self._change["changed"] = True
        sent = there is not None and has_sent_clients(there)
        done = {step.name for step in there.steps if step.state is State.DONE} if there and sent else set()
        left = [one for one in steps_of(wishes, journal.run) if one.name not in done]
        self._predicted = [
            {
                "step": one.name,
                "state": "skipped" if one.skipped else "expected",
                "expected_seconds": one.seconds,
                "expected_by": one.why,
                "skipped": one.skipped or None,
            }
            for one in left
        ]
        if sent:
            self._changing(lift(site, Side.DR))
            return
        since = _window(there) if there else since_of(journal)
        anew = self._predict_health(site, since[1])
        if anew is None:
            return
        self._predict_one(lambda: self._predict_backfill(site, anew))
        self._predict_one(lambda: self._predict_conflicts(site, since, anew))
        if wishes.fence:
            self._changing(fence(site, Side.DR, spared(site, self._wishes.exempt)))

    def _predict_health(self, site: Site, flipped: datetime) -> bool | None:
        """Whether the primary was made anew; None: it is not healthy, which is said."""
        try:
            return bool(look_at_health(site, flipped, {})["primary_made_anew"])
        except (AwsFailure, Refused) as failure:
            self._refused.append(str(failure))
            return None

    def _predict_one(self, body: Callable[[], None]) -> None:
        try:
            body()
        except (AwsFailure, Refused, NotProven) as failure:
            self._refused.append(str(failure))

    def _predict_backfill(self, site: Site, anew: bool) -> None:
        self._missing = backfill(site, self._wishes, self._prices, anew)
        self._changing(self._missing)

    def _predict_conflicts(self, site: Site, since: tuple[datetime, datetime], anew: bool) -> None:
        conflicts = Conflicts(site, self._wishes, since, anew, resolved=False)
        self._conflicts = conflicts.seen()
        conflicts.listed()

    # --- giving up --------------------------------------------------------------------------------------------

    def _abandon(self, site: Site, homes: Homes, journal: Journal) -> None:
        """Open the DR bucket again and close the run, unless clients may have been sent back already."""
        there, reason = journal.run, why_kept(journal.run, self._wishes.abandon)
        if there is None or reason:
            raise Refused(f"pair '{self._pair.name}': {reason}")
        if there.state is State.ABANDONED:
            return
        self._change["changed"] = True
        if site.is_predicting:
            self._reopen(site, there)
            return
        arn = caller_arn(self._clients, self._pair.dr.region, site.account(Side.DR))
        wanted = Wanted(Journey.FAILBACK, Side.PRIMARY, Mode.PLANNED, take_over=self._wishes.take_over)
        self._open = opened(homes, journal, wanted, operator(arn))
        with self._open.living():
            self._open.step(_ABANDONED, {}, lambda: self._reopen(site, there), again=True)
            self._open.abandon()

    def _reopen(self, site: Site, there: Run) -> dict[str, Any]:
        """Clients stay at the DR bucket: it opens, and the primary is closed again if it was before.

        The bucket itself is looked at, not the journal: a fence may stand of which the journal does not tell.
        """
        done: dict[str, Any] = {}
        healthy = there.step(HEALTHY)
        was_fenced = healthy is not None and {**healthy.inputs, **healthy.result}.get("primary_was_fenced")
        if was_fenced and there.was_begun(LIFT_PRIMARY):
            if site.lost:
                done["primary"] = {"skipped": site.lost}
                self._notes.append(
                    f"{self._pair.primary.bucket} was not closed again: {site.lost.rstrip('.')}. If it comes back, it "
                    "takes writes from whoever still uses it."
                )
            else:
                done["primary"] = fence(site, Side.PRIMARY, spared(site, self._wishes.exempt))
                self._changing(done["primary"])
        done["dr"] = lift(site, Side.DR)
        self._changing(done["dr"])
        return done

    # --- the result -------------------------------------------------------------------------------------------

    def how_to_go_on(self) -> str:
        """What is told with a failure."""
        return how_to_go_on(self._open)

    def result(self) -> dict[str, Any]:
        """What the task returns, as far as it came."""
        journal = self._open.journal if self._open else self._journal
        if journal is None:
            return {"api_calls": self._clients.api_calls()}
        run = journal.run
        ours = run if run is not None and (self._open is not None or journal.open_run is not None) else None
        done = run is not None and run.journey is Journey.FAILBACK and run.state is State.DONE
        return {
            **self._change,
            "active": journal.active.value,
            "since": journal.since,
            "run": run_result(run) if run is not None else None,
            "timeline": self._predicted or (timeline(ours) if ours else []),
            "missing": self._missing,
            "conflicts": self._conflicts.get("conflicts", []),
            "conflicts_total": self._conflicts.get("conflicts_total", 0),
            "refused": self._refused,
            "seconds_without_writes": run.result.get("seconds_without_writes") if run is not None and done else None,
            "notes": [*self._notes, *(self._open.notes if self._open else [])],
            "api_calls": self._clients.api_calls(),
        }


def _window(run: Run) -> tuple[datetime, datetime]:
    """From when on writes at the primary, and at the DR bucket, may not have been known to the other."""
    return moment(run.inputs["known_until"]), moment(run.inputs["since"])
