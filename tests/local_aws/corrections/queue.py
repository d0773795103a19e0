# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Object versions that wait for their replication, and how long they wait.

The lag can be set for each source bucket while versions are waiting: it counts from the write, so a longer lag holds
what waits and a shorter one lets it go.
"""

from __future__ import annotations

import logging
import os
import time
from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from . import background
from .rules import Rule

logger = logging.getLogger("local_aws")

TRY_AGAIN_SECONDS = 0.25


class Kind(Enum):
    OBJECT = "OBJECT_PUT"
    MARKER = "DELETE"
    CHANGE = "OBJECT_CHANGE"  # of what a version has beside its data: tags, ACL, retention, legal hold


@dataclass(eq=False)
class Job:
    """One object version or delete marker on its way to every destination that a rule names."""

    account: str
    region: str
    bucket: str
    key: str
    record: dict[str, Any]  # MiniStack's own record; it carries the version ID once the write is done
    kind: Kind
    rules: list[Rule]
    role: str
    is_replica: bool = False
    has_failed: bool = False  # at one of its destinations; others may be waiting
    written: float = field(default_factory=time.time)

    @property
    def good_status(self) -> str:
        """What the version is when all went well: a replica whose change was synced back stays a replica."""
        return "REPLICA" if self.is_replica else "COMPLETED"

    @property
    def size(self) -> int:
        return int(self.record.get("size") or 0)


class Queue:
    """First in, first out within a source bucket, as the writes came."""

    def __init__(self, default_lag: float) -> None:
        self.default_lag = default_lag
        self.lags: dict[str, float] = {}
        self.waiting: dict[str, deque[Job]] = {}
        self.held: list[Job] = []  # their turn has come, but a Region they need is down
        self.carry_out: Callable[[Job], bool] = lambda job: True  # False: to be tried again
        self._timer: TimerHandle | None = None

    def add(self, job: Job) -> None:
        background.soon(lambda: self._append(job))

    def set_lag(self, bucket: str | None, seconds: float) -> None:
        if bucket is None:
            self.default_lag = seconds
        else:
            self.lags[bucket] = seconds
        background.soon(self._work)

    def jobs(self) -> list[Job]:
        """All that is under way."""
        return [*self.held, *(job for jobs in self.waiting.values() for job in jobs)]

    def try_held(self) -> None:
        held, self.held = self.held, []
        for job in held:
            self._carry_out(job)

    def _append(self, job: Job) -> None:
        self.waiting.setdefault(job.bucket, deque()).append(job)
        self._work()

    def _due(self, job: Job) -> float:
        return job.written + self.lags.get(job.bucket, self.default_lag)

    def _work(self) -> None:
        """Carry out what is due and come back when the next is."""
        for jobs in list(self.waiting.values()):
            while jobs and self._due(jobs[0]) <= time.time():
                self._carry_out(jobs.popleft())
        self.waiting = {bucket: jobs for bucket, jobs in self.waiting.items() if jobs}
        if self._timer:
            self._timer.cancel()
        if self.waiting:
            next_due = min(self._due(jobs[0]) for jobs in self.waiting.values())
            # A wait of days is the way to say "hold"; the loop is asked for an hour at most.
            self._timer = background.later(min(max(next_due - time.time(), 0.0), 3600.0), self._work)

    def _carry_out(self, job: Job) -> None:
        try:
            if not self.carry_out(job):
                self.held.append(job)
        except Exception:
            logger.exception("replication of s3://%s/%s", job.bucket, job.key)


queue = Queue(default_lag=float(os.environ.get("LOCAL_AWS_LAG_SECONDS", "1.0")))
background.every(TRY_AGAIN_SECONDS)(queue.try_held)
