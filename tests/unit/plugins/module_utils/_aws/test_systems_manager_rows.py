# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Parameters, documents and OpsItems on the fake AWS: what is written is read again, and what others did is borne."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.systems_manager_rows import values_below
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Address, Document, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.operations import title
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Wish, plan
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.fake_services.systems_manager import Parameter, StoredDocument
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNT, EAST

PARAMETER = Address("ssm_parameter", "/s3-dr/orders", EAST, ACCOUNT.id)
DOCUMENT = Address("ssm_document", "s3-dr-verify", EAST, ACCOUNT.id)
ITEM = Address("ops_item", title("orders"), EAST, ACCOUNT.id)
TAGS = owner_tags()
STATE: Document = {"Type": "String", "Value": {"state": "proven", "key": "ä"}, "Tags": TAGS}
RUNBOOK: Document = {"DocumentType": "Automation", "Content": {"schemaVersion": "0.3"}, "Tags": TAGS}
TROUBLE: Document = {
    "Title": title("orders"),
    "Source": "crossregion.s3_dr",
    "Description": "It is broken.",
    "Severity": "1",
    "Category": "Recovery",
}
ALL = {PARAMETER: STATE, DOCUMENT: RUNBOOK, ITEM: TROUBLE}


@pytest.fixture
def aws() -> FakeAws:
    """An AWS that holds nothing."""
    return FakeAws()


def make(aws: FakeAws, wish: Wish, unwanted: Wish | None = None) -> list[str]:
    """Observe, plan, carry out. The operations that wrote."""
    time = Time()
    gateway = Gateway(aws.client_for, time.sleep, time.clock)
    aws.calls.clear()
    steps = plan(wish, gateway.observe([*wish, *(unwanted or {})]), unwanted)
    gateway.carry_out(steps)
    held = gateway.observe([*wish, *(unwanted or {})])
    assert plan(wish, held, unwanted) == ()
    return [call.operation for call in aws.writes()]


def test_what_is_new_is_made_with_its_tags_and_a_second_run_writes_nothing(aws: FakeAws) -> None:
    assert sorted(make(aws, ALL)) == ["CreateDocument", "CreateOpsItem", "PutParameter"]
    (put,) = [call for call in aws.writes() if call.operation == "PutParameter"]
    assert (put.params["Tier"], put.params["Value"]) == ("Standard", '{"state": "proven", "key": "ä"}')
    assert make(aws, ALL) == []


def test_what_changes_is_written_without_its_tags(aws: FakeAws) -> None:
    make(aws, ALL)
    changed: Wish = {
        PARAMETER: {**STATE, "Value": {"state": "broken"}},
        DOCUMENT: {**RUNBOOK, "Content": {"schemaVersion": "0.3", "description": "new"}},
        ITEM: {**TROUBLE, "Description": "It is worse."},
    }
    assert sorted(make(aws, changed)) == [
        "PutParameter",
        "UpdateDocument",
        "UpdateDocumentDefaultVersion",
        "UpdateOpsItem",
    ]
    assert aws.documents["s3-dr-verify", EAST].default == 2
    assert len(aws.ops_items) == 1


def test_another_tag_is_added_and_nothing_else_is_written(aws: FakeAws) -> None:
    make(aws, {PARAMETER: STATE, DOCUMENT: RUNBOOK})
    more = {**TAGS, "team": "red"}
    wish = {PARAMETER: {**STATE, "Tags": more}, DOCUMENT: {**RUNBOOK, "Tags": more}}
    assert make(aws, wish) == ["AddTagsToResource", "AddTagsToResource"]


def test_what_goes_is_deleted_and_an_item_is_resolved(aws: FakeAws) -> None:
    make(aws, ALL)
    unwanted: Wish = {PARAMETER: {}, DOCUMENT: {}, ITEM: {}}
    assert sorted(make(aws, {}, unwanted)) == ["DeleteDocument", "DeleteParameter", "UpdateOpsItem"]
    assert (aws.parameters, aws.documents) == ({}, {})
    assert [item["Status"] for item in aws.ops_items.values()] == ["Resolved"]
    assert make(aws, {}, unwanted) == []


def test_what_is_not_ours_is_refused_and_not_deleted(aws: FakeAws) -> None:
    aws.parameters["/s3-dr/orders", EAST] = Parameter("String", "theirs")
    aws.documents["s3-dr-verify", EAST] = StoredDocument("Command", ["{}"])
    for address in (PARAMETER, DOCUMENT):
        with pytest.raises(Refused, match="does not carry the tag"):
            make(aws, {address: ALL[address]})
    assert make(aws, {}, {PARAMETER: {}, DOCUMENT: {}}) == []


@pytest.mark.parametrize("text", ["theirs", "[1]", "3", '"text"', "{broken"])
def test_a_value_that_is_no_object_is_read_as_its_text(aws: FakeAws, text: str) -> None:
    aws.parameters["/s3-dr/orders", EAST] = Parameter("String", text, dict(TAGS))
    held = Gateway(aws.client_for).observe([PARAMETER])[PARAMETER]
    assert held is not None
    assert held["Value"] == text


def test_values_are_read_from_all_pages_of_a_path_alone(aws: FakeAws) -> None:
    for name in ("/s3-dr/a", "/s3-dr/b", "/s3-dr/c", "/s3-dr/deeper/d", "/s3-dr-other/e"):
        aws.parameters[name, EAST] = Parameter("String", json.dumps({"pair": name[-1]}))
    assert values_below(aws.client_for("ssm", EAST), "/s3-dr") == [{"pair": "a"}, {"pair": "b"}, {"pair": "c"}]


# --- documents -----------------------------------------------------------------------------------------------


def test_a_version_that_exists_already_becomes_the_default(aws: FakeAws) -> None:
    """Somebody made another version the default, of several that are there."""
    ours = json.dumps(RUNBOOK["Content"], indent=2)
    aws.documents["s3-dr-verify", EAST] = StoredDocument("Automation", ["{}", ours, '{"a": 1}', '{"a": 2}'], dict(TAGS))
    assert make(aws, {DOCUMENT: RUNBOOK}) == ["UpdateDocument", "UpdateDocumentDefaultVersion"]
    assert aws.documents["s3-dr-verify", EAST].default == 2


def test_a_document_that_was_deleted_meanwhile_is_told(aws: FakeAws) -> None:
    make(aws, {DOCUMENT: RUNBOOK})

    def refuse(call: Call) -> None:
        if call.operation == "UpdateDocument":
            raise client_error("InvalidDocument", "Document does not exist.")

    aws.interrupt = refuse
    with pytest.raises(AwsFailure, match="UpdateDocument"):
        make(aws, {DOCUMENT: {**RUNBOOK, "Content": {}}})


# --- OpsItems ------------------------------------------------------------------------------------------------


def test_an_item_that_is_resolved_stays_so_and_a_new_one_is_made(aws: FakeAws) -> None:
    make(aws, {ITEM: TROUBLE})
    make(aws, {}, {ITEM: {}})
    assert make(aws, {ITEM: TROUBLE}) == ["CreateOpsItem"]
    assert sorted(item["Status"] for item in aws.ops_items.values()) == ["Open", "Resolved"]


def test_an_open_item_is_found_behind_many_that_are_over(aws: FakeAws) -> None:
    for _time in range(5):
        make(aws, {ITEM: TROUBLE})
        make(aws, {}, {ITEM: {}})
    make(aws, {ITEM: TROUBLE})
    assert make(aws, {ITEM: TROUBLE}) == []


def test_an_item_that_somebody_works_on_is_updated_and_stays_in_progress(aws: FakeAws) -> None:
    make(aws, {ITEM: TROUBLE})
    (item,) = aws.ops_items.values()
    item.update(Status="InProgress", Priority=1)
    assert make(aws, {ITEM: {**TROUBLE, "Severity": "2"}}) == ["UpdateOpsItem"]
    assert (item["Status"], item["Severity"], item["Priority"]) == ("InProgress", "2", 1)


def test_an_item_that_somebody_renamed_is_found_by_its_deduplication_string(aws: FakeAws) -> None:
    make(aws, {ITEM: TROUBLE})
    (item,) = aws.ops_items.values()
    item["Title"] = "Look at this, Alex"
    assert make(aws, {ITEM: {**TROUBLE, "Severity": "2"}}) == ["CreateOpsItem", "UpdateOpsItem"]
    assert (len(aws.ops_items), item["Title"], item["Severity"]) == (1, title("orders"), "2")


def test_items_of_other_pairs_are_left_alone(aws: FakeAws) -> None:
    other = Address("ops_item", title("orders-2"), EAST, ACCOUNT.id)
    make(aws, {ITEM: TROUBLE, other: {**TROUBLE, "Title": other.name}})
    make(aws, {}, {ITEM: {}})
    assert {item["Title"]: item["Status"] for item in aws.ops_items.values()} == {
        title("orders"): "Resolved",
        title("orders-2"): "Open",
    }


def test_items_of_pairs_whose_names_differ_in_case_are_two(aws: FakeAws) -> None:
    other = Address("ops_item", title("Orders"), EAST, ACCOUNT.id)
    wish = {ITEM: TROUBLE, other: {**TROUBLE, "Title": other.name, "Severity": "3"}}
    assert make(aws, wish) == ["CreateOpsItem", "CreateOpsItem"]
    assert make(aws, wish) == []


def test_an_item_that_aws_refuses_is_told(aws: FakeAws) -> None:
    def refuse(call: Call) -> None:
        if call.operation == "CreateOpsItem":
            raise client_error("OpsItemLimitExceededException", "Too many.")

    aws.interrupt = refuse
    with pytest.raises(AwsFailure, match="OpsItemLimitExceededException"):
        make(aws, {ITEM: TROUBLE})


def test_the_name_of_an_existing_item_is_taken_from_the_answers_own_field_first(aws: FakeAws) -> None:
    make(aws, {ITEM: TROUBLE})
    (item,) = aws.ops_items.values()
    item["Title"] = "renamed"

    def refuse(call: Call) -> None:
        if call.operation == "CreateOpsItem":
            error = client_error("OpsItemAlreadyExistsException", "It exists.")
            response: dict[str, Any] = error.response
            response["OpsItemId"] = item["OpsItemId"]
            raise error

    aws.interrupt = refuse
    assert make(aws, {ITEM: TROUBLE}) == ["CreateOpsItem", "UpdateOpsItem"]
