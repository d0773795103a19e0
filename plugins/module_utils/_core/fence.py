# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The fence of a bucket: a statement of its policy that denies writing to everybody but replication and the operator.

Sources: IAM User Guide, "AWS global condition context keys" (`aws:PrincipalArn` of a session is the ARN of its role,
`aws:PrincipalIsAWSService` is not in requests without a signature); S3 User Guide, "Bucket policies" (20 KB).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

from .merging import put_statements, statements_of
from .model import Accounts, Address, Document, End, InvalidInput, Pair, Refused
from .plan import Observed
from .policies import VERSION
from .replication import bucket_address, role_arn
from .rules import bucket_arn

MOST_POLICY_BYTES = 20 * 1024

WRITES = (
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersion",
    "s3:DeleteObjectVersionTagging",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionAcl",
    "s3:PutObjectVersionTagging",
)
"""What changes objects. Replication's own actions (s3:Replicate*) are not among them, so that replicas arrive."""

_SESSION = re.compile(r"arn:(?P<partition>aws[\w-]*):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")
_PRINCIPAL = re.compile(r"arn:aws[\w-]*:(iam|sts)::(\d{12}|\*):(root|(user|role|federated-user)/\S+)")


def fence_sid(pair: str, bucket: str) -> str:
    """The Sid of the fence. It begins like no statement of `policies.statement_id`, so that a setup leaves it alone."""
    return f"S3DrFence{hashlib.sha256(f'{pair}/{bucket}'.encode()).hexdigest()[:8]}"


def principals_of(caller: str) -> tuple[str, ...]:
    """What `aws:PrincipalArn` may be in the requests of a caller, by the ARN that STS tells.

    A session of a role has the role's ARN there, whose path STS does not tell.
    """
    session = _SESSION.fullmatch(caller)
    if session is None:
        return (caller,)
    role = f"arn:{session['partition']}:iam::{session['account']}:role"
    return (f"{role}/{session['role']}", f"{role}/*/{session['role']}")


def check_exempt(exempt: Iterable[str]) -> None:
    """Refuse what is no principal that a fence could spare.

    Raises:
        InvalidInput: names it.
    """
    for arn in exempt:
        if not _PRINCIPAL.fullmatch(arn):
            raise InvalidInput(
                f"fence_exempt_principals: '{arn}' is not the ARN of a user or role. Write it like "
                "arn:aws:iam::111122223333:role/name; * stands for any text."
            )


def fence(pair: Pair, end: End, accounts: Accounts, exempt: Iterable[str]) -> dict[Address, Document]:
    """The wish of a fence around an end.

    Args:
        exempt: principals that may write in spite of it, besides the roles of replication.
    """
    spared = {*exempt, *(role_arn(link, accounts) for link in pair.both_links())}
    statement = {
        "Sid": fence_sid(pair.name, end.bucket),
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(WRITES),
        "Resource": f"{bucket_arn(end, accounts[end.bucket].partition)}/*",
        "Condition": {
            "ArnNotLike": {"aws:PrincipalArn": sorted(spared)},
            # Not there in a request without a signature, which must not get through either.
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    }
    return {bucket_address(end, accounts, "bucket_policy"): {"Version": VERSION, "Statement": [statement]}}


def fence_removal(pair: Pair, end: End, accounts: Accounts) -> dict[Address, Document]:
    """What is unwanted when the fence goes."""
    statement = {"Sid": fence_sid(pair.name, end.bucket)}
    return {bucket_address(end, accounts, "bucket_policy"): {"Version": VERSION, "Statement": [statement]}}


def is_fenced(pair: Pair, end: End, accounts: Accounts, observed: Observed) -> bool:
    """Whether the end's policy has the fence."""
    policy = observed.get(bucket_address(end, accounts, "bucket_policy"))
    return any(one.get("Sid") == fence_sid(pair.name, end.bucket) for one in statements_of(policy))


def check_policy_size(bucket: str, ours: Document, theirs: Document | None) -> None:
    """Refuse a policy that S3 would not take.

    Raises:
        Refused: with the numbers.
    """
    size = len(json.dumps(put_statements(ours, theirs)).encode())
    if size > MOST_POLICY_BYTES:
        raise Refused(
            f"bucket '{bucket}': with the fence its policy would have {size} bytes, and S3 takes {MOST_POLICY_BYTES}. "
            "Shorten its other statements, or stop the writers yourself and set `fence: false`."
        )
