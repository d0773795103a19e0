# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Evidence in words: sizes, times and the recovery point as a person says them, and text that hides nothing.

What is read here may be the result of a run that failed half-way, or of another release. So every reader takes what it
finds and never raises.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .checks import Verdict

_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


# --- reading what may not be there ---------------------------------------------------------------------------


def text(found: Mapping[str, Any], name: str) -> str:
    """The text of that name; empty if there is none."""
    value = found.get(name)
    return value if isinstance(value, str) else ""


def number(found: Mapping[str, Any], name: str) -> float | None:
    """The number of that name; None if there is none."""
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 1e18 else None


def count(found: Mapping[str, Any], name: str) -> int:
    """The number of that name as a count; 0 if there is none."""
    return int(number(found, name) or 0)


def mapping(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The mapping of that name; empty if there is none."""
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def mappings(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The mappings in the list of that name."""
    value = found.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def texts(found: Mapping[str, Any], name: str) -> list[str]:
    """The texts in the list of that name."""
    value = found.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def verdict_in(found: Mapping[str, Any]) -> Verdict:
    """The verdict of a result; one that is missing, or that nobody knows, proves nothing."""
    said = found.get("verdict")
    return next((verdict for verdict in Verdict if said == verdict.value), Verdict.UNKNOWN)


# --- as a person says it -------------------------------------------------------------------------------------


def printable(said: str, instead: Callable[[str], str] | None = None) -> str:
    """The text with every character that cannot be seen named by its code point, such as U+202E.

    A key may hold line ends, zero-width characters and marks that turn the direction of what follows: shown as they
    are, two keys would look alike, or a line would read as another.

    Args:
        instead: what stands for a hidden character, made of its name.
    """
    if said.isprintable():
        return said
    named = instead or "⟨{}⟩".format
    return "".join(one if one.isprintable() else named(f"U+{ord(one):04X}") for one in said)


def size(amount: float) -> str:
    """Bytes in decimal units, as AWS bills them: `1.2 MB`."""
    if amount < 1000:
        return f"{amount:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if round(amount, 1) < 1000:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} PB"


def duration(seconds: float) -> str:
    """A length of time in its two largest units: `41 s`, `3.2 s`, `12 min 5 s`, `3 d 4 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds % 1 and round(seconds, 1) < 60 else f"{seconds:.0f} s"
    left = round(seconds)
    for large, inside, small, unit in ((86400, 3600, "h", "d"), (3600, 60, "min", "h"), (60, 1, "s", "min")):
        if left >= large:
            rest = left % large // inside
            return f"{left // large} {unit} {rest} {small}" if rest else f"{left // large} {unit}"
    return f"{left} s"


def moment(iso_time: str) -> str:
    """`14:03:22 UTC on 23 November 2026`; what is no time in UTC is given back as it is."""
    found = _MOMENT.fullmatch(iso_time)
    if not found or not 1 <= int(found[2]) <= 12:
        return iso_time
    return f"{found[4]} UTC on {int(found[3])} {_MONTHS[int(found[2]) - 1]} {found[1]}"


def short_moment(iso_time: str) -> str:
    """`2026-11-23 14:03:22Z`, for tables."""
    found = _MOMENT.fullmatch(iso_time)
    return f"{found[1]}-{found[2]}-{found[3]} {found[4]}Z" if found else iso_time


def number_of(amount: int, thing: str) -> str:
    """`1 version`, `3,000 versions`."""
    return f"{amount:,} {thing}" if amount == 1 else f"{amount:,} {thing}s"


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = list(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def recovery_sentence(result: Mapping[str, Any]) -> str:
    """Up to when the copy is complete, and what is at risk, in one or two sentences.

    Without a whole comparison nothing is promised, whatever else the result holds.
    """
    recovery = mapping(result, "recovery")
    point = text(recovery, "recovery_point")
    cut = next((one for one in mappings(result, "comparisons") if one.get("complete") is not True), None)
    if point and cut is None:
        what = f"Everything written{_below(result)} up to {moment(point)} is in {_place(result)}{_except(result)}."
        return f"{what} {_at_risk(recovery)}"
    if cut is not None:
        way = f"{text(cut, 'source')} -> {text(cut, 'destination')}"
        return f"No recovery point can be stated: the comparison {way} did not end. {text(cut, 'reason')}".strip()
    why = next(iter(texts(result, "problems")), "")
    return f"No recovery point can be stated. {why}".strip()


def _below(result: Mapping[str, Any]) -> str:
    """What is not compared is not promised."""
    prefixes = [f"'{printable(prefix)}'" for prefix in texts(result, "prefixes")]
    return f" below {listed(prefixes)}" if prefixes else ""


def _except(result: Mapping[str, Any]) -> str:
    """What is not there and was accepted is no risk, and not there all the same."""
    causes = mapping(result, "causes")
    excepted = {cause: count(mapping(causes, cause), "excepted") for cause in causes}
    named = [cause.replace("_", " ") for cause, versions in excepted.items() if versions]
    total = sum(excepted.values())
    return f", except {number_of(total, 'version')} by accepted causes ({listed(named)})" if total else ""


def _place(result: Mapping[str, Any]) -> str:
    comparisons = mappings(result, "comparisons")
    regions = [text(one, "destination_region") for one in comparisons]
    sources = {text(one, "source") for one in mappings(mapping(result, "recovery"), "rules")}
    if any(text(one, "destination") in sources for one in comparisons):
        both = [text(one, "source_region") for one in comparisons] + regions
        return listed(dict.fromkeys(region for region in both if region)) or "both buckets"
    return listed(dict.fromkeys(region for region in regions if region)) or "the DR bucket"


def _at_risk(recovery: Mapping[str, Any]) -> str:
    versions = count(recovery, "versions_at_risk")
    if not versions:
        return "No version is at risk."
    said = f"{number_of(versions, 'version')} ({size(count(recovery, 'bytes_at_risk'))})"
    said += " is at risk" if versions == 1 else " are at risk"
    age = number(mapping(recovery, "oldest_missing"), "age_seconds")
    if age is None:
        return f"{said}."
    return f"{said}, {'' if versions == 1 else 'the oldest '}for {duration(age)}."
