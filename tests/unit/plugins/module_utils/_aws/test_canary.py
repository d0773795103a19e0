# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A canary's outcomes, each told apart; and that it removes its own versions and nothing else."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from botocore.parsers import ResponseParserError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import (
    RESERVED_PREFIX,
    Canary,
    Route,
    each,
    fly,
    prove,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import End, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.proofs import Flight
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import pair_addresses, pair_wish
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Bucket, Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNTS,
    ARCHIVE,
    DR,
    EAST,
    KEYS,
    PRIMARY,
    WEST,
    a_pair,
)

RULE = Rule("s3-dr-orders", prefix="2026/")
DEADLINE = 60.0


@pytest.fixture
def aws() -> FakeAws:
    """An AWS in which the pair replicates, with a foreign object at both ends."""
    fake = FakeAws()
    gateway, pair = Gateway(fake.client_for), a_pair(rules=(RULE,))
    observed = gateway.observe(pair_addresses(pair, ACCOUNTS))
    gateway.carry_out(plan(pair_wish(pair, ACCOUNTS, observed), observed))
    client = fake.client_for("s3", EAST)
    client.put_object(Bucket=PRIMARY.bucket, Key="2026/theirs", Body=b"1", ExpectedBucketOwner=OWNER)
    fake.calls.clear()
    return fake


class Sky:
    """Flights by a clock that only sleeping moves."""

    def __init__(self, aws: FakeAws, destination: End = DR, rule: Rule = RULE, kms_key_arn: str | None = None) -> None:
        (link,) = a_pair(rules=(rule,), dr=destination).links()
        self.route = Route.of(Flight(link, rule, kms_key_arn), ACCOUNTS, aws.client_for)
        self.now = 0.0

    def fly(self, deadline: float = DEADLINE) -> Canary:
        """The fate of one canary."""
        return fly(self.route, deadline, self.sleep, lambda: self.now)

    def prove(self, deadline: float = DEADLINE) -> Canary:
        """The fate of the last of several."""
        return prove(self.route, deadline, self.sleep, lambda: self.now)

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.now += seconds


@pytest.fixture
def flight(aws: FakeAws) -> Sky:
    """Flights over the fake."""
    return Sky(aws)


@pytest.fixture(autouse=True)
def untouched(aws: FakeAws) -> Any:
    """Whatever becomes of the canary, what was there before is there afterwards, and no other key was named."""
    yield
    for end in (PRIMARY, DR):
        assert "2026/theirs" in [version["Key"] for version in aws.buckets[end.bucket].versions]
    keys = {call.params["Key"] for call in aws.calls if "Key" in call.params}
    assert all(key.startswith(f"2026/{RESERVED_PREFIX}") for key in keys)
    assert len(keys) <= len([call for call in aws.calls if call.operation == "PutObject"])


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


def test_a_canary_that_arrives_intact_is_replicated_and_removed_at_both_ends(aws: FakeAws, flight: Sky) -> None:
    canary = flight.fly()
    assert (canary.status, canary.reason, canary.left_behind) == ("replicated", None, ())
    assert (canary.rule, canary.source, canary.destination) == (RULE.id, PRIMARY.bucket, DR.bucket)
    assert canary.key.startswith(f"2026/{RESERVED_PREFIX}")
    assert remains(aws) == []


def test_only_the_version_that_was_written_is_deleted(aws: FakeAws, flight: Sky) -> None:
    canary = flight.fly()
    deleted = [call.params for call in aws.calls if call.operation.startswith("Delete")]
    assert [params["Bucket"] for params in deleted] == [PRIMARY.bucket, DR.bucket]
    assert {(params["Key"], params["VersionId"]) for params in deleted} == {(canary.key, canary.version_id)}


def test_every_call_names_the_buckets_owner(aws: FakeAws, flight: Sky) -> None:
    flight.fly()
    assert {call.params.get("ExpectedBucketOwner") for call in aws.calls} == {OWNER}


@pytest.mark.parametrize("done", ["COMPLETED", "COMPLETE"])
def test_a_canary_is_watched_while_it_is_pending(aws: FakeAws, flight: Sky, done: str) -> None:
    aws.replicates = lambda version: done if flight.now >= 20 else "PENDING"
    canary = flight.fly()
    assert canary.status == "replicated"
    assert 20 <= (canary.seconds or 0) <= 25


def test_a_canary_that_s3_gave_up_has_failed_at_once(aws: FakeAws, flight: Sky) -> None:
    aws.replicates = lambda version: "FAILED"
    canary = flight.fly()
    assert (canary.status, flight.now) == ("failed", 0)
    assert "FAILED" in (canary.reason or "")
    assert remains(aws) == []


def test_a_canary_that_no_rule_matched_has_failed(aws: FakeAws, flight: Sky) -> None:
    aws.replicates = lambda version: None
    canary = flight.fly()
    assert (canary.status, canary.reason) == ("failed", "no enabled rule of the bucket matched the object")


def test_a_canary_that_stays_pending_is_late_and_left_to_arrive(aws: FakeAws, flight: Sky) -> None:
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
def test_nothing_is_called_late_before_the_deadline(aws: FakeAws, flight: Sky, deadline: float) -> None:
    aws.replicates = lambda version: "COMPLETED" if flight.now >= 0.99 * deadline else "PENDING"
    assert flight.fly(deadline).status == "replicated"


def test_a_replica_with_other_bytes_differs(aws: FakeAws, flight: Sky) -> None:
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


def test_a_replica_that_is_not_there_although_s3_says_so_has_failed(aws: FakeAws, flight: Sky) -> None:
    aws.buckets[PRIMARY.bucket].replication = None
    canary = flight.fly()
    assert canary.status == "failed"
    assert "NoSuchVersion" in (canary.reason or "")


def test_a_canary_that_cannot_be_written_says_so_and_deletes_nothing(aws: FakeAws, flight: Sky) -> None:
    aws.interrupt = failing("PutObject")
    canary = flight.fly()
    assert (canary.status, canary.version_id) == ("not_written", None)
    assert "AccessDenied" in (canary.reason or "")
    assert [call.operation for call in aws.calls] == ["PutObject"]


@pytest.mark.parametrize("region", [EAST, WEST])
def test_what_cannot_be_removed_is_named_and_the_other_end_is_still_removed(
    aws: FakeAws, flight: Sky, region: str
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
    flight = Sky(aws, End(DR.bucket, WEST, storage_class))
    assert (flight.fly().status, flight.fly().compared) == ("replicated", "size")
    assert "GetObject" not in {call.operation for call in aws.calls}
    aws.calls.clear()


@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER_IR"])
def test_a_replica_in_a_class_that_can_be_read_is_compared_byte_by_byte(aws: FakeAws, storage_class: str) -> None:
    assert Sky(aws, End(DR.bucket, WEST, storage_class)).fly().compared == "bytes"


def test_a_replica_that_may_not_be_read_proves_nothing_more_than_what_s3_says(aws: FakeAws, flight: Sky) -> None:
    aws.interrupt = failing("GetObject", WEST)
    canary = flight.prove()
    assert (canary.status, canary.compared, canary.left_behind) == ("unreadable", "status", ())
    assert "AccessDenied" in (canary.reason or "")
    assert (remains(aws), len(written(aws))) == ([], 1)


def test_a_canary_that_may_not_be_looked_at_is_left_to_arrive_and_not_repeated(aws: FakeAws, flight: Sky) -> None:
    aws.interrupt = failing("HeadObject")
    canary = flight.prove()
    assert canary.status == "unreadable"
    assert len(canary.left_behind) == 2
    assert (len(remains(aws)), len(written(aws))) == (2, 1)


def test_an_answer_that_passes_is_no_verdict(aws: FakeAws, flight: Sky) -> None:
    def busy(call: Call) -> None:
        if call.operation == "HeadObject" and flight.now < 3:
            raise client_error("SlowDown", "", call.operation)

    aws.interrupt = busy
    assert flight.prove().status == "replicated"
    assert len(written(aws)) == 1


@pytest.mark.parametrize(
    ("operation", "status"), [("PutObject", "not_written"), ("HeadObject", "late"), ("DeleteObject", "replicated")]
)
def test_an_answer_that_broke_off_is_said_without_the_answer(
    aws: FakeAws, flight: Sky, operation: str, status: str
) -> None:
    def break_off(call: Call) -> None:
        if call.operation == operation:
            raise ResponseParserError("invalid XML received:\nb'<the answer itself'")

    aws.interrupt = break_off
    canary = flight.fly()
    assert canary.status == status
    said = f"{canary.reason} {canary.left_behind}"
    assert "invalid XML received" in said
    assert "the answer itself" not in said


@pytest.mark.parametrize("versioning", [None, "Suspended"])
def test_a_bucket_without_versioning_fails_and_nothing_is_left_in_it(
    aws: FakeAws, flight: Sky, versioning: str | None
) -> None:
    aws.buckets[PRIMARY.bucket].versioning = versioning
    canary = flight.fly()
    assert canary.status == "failed"
    assert PRIMARY.bucket in (canary.reason or "")
    assert "versioning" in (canary.reason or "")
    assert remains(aws) == []


def test_a_canary_left_in_a_bucket_without_versioning_is_named(aws: FakeAws, flight: Sky) -> None:
    aws.buckets[PRIMARY.bucket].versioning = None
    aws.interrupt = failing("DeleteObject")
    canary = flight.fly()
    assert canary.status == "failed"
    assert len(canary.left_behind) == 1


def test_two_canaries_never_share_a_key(flight: Sky, aws: FakeAws) -> None:
    first = flight.fly().key
    aws.calls.clear()
    assert flight.fly().key != first


def written(aws: FakeAws) -> list[dict[str, Any]]:
    """The parameters of each canary that was written."""
    return [call.params for call in aws.calls if call.operation == "PutObject"]


def test_a_canary_is_written_as_the_bucket_encrypts_by_default(aws: FakeAws, flight: Sky) -> None:
    assert flight.fly().encryption == "default"
    assert {"Tagging", "ServerSideEncryption", "SSEKMSKeyId"} & set(written(aws)[0]) == set()


def test_a_canary_carries_the_tags_that_its_rule_demands(aws: FakeAws) -> None:
    Sky(aws, rule=Rule("r", prefix="2026/", tags=(("a b", "1&2"), ("c", "")))).fly()
    assert written(aws)[0]["Tagging"] == "a+b=1%262&c="


def test_a_canary_is_encrypted_with_the_key_of_its_flight(aws: FakeAws) -> None:
    key = KEYS[PRIMARY.bucket]
    assert Sky(aws, kms_key_arn=key).fly().encryption == "aws:kms"
    assert (written(aws)[0]["ServerSideEncryption"], written(aws)[0]["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_canary_is_removed_from_the_other_buckets_to_which_rules_took_it(aws: FakeAws) -> None:
    far = replace(RULE, id="far", priority=2, destination=ARCHIVE)
    sky = Sky(aws)
    aws.buckets[ARCHIVE.bucket] = Bucket(ARCHIVE.region, versioning="Enabled")
    (link,) = a_pair(rules=(RULE, far)).links()
    sky.route = Route.of(Flight(link, far), ACCOUNTS, aws.client_for)
    canary = sky.fly()
    deleted = {call.params["Bucket"] for call in aws.calls if call.operation == "DeleteObject"}
    assert deleted == {PRIMARY.bucket, ARCHIVE.bucket, DR.bucket}
    assert canary.left_behind == ()


def test_a_canary_that_arrives_is_the_only_one(aws: FakeAws, flight: Sky) -> None:
    assert flight.prove().status == "replicated"
    assert len(written(aws)) == 1


def test_another_canary_follows_one_that_failed_until_one_arrives(aws: FakeAws, flight: Sky) -> None:
    aws.replicates = lambda version: "COMPLETED" if flight.now >= 3 else "FAILED"
    assert flight.prove().status == "replicated"
    assert len(written(aws)) > 1
    assert remains(aws) == []


def test_what_fails_until_the_deadline_has_failed(aws: FakeAws, flight: Sky) -> None:
    aws.replicates = lambda version: "FAILED"
    assert flight.prove().status == "failed"
    assert DEADLINE / 2 < flight.now <= DEADLINE
    assert remains(aws) == []


def test_no_canary_follows_that_could_not_be_decided_in_the_time_that_is_left(aws: FakeAws, flight: Sky) -> None:
    """Else the last one would be late, and nobody would learn that all before it failed."""
    started: list[float] = []

    def replicates(version: dict[str, Any]) -> str:
        started.extend([flight.now] * (len(written(aws)) - len(started)))
        return "FAILED" if flight.now >= started[-1] + 7 else "PENDING"

    aws.replicates = replicates
    assert flight.prove().status == "failed"
    assert len(written(aws)) > 1


def test_no_canary_follows_one_that_is_late(aws: FakeAws, flight: Sky) -> None:
    aws.replicates = lambda version: "PENDING"
    assert flight.prove().status == "late"
    assert (flight.now, len(written(aws))) == (DEADLINE, 1)


def test_no_canary_follows_one_that_could_not_be_written(aws: FakeAws, flight: Sky) -> None:
    aws.interrupt = failing("PutObject")
    assert flight.prove().status == "not_written"
    assert (flight.now, len(written(aws))) == (0, 1)


def test_flights_come_back_in_the_order_of_their_routes(aws: FakeAws) -> None:
    routes = [Sky(aws, kms_key_arn=key).route for key in (None, KEYS[PRIMARY.bucket])]
    fates = each(lambda route: fly(route, DEADLINE), routes)
    assert [fate.encryption for fate in fates] == ["default", "aws:kms"]


def test_a_result_is_plain_values(flight: Sky) -> None:
    result = flight.fly().as_result()
    assert result["left_behind"] == []
    assert set(result) == {field.name for field in fields(Canary)}
    assert json.loads(json.dumps(result)) == result
