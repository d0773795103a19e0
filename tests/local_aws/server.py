# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The server process: check that the corrections fit this MiniStack, apply them, run it."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from pathlib import Path


def main() -> int:
    problems = version_problems() or correction_problems()
    if problems:
        print("local_aws: the corrections do not fit this MiniStack:", file=sys.stderr)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
        return 3
    corrections = importlib.import_module("local_aws.corrections")
    corrections.apply()
    # MiniStack reads sys.argv itself; the directory there only marks the process as ours.
    sys.argv = sys.argv[:1]
    from ministack.app import main as run

    run()
    return 0


def version_problems() -> list[str]:
    """The corrections are written against one release; another one must be looked at before it is used."""
    requirements = Path(__file__).with_name("requirements.in").read_text()
    pinned = re.search(r"^ministack==(\S+)", requirements, re.MULTILINE)
    wanted = pinned.group(1) if pinned else "no version pinned in requirements.in"
    found = importlib.metadata.version("ministack")
    return [] if found == wanted else [f"ministack is {found}, the corrections are written for {wanted}"]


def correction_problems() -> list[str]:
    """What moved in MiniStack. The corrections import it, so a name that is gone shows here first."""
    try:
        misfits: list[str] = importlib.import_module("local_aws.corrections").misfits()
    except ImportError as problem:
        return [str(problem)]
    return misfits


if __name__ == "__main__":
    sys.exit(main())
