# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Whether the DR bucket could take over: what replication never copies, compared between primary and DR.

Two settings are the same when they are equal as they stand, or after the names, the Regions and the account IDs of the
two buckets have changed places. A further bucket to which a rule replicates is a copy and takes over nothing, so only
its key is looked at.

Source: S3 User Guide, "What does Amazon S3 replicate?": configurations of buckets do not replicate.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from .checks import Area, Check, Status
from .denials import listed, mapping, texts
from .events import pair_of
from .kinds import canonical
from .merging import statements_of
from .model import UNSEEN, Accounts, Address, Document, End, Pair, is_seen
from .plan import Observed
from .replication import bucket_address, key_address

_MOST_NAMED = 3
_OUR_STATEMENT = re.compile(r"S3Dr[A-Za-z0-9]*[0-9a-f]{8}(Replicas|Bucket)|S3DrFence[0-9a-f]{8}")
"""The Sid of a statement that this collection put into a policy, see `policies.statement_id` and `fence.fence_sid`."""

Renaming: TypeAlias = "Callable[[str], str]"


def readiness_addresses(pair: Pair, accounts: Accounts) -> list[Address]:
    """What is read in addition to `replication.pair_addresses`; the credentials need not be allowed to read it."""
    kinds = ("bucket_encryption", "bucket_lifecycle", "bucket_cors", "bucket_notification", "bucket_tags")
    ends = [end for end in (pair.primary, pair.dr) if accounts[end.bucket].ours]
    ours = {account.id for account in accounts.values() if account.ours}
    keys = (key_address(key) for key in _keys(pair))
    return [
        *(bucket_address(end, accounts, kind) for end in ends for kind in kinds),
        *(key for key in keys if key.account in ours),
    ]


def readiness_checks(pair: Pair, accounts: Accounts, observed: Observed) -> list[Check]:
    """One check for each setting of the two buckets, and one for each key of a destination.

    Args:
        observed: what AWS holds for the addresses of `replication.pair_addresses` and `readiness_addresses`; what is
            not there, or could not be read, makes its check unknown.
    """
    foreign = [end.bucket for end in (pair.primary, pair.dr) if not accounts[end.bucket].ours]
    if foreign:
        settings = [_foreign_check(pair, foreign[0], accounts)]
    else:
        settings = [_settings_check(subject, pair, accounts, observed) for subject in _SUBJECTS]
    return [*settings, *(_key_check(key, end, observed) for key, end in _keys(pair).items())]


def _foreign_check(pair: Pair, bucket: str, accounts: Accounts) -> Check:
    message = (
        f"What replication never copies could not be compared: '{bucket}' belongs to account {accounts[bucket].id}, of "
        "which this task has no credentials. Name credentials for that end, or let its owner compare."
    )
    return Check(Area.READINESS, "settings", _way(pair), Status.UNKNOWN, message)


def _way(pair: Pair) -> str:
    return f"{pair.primary.bucket} -> {pair.dr.bucket}"


# --- the settings of two buckets -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """One entry of a setting: in words, and as plain values that are the same for all that mean the same."""

    words: str
    value: Any


@dataclass(frozen=True, slots=True)
class _Subject:
    """One setting that replication never copies.

    Attributes:
        name: of the check.
        parts: what a document holds for an end, in any order; of None nothing.
        what: how a sentence calls it.
        effect: what a difference does after a failover, and what to do.
    """

    name: str
    kind: str
    parts: Callable[[Document | None, End], Iterable[_Part]]
    what: str
    effect: str


def _settings_check(subject: _Subject, pair: Pair, accounts: Accounts, observed: Observed) -> Check:
    documents: list[Document | None] = []
    for end in (pair.primary, pair.dr):
        why = _unseen(bucket_address(end, accounts, subject.kind), observed)
        if why:
            message = f"The {subject.what} of '{end.bucket}' could not be looked at: {why}."
            return Check(Area.READINESS, subject.name, _way(pair), Status.UNKNOWN, message)
        documents.append(observed[bucket_address(end, accounts, subject.kind)])
    here = list(subject.parts(documents[0], pair.primary))
    there = list(subject.parts(documents[1], pair.dr))
    difference = _difference(here, there, pair, accounts)
    if not difference:
        message = f"'{pair.primary.bucket}' and '{pair.dr.bucket}' have the same {subject.what}."
        return Check(Area.READINESS, subject.name, _way(pair), Status.PASSED, message)
    message = (
        f"'{pair.dr.bucket}' has another {subject.what} than '{pair.primary.bucket}', which replication never copies: "
        f"{difference}. {subject.effect}"
    )
    return Check(Area.READINESS, subject.name, _way(pair), Status.AT_RISK, message)


def _unseen(address: Address, observed: Observed) -> str | None:
    """Why a document is not known, None if it is."""
    if address not in observed:
        return "it was not looked at"
    document = observed[address]
    return None if document is None or is_seen(document) else str(document[UNSEEN])


def _difference(here: Sequence[_Part], there: Sequence[_Part], pair: Pair, accounts: Accounts) -> str:
    """What only one of the buckets has, in words; empty: nothing."""
    renamings = _renamings(pair, accounts)
    images = [(part, {_text(_renamed(part.value, renaming)) for renaming in renamings}) for part in here]
    held = {_text(part.value) for part in there}
    reached = {text for _part, found in images for text in found}
    only_here = sorted({part.words for part, found in images if found.isdisjoint(held)})
    only_there = sorted({part.words for part in there if _text(part.value) not in reached})
    both = [words for words in only_here if words in only_there]
    said = [f"{_named(both)} differs"] if both else []
    for end, found in ((pair.primary, only_here), (pair.dr, only_there)):
        alone = [words for words in found if words not in both]
        if alone:
            said.append(f"only '{end.bucket}' has {_named(alone)}")
    return "; ".join(said)


def _named(found: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(found) - _MOST_NAMED
    return ", ".join(found[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _text(value: Any) -> str:
    """The same text for two values that differ in the order of lists and mappings alone."""
    return json.dumps(_sorted(value), sort_keys=True)


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return sorted((_sorted(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


# --- names that change places --------------------------------------------------------------------------------


def at_dr(value: Any, pair: Pair, accounts: Accounts) -> Any:
    """A setting of the primary bucket as it would be at the DR bucket: its ARNs, Region and account are that end's."""
    (_kept, in_arns, _anywhere), (_same_region, region), (_same_account, account) = _choices(pair, accounts)
    return _renamed(value, _chain((in_arns, region, account)))


def _renamings(pair: Pair, accounts: Accounts) -> list[Renaming]:
    """All ways in which names of one bucket may have become those of the other.

    Each way takes each kind of name or leaves it, since a policy may name one account, and a topic one Region, at both
    buckets. A bucket's name is taken in ARNs of S3 alone, or as a part of other names as well: a bucket can be called
    `data`, and a role `data-reader` serve both.
    """
    return [_chain(chosen) for chosen in product(*_choices(pair, accounts))]


def _choices(pair: Pair, accounts: Accounts) -> tuple[tuple[Renaming, ...], ...]:
    """Of the bucket's name, the Region and the account each way to rename it, the first of which leaves it."""
    ends, whose = (pair.primary, pair.dr), (accounts[pair.primary.bucket], accounts[pair.dr.bucket])
    bucket, region, account = (
        (ends[0].bucket, ends[1].bucket),
        (ends[0].region, ends[1].region),
        (whose[0].id, whose[1].id),
    )
    in_arns = _swap(bucket, r"(?<=:::)", r"(?![A-Za-z0-9.-])")
    anywhere = _swap(bucket, r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])")
    return (
        (_same, in_arns, anywhere),
        (_same, _swap(region, r"(?<![A-Za-z0-9])", r"(?![0-9])")),
        (_same, _swap(account, r"(?<![0-9])", r"(?![0-9])")),
    )


def _same(text: str) -> str:
    return text


def _swap(names: tuple[str, str], before: str, after: str) -> Renaming:
    """Put each of two names in the place of the other. The longer is looked for first, as one may begin the other."""
    other = {names[0]: names[1], names[1]: names[0]}
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    pattern = re.compile(f"{before}(?:{either}){after}")
    return lambda text: pattern.sub(lambda found: other[found[0]], text)


def _chain(renamings: Iterable[Renaming]) -> Renaming:
    chain = tuple(renamings)

    def rename(text: str) -> str:
        for renaming in chain:
            text = renaming(text)
        return text

    return rename


def _renamed(value: Any, renaming: Renaming) -> Any:
    """The value with its texts renamed, but not the names of its fields."""
    if isinstance(value, str):
        return renaming(value)
    if isinstance(value, Mapping):
        return {name: _renamed(one, renaming) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(one, renaming) for one in value]
    return value


# --- what each setting holds ---------------------------------------------------------------------------------


def _statements(policy: Document | None, end: End) -> Iterator[_Part]:
    """The policy's statements but those that this collection put there. A Sid is only a name."""
    for statement in statements_of(policy):
        sid = str(statement.get("Sid") or "")
        if _OUR_STATEMENT.fullmatch(sid):
            continue
        value = dict(statements_of(canonical("bucket_policy", {"Statement": [statement]}))[0])
        value.pop("Sid", None)
        for field in ("Action", "NotAction"):  # the case of their letters means nothing
            if field in value:
                value[field] = sorted({action.lower() for action in value[field]})
        for field in ("Principal", "NotPrincipal"):
            if value.get(field) == "*":
                value[field] = {"AWS": ["*"]}
        actions = texts(statement.get("Action", statement.get("NotAction")))
        words = f"the statement '{sid}'" if sid else f"a statement {statement.get('Effect')} {', '.join(actions[:2])}"
        yield _Part(words, value)


_LIFECYCLE_ACTIONS = {
    "Expiration": "expires",
    "Transitions": "moves",
    "NoncurrentVersionExpiration": "noncurrent versions expire",
    "NoncurrentVersionTransitions": "noncurrent versions move",
    "AbortIncompleteMultipartUpload": "uploads are aborted",
}


def _lifecycle_rules(document: Document | None, end: End) -> Iterator[_Part]:
    """The enabled rules by what they select and do; one that is disabled does nothing."""
    for rule in listed(document, "Rules"):
        if rule.get("Status") == "Enabled":
            value = {"Filter": _lifecycle_filter(rule)}
            value |= {action: _without_false(rule[action]) for action in _LIFECYCLE_ACTIONS if rule.get(action)}
            yield _Part(_lifecycle_words(rule), value)
    smallest = (document or {}).get("TransitionDefaultMinimumObjectSize", _SMALLEST_MOVED)
    moving = any("Transitions" in action for rule in listed(document, "Rules") for action in rule)
    if moving and smallest != _SMALLEST_MOVED:
        yield _Part(f"the smallest size of what moves {smallest}", {"Smallest": smallest})


_SMALLEST_MOVED = "all_storage_classes_128K"


def _lifecycle_filter(rule: Document) -> dict[str, Any]:
    """Filter, its And, and the Prefix of the old schema as one."""
    outer = mapping(rule.get("Filter", {"Prefix": rule.get("Prefix")}))
    chosen = {**outer, **mapping(outer.get("And"))}
    tags = [*listed(outer, "Tag"), *listed(chosen, "Tags")]
    sizes = {name: value for name, value in chosen.items() if name.startswith("ObjectSize")}
    return {"Prefix": chosen.get("Prefix") or "", "Tags": tags, **sizes}


def _without_false(action: Any) -> Any:
    """`ExpiredObjectDeleteMarker: false` means the same as its absence."""
    return {name: one for name, one in action.items() if one is not False} if isinstance(action, Mapping) else action


def _lifecycle_words(rule: Document) -> str:
    chosen = _lifecycle_filter(rule)
    where = f"under '{chosen['Prefix']}'" if chosen["Prefix"] else "for the whole bucket"
    if len(chosen) > 2 or chosen["Tags"]:
        where += " by tags or size"
    done = [_action_words(verb, rule[action]) for action, verb in _LIFECYCLE_ACTIONS.items() if rule.get(action)]
    return f"the rule '{rule.get('ID', '')}' ({where}: {', '.join(done)})"


def _action_words(verb: str, action: Any) -> str:
    """When an action is done: `expires after 30 days`, `moves after 90 days to GLACIER`."""
    if isinstance(action, list | tuple):
        return ", ".join(_action_words(verb, one) for one in action)
    days = next((action[name] for name in ("Days", "NoncurrentDays", "DaysAfterInitiation") if name in action), None)
    kept = action.get("NewerNoncurrentVersions")
    if action.get("ExpiredObjectDeleteMarker"):
        return "expired delete markers go"
    when = f"on {action['Date']}" if "Date" in action else f"after {days} days"
    target = f" to {action['StorageClass']}" if "StorageClass" in action else ""
    return f"{verb} {when}{target}" + (f" but the newest {kept}" if kept else "")


def _cors_rules(document: Document | None, end: End) -> Iterator[_Part]:
    for rule in listed(document, "CORSRules"):
        value = {name: one for name, one in rule.items() if name != "ID" and one}
        for field in ("AllowedHeaders", "ExposeHeaders"):  # the case of their letters means nothing
            if field in value:
                value[field] = [header.lower() for header in value[field]]
        methods, origins = (", ".join(texts(rule.get(field))) for field in ("AllowedMethods", "AllowedOrigins"))
        yield _Part(f"the rule for {methods} from {origins}", value)


_TARGETS = {
    "TopicConfigurations": ("topic", "TopicArn"),
    "QueueConfigurations": ("queue", "QueueArn"),
    "LambdaFunctionConfigurations": ("function", "LambdaFunctionArn"),
}


def _notifications(document: Document | None, end: End) -> Iterator[_Part]:
    """Those of this collection follow the direction of replication, so they are no difference."""
    for field, (kind, arn) in _TARGETS.items():
        for one in listed(document, field):
            if pair_of(one.get("Id")):
                continue
            rules = listed(mapping(mapping(one.get("Filter")).get("Key")), "FilterRules")
            chosen = {str(rule.get("Name")).lower(): rule.get("Value") for rule in rules}
            events, target = sorted(texts(one.get("Events"))), str(one.get(arn))
            value = {"Target": target, "Events": events, "Filter": chosen}
            yield _Part(f"{', '.join(events)} to the {kind} '{target.rsplit(':', 1)[-1]}'", value)
    if "EventBridgeConfiguration" in (document or {}):
        yield _Part("the delivery to EventBridge", {"Target": "EventBridge"})


def _default_encryption(document: Document | None, end: End) -> Iterator[_Part]:
    """Each bucket uses a key of its own Region, so keys are compared by whether there is one."""
    for rule in listed(document, "Rules"):
        default = mapping(rule.get("ApplyServerSideEncryptionByDefault"))
        algorithm, key = str(default.get("SSEAlgorithm") or "AES256"), str(default.get("KMSMasterKeyID") or "")
        yield _Part(f"the algorithm {algorithm}", {"Algorithm": algorithm})
        if algorithm != "AES256":
            yield _Part(*_key_words(key, end))
        if algorithm == "aws:kms" and rule.get("BucketKeyEnabled"):
            yield _Part("an S3 Bucket Key", {"BucketKey": True})
        for blocked in texts(mapping(rule.get("BlockedEncryptionTypes")).get("EncryptionType")):
            if blocked != "NONE":
                yield _Part(f"{blocked} blocked", {"Blocked": blocked})


def _key_words(key: str, end: End) -> tuple[str, Any]:
    if not key or key.endswith("alias/aws/s3"):
        return "the AWS managed key aws/s3", {"Key": "aws/s3"}
    if key.startswith("arn:") and key.split(":")[3] != end.region:
        return f"the key {key}, which is not of its Region {end.region}", {f"Key of {end.bucket}": "abroad"}
    return "a customer managed key", {"Key": "own"}


def _object_lock(document: Document | None, end: End) -> Iterator[_Part]:
    if document is None or document.get("ObjectLockEnabled") != "Enabled":
        return
    yield _Part("Object Lock", {"ObjectLock": True})
    retention = mapping(mapping(document.get("Rule")).get("DefaultRetention"))
    if retention:
        period = f"{retention['Years']} years" if retention.get("Years") else f"{retention.get('Days')} days"
        value = {"Mode": retention.get("Mode"), "Period": period}
        yield _Part(f"the default retention {retention.get('Mode')} for {period}", value)


def _tags(document: Document | None, end: End) -> Iterator[_Part]:
    """Tags that begin with `aws:` are AWS's own."""
    for key, value in mapping((document or {}).get("Tags")).items():
        if not key.lower().startswith("aws:"):
            yield _Part(f"the tag '{key}'", {"Key": key, "Value": value})


_SUBJECTS = (
    _Subject(
        "bucket policy",
        "bucket_policy",
        _statements,
        "bucket policy",
        "Put the same statements into both, each for its own bucket, so that after a failover everybody may do what "
        "they may now, and nothing else.",
    ),
    _Subject(
        "lifecycle",
        "bucket_lifecycle",
        _lifecycle_rules,
        "lifecycle",
        "Give both buckets the same rules, else one of them keeps, moves or deletes what the other does not.",
    ),
    _Subject(
        "cors",
        "bucket_cors",
        _cors_rules,
        "CORS configuration",
        "Give both buckets the same rules, else browsers fail after a failover.",
    ),
    _Subject(
        "notifications",
        "bucket_notification",
        _notifications,
        "notification configuration",
        "Set the same events up there, with targets in its own Region, else nobody is told after a failover.",
    ),
    _Subject(
        "default encryption",
        "bucket_encryption",
        _default_encryption,
        "default encryption",
        "Set the same, each with a key of its own Region, so that objects are as well protected after a failover.",
    ),
    _Subject(
        "object lock",
        "bucket_object_lock",
        _object_lock,
        "Object Lock configuration",
        "Set the same, else objects that are written after a failover are protected otherwise.",
    ),
    _Subject(
        "tags",
        "bucket_tags",
        _tags,
        "set of tags",
        "Tag both alike, if costs or permissions go by tags.",
    ),
)


# --- keys of destinations ------------------------------------------------------------------------------------

_USABLE_STATES = ("Enabled", "Updating")
"""In the seconds for which a multi-Region key is Updating, KMS encrypts and decrypts with it as ever."""


def _keys(pair: Pair) -> dict[str, End]:
    """The keys with which objects at the destinations of the pair are encrypted, and of which end each is."""
    return {
        key: end for link in reversed(pair.links()) for end in reversed(link.destinations()) for key in end.kms_keys()
    }


def _key_check(key: str, end: End, observed: Observed) -> Check:
    address = key_address(key)
    why = _unseen(address, observed)
    if why:
        message = f"Whether the key {key} of '{end.bucket}' can be used could not be looked at: {why}."
        return Check(Area.READINESS, "destination key", key, Status.UNKNOWN, message)
    flaw = _key_flaw(observed[address])
    if flaw:
        message = f"The key {key}, without which replicas in '{end.bucket}' can be neither written nor read, {flaw}"
        return Check(Area.READINESS, "destination key", key, Status.AT_RISK, message)
    message = f"The key {key} of '{end.bucket}' can be used."
    return Check(Area.READINESS, "destination key", key, Status.PASSED, message)


def _key_flaw(document: Document | None) -> str | None:
    """Why a key cannot be used, as the end of a sentence, and what to do."""
    if document is None:
        return "does not exist. Correct its ARN, and replicate what was encrypted with it again."
    state, usage = document.get("KeyState"), document.get("KeyUsage")
    if usage not in (None, "ENCRYPT_DECRYPT"):
        return f"is for {usage}, and S3 encrypts with symmetric encryption keys only. Name another key."
    if state == "PendingDeletion":
        return "is going to be deleted, and with it all that it encrypts is lost. Cancel its deletion and enable it."
    if state == "Disabled":
        return "is disabled. Enable it."
    if state not in _USABLE_STATES:
        return f"is in the state {state}. Make it usable, or name another key."
    return None
