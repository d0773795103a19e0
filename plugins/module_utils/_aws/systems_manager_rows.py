# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of Systems Manager's kinds: parameters, documents and OpsItems.

The value of a parameter that is a JSON object is held as that object, and so is the content of a document. An
OpsItem's name is its title, of at most 100 characters: there is one item of a title that is not resolved.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from .._core.model import Address, Document
from .._core.operations import packed
from .row import Client, Eventual, Row
from .sdk_errors import ClientError, error_code

_DESCRIPTION = "Written by the Ansible collection crossregion.s3_dr."


def _tags(client: Client, resource_type: str, name: str) -> dict[str, str]:
    answer = client.list_tags_for_resource(ResourceType=resource_type, ResourceId=name)
    return {tag["Key"]: tag["Value"] for tag in answer.get("TagList", [])}


def _tag_list(document: Document) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in document["Tags"].items()]


def _update_tags(
    client: Client, resource_type: str, address: Address, before: Document | None, after: Document
) -> None:
    if before is None or before["Tags"] != after["Tags"]:
        client.add_tags_to_resource(ResourceType=resource_type, ResourceId=address.name, Tags=_tag_list(after))


def _unpacked(text: str) -> Any:
    """The JSON object that the text is, or else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


def _without_tags(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "Tags"}


# --- parameters ----------------------------------------------------------------------------------------------


def _read_parameter(client: Client, address: Address) -> Document:
    found = client.get_parameter(Name=address.name)["Parameter"]
    tags = _tags(client, "Parameter", address.name)
    return {"Type": found["Type"], "Value": _unpacked(found["Value"]), "Tags": tags}


def _write_parameter(client: Client, address: Address, before: Document | None, after: Document) -> None:
    """Tags can be given to a new parameter only, and a tier that is given could not be taken back."""
    value = {"Name": address.name, "Value": packed(after["Value"]), "Type": after["Type"], "Description": _DESCRIPTION}
    if before is None:
        client.put_parameter(**value, Tier="Standard", Tags=_tag_list(after))
        return
    if _without_tags(before) != _without_tags(after):
        client.put_parameter(**value, Overwrite=True)
    _update_tags(client, "Parameter", address, before, after)


def _delete_parameter(client: Client, address: Address, before: Document) -> None:
    client.delete_parameter(Name=address.name)


def values_below(client: Client, path: str) -> list[Any]:
    """The values of a Region's parameters right below a path."""
    pages = client.get_paginator("get_parameters_by_path").paginate(Path=path)
    return [_unpacked(parameter["Value"]) for page in pages for parameter in page["Parameters"]]


# --- documents -----------------------------------------------------------------------------------------------


def _read_document(client: Client, address: Address) -> Document:
    """The default version, which is the one that runs."""
    found = client.get_document(Name=address.name, DocumentVersion="$DEFAULT", DocumentFormat="JSON")
    tags = _tags(client, "Document", address.name)
    return {"DocumentType": found["DocumentType"], "Content": _unpacked(found["Content"]), "Tags": tags}


def _write_document(client: Client, address: Address, before: Document | None, after: Document) -> None:
    content = {"Name": address.name, "Content": packed(after["Content"]), "DocumentFormat": "JSON"}
    if before is None:
        client.create_document(**content, DocumentType=after["DocumentType"], Tags=_tag_list(after))
        return
    if before["Content"] != after["Content"]:
        version = _new_version(client, address, content) or _version_of(client, address, after["Content"])
        client.update_document_default_version(Name=address.name, DocumentVersion=version)
    _update_tags(client, "Document", address, before, after)


def _new_version(client: Client, address: Address, content: Document) -> str | None:
    """None: a version of this content is there already, and only needs to become the default."""
    try:
        answer = client.update_document(**content, DocumentVersion="$LATEST")
    except ClientError as error:
        if error_code(error) != "DuplicateDocumentContent":
            raise
        return None
    return str(answer["DocumentDescription"]["DocumentVersion"])


def _version_of(client: Client, address: Address, content: Any) -> str:
    """The newest version that has the content; the newest of all if none has, which the settling then finds out."""
    pages = client.get_paginator("list_document_versions").paginate(Name=address.name)
    versions = [one["DocumentVersion"] for page in pages for one in page["DocumentVersions"]]
    versions.sort(key=int, reverse=True)
    for version in versions:
        found = client.get_document(Name=address.name, DocumentVersion=version, DocumentFormat="JSON")
        if _unpacked(found["Content"]) == content:
            return str(version)
    return str(versions[0])


def _delete_document(client: Client, address: Address, before: Document) -> None:
    client.delete_document(Name=address.name)


# --- OpsItems ------------------------------------------------------------------------------------------------

_DEDUPLICATION = "/aws/dedup"
_ITEM_FIELDS = ("Title", "Source", "Description", "Severity", "Category")
_OVER = ("Resolved", "Closed")
_ITEM_ID = re.compile(r"\boi-[0-9a-f]+\b")


def _read_item(client: Client, address: Address) -> Document | None:
    found = _open_item(client, address)
    return {name: found[name] for name in _ITEM_FIELDS if name in found} if found else None


def _open_item(client: Client, address: Address) -> Document | None:
    """The item of this name that nobody has resolved.

    It is found by its title. Systems Manager API, DescribeOpsItems: Equal of a Title takes 100 characters at most.
    """
    wanted = {"Key": "Title", "Values": [address.name], "Operator": "Equal"}
    for page in client.get_paginator("describe_ops_items").paginate(OpsItemFilters=[wanted]):
        for one in page["OpsItemSummaries"]:
            if one["Title"] == address.name and one["Status"] not in _OVER:
                return dict(client.get_ops_item(OpsItemId=one["OpsItemId"])["OpsItem"])
    return None


def _write_item(client: Client, address: Address, before: Document | None, after: Document) -> None:
    found = _open_item(client, address)
    item_id = found["OpsItemId"] if found else _new_item(client, address, after)
    if item_id:
        changeable = {name: value for name, value in after.items() if name != "Source"}
        client.update_ops_item(OpsItemId=item_id, **changeable)


def _new_item(client: Client, address: Address, after: Document) -> str | None:
    """None: it is made. Else the item that has the same deduplication string under another title."""
    mark = {"Type": "SearchableString", "Value": json.dumps({"dedupString": _deduplication_string(address.name)})}
    try:
        client.create_ops_item(**after, OperationalData={_DEDUPLICATION: mark})
    except ClientError as error:
        there = error.response.get("OpsItemId") or _ITEM_ID.search(str(error))
        if error_code(error) != "OpsItemAlreadyExistsException" or not there:
            raise
        return str(there) if isinstance(there, str) else there.group()
    return None


def _deduplication_string(name: str) -> str:
    """Systems Manager User Guide, "Working with deduplication strings": they are not case sensitive, and names are."""
    return f"{name} {hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _resolve_item(client: Client, address: Address, before: Document) -> None:
    if found := _open_item(client, address):
        client.update_ops_item(OpsItemId=found["OpsItemId"], Status="Resolved")


# --- the table -----------------------------------------------------------------------------------------------

_BUSY = Eventual("TooManyUpdates")

ROWS = {
    "ssm_parameter": Row(
        "ssm",
        _read_parameter,
        _write_parameter,
        _delete_parameter,
        {
            "read": "ssm:GetParameter, ssm:ListTagsForResource",
            "write": "ssm:PutParameter, ssm:AddTagsToResource",
            "remove": "ssm:DeleteParameter",
        },
        missing=frozenset({"ParameterNotFound", "InvalidResourceId"}),
        eventual=(_BUSY,),
    ),
    "ssm_document": Row(
        "ssm",
        _read_document,
        _write_document,
        _delete_document,
        {
            "read": "ssm:GetDocument, ssm:ListTagsForResource",
            "write": (
                "ssm:CreateDocument, ssm:AddTagsToResource, ssm:UpdateDocument, ssm:UpdateDocumentDefaultVersion, "
                "ssm:ListDocumentVersions"
            ),
            "remove": "ssm:DeleteDocument",
        },
        missing=frozenset({"InvalidDocument", "InvalidResourceId"}),
        eventual=(_BUSY,),
    ),
    "ops_item": Row(
        "ssm",
        _read_item,
        _write_item,
        _resolve_item,
        {
            "read": "ssm:DescribeOpsItems, ssm:GetOpsItem",
            "write": "ssm:DescribeOpsItems, ssm:GetOpsItem, ssm:CreateOpsItem, ssm:UpdateOpsItem",
            "remove": "ssm:DescribeOpsItems, ssm:GetOpsItem, ssm:UpdateOpsItem",
        },
    ),
}
