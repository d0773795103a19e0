# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Eventual consistency. AWS does not say how long it takes, so these set it: they need the control endpoint."""

from __future__ import annotations

import contextlib
import json

import pytest
from botocore.exceptions import ClientError


def message_of(refused_call):
    """The text of an InvalidRequest."""
    with pytest.raises(ClientError) as caught:
        refused_call()
    assert caught.value.response["Error"]["Code"] == "InvalidRequest"
    return caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ("source", "Versioning must be 'Enabled' on the bucket to apply a replication configuration"),
        ("destination", "Destination bucket must have versioning enabled."),
    ],
)
def test_new_versioning_is_not_seen_at_once(world, control, end, text):
    """S3 User Guide, manage-versioning-examples: after the first time versioning was enabled it takes a while."""
    source = world.bucket(versioned=end != "source")
    destination = world.bucket(world.dr_region, versioned=end != "destination")
    role, late = world.role(source, destination), {"source": source, "destination": destination}[end]
    control("settings", versioning_seconds=1.5)
    s3 = world.s3_of(late)
    s3.put_bucket_versioning(Bucket=late, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=late)["Status"] == "Enabled"
    assert message_of(lambda: world.replicate(source, role, world.rule(destination))) == text

    def accepted():
        try:
            world.replicate(source, role, world.rule(destination))
        except ClientError:
            return False
        return True

    world.until(accepted, "the configuration was accepted")


def test_versioning_of_old_buckets_is_seen(world, control):
    """S3 User Guide, manage-versioning-examples: enabling what is enabled already changes nothing."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    control("settings", versioning_seconds=60)
    world.s3_of(source).put_bucket_versioning(Bucket=source, VersioningConfiguration={"Status": "Enabled"})
    world.replicate(source, world.role(source, destination), world.rule(destination))


def test_new_role_cannot_be_assumed_at_once(world, control):
    """IAM User Guide, troubleshoot (eventual consistency); S3 User Guide, replication-status: what was written
    meanwhile is FAILED for good."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    control("settings", role_seconds=2)
    world.replicate(source, world.role(source, destination), world.rule(destination))
    world.put(source, "early")
    assert world.until_final(source, "early") == "FAILED"

    def completed():
        world.put(source, "later")
        return world.until_final(source, "later") == "COMPLETED"

    world.until(completed, "the role was usable")
    assert world.status(source, "early") == "FAILED"


def test_changed_policy_does_not_count_at_once(world, control):
    """IAM User Guide, troubleshoot (eventual consistency): what the role was allowed before, it is for a moment."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination)
    world.replicate(source, role, world.rule(destination))
    control("settings", role_seconds=2)
    nothing = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    world.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="replication",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [nothing]}),
    )
    world.put(source)
    assert world.until_final(source) == "COMPLETED"

    def failed():
        world.put(source, "later")
        return world.until_final(source, "later") == "FAILED"

    world.until(failed, "the new policy counted")


def test_reads_of_bucket_configuration_are_stale_for_a_moment(world, control):
    """S3 User Guide, Welcome (consistency model): bucket configurations are eventually consistent, objects are not."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    s3, role = world.s3_of(source), world.role(source, destination)
    control("settings", bucket_configuration_seconds=1.5)

    def rules():
        with contextlib.suppress(s3.exceptions.ClientError):
            return s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]["Rules"]
        return []  # ReplicationConfigurationNotFoundError

    world.replicate(source, role, world.rule(destination))
    assert rules() == []
    version = world.put(source)
    assert world.version_ids(source) == {version}
    world.until(rules, "the configuration was seen")
    s3.delete_bucket_replication(Bucket=source)
    assert rules() != []
    world.until(lambda: rules() == [], "its removal was seen")
