# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Routes are changed through any of five Regions that answers, never through one that is lost."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.routes import (
    NotShown,
    Rerouted,
    RouteControl,
    find_arn,
    route_control,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.routes import (
    CONTROL_REGIONS,
    Dial,
    control_regions,
    switched,
)
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.access_points import Point
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST

ALIAS = "mfzwi23gnjvgw.mrap"
ARN = f"arn:aws:s3::{OWNER}:accesspoint/{ALIAS}"
TO_DR = switched(DR.bucket, [PRIMARY.bucket])


class World:
    """An access point of both buckets, and Regions that do not answer."""

    def __init__(self) -> None:
        self.aws = FakeAws()
        self.time = Time()
        self.aws.bucket_regions = {PRIMARY.bucket: EAST, DR.bucket: WEST}
        self.point = Point({}, ALIAS, "READY", routes={PRIMARY.bucket: 100, DR.bucket: 100})
        self.aws.points["orders"] = self.point
        self.lost: set[str] = set()
        self.throttled: set[str] = set()
        self.denied: set[str] = set()
        self.aws.interrupt = self._interrupt

    def _interrupt(self, call: Call) -> None:
        if call.region in self.lost:
            raise ConnectTimeoutError(endpoint_url=f"https://{call.region}")
        if call.region in self.throttled:
            raise client_error("SlowDown", "Please reduce your request rate.", call.operation)
        if call.region in self.denied:
            raise client_error("AccessDenied", "no", call.operation)

    def control(self, *avoid: str, first: str | None = None) -> RouteControl:
        """The control of the routes, with a clock that only sleeping moves."""
        return RouteControl(
            self.aws.client_for, OWNER, ARN, control_regions(avoid, first), self.time.sleep, self.time.clock
        )

    def switch(self, *avoid: str, **options: Any) -> Rerouted:
        """All requests to the DR bucket."""
        return self.control(*avoid).set(TO_DR, **options)

    def asked(self) -> list[str]:
        """The Regions that were asked, in their order, each once."""
        return list(dict.fromkeys(call.region for call in self.aws.calls))

    def submits(self) -> list[Call]:
        """The changes that were sent."""
        return [call for call in self.aws.calls if call.operation.startswith("Submit")]


@pytest.fixture(name="world")
def world_fixture() -> World:
    """An access point whose buckets both get requests."""
    return World()


def test_both_routes_are_changed_at_once_and_awaited(world: World) -> None:
    done = world.switch()
    (submit,) = world.submits()
    assert submit.params["RouteUpdates"] == [{"Bucket": PRIMARY.bucket, "TrafficDialPercentage": 0}]
    assert world.point.routes == {PRIMARY.bucket: 0, DR.bucket: 100}
    assert (done.changed, done.shown, done.control_region) == (True, True, "us-east-1")
    assert [route.active for route in done.before] == [True, True]
    assert {route.bucket: route.active for route in done.after} == {PRIMARY.bucket: False, DR.bucket: True}
    assert done.seconds == sum(world.time.sleeps) > 0


def test_no_moment_is_without_an_active_route(world: World) -> None:
    world.switch()
    world.control().set(switched(PRIMARY.bucket, [DR.bucket]))
    updates = world.submits()[-1].params["RouteUpdates"]
    assert updates == [
        {"Bucket": PRIMARY.bucket, "TrafficDialPercentage": 100},
        {"Bucket": DR.bucket, "TrafficDialPercentage": 0},
    ]


def test_routes_that_are_so_already_are_not_submitted(world: World) -> None:
    world.switch()
    world.aws.calls.clear()
    done = world.switch()
    assert (done.changed, done.shown, done.before) == (False, True, done.after)
    assert [call.operation for call in world.aws.calls] == ["GetMultiRegionAccessPointRoutes"]


def test_routes_are_named_by_region_too_and_others_stay(world: World) -> None:
    world.aws.bucket_regions["third"] = "eu-west-1"
    world.point.routes["third"] = 0
    world.control().set([Dial(True, region=WEST), Dial(False, region=EAST)])
    assert world.point.routes == {PRIMARY.bucket: 0, DR.bucket: 100, "third": 0}


@pytest.mark.parametrize("lost", CONTROL_REGIONS)
def test_a_region_to_avoid_is_never_asked(world: World, lost: str) -> None:
    world.lost = {lost}
    assert world.switch(lost).shown
    assert lost not in world.asked()


@pytest.mark.parametrize("left", CONTROL_REGIONS)
@pytest.mark.parametrize("trouble", ["lost", "throttled", "denied"])
def test_one_region_that_answers_is_enough(world: World, left: str, trouble: str) -> None:
    setattr(world, trouble, set(CONTROL_REGIONS) - {left})
    assert world.switch().control_region == left
    assert world.point.routes[PRIMARY.bucket] == 0


def test_a_region_that_failed_once_is_not_asked_again_as_long_as_another_answers(world: World) -> None:
    world.lost = {"us-east-1"}
    world.switch()
    assert [call.region for call in world.aws.calls].count("us-east-1") == 1


def test_the_region_that_is_known_to_live_is_asked_first(world: World) -> None:
    world.control(first="eu-west-1").read()
    assert world.asked() == ["eu-west-1"]


def test_when_no_region_answers_each_is_named_with_its_reason(world: World) -> None:
    world.lost, world.denied = set(CONTROL_REGIONS[1:]), {"us-east-1"}
    with pytest.raises(AwsFailure) as failure:
        world.switch()
    for region in CONTROL_REGIONS:
        assert f"{region}: " in str(failure.value)
    assert "AccessDenied" in str(failure.value)
    assert "allow s3:GetMultiRegionAccessPointRoutes there" in str(failure.value)


def test_an_answer_that_was_lost_is_looked_after_elsewhere(world: World) -> None:
    """The change was taken. The next Region says that one is under way, and it is waited for."""
    control = world.control()

    def lose_the_answer(call: Call) -> None:
        if call.operation.startswith("Submit") and world.point.coming is None:
            world.point.coming, world.point.asked = {PRIMARY.bucket: 0, DR.bucket: 100}, 0
            raise ConnectTimeoutError(endpoint_url=f"https://{call.region}")

    world.aws.interrupt = lose_the_answer
    done = control.set(TO_DR)
    assert (done.changed, done.shown, control.submitted) == (True, True, True)
    assert [call.region for call in world.submits()][:2] == ["us-east-1", "us-west-2"]


def test_another_change_under_way_is_waited_for_and_then_ours_is_made(world: World) -> None:
    world.point.coming = {PRIMARY.bucket: 100, DR.bucket: 0}
    world.aws.looks = 4
    assert world.switch().shown
    assert world.point.routes == {PRIMARY.bucket: 0, DR.bucket: 100}


def test_another_change_to_the_same_end_needs_none_of_ours(world: World) -> None:
    world.point.coming = {PRIMARY.bucket: 0, DR.bucket: 100}
    world.aws.looks = 4
    control = world.control()
    assert control.set(TO_DR).shown
    assert not control.submitted


def test_another_change_that_never_ends_is_told_in_time(world: World) -> None:
    world.point.coming, world.aws.looks = dict(world.point.routes), 10**6
    control = world.control()
    with pytest.raises(AwsFailure, match="another change of them is under way") as failure:
        control.set(TO_DR, seconds=60)
    assert not isinstance(failure.value, NotShown)
    assert not control.submitted
    assert world.time.now <= 60


def test_a_change_that_is_not_shown_in_time_is_told_with_the_way_on(world: World) -> None:
    world.aws.looks = 10**6
    control = world.control()
    with pytest.raises(NotShown, match=r"us-east-1 took the change.*run again, which waits on"):
        control.set(TO_DR, seconds=60)
    assert control.submitted
    assert len(world.submits()) == 1
    assert world.time.now <= 60


def test_without_waiting_it_ends_as_soon_as_the_change_is_taken(world: World) -> None:
    done = world.switch(wait=False)
    assert (done.changed, done.shown, world.time.sleeps) == (True, False, [])
    assert {route.bucket: route.active for route in done.after} == {PRIMARY.bucket: False, DR.bucket: True}


def test_all_passive_is_refused_before_any_call(world: World) -> None:
    with pytest.raises(InvalidInput, match="none that is active"):
        world.control().set([Dial(False, bucket=PRIMARY.bucket), Dial(False, bucket=DR.bucket)])
    assert world.aws.calls == []


def test_a_bucket_that_is_no_member_is_refused_before_anything_is_changed(world: World) -> None:
    with pytest.raises(Refused, match=r"bucket 'elsewhere' is not part .* example-orders \(us-east-1\) active"):
        world.control().set(switched("elsewhere", [PRIMARY.bucket]))
    assert world.submits() == []


def test_an_access_point_of_one_region_is_explained(world: World) -> None:
    world.point.routes = {DR.bucket: 0}
    with pytest.raises(AwsFailure, match="An access point of one bucket has nothing to route"):
        world.control().set([Dial(True, bucket=DR.bucket)])


def test_an_access_point_that_is_not_there_is_told_at_once(world: World) -> None:
    world.aws.points.clear()
    with pytest.raises(AwsFailure, match=r"NoSuchMultiRegionAccessPoint.*Correct `mrap`"):
        world.switch()
    assert world.asked() == ["us-east-1"]


# --- which access point --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mrap", [ARN, ALIAS])
def test_an_arn_or_alias_needs_no_call(world: World, mrap: str) -> None:
    assert find_arn(world.aws.client_for, ACCOUNT, mrap, [WEST]) == ARN
    assert world.aws.calls == []


def test_a_name_is_looked_up_where_access_points_are_managed(world: World) -> None:
    world.point.details = {"PublicAccessBlock": {}, "Regions": []}
    assert find_arn(world.aws.client_for, ACCOUNT, "orders") == ARN
    assert world.asked() == [WEST]


def test_a_name_whose_region_is_lost_says_what_to_give_instead(world: World) -> None:
    world.lost = {WEST}
    with pytest.raises(AwsFailure, match=r"only us-west-2 knows .an ARN or alias needs no look-up."):
        find_arn(world.aws.client_for, ACCOUNT, "orders")
    world.aws.calls.clear()
    with pytest.raises(InvalidInput, match="Give the ARN or the alias"):
        find_arn(world.aws.client_for, ACCOUNT, "orders", [WEST])
    assert world.aws.calls == []


def test_an_access_point_without_an_alias_has_no_routes_yet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"AccessPoint": {"Name": "orders", "Status": "CREATING"}}
    monkeypatch.setattr(world.aws, "_s3control_GetMultiRegionAccessPoint", lambda params, region: told)
    with pytest.raises(AwsFailure, match=r"'orders' has no alias yet.*its status is CREATING. Wait until"):
        find_arn(world.aws.client_for, ACCOUNT, "orders")


def test_an_arn_names_the_account_that_is_asked(world: World) -> None:
    theirs = ARN.replace(OWNER, "444455556666")
    route_control(world.aws.client_for, ACCOUNT, theirs, [EAST]).read()
    assert [(call.account, call.params["AccountId"]) for call in world.aws.calls] == [("444455556666", "444455556666")]
