# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One failover of one pair, from what may be lost to the message that it is done.

An unplanned one needs nothing of the Region that is lost, and no write of a bucket's configuration or of IAM, which
depend on us-east-1.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure, Gateway
from .._core.failover import (
    ANNOUNCE,
    ASSESS,
    DRAIN,
    FENCE,
    FLIP,
    LIFT,
    OPEN,
    VERIFY,
    FailoverWishes,
    Phase,
    announcement,
    outcome_of,
    steps_of,
    warnings_of,
    why_skipped,
    writer_of_owed,
)
from .._core.journal import TASKS, Journal, Journey, Mode, Run, State, iso, supersedes, why_refused
from .._core.journey_words import run_result, timeline
from .._core.loss import Loss, refusal
from .._core.model import Pair, Refused
from .clients import Clients
from .journal_homes import Homes, home_of
from .journey import JourneyRun, Wanted, how_to_go_on, opened, operator
from .site import LOOK_SECONDS, PATIENT_SECONDS, Meanwhile, Site, caller_arn, looked_at, require_both, sign_in
from .switching import (
    NotDrained,
    announce,
    check_end,
    drain,
    fence,
    flip,
    is_flipped,
    is_untouched,
    last_known,
    lift,
    look,
    open_end,
    routes_to_change,
    spared,
    told_by_pointer,
    what_is_read,
    why_closed,
)

_HOW_TO_ACCEPT = (
    "If that may be given up, set `accept_data_loss: true` (in the role, the pair's name in "
    "`failover_accept_data_loss`) and say why in `reason`; or raise `max_loss_seconds` and `max_loss_objects`."
)


class Failover:
    """One task. `result` tells at any time what was done so far."""

    def __init__(
        self, module: AnsibleAWSModule, gateway: Gateway, clients: Clients, pair: Pair, wishes: FailoverWishes
    ) -> None:
        self._module = module
        self._gateway = gateway
        self._clients = clients
        self._pair = pair
        self._wishes = wishes
        self._now = datetime.now(UTC)
        self._journal: Journal | None = None
        self._open: JourneyRun | None = None
        self._loss: Loss | None = None
        self._predicted: list[dict[str, Any]] = []
        self._change: dict[str, Any] = {"changed": False, "steps": [], "diff": []}
        self._notes: list[str] = []

    @property
    def _known(self) -> Journal:
        """The journal, which everything but signing in comes after."""
        if self._journal is None:
            raise RuntimeError("the journal has not been read")
        return self._journal

    def run(self) -> dict[str, Any]:
        """Do it, or in check mode say what would be done.

        Raises:
            InvalidInput, Refused: nothing was changed.
            AwsFailure: a step failed; another run goes on with it.
        """
        wishes = self._wishes
        seconds = PATIENT_SECONDS if wishes.mode is Mode.PLANNED else LOOK_SECONDS
        site, looking = sign_in(self._module, self._gateway, self._clients, self._pair, wishes.to, seconds)
        self._require_ours(site)
        homes = Homes.of(site, wishes.recovery_bucket, home_of(wishes.to, wishes.mode))
        self._journal = homes.read(seconds)
        self._notes += homes.notes
        if wishes.abandon:
            self._abandon(looked_at(site, looking), homes)
            return self.result()
        if wishes.mode is Mode.UNPLANNED:
            site = replace(site, hurry=LOOK_SECONDS)
        elif homes.unread:
            self._site_of(site, looking)  # that the other end is gone is the better reason
            homes.require_all_read()
        if self._is_to_be_done(site, homes):
            self._fail_over(site, looking, homes)
        return self.result()

    def _require_ours(self, site: Site) -> None:
        needed = [site.new] if self._wishes.mode is Mode.UNPLANNED else [site.new, site.old]
        beyond = [end.bucket for end in needed if not site.accounts[end.bucket].ours]
        if beyond:
            raise Refused(
                f"pair '{self._pair.name}': this task has no credentials of the account of {', '.join(beyond)}. Give "
                "that end `profile` or `assume_role_arn`."
            )

    def _is_to_be_done(self, site: Site, homes: Homes) -> bool:
        """Whether there is anything to do; a run of somebody else's, or for something else, is refused."""
        wishes, there = self._wishes, self._known.open_run
        if there is not None:
            ours = self._ours()
            reason = why_refused(there, Journey.FAILOVER, wishes.to, wishes.mode)
            if reason:
                raise Refused(f"pair '{self._pair.name}': {reason}")
            if wishes.phase is Phase.CONFIRM and not (ours and ours.is_done(FLIP)):
                raise Refused(
                    f"pair '{self._pair.name}': there is nothing to confirm yet, since the run {there.id} has not come "
                    "past its step 'flip'. Run `phase: switch` first."
                )
            return True
        if self._known.active is wishes.to and (not homes.unread or self._is_shown(site)):
            self._notes.append(f"{wishes.to.value} is active already, and no run is open. Nothing was done.")
            return False
        if wishes.phase is Phase.CONFIRM:
            raise Refused(f"pair '{self._pair.name}': no run is open. Run `phase: switch` first.")
        return True

    def _ours(self) -> Run | None:
        """The open run that is gone on with; one that is superseded is none."""
        there, wishes = self._known.open_run, self._wishes
        if there is None or supersedes(there, Journey.FAILOVER, wishes.to, wishes.mode):
            return None
        return there

    def _is_shown(self, site: Site) -> bool:
        """Whether clients are sent to the new end and may write there, by what AWS says: a journal may be too old."""
        try:
            flipped = is_flipped(site, self._wishes.mrap, self._wishes.pointer_path)
            return flipped and not why_closed(site, site.to)
        except (AwsFailure, Refused):
            return False

    # --- the way ----------------------------------------------------------------------------------------------

    def _fail_over(self, site: Site, looking: Meanwhile[str], homes: Homes) -> None:
        there, wishes = self._ours(), self._wishes
        if there is None or not there.is_done(ASSESS) or there.mode is not wishes.mode:
            site, assessed = self._assess(site, looking)
        else:
            site, assessed = self._site_of(site, looking), None
        for warning in warnings_of(self._pair, wishes, site.lost):
            warn(warning)
        if site.is_predicting:
            self._predict(site)
            return
        arn = caller_arn(self._clients, site.new.region, site.account(site.to))
        declared = wishes.declared_at or self._now
        inputs = {**wishes.as_inputs(), "declared_at": iso(declared)}
        wanted = Wanted(Journey.FAILOVER, wishes.to, wishes.mode, wishes.reason, wishes.take_over, inputs)
        self._open = opened(homes, self._known, wanted, operator(arn))
        self._change["changed"] = True
        with self._open.living():
            self._go(site, self._open, assessed)
        self._notes += [note for note in homes.notes if note not in self._notes]

    def _site_of(self, site: Site, looking: Meanwhile[str]) -> Site:
        site = looked_at(site, looking)
        return require_both(site) if self._wishes.mode is Mode.PLANNED else site

    def _go(self, site: Site, run: JourneyRun, assessed: Mapping[str, Any] | None) -> None:
        wishes = self._wishes
        if wishes.phase is not Phase.CONFIRM:
            run.step(ASSESS, {}, lambda: assessed or {}, again=assessed is not None)
            self._keep_writers_out(site, run)
            self._open_new_end(site, run)
            self._flip(site, run)
            if wishes.flips:
                self._switched(run)
            if wishes.phase is Phase.SWITCH:
                run.wait_for_tasks()
                return
        else:
            self._open_new_end(site, run)
        run.tasks_are_done(told=wishes.phase is Phase.CONFIRM)
        self._switched(run)
        self._confirm(site, run)

    def _switched(self, run: JourneyRun) -> None:
        run.switched(known_until=outcome_of(run.run).recovery_point or "")

    def _keep_writers_out(self, site: Site, run: JourneyRun) -> None:
        wishes, old = self._wishes, site.to.other
        if self._is_wanted(run, FENCE):
            exempt = spared(site, self._wishes.exempt)
            self._changing(run.step(FENCE, {"exempt": exempt}, lambda: fence(site, old, exempt)))
        if self._is_wanted(run, DRAIN):
            done = run.run.step(DRAIN)
            too_much = done is not None and bool(self._beyond(done.result)) and not run.run.was_begun(FLIP)
            run.step(DRAIN, {"seconds": wishes.drain_seconds}, lambda: self._drained(site), again=too_much)

    def _drained(self, site: Site) -> dict[str, Any]:
        """What was on its way when it was assessed may have failed since, so the limits are kept here, too."""
        drained = drain(site, site.to.other, self._wishes.drain_seconds)
        beyond = self._beyond(drained)
        if beyond:
            said = refusal(self._pair.name, beyond, drained["loss"]["why"], _HOW_TO_ACCEPT)
            raise NotDrained(
                f"{said} Or bring what failed with backfill.yml. The fence stands until the run goes on or is "
                "abandoned.",
                drained,
            )
        return drained

    def _beyond(self, drained: Mapping[str, Any]) -> list[str]:
        """Why more is lost after the drain than is allowed; empty: it is not, or that is accepted."""
        if self._wishes.accept_data_loss or "loss" not in drained:
            return []
        return Loss.of(drained["loss"]).beyond(self._wishes.limits)

    def _open_new_end(self, site: Site, run: JourneyRun) -> None:
        """Lift a fence that an earlier journey left around the new end. It is looked for first: most often none is."""
        try:
            closed = why_closed(site, site.to)
        except AwsFailure:
            return  # the check at the end tells it
        if closed:
            done = run.step(OPEN, {}, lambda: open_end(site, site.to), again=True)
            self._changing(done)
            became = f"it could not be lifted: {done['left']}" if done["left"] else "it was lifted."
            self._notes.append(f"An earlier run had left a fence: {closed}; {became}")

    def _flip(self, site: Site, run: JourneyRun) -> None:
        wishes = self._wishes
        if self._is_wanted(run, FLIP):
            inputs = {"mrap": wishes.mrap, "pointer_path": wishes.pointer_path}
            now, run_id = datetime.now(UTC), run.run.id
            done = run.step(
                FLIP,
                inputs,
                lambda: flip(site, wishes.mrap, wishes.pointer_path, run_id, now),
                renew_if_changed=True,
            )
            self._changing(done)
            self._note_owed(done)

    def _is_wanted(self, run: JourneyRun, name: str) -> bool:
        """Whether the step is to be done; if not, the journal is told why."""
        reason = why_skipped(name, self._wishes)
        if reason:
            run.skip(name, reason)
        return not reason

    def _confirm(self, site: Site, run: JourneyRun) -> None:
        checked = run.step(VERIFY, {}, lambda: check_end(site, site.to))
        self._note_unread(checked)
        if checked.get("fence_unknown"):
            self._notes.append(f"Whether a fence stands there is not known. {checked['fence_unknown']}")
        self._notes += [f"A canary stays: {one}" for one in checked["left_behind"]]
        if self._is_wanted(run, ANNOUNCE):
            subject, text = announcement(self._pair, run.run)
            topics = self._wishes.topics
            told = run.step(ANNOUNCE, {"topics": list(topics)}, lambda: announce(site, topics, subject, text))
            self._notes += [f"{one['topic']} was not told: {one['why']}" for one in told["untold"]]
        run.finish(outcome_of(run.run).as_result())

    def _changing(self, done: Mapping[str, Any]) -> None:
        """What a step changed in AWS's documents, or changed when it was done in a former run."""
        self._change["steps"] += done["steps"]
        self._change["diff"] += done["diff"]

    def _note_owed(self, done: Mapping[str, Any]) -> None:
        owed = (done["pointer"] or {}).get("owed", {})
        self._notes += [
            f"The pointer in {region} is owed ({why.rstrip('.')}): {writer_of_owed(self._wishes.to)} writes it. Until "
            "then clients that read it there go to the old bucket."
            for region, why in owed.items()
        ]

    def _note_unread(self, seen: Mapping[str, Any]) -> None:
        """Which of the newest objects could not be read: it may be them alone, and does not stop a failover."""
        unread = seen.get("unread", [])
        said = seen.get("refused") or (unread[0]["why"] if unread else "")
        if said:
            keys = ", ".join(f"'{one['key']}'" for one in unread)
            note = f"Of the newest objects of the new end these were not read: {keys or 'all'}. {said}"
            self._notes += [note] if note not in self._notes else []

    # --- what may be lost -------------------------------------------------------------------------------------

    def _assess(self, site: Site, looking: Meanwhile[str]) -> tuple[Site, dict[str, Any]]:
        """What would be lost, and whether clients can be sent to the other end, before anything is changed.

        Raises:
            Refused: more than is allowed, or the other end is needed and gone.
        """
        wishes, pair, began = self._wishes, self._pair, time.monotonic()
        if wishes.mode is Mode.PLANNED:
            site = self._site_of(site, looking)
            standing = look(site, site.to.other)
            self._loss = standing.loss(standing.left_behind)
            seen: dict[str, Any] = {"standing": standing.as_result()}
        else:
            declared = wishes.declared_at or self._now
            self._loss = last_known(site, declared, wishes.status_path)
            site = looked_at(site, looking)
            seen = {"lost": site.lost}
        seen |= what_is_read(site, site.to)
        self._note_unread(seen)
        if wishes.pointer_path:
            seen["pointers"] = told_by_pointer(site, wishes.pointer_path)
        if wishes.mrap:
            seen["routes_to_change"] = [route.bucket for route in routes_to_change(site, wishes.mrap)]
        beyond = self._loss.beyond(wishes.limits)
        if beyond and not wishes.accept_data_loss:
            message = refusal(pair.name, beyond, self._loss.why, _HOW_TO_ACCEPT)
            if not site.is_predicting:
                raise Refused(message)
            warn(f"It would be refused: {message}")
        took = round(time.monotonic() - began, 3)
        return site, {**seen, "loss": self._loss.as_result(), "beyond": beyond, "seconds": took}

    # --- check mode -------------------------------------------------------------------------------------------

    def _predict(self, site: Site) -> None:
        """The steps in order. Nothing is written, not even in the journal."""
        there = self._ours()
        done = {step.name for step in there.steps if step.state is State.DONE} if there else set()
        closed = self._predict_open(site)
        left = [
            one for one in steps_of(self._wishes, self._known.run, closed) if one.name not in done or one.name == OPEN
        ]
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
        self._change["changed"] = True
        if any(one.name == FENCE and not one.skipped for one in left):
            self._changing(fence(site, site.to.other, spared(site, self._wishes.exempt)))

    def _predict_open(self, site: Site) -> bool:
        """Whether a fence stands around the new end, which would be lifted."""
        try:
            closed = bool(why_closed(site, site.to))
        except AwsFailure as failure:
            self._notes.append(f"Whether a fence stands around the new end is not known. {failure}")
            return False
        if closed:
            self._changing(lift(site, site.to))
        return closed

    # --- giving up --------------------------------------------------------------------------------------------

    def _abandon(self, site: Site, homes: Homes) -> None:
        """Lift the fence and close the run, unless clients may have been sent to the other end already."""
        there = self._known.run
        if there is None or there.id != self._wishes.abandon:
            raise Refused(
                f"pair '{self._pair.name}': the run {self._wishes.abandon} is not the last one"
                + (f", which is {there.id}." if there else ", since there is none.")
                + " Look at it with failover_status.yml."
            )
        if there.state is State.ABANDONED:
            return
        self._check_can_be_abandoned(there, site)
        self._change["changed"] = True
        fenced = there.was_begun(FENCE)
        if fenced and site.lost:
            raise Refused(
                f"pair '{self._pair.name}': the fence of {site.old.bucket} cannot be lifted now: {site.lost} Run again "
                "when it can, or go on with `mode: unplanned`."
            )
        # A step that was begun, and skipped when it was run again, does not tell whether it had put the fence.
        fenced = there.step(FENCE) is not None and not site.lost and self._known.active is not there.to
        if site.is_predicting:
            if fenced:
                self._changing(lift(site, site.to.other))
            return
        arn = caller_arn(self._clients, site.new.region, site.account(site.to))
        wanted = Wanted(Journey.FAILOVER, there.to, there.mode, take_over=self._wishes.take_over)
        self._open = opened(homes, self._known, wanted, operator(arn))
        with self._open.living():
            if fenced:
                self._changing(self._open.step(LIFT, {}, lambda: lift(site, site.to.other), again=True))
            self._open.abandon()

    def _check_can_be_abandoned(self, there: Run, site: Site) -> None:
        pair = self._pair.name
        if (there.journey, there.to) != (Journey.FAILOVER, self._wishes.to):
            raise Refused(
                f"pair '{pair}': {there.id} is a {there.journey.value} to {there.to.value}. Abandon it as that."
            )
        if there.state is State.DONE:
            raise Refused(f"pair '{pair}': {there.id} is done. Fail back instead.")
        if there.was_begun(TASKS) or (there.was_begun(FLIP) and not self._sent_nobody(there, site)):
            raise Refused(
                f"pair '{pair}': the run {there.id} has begun to send clients to {there.to.value}, so it cannot be "
                "given up. Run it to its end, then fail back."
            )

    def _sent_nobody(self, there: Run, site: Site) -> bool:
        """Whether the flip failed before it sent anybody anywhere, by what AWS says now."""
        flip_step = there.step(FLIP)
        if flip_step is None or flip_step.state is not State.FAILED or self._known.active is there.to or site.lost:
            return False
        mrap, pointer_path = str(flip_step.inputs.get("mrap", "")), str(flip_step.inputs.get("pointer_path", ""))
        # Routes that were submitted may be shown only minutes later.
        if mrap and flip_step.result.get("routes_submitted") is not False:
            return False
        return is_untouched(site, mrap, pointer_path)

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
        outcome = outcome_of(run) if run is not None and run.journey is Journey.FAILOVER else None
        loss = self._loss.as_result() if self._loss and not self._open else outcome.loss() if outcome else None
        return {
            **self._change,
            "active": journal.active.value,
            "since": journal.since,
            "run": run_result(run) if run is not None else None,
            "timeline": self._predicted or (timeline(ours) if ours else []),
            "loss": loss,
            "rto_seconds": outcome.rto_seconds if outcome else None,
            "rpo_seconds": loss["seconds"] if loss else None,
            "notes": [*self._notes, *(self._open.notes if self._open else [])],
            "api_calls": self._clients.api_calls(),
        }
