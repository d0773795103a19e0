# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Whom topics and queues take messages from. MiniStack asks their policies only when it checks every caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import sns, sqs

from .delivery_keys import Sending
from .fitting import corrects, uses
from .role import service_may

uses("services.sns", "_topic_by_arn_any_scope(topic_arn)")
uses("services.sqs", "_queue_by_arn(arn)")

ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


@corrects("services.sns", "topic_policy_allows(topic_arn, service, source_arn, source_account)")
def ask_topic(
    original: Callable[..., bool], topic_arn: str, service: str, source_arn: str, source_account: str
) -> bool:
    """S3 User Guide, grant-destinations-permissions-to-s3: the topic's policy must let the service publish."""
    topic = sns._topic_by_arn_any_scope(topic_arn)
    sending = Sending(service, source_arn, source_account, topic_arn)
    return topic is not None and may_send(sending, "sns:Publish", topic["attributes"])


@corrects("services.sqs", "queue_policy_allows(queue_arn, service, source_arn, source_account)")
def ask_queue(
    original: Callable[..., bool], queue_arn: str, service: str, source_arn: str, source_account: str
) -> bool:
    """S3 User Guide, grant-destinations-permissions-to-s3; SNS Developer Guide, subscribe-sqs-queue-to-sns-topic: the
    queue's policy must let the service send."""
    queue = sqs._queue_by_arn(queue_arn)
    sending = Sending(service, source_arn, source_account, queue_arn)
    return queue is not None and may_send(sending, "sqs:SendMessage", queue["attributes"])


def may_send(sending: Sending, action: str, attributes: dict[str, str]) -> bool:
    """What the target's policy says and, if it is encrypted, its key's."""
    account, policy, key = sending.account, attributes.get("Policy"), attributes.get("KmsMasterKeyId")
    keys = {"aws:SourceArn": sending.source, "aws:SourceAccount": account, "aws:SourceOwner": account}
    if not policy or not service_may(sending.service, action, sending.target, policy, keys):
        return False
    return not key or sending.may_use(key)


@corrects("services.cloudwatch", "_dispatch_alarm_actions(alarm, old_state, new_state, reason)")
def ask_topics_of_alarm(
    original: Callable[..., None], alarm: dict[str, Any], old_state: str, new_state: str, reason: str
) -> None:
    """CloudWatch User Guide, Notify_Users_Alarm_Changes: the topic's policy must let CloudWatch publish."""
    name = ACTIONS.get(new_state, "")
    allowed = [
        action
        for action in alarm.get(name) or []
        if sns.topic_policy_allows(action, "cloudwatch.amazonaws.com", alarm["AlarmArn"], get_account_id())
    ]
    original(alarm | {name: allowed}, old_state, new_state, reason)
