# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What CloudTrail wants of the log bucket, and what it keeps."""

from __future__ import annotations

import json

import pytest


def allow_logging(world, bucket, trail, *, prefix="", without=None):
    """The bucket policy of the CloudTrail User Guide, but for the statement named in ``without``."""
    account = world.account_id()
    source = {"aws:SourceArn": f"arn:aws:cloudtrail:{world.source_region}:{account}:trail/{trail}"}
    service = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    statements = [
        service
        | {
            "Sid": "look",
            "Action": "s3:GetBucketAcl",
            "Resource": f"arn:aws:s3:::{bucket}",
            "Condition": {"StringEquals": source},
        },
        service
        | {
            "Sid": "write",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/{prefix}AWSLogs/{account}/*",
            "Condition": {"StringEquals": source | {"s3:x-amz-acl": "bucket-owner-full-control"}},
        },
    ]
    kept = [statement for statement in statements if statement["Sid"] != without]
    document = json.dumps({"Version": "2012-10-17", "Statement": kept})
    world.s3_of(bucket).put_bucket_policy(Bucket=bucket, Policy=document)


def create(world, name, bucket, **options):
    trails = world.client("cloudtrail")
    answer = trails.create_trail(Name=name, S3BucketName=bucket, **options)
    world.cleanup.callback(trails.delete_trail, Name=name)
    return answer["TrailARN"]


def test_tags_given_at_creation_are_kept(world):
    """CloudTrail API, CreateTrail: TagsList."""
    name, bucket = world.name("trail"), world.bucket()
    allow_logging(world, bucket, name)
    arn = create(world, name, bucket, TagsList=[{"Key": "team", "Value": "blue"}])
    listed = world.client("cloudtrail").list_tags(ResourceIdList=[arn])["ResourceTagList"]
    assert listed[0]["TagsList"] == [{"Key": "team", "Value": "blue"}]


def test_missing_bucket(world, refused):
    """CloudTrail API, CreateTrail: S3BucketDoesNotExistException."""
    with refused("S3BucketDoesNotExistException"):
        create(world, world.name("trail"), world.name("absent"))


@pytest.mark.parametrize("without", ["look", "write"])
def test_bucket_policy_without_a_needed_statement(world, refused, without):
    """CloudTrail User Guide, create-s3-bucket-policy-for-cloudtrail: both statements are needed."""
    name, bucket = world.name("trail"), world.bucket()
    allow_logging(world, bucket, name, without=without)
    with refused("InsufficientS3BucketPolicyException"):
        create(world, name, bucket)


def test_bucket_without_policy(world, refused):
    """CloudTrail User Guide, create-s3-bucket-policy-for-cloudtrail."""
    with refused("InsufficientS3BucketPolicyException"):
        create(world, world.name("trail"), world.bucket())


def test_policy_for_another_prefix(world, refused):
    """CloudTrail User Guide, create-s3-bucket-policy-for-cloudtrail: the prefix is part of the resource."""
    name, bucket = world.name("trail"), world.bucket()
    allow_logging(world, bucket, name, prefix="dr/")
    with refused("InsufficientS3BucketPolicyException"):
        create(world, name, bucket)
    create(world, name, bucket, S3KeyPrefix="dr")


def test_policy_for_another_trail(world, refused):
    """CloudTrail User Guide, create-s3-bucket-policy-for-cloudtrail: aws:SourceArn is the trail's ARN."""
    bucket = world.bucket()
    allow_logging(world, bucket, "another-trail")
    with refused("InsufficientS3BucketPolicyException"):
        create(world, world.name("trail"), bucket)


def test_update_to_a_missing_bucket(world, refused):
    """CloudTrail API, UpdateTrail: the new bucket is checked as well."""
    name, bucket = world.name("trail"), world.bucket()
    allow_logging(world, bucket, name)
    create(world, name, bucket)
    with refused("S3BucketDoesNotExistException"):
        world.client("cloudtrail").update_trail(Name=name, S3BucketName=world.name("absent"))
