# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The pair as a value: what a user declares, validated without asking AWS.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from string import Formatter
from typing import Any, TypeAlias

Document = Mapping[str, Any]
"""What one AWS API holds for one address, as plain JSON values in the API's own spelling."""

GLOBAL = "global"
"""The Region of an address whose service is not Regional (IAM)."""

UNSEEN = "Unseen"
"""The one field of what stands for a document that the credentials may not read: why."""

PAIR_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,38}")
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
KEY_ARN = re.compile(r"arn:aws[\w-]*:kms:(?P<region>[\w-]+):(?P<account>\d{12}):key/[\w-]+")
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+")
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ROLE_PATH = re.compile(r"/([!-~]{1,510}/)?")
_ACCOUNT_ID = re.compile(r"\d{12}")
# S3 User Guide, "General purpose bucket naming rules".
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

STORAGE_CLASSES = (
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
)


class InvalidInput(ValueError):
    """The user's wish cannot be right. Raised before any call to AWS; the message names the thing and the next step."""


class Refused(Exception):
    """What AWS holds forbids the wish (something foreign would be lost). Raised before anything is changed."""


class Direction(StrEnum):
    """Which way a pair replicates."""

    ONE_WAY = "one_way"
    TWO_WAY = "two_way"


class Observation(StrEnum):
    """How a rule is observed: AWS allows replication time control only together with metrics."""

    NONE = "none"
    METRICS = "metrics"
    METRICS_AND_RTC = "metrics_and_rtc"


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Names exactly one document: two wishes that need two documents have two addresses."""

    kind: str
    name: str
    region: str
    account: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.region})"


def is_seen(document: Document | None) -> bool:
    """Whether the credentials may read the document, if there is one."""
    return document is None or UNSEEN not in document


@dataclass(frozen=True, slots=True)
class Step:
    """One difference between the wish and AWS. `None` means that the document does not exist."""

    address: Address
    before: Document | None
    after: Document | None

    @property
    def action(self) -> str:
        """`create`, `update` or `delete`."""
        if self.before is None:
            return "create"
        return "delete" if self.after is None else "update"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose an end is: a 12-digit account ID and its partition (`aws`, `aws-us-gov`, `aws-cn`).

    `ours` is whether the task has credentials of the account. Of another's account nothing is read or written.
    """

    id: str
    partition: str = "aws"
    ours: bool = True

    @classmethod
    def of_caller(cls, arn: str) -> Account:
        """The account of an STS caller ARN, for example `arn:aws:sts::111122223333:assumed-role/ops/me`."""
        _arn, partition, _service, _region, account, _resource = arn.split(":", 5)
        return cls(id=account, partition=partition)


Accounts: TypeAlias = "Mapping[str, Account]"
"""The account of each bucket of a pair, by the bucket's name. Names of buckets are unique in a partition."""


@dataclass(frozen=True, slots=True)
class End:
    """One side of a pair: a bucket, and how replicas arrive in it and leave it.

    Attributes:
        storage_class: the class that replicas arriving here get; None: the object's own.
        kms_key_arn: the key, in this Region, with which replicas arriving here are encrypted and objects may be.
        more_kms_key_arns: other keys with which objects here are encrypted.
        object_lock: whether Object Lock is to be enabled; False leaves it as it is.
        replication_role_arn: a role of the user's, as which S3 replicates out of this bucket, in place of ours.
        account_id: whose the bucket is, if the user says so; None: the account of the credentials.
    """

    bucket: str
    region: str
    storage_class: str | None = None
    kms_key_arn: str | None = None
    more_kms_key_arns: tuple[str, ...] = ()
    object_lock: bool = False
    replication_role_arn: str | None = None
    account_id: str | None = None

    def __post_init__(self) -> None:
        check_bucket_name(self.bucket)
        check_region(self.region, f"bucket '{self.bucket}'")
        if self.storage_class is not None and self.storage_class not in STORAGE_CLASSES:
            raise InvalidInput(
                f"bucket '{self.bucket}': S3 has no storage class '{self.storage_class}' for replicas. "
                f"Choose one of {', '.join(STORAGE_CLASSES)}."
            )
        for key in self.kms_keys():
            _check_kms_key(key, self)
        if self.replication_role_arn is not None and not _ROLE_ARN.fullmatch(self.replication_role_arn):
            raise InvalidInput(
                f"bucket '{self.bucket}': '{self.replication_role_arn}' is not the ARN of an IAM role. Write "
                "`replication_role_arn` like arn:aws:iam::111122223333:role/name."
            )
        if self.account_id is not None and not _ACCOUNT_ID.fullmatch(self.account_id):
            raise InvalidInput(
                f"bucket '{self.bucket}': an account ID has 12 digits, '{self.account_id}' has not. Write `account_id` "
                "in quotes, since YAML drops leading zeros."
            )

    def kms_keys(self) -> tuple[str, ...]:
        """All keys of this end, the replicas' first."""
        own = (self.kms_key_arn,) if self.kms_key_arn else ()
        return tuple(dict.fromkeys((*own, *self.more_kms_key_arns)))


def _check_kms_key(key: str, end: End) -> None:
    found = KEY_ARN.fullmatch(key)
    if not found:
        raise InvalidInput(
            f"bucket '{end.bucket}': '{key}' is not the ARN of a KMS key. Aliases and bare IDs mean another key in "
            "every account and Region, so write arn:aws:kms:REGION:ACCOUNT:key/ID."
        )
    if found["region"] != end.region:
        raise InvalidInput(
            f"bucket '{end.bucket}': the key {key} is in {found['region']}, and S3 uses keys of the bucket's own "
            f"Region only. Name a key in {end.region}; of a multi-Region key, name the replica there."
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One replication rule that the pair owns, known by its ID.

    Attributes:
        tags: (key, value) pairs that an object must all carry when it is written.
        reverse_delete_markers: the choice for the way back, when it shall differ; None: as `delete_markers`.
        replica_modifications: whether changes of a replica's metadata replicate; None: when the pair is two-way.
        kms_objects: whether objects encrypted with KMS replicate; None: when the destination names a key.
        owner_override: whether replicas belong to the destination's account.
        destination: where this rule's replicas go, if not simply to the other end.
    """

    id: str
    priority: int = 1
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    enabled: bool = True
    delete_markers: bool = False
    reverse_delete_markers: bool | None = None
    observation: Observation = Observation.METRICS
    replica_modifications: bool | None = None
    kms_objects: bool | None = None
    owner_override: bool = False
    destination: End | None = None

    def __post_init__(self) -> None:
        if not self.id or len(self.id) > 255 or not self.id.isascii() or not self.id.isprintable():
            raise InvalidInput(
                f"rule '{self.id[:60]}': a rule ID has 1 to 255 printable ASCII characters. Choose another `id`."
            )
        if self.priority < 0:
            raise InvalidInput(f"rule '{self.id}': priority {self.priority} is negative. Use 0 or more.")
        if len(self.prefix.encode()) > 1024:
            raise InvalidInput(f"rule '{self.id}': the prefix is longer than S3's limit of 1024 bytes. Shorten it.")
        self._check_tags()

    def _check_tags(self) -> None:
        if self.tags and (self.delete_markers or self.reverse_delete_markers):
            raise InvalidInput(
                f"rule '{self.id}': a rule with `tags` cannot replicate delete markers, since a marker has no tags. "
                "Set `delete_markers: false`, or select by `prefix` alone."
            )
        if len(self.tags) > 10:
            raise InvalidInput(f"rule '{self.id}': {len(self.tags)} tags, and an object has at most 10. Use fewer.")
        for key, value in self.tags:
            if not 1 <= len(key) <= 128 or len(value) > 256:
                raise InvalidInput(
                    f"rule '{self.id}': the tag '{key[:60]}' is outside of S3's limits: 1 to 128 characters for a key, "
                    "up to 256 for a value. Shorten it."
                )


_PLACES = ("pair", "source", "destination", "source_bucket", "destination_bucket")


def _is_template(text: str) -> bool:
    try:
        fields = [(field, spec, conversion) for _text, field, spec, conversion in Formatter().parse(text)]
    except ValueError:  # a single brace
        return False
    return all(
        field is None or (field in _PLACES and not spec and not conversion) for field, spec, conversion in fields
    )


@dataclass(frozen=True, slots=True)
class RoleSettings:
    """How the roles that the pair makes are named and fenced in. `None` and `()` leave what is there.

    `name_template` takes {pair}, {source} and {destination} (Regions), {source_bucket} and {destination_bucket}.
    """

    name_template: str = "s3-dr-{pair}-to-{destination}"
    path: str = "/"
    permissions_boundary: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    annotations: bool = True

    def __post_init__(self) -> None:
        if not _is_template(self.name_template):
            raise InvalidInput(
                f"role name template '{self.name_template}': it takes {', '.join(f'{{{one}}}' for one in _PLACES)} and "
                "nothing else in braces. Correct it."
            )
        reserved = [key for key, _value in self.tags if key.lower().startswith(("aws:", "managed-by", "s3-dr-"))]
        if reserved or len(self.tags) > 40:
            raise InvalidInput(
                f"role tags: {', '.join(reserved) or f'{len(self.tags)} of them'} cannot be set. Keys that begin with "
                "aws:, managed-by or s3-dr- are reserved, whatever their case, and 40 are the most. Leave them out."
            )
        if not _ROLE_PATH.fullmatch(self.path):
            raise InvalidInput(f"role path '{self.path}': it begins and ends with '/'. Write it like /replication/.")
        if self.permissions_boundary is not None and not _POLICY_ARN.fullmatch(self.permissions_boundary):
            raise InvalidInput(
                f"permissions boundary '{self.permissions_boundary}': it is not the ARN of an IAM policy. "
                "Write it like arn:aws:iam::111122223333:policy/name."
            )


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of a pair: objects written to `source` arrive in `destination`, or where their rule says."""

    pair: str
    source: End
    destination: End
    rules: tuple[Rule, ...]
    two_way: bool
    roles: RoleSettings = RoleSettings()

    def destination_of(self, rule: Rule) -> End:
        """Where the replicas of a rule go."""
        return rule.destination or self.destination

    def destinations(self) -> tuple[End, ...]:
        """Every end to which a rule sends replicas; one bucket can stand there twice, with two keys or classes."""
        return tuple(dict.fromkeys(self.destination_of(rule) for rule in self.rules))

    @property
    def role_name(self) -> str:
        """One role per direction: a shared one would make failover and failback overwrite each other."""
        toward, origin = self.destination.region, self.source.region
        if toward == origin:  # the Region alone would name both directions alike
            toward, origin = _short(self.destination.bucket), _short(self.source.bucket)
        return self.roles.name_template.format(
            pair=self.pair,
            source=origin,
            destination=toward,
            source_bucket=self.source.bucket,
            destination_bucket=self.destination.bucket,
        )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Pair:
    """One source and one destination bucket in two Regions, with what ties them.

    Raises:
        InvalidInput: the declaration cannot be right; nothing was asked of AWS.
    """

    name: str
    primary: End
    dr: End
    rules: tuple[Rule, ...]
    direction: Direction = Direction.ONE_WAY
    allow_same_region: bool = False
    roles: RoleSettings = RoleSettings()

    def __post_init__(self) -> None:
        check_pair_name(self.name)
        if self.primary.bucket == self.dr.bucket:
            raise InvalidInput(
                f"pair '{self.name}': bucket '{self.dr.bucket}' is given for both ends. "
                "Name another bucket, in another Region, as `dr.bucket`."
            )
        if self.primary.region == self.dr.region and not self.allow_same_region:
            raise InvalidInput(
                f"pair '{self.name}': both buckets are in {self.dr.region}, so the loss of that Region loses both. "
                "Choose another `dr.region`, or set `allow_same_region: true` if this is meant."
            )
        self._check_rules()
        self._check_role_names()

    def _check_rules(self) -> None:
        if not self.rules:
            raise InvalidInput(f"pair '{self.name}': `rules` is empty. Leave it out to replicate the whole bucket.")
        if len(self.rules) > 1000:
            raise InvalidInput(f"pair '{self.name}': {len(self.rules)} rules; S3 allows 1000 a bucket. Use fewer.")
        if all(self._leaves(rule) for rule in self.rules):
            raise InvalidInput(
                f"pair '{self.name}': no rule sends anything to '{self.dr.bucket}'. Leave `destination.bucket` out of "
                "one of the `rules`, or name that bucket as `dr`."
            )
        priorities = [str(rule.priority) for rule in self.rules]
        for what, values in (("ID", [rule.id for rule in self.rules]), ("priority", priorities)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise InvalidInput(
                    f"pair '{self.name}': the rule {what} {', '.join(twice)} is used twice. Give each rule its own."
                )

    def _check_role_names(self) -> None:
        names = [link.role_name for link in self.both_links()]
        if names[0] == names[1]:
            raise InvalidInput(
                f"pair '{self.name}': both directions would share the role '{names[0]}' and overwrite each other's "
                "policy. Put {source} or {destination} into the role name template."
            )
        for name in names:
            if not _ROLE_NAME.fullmatch(name):
                raise InvalidInput(
                    f"pair '{self.name}': IAM takes 1 to 64 letters, digits and '_+=,.@-' as a role's name, and "
                    f"'{name}' is none. Change the role name template."
                )

    def reversed(self) -> Pair:
        """The same pair seen from the other end."""
        return replace(self, primary=self.dr, dr=self.primary, rules=tuple(_turned(rule) for rule in self.rules))

    def links(self) -> tuple[Link, ...]:
        """The directions in which objects flow: primary to DR, and back when the pair is two-way."""
        return self.both_links() if self.direction is Direction.TWO_WAY else self.both_links()[:1]

    def both_links(self) -> tuple[Link, ...]:
        """Both directions, whether the pair uses the second or not. Rules that leave the pair have no way back."""
        back = tuple(_turned(rule) for rule in self.rules if not self._leaves(rule))
        return (self._link(self.primary, self.dr, self.rules), self._link(self.dr, self.primary, back))

    def _link(self, source: End, destination: End, rules: tuple[Rule, ...]) -> Link:
        two_way = self.direction is Direction.TWO_WAY
        rules = tuple(_leaving(source, rule) for rule in rules)
        return Link(self.name, source, destination, rules, two_way, self.roles)

    def _leaves(self, rule: Rule) -> bool:
        return rule.destination is not None and rule.destination.bucket not in (self.primary.bucket, self.dr.bucket)

    def ends(self) -> tuple[End, ...]:
        """Primary, DR, then the further buckets to which rules send replicas, each bucket once."""
        ends = {self.primary.bucket: self.primary, self.dr.bucket: self.dr}
        for rule in self.rules:
            if rule.destination:
                ends.setdefault(rule.destination.bucket, rule.destination)
        return tuple(ends.values())


def _turned(rule: Rule) -> Rule:
    if rule.reverse_delete_markers is None:
        return rule
    return replace(rule, delete_markers=rule.reverse_delete_markers, reverse_delete_markers=rule.delete_markers)


def _leaving(source: End, rule: Rule) -> Rule:
    """The rule as it leaves the source: a destination that is the source itself speaks of the other direction."""
    if rule.destination is not None and rule.destination.bucket == source.bucket:
        return replace(rule, destination=None)
    return rule


def default_rule_id(pair: str) -> str:
    """The ID of a pair's rule when the user names none; it is also CloudWatch's `RuleId` dimension."""
    return f"s3-dr-{pair}"


def check_pair_name(name: str) -> None:
    """Raise InvalidInput when the text cannot be the name of a pair."""
    if not PAIR_NAME.fullmatch(name):
        raise InvalidInput(
            f"pair '{name}': a pair's name has 1 to 39 letters, digits, '_', '.' or '-' and begins with a "
            "letter or digit, since it becomes part of IAM and CloudWatch names. Rename the pair."
        )


def check_bucket_name(name: str) -> None:
    """Raise InvalidInput when S3 would refuse the name of a general purpose bucket."""
    reason = _why_bucket_name_is_refused(name)
    if reason:
        raise InvalidInput(f"bucket '{name[:80]}': S3 refuses this name: {reason}. Choose another bucket name.")


def _why_bucket_name_is_refused(name: str) -> str | None:
    if not 3 <= len(name) <= 63:
        return "it must have 3 to 63 characters"
    if not _BUCKET_NAME.fullmatch(name):
        return "only lower-case letters, digits, '.' and '-' are allowed, beginning and ending with a letter or digit"
    if ".." in name:
        return "two dots may not stand side by side"
    if _IP_ADDRESS.fullmatch(name):
        return "it may not look like an IP address"
    for prefix in _RESERVED_PREFIXES:
        if name.startswith(prefix):
            return f"the prefix '{prefix}' is reserved"
    for suffix in _RESERVED_SUFFIXES:
        if name.endswith(suffix):
            return f"the suffix '{suffix}' is reserved"
    return None


def check_region(region: str, of_what: str) -> None:
    """Raise InvalidInput when the text cannot be the name of an AWS Region."""
    if not _REGION.fullmatch(region):
        raise InvalidInput(f"{of_what}: '{region}' is not a Region's name. Write it like us-east-1.")
