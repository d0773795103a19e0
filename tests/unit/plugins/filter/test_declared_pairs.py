# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What several pairs share knows of each pair that a host declares."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.filter.declared_pairs import FilterModule


def pair(name: str | None = None) -> dict[str, Any]:
    """What a host declares."""
    ends = {
        "primary": {"bucket": "example-orders", "region": "us-east-1"},
        "dr": {"bucket": "example-orders-dr", "region": "us-west-2"},
    }
    return {"s3_dr_pair": {**ends, **({"name": name} if name else {})}}


def declared(hosts: list[str], hostvars: dict[str, Any]) -> list[dict[str, Any]]:
    """What the filter makes of it."""
    found: list[dict[str, Any]] = FilterModule().filters()["declared_pairs"](hosts, hostvars)
    return found


def test_a_pair_comes_with_its_regions_and_as_the_trail_takes_it() -> None:
    assert declared(["orders"], {"orders": pair()}) == [
        {
            "name": "orders",
            "regions": ["us-east-1", "us-west-2"],
            "trail": {"name": "orders", "buckets": ["example-orders", "example-orders-dr"]},
            "pair": {**pair()["s3_dr_pair"], "name": "orders"},
        }
    ]


def test_the_further_buckets_of_rules_are_recorded_and_their_regions_watched() -> None:
    rules: list[dict[str, Any]] = [
        {"id": "a"},
        {"id": "b", "destination": {"storage_class": "GLACIER"}},
        {"id": "c", "destination": {"bucket": "example-orders-dr", "storage_class": "GLACIER"}},
        {"id": "d", "destination": {"bucket": "example-archive", "region": "eu-central-1"}},
        {"id": "e", "destination": {"bucket": "example-archive", "region": "eu-central-1"}},
        {"id": "f", "destination": {"bucket": "example-cold", "region": "us-west-2"}},
    ]
    (found,) = declared(["orders"], {"orders": {"s3_dr_pair": {**pair()["s3_dr_pair"], "rules": rules}}})
    assert found["regions"] == ["us-east-1", "us-west-2", "eu-central-1"]
    buckets = ["example-orders", "example-orders-dr", "example-archive", "example-cold"]
    assert found["trail"]["buckets"] == buckets


def test_a_name_of_its_own_comes_before_the_hosts_name() -> None:
    (found,) = declared(["host"], {"host": pair("orders")})
    assert (found["name"], found["trail"]["name"]) == ("orders", "orders")


def test_pairs_come_in_the_order_of_the_hosts() -> None:
    hostvars = {"a": pair(), "b": pair(), "c": pair()}
    assert [found["name"] for found in declared(["c", "a"], hostvars)] == ["c", "a"]


def test_hosts_without_a_pair_are_left_out() -> None:
    assert declared(["web", "orders"], {"web": {}, "orders": pair()})[0]["name"] == "orders"
    assert declared(["web"], {"web": {}}) == []
    assert declared([], {}) == []


def test_an_end_that_is_missing_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(KeyError, match="dr"):
        declared(["a"], {"a": {"s3_dr_pair": {"primary": {"bucket": "b", "region": "r"}}}})
