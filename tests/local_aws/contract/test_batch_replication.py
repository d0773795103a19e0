# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Batch Replication: what is selected, and what becomes of it."""

from __future__ import annotations

import datetime

import pytest

from local_aws.contract.batch import Batch

NO_KEYS = "Manifest generation found no keys matching the filter criteria"


@pytest.fixture(name="late_pair")
def late_pair_fixture(world):
    """Two buckets, and a function that puts the rule between them: objects written before it are not replicated."""
    source, destination = world.bucket(), world.bucket(world.dr_region)

    def start(**changes):
        world.replicate(source, world.role(source, destination), world.rule(destination, **changes))
        return Batch(world, source, destination)

    return source, destination, start


def test_objects_from_before_the_rule(world, late_pair):
    """S3 User Guide, s3-batch-replication-batch: existing objects are replicated, every version with its ID."""
    source, destination, start = late_pair
    written = {world.put(source, "old", b"1"), world.put(source, "old", b"22"), world.put(source, "other")}
    batch = start()
    job = batch.replicate(ManifestGenerator=batch.generator(ObjectReplicationStatuses=["NONE"]))
    assert job["ProgressSummary"]["TotalNumberOfTasks"] == job["ProgressSummary"]["NumberOfTasksSucceeded"] == 3
    assert world.version_ids(destination) == written
    assert (world.status(source, "old"), world.status(destination, "old")) == ("COMPLETED", "REPLICA")
    assert world.head(destination, "old")["ContentLength"] == 2
    assert world.head(destination, "old")["LastModified"] == world.head(source, "old")["LastModified"]


def test_metadata_and_tags_come_along(world, late_pair):
    """S3 User Guide, replication: a replica keeps metadata and tags, in Batch Replication too."""
    source, destination, start = late_pair
    world.put(source, Metadata={"owner": "blue"}, Tagging="team=blue", ContentType="text/plain")
    start().replicate()
    head = world.head(destination)
    assert (head["Metadata"], head["ContentType"]) == ({"owner": "blue"}, "text/plain")
    tags = world.s3_of(destination).get_object_tagging(Bucket=destination, Key="key")["TagSet"]
    assert tags == [{"Key": "team", "Value": "blue"}]


def test_object_from_before_versioning(world):
    """S3 User Guide, versioning-workflows: it has the version ID null; Batch Replication replicates it."""
    source, destination = world.bucket(versioned=False), world.bucket(world.dr_region)
    s3 = world.s3_of(source)
    s3.put_object(Bucket=source, Key="key", Body=b"old")
    s3.put_bucket_versioning(Bucket=source, VersioningConfiguration={"Status": "Enabled"})
    world.replicate(source, world.role(source, destination), world.rule(destination))
    Batch(world, source, destination).replicate()
    assert world.status(source) == "COMPLETED"
    assert world.version_ids(destination) == {"null"}


def test_failed_objects(world):
    """S3 User Guide, replication-status: FAILED stays until Batch Replication brings the object over."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, world.role(source, destination, without="s3:ReplicateObject"), world.rule(destination))
    version = world.put(source)
    assert world.until_final(source) == "FAILED"
    world.replicate(source, world.role(source, destination), world.rule(destination))
    batch = Batch(world, source, destination)
    assert batch.selected(ObjectReplicationStatuses=["NONE", "COMPLETED", "REPLICA"]) == set()
    batch.replicate(ManifestGenerator=batch.generator(ObjectReplicationStatuses=["FAILED"]))
    assert world.status(source) == "COMPLETED"
    assert world.version_ids(destination) == {version}


def test_replicas(world):
    """S3 User Guide, s3-batch-replication-batch: a replica goes on to a third bucket only by Batch Replication."""
    source, middle = world.pair()
    last = world.bucket("eu-west-1")
    world.replicate(middle, world.role(middle, last), world.rule(last))
    version = world.put(source)
    world.settle(source, "key")
    batch = Batch(world, middle, last)
    assert batch.selected(ObjectReplicationStatuses=["NONE", "COMPLETED", "FAILED"]) == set()
    batch.replicate(ManifestGenerator=batch.generator(ObjectReplicationStatuses=["REPLICA"]))
    assert world.version_ids(last) == {version}


def test_new_destination_of_completed_objects(world):
    """S3 User Guide, s3-batch-replication-batch: COMPLETED fills a destination that was added later."""
    source, first = world.pair()
    version = world.put(source)
    world.settle(source, "key")
    second = world.bucket("eu-west-1")
    rules = [world.rule(first), world.rule(second, ID="second", Priority=2)]
    world.replicate(source, world.role(source, first, second), *rules)
    batch = Batch(world, source, first, second)
    assert batch.selected(ObjectReplicationStatuses=["NONE", "FAILED"]) == set()
    batch.replicate(ManifestGenerator=batch.generator(ObjectReplicationStatuses=["COMPLETED"]))
    assert world.version_ids(first) == world.version_ids(second) == {version}
    assert world.status(source) == "COMPLETED"


def test_only_what_the_rules_select(world, late_pair):
    """S3 API, JobManifestGeneratorFilter: EligibleForReplication."""
    source, destination, start = late_pair
    world.put(source, "in/a")
    world.put(source, "out/a")
    batch = start(Filter={"Prefix": "in/"})
    assert batch.selected() == {"in/a"}
    assert batch.selected(EligibleForReplication=False) == {"in/a", "out/a"}
    batch.replicate()
    assert {version["Key"] for version in world.versions(destination)} == {"in/a"}


def test_delete_markers_where_the_rule_says_so(world, late_pair):
    """S3 User Guide, delete-marker-replication: only where the rule says so, in Batch Replication too."""
    source, destination, start = late_pair
    world.put(source)
    world.s3_of(source).delete_object(Bucket=source, Key="key")
    start().replicate()
    assert world.versions(destination, "DeleteMarkers") == []
    start(DeleteMarkerReplication={"Status": "Enabled"}).replicate()
    assert world.version_ids(destination, "DeleteMarkers") == world.version_ids(source, "DeleteMarkers")


def test_filters(world, late_pair):
    """S3 API, JobManifestGeneratorFilter and KeyNameConstraint: every part must be met."""
    source, _destination, start = late_pair
    for key, body, storage_class in (
        ("logs/a.txt", b"", "STANDARD"),
        ("logs/b.csv", b"12345", "STANDARD_IA"),
        ("data/c.txt", b"1234567890", "STANDARD"),
    ):
        world.put(source, key, body, StorageClass=storage_class)
    select = start().selected
    assert select(KeyNameConstraint={"MatchAnyPrefix": ["logs/"]}) == {"logs/a.txt", "logs/b.csv"}
    assert select(KeyNameConstraint={"MatchAnySuffix": [".txt"]}) == {"logs/a.txt", "data/c.txt"}
    assert select(KeyNameConstraint={"MatchAnySubstring": ["s/b"]}) == {"logs/b.csv"}
    assert select(KeyNameConstraint={"MatchAnyPrefix": ["logs/"], "MatchAnySuffix": [".txt"]}) == {"logs/a.txt"}
    assert select(ObjectSizeGreaterThanBytes=5) == {"data/c.txt"}
    assert select(ObjectSizeLessThanBytes=5) == {"logs/a.txt"}
    assert select(MatchAnyStorageClass=["STANDARD_IA", "GLACIER_IR"]) == {"logs/b.csv"}
    assert select(MatchAnyObjectEncryption=[{"SSEKMS": {}}]) == set()
    assert select(ObjectSizeGreaterThanBytes=5, MatchAnyStorageClass=["STANDARD_IA"]) == set()


def test_filters_by_time(world, late_pair):
    """S3 API, JobManifestGeneratorFilter: CreatedAfter and CreatedBefore."""
    source, _destination, start = late_pair
    world.put(source, "old")
    created = world.head(source, "old")["LastModified"]
    world.until(
        lambda: world.put(source, "new") and world.head(source, "new")["LastModified"] > created,
        "an object is newer by a second",
    )
    select, second = start().selected, datetime.timedelta(seconds=1)
    between = created + second / 2
    new = {"new"} if world.head(source, "new")["LastModified"] > between else set()
    assert select(CreatedAfter=created - second, CreatedBefore=created + second * 600) == {"old", "new"}
    assert select(CreatedAfter=created + second) == new
    assert select(CreatedBefore=created - second) == set()


def test_archived_objects_are_not_eligible(world, late_pair):
    """S3 User Guide, troubleshooting-batch-operations: objects in GLACIER are not found."""
    source, _destination, start = late_pair
    world.put(source, StorageClass="GLACIER")
    job = start().run()
    assert job["Status"] == "Failed"
    assert NO_KEYS in job["FailureReasons"][0]["FailureReason"]


def test_nothing_to_do(world):
    """S3 User Guide, troubleshooting-batch-operations: a job without keys is Failed, and says why."""
    job = Batch(world, *world.pair()).run()
    assert job["Status"] == "Failed"
    assert NO_KEYS in job["FailureReasons"][0]["FailureReason"]
    assert job["ProgressSummary"]["TotalNumberOfTasks"] == 0


def test_csv_manifest_without_version_ids(world, late_pair):
    """S3 User Guide, batch-ops-create-job: without version IDs the current version is meant; keys are URL-encoded."""
    source, destination, start = late_pair
    key = 'a b+ü/%41,"c"'
    world.put(source, key, b"old")
    current = world.put(source, key, b"new")
    batch = start()
    job = batch.replicate(ManifestGenerator=None, Manifest=batch.manifest((key,)))
    assert world.version_ids(destination) == {current}
    assert [row["Key"] for row in batch.outcomes(job["JobId"])] == [key]


def test_csv_manifest_with_version_ids(world, late_pair):
    """S3 User Guide, batch-ops-create-job: with version IDs those versions are meant, and none may be empty."""
    source, destination, start = late_pair
    older = world.put(source, "key", b"old")
    world.put(source, "key", b"new")
    world.put(source, "nameless")
    batch = start()
    job = batch.run(ManifestGenerator=None, Manifest=batch.manifest(("key", older), ("nameless", "")))
    assert (job["Status"], world.version_ids(destination)) == ("Complete", {older})
    assert batch.failures(job["JobId"]) == {"nameless": {"InvalidRequest", "400"}}


def test_tasks_that_find_nothing(world, late_pair):
    """S3 User Guide, replication-metrics-events: the report has the reasons; the job is Complete all the same."""
    source, destination, start = late_pair
    gone = world.put(source, "key")
    world.put(source, "key")
    world.s3_of(source).delete_object(Bucket=source, Key="key", VersionId=gone)
    world.put(source, "out")
    batch = start(Filter={"Prefix": "key"})
    rows = [("key", gone), ("out", world.head(source, "out")["VersionId"])]
    job = batch.run(ManifestGenerator=None, Manifest=batch.manifest(*rows))
    assert (job["Status"], job["ProgressSummary"]["NumberOfTasksFailed"]) == ("Complete", 2)
    found = batch.failures(job["JobId"])
    assert "SrcVersionNotFound" in found["key"]
    assert "SrcObjectNotEligible" in found["out"]
    assert world.versions(destination) == []


def test_version_deleted_by_id_at_the_destination(world):
    """S3 User Guide, s3-batch-replication-batch: it cannot be replicated again (DstObjectHardDeleted); a copy of the
    object onto itself can."""
    source, destination = world.pair()
    version = world.put(source)
    world.settle(source, "key")
    world.s3_of(destination).delete_object(Bucket=destination, Key="key", VersionId=version)
    batch = Batch(world, source, destination)
    job = batch.run()
    assert (job["Status"], job["ProgressSummary"]["NumberOfTasksFailed"]) == ("Complete", 1)
    assert "DstObjectHardDeleted" in batch.failures(job["JobId"])["key"]
    assert world.versions(destination) == []
    copy = world.s3_of(source).copy_object(
        Bucket=source, Key="key", CopySource={"Bucket": source, "Key": "key"}, MetadataDirective="REPLACE"
    )
    world.settle(source, "key")
    assert world.version_ids(destination) == {copy["VersionId"]}


def test_replication_role_does_the_copying(world):
    """S3 User Guide, s3-batch-replication-policies: the job's role only starts it; what the replication role may not
    do fails, and the object is FAILED."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.put(source)
    world.replicate(source, world.role(source, destination, without="s3:ReplicateObject"), world.rule(destination))
    batch = Batch(world, source, destination)
    job = batch.run()
    assert (job["Status"], job["ProgressSummary"]["NumberOfTasksFailed"]) == ("Complete", 1)
    assert "DstPutObjectNotPermitted" in batch.failures(job["JobId"])["key"]
    assert world.status(source) == "FAILED"


def test_bucket_without_replication(world):
    """S3 User Guide, s3-batch-replication-batch: the bucket needs a replication configuration."""
    source = world.bucket()
    world.put(source)
    batch = Batch(world, source)
    job = batch.run(ManifestGenerator=None, Manifest=batch.manifest(("key",)))
    assert "SrcBucketReplicationConfigMissing" in batch.failures(job["JobId"])["key"]


def test_bucket_of_another_region(world):
    """S3 User Guide, s3-batch-replication-batch: the job is made in the source bucket's Region."""
    source, destination = world.pair()
    world.put(source)
    batch = Batch(world, source, destination, region=world.dr_region)
    assert batch.run()["Status"] == "Failed"
    job = batch.run(ManifestGenerator=None, Manifest=batch.manifest(("key",)))
    assert "SrcBucketInvalidRegion" in batch.failures(job["JobId"])["key"]


def test_failures_count(world):
    """S3 User Guide, repl-metrics: OperationsFailedReplication counts what Batch Replication fails to do."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.put(source)
    rule = world.rule(destination, to={"Metrics": {"Status": "Enabled"}})
    world.replicate(source, world.role(source, destination, without="s3:ReplicateObject"), rule)
    assert Batch(world, source, destination).run()["ProgressSummary"]["NumberOfTasksFailed"] == 1
    dimensions = {"SourceBucket": source, "DestinationBucket": destination, "RuleId": rule["ID"]}
    now = datetime.datetime.now(datetime.UTC)
    query = {
        "Namespace": "AWS/S3",
        "MetricName": "OperationsFailedReplication",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "StartTime": now - datetime.timedelta(minutes=10),
        "EndTime": now + datetime.timedelta(minutes=10),
        "Period": 3600,
        "Statistics": ["Sum"],
    }
    cloudwatch = world.client("cloudwatch", world.source_region)
    world.until(
        lambda: sum(point["Sum"] for point in cloudwatch.get_metric_statistics(**query)["Datapoints"]) == 1,
        "the failure was counted",
    )
