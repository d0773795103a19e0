# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""SQS in memory, and S3's notifications, whose targets must let S3 in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import combinations

from .calls import Answer, client_error
from .monitoring import FakeMonitoring
from .s3 import FakeS3

_TARGETS = {"QueueArn": "sqs:SendMessage", "TopicArn": "sns:Publish"}
_LISTS = ("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations")


@dataclass
class Queue:
    """One queue of SQS."""

    attributes: dict[str, str]
    tags: dict[str, str] = field(default_factory=dict)


class FakeQueues(FakeS3, FakeMonitoring):
    """SQS of all accounts, and what S3 asks SQS and SNS when a bucket is to notify them."""

    def __init__(self) -> None:
        super().__init__()
        self.queues: dict[str, Queue] = {}
        """By their ARN."""

    def _queue(self, params: Answer, region: str) -> Queue:
        name = params["QueueUrl"].rsplit("/", 1)[1]
        return self._existing(self._queue_arn(name, region))

    def _queue_arn(self, name: str, region: str) -> str:
        return f"arn:aws:sqs:{region}:{self.account}:{name}"

    def _existing(self, arn: str) -> Queue:
        if arn not in self.queues:
            raise client_error("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return self.queues[arn]

    def _sqs_GetQueueUrl(self, params: Answer, region: str) -> Answer:
        assert params["QueueOwnerAWSAccountId"] == self.account
        self._existing(self._queue_arn(params["QueueName"], region))
        return {"QueueUrl": f"https://sqs.{region}.amazonaws.com/{self.account}/{params['QueueName']}"}

    def _sqs_ListQueueTags(self, params: Answer, region: str) -> Answer:
        return {"Tags": self._queue(params, region).tags}

    def _sqs_CreateQueue(self, params: Answer, region: str) -> None:
        arn = self._queue_arn(params["QueueName"], region)
        if arn in self.queues:
            raise client_error("QueueNameExists", "A queue already exists with the same name")
        self.queues[arn] = Queue({"QueueArn": arn, **params["Attributes"]}, params["tags"])

    def _sqs_DeleteQueue(self, params: Answer, region: str) -> None:
        queue = self._queue(params, region)
        del self.queues[queue.attributes["QueueArn"]]

    def _sqs_GetQueueAttributes(self, params: Answer, region: str) -> Answer:
        attributes = self._queue(params, region).attributes
        return {"Attributes": {name: attributes[name] for name in params["AttributeNames"] if name in attributes}}

    def _sqs_SetQueueAttributes(self, params: Answer, region: str) -> None:
        attributes = self._queue(params, region).attributes
        attributes.update(params["Attributes"])
        if not attributes.get("Policy"):
            attributes.pop("Policy", None)

    def _s3_PutBucketNotificationConfiguration(self, params: Answer, region: str) -> None:
        bucket, configuration = self._bucket(params, region), params["NotificationConfiguration"]
        entries = [entry for many in _LISTS for entry in configuration.get(many, [])]
        for one, other in combinations(entries, 2):
            if set(one["Events"]) & set(other["Events"]) and one.get("Filter") == other.get("Filter"):
                raise client_error("InvalidArgument", "Configuration is ambiguously defined.")
        if not params.get("SkipDestinationValidation"):
            for entry in entries:
                self._check_target(entry, params["Bucket"], region)
        bucket.notification = configuration

    def _check_target(self, entry: Answer, bucket: str, region: str) -> None:
        for field_name, action in _TARGETS.items():
            arn = entry.get(field_name)
            if arn and (arn.split(":")[3] != region or not self._lets_s3_in(arn, action, bucket)):
                raise client_error("InvalidArgument", "Unable to validate the following destination configurations")

    def _lets_s3_in(self, arn: str, action: str, bucket: str) -> bool:
        if arn in self.queues:
            policy = self.queues[arn].attributes.get("Policy")
        else:
            policy = self.topics[arn].policy if arn in self.topics else None
        return any(
            statement.get("Principal") == {"Service": "s3.amazonaws.com"}
            and statement["Action"] == action
            and statement["Resource"] == arn
            and statement["Condition"]["ArnLike"]["aws:SourceArn"] == f"arn:aws:s3:::{bucket}"
            and statement["Condition"]["StringEquals"]["aws:SourceAccount"] == arn.split(":")[4]
            for statement in json.loads(policy or "{}").get("Statement", [])
        )
