# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One run of a failover or failback, step by step, with each step's begin and end in the journal.

A run that was killed goes on where it was: a step that is done is not done again, and one that was begun is. So each
step may be done twice without harm. While a run lives it raises a count in the journal; a second one watches it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .._aws.gateway import AwsFailure
from .._aws.journal_store import Overtaken
from .._core import journal as journals
from .._core.journal import Journal, Journey, Mode, Operator, Run, Side, State
from .._core.model import Refused
from .journal_homes import Homes

BEAT_SECONDS = 5.0
"""How often a living run says so."""
WATCH_SECONDS = 15.0
"""A run that says nothing for so long is dead: three beats."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is to do.

    Attributes:
        take_over: the ID of a run that is known to be dead, so that nothing needs to be watched.
    """

    journey: Journey
    to: Side
    mode: Mode
    reason: str = ""
    take_over: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)


def operator(arn: str) -> Operator:
    """This process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        user = str(os.getuid())
    return Operator(arn, user, socket.gethostname(), os.getpid(), _machine())


def _machine() -> str:
    """What only processes share that can see each other: hosts and containers may have the same name."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _run_of(journal: Journal) -> Run:
    if journal.run is None:
        raise RuntimeError(f"pair '{journal.pair}' has no run: `open` comes first")
    return journal.run


class JourneyRun:
    """The open run of a pair. Use `opened`."""

    def __init__(
        self,
        homes: Homes,
        journal: Journal,
        wanted: Wanted,
        operator: Operator,
        now: Callable[[], datetime] = _now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._homes = homes
        self._store = homes.store
        self._journal = journal
        self._wanted = wanted
        self._operator = operator
        self._now = now
        self._sleep = sleep
        self._writing = threading.RLock()
        self._over = threading.Event()
        self._copies = not homes.unread
        self.notes: list[str] = []

    @property
    def run(self) -> Run:
        """The run as the journal has it now."""
        return _run_of(self._journal)

    @property
    def journal(self) -> Journal:
        """The journal as it is now."""
        return self._journal

    # --- begin and end ----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin a run, go on with the open one, or take its place.

        If there may be a newer copy of the journal that nobody could read, this one gets ahead of it.

        Raises:
            Refused: somebody else is at it, or another journey is not finished.
            AwsFailure: the journal cannot be read or written.
        """
        wanted, there = self._wanted, self._journal.open_run
        try:
            if there is None:
                self._write(lambda journal: journals.begun(self._ahead(journal), self._new_run()))
            elif journals.supersedes(there, wanted.journey, wanted.to, wanted.mode):
                self._supersede(there)
            else:
                self._go_on(there)
        except Overtaken:
            self._refuse_for_the_other()
        self._copy()

    def _ahead(self, journal: Journal) -> Journal:
        return journals.ahead(journal, self._now()) if self._homes.unread else journal

    def _new_run(self) -> Run:
        wanted, now = self._wanted, self._now()
        return Run(
            id=journals.run_id(wanted.journey, now, uuid.uuid4().hex[:6]),
            journey=wanted.journey,
            to=wanted.to,
            mode=wanted.mode,
            reason=wanted.reason,
            began=journals.iso(now),
            operators=(self._operator,),
            beat_at=journals.iso(now),
            inputs=dict(wanted.inputs),
        )

    def _go_on(self, there: Run) -> None:
        wanted = self._wanted
        reason = journals.why_refused(there, wanted.journey, wanted.to, wanted.mode)
        if reason:
            raise Refused(f"pair '{self._journal.pair}': {reason}")
        self._require_free(there)
        self._write(lambda journal: journals.resumed(self._ahead(journal), self._operator, wanted.mode, self._now()))
        if there.state is not State.WAITING:
            self.notes.append(f"The run {there.id} goes on where it was; {there.operator} began it {there.began}.")

    def _supersede(self, there: Run) -> None:
        """Take the place of a run whose end is lost. It is kept under its own name, with who gave it up."""
        self._require_free(there)
        new = self._new_run()
        self._store.keep_run(journals.given_up_for(there, new, self._now()))
        self._write(lambda journal: journals.superseded(journal, new, self._now()))
        self.notes.append(
            f"The {there.journey.value} to {there.to.value} {there.id}, begun {there.began} by {there.operator}, was "
            f"not finished ({there.state.value}). It is given up, and this run took its place."
        )

    def _require_free(self, there: Run) -> None:
        if self._wanted.take_over != there.id and not self._is_free(there):
            raise Refused(journals.alive_message(self._journal.pair, there))

    def _is_free(self, there: Run) -> bool:
        """Whether nobody is at it: it failed, waits for the same person, or is dead."""
        if there.state is State.FAILED:
            return True
        if there.state is State.WAITING:
            return there.operator.is_same_person(self._operator)
        return self._has_died_here(there.operator) or not self._beats()

    def _has_died_here(self, who: Operator) -> bool:
        """Whether its process was one that this one sees, and is gone. One that is there may be another's by now."""
        if not who.machine or who.machine != self._operator.machine:
            return False
        try:
            os.kill(who.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _beats(self) -> bool:
        """Watch whether anything is written. No clock is compared: those of two machines may differ."""
        first = self._homes.look()
        if first.serial > self._journal.serial:
            return True
        for _look in range(int(2 * WATCH_SECONDS / BEAT_SECONDS)):
            self._sleep(BEAT_SECONDS / 2)
            if self._homes.look() != first:
                return True
        return False

    def _refuse_for_the_other(self) -> None:
        there = self._store.read()
        if there is None or there.open_run is None:
            raise AwsFailure(f"{self._store.name} changed while it was written. Run again.")
        raise Refused(journals.alive_message(self._journal.pair, there.open_run))

    def wait_for_tasks(self) -> None:
        """Leave the run open for the user's own tasks, which are a step of it."""
        self._write(lambda journal: journals.waiting(journal, self._now()))
        self._copy()

    def tasks_are_done(self, told: bool = True) -> None:
        """Say that the user's own tasks are over, if there were any.

        Args:
            told: whether the user says that they have ended well, by going on with the part that comes after them.
        """
        tasks = self.run.step(journals.TASKS)
        if tasks is not None and tasks.state is not State.DONE:
            self._write(lambda journal: journals.tasks_ended(journal, told, self._now()))

    def finish(self, result: Mapping[str, Any] | None = None) -> None:
        """End the run.

        Args:
            result: what it came to, as its RTO and RPO.
        """
        self._end(lambda journal, now: journals.finished(journal, now, result or {}))

    def abandon(self) -> None:
        """Give the run up."""
        self._end(journals.abandoned)

    def _end(self, ended: Callable[[Journal, datetime], Journal]) -> None:
        """Keep the run under its own name, too: the next one takes its place in the journal."""
        now = self._now()
        self._store.keep_run(_run_of(ended(self._journal, now)))
        self._write(lambda journal: ended(journal, now))
        self._copy()

    # --- steps ------------------------------------------------------------------------------------------------

    def step(
        self,
        name: str,
        inputs: Mapping[str, Any],
        body: Callable[[], Mapping[str, Any]],
        again: bool = False,
        renew_if_changed: bool = False,
    ) -> Mapping[str, Any]:
        """Do one step, or return what it returned when it was done.

        A step that was not needed by the options of that time, and is by those of now, is done.

        Args:
            again: whether it is done even if it was done before, as a look at what may have changed since.
            renew_if_changed: whether it is done again if it was done with other inputs.

        Raises:
            Overtaken: somebody else took the run over; nothing more may be done.
        """
        done = self.run.step(name)
        stands = done is not None and done.state is State.DONE and not self.run.was_skipped(name)
        if done is not None and stands and not again and not (renew_if_changed and done.inputs != inputs):
            return done.result
        self._write(lambda journal: journals.step_begun(journal, name, inputs, self._now()))
        try:
            result = body()
        except BaseException as error:
            said, seen = str(error) or type(error).__name__, getattr(error, "result", {})
            with suppress(AwsFailure):  # the error itself is what must be heard
                self._write(lambda journal: journals.step_failed(journal, name, said, seen, self._now()))
            raise
        self._write(lambda journal: journals.step_ended(journal, name, result, self._now()))
        self._copy()
        return result

    def skip(self, name: str, why: str) -> None:
        """Say that a step is not needed. What it did when it was begun before is not forgotten by that."""
        there = self.run.step(name)
        if there is None:
            self._write(lambda journal: journals.step_skipped(journal, name, why, self._now()))
        elif there.state is State.RUNNING:
            self._write(lambda journal: journals.step_left(journal, name, why, self._now()))

    def switched(self, known_until: str = "") -> None:
        """Say that clients are sent to the run's end. See `journals.switched`."""
        self._write(lambda journal: journals.switched(journal, known_until))
        self._copy()

    def _copy(self) -> None:
        """The other Region may be the next one that is lost. One that did not take a copy is not asked again."""
        self._copies = self._copies and self._homes.copy(self._journal)

    def _write(self, change: Callable[[Journal], Journal]) -> None:
        with self._writing:
            changed = change(self._journal)
            if changed is self._journal:
                return
            try:
                self._store.save(changed)
            except Overtaken:
                self._over.set()
                raise
            self._journal = changed

    # --- signs of life ----------------------------------------------------------------------------------------

    @contextmanager
    def living(self) -> Iterator[None]:
        """Meanwhile the journal is told every few seconds that this run lives; a run that fails is marked as such."""
        self._over.clear()
        beating = threading.Thread(target=self._beat, name="beat", daemon=True)
        beating.start()
        try:
            yield
        except BaseException:
            with suppress(AwsFailure), self._writing:
                if self.run.state is State.RUNNING:
                    self._write(lambda journal: journals.in_state(journal, State.FAILED))
            raise
        finally:
            self._over.set()
            beating.join(BEAT_SECONDS)  # a last sign of life may be on its way to a Region that is slow
            if not self._homes.unread:
                self._homes.copy(self._journal)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            with suppress(AwsFailure), self._writing:
                if not self._over.is_set() and self.run.state is State.RUNNING:
                    self._write(lambda journal: journals.beaten(journal, self._now()))


def opened(homes: Homes, journal: Journal, wanted: Wanted, who: Operator) -> JourneyRun:
    """The run, begun or gone on with.

    Raises:
        Refused: somebody else is at it, or another journey is not finished.
    """
    run = JourneyRun(homes, journal, wanted, who)
    run.open()
    return run


def how_to_go_on(run: JourneyRun | None) -> str:
    """What is told with the failure of a task that had begun this run, or none."""
    if run is None:
        return "Nothing was changed."
    return f"The run {run.run.id} is open. Run again to go on, or look at it with failover_status.yml."
