# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Where things are, and the environment in which every tool runs.

Everything the tools write lies in `.cache`. Their home folder lies there too, so that neither the collections nor the
settings below a developer's `~/.ansible` or `~/.aws` take part in a test, and none of them is changed by one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
HOME = CACHE / "home"
LOGS = CACHE / "logs"
STATE = CACHE / "state"

DEV_VENV = CACHE / "venv" / "dev"
LOCAL_AWS_VENV = CACHE / "venv" / "local-aws"
LOCAL_AWS_PYTHON = LOCAL_AWS_VENV / "bin" / "python"

TREE = CACHE / "tree"
RECOVERY_TREE = CACHE / "tree-recovery"
MOTO_TREE = CACHE / "tree-moto"
"""ansible-test runs integration targets of one tree one after the other, so what runs beside them has its own."""


def collection_in(top: Path) -> Path:
    """Return where a tree holds the collection."""
    return top / "ansible_collections" / "crossregion" / "s3_dr"


COLLECTION = collection_in(TREE)

# A developer's settings for these would change what the tests see.
_FOREIGN = ("ANSIBLE_", "AWS_", "EC2_", "BOTO_", "MOLECULE_", "XDG_", "PYTEST_", "PYTHON", "PYENV_", "VIRTUAL_ENV")


def tool(name: str) -> str:
    """Return the path of a tool of the development environment."""
    return str(DEV_VENV / "bin" / name)


def tool_environment(**more: str | Path) -> dict[str, str]:
    """Return the environment for a tool: the caller's, less what would leak into a test, plus `more`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    env |= {
        "HOME": str(HOME),
        "ANSIBLE_HOME": str(HOME / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join([str(DEV_VENV / "bin"), *_real_folders(env.get("PATH", os.defpath))]),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis"),
    }
    return env | {name: str(value) for name, value in more.items()}


def _real_folders(path: str) -> list[str]:
    """Leave out the shims of version managers: ansible-test takes a shim for an interpreter, and it dies."""
    return [folder for folder in path.split(os.pathsep) if folder and Path(folder).name != "shims"]


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Let one process at a time do this: two `make` in one checkout must not build the same thing at once."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
