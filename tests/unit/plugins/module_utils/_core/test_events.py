# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A message becomes events with pair, cause and remedy, whatever carried it; anything else is one clear message."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.events import (
    failures_of,
    notification_id,
    pair_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.failure_reasons import REASONS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput

Json = Any


def record(**changes: Any) -> dict[str, Any]:
    """A record as the User Guide shows it, with the pair's Id."""
    found = {
        "eventVersion": "2.2",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2024-09-05T21:04:32.527Z",
        "eventName": "Replication:OperationFailedReplication",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "s3-dr/orders/replication",
            "bucket": {"name": "example-orders", "arn": "arn:aws:s3:::example-orders"},
            "object": {"key": "in/a+b%2Bc.csv", "size": 520080, "eTag": "e1", "versionId": "abc", "sequencer": "00"},
        },
        "replicationEventData": {
            "replicationRuleId": "s3-dr-orders",
            "destinationBucket": "arn:aws:s3:::example-orders-dr",
            "s3Operation": "OBJECT_PUT",
            "requestTime": "2024-09-05T21:03:59.168Z",
            "failureReason": "AssumeRoleNotPermitted",
        },
    }
    return {**found, **changes}


EVENT = {"Records": [record()]}
TEXT = json.dumps(EVENT)
ENVELOPE = {"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:111122223333:s3-dr-events", "Message": TEXT}

CARRIERS: dict[str, Json] = {
    "an S3 event": EVENT,
    "the body of an SQS message": TEXT,
    "an SQS message": {"MessageId": "1", "ReceiptHandle": "2", "Body": TEXT},
    "several SQS messages": [{"MessageId": "1", "Body": TEXT}],
    "an SNS envelope": ENVELOPE,
    "an SNS envelope in an SQS message": {"Body": json.dumps(ENVELOPE)},
    "the body of an SQS message with an SNS envelope": json.dumps(ENVELOPE),
    "an event of EDA's queue": {"body": EVENT, "meta": {"MessageId": "1"}},
    "an event of EDA's queue with an envelope": {"body": ENVELOPE, "meta": {"MessageId": "1"}},
    "an event of EDA's webhook": {"payload": ENVELOPE, "meta": {"endpoint": "endpoint"}},
    "an event of Lambda for SQS": {"Records": [{"messageId": "1", "body": json.dumps(ENVELOPE), "eventSource": "x"}]},
    "an event of Lambda for SNS": {"Records": [{"EventSource": "aws:sns", "Sns": ENVELOPE}]},
}


@pytest.mark.parametrize("message", CARRIERS.values(), ids=CARRIERS)
def test_an_event_is_the_same_whatever_carried_it(message: Json) -> None:
    (found,) = failures_of(message)
    assert found.as_result() == {
        "event": "OperationFailedReplication",
        "pair": "orders",
        "bucket": "example-orders",
        "region": "us-east-1",
        "key": "in/a b+c.csv",
        "version_id": "abc",
        "size": 520080,
        "rule": "s3-dr-orders",
        "destination": "example-orders-dr",
        "reason": "AssumeRoleNotPermitted",
        "cause": REASONS["AssumeRoleNotPermitted"].cause,
        "remedy": REASONS["AssumeRoleNotPermitted"].remedy,
        "time": "2024-09-05T21:04:32.527Z",
    }


NONE: dict[str, Json] = {
    "the test event": {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "example-orders"},
    "the test event in an SQS message": {"Body": '{"Event": "s3:TestEvent"}'},
    "another event of S3": {"Records": [record(eventName="ObjectCreated:Put")]},
    "a confirmation of SNS": {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe"},
    "no messages": [],
    "no records": {"Records": []},
}


@pytest.mark.parametrize("message", NONE.values(), ids=NONE)
def test_what_tells_of_no_replication_holds_no_events(message: Json) -> None:
    assert failures_of(message) == []


BROKEN: dict[str, tuple[Json, str]] = {
    "nothing": (None, "the message is empty"),
    "a number": (7, "the message is a int"),
    "no JSON": ("hello", "no JSON .*'hello'"),
    "empty text": ("", "no JSON"),
    "deep JSON": ("[" * 100_000, "no JSON .too deep"),
    "a text in JSON": ('"hello"', "the text 'hello'"),
    "without end": ([[[[[[[[[[[[[[[]]]]]]]]]]]]]]], "without end"),
    "an alarm": ({"AlarmName": "x", "NewStateValue": "ALARM"}, "'AlarmName', 'NewStateValue'"),
    "no field": ({}, "no field"),
    "records that are none": ({"Records": "x"}, "Records of the event is 'x'"),
    "a record that is none": ({"Records": [None]}, "a record of the event is empty"),
    "no event's name": ({"Records": [{}]}, "no eventName"),
    "no bucket": ({"Records": [record(s3={"object": {"key": "a"}})]}, "no s3.bucket.name"),
    "no key": ({"Records": [record(s3={"bucket": {"name": "a"}, "object": {"key": 1}})]}, "no s3.object.key"),
}


@pytest.mark.parametrize(("message", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_message_is_named(message: Json, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        failures_of(message)


def event(**changes: Any) -> Any:
    """The one event of a message with such a record."""
    (found,) = failures_of({"Records": [record(**changes)]})
    return found


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("OperationMissedThreshold", "15 minutes"),
        ("OperationReplicatedAfterThreshold", "is replicated"),
        ("OperationNotTracked", "do not track"),
        ("OperationFailedReplication", "gives no reason"),
        ("OperationOfTheFuture", "gives no reason"),
    ],
)
def test_each_event_has_its_meaning(name: str, cause: str) -> None:
    for prefix in ("Replication:", "s3:Replication:"):
        found = event(eventName=prefix + name, replicationEventData={})
        assert (found.event, found.reason) == (name, "")
        assert cause in found.cause


def test_a_failure_of_somebody_elses_notification_has_no_pair() -> None:
    s3 = {**record()["s3"], "configurationId": "theirs"}
    assert event(s3=s3).pair is None


def test_what_is_missing_is_not_invented() -> None:
    found = event(s3={"bucket": {"name": "b"}, "object": {"key": "k", "size": True}}, awsRegion=None)
    assert (found.pair, found.version_id, found.size, found.region) == (None, None, None, "")


@given(st.text(min_size=1).filter(lambda key: key.isprintable()))
def test_a_key_is_decoded_as_s3_encodes_it(key: str) -> None:
    s3 = {**record()["s3"], "object": {"key": quote_plus(key)}}
    assert event(s3=s3).key == key


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,38}", fullmatch=True))
def test_the_id_of_a_notification_tells_its_pair(pair: str) -> None:
    assert pair_of(notification_id(pair)) == pair


@pytest.mark.parametrize("theirs", [None, 3, "", "s3-dr//replication", "s3-dr/a/b/replication", "xs3-dr/a/replication"])
def test_another_id_tells_no_pair(theirs: object) -> None:
    assert pair_of(theirs) is None


FIELDS = st.sampled_from(
    [
        "Records", "Message", "Body", "body", "Sns", "payload", "Event", "Type", "eventName", "s3", "bucket",
        "object", "key", "name", "size", "versionId", "configurationId", "replicationEventData",
        "failureReason", "destinationBucket", "awsRegion", "eventTime", "anything",
    ]
)  # fmt: skip
TEXTS = st.sampled_from(
    ["Replication:OperationFailedReplication", "s3:TestEvent", "{}", "[", TEXT, "%zz+%C3", "\ud800", "arn:aws:s3:::b"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | TEXTS
MESSAGES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6) | inner.map(json.dumps),
    max_leaves=25,
)


def spoilt(strategy: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """A true record in which some fields are anything."""
    return st.dictionaries(st.sampled_from(sorted(record())), strategy, max_size=3).map(
        lambda changes: {"Records": [record(**changes)]}
    )


@given(MESSAGES | spoilt(MESSAGES))
def test_no_message_raises_anything_else(message: Json) -> None:
    """Whoever may send to the queue can send anything."""
    for one in (message, json.dumps(message)):
        with suppress(InvalidInput):
            for found in failures_of(one):
                json.dumps(found.as_result())


@given(st.dictionaries(st.text(max_size=5), LEAVES, max_size=3), st.text(max_size=9))
def test_more_fields_and_unknown_reasons_pass(more: dict[str, Json], reason: str) -> None:
    def with_more(part: dict[str, Json]) -> dict[str, Json]:
        return {**more, **part}

    detail = {**record()["replicationEventData"], "failureReason": reason}
    found = event(replicationEventData=with_more(detail))
    assert (found.pair, found.reason) == ("orders", reason)
    assert found.cause
    assert found.remedy
