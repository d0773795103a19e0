# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The actions of composite alarms, which another alarm may hold back. MiniStack drops the suppressor.

This correction of ``_dispatch_alarm_actions`` has to be put in place after the others, so that it holds back what they
do as well; the name of the module sees to that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region, request_scope
from ministack.services import cloudwatch

from . import background
from .fitting import corrects, uses

uses(
    "services.cloudwatch",
    "_composite_children(alarm)",
    "_rule_alarm_state(ref)",
    "_error(code, message, status, use_json, use_cbor)",
)

LOOK_SECONDS = 0.2
CHILDREN = 100
LONGEST_RULE = 10240
MEMBERS = ("ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")

Alarm = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Dispatch = Callable[[Alarm, str, str, str], None]


@dataclass
class Suppressor:
    alarm: str  # name or ARN
    wait: float
    extension: float
    in_alarm: bool = False
    left: float | None = None  # when it was last seen to leave the state ALARM

    def look(self) -> None:
        was, self.in_alarm = self.in_alarm, cloudwatch._rule_alarm_state(self.alarm) == "ALARM"
        if was and not self.in_alarm:
            self.left = time.time()

    def holds(self, changed: float) -> str | None:
        """What holds back the actions of a change at this time, or None."""
        self.look()
        now = time.time()
        if self.in_alarm:
            return "Alarm"
        if self.left is not None and now - self.left < self.extension:
            return "ExtensionPeriod"
        is_after_suppression = self.left is not None and self.left >= changed
        return "WaitPeriod" if not is_after_suppression and now - changed < self.wait else None


@dataclass
class Held:
    """Actions that were not taken, and the state in which actions were taken last."""

    act: Dispatch
    acted: str
    changed: float


_suppressors: Any = AccountRegionScopedDict()  # by the composite alarm's name
_held: dict[tuple[str, str, str], Held] = {}


@corrects("services.cloudwatch", "_put_composite_alarm(params, cbor_data, is_cbor, is_json)")
def put_composite_alarm(
    original: Callable[..., Answer],
    params: dict[str, Any],
    data: dict[str, Any],
    is_cbor: bool,
    is_json: bool = False,
) -> Answer:
    """CloudWatch API, PutCompositeAlarm: ActionsSuppressor is an existing alarm and needs both periods; a rule has up
    to 10240 characters and names up to 100 alarms."""
    name, known = data.get("AlarmName", ""), _suppressors.get(data.get("AlarmName", ""))
    if refusal := problem_of(data):
        answer: Answer = cloudwatch._error("ValidationError", refusal, 400, use_json=is_json, use_cbor=is_cbor)
        return answer
    _suppressors.pop(name, None)
    if data.get("ActionsSuppressor"):
        _suppressors[name] = Suppressor(*(data[member] for member in MEMBERS))
        _suppressors[name].look()
    answer = original(params, data, is_cbor, is_json)
    if answer[0] == 200:
        members = {member: data[member] for member in MEMBERS if data.get("ActionsSuppressor")}
        cloudwatch._composite_alarms[name].update(members)
    elif known:
        _suppressors[name] = known
    return answer


def problem_of(data: dict[str, Any]) -> str | None:
    rule, suppressor = data.get("AlarmRule", ""), data.get("ActionsSuppressor")
    if len(rule) > LONGEST_RULE:
        return f"AlarmRule must have length less than or equal to {LONGEST_RULE}"
    if len(cloudwatch._composite_children({"AlarmRule": rule})) > CHILDREN:
        return f"AlarmRule must not reference more than {CHILDREN} alarms"
    if suppressor and any(data.get(member) is None for member in MEMBERS):
        return "ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod are required with ActionsSuppressor"
    if suppressor and cloudwatch._rule_alarm_state(suppressor) is None:
        return f"ActionsSuppressor {suppressor} does not exist"
    return None


@corrects("services.cloudwatch", "_dispatch_alarm_actions(alarm, old_state, new_state, reason)")
def hold_back(original: Dispatch, alarm: Alarm, old_state: str, new_state: str, reason: str) -> None:
    """CloudWatch User Guide, Create_Composite_Alarm_Suppression: no actions while the suppressor is in ALARM, during
    WaitPeriod after the change, and during ExtensionPeriod after the suppressor left ALARM. They are taken afterwards.
    What becomes of a change that is undone meanwhile was not found there: here nobody is told of it."""
    name = alarm["AlarmName"]
    suppressor = _suppressors.get(name) if "AlarmRule" in alarm else None
    held = _held.pop((get_account_id(), get_region(), name), None)
    acted, now = held.acted if held else old_state, time.time()
    if suppressor and (by := suppressor.holds(now)):
        alarm.update(ActionsSuppressedBy=by, ActionsSuppressedReason=f"Actions suppressed by {by}")
        _held[get_account_id(), get_region(), name] = Held(original, acted, now)
        return
    show_nothing_held(alarm)
    if new_state != acted:
        original(alarm, acted, new_state, reason)


@background.every(LOOK_SECONDS)
def look() -> None:
    for (account, region, _name), suppressor in list(_suppressors._data.items()):
        with request_scope(account, region):
            suppressor.look()
    for (account, region, name), held in list(_held.items()):
        with request_scope(account, region):
            release((account, region, name), held)


def release(address: tuple[str, str, str], held: Held) -> None:
    alarm, suppressor = cloudwatch._composite_alarms.get(address[2]), _suppressors.get(address[2])
    by = suppressor.holds(held.changed) if alarm and suppressor else None
    if alarm and by:
        alarm.update(ActionsSuppressedBy=by, ActionsSuppressedReason=f"Actions suppressed by {by}")
        return
    if _held.pop(address, None) is None or alarm is None:
        return
    show_nothing_held(alarm)
    if alarm["StateValue"] != held.acted:
        held.act(alarm, held.acted, alarm["StateValue"], alarm["StateReason"])


def show_nothing_held(alarm: Alarm) -> None:
    for member in ("ActionsSuppressedBy", "ActionsSuppressedReason"):
        alarm.pop(member, None)
