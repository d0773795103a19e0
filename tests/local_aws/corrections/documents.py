# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Documents of Systems Manager, such as runbooks of Automation, which MiniStack does not have. None of them is run."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id

from .systems_manager import Data, Refused, operation

NAME = re.compile(r"[a-zA-Z0-9_\-.]{3,128}")
RESERVED = re.compile(r"aws|amazon|amzn", re.IGNORECASE)
LARGEST = 64 * 1024
SCHEMA_OF_AUTOMATION = "0.3"

_documents: Any = AccountRegionScopedDict()  # by name


@dataclass
class Document:
    name: str
    kind: str
    form: str
    versions: dict[str, tuple[str, float]] = field(default_factory=dict)  # the content and when it was written
    default: str = "1"
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def latest(self) -> str:
        return max(self.versions, key=int)

    def version(self, wanted: str | None) -> str:
        number = {None: self.default, "": self.default, "$DEFAULT": self.default, "$LATEST": self.latest}.get(
            wanted, wanted
        )
        if number not in self.versions:
            raise Refused("InvalidDocumentVersion", "The document version is not valid or does not exist.")
        return str(number)

    def add(self, content: str) -> str:
        number = str(int(self.latest) + 1 if self.versions else 1)
        self.versions[number] = content, time.time()
        return number

    def described(self, version: str) -> Data:
        content, written = self.versions[version]
        parsed = json.loads(content) if self.form == "JSON" else {}
        return {
            "Name": self.name,
            "Owner": get_account_id(),
            "CreatedDate": written,
            "Status": "Active",
            "DocumentVersion": version,
            "LatestVersion": self.latest,
            "DefaultVersion": self.default,
            "DocumentType": self.kind,
            "DocumentFormat": self.form,
            "SchemaVersion": str(parsed.get("schemaVersion", "")),
            "Description": parsed.get("description", ""),
            "Parameters": [described_parameter(*item) for item in (parsed.get("parameters") or {}).items()],
            "PlatformTypes": ["Windows", "Linux", "MacOS"],
            "Hash": hashlib.sha256(content.encode()).hexdigest(),
            "HashType": "Sha256",
            "Tags": shown(self.tags),
        }


def described_parameter(name: str, parameter: Data) -> Data:
    found = {"Name": name, "Type": parameter.get("type", "String"), "Description": parameter.get("description", "")}
    default = parameter.get("default")
    if default is None:
        return found
    return found | {"DefaultValue": default if isinstance(default, str) else json.dumps(default)}


def shown(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def existing(data: Data) -> Document:
    document: Document | None = _documents.get(data["Name"].rpartition("document/")[2])
    if document is None:
        raise Refused("InvalidDocument", "Document with name " + data["Name"] + " does not exist.")
    return document


def check(content: str, kind: str, form: str) -> None:
    """Systems Manager User Guide, documents-schemas-features: a runbook is of schema 0.3 and has steps."""
    if len(content.encode()) > LARGEST:
        raise Refused("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB.")
    if form != "JSON":
        return
    try:
        parsed = json.loads(content)
    except ValueError as problem:
        raise Refused("InvalidDocumentContent", f"JSON not well-formed. {problem}") from problem
    if not isinstance(parsed, dict):
        raise Refused("InvalidDocumentContent", "The content for the document is not valid.")
    if kind != "Automation":
        return
    if parsed.get("schemaVersion") != SCHEMA_OF_AUTOMATION:
        text = f"The schemaVersion {parsed.get('schemaVersion')} is not supported for document type {kind}."
        raise Refused("InvalidDocumentSchemaVersion", text)
    steps = parsed.get("mainSteps")
    names = [step.get("name") for step in steps or [] if isinstance(step, dict) and step.get("action")]
    if not steps or len(set(names) - {None}) != len(steps):
        raise Refused("InvalidDocumentContent", "mainSteps: each step has a name of its own and an action.")


@operation("CreateDocument")
def create(data: Data) -> Data:
    """Systems Manager API, CreateDocument: the type is Command and the format JSON unless told."""
    name, kind, form = data["Name"], data.get("DocumentType", "Command"), data.get("DocumentFormat", "JSON")
    if not NAME.fullmatch(name) or RESERVED.match(name):
        raise Refused("ValidationException", f"Document name {name} is not valid.")
    if name in _documents:
        raise Refused("DocumentAlreadyExists", f"Document with name {name} already exists.")
    check(data["Content"], kind, form)
    tags = {tag["Key"]: tag["Value"] for tag in data.get("Tags") or []}
    document = Document(name, kind, form, tags=tags)
    version = document.add(data["Content"])
    _documents[name] = document
    return {"DocumentDescription": document.described(version)}


@operation("GetDocument")
def get(data: Data) -> Data:
    """Systems Manager API, GetDocument: the default version, unless another is asked for."""
    document = existing(data)
    version = document.version(data.get("DocumentVersion"))
    content, written = document.versions[version]
    return {
        "Name": document.name,
        "CreatedDate": written,
        "DocumentVersion": version,
        "Status": "Active",
        "Content": content,
        "DocumentType": document.kind,
        "DocumentFormat": document.form,
    }


@operation("DescribeDocument")
def describe(data: Data) -> Data:
    document = existing(data)
    return {"Document": document.described(document.version(data.get("DocumentVersion")))}


@operation("UpdateDocument")
def update(data: Data) -> Data:
    """Systems Manager API, UpdateDocument: a new version, made from the latest one only; what is default stays so."""
    document = existing(data)
    if document.version(data.get("DocumentVersion")) != document.latest:
        text = f"Version provided for document {document.name} is not latest."
        raise Refused("InvalidDocumentVersion", f"{text} Please provide the latest version to update the document.")
    check(data["Content"], document.kind, data.get("DocumentFormat", document.form))
    if data["Content"] == document.versions[document.latest][0]:
        text = "The content of the association document matches another document."
        raise Refused("DuplicateDocumentContent", f"{text} Change the content of the document and try again.")
    return {"DocumentDescription": document.described(document.add(data["Content"]))}


@operation("UpdateDocumentDefaultVersion")
def update_default(data: Data) -> Data:
    """Systems Manager API, UpdateDocumentDefaultVersion: by number."""
    document = existing(data)
    if not data["DocumentVersion"].isdecimal():
        raise Refused("ValidationException", "documentVersion failed to satisfy the pattern (^[1-9][0-9]*$)")
    document.default = document.version(data["DocumentVersion"])
    return {"Description": {"Name": document.name, "DefaultVersion": document.default}}


@operation("DeleteDocument")
def delete(data: Data) -> Data:
    del _documents[existing(data).name]
    return {}


@operation("ListDocuments")
def list_documents(data: Data) -> Data:
    """Systems Manager API, ListDocuments: Owner, Name, by what it begins with, and DocumentType are looked at."""
    found = [document.described(document.default) for _name, document in sorted(_documents.items())]
    for wish in data.get("Filters") or []:
        if wish["Key"] == "Name":
            found = [item for item in found if item["Name"].startswith(tuple(wish["Values"]))]
        elif wish["Key"] == "DocumentType":
            found = [item for item in found if item["DocumentType"] in wish["Values"]]
        elif wish["Key"] == "Owner" and not {"Self", "Private", "All"} & set(wish["Values"]):
            found = []
    return {"DocumentIdentifiers": found}


@operation("ListDocumentVersions")
def list_versions(data: Data) -> Data:
    document = existing(data)
    shown_versions = [
        {
            "Name": document.name,
            "DocumentVersion": number,
            "CreatedDate": written,
            "IsDefaultVersion": number == document.default,
            "DocumentFormat": document.form,
            "Status": "Active",
        }
        for number, (_content, written) in document.versions.items()
    ]
    return {"DocumentVersions": shown_versions[::-1]}


# Tags


def tagged(data: Data) -> Document | None:
    """The document whose tags are meant; None when they are of something else."""
    if data.get("ResourceType") != "Document":
        return None
    document: Document | None = _documents.get(data["ResourceId"])
    if document is None:
        raise Refused("InvalidResourceId", "The resource ID is not valid.")
    return document


@operation("ListTagsForResource")
def list_tags(data: Data) -> Data | None:
    document = tagged(data)
    return document and {"TagList": shown(document.tags)}


@operation("AddTagsToResource")
def add_tags(data: Data) -> Data | None:
    if (document := tagged(data)) is None:
        return None
    document.tags.update({tag["Key"]: tag["Value"] for tag in data["Tags"]})
    return {}


@operation("RemoveTagsFromResource")
def remove_tags(data: Data) -> Data | None:
    if (document := tagged(data)) is None:
        return None
    for key in data["TagKeys"]:
        document.tags.pop(key, None)
    return {}
