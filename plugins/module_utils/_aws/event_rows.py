# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of what failure events need: a bucket's notifications, and queues of SQS.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from typing import Any

from .._core.model import Address, Document
from .row import Client, Eventual, Row, never_removed
from .s3_rows import NO_BUCKET, bucket_args


def _read_notification(client: Client, address: Address) -> Document | None:
    """A bucket without notifications has an empty configuration and no error."""
    answer = client.get_bucket_notification_configuration(**bucket_args(address))
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"} or None


def _write_notification(client: Client, address: Address, before: Document | None, after: Document) -> None:
    """S3 sends a test event to the targets, and refuses all entries when one target does not take it.

    Where an entry only goes, S3 is asked not to: somebody else's target that is broken must not keep ours from going.
    """
    known = _entries(before)
    only_less = all(entry in known for entry in _entries(after))
    client.put_bucket_notification_configuration(
        **bucket_args(address),
        NotificationConfiguration=after,
        **({"SkipDestinationValidation": True} if only_less else {}),
    )


def _entries(document: Document | None) -> list[Any]:
    return [entry for entries in (document or {}).values() if isinstance(entries, list) for entry in entries]


def _remove_notification(client: Client, address: Address, before: Document) -> None:
    client.put_bucket_notification_configuration(**bucket_args(address), NotificationConfiguration={})


def _url(client: Client, address: Address) -> str:
    return str(client.get_queue_url(QueueName=address.name, QueueOwnerAWSAccountId=address.account)["QueueUrl"])


def _read_queue(client: Client, address: Address) -> Document:
    return {"Tags": client.list_queue_tags(QueueUrl=_url(client, address)).get("Tags", {})}


def _write_queue(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.create_queue(QueueName=address.name, Attributes=after.get("Attributes", {}), tags=after["Tags"])


def _read_queue_encryption(client: Client, address: Address) -> Document | None:
    answer = client.get_queue_attributes(QueueUrl=_url(client, address), AttributeNames=[_QUEUE_KEY])
    key = answer.get("Attributes", {}).get(_QUEUE_KEY)
    return {_QUEUE_KEY: key} if key else None


def _write_queue_encryption(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.set_queue_attributes(QueueUrl=_url(client, address), Attributes={_QUEUE_KEY: after[_QUEUE_KEY]})


def _delete_queue(client: Client, address: Address, before: Document) -> None:
    client.delete_queue(QueueUrl=_url(client, address))


def _read_queue_policy(client: Client, address: Address) -> Document | None:
    answer = client.get_queue_attributes(QueueUrl=_url(client, address), AttributeNames=["Policy"])
    text = answer.get("Attributes", {}).get("Policy")
    return dict(json.loads(text)) if text else None


def _write_queue_policy(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.set_queue_attributes(QueueUrl=_url(client, address), Attributes={"Policy": json.dumps(after)})


def _remove_queue_policy(client: Client, address: Address, before: Document) -> None:
    client.set_queue_attributes(QueueUrl=_url(client, address), Attributes={"Policy": ""})


_QUEUE_KEY = "KmsMasterKeyId"
_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_SETTLING = tuple(Eventual(code) for code in sorted(_NO_QUEUE))
"""A queue that was made a moment ago."""

ROWS = {
    "bucket_notification": Row(
        "s3",
        _read_notification,
        _write_notification,
        _remove_notification,
        {
            "read": "s3:GetBucketNotification",
            "write": "s3:PutBucketNotification",
            "remove": "s3:PutBucketNotification",
        },
        missing=NO_BUCKET,
        eventual=(
            Eventual("NoSuchBucket"),
            Eventual("OperationAborted"),
            # The policy of the target was written a moment ago.
            Eventual("InvalidArgument", "Unable to validate the following destination configurations"),
        ),
        shared=True,
    ),
    "sqs_queue": Row(
        "sqs",
        _read_queue,
        _write_queue,
        _delete_queue,
        {
            "read": "sqs:GetQueueUrl, sqs:ListQueueTags",
            "write": "sqs:CreateQueue, sqs:TagQueue",
            "remove": "sqs:GetQueueUrl, sqs:DeleteQueue",
        },
        missing=_NO_QUEUE,
        # A queue of that name was deleted less than a minute ago.
        eventual=(
            Eventual("AWS.SimpleQueueService.QueueDeletedRecently"),
            Eventual("QueueDeletedRecently"),
        ),
        seen_later=True,
    ),
    "sqs_queue_encryption": Row(
        "sqs",
        _read_queue_encryption,
        _write_queue_encryption,
        never_removed,
        {
            "read": "sqs:GetQueueUrl, sqs:GetQueueAttributes",
            "write": "sqs:GetQueueUrl, sqs:SetQueueAttributes",
            "remove": "",
        },
        missing=_NO_QUEUE,
        eventual=_SETTLING,
    ),
    "sqs_queue_policy": Row(
        "sqs",
        _read_queue_policy,
        _write_queue_policy,
        _remove_queue_policy,
        {
            "read": "sqs:GetQueueUrl, sqs:GetQueueAttributes",
            "write": "sqs:GetQueueUrl, sqs:SetQueueAttributes",
            "remove": "sqs:GetQueueUrl, sqs:SetQueueAttributes",
        },
        missing=_NO_QUEUE,
        eventual=_SETTLING,
        shared=True,
    ),
}
