# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Alarms stand where AWS publishes their metric, name all its dimensions, and notify a topic of their own Region."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    AlarmSettings,
    Subscription,
    Topics,
    alarm_names,
    alarms_wish,
    leftover_alarms,
    topic_arn,
    topics_removal_wish,
    topics_wish,
    unwatched_rules,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Document,
    InvalidInput,
    Observation,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ARCHIVE,
    DR,
    EAST,
    PRIMARY,
    SETTINGS,
    TOPICS,
    WEST,
    a_pair,
    address,
    two_way,
)


def alarms(pair: Pair) -> dict[tuple[str, str], Document]:
    """The alarms that a pair wishes, by name and Region."""
    return {(at.name, at.region): document for at, document in alarms_wish(pair, SETTINGS, ACCOUNT).items()}


def alarm(short: str, region: str) -> Document:
    """An alarm of the one-way pair."""
    return alarms(a_pair())[f"s3-dr/orders/example-orders/s3-dr-orders/{short}", region]


def test_each_alarm_stands_where_aws_publishes_its_metric() -> None:
    start = "s3-dr/orders/example-orders/s3-dr-orders"
    assert set(alarms(a_pair())) == {
        (f"{start}/latency", WEST),
        (f"{start}/heartbeat", WEST),
        (f"{start}/failed", EAST),
    }


def test_the_alarms_of_the_way_back_stand_the_other_way_round() -> None:
    back = "s3-dr/orders/example-orders-dr/s3-dr-orders"
    assert set(alarms(two_way())) - set(alarms(a_pair())) == {
        (f"{back}/latency", EAST),
        (f"{back}/heartbeat", EAST),
        (f"{back}/failed", WEST),
    }


def test_each_alarm_names_all_three_dimensions() -> None:
    for (name, _region), document in alarms(two_way()).items():
        ends = (DR.bucket, PRIMARY.bucket) if f"/{DR.bucket}/" in name else (PRIMARY.bucket, DR.bucket)
        assert {one["Name"]: one["Value"] for one in document["Dimensions"]} == {
            "SourceBucket": ends[0],
            "DestinationBucket": ends[1],
            "RuleId": "s3-dr-orders",
        }


def test_the_alarms_of_a_rule_to_another_bucket_name_that_bucket_and_stand_in_its_region() -> None:
    found = alarms(a_pair(rules=(Rule("r"), Rule("far", 2, destination=ARCHIVE))))
    far = {(name.rsplit("/", 1)[1], region): one for (name, region), one in found.items() if "/far/" in name}
    assert set(far) == {("latency", ARCHIVE.region), ("heartbeat", ARCHIVE.region), ("failed", EAST)}
    for document in far.values():
        assert {"Name": "DestinationBucket", "Value": ARCHIVE.bucket} in document["Dimensions"]
        assert ARCHIVE.bucket in document["AlarmDescription"]
        assert DR.bucket not in document["AlarmDescription"]


def test_each_alarm_notifies_the_topic_of_its_own_region() -> None:
    for (_name, region), document in alarms(two_way()).items():
        topic = [f"arn:aws:sns:{region}:111122223333:s3-dr-alarms"]
        assert (document["AlarmActions"], document["OKActions"]) == (topic, topic)
        assert document["ActionsEnabled"] is True


@pytest.mark.parametrize(
    ("short", "region", "expected"),
    [
        ("latency", WEST, ("ReplicationLatency", "Maximum", "GreaterThanThreshold", 900.0, "ignore", 5, 3)),
        ("failed", EAST, ("OperationsFailedReplication", "Sum", "GreaterThanThreshold", 0.0, "notBreaching", 1, 1)),
        (
            "heartbeat",
            WEST,
            ("OperationsPendingReplication", "Maximum", "LessThanThreshold", 0.0, "breaching", 30, 30),
        ),
    ],
)
def test_each_alarm_judges_its_metric_as_aws_publishes_it(short: str, region: str, expected: tuple[Any, ...]) -> None:
    document = alarm(short, region)
    fields = ("MetricName", "Statistic", "ComparisonOperator", "Threshold", "TreatMissingData")
    fields += ("EvaluationPeriods", "DatapointsToAlarm")
    assert tuple(document[field] for field in fields) == expected
    assert (document["Namespace"], document["Period"]) == ("AWS/S3", 60)


def test_the_latency_alarm_watches_the_target() -> None:
    wish = alarms_wish(a_pair(), AlarmSettings("s3-dr-alarms", 60), ACCOUNT)
    (document,) = (document for at, document in wish.items() if at.name.endswith("/latency"))
    assert document["Threshold"] == 60
    assert "60 s" in document["AlarmDescription"]


def test_a_rule_that_is_off_or_not_observed_has_no_alarms_and_a_sentence_says_so() -> None:
    rules = (Rule("on", 1), Rule("off", 2, enabled=False), Rule("blind", 3, observation=Observation.NONE))
    pair = a_pair(rules=rules)
    assert {name.split("/")[3] for name, _region in alarms(pair)} == {"on"}
    assert unwatched_rules(pair) == [
        "No alarm watches the rule 'off' of pair 'orders': it is disabled.",
        (
            "No alarm watches the rule 'blind' of pair 'orders': its `observation` is none, so AWS publishes no "
            "metrics for it."
        ),
    ]


def test_alarms_that_are_not_wished_any_more_are_left_over() -> None:
    before = a_pair(rules=(Rule("renamed", 1), Rule("kept", 2)))
    wish = alarms_wish(a_pair(rules=(Rule("kept", 2),)), SETTINGS, ACCOUNT)
    left = leftover_alarms(a_pair(), wish, alarm_names(alarms_wish(before, SETTINGS, ACCOUNT)), ACCOUNT)
    start = "s3-dr/orders/example-orders/renamed"
    assert {(at.name, at.region) for at in left} == {
        (f"{start}/failed", EAST),
        (f"{start}/heartbeat", WEST),
        (f"{start}/latency", WEST),
    }


@pytest.mark.parametrize("other", ["s3-dr/orders-eu/b/r/failed", "s3-dr/orders", "s3-dr/invoices/b/r/failed", "mine"])
def test_alarms_of_others_are_never_left_over(other: str) -> None:
    assert leftover_alarms(a_pair(), {}, {EAST: [other]}, ACCOUNT) == {}


def test_an_alarm_name_that_cloudwatch_would_refuse_is_refused() -> None:
    longest = 255 - len("s3-dr/orders/example-orders/") - len("/heartbeat")
    assert alarms(a_pair(rules=(Rule("r" * longest),)))
    with pytest.raises(InvalidInput, match=r"256 characters.*Shorten the rule's `id`"):
        alarms(a_pair(rules=(Rule("r" * (longest + 1)),)))


def test_alarm_names_are_told_by_region() -> None:
    start = "s3-dr/orders/example-orders/s3-dr-orders"
    assert alarm_names(alarms_wish(a_pair(), SETTINGS, ACCOUNT)) == {
        EAST: [f"{start}/failed"],
        WEST: [f"{start}/heartbeat", f"{start}/latency"],
    }


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_target_below_a_second_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidInput, match=f"latency_seconds is {seconds}. Use a target of at least 1 second"):
        AlarmSettings("s3-dr-alarms", seconds)


# --- topics --------------------------------------------------------------------------------------------------


def test_each_region_has_a_topic_that_only_its_own_alarms_may_notify() -> None:
    wish = topics_wish(TOPICS, ACCOUNT)
    for region in (EAST, WEST):
        assert wish[address("sns_topic", "s3-dr-alarms", region)] == {"Tags": {"managed-by": "crossregion.s3_dr"}}
        (statement,) = wish[address("sns_topic_policy", "s3-dr-alarms", region)]["Statement"]
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert statement["Action"] == "SNS:Publish"
        assert statement["Resource"] == topic_arn("s3-dr-alarms", region, ACCOUNT)
        assert statement["Condition"] == {
            "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{region}:111122223333:alarm:*"},
            "StringEquals": {"aws:SourceAccount": "111122223333"},
        }


def test_a_subscription_is_to_the_topic_of_every_region_or_of_its_own() -> None:
    everywhere, here = Subscription("email", "a@example.com"), Subscription("sms", "+100", WEST)
    wish = topics_wish(Topics("s3-dr-alarms", (EAST, WEST), (everywhere, here)), ACCOUNT)
    assert sorted((at.name, at.region) for at in wish if at.kind == "sns_subscription") == [
        ("s3-dr-alarms:email:a@example.com", EAST),
        ("s3-dr-alarms:email:a@example.com", WEST),
        ("s3-dr-alarms:sms:+100", WEST),
    ]


BAD_TOPICS: dict[str, tuple[Any, str]] = {
    "no name": (lambda: Topics("", (EAST,)), "topic ''.*Choose another name"),
    "a FIFO topic": (lambda: Topics("alarms.fifo", (EAST,)), "topic 'alarms.fifo'.*Choose another name"),
    "a long name": (lambda: Topics("a" * 257, (EAST,)), "Choose another name"),
    "settings with a bad name": (lambda: AlarmSettings("a b"), "topic 'a b'.*Choose another name"),
    "a bad Region": (lambda: Topics("alarms", ("east",)), "topic 'alarms': 'east' is not a Region's name"),
    "a bad protocol": (lambda: Subscription("pigeon", "me"), "no protocol 'pigeon'. Choose one of email, "),
    "no endpoint": (lambda: Subscription("email", ""), "by email has no endpoint. Name an address"),
    "a Region without topic": (
        lambda: Topics("alarms", (EAST,), (Subscription("sms", "+100", WEST),)),
        "no topic 'alarms' is wished in us-west-2. Correct its `region`; the topics are in us-east-1",
    ),
}


@pytest.mark.parametrize(("make", "said"), BAD_TOPICS.values(), ids=BAD_TOPICS)
def test_bad_topics_are_refused(make: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make()


def leaving_regions(using: dict[str, list[str]], *pairs: str) -> set[str]:
    """The Regions whose topics go."""
    return {at.region for at in topics_removal_wish(TOPICS, ACCOUNT, pairs, using)}


def test_a_topic_goes_when_only_alarms_of_leaving_pairs_notify_it() -> None:
    using = {EAST: ["s3-dr/orders/b/r/failed", "s3-dr/invoices/b/r/failed"], WEST: []}
    assert leaving_regions(using, "orders", "invoices") == {EAST, WEST}
    assert leaving_regions(using, "orders") == {WEST}
    assert leaving_regions(using) == {WEST}


@pytest.mark.parametrize(
    "other",
    ["s3-dr/orders-eu/b/r/failed", "s3-dr/orderss/b/r/failed", "s3-dr/orders", "orders", "my own alarm"],
)
def test_a_pair_whose_name_only_begins_alike_keeps_its_topic(other: str) -> None:
    assert leaving_regions({EAST: [other], WEST: []}, "orders") == {WEST}


def test_a_topic_of_a_region_that_was_not_asked_stays() -> None:
    assert leaving_regions({WEST: []}, "orders") == {WEST}


def test_subscriptions_go_with_their_topic_and_are_not_removed_one_by_one() -> None:
    topics = Topics("s3-dr-alarms", (EAST,), (Subscription("email", "a@example.com"),))
    kinds = {at.kind for at in topics_removal_wish(topics, ACCOUNT, [], {EAST: []})}
    assert kinds == {"sns_topic", "sns_topic_policy"}
