# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Draw a dashboard as a page: `dashboard_picture.py NAME PAGE.html [MINUTES [REGION]]`.

The body, the metrics and the states of the alarms are asked from the AWS that AWS_ENDPOINT_URL names, which shows no
dashboards itself. It is how docs/images/dashboard.png was made, with any browser's screenshot of the page.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from dashboard_page import Line, page
from metric_math import Series, evaluate

DAY = 86400.0


@cache
def cloudwatch(region: str) -> Any:
    """CloudWatch of a Region."""
    return boto3.client("cloudwatch", region_name=region)


def main(arguments: Sequence[str]) -> int:
    name, target = arguments[:2]
    minutes = float(arguments[2]) if len(arguments) > 2 else 180.0
    region = arguments[3] if len(arguments) > 3 else "us-east-1"
    body = json.loads(cloudwatch(region).get_dashboard(DashboardName=name)["DashboardBody"])
    now = time.time() // 60 * 60
    drawn = [(widget, *contents(widget, now, minutes * 60)) for widget in body["widgets"]]
    Path(target).write_text(page(name, drawn, now), encoding="utf-8")
    return 0


def contents(widget: dict[str, Any], now: float, seconds: float) -> tuple[list[Line], dict[str, str], float]:
    """The lines of a graph, the states of alarms by ARN, and when the graph begins."""
    properties = widget["properties"]
    if widget["type"] == "alarm":
        return [], {arn: state(arn) for arn in properties["alarms"]}, now
    if widget["type"] != "metric":
        return [], {}, now
    begin = properties.get("start", "")
    days = float(begin.removeprefix("-P").removesuffix("D")) if begin else 0.0
    since = now - (days * DAY or seconds)
    return lines(properties, since, now), {}, since


def state(arn: str) -> str:
    """An alarm's state, or nothing if there is none."""
    _arn, _partition, _service, region, _account, _alarm, name = arn.split(":", 6)
    found = cloudwatch(region).describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    states = [alarm["StateValue"] for alarm in (*found["MetricAlarms"], *found["CompositeAlarms"])]
    return states[0] if states else ""


def lines(properties: dict[str, Any], since: float, until: float) -> list[Line]:
    """The visible lines, each with its values."""
    series: dict[str, Series] = {}
    periods: dict[str, float] = {}
    expressions: list[tuple[int, dict[str, Any]]] = []
    found: list[tuple[int, Line]] = []
    for place, metric in enumerate(properties["metrics"]):
        options = metric[-1] if isinstance(metric[-1], dict) else {}
        if len(metric) == 1:
            expressions.append((place, options))
            continue
        names = [text for text in metric if isinstance(text, str)]
        values = statistics({**properties, **options}, names, since, until)
        if options.get("id"):
            series[options["id"]], periods[options["id"]] = values, properties["period"]
        if options.get("visible", True):
            found.append((place, Line(options.get("label", names[1]), values, options.get("yAxis") == "right")))
    for place, options in expressions:
        value = evaluate(options["expression"], series, periods)
        values = value if isinstance(value, dict) else {until: value}
        found.append((place, Line(options.get("label", options["expression"]), values, right=False)))
    return [line for _place, line in sorted(found, key=lambda one: one[0])]


def statistics(options: dict[str, Any], names: list[str], since: float, until: float) -> Series:
    """What CloudWatch measured, by time."""
    dimensions = [{"Name": one, "Value": two} for one, two in zip(names[2::2], names[3::2], strict=True)]
    answer = cloudwatch(options["region"]).get_metric_statistics(
        Namespace=names[0],
        MetricName=names[1],
        Dimensions=dimensions,
        StartTime=datetime.fromtimestamp(since, UTC),
        EndTime=datetime.fromtimestamp(until, UTC),
        Period=options["period"],
        Statistics=[options["stat"]],
    )
    return {point["Timestamp"].timestamp(): point[options["stat"]] for point in answer["Datapoints"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
