# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A declaration that cannot be right is refused, with the thing and the next step in one message."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Address,
    End,
    InvalidInput,
    Link,
    RoleSettings,
    Rule,
    Step,
    default_rule_id,
    is_seen,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ARCHIVE,
    DR,
    EAST,
    KEYS,
    PRIMARY,
    WEST,
    a_pair,
    address,
    two_way,
)


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
    "nothing to the DR bucket": (
        {"rules": (Rule("a", destination=ARCHIVE),)},
        "no rule sends anything to 'example-orders-dr'",
        "Leave `destination.bucket` out of one",
    ),
    "one role for both directions": (
        {"roles": RoleSettings("replicates-{pair}")},
        "both directions would share the role 'replicates-orders'",
        "Put {source} or {destination} into",
    ),
    "a role name that is too long": (
        {"roles": RoleSettings("{destination}" + "r" * 56)},
        f"'us-west-2{'r' * 56}' is none",
        "Change the role name template",
    ),
    "a role name with a slash": (
        {"roles": RoleSettings("a/{source}")},
        "'a/us-east-1' is none",
        "Change the role name",
    ),
    "a role name with a letter of another script": (
        {"roles": RoleSettings("ä{source}")},
        "'äus-east-1' is none",
        "Change the role name template",
    ),
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
        {"roles": RoleSettings("{destination}" + "r" * 55)},
        {"roles": RoleSettings("{source_bucket}+{destination_bucket}=,.@_-")},
        {"rules": (Rule("a", 1), Rule("b", 2, destination=ARCHIVE))},
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
    "eleven tags": (
        lambda: Rule("a", tags=tuple((str(number), "v") for number in range(11))),
        "rule 'a': 11 tags, and an object has at most 10. Use fewer",
    ),
    "a tag without key": (lambda: Rule("a", tags=(("", "v"),)), "rule 'a': the tag '' is outside of S3's limits"),
    "a tag with a long key": (lambda: Rule("a", tags=(("k" * 129, ""),)), "1 to 128 characters for a key.*Shorten it"),
    "a tag with a long value": (lambda: Rule("a", tags=(("k", "v" * 257),)), "up to 256 for a value. Shorten it"),
    "tags and delete markers": (
        lambda: Rule("a", tags=(("k", "v"),), delete_markers=True),
        "a rule with `tags` cannot replicate delete markers.*Set `delete_markers: false`",
    ),
    "tags and delete markers on the way back": (
        lambda: Rule("a", tags=(("k", "v"),), reverse_delete_markers=True),
        "a rule with `tags` cannot replicate delete markers",
    ),
    "a long prefix": (lambda: Rule("a", prefix="é" * 513), "rule 'a': the prefix is longer .* 1024 bytes. Shorten"),
}


@pytest.mark.parametrize(("make", "said"), BAD_RULES.values(), ids=BAD_RULES)
def test_a_bad_rule_is_refused(make: Callable[[], Rule], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make()


def test_a_rule_at_s3s_limits_is_taken() -> None:
    assert Rule("r" * 255, 0, "é" * 512)
    assert Rule("r", tags=tuple((f"{number:0128}", "v" * 256) for number in range(10)))


KEY = KEYS[PRIMARY.bucket]
BAD_ENDS: dict[str, tuple[dict[str, Any], str]] = {
    "an alias": (
        {"kms_key_arn": f"arn:aws:kms:{EAST}:111122223333:alias/orders"},
        "alias/orders' is not the ARN of a KMS key. Aliases.*write arn:aws:kms:REGION:ACCOUNT:key/ID",
    ),
    "a bare key ID": ({"kms_key_arn": "1234abcd"}, "'1234abcd' is not the ARN of a KMS key"),
    "a key with a line end": ({"kms_key_arn": f"{KEY}\n"}, "is not the ARN of a KMS key"),
    "a key of another Region": (
        {"kms_key_arn": KEYS[DR.bucket]},
        "is in us-west-2, and S3 uses keys of the bucket's own Region only. Name a key in us-east-1",
    ),
    "a further key of another Region": ({"more_kms_key_arns": (KEY, KEYS[DR.bucket])}, "Name a key in us-east-1"),
    "a role's name": (
        {"replication_role_arn": "replicator"},
        "'replicator' is not the ARN of an IAM role. Write `replication_role_arn` like arn:aws:iam::",
    ),
    "a user's ARN": (
        {"replication_role_arn": "arn:aws:iam::111122223333:user/me"},
        "user/me' is not the ARN of an IAM role",
    ),
    "an account ID without its leading zero": (
        {"account_id": "11122223333"},
        "an account ID has 12 digits, '11122223333' has not. Write `account_id` in quotes",
    ),
}


@pytest.mark.parametrize(("changes", "said"), BAD_ENDS.values(), ids=BAD_ENDS)
def test_a_bad_end_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"(?s)bucket 'example-orders': .*{said}"):
        End(PRIMARY.bucket, EAST, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"kms_key_arn": KEY, "more_kms_key_arns": (f"{KEY}-2",)},
        {"kms_key_arn": f"arn:aws-cn:kms:{EAST}:111122223333:key/mrk-1234"},
        {"replication_role_arn": "arn:aws:iam::111122223333:role/dr/a+b=c,d.e@f-g_h"},
        {"account_id": "000000000001"},
    ],
)
def test_a_good_end_is_taken(changes: dict[str, Any]) -> None:
    assert End(PRIMARY.bucket, EAST, **changes)


def test_an_end_names_each_of_its_keys_once_and_the_replicas_first() -> None:
    end = End(PRIMARY.bucket, EAST, kms_key_arn=KEY, more_kms_key_arns=(f"{KEY}-2", KEY, f"{KEY}-2"))
    assert end.kms_keys() == (KEY, f"{KEY}-2")
    assert End(PRIMARY.bucket, EAST, more_kms_key_arns=(KEY,)).kms_keys() == (KEY,)
    assert PRIMARY.kms_keys() == ()


BAD_ROLES: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"the template {template}": (
            {"name_template": template},
            rf"role name template '{re.escape(template)}': it takes {{pair}}, {{source}}, .* nothing else in braces",
        )
        for template in (
            "{region}",
            "{pair.name}-{source}",
            "{pair[a]}-{source}",
            "{pair",
            "{}",
            "{pair!r}",
            "{pair:9}",
        )
    },
    "a path without slashes": ({"path": "dr"}, "role path 'dr': it begins and ends with '/'. Write it like"),
    "a path that does not end": ({"path": "/dr"}, "role path '/dr'"),
    "a path with a space": ({"path": "/d r/"}, "role path '/d r/'"),
    "a path that is too long": ({"path": f"/{'d' * 511}/"}, "role path '/ddd"),
    "a boundary's name": (
        {"permissions_boundary": "fence"},
        "permissions boundary 'fence': it is not the ARN of an IAM policy. Write it like",
    ),
    "a role as boundary": (
        {"permissions_boundary": "arn:aws:iam::111122223333:role/fence"},
        "it is not the ARN of an IAM policy",
    ),
}


@pytest.mark.parametrize(("changes", "said"), BAD_ROLES.values(), ids=BAD_ROLES)
def test_bad_role_settings_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        RoleSettings(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/"},
        {"path": f"/{'d' * 510}/"},
        {"path": "/a/b/"},
        {"permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess"},
        {"permissions_boundary": "arn:aws-cn:iam::111122223333:policy/dr/fence"},
    ],
)
def test_good_role_settings_are_taken(changes: dict[str, Any]) -> None:
    assert RoleSettings(**changes)


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


def test_a_role_is_named_by_the_template() -> None:
    roles = RoleSettings("{pair}-{source}")
    assert [link.role_name for link in two_way(roles=roles).links()] == ["orders-us-east-1", "orders-us-west-2"]
    buckets = RoleSettings("{destination_bucket}.{source_bucket}")
    (link,) = a_pair(roles=buckets).links()
    assert link.role_name == "example-orders-dr.example-orders"


# --- where replicas go ---------------------------------------------------------------------------------------


def test_a_rule_goes_to_the_other_end_unless_it_says_otherwise() -> None:
    cheaper = replace(DR, storage_class="GLACIER")
    rules = (Rule("a", 1), Rule("b", 2, destination=cheaper), Rule("c", 3, destination=ARCHIVE))
    (link,) = a_pair(rules=rules).links()
    assert [link.destination_of(rule) for rule in link.rules] == [DR, cheaper, ARCHIVE]
    assert link.destinations() == (DR, cheaper, ARCHIVE)


def way_back(*rules: Rule) -> Link:
    """The second direction of a two-way pair."""
    return two_way(rules=rules).links()[1]


def test_a_rule_that_leaves_the_pair_has_no_way_back() -> None:
    assert [rule.id for rule in way_back(Rule("a", 1), Rule("b", 2, destination=ARCHIVE)).rules] == ["a"]


def test_a_destination_in_the_pair_speaks_of_the_way_there_only() -> None:
    link = way_back(Rule("a", destination=replace(DR, storage_class="GLACIER")))
    assert [link.destination_of(rule) for rule in link.rules] == [PRIMARY]


@pytest.mark.parametrize(
    ("there", "back", "expected"), [(True, None, True), (True, False, False), (False, True, True), (False, None, False)]
)
def test_the_way_back_has_its_own_choice_of_delete_markers(there: bool, back: bool | None, expected: bool) -> None:
    rule = Rule("a", delete_markers=there, reverse_delete_markers=back)
    assert two_way(rules=(rule,)).links()[0].rules[0].delete_markers is there
    assert way_back(rule).rules[0].delete_markers is expected


def test_the_ends_are_the_two_of_the_pair_and_each_further_bucket_once() -> None:
    cheaper = (replace(DR, storage_class="GLACIER"), replace(ARCHIVE, storage_class="GLACIER"))
    rules = [Rule(f"r{number}", number, destination=end) for number, end in enumerate((None, ARCHIVE, *cheaper))]
    assert a_pair(rules=tuple(rules)).ends() == (PRIMARY, DR, ARCHIVE)


def test_a_document_that_may_not_be_read_is_not_one_that_does_not_exist() -> None:
    assert [is_seen(document) for document in (None, {}, {"Unseen": "why"})] == [True, True, False]


def test_the_account_is_read_from_the_callers_arn() -> None:
    arn = "arn:aws-us-gov:sts::444455556666:assumed-role/ops/session:with:colons"
    assert Account.of_caller(arn) == Account("444455556666", "aws-us-gov")


def test_a_step_says_what_it_does_and_an_address_what_it_names() -> None:
    at = address("bucket")
    assert at == Address("bucket", "example-orders", EAST, "111122223333")
    assert str(at) == "bucket example-orders (us-east-1)"
    assert [Step(at, *sides).action for sides in ((None, {}), ({}, {}), ({}, None))] == [
        "create",
        "update",
        "delete",
    ]


def test_the_default_rule_is_named_for_the_pair() -> None:
    assert default_rule_id("orders") == "s3-dr-orders"


@pytest.mark.parametrize("tags", [(("Managed-By", "me"),), (("aws:x", "y"),), (("s3-dr-gap-from", "then"),)])
def test_tags_that_are_kept_for_others_are_refused(tags: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(InvalidInput, match=f"{tags[0][0]} cannot be set.*Leave them out"):
        RoleSettings(tags=tags)


def test_more_tags_than_a_role_takes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="41 of them cannot be set"):
        RoleSettings(tags=tuple((f"k{number}", "v") for number in range(41)))
