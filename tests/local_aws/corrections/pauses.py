# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Replication that an experiment of FIS has paused."""

from __future__ import annotations

from dataclasses import dataclass

from . import rules
from .queue import Job
from .rules import Rule


@dataclass(frozen=True)
class Pause:
    """From a bucket to a Region, since a time; for some destinations and some rules if they are named."""

    bucket: str
    region: str
    destinations: tuple[str, ...]
    prefixes: tuple[str, ...]
    since: float

    def covers(self, rule: Rule, bucket: str, region: str) -> bool:
        is_named = not self.destinations or rules.destination_of(rule) in self.destinations
        has_prefix = not self.prefixes or rules.prefix_of(rule) in self.prefixes
        return (bucket, region) == (self.bucket, self.region) and is_named and has_prefix


active: list[Pause] = []


def holds(rule: Rule, job: Job, region: str) -> bool:
    """FIS User Guide, fis-actions-reference (s3-bucket-pause-replication): replication goes on from the point at which
    it was paused, so what was written before is not held."""
    return any(pause.covers(rule, job.bucket, region) and job.written >= pause.since for pause in active)
