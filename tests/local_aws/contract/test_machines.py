# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""State machines of Step Functions: what is refused, as whom they act, how they retry, catch and end."""

from __future__ import annotations

import json

import pytest

from .machine import allow, call, function_for, machine_for, role_for, run, seconds

INVOKE = allow("lambda:InvokeFunction")
CATCH = {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]}
CAUGHT = {
    "Caught": {"Type": "Pass", "Parameters": {"name.$": "$.error.Error", "cause.$": "$.error.Cause"}, "End": True}
}


def retry(**how):
    return {"Retry": [{"ErrorEquals": ["States.ALL"], **how}]}


def catching(definition):
    return definition | {"States": definition["States"] | CAUGHT}


@pytest.fixture
def function(world):
    return function_for(world)


def test_error_of_a_function_is_the_name_of_its_class(world, function):
    """Developer Guide, concepts-error-handling: Cause is the function's answer as JSON."""
    machine = machine_for(world, catching(call(function, **CATCH)), INVOKE)
    answer = json.loads(run(world, machine, fail="slower")["output"])
    assert answer["name"] == "Throttled"
    cause = json.loads(answer["cause"])
    assert (cause["errorType"], cause["errorMessage"]) == ("Throttled", "slower")
    assert any("in handle" in frame for frame in cause["stackTrace"])


def test_function_that_takes_too_long(world, function):
    """Lambda Developer Guide, configuration-timeout, as Step Functions tells it."""
    machine = machine_for(world, catching(call(function, **CATCH)), INVOKE)
    answer = json.loads(run(world, machine, sleep=10)["output"])
    assert answer["name"] == "Sandbox.Timedout"
    assert "Task timed out after 3.00 seconds" in answer["cause"]


def test_state_that_takes_too_long(world, function):
    """Amazon States Language, TimeoutSeconds of a Task: States.Timeout, which States.TaskFailed does not name."""
    other = {"ErrorEquals": ["States.TaskFailed"], "Next": "Other"}
    state = {"TimeoutSeconds": 1, "Catch": [other, *CATCH["Catch"]]}
    definition = catching(call(function, **state))
    definition["States"]["Other"] = {"Type": "Fail", "Error": "Other"}
    answer = json.loads(run(world, machine_for(world, definition, INVOKE), sleep=2.5)["output"])
    assert answer["name"] == "States.Timeout"


def test_execution_that_takes_too_long(world):
    """Amazon States Language, TimeoutSeconds of the machine: nothing after it is done."""
    states = {"Wait": {"Type": "Wait", "Seconds": 5, "Next": "Fail"}, "Fail": {"Type": "Fail", "Error": "Late"}}
    found = run(world, machine_for(world, {"TimeoutSeconds": 1, "StartAt": "Wait", "States": states}))
    assert found["status"] == "TIMED_OUT"
    assert seconds(found) < 4


def test_role_must_allow_the_call(world, function):
    """Developer Guide, lambda-iam and sns-iam: the machine acts as its role."""
    machine = machine_for(world, call(function), allow("lambda:InvokeFunction", f"{function}-other"))
    found = run(world, machine)
    assert found["status"] == "FAILED"
    assert found["error"].startswith("Lambda.")
    assert "not authorized to perform: lambda:InvokeFunction" in found["cause"]
    assert "output" not in found


def publishing(topic):
    parameters = {"TopicArn": topic, "Message": "x"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": parameters, "End": True}
    return {"StartAt": "Tell", "States": {"Tell": state}}


def test_role_must_allow_to_publish(world):
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    world.cleanup.callback(sns.delete_topic, TopicArn=topic)
    assert "MessageId" in run(world, machine_for(world, publishing(topic), allow("sns:Publish", topic)))["output"]
    found = run(world, machine_for(world, publishing(topic)))
    assert (found["status"], found["error"].partition(".")[0].upper()) == ("FAILED", "SNS")


def test_role_must_allow_to_open_an_item(world):
    """Developer Guide, supported-services-awssdk: the errors are named after the service."""
    item = {"Title": world.name("item"), "Source": "contract", "Description": "x", "Severity": "4"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:createOpsItem", "Parameters": item, "End": True}
    definition = {"StartAt": "Open", "States": {"Open": state}}
    made = json.loads(run(world, machine_for(world, definition, allow("ssm:CreateOpsItem")))["output"])
    world.client("ssm").update_ops_item(OpsItemId=made["OpsItemId"], Status="Resolved")
    found = run(world, machine_for(world, definition))
    assert (found["status"], found["error"].partition(".")[0]) == ("FAILED", "Ssm")


def test_delay_of_retries_is_capped(world, function):
    """Amazon States Language, Retry: MaxDelaySeconds."""
    how = retry(IntervalSeconds=1, BackoffRate=10, MaxAttempts=3, MaxDelaySeconds=2)
    found = run(world, machine_for(world, call(function, **how), INVOKE), fail="x")
    assert found["error"] == "Throttled"
    assert 5 <= seconds(found) < 12


def test_retries_at_random_times(world, function):
    """Amazon States Language, Retry: JitterStrategy FULL. That five such delays take all their time is one in 4000."""
    how = retry(IntervalSeconds=3, BackoffRate=1, MaxAttempts=5, JitterStrategy="FULL")
    found = run(world, machine_for(world, call(function, **how), INVOKE), fail="x")
    assert found["error"] == "Throttled"
    assert seconds(found) < 14.5


def test_each_attempt_knows_its_number(world, function):
    """Developer Guide, input-output-contextobject: $$.State.RetryCount."""
    state = retry(IntervalSeconds=1, MaxAttempts=1) | CATCH
    definition = catching(call(function, **state))
    payload = {"fail.$": "States.Format('attempt {}', $$.State.RetryCount)"}
    definition["States"]["Call"]["Parameters"] = {"FunctionName": function, "Payload": payload}
    answer = json.loads(run(world, machine_for(world, definition, INVOKE))["output"])
    assert json.loads(answer["cause"])["errorMessage"] == "attempt 1"


def test_path_that_leads_nowhere_is_not_caught(world, function):
    """Developer Guide, concepts-error-handling: States.ALL does not catch what fails in the machine itself."""
    state = CATCH | {"ResultSelector": {"absent.$": "$.Payload.absent"}}
    found = run(world, machine_for(world, catching(call(function, **state)), INVOKE))
    assert found["status"] == "FAILED"
    assert found["error"] in ("States.Runtime", "States.ParameterPathFailure")


def test_choice_of_what_is_not_there(world):
    """Amazon States Language, Choice: the execution fails, but for IsPresent."""
    states = {"Yes": {"Type": "Succeed"}, "No": {"Type": "Succeed"}}

    def machine(**rule):
        choice = {"Type": "Choice", "Choices": [{"Variable": "$.absent", "Next": "Yes", **rule}], "Default": "No"}
        return machine_for(world, {"StartAt": "Choose", "States": {"Choose": choice, **states}})

    assert run(world, machine(BooleanEquals=True))["error"] == "States.Runtime"
    assert run(world, machine(IsPresent=True))["status"] == "SUCCEEDED"


def test_answers_have_a_greatest_size(world, function):
    """Developer Guide, service-quotas: 256 KiB, and States.ALL does not catch it."""
    found = run(world, machine_for(world, catching(call(function, **CATCH)), INVOKE), large=300_000)
    assert found["error"] == "States.DataLimitExceeded"


def test_each_item_of_a_map(world, function):
    """Amazon States Language, Map: in order, with the item and the names of the execution."""
    payload = {"item.$": "$.item", "run.$": "$$.Execution.Name"}
    inner = call(function, ResultSelector={"got.$": "$.Payload.item", "run.$": "$.Payload.run"})
    inner["States"]["Call"]["Parameters"] = {"FunctionName": function, "Payload": payload}
    state = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "ItemSelector": {"item.$": "$$.Map.Item.Value"},
        "MaxConcurrency": 1,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **inner},
        "End": True,
    }
    found = run(world, machine_for(world, {"StartAt": "Each", "States": {"Each": state}}, INVOKE), items=["a", "b"])
    assert json.loads(found["output"]) == [{"got": item, "run": found["name"]} for item in ("a", "b")]


def test_failure_with_a_cause_from_the_input(world):
    """Amazon States Language, Fail: CausePath."""
    states = {"Fail": {"Type": "Fail", "Error": "NotProven", "CausePath": "$.cause"}}
    found = run(world, machine_for(world, {"StartAt": "Fail", "States": states}), cause="why")
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "NotProven", "why")


@pytest.mark.parametrize(
    "states",
    [
        {"Pass": {"Type": "Pass", "Next": "Absent"}},
        {"Pass": {"Type": "Pass"}},
        {"Pass": {"Type": "Map", "ItemProcessor": {"StartAt": "In", "States": {}}, "End": True}},
    ],
)
def test_definition_that_leads_nowhere(world, refused, states):
    """API, CreateStateMachine: InvalidDefinition."""
    with refused("InvalidDefinition"):
        machine_for(world, {"StartAt": "Pass", "States": states})


PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}


def test_role_that_trusts_others(world, refused):
    """API, CreateStateMachine: Step Functions must be able to assume the role."""
    client = world.client("stepfunctions")
    with refused("AccessDeniedException"):
        client.create_state_machine(
            name=world.name("machine"), definition=json.dumps(PASS), roleArn=role_for(world, "lambda")
        )


def test_logs_and_traces(world, refused):
    """Developer Guide, cw-logs: the ARN of the group ends with :*, and the role must be allowed to deliver there."""
    logs, group, sfn = (
        world.client("logs"),
        f"/aws/vendedlogs/states/{world.name('group')}",
        world.client("stepfunctions"),
    )
    logs.create_log_group(logGroupName=group)
    world.cleanup.callback(logs.delete_log_group, logGroupName=group)
    arn = f"arn:aws:logs:{world.source_region}:{world.account_id()}:log-group:{group}"
    actions = ["CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries"]
    actions += ["PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups"]

    def options(arn):
        destinations = [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]
        logging = {"level": "ERROR", "includeExecutionData": False, "destinations": destinations}
        return {"loggingConfiguration": logging, "tracingConfiguration": {"enabled": True}}

    may = allow([f"logs:{action}" for action in actions])
    machine = machine_for(world, PASS, may, **options(f"{arn}:*"))
    found = sfn.describe_state_machine(stateMachineArn=machine)
    assert found["tracingConfiguration"] == {"enabled": True}
    assert found["loggingConfiguration"]["level"] == "ERROR"
    with refused("InvalidLoggingConfiguration"):
        machine_for(world, PASS, may, **options(arn))
    with refused("AccessDeniedException"):
        sfn.update_state_machine(stateMachineArn=machine, roleArn=role_for(world, "states"), **options(f"{arn}:*"))
