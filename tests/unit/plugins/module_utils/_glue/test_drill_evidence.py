# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The files of drills: a chain of their own beside the evidence of a verify, and never a false proof."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import evidence_files
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.drill_evidence import (
    DrillEvidence,
    check_drill_chain,
    seconds_of_last_drill,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_files import Ended, NotWritten
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_run import (
    EvidenceRun,
    check_chains,
    check_pair_chain,
)
from ansible_collections.crossregion.s3_dr.tests.unit.evidence_samples import proven

NOW = datetime(2026, 11, 23, 14, 3, 22, tzinfo=UTC)
STEPS = [{"name": "read", "status": "done", "seconds": 0.5}]
RESULT = {"pair": "orders", "verdict": "proven", "problems": [], "rto_seconds": 0.5, "steps": STEPS}


def drill(report_dir: Path, when: datetime = NOW) -> Ended:
    """A whole drill."""
    return DrillEvidence.begin(str(report_dir), "orders", when).finish(RESULT)


def test_a_drill_has_its_files_beside_those_of_a_verify(tmp_path: Path) -> None:
    EvidenceRun.begin(str(tmp_path), "orders", NOW).finish(proven())
    ended = drill(tmp_path)
    assert ended.directory == tmp_path / "drills" / "orders" / "20261123T140322Z"
    names = ["evidence.json", "junit.xml", "manifest.json", "report.html"]
    assert sorted(path.name for path in ended.directory.iterdir()) == names
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*ended.directory.iterdir(), ended.directory))
    assert (check_drill_chain(str(tmp_path), "orders"), check_pair_chain(str(tmp_path), "orders")) == ([], [])


def test_each_drill_is_tied_to_the_one_before(tmp_path: Path) -> None:
    first, second = drill(tmp_path), drill(tmp_path, NOW + timedelta(hours=1))
    manifest = json.loads((second.directory / "manifest.json").read_text())
    assert manifest["previous"] == {"run": first.directory.name, "manifest_sha256": first.manifest_sha256}
    assert "The last 2 drills" not in (first.directory / "report.html").read_text()
    assert "The last 2 drills" in (second.directory / "report.html").read_text()
    (second.directory / "evidence.json").write_text("{}")
    assert "evidence.json is not as it was written" in check_drill_chain(str(tmp_path), "orders")[0]
    assert "evidence.json is not as it was written" in drill(tmp_path, NOW + timedelta(hours=2)).broken[0]


def test_who_checks_all_evidence_checks_the_drills(tmp_path: Path) -> None:
    ended = drill(tmp_path)
    assert check_chains(str(tmp_path), ["orders"]) == []
    (ended.directory / "junit.xml").unlink()
    (flaw,) = check_chains(str(tmp_path), ["orders"])
    assert flaw.startswith(f"Drills of pair orders: Run {ended.directory.name}: junit.xml is missing")


def test_a_drill_that_is_killed_leaves_no_proof(tmp_path: Path) -> None:
    begun = DrillEvidence.begin(str(tmp_path), "orders", NOW)
    evidence = json.loads((begun.directory / "evidence.json").read_text())
    assert evidence["verdict"] == "unknown"
    assert "has not ended" in check_drill_chain(str(tmp_path), "orders")[0]
    assert drill(tmp_path, NOW + timedelta(hours=1)).unfinished == (begun.directory.name,)


@pytest.mark.parametrize("name", ["evidence.json", "report.html", "junit.xml", "manifest.json"])
def test_a_drill_that_cannot_be_written_has_no_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    begun = DrillEvidence.begin(str(tmp_path), "orders", NOW)
    put = evidence_files.put

    def full(path: Path, data: bytes) -> None:
        if path.name == name:
            raise OSError(28, "No space left on device")
        put(path, data)

    monkeypatch.setattr(evidence_files, "put", full)
    with pytest.raises(NotWritten, match="No space left"):
        begun.finish(RESULT)
    assert not (begun.directory / "manifest.json").exists()


def test_the_last_drill_that_came_to_the_recovery_tells_what_to_expect(tmp_path: Path) -> None:
    assert seconds_of_last_drill(None, "orders") == {}
    assert seconds_of_last_drill(str(tmp_path), "orders") == {}
    drill(tmp_path)
    later = DrillEvidence.begin(str(tmp_path), "orders", NOW + timedelta(hours=1))
    later.finish({**RESULT, "verdict": "unknown", "steps": [{"name": "write", "status": "done", "seconds": 9.0}]})
    assert seconds_of_last_drill(str(tmp_path), "orders") == {"read": 0.5}
    assert seconds_of_last_drill(str(tmp_path), "invoices") == {}
