# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A recovery drill on the fake AWS: what it proves, what it never asks, and that nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.recovery_drill import RecoveryDrill
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import AlarmSettings, alarms_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Pair, Refused, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_drill import (
    DrillWishes,
    role_name,
    stem_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import pair_addresses, pair_wish
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Call, Key, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.iam import Role
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.recovery import PAUSE, RecoveryAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    DR,
    EAST,
    KEYS,
    PRIMARY,
    WEST,
    a_pair,
    two_way,
)

RULE = Rule("s3-dr-orders", prefix="orders/", delete_markers=True)
PAIR = a_pair(rules=(RULE,))
ROLE = f"arn:aws:iam::{OWNER}:role/{role_name('orders', DR)}"
WISHES = DrillWishes(sizes=(100, 2000), each=3)
TEMPLATE: dict[str, Any] = {
    "id": "EXT1",
    "actions": {"pause": {"actionId": PAUSE, "parameters": {"region": WEST}}},
    "targets": {"buckets": {"resourceArns": [f"arn:aws:s3:::{PRIMARY.bucket}"]}},
}
KEY_POLICY = (
    f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{OWNER}:root"}},'
    '"Action":"kms:*","Resource":"*"}]}'
)


class Killed(BaseException):
    """What ends a process at once."""


def world(pair: Pair = PAIR) -> RecoveryAws:
    """An AWS in which a pair replicates, and each end has an object of its own."""
    aws = RecoveryAws()
    for end in pair.ends():
        if end.kms_key_arn:
            aws.keys[end.kms_key_arn] = Key(KEY_POLICY)
    gateway = Gateway(aws.client_for, aws.time.sleep, aws.time.clock)
    observed = gateway.observe(pair_addresses(pair, ACCOUNTS))
    gateway.carry_out(plan(pair_wish(pair, ACCOUNTS, observed), observed))
    for end in pair.ends():
        s3 = aws.client_for("s3", end.region)
        s3.put_object(Bucket=end.bucket, Key="orders/live", Body=b"1", ExpectedBucketOwner=OWNER)
    aws.time.sleep(60.0)
    aws.client_for("sts", EAST).get_caller_identity()  # whoever comes next finds what has arrived
    aws.calls.clear()
    return aws


def a_drill(aws: RecoveryAws, pair: Pair = PAIR, wishes: DrillWishes = WISHES) -> RecoveryDrill:
    """A drill by the clock of the fake."""
    gateway = Gateway(aws.client_for, aws.time.sleep, aws.time.clock)
    return RecoveryDrill(
        gateway, aws.client_for, aws.session, pair, ACCOUNTS, wishes, sleep=aws.time.sleep, clock=aws.time.clock
    )


def drilled(aws: RecoveryAws, pair: Pair = PAIR, wishes: DrillWishes = WISHES) -> dict[str, Any]:
    """The result of a drill."""
    drill = a_drill(aws, pair, wishes)
    drill.run()
    return drill.result()


def held(aws: RecoveryAws) -> dict[str, Any]:
    """All that a drill may touch, as it is."""
    return {
        "versions": {
            name: [(one["Key"], one["VersionId"]) for one in bucket.versions] for name, bucket in aws.buckets.items()
        },
        "uploads": {name: list(bucket.uploads) for name, bucket in aws.buckets.items()},
        "roles": sorted(aws.roles),
        "running": [one["id"] for one in aws.experiments.values() if one["state"]["status"] == "running"],
    }


def statuses(result: dict[str, Any]) -> dict[str, str]:
    """How each check ended, by its name."""
    return {one["name"]: one["status"] for one in result["checks"]}


def after_the_failure(aws: RecoveryAws) -> list[Call]:
    """The calls from the sign-in that follows the declared failure to the last of the recovery."""
    sign_ins = [i for i, call in enumerate(aws.calls) if call.operation == "AssumeRole"]
    last = max(i for i, call in enumerate(aws.calls) if ":role/" in call.account)
    return aws.calls[sign_ins[1] : last + 1]


@pytest.fixture
def aws() -> RecoveryAws:
    """The pair, one way."""
    return world()


# --- what works ----------------------------------------------------------------------------------------------


def test_a_healthy_pair_is_proven_and_nothing_stays(aws: RecoveryAws) -> None:
    before = held(aws)
    result = drilled(aws)
    assert (result["verdict"], result["problems"], result["left_behind"], result["cleared"]) == ("proven", [], [], [])
    assert held(aws) == before
    assert {one["status"] for one in result["checks"]} == {"passed", "skipped"}
    assert [one["name"] for one in result["checks"] if one["status"] == "skipped"] == ["application", "RTO", "RPO"]
    assert [(one["size"], one["arrived"], one["objects"]) for one in result["replication"]] == [
        (100, 3, 3),
        (2000, 3, 3),
    ]
    assert all(2.0 <= one["p50"] <= one["max"] <= 2.5 for one in result["replication"])
    assert result["declared_at"].endswith("Z")
    assert [one["status"] for one in result["steps"]] == ["done"] * len(result["steps"])


def test_the_steps_are_those_that_are_predicted(aws: RecoveryAws) -> None:
    drill = a_drill(aws)
    predicted = drill.predict({"write": 3.0})
    assert aws.writes() == []
    assert {one["name"]: one["expected_seconds"] for one in predicted}["write"] == 3.0
    assert {one["name"]: one["expected_seconds"] for one in predicted}["read"] is None
    assert [one["name"] for one in drilled(aws)["steps"]] == [one["name"] for one in predicted]


def test_what_was_written_within_the_lag_is_the_loss(aws: RecoveryAws) -> None:
    aws.lag = 4.0
    assert 3.0 <= drilled(aws)["rpo_seconds"] <= 4.25


def test_the_time_of_the_recovery_is_measured_from_the_declared_failure(aws: RecoveryAws) -> None:
    def slow(call: Call) -> None:
        if ":role/" in call.account:
            aws.time.now += 1.0

    aws.interrupt = slow
    result = drilled(aws)
    assert result["rto_seconds"] == 4.0  # list, read, write, read it back


def test_after_the_failure_only_the_recovery_region_is_asked(aws: RecoveryAws) -> None:
    drilled(aws, wishes=replace(WISHES, application=make_role(aws, "app")))
    calls = after_the_failure(aws)
    assert len(calls) > 20
    assert {call.region for call in calls} == {WEST}
    assert {call.service for call in calls} == {"sts", "s3"}
    assert {call.account for call in calls if call.service == "s3"} == {ROLE, f"arn:aws:iam::{OWNER}:role/app"}


def test_only_keys_of_the_drill_are_touched(aws: RecoveryAws) -> None:
    drilled(aws)
    stem = stem_of("orders", RULE)
    touched = {call.params["Key"] for call in aws.writes() if call.service == "s3" and "Key" in call.params}
    touched |= {
        one["Key"]
        for call in aws.calls
        if call.operation == "DeleteObjects"
        for one in call.params["Delete"]["Objects"]
    }
    assert touched
    assert all(key.startswith(stem) for key in touched)
    removed = [
        one for call in aws.calls if call.operation == "DeleteObjects" for one in call.params["Delete"]["Objects"]
    ]
    assert all("VersionId" in one for one in removed)


def test_large_objects_go_in_parts(aws: RecoveryAws) -> None:
    result = drilled(aws, wishes=DrillWishes(sizes=(11 * 1024**2,), each=2))
    assert result["verdict"] == "proven"
    assert [call.operation for call in aws.calls].count("UploadPart") == 2 * 3


def test_both_directions_leave_nothing_at_either_end() -> None:
    pair = two_way(rules=(RULE,))
    aws = world(pair)
    before = held(aws)
    assert drilled(aws, pair)["verdict"] == "proven"
    aws.time.sleep(60.0)
    aws.client_for("sts", EAST).get_caller_identity()
    assert held(aws) == before


def test_a_pair_that_has_failed_over_recovers_at_the_primary() -> None:
    pair = two_way(rules=(RULE,))
    aws = world(pair)
    result = drilled(aws, pair, replace(WISHES, active="dr"))
    assert (result["verdict"], result["active_region"], result["recovery_region"]) == ("proven", WEST, EAST)
    assert {call.region for call in after_the_failure(aws)} == {EAST}


def test_with_keys_the_objects_are_encrypted_with_them() -> None:
    pair = a_pair(
        primary=replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket]),
        dr=replace(DR, kms_key_arn=KEYS[DR.bucket]),
        rules=(RULE,),
    )
    aws = world(pair)
    result = drilled(aws, pair)
    assert (result["verdict"], result["encryption"]) == ("proven", "aws:kms")
    keys = {(call.region, call.params.get("SSEKMSKeyId")) for call in aws.calls if call.operation == "PutObject"}
    assert keys == {(EAST, KEYS[PRIMARY.bucket]), (WEST, KEYS[DR.bucket])}


def make_role(aws: RecoveryAws, name: str) -> str:
    """A role of the user's."""
    aws.roles[name] = Role({"Path": "/", "AssumeRolePolicyDocument": "{}"})
    return f"arn:aws:iam::{OWNER}:role/{name}"


def test_a_role_of_the_users_is_used_and_none_is_made(aws: RecoveryAws) -> None:
    mine = make_role(aws, "mine")
    result = drilled(aws, wishes=replace(WISHES, recover_as=mine))
    assert result["verdict"] == "proven"
    assert {call.account for call in aws.calls if ":role/" in call.account} == {mine}
    assert not [call for call in aws.writes() if call.service == "iam"]


def test_a_role_that_was_made_a_moment_ago_is_waited_for(aws: RecoveryAws) -> None:
    aws.unprepared = 3
    assert drilled(aws)["verdict"] == "proven"


def test_the_application_decrypts(aws: RecoveryAws) -> None:
    result = drilled(aws, wishes=replace(WISHES, application=make_role(aws, "app")))
    assert statuses(result)["application"] == "passed"


# --- what does not -------------------------------------------------------------------------------------------


def test_objects_that_s3_gives_up_fail_the_drill(aws: RecoveryAws) -> None:
    aws.fails.add(stem_of("orders", RULE))
    before = held(aws)
    result = drilled(aws)
    assert result["verdict"] == "failed"
    assert statuses(result)["arrive"] == "broken"
    assert "gave up" in result["problems"][0]
    assert held(aws) == before


def test_objects_that_are_late_fail_the_drill_and_are_left_to_arrive(aws: RecoveryAws) -> None:
    aws.lag = 3000.0
    result = drilled(aws, wishes=replace(WISHES, deadline_seconds=30))
    assert (result["verdict"], statuses(result)["arrive"]) == ("failed", "at_risk")
    assert "left to arrive" in result["left_behind"][0]
    aws.time.sleep(3000.0)
    drill = a_drill(aws)
    drill.clear()
    assert drill.cleared
    assert not [one for bucket in aws.buckets.values() for one in bucket.versions if "canary" in one["Key"]]


def test_a_missed_target_fails_the_drill(aws: RecoveryAws) -> None:
    aws.lag = 20.0
    result = drilled(aws, wishes=replace(WISHES, rpo_target=5.0, rto_target=60.0))
    assert (result["verdict"], statuses(result)["RPO"], statuses(result)["RTO"]) == ("failed", "at_risk", "passed")
    assert "beyond the target of 5 s" in result["problems"][0]


def test_a_replica_that_differs_fails_the_drill(aws: RecoveryAws) -> None:
    def spoil(call: Call) -> None:
        if call.operation == "AssumeRole" and call.region == WEST:
            for one in aws.buckets[DR.bucket].versions:
                one["stored"] = one["body"][:-1] + b"?"

    aws.interrupt = spoil
    result = drilled(aws)
    assert (result["verdict"], statuses(result)["read"], statuses(result)["read_all"]) == ("failed", "broken", "broken")
    assert "differs from what was written" in " ".join(result["problems"])


@pytest.mark.parametrize(
    ("operation", "check"), [("PutObject", "write_there"), ("DeleteObject", "undelete"), ("ListObjectVersions", "list")]
)
def test_what_the_identity_may_not_do_is_a_failure_and_the_rest_goes_on(
    aws: RecoveryAws, operation: str, check: str
) -> None:
    def refuse(call: Call) -> None:
        begun = [one for one in aws.calls if one.operation == "AssumeRole"]
        if call.operation == operation and ":role/" in call.account and len(begun) > 1:
            raise client_error("AccessDenied", "not authorized", operation)

    aws.interrupt = refuse
    before = held(aws)
    result = drilled(aws)
    assert result["verdict"] == "failed"
    assert statuses(result)[check] == "broken"
    assert statuses(result)["read_all"] == "passed"
    assert held(aws) == before


def test_a_deletion_that_deletes_nothing_is_a_failure(aws: RecoveryAws) -> None:
    def forget(call: Call) -> None:
        if call.operation == "GetObject" and ":role/" in call.account:
            for bucket in aws.buckets.values():
                bucket.versions = [one for one in bucket.versions if not one.get("marker")]

    aws.interrupt = forget
    result = drilled(aws)
    assert (result["verdict"], statuses(result)["undelete"]) == ("failed", "broken")
    assert "a deleted object could still be read" in " ".join(result["problems"])


def test_an_upload_that_breaks_off_is_aborted(aws: RecoveryAws) -> None:
    def break_off(call: Call) -> None:
        if call.operation == "UploadPart" and call.params["PartNumber"] == 2:
            raise client_error("InternalError", "try again", "UploadPart")

    aws.interrupt = break_off
    before = held(aws)
    with pytest.raises(AwsFailure, match="UploadPart"):
        drilled(aws, wishes=DrillWishes(sizes=(11 * 1024**2,), each=2))
    assert held(aws) == before


def test_a_recovery_region_that_does_not_answer_proves_nothing(aws: RecoveryAws) -> None:
    def dead(call: Call) -> None:
        if ":role/" in call.account and len([one for one in aws.calls if one.operation == "AssumeRole"]) > 1:
            raise EndpointConnectionError(endpoint_url="https://s3.us-west-2.amazonaws.com")

    aws.interrupt = dead
    result = drilled(aws)
    assert (result["verdict"], statuses(result)["read"], result["rto_seconds"]) == ("unknown", "unknown", None)


def test_the_primary_region_may_be_dead_after_the_failure(aws: RecoveryAws) -> None:
    def dead(call: Call) -> None:
        if call.region == EAST and len([one for one in aws.calls if one.operation == "AssumeRole"]) > 1:
            raise EndpointConnectionError(endpoint_url="https://s3.us-east-1.amazonaws.com")

    aws.interrupt = dead
    result = drilled(aws)
    assert result["verdict"] == "proven"
    assert statuses(result)["clean_up"] == "warning"
    assert any(PRIMARY.bucket in one for one in result["left_behind"])
    aws.interrupt = lambda call: None
    drill = a_drill(aws)
    drill.clear()
    assert (drill.left_behind, held(aws)["versions"][PRIMARY.bucket]) == ([], held(world())["versions"][PRIMARY.bucket])


def test_what_object_lock_keeps_is_told_and_never_forced(aws: RecoveryAws) -> None:
    drill = a_drill(aws)

    def lock(call: Call) -> None:
        if call.operation == "DeleteObjects":
            aws.buckets[DR.bucket].locked = {one["Key"] for one in aws.buckets[DR.bucket].versions}

    aws.interrupt = lock
    drill.run()
    result = drill.result()
    assert (result["verdict"], statuses(result)["clean_up"]) == ("proven", "warning")
    assert "Object Lock" in result["left_behind"][0]
    assert not [call for call in aws.calls if "BypassGovernanceRetention" in call.params]


def test_a_bucket_without_versions_is_refused(aws: RecoveryAws) -> None:
    aws.buckets[PRIMARY.bucket].versioning = "Suspended"
    before = held(aws)
    with pytest.raises(AwsFailure, match="versioning is not enabled"):
        a_drill(aws).run()
    assert held(aws) == before


def test_a_bucket_that_is_gone_leaves_nothing_to_remove(aws: RecoveryAws) -> None:
    del aws.buckets[PRIMARY.bucket]
    drill = a_drill(aws)
    with pytest.raises(AwsFailure, match="NoSuchBucket"):
        drill.run()
    assert (drill.left_behind, drill.result()["verdict"]) == ([], "unknown")


# --- a drill that is ended -----------------------------------------------------------------------------------


def number_of_calls(pair: Pair, wishes: DrillWishes) -> int:
    """How many calls a drill makes that nobody disturbs."""
    aws = experimental(pair)
    drilled(aws, pair, wishes)
    return len(aws.calls)


def experimental(pair: Pair = PAIR) -> RecoveryAws:
    """The pair, with a template of an experiment."""
    aws = world(pair)
    aws.templates["EXT1"] = TEMPLATE
    return aws


PAUSED = replace(WISHES, sizes=(100,), each=2, experiment="EXT1", pause_seconds=10.0)


def test_a_drill_that_is_interrupted_anywhere_leaves_nothing() -> None:
    total, looked_at = number_of_calls(PAIR, PAUSED), 0
    for ended in range(0, total, 6):
        aws = experimental()
        before, count = held(aws), iter(range(10**6))

        def interrupt(call: Call, ended: int = ended, count: Any = count) -> None:
            if next(count) == ended:
                raise Killed

        aws.interrupt = interrupt
        drill = a_drill(aws, wishes=PAUSED)
        try:
            drill.run()
        except Killed:
            pass
        else:
            continue  # a thread of the SDK's had ended already
        aws.time.sleep(60.0)
        aws.interrupt = lambda call: None
        aws.client_for("sts", EAST).get_caller_identity()
        if not drill.steps or drill.steps[-1] != {**drill.steps[-1], "name": "clean_up", "status": "done"}:
            continue  # it had not begun, or it cleaned up, which a signal cannot end
        assert held(aws) == before, ended
        looked_at += 1
    assert looked_at > total / 6 / 2


@pytest.mark.parametrize("again", ["drill", "absent"])
def test_a_drill_that_is_killed_anywhere_is_cleared_away_by_the_next(again: str) -> None:
    total = number_of_calls(PAIR, PAUSED)
    for killed in range(0, total, 9):
        aws = experimental()
        before, count = held(aws), iter(range(10**6))

        def kill(call: Call, killed: int = killed, count: Any = count) -> None:
            if next(count) >= killed:
                raise Killed

        aws.interrupt = kill
        with pytest.raises(Killed):
            a_drill(aws, wishes=PAUSED).run()
        aws.interrupt = lambda call: None
        aws.time.sleep(60.0)
        after = a_drill(aws, wishes=PAUSED)
        if again == "drill":
            after.run()
            assert after.result()["verdict"] == "proven", killed
        else:
            after.clear()
        assert held(aws) == before, killed


def test_a_role_of_somebody_else_with_the_name_stays(aws: RecoveryAws) -> None:
    make_role(aws, role_name("orders", DR))
    drill = a_drill(aws)
    drill.clear()
    assert drill.cleared == []
    assert role_name("orders", DR) in aws.roles


# --- paused replication --------------------------------------------------------------------------------------


def with_suppressor(aws: RecoveryAws) -> RecoveryAws:
    """The same with a composite alarm."""
    wish = alarms_wish(PAIR, AlarmSettings("s3-dr-alarms", composite=True), ACCOUNT)
    gateway = Gateway(aws.client_for, aws.time.sleep, aws.time.clock)
    aws.client_for("sns", EAST).create_topic(Name="s3-dr-alarms")
    aws.client_for("sns", WEST).create_topic(Name="s3-dr-alarms")
    gateway.carry_out(plan(wish, gateway.observe(wish)))
    for alarm in aws.alarms.values():
        alarm["StateValue"] = "OK"
    return aws


def test_what_is_written_during_the_pause_stays_away_and_arrives_after_it() -> None:
    aws = experimental()
    result = drilled(aws, wishes=PAUSED)
    assert result["verdict"] == "proven"
    assert result["pause"]["not_paused"] is False
    assert result["pause"]["held_seconds"] >= 10.0
    assert result["pause"]["catch_up_seconds"] <= 2.5
    assert 2.0 <= result["pause"]["resumed_seconds"] <= 2.5
    assert (statuses(result)["pause"], statuses(result)["resume"]) == ("passed", "passed")
    assert [one["state"]["status"] for one in aws.experiments.values()] == ["stopped"]
    assert "tell of the paused replication" in " ".join(result["notes"])
    assert drilled(aws, wishes=PAUSED)["cleared"] == []  # an experiment that is over is nothing to clear away


def test_an_object_that_arrives_during_the_pause_is_a_warning() -> None:
    aws = experimental()
    aws.leaks = True
    result = drilled(aws, wishes=PAUSED)
    assert (result["verdict"], statuses(result)["not_paused"]) == ("proven", "warning")


def test_the_alarms_are_quiet_before_the_experiment_starts() -> None:
    aws = with_suppressor(experimental())
    result = drilled(aws, wishes=replace(PAUSED, pause_seconds=130.0))
    assert result["verdict"] == "proven"
    names = [call.operation for call in aws.calls]
    assert names.index("PutMetricData") < names.index("StartExperiment")
    east = [one for region, one in aws.data if region == EAST]
    assert len(east) >= 3
    assert east[0] == {
        "Namespace": "S3Dr",
        "MetricName": "DrillRunning",
        "Dimensions": [{"Name": "Pair", "Value": "orders"}],
        "Value": 1.0,
    }
    assert {region for region, _one in aws.data} == {EAST, WEST}


def test_nothing_is_paused_as_long_as_somebody_would_be_told() -> None:
    aws = with_suppressor(experimental())
    for alarm in aws.alarms.values():
        alarm["Namespace"] = "Other"
    with pytest.raises(AwsFailure, match="did not go into ALARM"):
        a_drill(aws, wishes=PAUSED).run()
    assert aws.experiments == {}


def test_an_experiment_that_cannot_be_stopped_fails_the_drill_and_the_rest_goes() -> None:
    aws = experimental()

    def refuse(call: Call) -> None:
        if call.operation == "StopExperiment":
            raise client_error("AccessDeniedException", "not authorized", "StopExperiment")

    aws.interrupt = refuse
    drill = a_drill(aws, wishes=PAUSED)
    with pytest.raises(AwsFailure, match="fis:StopExperiment"):
        drill.run()
    result = drill.result()
    assert (result["verdict"], statuses(result)["clean_up"]) == ("failed", "broken")
    assert "The experiment may still be there" in result["left_behind"][0]
    assert aws.roles.keys() == world().roles.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one["actions"].clear(), "has no action aws:s3:bucket-pause-replication"),
        (lambda one: one["actions"].update(net={"actionId": "aws:network:disrupt-connectivity"}), "does more than"),
        (lambda one: one["actions"]["pause"].update(parameters={"region": EAST}), "pauses replication to us-east-1"),
        (lambda one: one["targets"]["buckets"].update(resourceArns=["arn:aws:s3:::other"]), "and not example-orders"),
    ],
)
def test_another_experiment_is_refused_before_anything_is_written(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    aws = experimental()
    template = {
        "id": "EXT1",
        "actions": {name: dict(one) for name, one in TEMPLATE["actions"].items()},
        "targets": {name: dict(one) for name, one in TEMPLATE["targets"].items()},
    }
    change(template)
    aws.templates["EXT1"] = template
    with pytest.raises(Refused, match=message):
        a_drill(aws, wishes=PAUSED).run()
    assert aws.writes() == []
