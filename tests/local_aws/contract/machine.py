# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Roles, functions and state machines for the contract tests that need them."""

from __future__ import annotations

import io
import json
import time
import zipfile
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from .conftest import World, policy

CODE = """
import time


class Throttled(Exception):
    pass


def handle(event, context):
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("fail"):
        raise Throttled(event["fail"])
    if event.get("large"):
        return "x" * event["large"]
    return event
"""
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


def allow(action: str | list[str], resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def role_for(world: World, service: str, *statements: dict[str, Any]) -> str:
    """A role that the service may assume, with these statements."""
    iam, name = world.client("iam"), world.name("role")
    trust: dict[str, Any] = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    trust["Principal"] = {"Service": f"{service}.amazonaws.com"}
    if service != "lambda":
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": world.account_id()}}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(trust)))["Role"]["Arn"]
    world.cleanup.callback(iam.delete_role, RoleName=name)
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy(*statements)))
        world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="own")
    return str(arn)


def archive() -> bytes:
    """The function's code, as Lambda takes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("steps.py", CODE)
    return buffer.getvalue()


def function_for(world: World, **options: Any) -> str:
    """A function that sleeps, fails or answers what it is told."""
    client, name, role = world.client("lambda"), world.name("function"), role_for(world, "lambda")
    wish = {"FunctionName": name, "Role": role, "Runtime": "python3.12", "Handler": "steps.handle", "Timeout": 3}

    def made() -> bool:
        try:
            client.create_function(**wish, Code={"ZipFile": archive()}, **options)
        except client.exceptions.InvalidParameterValueException:
            return False
        return True

    world.until(made, "Lambda could assume the role")
    world.cleanup.callback(client.delete_function, FunctionName=name)
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return str(client.get_function(FunctionName=name)["Configuration"]["FunctionArn"])


def machine_for(world: World, definition: dict[str, Any], *statements: dict[str, Any], **options: Any) -> str:
    """A state machine whose role has these statements."""
    client = world.client("stepfunctions")
    wish = {
        "name": world.name("machine"),
        "definition": json.dumps(definition),
        "roleArn": role_for(world, "states", *statements),
        **options,
    }

    def made() -> str | None:
        try:
            return str(client.create_state_machine(**wish)["stateMachineArn"])
        except client.exceptions.ClientError as problem:
            if problem.response["Error"]["Code"] != "AccessDeniedException":
                raise
            return None

    arn = str(world.until(made, "Step Functions could assume the role"))
    world.cleanup.callback(client.delete_state_machine, stateMachineArn=arn)
    return arn


def ended(world: World, arn: str) -> dict[str, Any]:
    """The execution once it has come to its end."""
    client = world.client("stepfunctions")

    def look() -> dict[str, Any] | None:
        found = client.describe_execution(executionArn=arn)
        return dict(found) if found["status"] in ENDED else None

    return dict(world.until(look, "the execution ended"))


def run(world: World, machine: str, **given: Any) -> dict[str, Any]:
    """Start an execution and wait for its end."""
    client = world.client("stepfunctions")
    return ended(world, client.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"])


def call(function: str, **more: Any) -> dict[str, Any]:
    """A machine of one state, which gives the function what the machine is given."""
    parameters = {"FunctionName": function, "Payload.$": "$"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters, "End": True}
    return {"StartAt": "Call", "States": {"Call": state | more}}


def seconds(execution: dict[str, Any]) -> float:
    took: float = (execution["stopDate"] - execution["startDate"]).total_seconds()
    return took


def soon(after: float = 3.0, zone: str = "UTC") -> str:
    """An expression for a time some seconds from now, as the clocks of the timezone show it."""
    return f"at({datetime.fromtimestamp(time.time() + after, ZoneInfo(zone)):%Y-%m-%dT%H:%M:%S})"
