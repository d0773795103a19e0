# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Buckets: made twice, looked at from elsewhere, owned by somebody else, locked, paid for."""

from __future__ import annotations

import os

import pytest

local_only = pytest.mark.skipif(
    bool(os.environ.get("CONTRACT_AGAINST_AWS")), reason="needs the credentials of a second account"
)


def test_own_bucket_again_in_us_east_1(world):
    """S3 API, CreateBucket: 200 in us-east-1, and the ACL is reset."""
    bucket = world.bucket("us-east-1")
    s3 = world.s3_of(bucket)
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    )
    s3.put_bucket_acl(Bucket=bucket, ACL="log-delivery-write")
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) > 1
    s3.create_bucket(Bucket=bucket)
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 1


def test_own_bucket_again_elsewhere(world, refused):
    """S3 API, CreateBucket: 409 BucketAlreadyOwnedByYou outside us-east-1."""
    bucket = world.bucket("eu-west-1")
    with refused("BucketAlreadyOwnedByYou"):
        world.s3_of(bucket).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


def test_head_tells_the_region(world):
    """S3 API, HeadBucket: x-amz-bucket-region."""
    bucket = world.bucket("eu-west-1")
    assert world.s3_of(bucket).head_bucket(Bucket=bucket)["BucketRegion"] == "eu-west-1"


def test_expected_owner(world, refused):
    """S3 User Guide, bucket-owner-condition: 403 when the owner is not the expected one."""
    bucket = world.bucket()
    s3, mine = world.s3_of(bucket), world.account_id()
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=mine)
    with refused("403"):
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=world.other_account)
    with refused("AccessDenied"):
        s3.put_object(Bucket=bucket, Key="key", Body=b"", ExpectedBucketOwner=world.other_account)


def test_missing_bucket_with_expected_owner(world, refused):
    """S3 API, HeadBucket: what does not exist is 404, whoever was expected."""
    with refused("404"):
        world.client("s3").head_bucket(Bucket=world.name("absent"), ExpectedBucketOwner=world.account_id())


@local_only
def test_head_on_the_bucket_of_another_account(world, refused):
    """S3 API, HeadBucket: 403 without permission."""
    bucket = world.bucket(account=world.other_account)
    with refused("403"):
        world.s3_of(bucket).head_bucket(Bucket=bucket)


@local_only
def test_name_of_another_account(world, refused):
    """S3 API, CreateBucket: 409 BucketAlreadyExists."""
    bucket = world.bucket(account=world.other_account)
    with refused("BucketAlreadyExists"):
        world.client("s3").create_bucket(Bucket=bucket)


def test_owner_pays_unless_told_otherwise(world, refused):
    """S3 API, GetBucketRequestPayment and PutBucketRequestPayment."""
    bucket = world.bucket()
    s3 = world.s3_of(bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    with refused("MalformedXML"):
        s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Nobody"})
    for payer in ("Requester", "BucketOwner"):
        s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": payer})
        assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == payer


def lock(world, bucket):
    world.s3_of(bucket).put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )


def test_object_lock_for_an_existing_bucket(world, refused):
    """S3 User Guide, object-lock-configure: for a bucket with versioning, and without a support token."""
    bucket = world.bucket()
    s3 = world.s3_of(bucket)
    with refused("ObjectLockConfigurationNotFoundError"):
        s3.get_object_lock_configuration(Bucket=bucket)
    lock(world, bucket)
    found = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert found == {"ObjectLockEnabled": "Enabled"}


def test_object_lock_needs_versioning(world, refused):
    """S3 API, PutObjectLockConfiguration: InvalidBucketState without versioning."""
    bucket = world.bucket(versioned=False)
    with refused("InvalidBucketState"):
        lock(world, bucket)


def test_versioning_of_a_locked_bucket_cannot_be_suspended(world, refused):
    """S3 User Guide, object-lock-managing: versioning stays as it is where Object Lock is enabled."""
    bucket = world.bucket()
    lock(world, bucket)
    s3 = world.s3_of(bucket)
    with refused("InvalidBucketState"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
