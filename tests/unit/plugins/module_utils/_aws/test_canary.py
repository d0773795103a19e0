# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A canary's outcomes, each told apart; and that it removes its own versions and nothing else."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import RESERVED_PREFIX, Canary, Route, fly
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import End, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import pair_wish
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST, a_pair

RULE = Rule("s3-dr-orders", prefix="2026/")
DEADLINE = 60.0


@pytest.fixture
def aws() -> FakeAws:
    """An AWS in which the pair replicates, with a foreign object at both ends."""
    fake = FakeAws()
    wish = pair_wish(a_pair(rules=(RULE,)), ACCOUNT)
    gateway = Gateway(fake.client_for)
    gateway.carry_out(plan(wish, gateway.observe(wish)))
    client = fake.client_for("s3", EAST)
    client.put_object(Bucket=PRIMARY.bucket, Key="2026/theirs", Body=b"1", ExpectedBucketOwner=OWNER)
    fake.calls.clear()
    return fake


class Flight:
    """A flight by a clock that only sleeping moves."""

    def __init__(self, aws: FakeAws, destination: End = DR) -> None:
        self.aws = aws
        self.destination = destination
        self.now = 0.0

    def fly(self, deadline: float = DEADLINE) -> Canary:
        """The canary's outcome."""
        (link,) = a_pair(rules=(RULE,), dr=self.destination).links()
        clients = self.aws.client_for("s3", EAST), self.aws.client_for("s3", WEST)
        return fly(Route.of(RULE, link, *clients, OWNER), deadline, self.sleep, lambda: self.now)

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.now += seconds


@pytest.fixture
def flight(aws: FakeAws) -> Flight:
    """A flight over the fake."""
    return Flight(aws)


@pytest.fixture(autouse=True)
def untouched(aws: FakeAws) -> Any:
    """Whatever becomes of the canary, what was there before is there afterwards, and no other key was named."""
    yield
    for end in (PRIMARY, DR):
        assert "2026/theirs" in [version["Key"] for version in aws.buckets[end.bucket].versions]
    keys = {call.params["Key"] for call in aws.calls if "Key" in call.params}
    assert all(key.startswith(f"2026/{RESERVED_PREFIX}") for key in keys)
    assert len(keys) <= 1


def remains(aws: FakeAws) -> list[str]:
    """The canaries' versions and markers at both ends."""
    versions = [version for end in (PRIMARY, DR) for version in aws.buckets[end.bucket].versions]
    return [version["Key"] for version in versions if RESERVED_PREFIX in version["Key"]]


def failing(operation: str, region: str = EAST) -> Any:
    """An interruption that refuses an operation in a Region."""

    def interrupt(call: Call) -> None:
        if (call.operation, call.region) == (operation, region):
            raise client_error("AccessDenied", "no", operation)

    return interrupt


def test_a_canary_that_arrives_intact_is_replicated_and_removed_at_both_ends(aws: FakeAws, flight: Flight) -> None:
    canary = flight.fly()
    assert (canary.status, canary.reason, canary.left_behind) == ("replicated", None, ())
    assert (canary.rule, canary.source, canary.destination) == (RULE.id, PRIMARY.bucket, DR.bucket)
    assert canary.key.startswith(f"2026/{RESERVED_PREFIX}")
    assert remains(aws) == []


def test_only_the_version_that_was_written_is_deleted(aws: FakeAws, flight: Flight) -> None:
    canary = flight.fly()
    deleted = [call.params for call in aws.calls if call.operation.startswith("Delete")]
    assert [params["Bucket"] for params in deleted] == [PRIMARY.bucket, DR.bucket]
    assert {(params["Key"], params["VersionId"]) for params in deleted} == {(canary.key, canary.version_id)}


def test_every_call_names_the_buckets_owner(aws: FakeAws, flight: Flight) -> None:
    flight.fly()
    assert {call.params.get("ExpectedBucketOwner") for call in aws.calls} == {OWNER}


@pytest.mark.parametrize("done", ["COMPLETED", "COMPLETE"])
def test_a_canary_is_watched_while_it_is_pending(aws: FakeAws, flight: Flight, done: str) -> None:
    aws.replicates = lambda version: done if flight.now >= 20 else "PENDING"
    canary = flight.fly()
    assert canary.status == "replicated"
    assert 20 <= (canary.seconds or 0) <= 25


def test_a_canary_that_s3_gave_up_has_failed_at_once(aws: FakeAws, flight: Flight) -> None:
    aws.replicates = lambda version: "FAILED"
    canary = flight.fly()
    assert (canary.status, flight.now) == ("failed", 0)
    assert "FAILED" in (canary.reason or "")
    assert remains(aws) == []


def test_a_canary_that_no_rule_matched_has_failed(aws: FakeAws, flight: Flight) -> None:
    aws.replicates = lambda version: None
    canary = flight.fly()
    assert (canary.status, canary.reason) == ("failed", "no enabled rule of the bucket matched the object")


def test_a_canary_that_stays_pending_is_late_and_left_to_arrive(aws: FakeAws, flight: Flight) -> None:
    """Removing the source in flight would fail its replication, or leave a replica that nobody knows of."""
    aws.replicates = lambda version: "PENDING"
    canary = flight.fly()
    assert canary.status == "late"
    assert "PENDING" in (canary.reason or "")
    assert flight.now == DEADLINE
    assert [call for call in aws.calls if call.operation.startswith("Delete")] == []
    for bucket, said in zip((PRIMARY.bucket, DR.bucket), canary.left_behind, strict=True):
        assert said.startswith(f"{bucket}/{canary.key} ({canary.version_id})")


@pytest.mark.parametrize("deadline", [1.0, 60.0])
def test_nothing_is_called_late_before_the_deadline(aws: FakeAws, flight: Flight, deadline: float) -> None:
    aws.replicates = lambda version: "COMPLETED" if flight.now >= 0.99 * deadline else "PENDING"
    assert flight.fly(deadline).status == "replicated"


def test_a_replica_with_other_bytes_differs(aws: FakeAws, flight: Flight) -> None:
    def corrupted(version: dict[str, Any]) -> str:
        for copy in aws.buckets[DR.bucket].versions:
            if copy["VersionId"] == version["VersionId"]:
                copy["body"] = b"something else"
        return "COMPLETED"

    aws.replicates = corrupted
    canary = flight.fly()
    assert (canary.status, canary.compared) == ("differs", "bytes")
    assert DR.bucket in (canary.reason or "")
    assert remains(aws) == []


def test_a_replica_that_is_not_there_although_s3_says_so_has_failed(aws: FakeAws, flight: Flight) -> None:
    aws.buckets[PRIMARY.bucket].replication = None
    canary = flight.fly()
    assert canary.status == "failed"
    assert "NoSuchVersion" in (canary.reason or "")


def test_a_canary_that_cannot_be_written_says_so_and_deletes_nothing(aws: FakeAws, flight: Flight) -> None:
    aws.interrupt = failing("PutObject")
    canary = flight.fly()
    assert (canary.status, canary.version_id) == ("not_written", None)
    assert "AccessDenied" in (canary.reason or "")
    assert [call.operation for call in aws.calls] == ["PutObject"]


@pytest.mark.parametrize("region", [EAST, WEST])
def test_what_cannot_be_removed_is_named_and_the_other_end_is_still_removed(
    aws: FakeAws, flight: Flight, region: str
) -> None:
    aws.interrupt = failing("DeleteObject", region)
    canary = flight.fly()
    bucket = PRIMARY.bucket if region == EAST else DR.bucket
    assert canary.status == "replicated"
    assert len(canary.left_behind) == 1
    assert canary.left_behind[0].startswith(f"{bucket}/{canary.key} ({canary.version_id}): ")
    assert len(remains(aws)) == 1


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_a_replica_that_cannot_be_read_at_once_is_compared_by_its_size(aws: FakeAws, storage_class: str) -> None:
    flight = Flight(aws, End(DR.bucket, WEST, storage_class))
    assert (flight.fly().status, flight.fly().compared) == ("replicated", "size")
    assert "GetObject" not in {call.operation for call in aws.calls}
    aws.calls.clear()


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER_IR"])
def test_a_replica_in_a_class_that_can_be_read_is_compared_byte_by_byte(aws: FakeAws, storage_class: str) -> None:
    assert Flight(aws, End(DR.bucket, WEST, storage_class)).fly().compared == "bytes"


def test_reading_that_is_refused_is_a_failure_with_its_reason(aws: FakeAws, flight: Flight) -> None:
    aws.interrupt = failing("GetObject", WEST)
    canary = flight.fly()
    assert canary.status == "failed"
    assert "AccessDenied" in (canary.reason or "")
    assert remains(aws) == []


@pytest.mark.parametrize("versioning", [None, "Suspended"])
def test_a_bucket_without_versioning_fails_and_nothing_is_left_in_it(
    aws: FakeAws, flight: Flight, versioning: str | None
) -> None:
    aws.buckets[PRIMARY.bucket].versioning = versioning
    canary = flight.fly()
    assert canary.status == "failed"
    assert PRIMARY.bucket in (canary.reason or "")
    assert "versioning" in (canary.reason or "")
    assert remains(aws) == []


def test_a_canary_left_in_a_bucket_without_versioning_is_named(aws: FakeAws, flight: Flight) -> None:
    aws.buckets[PRIMARY.bucket].versioning = None
    aws.interrupt = failing("DeleteObject")
    canary = flight.fly()
    assert canary.status == "failed"
    assert len(canary.left_behind) == 1


def test_two_canaries_never_share_a_key(flight: Flight, aws: FakeAws) -> None:
    first = flight.fly().key
    aws.calls.clear()
    assert flight.fly().key != first


def test_a_result_is_plain_values(flight: Flight) -> None:
    result = flight.fly().as_result()
    assert result["left_behind"] == []
    assert set(result) == {field.name for field in fields(Canary)}
    assert json.loads(json.dumps(result)) == result
