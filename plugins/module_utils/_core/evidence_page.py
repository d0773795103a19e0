# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The evidence of one pair as a page: the recovery point first, then the risks, then the proof.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .causes import REMEDIES, Cause
from .checks import Area, Status, Verdict
from .evidence import Point, statuses_of
from .evidence_chain import sentences
from .evidence_charts import runs_chart, share
from .evidence_markup import Markup, chip, code, el, figures, items, joined, page, prose, section, table
from .evidence_words import (
    count,
    duration,
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

_Found = Mapping[str, Any]

_WORST_FIRST = (
    Status.BROKEN.value,
    Status.UNKNOWN.value,
    Status.AT_RISK.value,
    Status.WARNING.value,
    Status.PASSED.value,
    Status.SKIPPED.value,
)
_SOLVED = {
    "gone": "gone before it was looked at",
    "arrived": "arrived meanwhile",
    "same_content": "same content",
    "not_comparable": "content not comparable",
}


def pair_page(evidence: _Found, history: Sequence[Point] = ()) -> bytes:
    """The page of one run.

    Args:
        history: the runs of the pair with this one at the end, the oldest first.
    """
    pair = printable(text(evidence, "pair")) or "pair"
    verdict = verdict_in(evidence)
    return page(
        f"{pair}: {verdict.value.replace('_', ' ')}",
        verdict,
        _head(evidence, pair, verdict),
        _risks(evidence),
        _proof(evidence),
        _recovery_points(evidence),
        _history(history),
        controls_section(evidence),
        hashes_section(evidence, "This run"),
    )


# --- the recovery point --------------------------------------------------------------------------------------


def _head(evidence: _Found, pair: str, verdict: Verdict) -> Markup:
    return el(
        "header",
        el(
            "div",
            el("div", el("p", "Verification of an S3 replication pair", class_="kind"), el("h1", pair)),
            chip(verdict.value.replace("_", " "), verdict.value),
            class_="head",
        ),
        el("p", prose(recovery_sentence(evidence)), class_="lead"),
        el("p", made_by(evidence), class_="meta"),
        _figures(evidence),
    )


def made_by(evidence: _Found) -> str:
    """Which run it was, and of which release."""
    return (
        f"Run {text(evidence, 'run')}, as of {short_moment(text(evidence, 'created'))}, "
        f"crossregion.s3_dr {text(evidence, 'collection_version')}"
    )


def _figures(evidence: _Found) -> Markup:
    recovery = mapping(evidence, "recovery")
    if not recovery:
        return Markup("")
    flown = [number(one, "seconds") for one in mappings(evidence, "canaries") if one.get("status") == "replicated"]
    slowest = max((one for one in flown if one is not None), default=None)
    return figures(
        [
            ("Recovery lag", _seconds(recovery, "rpo_seconds"), _target(recovery)),
            (
                "At risk",
                number_of(count(recovery, "versions_at_risk"), "version"),
                size(count(recovery, "bytes_at_risk")),
            ),
            (
                "Compared and equal",
                number_of(sum(count(one, "matched") for one in mappings(evidence, "comparisons")), "version"),
                number_of(len(mappings(evidence, "comparisons")), "comparison"),
            ),
            (
                "Slowest canary",
                "none" if slowest is None else duration(slowest),
                f"{len(flown)} of {len(mappings(evidence, 'canaries'))} arrived",
            ),
        ]
    )


def _target(recovery: _Found) -> str:
    kept = "within" if recovery.get("within_target") is True else "beyond"
    return f"{kept} the target of {_seconds(recovery, 'rpo_target_seconds')}"


def way_of(found: _Found) -> str:
    """From which bucket to which."""
    return f"{text(found, 'source')} → {text(found, 'destination')}"


def _seconds(found: _Found, name: str) -> str:
    seconds = number(found, name)
    return "unknown" if seconds is None else duration(seconds)


# --- risks ---------------------------------------------------------------------------------------------------


def _risks(evidence: _Found) -> Markup:
    problems = items(texts(evidence, "problems"), class_="sentences problems")
    warnings = [text(one, "message") for one in mappings(evidence, "checks") if one.get("status") == "warning"]
    parts = [
        problems,
        *([el("h3", "Warnings"), items(warnings)] if warnings else []),
        _causes(mapping(evidence, "causes")),
        _findings(evidence),
    ]
    if not any(parts):
        sound = verdict_in(evidence) is Verdict.PROVEN
        parts = [el("p", "No problem was found." if sound else "Nothing was recorded.")]
    return section("Risks", *parts)


def _causes(causes: _Found) -> Markup:
    found = {cause: mapping(causes, cause) for cause in causes}
    if not found:
        return Markup("")
    most = max(count(one, "versions") for one in found.values())
    rows = [
        (
            cause.replace("_", " "),
            share(count(one, "versions"), most),
            f"{count(one, 'versions'):,}",
            size(count(one, "bytes")),
            f"{count(one, 'unexpected'):,}",
            prose(remedy_of(cause)),
        )
        for cause, one in sorted(found.items(), key=_frequent_first)
    ]
    heads = ("Cause", "Share", "Versions", "Size", "Unexpected", "Remedy")
    return el("div", table("Why the ends differ", heads, rows, numbers=(2, 3, 4), names=(5,)), class_="causes")


def _frequent_first(one: tuple[str, _Found]) -> tuple[bool, int, str]:
    cause, counted = one
    return (not count(counted, "unexpected"), -count(counted, "versions"), cause)


def remedy_of(cause: str) -> str:
    """What to do about a cause; nothing is said of one that this release does not know."""
    return next((remedy for known, remedy in REMEDIES.items() if known.value == cause), "")


def _findings(evidence: _Found) -> Markup:
    findings = mappings(evidence, "findings")
    if not findings:
        return Markup("")
    rows = [
        (
            joined(
                [
                    code(text(one, "key")),
                    el("span", "version ", code(text(one, "version_id")), class_="more"),
                    el("span", way_of(one), class_="more"),
                ]
            ),
            joined([_cause_of(one), el("span", prose(text(one, "detail")), class_="more")]),
            "delete marker" if one.get("delete_marker") is True else size(count(one, "size")),
            _seconds(one, "age_seconds"),
        )
        for one in findings
    ]
    total = max(count(evidence, "findings_total"), len(findings))
    shown = "All findings" if total == len(findings) else f"The first {len(findings):,} of {total:,} findings"
    file = text(evidence, "findings_file")
    caption = f"{shown}; the complete list is in {file}" if file and total > len(findings) else shown
    return table(caption, ("Key", "Cause", "Size", "Age"), rows, numbers=(2, 3), names=(0, 1))


def _cause_of(finding: _Found) -> str:
    cause = text(finding, "cause")
    words = cause.replace("_", " ")
    expected = finding.get("missing") is not True and cause != Cause.CONTENT_DIFFERS.value
    return f"{words} (nothing is missing)" if expected else words


# --- proof ---------------------------------------------------------------------------------------------------


def _proof(evidence: _Found) -> Markup:
    contents = _contents(evidence)
    notes = texts(evidence, "notes")
    parts = [
        _comparisons(mappings(evidence, "comparisons")),
        *([el("h3", "Content"), items(contents)] if contents else []),
        _canaries(mappings(evidence, "canaries")),
        _drift(mappings(evidence, "drift")),
        _checks(mappings(evidence, "checks")),
        _metrics(mappings(evidence, "metrics")),
        *([el("h3", "Notes"), items(notes)] if notes else []),
        _calls(mapping(evidence, "api_calls")),
    ]
    return section("Proof", *parts)


def _comparisons(comparisons: Iterable[_Found]) -> Markup:
    rows = [
        (
            joined(
                [
                    way_of(one),
                    el("span", f"{text(one, 'source_region')} → {text(one, 'destination_region')}", class_="more"),
                ]
            ),
            joined([_ended(one), *_more(f"in {_seconds(one, 'seconds')}", text(one, "reason"))]),
            _counted(one, "source"),
            _counted(one, "destination"),
            f"{count(one, 'matched'):,}",
            _besides(one),
            joined([f"{count(one, 'head_requests'):,}", *_budget(one)]),
        )
        for one in comparisons
    ]
    heads = ("Way", "Result", "Source", "Destination", "Equal", "Besides", "HEAD requests")
    return table("Versions that were compared", heads, rows, numbers=(2, 3, 4, 6), names=(0, 5)) if rows else Markup("")


def _ended(comparison: _Found) -> Markup:
    whole = comparison.get("complete") is True
    return chip("complete", Status.PASSED.value) if whole else chip("incomplete", Status.UNKNOWN.value)


def _more(*said: str) -> list[Markup]:
    """Smaller lines below what matters."""
    return [el("span", one, class_="more") for one in said if one]


def _counted(comparison: _Found, end: str) -> Markup:
    markers = number_of(count(comparison, f"{end}_delete_markers"), "delete marker")
    return joined(
        [f"{count(comparison, f'{end}_versions'):,}", *_more(size(count(comparison, f"{end}_bytes")), markers)]
    )


def _besides(comparison: _Found) -> Markup:
    """What was neither equal nor a finding."""
    solved = mapping(comparison, "solved")
    said = [f"{count(solved, name):,} {words}" for name, words in _SOLVED.items() if count(solved, name)]
    if count(comparison, "in_flight"):
        said.append(f"{count(comparison, 'in_flight'):,} written meanwhile")
    if count(comparison, "canaries"):
        said.append(number_of(count(comparison, "canaries"), "canary version"))
    return joined(_more(*said))


def _budget(comparison: _Found) -> list[Markup]:
    left = count(comparison, "unexamined")
    said = f"of at most {count(comparison, 'max_head_requests'):,}"
    return _more(said, f"{left:,} unexamined" if left else "")


def _contents(evidence: _Found) -> list[str]:
    """What was proven of the content: of each comparison if that is told, else as a whole."""
    each = [
        f"{way_of(one)}: {_content(mapping(one, 'content'))}"
        for one in mappings(evidence, "comparisons")
        if text(mapping(one, "content"), "statement")
    ]
    whole = mapping(evidence, "content")
    return each or ([_content(whole)] if text(whole, "statement") else [])


def _content(content: _Found) -> str:
    read = count(content, "bytes_read")
    return f"{text(content, 'statement')} {size(read)} were read." if read else text(content, "statement")


def _canaries(canaries: Iterable[_Found]) -> Markup:
    rows = [
        (
            way_of(one),
            text(one, "rule"),
            text(one, "encryption"),
            joined([_canary_chip(one), el("span", text(one, "reason"), class_="more"), *_left_behind(one)]),
            text(one, "compared") or "nothing",
            "" if number(one, "seconds") is None else _seconds(one, "seconds"),
        )
        for one in canaries
    ]
    heads = ("Way", "Rule", "Encryption", "Result", "Compared", "Time")
    return table("Canary objects that were sent", heads, rows, numbers=(5,), names=(0, 1)) if rows else Markup("")


def _canary_chip(canary: _Found) -> Markup:
    status = text(canary, "status")
    kinds = {"replicated": Status.PASSED, "late": Status.AT_RISK, "not_written": Status.UNKNOWN}
    kinds |= {"unreadable": Status.UNKNOWN, "failed": Status.BROKEN, "differs": Status.BROKEN}
    return chip(status.replace("_", " "), kinds.get(status, Status.UNKNOWN).value)


def _left_behind(canary: _Found) -> list[Markup]:
    return [el("span", f"left behind: {one}", class_="more") for one in texts(canary, "left_behind")]


def _drift(drift: Iterable[_Found]) -> Markup:
    rows = [(text(one, "action"), text(one, "kind"), code(text(one, "name")), text(one, "region")) for one in drift]
    caption = "Steps that would bring AWS back to the declared pair"
    return table(caption, ("Step", "Document", "Name", "Region"), rows, names=(2,)) if rows else Markup("")


def _checks(checks: Sequence[_Found]) -> Markup:
    if not checks:
        return Markup("")
    areas = [area.value for area in Area]
    ordered = sorted(
        checks, key=lambda one: (_place(text(one, "status"), _WORST_FIRST), _place(text(one, "area"), areas))
    )
    rows = [
        (
            chip(text(one, "status").replace("_", " "), text(one, "status")),
            text(one, "area").replace("_", " "),
            joined([text(one, "name"), el("span", text(one, "subject"), class_="more")]),
            prose(text(one, "message")),
        )
        for one in ordered
    ]
    ended = ", ".join(f"{amount} {status.replace('_', ' ')}" for status, amount in statuses_of(checks).items())
    return table(f"Checks: {ended}", ("Result", "Area", "Check", "What was seen"), rows, names=(2, 3))


def _place(one: str, order: Sequence[str]) -> int:
    return order.index(one) if one in order else len(order)


def _metrics(metrics: Iterable[_Found]) -> Markup:
    rows = [
        (
            text(one, "metric"),
            text(one, "region"),
            text(one, "rule"),
            way_of(one),
            "yes" if one.get("published") is True else "no",
        )
        for one in metrics
    ]
    heads = ("Metric", "Region", "Rule", "Way", "Published")
    return table("Replication metrics in CloudWatch", heads, rows, names=(2, 3)) if rows else Markup("")


def _calls(calls: _Found) -> Markup:
    if not calls:
        return Markup("")
    said = f"{count(calls, 'total'):,} calls to AWS, {count(calls, 'writes'):,} of them able to change something"
    wall = number(calls, "wall_seconds")
    return el("p", f"{said}, in {duration(wall)}." if wall is not None else f"{said}.", class_="meta")


# --- recovery points, history, controls, hashes --------------------------------------------------------------


def _recovery_points(evidence: _Found) -> Markup:
    rows = [
        (
            joined(
                [
                    text(one, "rule"),
                    *([el("span", code(text(one, "prefix")), class_="more")] * bool(text(one, "prefix"))),
                ]
            ),
            way_of(one),
            el("span", short_moment(text(one, "recovery_point")), class_="whole"),
            joined([_seconds(one, "rpo_seconds"), el("span", _target(one), class_="more")]),
            joined(
                [f"{count(one, 'versions_at_risk'):,}", el("span", size(count(one, "bytes_at_risk")), class_="more")]
            ),
        )
        for one in mappings(mapping(evidence, "recovery"), "rules")
    ]
    heads = ("Rule", "Way", "Recovery point", "Lag", "Versions at risk")
    return section("Recovery points", table("By rule and direction", heads, rows, (3, 4), (0, 1)) if rows else "")


def _history(points: Sequence[Point]) -> Markup:
    if len(points) < 2:
        return Markup("")
    charts = [
        runs_chart("Recovery lag", points, lambda point: point.lag_seconds, duration, target=points[-1].target_seconds),
        runs_chart("Versions at risk", points, lambda point: point.versions_at_risk, lambda value: f"{value:,.0f}"),
        runs_chart("Slowest canary", points, lambda point: point.slowest_canary_seconds, duration),
    ]
    return section(f"The last {len(points)} runs", el("div", *charts, class_="charts") if any(charts) else "")


def controls_section(evidence: _Found) -> Markup:
    """Which controls the evidence supports."""
    rows = [
        (
            joined([f"{text(one, 'framework')} {text(one, 'id')}", el("span", text(one, "title"), class_="more")]),
            chip(text(one, "evidence").replace("_", " "), text(one, "evidence")),
            text(one, "basis"),
        )
        for one in mappings(evidence, "controls")
    ]
    if not rows:
        return Markup("")
    return section(
        "Controls",
        el(
            "p",
            "What this evidence supports. It is one part of what a control asks for, and no statement that the "
            "control is met. Open: a check that speaks to it found something at risk or broken. Not shown: this run "
            "did not look at it, or could not.",
        ),
        table("Controls that the evidence speaks to", ("Control", "This evidence", "By what"), rows),
    )


def hashes_section(evidence: _Found, what: str) -> Markup:
    """How to find out whether somebody changed the files."""
    chain = mapping(evidence, "chain")
    previous = text(mapping(chain, "previous"), "run")
    before = f"follows run {previous}" if previous else "is the first one that ended"
    command = (
        'python3 -c \'import json; [print(h, n, sep="  ") for n, h in json.load(open("manifest.json"))'
        '["files"].items()]\' | sha256sum --check'
    )
    return section(
        "Check this evidence",
        items(sentences(chain), class_="sentences alarm"),
        el(
            "p",
            f"{what} {before}. Its manifest.json holds the SHA-256 of every file and of the manifest before it. To see "
            "that nothing was changed, run this in the run's directory:",
        ),
        el("pre", command),
        el(
            "p",
            "The hash of manifest.json itself is in the manifest of the next run. Keep the newest one where nobody can "
            "change it: ",
            code("sha256sum manifest.json"),
        ),
    )
