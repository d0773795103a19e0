# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A declaration that cannot be right is refused, with the thing and the next step in one message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Address,
    End,
    InvalidInput,
    Rule,
    Step,
    default_rule_id,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, EAST, PRIMARY, WEST, a_pair, two_way


def many_rules(number: int) -> tuple[Rule, ...]:
    """So many rules, each with an ID and a priority of its own."""
    return tuple(Rule(f"r{n}", n) for n in range(number))


BAD_PAIRS: dict[str, tuple[dict[str, Any], str, str]] = {
    "same bucket twice": ({"dr": End(PRIMARY.bucket, WEST)}, "bucket 'example-orders'", "Name another bucket"),
    "same Region": ({"dr": End(DR.bucket, EAST)}, "both buckets are in us-east-1", "allow_same_region: true"),
    "no rules": ({"rules": ()}, "`rules` is empty", "Leave it out"),
    "too many rules": ({"rules": many_rules(1001)}, "1001 rules", "Use fewer"),
    "an ID twice": ({"rules": (Rule("a", 1), Rule("a", 2))}, "rule ID a", "Give each rule its own"),
    "a priority twice": ({"rules": (Rule("a", 7), Rule("b", 7))}, "rule priority 7", "Give each rule its own"),
    "no name": ({"name": ""}, "pair ''", "Rename the pair"),
    "a long name": ({"name": "a" * 40}, "a" * 40, "Rename the pair"),
    "a name with a slash": ({"name": "a/b"}, "pair 'a/b'", "Rename the pair"),
    "a name with a space": ({"name": "a b"}, "pair 'a b'", "Rename the pair"),
    "a name that begins with a dash": ({"name": "-a"}, "pair '-a'", "Rename the pair"),
    "a name with a line end": ({"name": "a\n"}, "pair 'a", "Rename the pair"),
}


@pytest.mark.parametrize(("changes", "thing", "next_step"), BAD_PAIRS.values(), ids=BAD_PAIRS)
def test_a_bad_pair_is_refused(changes: dict[str, Any], thing: str, next_step: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        a_pair(**changes)
    assert "pair '" in str(refused.value)
    assert thing in str(refused.value)
    assert next_step in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"dr": End(DR.bucket, EAST), "allow_same_region": True},
        {"rules": many_rules(1000)},
        {"name": "a" * 39},
        {"name": "Orders_eu.v2-x"},
        {"name": "0"},
    ],
)
def test_a_good_pair_is_taken(changes: dict[str, Any]) -> None:
    assert a_pair(**changes)


BAD_BUCKETS = {
    "ab": "3 to 63 characters",
    "a" * 64: "3 to 63 characters",
    "Orders": "lower-case",
    "my_bucket": "lower-case",
    "-orders": "beginning and ending",
    "orders-": "beginning and ending",
    ".orders": "beginning and ending",
    "orders\n": "lower-case",
    "my..orders": "two dots",
    "192.168.5.4": "IP address",
    "xn--orders": "prefix 'xn--'",
    "sthree-orders": "prefix 'sthree-'",
    "amzn-s3-demo-orders": "prefix 'amzn-s3-demo-'",
    "orders-s3alias": "suffix '-s3alias'",
    "orders--ol-s3": "suffix '--ol-s3'",
    "orders.mrap": "suffix '.mrap'",
    "orders--x-s3": "suffix '--x-s3'",
    "orders--table-s3": "suffix '--table-s3'",
}


@pytest.mark.parametrize(("name", "reason"), BAD_BUCKETS.items(), ids=repr)
def test_a_bucket_name_that_s3_refuses_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        End(name, EAST)
    assert f"bucket '{name}'" in str(refused.value)
    assert reason in str(refused.value)
    assert "Choose another bucket name" in str(refused.value)


@pytest.mark.parametrize("name", ["abc", "a" * 63, "my.orders", "1.2.3.4.5", "0rders-9", "a-111122223333-us-east-1-an"])
def test_a_bucket_name_that_s3_takes_is_taken(name: str) -> None:
    assert End(name, EAST).bucket == name


@pytest.mark.parametrize("region", ["", "us-east", "US-EAST-1", "useast1", "us-east-1a", "us east 1", "global"])
def test_what_cannot_be_a_region_is_refused(region: str) -> None:
    with pytest.raises(InvalidInput, match=r"bucket 'example-orders': '.*' is not a Region's name. Write it like"):
        End("example-orders", region)


def known_regions() -> list[str]:
    """All Regions that the SDK knows, of every partition."""
    session = boto3.Session()
    return sorted({r for p in session.get_available_partitions() for r in session.get_available_regions("s3", p)})


@pytest.mark.parametrize("region", known_regions())
def test_every_region_that_the_sdk_knows_is_taken_and_fits_a_roles_name(region: str) -> None:
    other = EAST if region != EAST else WEST
    (link,) = a_pair(name="p" * 39, primary=End(PRIMARY.bucket, other), dr=End(DR.bucket, region)).links()
    assert len(link.role_name) <= 64


def test_a_storage_class_that_replicas_cannot_have_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"no storage class 'OUTPOSTS' for replicas. Choose one of STANDARD, "):
        End("example-orders", EAST, "OUTPOSTS")


BAD_RULES: dict[str, tuple[Callable[[], Rule], str]] = {
    "no ID": (lambda: Rule(""), "Choose another `id`"),
    "a long ID": (lambda: Rule("r" * 256), "Choose another `id`"),
    "an ID that is not ASCII": (lambda: Rule("Aufträge"), "Choose another `id`"),
    "an ID with a line end": (lambda: Rule("a\nb"), "Choose another `id`"),
    "a negative priority": (lambda: Rule("a", -1), "rule 'a': priority -1 is negative. Use 0 or more"),
    "a long prefix": (lambda: Rule("a", prefix="é" * 513), "rule 'a': the prefix is longer .* 1024 bytes. Shorten"),
}


@pytest.mark.parametrize(("make", "said"), BAD_RULES.values(), ids=BAD_RULES)
def test_a_bad_rule_is_refused(make: Callable[[], Rule], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make()


def test_a_rule_at_s3s_limits_is_taken() -> None:
    assert Rule("r" * 255, 0, "é" * 512)


def test_a_one_way_pair_has_one_link_and_a_two_way_pair_has_both() -> None:
    assert [(link.source, link.destination) for link in a_pair().links()] == [(PRIMARY, DR)]
    assert [(link.source, link.destination) for link in two_way().links()] == [(PRIMARY, DR), (DR, PRIMARY)]
    assert [link.two_way for link in two_way().both_links()] == [True, True]
    assert [link.two_way for link in a_pair().both_links()] == [False, False]


def test_a_role_is_named_for_where_it_replicates_to() -> None:
    assert [link.role_name for link in two_way().links()] == ["s3-dr-orders-to-us-west-2", "s3-dr-orders-to-us-east-1"]


def test_in_one_region_each_direction_still_has_a_role_of_its_own() -> None:
    pair = two_way(dr=End(DR.bucket, EAST), allow_same_region=True)
    there, back = (link.role_name for link in pair.links())
    assert there != back


def test_the_account_is_read_from_the_callers_arn() -> None:
    arn = "arn:aws-us-gov:sts::444455556666:assumed-role/ops/session:with:colons"
    assert Account.of_caller(arn) == Account("444455556666", "aws-us-gov")


def test_a_step_says_what_it_does_and_an_address_what_it_names() -> None:
    address = Address("bucket", "example-orders", EAST, "111122223333")
    assert str(address) == "bucket example-orders (us-east-1)"
    assert [Step(address, *sides).action for sides in ((None, {}), ({}, {}), ({}, None))] == [
        "create",
        "update",
        "delete",
    ]


def test_the_default_rule_is_named_for_the_pair() -> None:
    assert default_rule_id("orders") == "s3-dr-orders"
