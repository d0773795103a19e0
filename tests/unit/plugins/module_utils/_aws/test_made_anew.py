# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A primary that was lost and made anew is told from one that lives, before and after versions came back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws import made_anew
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.made_anew import is_made_anew
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.versions import Version
from ansible_collections.crossregion.s3_dr.tests.unit.samples import DR, PRIMARY
from ansible_collections.crossregion.s3_dr.tests.unit.version_store import LONG_AGO, Store, marker, version

REPLICA: dict[str, Any] = {"ReplicationStatus": "REPLICA"}
COMPLETED: dict[str, Any] = {"ReplicationStatus": "COMPLETED"}


def judged(primary: list[Version], dr: list[Version], **answers: tuple[dict[str, Any], dict[str, Any]]) -> bool:
    """What is found; `answers` are what both ends tell of a key."""
    left, right = Store(primary, PRIMARY.bucket), Store(dr, DR.bucket)
    for key, (at_primary, at_dr) in answers.items():
        left.answers[key], right.answers[key] = at_primary, at_dr
    return is_made_anew(left.side(), right.side("us-west-2"), LONG_AGO)


A, B, YOUNG = version("a"), version("b"), version("young", age=-60)


@pytest.mark.parametrize(
    ("primary", "dr", "answers", "anew"),
    [
        ([], [A, B], {}, True),
        ([], [A, YOUNG], {}, True),
        ([YOUNG], [A, YOUNG], {}, True),
        ([A], [A, B], {"a": (COMPLETED, REPLICA)}, False),
        ([A], [A, B], {"a": ({}, REPLICA)}, False),
        ([A], [A, B], {"a": (REPLICA, REPLICA)}, True),  # it has come back, and more has to
        ([A, B], [A, B], {"a": (REPLICA, COMPLETED), "b": (REPLICA, REPLICA)}, True),
        ([A, B], [A, B], {"a": (REPLICA, COMPLETED), "b": (COMPLETED, REPLICA)}, False),
        ([A], [A, B], {"a": (REPLICA, COMPLETED)}, False),  # of an earlier failover, so not everything was lost
        ([A], [B], {"a": (COMPLETED, {})}, False),
        ([], [YOUNG], {}, False),  # nothing was there to be lost
        ([], [marker("a")], {}, False),
        ([], [], {}, False),
    ],
)
def test_what_the_primary_holds_tells(primary, dr, answers, anew):
    assert judged(primary, dr, **answers) is anew


def test_not_all_of_an_earlier_failover_is_asked_about(monkeypatch):
    monkeypatch.setattr(made_anew, "_MOST_ASKED", 1)
    assert judged([A, B], [A, B], a=(REPLICA, COMPLETED), b=(REPLICA, REPLICA)) is False


def test_a_bucket_that_cannot_be_listed_is_a_failure():
    store = Store([A], DR.bucket)
    store.list_failures[0] = [RuntimeError("not of S3")]
    with pytest.raises(RuntimeError):
        is_made_anew(Store([], PRIMARY.bucket).side(), store.side("us-west-2"), LONG_AGO)
    twice = Store([A, A], DR.bucket)
    with pytest.raises(AwsFailure, match="twice"):
        is_made_anew(Store([], PRIMARY.bucket).side(), twice.side("us-west-2"), LONG_AGO)
