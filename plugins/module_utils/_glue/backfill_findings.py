# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The findings of a verify as a backfill reads them.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .._core.batch_selection import Missing
from .._core.model import InvalidInput


def read_findings(path: Path) -> Iterator[Missing]:
    """What a verify found missing, line by line.

    Raises:
        InvalidInput: the file cannot be read, or a line is none of a verify's.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                missing = _of_line(path, number, line)
                if missing is not None:
                    yield missing
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"findings_file: {path} cannot be read ({error}). Name a file that can.") from error


def _of_line(path: Path, number: int, line: str) -> Missing | None:
    try:
        return Missing.of_line(json.loads(line))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"findings_file: line {number} of {path} is none that a verify writes ({error!r}). Name the "
            "findings.jsonl of a verify that has ended."
        ) from error
