# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Who may do what so that a link replicates: the role's policy, and what bucket and key policies must allow it.

Sources: S3 User Guide, "Setting up permissions for live replication", "Replicating encrypted objects", "Using
replication with Object Lock", "Changing the replica owner", "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .model import Accounts, Document, End, Link
from .rules import bucket_arn, selects_kms_objects

VERSION = "2012-10-17"


def denial(sid: str, bucket: str, condition: Document) -> Document:
    """A statement of a bucket's policy that denies everybody everything on this condition; `bucket` is its ARN."""
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": condition,
    }


def tls_only(sid: str, bucket: str) -> Document:
    """The statement that denies requests without TLS."""
    return denial(sid, bucket, {"Bool": {"aws:SecureTransport": "false"}})


def trust_policy() -> Document:
    """Who may assume the role.

    No aws:SourceArn or aws:SourceAccount: AWS does not document that replication sends them, and a condition on a key
    that is not sent would turn every object's replication into FAILED.
    """
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "S3Replicates",
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def role_policy(link: Link, accounts: Accounts, *, object_lock: bool = False) -> Document:
    """The least that S3 needs to replicate along the link.

    Args:
        object_lock: whether the source has Object Lock, whose retention and legal holds replicate too.
    """
    source = bucket_arn(link.source, accounts[link.source.bucket].partition)
    statements: list[Document] = [
        {
            "Sid": "ReadConfigurationOfSource",
            "Effect": "Allow",
            "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
            "Resource": [source],
        },
        {
            "Sid": "ReadVersionsOfSource",
            "Effect": "Allow",
            "Action": source_actions(link, object_lock=object_lock),
            "Resource": [f"{source}/*"],
        },
        {
            "Sid": "WriteReplicasToDestination",
            "Effect": "Allow",
            "Action": ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"],
            "Resource": _objects(link.destinations(), accounts),
        },
    ]
    overridden = [link.destination_of(rule) for rule in link.rules if rule.owner_override]
    if overridden:
        statements.append(
            {
                "Sid": "GiveReplicasToDestination",
                "Effect": "Allow",
                "Action": ["s3:ObjectOwnerOverrideToBucketOwner"],
                "Resource": _objects(overridden, accounts),
            }
        )
    return {"Version": VERSION, "Statement": [*statements, *_key_statements_of_role(link, accounts)]}


def source_actions(link: Link, *, object_lock: bool) -> list[str]:
    """What the role may do with the source's objects."""
    actions = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
    if link.roles.annotations:
        actions.append("s3:GetObjectVersionAnnotationForReplication")
    if object_lock:
        actions += ["s3:GetObjectLegalHold", "s3:GetObjectRetention"]
    return sorted(actions)


def _objects(ends: Iterable[End], accounts: Accounts) -> list[str]:
    return sorted({f"{bucket_arn(end, accounts[end.bucket].partition)}/*" for end in ends})


# --- keys ----------------------------------------------------------------------------------------------------

DECRYPT = ("kms:Decrypt",)
ENCRYPT = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*")
"""S3 decrypts at the destination as soon as a Bucket Key is on, there or on the source object, so it always may."""


def kms_destinations(link: Link) -> tuple[End, ...]:
    """The ends where replicas of objects encrypted with KMS arrive.

    One without a key is of a direction that the pair does not use: of those that it uses each is known to have one.
    """
    ends = (link.destination_of(rule) for rule in link.rules if selects_kms_objects(rule, link.destination_of(rule)))
    return tuple(dict.fromkeys(end for end in ends if end.kms_key_arn))


def key_uses(link: Link) -> list[tuple[str, End, tuple[str, ...]]]:
    """Each use of a key: its ARN, the end whose objects it is used for, and the actions. Empty without KMS."""
    arrivals = kms_destinations(link)
    if not arrivals:
        return []
    reading = [(key, link.source, DECRYPT) for key in link.source.kms_keys()]
    writing = {(str(end.kms_key_arn), end.bucket): (str(end.kms_key_arn), end, ENCRYPT) for end in arrivals}
    return [*reading, *writing.values()]


def _key_statements_of_role(link: Link, accounts: Accounts) -> list[Document]:
    statements: list[Document] = []
    for number, (key, end, actions) in enumerate(key_uses(link), start=1):
        verb = "DecryptWithKeyOfSource" if actions is DECRYPT else "EncryptWithKeyOfReplicas"
        statements.append({"Sid": f"{verb}{number}", "Resource": [key], **_key_use(end, actions, accounts)})
    return statements


def _key_use(end: End, actions: Iterable[str], accounts: Accounts) -> dict[str, Any]:
    """Through S3 of the bucket's Region only, and for this bucket's objects only.

    The encryption context is the object's ARN, or with an S3 Bucket Key the bucket's: both must match.
    """
    account = accounts[end.bucket]
    bucket = bucket_arn(end, account.partition)
    suffix = "amazonaws.com.cn" if account.partition == "aws-cn" else "amazonaws.com"
    return {
        "Effect": "Allow",
        "Action": list(actions),
        "Condition": {
            "StringEquals": {"kms:ViaService": f"s3.{end.region}.{suffix}"},
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]},
        },
    }


def key_policy_statement(
    use: tuple[str, End, tuple[str, ...]], link: Link, role: str, accounts: Accounts
) -> tuple[str, Document]:
    """The ARN of a key, and what its policy must allow the role."""
    key, end, actions = use
    verb = "Decrypt" if actions is DECRYPT else "Encrypt"
    return key, {
        "Sid": statement_id(link, f"{verb}{_digest(end.bucket)}"),
        "Principal": {"AWS": role},
        "Resource": "*",
        **_key_use(end, actions, accounts),
    }


def delegates_to_iam(policy: Document | None, account_id: str) -> bool:
    """Whether a key's policy leaves it to the IAM policies of an account who may use the key.

    The default does, by naming the account; that of a key which AWS manages does, by letting in all its callers.
    """
    statements = (policy or {}).get("Statement", [])
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        principal = statement.get("Principal", {})
        names = _as_list(principal.get("AWS", [])) if isinstance(principal, Mapping) else [str(principal)]
        callers = statement.get("Condition", {}).get("StringEquals", {}).get("kms:CallerAccount")
        everything = "kms:*" in _as_list(statement.get("Action", [])) and "Condition" not in statement
        of_account = any(name == account_id or name.endswith(f"::{account_id}:root") for name in names)
        if statement.get("Effect") == "Allow" and (
            (everything and of_account) or ("*" in names and callers == account_id)
        ):
            return True
    return False


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


# --- a destination in another account ------------------------------------------------------------------------


def destination_statements(end: End, link: Link, role: str, accounts: Accounts) -> list[Document]:
    """What the policy of a destination bucket of another account must allow the role.

    AWS's example also allows s3:List*, s3:GetBucketVersioning and s3:PutBucketVersioning on the bucket; writing the
    versioning of somebody's bucket is more than replication needs.
    """
    bucket = bucket_arn(end, accounts[end.bucket].partition)
    actions = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
    if any(rule.owner_override and link.destination_of(rule).bucket == end.bucket for rule in link.rules):
        actions.append("s3:ObjectOwnerOverrideToBucketOwner")
    return [
        {
            "Sid": statement_id(link, "Replicas"),
            "Effect": "Allow",
            "Principal": {"AWS": role},
            "Action": sorted(actions),
            "Resource": f"{bucket}/*",
        },
        {
            "Sid": statement_id(link, "Bucket"),
            "Effect": "Allow",
            "Principal": {"AWS": role},
            "Action": ["s3:GetBucketVersioning", "s3:ListBucket"],
            "Resource": bucket,
        },
    ]


def statement_id(link: Link, what: str) -> str:
    """A Sid that no other link has. A Sid takes letters and digits only."""
    return f"S3Dr{re.sub(r'[^A-Za-z0-9]', '', link.pair)}{_digest(link.pair + '/' + link.source.bucket)}{what}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
