# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Evidence in a bucket: the same files as in a report directory, below `pairs/<pair>/<run>/` and `fleet/<run>/`.

No file of a run that has ended is ever written again, and the manifest is written last. The index lies outside of the
chain, since each run makes it anew.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from .._core.evidence import HISTORY_RUNS, Point, interrupted, one_line, pair_evidence, point_of, serialise
from .._core.evidence_chain import MANIFEST, Seen, links_of, manifest_of, order_of, sha256
from .._core.evidence_page import pair_page
from .._core.fleet import fleet_evidence, fleet_page
from .._core.junit import junit
from .row import Client
from .sdk_errors import ClientError, error_code

EVIDENCE, PAGE, JUNIT, INDEX = "evidence.json", "report.html", "junit.xml", "index.html"
_TYPES = {".json": "application/json", ".html": "text/html; charset=utf-8", ".xml": "application/xml"}
_GONE = ("NoSuchKey", "404")
_EXISTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_CHAINED_RUNS = 200
"""So many of the newest runs are looked at when a run is tied to those before it."""
_FINDINGS_IN_A_FILE = 50_000
"""Some 20 MB."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run whose evidence is written.

    Attributes:
        broken: what of the run before does not fit its manifest, a sentence each.
    """

    run: str
    manifest_sha256: str
    broken: tuple[str, ...]


class EvidenceStore:
    """The evidence in one bucket."""

    def __init__(self, client: Client, bucket: str, owner: str) -> None:
        """`owner` is the ID of the bucket's account."""
        self._client = client
        self._bucket = {"Bucket": bucket, "ExpectedBucketOwner": owner}

    # --- one pair ---------------------------------------------------------------------------------------------

    def begin(self, pair: str, run: str, created: str, execution: str) -> str:
        """Say that a run has begun, and that it proves nothing yet.

        Two runs of one second get two names; the same execution always gets the same one.

        Returns:
            The name of the run, `run` or `run-2` and so on.
        """
        for number in count(1):
            name = run if number == 1 else f"{run}-{number}"
            stub = {**interrupted(pair, name, created), "execution": execution}
            if self._create(f"pairs/{pair}/{name}/{EVIDENCE}", serialise(stub)):
                return name
            if self._record(f"pairs/{pair}/{name}/").get("execution") == execution:
                return name
        raise AssertionError("there is always another number")

    def finish(
        self,
        pair: str,
        run: str,
        result: Mapping[str, Any],
        created: str,
        findings: Iterable[Mapping[str, Any]],
        execution: str,
    ) -> Ended:
        """Write what a run found, the manifest last. A run that has ended already stays as it is.

        Args:
            result: as a verify returns it.
            findings: all of them, however many.
        """
        parent = f"pairs/{pair}/"
        if (there := self._get(f"{parent}{run}/{MANIFEST}")) is not None:
            return _ended(run, there)
        others = self._others(parent, run)
        links = links_of(run, others)
        files = self._put_findings(f"{parent}{run}/", findings)
        said = {**result, "findings_file": None, "findings_files": sorted(files), "execution": execution}
        evidence = pair_evidence(said, run, created, links)
        history = [*self._points(parent, others), point_of(evidence)]
        pages = {
            EVIDENCE: serialise(evidence),
            PAGE: pair_page(evidence, history[-HISTORY_RUNS:]),
            JUNIT: junit([evidence]),
        }
        return self._seal(f"{parent}{run}/", run, {**files, **self._put_all(f"{parent}{run}/", pages)}, links)

    def _put_findings(self, prefix: str, findings: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """The SHA-256 of each file. An empty one is written, too: that nothing was found is said."""
        rows, files = iter(findings), {}
        for number in count(1):
            part = b"".join(one_line(row) for row in islice(rows, _FINDINGS_IN_A_FILE))
            if not part and files:
                break
            name = f"findings-{number:05}.jsonl"
            files |= self._put_all(prefix, {name: part})
        return files

    # --- the fleet --------------------------------------------------------------------------------------------

    def fleet(
        self, results: Sequence[Mapping[str, Any]], runs: Mapping[str, str], run: str, created: str, execution: str
    ) -> Ended:
        """Write the evidence of all pairs of a run, tied to that of each.

        Args:
            runs: the name of each pair's run.
        """
        for number in count(1):
            name = run if number == 1 else f"{run}-{number}"
            prefix = f"fleet/{name}/"
            if (there := self._get(prefix + MANIFEST)) is None:
                stub = serialise({"execution": execution, "run": name, "created": created})
                if self._create(prefix + EVIDENCE, stub) or self._record(prefix).get("execution") == execution:
                    return self._write_fleet(results, runs, name, created, execution)
            elif self._record(prefix).get("execution") == execution:
                return _ended(name, there)
        raise AssertionError("there is always another number")

    def _write_fleet(
        self, results: Sequence[Mapping[str, Any]], runs: Mapping[str, str], run: str, created: str, execution: str
    ) -> Ended:
        prefix, links = f"fleet/{run}/", links_of(run, self._others("fleet/", run))
        manifests = {pair: self._get(f"pairs/{pair}/{of_pair}/{MANIFEST}") for pair, of_pair in runs.items()}
        ties = {
            pair: {"run": runs[pair], "manifest_sha256": sha256(manifest)}
            for pair, manifest in manifests.items()
            if manifest is not None
        }
        evidence = {**fleet_evidence(results, run, created, links, ties), "execution": execution}
        addresses = {pair: f"../../pairs/{pair}/{of_pair}/{PAGE}" for pair, of_pair in runs.items()}
        pages = {
            EVIDENCE: serialise(evidence),
            PAGE: fleet_page(evidence, addresses),
            JUNIT: junit(results),
        }
        return self._seal(prefix, run, self._put_all(prefix, pages), links, ties)

    # --- what is there ----------------------------------------------------------------------------------------

    def pairs(self) -> list[str]:
        """The pairs that have evidence."""
        return [prefix.split("/")[1] for prefix in self._folders("pairs/")]

    def runs(self, parent: str) -> list[str]:
        """The names of the runs below `pairs/<pair>/` or `fleet/`, the oldest first."""
        names = [prefix.removeprefix(parent).rstrip("/") for prefix in self._folders(parent)]
        ordered = [(order_of(name), name) for name in names]
        return [name for order, name in sorted((order, name) for order, name in ordered if order is not None)]

    def records(self, parent: str, most: int = HISTORY_RUNS) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
        """Of the newest runs the name, the record, and whether the run has ended; the oldest first."""
        for run in self.runs(parent)[-most:]:
            ended = self._get(f"{parent}{run}/{MANIFEST}") is not None
            yield run, self._record(f"{parent}{run}/"), ended

    def put_index(self, page: bytes) -> None:
        """Write the index in place of the one before."""
        self._put(INDEX, page)

    def _points(self, parent: str, others: Sequence[Seen]) -> list[Point]:
        """The numbers of the runs that ended before; a record that cannot be read is left out."""
        finished = [one.run for one in others if one.manifest is not None][-(HISTORY_RUNS - 1) :]
        records = (self._record(f"{parent}{run}/") for run in finished)
        return [point_of(record) for record in records if record]

    def _others(self, parent: str, run: str) -> list[Seen]:
        """The newest runs beside this one; the files of those that do not matter are not read."""
        names = [name for name in self.runs(parent) if name != run][-_CHAINED_RUNS:]
        manifests = {name: self._get(f"{parent}{name}/{MANIFEST}") for name in names}
        links = links_of(run, [Seen(name, manifests[name], {}) for name in names])
        tied = {one["run"] for one in [links["previous"], *links["also"]] if one}
        return [Seen(name, manifests[name], self._hashes(f"{parent}{name}/") if name in tied else {}) for name in names]

    def _hashes(self, prefix: str) -> dict[str, str]:
        keys = [key for key in self._keys(prefix) if key != prefix + MANIFEST]
        return {key.removeprefix(prefix): sha256(self._get(key) or b"") for key in keys}

    def _record(self, prefix: str) -> Mapping[str, Any]:
        """A record as it was written; empty if it cannot be read."""
        try:
            record = json.loads(self._get(prefix + EVIDENCE) or b"")
        except (ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    # --- objects ----------------------------------------------------------------------------------------------

    def _seal(
        self,
        prefix: str,
        run: str,
        hashes: Mapping[str, str],
        links: Mapping[str, Any],
        pairs: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Ended:
        """Write the manifest, by which the run has ended; if another invocation was quicker, its manifest counts."""
        manifest = manifest_of(run, hashes, links, pairs)
        if not self._create(prefix + MANIFEST, manifest):
            manifest = self._get(prefix + MANIFEST) or manifest
        return _ended(run, manifest)

    def _put_all(self, prefix: str, files: Mapping[str, bytes]) -> dict[str, str]:
        for name, content in files.items():
            self._put(prefix + name, content)
        return {name: sha256(content) for name, content in files.items()}

    def _put(self, key: str, content: bytes, **condition: str) -> None:
        kind = next((value for end, value in _TYPES.items() if key.endswith(end)), "application/x-ndjson")
        self._client.put_object(**self._bucket, Key=key, Body=content, ContentType=kind, **condition)

    def _create(self, key: str, content: bytes) -> bool:
        """Write an object unless there is one already; whether it was written."""
        try:
            self._put(key, content, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) in _EXISTS:
                return False
            raise
        return True

    def _get(self, key: str) -> bytes | None:
        try:
            content: bytes = self._client.get_object(**self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) in _GONE:
                return None
            raise
        return content

    def _folders(self, prefix: str) -> list[str]:
        pages = self._list(Prefix=prefix, Delimiter="/")
        return [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", ())]

    def _keys(self, prefix: str) -> list[str]:
        return [one["Key"] for page in self._list(Prefix=prefix) for one in page.get("Contents", ())]

    def _list(self, **options: str) -> Any:
        return self._client.get_paginator("list_objects_v2").paginate(**self._bucket, **options)


def _ended(run: str, manifest: bytes) -> Ended:
    said = json.loads(manifest)
    return Ended(run, sha256(manifest), tuple(said.get("broken", ())))
