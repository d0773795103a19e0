# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""CloudWatch and SNS in memory: alarms, metrics, topics."""

from __future__ import annotations

import json
import re
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
        self.log_alarms: dict[tuple[str, str], Answer] = {}
        self.metrics: set[tuple[str, str, tuple[tuple[str, str], ...]]] = set()

    def _cloudwatch_DescribeAlarms(self, params: Answer, region: str) -> Answer:
        wanted, prefix, types = params.get("AlarmNames"), params.get("AlarmNamePrefix", ""), params.get("AlarmTypes")
        most = params.get("MaxRecords", ALARM_PAGE)
        by_type = {"MetricAlarm": self.alarms, "CompositeAlarm": self.composite_alarms, "LogAlarm": self.log_alarms}
        found = [
            (kind, alarm)
            for kind in types or ["MetricAlarm"]
            for (name, where), alarm in sorted(by_type[kind].items())
            if where == region and (name in wanted if wanted is not None else name.startswith(prefix))
        ]
        page = int(params.get("NextToken", 0))
        more = {"NextToken": str(page + 1)} if (page + 1) * most < len(found) else {}
        shown = found[page * most : (page + 1) * most]
        return {**{f"{one}s": [alarm for kind, alarm in shown if kind == one] for one in by_type}, **more}

    def _cloudwatch_PutMetricAlarm(self, params: Answer, region: str) -> None:
        both = {"Statistic", "ExtendedStatistic"} <= set(params) or {"Metrics", "MetricName"} <= set(params)
        minutes = params["EvaluationPeriods"] * params.get("Period", 60) / 60
        most = 7 * 1440 if params.get("Period", 60) >= 3600 else 1440  # PutMetricAlarm: EvaluationPeriods
        if both or minutes > most or params.get("DatapointsToAlarm", 1) > params["EvaluationPeriods"]:
            raise client_error("ValidationError", "these parameters exclude each other, or are out of range")
        state = self.alarms.get((params["AlarmName"], region), {}).get("StateValue", "INSUFFICIENT_DATA")
        self.alarms[params["AlarmName"], region] = {"StateValue": state, **params}

    def _cloudwatch_PutCompositeAlarm(self, params: Answer, region: str) -> None:
        needed = [*_children(params), *([params["ActionsSuppressor"]] if "ActionsSuppressor" in params else [])]
        there = {name for name, where in (*self.alarms, *self.composite_alarms) if where == region}
        if missing := [name for name in needed if name not in there]:
            raise client_error("ValidationError", f"Could not save the composite alarm as {missing} do not exist")
        if len(needed) > 101:
            raise client_error("ValidationError", "more than 100 children")
        self.composite_alarms[params["AlarmName"], region] = {"StateValue": "INSUFFICIENT_DATA", **params}

    def _cloudwatch_DeleteAlarms(self, params: Answer, region: str) -> None:
        for name in params["AlarmNames"]:
            parents = [
                parent
                for (parent, where), alarm in self.composite_alarms.items()
                if where == region and name in (*_children(alarm), alarm.get("ActionsSuppressor"))
            ]
            if parents:
                raise client_error("ValidationError", f"Cannot delete {name}: composite alarms depend on it: {parents}")
            alarms = self.composite_alarms if (name, region) in self.composite_alarms else self.alarms
            if alarms.pop((name, region), None) is None:
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
        field = {"Policy": "policy", "KmsMasterKeyId": "key"}[params["AttributeName"]]
        setattr(self._topic(params), field, params["AttributeValue"])

    def _sns_ListTagsForResource(self, params: Answer, region: str) -> Answer:
        return {"Tags": tag_list(self._topic(params).tags)}

    def _sns_Subscribe(self, params: Answer, region: str) -> None:
        self._topic(params).subscriptions.append({"Protocol": params["Protocol"], "Endpoint": params["Endpoint"]})

    def _sns_ListSubscriptionsByTopic(self, params: Answer, region: str) -> Answer:
        found, page = self._topic(params).subscriptions, int(params.get("NextToken", 0))
        more = {"NextToken": str(page + 1)} if (page + 1) * SUBSCRIPTION_PAGE < len(found) else {}
        shown = found[page * SUBSCRIPTION_PAGE : (page + 1) * SUBSCRIPTION_PAGE]
        return {"Subscriptions": [{"SubscriptionArn": _subscription_arn(one), **one} for one in shown], **more}


def _children(composite: Answer) -> list[str]:
    """The alarms that the rule of a composite alarm names."""
    return re.findall(r'ALARM\("([^"]*)"\)', composite["AlarmRule"])


def _subscription_arn(subscription: Answer) -> str:
    by_hand = subscription["Protocol"] in ("email", "email-json", "http", "https")
    return "PendingConfirmation" if by_hand else f"arn:aws:sns:us-east-1:{OWNER}:a-topic:a-subscription"
