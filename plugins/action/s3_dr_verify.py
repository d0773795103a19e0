# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows on a terminal how a long s3_dr_verify or s3_batch_replication gets on.

The task itself runs exactly as it would without this.

The module is executed by Ansible's own action for modules. Meanwhile a thread looks at the file in which the module
says how many versions it has compared or replicated.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.progress import (
    Count,
    Reading,
    last_line,
    line,
    remembered,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.progress_file import VARIABLE

ON_TERMINAL = sys.stdout is not None and sys.stdout.isatty()
"""Whether a person looks at the output, as it was when this file was loaded.

The strategy loads it in the process that owns the terminal, before it forks the worker that runs the task. The worker
has nothing left to ask: it lost the terminal, and its standard output, before its first line. If a strategy loads this
file only there, the answer is no, and nothing is shown.
"""

LOOK_SECONDS = 1.0
"""How often the file is read."""

SHOW_SECONDS = 5.0
"""How often a line is shown, and for how long versions are compared before the first."""

Clock = Callable[[], float]
Show = Callable[[str], None]


class Lines:
    """Which line is due, by what has been read so far."""

    def __init__(self, name: str, began: float) -> None:
        self._name = name
        self._began = began
        self._readings: tuple[Reading, ...] = ()
        self._next = 0.0
        self._shown: int | None = None

    def take(self, at: float, count: Count) -> None:
        """Mind what was just read."""
        if not self._readings:
            self._next = at + SHOW_SECONDS
        self._readings = remembered(self._readings, Reading(at, count))

    def due(self, at: float) -> str | None:
        """The line for what was read last. None while one is fresh, or while no version was compared since."""
        if not self._readings or at < self._next or self._readings[-1].count.compared == self._shown:
            return None
        self._next = at + SHOW_SECONDS
        self._shown = self._readings[-1].count.compared
        return line(self._name, self._readings)

    def last(self, at: float) -> str | None:
        """The line for the end. None after a run that was too short for any other line."""
        return last_line(self._name, self._readings[-1].count, at - self._began) if self._shown is not None else None


class Watch:
    """Reads the file and shows the lines, until it is told that the module has ended."""

    def __init__(self, path: Path, name: str, show: Show, clock: Clock = time.monotonic) -> None:
        self._path = path
        self._lines = Lines(name, clock())
        self._show = show
        self._clock = clock
        self._over = threading.Event()

    def look(self) -> None:
        """Read once, and show the line that is due."""
        self._read()
        self._say(self._lines.due(self._clock()))

    def until_over(self) -> None:
        """Look again and again. Whatever goes wrong ends the lines, never the task."""
        with contextlib.suppress(Exception):
            while not self._over.wait(LOOK_SECONDS):
                self.look()

    def end(self) -> None:
        """Show what the module wrote last, if anything was shown before."""
        with contextlib.suppress(Exception):
            self._read()
            self._say(self._lines.last(self._clock()))

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Look from a thread while the body runs. The thread has ended when this has."""
        thread = threading.Thread(target=self.until_over, name="s3_dr_verify progress", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread left to start
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            if thread.ident is not None:
                thread.join()
            self.end()

    def _read(self) -> None:
        """Nothing yet, or nothing sensible: as if it had not looked."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            count = Count.of_text(self._path.read_text(encoding="utf-8"))
            if count:
                self._lines.take(self._clock(), count)

    def _say(self, text: str | None) -> None:
        if text:
            self._show(text)


def private_folder() -> Path | None:
    """A folder that only this user can enter.

    It lies in Ansible's own temporary folder, which the main process removes at its end: a worker that is interrupted
    is killed, and has no time to remove anything.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="s3_dr_verify_", dir=constants.DEFAULT_LOCAL_TMP))
    except OSError:
        return None


class ActionModule(NormalAction):
    """Ansible's own action for modules, with somebody who looks at how the module gets on."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Execute the module. Its result is what the module returned."""
        folder = private_folder() if self._anyone_looks() else None
        if folder is None:
            return super().run(tmp, task_vars)
        try:
            with self._told(folder / "progress.json") as watch, watch.beside():
                return super().run(tmp, task_vars)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _anyone_looks(self) -> bool:
        """On a terminal, while the task runs in the foreground, on this machine, and may be talked about."""
        here = getattr(self._connection, "transport", None) == "local"
        return ON_TERMINAL and here and not self._task.async_val and not self._task.no_log

    @contextlib.contextmanager
    def _told(self, path: Path) -> Iterator[Watch]:
        """Let the module know the path, as one more variable of the task's environment."""
        environment = self._task.environment
        self._task.environment = [*(environment or []), {VARIABLE: str(path)}]
        try:
            yield Watch(path, str(self._task.args.get("name")), show)
        finally:
            self._task.environment = environment


def show(text: str) -> None:
    """On the screen only: a log is no terminal. Display hands it to the main process, which alone may print."""
    Display().display(text, screen_only=True)
