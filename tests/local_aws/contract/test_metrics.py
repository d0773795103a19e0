# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The replication metrics: where they are published, under which dimensions, and when not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

METRICS = {"Metrics": {"Status": "Enabled"}}
AT_DESTINATION = ["ReplicationLatency", "BytesPendingReplication", "OperationsPendingReplication"]


def names_in(world, region, source):
    """Metric names published in a Region for a source bucket, each with its dimensions."""
    listed = world.client("cloudwatch", region).list_metrics(
        Namespace="AWS/S3", Dimensions=[{"Name": "SourceBucket", "Value": source}]
    )["Metrics"]
    return {metric["MetricName"]: {item["Name"]: item["Value"] for item in metric["Dimensions"]} for metric in listed}


def statistic(world, region, metric, source, destination, name):
    now = datetime.now(UTC)
    dimensions = {"SourceBucket": source, "DestinationBucket": destination, "RuleId": "dr"}
    points = world.client("cloudwatch", region).get_metric_statistics(
        Namespace="AWS/S3",
        MetricName=metric,
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=[name],
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
    )["Datapoints"]
    return max((point[name] for point in points), default=None)


def test_latency_and_pending_are_in_the_destination_region(world):
    """S3 User Guide, repl-metrics: these three in the destination's Region, with all three dimensions."""
    source, destination = world.pair(to=METRICS)
    world.put(source, body=b"12345")
    world.until_final(source)
    found = world.until(
        lambda: (names := names_in(world, world.dr_region, source)).keys() >= set(AT_DESTINATION) and names,
        "the metrics appeared in the destination's Region",
    )
    for name in AT_DESTINATION:
        assert found[name] == {"SourceBucket": source, "DestinationBucket": destination, "RuleId": "dr"}
    assert not set(AT_DESTINATION) & set(names_in(world, world.source_region, source))


def test_latency_tells_the_seconds(world):
    """S3 User Guide, repl-metrics: by how many seconds the destination is behind, at most."""
    source, destination = world.pair(to=METRICS)
    world.put(source)
    world.until(
        lambda: (statistic(world, world.dr_region, "ReplicationLatency", source, destination, "Maximum") or 0) > 0,
        "a latency above 0 was published",
    )


def test_failures_are_in_the_source_region(world):
    """S3 User Guide, repl-metrics: OperationsFailedReplication in the source's Region; its Sum is the failures."""
    source, destination = world.bucket(), world.bucket(world.dr_region)
    role = world.role(source, destination, without="s3:ReplicateObject")
    world.replicate(source, role, world.rule(destination, to=METRICS))
    world.put(source, "one")
    world.put(source, "two")
    failed = "OperationsFailedReplication"
    world.until(
        lambda: statistic(world, world.source_region, failed, source, destination, "Sum") == 2.0,
        "both failures were counted",
    )
    assert failed not in names_in(world, world.dr_region, source)


def test_success_counts_as_no_failure(world):
    """S3 User Guide, metrics-dimensions: SampleCount is all operations, Sum the failed ones."""
    source, destination = world.pair(to=METRICS)
    world.put(source)
    failed = "OperationsFailedReplication"
    world.until(
        lambda: statistic(world, world.source_region, failed, source, destination, "SampleCount") == 1.0,
        "the operation was counted",
    )
    assert statistic(world, world.source_region, failed, source, destination, "Sum") == 0.0


def test_pending_metrics_are_published_without_traffic(world):
    """S3 User Guide, repl-metrics: published while nothing is replicated, so that missing data means trouble."""
    source, _destination = world.pair(to=METRICS)
    world.until(lambda: names_in(world, world.dr_region, source).keys() >= set(AT_DESTINATION), "the metrics appeared")
    assert "OperationsFailedReplication" not in names_in(world, world.source_region, source)


@pytest.mark.parametrize("to", [{}, {"Metrics": {"Status": "Disabled"}}], ids=["left out", "disabled"])
def test_no_metrics_unless_the_rule_has_them(world, to):
    """S3 User Guide, repl-metrics: only rules with Metrics enabled publish."""
    silent, _destination = world.pair(to=to)
    loud, _destination = world.pair(to=METRICS)
    world.put(silent)
    world.until_final(silent)
    world.put(loud)
    world.until_final(loud)
    world.until(lambda: names_in(world, world.dr_region, loud), "the other rule's metrics appeared")
    assert names_in(world, world.dr_region, silent) == names_in(world, world.source_region, silent) == {}
