# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Which Multi-Region Access Points use a bucket: they must go before it does.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from .row import Client

CONTROL_REGION = "us-west-2"
"""The only Region whose control plane knows them. Source: S3 User Guide, "Managing Multi-Region Access Points"."""
PERMISSION = "s3:ListMultiRegionAccessPoints"


def access_points_by_bucket(client: Client, account: str) -> dict[str, list[str]]:
    """The names of the account's Multi-Region Access Points, by the buckets that they use. boto3 has no paginator."""
    found: dict[str, list[str]] = {}
    after: dict[str, str] = {}
    while True:
        page = client.list_multi_region_access_points(AccountId=account, **after)
        for access_point in page.get("AccessPoints", ()):
            for region in access_point.get("Regions", ()):
                found.setdefault(region["Bucket"], []).append(access_point["Name"])
        if not page.get("NextToken"):
            return found
        after = {"NextToken": page["NextToken"]}
