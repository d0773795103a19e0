# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Batch Operations jobs and how they go from state to state.

S3 User Guide, batch-ops-job-status: New, Preparing, Ready, Active, Completing, Complete; Suspended until a job that
needs it is confirmed; Pausing and Paused; Cancelling and Cancelled; Failing and Failed. AWS takes minutes; here each
step is a moment, and a job is Active for the replication lag of its source bucket, so that a test can hold it there.
While its Region is down a job stands still, and while a destination's Region is down it waits with its tasks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import background, faults, role
from .batch_manifest import NoManifest, generate_manifest, read_manifest, write_manifest
from .batch_report import Outcome, write_report
from .batch_tasks import Task, is_held, replicate
from .queue import queue
from .role import Role

logger = logging.getLogger("local_aws")

SERVICE = "batchoperations.s3.amazonaws.com"
STEP_SECONDS = 0.05
TASKS_IN_A_STEP = 100
# S3 User Guide, s3-batch-replication-batch: six active Batch Replication jobs for each account.
ACTIVE_JOBS = 6
# S3 User Guide, batch-ops-job-status: after 1,000 tasks a job fails when more than half of them failed.
TASKS_BEFORE_JUDGING = 1000
FINAL = ("Complete", "Cancelled", "Failed")


@dataclass(eq=False)
class BatchJob:
    """A job, with the request that made it and what became of it."""

    id: str
    account: str
    region: str
    request: dict[str, Any]
    priority: int
    status: str = "New"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    suspended: datetime | None = None
    update_reason: str | None = None
    failure: tuple[str, str] | None = None  # code and reason
    tasks: list[Task] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    manifest: dict[str, str] | None = None  # where the generated one is
    active_since: float | None = None
    active_seconds: float = 0.0

    @property
    def failed_tasks(self) -> int:
        return sum(1 for _task, reason in self.outcomes if reason)

    def role(self) -> Role | None:
        return role.assume(self.request["RoleArn"], SERVICE)

    def fail(self, code: str, reason: str) -> None:
        self.failure = (code, reason)
        self.status = "Failing"

    def end(self, status: str) -> None:
        self.status = status
        self.ended = datetime.now(UTC)


jobs: dict[str, BatchJob] = {}


@background.every(STEP_SECONDS)
def step() -> None:
    """Bring every job a step further, those with the higher priority first."""
    for job in sorted(jobs.values(), key=lambda one: -one.priority):
        work = _STEPS.get(job.status)
        if work and not faults.is_down(job.region):
            try:
                work(job)
            except Exception:
                logger.exception("batch job %s", job.id)
                job.fail("InternalError", "The job met an internal error.")


def begin(job: BatchJob) -> None:
    job.status = "Preparing"


def prepare(job: BatchJob) -> None:
    batch_role = job.role()
    if batch_role is None:
        return job.fail("AssumeRoleNotPermitted", f"Amazon S3 cannot assume the role {job.request['RoleArn']}.")
    try:
        job.tasks = _tasks(job, batch_role)
    except NoManifest as problem:
        return job.fail("InvalidManifest", str(problem))
    # The command line's help, s3control create-job: a job waits for confirmation unless it says that it need not.
    if job.request.get("ConfirmationRequired", True):
        job.status = "Suspended"
        job.suspended = datetime.now(UTC)
    else:
        job.status = "Ready"
    return None


def _tasks(job: BatchJob, batch_role: Role) -> list[Task]:
    if "Manifest" in job.request:
        return read_manifest(job.request["Manifest"], batch_role)
    generator = job.request["ManifestGenerator"]["S3JobManifestGenerator"]
    tasks = generate_manifest(generator, job.region, batch_role)
    if generator["EnableManifestOutput"]:
        job.manifest = write_manifest(generator["ManifestOutputLocation"], job.id, tasks, batch_role)
    return tasks


def activate(job: BatchJob) -> None:
    """S3 User Guide, batch-ops-job-priority: a job can pause to let one of a higher priority run."""
    active = [other for other in jobs.values() if (other.account, other.status) == (job.account, "Active")]
    if len(active) < ACTIVE_JOBS:
        job.status = "Active"
        job.active_since = time.time() - job.active_seconds
        return
    least = min(active, key=lambda other: other.priority)
    if least.priority < job.priority:
        least.status = "Pausing"


def pause(job: BatchJob) -> None:
    job.status = "Paused"


def work_on(job: BatchJob) -> None:
    """Do some tasks."""
    started = job.active_since or 0.0
    job.active_seconds = time.time() - started
    if job.active_seconds < max((_lag(task.bucket) for task in job.tasks[:1]), default=0.0):
        return
    if any(is_held(task) for task in job.tasks[len(job.outcomes) :][:1]):
        return
    batch_role = job.role()
    done = len(job.outcomes)
    for task in job.tasks[done : done + TASKS_IN_A_STEP]:
        reason = replicate(task, job.region, batch_role) if batch_role else "AssumeRoleNotPermitted"
        job.outcomes.append((task, reason))
    done = len(job.outcomes)
    if done >= TASKS_BEFORE_JUDGING and job.failed_tasks * 2 > done:
        job.fail("FailureRateExceeded", "More than 50 % of the tasks failed.")
    elif done == len(job.tasks):
        job.status = "Completing"


def _lag(bucket: str) -> float:
    return queue.lags.get(bucket, queue.default_lag)


def report_and_end(status: str) -> Callable[[BatchJob], None]:
    """Write the report and reach the final status."""

    def end(job: BatchJob) -> None:
        if _reports(job):
            return job.end(status)
        job.failure = job.failure or (
            "ReportNotWritten",
            "The job report could not be written to your report bucket. Please check your permissions.",
        )
        return job.end("Failed")

    return end


def _reports(job: BatchJob) -> bool:
    """S3 User Guide, batch-ops-examples-reports: there is a report once a task was tried."""
    wish, batch_role = job.request["Report"], job.role()
    if not wish["Enabled"] or not job.outcomes:
        return True
    return batch_role is not None and write_report(wish, job.id, job.outcomes, batch_role)


_STEPS: dict[str, Callable[[BatchJob], None]] = {
    "New": begin,
    "Preparing": prepare,
    "Ready": activate,
    "Active": work_on,
    "Pausing": pause,
    "Paused": activate,
    "Completing": report_and_end("Complete"),
    "Cancelling": report_and_end("Cancelled"),
    "Failing": report_and_end("Failed"),
}
