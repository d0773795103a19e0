# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Look into the built collection archive: it must hold what users need, and nothing else."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

NEEDED = {"MANIFEST.json", "FILES.json", "COPYING", "LICENSES", "README.md", "meta", "playbooks", "plugins", "roles"}
WELCOME = {
    "CHANGELOG.md",
    "CHANGELOG.rst",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "changelogs",
    "docs",
    "examples",
    "extensions",
}
LITTER = re.compile(r"(^|/)(__pycache__|\.[^/]*|[^/]*\.(pyc|tar\.gz|retry|swp)|[^/]*~)(/|$)")


def problems(folder: Path) -> list[str]:
    archives = sorted(folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not archives:
        return [f"no archive was built in {folder}"]
    with tarfile.open(archives[-1]) as archive:
        return problems_of(archive.getnames())


def problems_of(names: list[str]) -> list[str]:
    tops = {name.split("/", 1)[0] for name in names}
    return [
        *(f"{name} is missing from the archive" for name in sorted(NEEDED - tops)),
        *(f"{name} is not for users: add it to build_ignore" for name in sorted(tops - NEEDED - WELCOME)),
        *(f"{name} is litter: add it to build_ignore" for name in sorted(names) if LITTER.search(name)),
    ]
