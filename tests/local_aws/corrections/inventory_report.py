# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The files of an S3 Inventory: the list in CSV or Parquet, manifest.json, and manifest.checksum as the last one."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ministack.services import s3

from . import versions
from .batch_manifest import encoded, encryption_of
from .fitting import uses
from .role import service_may
from .versions import Record, name_of

uses("services.s3", "_bucket_owner_account(name)", "_canonical_owner_id(account_id)")

SERVICE = "s3.amazonaws.com"
Configuration = dict[str, Any]
Address = tuple[str, str, str]  # bucket, key, version ID


class NotDelivered(Exception):
    """Why there are no reports."""


@dataclass(frozen=True)
class Column:
    """A column of the list. A delete marker has no value where only an object has one."""

    field: str
    type: str  # in DuckDB's words
    value: Callable[[Address, Record], Any]
    of_markers: bool = False
    is_required: bool = False

    @property
    def name(self) -> str:
        """The name in Parquet."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.field).lower()

    @property
    def declaration(self) -> str:
        """As the manifest of an inventory in Parquet describes it."""
        kinds = {"VARCHAR": ("binary", " (UTF8)"), "BOOLEAN": ("boolean", ""), "BIGINT": ("int64", "")}
        kind, meaning = kinds.get(self.type, ("int64", " (TIMESTAMP_MILLIS)"))
        return f"{'required' if self.is_required else 'optional'} {kind} {self.name}{meaning};"

    def of(self, address: Address, version: Record) -> Any:
        return self.value(address, version) if self.of_markers or not version.get("is_delete_marker") else None


ALWAYS = [
    Column("Bucket", "VARCHAR", lambda address, version: address[0], of_markers=True, is_required=True),
    Column("Key", "VARCHAR", lambda address, version: address[1], of_markers=True, is_required=True),
]
OF_VERSIONS = [
    Column("VersionId", "VARCHAR", lambda address, version: address[2], of_markers=True),
    Column("IsLatest", "BOOLEAN", lambda address, version: bool(version["is_latest"]), of_markers=True),
    Column(
        "IsDeleteMarker", "BOOLEAN", lambda address, version: bool(version.get("is_delete_marker")), of_markers=True
    ),
]
# S3 User Guide, storage-inventory: in this order, whatever the order of the configuration.
OPTIONAL = [
    Column("Size", "BIGINT", lambda address, version: version["size"]),
    Column("LastModifiedDate", "TIMESTAMP_MS", lambda address, version: versions.written_at(version), of_markers=True),
    Column("ETag", "VARCHAR", lambda address, version: version["etag"].strip('"')),
    Column("StorageClass", "VARCHAR", lambda address, version: version.get("storage_class") or "STANDARD"),
    Column("IsMultipartUploaded", "BOOLEAN", lambda address, version: "-" in version["etag"]),
    Column("ReplicationStatus", "VARCHAR", lambda address, version: version.get("replication_status")),
    Column("EncryptionStatus", "VARCHAR", lambda address, version: _encryption(version)),
    Column("ObjectLockRetainUntilDate", "TIMESTAMP_MS", lambda address, version: _retained_until(address)),
    Column("ObjectLockMode", "VARCHAR", lambda address, version: _retention(address).get("Mode")),
    Column("ObjectLockLegalHoldStatus", "VARCHAR", lambda address, version: s3._object_legal_hold.get(address)),
    Column("IntelligentTieringAccessTier", "VARCHAR", lambda address, version: None),
    Column("BucketKeyStatus", "VARCHAR", lambda address, version: "DISABLED"),
    Column("ChecksumAlgorithm", "VARCHAR", lambda address, version: "|".join(version.get("checksums") or {}) or None),
    Column("ObjectAccessControlList", "VARCHAR", lambda address, version: None),
    Column("ObjectOwner", "VARCHAR", lambda address, version: s3._canonical_owner_id()),
    Column("LifecycleExpirationDate", "TIMESTAMP_MS", lambda address, version: None),
    Column("IntelligentTieringReferenceDate", "TIMESTAMP_MS", lambda address, version: None),
    Column("ObjectLockEventHoldStatus", "VARCHAR", lambda address, version: None),
    Column("ObjectLockEventHoldDuration", "VARCHAR", lambda address, version: None),
]


def _encryption(version: Record) -> str:
    names = {"SSEKMS": "SSE-KMS", "DSSEKMS": "DSSE-KMS", "SSEC": "SSE-C"}
    return names.get(encryption_of(version), "SSE-S3")


def _retention(address: Address) -> dict[str, str]:
    return dict(s3._object_retention.get(address) or {})


def _retained_until(address: Address) -> datetime | None:
    until = _retention(address).get("RetainUntilDate")
    return datetime.fromisoformat(until.replace("Z", "+00:00")) if until else None


def deliver(bucket: str, account: str, configuration: Configuration) -> str:
    """S3 User Guide, storage-inventory-location. The answer is the key of manifest.json."""
    to = configuration["Destination"]["S3BucketDestination"]
    target, now = name_of(to["Bucket"]), time.gmtime()
    folder = "/".join([*filter(None, [to.get("Prefix", "").rstrip("/")]), bucket, configuration["Id"]])
    columns = columns_of(configuration)
    rows = [[column.of(address, version) for column in columns] for address, version in listed(bucket, configuration)]
    is_csv = to["Format"] == "CSV"
    if to["Format"] == "ORC":
        raise NotDelivered("ORC is not supported here")
    data = as_csv(rows) if is_csv else as_parquet(columns, rows)
    data_key = f"{folder}/data/{uuid.uuid4()}.{'csv.gz' if is_csv else 'parquet'}"
    schema = ", ".join(column.field for column in columns)
    declared = f"message s3.inventory {{ {' '.join(column.declaration for column in columns)} }}"
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{target}",
        "version": "2016-11-30",
        "creationTimestamp": str(int(time.time() * 1000)),
        "fileFormat": to["Format"],
        "fileSchema": schema if is_csv else declared,
        "files": [{"key": data_key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}],
    }
    text = json.dumps(manifest, indent=2).encode()
    snapshot = f"{folder}/{time.strftime('%Y-%m-%dT%H-%MZ', now)}"
    files = {
        data_key: data,
        f"{folder}/hive/dt={time.strftime('%Y-%m-%d-%H-%M', now)}/symlink.txt": f"s3://{target}/{data_key}\n".encode(),
        f"{snapshot}/manifest.json": text,
        f"{snapshot}/manifest.checksum": hashlib.md5(text).hexdigest().encode(),
    }
    for key, body in files.items():
        put(bucket, account, target, key, body)
    return f"{snapshot}/manifest.json"


def put(source: str, account: str, bucket: str, key: str, body: bytes) -> None:
    """S3 User Guide, configure-inventory: only where the bucket's policy lets S3 write for this source bucket."""
    owner = s3._bucket_owner_account(bucket)
    policy = s3._bucket_policies.get_scoped(owner, None, bucket) if owner else None
    keys = {
        "aws:SourceArn": f"arn:aws:s3:::{source}",
        "aws:SourceAccount": account,
        "s3:x-amz-acl": "bucket-owner-full-control",
    }
    if not service_may(SERVICE, "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}", policy, keys):
        raise NotDelivered(f"the policy of {bucket} does not let {SERVICE} put {key}")
    versions.put(bucket, key, body)


def columns_of(configuration: Configuration) -> list[Column]:
    wanted = configuration.get("OptionalFields", [])
    of_versions = OF_VERSIONS if configuration["IncludedObjectVersions"] == "All" else []
    return [*ALWAYS, *of_versions, *(column for column in OPTIONAL if column.field in wanted)]


def listed(bucket: str, configuration: Configuration) -> list[tuple[Address, Record]]:
    """All versions and delete markers, or the current objects."""
    prefix = configuration.get("Filter", {}).get("Prefix", "")
    wants_all = configuration["IncludedObjectVersions"] == "All"
    return [
        ((bucket, key, version["version_id"]), version)
        for key, version in versions.every_version(bucket)
        if key.startswith(prefix) and (wants_all or (version["is_latest"] and not version.get("is_delete_marker")))
    ]


def as_csv(rows: list[list[Any]]) -> bytes:
    """Without a header; the key, which is the second column, URL-encoded."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([_as_text(row[0]), encoded(row[1]), *map(_as_text, row[2:])] for row in rows)
    return gzip.compress(text.getvalue().encode())


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def as_parquet(columns: list[Column], rows: list[list[Any]]) -> bytes:
    """Written by DuckDB, which needs an import of its own: only Parquet costs it."""
    import duckdb

    types = ", ".join(f"{column.name} {column.type}{' NOT NULL' if column.is_required else ''}" for column in columns)
    names = [column.name for column in columns]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        source, target = Path(folder, "rows.json"), Path(folder, "rows.parquet")
        lines = (json.dumps(dict(zip(names, map(_as_json, row), strict=True))) for row in rows)
        source.write_text("".join(f"{line}\n" for line in lines))
        connection.execute(f"CREATE TABLE inventory ({types})")
        kinds = "{" + ", ".join(f"{column.name}: '{column.type}'" for column in columns) + "}"
        connection.execute(
            f"INSERT INTO inventory SELECT * FROM read_json('{source}', format='newline_delimited', columns={kinds})"
        )
        connection.execute(f"COPY inventory TO '{target}' (FORMAT parquet)")
        return target.read_bytes()


def _as_json(value: Any) -> Any:
    return value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value
