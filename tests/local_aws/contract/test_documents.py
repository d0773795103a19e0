# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Documents and parameters of Systems Manager."""

from __future__ import annotations

import json

import pytest


def runbook(text="first", **changes):
    step = {"name": "look", "action": "aws:sleep", "isEnd": True, "inputs": {"Duration": "PT1S"}}
    parameters = {"Pair": {"type": "String", "description": "which pair", "default": "all"}}
    document = {"schemaVersion": "0.3", "description": text, "parameters": parameters, "mainSteps": [step]}
    return json.dumps(document | changes)


@pytest.fixture
def made(world):
    ssm, name = world.client("ssm"), world.name("runbook")
    tags = [{"Key": "team", "Value": "blue"}]
    ssm.create_document(Name=name, Content=runbook(), DocumentType="Automation", DocumentFormat="JSON", Tags=tags)
    world.cleanup.callback(ssm.delete_document, Name=name)
    return ssm, name


def test_document_is_kept(world, made):
    """Systems Manager API, CreateDocument, GetDocument and DescribeDocument."""
    ssm, name = made
    found = ssm.get_document(Name=name)
    assert json.loads(found["Content"]) == json.loads(runbook())
    assert (found["DocumentVersion"], found["DocumentType"], found["DocumentFormat"]) == ("1", "Automation", "JSON")
    described = ssm.describe_document(Name=name)["Document"]
    assert (described["SchemaVersion"], described["Owner"]) == ("0.3", world.account_id())
    assert described["Parameters"][0]["DefaultValue"] == "all"
    with pytest.raises(ssm.exceptions.InvalidDocument):  # a document is of one Region
        world.client("ssm", world.dr_region).get_document(Name=name)


def test_new_version_is_not_the_default(made):
    """Systems Manager User Guide, documents-version: an update makes a version; the default is chosen apart from it."""
    ssm, name = made
    made_version = ssm.update_document(Name=name, Content=runbook("second"), DocumentVersion="$LATEST")
    assert made_version["DocumentDescription"]["DocumentVersion"] == "2"

    def description(version):
        return json.loads(ssm.get_document(Name=name, DocumentVersion=version)["Content"])["description"]

    assert [description(version) for version in ("$DEFAULT", "$LATEST", "1", "2")] == [
        "first",
        "second",
        "first",
        "second",
    ]
    ssm.update_document_default_version(Name=name, DocumentVersion="2")
    assert description("$DEFAULT") == "second"
    described = ssm.describe_document(Name=name)["Document"]
    assert (described["DefaultVersion"], described["LatestVersion"]) == ("2", "2")
    with pytest.raises(ssm.exceptions.InvalidDocumentVersion):
        ssm.update_document(Name=name, Content=runbook("third"), DocumentVersion="1")
    with pytest.raises(ssm.exceptions.InvalidDocumentVersion):
        ssm.get_document(Name=name, DocumentVersion="3")


def test_same_content_again(made):
    """Systems Manager API, UpdateDocument: DuplicateDocumentContent."""
    ssm, name = made
    with pytest.raises(ssm.exceptions.DuplicateDocumentContent):
        ssm.update_document(Name=name, Content=runbook(), DocumentVersion="$LATEST")


def test_name_that_is_taken(made):
    """Systems Manager API, CreateDocument: DocumentAlreadyExists."""
    ssm, name = made
    with pytest.raises(ssm.exceptions.DocumentAlreadyExists):
        ssm.create_document(Name=name, Content=runbook("other"), DocumentType="Automation")


def test_absent_document(world, refused):
    """Systems Manager API: InvalidDocument of what does not exist, InvalidResourceId of its tags."""
    ssm, name = world.client("ssm"), world.name("absent")
    for ask in (
        lambda: ssm.get_document(Name=name),
        lambda: ssm.describe_document(Name=name),
        lambda: ssm.update_document(Name=name, Content=runbook(), DocumentVersion="$LATEST"),
        lambda: ssm.delete_document(Name=name),
    ):
        with refused("InvalidDocument"):
            ask()
    with refused("InvalidResourceId"):
        ssm.list_tags_for_resource(ResourceType="Document", ResourceId=name)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("no JSON", "InvalidDocumentContent"),
        (runbook(mainSteps=[]), "InvalidDocumentContent"),
        (runbook(schemaVersion="2.2"), "InvalidDocumentSchemaVersion"),
    ],
)
def test_content_that_is_none(world, refused, content, code):
    """Systems Manager API, CreateDocument; User Guide, documents-schemas-features: a runbook is of schema 0.3."""
    with refused(code):
        world.client("ssm").create_document(Name=world.name("bad"), Content=content, DocumentType="Automation")


def test_tags_of_a_document(made):
    """Systems Manager API, AddTagsToResource: a document is meant by its name."""
    ssm, name = made
    of = {"ResourceType": "Document", "ResourceId": name}
    ssm.add_tags_to_resource(**of, Tags=[{"Key": "more", "Value": "1"}])
    ssm.remove_tags_from_resource(**of, TagKeys=["team"])
    assert ssm.list_tags_for_resource(**of)["TagList"] == [{"Key": "more", "Value": "1"}]


def test_list_of_documents(made):
    """Systems Manager API, ListDocuments."""
    ssm, name = made
    wish = [{"Key": "Name", "Values": [name]}, {"Key": "Owner", "Values": ["Self"]}]
    assert [item["Name"] for item in ssm.list_documents(Filters=wish)["DocumentIdentifiers"]] == [name]


def test_how_much_a_parameter_holds(world, refused):
    """Systems Manager User Guide, parameter-store-advanced-parameters: 4 KB in the standard tier."""
    ssm, name = world.client("ssm"), f"/contract/{world.name('parameter')}"
    ssm.put_parameter(Name=name, Value="x" * 4096, Type="String", Tier="Standard")
    world.cleanup.callback(ssm.delete_parameter, Name=name)
    for tier in ({}, {"Tier": "Standard"}):
        with refused("ValidationException"):
            ssm.put_parameter(Name=name, Value="x" * 4097, Type="String", Overwrite=True, **tier)
    ssm.put_parameter(Name=name, Value="x" * 4097, Type="String", Overwrite=True, Tier="Advanced")
    ssm.put_parameter(Name=name, Value="y" * 4097, Type="String", Overwrite=True)
    with refused("ValidationException"):
        ssm.put_parameter(Name=name, Value="z", Type="String", Overwrite=True, Tier="Standard")
