# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The files of a verify: never a false proof, private, and every later change found."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence import INTERRUPTED
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fleet import result_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import evidence_files
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_run import (
    Ended,
    EvidenceRun,
    NotWritten,
    check_fleet_chain,
    check_pair_chain,
    unfinished_notes,
    write_fleet,
)
from ansible_collections.crossregion.s3_dr.tests.unit.evidence_samples import HOSTILE, at_risk, finding, proven

NOW = datetime(2026, 11, 23, 14, 3, 22, 999, tzinfo=UTC)
HOUR = timedelta(hours=1)
RUN = "20261123T140322Z"
FILES = ["evidence.json", "findings.jsonl", "junit.xml", "manifest.json", "report.html"]


def run(report_dir: Path, when: datetime = NOW, result: dict[str, Any] | None = None, pair: str = "orders") -> Ended:
    """A whole run."""
    begun = EvidenceRun.begin(str(report_dir), pair, when)
    for one in (result or {}).get("findings", []):
        begun.add_finding(one)
    return begun.finish(result or proven(pair=pair))


def read(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def everything(root: Path) -> Iterator[Path]:
    """Every file below."""
    return (path for path in sorted(root.rglob("*")) if path.is_file())


# --- one run -------------------------------------------------------------------------------------------------


def test_a_run_has_its_files_in_its_directory(tmp_path: Path) -> None:
    ended = run(tmp_path, result=at_risk())
    assert ended.directory == tmp_path / "pairs" / "orders" / RUN
    assert sorted(path.name for path in ended.directory.iterdir()) == FILES
    evidence = read(ended.directory / "evidence.json")
    assert (evidence["run"], evidence["verdict"], evidence["findings_file"]) == (RUN, "at_risk", "findings.jsonl")
    assert "Everything written up to 14:03:22 UTC" in (ended.directory / "report.html").read_text()
    assert ElementTree.parse(ended.directory / "junit.xml").getroot().get("failures") == "1"
    lines = (ended.directory / "findings.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == at_risk()["findings"]
    assert (ended.broken, ended.unfinished) == ((), ())


def test_the_name_is_the_time_in_utc_wherever_one_is(tmp_path: Path) -> None:
    ended = run(tmp_path, NOW.astimezone(timezone(timedelta(hours=-7))))
    assert ended.directory.name == RUN


def test_a_run_that_is_killed_leaves_no_proof(tmp_path: Path) -> None:
    begun = EvidenceRun.begin(str(tmp_path), "orders", NOW)
    begun.add_finding(finding())
    begun.close()
    evidence = read(begun.directory / "evidence.json")
    assert (evidence["verdict"], evidence["problems"]) == ("unknown", [INTERRUPTED])
    assert evidence["created"] == "2026-11-23T14:03:22Z"
    assert sorted(path.name for path in begun.directory.iterdir()) == ["evidence.json", "findings.jsonl.part"]


@pytest.mark.parametrize("name", ["evidence.json", "report.html", "junit.xml", "manifest.json"])
def test_a_run_that_is_killed_while_it_ends_has_no_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    begun = EvidenceRun.begin(str(tmp_path), "orders", NOW)
    put = evidence_files.put

    def killed(path: Path, data: bytes) -> None:
        if path.name == name:
            raise KeyboardInterrupt
        put(path, data)

    monkeypatch.setattr(evidence_files, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        begun.finish(proven())
    monkeypatch.undo()
    assert not (begun.directory / "manifest.json").exists()
    assert "has not ended" in check_pair_chain(str(tmp_path), "orders")[0]


def test_findings_are_on_disk_while_the_run_goes_on(tmp_path: Path) -> None:
    """They are streamed: memory does not grow with them."""
    begun = EvidenceRun.begin(str(tmp_path), "orders", NOW)
    part = begun.directory / "findings.jsonl.part"
    for _number in range(1000):
        begun.add_finding(finding())
    assert part.stat().st_size > 100_000
    begun.close()


def test_threads_may_add_findings(tmp_path: Path) -> None:
    begun = EvidenceRun.begin(str(tmp_path), "orders", NOW)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: begun.add_finding(finding(key=f"{number}/{HOSTILE}")), range(500)))
    directory = begun.finish(proven()).directory
    lines = (directory / "findings.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["key"] for line in lines} == {f"{number}/{HOSTILE}" for number in range(500)}


def test_one_thread_at_a_time_adds_a_finding(tmp_path: Path) -> None:
    begun = EvidenceRun.begin(str(tmp_path), "orders", NOW)
    begun.close()
    alone = []

    class Watched(BytesIO):
        def writelines(self, lines: object) -> None:
            alone.append(begun._adding.locked())

    begun._findings = Watched()
    begun.add_finding(finding())
    assert alone == [True]


def test_a_run_that_has_ended_takes_no_more_findings(tmp_path: Path) -> None:
    begun = EvidenceRun.begin(str(tmp_path), "orders", NOW)
    begun.finish(proven())
    with pytest.raises(NotWritten, match="has ended"):
        begun.add_finding(finding())


def test_only_the_user_reads_it(tmp_path: Path) -> None:
    root = tmp_path / "a" / "b"
    before = os.umask(0)
    try:
        run(root)
        write_fleet(str(root), [], NOW)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in everything(tmp_path)}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_dir()} == {0o700}


def test_two_runs_in_one_second_have_two_directories(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _number: EvidenceRun.begin(str(tmp_path), "orders", NOW), range(12)))
    names = {one.name for one in begun}
    assert names == {RUN, *(f"{RUN}-{number}" for number in range(2, 13))}
    for one in begun:
        one.finish(proven())
    assert check_pair_chain(str(tmp_path), "orders") == []


# --- what cannot be written ----------------------------------------------------------------------------------


def test_a_report_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInput, match=r"cannot be written to .*file.*Name a directory that can be written"):
        EvidenceRun.begin(str(tmp_path / "file"), "orders", NOW)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("report_dir", ["", "  "])
def test_a_report_dir_that_is_empty(report_dir: str) -> None:
    with pytest.raises(InvalidInput, match="`report_dir` is empty"):
        EvidenceRun.begin(report_dir, "orders", NOW)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_directory_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(path: Path, *_more: object, **_named: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(InvalidInput, match=os.strerror(number)):
        EvidenceRun.begin(str(tmp_path / "x"), "orders", NOW)


def test_a_disk_that_is_full_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = EvidenceRun.begin(str(tmp_path), "orders", NOW)

    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(evidence_files, "opened", full)
    with pytest.raises(NotWritten, match=r"No space left on device\. Make room"):
        begun.finish(proven())
    assert read(begun.directory / "evidence.json")["verdict"] == "unknown"


# --- the chain -----------------------------------------------------------------------------------------------


def test_each_run_follows_the_one_before(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path, NOW + HOUR)
    link = read(second.directory / "manifest.json")["previous"]
    assert link == {"run": first.directory.name, "manifest_sha256": first.manifest_sha256}
    assert read(second.directory / "evidence.json")["chain"]["previous"] == link
    assert check_pair_chain(str(tmp_path), "orders") == []


def test_the_command_on_the_page_checks_the_hashes(tmp_path: Path) -> None:
    directory = run(tmp_path).directory
    page = ElementTree.parse(directory / "report.html")
    command = "".join(page.getroot().find(".//pre").itertext())
    assert subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=directory, check=False).returncode == 0
    (directory / "findings.jsonl").write_text("{}\n")
    assert subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=directory, check=False).returncode != 0


def test_what_was_changed_is_said_by_the_next_run_and_kept(tmp_path: Path) -> None:
    first = run(tmp_path)
    (first.directory / "evidence.json").write_text("{}")
    second = run(tmp_path, NOW + HOUR)
    assert len(second.broken) == 1
    assert f"Run {RUN}: evidence.json is not as it was written" in second.broken[0]
    assert read(second.directory / "manifest.json")["broken"] == list(second.broken)
    assert "Do not rely on it" in (second.directory / "report.html").read_text()


def test_runs_that_did_not_end_are_named(tmp_path: Path) -> None:
    run(tmp_path)
    EvidenceRun.begin(str(tmp_path), "orders", NOW + HOUR).close()
    third = run(tmp_path, NOW + 2 * HOUR)
    assert third.unfinished == ("20261123T150322Z",)
    assert unfinished_notes(third) == ["Run 20261123T150322Z before this one has not ended, or is still going on."]
    assert read(third.directory / "manifest.json")["previous"]["run"] == RUN
    assert run(tmp_path, NOW + 3 * HOUR).unfinished == ()


def test_what_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pairs" / "orders" / "notes").mkdir(parents=True)
    (tmp_path / "pairs" / "orders" / "readme.txt").write_text("mine")
    run(tmp_path)
    assert run(tmp_path, NOW + HOUR).broken == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.data())
def test_every_changed_byte_of_every_file_of_every_run_is_found(runs: int, data: st.DataObject) -> None:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        ended = [run(root, NOW + number * HOUR, at_risk()) for number in range(runs)]
        write_fleet(
            directory,
            [result_of({"pair": "orders", "result": {**at_risk(), "evidence": str(ended[-1].directory)}})],
            NOW,
        )
        assert check_pair_chain(directory, "orders") == check_fleet_chain(directory) == []
        path = data.draw(st.sampled_from(list(everything(root))))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        found = [*check_pair_chain(directory, "orders"), *check_fleet_chain(directory)]
        assert any(path.parent.name in flaw for flaw in found)


@pytest.mark.parametrize("name", FILES)
def test_every_missing_file_is_found(tmp_path: Path, name: str) -> None:
    first = run(tmp_path)
    run(tmp_path, NOW + HOUR)
    (first.directory / name).unlink()
    assert any(RUN in flaw for flaw in check_pair_chain(str(tmp_path), "orders"))


def test_a_file_that_cannot_be_read_is_as_good_as_changed(tmp_path: Path) -> None:
    first = run(tmp_path)
    (first.directory / "junit.xml").unlink()
    (first.directory / "junit.xml").symlink_to(tmp_path / "nowhere")
    assert "junit.xml is not as it was written" in check_pair_chain(str(tmp_path), "orders")[0]
    assert "junit.xml" in run(tmp_path, NOW + HOUR).broken[0]


def test_only_the_files_of_the_run_before_are_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run must not get slower with each that was before it."""
    for number in range(5):
        run(tmp_path, NOW + number * HOUR)
    read_again = []
    hash_of = evidence_files.hash_of

    def counted(path: Path) -> str:
        read_again.append(path.parent.name)
        return hash_of(path)

    monkeypatch.setattr(evidence_files, "hash_of", counted)
    run(tmp_path, NOW + 5 * HOUR)
    assert set(read_again) == {"20261123T180322Z", "20261123T190322Z"}


# --- history -------------------------------------------------------------------------------------------------


def test_the_page_shows_the_runs_before(tmp_path: Path) -> None:
    for number in range(3):
        run(tmp_path, NOW + number * HOUR)
    assert "The last 4 runs" in (run(tmp_path, NOW + 3 * HOUR).directory / "report.html").read_text()


def test_the_page_shows_at_most_thirty_runs(tmp_path: Path) -> None:
    for number in range(32):
        ended = run(tmp_path, NOW + number * HOUR)
    assert "The last 30 runs" in (ended.directory / "report.html").read_text()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{", b'{"recovery": []}', b"[" * 100_000])
def test_a_record_that_cannot_be_read_does_not_stop_the_run(tmp_path: Path, content: bytes) -> None:
    (run(tmp_path).directory / "evidence.json").write_bytes(content)
    ended = run(tmp_path, NOW + HOUR)
    assert "evidence.json is not as it was written" in ended.broken[0]
    assert read(ended.directory / "evidence.json")["verdict"] == "proven"


# --- the fleet -----------------------------------------------------------------------------------------------


def fleet(root: Path, when: datetime = NOW) -> Ended:
    """A run over two pairs, one of which wrote no evidence."""
    ended = run(root, when)
    results = [
        result_of({"pair": "orders", "result": {**proven(), "evidence": str(ended.directory)}}),
        result_of({"pair": "lost", "result": None}),
    ]
    return write_fleet(str(root), results, when)


def test_the_fleet_has_its_files_and_links_to_the_pairs(tmp_path: Path) -> None:
    ended = fleet(tmp_path)
    assert ended.directory == tmp_path / "fleet" / RUN
    page = (ended.directory / "report.html").read_text()
    link = ElementTree.fromstring(page).find(".//a")
    assert link is not None
    assert link.get("href") == f"../../pairs/orders/{RUN}/report.html"
    assert (ended.directory / str(link.get("href"))).is_file()
    suites = ElementTree.parse(ended.directory / "junit.xml").getroot()
    assert [suite.get("name") for suite in suites] == ["orders", "lost"]
    assert suites.get("errors") == "1"
    assert read(ended.directory / "evidence.json")["verdict"] == "unknown"


def test_the_chain_of_the_fleet_covers_the_pairs(tmp_path: Path) -> None:
    fleet(tmp_path)
    second = fleet(tmp_path, NOW + HOUR)
    assert read(second.directory / "manifest.json")["previous"]["run"] == RUN
    assert check_fleet_chain(str(tmp_path)) == []
    pair = tmp_path / "pairs" / "orders" / "20261123T150322Z" / "manifest.json"
    assert read(second.directory / "manifest.json")["pairs"]["orders"]["run"] == "20261123T150322Z"
    pair.write_bytes(pair.read_bytes() + b"\n")
    assert "pair orders, run 20261123T150322Z, is missing or was changed" in check_fleet_chain(str(tmp_path))[0]


def test_a_directory_with_any_name_is_linked_as_a_url(tmp_path: Path) -> None:
    root = tmp_path / "a b#%?"
    page = (fleet(root).directory / "report.html").read_text()
    assert f'href="../../pairs/orders/{RUN}/report.html"' in page
    other = run(tmp_path / "elsewhere #1")
    results = [result_of({"pair": "orders", "result": {**proven(), "evidence": str(other.directory)}})]
    page = (write_fleet(str(root), results, NOW).directory / "report.html").read_text()
    assert "elsewhere%20%231/pairs/orders" in page


def test_an_empty_report_dir_has_an_empty_chain(tmp_path: Path) -> None:
    assert check_pair_chain(str(tmp_path / "x"), "orders") == check_fleet_chain(str(tmp_path / "x")) == []


def test_how_much_there_is_to_compare_is_known_from_the_newest_whole_run_before(tmp_path: Path) -> None:
    assert EvidenceRun.begin(str(tmp_path), "orders", NOW).rows_compared_before(()) is None
    whole = {"complete": True, "source_versions": 5, "source_delete_markers": 2}
    run(tmp_path, NOW + timedelta(minutes=1), proven(comparisons=[{**whole, "source_versions": 1000}]))
    run(tmp_path, NOW + timedelta(minutes=2), proven(comparisons=[whole]))
    run(tmp_path, NOW + timedelta(minutes=3), proven(comparisons=[{**whole, "complete": False}]))
    run(tmp_path, NOW + timedelta(minutes=4), proven(comparisons=[{**whole, "source_versions": 9}]), "invoices")
    some = [{**whole, "source_versions": 1}]
    run(tmp_path, NOW + timedelta(minutes=5), proven(comparisons=some, prefixes=["b/", "a/"]))
    begun = EvidenceRun.begin(str(tmp_path), "orders", NOW + timedelta(hours=1))
    assert begun.rows_compared_before(()) == 7
    assert begun.rows_compared_before(("a/", "b/")) == 3
    assert begun.rows_compared_before(("a/",)) is None
