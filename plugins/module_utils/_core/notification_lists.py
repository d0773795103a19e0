# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The notification configuration of a bucket: three lists of entries, known by their Id, that others write too.

Sources: S3 API, PutBucketNotificationConfiguration (it replaces everything); S3 User Guide, "Configuring event
notifications using object key name filtering" (no two entries of the same event type whose prefixes and suffixes
overlap; S3's own word for it is "Configuration is ambiguously defined" or "Configurations overlap").

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .merging import names_of, without
from .model import Document, Refused

LISTS = {
    "TopicConfigurations": "TopicArn",
    "QueueConfigurations": "QueueArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
"""Each list of entries, with the field that names the target of an entry."""


def put_notifications(ours: Document, theirs: Document | None) -> Document:
    """Theirs with our entries in it. An entry of ours leaves the other lists, so that its target can change its kind.

    Raises:
        Refused: S3 would refuse our entry beside one of theirs, since both would get the same events.
    """
    names = {*_our_names(ours), *ours.get("Removed", ())}
    merged = {key: value for key, value in (theirs or {}).items() if key not in LISTS}
    for key in LISTS:
        foreign = without((theirs or {}).get(key, []), names, "Id")
        for theirs_entry in foreign:
            _check_apart(theirs_entry, _entries(ours))
        entries = [*foreign, *ours.get(key, [])]
        if entries:
            merged[key] = entries
    return merged


def take_notifications(ours: Document, theirs: Document | None) -> Document | None:
    """Theirs without our entries."""
    names = {*_our_names(ours), *ours.get("Removed", ())}
    rest: dict[str, object] = {}
    for key, value in (theirs or {}).items():
        kept = without(value, names, "Id") if key in LISTS else value
        if kept or key not in LISTS:
            rest[key] = kept
    return rest or None


def canonical_notifications(document: Document) -> Document:
    """Neither the order of entries nor that of events or of the rules of a filter means anything."""
    canonical = {key: value for key, value in document.items() if key not in LISTS}
    for key in LISTS:
        entries = [_canonical_entry(entry) for entry in document.get(key, [])]
        if entries:
            canonical[key] = sorted(entries, key=lambda entry: str(entry.get("Id")))
    return canonical


def _our_names(ours: Document) -> set[str]:
    return names_of(_entries(ours), "Id")


def _entries(document: Document) -> Iterator[Document]:
    for key in LISTS:
        yield from document.get(key, [])


def _canonical_entry(entry: Document) -> Document:
    kept = {key: value for key, value in entry.items() if key != "Filter"}
    rules = [{"Name": name, "Value": value} for name, value in sorted(_filter(entry).items()) if value]
    chosen = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    return {**kept, "Events": sorted(entry["Events"]), **chosen}


def _filter(entry: Document) -> dict[str, str]:
    """The prefix and the suffix. AWS gives their names back in either case."""
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return {str(rule["Name"]).lower(): str(rule.get("Value", "")) for rule in rules}


def _check_apart(theirs: Document, ours: Iterable[Document]) -> None:
    for entry in ours:
        shared = [event for event in entry["Events"] if any(_same_event(event, other) for other in theirs["Events"])]
        if shared and _overlap(_filter(entry), _filter(theirs)):
            target = next((theirs[field] for field in LISTS.values() if field in theirs), "another target")
            raise Refused(
                f"the notification '{theirs.get('Id')}' sends {shared[0]} to {target} already, and S3 takes no two "
                "notifications of one bucket for the same event and overlapping keys. Take that event out of it, or "
                "read the events from that target instead."
            )


def _same_event(one: str, other: str) -> bool:
    """Whether some event is meant by both. `s3:Replication:*` means all that begin so."""
    first, second = one.removesuffix("*"), other.removesuffix("*")
    if one != first and other != second:
        return first.startswith(second) or second.startswith(first)
    if one != first:
        return other.startswith(first)
    return one.startswith(second) if other != second else one == other


def _overlap(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether some key is selected by both filters."""
    prefixes = (one.get("prefix", ""), other.get("prefix", ""))
    suffixes = (one.get("suffix", ""), other.get("suffix", ""))
    return (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0])) and (
        suffixes[0].endswith(suffixes[1]) or suffixes[1].endswith(suffixes[0])
    )
