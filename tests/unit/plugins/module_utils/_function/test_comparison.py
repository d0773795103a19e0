# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A comparison in slices finds what a comparison in one go finds, wherever its slices end, and whatever kills one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.comparison import Comparison, Settings, compare
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.examination import Budget
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Cause, Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.explain import Explainer
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.comparison import MOST_ATTEMPTS, Slices
from ansible_collections.crossregion.s3_dr.plugins.module_utils._function.work import Work
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.objects import KilledAtPut, ObjectBucket
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY
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
SAMPLED = Settings(sample_size=3, sample_seed="seed")


class Clock:
    """A clock that advances by one second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class Sliced:
    """Two buckets that are compared slice by slice, each with a new object as in a new invocation."""

    def __init__(
        self, left: list[Version], right: list[Version], page: int = 1000, backward: Scope | None = None
    ) -> None:
        self.left, self.right = Store(left, PRIMARY.bucket, page), Store(right, DR.bucket, page)
        self.bucket = ObjectBucket()
        self.backward = backward
        self.settings = SAMPLED
        self.requests = 1000
        self.answers: list[dict[str, Any]] = []

    def slices(self, seconds: float = 0.0) -> Slices:
        """`seconds` 0: each slice ends with its first key or difference."""
        sides = {PRIMARY.bucket: self.left.side(PRIMARY.region), DR.bucket: self.right.side(DR.region)}
        return Slices(
            [(SCOPE, self.backward)],
            lambda end: sides[end.bucket],
            Work(self.bucket, self.bucket.bucket, self.bucket.owner, "work/"),
            self.settings,
            900,
            budget(self.requests),
            lambda: seconds,
            Clock(),
        )

    def run(self, seconds: float = 0.0) -> Comparison:
        """All slices."""
        while not self.answers or not self.answers[-1]["done"]:
            self.answers.append(self.slices(seconds).advance())
            if len(self.answers) > 1000:
                raise AssertionError("the slices come to no end")
        return self.slices().comparisons()[0]

    def findings(self) -> list[dict[str, Any]]:
        """All findings, in an order that does not depend on threads."""
        return sorted(self.slices().findings(), key=repr)


def budget(requests: int) -> Budget:
    """So many requests, which take no time."""
    return Budget(requests, 1000.0, lambda: 0.0, lambda seconds: None)


def in_one_go(sliced: Sliced) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a comparison of the same buckets finds, and its findings."""
    found = []
    left, right = Store(sliced.left.rows, PRIMARY.bucket), Store(sliced.right.rows, DR.bucket)
    left.answers, right.answers = dict(sliced.left.answers), dict(sliced.right.answers)
    comparison = compare(
        left.side(PRIMARY.region),
        right.side(DR.region),
        lambda now: Explainer(SCOPE, sliced.backward, now, 900),
        sliced.settings,
        budget(sliced.requests),
        found.append,
    )
    rows = [finding.as_result(comparison.cutoff) for finding in found if comparison.cutoff]
    return told(comparison), sorted(rows, key=repr)


def told(comparison: Comparison) -> dict[str, Any]:
    """All that a comparison says but for how long it took."""
    sample = comparison.sample
    drawn = [(match.left, match.right) for match in sample.chosen]
    return {**comparison.as_result(), "seconds": 0, "sample": (sample.population, drawn), "tally": repr_of(comparison)}


def repr_of(comparison: Comparison) -> Any:
    """What is at risk, by way and rule."""
    tally = comparison.tally
    return {way: (one.versions, one.size, one.oldest) for way, one in tally.exposures.items()}, tally.unexpected


@st.composite
def buckets(draw: st.DrawFn) -> Sliced:
    """Two ends that share some of their versions, with keys of any kind."""
    left, right = [], []
    for key in sorted(draw(st.sets(keys, max_size=6))):
        for number in range(draw(st.integers(1, 3))):
            age = draw(st.sampled_from([86400.0, 60 * 86400.0, 5.0]))
            row = version(key, f"v{number}", age=age, is_latest=number == 0, size=draw(st.integers(0, 3)))
            if draw(st.booleans()):
                row = marker(key, f"m{number}", age=age, is_latest=number == 0)
            where = draw(st.sampled_from(["both", "both", "left", "right"]))
            left += [row] if where != "right" else []
            right += [row] if where != "left" else []
    return Sliced(left, right, draw(st.integers(1, 4)), draw(st.sampled_from([None, BACK])))


@given(buckets(), st.sampled_from([0.0, 1.5, 3.5, 1e9]))
@settings(deadline=None)
def test_slices_find_what_a_comparison_in_one_go_finds(sliced: Sliced, seconds: float) -> None:
    assert (told(sliced.run(seconds)), sliced.findings()) == in_one_go(sliced)


def test_a_slice_ends_after_a_key_and_the_next_one_goes_on_there() -> None:
    rows = [version(key) for key in "abcd"]
    sliced = Sliced(rows, rows)
    found = sliced.run()
    assert (found.complete, found.matched) == (True, 4)
    assert [one.get("KeyMarker") for one in sliced.left.lists] == [None, "a", "b", "c", "d"]
    assert [one["compared"] for one in sliced.answers] == [2, 4, 6, 8, 8]


def test_with_time_enough_there_is_one_slice() -> None:
    rows = [version(key) for key in "abcd"]
    sliced = Sliced(rows, rows)
    sliced.run(1e9)
    assert sliced.answers == [{"done": True, "slice": 0, "engine": "listing", "compared": 8}]


@pytest.mark.parametrize("killed_after", range(1, 12))
def test_a_slice_that_is_killed_and_repeated_counts_nothing_twice(killed_after: int) -> None:
    rows = [version(key) for key in "abcdef"]
    sliced = Sliced(rows, [row for row in rows if row.key not in "bd"])
    sliced.bucket.interrupt = KilledAtPut(killed_after)
    with pytest.raises(SystemExit):
        sliced.run(1.5)
    assert (told(sliced.run(1.5)), sliced.findings()) == in_one_go(sliced)


def test_a_listing_that_fails_ends_the_comparison_and_says_why() -> None:
    rows = [version(key) for key in "abc"]
    sliced = Sliced(rows, rows)
    sliced.right.list_failures[2] = [answered("AccessDenied", "ListObjectVersions")]
    found = sliced.run()
    assert not found.complete
    assert "s3:ListBucketVersions" in found.reason
    assert found.cutoff is not None


def test_a_comparison_that_is_not_over_is_not_complete() -> None:
    rows = [version(key) for key in "abc"]
    sliced = Sliced(rows, rows)
    sliced.slices().advance()
    found = sliced.slices().comparisons()[0]
    assert (found.complete, found.reason) == (False, "the run ended before both listings were compared")


def test_a_repeated_slice_takes_half_as_long_each_time() -> None:
    rows = [version(f"{number:03}") for number in range(200)]
    compared = []
    for killed in range(3):
        sliced = Sliced(rows, rows)
        sliced.slices()._work.put("begun-0", {"slice": 0, "times": killed})
        compared.append(sliced.slices(100.0).advance()["compared"] // 2)
    assert compared[0] > 1.8 * compared[1] > 3.2 * compared[2] > 10


def test_a_slice_that_never_ends_is_given_up_and_proves_nothing() -> None:
    rows = [version(key) for key in "abc"]
    sliced = Sliced(rows, rows)
    sliced.slices().advance()
    sliced.slices()._work.put("begun-0", {"slice": 1, "times": MOST_ATTEMPTS})
    found = sliced.run()
    assert not found.complete
    assert "never came to its end, after the key 'a' of example-orders" in found.reason
    assert "timeout_seconds" in found.reason


def test_the_budget_is_that_of_all_slices_together() -> None:
    sliced = Sliced([version(key) for key in "abcdef"], [])
    sliced.requests = 2
    found = sliced.run()
    assert found.head_requests == 2
    assert found.tally.versions[Cause.UNEXAMINED] == 4


def test_the_first_slice_sets_the_last_second_that_is_judged() -> None:
    rows = [version(key) for key in "abc"]
    sliced = Sliced(rows, rows)
    sliced.slices().advance()
    sliced.left.rows.append(version("d", age=-60))  # written while the comparison goes on
    sliced.left.date = sliced.right.date = LONG_AGO + timedelta(minutes=5)
    found = sliced.run()
    assert (found.complete, found.in_flight, found.matched) == (True, 1, 3)
    assert found.began is not None
    assert abs(found.began - LONG_AGO) < timedelta(seconds=10)


def test_a_bucket_that_vanishes_between_slices_is_no_proof() -> None:
    sliced = Sliced([version("a"), version("b")], [])
    sliced.slices(1e9).advance()
    sliced.left.held.clear()
    sliced.left.list_failures[sliced.left.told] = [answered("NoSuchBucket", "ListObjectVersions")]
    found = sliced.run()
    assert not found.complete
    assert "There is no bucket" in found.reason
