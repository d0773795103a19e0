# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What an auditor fetches is what the bucket holds, stays as it was fetched, and never leaves its directory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.evidence_download import Evidence, is_evidence
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.evidence_store import EvidenceStore
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_report import (
    Fetched,
    fetch,
    flaws,
    pair_runs,
)
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.objects import ObjectBucket

RESULT = {"pair": "orders", "verdict": "proven", "problems": [], "checks": [], "comparisons": [], "prefixes": []}
CREATED = "2026-11-24T03:15:00Z"
RUNS = ("20261121T031500Z", "20261122T031500Z")
PAGE = f"pairs/orders/{RUNS[0]}/report.html"


class Listed(ObjectBucket):
    """A bucket whose listing tells sizes and ETags."""

    def paginate(self, **params: Any) -> Any:
        """One page of everything, or what the evidence store asks for."""
        if "Prefix" in params:
            yield from super().paginate(**params)
            return
        yield {
            "Contents": [
                {"Key": key, "Size": len(one), "ETag": f'"{hashlib.md5(one, usedforsecurity=False).hexdigest()}"'}
                for key, one in sorted(self.objects.items())
            ]
        }


@pytest.fixture
def bucket() -> Listed:
    """The evidence of two runs of a pair and of the fleet."""
    made = Listed("example-evidence")
    store = EvidenceStore(made, made.bucket, made.owner)
    for number, run in enumerate(RUNS):
        store.begin("orders", run, CREATED, f"e{number}")
        store.finish("orders", run, RESULT, CREATED, (), f"e{number}")
        store.fleet([RESULT], {"orders": run}, run, CREATED, f"e{number}")
    return made


def fetched(bucket: Listed, root: Path, check_mode: bool = False) -> Fetched:
    """Fetch everything."""
    evidence = Evidence(bucket, bucket.bucket, bucket.owner)
    return fetch(evidence, evidence.objects()[0], root, check_mode)


def test_all_is_fetched_once_and_its_chains_are_whole(bucket: Listed, tmp_path: Path) -> None:
    assert len(fetched(bucket, tmp_path).new) == 2 * 5 + 2 * 4
    assert fetched(bucket, tmp_path) == Fetched()
    assert flaws(tmp_path, ["orders"], fleet=True) == []
    assert [run.ended for run in pair_runs(tmp_path, ["orders"])[0].runs] == [True, True]


def test_check_mode_writes_nothing(bucket: Listed, tmp_path: Path) -> None:
    assert len(fetched(bucket, tmp_path / "new", check_mode=True).new) == 18
    assert not (tmp_path / "new").exists()


def test_what_was_fetched_is_never_replaced(bucket: Listed, tmp_path: Path) -> None:
    fetched(bucket, tmp_path)
    before = (tmp_path / PAGE).read_bytes()
    bucket.objects[PAGE] = b"all is well"
    found = fetched(bucket, tmp_path)
    assert (found.new, len(found.changed)) == ([], 1)
    assert PAGE in found.changed[0]
    assert (tmp_path / PAGE).read_bytes() == before


def test_a_change_in_the_bucket_is_found_by_who_fetches_for_the_first_time(bucket: Listed, tmp_path: Path) -> None:
    bucket.objects[PAGE] = b"all is well"
    fetched(bucket, tmp_path)
    assert any("report.html is not as it was written" in flaw for flaw in flaws(tmp_path, ["orders"], fleet=True))


def test_a_change_of_what_was_fetched_is_found(bucket: Listed, tmp_path: Path) -> None:
    fetched(bucket, tmp_path)
    (tmp_path / "fleet" / RUNS[0] / "junit.xml").write_bytes(b"<testsuites/>")
    assert any(flaw.startswith("Fleet: ") and "junit.xml" in flaw for flaw in flaws(tmp_path, ["orders"], fleet=True))
    assert flaws(tmp_path, ["orders"], fleet=False) == []


def test_a_run_that_goes_on_is_no_flaw_and_is_fetched_again_when_it_has_ended(bucket: Listed, tmp_path: Path) -> None:
    store = EvidenceStore(bucket, bucket.bucket, bucket.owner)
    run = "20261123T031500Z"
    store.begin("orders", run, CREATED, "e3")
    fetched(bucket, tmp_path)
    assert flaws(tmp_path, ["orders"], fleet=True) == []
    store.finish("orders", run, RESULT, CREATED, (), "e3")
    assert f"pairs/orders/{run}/evidence.json" in fetched(bucket, tmp_path).new
    assert flaws(tmp_path, ["orders"], fleet=True) == []


def test_what_the_bucket_lost_is_said(bucket: Listed, tmp_path: Path) -> None:
    fetched(bucket, tmp_path)
    del bucket.objects[PAGE]
    assert fetched(bucket, tmp_path).gone == [PAGE]


@pytest.mark.parametrize(
    "key",
    [
        "pairs/../../etc/passwd",
        "pairs/../20261121T031500Z/evidence.json",
        "pairs/orders/20261121T031500Z/../../../x",
        "/etc/passwd",
        "pairs/orders/20261121T031500Z/..",
        "pairs/orders/20261121T031500Z/.hidden",
        "pairs/orders/notes/evidence.json",
        "fleet/20261121T031500Z/a/b",
        "pairs//20261121T031500Z/evidence.json",
        "index.html",
        "",
    ],
)
def test_no_key_leads_out_of_the_directory(key: str) -> None:
    assert not is_evidence(key)


def test_strange_objects_are_told_and_left(bucket: Listed, tmp_path: Path) -> None:
    bucket.objects["pairs/../x"] = b"x"
    bucket.objects["index.html"] = b"page"
    assert Evidence(bucket, bucket.bucket, bucket.owner).objects()[1] == ["pairs/../x"]
    assert len(fetched(bucket, tmp_path).new) == 18
