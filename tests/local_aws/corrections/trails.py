# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What CloudTrail checks and keeps when a trail is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudtrail, s3

from .fitting import corrects, uses
from .role import service_may

uses("services.cloudtrail", "_err(code, msg, status)", "_trail_arn(name)", "_find_mutable_trail(raw)")
uses("services.cloudtrail", "_visible_trail_items(include_shadow_trails)")
uses("services.s3", "_bucket_owner_account(name)")

Answer = tuple[int, dict[str, str], bytes]
SERVICE = "cloudtrail.amazonaws.com"
TRAILS_PER_REGION = 5


@corrects("services.cloudtrail", "_create_trail(body)")
def create_trail(original: Callable[..., Answer], body: dict[str, Any]) -> Answer:
    """CloudTrail API, CreateTrail: the bucket and its policy are checked, and TagsList is kept."""
    name = body.get("Name", "").strip()
    arn = cloudtrail._trail_arn(name)
    refusal = bucket_problem(arn, body.get("S3BucketName", ""), body.get("S3KeyPrefix", "")) if name else None
    answer = refusal or too_many_trails() or original(body)
    if answer[0] == 200 and body.get("TagsList"):
        cloudtrail._trail_tags[arn] = {tag["Key"]: tag.get("Value", "") for tag in body["TagsList"]}
    return answer


@corrects("services.cloudtrail", "_update_trail(body)")
def update_trail(original: Callable[..., Answer], body: dict[str, Any]) -> Answer:
    """CloudTrail API, UpdateTrail: a new bucket or prefix is checked as at creation."""
    trail = cloudtrail._find_mutable_trail(body.get("Name", "").strip())[2]
    if trail and ("S3BucketName" in body or "S3KeyPrefix" in body):
        bucket = body.get("S3BucketName", trail["S3BucketName"])
        refusal = bucket_problem(trail["TrailARN"], bucket, body.get("S3KeyPrefix", trail["S3KeyPrefix"]))
        if refusal:
            return refusal
    return original(body)


def too_many_trails() -> Answer | None:
    """CloudTrail User Guide, WhatIsCloudTrail-Limits: five trails in a Region, those of all Regions counted in each."""
    if len(cloudtrail._visible_trail_items()) < TRAILS_PER_REGION:
        return None
    message = f"User: {get_account_id()} already has {TRAILS_PER_REGION} trails in {get_region()}."
    return cloudtrail._err("MaximumNumberOfTrailsExceededException", message)


def bucket_problem(arn: str, bucket: str, prefix: str) -> Answer | None:
    """CloudTrail User Guide, create-s3-bucket-policy-for-cloudtrail: what the log bucket must allow."""
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return cloudtrail._err("S3BucketDoesNotExistException", f"S3 bucket {bucket} does not exist!")
    policy = s3._bucket_policies.get_scoped(owner, None, bucket)
    folder = f"{prefix.rstrip('/')}/" if prefix else ""
    log_file = f"arn:aws:s3:::{bucket}/{folder}AWSLogs/{get_account_id()}/CloudTrail/log.json.gz"
    keys = {"aws:SourceArn": arn, "aws:SourceAccount": get_account_id()}
    may_look = service_may(SERVICE, "s3:GetBucketAcl", f"arn:aws:s3:::{bucket}", policy, keys)
    keys["s3:x-amz-acl"] = "bucket-owner-full-control"
    if may_look and service_may(SERVICE, "s3:PutObject", log_file, policy, keys):
        return None
    message = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
    return cloudtrail._err("InsufficientS3BucketPolicyException", message)
