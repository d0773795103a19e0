# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Virtual environments for a single check, made when the check is run."""

from __future__ import annotations

from pathlib import Path

from environment import make_venv
from paths import CACHE, ROOT, alone


def made_when_used(name: str) -> Path:
    """Return the environment of `requirements/NAME.txt`; it is installed unless it is there from the same lock."""
    lock, venv = ROOT / "requirements" / f"{name}.txt", CACHE / "venv" / name
    stamp = venv / "made-from"
    with alone(name):
        wanted = lock.read_text(encoding="utf-8")
        if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
            make_venv(venv, lock)
            stamp.write_text(wanted, encoding="utf-8")
    return venv
