# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Start and stop the local AWS of `tests/local_aws` for one stage."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from paths import COLLECTION, LOCAL_AWS_PYTHON, STATE, tool, tool_environment
from runner import Log

LAUNCHER_PATH = COLLECTION / "tests"


@contextmanager
def local_aws(log: Log, name: str) -> Iterator[dict[str, str]]:
    """Yield the environment variables that lead to a fresh AWS, and stop it afterwards whatever happens."""
    state = str(STATE / name)
    stop_local_aws(log, name)
    log.run(
        *launcher("start", "--state-dir", state, "--python", str(LOCAL_AWS_PYTHON)), cwd=COLLECTION, env=surroundings()
    )
    try:
        command = launcher("env", "--state-dir", state)
        yield exported(subprocess.check_output(command, cwd=COLLECTION, env=surroundings(), text=True))
    finally:
        stop_local_aws(log, name)


def stop_local_aws(log: Log, name: str) -> None:
    """Stop what runs, or what an interrupted run left behind; nothing at all is fine too."""
    if (STATE / name).is_dir():
        log.run(*launcher("stop", "--state-dir", str(STATE / name)), cwd=COLLECTION, env=surroundings())
        shutil.rmtree(STATE / name, ignore_errors=True)


def exported(text: str) -> dict[str, str]:
    """Read lines of the form `export NAME=value`."""
    words = [word for line in text.splitlines() for word in shlex.split(line) if "=" in word]
    return dict(word.split("=", 1) for word in words)


def launcher(*arguments: str) -> list[str]:
    return [tool("python"), "-m", "local_aws", *arguments]


def surroundings() -> dict[str, str]:
    return tool_environment(PYTHONPATH=LAUNCHER_PATH)
