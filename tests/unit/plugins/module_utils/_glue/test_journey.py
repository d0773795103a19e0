# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A run and its journal: who may go on with it, and what is written when it fails."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.journal_store import JournalStore, Overtaken
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import journal as journals
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import (
    Journal,
    Journey,
    Mode,
    Operator,
    Run,
    Side,
    State,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import journey
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.journal_homes import Homes
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.journey import JourneyRun, Wanted
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.switching import NotDrained
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Bucket
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.journeys import JourneyAws

BUCKET, WEST = "s3-dr-111122223333-us-west-2", "us-west-2"
EAST_BUCKET, EAST = "s3-dr-111122223333-us-east-1", "us-east-1"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
WANTED = Wanted(Journey.FAILOVER, Side.DR, Mode.PLANNED, "a test")
GONE = (1 << 22) + 1
FIRST = Operator("arn:aws:iam::111122223333:user/ops", "ops", "runner", GONE, "boot one")


class World:
    """A journal, and runs on it that never wait."""

    def __init__(self) -> None:
        self.aws = JourneyAws()
        self.aws.buckets[BUCKET] = Bucket(WEST, versioning="Enabled")
        self.slept = 0.0
        self.meanwhile: Any = lambda: None
        """What somebody else does while a run is watched."""

    def store(self) -> JournalStore:
        return JournalStore(self.aws.client_for("s3", WEST), BUCKET, OWNER, "orders")

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.meanwhile()

    def run(self, who: Operator = FIRST, wanted: Wanted = WANTED, known: Journal | None = None) -> JourneyRun:
        """A run that has read the journal; `known`: before somebody else wrote."""
        store = self.store()
        there = known if known is not None else store.read() or Journal("orders")
        return JourneyRun(Homes("orders", store, None), there, wanted, who, lambda: NOW, self.sleep)

    def begun(self, who: Operator = FIRST) -> JourneyRun:
        run = self.run(who)
        run.open()
        return run

    def there(self) -> Journal:
        found = self.store().read()
        assert found is not None
        return found

    def last_run(self) -> Run:
        run = self.there().run
        assert run is not None
        return run


@pytest.fixture
def world() -> World:
    return World()


def test_of_two_who_begin_at_once_the_second_is_told_of_the_first(world: World) -> None:
    mine, theirs = world.run(replace(FIRST, user="eve")), world.run()
    theirs.open()
    with pytest.raises(Refused, match="ops@runner"):
        mine.open()


def test_a_run_whose_process_is_gone_is_gone_on_with_at_once(world: World) -> None:
    run = world.begun()
    again = world.begun(replace(FIRST, user="eve", process=os.getpid()))
    assert (again.run.id, world.slept) == (run.run.id, 0.0)
    assert "goes on where it was" in again.notes[0]


@pytest.mark.parametrize("machine", ["boot two", ""])
def test_a_process_of_another_machine_is_never_taken_for_gone_by_its_number(world: World, machine: str) -> None:
    """Two containers may have one name."""
    world.begun(replace(FIRST, machine=machine))
    world.begun(replace(FIRST, user="eve", machine="boot one"))
    assert world.slept >= journey.WATCH_SECONDS


def test_a_process_that_is_there_is_watched(world: World) -> None:
    world.begun(replace(FIRST, process=os.getpid()))
    world.begun(replace(FIRST, user="eve"))
    assert world.slept >= journey.WATCH_SECONDS


@pytest.mark.parametrize("sign", ["beat", "step"])
def test_any_write_is_a_sign_of_life(world: World, sign: str) -> None:
    world.begun(replace(FIRST, machine="boot two"))

    def write() -> None:
        store = world.store()
        there = store.read()
        assert there is not None
        changed = journals.beaten(there, NOW) if sign == "beat" else journals.step_begun(there, "flip", {}, NOW)
        store.save(changed)

    world.meanwhile = write
    with pytest.raises(Refused, match="if you know that it is dead"):
        world.begun(replace(FIRST, user="eve"))
    assert world.slept < journey.BEAT_SECONDS
    world.meanwhile = lambda: None
    before = world.last_run().steps
    assert world.begun(replace(FIRST, user="eve")).run.steps == before


def test_what_was_written_after_the_journal_was_read_is_not_lost(world: World) -> None:
    first = world.begun(replace(FIRST, machine="boot two"))
    known = world.there()
    first.step("assess", {}, lambda: {"seen": 1})
    with pytest.raises(Refused):
        world.run(replace(FIRST, user="eve"), known=known).open()
    assert world.there().open_run is not None
    assert world.begun(replace(FIRST, user="eve")).run.is_done("assess")


def test_who_was_overtaken_writes_nothing_more(world: World) -> None:
    first = world.begun(replace(FIRST, machine="boot two"))
    world.run(replace(FIRST, user="eve"), replace(WANTED, take_over=first.run.id)).open()
    assert world.slept == 0
    done = []
    with pytest.raises(Overtaken):
        first.step("flip", {}, lambda: {"did": done.append(1)})
    assert done == []


def test_a_step_that_fails_keeps_what_it_saw_and_why(world: World) -> None:
    def fail() -> dict[str, Any]:
        raise NotDrained("3 are left", {"left": 3})

    run = world.begun()
    with pytest.raises(NotDrained), run.living():
        run.step("drain", {"seconds": 1}, fail)
    step = world.last_run().steps[0]
    assert (step.state, step.error, step.result, step.inputs) == (
        State.FAILED,
        "3 are left",
        {"left": 3},
        {"seconds": 1},
    )
    assert world.last_run().state is State.FAILED
    again = world.begun(replace(FIRST, user="eve", machine="boot two"))
    assert world.slept == 0
    assert again.step("drain", {}, lambda: {"left": 0}) == {"left": 0}
    assert again.step("drain", {}, fail) == {"left": 0}
    assert world.last_run().steps[0].attempts == 2


def test_a_run_that_lives_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journey, "BEAT_SECONDS", 0.01)
    run, enough = world.begun(), threading.Event()
    with run.living():
        while world.last_run().beat < 3:
            enough.wait(0.01)
    beats = world.last_run().beat
    enough.wait(0.05)
    assert world.last_run().beat == beats


def test_a_run_that_is_over_is_kept_and_the_next_one_begins(world: World) -> None:
    run = world.begun()
    run.switched()
    run.finish({"rto_seconds": 4})
    assert (world.there().active, world.there().open_run) == (Side.DR, None)
    other = world.begun()
    assert other.run.id != run.run.id
    keys = {one["Key"] for one in world.aws.buckets[BUCKET].versions}
    assert f"journal/orders/runs/{run.run.id}.json" in keys


# --- a step once more ----------------------------------------------------------------------------------------


def test_a_step_that_was_not_needed_is_done_when_it_is(world: World) -> None:
    run = world.begun()
    run.skip("fence", "`fence` is false")
    assert run.step("fence", {}, lambda: {"steps": []}) == {"steps": []}


def test_a_step_with_other_inputs_is_done_again_when_asked(world: World) -> None:
    run = world.begun()
    run.step("flip", {"mrap": ""}, lambda: {"of": 1})
    run = world.begun()
    assert run.step("flip", {"mrap": ""}, lambda: {"of": 2}, renew_if_changed=True) == {"of": 1}
    assert run.step("flip", {"mrap": "a.mrap"}, lambda: {"of": 3}) == {"of": 1}
    assert run.step("flip", {"mrap": "a.mrap"}, lambda: {"of": 4}, renew_if_changed=True) == {"of": 4}


def test_a_skip_never_hides_that_a_step_was_begun(world: World) -> None:
    run = world.begun()
    run.skip("drain", "not needed")
    store, there = world.store(), world.store().read()
    assert there is not None
    store.read()
    store.save(journals.step_begun(there, "fence", {}, NOW))
    again = world.begun()
    again.skip("fence", "`fence` is false")
    assert (again.run.was_begun("fence"), again.run.was_begun("drain")) == (True, False)
    step = again.run.step("fence")
    assert step is not None
    assert step.state is State.FAILED


# --- the other home ------------------------------------------------------------------------------------------


def two_homes(world: World, unread: str = "") -> tuple[Homes, JournalStore]:
    """Homes whose other end is a bucket of EAST, and what reads that."""
    world.aws.buckets.setdefault(EAST_BUCKET, Bucket(EAST, versioning="Enabled"))
    other = [JournalStore(world.aws.client_for("s3", EAST), EAST_BUCKET, OWNER, "orders") for _both in range(2)]
    return Homes("orders", world.store(), other[0], unread), other[1]


def run_with(world: World, homes: Homes, wanted: Wanted = WANTED, who: Operator = FIRST) -> JourneyRun:
    run = JourneyRun(homes, homes.read(), wanted, who, lambda: NOW, world.sleep)
    run.open()
    return run


def test_each_step_that_ended_is_known_at_the_other_home(world: World) -> None:
    homes, other = two_homes(world)
    run = run_with(world, homes)
    assert other.read() == run.journal
    run.step("flip", {}, dict)
    assert other.read() == run.journal
    run.switched()
    assert other.read() == run.journal
    with pytest.raises(NotDrained), run.living():
        run.step("verify", {}, fail)
    assert other.read() == run.journal
    run.abandon()
    assert other.read() == run.journal
    assert homes.notes == []


def fail() -> dict[str, Any]:
    raise NotDrained("3 are left", {"left": 3})


def test_a_home_that_takes_no_copy_is_asked_once_and_again_at_the_end(world: World) -> None:
    homes, other = two_homes(world)
    run = run_with(world, homes)
    world.aws.lost, before = {EAST}, len(world.aws.calls)
    with run.living():
        run.step("fence", {}, dict)
        run.step("drain", {}, dict)
        asked = [call for call in world.aws.calls[before:] if call.region == EAST]
        assert len(asked) == 1
        assert "was not copied" in homes.notes[0]
        world.aws.lost = set()
    assert other.read() == run.journal
    assert homes.notes == []


def test_a_journey_that_needs_both_copies_is_refused_without_one(world: World) -> None:
    homes, _other = two_homes(world)
    homes.read()
    homes.require_all_read()
    world.aws.lost = {EAST}
    homes.read()
    assert homes.unread
    with pytest.raises(Refused, match=rf"s3://{EAST_BUCKET}/.* was not read, and it may be the newer one"):
        homes.require_all_read()


def test_a_run_that_could_not_read_the_other_copy_counts_more_than_that(world: World) -> None:
    homes, other = two_homes(world)
    other.read()
    other.save(replace(Journal("orders"), serial=500))
    world.aws.lost = {EAST}
    ours = run_with(world, homes)
    world.aws.lost = set()
    assert homes.read() == ours.journal


# --- a run whose end is lost ---------------------------------------------------------------------------------

TO_PRIMARY = Wanted(Journey.FAILOVER, Side.PRIMARY, Mode.UNPLANNED, "the second disaster")


def test_an_unplanned_failover_gives_up_an_open_run_to_the_other_end(world: World) -> None:
    first = world.begun()
    first.switched()
    second = world.run(replace(FIRST, user="eve"), TO_PRIMARY)
    second.open()
    there = world.there()
    assert there.run is not None
    assert (there.run.to, there.run.inputs["supersedes"]) == (Side.PRIMARY, first.run.id)
    assert first.run.id in second.notes[0]
    assert "ops@runner" in second.notes[0]
    kept = {one["Key"]: one["body"].decode() for one in world.aws.buckets[BUCKET].versions}
    assert '"abandoned"' in kept[f"journal/orders/runs/{first.run.id}.json"]
    with pytest.raises(Overtaken):
        first.step("verify", {}, dict)


def test_a_run_that_lives_in_the_other_home_is_not_given_up(world: World) -> None:
    homes, other = two_homes(world)
    alive = run_with(world, homes, who=replace(FIRST, machine="boot two"))
    turned = Homes("orders", other, world.store())

    def beat() -> None:
        store = world.store()
        there = store.read()
        assert there is not None
        store.save(journals.beaten(there, NOW))

    world.meanwhile = beat
    with pytest.raises(Refused, match="if you know that it is dead"):
        run_with(world, turned, TO_PRIMARY)
    run_with(world, turned, replace(TO_PRIMARY, take_over=alive.run.id))
    with pytest.raises(Overtaken):
        alive.step("verify", {}, dict)
