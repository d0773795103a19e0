# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a pair wishes of queues, topics and notifications is what AWS holds after it, whatever others have there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.event_targets import (
    EventSettings,
    event_addresses,
    events_leftovers,
    events_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import applied, plan
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call, FakeAws, Key, Queue, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    DR,
    EAST,
    PRIMARY,
    WEST,
    a_pair,
    address,
    two_way,
)

KEYS = {region: f"arn:aws:kms:{region}:{ACCOUNT.id}:key/of-events" for region in (EAST, WEST)}
THEIR_POLICY = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Deny", "Principal": "*"}]}
SETTINGS = {
    "queues": EventSettings(),
    "topics": EventSettings("sns"),
    "encrypted queues": EventSettings(kms_key_arns=KEYS),
}
THEIRS: dict[str, Any] = {
    "LambdaFunctionConfigurations": [{"Id": "f", "LambdaFunctionArn": "arn:f", "Events": ["s3:ObjectCreated:*"]}],
    "EventBridgeConfiguration": {},
}
QUEUE = f"arn:aws:sqs:{EAST}:{ACCOUNT.id}:s3-dr-events"


@pytest.fixture
def aws() -> FakeAws:
    """An AWS with both buckets, of which the source tells a function of somebody else."""
    aws = FakeAws()
    aws.buckets = {PRIMARY.bucket: Bucket(EAST, notification=THEIRS), DR.bucket: Bucket(WEST)}
    aws.keys = {key: Key(json.dumps(THEIR_POLICY)) for key in KEYS.values()}
    return aws


def gateway_to(aws: FakeAws) -> Gateway:
    """A gateway to the fake that never waits."""
    time = Time()
    return Gateway(aws.client_for, time.sleep, time.clock)


def run(aws: FakeAws, settings: EventSettings, pair: Pair | None = None, *, present: bool = True) -> None:
    """What the module does; afterwards nothing is left to do, and what was predicted is what AWS holds."""
    pair, gateway = pair or two_way(), gateway_to(aws)
    observed = gateway.observe(event_addresses(pair, settings, ACCOUNTS, {}))
    observed = gateway.observe(event_addresses(pair, settings, ACCOUNTS, observed))
    wish = events_wish(pair, settings, ACCOUNTS, observed) if present else {}
    steps = plan(wish, observed, events_leftovers(pair, settings, ACCOUNTS, observed, wish))
    gateway.carry_out(steps)
    held = gateway.observe(observed)
    again = events_wish(pair, settings, ACCOUNTS, held) if present else {}
    assert plan(again, held, events_leftovers(pair, settings, ACCOUNTS, held, again)) == ()
    predicted = applied(steps, observed)
    for at in wish:
        assert plan({at: wish[at]}, {at: predicted[at]}) == plan({at: wish[at]}, {at: held[at]}) == (), at


@pytest.mark.parametrize("what", SETTINGS)
def test_a_run_does_what_it_predicts_and_a_second_one_nothing(aws: FakeAws, what: str) -> None:
    run(aws, SETTINGS[what])
    assert aws.writes()
    aws.calls.clear()
    run(aws, SETTINGS[what])
    assert aws.writes() == []


@pytest.mark.parametrize("what", SETTINGS)
def test_a_removal_leaves_exactly_what_others_have(aws: FakeAws, what: str) -> None:
    run(aws, SETTINGS[what])
    run(aws, SETTINGS[what], present=False)
    assert (aws.queues, aws.topics) == ({}, {})
    assert (aws.buckets[PRIMARY.bucket].notification, aws.buckets[DR.bucket].notification) == (THEIRS, {})
    assert {key.policy for key in aws.keys.values()} == {json.dumps(THEIR_POLICY)}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("present", [True, False])
def test_a_run_killed_at_any_writing_call_and_started_again_converges(aws: FakeAws, present: bool) -> None:
    settings = SETTINGS["encrypted queues"]
    fatal, survived = 0, True
    while survived:
        fatal, seen = fatal + 1, list[Call]()
        survived = False

        def interrupt(call: Call, seen: list[Call] = seen, fatal: int = fatal) -> None:
            seen.extend([call] if call.writes else [])
            if len(seen) >= fatal:
                raise Killed

        if not present:
            run(aws, settings)
        aws.interrupt = interrupt
        try:
            run(aws, settings, present=present)
        except Killed:
            survived = True
        aws.interrupt = lambda call: None
        run(aws, settings, present=present)
        run(aws, settings, present=False)
    assert fatal > 4


def test_a_new_queue_keeps_messages_for_14_days_and_one_that_is_there_keeps_its_settings(aws: FakeAws) -> None:
    run(aws, EventSettings(), a_pair())
    assert aws.queues[QUEUE].attributes["MessageRetentionPeriod"] == "1209600"
    aws.queues[QUEUE] = Queue({"QueueArn": QUEUE, "MessageRetentionPeriod": "60", "Policy": json.dumps(THEIR_POLICY)})
    run(aws, EventSettings(), a_pair())
    assert aws.queues[QUEUE].attributes["MessageRetentionPeriod"] == "60"
    run(aws, EventSettings(), a_pair(), present=False)
    assert json.loads(aws.queues[QUEUE].attributes["Policy"]) == THEIR_POLICY


def test_the_policy_is_there_before_s3_looks_and_goes_after_it(aws: FakeAws) -> None:
    """S3 refuses a target that does not let it in, and the fake does."""
    run(aws, SETTINGS["encrypted queues"], a_pair())
    order = [call.operation for call in aws.writes()]
    assert order == [
        "PutKeyPolicy",
        "CreateQueue",
        "SetQueueAttributes",
        "SetQueueAttributes",
        "PutBucketNotificationConfiguration",
    ]
    aws.calls.clear()
    run(aws, SETTINGS["encrypted queues"], a_pair(), present=False)
    assert [call.operation for call in aws.writes()] == [
        "PutBucketNotificationConfiguration",
        "DeleteQueue",
        "PutKeyPolicy",
    ]


def test_a_policy_that_s3_does_not_see_yet_is_waited_for(aws: FakeAws) -> None:
    refused: list[Call] = []

    def not_yet(call: Call) -> None:
        if call.operation == "PutBucketNotificationConfiguration" and len(refused) < 3:
            refused.append(call)
            raise client_error("InvalidArgument", "Unable to validate the following destination configurations")

    aws.interrupt = not_yet
    run(aws, EventSettings(), a_pair())
    assert len(refused) == 3


def test_a_target_that_never_lets_s3_in_is_named_as_aws_says_it(aws: FakeAws) -> None:
    aws.buckets[PRIMARY.bucket].notification = {
        "QueueConfigurations": [{"Id": "old", "QueueArn": f"{QUEUE}-gone", "Events": ["s3:ObjectCreated:*"]}]
    }
    with pytest.raises(AwsFailure, match=r"bucket_notification example-orders.*Unable to validate"):
        run(aws, EventSettings(), a_pair())


def test_a_removal_does_not_fail_for_a_broken_target_of_somebody_else(aws: FakeAws) -> None:
    run(aws, EventSettings(), a_pair())
    broken = {"Id": "old", "QueueArn": f"{QUEUE}-gone", "Events": ["s3:ObjectRemoved:*"]}
    notification = aws.buckets[PRIMARY.bucket].notification
    notification["QueueConfigurations"] = [broken, *notification["QueueConfigurations"]]
    run(aws, EventSettings(), a_pair(), present=False)
    assert aws.buckets[PRIMARY.bucket].notification["QueueConfigurations"] == [broken]
    assert aws.queues == {}


def test_somebody_who_changes_the_notifications_meanwhile_is_not_overwritten(aws: FakeAws) -> None:
    def meanwhile(call: Call) -> None:
        if call.operation == "SetQueueAttributes":
            aws.buckets[PRIMARY.bucket].notification = {"EventBridgeConfiguration": {}}

    aws.interrupt = meanwhile
    with pytest.raises(AwsFailure, match="somebody changed it"):
        run(aws, EventSettings(), a_pair())
    assert aws.buckets[PRIMARY.bucket].notification == {"EventBridgeConfiguration": {}}


def test_a_bucket_without_notifications_is_read_as_none(aws: FakeAws) -> None:
    found = gateway_to(aws).observe([address("bucket_notification", DR.bucket, WEST)])
    assert list(found.values()) == [None]


def test_every_call_on_a_bucket_names_its_owner(aws: FakeAws) -> None:
    run(aws, EventSettings())
    run(aws, EventSettings(), present=False)
    owners = {call.params.get("ExpectedBucketOwner") for call in aws.calls if call.service == "s3"}
    assert owners == {ACCOUNT.id}
