# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The evidence of a bucket on this machine: fetched, compared with what was fetched before, its chains checked, shown.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from .._aws.evidence_download import Evidence, Found
from .._core.drill_index import PairRuns, Run, index_page
from .._core.evidence_chain import MANIFEST, flaws_of_chain, sha256
from . import evidence_files as files
from .evidence_files import EVIDENCE, MAKE_ROOM, writing

INDEX = "index.html"


@dataclass(slots=True)
class Fetched:
    """What a fetch did.

    Attributes:
        new: the paths that were written, or in check mode would be.
        changed: where an object is not what was fetched of a run that had ended, a sentence each.
        gone: files of ended runs that are no longer in the bucket.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def fetch(evidence: Evidence, objects: Iterable[Found], root: Path, check_mode: bool) -> Fetched:
    """Write what is not here yet. A file of a run that has ended is never replaced: that it differs is said.

    Raises:
        NotWritten: the directory cannot be written.
        AwsFailure: an object cannot be read.
    """
    fetched, ended = Fetched(), {}
    objects = sorted(objects, key=lambda one: (one.run, one.name == MANIFEST, one.name))
    for one in objects:
        path = root / one.path
        if one.run not in ended:
            ended[one.run] = (root / one.run / MANIFEST).is_file()
        if _is_same(path, one):
            continue
        if ended[one.run] and path.is_file():
            content = evidence.read(one)
            if content != files.bytes_of(path):
                fetched.changed.append(
                    f"{one.path}: the bucket holds another one than was fetched before. Do not rely on it."
                )
            continue
        fetched.new.append(one.path)
        if not check_mode:
            _write(path, evidence.read(one), root)
    fetched.gone = _gone(root, {one.path for one in objects})
    return fetched


def _is_same(path: Path, one: Found) -> bool:
    """By MD5, which is the ETag unless a key of KMS encrypts the object; then its content is read."""
    content = files.bytes_of(path)
    return content is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() == one.etag


def _write(path: Path, content: bytes, root: Path) -> None:
    with writing(str(root), MAKE_ROOM):
        files.make_private(path.parent)
        files.put(path, content)


def _gone(root: Path, there: set[str]) -> list[str]:
    ended = [manifest.parent for manifest in (*root.glob(f"pairs/*/*/{MANIFEST}"), *root.glob(f"fleet/*/{MANIFEST}"))]
    paths = [path.relative_to(root).as_posix() for run in ended for path in run.iterdir() if path.is_file()]
    return sorted(path for path in paths if path not in there)


def flaws(root: Path, pairs: Iterable[str], fleet: bool) -> list[str]:
    """Where the chains of what lies here do not fit, a sentence each. A run that has not ended is no flaw.

    Args:
        fleet: whether all pairs are here, so that the chain of the fleet can be checked, too.
    """
    found = [f"Pair {pair}: {flaw}" for pair in pairs for flaw in flaws_of_chain(_ended(root / "pairs" / pair))]
    if not fleet:
        return found
    manifests = {
        (manifest.parent.parent.name, manifest.parent.name): sha256(manifest.read_bytes())
        for manifest in root.glob(f"pairs/*/*/{MANIFEST}")
    }
    return [*found, *(f"Fleet: {flaw}" for flaw in flaws_of_chain(_ended(root / "fleet"), manifests))]


def _ended(parent: Path) -> list[files.Seen]:
    return [run for run in files.runs_of(parent) if run.manifest is not None]


def pair_runs(root: Path, pairs: Iterable[str]) -> list[PairRuns]:
    """The runs of the pairs, as they lie here."""
    return [
        PairRuns(
            pair,
            tuple(
                Run(run.name, files.record_of(run / EVIDENCE), (run / MANIFEST).is_file())
                for run in files.directories(root / "pairs" / pair)
            ),
        )
        for pair in pairs
    ]


def write_index(root: Path, runs: list[PairRuns], now: datetime, broken: list[str]) -> None:
    """Render all runs.

    Raises:
        NotWritten: the page cannot be written.
    """
    with writing(str(root), MAKE_ROOM):
        files.make_private(root)
        files.put(root / INDEX, index_page(runs, now, broken))
