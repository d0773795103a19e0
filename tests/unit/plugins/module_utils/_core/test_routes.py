# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What routes may be wished, and through which Regions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.routes import (
    CONTROL_REGIONS,
    Dial,
    Route,
    applied_to,
    arn_without_asking,
    as_updates,
    changed_routes,
    check_dials,
    check_mrap,
    control_regions,
    from_answer,
    owner_in,
    switched,
)

BUCKETS = {"one": "us-east-1", "two": "us-west-2", "three": "eu-west-1"}
routes = st.lists(st.booleans(), min_size=3, max_size=3).map(
    lambda active: tuple(Route(*place, active=on) for place, on in zip(BUCKETS.items(), active, strict=True))
)


@given(routes, st.sampled_from(list(BUCKETS)), st.sets(st.sampled_from(list(BUCKETS))))
def test_after_a_switch_the_bucket_is_active_and_nothing_is_left_to_change(
    there: tuple[Route, ...], active: str, others: set[str]
) -> None:
    wish = switched(active, sorted(others - {active}))
    after = applied_to(there, changed_routes(wish, there))
    assert changed_routes(wish, after) == ()
    found = {route.bucket: route.active for route in after}
    before = {route.bucket: route.active for route in there}
    assert found[active]
    assert all(
        found[bucket] is (False if bucket in others else before[bucket]) for bucket in BUCKETS if bucket != active
    )


def test_what_is_submitted_is_0_or_100_and_is_read_the_same_way() -> None:
    updates = as_updates([Route("one", "us-east-1", active=True), Route("two", "us-west-2", active=False)])
    assert [update["TrafficDialPercentage"] for update in updates] == [100, 0]
    told = from_answer([{**update, "Region": BUCKETS[update["Bucket"]]} for update in reversed(updates)])
    assert told == (Route("one", "us-east-1", active=True), Route("two", "us-west-2", active=False))


@pytest.mark.parametrize(
    ("dials", "why"),
    [
        ([], "none that is active"),
        ([Dial(False, bucket="one")], "none that is active"),
        ([Dial(True, bucket="one"), Dial(True, bucket="one")], "bucket 'one' twice"),
        ([Dial(True, region="us-east-1"), Dial(False, region="us-east-1")], "Region us-east-1 twice"),
    ],
)
def test_a_wish_that_cannot_be_right_is_refused(dials: list[Dial], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        check_dials(dials)


@pytest.mark.parametrize("named", [{}, {"bucket": "one", "region": "us-east-1"}, {"bucket": "A"}, {"region": "east"}])
def test_a_route_is_named_by_its_bucket_or_by_its_region(named: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        Dial(True, **named)


def test_one_route_wished_in_two_ways_is_refused() -> None:
    there = (Route("one", "us-east-1", active=True), Route("two", "us-west-2", active=True))
    with pytest.raises(Refused, match="active by one name and passive by the other"):
        changed_routes([Dial(True, bucket="one"), Dial(False, region="us-east-1")], there)


def test_the_regions_are_the_five_without_those_to_avoid() -> None:
    assert control_regions() == CONTROL_REGIONS
    assert control_regions(["us-east-1"], "eu-west-1") == ("eu-west-1", "us-west-2", "ap-southeast-2", "ap-northeast-1")
    assert control_regions(first="eu-central-1") == CONTROL_REGIONS
    with pytest.raises(InvalidInput, match="all of them are to be avoided"):
        control_regions(CONTROL_REGIONS)
    with pytest.raises(InvalidInput, match="is not a Region's name"):
        control_regions(["east"])


@pytest.mark.parametrize("mrap", ["", "Orders", "x.mrap.y", "arn:aws:s3:::orders", "arn:aws:s3::1:accesspoint/a.mrap"])
def test_what_is_no_access_point_is_refused(mrap: str) -> None:
    with pytest.raises(InvalidInput, match=r"neither an ARN .* nor an alias .* nor a name"):
        check_mrap(mrap)


def test_an_alias_is_of_the_callers_account_and_an_arn_of_its_own() -> None:
    account = Account("111122223333", "aws")
    assert arn_without_asking("mabc.mrap", account) == "arn:aws:s3::111122223333:accesspoint/mabc.mrap"
    assert arn_without_asking("orders", account) is None
    assert owner_in("mabc.mrap") is None
    assert owner_in("arn:aws:s3::444455556666:accesspoint/mabc.mrap") == Account("444455556666")
