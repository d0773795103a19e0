# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A rule of a pair as S3's document.

Source: S3 User Guide, "Replication configuration file elements", "Using S3 Replication metrics", "S3 Replication Time
Control", "Replicating encrypted objects", "Changing the replica owner".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

from .model import Accounts, Document, End, InvalidInput, Link, Observation, Rule

MAX_CONFIGURATION_BYTES = 2 * 1024 * 1024
"""S3's limit for a replication configuration, which counts its XML."""


def bucket_arn(end: End, partition: str) -> str:
    """The ARN of an end's bucket."""
    return f"arn:{partition}:s3:::{end.bucket}"


def selects_kms_objects(rule: Rule, destination: End) -> bool:
    """Whether objects encrypted with KMS are replicated, which S3 does only when a key for the replicas is named."""
    return destination.kms_key_arn is not None if rule.kms_objects is None else rule.kms_objects


def rule_document(rule: Rule, link: Link, accounts: Accounts) -> Document:
    """The rule in S3's V2 schema, in which Filter, Priority and DeleteMarkerReplication stand together."""
    document: dict[str, Any] = {
        "ID": rule.id,
        "Priority": rule.priority,
        "Status": _status(rule.enabled),
        "Filter": filter_document(rule),
        "DeleteMarkerReplication": {"Status": _status(rule.delete_markers)},
        "Destination": _destination(rule, link.destination_of(rule), accounts),
    }
    selection = _source_selection(rule, link)
    if selection:
        document["SourceSelectionCriteria"] = selection
    return document


def filter_document(rule: Rule) -> Document:
    """S3 takes exactly one of a prefix, a tag, and both or several under And."""
    tags = [{"Key": key, "Value": value} for key, value in rule.tags]
    if not tags:
        return {"Prefix": rule.prefix}
    if len(tags) == 1 and not rule.prefix:
        return {"Tag": tags[0]}
    return {"And": {**({"Prefix": rule.prefix} if rule.prefix else {}), "Tags": tags}}


def _destination(rule: Rule, end: End, accounts: Accounts) -> Document:
    account = accounts[end.bucket]
    document: dict[str, Any] = {"Bucket": bucket_arn(end, account.partition), **_observation(rule.observation)}
    if end.storage_class:
        document["StorageClass"] = end.storage_class
    if selects_kms_objects(rule, end):
        document["EncryptionConfiguration"] = {"ReplicaKmsKeyID": end.kms_key_arn}
    if rule.owner_override:
        document["Account"] = account.id
        document["AccessControlTranslation"] = {"Owner": "Destination"}
    return document


def _source_selection(rule: Rule, link: Link) -> dict[str, Any]:
    selection = {}
    # Without it a change of a replica's tags or ACL at one end of a two-way pair never reaches the other.
    if link.two_way if rule.replica_modifications is None else rule.replica_modifications:
        selection["ReplicaModifications"] = {"Status": "Enabled"}
    if selects_kms_objects(rule, link.destination_of(rule)):
        selection["SseKmsEncryptedObjects"] = {"Status": "Enabled"}
    return selection


def _status(enabled: bool) -> str:
    return "Enabled" if enabled else "Disabled"


def _observation(observation: Observation) -> dict[str, Any]:
    """Replication time control exists only with metrics, and 15 minutes is the only value that S3 takes."""
    if observation is Observation.NONE:
        return {}
    if observation is Observation.METRICS:
        return {"Metrics": {"Status": "Enabled"}}
    return {
        "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
        "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
    }


def check_size(configuration: Document, bucket: str) -> None:
    """Raise InvalidInput when S3 would refuse the configuration of a bucket for its size."""
    size = _xml_bytes("ReplicationConfiguration", configuration)
    if size > MAX_CONFIGURATION_BYTES:
        raise InvalidInput(
            f"bucket '{bucket}': its replication configuration would have {size} bytes, and S3 takes "
            f"{MAX_CONFIGURATION_BYTES}. Use fewer rules, or shorter prefixes and tags."
        )


def _xml_bytes(name: str, value: Any) -> int:
    """The length of a value as an XML element of that name; a list is one element for each entry."""
    if isinstance(value, list):
        return sum(_xml_bytes(name, one) for one in value)
    around = len(f"<{name}></{name}>")
    if isinstance(value, dict):
        return around + sum(_xml_bytes(key, one) for key, one in value.items())
    return around + len(str(value).encode())
