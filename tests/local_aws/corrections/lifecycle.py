# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Lifecycle expiration, which MiniStack stores and never carries out, and AWS only once a day.

POST /_local_aws/lifecycle   {"bucket": "name"}: expire now what the rules will expire one day
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from . import rules
from .fitting import uses

uses("services.s3", "_record_delete_marker(bucket_name, key, prior_obj)", "_bucket_owner_account(name)")

PATH = "/_local_aws/lifecycle"


def control(method: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer a request to the control path."""
    try:
        bucket = str(json.loads(body)["bucket"]) if method == "POST" else ""
    except (ValueError, TypeError, KeyError):
        bucket = ""
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return 400, {"error": 'expected a POST of {"bucket": name}'}
    with request_scope(owner, ""):
        return 200, {"expired": expire(bucket)}


def expire(bucket: str) -> list[str]:
    """S3 User Guide, lifecycle-and-other-bucket-config: in a versioned bucket, expiration of a current version adds a
    delete marker. It waits for objects whose replication is pending or failed, and its markers are not replicated."""
    objects = s3._buckets[bucket]["objects"]
    configured = s3._bucket_lifecycle.get(bucket) or []
    expiring = [rule for rule in configured if rules.is_enabled(rule) and {"Days", "Date"} & set(expiration(rule))]
    expired = [
        key
        for key, record in objects.items()
        if record.get("replication_status") not in ("PENDING", "FAILED")
        and any(rules.matches(rule, key, tags_of(bucket, key, record)) for rule in expiring)
    ]
    for key in expired:
        s3._record_delete_marker(bucket, key, objects[key])
        del objects[key]
    return expired


def expiration(rule: dict[str, Any]) -> dict[str, Any]:
    return rule.get("Expiration") or {}


def tags_of(bucket: str, key: str, record: dict[str, Any]) -> dict[str, str]:
    return s3._object_tags.get((bucket, key, record.get("version_id"))) or {}
