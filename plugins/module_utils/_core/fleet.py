# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""All pairs of a run side by side, the worst first.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .checks import WORST_FIRST, Verdict
from .evidence import COLLECTION_VERSION, FLEET_SCHEMA, controls_of
from .evidence_markup import Markup, chip, el, figures, joined, page, prose, section, table
from .evidence_page import controls_section, hashes_section, made_by
from .evidence_words import (
    count,
    duration,
    listed,
    mapping,
    mappings,
    number,
    number_of,
    printable,
    recovery_sentence,
    short_moment,
    size,
    text,
    texts,
    verdict_in,
)

NO_VERDICT = "The run ended before a verdict."
_HEADS = ("PAIR", "VERDICT", "RECOVERY POINT", "LAG", "AT RISK", "WHY")
_WIDEST = 120
"""So much of WHY fits into a line of the table; all of it is in the results."""


@dataclass(frozen=True, slots=True)
class Row:
    """One pair. None: not known.

    Attributes:
        problems: what keeps it from `proven`, the worst first.
        sentence: its recovery point in words.
    """

    pair: str
    verdict: Verdict
    recovery_point: str
    lag_seconds: float | None
    target_seconds: float | None
    within_target: bool
    versions_at_risk: int | None
    bytes_at_risk: int
    problems: tuple[str, ...]
    sentence: str

    @property
    def why(self) -> str:
        """The first problem."""
        return self.problems[0] if self.problems else ""

    def as_result(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "pair": self.pair,
            "verdict": self.verdict.value,
            "recovery_point": self.recovery_point or None,
            "rpo_seconds": self.lag_seconds,
            "rpo_target_seconds": self.target_seconds,
            "within_target": self.within_target,
            "versions_at_risk": self.versions_at_risk,
            "bytes_at_risk": self.bytes_at_risk,
            "problems": list(self.problems),
            "sentence": self.sentence,
        }


def result_of(handed: Mapping[str, Any]) -> dict[str, Any]:
    """A pair's result as it was handed over; without a verdict it is `unknown`, whatever else it holds."""
    result = dict(mapping(handed, "result"))
    pair = text(handed, "pair") or text(result, "pair")
    if any(result.get("verdict") == verdict.value for verdict in Verdict):
        return {**result, "pair": pair}
    said = f"{NO_VERDICT} {text(result, 'msg')}".strip()
    return {"pair": pair, "verdict": Verdict.UNKNOWN.value, "problems": [said]}


def row_of(result: Mapping[str, Any]) -> Row:
    """A pair's result as one row."""
    recovery = mapping(result, "recovery")
    return Row(
        text(result, "pair"),
        verdict_in(result),
        text(recovery, "recovery_point"),
        number(recovery, "rpo_seconds"),
        number(recovery, "rpo_target_seconds"),
        recovery.get("within_target") is True,
        count(recovery, "versions_at_risk") if recovery else None,
        count(recovery, "bytes_at_risk"),
        tuple(texts(result, "problems")),
        recovery_sentence(result),
    )


def rows_of(results: Iterable[Mapping[str, Any]]) -> list[Row]:
    """One row a pair, the worst first; of two alike the one that is farther behind."""
    return sorted((row_of(result) for result in results), key=_worst_first)


def _worst_first(row: Row) -> tuple[int, float, int, str]:
    lag = float("inf") if row.lag_seconds is None else row.lag_seconds
    return (WORST_FIRST.index(row.verdict), -lag, -(row.versions_at_risk or 0), row.pair)


def worst_of(rows: Sequence[Row]) -> Verdict:
    """The verdict over all; a fleet of no pairs has proven nothing."""
    return min((row.verdict for row in rows), key=WORST_FIRST.index, default=Verdict.UNKNOWN)


def counts_of(rows: Sequence[Row]) -> dict[str, int]:
    """How many pairs have each verdict, the worst first."""
    found = Counter(row.verdict for row in rows)
    return {verdict.value: found[verdict] for verdict in WORST_FIRST}


# --- the table -----------------------------------------------------------------------------------------------


def fleet_table(rows: Sequence[Row]) -> list[str]:
    """The rows as lines of text in columns, for a terminal."""
    if not rows:
        return ["No pair was verified."]
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _cells(row: Row) -> tuple[str, ...]:
    why = printable(row.why)
    return (
        printable(row.pair),
        row.verdict.value,
        printable(short_moment(row.recovery_point)) or "-",
        "-" if row.lag_seconds is None else duration(row.lag_seconds),
        _at_risk(row),
        why if len(why) <= _WIDEST else f"{why[: _WIDEST - 3].rstrip()}...",
    )


def _at_risk(row: Row) -> str:
    if row.versions_at_risk is None:
        return "-"
    return f"{row.versions_at_risk:,} ({size(row.bytes_at_risk)})" if row.versions_at_risk else "0"


# --- the record ----------------------------------------------------------------------------------------------


def fleet_evidence(
    results: Sequence[Mapping[str, Any]],
    run: str,
    created: str,
    chain: Mapping[str, Any],
    pairs: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """What is kept of a verify of all pairs.

    Args:
        results: as `result_of` gives them.
        chain: `previous`, `unfinished` and `broken` of the manifest.
        pairs: the run and the `manifest_sha256` of each pair whose evidence was written.
    """
    rows = rows_of(results)
    return {
        "schema": FLEET_SCHEMA,
        "run": run,
        "created": created,
        "collection_version": COLLECTION_VERSION,
        "verdict": worst_of(rows).value,
        "counts": counts_of(rows),
        "totals": totals_of(rows),
        "pairs": [{**row.as_result(), "evidence": dict(pairs.get(row.pair, {})) or None} for row in rows],
        "controls": controls_of(results),
        "chain": dict(chain),
    }


def totals_of(rows: Sequence[Row]) -> dict[str, Any]:
    """What is at risk over all pairs, and how far the one is behind that is farthest. None: no pair knows."""
    lags = [row.lag_seconds for row in rows if row.lag_seconds is not None]
    return {
        "pairs": len(rows),
        "versions_at_risk": sum(row.versions_at_risk or 0 for row in rows),
        "bytes_at_risk": sum(row.bytes_at_risk for row in rows),
        "worst_rpo_seconds": max(lags, default=None),
        "without_recovery_point": len(rows) - len(lags),
    }


# --- the page ------------------------------------------------------------------------------------------------


def fleet_page(evidence: Mapping[str, Any], links: Mapping[str, str]) -> bytes:
    """The page of all pairs.

    Args:
        links: the address of each pair's page, relative to this one and quoted as URLs are.
    """
    verdict = verdict_in(evidence)
    pairs = mappings(evidence, "pairs")
    return page(
        f"S3 disaster recovery: {verdict.value.replace('_', ' ')}",
        verdict,
        _head(evidence, verdict),
        section("Pairs", _pairs(pairs, links) if pairs else el("p", "No pair was verified.")),
        controls_section(evidence),
        hashes_section(evidence, "This run of the fleet"),
    )


def _head(evidence: Mapping[str, Any], verdict: Verdict) -> Markup:
    totals = mapping(evidence, "totals")
    lag = number(totals, "worst_rpo_seconds")
    without = count(totals, "without_recovery_point")
    return el(
        "header",
        el(
            "div",
            el("div", el("p", "Verification of S3 replication pairs", class_="kind"), el("h1", "All pairs")),
            chip(verdict.value.replace("_", " "), verdict.value),
            class_="head",
        ),
        el("p", _said(mapping(evidence, "counts"), count(totals, "pairs")), class_="lead"),
        el("p", made_by(evidence), class_="meta"),
        figures(
            [
                ("Pairs", f"{count(totals, 'pairs'):,}", f"{number_of(without, 'pair')} without a recovery point"),
                ("Largest recovery lag", "unknown" if lag is None else duration(lag), "of the pairs that know theirs"),
                (
                    "At risk",
                    number_of(count(totals, "versions_at_risk"), "version"),
                    size(count(totals, "bytes_at_risk")),
                ),
            ]
        ),
    )


def _said(counts: Mapping[str, Any], pairs: int) -> str:
    if pairs and count(counts, Verdict.PROVEN.value) == pairs:
        return "Every pair is proven." if pairs > 1 else "The pair is proven."
    parts = [f"{count(counts, one.value):,} {one.value.replace('_', ' ')}" for one in WORST_FIRST]
    found = [part for part in parts if not part.startswith("0 ")]
    return f"{number_of(pairs, 'pair')}: {listed(found)}." if found else "No pair was verified, so nothing is proven."


def _pairs(pairs: Iterable[Mapping[str, Any]], links: Mapping[str, str]) -> Markup:
    rows = [
        (
            _linked(text(one, "pair"), links),
            chip(verdict_in(one).value.replace("_", " "), verdict_in(one).value),
            el("span", short_moment(text(one, "recovery_point")) or "unknown", class_="whole"),
            _lag(one),
            _risk(one),
            prose(next(iter(texts(one, "problems")), "")),
        )
        for one in pairs
    ]
    heads = ("Pair", "Verdict", "Recovery point", "Lag", "At risk", "First problem")
    return table("The worst first", heads, rows, numbers=(3, 4), names=(5,))


def _linked(pair: str, links: Mapping[str, str]) -> Markup:
    return el("a", pair, href=links[pair]) if pair in links else el("span", pair)


def _lag(one: Mapping[str, Any]) -> Markup:
    lag, target = number(one, "rpo_seconds"), number(one, "rpo_target_seconds")
    if lag is None:
        return Markup("unknown")
    kept = "within" if one.get("within_target") is True else "beyond"
    more = [] if target is None else [el("span", f"{kept} {duration(target)}", class_="more")]
    return joined([duration(lag), *more])


def _risk(one: Mapping[str, Any]) -> Markup:
    versions = number(one, "versions_at_risk")
    if versions is None:
        return Markup("unknown")
    return joined([f"{versions:,.0f}", el("span", size(count(one, "bytes_at_risk")), class_="more")])
