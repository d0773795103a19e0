# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A Batch Replication job as a request, how an own one is known again, and what its end means.

Sources: S3 User Guide, "Create a Batch Replication job", "Tracking job status and completion reports".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .batch_selection import Select, Selection
from .causes import iso
from .model import Account, Document, End
from .recovery_bucket import MANIFESTS, REPORTS
from .rules import bucket_arn

ENDED = ("Complete", "Failed", "Cancelled")
_HELD = ("Suspended", "Paused")
"""It does not go on by itself, or nobody documents when."""
_NO_KEYS = "found no keys"
"""Of "Manifest generation found no keys matching the filter criteria": such a job ends as Failed."""
_REPORT_FORMAT = "Report_CSV_20180820"
_MANIFEST_FORMAT = "S3BatchOperations_CSV_20180820"
_GENERATED_FORMAT = "S3InventoryReport_CSV_20211130"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The list of versions that a job is given, in the recovery bucket."""

    key: str
    version_id: str
    etag: str


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that makes one backfill the same as another.

    Attributes:
        file_digest: SHA-256 of the versions that a file named; None: they are those that the selection takes when
            the job is made.
    """

    pair: str
    source: End
    destination: End
    account: Account
    selection: Selection
    recovery_bucket: str
    file_digest: str | None = None

    @property
    def fingerprint(self) -> str:
        """The same for every run that wants the same."""
        selection = self.selection
        wanted = [
            self.pair,
            self.source.bucket,
            self.destination.bucket,
            self.file_digest or [sorted(selection.statuses), selection.prefix],
            self.file_digest or [_text(selection.created_after), _text(selection.created_before)],
            selection.select,
        ]
        return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()

    @property
    def description(self) -> str:
        """The job's description, by which it is known again: jobs have no names."""
        beginning = beginning_of(self.pair, self.source.bucket)
        return f"{beginning}{self.destination.bucket} [{self.fingerprint[:16]}]"

    @property
    def report_prefix(self) -> str:
        """Where S3 puts a folder for the report of each job of the pair."""
        return f"{REPORTS}/{self.pair}"

    def list_key(self, digest: str) -> str:
        """The key of a list of versions, by its SHA-256: one of the same content has the same."""
        return f"{MANIFESTS}/{self.pair}/{digest}.csv"

    def token(self, last_ended: str | None) -> str:
        """By it AWS takes the same request twice for one. After a job has ended, the next is another."""
        return hashlib.sha256(f"{self.fingerprint}/{last_ended or ''}".encode()).hexdigest()

    def request(
        self, *, role_arn: str, priority: int, token: str, manifest: Manifest | None, kms_key_arn: str | None
    ) -> dict[str, Any]:
        """What CreateJob takes.

        Args:
            kms_key_arn: by which the recovery bucket encrypts.
        """
        papers = f"arn:{self.account.partition}:s3:::{self.recovery_bucket}"
        return {
            "AccountId": self.account.id,
            "ClientRequestToken": token,
            "Description": self.description,
            "Priority": priority,
            "RoleArn": role_arn,
            "ConfirmationRequired": False,
            "Operation": {"S3ReplicateObject": {}},
            "Report": {
                "Enabled": True,
                "Bucket": papers,
                "Prefix": self.report_prefix,
                "Format": _REPORT_FORMAT,
                "ReportScope": "AllTasks",
            },
            **(_given(papers, manifest) if manifest else self._generated(papers, kms_key_arn)),
        }

    def _generated(self, papers: str, kms_key_arn: str | None) -> dict[str, Any]:
        encryption: Document = {"SSEKMS": {"KeyId": kms_key_arn}} if kms_key_arn else {"SSES3": {}}
        generator = {
            "SourceBucket": bucket_arn(self.source, self.account.partition),
            "ExpectedBucketOwner": self.account.id,
            "EnableManifestOutput": True,
            "ManifestOutputLocation": {
                "Bucket": papers,
                "ExpectedManifestBucketOwner": self.account.id,
                "ManifestPrefix": f"{MANIFESTS}/{self.pair}",
                "ManifestFormat": _GENERATED_FORMAT,
                "ManifestEncryption": encryption,
            },
            "Filter": filter_of(self.selection),
        }
        return {"ManifestGenerator": {"S3JobManifestGenerator": generator}}


def beginning_of(pair: str, source_bucket: str) -> str:
    """What the descriptions of all jobs begin with that run as the role of this source."""
    return f"crossregion.s3_dr backfill of {pair}: {source_bucket} to "


def _given(papers: str, manifest: Manifest) -> dict[str, Any]:
    """The version is named, too, so that nobody can change the list of a job that waits."""
    location = {
        "ObjectArn": f"{papers}/{manifest.key}",
        "ObjectVersionId": manifest.version_id,
        "ETag": manifest.etag,
    }
    spec = {"Format": _MANIFEST_FORMAT, "Fields": ["Bucket", "Key", "VersionId"]}
    return {"Manifest": {"Spec": spec, "Location": location}}


def filter_of(selection: Selection) -> dict[str, Any]:
    """By what S3 chooses versions of the source, of those that the rules select."""
    chosen: dict[str, Any] = {
        "EligibleForReplication": True,
        "ObjectReplicationStatuses": sorted(status.value for status in selection.statuses),
    }
    if selection.prefix:
        chosen["KeyNameConstraint"] = {"MatchAnyPrefix": [selection.prefix]}
    if selection.created_after:
        chosen["CreatedAfter"] = selection.created_after
    if selection.created_before:
        chosen["CreatedBefore"] = selection.created_before
    return chosen


def told(order: Order, versions: int) -> Document:
    """The job as a document of a step and a diff, the same before it is made and after."""
    chosen: dict[str, Any] = {"Versions": versions}
    if order.selection.select is Select.FILTER:
        wanted = filter_of(order.selection)
        chosen = {name: iso(one) if isinstance(one, datetime) else one for name, one in wanted.items()}
    return {
        "Operation": "S3ReplicateObject",
        "Source": order.source.bucket,
        "Destination": order.destination.bucket,
        "Report": f"s3://{order.recovery_bucket}/{order.report_prefix}/",
        **chosen,
    }


def _text(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


# --- own jobs among all of an account and Region -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnJobs:
    """The jobs of one order: the one that has not ended, and the last that has."""

    active: str | None = None
    last_ended: str | None = None


def own_jobs(listed: Iterable[Mapping[str, Any]], description: str) -> OwnJobs:
    """Among all jobs that AWS lists."""
    active: tuple[datetime, str] | None = None
    ended: tuple[datetime, str] | None = None
    for job in listed:
        if job.get("Description") != description:
            continue
        found = (job["CreationTime"], job["JobId"])
        if job["Status"] in ENDED:
            ended = max(ended, found) if ended else found
        else:
            active = max(active, found) if active else found
    return OwnJobs(active[1] if active else None, ended[1] if ended else None)


def active_jobs(listed: Iterable[Mapping[str, Any]], beginning: str) -> list[str]:
    """The IDs of jobs that have not ended and whose description begins so."""
    mine = [job for job in listed if str(job.get("Description", "")).startswith(beginning)]
    return [job["JobId"] for job in mine if job["Status"] not in ENDED]


# --- how a job ended -----------------------------------------------------------------------------------------


def is_over(job: Mapping[str, Any]) -> bool:
    """Whether there is nothing to wait for: it has ended, or waits for somebody."""
    return job["Status"] in ENDED or job["Status"] in _HELD


def found_nothing(job: Mapping[str, Any]) -> bool:
    """Whether S3 found no version that the filter takes, which AWS tells as a failure of the job."""
    return job["Status"] == "Failed" and any(_NO_KEYS in reason.lower() for reason in _reasons(job))


def failed_to_begin(job: Mapping[str, Any]) -> bool:
    """Whether it failed before its first task, and not for want of versions: a role made a moment ago is a cause."""
    return job["Status"] == "Failed" and not found_nothing(job) and tasks_of(job)["total"] == 0


def tasks_of(job: Mapping[str, Any]) -> dict[str, int]:
    """`total`, `succeeded` and `failed`."""
    summary = job.get("ProgressSummary", {})
    return {
        "total": summary.get("TotalNumberOfTasks", 0),
        "succeeded": summary.get("NumberOfTasksSucceeded", 0),
        "failed": summary.get("NumberOfTasksFailed", 0),
    }


def _reasons(job: Mapping[str, Any]) -> list[str]:
    return [
        f"{one.get('FailureCode', '')}: {one.get('FailureReason', '')}".strip(": ")
        for one in job.get("FailureReasons", [])
    ]


def problem_of(job: Mapping[str, Any]) -> str | None:
    """What is wrong with a job that is over, as one sentence; None: nothing. Complete is not success yet."""
    status, tasks, name = job["Status"], tasks_of(job), f"The job {job['JobId']}"
    why = "; ".join([*_reasons(job), *([job["StatusUpdateReason"]] if job.get("StatusUpdateReason") else [])])
    if status == "Complete":
        return f"{name} is complete, but {_of(tasks)} failed." if tasks["failed"] else None
    if status == "Suspended":
        return (
            f"{name} is suspended ({why or job.get('SuspendedCause', 'AWS says no reason')}): confirm or cancel it by "
            "`aws s3control update-job-status`, then run again to wait for it."
        )
    if status == "Paused":
        return f"{name} is paused ({why or 'AWS says no reason'}): run again to wait for it when it goes on."
    if status == "Cancelled":
        return f"{name} was cancelled ({why or 'nobody said why'}) after {_of(tasks)} failed: run again for the rest."
    if found_nothing(job):
        return None
    return f"{name} failed ({why or 'AWS says no reason'}); {_of(tasks)} failed. Mend what that names, then run again."


def _of(tasks: Mapping[str, int]) -> str:
    return f"{tasks['failed']} of {tasks['total']} tasks"


def job_result(job: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Plain values of a job as DescribeJob tells it."""
    created, ended = job.get("CreationTime"), job.get("TerminationDate")
    seconds = job.get("ProgressSummary", {}).get("Timers", {}).get("ElapsedTimeInActiveSeconds")
    return {
        "id": job["JobId"],
        "region": region,
        "status": job["Status"],
        "description": job.get("Description", ""),
        "created": iso(created) if created else None,
        "ended": iso(ended) if ended else None,
        "active_seconds": seconds,
        "tasks": tasks_of(job),
        "reasons": _reasons(job),
        "found_nothing": found_nothing(job),
    }
