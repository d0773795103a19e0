# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of a bucket's options: what S3 keeps of it besides versions, encryption, policy, lifecycle and replication.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from .._core.model import Address, Document
from .row import Client, Eventual, Row, never_removed
from .s3_rows import NO_BUCKET, bucket_args

_SETTLING = (Eventual("OperationAborted"), Eventual("NoSuchBucket"))


def _read_accelerate(client: Client, address: Address) -> Document | None:
    answer = client.get_bucket_accelerate_configuration(**bucket_args(address))
    return {"Status": answer["Status"]} if "Status" in answer else None


def _write_accelerate(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_bucket_accelerate_configuration(**bucket_args(address), AccelerateConfiguration=after)


def _read_ownership(client: Client, address: Address) -> Document:
    return dict(client.get_bucket_ownership_controls(**bucket_args(address))["OwnershipControls"])


def _write_ownership(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_bucket_ownership_controls(**bucket_args(address), OwnershipControls=after)


def _read_cors(client: Client, address: Address) -> Document:
    return {"CORSRules": client.get_bucket_cors(**bucket_args(address))["CORSRules"]}


def _write_cors(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_bucket_cors(**bucket_args(address), CORSConfiguration=after)


def _read_tags(client: Client, address: Address) -> Document:
    tags = client.get_bucket_tagging(**bucket_args(address))["TagSet"]
    return {"Tags": {tag["Key"]: tag["Value"] for tag in tags}}


def _write_tags(client: Client, address: Address, before: Document | None, after: Document) -> None:
    tags = [{"Key": key, "Value": value} for key, value in sorted(after["Tags"].items())]
    client.put_bucket_tagging(**bucket_args(address), Tagging={"TagSet": tags})


def _remove_tags(client: Client, address: Address, before: Document) -> None:
    client.delete_bucket_tagging(**bucket_args(address))


def _read_logging(client: Client, address: Address) -> Document:
    """A bucket without a log says nothing, and that is what it is set to."""
    return {"LoggingEnabled": client.get_bucket_logging(**bucket_args(address)).get("LoggingEnabled", {})}


def _write_logging(client: Client, address: Address, before: Document | None, after: Document) -> None:
    status = after if after["LoggingEnabled"] else {}
    client.put_bucket_logging(**bucket_args(address), BucketLoggingStatus=status)


def _tiering_args(address: Address) -> dict[str, str]:
    bucket, _slash, name = address.name.partition("/")
    return {"Bucket": bucket, "ExpectedBucketOwner": address.account, "Id": name}


def _read_tiering(client: Client, address: Address) -> Document:
    answer = client.get_bucket_intelligent_tiering_configuration(**_tiering_args(address))
    return dict(answer["IntelligentTieringConfiguration"])


def _write_tiering(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_bucket_intelligent_tiering_configuration(**_tiering_args(address), IntelligentTieringConfiguration=after)


def _remove_tiering(client: Client, address: Address, before: Document) -> None:
    client.delete_bucket_intelligent_tiering_configuration(**_tiering_args(address))


ROWS = {
    "bucket_accelerate": Row(
        "s3",
        _read_accelerate,
        _write_accelerate,
        never_removed,
        {"read": "s3:GetAccelerateConfiguration", "write": "s3:PutAccelerateConfiguration", "remove": ""},
        missing=NO_BUCKET,
        eventual=_SETTLING,
    ),
    "bucket_ownership": Row(
        "s3",
        _read_ownership,
        _write_ownership,
        never_removed,
        {"read": "s3:GetBucketOwnershipControls", "write": "s3:PutBucketOwnershipControls", "remove": ""},
        missing=NO_BUCKET | {"OwnershipControlsNotFoundError"},
        eventual=_SETTLING,
    ),
    "bucket_cors": Row(
        "s3",
        _read_cors,
        _write_cors,
        never_removed,
        {"read": "s3:GetBucketCORS", "write": "s3:PutBucketCORS", "remove": ""},
        missing=NO_BUCKET | {"NoSuchCORSConfiguration"},
        eventual=_SETTLING,
        shared=True,
    ),
    "bucket_tags": Row(
        "s3",
        _read_tags,
        _write_tags,
        _remove_tags,
        {"read": "s3:GetBucketTagging", "write": "s3:PutBucketTagging", "remove": "s3:PutBucketTagging"},
        missing=NO_BUCKET | {"NoSuchTagSet"},
        eventual=_SETTLING,
        shared=True,
    ),
    "bucket_logging": Row(
        "s3",
        _read_logging,
        _write_logging,
        never_removed,
        {"read": "s3:GetBucketLogging", "write": "s3:PutBucketLogging", "remove": ""},
        missing=NO_BUCKET,
        eventual=_SETTLING,
    ),
    "bucket_tiering": Row(
        "s3",
        _read_tiering,
        _write_tiering,
        _remove_tiering,
        {
            "read": "s3:GetIntelligentTieringConfiguration",
            "write": "s3:PutIntelligentTieringConfiguration",
            "remove": "s3:PutIntelligentTieringConfiguration",
        },
        missing=NO_BUCKET | {"NoSuchConfiguration"},
        eventual=_SETTLING,
    ),
}
