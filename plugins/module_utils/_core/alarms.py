# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The alarms of a pair and the topics that they notify, each in the Region where AWS publishes the metric.

Sources: S3 User Guide, "Using S3 Replication metrics" and "Metrics and dimensions" (Regions, dimensions, statistics,
missing data); CloudWatch User Guide, "Notifying users on alarm changes" (topic policy).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .kinds import owner_tags
from .model import Account, Address, Document, InvalidInput, Link, Observation, Pair, Rule, check_region

_TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
PROTOCOLS = ("email", "email-json", "http", "https", "lambda", "sms", "sqs")
_MAX_ALARM_NAME = 255
REPLICATION_METRICS = (
    "ReplicationLatency",
    "BytesPendingReplication",
    "OperationsPendingReplication",
    "OperationsFailedReplication",
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told. `region` limits it to the topic of one Region (None: every Region's)."""

    protocol: str
    endpoint: str
    region: str | None = None

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise InvalidInput(
                f"subscription of '{self.endpoint}': SNS has no protocol '{self.protocol}'. "
                f"Choose one of {', '.join(PROTOCOLS)}."
            )
        if not self.endpoint:
            raise InvalidInput(f"a subscription by {self.protocol} has no endpoint. Name an address, URL or ARN.")


@dataclass(frozen=True, slots=True)
class Topics:
    """One SNS topic of the same name in each Region, since an alarm can only notify a topic of its own Region.

    Raises:
        InvalidInput: the declaration cannot be right; nothing was asked of AWS.
    """

    name: str
    regions: tuple[str, ...]
    subscriptions: tuple[Subscription, ...] = ()

    def __post_init__(self) -> None:
        check_topic_name(self.name)
        for region in self.regions:
            check_region(region, f"topic '{self.name}'")
        for subscription in self.subscriptions:
            if subscription.region is not None and subscription.region not in self.regions:
                raise InvalidInput(
                    f"subscription of '{subscription.endpoint}': no topic '{self.name}' is wished in "
                    f"{subscription.region}. Correct its `region`; the topics are in {', '.join(self.regions)}."
                )


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


def topics_wish(topics: Topics, account: Account) -> dict[Address, Document]:
    """Each Region's topic, its policy, and the subscriptions."""
    wish: dict[Address, Document] = {}
    for region in topics.regions:
        wish[Address("sns_topic", topics.name, region, account.id)] = {"Tags": owner_tags()}
        wish[Address("sns_topic_policy", topics.name, region, account.id)] = _topic_policy(topics.name, region, account)
        for subscription in topics.subscriptions:
            if subscription.region in (None, region):
                name = f"{topics.name}:{subscription.protocol}:{subscription.endpoint}"
                wish[Address("sns_subscription", name, region, account.id)] = {
                    "Protocol": subscription.protocol,
                    "Endpoint": subscription.endpoint,
                }
    return wish


def topics_removal_wish(
    topics: Topics, account: Account, leaving_pairs: Iterable[str], alarms_using: dict[str, Iterable[str]]
) -> dict[Address, Document]:
    """The topics that nobody needs any more: a topic that alarms of other pairs notify stays with its policy.

    Args:
        leaving_pairs: the pairs whose alarms are removed in the same run.
        alarms_using: for each Region the names of the alarms that notify the topic.
    """
    leaving = tuple(alarm_prefix(pair) for pair in leaving_pairs)
    unused = {region for region, names in alarms_using.items() if all(name.startswith(leaving) for name in names)}
    return {
        address: document
        for address, document in topics_wish(topics, account).items()
        if address.region in unused and address.kind in ("sns_topic", "sns_topic_policy")
    }


def _topic_policy(name: str, region: str, account: Account) -> Document:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "S3DrAlarmsPublish",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "SNS:Publish",
                "Resource": topic_arn(name, region, account),
                "Condition": {
                    "ArnLike": {
                        "aws:SourceArn": f"arn:{account.partition}:cloudwatch:{region}:{account.id}:alarm:*",
                    },
                    "StringEquals": {"aws:SourceAccount": account.id},
                },
            }
        ],
    }


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """The user's choices. `latency_seconds` is the recovery point objective that the latency alarm watches."""

    topic_name: str
    latency_seconds: int = 900

    def __post_init__(self) -> None:
        check_topic_name(self.topic_name)
        if self.latency_seconds < 1:
            raise InvalidInput(f"latency_seconds is {self.latency_seconds}. Use a target of at least 1 second.")


def alarm_prefix(pair: str) -> str:
    """How the names of all alarms of a pair begin. A pair's name has no slash, so no pair's prefix covers another's."""
    return f"s3-dr/{pair}/"


def alarms_wish(pair: Pair, settings: AlarmSettings, account: Account) -> dict[Address, Document]:
    """The alarms of every rule and direction that is observed by metrics."""
    wish: dict[Address, Document] = {}
    for link in pair.links():
        for rule in link.rules:
            if rule.enabled and rule.observation is not Observation.NONE:
                wish.update(_rule_alarms(link, rule, settings, account))
    return wish


def leftover_alarms(
    pair: Pair, wish: Iterable[Address], found: dict[str, Iterable[str]], account: Account
) -> dict[Address, Document]:
    """The pair's alarms that are not wished (any more): of rules that were renamed, left out or are not observed.

    Args:
        found: for each Region the names of alarms that AWS holds.
    """
    addresses = {
        Address("metric_alarm", name, region, account.id)
        for region, names in found.items()
        for name in names
        if name.startswith(alarm_prefix(pair.name))
    }
    return {address: {} for address in sorted(addresses - set(wish))}


def alarm_names(wish: Iterable[Address]) -> dict[str, list[str]]:
    """The names of the alarms of each Region, sorted."""
    names: dict[str, list[str]] = {}
    for address in sorted(wish):
        names.setdefault(address.region, []).append(address.name)
    return names


def unwatched_rules(pair: Pair) -> list[str]:
    """One sentence for each rule that no alarm watches."""
    return [
        f"No alarm watches the rule '{rule.id}' of pair '{pair.name}': "
        + ("it is disabled." if not rule.enabled else "its `observation` is none, so AWS publishes no metrics for it.")
        for rule in pair.rules
        if not rule.enabled or rule.observation is Observation.NONE
    ]


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


def _rule_alarms(link: Link, rule: Rule, settings: AlarmSettings, account: Account) -> dict[Address, Document]:
    wish: dict[Address, Document] = {}
    source, destination = link.source.bucket, link.destination_of(rule).bucket
    for short, metric, specifics in (
        ("latency", "ReplicationLatency", _latency(source, destination, settings)),
        ("failed", "OperationsFailedReplication", _failed(source, destination)),
        ("heartbeat", "OperationsPendingReplication", _heartbeat(source, destination)),
    ):
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
            "Period": 60,
            "ActionsEnabled": True,
            "AlarmActions": [topic_arn(settings.topic_name, region, account)],
            "OKActions": [topic_arn(settings.topic_name, region, account)],
            "InsufficientDataActions": [],
            **specifics,
        }
    return wish


def _latency(source: str, destination: str, settings: AlarmSettings) -> dict[str, Any]:
    """AWS advises `ignore` for missing data of replication metrics."""
    return {
        "AlarmDescription": f"Objects of {source} take longer than {settings.latency_seconds} s to reach "
        f"{destination}: the recovery point falls behind its target.",
        "Statistic": "Maximum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": float(settings.latency_seconds),
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "TreatMissingData": "ignore",
    }


def _failed(source: str, destination: str) -> dict[str, Any]:
    """The metric is absent while nothing replicates, and a FAILED object is never retried: one is enough."""
    return {
        "AlarmDescription": f"Objects of {source} FAILED to replicate to {destination}. "
        "S3 does not retry them: repair the cause, then replicate them again.",
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.0,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "TreatMissingData": "notBreaching",
    }


def _heartbeat(source: str, destination: str) -> dict[str, Any]:
    """The metric is published even while nothing replicates, so silence is the alarm; the value never is."""
    return {
        "AlarmDescription": f"The replication metrics of {source} to {destination} have "
        "stopped: the rule, its metrics or a bucket is gone, and no other alarm of this pair can fire.",
        "Statistic": "Maximum",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 0.0,
        "EvaluationPeriods": 30,
        "DatapointsToAlarm": 30,
        "TreatMissingData": "breaching",
    }
