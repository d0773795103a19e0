# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Empty buckets of growing size, and tell time, memory and requests of each run.

Fails when something is left, when 100,000 versions take more than 2 minutes at 20 ms a call, or when the memory grows
or is more than 120 MB. See README.md here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .synthetic_buckets import SOURCE, Shape, buckets_of, count_rows
from .synthetic_s3 import Faults
from .verify_memory import MOST_GROWTH, MOST_MEMORY_MB, endpoint, environment, tree_of_collections

GOAL_VERSIONS = 100_000
GOAL_SECONDS = 120
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One bucket that is emptied; `grows`: it is one of those that differ only in size."""

    name: str
    shape: Shape
    faults: Faults
    grows: bool = False

    @property
    def rows(self) -> int:
        """Versions and delete markers that are to go."""
        return count_rows(buckets_of(self.shape)[SOURCE])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run told.

    Attributes:
        told: what one_delete.py printed.
        counts: requests by operation, as the endpoint counted them.
    """

    case: Case
    told: dict[str, Any]
    counts: dict[str, int]

    @property
    def peak_mb(self) -> float:
        """The most memory held at once."""
        return float(self.told["peak"]) / _MB

    def flaws(self) -> Iterator[str]:
        """What is not as it should be."""
        counted = self.told["counted"]["versions"] + self.told["counted"]["delete_markers"]
        if counted != self.case.rows:
            yield f"{counted} versions and markers were counted, not {self.case.rows}"
        if self.told["left"] is not None:
            yield f"{self.told['left']} is left"
        if self.peak_mb > MOST_MEMORY_MB:
            yield f"{self.peak_mb:.0f} MB of memory are more than {MOST_MEMORY_MB}"
        allowed = GOAL_SECONDS * max(1.0, self.case.rows / GOAL_VERSIONS)
        if self.told["seconds"] > allowed:
            yield f"{self.told['seconds']:.0f} s are more than {allowed:.0f}"


def cases(sizes: list[int], latency_ms: float) -> Iterator[Case]:
    """Growing buckets, then the worst ones."""
    calm = Faults(latency_ms=latency_ms)
    for size in sorted(sizes):
        yield Case("growing", Shape(keys=size), calm, grows=True)
    some = Shape(keys=18_000, versions=5, markers_every=50, layout="unicode")
    yield Case("several versions of each key", some, calm)
    yield Case("one key", Shape(keys=50_000, layout="one_key"), calm)
    busy = Faults(latency_ms=latency_ms, rate=20, busy_every=997)
    yield Case("S3 is busy", Shape(keys=GOAL_VERSIONS), busy)


def run(case: Case, tree: Path) -> Outcome:
    """Empty one bucket, in a process of its own."""
    with endpoint(case.shape, case.faults) as url:
        command = [sys.executable, "-m", "ansible_collections.crossregion.s3_dr.benchmarks.one_delete", url]
        answer = subprocess.run(command, env=environment(tree), stdout=subprocess.PIPE, text=True, check=True)
        with urllib.request.urlopen(f"{url}/-/") as response:
            counts = json.load(response)["counts"]
    return Outcome(case, json.loads(answer.stdout), counts)


COLUMNS = (
    "case", "versions", "ms a call", "count s", "delete s", "in all s", "CPU s", "deleted/s", "peak MB", "of it before",
    "list requests", "delete requests", "answers 503",
)  # fmt: skip


def row(outcome: Outcome) -> str:
    """One line of the table."""
    told, counts = outcome.told, outcome.counts
    cells = (
        outcome.case.name,
        f"{outcome.case.rows:,}",
        f"{outcome.case.faults.latency_ms:g}",
        f"{told['count_seconds']:.1f}",
        f"{told['delete_seconds']:.1f}",
        f"{told['seconds']:.1f}",
        f"{told['cpu']:.1f}",
        f"{outcome.case.rows / told['delete_seconds']:,.0f}",
        f"{outcome.peak_mb:.1f}",
        f"{told['before'] / _MB:.1f}",
        f"{counts.get('ListObjectVersions', 0):,}",
        f"{counts.get('DeleteObjects', 0):,}",
        f"{counts.get('answered 503', 0):,}",
    )
    return f"| {' | '.join(cells)} |"


def growth_flaws(outcomes: list[Outcome]) -> Iterator[str]:
    """Memory must not grow with the buckets: the two largest are compared."""
    growing = sorted((one for one in outcomes if one.case.grows), key=lambda one: one.case.rows)
    for smaller, larger in zip(growing[-2:-1], growing[-1:], strict=True):
        if larger.peak_mb > MOST_GROWTH * smaller.peak_mb:
            yield (
                f"memory grows: {smaller.peak_mb:.1f} MB with {smaller.case.rows:,} versions, "
                f"{larger.peak_mb:.1f} MB with {larger.case.rows:,}"
            )


def main() -> int:
    """Run all cases; 1 if something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delete_versions", description=__doc__)
    sizes = [20_000, GOAL_VERSIONS, 300_000]
    parser.add_argument("--keys", type=int, nargs="+", default=sizes, help="sizes of the growing buckets")
    parser.add_argument("--only-growing", action="store_true", help="leave the other cases out")
    parser.add_argument("--latency-ms", type=float, default=20, help="how long S3 takes for each answer")
    options = parser.parse_args()
    outcomes, flaws = [], []
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 1)}", flush=True)
    with tree_of_collections() as tree:
        for case in cases(options.keys, options.latency_ms):
            if options.only_growing and not case.grows:
                continue
            outcome = run(case, tree)
            outcomes.append(outcome)
            print(row(outcome), flush=True)
            flaws += [f"{case.name}, {case.rows:,} versions: {flaw}" for flaw in outcome.flaws()]
    flaws += growth_flaws(outcomes)
    print("\n".join(["", *flaws]) if flaws else "\nAll as it should be.")
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main())
