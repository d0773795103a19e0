# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Alarms on other alarms, and how fast alarms may be written."""

from __future__ import annotations

import pytest

from local_aws.contract.test_alarms import ops_items, resolve, topic_with_queue


def options_of(name):
    return {
        "AlarmName": name,
        "Namespace": "Contract",
        "MetricName": name,
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    }


def children(world, number=2):
    """Metric alarms in the state OK, which stay as they are set."""
    cloudwatch, names = world.client("cloudwatch"), [world.name("alarm") for _number in range(number)]
    for first in range(0, number, 100):
        world.cleanup.callback(cloudwatch.delete_alarms, AlarmNames=names[first : first + 100])
    for name in names:
        cloudwatch.put_metric_alarm(**options_of(name))
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")
    return names


def set_state(world, name, state):
    world.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")


def composite(world, *names, **options):
    cloudwatch, name = world.client("cloudwatch"), world.name("composite")
    rule = " OR ".join(f'ALARM("{child}")' for child in names)
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=rule, **options)
    world.cleanup.callback(cloudwatch.delete_alarms, AlarmNames=[name])
    return name


def described(world, name):
    found = world.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
    return found["CompositeAlarms"][0]


def suppressed_by(suppressor, wait=0, extension=0):
    return {
        "ActionsSuppressor": suppressor,
        "ActionsSuppressorWaitPeriod": wait,
        "ActionsSuppressorExtensionPeriod": extension,
    }


def test_rule_follows_its_children(world):
    """CloudWatch User Guide, Create_Composite_Alarm: evaluated when a child changes; actions are those of a change."""
    first, second = children(world)
    topic, received = topic_with_queue(world)
    name = composite(world, first, second, AlarmActions=[topic])
    assert described(world, name)["StateValue"] == "OK"
    set_state(world, second, "ALARM")
    message = world.until(received, "the message came")[0]
    assert (message["AlarmName"], message["NewStateValue"]) == (name, "ALARM")
    set_state(world, first, "ALARM")
    set_state(world, second, "OK")
    assert described(world, name)["StateValue"] == "ALARM"
    set_state(world, first, "OK")
    world.until(lambda: described(world, name)["StateValue"] == "OK", "the composite was well again")


def test_describe_by_type(world):
    """CloudWatch API, DescribeAlarms: metric alarms only, unless AlarmTypes says otherwise."""
    (child,) = children(world, 1)
    name = composite(world, child)
    ask = world.client("cloudwatch").describe_alarms
    assert ask(AlarmNames=[child, name])["CompositeAlarms"] == []
    both = ask(AlarmNames=[child, name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert [alarm["AlarmName"] for alarm in both["MetricAlarms"] + both["CompositeAlarms"]] == [child, name]


def test_child_that_does_not_exist(world, refused):
    """CloudWatch User Guide, Create_Composite_Alarm: the rule names existing alarms."""
    with refused("ValidationError"):
        composite(world, world.name("absent"))


def test_child_that_is_needed(world, refused):
    """CloudWatch API, DeleteAlarms: not while a composite alarm depends on it, in whatever order they are named."""
    (child,) = children(world, 1)
    name = composite(world, child)
    with refused("ValidationError"):
        world.client("cloudwatch").delete_alarms(AlarmNames=[child])
    assert described(world, name)["AlarmRule"] == f'ALARM("{child}")'


def test_more_children_than_a_rule_has(world, refused):
    """CloudWatch API, PutCompositeAlarm: as many as 100 underlying alarms."""
    names = children(world, 101)
    composite(world, *names[:100])
    with refused("ValidationError"):
        composite(world, *names)


@pytest.mark.parametrize("without", ["alarm", "wait", "extension"])
def test_suppressor_that_is_not_complete(world, refused, without):
    """CloudWatch API, PutCompositeAlarm: the suppressor is an existing alarm, and both periods are required with it."""
    child, suppressor = children(world)
    wish = suppressed_by(world.name("absent") if without == "alarm" else suppressor)
    wish.pop(
        {"wait": "ActionsSuppressorWaitPeriod", "extension": "ActionsSuppressorExtensionPeriod"}.get(without), None
    )
    with refused("ValidationError"):
        composite(world, child, **wish)


def test_suppressor_holds_back_actions(world):
    """CloudWatch User Guide, Create_Composite_Alarm_Suppression: no actions while the suppressor is in ALARM and in
    the ExtensionPeriod after it; then they are taken."""
    child, suppressor = children(world)
    topic, received = topic_with_queue(world)
    name = composite(world, child, AlarmActions=[topic], **suppressed_by(suppressor, extension=1))
    assert suppressed_by(suppressor, extension=1).items() <= described(world, name).items()
    set_state(world, suppressor, "ALARM")
    set_state(world, child, "ALARM")
    found = described(world, name)
    assert (found["StateValue"], found["ActionsSuppressedBy"]) == ("ALARM", "Alarm")
    assert received() == []
    set_state(world, suppressor, "OK")
    message = world.until(received, "the message came after the extension")[0]
    assert (message["AlarmName"], message["NewStateValue"]) == (name, "ALARM")
    assert "ActionsSuppressedBy" not in described(world, name)


def test_what_is_over_before_the_suppression_ends(world):
    """CloudWatch User Guide, Create_Composite_Alarm_Suppression: no actions while suppressed; an OpsItem is
    one as well. That nobody is told later of what is over is this local AWS's choice."""
    child, suppressor = children(world)
    topic, received = topic_with_queue(world)
    item = f"arn:aws:ssm:{world.source_region}:{world.account_id()}:opsitem:2"
    name = composite(world, child, AlarmActions=[topic, item], **suppressed_by(suppressor))
    set_state(world, suppressor, "ALARM")
    set_state(world, child, "ALARM")
    set_state(world, child, "OK")
    set_state(world, suppressor, "OK")
    assert received() == []
    assert ops_items(world, name) == []
    world.until(lambda: "ActionsSuppressedBy" not in described(world, name), "the suppression ended")
    set_state(world, child, "ALARM")
    assert world.until(received, "the next message came")
    for made in ops_items(world, name):
        resolve(world, made)


def test_wait_period(world):
    """CloudWatch User Guide, Create_Composite_Alarm_Suppression: the WaitPeriod gives the suppressor time."""
    child, suppressor = children(world)
    topic, received = topic_with_queue(world)
    name = composite(world, child, AlarmActions=[topic], **suppressed_by(suppressor, wait=1))
    set_state(world, child, "ALARM")
    assert described(world, name)["ActionsSuppressedBy"] == "WaitPeriod"
    set_state(world, suppressor, "ALARM")
    assert received() == []
    set_state(world, child, "OK")
    set_state(world, suppressor, "OK")
    world.until(lambda: "ActionsSuppressedBy" not in described(world, name), "the suppression ended")
    set_state(world, child, "ALARM")
    assert world.until(received, "the message came after the wait")


def test_rate_of_writes(world, control):
    """CloudWatch User Guide, cloudwatch_limits: above so many writes a second they are refused with Throttling, for
    each Region apart. The limit is set through the control endpoint."""
    control("settings", alarm_writes_per_second=3)
    codes = []
    for region in (world.source_region, world.dr_region):
        cloudwatch, names = world.client("cloudwatch", region, retries={"total_max_attempts": 1}), []
        for _number in range(4):
            names.append(world.name("alarm"))
            try:
                cloudwatch.put_metric_alarm(**options_of(names[-1]))
                codes.append("written")
            except cloudwatch.exceptions.ClientError as refusal:
                codes.append(refusal.response["Error"]["Code"])
        cloudwatch.delete_alarms(AlarmNames=names)
    assert codes == ["written", "written", "written", "Throttling"] * 2
