# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The evidence of recovery drills, `drills/<pair>/<run>/` below the report directory, in a chain of its own.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .._core.causes import iso
from .._core.evidence import HISTORY_RUNS, serialise
from .._core.evidence_chain import flaws_of_chain, links_of
from .._core.recovery_evidence import drill_evidence, drill_interrupted, drill_junit, seconds_of_steps
from .._core.recovery_page import drill_page
from . import evidence_files as files
from .evidence_files import EVIDENCE, JUNIT, MAKE_ROOM, PAGE, Ended, writing

DRILLS = "drills"


class DrillEvidence:
    """The evidence of one drill while it runs. At no time is what is on disk a false proof."""

    def __init__(self, directory: Path, created: str) -> None:
        """Use `begin`."""
        self.directory, self._created = directory, created

    @classmethod
    def begin(cls, report_dir: str, pair: str, now: datetime) -> DrillEvidence:
        """Make the directory of a drill and say in it that the drill has not ended.

        Raises:
            NotWritten: nothing can be written there. Meant to be called before the first call to AWS.
        """
        created = iso(now.astimezone(UTC).replace(microsecond=0))
        with writing(report_dir, "Name a directory that can be written as `report_dir`."):
            run = cls(files.new_directory(files.root_of(report_dir) / DRILLS / pair, now), created)
            files.put(run.directory / EVIDENCE, serialise(drill_interrupted(pair, run.directory.name, created)))
        return run

    def finish(self, result: Mapping[str, Any]) -> Ended:
        """Write what the drill found, the manifest last.

        Raises:
            NotWritten: the evidence on disk still says that the drill has not ended.
        """
        with writing(str(self.directory), MAKE_ROOM):
            others = files.others_of(self.directory)
            links = links_of(self.directory.name, others)
            evidence = drill_evidence(result, self.directory.name, self._created, links)
            files.put(self.directory / EVIDENCE, serialise(evidence))
            finished = [one.run for one in others if one.manifest is not None][-(HISTORY_RUNS - 1) :]
            before = [files.record_of(self.directory.parent / run / EVIDENCE) for run in finished]
            files.put(self.directory / PAGE, drill_page(evidence, [*filter(None, before), evidence]))
            files.put(self.directory / JUNIT, drill_junit(evidence))
            return files.sealed(self.directory, links)


def seconds_of_last_drill(report_dir: str | None, pair: str) -> dict[str, float]:
    """How long each step of the pair's newest drill took that came to the recovery; empty if there is none."""
    if not report_dir:
        return {}
    runs = files.directories(Path(report_dir).expanduser() / DRILLS / pair)
    found = (seconds_of_steps(files.record_of(run / EVIDENCE)) for run in reversed(runs[-HISTORY_RUNS:]))
    return next((seconds for seconds in found if "read" in seconds), {})


def check_drill_chain(report_dir: str, pair: str) -> list[str]:
    """Everything that was changed or removed in the evidence of a pair's drills, a sentence each."""
    return flaws_of_chain(files.runs_of(files.root_of(report_dir) / DRILLS / pair))
