# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Find what makes sense on one machine only, and links in README.md that Galaxy cannot follow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import tree

# The brackets keep this file from finding itself.
FORBIDDEN = {
    "a path of one person's machine": re.compile(r"(?<![\w.}~-])/(home|root|Users|work)/\w"),
    "the host name of a package index": re.compile(r"pypi[.]org|pythonhosted[.]org|registry[.]npmjs[.]org"),
}
RELATIVE_LINK = re.compile(r"""(?:\]\(|(?:href|src)=["'])(?!https?://|mailto:|#)([^)\s"']+)""")


def problems(root: Path) -> list[str]:
    files = sorted(tree.listed(root))
    return [problem for name in files if not (root / name).is_symlink() for problem in problems_of(root, name)]


def problems_of(root: Path, name: str) -> Iterator[str]:
    try:
        text = (root / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:  # a picture
        return
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in FORBIDDEN.items():
            if found := pattern.search(line):
                yield f"{name}:{number}: {what}: {found[0]}"
        if name == "README.md" and (found := RELATIVE_LINK.search(line)):
            yield f"{name}:{number}: a relative link, which Galaxy cannot follow: {found[1]}"
