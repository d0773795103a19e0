# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Listings of versions: their rows, pages and keys, and what a single version tells when it is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from botocore.exceptions import ClientError

ON = {"Status": "Enabled"}

# Keys that XML 1.0 cannot hold, or does not keep as they are, and keys that look encoded.
ODD_KEYS = [
    "a\x01b",
    "a\rb",
    "a\nb",
    "\x7f",
    "\ufffe",
    "a+b c",
    "%2B",
    "<&>",
    "größe/\N{PILE OF POO}",
    "e\u0301",
    " a ",
]


def pages(world, bucket, **options):
    return list(world.s3_of(bucket).get_paginator("list_object_versions").paginate(Bucket=bucket, **options))


def rows(found):
    return [row for page in found for row in page.get("Versions", []) + page.get("DeleteMarkers", [])]


def many(world, bucket, number, key="many"):
    s3 = world.client("s3", world.regions[bucket], max_pool_connections=8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _number: s3.put_object(Bucket=bucket, Key=key, Body=b"data"), range(number)))


def test_pages_of_a_key_with_many_versions(world):
    """S3 API, ListObjectVersions: at most 1,000 rows; the next page goes on within the key, each row comes once."""
    bucket = world.bucket()
    world.put(bucket, "before")
    many(world, bucket, 2100)
    world.put(bucket, "next")
    found = pages(world, bucket)
    assert [len(rows([page])) for page in found] == [1000, 1000, 102]
    assert [page["IsTruncated"] for page in found] == [True, True, False]
    assert found[0]["NextKeyMarker"] == "many"
    assert found[0]["NextVersionIdMarker"] == found[0]["Versions"][-1]["VersionId"]
    listed = rows(found)
    assert [row["Key"] for row in listed] == ["before", *["many"] * 2100, "next"]
    assert len({row["VersionId"] for row in listed}) == 2102
    assert [row["IsLatest"] for row in listed] == [True, True, *[False] * 2099, True]
    times = [row["LastModified"] for row in listed[1:-1]]
    assert times == sorted(times, reverse=True)


def test_no_page_has_more_than_1000_rows(world):
    """S3 API, ListObjectVersions: MaxKeys asks for fewer; an answer never has more than 1,000."""
    bucket = world.bucket()
    many(world, bucket, 1001)
    s3 = world.s3_of(bucket)
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=5000)
    assert (len(page["Versions"]), page["MaxKeys"], page["IsTruncated"]) == (1000, 1000, True)
    assert len(s3.list_object_versions(Bucket=bucket, MaxKeys=7)["Versions"]) == 7


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_pages_of_versions_and_markers(world, size):
    """S3 API, ListObjectVersions: versions and delete markers of a key are one list, the newest first."""
    bucket = world.bucket()
    s3, written = world.s3_of(bucket), {}
    for key in ("a", "b"):
        ids = [world.put(bucket, key), s3.delete_object(Bucket=bucket, Key=key)["VersionId"], world.put(bucket, key)]
        written[key] = list(reversed(ids))
    found = rows(pages(world, bucket, PaginationConfig={"PageSize": size}))
    assert len(found) == 6
    assert {key: {row["VersionId"] for row in found if row["Key"] == key} for key in written} == {
        key: set(ids) for key, ids in written.items()
    }
    assert {row["VersionId"] for row in found if row["IsLatest"]} == {written["a"][0], written["b"][0]}


@pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
def test_every_key_is_listed_as_it_is(world, key):
    """S3 API, ListObjectVersions: encoding-type=url, which boto3 asks for and undoes, for what XML cannot hold."""
    bucket = world.bucket()
    version = world.put(bucket, key)
    world.put(bucket, key + "z")
    assert next((row["Key"], row["VersionId"]) for row in world.versions(bucket)) == (key, version)
    found = pages(world, bucket, Prefix=key, PaginationConfig={"PageSize": 1})
    assert [row["Key"] for row in rows(found)] == [key, key + "z"]


def test_encoding_is_told(world):
    """S3 API, ListObjectVersions: EncodingType is in the answer, and the caller who asked for it gets encoded names."""
    bucket = world.bucket()
    world.put(bucket, "ä/b c")
    answer = world.s3_of(bucket).list_object_versions(Bucket=bucket, EncodingType="url", Prefix="ä/")
    assert answer["EncodingType"] == "url"
    assert answer["Prefix"] == "%C3%A4/"
    assert answer["Versions"][0]["Key"] in ("%C3%A4/b%20c", "%C3%A4/b+c")


def test_keys_are_in_the_order_of_utf_8(world):
    """S3 API, ListObjectVersions (and ListObjectsV2): keys are sorted by their UTF-8 bytes."""
    bucket = world.bucket()
    keys = ["a", "A", "a/b", "a b", "z", "é", "\uffff", "\N{PILE OF POO}", "\ue000"]
    for key in keys:
        world.put(bucket, key)
    assert [row["Key"] for row in world.versions(bucket)] == sorted(keys, key=str.encode)


def test_rows_of_replicas(world):
    """S3 User Guide, replication: a replica keeps ID, time, size and ETag; the class is what the rule says."""
    source, destination = world.pair(DeleteMarkerReplication=ON, to={"StorageClass": "STANDARD_IA"})
    for _number in range(3):
        world.put(source)
    world.put(source, "deleted")
    world.s3_of(source).delete_object(Bucket=source, Key="deleted")
    world.settle(source, "key")
    world.until(lambda: world.versions(destination, "DeleteMarkers"), "the marker arrived")
    there, here = pages(world, destination), pages(world, source)
    same = ("Key", "VersionId", "LastModified", "Size", "ETag", "IsLatest")

    def compared(found):
        return {tuple(row.get(name) for name in same) for row in rows(found)}

    assert compared(there) == compared(here)
    assert len(compared(there)) == 5
    assert {row["StorageClass"] for row in there[0]["Versions"]} == {"STANDARD_IA"}
    assert {row["StorageClass"] for row in here[0]["Versions"]} == {"STANDARD"}


def test_times_are_to_the_second(world):
    """S3 API, ListObjectVersions: the times of its examples have no fraction; Last-Modified cannot have one."""
    bucket = world.bucket()
    for _number in range(3):
        world.put(bucket)
    for version in world.versions(bucket):
        assert version["LastModified"].microsecond == 0
        assert version["LastModified"] == world.head(bucket, VersionId=version["VersionId"])["LastModified"]


def test_answers_are_dated(world):
    """S3 API, RESTCommonResponseHeaders: Date, as HTTP writes it; refusals have it, too."""
    bucket = world.bucket()
    s3 = world.s3_of(bucket)
    good = s3.list_object_versions(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=bucket, Key="missing")
    for headers in (good, caught.value.response["ResponseMetadata"]["HTTPHeaders"]):
        assert abs(parsedate_to_datetime(headers["date"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_head_tells_a_delete_marker_from_a_version_that_is_gone(world):
    """S3 API, HeadObject, and S3 User Guide, DeleteMarker: 405 with x-amz-delete-marker, and 404 without."""
    bucket = world.bucket()
    s3, version = world.s3_of(bucket), world.put(bucket)
    marker = s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    assert world.head(bucket, VersionId=version)["VersionId"] == version
    for one, code, is_marker in ((marker, "405", "true"), (version, "404", None)):
        if code == "404":
            s3.delete_object(Bucket=bucket, Key="key", VersionId=version)
        with pytest.raises(ClientError) as caught:
            s3.head_object(Bucket=bucket, Key="key", VersionId=one)
        answer = caught.value.response
        assert answer["Error"]["Code"] == code
        assert answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-delete-marker") == is_marker


def test_checksums_are_told_when_asked_for(world):
    """S3 API, HeadObject: x-amz-checksum-mode; a replica has the checksum of its source."""
    source, destination = world.pair()
    world.put(source, ChecksumAlgorithm="SHA256")
    world.settle(source, "key")
    assert "ChecksumSHA256" not in world.head(source)
    here, there = (world.head(bucket, ChecksumMode="ENABLED") for bucket in (source, destination))
    assert here["ChecksumSHA256"] == there["ChecksumSHA256"]
    assert here["ChecksumType"] == there["ChecksumType"] == "FULL_OBJECT"


def test_tags_of_any_version(world):
    """S3 API, GetObjectTagging: versionId names any version, also while a delete marker hides the key."""
    bucket = world.bucket()
    s3 = world.s3_of(bucket)
    old, new = world.put(bucket, Tagging="age=old"), world.put(bucket, Tagging="age=new")

    def tag(version):
        return s3.get_object_tagging(Bucket=bucket, Key="key", VersionId=version)["TagSet"][0]["Value"]

    assert (tag(old), tag(new)) == ("old", "new")
    s3.delete_object(Bucket=bucket, Key="key")
    assert (tag(old), tag(new)) == ("old", "new")
    with pytest.raises(ClientError) as caught:
        s3.get_object_tagging(Bucket=bucket, Key="key")
    assert caught.value.response["Error"]["Code"] == "NoSuchKey"
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=bucket, Key="key")
    assert caught.value.response["Error"]["Code"] == "404"


def test_deletion_of_one_version_among_others(world):
    """S3 User Guide, DeletingObjectVersions: only that version goes; the newest of the others is current."""
    bucket = world.bucket()
    written = [world.put(bucket, body=str(number).encode()) for number in range(4)]
    s3 = world.s3_of(bucket)
    marker = s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    for gone, left in (
        (written[1], []),
        (marker, [3, 2, 0]),
        (written[3], [2, 0]),
        (written[0], [2]),
        (written[2], []),
    ):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "key", "VersionId": gone}]})
        if left:
            rows = [(row["VersionId"], row["IsLatest"]) for row in world.versions(bucket)]
            assert rows == [(written[number], number == left[0]) for number in left]
            assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == str(left[0]).encode()
    assert world.versions(bucket) == world.versions(bucket, "DeleteMarkers") == []


def test_listing_goes_on_after_a_version_that_was_deleted(world):
    """S3 API, ListObjectVersions: the markers say where to go on. Who empties a bucket deletes page by page."""
    bucket = world.bucket()
    written = [world.put(bucket) for _number in range(7)]
    last = world.put(bucket, "other")
    s3, seen = world.s3_of(bucket), []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}):
        rows = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in page["Versions"]]
        seen += [row["VersionId"] for row in rows]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": rows})
    assert seen == [*reversed(written), last]
    assert world.versions(bucket) == []


def test_listing_goes_on_where_it_was(world):
    """The same when newer versions are still there: none is listed twice."""
    bucket = world.bucket()
    written = [world.put(bucket) for _number in range(5)]
    s3 = world.s3_of(bucket)
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=3)
    for number in (2, 1):  # the last that was listed, and the next
        s3.delete_object(Bucket=bucket, Key="key", VersionId=written[number])
    markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    rest = s3.list_object_versions(Bucket=bucket, **markers)["Versions"]
    assert [row["VersionId"] for row in rest] == [written[0]]
