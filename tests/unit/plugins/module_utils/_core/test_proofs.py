# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Which canaries are sent: enough to prove every way, no more than that, and none where nobody could remove it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias
from uuid import uuid4

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Accounts, Pair, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.proofs import (
    flights_of_destinations,
    flights_of_rules,
    is_canary,
    unproven,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNTS,
    ARCHIVE,
    DR,
    KEYS,
    OTHER,
    PRIMARY,
    a_pair,
    two_way,
)

ENCRYPTED = {
    "primary": replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket]),
    "dr": replace(DR, kms_key_arn=KEYS[DR.bucket]),
}
UNREACHABLE: Accounts = {**ACCOUNTS, DR.bucket: replace(OTHER, ours=False)}

Way: TypeAlias = "tuple[str, str, str | None]"


def ways(pair: Pair, accounts: Accounts = ACCOUNTS) -> list[Way]:
    """Source, rule and key of each flight to a destination."""
    return [(one.link.source.bucket, one.rule.id, one.kms_key_arn) for one in flights_of_destinations(pair, accounts)]


def rules(pair: Pair) -> list[str]:
    """The rule of each flight by rule."""
    return [flight.rule.id for flight in flights_of_rules(pair, ACCOUNTS)]


def test_a_thousand_rules_to_one_bucket_are_proven_by_one_canary() -> None:
    pair = a_pair(rules=tuple(Rule(f"r{number}", number) for number in range(1000)))
    assert ways(pair) == [(PRIMARY.bucket, "r0", None)]
    assert len(rules(pair)) == 1000


def test_each_direction_is_proven() -> None:
    assert ways(two_way()) == [(PRIMARY.bucket, "s3-dr-orders", None), (DR.bucket, "s3-dr-orders", None)]


def test_each_encryption_is_proven_with_the_key_of_the_source() -> None:
    assert ways(two_way(**ENCRYPTED)) == [
        (PRIMARY.bucket, "s3-dr-orders", None),
        (PRIMARY.bucket, "s3-dr-orders", KEYS[PRIMARY.bucket]),
        (DR.bucket, "s3-dr-orders", None),
        (DR.bucket, "s3-dr-orders", KEYS[DR.bucket]),
    ]


def test_a_rule_that_leaves_out_kms_is_not_proven_with_it() -> None:
    assert ways(a_pair(**ENCRYPTED, rules=(Rule("r", kms_objects=False),))) == [(PRIMARY.bucket, "r", None)]


def test_each_further_bucket_and_each_class_is_proven() -> None:
    cold = Rule("cold", 2, destination=replace(DR, storage_class="GLACIER_IR"))
    far = Rule("far", 3, destination=ARCHIVE)
    assert [way[1] for way in ways(a_pair(rules=(Rule("r"), cold, far)))] == ["r", "cold", "far"]


def test_a_canary_arrives_wherever_a_rule_takes_it() -> None:
    far = Rule("far", 2, prefix="far/", destination=ARCHIVE)
    pair = a_pair(rules=(Rule("all"), far, Rule("tagged", 3, tags=(("a", "b"),), destination=ARCHIVE)))
    arrivals = {one.rule.id: [end.bucket for end in one.destinations()] for one in flights_of_rules(pair, ACCOUNTS)}
    assert arrivals == {
        "all": [DR.bucket],
        "far": [ARCHIVE.bucket, DR.bucket],
        "tagged": [ARCHIVE.bucket, DR.bucket],
    }


def test_a_canary_that_also_arrives_where_nobody_can_remove_it_is_not_sent() -> None:
    pair = a_pair(rules=(Rule("all"), Rule("far", 2, prefix="far/", destination=ARCHIVE)))
    assert ways(pair, UNREACHABLE) == []
    assert [DR.bucket in said for said in unproven(pair, UNREACHABLE)] == [True, True]


def test_a_disabled_rule_is_not_proven() -> None:
    pair = a_pair(rules=(Rule("off", 1, enabled=False), Rule("on", 2)))
    assert [way[1] for way in ways(pair)] == ["on"] == rules(pair)


def test_where_nobody_can_look_no_canary_is_sent_and_it_is_said() -> None:
    assert ways(a_pair(), UNREACHABLE) == []
    (said,) = unproven(a_pair(), UNREACHABLE)
    assert DR.bucket in said
    assert OTHER.id in said


def test_nothing_is_said_of_what_is_proven() -> None:
    assert unproven(two_way(**ENCRYPTED), ACCOUNTS) == []


TOKEN = uuid4().hex


@pytest.mark.parametrize(
    ("key", "canary"),
    [
        (f".s3-dr-canary/{TOKEN}", True),
        (f"orders/.s3-dr-canary/{TOKEN}", True),
        (f"logs.s3-dr-canary/{TOKEN}", True),
        (f"orders/2026/.s3-dr-canary/{TOKEN}", False),
        (f"other/.s3-dr-canary/{TOKEN}", False),
        ("orders/.s3-dr-canary/report.pdf", False),
        (f"orders/.s3-dr-canary/{TOKEN}/report.pdf", False),
        (f"orders/.s3-dr-canary/{TOKEN}\n", False),
        (f"orders/{TOKEN}", False),
    ],
)
def test_only_what_a_canary_is_called_is_taken_for_one(key: str, canary: bool) -> None:
    assert is_canary(key, {"", "orders/", "logs"}) is canary
