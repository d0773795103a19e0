# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What Systems Manager is told of a pair: always small enough, never older than what it knows, and never too rosy."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import OWNER, OWNER_TAG
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Address,
    Document,
    InvalidInput,
    Refused,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.operations import (
    DECLARED,
    SCHEMA,
    Place,
    Runbook,
    addresses,
    packed,
    removal_wish,
    runbook_removal_wish,
    runbook_wish,
    state_wish,
    title,
    told_of,
    why_it_stays,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish, applied, plan
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, EAST, WEST

PLACE = Place("orders", (EAST, WEST), ops_item_region=WEST)
PARAMETER = Address("ssm_parameter", "/s3-dr/orders", WEST, ACCOUNT.id)
ITEM = Address("ops_item", "S3 replication pair orders is not proven", WEST, ACCOUNT.id)
EMPTY: Observed = {PARAMETER: None, ITEM: None}
PROVEN = {
    "verdict": "proven",
    "problems": [],
    "prefixes": [],
    "summary": ["orders: proven. Everything is in us-west-2.", "more"],
    "evidence": "/srv/evidence/orders/1",
    "recovery": {
        "measured_at": "2026-11-23T14:04:03Z",
        "recovery_point": "2026-11-23T14:03:22Z",
        "rpo_seconds": 41,
        "rpo_target_seconds": 900,
    },
    "comparisons": [{"began": "2026-11-23T14:04:00Z"}],
}
AT_RISK = {
    **PROVEN,
    "verdict": "at_risk",
    "problems": ["3 versions are late. Look at the latency.", "An alarm cannot fire. Run setup."],
    "recovery": {**PROVEN["recovery"], "measured_at": "2026-11-23T15:00:00Z"},
}
BROKE_OFF = {"failed": True, "msg": "bucket 'example-orders' is gone. Make it anew."}


def tell(result: Any, held: Observed | None = None) -> tuple[Wish, Wish]:
    """What is wished and unwanted in the Region of the OpsItem."""
    return state_wish(PLACE, ACCOUNT, WEST, result, held or EMPTY)


def value_of(wish: Wish) -> dict[str, Any]:
    """What the parameter would tell."""
    return dict(wish[PARAMETER]["Value"])


def after(result: Any, held: Observed | None = None) -> dict[Address, Document | None]:
    """What AWS holds when that was told."""
    world = held or EMPTY
    wish, unwanted = tell(result, world)
    return applied(plan(wish, world, unwanted), world)


# --- the parameter -------------------------------------------------------------------------------------------


def test_the_parameter_tells_what_the_verify_said() -> None:
    assert value_of(tell(PROVEN)[0]) == {
        "schema": SCHEMA,
        "pair": "orders",
        "state": "proven",
        "verified_at": "2026-11-23T14:04:03Z",
        "recovery_point": "2026-11-23T14:03:22Z",
        "rpo_seconds": 41,
        "rpo_target_seconds": 900,
        "last_proven": {"verified_at": "2026-11-23T14:04:03Z", "recovery_point": "2026-11-23T14:03:22Z"},
        "summary": "orders: proven. Everything is in us-west-2.",
        "evidence": "/srv/evidence/orders/1",
        "problems_total": 0,
        "problems": [],
    }


def test_a_pair_of_which_no_verify_spoke_is_declared() -> None:
    assert value_of(tell(None)[0]) == {"schema": SCHEMA, "pair": "orders", "state": DECLARED}
    assert tell(None)[1] == {}


@pytest.mark.parametrize("result", [PROVEN, AT_RISK, BROKE_OFF])
def test_declaring_a_pair_leaves_what_a_verify_said(result: dict[str, Any]) -> None:
    told = after(result)
    assert after(None, told) == told


def test_a_verify_replaces_the_declaration_and_the_verify_before() -> None:
    assert value_of(tell(PROVEN, after(None))[0])["state"] == "proven"
    assert value_of(tell(AT_RISK, after(PROVEN))[0])["state"] == "at_risk"


def test_a_verify_that_is_older_than_what_is_told_changes_nothing_not_even_the_item() -> None:
    told = after(AT_RISK)
    assert after(PROVEN, told) == told
    assert "a later verify, of 2026-11-23T15:00:00Z" in why_it_stays(PROVEN, told_of(PLACE, ACCOUNT, WEST, told))


def test_a_verify_that_broke_off_is_unknown_and_keeps_the_last_proof() -> None:
    value = value_of(tell(BROKE_OFF, after(PROVEN))[0])
    assert (value["state"], value["verified_at"]) == ("unknown", None)
    assert value["problems"] == ["bucket 'example-orders' is gone. Make it anew."]
    assert value["last_proven"] == {"verified_at": "2026-11-23T14:04:03Z", "recovery_point": "2026-11-23T14:03:22Z"}
    assert value_of(tell(AT_RISK, after(BROKE_OFF, after(PROVEN)))[0])["last_proven"] == value["last_proven"]


def test_a_proof_of_some_prefixes_only_proves_nothing_of_the_pair() -> None:
    partly = {**PROVEN, "prefixes": ["a/"], "recovery": {"measured_at": "2026-12-01T00:00:00Z"}}
    assert value_of(tell(partly)[0])["state"] == DECLARED
    told = after(AT_RISK)
    assert after(partly, told) == told
    assert after(partly, {**told, PARAMETER: None})[ITEM] == told[ITEM]


def test_trouble_in_some_prefixes_is_trouble() -> None:
    wish, _unwanted = tell({**AT_RISK, "prefixes": ["a/"]})
    assert value_of(wish)["state"] == "at_risk"
    assert ITEM in wish


@given(
    st.one_of(st.none(), strategies.verify_results(), st.dictionaries(st.text(max_size=9), st.text(max_size=9))),
    st.one_of(st.none(), strategies.verify_results()),
)
def test_whatever_is_told_aws_takes_it_and_telling_it_again_changes_nothing(
    first: dict[str, Any] | None, second: dict[str, Any] | None
) -> None:
    world = after(first)
    for result in (first, second, second):
        world, before = after(result, world), world
        text = packed(world[PARAMETER]["Value"])
        assert len(text.encode()) <= 4096
        assert "{{" not in text
        assert json.loads(text) == world[PARAMETER]["Value"]
        if item := world[ITEM]:
            assert 0 < len(item["Description"]) <= 2048
            assert item["Title"] == title("orders")
    assert world == before


def test_as_many_problems_are_told_as_a_parameter_holds_the_worst_first() -> None:
    many = {**AT_RISK, "problems": [f"Problem {number}. " + "ä" * 300 for number in range(40)]}
    wish, _unwanted = tell(many)
    value = value_of(wish)
    assert value["problems_total"] == 40
    assert 3 < len(value["problems"]) < 40
    assert value["problems"][0].startswith("Problem 0.")
    assert 3500 < len(packed(value).encode()) <= 4096
    assert f"- and {40 - wish[ITEM]['Description'].count('- Problem')} more." in wish[ITEM]["Description"]


def test_a_sentence_that_is_too_long_for_all_is_cut() -> None:
    value = value_of(tell({**AT_RISK, "problems": ["x" * 9000]})[0])
    assert len(value["problems"][0]) == 400
    assert value["problems"][0].endswith("x…")


def test_double_brackets_in_a_key_are_taken_apart() -> None:
    assert value_of(tell({**AT_RISK, "problems": ["a{{{b}}"]})[0])["problems"] == ["a{ { {b}}"]


def test_a_parameter_of_somebody_else_is_no_state_of_the_pair() -> None:
    for value in ("text", {"schema": SCHEMA, "pair": "other", "state": "proven"}, {"pair": "orders"}):
        held: Observed = {PARAMETER: {"Type": "String", "Value": value, "Tags": {OWNER_TAG: OWNER}}, ITEM: None}
        assert value_of(tell(None, held)[0])["state"] == DECLARED


def test_a_pointer_that_clients_follow_is_neither_overwritten_nor_removed() -> None:
    pointer = {"schema": "crossregion.s3_dr/pointer/1", "pair": "orders", "active": "dr"}
    held: Observed = {PARAMETER: {"Type": "String", "Value": pointer, "Tags": {OWNER_TAG: OWNER}}, ITEM: None}
    for change in (lambda: tell(PROVEN, held), lambda: removal_wish(PLACE, ACCOUNT, WEST, held)):
        with pytest.raises(Refused, match="Choose another `path`"):
            change()


# --- the OpsItem ---------------------------------------------------------------------------------------------


def test_the_item_says_what_is_wrong_what_to_do_and_where_to_look() -> None:
    wish, unwanted = tell(AT_RISK, after(PROVEN))
    assert unwanted == {}
    assert wish[ITEM] == {
        "Title": "S3 replication pair orders is not proven",
        "Source": "crossregion.s3_dr",
        "Severity": "2",
        "Category": "Recovery",
        "Description": (
            "The last verify of the S3 replication pair 'orders' says at_risk: Something that was written is not in "
            "the copy, or its loss would not be noticed.\n"
            "Verified at: 2026-11-23T15:00:00Z.\n"
            "Recovery point: 2026-11-23T14:03:22Z.\n"
            "Last proven at: 2026-11-23T14:04:03Z.\n"
            "- 3 versions are late. Look at the latency.\n"
            "- An alarm cannot fire. Run setup.\n"
            "Evidence: /srv/evidence/orders/1\n"
            "What the causes mean: https://github.com/crossregion/s3_dr/blob/main/roles/verify/README.md\n"
            "State of the pair: parameter /s3-dr/orders in us-east-1, us-west-2.\n"
            "Correct that and run crossregion.s3_dr.verify. It resolves this item when the pair is proven."
        ),
    }


@pytest.mark.parametrize(("verdict", "severity"), [("broken", "1"), ("at_risk", "2"), ("unknown", "3")])
def test_the_worse_the_verdict_the_more_severe_the_item(verdict: str, severity: str) -> None:
    assert tell({**AT_RISK, "verdict": verdict})[0][ITEM]["Severity"] == severity


def test_a_pair_that_is_proven_again_has_its_item_resolved() -> None:
    later = {**PROVEN, "recovery": {**PROVEN["recovery"], "measured_at": "2026-11-23T16:00:00Z"}}
    assert after(later, after(AT_RISK))[ITEM] is None


def test_there_is_an_item_in_its_region_only_and_only_if_wished_for() -> None:
    east = state_wish(
        PLACE, ACCOUNT, EAST, AT_RISK, {Address("ssm_parameter", "/s3-dr/orders", EAST, ACCOUNT.id): None}
    )
    assert [address.kind for address in east[0]] == ["ssm_parameter"]
    silent = Place("orders", (EAST, WEST))
    assert addresses(silent, ACCOUNT, WEST) == [PARAMETER]
    assert list(state_wish(silent, ACCOUNT, WEST, AT_RISK, {PARAMETER: None})[0]) == [PARAMETER]
    assert state_wish(silent, ACCOUNT, WEST, PROVEN, {PARAMETER: None})[1] == {}
    assert list(removal_wish(silent, ACCOUNT, WEST, {})) == [PARAMETER]


def test_a_removal_leaves_a_parameter_of_somebody_else() -> None:
    theirs = {"Type": "String", "Value": "x", "Tags": {}}
    unwanted = removal_wish(PLACE, ACCOUNT, WEST, {})
    assert plan({}, {PARAMETER: theirs, ITEM: None}, unwanted) == ()
    steps = plan({}, after(AT_RISK), unwanted)
    assert [(step.address.kind, step.action) for step in steps] == [("ops_item", "delete"), ("ssm_parameter", "delete")]


# --- what is declared ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "s3-dr", "/", "/s3-dr/", "/aws/x", "/SSM", "/a b", "/a//b", "/a" * 15])
def test_a_path_that_parameter_store_refuses_is_refused_before_any_call(path: str) -> None:
    with pytest.raises(InvalidInput, match="path"):
        Place("orders", (EAST,), path)


@pytest.mark.parametrize("path", ["/s3-dr", "/team/s3.dr_1", "/a" * 14, "/my/aws"])
def test_a_path_of_several_parts_is_taken(path: str) -> None:
    assert Place("aws-logs", (EAST,), path).parameter == f"{path}/aws-logs"


def test_a_place_without_regions_or_with_an_item_elsewhere_is_refused() -> None:
    with pytest.raises(InvalidInput, match="`regions` is empty"):
        Place("orders", ())
    with pytest.raises(InvalidInput, match="not a Region's name"):
        Place("orders", ("here",))
    with pytest.raises(InvalidInput, match="a pair's name"):
        Place("a/b", (EAST,))
    with pytest.raises(InvalidInput, match="none of its `regions`"):
        Place("orders", (EAST,), ops_item_region=WEST)


@pytest.mark.parametrize(
    "changes",
    [{"name": "aws-verify"}, {"name": "ab"}, {"name": "a b"}, {"function": "a/b"}, {"function": ""}, {"regions": ()}],
)
def test_a_runbook_that_aws_refuses_is_refused_before_any_call(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="runbook"):
        Runbook(**{"regions": (EAST,), **changes})


# --- the runbook ---------------------------------------------------------------------------------------------


def content(**changes: Any) -> dict[str, Any]:
    """What the runbook says."""
    (document,) = runbook_wish(Runbook((EAST,), **changes), ACCOUNT, EAST).values()
    assert document["DocumentType"] == "Automation"
    return dict(document["Content"])


def test_the_runbook_invokes_the_function_with_the_pair_and_waits_for_what_it_says() -> None:
    (step,) = content(function="mine")["mainSteps"]
    assert (step["action"], step["isEnd"], step["timeoutSeconds"]) == ("aws:invokeLambdaFunction", True, 300)
    assert step["inputs"] == {
        "FunctionName": "{{ FunctionName }}",
        "InvocationType": "RequestResponse",
        "InputPayload": {"action": "verify", "pair": "{{ Pair }}"},
    }
    assert content(function="mine")["parameters"]["FunctionName"]["default"] == "mine"
    assert content()["parameters"]["FunctionName"]["default"] == "s3-dr-scheduled-drill"


def test_every_name_that_the_runbook_uses_is_one_of_its_parameters_and_every_output_one_of_its_steps() -> None:
    document = content()
    assert set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(document))) == set(document["parameters"])
    steps = {step["name"] for step in document["mainSteps"]}
    assert {output.partition(".")[0] for output in document["outputs"]} == steps


def test_the_runbook_takes_no_name_that_could_change_the_payload_and_every_default_fits_its_pattern() -> None:
    parameters = content()["parameters"]
    pattern = parameters["Pair"]["allowedPattern"]
    for name in ('x","action":"drill', "x}}", "{{ FunctionName }}", "", "a" * 40, "a\nb"):
        assert not re.search(pattern, name)
    assert re.search(pattern, "orders_1.EU-west")
    for parameter in parameters.values():
        assert "default" not in parameter or re.search(parameter["allowedPattern"], parameter["default"])
    roles = parameters["AutomationAssumeRole"]["allowedPattern"]
    assert re.search(roles, "arn:aws-us-gov:iam::111122223333:role/ops/runbooks")
    assert not re.search(roles, "runbooks")


def test_the_runbook_goes_with_the_last_pair_that_the_region_tells_of() -> None:
    runbook = Runbook((EAST,))
    states = [{"schema": SCHEMA, "pair": "orders"}, {"schema": SCHEMA, "pair": "logs"}, "text", {"pair": "no state"}]
    assert runbook_removal_wish(runbook, ACCOUNT, EAST, states, ["orders"], None) == {}
    gone = runbook_removal_wish(runbook, ACCOUNT, EAST, states, ["orders", "logs"], None)
    assert list(gone) == [Address("ssm_document", "s3-dr-verify", EAST, ACCOUNT.id)]
    assert KINDS["ssm_document"].take({}, {"Tags": {}}) == {"Tags": {}}
