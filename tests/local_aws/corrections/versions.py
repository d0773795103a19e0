# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The versions of a bucket, those from before versioning included, and what AWS's services put into a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from .fitting import uses

uses(
    "services.s3",
    "_bucket_owner_account(name)",
    "bucket_region(name)",
    "_put_object(bucket_name, key, body, headers)",
    "_version_entry_from_record(obj, version_id, data)",
    "_preserve_null_version(bucket_name, key, versions, prior_obj)",
    "_object_record_from_version(v)",
    "_version_body(bucket, bucket_name, key, v)",
)

Record = dict[str, Any]


def name_of(arn: str) -> str:
    """The bucket of a bucket's ARN."""
    return arn.rpartition(":::")[2]


def every_version(bucket: str) -> Iterator[tuple[str, Record]]:
    """Key and version, delete markers included, by key and then the newest first."""
    objects = s3._buckets[bucket]["objects"]
    keys = {key for name, key in s3._object_versions if name == bucket} | set(objects)
    for key in sorted(keys):
        for version in reversed(versions_of(bucket, key)):
            yield key, version


def versions_of(bucket: str, key: str) -> list[Record]:
    """The versions of a key, the newest last. What was written before versioning is the version "null"."""
    versions = list(s3._object_versions.get((bucket, key), []))
    current = s3._buckets[bucket]["objects"].get(key)
    if current is not None and not versions:
        return [s3._version_entry_from_record(current, "null", current.get("body")) | {"is_latest": True}]
    return versions


def keep_null_version(bucket: str, key: str) -> None:
    """Have the version from before versioning in MiniStack's list, where replication looks for it."""
    current = s3._buckets[bucket]["objects"].get(key)
    if current is not None and s3._bucket_versioning.get(bucket) == "Enabled" and not current.get("version_id"):
        versions = s3._object_versions.setdefault((bucket, key), [])
        s3._preserve_null_version(bucket, key, versions, current)
        versions[-1]["is_latest"] = True
        current["version_id"] = "null"


def written_at(version: Record) -> datetime:
    return datetime.fromisoformat(version["last_modified"].replace("Z", "+00:00"))


def put(bucket: str, key: str, body: bytes, content_type: str = "binary/octet-stream") -> str | None:
    """Write an object as a service of AWS does. The answer is its ETag, or None where the bucket is not there."""
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return None
    with request_scope(owner, ""):
        region = s3.bucket_region(bucket) or ""
    with request_scope(owner, region):
        status, headers, _body = s3._put_object(bucket, key, body, {"content-type": content_type})
    return str(headers["ETag"]) if status == 200 else None


def get(bucket: str, key: str, version_id: str | None = None) -> tuple[bytes, str] | None:
    """Body and ETag of an object."""
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return None
    with request_scope(owner, ""):
        versions = [one for one in versions_of(bucket, key) if not one.get("is_delete_marker")]
        wanted = [one for one in versions if (one["version_id"] == version_id if version_id else one["is_latest"])]
        if not wanted:
            return None
        return s3._version_body(s3._buckets[bucket], bucket, key, wanted[0]), wanted[0]["etag"]
