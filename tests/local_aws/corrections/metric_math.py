# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What GetMetricData gives: metrics by all their dimensions, and expressions on them, as far as a dashboard needs."""

from __future__ import annotations

import ast
import operator
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch

from .fitting import corrects, uses

uses(
    "services.cloudwatch",
    "_parse_ts(value)",
    "_ts_iso(epoch)",
    "_dims_key(dims)",
    "_dims_from_list(dimensions)",
    "_calc_stats(points)",
    "_stat_value(stats, stat_name, points)",
    "_json_ok(data)",
    "_cbor_ok(data)",
    "_cbor_metric_data_result(result)",
)

Answer = tuple[int, dict[str, str], bytes]
Series = dict[float, float]  # by the beginning of the period
Value = Series | float | list[Series]

QUERIES = 500
OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
FUNCTIONS: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: sum(values) / len(values),
}


class Unknown(Exception):
    """An expression that is not understood here."""


@corrects("services.cloudwatch", "_get_metric_data(params, cbor_data, is_cbor, is_json)")
def get_metric_data(
    original: Callable[..., Answer],
    params: dict[str, Any],
    data: dict[str, Any],
    is_cbor: bool,
    is_json: bool = False,
) -> Answer:
    """CloudWatch API, GetMetricData: up to 500 queries; the newest comes first unless ScanBy says otherwise.
    CloudWatch User Guide, using-metric-math: + - * /, SUM, MAX, MIN, AVG, FILL and METRICS are done here."""
    queries = data.get("MetricDataQueries", [])
    if not (is_cbor or is_json):
        return original(params, data, is_cbor, is_json)
    try:
        if len(queries) > QUERIES:
            raise Unknown(f"MetricDataQueries: at most {QUERIES}")
        start, end = (cloudwatch._parse_ts(data.get(name)) for name in ("StartTime", "EndTime"))
        found = {query["Id"]: series(query["MetricStat"], start, end) for query in queries if "MetricStat" in query}
        metrics = dict(found)
        for query in (query for query in queries if query.get("Expression")):
            found[query["Id"]] = evaluated(query["Expression"], found, metrics)
    except Unknown as problem:
        answer: Answer = cloudwatch._error("ValidationError", str(problem), 400, use_json=is_json, use_cbor=is_cbor)
        return answer
    newest_first = data.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    wanted = [query for query in queries if query.get("ReturnData", True)]
    results = [result(query, found[query["Id"]], newest_first) for query in wanted]
    if is_cbor:
        shown = [cloudwatch._cbor_metric_data_result(one) for one in results]
        answer = cloudwatch._cbor_ok({"MetricDataResults": shown})
    else:
        answer = cloudwatch._json_ok({"MetricDataResults": results})
    return answer


def result(query: dict[str, Any], found: Series, newest_first: bool) -> dict[str, Any]:
    times = sorted(found, reverse=newest_first)
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or query.get("MetricStat", {}).get("Metric", {}).get("MetricName", query["Id"]),
        "Timestamps": [cloudwatch._ts_iso(time) for time in times],
        "Values": [found[time] for time in times],
        "StatusCode": "Complete",
    }


def series(wanted: dict[str, Any], start: float, end: float) -> Series:
    metric, period = wanted["Metric"], int(wanted["Period"])
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(metric.get("Dimensions") or []))
    periods: dict[float, list[dict[str, Any]]] = defaultdict(list)
    for point in cloudwatch._metrics.get((metric["Namespace"], metric["MetricName"], dimensions)) or []:
        if start <= point["Timestamp"] < end:
            periods[point["Timestamp"] // period * period].append(point)
    values = {
        time: cloudwatch._stat_value(cloudwatch._calc_stats(points), wanted["Stat"], points)
        for time, points in periods.items()
    }
    return {time: float(value) for time, value in values.items() if value is not None}


def evaluated(expression: str, known: dict[str, Series], metrics: dict[str, Series]) -> Series:
    """The series an expression gives; what is one number stands at each time there is any data for."""
    try:
        value = value_of(ast.parse(expression, mode="eval").body, known, metrics)
    except SyntaxError as problem:
        raise Unknown(f"Error in expression {expression!r}: {problem}") from problem
    if isinstance(value, list):
        raise Unknown(f"Error in expression {expression!r}: an array of time series is no answer here")
    if isinstance(value, dict):
        return value
    return dict.fromkeys({time for one in metrics.values() for time in one}, value)


def value_of(node: ast.expr, known: dict[str, Series], metrics: dict[str, Series]) -> Value:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.List):
        items = [value_of(item, known, metrics) for item in node.elts]
        return [item for item in items if isinstance(item, dict)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return combined(operator.mul, -1.0, value_of(node.operand, known, metrics))
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = (value_of(side, known, metrics) for side in (node.left, node.right))
        return combined(OPERATORS[type(node.op)], left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return called(node.func.id, node.args, known, metrics)
    raise Unknown(f"{ast.unparse(node)} is not understood here")


def called(name: str, arguments: list[ast.expr], known: dict[str, Series], metrics: dict[str, Series]) -> Value:
    if name == "METRICS":
        parts = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
        return [one for identifier, one in metrics.items() if all(str(part) in identifier for part in parts)]
    values = [value_of(argument, known, metrics) for argument in arguments]
    if name == "FILL" and len(values) == 2 and isinstance(values[0], dict) and isinstance(values[1], float):
        times = {time for one in metrics.values() for time in one}
        return dict.fromkeys(times, values[1]) | values[0]
    if name not in FUNCTIONS or len(values) != 1:
        raise Unknown(f"{name} is not understood here")
    (value,), function = values, FUNCTIONS[name]
    if isinstance(value, list):
        times = {time for one in value for time in one}
        return {time: function([one[time] for one in value if time in one]) for time in times}
    if isinstance(value, dict):
        return function(list(value.values())) if value else {}
    return value


def combined(calculate: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """CloudWatch User Guide, using-metric-math: where one side has no data there is none, nor a number over zero."""
    if isinstance(left, list) or isinstance(right, list):
        raise Unknown("arrays of time series are not calculated with here")
    if isinstance(left, float) and isinstance(right, float):
        return calculate(left, right) if right or calculate is not operator.truediv else {}
    known_times = [set(side) for side in (left, right) if isinstance(side, dict)]
    found = {}
    for time in set.intersection(*known_times):
        one, other = (side[time] if isinstance(side, dict) else side for side in (left, right))
        if other or calculate is not operator.truediv:
            found[time] = calculate(one, other)
    return found
