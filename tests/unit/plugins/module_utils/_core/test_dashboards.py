# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The dashboard of all pairs asks each Region for what AWS publishes there, and says what it cannot draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import AlarmSettings, alarms_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboard_body import (
    canonical_body,
    carries,
    check_body,
    divided,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboards import (
    MARK,
    STORAGE_TYPES,
    DashboardSettings,
    dashboard_body,
    escaped,
    prices_from,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    STORAGE_CLASSES,
    InvalidInput,
    Observation,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ARCHIVE,
    DR,
    EAST,
    OTHER,
    PRIMARY,
    SETTINGS,
    WEST,
    a_pair,
    everything,
    two_way,
)
from ansible_collections.crossregion.s3_dr.tests.unit.strategies import Declared, declared

COLLECTION = Path(__file__).parents[5]
TABLE = yaml.safe_load((COLLECTION / "roles/dashboard/vars/prices.yml").read_text())["dashboard__known_prices"]
PRICES = prices_from(TABLE)


def widgets(*pairs: Pair, **settings: Any) -> list[dict[str, Any]]:
    """The widgets of the dashboard."""
    body = dashboard_body(pairs or [a_pair()], ACCOUNT, DashboardSettings(**settings))
    check_body(body)
    found: list[dict[str, Any]] = body["widgets"]
    return found


def titled(found: list[dict[str, Any]], title: str) -> dict[str, Any]:
    """The properties of the one widget whose title begins so."""
    (properties,) = [one["properties"] for one in found if one["properties"].get("title", "").startswith(title)]
    return dict(properties)


def texts(found: list[dict[str, Any]]) -> str:
    """All that is written."""
    return "\n".join(one["properties"].get("markdown", "") for one in found)


def drawn(properties: dict[str, Any]) -> set[tuple[str, str]]:
    """The metrics of a graph, each with the Region that is asked for it."""
    return {
        (metric[1], metric[-1].get("region", properties["region"]))
        for metric in properties["metrics"]
        if len(metric) > 1
    }


# --- where AWS publishes -------------------------------------------------------------------------------------


def test_each_metric_is_asked_where_aws_publishes_it() -> None:
    found = widgets(two_way())
    assert drawn(titled(found, "Latency (s): orders to us-west-2")) == {("ReplicationLatency", WEST)}
    assert drawn(titled(found, "Latency (s): orders to us-east-1")) == {("ReplicationLatency", EAST)}
    assert drawn(titled(found, "Pending: orders to us-west-2")) == {
        ("BytesPendingReplication", WEST),
        ("OperationsPendingReplication", WEST),
    }
    for title in ("Failed operations", "Operations a minute"):
        assert drawn(titled(found, f"{title}: orders to us-west-2")) == {("OperationsFailedReplication", EAST)}
        assert drawn(titled(found, f"{title}: orders to us-east-1")) == {("OperationsFailedReplication", WEST)}
    assert drawn(titled(found, "Storage")) == {("BucketSizeBytes", EAST), ("BucketSizeBytes", WEST)}
    assert drawn(titled(found, "Objects")) == {("NumberOfObjects", EAST), ("NumberOfObjects", WEST)}


def test_a_rule_with_a_bucket_of_its_own_is_asked_in_that_buckets_region() -> None:
    rules = (Rule("orders", 1), Rule("archive", 2, "old/", destination=ARCHIVE))
    found = widgets(a_pair(rules=rules))
    assert drawn(titled(found, "Latency")) == {("ReplicationLatency", WEST), ("ReplicationLatency", ARCHIVE.region)}
    assert drawn(titled(found, "Storage")) == {("BucketSizeBytes", one) for one in (EAST, WEST, ARCHIVE.region)}


def test_replication_metrics_carry_all_three_dimensions() -> None:
    (metric,) = titled(widgets(), "Latency")["metrics"]
    dimensions = dict(zip(metric[2:-1:2], metric[3:-1:2], strict=True))
    assert dimensions == {"SourceBucket": PRIMARY.bucket, "DestinationBucket": DR.bucket, "RuleId": "s3-dr-orders"}


def test_each_metric_has_the_statistic_that_is_valid_for_it() -> None:
    found = widgets()
    statistics = {
        "Latency": "Maximum",
        "Pending": "Maximum",
        "Failed": "Sum",
        "Operations": "SampleCount",
        "Storage": "Average",
        "Objects": "Average",
    }
    assert {title: titled(found, title)["stat"] for title in statistics} == statistics
    assert {titled(found, title)["period"] for title in ("Storage", "Objects")} == {86400}


def test_operations_are_a_minute_whatever_the_period_is() -> None:
    expression, metric = titled(widgets(), "Operations")["metrics"]
    assert expression[0]["expression"] == "m1/PERIOD(m1)*60"
    assert (metric[-1]["id"], metric[-1]["visible"]) == ("m1", False)


def test_the_target_is_drawn_into_the_latency() -> None:
    annotation = titled(widgets(latency_seconds=300), "Latency")["annotations"]["horizontal"][0]
    assert (annotation["value"], annotation["label"]) == (300, "target 300 s")


# --- order ---------------------------------------------------------------------------------------------------


def test_health_comes_first_then_each_pair_with_its_directions_storage_and_cost() -> None:
    found = widgets(two_way(), replace(a_pair(), name="invoices"), alarms=SETTINGS, prices=PRICES)
    titles = [one["properties"].get("title", one["properties"].get("markdown", ""))[:12].strip() for one in found]
    of_direction = ["Latency (s):", "Pending: ord", "Failed opera", "Operations a"]
    both_ends = ["Storage (byt", "Objects with", "Estimated co"]
    assert titles[:12] == [
        "# S3 disaste",
        "Health: all",
        "## orders\n\n[",
        *of_direction,
        *of_direction,
        "Storage (byt",
    ]
    assert titles[-8:] == ["## invoices", of_direction[0], "Pending: inv", *of_direction[2:], *both_ends]


def test_no_widget_covers_another_and_each_row_fills_the_grid() -> None:
    cells: dict[tuple[int, int], int] = {}
    more = replace(everything(), name="more")
    found = widgets(more, two_way(), alarms=SETTINGS, prices=PRICES, request_metrics_filter_id="all")
    for number, one in enumerate(found):
        for y in range(one["y"], one["y"] + one["height"]):
            for x in range(one["x"], one["x"] + one["width"]):
                assert cells.setdefault((x, y), number) == number
    bottom = max(y for _x, y in cells) + 1
    assert len(cells) == 24 * bottom


# --- health --------------------------------------------------------------------------------------------------


def test_health_names_every_alarm_by_its_arn_but_not_the_one_that_drills_set() -> None:
    settings = AlarmSettings("s3-dr-alarms", composite=True)
    alarms = titled(widgets(two_way(), alarms=settings), "Health")["alarms"]
    wished = alarms_wish(two_way(), settings, ACCOUNT)
    names = {(one.region, one.name) for one in wished if not one.name.endswith("/drill-running")}
    assert {(arn.split(":")[3], arn.split(":", 6)[6]) for arn in alarms} == names
    assert all(arn.startswith("arn:aws:cloudwatch:") and f":{ACCOUNT.id}:alarm:" in arn for arn in alarms)
    assert [arn.endswith("/health") for arn in alarms[:3]] == [True, True, False]


def test_many_alarms_are_divided_between_widgets() -> None:
    pairs = [replace(two_way(), name=f"p{number}") for number in range(15)]
    found = [one["properties"]["alarms"] for one in widgets(*pairs, alarms=SETTINGS) if one["type"] == "alarm"]
    assert [len(alarms) for alarms in found] == [100, 50]


def test_without_alarms_the_text_says_so() -> None:
    found = widgets()
    assert [one for one in found if one["type"] == "alarm"] == []
    assert "No alarms are shown" in texts(found)


# --- what is not drawn ---------------------------------------------------------------------------------------


def test_a_rule_without_metrics_is_said_and_not_drawn() -> None:
    rules = (Rule("a"), Rule("off", 2, enabled=False), Rule("quiet", 3, observation=Observation.NONE))
    found = widgets(a_pair(rules=rules))
    assert "Rule off is not drawn: it is disabled" in texts(found)
    assert "Rule quiet is not drawn: AWS publishes no metrics" in texts(found)
    assert len(titled(found, "Latency")["metrics"]) == 1


def test_a_pair_without_any_metrics_has_no_empty_graphs() -> None:
    found = widgets(a_pair(rules=(Rule("quiet", observation=Observation.NONE),)))
    assert [one["properties"].get("title", "")[:7] for one in found] == ["", "", "Storage", "Objects"]


def test_the_storage_of_another_account_is_said_and_not_drawn() -> None:
    found = widgets(a_pair(dr=replace(DR, account_id=OTHER.id)))
    assert f"The storage of {DR.bucket} is another account's" in texts(found)
    assert drawn(titled(found, "Storage")) == {("BucketSizeBytes", EAST)}


def test_request_errors_are_drawn_only_with_a_filter_id() -> None:
    assert "Request errors are not shown" in texts(widgets())
    found = widgets(request_metrics_filter_id="all")
    assert "Request errors are not shown" not in texts(found)
    metrics = titled(found, "Request errors")["metrics"]
    assert [metric[1] for metric in metrics] == ["4xxErrors", "5xxErrors"] * 2
    assert {tuple(metric[4:6]) for metric in metrics} == {("FilterId", "all")}


def test_many_rules_get_rows_of_their_own() -> None:
    rules = tuple(Rule(f"r{number}", number, f"{number}/") for number in range(120))
    found = [one for one in widgets(a_pair(rules=rules)) if one["properties"].get("title", "").startswith("Latency")]
    assert [len(one["properties"]["metrics"]) for one in found] == [50, 50, 20]


# --- text ----------------------------------------------------------------------------------------------------


def test_the_text_carries_the_mark_the_links_and_the_runbook() -> None:
    body = dashboard_body([a_pair()], ACCOUNT, DashboardSettings(name="web", runbook_url="https://example.com/run"))
    assert carries(body, MARK)
    written = texts(body["widgets"])
    for said in (
        "dashboard `web`",
        "(https://example.com/run)",
        "home?region=us-west-2#alarmsV2:",
        "/s3/buckets/example-orders?region=us-east-1",
        "1 pair\n",
    ):
        assert said in written


def test_names_are_no_markup() -> None:
    hostile = "*a* [x](javascript:1) <b> `c` ${PROP('Region')}"
    found = widgets(a_pair(name="a_b_c", rules=(Rule(hostile), Rule("x[1](y)", 2, enabled=False))))
    written = texts(found)
    assert "## a\\_b\\_c" in written
    assert "x\\[1\\]\\(y\\)" in written
    label = titled(found, "Latency")["metrics"][0][-1]["label"]
    assert "${" not in label
    assert titled(found, "Latency")["metrics"][0][5] == hostile


def test_escaping_leaves_words_alone() -> None:
    assert escaped("orders 2") == "orders 2"
    assert escaped("<a>&\\") == "\\<a\\>\\&\\\\"


# --- cost ----------------------------------------------------------------------------------------------------


def test_the_cost_is_said_to_be_an_estimate_of_a_day_with_what_is_not_confirmed() -> None:
    found = widgets(prices=PRICES)
    assert PRICES.date in titled(found, "Estimated cost (USD a month")["title"]
    written = texts(found)
    assert "**Costs are an estimate**, not a bill" in written
    assert "`storage_gb_month.STANDARD`" in written
    assert "GLACIER" not in written
    assert "rtc" not in written


def test_storage_is_priced_by_class_and_replication_by_growth() -> None:
    pair = a_pair(
        dr=replace(DR, storage_class="STANDARD_IA"),
        rules=(Rule("r", observation=Observation.METRICS_AND_RTC),),
    )
    cost = titled(widgets(pair, prices=PRICES, alarms=SETTINGS), "Estimated")
    shown = {metric[0]["id"]: metric[0] for metric in cost["metrics"] if len(metric) == 1}
    assert shown["s0"]["expression"] == "b0x0*0.023/1073741824"
    assert shown["s1"]["expression"] == "SUM([b1x0*0.023,b1x1*0.0125])/1073741824"
    assert shown["s1"]["region"] == WEST
    grown = "DIFF(SUM([b1x0,b1x1]))"
    bytes_cost = f"IF({grown}>0,{grown},0)*1.05/1073741824"  # (0.02 + 0.015) a day, 30 days
    assert shown["r1"]["expression"] == f"{bytes_cost}+IF(DIFF(n1)>0,DIFF(n1),0)*0.15/1000"
    alarms = len(alarms_wish(pair, SETTINGS, ACCOUNT))
    assert shown["f0"]["expression"] == f"TIME_SERIES({4 * 0.3 + alarms * 0.1:.1f})"
    assert len(shown) == 4


def test_each_expression_of_the_cost_uses_metrics_of_its_own_region_only() -> None:
    cost = titled(widgets(everything(), prices=PRICES), "Estimated")
    region_of = {one[-1]["id"]: one[-1].get("region", cost["region"]) for one in cost["metrics"] if len(one) > 1}
    for metric in cost["metrics"]:
        if len(metric) == 1:
            used = {region for name, region in region_of.items() if name in metric[0]["expression"]}
            assert used <= {metric[0].get("region", cost["region"])}


def test_without_rtc_only_the_transfer_is_priced() -> None:
    cost = titled(widgets(prices=PRICES), "Estimated")
    (expression,) = [
        metric[0]["expression"] for metric in cost["metrics"] if metric[0].__class__ is dict and metric[0]["id"] == "r1"
    ]
    assert "*0.6/1073741824" in expression


def test_the_price_list_knows_storage_classes_and_each_has_a_metric() -> None:
    assert set(PRICES.storage_gb_month) < set(STORAGE_CLASSES)
    assert set(STORAGE_CLASSES) == set(STORAGE_TYPES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rtc_gb": None}, "`rtc_gb` has no amount"),
        ({"rtc_gb": {"usd": "1"}}, "`rtc_gb` has no amount"),
        ({"rtc_gb": {"usd": -1}}, "`rtc_gb` has no amount"),
        ({"rtc_gb": {"usd": True}}, "`rtc_gb` has no amount"),
        ({"storage_gb_month": 1}, "`storage_gb_month` is no mapping"),
        ({"storage_gb_month": {"STANDARD": 1}}, r"`storage_gb_month.STANDARD` has no amount"),
    ],
)
def test_broken_prices_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        prices_from({**TABLE, **change})


def test_a_class_without_a_price_is_said_and_not_counted() -> None:
    few = replace(PRICES, storage_gb_month={"STANDARD": 0.02})
    found = widgets(prices=few, storage_classes=("GLACIER",))
    assert "No price known, and not counted: `GLACIER`." in texts(found)
    shown = [one[0] for one in titled(found, "Estimated")["metrics"] if len(one) == 1]
    stored = [one for one in shown if one["id"].startswith("s")]
    assert [one["expression"] for one in stored] == ["b0x0*0.02/1073741824", "b1x0*0.02/1073741824"]
    assert all(one["label"].endswith(" without GLACIER") for one in stored)
    none = titled(widgets(prices=replace(PRICES, storage_gb_month={})), "Estimated")
    assert not [one for one in none["metrics"] if one[0].__class__ is dict and one[0]["id"].startswith("s")]


# --- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"storage_classes": ("COLD",)}, "none of this name"),
        ({"latency_seconds": 0}, "at least 1 second"),
        ({"runbook_url": "javascript:x"}, "is no URL"),
        ({"runbook_url": "https://example.com/a) [x](y"}, "is no URL"),
    ],
)
def test_broken_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        DashboardSettings(**settings)


def test_no_pair_and_two_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one pair"):
        dashboard_body([], ACCOUNT, DashboardSettings())
    with pytest.raises(InvalidInput, match="'orders' is declared twice"):
        widgets(a_pair(), a_pair())


# --- size and laws -------------------------------------------------------------------------------------------


def test_seventy_pairs_fit_into_two_dashboards() -> None:
    pairs = [replace(two_way(), name=f"p{number}") for number in range(70)]
    body = dashboard_body(pairs, ACCOUNT, DashboardSettings(alarms=SETTINGS, prices=PRICES))
    parts = divided("s3-dr", body, ACCOUNT, EAST, MARK)
    assert list(parts) == ["s3-dr", "s3-dr-2"]
    assert all(carries(part, MARK) for part in parts.values())


@given(declared())
def test_every_pair_that_can_be_declared_has_a_dashboard(found: Declared) -> None:
    settings = DashboardSettings(alarms=SETTINGS, prices=PRICES, request_metrics_filter_id="all")
    body = dashboard_body([found.pair], ACCOUNT, settings)
    check_body(body)
    assert canonical_body(canonical_body(body)) == canonical_body(body)
