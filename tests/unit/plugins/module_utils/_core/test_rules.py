# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A rule as S3's document: complete in the new schema, and nothing in it that nobody asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Accounts,
    Direction,
    Document,
    InvalidInput,
    Observation,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.rules import filter_document, rule_document
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNTS,
    ARCHIVE,
    DR,
    KEYS,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    a_pair,
    two_way,
    wished,
)

SOURCE = replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket])
ENCRYPTED = replace(DR, kms_key_arn=KEYS[DR.bucket])
BUCKET = {"Bucket": "arn:aws:s3:::example-orders-dr", "Metrics": {"Status": "Enabled"}}


def document(rule: Rule, accounts: Accounts = ACCOUNTS, **pair: Any) -> Document:
    """A rule as it goes from the primary to where it goes."""
    link = a_pair(rules=(rule,), **pair).both_links()[0]
    return rule_document(link.rules[0], link, accounts)


def test_a_rule_is_complete_in_the_new_schema() -> None:
    assert document(Rule("r")) == {
        "ID": "r",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": BUCKET,
    }


@pytest.mark.parametrize(
    "changes",
    [{"enabled": False}, {"delete_markers": True}, {"prefix": "a/"}, {"priority": 0}, {"tags": (("k", "v"),)}],
)
def test_every_rule_has_filter_priority_and_delete_markers_and_nothing_of_the_old_schema(
    changes: dict[str, Any],
) -> None:
    found = document(Rule("r", **changes))
    assert {"ID", "Priority", "Status", "Filter", "DeleteMarkerReplication", "Destination"} <= set(found)
    assert {"Prefix", "ExistingObjectReplication"}.isdisjoint(found)


def test_the_choices_of_a_rule_reach_its_document() -> None:
    found = document(Rule("r", enabled=False, delete_markers=True, prefix="a/", priority=9))
    assert found["Status"] == "Disabled"
    assert found["DeleteMarkerReplication"] == {"Status": "Enabled"}
    assert found["Filter"] == {"Prefix": "a/"}
    assert found["Priority"] == 9


K, L = {"Key": "k", "Value": "v"}, {"Key": "l", "Value": ""}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("r"), {"Prefix": ""}),
        (Rule("r", prefix="a/"), {"Prefix": "a/"}),
        (Rule("r", tags=(("k", "v"),)), {"Tag": K}),
        (Rule("r", tags=(("k", "v"), ("l", ""))), {"And": {"Tags": [K, L]}}),
        (Rule("r", prefix="a/", tags=(("k", "v"),)), {"And": {"Prefix": "a/", "Tags": [K]}}),
        (Rule("r", prefix="a/", tags=(("k", "v"), ("l", ""))), {"And": {"Prefix": "a/", "Tags": [K, L]}}),
    ],
)
def test_a_filter_has_the_one_form_that_s3_takes(rule: Rule, expected: Document) -> None:
    assert filter_document(rule) == expected


def test_replication_time_control_stands_only_together_with_metrics() -> None:
    assert document(Rule("r", observation=Observation.METRICS_AND_RTC))["Destination"] == {
        "Bucket": "arn:aws:s3:::example-orders-dr",
        "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
        "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
    }
    assert document(Rule("r", observation=Observation.METRICS))["Destination"] == BUCKET
    assert document(Rule("r", observation=Observation.NONE))["Destination"] == {"Bucket": BUCKET["Bucket"]}


def test_the_storage_class_is_that_of_the_end_where_replicas_arrive() -> None:
    primary, dr = replace(PRIMARY, storage_class="GLACIER_IR"), replace(DR, storage_class="STANDARD_IA")
    there, back = two_way(primary=primary, dr=dr).links()
    assert rule_document(there.rules[0], there, ACCOUNTS)["Destination"]["StorageClass"] == "STANDARD_IA"
    assert rule_document(back.rules[0], back, ACCOUNTS)["Destination"]["StorageClass"] == "GLACIER_IR"
    cold = Rule("r", destination=replace(dr, storage_class="DEEP_ARCHIVE"))
    assert document(cold, dr=dr)["Destination"]["StorageClass"] == "DEEP_ARCHIVE"
    assert "StorageClass" not in document(Rule("r"))["Destination"]


def test_a_rule_with_a_bucket_of_its_own_replicates_there() -> None:
    (link,) = a_pair(rules=(Rule("r"), Rule("old", 2, destination=ARCHIVE))).links()
    assert rule_document(link.rules[1], link, ACCOUNTS)["Destination"]["Bucket"] == "arn:aws:s3:::example-archive"


# --- KMS -----------------------------------------------------------------------------------------------------

SELECTED = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}


def test_objects_under_kms_replicate_with_the_key_that_the_destination_names() -> None:
    found = document(Rule("r"), primary=SOURCE, dr=ENCRYPTED)
    assert found["SourceSelectionCriteria"] == SELECTED
    assert found["Destination"]["EncryptionConfiguration"] == {"ReplicaKmsKeyID": KEYS[DR.bucket]}


def test_a_rule_may_name_another_key_in_the_same_bucket() -> None:
    other = f"{KEYS[DR.bucket]}-2"
    found = document(Rule("r", destination=replace(ENCRYPTED, kms_key_arn=other)), primary=SOURCE, dr=ENCRYPTED)
    assert found["Destination"]["EncryptionConfiguration"] == {"ReplicaKmsKeyID": other}


@pytest.mark.parametrize(
    ("rule", "dr"), [(Rule("r", kms_objects=False), ENCRYPTED), (Rule("r"), DR)], ids=["said", "no key named"]
)
def test_without_objects_under_kms_a_rule_says_nothing_of_keys(rule: Rule, dr: Any) -> None:
    found = document(rule, primary=SOURCE, dr=dr)
    assert "SourceSelectionCriteria" not in found
    assert "EncryptionConfiguration" not in found["Destination"]


# --- changes of replicas -------------------------------------------------------------------------------------

MODIFICATIONS = {"ReplicaModifications": {"Status": "Enabled"}}


@pytest.mark.parametrize(
    ("direction", "choice", "expected"),
    [
        ("two_way", None, MODIFICATIONS),
        ("one_way", None, None),
        ("two_way", False, None),
        ("one_way", True, MODIFICATIONS),
    ],
)
def test_changes_of_replicas_are_carried_by_two_way_pairs_or_as_the_rule_says(
    direction: str, choice: bool | None, expected: Document | None
) -> None:
    found = document(Rule("r", replica_modifications=choice), direction=Direction(direction))
    assert found.get("SourceSelectionCriteria") == expected


def test_both_selections_stand_together() -> None:
    found = document(Rule("r", replica_modifications=True), primary=SOURCE, dr=ENCRYPTED)
    assert found["SourceSelectionCriteria"] == {**MODIFICATIONS, **SELECTED}


# --- owners --------------------------------------------------------------------------------------------------


def test_replicas_are_given_to_the_account_of_their_bucket() -> None:
    assert document(Rule("r", owner_override=True), TWO_ACCOUNTS)["Destination"] == {
        **BUCKET,
        "Account": OTHER.id,
        "AccessControlTranslation": {"Owner": "Destination"},
    }


def test_without_override_no_account_is_named() -> None:
    assert document(Rule("r"), TWO_ACCOUNTS)["Destination"] == BUCKET


# --- size ----------------------------------------------------------------------------------------------------


def rules_with_tags(number: int) -> tuple[Rule, ...]:
    """So many rules, each with ten tags as long as S3 allows."""
    tags = tuple((f"{tag:0128}", "v" * 256) for tag in range(10))
    return tuple(Rule(f"r{one}", one, tags=tags) for one in range(number))


def test_a_configuration_that_is_larger_than_s3_takes_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'example-orders': .* would have [4-5]\d{6} bytes, and S3 takes 2097152"):
        wished(a_pair(rules=rules_with_tags(1000)))


def test_the_size_is_that_of_the_xml() -> None:
    """A rule with ten tags as long as S3 allows has 4.4 kB, 440 of them just less than the limit."""
    assert wished(a_pair(rules=rules_with_tags(440)))
    with pytest.raises(InvalidInput, match="Use fewer rules, or shorter prefixes and tags"):
        wished(a_pair(rules=rules_with_tags(500)))
