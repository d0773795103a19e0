# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Objects encrypted with KMS keys."""

from __future__ import annotations

import json

import pytest

ON = {"Status": "Enabled"}


@pytest.fixture
def ends(world):
    """Source and destination, each with a key of its Region."""
    buckets = world.bucket(), world.bucket(world.dr_region)
    return *buckets, new_key(world, world.source_region), new_key(world, world.dr_region)


def new_key(world, region):
    kms = world.client("kms", region)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    world.cleanup.callback(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    return key


def role(world, source, destination, *, decrypt=None, encrypt=None):
    """The replication role, allowed to use these keys through S3."""
    arn = world.role(source, destination)
    statements = [
        {
            "Effect": "Allow",
            "Action": action,
            "Resource": key,
            "Condition": {"StringLike": {"kms:ViaService": f"s3.{key.split(':')[3]}.amazonaws.com"}},
        }
        for action, key in (("kms:Decrypt", decrypt), (["kms:Encrypt", "kms:GenerateDataKey"], encrypt))
        if key
    ]
    name, iam = arn.rpartition("/")[2], world.client("iam")
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="keys", PolicyDocument=document)
        world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="keys")
    return arn


def kms_rule(world, destination, key):
    return world.rule(
        destination,
        SourceSelectionCriteria={"SseKmsEncryptedObjects": ON},
        to={"EncryptionConfiguration": {"ReplicaKmsKeyID": key}},
    )


def put_encrypted(world, bucket, key):
    return world.put(bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)


def test_replica_is_encrypted_with_the_rules_key(world, ends):
    """S3 User Guide, replication-config-for-kms-objects: ReplicaKmsKeyID encrypts the replica."""
    source, destination, source_key, replica_key = ends
    allowed = role(world, source, destination, decrypt=source_key, encrypt=replica_key)
    world.replicate(source, allowed, kms_rule(world, destination, replica_key))
    put_encrypted(world, source, source_key)
    assert world.until_final(source) == "COMPLETED"
    replica = world.head(destination)
    assert (replica["ServerSideEncryption"], replica["SSEKMSKeyId"]) == ("aws:kms", replica_key)


def test_not_replicated_unless_the_rule_says_so(world, ends):
    """S3 User Guide, replication-config-for-kms-objects: SSE-KMS objects need SseKmsEncryptedObjects."""
    source, destination, source_key, _replica_key = ends
    world.replicate(source, role(world, source, destination, decrypt=source_key), world.rule(destination))
    version = put_encrypted(world, source, source_key)
    world.put(source, "plain")
    world.settle(source, "plain")
    assert world.status(source, VersionId=version) is None
    assert [item["Key"] for item in world.versions(destination)] == ["plain"]


@pytest.mark.parametrize("missing", ["decrypt", "encrypt"])
def test_role_without_a_key_permission(world, ends, missing):
    """S3 User Guide, replication-config-for-kms-objects: decrypt with the source's key, encrypt with the replica's."""
    source, destination, source_key, replica_key = ends
    allowed = {"decrypt": source_key, "encrypt": replica_key} | {missing: None}
    world.replicate(source, role(world, source, destination, **allowed), kms_rule(world, destination, replica_key))
    put_encrypted(world, source, source_key)
    assert world.until_final(source) == "FAILED"


@pytest.mark.parametrize("trouble", ["absent", "disabled"])
def test_unusable_replica_key(world, ends, trouble):
    """S3 User Guide, replication-metrics-events: DstKmsKeyNotFound, DstKmsKeyInvalidState; the rule is accepted."""
    source, destination, source_key, replica_key = ends
    if trouble == "disabled":
        world.client("kms", world.dr_region).disable_key(KeyId=replica_key)
    else:
        replica_key = f"arn:aws:kms:{world.dr_region}:{world.account_id()}:key/11111111-2222-3333-4444-555555555555"
    allowed = role(world, source, destination, decrypt=source_key, encrypt=replica_key)
    world.replicate(source, allowed, kms_rule(world, destination, replica_key))
    put_encrypted(world, source, source_key)
    assert world.until_final(source) == "FAILED"
