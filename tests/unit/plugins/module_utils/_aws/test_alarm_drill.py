# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A drill proves what works, names what does not, and leaves nothing behind, wherever it is interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.alarm_drill import AlarmDrill
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_drill import Told
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import Topics, topics_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    AlarmSettings,
    alarms_wish,
    composite_name,
    suppressor_name,
    topic_arn,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_names import (
    drill_key,
    drill_token,
    is_twin,
    queue_name,
    twin_prefix,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Accounts,
    Observation,
    Pair,
    Refused,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import pair_addresses, pair_wish
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Call, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.drill import DrillAws, SlowQueues
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    ARCHIVE,
    DR,
    EAST,
    OTHER,
    PRIMARY,
    WEST,
    a_pair,
    two_way,
)

RULE = Rule("s3-dr-orders", prefix="orders/")
PAIR = two_way(rules=(RULE,))
SIMPLE = a_pair(rules=(RULE,))
KEY = drill_key("orders", RULE)
START = "s3-dr/orders/example-orders/s3-dr-orders"
TOPIC_NAME = "s3-dr-alarms"
EAST_TOPIC, WEST_TOPIC = (topic_arn(TOPIC_NAME, region, ACCOUNT) for region in (EAST, WEST))
FOREIGN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["x"]}],
    }
)


class Killed(BaseException):
    """What ends a process at once."""


SETTINGS = AlarmSettings(TOPIC_NAME)


def world(pair: Pair = PAIR, settings: AlarmSettings = SETTINGS) -> DrillAws:
    """An AWS in which a pair replicates and somebody is told by each topic; one bucket has a policy of others."""
    aws, gateway_time = DrillAws(), Time()
    gateway = Gateway(aws.client_for, gateway_time.sleep, gateway_time.clock)
    observed = gateway.observe(pair_addresses(pair, ACCOUNTS))
    gateway.carry_out(plan(pair_wish(pair, ACCOUNTS, observed), observed))
    regions = tuple({end.region: None for end in pair.ends()})
    alarms = {**topics_wish(Topics(settings.topic_name, regions), ACCOUNT), **alarms_wish(pair, settings, ACCOUNT)}
    gateway.carry_out(plan(alarms, gateway.observe(alarms)))
    for arn, topic in aws.topics.items():
        topic.subscriptions.append({"Protocol": "email", "Endpoint": "a@example.com", "SubscriptionArn": f"{arn}:a"})
    aws.buckets[DR.bucket].policy = FOREIGN
    for end in pair.ends():
        client = aws.client_for("s3", end.region)
        client.put_object(Bucket=end.bucket, Key="orders/theirs", Body=b"1", ExpectedBucketOwner=OWNER)
    aws.calm()
    aws.calls.clear()
    return aws


def a_drill(aws: DrillAws, pair: Pair = PAIR, accounts: Accounts = ACCOUNTS, deadline: float = 100.0) -> AlarmDrill:
    """A drill by a clock that only sleeping moves."""
    time = Time()
    gateway = Gateway(aws.client_for, time.sleep, time.clock)
    return AlarmDrill(gateway, aws.client_for, pair, accounts, deadline, time.sleep, time.clock)


def drilled(aws: DrillAws, pair: Pair = PAIR, **more: Any) -> dict[str, Any]:
    """The result of a drill."""
    drill = a_drill(aws, pair, **more)
    drill.run()
    return drill.result()


def held(aws: DrillAws) -> dict[str, Any]:
    """All that a drill may touch, as it is: policies byte for byte."""
    return {
        "policies": {name: bucket.policy for name, bucket in aws.buckets.items()},
        "versions": {
            name: [(one["Key"], one["VersionId"]) for one in bucket.versions] for name, bucket in aws.buckets.items()
        },
        "queues": sorted(aws.queues),
        "subscriptions": {arn: list(topic.subscriptions) for arn, topic in aws.topics.items()},
        "alarms": sorted(aws.alarms),
        "composites": sorted(aws.composite_alarms),
    }


@pytest.fixture
def aws() -> DrillAws:
    """The pair in both directions, with its alarms."""
    return world()


def seen(result: dict[str, Any]) -> dict[str, str]:
    """The status of each alarm, by the last parts of its name."""
    return {"/".join(one["alarm"].split("/")[2::2]): one["status"] for one in result["alarms"]}


# --- what works ----------------------------------------------------------------------------------------------


def test_a_healthy_pair_is_proven_and_restored(aws: DrillAws) -> None:
    before = held(aws)
    result = drilled(aws)
    assert (result["verdict"], result["problems"], result["restored"], result["cleared"]) == ("proven", [], True, [])
    assert held(aws) == before
    assert {one["status"] for one in result["alarms"]} == {"proven"}
    assert len(result["alarms"]) == 10
    failures = [one for one in result["alarms"] if one["proven_by"] == "failure"]
    assert [(one["alarm"].rsplit("/", 1)[1], one["region"]) for one in failures] == [("failed", EAST), ("failed", WEST)]
    assert all(one["seconds"]["to_failed"] is not None for one in failures)
    assert all(one["seconds"]["to_message"] is not None for one in result["alarms"])
    assert [one["status"] for one in result["canaries"]] == ["replicated", "replicated"]
    assert {one["status"] for one in result["checks"]} == {"passed"}
    assert "not provoked" in result["notes"][0]


def test_only_the_canarys_key_is_denied_and_nothing_else_is_written(aws: DrillAws) -> None:
    drilled(aws)
    policies = [json.loads(call.params["Policy"]) for call in aws.calls if call.operation == "PutBucketPolicy"]
    denials = [one for policy in policies for one in policy["Statement"] if "AlarmDrill" in one["Sid"]]
    assert sorted(one["Resource"][0] for one in denials) == [
        f"arn:aws:s3:::{DR.bucket}/{KEY}",
        f"arn:aws:s3:::{PRIMARY.bucket}/{KEY}",
    ]
    assert {one["Principal"]["AWS"].rsplit("/", 1)[1][:5] for one in denials} == {"s3-dr"}
    written = {call.params["Key"] for call in aws.calls if call.operation in ("PutObject", "DeleteObject")}
    assert written == {KEY}
    assert all("VersionId" in call.params for call in aws.calls if call.operation == "DeleteObject")


def test_the_denial_is_gone_before_the_messages_are_waited_for_to_the_end(aws: DrillAws) -> None:
    aws.deaf.add(WEST_TOPIC)
    drilled(aws)
    gone = max(i for i, call in enumerate(aws.calls) if call.operation in ("DeleteBucketPolicy", "PutBucketPolicy"))
    assert sum(call.operation == "ReceiveMessage" for call in aws.calls[gone:]) > 10


def test_a_second_drill_waits_until_the_alarms_are_calm(aws: DrillAws) -> None:
    drilled(aws)
    drill = a_drill(aws)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            aws.calm()

    drill._sleep = nap
    drill.run()
    assert drill.result()["verdict"] == "proven"
    assert naps[:3] == [5.0, 5.0, 5.0]


def test_an_alarm_that_stays_in_alarm_is_unknown_and_the_others_are_proven(aws: DrillAws) -> None:
    aws.alarms[f"{START}/failed", EAST]["StateValue"] = "ALARM"
    result = drilled(aws)
    assert result["verdict"] == "unknown"
    assert [one["alarm"] for one in result["alarms"] if one["status"] != "proven"] == [f"{START}/failed"]
    assert "is in ALARM already" in result["problems"][0]


def test_a_denial_that_is_seen_later_only_costs_time(aws: DrillAws) -> None:
    before = held(aws)
    aws.ignores_denials = 3
    assert drilled(aws)["verdict"] == "proven"
    assert held(aws) == before


def test_with_a_composite_alarm_its_message_counts() -> None:
    aws = world(settings=AlarmSettings(TOPIC_NAME, composite=True))
    before = held(aws)
    result = drilled(aws)
    assert result["verdict"] == "proven", result["problems"]
    senders = {one["sender"] for one in result["alarms"] if one["proven_by"] == "failure"}
    assert senders == {composite_name("orders")}
    assert held(aws) == before


def test_two_rules_of_one_composite_alarm_are_proven_by_one_message() -> None:
    pair = a_pair(rules=(RULE, Rule("second", 2, prefix="second/")))
    aws = world(pair, AlarmSettings(TOPIC_NAME, composite=True))
    result = drilled(aws, pair)
    assert result["verdict"] == "proven", result["problems"]


def test_only_the_message_of_the_alarm_in_alarm_counts(aws: DrillAws) -> None:
    drill = a_drill(aws)
    drill.look()
    proof = next(one for one in drill.proofs if one.looked_at == f"{START}/failed")
    proof.alarmed(1.0)
    for told in (
        Told(EAST_TOPIC, proof.sender, "OK", None),
        Told(WEST_TOPIC, proof.sender, "ALARM", None),
        Told(EAST_TOPIC, f"{START}/latency", "ALARM", None),
    ):
        proof.hears(told, 2.0)
    assert (proof.done, proof.to_message) == (False, None)
    proof.hears(Told(EAST_TOPIC, proof.sender, "ALARM", None), 3.0)
    assert (proof.status, proof.to_message) == ("proven", 3.0)


def test_every_topic_of_an_alarm_must_deliver(aws: DrillAws) -> None:
    second = topic_arn("second", EAST, ACCOUNT)
    aws.client_for("sns", EAST).create_topic(Name="second")
    aws.topics[second].policy = aws.topics[EAST_TOPIC].policy.replace(TOPIC_NAME, "second")
    aws.topics[second].subscriptions = list(aws.topics[EAST_TOPIC].subscriptions)
    aws.alarms[f"{START}/failed", EAST]["AlarmActions"].append(second)
    aws.deaf.add(second)
    result = drilled(aws)
    (bad,) = [one for one in result["alarms"] if one["status"] != "proven"]
    assert (bad["alarm"], bad["status"]) == (f"{START}/failed", "failed")
    assert f"no message came by {second}." in bad["problem"]


def test_a_users_own_role_is_denied() -> None:
    role = f"arn:aws:iam::{OWNER}:role/mine"
    pair = a_pair(primary=replace(PRIMARY, replication_role_arn=role), rules=(RULE,))
    aws = DrillAws()
    aws.client_for("iam", "global").create_role(RoleName="mine", AssumeRolePolicyDocument="{}", Tags=[])
    made = world(pair_without_role := a_pair(rules=(RULE,)))
    made.roles |= aws.roles
    assert pair_without_role.name == pair.name
    assert drilled(made, pair)["verdict"] == "proven"
    policies = [call.params["Policy"] for call in made.calls if call.operation == "PutBucketPolicy"]
    assert role in policies[0]


def test_a_prefix_with_wildcards_is_denied(aws: DrillAws) -> None:
    pair = a_pair(rules=(Rule("odd", prefix="a$b*c?/"),))
    assert drilled(world(pair), pair)["verdict"] == "proven"


def test_rules_that_fan_out_below_one_prefix_share_a_key() -> None:
    pair = a_pair(rules=(RULE, Rule("far", 2, prefix="orders/", destination=ARCHIVE)))
    aws = world(pair)
    before = held(aws)
    result = drilled(aws, pair)
    assert (result["verdict"], result["problems"]) == ("proven", [])
    assert held(aws) == before


# --- what does not work --------------------------------------------------------------------------------------


def unchanged_after(aws: DrillAws, result: dict[str, Any]) -> None:
    """Nothing was provoked."""
    assert [call.operation for call in aws.writes() if call.operation != "ListObjectVersions"] == []
    assert "Nothing was provoked" in result["notes"][0]


def no_action(aws: DrillAws) -> None:
    aws.alarms[f"{START}/failed", EAST]["AlarmActions"] = []


def disabled(aws: DrillAws) -> None:
    aws.alarms[f"{START}/failed", EAST]["ActionsEnabled"] = False


def unconfirmed(aws: DrillAws) -> None:
    aws.topics[EAST_TOPIC].subscriptions = [{"Protocol": "email", "Endpoint": "a@example.com"}]


def gone(aws: DrillAws) -> None:
    del aws.alarms[f"{START}/failed", EAST]


def other_dimensions(aws: DrillAws) -> None:
    aws.alarms[f"{START}/failed", EAST]["Dimensions"].pop()


def other_region(aws: DrillAws) -> None:
    aws.alarms[f"{START}/failed", WEST] = aws.alarms.pop((f"{START}/failed", EAST))


def closed_topic(aws: DrillAws) -> None:
    aws.topics[EAST_TOPIC].policy = '{"Statement": []}'


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_action, "has no alarm action. Notify a topic in us-east-1."),
        (disabled, "Enable them."),
        (unconfirmed, "has no confirmed subscription (1 not confirmed). Subscribe somebody, and confirm it."),
        (gone, "so nobody is told when objects fail to replicate"),
        (other_dimensions, "Give it {"),
        (other_region, "stands in us-west-2"),
        (closed_topic, "does not let CloudWatch publish"),
    ],
)
def test_what_can_be_seen_to_be_wrong_ends_the_drill_before_it_begins(
    aws: DrillAws, spoil: Callable[[DrillAws], None], says: str
) -> None:
    spoil(aws)
    result = drilled(aws)
    assert result["verdict"] == "failed"
    assert says in result["problems"][0]
    assert result["restored"]
    unchanged_after(aws, result)


def test_the_subscription_of_a_drill_counts_for_nobody(aws: DrillAws) -> None:
    queue = f"arn:aws:sqs:{EAST}:{OWNER}:{queue_name('other')}"
    aws.topics[EAST_TOPIC].subscriptions = [
        {"Protocol": "sqs", "Endpoint": queue, "SubscriptionArn": f"{EAST_TOPIC}:1"}
    ]
    assert "no confirmed subscription (none at all)" in drilled(aws)["problems"][0]


def test_a_metric_without_data_is_a_failure_with_its_remedy(aws: DrillAws) -> None:
    before = held(aws)
    aws.silent.add("ReplicationLatency")
    result = drilled(aws)
    assert result["verdict"] == "failed"
    assert {key for key, status in seen(result).items() if status != "proven"} == {
        "example-orders/latency",
        "example-orders-dr/latency",
    }
    assert "AWS published no data point of ReplicationLatency" in result["problems"][0]
    assert held(aws) == before


def test_an_alarm_that_ignores_its_data_is_a_failure(aws: DrillAws) -> None:
    aws.client_for("cloudwatch", EAST)
    aws.alarms[f"{START}/failed", EAST]["Dimensions"] = list(aws.alarms[f"{START}/failed", EAST]["Dimensions"])
    aws._fire = lambda *anything: None
    problem = drilled(aws)["problems"][0]
    assert "did not fire within 100 s, though its metric has data points" in problem


def test_a_topic_that_delivers_nothing_is_a_failure(aws: DrillAws) -> None:
    aws.deaf.add(EAST_TOPIC)
    result = drilled(aws)
    assert result["verdict"] == "failed"
    assert "fired, and within 100 s no message came by" in result["problems"][0]


@pytest.mark.parametrize(
    ("stays", "says"), [("PENDING", "S3 did not give up the canary within 100 s"), ("COMPLETED", "did not give up")]
)
def test_a_canary_that_is_never_given_up_proves_nothing(aws: DrillAws, stays: str, says: str) -> None:
    drill = a_drill(aws)
    aws.stays = stays
    aws._fire = lambda *anything: None
    drill.run()
    result = drill.result()
    failures = [one for one in result["alarms"] if one["proven_by"] == "failure"]
    assert {one["status"] for one in failures} == {"unknown"}
    assert says in failures[0]["problem"]
    assert result["restored"] is (stays == "COMPLETED")
    if stays == "PENDING":
        assert "is left to arrive" in result["left_behind"][0]
    aws.stays = None
    a_drill(aws).clear()
    assert KEY not in [one["Key"] for bucket in aws.buckets.values() for one in bucket.versions]


def test_a_canary_that_no_rule_matches_proves_nothing(aws: DrillAws) -> None:
    for bucket in aws.buckets.values():
        bucket.replication = {**(bucket.replication or {}), "Rules": []}
    result = drilled(aws)
    assert result["verdict"] == "unknown" or result["verdict"] == "failed"
    assert "no enabled rule of the bucket matched the canary" in " ".join(result["problems"])


def test_a_canary_that_may_not_be_written_proves_nothing(aws: DrillAws) -> None:
    before = held(aws)
    aws.interrupt = refusing("PutObject")
    result = drilled(aws)
    assert "writing the canary to example-orders failed" in result["problems"][0]
    aws.interrupt = lambda call: None
    assert held(aws) == before


def test_a_rule_that_another_covers_cannot_fire() -> None:
    pair = a_pair(rules=(Rule("all", 2), Rule("orders", 1, prefix="orders/")))
    result = drilled(world(pair), pair)
    assert result["verdict"] == "unknown"
    assert "every object of the rule 'orders' is replicated by the rule 'all'" in result["problems"][0]


def test_a_policy_that_would_be_too_long_is_refused_before_anything_is_changed(aws: DrillAws) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "x" * 20_400, "Effect": "Allow", "Resource": []}]}
    aws.buckets[DR.bucket].policy = json.dumps(policy)
    with pytest.raises(Refused, match=r"20480\. Shorten the policy"):
        a_drill(aws).run()
    assert [call.operation for call in aws.writes()] == []


def test_an_end_in_an_account_of_others_is_said(aws: DrillAws) -> None:
    accounts = {**ACCOUNTS, DR.bucket: Account(OTHER.id, ours=False)}
    before = held(aws)
    result = drilled(aws, accounts=accounts)
    assert result["verdict"] == "unknown"
    status = {one["alarm"].rsplit("/", 1)[1]: one["status"] for one in result["alarms"]}
    assert (status["failed"], status["latency"], status["heartbeat"]) == ("unknown", "proven", "proven")
    assert f"they stand in account {OTHER.id}" in " ".join(result["problems"])
    assert "no credentials of the account of example-orders-dr" in " ".join(result["problems"])
    assert held(aws) == before


def test_a_pair_that_nothing_observes_is_a_failure() -> None:
    pair = a_pair(rules=(replace(RULE, enabled=False),))
    assert "has no enabled rule with metrics" in drilled(world(pair), pair)["problems"][0]


def test_objects_that_do_not_arrive_afterwards_are_a_failure(aws: DrillAws) -> None:
    pair = a_pair(rules=(RULE,))
    policy = json.loads(FOREIGN)
    policy["Statement"][0]["Resource"] = [f"arn:aws:s3:::{DR.bucket}/*"]
    aws.buckets[DR.bucket].policy = json.dumps(policy)
    result = drilled(aws, pair)
    assert result["verdict"] == "failed"
    assert "is failed: S3 says FAILED" in result["problems"][0]
    assert result["restored"]


# --- check mode ----------------------------------------------------------------------------------------------


def test_check_mode_changes_nothing_and_says_the_very_steps(aws: DrillAws) -> None:
    drill = a_drill(aws)
    drill.predict()
    assert [call.operation for call in aws.writes()] == []
    predicted = drill.result()
    assert (predicted["verdict"], predicted["problems"]) == ("unknown", [])
    assert "check mode" in predicted["notes"][0]
    assert predicted["steps"] == drilled(aws)["steps"]
    assert len(predicted["steps"]) == 2 + 2 + 2 + 2 + 8


def test_check_mode_says_which_metric_never_had_a_data_point(aws: DrillAws) -> None:
    aws.silent = {"ReplicationLatency", "OperationsFailedReplication"}
    drill = a_drill(aws)
    drill.predict()
    result = drill.result()
    assert result["verdict"] == "failed"
    assert (
        "ReplicationLatency of the rule 's3-dr-orders' from example-orders (us-west-2) has never had a data point"
        in (result["problems"][0])
    )
    states = {
        one["subject"].rsplit("/", 1)[1]: one["status"] for one in result["checks"] if one["name"] == "data point"
    }
    assert (states["failed"], states["latency"]) == ("warning", "at_risk")


def test_check_mode_sees_what_a_former_drill_left_and_leaves_it(aws: DrillAws) -> None:
    kill_at(aws, "ReceiveMessage")
    left = held(aws)
    drill = a_drill(aws)
    drill.predict()
    assert held(aws) == left
    assert drill.cleared
    predicted = drill.result()["steps"]
    aws.calm()
    again = a_drill(aws)
    again.run()
    assert again.result()["steps"] == predicted


# --- interruptions: the law that matters most ----------------------------------------------------------------


def refusing(operation: str) -> Callable[[Call], None]:
    """An interruption that refuses an operation."""

    def interrupt(call: Call) -> None:
        if call.operation == operation:
            raise client_error("AccessDenied", "no", operation)

    return interrupt


def kill_at(aws: DrillAws, operation: str, pair: Pair = PAIR) -> None:
    """A drill whose process is killed at its first call of an operation: no call is made after it."""
    killed: list[Call] = []

    def interrupt(call: Call) -> None:
        if killed or call.operation == operation:
            killed.append(call)
            raise Killed

    aws.interrupt = interrupt
    with pytest.raises(Killed):
        a_drill(aws, pair).run()
    aws.interrupt = lambda call: None


def run_until(number: int, kind: type[BaseException], forever: bool, aws: DrillAws) -> bool:
    """A drill that is ended at its call of a number, and perhaps at all after it; whether it came to that."""
    count = 0

    def interrupt(call: Call) -> None:
        nonlocal count
        count += 1
        if count == number or (forever and count > number):
            raise kind("ended")

    aws.interrupt = interrupt
    with suppress(kind, AwsFailure):
        a_drill(aws, SIMPLE).run()
    aws.interrupt = lambda call: None
    return count >= number


def of_a_call() -> int:
    """How many calls a drill makes."""
    aws = world(SIMPLE)
    aws.calls.clear()
    drilled(aws, SIMPLE)
    return len(aws.calls)


def test_killed_at_any_call_the_next_drill_leaves_no_trace_and_proves() -> None:
    for number in range(1, of_a_call() + 1, 5):  # clearing comes first, and is tried after every call below
        aws = world(SIMPLE)
        before = held(aws)
        assert run_until(number, Killed, True, aws)
        aws.calm()
        result = drilled(aws, SIMPLE)
        assert (result["verdict"], result["restored"]) == ("proven", True), number
        assert held(aws) == before, number


def test_killed_at_any_call_absent_leaves_no_trace() -> None:
    for number in range(1, of_a_call() + 1):
        aws = world(SIMPLE)
        before = held(aws)
        assert run_until(number, Killed, True, aws)
        drill = a_drill(aws, SIMPLE)
        drill.clear()
        assert (held(aws), drill.left_behind) == (before, []), number
        again = a_drill(aws, SIMPLE)
        again.clear()
        assert again.cleared == [], number


def test_an_exception_at_any_call_leaves_no_trace() -> None:
    for number in range(1, of_a_call() + 1):
        aws = world(SIMPLE)
        before = held(aws)
        assert run_until(number, RuntimeError, False, aws)
        assert held(aws) == before, number


def test_a_restoring_call_that_is_refused_says_what_is_left(aws: DrillAws) -> None:
    before = held(aws)
    aws.interrupt = refusing("Unsubscribe")
    result = drilled(aws)
    assert result["restored"] is False
    (left,) = result["left_behind"]
    assert f"The subscription of the queue {queue_name('orders')} (us-east-1, us-west-2)" in left or "sns:Unsub" in left
    assert "state: absent" in left
    assert "aws sns unsubscribe" in left
    aws.interrupt = lambda call: None
    a_drill(aws).clear()
    assert held(aws) == before


def test_leftovers_that_cannot_be_removed_keep_a_drill_from_beginning(aws: DrillAws) -> None:
    kill_at(aws, "ReceiveMessage")
    aws.interrupt = refusing("DeleteAlarms")
    with pytest.raises(AwsFailure, match="what a former drill left behind cannot be removed"):
        a_drill(aws).run()


def test_a_canary_that_is_locked_is_told_and_keeps_nothing_from_beginning(aws: DrillAws) -> None:
    for bucket in aws.buckets.values():
        bucket.locked.add(KEY)
    first = drilled(aws)
    assert first["restored"] is False
    assert drill_token("orders") in first["left_behind"][0]
    assert first["verdict"] == "proven"
    aws.calm()
    second = drilled(aws)
    assert {one["status"] for one in second["alarms"]} == {"proven"}


def test_somebody_who_changes_the_policy_meanwhile_keeps_his_change(aws: DrillAws) -> None:
    def interrupt(call: Call) -> None:
        if call.operation == "ReceiveMessage":
            policy = json.loads(aws.buckets[DR.bucket].policy or "{}")
            policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != "New"]
            policy["Statement"].append({"Sid": "New", "Effect": "Allow", "Resource": []})
            aws.buckets[DR.bucket].policy = json.dumps(policy)

    aws.interrupt = interrupt
    assert drilled(aws)["restored"]
    sids = [one["Sid"] for one in json.loads(aws.buckets[DR.bucket].policy or "")["Statement"]]
    assert sids == ["Theirs", "New"]


def test_a_queue_of_somebody_else_is_left_alone(aws: DrillAws) -> None:
    name = queue_name("orders")
    aws.client_for("sqs", EAST).create_queue(QueueName=name, Attributes={}, tags={})
    aws.calls.clear()
    with pytest.raises(Refused, match="somebody else's"):
        a_drill(aws).run()
    assert [call.operation for call in aws.writes()] == []


def test_a_composite_alarm_that_another_drill_suppresses_is_waited_for() -> None:
    aws = world(settings=AlarmSettings(TOPIC_NAME, composite=True))
    aws.alarms[suppressor_name("orders"), EAST]["StateValue"] = "ALARM"
    result = drilled(aws)
    bad = [one for one in result["alarms"] if one["status"] != "proven"]
    assert {one["region"] for one in result["alarms"]} - {one["region"] for one in bad} == {WEST}
    assert all(f"is suppressed by {suppressor_name('orders')}" in one["problem"] for one in bad)


def test_a_composite_alarm_that_is_suppressed_where_only_twins_fire_is_not_proven() -> None:
    aws = world(SIMPLE, AlarmSettings(TOPIC_NAME, composite=True))
    aws.alarms[suppressor_name("orders"), WEST]["StateValue"] = "ALARM"
    result = drilled(aws, SIMPLE)
    assert result["verdict"] == "unknown"
    bad = [one for one in result["alarms"] if one["status"] != "proven"]
    assert {one["region"] for one in bad} == {WEST}
    assert f"'{composite_name('orders')}' ({WEST}) is suppressed by {suppressor_name('orders')}" in bad[0]["problem"]


def test_a_composite_alarm_that_did_not_fire_itself_is_said() -> None:
    aws = world(SIMPLE, AlarmSettings(TOPIC_NAME, composite=True))
    notes = [one for one in drilled(aws, SIMPLE)["notes"] if "itself did not fire" in one]
    assert len(notes) == 1
    assert f"'{composite_name('orders')}' ({WEST})" in notes[0]


def test_a_queue_that_is_about_to_vanish_is_not_taken_for_one_that_is_there() -> None:
    aws = SlowQueues(world(SIMPLE))
    before = held(aws)
    kill_at(aws, "ReceiveMessage", SIMPLE)
    aws.calm()
    result = drilled(aws, SIMPLE)
    assert (result["verdict"], result["problems"]) == ("proven", [])
    assert held(aws) == before
    again = a_drill(aws, SIMPLE)
    again.clear()
    assert again.cleared == []


def test_an_alarm_that_fires_while_a_queue_is_made_is_waited_for(aws: DrillAws) -> None:
    def interrupt(call: Call) -> None:
        if call.operation == "CreateQueue":
            aws.alarms[f"{START}/failed", EAST]["StateValue"] = "ALARM"

    aws.interrupt = interrupt
    result = drilled(aws)
    assert result["verdict"] == "unknown"
    assert "is in ALARM already" in result["problems"][0]


def test_without_permission_to_read_a_metric_nothing_is_claimed_of_it(aws: DrillAws) -> None:
    aws.silent.add("ReplicationLatency")
    aws.interrupt = refusing("GetMetricStatistics")
    problem = drilled(aws)["problems"][0]
    assert "Whether ReplicationLatency has data points is not known" in problem
    assert "cloudwatch:GetMetricStatistics is missing" in problem


@pytest.mark.parametrize("change", [{"enabled": False}, {"observation": Observation.NONE}])
def test_leftovers_go_whatever_became_of_the_rule(change: dict[str, Any]) -> None:
    aws = world(SIMPLE)
    before = held(aws)
    kill_at(aws, "ReceiveMessage", SIMPLE)
    drill = a_drill(aws, replace(SIMPLE, rules=(replace(RULE, **change),)))
    drill.clear()
    assert (held(aws), drill.left_behind) == (before, [])


def test_a_rule_without_metrics_keeps_the_pair_from_being_proven() -> None:
    pair = a_pair(rules=(RULE, Rule("quiet", 2, prefix="quiet/", observation=Observation.NONE)))
    result = drilled(world(pair), pair)
    assert result["verdict"] == "failed"
    assert {one["status"] for one in result["alarms"]} == {"proven"}
    assert "AWS publishes no metrics for the rule 'quiet'" in result["problems"][0]


def test_a_message_that_comes_before_the_canary_fails_leaves_no_canary_on_its_way(aws: DrillAws) -> None:
    heads = 0

    def interrupt(call: Call) -> None:
        nonlocal heads
        if call.operation == "HeadObject":
            heads += 1
            aws.stays = "PENDING" if heads < 12 else None

    aws.interrupt = interrupt
    result = drilled(aws)
    assert (result["verdict"], result["left_behind"]) == ("proven", [])
    for one in result["alarms"]:
        if one["proven_by"] == "failure":
            assert one["seconds"]["to_failed"] <= one["seconds"]["to_alarm"]


def test_policies_are_written_alone(aws: DrillAws) -> None:
    inside: list[bool] = []
    drill = a_drill(aws)

    @contextmanager
    def alone() -> Iterator[None]:
        inside.append(True)
        yield
        inside.pop()

    drill._alone = alone

    def interrupt(call: Call) -> None:
        if call.operation in ("PutBucketPolicy", "DeleteBucketPolicy"):
            assert inside

    aws.interrupt = interrupt
    drill.run()
    assert drill.result()["verdict"] == "proven"


def test_leftovers_of_another_pair_are_not_touched(aws: DrillAws) -> None:
    name = twin_prefix("orders-archive") + "latency-12345678"
    assert is_twin(name)
    aws.alarms[name, EAST] = {**aws.alarms[f"{START}/failed", EAST], "AlarmName": name}
    drilled(aws)
    assert (name, EAST) in aws.alarms
