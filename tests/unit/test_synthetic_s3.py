# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The endpoint of the benchmarks lists what it should hold, as boto3 reads it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from http.client import HTTPConnection
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ClientError

from ansible_collections.crossregion.s3_dr.benchmarks.synthetic_buckets import (
    LAYOUTS,
    REPLICA,
    SOURCE,
    Bucket,
    Row,
    Shape,
    buckets_of,
    count_rows,
    seeded_differences,
)
from ansible_collections.crossregion.s3_dr.benchmarks.synthetic_s3 import Faults, Request, Store, SyntheticS3
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time

SESSION = Session(aws_access_key_id="any", aws_secret_access_key="any")
MIXED = Shape(keys=1050, versions=2, markers_every=40, missing_every=50, changed_every=1000, extra_every=100)
Entry = tuple[str, str, str, str, int, bool]


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Any]]:
    """A client for each layout, to an endpoint of its own."""
    endpoints = [SyntheticS3(shaped(layout)) for layout in LAYOUTS]
    try:
        yield {layout: client(one.__enter__().url) for layout, one in zip(LAYOUTS, endpoints, strict=True)}
    finally:
        for one in endpoints:
            one.__exit__(None, None, None)


def client(url: str) -> Any:
    """boto3 without its patience."""
    return SESSION.client(
        "s3", region_name="us-east-1", endpoint_url=url, config=Config(retries={"total_max_attempts": 1})
    )


def shaped(layout: str) -> Shape:
    """Buckets with something of everything."""
    if layout == "one_key":
        return Shape(keys=1050, layout=layout, opposite_order=True)
    return replace(MIXED, layout=layout)


@cache
def held_by(shape: Shape, name: str) -> list[Entry]:
    """All versions of a bucket, key by key, without pages and without templates."""
    bucket = buckets_of(shape)[name]
    return [entry(bucket.key(number), row) for number in range(shape.keys) for row in bucket.rows(number)]


def held(bucket: Bucket) -> list[Entry]:
    """The same, computed once."""
    return held_by(bucket.shape, bucket.name)


def entry(key: str, row: Row) -> Entry:
    """A version as a value."""
    return key, row.version_id, row.modified, row.etag, row.size, row.is_latest


def listed(pages: Iterator[dict[str, Any]]) -> list[Entry]:
    """The same as boto3 reads it, which tells objects and delete markers apart. Here a marker is its key's newest."""
    found: list[Entry] = []
    for page in pages:
        markers = {row["Key"]: row for row in page.get("DeleteMarkers", ())}
        for row in page.get("Versions", ()):
            marker = markers.pop(row["Key"], None)
            found += [as_entry(marker)] if marker else []
            found.append(as_entry(row))
        found += [as_entry(row) for row in markers.values()]
    return found


def as_entry(row: dict[str, Any]) -> Entry:
    modified = f"{row['LastModified']:%Y-%m-%dT%H:%M:%S}.000Z"
    return row["Key"], row["VersionId"], modified, row.get("ETag", "").strip('"'), row.get("Size", 0), row["IsLatest"]


@pytest.mark.parametrize("layout", ["unicode", "one_key"])
@pytest.mark.parametrize("name", [SOURCE, REPLICA])
def test_boto3_reads_all_of_the_bucket(clients: dict[str, Any], layout: str, name: str) -> None:
    bucket = buckets_of(shaped(layout))[name]
    found = listed(clients[layout].get_paginator("list_object_versions").paginate(Bucket=name))
    assert found == held(bucket)
    assert len(found) == count_rows(bucket)


@pytest.mark.parametrize(
    ("layout", "page", "encoded"),
    [
        *((layout, 333, True) for layout in LAYOUTS),
        ("unicode", 1000, False),
        ("folders", 1, True),
        ("one_key", 1, False),
    ],
)
@pytest.mark.parametrize("name", [SOURCE, REPLICA])
def test_the_pages_add_up_to_the_bucket(layout: str, page: int, encoded: bool, name: str) -> None:
    """By a reader that is faster than boto3, which also reads keys that are not encoded."""
    shape = shaped(layout) if page > 1 else replace(shaped(layout), keys=30)
    store, bucket = Store(shape), buckets_of(shape)[name]
    assert list(read(store, name, page, encoded)) == [one[:2] for one in held(bucket)]


def test_blocks_with_differences_and_without_are_told_apart() -> None:
    shape = Shape(keys=3000, missing_every=2000, extra_every=3000)
    source, replica = ({key for key, _version_id in read(Store(shape), name, 1000, True)} for name in (SOURCE, REPLICA))
    key = buckets_of(shape)[SOURCE].key
    assert (source - replica, replica - source) == ({key(1), key(2001)}, {key(3)})


def test_the_ends_may_tell_the_versions_of_a_key_in_opposite_order() -> None:
    newest_first, oldest_first = (held(bucket) for bucket in buckets_of(shaped("one_key")).values())
    assert newest_first == oldest_first[::-1]
    times = [modified for _key, _version, modified, _etag, _size, _latest in newest_first]
    assert times == sorted(times, reverse=True)
    assert [latest for *_rest, latest in newest_first] == [True, *[False] * 1049]


def read(store: Store, name: str, page: int, encoded: bool) -> Iterator[tuple[str, str]]:
    """Key and version ID of each row, page by page."""
    decode = unquote_plus if encoded else str
    marker = {"encoding-type": "url"} if encoded else {}
    while True:
        query = urlencode({**marker, "max-keys": page})
        answer = ElementTree.fromstring(store.answer(Request("GET", f"/{name}?versions&{query}", {})).body)
        fields = {child.tag.partition("}")[2]: child for child in answer}
        rows = [row for row in answer if row.tag.endswith(("}Version", "}DeleteMarker"))]
        assert len(rows) == page or (fields["IsTruncated"].text == "false" and len(rows) < page)
        yield from ((decode(row[0].text or ""), row[1].text or "") for row in rows)
        if fields["IsTruncated"].text == "false":
            assert "NextKeyMarker" not in fields
            return
        marker["key-marker"] = decode(fields["NextKeyMarker"].text or "")
        marker["version-id-marker"] = fields["NextVersionIdMarker"].text or ""


@pytest.mark.parametrize("layout", ["folders", "unicode"])
@pytest.mark.parametrize("page", [1000, 7])
def test_a_prefix_cuts_the_bucket(clients: dict[str, Any], layout: str, page: int) -> None:
    bucket = buckets_of(shaped(layout))[REPLICA]
    prefix = bucket.key(120)[: bucket.key(120).index("120") + 2]  # numbers 120 to 129
    pages = (
        clients[layout]
        .get_paginator("list_object_versions")
        .paginate(Bucket=REPLICA, Prefix=prefix, PaginationConfig={"PageSize": page})
    )
    expected = [one for one in held(bucket) if one[0].startswith(prefix)]
    assert 15 < len(expected) < 25
    assert listed(pages) == expected


@pytest.mark.parametrize("after", [0, 1, 999, 1000, 1049])
def test_a_key_alone_is_a_marker_behind_all_of_its_versions(clients: dict[str, Any], after: int) -> None:
    bucket = buckets_of(shaped("folders"))[SOURCE]
    key = bucket.key(after)
    page = clients["folders"].list_object_versions(Bucket=SOURCE, KeyMarker=key, MaxKeys=3)
    assert listed(iter([page])) == [one for one in held(bucket) if one[0] > key][:3]


@pytest.mark.parametrize("name", [SOURCE, REPLICA])
def test_objects_are_the_current_versions(clients: dict[str, Any], name: str) -> None:
    pages = clients["unicode"].get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 99})
    found = [(row["Key"], row["ETag"].strip('"')) for page in pages for row in page.get("Contents", ())]
    current = [one for one in held(buckets_of(shaped("unicode"))[name]) if one[5] and one[3]]
    assert found == [(key, etag) for key, _version, _modified, etag, _size, _latest in current]


def test_what_is_seeded_is_what_differs() -> None:
    source, replica = ({one[:2]: one for one in held(bucket)} for bucket in buckets_of(MIXED).values())
    differing = {
        name
        for name in source.keys() | replica.keys()
        if source.get(name, ("",) * 6)[3] != replica.get(name, ("",) * 6)[3] or (name in source) != (name in replica)
    }
    seeded = {(key, version_id): cause for key, version_id, cause in seeded_differences(MIXED)}
    assert seeded.keys() == differing
    assert set(seeded.values()) == {
        "failed",
        "late",
        "version_deleted_at_destination",
        "content_differs",
        "foreign_object_at_destination",
    }


@pytest.mark.parametrize("name", [SOURCE, REPLICA])
def test_head_tells_the_listed_version(clients: dict[str, Any], name: str) -> None:
    some = held(buckets_of(shaped("unicode"))[name])[85:110]
    assert any(not etag for _key, _version, _modified, etag, _size, _latest in some)
    for key, version_id, modified, etag, size, _latest in some:
        if not etag:
            with pytest.raises(ClientError) as refused:
                clients["unicode"].head_object(Bucket=name, Key=key, VersionId=version_id)
            headers = refused.value.response["ResponseMetadata"]["HTTPHeaders"]
            assert (refused.value.response["Error"]["Code"], headers["x-amz-delete-marker"]) == ("405", "true")
            continue
        answer = clients["unicode"].head_object(Bucket=name, Key=key, VersionId=version_id, ChecksumMode="ENABLED")
        assert (answer["ETag"], answer["ContentLength"], answer["VersionId"]) == (f'"{etag}"', size, version_id)
        assert answer["LastModified"] == datetime.fromisoformat(modified)
        assert answer["ChecksumCRC64NVME"]


def test_head_of_what_is_not_there(clients: dict[str, Any]) -> None:
    source, replica = buckets_of(shaped("folders")).values()
    (missing,) = {row.version_id for row in source.rows(51)} - {row.version_id for row in replica.rows(51)}
    statuses = [
        clients["folders"].head_object(Bucket=SOURCE, Key=source.key(number))["ReplicationStatus"]
        for number in (1, 51, 101, 0)
    ]
    assert statuses == ["FAILED", "PENDING", "COMPLETED", "COMPLETED"]
    for version_id in (missing, "v00", missing[:-1], missing.replace("051", "052")):
        with pytest.raises(ClientError, match="404"):
            clients["folders"].head_object(Bucket=REPLICA, Key=source.key(51), VersionId=version_id)


def test_requests_are_counted_and_every_nth_fails() -> None:
    with SyntheticS3(Shape(keys=10), Faults(error_every=3)) as endpoint:
        s3 = client(endpoint.url)
        for _attempt in range(2):
            s3.list_object_versions(Bucket=SOURCE)
        with pytest.raises(ClientError, match="InternalError"):
            s3.list_object_versions(Bucket=SOURCE)
        with urllib.request.urlopen(f"{endpoint.url}/-/") as response:
            assert json.load(response)["counts"] == {"ListObjectVersions": 3, "answered 500": 1}


def test_above_the_rate_it_is_busy() -> None:
    fake = Time()
    store = Store(Shape(keys=10), Faults(rate=20), fake.clock)
    request = Request("GET", f"/{SOURCE}?versions", {})
    assert [store.answer(request).status for _attempt in range(3)] == [200, 503, 503]
    fake.sleep(0.1)
    assert [store.answer(request).status for _attempt in range(3)] == [200, 200, 503]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_deleted_is_listed_no_more(layout: str) -> None:
    shape = shaped(layout)
    bucket = buckets_of(shape)[SOURCE]
    rows = held(bucket)
    gone, kept = [row for number, row in enumerate(rows) if number % 3 == 0], [rows[1], rows[2]]
    with SyntheticS3(shape) as endpoint:
        s3 = client(endpoint.url)
        for begin in range(0, len(gone), 1000):
            objects = [{"Key": row[0], "VersionId": row[1]} for row in gone[begin : begin + 1000]]
            answer = s3.delete_objects(Bucket=SOURCE, Delete={"Objects": objects, "Quiet": True})
            assert "Errors" not in answer
        found = [row[:2] for row in listed(s3.get_paginator("list_object_versions").paginate(Bucket=SOURCE))]
        assert sorted(found) == sorted(row[:2] for row in rows if row not in gone)
        assert kept[0][:2] in found
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=SOURCE)
        other = s3.get_paginator("list_object_versions").paginate(Bucket=REPLICA)
        assert sum(1 for _row in listed(other)) == count_rows(buckets_of(shape)[REPLICA])


def test_single_deletions_are_put_off() -> None:
    with SyntheticS3(Shape(keys=10), Faults(busy_every=4)) as endpoint:
        s3 = client(endpoint.url)
        objects = [{"Key": row[0], "VersionId": row[1]} for row in held(buckets_of(Shape(keys=10))[SOURCE])]
        answer = s3.delete_objects(Bucket=SOURCE, Delete={"Objects": objects, "Quiet": True})
        assert [error["Code"] for error in answer["Errors"]] == ["SlowDown", "SlowDown"]
        assert [error["Key"] for error in answer["Errors"]] == [objects[3]["Key"], objects[7]["Key"]]
        left = s3.list_object_versions(Bucket=SOURCE)["Versions"]
        assert [row["Key"] for row in left] == [objects[3]["Key"], objects[7]["Key"]]


def test_an_answer_waits_for_the_latency() -> None:
    with SyntheticS3(Shape(keys=10), Faults(latency_ms=50)) as endpoint:
        connection, began = HTTPConnection(urlsplit(endpoint.url).netloc), time.monotonic()
        connection.request("GET", f"/{SOURCE}?versions")
        connection.getresponse().read()
        assert time.monotonic() - began >= 0.05
