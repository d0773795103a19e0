# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Buckets that are taken over with what they hold."""

from __future__ import annotations

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.adoption import (
    Existing,
    adopted,
    existing_notes,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Pair, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNTS,
    ARCHIVE,
    DR,
    EAST,
    PRIMARY,
    WEST,
    a_pair,
    address,
    two_way,
    wished,
)

EXISTS: Observed = {
    address("bucket"): {"Region": EAST},
    address("bucket", DR.bucket, WEST): {"Region": WEST},
}


def held(pair: Pair) -> Observed:
    """Both buckets, and the rules that such a pair has."""
    return {**EXISTS, address("bucket_replication"): wished(pair)[address("bucket_replication")]}


def found(pair: Pair, observed: Observed) -> list[tuple[str, tuple[str, ...]]]:
    """Bucket and prefixes of what is adopted."""
    return [(one.end.bucket, one.prefixes) for one in adopted(pair, ACCOUNTS, observed)]


def test_a_bucket_that_is_made_has_nothing_to_adopt() -> None:
    assert found(a_pair(), {}) == []


def test_the_source_of_each_direction_is_adopted() -> None:
    assert found(a_pair(), EXISTS) == [(PRIMARY.bucket, ("",))]
    assert found(two_way(), EXISTS) == [(PRIMARY.bucket, ("",)), (DR.bucket, ("",))]


def test_what_a_rule_knows_already_is_not_counted_again() -> None:
    known = held(a_pair(rules=(Rule("s3-dr-orders", prefix="old/"),)))
    assert found(a_pair(rules=(Rule("s3-dr-orders", prefix="old/"),)), known) == []
    assert found(a_pair(rules=(Rule("s3-dr-orders", prefix="old/er/"),)), known) == []
    pair = a_pair(rules=(Rule("s3-dr-orders", prefix="old/"), Rule("new", 2, prefix="new/")))
    assert found(pair, known) == [(PRIMARY.bucket, ("new/",))]


@pytest.mark.parametrize(
    "before",
    [
        a_pair(rules=(Rule("s3-dr-orders", enabled=False),)),
        a_pair(rules=(Rule("s3-dr-orders", prefix="a/"),)),
        a_pair(dr=ARCHIVE),
    ],
    ids=["was disabled", "selected less", "went elsewhere"],
)
def test_a_rule_of_the_same_id_that_did_not_do_the_same_leaves_objects_behind(before: Pair) -> None:
    assert found(a_pair(), held(before)) == [(PRIMARY.bucket, ("",))]


def test_a_disabled_rule_would_replicate_nothing_anyhow() -> None:
    assert found(a_pair(rules=(Rule("r", enabled=False),)), EXISTS) == []


@pytest.mark.parametrize(
    ("prefixes", "widest"),
    [
        (("a/", "a/b", "a"), ("a",)),
        (("b", "a"), ("a", "b")),
        (("x", "", "y"), ("",)),
        (("a", "a"), ("a",)),
        (("ab", "a/", "abc"), ("a/", "ab")),
    ],
)
def test_no_object_is_counted_twice(prefixes: tuple[str, ...], widest: tuple[str, ...]) -> None:
    pair = a_pair(rules=tuple(Rule(f"r{place}", place, prefix=prefix) for place, prefix in enumerate(prefixes)))
    assert found(pair, EXISTS) == [(PRIMARY.bucket, widest)]


def test_it_is_said_how_much_stays_behind_and_what_brings_it() -> None:
    (said,) = existing_notes([Existing("b", ("",), 3, 12, complete=True)])
    assert said.startswith("b holds 3 versions (12 bytes) from before the rule. ")
    assert "backfill" in said


def test_what_was_not_counted_to_the_end_is_at_least_so_much() -> None:
    (said,) = existing_notes([Existing("b", ("x/", "y/"), 3, 12, complete=False)])
    assert said.startswith("b holds at least 3 versions (12 bytes) from before the rule under x/, y/. ")


def test_of_an_empty_bucket_nothing_is_said() -> None:
    assert existing_notes([Existing("b", ("",), 0, 0, complete=True)]) == []


def test_a_result_is_plain_values() -> None:
    result = Existing("b", ("x/",), 3, 12, complete=False).as_result()
    assert result == {"bucket": "b", "prefixes": ["x/"], "versions": 3, "bytes": 12, "complete": False}
