# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The task that makes the topics, on the fake AWS: each Region by itself, and nothing taken that others need."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import clients as glue_clients
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_alarm_topics
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, Key, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST, WEST
from ansible_collections.crossregion.s3_dr.tests.unit.tasks import Ended, Task

TOPICS = {region: f"arn:aws:sns:{region}:111122223333:s3-dr-alarms" for region in (EAST, WEST)}
TOPIC = TOPICS[EAST]
KEY, OTHER_KEY = (f"arn:aws:kms:{EAST}:111122223333:key/{number}" for number in "12")
THEIR_KEY_POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow"}]})
MAIL = [{"protocol": "email", "endpoint": "operators@example.com"}]


class World:
    """An AWS, and tasks on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = FakeAws()
        self.aws.keys = {key: Key(THEIR_KEY_POLICY) for key in (KEY, OTHER_KEY)}
        self.aws.interrupt = self._cut
        self.lost: set[str] = set()
        """The Regions that do not answer."""
        self.denied: set[tuple[str, str]] = set()
        """The operations on keys that are refused."""
        self.monkeypatch = monkeypatch
        time = Time()
        monkeypatch.setattr(glue_clients, "Session", lambda **_of: SimpleNamespace(client=self._client))
        monkeypatch.setattr(glue_clients, "get_aws_connection_info", lambda module: (None, None, {}))  # it takes long
        monkeypatch.setattr(s3_dr_alarm_topics, "Gateway", partial(Gateway, sleep=time.sleep, clock=time.clock))

    def _client(self, service: str, region_name: str, **_options: Any) -> Any:
        return self.aws.client_for(service, region_name)

    def _cut(self, call: Call) -> None:
        if call.region in self.lost:
            raise ConnectTimeoutError(endpoint_url=f"https://{call.service}.{call.region}.amazonaws.com")
        if (call.operation, str(call.params.get("KeyId"))) in self.denied:
            raise client_error("AccessDeniedException", "no", call.operation)

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """What the task ends with."""
        given = {"regions": [EAST, WEST], **options}
        self.monkeypatch.setattr(
            s3_dr_alarm_topics,
            "AnsibleAWSModule",
            lambda argument_spec, supports_check_mode: Task(argument_spec, given, check and supports_check_mode),
        )
        self.aws.calls.clear()
        with pytest.raises(Ended) as ended:
            s3_dr_alarm_topics.main()
        return ended.value.result

    def converge(self, **options: Any) -> dict[str, Any]:
        """The same, predicted before and without effect a second time."""
        predicted = self.run(check=True, **options)
        assert self.aws.writes() == []
        done = self.run(**options)
        assert (predicted["steps"], predicted["diff"]) == (done["steps"], done["diff"])
        again = self.run(**options)
        assert (again["changed"], again["steps"], self.aws.writes()) == (False, [], [])
        return done

    def sids(self, topic: str = TOPIC) -> list[str]:
        """Those of a topic's policy."""
        return [statement.get("Sid") for statement in json.loads(self.aws.topics[topic].policy)["Statement"]]

    def lets_in(self, statement: dict[str, Any], topic: str = TOPIC) -> None:
        """Somebody adds a statement to a topic's policy."""
        policy = json.loads(self.aws.topics[topic].policy)
        policy["Statement"].append({"Effect": "Allow", "Action": "SNS:Publish", "Resource": topic, **statement})
        self.aws.topics[topic].policy = json.dumps(policy)

    def has_ours(self, key: str) -> bool:
        """Whether a statement for a topic is in the key's policy."""
        return "S3DrTopic" in self.aws.keys[key].policy


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An AWS that holds two keys."""
    return World(monkeypatch)


# --- by Region -----------------------------------------------------------------------------------------------


def test_the_topics_of_both_regions_are_made_in_order(world: World) -> None:
    done = world.converge(regions=[WEST, EAST], subscriptions=MAIL)
    assert [(step["region"], step["kind"]) for step in done["steps"]] == [
        (region, kind) for region in (EAST, WEST) for kind in ("sns_topic", "sns_topic_policy", "sns_subscription")
    ]
    assert done["topic_arns"] == TOPICS
    assert [TOPICS[EAST] in note for note in done["notes"]] == [True, False]


@pytest.mark.parametrize(("lost", "left"), [(EAST, WEST), (WEST, EAST)])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_region_that_is_lost_keeps_no_other_from_its_topic(world: World, lost: str, left: str, state: str) -> None:
    """Not even where it is the first, of which the account is asked."""
    if state == "absent":
        world.run(subscriptions=MAIL)
    world.lost = {lost}
    told = world.run(subscriptions=MAIL, state=state)
    assert told["failed"]
    assert "AWS cannot be reached" in told["msg"]
    assert f"{left} is as wished; run again for {lost}." in told["msg"]
    assert "Already done before that: " in told["msg"]
    assert {step["region"] for step in told["steps"]} == {left}
    assert set(world.aws.topics) == {TOPICS[left if state == "present" else lost]}
    world.lost = set()
    assert {step["region"] for step in world.run(subscriptions=MAIL, state=state)["steps"]} == {lost}


# --- topics that somebody needs ------------------------------------------------------------------------------


@pytest.mark.parametrize("sid", ["S3DrEvents01234567", "BudgetsPublish"])
def test_a_topic_stays_as_long_as_its_policy_lets_anybody_else_publish(world: World, sid: str) -> None:
    world.run(subscriptions=MAIL, kms_key_arns={EAST: KEY})
    world.lets_in({"Sid": sid, "Principal": {"Service": "s3.amazonaws.com"}})
    done = world.converge(state="absent", kms_key_arns={EAST: KEY})
    assert set(world.aws.topics) == {TOPIC}
    assert world.sids() == [sid]
    assert world.has_ours(KEY), "else nothing arrives by it any more"
    assert done["notes"] == [
        f"The topic {TOPIC} stays, since its policy lets others publish, too: {sid}.",
        f"The policy of the key {KEY} still lets cloudwatch.amazonaws.com and s3.amazonaws.com use it for the topic.",
    ]


def test_a_statement_without_a_name_keeps_a_topic_too(world: World) -> None:
    world.run(regions=[EAST])
    world.lets_in({"Principal": {"Service": "budgets.amazonaws.com"}})
    (note,) = world.converge(regions=[EAST], state="absent")["notes"]
    assert "a statement without Sid" in note
    assert set(world.aws.topics) == {TOPIC}


def test_what_sns_gives_each_topic_keeps_none(world: World) -> None:
    world.aws.client_for("sns", EAST).create_topic(
        Name="s3-dr-alarms", Tags=[{"Key": "managed-by", "Value": "crossregion.s3_dr"}]
    )
    world.run(regions=[EAST])
    assert world.sids() == ["__default_statement_ID", "S3DrAlarmsPublish"]
    done = world.converge(regions=[EAST], state="absent")
    assert [step["kind"] for step in done["steps"]] == ["sns_topic"]
    assert (world.aws.topics, done["notes"]) == ({}, [])


def test_a_topic_of_somebody_else_keeps_its_key_usable(world: World) -> None:
    world.aws.client_for("sns", EAST).create_topic(Name="s3-dr-alarms")
    world.run(regions=[EAST], kms_key_arns={EAST: KEY})
    done = world.converge(regions=[EAST], state="absent", kms_key_arns={EAST: KEY})
    assert [step["kind"] for step in done["steps"]] == ["sns_topic_policy"]
    assert world.aws.topics[TOPIC].key == KEY
    assert world.has_ours(KEY)
    why, kept = done["notes"]
    assert why == f"The topic {TOPIC} stays, since it was not made by this collection."
    assert kept.startswith(f"The policy of the key {KEY} still lets ")


def test_a_topic_that_alarms_notify_stays_with_all_that_it_has(world: World) -> None:
    world.run(regions=[EAST], kms_key_arns={EAST: KEY})
    actions = {"AlarmActions": [TOPIC], "OKActions": [], "InsufficientDataActions": []}
    for number in range(5):
        world.aws.alarms[f"theirs-{number}", EAST] = {"AlarmName": f"theirs-{number}", **actions}
    told = world.run(regions=[EAST], state="absent")
    assert not told["changed"]
    assert told["notes"][0] == (
        f"The topic {TOPIC} stays, since alarms notify it: theirs-0, theirs-1, theirs-2 and 2 more."
    )


def test_a_topic_that_goes_takes_what_its_key_allows_it(world: World) -> None:
    world.run(regions=[EAST], kms_key_arns={EAST: KEY})
    done = world.converge(regions=[EAST], state="absent")
    assert [step["kind"] for step in done["steps"]] == ["sns_topic", "kms_key_policy"]
    assert json.loads(world.aws.keys[KEY].policy) == json.loads(THEIR_KEY_POLICY)
    assert done["notes"] == []


def test_a_run_that_is_cut_short_behind_the_topic_is_taken_up_again(world: World) -> None:
    world.run(regions=[EAST], kms_key_arns={EAST: KEY})
    world.denied = {("PutKeyPolicy", KEY)}
    assert world.run(regions=[EAST], state="absent", kms_key_arns={EAST: KEY})["failed"]
    assert world.aws.topics == {}
    world.denied = set()
    world.converge(regions=[EAST], state="absent", kms_key_arns={EAST: KEY})
    assert not world.has_ours(KEY)


def test_a_key_whose_policy_may_not_be_read_is_told_when_the_topic_goes(world: World) -> None:
    world.run(regions=[EAST], kms_key_arns={EAST: KEY})
    world.denied = {("GetKeyPolicy", KEY)}
    (note,) = world.run(regions=[EAST], state="absent")["notes"]
    assert f"may not read the policy of the key {KEY}" in note
    assert "Let its owner take out the statement S3DrTopic" in note


# --- keys ----------------------------------------------------------------------------------------------------


def test_the_former_key_of_a_topic_is_given_back(world: World) -> None:
    world.converge(regions=[EAST], kms_key_arns={EAST: KEY})
    done = world.converge(regions=[EAST], kms_key_arns={EAST: OTHER_KEY})
    assert [(step["kind"], step["name"]) for step in done["steps"]] == [
        ("kms_key_policy", OTHER_KEY),
        ("sns_topic_encryption", "s3-dr-alarms"),
        ("kms_key_policy", KEY),
    ]
    assert (world.has_ours(KEY), world.has_ours(OTHER_KEY)) == (False, True)
    assert world.aws.topics[TOPIC].key == OTHER_KEY


def test_a_key_that_is_not_named_any_more_is_kept(world: World) -> None:
    world.run(regions=[EAST], kms_key_arns={EAST: KEY})
    assert not world.run(regions=[EAST])["changed"]
    assert world.has_ours(KEY)


def test_a_former_key_whose_policy_may_not_be_read_is_told(world: World) -> None:
    world.run(regions=[EAST], kms_key_arns={EAST: KEY})
    world.denied = {("GetKeyPolicy", KEY)}
    done = world.run(regions=[EAST], kms_key_arns={EAST: OTHER_KEY})
    assert "failed" not in done
    (note,) = done["notes"]
    assert f"may not read the policy of the key {KEY}" in note
    assert "Let its owner take out the statement S3DrTopic" in note


@pytest.mark.parametrize("check", [True, False])
def test_a_key_that_does_not_exist_is_refused_in_check_mode_too(world: World, check: bool) -> None:
    missing = f"arn:aws:kms:{EAST}:111122223333:key/none"
    told = world.run(check, regions=[EAST], kms_key_arns={EAST: missing})
    assert told["failed"]
    assert f"topic 's3-dr-alarms': there is no key {missing} in {EAST}. Correct `kms_key_arns`." in told["msg"]
    assert world.aws.writes() == []


# --- subscriptions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", [None, "eu-west-1"])
def test_a_password_in_a_url_is_refused_before_any_call_and_not_repeated(world: World, region: str | None) -> None:
    one = {"protocol": "https", "endpoint": "https://user:hunter2@example.com/x", "region": region}
    told = world.run(subscriptions=[one])
    assert told["failed"]
    assert world.aws.calls == []
    assert "hunter2" not in json.dumps(told)
    assert "subscription by https to example.com" in told["msg"]


# --- somebody else at the same time --------------------------------------------------------------------------


def test_a_statement_that_is_added_meanwhile_is_not_undone(world: World) -> None:
    """As when the events of many pairs are sent to the same topic."""
    world.run(regions=[EAST])
    world.aws.topics[TOPIC].policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    world.lets_in({"Sid": "Theirs"})

    def meanwhile(call: Call) -> None:
        if call.operation == "PutKeyPolicy":  # all is read, and nothing of the topic is written yet
            world.lets_in({"Sid": "Late"})

    world.aws.interrupt = meanwhile
    told = world.run(regions=[EAST], kms_key_arns={EAST: KEY})
    assert "somebody changed it while this task ran" in told["msg"]
    assert world.sids() == ["Theirs", "Late"]
    assert world.run(regions=[EAST])["changed"]
    assert world.sids() == ["Theirs", "Late", "S3DrAlarmsPublish"]


def test_a_statement_in_a_topic_that_two_make_at_the_same_time_is_not_undone(world: World) -> None:
    def meanwhile(call: Call) -> None:
        if call.operation == "CreateTopic":
            world.aws.interrupt = lambda call: None
            world.aws.client_for("sns", EAST).create_topic(Name="s3-dr-alarms")
            world.lets_in({"Sid": "Theirs"})

    world.aws.interrupt = meanwhile
    assert "somebody changed it while this task ran" in world.run(regions=[EAST])["msg"]
    assert world.sids() == ["__default_statement_ID", "Theirs"]
