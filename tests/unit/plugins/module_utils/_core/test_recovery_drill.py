# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a recovery drill may write, as whom it recovers, and what it refuses before it asks AWS anything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.proofs import is_canary
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_drill import (
    STEPS,
    Body,
    DrillWishes,
    default_key_of,
    flight_of,
    key_of,
    link_of,
    predicted,
    role_arn_of,
    role_name,
    role_wish,
    stem_of,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    ARCHIVE,
    DR,
    KEYS,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    WEST,
    a_pair,
    two_way,
)

RULE = Rule("s3-dr-orders", prefix="orders/")
PAIR = a_pair(rules=(RULE,))
CALLER = "arn:aws:sts::111122223333:assumed-role/ops/me"


# --- what is wished ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": ()}, "at least one size"),
        ({"sizes": (0,)}, "from 1 byte"),
        ({"sizes": (1024**3 + 1,), "max_transfer_bytes": 10**12}, "to 1 GiB"),
        ({"sizes": (5, 5)}, "twice"),
        ({"each": 1}, "take 2 to 100"),
        ({"each": 101}, "take 2 to 100"),
        ({"deadline_seconds": 0}, "deadline_seconds"),
        ({"pause_seconds": 0}, "pause_seconds"),
        ({"rto_target": 0}, "rto_target_seconds"),
        ({"rpo_target": -1}, "rpo_target_seconds"),
        ({"sizes": (1000,), "each": 2, "max_transfer_bytes": 3999}, "write and read 4000 bytes"),
    ],
)
def test_what_cannot_be_right_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        DrillWishes(**changes)


def test_the_transfer_may_be_what_is_allowed() -> None:
    assert DrillWishes(sizes=(1000,), each=2, max_transfer_bytes=4000).transfer == 4000


def test_the_first_enabled_rule_to_the_other_end_is_drilled() -> None:
    rules = (
        Rule("off", 1, "off/", enabled=False),
        Rule("away", 2, "away/", destination=ARCHIVE),
        Rule("first", 3, "first/"),
        Rule("second", 4, "second/"),
    )
    pair = a_pair(rules=rules)
    assert flight_of(pair, ACCOUNTS, DrillWishes()).rule.id == "first"
    assert flight_of(pair, ACCOUNTS, DrillWishes(rule="second")).rule.id == "second"
    for wrong in ("off", "away", "unknown"):
        with pytest.raises(InvalidInput, match=f"the rule '{wrong}' is none that"):
            flight_of(pair, ACCOUNTS, DrillWishes(rule=wrong))


def test_objects_are_encrypted_where_the_rule_takes_them() -> None:
    dr, primary = replace(DR, kms_key_arn=KEYS[DR.bucket]), replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket])
    pair = a_pair(primary=primary, dr=dr, rules=(RULE,))
    assert flight_of(pair, ACCOUNTS, DrillWishes()).kms_key_arn == KEYS[PRIMARY.bucket]
    assert flight_of(PAIR, ACCOUNTS, DrillWishes()).kms_key_arn is None


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_replicas_that_cannot_be_read_at_once_are_refused(storage_class: str) -> None:
    pair = a_pair(dr=replace(DR, storage_class=storage_class), rules=(RULE,))
    with pytest.raises(InvalidInput, match=f"arrive as {storage_class}, which S3 gives back only hours after"):
        flight_of(pair, ACCOUNTS, DrillWishes())


def test_an_end_without_credentials_is_refused_with_the_reason() -> None:
    accounts = {**ACCOUNTS, DR.bucket: replace(OTHER, ours=False)}
    with pytest.raises(InvalidInput, match=f"no credentials of account {OTHER.id}"):
        flight_of(PAIR, accounts, DrillWishes())


def test_from_the_dr_end_only_a_pair_in_both_directions_recovers() -> None:
    with pytest.raises(InvalidInput, match="the pair is one-way"):
        link_of(PAIR, "dr")
    flight = flight_of(two_way(rules=(RULE,)), ACCOUNTS, DrillWishes(active="dr"))
    assert (flight.link.source.bucket, flight.link.destination.bucket) == (DR.bucket, PRIMARY.bucket)


# --- names and content ---------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=20))
def test_every_key_is_a_canarys_so_verify_never_counts_it(name: str) -> None:
    key = key_of("orders", RULE, name)
    assert is_canary(key, ["orders/"])
    assert key.startswith(stem_of("orders", RULE))


def test_pairs_that_share_a_bucket_have_other_keys() -> None:
    assert stem_of("orders", RULE) != stem_of("invoices", RULE)


def test_the_role_of_the_longest_pair_has_a_name_that_iam_takes() -> None:
    assert len(role_name("x" * 39, DR)) <= 64
    assert role_name("orders", DR) != role_name("orders", PRIMARY)


@given(st.integers(min_value=1, max_value=12 * 1024**2), st.text(max_size=5))
def test_the_parts_are_the_blocks_are_the_whole(size: int, seed: str) -> None:
    body = Body(seed, size)
    whole = body.whole()
    parts = list(body.parts())
    assert len(whole) == size
    assert b"".join(parts) == whole
    assert all(len(part) == 5 * 1024**2 for part in parts[:-1])


def test_no_two_seeds_tell_the_same() -> None:
    assert Body("a", 100).whole() != Body("b", 100).whole()
    assert Body("a", 100).whole() == Body("a", 100).whole()


# --- the identity --------------------------------------------------------------------------------------------


def test_the_role_may_use_the_drills_objects_in_one_region_and_nothing_else() -> None:
    flight = flight_of(PAIR, ACCOUNTS, DrillWishes())
    role, policy = role_wish(flight, ACCOUNTS, CALLER, None).values()
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {"Sid": "TheDrill", "Effect": "Allow", "Principal": {"AWS": CALLER}, "Action": "sts:AssumeRole"}
    ]
    assert role["Tags"] == {"managed-by": "crossregion.s3_dr", "s3-dr-pair": "orders"}
    objects, listing, elsewhere = policy["Statement"]
    stem = stem_of("orders", RULE)
    assert objects["Resource"] == [f"arn:aws:s3:::{DR.bucket}/{stem}*"]
    assert listing["Resource"] == [f"arn:aws:s3:::{DR.bucket}"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": [f"{stem}*"]}}
    assert (elsewhere["Effect"], elsewhere["Action"], elsewhere["Resource"]) == ("Deny", "*", "*")
    assert elsewhere["Condition"] == {"StringNotEquals": {"aws:RequestedRegion": WEST}}
    assert "kms" not in json.dumps(policy)


def test_the_role_may_use_the_keys_of_the_end_through_s3_of_its_region() -> None:
    primary = replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket])
    pair = a_pair(primary=primary, dr=replace(DR, kms_key_arn=KEYS[DR.bucket]), rules=(RULE,))
    flight = flight_of(pair, ACCOUNTS, DrillWishes())
    policy = list(role_wish(flight, ACCOUNTS, CALLER, "arn:aws:kms:us-west-2:1:key/default").values())[1]
    keys = policy["Statement"][2]
    assert keys["Resource"] == sorted(["arn:aws:kms:us-west-2:1:key/default", KEYS[DR.bucket]])
    assert keys["Condition"] == {"StringEquals": {"kms:ViaService": "s3.us-west-2.amazonaws.com"}}


def test_the_role_stands_in_the_account_of_the_recovery_end() -> None:
    flight = flight_of(PAIR, TWO_ACCOUNTS, DrillWishes())
    assert {at.account for at in role_wish(flight, TWO_ACCOUNTS, CALLER, None)} == {OTHER.id}
    assert role_arn_of(flight, TWO_ACCOUNTS) == f"arn:aws:iam::{OTHER.id}:role/{role_name('orders', DR)}"


def test_a_prefix_with_what_a_policy_takes_for_something_else_means_itself() -> None:
    pair = a_pair(rules=(Rule("odd", prefix="a*b?c$/"),))
    policy = list(role_wish(flight_of(pair, ACCOUNTS, DrillWishes()), ACCOUNTS, CALLER, None).values())[1]
    assert f"{DR.bucket}/a${{*}}b${{?}}c${{$}}/.s3-dr-canary/" in policy["Statement"][0]["Resource"][0]


@pytest.mark.parametrize(
    ("named", "key"),
    [
        (None, None),
        ("arn:aws:kms:us-west-2:111122223333:key/1", "arn:aws:kms:us-west-2:111122223333:key/1"),
        ("1234", f"arn:aws:kms:us-west-2:{ACCOUNT.id}:key/1234"),
        ("alias/mine", None),
    ],
)
def test_the_key_of_the_bucket_is_known(named: str | None, key: str | None) -> None:
    default = {"SSEAlgorithm": "aws:kms", **({"KMSMasterKeyID": named} if named else {})}
    document = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    assert default_key_of(document, DR, ACCOUNTS) == key
    assert default_key_of(None, DR, ACCOUNTS) is None


# --- steps ---------------------------------------------------------------------------------------------------


def test_only_steps_that_are_wished_for_are_told() -> None:
    everything = DrillWishes(application="arn", experiment="EXT1")
    assert [one["name"] for one in predicted(everything, {})] == list(STEPS)
    least = [one["name"] for one in predicted(DrillWishes(recover_as="arn"), {})]
    assert [name for name in STEPS if name not in least] == ["identity", "suppress", "pause", "resume", "application"]


def test_the_pause_takes_as_long_as_it_is_told_to() -> None:
    found = {one["name"]: one["expected_seconds"] for one in predicted(DrillWishes(experiment="EXT1"), {"read": 0.5})}
    assert (found["pause"], found["read"], found["write"]) == (60.0, 0.5, None)
