# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Reading a pair back: what AWS holds is declared again, and nothing changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.constraints import check_declaration
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    STORAGE_CLASSES,
    Account,
    Accounts,
    Address,
    Direction,
    Document,
    End,
    InvalidInput,
    Observation,
    Pair,
    RoleSettings,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, applied, plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.reading import (
    Found,
    accounts_of_all,
    further_buckets,
    pair_as_found,
    rule_from,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    Intent,
    one_account,
    pair_addresses,
    pair_removal_wish,
    pair_wish,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    DR,
    EAST,
    PRIMARY,
    WEST,
    a_pair,
    address,
    two_way,
)

EU = "eu-central-1"
FURTHER = {"example-archive": EU, "example-reports": WEST}
BEGIN = Intent(now="2026-01-01T00:00:00Z")
PAUSE = Intent(paused=True, now="2026-01-01T00:00:00Z")


def key(region: str, number: int = 1) -> str:
    """A KMS key of the account of the examples."""
    return f"arn:aws:kms:{region}:{ACCOUNT.id}:key/{number}"


# --- declared pairs ------------------------------------------------------------------------------------------

booleans = st.booleans()
classes = st.none() | st.sampled_from(STORAGE_CLASSES[:4])


@st.composite
def ends(draw: st.DrawFn, bucket: str, region: str, with_kms: bool) -> End:
    """An end of the pair, with keys or without."""
    numbers = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True)) if with_kms else []
    keys = [key(region, number) for number in numbers]
    own = keys.pop() if keys and draw(booleans) else None
    return End(
        bucket,
        region,
        draw(classes),
        own,
        tuple(keys),
        draw(booleans),
        draw(st.none() | st.just(f"arn:aws:iam::{ACCOUNT.id}:role/teams/own-{bucket}")),
    )


@st.composite
def destinations(draw: st.DrawFn, dr: End, may_leave: bool, with_kms: bool) -> End | None:
    """Where a rule's replicas go, as the options can say it: the DR end in another way, or another bucket."""
    kind = draw(st.sampled_from(["plain", "own", "further"] if may_leave else ["plain", "plain", "own"]))
    if kind == "plain":
        return None
    bucket, region = (dr.bucket, dr.region) if kind == "own" else draw(st.sampled_from(sorted(FURTHER.items())))
    storage_class = draw(classes)
    key_arn = draw(st.none() | st.sampled_from([key(region), key(region, 4)])) if with_kms else None
    if kind == "own":
        return replace(dr, storage_class=storage_class or dr.storage_class, kms_key_arn=key_arn or dr.kms_key_arn)
    return End(bucket, region, storage_class, key_arn, object_lock=bucket.endswith("e"))


@st.composite
def rules(draw: st.DrawFn, dr: End, with_kms: bool) -> tuple[Rule, ...]:
    """One to four rules, the first of which does not leave the pair."""
    found = []
    for number in range(draw(st.sampled_from([3, 4, 2, 1]))):
        tags = tuple(draw(st.dictionaries(st.sampled_from(["kind", "team"]), st.sampled_from("12"))).items())
        found.append(
            Rule(
                f"rule {number}",
                draw(st.integers(0, 3)) * 10 + number,
                draw(st.sampled_from(["", "a/", "b/c"])),
                tags,
                draw(booleans),
                not tags and draw(booleans),
                None if tags else draw(st.none() | booleans),
                draw(st.sampled_from(Observation)),
                draw(st.none() | booleans),
                draw(st.none() | booleans if with_kms else st.sampled_from([None, False])),
                destination=draw(destinations(dr, number > 0, with_kms)),
            )
        )
    return tuple(found)


@st.composite
def role_settings(draw: st.DrawFn) -> RoleSettings:
    """How the roles are made."""
    boundary = st.none() | st.just(f"arn:aws:iam::{ACCOUNT.id}:policy/fence")
    tags = st.dictionaries(st.sampled_from(["team", "cost", "managed-by"]), st.sampled_from(["a", "b"]))
    return RoleSettings(
        draw(st.sampled_from([RoleSettings().name_template, "{source_bucket}-out"])),
        draw(st.sampled_from(["/", "/teams/"])),
        draw(boundary),
        tuple(sorted(draw(tags).items())),
        draw(booleans),
    )


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Any pair of one account that a user may declare."""
    with_kms, same_region = draw(st.sampled_from([True, True, False])), draw(booleans)
    dr = draw(ends(DR.bucket, EAST if same_region else WEST, with_kms))
    try:
        pair = Pair(
            "orders",
            draw(ends(PRIMARY.bucket, EAST, with_kms)),
            dr,
            draw(rules(dr, with_kms)),
            draw(st.sampled_from(Direction)),
            same_region,
            draw(role_settings()),
        )
        check_declaration(pair)
    except InvalidInput:
        assume(False)
    return pair


def accounts_of(pair: Pair) -> Accounts:
    """All of one account."""
    return one_account(ACCOUNT, *pair.ends())


def made(pair: Pair, intent: Intent = BEGIN) -> Observed:
    """AWS after the pair was made in an empty one."""
    nothing = dict.fromkeys(pair_addresses(pair, accounts_of(pair)))
    wish = pair_wish(pair, accounts_of(pair), nothing, intent)
    return applied(plan(wish, {**dict.fromkeys(wish), **nothing}), nothing)


def barely(pair: Pair) -> Pair:
    """Only the names, and what AWS does not tell: where no role of ours reads the source's keys, the keys."""
    bare_ends = [
        End(
            end.bucket,
            end.region,
            None,
            *((end.kms_key_arn, end.more_kms_key_arns) if end.replication_role_arn else ()),
        )
        for end in (pair.primary, pair.dr)
    ]
    roles = RoleSettings(pair.roles.name_template)
    return Pair(pair.name, *bare_ends, (Rule("any"),), allow_same_region=pair.allow_same_region, roles=roles)


def without_lock(pair: Pair) -> Pair:
    """The pair without Object Lock on further buckets, which are not looked at unless declared."""
    found = [
        rule
        if rule.destination is None or rule.destination.bucket == pair.dr.bucket
        else replace(rule, destination=replace(rule.destination, object_lock=False))
        for rule in pair.rules
    ]
    return replace(pair, rules=tuple(found))


def assert_same(pair: Pair, found: Found, world: Observed, intent: Intent) -> None:
    """The pair that was found wishes what the declared one wishes, AWS holds all of it, and a user may declare it."""
    assert found.pair is not None
    check_declaration(found.pair)
    everyone = accounts_of_all(found.pair, one_account(ACCOUNT, pair.primary, pair.dr))
    assert everyone == accounts_of(pair)
    assert pair_wish(found.pair, everyone, world, intent) == pair_wish(pair, accounts_of(pair), world, intent)
    assert plan(pair_wish(found.pair, everyone, world, intent), world) == ()
    assert found.foreign_rules == ()
    enabled = any(rule.enabled for rule in found.pair.rules)
    event("two_way" if pair.direction is Direction.TWO_WAY else "one_way")
    assert found.state == ("present" if enabled else "paused")


# --- the law -------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(pair=pairs(), intent=st.sampled_from([BEGIN, PAUSE]))
def test_a_declared_pair_is_read_back_as_one_that_wishes_the_same(pair: Pair, intent: Intent) -> None:
    world = made(pair, intent)
    ids = [rule.id for rule in pair.rules]
    assert_same(pair, pair_as_found(pair, accounts_of(pair), world, {}, ids), world, intent)


@settings(max_examples=150)
@given(pair=pairs().map(without_lock), intent=st.sampled_from([BEGIN, PAUSE]))
def test_of_a_pair_of_which_only_the_names_are_known_the_same_is_read(pair: Pair, intent: Intent) -> None:
    world, bare = made(pair, intent), barely(pair)
    accounts = accounts_of(bare)
    seen = {at: world.get(at) for at in pair_addresses(bare, accounts)}
    regions = {bucket: FURTHER[bucket] for bucket in further_buckets(bare, accounts, seen)}
    assert_same(pair, pair_as_found(bare, accounts, seen, regions), world, intent)


# --- one rule ------------------------------------------------------------------------------------------------


def document(**changes: Any) -> dict[str, Any]:
    """A rule of the new schema with all that a pair can say; None takes a field away."""
    full = {
        "ID": "one",
        "Priority": 3,
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "a/", "Tags": [{"Key": "k", "Value": "v"}]}},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "SourceSelectionCriteria": {
            "ReplicaModifications": {"Status": "Enabled"},
            "SseKmsEncryptedObjects": {"Status": "Enabled"},
        },
        "Destination": {
            "Bucket": f"arn:aws:s3:::{DR.bucket}",
            "StorageClass": "GLACIER",
            "EncryptionConfiguration": {"ReplicaKmsKeyID": key(WEST)},
            "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
            "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
        },
        **changes,
    }
    return {name: value for name, value in full.items() if value is not None}


def plain(**changes: Any) -> dict[str, Any]:
    """A rule for all objects to the DR bucket, as short as S3 takes it."""
    target = {"Destination": {"Bucket": f"arn:aws:s3:::{DR.bucket}"}, "SourceSelectionCriteria": None}
    return document(**{"Filter": {}, "Priority": 1, **target, **changes})


def to(bucket: str, **more: Any) -> dict[str, Any]:
    """A destination."""
    return {"Bucket": f"arn:aws:s3:::{bucket}", **more}


def test_a_rule_is_read_with_all_its_choices() -> None:
    assert rule_from(document(), DR) == Rule(
        "one",
        3,
        "a/",
        (("k", "v"),),
        observation=Observation.METRICS_AND_RTC,
        replica_modifications=True,
        kms_objects=True,
        destination=replace(DR, storage_class="GLACIER", kms_key_arn=key(WEST)),
    )


def test_a_short_rule_is_read_with_what_s3_takes_it_for() -> None:
    expected = Rule("one", 0, observation=Observation.NONE, replica_modifications=False, kms_objects=False)
    assert rule_from(plain(Priority=None, DeleteMarkerReplication=None), DR) == replace(expected, destination=DR)


def test_the_owner_override_is_read() -> None:
    given_away = to(DR.bucket, Account="444455556666", AccessControlTranslation={"Owner": "Destination"})
    rule = rule_from(plain(Destination=given_away), DR)
    assert rule is not None
    assert rule.owner_override


OFF = {"Status": "Disabled"}


@pytest.mark.parametrize(
    "changes",
    [
        {"Filter": {"Prefix": ""}},
        {"Filter": {"And": {"Prefix": ""}}},
        {"SourceSelectionCriteria": {"ReplicaModifications": OFF, "SseKmsEncryptedObjects": OFF}},
        {"Destination": to(DR.bucket, Metrics=OFF, ReplicationTime={**OFF, "Time": {"Minutes": 15}})},
        {"ExistingObjectReplication": {"Status": "Enabled"}},  # S3 returns it and does not take it any more
    ],
    ids=str,
)
def test_other_ways_to_say_the_same_are_read_alike(changes: dict[str, Any]) -> None:
    expected = rule_from(plain(), DR)
    assert expected is not None
    assert rule_from(plain(**changes), DR) == expected


UNSAYABLE = {
    "the old schema": {"Filter": None, "Prefix": "a/"},
    "a field unknown to this collection": {"NewField": {"Status": "Enabled"}},
    "an unknown field of the destination": {"Destination": to(DR.bucket, NewField="x")},
    "an unknown selection": {"SourceSelectionCriteria": {"NewField": {"Status": "Enabled"}}},
    "an unknown filter": {"Filter": {"NewField": 5}},
    "an unknown part of a filter": {"Filter": {"And": {"Prefix": "a/", "NewField": 5}}},
    "a threshold without replication time control": {
        "Destination": to(DR.bucket, Metrics={"Status": "Enabled", "EventThreshold": {"Minutes": 15}})
    },
    "an account without the owner override": {"Destination": to(DR.bucket, Account="444455556666")},
    "an unknown storage class": {"Destination": to(DR.bucket, StorageClass="PAPER")},
    "a key by its alias": {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": to(DR.bucket, EncryptionConfiguration={"ReplicaKmsKeyID": "alias/x"}),
    },
    "a key without objects that use it": {
        "Destination": to(DR.bucket, EncryptionConfiguration={"ReplicaKmsKeyID": key(WEST)})
    },
}


@pytest.mark.parametrize("changes", UNSAYABLE.values(), ids=UNSAYABLE)
def test_a_rule_of_which_something_would_be_lost_is_not_read(changes: dict[str, Any]) -> None:
    assert rule_from(plain(**changes), DR) is None


# --- buckets that nobody made with a pair --------------------------------------------------------------------

ACCOUNTS = one_account(ACCOUNT, PRIMARY, DR)
THEIR_ROLE = f"arn:aws:iam::{ACCOUNT.id}:role/theirs"


def world(
    out: Iterable[Document] = (), back: Iterable[Document] = (), more: Mapping[Address, Any] | None = None
) -> Observed:
    """Both buckets, versioned, with these rules that replicate as somebody's role."""
    found: dict[Address, Document | None] = dict.fromkeys(pair_addresses(a_pair(), ACCOUNTS))
    for end, rules_of_end in ((PRIMARY, list(out)), (DR, list(back))):
        found[address("bucket", end.bucket, end.region)] = {"Region": end.region}
        found[address("bucket_versioning", end.bucket, end.region)] = {"Status": "Enabled"}
        if rules_of_end:
            configuration = {"Role": THEIR_ROLE, "Rules": rules_of_end}
            found[address("bucket_replication", end.bucket, end.region)] = configuration
    return {**found, **(more or {})}


def read(found: Observed, *rule_ids: str, pair: Pair | None = None, accounts: Accounts = ACCOUNTS) -> Found:
    """What is read with only the names of the ends declared."""
    return pair_as_found(pair or a_pair(), accounts, found, {"example-archive": EU}, rule_ids or None)


def the_pair(found: Found) -> Pair:
    """The pair, which is there."""
    assert found.pair is not None
    return found.pair


def reasons(found: Found) -> list[tuple[str, str, str]]:
    """What is not the pair's, and why."""
    return [(one["bucket"], one["rule"]["ID"], one["reason"]) for one in found.foreign_rules]


def test_somebodys_rule_is_a_pair_that_can_be_declared() -> None:
    found = read(world([plain()]))
    primary = replace(PRIMARY, replication_role_arn=THEIR_ROLE)
    assert found.pair == a_pair(primary=primary, rules=(Rule("one", observation=Observation.NONE),))
    assert (found.state, reasons(found)) == ("present", [])
    assert found.ends["primary"] == {
        "bucket": "example-orders",
        "region": EAST,
        "account": ACCOUNT.id,
        "exists": True,
        "versioning": "Enabled",
        "object_lock": False,
        "rules": 1,
    }
    assert found.ends["dr"]["rules"] == 0


def test_nothing_is_absent() -> None:
    nothing = dict.fromkeys(pair_addresses(a_pair(), ACCOUNTS))
    found = read(nothing)
    assert (found.pair, found.state, reasons(found)) == (None, "absent", [])
    assert found.ends["dr"] == {
        "bucket": "example-orders-dr",
        "region": WEST,
        "account": ACCOUNT.id,
        "exists": False,
        "versioning": None,
        "object_lock": False,
        "rules": 0,
    }
    assert read(world()).state == "absent"


def test_with_declared_rules_only_theirs_are_the_pairs() -> None:
    found = read(world([plain(), plain(ID="two", Priority=2)]), "two")
    assert [rule.id for rule in the_pair(found).rules] == ["two"]
    assert reasons(found) == [(PRIMARY.bucket, "one", "its ID is not among the declared `rules`")]


def test_what_cannot_be_said_is_shown_beside_the_pair() -> None:
    elsewhere = plain(ID="two", Priority=2, Destination=to("example-unknown"))
    found = read(world([plain(), elsewhere, plain(ID="three", Priority=3, NewField=1)]))
    assert [rule.id for rule in the_pair(found).rules] == ["one"]
    unsaid = "the options of a pair cannot say it"
    assert reasons(found) == [(PRIMARY.bucket, "two", unsaid), (PRIMARY.bucket, "three", unsaid)]


def test_rules_that_all_leave_the_two_buckets_are_no_pair() -> None:
    found = read(world([plain(Destination=to("example-archive"))]))
    assert (found.pair, found.state) == (None, "absent")
    assert reasons(found) == [(PRIMARY.bucket, "one", "no rule beside it replicates to 'example-orders-dr'")]


def test_a_rule_to_a_further_bucket_names_it() -> None:
    target = to("example-archive", Account="444455556666", AccessControlTranslation={"Owner": "Destination"})
    found = read(world([plain(), plain(ID="two", Priority=2, Destination=target)]))
    assert the_pair(found).rules[1].destination == End("example-archive", EU, account_id="444455556666")
    assert the_pair(found).rules[1].owner_override
    assert accounts_of_all(the_pair(found), ACCOUNTS)["example-archive"] == Account("444455556666", ours=False)
    assert (found.state, reasons(found)) == ("present", [])


def test_further_buckets_are_those_that_nobody_declared() -> None:
    targets = ["example-archive", DR.bucket, "example-archive", "example-unknown"]
    rules_of_primary = [plain(ID=str(number), Destination=to(bucket)) for number, bucket in enumerate(targets)]
    assert further_buckets(a_pair(), ACCOUNTS, world(rules_of_primary)) == ["example-archive", "example-unknown"]
    declared = a_pair(rules=(Rule("a"), Rule("b", 2, destination=End("example-archive", EU))))
    accounts = one_account(ACCOUNT, *declared.ends())
    assert further_buckets(declared, accounts, world(rules_of_primary)) == ["example-unknown"]


def test_a_further_bucket_in_the_primarys_region_is_allowed_since_it_is_there() -> None:
    found = pair_as_found(
        a_pair(),
        ACCOUNTS,
        world([plain(), plain(ID="two", Priority=2, Destination=to("example-near"))]),
        {"example-near": EAST},
    )
    assert the_pair(found).allow_same_region
    check_declaration(the_pair(found))


def test_the_way_back_is_the_pairs_if_it_has_the_same_id() -> None:
    back = plain(Destination=to(PRIMARY.bucket))
    far = plain(ID="far", Priority=3, Destination=to("example-archive"))
    found = read(world([plain()], [back, {**back, "ID": "theirs", "Priority": 2}, far]))
    assert the_pair(found).direction is Direction.TWO_WAY
    assert the_pair(found).dr.replication_role_arn == THEIR_ROLE
    assert the_pair(found).rules[0].replica_modifications is False
    assert reasons(found) == [
        (DR.bucket, "theirs", "'example-orders' has no rule of the same ID that is the pair's"),
        (DR.bucket, "far", "it does not replicate to 'example-orders'"),
    ]
    assert found.state == "present"


def test_a_way_back_alone_is_no_pair() -> None:
    found = read(world([], [plain(Destination=to(PRIMARY.bucket))]))
    assert (found.pair, found.state) == (None, "absent")
    assert [reason for _bucket, _id, reason in reasons(found)] == [
        "'example-orders' has no rule of the same ID that is the pair's"
    ]


def test_a_way_back_with_another_prefix_is_said_not_to_be_the_pairs() -> None:
    found = read(world([plain()], [plain(Destination=to(PRIMARY.bucket), Filter={"Prefix": "a/"})]))
    assert reasons(found) == [
        (
            DR.bucket,
            "one",
            "it differs from the rule of the same ID of 'example-orders', and a pair has one for both directions",
        )
    ]
    assert found.state == "partial"


def test_a_way_back_in_the_old_schema_is_shown() -> None:
    old = {"ID": "two", "Prefix": "", "Status": "Enabled", "Destination": to(PRIMARY.bucket)}
    found = read(world([plain(), plain(ID="two", Priority=2)], [plain(Destination=to(PRIMARY.bucket)), old]))
    assert [one["rule"] for one in found.foreign_rules] == [old]


def test_the_way_back_of_a_rule_that_leaves_is_not_the_pairs() -> None:
    rules_of_primary = [plain(), plain(ID="two", Priority=2, Destination=to("example-archive"))]
    found = read(world(rules_of_primary, [plain(ID="two", Priority=2, Destination=to(PRIMARY.bucket))]))
    assert the_pair(found).direction is Direction.ONE_WAY
    assert len(found.foreign_rules) == 1


def kms(end: End, number: int = 1) -> dict[str, Any]:
    """What a rule says whose replicas of KMS objects get a key of the end."""
    return {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": to(end.bucket, EncryptionConfiguration={"ReplicaKmsKeyID": key(end.region, number)}),
    }


def test_what_all_rules_say_of_the_dr_end_is_said_of_the_end() -> None:
    rule = plain(**kms(DR))
    rule["Destination"]["StorageClass"] = "GLACIER"
    pair = the_pair(read(world([rule, {**rule, "ID": "two", "Priority": 2}])))
    assert (pair.dr.storage_class, pair.dr.kms_key_arn) == ("GLACIER", key(WEST))
    assert [(one.destination, one.kms_objects) for one in pair.rules] == [(None, None), (None, None)]


def test_a_rule_without_kms_beside_one_with_it_says_so() -> None:
    pair = the_pair(read(world([plain(**kms(DR)), plain(ID="two", Priority=2)])))
    assert pair.dr.kms_key_arn == key(WEST)
    assert [(one.destination, one.kms_objects) for one in pair.rules] == [(None, None), (None, False)]


def test_where_rules_disagree_each_says_its_own() -> None:
    cold = plain(ID="two", Priority=2, Destination=to(DR.bucket, StorageClass="GLACIER"))
    pair = the_pair(read(world([plain(**kms(DR)), cold, plain(ID="three", Priority=3, **kms(DR, 2))])))
    assert (pair.dr.storage_class, pair.dr.kms_key_arn) == (None, None)
    assert [one.destination for one in pair.rules] == [
        replace(pair.dr, kms_key_arn=key(WEST)),
        replace(pair.dr, storage_class="GLACIER"),
        replace(pair.dr, kms_key_arn=key(WEST, 2)),
    ]


def declared_with_keys(**changes: Any) -> Pair:
    """A two-way pair in which both ends have a key, and another of each Region is known."""
    ends_with_keys = {
        "primary": replace(PRIMARY, kms_key_arn=key(EAST)),
        "dr": replace(DR, kms_key_arn=key(WEST), more_kms_key_arns=(key(WEST, 2),)),
    }
    return a_pair(**{"direction": Direction.TWO_WAY, **ends_with_keys, **changes})


def test_the_keys_of_the_primarys_own_objects_are_read_from_the_role() -> None:
    declared = declared_with_keys(
        direction=Direction.ONE_WAY, primary=replace(PRIMARY, more_kms_key_arns=(key(EAST, 1), key(EAST, 2)))
    )
    pair = the_pair(read(made(declared)))
    assert pair.primary == replace(PRIMARY, kms_key_arn=key(EAST, 1), more_kms_key_arns=(key(EAST, 2),))
    assert pair.dr == replace(DR, kms_key_arn=key(WEST))
    as_declared = pair_as_found(declared, ACCOUNTS, made(declared), {})
    assert the_pair(as_declared).primary == declared.primary


def test_a_key_of_the_role_in_another_region_is_no_key_of_the_end() -> None:
    declared = declared_with_keys(direction=Direction.ONE_WAY)
    there = dict(made(declared))
    policy = address("iam_role_policy", "s3-dr-orders-to-us-west-2/s3-dr-replication", "global")
    statements = (there[policy] or {})["Statement"]
    by_hand = [
        {**one, "Resource": [key(WEST, 9), *one["Resource"]]} if one["Sid"].startswith("Decrypt") else one
        for one in statements
    ]
    there[policy] = {**(there[policy] or {}), "Statement": by_hand}
    found = read(there)
    assert the_pair(found).primary == replace(PRIMARY, kms_key_arn=key(EAST))
    assert found.state == "partial"


def test_the_keys_of_both_ends_are_read_without_repetition() -> None:
    pair = the_pair(read(made(declared_with_keys())))
    assert pair.primary == replace(PRIMARY, kms_key_arn=key(EAST))
    assert pair.dr == replace(DR, kms_key_arn=key(WEST), more_kms_key_arns=(key(WEST, 2),))


def test_a_key_of_all_rules_that_is_not_the_first_of_the_dr_end_is_said_by_the_rules() -> None:
    other = replace(declared_with_keys().dr, kms_key_arn=key(WEST, 3))
    pair = the_pair(read(made(declared_with_keys(rules=(Rule("one", destination=other),)))))
    assert (pair.dr.kms_key_arn, pair.dr.more_kms_key_arns) == (None, (key(WEST), key(WEST, 2)))
    assert [one.destination for one in pair.rules] == [replace(pair.dr, kms_key_arn=key(WEST, 3))]


def test_a_key_that_only_the_way_back_of_a_rule_uses_is_not_said_to_be_unwanted() -> None:
    dr = replace(DR, more_kms_key_arns=(key(WEST),))
    declared = declared_with_keys(
        dr=dr, rules=(Rule("one", destination=replace(dr, kms_key_arn=key(WEST))), Rule("two", 2))
    )
    found = read(made(declared))
    assert [one.kms_objects for one in the_pair(found).rules] == [None, None]
    assert (found.state, reasons(found)) == ("present", [])


def test_a_rule_without_kms_in_both_directions_says_so() -> None:
    dr = replace(DR, more_kms_key_arns=(key(WEST, 2),))
    keyed = Rule("one", destination=replace(dr, kms_key_arn=key(WEST)))
    declared = declared_with_keys(dr=dr, rules=(keyed, Rule("two", 2, kms_objects=False)))
    found = read(made(declared))
    assert [one.kms_objects for one in the_pair(found).rules] == [None, False]
    assert (found.state, reasons(found)) == ("present", [])


def test_what_our_role_says_counts_only_while_the_rules_replicate_as_it() -> None:
    declared = declared_with_keys(direction=Direction.ONE_WAY, roles=RoleSettings(path="/teams/"))
    there = dict(made(declared))
    there[address("bucket_replication")] = {**(there[address("bucket_replication")] or {}), "Role": THEIR_ROLE}
    pair = the_pair(read(there))
    assert pair.primary == replace(PRIMARY, replication_role_arn=THEIR_ROLE)
    assert pair.roles == RoleSettings()


def test_object_lock_is_read_from_the_bucket() -> None:
    lock = {address("bucket_object_lock", DR.bucket, WEST): {"ObjectLockEnabled": "Enabled"}}
    found = read(world([plain()], more=lock))
    assert [end.object_lock for end in the_pair(found).ends()] == [False, True]
    assert found.ends["dr"]["object_lock"] is True
    declared = a_pair(primary=replace(PRIMARY, object_lock=True))
    assert the_pair(read(world([plain()]), pair=declared)).primary.object_lock is False


def test_object_lock_of_a_declared_further_bucket_is_read_from_it() -> None:
    archive = End("example-archive", EU)
    declared = a_pair(rules=(Rule("one"), Rule("two", 2, destination=archive)))
    lock = {address("bucket_object_lock", archive.bucket, EU): {"ObjectLockEnabled": "Enabled"}}
    there = {**made(declared), **lock}
    pair = the_pair(pair_as_found(declared, accounts_of(declared), there, {}))
    assert pair.rules[1].destination == replace(archive, object_lock=True)


def test_what_is_in_an_account_without_credentials_is_not_seen() -> None:
    accounts = {PRIMARY.bucket: ACCOUNT, DR.bucket: Account("444455556666", ours=False)}
    seen = {at: held for at, held in world([plain()]).items() if at.name != DR.bucket}
    found = read(seen, accounts=accounts)
    facts = {name: found.ends["dr"][name] for name in ("account", "exists", "versioning", "object_lock", "rules")}
    assert facts == {
        "account": "444455556666",
        "exists": None,
        "versioning": None,
        "object_lock": None,
        "rules": None,
    }
    assert the_pair(found).direction is Direction.ONE_WAY


# --- what a pair made, and somebody changed ------------------------------------------------------------------


def without(found: Observed, kind: str) -> Observed:
    """AWS after somebody removed all documents of a kind."""
    return {at: None if at.kind == kind else held for at, held in found.items()}


def changed(found: Observed, kind: str, **changes: Any) -> Observed:
    """AWS after somebody changed all documents of a kind."""
    return {at: {**held, **changes} if held and at.kind == kind else held for at, held in found.items()}


@pytest.mark.parametrize("kind", ["bucket_versioning", "iam_role", "iam_role_policy"])
def test_a_pair_of_which_something_is_missing_is_partial(kind: str) -> None:
    assert read(made(a_pair())).state == "present"
    assert read(without(made(a_pair()), kind)).state == "partial"


def test_a_paused_pair_of_which_something_is_missing_is_partial() -> None:
    assert read(made(a_pair(), PAUSE)).state == "paused"
    assert read(without(made(a_pair(), PAUSE), "iam_role_policy")).state == "partial"


def test_a_pair_beside_whose_way_back_a_rule_is_in_the_way_is_partial() -> None:
    there = dict(made(two_way(rules=(Rule("one"), Rule("two", 2)))))
    at = address("bucket_replication", DR.bucket, WEST)
    one, two = (there[at] or {})["Rules"]
    there[at] = {**(there[at] or {}), "Rules": [one, {**two, "ID": "theirs"}]}
    found = read(there)
    assert (the_pair(found).direction, found.state) == (Direction.TWO_WAY, "partial")
    assert [rule_id for _bucket, rule_id, _reason in reasons(found)] == ["theirs"]


def test_what_is_left_of_a_pair_without_rules_is_partial() -> None:
    found = read(without(made(a_pair()), "bucket_replication"))
    assert (found.pair, found.state) == (None, "partial")


def test_a_role_left_over_from_the_way_back_is_partial() -> None:
    leftover = {at: held for at, held in made(two_way()).items() if at.kind.startswith("iam_")}
    found = read({**made(a_pair()), **leftover})
    assert (the_pair(found).direction, found.state) == (Direction.ONE_WAY, "partial")


def test_a_role_left_over_that_somebodys_rules_use_is_no_part_of_the_pair() -> None:
    there = dict(made(two_way()))
    at = address("bucket_replication", DR.bucket, WEST)
    (rule,) = (there[at] or {})["Rules"]
    there[at] = {**(there[at] or {}), "Rules": [{**rule, "ID": "theirs"}]}
    out = address("bucket_replication")
    there[out] = made(a_pair())[out]
    found = read(there)
    assert (the_pair(found).direction, found.state) == (Direction.ONE_WAY, "present")


def test_a_role_that_was_not_looked_at_is_no_part_of_the_pair() -> None:
    there = dict(made(two_way()))
    at = address("bucket_replication", DR.bucket, WEST)
    (rule,) = (there[at] or {})["Rules"]
    there[at] = {**(there[at] or {}), "Rules": [{**rule, "ID": "theirs"}]}
    there[address("bucket_replication")] = made(a_pair())[address("bucket_replication")]
    declared = a_pair(dr=replace(DR, replication_role_arn=THEIR_ROLE))
    seen = {one: there.get(one) for one in pair_addresses(declared, ACCOUNTS)}
    found = read(seen, pair=declared)
    assert (the_pair(found).dr.replication_role_arn, found.state) == (None, "present")


def test_a_pair_that_was_taken_down_is_absent() -> None:
    there = made(two_way())
    steps = plan({}, there, pair_removal_wish(two_way(), ACCOUNTS, there))
    found = read(applied(steps, there))
    assert (found.pair, found.state) == (None, "absent")


def test_rules_disabled_by_hand_are_a_paused_pair() -> None:
    there = made(a_pair())
    at = address("bucket_replication")
    (rule,) = (there[at] or {})["Rules"]
    disabled = {**(there[at] or {}), "Rules": [{**rule, "Status": "Disabled"}]}
    assert read({**there, at: disabled}).state == "paused"


def test_of_a_paused_pair_with_one_rule_enabled_by_hand_something_differs() -> None:
    there = made(a_pair(rules=(Rule("one"), Rule("two", 2))), PAUSE)
    at = address("bucket_replication")
    first, second = (there[at] or {})["Rules"]
    enabled = {**(there[at] or {}), "Rules": [first, {**second, "Status": "Enabled"}]}
    assert read({**there, at: enabled}).state == "partial"


def test_a_role_of_the_pairs_name_that_is_somebodys_is_theirs() -> None:
    there = changed(made(a_pair()), "iam_role", Tags={"team": "red"})
    pair = the_pair(read(there))
    assert pair.roles == RoleSettings()
    assert pair.primary.replication_role_arn == f"arn:aws:iam::{ACCOUNT.id}:role/s3-dr-orders-to-us-west-2"
    assert pair.dr.replication_role_arn is None


def test_a_role_that_is_gone_is_the_pairs_to_make_again() -> None:
    assert the_pair(read(without(made(a_pair()), "iam_role"))).primary.replication_role_arn is None


def test_a_declared_role_that_is_not_in_use_is_replaced_by_the_one_that_is() -> None:
    declared = a_pair(primary=replace(PRIMARY, replication_role_arn=f"{THEIR_ROLE}-too"))
    assert the_pair(read(world([plain()]), pair=declared)).primary.replication_role_arn == THEIR_ROLE
    assert the_pair(read(made(a_pair()), pair=declared)).primary.replication_role_arn is None


def test_a_declared_role_of_a_bucket_without_rules_stays() -> None:
    declared = a_pair(dr=replace(DR, replication_role_arn=THEIR_ROLE))
    assert the_pair(read(made(a_pair()), pair=declared)).dr.replication_role_arn == THEIR_ROLE


def test_tags_of_roles_that_are_not_the_users_to_give_are_left_out() -> None:
    there = made(two_way(roles=RoleSettings(tags=(("team", "red"),))))
    role = address("iam_role", "s3-dr-orders-to-us-west-2", "global")
    by_hand = {**(there[role] or {})["Tags"], "aws:stack": "x", "only": "here"}
    pair = the_pair(read({**there, role: {**(there[role] or {}), "Tags": by_hand}}))
    assert pair.roles.tags == (("team", "red"),)
    one = the_pair(read({**made(a_pair()), role: {**(there[role] or {}), "Tags": by_hand}}))
    assert one.roles.tags == (("only", "here"), ("team", "red"))


def test_roles_with_two_boundaries_are_left_as_they_are() -> None:
    there = dict(made(two_way()))
    for region in (EAST, WEST):
        role = address("iam_role", f"s3-dr-orders-to-{region}", "global")
        boundary = f"arn:aws:iam::{ACCOUNT.id}:policy/{region}"
        there[role] = {**(there[role] or {}), "PermissionsBoundary": boundary}
    found = read(there)
    assert (the_pair(found).roles.permissions_boundary, found.state) == (None, "present")


def test_roles_in_two_paths_are_one_of_ours_and_one_of_the_users() -> None:
    there = dict(made(two_way()))
    there[address("iam_role", "s3-dr-orders-to-us-east-1", "global")] = {
        **(there[address("iam_role", "s3-dr-orders-to-us-east-1", "global")] or {}),
        "Path": "/b/",
    }
    at = address("bucket_replication", DR.bucket, WEST)
    moved = f"arn:aws:iam::{ACCOUNT.id}:role/b/s3-dr-orders-to-us-east-1"
    there[at] = {**(there[at] or {}), "Role": moved}
    found = read(there)
    assert the_pair(found).roles.path == "/"
    assert the_pair(found).dr.replication_role_arn == moved
    assert found.state == "present"
