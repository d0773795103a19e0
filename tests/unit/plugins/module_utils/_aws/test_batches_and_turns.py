# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Hundreds of alarms: few reading calls, and writing calls at the rate that AWS takes."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import gateway as gateway_module
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.alarm_rows import alarms_named
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    AlarmSettings,
    alarm_names,
    alarms_wish,
    composite_name,
    leftover_alarms,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Address,
    Document,
    Pair,
    Rule,
    Step,
    is_seen,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Wish, plan
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    EAST,
    OTHER,
    SETTINGS,
    WEST,
    a_pair,
    address,
    two_way,
)

TOGETHER = AlarmSettings("s3-dr-alarms", composite=True)


@pytest.fixture
def time_() -> Time:
    """A new clock."""
    return Time()


@pytest.fixture
def gateway(aws: FakeAws, time_: Time) -> Gateway:
    """A gateway to the fake, by the new clock."""
    return Gateway(aws.client_for, time_.sleep, time_.clock)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single thread, since the clock counts the sleep of each."""
    monkeypatch.setattr(gateway_module, "_THREADS", 1)


def alarm(number: int, region: str = EAST, kind: str = "metric_alarm", account: str = ACCOUNT.id) -> Address:
    """One of many alarms."""
    return Address(kind, f"s3-dr/orders/b/rule-{number:03}/failed", region, account)


AN_ALARM: Document = {
    "Namespace": "AWS/S3", "MetricName": "OperationsFailedReplication", "Dimensions": [], "Statistic": "Sum",
    "Period": 60, "EvaluationPeriods": 1, "Threshold": 0.0, "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip


def put(aws: FakeAws, alarms: list[Address]) -> None:
    """Arrange that the alarms are there."""
    for at in alarms:
        aws.alarms[at.name, at.region] = {"AlarmName": at.name, **AN_ALARM}


def operations(aws: FakeAws) -> Counter[str]:
    """How often each operation was called."""
    return Counter(call.operation for call in aws.calls)


# --- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_alarms_are_read_a_hundred_at_a_time(aws: FakeAws, gateway: Gateway, count: int, calls: int) -> None:
    wanted = [alarm(number) for number in range(count)]
    put(aws, wanted)
    assert gateway.observe(wanted) == dict.fromkeys(wanted, AN_ALARM)
    assert operations(aws) == {"DescribeAlarms": calls}


def test_each_region_account_and_kind_is_read_by_itself(aws: FakeAws, gateway: Gateway) -> None:
    wanted = [alarm(1), alarm(1, WEST), alarm(1, account=OTHER.id), alarm(1, kind="composite_alarm"), alarm(2)]
    put(aws, [alarm(1)])
    found = gateway.observe(wanted)
    assert list(found) == wanted, "in the order in which they were asked for"
    assert [at for at, document in found.items() if document] == [alarm(1), alarm(1, account=OTHER.id)]
    assert operations(aws) == {"DescribeAlarms": 4}


def test_an_alarm_that_is_not_there_is_none_among_those_that_are(aws: FakeAws, gateway: Gateway) -> None:
    put(aws, [alarm(2)])
    assert gateway.observe([alarm(1), alarm(2), alarm(3)]) == {alarm(1): None, alarm(2): AN_ALARM, alarm(3): None}


def deny(call: Call) -> None:
    """An interruption that allows no reading of alarms."""
    if call.operation == "DescribeAlarms":
        raise client_error("AccessDenied", "no", call.operation)


def test_a_refusal_is_of_all_that_was_asked_for_at_once(aws: FakeAws, gateway: Gateway) -> None:
    aws.interrupt = deny
    optional = [alarm(number) for number in range(3)]
    found = gateway.observe([], optional)
    assert [at for at, document in found.items() if not is_seen(document)] == optional


def test_what_may_fail_hides_nothing_that_may_not(aws: FakeAws, gateway: Gateway) -> None:
    aws.interrupt = deny
    with pytest.raises(AwsFailure, match=r"rule-002/failed .us-east-1.: AWS refused.*cloudwatch:Desc"):
        gateway.observe([alarm(1), alarm(2), alarm(3)], [alarm(1), alarm(3)])


def test_reading_at_once_is_tried_again_while_aws_is_busy(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    busy = [client_error("Throttling", "Rate exceeded"), client_error("Throttling", "Rate exceeded")]

    def interrupt(call: Call) -> None:
        if busy:
            raise busy.pop()

    aws.interrupt = interrupt
    put(aws, [alarm(1)])
    assert gateway.observe([alarm(1), alarm(2)]) == {alarm(1): AN_ALARM, alarm(2): None}
    assert time_.sleeps == [0.5, 1]


def test_the_alarms_of_a_pair_are_found_by_its_prefix_composite_ones_too(aws: FakeAws, gateway: Gateway) -> None:
    wish = alarms_wish(two_way(), TOGETHER, ACCOUNT)
    gateway.carry_out(plan(wish, gateway.observe(wish)))
    put(aws, [Address("metric_alarm", "s3-dr/orders-2/b/r/failed", WEST, ACCOUNT.id)])
    found = {region: alarms_named(aws.client_for("cloudwatch", region), "s3-dr/orders/") for region in (EAST, WEST)}
    assert {region: sorted(names) for region, names in found.items()} == alarm_names(wish)
    assert composite_name("orders") in found[EAST]


def test_a_run_that_changes_nothing_asks_little(aws: FakeAws, gateway: Gateway) -> None:
    """Of a two-way pair with 10 alarms: per Region one call for what is there and one for what is wished."""
    for settings, calls in ((SETTINGS, 4), (TOGETHER, 6)):
        run(aws, gateway, two_way(), settings)
        aws.calls.clear()
        assert run(aws, gateway, two_way(), settings) == ()
        assert operations(aws) == {"DescribeAlarms": calls}


def run(aws: FakeAws, gateway: Gateway, pair: Pair, settings: AlarmSettings | None) -> tuple[Step, ...]:
    """What the module does."""
    wish: Wish = alarms_wish(pair, settings, ACCOUNT) if settings else {}
    regions = dict.fromkeys(end.region for end in pair.ends())
    found = {region: alarms_named(aws.client_for("cloudwatch", region), f"s3-dr/{pair.name}/") for region in regions}
    unwanted = leftover_alarms(pair, wish, found, ACCOUNT)
    steps = plan(wish, gateway.observe([*wish, *unwanted]), unwanted)
    gateway.carry_out(steps)
    return steps


def test_a_pair_goes_from_alarms_that_act_to_one_that_acts_and_back_and_away(aws: FakeAws, gateway: Gateway) -> None:
    """The fake refuses a composite alarm without its children, and to delete those before it, as AWS does."""
    renamed = two_way(rules=(Rule("renamed"),))
    for pair, settings in (
        (two_way(), SETTINGS), (two_way(), TOGETHER), (renamed, TOGETHER), (two_way(), SETTINGS),
        (a_pair(), TOGETHER), (two_way(), None),
    ):  # fmt: skip
        run(aws, gateway, pair, settings)
        assert run(aws, gateway, pair, settings) == ()
    assert aws.alarms == aws.composite_alarms == {}


def test_what_somebody_added_to_an_alarm_of_ours_is_seen_and_cleared(aws: FakeAws, gateway: Gateway) -> None:
    run(aws, gateway, a_pair(), SETTINGS)
    (name,) = (name for name, _region in aws.alarms if name.endswith("/latency"))
    for theirs in ({"Unit": "Bytes"}, {"ExtendedStatistic": "p99"}, {"AlarmActions": []}):
        aws.alarms[name, WEST] |= theirs
        (step,) = run(aws, gateway, a_pair(), SETTINGS)
        assert step.address.name == name
        assert not {"Unit", "ExtendedStatistic"} & set(aws.alarms[name, WEST])
        assert aws.alarms[name, WEST]["AlarmActions"]


def test_an_update_that_takes_actions_away_takes_them_away_in_aws(aws: FakeAws, gateway: Gateway) -> None:
    run(aws, gateway, a_pair(), SETTINGS)
    run(aws, gateway, a_pair(), TOGETHER)
    assert {tuple(one["AlarmActions"]) for one in aws.alarms.values()} == {()}


def test_a_suppressor_may_be_named_by_its_arn(aws: FakeAws, gateway: Gateway) -> None:
    run(aws, gateway, a_pair(), TOGETHER)
    for (_name, region), one in aws.composite_alarms.items():
        one["ActionsSuppressor"] = f"arn:aws:cloudwatch:{region}:{ACCOUNT.id}:alarm:{one['ActionsSuppressor']}"
    assert run(aws, gateway, a_pair(), TOGETHER) == ()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "Allow cloudwatch:DescribeAlarms to the credentials"),
        ("Throttling", "This answer usually passes by itself. Run again."),
        ("ValidationError", "Correct what the message names, then run again. Needs cloudwatch:DescribeAlarms."),
    ],
)
def test_what_fails_outside_of_the_kinds_says_what_to_do(code: str, said: str) -> None:
    text = f"the alarms: AWS refused DescribeAlarms .{code}.*{said}"
    with pytest.raises(AwsFailure, match=text), asking("the alarms", "cloudwatch:DescribeAlarms"):
        raise client_error(code, "AWS's words", "DescribeAlarms")


# --- writing -------------------------------------------------------------------------------------------------

PER_SECOND = 3


class Limited:
    """A CloudWatch that refuses what comes faster than its rate, by each writing operation, Region and account."""

    def __init__(self, time_: Time) -> None:
        self.time = time_
        self.calls: dict[tuple[str, str, str], list[float]] = {}
        self.refused = 0

    def __call__(self, call: Call) -> None:
        if not call.writes:
            return
        times = self.calls.setdefault((call.operation, call.region, call.account), [])
        if len([one for one in times if self.time.now - one < 1 - 1e-9]) >= PER_SECOND:
            self.refused += 1
            raise client_error("Throttling", "Rate exceeded", call.operation)
        times.append(self.time.now)


def new(alarms: list[Address]) -> list[Step]:
    """The steps that make them."""
    return [Step(at, None, AN_ALARM) for at in alarms]


@pytest.mark.usefixtures("one_by_one")
def test_four_hundred_alarms_are_put_at_the_rate_that_aws_takes(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    aws.interrupt = limit = Limited(time_)
    alarms = [alarm(number) for number in range(400)]
    gateway.carry_out(new(alarms))
    assert len(aws.alarms) == len(gateway.done) == 400
    assert limit.refused == 0
    assert time_.now == pytest.approx(399 / PER_SECOND)
    gateway.carry_out([Step(at, AN_ALARM, None) for at in alarms])
    assert aws.alarms == {}
    assert limit.refused == 0


@pytest.mark.usefixtures("one_by_one")
def test_none_fails_while_others_use_up_half_of_the_rate(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    """As when Ansible sets up several pairs at the same time, each in a process of its own."""
    limit = Limited(time_)
    calls = Counter[str]()

    def interrupt(call: Call) -> None:
        calls[call.operation] += 1
        if calls[call.operation] % 2:
            raise client_error("Throttling", "Rate exceeded", call.operation)
        limit(call)

    aws.interrupt = interrupt
    gateway.carry_out(new([alarm(number) for number in range(400)]))
    assert len(aws.alarms) == 400
    assert limit.refused == 0


def all_at_once(gateway: Gateway, addresses: list[Address]) -> None:
    """Many threads that begin at the same moment wait for their turns."""
    per_second = gateway_module.ROWS["metric_alarm"].writes_per_second
    threads = [threading.Thread(target=gateway._wait_for_turn, args=(at, per_second)) for at in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Frozen(Time):
    """A clock that stands still, so that each sleep is as long as the wait from the beginning."""

    def sleep(self, seconds: float) -> None:
        """Only remember it."""
        self.sleeps.append(seconds)


def test_threads_never_share_a_turn(aws: FakeAws) -> None:
    clock = Frozen()
    all_at_once(Gateway(aws.client_for, clock.sleep, clock.clock), [alarm(number) for number in range(50)])
    assert sorted(clock.sleeps) == pytest.approx([number / PER_SECOND for number in range(1, 50)])


@pytest.mark.parametrize(
    "other",
    [alarm(1, WEST), alarm(1, account=OTHER.id), alarm(1, kind="composite_alarm")],
    ids=["Region", "account", "kind"],
)
def test_nothing_waits_for_another_region_account_or_kind(aws: FakeAws, other: Address) -> None:
    clock = Frozen()
    all_at_once(Gateway(aws.client_for, clock.sleep, clock.clock), [alarm(1), other])
    assert clock.sleeps == []


def test_a_kind_without_such_a_limit_never_waits(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    gateway.carry_out([Step(address("sns_topic", f"t-{number}"), None, {"Tags": {}}) for number in range(20)])
    assert time_.sleeps == []


@pytest.mark.usefixtures("one_by_one")
def test_a_turn_that_was_not_used_is_no_reserve(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    aws.interrupt = limit = Limited(time_)
    gateway.carry_out(new([alarm(1)]))
    time_.sleep(60)
    gateway.carry_out(new([alarm(number) for number in range(2, 12)]))
    assert limit.refused == 0
    assert time_.now == pytest.approx(60 + 9 / PER_SECOND)


@pytest.mark.usefixtures("one_by_one")
def test_a_try_that_was_refused_has_used_its_turn(aws: FakeAws, gateway: Gateway, time_: Time) -> None:
    refusals = [client_error("Throttling", "Rate exceeded", "PutMetricAlarm")]

    def interrupt(call: Call) -> None:
        if refusals:
            raise refusals.pop()

    aws.interrupt = interrupt
    gateway.carry_out(new([alarm(1), alarm(2)]))
    assert operations(aws) == {"PutMetricAlarm": 3}
    assert time_.now == pytest.approx(0.5 + 1 / PER_SECOND)
