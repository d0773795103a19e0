# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The fence as a statement beside others, and what is said to be lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Cause, Finding
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.denials import Need, denials
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fence import (
    check_exempt,
    fence,
    fence_removal,
    fence_sid,
    is_fenced,
    principals_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.loss import (
    LATENCY,
    PENDING,
    Limits,
    Loss,
    Point,
    Standing,
    known_by_metrics,
    with_last_verify,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.policies import statement_id
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    leftovers,
    pair_addresses,
    pair_removal_wish,
    role_arn,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNTS, DR, PRIMARY, address, two_way

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
PAIR = two_way()
AT = address("bucket_policy")
FOREIGN = {"Version": "2008-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow", "Action": "s3:GetObject"}]}


# --- fence ---------------------------------------------------------------------------------------------------


def fenced(theirs: dict | None) -> dict:
    return dict(KINDS["bucket_policy"].put(fence(PAIR, PRIMARY, ACCOUNTS, ["arn:aws:iam::1:role/x"])[AT], theirs))


@pytest.mark.parametrize("theirs", [None, FOREIGN])
def test_what_is_lifted_leaves_what_was_there_before(theirs: dict | None) -> None:
    with_fence = fenced(theirs)
    assert is_fenced(PAIR, PRIMARY, ACCOUNTS, {AT: with_fence})
    assert not is_fenced(PAIR, PRIMARY, ACCOUNTS, {AT: theirs})
    assert KINDS["bucket_policy"].take(fence_removal(PAIR, PRIMARY, ACCOUNTS)[AT], with_fence) == theirs
    assert plan(fence(PAIR, PRIMARY, ACCOUNTS, ["arn:aws:iam::1:role/x"]), {AT: with_fence}) == ()


def test_neither_setup_nor_teardown_of_the_pair_takes_the_fence_for_a_leftover() -> None:
    observed = {**dict.fromkeys(pair_addresses(PAIR, ACCOUNTS)), AT: fenced(FOREIGN)}
    assert AT not in leftovers(PAIR, ACCOUNTS, observed)
    assert AT not in pair_removal_wish(PAIR, ACCOUNTS, observed)
    assert not fence_sid(PAIR.name, PRIMARY.bucket).startswith(tuple(statement_id(x, "") for x in PAIR.both_links()))


def test_replication_to_a_fenced_bucket_goes_on() -> None:
    """The same judgement as a preflight's: no statement denies what the role of the way back needs."""
    role = role_arn(PAIR.both_links()[1], ACCOUNTS)
    arn = f"arn:aws:s3:::{PRIMARY.bucket}"
    needs = [Need(f"s3:{name}", f"{arn}/", True) for name in ("ReplicateObject", "ReplicateDelete", "PutObject")]
    assert denials(fenced(None), role, needs) == []
    assert denials(fenced(None), "arn:aws:iam::111122223333:role/application", needs) != []


def test_two_pairs_of_one_bucket_have_fences_of_their_own() -> None:
    assert fence_sid("orders", PRIMARY.bucket) != fence_sid("invoices", PRIMARY.bucket)
    assert fence_sid("orders", PRIMARY.bucket) != fence_sid("orders", DR.bucket)


def test_a_caller_is_spared_as_the_principal_that_a_policy_sees() -> None:
    assert principals_of("arn:aws:sts::111122223333:assumed-role/ops/me") == (
        "arn:aws:iam::111122223333:role/ops",
        "arn:aws:iam::111122223333:role/*/ops",
    )
    assert principals_of("arn:aws:iam::111122223333:user/me") == ("arn:aws:iam::111122223333:user/me",)


@pytest.mark.parametrize("arn", ["*", "ops", "arn:aws:s3:::bucket", "arn:aws:iam::111122223333:policy/x"])
def test_what_is_no_principal_is_refused(arn: str) -> None:
    with pytest.raises(InvalidInput, match="not the ARN of a user or role"):
        check_exempt([arn])


def test_principals_may_have_stars() -> None:
    check_exempt(
        ["arn:aws:iam::111122223333:role/*/ops", "arn:aws-us-gov:iam::*:user/me", "arn:aws:iam::111122223333:root"]
    )


# --- loss ----------------------------------------------------------------------------------------------------


def a_finding(cause: Cause, age: int = 10, source: str = PRIMARY.bucket) -> Finding:
    destination = DR.bucket if source == PRIMARY.bucket else PRIMARY.bucket
    return Finding(cause, source, destination, "k", "v", NOW - timedelta(seconds=age), 7, True)


def a_standing(*findings: Finding) -> Standing:
    standing = Standing(PRIMARY.bucket, DR.bucket, cutoff=NOW)
    for finding in findings:
        standing.add(finding)
    return standing


def test_what_moves_is_waited_for_and_what_is_stuck_is_lost() -> None:
    standing = a_standing(a_finding(Cause.PENDING, 3), a_finding(Cause.LATE, 2000), a_finding(Cause.FAILED, 60))
    assert not standing.is_drained
    assert (standing.loss().objects, standing.loss().seconds) == (3, 2001)
    lost = standing.loss(standing.left_behind)
    assert (lost.objects, lost.seconds, lost.source_of_knowledge) == (1, 61, "comparison")
    assert a_standing(a_finding(Cause.FAILED)).is_drained


def test_the_other_direction_and_what_no_rule_selects_do_not_count() -> None:
    standing = a_standing(a_finding(Cause.PENDING, source=DR.bucket), a_finding(Cause.NO_RULE_MATCHES))
    assert standing.is_drained
    assert standing.loss().beyond(Limits(0, 0)) == []


def test_a_comparison_that_was_not_complete_knows_nothing() -> None:
    standing = Standing(PRIMARY.bucket, DR.bucket, cutoff=NOW, reason="it may not be listed.")
    assert not standing.is_drained
    assert len(standing.loss().beyond(Limits(10**9, 10**9))) == 2
    young = Standing(PRIMARY.bucket, DR.bucket, cutoff=NOW, in_flight=1)
    assert not young.is_drained


points = st.tuples(st.integers(0, 3600), st.floats(0, 10**5))


@given(st.dictionaries(st.sampled_from(["one", "two"]), points, min_size=1), st.integers(0, 3600))
def test_the_rule_that_is_furthest_behind_decides_and_waiting_never_makes_it_better(
    rules: dict[str, tuple[int, float]], later: int
) -> None:
    known: dict[tuple[str, str], Point | None] = {}
    for rule, (ago, value) in rules.items():
        known[LATENCY, rule] = Point(NOW - timedelta(seconds=ago), value)
        known[PENDING, rule] = Point(NOW, 1.0)
    loss = known_by_metrics(known, NOW, "us-west-2")
    worst = max(ago + value for ago, value in rules.values())
    assert loss.seconds is not None
    assert abs(loss.seconds - worst) <= 1
    assert loss.objects == len(rules)
    after = known_by_metrics(known, NOW + timedelta(seconds=later), "us-west-2")
    assert after.seconds is not None
    assert after.seconds >= loss.seconds


def test_a_metric_that_is_missing_makes_all_unknown() -> None:
    known = {(LATENCY, "one"): Point(NOW, 0.0), (PENDING, "one"): None}
    loss = known_by_metrics(known, NOW, "us-west-2")
    assert (loss.seconds, loss.objects) == (None, None)
    assert "OperationsPendingReplication of rule 'one'" in loss.why
    assert known_by_metrics({}, NOW, "us-west-2").seconds is None


@pytest.mark.parametrize(("ago", "objects"), [(180, 2), (181, None)])
def test_what_was_written_after_an_old_data_point_is_in_no_number(ago: int, objects: int | None) -> None:
    at = NOW - timedelta(seconds=ago)
    loss = known_by_metrics({(LATENCY, "a"): Point(at, 5.0), (PENDING, "a"): Point(at, 2.0)}, NOW, "us-west-2")
    assert (loss.objects, loss.seconds) == (objects, ago + 5)
    assert bool(loss.beyond(Limits(10**9, 2))) is (objects is None)
    assert Loss.of(loss.as_result()) == loss


def test_a_verify_that_reaches_further_counts() -> None:
    loss = known_by_metrics({(LATENCY, "a"): Point(NOW, 600.0), (PENDING, "a"): Point(NOW, 2.0)}, NOW, "us-west-2")
    better = with_last_verify(loss, NOW - timedelta(seconds=60), NOW)
    assert (better.seconds, better.objects, better.source_of_knowledge) == (60, 2, "last_verify")
    assert with_last_verify(loss, NOW - timedelta(seconds=900), NOW) is loss
    assert with_last_verify(loss, None, NOW) is loss
    nothing = Loss(None, None, None, "none", "Nothing is known.")
    assert with_last_verify(nothing, NOW, NOW).objects is None
