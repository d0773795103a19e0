# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Many versions at once, with their replicas: written one by one they take minutes, on AWS as well as here.

POST /_local_aws/filling   {"bucket": "name", "destination": "name" or null, "key": "key", "versions": 10000}

It is as if somebody had written the key so many times and S3 had replicated every version, within one second. With
``{}`` in the key each version has a key of its own, numbered from 0 with leading zeros. With 0 versions all that the
key has are gone, since deleting them one by one takes as long.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from .fitting import uses

uses(
    "services.s3",
    "_bucket_owner_account(name)",
    "_build_object_record(body, headers, etag, checksums)",
    "_version_entry_from_record(obj, version_id, data)",
)

PATH = "/_local_aws/filling"
BODY = b"data"
Record = dict[str, Any]


def control(method: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer a request to the control path."""
    try:
        wish = json.loads(body) if method == "POST" else {}
        ends = {"COMPLETED": str(wish["bucket"])}
        if wish["destination"]:
            ends["REPLICA"] = str(wish["destination"])
        key, number = str(wish["key"]), int(wish["versions"])
    except (ValueError, TypeError, KeyError):
        text = '{"bucket": name, "destination": name or null, "key": key, "versions": number}'
        return 400, {"error": f"expected a POST of {text}"}
    if any(s3._bucket_owner_account(bucket) is None for bucket in ends.values()) or number < 0:
        return 400, {"error": "a bucket is missing, or the number is negative"}
    written = [(key.replace("{}", f"{index:09}"), str(uuid.uuid4())) for index in range(number)]
    for status, bucket in ends.items():
        with request_scope(s3._bucket_owner_account(bucket), ""):
            if number:
                fill(bucket, written, status if "REPLICA" in ends else None)
            else:
                s3._object_versions.pop((bucket, key), None)
                s3._buckets[bucket]["objects"].pop(key, None)
    return 200, {"versions": number}


def fill(bucket: str, written: list[tuple[str, str]], status: str | None) -> None:
    record = s3._build_object_record(BODY, {}) | {"replication_status": status}
    objects = s3._buckets[bucket]["objects"]
    for key, version_id in written:
        versions = s3._object_versions.setdefault((bucket, key), [])
        if versions:
            versions[-1]["is_latest"] = False
        versions.append(s3._version_entry_from_record(record, version_id, BODY) | {"is_latest": True})
        objects[key] = record | {"version_id": version_id}
