# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""State machines: what may be made, as whom they act, how they retry and when they end.

MiniStack takes any definition and any role, lets a machine do everything, and knows neither the time limit of an
execution nor the greatest delay of a retry.
"""

from __future__ import annotations

import contextvars
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, now_iso
from ministack.services import stepfunctions

from . import role
from .fitting import corrects, uses

uses(
    "services.stepfunctions",
    "_add_event(execution, event_type, details)",
    "_emit_execution_status_event(execution)",
    "_parse_jsonpath_tokens(path)",
)
uses("core.responses", "now_iso()")

Data = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Failure = stepfunctions._ExecutionError

STATES = "states.amazonaws.com"
LARGEST = 256 * 1024
LONGEST_RETRY = 60  # of MiniStack, which waits no longer
TARGETS = ("Next", "Default")
ENDS = ("Succeed", "Fail", "Choice")

_acting: ContextVar[str] = ContextVar("local_aws_role_of_execution", default="")


def assumed(arn: str) -> role.Role | None:
    """Step Functions Developer Guide, procedure-create-iam-role: a trust may insist on aws:SourceAccount."""
    return role.assume(arn, STATES, {"aws:SourceAccount": get_account_id()})


# What may be made


@corrects("services.stepfunctions", "_create_state_machine(data)")
def create(original: Callable[[Data], Answer], data: Data) -> Answer:
    """Step Functions API, CreateStateMachine: its errors, and the tracing that is kept."""
    refused = refusal(data)
    answer = refused or original(data)
    if answer[0] == 200:
        keep_tracing(json.loads(answer[2])["stateMachineArn"], data)
    return answer


@corrects("services.stepfunctions", "_update_state_machine(data)")
def update(original: Callable[[Data], Answer], data: Data) -> Answer:
    """Step Functions API, UpdateStateMachine: what is not given stays."""
    arn = data.get("stateMachineArn", "")
    known = stepfunctions._state_machines.get(arn)
    refused = refusal({"roleArn": known["roleArn"], **data}) if known else None
    answer = refused or original(data)
    if answer[0] == 200:
        keep_tracing(arn, data)
    return answer


def keep_tracing(arn: str, data: Data) -> None:
    machine = stepfunctions._state_machines[arn]
    machine["tracingConfiguration"] = data.get("tracingConfiguration") or machine.get(
        "tracingConfiguration", {"enabled": False}
    )


def refusal(data: Data) -> Answer | None:
    found = next(problems(data), None)
    if found is None:
        return None
    answer: Answer = error_response_json(*found, 400)
    return answer


def problems(data: Data) -> Iterator[tuple[str, str]]:
    """Why Step Functions refuses a machine: error code and message."""
    if "definition" in data and (wrong := wrong_definition(data["definition"])):
        yield "InvalidDefinition", f"Invalid State Machine Definition: '{wrong}'"
    assumable = assumed(data.get("roleArn", ""))
    if assumable is None:
        text = f"Neither the global service principal {STATES}, nor the regional one is authorized to assume the"
        yield "AccessDeniedException", f"{text} provided role."
    logging = data.get("loggingConfiguration") or {}
    if logging.get("level", "OFF") == "OFF":
        return
    groups = [one.get("cloudWatchLogsLogGroup", {}).get("logGroupArn", "") for one in logging.get("destinations", [])]
    if len(groups) != 1 or not groups[0].endswith(":*"):
        yield "InvalidLoggingConfiguration", "Log Destination must be one log group, whose ARN ends with :*"
    elif assumable and not assumable.may_in_general("logs:CreateLogDelivery"):
        yield "AccessDeniedException", "The state machine IAM Role is not authorized to access the Log Destination"


def wrong_definition(text: str) -> str:
    """Amazon States Language, "Transitions": each state leads to one that is there, or ends."""
    try:
        definition = json.loads(text)
    except ValueError:
        return "INVALID_JSON_DESCRIPTION"
    for machine in machines_of(definition):
        states = machine.get("States", {})
        for target in [machine.get("StartAt"), *(target for state in states.values() for target in targets(state))]:
            if target not in states:
                return f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target}"
        for name, state in states.items():
            if state.get("Type") not in ENDS and "Next" not in state and not state.get("End"):
                return f"SCHEMA_VALIDATION_FAILED: 'Next' or 'End' is missing at /States/{name}"
    return ""


def machines_of(machine: Data) -> Iterator[Data]:
    """The machine and those inside its Map and Parallel states."""
    yield machine
    for state in machine.get("States", {}).values():
        for inner in [state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", [])]:
            if inner:
                yield from machines_of(inner)


def targets(state: Data) -> Iterator[str]:
    for one in [state, *state.get("Catch", []), *state.get("Choices", [])]:
        yield from (one[name] for name in TARGETS if name in one)


# As whom it acts


@corrects("services.stepfunctions", "_run_execution(exec_arn)")
def run_as_its_role(original: Callable[[str], None], exec_arn: str) -> None:
    """Amazon States Language, TimeoutSeconds: an execution that takes longer ends as TIMED_OUT."""
    execution = stepfunctions._executions[exec_arn]
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
    if machine is None:
        original(exec_arn)
        return
    _acting.set(machine["roleArn"])
    limit = json.loads(machine["definition"]).get("TimeoutSeconds")
    if limit is None:
        original(exec_arn)
        return
    timer = threading.Timer(limit, contextvars.copy_context().run, [time_out, execution])
    timer.daemon = True
    timer.start()
    original(exec_arn)
    timer.cancel()


def time_out(execution: Data) -> None:
    if execution["status"] == "RUNNING":
        execution |= {"status": "TIMED_OUT", "error": "States.Timeout", "stopDate": now_iso()}
        stepfunctions._add_event(execution, "ExecutionTimedOut")
        stepfunctions._emit_execution_status_event(execution)


@corrects("services.stepfunctions", "_fail_execution(execution, error, cause)")
def fail_once(original: Callable[..., None], execution: Data, error: str, cause: str) -> None:
    """Step Functions API, DescribeExecution: only an execution that succeeded has an output. One that was stopped or
    has timed out stays so."""
    if execution["status"] == "RUNNING":
        original(execution, error, cause)
        execution["output"] = None


@corrects("services.stepfunctions", "_execute_task(state_def, raw_input, execution, ctx)")
def end_with_the_execution(
    original: Callable[..., Any], state_def: Data, raw_input: Any, execution: Data, ctx: Data
) -> Any:
    """Step Functions API, StopExecution: nothing more is done, inside a Map neither."""
    if execution["status"] != "RUNNING":
        raise Failure("States.Runtime", "The execution has ended")
    return original(state_def, raw_input, execution, ctx)


@corrects("services.stepfunctions", "_invoke_resource(resource, input_data)")
def ask_the_role(original: Callable[..., Any], resource: str, input_data: Any) -> Any:
    """Step Functions Developer Guide, service-integration-iam-templates: the machine's role must allow each call.
    Quotas, "Maximum input or output size": 256 KiB."""
    wanted = permission(resource, input_data)
    acting = assumed(_acting.get()) if wanted else None
    if wanted and (acting is None or not acting.may_do(wanted[0], wanted[1])):
        action, target, error = wanted
        raise Failure(error, f"User: {_acting.get()} is not authorized to perform: {action} on resource: {target}")
    result = original(resource, input_data)
    if len(json.dumps(result).encode()) > LARGEST:
        text = f"The state/task '{resource}' returned a result with a size exceeding the maximum number of bytes"
        raise Failure("States.DataLimitExceeded", f"{text} service limit.")
    return result


def permission(resource: str, given: Any) -> tuple[str, str, str] | None:
    """The action, what it is done to, and the error without the right to it; None for what is not judged here."""
    service = resource.partition(":states:::")[2]
    if service.startswith("lambda:invoke"):
        name = str(given.get("FunctionName", ""))
        arn = name if ":" in name else f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"
        return "lambda:InvokeFunction", arn, "Lambda.AWSLambdaException"
    if service == "sns:publish":
        return "sns:Publish", str(given.get("TopicArn", "")), "SNS.AuthorizationErrorException"
    if service == "aws-sdk:ssm:createOpsItem":
        return "ssm:CreateOpsItem", "*", "Ssm.SsmException"
    return None


# How it goes on


@corrects("services.stepfunctions", "_find_matching_retrier(retriers, error, retry_counts)")
def retry_in_time(
    original: Callable[..., tuple[Data | None, int]], retriers: list[Data], error: str, retry_counts: dict[int, int]
) -> tuple[Data | None, int]:
    """Amazon States Language, Retry: MaxDelaySeconds caps the interval, and JitterStrategy FULL chooses one at random
    between nothing and it."""
    retrier, index = original(retriers, error, retry_counts)
    if retrier is None:
        return retrier, index
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retry_counts.get(index, 0)
    delay = min(delay, retrier.get("MaxDelaySeconds", LONGEST_RETRY))
    if retrier.get("JitterStrategy") == "FULL":
        delay = random.uniform(0, delay)
    return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1}, index


@corrects("services.stepfunctions", "_error_matches(error_equals, error)")
def match(original: Callable[..., bool], error_equals: list[str], error: str) -> bool:
    """Step Functions Developer Guide, concepts-error-handling: States.Runtime always fails the execution, and
    States.DataLimitExceeded is not among States.ALL."""
    if error == "States.Runtime":
        return False
    if error == "States.DataLimitExceeded":
        return error in error_equals
    return original(error_equals, error)


@corrects("services.stepfunctions", "_resolve_params_obj(template, data, ctx)")
def resolve(original: Callable[..., Any], template: Any, data: Any, ctx: Data | None = None) -> Any:
    """Amazon States Language, Payload Template: a path that leads nowhere fails the execution."""
    for name, path in template.items() if isinstance(template, dict) else ():
        if name.endswith(".$") and isinstance(path, str) and path.startswith("$"):
            source = ctx or {} if path.startswith("$$.") else data
            if not leads_somewhere(path.removeprefix("$") if path.startswith("$$.") else path, source):
                text = f"The JSONPath '{path}' specified for the field '{name}' could not be found in the input"
                raise Failure("States.Runtime", f"{text} '{json.dumps(data)}'")
    return original(template, data, ctx)


@corrects("services.stepfunctions", "_evaluate_rule(rule, data, ctx)")
def choose(original: Callable[..., bool], rule: Data, data: Any, ctx: Data | None = None) -> bool:
    """Amazon States Language, Choice: a Variable that is not there fails the execution, but for IsPresent."""
    path = rule.get("Variable", "")
    if (
        path.startswith("$")
        and not path.startswith("$$")
        and "IsPresent" not in rule
        and not leads_somewhere(path, data)
    ):
        text = "The choice state's condition path references an invalid value."
        raise Failure("States.Runtime", f"Invalid path '{path}': {text}")
    return original(rule, data, ctx)


def leads_somewhere(path: str, data: Any) -> bool:
    for kind, value in stepfunctions._parse_jsonpath_tokens(path) or ():
        if kind == "wildcard":
            return True
        try:
            data = data[value]
        except (KeyError, IndexError, TypeError):
            return False
    return True
