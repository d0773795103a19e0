# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What the record of a verify says, in JSON and in words, and the chain of its manifests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence import (
    COLLECTION_VERSION,
    CONTROLS,
    INTERRUPTED,
    controls_of,
    interrupted,
    one_line,
    pair_evidence,
    point_of,
    rows_compared,
    serialise,
    support_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_chain import (
    Seen,
    flaws_of_chain,
    flaws_of_run,
    links_of,
    manifest_of,
    order_of,
    sentences,
    sha256,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_words import (
    duration,
    listed,
    moment,
    printable,
    recovery_sentence,
    short_moment,
    size,
)
from ansible_collections.crossregion.s3_dr.tests.unit.evidence_samples import (
    HOSTILE,
    at_risk,
    check,
    comparison,
    finding,
    json_values,
    proven,
    recovery,
)

ROOT = Path(__file__).parents[5]
RUNS = ["20261123T140322Z", "20261123T140322Z-2", "20261123T140322Z-10", "20261124T000000Z"]


# --- words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_200_000, "1.2 MB"), (999_960, "1.0 MB"), (4e12, "4.0 TB"),
     (2.5e15, "2.5 PB")],
)  # fmt: skip
def test_sizes(amount: float, said: str) -> None:
    assert size(amount) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (41, "41 s"), (3.2, "3.2 s"), (59.97, "60 s"), (60, "1 min"), (725, "12 min 5 s"), (900, "15 min"),
     (3599.9, "1 h"), (7500, "2 h 5 min"), (86400, "1 d"), (3297782, "38 d 4 h")],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_moments() -> None:
    assert moment("2026-11-23T14:03:22Z") == "14:03:22 UTC on 23 November 2026"
    assert moment("2026-01-02T03:04:05.678+00:00") == "03:04:05 UTC on 2 January 2026"
    assert moment("2026-13-02T03:04:05Z") == "2026-13-02T03:04:05Z"
    assert short_moment("2026-11-23T14:03:22Z") == "2026-11-23 14:03:22Z"
    assert short_moment("soon") == "soon"


def test_lists() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_what_cannot_be_seen_is_named() -> None:
    assert printable("a\u202eb\nc") == "a⟨U+202E⟩b⟨U+000A⟩c"
    assert printable("bücher/日本語 x.pdf") == "bücher/日本語 x.pdf"


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_hidden_is_left(said: str) -> None:
    assert printable(said).isprintable()


def test_the_recovery_point_in_the_words_of_the_documentation() -> None:
    result = at_risk()
    assert recovery_sentence(result) == (
        "Everything written up to 14:03:22 UTC on 23 November 2026 is in us-west-2. "
        "3 versions (1.2 MB) are at risk, the oldest for 41 s."
    )
    excepted = {"no_rule_matches": {"versions": 5, "excepted": 2}, "pending": {"versions": 1, "excepted": 0}}
    said = recovery_sentence(proven(causes=excepted))
    assert "is in us-west-2, except 2 versions by accepted causes (no rule matches). No version is at risk." in said
    below = recovery_sentence(proven(prefixes=["orders/", "in\n"]))
    assert below.startswith("Everything written below 'orders/' and 'in⟨U+000A⟩' up to ")
    assert recovery_sentence(proven()).endswith("is in us-west-2. No version is at risk.")
    one = recovery(versions_at_risk=1, bytes_at_risk=5, oldest_missing=finding())
    assert recovery_sentence(proven(recovery=one)).endswith("1 version (5 B) is at risk, for 41 s.")


def test_a_two_way_pair_has_its_recovery_point_at_both_ends() -> None:
    both = recovery()
    both["rules"].append({**both["rules"][0], "source": "example-orders-dr", "destination": "example-orders"})
    assert "is in us-east-1 and us-west-2." in recovery_sentence(proven(recovery=both))


def test_further_destinations_are_named() -> None:
    further = comparison(destination="archive", destination_region="eu-central-1")
    assert "is in us-west-2 and eu-central-1." in recovery_sentence(proven(comparisons=[comparison(), further]))


@pytest.mark.parametrize(
    "changes",
    [
        {"comparisons": [comparison(), comparison(complete=False, reason="Access Denied.")]},
        {"comparisons": [{**comparison(), "complete": None}]},
        {"recovery": None},
        {"recovery": {}},
    ],
)
def test_no_recovery_point_is_stated_that_was_not_measured(changes: dict[str, Any]) -> None:
    assert recovery_sentence(proven(**changes)).startswith("No recovery point can be stated")


# --- the record ----------------------------------------------------------------------------------------------


def test_the_version_is_the_collections() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == COLLECTION_VERSION


def test_the_record_holds_the_result_and_not_the_task() -> None:
    found = pair_evidence({**proven(), "diff": [], "failed": False, "evidence": "/srv/x"}, RUNS[0], "1999")
    assert found["schema"] == "crossregion.s3_dr/verify/1"
    assert (found["pair"], found["run"], found["verdict"]) == ("orders", RUNS[0], "proven")
    assert found["comparisons"] == proven()["comparisons"]
    assert found["api_calls"]["total"] == 2460
    assert not {"changed", "diff", "failed", "evidence"} & set(found)


def test_the_time_is_that_of_aws_if_it_told_one() -> None:
    assert pair_evidence(proven(), RUNS[0], "here")["created"] == "2026-11-23T14:04:04Z"
    assert pair_evidence(proven(recovery=None), RUNS[0], "here")["created"] == "here"


def test_a_run_that_has_not_ended_proves_nothing() -> None:
    found = interrupted("orders", RUNS[0], "now")
    assert (found["verdict"], found["problems"]) == ("unknown", [INTERRUPTED])
    assert {control["evidence"] for control in found["controls"]} == {"not_shown"}


@pytest.mark.parametrize("verdict", [None, "", "PROVEN", "fine", 1])
def test_a_verdict_that_nobody_knows_is_unknown(verdict: object) -> None:
    assert pair_evidence(proven(verdict=verdict), RUNS[0], "now")["verdict"] == "unknown"


@given(st.dictionaries(st.text(), json_values))
@example({"bytes that are not UTF-8": "a\udcffb", "\udc80": 1})
def test_a_record_reads_back_as_it_was(record: dict[str, Any]) -> None:
    written = serialise(record)
    assert json.loads(written) == record
    assert serialise(json.loads(written)) == written
    assert json.loads(one_line(record)) == record


@given(st.dictionaries(st.text(), json_values))
def test_a_finding_is_one_line_to_every_reader(record: dict[str, Any]) -> None:
    assert len(one_line(record).decode().splitlines()) == 1


def test_equal_records_are_equal_bytes_and_readable() -> None:
    assert serialise({"b": 1, "a": "ü"}) == serialise({"a": "ü", "b": 1}) == '{\n  "a": "ü",\n  "b": 1\n}\n'.encode()


def test_what_is_no_number_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        serialise({"a": float("nan")})


# --- controls ------------------------------------------------------------------------------------------------


def said_of(identifier: str, **changes: Any) -> str:
    """What the evidence of a changed result says of one control."""
    return str(next(one for one in controls_of([proven(**changes)]) if one["id"] == identifier)["evidence"])


def test_a_proven_pair_supports_every_control() -> None:
    assert [one["id"] for one in controls_of([proven()])] == ["S3.7", "CP-6", "CP-9", "CP-10", "45 CFR 164.308(a)(7)"]
    assert {one["evidence"] for one in controls_of([proven()])} == {"supports"}


def test_no_control_is_ever_said_to_be_met() -> None:
    said = json.dumps(controls_of([proven()])).lower()
    assert not [word for word in ("compl", "certif", "fulfil", "satisf") if word in said]


SAID_BESIDE = {"skipped": "supports", "warning": "supports"}
"""A check that was not wished for, or that only warns, hides nothing if another one of its area passed."""


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("at_risk", "open"),
        ("broken", "open"),
        ("unknown", "not_shown"),
        ("warning", "not_shown"),
        ("skipped", "not_shown"),
    ],
)
def test_a_control_follows_the_checks_that_speak_to_it(control: Any, status: str, said: str) -> None:
    for area in control.areas:
        checks = [check(area=other.value) for other in control.areas if other != area]
        assert said_of(control.id, checks=[*checks, check(status, area.value)]) == said
        assert said_of(control.id, checks=checks) == "not_shown"
        whole = [*checks, check(area=area.value)]
        assert said_of(control.id, checks=[*whole, check(status, area.value)]) == SAID_BESIDE.get(status, said)


def test_a_copy_in_the_same_region_supports_no_control_that_asks_for_another() -> None:
    same = [comparison(destination_region="us-east-1")]
    assert said_of("S3.7", comparisons=same) == said_of("CP-6", comparisons=same) == "not_shown"
    assert said_of("CP-9", comparisons=same) == "supports"


def test_a_comparison_of_some_prefixes_shows_nothing_of_the_copy() -> None:
    some = proven(prefixes=["orders/"])
    said = {control.id: support_of(control, some).value for control in CONTROLS}
    assert said.pop("S3.7") == "supports"
    assert set(said.values()) == {"not_shown"}
    assert {support_of(control, proven(prefixes=[])).value for control in CONTROLS} == {"supports"}


def test_of_a_fleet_the_pair_that_says_least_decides() -> None:
    fleet = controls_of([proven(), proven(checks=[])])
    assert {one["evidence"] for one in fleet} == {"not_shown"}
    assert {one["evidence"] for one in controls_of([])} == {"not_shown"}


# --- history -------------------------------------------------------------------------------------------------


def test_a_run_in_the_charts() -> None:
    point = point_of(at_risk(created="2026-11-23T14:04:04Z"))
    assert (point.lag_seconds, point.target_seconds, point.versions_at_risk) == (42, 900, 3)
    assert (point.slowest_canary_seconds, point.matched) == (4.1, 1_209_428)


@pytest.mark.parametrize("amount", [-1, True, "5", None, float("nan"), float("inf")])
def test_what_is_no_amount_is_not_drawn(amount: object) -> None:
    point = point_of(proven(recovery=recovery(rpo_seconds=amount)))
    assert point.lag_seconds is None


@given(st.dictionaries(st.sampled_from(["recovery", "canaries", "comparisons", "created", "verdict"]), json_values))
def test_a_record_of_any_shape_becomes_a_point(record: dict[str, Any]) -> None:
    point = point_of(record)
    amounts = (point.lag_seconds, point.target_seconds, point.versions_at_risk, point.slowest_canary_seconds)
    assert all(amount is None or amount >= 0 for amount in amounts)


# --- the chain -----------------------------------------------------------------------------------------------


def test_runs_are_in_the_order_of_their_times() -> None:
    assert sorted(set(RUNS), key=lambda run: order_of(run) or ("", 0)) == RUNS
    assert [order_of(name) for name in ("lost+found", "20261123T140322Z-1", "20261123T140322Z-02", "x" * 16)] == [
        None
    ] * 4


def chain(*files: dict[str, bytes]) -> list[Seen]:
    """Runs that ended one after the other, with these files."""
    runs: list[Seen] = []
    for name, contents in zip(RUNS, files, strict=False):
        hashes = {file: sha256(content) for file, content in contents.items()}
        runs.append(Seen(name, manifest_of(name, hashes, links_of(name, runs)), hashes))
    return runs


contents = st.dictionaries(st.sampled_from(["evidence.json", "report.html", "junit.xml"]), st.binary(), min_size=1)


@given(st.lists(contents, min_size=1, max_size=4))
def test_a_chain_that_nobody_touched_has_no_flaw(files: list[dict[str, bytes]]) -> None:
    assert flaws_of_chain(chain(*files)) == []


@given(st.lists(contents, min_size=1, max_size=4), st.data())
def test_every_change_of_a_manifest_is_found(files: list[dict[str, bytes]], data: st.DataObject) -> None:
    runs = chain(*files)
    at = data.draw(st.integers(0, len(runs) - 1))
    manifest = bytearray(runs[at].manifest or b"")
    place = data.draw(st.integers(0, len(manifest) - 1))
    manifest[place] ^= data.draw(st.integers(1, 255))
    runs[at] = Seen(runs[at].run, bytes(manifest), runs[at].files)
    assert any(runs[at].run in flaw for flaw in flaws_of_chain(runs))


@given(st.lists(contents, min_size=1, max_size=4), st.data())
def test_every_file_that_is_not_as_it_was_is_found(files: list[dict[str, bytes]], data: st.DataObject) -> None:
    runs = chain(*files)
    at = data.draw(st.integers(0, len(runs) - 1))
    name = data.draw(st.sampled_from(sorted(runs[at].files)))
    changed = data.draw(st.sampled_from([{}, {name: sha256(b"other")}, {name: "unreadable (Permission denied)"}]))
    kept = {file: value for file, value in runs[at].files.items() if file != name}
    runs[at] = Seen(runs[at].run, runs[at].manifest, {**kept, **changed})
    assert any(runs[at].run in flaw and name in flaw for flaw in flaws_of_chain(runs))


def test_a_file_that_came_later_is_found() -> None:
    (run,) = chain({"evidence.json": b"x"})
    more = Seen(run.run, run.manifest, {**run.files, "findings.jsonl": "0"})
    assert "findings.jsonl is there, and its manifest.json does not name it" in flaws_of_run(more)[0]


def test_a_run_that_was_removed_is_a_missing_link() -> None:
    runs = chain(*[{"a": b"1"}] * 4)
    assert flaws_of_chain([runs[0], runs[1], runs[3]]) == [
        f"Run {RUNS[3]} follows run {RUNS[2]}, which is missing or has no manifest.json.",
        f"Run {RUNS[1]}: no later run names its manifest.json, so a link is missing.",
    ]


def test_a_run_without_a_manifest_is_said_and_named_by_the_next() -> None:
    first, second = chain({"a": b"1"}, {"a": b"2"})
    unfinished = Seen(second.run, None, {"evidence.json": "0"})
    links = links_of(RUNS[2], [first, unfinished])
    assert links["previous"]["run"] == first.run
    assert links["unfinished"] == [second.run]
    third = Seen(RUNS[2], manifest_of(RUNS[2], {}, links), {})
    assert flaws_of_chain([first, unfinished, third]) == [
        f"Run {second.run} has not ended: it has no manifest.json. It proves nothing."
    ]


def test_what_was_changed_before_the_next_run_is_kept_in_its_manifest() -> None:
    (first,) = chain({"evidence.json": b"1"})
    changed = Seen(first.run, first.manifest, {"evidence.json": sha256(b"2")})
    links = links_of(RUNS[1], [changed])
    assert len(links["broken"]) == 1
    assert "evidence.json is not as it was written" in links["broken"][0]
    assert sentences(links) == links["broken"]


def test_runs_that_overlapped_are_both_tied_by_the_next() -> None:
    (first,) = chain({"a": b"1"})
    links = links_of(RUNS[1], [first])
    twins = [Seen(name, manifest_of(name, {}, links), {}) for name in (RUNS[1], RUNS[2])]
    next_links = links_of(RUNS[3], [first, *twins])
    assert next_links["previous"]["run"] == RUNS[2]
    assert [one["run"] for one in next_links["also"]] == [RUNS[1]]
    last = Seen(RUNS[3], manifest_of(RUNS[3], {}, next_links), {})
    assert flaws_of_chain([first, *twins, last]) == []


@pytest.mark.parametrize(
    "change", [lambda one: one + b"\n", lambda one: one.replace(b"  ", b"\t", 1), lambda one: b" " + one]
)
def test_a_manifest_has_one_spelling(change: Callable[[bytes], bytes]) -> None:
    (first,) = chain({"a": b"1"})
    assert flaws_of_run(Seen(first.run, change(first.manifest or b""), first.files))


def test_a_manifest_whose_seal_does_not_fit_is_no_proof() -> None:
    """Of the newest manifest nothing else would tell."""
    (first,) = chain({"a": b"1"})
    said = json.loads(first.manifest or b"")
    assert flaws_of_run(Seen(first.run, serialise({**said, "broken": ["x"]}), first.files))


def test_a_manifest_that_was_made_anew_is_found_by_the_next() -> None:
    first, second = chain({"a": b"1"}, {"a": b"2"})
    forged = {"a": sha256(b"forged")}
    again = Seen(first.run, manifest_of(first.run, forged, links_of(first.run, [])), forged)
    assert flaws_of_run(again) == []
    assert flaws_of_chain([again, second]) == [
        f"Run {first.run}: its manifest.json is not the one that run {second.run} followed. It was changed since."
    ]


def test_a_manifest_of_another_run_is_no_proof() -> None:
    (first,) = chain({"a": b"1"})
    assert "is not as it was written" in flaws_of_run(Seen(RUNS[1], first.manifest, first.files))[0]


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_manifest_is_no_proof(manifest: bytes) -> None:
    assert flaws_of_run(Seen(RUNS[0], manifest, {}))


def test_a_fleet_names_the_manifests_of_its_pairs() -> None:
    tie = {"orders": {"run": RUNS[0], "manifest_sha256": "abc"}}
    run = Seen(RUNS[1], manifest_of(RUNS[1], {}, links_of(RUNS[1], []), tie), {})
    assert flaws_of_chain([run], {("orders", RUNS[0]): "abc"}) == []
    for found in ({}, {("orders", RUNS[0]): "abd"}):
        assert "pair orders" in flaws_of_chain([run], found)[0]


def test_hostile_text_in_a_record_stays_text() -> None:
    assert json.loads(serialise({"key": HOSTILE})) == {"key": HOSTILE}


def test_the_rows_of_a_whole_comparison_are_known() -> None:
    one = {"complete": True, "source_versions": 5, "source_delete_markers": 2}
    assert rows_compared({"comparisons": [one, one]}) == 14
    assert rows_compared({"comparisons": [one, {**one, "complete": False}]}) is None
    assert rows_compared({}) is None
