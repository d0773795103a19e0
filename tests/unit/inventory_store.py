# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A bucket whose S3 Inventory reports lie in another one, behind the calls that choose and read them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote_plus

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import End
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.objects import ObjectBucket
from ansible_collections.crossregion.s3_dr.tests.unit.version_store import LONG_AGO, Store

SCHEMA = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, ReplicationStatus"
)
SCANNED = LONG_AGO + timedelta(hours=1)
"""When the reports were begun, so that what was written until LONG_AGO is judged."""


def configuration(bucket: str, **changes: Any) -> dict[str, Any]:
    """One that tells enough, unless changed; `to` changes its destination."""
    to = {"Bucket": f"arn:aws:s3:::{bucket}", "Format": "CSV", "Prefix": "lists", **changes.pop("to", {})}
    return {
        "Id": "all",
        "IsEnabled": True,
        "IncludedObjectVersions": "All",
        "Schedule": {"Frequency": "Daily"},
        "OptionalFields": ["Size", "LastModifiedDate", "ETag", "StorageClass"],
        "Destination": {"S3BucketDestination": to},
        **changes,
    }


class Reported:
    """A store, its inventory configurations, and the bucket with its reports."""

    def __init__(self, store: Store, region: str = "us-east-1") -> None:
        self.store = store
        self.end = End(store.bucket, region)
        self.reports = ObjectBucket(f"{store.bucket}-reports", OWNER)
        self.configurations = [configuration(self.reports.bucket)]

    def side(self) -> Side:
        """The bucket as an end."""
        return Side(self.end, OWNER, self)

    def __getattr__(self, name: str) -> Any:
        """What has to do with versions is the store's."""
        return getattr(self.store, name)

    def list_bucket_inventory_configurations(self, **params: Any) -> dict[str, Any]:
        """One a page."""
        assert (params["Bucket"], params["ExpectedBucketOwner"]) == (self.store.bucket, OWNER)
        at = int(params.get("ContinuationToken", 0))
        more = at + 1 < len(self.configurations)
        following = {"NextContinuationToken": str(at + 1)} if more else {}
        return {"InventoryConfigurationList": self.configurations[at : at + 1], "IsTruncated": more, **following}

    def get_object(self, **params: Any) -> dict[str, Any]:
        """A file of a report."""
        return self.reports.get_object(**params)

    def get_paginator(self, operation: str) -> Reported:
        """Only of ListObjectsV2."""
        self.reports.get_paginator(operation)
        return self

    def paginate(self, **params: Any) -> Iterable[dict[str, Any]]:
        """What is below a prefix, with S3's date."""
        date = {"HTTPHeaders": {"date": format_datetime(SCANNED + timedelta(hours=5), usegmt=True)}}
        for page in self.reports.paginate(**params):
            yield {**page, "ResponseMetadata": date}

    def deliver(
        self,
        rows: Sequence[Version] | None = None,
        scanned: datetime = SCANNED,
        rows_of_a_file: int = 1000,
        **manifest: Any,
    ) -> str:
        """Deliver a report, of what the bucket lists unless said otherwise. The answer is its folder."""
        rows = self.store.rows if rows is None else rows
        there = f"lists/{self.store.bucket}/all/"
        folder = f"{there}{scanned + timedelta(minutes=1):%Y-%m-%dT%H-%MZ}/"
        files = [
            self._file(f"{there}data/{scanned:%H%M}-{first}.csv.gz", rows[first : first + rows_of_a_file])
            for first in range(0, len(rows), rows_of_a_file)
        ]
        created = scanned - timedelta(milliseconds=1)
        said: Mapping[str, Any] = {
            "sourceBucket": self.store.bucket,
            "fileFormat": "CSV",
            "fileSchema": SCHEMA,
            "creationTimestamp": str(round(created.timestamp() * 1000)),
            "files": files,
            **manifest,
        }
        text = json.dumps(said).encode()
        self.reports.objects[f"{folder}manifest.json"] = text
        self.reports.objects[f"{folder}manifest.checksum"] = hashlib.md5(text).hexdigest().encode() + b"\n"
        return folder

    def _file(self, key: str, rows: Sequence[Version]) -> dict[str, Any]:
        content = gzip.compress(as_csv(self.store.bucket, rows))
        self.reports.objects[key] = content
        return {"key": key, "size": len(content), "MD5checksum": hashlib.md5(content).hexdigest()}


def as_csv(bucket: str, rows: Sequence[Version]) -> bytes:
    """As S3 writes it: no header, everything quoted, the key URL-encoded."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        writer.writerow(
            [
                bucket,
                quote_plus(row.key, safe="/"),
                "" if row.version_id == "null" else row.version_id,
                str(row.is_latest).lower(),
                str(row.is_delete_marker).lower(),
                "" if row.size is None else row.size,
                f"{row.modified:%Y-%m-%dT%H:%M:%S.000Z}",
                row.etag,
                "" if row.is_delete_marker else row.storage_class,
                "COMPLETED",
            ]
        )
    return text.getvalue().encode()
