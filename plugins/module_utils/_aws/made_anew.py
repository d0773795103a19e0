# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Whether the primary bucket is still the one that was there before the failover, or was lost and made anew.

A bucket's creation date does not tell: AWS changes it with some settings. What the bucket holds does: the original of a
version is no replica at the end where it was written, and a version that is a replica at both ends has come back.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from datetime import datetime

from .._core.conflicts import REPLICA
from .._core.content import Method
from .._core.march import Kind, Match, NotComparable, Outcome, march
from .canary import Side
from .comparison import suspicious
from .conflict_search import status_of
from .gateway import AwsFailure
from .version_listing import ListingFailed, VersionListing

_MOST_ASKED = 100
"""Versions that an earlier failover wrote at the DR bucket prove nothing; after so many the rest is believed."""


def is_made_anew(primary: Side, dr: Side, before: datetime) -> bool:
    """Whether the primary has lost all that it held before that moment.

    Raises:
        AwsFailure: a bucket could not be listed, or S3 did not tell who wrote a version.
    """
    asked = seen_at_dr = 0
    try:
        with VersionListing(primary) as left, VersionListing(dr) as right:
            names = (primary.end.bucket, dr.end.bucket)
            for outcome in march(left.rows(), right.rows(), suspicious(Method.NONE), names):
                if not _is_object_from(outcome, before):
                    continue
                at_primary = _is_at_primary(outcome)
                proof = _proof(outcome, primary, dr) if at_primary else None
                if proof is not None:
                    return proof
                asked, seen_at_dr = asked + at_primary, seen_at_dr + (not at_primary)
                if asked == _MOST_ASKED:
                    return False
    except (ListingFailed, NotComparable) as error:
        raise AwsFailure(str(error)) from error
    return bool(seen_at_dr) and not asked


def _is_object_from(outcome: Outcome, before: datetime) -> bool:
    version = outcome.left if isinstance(outcome, Match) else outcome.version
    return not version.is_delete_marker and version.modified < before


def _is_at_primary(outcome: Outcome) -> bool:
    return isinstance(outcome, Match) or outcome.kind is not Kind.MISSING or outcome.at_left


def _proof(outcome: Outcome, primary: Side, dr: Side) -> bool | None:
    """What one version of the primary proves; None: nothing."""
    version = outcome.left if isinstance(outcome, Match) else outcome.version
    if status_of(primary, version) != REPLICA:
        return False
    return True if isinstance(outcome, Match) and status_of(dr, outcome.right) == REPLICA else None
