# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Replication of objects of every sort: their keys, their sizes, how they were written, their ETags."""

from __future__ import annotations

import hashlib

import pytest

PART = 5 * 1024 * 1024

KEYS = {
    "unicode": "größe/日本語/\N{PILE OF POO}.txt",
    "combining": "e\u0301",  # not the same key as its composed form
    "spaces": " a  b ",
    "slashes": "//a///b/",
    "plus": "a+b c%2Bd",
    "signs": "!-_.*'()&$@=;:,?\\^`>{}[]#~|\"<%",
    "1024 bytes": "ä" * 512,
    "dots": "a/./b/../c",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_any_key_is_replicated(world, key):
    """S3 User Guide, object-keys: UTF-8 of at most 1,024 bytes; the replica has the same key."""
    source, destination = world.pair()
    version = world.put(source, key)
    assert world.until_final(source, key) == "COMPLETED"
    (replica,) = world.versions(destination)
    assert (replica["Key"], replica["VersionId"]) == (key, version)
    assert world.s3_of(destination).get_object(Bucket=destination, Key=key)["Body"].read() == b"data"


def test_key_of_1025_bytes(world, refused):
    """S3 User Guide, object-keys: KeyTooLongError."""
    with refused("KeyTooLongError"):
        world.put(world.bucket(), "a" * 1025)


@pytest.mark.parametrize("prefix", ["größe/", "a b+", "100%/"])
def test_prefix_of_any_letters(world, prefix):
    """S3 User Guide, replication-add-config: a prefix is compared with the key as it is."""
    source, destination = world.pair(Filter={"Prefix": prefix})
    world.put(source, prefix.replace("+", " "))
    world.put(source, prefix + "x")
    assert world.until_final(source, prefix + "x") == "COMPLETED"
    assert prefix + "x" in {version["Key"] for version in world.versions(destination)}
    assert all(version["Key"].startswith(prefix) for version in world.versions(destination))


def test_empty_object(world):
    """S3 User Guide, replication-what-is-isnot-replicated: an object without data is an object."""
    source, destination = world.pair()
    version = world.put(source, "folder/", b"")
    assert world.until_final(source, "folder/") == "COMPLETED"
    replica = world.head(destination, "folder/")
    assert (replica["ContentLength"], replica["VersionId"]) == (0, version)
    assert replica["ETag"] == f'"{hashlib.md5(b"", usedforsecurity=False).hexdigest()}"'


def test_status_is_told_by_head_and_get_not_by_listings(world):
    """S3 API: HeadObject and GetObject have x-amz-replication-status; listings and GetObjectAttributes do not."""
    source, _destination = world.pair()
    world.put(source)
    assert world.until_final(source) == "COMPLETED"
    s3 = world.s3_of(source)
    assert s3.get_object(Bucket=source, Key="key")["ReplicationStatus"] == "COMPLETED"
    attributes = s3.get_object_attributes(Bucket=source, Key="key", ObjectAttributes=["ETag", "ObjectSize"])
    listed = s3.list_objects_v2(Bucket=source)["Contents"][0]
    for answer in (attributes, listed, world.versions(source)[0]):
        assert "ReplicationStatus" not in answer
    headers = attributes["ResponseMetadata"]["HTTPHeaders"]
    assert "x-amz-replication-status" not in headers


def test_head_on_a_delete_marker(world, refused):
    """S3 User Guide, DeleteMarker: 405 for the marker's version, 404 for its key."""
    bucket = world.bucket()
    world.put(bucket)
    s3 = world.s3_of(bucket)
    marker = s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    with refused("405"):
        s3.head_object(Bucket=bucket, Key="key", VersionId=marker)
    with refused("404"):
        s3.head_object(Bucket=bucket, Key="key")


def test_etag_is_the_digest_of_plain_data(world):
    """S3 API, Object: the MD5 of the data, when written by one PutObject and encrypted with SSE-S3."""
    source, destination = world.pair()
    world.put(source, body=b"some data")
    assert world.until_final(source) == "COMPLETED"
    digest = hashlib.md5(b"some data", usedforsecurity=False).hexdigest()
    assert world.head(source)["ETag"] == world.head(destination)["ETag"] == f'"{digest}"'


def test_etag_of_data_encrypted_by_kms(world):
    """S3 API, Object: not the MD5 of the data."""
    bucket, kms = world.bucket(), world.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    world.cleanup.callback(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    answer = world.s3_of(bucket).put_object(
        Bucket=bucket, Key="key", Body=b"some data", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    digest = hashlib.md5(b"some data", usedforsecurity=False).hexdigest()
    assert digest not in answer["ETag"]
    assert world.head(bucket)["ETag"] == world.versions(bucket)[0]["ETag"] == answer["ETag"]


def test_etag_of_parts(world):
    """S3 API, Object: of a multipart upload it ends with the number of parts; the replica has the same."""
    source, destination = world.pair()
    version = in_parts(world, source, b"a" * PART, b"b")
    assert world.until_final(source) == "COMPLETED"
    replica = world.head(destination)
    assert (replica["VersionId"], replica["ContentLength"]) == (version, PART + 1)
    assert replica["ETag"] == world.head(source)["ETag"]
    assert replica["ETag"].endswith('-2"')


def in_parts(world, bucket, *bodies):
    s3, where = world.s3_of(bucket), {"Bucket": bucket, "Key": "key"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, start=1)
    ]
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["VersionId"]


def test_copy_over_itself_is_replicated(world):
    """S3 User Guide, replication-status: uploading again is how a FAILED object gets its chance; so is a copy."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, world.role(source, destination, without="s3:ReplicateObject"), world.rule(destination))
    failed = world.put(source, Metadata={"owner": "me"})
    assert world.until_final(source) == "FAILED"
    world.replicate(source, world.role(source, destination), world.rule(destination))
    answer = world.s3_of(source).copy_object(
        Bucket=source, Key="key", CopySource={"Bucket": source, "Key": "key"}, StorageClass="STANDARD_IA"
    )
    assert world.until_final(source) == "COMPLETED"
    assert world.version_ids(destination) == {answer["VersionId"]}
    assert world.head(destination)["Metadata"] == {"owner": "me"}
    assert world.status(source, VersionId=failed) == "FAILED"


def test_overwritten_while_it_failed(world):
    """S3 User Guide, replication-status: FAILED stays with its version; a new upload starts anew."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, world.role(source, destination, without="s3:ReplicateObject"), world.rule(destination))
    failed = world.put(source)
    assert world.until_final(source) == "FAILED"
    world.replicate(source, world.role(source, destination), world.rule(destination))
    again = world.put(source)
    assert world.until_final(source) == "COMPLETED"
    assert world.status(source, VersionId=failed) == "FAILED"
    assert world.version_ids(destination) == {again}


def test_tags_removed_later_do_not_deselect(world):
    """S3 User Guide, replication-what-is-isnot-replicated: tags at creation decide, and their changes follow."""
    source, destination = world.pair(Filter={"Tag": {"Key": "team", "Value": "blue"}})
    world.put(source, Tagging="team=blue")
    assert world.until_final(source) == "COMPLETED"
    world.s3_of(source).delete_object_tagging(Bucket=source, Key="key")
    s3 = world.s3_of(destination)
    world.until(lambda: s3.get_object_tagging(Bucket=destination, Key="key")["TagSet"] == [], "the removal followed")


def test_deleted_replica_does_not_come_back(world):
    """S3 User Guide, replication-what-is-isnot-replicated: a version deleted at the destination is not copied again."""
    source, destination = world.pair()
    version = world.put(source)
    assert world.until_final(source) == "COMPLETED"
    world.s3_of(destination).delete_object(Bucket=destination, Key="key", VersionId=version)
    world.put(source, "later")
    world.settle(source, "later")
    assert version not in world.version_ids(destination)
    assert world.status(source) == "COMPLETED"


def expire_all(world, bucket):
    """A lifecycle rule that expires each object after a day."""
    rule = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    world.s3_of(bucket).put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})


def test_marker_of_lifecycle_is_not_replicated(world, control):
    """S3 User Guide, delete-marker-replication: lifecycle's markers are not, whatever the rule says.

    The day is spared through the control endpoint."""
    source, destination = world.pair(DeleteMarkerReplication={"Status": "Enabled"})
    world.put(source, "expired")
    world.settle(source, "expired")
    expire_all(world, source)
    assert control("lifecycle", bucket=source)["expired"] == ["expired"]
    assert [marker["Key"] for marker in world.versions(source, "DeleteMarkers")] == ["expired"]
    world.put(source, "deleted")
    world.s3_of(source).delete_object(Bucket=source, Key="deleted")
    world.until(lambda: world.versions(destination, "DeleteMarkers"), "the other marker arrived")
    assert [marker["Key"] for marker in world.versions(destination, "DeleteMarkers")] == ["deleted"]
    assert world.head(destination, "expired")["ReplicationStatus"] == "REPLICA"


def test_lifecycle_waits_for_replication(world, control):
    """S3 User Guide, replication-status: what is PENDING or FAILED is not expired.

    The day is spared through the control endpoint."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    world.replicate(source, world.role(source, destination, without="s3:ReplicateObject"), world.rule(destination))
    expire_all(world, source)
    world.put(source, "failed")
    assert world.until_final(source, "failed") == "FAILED"
    control("replication", bucket=source, lag_seconds=3600)
    world.put(source, "pending")
    assert control("lifecycle", bucket=source)["expired"] == []
    control("replication", bucket=source, lag_seconds=0)
