# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What cannot be an access point is refused at once, and what can never be changed with the way out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.access_points import (
    ARN_STAND_IN,
    BLOCKS,
    AccessPoint,
    Member,
    access_point_address,
    access_point_wish,
    bucket_addresses,
    check_buckets,
    check_confirmation,
    policy_address,
    put_policy,
    take_policy,
    with_arn,
    with_stand_in,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Document, InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST

AT = access_point_address("orders", ACCOUNT)
MEMBERS = (Member(PRIMARY.bucket, EAST), Member(DR.bucket, WEST))
READ = {"Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


def a_point(**changes: Any) -> AccessPoint:
    """An access point of both buckets, unless changed."""
    return AccessPoint(**{"name": "orders", "members": MEMBERS, "blocks": {}, **changes})


def held(**changes: Any) -> Document:
    """The same as AWS holds it."""
    regions = [{"Bucket": one.bucket, "Region": one.region, "BucketAccountId": ACCOUNT.id} for one in reversed(MEMBERS)]
    blocks = dict.fromkeys(BLOCKS, True)
    return {"Alias": "mabc.mrap", "Status": "READY", "PublicAccessBlock": blocks, "Regions": regions, **changes}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "Orders"}, "3 to 50 lower-case letters"),
        ({"name": "a"}, "3 to 50 lower-case letters"),
        ({"members": ()}, "`buckets` is empty"),
        ({"members": (MEMBERS[0], Member("another", EAST))}, "the Region us-east-1 is given twice"),
        ({"members": (MEMBERS[0], Member(PRIMARY.bucket, WEST))}, "the bucket example-orders is given twice"),
        ({"statements": ({"Effect": "Deny"},)}, "needs a `Sid` of its own"),
        ({"statements": (READ, READ)}, "needs a `Sid` of its own"),
        ({"statements": (READ,), "removed_sids": ("Read",)}, "is in `policy` and in `policy_removed_sids`"),
        ({"statements": (READ,), "wait": False}, "only be given to one that is ready"),
        ({"removed_sids": ("Read",), "wait": False}, "only be given to one that is ready"),
    ],
)
def test_what_s3_does_not_take_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        a_point(**changes)


@pytest.mark.parametrize("wrong", [("A", EAST, None), (PRIMARY.bucket, "east", None), (PRIMARY.bucket, EAST, "12")])
def test_a_member_that_cannot_be_is_refused(wrong: tuple[str, str, str | None]) -> None:
    with pytest.raises(InvalidInput):
        Member(*wrong)


@pytest.mark.parametrize("confirmed", [None, "", "order"])
def test_a_deletion_is_confirmed_by_the_name(confirmed: str | None) -> None:
    with pytest.raises(InvalidInput, match="set `confirm_deletion: orders`"):
        check_confirmation("orders", confirmed)
    check_confirmation("orders", "orders")


def test_one_that_is_there_as_wished_needs_nothing() -> None:
    assert plan(access_point_wish(a_point(), ACCOUNT, held()), {AT: held()}) == ()
    assert plan(access_point_wish(a_point(members=MEMBERS[::-1]), ACCOUNT, held()), {AT: held()}) == ()


def test_without_a_wish_for_its_policy_that_is_not_even_looked_at() -> None:
    assert list(access_point_wish(a_point(), ACCOUNT, None)) == [AT]
    assert list(access_point_wish(a_point(statements=(READ,)), ACCOUNT, None)) == [
        AT,
        policy_address("orders", ACCOUNT),
    ]


def test_other_buckets_are_refused_with_the_way_out() -> None:
    wish = access_point_wish(a_point(members=(MEMBERS[0],)), ACCOUNT, held())
    with pytest.raises(Refused) as refusal:
        plan(wish, {AT: held()})
    assert str(refusal.value) == (
        "multi_region_access_point orders (us-west-2): it has example-orders (us-east-1), example-orders-dr "
        "(us-west-2), and should have example-orders (us-east-1). S3 never changes the buckets of an access point. "
        "Make one of another name and move the clients to it; or delete this one with `state: absent` and "
        "`confirm_deletion`, and make it again, which gives it another alias."
    )


def test_what_it_blocks_is_never_changed_and_not_looked_at_unless_it_is_named() -> None:
    opened = held(PublicAccessBlock={**dict.fromkeys(BLOCKS, True), "BlockPublicAcls": False})
    assert plan(access_point_wish(a_point(), ACCOUNT, opened), {AT: opened}) == ()
    wish = access_point_wish(a_point(blocks={"BlockPublicAcls": True}), ACCOUNT, opened)
    with pytest.raises(Refused, match="its BlockPublicAcls should be another, and S3 has no call"):
        plan(wish, {AT: opened})


def test_what_a_new_one_does_not_name_is_blocked() -> None:
    (step,) = plan(access_point_wish(a_point(blocks={"BlockPublicAcls": False}), ACCOUNT, None), {AT: None})
    assert step.after is not None
    assert step.after["PublicAccessBlock"] == {**dict.fromkeys(BLOCKS, True), "BlockPublicAcls": False}


@pytest.mark.parametrize(
    ("status", "what_to_do"),
    [
        ("DELETING", "Wait until it is gone"),
        ("PARTIALLY_DELETED", "Finish it with `state: absent`"),
        ("INCONSISTENT_ACROSS_REGIONS", "Wait some minutes and run again"),
    ],
)
def test_a_state_in_which_it_cannot_be_used_is_explained(status: str, what_to_do: str) -> None:
    wish = access_point_wish(a_point(), ACCOUNT, held(Status=status))
    with pytest.raises(Refused, match=f"its status is {status}: .*{what_to_do}"):
        plan(wish, {AT: held(Status=status)})
    (step,) = plan({}, {AT: held(Status=status)}, {AT: {}})
    assert step.action == "delete"


@pytest.mark.parametrize(("status", "wait", "steps"), [("CREATING", True, 1), ("CREATING", False, 0)])
def test_one_that_is_being_made_is_awaited_if_that_is_wished(status: str, wait: bool, steps: int) -> None:
    wish = access_point_wish(a_point(wait=wait), ACCOUNT, held(Status=status))
    assert len(plan(wish, {AT: held(Status=status)})) == steps


def test_a_bucket_that_is_not_there_is_told_before_anything_is_made() -> None:
    point = a_point()
    first, second = bucket_addresses(point, ACCOUNT)
    with pytest.raises(Refused, match=r"there is no bucket example-orders-dr. Make it first"):
        check_buckets(point, ACCOUNT, {first: {"Region": EAST}, second: None})
    check_buckets(point, ACCOUNT, {first: {"Region": EAST}, second: {"Unseen": "may not"}})


def test_the_last_statement_of_a_policy_cannot_be_removed() -> None:
    there = {"Version": "2012-10-17", "Statement": [READ]}
    gone = {"Version": "2012-10-17", "Statement": [], "Removed": ["Read"]}
    with pytest.raises(Refused, match="no call that deletes the policy"):
        put_policy(gone, there)
    assert take_policy({"Statement": [READ]}, there) == there


def test_the_arn_and_its_stand_in_are_exchanged_everywhere() -> None:
    arn = "arn:aws:s3::111122223333:accesspoint/mabc.mrap"
    other = "arn:aws:s3::111122223333:accesspoint/mabcd.mrap"
    policy = {"Statement": [{**READ, "Resource": [f"{arn}/object/*", other], "Condition": {"ArnLike": {"x": arn}}}]}
    standing_in = with_stand_in(policy, arn)
    assert standing_in["Statement"][0]["Resource"] == [f"{ARN_STAND_IN}/object/*", other]
    assert standing_in["Statement"][0]["Condition"] == {"ArnLike": {"x": ARN_STAND_IN}}
    assert with_arn(standing_in, arn) == policy
