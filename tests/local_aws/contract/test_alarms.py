# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""When alarms change their state."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from local_aws.contract.test_events import a_key

NAMESPACE = "Contract"


def alarm(world, metric, dimensions, **changes):
    """An alarm on any value above 0 in the last 10 seconds; the answer reads its state."""
    cloudwatch, name = world.client("cloudwatch"), world.name("alarm")
    options = {
        "Namespace": NAMESPACE,
        "MetricName": metric,
        "Statistic": "Maximum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    cloudwatch.put_metric_alarm(AlarmName=name, **options | changes)
    world.cleanup.callback(cloudwatch.delete_alarms, AlarmNames=[name])
    return lambda: cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def publish(world, metric, value, seconds_ago=0.0, **dimensions):
    world.client("cloudwatch").put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {
                "MetricName": metric,
                "Value": value,
                "Timestamp": datetime.now(UTC) - timedelta(seconds=seconds_ago),
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            }
        ],
    )


def test_alarm_watches_its_dimensions_only(world):
    """CloudWatch User Guide, cloudwatch_concepts: each combination of dimensions is a metric of its own."""
    metric = world.name("metric")
    mine = alarm(world, metric, {"SourceBucket": "a"}, Period=60)
    other = alarm(world, metric, {"SourceBucket": "b"}, Period=60)
    part = alarm(world, metric, {}, Period=60)
    publish(world, metric, 5, SourceBucket="a")
    world.until(lambda: mine() == "ALARM", "the alarm of the metric went off")
    assert (other(), part()) == ("INSUFFICIENT_DATA", "INSUFFICIENT_DATA")


def test_alarm_fires_its_actions(world):
    """CloudWatch User Guide, alarm-actions: the topic of the alarm's Region gets the change."""
    metric, (topic, received) = world.name("metric"), topic_with_queue(world)
    alarm(world, metric, {"x": "y"}, Period=60, AlarmActions=[topic])
    publish(world, metric, 5, x="y")
    message = world.until(received, "the message came")[0]
    assert message["NewStateValue"] == "ALARM"


@pytest.mark.parametrize("closed", ["topic", "queue"])
def test_message_that_is_not_let_through(world, closed):
    """CloudWatch User Guide, Notify_Users_Alarm_Changes; SNS Developer Guide, subscribe-sqs-queue-to-sns-topic: a
    topic's policy must let CloudWatch publish, and a queue's policy the topic."""
    metric, (topic, received) = world.name("metric"), topic_with_queue(world)
    other, nothing = topic_with_queue(world, **{closed: "ec2"})
    alarm(world, metric, {"x": "y"}, Period=60, AlarmActions=[other, topic])
    publish(world, metric, 5, x="y")
    world.until(received, "the message came where it was allowed")
    assert nothing() == []


def test_topic_without_a_policy_of_its_own(world):
    """CloudWatch User Guide, Notify_Users_Alarm_Changes: the policy a topic is created with lets in the alarms of its
    account."""
    metric, (topic, received) = world.name("metric"), topic_with_queue(world, topic=None)
    alarm(world, metric, {"x": "y"}, Period=60, AlarmActions=[topic])
    publish(world, metric, 5, x="y")
    world.until(received, "the message came")


@pytest.mark.parametrize("closed", ["topic", "queue"])
@pytest.mark.parametrize("key", ["of AWS", "silent"])
def test_key_that_does_not_let_through(world, closed, key):
    """CloudWatch User Guide, Notify_Users_Alarm_Changes; SNS Developer Guide, sns-key-management: the key of an
    encrypted topic must let CloudWatch use it, that of an encrypted queue SNS; the keys of AWS let nobody."""
    metric, (topic, received) = world.name("metric"), encrypted(world, "topic", "cloudwatch.amazonaws.com")
    services = {"topic": [], "queue": []} if key == "silent" else {"topic": "alias/aws/sns", "queue": "alias/aws/sqs"}
    other, nothing = encrypted(world, closed, services[closed])
    alarm(world, metric, {"x": "y"}, Period=60, AlarmActions=[other, topic])
    publish(world, metric, 5, x="y")
    world.until(received, "the message came where it was allowed")
    assert nothing() == []


def test_encrypted_queue_of_a_topic(world):
    """SNS Developer Guide, sns-key-management: a key that lets SNS use it."""
    metric, (topic, received) = world.name("metric"), encrypted(world, "queue", "sns.amazonaws.com")
    alarm(world, metric, {"x": "y"}, Period=60, AlarmActions=[topic])
    publish(world, metric, 5, x="y")
    world.until(received, "the message came")


def encrypted(world, what, service):
    """A topic and its queue, one of them with the key named, or with one that this service may use."""
    topic, received = topic_with_queue(world)
    if isinstance(service, str) and "/" in service:
        key = service
    else:
        key = a_key(world, world.source_region, *([service] if service else []))
    if what == "topic":
        sns = world.client("sns")
        sns.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=key)
    else:
        subscriptions = world.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        sqs = world.client("sqs")
        url = sqs.get_queue_url(QueueName=subscriptions[0]["Endpoint"].rpartition(":")[2])["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": key})
    return topic, received


def test_subscription_by_mail_waits(world, refused):
    """SNS API, Subscribe and Subscription: mail and URLs have to be confirmed; a queue of the account has not."""
    sns = world.client("sns")
    topic, _received = topic_with_queue(world)
    subscribe = {"TopicArn": topic, "Protocol": "email", "Endpoint": "somebody@example.com"}
    assert sns.subscribe(**subscribe)["SubscriptionArn"] == "pending confirmation"
    assert sns.subscribe(**subscribe)["SubscriptionArn"] == "pending confirmation"
    arn = sns.subscribe(**subscribe, ReturnSubscriptionArn=True)["SubscriptionArn"]
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"
    listed = {
        item["Protocol"]: item["SubscriptionArn"]
        for item in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    }
    assert listed["email"] == "PendingConfirmation"
    assert listed["sqs"].startswith(f"{topic}:")
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["SubscriptionsPending"], attributes["SubscriptionsConfirmed"]) == ("1", "1")
    with refused("InvalidParameter"):
        sns.unsubscribe(SubscriptionArn="PendingConfirmation")
    sns.unsubscribe(SubscriptionArn=listed["sqs"])
    left = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [item["Protocol"] for item in left] == ["email"]


def test_m_of_n_periods(world):
    """CloudWatch User Guide, AlarmThatSendsEmail: DatapointsToAlarm of the last EvaluationPeriods."""
    metric = world.name("metric")
    two = alarm(world, metric, {"x": "y"}, Period=60, EvaluationPeriods=3, DatapointsToAlarm=2)
    three = alarm(world, metric, {"x": "y"}, Period=60, EvaluationPeriods=3, DatapointsToAlarm=3)
    for minutes, value in enumerate((5, 0, 5)):
        publish(world, metric, value, seconds_ago=60 * minutes + 5, x="y")
    world.until(lambda: two() == "ALARM", "two of three periods were enough")
    assert three() == "OK"


def test_missing_data(world):
    """CloudWatch User Guide, AlarmThatSendsEmail: what a period without data means is the alarm's choice."""
    metric = world.name("metric")
    states = {
        treatment: alarm(world, metric, {"x": "y"}, TreatMissingData=treatment)
        for treatment in ("breaching", "notBreaching", "ignore", "missing")
    }
    world.until(lambda: states["breaching"]() == "ALARM", "missing data was taken as breaching")
    world.until(lambda: states["notBreaching"]() == "OK", "missing data was taken as not breaching")
    assert (states["ignore"](), states["missing"]()) == ("INSUFFICIENT_DATA", "INSUFFICIENT_DATA")


def test_alarm_goes_back_when_data_ends(world):
    """CloudWatch User Guide, AlarmThatSendsEmail: ignore keeps the state, missing gives INSUFFICIENT_DATA."""
    metric = world.name("metric")
    kept = alarm(world, metric, {"x": "y"}, TreatMissingData="ignore")
    lost = alarm(world, metric, {"x": "y"}, TreatMissingData="missing")
    publish(world, metric, 5, x="y")
    world.until(lambda: kept() == lost() == "ALARM", "both went off")
    world.until(lambda: lost() == "INSUFFICIENT_DATA", "the data was missed")
    assert kept() == "ALARM"


def test_failed_replication_reaches_the_queue(world):
    """S3 User Guide, repl-metrics; CloudWatch User Guide, alarm-actions: the failure metric of the source's Region, an
    alarm on its three dimensions, the topic, and the queue subscribed to it, all in that Region."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination, without="s3:ReplicateObject")
    world.replicate(source, role, world.rule(destination, to={"Metrics": {"Status": "Enabled"}}))
    topic, received = topic_with_queue(world)
    state = alarm(
        world,
        "OperationsFailedReplication",
        {"SourceBucket": source, "DestinationBucket": destination, "RuleId": "dr"},
        Namespace="AWS/S3",
        Statistic="Sum",
        Period=60,
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )
    world.put(source)
    world.until(lambda: state() == "ALARM", "the alarm went off")
    message = world.until(received, "the message came")[0]
    assert (message["NewStateValue"], message["Region"] != "") == ("ALARM", True)
    assert message["Trigger"]["MetricName"] == "OperationsFailedReplication"


def topic_with_queue(world, topic="cloudwatch", queue="sns"):
    """A topic and what is read from the queue subscribed to it, each open to one service."""
    to_topic, to_queue = topic, queue
    sns, sqs = world.client("sns"), world.client("sqs")
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    world.cleanup.callback(sns.delete_topic, TopicArn=topic)
    url = sqs.create_queue(QueueName=world.name("queue"))["QueueUrl"]
    world.cleanup.callback(sqs.delete_queue, QueueUrl=url)
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    if to_topic:
        policy = allowing(to_topic, "SNS:Publish", topic)
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": allowing(to_queue, "sqs:SendMessage", queue)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    def received():
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        return [json.loads(json.loads(message["Body"])["Message"]) for message in messages]

    return topic, received


def allowing(service, action, resource):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def ops_items(world, name):
    """The OpsItems whose title names the alarm."""
    wish = [{"Key": "Title", "Values": [name], "Operator": "Contains"}]
    return world.client("ssm").describe_ops_items(OpsItemFilters=wish)["OpsItemSummaries"]


def resolve(world, item):
    world.client("ssm").update_ops_item(OpsItemId=item["OpsItemId"], Status="Resolved")


@pytest.mark.parametrize(("more", "category"), [("", None), ("#CATEGORY=Availability", "Availability")])
def test_alarm_creates_an_ops_item(world, more, category):
    """CloudWatch User Guide, alarm actions for Systems Manager: opsitem:SEVERITY[#CATEGORY=...], in ALARM only."""
    cloudwatch, name = world.client("cloudwatch"), world.name("alarm")
    action = f"arn:aws:ssm:{world.source_region}:{world.account_id()}:opsitem:2{more}"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=NAMESPACE,
        MetricName=world.name("metric"),
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0.0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[action],
    )
    world.cleanup.callback(cloudwatch.delete_alarms, AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    (summary,) = world.until(lambda: ops_items(world, name), "the OpsItem was created")
    world.cleanup.callback(resolve, world, summary)
    item = world.client("ssm").get_ops_item(OpsItemId=summary["OpsItemId"])["OpsItem"]
    assert (item["Severity"], item.get("Category"), item["Status"]) == ("2", category, "Open")


def test_ops_item_is_not_made_twice(world):
    """Systems Manager API, CreateOpsItem: an open one with the same deduplication string is a conflict; OperationalData
    and status can be changed."""
    ssm, title = world.client("ssm"), world.name("item")
    data = {"/aws/dedup": {"Value": json.dumps({"dedupString": title}), "Type": "SearchableString"}}
    wish = {"Title": title, "Source": "contract", "Description": "test", "Priority": 3, "OperationalData": data}
    first = ssm.create_ops_item(**wish)["OpsItemId"]
    with pytest.raises(ssm.exceptions.OpsItemAlreadyExistsException):
        ssm.create_ops_item(**wish)
    more = {"rule": {"Value": "dr", "Type": "String"}}
    ssm.update_ops_item(OpsItemId=first, Status="Resolved", OperationalData=more)
    found = ssm.get_ops_item(OpsItemId=first)["OpsItem"]
    assert (found["Status"], found["Priority"]) == ("Resolved", 3)
    assert found["OperationalData"]["rule"]["Value"] == "dr"
    second = ssm.create_ops_item(**wish)["OpsItemId"]
    ssm.update_ops_item(OpsItemId=second, Status="Resolved")
    assert {item["OpsItemId"] for item in ops_items(world, title)} == {first, second}


def test_long_titles_of_ops_items(world, refused):
    """Systems Manager API, DescribeOpsItems: Equal compares 100 characters of a title, and takes no more."""
    ssm, title = world.client("ssm"), world.name("item").ljust(120, "x")
    item = ssm.create_ops_item(Title=title, Source="contract", Description="test")
    world.cleanup.callback(resolve, world, item)

    def ask(value):
        wish = [{"Key": "Title", "Values": [value], "Operator": "Equal"}]
        return [found["Title"] for found in ssm.describe_ops_items(OpsItemFilters=wish)["OpsItemSummaries"]]

    assert ask(title[:100]) == [title]
    assert ask(title[:99]) == []
    with refused("OpsItemInvalidParameterException"):
        ask(title)


def test_pages_of_ops_items(world):
    """Systems Manager API, DescribeOpsItems: MaxResults and NextToken."""
    ssm, title = world.client("ssm"), world.name("item")
    for _number in range(3):
        resolve_later = ssm.create_ops_item(Title=title, Source="contract", Description="test")
        world.cleanup.callback(resolve, world, resolve_later)
    wish = [{"Key": "Title", "Values": [title], "Operator": "Equal"}]
    pages = list(ssm.get_paginator("describe_ops_items").paginate(OpsItemFilters=wish, MaxResults=2))
    assert [len(page["OpsItemSummaries"]) for page in pages] == [2, 1]


def test_reserved_keys_of_operational_data(world, refused):
    """Systems Manager API, CreateOpsItem: keys do not begin with aws, amazon, amzn or ssm."""
    data = {"/ssm/pair": {"Value": "x", "Type": "String"}}
    wish = {"Title": world.name("item"), "Source": "contract", "Description": "test", "OperationalData": data}
    with refused("OpsItemInvalidParameterException"):
        world.client("ssm").create_ops_item(**wish)


def test_absent_ops_item(world, refused):
    """Systems Manager API, GetOpsItem: OpsItemNotFoundException."""
    with refused("OpsItemNotFoundException"):
        world.client("ssm").get_ops_item(OpsItemId="oi-000000000000")


def test_alarm_on_an_expression_keeps_its_metrics(world):
    """CloudWatch API, PutMetricAlarm: Metrics instead of MetricName, and DescribeAlarms gives them back."""
    cloudwatch, name = world.client("cloudwatch"), world.name("alarm")
    metric = {"Namespace": NAMESPACE, "MetricName": "m", "Dimensions": [{"Name": "x", "Value": "y"}]}
    metrics = [
        {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}, "ReturnData": False},
        {"Id": "e1", "Expression": "FILL(m1, 0)", "Label": "filled", "ReturnData": True},
    ]
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Metrics=metrics,
        EvaluationPeriods=1,
        Threshold=0.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    world.cleanup.callback(cloudwatch.delete_alarms, AlarmNames=[name])
    found = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    assert found["Metrics"] == metrics
    assert found.get("MetricName") is found.get("Period") is None


@pytest.mark.parametrize("operation", ["describe_alarms", "delete_alarms"])
def test_as_many_names_as_a_request_takes(world, refused, operation):
    """CloudWatch API, DescribeAlarms and DeleteAlarms: up to 100 names."""
    ask, names = getattr(world.client("cloudwatch"), operation), [world.name("absent") for _number in range(101)]
    ask(AlarmNames=names[:100])
    with refused("ValidationError"):
        ask(AlarmNames=names)
