# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""When a metric alarm changes its state."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch

from . import background
from .fitting import corrects, uses

uses(
    "services.cloudwatch",
    "_calc_stats(points)",
    "_stat_value(stats, stat_name, points)",
    "_dims_key(dims)",
    "_record_history(alarm_name, old_state, new_state, reason, alarm_type, reason_data)",
    "_dispatch_alarm_actions(alarm, old_state, new_state, reason)",
    "_evaluate_parent_alarms(child, seen)",
    "_evaluate_all_alarms()",
    "_error(code, message, status, use_json, use_cbor)",
)

EVALUATE_SECONDS = 2.0  # AWS evaluates each minute; tests do not want to wait for that

NAMES = 100  # in one request

Alarm = dict[str, Any]

BREACHING = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@corrects("services.cloudwatch", "_evaluate_alarm(alarm)")
def evaluate_alarm(original: Callable[[Alarm], None], alarm: Alarm) -> None:
    """CloudWatch User Guide, AlarmThatSendsEmail: an alarm watches one metric, which its dimensions name exactly;
    M of the last N periods decide, and TreatMissingData says what a period without data means."""
    if not alarm.get("MetricName") or alarm.get("ComparisonOperator") not in BREACHING:
        original(alarm)
        return
    values = values_by_period(alarm, time.time())
    state = state_from(alarm, values, time.time())
    if state and state != alarm["StateValue"]:
        change_state(alarm, state, values)


@corrects("services.cloudwatch", "_put_metric_alarm(params, cbor_data, is_cbor, is_json)")
def keep_metrics_of_alarm(
    original: Callable[..., Any], params: dict[str, Any], cbor_data: dict[str, Any], *protocol: bool, **more: bool
) -> Any:
    """CloudWatch API, PutMetricAlarm: an alarm has Metrics, or MetricName and what belongs to it. One with Metrics is
    kept and shown, but not evaluated."""
    answer = original(params, cbor_data, *protocol, **more)
    if answer[0] == 200 and cbor_data.get("Metrics"):
        alarm = cloudwatch._alarms[cbor_data["AlarmName"]]
        alarm["Metrics"] = cbor_data["Metrics"]
        for name in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Unit"):
            alarm.pop(name, None)
    return answer


@corrects("services.cloudwatch", "_delete_alarms(params, cbor_data, is_cbor, is_json)")
@corrects("services.cloudwatch", "_describe_alarms(params, cbor_data, is_cbor, is_json)")
def limit_names(
    original: Callable[..., Any], params: dict[str, Any], data: dict[str, Any], is_cbor: bool, is_json: bool = False
) -> Any:
    """CloudWatch API, DeleteAlarms and DescribeAlarms: AlarmNames has up to 100 items."""
    if len(data.get("AlarmNames") or []) <= NAMES:
        return original(params, data, is_cbor, is_json)
    text = f"1 validation error detected: alarmNames must have length less than or equal to {NAMES}"
    return cloudwatch._error("ValidationError", text, 400, use_json=is_json, use_cbor=is_cbor)


def values_by_period(alarm: Alarm, now: float) -> list[float | None]:
    """The statistic of each of the last N periods, the newest first; None where there is no data."""
    dimensions = {item["Name"]: item["Value"] for item in alarm.get("Dimensions") or []}
    address = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    points = [
        point
        for point in cloudwatch._metrics.get(address) or []
        if not alarm.get("Unit") or point.get("Unit") == alarm["Unit"]
    ]
    return [
        statistic(alarm, [point for point in points if low < point["Timestamp"] <= low + alarm["Period"]])
        for low in (now - alarm["Period"] * (number + 1) for number in range(alarm["EvaluationPeriods"]))
    ]


def statistic(alarm: Alarm, points: list[dict[str, Any]]) -> float | None:
    if not points:
        return None
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    value = cloudwatch._stat_value(cloudwatch._calc_stats(points), name, points)
    return None if value is None else float(value)


def state_from(alarm: Alarm, values: list[float | None], now: float) -> str | None:
    """The state these values mean, or None to keep the present one."""
    missing = alarm.get("TreatMissingData") or "missing"
    found = [value for value in values if value is not None]
    if not found:
        age = now - alarm["AlarmConfigurationUpdatedTimestamp"]
        if age < alarm["Period"] * alarm["EvaluationPeriods"]:
            return None  # a new alarm waits for its first periods
        return {"breaching": "ALARM", "notBreaching": "OK", "ignore": None}.get(missing, "INSUFFICIENT_DATA")
    breaches = BREACHING[alarm["ComparisonOperator"]]
    bad = sum(1 for value in found if breaches(value, alarm["Threshold"]))
    needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    if missing == "breaching":
        bad += len(values) - len(found)
    elif missing in ("missing", "ignore"):
        needed = min(needed, len(found))  # what is missing is left out of the judgement
    return "ALARM" if bad >= needed else "OK"


def change_state(alarm: Alarm, state: str, values: list[float | None]) -> None:
    old = alarm["StateValue"]
    shown = ", ".join("missing" if value is None else f"{value:g}" for value in values)
    reason = f"Threshold Crossed: [{shown}] against {alarm['ComparisonOperator']} {alarm['Threshold']:g}"
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], old, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


@background.every(EVALUATE_SECONDS)
def evaluate_without_being_asked() -> None:
    """CloudWatch evaluates all the time; MiniStack only when data comes in, so missing data would never count."""
    for account, region in {(account, region) for account, region, _name in cloudwatch._alarms._data}:
        with request_scope(account, region):
            cloudwatch._evaluate_all_alarms()
