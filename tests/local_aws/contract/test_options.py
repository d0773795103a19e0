# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Options of buckets: Intelligent-Tiering and Transfer Acceleration."""

from __future__ import annotations

import pytest

TIERS = [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}, {"Days": 180, "AccessTier": "DEEP_ARCHIVE_ACCESS"}]


@pytest.fixture(name="tiering")
def tiering_fixture(world):
    """Put a configuration into a bucket of its own."""
    bucket = world.bucket()
    client = world.s3_of(bucket)

    def put(name="cold", tiers=None):
        wanted = {"Id": name, "Status": "Enabled", "Filter": {"Prefix": "in/"}, "Tierings": tiers or TIERS}
        client.put_bucket_intelligent_tiering_configuration(
            Bucket=bucket, Id=name, IntelligentTieringConfiguration=wanted
        )
        return wanted

    put.get = lambda name: client.get_bucket_intelligent_tiering_configuration(Bucket=bucket, Id=name)
    put.delete = lambda name: client.delete_bucket_intelligent_tiering_configuration(Bucket=bucket, Id=name)
    return put


def test_configuration(tiering, refused):
    """S3 API, Put, Get and DeleteBucketIntelligentTieringConfiguration."""
    with refused("NoSuchConfiguration"):
        tiering.get("cold")
    wanted = tiering()
    assert tiering.get("cold")["IntelligentTieringConfiguration"] == wanted
    with refused("NoSuchConfiguration"):
        tiering.get("other")
    tiering.delete("cold")
    with refused("NoSuchConfiguration"):
        tiering.get("cold")


@pytest.mark.parametrize("tier", TIERS)
def test_too_early(tiering, refused, tier):
    """S3 User Guide, using-intelligent-tiering: the least number of days of each tier."""
    with refused("InvalidArgument"):
        tiering(tiers=[{**tier, "Days": tier["Days"] - 1}])


def test_acceleration(world, refused):
    """S3 User Guide, transfer-acceleration: the name of the bucket must not contain dots."""
    plain, dotted, enabled = world.bucket(), f"{world.name('a')}.b", {"Status": "Enabled"}
    s3 = world.s3_of(plain)
    s3.create_bucket(Bucket=dotted)
    world.cleanup.callback(s3.delete_bucket, Bucket=dotted)
    s3.put_bucket_accelerate_configuration(Bucket=plain, AccelerateConfiguration=enabled)
    assert s3.get_bucket_accelerate_configuration(Bucket=plain)["Status"] == "Enabled"
    with refused("InvalidRequest"):
        s3.put_bucket_accelerate_configuration(Bucket=dotted, AccelerateConfiguration=enabled)
