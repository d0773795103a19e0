# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""An alarm counts when it can fire: right Region, all dimensions, a statistic that exists, somebody who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import topics_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    AlarmSettings,
    alarms_wish,
    topic_arn,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Area, Check, Status
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_names import queue_name, twin_name
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Accounts,
    Document,
    Observation,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.monitoring import (
    Place,
    alarm_places,
    fires_by,
    is_about_replication,
    may_publish,
    monitoring_checks,
    names_alarm,
    topics_to_read,
)
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    ARCHIVE,
    DR,
    EAST,
    OTHER,
    PRIMARY,
    SETTINGS,
    TOPICS,
    TWO_ACCOUNTS,
    WEST,
    a_pair,
    two_way,
)

HERE, THERE = Place(ACCOUNT.id, EAST), Place(ACCOUNT.id, WEST)
CONFIRMED = {"Protocol": "email", "Endpoint": "a@example.com", "SubscriptionArn": "arn:aws:sns:x"}
WAITING = {**CONFIRMED, "SubscriptionArn": "PendingConfirmation"}
POLICIES = {at.region: one for at, one in topics_wish(TOPICS, ACCOUNT).items() if at.kind == "sns_topic_policy"}
START = "s3-dr/orders/example-orders/s3-dr-orders"
NAMES = ("latency alarm", "failure alarm", "heartbeat alarm")

Found = dict[Place, Any]


def built(pair: Pair) -> Found:
    """The alarms that this collection makes, as AWS describes them."""
    found: Found = {place: [] for place in alarm_places(pair, ACCOUNTS)}
    for at, document in alarms_wish(pair, SETTINGS, ACCOUNT).items():
        found[Place(at.account, at.region)].append(
            {"AlarmName": at.name, "StateValue": "INSUFFICIENT_DATA", **document}
        )
    return found


def topic(region: str, **changes: Any) -> Document:
    """A topic that reaches somebody."""
    return {"Policy": POLICIES[region], "Subscriptions": [CONFIRMED], **changes}


def topics(**changes: Any) -> dict[str, Document | str | None]:
    """The topics of both Regions."""
    return {topic_arn("s3-dr-alarms", region, ACCOUNT): topic(region, **changes) for region in (EAST, WEST)}


def checks(pair: Pair, alarms: Found, its_topics: Any = None, accounts: Accounts = ACCOUNTS) -> list[Check]:
    """All checks."""
    found = monitoring_checks(pair, accounts, alarms, topics() if its_topics is None else its_topics)
    assert all(check.area is Area.MONITORING for check in found)
    return found


def latency(its_topics: Any = None, **changes: Any) -> Check:
    """The check of the latency alarm, when that alarm is changed; the other checks pass."""
    alarms = built(a_pair())
    alarms[THERE] = [{**one, **changes} if one["AlarmName"].endswith("/latency") else one for one in alarms[THERE]]
    (check, *others) = checks(a_pair(), alarms, its_topics)
    assert check.name == "latency alarm"
    if its_topics is None:
        assert {other.status for other in others} == {Status.PASSED}
    return check


# --- what is right -------------------------------------------------------------------------------------------


def test_the_alarms_of_this_collection_pass() -> None:
    found = checks(a_pair(), built(a_pair()))
    assert [(check.name, check.status) for check in found] == [(name, Status.PASSED) for name in NAMES]
    assert {check.subject for check in found} == {"example-orders -> example-orders-dr (s3-dr-orders)"}
    assert found[0].message == (
        f"The alarm '{START}/latency' (us-west-2) of the rule 's3-dr-orders' from example-orders to example-orders-dr "
        "can fire: it notifies arn:aws:sns:us-west-2:111122223333:s3-dr-alarms."
    )


@given(strategies.pairs(), strategies.dice)
def test_the_alarms_of_any_pair_pass_in_any_order(pair: Pair, dice: Any) -> None:
    whose = {end.bucket: ACCOUNT for end in pair.ends()}
    settings = AlarmSettings("alarms")
    alarms: Found = {place: [] for place in alarm_places(pair, whose)}
    for at, document in alarms_wish(pair, settings, ACCOUNT, whose).items():
        alarms[Place(at.account, at.region)].append(strategies.shuffled({"AlarmName": at.name, **document}, dice))
    mixed = {place: dice.sample(found, len(found)) for place, found in alarms.items()}
    reached: dict[str, Document | str | None] = {
        arn: {"Policy": {"Statement": ANYBODY}, "Subscriptions": [CONFIRMED]}
        for _place, arn in topics_to_read(pair, whose, mixed)
    }
    found = monitoring_checks(pair, whose, mixed, reached)
    observed = [
        rule
        for link in pair.links()
        for rule in link.rules
        if rule.enabled and rule.observation is not Observation.NONE
    ]
    assert [check.status for check in found if check.name != "metrics"] == [Status.PASSED] * 3 * len(observed)


ARCHIVE_TOPIC = topic_arn("s3-dr-alarms", ARCHIVE.region, ACCOUNT)
ANYBODY: list[Document] = [{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*"}]


def test_each_direction_and_each_rule_has_its_own_alarms() -> None:
    pair = two_way(rules=(Rule("r"), Rule("far", 2, destination=ARCHIVE), Rule("off", 3, "o/", enabled=False)))
    its_topics = {**topics(), ARCHIVE_TOPIC: {"Policy": {"Statement": ANYBODY}, "Subscriptions": [CONFIRMED]}}
    assert {check.status for check in checks(pair, built(pair), its_topics)} == {Status.PASSED}
    assert [check.subject for check in checks(pair, built(pair))][::3] == [
        "example-orders -> example-orders-dr (r)",
        "example-orders -> example-archive (far)",
        "example-orders-dr -> example-orders (r)",
    ]
    without = {**built(pair), Place(ACCOUNT.id, ARCHIVE.region): ()}
    assert [check.status for check in checks(pair, without)] == [
        *[Status.PASSED] * 3,
        *[Status.AT_RISK, Status.PASSED, Status.AT_RISK],
        *[Status.PASSED] * 3,
    ]


def test_alarms_are_looked_for_in_the_regions_of_both_buckets_in_the_account_of_the_source() -> None:
    assert alarm_places(a_pair(), ACCOUNTS) == [HERE, THERE]
    assert set(alarm_places(two_way(), TWO_ACCOUNTS)) == {
        HERE,
        THERE,
        Place(OTHER.id, EAST),
        Place(OTHER.id, WEST),
    }


def test_each_topic_is_read_once_and_only_those_of_the_pair() -> None:
    alarms = built(a_pair())
    alarms[THERE].append({**alarms[THERE][0], "Dimensions": [], "AlarmActions": ["arn:aws:sns:us-west-2:1:not-ours"]})
    alarms[THERE][0]["AlarmActions"] = [*alarms[THERE][0]["AlarmActions"], "arn:aws:sns:us-east-1:1:elsewhere"]
    assert topics_to_read(a_pair(), ACCOUNTS, alarms) == [
        (THERE, topic_arn("s3-dr-alarms", WEST, ACCOUNT)),
        (HERE, topic_arn("s3-dr-alarms", EAST, ACCOUNT)),
    ]


# --- no alarm, and alarms that never fire --------------------------------------------------------------------


def test_without_alarms_each_is_missing_in_its_region() -> None:
    found = checks(a_pair(), {HERE: (), THERE: ()})
    assert {check.status for check in found} == {Status.AT_RISK}
    assert [check.message.split(" of the rule", 1)[0] for check in found] == [
        "No alarm in us-west-2 watches ReplicationLatency",
        "No alarm in us-east-1 watches OperationsFailedReplication",
        "No alarm in us-west-2 watches the metrics",
    ]
    assert all("crossregion.s3_dr.s3_replication_alarms" in check.message for check in found)


def test_an_alarm_in_the_wrong_region_is_named_with_the_right_one() -> None:
    alarms = built(a_pair())
    turned = {HERE: alarms[THERE], THERE: alarms[HERE]}
    found = checks(a_pair(), turned)
    assert {check.status for check in found} == {Status.AT_RISK}
    assert f"The alarm '{START}/latency' stands in us-east-1, and AWS publishes ReplicationLatency" in found[0].message
    assert "in us-west-2, so it never fires as meant. Move it there." in found[0].message
    assert f"The alarm '{START}/failed' stands in us-west-2" in found[1].message
    assert f"The alarm '{START}/heartbeat' stands in us-east-1" in found[2].message


ALL_THREE = {"SourceBucket": PRIMARY.bucket, "DestinationBucket": DR.bucket, "RuleId": "s3-dr-orders"}


def _dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


@pytest.mark.parametrize(
    "given",
    [
        {"SourceBucket": PRIMARY.bucket},
        {"RuleId": "s3-dr-orders"},
        {"SourceBucket": PRIMARY.bucket, "DestinationBucket": DR.bucket},
        {"BucketName": PRIMARY.bucket},
        {**ALL_THREE, "More": "x"},
        {**ALL_THREE, "DestinationBucket": "another"},
        {**ALL_THREE, "SourceBucket": DR.bucket, "DestinationBucket": PRIMARY.bucket},
    ],
    ids=str,
)
def test_dimensions_that_match_nothing_are_named(given: dict[str, str]) -> None:
    check = latency(Dimensions=_dimensions(**given))
    assert check.status is Status.AT_RISK
    assert "has the dimensions {" in check.message
    assert '"RuleId": "s3-dr-orders", "SourceBucket": "example-orders"}' in check.message


@pytest.mark.parametrize(
    "given",
    [
        {**ALL_THREE, "RuleId": "another rule"},
        {"SourceBucket": "another", "RuleId": "another rule"},
        {},
    ],
    ids=str,
)
def test_an_alarm_of_another_rule_is_no_alarm(given: dict[str, str]) -> None:
    assert latency(Dimensions=_dimensions(**given)).message.startswith("No alarm in us-west-2")


def test_the_alarm_of_the_way_back_is_none_of_the_way_forth() -> None:
    alarms = built(two_way())
    alarms[THERE] = [one for one in alarms[THERE] if one["AlarmName"] != f"{START}/latency"]
    (first, *others) = checks(two_way(), alarms)
    assert first.message.startswith("No alarm in us-west-2 watches ReplicationLatency")
    assert {check.status for check in others} == {Status.PASSED}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Statistic": "Average"}, "watches the Average of ReplicationLatency, which tells nothing. Use Maximum."),
        ({"Statistic": None, "ExtendedStatistic": "p99"}, "watches the p99 of ReplicationLatency"),
        ({"ComparisonOperator": "LessThanThreshold"}, "compares by LessThanThreshold"),
        ({"Unit": "Milliseconds"}, "watches values in Milliseconds, and AWS publishes ReplicationLatency in Seconds"),
        ({"ActionsEnabled": False}, "tells nobody, since its actions are disabled. Enable them."),
        ({"AlarmActions": []}, "tells nobody, since it has no alarm action. Notify a topic in us-west-2."),
        (
            {"AlarmActions": ["arn:aws:sns:us-east-1:111122223333:s3-dr-alarms"]},
            "which is in us-east-1: an alarm reaches topics of its own Region only. Name one in us-west-2.",
        ),
        ({"AlarmActions": ["arn:aws:sns:us-west-2:111122223333:a.fifo"]}, "a FIFO topic, which alarms cannot"),
    ],
)
def test_an_alarm_that_tells_nobody_is_a_risk(changes: dict[str, Any], words: str) -> None:
    check = latency(**changes)
    assert check.status is Status.AT_RISK
    assert words in check.message
    assert f"The alarm '{START}/latency' (us-west-2) of the rule 's3-dr-orders'" in check.message


@pytest.mark.parametrize(
    "changes",
    [
        {"Unit": "Seconds"},
        {"Metrics": []},
        {"ComparisonOperator": "GreaterThanOrEqualToThreshold"},
        {"AlarmActions": ["arn:aws:ssm:us-west-2:111122223333:opsitem:3"]},
        {"AlarmActions": ["arn:aws:lambda:us-west-2:111122223333:function:f"]},
        {"AlarmActions": ["arn:aws:sns:us-west-2:1:gone", "arn:aws:ssm:us-west-2:111122223333:opsitem:3"]},
        {"StateValue": "INSUFFICIENT_DATA"},
        {"AlarmName": "theirs"},
    ],
    ids=str,
)
def test_whoever_made_the_alarm_it_passes_when_it_can_fire(changes: dict[str, Any]) -> None:
    assert latency(**changes).status is Status.PASSED


def test_one_alarm_that_can_fire_is_enough() -> None:
    alarms = built(a_pair())
    bad = [{**one, "AlarmName": f"a{one['AlarmName']}", "AlarmActions": []} for one in alarms[THERE]]
    assert {check.status for check in checks(a_pair(), {**alarms, THERE: [*bad, *alarms[THERE]]})} == {Status.PASSED}


@pytest.mark.parametrize(("statistic", "passes"), [("Sum", True), ("Maximum", True), ("SampleCount", False)])
def test_statistics_of_failures(statistic: str, passes: bool) -> None:
    alarms = built(a_pair())
    alarms[HERE] = [{**one, "Statistic": statistic} for one in alarms[HERE]]
    assert (checks(a_pair(), alarms)[1].status is Status.PASSED) is passes


def test_any_alarm_that_breaches_by_silence_is_a_heartbeat_but_one_on_failures() -> None:
    alarms = built(a_pair())
    alarms[THERE] = [one for one in alarms[THERE] if not one["AlarmName"].endswith("heartbeat")]
    missing = checks(a_pair(), alarms)[2]
    assert missing.status is Status.AT_RISK
    assert "and treats missing data as breaching, so nobody is told when the metrics stop" in missing.message
    by_latency = {**alarms, THERE: [{**one, "TreatMissingData": "breaching"} for one in alarms[THERE]]}
    assert checks(a_pair(), by_latency)[2].status is Status.PASSED
    by_failures = {**alarms, HERE: [{**one, "TreatMissingData": "breaching"} for one in alarms[HERE]]}
    assert checks(a_pair(), by_failures)[2].status is Status.AT_RISK


def test_in_one_region_the_failure_metric_is_no_heartbeat_either() -> None:
    pair = a_pair(dr=replace(DR, region=EAST), allow_same_region=True)
    alarms = {
        HERE: [{**one, "TreatMissingData": "breaching"} for one in built(pair)[HERE] if "failed" in one["AlarmName"]]
    }
    assert [check.status for check in checks(pair, alarms)] == [Status.AT_RISK, Status.PASSED, Status.AT_RISK]


def test_a_rule_without_metrics_can_have_no_alarm() -> None:
    pair = a_pair(rules=(Rule("r", observation=Observation.NONE),))
    (check,) = checks(pair, {})
    assert (check.name, check.status) == ("metrics", Status.AT_RISK)
    assert "AWS publishes no metrics for the rule 'r' from example-orders to example-orders-dr" in check.message
    assert alarm_places(pair, ACCOUNTS) == []


# --- expressions and composite alarms ------------------------------------------------------------------------


def expression(*queries: Document) -> dict[str, Any]:
    """What an alarm on expressions has in place of a metric."""
    return {"Namespace": None, "MetricName": None, "Dimensions": [], "Metrics": list(queries)}


STAT = {
    "Id": "m",
    "MetricStat": {
        "Metric": {"Namespace": "AWS/S3", "MetricName": "ReplicationLatency", "Dimensions": _dimensions(**ALL_THREE)},
        "Stat": "Maximum",
        "Period": 60,
    },
}
QUERY = {"Id": "q", "Expression": 'SELECT MAX(ReplicationLatency) FROM SCHEMA("AWS/S3", RuleId)'}


@pytest.mark.parametrize("query", [STAT, QUERY])
def test_an_alarm_on_an_expression_is_there_but_was_not_examined(query: Document) -> None:
    check = latency(**expression({"Id": "e", "Expression": "m / 60"}, query))
    assert check.status is Status.WARNING
    assert "watches an expression, which was not examined" in check.message


def test_an_alarm_on_an_expression_must_reach_somebody_as_well() -> None:
    assert latency(**expression(STAT), AlarmActions=[]).status is Status.AT_RISK
    assert latency(dict.fromkeys(topics(), "denied"), **expression(STAT)).status is Status.UNKNOWN


def test_an_expression_of_another_metric_is_no_latency_alarm() -> None:
    other = {"Id": "q", "Expression": 'SELECT MAX(BytesPendingReplication) FROM SCHEMA("AWS/S3", RuleId)'}
    assert latency(**expression(other)).status is Status.AT_RISK


def with_composite(**changes: Any) -> tuple[Found, Document]:
    """The alarms when that on the latency has no action of its own, and a composite alarm that names it."""
    composite = {
        "AlarmName": "all",
        "AlarmRule": f'ALARM("{START}/latency") OR ALARM("x")',
        "ActionsEnabled": True,
        "AlarmActions": [topic_arn("s3-dr-alarms", WEST, ACCOUNT)],
        **changes,
    }
    alarms = built(a_pair())
    silent = [{**one, "AlarmActions": []} if "latency" in one["AlarmName"] else one for one in alarms[THERE]]
    return {**alarms, THERE: [*silent, composite]}, composite


def test_a_composite_alarm_tells_for_the_alarms_that_it_names() -> None:
    alarms, composite = with_composite()
    check = checks(a_pair(), alarms)[0]
    assert check.status is Status.PASSED
    assert "tells by the composite alarm 'all', which can fire: it notifies" in check.message
    only = {
        place: [one if "AlarmRule" in one else {**one, "AlarmActions": []} for one in found]
        for place, found in alarms.items()
    }
    assert topics_to_read(a_pair(), ACCOUNTS, only) == [(THERE, topic_arn("s3-dr-alarms", WEST, ACCOUNT))]
    assert composite in only[THERE]


def test_a_composite_alarm_with_a_rule_that_is_not_plain_is_a_warning() -> None:
    alarms, _composite = with_composite(AlarmRule=f'ALARM("{START}/latency") AND ALARM("x")')
    check = checks(a_pair(), alarms)[0]
    assert check.status is Status.WARNING
    assert "tells by the composite alarm 'all', whose rule was not examined" in check.message


def test_a_composite_alarm_that_tells_nobody_is_no_help() -> None:
    alarms, _composite = with_composite(AlarmActions=[])
    check = checks(a_pair(), alarms)[0]
    assert check.status is Status.AT_RISK
    assert "its composite alarm 'all' tells nobody, since it has no alarm action" in check.message


@pytest.mark.parametrize(
    ("rule", "fires"),
    [
        ('ALARM("a.b")', True),
        ("ALARM(a.b)", True),
        (" ALARM ( 'a.b' ) OR ALARM(\"x y\")", True),
        ('ALARM("x") OR ALARM("arn:aws:cloudwatch:us-west-2:111122223333:alarm:a.b")', True),
        ('ALARM("a.bc")', False),
        ('ALARM("x") OR OK("a.b")', False),
        ('ALARM("a.b") AND ALARM("x")', False),
        ('NOT ALARM("a.b")', False),
        ('(ALARM("a.b"))', False),
        ('ALARM("a.b") OR', False),
        ("TRUE", False),
        ("", False),
    ],
)
def test_only_a_plain_rule_fires_by_one_alarm(rule: str, fires: bool) -> None:
    assert fires_by({"AlarmRule": rule}, {"AlarmName": "a.b"}) is fires


def test_what_a_drill_left_behind_tells_nobody() -> None:
    """A twin looks like an alarm on the latency, and the drill's queue like a subscriber."""
    alarms = built(a_pair())
    latency_alarm = next(one for one in alarms[THERE] if one["AlarmName"].endswith("/latency"))
    twin = {**latency_alarm, "AlarmName": twin_name("orders", latency_alarm["AlarmName"])}
    alarms[THERE] = [twin if one is latency_alarm else one for one in alarms[THERE]]
    assert "No alarm in us-west-2 watches ReplicationLatency" in checks(a_pair(), alarms)[0].message
    endpoint = f"arn:aws:sqs:us-west-2:111122223333:{queue_name('orders')}"
    drill = [{"Protocol": "sqs", "Endpoint": endpoint, "SubscriptionArn": "arn:aws:sns:x"}]
    found = checks(a_pair(), built(a_pair()), topics(Subscriptions=drill))
    assert all("no confirmed subscription (none at all)" in check.message for check in found)


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ('ALARM("a.b")', True),
        ("ALARM(a.b)", True),
        ("NOT ALARM( 'a.b' )", True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:1:alarm:a.b)", True),
        ('ALARM("axb")', False),
        ('ALARM("a.bc")', False),
        ('ALARM("xa.b")', False),
    ],
)
def test_a_composite_alarm_names_an_alarm_as_a_whole(rule: str, named: bool) -> None:
    assert names_alarm({"AlarmRule": rule}, "a.b") is named


def test_which_alarms_are_about_replication() -> None:
    assert all(is_about_replication(alarm) for found in built(a_pair()).values() for alarm in found)
    assert is_about_replication(expression(STAT))
    assert not is_about_replication({"Namespace": "AWS/S3", "MetricName": "NumberOfObjects"})
    assert not is_about_replication({"Namespace": "AWS/EBS", "MetricName": "ReplicationLatency"})


# --- topics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"Subscriptions": []}, Status.AT_RISK, "has no confirmed subscription (none at all)"),
        ({"Subscriptions": [WAITING]}, Status.AT_RISK, "has no confirmed subscription (1 not confirmed)"),
        ({"Subscriptions": [WAITING, CONFIRMED]}, Status.PASSED, "can fire"),
        ({"Policy": {}}, Status.AT_RISK, "whose policy does not let CloudWatch publish"),
        ({"KmsMasterKeyId": "alias/aws/sns"}, Status.AT_RISK, "CloudWatch may not use that"),
        ({"KmsMasterKeyId": "arn:aws:kms:x:y:key/1"}, Status.WARNING, "kms:GenerateDataKey*, which was not examined"),
        (
            {"Policy": {"Statement": {**ANYBODY[0], "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}}},
            Status.UNKNOWN,
            "hangs on conditions",
        ),
    ],
)
def test_a_topic_must_reach_somebody(changes: dict[str, Any], status: Status, words: str) -> None:
    check = latency(topics(**changes))
    assert check.status is status
    assert words in check.message


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        (None, Status.AT_RISK, "which does not exist"),
        ("sns:GetTopicAttributes is missing", Status.UNKNOWN, "sns:GetTopicAttributes is missing"),
    ],
)
def test_a_topic_that_is_gone_or_may_not_be_read(found: str | None, status: Status, words: str) -> None:
    check = latency(dict.fromkeys(topics(), found))
    assert check.status is status
    assert words in check.message


def test_a_topic_that_was_not_read_is_unknown() -> None:
    assert latency({}).status is Status.UNKNOWN


TOPIC = topic_arn("t", WEST, ACCOUNT)


def statement(**changes: Any) -> Document:
    """A statement that lets everybody publish."""
    return {**ANYBODY[0], **changes}


def _if(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([statement(Principal=CLOUDWATCH)], True),
        ([statement(Principal={"Service": ["s3.amazonaws.com", "cloudwatch.amazonaws.com"]}, Action=["SNS:*"])], True),
        ([statement(Principal={"AWS": "*"}, **_if("StringEquals", "AWS:SourceOwner", ACCOUNT.id))], True),
        ([statement(Principal={"AWS": "*"}, **_if("StringEquals", "AWS:SourceOwner", OTHER.id))], False),
        ([statement(Principal=CLOUDWATCH, **_if("StringEquals", "aws:SourceAccount", [OTHER.id, ACCOUNT.id]))], True),
        ([statement(**_if("ArnLike", "aws:SourceArn", f"arn:aws:cloudwatch:{WEST}:{ACCOUNT.id}:alarm:*"))], True),
        ([statement(**_if("ArnLike", "aws:SourceArn", f"arn:aws:cloudwatch:{EAST}:{ACCOUNT.id}:alarm:*"))], False),
        ([statement(**_if("ArnLike", "aws:SourceArn", f"arn:aws:cloudwatch:{WEST}:{ACCOUNT.id}:alarm:other"))], False),
        ([statement(**_if("ArnEquals", "aws:SourceArn", f"arn:aws:cloudwatch:{WEST}:{ACCOUNT.id}:alarm:late"))], True),
        ([statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT.id}:root"})], False),
        ([statement(Principal={"Service": "s3.amazonaws.com"})], False),
        ([statement(Action="sns:Subscribe")], False),
        ([], False),
        ([statement(**_if("StringEquals", "aws:PrincipalOrgID", "o-1"))], None),
        ([statement(**_if("StringEquals", "aws:PrincipalOrgID", "o-1")), statement(Principal=CLOUDWATCH)], True),
        ([statement(), statement(Effect="Deny")], False),
        ([statement(), statement(Effect="Deny", **_if("Bool", "aws:SecureTransport", "false"))], True),
        ([statement(), statement(Effect="Deny", **_if("StringNotEquals", "aws:PrincipalOrgID", "o-1"))], None),
        ([statement(), {**statement(Effect="Deny", NotPrincipal={"AWS": "1"}), "Principal": None}], None),
    ],
)  # fmt: skip
def test_whether_a_policy_lets_cloudwatch_publish(statements: list[Document], allowed: bool | None) -> None:
    assert may_publish({"Statement": statements}, TOPIC, "late", THERE) is allowed


# --- what could not be looked at -----------------------------------------------------------------------------


def test_alarms_that_may_not_be_read_are_unknown_with_the_permission() -> None:
    alarms: Found = {**built(a_pair()), THERE: "cloudwatch:DescribeAlarms is missing"}
    found = checks(a_pair(), alarms)
    assert [check.status for check in found] == [Status.UNKNOWN, Status.PASSED, Status.UNKNOWN]
    assert "in us-west-2 watches the rule 's3-dr-orders'" in found[0].message
    assert found[0].message.endswith("is not known: cloudwatch:DescribeAlarms is missing.")
    assert {check.status for check in checks(a_pair(), {})} == {Status.UNKNOWN}


def test_a_direction_of_an_account_without_credentials_is_one_check() -> None:
    accounts = {**TWO_ACCOUNTS, DR.bucket: replace(OTHER, ours=False)}
    found = checks(two_way(), built(a_pair()), accounts=accounts)
    assert [(check.name, check.status) for check in found] == [
        ("alarms", Status.UNKNOWN),
        *((name, Status.PASSED) for name in NAMES),
    ]
    assert f"account {OTHER.id}" in found[0].message


CHANGES: list[Callable[[Document], Document | None]] = [
    lambda alarm: None,
    lambda alarm: {**alarm, "ActionsEnabled": False},
    lambda alarm: {**alarm, "AlarmActions": []},
    lambda alarm: {**alarm, "Dimensions": alarm["Dimensions"][:2]},
    lambda alarm: {**alarm, "Namespace": "AWS/EBS"},
    lambda alarm: {**alarm, "Unit": "Terabytes"},
]


@given(st.sampled_from(CHANGES), st.sampled_from([HERE, THERE]), st.integers(0, 1))
def test_whatever_is_broken_about_one_alarm_one_check_fails(
    change: Callable[[Document], Document | None], place: Place, number: int
) -> None:
    needed = built(a_pair()).items()  # those on what is pending may be left out
    alarms = {at: [one for one in found if not one["AlarmName"].endswith("_pending")] for at, found in needed}
    number = number % len(alarms[place])
    changed = change(alarms[place][number])
    alarms[place][number : number + 1] = [changed] if changed else []
    assert sorted(check.status for check in checks(a_pair(), alarms)) == [Status.AT_RISK, Status.PASSED, Status.PASSED]
