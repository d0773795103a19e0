# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""OpsItems of Systems Manager, which MiniStack does not have, and the alarm action that makes them."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, request_scope

from .fitting import corrects
from .systems_manager import Refused, operation

Item = dict[str, Any]

_items: Any = AccountRegionScopedDict()  # by ID

ACTION = re.compile(r"arn:aws:ssm:([\w-]+):(\d{12}):opsitem:([1-4])(?:#CATEGORY=(\w+))?")
DEDUPLICATION = "/aws/dedup"
KEYS_OF_AWS = (DEDUPLICATION, "/aws/resources", "/aws/automations")
RESERVED = ("amazon", "aws", "amzn", "ssm")
PAGE = 50
TITLE_COMPARED = 100
# Members of an item that a filter of DescribeOpsItems may name.
FILTERS = {
    "OpsItemId": "OpsItemId",
    "Status": "Status",
    "Title": "Title",
    "Source": "Source",
    "Severity": "Severity",
    "Category": "Category",
}


def create(data: dict[str, Any]) -> Item:
    """Systems Manager API, CreateOpsItem: an open item with the same deduplication string is not made twice."""
    for name in ("Title", "Source", "Description"):
        if not data.get(name):
            raise Refused("OpsItemInvalidParameterException", f"{name} is required")
    check_keys(data)
    for item in _items.values():
        if item["Status"] != "Resolved" and deduplication(item) and deduplication(item) == deduplication(data):
            raise Refused("OpsItemAlreadyExistsException", f"OpsItem {item['OpsItemId']} already exists")
    now = time.time()
    item = {
        "OpsItemId": f"oi-{uuid.uuid4().hex[:12]}",
        "Status": "Open",
        "CreatedTime": now,
        "LastModifiedTime": now,
        "OperationalData": {},
        "Version": "1",
        **{name: value for name, value in data.items() if name not in ("Tags", "AccountId")},
    }
    _items[item["OpsItemId"]] = item
    return item


def check_keys(data: dict[str, Any]) -> None:
    """Systems Manager API, CreateOpsItem: what the keys of operational data do not begin with, but for AWS's own."""
    for key in data.get("OperationalData") or {}:
        if key not in KEYS_OF_AWS and key.lstrip("/").startswith(RESERVED):
            raise Refused("OpsItemInvalidParameterException", f"{key} is reserved, and no key of operational data")


def deduplication(item: dict[str, Any]) -> str | None:
    value: str | None = (item.get("OperationalData") or {}).get(DEDUPLICATION, {}).get("Value")
    return value


@operation("CreateOpsItem")
def create_op(data: dict[str, Any]) -> dict[str, Any]:
    return {"OpsItemId": create(data)["OpsItemId"]}


@operation("GetOpsItem")
def get(data: dict[str, Any]) -> dict[str, Any]:
    return {"OpsItem": existing(data)}


@operation("UpdateOpsItem")
def update(data: dict[str, Any]) -> dict[str, Any]:
    item = existing(data)
    check_keys(data)
    given = {name: value for name, value in data.items() if name not in ("OpsItemId", "OperationalDataToDelete")}
    operational = {**item["OperationalData"], **given.pop("OperationalData", {})}
    for name in data.get("OperationalDataToDelete", []):
        operational.pop(name, None)
    version = str(int(item["Version"]) + 1)
    item.update(given, OperationalData=operational, LastModifiedTime=time.time(), Version=version)
    return {}


@operation("DescribeOpsItems")
def describe(data: dict[str, Any]) -> dict[str, Any]:
    """Systems Manager API, DescribeOpsItems: all filters must hold, each with one of its values; up to 50 a page."""
    found = [item for item in _items.values() if all(holds(wish, item) for wish in data.get("OpsItemFilters", []))]
    found.sort(key=lambda item: -item["CreatedTime"])
    first = int(data.get("NextToken") or 0)
    after = first + min(data.get("MaxResults") or PAGE, PAGE)
    rest = {"NextToken": str(after)} if after < len(found) else {}
    return {"OpsItemSummaries": found[first:after], **rest}


def holds(wish: dict[str, Any], item: Item) -> bool:
    """Systems Manager API, DescribeOpsItems: the operator Equal compares 100 characters of a title."""
    if wish["Key"] not in FILTERS:
        raise Refused("OpsItemInvalidParameterException", f"{wish['Key']} is not known here")
    value = str(item.get(FILTERS[wish["Key"]], ""))
    contains = wish["Operator"] == "Contains"
    if wish["Key"] == "Title" and not contains:
        if any(len(wanted) > TITLE_COMPARED for wanted in wish["Values"]):
            raise Refused("OpsItemInvalidParameterException", "The filter value exceeds the length limit")
        value = value[:TITLE_COMPARED]
    return any(wanted in value if contains else wanted == value for wanted in wish["Values"])


def existing(data: dict[str, Any]) -> Item:
    item: Item | None = _items.get(data["OpsItemId"])
    if item is None:
        raise Refused("OpsItemNotFoundException", f"OpsItem {data['OpsItemId']} not found")
    return item


@corrects("services.cloudwatch", "_dispatch_alarm_actions(alarm, old_state, new_state, reason)")
def create_items_for_alarms(
    original: Callable[..., None], alarm: dict[str, Any], old_state: str, new_state: str, reason: str
) -> None:
    """CloudWatch User Guide, Create_OpsItem_alarm: an action arn:aws:ssm:R:A:opsitem:SEVERITY[#CATEGORY=...] makes an
    OpsItem when the alarm goes off."""
    original(alarm, old_state, new_state, reason)
    if new_state != "ALARM" or not alarm.get("ActionsEnabled", True):
        return
    for action in alarm.get("AlarmActions") or []:
        if wanted := ACTION.fullmatch(action):
            region, account, severity, category = wanted.groups()
            with request_scope(account, region):
                create(item_of(alarm, reason, severity, category))


def item_of(alarm: dict[str, Any], reason: str, severity: str, category: str | None) -> dict[str, Any]:
    """AWS documents that there is one, not how it is worded."""
    item = {
        "Title": f"CloudWatch alarm - '{alarm['AlarmName']}' is in ALARM state",
        "Source": "CloudWatch",
        "Description": reason,
        "Severity": severity,
        "OperationalData": {"/aws/resources": {"Value": json.dumps([{"arn": alarm["AlarmArn"]}]), "Type": "String"}},
    }
    return item | ({"Category": category} if category else {})
