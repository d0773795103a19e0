# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Dashboards of CloudWatch: what their body may be, and that they are of no Region."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import get_account_id, request_scope
from ministack.services import cloudwatch

from .fitting import corrects, uses

uses(
    "services.cloudwatch",
    "cloudformation_delete_dashboard(name)",
    "_error(code, message, status, use_json, use_cbor)",
)

Answer = tuple[int, dict[str, str], bytes]
Original = Callable[..., Answer]

ANY_REGION = "us-east-1"
WIDGETS = 500
METRICS_OF_WIDGET = 500
METRICS = 2500
COLUMNS = 24
ROWS = 1000
TYPES = ("metric", "text", "log", "alarm", "explorer", "custom")


@corrects("services.cloudwatch", "_put_dashboard(params, cbor_data, is_cbor, is_json)")
def put(
    original: Original, params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> Answer:
    """CloudWatch User Guide, CloudWatch-Dashboard-Body-Structure: what a body has; PutDashboard: what has an error is
    refused, and DashboardValidationMessages tell of it."""
    if not (is_cbor or is_json):
        return in_no_region(original, params, data, is_cbor, is_json)
    try:
        body = json.loads(data.get("DashboardBody") or "")
        found = [{"DataPath": place, "Message": text} for place, text in problems(body)]
        text = f"The dashboard body is invalid, there are {len(found)} validation errors: {json.dumps(found)}"
    except ValueError:
        found = [{"DataPath": "/", "Message": "no JSON"}]
        text = "The field DashboardBody must be a valid JSON object"
    if not found:
        return in_no_region(original, params, data, is_cbor, is_json)
    answer: Answer = cloudwatch._error("InvalidParameterInput", text, 400, use_json=is_json, use_cbor=is_cbor)
    if not is_json:
        return answer
    status, headers, shown = answer
    return status, headers, json.dumps(json.loads(shown) | {"dashboardValidationMessages": found}).encode()


@corrects("services.cloudwatch", "_get_dashboard(params, cbor_data, is_cbor, is_json)")
@corrects("services.cloudwatch", "_list_dashboards(params, cbor_data, is_cbor, is_json)")
def in_no_region(original: Original, *arguments: Any) -> Answer:
    """CloudWatch API, PutDashboard: "All dashboards in your account are global, not region-specific."."""
    with request_scope(get_account_id(), ANY_REGION):
        return original(*arguments)


@corrects("services.cloudwatch", "_delete_dashboards(params, cbor_data, is_cbor, is_json)")
def delete(
    original: Original, params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> Answer:
    """CloudWatch API, DeleteDashboards: as many as possible are deleted; ResourceNotFound when one was not there."""
    with request_scope(get_account_id(), ANY_REGION):
        names = data.get("DashboardNames", [])
        missing = [name for name in names if name not in cloudwatch._dashboards]
        if not missing:
            return original(params, data, is_cbor, is_json)
        for name in names:
            cloudwatch.cloudformation_delete_dashboard(name)
    text = f"Dashboard {', '.join(missing)} does not exist"
    answer: Answer = cloudwatch._error("ResourceNotFound", text, 404, use_json=is_json, use_cbor=is_cbor)
    return answer


def problems(body: Any) -> Iterator[tuple[str, str]]:
    """What AWS refuses: where it stands, and why."""
    widgets = body.get("widgets") if isinstance(body, dict) else None
    if not isinstance(widgets, list):
        yield "/widgets", "Should have the array widgets"
        return
    if len(widgets) > WIDGETS:
        yield "/widgets", f"Should NOT have more than {WIDGETS} items"
    for number, widget in enumerate(widgets):
        for place, text in problems_of_widget(widget):
            yield f"/widgets/{number}{place}", text
    shown = sum(metrics_of(widget) for widget in widgets)
    if shown > METRICS:
        yield "/widgets", f"{shown} metrics, a dashboard has up to {METRICS}"


def problems_of_widget(widget: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(widget, dict) or widget.get("type") not in TYPES:
        yield "/type", f"Should be one of {', '.join(TYPES)}"
        return
    x, y = widget.get("x", 0), widget.get("y", 0)
    width, height = widget.get("width", 6), widget.get("height", 6)
    if not all(isinstance(number, int) for number in (x, y, width, height)):
        yield "", "x, y, width and height are integers"
    elif not (x >= 0 and y >= 0 and width >= 1 and x + width <= COLUMNS and 1 <= height <= ROWS):
        yield "", f"Should lie within {COLUMNS} columns, with up to {ROWS} rows"
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        yield "/properties", "Should be an object"
        return
    needed = {"metric": ["region"], "text": ["markdown"], "log": ["region", "query"], "alarm": ["alarms"]}
    for name in needed.get(widget["type"], []):
        if not properties.get(name):
            yield "/properties", f"Should have required property '{name}'"
    if widget["type"] == "metric":
        if not properties.get("metrics") and not (properties.get("annotations") or {}).get("alarms"):
            yield "/properties", "Should have metrics, or annotations with an alarm"
        if metrics_of(widget) > METRICS_OF_WIDGET:
            yield "/properties/metrics", f"Should NOT have more than {METRICS_OF_WIDGET} items"


def metrics_of(widget: Any) -> int:
    """CloudWatch User Guide, cloudwatch_limits: 500 metrics in a widget, 2500 in a dashboard; expressions are none."""
    properties = widget.get("properties") if isinstance(widget, dict) else None
    metrics = properties.get("metrics") if isinstance(properties, dict) else None
    return sum(1 for metric in metrics or [] if isinstance(metric, list) and metric and isinstance(metric[0], str))
