# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The filter takes pairs as users write them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.crossregion.s3_dr.plugins.filter.dashboard_body import FilterModule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboards import DashboardSettings
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboards import dashboard_body as compose
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, SETTINGS, a_pair

ORDERS = {
    "name": "orders",
    "primary": {"bucket": "example-orders", "region": "us-east-1"},
    "dr": {"bucket": "example-orders-dr", "region": "us-west-2"},
}


def body(*pairs: dict[str, Any], **options: Any) -> Any:
    """What the filter makes of them."""
    return FilterModule().filters()["dashboard_body"](pairs or [ORDERS], "111122223333", **options)


def test_what_a_pair_leaves_out_is_filled_in_as_by_a_module() -> None:
    assert body() == compose([a_pair()], ACCOUNT, DashboardSettings())
    assert body(alarms={}) == compose([a_pair()], ACCOUNT, DashboardSettings(alarms=SETTINGS))


def test_numbers_may_be_text_as_templates_give_them_and_other_keys_are_ignored() -> None:
    pair = {**ORDERS, "rules": [{"id": "s3-dr-orders", "priority": "1"}], "owner": "team red"}
    assert body(pair, latency_seconds="900") == body()


def test_choices_of_alarms_decide_which_are_shown() -> None:
    def shown(**alarms: Any) -> list[str]:
        return [arn.rpartition("/")[2] for arn in body(alarms=alarms)["widgets"][1]["properties"]["alarms"]]

    assert shown() == ["failed", "bytes_pending", "heartbeat", "latency", "operations_pending"]
    assert shown(bytes_pending=0, operations_pending=0) == ["failed", "heartbeat", "latency"]
    assert shown(composite=True)[:2] == ["health", "health"]
    assert shown(bytes_pending=None) == shown()


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ({**ORDERS, "primary": {"bucket": "example-orders"}}, "pair 'orders': .*region"),
        ({**ORDERS, "direction": "sideways"}, "pair 'orders': .*sideways"),
        ({**ORDERS, "dr": ORDERS["primary"]}, "pair 'orders': bucket 'example-orders' is given for both ends"),
        ({**ORDERS, "dr": {"bucket": "X", "region": "us-west-2"}}, "pair 'orders': bucket 'X'"),
        ({key: ORDERS[key] for key in ("primary", "dr")}, "pair 'without a name': .*name"),
    ],
)
def test_a_broken_pair_is_refused_by_its_name(pair: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        body(pair)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": "red"}, "no option 'colour'"),
        ({"alarms": {"heartbeat": 3}}, "no choice 'heartbeat'"),
        ({"prices": {"date": "today"}}, "prices: "),
        ({"runbook_url": "here"}, "is no URL"),
    ],
)
def test_broken_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        body(**options)
