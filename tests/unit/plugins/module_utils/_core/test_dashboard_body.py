# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Two bodies of a dashboard are the same when they show the same; a big one is divided by rows."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboard_body import (
    MAX_METRICS,
    MAX_WIDGETS,
    canonical_body,
    carries,
    check_body,
    check_dashboard_name,
    console_url,
    dashboard_address,
    dashboards_goal,
    dashboards_wish,
    divided,
    is_part_name,
    part_mark,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import as_text
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, EAST

REGION = "us-east-1"
LOAD = ["AWS/EC2", "CPUUtilization", "InstanceId", "i-1", "Zone", "a"]


def text(markdown: str = "words", **place: Any) -> dict[str, Any]:
    """A text widget."""
    return {"type": "text", **place, "properties": {"markdown": markdown}}


def graph(*metrics: Any, **properties: Any) -> dict[str, Any]:
    """A graph at the top left."""
    place = {"x": 0, "y": 0, "width": 12, "height": 6}
    return {
        "type": "metric",
        **place,
        "properties": {"region": REGION, "title": "Load", "metrics": list(metrics or [LOAD]), **properties},
    }


def same(one: Any, two: Any) -> bool:
    """Whether two dashboards of one widget show the same."""
    canonical = [canonical_body({"widgets": [widget]}) for widget in (one, two)]
    is_same: bool = canonical[0] == canonical[1]
    assert is_same == (as_text(canonical[0]) == as_text(canonical[1]))
    return is_same


# --- meaning -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (graph(period=60), graph(period=60.0)),
        (graph(), graph(view="timeSeries")),
        (graph(), graph(stacked=False)),
        (graph(), graph(period=300)),
        (graph(), graph(legend={"position": "bottom"})),
        (graph(LOAD), graph([*LOAD, {}])),
        (graph(LOAD), graph([*LOAD, {"visible": True, "yAxis": "left"}])),
        (graph(LOAD), graph([*LOAD[:2], *LOAD[4:], *LOAD[2:4]])),
        (graph(LOAD, [*LOAD[:5], "b"]), graph(LOAD, ["...", "b"])),
        (graph(LOAD, [*LOAD[:5], "b"]), graph(LOAD, [".", ".", ".", ".", ".", "b"])),
        (graph(LOAD, [*LOAD[:3], "i-2", "Zone", "b"]), graph(LOAD, ["...", "i-2", ".", "b"])),
        (graph(LOAD, [*LOAD, {"stat": "Sum"}]), graph(LOAD, ["...", {"stat": "Sum"}])),
        (
            graph(annotations={"horizontal": [{"value": 9, "visible": True}]}),
            graph(annotations={"horizontal": [{"value": 9.0, "yAxis": "left"}]}),
        ),
        (text(x=0, y=0), text(x=0, y=0, width=6, height=6.0)),
        (
            {"type": "alarm", "properties": {"alarms": ["b", "a"]}},
            {"type": "alarm", "properties": {"sortBy": "default", "alarms": ["a", "b"]}},
        ),
    ],
)
def test_what_shows_the_same_is_the_same(one: Any, two: Any) -> None:
    assert same(one, two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (graph(), graph(title="load")),
        (graph(), graph(region="us-west-2")),
        (graph(), graph(stacked=True)),
        (graph(), graph(view="singleValue")),
        (graph(), graph(period=60)),
        (graph(), graph(stat="Sum")),
        (graph(), {**graph(), "x": 1}),
        (graph(), {**graph(), "y": 1}),
        (graph(), {**graph(), "width": 6}),
        (graph(LOAD), graph([*LOAD[:5], "b"])),
        (graph(LOAD), graph([*LOAD, {"visible": False}])),
        (graph(LOAD), graph([*LOAD, {"yAxis": "right"}])),
        (graph(LOAD, ["a", "b"]), graph(["a", "b"], LOAD)),
        (graph(["N", "M", "a", "b", "c", "d"]), graph(["N", "M", "a", "d", "c", "b"])),
        (graph([{"expression": "m1*2"}]), graph([{"expression": "m1*3"}])),
        (
            graph(annotations={"horizontal": [{"value": 9}]}),
            graph(annotations={"horizontal": [{"value": 10}]}),
        ),
        (text("a"), text("b")),
        (
            {"type": "alarm", "properties": {"alarms": ["a"]}},
            {"type": "alarm", "properties": {"alarms": ["a", "b"]}},
        ),
    ],
)
def test_what_shows_something_else_is_not_the_same(one: Any, two: Any) -> None:
    assert not same(one, two)


def test_the_order_of_widgets_says_nothing_when_each_says_where_it_is_and_all_when_one_does_not() -> None:
    left, right = text("a", x=0, y=0), text("b", x=6, y=0)
    assert canonical_body({"widgets": [left, right]}) == canonical_body({"widgets": [right, left]})
    loose = text("c")
    assert canonical_body({"widgets": [left, loose]}) != canonical_body({"widgets": [loose, left]})


@pytest.mark.parametrize("between", [[{"expression": "m1*2", "id": "e1"}], [], "odd", [1, "b"]])
def test_a_shortened_metric_after_none_stays_as_it_is(between: Any) -> None:
    metrics = [LOAD, between, ["...", "b"]]
    (widget,) = canonical_body({"widgets": [graph(*metrics)]})["widgets"]
    assert widget["properties"]["metrics"] == metrics


@pytest.mark.parametrize("odd", [{}, {"widgets": "none"}, {"widgets": [None, "text", {"type": "metric"}]}])
def test_a_body_that_no_one_could_show_is_left_alone(odd: Any) -> None:
    assert canonical_body(canonical_body(odd)) == canonical_body(odd)


names = st.sampled_from(["AWS/S3", "Latency", "Bucket", "a", "b", ".", "..."])
options = st.fixed_dictionaries(
    {},
    optional={
        "visible": st.booleans(),
        "yAxis": st.sampled_from(["left", "right"]),
        "period": st.sampled_from([60, 60.0, 300]),
        "expression": st.just("m1*2"),
    },
)
metric_lines = st.builds(
    lambda some, last: [*some, *last],
    st.lists(names, max_size=6),
    st.lists(options, max_size=1),
)
widgets = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["metric", "text", "alarm", "log"]),
        "properties": st.fixed_dictionaries(
            {"metrics": st.lists(metric_lines, max_size=4), "markdown": st.text(max_size=3)},
            optional={
                "stacked": st.booleans(),
                "view": st.sampled_from(["timeSeries", "bar"]),
                "alarms": st.lists(st.sampled_from(["x", "y", "z"]), max_size=3),
                "period": st.sampled_from([60, 300, 300.0]),
                "annotations": st.just({"horizontal": [{"value": 9.0, "visible": True}], "vertical": "none"}),
            },
        ),
    },
    optional={
        "x": st.integers(0, 5),
        "y": st.sampled_from([0, 1.0, 7]),
        "width": st.integers(1, 6),
        "height": st.just(6.0),
    },
)
bodies = st.fixed_dictionaries(
    {"widgets": st.lists(widgets, max_size=5)}, optional={"start": st.just("-PT6H"), "x": st.floats(0, 9)}
)


@given(bodies)
def test_the_canonical_form_of_a_canonical_form_is_itself(body: Any) -> None:
    canonical = canonical_body(body)
    assert canonical_body(canonical) == canonical
    assert canonical_body(json.loads(json.dumps(canonical))) == canonical


@given(bodies, st.randoms(use_true_random=False))
def test_the_order_of_keys_and_of_placed_widgets_means_nothing(body: Any, chance: random.Random) -> None:
    shuffled = _shuffled(body, chance)
    if all("x" in widget and "y" in widget for widget in body["widgets"]):
        chance.shuffle(shuffled["widgets"])
    assert canonical_body(shuffled) == canonical_body(body)


def _shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: _shuffled(value[key], chance) for key in keys}
    return [_shuffled(one, chance) for one in value] if isinstance(value, list) else value


@given(bodies, st.data())
def test_a_real_change_is_always_seen(body: Any, data: st.DataObject) -> None:
    if not body["widgets"]:
        return
    changed = copy.deepcopy(body)
    widget = changed["widgets"][data.draw(st.integers(0, len(changed["widgets"]) - 1))]
    what = data.draw(st.sampled_from(["x", "y", "height", "title", "region", "threshold", "type"]))
    if what in ("x", "y", "height"):
        widget[what] = widget.get(what, 6) + 11
    elif what == "threshold":
        widget["properties"]["annotations"] = {"horizontal": [{"value": 901}]}
    elif what == "type":
        widget["type"] = "explorer"
    else:
        widget["properties"][what] = "another"
    assert canonical_body(changed) != canonical_body(body)


def test_the_body_that_is_compared_is_not_changed() -> None:
    body = {"widgets": [graph(LOAD, ["...", "b"], period=60.0)]}
    before = copy.deepcopy(body)
    canonical_body(body)
    assert body == before


# --- what is wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "x" * 256, "a\n"])
def test_a_name_that_cloudwatch_refuses_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="CloudWatch takes 1 to 255 letters"):
        check_dashboard_name(name)


def test_a_name_of_the_greatest_length_is_taken() -> None:
    check_dashboard_name("aZ-_9" * 51)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "the body is no mapping"),
        ({}, "no list `widgets`"),
        ({"widgets": {}}, "no list `widgets`"),
        ({"widgets": ["x"]}, "widget 1: it is no mapping"),
        (
            {"widgets": [text(), {"type": "txt", "properties": {}}]},
            "widget 2: its `type` is 'txt'. Choose one of metric",
        ),
        ({"widgets": [{"type": "text"}]}, "widget 1: it has no mapping `properties`"),
        ({"widgets": [{**graph(), "x": 24}]}, "widget 1 'Load': its `x` is 24, .* 0 to 23"),
        ({"widgets": [{**graph(), "y": -1}]}, "its `y` is -1, .* 0 or more"),
        ({"widgets": [{**graph(), "width": 0}]}, "its `width` is 0, .* 1 to 24"),
        ({"widgets": [{**graph(), "height": 1001}]}, "its `height` is 1001, .* 1 to 1000"),
        ({"widgets": [{**graph(), "height": 1.5}]}, "its `height` is 1.5"),
        ({"widgets": [{**graph(), "height": True}]}, "its `height` is True"),
        ({"widgets": [{**graph(), "height": "6"}]}, "its `height` is '6'"),
        ({"widgets": [{**graph(), "x": 13}]}, "it reaches beyond the grid's 24 columns"),
        ({"widgets": [text(x=19, y=0)]}, "it reaches beyond the grid's 24 columns"),
        ({"widgets": [{"type": "text", "properties": {}}]}, "needs the text `markdown`"),
        ({"widgets": [graph(*[LOAD] * 501)]}, "501 metrics, and CloudWatch shows 500"),
        ({"widgets": [graph() | {"properties": {"metrics": "x"}}]}, "`metrics` is no list"),
        ({"widgets": [{"type": "alarm", "properties": {"alarms": ["x"] * 101}}]}, "101 alarms, .* shows 100"),
    ],
)
def test_what_cloudwatch_would_refuse_is_refused(body: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_body(body)


@pytest.mark.parametrize(
    "widget", [graph(), {**graph(), "x": 12.0}, text(), {"type": "explorer", "properties": {}}, graph(*[LOAD] * 500)]
)
def test_what_cloudwatch_takes_is_taken(widget: Any) -> None:
    check_body({"widgets": [widget]})


# --- dividing ------------------------------------------------------------------------------------------------


def rows(count: int, top: int = 0) -> list[dict[str, Any]]:
    """Rows of four widgets."""
    return [
        text(f"{row} {column}", x=6 * column, y=top + 3 * row, width=6, height=3)
        for row in range(count)
        for column in range(4)
    ]


def test_a_body_of_500_widgets_is_one_dashboard_as_it_is() -> None:
    body = {"widgets": rows(125)}
    assert divided("s3-dr", body, ACCOUNT, REGION) == {"s3-dr": body}


def test_a_bigger_body_is_divided_by_rows_that_all_stay_whole() -> None:
    chance = random.Random(1)
    widgets = rows(300, top=5)
    shuffled = chance.sample(widgets, len(widgets))
    parts = divided("s3-dr", {"start": "-P1D", "widgets": shuffled}, ACCOUNT, REGION, "ours")
    assert list(parts) == ["s3-dr", "s3-dr-2", "s3-dr-3"]
    found: list[str] = []
    for body in parts.values():
        navigation, *rest = body["widgets"]
        check_body(body)
        assert len(body["widgets"]) <= MAX_WIDGETS
        assert body["start"] == "-P1D"
        assert carries(body, "ours")
        assert carries(body, part_mark("s3-dr"))
        assert (navigation["y"], navigation["height"], min(one["y"] for one in rest)) == (0, 2, 2)
        assert len(rest) % 4 == 0
        found += [one["properties"]["markdown"] for one in rest]
    assert found == [widget["properties"]["markdown"] for widget in widgets]


def test_each_part_links_the_others_and_says_which_it_is() -> None:
    parts = divided("s3-dr", {"widgets": rows(126)}, ACCOUNT, "us-west-2")
    said = parts["s3-dr-2"]["widgets"][0]["properties"]["markdown"]
    assert f"[1]({console_url('s3-dr', ACCOUNT, 'us-west-2')})" in said
    assert "**2**" in said
    assert len(parts) == 2


def test_distances_between_rows_stay_within_a_part() -> None:
    widgets = [*rows(125), text("last", x=0, y=1000), text("lower", x=0, y=1010)]
    last = divided("s3-dr", {"widgets": widgets}, ACCOUNT, REGION)["s3-dr-2"]["widgets"]
    assert last[-1]["y"] - last[-2]["y"] == 10


def test_a_body_with_too_many_metrics_is_divided_too() -> None:
    widgets = [{**graph(*[LOAD] * 500), "y": 6 * number} for number in range(6)]
    parts = divided("s3-dr", {"widgets": widgets}, ACCOUNT, REGION)
    weights = [
        sum(len(widget["properties"].get("metrics", [])) for widget in body["widgets"]) for body in parts.values()
    ]
    assert weights == [MAX_METRICS, 500]


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(InvalidInput, match="when every widget says its `x` and `y`"):
        divided("s3-dr", {"widgets": [text()] * 501}, ACCOUNT, REGION)
    pillar = text(x=0, y=0, height=1000)
    with pytest.raises(InvalidInput, match=r"501 widgets .* reach into each other from row 0 on"):
        divided("s3-dr", {"widgets": [pillar, *rows(125)]}, ACCOUNT, REGION)
    with pytest.raises(InvalidInput, match="255 letters"):
        divided("s" * 255, {"widgets": rows(126)}, ACCOUNT, REGION)


@pytest.mark.parametrize(
    ("candidate", "is_one"),
    [
        ("web-2", True),
        ("web-13", True),
        ("web", False),
        ("web-1", False),
        ("web-02", False),
        ("web-x", False),
        ("web-b-2", False),
    ],
)
def test_parts_are_known_by_their_number(candidate: str, is_one: bool) -> None:
    assert is_part_name(candidate, "web") is is_one


# --- ours and others' ----------------------------------------------------------------------------------------


def held(**bodies_by_name: Any) -> dict[Any, Any]:
    """What AWS holds."""
    return {
        dashboard_address(name.replace("_", "-"), ACCOUNT): None if body is None else {"Body": body}
        for name, body in bodies_by_name.items()
    }


OURS = {"widgets": [text("made by us")]}
OUR_PART = {"widgets": [text(f"made by us, {part_mark('web')}")]}
THEIRS = {"widgets": [text("made by them"), {"type": "text"}, None]}


def test_a_dashboard_that_lacks_the_mark_is_refused_and_never_removed() -> None:
    wish = dashboards_wish({"web": OURS}, ACCOUNT)
    assert dashboards_goal("web", wish, held(web=OURS), "made by us") == ({}, [])
    assert dashboards_goal("web", wish, held(web=None), "made by us") == ({}, [])
    with pytest.raises(Refused, match="no text of it says 'made by us'"):
        dashboards_goal("web", wish, held(web=THEIRS), "made by us")
    unwanted, notes = dashboards_goal("web", {}, held(web=THEIRS), "made by us")
    assert unwanted == {}
    assert "seems to be somebody else's" in notes[0]


def test_without_a_mark_the_dashboard_of_the_name_is_ours() -> None:
    assert dashboards_goal("web", dashboards_wish({"web": OURS}, ACCOUNT), held(web=THEIRS), "") == ({}, [])
    assert dashboards_goal("web", {}, held(web=THEIRS), "") == ({dashboard_address("web", ACCOUNT): {}}, [])


@pytest.mark.parametrize("mark", ["", "made by us"])
def test_parts_that_are_not_needed_go_and_what_is_only_called_so_stays(mark: str) -> None:
    found = held(web=OURS, web_2=OUR_PART, web_3=THEIRS, web_4=OURS)
    unwanted, notes = dashboards_goal("web", dashboards_wish({"web": OURS}, ACCOUNT), found, mark)
    assert unwanted == {dashboard_address("web-2", ACCOUNT): {}}
    assert notes == []


def test_a_part_without_the_mark_stays() -> None:
    found = held(web=OURS, web_2={"widgets": [text(part_mark("web"))]})
    assert dashboards_goal("web", dashboards_wish({"web": OURS}, ACCOUNT), found, "made by us") == ({}, [])


def test_a_part_is_never_put_over_somebody_elses_dashboard() -> None:
    wish = dashboards_wish({"web": OURS, "web-2": OUR_PART}, ACCOUNT)
    with pytest.raises(Refused, match=r"dashboard 'web-2'.*parts of the dashboard `web`"):
        dashboards_goal("web", wish, held(web=OURS, web_2=THEIRS), "made by us")


@pytest.mark.parametrize("mark", ["made by us", ""])
def test_a_part_of_another_dashboard_is_never_taken_for_one_of_its_own(mark: str) -> None:
    found = held(web_2=OUR_PART)
    with pytest.raises(Refused, match=r"'web-2': it is a part of the dashboard 'web'.*Choose another name"):
        dashboards_goal("web-2", dashboards_wish({"web-2": OURS}, ACCOUNT), found, mark)
    unwanted, notes = dashboards_goal("web-2", {}, found, mark)
    assert (unwanted, len(notes)) == ({}, 1)


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", EAST, "https://us-east-1.console.aws.amazon.com/"),
        ("aws-us-gov", "us-gov-west-1", "https://console.amazonaws-us-gov.com/"),
        ("aws-cn", "cn-north-1", "https://console.amazonaws.cn/"),
    ],
)
def test_links_lead_to_the_console_of_the_partition(partition: str, region: str, host: str) -> None:
    url = console_url("web", Account("111122223333", partition), region)
    assert url.startswith(host)
    assert url.endswith(f"region={region}#dashboards/dashboard/web")
