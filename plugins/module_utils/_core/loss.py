# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a failover would lose, as far as it is known, and whether that is within what the user allows.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .causes import ACCEPTED, Cause, Finding, iso
from .recovery import Exposure, is_at_risk, recovery_point

MOVING = (Cause.PENDING, Cause.LATE)
"""What arrives by itself, sooner or later. Anything else that is missing stays behind."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be lost."""

    seconds: int
    objects: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost if the other end never comes back.

    Attributes:
        recovery_point: everything written up to then is in the copy; None: not known, as with the others.
        seconds: how far the recovery point is behind.
        objects: how many versions are not in the copy.
        source_of_knowledge: `comparison`, `metrics`, `last_verify` or `none`.
        why: in one sentence.
    """

    recovery_point: datetime | None
    seconds: int | None
    objects: int | None
    source_of_knowledge: str
    why: str

    def as_result(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "recovery_point": iso(self.recovery_point) if self.recovery_point else None,
            "seconds": self.seconds,
            "objects": self.objects,
            "source_of_knowledge": self.source_of_knowledge,
            "why": self.why,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Loss:
        """What `as_result` told."""
        point = told["recovery_point"]
        at = datetime.fromisoformat(point) if point else None
        return cls(at, told["seconds"], told["objects"], str(told["source_of_knowledge"]), str(told["why"]))

    def beyond(self, limits: Limits) -> list[str]:
        """Why it is more than allowed, in parts of a sentence; empty: it is not. Unknown counts as more."""
        said = []
        if self.seconds is None:
            said.append("the recovery point is not known")
        elif self.seconds > limits.seconds:
            said.append(f"the recovery point is {self.seconds} s behind, and {limits.seconds} s are allowed")
        if self.objects is None:
            said.append("the number of objects that would be lost is not known")
        elif self.objects > limits.objects:
            said.append(f"{self.objects} objects would be lost, and {limits.objects} are allowed")
        return said


# --- by a comparison -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Standing:
    """What one comparison saw of one direction. Give it every finding, then the end of the comparison.

    Attributes:
        moving, stuck: versions that are missing at the destination, by cause.
        cutoff: the last second that was judged, by AWS's clock; None: the comparison did not get so far.
        reason: why it is not complete; empty: it is.
        in_flight: differences that are too young to be judged, of either direction.
    """

    source: str
    destination: str
    moving: Counter[Cause] = field(default_factory=Counter)
    stuck: Counter[Cause] = field(default_factory=Counter)
    exposure: Exposure = field(default_factory=Exposure)
    left_behind: Exposure = field(default_factory=Exposure)
    cutoff: datetime | None = None
    reason: str = ""
    in_flight: int = 0

    def add(self, finding: Finding) -> None:
        """Count a finding of this direction; others are passed over."""
        ours = (finding.source, finding.destination) == (self.source, self.destination)
        if not ours or not is_at_risk(finding, ACCEPTED):
            return
        self.exposure.add(finding)
        if finding.cause in MOVING:
            self.moving[finding.cause] += 1
        else:
            self.stuck[finding.cause] += 1
            self.left_behind.add(finding)

    @property
    def complete(self) -> bool:
        """Whether all was compared."""
        return not self.reason and self.cutoff is not None

    @property
    def is_drained(self) -> bool:
        """Whether nothing is on its way any more."""
        return self.complete and not self.moving and not self.in_flight

    def loss(self, exposure: Exposure | None = None) -> Loss:
        """What is lost if nothing arrives any more, or of a part of what is missing."""
        exposed = exposure or self.exposure
        if self.cutoff is None or not self.complete:
            return Loss(None, None, None, "none", f"The buckets could not be compared: {self.reason}")
        point = recovery_point(self.cutoff, exposed.oldest.modified if exposed.oldest else None)
        seconds = max(0, int((self.cutoff - point).total_seconds()))
        causes = ", ".join(f"{count} {cause.value}" for cause, count in (*self.moving.items(), *self.stuck.items()))
        why = f"All versions of {self.source} were compared with {self.destination}: {causes or 'nothing is missing'}."
        return Loss(point, seconds, exposed.versions, "comparison", why)

    def as_result(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "source": self.source,
            "destination": self.destination,
            "complete": self.complete,
            "reason": self.reason,
            "recovery_point": self.loss().as_result()["recovery_point"],
            "measured_at": iso(self.cutoff) if self.cutoff else None,
            "moving": {cause.value: count for cause, count in self.moving.items()},
            "stuck": {cause.value: count for cause, count in self.stuck.items()},
            "bytes": self.exposure.size,
            "in_flight": self.in_flight,
        }


# --- by what the surviving Region knows ----------------------------------------------------------------------

LATENCY, PENDING = "ReplicationLatency", "OperationsPendingReplication"
FRESH = timedelta(minutes=3)
"""What was written after a data point is in none. An older one says nothing of how many objects that is."""


@dataclass(frozen=True, slots=True)
class Point:
    """A data point of a metric."""

    at: datetime
    value: float


def known_by_metrics(points: Mapping[tuple[str, str], Point | None], declared: datetime, region: str) -> Loss:
    """What is lost by the last data points that AWS published in the Region that is left.

    `ReplicationLatency` is how many seconds the copy is behind, so all that was written that much before the data point
    had arrived. When the other Region was lost is not known; so all the time until the failure was declared counts, and
    the number of objects is only known when the data points reach up to then.

    Args:
        points: the last one of each metric, by metric and rule; None: there was none.
    """
    missing = [f"{metric} of rule '{rule}'" for (metric, rule), point in points.items() if point is None]
    if missing or not points:
        what = ", ".join(missing) or "any rule"
        return Loss(None, None, None, "none", f"CloudWatch in {region} has no recent data point of {what}.")
    known = [(metric, point) for (metric, _rule), point in points.items() if point is not None]
    reached = min(point.at - timedelta(seconds=point.value) for metric, point in known if metric == LATENCY)
    last = min(point.at for _metric, point in known)
    pending = int(sum(point.value for metric, point in known if metric == PENDING))
    seconds = max(0, int((declared - reached).total_seconds()))
    why = f"CloudWatch in {region} said so in the minute of {iso(last)}: {pending} operations pending."
    counted = min(point.at for metric, point in known if metric == PENDING)
    if declared - counted <= FRESH:
        return Loss(reached, seconds, pending, "metrics", why)
    why += f" What was written in the {int((declared - counted).total_seconds())} s after it is not among them."
    return Loss(reached, seconds, None, "metrics", why)


def with_last_verify(loss: Loss, verified: datetime | None, declared: datetime) -> Loss:
    """The same with what the last verify proved, where that reaches further."""
    if verified is None or (loss.recovery_point is not None and loss.recovery_point >= verified):
        return loss
    seconds = max(0, int((declared - verified).total_seconds()))
    why = f"{loss.why} The last verify proved everything up to {iso(verified)}."
    return Loss(verified, seconds, loss.objects, "last_verify", why)


def refusal(pair: str, said: Sequence[str], why: str, accepted: str) -> str:
    """What is said when more would be lost than is allowed.

    Args:
        accepted: how to go on in spite of it.
    """
    return f"pair '{pair}': {', and '.join(said)}. {why} {accepted}"
