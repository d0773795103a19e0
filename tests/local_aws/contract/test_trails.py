# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What CloudTrail wants of the log bucket, what it keeps, and what it writes there."""

from __future__ import annotations

import gzip
import json
import re

import pytest

MANAGEMENT = {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}


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


def test_five_trails_in_a_region(world, refused):
    """CloudTrail User Guide, WhatIsCloudTrail-Limits: five in a Region, where trails of all Regions count in each."""
    bucket, trails = world.bucket(), world.client("cloudtrail")
    free = 5 - len(trails.describe_trails(includeShadowTrails=True)["trailList"])
    names = [world.name("trail") for _number in range(free + 1)]
    statements = json.dumps({"Version": "2012-10-17", "Statement": [*policy_of(world, bucket)]})
    world.s3_of(bucket).put_bucket_policy(Bucket=bucket, Policy=statements)
    for name in names[:-1]:
        create(world, name, bucket)
    with refused("MaximumNumberOfTrailsExceededException"):
        create(world, names[-1], bucket)


def policy_of(world, bucket):
    """The same for all trails of the account."""
    service = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    account = {"StringEquals": {"aws:SourceAccount": world.account_id()}}
    yield service | {"Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{bucket}", "Condition": account}
    yield service | {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": account}


def trail_key(world, region=None, without=None):
    """A key with the policy of the CloudTrail User Guide, but for the action in ``without``."""
    kms, account = world.client("kms", region or world.source_region), world.account_id()
    owner = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*"}
    service = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    trails = f"arn:aws:cloudtrail:*:{account}:trail/*"
    uses = [
        {
            "Action": "kms:GenerateDataKey*",
            "Condition": {
                "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails},
                "ArnLike": {"aws:SourceArn": trails},
            },
        },
        {"Action": "kms:DescribeKey", "Condition": {"StringEquals": {"aws:SourceAccount": account}}},
    ]
    statements = [owner, *(service | use for use in uses if use["Action"] != without)]
    document = {"Version": "2012-10-17", "Statement": [statement | {"Resource": "*"} for statement in statements]}
    key = kms.create_key(Policy=json.dumps(document))["KeyMetadata"]
    world.cleanup.callback(kms.schedule_key_deletion, KeyId=key["KeyId"], PendingWindowInDays=7)
    return key["Arn"]


@pytest.mark.parametrize("named", ["arn", "id", "alias"])
def test_encrypted_log_files(world, named):
    """CloudTrail User Guide, encrypting-cloudtrail-log-files-with-aws-kms; API, CreateTrail: KmsKeyId is an ARN."""
    source, key, kms, alias = world.bucket(), trail_key(world), world.client("kms"), f"alias/{world.name('key')}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    world.cleanup.callback(kms.delete_alias, AliasName=alias)
    identifier = {"arn": key, "id": key.rpartition("/")[2], "alias": alias}[named]
    name, log = logging_trail(world, data_events(source, **WRITES), KmsKeyId=identifier)
    trails = world.client("cloudtrail")
    assert trails.get_trail(Name=name)["Trail"]["KmsKeyId"] == key
    if named == "arn":
        world.put(source)
        world.until(lambda: records(world, log), "the write was logged")
        (file,) = log_files(world, log)
        assert world.head(log, file)["SSEKMSKeyId"] == key
        trails.update_trail(Name=name, KmsKeyId="")
        assert "KmsKeyId" not in trails.get_trail(Name=name)["Trail"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("kms:GenerateDataKey*", "InsufficientEncryptionPolicyException"),
        ("kms:DescribeKey", "InsufficientEncryptionPolicyException"),
        ("region", "KmsKeyNotFoundException"),
        ("absent", "KmsKeyNotFoundException"),
    ],
)
def test_key_that_cannot_be_used(world, refused, wrong, code):
    """CloudTrail User Guide, create-kms-key-policy-for-cloudtrail; API, CreateTrail and UpdateTrail: the key lets
    CloudTrail use it, and is in the Region of the bucket."""
    name, bucket = world.name("trail"), world.bucket()
    allow_logging(world, bucket, name)
    key = trail_key(world, world.dr_region if wrong == "region" else None, without=wrong)
    if wrong == "absent":
        key = f"{key.rpartition('/')[0]}/11111111-2222-3333-4444-555555555555"
    with refused(code):
        create(world, name, bucket, KmsKeyId=key)
    create(world, name, bucket)
    with refused(code):
        world.client("cloudtrail").update_trail(Name=name, KmsKeyId=key)


def test_log_bucket_with_default_retention(world):
    """S3 User Guide, object-lock: the default retention of the log bucket protects the log files."""
    source, name = world.bucket(), world.name("trail")
    log, s3 = world.name("bucket"), world.client("s3")
    s3.create_bucket(Bucket=log, ObjectLockEnabledForBucket=True)
    world.regions[log] = world.source_region
    world.cleanup.callback(remove_locked, s3, log)
    retention = {"Mode": "GOVERNANCE", "Days": 1}
    s3.put_object_lock_configuration(
        Bucket=log, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    )
    allow_logging(world, log, name)
    create(world, name, log)
    trails = world.client("cloudtrail")
    trails.put_event_selectors(TrailName=name, AdvancedEventSelectors=[data_events(source, **WRITES)])
    trails.start_logging(Name=name)
    world.put(source)
    world.until(lambda: records(world, log), "the write was logged")
    trails.stop_logging(Name=name)
    (file,) = log_files(world, log)
    assert world.head(log, file)["ObjectLockMode"] == "GOVERNANCE"


def remove_locked(s3, bucket):
    for version in s3.list_object_versions(Bucket=bucket).get("Versions", []):
        options = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
        s3.delete_object(**options, BypassGovernanceRetention=True)
    s3.delete_bucket(Bucket=bucket)


def test_more_values_than_a_trail_has(world, refused):
    """CloudTrail User Guide, WhatIsCloudTrail-Limits: 500 values in all advanced selectors together."""
    name, bucket = world.name("trail"), world.bucket()
    allow_logging(world, bucket, name)
    create(world, name, bucket)
    buckets = [f"bucket-{number}" for number in range(498)]
    selector = data_events(*buckets)
    put = world.client("cloudtrail").put_event_selectors
    put(TrailName=name, AdvancedEventSelectors=[selector])
    with refused("InvalidEventSelectorsException"):
        put(TrailName=name, AdvancedEventSelectors=[selector, MANAGEMENT])


def test_changes_are_made_in_the_home_region(world, refused):
    """CloudTrail API, UpdateTrail and others: InvalidHomeRegionException elsewhere, where the trail is seen."""
    name, bucket = world.name("trail"), world.bucket()
    allow_logging(world, bucket, name)
    arn = create(world, name, bucket, IsMultiRegionTrail=True)
    elsewhere = world.client("cloudtrail", world.dr_region)
    assert elsewhere.get_trail(Name=arn)["Trail"]["HomeRegion"] == world.source_region
    for change, arguments in {
        "update_trail": {"Name": arn, "IncludeGlobalServiceEvents": False},
        "stop_logging": {"Name": arn},
        "delete_trail": {"Name": arn},
        "put_event_selectors": {"TrailName": arn, "AdvancedEventSelectors": [MANAGEMENT]},
    }.items():
        with refused("InvalidHomeRegionException"):
            getattr(elsewhere, change)(**arguments)


def data_events(*buckets, **fields):
    """A selector for the objects of these buckets."""
    selectors = {
        "eventCategory": {"Equals": ["Data"]},
        "resources.type": {"Equals": ["AWS::S3::Object"]},
        "resources.ARN": {"StartsWith": [f"arn:aws:s3:::{bucket}/" for bucket in buckets]},
        **fields,
    }
    return {"FieldSelectors": [{"Field": field} | wish for field, wish in selectors.items()]}


WRITES = {"readOnly": {"Equals": ["false"]}}


def logging_trail(world, *selectors, **options):
    """A trail that logs what is selected, and its log bucket."""
    name, bucket, trails = world.name("trail"), world.bucket(), world.client("cloudtrail")
    prefix = options.get("S3KeyPrefix", "")
    allow_logging(world, bucket, name, prefix=f"{prefix}/" if prefix else "")
    create(world, name, bucket, **options)
    if selectors:
        trails.put_event_selectors(TrailName=name, AdvancedEventSelectors=list(selectors))
    trails.start_logging(Name=name)
    world.cleanup.callback(trails.stop_logging, Name=name)
    return name, bucket


def log_files(world, bucket):
    """The log files by key: their records."""
    s3 = world.s3_of(bucket)
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    bodies = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys if key.endswith(".json.gz")}
    return {key: json.loads(gzip.decompress(body))["Records"] for key, body in bodies.items()}


def records(world, bucket, name=None):
    everything = [record for found in log_files(world, bucket).values() for record in found]
    return [record for record in everything if name in (None, record["eventName"])]


def test_log_files_of_data_events(world):
    """CloudTrail User Guide, cloudtrail-find-log-files and logging-data-events-with-cloudtrail: gzip files, one path
    for each account, Region and day, with the events that an advanced selector names."""
    source = world.bucket()
    _name, log = logging_trail(world, data_events(source, **WRITES), S3KeyPrefix="dr")
    world.put(source, "some key")
    world.head(source, "some key")
    world.put(world.bucket(), "elsewhere")
    world.s3_of(source).delete_object(Bucket=source, Key="some key")
    world.until(lambda: records(world, log, "DeleteObject"), "the deletion was logged")
    account = world.account_id()
    layout = rf"dr/AWSLogs/{account}/CloudTrail/{world.source_region}/\d{{4}}/\d\d/\d\d/"
    layout += rf"{account}_CloudTrail_{world.source_region}_\d{{8}}T\d{{4}}Z_\w{{16}}\.json\.gz"
    assert all(re.fullmatch(layout, key) for key in log_files(world, log))
    found = records(world, log)
    assert {record["eventName"] for record in found} == {"PutObject", "DeleteObject"}
    (put,) = [record for record in found if record["eventName"] == "PutObject"]
    assert (put["eventSource"], put["awsRegion"]) == ("s3.amazonaws.com", world.source_region)
    assert (put["readOnly"], put["managementEvent"], put["eventCategory"]) == (False, False, "Data")
    assert put["requestParameters"]["key"] == "some key"
    assert put["resources"][0] == {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{source}/some key"}
    assert put["recipientAccountId"] == account


def test_similar_bucket_names(world):
    """CloudTrail User Guide, logging-data-events-with-cloudtrail: the slash at the end keeps similar names apart."""
    source = world.bucket()
    _name, log = logging_trail(world, data_events(source[:-1], **WRITES), data_events(source, **WRITES))
    world.put(source)
    world.until(lambda: records(world, log), "the write was logged")
    assert len(records(world, log)) == 1


def test_reads_are_logged_where_selected(world):
    """CloudTrail User Guide, logging-data-events-with-cloudtrail: without readOnly, reads and writes."""
    source = world.bucket()
    _name, log = logging_trail(world, data_events(source))
    world.put(source)
    world.head(source)
    world.until(
        lambda: {"PutObject", "HeadObject"} <= {r["eventName"] for r in records(world, log)}, "both were logged"
    )


def test_without_selectors_there_are_no_data_events(world):
    """CloudTrail User Guide, logging-data-events-with-cloudtrail: a trail logs management events, unless told."""
    source = world.bucket()
    _name, log = logging_trail(world)
    world.put(source)
    other = world.bucket()

    def creations():
        found = records(world, log, "CreateBucket")
        return [record for record in found if record["requestParameters"]["bucketName"] == other]

    (created,) = world.until(creations, "the creation of a bucket was logged")
    assert (created["managementEvent"], created["eventCategory"]) == (True, "Management")
    assert records(world, log, "PutObject") == []


def test_data_events_only(world):
    """CloudTrail API, PutEventSelectors: the selectors replace the default; management events need one of their own."""
    source = world.bucket()
    _name, log = logging_trail(world, data_events(source, **WRITES))
    world.bucket()
    world.put(source)
    world.until(lambda: records(world, log, "PutObject"), "the write was logged")
    assert records(world, log, "CreateBucket") == []


def test_all_regions(world):
    """CloudTrail User Guide, cloudtrail-find-log-files: a trail of all Regions has a folder for each."""
    other = world.bucket(world.dr_region)
    _name, log = logging_trail(world, data_events(other, **WRITES), IsMultiRegionTrail=True)
    world.put(other)
    world.until(lambda: records(world, log), "the write was logged")
    (key,) = log_files(world, log)
    assert f"/CloudTrail/{world.dr_region}/" in key


def test_one_region(world):
    """CloudTrail User Guide, WhatIsCloudTrail: a trail of one Region has the events of that Region."""
    here, there = world.bucket(), world.bucket(world.dr_region)
    _name, log = logging_trail(world, data_events(here, there, **WRITES))
    world.put(there)
    world.put(here)
    world.until(lambda: records(world, log), "the write in the trail's Region was logged")
    assert {record["awsRegion"] for record in records(world, log)} == {world.source_region}


def test_nothing_is_logged_after_the_stop(world):
    """CloudTrail API, StopLogging: what is called afterwards is not logged, what was called before still is."""
    source = world.bucket()
    name, log = logging_trail(world, data_events(source, **WRITES))
    world.put(source, "before")
    trails = world.client("cloudtrail")
    trails.stop_logging(Name=name)
    world.put(source, "stopped")
    world.until(lambda: records(world, log), "the write before the stop was logged")
    trails.start_logging(Name=name)
    world.put(source, "again")
    world.until(lambda: len(records(world, log)) > 1, "the write after the new start was logged")
    assert {record["requestParameters"]["key"] for record in records(world, log)} == {"before", "again"}


def test_status_tells_of_deliveries(world):
    """CloudTrail API, GetTrailStatus: LatestDeliveryTime; LatestDeliveryError while the bucket does not let it in."""
    source = world.bucket()
    name, log = logging_trail(world, data_events(source, **WRITES))
    trails = world.client("cloudtrail")
    assert "LatestDeliveryTime" not in trails.get_trail_status(Name=name)
    world.put(source)
    world.until(lambda: trails.get_trail_status(Name=name).get("LatestDeliveryTime"), "a delivery was told")
    world.s3_of(log).delete_bucket_policy(Bucket=log)
    world.put(source)
    world.until(lambda: trails.get_trail_status(Name=name).get("LatestDeliveryError"), "the failure was told")
    assert trails.get_trail_status(Name=name)["LatestDeliveryError"] == "AccessDenied"


def test_delivery_takes_its_time(world, control):
    """CloudTrail User Guide, get-and-view-cloudtrail-log-files: some minutes; set through the control endpoint."""
    control("settings", trail_seconds=3600)
    source = world.bucket()
    name, log = logging_trail(world, data_events(source, **WRITES))
    world.put(source)
    assert log_files(world, log) == {}
    control("settings", trail_seconds=0)
    world.until(lambda: records(world, log), "the write was logged")
    assert world.client("cloudtrail").get_trail_status(Name=name)["IsLogging"]
