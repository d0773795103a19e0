# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""How far a comparison in slices is, as it is kept between them.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .._aws.comparison import LISTING
from .._core.explain import Rank

CHOOSING, MARCHING, EXAMINING, OVER = "choosing", "marching", "examining", "over"
"""The phases of a way."""
DEALING, MERGING = "dealing", "merging"
"""Those in the place of marching, where reports are compared."""


@dataclass(slots=True)
class State:
    """How far one way is. It is kept as JSON between slices."""

    phase: str = CHOOSING
    slice: int = 0
    engine: str = LISTING
    after: str | None = None
    began: int | None = None
    counts: list[list[int]] = field(default_factory=lambda: [[0, 0, 0], [0, 0, 0]])
    matched: int = 0
    in_flight: int = 0
    canaries: int = 0
    oldest_arrived: int | None = None
    solved: dict[str, int] = field(default_factory=dict)
    tally: dict[str, Any] | None = None
    sample: dict[str, Any] | None = None
    spooled: list[list[Any]] = field(default_factory=list)
    """Rank, name and number of differences of each file, in the order in which they are examined."""
    examined: int = 0
    findings: list[str] = field(default_factory=list)
    """The names of the files that hold the findings."""
    head_requests: int = 0
    notices: list[str] = field(default_factory=list)
    seconds: float = 0.0
    reason: str = ""
    reports: list[Any] = field(default_factory=list)
    """Of both ends, where reports are compared."""
    parts: int = 0
    dealt_by: list[str] = field(default_factory=list)
    """How the names of the parts begin that each slice dealt."""
    dealt: list[int] = field(default_factory=lambda: [0, 0])
    """Rows of each end."""
    at: list[int] = field(default_factory=lambda: [0, 0, 0])
    """Where dealing goes on: end, file, and row in it."""
    part: int = 0
    """Where merging goes on."""

    def failed(self, reason: str) -> None:
        """The comparison is over, and proves nothing."""
        self.reason, self.phase = reason, OVER

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    def counts_by_rank(self) -> Counter[Rank]:
        """How many differences were kept of each rank."""
        counts: Counter[Rank] = Counter()
        for rank, _name, count in self.spooled:
            counts[Rank(rank)] += count
        return counts
