# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""From a task's options to a pair and back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Direction,
    End,
    InvalidInput,
    Observation,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    pair_argument_spec,
    pair_from,
    pair_result,
)
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import a_pair


def options(**changes: Any) -> dict[str, Any]:
    """What a task says, at the least."""
    return {
        "name": "orders",
        "primary": {"bucket": "example-orders", "region": "us-east-1"},
        "dr": {"bucket": "example-orders-dr", "region": "us-west-2"},
        **changes,
    }


def pair_of(task: dict[str, Any]) -> Pair:
    """The pair of a task, its options first completed by Ansible as it does for a module."""
    validated = ArgumentSpecValidator(pair_argument_spec()).validate(task)
    assert validated.error_messages == []
    return pair_from(validated.validated_parameters)


def errors(task: dict[str, Any]) -> str:
    """What Ansible says against a task."""
    return " ".join(ArgumentSpecValidator(pair_argument_spec()).validate(task).error_messages)


def test_a_pair_needs_only_a_name_and_two_ends() -> None:
    assert pair_of(options()) == a_pair()


def test_every_option_reaches_the_pair() -> None:
    task = options(
        primary={"bucket": "example-orders", "region": "us-east-1", "storage_class": "GLACIER_IR"},
        dr={"bucket": "example-orders-dr", "region": "us-east-1", "storage_class": "STANDARD_IA"},
        direction="two_way",
        allow_same_region=True,
        rules=[
            {
                "id": "invoices",
                "priority": 7,
                "prefix": "invoices/",
                "status": "disabled",
                "delete_markers": True,
                "observation": "metrics_and_rtc",
            },
            {"id": "rest", "observation": "none"},
        ],
    )
    assert pair_of(task) == Pair(
        "orders",
        End("example-orders", "us-east-1", "GLACIER_IR"),
        End("example-orders-dr", "us-east-1", "STANDARD_IA"),
        (
            Rule("invoices", 7, "invoices/", False, True, Observation.METRICS_AND_RTC),
            Rule("rest", 1, "", True, False, Observation.NONE),
        ),
        Direction.TWO_WAY,
        True,
    )


def test_a_single_rule_needs_no_id() -> None:
    assert pair_of(options(rules=[{"prefix": "a/"}])).rules == (Rule("s3-dr-orders", prefix="a/"),)


@pytest.mark.parametrize("ids", [(None, None), ("one", None), ("one", "")])
def test_each_of_several_rules_needs_an_id(ids: tuple[str | None, ...]) -> None:
    rules = [{"id": one, "priority": number} for number, one in enumerate(ids)]
    with pytest.raises(InvalidInput, match="pair 'orders': a rule has no `id`"):
        pair_of(options(rules=rules))


def test_an_empty_list_of_rules_is_refused_and_not_taken_for_the_whole_bucket() -> None:
    with pytest.raises(InvalidInput, match="`rules` is empty"):
        pair_of(options(rules=[]))


@pytest.mark.parametrize("missing", ["name", "primary", "dr"])
def test_name_and_ends_are_required(missing: str) -> None:
    task = options()
    del task[missing]
    assert f"missing required arguments: {missing}" in errors(task)


@pytest.mark.parametrize(
    "wrong",
    [
        {"direction": "both"},
        {"rules": [{"observation": "rtc"}]},
        {"rules": [{"status": "on"}]},
        {"dr": {"bucket": "example-orders-dr", "region": "us-west-2", "storage_class": "OUTPOSTS"}},
    ],
)
def test_other_choices_are_refused(wrong: dict[str, Any]) -> None:
    assert "must be one of" in errors(options(**wrong))


@given(strategies.pairs())
def test_a_result_declares_the_same_pair_again(pair: Pair) -> None:
    assert pair_of(said(pair_result(pair))) == pair


def said(options: dict[str, Any]) -> dict[str, Any]:
    """The options without those that have no value."""
    return {
        name: said(value) if isinstance(value, dict) else value for name, value in options.items() if value is not None
    }


@given(strategies.pairs())
def test_a_result_names_every_option_with_its_default_filled_in(pair: Pair) -> None:
    assert set(pair_result(pair)) == set(pair_argument_spec())
