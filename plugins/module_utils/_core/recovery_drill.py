# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a recovery drill writes, as whom it recovers, and in which steps. Nothing but canaries is touched.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .causes import ARCHIVE_CLASSES
from .merging import owner_tags
from .model import GLOBAL, Accounts, Address, Document, End, InvalidInput, Link, Pair, Refused, Rule
from .policies import VERSION
from .proofs import RESERVED_PREFIX, Flight, flights_of_rules, unproven
from .rules import bucket_arn

ROLE_POLICY = "s3-dr-drill"
PART_BYTES = 5 * 1024 * 1024
"""The smallest part of a multipart upload; what is larger is uploaded in parts."""
MOST_BYTES = 1024**3
MOST_OBJECTS = 100
SMALL_BYTES = 1024
_BLOCK_BYTES = 1024 * 1024


# --- what is wished ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DrillWishes:
    """What the user wants of a drill.

    Attributes:
        active: where applications write now, `primary` or `dr`; one recovers at the other end.
        rule: the ID of the rule through which the objects go; None: the first that leads to the other end.
        sizes: the size classes, in bytes.
        each: how many objects of each class.
        recover_as: the role as which is recovered; None: one that the drill makes for the time.
        application: the role of the application, as which a replica is read.
        experiment: a template of AWS FIS that pauses replication.
        pause_seconds: how long an object must stay away while replication is paused.
    """

    active: str = "primary"
    rule: str | None = None
    sizes: tuple[int, ...] = (1024, 1024**2, 8 * 1024**2)
    each: int = 5
    max_transfer_bytes: int = 256 * 1024**2
    deadline_seconds: float = 900.0
    rto_target: float | None = None
    rpo_target: float | None = None
    recover_as: str | None = None
    application: str | None = None
    experiment: str | None = None
    pause_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not self.sizes or any(not 1 <= size <= MOST_BYTES for size in self.sizes):
            raise InvalidInput(
                f"`object_sizes`: {list(self.sizes)}: name at least one size, each from 1 byte to 1 GiB ({MOST_BYTES})."
            )
        if len(set(self.sizes)) != len(self.sizes):
            raise InvalidInput(f"`object_sizes`: {list(self.sizes)}: a size stands there twice. Name each once.")
        if not 2 <= self.each <= MOST_OBJECTS:
            raise InvalidInput(
                f"`objects_per_class`: {self.each}: take 2 to {MOST_OBJECTS}. One is overwritten and another deleted."
            )
        for name, seconds in (
            ("deadline_seconds", self.deadline_seconds),
            ("pause_seconds", self.pause_seconds),
            ("rto_target_seconds", self.rto_target),
            ("rpo_target_seconds", self.rpo_target),
        ):
            if seconds is not None and seconds <= 0:
                raise InvalidInput(f"`{name}`: {seconds:g}: use more than 0 seconds.")
        if self.transfer > self.max_transfer_bytes:
            raise InvalidInput(
                f"the drill would write and read {self.transfer} bytes, which is above `max_transfer_bytes` "
                f"({self.max_transfer_bytes}). Raise that, or use fewer or smaller objects."
            )

    @property
    def transfer(self) -> int:
        """How many bytes are written and read back, without the few small objects besides."""
        return 2 * self.each * sum(self.sizes)


def link_of(pair: Pair, active: str) -> Link:
    """The direction in which objects flow away from where applications write."""
    if active == "primary":
        return pair.links()[0]
    if len(pair.links()) < 2:
        raise InvalidInput(
            f"pair '{pair.name}': with `active: dr` one recovers at the primary, and nothing replicates there, since "
            "the pair is one-way. Set `direction: two_way`, or leave `active` out."
        )
    return pair.links()[1]


def flight_of(pair: Pair, accounts: Accounts, wishes: DrillWishes) -> Flight:
    """The way of the drill's objects, encrypted with the pair's key where the rule takes such objects.

    Raises:
        InvalidInput: there is no such rule, or what it writes cannot be read at once.
    """
    link = link_of(pair, wishes.active)
    ways = [
        flight
        for flight in flights_of_rules(pair, accounts)
        if flight.link.source == link.source
        and flight.link.destination_of(flight.rule).bucket == link.destination.bucket
    ]
    named = [flight for flight in ways if wishes.rule in (None, flight.rule.id)]
    if not named:
        raise InvalidInput(_no_way(pair, accounts, link, wishes.rule))
    chosen = [flight for flight in named if flight.rule.id == named[0].rule.id][-1]  # with a key, if there is one
    target = link.destination_of(chosen.rule)
    if target.storage_class in ARCHIVE_CLASSES:
        raise InvalidInput(
            f"rule '{chosen.rule.id}': its replicas arrive as {target.storage_class}, which S3 gives back only hours "
            "after a restore. So nothing can be read at once, in a drill or in a disaster. Name another `rule`, or "
            "another storage class."
        )
    return chosen


def _no_way(pair: Pair, accounts: Accounts, link: Link, rule: str | None) -> str:
    closed = unproven(pair, accounts)
    which = f"the rule '{rule}'" if rule else "no rule"
    said = f"pair '{pair.name}': {which} is none that is enabled and leads from {link.source.bucket} to "
    if not rule:
        said = f"pair '{pair.name}': no enabled rule leads from {link.source.bucket} to "
    return (
        f"{said}{link.destination.bucket}, in accounts of which this task has credentials. {' '.join(closed)}".strip()
    )


# --- names ---------------------------------------------------------------------------------------------------


def stem_of(pair: str, rule: Rule) -> str:
    """How all keys of a pair's drills begin, below a rule's prefix. They end as those of canaries do."""
    return f"{rule.prefix}{RESERVED_PREFIX}{_digest(f'recovery drill of {pair}')}"


def key_of(pair: str, rule: Rule, name: str) -> str:
    """The key of one object. It is the same in each drill of the pair, so that a later one finds it."""
    return f"{stem_of(pair, rule)}{_digest(name)}"


def role_name(pair: str, end: End) -> str:
    """The role that a drill makes to recover at an end."""
    return f"s3-dr-{pair}-drill-{_digest(end.bucket)[:8]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# --- what is in the objects ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of an object, which can be told again without keeping them. No two seeds tell the same."""

    seed: str
    size: int

    def blocks(self) -> Iterator[bytes]:
        """All of it, a MiB at a time."""
        for number, start in enumerate(range(0, self.size, _BLOCK_BYTES)):
            length = min(_BLOCK_BYTES, self.size - start)
            yield hashlib.shake_256(f"{self.seed}/{number}".encode()).digest(length)

    def whole(self) -> bytes:
        """All of it at once."""
        return b"".join(self.blocks())

    def parts(self) -> Iterator[bytes]:
        """All of it in the parts of a multipart upload."""
        each = PART_BYTES // _BLOCK_BYTES
        blocks = list(range(0, self.size, _BLOCK_BYTES))
        source = self.blocks()
        for start in range(0, len(blocks), each):
            yield b"".join(islice(source, len(blocks[start : start + each])))

    @property
    def in_parts(self) -> bool:
        """Whether it is uploaded in parts."""
        return self.size > PART_BYTES


# --- the identity that recovers ------------------------------------------------------------------------------


def role_wish(flight: Flight, accounts: Accounts, caller: str, default_key: str | None) -> dict[Address, Document]:
    """A role that may do with the drill's objects at the destination what an application does, and nothing else.

    Args:
        caller: who may assume it, the ARN that STS tells of the credentials.
        default_key: the key with which the destination encrypts what says nothing about it.
    """
    end = flight.link.destination_of(flight.rule)
    boundary = flight.link.roles.permissions_boundary
    role, policy = role_addresses(flight.link.pair, end, accounts)
    document = {
        "Path": flight.link.roles.path,
        "Description": f"For the time of a recovery drill of the pair {flight.link.pair}.",
        "AssumeRolePolicyDocument": _trust(caller),
        "Tags": {**dict(flight.link.roles.tags), **owner_tags(**{"s3-dr-pair": flight.link.pair})},
        **({"PermissionsBoundary": boundary} if boundary else {}),
    }
    return {role: document, policy: _policy(flight, end, accounts, default_key)}


def role_arn_of(flight: Flight, accounts: Accounts) -> str:
    """The ARN of the role that a drill makes."""
    end = flight.link.destination_of(flight.rule)
    account = accounts[end.bucket]
    path = f"{flight.link.roles.path}{role_name(flight.link.pair, end)}"
    return f"arn:{account.partition}:iam::{account.id}:role{path}"


def role_addresses(pair: str, end: End, accounts: Accounts) -> tuple[Address, Address]:
    """The addresses of the role and of its policy."""
    name, account = role_name(pair, end), accounts[end.bucket].id
    return (
        Address("iam_role", name, GLOBAL, account),
        Address("iam_role_policy", f"{name}/{ROLE_POLICY}", GLOBAL, account),
    )


def _trust(caller: str) -> Document:
    statement = {"Sid": "TheDrill", "Effect": "Allow", "Principal": {"AWS": caller}, "Action": "sts:AssumeRole"}
    return {"Version": VERSION, "Statement": [statement]}


def _policy(flight: Flight, end: End, accounts: Accounts, default_key: str | None) -> Document:
    bucket = bucket_arn(end, accounts[end.bucket].partition)
    stem = stem_of(flight.link.pair, flight.rule)
    keys = sorted({key for key in (*end.kms_keys(), default_key) if key})
    suffix = "amazonaws.com.cn" if accounts[end.bucket].partition == "aws-cn" else "amazonaws.com"
    statements: list[Document] = [
        {
            "Sid": "UseObjectsOfTheDrill",
            "Effect": "Allow",
            "Action": [
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:PutObject",
            ],
            "Resource": [f"{bucket}/{_literal(stem)}*"],
        },
        {
            "Sid": "ListObjectsOfTheDrill",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
            "Resource": [bucket],
            "Condition": {"StringLike": {"s3:prefix": [f"{_literal(stem)}*"]}},
        },
    ]
    if keys:
        statements.append(
            {
                "Sid": "UseKeyOfReplicas",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": keys,
                "Condition": {"StringEquals": {"kms:ViaService": f"s3.{end.region}.{suffix}"}},
            }
        )
    statements.append(
        {
            "Sid": "NothingOutsideTheRegion",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": end.region}},
        }
    )
    return {"Version": VERSION, "Statement": statements}


def _literal(text: str) -> str:
    """Text that a policy takes as it is: it knows `*`, `?` and `$` as something else."""
    return "".join(f"${{{one}}}" if one in "*?$" else one for one in text)


def default_key_of(encryption: Document | None, end: End, accounts: Accounts) -> str | None:
    """The ARN of the key with which a bucket encrypts by default; None: it has none, or it is named by an alias."""
    rules: Any = (encryption or {}).get("Rules") or [{}]
    default: Mapping[str, Any] = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    key = str(default.get("KMSMasterKeyID") or "")
    if not key or "alias/" in key:
        return None
    account = accounts[end.bucket]
    return key if key.startswith("arn:") else f"arn:{account.partition}:kms:{end.region}:{account.id}:key/{key}"


# --- the experiment ------------------------------------------------------------------------------------------

PAUSE_ACTION = "aws:s3:bucket-pause-replication"
_HARMLESS = (PAUSE_ACTION, "aws:fis:wait")


def check_template(template: Mapping[str, Any], link: Link) -> None:
    """Refuse an experiment that would not pause this direction, or that would do more than that.

    Raises:
        Refused: the message says what about the template.
    """
    name, actions = template.get("id", ""), dict(template.get("actions") or {})
    pauses = [one for one in actions.values() if one.get("actionId") == PAUSE_ACTION]
    others = sorted({str(one.get("actionId")) for one in actions.values()} - set(_HARMLESS))
    if not pauses:
        raise Refused(f"the experiment template {name} has no action {PAUSE_ACTION}. Name another one, or add it.")
    if others:
        raise Refused(
            f"the experiment template {name} does more than pause replication: {', '.join(others)}. A drill touches no "
            f"live data, so name one with {PAUSE_ACTION} alone."
        )
    regions = sorted({str((one.get("parameters") or {}).get("region", "")) for one in pauses})
    if link.destination.region not in regions:
        raise Refused(
            f"the experiment template {name} pauses replication to {', '.join(regions)}, and the pair replicates to "
            f"{link.destination.region}. Correct its parameter `region`, or name another template."
        )
    arns = [arn for one in (template.get("targets") or {}).values() for arn in one.get("resourceArns") or ()]
    if arns and not any(arn.endswith(f":::{link.source.bucket}") for arn in arns):
        raise Refused(
            f"the experiment template {name} targets {', '.join(arns)} and not {link.source.bucket}. Name another one."
        )


# --- steps ---------------------------------------------------------------------------------------------------

STEPS = {
    "identity": "a role that may use the drill's objects in the recovery Region, and nothing else",
    "write": "objects of each size class are written where applications write",
    "replicate": "they are awaited in the recovery Region",
    "suppress": "the composite alarm of the pair is kept from telling anybody",
    "pause": "AWS FIS pauses replication; an object that is written now must stay away",
    "resume": "the experiment is stopped; what was held back must arrive",
    "permissions": "the identity is awaited until AWS knows its permissions everywhere",
    "last_writes": "small objects are written all the time, until one that is written now has arrived",
    "sign_in": "the failure is declared; the identity signs in at STS of the recovery Region",
    "list": "the drill's versions are listed there: what is missing is lost",
    "read": "a replica is read and compared: the first verified read",
    "write_there": "a new object is written and read back: the first verified write",
    "read_all": "all other replicas are read and compared",
    "restore_version": "an overwritten version is read by its ID and made current again",
    "overwrite": "an object is overwritten, and the version before stays readable",
    "undelete": "an object is deleted, and brought back by removing its delete marker",
    "application": "a replica is read as the application's role",
    "clean_up": "every version, marker, role and experiment of the drill is removed at both ends",
}
"""The steps in their order, and what each is."""
AFTER_THE_FAILURE = (
    "sign_in",
    "list",
    "read",
    "write_there",
    "read_all",
    "restore_version",
    "overwrite",
    "undelete",
    "application",
)
"""Those that use nothing but the recovery Region."""


def steps_of(wishes: DrillWishes) -> list[str]:
    """The names of the steps that a drill takes."""
    left_out = set()
    if wishes.recover_as:
        left_out.add("identity")
    if not wishes.experiment:
        left_out |= {"suppress", "pause", "resume"}
    if not wishes.application:
        left_out.add("application")
    return [name for name in STEPS if name not in left_out]


def predicted(wishes: DrillWishes, before: Mapping[str, float]) -> list[dict[str, Any]]:
    """The steps with the seconds that the last drill took for each; None: nobody knows.

    Args:
        before: the seconds of the last drill, by the name of the step.
    """
    known = {**before, **({"pause": wishes.pause_seconds} if wishes.experiment else {})}
    return [{"name": name, "what": STEPS[name], "expected_seconds": known.get(name)} for name in steps_of(wishes)]
