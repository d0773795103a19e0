# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What may be done with a document of each kind: put our part into theirs, take it out again, compare by meaning.

For every kind, with `ours` the part that a pair wishes and `theirs` what AWS holds (None: nothing):

* `put(ours, theirs)` is the whole document with our part in it; putting twice is putting once. In kinds that are
  lists of named entries, `Removed` in our part names entries that go;
* `take(ours, theirs)` is what remains when our part is out, None when nothing remains;
* `canonical(document)` is the same for two documents that mean the same.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from .model import Document, Refused

OWNER_TAG = "managed-by"
OWNER = "crossregion.s3_dr"

Put: TypeAlias = "Callable[[Document, Document | None], Document]"
Take: TypeAlias = "Callable[[Document, Document | None], Document | None]"


def owner_tags(**more: str) -> dict[str, str]:
    """The tags by which this collection knows again what it made."""
    return {OWNER_TAG: OWNER, **more}


def is_ours(document: Document | None) -> bool:
    """Whether the thing carries this collection's tag."""
    return document is not None and document.get("Tags", {}).get(OWNER_TAG) == OWNER


# --- documents that are ours from the first to the last byte -------------------------------------------------


def _replace(ours: Document, theirs: Document | None) -> Document:
    """Set exactly what we wish; fields that we do not name keep their value."""
    return {**(theirs or {}), **ours}


def _keep(ours: Document, theirs: Document | None) -> Document | None:
    """A setting that cannot be unset without harm, or that may have been there before us, stays."""
    return theirs


def _remove(ours: Document, theirs: Document | None) -> None:
    return None


def _create_only(ours: Document, theirs: Document | None) -> Document:
    """A thing that only needs to exist: somebody else's serves as well and is not touched."""
    return ours if theirs is None else theirs


# --- things known by their tag -------------------------------------------------------------------------------


def _put_owned(ours: Document, theirs: Document | None) -> Document:
    if theirs is None:
        return ours
    if not is_ours(theirs):
        raise Refused(
            f"a thing of this name exists already and does not carry the tag {OWNER_TAG}={OWNER}, so it is somebody "
            "else's and is left alone. Rename it or ours, or add that tag to hand it over."
        )
    return {**theirs, **ours, "Tags": {**theirs["Tags"], **ours["Tags"]}}


def _take_owned(ours: Document, theirs: Document | None) -> Document | None:
    return None if is_ours(theirs) else theirs


def _put_role(ours: Document, theirs: Document | None) -> Document:
    if theirs is not None and theirs["Path"] != ours["Path"]:
        raise Refused(
            f"the role exists with the path {theirs['Path']}, and IAM never changes the path of a role. Set the role "
            f"path {theirs['Path']}, or another role name template, so that a role {ours['Path']}... is made anew."
        )
    return _put_owned(ours, theirs)


# --- lists in which we own the entries with our names --------------------------------------------------------


def _names(entries: Iterable[Document], key: str) -> set[str]:
    return {entry[key] for entry in entries}


def _without(entries: Iterable[Document], names: set[str], key: str) -> list[Document]:
    return [entry for entry in entries if entry.get(key) not in names]


def _merge(
    ours: Iterable[Document], theirs: Iterable[Document], key: str, removed: Iterable[str] = ()
) -> list[Document]:
    """Foreign entries in their order without the removed ones, then ours."""
    ours = list(ours)
    return [*_without(theirs, {*_names(ours, key), *removed}, key), *ours]


# --- bucket replication --------------------------------------------------------------------------------------


def _put_replication(ours: Document, theirs: Document | None) -> Document:
    foreign = _without(_foreign_rules(ours, theirs), set(ours.get("Removed", ())), "ID")
    if foreign and theirs and theirs["Role"] != ours["Role"]:
        raise Refused(
            f"the rules {_listed(foreign)} are not this pair's and replicate as {theirs['Role']}. A bucket has one "
            f"replication role for all its rules, so setting {ours['Role']} would break them. Name that role as this "
            "end's `replication_role_arn`, move those rules into this pair's `rules`, or set `purge_rules: true` to "
            "remove them."
        )
    for rule in foreign:
        _check_side_by_side(rule, ours["Rules"])
    _check_namesakes(ours, theirs)
    return {"Role": ours["Role"], "Rules": [*foreign, *ours["Rules"]]}


def _check_namesakes(ours: Document, theirs: Document | None) -> None:
    """A rule of our ID that goes elsewhere as another role is another pair's, which would stop without a word."""
    there = theirs if theirs and theirs["Role"] != ours["Role"] else {"Rules": []}
    targets = {rule["ID"]: rule["Destination"]["Bucket"] for rule in ours["Rules"]}
    for rule in there["Rules"]:
        target, rule_id = rule["Destination"]["Bucket"], rule.get("ID")
        if rule_id in targets and target != targets[rule_id] and rule_id not in ours.get("Removed", ()):
            raise Refused(
                f"a rule '{rule_id}' is there already and replicates to {target} as {there['Role']}, so it seems to be "
                "another pair's. Give this pair's rule another `id`, or set `purge_rules: true` to replace it."
            )


def _check_side_by_side(foreign: Document, ours: Iterable[Document]) -> None:
    if "Filter" not in foreign:
        raise Refused(
            f"the rule '{foreign['ID']}' has the old schema without Filter, which S3 does not take beside rules of "
            "the new one. Rewrite that rule with a Filter, a Priority and DeleteMarkerReplication first."
        )
    for rule in ours:
        if rule["Priority"] == foreign.get("Priority"):
            raise Refused(
                f"the rule '{foreign['ID']}', which is not this pair's, has priority {rule['Priority']}, as the "
                f"pair's rule '{rule['ID']}' should. Priorities are unique in a bucket: set another `priority`."
            )


def _take_replication(ours: Document, theirs: Document | None) -> Document | None:
    """Ours is what has our ID and goes where ours goes: another pair may use the same ID for another destination."""
    if theirs is None:
        return None
    targets = {(rule["ID"], rule["Destination"]["Bucket"]) for rule in ours["Rules"]}
    rest = [rule for rule in theirs["Rules"] if (rule.get("ID"), rule["Destination"]["Bucket"]) not in targets]
    return {"Role": theirs["Role"], "Rules": [_writable_rule(rule) for rule in rest]} if rest else None


def _foreign_rules(ours: Document, theirs: Document | None) -> list[Document]:
    rules = _without(theirs["Rules"], _names(ours["Rules"], "ID"), "ID") if theirs else []
    return [_writable_rule(rule) for rule in rules]


def _writable_rule(rule: Document) -> Document:
    """S3 may return `ExistingObjectReplication` and refuses it as MalformedXML when it is sent back."""
    return {key: value for key, value in rule.items() if key != "ExistingObjectReplication"}


def _listed(rules: Iterable[Document]) -> str:
    return ", ".join(f"'{rule['ID']}'" for rule in rules)


def _canonical_replication(document: Document) -> Document:
    rules = [_canonical_rule(rule) for rule in document["Rules"]]
    return {"Role": document["Role"], "Rules": sorted(rules, key=lambda rule: str(rule["ID"]))}


def _canonical_rule(rule: Document) -> Document:
    canonical = dict(_writable_rule(rule))
    if "Filter" in canonical:
        canonical["Filter"] = _canonical_filter(canonical["Filter"])
        canonical.setdefault("DeleteMarkerReplication", {"Status": "Disabled"})
        canonical.setdefault("Priority", 0)
    canonical["Destination"] = _without_disabled(canonical["Destination"])
    selection = _without_disabled(canonical.pop("SourceSelectionCriteria", {}))
    return {**canonical, "SourceSelectionCriteria": selection} if selection else canonical


def _without_disabled(settings: Document) -> Document:
    """A setting that is disabled means the same as one that is not there."""
    return {
        name: value
        for name, value in settings.items()
        if not (isinstance(value, Mapping) and value.get("Status") == "Disabled")
    }


def _canonical_filter(rule_filter: Document) -> Document:
    """An empty filter and an empty prefix both mean the whole bucket; the order of tags means nothing."""
    both = {name: value for name, value in rule_filter.get("And", {}).items() if value}
    if "And" in rule_filter and "Tags" not in both:
        return {"Prefix": both.get("Prefix", "")}
    if both:
        both["Tags"] = sorted(both.get("Tags", []), key=lambda tag: (str(tag["Key"]), str(tag["Value"])))
        return {"And": both}
    return rule_filter or {"Prefix": ""}


# --- policies ------------------------------------------------------------------------------------------------


def _put_statements(ours: Document, theirs: Document | None) -> Document:
    return {
        **(theirs or {"Version": ours["Version"]}),
        "Statement": _merge(ours["Statement"], statements_of(theirs), "Sid", ours.get("Removed", ())),
    }


def _take_statements(ours: Document, theirs: Document | None) -> Document | None:
    foreign = _without(statements_of(theirs), _names(ours["Statement"], "Sid"), "Sid")
    return {**theirs, "Statement": foreign} if theirs and foreign else None


def _take_all_but_last(ours: Document, theirs: Document | None) -> Document | None:
    """A topic or key has a policy as long as it exists, so its last statement stays until the thing goes."""
    return _take_statements(ours, theirs) or theirs


def statements_of(policy: Document | None) -> list[Document]:
    """The statements of a policy; a single one may stand without its list."""
    statement = (policy or {}).get("Statement", [])
    return [statement] if isinstance(statement, Mapping) else list(statement)


def _canonical_policy(policy: Document) -> Document:
    statements = [_canonical_statement(statement) for statement in statements_of(policy)]
    return {**policy, "Statement": sorted(statements, key=_as_text)}


def _canonical_statement(statement: Document) -> Document:
    """In a policy one value may stand without its list, and the order within a list means nothing."""
    canonical = dict(statement)
    for key in ("Action", "NotAction", "Resource", "NotResource"):
        if key in canonical:
            canonical[key] = _value_set(canonical[key])
    for key in ("Principal", "NotPrincipal"):
        if isinstance(canonical.get(key), Mapping):
            canonical[key] = {kind: _value_set(who) for kind, who in canonical[key].items()}
    if "Condition" in canonical:
        canonical["Condition"] = {
            operator: {key: _value_set(wanted) for key, wanted in keys.items()}
            for operator, keys in canonical["Condition"].items()
        }
    return canonical


def _value_set(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return sorted({_policy_text(item) for item in values})


def _policy_text(value: Any) -> str:
    """AWS stores `true` in a condition as the text "true"."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _canonical_role(document: Document) -> Document:
    return {**document, "AssumeRolePolicyDocument": _canonical_policy(document["AssumeRolePolicyDocument"])}


# --- trails --------------------------------------------------------------------------------------------------

MAX_SELECTOR_VALUES = 500
"""CloudTrail's limit of values over all selectors of a trail."""

_DEFAULT_SELECTOR = {"ReadWriteType": "All", "IncludeManagementEvents": True}


def _put_selectors(ours: Document, theirs: Document | None) -> Document:
    foreign_basic = [selector for selector in (theirs or {}).get("EventSelectors", []) if not _is_default(selector)]
    if foreign_basic:
        raise Refused(
            "the trail has basic event selectors with settings of their own, and setting advanced ones would discard "
            "them. Rewrite them as advanced event selectors first (CloudTrail's console offers it), or name another "
            "trail."
        )
    theirs_advanced = (theirs or {}).get("AdvancedEventSelectors", [])
    merged = _merge(ours["AdvancedEventSelectors"], theirs_advanced, "Name")
    values = selector_values(merged)
    if values > MAX_SELECTOR_VALUES:
        raise Refused(
            f"its selectors would hold {values} values with those that are there, and CloudTrail takes "
            f"{MAX_SELECTOR_VALUES} a trail. Divide the pairs between two trails."
        )
    return {"AdvancedEventSelectors": merged}


def selector_values(selectors: Iterable[Document]) -> int:
    """How many values the conditions of the selectors hold, which is what CloudTrail limits."""
    fields = [field for selector in selectors for field in selector["FieldSelectors"]]
    return sum(len(values) for field in fields for values in field.values() if isinstance(values, list))


def _is_default(selector: Document) -> bool:
    """What CloudTrail gives every new trail: all management events and no data events."""
    given = {key: value for key, value in selector.items() if value not in ([], None)}
    return given == _DEFAULT_SELECTOR


def _take_selectors(ours: Document, theirs: Document | None) -> Document | None:
    if theirs is None:
        return None
    advanced = theirs.get("AdvancedEventSelectors", [])
    remaining = _without(advanced, _names(ours["AdvancedEventSelectors"], "Name"), "Name")
    return theirs if len(remaining) == len(advanced) else {"AdvancedEventSelectors": remaining}


def _canonical_selectors(document: Document) -> Document:
    advanced = [_canonical_selector(selector) for selector in document.get("AdvancedEventSelectors", [])]
    if not advanced:
        return document
    return {"AdvancedEventSelectors": sorted(advanced, key=_as_text)}


def _canonical_selector(selector: Document) -> Document:
    fields = [
        {key: sorted(value) if isinstance(value, list) else value for key, value in field.items() if value != []}
        for field in selector["FieldSelectors"]
    ]
    return {"Name": selector.get("Name", ""), "FieldSelectors": sorted(fields, key=lambda field: str(field["Field"]))}


# --- alarms --------------------------------------------------------------------------------------------------


def _canonical_alarm(document: Document) -> Document:
    canonical = dict(document)
    canonical["Dimensions"] = sorted(document["Dimensions"], key=lambda dimension: str(dimension["Name"]))
    for key in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        canonical[key] = sorted(document.get(key, []))
    return canonical


# --- the table -----------------------------------------------------------------------------------------------


def _same(document: Document) -> Document:
    return document


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: when it is built (`rank`, lower first; removal goes the other way round) and how it merges."""

    rank: int
    put: Put
    take: Take
    canonical: Callable[[Document], Document] = _same


KINDS: Mapping[str, Kind] = {
    "bucket": Kind(0, _create_only, _remove),
    "bucket_contents": Kind(1, _create_only, _remove),
    "bucket_versioning": Kind(10, _replace, _keep),
    "bucket_public_access_block": Kind(10, _replace, _keep),
    "bucket_object_lock": Kind(12, _replace, _keep),
    "iam_role": Kind(10, _put_role, _take_owned, _canonical_role),
    "iam_role_policy": Kind(15, _replace, _remove, _canonical_policy),
    "bucket_policy": Kind(20, _put_statements, _take_statements, _canonical_policy),
    "kms_key_policy": Kind(20, _put_statements, _take_all_but_last, _canonical_policy),
    "bucket_replication": Kind(30, _put_replication, _take_replication, _canonical_replication),
    "trail": Kind(40, _put_owned, _take_owned),
    "trail_logging": Kind(45, _replace, _remove),
    "trail_event_selectors": Kind(50, _put_selectors, _take_selectors, _canonical_selectors),
    "sns_topic": Kind(60, _create_only, _take_owned),
    "sns_topic_policy": Kind(65, _put_statements, _take_all_but_last, _canonical_policy),
    "sns_subscription": Kind(65, _create_only, _keep),
    "metric_alarm": Kind(70, _replace, _remove, _canonical_alarm),
}


def canonical(kind: str, document: Document | None) -> Document | None:
    """The document in the one form that all documents of the same meaning share."""
    return None if document is None else KINDS[kind].canonical(document)
