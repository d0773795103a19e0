# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The event selectors by which a trail records the pairs' buckets, and what the selectors of others record.

Sources: CloudTrail User Guide, "Logging data events" and "Quotas"; CloudTrail API, PutEventSelectors.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .kinds import MAX_SELECTOR_VALUES, selector_values
from .model import Document, InvalidInput

MANAGEMENT = "s3-dr management events"
_PAIR = "s3-dr pair "
_OBJECTS = "AWS::S3::Object"


class DataEvents(StrEnum):
    """Which calls on the objects of the pairs' buckets are recorded."""

    WRITES = "writes"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """A pair whose buckets' data events are recorded."""

    name: str
    buckets: tuple[str, ...]

    @property
    def selector_name(self) -> str:
        """The name by which the pair's selector is known in a trail that several pairs share."""
        return f"{_PAIR}{self.name}"


def check_recorded(trail: str, pairs: Sequence[RecordedPair], data_events: DataEvents) -> None:
    """Refuse what CloudTrail would refuse, or what would be lost in one of two selectors of a name.

    Raises:
        InvalidInput: names the trail and the next step.
    """
    names = [pair.name for pair in pairs]
    for pair in pairs:
        if names.count(pair.name) > 1:
            raise InvalidInput(f"trail '{trail}': pair '{pair.name}' is given twice. Name each pair once.")
        if not pair.buckets:
            raise InvalidInput(f"trail '{trail}': pair '{pair.name}' has no buckets. Name both of its buckets.")
    values = selector_values(selectors(pairs, "aws", data_events)["AdvancedEventSelectors"])
    if values > MAX_SELECTOR_VALUES:
        buckets = sum(len(pair.buckets) for pair in pairs)
        raise InvalidInput(
            f"trail '{trail}': the selectors for {buckets} buckets hold {values} values, and CloudTrail "
            f"takes {MAX_SELECTOR_VALUES} a trail. Divide the pairs between two trails."
        )


def check_not_recorded(trail: str, log_bucket: str, pairs: Iterable[RecordedPair]) -> None:
    """Refuse a log bucket whose writes the trail would record.

    Raises:
        InvalidInput: the log bucket is an end of a pair.
    """
    if log_bucket in [bucket for pair in pairs for bucket in pair.buckets]:
        raise InvalidInput(
            f"trail '{trail}': its log bucket '{log_bucket}' is an end of a pair, so each log "
            "file would be recorded in the next one. Name a bucket of its own as `log_bucket`."
        )


def selectors(
    pairs: Iterable[RecordedPair], partition: str, data_events: DataEvents, *, management: bool = True
) -> Document:
    """The data events of exactly the pairs' buckets, and all management events unless they are not ours to select."""
    return {
        "AdvancedEventSelectors": [
            *([management_selector()] if management else []),
            *(pair_selector(pair, partition, data_events) for pair in pairs),
        ]
    }


def management_selector() -> Document:
    """Without it, advanced selectors would end the recording of management events."""
    return {"Name": MANAGEMENT, "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}


def pair_selector(pair: RecordedPair, partition: str, data_events: DataEvents) -> Document:
    """The data events of a pair's buckets."""
    writes = [{"Field": "readOnly", "Equals": ["false"]}] if data_events is DataEvents.WRITES else []
    return {
        "Name": pair.selector_name,
        "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": [_OBJECTS]},
            *writes,
            {"Field": "resources.ARN", "StartsWith": [_objects_of(bucket, partition) for bucket in pair.buckets]},
        ],
    }


def _objects_of(bucket: str, partition: str) -> str:
    """With the slash at the end: without it, `orders` would also record `orders-archive`."""
    return f"arn:{partition}:s3:::{bucket}/"


# --- what is there -------------------------------------------------------------------------------------------


def advanced(document: Document | None) -> list[Document]:
    """The advanced selectors of a trail."""
    return list((document or {}).get("AdvancedEventSelectors", []))


def others(document: Document | None, pairs: Iterable[RecordedPair]) -> list[Document]:
    """The selectors that are neither these pairs' nor the one of management events."""
    ours = {MANAGEMENT, *(pair.selector_name for pair in pairs)}
    return [selector for selector in advanced(document) if selector.get("Name", "") not in ours]


def is_a_pairs(selector: Document) -> bool:
    """Whether a selector is that of any pair of this collection."""
    return str(selector.get("Name", "")).startswith(_PAIR)


def management_is_ours(document: Document | None) -> bool:
    """Whether the management events of somebody else's trail are selected by us.

    They are where CloudTrail's own selector had selected all of them: any advanced one takes its place. Where the
    owner has advanced selectors, they say what is recorded, and charged.
    """
    found = advanced(document)
    return not found or any(selector.get("Name") == MANAGEMENT for selector in found)


def records_management(document: Document | None) -> bool:
    """Whether a trail has management events, of whatever extent; one without selectors has them all."""
    found = advanced(document)
    return not found or any(_values(one, "eventCategory", "Equals") == ["Management"] for one in found)


def records_writes_to(bucket: str, partition: str, found: Iterable[Document]) -> list[str]:
    """The names of the selectors that record what is written to a bucket."""
    return [str(one.get("Name") or "(no name)") for one in found if _records_writes_to(bucket, partition, one)]


def _records_writes_to(bucket: str, partition: str, selector: Document) -> bool:
    """Without a condition on the ARN, all buckets are recorded. A condition on the end of an ARN may hold for any."""
    if _values(selector, "eventCategory", "Equals") != ["Data"] or _values(selector, "readOnly", "Equals") == ["true"]:
        return False
    if _OBJECTS not in _values(selector, "resources.type", "Equals"):
        return False
    objects = _objects_of(bucket, partition)
    if any(objects.startswith(start) for start in _values(selector, "resources.ARN", "NotStartsWith")):
        return False
    starts = _values(selector, "resources.ARN", "StartsWith")
    wanted = [*starts, *_values(selector, "resources.ARN", "Equals")]
    within = any(one.startswith(objects) for one in wanted) or any(objects.startswith(start) for start in starts)
    return within or not wanted


def _values(selector: Document, field: str, operator: str) -> list[str]:
    return [value for one in selector["FieldSelectors"] if one["Field"] == field for value in one.get(operator) or []]
