# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Objects encrypted with customer-provided keys (SSE-C), and buckets that block them."""

from __future__ import annotations

import pytest

KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"0123456789abcdef" * 2}
AES = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


def block(world, bucket, *types):
    rule = AES | ({"BlockedEncryptionTypes": {"EncryptionType": list(types)}} if types else {})
    world.s3_of(bucket).put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def blocked(world, bucket):
    (rule,) = world.s3_of(bucket).get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return rule["BlockedEncryptionTypes"]["EncryptionType"]


@pytest.fixture
def bucket(world):
    return world.bucket()


@pytest.fixture
def ends(world):
    """Source and destination with a rule between them; the source takes SSE-C."""
    source, destination = world.pair()
    block(world, source, "NONE")
    return source, destination


def test_new_bucket_blocks_them(world, bucket, refused):
    """S3 User Guide, default-s3-c-encryption-setting-faq: since April 2026, for new buckets."""
    assert blocked(world, bucket) == ["SSE-C"]
    with refused("AccessDenied"):
        world.put(bucket, **KEY)
    world.put(bucket)


def test_none_unblocks(world, bucket, refused):
    """S3 API, BlockedEncryptionTypes: NONE allows SSE-C, and what is there can be read after it is blocked again."""
    block(world, bucket, "NONE")
    assert blocked(world, bucket) == ["NONE"]
    world.put(bucket, **KEY)
    block(world, bucket, "SSE-C")
    assert world.head(bucket, **KEY)["SSECustomerAlgorithm"] == "AES256"
    with refused("AccessDenied"):
        world.put(bucket, **KEY)


@pytest.mark.parametrize("operation", ["create_multipart_upload", "copy_object"])
def test_other_writes(world, bucket, refused, operation):
    """S3 User Guide, blocking-unblocking-s3-c-encryption-gpb: copies and multipart uploads as well."""
    world.put(bucket, "plain")
    more = {"CopySource": {"Bucket": bucket, "Key": "plain"}} if operation == "copy_object" else {}
    with refused("AccessDenied"):
        getattr(world.s3_of(bucket), operation)(Bucket=bucket, Key="key", **KEY, **more)


def test_unknown_type(world, bucket, refused):
    """S3 API, BlockedEncryptionTypes: SSE-C or NONE."""
    with refused("MalformedXML"):
        block(world, bucket, "SSE-S3")


def test_replicated(world, ends):
    """S3 User Guide, replication-what-is-isnot-replicated: SSE-C objects are, with the same key."""
    source, destination = ends
    block(world, destination, "NONE")
    world.put(source, **KEY)
    assert world.until_final(source, **KEY) == "COMPLETED"
    assert world.head(destination, **KEY)["SSECustomerAlgorithm"] == "AES256"


def test_destination_that_blocks_them(world, ends):
    """S3 User Guide, blocking-unblocking-s3-c-encryption-gpb: the bucket refuses such replicas, and no others."""
    source, destination = ends
    world.put(source, "sse-c", **KEY)
    world.put(source, "plain")
    assert world.until_final(source, "sse-c", **KEY) == "FAILED"
    assert world.until_final(source, "plain") == "COMPLETED"
    assert [version["Key"] for version in world.versions(destination)] == ["plain"]
