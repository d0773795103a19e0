# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Our notification stands beside others' and goes without them; what S3 would refuse is refused before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Document, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.notification_lists import (
    LISTS,
    canonical_notifications,
    put_notifications,
    take_notifications,
)

QUEUE = "arn:aws:sqs:us-east-1:111122223333:s3-dr-events"
OURS: Document = {
    "QueueConfigurations": [{"Id": "s3-dr/orders/replication", "QueueArn": QUEUE, "Events": ["s3:Replication:*"]}]
}


def entry(field: str, **more: Any) -> dict[str, Any]:
    """Somebody's entry."""
    return {"Id": "theirs", field: "arn:theirs", "Events": ["s3:ObjectCreated:*"], **more}


def filtered(**rules: str) -> dict[str, Any]:
    """A filter by prefix or suffix, or both."""
    return {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in rules.items()]}}


names = st.sampled_from(["prefix", "Prefix", "suffix", "Suffix"])
filters = st.none() | st.dictionaries(names, st.sampled_from(["", "in/", ".csv"]), max_size=2)
events = st.lists(st.sampled_from(["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", "s3:LifecycleExpiration:*"]))


@st.composite
def foreign(draw: st.DrawFn, events: st.SearchStrategy[list[str]] = events) -> Document:
    """What others may have on a bucket."""
    found: dict[str, Any] = {}
    for many, field in LISTS.items():
        entries = []
        for number in range(draw(st.integers(0, 2))):
            rules = draw(filters)
            more = {} if rules is None else {"Filter": filtered(**rules)}
            entries.append(entry(field, Id=f"{many}{number}", Events=draw(events), **more))
        if entries:
            found[many] = entries
    if draw(st.booleans()):
        found["EventBridgeConfiguration"] = {}
    return found


@st.composite
def mine(draw: st.DrawFn) -> Document:
    """Ours, to a queue or a topic."""
    many = draw(st.sampled_from(["QueueConfigurations", "TopicConfigurations"]))
    one = {"Id": "s3-dr/orders/replication", LISTS[many]: QUEUE, "Events": ["s3:Replication:*"]}
    return {many: [one]}


@given(mine(), st.none() | foreign())
def test_what_was_foreign_is_back_after_ours_went(ours: Document, theirs: Document | None) -> None:
    assert (take_notifications(ours, put_notifications(ours, theirs)) or {}) == (theirs or {})


@given(mine(), foreign())
def test_what_is_foreign_stays_beside_ours(ours: Document, theirs: Document) -> None:
    built = put_notifications(ours, theirs)
    for many in LISTS:
        assert built.get(many, []) == [*theirs.get(many, []), *ours.get(many, [])]
    assert ("EventBridgeConfiguration" in built) == ("EventBridgeConfiguration" in theirs)


@given(mine(), mine(), foreign())
def test_ours_may_change_its_target_and_is_there_once(one: Document, other: Document, theirs: Document) -> None:
    built = put_notifications(other, put_notifications(one, theirs))
    assert built == put_notifications(other, theirs)
    assert put_notifications(other, built) == built


@given(mine(), foreign())
def test_ours_goes_whatever_list_it_is_in(ours: Document, theirs: Document) -> None:
    removed = {"Removed": ["s3-dr/orders/replication"]}
    assert (take_notifications(removed, put_notifications(ours, theirs)) or {}) == theirs
    assert take_notifications(removed, None) is None


@given(foreign(), st.randoms(use_true_random=False))
def test_order_and_case_mean_nothing(theirs: Document, dice: Any) -> None:
    other: dict[str, Any] = {}
    for key, value in theirs.items():
        other[key] = value
        if key in LISTS:
            other[key] = [{**one, "Events": dice.sample(one["Events"], len(one["Events"]))} for one in value]
            dice.shuffle(other[key])
    assert canonical_notifications(other) == canonical_notifications(theirs)
    assert canonical_notifications(canonical_notifications(theirs)) == canonical_notifications(theirs)


@pytest.mark.parametrize("field", LISTS.values())
@pytest.mark.parametrize(
    "more",
    [
        {"Events": ["s3:Replication:*"]},
        {"Events": ["s3:ObjectCreated:*", "s3:Replication:OperationFailedReplication"]},
        {"Events": ["s3:Replication:OperationNotTracked"], "Filter": filtered(Prefix="in/", Suffix=".csv")},
    ],
)
def test_an_entry_that_has_the_events_already_is_refused_with_its_name_and_target(
    field: str, more: dict[str, Any]
) -> None:
    """S3: "Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type"."""
    many = next(name for name, target in LISTS.items() if target == field)
    with pytest.raises(Refused, match=r"'theirs' sends s3:Replication:\* to arn:theirs"):
        put_notifications(OURS, {many: [entry(field, **more)]})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"prefix": "in/"}, {"prefix": "out/"}),
        ({"suffix": ".csv"}, {"Suffix": ".json"}),
        ({"prefix": "in/", "suffix": ".csv"}, {"prefix": "in/2026/", "suffix": ".json"}),
        ({"prefix": "in/", "suffix": ".csv"}, {"prefix": "out/", "suffix": ".csv"}),
    ],
)
def test_filters_that_no_key_fits_both_may_stand_side_by_side(ours: dict[str, str], theirs: dict[str, str]) -> None:
    """S3 User Guide, "Configuring event notifications using object key name filtering": its valid examples."""
    one = {**OURS["QueueConfigurations"][0], "Filter": filtered(**ours)}
    other = entry("TopicArn", Events=["s3:Replication:*"], Filter=filtered(**theirs))
    built = put_notifications({"QueueConfigurations": [one]}, {"TopicConfigurations": [other]})
    assert built == {"QueueConfigurations": [one], "TopicConfigurations": [other]}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"prefix": "in/"}, {"prefix": "in/2026/"}),
        ({"suffix": "csv"}, {"suffix": ".csv"}),
        ({"prefix": "in/"}, {"suffix": ".csv"}),
        ({"prefix": "in/", "suffix": ".csv"}, {"Prefix": "in", "Suffix": "v"}),
    ],
)
def test_filters_that_overlap_are_refused(ours: dict[str, str], theirs: dict[str, str]) -> None:
    """The same page: its invalid examples."""
    one = {**OURS["QueueConfigurations"][0], "Filter": filtered(**ours)}
    other = entry("TopicArn", Events=["s3:Replication:*"], Filter=filtered(**theirs))
    with pytest.raises(Refused, match="overlapping keys"):
        put_notifications({"QueueConfigurations": [one]}, {"TopicConfigurations": [other]})


@given(foreign(st.lists(st.sampled_from(["s3:Replication:*", "s3:Replication:OperationNotTracked"]), min_size=1)))
def test_what_is_taken_was_never_refused(theirs: Document) -> None:
    """Ours has no filter, so whatever has one of its events overlaps."""
    assume(any(many in theirs for many in LISTS))
    with pytest.raises(Refused):
        put_notifications(OURS, theirs)
    assert take_notifications(OURS, theirs) == theirs
