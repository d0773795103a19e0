# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The body of a CloudWatch dashboard: when two mean the same, what is wrong with one, and how a big one is divided.

Sources: CloudWatch API Reference, "Dashboard body structure and syntax" and "Metric widget structure"; CloudWatch User
Guide, "CloudWatch service quotas" (widgets and metrics of a dashboard).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from .merging import as_text
from .model import GLOBAL, Account, Address, Document, InvalidInput, Refused

Widget: TypeAlias = "Mapping[str, Any]"
Bodies: TypeAlias = "dict[str, Document]"
"""The body of each dashboard, by its name."""

MAX_WIDGETS = 500
MAX_METRICS = 2500
"""CloudWatch's limits of a dashboard. Metrics of all widgets count, also those that only expressions use."""
MAX_METRICS_OF_A_WIDGET = 500
MAX_ALARMS_OF_A_WIDGET = 100
GRID = 24
_MAX_HEIGHT = 1000
_MAX_NAME = 255
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TYPES = ("metric", "text", "log", "alarm", "explorer", "custom", "trace")
_SIZE = {"width": 6, "height": 6}
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}

# --- meaning -------------------------------------------------------------------------------------------------

_METRIC_DEFAULTS = {"view": "timeSeries", "stacked": False, "period": 300, "legend": {"position": "bottom"}}
_OPTION_DEFAULTS = {"visible": True, "yAxis": "left"}
_ALARM_DEFAULTS = {"sortBy": "default"}


def canonical_body(body: Document) -> Document:
    """The body in the one form that all bodies of the same meaning share."""
    plain: dict[str, Any] = _plain(body)
    if not isinstance(plain.get("widgets"), list):
        return plain
    widgets = [_canonical_widget(widget) for widget in plain["widgets"]]
    if all(_is_placed(widget) for widget in widgets):
        widgets.sort(key=lambda widget: (widget["y"], widget["x"], as_text(widget)))
    return {**plain, "widgets": widgets}


def _plain(value: Any) -> Any:
    """Whole numbers as integers, since 6 and 6.0 are one number; tuples and other mappings as JSON has them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _is_placed(widget: Any) -> bool:
    return isinstance(widget, Mapping) and _is_number(widget.get("x")) and _is_number(widget.get("y"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _canonical_widget(widget: Any) -> Any:
    if not isinstance(widget, dict):
        return widget
    properties = widget.get("properties")
    canonical = _CANONICAL.get(str(widget.get("type")))
    if canonical and isinstance(properties, dict):
        widget = {**widget, "properties": canonical(properties)}
    return {**_SIZE, **widget}


def _canonical_metric_widget(properties: dict[str, Any]) -> dict[str, Any]:
    found = {**_METRIC_DEFAULTS, **properties}
    if isinstance(found.get("metrics"), list):
        found["metrics"] = _canonical_metrics(found["metrics"])
    if isinstance(found.get("annotations"), dict):
        found["annotations"] = {
            name: [_without_defaults(one, _OPTION_DEFAULTS) for one in lines] if isinstance(lines, list) else lines
            for name, lines in found["annotations"].items()
        }
    return found


def _canonical_alarm_widget(properties: dict[str, Any]) -> dict[str, Any]:
    found = {**_ALARM_DEFAULTS, **properties}
    if isinstance(found.get("alarms"), list):
        found["alarms"] = sorted(found["alarms"], key=as_text)
    return found


_CANONICAL: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "metric": _canonical_metric_widget,
    "alarm": _canonical_alarm_widget,
}


def _without_defaults(options: Any, defaults: Document) -> Any:
    if not isinstance(options, dict):
        return options
    return {name: value for name, value in options.items() if name not in defaults or value != defaults[name]}


def _canonical_metrics(metrics: list[Any]) -> list[Any]:
    """Each metric in full: the order of metrics gives them their colours and stays."""
    canonical: list[Any] = []
    previous: list[str] | None = None
    for metric in metrics:
        if not isinstance(metric, list) or not metric:
            canonical.append(metric)
            previous = None
            continue
        options = metric[-1] if isinstance(metric[-1], dict) else {}
        names = metric[:-1] if isinstance(metric[-1], dict) else metric
        previous = _in_full(names, previous) if names else None
        ordered = names if previous is None else _by_dimension(previous)
        options = _without_defaults(options, _OPTION_DEFAULTS)
        canonical.append([*ordered, options] if options else [*ordered])
    return canonical


def _in_full(names: list[Any], previous: list[str] | None) -> list[str] | None:
    """A metric whose `.` and `...` are written out; None when they cannot be, and it stays as it is."""
    if not all(isinstance(name, str) for name in names):
        return None
    if "..." in names:
        rest = names[1:]
        if names[0] != "..." or "..." in rest or previous is None or len(rest) > len(previous):
            return None
        names = [*previous[: len(previous) - len(rest)], *rest]
    if "." in names and (previous is None or len(names) > len(previous)):
        return None
    return [previous[place] if previous and name == "." else name for place, name in enumerate(names)]


def _by_dimension(names: list[str]) -> list[str]:
    """The namespace and the metric, then the dimensions by name: CloudWatch takes them in any order."""
    head, rest = names[:2], names[2:]
    if len(rest) % 2:
        return names
    return [*head, *(one for dimension in sorted(zip(rest[::2], rest[1::2], strict=True)) for one in dimension)]


# --- what is wrong with one ----------------------------------------------------------------------------------


def check_dashboard_name(name: str) -> None:
    """Raise InvalidInput when CloudWatch would refuse the name."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise InvalidInput(
            f"dashboard '{name[:80]}': CloudWatch takes 1 to {_MAX_NAME} letters, digits, '-' and '_' as its name. "
            "Choose another name."
        )


def check_body(body: Any) -> None:
    """Raise InvalidInput when CloudWatch would refuse the body, or could not show it."""
    if not isinstance(body, Mapping):
        raise InvalidInput("the body is no mapping. Write {widgets: [...]}.")
    if not isinstance(body.get("widgets"), list):
        raise InvalidInput("the body has no list `widgets`. Write {widgets: [...]}.")
    for number, widget in enumerate(body["widgets"], 1):
        wrong = _wrong_with(widget)
        if wrong:
            raise InvalidInput(f"widget {number}{_titled(widget)}: {wrong}.")


def _titled(widget: Any) -> str:
    properties = widget.get("properties") if isinstance(widget, Mapping) else None
    title = properties.get("title") if isinstance(properties, Mapping) else None
    return f" '{title}'" if isinstance(title, str) else ""


def _wrong_with(widget: Any) -> str | None:
    if not isinstance(widget, Mapping):
        return "it is no mapping. Write {type: ..., properties: {...}}"
    if widget.get("type") not in _TYPES:
        return f"its `type` is '{widget.get('type')}'. Choose one of {', '.join(_TYPES)}"
    if not isinstance(widget.get("properties"), Mapping):
        return "it has no mapping `properties`. Add it"
    for name, least, most in (
        ("x", 0, GRID - 1),
        ("y", 0, None),
        ("width", 1, GRID),
        ("height", 1, _MAX_HEIGHT),
    ):
        value = widget.get(name, least)
        if not _is_number(value) or value != int(value) or value < least or (most is not None and value > most):
            allowed = f"{least} or more" if most is None else f"{least} to {most}"
            return f"its `{name}` is {value!r}, and the grid takes a whole number, {allowed}. Correct it"
    if widget.get("x", 0) + widget.get("width", _SIZE["width"]) > GRID:
        return f"it reaches beyond the grid's {GRID} columns. Make it narrower, or move it to the left"
    return _wrong_with_properties(str(widget["type"]), widget["properties"])


def _wrong_with_properties(kind: str, properties: Document) -> str | None:
    if kind == "text" and not isinstance(properties.get("markdown"), str):
        return "a text widget needs the text `markdown` in its properties. Add it"
    for name, of, most in (
        ("metrics", "metric", MAX_METRICS_OF_A_WIDGET),
        ("alarms", "alarm", MAX_ALARMS_OF_A_WIDGET),
    ):
        values = properties.get(name, [])
        if kind == of and not isinstance(values, list):
            return f"its `{name}` is no list. Write one"
        if kind == of and len(values) > most:
            return f"it has {len(values)} {name}, and CloudWatch shows {most} in a widget. Divide it"
    return None


# --- ours or somebody else's ---------------------------------------------------------------------------------


def carries(body: Document, mark: str) -> bool:
    """Whether a text widget of the body has the mark in it."""
    return any(mark in text for text in _texts(body))


def _texts(body: Document) -> Iterable[str]:
    widgets = body.get("widgets")
    for widget in widgets if isinstance(widgets, list) else []:
        properties = widget.get("properties") if isinstance(widget, Mapping) else None
        if isinstance(properties, Mapping) and isinstance(properties.get("markdown"), str):
            yield properties["markdown"]


def part_mark(name: str) -> str:
    """What the first widget of every part of a divided dashboard says."""
    return f"parts of the dashboard `{name}`"


_PART_MARK = re.compile(part_mark("([A-Za-z0-9_-]+)"))


def part_of(body: Document) -> str | None:
    """The divided dashboard of which the body is a part."""
    named = (_PART_MARK.search(text) for text in _texts(body))
    return next((found[1] for found in named if found), None)


def is_part_name(candidate: str, name: str) -> bool:
    """Whether a part of the dashboard, other than its first, could be called so."""
    head, dash, number = candidate.rpartition("-")
    return bool(dash) and head == name and number.isdecimal() and not number.startswith("0") and int(number) > 1


# --- dividing ------------------------------------------------------------------------------------------------

_NAVIGATION_HEIGHT = 2


def divided(name: str, body: Document, account: Account, region: str, mark: str = "") -> Bodies:
    """The body as one dashboard, or by whole rows of widgets as several, which link each other at their top.

    Args:
        region: the Region in which the console shows them.
        mark: what each of them carries.

    Raises:
        InvalidInput: it is too big and cannot be divided.
    """
    widgets = body["widgets"]
    if len(widgets) <= MAX_WIDGETS and sum(map(_weight, widgets)) <= MAX_METRICS:
        return {name: body}
    parts = _packed(name, _rows(name, widgets))
    names = [name, *(f"{name}-{number}" for number in range(2, len(parts) + 1))]
    check_dashboard_name(names[-1])
    return {
        part: {**body, "widgets": [_navigation(names, part, account, region, mark), *_moved_up(found)]}
        for part, found in zip(names, parts, strict=True)
    }


def _weight(widget: Widget) -> int:
    metrics = widget["properties"].get("metrics", [])
    return len(metrics)


def _rows(name: str, widgets: Sequence[Widget]) -> list[list[Widget]]:
    """The widgets in rows: no widget reaches from one row into the next."""
    if not all(_is_placed(widget) for widget in widgets):
        raise InvalidInput(
            f"dashboard '{name}': it has {len(widgets)} widgets, and CloudWatch takes {MAX_WIDGETS}. It is divided by "
            "rows when every widget says its `x` and `y`: add them, or leave widgets out."
        )
    rows: list[list[Widget]] = []
    bottom = 0
    for widget in sorted(widgets, key=lambda widget: (widget["y"], widget["x"])):
        if not rows or widget["y"] >= bottom:
            rows.append([])
        rows[-1].append(widget)
        bottom = max(bottom, widget["y"] + widget.get("height", _SIZE["height"]))
    return rows


def _packed(name: str, rows: Iterable[list[Widget]]) -> list[list[Widget]]:
    parts: list[list[Widget]] = []
    for row in rows:
        weight = sum(map(_weight, row))
        if len(row) > MAX_WIDGETS - 1 or weight > MAX_METRICS:
            raise InvalidInput(
                f"dashboard '{name}': {len(row)} widgets with {weight} metrics reach into each other from row "
                f"{row[0]['y']} on, so it cannot be divided there. Place them in rows of their own."
            )
        fits = parts and len(parts[-1]) + len(row) <= MAX_WIDGETS - 1
        if fits and sum(map(_weight, parts[-1])) + weight <= MAX_METRICS:
            parts[-1].extend(row)
        else:
            parts.append(list(row))
    return parts


def _moved_up(widgets: Sequence[Widget]) -> list[Widget]:
    """The widgets below the navigation; a gap between rows stays as it is, one above them goes."""
    top = min(widget["y"] for widget in widgets)
    return [{**widget, "y": widget["y"] - top + _NAVIGATION_HEIGHT} for widget in widgets]


def _navigation(names: Sequence[str], here: str, account: Account, region: str, mark: str) -> Widget:
    links = " | ".join(
        f"**{number}**" if name == here else f"[{number}]({console_url(name, account, region)})"
        for number, name in enumerate(names, 1)
    )
    said = f"{links} - {part_mark(names[0])}" + (f" - {mark}" if mark else "")
    return {
        "type": "text",
        "x": 0,
        "y": 0,
        "width": GRID,
        "height": _NAVIGATION_HEIGHT,
        "properties": {"markdown": said},
    }


def console_url(name: str, account: Account, region: str) -> str:
    """Where a person looks at the dashboard."""
    return f"{console(account, region)}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def console(account: Account, region: str) -> str:
    """The console, in the commercial partition that of the Region itself: it is there when others are not."""
    host = _CONSOLES.get(account.partition, _CONSOLES["aws"])
    return f"https://{region}.{host}" if account.partition == "aws" else f"https://{host}"


# --- the wish ------------------------------------------------------------------------------------------------


def dashboard_address(name: str, account: Account) -> Address:
    """A dashboard belongs to an account and to no Region."""
    return Address("cloudwatch_dashboard", name, GLOBAL, account.id)


def dashboards_wish(bodies: Bodies, account: Account) -> dict[Address, Document]:
    """The dashboards of these bodies."""
    return {dashboard_address(name, account): {"Body": body} for name, body in bodies.items()}


def dashboards_goal(
    name: str, wish: Mapping[Address, Document], observed: Mapping[Address, Document | None], mark: str
) -> tuple[dict[Address, Document], list[str]]:
    """The dashboards that are to go, and a sentence for each that is somebody else's and stays.

    Args:
        wish: the dashboards that should exist; empty: none.
        observed: these, the one of the name, and those whose names parts could have.
        mark: what is ours must carry; empty: the dashboard of that very name is ours.

    Raises:
        Refused: a dashboard that is wished is there and is somebody else's.
    """
    unwanted: dict[Address, Document] = {}
    notes = []
    for address, document in observed.items():
        if document is None:
            continue
        ours = _is_ours(address.name, name, document["Body"], mark)
        whole = part_of(document["Body"])
        if address.name == name and whole not in (None, name):
            said = f"dashboard '{name}': it is a part of the dashboard '{whole}', which has too many widgets for one."
            if address in wish:
                raise Refused(f"{said} Choose another name.")
            notes.append(f"The {said} It stays.")
            continue
        if address in wish and not ours:
            expected = mark if address.name == name else part_mark(name)
            raise Refused(
                f"dashboard '{address.name}': one of this name exists and no text of it says '{expected}', so it seems "
                "to be somebody else's. Choose another name, or delete that one first."
            )
        if address not in wish and ours:
            unwanted[address] = {}
        if address.name == name and address not in wish and not ours:
            notes.append(
                f"The dashboard '{name}' stays: no text of it says '{mark}', so it seems to be somebody else's."
            )
    return unwanted, notes


def _is_ours(found: str, name: str, body: Document, mark: str) -> bool:
    if found == name:
        return not mark or carries(body, mark)
    return carries(body, part_mark(name)) and (not mark or carries(body, mark))
