# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a replica is, and how the source's status tells about it."""

from __future__ import annotations

import json

import pytest

PART = 5 * 1024 * 1024


def test_source_is_pending_first_and_completed_then(world):
    """S3 User Guide, replication-status: PENDING, then COMPLETED; the replica says REPLICA."""
    source, destination = world.pair()
    version = world.put(source)
    assert world.status(source) == "PENDING"
    assert world.until_final(source) == "COMPLETED"
    assert world.status(source, VersionId=version) == "COMPLETED"
    assert world.status(destination, VersionId=version) == "REPLICA"


def test_pending_object_is_not_in_the_destination_yet(world):
    """S3 User Guide, replication: copying is asynchronous."""
    source, destination = world.pair()
    world.put(source)
    assert world.versions(destination) == []
    world.until_final(source)
    assert len(world.versions(destination)) == 1


def test_replica_keeps_what_the_source_has(world):
    """S3 User Guide, replication: a replica has the metadata, creation time and version ID of its source."""
    source, destination = world.pair()
    version = world.put(
        source,
        body=b"some data",
        ContentType="text/plain",
        CacheControl="max-age=1",
        Metadata={"owner": "me"},
        ChecksumAlgorithm="SHA256",
    )
    world.until_final(source)
    wanted = world.head(source, ChecksumMode="ENABLED")
    replica = world.head(destination, ChecksumMode="ENABLED")
    assert replica["VersionId"] == version
    for field in ("LastModified", "ETag", "ContentLength", "ContentType", "CacheControl", "Metadata", "ChecksumSHA256"):
        assert replica[field] == wanted[field], field


def test_listed_times_are_equal(world):
    """S3 User Guide, replication: the original creation time, in listings too."""
    source, destination = world.pair()
    world.put(source)
    world.until_final(source)
    assert world.versions(source)[0]["LastModified"] == world.versions(destination)[0]["LastModified"]


def test_tags_are_replicated(world):
    """S3 User Guide, replication-what-is-isnot-replicated: object tags are."""
    source, destination = world.pair()
    version = world.put(source, Tagging="team=blue&stage=prod")
    world.until_final(source)
    tags = world.s3_of(destination).get_object_tagging(Bucket=destination, Key="key", VersionId=version)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "blue", "stage": "prod"}


def test_every_version_arrives_under_its_id(world):
    """S3 User Guide, replication: versions keep their IDs, and the newest one is the current one."""
    source, destination = world.pair()
    written = [world.put(source, body=body) for body in (b"one", b"two", b"three")]
    world.until_final(source)
    assert world.version_ids(destination) == set(written)
    assert world.head(destination)["VersionId"] == written[-1]


def test_multipart_upload_keeps_its_tags(world):
    """S3 API, CreateMultipartUpload: x-amz-tagging tags the object, at the source already."""
    source = world.bucket()
    upload_in_parts(world, source, Tagging="team=blue")
    tags = world.s3_of(source).get_object_tagging(Bucket=source, Key="key")["TagSet"]
    assert tags == [{"Key": "team", "Value": "blue"}]


def test_multipart_upload_is_replicated_by_a_tag_rule(world):
    """S3 User Guide, replication-add-config: tags given at creation select; the replica keeps ETag and tags."""
    source, destination = world.pair(Filter={"Tag": {"Key": "team", "Value": "blue"}})
    version = upload_in_parts(world, source, Tagging="team=blue")
    assert world.until_final(source) == "COMPLETED"
    replica = world.head(destination)
    assert (replica["VersionId"], replica["ETag"]) == (version, world.head(source)["ETag"])
    tags = world.s3_of(destination).get_object_tagging(Bucket=destination, Key="key")["TagSet"]
    assert tags == [{"Key": "team", "Value": "blue"}]


@pytest.mark.parametrize("wanted", ["STANDARD_IA", None])
def test_storage_class_is_the_rules_or_the_sources(world, wanted):
    """S3 API, Destination: StorageClass, by default the class of the source object."""
    source, destination = world.pair(to={"StorageClass": wanted} if wanted else {})
    world.put(source, StorageClass="INTELLIGENT_TIERING")
    world.until_final(source)
    assert world.head(destination)["StorageClass"] == (wanted or "INTELLIGENT_TIERING")


def test_copied_object_is_replicated(world):
    """S3 User Guide, replication-what-is-isnot-replicated: a copy in the source bucket is a new object."""
    source, destination = world.pair()
    world.put(source)
    world.s3_of(source).copy_object(Bucket=source, Key="copy", CopySource={"Bucket": source, "Key": "key"})
    assert world.until_final(source, "copy") == "COMPLETED"
    assert world.head(destination, "copy")["VersionId"] == world.head(source, "copy")["VersionId"]


def test_version_deleted_by_id_while_pending_does_not_block_others(world):
    """S3 User Guide, replication: what is gone cannot be replicated; later writes are."""
    source, destination = world.pair()
    gone = world.put(source)
    world.s3_of(source).delete_object(Bucket=source, Key="key", VersionId=gone)
    kept = world.put(source)
    world.until_final(source)
    assert kept in world.version_ids(destination)


def test_tls_only_policies_do_not_hinder(world):
    """S3 User Guide, security-best-practices: a deny without TLS; S3 itself uses TLS."""
    source, destination = world.pair()
    for bucket in (source, destination):
        put_policy(
            world,
            bucket,
            Effect="Deny",
            Principal="*",
            Action="s3:*",
            Condition={"Bool": {"aws:SecureTransport": "false"}},
        )
    world.put(source)
    assert world.until_final(source) == "COMPLETED"


def put_policy(world, bucket, **statement):
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    document = {"Version": "2012-10-17", "Statement": [statement | {"Resource": resources}]}
    world.s3_of(bucket).put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


def upload_in_parts(world, bucket, **options):
    s3, where = world.s3_of(bucket), {"Bucket": bucket, "Key": "key"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where, **options)["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate((b"a" * PART, b"b"), start=1)
    ]
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["VersionId"]
