# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What PutBucketReplication refuses.

S3 User Guide, replication-add-config and replication-troubleshoot; S3 API, PutBucketReplication. Where AWS documents no
text, the code is what counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ministack.services import s3

from .fitting import corrects, uses

uses("services.s3", "_error(code, message, status, resource, extra, headers)", "_bucket_owner_account(name)")

Answer = tuple[int, dict[str, str], bytes]

STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "OUTPOSTS",
        "GLACIER_IR",
        "SNOW",
        "EXPRESS_ONEZONE",
    }
)
SCHEMA = "this version of the Cross Region Replication configuration schema"


class Refused(Exception):
    """An answer of AWS: its error code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


@corrects("services.s3", "_put_bucket_replication(bucket_name, body)")
def refuse_invalid_replication(original: Callable[..., Answer], bucket_name: str, body: bytes) -> Answer:
    """S3 API, PutBucketReplication: first the schema, then the source bucket, then what the rules say."""
    try:
        root = parse(body)
        rules = children(root, "Rule")
        for rule in rules:
            check_schema(rule)
        if s3._bucket_versioning.get(bucket_name) == "Enabled":
            check_role(root)
            check_rule_set(rules)
            for rule in rules:
                check_rule(rule)
                check_destination(rule, bucket_name)
    except Refused as refused:
        return s3._error(refused.code, refused.message, 400, f"/{bucket_name}")
    answer = original(bucket_name, body)
    if answer[0] == 200:
        keep_empty_prefixes(bucket_name, rules)
    return answer


def keep_empty_prefixes(bucket: str, rules: list[Element]) -> None:
    """MiniStack loses an empty Prefix of the old schema; AWS returns it."""
    for rule, stored in zip(rules, s3._bucket_replication[bucket]["Rules"], strict=True):
        if child(rule, "Prefix") is not None:
            stored.setdefault("Prefix", "")


def check_schema(rule: Element) -> None:
    """S3 User Guide, replication-troubleshoot: what does not fit the schema is MalformedXML."""
    selection = child(rule, "Filter")
    both = selection is not None and child(rule, "Prefix") is not None
    kinds = [local(element) for element in selection] if selection is not None else []
    statuses = [text(rule, "Status"), *(text(part, "Status") for part in children(rule, "DeleteMarkerReplication"))]
    storage_class = text(child(rule, "Destination"), "StorageClass", default="STANDARD")
    if (
        both
        or len(kinds) > 1
        or any(kind not in ("Prefix", "Tag", "And") for kind in kinds)
        or child(rule, "ExistingObjectReplication") is not None  # no longer supported
        or any(status not in ("Enabled", "Disabled") for status in statuses)
        or storage_class not in STORAGE_CLASSES
    ):
        raise Refused("MalformedXML", s3._MALFORMED_XML)


def check_role(root: Element) -> None:
    if not text(root, "Role").startswith("arn:aws:iam::"):
        raise Refused("InvalidArgument", "Invalid Role ARN.")


def check_rule_set(rules: list[Element]) -> None:
    """S3 API, ReplicationConfiguration: at most 1,000 rules, with unique IDs and priorities."""
    if len(rules) > 1000:
        raise Refused("InvalidRequest", "The replication configuration has more than 1,000 rules.")
    for identifier in repeated(text(rule, "ID") for rule in rules):
        raise Refused("InvalidArgument", f"Rule Id must be unique. Found same Id for more than one rule: {identifier}")
    for priority in repeated(text(rule, "Priority") for rule in rules):
        raise Refused("InvalidRequest", f"Found duplicate priority {priority}")


def check_rule(rule: Element) -> None:
    """S3 User Guide, replication-add-config: what each of the two schema versions needs and excludes."""
    identifier = text(rule, "ID")
    if len(identifier) > 255:
        raise Refused("InvalidArgument", "The maximum length of a rule ID is 255.")
    if not identifier.isascii():
        raise Refused("InvalidArgument", "A rule ID must be ASCII.")
    has_filter = child(rule, "Filter") is not None
    for name in ("Priority", "DeleteMarkerReplication"):
        if has_filter and child(rule, name) is None:
            raise Refused("InvalidRequest", f"{name} must be specified for {SCHEMA}")
        if not has_filter and child(rule, name) is not None:
            raise Refused("InvalidRequest", f"{name} cannot be used for {SCHEMA}")
    markers = text(child(rule, "DeleteMarkerReplication"), "Status")
    if markers == "Enabled" and any(local(element) == "Tag" for element in rule.iter()):
        raise Refused("InvalidRequest", "Delete marker replication is not supported if any Tag filter is specified.")


def check_destination(rule: Element, source: str) -> None:
    """S3 User Guide, replication-troubleshoot: the destination must be another bucket, exist and be versioned."""
    destination = child(rule, "Destination")
    arn = text(destination, "Bucket")
    if not arn.startswith("arn:aws:s3:::"):
        raise Refused("InvalidArgument", "Invalid bucket ARN.")
    name = arn.rpartition(":")[2]
    if name == source:
        raise Refused("InvalidRequest", "Destination bucket cannot be the same as the source bucket.")
    owner = s3._bucket_owner_account(name)
    if owner is None:
        raise Refused("InvalidRequest", "Destination bucket must exist.")
    account = text(destination, "Account", default=owner)
    if account != owner:
        raise Refused("InvalidArgument", "Account does not match the owner of the destination bucket.")
    if child(destination, "AccessControlTranslation") is not None and child(destination, "Account") is None:
        raise Refused("InvalidRequest", "Account must be specified with AccessControlTranslation.")


# Reading XML. Names without their namespace: clients send it or leave it out.


def parse(body: bytes) -> Element:
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as problem:
        raise Refused("MalformedXML", s3._MALFORMED_XML) from problem


def local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def children(element: Element | None, name: str) -> list[Element]:
    return [part for part in element if local(part) == name] if element is not None else []


def child(element: Element | None, name: str) -> Element | None:
    return next(iter(children(element, name)), None)


def text(element: Element | None, name: str, default: str = "") -> str:
    found = child(element, name)
    return default if found is None else found.text or ""


def repeated(values: Iterator[Any]) -> list[str]:
    return [value for value, count in Counter(filter(None, values)).items() if count > 1]
