# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Each Region has a topic that its alarms may notify, encrypted with a key that they may use, and somebody is told."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import (
    Subscription,
    Topics,
    Users,
    encryption_addresses,
    former_key_policies,
    key_policies,
    topics_notes,
    topics_removal_wish,
    topics_wish,
    without_unseen,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import AlarmSettings, topic_arn
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    UNSEEN,
    Address,
    Document,
    InvalidInput,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, applied, plan
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    EAST,
    OTHER,
    TOPICS,
    WEST,
    address,
)

KEY = f"arn:aws:kms:{EAST}:{ACCOUNT.id}:key/1234abcd"
KEY_POLICY = address("kms_key_policy", KEY)
ENCRYPTED = Topics("s3-dr-alarms", (EAST, WEST), kms_key_arns={EAST: KEY})
ENCRYPTION = address("sns_topic_encryption", "s3-dr-alarms")
OURS: Document = {"Tags": {"managed-by": "crossregion.s3_dr"}}
THEIRS: Document = {"Version": "2012-10-17", "Statement": [{"Sid": "Root", "Effect": "Allow", "Action": "kms:*"}]}


def test_each_region_has_a_topic_that_only_its_own_alarms_may_notify() -> None:
    wish = topics_wish(TOPICS, ACCOUNT)
    for region in (EAST, WEST):
        assert wish[address("sns_topic", "s3-dr-alarms", region)] == {"Tags": {"managed-by": "crossregion.s3_dr"}}
        (statement,) = wish[address("sns_topic_policy", "s3-dr-alarms", region)]["Statement"]
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert statement["Action"] == "SNS:Publish"
        assert statement["Resource"] == topic_arn("s3-dr-alarms", region, ACCOUNT)
        assert statement["Condition"] == {
            "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{region}:111122223333:alarm:*"},
            "StringEquals": {"aws:SourceAccount": "111122223333"},
        }


def test_a_subscription_is_to_the_topic_of_every_region_or_of_its_own() -> None:
    everywhere, here = Subscription("email", "a@example.com"), Subscription("sms", "+100", WEST)
    wish = topics_wish(Topics("s3-dr-alarms", (EAST, WEST), (everywhere, here)), ACCOUNT)
    assert sorted((at.name, at.region) for at in wish if at.kind == "sns_subscription") == [
        ("s3-dr-alarms:email:a@example.com", EAST),
        ("s3-dr-alarms:email:a@example.com", WEST),
        ("s3-dr-alarms:sms:+100", WEST),
    ]


BAD_TOPICS: dict[str, tuple[Any, str]] = {
    "no name": (lambda: Topics("", (EAST,)), "topic ''.*Choose another name"),
    "a FIFO topic": (lambda: Topics("alarms.fifo", (EAST,)), "topic 'alarms.fifo'.*Choose another name"),
    "a long name": (lambda: Topics("a" * 257, (EAST,)), "Choose another name"),
    "settings with a bad name": (lambda: AlarmSettings("a b"), "topic 'a b'.*Choose another name"),
    "a bad Region": (lambda: Topics("alarms", ("east",)), "topic 'alarms': 'east' is not a Region's name"),
    "a bad protocol": (lambda: Subscription("pigeon", "me"), "no protocol 'pigeon'. Choose one of email, "),
    "no endpoint": (lambda: Subscription("email", ""), "by email has no endpoint. Name an address"),
    "a key without topic": (lambda: Topics("a", (EAST,), (), {WEST: KEY}), "no topic 'a' is wished in 'us-west-2'"),
    "a key elsewhere": (lambda: Topics("a", (WEST,), (), {WEST: KEY}), f"the key {KEY} is in us-east-1.*the replica"),
    "AWS's key": (lambda: Topics("a", (EAST,), (), {EAST: "alias/aws/sns"}), "cannot notify.*Name a customer managed"),
    "AWS's key by ARN": (
        lambda: Topics("a", (EAST,), (), {EAST: f"arn:aws:kms:{EAST}:{ACCOUNT.id}:alias/aws/sns"}),
        "nobody can let CloudWatch use that key",
    ),
    "an alias": (lambda: Topics("a", (EAST,), (), {EAST: "alias/mine"}), "is not the ARN of a KMS key. Write arn:aws"),
    "a Region without topic": (
        lambda: Topics("alarms", (EAST,), (Subscription("sms", "+100", WEST),)),
        "no topic 'alarms' is wished in us-west-2. Correct its `region`; the topics are in us-east-1",
    ),
}


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@example.com",
        "http://user:hunter2@example.com:8443/x?y#z",
        "HTTPS://:hunter2@example.com/x@y",
        "https://a@b:hunter2@example.com",
        "https://user:hunt@hunter2:@example.com",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"subscription by https to example.com.*Take it out of the URL") as refused:
        Subscription("https", url)
    assert "hunt" not in str(refused.value)


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("https", "https://example.com:8443/hooks/a:b@c?token=d:e@f"),
        ("https", "https://user@example.com/x"),
        ("sqs", "arn:aws:sqs:us-east-1:111122223333:alarms"),
        ("email", "a@example.com"),
    ],
)
def test_what_only_looks_like_a_password_is_none(protocol: str, endpoint: str) -> None:
    assert Subscription(protocol, endpoint).endpoint == endpoint


@pytest.mark.parametrize(("make", "said"), BAD_TOPICS.values(), ids=BAD_TOPICS)
def test_bad_topics_are_refused(make: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make()


def leaving_regions(using: dict[str, list[str]], *pairs: str) -> set[str]:
    """The Regions whose topics go."""
    there = dict.fromkeys([address("sns_topic", "s3-dr-alarms", region) for region in (EAST, WEST)], OURS)
    unwanted = topics_removal_wish(TOPICS, ACCOUNT, Users(using, pairs), there)
    assert {at.kind for at in unwanted} <= {"sns_topic"}, "its policy and its subscriptions go with it"
    return {at.region for at in unwanted}


def test_a_topic_goes_when_only_alarms_of_leaving_pairs_notify_it() -> None:
    using = {EAST: ["s3-dr/orders/b/r/failed", "s3-dr/invoices/b/r/failed"], WEST: []}
    assert leaving_regions(using, "orders", "invoices") == {EAST, WEST}
    assert leaving_regions(using, "orders") == {WEST}
    assert leaving_regions(using) == {WEST}


@pytest.mark.parametrize(
    "other",
    ["s3-dr/orders-eu/b/r/failed", "s3-dr/orderss/b/r/failed", "s3-dr/orders", "orders", "my own alarm"],
)
def test_a_pair_whose_name_only_begins_alike_keeps_its_topic(other: str) -> None:
    assert leaving_regions({EAST: [other], WEST: []}, "orders") == {WEST}


def test_a_topic_is_its_regions_alone() -> None:
    here, there = Subscription("email", "a@example.com"), Subscription("sms", "+100", WEST)
    topics = Topics("s3-dr-alarms", (EAST, WEST), (here, there), {EAST: KEY})
    assert topics.only(EAST) == Topics("s3-dr-alarms", (EAST,), (here,), {EAST: KEY})
    assert topics.only(WEST) == Topics("s3-dr-alarms", (WEST,), (here, there))


# --- encryption ----------------------------------------------------------------------------------------------


def build(topics: Topics, there: Observed) -> tuple[list[Address], Observed]:
    """Where something is done, and what is there after it."""
    wish = topics_wish(topics, ACCOUNT)
    observed = {**dict.fromkeys([*wish, *encryption_addresses(topics, ACCOUNT)]), **there}
    steps = plan(without_unseen(wish, observed), observed)
    return [step.address for step in steps], applied(steps, observed)


def test_a_key_lets_cloudwatch_and_s3_in_before_the_topic_is_encrypted_with_it() -> None:
    done, there = build(ENCRYPTED, {KEY_POLICY: THEIRS})
    assert [at for at in done if at in (KEY_POLICY, ENCRYPTION)] == [KEY_POLICY, ENCRYPTION]
    assert there[ENCRYPTION] == {"KmsMasterKeyId": KEY}
    statements = (there[KEY_POLICY] or {})["Statement"]
    assert statements[0] == THEIRS["Statement"][0]
    (ours,) = statements[1:]
    assert ours["Sid"].startswith("S3DrTopic")
    assert ours["Sid"].isalnum()
    assert ours["Principal"] == {"Service": ["cloudwatch.amazonaws.com", "s3.amazonaws.com"]}
    assert ours["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert ours["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT.id}}
    assert build(ENCRYPTED, there)[0] == []


def test_two_topics_of_one_key_have_a_statement_each() -> None:
    more = Topics("more", (EAST,), kms_key_arns={EAST: KEY})
    _done, there = build(more, build(ENCRYPTED, {KEY_POLICY: THEIRS})[1])
    assert len((there[KEY_POLICY] or {})["Statement"]) == 3
    unwanted = topics_removal_wish(more, ACCOUNT, Users({EAST: []}), there)
    left = applied(plan({}, there, unwanted), there)
    assert left[KEY_POLICY] == build(ENCRYPTED, {KEY_POLICY: THEIRS})[1][KEY_POLICY]


@pytest.mark.parametrize("topics", [ENCRYPTED, TOPICS], ids=["named again", "not named"])
def test_a_topic_that_goes_leaves_the_key_as_it_was(topics: Topics) -> None:
    there = build(ENCRYPTED, {KEY_POLICY: THEIRS})[1]
    unwanted = topics_removal_wish(topics, ACCOUNT, Users({EAST: [], WEST: []}), there)
    steps = plan({}, there, unwanted)
    left = applied(steps, there)
    assert left[KEY_POLICY] == THEIRS
    assert left[address("sns_topic", "s3-dr-alarms")] is None
    assert steps[-1].address == KEY_POLICY, "the topic goes first, so that no alarm finds it without its key"


def test_a_topic_that_stays_keeps_its_key() -> None:
    there = build(ENCRYPTED, {KEY_POLICY: THEIRS})[1]
    unwanted = topics_removal_wish(ENCRYPTED, ACCOUNT, Users({EAST: ["somebody's"], WEST: []}), there)
    assert {at.region for at in unwanted} == {WEST}
    publish = {"Sid": "BudgetsPublish", "Effect": "Allow"}
    at = address("sns_topic_policy", "s3-dr-alarms")
    shared = {**there, at: {**(there[at] or {}), "Statement": [publish]}}
    unwanted = topics_removal_wish(ENCRYPTED, ACCOUNT, Users({EAST: [], WEST: []}), shared)
    assert {one.kind for one in unwanted if one.region == EAST} == {"sns_topic_policy"}


@pytest.mark.parametrize("former", ["alias/mine", "1234abcd", KEY.replace(ACCOUNT.id, OTHER.id), None])
def test_a_former_key_that_the_collection_did_not_choose_is_left_alone(former: str | None) -> None:
    there: Observed = {ENCRYPTION: {"KmsMasterKeyId": former} if former else None, KEY_POLICY: THEIRS}
    assert former_key_policies(ENCRYPTED, ACCOUNT, there) == {}


def test_a_key_of_another_account_is_used_and_its_policy_is_told() -> None:
    key = KEY.replace(ACCOUNT.id, OTHER.id)
    topics = Topics("s3-dr-alarms", (EAST,), kms_key_arns={EAST: key})
    assert topics_wish(topics, ACCOUNT)[ENCRYPTION] == {"KmsMasterKeyId": key}
    assert key_policies(topics, ACCOUNT, {}) == []
    (note,) = topics_notes(topics, ACCOUNT, {})
    assert key in note
    assert "kms:GenerateDataKey* where aws:SourceAccount is 111122223333" in note


def test_a_key_policy_that_may_not_be_read_is_left_alone_and_told() -> None:
    there: Observed = {KEY_POLICY: {UNSEEN: "not allowed"}}
    assert key_policies(ENCRYPTED, ACCOUNT, there) == [KEY_POLICY]
    assert KEY_POLICY not in build(ENCRYPTED, there)[0]
    (note,) = topics_notes(ENCRYPTED, ACCOUNT, there)
    assert f"may not read the policy of the key {KEY}" in note


def test_a_topic_keeps_the_encryption_that_it_has_unless_another_is_named() -> None:
    there: Observed = {ENCRYPTION: {"KmsMasterKeyId": "alias/mine"}, KEY_POLICY: THEIRS}
    assert build(TOPICS, there)[1][ENCRYPTION] == {"KmsMasterKeyId": "alias/mine"}
    assert build(ENCRYPTED, there)[1][ENCRYPTION] == {"KmsMasterKeyId": KEY}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("alias/aws/sns", "which CloudWatch cannot use, so no alarm arrives by it. Name a customer managed key"),
        (f"arn:aws:kms:{EAST}:{ACCOUNT.id}:alias/aws/sns", "which CloudWatch cannot use"),
        ("alias/mine", "is encrypted with the key alias/mine, which is kept. See that its policy allows"),
    ],
)
def test_a_key_that_somebody_else_chose_is_told(key: str, said: str) -> None:
    (note,) = topics_notes(TOPICS, ACCOUNT, {ENCRYPTION: {"KmsMasterKeyId": key}})
    assert said in note


def test_nothing_is_told_of_a_key_that_is_seen_to() -> None:
    assert topics_notes(ENCRYPTED, ACCOUNT, {KEY_POLICY: THEIRS}) == []


# --- who is told ---------------------------------------------------------------------------------------------


def notes(protocol: str, endpoint: str, arn: str | None) -> list[str]:
    """What is said of a subscription that AWS holds, with this ARN, or does not hold yet."""
    topics = Topics("s3-dr-alarms", (EAST,), (Subscription(protocol, endpoint),))
    at = address("sns_subscription", f"s3-dr-alarms:{protocol}:{endpoint}")
    document = {"Protocol": protocol, "Endpoint": endpoint, "SubscriptionArn": arn}
    return topics_notes(topics, ACCOUNT, {at: None if arn is None else document})


@pytest.mark.parametrize("protocol", ["email", "email-json", "http", "https"])
@pytest.mark.parametrize("arn", [None, "PendingConfirmation"])
def test_who_has_not_confirmed_is_named(protocol: str, arn: str | None) -> None:
    (note,) = notes(protocol, "https://example.com", arn)
    assert note.startswith("https://example.com hears nothing from arn:aws:sns:us-east-1:111122223333:s3-dr-alarms")


QUEUE = f"arn:aws:sqs:{EAST}:{ACCOUNT.id}:alarms"


@pytest.mark.parametrize(("protocol", "permission"), [("sqs", "sqs:SendMessage"), ("lambda", "lambda:InvokeFunction")])
def test_what_a_new_queue_or_function_must_allow_is_said(protocol: str, permission: str) -> None:
    (note,) = notes(protocol, QUEUE, None)
    assert QUEUE in note
    assert permission in note
    assert "aws:SourceArn is arn:aws:sns:us-east-1:111122223333:s3-dr-alarms" in note


def test_a_queue_of_another_account_waits_for_its_owner() -> None:
    assert notes("sqs", QUEUE, "PendingConfirmation") == [
        f"The queue {QUEUE} hears nothing from {topic_arn('s3-dr-alarms', EAST, ACCOUNT)} before its owner confirms."
    ]


@pytest.mark.parametrize("protocol", ["email", "https", "sqs", "lambda", "sms"])
def test_nothing_is_said_of_who_is_told(protocol: str) -> None:
    assert notes(protocol, "somebody", f"arn:aws:sns:{EAST}:{ACCOUNT.id}:s3-dr-alarms:1") == []
