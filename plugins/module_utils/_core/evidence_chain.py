# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Manifests: the hashes of a run's files and of the manifest before, so that a later change does not go unseen.

A manifest is written last, so a run without one has not ended. It carries a seal, the hash of all else that it says;
its own hash stands in the manifest of the next run. Whoever may write all files can make all of it anew: the hash of
the newest manifest, kept elsewhere, shows that, too.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .evidence import serialise
from .evidence_words import mapping, mappings, text, texts

MANIFEST_SCHEMA = "crossregion.s3_dr/manifest/1"
MANIFEST = "manifest.json"

_RUN = re.compile(r"(\d{8}T\d{6}Z)(?:-([2-9]|[1-9]\d+))?")


def sha256(data: bytes) -> str:
    """The hash as `sha256sum` prints it."""
    return hashlib.sha256(data).hexdigest()


def order_of(run: str) -> tuple[str, int] | None:
    """By which runs are sorted, the oldest first; None: it is no name of a run."""
    found = _RUN.fullmatch(run)
    return (found[1], int(found[2] or 1)) if found else None


@dataclass(frozen=True, slots=True)
class Seen:
    """A run's directory as it is found.

    Attributes:
        manifest: its bytes; None: there is none.
        files: the SHA-256 of every other file; of one that cannot be read the reason.
    """

    run: str
    manifest: bytes | None
    files: Mapping[str, str]

    def said(self) -> Mapping[str, Any]:
        """What its manifest says; empty if it cannot be read."""
        return _read(self.manifest)


def manifest_of(
    run: str,
    files: Mapping[str, str],
    links: Mapping[str, Any],
    pairs: Mapping[str, Mapping[str, str]] | None = None,
) -> bytes:
    """A run's manifest.

    Args:
        files: the SHA-256 of each.
        links: what `links_of` says.
        pairs: of a fleet: the run and the `manifest_sha256` of each pair.
    """
    said = {"schema": MANIFEST_SCHEMA, "run": run, "files": dict(files), **links}
    if pairs is not None:
        said["pairs"] = {pair: dict(one) for pair, one in pairs.items()}
    return serialise({**said, "seal": sha256(serialise(said))})


def links_of(run: str, others: Sequence[Seen]) -> dict[str, Any]:
    """How a run that ends is tied to those before it.

    Runs of one pair can overlap, so what is tied is every finished run that no other manifest names yet: `previous`
    is the newest of them, and `also` holds the rest, which is nearly always nothing.

    Args:
        others: the other runs, the oldest first.
    """
    finished = [one for one in others if one.manifest is not None]
    named = {text(link, "run") for one in finished for link in _links(one.said())}
    loose = [one for one in finished if one.run not in named] or finished[-1:]
    ties = [{"run": one.run, "manifest_sha256": sha256(one.manifest or b"")} for one in loose]
    newest = loose[-1].run if loose else ""
    since = [one for one in others if _order(one.run) > _order(newest)] if newest else others
    return {
        "previous": ties[-1] if ties else None,
        "also": ties[:-1],
        "unfinished": [one.run for one in since if one.manifest is None and one.run != run],
        "broken": [flaw for one in loose for flaw in flaws_of_run(one)],
    }


def flaws_of_run(seen: Seen) -> list[str]:
    """Where a run's files are not what its manifest says; a sentence each."""
    if seen.manifest is None:
        return [f"Run {seen.run} has not ended: it has no {MANIFEST}. It proves nothing."]
    said = seen.said()
    if not said or text(said, "run") != seen.run:
        return [f"Run {seen.run}: its {MANIFEST} is not as it was written. Nothing in that run can be relied on."]
    hashes = mapping(said, "files")
    return [
        *(_changed(seen, name) for name in sorted(hashes) if seen.files.get(name) != hashes[name]),
        *(
            f"Run {seen.run}: {name} is there, and its {MANIFEST} does not name it. Find out who put it there."
            for name in sorted(set(seen.files) - set(hashes))
        ),
    ]


def _changed(seen: Seen, name: str) -> str:
    if name not in seen.files:
        return f"Run {seen.run}: {name} is missing. Find out who removed it."
    return f"Run {seen.run}: {name} is not as it was written: its SHA-256 is {seen.files[name]}. Do not rely on it."


def flaws_of_chain(runs: Sequence[Seen], pair_manifests: Mapping[tuple[str, str], str] | None = None) -> list[str]:
    """Everything in a chain of runs that does not fit, a sentence each; empty: nothing was changed or removed.

    Args:
        runs: all of them, the oldest first.
        pair_manifests: for the chain of a fleet: the hash of the manifest by pair and run, as they are found.
    """
    hashes = {one.run: sha256(one.manifest) for one in runs if one.manifest is not None}
    found = [flaw for one in runs for flaw in flaws_of_run(one)]
    named = set()
    for one in runs:
        said = one.said()
        for link in _links(said):
            named.add(text(link, "run"))
            found += _flaws_of_link(one.run, link, hashes)
        if pair_manifests is not None:
            found += _flaws_of_pairs(one.run, mapping(said, "pairs"), pair_manifests)
    loose = [run for run in hashes if run not in named]
    return [*found, *(f"Run {run}: no later run names its {MANIFEST}, so a link is missing." for run in loose[:-1])]


def _flaws_of_link(run: str, link: Mapping[str, Any], hashes: Mapping[str, str]) -> list[str]:
    before = text(link, "run")
    if before not in hashes:
        return [f"Run {run} follows run {before}, which is missing or has no {MANIFEST}."]
    if hashes[before] != text(link, "manifest_sha256"):
        return [f"Run {before}: its {MANIFEST} is not the one that run {run} followed. It was changed since."]
    return []


def _flaws_of_pairs(run: str, pairs: Mapping[str, Any], found: Mapping[tuple[str, str], str]) -> list[str]:
    links = {pair: mapping(pairs, pair) for pair in sorted(pairs)}
    return [
        f"Run {run} of the fleet: the {MANIFEST} of pair {pair}, run {text(link, 'run')}, is missing or was changed."
        for pair, link in links.items()
        if found.get((pair, text(link, "run"))) != text(link, "manifest_sha256")
    ]


def _links(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    previous = mapping(said, "previous")
    return [*([previous] if previous else []), *mappings(said, "also")]


def _read(manifest: bytes | None) -> Mapping[str, Any]:
    """What a manifest says, if it is whole: in its one spelling, and with the seal that fits."""
    try:
        said = json.loads(manifest or b"")
        rest = {name: value for name, value in said.items() if name != "seal"}
        whole = serialise(said) == manifest and text(said, "seal") == sha256(serialise(rest))
    except (ValueError, AttributeError, RecursionError):
        return {}
    return said if whole and said.get("schema") == MANIFEST_SCHEMA else {}


def _order(run: str) -> tuple[str, int]:
    return order_of(run) or ("", 0)


def sentences(said: Mapping[str, Any]) -> list[str]:
    """What a person should know of a chain's links: what is broken, and what has not ended."""
    unfinished: Iterable[str] = texts(said, "unfinished")
    return [
        *texts(said, "broken"),
        *(f"Run {run} before this one has not ended, or is still going on." for run in unfinished),
    ]
