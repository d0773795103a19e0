# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One task of an S3 Batch Replication job: one object version, replicated by the bucket's own replication rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from . import changes, faults, keys, metrics, rules
from .fitting import corrects, uses
from .queue import Job, Kind
from .replication import ARCHIVES, active_configuration, replicate_to, report_failure, set_status, stores_beside
from .role import Role
from .rules import Rule
from .versions import Record, keep_null_version, versions_of

uses("services.s3", "_bucket_owner_account(name)", "bucket_region(name)")

# Replicas deleted by version ID, by bucket, the bucket's creation, key and version ID.
_hard_deleted: set[tuple[str, str, str, str]] = set()


@dataclass(frozen=True)
class Task:
    """A line of a manifest. Without a version ID it means the current version."""

    bucket: str
    key: str
    version_id: str | None


class TaskFailed(Exception):
    """The reason is one of S3 User Guide, replication-metrics-events, or an error code, a colon and a message."""


@corrects("services.s3", "_delete_object_version(bucket, bucket_name, key, version_id)")
def remember_deleted_replicas(
    original: Callable[..., tuple[bool, bool]], bucket: dict[str, Any], bucket_name: str, key: str, version_id: str
) -> tuple[bool, bool]:
    """S3 User Guide, s3-batch-replication-batch: what was deleted by version ID at the destination cannot be
    replicated again with the same version ID."""
    answer = original(bucket, bucket_name, key, version_id)
    if answer[0]:
        _hard_deleted.add((bucket_name, bucket["created"], key, version_id))
    return answer


def is_held(task: Task) -> bool:
    """Whether a Region that the task needs is down, so that it is not tried now."""
    owner = s3._bucket_owner_account(task.bucket)
    if owner is None:
        return False
    with request_scope(owner, ""):
        configured = active_configuration(task.bucket).get("Rules", [])
        return any(is_away(rules.destination_of(rule)) for rule in configured)


def is_away(bucket: str) -> bool:
    owner = s3._bucket_owner_account(bucket)
    with request_scope(owner or "", ""):
        return owner is not None and faults.is_down(s3.bucket_region(bucket) or "")


def replicate(task: Task, region: str, batch_role: Role) -> str | None:
    """Do the task for a job of this Region. The answer is the reason why not, or None."""
    owner = s3._bucket_owner_account(task.bucket)
    if owner is None:
        return "SrcBucketNotFound"
    with request_scope(owner, region):
        try:
            _replicate(task, owner, region, batch_role)
        except TaskFailed as failure:
            return str(failure)
    return None


def _replicate(task: Task, owner: str, region: str, batch_role: Role) -> None:
    if s3.bucket_region(task.bucket) != region:
        raise TaskFailed("SrcBucketInvalidRegion")
    if not batch_role.may("s3:InitiateReplication", task.bucket, task.key):
        raise TaskFailed("InitiateReplicationNotPermitted")
    configuration = active_configuration(task.bucket)
    if not configuration:
        raise TaskFailed("SrcBucketReplicationConfigMissing")
    keep_null_version(task.bucket, task.key)
    version = _find(task)
    chosen = eligible_rules(task.bucket, task.key, version)
    if not chosen:
        raise TaskFailed("SrcObjectNotEligible")
    _bring_tags_of_null_version(task.bucket, task.key)
    jobs = [_job(owner, region, task, version, rule, configuration["Role"]) for rule in chosen]
    reasons = [reason for job in jobs if (reason := _bring(job))]
    if jobs[0].kind is not Kind.MARKER:
        set_status(jobs[0], version, "FAILED" if reasons else jobs[0].good_status)
    if reasons:
        raise TaskFailed(reasons[0])


def _find(task: Task) -> Record:
    versions = versions_of(task.bucket, task.key)
    if not versions:
        raise TaskFailed("SrcObjectNotFound")
    if task.version_id is None:
        return versions[-1]
    if not task.version_id:
        # S3 User Guide, troubleshooting-batch-operations
        raise TaskFailed("InvalidRequest: Task failed due to missing VersionId")
    for version in versions:
        if version["version_id"] == task.version_id:
            return version
    raise TaskFailed("SrcVersionNotFound")


def eligible_rules(bucket: str, key: str, version: Record) -> list[Rule]:
    """The rules of the bucket that select the version; the tags are those it has now."""
    configured = active_configuration(bucket).get("Rules", [])
    if version.get("is_delete_marker"):
        return rules.for_delete_marker(configured, key)
    if version.get("storage_class") in ARCHIVES:
        return []
    names = [version["version_id"], None] if version["version_id"] == "null" else [version["version_id"]]
    tags = next((s3._object_tags[bucket, key, name] for name in names if (bucket, key, name) in s3._object_tags), {})
    return rules.for_object(configured, key, tags, keys.is_kms(version))


def status_of(bucket: str, key: str, version: Record) -> str:
    """NONE, PENDING, COMPLETED, FAILED or REPLICA.

    AWS does not document the status of a delete marker. Here it is COMPLETED once it is at every destination.
    """
    if not version.get("is_delete_marker"):
        return str(version.get("replication_status") or "NONE")
    destinations = [rules.destination_of(rule) for rule in eligible_rules(bucket, key, version)]
    is_there = [changes.has_version(destination, key, version) for destination in destinations]
    return "COMPLETED" if is_there and all(is_there) else "NONE"


def _bring_tags_of_null_version(bucket: str, key: str) -> None:
    """MiniStack keeps what belongs to an object from before versioning under no version ID."""
    for store in stores_beside().values():
        if (bucket, key, None) in store and (bucket, key, "null") not in store:
            store[bucket, key, "null"] = store[bucket, key, None]


def _job(owner: str, region: str, task: Task, version: Record, rule: Rule, role_arn: str) -> Job:
    """The work for one destination; a version that is there already only gets its tags, ACL and retention."""
    kind = Kind.OBJECT
    record = version
    if version.get("is_delete_marker"):
        kind = Kind.MARKER
    elif changes.has_version(rules.destination_of(rule), task.key, version):
        kind = Kind.CHANGE
    else:
        body = s3._version_body(s3._buckets[task.bucket], task.bucket, task.key, version)
        record = s3._object_record_from_version(version) | {"version_id": version["version_id"], "body": body}
    job = Job(owner, region, task.bucket, task.key, record, kind, [rule], role_arn)
    job.is_replica = version.get("replication_status") == "REPLICA"
    return job


def _bring(job: Job) -> str | None:
    rule = job.rules[0]
    destination = rules.destination_of(rule)
    if _was_hard_deleted(destination, job.key, job.record["version_id"]):
        reason = "DstObjectHardDeleted"
        report_failure(rule, job, reason)
        metrics.finished(job, rule, reason)
        return reason
    return replicate_to(rule, job)


def _was_hard_deleted(bucket: str, key: str, version_id: str) -> bool:
    owner = s3._bucket_owner_account(bucket)
    found = s3._buckets.get_scoped(owner, None, bucket) if owner else None
    return found is not None and (bucket, found["created"], key, version_id) in _hard_deleted
