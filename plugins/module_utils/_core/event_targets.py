# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Where S3 sends the events of replication: a queue or topic beside each source bucket, which lets S3 send to it.

Sources: S3 User Guide, "Event notification types and destinations", "Granting permissions to publish event notification
messages to a destination" (policies of queue, topic and key), "Receiving replication failure events with Amazon S3
Event Notifications" (metrics).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .events import notification_id, pair_of
from .merging import is_ours, owner_tags, statements_of
from .model import KEY_ARN, Account, Accounts, Address, Document, End, InvalidInput, Observation, Pair
from .notification_lists import LISTS
from .plan import Observed
from .policies import VERSION
from .replication import bucket_address, key_address
from .rules import bucket_arn

SERVICES = ("sqs", "sns")
EVENTS = "s3:Replication:*"
FOURTEEN_DAYS = "1209600"
"""In seconds: the longest that SQS keeps a message, so that nothing is lost over holidays."""

_NAMES = {"sqs": re.compile(r"[A-Za-z0-9_-]{1,80}"), "sns": re.compile(r"[A-Za-z0-9_-]{1,256}")}
_THINGS = {"sqs": "sqs_queue", "sns": "sns_topic"}
_FIELDS = {"sqs": ("QueueConfigurations", "QueueArn"), "sns": ("TopicConfigurations", "TopicArn")}
_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}
_SID = "S3DrEvents"
_DEFAULT_SID = "__default_statement_ID"
"""SNS's own statement of each new topic."""


@dataclass(frozen=True, slots=True)
class EventSettings:
    """The user's choices: a queue (`sqs`) or topic (`sns`) of one name in each Region, and the key of each Region.

    Raises:
        InvalidInput: it cannot be right; nothing was asked of AWS.
    """

    target: str = "sqs"
    name: str = "s3-dr-events"
    kms_key_arns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.target not in SERVICES:
            raise InvalidInput(f"target '{self.target}': S3 sends these events to sqs or sns. Choose one of them.")
        if not _NAMES[self.target].fullmatch(self.name):
            most = 80 if self.target == "sqs" else 256
            raise InvalidInput(
                f"target_name '{self.name[:80]}': a queue or topic to which S3 sends is a standard one, not FIFO, "
                f"and has 1 to {most} letters, digits, '_' and '-' as its name. Choose another name."
            )
        for region, key in self.kms_key_arns.items():
            _check_key(region, key)


def _check_key(region: str, key: str) -> None:
    found = KEY_ARN.fullmatch(key)
    if not found:
        raise InvalidInput(
            f"kms_key_arns: '{key}' is not the ARN of a KMS key. Write arn:aws:kms:REGION:ACCOUNT:key/ID of a key "
            "that you manage: an AWS managed one, such as alias/aws/sqs, does not let S3 in."
        )
    if found["region"] != region:
        raise InvalidInput(
            f"kms_key_arns: the key {key} is in {found['region']}, and a queue or topic uses a key of its own "
            f"Region. Name one in {region}."
        )


@dataclass(frozen=True, slots=True)
class Target:
    """One queue or topic. It need not exist."""

    service: str
    name: str
    region: str
    account: Account

    @property
    def arn(self) -> str:
        """Known before it exists."""
        return f"arn:{self.account.partition}:{self.service}:{self.region}:{self.account.id}:{self.name}"

    def address(self, what: str = "") -> Address:
        """Of the thing itself, of its `policy` or its `encryption`."""
        kind = _THINGS[self.service] + (f"_{what}" if what else "")
        return Address(kind, self.name, self.region, self.account.id)

    def addresses(self) -> list[Address]:
        """Of the thing and of its policy."""
        return [self.address(), self.address("policy")]


# --- what is read --------------------------------------------------------------------------------------------


def notification_addresses(pair: Pair, accounts: Accounts) -> list[Address]:
    """The notifications of both ends, whichever of them is a source now."""
    return [bucket_address(end, accounts, "bucket_notification") for end in _ends(pair) if accounts[end.bucket].ours]


def event_addresses(pair: Pair, settings: EventSettings, accounts: Accounts, notifications: Observed) -> list[Address]:
    """All that a pair may wish or want removed.

    Args:
        notifications: what the addresses of `notification_addresses` hold: what was set up before may point elsewhere.
    """
    addresses = dict.fromkeys(notification_addresses(pair, accounts))
    for target in _known_targets(pair, settings, accounts, notifications):
        addresses.update(dict.fromkeys(target.addresses()))
        key = _key(target, settings)
        if key:
            addresses.update(dict.fromkeys((target.address("encryption"), key_address(key, "kms_key_policy"))))
    return list(addresses)


# --- the wish ------------------------------------------------------------------------------------------------


def events_wish(pair: Pair, settings: EventSettings, accounts: Accounts, observed: Observed) -> dict[Address, Document]:
    """The notification of each source, its queue or topic, and what lets S3 send there.

    Raises:
        InvalidInput: a key is of another account than the bucket.
    """
    wish: dict[Address, Document] = {}
    statements: dict[Target, list[Document]] = {}
    for end in _told(pair, accounts, observed):
        target = _target(end, settings, accounts)
        many, arn = _FIELDS[target.service]
        entry = {"Id": notification_id(pair.name), arn: target.arn, "Events": [EVENTS]}
        wish[bucket_address(end, accounts, "bucket_notification")] = {many: [entry]}
        statements.setdefault(target, []).append(_statement(pair, end, target))
    for target, ours in statements.items():
        removed = sorted(_our_sids(pair) - {str(one["Sid"]) for one in ours})
        wish[target.address()] = {"Tags": owner_tags(), **_attributes(target)}
        wish[target.address("policy")] = {"Version": VERSION, "Statement": ours, "Removed": removed}
        wish.update(_encryption(target, settings))
    return wish


def _attributes(target: Target) -> Document:
    return {"Attributes": {"MessageRetentionPeriod": FOURTEEN_DAYS}} if target.service == "sqs" else {}


def _statement(pair: Pair, end: End, target: Target) -> Document:
    """The bucket alone, and only as long as it is this account's: a deleted bucket's name is free for anybody."""
    return {
        "Sid": _sid(pair, end),
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": _ACTIONS[target.service],
        "Resource": target.arn,
        "Condition": {
            "ArnLike": {"aws:SourceArn": bucket_arn(end, target.account.partition)},
            "StringEquals": {"aws:SourceAccount": target.account.id},
        },
    }


def _encryption(target: Target, settings: EventSettings) -> dict[Address, Document]:
    key = _key(target, settings)
    if key is None:
        return {}
    address = key_address(key, "kms_key_policy")
    if address.account != target.account.id:
        raise InvalidInput(
            f"kms_key_arns: the key {key} is of account {address.account}, and the bucket and its queue or topic are "
            f"of {target.account.id}. Name a key of that account."
        )
    statement = {
        "Sid": _key_sid(target),
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": target.account.id}},
    }
    return {
        address: {"Version": VERSION, "Statement": [statement]},
        target.address("encryption"): {"KmsMasterKeyId": key},
    }


# --- what shall go -------------------------------------------------------------------------------------------


def events_leftovers(
    pair: Pair, settings: EventSettings, accounts: Accounts, observed: Observed, wish: Iterable[Address]
) -> dict[Address, Document]:
    """What is the pair's and not wished (any more).

    A queue or topic of this collection's goes with the last statement that lets anybody in.
    """
    wished = set(wish)
    unwanted: dict[Address, Document] = {
        address: {"Removed": [notification_id(pair.name)]}
        for address in notification_addresses(pair, accounts)
        if address not in wished
    }
    ours = _our_sids(pair)
    for target in _known_targets(pair, settings, accounts, observed):
        policy = target.address("policy")
        if policy in wished:
            continue
        others = [sid for sid in _sids(observed.get(policy)) if sid not in ours]
        unwanted[policy] = {"Version": VERSION, "Statement": [{"Sid": sid} for sid in sorted(ours)]}
        if not [sid for sid in others if sid != _DEFAULT_SID]:
            unwanted[target.address()] = {}
            if is_ours(observed.get(target.address())):
                del unwanted[policy]  # it goes with the thing
        key = _key(target, settings)
        if key and not [sid for sid in others if sid.startswith(_SID)]:
            unwanted[key_address(key, "kms_key_policy")] = {
                "Version": VERSION,
                "Statement": [{"Sid": _key_sid(target)}],
            }
    return {address: document for address, document in unwanted.items() if address not in wished}


def _sids(policy: Document | None) -> list[str]:
    return [str(statement.get("Sid", "")) for statement in statements_of(policy)]


# --- what a person should know -------------------------------------------------------------------------------


def events_notes(pair: Pair, accounts: Accounts, observed: Observed) -> list[str]:
    """One sentence for each source or rule of which nothing, or not everything, is told."""
    sources = [link.source for link in pair.links()]
    return [
        *(
            f"Nobody is told of failures of {end.bucket}: this task has no credentials of account "
            f"{accounts[end.bucket].id}."
            for end in sources
            if not accounts[end.bucket].ours
        ),
        *(
            f"Failures of {end.bucket} are told by the notification of pair '{other}', since S3 takes one for the same "
            "events of a bucket. When that pair is gone, run this again."
            for end in sources
            for other in _other_pairs(pair, _held(end, accounts, observed))
        ),
        *(
            f"S3 publishes no failure events of the rule '{rule.id}' of pair '{pair.name}': its `observation` is none."
            for rule in pair.rules
            if rule.enabled and rule.observation is Observation.NONE
        ),
    ]


def event_targets(pair: Pair, settings: EventSettings, accounts: Accounts) -> dict[str, str]:
    """The ARN of the queue or topic of each source bucket."""
    return {end.bucket: _target(end, settings, accounts).arn for end in _sources(pair, accounts)}


# --- which ends, which targets -------------------------------------------------------------------------------


def _ends(pair: Pair) -> list[End]:
    return [link.source for link in pair.both_links()]


def _sources(pair: Pair, accounts: Accounts) -> list[End]:
    return [link.source for link in pair.links() if accounts[link.source.bucket].ours]


def _told(pair: Pair, accounts: Accounts, observed: Observed) -> list[End]:
    """The sources that get a notification: two pairs of one source would ask for the same events."""
    return [end for end in _sources(pair, accounts) if not _other_pairs(pair, _held(end, accounts, observed))]


def _held(end: End, accounts: Accounts, observed: Observed) -> Document:
    return observed.get(bucket_address(end, accounts, "bucket_notification")) or {}


def _entries(notification: Document) -> Iterator[Document]:
    for many in LISTS:
        yield from notification.get(many, [])


def _other_pairs(pair: Pair, notification: Document) -> list[str]:
    pairs = {pair_of(entry.get("Id")) for entry in _entries(notification)}
    return sorted(name for name in pairs if name not in (None, pair.name) and isinstance(name, str))


def _target(end: End, settings: EventSettings, accounts: Accounts) -> Target:
    return Target(settings.target, settings.name, end.region, accounts[end.bucket])


def _known_targets(pair: Pair, settings: EventSettings, accounts: Accounts, observed: Observed) -> list[Target]:
    """The declared ones of both ends, and those to which the pair's notifications point."""
    targets: dict[Target, None] = {}
    for end in _ends(pair):
        if accounts[end.bucket].ours:
            targets[_target(end, settings, accounts)] = None
            for entry in _entries(_held(end, accounts, observed)):
                if entry.get("Id") == notification_id(pair.name):
                    targets.update(dict.fromkeys(_pointed(entry, accounts[end.bucket])))
    return list(targets)


def _pointed(entry: Document, account: Account) -> Iterator[Target]:
    for service, (_many, arn) in _FIELDS.items():
        if arn in entry:
            *_arn, region, owner, name = str(entry[arn]).split(":")
            if owner == account.id:
                yield Target(service, name, region, account)


def _key(target: Target, settings: EventSettings) -> str | None:
    same = (target.service, target.name) == (settings.target, settings.name)
    return settings.kms_key_arns.get(target.region) if same else None


def _our_sids(pair: Pair) -> set[str]:
    return {_sid(pair, end) for end in _ends(pair)}


def _sid(pair: Pair, end: End) -> str:
    return _SID + _digest(f"{pair.name}/{end.bucket}")


def _key_sid(target: Target) -> str:
    """One for all buckets that send there."""
    return _SID + _digest(target.arn)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
