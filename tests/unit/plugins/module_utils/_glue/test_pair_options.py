# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""From a task's options to a pair and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from, pair_result
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Direction,
    End,
    InvalidInput,
    Observation,
    Pair,
    RoleSettings,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Credentials
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ARCHIVE, DR, KEYS, PRIMARY, a_pair


def options(**changes: Any) -> dict[str, Any]:
    """What a task says, at the least."""
    return {
        "name": "orders",
        "primary": {"bucket": "example-orders", "region": "us-east-1"},
        "dr": {"bucket": "example-orders-dr", "region": "us-west-2"},
        **changes,
    }


def completed(task: dict[str, Any]) -> dict[str, Any]:
    """The options of a task as Ansible completes them for a module."""
    validated = ArgumentSpecValidator(pair_argument_spec()).validate(task)
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def pair_of(task: dict[str, Any]) -> Pair:
    """The pair of a task."""
    return pair_from(completed(task))


def errors(task: dict[str, Any]) -> str:
    """What Ansible says against a task."""
    return " ".join(ArgumentSpecValidator(pair_argument_spec()).validate(task).error_messages)


def test_a_pair_needs_only_a_name_and_two_ends() -> None:
    assert pair_of(options()) == a_pair()


OTHER_KEY = f"{KEYS[DR.bucket]}-2"
ROLE = "arn:aws:iam::111122223333:role/theirs/replicator"
FENCE = "arn:aws:iam::111122223333:policy/fence"
WHOLE_PRIMARY = {
    "bucket": "example-orders",
    "region": "us-east-1",
    "storage_class": "GLACIER_IR",
    "kms_key_arn": KEYS[PRIMARY.bucket],
    "more_kms_key_arns": [f"{KEYS[PRIMARY.bucket]}-2"],
    "object_lock": True,
    "replication_role_arn": ROLE,
    "account_id": "111122223333",
}
WHOLE_DR = {
    "bucket": "example-orders-dr",
    "region": "us-west-2",
    "storage_class": "STANDARD_IA",
    "kms_key_arn": KEYS[DR.bucket],
}
WHOLE_RULES: list[dict[str, Any]] = [
    {
        "id": "invoices",
        "priority": 7,
        "prefix": "invoices/",
        "status": "disabled",
        "delete_markers": True,
        "reverse_delete_markers": False,
        "observation": "metrics_and_rtc",
        "replica_modifications": False,
        "kms_objects": True,
        "owner_override": True,
    },
    {"id": "cold", "tags": {"tier": "cold", "a": 1}, "destination": {"kms_key_arn": OTHER_KEY}, "observation": "none"},
    {
        "id": "archive",
        "priority": 2,
        "kms_objects": False,
        "destination": {
            "bucket": ARCHIVE.bucket,
            "region": ARCHIVE.region,
            "storage_class": "GLACIER",
            "kms_key_arn": KEYS[ARCHIVE.bucket],
            "object_lock": True,
            "account_id": "222233334444",
        },
    },
]
WHOLE_ROLE = {
    "name_template": "r-{source}",
    "path": "/dr/",
    "permissions_boundary": FENCE,
    "tags": {"team": "red"},
    "annotations": False,
}


def test_every_option_reaches_the_pair() -> None:
    task = options(
        primary=WHOLE_PRIMARY, dr=WHOLE_DR, direction="two_way", rules=WHOLE_RULES, replication_role=WHOLE_ROLE
    )
    dr = End(DR.bucket, "us-west-2", "STANDARD_IA", KEYS[DR.bucket])
    assert pair_of(task) == Pair(
        "orders",
        End(
            "example-orders",
            "us-east-1",
            "GLACIER_IR",
            KEYS[PRIMARY.bucket],
            (f"{KEYS[PRIMARY.bucket]}-2",),
            True,
            ROLE,
            "111122223333",
        ),
        dr,
        (
            Rule(
                "invoices",
                7,
                "invoices/",
                (),
                enabled=False,
                delete_markers=True,
                reverse_delete_markers=False,
                observation=Observation.METRICS_AND_RTC,
                replica_modifications=False,
                kms_objects=True,
                owner_override=True,
            ),
            Rule(
                "cold",
                tags=(("a", "1"), ("tier", "cold")),
                observation=Observation.NONE,
                destination=replace(dr, kms_key_arn=OTHER_KEY),
            ),
            Rule(
                "archive",
                2,
                kms_objects=False,
                destination=End(
                    ARCHIVE.bucket,
                    ARCHIVE.region,
                    "GLACIER",
                    KEYS[ARCHIVE.bucket],
                    object_lock=True,
                    account_id="222233334444",
                ),
            ),
        ),
        Direction.TWO_WAY,
        roles=RoleSettings("r-{source}", "/dr/", FENCE, (("team", "red"),), annotations=False),
    )


def test_one_region_for_both_ends_must_be_allowed() -> None:
    dr = {"bucket": "example-orders-dr", "region": "us-east-1"}
    assert pair_of(options(dr=dr, allow_same_region=True)).allow_same_region
    with pytest.raises(InvalidInput, match="allow_same_region: true"):
        pair_of(options(dr=dr))


def test_what_a_pair_cannot_be_is_refused_with_its_options() -> None:
    with pytest.raises(InvalidInput, match="no key is named for the replicas"):
        pair_of(options(rules=[{"kms_objects": True}]))


# --- where a rule goes ---------------------------------------------------------------------------------------


def destination(told: dict[str, Any] | None, **dr: Any) -> End | None:
    """Where a rule goes that is told so."""
    task = options(dr={**WHOLE_DR, "kms_key_arn": None, **dr}, rules=[{"destination": told}])
    return pair_of(task).rules[0].destination


def test_a_rule_that_is_told_nothing_goes_to_the_dr_bucket() -> None:
    assert destination(None) is None


@pytest.mark.parametrize("told", [{"storage_class": "GLACIER"}, {"storage_class": "GLACIER", "bucket": DR.bucket}])
def test_a_rule_to_the_dr_bucket_takes_from_it_what_it_does_not_say_itself(told: dict[str, Any]) -> None:
    more = {"object_lock": True, "account_id": "222233334444", "replication_role_arn": ROLE}
    whole = End(DR.bucket, "us-west-2", "GLACIER", object_lock=True, account_id="222233334444")
    assert destination(told, **more) == replace(whole, replication_role_arn=ROLE)


def test_a_rule_to_the_dr_bucket_takes_its_key_or_names_another() -> None:
    for told, key in (({"storage_class": "GLACIER"}, KEYS[DR.bucket]), ({"kms_key_arn": OTHER_KEY}, OTHER_KEY)):
        task = options(primary=WHOLE_PRIMARY, dr=WHOLE_DR, rules=[{"destination": told}])
        found = pair_of(task).rules[0].destination
        assert found is not None
        assert found.kms_key_arn == key


def test_a_rule_to_a_bucket_of_its_own_takes_nothing_from_the_dr_bucket() -> None:
    told = {"bucket": ARCHIVE.bucket, "region": ARCHIVE.region}
    task = options(
        dr={**WHOLE_DR, "kms_key_arn": None}, rules=[{"id": "a"}, {"id": "b", "priority": 2, "destination": told}]
    )
    assert pair_of(task).rules[1].destination == ARCHIVE


@pytest.mark.parametrize("name", ["object_lock", "account_id", "profile", "assume_role_arn", "external_id"])
def test_what_only_the_dr_end_can_say_is_refused_for_a_rule_to_its_bucket(name: str) -> None:
    value = {"object_lock": False}.get(name, "111122223333")
    with pytest.raises(InvalidInput, match=f"rule 's3-dr-orders': .* of which `dr` says {name}. Move that there, or"):
        destination({name: value})


def test_a_bucket_of_its_own_needs_its_region() -> None:
    with pytest.raises(InvalidInput, match=r"'s3-dr-orders': .* names bucket 'example-archive' without `region`. Add"):
        destination({"bucket": ARCHIVE.bucket})


# --- credentials ---------------------------------------------------------------------------------------------


def credentials(**changes: Any) -> dict[str, Credentials]:
    """The credentials of a task."""
    return credentials_from(completed(options(**changes)))


def end(which: End, **more: str) -> dict[str, Any]:
    """An end with credentials."""
    return {"bucket": which.bucket, "region": which.region, **more}


ASSUMED = {"assume_role_arn": "arn:aws:iam::222233334444:role/ops", "external_id": "secret"}


def test_only_ends_with_credentials_of_their_own_have_some() -> None:
    assert credentials() == {}
    assert credentials(primary=end(PRIMARY, profile="here"), dr=end(DR, **ASSUMED)) == {
        PRIMARY.bucket: Credentials("here"),
        DR.bucket: Credentials(None, *ASSUMED.values()),
    }


def test_a_further_bucket_has_credentials_of_its_own() -> None:
    rules = [{"id": "a"}, {"id": "b", "destination": end(ARCHIVE, profile="archive")}]
    assert credentials(rules=rules) == {ARCHIVE.bucket: Credentials("archive")}


@pytest.mark.parametrize("first", [0, 1])
def test_credentials_are_given_once_for_a_bucket_and_hold_wherever_it_is_named(first: int) -> None:
    rules = [{"id": "a", "destination": end(ARCHIVE, profile="archive")}, {"id": "b", "destination": end(ARCHIVE)}]
    assert credentials(rules=[rules[first], rules[1 - first]]) == {ARCHIVE.bucket: Credentials("archive")}
    again = [{"destination": {"bucket": DR.bucket, "storage_class": "GLACIER"}}]
    assert credentials(dr=end(DR, profile="dr"), rules=again) == {DR.bucket: Credentials("dr")}


def test_two_kinds_of_credentials_for_one_bucket_are_refused() -> None:
    rules = [{"id": one, "destination": end(ARCHIVE, profile=one)} for one in ("a", "b")]
    with pytest.raises(InvalidInput, match=r"'example-archive' is given two kinds of credentials. Give it one"):
        credentials(rules=rules)


def test_an_external_id_without_a_role_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'example-orders-dr': `external_id` goes only with `assume_role_arn`. Add"):
        credentials(dr=end(DR, external_id="secret"))


def test_credentials_are_never_part_of_a_result() -> None:
    task = options(primary=end(PRIMARY, profile="here"), dr=end(DR, **ASSUMED))
    assert pair_result(pair_of(task)) == pair_result(a_pair())


# --- rules ---------------------------------------------------------------------------------------------------


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
    assert pair_of(pair_result(pair)) == pair


@given(strategies.pairs())
def test_a_result_names_every_option_and_nothing_without_a_value(pair: Pair) -> None:
    result = pair_result(pair)
    assert set(result) == set(pair_argument_spec())
    assert None not in [value for part in (result, *parts(result)) for value in part.values()]


def parts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The mappings within a result."""
    rules: list[dict[str, Any]] = result["rules"]
    destinations = [rule["destination"] for rule in rules if "destination" in rule]
    return [result["primary"], result["dr"], result["replication_role"], *rules, *destinations]
