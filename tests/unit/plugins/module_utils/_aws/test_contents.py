# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a bucket holds, counted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.contents import count_contents, count_versions
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import OWNER, Bucket, FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import EAST

NAME = "example-orders"


def version(number: int, **more: Any) -> dict[str, Any]:
    """A version of three bytes with a key that needs quoting."""
    return {"Key": f"a key/{number:05} & é", "VersionId": f"v{number}", "body": b"123", **more}


def bucket_with(aws: FakeAws, versions: int, markers: int = 0, uploads: int = 0) -> tuple[Bucket, Any]:
    """A bucket with contents, and a client."""
    rows = [version(number) for number in range(versions)]
    rows += [version(number, marker=True) for number in range(versions, versions + markers)]
    begun = [{"Key": "big", "UploadId": f"u{number}"} for number in range(uploads)]
    aws.buckets[NAME] = Bucket(EAST, versioning="Enabled", versions=rows, uploads=begun)
    return aws.buckets[NAME], aws.client_for("s3", EAST)


def test_everything_is_counted_over_all_pages(aws: FakeAws) -> None:
    _bucket, client = bucket_with(aws, versions=1500, markers=700, uploads=3)
    counted = count_contents(client, NAME, OWNER)
    assert counted == {"versions": 1500, "bytes": 4500, "delete_markers": 700, "uploads": 3}


def test_an_empty_bucket_counts_nothing(aws: FakeAws) -> None:
    _bucket, client = bucket_with(aws, versions=0)
    assert set(count_contents(client, NAME, OWNER).values()) == {0}


def test_versions_are_counted_under_each_prefix_without_markers(aws: FakeAws) -> None:
    _bucket, client = bucket_with(aws, versions=1500, markers=700)
    assert count_versions(client, NAME, OWNER, [""], 100) == (1500, 4500, True)
    assert count_versions(client, NAME, OWNER, ["a key/0000", "a key/0100"], 100) == (20, 60, True)


@pytest.mark.parametrize(
    ("most_pages", "counted"),
    [(1, (1000, 3000, False)), (2, (1500, 4500, True)), (3, (1500, 4500, True))],
)
def test_of_a_large_bucket_only_the_first_pages_are_counted(
    aws: FakeAws, most_pages: int, counted: tuple[int, int, bool]
) -> None:
    _bucket, client = bucket_with(aws, versions=1500)
    assert count_versions(client, NAME, OWNER, [""], most_pages) == counted


def test_a_prefix_that_was_not_reached_is_no_complete_count(aws: FakeAws) -> None:
    _bucket, client = bucket_with(aws, versions=20)
    assert count_versions(client, NAME, OWNER, ["a key/0000", "a key/0001"], 1) == (10, 30, False)
