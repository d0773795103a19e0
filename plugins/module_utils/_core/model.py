# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The pair as a value: what a user declares, validated without asking AWS.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

Document = Mapping[str, Any]
"""What one AWS API holds for one address, as plain JSON values in the API's own spelling."""

GLOBAL = "global"
"""The Region of an address whose service is not Regional (IAM)."""

_PAIR_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,38}")
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
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
    """Who the credentials of an end are: a 12-digit account ID and its partition (`aws`, `aws-us-gov`, `aws-cn`)."""

    id: str
    partition: str = "aws"

    @classmethod
    def of_caller(cls, arn: str) -> Account:
        """The account of an STS caller ARN, for example `arn:aws:sts::111122223333:assumed-role/ops/me`."""
        _arn, partition, _service, _region, account, _resource = arn.split(":", 5)
        return cls(id=account, partition=partition)


@dataclass(frozen=True, slots=True)
class End:
    """One side of a pair. `storage_class` is the class that replicas arriving here get; `None`: the object's own."""

    bucket: str
    region: str
    storage_class: str | None = None

    def __post_init__(self) -> None:
        check_bucket_name(self.bucket)
        check_region(self.region, f"bucket '{self.bucket}'")
        if self.storage_class is not None and self.storage_class not in STORAGE_CLASSES:
            raise InvalidInput(
                f"bucket '{self.bucket}': S3 has no storage class '{self.storage_class}' for replicas. "
                f"Choose one of {', '.join(STORAGE_CLASSES)}."
            )


@dataclass(frozen=True, slots=True)
class Rule:
    """One replication rule that the pair owns, known by its ID."""

    id: str
    priority: int = 1
    prefix: str = ""
    enabled: bool = True
    delete_markers: bool = False
    observation: Observation = Observation.METRICS

    def __post_init__(self) -> None:
        if not self.id or len(self.id) > 255 or not self.id.isascii() or not self.id.isprintable():
            raise InvalidInput(
                f"rule '{self.id[:60]}': a rule ID has 1 to 255 printable ASCII characters. Choose another `id`."
            )
        if self.priority < 0:
            raise InvalidInput(f"rule '{self.id}': priority {self.priority} is negative. Use 0 or more.")
        if len(self.prefix.encode()) > 1024:
            raise InvalidInput(f"rule '{self.id}': the prefix is longer than S3's limit of 1024 bytes. Shorten it.")


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of a pair: objects written to `source` arrive in `destination` under the rules."""

    pair: str
    source: End
    destination: End
    rules: tuple[Rule, ...]
    two_way: bool

    @property
    def role_name(self) -> str:
        """One role per direction: a shared one would make failover and failback overwrite each other."""
        toward = self.destination.region
        if self.source.region == self.destination.region:  # the Region alone would name both directions alike
            toward = hashlib.sha256(self.destination.bucket.encode()).hexdigest()[:8]
        return f"s3-dr-{self.pair}-to-{toward}"


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

    def __post_init__(self) -> None:
        if not _PAIR_NAME.fullmatch(self.name):
            raise InvalidInput(
                f"pair '{self.name}': a pair's name has 1 to 39 letters, digits, '_', '.' or '-' and begins with a "
                "letter or digit, since it becomes part of IAM and CloudWatch names. Rename the pair."
            )
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

    def _check_rules(self) -> None:
        if not self.rules:
            raise InvalidInput(f"pair '{self.name}': `rules` is empty. Leave it out to replicate the whole bucket.")
        if len(self.rules) > 1000:
            raise InvalidInput(f"pair '{self.name}': {len(self.rules)} rules; S3 allows 1000 a bucket. Use fewer.")
        priorities = [str(rule.priority) for rule in self.rules]
        for what, values in (("ID", [rule.id for rule in self.rules]), ("priority", priorities)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise InvalidInput(
                    f"pair '{self.name}': the rule {what} {', '.join(twice)} is used twice. Give each rule its own."
                )

    def reversed(self) -> Pair:
        """The same pair seen from the other end."""
        return replace(self, primary=self.dr, dr=self.primary)

    def links(self) -> tuple[Link, ...]:
        """The directions in which objects flow: primary to DR, and back when the pair is two-way."""
        return self.both_links() if self.direction is Direction.TWO_WAY else self.both_links()[:1]

    def both_links(self) -> tuple[Link, ...]:
        """Both directions, whether the pair uses the second or not."""
        two_way = self.direction is Direction.TWO_WAY
        return tuple(Link(view.name, view.primary, view.dr, view.rules, two_way) for view in (self, self.reversed()))

    def ends(self) -> Iterator[End]:
        """Primary first, then DR."""
        yield self.primary
        yield self.dr


def default_rule_id(pair: str) -> str:
    """The ID of a pair's rule when the user names none; it is also CloudWatch's `RuleId` dimension."""
    return f"s3-dr-{pair}"


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
