# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""How much a bucket holds and how much it grows, by the storage metrics that S3 publishes once a day.

Source: S3 User Guide, "Amazon S3 metrics and dimensions": BucketSizeBytes by storage type, NumberOfObjects of all.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from .._core.dashboards import STORAGE_TYPES
from .gateway import asking
from .row import Client

_DAY = timedelta(days=1)
_LATEST = timedelta(days=3)
"""So old the newest figure may be: S3 publishes it once a day, later on."""
_DAYS_OF_A_MONTH = 30.4


def bucket_usage(client: Client, bucket: str, days: int, now: datetime | None = None) -> dict[str, Any]:
    """The usage of a bucket, as `usage_from` takes it.

    Args:
        client: CloudWatch's in the bucket's Region.
        days: over how many days the growth is taken. What was deleted meanwhile hides what was written.

    Raises:
        AwsFailure: CloudWatch may not be asked, or does not answer.
    """
    now = now or datetime.now(UTC)
    with asking(f"The storage metrics of {bucket}", "cloudwatch:GetMetricData"):
        found = _series(client, bucket, now - (days + 2) * _DAY, now)
    stored = {name: _newest(found[name], now) for name in STORAGE_TYPES}
    objects = _newest(found["objects"], now)
    if objects is None and not any(stored.values()):
        return {"stored_bytes": {}, "basis": "CloudWatch has no figures yet"}
    held = {name: size for name, size in stored.items() if size}
    total = _sum_by_day([found[name] for name in STORAGE_TYPES])
    return {
        "stored_bytes": held,
        "objects": objects,
        "monthly_bytes": _growth(total),
        "monthly_objects": _growth(found["objects"]),
        "basis": f"CloudWatch's daily figures, growth of {days} days",
    }


def _series(client: Client, bucket: str, start: datetime, end: datetime) -> dict[str, dict[datetime, float]]:
    """By storage class, and `objects`: a value for each day. A class may consist of several storage types."""
    wanted = {f"{name}/{kind}": ("BucketSizeBytes", kind) for name, kinds in STORAGE_TYPES.items() for kind in kinds}
    wanted["objects/"] = ("NumberOfObjects", "AllStorageTypes")
    ids = {f"m{number}": label for number, label in enumerate(wanted)}
    queries = [
        {"Id": one, "MetricStat": _statistic(bucket, *wanted[label]), "ReturnData": True} for one, label in ids.items()
    ]
    found: dict[str, dict[datetime, float]] = {name: {} for name in (*STORAGE_TYPES, "objects")}
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            of = found[ids[result["Id"]].partition("/")[0]]
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
                of[day] = of.get(day, 0.0) + value
    return found


def _statistic(bucket: str, metric: str, kind: str) -> dict[str, Any]:
    dimensions = [{"Name": "BucketName", "Value": bucket}, {"Name": "StorageType", "Value": kind}]
    named = {"Namespace": "AWS/S3", "MetricName": metric, "Dimensions": dimensions}
    return {"Metric": named, "Period": int(_DAY.total_seconds()), "Stat": "Average"}


def _newest(series: Mapping[datetime, float], now: datetime) -> int | None:
    moments = [moment for moment in series if now - moment <= _LATEST]
    return int(series[max(moments)]) if moments else None


def _sum_by_day(found: Sequence[Mapping[datetime, float]]) -> dict[datetime, float]:
    days = {day for series in found for day in series}
    return {day: sum(series.get(day, 0.0) for series in found) for day in days}


def _growth(series: Mapping[datetime, float]) -> int | None:
    """What a month brings: the days on which it grew, added up. None: there are not two days yet."""
    days = sorted(series)
    if len(days) < 2:
        return None
    grown = sum(max(0.0, series[after] - series[before]) for before, after in pairwise(days))
    return int(grown / ((days[-1] - days[0]) / _DAY) * _DAYS_OF_A_MONTH)
