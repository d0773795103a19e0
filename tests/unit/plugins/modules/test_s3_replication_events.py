# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The tasks that send failure events, on the fake AWS: what changes hands leaves nothing behind and breaks nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.modules import s3_replication_events
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call, FakeAws, Key, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.monitoring import Topic
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

THIRD = "example-orders-archive"
THEIRS = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow", "Principal": "*"}]})
A, B = (f"arn:aws:kms:{EAST}:{ACCOUNT.id}:key/{name}" for name in "ab")
WITH_A, WITH_B = {"kms_key_arns": {EAST: A}}, {"kms_key_arns": {EAST: B}}
QUEUE = f"arn:aws:sqs:{EAST}:{ACCOUNT.id}:s3-dr-events"
ABSENT = {"state": "absent"}
ORDERS: dict[str, Any] = {
    "name": "orders",
    "primary": {"bucket": PRIMARY.bucket, "region": EAST},
    "dr": {"bucket": DR.bucket, "region": WEST},
}
SECOND = {**ORDERS, "name": "second", "dr": {"bucket": THIRD, "region": WEST}}


class World(Tasks):
    """An AWS with the buckets and two keys."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(aws, monkeypatch)
        aws.buckets = {PRIMARY.bucket: Bucket(EAST), DR.bucket: Bucket(WEST), THIRD: Bucket(WEST)}
        aws.keys = {A: Key(THEIRS), B: Key(THEIRS)}

    def send(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with; it fails only where that is expected."""
        return self.run(s3_replication_events, check, **{**ORDERS, **options})

    def ours_in(self, key: str) -> list[str]:
        """The Sids of our statements in the policy of a key."""
        return [one["Sid"] for one in json.loads(self.aws.keys[key].policy)["Statement"] if one["Sid"] != "Theirs"]

    def cut_at(self, operation: str) -> None:
        """End each run at a call."""

        def refuse(call: Call) -> None:
            if call.operation == operation:
                raise client_error("AccessDenied", "the run is cut short here")

        self.aws.interrupt = refuse

    def deny_reading(self, key: str) -> None:
        """Let nobody read the policy of a key."""

        def refuse(call: Call) -> None:
            if call.operation == "GetKeyPolicy" and call.params["KeyId"] == key:
                raise client_error("AccessDeniedException", "no")

        self.aws.interrupt = refuse


@pytest.fixture
def world(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two buckets, a third one, and two keys."""
    return World(aws, monkeypatch)


# --- keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["sqs", "sns"])
def test_a_key_that_is_used_no_more_lets_nobody_in_for_us(world: World, target: str) -> None:
    world.send(target=target, **WITH_A)
    predicted = world.send(check=True, target=target, **WITH_B)
    assert predicted["steps"] == world.send(target=target, **WITH_B)["steps"]
    assert (world.ours_in(A), len(world.ours_in(B))) == ([], 1)
    assert not world.send(target=target, **WITH_B)["changed"]
    assert len(world.ours_in(B)) == 1


@pytest.mark.parametrize("target", ["sqs", "sns"])
def test_the_key_goes_with_the_thing_whether_it_is_named_or_not(world: World, target: str) -> None:
    world.send(target=target, **WITH_A)
    world.send(target=target)
    assert len(world.ours_in(A)) == 1
    world.send(target=target, **ABSENT)
    assert (world.ours_in(A), world.aws.queues, world.aws.topics) == ([], {}, {})
    assert not world.send(target=target, **ABSENT)["changed"]


def test_a_new_target_with_the_same_key_takes_over_from_the_old_one(world: World) -> None:
    world.send(target_name="old", **WITH_A)
    before = world.ours_in(A)
    world.send(target_name="new", **WITH_A)
    assert len(world.ours_in(A)) == 1
    assert world.ours_in(A) != before
    world.send(target_name="new", **ABSENT)
    assert world.ours_in(A) == []


def theirs(world: World) -> None:
    """Somebody else takes over the queue, to which another bucket sends as well."""
    queue = world.aws.queues[QUEUE]
    policy = json.loads(queue.attributes["Policy"])
    policy["Statement"].append({"Sid": "Corp", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}})
    queue.attributes["Policy"] = json.dumps(policy)


@pytest.mark.parametrize("foreign", [True, False])
@pytest.mark.parametrize("options", [WITH_A, {}])
def test_a_queue_that_stays_keeps_what_its_key_allows(world: World, foreign: bool, options: dict[str, Any]) -> None:
    world.send(**WITH_A)
    theirs(world)
    if foreign:
        world.aws.queues[QUEUE].tags = {}
    (sid,) = world.ours_in(A)
    (note,) = world.send(**ABSENT, **options)["notes"]
    assert world.ours_in(A) == [sid]
    assert (A in note, sid in note, QUEUE in note) == (True, True, True)
    assert ("did not make" in note) == foreign
    assert ("Corp" in note) != foreign


def test_a_former_key_that_nobody_may_read_is_said(world: World) -> None:
    world.send(**WITH_A)
    (sid,) = world.ours_in(A)
    world.deny_reading(A)
    result = world.send(**WITH_B)
    assert "failed" not in result
    (note,) = result["notes"]
    assert (A in note, sid in note, "kms:GetKeyPolicy" in note) == (True, True, True)
    world.aws.queues[QUEUE].attributes["KmsMasterKeyId"] = A
    (note,) = world.send(**ABSENT)["notes"]
    assert (A in note, sid in note) == (True, True)
    assert world.aws.queues == {}


@pytest.mark.parametrize("held", ["alias/corp", f"arn:aws:kms:{EAST}:999988887777:key/x", "1234abcd"])
def test_a_key_that_cannot_hold_our_statement_is_let_alone(world: World, held: str) -> None:
    world.send()
    world.aws.queues[QUEUE].attributes["KmsMasterKeyId"] = held
    assert not world.send()["changed"]
    assert world.send(**WITH_A)["notes"] == []
    world.aws.queues[QUEUE].attributes["KmsMasterKeyId"] = held
    assert world.send(**ABSENT)["notes"] == []


def test_a_key_that_does_not_exist_is_refused_also_in_check_mode(world: World) -> None:
    del world.aws.keys[A]
    for check in (True, False):
        result = world.send(check=check, **WITH_A)
        assert result["failed"]
        assert f"there is no key {A} in {EAST}" in result["msg"]
        assert world.aws.writes() == []
    assert "failed" not in world.send(**ABSENT, **WITH_A)


# --- a target that changes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new", "cut"), [("sqs", "sns", "DeleteQueue"), ("sns", "sqs", "DeleteTopic")])
@pytest.mark.parametrize("absent", [True, False])
def test_a_change_of_service_that_was_cut_short_is_finished_later(
    world: World, old: str, new: str, cut: str, absent: bool
) -> None:
    world.send(target=old, **WITH_A)
    world.cut_at(cut)
    assert world.send(target=new, **WITH_B)["failed"]
    world.aws.interrupt = lambda call: None
    last = {"target": new, **WITH_B, **(ABSENT if absent else {})}
    assert world.send(**last)["changed"]
    left = {"sqs": world.aws.queues, "sns": world.aws.topics}
    assert (left[old], len(left[new])) == ({}, 0 if absent else 1)
    assert world.ours_in(A) == []
    assert not world.send(**last)["changed"]


@pytest.mark.parametrize("absent", [True, False])
def test_a_change_of_name_that_was_cut_short_is_finished_when_the_former_one_is_named(
    world: World, absent: bool
) -> None:
    world.send(target_name="old", **WITH_A)
    world.cut_at("DeleteQueue")
    assert "sqs_queue old" in world.send(target="sns", target_name="new")["msg"]
    world.aws.interrupt = lambda call: None
    last: dict[str, Any] = {"target": "sns", "target_name": "new", **(ABSENT if absent else {})}
    last["former_targets"] = [{"target": "sqs", "target_name": "old"}]
    world.send(**last)
    assert (world.aws.queues, len(world.aws.topics), world.ours_in(A)) == ({}, 0 if absent else 1, [])
    assert not world.send(**last)["changed"]


def test_a_former_target_that_is_used_again_stays(world: World) -> None:
    former = [{"target": "sqs", "target_name": "s3-dr-events"}, {"target": "sns", "target_name": "never-was"}]
    world.send(former_targets=former)
    assert list(world.aws.queues) == [QUEUE]
    assert not world.send(former_targets=former)["changed"]


def test_a_former_target_that_cannot_be_one_is_refused_before_any_call(world: World) -> None:
    result = world.send(former_targets=[{"target": "sqs", "target_name": "old.fifo"}])
    assert "old.fifo" in result["msg"]
    assert [call for call in world.aws.calls if call.service != "sts"] == []


@pytest.mark.parametrize("absent", [True, False])
def test_a_topic_of_the_same_name_that_is_not_the_pairs_stays(world: World, absent: bool) -> None:
    """For example the one of the alarms, before it lets CloudWatch in."""
    arn = QUEUE.replace(":sqs:", ":sns:")
    default = {"Version": "2008-10-17", "Statement": [{"Sid": "__default_statement_ID", "Effect": "Allow"}]}
    world.aws.topics[arn] = Topic(json.dumps(default), {"managed-by": "crossregion.s3_dr"})
    world.send()
    world.send(**(ABSENT if absent else {}))
    assert world.aws.topics[arn].policy == json.dumps(default)


def test_whoever_may_not_ask_the_other_service_needs_not_to(world: World) -> None:
    def refuse(call: Call) -> None:
        if call.service == "sns":
            raise client_error("AuthorizationError", "no")

    world.aws.interrupt = refuse
    assert world.send()["notes"] == []
    assert not world.send()["changed"]
    assert world.send(**ABSENT)["changed"]
    assert world.aws.queues == {}


# --- pairs of one source -------------------------------------------------------------------------------------


def rules(*ids: str) -> dict[str, Any]:
    """The replication of the source."""
    return {"Role": "r", "Rules": [{"ID": one, "Status": "Enabled"} for one in ids]}


def test_the_pair_that_tells_for_another_says_so_when_it_goes(world: World) -> None:
    world.aws.buckets[PRIMARY.bucket].replication = rules("s3-dr-orders", "s3-dr-second")
    assert world.send()["notes"] == []
    world.run(s3_replication_events, **SECOND)
    for check in (True, False):
        (note,) = world.send(check=check, **ABSENT)["notes"]
        assert PRIMARY.bucket in note
        assert "by the rules s3-dr-second, and nobody is told" in note
    assert world.send(**ABSENT)["notes"] == []
    assert world.run(s3_replication_events, **SECOND)["changed"]
    assert world.run(s3_replication_events, **SECOND)["notes"] == []


def test_the_last_pair_of_a_source_says_nothing_when_it_goes(world: World) -> None:
    world.aws.buckets[PRIMARY.bucket].replication = rules("s3-dr-orders")
    world.send()
    assert world.send(**ABSENT)["notes"] == []


def test_a_bucket_that_is_gone_has_no_rules_to_tell_of(world: World) -> None:
    world.send()
    del world.aws.buckets[DR.bucket]
    assert world.send(**ABSENT)["notes"] == []


def test_whoever_may_not_read_the_rules_can_still_remove(world: World) -> None:
    world.send()

    def refuse(call: Call) -> None:
        if call.operation == "GetBucketReplication":
            raise client_error("AccessDenied", "no")

    world.aws.interrupt = refuse
    assert world.send(**ABSENT)["changed"]
    assert world.aws.queues == {}


def test_a_renamed_pair_says_how_the_old_name_gives_way(world: World) -> None:
    world.send()
    (note,) = world.send(name="renamed")["notes"]
    assert "run with `name: orders` and `state: absent` first" in note
    world.send(**ABSENT)
    world.send(name="renamed")
    assert "s3-dr/renamed/replication" in json.dumps(world.aws.buckets[PRIMARY.bucket].notification)
