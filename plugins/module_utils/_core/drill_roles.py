# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What the function of a scheduled drill, its state machine and its schedule may do, and nothing else.

A role's inline policies have 10,240 characters together, which a few pairs would fill. So what the function needs of
the pairs stands in managed policies, of which a role takes ten. Source: IAM User Guide, "IAM and AWS STS quotas".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .model import Account, Accounts, Document, InvalidInput, Pair
from .policies import VERSION
from .proofs import RESERVED_PREFIX
from .replication import role_address
from .rules import bucket_arn

MOST_POLICIES = 10
_MOST_CHARACTERS = 6144
"""Of a managed policy, white space not counted."""

_READS_OF_BUCKETS = (
    "s3:GetBucket*",
    "s3:GetEncryptionConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:ListBucketVersions",
)
_READS_OF_VERSIONS = (
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionTagging",
)
_CANARY_ACTIONS = ("s3:DeleteObjectVersion", "s3:PutObject", "s3:PutObjectTagging")


def trust(service: str, account: Account) -> Document:
    """The service may take the role, for things of this account only, so that nobody uses it as a deputy."""
    conditions: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": account.id}}
    if service == "lambda":  # AWS does not document that Lambda sends the account when it takes an execution role
        conditions = {}
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **({"Condition": conditions} if conditions else {}),
    }
    return {"Version": VERSION, "Statement": [statement]}


def allow(sid: str, actions: Iterable[str], resources: Iterable[str], **condition: Any) -> Document:
    """A statement that allows."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted(set(actions)),
        "Resource": sorted(set(resources)),
        **({"Condition": condition} if condition else {}),
    }


def policy(statements: Iterable[Document]) -> Document:
    """A policy of these statements."""
    return {"Version": VERSION, "Statement": list(statements)}


# --- what the function needs of the pairs --------------------------------------------------------------------


def pair_policies(pairs: Sequence[Pair], accounts: Mapping[str, Accounts], roles: Mapping[str, str]) -> list[Document]:
    """As few policies as hold what the function needs of all pairs.

    Args:
        accounts: of each pair, by its name.
        roles: by bucket, the role that the function takes to reach it.

    Raises:
        InvalidInput: there are more pairs than a role's policies hold.
    """
    policies: list[list[Pair]] = []
    for pair in pairs:
        if policies and _fits([*policies[-1], pair], accounts, roles):
            policies[-1].append(pair)
        elif _fits([pair], accounts, roles):
            policies.append([pair])
        else:
            raise InvalidInput(f"pair '{pair.name}': its keys and buckets alone fill more than an IAM policy holds.")
    if len(policies) > MOST_POLICIES:
        raise InvalidInput(
            f"{len(pairs)} pairs need {len(policies)} IAM policies, and a role takes {MOST_POLICIES}. Deploy some of "
            "them under another `name`."
        )
    return [policy(_statements(some, accounts, roles)) for some in policies]


def _fits(pairs: Sequence[Pair], accounts: Mapping[str, Accounts], roles: Mapping[str, str]) -> bool:
    spelt = json.dumps(policy(_statements(pairs, accounts, roles)), separators=(",", ":"))
    return len(spelt) <= _MOST_CHARACTERS


def _statements(pairs: Sequence[Pair], accounts: Mapping[str, Accounts], roles: Mapping[str, str]) -> list[Document]:
    ends = [(end, accounts[pair.name][end.bucket]) for pair in pairs for end in pair.ends()]
    own = [(end, account) for end, account in ends if end.bucket not in roles and account.ours]
    buckets = {bucket_arn(end, account.partition) for end, account in own}
    keys = {key for end, _account in own for key in end.kms_keys()}
    iam = {arn for pair in pairs for arn in _role_arns(pair, accounts[pair.name])}
    taken = {roles[end.bucket] for end, _account in ends if end.bucket in roles}
    found = [
        ("Buckets", _READS_OF_BUCKETS, buckets),
        ("Versions", _READS_OF_VERSIONS, {f"{arn}/*" for arn in buckets}),
        ("Canaries", _CANARY_ACTIONS, {f"{arn}/*{RESERVED_PREFIX}*" for arn in buckets}),
        ("Keys", ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:GetKeyPolicy"), keys),
        ("ReplicationRoles", ("iam:GetRole", "iam:GetRolePolicy"), iam),
        ("OtherAccounts", ("sts:AssumeRole",), taken),
    ]
    return [allow(sid, actions, resources) for sid, actions, resources in found if resources]


def _role_arns(pair: Pair, accounts: Accounts) -> set[str]:
    """The replication roles whose policies are looked at: ours, or the user's."""
    arns = set()
    for link in pair.both_links():
        account = accounts[link.source.bucket]
        ours = f"arn:{account.partition}:iam::{account.id}:role{pair.roles.path}{role_address(link, accounts).name}"
        if account.ours:
            arns.add(link.source.replication_role_arn or ours)
    return arns
