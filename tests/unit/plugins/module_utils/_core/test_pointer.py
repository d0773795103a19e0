# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What the pointer of a pair says, and which of two is right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.operations import Place, packed, state_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.pointer import (
    kept_wish,
    latest,
    pointer_address,
    pointer_name,
    pointer_regions,
    pointer_value,
    pointer_wish,
    told_by,
)
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, DR, EAST, PRIMARY, WEST, a_pair

PATH = "/s3-dr-active"
AT = pointer_address("orders", PATH, ACCOUNT, EAST)
EARLY, LATE = "2026-11-23T14:03:22Z", "2026-11-23T15:00:00Z"


def document(value: Any, **tags: str) -> dict[str, Any]:
    """A parameter with a value."""
    return {"Type": "String", "Value": value, "Tags": tags}


def test_it_says_the_active_bucket_first_and_both_ends() -> None:
    assert pointer_value(a_pair(), "dr", LATE, "run-1") == {
        "schema": "crossregion.s3_dr/pointer/1",
        "pair": "orders",
        "active": "dr",
        "bucket": DR.bucket,
        "region": WEST,
        "primary": {"bucket": PRIMARY.bucket, "region": EAST},
        "dr": {"bucket": DR.bucket, "region": WEST},
        "since": LATE,
        "run": "run-1",
    }
    assert pointer_value(a_pair(), "primary")["bucket"] == PRIMARY.bucket


def test_it_is_one_line_that_parameter_store_takes() -> None:
    (parameter,) = pointer_wish(a_pair(), "dr", since=LATE, run="r", path=PATH, account=ACCOUNT, region=EAST).values()
    text = packed(parameter["Value"])
    assert "\n" not in text
    assert "{{" not in text
    assert json.loads(text)["active"] == "dr"
    assert parameter["Tags"] == owner_tags()


def test_it_has_one_name_in_the_regions_of_both_ends() -> None:
    assert pointer_name("orders", PATH) == "/s3-dr-active/orders"
    assert pointer_regions(a_pair()) == (EAST, WEST)
    with pytest.raises(InvalidInput, match="path 'aws'"):
        pointer_name("orders", "aws")


@pytest.mark.parametrize("wrong", [{"active": "both"}, {"active": "dr", "since": "yesterday"}])
def test_what_no_client_could_read_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"both|yesterday"):
        pointer_value(a_pair(), **wrong)


def test_the_one_that_was_switched_last_is_right() -> None:
    never, early, late = (
        pointer_value(a_pair(), side, when) for side, when in (("primary", None), ("dr", EARLY), ("primary", LATE))
    )
    assert latest([never, early]) == early
    assert latest([late, None, early]) == late
    assert latest([None, None]) is None


def test_a_declaration_keeps_the_active_end_and_follows_the_names_of_the_buckets() -> None:
    told = pointer_value(a_pair(), "dr", EARLY, "run-1")
    moved = a_pair(dr=DR.__class__("example-orders-new", WEST))
    (kept,) = kept_wish(moved, PATH, ACCOUNT, WEST, [None, told]).values()
    assert kept["Value"] == pointer_value(moved, "dr", EARLY, "run-1")
    (new,) = kept_wish(a_pair(), PATH, ACCOUNT, WEST, [None, None]).values()
    assert new["Value"] == pointer_value(a_pair(), "primary")


def test_what_is_ours_and_no_pointer_of_the_pair_is_refused() -> None:
    place = Place("orders", (EAST,), PATH)
    (status,) = state_wish(place, ACCOUNT, EAST, None, {AT: None})[0].values()
    good = pointer_value(a_pair(), "dr", EARLY, "run-1")
    for value in (status["Value"], {**good, "pair": "logs"}, {**good, "active": "both"}, {**good, "since": 1}, "text"):
        with pytest.raises(Refused, match="Choose another `path`"):
            told_by("orders", AT, document(value, **owner_tags()))
        if value != good:
            assert told_by("orders", AT, document(value)) is None
    assert told_by("orders", AT, document(good, **owner_tags())) == good
    assert told_by("orders", AT, None) is None
