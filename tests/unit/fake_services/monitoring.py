# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""CloudWatch and SNS in memory: alarms, metrics, topics."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from .calls import OWNER, Answer, Service, client_error, tag_list, tag_map


@dataclass
class Topic:
    """One SNS topic with its subscriptions."""

    policy: str
    tags: dict[str, str] = field(default_factory=dict)
    subscriptions: list[Answer] = field(default_factory=list)


class FakeMonitoring(Service):
    """CloudWatch and SNS of the account."""

    def __init__(self) -> None:
        super().__init__()
        self.topics: dict[str, Topic] = {}
        self.alarms: dict[tuple[str, str], Answer] = {}
        self.metrics: set[tuple[str, str, tuple[tuple[str, str], ...]]] = set()

    def _cloudwatch_DescribeAlarms(self, params: Answer, region: str) -> Answer:
        wanted = params.get("AlarmNames")
        found = [
            alarm
            for (name, where), alarm in sorted(self.alarms.items())
            if where == region and (wanted is None or name in wanted)
        ]
        return {"MetricAlarms": found}

    def _cloudwatch_PutMetricAlarm(self, params: Answer, region: str) -> None:
        self.alarms[params["AlarmName"], region] = {"StateValue": "INSUFFICIENT_DATA", **params}

    def _cloudwatch_DeleteAlarms(self, params: Answer, region: str) -> None:
        for name in params["AlarmNames"]:
            if self.alarms.pop((name, region), None) is None:
                raise client_error("ResourceNotFound", "The alarm does not exist")

    def _cloudwatch_ListMetrics(self, params: Answer, region: str) -> Answer:
        dimensions = tuple(sorted((one["Name"], one["Value"]) for one in params["Dimensions"]))
        there = (region, params["MetricName"], dimensions) in self.metrics
        return {"Metrics": [{"Namespace": "AWS/S3", "MetricName": params["MetricName"]}] if there else []}

    def _topic(self, params: Answer) -> Topic:
        arn = params.get("TopicArn") or params.get("ResourceArn")
        if arn not in self.topics:
            raise client_error("NotFound", "Topic does not exist")
        return self.topics[arn]

    def _sns_CreateTopic(self, params: Answer, region: str) -> Answer:
        arn = f"arn:aws:sns:{region}:{OWNER}:{params['Name']}"
        default = {"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": arn}
        policy = {"Version": "2008-10-17", "Statement": [{**default, "Action": ["SNS:Publish"]}]}
        self.topics.setdefault(arn, Topic(json.dumps(policy), tag_map(params.get("Tags", []))))
        return {"TopicArn": arn}

    def _sns_DeleteTopic(self, params: Answer, region: str) -> None:
        self._topic(params)
        del self.topics[params["TopicArn"]]

    def _sns_GetTopicAttributes(self, params: Answer, region: str) -> Answer:
        return {"Attributes": {"TopicArn": params["TopicArn"], "Policy": self._topic(params).policy}}

    def _sns_SetTopicAttributes(self, params: Answer, region: str) -> None:
        assert params["AttributeName"] == "Policy"
        self._topic(params).policy = params["AttributeValue"]

    def _sns_ListTagsForResource(self, params: Answer, region: str) -> Answer:
        return {"Tags": tag_list(self._topic(params).tags)}

    def _sns_Subscribe(self, params: Answer, region: str) -> None:
        self._topic(params).subscriptions.append({"Protocol": params["Protocol"], "Endpoint": params["Endpoint"]})

    def _sns_ListSubscriptionsByTopic(self, params: Answer, region: str) -> Answer:
        return {"Subscriptions": self._topic(params).subscriptions}
