# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The steps of a failover as they are foretold and told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core import journal as journals
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.failover import (
    FailoverWishes,
    Phase,
    announcement,
    outcome_of,
    steps_of,
    warnings_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journal import Journal, Mode, Run, Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.journey_words import summary, timeline
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.loss import Loss
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Direction
from ansible_collections.crossregion.s3_dr.tests.unit.plugins.module_utils._core.test_journal import NOW, a_run
from ansible_collections.crossregion.s3_dr.tests.unit.samples import two_way

WISHES = FailoverWishes(pointer_path="/s3-dr-active", topics=("arn:aws:sns:us-west-2:111122223333:ops",))
LOSS = Loss(datetime(2026, 11, 23, 14, 3, 22, tzinfo=UTC), 41, 2, "metrics", "So it is.").as_result()


def a_done_run(mode: Mode = Mode.UNPLANNED, owed: tuple[str, ...] = ("us-east-1",)) -> Run:
    journal = journals.begun(Journal("orders"), a_run(mode=mode))
    results = {
        "assess": {"loss": LOSS},
        "drain": {"skipped": "unplanned"} if mode is Mode.UNPLANNED else {"loss": {**LOSS, "seconds": 0, "objects": 0}},
        "flip": {"pointer": {"owed": dict.fromkeys(owed, "it is lost")}},
        "verify": {"verified_at": "2026-11-23T14:04:41Z"},
    }
    for number, (name, result) in enumerate(results.items()):
        begin = NOW + timedelta(seconds=number)
        journal = journals.step_begun(journal, name, {}, begin)
        journal = journals.step_ended(journal, name, result, begin + timedelta(seconds=7))
    assert journal.run is not None
    return journal.run


def test_the_figures_are_those_of_the_last_run_of_the_same_mode() -> None:
    first = {one.name: one for one in steps_of(WISHES, None)}
    assert list(first) == ["assess", "fence", "drain", "flip", "verify", "announce"]
    assert {one.why for one in first.values()} == {"estimated"}
    measured = {one.name: one for one in steps_of(replace(WISHES, mode=Mode.UNPLANNED), a_done_run())}
    assert (measured["flip"].seconds, measured["flip"].why) == (7.0, "measured")
    assert measured["drain"].skipped
    assert {one.why for one in steps_of(WISHES, a_done_run())} == {"estimated"}


def test_routes_take_what_aws_says_they_take() -> None:
    (flip,) = [one for one in steps_of(replace(WISHES, mrap="mabc.mrap"), None) if one.name == "flip"]
    assert (flip.seconds, flip.why) == (120.0, "documented")


def test_own_tasks_are_a_step_of_their_own() -> None:
    names = [one.name for one in steps_of(replace(WISHES, phase=Phase.SWITCH), None)]
    assert names[3:5] == ["flip", "tasks"]


@pytest.mark.parametrize(("mode", "seconds"), [(Mode.UNPLANNED, 41), (Mode.PLANNED, 0)])
def test_the_numbers_of_a_run(mode: Mode, seconds: int) -> None:
    outcome = outcome_of(a_done_run(mode))
    assert (outcome.rto_seconds, outcome.loss_seconds) == (38, seconds)
    declared = replace(a_done_run(mode), inputs={"declared_at": "2026-11-23T14:00:00Z"})
    assert outcome_of(declared).rto_seconds == 281


def test_the_message_says_what_who_why_how_long_and_what_next() -> None:
    subject, text = announcement(two_way(), a_done_run())
    assert subject == "s3-dr: orders failed over to us-west-2"
    assert len(subject) <= 100
    for part in (
        "served from example-orders-dr in us-west-2",
        "by ops@bastion",
        "Reason: a test",
        "RTO: 38 s. RPO: 41 s, 2 objects",
        "Complete up to 2026-11-23T14:03:22Z",
        "Owed: the pointer in us-east-1",
        "run failback.yml",
    ):
        assert part in text
    assert "Owed" not in announcement(two_way(), a_done_run(owed=()))[1]


def test_the_message_of_the_way_to_the_primary_promises_no_failback() -> None:
    subject, text = announcement(two_way(), replace(a_done_run(owed=("us-west-2",)), to=Side.PRIMARY))
    assert subject == "s3-dr: orders failed over to us-east-1"
    assert "Owed: the pointer in us-west-2; setup.yml" in text
    assert "When us-west-2 is healthy, run setup.yml and then verify.yml" in text
    assert "may still arrive at example-orders, over what is written from now on" in text
    assert "failback" not in text


def test_the_way_to_the_primary_is_not_warned_of_as_the_way_to_the_other_end() -> None:
    there = replace(WISHES, mode=Mode.UNPLANNED)
    one_way = replace(two_way(), direction=Direction.ONE_WAY)
    assert len(warnings_of(one_way, there, "")) == 2
    (both_written,) = warnings_of(one_way, replace(there, to=Side.PRIMARY), "")
    assert "failback" not in both_written


def test_a_timeline_tells_skipped_from_done() -> None:
    told = {one["step"]: (one["state"], one["seconds"]) for one in timeline(a_done_run())}
    assert told["drain"] == ("skipped", 7.0)
    assert told["flip"] == ("done", 7.0)


def test_a_pair_in_one_line() -> None:
    run = a_done_run()
    journal = journals.switched(Journal("orders", 1, run=run), NOW)
    done = journals.finished(journal, NOW, outcome_of(run).as_result())
    assert summary(done).endswith("done 2026-11-23T14:04:03Z, RTO 38 s, RPO 41 s.")
    assert summary(Journal("orders")) == "orders: primary is active; never failed over."
