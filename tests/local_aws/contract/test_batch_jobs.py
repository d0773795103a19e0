# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Batch Operations jobs: how they are made, confirmed, cancelled, listed and reported."""

from __future__ import annotations

import re
import time

import pytest
from botocore.exceptions import ClientError

from local_aws.contract.batch import ENDED, Batch, control

# The service model has the first of each; what AWS answers has been seen as the second.
BAD_REQUEST = ("BadRequestException", "InvalidRequest", "MalformedXML")
NOT_FOUND = ("NotFoundException", "NoSuchJob")


@pytest.fixture(name="batch")
def batch_fixture(world):
    """A bucket with two objects from before its rule."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.put(source, "a b")
    world.put(source, "other")
    world.replicate(source, world.role(source, destination), world.rule(destination))
    return Batch(world, source, destination)


def code_of(call, **request):
    """The error code of a call that is refused."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"]


def test_description(batch):
    """S3 API, DescribeJob."""
    request = batch.request(
        Description="first sync", Priority=7, Report=batch.report_wish(ExpectedBucketOwner=batch.account)
    )
    job = batch.until(batch.client.create_job(**request)["JobId"], *ENDED)
    assert job["Status"] == "Complete"
    assert job["JobArn"] == f"arn:aws:s3:{batch.region}:{batch.account}:job/{job['JobId']}"
    for name in ("Description", "Operation", "RoleArn", "Priority", "ConfirmationRequired", "ManifestGenerator"):
        assert job[name] == request[name]
    assert request["Report"].items() <= job["Report"].items()
    progress = job["ProgressSummary"]
    assert (progress["TotalNumberOfTasks"], progress["NumberOfTasksFailed"]) == (2, 0)
    assert progress["Timers"]["ElapsedTimeInActiveSeconds"] >= 0
    assert job["CreationTime"] <= job["TerminationDate"]
    assert not job.get("FailureReasons")


@pytest.mark.parametrize("member", ["Operation", "Report", "ClientRequestToken", "Priority", "RoleArn"])
def test_required_members(batch, member):
    """S3 API, CreateJob: each of these is required."""

    def leave_out(params, **_rest):
        assert f"<{member}>".encode() in params["body"]
        params["body"] = re.sub(rf"<{member}>.*</{member}>".encode(), b"", params["body"])

    batch.client.meta.events.register("before-call.s3-control.CreateJob", leave_out)
    assert code_of(batch.client.create_job, **batch.request()) in BAD_REQUEST


def test_manifest_or_generator(batch):
    """S3 API, CreateJob: either a manifest or a manifest generator, but not both."""
    both = batch.request(Manifest=batch.manifest(("other",)))
    assert code_of(batch.client.create_job, **both) in BAD_REQUEST
    assert code_of(batch.client.create_job, **batch.request(ManifestGenerator=None)) in BAD_REQUEST


def test_key_name_constraint_of_two(batch):
    """S3 API, KeyNameConstraint: an array of one string."""
    generator = batch.generator(KeyNameConstraint={"MatchAnyPrefix": ["a", "b"]})
    assert code_of(batch.client.create_job, **batch.request(ManifestGenerator=generator)) in BAD_REQUEST


def test_idempotency(batch):
    """S3 API, CreateJob: the same token with the same parameters is the same job; with others it is refused."""
    request = batch.request(ConfirmationRequired=True)
    job = batch.create(**request)
    assert batch.create(**request) == job
    assert code_of(batch.client.create_job, **(request | {"Priority": 11})) == "IdempotencyException"
    assert batch.create(**(request | {"ClientRequestToken": "another"})) != job


def test_confirmation(batch, world):
    """S3 User Guide, batch-ops-job-status: Suspended until it is confirmed, and then never again."""
    job = batch.create(ConfirmationRequired=True)
    found = batch.until(job, "Suspended")
    assert found["SuspendedDate"] >= found["CreationTime"]
    assert found["ProgressSummary"]["TotalNumberOfTasks"] == 2
    assert world.versions(batch.destinations[0]) == []
    assert batch.update(job, "Ready")["Status"] in ("Ready", "Active")
    assert batch.until(job, *ENDED)["Status"] == "Complete"
    assert len(world.versions(batch.destinations[0])) == 2


def test_confirmation_is_the_default(batch):
    """S3 User Guide, batch-ops-job-status: a job that does not say otherwise waits for its confirmation."""
    assert batch.until(batch.create(ConfirmationRequired=None), "Suspended", *ENDED)["Status"] == "Suspended"


def test_cancelling(batch, world):
    """S3 User Guide, batch-ops-job-status: what has not ended can be cancelled; Cancelled is final."""
    job = batch.create(ConfirmationRequired=True)
    batch.until(job, "Suspended")
    batch.client.update_job_status(
        AccountId=batch.account, JobId=job, RequestedJobStatus="Cancelled", StatusUpdateReason="not now"
    )
    found = batch.until(job, *ENDED)
    assert (found["Status"], found["StatusUpdateReason"]) == ("Cancelled", "not now")
    assert world.versions(batch.destinations[0]) == []
    assert code_of(batch.update, job=job, status="Ready") == "JobStatusException"


def test_cancelling_what_is_active(batch):
    """S3 User Guide, batch-ops-job-status: no new tasks once it is cancelled; the report has those that were tried."""
    job = batch.create(ManifestGenerator=None, Manifest=batch.manifest(*[("other",)] * 3000))
    batch.until(job, "Active", *ENDED)
    batch.world.until(
        lambda: batch.describe(job)["ProgressSummary"]["NumberOfTasksSucceeded"] > 0, "the first task was done"
    )
    assert batch.update(job, "Cancelled")["Status"] in ("Cancelling", "Cancelled")
    found = batch.until(job, *ENDED)
    assert found["Status"] == "Cancelled"
    done = found["ProgressSummary"]["NumberOfTasksSucceeded"]
    assert 0 < done < found["ProgressSummary"]["TotalNumberOfTasks"] == 3000
    assert len(batch.outcomes(job)) == done


def test_states(batch):
    """S3 User Guide, batch-ops-job-status: in this order, whichever of them are seen."""
    order = ["New", "Preparing", "Ready", "Active", "Completing", "Complete"]
    job, seen = batch.create(ManifestGenerator=None, Manifest=batch.manifest(*[("other",)] * 1000)), []

    def has_ended():
        seen.append(batch.describe(job)["Status"])
        return seen[-1] in ENDED

    batch.world.until(has_ended, "the job ended")
    assert sorted(seen, key=order.index) == seen
    assert {"Active", "Complete"} <= set(seen)


def test_nothing_changes_what_is_complete(batch):
    """S3 User Guide, batch-ops-job-status: Complete is final."""
    job = batch.replicate()["JobId"]
    for status in ("Ready", "Cancelled"):
        assert code_of(batch.update, job=job, status=status) == "JobStatusException"


def test_priority(batch):
    """S3 API, UpdateJobPriority."""
    job = batch.create(ConfirmationRequired=True)
    answer = batch.client.update_job_priority(AccountId=batch.account, JobId=job, Priority=42)
    assert (answer["JobId"], answer["Priority"]) == (job, 42)
    assert batch.describe(job)["Priority"] == 42


def test_listing(batch):
    """S3 API, ListJobs: by status, and in pages."""
    done = batch.replicate()["JobId"]
    waiting = {batch.create(ConfirmationRequired=True, Description="waiting") for _number in range(3)}
    for job in waiting:
        batch.until(job, "Suspended")
    found = {job["JobId"]: job for page in _pages(batch, ["Suspended"], 2) for job in page["Jobs"]}
    assert waiting <= set(found)
    assert done not in found
    one = found[next(iter(waiting))]
    assert (one["Operation"], one["Description"], one["Status"]) == ("S3ReplicateObject", "waiting", "Suspended")
    assert one["ProgressSummary"]["TotalNumberOfTasks"] == 2
    everything = [job for page in _pages(batch, [], 1000) for job in page["Jobs"]]
    assert waiting | {done} <= {job["JobId"] for job in everything}


def _pages(batch, statuses, size):
    more = {}
    while True:
        page = batch.client.list_jobs(AccountId=batch.account, JobStatuses=statuses, MaxResults=size, **more)
        assert len(page["Jobs"]) <= size
        yield page
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def test_jobs_belong_to_a_region(batch, world):
    """S3 API, DescribeJob: a job is known in its Region only."""
    job = batch.create(ConfirmationRequired=True)
    elsewhere = control(world, world.dr_region)
    assert code_of(elsewhere.describe_job, AccountId=batch.account, JobId=job) in NOT_FOUND
    assert code_of(batch.client.describe_job, AccountId=batch.account, JobId="no-such-job") in NOT_FOUND


def test_job_of_another_account(batch, world):
    """S3 API, DescribeJob: the account must be the caller's."""
    assert code_of(batch.client.list_jobs, AccountId=world.other_account) == "AccessDenied"


# The role


@pytest.mark.parametrize("service", ["s3.amazonaws.com", "ec2.amazonaws.com"])
def test_role_that_batch_operations_may_not_assume(batch, service):
    """S3 User Guide, s3-batch-replication-policies: the role trusts batchoperations.s3.amazonaws.com."""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    assert batch.run(RoleArn=batch.role(trust=trust))["Status"] == "Failed"


@pytest.mark.parametrize("action", ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration", "s3:PutObject"])
def test_role_that_may_not_generate_the_manifest(batch, world, action):
    """S3 User Guide, s3-batch-replication-policies: what the generator needs at source and manifest bucket."""
    assert batch.run(RoleArn=batch.role(without=action))["Status"] == "Failed"
    assert world.versions(batch.destinations[0]) == []


def test_role_that_may_not_read_the_manifest(batch):
    """S3 User Guide, troubleshooting-batch-operations: Reading the manifest is forbidden: AccessDenied."""
    role = batch.role(without="s3:GetObject")
    job = batch.run(RoleArn=role, ManifestGenerator=None, Manifest=batch.manifest(("other",)))
    assert job["Status"] == "Failed"
    assert "Reading the manifest is forbidden: AccessDenied" in job["FailureReasons"][0]["FailureReason"]


def test_role_that_may_not_initiate_replication(batch, world):
    """S3 User Guide, replication-metrics-events: InitiateReplicationNotPermitted, task by task."""
    job = batch.run(RoleArn=batch.role(without="s3:InitiateReplication"))
    assert (job["Status"], job["ProgressSummary"]["NumberOfTasksFailed"]) == ("Complete", 2)
    found = batch.failures(job["JobId"])
    assert all("InitiateReplicationNotPermitted" in failure for failure in found.values())
    assert set(found) == {"a b", "other"}
    assert world.versions(batch.destinations[0]) == []


def test_role_that_may_not_write_the_report(batch):
    """S3 User Guide, replication-troubleshoot: the job is Failed: The job report could not be written."""
    role = batch.role(without="s3:PutObject")
    job = batch.run(RoleArn=role, ManifestGenerator=None, Manifest=batch.manifest(("other",)))
    assert job["Status"] == "Failed"
    assert "The job report could not be written" in job["FailureReasons"][0]["FailureReason"]


@pytest.mark.parametrize(
    ("part", "member"),
    [(None, "ExpectedBucketOwner"), ("ManifestOutputLocation", "ExpectedManifestBucketOwner")],
    ids=["source", "manifest"],
)
def test_unexpected_owner(batch, world, part, member):
    """S3 API, S3JobManifestGenerator and S3ManifestOutputLocation: with another owner the job fails."""
    generator = batch.generator()
    inner = generator["S3JobManifestGenerator"]
    (inner[part] if part else inner)[member] = batch.account
    batch.until(batch.create(ConfirmationRequired=True, ManifestGenerator=generator), "Suspended")
    (inner[part] if part else inner)[member] = world.other_account
    assert batch.run(ManifestGenerator=generator)["Status"] == "Failed"


# Manifest and report


def test_manifest_that_changed(batch):
    """S3 API, JobManifestLocation: the ETag must be the manifest's."""
    manifest = batch.manifest(("other",))
    manifest["Location"]["ETag"] = '"0123456789abcdef0123456789abcdef"'
    job = batch.create(ManifestGenerator=None, Manifest=manifest)
    assert batch.until(job, *ENDED)["Status"] == "Failed"


def test_generated_manifest(batch, world):
    """S3 API, S3GeneratedManifestDescriptor: the manifest's place, format and ETag; keys are URL-encoded in it."""
    job = batch.replicate()
    described = job["GeneratedManifestDescriptor"]
    assert described["Format"] == "S3InventoryReport_CSV_20211130"
    arn = described["Location"]["ObjectArn"]
    bucket, _slash, key = arn.removeprefix("arn:aws:s3:::").partition("/")
    assert bucket == batch.papers
    assert key.startswith("manifests/")
    assert world.head(bucket, key)["ETag"].strip('"') == described["Location"]["ETag"].strip('"')
    rows = {(row["Bucket"], row["Key"], row["VersionId"]) for row in batch.generated(job)}
    written = {(batch.source, one["Key"], one["VersionId"]) for one in world.versions(batch.source)}
    assert rows == written


def test_without_manifest_output(batch):
    """S3 API, S3JobManifestGenerator: EnableManifestOutput may be false."""
    generator = batch.generator()
    generator["S3JobManifestGenerator"]["EnableManifestOutput"] = False
    del generator["S3JobManifestGenerator"]["ManifestOutputLocation"]
    assert "GeneratedManifestDescriptor" not in batch.replicate(ManifestGenerator=generator)


def test_report(batch, world):
    """S3 User Guide, batch-ops-examples-reports: manifest.json names CSV files without a header, keys URL-encoded."""
    job = batch.replicate()["JobId"]
    document = batch.report(job)
    assert document["Format"] == "Report_CSV_20180820"
    assert document["ReportSchema"] == "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
    assert [result["TaskExecutionStatus"] for result in document["Results"]] == ["succeeded"]
    key = document["Results"][0]["Key"]
    assert key.startswith(f"reports/job-{job}/results/")
    text = world.s3_of(batch.papers).get_object(Bucket=batch.papers, Key=key)["Body"].read().decode()
    assert re.search(rf"^\"?{batch.source}\"?,\"?a(\+|%20)b\"?,", text, re.MULTILINE)
    rows = batch.outcomes(job)
    assert {(row["Key"], row["VersionId"]) for row in rows} == {
        (one["Key"], one["VersionId"]) for one in world.versions(batch.source)
    }
    assert {row["TaskStatus"] for row in rows} == {"succeeded"}


def test_report_of_failures_only(batch):
    """S3 API, JobReport: ReportScope FailedTasksOnly."""
    wish = batch.report_wish(ReportScope="FailedTasksOnly")
    job = batch.run(ManifestGenerator=None, Manifest=batch.manifest(("other",), ("absent",)), Report=wish)
    assert (job["Status"], job["ProgressSummary"]["NumberOfTasksSucceeded"]) == ("Complete", 1)
    assert [(row["Key"], row["TaskStatus"]) for row in batch.outcomes(job["JobId"])] == [("absent", "failed")]


def test_without_report(batch):
    """S3 API, JobReport: Enabled false."""
    job = batch.replicate(Report={"Enabled": False})
    assert batch.report(job["JobId"]) == {}


def test_no_report_without_a_task(batch):
    """S3 User Guide, batch-ops-examples-reports: no report when no task was tried."""
    job = batch.run(ManifestGenerator=batch.generator(KeyNameConstraint={"MatchAnyPrefix": ["absent/"]}))
    assert job["Status"] == "Failed"
    assert batch.report(job["JobId"]) == {}


# Limits


def test_too_many_failures(batch):
    """S3 User Guide, batch-ops-job-status: after 1,000 tasks, more than half of them failed: Failed."""
    rows = [(f"absent/{number}",) for number in range(2500)]
    job = batch.run(ManifestGenerator=None, Manifest=batch.manifest(*rows))
    assert job["Status"] == "Failed"
    assert job["FailureReasons"]
    assert 1000 <= job["ProgressSummary"]["NumberOfTasksFailed"] < 2500


def test_many_failures_in_a_small_job(batch):
    """S3 User Guide, batch-ops-job-status: Complete says nothing about success."""
    job = batch.run(ManifestGenerator=None, Manifest=batch.manifest(("absent/1",), ("absent/2",)))
    assert (job["Status"], job["ProgressSummary"]["NumberOfTasksFailed"]) == ("Complete", 2)


def test_six_active_jobs(batch):
    """S3 User Guide, s3-batch-replication-batch: six active jobs at most; the others wait for their turn."""
    started = [batch.create() for _number in range(8)]
    most = 0

    def have_ended():
        # One listing is one moment; jobs asked one after the other may each have been active at another one.
        nonlocal most
        jobs = batch.client.list_jobs(AccountId=batch.account, MaxResults=1000)["Jobs"]
        found = [job["Status"] for job in jobs if job["JobId"] in started]
        most = max(most, found.count("Active"))
        return len(found) == len(started) and set(found) <= set(ENDED)

    batch.world.until(have_ended, "all jobs ended")
    assert most <= 6


def test_higher_priority_pauses_another(batch, control):
    """S3 User Guide, batch-ops-job-priority: a job can pause to let one of a higher priority run, and goes on after."""
    control("replication", bucket=batch.source, lag_seconds=3600)
    low = [batch.create(Priority=priority) for priority in (5, 6, 6, 6, 6, 6)]
    for job in low:
        batch.until(job, "Active")
    high = batch.create(Priority=90)
    batch.until(high, "Active")
    assert batch.until(low[0], "Paused")["Priority"] == 5
    waiting = batch.create(Priority=1)
    time.sleep(0.5)
    assert batch.describe(waiting)["Status"] == "Ready"
    control("replication", bucket=batch.source, lag_seconds=0)
    for job in (high, *low, waiting):
        assert batch.until(job, *ENDED)["Status"] == "Complete"
