# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The files of a run: a directory of its own, private, each file whole or not at all, the manifest written last.

A run is named by its time. Only the making of its directory decides whose a name is, so two processes never share one.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from .._core.evidence_chain import MANIFEST, Seen, links_of, manifest_of, order_of, sha256
from .._core.model import InvalidInput

EVIDENCE = "evidence.json"
PAGE = "report.html"
JUNIT = "junit.xml"

PART = ".part"
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


# --- directories and files -----------------------------------------------------------------------------------

MAKE_ROOM = "Make room or give the permission, then run again."


@contextmanager
def writing(path: str, advice: str) -> Iterator[None]:
    """Turns an error of the file system into one message."""
    try:
        yield
    except ValueError as error:  # a path that no file can have
        raise NotWritten(f"the evidence cannot be written to {path!r}: {error}. {advice}") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename and str(error.filename) != path else ""
        reason = f"{error.strerror or error}{where}"
        raise NotWritten(f"the evidence cannot be written to '{path}': {reason}. {advice}") from error


def root_of(report_dir: str) -> Path:
    """The report directory; NotWritten if it is empty."""
    if not report_dir.strip():
        raise NotWritten("`report_dir` is empty. Name a directory, or leave it out to write no evidence.")
    return Path(report_dir).expanduser().absolute()


def new_directory(parent: Path, now: datetime) -> Path:
    """Make the directory of a run, named by its time; the second run of a second gets a number."""
    make_private(parent)
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


def make_private(directory: Path) -> None:
    """Make it and what is above it, each private: `mkdir(parents=True)` would leave those above open to others."""
    if directory.is_dir():
        return
    make_private(directory.parent)
    with suppress(FileExistsError):
        directory.mkdir(mode=_DIRECTORY_MODE)


def opened(path: Path) -> BinaryIO:
    """A new private file to write to."""
    path.touch(mode=_FILE_MODE, exist_ok=False)
    return path.open("wb")


def put(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even when the machine stops."""
    part = path.with_name(path.name + PART)
    part.unlink(missing_ok=True)
    with opened(part) as file:
        file.writelines([data])
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def sealed(directory: Path, links: Mapping[str, Any], pairs: Mapping[str, Mapping[str, str]] | None = None) -> Ended:
    """Write the manifest, by which the run has ended."""
    manifest = manifest_of(directory.name, hashes_of(directory), links, pairs)
    put(directory / MANIFEST, manifest)
    return Ended(directory, sha256(manifest), tuple(links["broken"]), tuple(links["unfinished"]))


# --- reading what is there -----------------------------------------------------------------------------------


def others_of(directory: Path) -> list[Seen]:
    """The newest runs beside this one, the oldest first; the files of those that do not matter are not read."""
    runs = [run for run in directories(directory.parent) if run != directory][-_CHAINED_RUNS:]
    known = {run: bytes_of(run / MANIFEST) for run in runs}
    bare = [Seen(run.name, known[run], {}) for run in runs]
    links = links_of(directory.name, bare)
    tied = {one["run"] for one in [links["previous"], *links["also"]] if one}
    return [Seen(run.name, known[run], hashes_of(run) if run.name in tied else {}) for run in runs]


def runs_of(parent: Path) -> list[Seen]:
    """All runs with all their files, the oldest first."""
    return [Seen(run.name, bytes_of(run / MANIFEST), hashes_of(run)) for run in directories(parent)]


def directories(parent: Path) -> list[Path]:
    """The directories of runs, the oldest first."""
    if not parent.is_dir():
        return []
    found = [(order_of(one.name), one) for one in parent.iterdir() if one.is_dir()]
    return [one for order, one in sorted((order, one) for order, one in found if order is not None)]


def bytes_of(path: Path) -> bytes | None:
    """None: there is no such file. One that cannot be read is as good as changed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"unreadable: {error}".encode()


def hashes_of(directory: Path) -> dict[str, str]:
    """The SHA-256 of each file of a run but its manifest."""
    return {
        path.relative_to(directory).as_posix(): hash_of(path)
        for path in directory.rglob("*")
        if path.is_symlink() or not path.is_dir()
        if path != directory / MANIFEST
    }


def hash_of(path: Path) -> str:
    """The SHA-256 of a file; of one that cannot be read the reason."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable ({error.strerror})"


def record_of(path: Path) -> Mapping[str, Any]:
    """A record as it was written; empty if it cannot be read."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
