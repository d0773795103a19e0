# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Events of replication."""

from __future__ import annotations

import json

METRICS = {"Metrics": {"Status": "Enabled"}}


def queue_for(world, bucket, event):
    """An SQS queue that gets these events of the bucket."""
    sqs = world.client("sqs", world.regions[bucket])
    url = sqs.create_queue(QueueName=world.name("queue"))["QueueUrl"]
    world.cleanup.callback(sqs.delete_queue, QueueUrl=url)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    world.s3_of(bucket).put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": [event]}]}
    )
    return lambda: [
        record
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        for record in json.loads(message["Body"]).get("Records", [])
    ]


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
