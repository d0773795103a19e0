# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The page that shows a dashboard: the grid, graphs as SVG, alarms as tiles, text as simple Markdown."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

COLUMN, ROW, GAP = 64, 44, 8
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22")
STATES = {"OK": "ok", "ALARM": "alarm", "INSUFFICIENT_DATA": "unknown", "": "missing"}
WORDS = {"OK": "OK", "ALARM": "In alarm", "INSUFFICIENT_DATA": "Insufficient data", "": "No such alarm"}
STYLE = """
*{box-sizing:border-box} body{margin:0;background:#f2f3f3;font:13px/1.4 "Helvetica Neue",Arial,sans-serif;color:#16191f}
.page{width:1552px;margin:0 auto;padding:8px} .bar{padding:8px 4px 10px;font-size:18px;font-weight:700}
.bar small{font-weight:400;font-size:12px;color:#545b64;margin-left:12px} .grid{position:relative}
.w{position:absolute;background:#fff;border:1px solid #d5dbdb;border-radius:4px;padding:8px 10px;overflow:hidden}
.w h3{font-size:13px;margin:0 0 4px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.text h1{font-size:20px;margin:0 0 6px}.text h2{font-size:17px;margin:0 0 4px}.text p{margin:0 0 5px} a{color:#0073bb}
code{background:#f2f3f3;padding:0 3px;border-radius:2px;font-size:12px}
.legend{font-size:11px;line-height:15px;display:flex;flex-wrap:wrap;gap:0 12px}
.legend i{display:inline-block;width:9px;height:9px;border-radius:2px;margin-right:4px}
.tiles{display:grid;grid-template-columns:repeat(6,1fr);gap:5px}
.tile{border-left:5px solid;border-radius:3px;padding:2px 7px;font-size:11.5px;line-height:14px;height:34px;
overflow:hidden} .tile b,.tile span{display:block;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.tile b{font-size:12px} .tile span{color:#414d5c;font-size:11px}
.ok{border-color:#1d8102;background:#edf7ea}.alarm{border-color:#8c1d04;background:#d13212;color:#fff}
.tile.alarm span{color:#fff}
.unknown{border-color:#879596;background:#f4f6f6}.missing{border-color:#879596;background:#fff;border-style:dotted}
.single{display:grid;grid-template-columns:repeat(2,1fr);gap:4px 10px;padding-top:6px} .single div{font-size:11px;
line-height:14px;color:#545b64} .single b{display:block;font-size:24px;line-height:32px;font-weight:400;color:#16191f}
footer{color:#545b64;font-size:12px;padding:8px 4px}
svg text{font-size:10px;fill:#545b64}
"""


@dataclass(frozen=True)
class Line:
    """One line of a graph."""

    label: str
    values: dict[float, float]
    right: bool


def page(name: str, widgets: Sequence[tuple[dict[str, Any], list[Line], dict[str, str], float]], now: float) -> str:
    """The page of a dashboard."""
    bottom = max(widget["y"] + widget["height"] for widget, *_rest in widgets)
    shown = "".join(_widget(*one, now) for one in widgets)
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"<!doctype html><meta charset=utf-8><title>{_safe(name)}</title><style>{STYLE}</style><div class=page>"
        f"<div class=bar>{_safe(name)}<small>{at}</small></div><div class=grid style='height:{bottom * ROW}px'>{shown}"
        "</div><footer>Drawn by this project (tests/dev/dashboard_picture.py) from the dashboard's body and the "
        "metrics and alarms of the local AWS. AWS's console draws the same body in its own way. The daily storage "
        "figures are sample data, since the local AWS does not measure storage.</footer></div>"
    )


def _widget(widget: dict[str, Any], lines: list[Line], states: dict[str, str], since: float, now: float) -> str:
    left, top = widget["x"] * COLUMN, widget["y"] * ROW
    width, height = widget["width"] * COLUMN - GAP, widget["height"] * ROW - GAP
    properties = widget["properties"]
    if widget["type"] == "text":
        inner, kind = markdown(properties["markdown"]), "text"
    elif widget["type"] == "alarm":
        inner, kind = _title(properties) + _tiles(states), "alarms"
    elif properties.get("view") == "singleValue":
        inner, kind = _title(properties) + _numbers(lines), "numbers"
    else:
        inner, kind = _title(properties) + _graph(properties, lines, (since, now), width - 22, height - 20), "graph"
    return f"<div class='w {kind}' style='left:{left}px;top:{top}px;width:{width}px;height:{height}px'>{inner}</div>"


def _title(properties: dict[str, Any]) -> str:
    return f"<h3>{_safe(properties.get('title', ''))}</h3>"


def _safe(text: str) -> str:
    return html.escape(text, quote=True)


# --- text ----------------------------------------------------------------------------------------------------


def markdown(text: str) -> str:
    """Headings, paragraphs, links, bold, emphasis, code; a backslash takes a character's meaning away."""
    return "".join(_block(block) for block in re.split(r"\n{2,}", text))


def _block(block: str) -> str:
    level = len(block) - len(block.lstrip("#"))
    name = f"h{level}" if level else "p"
    return f"<{name}>{_inline(block.lstrip('#').strip())}</{name}>"


def _inline(text: str) -> str:
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(html.escape(found[1]))
        return f"\0{len(kept) - 1}\0"

    text = html.escape(re.sub(r"\\(.)", keep, text), quote=True)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"<a href='\2'>\1</a>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)
    return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], text)


# --- alarms and numbers --------------------------------------------------------------------------------------


def _tiles(states: dict[str, str]) -> str:
    tiles = []
    for arn, state in states.items():
        _arn, _partition, _service, region, _account, _alarm, name = arn.split(":", 6)
        *of_what, kind = name.removeprefix("s3-dr/").split("/", 3)
        what = "/".join(of_what[1:] or of_what)
        tiles.append(
            f"<div class='tile {STATES[state]}'><b>{_safe(kind)}: {WORDS[state]}</b>"
            f"<span>{_safe(what)}, {region}</span></div>"
        )
    return f"<div class=tiles>{''.join(tiles)}</div>"


def _numbers(lines: Iterable[Line]) -> str:
    cells = [f"<div><b>{_last(line)}</b>{_safe(line.label)}</div>" for line in lines]
    return f"<div class=single>{''.join(cells)}</div>"


def _last(line: Line) -> str:
    return f"{line.values[max(line.values)]:,.2f}" if line.values else "--"


# --- graphs --------------------------------------------------------------------------------------------------


def _graph(properties: dict[str, Any], lines: list[Line], span: tuple[float, float], width: int, height: int) -> str:
    legend = "".join(
        f"<span><i style='background:{_colour(number)}'></i>{_safe(line.label)}</span>"
        for number, line in enumerate(lines)
    )
    rows = _legend_rows(lines, width)
    tall = height - 22 - 15 * rows
    inner = _plot(properties, lines, span, width, tall)
    return f"<svg width={width} height={tall}>{inner}</svg><div class=legend>{legend}</div>"


def _legend_rows(lines: Iterable[Line], width: int) -> int:
    rows, used = 1, 0.0
    for line in lines:
        long = 25 + 5.6 * len(line.label)
        rows, used = (rows + 1, long) if used and used + long > width else (rows, used + long)
    return rows


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


@dataclass(frozen=True)
class _Frame:
    """Where the graph lies, and what its axes reach; `binary` says that the left one counts bytes."""

    left: float
    right: float
    top: float
    bottom: float
    span: tuple[float, float]
    left_end: float
    right_end: float
    binary: bool

    def x(self, time: float) -> float:
        """Where a time is."""
        return self.left + (time - self.span[0]) / (self.span[1] - self.span[0]) * (self.right - self.left)

    def y(self, value: float, *, right: bool = False) -> float:
        """Where a value is."""
        return self.bottom - value / (self.right_end if right else self.left_end) * (self.bottom - self.top)


def _plot(properties: dict[str, Any], lines: list[Line], span: tuple[float, float], width: int, height: int) -> str:
    notes = properties.get("annotations", {}).get("horizontal", [])
    binary = "Bytes" in properties["metrics"][0][1] if len(properties["metrics"][0]) > 1 else False
    values = [value for line in lines if not line.right for value in line.values.values()]
    right_values = [value for line in lines if line.right for value in line.values.values()]
    left_end = _top([*values, *(note["value"] for note in notes)], binary=binary)
    right = width - (34 if right_values else 8)
    frame = _Frame(54, right, 8, height - 18, span, left_end, _top(right_values, binary=False), binary)
    parts = [*_grid(frame), *_times(frame)]
    if not values and not right_values:
        parts.append(f"<text x={(54 + right) / 2} y={height / 2} text-anchor=middle>No data</text>")
    for number, line in enumerate(lines):
        parts += _drawn(frame, line, _colour(number))
    parts += [_note(frame, note) for note in notes]
    return "".join(parts)


def _drawn(frame: _Frame, line: Line, colour: str) -> list[str]:
    points = [(frame.x(time), frame.y(value, right=line.right)) for time, value in sorted(line.values.items())]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = points if len(points) < 20 else []
    return [
        f"<polyline points='{path}' fill=none stroke='{colour}' stroke-width=1.6 />",
        *(f"<circle cx={x:.1f} cy={y:.1f} r=2 fill='{colour}' />" for x, y in dots),
    ]


def _note(frame: _Frame, note: dict[str, Any]) -> str:
    level, colour = frame.y(note["value"]), note.get("color", "#d13212")
    return (
        f"<line x1={frame.left} x2={frame.right} y1={level:.1f} y2={level:.1f} stroke='{colour}' "
        f"stroke-dasharray='5 3' /><text x={frame.left + 4} y={level - 4:.1f} style='fill:{colour}'>"
        f"{_safe(note['label'])}</text>"
    )


def _grid(frame: _Frame) -> list[str]:
    parts = []
    for step in range(5):
        value = frame.left_end * step / 4
        level = frame.y(value)
        parts += [
            f"<line x1={frame.left} x2={frame.right} y1={level:.1f} y2={level:.1f} stroke='#eaeded' />",
            f"<text x={frame.left - 5} y={level + 3:.1f} text-anchor=end>{short(value, binary=frame.binary)}</text>",
        ]
        if frame.right_end != _EMPTY:
            value = frame.right_end * step / 4
            parts.append(f"<text x={frame.right + 5} y={level + 3:.1f}>{short(value, binary=False)}</text>")
    return parts


_EMPTY = 1.0000001
"""The top of an axis without any values."""


def _top(values: list[float], *, binary: bool) -> float:
    """The end of an axis from 0: a round number above all values."""
    most = max(values, default=0.0)
    if most <= 0:
        return 1.0 if values else _EMPTY
    base, factors = (1024.0, (4, 8, 16, 32, 64, 128, 256, 512, 1024)) if binary else (10.0, (1, 2, 4, 6, 8, 10))
    size = base ** math.floor(math.log(most * 1.05, base))
    return next((factor * size for factor in factors if factor * size >= most * 1.05), base * size)


def short(value: float, *, binary: bool) -> str:
    """A number in few characters."""
    base = 1024.0 if binary else 1000.0
    for power, suffix in ((4, "T"), (3, "G"), (2, "M"), (1, "k")):
        if value >= base**power:
            return f"{value / base**power:.4g} {suffix}{'iB' if binary else ''}"
    return f"{value:.3g}" + (" B" if binary and value else "")


def _times(frame: _Frame) -> list[str]:
    since, until = frame.span
    steps = (60, 120, 300, 600, 1800, 3600, 7200, 14400, 86400, 2 * 86400, 5 * 86400, 10 * 86400)
    step = next((one for one in steps if (until - since) / one <= 6), steps[-1])
    form = "%d %b" if step >= 86400 else "%H:%M"
    times = range(math.ceil(since / step) * step, int(until - (until - since) / 40), step)
    return [
        f"<text x={frame.x(at):.1f} y={frame.bottom + 14} text-anchor=middle>"
        f"{datetime.fromtimestamp(at, UTC).strftime(form)}</text>"
        for at in times
    ]
