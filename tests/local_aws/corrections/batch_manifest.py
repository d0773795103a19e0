# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What an S3 Batch Operations job is about: a manifest that is given, or one generated from a bucket."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import time
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from ministack.core.responses import request_scope
from ministack.services import s3

from . import versions
from .batch_tasks import Task, eligible_rules, status_of
from .role import Role
from .versions import Record, name_of

CSV_MANIFEST = "S3BatchOperations_CSV_20180820"
NOTHING_FOUND = "Manifest generation found no keys matching the filter criteria."


class NoManifest(Exception):
    """Why the job cannot start; it fails with this."""


def encoded(key: str) -> str:
    """A key as AWS writes it into CSV."""
    return quote_plus(key, safe="/")


# A manifest that is given


def read_manifest(manifest: dict[str, Any], role: Role) -> list[Task]:
    """S3 User Guide, batch-ops-create-job: CSV with or without version IDs, keys URL-encoded, or an inventory."""
    location = manifest["Location"]
    bucket, separator, key = name_of(location["ObjectArn"]).partition("/")
    version_id = location.get("ObjectVersionId")
    body, etag = _read(role, bucket, key, version_id)
    if not separator or etag.strip('"') != location["ETag"].strip('"'):
        raise NoManifest("The manifest's ETag does not match the one in the request.")
    if manifest["Spec"]["Format"] == CSV_MANIFEST:
        return _tasks(body.decode(), manifest["Spec"]["Fields"])
    return _inventory(json.loads(body), role)


def _inventory(document: dict[str, Any], role: Role) -> list[Task]:
    bucket = name_of(document["destinationBucket"])
    fields = [field.strip() for field in document["fileSchema"].split(",")]
    files = [gzip.decompress(_read(role, bucket, file["key"], None)[0]) for file in document["files"]]
    return [task for file in files for task in _tasks(file.decode(), fields)]


def _read(role: Role, bucket: str, key: str, version_id: str | None) -> tuple[bytes, str]:
    if not role.may("s3:GetObjectVersion" if version_id else "s3:GetObject", bucket, key):
        raise NoManifest("Reading the manifest is forbidden: AccessDenied")
    found = versions.get(bucket, key, version_id)
    if found is None:
        raise NoManifest("The manifest does not exist.")
    return found


def _tasks(text: str, fields: list[str]) -> list[Task]:
    tasks = []
    for line in csv.reader(io.StringIO(text)):
        if len(line) != len(fields):
            raise NoManifest(f"A line of the manifest has {len(line)} columns, not {len(fields)}.")
        row = dict(zip(fields, line, strict=True))
        tasks.append(Task(row["Bucket"], unquote_plus(row["Key"]), row.get("VersionId")))
    return tasks


# A manifest that is generated


def generate_manifest(generator: dict[str, Any], region: str, role: Role) -> list[Task]:
    """S3 API, S3JobManifestGenerator: the versions of a bucket of this Region that pass the filter."""
    bucket = name_of(generator["SourceBucket"])
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        raise NoManifest("The source bucket does not exist.")
    if generator.get("ExpectedBucketOwner", owner) != owner:
        raise NoManifest("The source bucket has another owner than expected.")
    for action in ("s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"):
        if not role.may(action, bucket):
            raise NoManifest(f"The job's role may not {action} on the source bucket.")
    with request_scope(owner, region):
        if s3.bucket_region(bucket) != region:
            raise NoManifest("The source bucket is in another Region than the job.")
        wish = generator.get("Filter", {})
        found = [
            Task(bucket, key, version["version_id"])
            for key, version in versions.every_version(bucket)
            if passes(wish, bucket, key, version)
        ]
    if not found:
        raise NoManifest(NOTHING_FOUND)
    return found


def passes(wish: dict[str, Any], bucket: str, key: str, version: Record) -> bool:
    """S3 API, JobManifestGeneratorFilter: every part of the filter must be met."""
    return (
        _is_created_within(wish, version)
        and _has_name(wish.get("KeyNameConstraint", {}), key)
        and _has_content(wish, version)
        and ("ObjectReplicationStatuses" not in wish or status_of(bucket, key, version) in _statuses(wish))
        and (not wish.get("EligibleForReplication") or bool(eligible_rules(bucket, key, version)))
    )


def _statuses(wish: dict[str, Any]) -> list[str]:
    return list(wish["ObjectReplicationStatuses"])


def _is_created_within(wish: dict[str, Any], version: Record) -> bool:
    created = versions.written_at(version)
    return wish.get("CreatedAfter", created) <= created <= wish.get("CreatedBefore", created)


def _has_name(constraint: dict[str, list[str]], key: str) -> bool:
    """Any of the strings of each kind that is given."""
    meets = {"MatchAnyPrefix": key.startswith, "MatchAnySuffix": key.endswith, "MatchAnySubstring": key.__contains__}
    return all(any(map(meets[kind], strings)) for kind, strings in constraint.items())


def _has_content(wish: dict[str, Any], version: Record) -> bool:
    """A delete marker has neither size nor class nor encryption."""
    size, storage_class, encryption = (
        version.get("size") or 0,
        version.get("storage_class") or "STANDARD",
        encryption_of(version),
    )
    met = {
        "ObjectSizeGreaterThanBytes": lambda limit: size > limit,
        "ObjectSizeLessThanBytes": lambda limit: size < limit,
        "MatchAnyStorageClass": lambda classes: storage_class in classes,
        "MatchAnyObjectEncryption": lambda kinds: any(encryption in kind for kind in kinds),
    }
    asked = [name for name in met if name in wish]
    return not (asked and version.get("is_delete_marker")) and all(met[name](wish[name]) for name in asked)


def encryption_of(version: Record) -> str:
    """The name that the filter gives to the version's encryption; without any, S3 uses its own keys."""
    headers = version.get("preserved_headers", {})
    if headers.get("x-amz-server-side-encryption-customer-algorithm"):
        return "SSEC"
    return {"aws:kms": "SSEKMS", "aws:kms:dsse": "DSSEKMS"}.get(
        headers.get("x-amz-server-side-encryption", ""), "SSES3"
    )


def write_manifest(location: dict[str, Any], job_id: str, tasks: list[Task], role: Role) -> dict[str, str]:
    """S3 API, S3ManifestOutputLocation: the generated manifest is an inventory in CSV."""
    bucket = name_of(location["Bucket"])
    folder = "/".join([*filter(None, [location.get("ManifestPrefix", "").rstrip("/")]), f"job-{job_id}"])
    rows = io.StringIO()
    csv.writer(rows, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        (task.bucket, encoded(task.key), task.version_id) for task in tasks
    )
    packed = gzip.compress(rows.getvalue().encode())
    data_key, manifest_key = f"{folder}/data/{job_id}.csv.gz", f"{folder}/manifest.json"
    document = {
        "sourceBucket": tasks[0].bucket,
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": "2021-11-30",
        "creationTimestamp": str(int(time.time() * 1000)),
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, VersionId",
        "files": [{"key": data_key, "size": len(packed), "MD5checksum": hashlib.md5(packed).hexdigest()}],
    }
    owner = s3._bucket_owner_account(bucket)
    if location.get("ExpectedManifestBucketOwner", owner) != owner:
        raise NoManifest("The manifest's bucket has another owner than expected.")
    if not (role.may("s3:PutObject", bucket, data_key) and role.may("s3:PutObject", bucket, manifest_key)):
        raise NoManifest("The generated manifest could not be written: AccessDenied")
    versions.put(bucket, data_key, packed, "application/gzip")
    etag = versions.put(bucket, manifest_key, json.dumps(document).encode(), "application/json")
    if etag is None:
        raise NoManifest("The generated manifest could not be written: NoSuchBucket")
    return {"ObjectArn": f"arn:aws:s3:::{bucket}/{manifest_key}", "ETag": etag.strip('"')}
