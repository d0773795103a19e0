# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A rehearsal of the recovery of a pair, on canaries: write, replicate, declare, recover, measure, clean up.

All that it makes has names that any later run knows, so one that was killed is cleared away by the next.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

from .._core.causes import iso
from .._core.merging import is_ours
from .._core.model import Accounts, Address, Document, Pair
from .._core.plan import plan
from .._core.recovery_drill import (
    SMALL_BYTES,
    STEPS,
    Body,
    DrillWishes,
    default_key_of,
    flight_of,
    key_of,
    predicted,
    role_addresses,
    role_arn_of,
    role_wish,
    stem_of,
)
from .._core.recovery_judgement import (
    DrillCheck,
    arrival_checks,
    by_size,
    cleaned_check,
    drill_problems,
    drill_summary,
    pause_checks,
    rpo_of,
    rto_of,
    target_checks,
    verdict_of_drill,
)
from .._core.replication import bucket_address
from .canary import Route, Side
from .drill_cleaning import Cleaning, places_of
from .drill_identity import ClientWith, SignIn, make_role, wait_for_permissions
from .drill_objects import Differs, Written, listed, put, read, status_of, watched
from .drill_pause import Experiment, Quiet
from .drill_recovery import Recovery, Subjects
from .gateway import Gateway, asking
from .row import ClientFor

_FIRST_PAUSE_SECONDS, _LATER_PAUSE_SECONDS = 0.25, 2.0
_EAGER_SECONDS, _PAUSED_PAUSE_SECONDS = 30.0, 1.0
_BEATS = ((10.0, 0.0), (60.0, 1.0), (float("inf"), 5.0))
"""Up to when something is written how often: with each look at first, so that a small loss is seen as such."""
_ASK_SOURCE_SECONDS = 5.0
_ASKED_AT_ONCE = 10
_GRACE_SECONDS, _GRACE_WHEN_ENDED_SECONDS = 120.0, 20.0
"""How long cleaning up waits for what is on its way."""


class RecoveryDrill:
    """One drill of one pair."""

    def __init__(
        self,
        gateway: Gateway,
        client_for: ClientFor,
        client_with: ClientWith,
        pair: Pair,
        accounts: Accounts,
        wishes: DrillWishes,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        shielded: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """A drill that has done nothing yet.

        Args:
            client_with: makes the clients of the roles that are assumed.
            shielded: entered while all is cleaned up, so that no signal ends that.

        Raises:
            InvalidInput: there is no way that could be drilled.
        """
        self._gateway, self._client_for, self._client_with = gateway, client_for, client_with
        self._pair, self._accounts, self._wishes = pair, accounts, wishes
        self._sleep, self._clock, self._now, self._shielded = sleep, clock, now, shielded
        self._flight = flight_of(pair, accounts, wishes)
        self._route = Route.of(self._flight, accounts, client_for)
        self._stem = stem_of(pair.name, self._flight.rule)
        self._seed = f"{pair.name}/{uuid.uuid4()}"
        self._begun = self._clock()
        self._written: list[Written] = []
        self._beats = 0
        self._last_beat: float | None = None
        self._asked_source = self._clock()
        self._ended_early = False
        self._recovery: Recovery | None = None
        self._declared: float | None = None
        self._pause: dict[str, Any] | None = None
        self._cleaning = Cleaning(gateway, pair, accounts, places_of(pair, accounts, client_for), sleep, clock)
        self._quiet = Quiet(pair.name, self._watchers(), sleep, clock)
        self._experiment = self._an_experiment()
        self.declared_at: str | None = None
        self.steps: list[dict[str, Any]] = []
        self.checks: list[DrillCheck] = []
        self.notes: list[str] = []
        self.cleared: list[str] = []
        """What a former drill had left behind."""

    # --- the whole ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Everything, in the order that leaves nothing behind."""
        self.clear()
        if self._experiment:
            self._experiment.look()
        try:
            self._rehearse()
        except BaseException:
            self._ended_early = True
            raise
        finally:
            with self._shielded(), self._step("clean_up"):
                self._clean_up()
            self._judge()

    def clear(self, *, pretend: bool = False) -> None:
        """Remove what a former drill of the pair, which was killed, has left behind."""
        left = self._experiment.left() if self._experiment else []
        role = [at for at, found in self._roles().items() if found is not None]
        self.cleared = [
            *(f"experiment {one}" for one in left),
            *self._cleaning.found(),
            *(str(at) for at in role),
        ]
        if pretend or not self.cleared:
            return
        with self._shielded():
            self._cleaning.begin()
            if self._experiment:
                for one in left:
                    self._experiment.stop(one)
            self._cleaning.run(_GRACE_SECONDS)
            self._remove_role()
            kept = set(self._cleaning.found())
        self.cleared = [one for one in self.cleared if one not in kept]

    def predict(self, before: Mapping[str, float]) -> list[dict[str, Any]]:
        """What can be seen without a change, and the steps with the seconds that they are expected to take."""
        self.clear(pretend=True)
        if self._experiment:
            self._experiment.look()
        self.notes.append("Nothing was written in check mode, so nothing is proven.")
        return predicted(self._wishes, before)

    @property
    def left_behind(self) -> list[str]:
        """What may still be there, and how to remove it, one sentence each."""
        return self._cleaning.left_behind

    def result(self) -> dict[str, Any]:
        """What is to be told."""
        flown = [one.flown for one in self._written]
        source, destination = self._route.source.end, self._route.destination.end
        found: dict[str, Any] = {
            "pair": self._pair.name,
            "verdict": verdict_of_drill(self.checks).value,
            "problems": drill_problems(self.checks),
            "active_bucket": source.bucket,
            "active_region": source.region,
            "recovery_bucket": destination.bucket,
            "recovery_region": destination.region,
            "rule": self._flight.rule.id,
            "encryption": self._route.encryption,
            "declared_at": self.declared_at,
            "rto_seconds": self._rto(),
            "rto_target_seconds": self._wishes.rto_target,
            "rpo_seconds": self._rpo(),
            "rpo_target_seconds": self._wishes.rpo_target,
            "replication": by_size(flown),
            "pause": self._pause,
            "steps": self.steps,
            "checks": [check.as_result() for check in self.checks],
            "notes": [*self.notes, *self._cleaning.notes],
            "left_behind": self.left_behind,
            "cleared": self.cleared,
        }
        return {**found, "summary": drill_summary(found)}

    def _rto(self) -> float | None:
        if self._recovery is None or self._declared is None:
            return None
        return rto_of(self._declared, self._recovery.first_read, self._recovery.first_write)

    def _rpo(self) -> float | None:
        if self._recovery is None or self._declared is None or self._recovery.there is None:
            return None
        return rpo_of([one.flown for one in self._written], self._declared)

    def _judge(self) -> None:
        if self._recovery:
            self.checks += self._recovery.checks
        targets = {"rto": self._wishes.rto_target, "rpo": self._wishes.rpo_target}
        self.checks += target_checks(self._pair.name, self._rto(), self._rpo(), targets)
        harmful = bool(self._experiment and self._experiment.id)
        self.checks.append(cleaned_check(self._pair.name, self.left_behind, harmful=harmful))

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        """Writes down when a step began, how long it took and how it ended."""
        began, status = self._clock(), "failed"
        try:
            yield
            status = "done"
        finally:
            self.steps.append(
                {
                    "name": name,
                    "what": STEPS[name],
                    "status": status,
                    "began_after_seconds": round(began - self._begun, 3),
                    "seconds": round(self._clock() - began, 3),
                }
            )

    # --- before the failure -------------------------------------------------------------------------------------

    def _rehearse(self) -> None:
        role, end = self._wishes.recover_as, self._route.destination
        account = self._accounts[end.end.bucket].id
        sign_in = SignIn(self._client_for("sts", end.end.region, account), self._client_with)
        if role is None:
            role = self._make_role(sign_in)
        subjects = self._write()
        with self._step("replicate"):
            self._wait([one for one in self._written if one.size is not None] + [subjects.older, subjects.newer])
        self._judge_arrivals()
        if self._experiment:
            self._rehearse_pause(self._experiment)
        with self._step("permissions"):
            wait_for_permissions(sign_in, end, role, lambda side: self._try(side, subjects), self._sleep, self._clock)
        with self._step("last_writes"):
            self._wait([self._put("last", SMALL_BYTES)], beating=True)
        self._recover(sign_in, role, subjects)

    def _make_role(self, sign_in: SignIn) -> str:
        end = self._route.destination.end
        with self._step("identity"):
            with asking("the credentials", "no permission"):
                caller = sign_in.sts.get_caller_identity()["Arn"]
            at = bucket_address(end, self._accounts, "bucket_encryption")
            key = default_key_of(self._gateway.observe([], [at])[at], end, self._accounts)
            make_role(self._gateway, role_wish(self._flight, self._accounts, caller, key))
        return role_arn_of(self._flight, self._accounts)

    def _write(self) -> Subjects:
        with self._step("write"):
            older = self._put("overwritten", SMALL_BYTES, "first")
            newer = self._put("overwritten", SMALL_BYTES, "second")
            wanted = [(size, number) for size in sorted(self._wishes.sizes) for number in range(self._wishes.each)]
            objects = watched(lambda one: self._put(f"{one[0]}/{one[1]}", one[0], size=one[0]), wanted, self._look)
        return Subjects(objects, older, newer, key_of(self._pair.name, self._flight.rule, "fresh"))

    def _put(self, name: str, length: int, which: str = "", size: int | None = None) -> Written:
        side, key = self._route.source, key_of(self._pair.name, self._flight.rule, name)
        body = Body(f"{self._seed}/{name}/{which}", length)
        with asking(f"the object {key} in bucket '{side.end.bucket}'", "s3:PutObject, and kms:GenerateDataKey"):
            version = put(side, key, body, self._route.write_options())
        written = Written(key, body, version, self._clock(), size)
        self._written.append(written)
        return written

    def _try(self, side: Side, subjects: Subjects) -> None:
        """What shows that the role's permissions have reached S3 and KMS."""
        listed(side, self._stem)
        arrived = next((one for one in subjects.replicas if one.seen is not None), None)
        if arrived:
            with suppress(Differs):  # which is for the recovery to find
                read(side, arrived.key, arrived.body, arrived.version)

    def _wait(self, wanted: list[Written], *, beating: bool = False) -> None:
        """Until these have arrived, or never will, or time is up.

        Args:
            beating: whether small objects are written meanwhile: only that tells how much a failure would lose.
        """
        started = self._clock()
        while True:
            self._quiet.keep()
            waited = self._clock() - started
            if beating:
                self._beat(next(each for until, each in _BEATS if waited < until))
            self._look()
            if all(one.decided for one in wanted) or waited >= self._wishes.deadline_seconds:
                return
            self._sleep(_FIRST_PAUSE_SECONDS if waited < _EAGER_SECONDS else _LATER_PAUSE_SECONDS)

    def _beat(self, each: float) -> None:
        if self._last_beat is not None and self._clock() - self._last_beat < each:
            return
        self._beats += 1
        self._last_beat = self._put("beat", SMALL_BYTES, str(self._beats)).written

    def _look(self) -> None:
        """See what has arrived, by one listing; ask the source now and then of what has not."""
        unseen = [one for one in self._written if not one.decided]
        if not unseen:
            return
        bucket = self._route.destination.end.bucket
        with asking(f"the drill's objects in bucket '{bucket}'", "s3:ListBucketVersions"):
            there = {(row.key, row.version) for row in listed(self._route.destination, self._stem)}
        moment = self._clock()
        for one in unseen:
            if (one.key, one.version) in there:
                one.seen = moment
        if moment - self._asked_source >= _ASK_SOURCE_SECONDS:
            self._asked_source = moment
            self._ask_source([one for one in unseen if one.seen is None][:_ASKED_AT_ONCE])

    def _ask_source(self, unseen: list[Written]) -> None:
        """Whether S3 has given them up, which only their source tells."""
        side = self._route.source
        with asking(f"the drill's objects in bucket '{side.end.bucket}'", "s3:GetObjectVersion"):
            for one in unseen:
                one.failed = status_of(side, one.key, one.version) == "FAILED"

    def _judge_arrivals(self) -> None:
        way = f"{self._route.source.end.bucket} -> {self._route.destination.end.bucket}"
        failed = [one.key for one in self._written if one.failed]
        classes = by_size(one.flown for one in self._written)
        self.checks += arrival_checks(classes, way, failed, self._wishes.deadline_seconds)

    # --- the pause ----------------------------------------------------------------------------------------------

    def _an_experiment(self) -> Experiment | None:
        if not self._wishes.experiment:
            return None
        source = self._route.source
        client = self._client_for("fis", source.end.region, source.owner)
        return Experiment(client, self._wishes.experiment, self._flight.link, self._sleep, self._clock)

    def _watchers(self) -> dict[str, Any]:
        """CloudWatch in each Region where the pair may have an alarm that keeps others quiet."""
        if not self._wishes.experiment:
            return {}
        owner = self._route.source.owner
        regions = (self._route.source.end.region, self._route.destination.end.region)
        return {region: self._client_for("cloudwatch", region, owner) for region in regions}

    def _rehearse_pause(self, experiment: Experiment) -> None:
        with self._step("suppress"):
            if not self._quiet.begin():
                self.notes.append("The pair has no composite alarm, so its alarms may tell of the paused replication.")
        self.notes.append(
            f"AWS FIS paused replication as its template {self._wishes.experiment} says, so what applications wrote "
            "meanwhile waited as well. AWS says that replication resumes from where it was paused."
        )
        with self._step("pause"):
            experiment.start()
            began, held = self._clock(), self._put("held", SMALL_BYTES)
            while held.seen is None and self._clock() - began < self._wishes.pause_seconds:
                self._sleep(_PAUSED_PAUSE_SECONDS)
                self._quiet.keep()
                self._look()
        leaked, away = held.seen is not None, (held.seen or self._clock()) - held.written
        with self._step("resume"):
            experiment.stop()
            stopped, resumed = self._clock(), self._put("resumed", SMALL_BYTES)
            self._wait([held, resumed])
        self._quiet.end()
        self._pause = {
            "held_seconds": round(away, 3),
            "not_paused": leaked,
            "catch_up_seconds": None if held.seen is None else round(max(0.0, held.seen - stopped), 3),
            "resumed_seconds": None if resumed.seen is None else round(resumed.seen - resumed.written, 3),
        }
        way = f"{self._route.source.end.bucket} -> {self._route.destination.end.bucket}"
        self.checks += pause_checks(self._pause, way)

    # --- after the failure --------------------------------------------------------------------------------------

    def _recover(self, sign_in: SignIn, role: str, subjects: Subjects) -> None:
        """From here on nothing knows the Region that failed."""
        end, key = self._route.destination, self._route.destination.end.kms_key_arn
        options = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        self._recovery = Recovery(sign_in, end, self._stem, subjects, options, self._clock, self._step)
        self._declared, self.declared_at = self._clock(), iso(self._now())
        self._recovery.run(role, self._wishes.application)
        there = self._recovery.there
        for one in self._written:
            one.lost = there is not None and (one.key, one.version) not in there

    # --- cleaning up --------------------------------------------------------------------------------------------

    def _clean_up(self) -> None:
        """Whatever becomes of one thing, the others go."""
        self._quiet.end()
        self._cleaning.begin()
        if self._experiment:
            self._cleaning.trying(
                "The experiment", self._experiment.stop, f"aws fis stop-experiment --id {self._experiment.id}"
            )
        grace = _GRACE_WHEN_ENDED_SECONDS if self._ended_early else _GRACE_SECONDS
        by_hand = f"aws s3api delete-object --version-id for each version of {self._stem}*"
        self._cleaning.trying("Objects of the drill", lambda: self._cleaning.run(grace), by_hand)
        if self._wishes.recover_as is None:
            by_hand = "aws iam delete-role-policy, then aws iam delete-role"
            self._cleaning.trying("The role of the drill", self._remove_role, by_hand)

    def _roles(self) -> dict[Address, Document | None]:
        """The role of a drill at either end, and its policy, as far as they are ours and may be read."""
        wanted = [
            at
            for end in (self._pair.primary, self._pair.dr)
            if self._accounts[end.bucket].ours
            for at in role_addresses(self._pair.name, end, self._accounts)
        ]
        found = self._gateway.observe([], wanted)
        ours = {at.name for at, document in found.items() if at.kind == "iam_role" and is_ours(document)}
        return {at: document for at, document in found.items() if at.name.partition("/")[0] in ours}

    def _remove_role(self) -> None:
        found = self._roles()
        self._gateway.carry_out(plan({}, found, {at: {} for at in found}))
