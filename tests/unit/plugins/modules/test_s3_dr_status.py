# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The tasks that tell Systems Manager of a pair, on the fake AWS: a Region that is lost keeps no other from it."""

from __future__ import annotations

import ast
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import operations
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import clients as glue_clients
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_runbook, s3_dr_status
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.systems_manager import Parameter, StoredDocument
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Ended, Task

NAME = "/s3-dr/orders"
BOTH = {(NAME, EAST), (NAME, WEST)}
MEASURED = "2026-11-23T14:04:03Z"
PROVEN = {"verdict": "proven", "summary": ["orders: proven."], "recovery": {"measured_at": MEASURED}}
BROKEN = {"verdict": "broken", "problems": ["The role is gone."], "recovery": {"measured_at": MEASURED}}


class World:
    """An AWS, and tasks on it."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.monkeypatch = monkeypatch
        self.lost: set[str] = set()
        """The Regions that do not answer."""
        time = Time()
        aws.interrupt = self._cut
        monkeypatch.setattr(glue_clients, "Session", lambda **_of: SimpleNamespace(client=self._client))
        monkeypatch.setattr(glue_clients, "get_aws_connection_info", lambda module: (None, None, {}))  # it takes long
        for module in (s3_dr_runbook, s3_dr_status):
            monkeypatch.setattr(module, "Gateway", partial(Gateway, sleep=time.sleep, clock=time.clock))

    def _client(self, service: str, region_name: str, **_options: Any) -> Any:
        return self.aws.client_for(service, region_name)

    def _cut(self, call: Call) -> None:
        if call.region in self.lost:
            raise ConnectTimeoutError(endpoint_url=f"https://{call.service}.{call.region}.amazonaws.com")

    def run(self, module: ModuleType, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with."""
        given = {"regions": [EAST, WEST], **options}
        self.monkeypatch.setattr(
            module,
            "AnsibleAWSModule",
            lambda argument_spec, supports_check_mode: Task(argument_spec, given, check and supports_check_mode),
        )
        self.aws.calls.clear()
        with pytest.raises(Ended) as ended:
            module.main()
        return ended.value.result

    def tell(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What s3_dr_status ends with."""
        return self.run(s3_dr_status, check, name="orders", **options)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS that holds nothing."""
    return World(FakeAws(), monkeypatch)


@pytest.mark.parametrize(
    "options", [{}, {"result": PROVEN}, {"result": BROKEN, "ops_item_region": WEST}, {"result": {"msg": "It broke."}}]
)
def test_check_mode_predicts_the_very_steps_and_the_second_run_changes_nothing(
    world: World, options: dict[str, Any]
) -> None:
    predicted = world.tell(check=True, **options)
    assert world.aws.writes() == []
    done = world.tell(**options)
    assert (predicted["steps"], predicted["diff"], predicted["status"]) == (done["steps"], done["diff"], done["status"])
    assert done["changed"]
    assert set(world.aws.parameters) == BOTH
    again = world.tell(**options)
    assert (again["changed"], again["steps"], world.aws.writes()) == (False, [], [])
    assert again["status"] == done["status"]


def test_both_regions_tell_the_same(world: World) -> None:
    status = world.tell(result=PROVEN)["status"]
    assert status[EAST] == status[WEST]
    assert (status[EAST]["state"], status[EAST]["verified_at"]) == ("proven", MEASURED)
    assert len({parameter.value for parameter in world.aws.parameters.values()}) == 1


def test_what_stays_as_it_is_is_said_for_each_region(world: World) -> None:
    world.tell(result=BROKEN)
    older = {**PROVEN, "recovery": {"measured_at": "2026-11-22T00:00:00Z"}}
    told = world.tell(result=older)
    assert not told["changed"]
    assert told["status"][EAST]["state"] == "broken"
    assert [note.split(":")[0] for note in told["notes"]] == [EAST, WEST]
    assert "a later verify" in told["notes"][0]
    assert world.tell()["notes"] == []


@pytest.mark.parametrize(("lost", "left"), [(EAST, WEST), (WEST, EAST)])
def test_a_region_that_is_lost_keeps_no_other_from_being_told(world: World, lost: str, left: str) -> None:
    """Not even where it is the first, of which the account is asked."""
    world.lost = {lost}
    told = world.tell(result=PROVEN)
    assert told["failed"]
    assert told["changed"]
    assert set(world.aws.parameters) == {(NAME, left)}
    assert f"{lost}: ssm_parameter {NAME} ({lost}): AWS cannot be reached" in told["msg"]
    assert f"{left} is as wished; run again for {lost}." in told["msg"]
    assert f"Already done before that: create ssm_parameter {NAME} ({left})" in told["msg"]
    assert [step["region"] for step in told["steps"]] == [left]
    world.lost = set()
    assert [step["region"] for step in world.tell(result=PROVEN)["steps"]] == [lost]


def test_when_all_regions_are_lost_nothing_is_changed(world: World) -> None:
    world.lost = {EAST, WEST}
    told = world.tell(result=PROVEN)
    assert told["failed"]
    assert "cannot be reached" in told["msg"]
    assert "Nothing was changed." in told["msg"]


def test_a_parameter_of_somebody_else_in_one_region_keeps_no_other_from_being_told(world: World) -> None:
    world.aws.parameters[NAME, EAST] = Parameter("String", "theirs")
    told = world.tell(result=PROVEN)
    assert told["failed"]
    assert "is somebody else's and is left alone" in told["msg"]
    assert f"{WEST} is as wished; run again for {EAST}." in told["msg"]
    assert world.aws.parameters[NAME, EAST].value == "theirs"
    assert (NAME, WEST) in world.aws.parameters


def test_a_region_that_refuses_says_what_to_allow(world: World) -> None:
    def deny(call: Call) -> None:
        if call.operation == "PutParameter" and call.region == WEST:
            raise client_error("AccessDeniedException", "no", call.operation)

    world.aws.interrupt = deny
    told = world.tell(result=PROVEN)
    assert "Allow ssm:PutParameter" in told["msg"]
    assert set(world.aws.parameters) == {(NAME, EAST)}


def test_an_item_is_opened_in_its_region_and_resolved_by_the_proof(world: World) -> None:
    world.tell(result=BROKEN, ops_item_region=WEST)
    assert [(region, item["Status"]) for (_id, region), item in world.aws.ops_items.items()] == [(WEST, "Open")]
    steps = world.tell(result=PROVEN, ops_item_region=WEST)["steps"]
    assert [(step["kind"], step["action"]) for step in steps if step["kind"] == "ops_item"] == [("ops_item", "delete")]
    assert [item["Status"] for item in world.aws.ops_items.values()] == ["Resolved"]


def test_without_a_region_for_it_no_item_is_even_looked_at(world: World) -> None:
    for options in ({"result": BROKEN}, {"result": PROVEN}, {"state": "absent"}):
        world.tell(**options)
        assert [call.operation for call in world.aws.calls if "OpsItem" in call.operation] == []


def test_what_was_told_is_removed_and_the_item_resolved(world: World) -> None:
    world.tell(result=BROKEN, ops_item_region=WEST)
    gone = world.tell(state="absent", ops_item_region=WEST)
    assert gone["status"] == {}
    assert (world.aws.parameters, [item["Status"] for item in world.aws.ops_items.values()]) == ({}, ["Resolved"])
    assert not world.tell(state="absent", ops_item_region=WEST)["changed"]


@pytest.mark.parametrize("options", [{}, {"result": BROKEN}, {"result": PROVEN}])
def test_an_item_that_is_wished_no_more_is_resolved_whatever_is_told(world: World, options: dict[str, Any]) -> None:
    world.tell(result=BROKEN, ops_item_region=WEST)
    off = {"ops_item_region": WEST, "ops_item": False, **options}
    predicted = world.tell(check=True, **off)
    done = world.tell(**off)
    assert predicted["steps"] == done["steps"]
    assert [item["Status"] for item in world.aws.ops_items.values()] == ["Resolved"]
    assert not world.tell(**off)["changed"]


@pytest.mark.parametrize("options", [{"state": "absent"}, {"ops_item": False}])
def test_whoever_may_not_look_at_items_can_still_do_without_them(world: World, options: dict[str, Any]) -> None:
    def deny(call: Call) -> None:
        if "OpsItem" in call.operation:
            raise client_error("AccessDeniedException", "no", call.operation)

    world.tell(result=BROKEN, ops_item_region=WEST)
    world.aws.interrupt = deny
    done = world.tell(ops_item_region=WEST, **options)
    assert "failed" not in done
    (note,) = done["notes"]
    assert note.startswith(f"{WEST}: whether an OpsItem")
    assert "ssm:DescribeOpsItems" in note


@pytest.mark.parametrize("options", [{"regions": []}, {"path": "aws"}, {"ops_item_region": "eu-west-1"}])
def test_what_cannot_be_right_is_refused_before_any_call(world: World, options: dict[str, Any]) -> None:
    assert world.tell(**options)["failed"]
    assert world.aws.calls == []


def test_a_region_that_is_given_twice_is_one(world: World) -> None:
    assert len(world.tell(regions=[EAST, EAST])["steps"]) == 1


# --- the runbook ---------------------------------------------------------------------------------------------


def test_the_runbook_is_made_in_each_region_and_the_second_run_changes_nothing(world: World) -> None:
    predicted = world.run(s3_dr_runbook, check=True)
    assert world.aws.writes() == []
    done = world.run(s3_dr_runbook)
    assert predicted["steps"] == done["steps"]
    assert set(world.aws.documents) == {("s3-dr-verify", EAST), ("s3-dr-verify", WEST)}
    assert not world.run(s3_dr_runbook)["changed"]
    assert [step["action"] for step in world.run(s3_dr_runbook, function_name="mine")["steps"]] == ["update", "update"]


def test_the_runbook_goes_where_no_other_pair_is_told_of(world: World) -> None:
    world.run(s3_dr_runbook)
    world.tell()
    world.run(s3_dr_status, name="logs", regions=[WEST])
    leaving = {"state": "absent", "leaving_pairs": ["orders"]}
    assert [step["region"] for step in world.run(s3_dr_runbook, **leaving)["steps"]] == [EAST]
    assert set(world.aws.documents) == {("s3-dr-verify", WEST)}
    world.run(s3_dr_status, name="logs", regions=[WEST], state="absent")
    assert [step["region"] for step in world.run(s3_dr_runbook, **leaving)["steps"]] == [WEST]
    assert not world.run(s3_dr_runbook, **leaving)["changed"]


def test_inventories_with_paths_of_their_own_have_runbooks_of_their_own(world: World) -> None:
    for path in ("/s3-dr", "/team-a", "/team/b"):
        world.run(s3_dr_runbook, path=path)
    assert {name for name, _region in world.aws.documents} == {"s3-dr-verify", "team-a-verify", "team-b-verify"}
    assert world.run(s3_dr_runbook, path="/team-a", state="absent")["runbook"] == "team-a-verify"
    assert {name for name, _region in world.aws.documents} == {"s3-dr-verify", "team-b-verify"}


def test_a_runbook_of_another_path_is_neither_changed_nor_deleted(world: World) -> None:
    world.run(s3_dr_runbook, name="shared", path="/team-a", function_name="mine")
    before = {place: list(document.versions) for place, document in world.aws.documents.items()}
    refused = world.run(s3_dr_runbook, name="shared", path="/team-b")
    assert refused["failed"]
    assert "verifies the pairs below /team-a" in refused["msg"]
    assert world.aws.writes() == []
    left = world.run(s3_dr_runbook, name="shared", path="/team-b", state="absent")
    assert (left["changed"], "failed" in left) == (False, False)
    assert {place: list(document.versions) for place, document in world.aws.documents.items()} == before
    assert world.run(s3_dr_runbook, name="shared", path="/team-a", state="absent")["changed"]


def test_a_runbook_of_somebody_else_is_left_and_a_lost_region_keeps_no_other_from_it(world: World) -> None:
    world.aws.documents["s3-dr-verify", EAST] = StoredDocument("Automation", ["{}"])
    assert "is somebody else's" in world.run(s3_dr_runbook)["msg"]
    assert world.aws.documents["s3-dr-verify", EAST].versions == ["{}"]
    assert ("s3-dr-verify", WEST) in world.aws.documents
    world.lost = {EAST}
    told = world.run(s3_dr_runbook, state="absent")
    assert "the parameters below /s3-dr in us-east-1" in told["msg"]
    assert set(world.aws.documents) == {("s3-dr-verify", EAST)}


@pytest.mark.parametrize("options", [{"regions": []}, {"name": "aws"}, {"path": "x"}, {"path": "/amazon"}])
def test_a_runbook_that_cannot_be_right_is_refused_before_any_call(world: World, options: dict[str, Any]) -> None:
    assert world.run(s3_dr_runbook, **options)["failed"]
    assert world.aws.calls == []


@pytest.mark.parametrize("module", [s3_dr_runbook, s3_dr_status])
def test_the_defaults_are_those_of_the_core(module: ModuleType) -> None:
    """A module's own text is what sanity reads."""
    written = {
        node.value
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text()))
        if isinstance(node, ast.Constant)
    }
    names = {operations.PATH} | ({operations.FUNCTION} if module is s3_dr_runbook else set())
    assert names <= written
