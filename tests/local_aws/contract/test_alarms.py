# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""When alarms change their state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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
    sns, sqs, metric = world.client("sns"), world.client("sqs"), world.name("metric")
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    world.cleanup.callback(sns.delete_topic, TopicArn=topic)
    queue = sqs.create_queue(QueueName=world.name("queue"))["QueueUrl"]
    world.cleanup.callback(sqs.delete_queue, QueueUrl=queue)
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    alarm(world, metric, {"x": "y"}, Period=60, AlarmActions=[topic])
    publish(world, metric, 5, x="y")
    messages = world.until(
        lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), "the message came"
    )
    assert "ALARM" in messages[0]["Body"]


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
