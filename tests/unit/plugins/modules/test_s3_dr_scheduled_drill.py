# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that deploys a scheduled drill, on the fake AWS: what it predicts it does, and it leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import scheduled_drill_task
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.function_archive import Archive
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_scheduled_drill
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import KEYS, PRIMARY, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

EVIDENCE, RECOVERY = "example-evidence", "example-recovery"
NAME = "s3-dr-scheduled-drill"


def pair(name: str = "orders", **dr: Any) -> dict[str, Any]:
    """A pair as a task declares it."""
    primary = {"bucket": f"example-{name}", "region": PRIMARY.region}
    return {"name": name, "primary": primary, "dr": {"bucket": f"example-{name}-dr", "region": WEST, **dr}}


class World(Tasks):
    """An AWS with a recovery bucket, and the task."""

    def drill(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with."""
        given = {"region": WEST, "pairs": [pair()], "evidence_bucket": EVIDENCE, "recovery_bucket": RECOVERY}
        return self.run(s3_dr_scheduled_drill, check, **{**given, **options})

    def alarms(self) -> list[str]:
        """The names of the alarms that are there."""
        return sorted(name for name, _region in self.aws.alarms)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS that holds the recovery bucket alone."""
    aws = FakeAws()
    aws.buckets[RECOVERY] = Bucket(WEST)
    monkeypatch.setattr(scheduled_drill_task, "archive_of", lambda settings: Archive(*ARCHIVE))
    return World(aws, monkeypatch)


ARCHIVE = (b"archive", "b2YgYXJjaGl2ZQ==")


def test_check_mode_predicts_the_very_steps_and_the_second_run_changes_nothing(world: World) -> None:
    predicted = world.drill(check=True)
    assert world.aws.writes() == []
    done = world.drill()
    assert (predicted["steps"], predicted["diff"]) == (done["steps"], done["diff"])
    assert world.alarms() == [f"{NAME}/orders/no-proof"]
    again = world.drill()
    assert (again["changed"], again["steps"], world.aws.writes()) == (False, [], [])


def test_the_alarm_of_a_pair_that_left_the_list_goes_with_it(world: World) -> None:
    world.drill(pairs=[pair("orders"), pair("photos")])
    assert world.alarms() == [f"{NAME}/orders/no-proof", f"{NAME}/photos/no-proof"]
    world.drill(pairs=[pair("photos")])
    assert world.alarms() == [f"{NAME}/photos/no-proof"]


def test_the_alarms_of_another_drill_stay(world: World) -> None:
    world.drill(name="other")
    world.drill()
    world.drill(state="absent")
    assert world.alarms() == ["other/orders/no-proof"]


def test_everything_goes_but_the_evidence(world: World) -> None:
    world.drill(reserved_concurrency=3)
    gone = world.drill(state="absent")
    assert "stays" in gone["notes"][0]
    left = (world.aws.functions, world.aws.machines, world.aws.schedules, world.aws.managed, world.aws.roles)
    assert left == ({}, {}, {}, {}, {})
    assert (world.alarms(), world.aws.log_groups, world.aws.queues) == ([], {}, {})
    assert set(world.aws.buckets) == {EVIDENCE, RECOVERY}
    assert world.drill(state="absent")["changed"] is False


def test_a_key_of_the_recovery_bucket_may_be_used(world: World) -> None:
    key = KEYS["example-orders-dr"]
    world.aws.buckets[RECOVERY].encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    world.drill()
    policy = world.aws.roles[f"{NAME}-{WEST}-function"].policies[NAME]
    assert key in policy
    assert "kms:GenerateDataKey" in policy


def test_a_key_by_its_alias_is_refused(world: World) -> None:
    world.aws.buckets[RECOVERY].encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/mine"}
    told = world.drill()
    assert told["failed"]
    assert f"bucket '{RECOVERY}': its default encryption names its key as alias/mine" in told["msg"]
    assert world.aws.writes() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pairs": [pair(profile="mine")]}, "a function has no profiles"),
        ({"pairs": [pair(), pair()]}, "two of them have the same name"),
        ({"pairs": [{"name": "orders"}]}, "pair 'orders': missing required arguments"),
        ({"pairs": []}, "it has 0 pairs"),
        ({"name": "not a name"}, "use 1 to 30 letters"),
        ({"evidence_lock": {"mode": "compliance", "days": 30}, "evidence_days": 7}, "could not remove them"),
        ({"inventory": {"buckets": []}}, "inventory.buckets is empty"),
        ({"delete_evidence": True}, "goes only with `state: absent`"),
        ({"state": "absent", "delete_evidence": True}, "cannot be undone"),
    ],
)
def test_what_cannot_be_right_is_refused_and_nothing_is_changed(
    world: World, options: dict[str, Any], said: str
) -> None:
    told = world.drill(**options)
    assert told["failed"]
    assert said in told["msg"]
    assert world.aws.writes() == []
