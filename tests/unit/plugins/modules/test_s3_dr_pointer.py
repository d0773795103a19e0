# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that declares a pointer, and the switch of it: a Region that is lost keeps no other from being written."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pointing import Pointed, Pointing
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_pointer, s3_dr_status
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.systems_manager import Parameter
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST, a_pair
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

PATH = "/s3-dr-active"
NAME = f"{PATH}/orders"
SINCE = "2026-11-23T14:03:22Z"


class World(Tasks):
    """An AWS, tasks on it, and Regions that do not answer."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(aws, monkeypatch)
        self.lost: set[str] = set()
        aws.interrupt = self._cut

    def _cut(self, call: Call) -> None:
        if call.region in self.lost:
            raise ConnectTimeoutError(endpoint_url=f"https://{call.service}.{call.region}.amazonaws.com")

    def declare(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What s3_dr_pointer ends with."""
        ends = {
            "primary": {"bucket": PRIMARY.bucket, "region": EAST},
            "dr": {"bucket": DR.bucket, "region": WEST},
        }
        return self.run(s3_dr_pointer, check, **{"name": "orders", **ends, "path": PATH, **options})

    def switch(self, active: str, *regions: str, check: bool = False, run: str = "run-1") -> Pointed:
        """Let the pointer say that an end is active."""
        time = Time()
        gateway = Gateway(self.aws.client_for, time.sleep, time.clock)
        task: Any = SimpleNamespace(check_mode=check)
        pointing = Pointing(task, gateway, ACCOUNT, a_pair(), PATH)
        return pointing.point_to(active, SINCE, run, regions or None)

    def says(self, region: str) -> dict[str, Any]:
        """What the pointer of a Region says."""
        return dict(json.loads(self.aws.parameters[NAME, region].value))


@pytest.fixture(name="world")
def world_fixture(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS that holds nothing."""
    return World(aws, monkeypatch)


def test_check_mode_predicts_the_very_steps_and_the_second_run_changes_nothing(world: World) -> None:
    predicted = world.declare(check=True)
    assert world.aws.writes() == []
    done = world.declare()
    assert (predicted["steps"], predicted["diff"], predicted["pointer"]) == (
        done["steps"],
        done["diff"],
        done["pointer"],
    )
    assert world.says(EAST) == world.says(WEST) == done["pointer"][EAST]
    assert (world.says(EAST)["active"], world.says(EAST)["since"]) == ("primary", None)
    assert done["parameter"] == NAME
    again = world.declare()
    assert (again["changed"], again["steps"], world.aws.writes()) == (False, [], [])


def test_a_declaration_leaves_a_switch_as_it_is(world: World) -> None:
    world.declare()
    world.switch("dr")
    done = world.declare()
    assert not done["changed"]
    assert (done["pointer"][EAST]["active"], done["pointer"][EAST]["run"]) == ("dr", "run-1")


def test_a_region_that_missed_a_switch_or_lost_its_pointer_says_what_the_other_says(world: World) -> None:
    world.declare()
    assert world.switch("dr", WEST).owed == {EAST: "it is lost"}
    assert world.says(EAST)["active"] == "primary"
    assert [step["region"] for step in world.declare()["steps"]] == [EAST]
    assert world.says(EAST) == world.says(WEST)
    del world.aws.parameters[NAME, WEST]
    world.declare()
    assert world.says(WEST)["active"] == "dr"


@pytest.mark.parametrize(("lost", "left"), [(EAST, WEST), (WEST, EAST)])
def test_while_a_region_is_lost_nothing_is_made_of_which_nobody_knows_what_it_should_say(
    world: World, lost: str, left: str
) -> None:
    world.lost = {lost}
    told = world.declare()
    assert told["failed"]
    assert "the pair may have been switched" in told["msg"]
    assert world.aws.parameters == {}
    world.lost = set()
    world.declare()
    world.lost = {lost}
    told = world.declare(dr={"bucket": "example-moved", "region": WEST})
    assert [step["region"] for step in told["steps"]] == [left]
    assert f"{left} is as wished; run again for {lost}." in told["msg"]
    assert world.says(left)["dr"]["bucket"] == "example-moved"


def test_what_a_verify_says_of_the_pair_is_never_overwritten(world: World) -> None:
    world.run(s3_dr_status, name="orders", regions=[EAST], path=PATH)
    before = world.aws.parameters[NAME, EAST].value
    for options in ({}, {"state": "absent"}):
        told = world.declare(**options)
        assert told["failed"]
        assert "Choose another `path`" in told["msg"]
        assert world.aws.parameters[NAME, EAST].value == before


def test_a_parameter_of_somebody_else_is_left_alone(world: World) -> None:
    world.aws.parameters[NAME, EAST] = Parameter("String", "theirs")
    assert "is somebody else's and is left alone" in world.declare()["msg"]
    assert world.aws.parameters[NAME, EAST].value == "theirs"
    world.declare(state="absent")
    assert world.aws.parameters == {(NAME, EAST): Parameter("String", "theirs")}


def test_it_is_removed_in_both_regions(world: World) -> None:
    world.declare()
    gone = world.declare(state="absent")
    assert [step["action"] for step in gone["steps"]] == ["delete", "delete"]
    assert (gone["pointer"], world.aws.parameters) == ({}, {})
    assert not world.declare(state="absent")["changed"]


@pytest.mark.parametrize("options", [{"path": "aws"}, {"name": "a b"}, {"dr": {"bucket": "b", "region": WEST}}])
def test_what_cannot_be_right_is_refused_before_any_call(world: World, options: dict[str, Any]) -> None:
    assert world.declare(**options)["failed"]
    assert world.aws.calls == []


# --- switching -----------------------------------------------------------------------------------------------


def test_a_switch_is_written_in_both_regions_and_once(world: World) -> None:
    done = world.switch("dr")
    assert (done.written, done.owed, done.result["changed"]) == ((EAST, WEST), {}, True)
    assert world.says(EAST) == world.says(WEST)
    assert (world.says(EAST)["bucket"], world.says(EAST)["since"]) == (DR.bucket, SINCE)
    assert not world.switch("dr").result["changed"]


def test_a_switch_asks_no_region_that_is_lost(world: World) -> None:
    world.switch("dr", WEST)
    assert {call.region for call in world.aws.calls} == {WEST}


def test_a_region_that_turns_out_to_be_lost_is_owed_and_stops_nothing(world: World) -> None:
    world.lost = {EAST}
    done = world.switch("dr")
    assert done.written == (WEST,)
    assert "AWS cannot be reached" in done.owed[EAST]
    assert world.says(WEST)["active"] == "dr"


def test_when_no_region_takes_a_switch_that_is_a_failure(world: World) -> None:
    world.lost = {EAST, WEST}
    with pytest.raises(AwsFailure, match=r"no Region took the switch. us-east-1: .*us-west-2: "):
        world.switch("dr")


def test_a_switch_in_check_mode_writes_nothing(world: World) -> None:
    predicted = world.switch("dr", check=True)
    assert world.aws.parameters == {}
    assert predicted.result["steps"] == world.switch("dr").result["steps"]
