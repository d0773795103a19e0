# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that makes a pair's alarms, on the fake AWS: each Region by itself, and each direction by its owner."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_names import twin_name
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import clients as glue_clients
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_replication_alarms
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, EAST, OTHER, PRIMARY, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

PAIR: dict[str, Any] = {
    "name": "orders",
    "primary": {"bucket": PRIMARY.bucket, "region": EAST},
    "dr": {"bucket": DR.bucket, "region": WEST},
}
OUT, BACK = "s3-dr/orders/example-orders/s3-dr-orders", "s3-dr/orders/example-orders-dr/s3-dr-orders"
OPS = f"arn:aws:iam::{OTHER.id}:role/ops"
ELSEWHERE: dict[str, dict[str, str]] = {
    "declared": {"account_id": OTHER.id},
    "profile": {"profile": "elsewhere"},
    "role": {"assume_role_arn": OPS},
    "role and declared": {"assume_role_arn": OPS, "account_id": OTHER.id},
}


class World(Tasks):
    """An AWS of two accounts; the profile `elsewhere` is of the other one."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(aws, monkeypatch)
        self.lost: set[str] = set()
        """The Regions that do not answer."""
        self.denied: set[str] = set()
        """The operations that are refused."""
        aws.interrupt = self._cut
        monkeypatch.setattr(
            glue_clients,
            "Session",
            lambda profile_name, botocore_session: SimpleNamespace(client=partial(self._client_of, profile_name)),
        )

    def _client_of(self, profile: str | None, service: str, region_name: str, **options: Any) -> Any:
        elsewhere = profile or options.get("aws_access_key_id")
        return self.aws.client_for(service, region_name, *([OTHER.id] if elsewhere else []))

    def _cut(self, call: Call) -> None:
        if call.region in self.lost:
            raise ConnectTimeoutError(endpoint_url=f"https://{call.service}.{call.region}.amazonaws.com")
        if call.operation in self.denied:
            raise client_error("AccessDenied", "no", call.operation)

    def alarm(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with."""
        return self.run(s3_replication_alarms, check, **{**PAIR, **options})

    def two_way(self, dr: dict[str, str], **options: Any) -> dict[str, Any]:
        """The same for both directions, with more said of the DR end."""
        return self.alarm(direction="two_way", dr={**PAIR["dr"], **dr}, **options)

    @property
    def there(self) -> set[tuple[str, str]]:
        """All alarms, by name and Region."""
        return {*self.aws.alarms, *self.aws.composite_alarms}


@pytest.fixture
def world(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS that holds nothing."""
    return World(aws, monkeypatch)


@pytest.mark.parametrize("composite", [False, True])
@pytest.mark.parametrize("dr", [{}, {"region": EAST}], ids=["two Regions", "one Region"])
def test_check_mode_predicts_the_very_steps_and_the_second_run_changes_nothing(
    world: World, composite: bool, dr: dict[str, str]
) -> None:
    same = {"allow_same_region": bool(dr), "composite": composite}
    predicted = world.two_way(dr, check=True, **same)
    assert world.aws.writes() == []
    done = world.two_way(dr, **same)
    told = ("steps", "diff", "alarms", "notes")
    assert [predicted[name] for name in told] == [done[name] for name in told]
    assert {(name, region) for region, names in done["alarms"].items() for name in names} == world.there
    regions = [step["region"] for step in done["steps"]]
    assert regions == sorted(regions)
    again = world.two_way(dr, **same)
    assert (again["changed"], again["steps"], world.aws.writes()) == (False, [], [])
    assert again["alarms"] == done["alarms"]


# --- whose a direction is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dr", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("lost", [None, WEST])
def test_the_way_back_from_another_account_is_left_to_its_owner(
    world: World, dr: dict[str, str], lost: str | None
) -> None:
    """Its metrics are published there, so an alarm here would see none for ever. Those that are there go."""
    world.two_way({})
    assert (f"{BACK}/heartbeat", EAST) in world.there
    world.lost = {lost} if lost else set()
    done = world.two_way(dr)
    gone = {one for one in world.there if one[0].startswith(BACK)}
    assert gone == ({(f"{BACK}/failed", WEST)} if lost else set())
    assert (f"{OUT}/failed", EAST) in world.there
    if not lost:
        assert {name for names in done["alarms"].values() for name in names if name.startswith(BACK)} == set()
        (note,) = done["notes"]
        assert f"the way from {DR.bucket} to {PRIMARY.bucket} of pair 'orders'" in note
        assert OTHER.id in note


def test_credentials_of_the_tasks_own_account_change_nothing_and_make_no_alarm(world: World) -> None:
    world.two_way({"account_id": "111122223333"})
    assert {name for name, _region in world.there if name.startswith(BACK)}
    assert {call.account for call in world.aws.writes()} == {"111122223333"}
    world.two_way({"assume_role_arn": OPS})
    assert {call.account for call in world.aws.writes()} == {"111122223333"}


def test_a_removal_needs_no_credentials_but_the_tasks_own(world: World) -> None:
    world.two_way({})
    world.denied = {"AssumeRole"}
    assert "cannot be assumed" in world.two_way({"assume_role_arn": OPS})["msg"]
    assert world.two_way({"assume_role_arn": OPS}, state="absent")["changed"]
    assert world.there == set()


# --- one Region is lost --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lost", "left"), [(EAST, WEST), (WEST, EAST)])
@pytest.mark.parametrize("composite", [False, True])
def test_a_region_that_is_lost_keeps_no_other_from_its_alarms(
    world: World, lost: str, left: str, composite: bool
) -> None:
    """Not even where it is the primary's, of which the account is asked."""
    world.lost = {lost}
    told = world.alarm(composite=composite)
    assert told["failed"]
    assert told["changed"]
    assert {region for _name, region in world.there} == {left}
    assert f"{lost}: the alarms of pair 'orders' in {lost}: AWS cannot be reached" in told["msg"]
    assert f"{left} is as wished; run again for {lost}." in told["msg"]
    assert {step["region"] for step in told["steps"]} == {left}
    world.lost = set()
    rest = world.alarm(composite=composite)
    assert {step["region"] for step in rest["steps"]} == {lost}
    assert not world.alarm(composite=composite)["changed"]


def test_a_former_region_that_is_lost_keeps_no_other_from_its_alarms(world: World) -> None:
    world.lost = {"eu-central-1"}
    told = world.alarm(former_regions=["eu-central-1"])
    assert "run again for eu-central-1." in told["msg"]
    assert len(world.there) == 5


# --- what acts meanwhile -------------------------------------------------------------------------------------


def test_a_refused_composite_alarm_leaves_those_below_it_acting(world: World) -> None:
    world.alarm()
    world.denied = {"PutCompositeAlarm"}
    assert world.alarm(composite=True)["failed"]
    assert all(one["AlarmActions"] for (name, _region), one in world.aws.alarms.items() if name.startswith(OUT))
    world.denied = set()
    world.alarm(composite=True)
    assert not any(one["AlarmActions"] for one in world.aws.alarms.values())


def test_a_drill_that_runs_keeps_its_twins(world: World) -> None:
    twin = (twin_name("orders", f"{OUT}/latency"), WEST)
    world.alarm()
    world.aws.alarms[twin] = {**world.aws.alarms[f"{OUT}/latency", WEST], "AlarmName": twin[0]}
    assert not world.alarm()["changed"]
    assert [step["name"] for step in world.alarm(latency_seconds=60)["steps"]] == [
        f"{OUT}/bytes_pending",
        f"{OUT}/latency",
    ]
    assert twin in world.there
    world.alarm(state="absent")
    assert world.there == set()
