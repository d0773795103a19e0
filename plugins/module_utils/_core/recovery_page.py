# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A recovery drill as a page: how long the recovery took, what was lost, then each step and what proves it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .checks import Status
from .evidence import statuses_of
from .evidence_charts import runs_chart, share
from .evidence_markup import Markup, chip, el, figures, items, joined, page, prose, section, table
from .evidence_page import controls_section, hashes_section, made_by
from .evidence_words import (
    count,
    duration,
    mapping,
    mappings,
    moment,
    number,
    number_of,
    printable,
    size,
    text,
    texts,
)
from .recovery_drill import AFTER_THE_FAILURE
from .recovery_evidence import drill_verdict_in, points_of
from .recovery_judgement import AS_VERDICT, DrillVerdict, drill_sentence, precise

_Found = Mapping[str, Any]

_WORST_FIRST = (Status.BROKEN, Status.AT_RISK, Status.UNKNOWN, Status.WARNING, Status.PASSED, Status.SKIPPED)
_CHIPS = {"done": Status.PASSED.value, "failed": Status.BROKEN.value}


def drill_page(evidence: _Found, history: Sequence[_Found] = ()) -> bytes:
    """The page of one drill.

    Args:
        history: the records of the pair's drills with this one at the end, the oldest first.
    """
    pair, verdict = printable(text(evidence, "pair")) or "pair", drill_verdict_in(evidence)
    return page(
        f"{pair}: recovery drill {verdict.value}",
        AS_VERDICT[verdict],
        _head(evidence, pair, verdict),
        _problems(evidence, verdict),
        _recovery(evidence),
        _replication(evidence),
        _pause(mapping(evidence, "pause")),
        _around(evidence),
        _history(history),
        _checks(mappings(evidence, "checks")),
        controls_section(evidence),
        hashes_section(evidence, "This drill"),
    )


# --- what counts ---------------------------------------------------------------------------------------------


def _head(evidence: _Found, pair: str, verdict: DrillVerdict) -> Markup:
    return el(
        "header",
        el(
            "div",
            el("div", el("p", "Recovery drill of an S3 replication pair", class_="kind"), el("h1", pair)),
            chip(verdict.value, AS_VERDICT[verdict].value),
            class_="head",
        ),
        el("p", prose(drill_sentence(evidence)), class_="lead"),
        el("p", _where(evidence), class_="meta"),
        el("p", made_by(evidence), class_="meta"),
        _figures(evidence),
    )


def _where(evidence: _Found) -> str:
    here, there = text(evidence, "active_bucket"), text(evidence, "recovery_bucket")
    if not here or not there:
        return ""
    said = f"{here} ({text(evidence, 'active_region')}) → {there} ({text(evidence, 'recovery_region')}), by rule "
    declared = text(evidence, "declared_at")
    return f"{said}{text(evidence, 'rule')}" + (f"; failure declared at {moment(declared)}" if declared else "")


def _figures(evidence: _Found) -> Markup:
    classes = mappings(evidence, "replication")
    if not classes:
        return Markup("")
    arrived, objects = (sum(count(one, name) for one in classes) for name in ("arrived", "objects"))
    slowest = max((found for one in classes if (found := number(one, "max")) is not None), default=None)
    return figures(
        [
            ("RTO", _seconds(evidence, "rto_seconds"), _target(evidence, "rto")),
            ("RPO", _seconds(evidence, "rpo_seconds"), _target(evidence, "rpo")),
            (
                "Replicated",
                f"{arrived} of {objects}",
                f"{objects} objects of {number_of(len(classes), 'size')}",
            ),
            ("Slowest replica", "none" if slowest is None else precise(slowest), text(evidence, "encryption")),
        ]
    )


def _seconds(found: _Found, name: str) -> str:
    seconds = number(found, name)
    return "not measured" if seconds is None else precise(seconds)


def _target(evidence: _Found, name: str) -> str:
    measured, target = number(evidence, f"{name}_seconds"), number(evidence, f"{name}_target_seconds")
    if target is None:
        return "no target is set"
    if measured is None:
        return f"the target is {duration(target)}"
    return f"{'within' if measured <= target else 'beyond'} the target of {duration(target)}"


def _problems(evidence: _Found, verdict: DrillVerdict) -> Markup:
    warnings = [text(one, "message") for one in mappings(evidence, "checks") if one.get("status") == "warning"]
    notes = texts(evidence, "notes")
    parts = [
        items(texts(evidence, "problems"), class_="sentences problems"),
        *([el("h3", "Warnings"), items(warnings)] if warnings else []),
        *([el("h3", "Notes"), items(notes)] if notes else []),
    ]
    if not any(parts) and verdict is not DrillVerdict.PROVEN:
        parts = [el("p", "Nothing was recorded.")]
    return section("What to know", *parts)


# --- the steps -----------------------------------------------------------------------------------------------


def _recovery(evidence: _Found) -> Markup:
    """What was done after the declared failure, with the time since."""
    steps = [one for one in mappings(evidence, "steps") if text(one, "name") in AFTER_THE_FAILURE]
    declared = min((number(one, "began_after_seconds") or 0.0 for one in steps), default=0.0)
    return section("The recovery", _steps("Each step after the declared failure", "Done after", steps, declared))


def _around(evidence: _Found) -> Markup:
    """What was done before the failure, and after the recovery."""
    steps = [one for one in mappings(evidence, "steps") if text(one, "name") not in AFTER_THE_FAILURE]
    return section(
        "Before and after", _steps("The other steps, from the beginning of the drill", "Done after", steps, 0.0)
    )


def _steps(caption: str, head: str, steps: Sequence[_Found], zero: float) -> Markup:
    if not steps:
        return Markup("")
    longest = max(number(one, "seconds") or 0.0 for one in steps)
    rows = [
        (
            joined([text(one, "name").replace("_", " "), el("span", prose(text(one, "what")), class_="more")]),
            share(number(one, "seconds") or 0.0, longest),
            _seconds(one, "seconds"),
            precise(max(0.0, (number(one, "began_after_seconds") or 0.0) + (number(one, "seconds") or 0.0) - zero)),
            chip(text(one, "status"), _CHIPS.get(text(one, "status"), Status.UNKNOWN.value)),
        )
        for one in steps
    ]
    heads = ("Step", "Share", "Took", head, "Result")
    return el("div", table(caption, heads, rows, (2, 3), (0,)), class_="causes")


def _replication(evidence: _Found) -> Markup:
    rows = [
        (
            size(count(one, "size")),
            f"{count(one, 'arrived')} of {count(one, 'objects')}",
            *(_seconds(one, name) for name in ("p50", "p90", "p99", "max")),
        )
        for one in mappings(evidence, "replication")
    ]
    heads = ("Size", "Arrived", "p50", "p90", "p99", "Slowest")
    if not rows:
        return Markup("")
    caption = "From the end of the upload until the version was seen in the recovery Region"
    return section("Replication time by size", table(caption, heads, rows, (1, 2, 3, 4, 5)))


def _pause(pause: _Found) -> Markup:
    if not pause:
        return Markup("")
    stayed = "arrived all the same after" if pause.get("not_paused") is True else "stayed away for"
    return section(
        "Paused replication",
        figures(
            [
                ("While paused", _seconds(pause, "held_seconds"), f"an object {stayed} this time"),
                ("Catching up", _seconds(pause, "catch_up_seconds"), "from the end of the pause until it arrived"),
                ("After the pause", _seconds(pause, "resumed_seconds"), "until a new object arrived"),
            ]
        ),
    )


def _history(history: Sequence[_Found]) -> Markup:
    if len(history) < 2:
        return Markup("")
    charts = []
    for title, name in (("RTO", "rto"), ("RPO", "rpo")):
        points = points_of(history, f"{name}_seconds", f"{name}_target_seconds")
        charts.append(
            runs_chart(title, points, lambda point: point.lag_seconds, precise, target=points[-1].target_seconds)
        )
    return section(
        f"The last {len(history)} drills",
        el("div", *(el("div", one) for one in charts), class_="charts") if any(charts) else "",
    )


def _checks(checks: Iterable[_Found]) -> Markup:
    checks = list(checks)
    if not checks:
        return Markup("")
    order = [status.value for status in _WORST_FIRST]
    ordered = sorted(checks, key=lambda one: order.index(text(one, "status")) if text(one, "status") in order else -1)
    rows = [
        (
            chip(text(one, "status").replace("_", " "), text(one, "status")),
            text(one, "area").replace("_", " "),
            joined([text(one, "name").replace("_", " "), el("span", text(one, "subject"), class_="more")]),
            prose(text(one, "message")),
        )
        for one in ordered
    ]
    ended = ", ".join(f"{amount} {status.replace('_', ' ')}" for status, amount in statuses_of(checks).items())
    heads = ("Result", "Area", "Check", "What was seen")
    return section("Proof", table(f"Checks: {ended}", heads, rows, names=(2, 3)))
