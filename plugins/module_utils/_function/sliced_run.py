# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A comparison that stops when its time is up, and goes on with other rows: what one slice of it is made of.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol

from .._aws.comparison import Run
from .._core.march import Difference
from .._core.versions import Version


class Listing(Protocol):
    """All versions of a bucket, or of some of its keys."""

    def start(self) -> None:
        """Begin to read ahead; returns at once."""

    @property
    def began(self) -> datetime:
        """From this moment on nothing is judged."""

    def rows(self) -> Iterator[Version]:
        """All versions, sorted by key."""


class Counted:
    """Rows on their way to the comparison, counted; `numbers` leaves out what was only looked at."""

    def __init__(self, before: Sequence[int]) -> None:
        self._numbers = list(before)
        self._last: Version | None = None

    def rows(self, rows: Iterator[Version]) -> Iterator[Version]:
        """The rows, unchanged."""
        for row in rows:
            self._add(row, 1)
            self._last = row
            yield row
        self._last = None

    def numbers(self, stopped_after: str | None) -> list[int]:
        """Versions, delete markers and bytes up to a key; None: of all rows."""
        if stopped_after is not None and self._last is not None and self._last.key > stopped_after:
            self._add(self._last, -1)
            self._last = None
        return self._numbers

    def _add(self, row: Version, times: int) -> None:
        self._numbers[1 if row.is_delete_marker else 0] += times
        self._numbers[2] += times * (row.size or 0)


class SlicedRun(Run):
    """A comparison that stops after a key when its time is up.

    Attributes:
        stopped_after: the last key that was compared; None: the listings came to their ends.
    """

    enough: Callable[[], bool]
    counted: tuple[Counted, Counted]
    stopped_after: str | None = None

    def rows(self) -> tuple[Iterator[Version], Iterator[Version]]:
        """What both listings tell, counted."""
        left, right = (counted.rows(rows) for counted, rows in zip(self.counted, super().rows(), strict=True))
        return left, right

    def ended(self, key: str) -> bool:
        """Whether to stop after this key. One key at least is compared."""
        if not self.enough():
            return False
        self.stopped_after = key
        return True


class Handed:
    """Differences handed to the examiner one by one, counted, until there was enough. One at least is handed."""

    def __init__(self, differences: Iterator[Difference], enough: Callable[[], bool]) -> None:
        self._differences = differences
        self._enough = enough
        self.count = 0

    def __iter__(self) -> Iterator[Difference]:
        """Those that there is time for."""
        for difference in self._differences:
            self.count += 1
            yield difference
            if self._enough():
                return


class Rows:
    """Rows that a slice keeps on disk until it ends."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self.count = 0

    def __enter__(self) -> Rows:
        self._file = self._open.enter_context(tempfile.TemporaryFile("w+", encoding="ascii", newline="\n"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep a row."""
        self._file.writelines((json.dumps(row), "\n"))
        self.count += 1

    def __iter__(self) -> Iterator[Any]:
        """All rows."""
        self._file.seek(0)
        return map(json.loads, self._file)
