# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Dashboards, and the data they show."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

TEXT = {"type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"markdown": "# Hello"}}


def metric(*metrics, **properties):
    properties = {"region": "us-east-1", "metrics": list(metrics), **properties}
    return {"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6, "properties": properties}


def put(world, body, name=None, region=None):
    cloudwatch, name = world.client("cloudwatch", region or world.source_region), name or world.name("dashboard")
    shown = body if isinstance(body, str) else json.dumps(body)
    answer = cloudwatch.put_dashboard(DashboardName=name, DashboardBody=shown)
    world.cleanup.callback(remove, cloudwatch, name)
    assert answer["DashboardValidationMessages"] == []
    return name


def remove(cloudwatch, name):
    with contextlib.suppress(ClientError):
        cloudwatch.delete_dashboards(DashboardNames=[name])


def test_body_comes_back(world):
    """CloudWatch API, GetDashboard: the body as it was put, in every Region, since dashboards have none."""
    body = json.dumps({"widgets": [TEXT, metric(["AWS/S3", "m", "x", "y"])]}, indent=1)
    name = put(world, body)
    elsewhere = world.client("cloudwatch", world.dr_region)
    found = elsewhere.get_dashboard(DashboardName=name)
    assert found["DashboardBody"] == body
    assert found["DashboardArn"] == f"arn:aws:cloudwatch::{world.account_id()}:dashboard/{name}"
    (listed,) = elsewhere.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"]
    assert (listed["DashboardName"], listed["Size"]) == (name, len(body))
    put(world, {"widgets": []}, name, world.dr_region)
    assert json.loads(world.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]) == {"widgets": []}


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        [],
        {},
        {"widgets": [TEXT] * 501},
        {"widgets": [TEXT | {"type": "picture"}]},
        {"widgets": [TEXT | {"width": 25}]},
        {"widgets": [TEXT | {"x": 1}]},
        {"widgets": [TEXT | {"properties": {}}]},
        {"widgets": [metric(["AWS/S3", "m"], region=None)]},
        {"widgets": [metric()]},
        {"widgets": [metric(*[["AWS/S3", f"m{number}"] for number in range(501)])]},
        {"widgets": [metric(*[["AWS/S3", f"m{number}"] for number in range(500)])] * 6},
    ],
    ids=lambda body: str(body)[:40],
)
def test_body_that_is_refused(world, refused, body):
    """CloudWatch User Guide, CloudWatch-Dashboard-Body-Structure and cloudwatch_limits; API, PutDashboard: with error
    messages the operation failed."""
    cloudwatch, name = world.client("cloudwatch"), world.name("dashboard")
    with pytest.raises(cloudwatch.exceptions.DashboardInvalidInputError) as refusal:
        put(world, body, name)
    assert refusal.value.response["Error"]["Code"] == "InvalidParameterInput"
    assert refusal.value.response["dashboardValidationMessages"]
    with refused("ResourceNotFound"):
        cloudwatch.get_dashboard(DashboardName=name)


def test_as_many_widgets_as_there_may_be(world):
    """CloudWatch User Guide, cloudwatch_limits: 500 widgets."""
    put(world, {"widgets": [TEXT] * 500})


def test_absent_dashboard(world, refused):
    """CloudWatch API, GetDashboard and DeleteDashboards: ResourceNotFound; those that are there are deleted."""
    cloudwatch, name = world.client("cloudwatch"), put(world, {"widgets": []})
    with refused("ResourceNotFound"):
        cloudwatch.get_dashboard(DashboardName=world.name("absent"))
    with refused("ResourceNotFound"):
        cloudwatch.delete_dashboards(DashboardNames=[world.name("absent"), name])
    assert cloudwatch.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"] == []


def test_metric_math(world, refused):
    """CloudWatch User Guide, using-metric-math; API, GetMetricData: the newest first unless told."""
    cloudwatch, name = world.client("cloudwatch"), world.name("metric")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = [now - timedelta(minutes=number) for number in (3, 2)]
    for dimension, values in {"a": (1, 2), "b": (10, 0), "c": (5,)}.items():
        data = [
            {
                "MetricName": name,
                "Value": value,
                "Timestamp": minute,
                "Dimensions": [{"Name": "SourceBucket", "Value": dimension}, {"Name": "RuleId", "Value": "dr"}],
            }
            for minute, value in zip(minutes, values, strict=False)
        ]
        cloudwatch.put_metric_data(Namespace="Contract", MetricData=data)

    def stat(dimension):
        dimensions = [{"Name": "RuleId", "Value": "dr"}, {"Name": "SourceBucket", "Value": dimension}]
        what = {"Namespace": "Contract", "MetricName": name, "Dimensions": dimensions}
        query = {"Id": f"m{dimension}", "ReturnData": dimension == "a"}
        return query | {"MetricStat": {"Metric": what, "Period": 60, "Stat": "Sum"}}

    expressions = {
        "sum": "ma + mb * 2",
        "over": "ma / mb",
        "all": "SUM(METRICS())",
        "two": "MAX([ma, mb])",
        "filled": "FILL(mc, 0)",
        "number": "SUM(mb)",
        "nested": "(sum - 1) / 10",
    }

    def ask(expressions, **options):
        queries = [stat(dimension) for dimension in "abc"]
        queries += [{"Id": name, "Expression": text} for name, text in expressions.items()]
        period = {"StartTime": now - timedelta(minutes=5), "EndTime": now}
        found = cloudwatch.get_metric_data(MetricDataQueries=queries, **period, **options)["MetricDataResults"]
        return {result["Id"]: (result["Values"], result["Timestamps"]) for result in found}

    world.until(lambda: ask({})["ma"][0] == [2, 1], "the data came, the newest first")
    found = ask(expressions, ScanBy="TimestampAscending")
    assert found["ma"] == ([1, 2], minutes)
    assert found.keys() == {"ma", *expressions}
    assert {name: found[name][0] for name in expressions} == {
        "sum": [21, 2],
        "over": [0.1],
        "all": [16, 2],
        "two": [10, 2],
        "filled": [5, 0],
        "number": [10, 10],
        "nested": [2, 0.1],
    }
    with refused("ValidationError"):
        ask({"bad": "NOSUCH(ma)"})
