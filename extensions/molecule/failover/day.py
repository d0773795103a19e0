# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What happens on the day of the disaster, other than what operators do. Called as `day.py EVENT`.

work    an application writes to the primary buckets, as a user of its own, and all of it is replicated
closed  it tries to write to the ledger's primary bucket; says whether it may
loss    it writes one more claim, which does not leave us-east-1 any more; then us-east-1 is lost
go_on   it writes where the pointer sends it, the same claim among others
back    us-east-1 is back, but a bucket of it
look    what AWS holds
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

PAIRS = {
    "ledger": (("moved-ledger", "eu-west-2"), ("moved-ledger-dr", "eu-west-3")),
    "claims": (("moved-claims", "us-east-1"), ("moved-claims-dr", "us-west-2")),
    "scans": (("moved-scans", "us-east-1"), ("moved-scans-dr", "us-west-2")),
}
CLAIM = "claim-7"
KEYS = Path(os.environ["LOCAL_AWS_STATE_DIR"], "application.json")
SECONDS = 20
End = tuple[str, str]


def tell(what: str, body: dict[str, Any] | None) -> None:
    """Set something that AWS does not have; nothing sets it back."""
    data = None if body is None else json.dumps(body).encode()
    method = "DELETE" if body is None else "POST"
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_local_aws/{what}"
    urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10).close()


def make_application() -> None:
    """A user that may use S3, and who is not the operator."""
    iam = boto3.client("iam", region_name="us-east-1")
    iam.create_user(UserName="application")
    rights = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
    iam.put_user_policy(UserName="application", PolicyName="s3", PolicyDocument=document)
    made = iam.create_access_key(UserName="application")["AccessKey"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    KEYS.write_text(json.dumps(keys), encoding="utf-8")


def put(end: End, key: str, text: str) -> None:
    keys = json.loads(KEYS.read_text(encoding="utf-8"))
    boto3.client("s3", region_name=end[1], **keys).put_object(Bucket=end[0], Key=key, Body=text.encode())


def work() -> None:
    make_application()
    for primary, _dr in PAIRS.values():
        for number in range(3):
            put(primary, f"2026/{number}", f"number {number}")
    deadline = time.monotonic() + SECONDS
    while not all(versions(primary) == versions(dr) for primary, dr in PAIRS.values()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not replicated after {SECONDS} s")
        time.sleep(0.2)


def closed() -> None:
    try:
        put(PAIRS["ledger"][0], "2026/late", "written after the fence")
    except ClientError as refusal:
        print(refusal.response["Error"]["Code"])


def loss() -> None:
    bucket, region = PAIRS["claims"][0]
    tell("replication", {"bucket": bucket, "lag_seconds": 3600})
    put((bucket, region), CLAIM, "as the primary knew it")
    tell("faults", {"kind": "down", "region": region})
    tell("faults", {"kind": "down", "control_plane": True})


def go_on() -> None:
    for pair in ("claims", "scans"):
        put(active(pair, "us-west-2"), CLAIM, f"{pair}, written after the failover")


def active(pair: str, region: str) -> End:
    """Where the pointer sends clients, as they learn it."""
    ssm = boto3.client("ssm", region_name=region)
    pointer = json.loads(ssm.get_parameter(Name=f"/moved-active/{pair}")["Parameter"]["Value"])
    return str(pointer["bucket"]), str(pointer["region"])


def back() -> None:
    tell("loss", {"bucket": PAIRS["scans"][0][0]})
    tell("faults", None)
    tell("replication", {"bucket": PAIRS["claims"][0][0], "lag_seconds": 0.2})


def look() -> None:
    """Print for each pair how its ends stand to each other, and what clients see."""
    print(json.dumps({pair: seen(pair, *ends) for pair, ends in PAIRS.items()}))


def seen(pair: str, primary: End, dr: End) -> dict[str, Any]:
    return {
        "active": sorted({active(pair, region)[0] for _bucket, region in (primary, dr)}),
        "alike": versions(primary) == versions(dr),
        "versions": len(versions(primary)),
        "claim": sorted({content(end, CLAIM) for end in (primary, dr)}),
        "fences": [bucket for bucket, region in (primary, dr) if "S3DrFence" in policy(bucket, region)],
    }


def versions(end: End) -> set[tuple[str, str]]:
    found = boto3.client("s3", region_name=end[1]).list_object_versions(Bucket=end[0]).get("Versions", [])
    return {(row["Key"], row["VersionId"]) for row in found}


def content(end: End, key: str) -> str:
    try:
        return str(boto3.client("s3", region_name=end[1]).get_object(Bucket=end[0], Key=key)["Body"].read().decode())
    except ClientError as refusal:
        return str(refusal.response["Error"]["Code"])


def policy(bucket: str, region: str) -> str:
    try:
        return str(boto3.client("s3", region_name=region).get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError:  # it has none
        return ""


if __name__ == "__main__":
    {"work": work, "closed": closed, "loss": loss, "go_on": go_on, "back": back, "look": look}[sys.argv[1]]()
