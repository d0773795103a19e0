# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The KMS keys of a replication: the source object's and the replica's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import kms

from .fitting import uses
from .role import Role

uses("services.kms", "_resolve_key(key_id_or_arn)")

ALGORITHM = "x-amz-server-side-encryption"
KEY = "x-amz-server-side-encryption-aws-kms-key-id"


class KeyProblem(Exception):
    """Why a key cannot be used: NotFound, InvalidState or NotPermitted."""


@dataclass(frozen=True)
class Use:
    """What S3 does with a key, on behalf of the replication role."""

    key: str  # ID or ARN
    account: str  # whose key an ID means
    region: str
    actions: tuple[str, ...]
    encrypted: str  # the ARN of the object


def is_kms(record: dict[str, Any]) -> bool:
    return str(record.get("preserved_headers", {}).get(ALGORITHM, "")).startswith("aws:kms")


def check(use: Use, role: Role) -> None:
    """S3 User Guide, replication-config-for-kms-objects: the key must be there and enabled, and both the role's
    policies and the key's policy must allow its use, which is seen as by S3 of the key's Region and for this object."""
    account = use.key.split(":")[4] if use.key.startswith("arn:") else use.account
    with request_scope(account, use.region):
        found = kms._resolve_key(use.key)
    if found is None:
        raise KeyProblem("NotFound")
    if found["KeyState"] != "Enabled":
        raise KeyProblem("InvalidState")
    conditions = {
        "kms:ViaService": f"s3.{use.region}.amazonaws.com",
        "kms:CallerAccount": role.account,
        "kms:EncryptionContext:aws:s3:arn": use.encrypted,
    }
    for action in use.actions:
        if not role.may_use_key(action, found["Arn"], found.get("Policy") or "", conditions):
            raise KeyProblem("NotPermitted")
