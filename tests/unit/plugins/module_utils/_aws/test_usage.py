# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""How much a bucket holds and grows, by metrics that come once a day, late, and sometimes not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.usage import bucket_usage

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class Metrics:
    """CloudWatch: by metric and storage type the values of the last days, the newest last."""

    def __init__(self, ago: int = 1, **values: list[float]) -> None:
        self.values = values
        self.ago = ago
        self.error: Exception | None = None

    def get_paginator(self, operation: str) -> Metrics:
        """Only of GetMetricData."""
        assert operation == "get_metric_data"
        return self

    def paginate(self, **params: Any) -> Iterator[dict[str, Any]]:
        """Two metrics a page."""
        if self.error:
            raise self.error
        queries = params["MetricDataQueries"]
        for first in range(0, len(queries), 2):
            yield {"MetricDataResults": [self._result(query) for query in queries[first : first + 2]]}

    def _result(self, query: dict[str, Any]) -> dict[str, Any]:
        dimensions = {one["Name"]: one["Value"] for one in query["MetricStat"]["Metric"]["Dimensions"]}
        assert dimensions["BucketName"] == "example"
        values = self.values.get(dimensions["StorageType"], [])
        first = self.ago + len(values) - 1
        days = [NOW.replace(hour=0) - timedelta(days=first - number) for number in range(len(values))]
        return {"Id": query["Id"], "Timestamps": days, "Values": values}


def test_what_is_held_and_what_a_month_brings() -> None:
    metrics = Metrics(
        StandardStorage=[100.0, 110.0, 90.0, 130.0],
        IntelligentTieringFAStorage=[5.0] * 4,
        IntelligentTieringIAStorage=[7.0] * 4,
        AllStorageTypes=[10.0, 11.0, 12.0, 13.0],
    )
    assert bucket_usage(metrics, "example", 30, NOW) == {
        "stored_bytes": {"STANDARD": 130, "INTELLIGENT_TIERING": 12},
        "objects": 13,
        "monthly_bytes": int(50 / 3 * 30.4),  # the day on which it shrank brings nothing
        "monthly_objects": int(1 * 30.4),
        "basis": "CloudWatch's daily figures, growth of 30 days",
    }


def test_a_bucket_without_figures_has_none() -> None:
    assert bucket_usage(Metrics(), "example", 30, NOW) == {
        "stored_bytes": {},
        "basis": "CloudWatch has no figures yet",
    }


def test_figures_that_are_too_old_are_none() -> None:
    old = Metrics(ago=5, StandardStorage=[100.0, 110.0], AllStorageTypes=[1.0, 1.0])
    assert bucket_usage(old, "example", 30, NOW)["stored_bytes"] == {}


def test_of_one_day_no_growth_is_known() -> None:
    found = bucket_usage(Metrics(StandardStorage=[100.0], AllStorageTypes=[3.0]), "example", 30, NOW)
    assert (found["objects"], found["monthly_bytes"], found["monthly_objects"]) == (3, None, None)


def test_a_permission_that_is_missing_is_named() -> None:
    metrics = Metrics()
    metrics.error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricData")
    with pytest.raises(AwsFailure, match=r"The storage metrics of example.*cloudwatch:GetMetricData"):
        bucket_usage(metrics, "example", 30, NOW)
