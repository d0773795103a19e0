# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a verify has seen of a pair, as one result with its verdict.

Nothing here asks AWS: who looked, and how, does not matter to what is said of it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .._core.causes import Cause, Finding, Scope
from .._core.checks import Area, Check, Status, problems, verdict_of, with_warnings
from .._core.content import Method
from .._core.drift import drift_of
from .._core.evidence_words import recovery_sentence
from .._core.judgement import (
    drift_check,
    gone_checks,
    recovery_check,
    rule_checks,
    unreachable_check,
    unread_checks,
    verify_summary,
)
from .._core.model import Accounts, Address, InvalidInput, Pair, Refused, Rule, Step, is_seen
from .._core.plan import Observed
from .._core.readiness import readiness_checks
from .._core.recovery import is_unexpected, together
from .._core.render import as_diffs, as_results
from .._core.replication import gap_notes, gaps
from .comparison import Comparison, cutoff_of
from .verify_wishes import Wishes

SAMPLED = (Method.CHECKSUM, Method.SAMPLE)
"""The methods that look at a sample of the versions that both ends hold."""


@dataclass(slots=True)
class Shown:
    """The findings that the result holds: the first unexpected ones, then others; all of them are counted."""

    most: int
    accepted: frozenset[Cause]
    unexpected: list[Finding] = field(default_factory=list)
    others: list[Finding] = field(default_factory=list)
    total: int = 0

    def add(self, finding: Finding) -> None:
        """Count one finding, and keep it if there is room."""
        self.total += 1
        shelf = self.unexpected if is_unexpected(finding, self.accepted) else self.others
        if len(shelf) < self.most:
            shelf.append(finding)

    def findings(self) -> list[Finding]:
        """The ones to show."""
        return [*self.unexpected, *self.others][: self.most]


@dataclass(slots=True)
class Seen:
    """What a verify has seen so far.

    Attributes:
        aws_now: when the first comparison began, by AWS's clock.
        told: what the result says of each comparison.
    """

    checks: list[Check] = field(default_factory=list)
    drift: tuple[Step, ...] = ()
    observed: Observed = field(default_factory=dict)
    scopes: tuple[Scope, ...] = ()
    aws_now: datetime | None = None
    comparisons: list[Comparison] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    canaries: list[dict[str, Any]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        """When the first comparison began. Without one there are no findings that could be wrong."""
        return self.aws_now or datetime.now(UTC)

    def measured_at(self) -> datetime:
        """The last second that is judged: ages are as of then."""
        return cutoff_of(self.now())


# --- configuration -------------------------------------------------------------------------------------------


def judge_configuration(seen: Seen, pair: Pair, accounts: Accounts, ours: Sequence[Address]) -> None:
    """Add what the documents say: whether the pair is as declared, and ready.

    Args:
        ours: the addresses of the pair's own documents.
    """
    observed = seen.observed
    gone = gone_checks(pair, accounts, observed)
    if gone:  # all else that could be said follows from it
        seen.checks += gone
        return
    try:
        seen.drift = drift_of(pair, accounts, observed)
        unread = [address for address in ours if not is_seen(observed[address])]
        seen.checks.append(drift_check(pair, seen.drift, len(unread)))
    except (Refused, InvalidInput) as failure:
        seen.checks.append(unreachable_check(pair, str(failure)))
    seen.checks += [
        *unread_checks({address: observed[address] for address in ours}),
        *readiness_checks(pair, accounts, observed),
        *rule_checks(pair, accounts, seen.scopes, observed),
    ]
    seen.notes += gap_notes(gaps(pair, accounts, observed))


def comparable(pair: Pair, scopes: Sequence[Scope]) -> list[tuple[Scope, Scope | None]]:
    """Which buckets are compared: the two ends once for both directions, and each further destination."""
    by_way = {(scope.source.bucket, scope.destination.bucket): scope for scope in scopes}
    found: list[tuple[Scope, Scope | None]] = []
    for (source, destination), scope in by_way.items():
        if (destination, source) in by_way and source == pair.dr.bucket:
            continue  # told by the comparison of the other direction
        found.append((scope, by_way.get((destination, source))))
    return found


# --- the result ----------------------------------------------------------------------------------------------


def recovery_of(seen: Seen, pair: Pair, wishes: Wishes) -> dict[str, Any] | None:
    """The recovery point over all comparisons; None as long as one of them is not complete, or was not begun."""
    wanted = len(comparable(pair, seen.scopes))
    if not wanted or [comparison.complete for comparison in seen.comparisons] != [True] * wanted:
        return None
    cutoff = min(comparison.cutoff for comparison in seen.comparisons if comparison.cutoff)
    total = together(exposure for one in seen.comparisons for exposure in one.tally.exposures.values())
    rules = [
        {
            "source": scope.source.bucket,
            "destination": scope.destination.bucket,
            "rule": rule.id,
            "prefix": rule.prefix,
            **together(
                one.tally.exposure(scope.source.bucket, scope.destination.bucket, rule.id) for one in seen.comparisons
            ).as_result(cutoff, wishes.rpo_seconds),
        }
        for scope in seen.scopes
        for rule in scope.rules
        if _was_compared(rule, wishes)
    ]
    return {**total.as_result(cutoff, wishes.rpo_seconds), "rules": rules}


def _was_compared(rule: Rule, wishes: Wishes) -> bool:
    """Whether all keys of the rule were among those that were compared: of others nothing is known."""
    return any(rule.prefix.startswith(prefix) for prefix in wishes.prefixes or ("",))


def result_of(seen: Seen, shown: Shown, pair: Pair, wishes: Wishes) -> dict[str, Any]:
    """What a verify returns, but for its evidence and its calls to AWS."""
    recovery = recovery_of(seen, pair, wishes)
    told = {
        "prefixes": list(wishes.prefixes),
        "recovery": recovery,
        "comparisons": seen.told,
        "causes": _causes(seen.comparisons),
    }
    sentence = recovery_sentence(told)
    checks = with_warnings([*seen.checks, recovery_check(pair, recovery, sentence)], wishes.warnings)
    verdict = verdict_of(checks)
    return {
        "changed": False,
        "pair": pair.name,
        "verdict": verdict.value,
        "problems": problems(checks),
        **told,
        "findings": [finding.as_result(seen.measured_at()) for finding in shown.findings()],
        "findings_total": shown.total,
        "findings_file": None,
        "content": next((one["content"] for one in seen.told), None),
        "checks": [check.as_result() for check in checks],
        "summary": verify_summary(pair, verdict, sentence, checks, seen.canaries, _proofs(seen.told)),
        "drift": as_results(seen.drift),
        "diff": as_diffs(seen.drift),
        "canaries": seen.canaries,
        "metrics": seen.metrics,
        "notes": list(dict.fromkeys(seen.notes)),
    }


def cut_short_check(pair: Pair, reason: str) -> Check:
    """The run did not get to its end."""
    return Check(Area.VERSIONS, "finished", pair.name, Status.UNKNOWN, f"Pair '{pair.name}': {reason}")


def _proofs(comparisons: list[dict[str, Any]]) -> list[str]:
    """What the samples of the comparisons prove, a line each."""
    return [
        f"{one['source']} -> {one['destination']}: {one['content']['statement']}"
        for one in comparisons
        if one["content"] and one["content"]["method"] in SAMPLED
    ]


def _causes(comparisons: list[Comparison]) -> dict[str, dict[str, int]]:
    """The counts of all comparisons added up."""
    total: dict[str, dict[str, int]] = {}
    for comparison in comparisons:
        for cause, counts in comparison.tally.by_cause().items():
            known = total.setdefault(cause, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                known[name] += count
    return total
