# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a verify looked at, how each ended, and the one verdict over all of it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Verdict(StrEnum):
    """What can be said of a pair.

    `proven`: the copy is complete up to the recovery point, and the pair works. `at_risk`: something that was written
    is not in the copy, or its loss would not be noticed. `broken`: the pair does not replicate, or the copy is wrong.
    `unknown`: something could not be looked at, so nothing is proven.
    """

    PROVEN = "proven"
    AT_RISK = "at_risk"
    BROKEN = "broken"
    UNKNOWN = "unknown"


WORST_FIRST = (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.AT_RISK, Verdict.PROVEN)
"""What is known to be broken stays broken, even if the rest could not be looked at."""


class Area(StrEnum):
    """What a check is about."""

    VERSIONS = "versions"
    RECOVERY_POINT = "recovery_point"
    CONTENT = "content"
    CANARY = "canary"
    CONFIGURATION = "configuration"
    MONITORING = "monitoring"
    READINESS = "readiness"


class Status(StrEnum):
    """How a check ended. A warning does not change the verdict; skipped is what was not wished for."""

    PASSED = "passed"
    WARNING = "warning"
    AT_RISK = "at_risk"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


_VERDICTS = {
    Status.AT_RISK: Verdict.AT_RISK,
    Status.BROKEN: Verdict.BROKEN,
    Status.UNKNOWN: Verdict.UNKNOWN,
}
_LOOKED = (Status.PASSED, *_VERDICTS)
"""A warning alone says that something was not as it should be, and not that the versions were compared."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what was looked at, the same in every run, such as `latency alarm`.
        subject: of what: a bucket, a rule, `source -> destination`, an alarm.
        message: one sentence with the thing, the cause and the next step.
    """

    area: Area
    name: str
    subject: str
    status: Status
    message: str

    def as_result(self) -> dict[str, str]:
        """Plain values."""
        return {
            "area": self.area.value,
            "name": self.name,
            "subject": self.subject,
            "status": self.status.value,
            "message": self.message,
        }


def verdict_of(checks: Iterable[Check]) -> Verdict:
    """The worst that a check says; a verify that looked at nothing has proven nothing."""
    checks = list(checks)
    found = {_VERDICTS[check.status] for check in checks if check.status in _VERDICTS}
    looked = any(check.area is Area.VERSIONS and check.status in _LOOKED for check in checks)
    if not looked:
        found.add(Verdict.UNKNOWN)
    return next((verdict for verdict in WORST_FIRST if verdict in found), Verdict.PROVEN)


def with_warnings(checks: Iterable[Check], areas: Collection[Area]) -> list[Check]:
    """The checks, with what is wrong in these areas said and not judged."""
    return [
        replace(check, status=Status.WARNING) if check.area in areas and check.status in _VERDICTS else check
        for check in checks
    ]


def problems(checks: Sequence[Check]) -> list[str]:
    """The sentences of all checks that keep the verdict from `proven`, the worst first."""
    found = [check for check in checks if check.status in _VERDICTS]
    found.sort(key=lambda check: WORST_FIRST.index(_VERDICTS[check.status]))
    return [check.message for check in found]
