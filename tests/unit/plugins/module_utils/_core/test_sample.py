# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The sample is the same whatever the order, and any version is as likely to be in it as any other."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import Match
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.sample import Sample
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version

WHEN = datetime(2026, 11, 23, tzinfo=UTC)
names = st.tuples(st.text(max_size=4), st.text(max_size=3))


def match(key: str, version_id: str = "v1", size: int | None = 1) -> Match:
    """A version that both ends hold."""
    version = Version(key, version_id, WHEN, size)
    return Match(version, version)


def drawn(matches: list[Match], size: int, seed: str = "") -> Sample:
    """What is drawn of them."""
    sample = Sample(size, seed)
    for one in matches:
        sample.offer(one)
    return sample


@given(st.sets(names, max_size=30), st.integers(0, 12), st.text(max_size=3), st.randoms())
def test_the_order_does_not_matter(found: set[tuple[str, str]], size: int, seed: str, random: object) -> None:
    ordered = [match(*name) for name in sorted(found)]
    mixed = list(ordered)
    random.shuffle(mixed)
    one, other = drawn(ordered, size, seed), drawn(mixed, size, seed)
    assert one.chosen == other.chosen
    assert one.population == other.population == len(found)
    assert len(one.chosen) == min(size, len(found))
    assert {(chosen.left.key, chosen.left.version_id) for chosen in one.chosen} <= found


@given(st.sets(names, min_size=1, max_size=30), st.integers(0, 12))
def test_they_come_sorted_by_key(found: set[tuple[str, str]], size: int) -> None:
    chosen = [(one.left.key, one.left.version_id) for one in drawn([match(*name) for name in found], size).chosen]
    assert chosen == sorted(chosen)


@given(st.sets(names, max_size=30), st.integers(1, 12))
def test_a_larger_sample_holds_the_smaller_one(found: set[tuple[str, str]], size: int) -> None:
    matches = [match(*name) for name in found]
    smaller = drawn(matches, size).chosen
    assert [one for one in drawn(matches, size + 3).chosen if one in smaller] == smaller


def test_each_version_is_as_likely_as_any_other() -> None:
    matches = [match(f"2026/{number:03}") for number in range(100)]
    times = dict.fromkeys((one.left.key for one in matches), 0)
    for seed in range(1000):
        for chosen in drawn(matches, 10, str(seed)).chosen:
            times[chosen.left.key] += 1
    # Binomial, n=1000, p=0.1: mean 100, standard deviation 9.5. Chi-square of 99 degrees is below 170 at p=1e-5.
    assert sum((count - 100) ** 2 / 90 for count in times.values()) < 170
    assert all(55 < count < 145 for count in times.values())


def test_another_seed_draws_others() -> None:
    matches = [match(str(number)) for number in range(1000)]
    assert drawn(matches, 10, "a").chosen != drawn(matches, 10, "b").chosen


def test_key_and_version_id_are_told_apart() -> None:
    ones, others = match("ab", "c"), match("a", "bc")
    firsts = {drawn([ones, others], 1, str(seed)).chosen[0].left.key for seed in range(50)}
    assert firsts == {"ab", "a"}


def test_delete_markers_are_not_drawn_from() -> None:
    sample = drawn([match("a", size=None), match("b")], 5)
    assert (sample.population, [one.left.key for one in sample.chosen]) == (1, ["b"])


def test_a_sample_of_none_counts_all_the_same() -> None:
    sample = drawn([match("a"), match("b")], 0)
    assert (sample.population, sample.chosen, sample.size) == (2, [], 0)
