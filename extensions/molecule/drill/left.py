# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Print what the drills left in AWS: versions and delete markers at both ends, and roles.

Called as `left.py BUCKET REGION BUCKET REGION`.
"""

from __future__ import annotations

import json
import sys

import boto3


def versions(bucket: str, region: str) -> list[str]:
    answer = boto3.client("s3", region_name=region).list_object_versions(Bucket=bucket)
    return [row["Key"] for row in answer.get("Versions", []) + answer.get("DeleteMarkers", [])]


def main(primary: str, region: str, dr: str, dr_region: str) -> None:
    roles = boto3.client("iam", region_name="us-east-1").list_roles()["Roles"]
    left = {
        "versions": versions(primary, region) + versions(dr, dr_region),
        "roles": [role["RoleName"] for role in roles if "-drill-" in role["RoleName"]],
    }
    print(json.dumps(left))


if __name__ == "__main__":
    main(*sys.argv[1:])
