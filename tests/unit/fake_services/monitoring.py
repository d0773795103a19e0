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
    key: str | None = None


ALARM_PAGE = 100
SUBSCRIPTION_PAGE = 100


class FakeMonitoring(Service):
    """CloudWatch and SNS of the account."""

    def __init__(self) -> None:
        super().__init__()
        self.topics: dict[str, Topic] = {}
        self.alarms: dict[tuple[str, str], Answer] = {}
        self.composite_alarms: dict[tuple[str, str], Answer] = {}
        self.metrics: set[tuple[str, str, tuple[tuple[str, str], ...]]] = set()

    def _cloudwatch_DescribeAlarms(self, params: Answer, region: str) -> Answer:
        wanted = params.get("AlarmNames")
        found = [
            alarm
            for (name, where), alarm in sorted(self.alarms.items())
            if where == region and (wanted is None or name in wanted)
        ]
        page = int(params.get("NextToken", 0))
        more = {"NextToken": str(page + 1)} if (page + 1) * ALARM_PAGE < len(found) else {}
        composite = [alarm for (_name, where), alarm in sorted(self.composite_alarms.items()) if where == region]
        return {
            "MetricAlarms": found[page * ALARM_PAGE : (page + 1) * ALARM_PAGE],
            "CompositeAlarms": composite if "CompositeAlarm" in params.get("AlarmTypes", ()) and not page else [],
            **more,
        }

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
        topic = self._topic(params)
        key = {"KmsMasterKeyId": topic.key} if topic.key else {}
        return {"Attributes": {"TopicArn": params["TopicArn"], "Policy": topic.policy, **key}}

    def _sns_SetTopicAttributes(self, params: Answer, region: str) -> None:
        assert params["AttributeName"] == "Policy"
        self._topic(params).policy = params["AttributeValue"]

    def _sns_ListTagsForResource(self, params: Answer, region: str) -> Answer:
        return {"Tags": tag_list(self._topic(params).tags)}

    def _sns_Subscribe(self, params: Answer, region: str) -> None:
        self._topic(params).subscriptions.append({"Protocol": params["Protocol"], "Endpoint": params["Endpoint"]})

    def _sns_ListSubscriptionsByTopic(self, params: Answer, region: str) -> Answer:
        found, page = self._topic(params).subscriptions, int(params.get("NextToken", 0))
        more = {"NextToken": str(page + 1)} if (page + 1) * SUBSCRIPTION_PAGE < len(found) else {}
        return {"Subscriptions": found[page * SUBSCRIPTION_PAGE : (page + 1) * SUBSCRIPTION_PAGE], **more}
