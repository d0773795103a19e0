# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What happens to a pair around its failovers, by boto3 alone: `scene.py NAME`, with the buckets on stdin.

stdout is what both buckets hold after it: for each key the versions, the current one first, each with the SHA-256 sum
of its bytes, or null for a delete marker. Canaries are left out.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import urllib.request
from collections import defaultdict
from typing import Any

import boto3

EAST, WEST = "us-east-1", "us-west-2"
SECONDS = 20
Scene = dict[str, str]


def s3(region: str) -> Any:
    return boto3.client("s3", region_name=region)


def tell(scene: Scene, path: str, body: dict[str, Any] | None, method: str = "POST") -> None:
    data = json.dumps(body).encode() if body is not None else None
    urllib.request.urlopen(
        urllib.request.Request(f"{scene['url']}/_local_aws/{path}", data, method=method), timeout=10
    ).close()


def put(scene: Scene, end: str, key: str, body: str) -> None:
    region = EAST if end == "primary" else WEST
    s3(region).put_object(Bucket=scene[end], Key=key, Body=body.encode(), Metadata={"end": end}, Tagging="tier=gold")


def hold(scene: Scene, end: str, seconds: float) -> None:
    tell(scene, "replication", {"bucket": scene[end], "lag_seconds": seconds})


def held(scene: Scene, end: str) -> dict[str, list[list[str | None]]]:
    client = s3(EAST if end == "primary" else WEST)
    found: dict[str, list[tuple[bool, float, str, str | None]]] = defaultdict(list)
    for page in client.get_paginator("list_object_versions").paginate(Bucket=scene[end]):
        for row in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            if not row["Key"].startswith(".s3-dr-canary/"):
                version = {"Bucket": scene[end], "Key": row["Key"], "VersionId": row["VersionId"]}
                body = client.get_object(**version)["Body"].read() if "Size" in row else None
                digest = None if body is None else hashlib.sha256(body).hexdigest()
                place = (not row["IsLatest"], -row["LastModified"].timestamp())
                found[row["Key"]].append((*place, row["VersionId"], digest))
    return {key: [[row[2], row[3]] for row in sorted(rows)] for key, rows in found.items()}


def settle(scene: Scene, *ends: str) -> None:
    """Wait until the other end has all that these ends have."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        versions = {
            end: {version[0] for rows in held(scene, end).values() for version in rows} for end in ("primary", "dr")
        }
        if all(versions[end] <= versions["dr" if end == "primary" else "primary"] for end in ends):
            return
        time.sleep(0.2)
    raise SystemExit(f"{ends} did not replicate")


def lost_region(scene: Scene) -> None:
    """The primary's last words do not get out of its Region before that is lost."""
    for key in ("both", "quiet"):
        put(scene, "primary", key, f"{key} in peace")
    settle(scene, "primary")
    hold(scene, "primary", 600)
    put(scene, "primary", "both", "the last words of the primary")
    tell(scene, "faults", {"kind": "down", "region": EAST})


def region_is_back(scene: Scene) -> None:
    """Clients were at the DR bucket meanwhile; now all that waited arrives."""
    put(scene, "dr", "both", "both written at the DR bucket")
    put(scene, "dr", "new", "new written at the DR bucket")
    tell(scene, "settings", {"order_by_arrival": 1})
    tell(scene, "faults", None, "DELETE")
    hold(scene, "primary", 0)
    settle(scene, "primary", "dr")


def lost_bucket(scene: Scene) -> None:
    """The primary vanishes with all that it held."""
    tell(scene, "loss", {"bucket": scene["primary"]})


def written_meanwhile(scene: Scene) -> None:
    """Clients overwrite, make and delete what they like."""
    put(scene, "dr", "quiet", "quiet overwritten at the DR bucket")
    put(scene, "dr", "later", "later written at the DR bucket")
    s3(WEST).delete_object(Bucket=scene["dr"], Key="new")


def all_is_well(scene: Scene) -> None:
    """No fault, and the local AWS's own order of versions."""
    tell(scene, "faults", None, "DELETE")
    tell(scene, "settings", {"order_by_arrival": 0})


def look(_scene: Scene) -> None:
    """Nothing happens."""


if __name__ == "__main__":
    given: Scene = json.load(sys.stdin)
    globals()[sys.argv[1]](given)
    ends = ["primary", "dr"] if sys.argv[1] in ("region_is_back", "look") else ["dr"]
    print(json.dumps({end: held(given, end) for end in ends}))
