# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Objects at both ends, one of which somebody deletes at the primary for good, and what AWS holds afterwards.

Called as `end.py write` or `end.py look`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import boto3
from botocore.exceptions import ClientError

HERE, THERE = "eu-north-1", "ap-southeast-2"
OBJECTS = 30
SECONDS = 20


def s3(region: str) -> Any:
    return boto3.client("s3", region_name=region)


def write() -> None:
    for bucket in ("ended-parcels", "ended-pallets"):
        for number in range(OBJECTS):
            s3(HERE).put_object(Bucket=bucket, Key=f"{number:04}", Body=b"in transit")
        deadline = time.monotonic() + SECONDS
        while len(versions(f"{bucket}-dr", THERE)) < OBJECTS:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{bucket} is not replicated after {SECONDS} s")
            time.sleep(0.2)
    key, version = versions("ended-parcels", HERE)[0]
    s3(HERE).delete_object(Bucket="ended-parcels", Key=key, VersionId=version)


def versions(bucket: str, region: str) -> list[tuple[str, str]]:
    found = s3(region).list_object_versions(Bucket=bucket).get("Versions", [])
    return [(row["Key"], row["VersionId"]) for row in found]


def look() -> None:
    """Print how many versions each bucket that is there holds, and which of them replicate."""
    buckets = {bucket["Name"] for bucket in s3(HERE).list_buckets()["Buckets"]}
    regions = {"ended-parcels": HERE, "ended-parcels-dr": THERE, "ended-pallets": HERE, "ended-pallets-dr": THERE}
    there = {bucket: region for bucket, region in regions.items() if bucket in buckets}
    seen = {
        "versions": {bucket: len(versions(bucket, region)) for bucket, region in there.items()},
        "replicate": [bucket for bucket, region in there.items() if replicates(bucket, region)],
    }
    print(json.dumps(seen))


def replicates(bucket: str, region: str) -> bool:
    try:
        return bool(s3(region).get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"])
    except ClientError:
        return False


if __name__ == "__main__":
    {"write": write, "look": look}[sys.argv[1]]()
