# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that puts and releases legal holds, on the fake AWS: those that are meant and no others, once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_legal_hold
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, EAST, PRIMARY, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Tasks

ORDERS: dict[str, Any] = {
    "name": "orders",
    "primary": {"bucket": PRIMARY.bucket, "region": EAST},
    "dr": {"bucket": DR.bucket, "region": WEST},
}


class World(Tasks):
    """An AWS with both buckets; the DR bucket has Object Lock and some versions."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(aws, monkeypatch)
        self.dr = Bucket(WEST, object_lock={"ObjectLockEnabled": "Enabled"})
        self.dr.versions = [
            {"Key": "case/a", "VersionId": "1", "body": b"a"},
            {"Key": "case/a", "VersionId": "2", "body": b"a"},
            {"Key": "case/b", "VersionId": "3", "body": b"b"},
            {"Key": "case/gone", "VersionId": "4", "body": b"c"},
            {"Key": "case/gone", "VersionId": "5", "marker": True},
            {"Key": "other", "VersionId": "6", "body": b"d"},
        ]
        aws.buckets = {PRIMARY.bucket: Bucket(EAST), DR.bucket: self.dr}

    def hold(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with."""
        return self.run(s3_dr_legal_hold, check, **{**ORDERS, **options})

    def held(self) -> list[str]:
        """The IDs of the versions that are held."""
        return [one["VersionId"] for one in self.dr.versions if one.get("hold") == "ON"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """The same for each test."""
    return World(FakeAws(), monkeypatch)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"prefixes": ["case/"]}, ["2", "3"]),
        ({"prefixes": ["case/"], "versions": "all"}, ["1", "2", "3", "4"]),
        ({"keys": ["other"]}, ["6"]),
        ({"keys": ["case/a"], "prefixes": ["oth"]}, ["2", "6"]),
        ({"prefixes": [""]}, ["2", "3", "6"]),
    ],
)
def test_those_that_are_meant_are_held_once(world: World, options: dict[str, Any], ids: list[str]) -> None:
    predicted = world.hold(check=True, **options)
    assert (world.held(), world.aws.writes()) == ([], [])
    done = world.hold(**options)
    assert (predicted["changed_versions"], predicted["diff"]) == (done["changed_versions"], done["diff"])
    assert (world.held(), done["versions"], done["changed"]) == (ids, len(ids), True)
    again = world.hold(**options)
    assert (again["changed"], again["changed_versions"], world.aws.writes()) == (False, [], [])


def test_only_those_that_are_meant_are_released(world: World) -> None:
    world.hold(prefixes=[""], versions="all")
    released = world.hold(prefixes=["case/"], versions="all", hold=False)
    assert (world.held(), len(released["changed_versions"])) == (["6"], 4)
    assert world.hold(prefixes=["case/"], versions="all", hold=False)["changed"] is False


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Neither `keys` nor `prefixes` are given"),
        ({"prefixes": ["case/"], "most_versions": 0}, "most_versions is 0. Use 1 or more"),
        ({"prefixes": ["case/"], "end": "primary"}, "has no Object Lock, so no version of it can be held"),
        ({"prefixes": ["case/"], "most_versions": 1}, "more than 1 versions are meant"),
        ({"keys": ["case/gone"]}, "'case/gone' has no current version"),
        ({"keys": ["nothing"], "versions": "all"}, "'nothing' has no version"),
        ({"keys": ["x"], "dr": {**ORDERS["dr"], "account_id": "444455556666"}}, "has no credentials. Name some"),
    ],
)
def test_what_is_not_meant_is_refused_before_any_change(world: World, options: dict[str, Any], said: str) -> None:
    told = world.hold(**options)
    assert told["failed"]
    assert said in told["msg"]
    assert world.aws.writes() == []


@pytest.mark.parametrize(
    ("operation", "permission"),
    [("GetObjectLegalHold", "s3:GetObjectLegalHold"), ("PutObjectLegalHold", "s3:PutObjectLegalHold")],
)
def test_a_permission_that_is_missing_is_named(world: World, operation: str, permission: str) -> None:
    def refuse(call: Call) -> None:
        if call.operation == operation:
            raise client_error("AccessDenied", "no")

    world.aws.interrupt = refuse
    told = world.hold(keys=["other"])
    assert told["failed"]
    assert f"Allow {permission}" in told["msg"]
