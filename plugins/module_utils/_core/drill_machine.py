# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The state machine of a scheduled drill: one function, called step by step, each step with a time limit and a way out.

Source: Step Functions Developer Guide, "Amazon States Language", "Handling errors in workflows", "Best practices".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .model import Document

NOT_PROVEN = "NotProven"
"""The error of an execution that came to its end and found a pair that is not proven."""
RUN_FAILED = "RunFailed"
"""The error of an execution that could not even judge its pairs."""
POLL_SECONDS = 15
_GRACE_SECONDS = 30
"""So much longer than the function itself its step is waited for."""
_LAMBDA_ERRORS = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
]
_TIMED_OUT = ["Sandbox.Timedout", "States.Timeout"]
_LASTING = ["InvalidInput"]
"""What would fail again: a pair that was removed since the run began, a step that nobody knows."""
LOOK_SECONDS = 20
"""So long one step looks at the canaries."""
_COMPARE_ATTEMPTS = 4
"""A slice that is not over in time is repeated with half as much of it."""


def events_of_a_pair(deadline_seconds: int) -> int:
    """How many events of an execution one pair may take, reckoned from the kinds of its states.

    A task has five, any other state two. The canaries are late until the deadline; the comparison has twenty slices.
    """
    polls = deadline_seconds // (LOOK_SECONDS + POLL_SECONDS) + 2
    once, poll, piece = 8 * _EVENTS_OF_A_TASK + 4 * _EVENTS_OF_A_STATE, 9, _EVENTS_OF_A_TASK + _EVENTS_OF_A_STATE
    return once + polls * poll + _SLICES * piece


_EVENTS_OF_A_TASK, _EVENTS_OF_A_STATE, _SLICES = 5, 2, 20


def machine_definition(
    function_arn: str,
    timeout_seconds: int,
    run_timeout_seconds: int,
    concurrency: int,
    topic_arns: Sequence[str],
    ops_item: bool,
) -> Document:
    """The definition in Amazon States Language.

    Args:
        timeout_seconds: the function's own time limit.
        run_timeout_seconds: that of an execution.
        concurrency: how many pairs are drilled at the same time.
        topic_arns: who is told of a run that could not judge its pairs.
        ops_item: whether that opens an OpsItem, too.
    """
    task = _Tasks(function_arn, timeout_seconds + _GRACE_SECONDS)
    tellers = _tellers(topic_arns, ops_item)
    failed = next(iter(tellers), RUN_FAILED)
    whole = {"execution.$": "$$.Execution.Name", "started.$": "$$.Execution.StartTime"}
    return {
        "Comment": "Drill of S3 replication pairs, by crossregion.s3_dr",
        "TimeoutSeconds": run_timeout_seconds,
        "StartAt": "Load",
        "States": {
            "Load": task.state(
                "load",
                "EachPair",
                failed,
                {"input.$": "$", **whole},
                select={"run.$": "$.Payload.run", "pairs.$": "$.Payload.pairs"},
                result="$",
            ),
            "EachPair": {
                "Type": "Map",
                "ItemsPath": "$.pairs",
                "ItemSelector": {"pair.$": "$$.Map.Item.Value.pair", "run.$": "$.run"},
                "MaxConcurrency": concurrency,
                "ItemProcessor": _pair_processor(task),
                "ResultPath": "$.results",
                "Catch": [_catch(failed)],
                "Next": "Finish",
            },
            "Finish": task.state(
                "finish",
                "AllProven",
                failed,
                {"run.$": "$.run", "results.$": "$.results", **whole},
                select={"proven.$": "$.Payload.proven", "cause.$": "$.Payload.cause"},
                result="$.finished",
            ),
            "AllProven": _choice("$.finished.proven", "Proven", "NotAllProven"),
            "Proven": {"Type": "Succeed"},
            "NotAllProven": {"Type": "Fail", "Error": NOT_PROVEN, "CausePath": "$.finished.cause"},
            **tellers,
            RUN_FAILED: {"Type": "Fail", "Error": RUN_FAILED, "CausePath": "$.error.Cause"},
        },
    }


class _Tasks:
    """Makes the states that call the function."""

    def __init__(self, function_arn: str, timeout_seconds: int) -> None:
        self._function_arn = function_arn
        self._timeout_seconds = timeout_seconds

    def state(
        self,
        step: str,
        following: str,
        failed: str,
        fields: Document,
        select: Document | None = None,
        result: str | None = None,
    ) -> dict[str, Any]:
        """A step that is tried again where the failure may pass, and else goes on at `failed`."""
        attempts = _COMPARE_ATTEMPTS if step == "compare" else 1
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": self._function_arn, "Payload": {"step": step, **fields}},
            "TimeoutSeconds": self._timeout_seconds,
            **({"ResultSelector": select} if select else {}),
            "ResultPath": result,
            "Retry": [
                {"ErrorEquals": _LASTING, "MaxAttempts": 0},
                _retry(_LAMBDA_ERRORS, 6),
                _retry(_TIMED_OUT, attempts),
                _retry(["States.TaskFailed"], 2),
            ],
            "Catch": [_catch(failed)],
            "Next": following,
        }


def _retry(errors: Sequence[str], attempts: int) -> dict[str, Any]:
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": 2,
        "BackoffRate": 2.0,  # a float, as the language has it
        "MaxAttempts": attempts,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
    }


def _catch(following: str) -> dict[str, Any]:
    return {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": following}


def _choice(variable: str, yes: str, no: str) -> dict[str, Any]:
    return {"Type": "Choice", "Choices": [{"Variable": variable, "BooleanEquals": True, "Next": yes}], "Default": no}


def _pair_processor(task: _Tasks) -> dict[str, Any]:
    """The steps of one pair. Whatever happens to one, the others go on, and its verdict is that it is not known."""
    fields = {"pair.$": "$.pair", "run.$": "$.run", "execution.$": "$$.Execution.Name"}

    def step(name: str, following: str, **more: Any) -> dict[str, Any]:
        return task.state(name, following, more.pop("failed", "Failed"), {**fields, **more.pop("fields", {})}, **more)

    done = {"select": {"done.$": "$.Payload.done"}, "result": "$.answer"}
    judged = {"select": {"verdict.$": "$.Payload.verdict"}, "result": "$.judged"}
    told = {"pair.$": "$.pair", "verdict.$": "$.judged.verdict"}
    unknown = {"pair.$": "$.pair", "verdict": "unknown"}
    return {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": "Preflight",
        "States": {
            "Preflight": step("begin", "WriteCanaries"),
            "WriteCanaries": step("canaries", "LookForCanaries"),
            "LookForCanaries": step("poll", "CanariesLanded", **done),
            "CanariesLanded": _choice("$.answer.done", "Compare", "WaitForCanaries"),
            "WaitForCanaries": {"Type": "Wait", "Seconds": POLL_SECONDS, "Next": "LookForCanaries"},
            "Compare": step("compare", "AllCompared", **done),
            "AllCompared": _choice("$.answer.done", "Restore", "Compare"),
            "Restore": step("restore", "Evaluate"),
            "Evaluate": step("evaluate", "WriteEvidence", **judged),
            "WriteEvidence": step("evidence", "Notify"),
            "Notify": step("notify", "Judged", failed="Judged"),
            "Judged": {"Type": "Pass", "Parameters": told, "End": True},
            "Failed": step("failed", "NotifyFailure", failed="Lost", fields={"error.$": "$.error"}, **judged),
            "NotifyFailure": step("notify", "Judged", failed="Judged"),
            "Lost": {"Type": "Pass", "Parameters": unknown, "End": True},
        },
    }


def _tellers(topic_arns: Sequence[str], ops_item: bool) -> dict[str, Any]:
    """What tells, without the function, of a run that could not judge its pairs: one after the other."""
    tasks = [(f"TellTopic{number}", _publish(topic)) for number, topic in enumerate(topic_arns, 1)] + (
        [("OpenOpsItem", _open_item())] if ops_item else []
    )
    names = [*(name for name, _task in tasks), RUN_FAILED]
    return {
        name: {
            "Type": "Task",
            **task,
            "TimeoutSeconds": _GRACE_SECONDS,
            "ResultPath": None,
            "Retry": [_retry(["States.TaskFailed"], 3)],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": following}],
            "Next": following,
        }
        for (name, task), following in zip(tasks, names[1:], strict=True)
    }


_SUBJECT = "S3 DR: the scheduled drill could not judge its pairs"


def _publish(topic_arn: str) -> dict[str, Any]:
    message = {"TopicArn": topic_arn, "Subject": _SUBJECT, "Message.$": "$.error.Cause"}
    return {"Resource": "arn:aws:states:::sns:publish", "Parameters": message}


def _open_item() -> dict[str, Any]:
    return {
        "Resource": "arn:aws:states:::aws-sdk:ssm:createOpsItem",
        "Parameters": {
            "Title": _SUBJECT,
            "Source": "crossregion.s3_dr",
            "Description.$": "$.error.Cause",
            "Severity": "2",
            "Category": "Availability",
        },
    }
