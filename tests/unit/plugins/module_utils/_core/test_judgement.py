# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What a verify has seen, as checks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import REMEDIES, Cause, Finding, Scope
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Area, Check, Status, Verdict
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.judgement import (
    canary_checks,
    comparison_checks,
    drift_check,
    gone_checks,
    metric_checks,
    metrics_unknown_check,
    no_canary_check,
    nothing_there_checks,
    recovery_check,
    rule_checks,
    unreachable_check,
    unread_checks,
    verify_summary,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import UNSEEN, Pair, Rule, Step
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery import Tally
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import bucket_address
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNTS, DR, PRIMARY, a_pair, address

NOW = datetime(2026, 11, 23, 14, 4, 3, tzinfo=UTC)
WAY = "example-orders -> example-orders-dr"
UPDATED = Step(address("bucket_versioning"), {"Status": "Suspended"}, {"Status": "Enabled"})
CREATED = Step(address("iam_role_policy"), None, {"Version": "2012-10-17"})


def outcomes(checks: list[Check]) -> list[tuple[str, Status]]:
    """Name and status of each."""
    return [(check.name, check.status) for check in checks]


@pytest.mark.parametrize(
    ("drift", "status"),
    [([], Status.PASSED), ([UPDATED], Status.AT_RISK), ([CREATED], Status.BROKEN), ([UPDATED, CREATED], Status.BROKEN)],
)
def test_what_is_not_there_at_all_breaks_a_pair_and_what_differs_puts_it_at_risk(
    drift: list[Step], status: Status
) -> None:
    check = drift_check(a_pair(), drift)
    assert (check.area, check.status) == (Area.CONFIGURATION, status)
    assert bool(drift) != (check.message == "AWS holds exactly what the pair declares.")
    assert all(str(step.address) in check.message for step in drift)


def test_what_may_not_be_read_is_a_warning_unless_nothing_can_be_said_without_it() -> None:
    unseen = {UNSEEN: "s3:GetReplicationConfiguration is missing"}
    observed = {
        address("bucket_replication"): unseen,
        address("iam_role"): {UNSEEN: "iam:GetRole is missing"},
        address("bucket_versioning", DR.bucket): unseen,
        address("bucket_versioning"): {"Status": "Enabled"},
        address("bucket_policy"): None,
    }
    checks = unread_checks(observed)
    assert [(check.subject.split()[0], check.status) for check in checks] == [
        ("bucket_replication", Status.UNKNOWN),
        ("bucket_versioning", Status.UNKNOWN),
        ("iam_role", Status.WARNING),
    ]
    role = address("iam_role")
    assert checks[2].message == f"{role} was not compared with the declared pair: iam:GetRole is missing."
    assert unread_checks(dict(reversed(observed.items()))) == checks


def test_a_configuration_that_cannot_be_reached_is_unknown_with_the_reason() -> None:
    check = unreachable_check(a_pair(), "the Region is down.")
    assert check.status is Status.UNKNOWN
    assert check.message == "The configuration of pair 'orders' is not known: the Region is down."


def test_what_may_not_be_read_is_not_said_to_be_as_declared() -> None:
    check = drift_check(a_pair(), [], unread=2)
    assert check.status is Status.PASSED
    assert "as far as it may be read: 2 documents may not." in check.message


def test_metrics_that_nobody_may_list_are_unknown() -> None:
    check = metrics_unknown_check(a_pair(), "cloudwatch:ListMetrics is missing.")
    assert (check.area, check.status, check.message) == (
        Area.MONITORING,
        Status.UNKNOWN,
        "cloudwatch:ListMetrics is missing.",
    )


def test_prefixes_below_which_nothing_is_prove_nothing() -> None:
    empty = comparison(source_versions=0, source_delete_markers=0)
    (check,) = nothing_there_checks(empty, ["nope/", "a\nb"])
    assert check.status is Status.UNKNOWN
    assert "No key of example-orders begins with 'nope/' and 'a⟨U+000A⟩b'" in check.message
    assert nothing_there_checks({**empty, "complete": False}, ["nope/"]) == []
    assert nothing_there_checks(comparison(source_versions=0), ["nope/"]) == []
    assert nothing_there_checks(comparison(), ["nope/"]) == []


def test_a_bucket_that_is_not_there_leaves_all_unknown() -> None:
    buckets = {bucket_address(end, ACCOUNTS): {"Region": end.region} for end in (PRIMARY, DR)}
    assert gone_checks(a_pair(), ACCOUNTS, buckets) == []
    assert gone_checks(a_pair(), ACCOUNTS, {}) == []
    (check,) = gone_checks(a_pair(), ACCOUNTS, {**buckets, bucket_address(DR, ACCOUNTS): None})
    assert (check.status, check.subject) == (Status.UNKNOWN, DR.bucket)


def scope(**changes: Any) -> Scope:
    """What goes from the primary to the DR bucket."""
    return Scope(**{"source": PRIMARY, "destination": DR, "rules": (Rule("s3-dr-orders"),), **changes})


def rules_of(pair: Pair, *scopes: Scope, seen: bool = True) -> list[Check]:
    """The checks of rules, with the source's rules seen or not."""
    at = bucket_address(PRIMARY, ACCOUNTS, "bucket_replication")
    return rule_checks(pair, ACCOUNTS, scopes, {at: {"Rules": []} if seen else {UNSEEN: "denied"}})


def test_of_rules_that_nobody_may_read_it_is_not_said_that_they_are_enabled() -> None:
    assert rules_of(a_pair(), scope(), seen=False) == []


def test_a_rule_that_is_off_at_aws_breaks_the_pair_only_if_it_is_declared_as_on() -> None:
    off = scope(rules=(Rule("s3-dr-orders", enabled=False),))
    assert outcomes(rules_of(a_pair(), scope())) == [("rule enabled", Status.PASSED)]
    assert outcomes(rules_of(a_pair(), off)) == [("rule enabled", Status.BROKEN)]
    (nothing,) = rules_of(a_pair(rules=(Rule("s3-dr-orders", enabled=False),)), off)
    assert (nothing.status, "nothing replicates" in nothing.message) == (Status.AT_RISK, True)


def test_a_rule_is_named_with_its_way() -> None:
    (on,) = rules_of(a_pair(), scope())
    (off,) = rules_of(a_pair(), scope(rules=(Rule("s3-dr-orders", enabled=False),)))
    assert on.subject == off.subject == f"s3-dr-orders: {WAY}"
    assert on.message == "The rule 's3-dr-orders' is enabled."
    assert off.message.startswith("The rule 's3-dr-orders' from example-orders to example-orders-dr is not enabled")


def metric(name: str = "ReplicationLatency", *, published: bool = False) -> dict[str, Any]:
    """A metric's result."""
    ends = {"source": PRIMARY.bucket, "destination": DR.bucket}
    return {**ends, "metric": name, "region": "us-west-2", "rule": "s3-dr-orders", "published": published}


@pytest.mark.parametrize(
    ("since", "published", "status"),
    [
        (None, True, Status.PASSED),
        (None, False, Status.AT_RISK),
        (NOW - timedelta(minutes=59), False, Status.WARNING),
        (NOW - timedelta(minutes=60), False, Status.AT_RISK),
    ],
)
def test_metrics_that_are_absent_are_a_risk_once_they_should_be_there(
    since: datetime | None, published: bool, status: Status
) -> None:
    (check,) = metric_checks([metric(published=published)], [scope(since=since)], NOW)
    assert (check.area, check.status) == (Area.MONITORING, status)
    assert check.subject == f"ReplicationLatency of s3-dr-orders: {WAY}"
    what = "ReplicationLatency of the rule 's3-dr-orders' from example-orders to example-orders-dr"
    held = f"CloudWatch in us-west-2 holds {what}." if published else f"CloudWatch in us-west-2 holds no {what}"
    assert check.message.startswith(held)


def test_a_metric_that_is_absent_comes_with_what_to_do() -> None:
    (new,) = metric_checks([metric()], [scope(since=NOW)], NOW)
    (old,) = metric_checks([metric()], [scope(since=NOW - timedelta(days=1))], NOW)
    assert new.message.endswith(" yet. AWS publishes the first values after about 15 minutes.")
    assert old.message.endswith("Its alarms cannot fire. Look whether the rule's metrics are on, then run setup.")


def test_the_failure_metric_may_be_absent() -> None:
    assert metric_checks([metric("OperationsFailedReplication")], [scope(since=NOW - timedelta(days=1))], NOW) == []


def canary(**changes: Any) -> dict[str, Any]:
    """A canary's result."""
    arrived = {"status": "replicated", "seconds": 3.2, "compared": "bytes", "reason": None, "left_behind": []}
    way = {"rule": "r", "source": PRIMARY.bucket, "destination": DR.bucket, "encryption": "default"}
    return {**way, **arrived, **changes}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("replicated", Status.PASSED),
        ("late", Status.AT_RISK),
        ("failed", Status.BROKEN),
        ("differs", Status.BROKEN),
        ("not_written", Status.UNKNOWN),
        ("unreadable", Status.UNKNOWN),
    ],
)
def test_each_fate_of_a_canary_has_its_outcome(status: str, outcome: Status) -> None:
    checks = canary_checks([canary(status=status, reason="the reason")])
    assert outcomes(checks) == [("arrives", outcome)]
    assert (checks[0].area, checks[0].subject) == (Area.CANARY, f"r (default): {WAY}")
    assert ("the reason" in checks[0].message) == (status != "replicated")
    assert (checks[0].message == "A canary arrived in 3.2 s, and its bytes agree.") == (status == "replicated")


@pytest.mark.parametrize(
    ("status", "outcome"), [("replicated", Status.AT_RISK), ("late", Status.AT_RISK), ("failed", Status.BROKEN)]
)
def test_what_a_canary_left_behind_is_a_risk_and_is_named(status: str, outcome: Status) -> None:
    (check,) = canary_checks([canary(status=status, left_behind=["b/k (v): locked"])])
    assert check.status is outcome
    assert "b/k (v): locked" in check.message


def test_no_canary_is_said() -> None:
    check = no_canary_check(a_pair(), " in check mode")
    assert check.status is Status.SKIPPED
    assert "No canary object was written in check mode, so nothing proves" in check.message


def comparison(**changes: Any) -> dict[str, Any]:
    """A comparison's result."""
    counts: dict[str, Any] = {"source_versions": 2000, "source_delete_markers": 1, "matched": 1999, "canaries": 0}
    counts["solved"] = {"not_comparable": 0, "not_looked_at": 0, "same_content": 5}
    way = {"source": PRIMARY.bucket, "destination": DR.bucket, "complete": True, "reason": ""}
    return {**way, **counts, **changes}


def finding(cause: Cause, *, missing: bool = True) -> Finding:
    """A finding about one version."""
    return Finding(cause, PRIMARY.bucket, DR.bucket, "k", "v", NOW, 1, missing)


def tally_of(*findings: Finding) -> Tally:
    """The findings, counted; a foreign object is accepted."""
    tally = Tally((Cause.FOREIGN_OBJECT,))
    for one in findings:
        tally.add(one)
    return tally


def test_a_comparison_that_did_not_end_is_unknown_whatever_it_found() -> None:
    checks = comparison_checks(comparison(complete=False, reason="access denied"), tally_of(finding(Cause.FAILED)))
    assert outcomes(checks) == [("compared", Status.UNKNOWN)]
    assert "access denied" in checks[0].message


def test_each_cause_that_must_not_be_is_a_check() -> None:
    found = (finding(Cause.FAILED), finding(Cause.FAILED), finding(Cause.CONTENT_DIFFERS), finding(Cause.PENDING))
    checks = comparison_checks(comparison(), tally_of(*found, finding(Cause.FOREIGN_OBJECT, missing=False)))
    assert outcomes(checks) == [
        ("compared", Status.PASSED),
        ("content differs", Status.BROKEN),
        ("failed", Status.AT_RISK),
    ]
    assert "2,000 versions and 1 delete marker of the source were compared, 1999 are at both ends." in checks[0].message
    assert checks[2].message == f"{WAY}: 2 versions: failed. {REMEDIES[Cause.FAILED]}"
    assert checks == comparison_checks(comparison(), tally_of(*reversed(found)))


def test_canaries_that_were_left_out_are_said() -> None:
    (compared,) = comparison_checks(comparison(canaries=2), tally_of())
    assert compared.message.endswith("1999 are at both ends, 2 versions of canaries left out.")


@pytest.mark.parametrize(
    "solved", [{"not_comparable": 2, "not_looked_at": 0}, {"not_comparable": 0, "not_looked_at": 2}]
)
def test_etags_that_differ_and_prove_nothing_are_said(solved: dict[str, int]) -> None:
    checks = comparison_checks(comparison(solved=solved), tally_of())
    assert outcomes(checks)[1:] == [("ETags", Status.WARNING)]
    assert f"{solved['not_comparable']} have no checksum in common, and {solved['not_looked_at']}" in checks[1].message


def test_what_is_not_there_by_an_accepted_cause_is_said() -> None:
    tally = Tally((Cause.NO_RULE_MATCHES, Cause.FOREIGN_OBJECT))
    for one in (finding(Cause.NO_RULE_MATCHES), finding(Cause.FOREIGN_OBJECT, missing=False)):
        tally.add(one)
    checks = comparison_checks(comparison(), tally)
    assert outcomes(checks)[1:] == [("accepted causes", Status.PASSED)]
    assert "lacks by accepted causes: no rule matches 1 version." in checks[1].message


@pytest.mark.parametrize(("missing", "status"), [(True, Status.UNKNOWN), (False, Status.WARNING)])
def test_what_was_not_examined_proves_nothing_unless_it_is_extra(missing: bool, status: Status) -> None:
    checks = comparison_checks(comparison(), tally_of(finding(Cause.UNEXAMINED, missing=missing)))
    assert outcomes(checks)[1:] == [("unexamined", status)]
    assert checks[1].message.endswith(REMEDIES[Cause.UNEXAMINED])


def test_the_recovery_point_is_judged_by_its_target() -> None:
    recovery = {"within_target": True, "rpo_seconds": 41, "rpo_target_seconds": 900}
    within = recovery_check(a_pair(), recovery, "S.")
    assert (within.area, within.status, within.message) == (Area.RECOVERY_POINT, Status.PASSED, "S.")
    behind = recovery_check(a_pair(), {**recovery, "within_target": False, "rpo_seconds": 1000}, "S.")
    assert behind.status is Status.AT_RISK
    assert "S. That is 16 min 40 s behind, and the target is 15 min." in behind.message
    assert recovery_check(a_pair(), None, "It is not known.").status is Status.UNKNOWN


def test_the_summary_begins_with_the_verdict_and_the_recovery_point() -> None:
    checks = [
        *comparison_checks(comparison(), tally_of()),
        drift_check(a_pair(), []),
        Check(Area.MONITORING, "latency alarm", "r", Status.WARNING, "none"),
        Check(Area.READINESS, "compared", "r", Status.AT_RISK, "the policies differ"),
        Check(Area.VERSIONS, "failed", "r", Status.AT_RISK, "a version failed"),
    ]
    assert verify_summary(a_pair(), Verdict.AT_RISK, "Nothing is at risk.", checks, [canary()]) == [
        "orders: at risk. Nothing is at risk.",
        f"{WAY}: 2,000 versions and 1 delete marker of the source were compared, 1999 are at both ends.",
        f"{WAY}: a canary object arrived intact in 3.2 s (rule r).",
        "1 of 3 checks of configuration, monitoring and readiness passed.",
    ]
