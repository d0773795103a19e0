# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Small charts as inline SVG: no script, and text that keeps its size on a phone, since only widths are relative.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .checks import Verdict
from .evidence import Point
from .evidence_markup import Markup, el
from .evidence_words import short_moment

_HEIGHT = 120
_TOP = 18
_SLOTS_AT_LEAST = 10
_SHADES = {
    Verdict.PROVEN: "good",
    Verdict.AT_RISK: "at-risk",
    Verdict.BROKEN: "bad",
    Verdict.UNKNOWN: "unknown",
}


def share(part: float, whole: float) -> Markup:
    """A bar that is as long as the part is of the whole; one that is not nothing can be seen."""
    percent = max(1.5, 100 * part / whole) if part > 0 and whole > 0 else 0.0
    return el(
        "svg",
        el("rect", class_="track", width="100%", height="10", rx="3"),
        el("rect", class_="bar", width=f"{min(percent, 100):.2f}%", height="10", rx="3"),
        height="10",
        aria_hidden="true",
    )


def runs_chart(
    title: str,
    points: Sequence[Point],
    value_of: Callable[[Point], float | None],
    spelt: Callable[[float], str],
    target: float | None = None,
) -> Markup:
    """One bar a run, the oldest at the left; a run that did not measure it is a `?`. Empty if none did.

    Args:
        target: drawn as a dashed line that no bar should pass.
    """
    values = [value_of(point) for point in points]
    known = [value for value in values if value is not None]
    if not known:
        return Markup("")
    top = max([*known, target or 0.0]) or 1.0
    slots = max(len(points), _SLOTS_AT_LEAST)
    step = 100 / slots
    drawn = [
        _bar(step * index, step, value, top, point.verdict, spelt)
        for index, (point, value) in enumerate(zip(points, values, strict=True))
    ]
    said = _said(points, values, spelt, target)
    chart = el(
        "svg",
        el("title", f"{title}. {said}"),
        el("line", class_="axis", x1="0", x2="100%", y1=str(_HEIGHT), y2=str(_HEIGHT)),
        *drawn,
        *_target(top, target, spelt),
        *_dates(points, step),
        height=str(_HEIGHT + 22),
        role="img",
    )
    return el("figure", el("figcaption", title, el("span", said, class_="more")), chart)


def _bar(
    left: float, step: float, value: float | None, top: float, verdict: Verdict, spelt: Callable[[float], str]
) -> Markup:
    if value is None:
        middle = f"{left + step / 2:.2f}%"
        return el("text", "?", x=middle, y=str(_HEIGHT - 4), text_anchor="middle")
    height = max(2.0, value / top * (_HEIGHT - _TOP))
    return el(
        "g",
        el("title", f"{spelt(value)}, {verdict.value.replace('_', ' ')}"),
        el(
            "rect",
            class_=f"bar {_SHADES[verdict]}",
            x=f"{left + step * 0.12:.2f}%",
            y=f"{_HEIGHT - height:.1f}",
            width=f"{step * 0.76:.2f}%",
            height=f"{height:.1f}",
            rx="1.5",
        ),
    )


def _target(top: float, target: float | None, spelt: Callable[[float], str]) -> list[Markup]:
    """Drawn over the bars, so that it is seen where they pass it."""
    if target is None:
        return []
    y = _HEIGHT - target / top * (_HEIGHT - _TOP)
    return [
        el("line", class_="target", x1="0", x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}"),
        el("text", f"target {spelt(target)}", x="100%", y=f"{y - 5:.1f}", text_anchor="end"),
    ]


def _dates(points: Sequence[Point], step: float) -> list[Markup]:
    """When the first and the last run were; once if there is no room for both."""
    y = str(_HEIGHT + 16)
    first, last, right = _day(points[0]), _day(points[-1]), step * len(points)
    if right < 60 or first == last:
        return [el("text", first, x="0", y=y)]
    return [el("text", first, x="0", y=y), el("text", last, x=f"{right:.2f}%", y=y, text_anchor="end")]


def _day(point: Point) -> str:
    return short_moment(point.created)[:10]


def _said(
    points: Sequence[Point], values: Sequence[float | None], spelt: Callable[[float], str], target: float | None
) -> str:
    """The chart in a sentence, for who cannot see it."""
    known = [value for value in values if value is not None]
    now = "not measured" if values[-1] is None else spelt(values[-1])
    said = f"Now {now}; most {spelt(max(known))}"
    if target is not None:
        kept = sum(
            value <= (target if point.target_seconds is None else point.target_seconds)
            for value, point in zip(values, points, strict=True)
            if value is not None
        )
        said += f"; within the target in {kept} of {len(points)} runs"
    return f"{said}."
