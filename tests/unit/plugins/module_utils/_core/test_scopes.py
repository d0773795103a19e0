# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a direction replicates follows from what AWS holds, and what is uncertain explains nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Expiration, Gap, Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    UNSEEN,
    Address,
    Document,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    GAP_FROM,
    GAP_UNTIL,
    bucket_address,
    pair_addresses,
    pair_wish,
    role_address,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.scopes import scope_addresses, scopes_of
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNTS,
    ARCHIVE,
    DR,
    KEYS,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    a_pair,
    everything,
    nothing,
    two_way,
    wished,
)

FORTH, BACK = (PRIMARY.bucket, DR.bucket), (DR.bucket, PRIMARY.bucket)
DENIED: Document = {UNSEEN: "these credentials may not read it: a permission is missing"}
MADE = "2026-03-04T05:06:07+00:00"


def held(pair: Pair, **changes: Document | None) -> dict[Address, Document | None]:
    """What AWS holds after setup, with other documents of some kinds of the primary bucket or its role."""
    world = {**nothing(pair), **dict.fromkeys(scope_addresses(pair, ACCOUNTS)), **wished(pair)}
    for kind, document in changes.items():
        (link, *_back) = pair.links()
        is_role = kind.startswith("iam")
        world[role_address(link, ACCOUNTS, kind) if is_role else bucket_address(PRIMARY, ACCOUNTS, kind)] = document
    return world


def forth(pair: Pair, world: Observed) -> Scope:
    """The scope from primary to DR."""
    return scopes_of(pair, ACCOUNTS, world)[FORTH]


# --- which scopes there are ----------------------------------------------------------------------------------


def test_a_one_way_pair_has_one_scope_and_a_two_way_pair_both() -> None:
    assert list(scopes_of(a_pair(), ACCOUNTS, held(a_pair()))) == [FORTH]
    found = scopes_of(two_way(), ACCOUNTS, held(two_way()))
    assert list(found) == [FORTH, BACK]
    assert [(scope.source, scope.destination) for scope in found.values()] == [(PRIMARY, DR), (DR, PRIMARY)]


def test_rules_to_another_bucket_have_a_scope_of_their_own() -> None:
    pair = two_way(rules=(Rule("r"), Rule("far", 2, destination=ARCHIVE)))
    found = scopes_of(pair, ACCOUNTS, held(pair))
    assert {way: [rule.id for rule in scope.rules] for way, scope in found.items()} == {
        FORTH: ["r"],
        (PRIMARY.bucket, ARCHIVE.bucket): ["far"],
        BACK: ["r"],
    }


def test_two_destinations_of_one_bucket_are_one_scope_and_each_rule_keeps_its_choice_of_kms() -> None:
    with_key = replace(DR, kms_key_arn=KEYS[DR.bucket])
    primary = replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket])
    pair = a_pair(primary=primary, rules=(Rule("plain"), Rule("kms", 2, "k/", destination=with_key)))
    (scope,) = list(scopes_of(pair, ACCOUNTS, held(pair)).values())
    assert scope.destination == DR
    assert {rule.id: rule.kms_objects for rule in scope.rules} == {"plain": False, "kms": True}


@given(strategies.declared())
def test_every_rule_of_every_direction_is_in_exactly_one_scope(found: strategies.Declared) -> None:
    scopes = scopes_of(*found, {})
    declared = sorted(
        (link.source.bucket, link.destination_of(rule).bucket, rule.id)
        for link in found.pair.links()
        for rule in link.rules
    )
    assert declared == sorted((*way, rule.id) for way, scope in scopes.items() for rule in scope.rules)


# --- rules as AWS holds them ---------------------------------------------------------------------------------


def test_a_rule_is_on_or_off_as_aws_holds_it() -> None:
    pair = a_pair(rules=(Rule("on"), Rule("off", 2, "o/"), Rule("gone", 3, "g/")))
    document = wished(pair)[bucket_address(PRIMARY, ACCOUNTS, "bucket_replication")]
    on, off, _gone = document["Rules"]
    world = held(pair, bucket_replication={**document, "Rules": [on, {**off, "Status": "Disabled"}]})
    assert {rule.id: rule.enabled for rule in forth(pair, world).rules} == {"on": True, "off": False, "gone": False}


def test_without_a_configuration_no_rule_is_on() -> None:
    assert [rule.enabled for rule in forth(a_pair(), held(a_pair(), bucket_replication=None)).rules] == [False]


def test_a_rule_of_our_id_that_goes_elsewhere_is_not_ours() -> None:
    document = wished(a_pair())[bucket_address(PRIMARY, ACCOUNTS, "bucket_replication")]
    (rule,) = document["Rules"]
    elsewhere = {**document, "Rules": [{**rule, "Destination": {"Bucket": "arn:aws:s3:::elsewhere"}}]}
    assert [rule.enabled for rule in forth(a_pair(), held(a_pair(), bucket_replication=elsewhere)).rules] == [False]


@pytest.mark.parametrize("enabled", [True, False])
def test_rules_that_cannot_be_read_are_as_declared(enabled: bool) -> None:
    pair = a_pair(rules=(Rule("r", enabled=enabled),))
    for world in (held(pair, bucket_replication=DENIED), {}):
        assert [rule.enabled for rule in forth(pair, world).rules] == [enabled]


def test_a_source_fans_out_when_any_rule_of_it_goes_elsewhere() -> None:
    pair = two_way(rules=(Rule("r"), Rule("far", 2, destination=ARCHIVE)))
    found = scopes_of(pair, ACCOUNTS, held(pair))
    assert [scope.fan_out for scope in found.values()] == [True, True, False]
    assert [scope.fan_out for scope in scopes_of(pair, ACCOUNTS, {}).values()] == [True, True, False]
    assert not forth(a_pair(), held(a_pair())).fan_out
    document = wished(a_pair())[bucket_address(PRIMARY, ACCOUNTS, "bucket_replication")]
    foreign = {"ID": "theirs", "Status": "Disabled", "Destination": {"Bucket": "arn:aws:s3:::elsewhere"}}
    with_theirs = {**document, "Rules": [*document["Rules"], foreign]}
    assert forth(a_pair(), held(a_pair(), bucket_replication=with_theirs)).fan_out


# --- times ---------------------------------------------------------------------------------------------------

OUR_ROLE: Document = {"Path": "/", "Tags": owner_tags()}


def test_a_direction_replicates_since_its_role_was_made() -> None:
    world = held(a_pair(), iam_role=OUR_ROLE, iam_role_made={"CreateDate": MADE})
    assert forth(a_pair(), world).since == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_each_direction_has_the_age_of_its_own_role() -> None:
    world = held(two_way(), iam_role=OUR_ROLE, iam_role_made={"CreateDate": MADE})
    assert [scope.since is None for scope in scopes_of(two_way(), ACCOUNTS, world).values()] == [False, True]


@pytest.mark.parametrize(
    ("role", "made"),
    [
        (OUR_ROLE, None),
        (OUR_ROLE, DENIED),
        ({"Path": "/", "Tags": {"team": "red"}}, {"CreateDate": MADE}),
        (OUR_ROLE, {"CreateDate": "yesterday"}),
    ],
    ids=["gone", "denied", "not ours", "no time"],
)
def test_a_role_that_is_not_known_to_be_ours_says_nothing(role: Document, made: Document | None) -> None:
    assert forth(a_pair(), held(a_pair(), iam_role=role, iam_role_made=made)).since is None


def test_a_role_that_may_not_be_read_is_known_by_its_name() -> None:
    assert forth(a_pair(), held(a_pair(), iam_role=DENIED, iam_role_made={"CreateDate": MADE})).since is not None


def test_a_role_of_the_users_is_not_asked_and_says_nothing() -> None:
    pair = a_pair(primary=replace(PRIMARY, replication_role_arn="arn:aws:iam::111122223333:role/theirs"))
    assert "iam_role_made" not in {address.kind for address in scope_addresses(pair, ACCOUNTS)}
    made = {role_address(pair.links()[0], ACCOUNTS, "iam_role_made"): {"CreateDate": MADE}}
    assert forth(pair, made).since is None


def _paused(since: str, until: str) -> tuple[Gap, ...]:
    role = {**OUR_ROLE, "Tags": {**owner_tags(), GAP_FROM: since, GAP_UNTIL: until}}
    return forth(a_pair(), held(a_pair(), iam_role=role)).gaps


def test_a_pause_is_a_gap_and_one_that_lasts_has_no_end() -> None:
    begin, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
    assert _paused("2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z") == (Gap(begin, until),)
    assert _paused("2026-01-01T00:00:00Z", "") == (Gap(begin),)
    assert _paused("2026-01-01T00:00:00", "2026-02-02T02:00:00+02:00") == (Gap(begin, until),)


def test_a_time_without_a_zone_is_in_utc_wherever_this_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        found = _paused("2026-01-01T00:00:00", "")
    time.tzset()
    assert found == (Gap(datetime(2026, 1, 1, tzinfo=UTC)),)


@pytest.mark.parametrize(("since", "until"), [("soon", ""), ("2026-01-01T00:00:00Z", "later")])
def test_a_pause_that_names_no_time_is_no_gap(since: str, until: str) -> None:
    assert _paused(since, until) == ()


def test_a_pause_of_one_direction_is_none_of_the_other() -> None:
    role = {**OUR_ROLE, "Tags": {**owner_tags(), GAP_FROM: "2026-01-01T00:00:00Z", GAP_UNTIL: ""}}
    found = scopes_of(two_way(), ACCOUNTS, held(two_way(), iam_role=role))
    assert [len(scope.gaps) for scope in found.values()] == [1, 0]


# --- lifecycle -----------------------------------------------------------------------------------------------

TAG = {"Key": "k", "Value": "v"}


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"Filter": {"Prefix": "tmp/"}}, Expiration("tmp/", 30)),
        ({"Filter": {}}, Expiration("", 30)),
        ({"Prefix": "old/"}, Expiration("old/", 30)),
        ({"Filter": {"And": {"Prefix": "tmp/"}}}, Expiration("tmp/", 30)),
        ({"Filter": {"Tag": TAG}}, None),
        ({"Filter": {"And": {"Prefix": "tmp/", "Tags": [TAG]}}}, None),
        ({"Filter": {"ObjectSizeGreaterThan": 1}}, None),
        ({"Filter": {"And": {"Prefix": "tmp/", "ObjectSizeLessThan": 0}}}, None),
        ({"Filter": {}, "Status": "Disabled"}, None),
        ({"Filter": {}, "Expiration": {"Date": "2026-01-01T00:00:00+00:00"}}, None),
        ({"Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}}, None),
    ],
)
def test_only_a_lifecycle_rule_that_certainly_made_a_marker_explains_it(
    rule: dict[str, Any], found: Expiration | None
) -> None:
    lifecycle = {"Rules": [{"Status": "Enabled", "Expiration": {"Days": 30}, **rule}]}
    assert forth(a_pair(), held(a_pair(), bucket_lifecycle=lifecycle)).expirations == ((found,) if found else ())


def test_the_rules_of_the_destination_are_its_own() -> None:
    lifecycle = {"Rules": [{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 3}}]}
    found = scopes_of(two_way(), ACCOUNTS, held(two_way(), bucket_lifecycle=lifecycle))
    assert [(scope.expirations, scope.destination_expirations) for scope in found.values()] == [
        ((Expiration("", 3),), ()),
        ((), (Expiration("", 3),)),
    ]


def test_a_lifecycle_that_cannot_be_read_explains_nothing() -> None:
    assert forth(a_pair(), held(a_pair(), bucket_lifecycle=DENIED)).expirations == ()


# --- lock and encryption -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "found"), [({"ObjectLockEnabled": "Enabled"}, True), (None, False), (DENIED, None)]
)
def test_object_lock_of_the_destination(document: Document | None, found: bool | None) -> None:
    world = held(two_way(), bucket_object_lock=document)
    assert scopes_of(two_way(), ACCOUNTS, world)[BACK].destination_has_object_lock is found


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}]}, True),
        ({"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]}, False),
        (None, False),
        (DENIED, None),
    ],
)
def test_whether_the_destination_blocks_sse_c(document: Document | None, found: bool | None) -> None:
    world = held(two_way(), bucket_encryption=document)
    assert scopes_of(two_way(), ACCOUNTS, world)[BACK].destination_blocks_sse_c is found


# --- what is read --------------------------------------------------------------------------------------------


def test_nothing_is_read_of_an_account_without_credentials() -> None:
    accounts = {**TWO_ACCOUNTS, DR.bucket: replace(OTHER, ours=False)}
    found = scope_addresses(a_pair(), accounts)
    assert {address.name for address in found if address.kind.startswith("bucket")} == {PRIMARY.bucket}
    scope = scopes_of(a_pair(), accounts, {})[FORTH]
    assert (scope.destination_has_object_lock, scope.destination_blocks_sse_c) == (None, None)


@given(st.data(), strategies.declared())
def test_whatever_aws_holds_there_is_a_scope_for_each_direction(
    data: st.DataObject, found: strategies.Declared
) -> None:
    world = {**data.draw(strategies.pair_worlds(found)), **dict.fromkeys(scope_addresses(*found))}
    assert {scope.source.bucket for scope in scopes_of(*found, world).values()} == {
        link.source.bucket for link in found.pair.links()
    }


def test_after_setup_every_rule_of_everything_is_on() -> None:
    pair = everything()
    empty = dict.fromkeys(pair_addresses(pair, TWO_ACCOUNTS))
    found = scopes_of(pair, TWO_ACCOUNTS, pair_wish(pair, TWO_ACCOUNTS, empty))
    assert len(found) == 3
    assert all(rule.enabled for scope in found.values() for rule in scope.rules)


@given(strategies.dice)
def test_the_order_of_what_aws_holds_means_nothing(dice: Any) -> None:
    pair = everything()
    lifecycle = {"Rules": [{"Status": "Enabled", "Filter": {"Prefix": one}, "Expiration": {"Days": 3}} for one in "ab"]}
    world = held(pair, bucket_lifecycle=lifecycle)
    turned = {address: strategies.shuffled(document, dice) for address, document in world.items()}
    assert scopes_of(pair, ACCOUNTS, turned) == scopes_of(pair, ACCOUNTS, world)
