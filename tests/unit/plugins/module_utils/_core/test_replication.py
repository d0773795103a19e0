# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a pair wishes, what it does not want any more, and what somebody else must allow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_names import denial_sid
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Accounts,
    Address,
    Document,
    End,
    InvalidInput,
    Pair,
    RoleSettings,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, applied, plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    Intent,
    beyond_reach_notes,
    bucket_address,
    check_buckets,
    enabled_again_notes,
    gap_notes,
    gaps,
    key_address,
    leftovers,
    notes,
    object_lock_newly,
    optional_addresses,
    pair_addresses,
    pair_removal_wish,
    pair_wish,
    role_address,
    role_arn,
    roles_kept_notes,
    statements_owed,
    unrecorded_pauses,
    without_overlap,
    without_roles_in_use,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    ARCHIVE,
    DR,
    EAST,
    KEYS,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    WEST,
    a_pair,
    address,
    nothing,
    two_way,
    wished,
)

BUCKETS = (address("bucket"), address("bucket", DR.bucket, WEST))


def replication(end: End = PRIMARY, **changes: Any) -> Document:
    """The replication configuration that the pair wishes for an end."""
    pair = two_way(**changes) if end is DR else a_pair(**changes)
    return wished(pair)[address("bucket_replication", end.bucket, end.region)]


def role(kind: str, **changes: Any) -> Document:
    """The document of the role towards the DR bucket, or of its policy."""
    name = "s3-dr-orders-to-us-west-2" + ("/s3-dr-replication" if kind == "iam_role_policy" else "")
    return wished(a_pair(**changes))[address(kind, name, "global")]


def test_each_direction_replicates_as_its_own_role() -> None:
    assert replication()["Role"] == "arn:aws:iam::111122223333:role/s3-dr-orders-to-us-west-2"
    assert replication(DR)["Role"] == "arn:aws:iam::111122223333:role/s3-dr-orders-to-us-east-1"


def test_the_role_is_known_by_its_tags() -> None:
    assert role("iam_role")["Tags"] == {"managed-by": "crossregion.s3_dr", "s3-dr-pair": "orders"}


def test_the_users_tags_stand_beside_ours() -> None:
    tags = role("iam_role", roles=RoleSettings(tags=(("cost", "shared"), ("team", "red"))))["Tags"]
    assert tags == {"cost": "shared", "team": "red", "managed-by": "crossregion.s3_dr", "s3-dr-pair": "orders"}


def test_a_role_has_a_boundary_only_where_one_is_named() -> None:
    fence = "arn:aws:iam::111122223333:policy/fence"
    assert role("iam_role", roles=RoleSettings(permissions_boundary=fence))["PermissionsBoundary"] == fence
    assert "PermissionsBoundary" not in role("iam_role")


def test_a_role_is_wished_at_its_path_and_its_arn_names_it() -> None:
    settings = RoleSettings(path="/dr/")
    assert role("iam_role", roles=settings)["Path"] == "/dr/"
    arn = "arn:aws:iam::111122223333:role/dr/s3-dr-orders-to-us-west-2"
    assert replication(roles=settings)["Role"] == arn
    assert role_arn(a_pair(roles=settings).links()[0], ACCOUNTS) == arn


def test_a_pair_wishes_both_buckets_with_versioning() -> None:
    wish = wished(a_pair())
    for end in (PRIMARY, DR):
        assert wish[address("bucket", end.bucket, end.region)] == {"Region": end.region}
        assert wish[address("bucket_versioning", end.bucket, end.region)] == {"Status": "Enabled"}
    assert address("bucket_replication", DR.bucket, WEST) not in wish


def test_a_one_way_pair_does_not_want_the_way_back() -> None:
    kinds = sorted((at.kind, at.name) for at in leftovers(a_pair(), ACCOUNTS, nothing(a_pair())))
    assert kinds == [
        ("bucket_replication", DR.bucket),
        ("iam_role", "s3-dr-orders-to-us-east-1"),
        ("iam_role_policy", "s3-dr-orders-to-us-east-1/s3-dr-replication"),
    ]
    assert leftovers(two_way(), ACCOUNTS, nothing(two_way())) == {}


def test_what_a_drill_denies_is_no_difference_and_goes_with_the_pair() -> None:
    pair = two_way()
    at = address("bucket_policy", DR.bucket, WEST)
    denial = {"Sid": denial_sid(pair.links()[0]), "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "x"}
    world = {**nothing(pair), at: {"Version": "2012-10-17", "Statement": [denial]}}
    assert at not in leftovers(pair, ACCOUNTS, world)
    assert pair_removal_wish(pair, ACCOUNTS, world)[at]["Statement"] == [denial]


def test_removal_takes_rules_and_roles_of_both_directions_and_no_bucket() -> None:
    kinds = sorted(at.kind for at in pair_removal_wish(a_pair(), ACCOUNTS, nothing(a_pair())))
    assert kinds == ["bucket_replication"] * 2 + ["iam_role"] * 2 + ["iam_role_policy"] * 2


def test_removal_takes_exactly_the_buckets_that_are_named_contents_first() -> None:
    unwanted = pair_removal_wish(a_pair(), ACCOUNTS, nothing(a_pair()), [DR.bucket])
    observed = {at: {"versions": 1} if at.kind == "bucket_contents" else document for at, document in unwanted.items()}
    steps = plan({}, observed, unwanted)
    assert [(step.address.kind, step.address.name) for step in steps][-2:] == [
        ("bucket_contents", DR.bucket),
        ("bucket", DR.bucket),
    ]
    assert not [step for step in steps if step.address.name == PRIMARY.bucket and step.address.kind == "bucket"]


def test_a_role_that_foreign_rules_replicate_as_stays_with_its_policy_and_a_note() -> None:
    unwanted = pair_removal_wish(a_pair(), ACCOUNTS, nothing(a_pair()))
    ours = replication()
    shared = {**ours, "Rules": [*ours["Rules"], {**ours["Rules"][0], "ID": "theirs", "Priority": 9}]}
    observed = {**unwanted, address("bucket_replication"): shared}
    gone = {at.name for at in without_roles_in_use(unwanted, observed) if at.region == "global"}
    assert gone == {"s3-dr-orders-to-us-east-1", "s3-dr-orders-to-us-east-1/s3-dr-replication"}
    (said,) = roles_kept_notes(unwanted, observed)
    assert "s3-dr-orders-to-us-west-2 stays" in said
    assert "example-orders" in said
    assert without_roles_in_use(unwanted, unwanted) == unwanted
    assert roles_kept_notes(unwanted, unwanted) == []


def test_a_bucket_in_another_region_is_refused_whether_or_not_it_may_be_created() -> None:
    observed = {BUCKETS[0]: {"Region": "eu-west-1"}, BUCKETS[1]: {"Region": WEST}}
    for create in (True, False):
        with pytest.raises(
            InvalidInput, match=r"'example-orders' is in eu-west-1, not in us-east-1.*Correct the `region`"
        ):
            check_buckets(a_pair().ends(), ACCOUNTS, observed, create=create)


def test_every_missing_bucket_is_named_when_none_may_be_created() -> None:
    observed = dict.fromkeys(BUCKETS)
    with pytest.raises(InvalidInput, match=r"'example-orders' does not.*'example-orders-dr' does not.*create_buckets"):
        check_buckets(a_pair().ends(), ACCOUNTS, observed, create=False)
    check_buckets(a_pair().ends(), ACCOUNTS, observed, create=True)


def test_buckets_as_declared_are_fine() -> None:
    observed = {BUCKETS[0]: {"Region": EAST}, BUCKETS[1]: {"Region": WEST}}
    check_buckets(a_pair().ends(), ACCOUNTS, observed, create=False)


def test_new_versioning_comes_with_aws_advice_to_wait() -> None:
    wish = wished(a_pair())
    old = {**dict.fromkeys(wish), address("bucket_versioning"): {"Status": "Enabled"}}
    assert notes(wish, old) == [
        "Versioning is new on example-orders-dr: AWS advises to wait 15 minutes before writing objects."
    ]
    assert notes(wish, wish) == []
    suspended = {**wish, address("bucket_versioning"): {"Status": "Suspended"}}
    assert "example-orders:" in notes(wish, suspended)[0]


# --- ends that are not ours, and roles of the user -----------------------------------------------------------

NOT_OURS: Accounts = {**ACCOUNTS, DR.bucket: replace(OTHER, ours=False)}
UNSEEN: Document = {"Unseen": "s3:GetBucketPolicy is missing"}
OWN_ROLE = "arn:aws:iam::111122223333:role/theirs/replicator"
OWN = a_pair(primary=replace(PRIMARY, replication_role_arn=OWN_ROLE))
DR_POLICY = bucket_address(DR, TWO_ACCOUNTS, "bucket_policy")


def about(bucket: str, addresses: Iterable[Address]) -> list[Address]:
    """The addresses of a bucket."""
    return [at for at in addresses if at.name == bucket]


def test_of_a_bucket_that_is_not_ours_nothing_is_read_or_wished() -> None:
    assert about(DR.bucket, pair_addresses(a_pair(), NOT_OURS)) == []
    assert about(DR.bucket, wished(a_pair(), NOT_OURS)) == []
    assert OTHER.id not in {at.account for at in pair_addresses(a_pair(), NOT_OURS)}


def test_of_a_further_bucket_everything_is_read_but_no_rules() -> None:
    addresses = pair_addresses(a_pair(rules=(Rule("r"), Rule("far", 2, destination=ARCHIVE))), ACCOUNTS)
    assert [at.kind for at in about(ARCHIVE.bucket, addresses)] == [
        "bucket",
        "bucket_versioning",
        "bucket_object_lock",
        "bucket_policy",
    ]


def test_only_policies_of_buckets_and_keys_need_not_be_readable() -> None:
    pair = a_pair(**ENCRYPTED)
    assert {at.kind for at in optional_addresses(pair_addresses(pair, ACCOUNTS))} == {"bucket_policy", "kms_key_policy"}


def test_a_bucket_in_another_account_of_ours_gets_its_policy() -> None:
    statements = wished(a_pair(), TWO_ACCOUNTS)[DR_POLICY]["Statement"]
    assert {one["Principal"]["AWS"] for one in statements} == {role_arn(a_pair().links()[0], TWO_ACCOUNTS)}
    assert DR_POLICY not in wished(a_pair())  # within one account the role's own policy is enough


@pytest.mark.parametrize(
    ("accounts", "observed"),
    [(NOT_OURS, nothing(a_pair(), NOT_OURS)), (TWO_ACCOUNTS, {**nothing(a_pair(), TWO_ACCOUNTS), DR_POLICY: UNSEEN})],
    ids=["not ours", "unseen"],
)
def test_what_a_bucket_policy_must_allow_is_owed_where_these_credentials_may_not(
    accounts: Accounts, observed: Observed
) -> None:
    (owed,) = statements_owed(a_pair(), accounts, observed)
    assert {name: owed[name] for name in ("kind", "name", "region", "account")} == {
        "kind": "bucket_policy",
        "name": DR.bucket,
        "region": WEST,
        "account": OTHER.id,
    }
    assert owed["statements"] == wished(a_pair(), TWO_ACCOUNTS)[DR_POLICY]["Statement"]
    assert DR_POLICY not in pair_wish(a_pair(), accounts, observed)


def test_nothing_is_owed_where_these_credentials_may_do_it() -> None:
    assert statements_owed(a_pair(), TWO_ACCOUNTS, nothing(a_pair(), TWO_ACCOUNTS)) == []


def test_a_role_of_the_users_is_used_and_neither_made_nor_removed() -> None:
    wish = wished(OWN)
    assert wish[address("bucket_replication")]["Role"] == OWN_ROLE
    assert not [at for at in wish if at.region == "global"]
    removal = pair_removal_wish(OWN, ACCOUNTS, nothing(OWN))
    assert {at.name.split("/")[0] for at in removal if at.region == "global"} == {"s3-dr-orders-to-us-east-1"}


def test_a_role_of_the_users_is_read_and_its_policy_is_not() -> None:
    theirs = [at for at in pair_addresses(OWN, ACCOUNTS) if at.name.startswith("replicator")]
    assert theirs == [address("iam_role", "replicator", "global")]


def test_the_policy_of_a_role_of_the_users_is_owed() -> None:
    (owed,) = statements_owed(OWN, ACCOUNTS, nothing(OWN))
    assert (owed["kind"], owed["name"], owed["account"]) == ("iam_role", "replicator", ACCOUNT.id)
    assert owed["statements"] == role("iam_role_policy")["Statement"]


def test_a_pause_that_no_role_of_ours_records_is_told() -> None:
    (said,) = unrecorded_pauses(OWN)
    assert OWN_ROLE in said
    assert "note the time" in said
    assert unrecorded_pauses(a_pair()) == []


# --- keys ----------------------------------------------------------------------------------------------------

ENCRYPTED = {
    "primary": replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket]),
    "dr": replace(DR, kms_key_arn=KEYS[DR.bucket]),
}
KEY_POLICIES = [key_address(KEYS[end.bucket], "kms_key_policy") for end in (PRIMARY, DR)]
CLOSED: Document = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Deny"}]}
OPEN: Document = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT.id}:root"}, "Action": "kms:*", "Resource": "*"}
    ],
}


def key_sids(observed: Document, accounts: Accounts = ACCOUNTS) -> list[int]:
    """How many statements the policies of the two keys get when they are as given."""
    pair = a_pair(**ENCRYPTED)
    world = {**nothing(pair, accounts), **dict.fromkeys(KEY_POLICIES, observed)}
    wish = pair_wish(pair, accounts, world)
    return [len(wish.get(at, {"Statement": []})["Statement"]) for at in KEY_POLICIES]


def test_a_key_gets_a_statement_where_its_policy_does_not_leave_it_to_iam() -> None:
    assert key_sids(CLOSED) == [1, 1]
    assert key_sids(OPEN) == [0, 0]


def test_a_keys_policy_that_may_not_be_read_is_taken_to_leave_it_to_iam_within_the_account() -> None:
    pair = a_pair(**ENCRYPTED)
    world = {**nothing(pair), **dict.fromkeys(KEY_POLICIES, UNSEEN)}
    assert key_sids(UNSEEN) == [0, 0]
    assert statements_owed(pair, ACCOUNTS, world) == []


def test_a_key_of_another_account_needs_its_statement_whatever_its_policy_leaves_to_iam() -> None:
    elsewhere = KEYS[DR.bucket].replace(ACCOUNT.id, OTHER.id)
    at = key_address(elsewhere, "kms_key_policy")
    pair = a_pair(**{**ENCRYPTED, "dr": replace(DR, kms_key_arn=elsewhere)})
    open_there = json.loads(json.dumps(OPEN).replace(ACCOUNT.id, OTHER.id))
    for policy in (OPEN, open_there):
        world = {**nothing(pair, TWO_ACCOUNTS), KEY_POLICIES[0]: OPEN, at: policy}
        assert len(pair_wish(pair, TWO_ACCOUNTS, world)[at]["Statement"]) == 1
    world = {**nothing(pair, TWO_ACCOUNTS), KEY_POLICIES[0]: OPEN, at: UNSEEN}
    assert [owed["name"] for owed in statements_owed(pair, TWO_ACCOUNTS, world)] == [elsewhere]


def test_a_key_of_an_account_that_is_not_ours_is_neither_read_nor_changed_but_owed() -> None:
    elsewhere = KEYS[DR.bucket].replace(ACCOUNT.id, OTHER.id)
    pair = a_pair(**{**ENCRYPTED, "dr": replace(DR, kms_key_arn=elsewhere)})
    assert key_address(elsewhere, "kms_key_policy") not in pair_addresses(pair, NOT_OURS)
    world = {**nothing(pair, NOT_OURS), KEY_POLICIES[0]: OPEN}
    assert key_address(elsewhere, "kms_key_policy") not in pair_wish(pair, NOT_OURS, world)
    assert [owed["name"] for owed in statements_owed(pair, NOT_OURS, world)] == [DR.bucket, elsewhere]


def test_a_key_that_serves_both_directions_loses_only_the_statements_of_the_way_back() -> None:
    both, one = two_way(**ENCRYPTED), a_pair(**ENCRYPTED)
    world = {**nothing(both), **dict.fromkeys(KEY_POLICIES, CLOSED)}
    built = applied(plan(pair_wish(both, ACCOUNTS, world), world), world)
    wish, unwanted = without_overlap(pair_wish(one, ACCOUNTS, built), leftovers(one, ACCOUNTS, built))
    assert not set(wish) & set(unwanted)
    after = applied(plan(wish, built, unwanted), built)
    for at in KEY_POLICIES:
        roles = [statement.get("Principal", {}).get("AWS", "theirs") for statement in (after[at] or {})["Statement"]]
        assert roles == ["theirs", "arn:aws:iam::111122223333:role/s3-dr-orders-to-us-west-2"]


# --- pauses --------------------------------------------------------------------------------------------------

JANUARY, FEBRUARY, MARCH, APRIL = (f"2026-0{month}-01T00:00:00Z" for month in (1, 2, 3, 4))


def after_intents(*intents: Intent, pair: Pair | None = None) -> Observed:
    """What AWS holds after a pair was set up with each intent in turn."""
    pair = pair or a_pair()
    world = nothing(pair)
    for intent in intents:
        world = applied(plan(pair_wish(pair, ACCOUNTS, world, intent), world), world)
    return world


def pause(now: str) -> Intent:
    """A pause from now on."""
    return Intent(paused=True, now=now)


def gap(world: Observed) -> tuple[str | None, str | None]:
    """From when to when the pair's single direction was paused."""
    (found,) = gaps(a_pair(), ACCOUNTS, world)
    assert (found["source"], found["destination"]) == (PRIMARY.bucket, DR.bucket)
    return found["from"], found["until"]


def test_a_pair_that_was_never_paused_has_no_gap() -> None:
    world = after_intents(Intent(now=JANUARY))
    assert gaps(a_pair(), ACCOUNTS, world) == []
    assert not [tag for tag in (world[role_address(a_pair().links()[0], ACCOUNTS)] or {})["Tags"] if "gap" in tag]


def test_a_gap_is_open_while_the_pair_is_paused_and_keeps_its_beginning() -> None:
    assert gap(after_intents(pause(JANUARY))) == (JANUARY, None)
    assert gap(after_intents(Intent(now=JANUARY), pause(FEBRUARY), pause(MARCH))) == (FEBRUARY, None)


def test_a_gap_ends_when_the_pair_is_resumed_and_keeps_its_end() -> None:
    resumed = (pause(JANUARY), Intent(now=FEBRUARY))
    assert gap(after_intents(*resumed)) == (JANUARY, FEBRUARY)
    assert gap(after_intents(*resumed, Intent(now=MARCH))) == (JANUARY, FEBRUARY)


def test_a_gap_that_no_backfill_has_closed_grows_with_the_next_pause() -> None:
    paused_again = (pause(JANUARY), Intent(now=FEBRUARY), pause(MARCH))
    assert gap(after_intents(*paused_again)) == (JANUARY, None)
    assert gap(after_intents(*paused_again, Intent(now=APRIL))) == (JANUARY, APRIL)


@pytest.mark.parametrize(
    ("intents", "until"),
    [((pause(JANUARY),), "on, and still is not"), ((pause(JANUARY), Intent(now=FEBRUARY)), f"until {FEBRUARY}")],
    ids=["open", "closed"],
)
def test_a_gap_is_told_with_its_times_and_what_closes_it(intents: tuple[Intent, ...], until: str) -> None:
    (said,) = gap_notes(gaps(a_pair(), ACCOUNTS, after_intents(*intents)))
    assert f"example-orders was not replicated to example-orders-dr from {JANUARY} {until}: " in said
    assert "backfilled by S3 Batch Replication" in said


def test_each_direction_of_a_two_way_pair_has_its_gap() -> None:
    world = after_intents(pause(JANUARY), pair=two_way())
    assert [one["source"] for one in gaps(two_way(), ACCOUNTS, world)] == [PRIMARY.bucket, DR.bucket]


def test_a_pause_disables_every_rule_and_a_resumption_only_those_that_are_enabled() -> None:
    pair = a_pair(rules=(Rule("on", 1), Rule("off", 2, enabled=False)))

    def statuses(*intents: Intent) -> list[str]:
        held = after_intents(*intents, pair=pair)[address("bucket_replication")]
        return [rule["Status"] for rule in (held or {})["Rules"]]

    assert statuses(pause(JANUARY)) == ["Disabled", "Disabled"]
    assert statuses(pause(JANUARY), Intent(now=FEBRUARY)) == ["Enabled", "Disabled"]


# --- rules of others, Object Lock ----------------------------------------------------------------------------

THEIR_RULE = {"ID": "theirs", "Priority": 1, "Status": "Enabled", "Filter": {}, "Destination": {"Bucket": "b"}}


def test_a_purge_removes_exactly_the_rules_that_are_not_ours_whatever_their_role_and_priority() -> None:
    theirs = {"Role": "role/theirs", "Rules": [THEIR_RULE, *replication()["Rules"]]}
    world = {**nothing(a_pair()), address("bucket_replication"): theirs}
    wish = pair_wish(a_pair(), ACCOUNTS, world, Intent(purge=True))
    assert wish[address("bucket_replication")]["Removed"] == ["theirs"]
    assert applied(plan(wish, world), world)[address("bucket_replication")] == replication()


def test_without_a_purge_no_rule_is_named_for_removal() -> None:
    assert "Removed" not in replication()


LOCK = address("bucket_object_lock")
LOCKED = a_pair(primary=replace(PRIMARY, object_lock=True))


def test_object_lock_is_wished_only_where_it_is_asked_for() -> None:
    assert [at for at in wished(LOCKED) if at.kind == "bucket_object_lock"] == [LOCK]
    assert LOCK not in wished(a_pair())


@pytest.mark.parametrize(
    ("bucket", "lock", "newly"),
    [
        ({"Region": EAST}, None, [PRIMARY.bucket]),
        ({"Region": EAST}, {"ObjectLockEnabled": "Enabled"}, []),
        (None, None, []),
    ],
    ids=["existing bucket", "already locked", "new bucket"],
)
def test_object_lock_is_new_only_on_a_bucket_that_exists_without(
    bucket: Document | None, lock: Document | None, newly: list[str]
) -> None:
    observed = {**nothing(LOCKED), address("bucket"): bucket, LOCK: lock}
    assert object_lock_newly(wished(LOCKED), observed) == newly


@pytest.mark.parametrize(
    ("pair", "held", "reads"),
    [(LOCKED, None, True), (a_pair(), {"ObjectLockEnabled": "Enabled"}, True), (a_pair(), None, False)],
    ids=["asked for", "already there", "not there"],
)
def test_the_role_reads_retention_where_the_source_has_or_gets_object_lock(
    pair: Pair, held: Document | None, *, reads: bool
) -> None:
    wish = pair_wish(pair, ACCOUNTS, {**nothing(pair), LOCK: held})
    policy = wish[address("iam_role_policy", "s3-dr-orders-to-us-west-2/s3-dr-replication", "global")]
    assert ("s3:GetObjectRetention" in str(policy)) is reads


def test_the_buckets_of_others_are_not_checked() -> None:
    observed = {at: {"Region": EAST} if at.kind == "bucket" else None for at in pair_addresses(a_pair(), NOT_OURS)}
    check_buckets(a_pair().ends(), NOT_OURS, observed, create=False)


def test_a_role_that_gives_way_to_ours_is_named() -> None:
    pair = a_pair()
    held = {address("bucket_replication"): {"Role": "arn:aws:iam::111122223333:role/before", "Rules": []}}
    observed = {**nothing(pair), **held}
    (said,) = (one for one in notes(pair_wish(pair, ACCOUNTS, observed), observed) if "replicated as" in one)
    for part in (PRIMARY.bucket, "role/before", "role/s3-dr-orders-to-us-west-2", "delete it if nobody needs it"):
        assert part in said


# --- statements that are needed no more ----------------------------------------------------------------------

THEIRS = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow"}]}


def statements_after(pair: Pair, accounts: Accounts, before: Observed) -> dict[str, list[str]]:
    """The Sids that each policy of a bucket or key has when the pair is set up on what was there before."""
    observed = {**nothing(pair, accounts), **before}
    wish, unwanted = without_overlap(pair_wish(pair, accounts, observed), leftovers(pair, accounts, observed))
    world = applied(plan(wish, observed, unwanted), observed)
    policies = {address: world[address] for address in world if address.kind in ("bucket_policy", "kms_key_policy")}
    return {
        address.name: [statement["Sid"] for statement in policy["Statement"]]
        for address, policy in policies.items()
        if policy
    }


def set_up(pair: Pair, accounts: Accounts, before: Observed) -> Observed:
    """What AWS holds when the pair is set up on what was there before."""
    observed = {**nothing(pair, accounts), **before}
    return applied(plan(pair_wish(pair, accounts, observed), observed), observed)


def test_statements_for_keys_that_rules_use_no_more_are_removed() -> None:
    keys = {key_address(key, "kms_key_policy"): THEIRS for key in (KEYS[PRIMARY.bucket], KEYS[DR.bucket])}
    with_kms = two_way(**ENCRYPTED)
    before = set_up(with_kms, ACCOUNTS, keys)
    assert {len(sids) for sids in statements_after(with_kms, ACCOUNTS, before).values()} == {3}
    without = two_way(**ENCRYPTED, rules=(Rule("s3-dr-orders", kms_objects=False),))
    assert list(statements_after(without, ACCOUNTS, before).values()) == [["Theirs"], ["Theirs"]]


def test_statements_of_another_pair_stay() -> None:
    other = replace(two_way(), name="invoices")
    before = set_up(other, TWO_ACCOUNTS, {})
    sids = statements_after(two_way(), TWO_ACCOUNTS, before)[DR.bucket]
    assert len(sids) == 4
    assert len([sid for sid in sids if sid.startswith("S3Drinvoices")]) == 2


# --- what nothing records, and what nobody could remove -------------------------------------------------------


def test_a_rule_that_somebody_disabled_and_a_run_enables_is_named() -> None:
    pair = a_pair()
    disabled = {"Role": "r", "Rules": [{"ID": "s3-dr-orders", "Status": "Disabled"}]}
    (said,) = enabled_again_notes(pair, ACCOUNTS, {address("bucket_replication"): disabled})
    assert said.startswith("example-orders: s3-dr-orders was disabled, and nothing records since when")


def test_nothing_is_named_where_the_pause_is_recorded_or_nothing_was_disabled() -> None:
    pair = a_pair()
    rules = address("bucket_replication")
    disabled = {"Role": "r", "Rules": [{"ID": "s3-dr-orders", "Status": "Disabled"}]}
    recorded = {role_address(pair.links()[0], ACCOUNTS): {"Tags": {"s3-dr-gap-from": "2026-01-01T00:00:00Z"}}}
    assert enabled_again_notes(pair, ACCOUNTS, {rules: disabled, **recorded}) == []
    enabled = {"Role": "r", "Rules": [{"ID": "s3-dr-orders", "Status": "Enabled"}]}
    assert enabled_again_notes(pair, ACCOUNTS, {rules: enabled}) == []


def test_a_gap_is_not_closed_while_no_rule_is_enabled() -> None:
    pair = a_pair(rules=(Rule("s3-dr-orders", enabled=False),))
    role = role_address(pair.links()[0], ACCOUNTS)
    held = {**nothing(pair), role: {"Tags": {"s3-dr-gap-from": "2026-01-01T00:00:00Z", "s3-dr-gap-until": ""}}}
    assert pair_wish(pair, ACCOUNTS, held, Intent(until="2026-02-01T00:00:00Z"))[role]["Tags"]["s3-dr-gap-until"] == ""


def test_an_end_that_was_written_before_the_rules_could_be_enabled_is_written_anew() -> None:
    pair = a_pair()
    role = role_address(pair.links()[0], ACCOUNTS)
    tags = {"s3-dr-gap-from": "2026-01-01T00:00:00Z", "s3-dr-gap-until": "2026-02-01T00:00:00Z"}
    held = {**nothing(pair), role: {"Tags": tags}}
    disabled = {"Role": "r", "Rules": [{"ID": "s3-dr-orders", "Status": "Disabled"}]}
    intent = Intent(until="2026-03-01T00:00:00Z")
    for rules, until in ((None, "2026-02-01T00:00:00Z"), (disabled, "2026-03-01T00:00:00Z")):
        wish = pair_wish(pair, ACCOUNTS, {**held, address("bucket_replication"): rules}, intent)
        assert wish[role]["Tags"]["s3-dr-gap-until"] == until


def test_of_an_end_without_credentials_it_is_said_what_its_owner_has_to_remove() -> None:
    accounts = {**ACCOUNTS, DR.bucket: replace(OTHER, ours=False)}
    (said,) = beyond_reach_notes(a_pair(), accounts)
    for part in (DR.bucket, OTHER.id, "S3Drorders"):
        assert part in said
    assert beyond_reach_notes(a_pair(), ACCOUNTS) == []
