# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Faults on demand, and what replication makes of a Region that is down.

All of these need the control endpoint of the local AWS. What they stand for on AWS is how boto3 sees such a fault.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

PART = 5 * 1024 * 1024
ONCE = {"retries": {"total_max_attempts": 1}}

# One call to each protocol that the product speaks: service, boto3's method, its arguments.
CALLS = {
    "s3": ("list_buckets", {}),
    "iam": ("list_roles", {}),
    "sts": ("get_caller_identity", {}),
    "sns": ("list_topics", {}),
    "sqs": ("list_queues", {}),
    "cloudwatch": ("describe_alarms", {}),
    "cloudtrail": ("describe_trails", {}),
    "ssm": ("describe_ops_items", {"OpsItemFilters": [{"Key": "Status", "Values": ["Open"], "Operator": "Equal"}]}),
    "kms": ("list_keys", {}),
}


def call(world, service, region="us-east-1", **config):
    method, arguments = CALLS[service]
    return getattr(world.client(service, region, **ONCE, **config), method)(**arguments)


def counts(control):
    return [(fault["matched"], fault["struck"]) for fault in control("faults")["faults"]]


def test_region_down(world, control):
    """The endpoints of one Region are cut off; the others go on."""
    control("faults", kind="down", region="us-west-2")
    for service in ("s3", "cloudwatch", "sts", "ssm"):
        with pytest.raises(ConnectionClosedError):
            call(world, service, "us-west-2")
        call(world, service, "eu-west-1")
    control("faults", method="DELETE")
    call(world, "s3", "us-west-2")


def test_us_east_1_takes_iam_with_it(world, control):
    """AWS Fault Isolation Boundaries, global-services: IAM's control plane is in us-east-1; Regional STS is not."""
    control("faults", kind="down", region="us-east-1")
    with pytest.raises(ConnectionClosedError):
        call(world, "iam")
    with pytest.raises(ConnectionClosedError):
        call(world, "iam", "us-west-2")
    call(world, "sts", "us-west-2")


@pytest.mark.parametrize(
    ("kind", "of_s3", "of_others"),
    [
        ("throttle", {(503, "SlowDown")}, {(400, "ThrottlingException")}),
        ("error", {(500, "InternalError")}, {(500, "InternalFailure")}),
        ("denied", {(403, "AccessDenied")}, {(403, "AccessDenied"), (400, "AccessDeniedException")}),
    ],
)
@pytest.mark.parametrize("service", CALLS)
def test_refusals(world, control, service, kind, of_s3, of_others):
    """S3 API, ErrorResponses, and the common errors of the other APIs, in the form of each protocol."""
    control("faults", kind=kind, service=service)
    with pytest.raises(ClientError) as caught:
        call(world, service)
    answer = caught.value.response
    found = answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]
    assert found in (of_s3 if service == "s3" else of_others)


def test_head_has_the_status_only(world, control):
    """S3 API, HeadObject: an answer to HEAD has no body, so the code is the status."""
    bucket = world.bucket()
    world.put(bucket)
    control("faults", kind="throttle", operation="HeadObject")
    with pytest.raises(ClientError) as caught:
        world.client("s3", **ONCE).head_object(Bucket=bucket, Key="key")
    assert caught.value.response["Error"]["Code"] == "503"


def test_slow(world, control):
    """An answer that comes late is still an answer."""
    control("faults", kind="slow", service="s3", seconds=0.7)
    started = time.monotonic()
    call(world, "s3")
    assert time.monotonic() - started >= 0.7


def test_slow_everywhere(world, control):
    """A fault without service and Region strikes every call: the global services' as well."""
    control("faults", kind="slow", seconds=0.3)
    for client in (world.client("s3"), world.client("s3", world.dr_region)):
        assert seconds_of(client.list_buckets) >= 0.3
    assert seconds_of(world.client("iam").list_roles) >= 0.3
    assert seconds_of(world.client("sts").get_caller_identity) >= 0.3
    assert seconds_of(world.client("cloudwatch", "eu-west-1").describe_alarms) >= 0.3


def seconds_of(operation):
    started = time.monotonic()
    operation()
    return time.monotonic() - started


def test_timeout(world, control):
    """No answer until the client gives up."""
    control("faults", kind="timeout", service="s3", seconds=30)
    with pytest.raises(ReadTimeoutError):
        call(world, "s3", read_timeout=0.5)


@pytest.mark.parametrize("kind", ["reset", "throttle", "error", "denied", "timeout"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_before_and_after_the_effect(world, control, kind, when):
    """A call that failed for its caller may have taken effect nevertheless."""
    bucket = world.bucket()
    control("faults", kind=kind, operation="PutObject", when=when, seconds=0.2)
    with pytest.raises((ClientError, ConnectionClosedError)):
        world.client("s3", **ONCE).put_object(Bucket=bucket, Key="key", Body=b"data")
    assert len(world.versions(bucket)) == (when == "after")


def statuses(world, number):
    """Which of so many calls succeed."""
    found = []
    for _number in range(number):
        try:
            call(world, "s3")
            found.append(True)
        except ClientError:
            found.append(False)
    return found


def test_nth_call(world, control):
    """Only the n-th matching call is broken; the others count."""
    control("faults", kind="error", operation="ListBuckets", nth=3)
    call(world, "sns")
    assert statuses(world, 4) == [True, True, False, True]
    assert counts(control) == [(4, 1)]


def test_next_calls(world, control):
    """The next k matching calls are broken, so that the SDK's repetitions are seen at work."""
    control("faults", kind="throttle", operation="ListBuckets", times=2)
    world.client("s3", retries={"total_max_attempts": 3}).list_buckets()
    assert counts(control) == [(3, 2)]


def test_probability_is_the_same_for_the_same_seed(world, control):
    """Chance that can be repeated."""
    runs = []
    for seed in (7, 7, 8):
        control("faults", method="DELETE")
        control("faults", kind="error", service="s3", probability=0.5, seed=seed)
        runs.append(statuses(world, 12))
    assert runs[0] == runs[1] != runs[2]
    assert True in runs[0]  # some calls got through: it was chance that struck, not every time
    assert False in runs[0]


def test_wrong_wish_is_refused(control):
    """A fault that nothing could match is a mistake in the test."""
    for wish in ({"kind": "fire"}, {"kind": "slow", "nth": 1, "times": 1}, {"kind": "slow", "color": "red"}):
        with pytest.raises(OSError, match="400"):
            control("faults", **wish)


def test_operations_have_boto3s_names(world, control):
    """S3's REST requests name no operation; several of them differ by a header or a query alone."""
    bucket, other = world.bucket(), world.bucket(world.dr_region)
    role = world.role(bucket, other)
    s3, where = world.s3_of(bucket), {"Bucket": bucket, "Key": "a b/ü+"}
    control("faults", kind="count", service="s3")
    names = {}

    def counted(operation, method, **arguments):
        control("faults", kind="count", service="s3", operation=operation)
        names[operation] = 1
        return getattr(s3, method)(**arguments)

    s3.put_object(**where, Body=b"data")
    counted("CopyObject", "copy_object", Bucket=bucket, Key="copy", CopySource=where)
    upload = counted("CreateMultipartUpload", "create_multipart_upload", **where)["UploadId"]
    counted("ListMultipartUploads", "list_multipart_uploads", Bucket=bucket)
    part = counted("UploadPart", "upload_part", **where, UploadId=upload, PartNumber=1, Body=b"part")
    counted("ListParts", "list_parts", **where, UploadId=upload)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    counted("CompleteMultipartUpload", "complete_multipart_upload", **where, UploadId=upload, MultipartUpload=parts)
    counted("GetObject", "get_object", **where)
    counted("HeadObject", "head_object", **where)
    counted("GetObjectAttributes", "get_object_attributes", **where, ObjectAttributes=["ETag"])
    counted("PutObjectTagging", "put_object_tagging", **where, Tagging={"TagSet": []})
    counted("ListObjectsV2", "list_objects_v2", Bucket=bucket)
    counted("ListObjectVersions", "list_object_versions", Bucket=bucket)
    counted("HeadBucket", "head_bucket", Bucket=bucket)
    rules = {"Role": role, "Rules": [world.rule(other)]}
    counted("PutBucketReplication", "put_bucket_replication", Bucket=bucket, ReplicationConfiguration=rules)
    counted("GetBucketReplication", "get_bucket_replication", Bucket=bucket)
    counted("DeleteBucketReplication", "delete_bucket_replication", Bucket=bucket)
    counted("DeleteObjects", "delete_objects", Bucket=bucket, Delete={"Objects": [{"Key": "copy"}]})
    counted("DeleteObject", "delete_object", **where)
    everything, *each = control("faults")["faults"]
    assert {fault["operation"][0]: fault["matched"] for fault in each} == names
    assert everything["matched"] == len(names) + 1


def test_pending_stays_pending_while_the_destination_is_down(world, control):
    """S3 User Guide, replication-status: while a Region is not available it stays PENDING, and resumes by itself."""
    source, destination = world.pair(DeleteMarkerReplication={"Status": "Enabled"})
    control("faults", kind="down", region=world.dr_region)
    version = world.put(source)
    world.put(source, "deleted")
    world.s3_of(source).delete_object(Bucket=source, Key="deleted")
    time.sleep(2)
    assert world.status(source) == "PENDING"
    control("faults", method="DELETE")
    assert world.until_final(source) == "COMPLETED"
    assert version in world.version_ids(destination)
    world.until(lambda: world.versions(destination, "DeleteMarkers"), "the marker arrived")


def test_pending_stays_pending_while_the_source_is_down(world, control):
    """S3 User Guide, replication-status: the same for the Region of the source."""
    source, destination = world.pair()
    control("faults", kind="down", region=world.source_region, nth=10**6)  # not for all: not an outage
    control("replication", bucket=source, lag_seconds=1.0)
    world.put(source)
    control("faults", kind="down", region=world.source_region)
    time.sleep(2)
    assert world.versions(destination) == []
    control("faults", method="DELETE")
    assert world.until_final(source) == "COMPLETED"


def test_the_other_destinations_do_not_wait(world, control):
    """S3 User Guide, replication-status: PENDING until the last destination has it."""
    source, near, far = world.bucket(), world.bucket(world.dr_region), world.bucket("eu-west-1")
    rules = [world.rule(near, ID="near", Priority=1), world.rule(far, ID="far", Priority=2)]
    world.replicate(source, world.role(source, near, far), *rules)
    control("faults", kind="down", region="eu-west-1")
    version = world.put(source)
    world.until(lambda: world.version_ids(near) == {version}, "the reachable destination has it")
    assert world.status(source) == "PENDING"
    control("faults", method="DELETE")
    assert world.until_final(source) == "COMPLETED"
    assert world.version_ids(far) == {version}


def test_refused_calls_do_not_hold_replication(world, control):
    """Throttling of callers is no outage: S3's own replication goes on."""
    source, destination = world.pair()
    control("faults", kind="throttle", service="s3", region=world.dr_region)
    world.put(source)
    assert world.until_final(source) == "COMPLETED"
    control("faults", method="DELETE")
    assert len(world.versions(destination)) == 1


def test_no_metrics_come_from_a_region_that_is_down(world, control):
    """S3 User Guide, repl-metrics: published by the destination's Region, so (inferred) missing while it is down."""
    source, destination = world.pair(to={"Metrics": {"Status": "Enabled"}})
    control("replication", bucket=source, lag_seconds=3600)
    world.put(source)

    def samples():
        now = datetime.now(UTC)
        points = world.client("cloudwatch", world.dr_region).get_metric_statistics(
            Namespace="AWS/S3",
            MetricName="OperationsPendingReplication",
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["SampleCount"],
            Dimensions=[
                {"Name": "SourceBucket", "Value": source},
                {"Name": "DestinationBucket", "Value": destination},
                {"Name": "RuleId", "Value": "dr"},
            ],
        )["Datapoints"]
        return sum(point["SampleCount"] for point in points)

    world.until(samples, "the metric was published")
    control("faults", kind="down", region=world.dr_region, service="s3")
    before = samples()
    time.sleep(2.5)
    assert samples() == before
    control("faults", method="DELETE")
    world.until(lambda: samples() > before, "it was published again")
    control("replication", bucket=source, lag_seconds=0)


def listed(world, bucket, **config):
    pages = world.client("s3", **config).get_paginator("list_object_versions")
    return [
        page["Versions"][0]["VersionId"] for page in pages.paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    ]


@pytest.mark.parametrize(("kind", "code"), [("truncate", "500"), ("error", "InternalError")])
def test_a_page_of_a_listing(world, control, kind, code):
    """The n-th page breaks: once, which the SDK's repetition heals, or from then on. boto3 takes XML that ends too soon
    for an error of the server."""
    bucket = world.bucket()
    written = [world.put(bucket, str(number)) for number in range(4)]
    control("faults", kind=kind, operation="ListObjectVersions", nth=3)
    assert listed(world, bucket) == written
    assert counts(control) == [(5, 1)]
    control("faults", method="DELETE")
    control("faults", kind=kind, operation="ListObjectVersions", skip=2)
    with pytest.raises(ClientError) as caught:
        listed(world, bucket, retries={"total_max_attempts": 2})
    assert caught.value.response["Error"]["Code"] == code
    assert counts(control) == [(4, 2)]


def test_truncated_answers_of_other_forms(world, control):
    """An answer without a body is whole; one to HEAD keeps its length."""
    bucket = world.bucket()
    world.put(bucket)
    control("faults", kind="truncate", operation=["HeadObject", "PutObject"])
    assert world.head(bucket)["ContentLength"] == len(b"data")
    assert world.put(bucket)
    assert [struck for _matched, struck in counts(control)] == [2]


def test_refusals_are_dated(world, control):
    """S3 API, RESTCommonResponseHeaders: Date stands in every answer."""
    control("faults", kind="denied", service="s3")
    with pytest.raises(ClientError) as caught:
        call(world, "s3")
    assert "date" in caught.value.response["ResponseMetadata"]["HTTPHeaders"]
