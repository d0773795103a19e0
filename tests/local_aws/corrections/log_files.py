# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The log files of trails, which MiniStack does not write. Digest files there are none."""

from __future__ import annotations

import gzip
import json
import logging
import secrets
import string
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import get_account_id, request_scope
from ministack.services import cloudtrail, s3

from . import background, operations, settings, trails
from .fitting import corrects, uses
from .operations import Call, Request

uses("services.cloudtrail", "_get_trail_status(body)", "_find_visible_trail(raw)")
uses("services.s3", "_put_object(bucket_name, key, body, headers)", "bucket_region(name)")

logger = logging.getLogger("local_aws")

Answer = tuple[int, dict[str, str], bytes]
Event = dict[str, Any]
Trail = dict[str, Any]

LOOK_SECONDS = 0.2

# S3 User Guide, cloudtrail-logging-s3-info: these are data events besides the operations on one object.
DATA_EVENTS_OF_BUCKETS = frozenset(
    {"CreateSession", "DeleteObjects", "HeadBucket", "ListMultipartUploads", "ListObjectVersions", "ListObjects"}
)
# And these names differ from those of the operations.
EVENT_NAMES = {"ListObjectsV2": "ListObjects"}
READING = ("Get", "Head", "List", "Describe", "Lookup", "Select")

# What waits to be delivered: for each trail (by ARN) and Region, since when, and the events.
_waiting: dict[tuple[str, str], tuple[float, list[Event]]] = {}
_delivered: dict[str, dict[str, Any]] = {}  # by ARN, for GetTrailStatus


@corrects("app", "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
async def log_call(
    original: Callable[..., Awaitable[Answer]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    request_id: str,
) -> Answer:
    """CloudTrail User Guide, how-cloudtrail-works: calls that a trail selects come into its log files."""
    answer = await original(method, path, headers, body, query_params, request_id)
    if cloudtrail._trails._data:
        try:
            log(Request(method, unquote(path), headers, query_params, body), request_id, answer)
        except Exception:
            logger.exception("logging of %s %s", method, path)
    return answer


def log(request: Request, request_id: str, answer: Answer) -> None:
    call = operations.call_of(request)
    if call is None or not call.operation:
        return
    event = event_of(call, request, request_id, answer)
    account = get_account_id()
    for (owner, home, name), trail in cloudtrail._trails.all_items():
        covers = trail.get("IsMultiRegionTrail") or home == call.region
        if owner == account and covers and trail.get("IsLogging"):
            selectors = cloudtrail._event_selectors.get_scoped(account, home, name) or []
            if is_selected(event, selectors):
                address = trail["TrailARN"], call.region
                _waiting.setdefault(address, (time.time(), []))[1].append(event)


def event_of(call: Call, request: Request, request_id: str, answer: Answer) -> Event:
    """CloudTrail User Guide, cloudtrail-event-reference-record-contents."""
    account = get_account_id()
    name = EVENT_NAMES.get(call.operation, call.operation)
    bucket, _slash, key = request.path.lstrip("/").partition("/") if call.service == "s3" else ("", "", "")
    is_data = call.service == "s3" and bool(key or name in DATA_EVENTS_OF_BUCKETS)
    event: Event = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "Root", "principalId": account, "arn": f"arn:aws:iam::{account}:root"},
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "eventSource": f"{'s3' if call.service == 's3control' else call.service}.amazonaws.com",
        "eventName": name,
        "awsRegion": call.region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": f"[{request.headers.get('user-agent', '')}]",
        "requestParameters": {"bucketName": bucket} | ({"key": key} if key else {}) if bucket else None,
        "responseElements": None,
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": name.startswith(READING),
        "eventType": "AwsApiCall",
        "managementEvent": not is_data,
        "recipientAccountId": account,
        "eventCategory": "Data" if is_data else "Management",
    }
    if is_data:
        which = {"ARN": f"arn:aws:s3:::{bucket}/{key}"} if key else {"ARNPrefix": f"arn:aws:s3:::{bucket}/"}
        holder = {"accountId": account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}
        event["resources"] = [{"type": "AWS::S3::Object", **which}, holder]
    if answer[0] >= 400:
        event["errorCode"] = {403: "AccessDenied", 404: "NoSuchKey"}.get(answer[0], str(answer[0]))
    return event


# Selectors


def is_selected(event: Event, selectors: list[dict[str, Any]]) -> bool:
    """CloudTrail User Guide, logging-data-events-with-cloudtrail: any selector, and of an advanced one all fields.
    A trail without selectors has the management events."""
    if not selectors:
        return bool(event["managementEvent"])
    return any(
        all(holds(field, event) for field in selector["FieldSelectors"])
        if "FieldSelectors" in selector
        else is_basic(selector, event)
        for selector in selectors
    )


def holds(field: dict[str, Any], event: Event) -> bool:
    value = field_of(event, field["Field"])
    compare = {"Equals": str.__eq__, "StartsWith": str.startswith, "EndsWith": str.endswith}
    wanted = [compare[name](value, word) for name in compare for word in field.get(name) or []]
    unwanted = [compare[name](value, word) for name in compare for word in field.get(f"Not{name}") or []]
    return (not wanted or any(wanted)) and not any(unwanted)


def field_of(event: Event, name: str) -> str:
    main = (event.get("resources") or [{}])[0]
    values = {
        "readOnly": str(event["readOnly"]).lower(),
        "resources.type": main.get("type", ""),
        "resources.ARN": main.get("ARN") or main.get("ARNPrefix", ""),
        "userIdentity.arn": event["userIdentity"]["arn"],
    }
    return str(values.get(name, event.get(name, "")))


def is_basic(selector: dict[str, Any], event: Event) -> bool:
    kind = {"ReadOnly": True, "WriteOnly": False}.get(selector.get("ReadWriteType", "All"), event["readOnly"])
    if kind != event["readOnly"]:
        return False
    if event["managementEvent"]:
        excluded = selector.get("ExcludeManagementEventSources") or []
        return selector.get("IncludeManagementEvents", True) and event["eventSource"] not in excluded
    arn = field_of(event, "resources.ARN")
    return any(
        resource["Type"] == "AWS::S3::Object" and arn.startswith(value)
        for resource in selector.get("DataResources") or []
        for value in resource.get("Values") or []
    )


# Delivery


@background.every(LOOK_SECONDS)
def deliver() -> None:
    """CloudTrail User Guide, get-and-view-cloudtrail-log-files: a file some minutes after the calls; what was logged
    before StopLogging comes after it, too."""
    now = time.time()
    for (arn, region), (since, events) in list(_waiting.items()):
        if now - since >= settings.number("trail_seconds"):
            del _waiting[arn, region]
            home, account = arn.split(":")[3:5]
            with request_scope(account, home):
                trail = cloudtrail._trails.get(arn.rpartition("/")[2])
                if trail:
                    write(trail, region, events)


def write(trail: Trail, region: str, events: list[Event]) -> None:
    """The bucket and the key must still be there, and their policies allow it."""
    bucket = trail["S3BucketName"]
    status = _delivered.setdefault(trail["TrailARN"], {})
    problem = trails.bucket_problem(trail["TrailARN"], bucket, trail["S3KeyPrefix"])
    problem = problem or trails.key_problem(trail["TrailARN"], bucket, trail.get("KmsKeyId"))
    if problem:
        missing = b"S3BucketDoesNotExistException" in problem[2]
        status["LatestDeliveryError"] = "NoSuchBucket" if missing else "AccessDenied"
        return
    key, body = key_of(trail, region), gzip.compress(json.dumps({"Records": events}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    if trail.get("KmsKeyId"):
        headers |= {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": trail["KmsKeyId"],
        }
    owner = s3._bucket_owner_account(bucket)
    with request_scope(owner, ""):
        place = s3.bucket_region(bucket) or ""
    with request_scope(owner, place):
        s3._put_object(bucket, key, body, headers)
    status.pop("LatestDeliveryError", None)
    status["LatestDeliveryTime"] = time.time()


def key_of(trail: Trail, region: str) -> str:
    """CloudTrail User Guide, cloudtrail-find-log-files and cloudtrail-log-file-examples: the layout of the names."""
    account, now = get_account_id(), time.gmtime()
    prefix = f"{trail['S3KeyPrefix'].rstrip('/')}/" if trail["S3KeyPrefix"] else ""
    unique = "".join(secrets.choice(string.ascii_letters + string.digits) for _number in range(16))
    day, minute = time.strftime("%Y/%m/%d", now), time.strftime("%Y%m%dT%H%MZ", now)
    name = f"{account}_CloudTrail_{region}_{minute}_{unique}.json.gz"
    return f"{prefix}AWSLogs/{account}/CloudTrail/{region}/{day}/{name}"


@corrects("services.cloudtrail", "_get_trail_status(body)")
def tell_of_deliveries(original: Callable[..., Answer], body: dict[str, Any]) -> Answer:
    """CloudTrail API, GetTrailStatus: LatestDeliveryTime, and LatestDeliveryError after a failure."""
    status, headers, text = original(body)
    if status == 200:
        trail = cloudtrail._find_visible_trail(body["Name"].strip())[2]
        text = json.dumps(json.loads(text) | _delivered.get(trail["TrailARN"], {})).encode()
    return status, headers, text
