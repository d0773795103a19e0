# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The tasks that make an access point and change its routes, on the fake AWS."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import access_point_rows
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import routes as aws_routes
from ansible_collections.crossregion.s3_dr.plugins.modules import (
    s3_multi_region_access_point,
    s3_multi_region_access_point_routes,
)
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Bucket, Call, FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, EAST, PRIMARY, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

BUCKETS = [{"bucket": PRIMARY.bucket, "region": EAST}, {"bucket": DR.bucket, "region": WEST}]
READ = {
    "Sid": "Read",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{OWNER}:root"},
    "Action": "s3:GetObject",
    "Resource": "{access_point}/object/*",
}
TO_DR = [{"bucket": PRIMARY.bucket, "active": False}, {"region": WEST, "active": True}]


class World(Tasks):
    """An AWS with both buckets, and tasks on it."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(aws, monkeypatch)
        aws.buckets = {PRIMARY.bucket: Bucket(EAST), DR.bucket: Bucket(WEST)}
        self.lost: set[str] = set()
        aws.interrupt = self._cut
        time = Time()
        monkeypatch.setattr(access_point_rows, "time", SimpleNamespace(monotonic=time.clock, sleep=time.sleep))
        control = partial(aws_routes.RouteControl, sleep=time.sleep, clock=time.clock)
        monkeypatch.setattr(aws_routes, "RouteControl", control)

    def _cut(self, call: Call) -> None:
        if call.region in self.lost:
            raise ConnectTimeoutError(endpoint_url=f"https://{call.service}.{call.region}.amazonaws.com")

    def make(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What s3_multi_region_access_point ends with."""
        given = {"name": "orders", "buckets": BUCKETS, **options}
        return self.run(s3_multi_region_access_point, check, **given)

    def route(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What s3_multi_region_access_point_routes ends with."""
        given = {"mrap": self.arn(), "routes": TO_DR, **options}
        return self.run(s3_multi_region_access_point_routes, check, **given)

    def arn(self) -> str:
        """That of the access point."""
        return f"arn:aws:s3::{OWNER}:accesspoint/{self.aws.points['orders'].alias}"


@pytest.fixture(name="world")
def world_fixture(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS that holds both buckets and no access point."""
    return World(aws, monkeypatch)


@pytest.mark.parametrize("options", [{}, {"policy": [READ]}, {"public_access_block": {"block_public_acls": False}}])
def test_check_mode_predicts_the_very_steps_and_the_second_run_changes_nothing(
    world: World, options: dict[str, Any]
) -> None:
    predicted = world.make(check=True, **options)
    assert (world.aws.writes(), predicted["access_point"]) == ([], {})
    done = world.make(**options)
    assert (predicted["steps"], predicted["diff"]) == (done["steps"], done["diff"])
    again = world.make(**options)
    assert (again["changed"], world.aws.writes(), again["access_point"]) == (False, [], done["access_point"])


def test_it_tells_the_access_point_in_the_words_of_the_options(world: World) -> None:
    assert world.make()["access_point"] == {
        "name": "orders",
        "alias": world.aws.points["orders"].alias,
        "arn": world.arn(),
        "status": "READY",
        "buckets": [{**one, "account_id": OWNER} for one in BUCKETS],
    }


def test_a_bucket_that_is_not_there_is_told_before_anything_is_made(world: World) -> None:
    del world.aws.buckets[DR.bucket]
    told = world.make()
    assert told["failed"]
    assert "there is no bucket example-orders-dr" in told["msg"]
    assert world.aws.writes() == []


def test_an_access_point_is_deleted_only_by_its_name_twice(world: World) -> None:
    world.make(policy=[READ])
    for confirmation in ({}, {"confirm_deletion": "other"}):
        assert "set `confirm_deletion: orders`" in world.make(state="absent", **confirmation)["msg"]
        assert world.aws.calls == []
    given = {"state": "absent", "confirm_deletion": "orders"}
    predicted = world.make(check=True, **given)
    assert "orders" in world.aws.points
    done = world.make(**given)
    assert predicted["steps"] == done["steps"]
    assert [(step["action"], step["kind"]) for step in done["steps"]] == [("delete", "multi_region_access_point")]
    assert (world.aws.points, done["access_point"]) == ({}, {})
    assert not world.make(**given)["changed"]


@pytest.mark.parametrize("options", [{"name": "A"}, {"buckets": []}, {"policy": [{"Effect": "Deny"}]}])
def test_what_cannot_be_right_is_refused_before_any_call(world: World, options: dict[str, Any]) -> None:
    assert world.make(**options)["failed"]
    assert world.aws.calls == []


# --- routes --------------------------------------------------------------------------------------------------


def test_routes_are_predicted_changed_and_then_left(world: World) -> None:
    world.make()
    predicted = world.route(check=True)
    assert [call.operation for call in world.aws.calls] == ["GetMultiRegionAccessPointRoutes"]
    done = world.route()
    for name in ("changed", "routes", "before", "diff", "arn"):
        assert predicted[name] == done[name], name
    assert done["routes"] == [{**BUCKETS[0], "active": False}, {**BUCKETS[1], "active": True}]
    assert (done["changed"], done["shown"], predicted["shown"]) == (True, True, False)
    assert done["diff"] == [{"before": done["before"], "after": done["routes"]}]
    again = world.route()
    assert (again["changed"], again["diff"], world.aws.writes()) == (False, [], [])


def test_an_arn_needs_nothing_but_one_control_region(world: World) -> None:
    world.make()
    world.lost = {EAST, WEST, "ap-southeast-2", "ap-northeast-1"}
    done = world.route(avoid_regions=[EAST])
    assert (done["control_region"], done["shown"]) == ("eu-west-1", True)
    assert {call.service for call in world.aws.calls} == {"s3control"}
    assert EAST not in {call.region for call in world.aws.calls}


@pytest.mark.parametrize("what", ["name", "alias"])
def test_an_alias_or_name_is_of_the_callers_account(world: World, what: str) -> None:
    mrap = world.make()["access_point"][what]
    assert world.route(mrap=mrap)["arn"] == world.arn()


def test_an_alias_works_while_the_first_region_is_lost(world: World) -> None:
    mrap = world.make()["access_point"]["alias"]
    world.lost = {EAST}
    assert world.route(mrap=mrap)["shown"]


def test_a_change_that_is_not_shown_in_time_has_changed_something(world: World) -> None:
    world.make()
    world.aws.looks = 10**6
    told = world.route(timeout=60)
    assert (told["failed"], told["changed"]) == (True, True)
    assert "run again, which waits on" in told["msg"]
    assert "Nothing was changed" not in told["msg"]


def test_without_waiting_what_will_be_is_told(world: World) -> None:
    world.make()
    done = world.route(wait=False)
    assert (done["changed"], done["shown"], done["routes"][0]["active"]) == (True, False, False)


@pytest.mark.parametrize(
    "options",
    [
        {"routes": []},
        {"routes": [{"bucket": PRIMARY.bucket, "active": False}]},
        {"routes": [{"active": True}]},
        {"routes": [{"bucket": PRIMARY.bucket, "region": EAST, "active": True}]},
        {"mrap": "No"},
        {"mrap": "orders", "avoid_regions": [WEST]},
        {"avoid_regions": ["us-east-1", "us-west-2", "ap-southeast-2", "ap-northeast-1", "eu-west-1"]},
        {"timeout": 0},
    ],
)
def test_routes_that_cannot_be_right_are_refused_before_any_call(world: World, options: dict[str, Any]) -> None:
    world.make()
    told = world.route(**options)
    assert (told["failed"], told["changed"]) == (True, False)
    assert "Nothing was changed." in told["msg"]
    assert world.aws.calls == []
