# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The pages: well-formed, complete, in the right order, and without any text that could break out."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Cause
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence import Point, pair_evidence, point_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_markup import STYLE, prose, shown
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_page import pair_page
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_words import printable
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fleet import (
    fleet_evidence,
    fleet_page,
    result_of,
)
from ansible_collections.crossregion.s3_dr.tests.unit.evidence_samples import (
    HOSTILE,
    at_risk,
    canary,
    check,
    comparison,
    finding,
    json_values,
    proven,
)

RUN = "20261123T140410Z"
any_text = st.text(st.characters(exclude_categories=[]), min_size=1)
NO_LINKS: dict[str, Any] = {"previous": None, "also": [], "unfinished": [], "broken": []}


def page_of(result: dict[str, Any], history: tuple[Point, ...] = (), **links: Any) -> str:
    """The page of a result."""
    return pair_page(pair_evidence(result, RUN, "2026-11-23T14:04:10Z", {**NO_LINKS, **links}), history).decode()


def fleet_of(*handed: dict[str, Any], links: dict[str, str] | None = None) -> str:
    """The page of all pairs."""
    results = [result_of(one) for one in handed]
    return fleet_page(fleet_evidence(results, RUN, "2026-11-23T14:04:10Z", NO_LINKS, {}), links or {}).decode()


def tree_of(page: str) -> ElementTree.Element:
    """The page as a tree, if it is well-formed."""
    return ElementTree.fromstring(page)


def words(page: str) -> str:
    """What is read on the page."""
    return re.sub(r"\s+", " ", " ".join(tree_of(page).find("body").itertext()))


def test_the_recovery_point_comes_first_then_risks_then_proof() -> None:
    said = words(page_of(at_risk(), (point_of(proven()), point_of(at_risk()))))
    order = [
        "at risk",
        "Everything written up to 14:03:22 UTC on 23 November 2026 is in us-west-2.",
        "Risks",
        "Proof",
        "Recovery points",
        "The last 2 runs",
        "Controls",
        "Check this evidence",
    ]
    places = [said.index(one) for one in order]
    assert places == sorted(places)


def test_what_was_seen_is_on_the_page() -> None:
    said = words(page_of(at_risk(notes=["A note."], drift=[{"action": "update", "kind": "bucket", "name": "b-1"}])))
    for one in (
        *at_risk()["problems"],
        "1,204,311",
        "No defect in 300 samples: below 1 % defective with 95 % confidence. 73.4 MB were read.",
        "4.1 s",
        "All findings",
        "late",
        "A note.",
        "b-1",
        "ReplicationLatency",
        "within the target of 15 min",
        "latency alarm",
        "S3.7",
        "CP-10",
        "164.308(a)(7)",
    ):
        assert one in said, one


def test_each_cause_has_its_bar_and_its_remedy() -> None:
    causes = {cause.value: {"versions": 4, "bytes": 5, "unexpected": 1} for cause in Cause}
    page = page_of(at_risk(causes=causes))
    assert page.count('class="track"') == len(Cause)
    assert "filter FAILED" in words(page)


def test_the_content_of_each_comparison_is_said() -> None:
    further = comparison(destination="archive", content={"statement": "Nothing was read."})
    said = words(page_of(proven(comparisons=[comparison(content=proven()["content"]), further])))
    assert "example-orders → example-orders-dr: No defect in 300 samples" in said
    assert "example-orders → archive: Nothing was read." in said


def test_findings_that_are_left_out_are_said() -> None:
    said = words(page_of({**at_risk(), "findings_total": 4321, "findings_file": "findings.jsonl"}))
    assert "The first 3 of 4,321 findings; the complete list is in findings.jsonl" in said


def test_a_verdict_is_a_word_and_a_sign_and_not_a_colour_alone() -> None:
    for verdict, sign in (("proven", "✓"), ("at_risk", "!"), ("broken", "✕"), ("unknown", "?")):
        page = page_of(proven(verdict=verdict))
        assert f'<span aria-hidden="true">{sign}</span> {verdict.replace("_", " ")}' in page
        assert f'<body class="verdict-{verdict}">' in page


def test_nothing_is_promised_without_a_recovery_point() -> None:
    said = words(page_of({"pair": "orders", "verdict": "unknown", "problems": ["Access Denied."]}))
    assert "No recovery point can be stated. Access Denied." in said
    assert "Everything written" not in said
    assert "No problem was found" not in said


def test_what_is_broken_in_the_chain_is_loud_even_if_the_pair_is_proven() -> None:
    page = page_of(proven(), broken=["Run X: junit.xml is not as it was written."], unfinished=["Y"])
    assert page.index('class="sentences alarm"') < page.index("Run X: junit.xml")
    assert "Run Y before this one has not ended" in words(page)


def test_the_page_needs_nothing_but_itself() -> None:
    page = page_of(at_risk(), (point_of(proven()), point_of(at_risk())))
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;" in page
    assert f"<style>{STYLE}</style>" in page
    assert not set("&<") & set(STYLE)
    tree = tree_of(page)
    assert {one.tag for one in tree.iter()} & {"script", "link", "img", "iframe", "object", "base"} == set()
    attributes = {name for one in tree.iter() for name in one.attrib}
    assert not [name for name in attributes if name in ("src", "href", "style") or name.startswith("on")]
    assert not [one for one in ("url(", "@import", "http:", "https:") if one in page]


def test_the_page_is_accessible() -> None:
    tree = tree_of(page_of(at_risk(), (point_of(proven()), point_of(at_risk()))))
    assert tree.get("lang") == "en"
    assert len(list(tree.iter("h1"))) == 1
    assert len(list(tree.iter("main"))) == 1
    for one in tree.iter("table"):
        assert "".join(one.find("caption").itertext())
        assert [head.get("scope") for head in one.iter("th")] == ["col"] * len(list(one.iter("th")))
    for one in tree.iter("svg"):
        assert one.get("aria-hidden") == "true" or (one.get("role") == "img" and one.find("title") is not None)
    headings = [int(one.tag[1]) for one in tree.iter() if re.fullmatch("h[1-6]", str(one.tag))]
    assert all(after - before <= 1 for before, after in pairwise(headings))


def test_hidden_characters_are_shown() -> None:
    page = page_of(at_risk())
    for name in ("U+202E", "U+200B", "U+000A", "U+0007"):
        assert f'<span class="hidden-character">{name}</span>' in page


def test_backticks_are_code_and_an_odd_one_stays() -> None:
    assert prose("set `a` and `b<`.") == "set <code>a</code> and <code>b&lt;</code>."
    assert prose("a ` b") == "a ` b"
    assert prose("`x` and ` y") == "<code>x</code> and ` y"


def with_everywhere(said: str) -> dict[str, Any]:
    """A result that says the same hostile text wherever text comes from outside."""
    way = {"source": said, "destination": said}
    return {
        **proven(),
        "pair": said,
        "verdict": "broken",
        "problems": [said],
        "notes": [said],
        "checks": [check("broken", name=said, subject=said, message=said), check("warning", message=said)],
        "findings": [finding(cause=said, key=said, version_id=said, detail=said, **way)],
        "causes": {said: {"versions": 1, "bytes": 1, "unexpected": 1}},
        "comparisons": [comparison(complete=False, reason=said, source_region=said, destination_region=said, **way)],
        "recovery": {**proven()["recovery"], "recovery_point": said, "measured_at": said,
                     "rules": [{**proven()["recovery"]["rules"][0], "prefix": said, "rule": said, **way}]},
        "canaries": [canary(rule=said, status=said, reason=said, encryption=said, left_behind=[said], **way)],
        "drift": [{"action": said, "kind": said, "name": said, "region": said}],
        "content": {"statement": said},
        "metrics": [{"metric": said, "region": said, "rule": said, "published": False, **way}],
    }  # fmt: skip


@given(any_text)
def test_no_text_can_break_out_of_the_page(said: str) -> None:
    plain, hostile = page_of(with_everywhere("x")), page_of(with_everywhere(f"{HOSTILE}{said}"))
    hidden = [one for one in tree_of(hostile).iter("span") if one.get("class") == "hidden-character"]
    assert hidden
    assert "<script" not in hostile
    tags = {one.tag for one in tree_of(hostile).iter()}
    assert tags == {one.tag for one in tree_of(plain).iter()} | {"span"}
    assert printable(hostile.replace("\n", "")) == hostile.replace("\n", "")


@given(any_text)
def test_text_is_escaped_and_nothing_of_it_is_lost(said: str) -> None:
    marked = re.sub(r'<span class="hidden-character">(U\+[0-9A-F]{4,6})</span>', r"⟨\1⟩", shown(said))
    assert html.unescape(marked) == printable(said)
    assert not re.search(r"[<>\"']", re.sub(r'<span class="hidden-character">[^<]*</span>', "", shown(said)))


@given(st.dictionaries(st.sampled_from(sorted(proven())), json_values))
def test_a_result_of_any_shape_has_a_page(changes: dict[str, Any]) -> None:
    tree_of(page_of({**proven(), **changes}))


points = st.lists(
    st.builds(
        point_of,
        st.fixed_dictionaries(
            {
                "recovery": st.fixed_dictionaries({"rpo_seconds": st.none() | st.integers(0, 10**9),
                                                   "rpo_target_seconds": st.integers(0, 10**6)}),
                "created": st.just("2026-11-23T14:04:04Z") | any_text,
                "verdict": st.sampled_from(["proven", "at_risk", "broken", "unknown"]),
            }
        ),
    ),
    min_size=2,
    max_size=30,
)  # fmt: skip


@given(points)
def test_every_run_has_its_bar_inside_the_chart(history: list[Point]) -> None:
    tree = tree_of(page_of(proven(), tuple(history)))
    bars = [one for one in tree.iter("rect") if "bar" in (one.get("class") or "") and one.get("x")]
    known = [point for point in history if point.lag_seconds is not None]
    assert len(bars) == len(known)
    for one in bars:
        assert 0 <= float(one.get("y", "-1")) <= 120
        assert float(one.get("x", "").rstrip("%")) + float(one.get("width", "").rstrip("%")) <= 100


def test_one_run_has_no_history() -> None:
    assert "The last" not in words(page_of(proven(), (point_of(proven()),)))


# --- the fleet -----------------------------------------------------------------------------------------------


def test_the_page_of_the_fleet_has_the_worst_first_with_links() -> None:
    page = fleet_of(
        {"pair": "good", "result": proven()},
        {"pair": "lost", "result": None},
        {"pair": "late", "result": at_risk()},
        links={"good": "../../pairs/good/R/report.html"},
    )
    said = words(page)
    assert "3 pairs: 1 unknown, 1 at risk and 1 proven." in said
    assert said.index("lost") < said.index("late") < said.index("good")
    assert "The run ended before a verdict." in said
    assert '<a href="../../pairs/good/R/report.html">good</a>' in page
    assert page.count("<a ") == 1


@pytest.mark.parametrize(
    ("handed", "said"),
    [
        ([], "No pair was verified, so nothing is proven."),
        ([{"pair": "a", "result": proven()}], "The pair is proven."),
        ([{"pair": "a", "result": proven()}, {"pair": "b", "result": proven()}], "Every pair is proven."),
    ],
)
def test_the_fleet_in_a_sentence(handed: list[dict[str, Any]], said: str) -> None:
    assert said in words(fleet_of(*handed))


@given(any_text, json_values)
def test_a_fleet_of_any_results_has_a_page(said: str, value: Any) -> None:
    hostile = f"{HOSTILE}{said}"
    page = fleet_of({"pair": hostile, "result": proven(problems=[hostile])}, {"pair": "b", "result": value})
    tree_of(page)
    assert "<script" not in page
