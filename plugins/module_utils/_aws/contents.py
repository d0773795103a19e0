# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Everything that a bucket holds and that keeps it from being deleted: versions, delete markers, unfinished uploads.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .sdk_errors import ClientError, error_code

Client = Any

_NOT_IN_XML = re.compile(r"[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Of these XML 1.0 cannot hold most; one in a key makes S3 refuse all of a DeleteObjects request."""


class NotDeleted(Exception):
    """S3 kept some versions; the message names the first ones with S3's reason for each."""


def count_contents(client: Client, bucket: str, owner: str) -> dict[str, int]:
    """`versions`, `bytes`, `delete_markers` and `uploads` of a bucket, by listing it once."""
    counts = {"versions": 0, "bytes": 0, "delete_markers": 0, "uploads": 0}
    for page in _version_pages(client, bucket, owner):
        versions = page.get("Versions", [])
        counts["versions"] += len(versions)
        counts["bytes"] += sum(version["Size"] for version in versions)
        counts["delete_markers"] += len(page.get("DeleteMarkers", []))
    counts["uploads"] = sum(1 for _upload in _uploads(client, bucket, owner))
    return counts


def count_versions(
    client: Client, bucket: str, owner: str, prefixes: Sequence[str], most_pages: int
) -> tuple[int, int, bool]:
    """Versions and bytes under the prefixes, and whether that is all: of a large bucket the first pages are enough."""
    versions, size, pages = 0, 0, 0
    for prefix in prefixes:
        for page in _version_pages(client, bucket, owner, prefix):
            rows = page.get("Versions", [])
            versions, size, pages = versions + len(rows), size + sum(row["Size"] for row in rows), pages + 1
            if pages == most_pages:
                return versions, size, not page.get("IsTruncated", False) and prefix == prefixes[-1]
    return versions, size, True


def delete_contents(client: Client, bucket: str, owner: str) -> None:
    """Delete every version and delete marker for good, and abort every unfinished upload.

    A page of ListObjectVersions holds at most 1,000 rows, which is also the most that DeleteObjects takes. It answers
    200 even when it kept some of them, so the errors for each key are read.

    Raises:
        NotDeleted: for example versions under Object Lock, which is never bypassed.
    """
    for upload in _uploads(client, bucket, owner):
        client.abort_multipart_upload(
            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"], ExpectedBucketOwner=owner
        )
    kept: list[dict[str, str]] = []
    for page in _version_pages(client, bucket, owner):
        rows = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if rows:
            kept += _delete_page(client, bucket, owner, rows)
    if kept:
        raise NotDeleted(f"S3 kept {len(kept)} of its versions: {_first_errors(kept)}")


def _delete_page(client: Client, bucket: str, owner: str, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
    speakable = [one for one in objects if not _NOT_IN_XML.search(one["Key"])]
    errors = _delete_together(client, bucket, owner, speakable) if speakable else []
    for one in objects:
        if _NOT_IN_XML.search(one["Key"]):
            errors += _delete_alone(client, bucket, owner, one)
    return errors


def _delete_alone(client: Client, bucket: str, owner: str, one: dict[str, str]) -> list[dict[str, str]]:
    """The key stands in the address of the request, which can hold any character."""
    try:
        client.delete_object(Bucket=bucket, ExpectedBucketOwner=owner, **one)
    except ClientError as error:
        return [{**one, "Code": error_code(error), "Message": str(error)}]
    return []


def _delete_together(client: Client, bucket: str, owner: str, objects: list[dict[str, str]]) -> list[dict[str, str]]:
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}, ExpectedBucketOwner=owner)
    errors: list[dict[str, str]] = answer.get("Errors", [])
    return errors


def _first_errors(errors: list[dict[str, str]]) -> str:
    shown = [f"{e['Key']} ({e.get('VersionId', '')}): {e['Code']} {e.get('Message', '')}".strip() for e in errors[:3]]
    return "; ".join(shown)


def _version_pages(client: Client, bucket: str, owner: str, prefix: str = "") -> Iterator[dict[str, Any]]:
    paginator = client.get_paginator("list_object_versions")
    yield from paginator.paginate(Bucket=bucket, ExpectedBucketOwner=owner, Prefix=prefix)


def _uploads(client: Client, bucket: str, owner: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, ExpectedBucketOwner=owner):
        yield from page.get("Uploads", [])
