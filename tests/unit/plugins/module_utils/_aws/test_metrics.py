# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Metrics are asked for in the Region where AWS publishes each; and who the credentials are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.parsers import ResponseParserError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.identity import caller
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.metrics import published_metrics
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, ARCHIVE, DR, EAST, PRIMARY, WEST, a_pair

DIMENSIONS = (("DestinationBucket", DR.bucket), ("RuleId", "s3-dr-orders"), ("SourceBucket", PRIMARY.bucket))


def published(aws: FakeAws) -> dict[tuple[str, str], bool]:
    """Metric and Region, and whether it is published."""
    (link,) = a_pair().links()
    found = published_metrics(link.rules[0], link, lambda region: aws.client_for("cloudwatch", region))
    assert {(one["rule"], one["source"], one["destination"]) for one in found} == {
        ("s3-dr-orders", PRIMARY.bucket, DR.bucket)
    }
    return {(one["metric"], one["region"]): one["published"] for one in found}


def test_failures_are_published_at_the_source_and_all_else_at_the_destination(aws: FakeAws) -> None:
    assert published(aws) == {
        ("ReplicationLatency", WEST): False,
        ("BytesPendingReplication", WEST): False,
        ("OperationsPendingReplication", WEST): False,
        ("OperationsFailedReplication", EAST): False,
    }


def test_the_metrics_of_a_rule_to_another_bucket_are_published_there(aws: FakeAws) -> None:
    (link,) = a_pair(rules=(Rule("r"), Rule("far", 2, destination=ARCHIVE))).links()
    found = published_metrics(link.rules[1], link, lambda region: aws.client_for("cloudwatch", region))
    assert {one["destination"] for one in found} == {ARCHIVE.bucket}
    assert {one["region"] for one in found} == {EAST, ARCHIVE.region}
    assert {call.region for call in aws.calls} == {EAST, ARCHIVE.region}


def test_a_metric_counts_only_with_all_dimensions_and_in_its_region(aws: FakeAws) -> None:
    aws.metrics = {
        (WEST, "ReplicationLatency", DIMENSIONS),
        (EAST, "BytesPendingReplication", DIMENSIONS),
        (WEST, "OperationsPendingReplication", DIMENSIONS[1:]),
    }
    assert [metric for (metric, _region), there in published(aws).items() if there] == ["ReplicationLatency"]


def test_an_answer_that_broke_off_is_not_taken_for_no_metric() -> None:
    """Of one that is cut short the SDK makes an answer that says nothing."""
    (link,) = a_pair().links()
    with pytest.raises(ResponseParserError, match="no Metrics"):
        published_metrics(link.rules[0], link, lambda _region: SimpleNamespace(list_metrics=lambda **_named: {}))


def test_the_caller_is_the_account_of_the_credentials(aws: FakeAws) -> None:
    assert caller(aws.client_for("sts", EAST)) == ACCOUNT
