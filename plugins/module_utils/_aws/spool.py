# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Differences on disk until the listings have ended, so that memory does not grow with them.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import IO

from .._core.explain import Rank
from .._core.march import Difference
from .._core.packing import packed_difference, unpacked_difference


class SpoolFailed(Exception):
    """The differences cannot be kept on disk. The message names the directory, the cause and the next step."""


class Spool:
    """One file without a name for each rank, gone when the spool is closed or the process ends."""

    def __init__(self, directory: str | None = None) -> None:
        """`directory` None: the system's directory for temporary files."""
        self._directory = directory or tempfile.gettempdir()
        self._files: dict[Rank, IO[str]] = {}
        self._open = ExitStack()
        self.counts: Counter[Rank] = Counter()
        """How many differences of each rank were put."""

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._open.close()
        except OSError:
            self._files.clear()  # a full disk says so once more on closing; what mattered was said before

    def put(self, rank: Rank, difference: Difference) -> None:
        """Keep one difference.

        Raises:
            SpoolFailed: the disk is full, or the directory cannot be used.
        """
        try:
            if rank not in self._files:
                self._files[rank] = self._open.enter_context(self._temporary())
            self._files[rank].writelines((json.dumps(packed_difference(difference)), "\n"))
        except OSError as error:
            raise self._failed(error) from error
        self.counts[rank] += 1

    def take(self) -> Iterator[Difference]:
        """All differences in the order of their ranks, within a rank as they were put. Nothing may be put after.

        Raises:
            SpoolFailed: the disk is full, or the files cannot be read.
        """
        for rank in self.ranks():
            yield from self.of(rank)

    def ranks(self) -> list[Rank]:
        """The ranks of which there are differences, the gravest first."""
        return sorted(self._files)

    def of(self, rank: Rank) -> Iterator[Difference]:
        """The differences of one rank, as they were put. Nothing may be put after.

        Raises:
            SpoolFailed: the files cannot be read.
        """
        file = self._files[rank]
        try:
            file.seek(0)
            for line in file:
                yield unpacked_difference(json.loads(line))
        except OSError as error:
            raise self._failed(error) from error

    def _temporary(self) -> IO[str]:
        return tempfile.TemporaryFile("w+", encoding="ascii", newline="\n", dir=self._directory)

    def _failed(self, error: OSError) -> SpoolFailed:
        return SpoolFailed(
            f"The differences cannot be kept in {self._directory} after {sum(self.counts.values())} of them "
            f"({error.strerror or error}). They need about 300 bytes each: make room there, or let TMPDIR name another "
            "directory, then run again."
        )
