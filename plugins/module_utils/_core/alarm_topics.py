# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The SNS topics that alarms notify: one of the same name in each Region, its policy, its key, and who is told.

Sources: CloudWatch User Guide, "Notifying users on alarm changes" (policy of a topic, encrypted topics); SNS Developer
Guide, "Managing Amazon SNS encryption keys and costs" and "Fanout to Amazon SQS queues" (what others must allow).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .alarms import alarm_prefix, check_topic_name, topic_arn
from .merging import SNS_DEFAULT_SID, is_ours, owner_tags, statements_of
from .model import KEY_ARN, Account, Address, Document, InvalidInput, Refused, check_region, is_seen
from .plan import Observed
from .policies import VERSION
from .replication import key_address

PROTOCOLS = ("email", "email-json", "http", "https", "lambda", "sms", "sqs")
_CONFIRMED_BY_HAND = ("email", "email-json", "http", "https")
_AWS_MANAGED = "alias/aws/sns"
_KEY_USERS = ("cloudwatch.amazonaws.com", "s3.amazonaws.com")
_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey*")
_SID = "S3DrAlarmsPublish"
_NAMED_AT_MOST = 3
_WITH_PASSWORD = re.compile(r"[^/]*//[^/?#]*:[^/?#]*@(?P<host>[^/?#]*).*")


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
        found = _WITH_PASSWORD.fullmatch(self.endpoint) if self.protocol in ("http", "https") else None
        if found:
            raise InvalidInput(
                f"subscription by {self.protocol} to {found['host']}: its URL has a password, which would be shown in "
                "what this task returns, and which SNS hides, so that no later run could tell whether the subscription "
                "exists. Take it out of the URL and check the signature of SNS's messages there, or subscribe that URL "
                "yourself: subscriptions that are not listed are kept."
            )


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

    def only(self, region: str) -> Topics:
        """The topic of one Region."""
        keys = {where: key for where, key in self.kms_key_arns.items() if where == region}
        return replace(self, regions=(region,), subscriptions=self.in_region(region), kms_key_arns=keys)


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


def topic_addresses(topics: Topics, account: Account) -> list[Address]:
    """What a removal looks at, beside the policies of keys."""
    kinds = ("sns_topic", "sns_topic_policy", "sns_topic_encryption")
    return [_at(kind, topics, region, account) for region in topics.regions for kind in kinds]


def key_policies(topics: Topics, account: Account, observed: Observed) -> list[Address]:
    """The policies of the keys that the topics have or shall have, as far as they are of this account.

    The credentials need not be allowed to read them: somebody else may have care of a key.

    Args:
        observed: the key of each topic.
    """
    keys = [_present_key(topics, region, account, observed) for region in topics.regions]
    policies = [key_address(key, "kms_key_policy") for key in (*keys, *topics.kms_key_arns.values()) if _is_arn(key)]
    return [policy for policy in dict.fromkeys(policies) if policy.account == account.id]


def _is_arn(key: str) -> bool:
    """Somebody else may have chosen an alias, in whose key nothing of ours is."""
    return KEY_ARN.fullmatch(key) is not None


def _present_key(topics: Topics, region: str, account: Account, observed: Observed) -> str:
    held = observed.get(_at("sns_topic_encryption", topics, region, account))
    return str((held or {}).get("KmsMasterKeyId") or "")


def check_keys(topics: Topics, account: Account, observed: Observed) -> None:
    """Refuse to encrypt with what does not exist.

    Raises:
        Refused: there is no such key.
    """
    for region, key in topics.kms_key_arns.items():
        if observed.get(key_address(key, "kms_key_policy"), {}) is None:
            raise Refused(f"topic '{topics.name}': there is no key {key} in {region}. Correct `kms_key_arns`.")


def former_key_policies(topics: Topics, account: Account, observed: Observed) -> dict[Address, Document]:
    """What the keys that topics had until now allow for them. A topic for which none is named keeps its key."""
    unwanted = {}
    for region in topics.kms_key_arns:
        for at in key_policies(topics.only(region), account, observed):
            if at.name != topics.kms_key_arns[region] and at in observed:
                unwanted[at] = _key_policy(topics.name, region, account)
    return unwanted


def without_unseen(wish: Mapping[Address, Document], observed: Observed) -> dict[Address, Document]:
    """The wish without the policies of keys that the credentials may not read."""
    return {at: ours for at, ours in wish.items() if at.kind != "kms_key_policy" or is_seen(observed[at])}


@dataclass(frozen=True, slots=True)
class Users:
    """The alarms that notify the topics.

    Attributes:
        alarms: for each Region the names of those that notify the topic there.
        leaving_pairs: the pairs whose alarms are removed in the same run.
    """

    alarms: Mapping[str, Iterable[str]]
    leaving_pairs: Iterable[str] = ()

    def staying(self, region: str) -> list[str]:
        """The alarms of a Region that are not removed."""
        leaving = tuple(alarm_prefix(pair) for pair in self.leaving_pairs)
        return sorted(name for name in self.alarms[region] if not name.startswith(leaving))


def topics_removal_wish(topics: Topics, account: Account, users: Users, observed: Observed) -> dict[Address, Document]:
    """The topics that nobody needs any more, and what their keys allow for them.

    A topic that alarms of other pairs notify stays with all that it has. One that stays for another reason loses what
    lets alarms in, and keeps its key, which lets in what is sent by its other users, too.

    Args:
        observed: the topics with their policies and keys.
    """
    unwanted: dict[Address, Document] = {}
    for region in topics.regions:
        ours = _key_policy(topics.name, region, account)
        if users.staying(region):
            continue
        if why_topic_stays(topics, region, account, users, observed):
            unwanted[_at("sns_topic_policy", topics, region, account)] = _topic_policy(topics.name, region, account)
            continue
        unwanted[_at("sns_topic", topics, region, account)] = {"Tags": owner_tags()}
        unwanted.update(dict.fromkeys(key_policies(topics.only(region), account, observed), ours))
    return unwanted


def why_topic_stays(topics: Topics, region: str, account: Account, users: Users, observed: Observed) -> str | None:
    """Why the topic of a Region is not deleted, as a part of a sentence; None when it goes, or is not there."""
    there = observed.get(_at("sns_topic", topics, region, account))
    if there is None:
        return None
    alarms = users.staying(region)
    if alarms:
        more = len(alarms) - _NAMED_AT_MOST
        return f"alarms notify it: {', '.join(alarms[:_NAMED_AT_MOST])}" + (f" and {more} more" if more > 0 else "")
    if not is_ours(there):
        return "it was not made by this collection"
    statements = statements_of(observed.get(_at("sns_topic_policy", topics, region, account)))
    sids = [str(statement.get("Sid") or "a statement without Sid") for statement in statements]
    others = [sid for sid in sids if sid not in (_SID, SNS_DEFAULT_SID)]
    return f"its policy lets others publish, too: {', '.join(others)}" if others else None


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
                "Sid": _SID,
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
    statement = {
        "Sid": _key_sid(name, region, account),
        "Effect": "Allow",
        "Principal": {"Service": list(_KEY_USERS)},
        "Action": list(_KEY_ACTIONS),
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account.id}},
    }
    return {"Version": VERSION, "Statement": [statement]}


def _key_sid(name: str, region: str, account: Account) -> str:
    return "S3DrTopic" + hashlib.sha256(topic_arn(name, region, account).encode()).hexdigest()[:8]


# --- what a person should know -------------------------------------------------------------------------------


def topics_notes(topics: Topics, account: Account, observed: Observed) -> list[str]:
    """What keeps an alarm from arriving and cannot be seen to here, one sentence or two each.

    Args:
        observed: what AWS held before the run, with the key of each topic.
    """
    notes = []
    for region in topics.regions:
        notes += _key_notes(topics, region, account, observed)
        notes += _unseen_keys(former_key_policies(topics.only(region), account, observed), observed)
        notes += _subscription_notes(topics, region, account, observed)
    return notes


def _key_notes(topics: Topics, region: str, account: Account, observed: Observed) -> list[str]:
    topic, wished = topic_arn(topics.name, region, account), topics.kms_key_arns.get(region)
    there = _present_key(topics, region, account, observed)
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


def _unseen_keys(unwanted: Mapping[Address, Document], observed: Observed) -> list[str]:
    return [
        f"These credentials may not read the policy of the key {at.name}, which is not used any more. Let its owner "
        f"take out the statement {ours['Statement'][0]['Sid']}, if it is there."
        for at, ours in unwanted.items()
        if at.kind == "kms_key_policy" and not is_seen(observed.get(at))
    ]


def removal_notes(topics: Topics, account: Account, users: Users, observed: Observed) -> list[str]:
    """Why topics stay, and what the owners of keys are to do, one sentence or two each.

    Args:
        observed: what AWS held before the run.
    """
    notes = _unseen_keys(topics_removal_wish(topics, account, users, observed), observed)
    for region in topics.regions:
        why = why_topic_stays(topics, region, account, users, observed)
        if why:
            notes.append(f"The topic {topic_arn(topics.name, region, account)} stays, since {why}.")
            notes += _kept_keys(topics.only(region), account, observed)
    return notes


def _kept_keys(topics: Topics, account: Account, observed: Observed) -> list[str]:
    (region,) = topics.regions
    return [
        f"The policy of the key {at.name} still lets {' and '.join(_KEY_USERS)} use it for the topic."
        for at in key_policies(topics, account, observed)
        if _key_sid(topics.name, region, account) in {one.get("Sid") for one in statements_of(observed.get(at))}
    ]


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
