# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""How objects get from the source bucket to the destination buckets.

MiniStack copies during the write. Here the write only marks the version PENDING and queues it; the copy is made after
the lag, with everything AWS keeps, and the source's status follows from how it went.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import get_account_id, request_scope
from ministack.services import s3

from . import buckets, events, faults, keys, metrics, multipart, pauses, role, rules, settings, sse_c
from .fitting import corrects, uses
from .queue import Job, Kind, queue
from .rules import Rule

uses(
    "services.s3",
    "bucket_region(name)",
    "_bucket_owner_enforced(bucket)",
    "_apply_object_lock_from_headers(bucket_name, key, headers, version_id)",
    "_bucket_owner_account(name)",
    "_canned_acl_policy_xml(canned, owner_id)",
    "_canonical_owner_id(account_id)",
    "_version_entry_from_record(obj, version_id, data)",
    "_preserve_null_version(bucket_name, key, versions, prior_obj)",
    "_fire_s3_event_async(bucket_name, key, event_name, size, etag, deletion_type, version_id, object_extra, "
    "record_extra)",
)
uses("core.responses", "request_scope(account_id, region)", "get_account_id()")

Record = dict[str, Any]

# S3 User Guide, replication-what-is-isnot-replicated: objects in these classes are not.
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")

# What went wrong lately, for people who look at the control endpoint: AWS tells it only by event.
recent_failures: deque[dict[str, str]] = deque(maxlen=50)


# Action, bucket, key (None for the bucket itself), and the failure reason when it is missing.
Needed = tuple[str, str, str | None, str]


class ReplicationFailed(Exception):
    """Final: AWS never tries again. The reason is one of S3 User Guide, replication-metrics-events."""


@dataclass(frozen=True)
class Destination:
    """A destination bucket that can take replicas."""

    account: str
    region: str
    name: str
    bucket: dict[str, Any]


@corrects("services.s3", "_maybe_replicate(bucket_name, key, obj, data, tags)")
def mark_pending_and_queue(
    original: Callable[..., None],
    bucket_name: str,
    key: str,
    obj: Record,
    data: Any,
    tags: dict[str, str] | None = None,
) -> None:
    """S3 User Guide, replication-status: PENDING first; the final status follows when every destination is done."""
    configuration = active_configuration(bucket_name)
    tags = tags or multipart.tags_of_completing_upload()
    chosen = rules.for_object(configuration.get("Rules", []), key, tags, keys.is_kms(obj))
    if chosen and obj.get("storage_class") not in ARCHIVES:
        obj["replication_status"] = "PENDING"
        enqueue(bucket_name, key, obj, Kind.OBJECT, chosen, configuration["Role"])


@corrects("services.s3", "_maybe_replicate_delete_marker(bucket_name, key)")
def queue_delete_marker(original: Callable[..., None], bucket_name: str, key: str) -> None:
    """S3 User Guide, delete-marker-replication: only where the rule says so; a version's deletion never replicates."""
    configuration = active_configuration(bucket_name)
    chosen = rules.for_delete_marker(configuration.get("Rules", []), key)
    if chosen:
        marker = s3._object_versions[(bucket_name, key)][-1]
        enqueue(bucket_name, key, marker, Kind.MARKER, chosen, configuration["Role"])


def active_configuration(bucket: str) -> dict[str, Any]:
    """The bucket's replication configuration; empty when there is none or versioning is not Enabled."""
    versioned = s3._bucket_versioning.get(bucket) == "Enabled"
    return (s3._bucket_replication.get(bucket) if versioned else None) or {}


def enqueue(bucket: str, key: str, record: Record, kind: Kind, chosen: list[Rule], role_arn: str) -> Job:
    region = s3.bucket_region(bucket) or ""
    job = Job(get_account_id(), region, bucket, key, record, kind, chosen, role_arn)
    metrics.started(job)
    queue.add(job)
    return job


def carry_out(job: Job) -> bool:
    """Replicate one version to all its destinations; COMPLETED only if every one of them has it.

    S3 User Guide, replication-status: while a Region is not available the version stays PENDING, and its replication
    goes on by itself. The answer is whether the job is done.
    """
    with request_scope(job.account, job.region):
        version = stored_version(job)
        if version is None:
            metrics.abandoned(job)
            return True
        now_possible = [rule for rule in job.rules if is_reachable(rule, job)]
        job.rules = [rule for rule in job.rules if rule not in now_possible]
        reasons = [replicate_to(rule, job) for rule in now_possible]
        job.has_failed = job.has_failed or any(reasons)
        if not job.rules and job.kind is not Kind.MARKER:
            set_status(job, version, "FAILED" if job.has_failed else job.good_status)
        return not job.rules


queue.carry_out = carry_out


def is_reachable(rule: Rule, job: Job) -> bool:
    name = rules.destination_of(rule)
    with request_scope(s3._bucket_owner_account(name) or job.account, ""):
        region = s3.bucket_region(name) or ""
    return not faults.is_down(job.region) and not faults.is_down(region) and not pauses.holds(rule, job, region)


def stored_version(job: Job) -> Record | None:
    """The version in the source bucket, or None if it was deleted by its ID while it waited."""
    versions = s3._object_versions.get((job.bucket, job.key), [])
    return next((version for version in versions if version["version_id"] == job.record["version_id"]), None)


def replicate_to(rule: Rule, job: Job) -> str | None:
    """Bring the version to one destination. The answer is the reason why not, or None."""
    reason = None
    try:
        destination = find_destination(rule)
        check_role(rule, job, destination)
        check_destination(job, destination)
        check_object_lock(job.bucket, destination.name)
        store_replica(rule, job, destination)
    except ReplicationFailed as failure:
        reason = str(failure)
        report_failure(rule, job, reason)
    metrics.finished(job, rule, reason)
    events.finished(job, rule, reason)
    return reason


def find_destination(rule: Rule) -> Destination:
    """S3 User Guide, replication-troubleshoot: the destination must exist and be versioned when the copy is made."""
    name = rules.destination_of(rule)
    account = s3._bucket_owner_account(name)
    if account is None:
        raise ReplicationFailed("DstBucketNotFound")
    if s3._bucket_versioning.get_scoped(account, None, name) != "Enabled":
        raise ReplicationFailed("DstBucketUnversioned")
    bucket = s3._buckets.get_scoped(account, None, name)
    with request_scope(account, ""):
        return Destination(account, s3.bucket_region(name) or "", name, bucket)


def check_role(rule: Rule, job: Job, destination: Destination) -> None:
    """S3 User Guide, setting-repl-config-perm-overview: what the replication role must be allowed to do."""
    replication_role = role.assume(job.role)
    if replication_role is None:
        raise ReplicationFailed("AssumeRoleNotPermitted")
    for action, bucket, key, reason in needed_permissions(rule, job, destination):
        if not replication_role.may(action, bucket, key):
            raise ReplicationFailed(reason)
    if job.kind is Kind.OBJECT and keys.is_kms(job.record):
        check_keys(rule, job, destination, replication_role)


def needed_permissions(rule: Rule, job: Job, destination: Destination) -> list[Needed]:
    """S3 User Guide, setting-repl-config-perm-overview and object-lock-managing."""
    source, target = job.bucket, destination.name
    needed: list[Needed] = [
        ("s3:GetReplicationConfiguration", source, None, "SrcHeadObjectNotPermitted"),
        ("s3:ListBucket", source, None, "SrcHeadObjectNotPermitted"),
    ]
    if job.kind is Kind.MARKER:
        return [*needed, ("s3:ReplicateDelete", target, job.key, "DstDelObjNotPermitted")]
    needed += [
        ("s3:GetObjectVersionForReplication", source, job.key, "SrcGetObjectNotPermitted"),
        ("s3:GetObjectVersionAcl", source, job.key, "SrcGetAclNotPermitted"),
        ("s3:GetObjectVersionTagging", source, job.key, "SrcGetTaggingNotPermitted"),
        ("s3:ReplicateObject", target, job.key, "DstPutObjectNotPermitted"),
    ]
    if s3._bucket_object_lock.get(source):
        needed.append(("s3:GetObjectRetention", source, job.key, "SrcGetRetentionNotPermitted"))
        needed.append(("s3:GetObjectLegalHold", source, job.key, "SrcGetLegalHoldNotPermitted"))
    if s3._object_tags.get(version_address(job)):
        needed.append(("s3:ReplicateTags", target, job.key, "DstPutTaggingNotPermitted"))
    # S3 User Guide, replication-change-owner; a bucket with ACLs disabled owns every object in it anyway.
    if rule["Destination"].get("AccessControlTranslation") and not s3._bucket_owner_enforced(destination.bucket):
        needed.append(("s3:ObjectOwnerOverrideToBucketOwner", target, job.key, "DstPutAclNotPermitted"))
    return needed


def check_keys(rule: Rule, job: Job, destination: Destination, replication_role: role.Role) -> None:
    """S3 User Guide, replication-config-for-kms-objects: decrypt with the source's key, encrypt with the replica's."""
    source_key = job.record["preserved_headers"].get(keys.KEY, "")
    source = f"arn:aws:s3:::{job.bucket}/{job.key}"
    replica = f"arn:aws:s3:::{destination.name}/{job.key}"
    uses_of_keys = {
        "Src": keys.Use(source_key, job.account, job.region, ("kms:Decrypt",), source),
        "Dst": keys.Use(replica_key(rule), job.account, destination.region, ("kms:Encrypt",), replica),
    }
    for end, use in uses_of_keys.items():
        try:
            keys.check(use, replication_role)
        except keys.KeyProblem as problem:
            not_permitted = {"Src": "SrcGetObjectNotPermitted", "Dst": "DstPutObjectNotPermitted"}[end]
            reason = not_permitted if str(problem) == "NotPermitted" else f"{end}KmsKey{problem}"
            raise ReplicationFailed(reason) from problem


def replica_key(rule: Rule) -> str:
    return (rule["Destination"].get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID", "")


def check_destination(job: Job, destination: Destination) -> None:
    """What else a destination can refuse. AWS documents no reason for either; it is seen as not being able to write.

    S3 User Guide, replication-requirements: a Requester Pays bucket of another account takes no replicas.
    S3 User Guide, blocking-unblocking-s3-c-encryption-gpb: neither does a bucket that blocks SSE-C, of such objects.
    """
    is_foreign = destination.account != job.account
    if is_foreign and buckets.requester_pays(destination.name):
        raise ReplicationFailed("DstPutObjectNotPermitted")
    if job.kind is Kind.OBJECT and sse_c.is_used_by(job.record) and sse_c.is_blocked(destination.name):
        raise ReplicationFailed("DstPutObjectNotPermitted")


def check_object_lock(source: str, destination: str) -> None:
    """S3 User Guide, object-lock-managing: a source with Object Lock needs a destination with Object Lock."""
    owner = s3._bucket_owner_account(destination)
    if s3._bucket_object_lock.get(source) and not s3._bucket_object_lock.get_scoped(owner, None, destination):
        raise ReplicationFailed("DstBucketObjectLockConfigMissing")


def store_replica(rule: Rule, job: Job, destination: Destination) -> None:
    """S3 User Guide, replication: a replica keeps metadata, tags, creation time and version ID of its source."""
    beside = {name: copy.deepcopy(store.get(version_address(job))) for name, store in stores_beside().items()}
    beside["acl"] = acl_of_replica(rule, job, destination, beside["acl"])
    address = (destination.name, job.key, job.record["version_id"])
    with request_scope(destination.account, destination.region):
        for name, store in stores_beside().items():
            store.pop(address, None)
            if beside[name] is not None:
                store[address] = beside[name]
        if job.kind is Kind.CHANGE:
            return
        replica = replica_record(rule, job)
        insert_version(destination, job.key, replica, job.kind)
        if job.kind is Kind.OBJECT:
            keep_default_retention(address)
            s3._fire_s3_event_async(
                destination.name,
                job.key,
                "s3:ObjectCreated:Put",
                size=job.size,
                etag=replica["etag"],
                version_id=replica["version_id"],
            )


def acl_of_replica(rule: Rule, job: Job, destination: Destination, acl: str | None) -> str | None:
    """S3 User Guide, replication-change-owner: who owns the source object owns the replica, unless the rule gives it
    to the owner of the destination; then the source's ACL stays behind. A bucket that has no ACLs does not show it."""
    if destination.account == job.account or job.kind is Kind.MARKER:
        return acl
    if rule["Destination"].get("AccessControlTranslation"):
        return str(s3._canned_acl_policy_xml("private", s3._canonical_owner_id(destination.account)))
    return acl or str(s3._canned_acl_policy_xml("private", s3._canonical_owner_id(job.account)))


def keep_default_retention(address: tuple[str, str, str]) -> None:
    """S3 User Guide, object-lock-managing: the destination's default, where the source has no retention of its own."""
    if address not in s3._object_retention:
        s3._apply_object_lock_from_headers(address[0], address[1], {}, address[2])


def stores_beside() -> dict[str, Any]:
    """What MiniStack keeps beside a version, by bucket, key and version ID."""
    return {
        "tags": s3._object_tags,
        "acl": s3._object_acl,
        "annotations": s3._object_annotations,
        "retention": s3._object_retention,
        "legal hold": s3._object_legal_hold,
    }


def version_address(job: Job) -> tuple[str, str, str]:
    return job.bucket, job.key, job.record["version_id"]


def replica_record(rule: Rule, job: Job) -> Record:
    replica = copy.deepcopy(job.record)
    if job.kind is Kind.MARKER:
        return replica
    replica["replication_status"] = "REPLICA"
    to = rule["Destination"]
    if to.get("StorageClass"):
        replica["storage_class"] = to["StorageClass"]
    if keys.is_kms(replica):
        replica["preserved_headers"][keys.KEY] = replica_key(rule)
    return replica


def insert_version(destination: Destination, key: str, record: Record, kind: Kind) -> None:
    """Put the version among the others by its time, and let the newest be the current one.

    AWS does not document which version is current after both ends wrote a key, or after copies arrived out of order;
    the original time is the choice that makes both ends agree. The setting ``order_by_arrival`` makes the other choice.
    """
    objects = destination.bucket["objects"]
    is_marker = kind is Kind.MARKER
    versions = s3._object_versions.setdefault((destination.name, key), [])
    s3._preserve_null_version(destination.name, key, versions, objects.get(key))
    versions[:] = [version for version in versions if version["version_id"] != record["version_id"]]
    entry = record if is_marker else s3._version_entry_from_record(record, record["version_id"], record["body"])
    is_older = [version["last_modified"] <= entry["last_modified"] for version in versions]
    versions.insert(len(versions) if settings.is_on("order_by_arrival") else sum(is_older), entry)
    for version in versions:
        version["is_latest"] = version is versions[-1]
    if entry["is_latest"] and is_marker:
        objects.pop(key, None)
    elif entry["is_latest"]:
        objects[key] = record


def set_status(job: Job, version: Record, status: str) -> None:
    """S3 User Guide, replication-status. MiniStack keeps the current version twice: in the list and as the object."""
    version["replication_status"] = status
    current = s3._buckets[job.bucket]["objects"].get(job.key)
    if current is not None and current.get("version_id") == version["version_id"]:
        current["replication_status"] = status


def report_failure(rule: Rule, job: Job, reason: str) -> None:
    """S3 User Guide, replication-metrics-events: the event tells the reason, where the rule has Metrics enabled."""
    destination = rules.destination_of(rule)
    recent_failures.append({"source": job.bucket, "destination": destination, "key": job.key, "reason": reason})
    if rules.has_metrics(rule):
        events.fire("OperationFailedReplication", rule, job, failureReason=reason)
