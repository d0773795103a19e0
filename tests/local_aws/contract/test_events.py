# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Events of replication."""

from __future__ import annotations

import json

import pytest

METRICS = {"Metrics": {"Status": "Enabled"}}


TIME_CONTROL = {
    "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
    "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
}


def new_queue(world, region, principal="s3.amazonaws.com"):
    """An SQS queue that this service may send to: its ARN, and what reads the messages."""
    sqs = world.client("sqs", region)
    url = sqs.create_queue(QueueName=world.name("queue"))["QueueUrl"]
    world.cleanup.callback(sqs.delete_queue, QueueUrl=url)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    set_policy = {"Policy": allowing(principal, "sqs:SendMessage", arn)}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=set_policy)

    def received():
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    return arn, received


def allowing(principal, action, resource):
    statement = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def notify(world, bucket, **configuration):
    world.s3_of(bucket).put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def queue_for(world, bucket, *events):
    """An SQS queue that gets these events of the bucket."""
    arn, received = new_queue(world, world.regions[bucket])
    notify(world, bucket, QueueConfigurations=[{"QueueArn": arn, "Events": list(events)}])
    return lambda: [record for message in received() for record in message.get("Records", [])]


def test_failure_is_told_with_its_reason(world):
    """S3 User Guide, replication-metrics-events: OperationFailedReplication, for rules with Metrics enabled."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination, without="s3:ReplicateObject")
    world.replicate(source, role, world.rule(destination, to=METRICS))
    received = queue_for(world, source, "s3:Replication:OperationFailedReplication")
    world.put(source)
    record = world.until(received, "the event came")[0]
    detail = record["replicationEventData"]
    assert record["eventName"] == "Replication:OperationFailedReplication"
    assert (detail["failureReason"], detail["replicationRuleId"]) == ("DstPutObjectNotPermitted", "dr")
    assert detail["destinationBucket"] == f"arn:aws:s3:::{destination}"


def test_replica_is_an_object_created(world):
    """S3 User Guide, notification-how-to-event-types-and-destinations: the destination sees a new object."""
    source, destination = world.pair()
    received = queue_for(world, destination, "s3:ObjectCreated:*")
    version = world.put(source)
    record = world.until(received, "the event came")[0]
    assert record["s3"]["object"]["versionId"] == version


def failing_pair(world):
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination, without="s3:ReplicateObject")
    world.replicate(source, role, world.rule(destination, to=METRICS))
    return source


def test_failure_without_metrics_is_not_told(world):
    """S3 User Guide, replication-metrics-events: the rule needs Metrics enabled."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination, without="s3:ReplicateObject")
    rules = [world.rule(destination, ID="silent", Filter={"Prefix": "silent"})]
    rules.append(world.rule(destination, ID="loud", Priority=2, Filter={"Prefix": "loud"}, to=METRICS))
    world.replicate(source, role, *rules)
    received = queue_for(world, source, "s3:Replication:OperationFailedReplication")
    world.put(source, "silent")
    assert world.until_final(source, "silent") == "FAILED"
    world.put(source, "loud")
    records = world.until(received, "the other event came")
    assert [record["s3"]["object"]["key"] for record in records] == ["loud"]


def test_failure_is_told_to_a_topic(world):
    """S3 User Guide, replication-metrics-events: SNS as well; what is subscribed to the topic gets the same record."""
    source = failing_pair(world)
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    world.cleanup.callback(sns.delete_topic, TopicArn=topic)
    policy = allowing("s3.amazonaws.com", "SNS:Publish", topic)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    queue, received = new_queue(world, world.source_region, "sns.amazonaws.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    events = ["s3:Replication:OperationFailedReplication"]
    notify(world, source, TopicConfigurations=[{"TopicArn": topic, "Events": events}])
    version = world.put(source)

    def records():
        messages = [json.loads(message["Message"]) for message in received()]
        return [record for message in messages for record in message.get("Records", [])]

    record = world.until(records, "the event came")[0]
    assert record["s3"]["object"]["versionId"] == version
    assert record["replicationEventData"]["failureReason"] == "DstPutObjectNotPermitted"


def test_late_object_is_told_twice(world, control):
    """S3 User Guide, replication-metrics-events: with time control, when the threshold is missed and when it arrived.

    The 15 minutes are shortened through the control endpoint."""
    source, _destination = world.pair(to=TIME_CONTROL)
    received = queue_for(world, source, "s3:Replication:*")
    control("settings", rtc_threshold_seconds=0.5)
    control("replication", bucket=source, lag_seconds=3600)
    version = world.put(source)
    (missed,) = world.until(received, "the threshold was missed")
    assert missed["eventName"] == "Replication:OperationMissedThreshold"
    assert missed["replicationEventData"]["replicationRuleId"] == "dr"
    assert missed["replicationEventData"]["s3Operation"] == "OBJECT_PUT"
    assert missed["replicationEventData"].keys() >= {"destinationBucket", "requestTime", "threshold"}
    assert world.status(source) == "PENDING"
    control("replication", bucket=source, lag_seconds=0)
    (arrived,) = world.until(received, "the object arrived")
    assert arrived["eventName"] == "Replication:OperationReplicatedAfterThreshold"
    assert arrived["s3"]["object"]["versionId"] == version
    assert "replicationTime" in arrived["replicationEventData"]


@pytest.mark.parametrize("to", [METRICS, TIME_CONTROL], ids=["no time control", "in time"])
def test_no_threshold_events(world, control, to):
    """S3 User Guide, replication-metrics-events: only with time control, and only when it took too long."""
    source, _destination = world.pair(to=to)
    received = queue_for(world, source, "s3:Replication:*")
    late = to is METRICS
    control("settings", rtc_threshold_seconds=0.1 if late else 60)
    control("replication", bucket=source, lag_seconds=1.0)
    world.put(source)
    assert world.until_final(source) == "COMPLETED"
    assert received() == []


def test_object_that_is_not_tracked_any_more(world, control):
    """S3 User Guide, replication-metrics-events: OperationNotTracked, when replication metrics no longer track it."""
    source, destination = world.pair(to=TIME_CONTROL)
    received = queue_for(world, source, "s3:Replication:*")
    control("replication", bucket=source, lag_seconds=3600)
    world.put(source)
    configured = world.s3_of(source).get_bucket_replication(Bucket=source)["ReplicationConfiguration"]
    world.replicate(source, configured["Role"], world.rule(destination))
    (record,) = world.until(received, "the event came")
    assert record["eventName"] == "Replication:OperationNotTracked"
    control("replication", bucket=source, lag_seconds=0)


def test_event_bridge_gets_none(world):
    """S3 User Guide, EventBridge: events of replication are not among those sent there."""
    source, events = failing_pair(world), world.client("events")
    bus_queue, bus_received = new_queue(world, world.source_region, "events.amazonaws.com")
    rule = world.name("rule")
    events.put_rule(
        Name=rule, EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [source]}}})
    )
    world.cleanup.callback(events.delete_rule, Name=rule)
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": bus_queue}])
    world.cleanup.callback(events.remove_targets, Rule=rule, Ids=["queue"])
    arn, received = new_queue(world, world.source_region)
    notify(
        world,
        source,
        EventBridgeConfiguration={},
        QueueConfigurations=[{"QueueArn": arn, "Events": ["s3:Replication:*"]}],
    )
    world.put(source)
    told = world.until(lambda: [m for m in received() if "Records" in m], "the failure was told to the queue")
    assert len(told) == 1
    bridged = world.until(bus_received, "EventBridge told of the object")
    assert [event["detail-type"] for event in bridged + bus_received()] == ["Object Created"]


def test_event_of_a_new_configuration(world):
    """S3 User Guide, notification-content-structure: s3:TestEvent when the configuration is put."""
    bucket = world.bucket()
    arn, received = new_queue(world, world.source_region)
    notify(world, bucket, QueueConfigurations=[{"QueueArn": arn, "Events": ["s3:Replication:*"]}])
    (test,) = world.until(received, "the test event came")
    assert (test["Event"], test["Service"], test["Bucket"]) == ("s3:TestEvent", "Amazon S3", bucket)


@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_destination_that_may_not_be_sent_to(world, refused, kind):
    """S3 API, PutBucketNotificationConfiguration: destinations are checked, their policies too."""
    bucket, sns = world.bucket(), world.client("sns")
    queue, _received = new_queue(world, world.source_region, "events.amazonaws.com")
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    world.cleanup.callback(sns.delete_topic, TopicArn=topic)
    policy = allowing("events.amazonaws.com", "SNS:Publish", topic)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    events = ["s3:Replication:*"]
    configuration = {
        "queue": {"QueueConfigurations": [{"QueueArn": queue, "Events": events}]},
        "topic": {"TopicConfigurations": [{"TopicArn": topic, "Events": events}]},
    }
    with refused("InvalidArgument"):
        notify(world, bucket, **configuration[kind])


@pytest.mark.parametrize("names", [("Prefix", "Suffix"), ("prefix", "suffix")])
def test_filter_names_come_back(world, names):
    """S3 API, FilterRule: a plan that compares both must find no difference."""
    bucket = world.bucket()
    arn, _received = new_queue(world, world.source_region)
    rules = [{"Name": name, "Value": value} for name, value in zip(names, ("in/", ".txt"), strict=True)]
    configuration = {
        "Id": "dr",
        "QueueArn": arn,
        "Events": ["s3:Replication:OperationFailedReplication"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    notify(world, bucket, QueueConfigurations=[configuration])
    found = world.s3_of(bucket).get_bucket_notification_configuration(Bucket=bucket)
    assert found["QueueConfigurations"] == [configuration]


def a_key(world, region, *services):
    """A KMS key that these services may use for messages of this account."""
    kms, account = world.client("kms", region), world.account_id()
    owner = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*"}
    use = {
        "Effect": "Allow",
        "Principal": {"Service": list(services)},
        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    statements = [statement | {"Resource": "*"} for statement in ([owner, use] if services else [owner])]
    key = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))["KeyMetadata"]
    world.cleanup.callback(kms.schedule_key_deletion, KeyId=key["KeyId"], PendingWindowInDays=7)
    return key["Arn"]


def encrypted_queue(world, region, key):
    sqs = world.client("sqs", region)
    arn, received = new_queue(world, region)
    url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": key})
    return arn, received


@pytest.mark.parametrize("key", ["alias/aws/sqs", "silent", "open"])
def test_encrypted_queue(world, refused, key):
    """S3 User Guide, grant-destinations-permissions-to-s3: the key's policy must let S3 use it, so it cannot be that
    of AWS; otherwise the destination is refused."""
    bucket, region = world.bucket(), world.source_region
    services = ["s3.amazonaws.com"] if key == "open" else []
    arn, received = encrypted_queue(world, region, key if "/" in key else a_key(world, region, *services))
    wish = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:Replication:*"]}]}
    if key == "open":
        notify(world, bucket, **wish)
        assert world.until(received, "the test event came")[0]["Event"] == "s3:TestEvent"
    else:
        with refused("InvalidArgument"):
            notify(world, bucket, **wish)


def test_key_that_is_closed_later(world):
    """S3 User Guide, grant-destinations-permissions-to-s3: events are lost while the key does not let S3 in."""
    source, kms = failing_pair(world), world.client("kms")
    key = a_key(world, world.source_region, "s3.amazonaws.com")
    arn, received = encrypted_queue(world, world.source_region, key)
    notify(world, source, QueueConfigurations=[{"QueueArn": arn, "Events": ["s3:Replication:*"]}])
    world.until(received, "the test event came")
    kms.disable_key(KeyId=key)
    world.put(source, "lost")
    assert world.until_final(source, "lost") == "FAILED"
    kms.enable_key(KeyId=key)
    world.put(source, "told")
    records = [record for message in world.until(received, "the event came") for record in message["Records"]]
    assert [record["s3"]["object"]["key"] for record in records] == ["told"]


EVERYTHING, FAILURE = "s3:Replication:*", "s3:Replication:OperationFailedReplication"


def entry(arn, *events, **filters):
    rules = [{"Name": name, "Value": value} for name, value in filters.items()]
    return {"QueueArn": arn, "Events": list(events), **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {})}


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        (([EVERYTHING], {}), ([EVERYTHING], {}), False),
        (([EVERYTHING], {}), ([FAILURE], {}), False),
        (([EVERYTHING], {}), ([FAILURE], {"prefix": "in/"}), False),
        (([FAILURE], {"prefix": "in/"}), ([FAILURE], {"prefix": "in/new/"}), False),
        (([FAILURE], {"prefix": "in/"}), ([FAILURE], {"prefix": "out/"}), True),
        (([FAILURE], {"prefix": "in/", "suffix": ".a"}), ([FAILURE], {"prefix": "in/", "suffix": ".b"}), True),
        (([EVERYTHING], {}), (["s3:ObjectCreated:*"], {}), True),
    ],
)
def test_entries_that_overlap(world, refused, first, second, fits):
    """S3 User Guide, notification-how-to-filtering: for the same event, prefixes or suffixes must keep them apart."""
    bucket = world.bucket()
    arns = [new_queue(world, world.source_region)[0] for _number in range(2)]
    entries = [entry(arn, *events, **filters) for arn, (events, filters) in zip(arns, (first, second), strict=True)]
    if fits:
        notify(world, bucket, QueueConfigurations=entries)
    else:
        with refused("InvalidArgument"):
            notify(world, bucket, QueueConfigurations=entries)


@pytest.mark.parametrize("what", ["fifo", "absent", "region", "id", "event"])
def test_configuration_that_is_refused(world, refused, what):
    """S3 User Guide, notification-how-to-event-types-and-destinations: no FIFO queues, the bucket's Region; S3 API,
    PutBucketNotificationConfiguration: what is there and is known."""
    bucket, region = world.bucket(), world.dr_region if what == "region" else world.source_region
    arn = new_queue(world, region)[0]
    entries = [entry(arn, FAILURE, prefix="a") | {"Id": "one"}]
    if what == "absent":
        entries[0]["QueueArn"] = f"{arn}-absent"
    elif what == "event":
        entries[0]["Events"] = ["s3:Replication:NoSuchEvent"]
    elif what == "id":
        entries.append(entry(arn, FAILURE, prefix="b") | {"Id": "one"})
    elif what == "fifo":
        sqs = world.client("sqs")
        url = sqs.create_queue(QueueName=f"{world.name('queue')}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        world.cleanup.callback(sqs.delete_queue, QueueUrl=url)
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = allowing("s3.amazonaws.com", "sqs:SendMessage", found)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        entries[0]["QueueArn"] = found
    with refused("InvalidArgument"):
        notify(world, bucket, QueueConfigurations=entries)


def test_what_is_kept_of_a_configuration(world):
    """S3 API, PutBucketNotificationConfiguration: IDs and EventBridge as they were put; without an ID S3 makes one."""
    bucket, (arn, _received) = world.bucket(), new_queue(world, world.source_region)
    entries = [entry(arn, FAILURE) | {"Id": "s3-dr/pair/replication"}, entry(arn, "s3:ObjectCreated:*")]
    notify(world, bucket, EventBridgeConfiguration={}, QueueConfigurations=entries)
    found = world.s3_of(bucket).get_bucket_notification_configuration(Bucket=bucket)
    assert found["EventBridgeConfiguration"] == {}
    named, unnamed = found["QueueConfigurations"]
    assert named["Id"] == "s3-dr/pair/replication"
    assert unnamed["Id"]
    notify(world, bucket)
    assert "QueueConfigurations" not in world.s3_of(bucket).get_bucket_notification_configuration(Bucket=bucket)
