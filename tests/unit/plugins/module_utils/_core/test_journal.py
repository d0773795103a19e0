# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The journal of a pair as a value: it only grows, its text holds all of it, and a run goes on where it was."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import journal as journals
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import (
    Journal,
    JournalBroken,
    Journey,
    Mode,
    Operator,
    Run,
    Side,
    State,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journey_words import timeline

NOW = datetime(2026, 11, 23, 14, 4, 3, tzinfo=UTC)
ME = Operator("arn:aws:sts::111122223333:assumed-role/ops/me", "ops", "bastion", 17, "boot pid:[1]")
OTHER = replace(ME, user="eve", host="laptop", process=18)
STEPS = ("assess", "fence", "drain", "flip", "verify", "announce")


def a_run(**changes: object) -> Run:
    return Run(
        **{
            "id": "20261123T140403Z-failover-abc",
            "journey": Journey.FAILOVER,
            "to": Side.DR,
            "mode": Mode.PLANNED,
            "reason": "a test",
            "began": journals.iso(NOW),
            "operators": (ME,),
            **changes,
        }
    )


def begun() -> Journal:
    return journals.begun(Journal("orders"), a_run())


def step(journal: Journal, name: str, how: str) -> Journal:
    """One thing that may happen to a run."""
    now = NOW + timedelta(seconds=journal.serial)
    if how == "done":
        return journals.step_ended(journals.step_begun(journal, name, {}, now), name, {"of": name}, now)
    if how == "failed":
        failed = journals.step_failed(journals.step_begun(journal, name, {}, now), name, "it broke", {}, now)
        return journals.resumed(failed, OTHER, Mode.PLANNED, now)
    if how == "killed":
        return journals.resumed(journals.step_begun(journal, name, {}, now), OTHER, Mode.PLANNED, now)
    return journals.beaten(journal, now)


HISTORIES = st.lists(st.sampled_from(["failed", "killed", "beaten"]), max_size=3)


@given(st.lists(HISTORIES, min_size=len(STEPS), max_size=len(STEPS)))
def test_whatever_happens_on_the_way_a_run_that_goes_on_ends_with_each_step_done_once(
    histories: list[list[str]],
) -> None:
    journal = begun()
    serials = [journal.serial]
    for name, history in zip(STEPS, histories, strict=True):
        for how in (*history, "done"):
            journal = step(journal, name, how)
            serials.append(journal.serial)
    assert serials == sorted(set(serials))
    assert journal.run is not None
    assert [one.name for one in journal.run.steps] == list(STEPS)
    tries = [1 + sum(how != "beaten" for how in history) for history in histories]
    assert [one.attempts for one in journal.run.steps] == tries
    assert all(
        journal.run.is_done(name) and one.error is None for name, one in zip(STEPS, journal.run.steps, strict=True)
    )
    ended = journals.finished(journals.switched(journal), NOW, {"rto_seconds": 5})
    assert (ended.active, ended.open_run) == (Side.DR, None)
    assert journals.from_text(journals.as_text(ended)) == ended


def test_a_step_keeps_the_time_of_its_first_begin() -> None:
    journal = step(step(begun(), "fence", "failed"), "fence", "done")
    assert journal.run is not None
    fence = journal.run.step("fence")
    assert fence is not None
    assert fence.began == "2026-11-23T14:04:04.000Z"
    assert fence.ended is not None
    assert fence.ended > fence.began


def test_a_run_that_failed_is_open_and_one_that_is_over_is_not() -> None:
    failed = journals.in_state(begun(), State.FAILED)
    assert failed.open_run is not None
    assert journals.abandoned(failed, NOW).open_run is None
    with pytest.raises(ValueError, match="has no open run"):
        journals.beaten(journals.abandoned(failed, NOW), NOW)


def test_only_a_switch_changes_the_active_end_and_only_once() -> None:
    once = journals.switched(begun())
    assert (once.active, once.since) == (Side.DR, "2026-11-23T14:04:03Z")
    assert journals.switched(once) is once
    assert journals.abandoned(begun(), NOW).active is Side.PRIMARY


def test_the_newer_copy_counts() -> None:
    older, newer = begun(), journals.beaten(begun(), NOW)
    assert journals.newest([older, None, newer], "orders") is newer
    assert journals.newest([None, None], "orders") == Journal("orders")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ((Journey.FAILBACK, Side.PRIMARY, Mode.PLANNED), "a failover to dr is not finished"),
        ((Journey.FAILOVER, Side.PRIMARY, Mode.PLANNED), "give it up with `abandon: 2026"),
        ((Journey.FAILOVER, Side.DR, Mode.PLANNED), "Go on with `mode: unplanned`"),
    ],
)
def test_a_run_goes_on_only_as_what_it_is(wish: tuple[Journey, Side, Mode], said: str) -> None:
    assert said in str(journals.why_refused(a_run(mode=Mode.UNPLANNED), *wish))


def test_a_planned_run_may_go_on_unplanned() -> None:
    assert journals.why_refused(a_run(), Journey.FAILOVER, Side.DR, Mode.UNPLANNED) is None


def test_the_second_operator_is_told_who_where_and_since_when() -> None:
    journal = journals.step_begun(begun(), "drain", {}, NOW)
    assert journal.run is not None
    said = journals.alive_message("orders", journal.run)
    for part in (
        "ops@bastion",
        "assumed-role/ops/me",
        "2026-11-23T14:04:03Z",
        "at the step 'drain'",
        "take_over: 2026",
    ):
        assert part in said
    waiting = journals.waiting(begun(), NOW).run
    assert waiting is not None
    assert "that operator's own tasks" in journals.alive_message("orders", waiting)


@pytest.mark.parametrize("session", ["botocore-session-{}", "aws-go-sdk-{}"])
def test_a_person_is_the_same_in_another_generated_session_and_process(session: str) -> None:
    role = "arn:aws:sts::111122223333:assumed-role/ops/"
    before = replace(ME, arn=role + session.format(1700000001))
    assert before.is_same_person(replace(before, arn=role + session.format(1700000002), process=4711))
    assert not before.is_same_person(replace(before, user="eve"))
    assert not before.is_same_person(replace(before, arn="arn:aws:sts::111122223333:assumed-role/admin/me"))


def test_two_of_one_role_at_a_shared_host_are_two_by_their_sessions() -> None:
    assert not ME.is_same_person(replace(ME, arn="arn:aws:sts::111122223333:assumed-role/ops/bob@example.com"))


@pytest.mark.parametrize("name", [journals.FLIP, journals.TASKS])
def test_an_end_is_active_since_the_first_client_may_have_been_sent_there(name: str) -> None:
    """Not since that was written down: routes are awaited, and the user's own tasks may take hours."""
    journal, hours = begun(), timedelta(hours=1)
    if name == journals.TASKS:
        journal = journals.step_skipped(journal, journals.FLIP, "own tasks", NOW)
    sent = journals.step_begun(journal, name, {}, NOW + hours)
    late = journals.step_ended(sent, name, {}, NOW + 2 * hours)
    assert journals.switched(late).since == journals.iso(NOW + hours)
    assert journals.switched(begun()).since == journals.iso(NOW)


def test_what_had_arrived_by_the_switch_is_known_whatever_runs_come_after() -> None:
    done = journals.finished(journals.switched(begun(), journals.iso(NOW)), NOW, {})
    again = journals.abandoned(journals.begun(done, a_run(to=Side.PRIMARY)), NOW)
    assert (again.known_until, again.active) == (journals.iso(NOW), Side.DR)
    assert journals.from_text(journals.as_text(again)) == again


def test_an_unplanned_failover_takes_the_place_of_an_open_run_to_the_end_that_is_lost() -> None:
    back = a_run(id="back", journey=Journey.FAILBACK, to=Side.PRIMARY, inputs={"known_until": journals.iso(NOW)})
    wish = (Journey.FAILOVER, Side.DR, Mode.UNPLANNED)
    assert journals.why_refused(back, *wish) is None
    assert journals.supersedes(back, *wish)
    assert not journals.supersedes(a_run(), *wish)
    assert journals.supersedes(back, Journey.FAILOVER, Side.PRIMARY, Mode.UNPLANNED)
    there = journals.begun(Journal("orders"), back)
    after = journals.superseded(there, a_run(), NOW)
    assert after.run is not None
    assert (after.run.id, after.run.inputs["supersedes"]) == (a_run().id, "back")
    assert after.run.inputs["known_until"] == journals.iso(NOW)
    kept = journals.given_up_for(back, a_run(), NOW)
    assert (kept.state, kept.result["superseded_by"]) == (State.ABANDONED, a_run().id)
    assert str(ME) == kept.result["operator"]
    assert journals.newest([replace(there, serial=there.serial + 1000), after], "orders") is after


def test_a_step_that_was_begun_is_not_forgotten_when_it_is_left() -> None:
    run = journals.step_left(journals.step_begun(begun(), "fence", {}, NOW), "fence", "`fence` is false", NOW).run
    assert run is not None
    assert run.was_begun("fence")
    assert not run.was_skipped("fence")
    step = run.step("fence")
    assert step is not None
    assert (step.state, "`fence` is false" in str(step.error)) == (State.FAILED, True)


def test_tasks_that_nobody_told_of_are_not_told_as_done() -> None:
    for told, state in ((True, "done"), (False, "not told")):
        run = journals.tasks_ended(journals.waiting(begun(), NOW), told, NOW).run
        assert run is not None
        assert [one["state"] for one in timeline(run)] == [state]


@pytest.mark.parametrize("time", ["yesterday", "", 5, "2026-11-23T14:04:03"])
@pytest.mark.parametrize("where", ["since", "known_until", "began", "beat_at", "ended", "input", "step"])
def test_a_time_that_is_none_is_no_journal(where: str, time: object) -> None:
    found = json.loads(journals.as_text(journals.step_begun(begun(), "fence", {}, NOW)))
    if where in ("since", "known_until"):
        found[where] = time
    elif where == "input":
        found["run"]["inputs"]["declared_at"] = time
    elif where == "step":
        found["run"]["steps"][0]["began"] = time
    else:
        found["run"][where] = time
    if (where, time) == ("beat_at", ""):
        assert journals.from_text(json.dumps(found)).run is not None
        return
    with pytest.raises(JournalBroken, match="no journal of this collection"):
        journals.from_text(json.dumps(found))


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"schema": 1, "pair": "orders"}', "\x00"])
def test_what_is_no_journal_says_so(text: str) -> None:
    with pytest.raises(JournalBroken, match="no journal of this collection"):
        journals.from_text(text)


def test_a_journal_of_a_newer_collection_is_refused() -> None:
    newer = json.dumps({**json.loads(journals.as_text(begun())), "schema": 2})
    with pytest.raises(JournalBroken, match="Use the newer collection"):
        journals.from_text(newer)
