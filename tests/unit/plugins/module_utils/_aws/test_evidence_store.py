# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Evidence in a bucket: each run whole or not at all, chained to the one before, and never written twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import evidence_store
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.evidence_store import EvidenceStore
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_chain import (
    Seen,
    flaws_of_chain,
    flaws_of_run,
    sha256,
)
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.objects import KilledAtPut, ObjectBucket, error

RESULT = {"pair": "orders", "verdict": "proven", "problems": [], "checks": [], "comparisons": [], "prefixes": []}
CREATED = "2026-11-24T03:15:00Z"


@pytest.fixture
def bucket() -> ObjectBucket:
    """An empty bucket."""
    return ObjectBucket("example-evidence")


@pytest.fixture
def store(bucket: ObjectBucket) -> EvidenceStore:
    """Its evidence."""
    return EvidenceStore(bucket, bucket.bucket, bucket.owner)


def write(store: EvidenceStore, run: str, execution: str, findings: Any = (), **changes: Any) -> str:
    """One run of the pair; its name."""
    name = store.begin("orders", run, CREATED, execution)
    store.finish("orders", name, {**RESULT, **changes}, CREATED, findings, execution)
    return name


def seen(bucket: ObjectBucket, parent: str, run: str) -> Seen:
    """A run as it lies in the bucket."""
    prefix = f"{parent}{run}/"
    files = {key.removeprefix(prefix): content for key, content in bucket.objects.items() if key.startswith(prefix)}
    manifest = files.pop("manifest.json", None)
    return Seen(run, manifest, {name: sha256(content) for name, content in files.items()})


def chain(bucket: ObjectBucket, store: EvidenceStore) -> list[str]:
    """What does not fit in the chain of the pair."""
    return flaws_of_chain([seen(bucket, "pairs/orders/", run) for run in store.runs("pairs/orders/")])


def test_runs_are_chained_and_whole(bucket: ObjectBucket, store: EvidenceStore) -> None:
    for day in range(1, 4):
        write(store, f"2026112{day}T031500Z", f"e{day}")
    assert chain(bucket, store) == []
    assert store.runs("pairs/orders/") == [f"2026112{day}T031500Z" for day in range(1, 4)]


@pytest.mark.parametrize("name", ["evidence.json", "report.html", "junit.xml", "findings-00001.jsonl", "manifest.json"])
def test_a_changed_byte_is_found(bucket: ObjectBucket, store: EvidenceStore, name: str) -> None:
    write(store, "20261121T031500Z", "e1", [{"key": "a"}])
    write(store, "20261122T031500Z", "e2")
    bucket.objects[f"pairs/orders/20261121T031500Z/{name}"] += b" "
    assert any("20261121T031500Z" in flaw for flaw in chain(bucket, store))


def test_the_next_run_says_that_the_one_before_was_changed(bucket: ObjectBucket, store: EvidenceStore) -> None:
    write(store, "20261121T031500Z", "e1")
    bucket.objects["pairs/orders/20261121T031500Z/report.html"] = b"all is well"
    name = store.begin("orders", "20261122T031500Z", CREATED, "e2")
    ended = store.finish("orders", name, RESULT, CREATED, (), "e2")
    assert any("report.html is not as it was written" in flaw for flaw in ended.broken)


def test_a_run_that_has_begun_proves_nothing(bucket: ObjectBucket, store: EvidenceStore) -> None:
    store.begin("orders", "20261121T031500Z", CREATED, "e1")
    record = json.loads(bucket.objects["pairs/orders/20261121T031500Z/evidence.json"])
    assert record["verdict"] == "unknown"
    assert [ended for _run, _record, ended in store.records("pairs/orders/")] == [False]


def test_two_runs_of_one_second_get_two_names_and_a_repeated_one_its_own(store: EvidenceStore) -> None:
    run = "20261121T031500Z"
    assert [store.begin("orders", run, CREATED, one) for one in ("a", "b", "a", "b")] == [
        run,
        f"{run}-2",
        run,
        f"{run}-2",
    ]


def test_a_run_that_has_ended_is_never_written_again(bucket: ObjectBucket, store: EvidenceStore) -> None:
    name = write(store, "20261121T031500Z", "e1")
    before = dict(bucket.objects)
    store.finish("orders", name, {**RESULT, "verdict": "broken"}, CREATED, (), "e1")
    assert bucket.objects == before


@pytest.mark.parametrize("killed_at", range(1, 7))
def test_a_run_that_is_killed_at_any_write_and_repeated_is_whole(killed_at: int) -> None:
    bucket = ObjectBucket("example-evidence")
    store = EvidenceStore(bucket, bucket.bucket, bucket.owner)
    write(store, "20261120T031500Z", "e0")
    bucket.interrupt = KilledAtPut(killed_at)
    with pytest.raises(SystemExit):
        write(store, "20261121T031500Z", "e1", [{"key": "a"}])
    assert flaws_of_run(seen(bucket, "pairs/orders/", "20261121T031500Z")) != []
    write(store, "20261121T031500Z", "e1", [{"key": "a"}])
    assert chain(bucket, store) == []


def test_findings_are_split_into_files_and_all_of_them_are_kept(
    bucket: ObjectBucket, store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_store, "_FINDINGS_IN_A_FILE", 2)
    name = write(store, "20261121T031500Z", "e1", ({"key": str(number)} for number in range(5)))
    prefix = f"pairs/orders/{name}/"
    record = json.loads(bucket.objects[f"{prefix}evidence.json"])
    assert record["findings_files"] == [f"findings-0000{number}.jsonl" for number in (1, 2, 3)]
    rows = [json.loads(row) for file in record["findings_files"] for row in bucket.objects[prefix + file].splitlines()]
    assert [row["key"] for row in rows] == list("01234")


def test_the_fleet_names_the_manifest_of_each_pair(bucket: ObjectBucket, store: EvidenceStore) -> None:
    run = write(store, "20261121T031500Z", "e1")
    ended = store.fleet([RESULT], {"orders": run}, run, CREATED, "e1")
    manifest = bucket.objects[f"pairs/orders/{run}/manifest.json"]
    said = json.loads(bucket.objects[f"fleet/{ended.run}/manifest.json"])
    assert said["pairs"] == {"orders": {"run": run, "manifest_sha256": sha256(manifest)}}
    again = store.fleet([RESULT], {"orders": run}, run, CREATED, "e1")
    assert (again.run, again.manifest_sha256) == (ended.run, ended.manifest_sha256)
    assert store.fleet([RESULT], {"orders": run}, run, CREATED, "e2").run == f"{run}-2"


def test_evidence_of_an_older_form_and_strange_objects_are_borne(bucket: ObjectBucket, store: EvidenceStore) -> None:
    bucket.objects["pairs/orders/20251121T031500Z/evidence.json"] = b'{"schema": "other/9", "created": 7}'
    bucket.objects["pairs/orders/20251121T031500Z/manifest.json"] = b"not json"
    bucket.objects["pairs/orders/20251122T031500Z/evidence.json"] = b"\xff\x00"
    bucket.objects["pairs/orders/notes/todo.txt"] = b"hello"
    bucket.objects["pairs/orders/stray"] = b""
    name = write(store, "20261121T031500Z", "e1")
    assert [run for run, _record, _ended in store.records("pairs/orders/")][-1] == name
    assert any("20251121T031500Z" in flaw for flaw in chain(bucket, store))


def test_a_refusal_is_not_taken_for_nothing_there(bucket: ObjectBucket, store: EvidenceStore) -> None:
    bucket.failures["get", "pairs/orders/20261121T031500Z/manifest.json"] = error("AccessDenied", "GetObject")
    with pytest.raises(ClientError, match="AccessDenied"):
        write(store, "20261121T031500Z", "e1")
