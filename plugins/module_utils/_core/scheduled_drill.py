# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""All that a scheduled drill is in AWS: a function, a state machine, a schedule, their roles, and what watches them.

Sources: Lambda Developer Guide, "Defining Lambda function permissions with an execution role"; EventBridge Scheduler
User Guide, "Configuring a dead-letter queue"; Step Functions Developer Guide, "How Step Functions generates policies".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .drill_machine import machine_definition
from .drill_roles import MOST_POLICIES, allow, pair_policies, policy, trust
from .merging import owner_tags
from .model import GLOBAL, Account, Accounts, Address, Document, InvalidInput, Pair, check_region
from .plan import Wish

DEFAULT_NAME = "s3-dr-scheduled-drill"
DEFAULT_SCHEDULE = "cron(15 3 * * ? *)"
NAMESPACE = "S3DR"
HANDLER = "s3_dr._function.handler.handle"
WORK = "scheduled-drill/"
RUNTIMES = ("python3.12", "python3.13")
MOST_PAIRS = 100
"""One execution may have 25,000 events, of which each pair takes some hundred and twenty."""

_NAME = re.compile(r"[A-Za-z0-9-]{1,30}")
"""IAM takes 64 characters for a role, of which the Region and the purpose take the rest."""
_SCHEDULE = re.compile(r"(cron|rate|at)\(.+\)")


@dataclass(frozen=True, slots=True)
class ScheduledDrill:
    """What is to be deployed, in one Region.

    Attributes:
        code: the archive; `code_sha256` its hash in Base64, as Lambda tells it.
        reserved_concurrency: None: left as it is; 0: none is reserved.
        no_proof_hours: after so many without a proof an alarm fires.

    Raises:
        InvalidInput: it cannot be right; nothing was asked of AWS.
    """

    name: str
    region: str
    evidence_bucket: str
    recovery_bucket: str
    pairs: tuple[Pair, ...]
    roles: Mapping[str, str]
    code: bytes = b""
    code_sha256: str = ""
    schedule: str = DEFAULT_SCHEDULE
    timezone: str = "UTC"
    flexible_minutes: int = 0
    enabled: bool = True
    runtime: str = RUNTIMES[0]
    memory_mb: int = 512
    timeout_seconds: int = 300
    run_timeout_seconds: int = 21600
    concurrency: int = 5
    reserved_concurrency: int | None = None
    log_days: int = 90
    tracing: bool = False
    topic_arns: tuple[str, ...] = ()
    ops_items: bool = True
    no_proof_hours: int = 26
    permissions_boundary: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        check_region(self.region, f"scheduled drill '{self.name}'")
        if not 1 <= len(self.pairs) <= MOST_PAIRS:
            raise InvalidInput(
                f"scheduled drill '{self.name}': it has {len(self.pairs)} pairs. Declare 1 to {MOST_PAIRS} of them, "
                "and others under another `name`."
            )
        elsewhere = [pair.name for pair in self.pairs if pair.dr.region != self.region]
        if elsewhere:
            raise InvalidInput(
                f"scheduled drill '{self.name}' in {self.region}: the DR bucket of {', '.join(elsewhere)} is in "
                "another Region. Deploy one drill in each DR Region."
            )
        if not _SCHEDULE.fullmatch(self.schedule):
            raise InvalidInput(
                f"schedule '{self.schedule}': write cron(15 3 * * ? *), rate(1 day) or at(2027-01-31T03:15:00)."
            )
        for option, value, least, most in self._numbers():
            if not least <= value <= most:
                raise InvalidInput(f"{option} is {value}. Use {least} to {most}.")
        for topic in self.topic_arns:
            _check_topic(topic, self.region)

    def _numbers(self) -> list[tuple[str, int, int, int]]:
        return [
            ("memory_mb", self.memory_mb, 256, 10240),
            ("timeout_seconds", self.timeout_seconds, 60, 900),
            ("run_timeout_seconds", self.run_timeout_seconds, 600, 86400),
            ("concurrency", self.concurrency, 1, 40),
            ("reserved_concurrency", self.reserved_concurrency or 0, 0, 1000),
            ("flexible_window_minutes", self.flexible_minutes, 0, 1440),
            ("no_proof_hours", self.no_proof_hours, 2, 168),
        ]


def check_name(name: str) -> None:
    """Refuse a name that one of the services would.

    Raises:
        InvalidInput: it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"name '{name}': use 1 to 30 letters, digits and '-'.")


def _check_topic(arn: str, region: str) -> None:
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "sns":
        raise InvalidInput(
            f"topic '{arn}' is not the ARN of an SNS topic. Write arn:aws:sns:{region}:111122223333:name."
        )
    if parts[3] != region:
        raise InvalidInput(
            f"topic '{arn}' is in {parts[3]}, and what it is told must not depend on another Region. "
            f"Name one in {region}."
        )


# --- names ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Names:
    """What everything is called."""

    name: str
    region: str
    account: Account

    def role(self, purpose: str) -> str:
        """Roles have no Region, so their names tell it."""
        return f"{self.name}-{self.region}-{purpose}"

    def role_arn(self, purpose: str) -> str:
        """Known before the role exists."""
        return f"arn:{self.account.partition}:iam::{self.account.id}:role/{self.role(purpose)}"

    def arn(self, service: str, resource: str) -> str:
        """Of a thing in the Region."""
        return f"arn:{self.account.partition}:{service}:{self.region}:{self.account.id}:{resource}"

    @property
    def function_arn(self) -> str:
        """The function's."""
        return self.arn("lambda", f"function:{self.name}")

    @property
    def machine_arn(self) -> str:
        """The state machine's."""
        return self.arn("states", f"stateMachine:{self.name}")

    @property
    def queue(self) -> str:
        """The dead-letter queue."""
        return f"{self.name}-dead-letter"

    @property
    def log_group(self) -> str:
        """The function's."""
        return f"/aws/lambda/{self.name}"

    def alarm(self, pair: str) -> str:
        """The alarm that a pair was not proven for too long."""
        return f"{self.name}/{pair}/no-proof"

    def at(self, kind: str, name: str) -> Address:
        """The address of a thing in the Region."""
        return Address(kind, name, self.region, self.account.id)

    def iam(self, kind: str, name: str) -> Address:
        """The address of a thing without Region."""
        return Address(kind, name, GLOBAL, self.account.id)


# --- the wish ------------------------------------------------------------------------------------------------


def scheduled_drill_wish(
    drill: ScheduledDrill, account: Account, accounts: Mapping[str, Accounts]
) -> dict[Address, Document]:
    """Everything but the evidence bucket.

    Args:
        accounts: of each pair's buckets, by the pair's name.
    """
    names = Names(drill.name, drill.region, account)
    return {
        **_role_wishes(drill, names, accounts),
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


# --- roles ---------------------------------------------------------------------------------------------------


def _role_wishes(drill: ScheduledDrill, names: Names, accounts: Mapping[str, Accounts]) -> dict[Address, Document]:
    queue = names.arn("sqs", names.queue)
    tracing = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"] if drill.tracing else []
    traced = [allow("Tracing", tracing, ["*"])] if tracing else []
    machine = [
        allow("Function", ["lambda:InvokeFunction"], [names.function_arn, f"{names.function_arn}:*"]),
        *_telling(drill, names, ["ssm:CreateOpsItem"]),
        *traced,
    ]
    start = [
        allow("StateMachine", ["states:StartExecution"], [names.machine_arn]),
        allow("DeadLetter", ["sqs:SendMessage"], [queue]),
    ]
    wish = {
        **_role(drill, names, "function", "lambda", [*_function_statements(drill, names), *traced]),
        **_role(drill, names, "states", "states", machine),
        **_role(drill, names, "schedule", "scheduler", start),
    }
    for number, document in enumerate(pair_policies(drill.pairs, accounts, drill.roles), 1):
        wish[_pairs_policy(names, number)] = {"Policy": document, "Attached": True, "Tags": owner_tags()}
    return wish


def _pairs_policy(names: Names, number: int) -> Address:
    return names.iam("iam_managed_policy", f"{names.role('function')}/{names.name}-{names.region}-pairs-{number}")


def _role(
    drill: ScheduledDrill, names: Names, purpose: str, service: str, statements: Sequence[Document]
) -> dict[Address, Document]:
    boundary = drill.permissions_boundary
    name = names.role(purpose)
    return {
        names.iam("iam_role", name): {
            "Path": "/",
            "Description": f"The {purpose} of the scheduled drill {drill.name} in {drill.region} acts as this role.",
            "AssumeRolePolicyDocument": trust(service, names.account),
            "Tags": owner_tags(),
            **({"PermissionsBoundary": boundary} if boundary else {}),
        },
        names.iam("iam_role_policy", f"{name}/{DEFAULT_NAME}"): policy(statements),
    }


def _function_statements(drill: ScheduledDrill, names: Names) -> list[Document]:
    partition = names.account.partition
    evidence, work = (f"arn:{partition}:s3:::{bucket}" for bucket in (drill.evidence_bucket, drill.recovery_bucket))
    logs = f"{names.arn('logs', f'log-group:{names.log_group}')}:*"
    return [
        allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [logs]),
        allow("DeadLetter", ["sqs:SendMessage"], [names.arn("sqs", names.queue)]),
        allow("Evidence", ["s3:GetObject", "s3:PutObject"], [f"{evidence}/*"]),
        allow(
            "Work", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"], [f"{work}/{WORK}*"]
        ),
        allow("List", ["s3:ListBucket"], [evidence, work]),
        allow("Metrics", ["cloudwatch:PutMetricData"], ["*"], StringEquals={"cloudwatch:namespace": NAMESPACE}),
        # Neither ListMetrics nor DescribeAlarms of several alarms can be limited to some.
        allow(
            "Alarms", ["cloudwatch:DescribeAlarms", "cloudwatch:ListMetrics", "cloudwatch:GetMetricStatistics"], ["*"]
        ),
        allow(
            "Topics",
            ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"],
            [f"arn:{partition}:sns:*:{names.account.id}:*"],
        ),
        *_telling(drill, names, ["ssm:CreateOpsItem", "ssm:DescribeOpsItems", "ssm:GetOpsItem", "ssm:UpdateOpsItem"]),
    ]


def _telling(drill: ScheduledDrill, names: Names, ops_actions: Sequence[str]) -> list[Document]:
    """DescribeOpsItems and CreateOpsItem name no item."""
    statements = []
    if drill.topic_arns:
        statements.append(allow("Tell", ["sns:Publish"], drill.topic_arns))
    if drill.ops_items:
        statements.append(allow("OpsItems", ops_actions, ["*"]))
    return statements


# --- removal -------------------------------------------------------------------------------------------------


def possible_addresses(names: Names, pairs: Sequence[str]) -> list[Address]:
    """All that a drill of the name may have, whatever it was deployed with.

    Args:
        pairs: the names of pairs of which an alarm may be there.
    """
    roles = [names.role(purpose) for purpose in ("function", "states", "schedule")]
    return [
        *(names.iam("iam_role", role) for role in roles),
        *(names.iam("iam_role_policy", f"{role}/{DEFAULT_NAME}") for role in roles),
        *(_pairs_policy(names, number) for number in range(1, MOST_POLICIES + 1)),
        names.at("log_group", names.log_group),
        names.at("sqs_queue", names.queue),
        names.at("lambda_function", names.name),
        names.at("function_concurrency", names.name),
        names.at("state_machine", names.name),
        names.at("schedule", names.name),
        *(names.at("metric_alarm", names.alarm(pair)) for pair in pairs),
    ]


def leftovers(possible: Sequence[Address], wish: Wish, keeps_concurrency: bool) -> dict[Address, Document]:
    """What goes, since it is not wished (any more).

    Args:
        keeps_concurrency: whether a reservation that nobody wished is left as it is.
    """
    kept = {"function_concurrency"} if keeps_concurrency else set()
    return {address: {} for address in possible if address not in wish and address.kind not in kept}
