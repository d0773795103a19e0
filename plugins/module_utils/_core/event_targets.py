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
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .events import notification_id, pair_of
from .merging import SNS_DEFAULT_SID, is_ours, owner_tags, statements_of
from .model import (
    KEY_ARN,
    UNSEEN,
    Account,
    Accounts,
    Address,
    Document,
    End,
    InvalidInput,
    Observation,
    Pair,
    is_seen,
)
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


@dataclass(frozen=True, slots=True)
class EventSettings:
    """The user's choices: a queue (`sqs`) or topic (`sns`) of one name in each Region, and the key of each Region.

    Attributes:
        former: service and name of what was used before, and may be left where a change of the target was cut short.

    Raises:
        InvalidInput: it cannot be right; nothing was asked of AWS.
    """

    target: str = "sqs"
    name: str = "s3-dr-events"
    kms_key_arns: Mapping[str, str] = field(default_factory=dict)
    former: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for service, name in ((self.target, self.name), *self.former):
            _check_target(service, name)
        for region, key in self.kms_key_arns.items():
            _check_key(region, key)


def _check_target(service: str, name: str) -> None:
    if service not in SERVICES:
        raise InvalidInput(f"target '{service}': S3 sends these events to sqs or sns. Choose one of them.")
    if not _NAMES[service].fullmatch(name):
        most = 80 if service == "sqs" else 256
        raise InvalidInput(
            f"target_name '{name[:80]}': a queue or topic to which S3 sends is a standard one, not FIFO, "
            f"and has 1 to {most} letters, digits, '_' and '-' as its name. Choose another name."
        )


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
        """Of the thing, of its policy and of its encryption."""
        return [self.address(), self.address("policy"), self.address("encryption")]


# --- what is read --------------------------------------------------------------------------------------------


def notification_addresses(pair: Pair, accounts: Accounts) -> list[Address]:
    """The notifications of both ends, whichever of them is a source now."""
    return [bucket_address(end, accounts, "bucket_notification") for end in _ends(pair) if accounts[end.bucket].ours]


def encryption_addresses(pair: Pair, settings: EventSettings, accounts: Accounts, found: Observed) -> list[Address]:
    """The encryption of each queue or topic that may be the pair's, whichever key it has now."""
    return [target.address("encryption") for target in _known_targets(pair, settings, accounts, found)]


def event_addresses(pair: Pair, settings: EventSettings, accounts: Accounts, found: Observed) -> list[Address]:
    """All that a pair may wish or want removed.

    Args:
        found: what the addresses of `notification_addresses` and `encryption_addresses` hold: what was set up before
            may point elsewhere, and have another key.
    """
    addresses = dict.fromkeys(notification_addresses(pair, accounts))
    for target in _known_targets(pair, settings, accounts, found):
        addresses.update(dict.fromkeys(target.addresses()))
        keys = _keys(target, settings, found)
        addresses.update(dict.fromkeys(key_address(key, "kms_key_policy") for key in keys))
    return list(addresses)


def optional_addresses(
    pair: Pair, settings: EventSettings, accounts: Accounts, found: Observed, wish: Container[Address]
) -> list[Address]:
    """What is looked at if the credentials may read it: keys that are used no more, what has the target's name under
    the other service, and which rules of others a source has that is told of no more."""
    targets = _known_targets(pair, settings, accounts, found)
    guessed = [at for target, sure in targets.items() if not sure for at in target.addresses()]
    keys = [at for at in event_addresses(pair, settings, accounts, found) if at.kind == "kms_key_policy"]
    ends = _no_more_told(pair, accounts, found, wish)
    rules = [bucket_address(end, accounts, "bucket_replication") for end in ends]
    return [*guessed, *(at for at in keys if at not in wish), *rules]


# --- the wish ------------------------------------------------------------------------------------------------


def events_wish(pair: Pair, settings: EventSettings, accounts: Accounts, observed: Observed) -> dict[Address, Document]:
    """The notification of each source, its queue or topic, and what lets S3 send there.

    Raises:
        InvalidInput: a key is of another account than the bucket, or does not exist.
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
        wish.update(_encryption(target, settings, observed))
    for at, sids in _key_statements(pair, settings, accounts, observed, wish).items():
        if at in wish:
            wish[at] = {**wish[at], "Removed": sids}
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


def _encryption(target: Target, settings: EventSettings, observed: Observed) -> dict[Address, Document]:
    key = _key(target, settings)
    if key is None:
        return {}
    address = key_address(key, "kms_key_policy")
    if address.account != target.account.id:
        raise InvalidInput(
            f"kms_key_arns: the key {key} is of account {address.account}, and the bucket and its queue or topic are "
            f"of {target.account.id}. Name a key of that account."
        )
    if observed.get(address, {}) is None:
        raise InvalidInput(f"kms_key_arns: there is no key {key} in {address.region}. Correct it.")
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
    for target in _leaving(pair, settings, accounts, observed, wished):
        unwanted[target.address("policy")] = {
            "Version": VERSION,
            "Statement": [{"Sid": sid} for sid in sorted(_our_sids(pair))],
        }
        if not _others(target, pair, observed):
            unwanted[target.address()] = {}
            if is_ours(observed.get(target.address())):
                del unwanted[target.address("policy")]  # it goes with the thing
    for at, sids in _key_statements(pair, settings, accounts, observed, wished).items():
        unwanted[at] = {"Version": VERSION, "Statement": [{"Sid": sid} for sid in sids]}
    return {at: document for at, document in unwanted.items() if at not in wished and is_seen(observed.get(at))}


def _leaving(
    pair: Pair, settings: EventSettings, accounts: Accounts, observed: Observed, wished: Container[Address]
) -> Iterator[Target]:
    """The queues and topics that the pair uses no more. One that is only guessed is the pair's if it lets it in."""
    for target, sure in _known_targets(pair, settings, accounts, observed).items():
        policy = target.address("policy")
        if policy not in wished and (sure or _our_sids(pair).intersection(_sids(observed.get(policy)))):
            yield target


def _others(target: Target, pair: Pair, observed: Observed) -> list[str]:
    """The statements that let anybody else in."""
    ours = {*_our_sids(pair), SNS_DEFAULT_SID}
    return [sid for sid in _sids(observed.get(target.address("policy"))) if sid not in ours]


def _goes(target: Target, pair: Pair, observed: Observed) -> bool:
    """Whether it is gone already, or goes with the pair's statements."""
    there = observed.get(target.address())
    return there is None or (is_ours(there) and not _others(target, pair, observed))


def _key_statements(
    pair: Pair, settings: EventSettings, accounts: Accounts, observed: Observed, wished: Container[Address]
) -> dict[Address, list[str]]:
    """Which statements leave the policies of keys: those of a queue or topic that goes, or that gets another key.

    What stays with its key still needs the statement: without it S3 could send there for nobody.
    """
    going: dict[Address, list[str]] = {}
    known = _known_targets(pair, settings, accounts, observed)
    gone = [one for one in _leaving(pair, settings, accounts, observed, wished) if _goes(one, pair, observed)]
    changed = [one for one in known if one.address("encryption") in wished]
    for target in (*gone, *changed):
        for key in _keys(target, settings, observed):
            if target in gone or key != _key(target, settings):
                going.setdefault(key_address(key, "kms_key_policy"), []).append(_key_sid(target))
    return going


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
            "events of a bucket. When that pair is gone, run this again; if there is no pair of that name any more, "
            f"run with `name: {other}` and `state: absent` first."
            for end in sources
            for other in _other_pairs(pair, _held(end, accounts, observed))
        ),
        *(
            f"S3 publishes no failure events of the rule '{rule.id}' of pair '{pair.name}': its `observation` is none."
            for rule in pair.rules
            if rule.enabled and rule.observation is Observation.NONE
        ),
    ]


def leaving_notes(
    pair: Pair, settings: EventSettings, accounts: Accounts, observed: Observed, wish: Container[Address]
) -> list[str]:
    """One sentence or two for each thing that others lose when the pair's goes, and for each that stays."""
    notes = [
        f"{end.bucket} also replicates by the rules {', '.join(rules)}, and nobody is told of their failures any more. "
        "If they are of another pair whose failures should be told, run this again for that pair."
        for end in _no_more_told(pair, accounts, observed, wish)
        if (rules := _other_rules(end, pair, accounts, observed))
    ]
    for target in _leaving(pair, settings, accounts, observed, wish):
        if not _goes(target, pair, observed):
            notes += [
                f"{target.arn} stays, since {_why_it_stays(target, pair, observed)}. So the policy of its key {key} "
                f"keeps the statement {_key_sid(target)}, which lets S3 use the key. Take it out when nobody needs it."
                for key in _keys(target, settings, observed)
                if _key_sid(target) in _sids(observed.get(key_address(key, "kms_key_policy")))
            ]
    for at, sids in _key_statements(pair, settings, accounts, observed, wish).items():
        policy = observed.get(at)
        if policy is not None and not is_seen(policy):
            notes.append(
                f"The policy of the key {at.name} was not looked at: {policy[UNSEEN]}. Let its owner take out the "
                f"statement {' and '.join(sids)}."
            )
    return notes


def _why_it_stays(target: Target, pair: Pair, observed: Observed) -> str:
    if not is_ours(observed.get(target.address())):
        return "this collection did not make it"
    return f"its policy lets others in ({', '.join(_others(target, pair, observed))})"


def _other_rules(end: End, pair: Pair, accounts: Accounts, observed: Observed) -> list[str]:
    """The IDs of the bucket's rules that are not the pair's."""
    held = observed.get(bucket_address(end, accounts, "bucket_replication")) or {}
    ours = {rule.id for rule in pair.rules}
    return sorted(str(rule["ID"]) for rule in held.get("Rules", []) if rule.get("ID") not in ours)


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


def _known_targets(pair: Pair, settings: EventSettings, accounts: Accounts, observed: Observed) -> dict[Target, bool]:
    """The declared ones of both ends, the former ones that are named, and those that the pair's notifications name.

    What has the declared name under the other service is only guessed (False): a change from one to the other may have
    been cut short behind the notification.
    """
    named = ((settings.target, settings.name), *settings.former)
    targets: dict[Target, bool] = {}
    for end in _ends(pair):
        account = accounts[end.bucket]
        if account.ours:
            targets |= {Target(service, name, end.region, account): True for service, name in named}
            for entry in _our_entries(end, pair, accounts, observed):
                targets |= dict.fromkeys(_pointed(entry, account), True)
    for target in list(targets):
        for service in SERVICES:
            if target.name == settings.name and _NAMES[service].fullmatch(target.name):
                targets.setdefault(replace(target, service=service), False)
    return targets


def _our_entries(end: End, pair: Pair, accounts: Accounts, observed: Observed) -> list[Document]:
    ours = notification_id(pair.name)
    return [entry for entry in _entries(_held(end, accounts, observed)) if entry.get("Id") == ours]


def _no_more_told(pair: Pair, accounts: Accounts, observed: Observed, wish: Container[Address]) -> list[End]:
    """The ends whose notification goes."""
    return [
        end
        for end in _ends(pair)
        if accounts[end.bucket].ours
        and bucket_address(end, accounts, "bucket_notification") not in wish
        and _our_entries(end, pair, accounts, observed)
    ]


def _pointed(entry: Document, account: Account) -> Iterator[Target]:
    for service, (_many, arn) in _FIELDS.items():
        if arn in entry:
            *_arn, region, owner, name = str(entry[arn]).split(":")
            if owner == account.id:
                yield Target(service, name, region, account)


def _key(target: Target, settings: EventSettings) -> str | None:
    same = (target.service, target.name) == (settings.target, settings.name)
    return settings.kms_key_arns.get(target.region) if same else None


def _keys(target: Target, settings: EventSettings, observed: Observed) -> list[str]:
    """The declared key and the one that it has, as far as they can be the account's own."""
    held = (observed.get(target.address("encryption")) or {}).get("KmsMasterKeyId")
    keys = [key for key in dict.fromkeys((_key(target, settings), held)) if key and KEY_ARN.fullmatch(key)]
    return [key for key in keys if key_address(key).account == target.account.id]


def _our_sids(pair: Pair) -> set[str]:
    return {_sid(pair, end) for end in _ends(pair)}


def _sid(pair: Pair, end: End) -> str:
    return _SID + _digest(f"{pair.name}/{end.bucket}")


def _key_sid(target: Target) -> str:
    """One for all buckets that send there."""
    return _SID + _digest(target.arn)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
