# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of S3's kinds. Every call names the expected owner, so that a bucket of the same name elsewhere is refused.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from .._core.model import Address, Document
from .contents import count_contents
from .deletion import delete_contents
from .row import Client, Eventual, Row, Running, never_removed, never_written
from .sdk_errors import ClientError

NO_BUCKET = frozenset({"NoSuchBucket", "404"})


def bucket_args(address: Address) -> dict[str, str]:
    """The two arguments that every S3 call on a bucket takes here."""
    return {"Bucket": address.name, "ExpectedBucketOwner": address.account}


def _read_bucket(client: Client, address: Address) -> Document:
    """HeadBucket and never CreateBucket, which in us-east-1 resets the ACLs of a bucket that exists."""
    answer = client.head_bucket(**bucket_args(address))
    return {"Region": answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"]}


def _create_bucket(client: Client, address: Address, before: Document | None, after: Document) -> None:
    """us-east-1 takes no LocationConstraint, every other Region demands its own.

    A name that ends in the account and the Region is of the account's own namespace, where nobody else can take it.
    Source: S3 User Guide, "Namespaces for general purpose buckets".
    """
    location: dict[str, Any] = {}
    if address.name.endswith(f"-{address.account}-{address.region}-an"):
        location = {"BucketNamespace": "account-regional"}
    if address.region != "us-east-1":
        location |= {"CreateBucketConfiguration": {"LocationConstraint": address.region}}
    client.create_bucket(Bucket=address.name, **location)


def _delete_bucket(client: Client, address: Address, running: Running) -> None:
    """What was still on its way when the contents were deleted, a replica or a log file, is deleted as well."""
    try:
        client.delete_bucket(**bucket_args(address))
    except ClientError as error:
        if error.response["Error"]["Code"] == "BucketNotEmpty":
            delete_contents(client, address.name, address.account, running)
        raise  # the gateway tries again for a while


def _read_contents(client: Client, address: Address) -> Document | None:
    counts = count_contents(client, address.name, address.account)
    return counts if any(counts.values()) else None


def _delete_contents(client: Client, address: Address, running: Running) -> None:
    delete_contents(client, address.name, address.account, running)


def _read_versioning(client: Client, address: Address) -> Document | None:
    answer = client.get_bucket_versioning(**bucket_args(address))
    return {"Status": answer["Status"]} if "Status" in answer else None


def _write_versioning(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_bucket_versioning(**bucket_args(address), VersioningConfiguration={"Status": after["Status"]})


def _read_object_lock(client: Client, address: Address) -> Document:
    configuration: Document = client.get_object_lock_configuration(**bucket_args(address))["ObjectLockConfiguration"]
    return configuration


def _write_object_lock(client: Client, address: Address, before: Document | None, after: Document) -> None:
    configuration = {name: value for name, value in after.items() if value}
    client.put_object_lock_configuration(**bucket_args(address), ObjectLockConfiguration=configuration)


def _read_encryption(client: Client, address: Address) -> Document:
    return dict(client.get_bucket_encryption(**bucket_args(address))["ServerSideEncryptionConfiguration"])


def _write_encryption(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_bucket_encryption(**bucket_args(address), ServerSideEncryptionConfiguration=after)


def _read_lifecycle(client: Client, address: Address) -> Document:
    answer = client.get_bucket_lifecycle_configuration(**bucket_args(address))
    kept = ("Rules", "TransitionDefaultMinimumObjectSize")
    return {name: plain(answer[name]) for name in kept if name in answer}


def _write_lifecycle(client: Client, address: Address, before: Document | None, after: Document) -> None:
    """The minimum size for transitions is sent back as it is, since S3 would set its default in its place."""
    minimum = {name: value for name, value in after.items() if name == "TransitionDefaultMinimumObjectSize"}
    client.put_bucket_lifecycle_configuration(
        **bucket_args(address), LifecycleConfiguration={"Rules": after["Rules"]}, **minimum
    )


def _delete_lifecycle(client: Client, address: Address, before: Document) -> None:
    client.delete_bucket_lifecycle(**bucket_args(address))


def plain(value: Any) -> Any:
    """The value with its moments as ISO 8601, since a document is plain JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def _read_public_access_block(client: Client, address: Address) -> Document:
    answer = client.get_public_access_block(**bucket_args(address))
    return dict(answer["PublicAccessBlockConfiguration"])


def _write_public_access_block(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_public_access_block(**bucket_args(address), PublicAccessBlockConfiguration=after)


def _read_policy(client: Client, address: Address) -> Document:
    policy: Document = json.loads(client.get_bucket_policy(**bucket_args(address))["Policy"])
    return policy


def _write_policy(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_bucket_policy(**bucket_args(address), Policy=json.dumps(after))


def _delete_policy(client: Client, address: Address, before: Document) -> None:
    client.delete_bucket_policy(**bucket_args(address))


def _read_replication(client: Client, address: Address) -> Document:
    configuration: Document = client.get_bucket_replication(**bucket_args(address))["ReplicationConfiguration"]
    return configuration


def _write_replication(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_bucket_replication(**bucket_args(address), ReplicationConfiguration=after)


def _delete_replication(client: Client, address: Address, before: Document) -> None:
    client.delete_bucket_replication(**bucket_args(address))


# A change of a bucket that collides with another one, or that a bucket made a moment ago does not know yet.
_SETTLING = (Eventual("OperationAborted"), Eventual("NoSuchBucket"))

ROWS = {
    "bucket": Row(
        "s3",
        _read_bucket,
        _create_bucket,
        never_removed,
        {"read": "s3:ListBucket", "write": "s3:CreateBucket", "remove": "s3:DeleteBucket"},
        missing=NO_BUCKET,
        eventual=(Eventual("OperationAborted"), Eventual("BucketNotEmpty")),
        seen_later=True,
        remove_at_length=_delete_bucket,
    ),
    "bucket_contents": Row(
        "s3",
        _read_contents,
        never_written,
        never_removed,
        {
            "read": "s3:ListBucketVersions, s3:ListBucketMultipartUploads",
            "write": "",
            "remove": "s3:DeleteObject, s3:DeleteObjectVersion, s3:AbortMultipartUpload",
        },
        missing=NO_BUCKET,
        remove_at_length=_delete_contents,
    ),
    "bucket_versioning": Row(
        "s3",
        _read_versioning,
        _write_versioning,
        never_removed,
        {"read": "s3:GetBucketVersioning", "write": "s3:PutBucketVersioning", "remove": ""},
        missing=NO_BUCKET,
        eventual=_SETTLING,
        seen_later=True,
    ),
    "bucket_encryption": Row(
        "s3",
        _read_encryption,
        _write_encryption,
        never_removed,
        {"read": "s3:GetEncryptionConfiguration", "write": "s3:PutEncryptionConfiguration", "remove": ""},
        missing=NO_BUCKET | {"ServerSideEncryptionConfigurationNotFoundError"},
        eventual=_SETTLING,
    ),
    "bucket_lifecycle": Row(
        "s3",
        _read_lifecycle,
        _write_lifecycle,
        _delete_lifecycle,
        {
            "read": "s3:GetLifecycleConfiguration",
            "write": "s3:PutLifecycleConfiguration",
            "remove": "s3:PutLifecycleConfiguration",
        },
        missing=NO_BUCKET | {"NoSuchLifecycleConfiguration"},
        eventual=_SETTLING,
        shared=True,
    ),
    "bucket_object_lock": Row(
        "s3",
        _read_object_lock,
        _write_object_lock,
        never_removed,
        {
            "read": "s3:GetBucketObjectLockConfiguration",
            "write": "s3:PutBucketObjectLockConfiguration",
            "remove": "",
        },
        missing=NO_BUCKET | {"ObjectLockConfigurationNotFoundError"},
        eventual=(*_SETTLING, Eventual("InvalidBucketState", "Versioning must be 'Enabled'")),
    ),
    "bucket_public_access_block": Row(
        "s3",
        _read_public_access_block,
        _write_public_access_block,
        never_removed,
        {"read": "s3:GetBucketPublicAccessBlock", "write": "s3:PutBucketPublicAccessBlock", "remove": ""},
        missing=NO_BUCKET | {"NoSuchPublicAccessBlockConfiguration"},
        eventual=_SETTLING,
    ),
    "bucket_policy": Row(
        "s3",
        _read_policy,
        _write_policy,
        _delete_policy,
        {"read": "s3:GetBucketPolicy", "write": "s3:PutBucketPolicy", "remove": "s3:DeleteBucketPolicy"},
        missing=NO_BUCKET | {"NoSuchBucketPolicy"},
        eventual=(*_SETTLING, Eventual("MalformedPolicy", "Invalid principal")),  # a role made a moment ago
        shared=True,
    ),
    "bucket_replication": Row(
        "s3",
        _read_replication,
        _write_replication,
        _delete_replication,
        {
            "read": "s3:GetReplicationConfiguration",
            "write": "s3:PutReplicationConfiguration (and iam:PassRole on the replication role)",
            "remove": "s3:PutReplicationConfiguration",
        },
        missing=NO_BUCKET | {"ReplicationConfigurationNotFoundError"},
        eventual=(
            *_SETTLING,
            Eventual("InvalidRequest", "Versioning must be 'Enabled' on the bucket"),
            Eventual("InvalidRequest", "Destination bucket must have versioning enabled"),
            Eventual("InvalidRequest", "Destination bucket must exist"),
        ),
        shared=True,
    ),
}
