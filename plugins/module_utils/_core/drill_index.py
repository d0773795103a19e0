# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The index of all evidence in a bucket: each pair with its newest run, its last proof, and how both went over time.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .checks import WORST_FIRST, Verdict
from .evidence import PAIR_SCHEMA, Point, point_of
from .evidence_charts import runs_chart
from .evidence_markup import Markup, chip, el, figures, items, joined, page, prose, section, table
from .evidence_words import duration, listed, number_of, printable, short_moment, text, texts, verdict_in
from .model import PAIR_NAME

DAY_SECONDS = 86400
_FAILED_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a pair as it is found.

    Attributes:
        record: its evidence; empty: it cannot be read.
        ended: whether it has a manifest.
    """

    name: str
    record: Mapping[str, Any]
    ended: bool

    @property
    def verdict(self) -> Verdict:
        """A run that has not ended, or of a form that nobody knows, proves nothing."""
        return verdict_in(self.record) if self.ended and self.is_known else Verdict.UNKNOWN

    @property
    def is_known(self) -> bool:
        """Whether its evidence is of the form that this release writes."""
        return text(self.record, "schema") == PAIR_SCHEMA

    @property
    def created(self) -> datetime | None:
        """When it was; None: its record does not tell."""
        try:
            return datetime.fromisoformat(text(self.record, "created")).astimezone(UTC)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class PairRuns:
    """The runs of one pair, the oldest first."""

    pair: str
    runs: tuple[Run, ...]

    @property
    def newest(self) -> Run | None:
        """The last run; None: there is none."""
        return self.runs[-1] if self.runs else None

    @property
    def verdict(self) -> Verdict:
        """That of the last run."""
        return self.newest.verdict if self.newest else Verdict.UNKNOWN

    def last_proof(self) -> datetime | None:
        """When the pair was proven for the last time, as far as these runs tell."""
        proofs = [run.created for run in self.runs if run.verdict is Verdict.PROVEN]
        return max((moment for moment in proofs if moment is not None), default=None)

    def days_since_proof(self, now: datetime) -> float | None:
        """Whole and parts; None: never proven."""
        proof = self.last_proof()
        return None if proof is None else max(0.0, (now - proof).total_seconds()) / DAY_SECONDS

    def points(self) -> list[Point]:
        """What the charts show."""
        return [point_of(run.record) for run in self.runs if run.is_known]


def index_page(pairs: Sequence[PairRuns], now: datetime, broken: Sequence[str] = ()) -> bytes:
    """The page.

    Args:
        now: as of when ages are told.
        broken: where the evidence is not as it was written, a sentence each.
    """
    ordered = sorted(pairs, key=lambda one: (WORST_FIRST.index(one.verdict), one.pair))
    verdict = ordered[0].verdict if ordered else Verdict.UNKNOWN
    if broken:
        verdict = Verdict.BROKEN
    return page(
        "S3 disaster recovery: all runs",
        verdict,
        _head(ordered, verdict, now, broken),
        *([section("The evidence was changed", items(broken))] if broken else []),
        section("Pairs", _pairs(ordered, now) if ordered else el("p", "There is no evidence yet.")),
        *(_trend(one) for one in ordered),
        *_failures(ordered),
    )


def _head(pairs: Sequence[PairRuns], verdict: Verdict, now: datetime, broken: Sequence[str]) -> Markup:
    proven = sum(one.verdict is Verdict.PROVEN for one in pairs)
    ages = [age for one in pairs if (age := one.days_since_proof(now)) is not None]
    never = len(pairs) - len(ages)
    runs = sum(len(one.runs) for one in pairs)
    failed = sum(run.verdict is not Verdict.PROVEN for one in pairs for run in one.runs)
    said = "Somebody changed the evidence: do not rely on it." if broken else _lead(pairs, proven)
    return el(
        "header",
        el(
            "div",
            el("div", el("p", "Scheduled drills of S3 replication pairs", class_="kind"), el("h1", "All runs")),
            chip("changed" if broken else verdict.value.replace("_", " "), verdict.value),
            class_="head",
        ),
        el("p", said, class_="lead"),
        el("p", f"As of {short_moment(now.isoformat())}", class_="meta"),
        figures(
            [
                ("Proven", f"{proven} of {len(pairs)}", "by the newest run of each pair"),
                ("Oldest last proof", _age(max(ages, default=None)), f"{number_of(never, 'pair')} never proven"),
                ("Runs", f"{runs:,}", f"{failed:,} of them not proven"),
            ]
        ),
    )


def _lead(pairs: Sequence[PairRuns], proven: int) -> str:
    if not pairs:
        return "No pair has evidence, so nothing is proven."
    if proven == len(pairs):
        return "The newest run of every pair is proven."
    left = listed(printable(one.pair) for one in pairs if one.verdict is not Verdict.PROVEN)
    return f"Not proven by the newest run: {left}."


def _age(days: float | None) -> str:
    return "never" if days is None else duration(days * DAY_SECONDS)


def _pairs(pairs: Iterable[PairRuns], now: datetime) -> Markup:
    rows = [
        (
            _linked(one),
            chip(one.verdict.value.replace("_", " "), one.verdict.value),
            _age(one.days_since_proof(now)),
            el("span", _recovery_point(one), class_="whole"),
            f"{len(one.runs):,}",
            prose(_problem(one)),
        )
        for one in pairs
    ]
    heads = ("Pair", "Newest verdict", "Since last proof", "Recovery point", "Runs", "First problem")
    return table("The worst first", heads, rows, numbers=(4,), names=(5,))


def _address(pair: str, run: Run) -> str:
    """Neither needs quoting: both are names that this collection gives and takes."""
    return f"pairs/{pair}/{run.name}/report.html"


def _linked(one: PairRuns) -> Markup:
    if one.newest is None or not one.newest.ended or not PAIR_NAME.fullmatch(one.pair):
        return el("span", printable(one.pair))
    return el("a", printable(one.pair), href=_address(one.pair, one.newest))


def _recovery_point(one: PairRuns) -> str:
    recovery = one.newest.record.get("recovery") if one.newest and one.newest.ended else None
    return (short_moment(text(recovery, "recovery_point")) if isinstance(recovery, Mapping) else "") or "unknown"


def _problem(one: PairRuns) -> str:
    if one.newest is None:
        return "No run."
    if not one.newest.ended:
        return f"Run {one.newest.name} has not ended."
    if not one.newest.is_known:
        return f"Run {one.newest.name} is of a form that this release does not know."
    return next(iter(texts(one.newest.record, "problems")), "")


def _trend(one: PairRuns) -> Markup:
    points = one.points()
    targets = [point.target_seconds for point in points if point.target_seconds is not None]
    charts = [
        runs_chart("Recovery lag", points, lambda point: point.lag_seconds, duration, targets[-1] if targets else None),
        runs_chart(
            "Replication time of the slowest canary", points, lambda point: point.slowest_canary_seconds, duration
        ),
    ]
    drawn = [chart for chart in charts if chart]
    said = drawn or [el("p", "No run of this pair measured anything.")]
    return section(f"{printable(one.pair)} over time", *said)


def _failures(pairs: Iterable[PairRuns]) -> list[Markup]:
    """Runs that proved nothing, the newest first."""
    found = sorted(
        ((run.name, one.pair, run) for one in pairs for run in one.runs if run.verdict is not Verdict.PROVEN),
        key=lambda row: (row[0], row[1]),
        reverse=True,
    )
    if not found:
        return []
    rows = [
        (
            el("a", name, href=_address(pair, run)) if run.ended and PAIR_NAME.fullmatch(pair) else el("span", name),
            printable(pair),
            chip(run.verdict.value.replace("_", " ") if run.ended else "not ended", run.verdict.value),
            prose(next(iter(texts(run.record, "problems")), "")),
        )
        for name, pair, run in found[:_FAILED_SHOWN]
    ]
    more = len(found) - len(rows)
    left = [el("p", f"And {number_of(more, 'older run')}.")] if more > 0 else []
    heads = ("Run", "Pair", "Verdict", "First problem")
    return [section("Runs that are not proven", joined([table("The newest first", heads, rows, names=(3,)), *left]))]
