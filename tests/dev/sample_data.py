# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Objects like a user's: put them into one bucket, wait for them in another, compare every version's bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import boto3

ORDERS = 25
KEYS_THAT_ARE_HARD = ("2026/order with spaces.txt", "2026/Bestellung-Größe-Ø+1.txt", "2026/empty", "a/b//c")


@dataclass(frozen=True)
class Bucket:
    """A bucket, and the Region to ask for it."""

    name: str
    region: str

    def client(self) -> Any:
        return boto3.client("s3", region_name=self.region)


def put_sample_data(bucket: Bucket) -> int:
    """Put objects, overwrite one and delete one; return how many versions and delete markers that makes."""
    s3 = bucket.client()
    for number in range(ORDERS):
        s3.put_object(Bucket=bucket.name, Key=f"2026/order-{number:04}.json", Body=b'{"number": %d}' % number)
    for key in KEYS_THAT_ARE_HARD:
        s3.put_object(Bucket=bucket.name, Key=key, Body=b"" if key.endswith("empty") else key.encode())
    s3.put_object(Bucket=bucket.name, Key="2026/order-0001.json", Body=b'{"number": 1, "changed": true}')
    s3.delete_object(Bucket=bucket.name, Key="2026/order-0002.json")
    return ORDERS + len(KEYS_THAT_ARE_HARD) + 2


def wait_until_replicated(
    source: Bucket, destination: Bucket, deadline_seconds: float, *, delete_markers: bool
) -> dict[str, int]:
    """Wait until the destination holds every version of the source, then compare the bytes.

    Args:
        delete_markers: whether the rule replicates delete markers, so that they must arrive as well.

    Returns:
        How many `versions` and `delete_markers` were found alike, and their `bytes`.

    Raises:
        TimeoutError: something is still missing when the deadline has passed.
        AssertionError: a version has other bytes.
    """
    deadline = time.monotonic() + deadline_seconds
    expected = {row for row, is_marker in list_versions(source).items() if delete_markers or not is_marker}
    while missing := expected - list_versions(destination).keys():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(missing)} of {source.name} are not in {destination.name}: {sorted(missing)[:3]}")
        time.sleep(0.5)
    return compare(source, destination, expected)


def compare(source: Bucket, destination: Bucket, rows: set[tuple[str, str]]) -> dict[str, int]:
    here, there = source.client(), destination.client()
    counts = {"versions": 0, "delete_markers": 0, "bytes": 0}
    markers = {row for row, is_marker in list_versions(source).items() if is_marker}
    for key, version in sorted(rows):
        if (key, version) in markers:
            counts["delete_markers"] += 1
            continue
        bodies = [
            client.get_object(Bucket=bucket.name, Key=key, VersionId=version)["Body"].read()
            for client, bucket in ((here, source), (there, destination))
        ]
        if bodies[0] != bodies[1]:
            raise AssertionError(f"{key} ({version}) has other bytes in {destination.name}")
        counts["versions"] += 1
        counts["bytes"] += len(bodies[0])
    return counts


def list_versions(bucket: Bucket) -> dict[tuple[str, str], bool]:
    """Every (key, version ID) of the bucket, and whether it is a delete marker."""
    found: dict[tuple[str, str], bool] = {}
    for page in bucket.client().get_paginator("list_object_versions").paginate(Bucket=bucket.name):
        found |= {(row["Key"], row["VersionId"]): False for row in page.get("Versions", [])}
        found |= {(row["Key"], row["VersionId"]): True for row in page.get("DeleteMarkers", [])}
    return found
