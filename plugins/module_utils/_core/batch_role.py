# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The role of Batch Replication jobs of one source bucket. The replication role does the copying; this one starts it.

Source: S3 User Guide, "Configuring an IAM role for S3 Batch Replication".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
from typing import Any

from .merging import owner_tags
from .model import GLOBAL, Account, Accounts, Address, Document, End, Pair
from .policies import VERSION
from .recovery_bucket import MANIFESTS, REPORTS
from .rules import bucket_arn

POLICY_NAME = "s3-dr-batch"


def batch_role_name(pair: str, source_bucket: str) -> str:
    """At most 60 characters of the 64 that IAM takes."""
    return f"s3-dr-{pair}-batch-{hashlib.sha256(source_bucket.encode()).hexdigest()[:8]}"


def batch_role_arn(pair: Pair, source: End, accounts: Accounts) -> str:
    """Known before the role exists."""
    account = accounts[source.bucket]
    name = batch_role_name(pair.name, source.bucket)
    return f"arn:{account.partition}:iam::{account.id}:role{pair.roles.path}{name}"


def batch_role_wish(
    pair: Pair, source: End, accounts: Accounts, recovery_bucket: str, kms_key_arn: str | None = None
) -> dict[Address, Document]:
    """The role with its policy.

    Args:
        recovery_bucket: of the source's account and Region.
        kms_key_arn: by which the recovery bucket encrypts.
    """
    account = accounts[source.bucket]
    name = batch_role_name(pair.name, source.bucket)
    boundary = pair.roles.permissions_boundary
    role: dict[str, Any] = {
        "Path": pair.roles.path,
        "Description": f"S3 Batch Operations replicates versions of {source.bucket} as this role.",
        "AssumeRolePolicyDocument": _trust_policy(),
        "Tags": {**dict(pair.roles.tags), **owner_tags(**{"s3-dr-pair": pair.name})},
        **({"PermissionsBoundary": boundary} if boundary else {}),
    }
    return {
        Address("iam_role", name, GLOBAL, account.id): role,
        Address("iam_role_policy", f"{name}/{POLICY_NAME}", GLOBAL, account.id): {
            "Version": VERSION,
            "Statement": _statements(source, account, recovery_bucket, kms_key_arn),
        },
    }


def _trust_policy() -> Document:
    """No condition: AWS does not document that S3 Batch Operations sends what one could ask for."""
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "S3BatchOperations",
                "Effect": "Allow",
                "Principal": {"Service": "batchoperations.s3.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def _statements(source: End, account: Account, recovery_bucket: str, kms_key_arn: str | None) -> list[Document]:
    """What a job needs with either kind of manifest, so that the role does not change from one to the other."""
    bucket = bucket_arn(source, account.partition)
    papers = f"arn:{account.partition}:s3:::{recovery_bucket}"
    statements: list[Document] = [
        {
            "Sid": "Replicate",
            "Effect": "Allow",
            "Action": ["s3:InitiateReplication"],
            "Resource": [f"{bucket}/*"],
        },
        {
            "Sid": "ListWhatToReplicate",
            "Effect": "Allow",
            "Action": ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"],
            "Resource": [bucket],
        },
        {
            "Sid": "ReadManifest",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": [f"{papers}/{MANIFESTS}/*"],
        },
        {
            "Sid": "WriteManifestAndReport",
            "Effect": "Allow",
            "Action": ["s3:PutObject"],
            "Resource": [f"{papers}/{MANIFESTS}/*", f"{papers}/{REPORTS}/*"],
        },
    ]
    if kms_key_arn:
        statements.append(_key_statement(source.region, account, kms_key_arn))
    return statements


def _key_statement(region: str, account: Account, kms_key_arn: str) -> Document:
    """Through S3 of the recovery bucket's Region only."""
    suffix = "amazonaws.com.cn" if account.partition == "aws-cn" else "amazonaws.com"
    return {
        "Sid": "UseKeyOfRecoveryBucket",
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": [kms_key_arn],
        "Condition": {"StringEquals": {"kms:ViaService": f"s3.{region}.{suffix}"}},
    }
