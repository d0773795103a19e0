# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The conflicts of a pair: both buckets are listed once, and S3 is asked who wrote the few versions that may be some.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from .._core.conflicts import (
    REPLICA,
    Conflict,
    KeyState,
    Told,
    Ways,
    Window,
    conflict_of,
    is_suspicious,
    key_states,
)
from .._core.content import Method
from .._core.march import NotComparable, march
from .._core.model import End
from .._core.versions import Identity, Version
from .canary import Side
from .comparison import cutoff_of, suspicious
from .examination import Budget
from .gateway import AwsFailure, asking
from .sdk_errors import ClientError, error_code
from .version_listing import ListingFailed, VersionListing

MOST_CONFLICTS = 100_000
"""So many are held at once, in some 100 MB."""
_THREADS = 16
_AT_ONCE = 4 * _THREADS
_GONE = ("404", "NoSuchVersion", "NoSuchKey")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        keys: how many keys both buckets hold together.
        unasked: suspicious keys that nobody asked about, since the budget was used up.
    """

    conflicts: tuple[Conflict, ...]
    keys: int
    unasked: int


def find_conflicts(
    primary: Side,
    dr: Side,
    ways: Ways,
    since: tuple[datetime, datetime],
    budget: Budget,
    markers_may_be_lost: bool = False,
) -> Found:
    """All conflicts of a pair.

    Args:
        since: from when on the writes at the primary, and at the DR bucket, count.
        markers_may_be_lost: whether a delete marker that has not arrived never will.

    Raises:
        AwsFailure: a bucket could not be listed to its end, or S3 did not tell who wrote a version.
    """
    try:
        with VersionListing(primary) as left, VersionListing(dr) as right:
            for listing in (left, right):
                listing.start()
            window = Window(*since, cutoff_of(min(left.began, right.began)), markers_may_be_lost)
            names = (primary.end.bucket, dr.end.bucket)
            outcomes = march(left.rows(), right.rows(), suspicious(Method.NONE), names)
            states = key_states(outcomes, window, ways.prefixes())
            return _Search(primary, dr, ways, window, budget).run(states)
    except (ListingFailed, NotComparable) as error:
        raise AwsFailure(str(error)) from error


class _Search:
    def __init__(self, primary: Side, dr: Side, ways: Ways, window: Window, budget: Budget) -> None:
        self._primary, self._dr = primary, dr
        self._ways, self._window, self._budget = ways, window, budget
        self._keys = self._unasked = 0

    def run(self, states: Iterable[KeyState]) -> Found:
        """Ask about what is suspicious, some keys at the same time."""
        conflicts: list[Conflict] = []
        suspicious_ones = self._suspicious(states)
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            while some := list(islice(suspicious_ones, _AT_ONCE)):
                conflicts += [one for one in pool.map(self._judge, some) if one is not None]
                if len(conflicts) > MOST_CONFLICTS:
                    raise AwsFailure(
                        f"{self._primary.end.bucket} and {self._dr.end.bucket}: more than {MOST_CONFLICTS} keys were "
                        "written at both ends, or show different versions. Find out who still writes into the end that "
                        "is not in use, and make the right versions current by hand where these are many."
                    )
        return Found(tuple(conflicts), self._keys, self._unasked)

    def _suspicious(self, states: Iterable[KeyState]) -> Iterator[KeyState]:
        for state in states:
            self._keys += 1
            if is_suspicious(state, self._ways, self._window):
                yield state

    def _judge(self, state: KeyState) -> Conflict | None:
        answers = self._answers(state)
        if answers is None:
            self._unasked += 1
            return None
        return conflict_of(state, self._ways, self._window, answers)

    def _answers(self, state: KeyState) -> Mapping[Identity, Told] | None:
        """Who wrote what; None: the budget is used up. A replica tells its writer, so one end is mostly enough."""
        answers: dict[Identity, Told] = {}
        for held in state.versions:
            if held.version.is_delete_marker:
                continue
            if self._budget.exhausted:
                return None
            primary = self._status(self._primary, held.version) if held.at_primary else None
            asks_dr = held.at_dr and primary != REPLICA
            answers[held.version.identity] = Told(primary, self._status(self._dr, held.version) if asks_dr else None)
        return answers

    def _status(self, side: Side, version: Version) -> str | None:
        self._budget.take()
        return status_of(side, version)


def status_of(side: Side, version: Version) -> str | None:
    """The replication status of an object's version at one end; None: it has none, or is gone.

    Raises:
        AwsFailure: it may not be asked for.
    """
    with asking(_named(side.end, version), "s3:GetObjectVersion"):
        try:
            answer = side.client.head_object(**side.bucket, Key=version.key, VersionId=version.version_id)
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
    status: str | None = answer.get("ReplicationStatus")
    return status


def _named(end: End, version: Version) -> str:
    return f"Version {version.version_id} of s3://{end.bucket}/{version.key}"
