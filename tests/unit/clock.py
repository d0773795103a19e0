# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A clock that only sleeping moves."""

from __future__ import annotations


class Time:
    """What a gateway sleeps and looks at, so that two minutes pass at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.sleeps.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        """What time it is."""
        return self.now
