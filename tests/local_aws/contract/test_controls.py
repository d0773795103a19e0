# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What the local AWS offers beside faults and AWS does not: corruption, a clock that is off, another order of arrival.

All of these need the control endpoint of the local AWS.
"""

from __future__ import annotations

import json
import time
import urllib.error
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from botocore.exceptions import ClientError

BODY = b"some data"


def told(world, bucket, version):
    """All that S3 tells of a version, and its data."""
    head = world.head(bucket, VersionId=version, ChecksumMode="ENABLED")
    (row,) = (row for row in world.versions(bucket) if row["VersionId"] == version)
    reader = world.client(
        "s3", world.regions[bucket], response_checksum_validation="when_required"
    )  # boto3 compares it
    data = reader.get_object(Bucket=bucket, Key="key", VersionId=version)["Body"].read()
    assert (row["Size"], row["ETag"]) == (head["ContentLength"], head["ETag"])
    fixed = (row["LastModified"], row["IsLatest"], head["ReplicationStatus"], head["Metadata"])
    return {"data": data, "size": row["Size"], "etag": row["ETag"], "crc": head["ChecksumCRC32"], "fixed": fixed}


@pytest.mark.parametrize("is_current", [True, False])
@pytest.mark.parametrize(
    ("what", "others"),
    [
        ("data", {"data"}),
        ("content", {"data", "etag", "crc"}),
        ("size", {"data", "size", "etag", "crc"}),
        ("etag", {"etag"}),
    ],
)
def test_corruption(world, control, what, others, is_current):
    """Of one stored version just that is other than before; the source is as it was."""
    source, destination = world.pair()
    version = world.put(source, body=BODY, Metadata={"owner": "me"}, ChecksumAlgorithm="CRC32")
    if not is_current:
        world.put(source)
    world.settle(source, "key")
    before = told(world, destination, version)
    assert before["data"] == BODY
    control("corruption", bucket=destination, key="key", version_id=version, what=what)
    after = told(world, destination, version)
    assert {name for name in before if before[name] != after[name]} == others
    assert len(after["data"]) == len(BODY) - (what == "size")
    assert told(world, source, version)["data"] == BODY


def test_wrong_corruption_is_refused(world, control):
    """A version that is not there, and what is not offered, are mistakes in the test."""
    bucket = world.bucket()
    version, where = world.put(bucket), {"bucket": bucket, "key": "key"}
    wishes = [
        where | {"version_id": "none", "what": "data"},
        where | {"version_id": version, "what": "color"},
        where | {"version_id": version},
        {"bucket": "none", "key": "key", "version_id": version, "what": "data"},
    ]
    for wish in wishes:
        with pytest.raises(urllib.error.HTTPError, match="400"):
            control("corruption", **wish)


@pytest.mark.parametrize("seconds", [-86400, 600])
def test_clock(world, control, seconds):
    """S3's times are S3's: answers, objects and roles are dated by AWS's clock, and a request in time is accepted."""
    control("settings", clock_seconds=seconds)
    source, destination = world.pair()
    written = world.put(source)
    answer = world.head(source)
    named = world.client("iam").create_role(RoleName=world.name("role"), AssumeRolePolicyDocument=json.dumps({}))
    world.cleanup.callback(world.client("iam").delete_role, RoleName=named["Role"]["RoleName"])
    times = [
        answer["LastModified"],
        parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]),
        named["Role"]["CreateDate"],
    ]
    control("settings", method="DELETE")
    for moment in times:
        assert abs(moment - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=30)
    world.settle(source, "key")
    assert world.head(destination, VersionId=written)["LastModified"] == times[0]
    assert abs(world.head(source)["LastModified"].timestamp() - time.time() - seconds) < 30


@pytest.mark.parametrize("by_arrival", [False, True])
def test_order_of_arrival(world, control, by_arrival):
    """After both ends wrote a key: the last write is current at both ends, or at each end what arrived there last."""
    control("settings", order_by_arrival=float(by_arrival))
    here, there = world.bucket(), world.bucket(world.dr_region)
    for source, destination in ((here, there), (there, here)):
        world.replicate(source, world.role(source, destination), world.rule(destination))
        control("replication", bucket=source, lag_seconds=3600)
    first, last = world.put(here), world.put(there)
    for bucket in (here, there):
        control("replication", bucket=bucket, lag_seconds=0)
    for bucket in (here, there):
        world.until(lambda bucket=bucket: world.version_ids(bucket) == {first, last}, "both ends hold both")
    current = [
        version["VersionId"] for bucket in (here, there) for version in world.versions(bucket) if version["IsLatest"]
    ]
    assert current == ([last, first] if by_arrival else [last, last])


def test_filling(world, control):
    """As if each version had been written and replicated; 10,000 of one key are listed page by page."""
    source, destination = world.pair()
    control("filling", bucket=source, destination=destination, key="many", versions=10000)
    control("filling", bucket=source, destination=destination, key="each/{}", versions=3)
    here, there = (
        [
            row
            for page in world.s3_of(bucket).get_paginator("list_object_versions").paginate(Bucket=bucket)
            for row in page["Versions"]
        ]
        for bucket in (source, destination)
    )
    assert len(here) == 10003
    same = ("Key", "VersionId", "Size", "ETag", "IsLatest")
    assert [[row[name] for name in same] for row in here] == [[row[name] for name in same] for row in there]
    assert len({row["VersionId"] for row in here}) == 10003
    assert sum(row["IsLatest"] for row in here) == 4
    assert [world.head(bucket, "each/000000002")["ReplicationStatus"] for bucket in (source, destination)] == [
        "COMPLETED",
        "REPLICA",
    ]
    oldest = here[-1]["VersionId"]
    assert (
        world.s3_of(destination).get_object(Bucket=destination, Key="many", VersionId=oldest)["Body"].read() == b"data"
    )
    world.put(source, "many")
    assert world.until_final(source, "many") == "COMPLETED"
    control("filling", bucket=source, destination=destination, key="many", versions=0)
    for bucket in (source, destination):
        assert {row["Key"] for row in world.versions(bucket)} == {f"each/{number:09}" for number in range(3)}


def test_mail_that_is_read(world, control):
    """Only the subscriptions of that address are confirmed, in all Regions."""
    topics = {}
    for region in (world.source_region, world.dr_region):
        sns = world.client("sns", region)
        topics[region] = sns.create_topic(Name=world.name("topic"))["TopicArn"]
        world.cleanup.callback(sns.delete_topic, TopicArn=topics[region])
        for address in ("reader@example.com", "other@example.com"):
            sns.subscribe(TopicArn=topics[region], Protocol="email", Endpoint=address)
    confirmed = control("mail", to="reader@example.com")["confirmed"]
    assert {arn.rpartition(":")[0] for arn in confirmed} == set(topics.values())
    for region, topic in topics.items():
        sns = world.client("sns", region)
        listed = {
            item["Endpoint"]: item["SubscriptionArn"]
            for item in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        }
        assert listed["reader@example.com"] in confirmed
        assert listed["other@example.com"] == "PendingConfirmation"
        attributes = sns.get_subscription_attributes(SubscriptionArn=listed["reader@example.com"])["Attributes"]
        assert attributes["PendingConfirmation"] == "false"
    assert control("mail", to="reader@example.com") == {"confirmed": []}


# A bucket that is lost


def test_lost_bucket_is_gone_with_its_versions(world, control):
    """At once, with its configuration, and its name is free; the other end is as it was."""
    source, destination = world.pair()
    versions = {world.put(source), world.put(source, "other")}
    world.settle(source, "key", "other")
    world.s3_of(source).create_multipart_upload(Bucket=source, Key="upload")
    assert control("loss", bucket=source)["versions"] == 2
    s3 = world.s3_of(source)
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=source)
    assert world.version_ids(destination) == versions
    s3.create_bucket(Bucket=source)
    assert world.versions(source) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=source)
    assert "Status" not in s3.get_bucket_versioning(Bucket=source)
    with pytest.raises(ClientError, match="ReplicationConfigurationNotFoundError"):
        s3.get_bucket_replication(Bucket=source)


def test_what_waits_when_a_bucket_is_lost(world, control):
    """What is in it never arrives; what is on its way to it fails."""
    source, destination = world.pair()
    control("replication", bucket=source, lag_seconds=1)
    world.put(source)
    control("loss", bucket=destination)
    assert world.until_final(source) == "FAILED"
    source, destination = world.pair()
    control("replication", bucket=source, lag_seconds=1)
    world.put(source)
    control("loss", bucket=source)
    time.sleep(1.5)
    assert world.versions(destination) == []


def test_object_lock_does_not_keep_a_lost_bucket(world, control):
    """It keeps callers from deleting; a bucket that is destroyed is not asked."""
    bucket = world.name("bucket")
    s3 = world.client("s3")
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=1)
    s3.put_object(Bucket=bucket, Key="key", Body=BODY, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    assert control("loss", bucket=bucket)["versions"] == 1
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=bucket)


def test_loss_of_a_bucket_that_is_not_there(control):
    """A name that nobody has is a mistake in the test."""
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control("loss", bucket="contract-never-was")
