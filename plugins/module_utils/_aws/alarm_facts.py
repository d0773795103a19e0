# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The alarms that are about replication, and the topics that they notify, as AWS holds them.

What cannot be read becomes the reason: an account without alarms is no reason to verify nothing.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .._core.model import Document
from .._core.monitoring import Place, is_about_replication, names_alarm
from .gateway import explain_connection
from .row import Client, ClientFor
from .sdk_errors import DENIED, NO_ANSWER, ClientError, ResponseParserError, error_code

_THREADS = 8
_GONE = ("NotFound", "NotFoundException")

T = TypeVar("T")


def read_alarms(client_for: ClientFor, places: Iterable[Place]) -> dict[Place, tuple[Document, ...] | str]:
    """The alarms of each place that are about replication, with the composite alarms that name them.

    It lists all alarms, since one with other dimensions than AWS publishes is found by no other call.
    """
    wanted = list(dict.fromkeys(places))
    clients = [client_for("cloudwatch", place.region, place.account) for place in wanted]
    what = "cloudwatch:DescribeAlarms"
    return dict(zip(wanted, each(lambda client: _asked(what, lambda: _alarms(client)), clients), strict=True))


def read_topics(client_for: ClientFor, topics: Iterable[tuple[Place, str]]) -> dict[str, Document | str | None]:
    """The policy, the subscriptions and the key of each topic, by its ARN, asked for in the account of the alarm."""
    wanted = list(dict.fromkeys(topics))
    clients = [(client_for("sns", place.region, place.account), topic) for place, topic in wanted]
    found = each(lambda one: _read_topic(*one), clients)
    return {topic: document for (_place, topic), document in zip(wanted, found, strict=True)}


def each(read: Callable[[T], object], wanted: Iterable[T]) -> list:
    """Read all at the same time. The clients are made before, since boto3's sessions are not safe to share."""
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        return list(pool.map(read, wanted))


def _alarms(client: Client) -> tuple[Document, ...]:
    pages = client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    metric: list[Document] = []
    composite: list[Document] = []
    for page in pages:
        if "MetricAlarms" not in page and "CompositeAlarms" not in page:
            raise ResponseParserError("it has neither MetricAlarms nor CompositeAlarms")
        metric += [alarm for alarm in page.get("MetricAlarms", []) if is_about_replication(alarm)]
        composite += page.get("CompositeAlarms", [])
    names = [alarm["AlarmName"] for alarm in metric]
    return (*metric, *(one for one in composite if any(names_alarm(one, name) for name in names)))


def _read_topic(client: Client, topic: str) -> Document | str | None:
    attributes = _asked("sns:GetTopicAttributes", lambda: _attributes(client, topic))
    if attributes is None or isinstance(attributes, str):
        return attributes
    subscriptions = _asked("sns:ListSubscriptionsByTopic", lambda: _subscriptions(client, topic))
    if subscriptions is None or isinstance(subscriptions, str):
        return subscriptions
    return {**attributes, "Subscriptions": subscriptions}


def _attributes(client: Client, topic: str) -> Document:
    attributes = client.get_topic_attributes(TopicArn=topic)["Attributes"]
    key = {"KmsMasterKeyId": attributes["KmsMasterKeyId"]} if attributes.get("KmsMasterKeyId") else {}
    return {"Policy": json.loads(attributes.get("Policy") or "{}"), **key}


def _subscriptions(client: Client, topic: str) -> list[Document]:
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [
        {name: one.get(name) for name in ("Protocol", "Endpoint", "SubscriptionArn")}
        for page in pages
        for one in page["Subscriptions"]
    ]


def _asked(permission: str, read: Callable[[], T]) -> T | str | None:
    """The answer; None for a thing that is gone, and a text that says why there is no answer."""
    try:
        return read()
    except ClientError as error:
        code = error_code(error)
        if code in _GONE:
            return None
        if code in DENIED:
            return f"these credentials may not read it: {permission} is missing"
        message = error.response["Error"].get("Message", "")
        return f"AWS refused {permission.partition(':')[2]} ({code}: {message})"
    except NO_ANSWER as error:
        return explain_connection(error).rstrip(".")
