# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The record of a verify: what it says, which controls it supports, and the bytes that it is kept in.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .checks import Area, Status, Verdict
from .evidence_words import count, mapping, mappings, number, text, texts, verdict_in

PAIR_SCHEMA = "crossregion.s3_dr/verify/1"
FLEET_SCHEMA = "crossregion.s3_dr/fleet/1"
COLLECTION_VERSION = "0.1.0"
INTERRUPTED = "interrupted: this run has not ended"
"""What the evidence of a run says until the run ends."""

_OF_THE_TASK = ("changed", "diff", "evidence", "failed", "invocation", "msg", "warnings", "deprecations")
"""What a module returns besides: it speaks of the task, or of the machine that it ran on."""

_LINE_ENDS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What JSON leaves as it is and some readers take for the end of a line."""


# --- controls ------------------------------------------------------------------------------------------------


class Support(StrEnum):
    """Whether a run's evidence supports a control. It never says that a control is met: that is for an auditor."""

    SUPPORTS = "supports"
    OPEN = "open"
    NOT_SHOWN = "not_shown"


_OF_ALL_VERSIONS = {Area.VERSIONS, Area.RECOVERY_POINT, Area.CONTENT}
_LEAST_FIRST = (Support.OPEN, Support.NOT_SHOWN, Support.SUPPORTS)


@dataclass(frozen=True, slots=True)
class Control:
    """A requirement of a standard, and which checks speak to it.

    Attributes:
        basis: what of the evidence supports it, and what it does not look at.
        across_regions: whether it asks for a copy in another Region.
    """

    framework: str
    id: str
    title: str
    areas: tuple[Area, ...]
    basis: str
    across_regions: bool = False


CONTROLS = (
    Control(
        "AWS Security Hub",
        "S3.7",
        "S3 general purpose buckets should use cross-Region replication",
        (Area.CONFIGURATION, Area.CANARY),
        "The replication configuration of both ends against the declared pair, and objects sent through its rules.",
        across_regions=True,
    ),
    Control(
        "NIST SP 800-53 Rev. 5",
        "CP-6",
        "Alternate Storage Site",
        (Area.VERSIONS, Area.RECOVERY_POINT),
        "The comparison of every version at both ends, and the recovery point. Agreements and the protection of the "
        "other site are not looked at.",
        across_regions=True,
    ),
    Control(
        "NIST SP 800-53 Rev. 5",
        "CP-9",
        "System Backup",
        (Area.VERSIONS, Area.CONTENT),
        "The comparison of every version, and the proof of content. Replication is one part of it: other backups and "
        "how long they are kept are not looked at.",
    ),
    Control(
        "NIST SP 800-53 Rev. 5",
        "CP-10",
        "System Recovery and Reconstitution",
        (Area.RECOVERY_POINT, Area.READINESS),
        "The measured recovery point, and the check of what replication does not copy. No recovery was carried out.",
    ),
    Control(
        "HIPAA",
        "45 CFR 164.308(a)(7)",
        "Contingency plan",
        (Area.VERSIONS, Area.RECOVERY_POINT, Area.CONTENT, Area.MONITORING),
        "A record of the copy, its test on this date, and the alarms over it. The plan and its procedures are not "
        "looked at.",
    ),
)


def support_of(control: Control, result: Mapping[str, Any]) -> Support:
    """What one pair's result says of a control: what could not be looked at, or was not, shows nothing.

    Where only some prefixes were compared, most of the bucket may be missing: that shows nothing of the copy.
    """
    areas = {area.value: [text(check, "status") for check in _of(result, area)] for area in control.areas}
    said = {status for statuses in areas.values() for status in statuses}
    if said & {Status.AT_RISK.value, Status.BROKEN.value}:
        return Support.OPEN
    looked = [Status.PASSED.value in found for found in areas.values()]
    known = said <= {Status.PASSED.value, Status.WARNING.value, Status.SKIPPED.value}
    if not known or not all(looked) or verdict_in(result) is Verdict.UNKNOWN:
        return Support.NOT_SHOWN
    if texts(result, "prefixes") and _OF_ALL_VERSIONS & set(control.areas):
        return Support.NOT_SHOWN
    if control.across_regions and not _crosses_regions(result):
        return Support.NOT_SHOWN
    return Support.SUPPORTS


def _of(result: Mapping[str, Any], area: Area) -> list[Mapping[str, Any]]:
    return [check for check in mappings(result, "checks") if check.get("area") == area.value]


def _crosses_regions(result: Mapping[str, Any]) -> bool:
    ways = {(text(one, "source_region"), text(one, "destination_region")) for one in mappings(result, "comparisons")}
    return any(here and there and here != there for here, there in ways)


def controls_of(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the evidence of all these pairs says of each control: as little as that of the pair that says least."""
    return [
        {
            "framework": control.framework,
            "id": control.id,
            "title": control.title,
            "basis": control.basis,
            "areas": [area.value for area in control.areas],
            "evidence": min(
                (support_of(control, result) for result in results), key=_LEAST_FIRST.index, default=Support.NOT_SHOWN
            ).value,
        }
        for control in CONTROLS
    ]


# --- the record ----------------------------------------------------------------------------------------------


def pair_evidence(
    result: Mapping[str, Any], run: str, created: str, chain: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is kept of a verify of one pair.

    Args:
        result: what the module returns.
        created: when, by the clock here; the time that AWS told is preferred.
        chain: `previous`, `unfinished` and `broken` of the manifest.
    """
    measured = text(mapping(result, "recovery"), "measured_at")
    body = {name: value for name, value in result.items() if name not in _OF_THE_TASK}
    return {
        **body,
        "schema": PAIR_SCHEMA,
        "run": run,
        "verdict": verdict_in(result).value,
        "created": measured or created,
        "collection_version": COLLECTION_VERSION,
        "controls": controls_of([result]),
        "chain": dict(chain or {"previous": None, "unfinished": [], "broken": []}),
    }


def interrupted(pair: str, run: str, created: str) -> dict[str, Any]:
    """The evidence of a run that has begun: it proves nothing, and so it stays if the run is killed."""
    return pair_evidence({"pair": pair, "verdict": Verdict.UNKNOWN.value, "problems": [INTERRUPTED]}, run, created)


def serialise(value: Mapping[str, Any]) -> bytes:
    """The one spelling of a record in JSON, so that equal records have equal hashes.

    Half of a surrogate pair, which UTF-8 cannot hold, is written as JSON's escape, which reads back as the same.
    """
    spelt = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (spelt + "\n").encode("utf-8", "backslashreplace")


def one_line(finding: Mapping[str, Any]) -> bytes:
    """A finding as one line of JSON Lines, whatever a reader takes for the end of a line."""
    spelt = json.dumps(finding, sort_keys=True, ensure_ascii=False, allow_nan=False)
    for character, escape in _LINE_ENDS.items():
        spelt = spelt.replace(character, escape)
    return (spelt + "\n").encode("utf-8", "backslashreplace")


# --- history -------------------------------------------------------------------------------------------------

HISTORY_RUNS = 30
"""So many runs the charts show."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run in the charts. None: that run did not measure it."""

    created: str
    verdict: Verdict
    lag_seconds: float | None
    target_seconds: float | None
    versions_at_risk: float | None
    slowest_canary_seconds: float | None
    matched: int


def rows_compared(evidence: Mapping[str, Any]) -> int | None:
    """How many versions and delete markers of the sources a run compared; None: it did not compare all of them."""
    comparisons = mappings(evidence, "comparisons")
    if not comparisons or any(one.get("complete") is not True for one in comparisons):
        return None
    return sum(count(one, "source_versions") + count(one, "source_delete_markers") for one in comparisons)


def point_of(evidence: Mapping[str, Any]) -> Point:
    """The few numbers of a run that the charts show."""
    recovery = mapping(evidence, "recovery")
    flown = [_amount(one, "seconds") for one in mappings(evidence, "canaries") if one.get("status") == "replicated"]
    return Point(
        text(evidence, "created"),
        verdict_in(evidence),
        _amount(recovery, "rpo_seconds"),
        _amount(recovery, "rpo_target_seconds"),
        _amount(recovery, "versions_at_risk"),
        max((one for one in flown if one is not None), default=None),
        sum(count(one, "matched") for one in mappings(evidence, "comparisons")),
    )


def _amount(found: Mapping[str, Any], name: str) -> float | None:
    """No less than nothing is drawn."""
    value = number(found, name)
    return value if value is not None and value >= 0 else None


def statuses_of(checks: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many checks ended how, in the order of the statuses."""
    ended = Counter(text(check, "status") for check in checks)
    return {status.value: ended[status.value] for status in Status if ended[status.value]}
