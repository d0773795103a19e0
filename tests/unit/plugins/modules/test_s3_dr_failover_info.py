# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The journal of a pair as it is told, with one Region or both lost, or a recovery bucket missing."""

from __future__ import annotations

import pytest

from ansible_collections.crossregion.s3_dr.tests.unit.journey_world import RECOVERY, JourneyWorld
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, EAST, WEST


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> JourneyWorld:
    return JourneyWorld(monkeypatch)


def test_a_pair_that_was_never_failed_over_has_its_primary_active(world: JourneyWorld) -> None:
    told = world.info()
    assert (told["active"], told["since"], told["open_run"], told["last_run"]) == ("primary", None, None, None)
    assert told["summary"] == "orders: primary is active; never failed over."
    assert (told["changed"], told["not_read"], set(told["read_in"])) == (False, [], {EAST, WEST})
    assert world.aws.writes() == []


@pytest.mark.parametrize("lost", [set(), {EAST}, {WEST}])
def test_what_a_failover_did_is_told_whichever_region_is_lost(world: JourneyWorld, lost: set[str]) -> None:
    done = world.run(reason="maintenance")
    world.aws.lost = lost
    told = world.info()
    assert told["active"] == "dr"
    run = told["last_run"]
    assert (run["id"], run["state"], run["reason"]) == (done["run"]["id"], "done", "maintenance")
    assert run["result"]["rto_seconds"] == done["rto_seconds"]
    assert [one["step"] for one in run["steps"]][-1] == "announce"
    assert [one.split(":")[0] for one in told["not_read"]] == list(lost)
    assert "RTO " in told["summary"]
    assert "ops@bastion" in told["summary"]


def test_an_open_run_is_told_with_its_step_and_why_it_failed(world: JourneyWorld) -> None:
    world.aws.denied = {"PutParameter"}
    world.run()
    told = world.info()
    assert (told["active"], told["last_run"]) == ("primary", None)
    assert told["open_run"]["state"] == "failed"
    assert "ssm:PutParameter" in told["open_run"]["steps"][-1]["error"]
    for part in ("OPEN: failover to dr", "failed at 'flip'", "last sign of life", "ssm:PutParameter"):
        assert part in told["summary"]


def test_the_newer_copy_is_told(world: JourneyWorld) -> None:
    world.aws.lost = {EAST}
    world.run(mode="unplanned", reason="lost")
    assert not world.has_journal(EAST)
    world.aws.lost = set()
    assert world.info()["active"] == "dr"


def test_a_region_without_its_recovery_bucket_is_named(world: JourneyWorld) -> None:
    world.run()
    del world.aws.buckets[RECOVERY[WEST]]
    told = world.info()
    assert told["active"] == "dr"
    assert f"there is no bucket {RECOVERY[WEST]}" in told["not_read"][0]


def test_when_neither_region_answers_nothing_is_known(world: JourneyWorld) -> None:
    world.aws.lost = {EAST, WEST}
    told = world.info()
    assert told["failed"]
    assert "its journal is not known" in told["msg"]
    assert EAST in told["msg"]
    assert WEST in told["msg"]
    assert DR.bucket not in world.aws.parameters
