# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Systems Manager in memory: parameters, documents with their versions, OpsItems."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from .calls import Answer, Service, client_error, tag_list, tag_map

PAGE = 2
"""Small, so that a few things fill more than one page."""
MOST_BYTES = 4096
LONGEST_TITLE_TO_FILTER_BY = 100


@dataclass
class Parameter:
    """One parameter."""

    type: str
    value: str
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""


@dataclass
class StoredDocument:
    """One document: the contents of its versions from 1 on, and which of them is the default."""

    type: str
    versions: list[str]
    tags: dict[str, str] = field(default_factory=dict)
    default: int = 1


class FakeSystemsManager(Service):
    """Systems Manager of the account."""

    def __init__(self) -> None:
        super().__init__()
        self.parameters: dict[tuple[str, str], Parameter] = {}
        self.documents: dict[tuple[str, str], StoredDocument] = {}
        self.ops_items: dict[tuple[str, str], Answer] = {}

    # --- parameters ---

    def _parameter(self, name: str, region: str) -> Parameter:
        if (name, region) not in self.parameters:
            raise client_error("ParameterNotFound")
        return self.parameters[name, region]

    def _ssm_GetParameter(self, params: Answer, region: str) -> Answer:
        return {"Parameter": _described(params["Name"], self._parameter(params["Name"], region))}

    def _ssm_GetParametersByPath(self, params: Answer, region: str) -> Answer:
        path = params["Path"] + "/"
        found = [
            _described(name, parameter)
            for (name, where), parameter in sorted(self.parameters.items())
            if where == region and name.startswith(path) and "/" not in name[len(path) :]
        ]
        return _page("Parameters", found, params)

    def _ssm_PutParameter(self, params: Answer, region: str) -> Answer:
        name, value = params["Name"], params["Value"]
        if params.get("Overwrite") and params.get("Tags"):
            raise client_error("ValidationException", "tags and overwrite can't be used together")
        if len(value.encode()) > MOST_BYTES:
            raise client_error("ValidationException", "Standard tier parameters support a maximum of 4096 characters")
        if "{{" in value:
            raise client_error("ValidationException", "Parameter value can't nest another parameter")
        there = self.parameters.get((name, region))
        if there and not params.get("Overwrite"):
            raise client_error("ParameterAlreadyExists")
        tags = there.tags if there else tag_map(params.get("Tags", []))
        self.parameters[name, region] = Parameter(params["Type"], value, tags, params["Description"])
        return {"Version": 1, "Tier": "Standard"}

    def _ssm_DeleteParameter(self, params: Answer, region: str) -> None:
        self._parameter(params["Name"], region)
        del self.parameters[params["Name"], region]

    # --- tags ---

    def _tags(self, params: Answer, region: str) -> dict[str, str]:
        held = {"Parameter": self.parameters, "Document": self.documents}[params["ResourceType"]]
        if (params["ResourceId"], region) not in held:
            raise client_error("InvalidResourceId")
        return held[params["ResourceId"], region].tags

    def _ssm_ListTagsForResource(self, params: Answer, region: str) -> Answer:
        return {"TagList": tag_list(self._tags(params, region))}

    def _ssm_AddTagsToResource(self, params: Answer, region: str) -> None:
        self._tags(params, region).update(tag_map(params["Tags"]))

    # --- documents ---

    def _document(self, name: str, region: str) -> StoredDocument:
        if (name, region) not in self.documents:
            raise client_error("InvalidDocument")
        return self.documents[name, region]

    def _ssm_GetDocument(self, params: Answer, region: str) -> Answer:
        found = self._document(params["Name"], region)
        wanted = params.get("DocumentVersion", "$DEFAULT")
        number = {"$DEFAULT": found.default, "$LATEST": len(found.versions)}.get(wanted) or int(wanted)
        return {
            "Name": params["Name"],
            "DocumentVersion": str(number),
            "DocumentType": found.type,
            "Content": found.versions[number - 1],
        }

    def _ssm_ListDocumentVersions(self, params: Answer, region: str) -> Answer:
        found = self._document(params["Name"], region)
        versions = [
            {"Name": params["Name"], "DocumentVersion": str(number)} for number, _text in enumerate(found.versions, 1)
        ]
        return _page("DocumentVersions", versions, params)

    def _ssm_CreateDocument(self, params: Answer, region: str) -> Answer:
        if (params["Name"], region) in self.documents:
            raise client_error("DocumentAlreadyExists")
        document = StoredDocument(params["DocumentType"], [params["Content"]], tag_map(params["Tags"]))
        self.documents[params["Name"], region] = document
        return {"DocumentDescription": {"DocumentVersion": "1"}}

    def _ssm_UpdateDocument(self, params: Answer, region: str) -> Answer:
        found = self._document(params["Name"], region)
        if json.loads(params["Content"]) in [json.loads(text) for text in found.versions]:
            raise client_error("DuplicateDocumentContent")
        found.versions.append(params["Content"])
        return {"DocumentDescription": {"DocumentVersion": str(len(found.versions))}}

    def _ssm_UpdateDocumentDefaultVersion(self, params: Answer, region: str) -> None:
        self._document(params["Name"], region).default = int(params["DocumentVersion"])

    def _ssm_DeleteDocument(self, params: Answer, region: str) -> None:
        self._document(params["Name"], region)
        del self.documents[params["Name"], region]

    # --- OpsItems ---

    def _ssm_DescribeOpsItems(self, params: Answer, region: str) -> Answer:
        found = [item for (_id, where), item in self.ops_items.items() if where == region]
        for one in params["OpsItemFilters"]:
            assert (one["Key"], one["Operator"]) == ("Title", "Equal"), "the fake knows no other filter"
            (wanted,) = one["Values"]
            if len(wanted) > LONGEST_TITLE_TO_FILTER_BY:
                raise client_error("ValidationException", "The filter value exceeds the length limit")
            # Whether a title's case counts is not documented, so that nobody may rely on it.
            found = [item for item in found if item["Title"].lower() == wanted.lower()]
        summaries = [{name: value for name, value in item.items() if name != "Description"} for item in found]
        return _page("OpsItemSummaries", summaries, params)

    def _ssm_GetOpsItem(self, params: Answer, region: str) -> Answer:
        return {"OpsItem": self._item(params["OpsItemId"], region)}

    def _item(self, item_id: str, region: str) -> Answer:
        if (item_id, region) not in self.ops_items:
            raise client_error("OpsItemNotFoundException")
        return self.ops_items[item_id, region]

    def _ssm_CreateOpsItem(self, params: Answer, region: str) -> Answer:
        for (item_id, where), item in self.ops_items.items():
            if where == region and item["Status"] in ("Open", "InProgress") and _mark(item) == _mark(params):
                raise client_error("OpsItemAlreadyExistsException", f"An item {item_id} exists")
        item_id = f"oi-{len(self.ops_items):012x}"
        self.ops_items[item_id, region] = {"OpsItemId": item_id, "Status": "Open", **params}
        return {"OpsItemId": item_id}

    def _ssm_UpdateOpsItem(self, params: Answer, region: str) -> None:
        self._item(params["OpsItemId"], region).update(params)


def _described(name: str, parameter: Parameter) -> Answer:
    return {"Name": name, "Type": parameter.type, "Value": parameter.value}


def _mark(item: Answer) -> str | None:
    """Deduplication strings are not case sensitive."""
    mark: str | None = item.get("OperationalData", {}).get("/aws/dedup", {}).get("Value")
    return mark and mark.lower()


def _page(name: str, found: list[Answer], params: Answer) -> Answer:
    start = int(params.get("NextToken", 0))
    more = {"NextToken": str(start + PAGE)} if start + PAGE < len(found) else {}
    return {name: found[start : start + PAGE], **more}
