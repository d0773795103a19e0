# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that makes the trail, on the fake AWS: beside other trails, and cut short at a change."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import clients as glue_clients
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_trail
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Bucket, Call, FakeAws, Key, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.cloudtrail import CloudTrailTrail
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Ended, Task

LOGS, OTHER_LOGS = "example-logs", "example-other-logs"
KEYS = [f"arn:aws:kms:{EAST}:111122223333:key/{number}" for number in "12"]
THEIR_POLICY = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow"}]}
DEFAULT = {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}
WRITES_ONLY = {
    "Name": "Management events selector",
    "FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Management"]},
        {"Field": "readOnly", "Equals": ["false"]},
    ],
}
FUNCTIONS = {
    "Name": "their functions",
    "FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::Lambda::Function"]},
    ],
}


class World:
    """An AWS, and tasks on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = FakeAws()
        self.monkeypatch = monkeypatch
        time = Time()
        monkeypatch.setattr(glue_clients, "Session", lambda **_of: SimpleNamespace(client=self._client))
        monkeypatch.setattr(glue_clients, "get_aws_connection_info", lambda module: (None, None, {}))  # it takes long
        monkeypatch.setattr(s3_dr_trail, "Gateway", partial(Gateway, sleep=time.sleep, clock=time.clock))

    def _client(self, service: str, region_name: str, **_options: Any) -> Any:
        return self.aws.client_for(service, region_name)

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with."""
        pairs = [{"name": "orders", "buckets": ["example-orders", "example-orders-dr"]}]
        given = {"home_region": EAST, "pairs": pairs, **options}
        self.monkeypatch.setattr(
            s3_dr_trail, "AnsibleAWSModule", lambda argument_spec, **_more: Task(argument_spec, given, check)
        )
        with pytest.raises(Ended) as ended:
            s3_dr_trail.main()
        return ended.value.result

    def make(self, **options: Any) -> dict[str, Any]:
        """What the task ends with that makes our trail."""
        return self.run(**{"log_bucket": LOGS, **options})

    def adopt(self, **options: Any) -> dict[str, Any]:
        """What the task ends with that adopts the trail `theirs`."""
        return self.run(name="theirs", adopt=True, **options)

    def selectors(self, name: str = "theirs") -> list[str]:
        """The names of the advanced selectors of a trail."""
        found = self.aws.trails[name, EAST].selectors.get("AdvancedEventSelectors", [])
        return [selector["Name"] for selector in found]

    def sids(self, bucket: str = LOGS) -> set[str]:
        """What stands in a bucket's policy."""
        policy = json.loads(self.aws.buckets[bucket].policy or '{"Statement": []}')
        return {statement["Sid"] for statement in policy["Statement"]}

    def refuse(self, operation: str, target: str) -> None:
        """Let AWS refuse an operation on a key or bucket from now on."""

        def interrupt(call: Call) -> None:
            if call.operation == operation and target in call.params.values():
                raise client_error("AccessDenied", "Not allowed")

        self.aws.interrupt = interrupt


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS that holds two keys."""
    made = World(monkeypatch)
    made.aws.keys = {key: Key(json.dumps(THEIR_POLICY)) for key in KEYS}
    return made


def theirs(selectors: dict[str, Any] | None = None, **settings: Any) -> CloudTrailTrail:
    """A trail of somebody else that is logging."""
    complete = dict.fromkeys(("IsMultiRegionTrail", "LogFileValidationEnabled", "IncludeGlobalServiceEvents"), True)
    return CloudTrailTrail({"S3BucketName": "their-logs", **complete, **settings}, {}, True, selectors or DEFAULT)


# --- two trails in one log bucket ----------------------------------------------------------------------------


def test_two_trails_share_a_log_bucket_and_neither_takes_the_others_statements(world: World) -> None:
    one, two = {"name": "one", "key_prefix": "one"}, {"name": "two", "key_prefix": "two"}
    world.make(**one)
    alone = world.sids()
    world.make(**two)
    both = world.sids()
    assert len(both) == 5
    assert alone < both
    assert world.make(**one, check=True)["changed"] is False
    world.make(**two, state="absent")
    assert world.sids() == alone
    world.make(**one, state="absent")
    assert world.sids() == set()


def test_log_files_of_another_trail_never_expire_by_our_rule(world: World) -> None:
    world.aws.buckets[LOGS] = Bucket(EAST)
    world.aws.trails["corp", EAST] = theirs(S3BucketName=LOGS)
    refused = world.make(log_retention_days=1)
    assert "the trail corp keeps its log files in example-logs below AWSLogs/111122223333/, too" in refused["msg"]
    assert "`key_prefix`" in refused["msg"]
    assert world.aws.writes() == []
    assert world.make(log_retention_days=1, key_prefix="s3-dr")["changed"]
    assert world.make(log_retention_days=1, key_prefix="s3-dr")["changed"] is False


# --- a trail that is adopted ---------------------------------------------------------------------------------


def test_an_adopted_trail_that_selects_management_events_keeps_to_its_selection(world: World) -> None:
    world.aws.trails["theirs", EAST] = theirs({"AdvancedEventSelectors": [WRITES_ONLY]})
    assert world.adopt()["changed"]
    assert world.selectors() == ["Management events selector", "s3-dr pair orders"]
    assert world.adopt()["changed"] is False
    world.adopt(state="absent")
    assert world.selectors() == ["Management events selector"]


def test_an_adopted_trail_records_management_events_also_when_its_owner_added_a_selector(world: World) -> None:
    world.aws.trails["theirs", EAST] = theirs()
    world.adopt()
    world.aws.trails["theirs", EAST].selectors["AdvancedEventSelectors"].append(FUNCTIONS)
    assert world.adopt(check=True)["changed"] is False
    left = world.adopt(state="absent")
    assert set(world.selectors()) == {"s3-dr management events", "their functions"}
    (note,) = left["notes"]
    assert "'s3-dr management events' stays" in note
    assert world.adopt(state="absent")["changed"] is False


def test_an_adopted_trail_with_cloudtrails_own_selector_gets_it_back(world: World) -> None:
    world.aws.trails["theirs", EAST] = theirs()
    world.adopt()
    assert world.selectors() == ["s3-dr management events", "s3-dr pair orders"]
    assert world.adopt(state="absent")["notes"] == []
    assert world.aws.trails["theirs", EAST].selectors == DEFAULT


def test_a_selector_that_somebody_adds_meanwhile_is_not_written_over(world: World) -> None:
    world.aws.trails["theirs", EAST] = theirs({"AdvancedEventSelectors": [WRITES_ONLY]})
    asked: list[Call] = []

    def interrupt(call: Call) -> None:
        asked.extend([call] if call.operation == "GetEventSelectors" else [])
        if len(asked) == 2 and FUNCTIONS not in world.aws.trails["theirs", EAST].selectors["AdvancedEventSelectors"]:
            world.aws.trails["theirs", EAST].selectors = {"AdvancedEventSelectors": [WRITES_ONLY, FUNCTIONS]}

    world.aws.interrupt = interrupt
    assert "somebody changed it while this task ran" in world.adopt()["msg"]
    assert world.selectors() == ["Management events selector", "their functions"]


# --- another log bucket, another key -------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["present", "absent"])
def test_our_statements_leave_the_log_bucket_that_the_trail_had(world: World, state: str) -> None:
    world.make()
    moved = world.make(log_bucket=OTHER_LOGS, state=state)
    assert ("bucket_policy", LOGS) in [(step["kind"], step["name"]) for step in moved["steps"]]
    assert world.sids(LOGS) == set()
    assert world.make(log_bucket=OTHER_LOGS, state=state)["changed"] is False


def test_a_log_bucket_that_the_trail_had_and_that_cannot_be_read_is_named(world: World) -> None:
    world.make()
    world.refuse("GetBucketPolicy", LOGS)
    moved = world.make(log_bucket=OTHER_LOGS)
    (note,) = moved["notes"]
    assert f"The policy of the bucket {LOGS} was not looked at" in note
    assert "whose Sid begins with S3DrTrail" in note


@pytest.mark.parametrize(
    ("operation", "former", "before", "after"),
    [
        ("PutKeyPolicy", KEYS[0], {"kms_key_arn": KEYS[0]}, {"kms_key_arn": KEYS[1]}),
        ("DeleteBucketPolicy", LOGS, {}, {"log_bucket": OTHER_LOGS}),
    ],
    ids=["key", "bucket"],
)
def test_what_nothing_names_any_more_is_named_when_a_change_is_cut_short(
    world: World, operation: str, former: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    world.make(**before)
    world.refuse(operation, former)
    cut = world.make(**after)
    assert cut["failed"]
    assert "No later run will find them: take the statements whose Sid begins with S3DrTrail" in cut["msg"]
    assert f"out of the policy of {former}" in cut["msg"]


def test_nothing_is_named_when_a_change_is_cut_short_before_it_begins(world: World) -> None:
    world.make(kms_key_arn=KEYS[0])
    world.refuse("PutKeyPolicy", KEYS[1])
    cut = world.make(kms_key_arn=KEYS[1])
    assert cut["failed"]
    assert "No later run" not in cut["msg"]
    world.aws.interrupt = lambda call: None
    assert world.make(kms_key_arn=KEYS[1])["changed"]
    assert json.loads(world.aws.keys[KEYS[0]].policy) == THEIR_POLICY


def test_a_trail_whose_key_is_not_spoken_of_keeps_it_and_its_statements(world: World) -> None:
    world.make(kms_key_arn=KEYS[0])
    held = world.aws.keys[KEYS[0]].policy
    assert world.make()["changed"] is False
    assert world.aws.keys[KEYS[0]].policy == held
