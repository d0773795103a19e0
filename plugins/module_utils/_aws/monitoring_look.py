# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What watches a pair: metrics that are published, alarms and topics, whoever made them.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._core.judgement import metric_checks, metrics_unknown_check
from .._core.model import Accounts, Link, Pair
from .._core.monitoring import alarm_places, monitoring_checks, topics_to_read
from .alarm_facts import read_alarms, read_topics
from .gateway import AwsFailure, asking
from .metrics import published_metrics
from .row import ClientFor
from .verify_result import Seen


def look_at_monitoring(seen: Seen, pair: Pair, accounts: Accounts, client_for: ClientFor) -> None:
    """Add what watches the pair, and whether it can fire and be heard. What may not be read makes a check unknown."""
    try:
        with asking(f"The replication metrics of pair '{pair.name}'", "cloudwatch:ListMetrics"):
            ours = [link for link in pair.links() if accounts[link.source.bucket].ours]
            seen.metrics = [metric for link in ours for metric in _metrics_of(link, accounts, client_for)]
    except AwsFailure as failure:
        seen.checks.append(metrics_unknown_check(pair, str(failure)))
    seen.checks += metric_checks(seen.metrics, seen.scopes, seen.now())
    alarms = read_alarms(client_for, alarm_places(pair, accounts))
    topics = read_topics(client_for, topics_to_read(pair, accounts, alarms))
    seen.checks += monitoring_checks(pair, accounts, alarms, topics)


def _metrics_of(link: Link, accounts: Accounts, client_for: ClientFor) -> Iterator[dict[str, Any]]:
    account = accounts[link.source.bucket].id
    for rule in link.rules:
        if rule.enabled:
            yield from published_metrics(rule, link, lambda region: client_for("cloudwatch", region, account))
