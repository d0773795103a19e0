# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What still works while a Region is down, or while only the control plane in us-east-1 is.

All of these need the control endpoint of the local AWS.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from http.client import RemoteDisconnected

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionClosedError

from local_aws.contract.batch import Batch
from local_aws.contract.batch import control as s3control
from local_aws.contract.test_access_points import AccessPoint

ONCE = {"retries": {"total_max_attempts": 1}}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})


@contextlib.contextmanager
def cut():
    with pytest.raises(ConnectionClosedError):
        yield


def test_what_a_failover_needs_works_in_the_other_region(world, control):
    """AWS Fault Isolation Boundaries, regional services: Regional STS, objects, parameters, topics and metrics of the
    surviving Region need nothing of the one that is down."""
    bucket, name = world.bucket(world.dr_region), f"/contract/{world.name('pointer')}"
    sns = world.client("sns", world.dr_region)
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    world.cleanup.callback(sns.delete_topic, TopicArn=topic)
    ssm = world.client("ssm", world.dr_region)
    world.cleanup.callback(ssm.delete_parameter, Name=name)
    control("faults", kind="down", region=world.source_region)
    assert world.client("sts", world.dr_region, **ONCE).get_caller_identity()["Account"]
    assert world.put(bucket)
    assert world.head(bucket)["ContentLength"] == 4
    assert len(world.versions(bucket)) == 1
    ssm.put_parameter(Name=name, Value="dr", Type="String")
    sns.publish(TopicArn=topic, Message="failed over")
    assert pending(world, world.dr_region, "source", bucket, "dr") == 0
    with cut():
        world.client("sts", world.source_region, **ONCE).get_caller_identity()
    for service, operation, arguments in (
        ("ssm", "put_parameter", {"Name": name, "Value": "dr", "Type": "String"}),
        ("sns", "list_topics", {}),
        ("cloudwatch", "describe_alarms", {}),
        ("s3", "list_buckets", {}),
        ("kms", "list_keys", {}),
        ("iam", "list_roles", {}),
    ):
        with cut():
            getattr(world.client(service, world.source_region, **ONCE), operation)(**arguments)


def pending(world, region, source, destination, rule):
    """How many data points of pending operations there were in the last minutes."""
    now = datetime.now(UTC)
    points = world.client("cloudwatch", region).get_metric_statistics(
        Namespace="AWS/S3",
        MetricName="OperationsPendingReplication",
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["SampleCount"],
        Dimensions=[
            {"Name": "SourceBucket", "Value": source},
            {"Name": "DestinationBucket", "Value": destination},
            {"Name": "RuleId", "Value": rule},
        ],
    )["Datapoints"]
    return sum(point["SampleCount"] for point in points)


def test_nothing_new_is_measured_of_a_source_that_is_down(world, control):
    """A choice: AWS does not say what the other Region publishes meanwhile. The data points of before stay."""
    source, destination = world.pair(to={"Metrics": {"Status": "Enabled"}})
    control("replication", bucket=source, lag_seconds=3600)
    world.put(source)

    def samples():
        return pending(world, world.dr_region, source, destination, "dr")

    world.until(samples, "the metric was published")
    control("faults", kind="down", region=world.source_region)
    before = samples()
    time.sleep(2.5)
    assert samples() == before
    control("faults", method="DELETE")
    world.until(lambda: samples() > before, "it was published again")
    control("replication", bucket=source, lag_seconds=0)


# The control plane in us-east-1


def test_control_plane_is_cut_in_every_region(world, control):
    """AWS Fault Isolation Boundaries, global-services: configuration of buckets and IAM depend on us-east-1."""
    bucket = world.bucket(world.dr_region)
    role = world.role(bucket).rpartition("/")[2]
    s3 = world.client("s3", world.dr_region, **ONCE)
    iam = world.client("iam", **ONCE)
    control("faults", kind="down", control_plane=True)
    place = {"CreateBucketConfiguration": {"LocationConstraint": world.dr_region}}
    rules = {"Role": "arn:aws:iam::111122223333:role/x", "Rules": [world.rule(bucket)]}
    enabled = {"ObjectLockEnabled": "Enabled"}
    writes = [
        (s3.create_bucket, {"Bucket": world.name("bucket"), **place}),
        (s3.delete_bucket, {"Bucket": bucket}),
        (s3.put_bucket_policy, {"Bucket": bucket, "Policy": POLICY}),
        (s3.delete_bucket_policy, {"Bucket": bucket}),
        (s3.put_bucket_versioning, {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}}),
        (s3.put_bucket_replication, {"Bucket": bucket, "ReplicationConfiguration": rules}),
        (s3.delete_bucket_replication, {"Bucket": bucket}),
        (s3.put_bucket_tagging, {"Bucket": bucket, "Tagging": {"TagSet": []}}),
        (s3.delete_bucket_tagging, {"Bucket": bucket}),
        (s3.put_bucket_notification_configuration, {"Bucket": bucket, "NotificationConfiguration": {}}),
        (s3.put_object_lock_configuration, {"Bucket": bucket, "ObjectLockConfiguration": enabled}),
        (s3.put_public_access_block, {"Bucket": bucket, "PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}),
        (s3.delete_public_access_block, {"Bucket": bucket}),
        (iam.create_role, {"RoleName": world.name("role"), "AssumeRolePolicyDocument": POLICY}),
        (iam.put_role_policy, {"RoleName": role, "PolicyName": "x", "PolicyDocument": POLICY}),
        (iam.tag_role, {"RoleName": role, "Tags": []}),
    ]
    for write, arguments in writes:
        with cut():
            write(**arguments)
    (fault,) = control("faults")["faults"]
    assert fault["struck"] == len(writes)


def test_data_plane_goes_on_without_it(world, control):
    """AWS Fault Isolation Boundaries: objects, reads of configurations, replication, and all other services."""
    source, _destination = world.pair()
    control("faults", kind="down", control_plane=True)
    s3, name = world.client("s3", **ONCE), f"/contract/{world.name('pointer')}"
    world.put(source)
    assert world.until_final(source) == "COMPLETED"
    s3.put_object_tagging(Bucket=source, Key="key", Tagging={"TagSet": []})
    s3.delete_object(Bucket=source, Key="key")
    s3.get_bucket_replication(Bucket=source)
    s3.list_object_versions(Bucket=source)
    world.client("iam", **ONCE).list_roles()
    world.client("sts", **ONCE).get_caller_identity()
    ssm = world.client("ssm", **ONCE)
    ssm.put_parameter(Name=name, Value="dr", Type="String")
    ssm.delete_parameter(Name=name)
    (fault,) = control("faults")["faults"]
    assert fault["struck"] == 0


# Multi-Region Access Points


@pytest.fixture
def point(world):
    """An access point for a bucket in each of two Regions, once it is ready."""
    made = AccessPoint(world, world.bucket(), world.bucket(world.dr_region))
    made.until_done(made.token)
    return made


def read_through(point, key):
    """GET through the access point, as its host tells it from its buckets."""
    alias = point.describe()["Alias"]
    request = AWSRequest("GET", f"{point.world.endpoint}/{key}")
    request.headers["Host"] = f"{alias}.accesspoint.s3-global.amazonaws.com"
    S3SigV4Auth(Credentials(point.account, "not-a-secret"), "s3", "eu-west-1").add_auth(request)
    sent = urllib.request.Request(request.url, headers=dict(request.headers))
    with urllib.request.urlopen(sent, timeout=10) as answer:
        return answer.read()


def test_routes_lead_away_from_the_region_that_is_down(point, control):
    """S3 User Guide, MrapFailover: requests go where the routes lead, even to a Region that is down; the routes are
    changed in one of five Regions, so in another than that one."""
    first, second = point.buckets
    for bucket in point.buckets:
        point.world.put(bucket, body=bucket.encode())
    assert read_through(point, "key").decode() == first
    control("faults", kind="down", region=point.world.source_region)
    with pytest.raises((ConnectionError, RemoteDisconnected)):
        read_through(point, "key")
    arguments = {"AccountId": point.account, "Mrap": point.arn}
    with cut():
        s3control(point.world, point.world.source_region).get_multi_region_access_point_routes(**arguments)
    point.route(region="eu-west-1", to={first: 0, second: 100})
    point.world.until(lambda: point.routes("ap-southeast-2") == {first: 0, second: 100}, "the routes changed")
    assert read_through(point, "key").decode() == second


def test_control_plane_of_access_points_is_in_one_region(point, control):
    """S3 User Guide, multiregionaccesspointrestrictions: while us-west-2 is down the routes can be changed, the access
    point cannot be asked for."""
    arn = point.arn
    control("faults", kind="down", region="us-west-2")
    with cut():
        point.describe()
    elsewhere = s3control(point.world, "us-east-1")
    routes = elsewhere.get_multi_region_access_point_routes(AccountId=point.account, Mrap=arn)["Routes"]
    assert {route["Bucket"] for route in routes} == set(point.buckets)


# Batch Operations


def test_job_waits_for_the_region_of_its_destination(world, control):
    """S3 User Guide, replication-status, for the objects of a job: what cannot be brought now is brought later."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    version = world.put(source)
    world.replicate(source, world.role(source, destination), world.rule(destination))
    batch = Batch(world, source, destination)
    control("faults", kind="down", region=world.dr_region)
    job = batch.create()
    batch.until(job, "Active")
    time.sleep(1)
    assert batch.describe(job)["ProgressSummary"]["NumberOfTasksSucceeded"] == 0
    assert batch.describe(job)["Status"] == "Active"
    control("faults", method="DELETE")
    assert batch.until(job, "Complete")["ProgressSummary"]["NumberOfTasksSucceeded"] == 1
    assert world.version_ids(destination) == {version}


def test_job_stands_still_while_its_own_region_is_down(world, control):
    """A job runs in a Region, and goes on with it."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.put(source)
    world.replicate(source, world.role(source, destination), world.rule(destination))
    batch = Batch(world, source, destination)
    job = batch.create(ConfirmationRequired=True)
    batch.until(job, "Suspended")
    batch.update(job, "Ready")
    control("faults", kind="down", region=world.source_region)
    time.sleep(1)
    assert world.versions(destination) == []
    control("faults", method="DELETE")
    assert batch.until(job, "Complete")
    assert len(world.versions(destination)) == 1
