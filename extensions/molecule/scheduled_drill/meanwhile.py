# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What users and accidents do between the drills: `meanwhile.py keys FILE`, `write`, `lose` or `left`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import boto3

REGIONS = {"primary": "eu-west-2", "dr": "eu-north-1"}
SECONDS = 20


def client(service: str, end: str) -> Any:
    return boto3.client(service, region_name=REGIONS[end])


def keys(file: str) -> None:
    """A key in each Region."""
    made = {end: client("kms", end).create_key()["KeyMetadata"]["Arn"] for end in REGIONS}
    Path(file).write_text(json.dumps(made), encoding="utf-8")


def write() -> None:
    """Objects, which arrive."""
    for bucket, end, other in (
        ("drilled-sealed", "primary", ("drilled-sealed-dr", "dr")),
        ("drilled-both", "primary", ("drilled-both-dr", "dr")),
        ("drilled-both-dr", "dr", ("drilled-both", "primary")),
    ):
        for number in range(3):
            client("s3", end).put_object(Bucket=bucket, Key=f"from-{end}/{number}", Body=b"x" * (number + 1))
        wait(*other, f"from-{end}/2")


def wait(bucket: str, end: str, key: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not client("s3", end).list_objects_v2(Bucket=bucket, Prefix=key).get("Contents"):
        if time.monotonic() > deadline:
            raise SystemExit(f"{key} did not arrive in {bucket} within {SECONDS} s")
        time.sleep(0.2)


def lose() -> None:
    """A replica."""
    s3 = client("s3", "dr")
    (row,) = s3.list_object_versions(Bucket="drilled-both-dr", Prefix="from-primary/1")["Versions"]
    s3.delete_object(Bucket="drilled-both-dr", Key=row["Key"], VersionId=row["VersionId"])


def left() -> None:
    """What is left of the drill: names, and how many files of evidence."""
    functions = [one["FunctionName"] for one in client("lambda", "dr").list_functions()["Functions"]]
    machines = [one["name"] for one in client("stepfunctions", "dr").list_state_machines()["stateMachines"]]
    schedules = [one["Name"] for one in client("scheduler", "dr").list_schedules()["Schedules"]]
    roles = [one["RoleName"] for one in client("iam", "dr").list_roles()["Roles"]]
    alarms = [one["AlarmName"] for one in client("cloudwatch", "dr").describe_alarms()["MetricAlarms"]]
    named = [name for name in [*functions, *machines, *schedules, *roles, *alarms] if name.startswith("drilled")]
    files = client("s3", "dr").list_objects_v2(Bucket="drilled-evidence")["KeyCount"]
    print(json.dumps({"named": named, "files": files}))


if __name__ == "__main__":
    {"keys": keys, "write": write, "lose": lose, "left": left}[sys.argv[1]](*sys.argv[2:])
