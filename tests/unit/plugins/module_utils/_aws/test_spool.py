# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Differences come back from disk as they were, those first that matter most; a full disk is said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.spool import Spool, SpoolFailed
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.explain import Rank
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.march import Difference, Kind
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.version_store import keys, version

moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
versions = st.builds(
    Version,
    keys,
    st.text(min_size=1, max_size=4),
    moments,
    st.none() | st.integers(0, 50 * 1024**4),
    st.text(max_size=4),
    st.sampled_from(["STANDARD", "GLACIER"]),
    st.booleans(),
)
differences = st.builds(
    Difference,
    st.sampled_from(Kind),
    versions,
    st.booleans(),
    st.none() | versions,
    st.booleans(),
    st.none() | moments,
    st.booleans(),
)
A_DIFFERENCE = Difference(Kind.MISSING, version("a"))


@given(st.lists(st.tuples(st.sampled_from(Rank), differences), max_size=12))
def test_what_is_put_comes_back_in_the_order_of_ranks(found: list[tuple[Rank, Difference]]) -> None:
    with Spool() as spool:
        for rank, difference in found:
            spool.put(rank, difference)
        assert list(spool.take()) == [difference for _rank, difference in sorted(found, key=lambda one: one[0])]
        assert spool.counts.total() == len(found)


def test_an_empty_spool_has_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spool, "_temporary", lambda self: pytest.fail("a file was made"))
    with Spool() as spool:
        assert list(spool.take()) == []


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Spool(str(tmp_path)) as spool:
        spool.put(Rank.MISSING, A_DIFFERENCE)
        assert list(spool.take()) == [A_DIFFERENCE]
        assert list(tmp_path.iterdir()) == []


def full(_spool: Spool) -> IO[str]:
    """A file on a disk that is full."""
    return Path("/dev/full").open("r+")


def put_many(spool: Spool) -> None:
    """More than is held back before it goes to disk."""
    for _again in range(10_000):
        spool.put(Rank.MISSING, A_DIFFERENCE)


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Spool, "_temporary", full)
    with Spool(str(tmp_path)) as spool:
        with pytest.raises(SpoolFailed, match="No space left on device") as failure:
            put_many(spool)
        assert str(tmp_path) in str(failure.value)
        assert "TMPDIR" in str(failure.value)


def test_a_disk_that_is_full_only_when_all_is_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spool, "_temporary", full)
    with Spool() as spool:
        spool.put(Rank.MISSING, A_DIFFERENCE)
        with pytest.raises(SpoolFailed, match="No space left on device"):
            list(spool.take())


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with Spool(str(tmp_path / "none")) as spool, pytest.raises(SpoolFailed, match="No such file or directory"):
        spool.put(Rank.MISSING, A_DIFFERENCE)
