# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Failovers when more goes wrong than one Region: a second disaster, one that half answers, what earlier runs left."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.journal_store import JournalStore
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fence import fence_sid
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import Journey, Side, State
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import failover
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_failback
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.journey_world import PATH, JourneyWorld
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, EAST, PRIMARY, WEST

UNPLANNED = {"mode": "unplanned", "reason": "a Region does not answer", "accept_data_loss": True}
WRITER = "arn:aws:iam::111122223333:role/application"
ROLE = Path(__file__).parents[4] / "roles" / "failover"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> JourneyWorld:
    return JourneyWorld(monkeypatch)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {one["step"]: one["state"] for one in result["timeline"]}


def pointed(world: JourneyWorld, region: str) -> str:
    return str((world.pointer(region) or {}).get("active"))


# --- a fence that an earlier run left ------------------------------------------------------------------------


def test_the_fence_of_the_way_there_does_not_stand_around_the_primary_when_clients_come_back(
    world: JourneyWorld,
) -> None:
    world.run()
    assert not world.aws.may_write(PRIMARY.bucket, WRITER)
    world.aws.lost = {WEST}
    predicted = world.run(check=True, to="primary", **UNPLANNED)
    assert list(states(predicted)) == ["assess", "fence", "drain", "open", "flip", "verify", "announce"]
    assert [step["kind"] for step in predicted["steps"]] == ["bucket_policy"]
    done = world.run(to="primary", **UNPLANNED)
    assert "failed" not in done, done
    assert (done["active"], states(done)["open"]) == ("primary", "done")
    assert world.aws.may_write(PRIMARY.bucket, WRITER)
    assert [
        note for note in done["notes"] if "stands in the policy of example-orders (us-east-1); it was lifted" in note
    ]
    assert [note for note in done["notes"] if "setup.yml" in note]
    order = [call.operation for call in world.aws.calls if call.writes and call.service in ("s3", "ssm")]
    assert order.index("DeleteBucketPolicy") < order.index("PutParameter")


def test_a_fence_that_cannot_be_lifted_lets_readers_go_on_and_is_not_verified(world: JourneyWorld) -> None:
    world.run()
    world.aws.lost, world.aws.denied = {WEST}, {"PutBucketPolicy", "DeleteBucketPolicy"}
    failed = world.run(to="primary", **UNPLANNED)
    assert "keeps clients from writing there" in failed["msg"]
    assert states(failed)["verify"] == "failed"
    assert pointed(world, EAST) == "primary"
    world.aws.denied = set()
    done = world.run(to="primary", **UNPLANNED)
    assert "failed" not in done, done
    assert world.aws.may_write(PRIMARY.bucket, WRITER)


def test_an_end_without_a_fence_is_only_looked_at(world: JourneyWorld) -> None:
    world.aws.lost = {EAST}
    done = world.run(**UNPLANNED)
    assert "open" not in states(done)
    assert not [name for name in world.asked() if name.startswith(("PutBucket", "DeleteBucket"))]
    world.run(abandon=done["run"]["id"])
    assert "GetBucketPolicy" not in world.asked()


# --- what is lost after all ----------------------------------------------------------------------------------


def test_what_fails_during_the_drain_is_held_against_the_limits(world: JourneyWorld) -> None:
    world.aws.lagging = True
    late = world.aws.write(PRIMARY.bucket, "late")
    world.run(drain_seconds=1)
    late["status"], world.aws.lagging = "FAILED", False
    world.aws.waiting.clear()
    for _time in range(2):
        refused = world.run()
        assert "1 objects would be lost, and 0 are allowed" in refused["msg"]
        assert (states(refused)["drain"], refused["loss"]["objects"]) == ("failed", 1)
        assert world.pointer(WEST) is None
    done = world.run(accept_data_loss=True, reason="it is only a log")
    assert (done["active"], done["loss"]["objects"]) == ("dr", 1)


def test_what_was_accepted_once_is_held_against_the_limits_of_the_next_run(world: JourneyWorld) -> None:
    failed = world.aws.write(PRIMARY.bucket, "failed")
    failed["status"] = "FAILED"
    versions = world.aws.buckets[DR.bucket].versions
    world.aws.buckets[DR.bucket].versions = [one for one in versions if one["Key"] != "failed"]

    def end(call: Call) -> None:
        if call.operation == "GetBucketPolicy" and world.has_journal() and world.last_run().is_done("drain"):
            raise KeyboardInterrupt

    world.aws.interrupt = end
    with pytest.raises(KeyboardInterrupt):
        world.run(accept_data_loss=True, reason="it is only a log")
    world.aws.interrupt = lambda call: None
    refused = world.run()
    assert "1 objects would be lost, and 0 are allowed" in refused["msg"]
    assert world.pointer(WEST) is None


# --- a second disaster ---------------------------------------------------------------------------------------


def test_a_run_whose_end_is_lost_gives_way_to_the_way_back(world: JourneyWorld) -> None:
    first = world.run(phase="switch")
    assert first["run"]["state"] == "waiting"
    world.aws.lost = {WEST}
    done = world.run(to="primary", **UNPLANNED)
    assert "failed" not in done, done
    assert (done["active"], done["run"]["inputs"]["supersedes"]) == ("primary", first["run"]["id"])
    assert world.aws.may_write(PRIMARY.bucket, WRITER)
    assert pointed(world, EAST) == "primary"


def test_a_failback_whose_primary_is_lost_gives_way_and_its_fence_is_lifted(world: JourneyWorld) -> None:
    world.run()
    world.aws.lagging = True
    world.aws.write(DR.bucket, "late")
    options = {key: value for key, value in world.given().items() if key != "confirm"}
    back = world.tasks.run(s3_dr_failback, **options, confirm="orders", drain_seconds=1)
    assert back.get("failed")
    fence_dr(world)
    world.aws.lost = {EAST}
    done = world.run(**UNPLANNED)
    assert "failed" not in done, done
    assert (done["active"], world.last_run().journey) == ("dr", Journey.FAILOVER)
    assert world.aws.may_write(DR.bucket, WRITER)


def fence_dr(world: JourneyWorld) -> None:
    """As a failback leaves it that is killed before its flip: the fence of the primary, around the DR bucket."""
    policy = json.loads(world.aws.buckets[PRIMARY.bucket].policy or "{}")
    policy["Statement"][0]["Sid"] = fence_sid("orders", DR.bucket)
    world.aws.buckets[DR.bucket].policy = json.dumps(policy)


# --- a journal that is too old -------------------------------------------------------------------------------


def unread(world: JourneyWorld, region: str) -> None:
    """The journal of a Region may not be read."""
    original = JournalStore.read

    def read(store: JournalStore) -> Any:
        if region in store.name:
            raise failover.AwsFailure("there was no answer within 3 s.")
        return original(store)

    world.monkeypatch.setattr(JournalStore, "read", read)


def test_a_planned_failover_needs_both_journals(world: JourneyWorld) -> None:
    unread(world, EAST)
    refused = world.run()
    assert "Nothing was changed" in refused["msg"]
    assert "no answer within 3 s" in refused["msg"]
    assert world.aws.writes() == []


def test_an_unplanned_one_does_not_believe_a_journal_that_may_be_too_old(world: JourneyWorld) -> None:
    world.run()
    world.aws.buckets["s3-dr-111122223333-us-east-1"].versions.clear()  # killed before it was copied
    world.aws.lost = {WEST}
    done = world.run(to="primary", **UNPLANNED)
    assert "failed" not in done, done
    assert (done["changed"], done["active"], pointed(world, EAST)) == (True, "primary", "primary")
    assert world.aws.may_write(PRIMARY.bucket, WRITER)
    again = world.run(to="primary", **UNPLANNED)
    assert (again["changed"], world.aws.writes()) == (False, [])  # AWS itself says that nothing is to be done


# --- a Region that half answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["ssm", "sns"])
def test_a_region_that_half_answers_is_not_waited_for(
    world: JourneyWorld, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    monkeypatch.setattr(failover, "LOOK_SECONDS", 0.3)
    over = threading.Event()

    def hang(call: Call) -> None:
        if (call.region, call.service) == (EAST, service):
            over.wait(30)

    world.aws.interrupt = hang
    topic = f"arn:aws:sns:{EAST}:111122223333:operators"
    began = time.monotonic()
    done = world.run(**UNPLANNED, topics=[topic])
    took = time.monotonic() - began
    over.set()
    assert "failed" not in done, done
    assert took < 8
    said = "The pointer in us-east-1 is owed" if service == "ssm" else "was not told"
    assert [note for note in done["notes"] if said in note and "no answer within" in note]
    if service == "ssm":
        time.sleep(0.2)
        assert world.pointer(EAST) is None  # what is told as owed is not written later


def test_a_region_that_only_says_503_is_taken_for_lost(world: JourneyWorld) -> None:
    def refuse(call: Call) -> None:
        if call.region == EAST:
            raise client_error("503", "Service Unavailable", call.operation)

    world.aws.interrupt = refuse
    done = world.run(**UNPLANNED)
    assert "failed" not in done, done
    assert "answers. Nobody keeps" not in " ".join(world.warned)
    assert not [call for call in world.aws.calls if (call.region, call.service) == (EAST, "ssm")]
    (assess,) = [one for one in done["timeline"] if one["step"] == "assess"]
    assert "its S3 only says 503" in assess["result"]["lost"]


# --- what cannot be read -------------------------------------------------------------------------------------


def test_objects_that_may_not_be_read_do_not_stop_an_unplanned_failover(world: JourneyWorld) -> None:
    def refuse(call: Call) -> None:
        if call.operation == "HeadObject" and call.params["Key"].startswith("order/"):
            raise client_error("403", "Forbidden", "HeadObject")

    world.aws.interrupt = refuse
    refused = world.run()
    assert "none of the newest objects could be read" in refused["msg"]
    world.aws.lost = {EAST}
    done = world.run(**UNPLANNED)
    assert "failed" not in done, done
    assert [note for note in done["notes"] if "these were not read: 'order/4'" in note]


# --- giving up -----------------------------------------------------------------------------------------------


def test_a_flip_that_sent_nobody_can_be_given_up(world: JourneyWorld) -> None:
    world.aws.denied = {"PutParameter"}
    failed = world.run()
    assert states(failed)["flip"] == "failed"
    done = world.run(abandon=failed["run"]["id"])
    assert "failed" not in done, done
    assert (done["run"]["state"], done["active"]) == ("abandoned", "primary")
    assert world.aws.may_write(PRIMARY.bucket, WRITER)
    assert world.journal() == world.journal(EAST)


def test_a_pointer_that_may_not_be_read_is_refused_before_anything_is_done(world: JourneyWorld) -> None:
    world.aws.denied = {"GetParameter"}
    for options in ({}, UNPLANNED):
        refused = world.run(**options)
        assert f"{PATH}/orders" in refused["msg"]
        assert "Nothing was changed" in refused["msg"]
    assert not world.has_journal()


def test_a_fence_is_lifted_even_if_a_later_run_skipped_its_step(world: JourneyWorld) -> None:
    world.aws.lagging = True
    world.aws.write(PRIMARY.bucket, "late")
    assert states(world.run(drain_seconds=1))["drain"] == "failed"
    last = world.run(drain_seconds=1, fence=False)
    done = world.run(abandon=last["run"]["id"])
    assert world.last_run().state is State.ABANDONED, done
    assert world.aws.may_write(PRIMARY.bucket, WRITER)


# --- the role ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "named"),
    [("orders-eu", False), ("orders", True), (["orders-eu"], False), (["orders-eu", "orders"], True), ([], False)],
)
def test_a_pair_is_only_named_by_its_whole_name(given: Any, named: bool) -> None:
    """As a string, which extra vars are, a list would be searched for the name within it."""
    internal = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    (task, *_others) = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
    environment = Environment(autoescape=False)
    known: dict[str, Any] = {
        "failover__name": "orders",
        "failover_confirm": given,
        "failover_accept_data_loss": given,
    }
    for name in ("failover__confirms", "failover__accepting"):
        known[name] = environment.compile_expression(internal[name].strip("{} "))(**known)
    confirmed = environment.from_string(internal["failover__confirmed"]).render(known)
    accepted = environment.from_string(task["crossregion.s3_dr.s3_dr_failover"]["accept_data_loss"]).render(known)
    assert (confirmed, accepted) == ("orders" if named else "", str(named))


def test_the_journal_says_that_the_primary_is_active(world: JourneyWorld) -> None:
    world.run()
    world.aws.lost = {WEST}
    world.run(to="primary", **UNPLANNED)
    assert world.journal(EAST).active is Side.PRIMARY
