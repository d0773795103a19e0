# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Tasks that change the same document wait for each other, and are never kept by a file that cannot be locked."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.one_at_a_time import one_at_a_time


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the locks."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_second_waits_until_the_first_is_done(folder: Path) -> None:
    order = []
    began = threading.Event()

    def second() -> None:
        began.set()
        with one_at_a_time("events"):
            order.append("second")

    thread = threading.Thread(target=second)
    with one_at_a_time("events"):
        thread.start()
        began.wait()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    (lock,) = folder.iterdir()
    assert lock.stat().st_mode & 0o777 == 0o600


def test_another_thing_is_not_waited_for() -> None:
    with one_at_a_time("events"), one_at_a_time("others"):
        pass


def test_a_failure_lets_the_next_in() -> None:
    with pytest.raises(ValueError, match="broken"), one_at_a_time("events"):
        raise ValueError("broken")
    with one_at_a_time("events"):
        pass


def test_a_link_that_somebody_laid_is_not_followed(folder: Path) -> None:
    """In a folder that all users share, the name of the file can be known."""
    with one_at_a_time("events"):
        (lock,) = folder.iterdir()
    lock.unlink()
    aim = folder / "aim"
    lock.symlink_to(aim)
    with one_at_a_time("events"):
        assert not aim.exists()
