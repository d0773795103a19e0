# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Whether a bucket can be used: what was written last is read, and a canary comes and goes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.end_check import (
    NEWEST,
    NotVerified,
    has_left,
    read_newest,
    remove_canary,
    write_canary,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Bucket, Call, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.journeys import JourneyAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, WEST


@pytest.fixture
def aws() -> JourneyAws:
    aws = JourneyAws()
    aws.buckets[DR.bucket] = Bucket(WEST, versioning="Enabled")
    for number in range(6):
        aws.write(DR.bucket, f"order/{number}", body=b"x" * number)
    return aws


def side(aws: JourneyAws) -> Side:
    return Side(DR, OWNER, aws.client_for("s3", WEST))


def test_the_newest_objects_are_read_and_those_that_are_deleted_are_none(aws: JourneyAws) -> None:
    aws.write(DR.bucket, "order/5", marker=True, body=b"")
    seen = read_newest(side(aws))
    assert seen == {"listed": 5, "read": ["order/4", "order/3", "order/2"], "unread": []}
    assert len(seen["read"]) == NEWEST


def test_an_empty_bucket_and_an_empty_object_can_be_read(aws: JourneyAws) -> None:
    aws.buckets[DR.bucket].versions = aws.buckets[DR.bucket].versions[:1]
    assert read_newest(side(aws)) == {"listed": 1, "read": ["order/0"], "unread": []}
    aws.buckets[DR.bucket].versions = []
    assert read_newest(side(aws)) == {"listed": 0, "read": [], "unread": []}


@pytest.mark.parametrize(
    ("operation", "code", "why"),
    [
        ("GetObject", "AccessDenied", "object 'order/4' of bucket 'example-orders-dr'"),
        ("GetObject", "InvalidObjectState", "It is archived"),
        ("HeadObject", "400", "SSE-C"),
    ],
)
def test_an_object_that_cannot_be_read_gives_way_to_the_next(
    aws: JourneyAws, operation: str, code: str, why: str
) -> None:
    def refuse(call: Call) -> None:
        if call.operation == operation and call.params["Key"] == "order/4":
            raise client_error(code, "kms:Decrypt", operation)

    aws.interrupt = refuse
    seen = read_newest(side(aws))
    assert seen["read"] == ["order/5", "order/3", "order/2"]
    (unread,) = seen["unread"]
    assert unread["key"] == "order/4"
    assert why in unread["why"]


def test_a_bucket_of_which_nothing_may_be_read_is_not_verified(aws: JourneyAws) -> None:
    aws.denied = {"GetObject"}
    with pytest.raises(NotVerified, match=r"none of the newest .*object 'order/5' of bucket 'example-orders-dr'") as no:
        read_newest(side(aws))
    assert (no.value.result["read"], len(no.value.result["unread"])) == ([], 6)


def test_a_bucket_that_does_not_serve_is_not_tried_object_by_object(aws: JourneyAws) -> None:
    def refuse(call: Call) -> None:
        if call.operation == "HeadObject":
            raise client_error("SlowDown", "Reduce your request rate", "HeadObject")

    aws.interrupt = refuse
    with pytest.raises(NotVerified, match="SlowDown") as failed:
        read_newest(side(aws))
    assert failed.value.result == {"listed": 6, "read": [], "unread": []}


def test_a_canary_is_written_read_and_removed_by_its_version(aws: JourneyAws) -> None:
    written = write_canary(side(aws), "order/")
    assert written.key.startswith("order/.s3-dr-canary/")
    assert remove_canary(side(aws), written) == []
    assert not [one for one in aws.buckets[DR.bucket].versions if one["Key"] == written.key]


@pytest.mark.parametrize("operation", ["PutObject", "GetObject"])
def test_a_bucket_that_takes_no_object_or_gives_none_back_says_so(aws: JourneyAws, operation: str) -> None:
    aws.denied = {operation}
    with pytest.raises(AwsFailure, match=f"s3:{operation}"):
        write_canary(side(aws), "")
    assert len(aws.buckets[DR.bucket].versions) == 6


def test_other_bytes_than_were_written_are_no_proof(aws: JourneyAws) -> None:
    original = aws.write

    def corrupt(bucket: str, key: str, **fields: Any) -> Any:
        version = original(bucket, key, **fields)
        version["stored"] = b"other"
        return version

    aws.write = corrupt
    with pytest.raises(AwsFailure, match="other bytes came back"):
        write_canary(side(aws), "")


def test_a_canary_that_is_on_its_way_is_waited_for(aws: JourneyAws) -> None:
    statuses = ["PENDING", "PENDING", "COMPLETED"]
    aws.replicates = lambda version: statuses.pop(0)
    time = Time()
    assert has_left(side(aws), write_canary(side(aws), ""), 30, time.sleep, time.clock)
    assert time.now == 1.0
    aws.replicates = lambda version: "PENDING"
    assert not has_left(side(aws), write_canary(side(aws), ""), 30, time.sleep, time.clock)


def test_what_object_lock_keeps_is_told(aws: JourneyAws) -> None:
    written = write_canary(side(aws), "")
    aws.buckets[DR.bucket].locked = {written.key}
    (left,) = remove_canary(side(aws), written)
    assert left.startswith(f"example-orders-dr/{written.key}")
    assert "Object Lock" in left
