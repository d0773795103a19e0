# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The completion report of an S3 Batch Operations job."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from typing import Any

from ministack.services import s3

from . import versions
from .batch_manifest import encoded
from .batch_tasks import Task
from .fitting import uses
from .role import Role
from .versions import name_of

uses("services.s3", "_bucket_owner_account(name)")

SCHEMA = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
Outcome = tuple[Task, str | None]  # the reason of a failure, or None


def write_report(wish: dict[str, Any], job_id: str, outcomes: list[Outcome], role: Role) -> bool:
    """S3 User Guide, batch-ops-examples-reports: a manifest.json that names CSV files without a header, one of what
    succeeded and one of what failed. The answer is whether the role may write and the bucket is there.

    Every example there has the HTTP status before the error code, against the order of the schema; so has this.
    """
    bucket = name_of(wish["Bucket"])
    folder = "/".join([*filter(None, [wish.get("Prefix", "").rstrip("/")]), f"job-{job_id}"])
    owner = s3._bucket_owner_account(bucket)
    results, written = [], wish.get("ExpectedBucketOwner", owner) == owner
    for status, failed in (("succeeded", False), ("failed", True)):
        lines = [_line(task, reason) for task, reason in outcomes if bool(reason) is failed]
        if not lines or (status == "succeeded" and wish.get("ReportScope") == "FailedTasksOnly"):
            continue
        text = _csv(lines)
        key = f"{folder}/results/{hashlib.sha1(text).hexdigest()}.csv"
        written = written and _put(role, bucket, key, text)
        checksum = hashlib.md5(text).hexdigest()
        results.append({"TaskExecutionStatus": status, "Bucket": bucket, "MD5Checksum": checksum, "Key": key})
    document = {
        "Format": wish["Format"],
        "ReportCreationDate": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "Results": results,
        "ReportSchema": SCHEMA,
    }
    return written and _put(role, bucket, f"{folder}/manifest.json", json.dumps(document).encode())


def _line(task: Task, reason: str | None) -> list[str]:
    place = [task.bucket, encoded(task.key), task.version_id or ""]
    if reason is None:
        return [*place, "succeeded", "200", "", "Successful"]
    code, _colon, message = reason.partition(": ")
    return [*place, "failed", "403" if code.endswith("NotPermitted") else "400", code, message or code]


def _csv(lines: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def _put(role: Role, bucket: str, key: str, body: bytes) -> bool:
    return role.may("s3:PutObject", bucket, key) and versions.put(bucket, key, body) is not None
