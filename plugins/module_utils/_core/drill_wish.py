# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""All that a scheduled drill is in AWS: a function, a state machine, a schedule, their roles, and what watches them.

Sources: Lambda Developer Guide, "Defining Lambda function permissions with an execution role"; EventBridge Scheduler
User Guide, "Configuring a dead-letter queue"; Step Functions Developer Guide, "How Step Functions generates policies".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .drill_machine import machine_definition
from .drill_roles import MOST_POLICIES, pairs_policy, role_wishes
from .merging import owner_tags
from .model import Account, Accounts, Address, Document
from .plan import Wish
from .scheduled_drill import DEFAULT_NAME, HANDLER, NAMESPACE, Names, ScheduledDrill


def scheduled_drill_wish(
    drill: ScheduledDrill, account: Account, accounts: Mapping[str, Accounts]
) -> dict[Address, Document]:
    """Everything but the evidence bucket.

    Args:
        accounts: of each pair's buckets, by the pair's name.
    """
    names = Names(drill.name, drill.region, account)
    return {
        **role_wishes(drill, names, accounts),
        names.at("log_group", names.log_group): {"RetentionInDays": drill.log_days, "Tags": owner_tags()},
        names.at("sqs_queue", names.queue): {
            "Attributes": {"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true"},
            "Tags": owner_tags(),
        },
        names.at("lambda_function", drill.name): _function(drill, names),
        **_concurrency(drill, names),
        names.at("state_machine", drill.name): _machine(drill, names),
        names.at("schedule", drill.name): _schedule(drill, names),
        **(_alarms(drill, names) if drill.enabled else {}),
    }


def _function(drill: ScheduledDrill, names: Names) -> Document:
    return {
        "Runtime": drill.runtime,
        "Architectures": ["arm64"],
        "Handler": HANDLER,
        "Role": names.role_arn("function"),
        "Description": "Steps of the drill of S3 replication pairs.",
        "MemorySize": drill.memory_mb,
        "Timeout": drill.timeout_seconds,
        "TracingMode": "Active" if drill.tracing else "PassThrough",
        "DeadLetterTargetArn": names.arn("sqs", names.queue),
        "CodeSha256": drill.code_sha256,
        "ZipFile": drill.code,
        "Tags": owner_tags(),
    }


def _concurrency(drill: ScheduledDrill, names: Names) -> dict[Address, Document]:
    if not drill.reserved_concurrency:
        return {}
    reserved = {"ReservedConcurrentExecutions": drill.reserved_concurrency}
    return {names.at("function_concurrency", drill.name): reserved}


def _machine(drill: ScheduledDrill, names: Names) -> Document:
    definition = machine_definition(
        names.function_arn,
        drill.timeout_seconds,
        drill.run_timeout_seconds,
        drill.concurrency,
        drill.topic_arns,
        drill.ops_items,
    )
    return {
        "Type": "STANDARD",
        "Definition": definition,
        "RoleArn": names.role_arn("states"),
        "Tracing": drill.tracing,
        "Tags": owner_tags(),
    }


def _schedule(drill: ScheduledDrill, names: Names) -> Document:
    window: dict[str, Any] = {"Mode": "OFF"}
    if drill.flexible_minutes:
        window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": drill.flexible_minutes}
    return {
        "ScheduleExpression": drill.schedule,
        "ScheduleExpressionTimezone": drill.timezone,
        "FlexibleTimeWindow": window,
        "State": "ENABLED" if drill.enabled else "DISABLED",
        "Description": "Starts the drill of S3 replication pairs. managed-by=crossregion.s3_dr",
        "Target": {
            "Arn": names.machine_arn,
            "RoleArn": names.role_arn("schedule"),
            "Input": "{}",
            "DeadLetterConfig": {"Arn": names.arn("sqs", names.queue)},
            "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10},
        },
    }


def _alarms(drill: ScheduledDrill, names: Names) -> dict[Address, Document]:
    """One for each pair. A run that fails leaves no proof, and so does one that never begins: missing is breaching."""
    return {
        names.at("metric_alarm", names.alarm(pair.name)): {
            "Namespace": NAMESPACE,
            "MetricName": "Proven",
            "Dimensions": [{"Name": "Pair", "Value": pair.name}],
            "Statistic": "Maximum",
            "Period": 3600,
            "EvaluationPeriods": drill.no_proof_hours,
            "DatapointsToAlarm": drill.no_proof_hours,
            "Threshold": 1.0,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",
            "AlarmDescription": (
                f"The S3 replication pair {pair.name} was not proven for {drill.no_proof_hours} hours. Look at the "
                f"executions of the state machine {drill.name} in {drill.region}, then start the scheduled drill."
            ),
            "ActionsEnabled": True,
            "AlarmActions": list(drill.topic_arns),
            "OKActions": list(drill.topic_arns),
            "InsufficientDataActions": [],
        }
        for pair in drill.pairs
    }


# --- removal -------------------------------------------------------------------------------------------------


def possible_addresses(names: Names, alarms: Iterable[str]) -> list[Address]:
    """All that a drill of the name may have, whatever it was deployed with.

    Args:
        alarms: the names of those that are there and begin as the drill's do.
    """
    roles = [names.role(purpose) for purpose in ("function", "states", "schedule")]
    return [
        *(names.iam("iam_role", role) for role in roles),
        *(names.iam("iam_role_policy", f"{role}/{DEFAULT_NAME}") for role in roles),
        *(pairs_policy(names, number) for number in range(1, MOST_POLICIES + 1)),
        names.at("log_group", names.log_group),
        names.at("sqs_queue", names.queue),
        names.at("lambda_function", names.name),
        names.at("function_concurrency", names.name),
        names.at("state_machine", names.name),
        names.at("schedule", names.name),
        *(names.at("metric_alarm", alarm) for alarm in alarms),
    ]


def leftovers(possible: Sequence[Address], wish: Wish, keeps_concurrency: bool) -> dict[Address, Document]:
    """What goes, since it is not wished (any more).

    Args:
        keeps_concurrency: whether a reservation that nobody wished is left as it is.
    """
    kept = {"function_concurrency"} if keeps_concurrency else set()
    return {address: {} for address in possible if address not in wish and address.kind not in kept}
