# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What is done in several Regions at once is told as one; what one of them fails with hides nothing of the others."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.by_region import in_each_region
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import DidNotSettle

REGIONS = ("us-west-2", "eu-central-1", "us-east-1")


def done(region: str) -> dict[str, Any]:
    """A Region in which something was to do, except for the first one."""
    changed = region != REGIONS[0]
    return {"changed": changed, "steps": [region] * changed, "diff": [f"diff of {region}"] * changed}


def test_the_results_are_put_together_in_the_order_of_the_regions() -> None:
    assert in_each_region(REGIONS, done) == {
        "changed": True,
        "steps": ["eu-central-1", "us-east-1"],
        "diff": ["diff of eu-central-1", "diff of us-east-1"],
    }
    assert in_each_region(REGIONS[:1], done) == {"changed": False, "steps": [], "diff": []}


@pytest.mark.parametrize("kind", [AwsFailure, Refused, DidNotSettle])
def test_what_fails_in_some_regions_is_done_in_the_others_and_all_are_named(kind: type[Exception]) -> None:
    worked: list[str] = []

    def change(region: str) -> dict[str, Any]:
        if region.startswith("us"):
            raise kind("it is lost.")
        worked.append(region)
        return done(region)

    with pytest.raises(AwsFailure) as failure:
        in_each_region(REGIONS, change)
    assert worked == ["eu-central-1"]
    assert str(failure.value) == (
        "us-west-2: it is lost. us-east-1: it is lost. eu-central-1 is as wished; run again for us-west-2, us-east-1."
    )


def test_when_it_fails_everywhere_that_is_said() -> None:
    def change(region: str) -> dict[str, Any]:
        raise AwsFailure("it is lost.")

    with pytest.raises(AwsFailure, match=r"No Region is as wished; run again for us-west-2, eu-central-1, us-east-1\."):
        in_each_region(REGIONS, change)


def test_a_fault_of_the_program_is_not_taken_for_a_lost_region() -> None:
    def change(region: str) -> dict[str, Any]:
        raise KeyError(region)

    with pytest.raises(KeyError):
        in_each_region(REGIONS, change)
