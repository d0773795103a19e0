# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Failovers on an AWS in memory: planned, unplanned, refused, given up, by two operators, and killed at every call."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.journal_store import JournalStore
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import journal as journals
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fence import fence_sid
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import Side, State, Step
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import failover, journey
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.access_points import Point
from ansible_collections.crossregion.s3_dr.tests.unit.journey_world import PATH, JourneyWorld
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, EAST, PRIMARY, WEST, a_pair

ALL = ["assess", "fence", "drain", "flip", "verify", "announce"]
UNPLANNED = {"mode": "unplanned", "reason": "us-east-1 does not answer"}
WRITER = "arn:aws:iam::111122223333:role/application"
TOPICS = [f"arn:aws:sns:{region}:111122223333:operators" for region in (EAST, WEST)]
ALIAS = "mabc.mrap"
CONFIGURATION = ("PutBucket", "DeleteBucket", "CreateBucket", "PutPublic", "CreateRole", "PutRole", "DeleteRole")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> JourneyWorld:
    return JourneyWorld(monkeypatch)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {one["step"]: one["state"] for one in result["timeline"]}


# --- planned -------------------------------------------------------------------------------------------------


def test_a_planned_failover_moves_the_clients_and_loses_nothing(world: JourneyWorld) -> None:
    done = world.run(reason="maintenance", topics=TOPICS)
    assert "failed" not in done, done
    assert list(states(done)) == ALL
    assert set(states(done).values()) == {"done"}
    assert (done["changed"], done["active"], done["rpo_seconds"], done["loss"]["objects"]) == (True, "dr", 0, 0)
    assert done["rto_seconds"] is not None
    for region in (EAST, WEST):
        pointer = world.pointer(region)
        assert pointer is not None
        assert (pointer["active"], pointer["bucket"], pointer["run"]) == ("dr", DR.bucket, done["run"]["id"])
    assert [topic for topic, _subject, _text in world.aws.published] == TOPICS
    assert "maintenance" in world.aws.published[0][2]
    assert world.journal() == world.journal(EAST)
    assert world.journal().active is Side.DR
    assert [step["kind"] for step in done["steps"]] == ["bucket_policy", "ssm_parameter", "ssm_parameter"]


def test_the_fence_keeps_writers_out_and_lets_replication_and_the_operator_through(world: JourneyWorld) -> None:
    world.run(fence_exempt_principals=["arn:aws:iam::111122223333:role/migration-*"])
    for denied in (WRITER, "arn:aws:iam::444455556666:user/somebody"):
        assert not world.aws.may_write(PRIMARY.bucket, denied)
    for spared in ("role/s3-dr-orders-to-us-west-2", "role/s3-dr-orders-to-us-east-1", "role/ops", "role/sso/ops"):
        assert world.aws.may_write(PRIMARY.bucket, f"arn:aws:iam::111122223333:{spared}")
    assert world.aws.may_write(PRIMARY.bucket, "arn:aws:iam::111122223333:role/migration-7")
    assert world.aws.may_write(PRIMARY.bucket, WRITER, service=True)
    assert world.aws.may_write(DR.bucket, WRITER)


def test_the_canary_of_the_check_is_removed_at_both_ends(world: JourneyWorld) -> None:
    world.run()
    keys = [one["Key"] for bucket in (PRIMARY, DR) for one in world.aws.buckets[bucket.bucket].versions]
    assert not [key for key in keys if "canary" in key]
    assert len(keys) == 10


def test_a_second_run_does_nothing(world: JourneyWorld) -> None:
    world.run()
    again = world.run()
    assert (again["changed"], again["active"]) == (False, "dr")
    assert world.aws.writes() == []
    assert "active already" in again["notes"][0]


def test_check_mode_tells_the_steps_in_order_and_writes_nothing(world: JourneyWorld) -> None:
    predicted = world.run(check=True, confirm="")
    assert world.aws.writes() == []
    assert not world.has_journal()
    assert list(states(predicted)) == ALL
    assert states(predicted) == {**dict.fromkeys(ALL, "expected"), "announce": "skipped"}
    assert (predicted["changed"], predicted["active"], predicted["loss"]["objects"]) == (True, "primary", 0)
    assert [step["kind"] for step in predicted["steps"]] == ["bucket_policy"]
    done = world.run()
    assert predicted["steps"] == done["steps"][:1]


def test_what_is_on_its_way_is_waited_for_and_the_deadline_tells_what_is_left(world: JourneyWorld) -> None:
    world.aws.lagging = True
    world.aws.write(PRIMARY.bucket, "late")
    late = world.run(drain_seconds=1)
    assert late["failed"]
    for part in ("example-orders is not drained", "there are still 1 pending", "Run again"):
        assert part in late["msg"]
    assert states(late) == {"assess": "done", "fence": "done", "drain": "failed"}
    assert world.last_run().state is State.FAILED
    assert world.pointer(WEST) is None
    world.aws.lagging = False
    world.aws.arrive()
    done = world.run()
    assert set(states(done).values()) == {"done", "skipped"}
    assert [one["attempts"] for one in done["timeline"]] == [1, 1, 2, 1, 1, 1]


def test_what_cannot_arrive_any_more_counts_as_lost(world: JourneyWorld) -> None:
    failed = world.aws.write(PRIMARY.bucket, "failed")
    failed["status"] = "FAILED"
    world.aws.buckets[DR.bucket].versions = [
        one for one in world.aws.buckets[DR.bucket].versions if one["Key"] != "failed"
    ]
    refused = world.run()
    assert refused["failed"]
    for part in ("1 objects would be lost", "0 are allowed", "1 failed", "accept_data_loss: true"):
        assert part in refused["msg"]
    assert not world.has_journal()
    assert world.aws.buckets[PRIMARY.bucket].policy is None
    done = world.run(accept_data_loss=True, reason="it is only a log")
    assert (done["active"], done["loss"]["objects"]) == ("dr", 1)
    assert world.last_run().reason == "it is only a log"


def test_without_a_fence_it_says_so(world: JourneyWorld) -> None:
    done = world.run(fence=False)
    assert states(done)["fence"] == "skipped"
    assert world.aws.buckets[PRIMARY.bucket].policy is None
    assert "no fence is put around example-orders" in " ".join(world.warned)


def test_a_policy_that_may_not_be_read_is_never_written(world: JourneyWorld) -> None:
    world.aws.denied = {"GetBucketPolicy"}
    refused = world.run()
    assert "these credentials may not read what else it says" in refused["msg"]
    assert states(refused) == {"assess": "done", "fence": "failed"}
    assert world.aws.buckets[PRIMARY.bucket].policy is None


def test_a_policy_that_would_be_too_long_is_refused(world: JourneyWorld) -> None:
    foreign = '{"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Action": "%s"}]}' % ("x" * 20000)
    world.aws.buckets[PRIMARY.bucket].policy = foreign
    refused = world.run()
    assert "S3 takes 20480" in refused["msg"]
    assert world.aws.buckets[PRIMARY.bucket].policy == foreign


def test_a_planned_failover_without_the_primary_is_refused_and_says_the_way(world: JourneyWorld) -> None:
    world.aws.lost = {EAST}
    refused = world.run()
    assert "us-east-1 does not answer" in refused["msg"]
    assert "set `mode: unplanned`" in refused["msg"]
    assert not world.has_journal()


# --- unplanned -----------------------------------------------------------------------------------------------


def test_an_unplanned_failover_needs_nothing_of_the_lost_region_and_no_configuration(world: JourneyWorld) -> None:
    world.aws.lost = {EAST}
    done = world.run(**UNPLANNED, topics=TOPICS)
    assert "failed" not in done, done
    assert states(done) == {**dict.fromkeys(ALL, "done"), "fence": "skipped", "drain": "skipped"}
    assert not [name for name in world.asked() if name.startswith(CONFIGURATION)]
    assert {call.operation for call in world.aws.calls if call.region == EAST} <= {"HeadBucket", "GetObject"}
    assert not [
        call for call in world.aws.calls if call.region == EAST and call.service in ("sts", "iam", "ssm", "sns")
    ]
    assert (world.pointer(WEST) or {})["active"] == "dr"
    assert [topic for topic, _subject, _text in world.aws.published] == TOPICS[1:]
    notes = " ".join(done["notes"])
    assert "The pointer in us-east-1 is owed" in notes
    assert f"{TOPICS[0]} was not told" in notes
    assert "pointer in us-east-1; the failback writes it" in world.aws.published[0][2]


def test_a_lost_region_that_gives_no_answer_at_all_is_not_waited_for(
    world: JourneyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "LOOK_SECONDS", 0.1)
    back = threading.Event()

    def hang(call: Call) -> None:
        if call.region == EAST:
            back.wait(30)

    world.aws.interrupt = hang
    began = time.monotonic()
    done = world.run(**UNPLANNED)
    took = time.monotonic() - began
    back.set()
    assert "failed" not in done, done
    assert done["active"] == "dr"
    assert took < 10
    assert "answers" not in " ".join(world.warned)
    assert not [call for call in world.aws.calls if call.region == EAST and call.service == "ssm"]


def test_its_loss_is_what_cloudwatch_in_the_other_region_said_last(world: JourneyWorld) -> None:
    world.aws.lost = {EAST}
    world.known(latency=40, pending=7, minutes=1)
    refused = world.run(**UNPLANNED)
    assert "7 objects would be lost, and 0 are allowed" in refused["msg"]
    done = world.run(**UNPLANNED, max_loss_objects=7)
    assert (done["loss"]["objects"], done["loss"]["source_of_knowledge"]) == (7, "metrics")
    assert 100 <= done["loss"]["seconds"] <= 165
    assert done["rpo_seconds"] == done["loss"]["seconds"]


def test_time_after_the_failure_was_declared_does_not_count(world: JourneyWorld) -> None:
    world.aws.lost = {EAST}
    world.known(latency=5, pending=0, minutes=40)
    refused = world.run(**UNPLANNED)
    assert "s behind, and 900 s are allowed" in refused["msg"]
    declared = (datetime.now(UTC) - timedelta(minutes=38)).isoformat()
    done = world.run(**UNPLANNED, declared_at=declared)
    assert done["loss"]["seconds"] <= 185
    assert 38 * 60 <= done["rto_seconds"] <= 39 * 60


@pytest.mark.parametrize("how", ["no points", "denied"])
def test_what_is_not_known_counts_as_beyond_every_limit(world: JourneyWorld, how: str) -> None:
    world.aws.lost = {EAST}
    if how == "denied":
        world.aws.denied = {"GetMetricData"}
    else:
        world.aws.data_points.clear()
    wish = {**UNPLANNED, "max_loss_seconds": 10**9, "max_loss_objects": 10**9}
    refused = world.run(**wish)
    assert "the recovery point is not known" in refused["msg"]
    assert "the number of objects that would be lost is not known" in refused["msg"]
    assert ("cloudwatch:GetMetricData" if how == "denied" else "no recent data point") in refused["msg"]
    assert not world.has_journal()
    assert "It would be refused" not in " ".join(world.warned)
    world.run(check=True, **wish)
    assert "It would be refused" in " ".join(world.warned)
    assert world.run(**wish, accept_data_loss=True)["loss"]["seconds"] is None


def test_a_primary_that_answers_is_told_loudly(world: JourneyWorld) -> None:
    done = world.run(**UNPLANNED)
    assert done["active"] == "dr"
    assert "example-orders (us-east-1) answers" in " ".join(world.warned)
    assert (world.pointer(EAST) or {})["active"] == "dr"


def test_a_pair_that_is_one_way_is_warned_that_nothing_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = JourneyWorld(monkeypatch, a_pair())
    world.run()
    assert "is one-way" in " ".join(world.warned)
    assert "`direction: two_way`" in " ".join(world.warned)


def test_the_way_to_the_primary_is_for_a_dr_region_that_is_lost(world: JourneyWorld) -> None:
    world.run()
    assert "s3_dr_failback" in world.run(to="primary")["msg"]
    world.aws.lost = {WEST}
    world.aws.data_points = {
        (EAST, metric, rule): points for (_region, metric, rule), points in world.aws.data_points.items()
    }
    done = world.run(**UNPLANNED, to="primary")
    assert "failed" not in done, done
    assert (done["active"], world.journal(EAST).active) == ("primary", Side.PRIMARY)
    assert (world.pointer(EAST) or {})["active"] == "primary"
    world.aws.lost = set()
    assert world.info()["active"] == "primary"
    back = world.run()  # the journal in the DR Region knows nothing of the way to the primary
    assert "failed" not in back, back
    assert (back["changed"], back["active"], world.journal(WEST).active) == (True, "dr", Side.DR)


# --- access points -------------------------------------------------------------------------------------------


def access_point(world: JourneyWorld, *buckets: str) -> None:
    """One that sends its clients to the primary."""
    details = {"Name": "orders", "Regions": [{"Bucket": one} for one in buckets], "PublicAccessBlock": {}}
    routes = {one: 100 if one == PRIMARY.bucket else 0 for one in buckets}
    world.aws.looks = 1
    world.aws.points["orders"] = Point(details, ALIAS, status="READY", routes=routes)


def test_the_routes_of_an_access_point_are_flipped_without_the_lost_region(world: JourneyWorld) -> None:
    access_point(world, PRIMARY.bucket, DR.bucket)
    world.aws.lost = {EAST}
    done = world.run(**UNPLANNED, mrap=ALIAS, pointer_path="")
    assert "failed" not in done, done
    assert world.aws.points["orders"].routes == {PRIMARY.bucket: 0, DR.bucket: 100}
    assert {call.region for call in world.aws.calls if call.service == "s3control"} == {WEST}
    assert world.aws.parameters == {}


def test_an_access_point_without_one_of_the_buckets_is_refused_before_anything_is_done(world: JourneyWorld) -> None:
    access_point(world, PRIMARY.bucket)
    refused = world.run(mrap=ALIAS)
    assert "is not part of the access point" in refused["msg"]
    assert not world.has_journal()
    assert (
        "only us-west-2 knows which access point has this name"
        in world.run(mrap="orders", to="primary", **UNPLANNED)["msg"]
    )


def test_check_mode_says_how_long_the_routes_take(world: JourneyWorld) -> None:
    access_point(world, PRIMARY.bucket, DR.bucket)
    (flip,) = [one for one in world.run(check=True, mrap=ALIAS)["timeline"] if one["step"] == "flip"]
    assert (flip["expected_seconds"], flip["expected_by"]) == (120.0, "documented")
    assert world.aws.points["orders"].routes == {PRIMARY.bucket: 100, DR.bucket: 0}


# --- refused before any call ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said_so"),
    [
        ({"confirm": ""}, "Set `confirm: orders`"),
        ({"confirm": "others"}, "`failover_confirm: [orders]`"),
        ({"pointer_path": ""}, "nothing would send clients to the other end"),
        ({"accept_data_loss": True}, "needs a `reason`"),
        ({"to": "primary"}, "s3_dr_failback"),
        ({"topics": ["operators"]}, "is not the ARN of an SNS topic"),
        ({"fence_exempt_principals": ["ops"]}, "is not the ARN of a user or role"),
        ({"pointer_path": "aws/x"}, "path 'aws/x'"),
        ({"status_path": PATH}, "Choose another path"),
        ({"mrap": "Not A Name"}, "Multi-Region Access Point 'Not A Name'"),
        ({"drain_seconds": 0}, "`drain_seconds` is at least 1"),
        ({"declared_at": "yesterday"}, "is no time with a time zone"),
        ({"declared_at": "2026-11-23T14:03:22"}, "is no time with a time zone"),
        ({"declared_at": "2999-01-01T00:00:00Z"}, "has not come yet"),
    ],
)
def test_what_cannot_be_right_is_refused_before_any_call(
    world: JourneyWorld, options: dict[str, Any], said_so: str
) -> None:
    refused = world.run(**options)
    assert refused["failed"]
    assert said_so in refused["msg"]
    assert "Nothing was changed" in refused["msg"]
    assert world.aws.calls == []


def test_without_a_recovery_bucket_it_says_how_to_get_one(world: JourneyWorld) -> None:
    del world.aws.buckets["s3-dr-111122223333-us-west-2"]
    refused = world.run()
    assert "there is no bucket s3-dr-111122223333-us-west-2. setup.yml makes it" in refused["msg"]
    assert "Nothing was changed" in refused["msg"]
    world.aws.buckets["papers-us-west-2"] = Bucket(WEST, versioning="Enabled")
    one = world.run(recovery_bucket="papers-{region}")
    assert "papers-us-east-1" in one["msg"]  # that of the primary may be the newer one
    assert "Nothing was changed" in one["msg"]
    world.aws.buckets["papers-us-east-1"] = Bucket(EAST, versioning="Enabled")
    assert world.run(recovery_bucket="papers-{region}")["active"] == "dr"


# --- with the user's own tasks -------------------------------------------------------------------------------


def test_own_tasks_come_between_switch_and_confirm(world: JourneyWorld) -> None:
    wish = {"pointer_path": ""}
    assert "no run is open" in world.run(**wish, phase="confirm")["msg"]
    switched = world.run(**wish, phase="switch")
    assert (switched["run"]["state"], switched["active"]) == ("waiting", "primary")
    assert states(switched)["flip"] == "skipped"
    again = world.run(**wish, phase="switch")
    assert again["run"]["id"] == switched["run"]["id"]
    done = world.run(**wish, phase="confirm")
    assert (done["run"]["state"], done["active"]) == ("done", "dr")
    assert list(states(done)) == ["assess", "fence", "drain", "flip", "tasks", "verify", "announce"]
    assert world.run(**wish, phase="confirm")["changed"] is False


def test_somebody_else_does_not_confirm_what_waits_for_the_first_ones_tasks(world: JourneyWorld) -> None:
    waiting = world.run(phase="switch")
    world.be("eve", "laptop", "another")
    refused = world.run(phase="confirm")
    assert "ops@bastion" in refused["msg"]
    assert "waiting for that operator's own tasks" in refused["msg"]
    assert world.run(phase="confirm", take_over=waiting["run"]["id"])["run"]["state"] == "done"


# --- giving up -----------------------------------------------------------------------------------------------


def test_a_run_is_given_up_before_the_flip_and_its_fence_lifted(world: JourneyWorld) -> None:
    world.aws.lagging = True
    world.aws.write(PRIMARY.bucket, "late")
    run = world.run(drain_seconds=1)["run"]["id"]
    assert not world.aws.may_write(PRIMARY.bucket, WRITER)
    assert "is not the last one" in world.run(abandon="another")["msg"]
    predicted = world.run(check=True, abandon=run)
    assert [step["action"] for step in predicted["steps"]] == ["delete"]
    done = world.run(abandon=run, confirm="", pointer_path="")
    assert (done["run"]["state"], done["active"], done["changed"]) == ("abandoned", "primary", True)
    assert world.aws.may_write(PRIMARY.bucket, WRITER)
    assert world.run(abandon=run)["changed"] is False
    world.aws.arrive()
    world.aws.lagging = False
    assert world.run()["active"] == "dr"


def test_a_run_whose_flip_has_sent_clients_is_not_given_up(world: JourneyWorld) -> None:
    def end(call: Call) -> None:
        if call.operation == "PutParameter" and call.region == EAST:
            os.kill(os.getpid(), signal.SIGTERM)
            world.aws.interrupt = lambda call: None

    world.aws.interrupt = end
    failed = world.run()
    assert states(failed)["flip"] == "failed"
    refused = world.run(abandon=failed["run"]["id"])
    assert "has begun to send clients to dr" in refused["msg"]
    done = world.run()
    assert done["active"] == "dr"
    assert "is done. Fail back" in world.run(abandon=done["run"]["id"])["msg"]


# --- two operators -------------------------------------------------------------------------------------------


def test_a_run_that_lives_is_not_touched_and_the_second_one_is_told_who_has_it(
    world: JourneyWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.run_and_die(at=9)
    monkeypatch.setattr(journey, "BEAT_SECONDS", 0.04)
    monkeypatch.setattr(journey, "WATCH_SECONDS", 0.2)
    world.be("eve", "laptop", "another")
    over, store = (
        threading.Event(),
        JournalStore(world.aws.client_for("s3", WEST), "s3-dr-111122223333-us-west-2", "111122223333", "orders"),
    )
    world.aws.revive()

    def beat() -> None:
        while not over.wait(0.02):
            there = store.read()
            assert there is not None
            store.save(journals.beaten(there, datetime.now(UTC)))

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        refused = world.run()
    finally:
        over.set()
        beating.join()
    for part in ("ops@bastion", "failover to dr", "last sign of life", "take_over: "):
        assert part in refused["msg"]
    done = world.run()  # nobody beats any more
    assert done["active"] == "dr"
    assert [one.split(" ")[0] for one in done["run"]["operators"]] == ["ops@bastion", "eve@laptop"]


# --- interrupted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["PutBucketPolicy", "PutParameter"])
def test_a_run_that_is_ended_by_a_signal_is_marked_and_goes_on_at_once(world: JourneyWorld, operation: str) -> None:
    def end(call: Call) -> None:
        if call.operation == operation:
            os.kill(os.getpid(), signal.SIGTERM)
            world.aws.interrupt = lambda call: None

    world.aws.interrupt = end
    ended = world.run()
    assert "was ended by SIGTERM" in ended["msg"]
    assert world.last_run().state is State.FAILED
    world.be("eve", "laptop", "another")
    assert world.run()["active"] == "dr"


# --- killed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["planned", "unplanned"])
def test_a_run_that_is_killed_before_any_write_and_run_again_ends_in_the_same_state(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    options = {"mode": mode, "reason": "a test"}
    whole = JourneyWorld(monkeypatch)
    whole.aws.lost = {EAST} if mode == "unplanned" else set()
    whole.run(**options)
    expected, writes = end_state(whole), len(whole.aws.writes())
    repeated = 0
    for at in range(1, writes + 1):
        world = JourneyWorld(monkeypatch)
        world.aws.lost = {EAST} if mode == "unplanned" else set()
        assert world.run_and_die(at, **options)
        done_before = {one.name for one in steps_in(world) if one.state is State.DONE}
        done = world.run(**options)
        assert "failed" not in done, (at, done["msg"])
        assert end_state(world) == expected, at
        assert world.last_run().state is State.DONE, at
        again = [one.name for one in steps_in(world) if one.attempts > 1]
        assert not done_before & set(again), at
        assert len(again) <= 1, at
        repeated += len(again)
    assert repeated >= 4


def steps_in(world: JourneyWorld) -> tuple[Step, ...]:
    return world.last_run().steps if world.has_journal() else ()


def end_state(world: JourneyWorld) -> Any:
    """All that a failover leaves, but times and names of runs."""
    pointers = [{**(world.pointer(region) or {}), "since": "", "run": ""} for region in (EAST, WEST)]
    journal = world.journal()
    objects = {
        bucket: sorted(
            (one["Key"], one["body"]) for one in world.aws.buckets[bucket].versions if "canary" not in one["Key"]
        )
        for bucket in (PRIMARY.bucket, DR.bucket)
    }
    sid = fence_sid("orders", PRIMARY.bucket)
    return (
        pointers,
        journal.active,
        [one.name for one in journal.run.steps] if journal.run else [],
        objects,
        (world.aws.buckets[PRIMARY.bucket].policy or "").count(sid),
    )
