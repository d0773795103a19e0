# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What the scenes share: clients of the local AWS, its control paths, and what a verify is expected to find."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.request
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

PRIMARY_REGION, DR_REGION = "us-east-1", "us-west-2"
HOUR, DAY = 3600, 86400
FOREVER = 365 * DAY
SECONDS = 30


@cache
def client(service: str, region: str = PRIMARY_REGION) -> Any:
    return boto3.client(service, region_name=region, config=Config(max_pool_connections=16))


def control(path: str, **wish: Any) -> None:
    """Ask for what AWS does not have."""
    request = urllib.request.Request(
        f"{os.environ['AWS_ENDPOINT_URL']}/_local_aws/{path}", data=json.dumps(wish).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def ahead(seconds: float) -> None:
    """Set AWS's clock: what is written then is dated by it."""
    control("settings", clock_seconds=seconds)


class Bucket:
    """A bucket to which things happen."""

    def __init__(self, name: str, region: str) -> None:
        self.name, self.region, self.s3 = name, region, client("s3", region)

    def create(self) -> None:
        place = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        self.s3.create_bucket(Bucket=self.name, **place)

    def enable_versioning(self) -> None:
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def put(self, key: str, body: bytes = b"data", **options: Any) -> str:
        answer = self.s3.put_object(Bucket=self.name, Key=key, Body=body, **options)
        return str(answer.get("VersionId", "null"))

    def delete(self, key: str, version: str | None = None) -> str:
        """Delete a version by its ID; without one, put a delete marker, whose ID is the answer."""
        which = {"VersionId": version} if version else {}
        return str(self.s3.delete_object(Bucket=self.name, Key=key, **which)["VersionId"])

    def head(self, key: str, version: str) -> dict[str, Any]:
        return dict(self.s3.head_object(Bucket=self.name, Key=key, VersionId=version))

    def held(self) -> set[tuple[str, str]]:
        """Key and ID of every version and delete marker."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.name)
        rows = [row for page in pages for row in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        return {(row["Key"], row["VersionId"]) for row in rows}

    def lag(self, seconds: float) -> None:
        """How long replication out of this bucket takes."""
        control("replication", bucket=self.name, lag_seconds=seconds)

    def corrupt(self, key: str, version: str, what: str) -> None:
        control("corruption", bucket=self.name, key=key, version_id=version, what=what)

    def until(self, status: str, written: Iterable[tuple[str, str]]) -> None:
        """Wait for the replication status of these versions."""
        for key, version in written:
            wait(lambda key=key, version=version: self.head(key, version).get("ReplicationStatus") == status, key)

    def until_holds(self, written: Iterable[tuple[str, str]]) -> None:
        written = set(written)
        wait(lambda: written <= self.held(), f"{self.name} to hold {sorted(written)}")


def wait(condition: Any, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {SECONDS} s in vain for {what}")
        time.sleep(0.05)


@contextlib.contextmanager
def denied(role: str, action: str, resource: str) -> Iterator[None]:
    """Somebody forbids the replication role something for a while."""
    iam = client("iam")
    statement = {"Effect": "Deny", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="deny")


@contextlib.contextmanager
def disabled(bucket: Bucket, rule: str) -> Iterator[None]:
    """Somebody disables a rule for a while."""
    held = bucket.s3.get_bucket_replication(Bucket=bucket.name)["ReplicationConfiguration"]
    rules = [one | ({"Status": "Disabled"} if one["ID"] == rule else {}) for one in held["Rules"]]
    bucket.s3.put_bucket_replication(Bucket=bucket.name, ReplicationConfiguration=held | {"Rules": rules})
    try:
        yield
    finally:
        bucket.s3.put_bucket_replication(Bucket=bucket.name, ReplicationConfiguration=held)


class Expected:
    """The findings that must be there, and no others."""

    def __init__(self, source: Bucket, destination: Bucket) -> None:
        self.ways = (source.name, destination.name)
        self.findings: list[dict[str, Any]] = []

    def finds(
        self,
        cause: str,
        key: str,
        version: str,
        rule: str | None = None,
        *,
        missing: bool = True,
        marker: bool = False,
        back: bool = False,
        detail: str = "",
    ) -> None:
        """``detail`` is a part of what the finding says; ``back``: it is about the way from DR to primary."""
        source, destination = self.ways[::-1] if back else self.ways
        self.findings.append(
            {
                "cause": cause,
                "key": key,
                "version_id": version,
                "rule": rule,
                "missing": missing,
                "delete_marker": marker,
                "source": source,
                "destination": destination,
                "detail": detail,
            }
        )
