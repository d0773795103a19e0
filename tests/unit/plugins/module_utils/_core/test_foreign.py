# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Rules that are not the pair's: what their filters have in common with ours, and what a person is told of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.foreign import (
    covers,
    overlaps,
    rules_beside,
    warnings_about,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Document, Pair, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import one_account
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST, a_pair, address
from ansible_collections.crossregion.s3_dr.tests.unit.samples import two_way as a_two_way_pair

ACCOUNTS = one_account(ACCOUNT, PRIMARY, DR)
LETTERS = "ab"
VALUES = (None, "1", "2")
"""What an object may have as each of two tags; None: it does not carry it."""
OBJECTS = [
    (key, {name: value for name, value in zip("kl", values, strict=True) if value is not None})
    for length in range(4)
    for key in map("".join, product(LETTERS, repeat=length))
    for values in product(VALUES, repeat=2)
]
"""All objects with keys of up to three letters and with up to two tags: longer than any filter below."""


@st.composite
def filters(draw: st.DrawFn) -> Document:
    """A filter in one of the forms that S3 takes."""
    prefix = draw(st.text(LETTERS, max_size=3))
    tags = [
        {"Key": key, "Value": value}
        for key, value in draw(st.dictionaries(st.sampled_from("kl"), st.sampled_from("12"), max_size=2)).items()
    ]
    forms: list[Document] = [{"And": {"Prefix": prefix, "Tags": tags}}]
    if not tags:
        forms += [{"Prefix": prefix}, {"And": {"Prefix": prefix}}, *([{}] if not prefix else [])]
    elif not prefix:
        forms += [{"And": {"Tags": tags}}, *([{"Tag": tags[0]}] if len(tags) == 1 else [])]
    return draw(st.sampled_from(forms))


def matched(rule_filter: Document) -> set[int]:
    """The objects that a filter matches, by S3's words: the key begins with Prefix, and it has all the tags."""
    form = rule_filter.get("And", rule_filter)
    wanted = form.get("Tags", [form["Tag"]] if "Tag" in form else [])
    return {
        number
        for number, (key, tags) in enumerate(OBJECTS)
        if key[: len(form.get("Prefix", ""))] == form.get("Prefix", "")
        and all(tags.get(tag["Key"]) == tag["Value"] for tag in wanted)
    }


# --- filters -------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(one=filters(), other=filters())
def test_covers_is_what_an_oracle_over_all_objects_says(one: Document, other: Document) -> None:
    assert covers(one, other) == (matched(other) <= matched(one))


@settings(max_examples=300)
@given(one=filters(), other=filters())
def test_overlaps_is_what_an_oracle_over_all_objects_says(one: Document, other: Document) -> None:
    assert overlaps(one, other) == bool(matched(one) & matched(other))


@given(one=filters())
def test_a_filter_covers_itself(one: Document) -> None:
    assert covers(one, one)


@settings(max_examples=300)
@given(one=filters(), two=filters(), three=filters())
def test_what_covers_a_covering_filter_covers(one: Document, two: Document, three: Document) -> None:
    assert covers(one, three) or not (covers(one, two) and covers(two, three))


@settings(max_examples=300)
@given(one=filters(), other=filters())
def test_overlapping_is_mutual_and_follows_from_covering(one: Document, other: Document) -> None:
    assert len({overlaps(*order) for order in ((one, other), (other, one))}) == 1
    assert overlaps(one, other) or not covers(one, other)


# --- rules ---------------------------------------------------------------------------------------------------


def foreign(**changes: Any) -> dict[str, Any]:
    """An enabled rule of somebody else to the same DR bucket, for all objects, above ours."""
    return {
        "ID": "theirs",
        "Priority": 9,
        "Status": "Enabled",
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{DR.bucket}"},
        **changes,
    }


def holding(*rules: Document, bucket: str = PRIMARY.bucket, region: str = EAST) -> Observed:
    """AWS with these rules in one bucket."""
    return {address("bucket_replication", bucket, region): {"Role": "arn:aws:iam::1:role/r", "Rules": list(rules)}}


def said(*rules: Document, pair: Pair | None = None) -> list[str]:
    """What is said of the rules in the primary's bucket."""
    return warnings_about(pair or a_pair(), ACCOUNTS, holding(*rules))


def test_a_rule_above_ours_with_all_our_objects_shadows_it() -> None:
    (text,) = said(foreign())
    assert text == (
        "bucket 'example-orders': the rule 'theirs' (priority 9), which is not this pair's, shadows the pair's rule "
        "'s3-dr-orders' (priority 1), which never applies, since both replicate to 'example-orders-dr': give "
        "'s3-dr-orders' a `priority` above 9, lower the other's or remove it, or set `purge_rules: true`."
    )


def test_a_rule_above_ours_with_some_of_our_objects_shadows_it_partly() -> None:
    (text,) = said(
        foreign(Filter={"And": {"Prefix": "logs/", "Tags": [{"Key": "kind", "Value": "log"}]}}),
        pair=a_pair(rules=(Rule("s3-dr-orders", prefix="log"),)),
    )
    assert "'theirs' (priority 9), which is not this pair's, partly shadows the pair's rule 's3-dr-orders'" in text
    assert "does not apply to objects with keys that begin with 'logs/' and the tag kind=log," in text
    assert "`priority` above 9" in text
    assert "`purge_rules: true`" in text


def test_a_rule_below_ours_is_doubled() -> None:
    (text,) = said(foreign(Priority=0))
    assert text == (
        "bucket 'example-orders': the rule 'theirs' (priority 0), which is not this pair's, doubles the pair's rule "
        "'s3-dr-orders' (priority 1), which supersedes it for all objects: its settings do not apply to their replicas "
        "in 'example-orders-dr'; remove it, or set `purge_rules: true`."
    )


def test_the_objects_in_common_have_the_tags_of_both() -> None:
    (text,) = said(
        foreign(Priority=0, Filter={"Tag": {"Key": "team", "Value": "red"}}),
        pair=a_pair(rules=(Rule("s3-dr-orders", prefix="a/", tags=(("kind", "order"),)),)),
    )
    assert "for objects with keys that begin with 'a/' and the tag kind=order and the tag team=red:" in text


def test_a_rule_of_the_old_schema_has_priority_0_and_its_prefix() -> None:
    old = {"ID": "old", "Prefix": "logs/", "Status": "Enabled", "Destination": foreign()["Destination"]}
    (text,) = said(old)
    assert "'old' (priority 0)" in text
    assert "doubles" in text
    assert "keys that begin with 'logs/'" in text
    assert said(old, pair=a_pair(rules=(Rule("s3-dr-orders", prefix="orders/"),))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"Status": "Disabled"},
        {"Destination": {"Bucket": "arn:aws:s3:::example-elsewhere"}},
        {"Priority": 1},  # the plan refuses this
        {"ID": "s3-dr-orders"},  # ours
    ],
    ids=str,
)
def test_rules_that_are_not_in_the_way_are_not_mentioned(changes: dict[str, Any]) -> None:
    assert said(foreign(**changes)) == []


def test_a_rule_with_other_objects_is_not_mentioned() -> None:
    assert said(foreign(Filter={"Prefix": "b/"}), pair=a_pair(rules=(Rule("s3-dr-orders", prefix="a/"),))) == []


def test_a_disabled_rule_of_ours_is_not_mentioned() -> None:
    assert said(foreign(), pair=a_pair(rules=(Rule("s3-dr-orders", enabled=False),))) == []


def test_each_foreign_rule_is_set_against_each_of_ours() -> None:
    pair = a_pair(rules=(Rule("low", 5), Rule("high", 7)))
    texts = said(foreign(Priority=6), foreign(ID="more", Priority=8), pair=pair)
    seen = [
        (foreign_id, own_id, verb)
        for text in texts
        for foreign_id in ("theirs", "more")
        for own_id in ("low", "high")
        for verb in ("shadows", "doubles")
        if f"rule '{foreign_id}'" in text and f"{verb} the pair's rule '{own_id}'" in text
    ]
    assert seen == [
        ("theirs", "low", "shadows"),
        ("theirs", "high", "doubles"),
        ("more", "low", "shadows"),
        ("more", "high", "shadows"),
    ]


def test_the_way_back_is_looked_at_in_the_dr_bucket() -> None:
    back = foreign(Destination={"Bucket": f"arn:aws:s3:::{PRIMARY.bucket}"})
    world = holding(back, bucket=DR.bucket, region=WEST)
    (text,) = warnings_about(a_two_way_pair(), ACCOUNTS, world)
    assert text.startswith("bucket 'example-orders-dr': the rule 'theirs'")
    assert warnings_about(a_pair(), ACCOUNTS, world) == []
    assert rules_beside(a_two_way_pair(), ACCOUNTS, world) == [{"bucket": DR.bucket, "rule": back}]
    assert rules_beside(a_pair(), ACCOUNTS, world) == []


def test_the_rules_beside_are_those_of_other_ids() -> None:
    world = holding(foreign(ID="s3-dr-orders"), foreign())
    assert rules_beside(a_pair(), ACCOUNTS, world) == [{"bucket": PRIMARY.bucket, "rule": foreign()}]
    assert rules_beside(a_pair(), ACCOUNTS, {}) == []
