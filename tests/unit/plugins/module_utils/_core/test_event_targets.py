# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Each source tells its failures to a queue or topic beside it, which lets in S3 for that bucket and nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.event_targets import (
    EventSettings,
    encryption_addresses,
    event_addresses,
    event_targets,
    events_leftovers,
    events_notes,
    events_wish,
    notification_addresses,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import canonical
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Accounts,
    Address,
    Direction,
    Document,
    InvalidInput,
    Observation,
    Pair,
    Refused,
    Rule,
    Step,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, applied, plan
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    DR,
    EAST,
    PRIMARY,
    TWO_ACCOUNTS,
    WEST,
    a_pair,
    address,
    two_way,
)
from ansible_collections.crossregion.s3_dr.tests.unit.strategies import Declared

QUEUES = EventSettings()
TOPICS = EventSettings("sns")
KEY = f"arn:aws:kms:{EAST}:{ACCOUNT.id}:key/of-events"
QUEUE = f"arn:aws:sqs:{EAST}:{ACCOUNT.id}:s3-dr-events"


def steps(
    pair: Pair, settings: EventSettings, world: Observed, accounts: Accounts = ACCOUNTS, present: bool = True
) -> tuple[Step, ...]:
    """What a run of the module would do."""
    seen = {at: world.get(at) for at in notification_addresses(pair, accounts)}
    seen |= {at: world.get(at) for at in encryption_addresses(pair, settings, accounts, seen)}
    observed = {at: world.get(at) for at in event_addresses(pair, settings, accounts, seen)}
    wish = events_wish(pair, settings, accounts, observed) if present else {}
    return plan(wish, observed, events_leftovers(pair, settings, accounts, observed, wish))


def run(pair: Pair, settings: EventSettings, world: Observed, accounts: Accounts = ACCOUNTS) -> Observed:
    """What AWS holds after a run."""
    return applied(steps(pair, settings, world, accounts), world)


def removed(pair: Pair, settings: EventSettings, world: Observed, accounts: Accounts = ACCOUNTS) -> Observed:
    """What AWS holds after a removal."""
    return applied(steps(pair, settings, world, accounts, present=False), world)


def there(world: Observed) -> dict[Address, Document]:
    """What exists, by meaning."""
    found = {at: canonical(at.kind, document) for at, document in world.items()}
    return {at: document for at, document in found.items() if document}


def test_the_source_tells_a_queue_beside_it_that_lets_in_s3_for_this_bucket_of_this_account() -> None:
    assert events_wish(a_pair(), QUEUES, ACCOUNTS, {}) == {
        address("bucket_notification"): {
            "QueueConfigurations": [
                {"Id": "s3-dr/orders/replication", "QueueArn": QUEUE, "Events": ["s3:Replication:*"]}
            ]
        },
        address("sqs_queue", "s3-dr-events"): {
            "Tags": owner_tags(),
            "Attributes": {"MessageRetentionPeriod": "1209600"},
        },
        address("sqs_queue_policy", "s3-dr-events"): {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "S3DrEventse6732785",
                    "Effect": "Allow",
                    "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": QUEUE,
                    "Condition": {
                        "ArnLike": {"aws:SourceArn": "arn:aws:s3:::example-orders"},
                        "StringEquals": {"aws:SourceAccount": ACCOUNT.id},
                    },
                }
            ],
            "Removed": ["S3DrEvents1b9a0c48"],
        },
    }


def test_both_ways_each_end_has_its_own_in_its_own_region_and_account() -> None:
    wish = events_wish(two_way(), TOPICS, TWO_ACCOUNTS, {})
    topics = {(at.region, at.account) for at in wish if at.kind == "sns_topic"}
    assert topics == {(EAST, ACCOUNT.id), (WEST, TWO_ACCOUNTS[DR.bucket].id)}
    assert event_targets(two_way(), TOPICS, TWO_ACCOUNTS) == {
        PRIMARY.bucket: f"arn:aws:sns:{EAST}:{ACCOUNT.id}:s3-dr-events",
        DR.bucket: f"arn:aws:sns:{WEST}:{TWO_ACCOUNTS[DR.bucket].id}:s3-dr-events",
    }


def test_a_key_lets_s3_in_for_the_account_and_encrypts() -> None:
    settings = EventSettings(kms_key_arns={EAST: KEY, "eu-central-1": KEY.replace(EAST, "eu-central-1")})
    wish = events_wish(two_way(), settings, ACCOUNTS, {})
    assert wish[address("sqs_queue_encryption", "s3-dr-events")] == {"KmsMasterKeyId": KEY}
    (statement,) = wish[Address("kms_key_policy", KEY, EAST, ACCOUNT.id)]["Statement"]
    assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT.id}}
    assert [at.region for at in wish if at.kind in ("kms_key_policy", "sqs_queue_encryption")] == [EAST, EAST]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "lambda"}, "'lambda'"),
        ({"name": "events.fifo"}, "FIFO"),
        ({"name": "a" * 81}, "1 to 80"),
        ({"target": "sns", "name": "a" * 257}, "1 to 256"),
        ({"name": ""}, "another name"),
        ({"kms_key_arns": {EAST: "alias/aws/sqs"}}, "alias/aws/sqs"),
        ({"kms_key_arns": {WEST: KEY}}, f"is in {EAST}"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        EventSettings(**changes)


def test_a_key_of_another_account_is_refused() -> None:
    key = KEY.replace(ACCOUNT.id, "999988887777")
    with pytest.raises(InvalidInput, match="999988887777"):
        events_wish(a_pair(), EventSettings(kms_key_arns={EAST: key}), ACCOUNTS, {})


def test_an_end_without_credentials_is_left_and_said() -> None:
    accounts = {**ACCOUNTS, DR.bucket: Account("222233334444", ours=False)}
    assert {at.account for at in event_addresses(two_way(), QUEUES, accounts, {})} == {ACCOUNT.id}
    assert list(event_targets(two_way(), QUEUES, accounts)) == [PRIMARY.bucket]
    (said,) = events_notes(two_way(), accounts, {})
    assert DR.bucket in said
    assert "222233334444" in said


def test_a_rule_without_metrics_is_said() -> None:
    rules = (Rule("loud"), Rule("quiet", 2, observation=Observation.NONE), Rule("off", 3, enabled=False))
    (said,) = events_notes(a_pair(rules=rules), ACCOUNTS, {})
    assert "'quiet'" in said


def test_another_pair_of_the_same_source_tells_for_both() -> None:
    world = run(a_pair(), QUEUES, {})
    second = a_pair(name="archive", dr=replace(DR, bucket="example-orders-archive"))
    accounts = {**ACCOUNTS, "example-orders-archive": ACCOUNT}
    assert steps(second, QUEUES, world, accounts) == ()
    (said,) = events_notes(second, accounts, world)
    assert "pair 'orders'" in said
    alone = removed(a_pair(), QUEUES, world)
    assert steps(second, QUEUES, alone, accounts) != ()


def test_somebody_elses_notification_of_the_same_events_is_refused() -> None:
    theirs = {"Id": "x", "LambdaFunctionArn": "arn:f", "Events": ["s3:Replication:OperationFailedReplication"]}
    world = {address("bucket_notification"): {"LambdaFunctionConfigurations": [theirs]}}
    with pytest.raises(Refused, match="'x' sends"):
        steps(a_pair(), QUEUES, world)
    assert steps(a_pair(), QUEUES, world, present=False) == ()


def test_two_pairs_share_a_queue_and_the_last_takes_it_away() -> None:
    second = a_pair(name="invoices", primary=replace(PRIMARY, bucket="example-invoices"))
    accounts = {**ACCOUNTS, "example-invoices": ACCOUNT}
    settings = EventSettings(kms_key_arns={EAST: KEY})
    key = Address("kms_key_policy", KEY, EAST, ACCOUNT.id)
    world: Observed = {key: {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs"}]}}
    both = run(second, settings, run(a_pair(), settings, world), accounts)
    assert steps(a_pair(), settings, both) == ()
    one = removed(a_pair(), settings, both)
    assert {at.kind for at in there(one)} == {
        "bucket_notification", "kms_key_policy", "sqs_queue", "sqs_queue_encryption", "sqs_queue_policy"
    }  # fmt: skip
    assert len((one[key] or {})["Statement"]) == 2
    assert steps(second, settings, one, accounts) == ()
    none = removed(second, settings, one, accounts)
    assert one[key] != none[key] == world[key]
    assert {at.kind for at in there(none)} - {"sqs_queue_encryption", "sqs_queue_policy"} == {"kms_key_policy"}


def test_a_queue_that_lets_others_in_or_is_not_ours_stays() -> None:
    queue, policy = address("sqs_queue", "s3-dr-events"), address("sqs_queue_policy", "s3-dr-events")
    theirs = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow"}]}
    for world in (
        {queue: {"Tags": {}}},
        {queue: {"Tags": owner_tags()}, policy: theirs},
        {queue: {"Tags": {}}, policy: theirs},
    ):
        after = removed(a_pair(), QUEUES, run(a_pair(), QUEUES, world))
        assert there(after) == there(world)


def test_a_topic_keeps_the_statement_that_sns_gave_it_and_goes_with_it() -> None:
    topic, policy = address("sns_topic", "s3-dr-events"), address("sns_topic_policy", "s3-dr-events")
    default = {"Version": "2008-10-17", "Statement": [{"Sid": "__default_statement_ID", "Effect": "Allow"}]}
    world = run(a_pair(), TOPICS, {topic: {"Tags": owner_tags()}, policy: default})
    assert len((world[policy] or {})["Statement"]) == 2
    assert removed(a_pair(), TOPICS, world)[topic] is None
    alarms = {**default, "Statement": [*default["Statement"], {"Sid": "S3DrAlarmsPublish", "Effect": "Allow"}]}
    shared = run(a_pair(), TOPICS, {topic: {"Tags": owner_tags()}, policy: alarms})
    left = removed(a_pair(), TOPICS, shared)
    assert left[topic] is not None
    assert canonical("sns_topic_policy", left[policy]) == canonical("sns_topic_policy", alarms)


@pytest.mark.parametrize("settings", [QUEUES, TOPICS, EventSettings(name="others")])
def test_a_pair_that_becomes_one_way_or_moves_leaves_nothing_behind(settings: EventSettings) -> None:
    one_way = a_pair()
    moved = run(one_way, settings, run(two_way(), QUEUES, {}))
    gone = {at for at in moved if at.kind in ("sqs_queue_policy", "sns_topic_policy")}  # AWS drops it with the thing
    alone = run(one_way, settings, {})
    assert {at: d for at, d in there(moved).items() if at not in gone} == {
        at: d for at, d in there(alone).items() if at not in gone
    }


HELD = st.sampled_from(
    [
        None,
        {"EventBridgeConfiguration": {}},
        {"TopicConfigurations": [{"Id": "t", "TopicArn": "arn:t", "Events": ["s3:ObjectCreated:*"]}]},
    ]
)
SETTINGS = st.sampled_from([QUEUES, TOPICS, EventSettings("sqs", "others")])


@given(st.data(), strategies.declared(), SETTINGS, SETTINGS)
def test_build_change_and_removal_leave_what_was_foreign(
    data: st.DataObject, found: Declared, before: EventSettings, after: EventSettings
) -> None:
    pair, accounts = found
    world = {at: data.draw(HELD) for at in notification_addresses(pair, accounts)}
    built = run(pair, before, world, accounts)
    assert steps(pair, before, built, accounts) == ()
    moved = run(pair, after, built, accounts)
    assert steps(pair, after, moved, accounts) == ()
    left = removed(pair, before, moved, accounts)
    assert {at: d for at, d in there(left).items() if not at.kind.endswith("_policy")} == there(world)


@given(strategies.declared(), SETTINGS)
def test_a_run_killed_after_any_step_converges_and_changes_only_accounts_that_are_ours(
    found: Declared, settings: EventSettings
) -> None:
    pair, accounts = found
    whole = steps(pair, settings, {}, accounts)
    end = there(applied(whole, {}))
    ours = {account.id for account in accounts.values() if account.ours}
    assert {step.address.account for step in whole} <= ours
    for done in range(len(whole) + 1):
        assert there(run(pair, settings, applied(whole[:done], {}), accounts)) == end


def test_an_old_direction_is_found_by_the_notification_that_points_elsewhere() -> None:
    """Somebody tears down with other settings than those of the set-up."""
    world = run(a_pair(direction=Direction.TWO_WAY), EventSettings("sns", "old"), {})
    left = there(removed(a_pair(), QUEUES, world))
    assert {at.kind for at in left} <= {"sns_topic_policy"}
