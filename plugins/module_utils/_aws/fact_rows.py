# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What checks look at and no plan ever changes: settings of a bucket that replication never copies, the state of keys,
and since when a role is there.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

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


def _read_lifecycle(client: Client, address: Address) -> Document:
    answer = client.get_bucket_lifecycle_configuration(**bucket_args(address))
    kept = ("Rules", "TransitionDefaultMinimumObjectSize")
    return {name: _plain(answer[name]) for name in kept if name in answer}


def _read_cors(client: Client, address: Address) -> Document:
    return {"CORSRules": client.get_bucket_cors(**bucket_args(address))["CORSRules"]}


def _read_notification(client: Client, address: Address) -> Document | None:
    """A bucket without notifications has an empty configuration and no error."""
    answer = client.get_bucket_notification_configuration(**bucket_args(address))
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"} or None


def _read_tags(client: Client, address: Address) -> Document:
    tags = client.get_bucket_tagging(**bucket_args(address))["TagSet"]
    return {"Tags": {tag["Key"]: tag["Value"] for tag in tags}}


def _read_role_made(client: Client, address: Address) -> Document:
    return {"CreateDate": _plain(client.get_role(RoleName=address.name)["Role"]["CreateDate"])}


def _plain(value: Any) -> Any:
    """The value with its moments as ISO 8601, since a document is plain JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


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
    "bucket_lifecycle": _fact(
        "s3",
        _read_lifecycle,
        "s3:GetLifecycleConfiguration",
        NO_BUCKET | {"NoSuchLifecycleConfiguration"},
    ),
    "bucket_cors": _fact("s3", _read_cors, "s3:GetBucketCORS", NO_BUCKET | {"NoSuchCORSConfiguration"}),
    "bucket_notification": _fact("s3", _read_notification, "s3:GetBucketNotification", NO_BUCKET),
    "bucket_tags": _fact("s3", _read_tags, "s3:GetBucketTagging", NO_BUCKET | {"NoSuchTagSet"}),
    "iam_role_made": _fact("iam", _read_role_made, "iam:GetRole", frozenset({"NoSuchEntity"})),
    "kms_key": _fact("kms", _read_key, "kms:DescribeKey", frozenset({"NotFoundException"})),
}
