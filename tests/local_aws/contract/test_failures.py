# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What makes a replication fail. FAILED is final: nothing retries it."""

from __future__ import annotations

import json

import pytest

SERVICE = {"Service": "s3.amazonaws.com"}


def test_missing_destination(world):
    """S3 User Guide, replication-metrics-events: DstBucketNotFound."""
    source, destination = world.pair()
    world.s3_of(destination).delete_bucket(Bucket=destination)
    world.put(source)
    assert world.until_final(source) == "FAILED"


def test_destination_that_vanishes_while_pending(world):
    """S3 User Guide, replication-metrics-events: what counts is the destination when the copy is made."""
    source, destination = world.pair()
    world.put(source)
    world.s3_of(destination).delete_bucket(Bucket=destination)
    assert world.until_final(source) == "FAILED"


def test_unversioned_destination(world):
    """S3 User Guide, replication-metrics-events: DstBucketUnversioned."""
    source, destination = world.pair()
    world.s3_of(destination).put_bucket_versioning(Bucket=destination, VersioningConfiguration={"Status": "Suspended"})
    world.put(source)
    assert world.until_final(source) == "FAILED"


def test_role_that_does_not_exist(world):
    """S3 User Guide, replication-metrics-events: AssumeRoleNotPermitted."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, f"arn:aws:iam::{world.account_id()}:role/{world.name('absent')}", world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "FAILED"


@pytest.mark.parametrize(
    "trust",
    [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": SERVICE, "Action": "sts:TagSession"},
        {
            "Effect": "Allow",
            "Principal": SERVICE,
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}},
        },
    ],
    ids=["other service", "other action", "condition"],
)
def test_role_that_s3_may_not_assume(world, trust):
    """S3 User Guide, setting-repl-config-perm-overview: the role must trust s3.amazonaws.com."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, world.role(source, destination, trust=trust), world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "FAILED"
    assert world.versions(destination) == []


@pytest.mark.parametrize(
    "action",
    [
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionTagging",
        "s3:ReplicateObject",
        "s3:ReplicateTags",
    ],
)
def test_role_without_a_needed_permission(world, action):
    """S3 User Guide, setting-repl-config-perm-overview: each of these is needed (tags: where the object has some)."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, world.role(source, destination, without=action), world.rule(destination))
    world.put(source, Tagging="team=blue")
    assert world.until_final(source) == "FAILED"
    assert world.versions(destination) == []


@pytest.mark.parametrize("missing", ["", "s3:ReplicateObject", "s3:GetObjectVersionForReplication"])
def test_boundary_limits_the_role(world, missing):
    """IAM User Guide, access_policies_boundaries: what the boundary does not allow, no policy of the role gives."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role, iam = world.role(source, destination), world.client("iam")
    limit = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        *([{"Effect": "Deny", "Action": missing, "Resource": "*"}] if missing else []),
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": limit})
    policy = iam.create_policy(PolicyName=world.name("boundary"), PolicyDocument=document)["Policy"]["Arn"]
    world.cleanup.callback(iam.delete_policy, PolicyArn=policy)
    name = role.rpartition("/")[2]
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=policy)
    world.cleanup.callback(iam.delete_role_permissions_boundary, RoleName=name)
    world.replicate(source, role, world.rule(destination))
    world.put(source)
    assert world.until_final(source) == ("FAILED" if missing else "COMPLETED")


def test_tags_permission_is_not_needed_without_tags(world):
    """S3 User Guide, setting-repl-config-perm-overview: s3:ReplicateTags is for objects with tags."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, world.role(source, destination, without="s3:ReplicateTags"), world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "COMPLETED"


def test_marker_needs_its_own_permission(world):
    """S3 User Guide, setting-repl-config-perm-overview: s3:ReplicateDelete is for delete markers."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination, without="s3:ReplicateDelete")
    world.replicate(source, role, world.rule(destination, DeleteMarkerReplication={"Status": "Enabled"}))
    world.put(source, "deleted")
    world.s3_of(source).delete_object(Bucket=source, Key="deleted")
    world.put(source, "later")
    world.settle(source, "later")
    assert world.versions(destination, "DeleteMarkers") == []


def test_bucket_policy_that_denies_the_role(world):
    """S3 User Guide, replication-troubleshoot: a Deny in the destination's policy wins."""
    source, destination = world.pair()
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:ReplicateObject",
        "Resource": f"arn:aws:s3:::{destination}/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.s3_of(destination).put_bucket_policy(Bucket=destination, Policy=document)
    world.put(source)
    assert world.until_final(source) == "FAILED"


def test_deny_that_leaves_out_the_role(world):
    """IAM User Guide, condition key aws:PrincipalArn: for a role's session it is the ARN of the role."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination)
    world.replicate(source, role, world.rule(destination))
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:ReplicateObject",
        "Resource": f"arn:aws:s3:::{destination}/*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": role}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.s3_of(destination).put_bucket_policy(Bucket=destination, Policy=document)
    world.put(source)
    assert world.until_final(source) == "COMPLETED"


def test_failed_is_final(world):
    """S3 User Guide, replication-status: repairing the cause does not bring FAILED objects over; new ones go."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, world.role(source, destination, without="s3:ReplicateObject"), world.rule(destination))
    world.put(source, "failed")
    assert world.until_final(source, "failed") == "FAILED"
    world.replicate(source, world.role(source, destination), world.rule(destination))
    world.put(source, "later")
    world.settle(source, "later")
    assert world.status(source, "failed") == "FAILED"
    assert [version["Key"] for version in world.versions(destination)] == ["later"]
