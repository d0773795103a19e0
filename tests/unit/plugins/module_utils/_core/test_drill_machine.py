# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Every step of a scheduled drill has a way out, and every state that is named is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from statelint.config import Config
from statelint.linter import Linter

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_machine import (
    NOT_PROVEN,
    RUN_FAILED,
    machine_definition,
)

FUNCTION = "arn:aws:lambda:us-west-2:111122223333:function:s3-dr-scheduled-drill"
TOPICS = ["arn:aws:sns:us-west-2:111122223333:one", "arn:aws:sns:us-west-2:111122223333:two"]


def definition(topics: list[str] | None = None, ops_item: bool = True) -> dict[str, Any]:
    """A machine."""
    return dict(machine_definition(FUNCTION, 300, 21600, 5, TOPICS if topics is None else topics, ops_item))


def machines(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The machine, and the one that it runs for each pair."""
    return [found, found["States"]["EachPair"]["ItemProcessor"]]


def linted(found: dict[str, Any]) -> list[str]:
    """What statelint says of it."""
    return [str(problem) for problem in Linter.validate(json.dumps(found), Config())]


def targets(state: dict[str, Any]) -> Iterator[str]:
    """Where a state may lead."""
    for one in (state, *state.get("Catch", ()), *state.get("Choices", ())):
        if "Next" in one:
            yield one["Next"]
    if "Default" in state:
        yield state["Default"]


@pytest.mark.parametrize("topics", [[], TOPICS])
@pytest.mark.parametrize("ops_item", [True, False])
def test_a_linter_of_the_language_finds_nothing(topics: list[str], ops_item: bool) -> None:
    assert linted(definition(topics, ops_item)) == []


def test_the_linter_finds_a_state_that_leads_nowhere() -> None:
    broken = definition()
    machines(broken)[1]["States"]["Restore"]["Next"] = "Nowhere"
    assert 'No state found named "Nowhere"' in linted(broken)[0]


@pytest.mark.parametrize("topics", [[], TOPICS])
@pytest.mark.parametrize("ops_item", [True, False])
def test_every_state_is_reached_and_every_target_is_there(topics: list[str], ops_item: bool) -> None:
    for machine in machines(definition(topics, ops_item)):
        states = machine["States"]
        named = {target for state in states.values() for target in targets(state)} | {machine["StartAt"]}
        assert named == set(states)


def test_every_state_goes_on_or_ends() -> None:
    for machine in machines(definition()):
        for name, state in machine["States"].items():
            ends = state["Type"] in ("Succeed", "Fail") or state.get("End") is True
            assert ends != bool(list(targets(state))), name


def test_every_task_has_a_time_limit_and_is_tried_again_and_caught() -> None:
    tasks = [one for machine in machines(definition()) for one in machine["States"].values() if one["Type"] == "Task"]
    assert len(tasks) == 2 + 3 + 10
    for task in tasks:
        assert task["TimeoutSeconds"] > 0
        passing = [retry for retry in task["Retry"] if retry["ErrorEquals"] != ["InvalidInput"]]
        assert passing
        assert all(retry["MaxAttempts"] > 0 and retry["JitterStrategy"] == "FULL" for retry in passing)
        assert [catch["ErrorEquals"] for catch in task["Catch"]] == [["States.ALL"]]
    assert definition()["TimeoutSeconds"] == 21600


def test_a_step_is_waited_for_longer_than_the_function_may_take() -> None:
    assert definition()["States"]["Load"]["TimeoutSeconds"] > 300


def test_what_fails_for_one_pair_makes_it_unknown_and_lets_the_others_go_on() -> None:
    states = machines(definition())[1]["States"]
    judging = ("Preflight", "WriteCanaries", "LookForCanaries", "Compare", "Restore", "Evaluate", "WriteEvidence")
    assert {states[name]["Catch"][0]["Next"] for name in judging} == {"Failed"}
    assert states["Failed"]["Catch"][0]["Next"] == "Lost"
    assert states["Lost"]["Parameters"]["verdict"] == "unknown"
    assert states["Notify"]["Catch"][0]["Next"] == "Judged"


def test_what_would_fail_again_is_not_tried_again() -> None:
    for machine in machines(definition()):
        for state in machine["States"].values():
            if state.get("Resource") == "arn:aws:states:::lambda:invoke":
                assert state["Retry"][0] == {"ErrorEquals": ["InvalidInput"], "MaxAttempts": 0}


def test_a_slice_that_times_out_is_tried_more_often_than_other_steps() -> None:
    states = machines(definition())[1]["States"]

    def tried(name: str) -> int:
        return next(one["MaxAttempts"] for one in states[name]["Retry"] if "States.Timeout" in one["ErrorEquals"])

    assert tried("Compare") == 4 > tried("Evaluate")


def test_no_step_carries_more_on_than_a_few_words() -> None:
    for state in machines(definition())[1]["States"].values():
        if state["Type"] == "Task":
            assert state["ResultPath"] is None or set(state["ResultSelector"]) <= {"done.$", "verdict.$"}


def test_a_run_that_judges_nothing_tells_each_topic_and_opens_an_item_without_the_function() -> None:
    states = definition()["States"]
    assert states["Load"]["Catch"][0]["Next"] == "TellTopic1"
    assert [states[name]["Next"] for name in ("TellTopic1", "TellTopic2", "OpenOpsItem")] == [
        "TellTopic2",
        "OpenOpsItem",
        RUN_FAILED,
    ]
    assert [states[f"TellTopic{number}"]["Parameters"]["TopicArn"] for number in (1, 2)] == TOPICS
    assert all(FUNCTION not in str(states[name]) for name in ("TellTopic1", "TellTopic2", "OpenOpsItem"))


def test_without_anybody_to_tell_it_still_fails() -> None:
    states = definition([], ops_item=False)["States"]
    assert states["Finish"]["Catch"][0]["Next"] == RUN_FAILED
    assert states["NotAllProven"]["Error"] == NOT_PROVEN
