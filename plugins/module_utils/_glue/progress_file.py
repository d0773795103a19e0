# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""How a running module tells the action plugin of its name how it gets on.

A module cannot say anything before it ends. So the action plugin, on the same machine, hands it the path of a file and
looks at it from time to time. The path comes in an environment variable: an option would be documented, and would be
shown in each task's invocation, though nobody may set it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .._core.progress import Count

VARIABLE = "CROSSREGION_S3_DR_PROGRESS_FILE"
"""The environment variable that holds the path. Without it nobody looks."""

INTERVAL = 1.0
"""Seconds between two writings, since a report may come with each version."""


class ProgressFile:
    """The file in which the latest count stands. Nothing that goes wrong with it may disturb the run."""

    def __init__(self, path: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`None` or an empty path: nothing is ever written. `clock` tells seconds and never goes back."""
        self._path = Path(path) if path else None
        self._clock = clock
        self._due = clock()
        self._unwritten: Count | None = None
        self._lock = threading.Lock()

    @classmethod
    def of_the_task(cls) -> ProgressFile:
        """The file that the action plugin of this task looks at, if it does."""
        return cls(os.environ.get(VARIABLE))

    def report(self, compared: int, expected: int | None = None, what: str = "compared") -> None:
        """Say how many versions have been compared since the run began, of how many; cheap, from any thread.

        What comes within a second of the last writing is kept for the next, or for `flush`.
        """
        if self._path is None:
            return
        with self._lock:
            self._unwritten = Count(compared, expected, what)
            if self._clock() >= self._due:
                self._write_down(self._path, self._unwritten)

    def flush(self) -> None:
        """Write what the last report said, before the run ends or does something that reports nothing."""
        with self._lock:
            if self._path is not None and self._unwritten is not None:
                self._write_down(self._path, self._unwritten)

    def _write_down(self, path: Path, count: Count) -> None:
        """In one step, so that nobody ever reads half of it."""
        self._unwritten = None
        self._due = self._clock() + INTERVAL
        new = path.with_name(f"{path.name}.new")
        try:
            new.write_text(count.as_text(), encoding="utf-8")
            new.replace(path)
        except OSError:
            return  # a full disk, or a folder that is gone with the one who looked: the run goes on
