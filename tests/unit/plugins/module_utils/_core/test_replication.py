# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The documents of a pair: rules in S3's new schema, and roles that may do only what replication needs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Document,
    End,
    InvalidInput,
    Observation,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    check_buckets,
    notes,
    pair_removal_wish,
    pair_wish,
    role_policy,
    roles_kept_notes,
    unwanted_direction,
    without_roles_in_use,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    DR,
    EAST,
    PRIMARY,
    WEST,
    a_pair,
    address,
    two_way,
)

BUCKETS = (address("bucket"), address("bucket", DR.bucket, WEST))


def replication(end: End = PRIMARY, **changes: Any) -> Document:
    """The replication configuration that the pair wishes for an end."""
    pair = two_way(**changes) if end is DR else a_pair(**changes)
    return pair_wish(pair, ACCOUNT)[address("bucket_replication", end.bucket, end.region)]


def rule(**changes: Any) -> Document:
    """The pair's single rule, with changes."""
    found: Document = replication(rules=(Rule("r", **changes),))["Rules"][0]
    return found


def role(kind: str) -> Document:
    """The document of the role towards the DR bucket, or of its policy."""
    name = "s3-dr-orders-to-us-west-2" + ("/s3-dr-replication" if kind == "iam_role_policy" else "")
    return pair_wish(a_pair(), ACCOUNT)[address(kind, name, "global")]


def test_a_rule_is_complete_in_the_new_schema() -> None:
    assert rule() == {
        "ID": "r",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": "arn:aws:s3:::example-orders-dr", "Metrics": {"Status": "Enabled"}},
    }


@pytest.mark.parametrize("changes", [{"enabled": False}, {"delete_markers": True}, {"prefix": "a/"}, {"priority": 0}])
def test_every_rule_has_filter_priority_and_delete_markers_and_nothing_of_the_old_schema(
    changes: dict[str, Any],
) -> None:
    document = rule(**changes)
    assert {"ID", "Priority", "Status", "Filter", "DeleteMarkerReplication", "Destination"} <= set(document)
    assert {"Prefix", "ExistingObjectReplication"}.isdisjoint(document)


def test_the_choices_of_a_rule_reach_its_document() -> None:
    document = rule(enabled=False, delete_markers=True, prefix="a/", priority=9)
    assert document["Status"] == "Disabled"
    assert document["DeleteMarkerReplication"] == {"Status": "Enabled"}
    assert document["Filter"] == {"Prefix": "a/"}
    assert document["Priority"] == 9


def test_replication_time_control_stands_only_together_with_metrics() -> None:
    assert rule(observation=Observation.METRICS_AND_RTC)["Destination"] == {
        "Bucket": "arn:aws:s3:::example-orders-dr",
        "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
        "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
    }
    assert "ReplicationTime" not in rule(observation=Observation.METRICS)["Destination"]
    assert rule(observation=Observation.NONE)["Destination"] == {"Bucket": "arn:aws:s3:::example-orders-dr"}


def test_the_storage_class_is_that_of_the_end_where_replicas_arrive() -> None:
    ends = {"primary": End(PRIMARY.bucket, EAST, "GLACIER_IR"), "dr": End(DR.bucket, WEST, "STANDARD_IA")}
    assert replication(**ends)["Rules"][0]["Destination"]["StorageClass"] == "STANDARD_IA"
    assert replication(DR, **ends)["Rules"][0]["Destination"]["StorageClass"] == "GLACIER_IR"
    assert "StorageClass" not in rule()["Destination"]


def test_only_a_two_way_pair_carries_changes_of_replicas() -> None:
    modifications = {"ReplicaModifications": {"Status": "Enabled"}}
    wish = pair_wish(two_way(), ACCOUNT)
    both = [document for at, document in wish.items() if at.kind == "bucket_replication"]
    assert [document["Rules"][0]["SourceSelectionCriteria"] for document in both] == [modifications] * 2
    assert "SourceSelectionCriteria" not in rule()


def test_each_direction_replicates_as_its_own_role() -> None:
    assert replication()["Role"] == "arn:aws:iam::111122223333:role/s3-dr-orders-to-us-west-2"
    assert replication(DR)["Role"] == "arn:aws:iam::111122223333:role/s3-dr-orders-to-us-east-1"


def test_the_role_may_do_exactly_what_aws_documents() -> None:
    allowed = {
        (action, resource)
        for statement in role("iam_role_policy")["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
        if statement["Effect"] == "Allow"
    }
    source, destination = "arn:aws:s3:::example-orders", "arn:aws:s3:::example-orders-dr"
    assert allowed == {
        ("s3:GetReplicationConfiguration", source),
        ("s3:ListBucket", source),
        ("s3:GetObjectVersionForReplication", f"{source}/*"),
        ("s3:GetObjectVersionAcl", f"{source}/*"),
        ("s3:GetObjectVersionTagging", f"{source}/*"),
        ("s3:ReplicateObject", f"{destination}/*"),
        ("s3:ReplicateDelete", f"{destination}/*"),
        ("s3:ReplicateTags", f"{destination}/*"),
    }
    assert not [action for action, _resource in allowed if "*" in action]


def test_the_roles_trust_has_no_conditions_that_replication_may_not_send() -> None:
    (statement,) = role("iam_role")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
    assert "Condition" not in statement


def test_the_role_is_known_by_its_tags() -> None:
    assert role("iam_role")["Tags"] == {"managed-by": "crossregion.s3_dr", "s3-dr-pair": "orders"}


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
def test_every_arn_is_of_the_accounts_partition(partition: str) -> None:
    account = Account("111122223333", partition)
    (link,) = a_pair().links()
    arns = [arn for statement in role_policy(link, partition)["Statement"] for arn in statement["Resource"]]
    wished = pair_wish(a_pair(), account)[address("bucket_replication")]
    arns += [wished["Role"], wished["Rules"][0]["Destination"]["Bucket"]]
    assert {arn.split(":")[1] for arn in arns} == {partition}


def test_a_pair_wishes_both_buckets_with_versioning() -> None:
    wish = pair_wish(a_pair(), ACCOUNT)
    for end in (PRIMARY, DR):
        assert wish[address("bucket", end.bucket, end.region)] == {"Region": end.region}
        assert wish[address("bucket_versioning", end.bucket, end.region)] == {"Status": "Enabled"}
    assert address("bucket_replication", DR.bucket, WEST) not in wish


def test_a_one_way_pair_does_not_want_the_way_back() -> None:
    kinds = sorted((at.kind, at.name) for at in unwanted_direction(a_pair(), ACCOUNT))
    assert kinds == [
        ("bucket_replication", DR.bucket),
        ("iam_role", "s3-dr-orders-to-us-east-1"),
        ("iam_role_policy", "s3-dr-orders-to-us-east-1/s3-dr-replication"),
    ]
    assert unwanted_direction(two_way(), ACCOUNT) == {}


def test_removal_takes_rules_and_roles_of_both_directions_and_no_bucket() -> None:
    kinds = sorted(at.kind for at in pair_removal_wish(a_pair(), ACCOUNT))
    assert kinds == ["bucket_replication"] * 2 + ["iam_role"] * 2 + ["iam_role_policy"] * 2


def test_removal_takes_exactly_the_buckets_that_are_named_contents_first() -> None:
    unwanted = pair_removal_wish(a_pair(), ACCOUNT, [DR.bucket])
    observed = {at: {"versions": 1} if at.kind == "bucket_contents" else document for at, document in unwanted.items()}
    steps = plan({}, observed, unwanted)
    assert [(step.address.kind, step.address.name) for step in steps][-2:] == [
        ("bucket_contents", DR.bucket),
        ("bucket", DR.bucket),
    ]
    assert not [step for step in steps if step.address.name == PRIMARY.bucket and step.address.kind == "bucket"]


def test_a_role_that_foreign_rules_replicate_as_stays_with_its_policy_and_a_note() -> None:
    unwanted = pair_removal_wish(a_pair(), ACCOUNT)
    ours = replication()
    shared = {**ours, "Rules": [*ours["Rules"], {**ours["Rules"][0], "ID": "theirs", "Priority": 9}]}
    observed = {**unwanted, address("bucket_replication"): shared}
    gone = {at.name for at in without_roles_in_use(unwanted, observed) if at.region == "global"}
    assert gone == {"s3-dr-orders-to-us-east-1", "s3-dr-orders-to-us-east-1/s3-dr-replication"}
    (said,) = roles_kept_notes(unwanted, observed)
    assert "s3-dr-orders-to-us-west-2 stays" in said
    assert "example-orders" in said
    assert without_roles_in_use(unwanted, unwanted) == unwanted
    assert roles_kept_notes(unwanted, unwanted) == []


def test_a_bucket_in_another_region_is_refused_whether_or_not_it_may_be_created() -> None:
    observed = {BUCKETS[0]: {"Region": "eu-west-1"}, BUCKETS[1]: {"Region": WEST}}
    for create in (True, False):
        with pytest.raises(
            InvalidInput, match=r"'example-orders' is in eu-west-1, not in us-east-1.*Correct the `region`"
        ):
            check_buckets(a_pair().ends(), ACCOUNT, observed, create=create)


def test_every_missing_bucket_is_named_when_none_may_be_created() -> None:
    observed = dict.fromkeys(BUCKETS)
    with pytest.raises(InvalidInput, match=r"'example-orders' does not.*'example-orders-dr' does not.*create_buckets"):
        check_buckets(a_pair().ends(), ACCOUNT, observed, create=False)
    check_buckets(a_pair().ends(), ACCOUNT, observed, create=True)


def test_buckets_as_declared_are_fine() -> None:
    observed = {BUCKETS[0]: {"Region": EAST}, BUCKETS[1]: {"Region": WEST}}
    check_buckets(a_pair().ends(), ACCOUNT, observed, create=False)


def test_new_versioning_comes_with_aws_advice_to_wait() -> None:
    wish = pair_wish(a_pair(), ACCOUNT)
    old = {**dict.fromkeys(wish), address("bucket_versioning"): {"Status": "Enabled"}}
    assert notes(wish, old) == [
        "Versioning is new on example-orders-dr: AWS advises to wait 15 minutes before writing objects."
    ]
    assert notes(wish, wish) == []
    suspended = {**wish, address("bucket_versioning"): {"Status": "Suspended"}}
    assert "example-orders:" in notes(wish, suspended)[0]
