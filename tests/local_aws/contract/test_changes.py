# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What is changed after an object was replicated, on either side."""

from __future__ import annotations

import pytest

BLUE = [{"Key": "team", "Value": "blue"}]
SYNC = {"SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Enabled"}}}


def tag(world, bucket):
    world.s3_of(bucket).put_object_tagging(Bucket=bucket, Key="key", Tagging={"TagSet": BLUE})


def tags(world, bucket):
    return world.s3_of(bucket).get_object_tagging(Bucket=bucket, Key="key")["TagSet"]


def replicated_pair(world, **changes):
    source, destination = world.pair(**changes)
    world.put(source)
    world.settle(source, "key")
    return source, destination


def test_tags_changed_later_follow(world):
    """S3 User Guide, replication-what-is-isnot-replicated: changes of tags are replicated, their removal too."""
    source, destination = replicated_pair(world)
    tag(world, source)
    world.until(lambda: tags(world, destination) == BLUE, "the tags followed")
    assert world.until_final(source) == "COMPLETED"
    world.s3_of(source).delete_object_tagging(Bucket=source, Key="key")
    world.until(lambda: tags(world, destination) == [], "their removal followed")


def two_way(world, **changes):
    here, there = replicated_pair(world, **changes)
    world.replicate(there, world.role(there, here), world.rule(here, **changes))
    return here, there


def test_replica_modification_sync_brings_changes_back(world):
    """S3 User Guide, replication-for-metadata-changes: a change of a replica goes to the source; it stays REPLICA."""
    here, there = two_way(world, **SYNC)
    tag(world, there)
    world.until(lambda: tags(world, here) == BLUE, "the tags came back")
    world.until(lambda: world.status(there) == "REPLICA", "the replica was a replica again")


def test_changes_of_a_replica_stay_without_sync(world):
    """S3 User Guide, replication-for-metadata-changes: only where ReplicaModifications is enabled."""
    here, there = two_way(world)
    tag(world, there)
    world.put(there, "later")
    world.settle(there, "later")
    assert tags(world, here) == []


@pytest.mark.parametrize("locked", ["both", "source only"])
def test_object_lock(world, locked):
    """S3 User Guide, object-lock-managing: retention is replicated; a locked source needs a locked destination."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    for bucket in (source, destination) if locked == "both" else (source,):
        world.s3_of(bucket).put_object_lock_configuration(
            Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        )
    role = world.role(source, destination, more=["s3:GetObjectRetention", "s3:GetObjectLegalHold"])
    world.replicate(source, role, world.rule(destination))
    world.put(source, ObjectLockLegalHoldStatus="ON")
    if locked == "both":
        assert world.until_final(source) == "COMPLETED"
        assert world.head(destination)["ObjectLockLegalHoldStatus"] == "ON"
    else:
        assert world.until_final(source) == "FAILED"
    for bucket in (source, destination) if locked == "both" else (source,):
        world.s3_of(bucket).put_object_legal_hold(Bucket=bucket, Key="key", LegalHold={"Status": "OFF"})


def test_default_retention_of_the_destination(world):
    """S3 User Guide, object-lock-managing: applied to replicas whose source has no retention."""
    source, destination = world.pair()
    default = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3 = world.s3_of(destination)
    s3.put_object_lock_configuration(
        Bucket=destination, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": default}
    )
    version = world.put(source)
    world.settle(source, "key")
    assert world.head(destination)["ObjectLockMode"] == "GOVERNANCE"
    s3.delete_object(Bucket=destination, Key="key", VersionId=version, BypassGovernanceRetention=True)


def test_suspending_a_locked_bucket(world, refused):
    """S3 User Guide, object-lock: versioning of a bucket with Object Lock cannot be suspended."""
    bucket = world.bucket()
    s3 = world.s3_of(bucket)
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    with refused("InvalidBucketState"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
