# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Verify buckets of growing size, and tell memory, time and requests of each run.

Fails when memory grows or is more than 120 MB, when a seeded difference is not found or a false one is, or when more
versions are looked at than the differences and the sample. See README.md here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from .synthetic_buckets import Shape, buckets_of, count_rows, seeded_differences
from .synthetic_s3 import Faults

ROOT = Path(__file__).resolve().parents[1]
COLLECTION = "ansible_collections/crossregion/s3_dr"
MOST_MEMORY_MB = 120
MOST_GROWTH = 1.1
HEADS_PER_DIFFERENCE = 3
HEADS_PER_SAMPLE = 2
"""One at each end."""
MAX_HEAD_REQUESTS = 10_000
"""The module's own default."""
_FEW_HEADS = 1_000
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One run; `grows`: it is one of those that differ only in size."""

    name: str
    shape: Shape
    max_head_requests: int = MAX_HEAD_REQUESTS
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run told, beside what was seeded.

    Attributes:
        told: what one_verify.py printed.
        counts: requests by operation, as the endpoint counted them.
        findings: cause by key and version ID.
        seeded: the same as it should be.
        rows: versions and delete markers that both ends hold together.
    """

    case: Case
    told: dict[str, Any]
    counts: dict[str, int]
    findings: dict[tuple[str, str], str]
    seeded: dict[tuple[str, str], str]
    rows: int

    @property
    def read(self) -> tuple[int, int]:
        """Versions and delete markers that were read at both ends."""
        told = self.told["comparison"]
        source, replica = (told[f"{end}_versions"] + told[f"{end}_delete_markers"] for end in ("source", "destination"))
        return source, replica

    @property
    def peak_mb(self) -> float:
        """The most memory held at once."""
        return float(self.told["peak"]) / _MB

    @property
    def heads(self) -> int:
        """HeadObject requests."""
        return self.counts.get("HeadObject", 0)

    @property
    def most_heads(self) -> int:
        """How many HeadObject requests are allowed."""
        allowed = HEADS_PER_DIFFERENCE * len(self.seeded) + HEADS_PER_SAMPLE * int(self.told["sampled"])
        return min(allowed, self.case.max_head_requests)

    def flaws(self) -> Iterator[str]:
        """What is not as it should be."""
        if not self.told["comparison"]["complete"]:
            yield f"the comparison is not complete: {self.told['comparison']['reason']}"
        if sum(self.read) != self.rows:
            yield f"{sum(self.read)} versions were read at both ends together, not {self.rows}"
        if self.told["content"]["versions"] != self.told["sampled"] or self.told["content"]["defects"]:
            yield f"the sample of {self.told['sampled']} versions is not proven: {self.told['content']}"
        if self.peak_mb > MOST_MEMORY_MB:
            yield f"{self.peak_mb:.0f} MB of memory are more than {MOST_MEMORY_MB}"
        if self.heads > self.most_heads:
            yield f"{self.heads} HEAD requests are more than {self.most_heads}"
        missed, false = self.seeded.keys() - self.findings.keys(), self.findings.keys() - self.seeded.keys()
        for what, names in (("was not found", missed), ("is no difference", false)):
            if names:
                yield f"{len(names)} times: {what}, for example {min(names)}"
        # Where there are fewer requests than differences, the rest must be called unexamined, not left out.
        unexamined = {"unexamined"} if self.case.max_head_requests < len(self.seeded) else set()
        for name in self.seeded.keys() & self.findings.keys():
            if self.findings[name] not in {self.seeded[name], *unexamined}:
                yield f"{name} is {self.seeded[name]}, not {self.findings[name]}"
                break


def cases(sizes: Iterable[int]) -> Iterator[Case]:
    """Growing buckets with differences of each kind, then the worst ones."""
    some = Shape(markers_every=50, missing_every=1000, changed_every=1000, extra_every=1000)
    for size in sorted(sizes):
        yield Case("growing", replace(some, keys=size), grows=True)
    yield Case("several versions of each key", replace(some, keys=4_000, versions=5, layout="unicode"))
    yield Case("long keys", replace(some, keys=20_000, layout="long"))
    yield Case("nothing arrived", Shape(keys=100_000, markers_every=50, all_missing=True), _FEW_HEADS)
    yield Case("one key, opposite order", Shape(keys=50_000, layout="one_key", opposite_order=True))


# --- running ---------------------------------------------------------------------------------------------------------


def run(case: Case, faults: Faults, tree: Path) -> Outcome:
    """One verify of one pair of buckets, each in a process of its own."""
    with endpoint(case.shape, faults) as url, tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "ansible_collections.crossregion.s3_dr.benchmarks.one_verify"]
        command += [url, str(case.max_head_requests), directory]
        answer = subprocess.run(command, env=environment(tree), stdout=subprocess.PIPE, text=True, check=True)
        with urllib.request.urlopen(f"{url}/-/") as response:
            counts = json.load(response)["counts"]
        findings = read_findings(Path(directory))
    seeded = {(key, version_id): cause for key, version_id, cause in seeded_differences(case.shape)}
    rows = sum(count_rows(bucket) for bucket in buckets_of(case.shape).values())
    return Outcome(case, json.loads(answer.stdout), counts, findings, seeded, rows)


def read_findings(directory: Path) -> dict[tuple[str, str], str]:
    """Cause by key and version ID, from the evidence; of one that is there twice, that is said in the cause."""
    found: dict[tuple[str, str], str] = {}
    for path in directory.glob("pairs/*/*/findings.jsonl*"):
        with path.open(encoding="utf-8") as lines:
            for finding in map(json.loads, lines):
                name = finding["key"], finding["version_id"]
                found[name] = f"{finding['cause']}, told twice" if name in found else finding["cause"]
    return found


@contextmanager
def endpoint(shape: Shape, faults: Faults) -> Iterator[str]:
    """The endpoint in a process of its own; its address."""
    command = [sys.executable, "-m", "benchmarks.synthetic_s3"]
    for values in (shape, faults):
        for one in fields(values):
            value = getattr(values, one.name)
            option = f"--{one.name.replace('_', '-')}"
            if isinstance(value, bool):
                command += [option] if value else []
            else:
                command.append(f"{option}={value}")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            if not line:
                raise SystemExit("the synthetic endpoint did not start")
            yield line.strip()
        finally:
            server.terminate()


@contextmanager
def tree_of_collections() -> Iterator[Path]:
    """A folder in which this checkout and amazon.aws are found by their full names."""
    (amazon,) = Path(sys.prefix).glob("lib/python*/site-packages/ansible_collections/amazon")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder) / COLLECTION
        here.parent.mkdir(parents=True)
        here.symlink_to(ROOT)
        (Path(folder) / "ansible_collections" / "amazon").symlink_to(amazon)
        yield Path(folder)


def environment(tree: Path) -> dict[str, str]:
    """Without the user's settings of AWS."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nothing = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    return {**env, **nothing, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}


# --- telling ---------------------------------------------------------------------------------------------------------

COLUMNS = (
    "case", "versions a side", "differences", "found", "peak MB", "of it before", "listing s", "wall s", "CPU s",
    "versions/s", "list requests", "HEADs", "at most",
)  # fmt: skip


def row(outcome: Outcome) -> str:
    """One line of the table. `versions/s` counts both ends while they are listed."""
    told, ends = outcome.told, outcome.read
    cells = (
        outcome.case.name,
        f"{max(ends):,}",
        f"{len(outcome.seeded):,}",
        f"{len(outcome.findings.keys() & outcome.seeded.keys()):,}",
        f"{outcome.peak_mb:.1f}",
        f"{told['before'] / _MB:.1f}",
        f"{told['listing_seconds']:.1f}",
        f"{told['seconds']:.1f}",
        f"{told['cpu']:.1f}",
        f"{sum(ends) / told['listing_seconds']:,.0f}",
        f"{outcome.counts.get('ListObjectVersions', 0):,}",
        f"{outcome.heads:,}",
        f"{outcome.most_heads:,}",
    )
    return f"| {' | '.join(cells)} |"


def growth_flaws(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Memory must not grow with the buckets: the two largest are compared."""
    growing = sorted((one for one in outcomes if one.case.grows), key=lambda one: one.case.shape.keys)
    for smaller, larger in zip(growing[-2:-1], growing[-1:], strict=True):
        if larger.peak_mb > MOST_GROWTH * smaller.peak_mb:
            yield (
                f"memory grows: {smaller.peak_mb:.1f} MB with {smaller.rows:,} versions at both ends together, "
                f"{larger.peak_mb:.1f} MB with {larger.rows:,}"
            )


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify_memory", description=__doc__)
    sizes = [20_000, 100_000, 300_000]
    parser.add_argument("--keys", type=int, nargs="+", default=sizes, help="sizes of the growing buckets")
    parser.add_argument("--million", action="store_true", help="one of a million keys, too; takes minutes")
    parser.add_argument("--only-growing", action="store_true", help="leave the worst cases out")
    parser.add_argument("--latency-ms", type=float, default=0, help="how long S3 takes for each answer")
    return parser.parse_args()


def main() -> int:
    """Run all cases; 1 if something is not as it should be."""
    options = arguments()
    sizes = [*options.keys, *([1_000_000] if options.million else [])]
    outcomes, flaws = [], []
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 1)}", flush=True)
    with tree_of_collections() as tree:
        for case in cases(sizes):
            if options.only_growing and not case.grows:
                continue
            outcome = run(case, Faults(latency_ms=options.latency_ms), tree)
            outcomes.append(outcome)
            print(row(outcome), flush=True)
            flaws += [f"{case.name}, {case.shape.keys} keys: {flaw}" for flaw in outcome.flaws()]
    flaws += growth_flaws(outcomes)
    print("\n".join(["", *flaws]) if flaws else "\nAll as it should be.")
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main())
