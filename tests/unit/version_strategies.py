# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Version listings of two ends, differences between them, and what S3 may tell of a version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import (
    Cause,
    Expiration,
    Finding,
    Gap,
    Head,
    Scope,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.explain import Explainer
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import Difference, Kind
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import NULL, Version
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""The time that the examples take for now."""

keys = st.sampled_from(["a", "a/b", "a/c", "b", "ä", "\uffff", "\U0001f600"]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4
)
moments = st.integers(0, 10 * 24 * 3600).map(lambda seconds: NOON - timedelta(seconds=seconds))
sizes = st.none() | st.integers(0, 9)


class Listings(NamedTuple):
    """What the two ends list, each sorted by key, with the versions of a key in any order."""

    left: list[Version]
    right: list[Version]


@st.composite
def listings(draw: st.DrawFn) -> Listings:
    """Two ends that hold the same versions, or other ones, or the same ones with other content."""
    left: list[Version] = []
    right: list[Version] = []
    for key in sorted(draw(st.sets(keys, max_size=4)), key=str.encode):
        ours, theirs = draw(_one_key(key))
        left += ours
        right += theirs
    return Listings(left, right)


@st.composite
def _one_key(draw: st.DrawFn, key: str) -> tuple[list[Version], list[Version]]:
    left, right = [], []
    for number in draw(st.sets(st.integers(0, 6), max_size=6)):
        version = Version(key, f"v{number}", draw(moments), draw(sizes), "etag")
        ends = draw(st.sampled_from(["both", "both", "left", "right", "other"]))
        if ends != "right":
            left.append(version)
        if ends != "left":
            right.append(replace(version, etag="other", size=draw(sizes)) if ends == "other" else version)
    for side in (left, right):
        moment = draw(st.sampled_from([None, NOON, NOON - timedelta(days=1)]))
        if moment is not None:
            side.append(Version(key, NULL, moment, 5, "null"))
    return draw(_in_any_order(left)), draw(_in_any_order(right))


@st.composite
def _in_any_order(draw: st.DrawFn, versions: list[Version]) -> list[Version]:
    """With any one of them as the current one, or none."""
    versions = draw(st.permutations(versions))
    current = draw(st.integers(-1, len(versions) - 1))
    return [replace(version, is_latest=place == current) for place, version in enumerate(versions)]


# --- differences, and what is known of them ------------------------------------------------------------------

_tags = st.sampled_from([(), (("team", "red"),), (("team", "red"), ("tier", "gold"))])


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    """None to three rules to one destination."""
    found = []
    for priority in draw(st.sets(st.integers(1, 5), max_size=3)):
        tags = draw(_tags)
        found.append(
            Rule(
                f"r{priority}",
                priority,
                draw(st.sampled_from(["", "", "a", "zzz"])),
                tags,
                enabled=draw(st.booleans()),
                delete_markers=not tags and draw(st.booleans()),
                kms_objects=draw(st.none() | st.booleans()),
            )
        )
    return tuple(found)


_expirations = st.lists(
    st.builds(Expiration, st.sampled_from(["", "a", "zzz"]), st.none() | st.integers(1, 9)), max_size=2
).map(tuple)
_gaps = st.lists(st.builds(Gap, moments, st.none() | moments), max_size=1).map(tuple)


def _scopes(*ends: object) -> st.SearchStrategy[Scope]:
    return st.builds(
        Scope,
        *[st.just(end) for end in ends],
        rules(),
        since=st.none() | moments,
        gaps=_gaps,
        expirations=_expirations,
        destination_expirations=_expirations,
        destination_has_object_lock=st.none() | st.booleans(),
        destination_blocks_sse_c=st.none() | st.booleans(),
        first_arrived=st.none() | moments,
        fan_out=st.booleans(),
    )


def explainers() -> st.SearchStrategy[Explainer]:
    """Of one-way and two-way pairs."""
    backward = st.none() | _scopes(DR, PRIMARY)
    return st.builds(Explainer, _scopes(PRIMARY, DR), backward, st.just(NOON), st.sampled_from([60, 900, 86400]))


versions = st.builds(
    Version,
    st.sampled_from(["a", "a/b", "b"]),
    st.sampled_from(["v1", NULL]),
    moments,
    sizes,
    st.just("etag"),
    is_latest=st.booleans(),
)


@st.composite
def differences(draw: st.DrawFn, *kinds: Kind) -> Difference:
    """Such as a march finds, of any kind or of these."""
    kind = draw(st.sampled_from(kinds or list(Kind)))
    version = draw(versions)
    if kind is not Kind.MISSING:
        other = replace(version, size=draw(sizes)) if kind is Kind.DIFFERS else replace(version, version_id="v2")
        return Difference(kind, version, other=other)
    known = draw(st.booleans())
    return Difference(
        kind,
        version,
        at_left=draw(st.booleans()),
        key_at_other=known,
        previous=draw(st.none() | moments) if version.is_delete_marker else None,
        hides=known and version.is_delete_marker and version.is_latest and draw(st.booleans()),
    )


@st.composite
def hiding_markers(draw: st.DrawFn) -> Difference:
    """A marker of the right end that hides an object which the left end shows."""
    version = replace(draw(versions), size=None, is_latest=True)
    return Difference(Kind.MISSING, version, at_left=False, previous=draw(st.none() | moments), hides=True)


def heads() -> st.SearchStrategy[Head]:
    """What HeadObject may tell, or nothing."""
    return st.builds(
        Head,
        st.sampled_from([True, True, True, False, None]),
        st.sampled_from(["", "AccessDenied"]),
        st.sampled_from([None, "PENDING", "COMPLETED", "COMPLETE", "FAILED", "REPLICA", "NEW"]),
        sizes,
        st.sampled_from(["", "e", "f", "e-2"]),
        st.sampled_from([None, "AES256", "aws:kms", "aws:kms:dsse"]),
        st.sampled_from([None, "arn:aws:kms:us-east-1:111122223333:key/theirs"]),
        st.sampled_from(["STANDARD", "GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"]),
        st.sampled_from([None, "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"]),
        st.booleans(),
        st.booleans(),
        st.none() | st.integers(1, 2),
        st.none() | _tags,
        st.sampled_from([(), (("CRC32", "x"),), (("CRC32", "y"),), (("CRC32", "x-2"),)]),
        st.sampled_from([None, "FULL_OBJECT", "COMPOSITE"]),
        st.none() | moments,
    )


# --- findings ------------------------------------------------------------------------------------------------

findings = st.builds(
    Finding,
    st.sampled_from(Cause),
    st.just(PRIMARY.bucket),
    st.sampled_from([DR.bucket, "example-archive"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["v1", "v2"]),
    moments.flatmap(lambda moment: st.integers(0, 999_999).map(lambda part: moment.replace(microsecond=part))),
    sizes,
    st.booleans(),
    st.sampled_from([None, "r1", "r2"]),
    st.just(""),
    st.sampled_from([(), ("r3",), ("r3", "r4")]),
)
"""Any findings of one source."""
