# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What checks look at and no plan ever changes: settings of a bucket that replication never copies, the state of keys,
and since when a role is there.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable

from .._core.model import Address, Document
from .row import Client, Row, never_removed, never_written
from .s3_rows import NO_BUCKET, bucket_args, plain


def _read_payer(client: Client, address: Address) -> Document:
    return {"Payer": client.get_bucket_request_payment(**bucket_args(address)).get("Payer", "BucketOwner")}


def _read_role_made(client: Client, address: Address) -> Document:
    return {"CreateDate": plain(client.get_role(RoleName=address.name)["Role"]["CreateDate"])}


def _read_key(client: Client, address: Address) -> Document:
    metadata = client.describe_key(KeyId=address.name)["KeyMetadata"]
    return {name: metadata.get(name) for name in ("KeyState", "KeyUsage", "KeySpec", "KeyManager")}


def _fact(
    service: str, read: Callable[[Client, Address], Document | None], permission: str, missing: frozenset[str]
) -> Row:
    permissions = {"read": permission, "write": "", "remove": ""}
    return Row(service, read, never_written, never_removed, permissions, missing)


ROWS = {
    "bucket_payer": _fact("s3", _read_payer, "s3:GetBucketRequestPayment", NO_BUCKET),
    "iam_role_made": _fact("iam", _read_role_made, "iam:GetRole", frozenset({"NoSuchEntity"})),
    "kms_key": _fact("kms", _read_key, "kms:DescribeKey", frozenset({"NotFoundException"})),
}
