# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The operations of S3 Batch Operations, which MiniStack does not have: CreateJob, DescribeJob, ListJobs, Update*."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import get_account_id, get_region
from ministack.services import s3

from . import shapes
from .batch_jobs import FINAL, BatchJob, jobs
from .batch_manifest import CSV_MANIFEST
from .fitting import corrects, uses

uses(
    "services.s3",
    "s3control_error(code, message, status, extra)",
    "s3control_account_error(headers)",
    "_signed_region(headers, query_params)",
)

PATH = "/v20180820/jobs"
NAMESPACE = s3.S3CONTROL_NS
PAGE = 1000
Answer = tuple[int, dict[str, str], bytes]
Query = dict[str, list[str]]


class Refused(Exception):
    """An error answer: code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@corrects("app", "_handle_s3_control_request(path, method, body, query_params, request_id, headers)")
async def answer_batch_operations(
    original: Callable[..., Awaitable[Answer | None]],
    path: str,
    method: str,
    body: bytes,
    query_params: Query,
    request_id: str,
    headers: dict[str, str] | None = None,
) -> Answer | None:
    """S3 API, operations on jobs: each Region has its own, and nobody may name another account."""
    headers = headers or {}
    if path != PATH and not path.startswith(f"{PATH}/"):
        return await original(path, method, body, query_params, request_id, headers)
    region = s3._signed_region(headers, query_params) or get_region()
    try:
        return s3.s3control_account_error(headers) or _answer(method, unquote(path), body, query_params, region)
    except shapes.Malformed as problem:
        return s3.s3control_error("BadRequestException", str(problem), 400)
    except Refused as refusal:
        return s3.s3control_error(refusal.code, str(refusal), refusal.status)


def _answer(method: str, path: str, body: bytes, query: Query, region: str) -> Answer:
    if path == PATH:
        return create(body, region) if method == "POST" else list_jobs(query, region)
    found = re.fullmatch(rf"{PATH}/([^/]+)(/status|/priority)?", path)
    if found is None:
        raise Refused("BadRequestException", "Request invalid")
    job = _find(found[1], region)
    if method == "GET":
        return describe(job)
    return update_status(job, query) if found[2] == "/status" else update_priority(job, query)


def _find(job_id: str, region: str) -> BatchJob:
    job = jobs.get(job_id)
    if job is None or (job.account, job.region) != (get_account_id(), region):
        raise Refused("NotFoundException", "The specified job does not exist", 404)
    return job


def _reply(operation: str, **members: Any) -> Answer:
    shape = shapes.model("s3control").operation_model(operation).output_shape
    body = shapes.document(f"{operation}Result", NAMESPACE, shape, members)
    return 200, {"Content-Type": "application/xml"}, body


# CreateJob


def create(body: bytes, region: str) -> Answer:
    """S3 API, CreateJob: the same token with the same parameters means the same job."""
    shape = shapes.model("s3control").operation_model("CreateJob").input_shape
    request = shapes.parse(shape, body)
    shapes.check(shape, request | {"AccountId": get_account_id()})
    if problem := _problem(request):
        raise Refused("BadRequestException", problem)
    job = _with_token(request["ClientRequestToken"], region)
    if job is None:
        job = BatchJob(str(uuid.uuid4()), get_account_id(), region, request, request["Priority"])
        jobs[job.id] = job
    elif job.request != request:
        raise Refused("IdempotencyException", "The token was used with other parameters")
    return _reply("CreateJob", JobId=job.id)


def _with_token(token: str, region: str) -> BatchJob | None:
    mine = (job for job in jobs.values() if (job.account, job.region) == (get_account_id(), region))
    return next((job for job in mine if job.request["ClientRequestToken"] == token), None)


def _problem(request: dict[str, Any]) -> str | None:
    """What is wrong with a request of the right shape."""
    report = request["Report"]
    wrong = {
        "Only S3ReplicateObject is supported here": list(request["Operation"]) != ["S3ReplicateObject"],
        "Give either a Manifest or a ManifestGenerator": ("Manifest" in request) == ("ManifestGenerator" in request),
        "A report needs Bucket, Format and ReportScope": report["Enabled"]
        and not {"Bucket", "Format", "ReportScope"} <= set(report),
        "A CSV manifest needs Fields with Bucket and Key": not _names_fields(request),
        "The manifest needs a place": not _has_place_for_manifest(request),
        "A KeyNameConstraint takes one string of each kind": _has_long_constraint(request),
    }
    return next((what for what, is_so in wrong.items() if is_so), None)


def _names_fields(request: dict[str, Any]) -> bool:
    spec = request.get("Manifest", {}).get("Spec", {})
    return spec.get("Format") != CSV_MANIFEST or {"Bucket", "Key"} <= set(spec.get("Fields", []))


def _generator(request: dict[str, Any]) -> dict[str, Any]:
    return dict(request.get("ManifestGenerator", {}).get("S3JobManifestGenerator", {}))


def _has_place_for_manifest(request: dict[str, Any]) -> bool:
    generator = _generator(request)
    return not generator.get("EnableManifestOutput") or "ManifestOutputLocation" in generator


def _has_long_constraint(request: dict[str, Any]) -> bool:
    """S3 API, KeyNameConstraint: "accepts an array of strings with a length of 1 string"."""
    constraint = _generator(request).get("Filter", {}).get("KeyNameConstraint", {})
    return any(len(strings) != 1 for strings in constraint.values())


# DescribeJob and ListJobs


def describe(job: BatchJob) -> Answer:
    request = {name: value for name, value in job.request.items() if name not in ("ClientRequestToken", "Tags")}
    described = request | {
        "JobId": job.id,
        "JobArn": f"arn:aws:s3:{job.region}:{job.account}:job/{job.id}",
        "ConfirmationRequired": job.request.get("ConfirmationRequired", True),
        "Priority": job.priority,
        "Status": job.status,
        "StatusUpdateReason": job.update_reason,
        "ProgressSummary": _progress(job),
        "CreationTime": job.created,
        "TerminationDate": job.ended,
        "SuspendedDate": job.suspended,
        "SuspendedCause": "AWAITING_CONFIRMATION" if job.status == "Suspended" else None,
    }
    if job.failure:
        described["FailureReasons"] = [{"FailureCode": job.failure[0], "FailureReason": job.failure[1]}]
    if job.manifest:
        described["GeneratedManifestDescriptor"] = {
            "Format": "S3InventoryReport_CSV_20211130",
            "Location": job.manifest,
        }
    return _reply("DescribeJob", Job=described)


def _progress(job: BatchJob) -> dict[str, Any]:
    failed = job.failed_tasks
    return {
        "TotalNumberOfTasks": len(job.tasks),
        "NumberOfTasksSucceeded": len(job.outcomes) - failed,
        "NumberOfTasksFailed": failed,
        "Timers": {"ElapsedTimeInActiveSeconds": int(job.active_seconds)},
    }


def list_jobs(query: Query, region: str) -> Answer:
    """S3 API, ListJobs: by status, in pages; here the newest first."""
    wanted = query.get("jobStatuses", [])
    mine = [job for job in jobs.values() if (job.account, job.region) == (get_account_id(), region)]
    listed = [job for job in reversed(mine) if not wanted or job.status in wanted]
    start = _place_of(query, listed)
    size = min(int(s3._qp(query, "maxResults") or PAGE), PAGE)
    page, rest = listed[start : start + size], listed[start + size :]
    found = [
        {
            "JobId": job.id,
            "Description": job.request.get("Description"),
            "Operation": "S3ReplicateObject",
            "Priority": job.priority,
            "Status": job.status,
            "CreationTime": job.created,
            "TerminationDate": job.ended,
            "ProgressSummary": _progress(job),
        }
        for job in page
    ]
    return _reply("ListJobs", Jobs=found, NextToken=rest[0].id if rest else None)


def _place_of(query: Query, listed: list[BatchJob]) -> int:
    """Where the page starts. The token is the ID of the page's first job."""
    token = s3._qp(query, "nextToken")
    if not token:
        return 0
    if token not in jobs:
        raise Refused("InvalidNextTokenException", "The token is not valid")
    return next((place for place, job in enumerate(listed) if job.created <= jobs[token].created), len(listed))


# UpdateJobStatus and UpdateJobPriority


def update_status(job: BatchJob, query: Query) -> Answer:
    """S3 User Guide, batch-ops-job-status: Suspended becomes Ready; what has not ended can be cancelled."""
    wish = s3._qp(query, "requestedJobStatus")
    if wish not in ("Ready", "Cancelled"):
        raise Refused("BadRequestException", "Request invalid")
    possible = job.status == "Suspended" if wish == "Ready" else job.status not in (*FINAL, "Cancelling", "Failing")
    if not possible:
        raise Refused("JobStatusException", f"A job that is {job.status} cannot become {wish}")
    job.status = "Ready" if wish == "Ready" else "Cancelling"
    job.update_reason = s3._qp(query, "statusUpdateReason") or None
    return _reply("UpdateJobStatus", JobId=job.id, Status=job.status, StatusUpdateReason=job.update_reason)


def update_priority(job: BatchJob, query: Query) -> Answer:
    priority = s3._qp(query, "priority")
    if not priority.isdigit() or int(priority) > 2**31 - 1 or job.status in FINAL:
        raise Refused("BadRequestException", "Request invalid")
    job.priority = int(priority)
    return _reply("UpdateJobPriority", JobId=job.id, Priority=int(priority))
