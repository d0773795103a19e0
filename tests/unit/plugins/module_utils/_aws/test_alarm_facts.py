# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Alarms and topics are read with few calls, page by page, and what cannot be read is a reason and no failure."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.parsers import ResponseParserError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.alarm_facts import read_alarms, read_topics
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import topics_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    alarms_wish,
    topic_arn,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Check, Status
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.monitoring import (
    Place,
    alarm_places,
    monitoring_checks,
    topics_to_read,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    EAST,
    SETTINGS,
    TOPICS,
    WEST,
    a_pair,
)

HERE, THERE = Place(ACCOUNT.id, EAST), Place(ACCOUNT.id, WEST)
TOPIC = topic_arn("s3-dr-alarms", WEST, ACCOUNT)


@pytest.fixture
def monitored(aws: FakeAws) -> FakeAws:
    """An AWS with the alarms and topics of the pair `orders`, each topic with somebody who listens."""
    wish = {**alarms_wish(a_pair(), SETTINGS, ACCOUNT), **topics_wish(TOPICS, ACCOUNT)}
    gateway = Gateway(aws.client_for)
    gateway.carry_out(plan(wish, dict.fromkeys(wish)))
    for topic in aws.topics.values():
        topic.subscriptions = [{"Protocol": "sqs", "Endpoint": "q", "SubscriptionArn": "arn:aws:sns:x"}]
    aws.calls.clear()
    return aws


def looked_at(aws: FakeAws, pair: Pair) -> list[Check]:
    """All that a verify does about monitoring."""
    alarms = read_alarms(aws.client_for, alarm_places(pair, ACCOUNTS))
    topics = read_topics(aws.client_for, topics_to_read(pair, ACCOUNTS, alarms))
    return monitoring_checks(pair, ACCOUNTS, alarms, topics)


def refuse(aws: FakeAws, operation: str, error: Exception) -> None:
    """Let a call fail."""

    def interrupt(call: Call) -> None:
        if call.operation == operation:
            raise error

    aws.interrupt = interrupt


def test_a_converged_pair_takes_one_call_a_region_and_two_a_topic(monitored: FakeAws) -> None:
    assert {check.status for check in looked_at(monitored, a_pair())} == {Status.PASSED}
    assert Counter((call.operation, call.region) for call in monitored.calls) == {
        (operation, region): 1
        for operation in ("DescribeAlarms", "GetTopicAttributes", "ListSubscriptionsByTopic")
        for region in (EAST, WEST)
    }
    assert monitored.writes() == []


def test_only_alarms_about_replication_are_kept_however_many_there_are(monitored: FakeAws) -> None:
    for number in range(250):
        monitored.alarms[f"a{number}", WEST] = {"AlarmName": f"a{number}", "Namespace": "AWS/EC2", "MetricName": "CPU"}
    monitored.composite_alarms["both", WEST] = {"AlarmName": "both", "AlarmRule": "ALARM(a1) OR ALARM(a2)"}
    name = "s3-dr/orders/example-orders/s3-dr-orders/latency"
    monitored.composite_alarms["ours", WEST] = {"AlarmName": "ours", "AlarmRule": f'ALARM("{name}")'}
    found = read_alarms(monitored.client_for, [THERE])[THERE]
    assert not isinstance(found, str)
    names = [alarm["AlarmName"].rsplit("/", 1)[-1] for alarm in found]
    assert names == ["bytes_pending", "heartbeat", "latency", "operations_pending", "ours"]
    assert len(monitored.calls) == 3


def test_all_pages_of_subscriptions_are_read(monitored: FakeAws) -> None:
    waiting = {"Protocol": "email", "Endpoint": "a", "SubscriptionArn": "PendingConfirmation"}
    monitored.topics[TOPIC].subscriptions[:0] = [waiting] * 150
    assert {check.status for check in looked_at(monitored, a_pair())} == {Status.PASSED}
    monitored.topics[TOPIC].subscriptions.pop()
    assert [check.status for check in looked_at(monitored, a_pair())] == [
        Status.AT_RISK,
        Status.PASSED,
        Status.AT_RISK,
    ]


def test_a_topic_as_aws_holds_it(monitored: FakeAws) -> None:
    monitored.topics[TOPIC].key = "alias/aws/sns"
    (found,) = read_topics(monitored.client_for, [(THERE, TOPIC)]).values()
    assert isinstance(found, dict)
    assert found["KmsMasterKeyId"] == "alias/aws/sns"
    assert found["Policy"]["Statement"][0]["Principal"]
    assert found["Subscriptions"] == [{"Protocol": "sqs", "Endpoint": "q", "SubscriptionArn": "arn:aws:sns:x"}]


def test_a_topic_that_is_gone_is_none(monitored: FakeAws) -> None:
    del monitored.topics[TOPIC]
    assert read_topics(monitored.client_for, [(THERE, TOPIC)]) == {TOPIC: None}
    assert "does not exist" in looked_at(monitored, a_pair())[0].message


def test_a_topic_that_goes_while_it_is_read_is_none(monitored: FakeAws) -> None:
    refuse(monitored, "ListSubscriptionsByTopic", client_error("NotFound"))
    assert read_topics(monitored.client_for, [(THERE, TOPIC)]) == {TOPIC: None}


BROKEN_OFF = ResponseParserError("invalid XML received:\nb'<the answer itself'")
DOWN = EndpointConnectionError(endpoint_url="https://monitoring")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_error("AccessDenied"), "these credentials may not read it: cloudwatch:DescribeAlarms is missing"),
        (client_error("InternalFailure", "oh"), "AWS refused DescribeAlarms (InternalFailure: oh)"),
        (DOWN, "AWS cannot be reached"),
        (BROKEN_OFF, "the answer broke off"),
    ],
)
def test_alarms_that_cannot_be_read_are_a_reason(monitored: FakeAws, error: Exception, reason: str) -> None:
    refuse(monitored, "DescribeAlarms", error)
    found = looked_at(monitored, a_pair())
    assert {check.status for check in found} == {Status.UNKNOWN}
    assert all(reason in check.message and not check.message.endswith("..") for check in found)


def test_an_answer_that_broke_off_is_not_taken_for_no_alarms() -> None:
    """Of one that is cut short the SDK makes an answer that says nothing."""
    client = SimpleNamespace(get_paginator=lambda _name: SimpleNamespace(paginate=lambda **_named: [{}]))
    found = read_alarms(lambda *_where: client, [HERE])[HERE]
    assert isinstance(found, str)
    assert "the answer broke off" in found


@pytest.mark.parametrize("operation", ["GetTopicAttributes", "ListSubscriptionsByTopic"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_error("AuthorizationError"), "sns:{} is missing"),
        (DOWN, "AWS cannot be reached"),
        (BROKEN_OFF, "the answer broke off"),
    ],
)
def test_topics_that_cannot_be_read_are_a_reason(
    monitored: FakeAws, operation: str, error: Exception, reason: str
) -> None:
    refuse(monitored, operation, error)
    found = looked_at(monitored, a_pair())
    assert {check.status for check in found} == {Status.UNKNOWN}
    assert all(reason.format(operation) in check.message for check in found)


def test_one_region_that_is_down_hides_nothing_of_the_other(monitored: FakeAws) -> None:
    def interrupt(call: Call) -> None:
        if call.region == WEST:
            raise DOWN

    monitored.interrupt = interrupt
    assert [check.status for check in looked_at(monitored, a_pair())] == [
        Status.UNKNOWN,
        Status.PASSED,
        Status.UNKNOWN,
    ]
