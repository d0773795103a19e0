# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Up to which moment the copy is complete, and what is at risk after it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .causes import NEVER_ACCEPTED, Cause, Finding, iso

_SECOND = timedelta(seconds=1)


def recovery_point(cutoff: datetime, oldest_missing: datetime | None) -> datetime:
    """The newest whole second T such that nothing eligible that was written at or before T is missing.

    S3 tells times to the second, so a version that is missing takes all of its second with it.

    Args:
        cutoff: when the listing began, by AWS's clock: what was written later is not judged.
    """
    cutoff = cutoff.replace(microsecond=0)
    if oldest_missing is None:
        return cutoff
    return min(cutoff, oldest_missing.replace(microsecond=0) - _SECOND)


@dataclass(slots=True)
class Exposure:
    """What is at risk, added up finding by finding."""

    versions: int = 0
    size: int = 0
    oldest: Finding | None = None

    def add(self, finding: Finding) -> None:
        """Count one version at risk."""
        self.versions += 1
        self.size += finding.size or 0
        self.oldest = _older(self.oldest, finding)

    def plus(self, other: Exposure) -> Exposure:
        """Both together."""
        oldest = _older(self.oldest, other.oldest)
        return Exposure(self.versions + other.versions, self.size + other.size, oldest)

    def as_result(self, cutoff: datetime, target_seconds: int) -> dict[str, Any]:
        """Plain values: the recovery point, how far it is behind, and what is at risk."""
        point = recovery_point(cutoff, self.oldest.modified if self.oldest else None)
        behind = max(0, int((cutoff.replace(microsecond=0) - point).total_seconds()))
        return {
            "recovery_point": iso(point),
            "measured_at": iso(cutoff.replace(microsecond=0)),
            "rpo_seconds": behind,
            "rpo_target_seconds": target_seconds,
            "within_target": behind <= target_seconds,
            "versions_at_risk": self.versions,
            "bytes_at_risk": self.size,
            "oldest_missing": self.oldest.as_result(cutoff) if self.oldest else None,
        }


def _older(one: Finding | None, other: Finding | None) -> Finding | None:
    """Of two written in the same second always the same one, in whatever order threads found them."""
    if one is None or other is None:
        return one or other
    if one.modified != other.modified:
        return one if one.modified < other.modified else other
    return min(one, other, key=lambda finding: (finding.key, finding.version_id, repr(finding)))


def is_at_risk(finding: Finding, accepted: Collection[Cause]) -> bool:
    """Whether the version counts for the recovery point: it is not there, and nobody accepted that."""
    return finding.missing and (finding.cause in NEVER_ACCEPTED or finding.cause not in accepted)


def is_unexpected(finding: Finding, accepted: Collection[Cause]) -> bool:
    """Whether the finding fails the run."""
    return finding.cause is not Cause.PENDING and (finding.cause in NEVER_ACCEPTED or finding.cause not in accepted)


@dataclass(slots=True)
class Tally:
    """Everything that is counted over the findings of one comparison."""

    accepted: Collection[Cause]
    versions: Counter[Cause] = field(default_factory=Counter)
    sizes: Counter[Cause] = field(default_factory=Counter)
    unexpected: Counter[Cause] = field(default_factory=Counter)
    excepted: Counter[Cause] = field(default_factory=Counter)
    """Versions that are not there, and that do not count for the recovery point since their cause is accepted."""
    unexamined_at_risk: int = 0
    """An unexamined version that is extra at the destination loses nothing."""
    exposures: dict[tuple[str, str, str | None], Exposure] = field(default_factory=dict)
    """By source, destination and rule."""
    uncertain: dict[tuple[str, str, str | None], Exposure] = field(default_factory=dict)
    """What may be another rule's than the one it is counted for; no rule shall look better than it is."""

    def add(self, finding: Finding) -> None:
        """Count one finding."""
        self.versions[finding.cause] += 1
        self.sizes[finding.cause] += finding.size or 0
        if is_unexpected(finding, self.accepted):
            self.unexpected[finding.cause] += 1
        if finding.cause is Cause.UNEXAMINED and finding.missing:
            self.unexamined_at_risk += 1
        if is_at_risk(finding, self.accepted):
            way = (finding.source, finding.destination, finding.rule)
            self.exposures.setdefault(way, Exposure()).add(finding)
            for rule in finding.maybe_rules:
                self.uncertain.setdefault((finding.source, finding.destination, rule), Exposure()).add(finding)
        elif finding.missing:
            self.excepted[finding.cause] += 1

    def exposure(self, source: str, destination: str, rule: str | None = None) -> Exposure:
        """What is at risk from one bucket to another, by one rule or by all.

        What either of two rules may replicate counts for both of them, and once for all.
        """
        if rule is not None:
            way = (source, destination, rule)
            return together(found[way] for found in (self.exposures, self.uncertain) if way in found)
        return together(exposure for way, exposure in self.exposures.items() if way[:2] == (source, destination))

    def by_cause(self) -> dict[str, dict[str, int]]:
        """`versions` and `bytes` of each cause that was found, the most frequent first.

        `unexpected` fail the run; `excepted` are not there, and do not count for the recovery point.
        """
        return {
            cause.value: {
                "versions": count,
                "bytes": self.sizes[cause],
                "unexpected": self.unexpected[cause],
                "excepted": self.excepted[cause],
            }
            for cause, count in self.versions.most_common()
        }


def together(exposures: Iterable[Exposure]) -> Exposure:
    """All exposures as one."""
    total = Exposure()
    for exposure in exposures:
        total = total.plus(exposure)
    return total
