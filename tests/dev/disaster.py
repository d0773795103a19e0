# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The disaster of the demo: a Region is lost and comes back, and an application goes where the pointer sends it."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import boto3

from sample_data import Bucket, list_versions

LAST_ORDER = "2026/the-last-order.json"
NEXT_ORDER = "2026/the-next-order.json"
SECONDS = 20.0


def lose(endpoint: str, orders: Bucket) -> None:
    """Write one more order, which does not leave its Region any more. Then let the Region go down.

    The outage of us-east-1 takes with it every change of a bucket's settings and of IAM, in all Regions.
    """
    tell(endpoint, "replication", {"bucket": orders.name, "lag_seconds": 3600})
    orders.client().put_object(Bucket=orders.name, Key=LAST_ORDER, Body=b'{"written": "a moment too late"}')
    tell(endpoint, "faults", {"kind": "down", "region": orders.region})
    tell(endpoint, "faults", {"kind": "down", "control_plane": True})


def give_back(endpoint: str, orders: Bucket) -> None:
    """Let the Region come back with all that it had."""
    tell(endpoint, "faults", None)
    tell(endpoint, "replication", {"bucket": orders.name, "lag_seconds": 1})


def tell(endpoint: str, what: str, body: dict[str, Any] | None) -> None:
    """Set something that AWS does not have; without a body all of it is taken back."""
    data, method = (None, "DELETE") if body is None else (json.dumps(body).encode(), "POST")
    request = urllib.request.Request(f"{endpoint}/_local_aws/{what}", data, method=method)
    urllib.request.urlopen(request, timeout=10).close()


def active_bucket(parameter: str, region: str) -> Bucket:
    """Where clients are sent, as they learn it in a Region."""
    answer = boto3.client("ssm", region_name=region).get_parameter(Name=parameter)
    said = json.loads(answer["Parameter"]["Value"])
    return Bucket(said["bucket"], said["region"])


def go_on(bucket: Bucket) -> tuple[int, bool]:
    """Do what the application does: count the orders, look for the last one, write the next one."""
    keys = {row["Key"] for row in bucket.client().list_objects_v2(Bucket=bucket.name)["Contents"]}
    bucket.client().put_object(Bucket=bucket.name, Key=NEXT_ORDER, Body=b'{"written": "after the failover"}')
    return len(keys), LAST_ORDER in keys


def wait_until_alike(one: Bucket, other: Bucket) -> int:
    """Wait until both hold the same versions and delete markers; return how many."""
    deadline = time.monotonic() + SECONDS
    while (held := list_versions(one)) != list_versions(other):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{one.name} and {other.name} differ")
        time.sleep(0.5)
    return len(held)
