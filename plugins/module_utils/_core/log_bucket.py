# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The documents of the bucket that receives the log files of a trail: who may write, how long they stay, their key.

Sources: CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail" and "Configure AWS KMS key policies for
CloudTrail"; S3 User Guide, "Object Lock considerations" and "Lifecycle configuration elements".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from .merging import names_of, statements_of, without
from .model import Account, Document, End, InvalidInput
from .policies import VERSION, tls_only
from .rules import bucket_arn

NONCURRENT_DAYS = 30
"""How long a log file that somebody deleted or replaced is kept, unless log files are kept for less."""

_ABORT_UPLOADS_DAYS = 7
_DAYS_A_YEAR = 365
_MOST_DAYS = 36500
"""S3's limit of a default retention: a hundred years."""
TRANSITION_CLASSES = ("STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
_LEAST_DAYS = {"STANDARD_IA": 30}
_TLS_ONLY = "S3DrTrailTlsOnly"
_A_TRAILS = re.compile(r"S3DrTrail[0-9a-f]{8}\w+")
_CLOUDTRAIL = {"Service": "cloudtrail.amazonaws.com"}


class LockMode(StrEnum):
    """How strictly Object Lock keeps a log file."""

    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """The default retention of the log bucket. Exactly one of `days` and `years` is set."""

    mode: LockMode
    days: int | None = None
    years: int | None = None

    def __post_init__(self) -> None:
        if (self.days is None) == (self.years is None):
            raise InvalidInput("object_lock: a retention is given in days or in years. Set one of `days` and `years`.")
        if not 1 <= self.length <= _MOST_DAYS:
            raise InvalidInput(
                f"object_lock: S3 takes a retention of 1 to {_MOST_DAYS} days, not {self.length}. Change it."
            )

    @property
    def length(self) -> int:
        """The retention in days."""
        return self.days if self.days is not None else _DAYS_A_YEAR * (self.years or 0)

    def document(self) -> Document:
        """As S3 takes it."""
        period = {"Days": self.days} if self.days is not None else {"Years": self.years}
        return {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": self.mode.upper(), **period}},
        }


@dataclass(frozen=True, slots=True)
class LogFiles:
    """What becomes of log files with time. `None` leaves the log bucket's setting as it is.

    Raises:
        InvalidInput: the days contradict each other or S3's limits; nothing was asked of AWS.
    """

    retention_days: int | None = None
    transition_days: int | None = None
    transition_class: str = "GLACIER_IR"
    object_lock: ObjectLock | None = None

    def __post_init__(self) -> None:
        for option, days in (
            ("log_retention_days", self.retention_days),
            ("log_transition_days", self.transition_days),
        ):
            if days is not None and days < 1:
                raise InvalidInput(f"{option}: {days} is less than a day. Set 1 or more, or leave it out.")
        if self.transition_class not in TRANSITION_CLASSES:
            raise InvalidInput(
                f"log_transition_class: '{self.transition_class}' is none of {', '.join(TRANSITION_CLASSES)}. Take one."
            )
        if self.transition_days is None:
            return
        least = _LEAST_DAYS.get(self.transition_class, 0)
        if self.transition_days < least:
            raise InvalidInput(
                f"log_transition_days: S3 takes objects to {self.transition_class} after {least} days at the earliest, "
                f"not after {self.transition_days}. Set more days, or another `log_transition_class`."
            )
        if self.retention_days is not None and self.transition_days >= self.retention_days:
            raise InvalidInput(
                f"log_transition_days: {self.transition_days} is not before the log files expire after "
                f"{self.retention_days} days. Set fewer days, or leave it out."
            )

    def rule(self, name: str, prefix: str) -> Document | None:
        """The lifecycle rule for the log files of a trail; None: nothing is wished.

        Lifecycle hides an expired log file by a delete marker and removes it as a noncurrent version. The marker goes
        with the days of `Expiration`, too.
        """
        if self.retention_days is None and self.transition_days is None:
            return None
        rule: dict[str, object] = {
            "ID": f"s3-dr trail {name}",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_UPLOADS_DAYS},
        }
        if self.retention_days is not None:
            rule["Expiration"] = {"Days": self.retention_days}
            rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": min(NONCURRENT_DAYS, self.retention_days)}
        if self.transition_days is not None:
            rule["Transitions"] = [{"Days": self.transition_days, "StorageClass": self.transition_class}]
        return rule

    def locked_longer(self) -> bool:
        """Whether Object Lock keeps a log file beyond its expiry."""
        lock = self.object_lock
        return self.retention_days is not None and lock is not None and lock.length > self.retention_days


def encryption(log_bucket: End) -> Document:
    """By the key if there is one, with a Bucket Key; else by S3's own keys."""
    if log_bucket.kms_key_arn is None:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": log_bucket.kms_key_arn}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": by_key, "BucketKeyEnabled": True}]}


def log_prefix(key_prefix: str, account: Account) -> str:
    """What the keys of all log and digest files of a trail begin with."""
    return f"{key_prefix}/AWSLogs/{account.id}/" if key_prefix else f"AWSLogs/{account.id}/"


def log_bucket_policy(log_bucket: End, prefix: str, trail_arn: str, partition: str) -> Document:
    """CloudTrail may write to its prefix, for this trail only; nobody may speak to the bucket without TLS."""
    bucket, mark = bucket_arn(log_bucket, partition), trail_mark(trail_arn)
    for_this_trail = {"aws:SourceArn": trail_arn}
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": f"{mark}AclCheck",
                "Effect": "Allow",
                "Principal": _CLOUDTRAIL,
                "Action": "s3:GetBucketAcl",
                "Resource": bucket,
                "Condition": {"StringEquals": for_this_trail},
            },
            {
                "Sid": f"{mark}Write",
                "Effect": "Allow",
                "Principal": _CLOUDTRAIL,
                "Action": "s3:PutObject",
                "Resource": f"{bucket}/{prefix}*",
                "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", **for_this_trail}},
            },
            tls_only(_TLS_ONLY, bucket),
        ],
    }


def leaving_statements(ours: Document, policy: Document | None) -> Document:
    """What of our part leaves a log bucket's policy with a trail. While another trail of ours writes to the bucket,
    requests without TLS are still refused."""
    mine = names_of(ours["Statement"], "Sid")
    sids = {str(statement.get("Sid")) for statement in statements_of(policy)}
    shared = any(_A_TRAILS.fullmatch(sid) for sid in sids - mine)
    return {**ours, "Statement": without(ours["Statement"], {_TLS_ONLY}, "Sid")} if shared else ours


def trail_mark(trail_arn: str) -> str:
    """What the Sids of a trail begin with: several trails may share a log bucket or a key."""
    return f"S3DrTrail{hashlib.sha256(trail_arn.encode()).hexdigest()[:8]}"


def key_policy(trail_arn: str, account: Account) -> Document:
    """What the policy of a key must allow CloudTrail. Whoever reads the logs needs a permission of their own.

    Nobody's IAM policy can stand in for it, since CloudTrail comes as a service. Only where AWS documents which
    conditions CloudTrail fulfils is there one: a condition on a key that is not sent would end the delivery of logs.
    For the decryption that a Bucket Key needs, it documents none.
    """
    mark = trail_mark(trail_arn)
    trails = f"arn:{account.partition}:cloudtrail:*:{account.id}:trail/*"
    for_this_trail = {"aws:SourceArn": trail_arn}
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": f"{mark}Encrypt",
                "Effect": "Allow",
                "Principal": _CLOUDTRAIL,
                "Action": "kms:GenerateDataKey*",
                "Resource": "*",
                "Condition": {
                    "StringEquals": for_this_trail,
                    "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails},
                },
            },
            {
                "Sid": f"{mark}Describe",
                "Effect": "Allow",
                "Principal": _CLOUDTRAIL,
                "Action": "kms:DescribeKey",
                "Resource": "*",
                "Condition": {"StringEquals": for_this_trail},
            },
            {
                "Sid": f"{mark}BucketKey",
                "Effect": "Allow",
                "Principal": _CLOUDTRAIL,
                "Action": "kms:Decrypt",
                "Resource": "*",
            },
        ],
    }
