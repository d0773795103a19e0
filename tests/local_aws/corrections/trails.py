# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What CloudTrail checks and keeps when a trail is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import cloudtrail, kms, s3

from .fitting import corrects, uses
from .role import service_may

uses("services.cloudtrail", "_err(code, msg, status)", "_trail_arn(name)", "_find_mutable_trail(raw)")
uses("services.cloudtrail", "_visible_trail_items(include_shadow_trails)")
uses("services.s3", "_bucket_owner_account(name)", "bucket_region(name)")
uses("services.kms", "_resolve_key(key_id_or_arn)")

Answer = tuple[int, dict[str, str], bytes]
SERVICE = "cloudtrail.amazonaws.com"
TRAILS_PER_REGION = 5
VALUES_PER_TRAIL = 500
KEY_ACTIONS = ("kms:GenerateDataKey", "kms:DescribeKey")


@corrects("services.cloudtrail", "_create_trail(body)")
def create_trail(original: Callable[..., Answer], body: dict[str, Any]) -> Answer:
    """CloudTrail API, CreateTrail: the bucket, the key and their policies are checked, and TagsList is kept."""
    name, bucket = body.get("Name", "").strip(), body.get("S3BucketName", "")
    arn = cloudtrail._trail_arn(name)
    refusal = bucket_problem(arn, bucket, body.get("S3KeyPrefix", "")) if name else None
    refusal = refusal or key_problem(arn, bucket, body.get("KmsKeyId"))
    answer = refusal or too_many_trails() or original(with_arn_of_key(bucket, body))
    if answer[0] == 200 and body.get("TagsList"):
        cloudtrail._trail_tags[arn] = {tag["Key"]: tag.get("Value", "") for tag in body["TagsList"]}
    return answer


@corrects("services.cloudtrail", "_update_trail(body)")
def update_trail(original: Callable[..., Answer], body: dict[str, Any]) -> Answer:
    """CloudTrail API, UpdateTrail: a new bucket, prefix or key is checked as at creation."""
    trail = cloudtrail._find_mutable_trail(body.get("Name", "").strip())[2]
    if trail and ("S3BucketName" in body or "S3KeyPrefix" in body):
        bucket = body.get("S3BucketName", trail["S3BucketName"])
        refusal = bucket_problem(trail["TrailARN"], bucket, body.get("S3KeyPrefix", trail["S3KeyPrefix"]))
        if refusal:
            return refusal
    if trail and body.get("KmsKeyId"):
        bucket = body.get("S3BucketName", trail["S3BucketName"])
        return key_problem(trail["TrailARN"], bucket, body["KmsKeyId"]) or original(with_arn_of_key(bucket, body))
    return original(body)


@corrects("services.cloudtrail", "_put_event_selectors(body)")
def put_event_selectors(original: Callable[..., Answer], body: dict[str, Any]) -> Answer:
    """CloudTrail User Guide, WhatIsCloudTrail-Limits: up to 500 values in all advanced selectors of a trail."""
    fields = [field for selector in body.get("AdvancedEventSelectors") or [] for field in selector["FieldSelectors"]]
    count = sum(len(values) for field in fields for values in field.values() if isinstance(values, list))
    if count <= VALUES_PER_TRAIL:
        return original(body)
    message = f"{count} values for all selectors, a trail has up to {VALUES_PER_TRAIL}."
    return cloudtrail._err("InvalidEventSelectorsException", message)


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


def key_of(bucket: str, identifier: str) -> dict[str, Any] | None:
    """The KMS key, by ID, ARN or alias, which is in the Region of the log bucket."""
    with request_scope(s3._bucket_owner_account(bucket), ""):
        region = s3.bucket_region(bucket) or ""
    account = identifier.split(":")[4] if identifier.startswith("arn:") else get_account_id()
    with request_scope(account, region):
        found: dict[str, Any] | None = kms._resolve_key(identifier)
    return found


def with_arn_of_key(bucket: str, body: dict[str, Any]) -> dict[str, Any]:
    """CloudTrail API, CreateTrail: the answer has the ARN of the key, however it was named."""
    key = key_of(bucket, body["KmsKeyId"]) if body.get("KmsKeyId") else None
    return body | {"KmsKeyId": key["Arn"]} if key else body


def key_problem(arn: str, bucket: str, identifier: str | None) -> Answer | None:
    """CloudTrail User Guide, create-kms-key-policy-for-cloudtrail: what the key's policy must allow. The key is in the
    log bucket's Region."""
    if not identifier:
        return None
    key = key_of(bucket, identifier)
    if key is None:
        message = f"KMS key {identifier} does not exist, or is not in the Region of the bucket {bucket}."
        return cloudtrail._err("KmsKeyNotFoundException", message)
    if key["KeyState"] != "Enabled":
        return cloudtrail._err("KmsException", f"KMS key {identifier} is {key['KeyState']}.")
    keys = {
        "aws:SourceArn": arn,
        "aws:SourceAccount": get_account_id(),
        "kms:EncryptionContext:aws:cloudtrail:arn": arn,
    }
    policy = key.get("Policy") or ""
    if all(service_may(SERVICE, action, key["Arn"], policy, keys) for action in KEY_ACTIONS):
        return None
    message = f"Insufficient permissions to access S3 bucket {bucket} or KMS key {identifier}."
    return cloudtrail._err("InsufficientEncryptionPolicyException", message)
