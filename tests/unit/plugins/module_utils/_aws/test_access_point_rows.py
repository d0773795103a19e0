# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Access points and their policies are changed in the background, and a run that was killed meanwhile goes on."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import access_point_rows
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.access_points import (
    AccessPoint,
    Member,
    access_point_address,
    access_point_wish,
    policy_address,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Wish, plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.render import as_results
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.access_points import Point
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, OTHER, PRIMARY, WEST

AT = access_point_address("orders", ACCOUNT)
POLICY_AT = policy_address("orders", ACCOUNT)
READ = {
    "Sid": "Read",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "s3:GetObject",
    "Resource": "{access_point}/object/*",
}
THEIRS = {**READ, "Sid": "Theirs", "Action": "s3:PutObject"}


class Killed(BaseException):
    """The process ends here."""


class World:
    """An AWS without access points, and plans on it that never wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = FakeAws()
        self.aws.bucket_regions = {PRIMARY.bucket: EAST, DR.bucket: WEST}
        self.time = Time()
        monkeypatch.setattr(
            access_point_rows, "time", SimpleNamespace(monotonic=self.time.clock, sleep=self.time.sleep)
        )

    def gateway(self) -> Gateway:
        """A door to this AWS."""
        return Gateway(self.aws.client_for, self.time.sleep, self.time.clock)

    def make(self, wish: Wish, unwanted: Wish | None = None) -> list[dict[str, Any]]:
        """Observe, plan, carry out; what was done."""
        gateway = self.gateway()
        steps = plan(wish, gateway.observe([*wish, *(unwanted or {})]), unwanted)
        gateway.carry_out(steps)
        return as_results(steps)

    def left(self, wish: Wish) -> list[dict[str, Any]]:
        """What a second run would do."""
        return as_results(plan(wish, self.gateway().observe(wish)))

    def writes(self) -> list[str]:
        """The calls that may have changed something."""
        return [call.operation for call in self.aws.writes()]

    def policy(self) -> dict[str, Any]:
        """The established policy as AWS holds it."""
        text = self.aws.points["orders"].established
        assert text is not None
        return dict(json.loads(text))


@pytest.fixture(name="world")
def world_fixture(monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS that holds both buckets and no access point."""
    return World(monkeypatch)


def wished(*statements: dict[str, Any], **changes: Any) -> Wish:
    """An access point of both buckets, with these statements in its policy."""
    members = (Member(PRIMARY.bucket, EAST), Member(DR.bucket, WEST))
    given = {"name": "orders", "members": members, "blocks": {}, "statements": statements, **changes}
    return access_point_wish(AccessPoint(**given), ACCOUNT, None)


def test_an_access_point_and_its_policy_are_made_and_awaited(world: World) -> None:
    world.make(wished(READ))
    point = world.aws.points["orders"]
    assert point.status == "READY"
    assert point.details["Regions"] == [{"Bucket": PRIMARY.bucket}, {"Bucket": DR.bucket}]
    assert set(point.details["PublicAccessBlock"].values()) == {True}
    assert world.policy()["Statement"][0]["Resource"] == f"arn:aws:s3::{ACCOUNT.id}:accesspoint/{point.alias}/object/*"
    assert world.left(wished(READ)) == []
    assert {call.region for call in world.aws.calls} == {WEST}
    tokens = [call for call in world.aws.calls if call.operation.startswith("Create")]
    assert [set(call.params) for call in tokens] == [{"AccountId", "Details", "ClientToken"}]


def test_what_is_predicted_before_there_is_an_arn_is_what_aws_holds(world: World) -> None:
    wish = wished(READ)
    world.make(wish)
    held = world.gateway().observe([POLICY_AT])[POLICY_AT]
    assert held is not None
    assert held["Statement"] == [READ]


def test_a_second_run_writes_nothing(world: World) -> None:
    world.make(wished(READ))
    world.aws.calls.clear()
    assert world.make(wished(READ)) == []
    assert world.writes() == []


def test_an_arn_that_the_user_writes_out_is_the_same_as_the_stand_in(world: World) -> None:
    world.make(wished(READ))
    there = world.gateway().observe([AT])[AT]
    assert there is not None
    arn = f"arn:aws:s3::{ACCOUNT.id}:accesspoint/{there['Alias']}"
    written = AccessPoint(
        "orders",
        (Member(PRIMARY.bucket, EAST), Member(DR.bucket, WEST)),
        {},
        ({**READ, "Resource": f"{arn}/object/*"},),
    )
    assert world.left(access_point_wish(written, ACCOUNT, there)) == []


def test_a_bucket_of_another_account_is_named_with_it(world: World) -> None:
    wish = wished(members=(Member(PRIMARY.bucket, EAST, ACCOUNT.id), Member(DR.bucket, WEST, OTHER.id)))
    world.make(wish)
    assert world.aws.points["orders"].details["Regions"] == [
        {"Bucket": PRIMARY.bucket},
        {"Bucket": DR.bucket, "BucketAccountId": OTHER.id},
    ]
    assert world.left(wish) == []


def test_without_waiting_it_is_begun_only(world: World) -> None:
    wish = wished(wait=False)
    world.make(wish)
    assert world.aws.points["orders"].status == "CREATING"
    assert world.time.sleeps == []
    assert world.left(wish) == []


def test_a_creation_that_fails_says_what_s3_says(world: World) -> None:
    world.aws.failing = {"Code": "NoSuchBucket", "Message": "The specified bucket does not exist."}
    with pytest.raises(
        AwsFailure, match=r"orders \(us-west-2\): AWS refused CreateMulti.*NoSuchBucket: The specified bucket does not"
    ):
        world.make(wished())
    assert world.left(wished()) != []


def test_what_takes_very_long_fails_and_goes_on_with_the_next_run(world: World) -> None:
    world.aws.looks = 10**6
    with pytest.raises(AwsFailure, match=r"S3 still works on it after 60 minutes. Run again, which waits on"):
        world.make(wished())
    assert 3500 < world.time.now < 3700
    assert [step["action"] for step in world.left(wished())] == ["update"]


@pytest.mark.parametrize("fatal", range(1, 13))
def test_a_run_killed_at_any_call_and_started_again_converges(world: World, fatal: int) -> None:
    def kill(call: Call) -> None:
        if len(world.aws.calls) >= fatal:
            raise Killed

    world.aws.interrupt = kill
    with pytest.raises(Killed):
        world.make(wished(READ))
    world.aws.interrupt = lambda call: None
    world.make(wished(READ))
    assert world.left(wished(READ)) == []
    assert world.aws.points["orders"].status == "READY"
    assert [statement["Sid"] for statement in world.policy()["Statement"]] == ["Read"]
    creations = [call for call in world.aws.calls[:-1] if call.operation.startswith("Create")]
    assert len(creations) <= 2


def test_a_creation_under_way_is_awaited_and_not_begun_again(world: World) -> None:
    world.make(wished(wait=False))
    world.aws.looks = 5
    world.aws.calls.clear()
    assert [step["action"] for step in world.make(wished())] == ["update"]
    assert world.writes() == []
    assert world.aws.points["orders"].status == "READY"


def test_a_creation_that_ended_halfway_is_tried_again(world: World) -> None:
    world.make(wished())
    world.aws.points["orders"].status = "PARTIALLY_CREATED"
    world.aws.calls.clear()
    world.make(wished())
    assert world.writes() == ["CreateMultiRegionAccessPoint"]
    assert world.aws.points["orders"].status == "READY"


# --- policies ------------------------------------------------------------------------------------------------


def test_statements_of_others_stay_in_their_place(world: World) -> None:
    world.make(wished(THEIRS))
    world.make(wished(READ))
    assert [statement["Sid"] for statement in world.policy()["Statement"]] == ["Theirs", "Read"]
    world.make(wished(READ, removed_sids=("Theirs",)))
    assert [statement["Sid"] for statement in world.policy()["Statement"]] == ["Read"]


def test_a_policy_that_is_being_established_keeps_what_it_brings(world: World) -> None:
    world.make(wished(READ))
    point = world.aws.points["orders"]
    proposed = {**world.policy(), "Statement": [*world.policy()["Statement"], THEIRS]}
    point.proposed = json.dumps(proposed)
    world.make(wished(READ))
    assert {statement["Sid"] for statement in world.policy()["Statement"]} == {"Read", "Theirs"}
    assert world.left(wished(READ)) == []


def test_a_policy_of_ours_that_is_not_established_yet_is_not_taken_for_done(world: World) -> None:
    world.make(wished())
    point = world.aws.points["orders"]
    arn = f"arn:aws:s3::{ACCOUNT.id}:accesspoint/{point.alias}"
    point.proposed = json.dumps({"Version": "2012-10-17", "Statement": [{**READ, "Resource": f"{arn}/object/*"}]})
    assert [step["action"] for step in world.make(wished(READ))] == ["update"]
    assert point.established == point.proposed
    assert world.left(wished(READ)) == []


def test_a_policy_that_somebody_changes_meanwhile_is_not_undone(world: World) -> None:
    world.make(wished(READ))
    wish = wished({**READ, "Action": "s3:*"})
    gateway = world.gateway()
    steps = plan(wish, gateway.observe(wish))
    world.aws.points["orders"].established = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]})
    with pytest.raises(AwsFailure, match="somebody changed it while this task ran"):
        gateway.carry_out(steps)


def test_a_policy_that_fails_says_what_s3_says(world: World) -> None:
    world.make(wished())
    world.aws.failing = {"Code": "MalformedPolicy", "Message": "Invalid principal in policy"}
    with pytest.raises(AwsFailure, match=r"PutMultiRegionAccessPointPolicy .MalformedPolicy: Invalid principal"):
        world.make(wished(READ))


# --- deletions -----------------------------------------------------------------------------------------------


def test_a_deletion_is_awaited(world: World) -> None:
    world.make(wished(READ))
    assert [step["action"] for step in world.make({}, {AT: {}})] == ["delete"]
    assert world.aws.points == {}
    assert world.make({}, {AT: {}}) == []


def test_a_deletion_under_way_is_awaited_and_not_begun_again(world: World) -> None:
    world.aws.points["orders"] = Point({"PublicAccessBlock": {}, "Regions": []}, "mabc.mrap", "READY")
    client = world.aws.client_for("s3control", WEST)
    client.delete_multi_region_access_point(AccountId=ACCOUNT.id, Details={"Name": "orders"})
    world.aws.looks = 4
    world.aws.calls.clear()
    world.make({}, {AT: {}})
    assert world.writes() == []
    assert world.aws.points == {}


def test_whoever_may_not_is_told_what_to_allow(world: World) -> None:
    def deny(call: Call) -> None:
        if call.operation.startswith("Create"):
            raise client_error("AccessDenied", "no", call.operation)

    world.aws.interrupt = deny
    with pytest.raises(AwsFailure, match="Allow s3:CreateMultiRegionAccessPoint, s3:Describe"):
        world.make(wished())
