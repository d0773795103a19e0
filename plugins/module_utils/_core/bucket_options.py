# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a user may choose of an end's bucket besides replication, and the documents that follow from it.

What is not named stays as it is. Sources: S3 User Guide, "Configuring fast, secure file transfers using Transfer
Acceleration", "Enabling Amazon S3 server access logging", "Configuring S3 Object Lock", "Controlling ownership of
objects", "Blocking or unblocking SSE-C", "Protecting data in transit with encryption".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .lifecycle_rules import LifecycleRule, Tiering, lifecycle_rule_from, tiering_from
from .log_bucket import LockMode, ObjectLock
from .model import KEY_ARN, Account, Accounts, Address, Document, End, InvalidInput, check_bucket_name
from .policies import VERSION, denial, tls_only
from .replication import bucket_address
from .rules import bucket_arn

TLS_SID, MINIMUM_TLS_SID = "S3DrTlsOnly", "S3DrMinimumTls"
OWNERSHIPS = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
ALGORITHMS = ("AES256", "aws:kms", "aws:kms:dsse")
_CLOSED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_MOST_TAGS = 50


@dataclass(frozen=True, slots=True)
class Encryption:
    """The default encryption. `None` leaves a setting as it is."""

    algorithm: str
    kms_key_arn: str | None = None
    bucket_key: bool | None = None
    block_sse_c: bool | None = None

    def check(self, end: End) -> None:
        """Refuse what S3 would.

        Raises:
            InvalidInput: the key is none of the bucket's Region, or does not go with the algorithm.
        """
        if self.algorithm == "AES256" and (self.kms_key_arn or self.bucket_key):
            raise InvalidInput(f"bucket '{end.bucket}': `encryption` with AES256 has no key. Set `algorithm: aws:kms`.")
        if self.algorithm == "aws:kms:dsse" and self.bucket_key:
            raise InvalidInput(f"bucket '{end.bucket}': DSSE-KMS has no Bucket Key. Leave `bucket_key` out.")
        found = KEY_ARN.fullmatch(self.kms_key_arn) if self.kms_key_arn else None
        if self.kms_key_arn and (found is None or found["region"] != end.region):
            raise InvalidInput(
                f"bucket '{end.bucket}': `encryption.kms_key_arn` is '{self.kms_key_arn}'. Write the ARN of a key in "
                f"{end.region}."
            )

    def document(self) -> Document:
        """As S3 takes it, what is left as it is left out."""
        key = {"KMSMasterKeyID": self.kms_key_arn} if self.kms_key_arn else {}
        rule: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": self.algorithm, **key}}
        if self.bucket_key is not None:
            rule["BucketKeyEnabled"] = self.bucket_key
        if self.block_sse_c is not None:
            rule["BlockedEncryptionTypes"] = {"EncryptionType": ["SSE-C" if self.block_sse_c else "NONE"]}
        return {"Rules": [rule]}


@dataclass(frozen=True, slots=True)
class AccessLog:
    """Where the access log of a bucket goes; `bucket` None: it is turned off."""

    bucket: str | None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class BucketOptions:
    """The choices for one end. `None` and empty leave everything as it is.

    Attributes:
        lock: the default retention; `unlock` takes it away again, Object Lock itself stays for ever.
        tags: are set; `removed_tags` go, all others stay.
        lifecycle: rules, merged by ID; `removed_rules` go.
        tiering: configurations, merged by ID; `removed_tiering` go.
    """

    accelerate: bool | None = None
    ownership: str | None = None
    block_public_access: bool | None = None
    tls_only: bool | None = None
    minimum_tls: str | None = None
    encryption: Encryption | None = None
    access_log: AccessLog | None = None
    lock: ObjectLock | None = None
    unlock: bool = False
    tags: Mapping[str, str] | None = None
    removed_tags: tuple[str, ...] = ()
    lifecycle: tuple[LifecycleRule, ...] = ()
    removed_rules: tuple[str, ...] = ()
    tiering: tuple[Tiering, ...] = ()
    removed_tiering: tuple[str, ...] = ()

    def check(self, end: End) -> None:
        """Refuse what S3 would refuse of this end, or what would harm it.

        Raises:
            InvalidInput: nothing was asked of AWS.
        """
        if self.accelerate and "." in end.bucket:
            raise InvalidInput(
                f"bucket '{end.bucket}': S3 accelerates no bucket whose name has a dot. Leave `accelerate` out."
            )
        if self.encryption:
            self.encryption.check(end)
        if self.access_log and self.access_log.bucket:
            check_bucket_name(self.access_log.bucket)
            if self.access_log.bucket == end.bucket:
                raise InvalidInput(
                    f"bucket '{end.bucket}': it would log the writing of its own log, without end, and replicate that. "
                    "Name another bucket in the same Region as `access_log.bucket`."
                )
        if self.minimum_tls and self.tls_only is False:
            raise InvalidInput(f"bucket '{end.bucket}': `minimum_tls_version` needs `tls_only`.")
        if (self.lock or self.unlock) and not end.object_lock:
            raise InvalidInput(
                f"bucket '{end.bucket}': its `object_lock` has a retention. Set `object_lock: true` at this end of the "
                "pair, too, so that Object Lock is enabled and the replication role may carry retentions over."
            )
        tagged = {*(self.tags or {})}
        if len(tagged) > _MOST_TAGS:
            raise InvalidInput(f"bucket '{end.bucket}': it has {len(tagged)} tags, and S3 takes {_MOST_TAGS}.")
        for what, ids in (
            ("lifecycle rule", [rule.id for rule in self.lifecycle]),
            ("intelligent_tiering", [one.id for one in self.tiering]),
        ):
            twice = sorted({one for one in ids if ids.count(one) > 1})
            if twice:
                raise InvalidInput(f"bucket '{end.bucket}': {what} '{twice[0]}' is there twice. Give each its own ID.")


def options_from(said: Mapping[str, Any] | None, end: End) -> BucketOptions:
    """The choices of a task for one end.

    Raises:
        InvalidInput: they cannot be right; nothing was asked of AWS.
    """
    said = dict(said or {})
    rules, tierings = said.get("lifecycle") or (), said.get("intelligent_tiering") or ()
    encryption, log, lock = said.get("encryption"), said.get("access_log"), said.get("object_lock")
    options = BucketOptions(
        accelerate=None if said.get("accelerate") is None else said["accelerate"] == "enabled",
        ownership=said.get("ownership"),
        block_public_access=said.get("block_public_access"),
        tls_only=said.get("tls_only"),
        minimum_tls=said.get("minimum_tls_version"),
        encryption=Encryption(**encryption) if encryption else None,
        access_log=_log_from(log, end) if log else None,
        lock=_lock_from(lock) if lock and lock["mode"] != "none" else None,
        unlock=lock is not None and lock["mode"] == "none",
        tags={str(key): str(value) for key, value in (said.get("tags") or {}).items()} or None,
        removed_tags=tuple(said.get("removed_tags") or ()),
        lifecycle=tuple(lifecycle_rule_from(one) for one in rules if one["state"] == "present"),
        removed_rules=tuple(one["id"] for one in rules if one["state"] == "absent"),
        tiering=tuple(tiering_from(one) for one in tierings if one["state"] == "present"),
        removed_tiering=tuple(one["id"] for one in tierings if one["state"] == "absent"),
    )
    options.check(end)
    return options


def _log_from(said: Mapping[str, Any], end: End) -> AccessLog:
    if said["enabled"] and not said["bucket"]:
        raise InvalidInput(f"bucket '{end.bucket}': `access_log` needs a `bucket`, or `enabled: false`.")
    return AccessLog(said["bucket"] if said["enabled"] else None, said["prefix"])


def _lock_from(said: Mapping[str, Any]) -> ObjectLock:
    return ObjectLock(LockMode(said["mode"]), said["days"], said["years"])


# --- documents -----------------------------------------------------------------------------------------------


def options_wish(end: End, accounts: Accounts, options: BucketOptions) -> dict[Address, Document]:
    """What the options wish of the end's bucket, and of the bucket that gets its log."""
    wish: dict[Address, Document] = {}

    def wished(kind: str, document: Document | None) -> None:
        if document:
            wish[bucket_address(end, accounts, kind)] = document

    account = accounts[end.bucket]
    if options.accelerate is not None:
        wished("bucket_accelerate", {"Status": "Enabled" if options.accelerate else "Suspended"})
    if options.ownership:
        wished("bucket_ownership", {"Rules": [{"ObjectOwnership": options.ownership}]})
    if options.block_public_access is not None:
        wished("bucket_public_access_block", dict.fromkeys(_CLOSED, options.block_public_access))
    wished("bucket_encryption", options.encryption.document() if options.encryption else None)
    wished("bucket_object_lock", _lock_document(options))
    wished("bucket_tags", _tags_document(options))
    wished("bucket_lifecycle", _lifecycle_document(options))
    wished("bucket_policy", _tls_document(options, bucket_arn(end, account.partition)))
    wished("bucket_logging", _log_document(options))
    for one in options.tiering:
        wish[_tiering_address(end, accounts, one.id)] = one.document()
    if options.access_log and options.access_log.bucket:
        log = options.access_log
        wish[log_address(end, accounts, options.access_log.bucket, "bucket_policy")] = _log_policy(end, account, log)
    return wish


def options_unwanted(end: End, accounts: Accounts, options: BucketOptions) -> dict[Address, Document]:
    """What the options want no more. A document with none of its parts left goes with them: S3 takes no empty one."""
    found: dict[Address, Document] = {
        _tiering_address(end, accounts, name): {"Id": name} for name in options.removed_tiering
    }
    if options.removed_rules and not options.lifecycle:
        found[_at(end, accounts, "bucket_lifecycle")] = {"Rules": [{"ID": name} for name in options.removed_rules]}
    if options.removed_tags and not options.tags:
        found[_at(end, accounts, "bucket_tags")] = {"Tags": dict.fromkeys(options.removed_tags, "")}
    if options.tls_only is False:
        found[_at(end, accounts, "bucket_policy")] = {"Statement": [{"Sid": sid} for sid in (TLS_SID, MINIMUM_TLS_SID)]}
    return found


def options_addresses(end: End, accounts: Accounts, options: BucketOptions) -> list[Address]:
    """All that is read beforehand: what is wished or unwanted, and what tells whether it may be."""
    kinds = ("bucket", "bucket_object_lock")
    log = options.access_log.bucket if options.access_log else None
    of_log = [log_address(end, accounts, log, kind) for kind in ("bucket", "bucket_object_lock")] if log else []
    wished = options_wish(end, accounts, options)
    unwanted = options_unwanted(end, accounts, options)
    return list(dict.fromkeys([*(_at(end, accounts, kind) for kind in kinds), *of_log, *wished, *unwanted]))


def _at(end: End, accounts: Accounts, kind: str) -> Address:
    return bucket_address(end, accounts, kind)


def log_address(end: End, accounts: Accounts, log: str, kind: str) -> Address:
    """Of the bucket that gets a log: in the Region and account of the one that is logged, as S3 demands."""
    return Address(kind, log, end.region, accounts[end.bucket].id)


def _tiering_address(end: End, accounts: Accounts, name: str) -> Address:
    return Address("bucket_tiering", f"{end.bucket}/{name}", end.region, accounts[end.bucket].id)


def _lock_document(options: BucketOptions) -> Document | None:
    if options.unlock:
        return {"ObjectLockEnabled": "Enabled", "Rule": {}}
    return options.lock.document() if options.lock else None


def _tags_document(options: BucketOptions) -> Document | None:
    return {"Tags": dict(options.tags), "Removed": list(options.removed_tags)} if options.tags else None


def _lifecycle_document(options: BucketOptions) -> Document | None:
    rules = [rule.document() for rule in options.lifecycle]
    return {"Rules": rules, "Removed": list(options.removed_rules)} if rules else None


def _log_document(options: BucketOptions) -> Document | None:
    log = options.access_log
    if log is None:
        return None
    return {"LoggingEnabled": {"TargetBucket": log.bucket, "TargetPrefix": log.prefix} if log.bucket else {}}


def _log_policy(end: End, account: Account, log: AccessLog) -> Document:
    """S3 User Guide, "Permissions for log delivery". S3's log service writes, for this bucket only."""
    source = bucket_arn(end, account.partition)
    number = hashlib.sha256(source.encode()).hexdigest()[:8]
    statement = {
        "Sid": f"S3DrAccessLog{number}",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:{account.partition}:s3:::{log.bucket}/{log.prefix}*",
        "Condition": {"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": account.id}},
    }
    return {"Version": VERSION, "Statement": [statement]}


def _tls_document(options: BucketOptions, arn: str) -> Document | None:
    """Statements that deny what comes without TLS, or by an old one. S3 itself replicates by TLS."""
    statements = []
    if options.tls_only or options.minimum_tls:
        statements.append(tls_only(TLS_SID, arn))
    if options.minimum_tls:
        old = {"NumericLessThan": {"s3:TlsVersion": options.minimum_tls}}
        statements.append(denial(MINIMUM_TLS_SID, arn, old))
    return {"Version": VERSION, "Statement": statements} if statements else None
