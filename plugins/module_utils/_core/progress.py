# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""How a long comparison is said to get on: how much is done, how fast, and how long it still takes.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW = 30.0
"""Seconds over which the rate is taken: long enough to be steady, short enough to show that AWS slows down."""

SHORTEST = 3.0
"""Seconds that readings must span for a rate, since both ends work about once a second and may miss each other."""

_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Count:
    """How many versions have been compared since the run began, and of how many; `None`: nobody knows.

    `what` is another word where they are not compared, such as `replicated`.
    """

    compared: int
    expected: int | None = None
    what: str = "compared"

    def as_text(self) -> str:
        """As it is handed from the module to the action plugin."""
        return json.dumps({"compared": self.compared, "expected": self.expected, "what": self.what})

    @classmethod
    def of_text(cls, text: str) -> Count | None:
        """The other way round; `None` for a text that is no count."""
        try:
            value = json.loads(text)
            compared, expected, what = value["compared"], value["expected"], value["what"]
        except (KeyError, TypeError, ValueError):
            return None
        known = isinstance(compared, int) and (expected is None or isinstance(expected, int)) and isinstance(what, str)
        return cls(compared, expected, what) if known else None


@dataclass(frozen=True, slots=True)
class Reading:
    """What had been compared at a time, in seconds of a clock that never goes back."""

    at: float
    count: Count


def remembered(readings: Sequence[Reading], latest: Reading) -> tuple[Reading, ...]:
    """The readings that the rate is taken from. A count that falls is a new one, so nothing before it matters."""
    before = readings[-1].count if readings else latest.count
    if before.compared > latest.count.compared or before.what != latest.count.what:
        return (latest,)
    return (*(reading for reading in readings if reading.at >= latest.at - WINDOW), latest)


def rate(readings: Sequence[Reading]) -> float | None:
    """Versions a second over the readings. `None` while they are too few, or while nothing moves."""
    if not readings:
        return None
    seconds = readings[-1].at - readings[0].at
    versions = readings[-1].count.compared - readings[0].count.compared
    return versions / seconds if seconds >= SHORTEST and versions > 0 else None


def line(name: str, readings: Sequence[Reading]) -> str:
    """How the pair gets on, by its latest reading.

    A time is said only while more is expected than was compared, since an expectation that was passed was wrong.
    """
    count, speed = readings[-1].count, rate(readings)
    parts = [_versions(name, count)]
    if speed is not None:
        parts.append(f"{_two_digits(speed)} a second")
        if count.expected is not None and count.expected > count.compared:
            parts.append(f"{_roughly((count.expected - count.compared) / speed)} left")
    return ", ".join(parts)


def last_line(name: str, count: Count, seconds: float) -> str:
    """What was compared in all, and how many seconds the task took."""
    return f"{_versions(name, count)} in {_exactly(seconds)}"


def _versions(name: str, count: Count) -> str:
    return f"{name}: {count.compared:,} version{'' if count.compared == 1 else 's'} {count.what}"


def _two_digits(number: float) -> str:
    """A rate is never as exact as its digits pretend."""
    if number < 0.1:
        return "less than 0.1"
    if number < 10:
        return f"{number:.1f}".removesuffix(".0")
    unit = 10 ** max(0, len(str(int(number))) - 2)
    return f"{round(number / unit) * unit:,}"


def _roughly(seconds: float) -> str:
    """A time to come, as exact as such a forecast can be."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {round(seconds / 10) * 10} s"
    if seconds < 59.5 * _MINUTE:
        return f"about {round(seconds / _MINUTE)} min"
    if seconds < 2 * _DAY:
        return f"about {_hours(round(seconds / _MINUTE / 10) * 10)}"
    return f"about {round(seconds / _DAY):,} days"


def _exactly(seconds: float) -> str:
    """A time that has passed."""
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    if seconds < _HOUR:
        minutes, rest = divmod(int(seconds), _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return _hours(int(seconds // _MINUTE))


def _hours(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
