# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Run stages, two at a time, and tell how they went."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

AT_ONCE = 2
TAIL = 40
TIME_LIMIT = 30 * 60


class StageFailed(Exception):
    """A stage did not pass. The text says why, in a line."""


@dataclass
class Log:
    """The file that keeps all that a stage prints, and the way for a stage to run commands."""

    path: Path
    arguments: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("", encoding="utf-8")

    def say(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{text}\n")

    def run(self, *command: str, cwd: Path, env: Mapping[str, str]) -> None:
        """Run a command with its output in the log; raise StageFailed unless it succeeds."""
        self.say(f"$ {' '.join(command)}")
        with self.path.open("ab") as stream, processes.start(command, cwd, env, stream.fileno()) as process:
            try:
                status = process.wait(TIME_LIMIT)
            except subprocess.TimeoutExpired:
                processes.kill(process)
                raise StageFailed(
                    f"{Path(command[0]).name} was still running after {TIME_LIMIT // 60} minutes"
                ) from None
            finally:
                processes.forget(process)
        if status != 0:
            raise StageFailed(f"{Path(command[0]).name} ended with exit code {status}")

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        return "".join(f"    {line}\n" for line in deque(self.text().splitlines(), TAIL))


@dataclass
class Processes:
    """The commands that run now, each the head of a process group, so that an interrupt ends all they started."""

    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, command: Sequence[str], cwd: Path, env: Mapping[str, str], output: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        with self.lock:
            self.running.add(process)
        return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        with self.lock:
            self.running.discard(process)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGTERM)

    def kill_all(self) -> None:
        with self.lock:
            for process in self.running:
                self.kill(process)


processes = Processes()


@dataclass(frozen=True)
class Result:
    name: str
    seconds: float
    failure: str | None
    log: Log

    def line(self) -> str:
        verdict = "FAILED" if self.failure else "ok"
        return f"{verdict:<6}  {self.name:<13} {self.seconds:6.1f} s" + (f"  {self.failure}" if self.failure else "")


Stage = Callable[[Log], None]


def run_stages(stages: Mapping[str, Stage], logs: Path, arguments: Sequence[str] = ()) -> list[Result]:
    """Run all the stages, whether or not others fail, and print each result as it comes."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [
            pool.submit(run_stage, name, stage, Log(logs / f"{name}.log", arguments)) for name, stage in stages.items()
        ]
        try:
            done = {result.name: result for result in map(report, as_completed(futures))}
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.kill_all()
            raise
    return [done[name] for name in stages]


def run_stage(name: str, stage: Stage, log: Log) -> Result:
    started = time.monotonic()
    failure = None
    try:
        stage(log)
    except StageFailed as error:
        failure = str(error)
    except Exception as error:  # a stage that breaks has failed; the others go on
        failure = f"{type(error).__name__}: {error}"
    return Result(name, time.monotonic() - started, failure, log)


def report(future: Future[Result]) -> Result:
    result = future.result()
    print(result.line(), flush=True)
    if result.failure:
        print(f"{result.log.tail()}    (all of it: {result.log.path})", flush=True)
    return result


def summary(results: Sequence[Result]) -> str:
    """Return the table of all results; the last line counts them."""
    failed = sum(1 for result in results if result.failure)
    lines = ["", *(result.line() for result in results), f"checks: {len(results) - failed} passed, {failed} failed"]
    return "\n".join(lines)
