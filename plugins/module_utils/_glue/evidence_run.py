# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The evidence of a verify and of a fleet, `pairs/<pair>/<run>/` and `fleet/<run>/` below the report directory.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from .._core.causes import iso
from .._core.evidence import (
    HISTORY_RUNS,
    Point,
    interrupted,
    one_line,
    pair_evidence,
    point_of,
    rows_compared,
    serialise,
)
from .._core.evidence_chain import MANIFEST, Seen, flaws_of_chain, links_of, sentences, sha256
from .._core.evidence_page import pair_page
from .._core.evidence_words import text, texts
from .._core.fleet import fleet_evidence, fleet_page
from .._core.junit import junit
from . import evidence_files as files
from .drill_evidence import check_drill_chain
from .evidence_files import EVIDENCE, JUNIT, MAKE_ROOM, PAGE, PART, Ended, NotWritten, writing

FINDINGS = "findings.jsonl"


class EvidenceRun:
    """The evidence of one verify of one pair while it runs. At no time is what is on disk a false proof."""

    def __init__(self, directory: Path, pair: str, now: datetime) -> None:
        """Use `begin`."""
        self.directory = directory
        self.pair = pair
        self._created = iso(now.astimezone(UTC).replace(microsecond=0))
        self._adding = threading.Lock()
        self._findings: BinaryIO | None = None

    @classmethod
    def begin(cls, report_dir: str, pair: str, now: datetime) -> EvidenceRun:
        """Make the directory of a run and say in it that the run has not ended.

        Raises:
            NotWritten: nothing can be written there. Meant to be called before the first call to AWS.
        """
        with writing(report_dir, "Name a directory that can be written as `report_dir`."):
            run = cls(files.new_directory(files.root_of(report_dir) / "pairs" / pair, now), pair, now)
            files.put(run.directory / EVIDENCE, serialise(interrupted(pair, run.name, run._created)))
            run._findings = files.opened(run.directory / (FINDINGS + PART))
        return run

    @property
    def name(self) -> str:
        """The run's ID."""
        return self.directory.name

    def rows_compared_before(self, prefixes: Sequence[str]) -> int | None:
        """How many versions and delete markers the newest whole comparison of these prefixes had to go through."""
        runs = [run for run in files.directories(self.directory.parent) if run != self.directory]
        records = (files.record_of(run / EVIDENCE) for run in reversed(runs[-HISTORY_RUNS:]))
        alike = (record for record in records if sorted(texts(record, "prefixes")) == sorted(prefixes))
        return next((rows for rows in map(rows_compared, alike) if rows is not None), None)

    def add_finding(self, finding: Mapping[str, Any]) -> None:
        """Write one finding down. Several threads may do so."""
        line = one_line(finding)
        with self._adding, writing(str(self.directory), MAKE_ROOM):
            if self._findings is None:
                raise NotWritten(f"the evidence in {self.directory} has ended. Begin another run.")
            self._findings.writelines([line])

    def finish(self, result: Mapping[str, Any]) -> Ended:
        """Write what the run found, the manifest last. Each file appears whole or not at all.

        Raises:
            NotWritten: the evidence on disk still says that the run has not ended.
        """
        with writing(str(self.directory), MAKE_ROOM):
            self._end_findings()
            others = files.others_of(self.directory)
            links = links_of(self.name, others)
            record = {**result, "findings_file": FINDINGS}
            evidence = pair_evidence(record, self.name, self._created, links)
            files.put(self.directory / EVIDENCE, serialise(evidence))
            history = [*_history(self.directory.parent, others), point_of(evidence)]
            files.put(self.directory / PAGE, pair_page(evidence, history[-HISTORY_RUNS:]))
            files.put(self.directory / JUNIT, junit([evidence]))
            return files.sealed(self.directory, links)

    def close(self) -> None:
        """Let go of the file of findings without ending the run, which then stays unfinished."""
        with self._adding:
            if self._findings is not None:
                with suppress(OSError):
                    self._findings.close()
                self._findings = None

    def _end_findings(self) -> None:
        with self._adding:
            if self._findings is not None:
                self._findings.flush()
                os.fsync(self._findings.fileno())
                self._findings.close()
                self._findings = None
                part = self.directory / (FINDINGS + PART)
                part.replace(self.directory / FINDINGS)


def write_fleet(report_dir: str, results: Sequence[Mapping[str, Any]], now: datetime) -> Ended:
    """Write the evidence of all pairs of a run.

    Args:
        results: as `result_of` of the core gives them; `evidence` is the directory of the pair's run.

    Raises:
        NotWritten: nothing can be written there, or not all of it.
    """
    with writing(report_dir, "Name a directory that can be written as `report_dir`."):
        directory = files.new_directory(files.root_of(report_dir) / "fleet", now)
        links = links_of(directory.name, files.others_of(directory))
        paths = {text(one, "pair"): Path(text(one, "evidence")) for one in results if text(one, "evidence")}
        pairs = {pair: _tie(path) for pair, path in paths.items() if (path / MANIFEST).is_file()}
        created = iso(now.astimezone(UTC).replace(microsecond=0))
        evidence = fleet_evidence(results, directory.name, created, links, pairs)
        files.put(directory / EVIDENCE, serialise(evidence))
        files.put(directory / PAGE, fleet_page(evidence, _addresses(directory, paths)))
        files.put(directory / JUNIT, junit(results))
        return files.sealed(directory, links, pairs)


def check_pair_chain(report_dir: str, pair: str) -> list[str]:
    """Everything that was changed or removed in the evidence of a pair since it was written, a sentence each."""
    return flaws_of_chain(files.runs_of(files.root_of(report_dir) / "pairs" / pair))


def check_fleet_chain(report_dir: str) -> list[str]:
    """Everything that was changed or removed in the evidence of the fleet, and in the pairs' that it names."""
    pairs = files.root_of(report_dir) / "pairs"
    found = {
        (manifest.parent.parent.name, manifest.parent.name): sha256(manifest.read_bytes())
        for manifest in pairs.glob(f"*/*/{MANIFEST}")
    }
    return flaws_of_chain(files.runs_of(files.root_of(report_dir) / "fleet"), found)


def check_chains(report_dir: str, pairs: Iterable[str]) -> list[str]:
    """Everything that was changed or removed in the evidence of the fleet, of these pairs and of their drills.

    It reads every file of every run, so it takes the longer the more runs there are. What cannot be read is said, too.
    """
    try:
        found = [*check_fleet_chain(report_dir), *(flaw for pair in pairs for flaw in _named(report_dir, pair))]
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename})"
        return [f"The evidence in '{report_dir}' cannot be checked: {reason}. Let this user read it, then run again."]
    return list(dict.fromkeys(found))


def _named(report_dir: str, pair: str) -> list[str]:
    """Runs of different pairs may have the same name."""
    return [
        *(f"Pair {pair}: {flaw}" for flaw in check_pair_chain(report_dir, pair)),
        *(f"Drills of pair {pair}: {flaw}" for flaw in check_drill_chain(report_dir, pair)),
    ]


def unfinished_notes(ended: Ended) -> list[str]:
    """The runs that left no proof, a sentence each."""
    return sentences({"unfinished": list(ended.unfinished)})


# --- reading what is there -----------------------------------------------------------------------------------


def _history(parent: Path, others: Sequence[Seen]) -> list[Point]:
    """The numbers of the runs that ended before; a record that cannot be read is left out."""
    finished = [one.run for one in others if one.manifest is not None][-(HISTORY_RUNS - 1) :]
    records = (files.record_of(parent / run / EVIDENCE) for run in finished)
    return [point_of(record) for record in records if record]


def _tie(directory: Path) -> dict[str, str]:
    return {"run": directory.name, "manifest_sha256": sha256(files.bytes_of(directory / MANIFEST) or b"")}


def _addresses(directory: Path, paths: Mapping[str, Path]) -> dict[str, str]:
    """The pages of the pairs as seen from the fleet's."""
    pages = {pair: path.absolute() / PAGE for pair, path in paths.items()}
    return {pair: quote(os.path.relpath(page, directory)) for pair, page in pages.items() if page.is_file()}
