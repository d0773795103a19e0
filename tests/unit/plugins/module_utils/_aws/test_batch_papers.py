# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Lists of versions and reports of any length, on the fake AWS."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tracemalloc
from urllib.parse import unquote, unquote_plus

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.batch_papers import VersionList, read_failures
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import End
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Bucket
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.batch import BatchAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST

LINES = 50_000
MOST_BYTES = 2 * 2**20


@pytest.fixture
def papers() -> tuple[BatchAws, Side]:
    """An AWS with a bucket for papers."""
    aws = BatchAws()
    aws.buckets["papers"] = Bucket(EAST, versioning="Enabled")
    return aws, Side(End("papers", EAST), OWNER, aws.client_for("s3", EAST))


@pytest.mark.parametrize("key", ["a", "a b", "a+b", 'a"b', "a,b", "ä/ö", "a%20b", "a\nb", "a&b?c=d"])
def test_every_key_is_read_again_as_it_was(papers: tuple[BatchAws, Side], key: str) -> None:
    aws, side = papers
    with VersionList() as listing:
        listing.add("source", key, "v1")
        manifest = listing.upload(side, "list.csv")
    body = aws.buckets["papers"].versions[0]["body"]
    ((bucket, encoded, version),) = csv.reader(io.StringIO(body.decode()))
    assert (bucket, version) == ("source", "v1")
    assert unquote(encoded) == unquote_plus(encoded) == key
    assert manifest.etag == hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert manifest.version_id == aws.buckets["papers"].versions[0]["VersionId"]


def test_memory_does_not_grow_with_the_list() -> None:
    tracemalloc.start()
    with VersionList() as listing:
        for number in range(LINES):
            listing.add("source", f"key-{number:08}", "v" * 32)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert listing.versions == LINES
    assert peak < MOST_BYTES


def _stored(aws: BatchAws, text: bytes) -> None:
    """A report of one file."""
    result = {
        "TaskExecutionStatus": "failed",
        "Key": "r/file.csv",
        "MD5Checksum": hashlib.md5(text, usedforsecurity=False).hexdigest().upper(),
    }
    aws._store("papers", "r/file.csv", text)
    aws._store("papers", "r/job-1/manifest.json", json.dumps({"Results": [result]}).encode())


def test_memory_does_not_grow_with_the_report(papers: tuple[BatchAws, Side]) -> None:
    aws, side = papers
    _stored(aws, b"".join(b"source,key-%08d,%s,failed,403,Odd,So\n" % (one, b"v" * 32) for one in range(LINES)))
    tracemalloc.start()
    failures, place = read_failures(side, "r", "1", 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (failures.counts["Odd"], place) == (LINES, "s3://papers/r/job-1/manifest.json")
    assert peak < MOST_BYTES


def test_a_message_may_hold_whatever_csv_can(papers: tuple[BatchAws, Side]) -> None:
    aws, side = papers
    _stored(aws, b'source,a%2Bb+c,v,failed,Odd,403,"two\nlines, and ""quotes"""\n')
    failures, _place = read_failures(side, "r", "1", 3)
    (task,) = failures.examples["Odd"]
    assert (task.key, task.message) == ("a+b c", 'two\nlines, and "quotes"')


def test_without_a_report_the_place_is_named_where_it_should_be(papers: tuple[BatchAws, Side]) -> None:
    _aws, side = papers
    with pytest.raises(AwsFailure, match=r"s3://papers/r/job-1/manifest\.json.*NoSuchKey"):
        read_failures(side, "r", "1", 3)


@pytest.mark.parametrize("text", [b"a,b\n", b"\xff\xfe", b'a,b,c,failed,403,"' + b"x" * 200_000])
def test_what_is_no_report_is_not_believed(papers: tuple[BatchAws, Side], text: bytes) -> None:
    aws, side = papers
    _stored(aws, text)
    with pytest.raises(AwsFailure, match="cannot be trusted"):
        read_failures(side, "r", "1", 3)
