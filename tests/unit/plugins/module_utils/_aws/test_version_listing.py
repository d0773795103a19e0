# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A listing tells all versions in order or says why not, and its thread ends with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.version_listing import (
    PAGES_AHEAD,
    PATIENCE_SECONDS,
    ListingFailed,
    Marker,
    Page,
    Stopped,
    VersionListing,
    read_page,
    separate,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import End
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER
from ansible_collections.crossregion.s3_dr.tests.unit.version_store import (
    LONG_AGO,
    Store,
    answered,
    keys,
    marker,
    version,
)

LOST = EndpointConnectionError(endpoint_url="https://example-orders.s3.us-east-1.amazonaws.com/")


def read(store: Store, prefixes: tuple[str, ...] = ("",), time: Time | None = None) -> list[Version]:
    """All rows of a bucket."""
    time = time or Time()
    with VersionListing(store.side(), prefixes, sleep=time.sleep, clock=time.clock) as listing:
        return list(listing.rows())


def failure(store: Store, time: Time | None = None) -> str:
    """Why the bucket cannot be listed."""
    with pytest.raises(ListingFailed) as failed:
        read(store, time=time)
    return str(failed.value)


def mixed(count: int) -> list[Version]:
    """Objects and delete markers in turn, several of each key, the newest first."""
    rows = []
    for number in range(count):
        key, age = f"{number // 4}", 100.0 + number
        row = marker if number % 3 == 0 else version
        rows.append(row(key, f"v{number}", age, is_latest=number % 4 == 0))
    return sorted(rows, key=lambda row: row.key)


# --- all of it, in order --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_objects_and_delete_markers_are_merged_across_pages(page: int) -> None:
    rows = mixed(40)
    assert read(Store(rows, page=page)) == rows


@given(st.lists(st.tuples(keys, st.booleans()), max_size=20, unique=True), st.integers(1, 7))
def test_any_keys_come_in_the_order_of_their_code_points(found: list[tuple[str, bool]], page: int) -> None:
    rows = [(marker if is_marker else version)(key, f"v{is_marker}") for key, is_marker in found]
    listed = read(Store(rows, page=page))
    assert sorted(listed, key=repr) == sorted(rows, key=repr)
    assert [row.key for row in listed] == sorted(row.key for row in rows)


def test_within_a_key_the_current_version_comes_first_and_then_the_newest() -> None:
    store = Store()
    store.rows = [version("a", "old", 9, is_latest=False), version("a", "new", 1, is_latest=False)]
    store.rows += [marker("a", "middle", 5, is_latest=False), marker("a", "current", 7)]
    assert [row.version_id for row in read(store)] == ["current", "new", "middle", "old"]


def test_the_versions_of_a_page_share_the_text_of_their_key() -> None:
    store = Store()
    store.rows = [version("".join(["k", "ey"]), f"v{number}", is_latest=False) for number in range(3)]
    assert len({id(row.key) for row in read(store)}) == 1


def test_ten_thousand_versions_of_one_key_are_read() -> None:
    rows = [version("a", f"v{number}", number, is_latest=number == 0) for number in range(10_000)]
    assert [row.version_id for row in read(Store(rows))] == [row.version_id for row in rows]


def test_it_counts_what_was_handed_out() -> None:
    store = Store(mixed(40), page=16)
    with VersionListing(store.side()) as listing:
        rows = listing.rows()
        next(rows)
        assert listing.versions + listing.delete_markers == 16
        list(rows)
        assert (listing.versions, listing.delete_markers, listing.size) == (26, 14, 26 * 3)


def test_an_empty_bucket_has_begun_too() -> None:
    with VersionListing(Store().side()) as listing:
        assert listing.began <= LONG_AGO
        assert list(listing.rows()) == []


def test_the_time_that_the_first_answer_took_is_taken_off_its_date() -> None:
    times = iter([0.0, 10.0, 12.5])
    store = Store([version("a")])
    with VersionListing(store.side(), clock=lambda: next(times)) as listing:
        assert listing.began == LONG_AGO - timedelta(seconds=2.5)
        assert [row.key for row in listing.rows()] == ["a"]
        assert listing.began == LONG_AGO - timedelta(seconds=2.5)


def test_it_has_begun_with_the_first_page_of_the_first_prefix() -> None:
    store, time = Store([version("a"), version("b"), version("b2")], page=1), Time()

    def later_each_time(side: Side, prefix: str, marker: Marker | None) -> Page:
        page = read_page(side, prefix, marker)
        store.date += timedelta(seconds=60)
        return page

    with VersionListing(store.side(), ("a", "b"), read=later_each_time, clock=time.clock) as listing:
        assert len(list(listing.rows())) == 3
        assert listing.began == LONG_AGO


# --- prefixes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefixes", "kept"),
    [
        ((), ("",)),
        (("b", "a"), ("a", "b")),
        (("a/b", "a", "ab"), ("a",)),
        (("a", "a"), ("a",)),
        (("a", ""), ("",)),
        (("a/", "a"), ("a",)),
        (("a-", "a/", "a/b", "b"), ("a-", "a/", "b")),
    ],
)
def test_prefixes_that_another_one_covers_are_dropped(prefixes: tuple[str, ...], kept: tuple[str, ...]) -> None:
    assert separate(prefixes) == kept


short = st.text("ab/", max_size=3)


@given(st.sets(short, max_size=4), st.sets(short.filter(bool), max_size=20), st.integers(1, 4))
def test_each_key_below_any_prefix_comes_once_and_in_order(prefixes: set[str], found: set[str], page: int) -> None:
    listed = read(Store([version(key) for key in found], page=page), tuple(prefixes))
    wanted = sorted(key for key in found if not prefixes or key.startswith(tuple(prefixes)))
    assert [row.key for row in listed] == wanted


# --- what is no listing ---------------------------------------------------------------------------------------------


class Spoiled(Store):
    """A store that spoils its answers."""

    def __init__(self, spoil: Callable[[dict[str, Any]], object]) -> None:
        super().__init__([version("a"), version("b"), marker("c")], page=3)
        self.spoil = spoil

    def list_object_versions(self, **params: Any) -> dict[str, Any]:
        """The answer without what makes it one."""
        answer = super().list_object_versions(**params)
        self.spoil(answer)
        return answer


def repeats(answer: dict[str, Any]) -> None:
    """Always go on after the first key."""
    answer.update(IsTruncated=True, NextKeyMarker="a", NextVersionIdMarker="v1")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda answer: answer.update(IsTruncated=True), "it has no NextKeyMarker"),
        (lambda answer: answer.update(IsTruncated=True, NextKeyMarker="b"), "it has no NextVersionIdMarker"),
        (lambda answer: answer.pop("IsTruncated"), "it has no IsTruncated"),
        (lambda answer: answer["Versions"][0].pop("VersionId"), "it has no VersionId"),
        (lambda answer: answer["Versions"][0].pop("Size"), "it has no Size"),
        (lambda answer: answer["DeleteMarkers"][0].pop("LastModified"), "it has no LastModified"),
        (lambda answer: answer["ResponseMetadata"]["HTTPHeaders"].pop("date"), "it has no date"),
        (lambda answer: answer["ResponseMetadata"]["HTTPHeaders"].update(date="tomorrow"), "tomorrow"),
        (repeats, "S3 goes on after 'a' once more"),
    ],
)
def test_an_answer_that_is_none_fails(spoil: Callable[[dict[str, Any]], object], named: str) -> None:
    said = failure(Spoiled(spoil))
    assert said.startswith("The versions of example-orders in us-east-1 cannot be listed: ")
    assert named in said


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        (answered("AccessDenied"), "Allow s3:ListBucketVersions on example-orders"),
        (answered("NoSuchBucket"), "There is no bucket example-orders"),
        (answered("PermanentRedirect"), "The bucket is not in us-east-1: correct the `region` of this end"),
        (answered("ExpiredToken"), "Renew the AWS credentials"),
        (answered("SomethingNew"), "Correct what the answer names"),
        (LOST, "AWS cannot be reached"),
        (NoCredentialsError(), "there are no usable AWS credentials"),
        (ResponseParserError("no closing tag"), "S3's answer cannot be read (no closing tag)"),
    ],
)
def test_a_failure_names_the_bucket_the_region_the_cause_and_the_next_step(error: Exception, next_step: str) -> None:
    store = Store([version("a")])
    store.list_failures[0] = [error]
    said = failure(store)
    assert said.startswith("The versions of example-orders in us-east-1 cannot be listed: ")
    assert next_step in said
    assert len(store.lists) == 1


@pytest.mark.parametrize("page", range(10))
def test_a_failure_on_any_page_reaches_who_reads_the_rows(page: int) -> None:
    store = Store([version(str(number)) for number in range(10)], page=1)
    store.list_failures[page] = [answered("AccessDenied")]
    with VersionListing(store.side()) as listing:
        rows, got = listing.rows(), []
        with pytest.raises(ListingFailed):
            got += [next(rows).key for _again in range(10)]
        with pytest.raises(ListingFailed):
            list(listing.rows())
    assert listing.versions == page


def test_a_failure_that_nobody_thought_of_reaches_who_reads_the_rows_too() -> None:
    store = Store([version("a")])
    store.list_failures[0] = [ZeroDivisionError("a defect")]
    with pytest.raises(ZeroDivisionError):
        read(store)


# --- patience -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [answered("SlowDown"), answered("503"), LOST, ResponseParserError("cut off")])
def test_in_the_middle_a_page_is_asked_for_again_while_the_failure_passes(error: Exception) -> None:
    rows, time = [version(str(number)) for number in range(5)], Time()
    store = Store(rows, page=2)
    store.list_failures[1] = [error, error, error]
    assert read(store, time=time) == rows
    assert time.sleeps == [0.5, 1.0, 2.0]
    assert len(store.lists) == 3 + 3


def test_a_first_page_is_asked_for_again_when_s3_is_busy() -> None:
    store = Store([version("a")])
    store.list_failures[0] = [answered("SlowDown")]
    assert [row.key for row in read(store)] == ["a"]


@pytest.mark.parametrize("error", [answered("SlowDown"), LOST])
def test_patience_ends(error: Exception) -> None:
    time, store = Time(), Store([version("a"), version("b")], page=1)
    store.list_failures[1] = [error] * 1000
    said = failure(store, time)
    assert f"it came {len(time.sleeps) + 1} times in {time.now:.0f} s" in said
    assert PATIENCE_SECONDS - 5 < time.now <= PATIENCE_SECONDS


# --- the thread -----------------------------------------------------------------------------------------------------


def thread_of(bucket: str) -> threading.Thread:
    """The thread that reads the bucket."""
    return next(thread for thread in threading.enumerate() if thread.name == f"versions of {bucket}")


def test_it_reads_a_few_pages_ahead_and_ends_when_the_listing_is_closed() -> None:
    store = Store([version(f"{number:03}") for number in range(100)], bucket="read-ahead", page=1)
    with VersionListing(store.side()) as listing:
        rows = listing.rows()
        assert [next(rows).key, next(rows).key] == ["000", "001"]
        thread = thread_of("read-ahead")
        assert thread.daemon
    thread.join(10)
    assert not thread.is_alive()
    assert len(store.lists) <= 2 + PAGES_AHEAD


def test_it_ends_while_it_waits_for_a_busy_s3() -> None:
    asked = threading.Event()

    def busy(_side: Side, _prefix: str, _marker: Marker | None) -> Page:
        asked.set()
        raise answered("SlowDown")

    with VersionListing(Store(bucket="busy").side(), read=busy) as listing:
        listing.start()
        assert asked.wait(10)
        thread = thread_of("busy")
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(Stopped):
        list(listing.rows())


def test_nothing_is_asked_before_somebody_wants_it() -> None:
    store = Store([version("a")])
    with VersionListing(store.side()) as listing:
        listing.rows()
    assert store.lists == []


# --- boto3 ----------------------------------------------------------------------------------------------------------

_ROW = (
    "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>true</IsLatest><Size>3</Size>"
    "<LastModified>2001-02-02T04:05:06.000Z</LastModified><ETag>&quot;e1&quot;</ETag>"
    "<StorageClass>STANDARD</StorageClass></Version>"
)


def answer_in_xml(rows: list[Version], more: bool) -> bytes:
    """The body of S3's answer when it was asked to encode keys."""
    encoded = [(escape(quote_plus(row.key)), row.version_id) for row in rows]
    last = encoded[-1]
    markers = f"<NextKeyMarker>{last[0]}</NextKeyMarker><NextVersionIdMarker>{last[1]}</NextVersionIdMarker>"
    body = "".join(_ROW.format(key=key, id=version_id) for key, version_id in encoded)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{markers if more else ''}{body}</ListVersionsResult>"
    ).encode()


def test_boto3_has_the_keys_encoded_and_decodes_them_and_their_markers() -> None:
    rows = [version(key) for key in ("a b", "a+b", "a%2Bb", "a\x01\n&<", "\u00e9", "\uffff", "\U0001d4b3")]
    rows.sort(key=lambda row: row.key)
    asked: list[str] = []

    def answer(request: Any, **_rest: Any) -> AWSResponse:
        asked.append(request.url)
        number = len(asked) - 1
        body = answer_in_xml(rows[number : number + 1], more=number + 1 < len(rows))
        headers = {"Date": "Sat, 03 Feb 2001 04:05:06 GMT", "Content-Type": "application/xml"}
        return AWSResponse(request.url, 200, headers, SimpleNamespace(stream=lambda: iter([body])))

    client = boto3.client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    client.meta.events.register("before-send.s3.ListObjectVersions", answer)
    time = Time()
    with VersionListing(Side(End("example-orders", "us-east-1"), OWNER, client), clock=time.clock) as listing:
        assert listing.began == LONG_AGO
        assert list(listing.rows()) == rows
    assert all("encoding-type=url" in url for url in asked)
    assert "key-marker=a%2Bb&" in next(url for url in asked if "a%2Bb" in url)
