# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""One execution of a state machine: started, waited for, and told.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from .._core.drill_machine import NOT_PROVEN
from .gateway import asking
from .row import Client

RUNNING, SUCCEEDED = "RUNNING", "SUCCEEDED"
_PAUSE_SECONDS = 2.0


def start(client: Client, machine_arn: str, given: Any) -> str:
    """Start an execution.

    Returns:
        Its ARN.

    Raises:
        AwsFailure: it cannot be started.
    """
    with asking(f"An execution of {machine_arn}", "states:StartExecution"):
        answer = client.start_execution(stateMachineArn=machine_arn, input=json.dumps(given))
    return str(answer["executionArn"])


def wait(
    client: Client,
    arn: str,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """What an execution came to; its status is `RUNNING` if it did not end in time.

    Returns:
        `arn`, `status`, `error` and `cause` (None unless it failed), `verdicts` by pair, `seconds` it took.

    Raises:
        AwsFailure: it may not be looked at.
    """
    deadline = clock() + seconds
    while True:
        with asking(f"The execution {arn}", "states:DescribeExecution"):
            found = client.describe_execution(executionArn=arn)
        if found["status"] != RUNNING or clock() > deadline:
            return _told(found)
        sleep(_PAUSE_SECONDS)


def _told(found: dict[str, Any]) -> dict[str, Any]:
    ended = found.get("stopDate")
    return {
        "arn": found["executionArn"],
        "status": found["status"],
        "error": found.get("error"),
        "cause": found.get("cause"),
        "verdicts": _verdicts(found),
        "seconds": round((ended - found["startDate"]).total_seconds(), 3) if ended else None,
    }


def _verdicts(found: dict[str, Any]) -> dict[str, str]:
    """Of a run that proved all they stand in the output, of one that did not in the cause."""
    if found["status"] == SUCCEEDED:
        return {one["pair"]: one["verdict"] for one in json.loads(found["output"])["results"]}
    return json.loads(found["cause"]) if found.get("error") == NOT_PROVEN else {}


def history(client: Client, arn: str) -> dict[str, int]:
    """How often each state was entered, and how many `events` there were.

    Raises:
        AwsFailure: it may not be looked at.
    """
    entered: Counter[str] = Counter()
    events = 0
    with asking(f"The history of {arn}", "states:GetExecutionHistory"):
        for page in client.get_paginator("get_execution_history").paginate(executionArn=arn):
            for event in page["events"]:
                events += 1
                if name := event.get("stateEnteredEventDetails", {}).get("name"):
                    entered[name] += 1
    return {"events": events, **dict(entered.most_common())}
