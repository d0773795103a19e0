# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Schedules of EventBridge Scheduler: what may be made, when they are due, and as whom they start something.

MiniStack takes every expression as UTC, looks every ten seconds, does not know a changed schedule from the one before
it, and starts the target without the role.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import eventbridge, scheduler, stepfunctions

from . import role
from .fitting import corrects, uses

uses("services.scheduler", "_error(status, code, message)", "_to_epoch(value)")
uses(
    "services.eventbridge",
    "_parse_rate_seconds(expr)",
    "_parse_cron_fields(expr)",
    "_cron_next_fire(fields, after_dt)",
    "_invoke_target(target, event, rule, view)",
    "_dispatch_to_sqs(spec, payload, sqs_parameters)",
)

logger = logging.getLogger("local_aws")

Answer = tuple[int, dict[str, str], bytes]
Schedule = dict[str, Any]
Key = tuple[str, str, str]

SCHEDULER = "scheduler.amazonaws.com"
LOOK_SECONDS = 1.0
AT = re.compile(r"at\((.+)\)")
# What a role needs to start a target; other targets are not judged.
STARTS = {"states": "states:StartExecution", "lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage"}
TIMING = ("ScheduleExpression", "ScheduleExpressionTimezone")

_next: dict[Key, tuple[tuple[str, ...], float | None]] = {}
"""When a schedule is due, and for which expression; None when that is over."""


def assumed(arn: str) -> role.Role | None:
    """Scheduler User Guide, cross-service-confused-deputy-prevention: a trust may insist on aws:SourceAccount."""
    return role.assume(arn, SCHEDULER, {"aws:SourceAccount": get_account_id()})


# What may be made


@corrects("services.scheduler", "_create_schedule(name, body)")
def create(original: Callable[..., Answer], name: str, body: dict[str, Any]) -> Answer:
    """EventBridge Scheduler API, CreateSchedule: ValidationException."""
    problem = wrong(body)
    return scheduler._error(400, "ValidationException", problem) if problem else original(name, body)


@corrects("services.scheduler", "_update_schedule(name, body)")
def update(original: Callable[..., Answer], name: str, body: dict[str, Any]) -> Answer:
    """EventBridge Scheduler API, UpdateSchedule: as for a new one."""
    problem = wrong(body)
    return scheduler._error(400, "ValidationException", problem) if problem else original(name, body)


@corrects("services.scheduler", "_delete_schedule(name, query)")
def delete(original: Callable[..., Answer], name: str, query: dict[str, Any]) -> Answer:
    """No fact of AWS: what is made anew under the same name must not be taken for the one before."""
    _next.pop((get_account_id(), get_region(), f"{query.get('groupName', 'default')}/{name}"), None)
    return original(name, query)


def wrong(body: dict[str, Any]) -> str:
    """Why Scheduler refuses a schedule; nothing if it does not, or for something that MiniStack finds as well."""
    expression = body.get("ScheduleExpression", "")
    try:
        zone = ZoneInfo(body.get("ScheduleExpressionTimezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return "Invalid ScheduleExpressionTimezone: must be a timezone of the IANA database."
    if expression and due_after(expression, zone, time.time()) is None and not AT.fullmatch(expression):
        return f"Invalid Schedule Expression {expression}."
    window = body.get("FlexibleTimeWindow") or {}
    if window.get("Mode") == "FLEXIBLE" and not window.get("MaximumWindowInMinutes"):
        return "MaximumWindowInMinutes is required when Mode is FLEXIBLE."
    arn = (body.get("Target") or {}).get("RoleArn", "")
    if arn and assumed(arn) is None:
        return "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    return ""


# When they are due


def due_after(expression: str, zone: ZoneInfo, after: float) -> float | None:
    """Scheduler User Guide, schedule-types: at() and cron() are in the schedule's timezone, rate() counts from now."""
    if at := AT.fullmatch(expression):
        try:
            return datetime.fromisoformat(at[1]).replace(tzinfo=zone).timestamp()
        except ValueError:
            return None
    if (seconds := eventbridge._parse_rate_seconds(expression)) is not None:
        return after + float(seconds)
    fields = eventbridge._parse_cron_fields(expression)
    found = eventbridge._cron_next_fire(fields, datetime.fromtimestamp(after, zone)) if fields else None
    return found.timestamp() if found else None


@corrects("services.scheduler", "_ticker_loop()")
def look_often(original: Callable[[], None]) -> None:
    """Scheduler User Guide, schedule-types: a schedule is started within the minute that it names."""
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            scheduler._tick_schedules()
        except Exception:
            logger.exception("the schedules could not be looked at")


@corrects("services.scheduler", "_tick_schedules()")
def start_what_is_due(original: Callable[[], None]) -> None:
    """EventBridge Scheduler API, CreateSchedule: State, StartDate, EndDate and ActionAfterCompletion."""
    now = time.time()
    for key, schedule in list(scheduler._schedules._data.items()):
        with request_scope(key[0], key[1]):
            if is_due(key, schedule, now) and schedule["State"] == "ENABLED":
                start(schedule)
            if _next[key][1] is None and schedule.get("ActionAfterCompletion") == "DELETE":
                scheduler._schedules._data.pop(key, None)
                _next.pop(key, None)


def is_due(key: Key, schedule: Schedule, now: float) -> bool:
    """Whether its time has come. The one after that is found out at once; of an at() there is none."""
    timing = tuple(schedule[name] for name in TIMING)
    zone = ZoneInfo(timing[1])
    begin, end = scheduler._to_epoch(schedule.get("StartDate")), scheduler._to_epoch(schedule.get("EndDate"))
    known = _next.get(key)
    if known is None or known[0] != timing:
        known = timing, due_after(timing[0], zone, max(now, begin or now))
    due = known[1]
    if due is not None and end is not None and due > end:
        due = None
    if due is None or now < due:
        _next[key] = timing, due
        return False
    _next[key] = timing, None if AT.fullmatch(timing[0]) else due_after(timing[0], zone, now)
    return True


# As whom they start something


def start(schedule: Schedule) -> None:
    """Scheduler User Guide, setting-up (execution role) and managing-schedule-context-attributes. What cannot be
    started goes to the dead-letter queue at once: AWS tries again only what may pass."""
    target, execution = schedule["Target"], new_uuid()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    words = {"schedule-arn": schedule["Arn"], "scheduled-time": now, "execution-id": execution, "attempt-number": "1"}
    given = target.get("Input")
    for word, value in words.items() if given else ():
        given = given.replace(f"<aws.scheduler.{word}>", value)
    acting = assumed(target["RoleArn"])
    if acting is None or not may_start(acting, target["Arn"]):
        bury(schedule, acting, given or "{}")
        return
    event = {
        "EventId": execution,
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": time.time(),
        "Resources": [schedule["Arn"]],
        "Account": get_account_id(),
        "Region": get_region(),
    }
    eventbridge._invoke_target({**target, **({"Input": given} if given else {})}, event, schedule)


def may_start(acting: role.Role, arn: str) -> bool:
    service = arn.split(":")[2]
    if service == "states" and stepfunctions._resolve_state_machine_arn(arn) is None:
        return False
    return service not in STARTS or acting.may_do(STARTS[service], arn)


def bury(schedule: Schedule, acting: role.Role | None, given: str) -> None:
    """Scheduler User Guide, configuring-schedule-dlq: the role must be allowed to send there; the body is the input.
    The attributes, which tell the error, are left out."""
    queue = (schedule["Target"].get("DeadLetterConfig") or {}).get("Arn")
    if queue and acting is not None and acting.may_do("sqs:SendMessage", queue):
        eventbridge._dispatch_to_sqs(parse_arn(queue), given)
    logger.warning("schedule %s: its target could not be started: %s", schedule["Arn"], json.dumps(given))
