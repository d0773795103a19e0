# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Versions, differences and what is counted of them as plain values of JSON, and back.

What comes back is exactly what was given, to the microsecond: it is compared with what is listed later.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from .causes import Cause, Finding
from .march import Difference, Kind, Match
from .recovery import Exposure, Tally
from .sample import Sample
from .versions import Version

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def packed_difference(difference: Difference) -> list[Any]:
    """A difference."""
    return [
        difference.kind.value,
        packed_version(difference.version),
        difference.at_left,
        packed_version(difference.other) if difference.other else None,
        difference.key_at_other,
        packed_moment(difference.previous) if difference.previous else None,
        difference.hides,
    ]


def unpacked_difference(row: Sequence[Any]) -> Difference:
    """The difference of a row."""
    kind, version, at_left, other, key_at_other, previous, hides = row
    return Difference(
        Kind(kind),
        unpacked_version(version),
        at_left,
        unpacked_version(other) if other else None,
        key_at_other,
        None if previous is None else unpacked_moment(previous),
        hides,
    )


def packed_version(version: Version) -> list[Any]:
    """A row of a version listing."""
    return [
        version.key,
        version.version_id,
        packed_moment(version.modified),
        version.size,
        version.etag,
        version.storage_class,
        version.is_latest,
    ]


def unpacked_version(row: Sequence[Any]) -> Version:
    """The version of a row."""
    key, version_id, modified, size, etag, storage_class, is_latest = row
    return Version(key, version_id, unpacked_moment(modified), size, etag, storage_class, is_latest)


def packed_moment(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _TICK


def unpacked_moment(ticks: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + ticks * _TICK


# --- what is counted -----------------------------------------------------------------------------------------


def packed_tally(tally: Tally) -> dict[str, Any]:
    """All counts of a tally; the causes that are accepted are the user's, and not kept."""
    return {
        "versions": _by_cause(tally.versions),
        "sizes": _by_cause(tally.sizes),
        "unexpected": _by_cause(tally.unexpected),
        "excepted": _by_cause(tally.excepted),
        "unexamined_at_risk": tally.unexamined_at_risk,
        "exposures": _packed_exposures(tally.exposures),
        "uncertain": _packed_exposures(tally.uncertain),
    }


def unpacked_tally(said: Mapping[str, Any], accepted: Collection[Cause]) -> Tally:
    """The tally, which counts on."""
    return Tally(
        accepted,
        _counter(said["versions"]),
        _counter(said["sizes"]),
        _counter(said["unexpected"]),
        _counter(said["excepted"]),
        said["unexamined_at_risk"],
        _unpacked_exposures(said["exposures"]),
        _unpacked_exposures(said["uncertain"]),
    )


def _by_cause(counts: Mapping[Cause, int]) -> dict[str, int]:
    return {cause.value: count for cause, count in counts.items()}


def _counter(said: Mapping[str, int]) -> Counter[Cause]:
    return Counter({Cause(cause): count for cause, count in said.items()})


_Way: TypeAlias = "tuple[str, str, str | None]"


def _packed_exposures(exposures: Mapping[_Way, Exposure]) -> list[Any]:
    return [
        [*way, one.versions, one.size, packed_finding(one.oldest) if one.oldest else None]
        for way, one in exposures.items()
    ]


def _unpacked_exposures(rows: Sequence[Sequence[Any]]) -> dict[_Way, Exposure]:
    return {
        (source, destination, rule): Exposure(versions, size, unpacked_finding(oldest) if oldest else None)
        for source, destination, rule, versions, size, oldest in rows
    }


def packed_finding(finding: Finding) -> list[Any]:
    """A finding."""
    return [
        finding.cause.value,
        finding.source,
        finding.destination,
        finding.key,
        finding.version_id,
        packed_moment(finding.modified),
        finding.size,
        finding.missing,
        finding.rule,
        finding.detail,
        list(finding.maybe_rules),
    ]


def unpacked_finding(row: Sequence[Any]) -> Finding:
    """The finding of a row."""
    cause, source, destination, key, version_id, modified, size, missing, rule, detail, maybe_rules = row
    return Finding(
        Cause(cause),
        source,
        destination,
        key,
        version_id,
        unpacked_moment(modified),
        size,
        missing,
        rule,
        detail,
        tuple(maybe_rules),
    )


def packed_sample(sample: Sample) -> dict[str, Any]:
    """What was drawn, and of how many."""
    chosen = [[packed_version(match.left), packed_version(match.right)] for match in sample.chosen]
    return {"population": sample.population, "chosen": chosen}


def unpacked_sample(said: Mapping[str, Any], size: int, seed: str) -> Sample:
    """The sample, which goes on drawing. Size and seed must be those that it was begun with."""
    sample = Sample(size, seed)
    for left, right in said["chosen"]:
        sample.offer(Match(unpacked_version(left), unpacked_version(right)))
    sample.population = said["population"]
    return sample
