# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What is said of a deletion."""

from __future__ import annotations

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.deletion import (
    Refusal,
    Refusals,
    deletion_sentence,
    expected_seconds,
)


@pytest.mark.parametrize(
    ("counts", "seconds"),
    [
        ({}, 1),
        ({"versions": 100_000, "bytes": 1}, 50),
        ({"versions": 2_000, "delete_markers": 3_000, "uploads": 1_000, "bytes": 10**12}, 3),
    ],
)
def test_the_time_follows_from_the_number_of_things(counts: dict[str, int], seconds: int) -> None:
    assert expected_seconds(counts) == seconds


def test_the_sentence_names_counts_the_time_and_what_it_assumes() -> None:
    counts = {"versions": 1_000_000, "bytes": 5_000, "delete_markers": 2, "uploads": 1}
    assert deletion_sentence("example", counts, locked=False) == (
        "example: 1,000,000 versions with 5,000 bytes, 2 delete markers and 1 unfinished upload go. "
        "That takes about 8 minutes, at 2,000 a second, which is assumed."
    )
    assert "Object Lock: versions under retention" in deletion_sentence("example", counts, locked=True)


def test_refusals_of_many_words_do_not_fill_the_memory() -> None:
    refusals = Refusals()
    for number in range(10_000):
        refusals.add(Refusal("key", f"v{number}", "Odd", f"refused at {number}"))
    assert refusals.total == 10_000
    assert len(refusals.counts) <= 51
    assert len(refusals.shown()) <= 60
