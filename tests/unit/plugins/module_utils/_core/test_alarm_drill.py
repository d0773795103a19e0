# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a drill names, and how it reads messages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_drill import (
    Told,
    denial_wish,
    drill_flights,
    leftover_addresses,
    told_by,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_names import (
    drill_key,
    is_drill_queue,
    is_twin,
    queue_name,
    twin_name,
    twin_prefix,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import canonical_policy
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, Pair, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.proofs import is_canary
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, ACCOUNTS, a_pair

TOPIC = "arn:aws:sns:us-east-1:111122223333:s3-dr-alarms"
PAIRS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,38}", fullmatch=True)


def body(message: Any, **envelope: Any) -> str:
    """A message of SNS, as a queue holds it."""
    return json.dumps({"Type": "Notification", "TopicArn": TOPIC, "Message": json.dumps(message), **envelope})


def test_an_alarms_message_is_read() -> None:
    message = {"AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime": "2026-11-23T15:00:41.210+0000"}
    assert told_by(body(message)) == Told(TOPIC, "a", "ALARM", "2026-11-23T15:00:41.210+0000")


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "null", "{}", '{"Message": 1}', '{"Message": "no JSON"}', body([]), body({"Records": []})],
)
def test_anything_else_is_no_message_of_an_alarm(text: str) -> None:
    assert told_by(text) is None


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    told_by(text)
    told_by(body(text))


@given(PAIRS, PAIRS)
def test_the_names_of_two_pairs_differ(one: str, other: str) -> None:
    assert (queue_name(one) == queue_name(other)) is (one == other)
    assert (twin_prefix(one) == twin_prefix(other)) is (one == other)


@given(PAIRS, st.text(min_size=1, max_size=255))
def test_the_names_are_within_the_limits_and_known_again(pair: str, alarm: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", queue_name(pair))
    assert is_drill_queue(f"arn:aws:sqs:us-east-1:111122223333:{queue_name(pair)}")
    assert len(twin_name(pair, alarm)) <= 255
    assert twin_name(pair, alarm).startswith(twin_prefix(pair))
    assert is_twin(twin_name(pair, alarm))
    assert is_canary(drill_key(pair, Rule("r", prefix="p/")), ["p/"])


def test_no_alarm_of_a_pair_is_taken_for_a_twin() -> None:
    assert not is_twin("s3-dr/orders/drill/rule/failed")  # of a bucket that is named drill
    assert not is_twin("s3-dr/orders/drill-running")
    assert not is_drill_queue("operators@example.com")


@given(strategies.pairs())
def test_what_is_denied_is_known_as_left_behind(pair: Pair) -> None:
    accounts = {end.bucket: ACCOUNT for end in pair.ends()}
    wish, leftover = denial_wish(pair, accounts, drill_flights(pair, accounts)), leftover_addresses(pair, accounts)
    for at, ours in wish.items():
        theirs = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Deny"}]}
        put = KINDS[at.kind].put(ours, theirs)
        taken = KINDS[at.kind].take(leftover[at], put)
        assert taken == theirs
        assert canonical_policy(put) != canonical_policy(theirs)
        for statement in ours["Statement"]:
            assert statement["Effect"] == "Deny"
            assert all(
                re.search(r"/\.s3-dr-canary/[0-9a-f]{32}$|\.s3-dr-canary/", one) for one in statement["Resource"]
            )
            assert not any(one.endswith("*") for one in statement["Resource"])


def test_nothing_is_denied_in_an_account_of_others() -> None:
    pair = a_pair()
    accounts = {**ACCOUNTS, pair.dr.bucket: Account("222233334444", ours=False)}
    assert denial_wish(pair, accounts, drill_flights(pair, accounts)) == {}
    assert {at.kind for at in leftover_addresses(pair, accounts)} == {"sqs_queue"}
