# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Tags and limits work in every playbook: each subject can be asked for alone, and the pairs are always known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
ROLES = {path.name for path in (ROOT / "roles").iterdir()}
INCLUDES = ("ansible.builtin.include_role", "include_role")
PREFIX = "crossregion.s3_dr."

Task = dict[str, Any]


def plays(playbook: str) -> list[Task]:
    """The plays of a playbook."""
    found: list[Task] = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())
    return found


def with_tags(tasks: list[Task], above: frozenset[str] = frozenset()) -> Iterator[tuple[Task, frozenset[str]]]:
    """Each task that is no block, with the tags that it inherits from the blocks around it."""
    for task in tasks:
        inner = [one for part in ("block", "rescue", "always") for one in task.get(part, [])]
        if inner:
            yield from with_tags(inner, above | set(task.get("tags", [])))
        else:
            yield task, above


def tasks_of(play: Task) -> list[Task]:
    """All tasks of a play."""
    return [task for part in ("pre_tasks", "tasks", "post_tasks") for task in play.get(part, [])]


def included(task: Task) -> Task | None:
    """What a task that includes a role gives; None: it does not."""
    return next((task[name] for name in INCLUDES if name in task), None)


def check_include(task: Task, above: frozenset[str]) -> None:
    """An include is found by the role's name, and so is what it includes: its own tags do not reach that."""
    role, own = included(task) or {}, set(task.get("tags", []))
    name = role["name"].removeprefix(PREFIX)
    inside = above | set(role.get("apply", {}).get("tags", []))
    assert {name, "always"} & (own | above), f"{task['name']}: no tag {name}"
    assert own | above <= inside, f"{task['name']}: {own | above} does not reach what is included, which has {inside}"


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_pairs_are_known_whichever_tags_are_asked_for(playbook: str) -> None:
    first, *others = plays(playbook)
    assert [role["role"] for role in first["roles"]] == ["crossregion.s3_dr.pair_hosts"]
    assert first["tags"] == ["always"]
    assert others


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_each_role_of_a_play_has_its_name_as_a_tag(playbook: str) -> None:
    for play in plays(playbook)[1:]:
        for role in play.get("roles", []):
            name = role["role"].removeprefix(PREFIX)
            assert name in ROLES
            assert name in role.get("tags", []), f"{play['name']}: {name}"


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_each_task_of_a_play_has_tags_that_reach_what_it_includes(playbook: str) -> None:
    for play in plays(playbook)[1:]:
        around = frozenset(play.get("tags", []))
        for task, above in with_tags(tasks_of(play), around):
            if included(task):
                check_include(task, above)
            elif around:
                assert around == {"always"}


def test_the_parts_of_a_teardown_have_the_names_of_the_roles_that_they_undo() -> None:
    tasks = yaml.safe_load((ROOT / "roles" / "teardown" / "tasks" / "main.yml").read_text())
    parts = [task for task in tasks if included(task)]
    for task in parts:
        check_include(task, frozenset())
    undone = {(included(task) or {})["name"].removeprefix(PREFIX) for task in parts}
    assert undone >= {
        "alarm_drill",
        "alarms",
        "backfill",
        "dashboard",
        "drill",
        "events",
        "pointer",
        "replication_pair",
        "trail",
    }


def test_what_keeps_a_teardown_from_harm_has_no_way_round() -> None:
    tasks = yaml.safe_load((ROOT / "roles" / "teardown" / "tasks" / "main.yml").read_text())
    checks = [task for task in tasks if "ansible.builtin.assert" in task and task["tags"] == ["always"]]
    assert len(checks) == 6
    assert tasks[:6] == checks


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_later_plays_need_nothing_of_localhost(playbook: str) -> None:
    """`--limit orders` leaves localhost out."""
    for play in plays(playbook)[1:]:
        assert play["hosts"].startswith("s3_dr_"), play["name"]
        assert "hostvars['localhost']" not in yaml.safe_dump(play)


def test_this_test_finds_an_include_that_its_tags_do_not_reach() -> None:
    task = {"name": "x", "ansible.builtin.include_role": {"name": f"{PREFIX}alarms"}, "tags": ["alarms"]}
    with pytest.raises(AssertionError, match="does not reach"):
        check_include(task, frozenset())
    check_include(task, frozenset({"alarms"}))
    with pytest.raises(AssertionError, match="no tag alarms"):
        check_include({**task, "tags": []}, frozenset())


def test_a_part_of_set_up_that_must_be_named_has_no_default_name() -> None:
    """The condition of a role is asked inside of it, where its defaults count."""
    plays = yaml.safe_load((ROOT / "playbooks" / "setup.yml").read_text())
    named = {
        one["role"].rpartition(".")[2]: one["when"].removesuffix(" is defined")
        for play in plays
        for one in play["roles"]
        if "when" in one
    }
    assert named["scheduled_drill"] == "scheduled_drill_name"
    for role, variable in named.items():
        defaults = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text()) or {}
        assert variable not in defaults, role
