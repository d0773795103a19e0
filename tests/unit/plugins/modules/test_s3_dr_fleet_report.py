# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The module over all pairs, as Ansible runs it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import evidence_run
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_run import (
    EvidenceRun,
    check_fleet_chain,
)
from ansible_collections.crossregion.s3_dr.plugins.modules import s3_dr_fleet_report
from ansible_collections.crossregion.s3_dr.tests.unit.evidence_samples import at_risk, proven

NOW = datetime(2026, 11, 23, 14, 3, 22, tzinfo=UTC)
PAIRS = [{"pair": "invoices", "result": proven()}, {"pair": "orders", "result": at_risk()}, {"pair": "lost"}]


def run(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """What the task returns."""
    with patch_module_args(options), pytest.raises(SystemExit):
        s3_dr_fleet_report.main()
    return dict(json.loads(capsys.readouterr().out))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible keeps the arguments of a process's one module."""
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", None)


def test_without_a_directory_only_the_table_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, results=PAIRS)
    assert [line.split()[0] for line in result["table"]] == ["PAIR", "lost", "orders", "invoices"]
    assert (result["verdict"], result["changed"], result["evidence"]) == ("unknown", False, None)
    assert result["counts"] == {"broken": 0, "unknown": 1, "at_risk": 1, "proven": 1}
    assert result["totals"]["bytes_at_risk"] == 1_200_000
    assert "failed" not in result


def test_with_a_directory_the_evidence_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run(capsys, results=PAIRS, report_dir=str(tmp_path))
    written = sorted(path.name for path in Path(result["evidence"]).iterdir())
    assert written == ["evidence.json", "junit.xml", "manifest.json", "report.html"]
    assert (result["problems"], result["notes"]) == ([], [])
    assert check_fleet_chain(str(tmp_path)) == []


def test_check_mode_writes_nothing_and_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run(capsys, results=PAIRS, report_dir=str(tmp_path), _ansible_check_mode=True)
    assert (result["evidence"], list(tmp_path.iterdir())) == (None, [])
    assert result["notes"] == ["No evidence was written, since this is check mode."]
    assert len(result["table"]) == 4


def test_evidence_that_was_changed_is_loud(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, said: warned.append(said))
    first = run(capsys, results=PAIRS, report_dir=str(tmp_path))
    (Path(first["evidence"]) / "junit.xml").write_text("<green/>")
    result = run(capsys, results=PAIRS, report_dir=str(tmp_path))
    assert "junit.xml is not as it was written" in result["problems"][0]
    assert warned == result["problems"]


def verified(report_dir: Path, when: datetime) -> Path:
    """The evidence of a verify of the pair invoices."""
    return EvidenceRun.begin(str(report_dir), "invoices", when).finish(proven(pair="invoices")).directory


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_whole_chain_is_checked_where_somebody_wishes_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, check_mode: bool
) -> None:
    oldest, *_rest = [verified(tmp_path, NOW + number * timedelta(hours=1)) for number in range(3)]
    first = run(capsys, results=PAIRS, report_dir=str(tmp_path), check_chain=True)
    assert first["problems"] == []
    (oldest / "findings.jsonl").write_text("{}")
    (Path(first["evidence"]) / "junit.xml").write_text("<green/>")
    options = {"results": PAIRS, "report_dir": str(tmp_path), "_ansible_check_mode": check_mode}
    problems = run(capsys, **options, check_chain=True)["problems"]
    assert len(problems) == 2, "each is said once"
    assert "junit.xml is not as it was written" in problems[0]
    assert problems[1].startswith(f"Pair invoices: Run {oldest.name}: findings.jsonl is not as it was written")
    assert not [one for one in run(capsys, **options)["problems"] if "findings.jsonl" in one]


def test_a_chain_that_cannot_be_read_is_said_and_the_table_is_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_report_dir: str, _pair: str) -> list[str]:
        raise PermissionError(13, "Permission denied", "/srv/pairs")

    monkeypatch.setattr(evidence_run, "check_pair_chain", refused)
    result = run(capsys, results=PAIRS, report_dir=str(tmp_path), check_chain=True)
    assert "cannot be checked: Permission denied (/srv/pairs)" in result["problems"][0]
    assert len(result["table"]) == 4


def test_there_is_no_chain_without_a_directory(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, results=PAIRS, check_chain=True)
    assert result["failed"] is True
    assert "report_dir" in result["msg"]


def test_a_directory_that_cannot_be_written_fails_with_one_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = run(capsys, results=PAIRS, report_dir=str(tmp_path / "file"))
    assert result["failed"] is True
    assert "Name a directory that can be written as `report_dir`" in result["msg"]


def test_no_pairs_prove_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, results=[])["verdict"] == "unknown"
