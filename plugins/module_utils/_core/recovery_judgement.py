# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a recovery drill measured, and what it proves.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Any

from .checks import Status, Verdict
from .evidence_words import duration, listed, number_of, size


class DrillVerdict(StrEnum):
    """What a drill says. `unknown`: it could not be carried out, or not to its end."""

    PROVEN = "proven"
    FAILED = "failed"
    UNKNOWN = "unknown"


AS_VERDICT = {
    DrillVerdict.PROVEN: Verdict.PROVEN,
    DrillVerdict.FAILED: Verdict.BROKEN,
    DrillVerdict.UNKNOWN: Verdict.UNKNOWN,
}
"""The verdict of a verify that stands for it where both are shown alike."""


class Part(StrEnum):
    """What of a drill a check is about."""

    REPLICATION = "replication"
    PAUSE = "pause"
    RECOVERY = "recovery"
    TARGETS = "targets"
    CLEAN_UP = "clean_up"


_FAILED = (Status.AT_RISK, Status.BROKEN)
_NEEDED = ("read", "write_there")
"""The checks without which nothing was recovered."""


@dataclass(frozen=True, slots=True)
class DrillCheck:
    """One thing that the drill tried, and how it ended.

    Attributes:
        name: the same in every drill, such as `restore_version`.
        subject: of what: a bucket, a way, a role.
        message: what was seen, and if it is not well the cause and the next step.
    """

    part: Part
    name: str
    subject: str
    status: Status
    message: str

    def as_result(self) -> dict[str, str]:
        """Plain values, with the part as the area of a check of a verify."""
        return {
            "area": self.part.value,
            "name": self.name,
            "subject": self.subject,
            "status": self.status.value,
            "message": self.message,
        }


def verdict_of_drill(checks: Iterable[DrillCheck]) -> DrillVerdict:
    """The worst that a check says. A drill that neither read nor wrote has proven nothing."""
    checks = list(checks)
    if any(check.status in _FAILED for check in checks):
        return DrillVerdict.FAILED
    passed = {check.name for check in checks if check.status is Status.PASSED}
    unknown = any(check.status is Status.UNKNOWN for check in checks)
    return DrillVerdict.UNKNOWN if unknown or not passed.issuperset(_NEEDED) else DrillVerdict.PROVEN


def drill_problems(checks: Sequence[DrillCheck]) -> list[str]:
    """What keeps the verdict from `proven`, what failed first."""
    failed = [check.message for check in checks if check.status in _FAILED]
    return failed + [check.message for check in checks if check.status is Status.UNKNOWN]


# --- measures ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Flown:
    """One version that was written, and when it was seen in the recovery Region; moments of one clock.

    Attributes:
        size: its class; None: it is none of the objects by which a class is measured.
        seen: None: it was not seen.
        lost: whether it was not there at the declared failure.
    """

    size: int | None
    written: float
    seen: float | None
    lost: bool = False


def spread(seconds: Sequence[float]) -> dict[str, float | None]:
    """`p50`, `p90`, `p99` and `max`, each a value that was measured (nearest rank); None if there is none."""
    ordered = sorted(seconds)
    found = {f"p{share}": _rank(ordered, share) for share in (50, 90, 99)}
    return {**found, "max": round(ordered[-1], 3) if ordered else None}


def _rank(ordered: Sequence[float], share: int) -> float | None:
    return round(ordered[max(1, ceil(len(ordered) * share / 100)) - 1], 3) if ordered else None


def by_size(flown: Iterable[Flown]) -> list[dict[str, Any]]:
    """How long replication took, for each size class."""
    flown = list(flown)
    sizes = sorted({one.size for one in flown if one.size is not None})
    found = []
    for wanted in sizes:
        objects = [one for one in flown if one.size == wanted]
        took = [one.seen - one.written for one in objects if one.seen is not None]
        found.append({"size": wanted, "objects": len(objects), "arrived": len(took), **spread(took)})
    return found


def rpo_of(flown: Iterable[Flown], declared: float) -> float:
    """How far back one falls: to just before the oldest version that was not there when the failure was declared."""
    lost = [one.written for one in flown if one.lost]
    return round(declared - min(lost), 3) if lost else 0.0


def precise(seconds: float) -> str:
    """A length of time, below a second in milliseconds: `64 ms`, `1.2 s`, `12 min 5 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else duration(seconds)


def rto_of(declared: float, first_read: float | None, first_write: float | None) -> float | None:
    """From the declared failure to when both a read and a write were verified; None: one of them never was."""
    if first_read is None or first_write is None:
        return None
    return round(max(first_read, first_write) - declared, 3)


# --- judgements ----------------------------------------------------------------------------------------------


def arrival_checks(
    classes: Sequence[Mapping[str, Any]], way: str, failed: Sequence[str], deadline: float
) -> list[DrillCheck]:
    """One check for each size class.

    Args:
        failed: the keys of which S3 says that their replication failed.
    """
    checks = []
    for one in classes:
        subject, missing = f"{size(one['size'])}, {way}", one["objects"] - one["arrived"]
        text = f"{one['arrived']} of {number_of(one['objects'], 'object')} of {size(one['size'])} arrived"
        if not missing:
            status, text = Status.PASSED, f"{text}, half of them within {precise(one['p50'])}, all within "
            text += f"{precise(one['max'])}."
        elif failed:
            status = Status.BROKEN
            text += f". S3 gave up {failed[0]}: look at the policy of the replication role, and at the keys."
        else:
            status = Status.AT_RISK
            text += f" within {duration(deadline)}. Look at the replication latency, or raise `deadline_seconds`."
        checks.append(DrillCheck(Part.REPLICATION, "arrive", subject, status, text))
    return checks


def target_checks(
    pair: str, rto: float | None, rpo: float | None, targets: Mapping[str, float | None]
) -> list[DrillCheck]:
    """Whether the targets were met; skipped where none is set."""
    return [
        _target(pair, "RTO", rto, targets.get("rto"), "`rto_target_seconds`"),
        _target(pair, "RPO", rpo, targets.get("rpo"), "`rpo_target_seconds`"),
    ]


def _target(pair: str, name: str, measured: float | None, target: float | None, option: str) -> DrillCheck:
    if measured is None:
        status = Status.SKIPPED if target is None else Status.UNKNOWN
        text = f"The {name} was not measured, since the drill did not come so far."
    elif target is None:
        status, text = Status.SKIPPED, f"The {name} was {precise(measured)}. Set {option} to have it judged."
    elif measured <= target:
        status, text = Status.PASSED, f"The {name} was {precise(measured)}, within the target of {duration(target)}."
    else:
        status, text = Status.AT_RISK, f"The {name} was {precise(measured)}, beyond the target of {duration(target)}."
    return DrillCheck(Part.TARGETS, name, pair, status, text)


def pause_checks(pause: Mapping[str, Any], way: str) -> list[DrillCheck]:
    """Whether replication stood still during the experiment, and went on after it."""
    held, paused = precise(pause["held_seconds"]), pause["not_paused"] is False
    if paused:
        away = DrillCheck(
            Part.PAUSE, "pause", way, Status.PASSED, f"An object written during the experiment stayed away for {held}."
        )
    else:
        away = DrillCheck(
            Part.PAUSE,
            "not_paused",
            way,
            Status.WARNING,
            f"An object written during the experiment arrived after {held} all the same. AWS says that replication of "
            "existing objects may go on for up to an hour after the action begins. Run a longer experiment, or look at "
            "its targets.",
        )
    missing = [name for name in ("catch_up_seconds", "resumed_seconds") if pause[name] is None]
    if missing:
        text = "After the experiment not all that was written arrived in time. Look at the experiment and its action."
        return [away, DrillCheck(Part.PAUSE, "resume", way, Status.BROKEN, text)]
    text = f"After the experiment a new object arrived in {precise(pause['resumed_seconds'])}, and what was held back "
    text += f"{precise(pause['catch_up_seconds'])} after its end."
    return [away, DrillCheck(Part.PAUSE, "resume", way, Status.PASSED, text)]


def cleaned_check(pair: str, left_behind: Sequence[str], *, harmful: bool) -> DrillCheck:
    """Whether nothing of the drill is left."""
    if not left_behind:
        text = "Every version, delete marker and role of the drill was removed."
        return DrillCheck(Part.CLEAN_UP, "clean_up", pair, Status.PASSED, text)
    status = Status.BROKEN if harmful else Status.WARNING
    return DrillCheck(Part.CLEAN_UP, "clean_up", pair, status, " ".join(left_behind))


def drill_sentence(result: Mapping[str, Any]) -> str:
    """What the drill says, in one or two sentences."""
    rto, rpo, region = result.get("rto_seconds"), result.get("rpo_seconds"), result.get("recovery_region")
    if rto is None:
        why = next(iter(result.get("problems") or ()), "")
        return f"No recovery in {region} was proven. {why}".strip()
    said = f"Reading and writing in {region} worked {precise(rto)} after the declared failure"
    return (
        f"{said}; what was written in the last {precise(rpo)} was not there." if rpo else f"{said}, and all was there."
    )


def drill_summary(result: Mapping[str, Any]) -> list[str]:
    """The drill in a few lines."""
    lines = [f"{result['pair']}: {result['verdict']}. {drill_sentence(result)}"]
    for one in result.get("replication") or ():
        if one["arrived"]:
            shares = listed([f"{name} {precise(one[name])}" for name in ("p50", "p90", "p99", "max")])
            lines.append(f"{size(one['size'])}: {one['arrived']} of {one['objects']} arrived; {shares}.")
    return lines
