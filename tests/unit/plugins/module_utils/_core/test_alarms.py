# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Alarms stand where AWS publishes their metric, name all its dimensions, and notify a topic of their own Region."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    AlarmSettings,
    OpsItems,
    alarm_names,
    alarms_wish,
    composite_name,
    leftover_alarms,
    suppressor_name,
    unwatched_rules,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_names import twin_name
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Accounts,
    Address,
    Document,
    InvalidInput,
    Observation,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import (
    Observed,
    applied,
    plan,
    waves,
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
    TWO_ACCOUNTS,
    WEST,
    a_pair,
    two_way,
)

DESTINATION = ("bytes_pending", "heartbeat", "latency", "operations_pending")
"""The alarms that stand in the Region of the destination."""


def alarms(pair: Pair) -> dict[tuple[str, str], Document]:
    """The alarms that a pair wishes, by name and Region."""
    return {(at.name, at.region): document for at, document in alarms_wish(pair, SETTINGS, ACCOUNT).items()}


def alarm(short: str, region: str) -> Document:
    """An alarm of the one-way pair."""
    return alarms(a_pair())[f"s3-dr/orders/example-orders/s3-dr-orders/{short}", region]


def test_each_alarm_stands_where_aws_publishes_its_metric() -> None:
    start = "s3-dr/orders/example-orders/s3-dr-orders"
    assert set(alarms(a_pair())) == {(f"{start}/failed", EAST), *((f"{start}/{short}", WEST) for short in DESTINATION)}


def test_the_alarms_of_the_way_back_stand_the_other_way_round() -> None:
    back = "s3-dr/orders/example-orders-dr/s3-dr-orders"
    assert set(alarms(two_way())) - set(alarms(a_pair())) == {
        (f"{back}/failed", WEST),
        *((f"{back}/{short}", EAST) for short in DESTINATION),
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
    assert set(far) == {("failed", EAST), *((short, ARCHIVE.region) for short in DESTINATION)}
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
        (
            "bytes_pending",
            WEST,
            ("BytesPendingReplication", "Maximum", "GreaterThanThreshold", 112.5e9, "ignore", 5, 3),
        ),
        (
            "operations_pending",
            WEST,
            ("OperationsPendingReplication", "Maximum", "GreaterThanThreshold", 100_000.0, "ignore", 5, 3),
        ),
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
    assert unwatched_rules(pair, ACCOUNT) == [
        "No alarm watches the rule 'off' of pair 'orders': it is disabled.",
        (
            "No alarm watches the rule 'blind' of pair 'orders': its `observation` is none, so AWS publishes no "
            "metrics for it."
        ),
    ]


OTHERS_DR = replace(DR, account_id=OTHER.id)


@pytest.mark.parametrize(
    ("pair", "accounts"), [(two_way(dr=OTHERS_DR), {}), (two_way(), TWO_ACCOUNTS)], ids=["declared", "signed in"]
)
def test_a_direction_whose_metrics_another_account_gets_has_no_alarms_and_a_sentence_says_so(
    pair: Pair, accounts: Accounts
) -> None:
    wish = alarms_wish(pair, SETTINGS, ACCOUNT, accounts)
    assert set(wish) == set(alarms_wish(a_pair(), SETTINGS, ACCOUNT))
    assert set(alarms_wish(pair, TOGETHER, ACCOUNT, accounts)) == set(alarms_wish(a_pair(), TOGETHER, ACCOUNT))
    (said,) = unwatched_rules(pair, ACCOUNT, accounts)
    assert said.startswith(
        "No alarm watches the way from example-orders-dr to example-orders of pair 'orders': AWS publishes its metrics "
        "in account 222233334444, and the alarms are made in 111122223333"
    )
    back = set(alarms_wish(two_way(), SETTINGS, ACCOUNT)) - set(wish)
    assert set(leftover_alarms(pair, wish, alarm_names([*wish, *back]), ACCOUNT)) == back


def test_the_owner_of_the_dr_bucket_can_watch_the_way_back() -> None:
    pair = two_way(primary=replace(PRIMARY, account_id=ACCOUNT.id), dr=OTHERS_DR)
    assert {at.name.split("/")[2] for at in alarms_wish(pair, SETTINGS, OTHER)} == {DR.bucket}
    (said,) = unwatched_rules(pair, OTHER)
    assert "from example-orders to example-orders-dr" in said


def test_an_end_of_the_tasks_own_account_is_watched_however_that_is_known() -> None:
    pair = two_way(dr=replace(DR, account_id=ACCOUNT.id))
    assert alarms_wish(pair, SETTINGS, ACCOUNT, ACCOUNTS) == alarms_wish(two_way(), SETTINGS, ACCOUNT)
    assert unwatched_rules(pair, ACCOUNT, ACCOUNTS) == []


def test_alarms_that_are_not_wished_any_more_are_left_over() -> None:
    before = a_pair(rules=(Rule("renamed", 1), Rule("kept", 2)))
    wish = alarms_wish(a_pair(rules=(Rule("kept", 2),)), SETTINGS, ACCOUNT)
    left = leftover_alarms(a_pair(), wish, alarm_names(alarms_wish(before, SETTINGS, ACCOUNT)), ACCOUNT)
    start = "s3-dr/orders/example-orders/renamed"
    assert {(at.name, at.region) for at in left} == {
        (f"{start}/failed", EAST),
        *((f"{start}/{short}", WEST) for short in DESTINATION),
    }


def test_what_a_drill_made_for_a_while_goes_with_the_pair_and_no_sooner() -> None:
    twin = twin_name("orders", "s3-dr/orders/example-orders/s3-dr-orders/latency")
    wish = alarms_wish(a_pair(), SETTINGS, ACCOUNT)
    assert leftover_alarms(a_pair(), wish, {WEST: [twin]}, ACCOUNT) == {}
    gone = leftover_alarms(a_pair(), {}, {WEST: [twin]}, ACCOUNT, twins=True)
    assert gone == {Address("metric_alarm", twin, WEST, ACCOUNT.id): {}}


@pytest.mark.parametrize("other", ["s3-dr/orders-eu/b/r/failed", "s3-dr/orders", "s3-dr/invoices/b/r/failed", "mine"])
def test_alarms_of_others_are_never_left_over(other: str) -> None:
    assert leftover_alarms(a_pair(), {}, {EAST: [other]}, ACCOUNT) == {}


def test_an_alarm_name_that_cloudwatch_would_refuse_is_refused() -> None:
    longest = 255 - len("s3-dr/orders/example-orders/") - len("/operations_pending")
    assert alarms(a_pair(rules=(Rule("r" * longest),)))
    with pytest.raises(InvalidInput, match=r"256 characters.*Shorten the rule's `id`"):
        alarms(a_pair(rules=(Rule("r" * (longest + 1)),)))


def test_alarm_names_are_told_by_region() -> None:
    start = "s3-dr/orders/example-orders/s3-dr-orders"
    assert alarm_names(alarms_wish(a_pair(), SETTINGS, ACCOUNT)) == {
        EAST: [f"{start}/failed"],
        WEST: [f"{start}/{short}" for short in DESTINATION],
    }


def only(settings: AlarmSettings, short: str) -> list[Document]:
    """The alarms of the one-way pair whose names end so."""
    return [one for at, one in alarms_wish(a_pair(), settings, ACCOUNT).items() if at.name.endswith(f"/{short}")]


def test_each_alarm_says_what_it_means_and_what_to_do() -> None:
    for (name, _region), document in alarms(two_way()).items():
        text = document["AlarmDescription"]
        assert len(text) <= 1024, name
        assert PRIMARY.bucket in text
        assert DR.bucket in text
        assert "'orders'" in text


def test_m_of_n_and_the_heartbeat_are_the_users_choice() -> None:
    settings = AlarmSettings("s3-dr-alarms", latency_datapoints=2, latency_periods=15, heartbeat_minutes=1440)
    (latency,), (heartbeat,) = only(settings, "latency"), only(settings, "heartbeat")
    assert (latency["DatapointsToAlarm"], latency["EvaluationPeriods"]) == (2, 15)
    assert (heartbeat["DatapointsToAlarm"], heartbeat["EvaluationPeriods"]) == (1440, 1440)


def test_what_may_wait_follows_the_target_unless_it_is_said() -> None:
    (by_target,) = only(AlarmSettings("s3-dr-alarms", 60), "bytes_pending")
    (said,) = only(AlarmSettings("s3-dr-alarms", 60, bytes_pending=5), "bytes_pending")
    assert (by_target["Threshold"], said["Threshold"]) == (60 * 125e6, 5)
    assert "default quota" in by_target["AlarmDescription"]
    assert "default quota" not in said["AlarmDescription"]


def test_an_alarm_of_what_waits_can_be_left_out() -> None:
    settings = AlarmSettings("s3-dr-alarms", bytes_pending=0, operations_pending=0)
    assert only(settings, "bytes_pending") == only(settings, "operations_pending") == []
    assert len(alarms_wish(a_pair(), settings, ACCOUNT)) == 3


PLAN = "arn:aws:ssm-incidents::111122223333:response-plan/replication"


def test_ops_items_and_incidents_are_opened_when_an_alarm_fires_and_only_then() -> None:
    settings = AlarmSettings("a", ops_items=OpsItems(1), incident_response_plan_arn=PLAN)
    for at, document in alarms_wish(two_way(), settings, Account("111122223333", "aws-us-gov")).items():
        topic = f"arn:aws-us-gov:sns:{at.region}:111122223333:a"
        item = f"arn:aws-us-gov:ssm:{at.region}:111122223333:opsitem:1#CATEGORY=Availability"
        assert document["AlarmActions"] == [topic, item, PLAN]
        assert document["OKActions"] == [topic]


BAD_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "no target": ({"latency_seconds": 0}, "latency_seconds is 0. Use a target of at least 1 second"),
    "a negative target": ({"latency_seconds": -1}, "latency_seconds is -1"),
    "more than a day": ({"latency_periods": 1441}, "latency_periods is 1441: CloudWatch judges 1 to 1440 minutes"),
    "no periods": ({"latency_periods": 0}, "latency_periods is 0"),
    "M above N": ({"latency_datapoints": 6}, "latency_datapoints is 6 of 5 latency_periods. Use 1 to 5"),
    "no M": ({"latency_datapoints": 0}, "latency_datapoints is 0 of 5"),
    "a long heartbeat": ({"heartbeat_minutes": 1441}, "heartbeat_minutes is 1441"),
    "no heartbeat": ({"heartbeat_minutes": 0}, "heartbeat_minutes is 0"),
    "negative bytes": ({"bytes_pending": -1}, "bytes_pending is -1. Use the most that may wait, or 0"),
    "negative operations": ({"operations_pending": -1}, "operations_pending is -1"),
    "a bad topic": ({"topic_name": "a b"}, "topic 'a b'.*Choose another name"),
    "no response plan": ({"incident_response_plan_arn": "replication"}, "'replication' is no response plan. Write it"),
    "another ARN": ({"incident_response_plan_arn": "arn:aws:sns:us-east-1:111122223333:t"}, "is no response plan"),
}


@pytest.mark.parametrize(("given_", "said"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_bad_settings_are_refused(given_: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        AlarmSettings(**{"topic_name": "s3-dr-alarms", **given_})


@pytest.mark.parametrize("plan_", [PLAN, PLAN.replace("response-plan", "responseplan"), PLAN.replace("aws", "aws-cn")])
def test_a_response_plan_is_taken_as_aws_writes_it(plan_: str) -> None:
    assert AlarmSettings("a", incident_response_plan_arn=plan_)


@pytest.mark.parametrize(
    ("ops_items", "said"),
    [
        ((0,), "severity 0: OpsItems have the severities 1 to 4"),
        ((5,), "severity 5"),
        ((1, "Trouble"), "no category 'Trouble'. Choose one of Availability, "),
    ],
)
def test_bad_ops_items_are_refused(ops_items: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        OpsItems(*ops_items)


# --- one alarm for all of a pair -----------------------------------------------------------------------------

TOGETHER = AlarmSettings("s3-dr-alarms", composite=True, ops_items=OpsItems())


def together(pair: Pair, region: str) -> tuple[Document, Document, dict[str, Document]]:
    """The composite alarm of a Region, what suppresses it, and the others there by name."""
    found = {at.name: one for at, one in alarms_wish(pair, TOGETHER, ACCOUNT).items() if at.region == region}
    return found.pop(composite_name(pair.name)), found.pop(suppressor_name(pair.name)), found


@pytest.mark.parametrize("region", [EAST, WEST])
def test_a_composite_alarm_acts_for_all_of_its_region(region: str) -> None:
    composite, suppressor, others = together(two_way(), region)
    assert composite["AlarmRule"] == " OR ".join(f'ALARM("{name}")' for name in sorted(others))
    topic = f"arn:aws:sns:{region}:111122223333:s3-dr-alarms"
    item = f"arn:aws:ssm:{region}:111122223333:opsitem:2#CATEGORY=Availability"
    assert (composite["AlarmActions"], composite["OKActions"]) == ([topic, item], [topic])
    for one in (suppressor, *others.values()):
        assert one["ActionsEnabled"] is True
        assert one["AlarmActions"] == one["OKActions"] == one["InsufficientDataActions"] == []


def test_a_drill_suppresses_it_as_long_as_it_says_that_it_runs() -> None:
    composite, suppressor, _others = together(a_pair(), EAST)
    assert composite["ActionsSuppressor"] == "s3-dr/orders/drill-running"
    assert (composite["ActionsSuppressorWaitPeriod"], composite["ActionsSuppressorExtensionPeriod"]) == (10, 180)
    assert (suppressor["Namespace"], suppressor["MetricName"]) == ("S3Dr", "DrillRunning")
    assert suppressor["Dimensions"] == [{"Name": "Pair", "Value": "orders"}]
    assert (suppressor["ComparisonOperator"], suppressor["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert (suppressor["DatapointsToAlarm"], suppressor["EvaluationPeriods"]) == (1, 3)
    assert suppressor["TreatMissingData"] == "notBreaching"


def test_a_failure_outlasts_the_wait_for_the_suppressor() -> None:
    """Alone, `failed` tells at once. A composite alarm that is OK again before its wait is over tells nobody."""
    for settings, periods in ((SETTINGS, 1), (TOGETHER, 5)):
        (failed,) = only(settings, "failed")
        assert (failed["DatapointsToAlarm"], failed["EvaluationPeriods"]) == (1, periods)


def test_a_region_without_alarms_has_no_composite_one() -> None:
    assert not alarms_wish(a_pair(rules=(Rule("off", enabled=False),)), TOGETHER, ACCOUNT)


def many(count: int, name: str = "r") -> Pair:
    """A pair with so many rules, each of which has one alarm at the source."""
    return a_pair(rules=tuple(Rule(f"{name}{number}", number) for number in range(1, count + 1)))


@pytest.mark.parametrize(
    ("pair", "most"),
    [(many(26), "its 104 alarms in us-west-2"), (many(20, "r" * 120), "its 80 alarms in us-west-2")],
    ids=["alarms", "characters"],
)
def test_more_than_a_composite_alarm_takes_is_refused(pair: Pair, most: str) -> None:
    assert alarms_wish(many(25), TOGETHER, ACCOUNT)
    assert alarms_wish(pair, SETTINGS, ACCOUNT)
    with pytest.raises(InvalidInput, match=f"pair 'orders': {most} are too many.*Set `composite: false`"):
        alarms_wish(pair, TOGETHER, ACCOUNT)


def test_a_name_that_the_rule_cannot_quote_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot name 's3-dr/orders/example-orders/a\"b/"):
        alarms_wish(a_pair(rules=(Rule('a"b'),)), TOGETHER, ACCOUNT)


def kinds_of(steps: Any) -> list[str]:
    """What is done, wave by wave, each kind and action once."""
    return [
        " ".join(sorted({f"{step.action} {step.address.kind}" for chain in wave for step in chain}))
        for wave in waves(steps)
    ]


def world(pair: Pair, settings: AlarmSettings, there: Observed) -> tuple[list[str], Observed]:
    """What is done to go on from what is there, and what is there after it."""
    wish = alarms_wish(pair, settings, ACCOUNT)
    unwanted = leftover_alarms(pair, wish, alarm_names(at for at, one in there.items() if one), ACCOUNT)
    observed = {**dict.fromkeys([*wish, *unwanted]), **there}
    steps = plan(wish, observed, unwanted)
    return kinds_of(steps), applied(steps, observed)


def test_a_composite_alarm_comes_after_what_it_names_and_goes_before_it() -> None:
    done, there = world(a_pair(), TOGETHER, {})
    assert done == ["create metric_alarm", "create composite_alarm"]
    done, there = world(many(2), TOGETHER, there)
    assert done == ["create metric_alarm", "update composite_alarm", "delete metric_alarm"]
    done, there = world(many(2), SETTINGS, there)
    assert done == ["update metric_alarm", "delete composite_alarm", "delete metric_alarm"]
    done, there = world(a_pair(rules=(Rule("off", enabled=False),)), SETTINGS, there)
    assert done == ["delete metric_alarm"]
    assert set(there.values()) == {None}


def moments(pair: Pair, settings: AlarmSettings, there: Observed) -> list[Observed]:
    """What is there before the first step, and after each."""
    wish = alarms_wish(pair, settings, ACCOUNT)
    unwanted = leftover_alarms(pair, wish, alarm_names(at for at, one in there.items() if one), ACCOUNT)
    observed = {**dict.fromkeys([*wish, *unwanted]), **there}
    steps = plan(wish, observed, unwanted)
    return [applied(steps[:done], observed) for done in range(len(steps) + 1)]


def unheard(pair: Pair, there: Observed) -> list[Address]:
    """The alarms of rules that nobody hears of: neither they nor the composite alarm of their Region acts."""
    return [
        at
        for at, one in there.items()
        if one and at.kind == "metric_alarm" and at.name != suppressor_name(pair.name) and one.get("AlarmActions") == []
        if not _acts_for(there.get(Address("composite_alarm", composite_name(pair.name), at.region, at.account)), at)
    ]


def _acts_for(composite: Document | None, alarm: Address) -> bool:
    return bool(composite and composite["AlarmActions"] and f'ALARM("{alarm.name}")' in composite["AlarmRule"])


def test_alarms_fall_silent_only_when_one_acts_for_them() -> None:
    _done, there = world(a_pair(), SETTINGS, {})
    done, there = world(a_pair(), TOGETHER, there)
    assert done == ["create metric_alarm", "create composite_alarm", "update metric_alarm"]
    assert world(a_pair(), TOGETHER, there)[0] == []


@pytest.mark.parametrize(("before", "after"), [(SETTINGS, TOGETHER), (TOGETHER, SETTINGS), (TOGETHER, TOGETHER)])
def test_whenever_a_change_is_broken_off_every_alarm_that_was_heard_is_heard(
    before: AlarmSettings, after: AlarmSettings
) -> None:
    """An alarm that is new needs to be there before the composite one, and watched nothing before that."""
    _done, there = world(two_way(), before, {})
    assert unheard(two_way(), there) == []
    further = two_way(rules=(Rule("s3-dr-orders"), Rule("more", 2)))
    for pair in (two_way(), further):
        kept = set(alarms_wish(pair, after, ACCOUNT)) & set(there)
        for moment in moments(pair, after, there):
            assert kept.isdisjoint(unheard(pair, moment))
        assert unheard(pair, moment) == []


settings = st.builds(
    AlarmSettings,
    st.just("alarms"),
    latency_seconds=st.integers(1, 9999),
    bytes_pending=st.none() | st.integers(0, 9),
    operations_pending=st.integers(0, 9),
    ops_items=st.none() | st.builds(OpsItems, st.integers(1, 4)),
)


@given(strategies.pairs(), settings, settings, st.booleans())
def test_whatever_was_chosen_before_a_second_run_changes_nothing_and_absent_leaves_nothing(
    pair: Pair, before: AlarmSettings, after: AlarmSettings, together: bool
) -> None:
    """Of ours, that is: an alarm of another pair is never touched."""
    foreign = Address("metric_alarm", f"s3-dr/{pair.name}-2/b/r/failed", EAST, ACCOUNT.id)
    there: Observed = {foreign: {"Threshold": 1.0}}
    for chosen in (before, after):
        with_composite = AlarmSettings(
            "alarms", chosen.latency_seconds, bytes_pending=chosen.bytes_pending, composite=together and _fits(pair)
        )
        for one in (chosen, with_composite):
            kept = {at for at in alarms_wish(pair, one, ACCOUNT) if there.get(at)}
            for moment in moments(pair, one, there):
                assert kept.isdisjoint(unheard(pair, moment))
            _done, there = world(pair, one, there)
            assert world(pair, one, there)[0] == []
    nothing = leftover_alarms(pair, {}, alarm_names(at for at, one in there.items() if one), ACCOUNT, twins=True)
    left = applied(plan({}, there, nothing), there)
    assert {at for at, one in left.items() if one} == {foreign}


def _fits(pair: Pair) -> bool:
    return all("\\" not in rule.id and '"' not in rule.id and len(rule.id) < 60 for rule in pair.rules)
