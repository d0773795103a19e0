# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The SNS topics that alarms notify: one of the same name in each Region, its policy, its key, and who is told.

Sources: CloudWatch User Guide, "Notifying users on alarm changes" (policy of a topic, encrypted topics); SNS Developer
Guide, "Managing Amazon SNS encryption keys and costs" and "Fanout to Amazon SQS queues" (what others must allow).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .alarms import alarm_prefix, check_topic_name, topic_arn
from .merging import owner_tags
from .model import KEY_ARN, Account, Address, Document, InvalidInput, check_region, is_seen
from .plan import Observed
from .policies import VERSION
from .replication import key_address

PROTOCOLS = ("email", "email-json", "http", "https", "lambda", "sms", "sqs")
_CONFIRMED_BY_HAND = ("email", "email-json", "http", "https")
_AWS_MANAGED = "alias/aws/sns"
_KEY_USERS = ("cloudwatch.amazonaws.com", "s3.amazonaws.com")
_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey*")


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is told. `region` limits it to the topic of one Region (None: every Region's)."""

    protocol: str
    endpoint: str
    region: str | None = None

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise InvalidInput(
                f"subscription of '{self.endpoint}': SNS has no protocol '{self.protocol}'. "
                f"Choose one of {', '.join(PROTOCOLS)}."
            )
        if not self.endpoint:
            raise InvalidInput(f"a subscription by {self.protocol} has no endpoint. Name an address, URL or ARN.")


@dataclass(frozen=True, slots=True)
class Topics:
    """One SNS topic of the same name in each Region, since an alarm can only notify a topic of its own Region.

    Attributes:
        kms_key_arns: for a Region the customer managed key there with which its topic is encrypted. The topics of
            other Regions keep the encryption that they have.

    Raises:
        InvalidInput: the declaration cannot be right; nothing was asked of AWS.
    """

    name: str
    regions: tuple[str, ...]
    subscriptions: tuple[Subscription, ...] = ()
    kms_key_arns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_topic_name(self.name)
        for region in self.regions:
            check_region(region, f"topic '{self.name}'")
        for subscription in self.subscriptions:
            if subscription.region is not None and subscription.region not in self.regions:
                raise InvalidInput(
                    f"subscription of '{subscription.endpoint}': no topic '{self.name}' is wished in "
                    f"{subscription.region}. Correct its `region`; the topics are in {', '.join(self.regions)}."
                )
        for region, key in self.kms_key_arns.items():
            self._check_key(region, key)

    def _check_key(self, region: str, key: str) -> None:
        if region not in self.regions:
            raise InvalidInput(
                f"kms_key_arns: no topic '{self.name}' is wished in '{region}'. The topics are in "
                f"{', '.join(self.regions)}."
            )
        if key.endswith(_AWS_MANAGED):
            raise InvalidInput(
                f"kms_key_arns: an alarm cannot notify a topic that is encrypted with the key {_AWS_MANAGED}, since "
                "nobody can let CloudWatch use that key. Name a customer managed key by its ARN."
            )
        found = KEY_ARN.fullmatch(key)
        if not found:
            raise InvalidInput(
                f"kms_key_arns: '{key}' is not the ARN of a KMS key. Write arn:aws:kms:{region}:ACCOUNT:key/ID."
            )
        if found["region"] != region:
            raise InvalidInput(
                f"kms_key_arns: the key {key} is in {found['region']}, and SNS uses keys of the topic's own Region "
                f"only. Name a key in {region}; of a multi-Region key, name the replica there."
            )

    def in_region(self, region: str) -> tuple[Subscription, ...]:
        """Who is told by the topic of a Region."""
        return tuple(one for one in self.subscriptions if one.region in (None, region))


# --- the wish ------------------------------------------------------------------------------------------------


def topics_wish(topics: Topics, account: Account) -> dict[Address, Document]:
    """Each Region's topic, its policy, its key with the policy of that, and the subscriptions."""
    wish: dict[Address, Document] = {}
    for region in topics.regions:
        wish[_at("sns_topic", topics, region, account)] = {"Tags": owner_tags()}
        wish[_at("sns_topic_policy", topics, region, account)] = _topic_policy(topics.name, region, account)
        for subscription in topics.in_region(region):
            wish[_subscription_address(subscription, topics, region, account)] = {
                "Protocol": subscription.protocol,
                "Endpoint": subscription.endpoint,
            }
        if region in topics.kms_key_arns:
            key = topics.kms_key_arns[region]
            wish[_at("sns_topic_encryption", topics, region, account)] = {"KmsMasterKeyId": key}
            policy = key_address(key, "kms_key_policy")
            if policy.account == account.id:
                wish[policy] = _key_policy(topics.name, region, account)
    return wish


def encryption_addresses(topics: Topics, account: Account) -> list[Address]:
    """Where the key of each topic stands, whether one is wished or not."""
    return [_at("sns_topic_encryption", topics, region, account) for region in topics.regions]


def key_policies(wish: Iterable[Address]) -> list[Address]:
    """Those of a wish that the credentials need not be allowed to read: somebody else may have care of a key."""
    return [address for address in wish if address.kind == "kms_key_policy"]


def without_unseen(wish: Mapping[Address, Document], observed: Observed) -> dict[Address, Document]:
    """The wish without the policies of keys that the credentials may not read."""
    return {at: ours for at, ours in wish.items() if at.kind != "kms_key_policy" or is_seen(observed[at])}


def topics_removal_wish(
    topics: Topics,
    account: Account,
    leaving_pairs: Iterable[str],
    alarms_using: Mapping[str, Iterable[str]],
    encryption: Observed,
) -> dict[Address, Document]:
    """The topics that nobody needs any more: a topic that alarms of other pairs notify stays with its policy.

    Args:
        leaving_pairs: the pairs whose alarms are removed in the same run.
        alarms_using: for each Region the names of the alarms that notify the topic.
        encryption: the key of each topic, whose policy gives back what it allows for the topic.
    """
    leaving = tuple(alarm_prefix(pair) for pair in leaving_pairs)
    unused = {region for region, names in alarms_using.items() if all(name.startswith(leaving) for name in names)}
    unwanted = {
        address: document
        for address, document in topics_wish(topics, account).items()
        if address.region in unused and address.kind in ("sns_topic", "sns_topic_policy", "kms_key_policy")
    }
    for address, found in encryption.items():
        key = str((found or {}).get("KmsMasterKeyId"))
        if address.region in unused and KEY_ARN.fullmatch(key):
            policy = key_address(key, "kms_key_policy")
            if policy.account == account.id:
                unwanted[policy] = _key_policy(topics.name, address.region, account)
    return unwanted


def _at(kind: str, topics: Topics, region: str, account: Account) -> Address:
    return Address(kind, topics.name, region, account.id)


def _subscription_address(subscription: Subscription, topics: Topics, region: str, account: Account) -> Address:
    name = f"{topics.name}:{subscription.protocol}:{subscription.endpoint}"
    return Address("sns_subscription", name, region, account.id)


def _topic_policy(name: str, region: str, account: Account) -> Document:
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "S3DrAlarmsPublish",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "SNS:Publish",
                "Resource": topic_arn(name, region, account),
                "Condition": {
                    "ArnLike": {
                        "aws:SourceArn": f"arn:{account.partition}:cloudwatch:{region}:{account.id}:alarm:*",
                    },
                    "StringEquals": {"aws:SourceAccount": account.id},
                },
            }
        ],
    }


def _key_policy(name: str, region: str, account: Account) -> Document:
    """One statement for each topic, so that a topic that goes takes nothing from another that has the same key."""
    topic = hashlib.sha256(topic_arn(name, region, account).encode()).hexdigest()[:8]
    statement = {
        "Sid": f"S3DrTopic{topic}",
        "Effect": "Allow",
        "Principal": {"Service": list(_KEY_USERS)},
        "Action": list(_KEY_ACTIONS),
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account.id}},
    }
    return {"Version": VERSION, "Statement": [statement]}


# --- what a person should know -------------------------------------------------------------------------------


def topics_notes(topics: Topics, account: Account, observed: Observed) -> list[str]:
    """What keeps an alarm from arriving and cannot be seen to here, one sentence or two each.

    Args:
        observed: what AWS held before the run, with the key of each topic.
    """
    notes = []
    for region in topics.regions:
        notes += _key_notes(topics, region, account, observed)
        notes += _subscription_notes(topics, region, account, observed)
    return notes


def _key_notes(topics: Topics, region: str, account: Account, observed: Observed) -> list[str]:
    topic, wished = topic_arn(topics.name, region, account), topics.kms_key_arns.get(region)
    there = str((observed.get(_at("sns_topic_encryption", topics, region, account)) or {}).get("KmsMasterKeyId") or "")
    allowing = f"{' and '.join(_KEY_USERS)} {' and '.join(_KEY_ACTIONS)} where aws:SourceAccount is {account.id}"
    if wished is None and there.endswith(_AWS_MANAGED):
        text = f"The topic {topic} is encrypted with the key {_AWS_MANAGED}, which CloudWatch cannot use, so no alarm "
        return [f"{text}arrives by it. Name a customer managed key of {region} in `kms_key_arns`."]
    if wished is None and there:
        text = f"The topic {topic} is encrypted with the key {there}, which is kept. See that its policy allows "
        return [f"{text}{allowing}, or name the key in `kms_key_arns`."]
    if wished is None:
        return []
    policy = key_address(wished, "kms_key_policy")
    if policy.account != account.id:
        text = f"The key {wished} is of another account. See that its policy allows {allowing}; else no alarm arrives "
        return [f"{text}by {topic}."]
    if not is_seen(observed.get(policy)):
        text = f"These credentials may not read the policy of the key {wished}. See that it allows {allowing}; else "
        return [f"{text}no alarm arrives by {topic}."]
    return []


def _subscription_notes(topics: Topics, region: str, account: Account, observed: Observed) -> list[str]:
    topic, notes = topic_arn(topics.name, region, account), []
    for one in topics.in_region(region):
        there = observed.get(_subscription_address(one, topics, region, account))
        waits = there is None or not str(there.get("SubscriptionArn")).startswith("arn:")
        if waits and one.protocol in _CONFIRMED_BY_HAND:
            notes.append(
                f"{one.endpoint} hears nothing from {topic} before it has confirmed its subscription. Follow the link "
                "in the message that SNS sends there."
            )
        elif there is None and one.protocol == "sqs":
            notes.append(
                f"The policy of the queue {one.endpoint} must allow sqs:SendMessage to sns.amazonaws.com where "
                f"aws:SourceArn is {topic}, and if the queue is encrypted, its key kms:Decrypt and "
                "kms:GenerateDataKey* to sns.amazonaws.com. It is not changed here."
            )
        elif there is None and one.protocol == "lambda":
            notes.append(
                f"The policy of the function {one.endpoint} must allow lambda:InvokeFunction to sns.amazonaws.com "
                f"where aws:SourceArn is {topic}. It is not changed here."
            )
        elif waits and one.protocol == "sqs":
            notes.append(f"The queue {one.endpoint} hears nothing from {topic} before its owner confirms.")
    return notes
