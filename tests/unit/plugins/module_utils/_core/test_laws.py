# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What holds for every pair and every state of AWS."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    AlarmSettings,
    alarm_names,
    alarms_wish,
    leftover_alarms,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS, canonical
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Direction,
    Document,
    Pair,
    Refused,
    Rule,
    Step,
    is_seen,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import (
    Observed,
    Wish,
    applied,
    plan,
    waves,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.render import as_results
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    Intent,
    bucket_deletion_wish,
    leftovers,
    pair_addresses,
    pair_removal_wish,
    pair_wish,
    without_overlap,
    without_roles_in_use,
)
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.strategies import Declared

every_kind = pytest.mark.parametrize("kind", KINDS)
KEPT_BY_DESIGN = {
    "bucket_versioning",  # cannot be unset, and suspending it would harm data
    "bucket_object_lock",  # cannot be disabled
    "bucket_accelerate",  # can be suspended, and never unset
    "bucket_cors",  # a rule of ours may have been there before us
    "bucket_ownership",  # a bucket is never without
    "bucket_logging",  # is turned off by name
    "bucket_encryption",  # a bucket is never without one
    "bucket_public_access_block",  # may have been there before us, and opening a bucket is no teardown
    "sns_subscription",  # somebody confirmed it
    "sqs_queue_encryption",  # so is a queue's
    "sns_topic_encryption",  # it goes with its topic, and a topic of somebody else is not opened
}
GONE_BY_NAME = {
    "bucket_tiering",  # ours by their name, whoever made them, or only removed when the user names them
    "bucket",
    "bucket_contents",
    "iam_role",
    "iam_role_policy",
    "trail",
    "trail_logging",
    "metric_alarm",
    "composite_alarm",
    "cloudwatch_dashboard",
    "ssm_parameter",
    "ssm_document",
    "ops_item",
    "multi_region_access_point",
    "iam_managed_policy",
    "log_group",
    "lambda_function",
    "function_concurrency",
    "state_machine",
    "schedule",
}
ORDERED = {
    "bucket_cors",  # the first rule that fits is taken
    "state_machine",  # the first retrier that matches is taken
    "cloudwatch_dashboard",  # metrics get their colours by it
    "ssm_parameter",  # the worst problem comes first
    "ssm_document",  # so do the steps of a runbook
}
"""What the order of a list says something in."""
LISTS = {
    "bucket_replication": "Rules",
    "bucket_policy": "Statement",
    "kms_key_policy": "Statement",
    "sns_topic_policy": "Statement",
    "sqs_queue_policy": "Statement",
    "multi_region_access_point_policy": "Statement",
    "trail_event_selectors": "AdvancedEventSelectors",
    "bucket_lifecycle": "Rules",
}


def meaning(world: Observed) -> Observed:
    """What AWS holds, in canonical form."""
    return {address: canonical(address.kind, document) for address, document in world.items()}


# --- each kind -----------------------------------------------------------------------------------------------


@every_kind
@given(data=st.data())
def test_putting_twice_is_putting_once(kind: str, data: st.DataObject) -> None:
    ours, theirs = data.draw(strategies.merges(kind))
    once = KINDS[kind].put(ours, theirs)
    assert KINDS[kind].put(ours, once) == once


@every_kind
@given(data=st.data())
def test_taking_twice_is_taking_once(kind: str, data: st.DataObject) -> None:
    ours, theirs = data.draw(strategies.merges(kind))
    once = KINDS[kind].take(ours, theirs)
    assert KINDS[kind].take(ours, once) == once


@every_kind
@given(data=st.data())
def test_the_canonical_form_is_its_own_canonical_form(kind: str, data: st.DataObject) -> None:
    _ours, theirs = data.draw(strategies.merges(kind))
    once = canonical(kind, theirs)
    assert canonical(kind, once) == once


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ORDERED])
@given(data=st.data(), dice=strategies.dice)
def test_the_order_of_lists_never_matters(kind: str, data: st.DataObject, dice: random.Random) -> None:
    ours, theirs = data.draw(strategies.merges(kind))
    assert canonical(kind, strategies.shuffled(theirs, dice)) == canonical(kind, theirs)
    here = canonical(kind, KINDS[kind].put(ours, theirs))
    there = KINDS[kind].put(strategies.shuffled(ours, dice), strategies.shuffled(theirs, dice))
    assert canonical(kind, there) == here


@every_kind
@given(data=st.data())
def test_merging_changes_neither_of_its_arguments(kind: str, data: st.DataObject) -> None:
    ours, theirs = data.draw(strategies.merges(kind))
    before = repr((ours, theirs))
    KINDS[kind].put(ours, theirs)
    KINDS[kind].take(ours, theirs)
    canonical(kind, theirs)
    assert repr((ours, theirs)) == before


@every_kind
@given(data=st.data())
def test_taking_after_putting_restores_what_was_foreign(kind: str, data: st.DataObject) -> None:
    ours = data.draw(strategies.ours(kind) if kind != "bucket_contents" else st.just({}))
    foreign = None if kind in GONE_BY_NAME else data.draw(st.none() | strategies.foreign(kind, ours))
    if kind == "trail_event_selectors" and foreign is None:
        return  # a trail has selectors as long as it exists
    if kind in ("sns_topic_policy", "kms_key_policy", "multi_region_access_point_policy") and foreign is None:
        return  # a topic, key or access point has a policy as long as it exists
    after = KINDS[kind].take(ours, KINDS[kind].put(ours, foreign))
    if kind in KEPT_BY_DESIGN:
        assert after == KINDS[kind].put(ours, foreign)
    else:
        assert canonical(kind, after) == canonical(kind, foreign)


@pytest.mark.parametrize("kind", LISTS)
@given(data=st.data())
def test_foreign_entries_survive_byte_for_byte_and_in_their_order(kind: str, data: st.DataObject) -> None:
    ours = data.draw(strategies.ours(kind))
    foreign = data.draw(strategies.foreign(kind, ours))
    entries = [writable(entry) for entry in foreign.get(LISTS[kind], [])]
    put = KINDS[kind].put(ours, foreign)
    taken = KINDS[kind].take(ours, put) or {}
    assert put[LISTS[kind]][: len(entries)] == entries
    assert taken.get(LISTS[kind], []) == entries


def writable(entry: Document) -> Document:
    """S3 returns these fields and refuses them when they are sent back, the prefix beside rules with a filter."""
    rest = {key: value for key, value in entry.items() if key not in ("ExistingObjectReplication", "Prefix")}
    return {**rest, "Filter": {"Prefix": entry["Prefix"]}} if "Prefix" in entry else rest


@given(data=st.data())
def test_foreign_rules_that_replicate_as_another_role_are_refused(data: st.DataObject) -> None:
    ours = data.draw(strategies.ours("bucket_replication"))
    foreign = data.draw(strategies.foreign("bucket_replication", {"Role": "arn:aws:iam::111122223333:role/theirs"}))
    both = {**foreign, "Rules": [*foreign["Rules"], *ours["Rules"]]}
    for held in (foreign, both):
        with pytest.raises(Refused, match="role/theirs"):
            KINDS["bucket_replication"].put(ours, held)


@pytest.mark.parametrize("kind", ["iam_role", "trail"])
@given(data=st.data())
def test_what_does_not_carry_our_tag_is_refused_when_putting_and_kept_when_taking(
    kind: str, data: st.DataObject
) -> None:
    ours = data.draw(strategies.ours(kind))
    theirs = {**ours, "Tags": data.draw(st.sampled_from([{}, {"managed-by": "terraform"}]))}
    with pytest.raises(Refused, match=r"managed-by=crossregion\.s3_dr"):
        KINDS[kind].put(ours, theirs)
    assert KINDS[kind].take(ours, theirs) == theirs


@given(data=st.data())
def test_a_foreign_topic_is_used_as_it_is_and_never_deleted(data: st.DataObject) -> None:
    ours = data.draw(strategies.ours("sns_topic"))
    theirs = data.draw(strategies.foreign("sns_topic", ours))
    assert KINDS["sns_topic"].put(ours, theirs) == theirs
    assert KINDS["sns_topic"].take(ours, theirs) == theirs


# --- plans ---------------------------------------------------------------------------------------------------


@given(strategies.wishes_and_worlds())
def test_after_a_plan_nothing_is_left_to_plan(both: tuple[Wish, Observed]) -> None:
    wish, world = both
    assert plan(wish, applied(plan(wish, world), world)) == ()


@given(strategies.wishes_and_worlds(), strategies.dice)
def test_neither_the_order_of_the_wish_nor_that_of_aws_matters(
    both: tuple[Wish, Observed], dice: random.Random
) -> None:
    wish, world = both
    other_wish, other_world = (
        {a: d if a.kind in ORDERED else strategies.shuffled(d, dice) for a, d in one.items()} for one in (wish, world)
    )
    other_wish = dict(dice.sample(list(other_wish.items()), len(wish)))
    assert as_results(plan(other_wish, other_world)) == as_results(plan(wish, world))


@given(strategies.wishes_and_worlds())
def test_each_step_begins_with_what_aws_then_holds(both: tuple[Wish, Observed]) -> None:
    wish, world = both
    predicted = plan(wish, world)
    assert len({step.address for step in predicted}) == len(predicted)
    for step in predicted:
        assert plan(wish, world)[0] == step
        assert world[step.address] == step.before
        world = applied([step], world)


@given(strategies.wishes_and_worlds())
def test_a_run_killed_after_any_step_and_started_again_converges(both: tuple[Wish, Observed]) -> None:
    wish, world = both
    steps = plan(wish, world)
    end = meaning(applied(steps, world))
    for done in range(len(steps) + 1):
        broken_off = applied(steps[:done], world)
        assert meaning(applied(plan(wish, broken_off), broken_off)) == end


@given(strategies.wishes_and_worlds())
def test_waves_hold_every_step_once_in_the_order_of_the_plan(both: tuple[Wish, Observed]) -> None:
    wish, world = both
    steps = plan(wish, world)
    ranks = []
    seen = []
    for wave in waves(steps):
        found = [step for chain in wave for step in chain]
        ranks.append({KINDS[step.address.kind].rank_of(step.before, step.after) for step in found})
        seen += found
        for chain in wave:
            assert len({(step.address.account, step.address.region, step.address.name) for step in chain}) == 1
    assert sorted(seen, key=steps.index) == list(steps)
    assert all(len(rank) == 1 for rank in ranks)
    assert ranks == sorted(ranks, key=min)


# --- runs ----------------------------------------------------------------------------------------------------


_AS_IT_IS = Intent()


def goal(found: Declared, world: Observed, intent: Intent) -> tuple[Wish, Wish]:
    """What a run wishes and does not want, given what AWS holds."""
    unwanted = without_roles_in_use(leftovers(*found, world), world)
    return without_overlap(pair_wish(*found, world, intent), unwanted)


def run(found: Declared, world: Observed, intent: Intent = _AS_IT_IS) -> Observed:
    """What AWS holds after a run."""
    wish, unwanted = goal(found, world, intent)
    return applied(plan(wish, world, unwanted), world)


def remove(found: Declared, world: Observed, deleted: tuple[str, ...] = ()) -> Observed:
    """What AWS holds after a removal."""
    return applied(removal(found, world, deleted), world)


def removal(found: Declared, world: Observed, deleted: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """The steps that take a pair away."""
    unwanted = pair_removal_wish(*found, world, deleted)
    return plan({}, world, without_roles_in_use(unwanted, world))


def empty(found: Declared) -> Observed:
    """An AWS that holds nothing but the keys that a pair names, which somebody made before."""
    key_policy = {"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow"}]}
    return {at: key_policy if at.kind == "kms_key_policy" else None for at in pair_addresses(*found)}


runs = st.data(), strategies.declared(), strategies.intents


@given(*runs)
def test_a_second_run_has_nothing_to_do(data: st.DataObject, found: Declared, intent: Intent) -> None:
    after = run(found, data.draw(strategies.pair_worlds(found)), intent)
    wish, unwanted = goal(found, after, intent)
    assert plan(wish, after, unwanted) == ()


@given(*runs)
def test_a_run_killed_after_any_step_and_begun_anew_converges(
    data: st.DataObject, found: Declared, intent: Intent
) -> None:
    world = data.draw(strategies.pair_worlds(found))
    wish, unwanted = goal(found, world, intent)
    steps = plan(wish, world, unwanted)
    end = meaning(applied(steps, world))
    for done in range(len(steps) + 1):
        assert meaning(run(found, applied(steps[:done], world), intent)) == end


@given(*runs)
def test_a_run_reads_all_that_it_changes_and_changes_only_accounts_that_are_ours(
    data: st.DataObject, found: Declared, intent: Intent
) -> None:
    world = data.draw(strategies.pair_worlds(found))
    ours = {account.id for account in found.accounts.values() if account.ours}
    for wish in (*goal(found, world, intent), pair_removal_wish(*found, world)):
        assert set(wish) <= set(pair_addresses(*found))
        assert {address.account for address in wish} <= ours


@given(*runs)
def test_what_the_credentials_may_not_read_is_never_changed(
    data: st.DataObject, found: Declared, intent: Intent
) -> None:
    world = data.draw(strategies.pair_worlds(found))
    unseen = {address for address, document in world.items() if not is_seen(document)}
    for wish in (*goal(found, world, intent), pair_removal_wish(*found, world)):
        assert unseen.isdisjoint(wish)


@given(st.data(), strategies.declared())
def test_a_pause_disables_our_rules_and_no_others(data: st.DataObject, found: Declared) -> None:
    world = data.draw(strategies.pair_worlds(found))
    running, paused = (run(found, world, Intent(paused, now=strategies.PAUSE_AT)) for paused in (False, True))
    for address, document in paused.items():
        if address.kind == "bucket_replication" and document is not None:
            was = (running[address] or {})["Rules"]
            ours = {rule.id for rule in found.pair.rules}
            assert document["Rules"] == [{**rule, "Status": "Disabled"} if rule["ID"] in ours else rule for rule in was]


@given(*runs)
def test_a_removal_killed_after_any_step_and_started_again_converges(
    data: st.DataObject, found: Declared, intent: Intent
) -> None:
    buckets = (found.pair.primary.bucket, found.pair.dr.bucket)
    deleted = data.draw(st.sampled_from([(), buckets[:1], buckets]))
    ends = [end for end in found.pair.ends() if end.bucket in deleted]
    deletions = {at: document for end in ends for at, document in bucket_deletion_wish(end, found.accounts).items()}
    world = {**data.draw(strategies.worlds(deletions)), **data.draw(strategies.pair_worlds(found))}
    world = run(found, world, intent)
    steps = removal(found, world, deleted)
    end = meaning(applied(steps, world))
    for done in range(len(steps) + 1):
        assert meaning(remove(found, applied(steps[:done], world), deleted)) == end


@given(st.data(), strategies.declared())
def test_a_pair_that_is_built_and_removed_leaves_what_was_foreign(data: st.DataObject, found: Declared) -> None:
    held = data.draw(strategies.pair_worlds(found))
    shared = ("bucket_replication", "bucket_policy", "kms_key_policy")
    world = {at: held[at] if at.kind == "bucket_versioning" else None for at in held}
    ours = pair_removal_wish(*found, held)  # what is ours of the drawn world is not foreign
    world |= {
        at: KINDS[at.kind].take(ours[at], held[at]) if at in ours else held[at] for at in held if at.kind in shared
    }
    removed = remove(found, built := run(found, world))
    assert {a: d for a, d in meaning(removed).items() if a.kind in shared} == {
        a: d for a, d in meaning(world).items() if a.kind in shared
    }
    in_use = {d["Role"].rsplit("/", 1)[1] for a, d in removed.items() if a.kind == "bucket_replication" and d}
    made = {a.name for a, d in built.items() if a.kind == "iam_role" and d is not None}
    assert {a.name for a, d in removed.items() if a.kind == "iam_role" and d is not None} == in_use & made
    assert {a.name.split("/")[0] for a, d in removed.items() if a.kind == "iam_role_policy" and d} == in_use & made
    assert all(d == {"Status": "Enabled"} for a, d in removed.items() if a.kind == "bucket_versioning")
    assert all(d is not None for a, d in removed.items() if a.kind == "bucket")


@given(*runs)
def test_no_rule_that_stays_loses_the_role_that_it_replicates_as(
    data: st.DataObject, found: Declared, intent: Intent
) -> None:
    built = run(found, data.draw(strategies.pair_worlds(found)), intent)
    removed = remove(found, built)
    replicate_as = {d["Role"] for a, d in removed.items() if a.kind == "bucket_replication" and d}
    gone = {a.name for a, d in removed.items() if a.kind == "iam_role" and d is None and built[a] is not None}
    assert not {role for role in replicate_as if role.rsplit("/", 1)[1] in gone}


@given(strategies.declared("two_way"))
def test_a_pair_that_becomes_one_way_loses_exactly_its_way_back(found: Declared) -> None:
    built = run(found, empty(found))
    one_way = found._replace(pair=replace(found.pair, direction=Direction.ONE_WAY))
    assert meaning(run(one_way, built)) == meaning(run(one_way, empty(found)))


@given(strategies.pairs(), strategies.accounts)
def test_alarms_are_removed_whatever_the_pair_was_before(pair: Pair, account: Account) -> None:
    settings = AlarmSettings("alarms")
    wish = alarms_wish(replace(pair, direction=Direction.TWO_WAY), settings, account)
    nothing = dict.fromkeys(wish)
    built = applied(plan(wish, nothing), nothing)
    unwanted = leftover_alarms(pair, {}, alarm_names(wish), account, twins=True)
    assert set(applied(plan({}, built, unwanted), built).values()) <= {None}


# --- pairs ---------------------------------------------------------------------------------------------------


@given(strategies.pairs())
def test_reversed_twice_is_the_same_pair(pair: Pair) -> None:
    assert pair.reversed().reversed() == pair
    assert pair.reversed() != pair
    (one, other, *further), (first, second, *rest) = pair.ends(), pair.reversed().ends()
    assert (first, second, rest) == (other, one, further)


@given(st.data(), strategies.declared("two_way"))
def test_a_two_way_pair_wishes_the_same_from_either_end(data: st.DataObject, found: Declared) -> None:
    """Not with further buckets: they are replicated to from the primary, so it matters which end that is."""
    pair = replace(found.pair, rules=tuple(rule for rule in found.pair.rules if not leaves(rule)))
    world = data.draw(strategies.pair_worlds(Declared(pair, found.accounts)))
    assert set(pair_addresses(pair.reversed(), found.accounts)) == set(world)
    here, there = (pair_wish(one, found.accounts, world) for one in (pair, pair.reversed()))
    assert {at: canonical(at.kind, document) for at, document in there.items()} == {
        at: canonical(at.kind, document) for at, document in here.items()
    }


def leaves(rule: Rule) -> bool:
    """Whether it replicates to a bucket that is no end of the pair."""
    return rule.destination is not None and rule.destination.bucket == "further"


@given(strategies.pairs())
def test_each_direction_has_a_role_of_its_own_with_a_name_that_iam_takes(pair: Pair) -> None:
    names = [link.role_name for link in pair.both_links()]
    assert len(set(names)) == 2
    assert all(len(name) <= 64 for name in names)
