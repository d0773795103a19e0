# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What the function tells of a run: metrics, a message to the topics of the alarms, and an OpsItem.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._aws.gateway import AwsFailure, Gateway
from .._aws.sdk_errors import NO_ANSWER, ClientError, in_short
from .._core.checks import Verdict
from .._core.evidence_words import mapping, number, texts, verdict_in
from .._core.model import Pair
from .._core.operations import Place, item_addresses, ops_item
from .._core.plan import plan
from .._core.scheduled_drill import NAMESPACE
from .sessions import Sessions
from .settings import Settings

_LONGEST_SUBJECT = 100
"""Amazon SNS API, Publish: a subject has less than 100 characters."""
_MOST_PROBLEMS = 20
_LONGEST_PROBLEM = 1000


def notify(
    settings: Settings, sessions: Sessions, pair: str, declared: Pair | None, result: Mapping[str, Any]
) -> list[str]:
    """Tell of a pair; nothing that fails keeps the rest from being told.

    Args:
        declared: the pair, if the function still knows it.
        result: as a verify returns it, with `evidence`.

    Returns:
        What could not be told, a sentence each.
    """
    tellers = [
        lambda: _put_metrics(sessions, pair, result),
        *(lambda topic=topic: _publish(sessions, topic, pair, result) for topic in settings.topic_arns),
    ]
    if settings.ops_items and declared is not None:
        tellers.append(lambda: _open_or_resolve(settings, sessions, declared, result))
    return [trouble for tell in tellers for trouble in _tried(tell)]


def _tried(tell: Any) -> Iterator[str]:
    try:
        tell()
    except (ClientError, AwsFailure, *NO_ANSWER) as error:
        yield in_short(error)


# --- metrics -------------------------------------------------------------------------------------------------


def metric_data(pair: str, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The data points of a run. What a run did not measure has none."""
    recovery, dimensions = mapping(result, "recovery"), [{"Name": "Pair", "Value": pair}]
    flown = [number(one, "seconds") for one in result.get("canaries", ()) if one.get("status") == "replicated"]
    values = {
        "Proven": (float(verdict_in(result) is Verdict.PROVEN), "None"),
        "MeasuredRpo": (number(recovery, "rpo_seconds"), "Seconds"),
        "VersionsAtRisk": (number(recovery, "versions_at_risk"), "Count"),
        "ReplicationTime": (max((one for one in flown if one is not None), default=None), "Seconds"),
    }
    return [
        {"MetricName": name, "Dimensions": dimensions, "Value": float(value), "Unit": unit}
        for name, (value, unit) in values.items()
        if value is not None
    ]


def put_ages(sessions: Sessions, ages: Mapping[str, float]) -> list[str]:
    """Tell how long ago each pair was proven.

    Args:
        ages: in seconds, by pair; one that was never proven has none.

    Returns:
        What could not be told, a sentence each.
    """
    data = [
        {"MetricName": "LastProofAge", "Dimensions": [{"Name": "Pair", "Value": pair}], "Value": age, "Unit": "Seconds"}
        for pair, age in ages.items()
    ]
    put = sessions.own("cloudwatch").put_metric_data
    return list(_tried(lambda: put(Namespace=NAMESPACE, MetricData=data))) if data else []


def _put_metrics(sessions: Sessions, pair: str, result: Mapping[str, Any]) -> None:
    sessions.own("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=metric_data(pair, result))


# --- messages ------------------------------------------------------------------------------------------------


def message(pair: str, result: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and text of what is sent of a pair that is not proven."""
    verdict = verdict_in(result).value
    problems = [one[:_LONGEST_PROBLEM] for one in texts(result, "problems")]
    more = len(problems) - _MOST_PROBLEMS
    lines = [
        f"The scheduled drill of the S3 replication pair '{pair}' says: {verdict.replace('_', ' ')}.",
        *(f"- {problem}" for problem in problems[:_MOST_PROBLEMS]),
        *([f"- and {more} more."] if more > 0 else []),
        f"Evidence: {result.get('evidence')}",
    ]
    return f"S3 DR: {pair} is {verdict.replace('_', ' ')}"[: _LONGEST_SUBJECT - 1], "\n".join(lines)


def _publish(sessions: Sessions, topic: str, pair: str, result: Mapping[str, Any]) -> None:
    if verdict_in(result) is Verdict.PROVEN:
        return
    subject, text = message(pair, result)
    account, region = topic.split(":")[4], topic.split(":")[3]
    sessions("sns", region, account).publish(TopicArn=topic, Subject=subject, Message=text)


# --- OpsItem -------------------------------------------------------------------------------------------------


def _open_or_resolve(settings: Settings, sessions: Sessions, pair: Pair, result: Mapping[str, Any]) -> None:
    """One item for each pair, however often it is not proven; the run that proves it resolves it."""
    place = Place(pair.name, (settings.region,), ops_item_region=settings.region)
    at = item_addresses(place, settings.account, settings.region)
    gateway = Gateway(sessions)
    observed = gateway.observe(at)
    item = ops_item(place, result, None)
    wish = dict.fromkeys(at, item) if item else {}
    unwanted = {} if item else {address: {} for address in at}
    gateway.carry_out(plan(wish, observed, unwanted))
