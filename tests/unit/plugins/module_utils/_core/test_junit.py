# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A verify as JUnit XML."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Area, Check, Status, verdict_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_words import printable
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.junit import junit
from ansible_collections.crossregion.s3_dr.tests.unit.evidence_samples import (
    at_risk,
    canary,
    check,
    json_values,
    proven,
)

any_text = st.text(st.characters(exclude_categories=[]))
checks = st.lists(
    st.builds(Check, st.sampled_from(Area), any_text, any_text, st.sampled_from(Status), any_text), max_size=6
)


def tree_of(*results: dict[str, Any]) -> ElementTree.Element:
    """The document as CI reads it."""
    return ElementTree.fromstring(junit(results))


def case_of(*checks: dict[str, Any], **changes: Any) -> ElementTree.Element:
    """The test case of the first of these checks."""
    found = tree_of(proven(checks=list(checks), **changes)).find("testsuite/testcase")
    assert found is not None
    return found


def test_a_pair_is_a_suite_and_a_check_is_a_case() -> None:
    tree = tree_of(proven(created="2026-11-23T14:04:04Z"), at_risk(pair="invoices"))
    first, second = tree
    assert (first.get("name"), second.get("name")) == ("orders", "invoices")
    assert (first.get("timestamp"), first.get("time")) == ("2026-11-23T14:04:04", "131.200")
    assert (first.get("failures"), second.get("failures"), tree.get("failures")) == ("0", "1", "1")
    case = first[0]
    assert case.get("classname") == "versions"
    assert case.get("name") == "all versions: example-orders -> example-orders-dr"


@pytest.mark.parametrize(
    ("status", "tag"),
    [
        ("passed", None),
        ("warning", "system-out"),
        ("at_risk", "failure"),
        ("broken", "failure"),
        ("unknown", "error"),
        ("skipped", "skipped"),
        ("a status of another release", "error"),
    ],
)
def test_each_status_has_its_element(status: str, tag: str | None) -> None:
    case = case_of(check(status, message="This is why."))
    assert [one.tag for one in case] == ([tag] if tag else [])
    assert tag is None or "This is why." in f"{case[0].text}{case[0].get('message')}"


def test_the_time_of_a_canary_is_that_of_the_slowest_that_the_check_is_about() -> None:
    way = "example-orders -> example-orders-dr"
    flown = [canary(rule="r-1", seconds=3), canary(rule="r-2", seconds=9.5), canary(source="other", seconds=70)]
    assert case_of(check(area="canary", subject=way), canaries=flown).get("time") == "9.500"
    assert case_of(check(area="canary", subject=f"{way} (rule r-1)"), canaries=flown).get("time") == "3.000"
    both = [canary(rule="r", seconds=3), canary(rule="r", encryption="aws:kms", seconds=5)]
    assert case_of(check(area="canary", subject=f"r (default): {way}"), canaries=both).get("time") == "3.000"
    assert case_of(check(area="canary", subject=f"r (aws:kms): {way}"), canaries=both).get("time") == "5.000"
    assert case_of(check(area="canary", subject="r-2"), canaries=flown).get("time") == "9.500"
    assert case_of(check(area="canary", subject="elsewhere"), canaries=flown).get("time") is None
    assert case_of(check(area="versions", subject=way), canaries=flown).get("time") is None


@given(checks)
def test_the_document_is_valid_and_the_counts_agree(found: list[Check]) -> None:
    verdict = verdict_of(found).value
    results = [one.as_result() for one in found]
    tree = tree_of(proven(checks=results, verdict=verdict), proven())
    suite = tree[0]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases][: len(found)] == [
        f"{printable(one.name)}: {printable(one.subject)}" if one.subject else printable(one.name) for one in found
    ]
    statuses = [one.status for one in found]
    assert int(suite.get("tests", "")) == len(cases)
    assert len(cases) in (len(found), len(found) + 1)
    assert int(suite.get("failures", "")) == sum(one in (Status.AT_RISK, Status.BROKEN) for one in statuses)
    assert int(suite.get("skipped", "")) == statuses.count(Status.SKIPPED)
    added = len(cases) - len(found)
    assert int(suite.get("errors", "")) == statuses.count(Status.UNKNOWN) + added
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(tree.get(name, "")) == sum(int(one.get(name, "")) for one in tree)


@given(checks, st.sampled_from(["proven", "at_risk", "broken", "unknown"]))
def test_ci_is_green_only_if_the_pair_is_proven(found: list[Check], verdict: str) -> None:
    suite = tree_of(proven(checks=[one.as_result() for one in found], verdict=verdict))[0]
    red = int(suite.get("failures", "")) + int(suite.get("errors", ""))
    assert verdict == "proven" or red > 0


def test_a_run_that_ended_early_is_an_error() -> None:
    (case,) = tree_of({"pair": "orders", "problems": ["Access Denied."]})[0]
    assert case[0].tag == "error"
    assert case[0].text == "Access Denied."


@given(st.dictionaries(st.sampled_from(sorted(proven())), json_values))
def test_a_result_of_any_shape_has_a_document(changes: dict[str, Any]) -> None:
    assert tree_of({**proven(), **changes}).tag == "testsuites"
