# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The files of a verify: a directory for each run, private, with the manifest written last.

The layout is `pairs/<pair>/<run>/` and `fleet/<run>/` below the report directory, and a run is named by its time. Only
the making of its directory decides whose a name is, so two processes never share one.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
from .._core.evidence_chain import (
    MANIFEST,
    Seen,
    flaws_of_chain,
    links_of,
    manifest_of,
    order_of,
    sentences,
    sha256,
)
from .._core.evidence_page import pair_page
from .._core.evidence_words import text, texts
from .._core.fleet import fleet_evidence, fleet_page
from .._core.junit import junit
from .._core.model import InvalidInput

EVIDENCE = "evidence.json"
FINDINGS = "findings.jsonl"
PAGE = "report.html"
JUNIT = "junit.xml"

_PART = ".part"
_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
"""Evidence names buckets and keys, so only the user who made it reads it."""

_CHAINED_RUNS = 200
"""So many of the newest runs are looked at when a run is tied to those before it."""


class NotWritten(InvalidInput):
    """The evidence cannot be written: the message names the path, the cause and the next step."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run whose evidence is written.

    Attributes:
        directory: where.
        broken: what of the run before does not fit its manifest, a sentence each, to be said loudly.
        unfinished: runs since then that have not ended.
    """

    directory: Path
    manifest_sha256: str
    broken: tuple[str, ...]
    unfinished: tuple[str, ...]


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
        with _writing(report_dir, "Name a directory that can be written as `report_dir`."):
            run = cls(_new_directory(_root(report_dir) / "pairs" / pair, now), pair, now)
            _put(run.directory / EVIDENCE, serialise(interrupted(pair, run.name, run._created)))
            run._findings = _opened(run.directory / (FINDINGS + _PART))
        return run

    @property
    def name(self) -> str:
        """The run's ID."""
        return self.directory.name

    def rows_compared_before(self, prefixes: Sequence[str]) -> int | None:
        """How many versions and delete markers the newest whole comparison of these prefixes had to go through."""
        runs = [run for run in _directories(self.directory.parent) if run != self.directory]
        records = (_record(run / EVIDENCE) for run in reversed(runs[-HISTORY_RUNS:]))
        alike = (record for record in records if sorted(texts(record, "prefixes")) == sorted(prefixes))
        return next((rows for rows in map(rows_compared, alike) if rows is not None), None)

    def add_finding(self, finding: Mapping[str, Any]) -> None:
        """Write one finding down. Several threads may do so."""
        line = one_line(finding)
        with self._adding, _writing(str(self.directory), _MAKE_ROOM):
            if self._findings is None:
                raise NotWritten(f"the evidence in {self.directory} has ended. Begin another run.")
            self._findings.writelines([line])

    def finish(self, result: Mapping[str, Any]) -> Ended:
        """Write what the run found, the manifest last. Each file appears whole or not at all.

        Raises:
            NotWritten: the evidence on disk still says that the run has not ended.
        """
        with _writing(str(self.directory), _MAKE_ROOM):
            self._end_findings()
            others = _others(self.directory)
            links = links_of(self.name, others)
            record = {**result, "findings_file": FINDINGS}
            evidence = pair_evidence(record, self.name, self._created, links)
            _put(self.directory / EVIDENCE, serialise(evidence))
            history = [*_history(self.directory.parent, others), point_of(evidence)]
            _put(self.directory / PAGE, pair_page(evidence, history[-HISTORY_RUNS:]))
            _put(self.directory / JUNIT, junit([evidence]))
            return _sealed(self.directory, links)

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
                part = self.directory / (FINDINGS + _PART)
                part.replace(self.directory / FINDINGS)


def write_fleet(report_dir: str, results: Sequence[Mapping[str, Any]], now: datetime) -> Ended:
    """Write the evidence of all pairs of a run.

    Args:
        results: as `result_of` of the core gives them; `evidence` is the directory of the pair's run.

    Raises:
        NotWritten: nothing can be written there, or not all of it.
    """
    with _writing(report_dir, "Name a directory that can be written as `report_dir`."):
        directory = _new_directory(_root(report_dir) / "fleet", now)
        links = links_of(directory.name, _others(directory))
        paths = {text(one, "pair"): Path(text(one, "evidence")) for one in results if text(one, "evidence")}
        pairs = {pair: _tie(path) for pair, path in paths.items() if (path / MANIFEST).is_file()}
        created = iso(now.astimezone(UTC).replace(microsecond=0))
        evidence = fleet_evidence(results, directory.name, created, links, pairs)
        _put(directory / EVIDENCE, serialise(evidence))
        _put(directory / PAGE, fleet_page(evidence, _addresses(directory, paths)))
        _put(directory / JUNIT, junit(results))
        return _sealed(directory, links, pairs)


def check_pair_chain(report_dir: str, pair: str) -> list[str]:
    """Everything that was changed or removed in the evidence of a pair since it was written, a sentence each."""
    return flaws_of_chain(_runs(_root(report_dir) / "pairs" / pair))


def check_fleet_chain(report_dir: str) -> list[str]:
    """Everything that was changed or removed in the evidence of the fleet, and in the pairs' that it names."""
    pairs = _root(report_dir) / "pairs"
    found = {
        (manifest.parent.parent.name, manifest.parent.name): sha256(manifest.read_bytes())
        for manifest in pairs.glob(f"*/*/{MANIFEST}")
    }
    return flaws_of_chain(_runs(_root(report_dir) / "fleet"), found)


def check_chains(report_dir: str, pairs: Iterable[str]) -> list[str]:
    """Everything that was changed or removed in the evidence of the fleet and of these pairs, a sentence each.

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
    return [f"Pair {pair}: {flaw}" for flaw in check_pair_chain(report_dir, pair)]


def unfinished_notes(ended: Ended) -> list[str]:
    """The runs that left no proof, a sentence each."""
    return sentences({"unfinished": list(ended.unfinished)})


# --- directories and files -----------------------------------------------------------------------------------

_MAKE_ROOM = "Make room or give the permission, then run again."


@contextmanager
def _writing(path: str, advice: str) -> Iterator[None]:
    """Turns an error of the file system into one message."""
    try:
        yield
    except ValueError as error:  # a path that no file can have
        raise NotWritten(f"the evidence cannot be written to {path!r}: {error}. {advice}") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename and str(error.filename) != path else ""
        reason = f"{error.strerror or error}{where}"
        raise NotWritten(f"the evidence cannot be written to '{path}': {reason}. {advice}") from error


def _root(report_dir: str) -> Path:
    if not report_dir.strip():
        raise NotWritten("`report_dir` is empty. Name a directory, or leave it out to write no evidence.")
    return Path(report_dir).expanduser().absolute()


def _new_directory(parent: Path, now: datetime) -> Path:
    _make(parent)
    stem = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    number = 1
    while True:
        directory = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            directory.mkdir(mode=_DIRECTORY_MODE)
        except FileExistsError:
            number += 1
        else:
            return directory


def _make(directory: Path) -> None:
    """Make it and what is above it, each private: `mkdir(parents=True)` would leave those above open to others."""
    if directory.is_dir():
        return
    _make(directory.parent)
    with suppress(FileExistsError):
        directory.mkdir(mode=_DIRECTORY_MODE)


def _opened(path: Path) -> BinaryIO:
    path.touch(mode=_FILE_MODE, exist_ok=False)
    return path.open("wb")


def _put(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even when the machine stops."""
    part = path.with_name(path.name + _PART)
    part.unlink(missing_ok=True)
    with _opened(part) as file:
        file.writelines([data])
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _sealed(directory: Path, links: Mapping[str, Any], pairs: Mapping[str, Mapping[str, str]] | None = None) -> Ended:
    manifest = manifest_of(directory.name, _hashes(directory), links, pairs)
    _put(directory / MANIFEST, manifest)
    return Ended(directory, sha256(manifest), tuple(links["broken"]), tuple(links["unfinished"]))


# --- reading what is there -----------------------------------------------------------------------------------


def _others(directory: Path) -> list[Seen]:
    """The newest runs beside this one, the oldest first; the files of those that do not matter are not read."""
    runs = [run for run in _directories(directory.parent) if run != directory][-_CHAINED_RUNS:]
    known = {run: _bytes(run / MANIFEST) for run in runs}
    bare = [Seen(run.name, known[run], {}) for run in runs]
    links = links_of(directory.name, bare)
    tied = {one["run"] for one in [links["previous"], *links["also"]] if one}
    return [Seen(run.name, known[run], _hashes(run) if run.name in tied else {}) for run in runs]


def _runs(parent: Path) -> list[Seen]:
    return [Seen(run.name, _bytes(run / MANIFEST), _hashes(run)) for run in _directories(parent)]


def _directories(parent: Path) -> list[Path]:
    """The directories of runs, the oldest first."""
    if not parent.is_dir():
        return []
    found = [(order_of(one.name), one) for one in parent.iterdir() if one.is_dir()]
    return [one for order, one in sorted((order, one) for order, one in found if order is not None)]


def _bytes(path: Path) -> bytes | None:
    """None: there is no such file. One that cannot be read is as good as changed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"unreadable: {error}".encode()


def _hashes(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): _hash(path)
        for path in directory.rglob("*")
        if path.is_symlink() or not path.is_dir()
        if path != directory / MANIFEST
    }


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable ({error.strerror})"


def _history(parent: Path, others: Sequence[Seen]) -> list[Point]:
    """The numbers of the runs that ended before; a record that cannot be read is left out."""
    finished = [one.run for one in others if one.manifest is not None][-(HISTORY_RUNS - 1) :]
    records = (_record(parent / run / EVIDENCE) for run in finished)
    return [point_of(record) for record in records if record]


def _record(path: Path) -> Mapping[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _tie(directory: Path) -> dict[str, str]:
    return {"run": directory.name, "manifest_sha256": sha256(_bytes(directory / MANIFEST) or b"")}


def _addresses(directory: Path, paths: Mapping[str, Path]) -> dict[str, str]:
    """The pages of the pairs as seen from the fleet's."""
    pages = {pair: path.absolute() / PAGE for pair, path in paths.items()}
    return {pair: quote(os.path.relpath(page, directory)) for pair, page in pages.items() if page.is_file()}
