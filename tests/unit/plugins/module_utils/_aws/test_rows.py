# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What is written is what is read again, kind by kind and for all that a pair, a trail and topics wish."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.alarm_rows import alarms_notifying
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import ROWS, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.row import never_removed, never_written
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import (
    Subscription,
    Topics,
    topics_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    OpsItems,
    alarm_names,
    alarms_wish,
    leftover_alarms,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Accounts, Pair, RoleSettings
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish, applied, plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.render import as_results
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    pair_addresses,
    pair_removal_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import (
    Trail,
    key_hints,
    known_keys,
    selectors_address,
    trail_removal_wish,
    trail_wish,
)
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import (
    READING,
    Bucket,
    Call,
    FakeAws,
    Key,
    client_error,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    DR,
    EAST,
    KEYS,
    LOGS,
    PRIMARY,
    SETTINGS,
    TOPICS,
    TWO_ACCOUNTS,
    WEST,
    a_full_trail,
    a_pair,
    a_scheduled_drill,
    a_trail,
    address,
    drilled,
    everything,
    nothing,
    told_of_a_pair,
    two_way,
    wished,
)

SUBSCRIPTION = Subscription("https", "https://example.com:8443/alarm")
TOPIC_KEYS = {PRIMARY.region: KEYS[PRIMARY.bucket], DR.region: KEYS[DR.bucket]}
EVERYTHING: dict[str, Wish] = {
    "pair": wished(a_pair()),
    "two-way pair": wished(two_way()),
    "pair with everything": wished(everything(), TWO_ACCOUNTS),
    "trail": trail_wish(a_trail(), ACCOUNT),
    "trail with everything": trail_wish(a_full_trail(), ACCOUNT),
    "trail without key prefix": trail_wish(a_trail(key_prefix=""), ACCOUNT),
    "topics": topics_wish(Topics("s3-dr-alarms", (EAST, WEST), (SUBSCRIPTION,), TOPIC_KEYS), ACCOUNT),
    "alarms": alarms_wish(two_way(), SETTINGS, ACCOUNT),
    "state, item and runbook": told_of_a_pair(),
    "scheduled drill": drilled(a_scheduled_drill(reserved_concurrency=5)),
    "alarms with one for all": alarms_wish(a_pair(), replace(SETTINGS, composite=True, ops_items=OpsItems()), ACCOUNT),
}


THEIR_POLICY = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Deny", "Principal": "*"}]}


def aws_with_keys() -> FakeAws:
    """An AWS that holds nothing but the keys of the pairs, which nobody here makes."""
    aws = FakeAws()
    aws.keys = {key: Key(json.dumps(THEIR_POLICY)) for key in KEYS.values()}
    return aws


@pytest.fixture
def aws() -> FakeAws:
    """An AWS with keys only."""
    return aws_with_keys()


def gateway_to(aws: FakeAws) -> Gateway:
    """A gateway to the fake that never waits."""
    time = Time()
    return Gateway(aws.client_for, time.sleep, time.clock)


@pytest.fixture
def gateway(aws: FakeAws) -> Gateway:
    """A gateway to the fake that never waits."""
    return gateway_to(aws)


def make(gateway: Gateway, wish: Wish, unwanted: Wish | None = None) -> None:
    """Observe, plan, carry out."""
    observed = gateway.observe([*wish, *(unwanted or {})])
    gateway.carry_out(plan(wish, observed, unwanted))


def left(gateway: Gateway, wish: Wish) -> list[dict[str, Any]]:
    """What a second run would do."""
    return as_results(plan(wish, gateway.observe(wish)))


def test_every_kind_has_a_row_and_a_row_without_a_kind_only_reads() -> None:
    """What has no kind is a fact that checks look at: no plan can change it."""
    assert set(KINDS) <= set(ROWS)
    for kind in set(ROWS) - set(KINDS):
        assert (ROWS[kind].write, ROWS[kind].remove) == (never_written, never_removed), kind
        assert (ROWS[kind].permissions["write"], ROWS[kind].permissions["remove"]) == ("", ""), kind


def test_every_row_names_a_permission_for_each_verb_that_its_plans_can_need() -> None:
    for kind, row in ROWS.items():
        assert row.permissions["read"], kind
        assert set(row.permissions) == {"read", "write", "remove"}, kind


@pytest.mark.parametrize("what", EVERYTHING)
def test_nothing_is_left_to_do_after_a_run(gateway: Gateway, what: str) -> None:
    make(gateway, EVERYTHING[what])
    assert left(gateway, EVERYTHING[what]) == []


@pytest.mark.parametrize("what", EVERYTHING)
def test_a_second_run_writes_nothing(aws: FakeAws, gateway: Gateway, what: str) -> None:
    make(gateway, EVERYTHING[what])
    aws.calls.clear()
    make(gateway, EVERYTHING[what])
    assert aws.writes() == []


@pytest.mark.parametrize("what", EVERYTHING)
def test_what_the_plan_predicts_is_what_aws_holds_afterwards(gateway: Gateway, what: str) -> None:
    wish = EVERYTHING[what]
    observed = gateway.observe(wish)
    steps = plan(wish, observed)
    gateway.carry_out(steps)
    assert sorted(gateway.done, key=steps.index) == list(steps)
    held = {a: KINDS[a.kind].canonical(d) for a, d in gateway.observe(wish).items() if d is not None}
    assert held == {a: KINDS[a.kind].canonical(d) for a, d in applied(steps, observed).items() if d is not None}


@pytest.mark.parametrize(
    "what",
    [
        "two-way pair",
        "pair with everything",
        "trail",
        "trail with everything",
        "topics",
        "alarms with one for all",
        "scheduled drill",
    ],
)
def test_a_run_killed_at_any_writing_call_and_started_again_converges(what: str) -> None:
    wish = EVERYTHING[what]
    for fatal in range(1, 1 + writes_of(wish)):
        aws = aws_with_keys()
        assert killed_at_write(aws, fatal, lambda gateway: make(gateway, wish)), fatal
        gateway = gateway_to(aws)
        make(gateway, wish)
        assert left(gateway, wish) == [], f"killed at its writing call {fatal}"


def writes_of(wish: Wish) -> int:
    """How many writing calls a whole run makes."""
    aws = aws_with_keys()
    make(gateway_to(aws), wish)
    return len(aws.writes())


def killed_at_write(aws: FakeAws, fatal: int, run: Any) -> bool:
    """Run until the given writing call, which does not happen, nor anything after it."""
    seen: list[Call] = []

    def interrupt(call: Call) -> None:
        seen.extend([call] if call.writes else [])
        if len(seen) >= fatal:
            raise Killed

    aws.interrupt = interrupt
    try:
        run(gateway_to(aws))
    except Killed:
        return True
    finally:
        aws.interrupt = lambda call: None
    return False


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize(("pair", "accounts"), [(two_way(), ACCOUNTS), (everything(), TWO_ACCOUNTS)])
def test_a_removal_killed_at_any_writing_call_and_started_again_leaves_nothing(pair: Pair, accounts: Accounts) -> None:
    fatal, survived = 0, True
    while survived:
        fatal += 1
        aws = aws_with_keys()
        make(gateway_to(aws), wished(pair, accounts))
        put_object(aws, PRIMARY.bucket, EAST)
        survived = killed_at_write(aws, fatal, lambda gateway: take_down(gateway, pair, accounts))
        take_down(gateway_to(aws), pair, accounts)
        assert (aws.buckets, aws.roles) == ({}, {}), f"killed at its writing call {fatal}"
        assert {key.policy for key in aws.keys.values()} == {json.dumps(THEIR_POLICY)}
    assert fatal > 8


def take_down(gateway: Gateway, pair: Pair, accounts: Accounts) -> None:
    """Remove the pair and its buckets."""
    buckets = [end.bucket for end in pair.ends()]
    unwanted = pair_removal_wish(pair, accounts, nothing(pair, accounts), buckets)
    observed = gateway.observe([*pair_addresses(pair, accounts), *unwanted])
    gateway.carry_out(plan({}, observed, pair_removal_wish(pair, accounts, observed, buckets)))


def put_object(aws: FakeAws, bucket: str, region: str) -> None:
    """One object in a bucket."""
    client = aws.client_for("s3", region)
    client.put_object(Bucket=bucket, Key="a key", Body=b"1", ExpectedBucketOwner=ACCOUNT.id)


@pytest.mark.parametrize("trail", [a_trail(), a_full_trail()], ids=["plain", "full"])
def test_a_trail_removal_killed_at_any_writing_call_and_started_again_leaves_nothing(trail: Trail) -> None:
    fatal, survived = 0, True
    while survived:
        fatal += 1
        aws = aws_with_keys()
        make(gateway_to(aws), trail_wish(trail, ACCOUNT))
        survived = killed_at_write(aws, fatal, remove_trail)
        remove_trail(gateway_to(aws))
        assert (aws.buckets, aws.trails) == ({}, {}), f"killed at its writing call {fatal}"
        assert {key.policy for key in aws.keys.values()} == {json.dumps(THEIR_POLICY)}
    assert fatal > 4


def remove_trail(gateway: Gateway, *, logs: bool = True) -> None:
    """What the module does for `state: absent`; which key the trail has, it finds out."""
    trail = a_trail()
    contents = [address("bucket_contents", LOGS.bucket)] if logs else []
    keys = known_keys(trail, ACCOUNT, gateway.observe(key_hints(trail, ACCOUNT)))
    observed = gateway.observe([*trail_wish(trail, ACCOUNT), *keys, *contents])
    unwanted = trail_removal_wish(trail, ACCOUNT, observed, delete_log_bucket=logs)
    gateway.carry_out(plan({}, observed, unwanted))


def test_alarms_of_both_directions_are_removed(aws: FakeAws, gateway: Gateway) -> None:
    make(gateway, alarms_wish(two_way(), SETTINGS, ACCOUNT))
    found = alarm_names(alarms_wish(two_way(), SETTINGS, ACCOUNT))
    make(gateway, {}, leftover_alarms(a_pair(), {}, found, ACCOUNT))
    assert aws.alarms == {}


def test_every_call_on_a_bucket_names_its_owner(aws: FakeAws, gateway: Gateway) -> None:
    pair = everything()
    make(gateway, wished(pair, TWO_ACCOUNTS))
    make(gateway, trail_wish(a_trail(), ACCOUNT))
    put_object(aws, PRIMARY.bucket, EAST)
    take_down(gateway, pair, TWO_ACCOUNTS)
    calls = [call for call in aws.calls if call.service == "s3" and call.operation != "CreateBucket"]
    assert {(call.params["Bucket"], call.params.get("ExpectedBucketOwner")) for call in calls} == {
        (bucket, account.id) for bucket, account in TWO_ACCOUNTS.items()
    }
    assert {
        "DeleteObjects",
        "PutObjectLockConfiguration",
        "DeleteBucket",
        "PutBucketReplication",
        "PutBucketPolicy",
    } <= {c.operation for c in calls}


def test_reading_never_writes(aws: FakeAws, gateway: Gateway) -> None:
    for wish in EVERYTHING.values():
        gateway.observe(wish)
    assert {call.operation for call in aws.calls if not call.operation.startswith(READING)} == set()


@pytest.mark.parametrize("what", EVERYTHING)
def test_what_does_not_exist_is_read_as_none(what: str) -> None:
    assert set(gateway_to(FakeAws()).observe(EVERYTHING[what]).values()) == {None}


def test_what_a_bucket_without_settings_holds_is_read_as_none(aws: FakeAws, gateway: Gateway) -> None:
    aws.buckets["example-orders"] = Bucket(EAST)
    kinds = (
        "bucket_versioning",
        "bucket_public_access_block",
        "bucket_policy",
        "bucket_replication",
        "bucket_contents",
        "bucket_object_lock",
        "bucket_lifecycle",
    )
    assert set(gateway.observe([address(kind) for kind in kinds]).values()) == {None}


def test_a_bucket_in_us_east_1_is_created_without_location_and_elsewhere_with_it(aws: FakeAws) -> None:
    make(gateway_to(aws), wished(a_pair()))
    assert {name: bucket.region for name, bucket in aws.buckets.items()} == {PRIMARY.bucket: EAST, DR.bucket: WEST}


def test_a_bucket_that_exists_is_never_created_again(aws: FakeAws, gateway: Gateway) -> None:
    aws.buckets = {PRIMARY.bucket: Bucket(EAST), DR.bucket: Bucket(WEST)}
    make(gateway, wished(a_pair()))
    assert "CreateBucket" not in {call.operation for call in aws.calls}


def test_only_what_differs_of_a_role_is_written(aws: FakeAws, gateway: Gateway) -> None:
    boundary = "arn:aws:iam::111122223333:policy/fence"
    wish = wished(a_pair(roles=RoleSettings(permissions_boundary=boundary)))
    make(gateway, wish)
    role = aws.roles["s3-dr-orders-to-us-west-2"].document
    for field, value, operation in (
        ("AssumeRolePolicyDocument", '{"Version": "2012-10-17", "Statement": []}', "UpdateAssumeRolePolicy"),
        ("Description", "changed by hand", "UpdateRole"),
        ("PermissionsBoundary", "arn:aws:iam::aws:policy/Other", "PutRolePermissionsBoundary"),
        ("Tags", [{"Key": "managed-by", "Value": "crossregion.s3_dr"}, {"Key": "team", "Value": "red"}], "TagRole"),
    ):
        role[field] = value
        aws.calls.clear()
        make(gateway, wish)
        assert [call.operation for call in aws.writes()] == [operation]
        assert left(gateway, wish) == []
    assert {"Key": "team", "Value": "red"} in role["Tags"]
    assert role["PermissionsBoundary"] == boundary


def test_a_boundary_that_a_pair_does_not_name_is_kept(aws: FakeAws, gateway: Gateway) -> None:
    make(gateway, wished(a_pair()))
    role = aws.roles["s3-dr-orders-to-us-west-2"].document
    role["PermissionsBoundary"] = "arn:aws:iam::aws:policy/Theirs"
    assert left(gateway, wished(a_pair())) == []


def test_a_changed_trail_is_updated_and_keeps_its_other_tags(aws: FakeAws, gateway: Gateway) -> None:
    make(gateway, trail_wish(a_trail(), ACCOUNT))
    trail = aws.trails["s3-dr", EAST]
    trail.settings["LogFileValidationEnabled"] = False
    trail.tags["team"] = "red"
    make(gateway, trail_wish(a_trail(), ACCOUNT))
    assert trail.settings["LogFileValidationEnabled"] is True
    assert trail.tags == {**owner_tags(), "team": "red"}


def test_a_trail_that_is_at_home_elsewhere_says_where_and_nothing_else(aws: FakeAws, gateway: Gateway) -> None:
    make(gateway, trail_wish(a_trail(), ACCOUNT))
    there = address("trail", "s3-dr", WEST)
    assert gateway.observe([there]) == {there: {"HomeRegion": EAST, "Tags": {}}}
    trails = address("trails", "of the Region", WEST)
    place = {"HomeRegion": EAST, "S3BucketName": LOGS.bucket, "S3KeyPrefix": "s3-dr"}
    assert gateway.observe([trails]) == {trails: {"Trails": [{"Name": "s3-dr", **place}]}}


def test_a_trail_keeps_the_key_that_is_not_spoken_of(aws: FakeAws, gateway: Gateway) -> None:
    make(gateway, trail_wish(a_full_trail(), ACCOUNT))
    make(gateway, trail_wish(a_trail(key_prefix="other"), ACCOUNT, {address("bucket_encryption", LOGS.bucket): {}}))
    settings = aws.trails["s3-dr", EAST].settings
    assert (settings["KmsKeyId"], settings["S3KeyPrefix"]) == (KEYS[LOGS.bucket], "other")


def test_a_trail_that_nobody_else_selects_for_gets_back_the_selector_that_cloudtrail_gave_it(
    aws: FakeAws, gateway: Gateway
) -> None:
    make(gateway, trail_wish(a_trail(), ACCOUNT))
    at = selectors_address(a_trail(), ACCOUNT)
    make(gateway, {}, {at: trail_wish(a_trail(), ACCOUNT)[at]})
    basic = {"ReadWriteType": "All", "IncludeManagementEvents": True}
    assert aws.trails["s3-dr", EAST].selectors == {"EventSelectors": [basic]}


def test_lifecycle_rules_of_others_keep_the_size_below_which_nothing_moves(aws: FakeAws, gateway: Gateway) -> None:
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 1}}
    held = {"Rules": [theirs], "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    aws.buckets[LOGS.bucket] = Bucket(EAST, lifecycle=held)
    at = address("bucket_lifecycle", LOGS.bucket)
    ours = trail_wish(a_full_trail(), ACCOUNT)[at]
    make(gateway, {at: ours})
    assert aws.buckets[LOGS.bucket].lifecycle == {**held, "Rules": [theirs, *ours["Rules"]]}
    make(gateway, {}, {at: ours})
    assert aws.buckets[LOGS.bucket].lifecycle == held


def test_a_lifecycle_rule_of_the_old_schema_gets_a_filter_of_the_same_meaning(aws: FakeAws, gateway: Gateway) -> None:
    theirs = {"ID": "theirs", "Status": "Enabled", "Expiration": {"Days": 1}}
    aws.buckets[LOGS.bucket] = Bucket(EAST, lifecycle={"Rules": [{**theirs, "Prefix": "x/"}]})
    at = address("bucket_lifecycle", LOGS.bucket)
    ours = trail_wish(a_full_trail(), ACCOUNT)[at]
    make(gateway, {at: ours})
    held = aws.buckets[LOGS.bucket].lifecycle or {}
    assert held["Rules"] == [{**theirs, "Filter": {"Prefix": "x/"}}, *ours["Rules"]]


def test_what_is_ours_goes_into_a_foreign_bucket_policy_and_out_again(aws: FakeAws, gateway: Gateway) -> None:
    foreign = THEIR_POLICY
    aws.buckets[LOGS.bucket] = Bucket(EAST, policy=json.dumps(foreign))
    make(gateway, trail_wish(a_trail(), ACCOUNT))
    assert foreign["Statement"][0] in json.loads(aws.buckets[LOGS.bucket].policy or "")["Statement"]
    remove_trail(gateway, logs=False)
    assert json.loads(aws.buckets[LOGS.bucket].policy or "") == foreign


def test_a_topic_keeps_the_policy_that_sns_gave_it(aws: FakeAws, gateway: Gateway) -> None:
    aws.client_for("sns", EAST).create_topic(Name="s3-dr-alarms")
    make(gateway, topics_wish(TOPICS, ACCOUNT))
    policy = json.loads(aws.topics[f"arn:aws:sns:{EAST}:{ACCOUNT.id}:s3-dr-alarms"].policy)
    assert [statement["Sid"] for statement in policy["Statement"]] == ["__default_statement_ID", "S3DrAlarmsPublish"]


def test_a_subscription_is_found_again_and_made_only_once(aws: FakeAws, gateway: Gateway) -> None:
    wish = topics_wish(Topics("s3-dr-alarms", (EAST,), (SUBSCRIPTION,)), ACCOUNT)
    make(gateway, wish)
    make(gateway, wish)
    topic = aws.topics[f"arn:aws:sns:{EAST}:{ACCOUNT.id}:s3-dr-alarms"]
    assert topic.subscriptions == [{"Protocol": "https", "Endpoint": "https://example.com:8443/alarm"}]


def test_an_alarm_is_read_without_what_cloudwatch_adds(aws: FakeAws, gateway: Gateway) -> None:
    wish = alarms_wish(a_pair(), SETTINGS, ACCOUNT)
    make(gateway, wish)
    assert gateway.observe(wish) == wish


def test_the_alarms_that_notify_a_topic_are_found_whoever_made_them(aws: FakeAws) -> None:
    topic = f"arn:aws:sns:{EAST}:{ACCOUNT.id}:s3-dr-alarms"
    none: dict[str, list[str]] = {"AlarmActions": [], "OKActions": [], "InsufficientDataActions": []}
    for kind in none:
        aws.alarms[kind, EAST] = {"AlarmName": kind, **none, kind: [topic]}
    aws.alarms["other", EAST] = {"AlarmName": "other", **none, "AlarmActions": [f"{topic}-2"]}
    aws.alarms["elsewhere", WEST] = {"AlarmName": "elsewhere", **none, "AlarmActions": [topic]}
    assert sorted(alarms_notifying(aws.client_for("cloudwatch", EAST), topic)) == sorted(none)
    aws.log_alarms["log", EAST] = {"AlarmName": "log", "AlarmActions": [topic]}
    assert sorted(alarms_notifying(aws.client_for("cloudwatch", EAST), topic)) == sorted([*none, "log"])


def test_where_nobody_knows_alarms_on_logs_the_others_are_found(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an older SDK nor a partition that AWS has not brought them to."""
    topic = f"arn:aws:sns:{EAST}:{ACCOUNT.id}:s3-dr-alarms"
    aws.alarms["theirs", EAST] = {"AlarmName": "theirs", "AlarmActions": [topic]}
    client = aws.client_for("cloudwatch", EAST)

    def no_such_type(call: Call) -> None:
        if "LogAlarm" in call.params["AlarmTypes"]:
            raise client_error("ValidationError", "1 validation error detected: Value '[LogAlarm]'")

    aws.interrupt = no_such_type
    assert alarms_notifying(client, topic) == ["theirs"]
    aws.calls.clear()
    monkeypatch.setattr(client.meta.service_model, "shape_for", lambda name: SimpleNamespace(enum=["MetricAlarm"]))
    assert alarms_notifying(client, topic) == ["theirs"]
    assert [call.params["AlarmTypes"] for call in aws.calls] == [["MetricAlarm", "CompositeAlarm"]]


@pytest.mark.parametrize("code", ["AccessDenied", "InternalFailure"])
def test_alarms_on_logs_that_cannot_be_read_are_no_missing_ones(aws: FakeAws, code: str) -> None:
    def refuse(call: Call) -> None:
        if "LogAlarm" in call.params["AlarmTypes"]:
            raise client_error(code, "no", call.operation)

    aws.interrupt = refuse
    with pytest.raises(ClientError, match=code):
        alarms_notifying(aws.client_for("cloudwatch", EAST), "arn:aws:sns:us-east-1:111122223333:s3-dr-alarms")


def test_removing_the_last_pair_stops_the_trail_before_it_is_deleted(aws: FakeAws, gateway: Gateway) -> None:
    make(gateway, trail_wish(a_trail(), ACCOUNT))
    aws.calls.clear()
    remove_trail(gateway)
    order = [call.operation for call in aws.writes()]
    assert order.index("StopLogging") < order.index("DeleteTrail") < order.index("DeleteBucket")


def test_foreign_rules_are_written_back_without_what_s3_refuses(aws: FakeAws, gateway: Gateway) -> None:
    wish = wished(a_pair())
    make(gateway, wish)
    foreign = copy.deepcopy(aws.buckets[PRIMARY.bucket].replication)
    assert foreign is not None
    foreign["Rules"][0] |= {"ID": "theirs", "Priority": 9, "ExistingObjectReplication": {"Status": "Disabled"}}
    aws.buckets[PRIMARY.bucket].replication = foreign
    make(gateway, wish)
    held: Observed = gateway.observe([address("bucket_replication")])
    rules = (held[address("bucket_replication")] or {})["Rules"]
    assert [rule["ID"] for rule in rules] == ["theirs", "s3-dr-orders"]
    assert "ExistingObjectReplication" not in rules[0]


def test_a_missing_thing_is_not_mistaken_for_a_refused_one(aws: FakeAws, gateway: Gateway) -> None:
    aws.buckets["example-orders"] = Bucket(EAST, owner="999999999999")
    with pytest.raises(Exception, match="AccessDenied"):
        gateway.observe([address("bucket_policy")])
    assert client_error("NoSuchBucketPolicy").response["Error"]["Code"] in ROWS["bucket_policy"].missing
