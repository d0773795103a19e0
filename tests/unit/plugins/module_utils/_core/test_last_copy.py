# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What would be lost with a bucket: the direction decides, and what cannot be told counts as lost."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import Cause
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.last_copy import Copy, alone, copies, loss_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Rule
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ARCHIVE, DR, PRIMARY, a_pair

PAIR = a_pair(rules=(Rule("orders", 1), Rule("archive", 2, destination=ARCHIVE)))
OF_PRIMARY, OF_DR = Copy(PRIMARY.bucket, DR.bucket), Copy(DR.bucket, PRIMARY.bucket)
COMPARED = {"source": PRIMARY.bucket, "destination": DR.bucket, "complete": True, "reason": "", "in_flight": 0}


def finding(cause: Cause, *, missing: bool, back: bool = False, **more: Any) -> dict[str, Any]:
    """A finding of a verify about one version of 5 bytes."""
    ends = (DR.bucket, PRIMARY.bucket) if back else (PRIMARY.bucket, DR.bucket)
    return {
        "cause": cause.value,
        "source": ends[0],
        "destination": ends[1],
        "key": "a key",
        "version_id": "v1",
        "size": 5,
        "delete_marker": False,
        "missing": missing,
        **more,
    }


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ([DR.bucket], [OF_DR]),
        ([PRIMARY.bucket], [OF_PRIMARY]),
        ([ARCHIVE.bucket], [Copy(ARCHIVE.bucket, PRIMARY.bucket)]),
        ([ARCHIVE.bucket, DR.bucket], [OF_DR, Copy(ARCHIVE.bucket, PRIMARY.bucket)]),
        ([ARCHIVE.bucket, PRIMARY.bucket], [OF_PRIMARY, Copy(ARCHIVE.bucket, None)]),
        ([PRIMARY.bucket, DR.bucket], []),
        ([PRIMARY.bucket, DR.bucket, ARCHIVE.bucket], []),
    ],
)
def test_the_other_copy_is_at_the_other_end_unless_that_goes_as_well(named: list[str], expected: list[Copy]) -> None:
    assert list(copies(PAIR, named)) == expected


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.CONTENT_DIFFERS])
def test_what_the_dr_bucket_lacks_is_lost_with_the_primary_alone_whatever_the_cause(cause: Cause) -> None:
    found = [finding(cause, missing=True)]
    lost = loss_of(OF_PRIMARY, [COMPARED], found, two_way=False)
    assert (lost.versions, lost.size, dict(lost.causes)) == (1, 5, {cause.value: 1})
    assert lost
    assert not loss_of(OF_DR, [COMPARED], found, two_way=False)


@pytest.mark.parametrize(
    "cause", [Cause.FOREIGN_OBJECT, Cause.VERSION_DELETED_AT_SOURCE, Cause.CONFLICT, Cause.UNEXAMINED]
)
def test_what_only_the_dr_bucket_holds_is_lost_with_it_alone(cause: Cause) -> None:
    found = [finding(cause, missing=False)]
    assert loss_of(OF_DR, [COMPARED], found, two_way=False).versions == 1
    assert not loss_of(OF_PRIMARY, [COMPARED], found, two_way=False)


def test_of_a_two_way_pair_what_has_not_come_back_is_lost_with_the_dr_bucket() -> None:
    found = [finding(Cause.LATE, missing=True, back=True)]
    assert loss_of(OF_DR, [COMPARED], found, two_way=True).versions == 1
    assert not loss_of(OF_PRIMARY, [COMPARED], found, two_way=True)


def test_other_content_is_lost_with_either() -> None:
    found = [finding(Cause.CONTENT_DIFFERS, missing=True)]
    assert loss_of(OF_DR, [COMPARED], found, two_way=False)
    assert loss_of(OF_PRIMARY, [COMPARED], found, two_way=False)


def test_a_delete_marker_is_counted_and_loses_nothing() -> None:
    found = [finding(Cause.DELETE_MARKER_BY_CHOICE, missing=True, delete_marker=True, size=0)]
    lost = loss_of(OF_PRIMARY, [COMPARED], found, two_way=False)
    assert (lost.delete_markers, lost.versions, bool(lost)) == (1, 0, False)


def test_findings_about_other_buckets_do_not_count() -> None:
    found = [{**finding(Cause.LATE, missing=True), "destination": ARCHIVE.bucket}]
    assert not loss_of(OF_PRIMARY, [COMPARED], found, two_way=False)


@pytest.mark.parametrize(
    ("compared", "reason"),
    [
        ([], "it was not compared with example-orders"),
        ([{**COMPARED, "destination": ARCHIVE.bucket}], "it was not compared with example-orders"),
        ([{**COMPARED, "complete": False, "reason": "S3 did not answer."}], "S3 did not answer."),
    ],
)
def test_what_was_not_compared_to_the_end_is_not_known(compared: list[dict[str, Any]], reason: str) -> None:
    lost = loss_of(OF_DR, compared, [], two_way=False)
    assert lost
    assert reason in lost.sentence()


@pytest.mark.parametrize(
    ("copy", "two_way", "known"),
    [(OF_PRIMARY, False, False), (OF_PRIMARY, True, False), (OF_DR, True, False), (OF_DR, False, True)],
)
def test_what_is_in_flight_from_a_bucket_that_goes_is_not_known(copy: Copy, two_way: bool, known: bool) -> None:
    """To the DR bucket of a one-way pair nothing comes but replicas, which the primary holds."""
    lost = loss_of(copy, [{**COMPARED, "in_flight": 3}], [], two_way=two_way)
    assert bool(lost) is not known
    assert ("while it was compared with" in lost.unknown) is not known


def test_the_sentence_names_counts_causes_the_first_ones_and_the_way_out() -> None:
    found = [finding(Cause.FOREIGN_OBJECT, missing=False, key=f"k{number}") for number in range(1200)]
    found += [finding(Cause.VERSION_DELETED_AT_SOURCE, missing=False, key="old")]
    assert loss_of(OF_DR, [COMPARED], found, two_way=False).sentence() == (
        "example-orders-dr holds what example-orders lacks: 1,201 versions with 6,005 bytes (1,200 "
        "foreign_object_at_destination, 1 version_deleted_at_source), for example 'k0' (v1), 'k1' (v1), 'k2' (v1). "
        "Verify tells each with its remedy; replicate them first, or copy them. "
        "To delete example-orders-dr all the same, name it in `accept_loss`, the role's `teardown_accept_loss`."
    )


def test_without_the_other_bucket_all_of_it_would_be_lost() -> None:
    lost = alone(OF_DR, {"versions": 12, "bytes": 60, "delete_markers": 1, "uploads": 0})
    assert lost
    assert "example-orders does not exist, so example-orders-dr holds the only copy of 12 versions with 60 bytes" in (
        lost.sentence()
    )
