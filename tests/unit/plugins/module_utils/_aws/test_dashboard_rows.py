# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Dashboards are written and read as values, and what CloudWatch says of them is heard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.dashboard_rows import (
    dashboards_named,
    hear_warnings,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboard_body import (
    dashboard_address,
    dashboards_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import FakeAws
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT

BODY: dict[str, Any] = {"widgets": [{"type": "text", "x": 0, "y": 0, "properties": {"markdown": "ä"}}]}
WEB = dashboard_address("web", ACCOUNT)


def put(aws: FakeAws, body: Any, unwanted: Any = None) -> list[str]:
    """Make it so; the actions that were needed."""
    gateway = Gateway(aws.client_for, lambda seconds: None)
    wish = dashboards_wish({"web": body}, ACCOUNT) if body else {}
    steps = plan(wish, gateway.observe([*wish, *(unwanted or {})]), unwanted)
    gateway.carry_out(steps)
    return [step.action for step in steps]


def test_a_dashboard_is_made_kept_changed_and_removed(aws: FakeAws) -> None:
    assert put(aws, BODY) == ["create"]
    assert json.loads(aws.dashboards["web"]) == BODY
    widget = BODY["widgets"][0]
    assert put(aws, {"widgets": [{**widget, "x": 0.0, "width": 6}]}) == []
    assert put(aws, {"widgets": [{**widget, "x": 1}]}) == ["update"]
    assert put(aws, None, {WEB: {}}) == ["delete"]
    assert aws.dashboards == {}
    assert put(aws, None, {WEB: {}}) == []


def test_what_cloudwatch_finds_wrong_is_said_with_its_place(aws: FakeAws) -> None:
    with pytest.raises(
        AwsFailure, match=r"InvalidParameterInput: The dashboard body is invalid /widgets/0: Should have"
    ):
        put(aws, {"widgets": [{"properties": {}}]})
    assert aws.dashboards == {}


def test_what_cloudwatch_finds_odd_is_heard(aws: FakeAws) -> None:
    heard: list[str] = []
    hear_warnings(aws.client_for("cloudwatch", "global"), heard.append)
    put(aws, BODY)
    assert heard == []
    aws.dashboard_warnings = [{"DataPath": "/widgets/0", "Message": "unknown key"}, {"Message": "too wide"}]
    put(aws, {"widgets": []})
    assert heard == ["/widgets/0: unknown key", "too wide"]
    with pytest.raises(AwsFailure):
        put(aws, {"widgets": [{"properties": {}}]})
    assert len(heard) == 2


def test_the_dashboards_of_a_name_are_found_on_all_pages(aws: FakeAws) -> None:
    aws.dashboards = dict.fromkeys(["web", "web-2", "web-3", "web-10", "other"], "{}")
    assert dashboards_named(aws.client_for("cloudwatch", "global"), "web-") == ["web-10", "web-2", "web-3"]
