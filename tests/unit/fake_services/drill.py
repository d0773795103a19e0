# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What an alarm drill needs of AWS: objects that fail, alarms that fire, topics that deliver to queues."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

from ..fake_aws import OWNER, FakeAws
from .calls import Answer, client_error

FAILURES = "OperationsFailedReplication"


class DrillAws(FakeAws):
    """An AWS whose alarms are evaluated at once."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, list[str]] = {}
        """The bodies that each queue holds, by its ARN."""
        self.silent: set[str] = set()
        """Metrics of which AWS publishes nothing."""
        self.deaf: set[str] = set()
        """Topics that deliver nothing."""
        self.stays: str | None = None
        """The status that a canary has, whatever happens to it."""
        self.ignores_denials = 0
        """So many objects are written before a denial is seen everywhere."""
        self.replicates = lambda version: self.stays or version.get("status")
        self._numbers = iter(range(10**9))

    # --- S3 -----------------------------------------------------------------------------------------------------

    def _s3_PutObject(self, params: Answer, region: str) -> Answer:
        answer = super()._s3_PutObject(params, region)
        bucket, key = self._bucket(params, region), params["Key"]
        rules = [one for one in (bucket.replication or {"Rules": []})["Rules"] if one["Status"] == "Enabled"]
        rules = [one for one in rules if key.startswith(one["Filter"].get("Prefix", ""))]
        failed = [one for one in rules if self._is_denied(one, key)]
        if failed and self.ignores_denials:
            self.ignores_denials -= 1
            failed = []
        for version in bucket.versions:
            if version["VersionId"] == answer.get("VersionId") and version["Key"] == key:
                version["status"] = None if not rules else "FAILED" if failed else "COMPLETED"
        for rule in rules:
            name = rule["Destination"]["Bucket"].rpartition(":")[2]
            there = [one for one in self.buckets[name].versions if one["VersionId"] == answer["VersionId"]]
            for version in there:
                version["status"] = "REPLICA"
                if rule in failed:
                    self.buckets[name].versions.remove(version)
        for rule in failed:
            self._fire(FAILURES, params["Bucket"], rule, region)
        return answer

    def _is_denied(self, rule: Answer, key: str) -> bool:
        policy = json.loads(self.buckets[rule["Destination"]["Bucket"].rpartition(":")[2]].policy or "{}")
        return any(
            fnmatchcase(f"{rule['Destination']['Bucket']}/{key}", resource.replace("[", "[[]"))
            for statement in policy.get("Statement", [])
            if statement["Effect"] == "Deny"
            for resource in statement["Resource"]
        )

    # --- CloudWatch ---------------------------------------------------------------------------------------------

    def _fire(self, metric: str, source: str, rule: Answer, region: str) -> None:
        wanted = {("SourceBucket", source), ("RuleId", rule["ID"])}
        for (_name, where), alarm in list(self.alarms.items()):
            given = {(one["Name"], one["Value"]) for one in alarm.get("Dimensions", [])}
            if where == region and alarm.get("MetricName") == metric and wanted <= given:
                self._alarm(alarm, region)

    def _alarm(self, alarm: Answer, region: str) -> None:
        if alarm["MetricName"] in self.silent or alarm["StateValue"] == "ALARM":
            return
        alarm["StateValue"] = "ALARM"
        self._tell(alarm)
        for (_name, where), composite in self.composite_alarms.items():
            named = f'ALARM("{alarm["AlarmName"]}")' in composite["AlarmRule"]
            if where == region and named and composite["StateValue"] != "ALARM":
                composite["StateValue"] = "ALARM"
                self._tell(composite)

    def _tell(self, alarm: Answer) -> None:
        message = {"AlarmName": alarm["AlarmName"], "NewStateValue": "ALARM", "StateChangeTime": "2026-11-23T14:04:05Z"}
        for topic in alarm["AlarmActions"]:
            for one in self.topics[topic].subscriptions if topic in self.topics and topic not in self.deaf else ():
                if one["Endpoint"] in self.queues and self._lets_in(one["Endpoint"], topic):
                    body = {"Type": "Notification", "TopicArn": topic, "Message": json.dumps(message)}
                    self.messages.setdefault(one["Endpoint"], []).append(json.dumps(body))

    def _lets_in(self, queue: str, topic: str) -> bool:
        policy = json.loads(self.queues[queue].attributes.get("Policy", "{}"))
        return any(
            topic in statement["Condition"]["ArnEquals"]["aws:SourceArn"] for statement in policy.get("Statement", [])
        )

    def calm(self) -> None:
        """All alarms are OK again."""
        for alarm in (*self.alarms.values(), *self.composite_alarms.values()):
            alarm["StateValue"] = "OK"

    def _cloudwatch_PutMetricAlarm(self, params: Answer, region: str) -> None:
        super()._cloudwatch_PutMetricAlarm(params, region)
        alarm = self.alarms[params["AlarmName"], region]
        if params["ComparisonOperator"] == "GreaterThanOrEqualToThreshold" and params["Threshold"] == 0:
            self._alarm(alarm, region)

    def _cloudwatch_GetMetricStatistics(self, params: Answer, region: str) -> Answer:
        there = params["MetricName"] not in self.silent
        return {"Datapoints": [{"Timestamp": self.now, "SampleCount": 1.0}] if there else []}

    # --- SNS and SQS --------------------------------------------------------------------------------------------

    def _sns_Subscribe(self, params: Answer, region: str) -> Answer:
        arn = f"{params['TopicArn']}:{next(self._numbers):08d}"
        one = {"Protocol": params["Protocol"], "Endpoint": params["Endpoint"], "SubscriptionArn": arn}
        self._topic(params).subscriptions.append(one)
        return {"SubscriptionArn": arn}

    def _sns_Unsubscribe(self, params: Answer, region: str) -> None:
        topic = self._topic({"TopicArn": params["SubscriptionArn"].rpartition(":")[0]})
        arn = params["SubscriptionArn"]
        topic.subscriptions = [one for one in topic.subscriptions if one.get("SubscriptionArn") != arn]

    def _sns_ListSubscriptions(self, params: Answer, region: str) -> Answer:
        found: list[Any] = []
        for arn, topic in self.topics.items():
            if arn.split(":")[3] == region:
                found += [{"SubscriptionArn": "PendingConfirmation", **one} for one in topic.subscriptions]
        return {"Subscriptions": found}

    def _sqs_CreateQueue(self, params: Answer, region: str) -> None:
        super()._sqs_CreateQueue({"Attributes": {}, **params}, region)

    def _sqs_DeleteQueue(self, params: Answer, region: str) -> None:
        self.messages.pop(self._queue(params, region).attributes["QueueArn"], None)
        super()._sqs_DeleteQueue(params, region)

    def _sqs_ReceiveMessage(self, params: Answer, region: str) -> Answer:
        arn = self._queue(params, region).attributes["QueueArn"]
        if params["VisibilityTimeout"] > 43200:
            raise client_error("InvalidParameterValue", "0 to 43200")
        bodies, most = self.messages.get(arn, []), params["MaxNumberOfMessages"]
        self.messages[arn] = bodies[most:]
        return {"Messages": [{"Body": body} for body in bodies[:most]]} if bodies else {}


class SlowQueues(DrillAws):
    """An SQS that shows a queue for a while after it was deleted, and makes none of its name then."""

    def __init__(self, made: DrillAws) -> None:
        super().__init__()
        vars(self).update(vars(made))
        self.shown: dict[str, int] = {}

    def _sqs_DeleteQueue(self, params: Answer, region: str) -> None:
        self.shown[self._queue(params, region).attributes["QueueArn"]] = 5

    def _vanish(self, arn: str) -> None:
        if arn in self.shown:
            self.shown[arn] -= 1
            if not self.shown[arn]:
                del self.shown[arn]
                self.queues.pop(arn, None)
                self.messages.pop(arn, None)

    def _sqs_GetQueueUrl(self, params: Answer, region: str) -> Answer:
        self._vanish(f"arn:aws:sqs:{region}:{OWNER}:{params['QueueName']}")
        return super()._sqs_GetQueueUrl(params, region)

    def _sqs_CreateQueue(self, params: Answer, region: str) -> None:
        arn = f"arn:aws:sqs:{region}:{OWNER}:{params['QueueName']}"
        if arn in self.shown:
            self._vanish(arn)
            raise client_error("QueueDeletedRecently", "wait 60 s", "CreateQueue")
        super()._sqs_CreateQueue(params, region)
