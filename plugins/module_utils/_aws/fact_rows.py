# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What checks look at and no plan ever changes: a bucket's encryption, ownership and payer, and the state of keys.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable

from .._core.model import Address, Document
from .row import Client, Row, never_removed, never_written
from .s3_rows import NO_BUCKET, bucket_args


def _read_encryption(client: Client, address: Address) -> Document:
    answer = client.get_bucket_encryption(**bucket_args(address))
    return dict(answer["ServerSideEncryptionConfiguration"])


def _read_ownership(client: Client, address: Address) -> Document:
    return dict(client.get_bucket_ownership_controls(**bucket_args(address))["OwnershipControls"])


def _read_payer(client: Client, address: Address) -> Document:
    return {"Payer": client.get_bucket_request_payment(**bucket_args(address)).get("Payer", "BucketOwner")}


def _read_key(client: Client, address: Address) -> Document:
    metadata = client.describe_key(KeyId=address.name)["KeyMetadata"]
    return {name: metadata.get(name) for name in ("KeyState", "KeyUsage", "KeySpec", "KeyManager")}


def _fact(
    service: str, read: Callable[[Client, Address], Document | None], permission: str, missing: frozenset[str]
) -> Row:
    permissions = {"read": permission, "write": "", "remove": ""}
    return Row(service, read, never_written, never_removed, permissions, missing)


ROWS = {
    "bucket_encryption": _fact(
        "s3",
        _read_encryption,
        "s3:GetEncryptionConfiguration",
        NO_BUCKET | {"ServerSideEncryptionConfigurationNotFoundError"},
    ),
    "bucket_ownership": _fact(
        "s3",
        _read_ownership,
        "s3:GetBucketOwnershipControls",
        NO_BUCKET | {"OwnershipControlsNotFoundError"},
    ),
    "bucket_payer": _fact("s3", _read_payer, "s3:GetBucketRequestPayment", NO_BUCKET),
    "kms_key": _fact("kms", _read_key, "kms:DescribeKey", frozenset({"NotFoundException"})),
}
