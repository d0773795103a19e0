# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Schedules of EventBridge Scheduler: when they start something, as whom, and what is refused."""

from __future__ import annotations

import json

import pytest

from .machine import allow, ended, machine_for, role_for, soon

PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
FAR = "at(2099-01-01T00:00:00)"


@pytest.fixture
def machine(world):
    return machine_for(world, PASS)


@pytest.fixture
def schedule(world):
    """Make a schedule of a target; the answer is its name."""

    def make(arn, expression, *statements, role=None, queue=None, **options):
        client, name = world.client("scheduler"), world.name("schedule")
        target = {
            "Arn": arn,
            "RoleArn": role or role_for(world, "scheduler", *statements),
            "Input": '{"by": "schedule"}',
        }
        target |= {"DeadLetterConfig": {"Arn": queue}} if queue else {}
        wish = {"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
        client.create_schedule(**wish | options)
        world.cleanup.callback(client.delete_schedule, Name=name)
        return wish | options

    return make


@pytest.fixture
def queue(world):
    """A queue; the answer is its URL and ARN."""
    sqs = world.client("sqs")
    url = sqs.create_queue(QueueName=world.name("queue"))["QueueUrl"]
    world.cleanup.callback(sqs.delete_queue, QueueUrl=url)
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def executions(world, machine):
    return world.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_schedule_starts_an_execution(world, machine, schedule, zone):
    """User Guide, schedule-types: at() is in the schedule's timezone; the input is the target's."""
    schedule(machine, soon(zone=zone), allow("states:StartExecution", machine), ScheduleExpressionTimezone=zone)
    found = world.until(lambda: executions(world, machine), "the schedule started an execution")
    assert json.loads(ended(world, found[0]["executionArn"])["input"]) == {"by": "schedule"}


def test_changed_schedule_starts_again(world, machine, schedule):
    """API, UpdateSchedule: what counts is the expression as it is now."""
    wish = schedule(machine, soon(1), allow("states:StartExecution", machine))
    world.until(lambda: executions(world, machine), "the schedule started an execution")
    world.client("scheduler").update_schedule(**wish | {"ScheduleExpression": soon()})
    world.until(lambda: len(executions(world, machine)) == 2, "the changed schedule started another")


def test_role_must_allow_to_start(world, machine, schedule, queue):
    """User Guide, configuring-schedule-dlq: what was not started goes to the queue, which the role must allow, too."""
    url, arn = queue
    schedule(machine, soon(), allow("sqs:SendMessage", arn), queue=arn)
    sqs = world.client("sqs")
    found = world.until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the input came to the queue")
    assert json.loads(found[0]["Body"]) == {"by": "schedule"}
    assert executions(world, machine) == []


@pytest.mark.parametrize(
    "options",
    [
        {"ScheduleExpression": "every day"},
        {"ScheduleExpression": "cron(15 3 * *)"},
        {"ScheduleExpressionTimezone": "Mars/Phobos"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
    ],
)
def test_schedules_that_are_refused(machine, schedule, refused, options):
    """API, CreateSchedule: ValidationException."""
    with refused("ValidationException"):
        schedule(machine, FAR, **options)


def test_role_that_trusts_others(world, machine, schedule, refused):
    """API, CreateSchedule: Scheduler must be able to assume the role."""
    with refused("ValidationException"):
        schedule(machine, FAR, role=role_for(world, "lambda"))


@pytest.mark.parametrize("expression", ["cron(15 3 * * ? *)", "rate(1 day)", FAR])
def test_what_is_kept(world, machine, schedule, expression):
    """API, GetSchedule."""
    wish = schedule(
        machine,
        expression,
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
    )
    found = world.client("scheduler").get_schedule(Name=wish["Name"])
    assert {name: found[name] for name in wish if name != "Target"} == {k: v for k, v in wish.items() if k != "Target"}
    assert (found["State"], found["GroupName"]) == ("ENABLED", "default")
    assert found["Target"]["Arn"] == machine
