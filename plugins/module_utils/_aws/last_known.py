# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What the Region that is left knows of the one that is lost: the last data points of replication, the last verify.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .._core.alarms import metric_dimensions
from .._core.loss import LATENCY, PENDING, Point
from .._core.model import Link, Rule
from .gateway import asking
from .row import Client
from .sdk_errors import ClientError, error_code

WINDOW = timedelta(minutes=60)
"""Data points before that say nothing of the moment of a disaster."""
_PERIOD = 60
_MOST_QUERIES = 500
"""CloudWatch's limit for one GetMetricData."""


def last_points(
    cloudwatch: Client, link: Link, rules: Sequence[Rule], declared: datetime
) -> dict[tuple[str, str], Point | None]:
    """The last data point of the latency and of what is pending, of each rule, before the failure was declared.

    Raises:
        AwsFailure: CloudWatch refused, or does not answer.
    """
    wanted = [(metric, rule.id) for rule in rules for metric in (LATENCY, PENDING)]
    found: dict[tuple[str, str], Point | None] = dict.fromkeys(wanted)
    queries = [_query(number, *one) for number, one in enumerate(_asked(link, rules))]
    what = f"the replication metrics of '{link.source.bucket}' -> '{link.destination.bucket}'"
    for some in _some(queries):
        with asking(what, "cloudwatch:GetMetricData"):
            pages = cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=some,
                StartTime=declared - WINDOW,
                EndTime=declared + timedelta(seconds=_PERIOD),
                ScanBy="TimestampDescending",
            )
            for result in (one for page in pages for one in page["MetricDataResults"]):
                name = wanted[int(result["Id"][1:])]
                found[name] = found[name] or _newest(result)
    return found


def _asked(link: Link, rules: Sequence[Rule]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    for rule in rules:
        for metric in (LATENCY, PENDING):
            yield metric, metric_dimensions(rule, link)


def _query(number: int, metric: str, dimensions: list[dict[str, str]]) -> dict[str, Any]:
    of = {"Namespace": "AWS/S3", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": f"m{number}", "MetricStat": {"Metric": of, "Period": _PERIOD, "Stat": "Maximum"}}


def _some(queries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(queries), _MOST_QUERIES):
        yield queries[start : start + _MOST_QUERIES]


def _newest(result: Mapping[str, Any]) -> Point | None:
    points = list(zip(result.get("Timestamps", []), result.get("Values", []), strict=False))
    at, value = max(points, default=(None, 0.0))
    return None if at is None else Point(at.astimezone(UTC), float(value))


def last_verified(ssm: Client, parameter: str) -> datetime | None:
    """Up to when the last verify proved the copy, by the parameter of s3_dr_status; None: it does not say.

    Raises:
        AwsFailure: it may not be read, or Systems Manager does not answer.
    """
    with asking(f"the parameter {parameter}", "ssm:GetParameter"):
        try:
            value = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
        except ClientError as error:
            if error_code(error) != "ParameterNotFound":
                raise
            return None
    try:
        told = json.loads(value)
        return datetime.fromisoformat(told["recovery_point"]).astimezone(UTC)
    except (ValueError, TypeError, KeyError):
        return None
