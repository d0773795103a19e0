# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A comparison finds every difference, or says that it is not complete; it never claims more than it saw."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import comparison
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.comparison import (
    PROGRESS_EVERY,
    Comparison,
    Progress,
    Settings,
    compare,
    suspicious,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.examination import Budget
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.version_listing import VersionListing
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Cause, Finding, Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.content import Method
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.explain import Explainer, Solved
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import march
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, KEYS, PRIMARY
from ansible_collections.crossregion.s3_dr.tests.unit.version_store import (
    LONG_AGO,
    Store,
    answered,
    keys,
    marker,
    version,
)

RULE = Rule("s3-dr-orders")
SCOPE = Scope(PRIMARY, DR, (RULE,), since=LONG_AGO - timedelta(days=30))
BACK = Scope(DR, PRIMARY, (RULE,), since=LONG_AGO - timedelta(days=30))
TIMEOUT = ConnectTimeoutError(endpoint_url="https://example-orders.s3.amazonaws.com/")


class Pair:
    """Two buckets to be compared, and what was said meanwhile."""

    def __init__(self, left: list[Version], right: list[Version], page: int = 1000) -> None:
        self.left = Store(left, PRIMARY.bucket, page)
        self.right = Store(right, DR.bucket, page)
        self.forward = SCOPE
        self.backward: Scope | None = None
        self.settings = Settings()
        self.requests = 1000
        self.findings: list[Finding] = []
        self.progress: list[Progress] = []
        self.explainers: list[Explainer] = []

    def explainer_at(self, now: datetime) -> Explainer:
        """The explainer that the comparison uses; kept, so that one sees what it was told."""
        self.explainers.append(Explainer(self.forward, self.backward, now, 900))
        return self.explainers[-1]

    def compare(self, **settings: Any) -> Comparison:
        """Compare them."""
        return compare(
            self.left.side(PRIMARY.region),
            self.right.side(DR.region),
            self.explainer_at,
            replace(self.settings, **settings),
            Budget(self.requests, 1000.0, lambda: 0.0, lambda seconds: None),
            self.findings.append,
            self.progress.append,
        )

    @property
    def causes(self) -> dict[str, Cause]:
        """The cause of each key's finding."""
        return {finding.key: finding.cause for finding in self.findings}


def failed(store: Store, *listed: Version) -> None:
    """Let S3 say FAILED of these versions."""
    for row in listed:
        store.answers[row.key] = {"ReplicationStatus": "FAILED"}


# --- what is found --------------------------------------------------------------------------------------------------


def test_equal_buckets_are_complete_and_cost_no_request() -> None:
    rows = [version("a"), marker("b"), version("b", "v0", is_latest=False), version("c")]
    pair = Pair(rows, rows)
    found = pair.compare()
    assert (found.complete, found.reason, found.matched, pair.findings) == (True, "", 4, [])
    assert (found.head_requests, pair.left.requests, pair.right.requests) == (0, 0, 0)
    assert (len(pair.left.lists), len(pair.right.lists)) == (1, 1)


def test_empty_buckets_are_complete() -> None:
    found = Pair([], []).compare()
    assert (found.complete, found.matched, found.oldest_arrived) == (True, 0, None)


def test_each_difference_becomes_a_finding() -> None:
    lost, other = version("lost"), version("extra")
    pair = Pair([version("both"), lost], [version("both"), other])
    failed(pair.left, lost)
    found = pair.compare()
    assert pair.causes == {"lost": Cause.FAILED, "extra": Cause.FOREIGN_OBJECT}
    assert found.tally.versions == {Cause.FAILED: 1, Cause.FOREIGN_OBJECT: 1}
    assert (found.matched, found.complete) == (1, True)
    assert found.head_requests == pair.left.requests + pair.right.requests == 3


def test_what_matters_most_is_examined_first_when_the_budget_is_small() -> None:
    early = [version(f"a{number}", age=60 * 86400) for number in range(5)]
    lost = version("z")
    pair = Pair([*early, lost], [])
    failed(pair.left, lost, *early)
    pair.requests = 1
    found = pair.compare()
    assert pair.causes["z"] is Cause.FAILED
    assert {pair.causes[row.key] for row in early} == {Cause.UNEXAMINED}
    assert (found.head_requests, found.max_head_requests) == (1, 1)


def test_without_a_budget_nothing_is_asked_and_that_is_said() -> None:
    pair = Pair([version("a"), version("b")], [])
    pair.requests = 0
    found = pair.compare()
    assert found.complete
    assert (found.unexamined, found.head_requests, pair.left.requests) == (2, 0, 0)


@given(st.dictionaries(keys, st.sampled_from(["both", "left", "right"]), max_size=15), st.integers(1, 6))
def test_every_key_of_any_unicode_is_matched_or_found(where: dict[str, str], page: int) -> None:
    left = [version(key) for key, side in where.items() if side != "right"]
    right = [version(key) for key, side in where.items() if side != "left"]
    pair = Pair(left, right, page)
    found = pair.compare()
    assert found.complete
    assert found.matched == len(left) + len(right) - len(where)
    assert {finding.key for finding in pair.findings} == {key for key, side in where.items() if side != "both"}


def test_ten_thousand_versions_of_one_key_in_opposite_orders_match() -> None:
    forwards = [version("a", f"v{number}", 100 + number, is_latest=number == 0) for number in range(10_000)]
    pair = Pair(forwards, forwards)
    pair.right.rows = [replace(row, is_latest=row.version_id == "v9999") for row in forwards[::-1]]
    found = pair.compare()
    assert (found.complete, found.matched) == (True, 10_000)
    assert list(pair.causes.values()) == [Cause.CONFLICT]


def test_more_versions_out_of_order_than_may_be_held_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    forwards = [version("a", f"v{number}", 100 + number, is_latest=number == 0) for number in range(50)]
    pair = Pair(forwards, forwards, page=10)
    pair.right.rows = forwards[::-1]
    monkeypatch.setattr(comparison, "march", partial(march, most_held=10))
    found = pair.compare()
    assert not found.complete
    assert "prefixes" in found.reason


def test_prefixes_limit_what_is_compared() -> None:
    rows = [version(key) for key in ("a/1", "b/1", "b/2", "c/1")]
    found = Pair(rows, rows[:1]).compare(prefixes=("c/", "a/"))
    assert (found.matched, found.source_count.versions, found.destination_count.versions) == (1, 2, 1)
    assert found.tally.versions.total() == 1


@pytest.mark.parametrize(("content", "differs"), [(Method.NONE, False), (Method.ETAG, True), (Method.SAMPLE, True)])
def test_etags_are_compared_if_content_is(content: Method, differs: bool) -> None:
    one, other = version("a", etag="e1"), version("a", etag="e2")
    assert suspicious(content)(one, other) is differs
    assert suspicious(content)(one, one) is False
    assert suspicious(content)(one, version("a", size=4)) is True
    pair = Pair([one], [other])
    found = pair.compare(content=content)
    assert (found.matched, pair.causes) == ((0, {"a": Cause.CONTENT_DIFFERS}) if differs else (1, {}))


def test_etags_of_kms_objects_are_not_kept_beyond_what_can_be_looked_at() -> None:
    source, destination = (replace(end, kms_key_arn=KEYS[end.bucket]) for end in (PRIMARY, DR))
    left = [version(str(number), etag="e1") for number in range(5)]
    right = [replace(row, etag="e2") for row in left]
    pair = Pair(left, right)
    pair.forward = replace(SCOPE, source=source, destination=destination)
    pair.requests = 2
    for row in left:
        pair.left.answers[row.key] = pair.right.answers[row.key] = {"ServerSideEncryption": "aws:kms"}
    found = pair.compare()
    assert (pair.progress[-1].spooled, found.head_requests) == (2, 2)
    assert found.solved[Solved.NOT_LOOKED_AT] in (4, 5)  # whether two requests go to one version or to two is chance
    assert sum(found.solved.values()) == found.matched == found.sample.population == 5


def test_a_sample_is_drawn_of_what_both_ends_hold() -> None:
    rows = [version(str(number)) for number in range(20)]
    found = Pair([*rows, marker("m"), version("only")], [*rows, marker("m")]).compare(sample_size=5, sample_seed="s")
    assert (found.sample.population, len(found.sample.chosen)) == (20, 5)
    again = [Pair(rows, rows).compare(sample_size=5, sample_seed=seed).sample.chosen for seed in "st"]
    assert again[0] == found.sample.chosen != again[1]


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "in_flight"),
    [(-1.0, 1), (0.0, 1), (0.25, 0), (1.0, 0)],
)
def test_the_second_in_which_the_listings_began_is_not_judged(
    age: float, in_flight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VersionListing, "began", LONG_AGO + timedelta(seconds=0.9))
    found = Pair([version("a", age=age)], []).compare()
    assert found.in_flight == in_flight
    assert found.cutoff == LONG_AGO - timedelta(seconds=1)


def test_the_end_that_began_first_decides() -> None:
    pair = Pair([version("a", age=30.0)], [])
    pair.right.date = LONG_AGO - timedelta(seconds=60)
    found = pair.compare()
    assert found.in_flight == 1
    assert found.began is not None
    assert found.began <= pair.right.date


def test_another_current_version_is_not_judged_while_it_is_young() -> None:
    old, young = version("a", "v1", age=500.0), version("a", "v2", age=-1.0)
    left = [old, replace(young, is_latest=False)]
    right = [replace(old, is_latest=False), young]
    found = Pair(left, right).compare()
    assert (found.matched, found.in_flight, found.tally.versions.total()) == (2, 1, 0)


def test_what_both_ends_hold_is_matched_however_young_it_is() -> None:
    young = version("a", age=-5.0)
    found = Pair([young], [young]).compare()
    assert (found.matched, found.in_flight) == (1, 0)


def test_no_clock_of_this_machine_is_asked_for_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair([marker("a", age=10_000.0), marker("b", age=100.0)], [])
    pair.forward = replace(SCOPE, rules=(replace(RULE, delete_markers=True),))
    monkeypatch.setattr("time.time", lambda: pytest.fail("this machine's clock was asked"))
    found = pair.compare()
    assert pair.causes == {"a": Cause.LATE, "b": Cause.PENDING}
    assert found.began is not None
    assert LONG_AGO - timedelta(seconds=60) < found.began <= LONG_AGO
    assert [explainer.now for explainer in pair.explainers] == [found.began]


def test_the_oldest_object_that_arrived_tells_since_when_a_single_direction_works() -> None:
    both = [marker("m", age=999_000), version("a", age=90_000), version("b", age=80_000)]
    lost = version("z", age=95_000)
    pair = Pair([*both, lost], both)
    pair.forward = replace(SCOPE, since=None)
    found = pair.compare()
    assert found.oldest_arrived == LONG_AGO - timedelta(seconds=90_000)
    assert pair.causes == {"z": Cause.WRITTEN_BEFORE_RULE}


def test_in_a_two_way_pair_it_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[datetime | None] = []
    arrived_from = Explainer.arrived_from

    def listening(self: Explainer, oldest: datetime | None) -> Explainer:
        told.append(oldest)
        return arrived_from(self, oldest)

    monkeypatch.setattr(Explainer, "arrived_from", listening)
    pair = Pair([version("a")], [version("a")])
    pair.compare()
    pair.backward = BACK
    pair.compare()
    assert told == [LONG_AGO - timedelta(days=1), None]


# --- canaries -------------------------------------------------------------------------------------------------------


def test_canaries_are_counted_and_no_more() -> None:
    flying = [
        version(f".s3-dr-canary/{1:032}"),
        version(f".s3-dr-canary/{2:032}"),
        version(f".s3-dr-canary/{3:032}", age=-9.0),
    ]
    landed = version(f".s3-dr-canary/{4:032}")
    pair = Pair([*flying, landed], [landed])
    found = pair.compare(sample_size=5)
    assert (found.canaries, found.matched, found.in_flight, pair.findings) == (4, 0, 0, [])
    assert (found.sample.population, found.oldest_arrived, found.head_requests) == (0, None, 0)


# --- a listing that changes while it is read ------------------------------------------------------------------------


def test_what_changes_meanwhile_is_no_difference() -> None:
    goes, arrives, stays = version("goes"), version("arrives"), version("stays")
    pair = Pair([goes, arrives, stays], [])
    pair.left.held.pop(("goes", "v1"))
    pair.left.answers["arrives"] = {"ReplicationStatus": "COMPLETED"}
    pair.right.held["arrives", "v1"] = arrives
    failed(pair.left, stays)
    found = pair.compare()
    assert found.solved == {Solved.GONE: 1, Solved.ARRIVED: 1}
    assert pair.causes == {"stays": Cause.FAILED}
    assert found.complete
    assert (len(pair.left.lists), len(pair.right.lists)) == (2, 2)


@pytest.mark.parametrize("end", ["left", "right"])
def test_a_bucket_that_goes_meanwhile_is_not_taken_for_versions_that_go(end: str) -> None:
    pair = Pair([version("a")], [])
    pair.left.held.clear()
    getattr(pair, end).list_failures[1] = [answered("NoSuchBucket")] * 9
    found = pair.compare()
    assert not found.complete
    assert found.reason.startswith(f"The versions of {getattr(pair, end).bucket} in ")


# --- trouble --------------------------------------------------------------------------------------------------------

ERRORS: list[Callable[[], Exception]] = [
    lambda: answered("AccessDenied"),
    lambda: answered("NoSuchBucket"),
    lambda: answered("ExpiredToken"),
]


@given(
    st.sets(st.integers(0, 30), min_size=1, max_size=20),
    st.sets(st.integers(0, 30), min_size=1, max_size=20),
    st.integers(1, 5),
    st.sampled_from(["left", "right"]),
    st.integers(0, 30),
    st.sampled_from(ERRORS),
)
def test_a_failure_on_any_page_of_either_end_is_never_complete(
    left: set[int], right: set[int], page: int, end: str, number: int, error: Callable[[], Exception]
) -> None:
    pair = Pair([version(f"{one:02}") for one in left], [version(f"{one:02}") for one in right], page)
    store: Store = getattr(pair, end)
    pages = -(-len(store.rows) // page)
    store.list_failures[number % pages] = [error()]
    found = pair.compare()
    assert not found.complete
    assert store.bucket in found.reason
    assert (pair.findings, found.head_requests, pair.left.requests, pair.right.requests) == ([], 0, 0, 0)


def test_a_region_that_is_down_is_named() -> None:
    pair = Pair([version("a")], [version("a")])
    pair.right.list_failures[0] = [TIMEOUT]
    found = pair.compare()
    assert (found.complete, found.began, found.cutoff) == (False, None, None)
    assert "example-orders-dr in us-west-2" in found.reason
    assert "AWS cannot be reached" in found.reason


def test_what_was_counted_before_a_failure_is_kept_as_incomplete() -> None:
    rows = [version(str(number)) for number in range(4)]
    pair = Pair(rows, rows, page=2)
    pair.left.list_failures[1] = [answered("AccessDenied")]
    found = pair.compare()
    assert not found.complete
    assert 0 < found.source_count.versions < 4
    assert found.as_result()["complete"] is False


def test_a_listing_that_is_not_sorted_is_not_compared() -> None:
    pair = Pair([version("a"), version("b")], [version("a"), version("b")], page=1)
    pair.right.rows.reverse()
    found = pair.compare()
    assert not found.complete
    assert "not sorted" in found.reason


def test_a_full_disk_is_not_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    found = Pair([version("a")], []).compare()
    assert not found.complete
    assert str(tmp_path) in found.reason


@pytest.mark.parametrize("while_it", ["lists", "examines"])
def test_an_interrupted_comparison_ends_its_threads(while_it: str) -> None:
    rows = [version(f"{number:05}") for number in range(5000)]
    pair, before = Pair(rows, rows if while_it == "lists" else [], page=100), set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt) as held:
        compare(
            pair.left.side(),
            pair.right.side(),
            pair.explainer_at,
            Settings(),
            Budget(10_000, 1e9, lambda: 0.0, lambda seconds: None),
            interrupted,
            interrupted if while_it == "lists" else None,
        )
    ours = set(threading.enumerate()) - before
    for thread in ours:
        thread.join(10)
    assert not any(thread.is_alive() for thread in ours)
    assert held.tb  # nothing may depend on the error's being forgotten
    assert (len(pair.left.lists) < 20) if while_it == "lists" else (0 < pair.left.requests < 1000)


def interrupted(_what: Any) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


def test_refusals_are_said_once() -> None:
    rows = [version(str(number)) for number in range(9)]
    pair = Pair(rows, [])
    for row in rows:
        pair.left.answers[row.key] = answered("403")
    found = pair.compare()
    assert found.complete
    assert found.unexamined == 9
    (notice,) = found.notices
    assert "s3:GetObjectVersion" in notice


# --- progress and the result ----------------------------------------------------------------------------------------


def test_progress_is_told_while_it_lists_and_while_it_examines() -> None:
    rows = [version(f"{number:05}") for number in range(3 * PROGRESS_EVERY)]
    pair = Pair(rows, rows[: 2 * PROGRESS_EVERY])
    pair.requests = 0
    pair.compare()
    assert [one.examined for one in pair.progress] == [None, None, None, 0, PROGRESS_EVERY, PROGRESS_EVERY]
    assert pair.progress[-1].compared == 5 * PROGRESS_EVERY
    assert [one.compared for one in pair.progress] == sorted(one.compared for one in pair.progress)
    assert (pair.progress[0].source, pair.progress[0].destination) == ("example-orders", "example-orders-dr")


def test_the_result_is_plain_values() -> None:
    lost = version("lost", size=10)
    pair = Pair([version("a"), marker("b"), lost, version("young", age=-1.0)], [version("a"), marker("b")])
    failed(pair.left, lost)
    result = pair.compare().as_result()
    assert isinstance(result.pop("seconds"), float)
    assert result.pop("began").startswith("2001-02-03T04:0")
    assert result == {
        "source": "example-orders",
        "source_region": "us-east-1",
        "destination": "example-orders-dr",
        "destination_region": "us-west-2",
        "engine": "listing",
        "complete": True,
        "reason": "",
        "source_versions": 3,
        "source_delete_markers": 1,
        "source_bytes": 16,
        "destination_versions": 1,
        "destination_delete_markers": 1,
        "destination_bytes": 3,
        "matched": 2,
        "in_flight": 1,
        "canaries": 0,
        "head_requests": 1,
        "max_head_requests": 1000,
        "unexamined": 0,
        "solved": {"gone": 0, "arrived": 0, "same_content": 0, "not_comparable": 0, "not_looked_at": 0},
        "causes": {"failed": {"versions": 1, "bytes": 10, "unexpected": 1, "excepted": 0}},
        "oldest_arrived": "2001-02-02T04:05:06Z",
    }
