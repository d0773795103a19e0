# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Failbacks on an AWS in memory: with and without conflicts, to a primary made anew, refused, given up, and killed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import journal as journals
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fence import fence_sid
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import Journey, State
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import pair_addresses, pair_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import failback as glue
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import failback_steps, failover
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.backfill import Backfill
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_failback, s3_dr_failover
from ansible_collections.crossregion.s3_dr.tests.unit import journey_world
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.batch import BatchAws
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.calls import Answer
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.journeys import JourneyAws, Killed
from ansible_collections.crossregion.s3_dr.tests.unit.journey_world import RECOVERY, JourneyWorld
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNTS, DR, EAST, PRIMARY, WEST, a_pair, two_way

BEFORE = ["healthy", "drain_reverse", "backfill", "verify", "conflicts"]
ALL = [*BEFORE, "fence", "drain", "lift_primary", "resolve", "flip", "lift_dr", "confirm", "announce"]
WRITER = "arn:aws:iam::111122223333:role/application"


class FailbackAws(JourneyAws, BatchAws):
    """Its jobs replicate as S3 does: what arrives is a replica."""

    def _bring(self, source: str, task: tuple[str, str]) -> None:
        (row,) = [one for one in self.buckets[source].versions if (one["Key"], one["VersionId"]) == task]
        for destination in self._takers(source, row):
            self._arrive(source, destination, row)


class World(JourneyWorld):
    """A pair that was failed over an hour after its objects were written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mode: str = "planned", markers: bool = True) -> None:
        monkeypatch.setattr(journey_world, "JourneyAws", FailbackAws)
        super().__init__(monkeypatch, two_way(rules=(Rule("s3-dr-orders", delete_markers=markers),)))
        monkeypatch.setattr(glue, "operator", failover.operator)
        time = Time()
        monkeypatch.setattr(failback_steps, "Backfill", partial(Backfill, sleep=time.sleep, clock=time.clock))
        monkeypatch.setattr(failback_steps, "_FIRST_PAUSE_SECONDS", 0.001)
        self.mend()
        now = datetime.now(UTC).replace(microsecond=0)
        for bucket in (PRIMARY.bucket, DR.bucket):
            for one in self.aws.buckets[bucket].versions:
                one["modified"] = now - timedelta(hours=1)
        self.aws.now = now
        self.aws.lost = {EAST} if mode == "unplanned" else set()
        self.over = self.run(s3_dr_failover, mode=mode, reason="drill", accept_data_loss=True)
        assert self.over["active"] == "dr", self.over
        self.aws.lost = set()
        self.aws.now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)

    def mend(self) -> None:
        """As the role of a pair does."""
        gateway = Gateway(self.aws.client_for)
        observed = gateway.observe(pair_addresses(self.pair, ACCOUNTS))
        gateway.carry_out(plan(pair_wish(self.pair, ACCOUNTS, observed), observed))

    def lose_primary(self) -> None:
        """The bucket is gone, and then there is a new one of its name."""
        del self.aws.buckets[PRIMARY.bucket]

    def make_anew(self) -> None:
        """It is there again, and empty."""
        self.aws.buckets[PRIMARY.bucket] = Bucket(EAST)
        self.mend()

    def back(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """A failback."""
        return self.run(s3_dr_failback, check, **options)

    def back_and_die(self, at: int, **options: Any) -> bool:
        """One that is killed before one of its writes; False: it has ended before."""
        self.aws.revive(at)
        try:
            self.tasks.run(s3_dr_failback, **self.given(**options))
        except Killed:
            return True
        return False

    def both_write(self, key: str = "order/0") -> None:
        """The primary's last words arrive late, on top of what was written at the DR bucket."""
        self.aws.lagging = True
        last = self.aws.write(PRIMARY.bucket, key, body=b"primary")
        self.aws.write(DR.bucket, key, body=b"dr")
        self.aws.by_arrival = True
        self.aws.arrive()
        self.aws.lagging = False
        assert last["status"] == "COMPLETED"

    def bodies(self, key: str) -> list[bytes]:
        """What both ends show."""
        return [self._shown(bucket, key)["body"] for bucket in (PRIMARY.bucket, DR.bucket)]

    def _shown(self, bucket: str, key: str) -> Answer:
        return next(one for one in reversed(self.aws.buckets[bucket].versions) if one["Key"] == key)

    def held(self, bucket: str) -> set[tuple[str, str, bytes]]:
        """All that a bucket holds, without canaries."""
        return {
            (one["Key"], one["VersionId"], one["body"])
            for one in self.aws.buckets[bucket].versions
            if ".s3-dr-canary/" not in one["Key"]
        }

    def fences(self) -> list[bool]:
        """Whether the primary and the DR bucket are closed to applications."""
        return [not self.aws.may_write(end.bucket, WRITER) for end in (PRIMARY, DR)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {one["step"]: one["state"] for one in result["timeline"]}


# --- the way back --------------------------------------------------------------------------------------------


def test_all_that_was_written_comes_back_and_so_do_the_clients(world: World) -> None:
    world.aws.write(DR.bucket, "new", body=b"1")
    assert world.fences() == [True, False]
    done = world.back(reason="it is back")
    assert "failed" not in done, done["msg"]
    assert list(states(done)) == ALL
    assert [name for name, state in states(done).items() if state == "skipped"] == ["backfill", "resolve", "announce"]
    assert (done["active"], done["run"]["state"], world.fences()) == ("primary", "done", [False, False])
    for region in (EAST, WEST):
        assert (world.pointer(region) or {})["active"] == "primary"
    assert world.held(PRIMARY.bucket) == world.held(DR.bucket)
    again = world.back()
    assert (again["changed"], again["timeline"]) == (False, [])


def test_a_pair_that_is_one_way_is_refused_before_aws_is_asked(world: World) -> None:
    world.pair = a_pair()
    done = world.back()
    assert "is one-way" in done["msg"]
    assert "setup.yml, then backfill.yml" in done["msg"]
    assert world.aws.calls == []


def test_a_pair_must_be_named(world: World) -> None:
    done = world.back(confirm="")
    assert "failback_confirm: [orders]" in done["msg"]
    assert world.aws.calls == []


def test_a_pair_that_is_not_as_declared_is_refused(world: World) -> None:
    world.aws.buckets[DR.bucket].replication["Rules"][0]["Status"] = "Disabled"
    done = world.back()
    assert "differs from the declared pair" in done["msg"]
    assert states(done) == {"healthy": "failed"}
    world.mend()
    assert world.back()["active"] == "primary"


def test_what_failed_at_the_dr_bucket_is_backfilled(world: World) -> None:
    world.aws.lagging = True
    lost = world.aws.write(DR.bucket, "failed", body=b"1")
    world.aws.waiting.clear()
    world.aws.lagging = False
    lost["status"] = "FAILED"
    dear = world.back(budget_usd=0.01)
    assert "more than the 0.01 of `budget_usd`" in dear["msg"]
    assert states(dear)["backfill"] == "failed"
    done = world.back()
    assert "failed" not in done, done["msg"]
    assert done["missing"]["versions"] == 1
    assert world.held(PRIMARY.bucket) == world.held(DR.bucket)


# --- conflicts -----------------------------------------------------------------------------------------------


def test_conflicts_stop_it_before_anything_is_closed(world: World) -> None:
    world.both_write()
    done = world.back()
    assert "1 key was written at both ends, for example 'order/0'" in done["msg"]
    assert [one["key"] for one in done["conflicts"]] == ["order/0"]
    assert (done["active"], world.fences()) == ("dr", [True, False])
    assert "CopyObject" not in world.asked()


@pytest.mark.parametrize(("policy", "body"), [("keep_dr", b"dr"), ("keep_primary", b"primary"), ("newest", b"dr")])
def test_the_policy_says_who_wins(world: World, policy: str, body: bytes) -> None:
    world.both_write()
    before = world.held(PRIMARY.bucket)
    done = world.back(conflicts=policy)
    assert "failed" not in done, done["msg"]
    assert world.bodies("order/0") == [body, body]
    assert before <= world.held(PRIMARY.bucket) == world.held(DR.bucket)


def test_nothing_is_resolved_before_the_dr_bucket_is_closed(world: World) -> None:
    world.both_write()
    world.back(conflicts="newest")
    order = world.asked()
    assert order.index("PutBucketPolicy") < order.index("CopyObject")


# --- made anew -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_arrival", [False, True])
def test_a_primary_that_was_lost_comes_back_version_by_version(monkeypatch: pytest.MonkeyPatch, by_arrival) -> None:
    world = World(monkeypatch, "unplanned")
    world.aws.by_arrival = by_arrival
    world.lose_primary()
    gone = world.back()
    assert "failback_create_buckets" in gone["msg"]
    world.aws.write(DR.bucket, "order/1", body=b"again")
    world.aws.write(DR.bucket, "order/2", marker=True, body=b"")
    before = {one for one in world.held(DR.bucket) if one[2]}
    world.make_anew()
    done = world.back()
    assert "failed" not in done, done["msg"]
    assert before <= world.held(PRIMARY.bucket)
    assert world.bodies("order/1") == [b"again", b"again"]
    assert world.bodies("order/2") == [b"", b""]


# --- interrupted ---------------------------------------------------------------------------------------------


def test_killed_at_any_write_and_run_again_it_ends_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    at = 0
    while True:
        at += 1
        world = World(monkeypatch)
        world.both_write()
        world.aws.write(DR.bucket, "new", body=b"1")
        killed = world.back_and_die(at, conflicts="keep_primary")
        done = world.back(conflicts="keep_primary")
        assert "failed" not in done, (at, done["msg"])
        assert (done["active"], world.fences()) == ("primary", [False, False]), at
        assert world.last_run().state is State.DONE, at
        assert world.last_run().journey is Journey.FAILBACK
        assert world.held(PRIMARY.bucket) == world.held(DR.bucket), at
        assert world.bodies("order/0") == [b"primary", b"primary"], at
        if not killed:
            break
    assert at > 20


def test_once_clients_are_on_their_way_nothing_is_resolved_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at the last write, at the one before, and so on, as long as a client was told of the primary."""
    whole = World(monkeypatch)
    whole.both_write()
    whole.back(conflicts="keep_dr")
    last = len(whole.aws.writes())
    for at in range(last, 0, -1):
        world = World(monkeypatch)
        world.both_write()
        world.back_and_die(at, conflicts="keep_dr")
        if "primary" not in {(world.pointer(region) or {}).get("active") for region in (EAST, WEST)}:
            break
        world.aws.now = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)
        world.aws.write(PRIMARY.bucket, "order/0", body=b"client")
        done = world.back(conflicts="keep_dr")
        assert "failed" not in done, (at, done["msg"])
        assert (done["active"], world.fences()) == ("primary", [False, False]), at
        assert world.bodies("order/0") == [b"client", b"client"], at
    assert last - at > 3


def test_what_the_primary_wrote_last_is_known_after_a_run_that_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, "unplanned")
    _last_words_before_the_flip(world)
    first = world.back()
    assert [one["key"] for one in first["conflicts"]] == ["order/0"]
    assert "failed" not in world.back(abandon=first["run"]["id"])
    second = world.back()
    assert second["run"]["id"] != first["run"]["id"]
    assert [one["key"] for one in second["conflicts"]] == ["order/0"]


def test_given_up_while_the_primary_region_is_lost_the_dr_bucket_opens(world: World) -> None:
    run = _closed(world, until="resolve")
    assert world.fences() == [False, True]
    world.aws.lost = {EAST}
    done = world.back(abandon=run)
    assert "failed" not in done, done["msg"]
    assert (done["active"], done["run"]["state"], world.fences()) == ("dr", "abandoned", [False, False])
    assert any(f"{PRIMARY.bucket} was not closed again" in note for note in done["notes"])


def test_given_up_a_fence_of_which_the_journal_does_not_tell_is_taken_off(world: World) -> None:
    first = _closed(world, until="drain")
    policy = world.aws.buckets[DR.bucket].policy
    assert world.fences() == [True, True]
    world.back(abandon=first)
    world.both_write()
    stopped = world.back()
    assert list(states(stopped)) == BEFORE
    world.aws.buckets[DR.bucket].policy = policy
    world.back(abandon=stopped["run"]["id"])
    assert world.fences() == [True, False]


def test_both_copies_of_the_journal_must_be_read(world: World) -> None:
    copy = world.aws.buckets.pop(RECOVERY[EAST])
    done = world.back()
    assert RECOVERY[EAST] in done["msg"]
    assert "setup.yml" in done["msg"]
    assert (world.aws.writes(), world.fences()) == ([], [True, False])
    world.aws.buckets[RECOVERY[EAST]] = copy
    assert world.back()["active"] == "primary"


@pytest.mark.parametrize("before", ["", "/another"])
def test_a_pointer_that_was_not_named_before_is_written(world: World, before: str) -> None:
    world.back(phase="switch", pointer_path=before)
    done = world.back()
    assert "failed" not in done, done["msg"]
    assert (done["active"], (world.pointer(EAST) or {})["active"]) == ("primary", "primary")


def _last_words_before_the_flip(world: World) -> None:
    """One key that the primary wrote after what is known to have arrived, and that the DR bucket wrote, too."""
    world.aws.lagging = True
    last = world.aws.write(PRIMARY.bucket, "order/0", body=b"primary")
    last["modified"] = journals.moment(world.journal().known_until or "") + timedelta(seconds=1)
    assert last["modified"] < journals.moment(world.over["since"])
    world.aws.write(DR.bucket, "order/0", body=b"dr")
    world.aws.arrive()
    world.aws.lagging = False


def _closed(world: World, until: str) -> str:
    """The ID of a failback that was killed as soon as it had begun a step."""
    for at in range(1, 200):
        world.back_and_die(at, conflicts="newest")
        run = world.last_run()
        if run.journey is Journey.FAILBACK and run.step(until):
            return run.id
    raise AssertionError(until)


def test_it_cannot_be_given_up_once_the_flip_has_begun(world: World) -> None:
    world.aws.denied = {"PutParameter"}
    stopped = world.back()
    assert states(stopped)["flip"] == "failed"
    refused = world.back(abandon=stopped["run"]["id"])
    assert "has begun to send clients to the primary" in refused["msg"]
    world.aws.denied = set()
    assert world.back()["active"] == "primary"


def test_given_up_the_dr_bucket_is_open_and_the_primary_closed_again(world: World) -> None:
    world.both_write()
    stopped = world.back()
    at = next(
        at for at in range(1, 200) if world.back_and_die(at, conflicts="newest") and world.last_run().step("resolve")
    )
    assert at
    done = world.back(abandon=stopped["run"]["id"])
    assert "failed" not in done, done["msg"]
    assert (done["active"], done["run"]["state"], world.fences()) == ("dr", "abandoned", [True, False])


def test_your_own_tasks_come_between_the_phases(world: World) -> None:
    first = world.back(phase="switch", pointer_path="")
    assert (first["active"], first["run"]["state"], world.fences()) == ("dr", "waiting", [False, True])
    done = world.back(phase="confirm", pointer_path="")
    assert "failed" not in done, done["msg"]
    assert (done["active"], done["run"]["state"], world.fences()) == ("primary", "done", [False, False])


def test_check_mode_writes_nothing_and_says_what_there_is_to_do(world: World) -> None:
    world.both_write()
    before = [world.held(PRIMARY.bucket), world.held(DR.bucket), world.journal()]
    done = world.back(check=True)
    assert [call.operation for call in world.aws.writes()] == []
    assert before == [world.held(PRIMARY.bucket), world.held(DR.bucket), world.journal()]
    assert [one["step"] for one in done["timeline"]] == ALL
    assert done["conflicts_total"] == 1
    assert "was written at both ends" in done["refused"][0]
    assert any(fence_sid("orders", DR.bucket) in str(step["after"]) for step in done["steps"])
