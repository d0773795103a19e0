# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Examples of merging that are easier to read than the laws, and the wording of what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS, canonical
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import is_ours, owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Refused, Step
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import applied, plan, waves
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import leftovers
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNTS,
    DR,
    EAST,
    TWO_ACCOUNTS,
    WEST,
    a_pair,
    address,
    everything,
    two_way,
    wished,
)

ROLE = "arn:aws:iam::111122223333:role/s3-dr-orders-to-us-west-2"
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


def rule(rule_id: str, priority: int = 1, **more: Any) -> dict[str, Any]:
    """A rule of the new schema."""
    return {
        "ID": rule_id,
        "Priority": priority,
        "Status": "Enabled",
        "Filter": {},
        "Destination": {"Bucket": "b"},
        **more,
    }


def replication(*rules: dict[str, Any], role: str = ROLE) -> dict[str, Any]:
    """A replication configuration."""
    return {"Role": role, "Rules": list(rules)}


def put(kind: str, ours: Any, theirs: Any) -> Any:
    """The whole document with our part in it."""
    return KINDS[kind].put(ours, theirs)


def test_a_rule_of_the_same_id_is_ours_and_replaced() -> None:
    held = replication(rule("ours", 5), role="arn:aws:iam::111122223333:role/old")
    assert put("bucket_replication", replication(rule("ours", 1)), held) == replication(rule("ours", 1))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Disabled"}}}, {}),
        ({"Destination": {"Bucket": "b", "Metrics": {"Status": "Disabled"}}}, {}),
        ({"Filter": {"And": {"Prefix": "a/"}}}, {"Filter": {"Prefix": "a/"}}),
        ({"DeleteMarkerReplication": {"Status": "Disabled"}}, {}),
    ],
)
def test_what_is_said_to_be_off_means_the_same_as_what_is_not_said(said: dict[str, Any], meant: dict[str, Any]) -> None:
    one, other = (canonical("bucket_replication", replication(rule("r", **more))) for more in (said, meant))
    assert one == other


def test_what_is_said_to_be_on_is_a_difference() -> None:
    on = rule("r", SourceSelectionCriteria={"ReplicaModifications": {"Status": "Enabled"}})
    assert canonical("bucket_replication", replication(on)) != canonical("bucket_replication", replication(rule("r")))


def test_a_foreign_role_with_foreign_rules_is_refused_with_both_named() -> None:
    with pytest.raises(
        Refused,
        match=r"'theirs'.*as role/theirs.*`replication_role_arn`, move .*, or set `purge",
    ):
        put("bucket_replication", replication(rule("ours")), replication(rule("theirs", 2), role="role/theirs"))


def test_a_foreign_rule_of_the_same_priority_is_refused_with_the_next_step() -> None:
    with pytest.raises(Refused, match=r"'theirs'.*priority 1.*'ours'.*set another `priority`"):
        put("bucket_replication", replication(rule("ours")), replication(rule("theirs")))


def test_a_foreign_rule_of_the_old_schema_is_refused_with_the_next_step() -> None:
    old = {"ID": "theirs", "Prefix": "", "Status": "Enabled", "Destination": {"Bucket": "b"}}
    with pytest.raises(Refused, match=r"'theirs' has the old schema.*Rewrite that rule"):
        put("bucket_replication", replication(rule("ours")), replication(old))


def test_a_foreign_rule_of_the_old_schema_stays_when_ours_are_taken() -> None:
    old = {"ID": "theirs", "Prefix": "", "Status": "Enabled", "Destination": {"Bucket": "b"}}
    assert KINDS["bucket_replication"].take(replication(rule("ours")), replication(old)) == replication(old)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("bucket_replication", replication(rule("a")), replication(rule("a", Filter={"Prefix": ""}))),
        (
            "bucket_replication",
            replication(rule("a")),
            replication(rule("a", DeleteMarkerReplication={"Status": "Disabled"})),
        ),
        (
            "bucket_replication",
            replication(rule("a")),
            replication(rule("a", ExistingObjectReplication={"Status": "Disabled"})),
        ),
        (
            "bucket_replication",
            replication(rule("a", Filter={"And": {"Tags": [{"Key": "k", "Value": "v"}, {"Key": "a", "Value": "b"}]}})),
            replication(rule("a", Filter={"And": {"Tags": [{"Key": "a", "Value": "b"}, {"Key": "k", "Value": "v"}]}})),
        ),
        ("bucket_policy", {"Statement": ALLOW}, {"Statement": [ALLOW]}),
        ("kms_key_policy", {"Statement": ALLOW}, {"Statement": [{**ALLOW, "Action": ["s3:GetObject"]}]}),
        ("bucket_policy", {"Statement": ALLOW}, {"Statement": [{**ALLOW, "Action": ["s3:GetObject"]}]}),
        (
            "bucket_policy",
            {"Statement": {**ALLOW, "Condition": {"Bool": {"aws:SecureTransport": False}}}},
            {"Statement": {**ALLOW, "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}}},
        ),
        ("bucket_encryption", {"Rules": [{"BucketKeyEnabled": False}]}, {"Rules": [{}]}),
        (
            "bucket_lifecycle",
            {"Rules": [{"ID": "a", "Filter": {}}], "TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"},
            {"Rules": [{"ID": "a", "Prefix": ""}]},
        ),
        (
            "trail_event_selectors",
            {"EventSelectors": [{"ReadWriteType": "All", "DataResources": []}]},
            {"EventSelectors": [{"ReadWriteType": "All"}]},
        ),
        (
            "trail_event_selectors",
            {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "f", "Equals": ["a"], "NotEquals": []}]}]},
            {"AdvancedEventSelectors": [{"Name": "", "FieldSelectors": [{"Field": "f", "Equals": ["a"]}]}]},
        ),
    ],
)
def test_two_ways_to_say_the_same_are_the_same(kind: str, one: Any, other: Any) -> None:
    assert canonical(kind, one) == canonical(kind, other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("bucket_replication", replication(rule("a")), replication(rule("a"), role="role/theirs")),
        ("bucket_replication", replication(rule("a")), replication(rule("a", Filter={"Prefix": "x"}))),
        ("bucket_replication", replication(rule("a")), replication(rule("a", 2))),
        ("bucket_replication", replication(rule("a")), replication(rule("a", Status="Disabled"))),
        ("bucket_encryption", {"Rules": [{"BucketKeyEnabled": True}]}, {"Rules": [{}]}),
        (
            "bucket_lifecycle",
            {"Rules": [], "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"},
            {"Rules": []},
        ),
        ("bucket_policy", {"Statement": ALLOW}, {"Statement": {**ALLOW, "Effect": "Deny"}}),
        ("bucket_policy", {"Statement": ALLOW}, {"Statement": {**ALLOW, "Principal": {"AWS": "a"}}}),
        ("bucket_policy", {"Statement": ALLOW}, {"Statement": [ALLOW, {**ALLOW, "Sid": "b"}]}),
        ("iam_role", {"AssumeRolePolicyDocument": {}, "Path": "/"}, {"AssumeRolePolicyDocument": {}, "Path": "/a/"}),
        ("metric_alarm", {"Dimensions": [], "Threshold": 1.0}, {"Dimensions": [], "Threshold": 2.0}),
    ],
)
def test_what_differs_in_meaning_differs(kind: str, one: Any, other: Any) -> None:
    assert canonical(kind, one) != canonical(kind, other)


def test_a_policy_without_version_is_kept_without_version() -> None:
    """The policy language does not demand one."""
    ours = {"Version": "2012-10-17", "Statement": [{**ALLOW, "Sid": "Ours"}]}
    held = {"Statement": [{**ALLOW, "Sid": "Theirs"}]}
    both = put("bucket_policy", ours, held)
    assert [statement["Sid"] for statement in both["Statement"]] == ["Theirs", "Ours"]
    assert KINDS["bucket_policy"].take(ours, both) == held


def test_basic_selectors_with_settings_of_their_own_are_refused() -> None:
    basic = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}
    ours: Any = {"AdvancedEventSelectors": []}
    with pytest.raises(Refused, match=r"basic event selectors.*Rewrite them as advanced.*or name another trail"):
        put("trail_event_selectors", ours, {"EventSelectors": [basic]})


def test_fields_of_a_setting_that_we_do_not_name_keep_their_value() -> None:
    held = {"Status": "Suspended", "MFADelete": "Disabled"}
    assert put("bucket_versioning", {"Status": "Enabled"}, held) == {"Status": "Enabled", "MFADelete": "Disabled"}


def test_foreign_tags_of_our_things_are_kept() -> None:
    assert put("trail", {"Tags": owner_tags()}, {"Tags": owner_tags(team="red")})["Tags"] == owner_tags(team="red")


def test_ours_is_only_what_carries_our_tag() -> None:
    assert is_ours({"Tags": owner_tags()})
    assert not is_ours({"Tags": {"managed-by": "terraform"}})
    assert not is_ours({})
    assert not is_ours(None)


OURS = {"Version": "2012-10-17", "Statement": [{**ALLOW, "Sid": "Ours"}]}


@pytest.mark.parametrize("kind", ["sns_topic_policy", "kms_key_policy"])
def test_the_last_statement_of_a_topic_or_key_stays_as_long_as_the_thing(kind: str) -> None:
    assert KINDS[kind].take(OURS, OURS) == OURS


def test_a_bucket_policy_goes_with_its_last_statement() -> None:
    assert KINDS["bucket_policy"].take(OURS, OURS) is None


# --- what is removed by the step that puts ours --------------------------------------------------------------


def test_entries_that_are_named_as_removed_go_when_ours_are_put() -> None:
    ours = {**replication(rule("ours")), "Removed": ["old"]}
    held = replication(rule("old", 1, Filter={"Prefix": "x"}), rule("theirs", 2))
    assert put("bucket_replication", ours, held) == replication(rule("theirs", 2), rule("ours"))
    statements = {"Statement": [{**ALLOW, "Sid": sid} for sid in ("Theirs", "Old")]}
    both = put("bucket_policy", {**OURS, "Removed": ["Old"]}, statements)
    assert [statement["Sid"] for statement in both["Statement"]] == ["Theirs", "Ours"]
    assert "Removed" not in both


def test_rules_of_another_role_or_schema_or_of_our_priority_can_be_removed() -> None:
    old = {"ID": "old", "Prefix": "", "Status": "Enabled", "Destination": {"Bucket": "b"}}
    ours = {**replication(rule("ours")), "Removed": ["old", "same"]}
    assert put("bucket_replication", ours, replication(old, rule("same"), role="r")) == replication(rule("ours"))


def test_what_is_ours_stays_even_if_it_is_named_as_removed() -> None:
    ours = {**replication(rule("ours")), "Removed": ["ours"]}
    assert put("bucket_replication", ours, replication(rule("ours"))) == replication(rule("ours"))


# --- roles, Object Lock --------------------------------------------------------------------------------------


def test_a_role_of_the_same_name_at_another_path_is_refused_with_the_next_step() -> None:
    ours = {"Path": "/dr/", "Tags": owner_tags()}
    with pytest.raises(
        Refused, match=r"exists with the path /, and IAM never changes.*Set the role path /, or another"
    ):
        put("iam_role", ours, {"Path": "/", "Tags": owner_tags()})


def test_a_boundary_of_a_role_stays_unless_another_is_wished() -> None:
    held = {"Path": "/", "Tags": owner_tags(), "PermissionsBoundary": "theirs"}
    ours = {"Path": "/", "Tags": owner_tags()}
    assert put("iam_role", ours, held)["PermissionsBoundary"] == "theirs"
    assert put("iam_role", {**ours, "PermissionsBoundary": "ours"}, held)["PermissionsBoundary"] == "ours"


def test_a_default_retention_survives_and_object_lock_is_never_taken() -> None:
    held = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    ours = {"ObjectLockEnabled": "Enabled"}
    assert put("bucket_object_lock", ours, held) == held
    assert KINDS["bucket_object_lock"].take(ours, held) == held


# --- default encryption, lifecycle ---------------------------------------------------------------------------


def test_encryptions_that_are_blocked_stay_blocked_and_a_key_takes_the_place_of_another() -> None:
    blocked = {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
    by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "ours"}
    ours = {"Rules": [{"ApplyServerSideEncryptionByDefault": by_key, "BucketKeyEnabled": True}]}
    theirs = {"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": "theirs"}
    held = {"Rules": [{"ApplyServerSideEncryptionByDefault": theirs, "BucketKeyEnabled": False, **blocked}]}
    assert put("bucket_encryption", ours, held) == {"Rules": [{**ours["Rules"][0], **blocked}]}
    assert put("bucket_encryption", ours, None) == ours
    assert KINDS["bucket_encryption"].take(ours, held) == held


def test_lifecycle_goes_with_its_last_rule() -> None:
    ours = {"Rules": [{"ID": "ours", "Status": "Enabled", "Filter": {}}]}
    assert KINDS["bucket_lifecycle"].take(ours, {**ours, "TransitionDefaultMinimumObjectSize": "x"}) is None


# --- plans ---------------------------------------------------------------------------------------------------


def test_a_new_pair_is_built_in_the_order_in_which_aws_takes_it() -> None:
    wish = wished(a_pair())
    kinds = [step.address.kind for step in plan(wish, dict.fromkeys(wish))]
    assert kinds == ["bucket"] * 2 + ["bucket_versioning"] * 2 + ["iam_role", "iam_role_policy", "bucket_replication"]


def test_a_pair_with_everything_is_built_so_that_each_step_finds_what_it_needs() -> None:
    """Object Lock needs versioning, a policy that names a role needs the role, and rules need all of it."""
    wish = wished(everything(), TWO_ACCOUNTS)
    kinds = [step.address.kind for step in plan(wish, dict.fromkeys(wish))]
    order = list(dict.fromkeys(kinds))
    for before, after in (
        ("bucket", "bucket_versioning"),
        ("bucket_versioning", "bucket_object_lock"),
        ("iam_role", "iam_role_policy"),
        ("iam_role", "bucket_policy"),
        ("iam_role", "kms_key_policy"),
    ):
        assert order.index(before) < order.index(after)
    assert order[-1] == "bucket_replication"


def test_a_way_back_is_removed_rules_first_and_after_all_that_is_built() -> None:
    both = wished(two_way())
    built = applied(plan(both, dict.fromkeys(both)), dict.fromkeys(both))
    steps = plan(wished(a_pair()), built, leftovers(a_pair(), ACCOUNTS, built))
    assert [(step.action, step.address.kind, step.address.name) for step in steps] == [
        ("update", "bucket_replication", "example-orders"),  # it no longer carries changes of replicas back
        ("delete", "bucket_replication", "example-orders-dr"),
        ("delete", "iam_role_policy", "s3-dr-orders-to-us-east-1/s3-dr-replication"),
        ("delete", "iam_role", "s3-dr-orders-to-us-east-1"),
    ]


def test_what_is_refused_names_the_address() -> None:
    wish = wished(a_pair())
    observed = {
        **dict.fromkeys(wish),
        address("bucket_replication"): replication(rule("theirs", 2), role="role/theirs"),
    }
    with pytest.raises(Refused, match=r"^bucket_replication example-orders \(us-east-1\): the rules 'theirs'"):
        plan(wish, observed)


def test_steps_of_one_wave_on_one_thing_form_a_chain() -> None:
    there, here = address("bucket_versioning", DR.bucket, WEST), address("bucket_versioning")
    block = address("bucket_public_access_block")
    steps = [Step(one, None, {}) for one in (block, here, there)]
    assert waves(steps) == [[[steps[0], steps[1]], [steps[2]]]]


def test_the_same_name_in_another_region_is_another_thing() -> None:
    steps = [Step(address("sns_topic", "alarms", region), None, {}) for region in (EAST, WEST)]
    assert waves(steps) == [[[steps[0]], [steps[1]]]]


def test_no_steps_make_no_waves() -> None:
    assert waves([]) == []


# --- rules of the same ID that are another pair's ------------------------------------------------------------

NAMESAKE = replication(rule("all", Destination={"Bucket": "elsewhere"}), role="role/theirs")
PLAIN = replication(rule("all"))


def test_a_rule_of_our_id_that_goes_elsewhere_as_another_role_is_refused_with_the_next_step() -> None:
    with pytest.raises(
        Refused, match=r"'all' is there already.* to elsewhere as role/theirs.*another `id`.*`purge_rul"
    ):
        put("bucket_replication", PLAIN, NAMESAKE)


def test_it_is_replaced_when_it_is_to_be_purged() -> None:
    assert put("bucket_replication", {**PLAIN, "Removed": ["all"]}, NAMESAKE) == PLAIN


def test_our_own_rule_may_change_its_destination() -> None:
    before = replication(rule("all", Destination={"Bucket": "before"}))
    assert put("bucket_replication", PLAIN, before) == PLAIN


def test_a_rule_of_our_id_that_goes_elsewhere_stays_when_ours_are_taken() -> None:
    assert KINDS["bucket_replication"].take(PLAIN, NAMESAKE) == NAMESAKE
    assert KINDS["bucket_replication"].take(PLAIN, PLAIN) is None
