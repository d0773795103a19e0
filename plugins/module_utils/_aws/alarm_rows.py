# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of CloudWatch's and SNS's kinds. A subscription's name is `topic:protocol:endpoint`.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json

from .._core.model import Address, Document
from .row import Client, Eventual, Row, never_removed

_ALARM_FIELDS = (
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "AlarmDescription",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
)


def _read_alarm(client: Client, address: Address) -> Document | None:
    alarms = client.describe_alarms(AlarmNames=[address.name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    if not alarms:
        return None
    return {"Dimensions": [], **{field: alarms[0][field] for field in _ALARM_FIELDS if field in alarms[0]}}


def _write_alarm(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_metric_alarm(AlarmName=address.name, **after)


def _delete_alarm(client: Client, address: Address, before: Document) -> None:
    client.delete_alarms(AlarmNames=[address.name])


def alarms_notifying(client: Client, topic: str) -> list[str]:
    """The names of a Region's alarms that notify the topic (an ARN), whoever made them."""
    names = []
    pages = client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    for page in pages:
        for alarm in (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])):
            actions = (*alarm["AlarmActions"], *alarm["OKActions"], *alarm["InsufficientDataActions"])
            if topic in actions:
                names.append(alarm["AlarmName"])
    return names


def alarms_named(client: Client, prefix: str) -> list[str]:
    """The names of a Region's metric alarms that begin so."""
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"])
    return [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]


def _topic_arn(client: Client, address: Address, topic: str) -> str:
    partition = client.meta.partition
    return f"arn:{partition}:sns:{address.region}:{address.account}:{topic}"


def _read_topic(client: Client, address: Address) -> Document:
    arn = _topic_arn(client, address, address.name)
    client.get_topic_attributes(TopicArn=arn)
    tags = client.list_tags_for_resource(ResourceArn=arn).get("Tags", [])
    return {"Tags": {tag["Key"]: tag["Value"] for tag in tags}}


def _write_topic(client: Client, address: Address, before: Document | None, after: Document) -> None:
    tags = [{"Key": key, "Value": value} for key, value in after["Tags"].items()]
    client.create_topic(Name=address.name, Tags=tags)


def _delete_topic(client: Client, address: Address, before: Document) -> None:
    client.delete_topic(TopicArn=_topic_arn(client, address, address.name))


def _read_topic_policy(client: Client, address: Address) -> Document:
    arn = _topic_arn(client, address, address.name)
    policy: Document = json.loads(client.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    return policy


def _write_topic_policy(client: Client, address: Address, before: Document | None, after: Document) -> None:
    arn = _topic_arn(client, address, address.name)
    client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(after))


def _read_subscription(client: Client, address: Address) -> Document | None:
    topic, protocol, endpoint = address.name.split(":", 2)
    arn = _topic_arn(client, address, topic)
    for page in client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn):
        for subscription in page["Subscriptions"]:
            if (subscription["Protocol"], subscription["Endpoint"]) == (protocol, endpoint):
                return {"Protocol": protocol, "Endpoint": endpoint}
    return None


def _write_subscription(client: Client, address: Address, before: Document | None, after: Document) -> None:
    topic = address.name.split(":", 1)[0]
    arn = _topic_arn(client, address, topic)
    client.subscribe(TopicArn=arn, Protocol=after["Protocol"], Endpoint=after["Endpoint"])


_NO_TOPIC = frozenset({"NotFound", "NotFoundException"})
_SETTLING = (Eventual("NotFound"), Eventual("NotFoundException"))

ROWS = {
    "metric_alarm": Row(
        "cloudwatch",
        _read_alarm,
        _write_alarm,
        _delete_alarm,
        {
            "read": "cloudwatch:DescribeAlarms",
            "write": "cloudwatch:PutMetricAlarm",
            "remove": "cloudwatch:DeleteAlarms",
        },
        missing=frozenset({"ResourceNotFound"}),
    ),
    "sns_topic": Row(
        "sns",
        _read_topic,
        _write_topic,
        _delete_topic,
        {
            "read": "sns:GetTopicAttributes, sns:ListTagsForResource",
            "write": "sns:CreateTopic, sns:TagResource",
            "remove": "sns:DeleteTopic",
        },
        missing=_NO_TOPIC,
    ),
    "sns_topic_policy": Row(
        "sns",
        _read_topic_policy,
        _write_topic_policy,
        never_removed,
        {"read": "sns:GetTopicAttributes", "write": "sns:SetTopicAttributes", "remove": ""},
        missing=_NO_TOPIC,
        eventual=_SETTLING,
    ),
    "sns_subscription": Row(
        "sns",
        _read_subscription,
        _write_subscription,
        never_removed,
        {"read": "sns:ListSubscriptionsByTopic", "write": "sns:Subscribe", "remove": ""},
        missing=_NO_TOPIC,
        eventual=_SETTLING,
    ),
}
