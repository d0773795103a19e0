# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Lambda functions: as whom they act, and how their errors and time limits are told."""

from __future__ import annotations

import io
import json
import re
import zipfile

import pytest

from .conftest import policy
from .machine import archive, role_for

CODE = """
import time

import boto3


class NotAllowed(Exception):
    pass


def handle(event, context):
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("fail"):
        raise NotAllowed(event["fail"])
    if event.get("namespace"):
        data = [{"MetricName": "Proven", "Value": 1.0}]
        boto3.client("cloudwatch").put_metric_data(Namespace=event["namespace"], MetricData=data)
    if event.get("bucket"):
        boto3.client("s3").put_object(Bucket=event["bucket"], Key="key", Body=b"data")
    if event.get("region"):
        boto3.client("s3", region_name=event["region"]).list_buckets()
    return {"who": boto3.client("sts").get_caller_identity()["Arn"], "left": context.get_remaining_time_in_millis()}
"""


@pytest.fixture
def function(world):
    """Make a function with these statements in its role, and call it."""

    def make(*statements):
        iam, client, name = world.client("iam"), world.client("lambda"), world.name("function")
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy(trust)))["Role"]["Arn"]
        world.cleanup.callback(iam.delete_role, RoleName=name)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy(*statements)))
            world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="own")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("steps.py", CODE)
        world.until(lambda: _made(client, name, role, buffer.getvalue()), "the role is seen")
        world.cleanup.callback(client.delete_function, FunctionName=name)
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

        def call(**event):
            call.name = name
            answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
            return answer.get("FunctionError"), json.loads(answer["Payload"].read())

        return call

    return make


def _made(client, name, role, content):
    try:
        client.create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.12",
            Architectures=["arm64"],
            Handler="steps.handle",
            Timeout=3,
            Code={"ZipFile": content},
        )
    except client.exceptions.InvalidParameterValueException:
        return False
    return True


def allow(action, resource="*", **condition):
    return {"Effect": "Allow", "Action": action, "Resource": resource} | ({"Condition": condition} if condition else {})


def test_a_function_acts_as_its_role(function):
    error, answer = function()()
    assert error is None
    assert ":assumed-role/" in answer["who"]
    assert 0 < answer["left"] <= 3000


def test_a_function_may_do_what_its_role_may_and_nothing_else(world, function):
    bucket = world.bucket()
    error, answer = function()(bucket=bucket)
    assert error == "Unhandled"
    assert "AccessDenied" in answer["errorMessage"]
    allowed = function(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    world.until(lambda: allowed(bucket=bucket)[0] is None, "the policy is seen")


def test_the_namespace_of_metrics_may_be_a_condition(world, function):
    call = function(allow("cloudwatch:PutMetricData", StringEquals={"cloudwatch:namespace": "S3DR"}))
    world.until(lambda: call(namespace="S3DR")[0] is None, "the policy is seen")
    error, answer = call(namespace="Others")
    assert (error, "AccessDenied" in answer["errorMessage"]) == ("Unhandled", True)


def test_an_error_is_told_by_the_name_of_its_class(function):
    error, answer = function()(fail="no right to do that")
    assert (error, answer["errorType"], answer["errorMessage"]) == ("Unhandled", "NotAllowed", "no right to do that")


def test_a_time_limit_is_told(function):
    error, answer = function()(sleep=10)
    assert error == "Unhandled"
    assert "Task timed out after 3.00 seconds" in answer["errorMessage"]


def test_an_error_has_the_frames_of_the_function(function):
    """Lambda Developer Guide, python-exceptions: stackTrace."""
    frames = function()(fail="no")[1]["stackTrace"]
    assert len(frames) == 1
    assert "in handle" in frames[0]


def test_a_role_that_trusts_others(world, refused):
    """Lambda API, CreateFunction: InvalidParameterValueException."""
    with refused("InvalidParameterValueException"):
        world.client("lambda").create_function(
            FunctionName=world.name("function"),
            Role=role_for(world, "scheduler"),
            Runtime="python3.12",
            Handler="steps.handle",
            Code={"ZipFile": archive()},
        )


def reports(world, name):
    logs, group = world.client("logs"), f"/aws/lambda/{name}"
    try:
        events = logs.filter_log_events(logGroupName=group, filterPattern="REPORT")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    world.cleanup.callback(logs.delete_log_group, logGroupName=group)
    return [event["message"] for event in events]


def test_what_is_logged(world, function):
    """Lambda Developer Guide, python-logging: the REPORT line."""
    call = function(allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]))
    call()
    report = world.until(lambda: reports(world, call.name), "the call was logged")[0]
    assert re.search(r"Duration: [\d.]+ ms.*Memory Size: 128 MB.*Max Memory Used: \d+ MB", report)


def test_nothing_is_logged_without_the_right_to_it(world, function):
    """Lambda Developer Guide, monitoring-cloudwatchlogs: the role must allow it."""
    call = function()
    assert call()[0] is None
    assert reports(world, call.name) == []


def test_a_function_meets_a_region_that_is_down(world, function, control):
    """What fails for everybody fails for the function, too."""
    call = function(allow("s3:ListAllMyBuckets"))
    assert call(region=world.dr_region)[0] is None
    control("faults", kind="down", region=world.dr_region, service="s3")
    error, answer = call(region=world.dr_region)
    assert (error, answer["errorType"] in ("ConnectionClosedError", "EndpointConnectionError", "Sandbox.Timedout")) == (
        "Unhandled",
        True,
    )
