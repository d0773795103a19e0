# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Whom the role of a failback takes for named."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
import yaml

ROLE = Path(__file__).parents[2] / "roles" / "failback"


@pytest.mark.parametrize(
    ("given", "confirmed"),
    [
        (["orders"], "orders"),
        (["orders-eu", "orders"], "orders"),
        ("orders", "orders"),
        (["orders-eu"], ""),
        ("orders-eu", ""),
        ([], ""),
    ],
)
def test_a_pair_is_named_by_its_whole_name(given: list[str] | str, confirmed: str) -> None:
    text = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["failback__confirmed"]
    found = jinja2.Environment().from_string(text).render(failback__name="orders", failback_confirm=given)
    assert found == confirmed
