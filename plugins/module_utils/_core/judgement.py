# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a verify has seen, as checks: configuration, metrics, canaries, versions and the recovery point.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .causes import REMEDIES, Cause, Scope
from .checks import Area, Check, Status, Verdict
from .evidence_words import duration, listed, number_of, printable
from .model import UNSEEN, Accounts, Pair, Step, is_seen
from .plan import Observed
from .recovery import Tally
from .replication import bucket_address
from .verdict import IN_VERIFY, drift_problem, flight_line, left_behind, not_arrived

_DECISIVE = ("bucket_replication", "bucket_versioning")
"""Without these two nobody can say whether the pair is set up."""

_METRICS_SETTLE = timedelta(hours=1)
"""AWS publishes the first values about 15 minutes after a rule is made; after this nobody waits any longer."""


# --- configuration -------------------------------------------------------------------------------------------


def drift_check(pair: Pair, drift: Sequence[Step], unread: int = 0) -> Check:
    """Whether AWS holds what the pair declares. Something that is not there at all means that nothing replicates.

    Args:
        unread: how many documents may not be read, of which nothing is said.
    """
    said = drift_problem(pair, drift)
    if not said and unread:
        held = f"AWS holds what the pair declares, as far as it may be read: {number_of(unread, 'document')} may not."
        return _configuration("declared pair", pair.name, Status.PASSED, held)
    if not said:
        return _configuration("declared pair", pair.name, Status.PASSED, "AWS holds exactly what the pair declares.")
    broken = any(step.action == "create" for step in drift)
    return _configuration("declared pair", pair.name, Status.BROKEN if broken else Status.AT_RISK, said[0])


def unread_checks(observed: Observed) -> list[Check]:
    """What the credentials may not read, and so was not compared with the declared pair."""
    return [
        _configuration(
            "readable",
            str(address),
            Status.UNKNOWN if address.kind in _DECISIVE else Status.WARNING,
            f"{address} was not compared with the declared pair: {document[UNSEEN]}.",
        )
        for address, document in sorted(observed.items())
        if document is not None and not is_seen(document)
    ]


def unreachable_check(pair: Pair, reason: str) -> Check:
    """The configuration could not be looked at."""
    return _configuration(
        "declared pair", pair.name, Status.UNKNOWN, f"The configuration of pair '{pair.name}' is not known: {reason}"
    )


def gone_checks(pair: Pair, accounts: Accounts, observed: Observed) -> list[Check]:
    """The buckets that are not there: what they held is not known, and whether it is elsewhere neither."""
    gone = [
        end.bucket
        for end in pair.ends()
        if bucket_address(end, accounts) in observed and observed[bucket_address(end, accounts)] is None
    ]
    return [
        _configuration(
            "bucket is there",
            bucket,
            Status.UNKNOWN,
            f"Bucket '{bucket}' is not there, so nothing can be proven of the pair. If it was deleted, make it "
            "again by crossregion.s3_dr.setup, then backfill it.",
        )
        for bucket in gone
    ]


def rule_checks(pair: Pair, accounts: Accounts, scopes: Iterable[Scope], observed: Observed) -> list[Check]:
    """Whether each rule that is declared as enabled is so at AWS; of a source whose rules are unseen nobody knows."""
    declared = {rule.id for rule in pair.rules if rule.enabled}
    if not declared:
        message = f"All rules of pair '{pair.name}' are declared as disabled, so nothing replicates. Enable one."
        return [_configuration("rule enabled", pair.name, Status.AT_RISK, message)]
    return [
        _rule_check(scope, rule.id, rule.enabled)
        for scope in scopes
        for rule in scope.rules
        if rule.id in declared and is_seen(observed.get(bucket_address(scope.source, accounts, "bucket_replication")))
    ]


def _rule_check(scope: Scope, rule: str, enabled: bool) -> Check:
    way = f"{rule}: {scope.source.bucket} -> {scope.destination.bucket}"
    if enabled:
        return _configuration("rule enabled", way, Status.PASSED, f"The rule '{rule}' is enabled.")
    return _configuration(
        "rule enabled",
        way,
        Status.BROKEN,
        f"The rule '{rule}' from {scope.source.bucket} to {scope.destination.bucket} is not enabled: nothing that is "
        "written now reaches the DR copy. Run crossregion.s3_dr.setup, then backfill.",
    )


def _configuration(name: str, subject: str, status: Status, message: str) -> Check:
    return Check(Area.CONFIGURATION, name, subject, status, message)


def metrics_unknown_check(pair: Pair, reason: str) -> Check:
    """Nobody could look for metrics."""
    return Check(Area.MONITORING, "metric", pair.name, Status.UNKNOWN, reason)


def metric_checks(metrics: Iterable[Mapping[str, Any]], scopes: Iterable[Scope], now: datetime) -> list[Check]:
    """Whether CloudWatch holds the metrics of each rule; the failure metric is absent while nothing fails."""
    made = {(scope.source.bucket, scope.destination.bucket): scope.since for scope in scopes}
    return [
        _metric_check(metric, made.get((metric["source"], metric["destination"])), now)
        for metric in metrics
        if metric["metric"] != "OperationsFailedReplication"
    ]


def _metric_check(metric: Mapping[str, Any], since: datetime | None, now: datetime) -> Check:
    subject = f"{metric['metric']} of {metric['rule']}: {metric['source']} -> {metric['destination']}"
    held = f"CloudWatch in {metric['region']} holds {'' if metric['published'] else 'no '}{metric['metric']} "
    of_what = f"of the rule '{metric['rule']}' from {metric['source']} to {metric['destination']}"
    if metric["published"]:
        return Check(Area.MONITORING, "metric", subject, Status.PASSED, f"{held}{of_what}.")
    if since is not None and now - since < _METRICS_SETTLE:
        hint = "AWS publishes the first values after about 15 minutes."
        return Check(Area.MONITORING, "metric", subject, Status.WARNING, f"{held}{of_what} yet. {hint}")
    young = "" if since else " If the rule is new, wait: AWS publishes the first values after about 15 minutes."
    hint = f"Its alarms cannot fire. Look whether the rule's metrics are on, then run setup.{young}"
    return Check(Area.MONITORING, "metric", subject, Status.AT_RISK, f"{held}{of_what}. {hint}")


# --- canaries ------------------------------------------------------------------------------------------------

_CANARY_STATUS = {
    "replicated": Status.PASSED,
    "late": Status.AT_RISK,
    "not_written": Status.UNKNOWN,
    "unreadable": Status.UNKNOWN,
}


def canary_checks(canaries: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Whether each canary arrived intact, and whether it was removed again."""
    return [check for canary in canaries for check in _canary_checks(canary)]


def _canary_checks(canary: Mapping[str, Any]) -> Iterator[Check]:
    subject = f"{canary['rule']} ({canary['encryption']}): {canary['source']} -> {canary['destination']}"
    status = _CANARY_STATUS.get(canary["status"], Status.BROKEN)
    said = [*not_arrived([canary], IN_VERIFY), *left_behind([canary])]
    arrived = f"A canary arrived in {canary['seconds']} s, and its {canary['compared']} agree."
    if canary["left_behind"] and status is Status.PASSED:
        status = Status.AT_RISK
    yield Check(Area.CANARY, "arrives", subject, status, " ".join(said) or arrived)


def no_canary_check(pair: Pair, why: str) -> Check:
    """None was sent, and that is said."""
    message = f"No canary object was written{why}, so nothing proves that what is written now arrives."
    return Check(Area.CANARY, "arrives", pair.name, Status.SKIPPED, message)


# --- versions and the recovery point -------------------------------------------------------------------------

_BROKEN_CAUSES = (Cause.CONTENT_DIFFERS,)


def comparison_checks(comparison: Mapping[str, Any], tally: Tally) -> list[Check]:
    """What the comparison of two buckets says: one check, and one more for each cause that must not be."""
    way = f"{comparison['source']} -> {comparison['destination']}"
    if not comparison["complete"]:
        reason = comparison["reason"]
        message = f"{way} was not compared to its end, so nothing is proven: {reason}"
        return [Check(Area.VERSIONS, "compared", way, Status.UNKNOWN, message)]
    canaries = (
        f", {number_of(comparison['canaries'], 'version')} of canaries left out" if comparison["canaries"] else ""
    )
    compared = (
        f"{way}: {number_of(comparison['source_versions'], 'version')} and "
        f"{number_of(comparison['source_delete_markers'], 'delete marker')} of the source were compared, "
        f"{comparison['matched']} are at both ends{canaries}."
    )
    return [
        Check(Area.VERSIONS, "compared", way, Status.PASSED, compared),
        *_excepted_check(way, tally),
        *_etag_check(way, comparison["solved"]),
        *(_cause_check(way, cause, count, tally) for cause, count in sorted(tally.unexpected.items()) if count),
    ]


def nothing_there_checks(comparison: Mapping[str, Any], prefixes: Sequence[str]) -> list[Check]:
    """Of nothing everything can be said; a prefix under which there is nothing is more likely a mistake."""
    if not comparison["complete"] or comparison["source_versions"] or comparison["source_delete_markers"]:
        return []
    named = listed([f"'{printable(prefix)}'" for prefix in prefixes])
    message = f"No key of {comparison['source']} begins with {named}, so nothing is proven. Correct `prefixes`."
    way = f"{comparison['source']} -> {comparison['destination']}"
    return [Check(Area.VERSIONS, "prefixes", way, Status.UNKNOWN, message)]


def _excepted_check(way: str, tally: Tally) -> Iterator[Check]:
    if tally.excepted:
        named = ", ".join(
            f"{cause.value.replace('_', ' ')} {number_of(count, 'version')}"
            for cause, count in sorted(tally.excepted.items())
        )
        message = f"{way}: what the destination lacks by accepted causes: {named}."
        yield Check(Area.VERSIONS, "accepted causes", way, Status.PASSED, message)


def _etag_check(way: str, solved: Mapping[str, int]) -> Iterator[Check]:
    """AWS promises equal ETags for no object encrypted with KMS, so that other ones are no finding, and no proof."""
    doubtful = solved["not_comparable"] + solved["not_looked_at"]
    if doubtful:
        message = (
            f"{way}: the ETags of {number_of(doubtful, 'version')} differ, as they may with KMS. Of these "
            f"{solved['not_comparable']} have no checksum in common, and {solved['not_looked_at']} were not looked at. "
            "Raise `max_head_requests`, or prove their content by `content: sample`."
        )
        yield Check(Area.CONTENT, "ETags", way, Status.WARNING, message)


def _cause_check(way: str, cause: Cause, count: int, tally: Tally) -> Check:
    named = cause.value.replace("_", " ")
    what = number_of(count, "version")
    if cause is Cause.UNEXAMINED:
        status = Status.UNKNOWN if tally.unexamined_at_risk else Status.WARNING
        message = f"{way}: not examined, of what differs: {what}. {REMEDIES[cause]}"
        return Check(Area.VERSIONS, named, way, status, message)
    status = Status.BROKEN if cause in _BROKEN_CAUSES else Status.AT_RISK
    return Check(Area.VERSIONS, named, way, status, f"{way}: {what}: {named}. {REMEDIES[cause]}")


def recovery_check(pair: Pair, recovery: Mapping[str, Any] | None, sentence: str) -> Check:
    """Whether the recovery point is within its target.

    Args:
        sentence: what it is, and what is at risk.
    """
    if recovery is None:
        return Check(Area.RECOVERY_POINT, "within target", pair.name, Status.UNKNOWN, sentence)
    if recovery["within_target"]:
        return Check(Area.RECOVERY_POINT, "within target", pair.name, Status.PASSED, sentence)
    message = (
        f"{sentence} That is {duration(recovery['rpo_seconds'])} behind, and the target is "
        f"{duration(recovery['rpo_target_seconds'])}. Look at the oldest missing version first."
    )
    return Check(Area.RECOVERY_POINT, "within target", pair.name, Status.AT_RISK, message)


# --- for a person who reads the run --------------------------------------------------------------------------


def verify_summary(
    pair: Pair,
    verdict: Verdict,
    sentence: str,
    checks: Sequence[Check],
    canaries: Iterable[Mapping[str, Any]],
    proofs: Iterable[str] = (),
) -> list[str]:
    """What was seen, a line each: the verdict, each comparison, each canary, and how the other checks ended.

    Args:
        sentence: what the recovery point is, and what is at risk.
        proofs: what was proven of the content of samples.
    """
    compared = [check.message for check in checks if check.area is Area.VERSIONS and check.name == "compared"]
    others = [check for check in checks if check.area in (Area.CONFIGURATION, Area.MONITORING, Area.READINESS)]
    well = sum(check.status is Status.PASSED for check in others)
    return [
        f"{pair.name}: {verdict.value.replace('_', ' ')}. {sentence}",
        *compared,
        *proofs,
        *(flight_line(canary) for canary in canaries),
        f"{well} of {number_of(len(others), 'check')} of configuration, monitoring and readiness passed.",
    ]
