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

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .access_points import canonical_access_point, canonical_access_policy, put_access_point, put_policy, take_policy
from .dashboard_body import canonical_body
from .merging import (
    Put,
    Take,
    as_text,
    canonical_policy,
    create_only,
    keep,
    merge,
    names_of,
    put_owned,
    put_statements,
    remove,
    replace_all,
    replace_fields,
    take_all_but_last,
    take_owned,
    take_statements,
    without,
)
from .model import Document, Refused
from .notification_lists import canonical_notifications, put_notifications, take_notifications

# --- bucket replication --------------------------------------------------------------------------------------


def _put_replication(ours: Document, theirs: Document | None) -> Document:
    foreign = without(_foreign_rules(ours, theirs), set(ours.get("Removed", ())), "ID")
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
    rules = without(theirs["Rules"], names_of(ours["Rules"], "ID"), "ID") if theirs else []
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


# --- roles ----------------------------------------------------------------------------------------------------


def _put_role(ours: Document, theirs: Document | None) -> Document:
    if theirs is not None and theirs["Path"] != ours["Path"]:
        raise Refused(
            f"the role exists with the path {theirs['Path']}, and IAM never changes the path of a role. Set the role "
            f"path {theirs['Path']}, or another role name template, so that a role {ours['Path']}... is made anew."
        )
    return put_owned(ours, theirs)


def _canonical_role(document: Document) -> Document:
    return {**document, "AssumeRolePolicyDocument": canonical_policy(document["AssumeRolePolicyDocument"])}


# --- trails --------------------------------------------------------------------------------------------------

MAX_SELECTOR_VALUES = 500
"""CloudTrail's limit of values over all selectors of a trail."""

_DEFAULT_SELECTOR = {"ReadWriteType": "All", "IncludeManagementEvents": True}


def _put_selectors(ours: Document, theirs: Document | None) -> Document:
    if not records_by_default(theirs):
        raise Refused(
            "the trail has basic event selectors with settings of their own, and setting advanced ones would discard "
            "them. Rewrite them as advanced event selectors first (CloudTrail's console offers it), or name another "
            "trail."
        )
    theirs_advanced = (theirs or {}).get("AdvancedEventSelectors", [])
    merged = merge(ours["AdvancedEventSelectors"], theirs_advanced, "Name")
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


def records_by_default(document: Document | None) -> bool:
    """Whether its basic selectors are what CloudTrail gives every new trail: management events and no data events."""
    return all(_given(selector) == _DEFAULT_SELECTOR for selector in (document or {}).get("EventSelectors", []))


def _given(selector: Document) -> Document:
    """A list that is empty means the same as one that is not there."""
    return {key: value for key, value in selector.items() if value not in ([], None)}


def _take_selectors(ours: Document, theirs: Document | None) -> Document | None:
    if theirs is None:
        return None
    advanced = theirs.get("AdvancedEventSelectors", [])
    remaining = without(advanced, names_of(ours["AdvancedEventSelectors"], "Name"), "Name")
    if len(remaining) == len(advanced):
        return theirs
    return {"AdvancedEventSelectors": remaining} if remaining else {"EventSelectors": [_DEFAULT_SELECTOR]}


def _canonical_selectors(document: Document) -> Document:
    advanced = [_canonical_selector(selector) for selector in document.get("AdvancedEventSelectors", [])]
    if not advanced:
        basic = [_given(selector) for selector in document.get("EventSelectors", [])]
        return {**document, "EventSelectors": sorted(basic, key=as_text)}
    return {"AdvancedEventSelectors": sorted(advanced, key=as_text)}


def _canonical_selector(selector: Document) -> Document:
    fields = [
        {key: sorted(value) if isinstance(value, list) else value for key, value in field.items() if value != []}
        for field in selector["FieldSelectors"]
    ]
    return {"Name": selector.get("Name", ""), "FieldSelectors": sorted(fields, key=lambda field: str(field["Field"]))}


# --- default encryption --------------------------------------------------------------------------------------


def _put_encryption(ours: Document, theirs: Document | None) -> Document:
    """A bucket has one rule; what of it we do not name, as the encryptions that are blocked, keeps its value."""
    held = (theirs or {}).get("Rules", [])[:1]
    return {**(theirs or {}), "Rules": [{**one, **rule} for rule in ours["Rules"] for one in held or [{}]]}


def _canonical_encryption(document: Document) -> Document:
    """A Bucket Key that is off means the same as none, and blocking NONE the same as not blocking."""
    return {**document, "Rules": [_without_off(rule) for rule in document["Rules"]]}


def _without_off(rule: Document) -> Document:
    off = (False, {"EncryptionType": ["NONE"]})
    return {name: value for name, value in rule.items() if value not in off}


def _canonical_lock(document: Document) -> Document:
    """No rule and an empty one both mean that new objects get no retention."""
    return {name: value for name, value in document.items() if value}


# --- tags and logging of buckets -----------------------------------------------------------------------------


def _put_tags(ours: Document, theirs: Document | None) -> Document:
    kept = {key: value for key, value in (theirs or {}).get("Tags", {}).items() if key not in ours.get("Removed", ())}
    return {"Tags": {**kept, **ours["Tags"]}}


def _put_cors(ours: Document, theirs: Document | None) -> Document:
    """S3 takes the first rule that fits, so ours come first."""
    others = [rule for rule in (theirs or {}).get("CORSRules", []) if rule not in ours["CORSRules"]]
    return {"CORSRules": [*ours["CORSRules"], *others]}


def _take_tags(ours: Document, theirs: Document | None) -> Document | None:
    rest = {key: value for key, value in (theirs or {}).get("Tags", {}).items() if key not in ours["Tags"]}
    return {"Tags": rest} if rest else None


def _put_logging(ours: Document, theirs: Document | None) -> Document:
    """What of a log we do not name, as the form of its keys, keeps its value. Nothing at all turns it off."""
    held = (theirs or {}).get("LoggingEnabled", {})
    return {"LoggingEnabled": {**held, **ours["LoggingEnabled"]} if ours["LoggingEnabled"] else {}}


# --- lifecycle -----------------------------------------------------------------------------------------------


_DEFAULT_MINIMUM_SIZE = "all_storage_classes_128K"
"""The `TransitionDefaultMinimumObjectSize` that S3 sets where none is given."""


def _put_lifecycle(ours: Document, theirs: Document | None) -> Document:
    """Ours have a Filter, and S3 takes no rule of the old schema beside them: it is rewritten to mean the same."""
    foreign = [_with_filter(rule) for rule in (theirs or {}).get("Rules", [])]
    rules = merge(ours["Rules"], foreign, "ID", ours.get("Removed", ()))
    return {**(theirs or {}), "Rules": rules}


def _with_filter(rule: Document) -> Document:
    if "Filter" in rule:
        return rule
    kept = {key: value for key, value in rule.items() if key != "Prefix"}
    return {**kept, "Filter": {"Prefix": rule.get("Prefix", "")}}


def _take_lifecycle(ours: Document, theirs: Document | None) -> Document | None:
    rest = without((theirs or {}).get("Rules", []), names_of(ours["Rules"], "ID"), "ID")
    return {**theirs, "Rules": rest} if theirs and rest else None


def _canonical_lifecycle(document: Document) -> Document:
    rules = [_canonical_lifecycle_rule(rule) for rule in document["Rules"]]
    rest = {name: value for name, value in document.items() if value != _DEFAULT_MINIMUM_SIZE}
    return {**rest, "Rules": sorted(rules, key=lambda rule: str(rule.get("ID")))}


def _canonical_lifecycle_rule(rule: Document) -> Document:
    """No filter, an empty one and an empty prefix all mean the whole bucket; transitions follow from their days."""
    lists = ("Transitions", "NoncurrentVersionTransitions")
    ordered = {name: sorted(rule[name], key=as_text) for name in lists if name in rule}
    chosen = _canonical_choice(rule.get("Filter") or {"Prefix": rule.get("Prefix", "")})
    return {**_with_filter(rule), **ordered, "Filter": chosen}


def _canonical_choice(chosen: Document) -> Document:
    """The order of tags means nothing."""
    both = chosen.get("And", {})
    return {**chosen, "And": {**both, "Tags": sorted(both["Tags"], key=as_text)}} if "Tags" in both else chosen


def _canonical_tiering(document: Document) -> Document:
    chosen = {"Filter": _canonical_choice(document["Filter"])} if "Filter" in document else {}
    return {**document, **chosen, "Tierings": sorted(document["Tierings"], key=as_text)}


# --- alarms and dashboards -----------------------------------------------------------------------------------

_ALARM_RANK, _COMPOSITE_RANK, _SILENCE_RANK = 70, 75, 76


def _rank_of_alarm(before: Document | None, after: Document | None) -> int:
    """A composite alarm needs its children, so they come first; but they fall silent only when it acts for them."""
    acted = before is not None and bool(before.get("AlarmActions"))
    falls_silent = acted and after is not None and not after.get("AlarmActions")
    return _SILENCE_RANK if falls_silent else _ALARM_RANK


def _canonical_alarm(document: Document) -> Document:
    canonical = dict(document)
    if "Dimensions" in document:
        canonical["Dimensions"] = sorted(document["Dimensions"], key=lambda dimension: str(dimension["Name"]))
    for key in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        canonical[key] = sorted(document.get(key, []))
    return canonical


def _canonical_subscription(document: Document) -> Document:
    """Its ARN says whether somebody has confirmed it, which is not ours to wish."""
    return {key: value for key, value in document.items() if key != "SubscriptionArn"}


def _canonical_dashboard(document: Document) -> Document:
    return {**document, "Body": canonical_body(document["Body"])}


# --- queues --------------------------------------------------------------------------------------------------


def _canonical_queue(document: Document) -> Document:
    """Attributes are given to a new queue, and are then whoever's who changes them."""
    return {key: value for key, value in document.items() if key != "Attributes"}


# --- functions and what starts them --------------------------------------------------------------------------


def _canonical_function(document: Document) -> Document:
    """The archive is known by its hash: Lambda tells no more of it, and nobody wants to read it."""
    return {name: value for name, value in document.items() if name != "ZipFile"}


def _canonical_managed_policy(document: Document) -> Document:
    return {**document, "Policy": canonical_policy(document["Policy"])}


def _put_schedule(ours: Document, theirs: Document | None) -> Document:
    """A schedule has no tags, so its target tells whose it is."""
    if theirs is not None and theirs["Target"]["Arn"] != ours["Target"]["Arn"]:
        raise Refused(
            f"a schedule of this name starts {theirs['Target']['Arn']}, so it is somebody else's and is left alone. "
            "Choose another `name` for the drill."
        )
    return ours


# --- the table -----------------------------------------------------------------------------------------------


def _same(document: Document) -> Document:
    return document


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: when it is built (`rank`, lower first; removal goes the other way round) and how it merges.

    Where the rank depends on what a step changes, `ranks` says it of the documents before and after.
    """

    rank: int
    put: Put
    take: Take
    canonical: Callable[[Document], Document] = _same
    ranks: Callable[[Document | None, Document | None], int] | None = None

    def rank_of(self, before: Document | None, after: Document | None) -> int:
        """The rank of a step that makes the one document of the other."""
        return self.rank if self.ranks is None else self.ranks(before, after)


KINDS: Mapping[str, Kind] = {
    "bucket": Kind(0, create_only, remove),
    "bucket_contents": Kind(1, create_only, remove),
    "bucket_versioning": Kind(10, replace_fields, keep),
    "bucket_public_access_block": Kind(10, replace_fields, keep),
    "bucket_encryption": Kind(10, _put_encryption, keep, _canonical_encryption),
    "bucket_object_lock": Kind(12, replace_fields, keep, _canonical_lock),
    "bucket_accelerate": Kind(10, replace_fields, keep),
    "bucket_ownership": Kind(10, replace_fields, keep),
    "bucket_cors": Kind(10, _put_cors, keep),
    "bucket_tags": Kind(10, _put_tags, _take_tags),
    "bucket_tiering": Kind(14, replace_all, remove, _canonical_tiering),
    "bucket_logging": Kind(25, _put_logging, keep),  # when the log's bucket lets it in
    "bucket_lifecycle": Kind(14, _put_lifecycle, _take_lifecycle, _canonical_lifecycle),
    "iam_role": Kind(10, _put_role, take_owned, _canonical_role),
    "iam_role_policy": Kind(15, replace_fields, remove, canonical_policy),
    "bucket_policy": Kind(20, put_statements, take_statements, canonical_policy),
    "kms_key_policy": Kind(20, put_statements, take_all_but_last, canonical_policy),
    "bucket_replication": Kind(30, _put_replication, _take_replication, _canonical_replication),
    "multi_region_access_point": Kind(35, put_access_point, remove, canonical_access_point),
    "multi_region_access_point_policy": Kind(36, put_policy, take_policy, canonical_access_policy),
    "trail": Kind(40, put_owned, take_owned),
    "trail_logging": Kind(45, replace_fields, remove),
    "trail_event_selectors": Kind(50, _put_selectors, _take_selectors, _canonical_selectors),
    "sns_topic": Kind(60, create_only, take_owned),
    "sqs_queue": Kind(60, create_only, take_owned, _canonical_queue),
    "sns_topic_encryption": Kind(62, replace_fields, keep),
    "sqs_queue_encryption": Kind(62, replace_fields, keep),
    "sns_topic_policy": Kind(65, put_statements, take_all_but_last, canonical_policy),
    "sqs_queue_policy": Kind(65, put_statements, take_statements, canonical_policy),
    "sns_subscription": Kind(66, create_only, keep, _canonical_subscription),
    "bucket_notification": Kind(68, put_notifications, take_notifications, canonical_notifications),
    "metric_alarm": Kind(_ALARM_RANK, replace_all, remove, _canonical_alarm, _rank_of_alarm),
    "composite_alarm": Kind(_COMPOSITE_RANK, replace_all, remove, _canonical_alarm),
    "cloudwatch_dashboard": Kind(80, replace_fields, remove, _canonical_dashboard),
    "ssm_parameter": Kind(80, put_owned, take_owned),
    "ssm_document": Kind(80, put_owned, take_owned),
    "ops_item": Kind(85, replace_fields, remove),
    "iam_managed_policy": Kind(15, put_owned, take_owned, _canonical_managed_policy),
    "log_group": Kind(60, put_owned, take_owned),
    "lambda_function": Kind(65, put_owned, take_owned, _canonical_function),
    "function_concurrency": Kind(67, replace_fields, remove),
    "state_machine": Kind(68, put_owned, take_owned),
    "schedule": Kind(80, _put_schedule, remove),
}


def canonical(kind: str, document: Document | None) -> Document | None:
    """The document in the one form that all documents of the same meaning share."""
    return None if document is None else KINDS[kind].canonical(document)
