# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of CloudWatch's and SNS's kinds. A subscription's name is `topic:protocol:endpoint`.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from .._core.merging import SNS_DEFAULT_SID, statements_of
from .._core.model import Address, Document
from .row import Client, Eventual, Row, never_removed
from .sdk_errors import ClientError, error_code

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
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_LOG_ALARM = "LogAlarm"
_NO_SUCH_TYPE = ("ValidationError", "ValidationException", "InvalidParameterValue")
_NEVER_WISHED = ("ExtendedStatistic", "Unit", "Metrics", "ThresholdMetricId", "EvaluateLowSampleCountPercentile")
"""What makes another alarm of ours, or one that never fires. PutMetricAlarm replaces all, so writing ours clears it."""
_COMPOSITE_FIELDS = (
    "AlarmRule",
    "AlarmDescription",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
)


def _read_alarms(client: Client, addresses: Sequence[Address]) -> list[Document | None]:
    names = [address.name for address in addresses]
    alarms = client.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm"], MaxRecords=len(names))["MetricAlarms"]
    found = {alarm["AlarmName"]: _metric_alarm(alarm) for alarm in alarms}
    return [found.get(name) for name in names]


def _metric_alarm(alarm: Document) -> Document:
    foreign = {field: alarm[field] for field in _NEVER_WISHED if alarm.get(field)}
    return {"Dimensions": [], **_fields(alarm, _ALARM_FIELDS), **foreign}


def _read_alarm(client: Client, address: Address) -> Document | None:
    return _read_alarms(client, [address])[0]


def _read_composites(client: Client, addresses: Sequence[Address]) -> list[Document | None]:
    names = [address.name for address in addresses]
    answer = client.describe_alarms(AlarmNames=names, AlarmTypes=["CompositeAlarm"], MaxRecords=len(names))
    found = {alarm["AlarmName"]: _composite(alarm) for alarm in answer.get("CompositeAlarms", [])}
    return [found.get(name) for name in names]


def _composite(alarm: Document) -> Document:
    """CloudWatch takes the name or the ARN of a suppressor, which mean the same alarm of the same Region."""
    document = dict(_fields(alarm, _COMPOSITE_FIELDS))
    if "ActionsSuppressor" in document:
        document["ActionsSuppressor"] = document["ActionsSuppressor"].rpartition(":alarm:")[2]
    return document


def _read_composite(client: Client, address: Address) -> Document | None:
    return _read_composites(client, [address])[0]


def _fields(alarm: Document, fields: Sequence[str]) -> Document:
    return {field: alarm[field] for field in fields if field in alarm}


def _write_composite(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_composite_alarm(AlarmName=address.name, **after)


def _write_alarm(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_metric_alarm(AlarmName=address.name, **after)


def _delete_alarm(client: Client, address: Address, before: Document) -> None:
    client.delete_alarms(AlarmNames=[address.name])


def alarms_notifying(client: Client, topic: str) -> list[str]:
    """The names of a Region's alarms that notify the topic (an ARN), whoever made them."""
    return [
        alarm["AlarmName"]
        for alarm in (*_alarms_of(client, "MetricAlarm", "CompositeAlarm"), *_log_alarms(client))
        if any(topic in alarm.get(field, []) for field in _ACTIONS)
    ]


def _log_alarms(client: Client) -> list[Document]:
    """Those on logs are asked for alone: where AWS does not have that type yet, or the SDK does not, there are none."""
    if _LOG_ALARM not in client.meta.service_model.shape_for("AlarmType").enum:
        return []
    try:
        return list(_alarms_of(client, _LOG_ALARM))
    except ClientError as error:
        if error_code(error) in _NO_SUCH_TYPE:
            return []
        raise


def _alarms_of(client: Client, *types: str) -> Iterator[Document]:
    for page in client.get_paginator("describe_alarms").paginate(AlarmTypes=list(types)):
        for one in types:
            yield from page.get(f"{one}s", [])


def alarms_named(client: Client, prefix: str) -> list[str]:
    """The names of a Region's alarms that begin so, metric alarms and composite ones."""
    types = ["MetricAlarm", "CompositeAlarm"]
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix, AlarmTypes=types)
    return [
        alarm["AlarmName"]
        for page in pages
        for alarm in (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", []))
    ]


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


def _read_topic_encryption(client: Client, address: Address) -> Document | None:
    key = client.get_topic_attributes(TopicArn=_topic_arn(client, address, address.name))["Attributes"].get(_TOPIC_KEY)
    return {_TOPIC_KEY: key} if key else None


def _write_topic_encryption(client: Client, address: Address, before: Document | None, after: Document) -> None:
    arn = _topic_arn(client, address, address.name)
    client.set_topic_attributes(TopicArn=arn, AttributeName=_TOPIC_KEY, AttributeValue=after[_TOPIC_KEY])


def _read_topic_policy(client: Client, address: Address) -> Document:
    arn = _topic_arn(client, address, address.name)
    policy: Document = json.loads(client.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    return policy


def _is_a_new_topics(policy: Document) -> bool:
    return all(statement.get("Sid") == SNS_DEFAULT_SID for statement in statements_of(policy))


def _write_topic_policy(client: Client, address: Address, before: Document | None, after: Document) -> None:
    arn = _topic_arn(client, address, address.name)
    client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(after))


def _read_subscription(client: Client, address: Address) -> Document | None:
    topic, protocol, endpoint = address.name.split(":", 2)
    arn = _topic_arn(client, address, topic)
    for page in client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn):
        for subscription in page["Subscriptions"]:
            if (subscription["Protocol"], subscription["Endpoint"]) == (protocol, endpoint):
                arn = subscription.get("SubscriptionArn", "")  # "PendingConfirmation" while nobody has confirmed it
                return {"Protocol": protocol, "Endpoint": endpoint, "SubscriptionArn": arn}
    return None


def _write_subscription(client: Client, address: Address, before: Document | None, after: Document) -> None:
    topic = address.name.split(":", 1)[0]
    arn = _topic_arn(client, address, topic)
    client.subscribe(TopicArn=arn, Protocol=after["Protocol"], Endpoint=after["Endpoint"])


_TOPIC_KEY = "KmsMasterKeyId"
_ALARMS_PER_SECOND = 3.0
"""CloudWatch User Guide, "CloudWatch service quotas": of each call that writes alarms, by account and Region."""
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
        read_many=_read_alarms,
        writes_per_second=_ALARMS_PER_SECOND,
    ),
    "composite_alarm": Row(
        "cloudwatch",
        _read_composite,
        _write_composite,
        _delete_alarm,
        {
            "read": "cloudwatch:DescribeAlarms",
            "write": "cloudwatch:PutCompositeAlarm",
            "remove": "cloudwatch:DeleteAlarms",
        },
        missing=frozenset({"ResourceNotFound"}),
        read_many=_read_composites,
        writes_per_second=_ALARMS_PER_SECOND,
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
    "sns_topic_encryption": Row(
        "sns",
        _read_topic_encryption,
        _write_topic_encryption,
        never_removed,
        {"read": "sns:GetTopicAttributes", "write": "sns:SetTopicAttributes", "remove": ""},
        missing=_NO_TOPIC,
        eventual=_SETTLING,
    ),
    "sns_topic_policy": Row(
        "sns",
        _read_topic_policy,
        _write_topic_policy,
        never_removed,
        {"read": "sns:GetTopicAttributes", "write": "sns:SetTopicAttributes", "remove": ""},
        missing=_NO_TOPIC,
        eventual=_SETTLING,
        shared=True,
        is_new=_is_a_new_topics,
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
