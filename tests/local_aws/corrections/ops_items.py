# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""OpsItems of Systems Manager, which MiniStack does not have, and the alarm action that makes them."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response, request_scope

from .fitting import corrects, uses

uses(
    "core.responses",
    "json_response(data, status, content_type)",
    "error_response_json(code, message, status, extra, message_key, content_type)",
)

Answer = tuple[int, dict[str, str], bytes]
Item = dict[str, Any]

_items: Any = AccountRegionScopedDict()  # by ID

ACTION = re.compile(r"arn:aws:ssm:([\w-]+):(\d{12}):opsitem:([1-4])(?:#CATEGORY=(\w+))?")
DEDUPLICATION = "/aws/dedup"
# Members of an item that a filter of DescribeOpsItems may name.
FILTERS = {
    "OpsItemId": "OpsItemId",
    "Status": "Status",
    "Title": "Title",
    "Source": "Source",
    "Severity": "Severity",
    "Category": "Category",
}


class Refused(Exception):
    """An answer of AWS: its error code and message."""


def create(data: dict[str, Any]) -> Item:
    """Systems Manager API, CreateOpsItem: an open item with the same deduplication string is not made twice."""
    for name in ("Title", "Source", "Description"):
        if not data.get(name):
            raise Refused("OpsItemInvalidParameterException", f"{name} is required")
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


def deduplication(item: dict[str, Any]) -> str | None:
    value: str | None = (item.get("OperationalData") or {}).get(DEDUPLICATION, {}).get("Value")
    return value


def create_op(data: dict[str, Any]) -> dict[str, Any]:
    return {"OpsItemId": create(data)["OpsItemId"]}


def get(data: dict[str, Any]) -> dict[str, Any]:
    return {"OpsItem": existing(data)}


def update(data: dict[str, Any]) -> dict[str, Any]:
    item = existing(data)
    given = {name: value for name, value in data.items() if name not in ("OpsItemId", "OperationalDataToDelete")}
    operational = {**item["OperationalData"], **given.pop("OperationalData", {})}
    for name in data.get("OperationalDataToDelete", []):
        operational.pop(name, None)
    version = str(int(item["Version"]) + 1)
    item.update(given, OperationalData=operational, LastModifiedTime=time.time(), Version=version)
    return {}


def describe(data: dict[str, Any]) -> dict[str, Any]:
    """Systems Manager API, DescribeOpsItems: all filters must hold, each with one of its values."""
    found = [item for item in _items.values() if all(holds(wish, item) for wish in data.get("OpsItemFilters", []))]
    return {"OpsItemSummaries": sorted(found, key=lambda item: -item["CreatedTime"])}


def holds(wish: dict[str, Any], item: Item) -> bool:
    if wish["Key"] not in FILTERS:
        raise Refused("OpsItemInvalidParameterException", f"{wish['Key']} is not known here")
    value = str(item.get(FILTERS[wish["Key"]], ""))
    contains = wish["Operator"] == "Contains"
    return any(wanted in value if contains else wanted == value for wanted in wish["Values"])


def existing(data: dict[str, Any]) -> Item:
    item: Item | None = _items.get(data["OpsItemId"])
    if item is None:
        raise Refused("OpsItemNotFoundException", f"OpsItem {data['OpsItemId']} not found")
    return item


OPERATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "CreateOpsItem": create_op,
    "GetOpsItem": get,
    "UpdateOpsItem": update,
    "DescribeOpsItems": describe,
}


@corrects("services.ssm", "handle_request(method, path, headers, body, query_params)")
async def answer_ops_items(
    original: Callable[..., Awaitable[Answer]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Answer:
    """Systems Manager API: the operations on OpsItems."""
    operation = OPERATIONS.get(headers.get("x-amz-target", "").rpartition(".")[2])
    if operation is None:
        return await original(method, path, headers, body, query_params)
    try:  # MiniStack has no type hints, hence the ignores
        return json_response(operation(json.loads(body)))  # type: ignore[no-any-return]
    except Refused as refused:
        code, message = refused.args
        return error_response_json(code, message, 400)  # type: ignore[no-any-return]


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
