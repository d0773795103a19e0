# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Which replication metrics CloudWatch holds, asked in the Region where AWS publishes each.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.alarms import REPLICATION_METRICS, metric_dimensions, metric_region
from .._core.model import Link, Rule
from .row import Client
from .sdk_errors import ResponseParserError


def published_metrics(rule: Rule, link: Link, cloudwatch_in: Callable[[str], Client]) -> list[dict[str, Any]]:
    """One mapping a metric: `metric`, `region`, `rule`, `source`, `destination` and whether it is `published`.

    Raises:
        ClientError, NO_ANSWER: CloudWatch refused, or did not answer, or its answer cannot be read.
    """
    return [
        {
            "metric": metric,
            "region": metric_region(metric, rule, link),
            "rule": rule.id,
            "source": link.source.bucket,
            "destination": link.destination_of(rule).bucket,
            "published": _is_published(metric, rule, link, cloudwatch_in(metric_region(metric, rule, link))),
        }
        for metric in REPLICATION_METRICS
    ]


def _is_published(metric: str, rule: Rule, link: Link, cloudwatch: Client) -> bool:
    answer = cloudwatch.list_metrics(Namespace="AWS/S3", MetricName=metric, Dimensions=metric_dimensions(rule, link))
    if "Metrics" not in answer:  # the SDK takes an answer that broke off for one that says nothing
        raise ResponseParserError("it has no Metrics")
    return bool(answer["Metrics"])
