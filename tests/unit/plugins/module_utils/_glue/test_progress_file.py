# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A module says how it gets on, and nothing about saying so can disturb it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.progress import Count
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.progress_file import VARIABLE, ProgressFile
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the count shall stand, in a folder of its own."""
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "progress.json"


@pytest.fixture
def time() -> Time:
    """A clock that the test moves."""
    return Time()


def in_file(path: Path) -> Count | None:
    """What somebody reads who looks now."""
    return Count.of_text(path.read_text())


def test_the_first_report_is_written_at_once(path: Path, time: Time) -> None:
    ProgressFile(str(path), time.clock).report(1_240, 3_000)
    assert in_file(path) == Count(1_240, 3_000)


def test_nobody_has_to_know_how_many_are_expected(path: Path, time: Time) -> None:
    ProgressFile(str(path), time.clock).report(1_240)
    assert in_file(path) == Count(1_240, None)


def test_only_one_report_a_second_is_written(path: Path, time: Time) -> None:
    progress = ProgressFile(str(path), time.clock)
    seen = []
    for compared in range(1, 31):
        progress.report(compared)
        seen.append(in_file(path))
        time.sleep(0.125)
    assert [count.compared for count in seen if count] == [1 + (report // 8) * 8 for report in range(30)]


def test_what_came_within_the_second_is_written_in_the_end(path: Path, time: Time) -> None:
    progress = ProgressFile(str(path), time.clock)
    progress.report(1)
    progress.report(2)
    assert in_file(path) == Count(1)
    progress.flush()
    assert in_file(path) == Count(2)


def test_a_flush_with_nothing_new_writes_nothing(path: Path, time: Time) -> None:
    progress = ProgressFile(str(path), time.clock)
    progress.flush()
    assert not path.exists()
    progress.report(1)
    path.unlink()
    progress.flush()
    assert not path.exists()


def test_a_count_is_never_half_written(path: Path, time: Time) -> None:
    progress = ProgressFile(str(path), time.clock)
    progress.report(1)
    with path.open() as before:
        time.sleep(2)
        progress.report(2)
        assert Count.of_text(before.read()) == Count(1)
    assert in_file(path) == Count(2)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("nowhere", [None, ""])
def test_without_a_path_nothing_is_written(
    nowhere: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: Time
) -> None:
    monkeypatch.chdir(tmp_path)
    progress = ProgressFile(nowhere, time.clock)
    progress.report(1, 2)
    progress.flush()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_does_not_disturb_the_run(path: Path, time: Time) -> None:
    progress = ProgressFile(str(path), time.clock)
    progress.report(1)
    path.unlink()
    path.parent.rmdir()
    time.sleep(5)
    progress.report(2)
    progress.flush()
    assert not path.parent.exists()


def test_a_full_disk_does_not_disturb_the_run(path: Path, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = ProgressFile(str(path), time.clock)
    with monkeypatch.context() as full:
        full.setattr(Path, "write_text", lambda *given, **named: (x for x in ()).throw(OSError(28, "No space left")))
        progress.report(1)
    assert not path.exists()
    time.sleep(1)
    progress.report(2)
    assert in_file(path) == Count(2)


def test_two_threads_never_write_at_the_same_time(path: Path, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first writer waits a moment for the second, who must not come."""
    writers, both = [], threading.Event()

    def write(file: Path, text: str, encoding: str) -> None:
        writers.append(text)
        if len(writers) == 2:
            both.set()
        else:
            assert not both.wait(0.2)
        file.write_bytes(text.encode(encoding))

    progress = ProgressFile(str(path), lambda: time.sleep(1) or time.now)
    monkeypatch.setattr(Path, "write_text", write)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(progress.report, compared) for compared in (7, 7)]:
            done.result()
    assert writers == [Count(7).as_text()] * 2
    assert in_file(path) == Count(7)


def test_the_path_comes_in_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, os.fspath(path))
    ProgressFile.of_the_task().report(1)
    assert in_file(path) == Count(1)


def test_a_task_at_which_nobody_looks_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    ProgressFile.of_the_task().report(1)
    assert list(tmp_path.iterdir()) == []
