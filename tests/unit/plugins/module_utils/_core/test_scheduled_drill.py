# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a scheduled drill is in AWS: bad input is refused, rights are few, and what is no longer wished goes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import ROWS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_roles import pair_policies
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_wish import (
    leftovers,
    possible_addresses,
    scheduled_drill_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_bucket import (
    Keeping,
    evidence_bucket_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    GLOBAL,
    Account,
    Address,
    End,
    InvalidInput,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.readiness import readiness_addresses
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import one_account, pair_addresses
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.scheduled_drill import Inventory, Names
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.scopes import scope_addresses
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    DR,
    KEYS,
    PRIMARY,
    WEST,
    a_pair,
    a_scheduled_drill,
    drilled,
)

NAME = "s3-dr-scheduled-drill"
NAMES = Names(NAME, WEST, ACCOUNT)


def statements(wish: Any, role: str) -> list[dict[str, Any]]:
    """All statements of a role's policies."""
    inline = wish[Address("iam_role_policy", f"{role}/{NAME}", GLOBAL, ACCOUNT.id)]["Statement"]
    managed = [
        statement
        for at, document in wish.items()
        if at.kind == "iam_managed_policy" and at.name.startswith(f"{role}/")
        for statement in document["Policy"]["Statement"]
    ]
    return [*inline, *managed]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a b"}, "use 1 to 30 letters"),
        ({"name": "x" * 31}, "use 1 to 30 letters"),
        ({"region": "nowhere"}, "nowhere"),
        ({"pairs": ()}, "it has 0 pairs"),
        ({"region": "eu-west-1", "topic_arns": ()}, "the DR bucket of orders is in another Region"),
        ({"schedule": "daily"}, "write cron"),
        ({"timeout_seconds": 901}, "timeout_seconds is 901. Use 60 to 900"),
        ({"memory_mb": 128}, "memory_mb is 128"),
        ({"no_proof_hours": 169}, "no_proof_hours is 169. Use 2 to 168"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"topic_arns": ("topic",)}, "is not the ARN of an SNS topic"),
        ({"topic_arns": ("arn:aws:sns:us-east-1:111122223333:t",)}, "must not depend on another Region"),
    ],
)
def test_what_cannot_be_right_is_refused_before_any_call(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        a_scheduled_drill(**changes)


def test_more_pairs_than_one_execution_has_events_for_are_refused() -> None:
    most = a_scheduled_drill().most_pairs
    assert 50 < most < 60
    pairs = tuple(replace(a_pair(), name=f"p{number}") for number in range(most + 1))
    a_scheduled_drill(pairs=pairs[:-1])
    with pytest.raises(InvalidInput, match=rf"it has {most + 1} pairs, .* 1 to {most}\."):
        a_scheduled_drill(pairs=pairs)
    assert a_scheduled_drill(deadline_seconds=3600).most_pairs < most / 2


def test_the_function_may_read_all_that_a_drill_reads_and_nothing_of_other_buckets() -> None:
    found = statements(drilled(), NAMES.role("function"))
    pair = a_pair()
    read = [*pair_addresses(pair, ACCOUNTS), *readiness_addresses(pair, ACCOUNTS), *scope_addresses(pair, ACCOUNTS)]
    needed = {action for at in read for action in ROWS[at.kind].permissions["read"].split(", ")}
    allowed = [action for statement in found for action in statement["Action"]]
    missing = {
        action
        for action in needed
        if not any(action == one or (one.endswith("*") and action.startswith(one[:-1])) for one in allowed)
    }
    assert missing - {"iam:ListRolePolicies"} == set()
    buckets = {r for statement in found for r in statement["Resource"] if r.startswith("arn:aws:s3")}
    names = {r.removeprefix("arn:aws:s3:::").split("/")[0] for r in buckets}
    assert names == {PRIMARY.bucket, DR.bucket, "example-evidence", "example-recovery"}


def test_the_function_writes_canaries_evidence_and_its_work_and_deletes_no_object_of_the_pairs() -> None:
    found = statements(drilled(), NAMES.role("function"))
    written = {
        action: resource
        for statement in found
        for action in statement["Action"]
        for resource in [statement["Resource"]]
        if action.startswith(("s3:Put", "s3:Delete"))
    }
    for statement in found:
        if any(action.startswith("s3:Delete") for action in statement["Action"]):
            assert all(".s3-dr-canary/" in one or "scheduled-drill/" in one for one in statement["Resource"])
    assert "s3:DeleteObjectVersion" in written
    assert not any("example-evidence" in str(one) for action, one in written.items() if "Delete" in action)


def test_the_other_roles_may_only_start_what_they_start() -> None:
    wish = drilled(a_scheduled_drill(topic_arns=(), ops_items=False))
    assert [one["Action"] for one in statements(wish, NAMES.role("states"))] == [["lambda:InvokeFunction"]]
    start = statements(wish, NAMES.role("schedule"))
    assert [one["Action"] for one in start] == [["states:StartExecution"], ["sqs:SendMessage"]]
    assert start[0]["Resource"] == [NAMES.machine_arn]


def test_an_end_behind_a_role_is_reached_by_that_role_alone() -> None:
    role = "arn:aws:iam::222233334444:role/reader"
    wish = drilled(a_scheduled_drill(roles={DR.bucket: role}))
    found = statements(wish, NAMES.role("function"))
    assert [role] in [one["Resource"] for one in found if one["Action"] == ["sts:AssumeRole"]]
    assert not any(DR.bucket + "/" in resource for one in found for resource in one["Resource"])


def test_the_rights_on_many_pairs_are_packed_into_policies_that_iam_takes() -> None:
    pairs = []
    for number in range(60):
        ends = (
            End(f"example-bucket-number-{number}-{side}", where) for side, where in (("a", "us-east-1"), ("b", WEST))
        )
        primary, dr = ends
        pairs.append(replace(a_pair(), name=f"pair{number}", primary=primary, dr=dr))
    accounts = {pair.name: one_account(ACCOUNT, *pair.ends()) for pair in pairs}
    policies = pair_policies(pairs, accounts, {})
    assert 1 < len(policies) <= 10
    assert all(len(json.dumps(one, separators=(",", ":"))) <= 6144 for one in policies)
    named = json.dumps(policies)
    assert all(f'"arn:aws:s3:::{pair.dr.bucket}"' in named for pair in pairs)


def test_keys_may_be_used_only_if_they_are_named() -> None:
    assert "kms:" not in json.dumps(statements(drilled(), NAMES.role("function")))
    primary = replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket])
    wish = drilled(a_scheduled_drill(pairs=(replace(a_pair(), primary=primary),)))
    used = [one for one in statements(wish, NAMES.role("function")) if "kms:Decrypt" in one["Action"]]
    assert [one["Resource"] for one in used] == [[KEYS[PRIMARY.bucket]]]
    assert used[0]["Condition"] == {"StringEquals": {"kms:ViaService": ["s3.us-east-1.amazonaws.com"]}}


def test_the_keys_of_the_buckets_that_the_function_writes_to_may_be_used() -> None:
    wish = drilled(a_scheduled_drill(key_arns=(KEYS[DR.bucket],)))
    used = [one for one in statements(wish, NAMES.role("function")) if one["Sid"] == "OwnKeys"]
    assert [one["Resource"] for one in used] == [[KEYS[DR.bucket]]]
    assert used[0]["Condition"] == {"StringEquals": {"kms:ViaService": ["s3.us-west-2.amazonaws.com"]}}


def test_of_the_buckets_with_reports_the_function_may_read_and_use_their_keys() -> None:
    without = statements(drilled(), NAMES.role("function"))
    assert not [one for one in without if "reports" in json.dumps(one["Resource"])]
    inventory = Inventory(1000, 50, ("reports-a", "reports-b"), (KEYS[PRIMARY.bucket],))
    wish = drilled(a_scheduled_drill(inventory=inventory))
    added = {one["Sid"]: one for one in statements(wish, NAMES.role("function")) if one not in without}
    assert {sid: (one["Action"], one["Resource"]) for sid, one in added.items()} == {
        "ListReports": (["s3:ListBucket"], ["arn:aws:s3:::reports-a", "arn:aws:s3:::reports-b"]),
        "Reports": (["s3:GetObject"], ["arn:aws:s3:::reports-a/*", "arn:aws:s3:::reports-b/*"]),
        "ReportKeys": (["kms:Decrypt", "kms:GenerateDataKey"], [KEYS[PRIMARY.bucket]]),
    }
    assert added["ReportKeys"]["Condition"] == {"StringEquals": {"kms:ViaService": ["s3.us-east-1.amazonaws.com"]}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": -1}, "inventory.threshold is -1. Use 0 to"),
        ({"max_age_hours": 0}, "inventory.max_age_hours is 0. Use 1 to 336"),
        ({"buckets": ()}, "inventory.buckets is empty"),
        ({"key_arns": ("alias/mine",)}, "inventory.kms_key_arns: 'alias/mine' is not the ARN of a key"),
    ],
)
def test_reports_that_cannot_be_meant_are_refused(changes: dict[str, Any], said: str) -> None:
    fields: dict[str, Any] = {"threshold": 1, "max_age_hours": 50, "buckets": ("reports",), **changes}
    with pytest.raises(InvalidInput, match=re.escape(said)):
        Inventory(**fields)


def test_what_is_traced_may_ask_what_to_sample() -> None:
    wish = drilled(a_scheduled_drill(tracing=True))
    for role in ("function", "states"):
        actions = {action for one in statements(wish, NAMES.role(role)) for action in one["Action"]}
        assert {"xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTraceSegments"} <= actions


def test_a_pair_without_a_proof_fires_after_its_hours_and_so_does_one_that_no_run_looks_at() -> None:
    wish = drilled()
    alarm = wish[NAMES.at("metric_alarm", NAMES.alarm("orders"))]
    assert (alarm["Period"] * alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (26 * 3600, "breaching")
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
    assert alarm["AlarmActions"] == list(a_scheduled_drill().topic_arns)


def test_a_drill_that_is_off_leaves_no_alarm_on_missing_proofs() -> None:
    wish = drilled(a_scheduled_drill(enabled=False))
    assert not [at for at in wish if at.kind == "metric_alarm"]
    assert wish[NAMES.at("schedule", NAME)]["State"] == "DISABLED"
    gone = leftovers(possible_addresses(NAMES, [NAMES.alarm("orders")]), wish, keeps_concurrency=True)
    assert NAMES.at("metric_alarm", NAMES.alarm("orders")) in gone


def test_the_alarm_of_a_pair_that_is_no_longer_declared_goes() -> None:
    there = [NAMES.alarm("orders"), NAMES.alarm("former")]
    gone = leftovers(possible_addresses(NAMES, there), drilled(), keeps_concurrency=True)
    assert [at.name for at in gone if at.kind == "metric_alarm"] == [NAMES.alarm("former")]


def test_policies_and_reservations_that_are_no_longer_wished_go() -> None:
    wish = drilled(a_scheduled_drill(reserved_concurrency=0))
    gone = leftovers(possible_addresses(NAMES, [NAMES.alarm("orders")]), wish, keeps_concurrency=False)
    assert len([at for at in gone if at.kind == "iam_managed_policy"]) == 9
    assert NAMES.at("function_concurrency", NAME) in gone
    kept = leftovers(possible_addresses(NAMES, [NAMES.alarm("orders")]), drilled(), keeps_concurrency=True)
    assert NAMES.at("function_concurrency", NAME) not in kept


def test_what_may_be_there_covers_all_that_is_wished() -> None:
    drill = a_scheduled_drill(reserved_concurrency=3)
    wish = scheduled_drill_wish(drill, ACCOUNT, {"orders": ACCOUNTS})
    assert set(wish) <= set(possible_addresses(NAMES, [NAMES.alarm("orders")]))


@pytest.mark.parametrize(
    ("keeping", "said"),
    [
        ({"lock_mode": "GOVERNANCE"}, "needs both"),
        ({"lock_mode": "SOFT", "lock_days": 1}, "has no mode 'SOFT'"),
        ({"lock_mode": "COMPLIANCE", "lock_days": 0}, "is 0"),
        ({"lock_mode": "COMPLIANCE", "lock_days": 30, "days": 7}, "could not remove them"),
    ],
)
def test_evidence_that_cannot_be_kept_so_is_refused(keeping: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Keeping(**keeping)


def test_the_evidence_bucket_is_private_versioned_and_keeps_what_is_locked() -> None:
    wish = evidence_bucket_wish("example-evidence", WEST, Account("111122223333"), Keeping("COMPLIANCE", 30, 400))
    by_kind = {at.kind: document for at, document in wish.items()}
    assert by_kind["bucket_versioning"] == {"Status": "Enabled"}
    assert set(by_kind["bucket_public_access_block"].values()) == {True}
    assert by_kind["bucket_object_lock"]["Rule"]["DefaultRetention"] == {"Mode": "COMPLIANCE", "Days": 30}
    assert by_kind["bucket_lifecycle"]["Rules"][0]["Expiration"] == {"Days": 400}
    assert by_kind["bucket_policy"]["Statement"][0]["Effect"] == "Deny"
    loose = evidence_bucket_wish("example-evidence", WEST, ACCOUNT, Keeping())
    assert "bucket_object_lock" not in {at.kind for at in loose}
