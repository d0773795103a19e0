# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a bucket holds, counted: versions, delete markers, unfinished uploads.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .row import Client


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


def _version_pages(client: Client, bucket: str, owner: str, prefix: str = "") -> Iterator[dict[str, Any]]:
    paginator = client.get_paginator("list_object_versions")
    yield from paginator.paginate(Bucket=bucket, ExpectedBucketOwner=owner, Prefix=prefix)


def _uploads(client: Client, bucket: str, owner: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, ExpectedBucketOwner=owner):
        yield from page.get("Uploads", [])
