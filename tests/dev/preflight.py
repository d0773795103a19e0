# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Say in one line what this machine lacks, before anything is set up.

Written so that an old Python can read it: it is the file that says the Python is too old.
"""

import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)


def missing() -> "str | None":
    """Return what is missing and the next step, or None."""
    if sys.version_info < OLDEST:
        return (
            "Python %d.%d is too old, 3.11 or newer is needed: install one and name it, "
            "for example 'make PYTHON=python3.12 env'" % sys.version_info[:2]
        )
    for module in ("venv", "ensurepip"):
        try:
            __import__(module)
        except ImportError:
            return "Python has no module %s: install it (on Debian and Ubuntu: apt install python3-venv)" % module
    if shutil.which("git") is None:
        return "git is missing: install it (on Debian and Ubuntu: apt install git)"
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    listing = subprocess.run(
        ["git", "-C", root, "ls-files"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
    )
    if listing.returncode != 0:
        reason = listing.stderr.decode("utf-8", "replace").strip().splitlines()[:1] or ["git failed"]
        return "git cannot list the files of %s (%s): work in a git clone of the project" % (root, reason[0])
    return None


if __name__ == "__main__":
    problem = missing()
    if problem:
        sys.exit("make: " + problem)
