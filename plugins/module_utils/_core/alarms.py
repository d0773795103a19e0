# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The alarms of a pair, each in the Region where AWS publishes the metric.

Sources: S3 User Guide, "Using S3 Replication metrics" and "Metrics and dimensions" (Regions, dimensions, statistics,
missing data); CloudWatch API Reference, "PutMetricAlarm" and "PutCompositeAlarm" (limits, actions).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .drill_names import is_twin
from .model import Account, Accounts, Address, Document, InvalidInput, Link, Observation, Pair, Rule

_TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_RESPONSE_PLAN = re.compile(r"arn:aws[\w-]*:ssm-incidents::\d{12}:response-?plan/[\w-]{1,200}")
_MAX_ALARM_NAME = 255
_PERIOD_SECONDS = 60
_MAX_PERIODS = 86_400 // _PERIOD_SECONDS
"""CloudWatch evaluates periods below an hour over a day at most."""
_MAX_CHILDREN = 100
_MAX_RULE = 10_240
_QUOTA_BYTES_PER_SECOND = 125_000_000
"""AWS's default quota of replication traffic, 1 Gbps for an account and pair of Regions."""
_PENDING_PERIODS, _PENDING_DATAPOINTS = 5, 3

REPLICATION_METRICS = (
    "ReplicationLatency",
    "BytesPendingReplication",
    "OperationsPendingReplication",
    "OperationsFailedReplication",
)

DRILL_NAMESPACE = "S3Dr"
DRILL_METRIC = "DrillRunning"
"""A drill puts 1 to this metric each minute. When it stops, however it stops, suppression ends by itself."""
DRILL_DIMENSION = "Pair"
_DRILL_PERIODS = 3
_SUPPRESSION_WAIT_SECONDS = 10
"""A composite alarm that is OK again before it has waited so long tells nobody, so the wait is short. It need not be
long: a drill provokes nothing before the suppressor is in ALARM."""
_SUPPRESSION_EXTENSION_SECONDS = 180
_FAILED_PERIODS_BELOW_COMPOSITE = 5
"""S3 publishes failures for one minute. `failed` stays in ALARM for some more, so that it outlasts the wait for the
suppressor, and several failures in a row are one message."""

CATEGORIES = ("Availability", "Cost", "Performance", "Recovery", "Security")


def check_topic_name(name: str) -> None:
    """Raise InvalidInput when SNS would refuse the name, or when alarms could not notify the topic (FIFO)."""
    if not _TOPIC_NAME.fullmatch(name):
        raise InvalidInput(
            f"topic '{name[:80]}': SNS takes 1 to 256 letters, digits, '_' and '-' as a standard topic's name. "
            "Choose another name."
        )


def topic_arn(name: str, region: str, account: Account) -> str:
    """The ARN that the topic has, known before it exists."""
    return f"arn:{account.partition}:sns:{region}:{account.id}:{name}"


# --- settings ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpsItems:
    """That an alarm opens an OpsItem of Systems Manager when it fires; 1 is the most severe, 4 the least."""

    severity: int = 2
    category: str = "Availability"

    def __post_init__(self) -> None:
        if self.severity not in (1, 2, 3, 4):
            raise InvalidInput(f"ops_items: severity {self.severity}: OpsItems have the severities 1 to 4. Choose one.")
        if self.category not in CATEGORIES:
            raise InvalidInput(
                f"ops_items: OpsItems have no category '{self.category}'. Choose one of {', '.join(CATEGORIES)}."
            )

    def action(self, region: str, account: Account) -> str:
        """The alarm action that opens it, in the alarm's own Region."""
        arn = f"arn:{account.partition}:ssm:{region}:{account.id}:opsitem:{self.severity}"
        return f"{arn}#CATEGORY={self.category}"


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """The user's choices.

    Attributes:
        latency_seconds: the recovery point objective that the latency alarm watches.
        latency_datapoints: of how many minutes above it ...
        latency_periods: ... among how many the latency alarm fires.
        heartbeat_minutes: after how many minutes without metrics the heartbeat fires.
        bytes_pending: how many bytes may wait; None: what AWS's default quota moves within the target; 0: no alarm.
        operations_pending: how many operations may wait; 0: no alarm.
        composite: whether one alarm per pair and Region acts for all others, and drills suppress it.
        ops_items: the OpsItem that is opened, if any.
        incident_response_plan_arn: the response plan of Incident Manager that is started, if any.
    """

    topic_name: str
    latency_seconds: int = 900
    latency_datapoints: int = 3
    latency_periods: int = 5
    heartbeat_minutes: int = 30
    bytes_pending: int | None = None
    operations_pending: int = 100_000
    composite: bool = False
    ops_items: OpsItems | None = None
    incident_response_plan_arn: str | None = None

    def __post_init__(self) -> None:
        check_topic_name(self.topic_name)
        if self.latency_seconds < 1:
            raise InvalidInput(f"latency_seconds is {self.latency_seconds}. Use a target of at least 1 second.")
        for name, minutes in (("latency_periods", self.latency_periods), ("heartbeat_minutes", self.heartbeat_minutes)):
            if not 1 <= minutes <= _MAX_PERIODS:
                raise InvalidInput(
                    f"{name} is {minutes}: CloudWatch judges 1 to {_MAX_PERIODS} minutes, which is a day. Correct it."
                )
        if not 1 <= self.latency_datapoints <= self.latency_periods:
            raise InvalidInput(
                f"latency_datapoints is {self.latency_datapoints} of {self.latency_periods} latency_periods. "
                f"Use 1 to {self.latency_periods}."
            )
        for name, most in (("bytes_pending", self.bytes_pending), ("operations_pending", self.operations_pending)):
            if most is not None and most < 0:
                raise InvalidInput(f"{name} is {most}. Use the most that may wait, or 0 for no such alarm.")
        arn = self.incident_response_plan_arn
        if arn is not None and not _RESPONSE_PLAN.fullmatch(arn):
            raise InvalidInput(
                f"incident_response_plan_arn: '{arn}' is no response plan. Write it like "
                "arn:aws:ssm-incidents::111122223333:response-plan/name."
            )

    @property
    def most_bytes_pending(self) -> int:
        """How many bytes may wait; 0: no alarm."""
        if self.bytes_pending is not None:
            return self.bytes_pending
        return self.latency_seconds * _QUOTA_BYTES_PER_SECOND


# --- names ---------------------------------------------------------------------------------------------------


def alarm_prefix(pair: str) -> str:
    """How the names of all alarms of a pair begin. A pair's name has no slash, so no pair's prefix covers another's."""
    return f"s3-dr/{pair}/"


def composite_name(pair: str) -> str:
    """The one alarm that acts for all of a pair's in a Region."""
    return f"{alarm_prefix(pair)}health"


def suppressor_name(pair: str) -> str:
    """The alarm that is on while a drill of the pair runs. No rule's alarm is named so: those have more slashes."""
    return f"{alarm_prefix(pair)}drill-running"


def drill_dimensions(pair: str) -> list[dict[str, str]]:
    """What tells the drills of one pair from those of another."""
    return [{"Name": DRILL_DIMENSION, "Value": pair}]


def alarm_names(wish: Iterable[Address]) -> dict[str, list[str]]:
    """The names of the alarms of each Region, sorted."""
    names: dict[str, list[str]] = {}
    for address in sorted(wish, key=lambda address: (address.region, address.name)):
        names.setdefault(address.region, []).append(address.name)
    return names


# --- the wish ------------------------------------------------------------------------------------------------


def alarms_wish(
    pair: Pair, settings: AlarmSettings, account: Account, accounts: Accounts | None = None
) -> dict[Address, Document]:
    """The alarms of every rule and direction that is observed by metrics, and what acts for them if so wished.

    AWS publishes the metrics of a direction in the account of its source. An alarm anywhere else would see none, and
    the heartbeat would be in ALARM for ever.

    Args:
        account: where the alarms are made.
        accounts: whose a bucket is, where more is known of it than the pair declares.

    Raises:
        InvalidInput: CloudWatch would refuse a name, or a composite alarm of so many.
    """
    wish: dict[Address, Document] = {}
    for link in pair.links():
        for rule in link.rules if _owner(link, account, accounts) == account.id else ():
            if rule.enabled and rule.observation is not Observation.NONE:
                wish.update(_rule_alarms(link, rule, settings, account))
    if settings.composite:
        for region, names in alarm_names(wish).items():
            wish.update(_composite(pair.name, names, settings, region, account))
    return wish


def _owner(link: Link, account: Account, accounts: Accounts | None) -> str:
    """The ID of the account of a direction's source."""
    known = (accounts or {}).get(link.source.bucket)
    return known.id if known else link.source.account_id or account.id


def leftover_alarms(
    pair: Pair, wish: Iterable[Address], found: Mapping[str, Iterable[str]], account: Account, *, twins: bool = False
) -> dict[Address, Document]:
    """The pair's alarms that are not wished (any more): of rules that were renamed, left out or are not observed.

    Args:
        found: for each Region the names of alarms that AWS holds, metric alarms and composite ones.
        twins: whether those that a drill makes for a while go as well. It removes them itself, and may be running.
    """
    addresses = {
        Address("composite_alarm" if name == composite_name(pair.name) else "metric_alarm", name, region, account.id)
        for region, names in found.items()
        for name in names
        if name.startswith(alarm_prefix(pair.name)) and (twins or not is_twin(name))
    }
    return {address: {} for address in sorted(addresses - set(wish))}


def unwatched_rules(pair: Pair, account: Account, accounts: Accounts | None = None) -> list[str]:
    """One sentence for each rule that no alarm watches, and for each direction."""
    rules = [
        f"No alarm watches the rule '{rule.id}' of pair '{pair.name}': "
        + ("it is disabled." if not rule.enabled else "its `observation` is none, so AWS publishes no metrics for it.")
        for rule in pair.rules
        if not rule.enabled or rule.observation is Observation.NONE
    ]
    ways = [
        f"No alarm watches the way from {link.source.bucket} to {_buckets(link)} of pair '{pair.name}': AWS publishes "
        f"its metrics in account {owner}, and the alarms are made in {account.id}, that of the task's own credentials. "
        f"Let the owner of {owner} watch it."
        for link in pair.links()
        if (owner := _owner(link, account, accounts)) != account.id
    ]
    return [*rules, *ways]


def _buckets(link: Link) -> str:
    return ", ".join(sorted({end.bucket for end in link.destinations()}))


def metric_region(metric: str, rule: Rule, link: Link) -> str:
    """Where AWS publishes a replication metric: failures at the source, everything else at the destination."""
    return link.source.region if metric == "OperationsFailedReplication" else link.destination_of(rule).region


def metric_dimensions(rule: Rule, link: Link) -> list[dict[str, str]]:
    """Replication metrics carry all three; CloudWatch never matches a subset."""
    return [
        {"Name": "DestinationBucket", "Value": link.destination_of(rule).bucket},
        {"Name": "RuleId", "Value": rule.id},
        {"Name": "SourceBucket", "Value": link.source.bucket},
    ]


def _actions(settings: AlarmSettings, region: str, account: Account) -> Document:
    """What an alarm does. OpsItems and incidents are opened when it fires, and have no meaning when it is well."""
    topic = topic_arn(settings.topic_name, region, account)
    ops_items = [settings.ops_items.action(region, account)] if settings.ops_items else []
    incidents = [settings.incident_response_plan_arn] if settings.incident_response_plan_arn else []
    return {
        "ActionsEnabled": True,
        "AlarmActions": [topic, *ops_items, *incidents],
        "OKActions": [topic],
        "InsufficientDataActions": [],
    }


_NO_ACTIONS: Document = {"ActionsEnabled": True, "AlarmActions": [], "OKActions": [], "InsufficientDataActions": []}


def _rule_alarms(link: Link, rule: Rule, settings: AlarmSettings, account: Account) -> dict[Address, Document]:
    wish: dict[Address, Document] = {}
    way = f"{link.source.bucket} to {link.destination_of(rule).bucket}"
    for short, metric, specifics in (
        ("latency", "ReplicationLatency", _latency(way, link.pair, settings)),
        ("bytes_pending", "BytesPendingReplication", _bytes_pending(way, link.pair, settings)),
        ("operations_pending", "OperationsPendingReplication", _operations_pending(way, link.pair, settings)),
        ("failed", "OperationsFailedReplication", _failed(way, link.pair, settings)),
        ("heartbeat", "OperationsPendingReplication", _heartbeat(way, link.pair, settings)),
    ):
        if specifics is None:
            continue
        region = metric_region(metric, rule, link)
        name = f"{alarm_prefix(link.pair)}{link.source.bucket}/{rule.id}/{short}"
        if len(name) > _MAX_ALARM_NAME:
            raise InvalidInput(
                f"rule '{rule.id[:60]}...': the alarm's name '{short}' made of it has {len(name)} characters, "
                f"CloudWatch takes {_MAX_ALARM_NAME}. Shorten the rule's `id`."
            )
        wish[Address("metric_alarm", name, region, account.id)] = {
            "Namespace": "AWS/S3",
            "MetricName": metric,
            "Dimensions": metric_dimensions(rule, link),
            "Period": _PERIOD_SECONDS,
            **(_NO_ACTIONS if settings.composite else _actions(settings, region, account)),
            **specifics,
        }
    return wish


def _latency(way: str, pair: str, settings: AlarmSettings) -> dict[str, Any]:
    """AWS advises `ignore` for missing data of replication metrics."""
    return {
        "AlarmDescription": f"Objects on the way from {way} take longer than {settings.latency_seconds} s: the "
        "recovery point falls behind its target, and a failover now would lose what still waits. Look whether the "
        f"pending bytes and operations shrink; if they do not, verify the pair '{pair}', which names the cause.",
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": float(settings.latency_seconds),
        "EvaluationPeriods": settings.latency_periods,
        "DatapointsToAlarm": settings.latency_datapoints,
        "TreatMissingData": "ignore",
    }


def _bytes_pending(way: str, pair: str, settings: AlarmSettings) -> dict[str, Any] | None:
    if not settings.most_bytes_pending:
        return None
    quota = "At AWS's default quota of 1 Gbps more than that takes longer than the target. "
    return {
        "AlarmDescription": f"More than {settings.most_bytes_pending} bytes wait to replicate from {way}. "
        f"{quota if settings.bytes_pending is None else ''}Slow the writers down, or have AWS raise the quota of "
        f"replication traffic; verify the pair '{pair}' when it does not shrink.",
        **_pending(settings.most_bytes_pending),
    }


def _operations_pending(way: str, pair: str, settings: AlarmSettings) -> dict[str, Any] | None:
    if not settings.operations_pending:
        return None
    return {
        "AlarmDescription": f"More than {settings.operations_pending} operations wait to replicate from {way}: "
        "objects are written faster than they replicate, or replication stands still. See whether the number shrinks; "
        f"if it does not, verify the pair '{pair}', which names the cause.",
        **_pending(settings.operations_pending),
    }


def _pending(most: int) -> dict[str, Any]:
    return {
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": float(most),
        "EvaluationPeriods": _PENDING_PERIODS,
        "DatapointsToAlarm": _PENDING_DATAPOINTS,
        "TreatMissingData": "ignore",
    }


def _failed(way: str, pair: str, settings: AlarmSettings) -> dict[str, Any]:
    """The metric is absent while nothing replicates, and a FAILED object is never retried: one is enough."""
    return {
        "AlarmDescription": f"Objects FAILED to replicate from {way}. S3 does not retry them: verify the pair "
        f"'{pair}', which names them and the cause, repair the cause, then replicate them again.",
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.0,
        "EvaluationPeriods": _FAILED_PERIODS_BELOW_COMPOSITE if settings.composite else 1,
        "DatapointsToAlarm": 1,
        "TreatMissingData": "notBreaching",
    }


def _heartbeat(way: str, pair: str, settings: AlarmSettings) -> dict[str, Any]:
    """The metric is published even while nothing replicates, so silence is the alarm; the value never is."""
    return {
        "AlarmDescription": f"The replication metrics from {way} have been missing for {settings.heartbeat_minutes} "
        "minutes: the rule, its metrics or a bucket is gone, and no other alarm of it can fire. Run setup for the pair "
        f"'{pair}' in check mode with --diff: it says what is missing.",
        "Statistic": "Maximum",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 0.0,
        "EvaluationPeriods": settings.heartbeat_minutes,
        "DatapointsToAlarm": settings.heartbeat_minutes,
        "TreatMissingData": "breaching",
    }


# --- one alarm for all of a pair -----------------------------------------------------------------------------


def _composite(
    pair: str, names: list[str], settings: AlarmSettings, region: str, account: Account
) -> dict[Address, Document]:
    """One alarm that acts, and another that keeps it from acting while a drill runs.

    When it takes over from alarms that acted by themselves, these fall silent only after it is there (the rank of the
    kind `metric_alarm` says so), so that a run that ends in between leaves none unheard.
    """
    rule = _any_of(pair, names, region)
    return {
        Address("metric_alarm", suppressor_name(pair), region, account.id): {
            "AlarmDescription": f"A drill of the pair '{pair}' runs, so '{composite_name(pair)}' tells nobody. Nothing "
            f"is to be done: it ends by itself {_DRILL_PERIODS} minutes after the drill.",
            "Namespace": DRILL_NAMESPACE,
            "MetricName": DRILL_METRIC,
            "Dimensions": drill_dimensions(pair),
            "Period": _PERIOD_SECONDS,
            "Statistic": "Maximum",
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 1.0,
            "EvaluationPeriods": _DRILL_PERIODS,
            "DatapointsToAlarm": 1,
            "TreatMissingData": "notBreaching",
            **_NO_ACTIONS,
        },
        Address("composite_alarm", composite_name(pair), region, account.id): {
            "AlarmRule": rule,
            "AlarmDescription": f"At least one of the alarms of the pair '{pair}' in {region} is on. Open it in "
            "CloudWatch to see which: the description of that one says what it means and what to do.",
            "ActionsSuppressor": suppressor_name(pair),
            "ActionsSuppressorWaitPeriod": _SUPPRESSION_WAIT_SECONDS,
            "ActionsSuppressorExtensionPeriod": _SUPPRESSION_EXTENSION_SECONDS,
            **_actions(settings, region, account),
        },
    }


def _any_of(pair: str, names: list[str], region: str) -> str:
    unquotable = [name for name in names if '"' in name or "\\" in name]
    if unquotable:
        raise InvalidInput(
            f"pair '{pair}': the rule of a composite alarm cannot name '{unquotable[0]}'. Leave '\"' and '\\' out of "
            "the rule's `id`, or set `composite: false`."
        )
    rule = " OR ".join(f'ALARM("{name}")' for name in names)
    if len(names) > _MAX_CHILDREN or len(rule) > _MAX_RULE:
        raise InvalidInput(
            f"pair '{pair}': its {len(names)} alarms in {region} are too many for one composite alarm, which takes "
            f"{_MAX_CHILDREN} alarms and {_MAX_RULE} characters of names. Set `composite: false`, leave out alarms "
            "(`bytes_pending: 0`, `operations_pending: 0`), or divide the rules between several pairs."
        )
    return rule
