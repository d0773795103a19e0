# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a pair costs: each figure is its units times its price, and what is not known is not taken for nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.forecast import (
    Extras,
    Forecast,
    Usage,
    price_list_from,
    usage_from,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Direction, InvalidInput, Observation
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, KEYS, PRIMARY, a_pair

GIB = 2**30
ROOT = Path(__file__).parents[5]
KNOWN = yaml.safe_load((ROOT / "roles" / "forecast" / "vars" / "prices.yml").read_text())["forecast__known_prices"]
ROUND: dict[str, Any] = {
    "date": "2026-01-01",
    "storage_gb_month": {"STANDARD": {"usd": 0.02, "confirmed": True}, "GLACIER_IR": {"usd": 0.004}},
    "replication_put_1000": {"STANDARD": {"usd": 0.005, "confirmed": True}},
    "transfer_gb": {"usd": 0.02},
    "rtc_gb": {"usd": 0.015},
    "metric_month": {"usd": 0.3},
    "alarm_month": {"usd": 0.1},
    "kms_key_month": {"usd": 1},
    "kms_10000": {"usd": 0.03},
    "batch_job": {"usd": 0.25},
    "batch_million": {"usd": 1.0},
    "data_events_100000": {"usd": 0.1},
}
PRICES = price_list_from(ROUND)
PLAIN = Extras()
HELD = Usage({"STANDARD": 1000 * GIB}, 2_000_000, 100 * GIB, 1_000_000, "figures")


def forecast(pair: Any = None, extras: Extras = PLAIN, **usage: Usage) -> dict[str, Any]:
    """The forecast of a pair whose primary holds a thousand GiB."""
    known = {PRIMARY.bucket: HELD, **{DR.bucket if name == "dr" else name: one for name, one in usage.items()}}
    return Forecast(pair or a_pair(), known, PRICES, extras).as_result()


def usd(found: dict[str, Any]) -> dict[str, float | None]:
    """By item and what it is of."""
    return {f"{one['item']} {one['of']}": one["usd"] for one in found["items"]}


def test_each_item_is_its_units_times_its_price() -> None:
    way = f"{PRIMARY.bucket} -> {DR.bucket}"
    found = forecast()
    assert usd(found) == {
        f"storage STANDARD {PRIMARY.bucket}": 20.0,
        f"storage STANDARD {DR.bucket}": 20.0,
        f"transfer {way}": 2.0,
        f"replication requests {way}": 5.0,
        f"replication metrics {PRIMARY.bucket}": 1.2,
        f"alarms {PRIMARY.bucket}": 0.5,
        f"first copy {way}": 0.25 + 2.0 + 20.0 + 10.0,
    }
    assert found["usd_month"] == 48.7  # the first copy is paid once
    assert found["unconfirmed_prices"] == ["alarm_month", "batch_million", "metric_month", "transfer_gb"]


def test_what_is_there_counts_and_not_what_might_be() -> None:
    there = Usage({"GLACIER_IR": 500 * GIB, "STANDARD": 10 * GIB}, 3, None, None, "figures")
    found = usd(forecast(dr=there))
    assert (found[f"storage GLACIER_IR {DR.bucket}"], found[f"storage STANDARD {DR.bucket}"]) == (2.0, 0.2)


def test_replication_time_control_data_events_and_keys_cost_when_they_are_there() -> None:
    pair = a_pair(rules=tuple(replace(one, observation=Observation.METRICS_AND_RTC) for one in a_pair().rules))
    found = usd(forecast(pair, Extras(data_events=True)))
    assert found[f"replication time control {PRIMARY.bucket} -> {DR.bucket}"] == 1.5
    assert found["data events orders"] == 2.0
    keys = a_pair(primary=replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket]))
    assert usd(forecast(keys))["KMS keys orders"] == 1.0
    assert usd(forecast(keys))["KMS requests orders"] == 6.0
    assert usd(forecast(keys, Extras(bucket_keys=True)))["KMS requests orders"] is None


def test_without_alarms_and_metrics_nothing_watches() -> None:
    pair = a_pair(rules=tuple(replace(one, observation=Observation.NONE) for one in a_pair().rules))
    assert not [item for item in usd(forecast(pair)) if "metrics" in item or "alarms" in item]
    assert f"alarms {PRIMARY.bucket}" not in usd(forecast(extras=Extras(alarms=False)))


def test_what_nobody_knows_is_said_and_not_taken_for_nothing() -> None:
    found = Forecast(a_pair(), {}, PRICES, Extras()).as_result()
    assert {name for name, amount in usd(found).items() if amount is None} == {
        f"storage {PRIMARY.bucket}",
        f"storage {DR.bucket}",
        f"replication {PRIMARY.bucket} -> {DR.bucket}",
        f"first copy {PRIMARY.bucket} -> {DR.bucket}",
    }
    assert len(found["unknown"]) == 4
    assert "USD a month, and what is not known, by prices" in found["text"][0]
    assert found["options"] == []
    archive = a_pair(dr=replace(DR, storage_class="DEEP_ARCHIVE"))
    assert "no price storage_gb_month.DEEP_ARCHIVE is known" in "\n".join(forecast(archive)["unknown"])


def test_both_directions_of_a_pair_cost() -> None:
    found = usd(forecast(a_pair(direction=Direction.TWO_WAY), dr=HELD))
    assert found[f"transfer {DR.bucket} -> {PRIMARY.bucket}"] == 2.0
    assert found[f"replication metrics {DR.bucket}"] == 1.2


def test_other_choices_are_compared() -> None:
    found = {(one["storage_class"], one["rtc"]): one for one in forecast()["options"]}
    assert set(found) == {("STANDARD", False), ("STANDARD", True), ("GLACIER_IR", False), ("GLACIER_IR", True)}
    assert found["STANDARD", False]["usd_month"] == 48.7
    assert found["STANDARD", True]["usd_month"] == 50.2
    assert found["GLACIER_IR", False]["usd_month"] == 27.7  # 16 less, and 5 since a PUT into that class has no price
    note = "each replica is billed for at least 90 days; not counted: replication requests"
    assert found["GLACIER_IR", False]["note"] == note


def test_a_rule_of_a_part_is_counted_as_if_it_took_all_and_it_is_said() -> None:
    pair = a_pair(rules=tuple(replace(one, prefix="in/") for one in a_pair().rules))
    (transfer,) = [one for one in forecast(pair)["items"] if one["item"] == "transfer"]
    assert "as if the rules took everything" in transfer["basis"]


def test_the_list_of_the_collection_has_all_prices() -> None:
    prices = price_list_from(KNOWN)
    assert {name for name, price in prices.prices.items() if price.confirmed} == {
        "rtc_gb",
        "batch_job",
        "batch_million",
        "replication_put_1000.STANDARD",
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"transfer_gb": None}, "`transfer_gb` has no amount `usd`"),
        ({"transfer_gb": {"usd": -1}}, "`transfer_gb` has no amount `usd`"),
        ({"transfer_gb": {"usd": True}}, "`transfer_gb` has no amount `usd`"),
        ({"storage_gb_month": 3}, "below `storage_gb_month` stands a price for each storage class"),
        ({"storage_gb_month": {"COLD": {"usd": 1}}}, "below `storage_gb_month` stands a price for each storage class"),
    ],
)
def test_prices_that_are_none_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        price_list_from({**ROUND, **changes})


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        ({"stored_bytes": {"COLD": 1}}, "`stored_bytes` has bytes by storage class"),
        ({"stored_bytes": {"STANDARD": "much"}}, "stored_bytes.STANDARD is 'much'"),
        ({"objects": -1}, "objects is '-1'"),
        ({"monthly_bytes": True}, "monthly_bytes is 'True'"),
    ],
)
def test_figures_that_are_none_are_refused(usage: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        usage_from(usage, "example")
