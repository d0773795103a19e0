# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A bucket policy that denies: who is kept out, of what, and who is not."""

from __future__ import annotations

import contextlib
import json

import pytest
from botocore.exceptions import ClientError

from .conftest import policy

WRITES = ["s3:PutObject*", "s3:DeleteObject*", "s3:RestoreObject", "s3:AbortMultipartUpload"]


def deny(bucket, *actions, resource="/*", principal="*", **conditions):
    statement = {
        "Sid": "Fence",
        "Effect": "Deny",
        "Principal": principal,
        "Action": list(actions),
        "Resource": f"arn:aws:s3:::{bucket}{resource}",
    }
    if conditions:
        statement["Condition"] = conditions
    return statement


@pytest.fixture
def fence(world):
    """Put a policy on a bucket; it is lifted when the test is over, or the bucket could not be emptied."""

    def put(bucket, *statements):
        s3 = world.s3_of(bucket)
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(*statements)))
        world.cleanup.callback(lift, s3, bucket)

    return put


def lift(s3, bucket):
    with contextlib.suppress(ClientError):
        s3.delete_bucket_policy(Bucket=bucket)


def caller_arn(world):
    """The caller as aws:PrincipalArn has it."""
    return str(world.client("sts").get_caller_identity()["Arn"])


def test_writes_are_denied_and_reads_are_not(world, fence, refused):
    """IAM User Guide, reference_policies_evaluation-logic: an explicit Deny is final, for the account's root user and
    administrators as well."""
    bucket = world.bucket()
    version = world.put(bucket)
    s3, one = world.s3_of(bucket), {"Bucket": bucket, "Key": "key"}
    upload = s3.create_multipart_upload(**one)["UploadId"]
    fence(bucket, deny(bucket, *WRITES))
    writes = {
        "put_object": {**one, "Body": b"more"},
        "delete_object": one,
        "put_object_tagging": {**one, "Tagging": {"TagSet": []}},
        "delete_object_tagging": one,
        "create_multipart_upload": one,
        "upload_part": {**one, "UploadId": upload, "PartNumber": 1, "Body": b"part"},
        "abort_multipart_upload": {**one, "UploadId": upload},
        "copy_object": {"Bucket": bucket, "Key": "copy", "CopySource": one},
    }
    for operation, arguments in writes.items():
        with refused("AccessDenied"):
            getattr(s3, operation)(**arguments)
    with refused("AccessDenied"):
        s3.delete_object(**one, VersionId=version)
    assert s3.get_object(**one)["Body"].read() == b"data"
    assert world.head(bucket)["VersionId"] == version
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert world.version_ids(bucket) == {version}
    lift(s3, bucket)
    assert world.put(bucket) != version


def test_message_tells_who_may_not_do_what(world, fence):
    """S3 User Guide, troubleshoot-403-errors: 403, with principal, action, resource and kind of policy."""
    bucket = world.bucket()
    fence(bucket, deny(bucket, "s3:PutObject"))
    with pytest.raises(ClientError) as caught:
        world.put(bucket)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    for part in (caller_arn(world), "s3:PutObject", f"arn:aws:s3:::{bucket}/key", "resource-based policy"):
        assert part in answer["Error"]["Message"]


def test_each_key_of_a_deletion_is_judged(world, fence):
    """S3 API, DeleteObjects: the answer is 200; the keys that are refused are among its errors, in quiet mode too."""
    bucket = world.bucket()
    versions = {key: world.put(bucket, key) for key in ("in/a", "in/b", "out/a")}
    fence(bucket, deny(bucket, "s3:DeleteObject", "s3:DeleteObjectVersion", resource="/in/*"))
    s3 = world.s3_of(bucket)
    objects = [{"Key": "in/a"}, {"Key": "in/b", "VersionId": versions["in/b"]}, {"Key": "out/a"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [one["Key"] for one in answer["Deleted"]] == ["out/a"]
    told = [(one["Key"], one.get("VersionId"), one["Code"]) for one in answer["Errors"]]
    assert told == [("in/a", None, "AccessDenied"), ("in/b", versions["in/b"], "AccessDenied")]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects[:2], "Quiet": True})
    assert "Deleted" not in answer
    assert len(answer["Errors"]) == 2
    assert len(world.versions(bucket, "DeleteMarkers")) == 1


def test_copy_reads_its_source(world, fence, refused):
    """S3 API, CopyObject: s3:GetObject on the source and s3:PutObject on the destination; so for UploadPartCopy."""
    bucket, other = world.bucket(), world.bucket()
    world.put(bucket)
    fence(bucket, deny(bucket, "s3:GetObject"))
    s3, source = world.s3_of(bucket), {"Bucket": bucket, "Key": "key"}
    with refused("AccessDenied"):
        s3.copy_object(Bucket=other, Key="copy", CopySource=source)
    upload = s3.create_multipart_upload(Bucket=other, Key="copy")["UploadId"]
    with refused("AccessDenied"):
        s3.upload_part_copy(Bucket=other, Key="copy", UploadId=upload, PartNumber=1, CopySource=source)
    s3.abort_multipart_upload(Bucket=other, Key="copy", UploadId=upload)


def test_bucket_operations(world, fence, refused):
    """S3 User Guide, using-with-s3-policy-actions: actions on the bucket name the bucket as their resource."""
    bucket = world.bucket()
    fence(bucket, deny(bucket, "s3:ListBucket*", "s3:PutBucketVersioning", resource=""))
    s3 = world.s3_of(bucket)
    for operation in ("list_objects_v2", "list_object_versions"):
        with refused("AccessDenied"):
            getattr(s3, operation)(Bucket=bucket)
    with refused("403"):
        s3.head_bucket(Bucket=bucket)
    with refused("AccessDenied"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert world.put(bucket)


CONDITIONS = [
    ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/nobody", True),
    ("ArnNotLike", "aws:PrincipalArn", ["arn:aws:iam::*:role/nobody", "{caller}"], False),
    ("ArnLike", "aws:PrincipalArn", "arn:aws:*::*:*", True),
    ("ArnEquals", "aws:PrincipalArn", "{caller}", True),
    ("StringEquals", "aws:PrincipalArn", "{caller}", True),
    ("StringNotEquals", "aws:PrincipalArn", "{caller}", False),
    ("StringLike", "aws:PrincipalArn", "{caller}*", True),
    ("StringNotLike", "aws:PrincipalArn", "arn:aws:*", False),
    ("Bool", "aws:PrincipalIsAWSService", "false", True),
    ("Bool", "aws:PrincipalIsAWSService", "true", False),
    ("BoolIfExists", "aws:PrincipalIsAWSService", "false", True),
    ("Bool", "aws:SecureTransport", "false", False),
    ("Bool", "aws:SecureTransport", "true", True),
    ("StringEquals", "aws:RequestedRegion", "us-east-1", True),
    ("StringNotEquals", "aws:RequestedRegion", ["us-east-1", "us-west-2"], False),
    ("Null", "aws:PrincipalArn", "true", False),
]


@pytest.mark.parametrize(("operator", "name", "value", "is_denied"), CONDITIONS)
def test_condition(world, fence, operator, name, value, is_denied):
    """IAM User Guide, reference_policies_elements_condition_operators and reference_policies_condition-keys: the Deny
    counts only where its condition is met. Clients of AWS use TLS."""
    bucket, caller = world.bucket(), caller_arn(world)
    values = [one.replace("{caller}", caller) for one in ([value] if isinstance(value, str) else value)]
    fence(bucket, deny(bucket, "s3:PutObject", **{operator: {name: values}}))
    if is_denied:
        with pytest.raises(ClientError, match="AccessDenied"):
            world.put(bucket)
    else:
        assert world.put(bucket)


def test_all_conditions_must_be_met(world, fence):
    """IAM User Guide, reference_policies_elements_condition: operators are joined by AND."""
    bucket = world.bucket()
    not_met = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    fence(bucket, deny(bucket, "s3:PutObject", Bool={"aws:PrincipalIsAWSService": "false"}, **not_met))
    assert world.put(bucket)


@pytest.mark.parametrize(("principal", "is_denied"), [("own", True), ("role", False)])
def test_principal(world, fence, principal, is_denied):
    """IAM User Guide, reference_policies_elements_principal: an account stands for everybody in it."""
    account = world.account_id()
    named = {"own": f"arn:aws:iam::{account}:root", "role": world.role(world.bucket()).strip()}[principal]
    bucket = world.bucket()
    fence(bucket, deny(bucket, "s3:PutObject", principal={"AWS": named}))
    if is_denied:
        with pytest.raises(ClientError, match="AccessDenied"):
            world.put(bucket)
    else:
        assert world.put(bucket)


def test_whoever_locked_the_bucket_can_open_it(world, fence):
    """S3 API, PutBucketPolicy and DeleteBucketPolicy: the root user of the bucket's account is never denied these."""
    if not caller_arn(world).endswith(":root"):
        pytest.skip("needs the root user")
    bucket = world.bucket()
    fence(bucket, deny(bucket, "s3:*"), deny(bucket, "s3:*", resource=""))
    s3 = world.s3_of(bucket)
    assert "Fence" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    assert world.put(bucket)


def test_replication_passes_a_fence_that_exempts_its_role(world, fence, refused):
    """S3 replication acts as its role, so a Deny that leaves out the role lets replicas come and writers not."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination)
    world.replicate(source, role, world.rule(destination, DeleteMarkerReplication={"Status": "Enabled"}))
    exempt = {
        "ArnNotLike": {"aws:PrincipalArn": [role]},
        "Bool": {"aws:PrincipalIsAWSService": "false"},
    }
    fence(destination, deny(destination, "s3:*Object*", "s3:Replicate*", **exempt))
    version = world.put(source)
    assert world.until_final(source) == "COMPLETED"
    with refused("AccessDenied"):
        world.put(destination)
    assert world.version_ids(destination) == {version}


def test_replication_fails_at_a_fence_that_does_not(world, fence):
    """The same Deny without the exemption keeps the replicas out as well."""
    source, destination = world.pair()
    fence(destination, deny(destination, "s3:*Object*", "s3:Replicate*", Bool={"aws:PrincipalIsAWSService": "false"}))
    world.put(source)
    assert world.until_final(source) == "FAILED"
