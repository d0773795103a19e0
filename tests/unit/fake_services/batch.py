# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Batch Operations in memory, beside an S3 that also tells the current version of a key."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus, unquote_plus

from ..fake_aws import Bucket, FakeAws
from .calls import Answer, client_error

PAGE = 2
"""Small, so that a few jobs fill more than one page."""
NOTHING_FOUND = "Manifest generation found no keys matching the filter criteria."


@dataclass
class Job:
    """One job, with the states that it still goes through, one each time that it is asked for."""

    request: Answer
    region: str
    created: datetime
    coming: list[str]
    why: Answer | None
    status: str = "New"
    tasks: list[tuple[str, str]] = field(default_factory=list)
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    reason: Answer | None = None
    update_reason: str | None = None


class BatchAws(FakeAws):
    """All services, with jobs that do what a test says.

    Attributes:
        way: the states of a new job before its end.
        end: the status with which it ends, and why if it fails.
        fails: the error code of the task of a key; None: it succeeds.
        wrecks: what becomes of the text of a file of a report.
        busy: how often CreateJob answers that there are too many.
    """

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, Job] = {}
        self.way = ["Preparing", "Active"]
        self.end: tuple[str, Answer | None] = ("Complete", None)
        self.fails: Callable[[str], str | None] = lambda key: None
        self.wrecks: Callable[[bytes], bytes] = lambda text: text
        self.http_first = True
        self.busy = 0

    # --- jobs -----------------------------------------------------------------------------------------------------

    def _s3control_CreateJob(self, params: Answer, region: str) -> Answer:
        if self.busy:
            self.busy -= 1
            raise client_error("TooManyRequestsException", "Too many jobs", "CreateJob")
        for name, job in self.jobs.items():
            if job.request["ClientRequestToken"] == params["ClientRequestToken"]:
                if job.request != params:
                    raise client_error("IdempotencyException", "other parameters", "CreateJob")
                return {"JobId": name}
        name = f"job-{len(self.jobs)}"
        created = datetime(2026, 11, 23, 15, tzinfo=UTC) + timedelta(minutes=len(self.jobs))
        self.jobs[name] = Job(params, region, created, [*self.way, self.end[0]], self.end[1])
        return {"JobId": name}

    def _s3control_ListJobs(self, params: Answer, region: str) -> Answer:
        found = [
            {
                "JobId": name,
                "Description": job.request["Description"],
                "Status": job.status,
                "CreationTime": job.created,
            }
            for name, job in self.jobs.items()
            if job.region == region
        ]
        start = int(params.get("NextToken", 0))
        more = {"NextToken": str(start + PAGE)} if start + PAGE < len(found) else {}
        return {"Jobs": found[start : start + PAGE], **more}

    def _s3control_DescribeJob(self, params: Answer, region: str) -> Answer:
        name = params["JobId"]
        job = self.jobs[name]
        if job.region != region:
            raise client_error("NotFoundException", "The specified job does not exist", "DescribeJob")
        if job.coming:
            job.status = job.coming.pop(0)
            if not job.coming:
                self._finish(name, job)
        told = {
            "JobId": name,
            "Description": job.request["Description"],
            "Status": job.status,
            "CreationTime": job.created,
            "ProgressSummary": {
                "TotalNumberOfTasks": len(job.tasks),
                "NumberOfTasksSucceeded": len(job.tasks) - len(job.failed),
                "NumberOfTasksFailed": len(job.failed),
            },
            **({"FailureReasons": [job.reason]} if job.reason else {}),
            **({"StatusUpdateReason": job.update_reason} if job.update_reason else {}),
        }
        return {"Job": told}

    def _finish(self, name: str, job: Job) -> None:
        """Do all tasks: a version that a task brings is then in every bucket to which an enabled rule leads."""
        if job.why is not None:
            job.reason = job.why
            return
        job.tasks = self._given(job.request) if "Manifest" in job.request else self._chosen(job)
        if not job.tasks:
            job.status, job.reason = "Failed", {"FailureCode": "InvalidManifest", "FailureReason": NOTHING_FOUND}
            return
        for task in job.tasks:
            code = self.fails(task[0])
            if code:
                job.failed[task] = code
            else:
                self._bring(self._source(job), task)
        self._report(name, job)

    def _source(self, job: Job) -> str:
        """The description says it, as it says it to whoever looks for an own job."""
        return str(job.request["Description"].split(": ")[1].split(" to ")[0])

    def _given(self, request: Answer) -> list[tuple[str, str]]:
        where = request["Manifest"]["Location"]
        bucket, key = where["ObjectArn"].split(":::")[1].split("/", 1)
        body = self._stored(bucket, key)
        assert hashlib.md5(body, usedforsecurity=False).hexdigest() == where["ETag"]
        return [(unquote_plus(row[1]), row[2]) for row in csv.reader(io.StringIO(body.decode()))]

    def _chosen(self, job: Job) -> list[tuple[str, str]]:
        """Those that are missing, whatever the filter says but for the beginning of their keys."""
        chosen = job.request["ManifestGenerator"]["S3JobManifestGenerator"]["Filter"]
        (prefix,) = chosen.get("KeyNameConstraint", {}).get("MatchAnyPrefix", [""])
        source = self.buckets[self._source(job)]
        return [
            (row["Key"], row["VersionId"])
            for row in source.versions
            if row["Key"].startswith(prefix) and any(row not in there for there in self._destinations(source))
        ]

    def _destinations(self, source: Bucket) -> list[list[Answer]]:
        rules = [rule for rule in (source.replication or {})["Rules"] if rule["Status"] == "Enabled"]
        return [self.buckets[rule["Destination"]["Bucket"].rsplit(":", 1)[1]].versions for rule in rules]

    def _bring(self, source: str, task: tuple[str, str]) -> None:
        bucket = self.buckets[source]
        (row,) = [one for one in bucket.versions if (one["Key"], one["VersionId"]) == task]
        for there in self._destinations(bucket):
            if row not in there:
                there.append(row)

    def _report(self, name: str, job: Job) -> None:
        wish = job.request["Report"]
        bucket, folder = wish["Bucket"].split(":::")[1], f"{wish['Prefix']}/job-{name}"
        results = []
        for status in ("succeeded", "failed"):
            tasks = [task for task in job.tasks if (task in job.failed) is (status == "failed")]
            if not tasks:
                continue
            text = io.StringIO()
            csv.writer(text).writerows([self._line(job, bucket, task) for task in tasks])
            body, key = text.getvalue().encode(), f"{folder}/results/{status}.csv"
            self._store(bucket, key, self.wrecks(body))
            checksum = hashlib.md5(body, usedforsecurity=False).hexdigest()
            results.append({"TaskExecutionStatus": status, "Bucket": bucket, "MD5Checksum": checksum, "Key": key})
        self._store(bucket, f"{folder}/manifest.json", json.dumps({"Results": results}).encode())

    def _line(self, job: Job, bucket: str, task: tuple[str, str]) -> list[str]:
        code = job.failed.get(task)
        status, pair = ("failed", ["403", code or ""]) if code else ("succeeded", ["200", ""])
        return [
            bucket,
            quote_plus(task[0], safe="/"),
            task[1],
            status,
            *(pair if self.http_first else pair[::-1]),
            "It was, as it was",
        ]

    # --- objects without a version ID -------------------------------------------------------------------------------

    def _store(self, bucket: str, key: str, body: bytes) -> None:
        versions = self.buckets[bucket].versions
        versions.append({"Key": key, "VersionId": f"p{len(versions)}", "body": body})

    def _stored(self, bucket: str, key: str) -> bytes:
        return bytes(next(row["body"] for row in reversed(self.buckets[bucket].versions) if row["Key"] == key))

    def _version(self, params: Answer, region: str) -> Answer:
        if "VersionId" in params:
            return super()._version(params, region)
        rows = [row for row in self._bucket(params, region).versions if row["Key"] == params["Key"]]
        if not rows:
            raise client_error("NoSuchKey", "The specified key does not exist.")
        return rows[-1]

    def _s3_HeadObject(self, params: Answer, region: str) -> Answer:
        return {**super()._s3_HeadObject(params, region), "VersionId": self._version(params, region)["VersionId"]}
