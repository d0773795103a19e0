# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of two reports, which are in no order, dealt into parts by their keys; a part is sorted in memory.

A part holds all versions of its keys of both ends. What a slice deals is kept when it ends, under names that a
repeated slice gives again.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import TracebackType

from .._core.inventory import part_of, version_of
from .._core.versions import Version, listing_order
from .work import Work

_HELD_ROWS = 50_000
"""So many rows are in memory before they go to Lambda's disk, compressed."""
_MOST_DISK_BYTES = 300 * 1024 * 1024
"""Of Lambda's 512 MB."""
_THREADS = 8


class Dealer:
    """Deals rows into parts, on disk. Use it as a context manager."""

    def __init__(self, parts: int) -> None:
        """`parts` is how many there are."""
        self._parts = parts
        self._held: dict[tuple[int, int], io.StringIO] = {}
        self._rows = 0
        self._on_disk = 0
        self._folder = tempfile.TemporaryDirectory(prefix="parts")

    def __enter__(self) -> Dealer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    @property
    def full(self) -> bool:
        """Whether the disk has no room for more."""
        return self._on_disk >= _MOST_DISK_BYTES

    def deal(self, end: int, row: Sequence[str]) -> None:
        """Take a row of an end, 0 or 1; its key comes first."""
        at = end, part_of(row[0], self._parts)
        if at not in self._held:
            self._held[at] = io.StringIO()
        csv.writer(self._held[at], quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(row)
        self._rows += 1
        if self._rows == _HELD_ROWS:
            self._put_down()

    def _put_down(self) -> None:
        """A gzip file may have several members, so each time one is added."""
        for (end, part), held in self._held.items():
            packed = gzip.compress(held.getvalue().encode("utf-8", "surrogatepass"), compresslevel=1)
            with self._path(end, part).open("ab") as file:
                file.writelines([packed])
            self._on_disk += len(packed)
        self._held, self._rows = {}, 0

    def _path(self, end: int, part: int) -> Path:
        return Path(self._folder.name, f"{end}-{part:05}")

    def keep(self, work: Work, name: str) -> None:
        """Keep all parts, the name of each beginning with `name`."""
        self._put_down()
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda path: work.put_packed(f"{name}-{path.name}", path), Path(self._folder.name).iterdir()))


class PartOfReport:
    """One end's versions of a part, as a listing tells them."""

    def __init__(self, began: datetime, versions: Sequence[Version]) -> None:
        """`versions` in any order."""
        self.began = began
        self._versions = sorted(versions, key=listing_order)

    def start(self) -> None:
        """They are there already."""

    def rows(self) -> Iterator[Version]:
        """All versions, sorted by key."""
        return iter(self._versions)


def versions_of(work: Work, names: Sequence[str], end: int, part: int) -> list[Version]:
    """What was dealt to a part of an end, in the slices of these names.

    Raises:
        ValueError: a row is not what S3 documents.
    """
    dealt = (f"{name}-{end}-{part:05}" for name in names)
    return [version_of(row) for name in dealt for row in csv.reader(work.packed(name))]
