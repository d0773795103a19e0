# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Changes of a version after it was written: tags, ACL, retention, legal hold.

MiniStack changes only the version it is asked to change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import s3

from . import rules
from .fitting import corrects, uses
from .queue import Kind
from .replication import Record, active_configuration, enqueue, set_status
from .rules import Rule

uses("services.s3", "_qp(params, key, default)", "_bucket_owner_account(name)")

Answer = tuple[int, dict[str, str], bytes]


def replicate_change(original: Callable[..., Answer], bucket_name: str, key: str, *rest: Any) -> Answer:
    """S3 User Guide, replication-what-is-isnot-replicated: changes of tags, ACL and Object Lock follow the object;
    those of a replica go back to its source only with replica modification sync (replication-for-metadata-changes)."""
    answer = original(bucket_name, key, *rest)
    if answer[0] < 300:
        # The query is the last dictionary of each of these functions.
        query_params = next((part for part in reversed(rest) if isinstance(part, dict)), {})
        queue_change(bucket_name, key, s3._qp(query_params, "versionId"))
    return answer


for _signature in (
    "_put_object_tagging(bucket_name, key, body, query_params)",
    "_delete_object_tagging(bucket_name, key, query_params)",
    "_put_object_acl(bucket_name, key, body, headers, query_params)",
    "_put_object_retention(bucket_name, key, body, headers, query_params)",
    "_put_object_legal_hold(bucket_name, key, body, query_params)",
):
    corrects("services.s3", _signature)(replicate_change)


def queue_change(bucket: str, key: str, version_id: str) -> None:
    """Queue the change if the version is on both sides already; one that waits takes its changes along."""
    versions = s3._object_versions.get((bucket, key), [])
    wanted = (item for item in versions if (item["version_id"] == version_id if version_id else item["is_latest"]))
    version = next(wanted, None)
    status = (version or {}).get("replication_status")
    configuration = active_configuration(bucket)
    if version is None or status not in ("COMPLETED", "REPLICA"):
        return
    chosen = [
        rule
        for rule in configuration.get("Rules", [])
        if follows_changes(rule, key, status) and has_version(rules.destination_of(rule), key, version)
    ]
    if chosen:
        job = enqueue(bucket, key, version, Kind.CHANGE, chosen, configuration["Role"])
        job.is_replica = status == "REPLICA"
        set_status(job, version, "PENDING")


def follows_changes(rule: Rule, key: str, status: str) -> bool:
    modifications = (rule.get("SourceSelectionCriteria") or {}).get("ReplicaModifications", {}).get("Status")
    selected = rules.is_enabled(rule) and key.startswith(rules.prefix_of(rule))
    return selected and (status == "COMPLETED" or modifications == "Enabled")


def has_version(bucket: str, key: str, version: Record) -> bool:
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return False
    with request_scope(owner, ""):
        found = s3._object_versions.get((bucket, key), [])
    return any(item["version_id"] == version["version_id"] for item in found)
