# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Two sorted version listings in lock step: what both ends hold, and what only one of them does.

Within a key S3 lists the newest version first; whether a destination orders replicas by their time or by their arrival
is not documented. So within a key sets are compared, and only what has not found its counterpart yet is held.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from .versions import Identity, Version

MOST_HELD = 25_000
"""Versions of one key held without a counterpart: some 15 MB at each end."""


class NotComparable(Exception):
    """The listings cannot be compared; nothing that was seen so far proves anything."""


class Kind(StrEnum):
    """How the ends differ: one lacks a version, both hold it with other content, or another version is current."""

    MISSING = "missing"
    DIFFERS = "differs"
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Match:
    """A version that both ends hold."""

    left: Version
    right: Version


@dataclass(frozen=True, slots=True)
class Difference:
    """A version, or a key's current version, in which the ends differ.

    Attributes:
        kind: for `missing` the one end holds `version` and the other does not; for `current` both hold the version
            that is current at the other end, so nothing that is on its way can explain it.
        version: of the end that holds it; of the left end when both do.
        at_left: whether `version` is the left end's.
        other: the right end's version, when both ends hold one.
        key_at_other: whether the other end holds any version of the key.
        previous: when the version before it was written; only told of delete markers.
        hides: it is current at its end, while the other end shows an object in its place.
    """

    kind: Kind
    version: Version
    at_left: bool = True
    other: Version | None = None
    key_at_other: bool = True
    previous: datetime | None = None
    hides: bool = False


Outcome: TypeAlias = "Match | Difference"
Suspicious: TypeAlias = Callable[[Version, Version], bool]
"""Whether two rows of the same version do not look like the same content."""


class _Side:
    """One listing, read row by row, with what of the key at hand has not found its counterpart."""

    def __init__(self, name: str, rows: Iterable[Version], most_held: int) -> None:
        self._name = name
        self._rows = iter(rows)
        self._most_held = most_held
        self.next: Version | None = next(self._rows, None)
        self.held: dict[Identity, tuple[Version, datetime | None]] = {}
        self.current: Version | None = None
        self.current_at_both = False
        self.seen = False

    def begin(self) -> None:
        """A new key."""
        self.held, self.current, self.current_at_both, self.seen = {}, None, False, False

    def has(self, key: str) -> bool:
        """Whether the next row is of the key."""
        return self.next is not None and self.next.key == key

    def take(self) -> tuple[Version, datetime | None]:
        """The next row, and for a delete marker when the version before it was written."""
        row = self.next
        if row is None:
            raise AssertionError("nothing is left to take")
        self.next = next(self._rows, None)
        self.seen = True
        if row.is_latest:
            self.current = row
        if self.next is not None and self.next.key < row.key:
            raise NotComparable(
                f"the listing of {self._name} is not sorted: '{self.next.key}' comes after '{row.key}'. Only general "
                "purpose buckets list their keys in the order that a comparison needs."
            )
        if self.has(row.key) and self.next is not None and self.next.identity == row.identity:
            raise self._told_twice(row)
        older = self.next if row.is_delete_marker and self.has(row.key) else None
        return row, older.modified if older else None

    def hold(self, row: Version, previous: datetime | None) -> None:
        """Keep a row until its counterpart comes, or the key ends."""
        if row.identity in self.held:
            raise self._told_twice(row)
        if len(self.held) == self._most_held:
            raise NotComparable(
                f"{self._name}: more than {self._most_held} versions of the key '{row.key}' stand in another order "
                "than at the other end, which is more than are held in memory. Compare the rest by `prefixes`."
            )
        self.held[row.identity] = (row, previous)

    def _told_twice(self, row: Version) -> NotComparable:
        return NotComparable(
            f"the listing of {self._name} tells version {row.version_id} of '{row.key}' twice. Run again; if that "
            "stays, the endpoint does not list versions as S3 does."
        )


def march(
    left: Iterable[Version],
    right: Iterable[Version],
    suspicious: Suspicious,
    names: tuple[str, str] = ("left", "right"),
    most_held: int = MOST_HELD,
    ended: Callable[[str], bool] = lambda key: False,
) -> Iterator[Outcome]:
    """Compare two listings that are sorted by key.

    Args:
        names: how messages call the two ends.
        ended: asked after each key whether to stop there.

    Raises:
        NotComparable: a listing is not sorted, tells a version twice, or differs in the order of too many versions.
    """
    sides = (_Side(names[0], left, most_held), _Side(names[1], right, most_held))
    while keys := [side.next.key for side in sides if side.next is not None]:
        key = min(keys)
        yield from _march_key(key, sides, suspicious)
        if ended(key):
            return


def _march_key(key: str, sides: tuple[_Side, _Side], suspicious: Suspicious) -> Iterator[Outcome]:
    for side in sides:
        side.begin()
    while any(side.has(key) for side in sides):
        for side, other in (sides, sides[::-1]):
            if not side.has(key):
                continue
            row, previous = side.take()
            counterpart = other.held.pop(row.identity, None)
            if counterpart is not None:
                side.current_at_both |= row.is_latest
                other.current_at_both |= counterpart[0].is_latest
                yield _matched(row, counterpart[0], side is sides[0], suspicious)
            elif other.has(key):
                side.hold(row, previous)
            else:
                yield _missing(row, previous, side, other, at_left=side is sides[0])
    for side, other in (sides, sides[::-1]):
        for row, previous in side.held.values():
            yield _missing(row, previous, side, other, at_left=side is sides[0])
    yield from _other_current(*sides)


def _matched(row: Version, counterpart: Version, is_left: bool, suspicious: Suspicious) -> Outcome:
    left, right = (row, counterpart) if is_left else (counterpart, row)
    if left.is_delete_marker != right.is_delete_marker or suspicious(left, right):
        return Difference(Kind.DIFFERS, left, other=right)
    return Match(left, right)


def _missing(row: Version, previous: datetime | None, side: _Side, other: _Side, at_left: bool) -> Difference:
    shown = other.current is not None and not other.current.is_delete_marker
    return Difference(
        Kind.MISSING,
        row,
        at_left,
        key_at_other=other.seen,
        previous=previous,
        hides=row.is_latest and shown,
    )


def _other_current(left: _Side, right: _Side) -> Iterator[Outcome]:
    """Both ends hold both versions that are current at one of them, which differ after both ends wrote the key."""
    at_both = left.current_at_both and right.current_at_both
    if at_both and left.current and right.current and left.current.identity != right.current.identity:
        yield Difference(Kind.CURRENT, left.current, other=right.current)
