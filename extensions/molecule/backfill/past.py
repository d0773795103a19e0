# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What happened to the bucket before anybody backfilled it, and what AWS holds afterwards.

Called as `past.py before FILE`, which tells FILE the keys, as `past.py trouble FILE`, `past.py hurry SECONDS` or
`past.py look`.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3

SOURCE, DESTINATION = ("past-letters", "eu-west-1"), ("past-letters-dr", "eu-central-1")
RECOVERY_BUCKET = "s3-dr-111122223333-eu-west-1"
BEFORE = ("2024/a", "2024/b", "2025/Größe +1")
FAILED = ("2026/sealed-1", "2026/sealed-2")
SECONDS = 20


def s3(region: str) -> Any:
    return boto3.client("s3", region_name=region)


def before(keys: str) -> None:
    """A versioned bucket with objects, and a key in each Region."""
    bucket, region = SOURCE
    s3(region).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    s3(region).put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in BEFORE:
        s3(region).put_object(Bucket=bucket, Key=key, Body=key.encode())
    made = {
        end: boto3.client("kms", region_name=where).create_key()["KeyMetadata"]["Arn"]
        for end, (_bucket, where) in (("primary", SOURCE), ("dr", DESTINATION))
    }
    Path(keys).write_text(json.dumps(made), encoding="utf-8")


def trouble(keys: str) -> None:
    """Objects are written while the key of the replicas is out of use. Then it is mended, which S3 does not notice.

    From now on a job of Batch Operations takes its time.
    """
    bucket, region = SOURCE
    made = json.loads(Path(keys).read_text(encoding="utf-8"))
    kms = boto3.client("kms", region_name=DESTINATION[1])
    kms.disable_key(KeyId=made["dr"])
    for key in FAILED:
        s3(region).put_object(
            Bucket=bucket, Key=key, Body=key.encode(), ServerSideEncryption="aws:kms", SSEKMSKeyId=made["primary"]
        )
    deadline = time.monotonic() + SECONDS
    while not all(status(key) == "FAILED" for key in FAILED):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{[status(key) for key in FAILED]} and not FAILED after {SECONDS} s")
        time.sleep(0.2)
    kms.enable_key(KeyId=made["dr"])
    set_lag(300)


def hurry(seconds: str) -> None:
    """After some seconds the job comes to its end."""
    time.sleep(float(seconds))
    set_lag(0.2)


def set_lag(seconds: float) -> None:
    lag = json.dumps({"bucket": SOURCE[0], "lag_seconds": seconds}).encode()
    urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/_local_aws/replication", lag, timeout=10).close()


def status(key: str) -> str:
    bucket, region = SOURCE
    return str(s3(region).head_object(Bucket=bucket, Key=key).get("ReplicationStatus"))


def look() -> None:
    """Print how the versions of both ends stand to each other, and what the reports of the jobs say."""
    seen = {
        "objects": sorted(key for key, _version in versions(SOURCE)),
        "alike": versions(SOURCE) == versions(DESTINATION),
        "statuses": sorted({status(key) for key, _version in versions(SOURCE)}),
        "jobs": reports(),
    }
    print(json.dumps(seen))


def reports() -> list[list[str]]:
    """Of each job the status of its tasks."""
    here = s3(SOURCE[1])
    listed = here.list_objects_v2(Bucket=RECOVERY_BUCKET, Prefix="batch/reports/").get("Contents", [])
    tables = [row["Key"] for row in listed if row["Key"].endswith(".csv")]
    texts = [here.get_object(Bucket=RECOVERY_BUCKET, Key=key)["Body"].read().decode() for key in tables]
    return [[row[3] for row in csv.reader(text.splitlines())] for text in texts]


def versions(bucket: tuple[str, str]) -> set[tuple[str, str]]:
    found = s3(bucket[1]).list_object_versions(Bucket=bucket[0]).get("Versions", [])
    return {(row["Key"], row["VersionId"]) for row in found}


if __name__ == "__main__":
    {"before": before, "trouble": trouble, "hurry": hurry, "look": look}[sys.argv[1]](*sys.argv[2:])
