# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A bucket full of versions, behind the three calls that a comparison makes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import End
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER

LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
"""What AWS's clock says; years away from this machine's, so that nobody can take one for the other."""
OLD = LONG_AGO - timedelta(days=1)

keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6)
"""Whatever S3 takes as a key: any Unicode but U+0000."""


def version(key: str, version_id: str = "v1", age: float = 86400, **fields: Any) -> Version:
    """An object's version, written that many seconds before AWS's present."""
    values = {"size": 3, "etag": "e1", "is_latest": True, **fields}
    return Version(key, version_id, LONG_AGO - timedelta(seconds=age), **values)


def marker(key: str, version_id: str = "m1", age: float = 86400, is_latest: bool = True) -> Version:
    """A delete marker."""
    return Version(key, version_id, LONG_AGO - timedelta(seconds=age), is_latest=is_latest)


def answered(code: str, operation: str = "HeadObject", **headers: str) -> ClientError:
    """An error as boto3 raises it, with the answer's headers."""
    metadata = {"HTTPHeaders": {name.replace("_", "-"): value for name, value in headers.items()}}
    return ClientError({"Error": {"Code": code, "Message": "said so"}, "ResponseMetadata": metadata}, operation)


class Store:
    """One bucket. What it lists and what it still holds when it is asked for one version can be told apart."""

    def __init__(self, rows: Iterable[Version] = (), bucket: str = "example-orders", page: int = 1000) -> None:
        self.rows = sorted(rows, key=lambda row: (row.key, not row.is_latest, -row.modified.timestamp()))
        self.held = {(row.key, row.version_id): row for row in self.rows}
        self.page = page
        self.date = LONG_AGO
        self.list_failures: dict[int, list[Exception]] = {}
        """What is raised for the page of that number, one after the other, before it is told."""
        self.answers: dict[str, Exception | dict[str, Any]] = {}
        """Per key, what HeadObject says: an error, or further fields."""
        self.tags: dict[str, Exception | dict[str, str]] = {}
        self.refuses_checksums = False
        self.lists: list[dict[str, Any]] = []
        self.heads: list[dict[str, Any]] = []
        self.tag_reads: list[dict[str, Any]] = []
        self.told = 0
        self.bucket = bucket

    @property
    def requests(self) -> int:
        """Calls for single versions."""
        return len(self.heads) + len(self.tag_reads)

    def side(self, region: str = "us-east-1") -> Side:
        """The bucket as an end."""
        return Side(End(self.bucket, region), OWNER, self)

    def list_object_versions(self, **params: Any) -> dict[str, Any]:
        """ListObjectVersions, as boto3 gives it."""
        self.lists.append(params)
        assert (params["Bucket"], params["ExpectedBucketOwner"]) == (self.bucket, OWNER)
        if self.list_failures.get(self.told):
            raise self.list_failures[self.told].pop(0)
        self.told += 1
        rows = [row for row in self.rows if row.key.startswith(params["Prefix"])]
        start = 0
        if "VersionIdMarker" in params:
            after = (params["KeyMarker"], params["VersionIdMarker"])
            start = 1 + [(row.key, row.version_id) for row in rows].index(after)
        elif "KeyMarker" in params:  # all versions of that key are passed over
            start = sum(row.key <= params["KeyMarker"] for row in rows)
        page = rows[start : start + self.page]
        truncated = start + self.page < len(rows)
        answer: dict[str, Any] = {
            "IsTruncated": truncated,
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(self.date, usegmt=True)}},
        }
        if truncated:
            answer |= {"NextKeyMarker": page[-1].key, "NextVersionIdMarker": page[-1].version_id}
        for name, wanted in (("Versions", False), ("DeleteMarkers", True)):
            found = [listed(row) for row in page if row.is_delete_marker is wanted]
            if found:
                answer[name] = found
        return answer

    def head_object(self, **params: Any) -> dict[str, Any]:
        """HeadObject: 404 for what is not there, 405 for a delete marker."""
        self.heads.append(params)
        assert (params["Bucket"], params["ExpectedBucketOwner"]) == (self.bucket, OWNER)
        said = self.answers.get(params["Key"], {})
        if isinstance(said, Exception):
            raise said
        row = self.held.get((params["Key"], params["VersionId"]))
        if row is None:
            raise answered("404")
        if row.is_delete_marker:
            raise answered("405", x_amz_delete_marker="true", last_modified=format_datetime(row.modified, usegmt=True))
        if self.refuses_checksums and "ChecksumMode" in params:
            raise answered("403")
        told = {"ContentLength": row.size, "ETag": f'"{row.etag}"', "LastModified": row.modified}
        return {**told, "ServerSideEncryption": "AES256", **said}

    def get_object_tagging(self, **params: Any) -> dict[str, Any]:
        """GetObjectTagging."""
        self.tag_reads.append(params)
        said = self.tags.get(params["Key"], {})
        if isinstance(said, Exception):
            raise said
        return {"TagSet": [{"Key": name, "Value": value} for name, value in said.items()]}


def listed(row: Version) -> dict[str, Any]:
    """A version as ListObjectVersions tells it."""
    told: dict[str, Any] = {
        "Key": row.key,
        "VersionId": row.version_id,
        "LastModified": row.modified,
        "IsLatest": row.is_latest,
    }
    if not row.is_delete_marker:
        told |= {"Size": row.size, "ETag": f'"{row.etag}"', "StorageClass": row.storage_class}
    return told
