# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The words of metric math that the dashboard uses, and the text of its picture."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard_page import Line, markdown, page, short
from metric_math import evaluate

A = {1.0: 10.0, 2.0: 30.0, 4.0: 20.0}
B = {2.0: 2.0, 4.0: 4.0, 5.0: 5.0}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a/PERIOD(a)*60", {1.0: 5.0, 2.0: 15.0, 4.0: 10.0}),
        ("a+b", {2.0: 32.0, 4.0: 24.0}),
        ("SUM([a*2,b])/2", {1.0: 10.0, 2.0: 31.0, 4.0: 22.0, 5.0: 2.5}),
        ("DIFF(a)", {2.0: 20.0, 4.0: -10.0}),
        ("IF(DIFF(a)>0,DIFF(a),0)*0.5", {2.0: 10.0, 4.0: 0.0}),
        ("TIME_SERIES(4.4)", 4.4),
        ("2*a-1", {1.0: 19.0, 2.0: 59.0, 4.0: 39.0}),
    ],
)
def test_an_expression_has_its_value(expression: str, value: Any) -> None:
    assert evaluate(expression, {"a": A, "b": B}, {"a": 120.0, "b": 120.0}) == value


@pytest.mark.parametrize("expression", ["RATE(a)", "a if a else b", "'text'"])
def test_what_is_not_known_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="is not known here"):
        evaluate(expression, {"a": A, "b": B}, {"a": 60.0})


def test_markdown_is_shown_and_nothing_else() -> None:
    assert (
        markdown("# A\n\n**b** [c](https://d) `e`")
        == "<h1>A</h1><p><b>b</b> <a href='https://d'>c</a> <code>e</code></p>"
    )
    assert markdown(r"a\_b \*c\* <x>") == "<p>a_b *c* &lt;x&gt;</p>"


def test_numbers_are_short() -> None:
    assert [short(one, binary=False) for one in (0, 0.25, 1500, 2_000_000)] == ["0", "0.25", "1.5 k", "2 M"]
    assert [short(one, binary=True) for one in (0, 512, 1536, 2 * 1024**4)] == ["0", "512 B", "1.5 kiB", "2 TiB"]


def test_a_page_shows_every_widget_in_its_place() -> None:
    arn = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:s3-dr/orders/example-orders/r/latency"
    graph = {
        "title": "Load",
        "metrics": [["N", "M", {"label": "x"}]],
        "annotations": {"horizontal": [{"label": "most", "value": 9}]},
    }
    place = {"x": 12, "y": 2, "width": 12, "height": 6}
    shown = page(
        "web",
        [
            ({"type": "text", **place, "properties": {"markdown": "words"}}, [], {}, 0.0),
            ({"type": "alarm", **place, "properties": {"alarms": [arn]}}, [], {arn: "ALARM"}, 0.0),
            (
                {"type": "metric", **place, "properties": graph},
                [Line("x", {60.0: 3.0, 120.0: 5.0}, right=False)],
                {},
                0.0,
            ),
            (
                {"type": "metric", **place, "properties": {**graph, "view": "singleValue"}},
                [Line("y", {9.0: 4.0}, right=False)],
                {},
                0.0,
            ),
        ],
        600.0,
    )
    assert shown.count("left:768px;top:88px") == 4
    for said in (
        "words",
        "latency: In alarm",
        "example-orders/r, us-east-1",
        "<polyline",
        "most",
        "4.00",
        "not measure storage",
    ):
        assert said in shown
