# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Lifecycle rules and Intelligent-Tiering as a user declares them, and as S3 takes them.

Sources: S3 User Guide, "Lifecycle configuration elements", "Lifecycle transition general considerations", "Managing S3
Intelligent-Tiering".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .causes import ARCHIVE_CLASSES
from .model import Document, InvalidInput

TRANSITION_CLASSES = ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
MINIMUM_DAYS = {"STANDARD_IA": 30, "ONEZONE_IA": 30, "GLACIER_IR": 90, "GLACIER": 90, "DEEP_ARCHIVE": 180}
"""An object that leaves the class earlier is billed for so many days. INTELLIGENT_TIERING has none."""
_LEAST_AGE = {"STANDARD_IA": 30, "ONEZONE_IA": 30}
_ARCHIVE_DAYS, _DEEP_ARCHIVE_DAYS, _MOST_TIER_DAYS = 90, 180, 730
_MOST_NEWER = 100


@dataclass(frozen=True, slots=True)
class Transition:
    """To a storage class after so many days."""

    days: int
    storage_class: str


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """One rule of a bucket's lifecycle, known by its ID.

    Attributes:
        transitions, noncurrent_transitions: in the order in which objects go through them.
        noncurrent_kept: so many newer noncurrent versions stay, however old.
        expired_markers: whether delete markers with nothing below them are removed.

    Raises:
        InvalidInput: S3 would refuse it; nothing was asked of AWS.
    """

    id: str
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    larger_than: int | None = None
    smaller_than: int | None = None
    enabled: bool = True
    transitions: tuple[Transition, ...] = ()
    noncurrent_transitions: tuple[Transition, ...] = ()
    expiration_days: int | None = None
    noncurrent_days: int | None = None
    noncurrent_kept: int | None = None
    expired_markers: bool = False
    abort_uploads_days: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.id) <= 255:
            raise InvalidInput(f"lifecycle rule '{self.id[:60]}': S3 takes an ID of 1 to 255 characters.")
        if not self.document().keys() & _ACTIONS:
            raise self._refused("it does nothing. Add a transition, an expiration or what else it is to do")
        if self.expired_markers and (self.expiration_days is not None or self.tags):
            raise self._refused("`expired_delete_markers` goes with neither `expiration_days` nor `tags`")
        if self.noncurrent_kept is not None and self.noncurrent_days is None:
            raise self._refused("`noncurrent_versions_kept` needs `noncurrent_days`")
        if self.noncurrent_kept is not None and not 1 <= self.noncurrent_kept <= _MOST_NEWER:
            raise self._refused(f"`noncurrent_versions_kept` is {self.noncurrent_kept}. Use 1 to {_MOST_NEWER}")
        if self.abort_uploads_days is not None and self._is_filtered_by_more_than_prefix():
            raise self._refused(
                "`abort_uploads_days` goes with neither `tags` nor sizes. Put it into a rule of its own"
            )
        self._check_days()
        for transitions, last in (
            (self.transitions, self.expiration_days),
            (self.noncurrent_transitions, self.noncurrent_days),
        ):
            self._check_transitions(transitions, last)

    def _is_filtered_by_more_than_prefix(self) -> bool:
        return bool(self.tags) or self.larger_than is not None or self.smaller_than is not None

    def _check_days(self) -> None:
        for option in ("expiration_days", "noncurrent_days", "abort_uploads_days"):
            days = getattr(self, option)
            if days is not None and days < 1:
                raise self._refused(f"`{option}` is {days}. Use 1 or more")

    def _check_transitions(self, transitions: tuple[Transition, ...], last: int | None) -> None:
        before: Transition | None = None
        for one in transitions:
            least = _LEAST_AGE.get(one.storage_class, 0)
            if one.days < least:
                raise self._refused(f"S3 takes objects to {one.storage_class} after {least} days at the earliest")
            if before and (one.days <= before.days or _rank(one) <= _rank(before)):
                raise self._refused(f"{one.storage_class} cannot follow {before.storage_class}, or must come later")
            if last is not None and one.days >= last:
                raise self._refused(f"objects go to {one.storage_class} after {one.days} days, and expire after {last}")
            before = one

    def _refused(self, why: str) -> InvalidInput:
        return InvalidInput(f"lifecycle rule '{self.id}': {why}.")

    @property
    def archives(self) -> bool:
        """Whether it takes objects to classes from which they must be restored before they are read."""
        found = {one.storage_class for one in (*self.transitions, *self.noncurrent_transitions)}
        return self.enabled and bool(found & set(ARCHIVE_CLASSES))

    def document(self) -> dict[str, Any]:
        """As S3 takes it."""
        rule: dict[str, Any] = {
            "ID": self.id,
            "Status": "Enabled" if self.enabled else "Disabled",
            "Filter": self._filter(),
        }
        if self.transitions:
            rule["Transitions"] = [{"Days": one.days, "StorageClass": one.storage_class} for one in self.transitions]
        if self.noncurrent_transitions:
            rule["NoncurrentVersionTransitions"] = [
                {"NoncurrentDays": one.days, "StorageClass": one.storage_class} for one in self.noncurrent_transitions
            ]
        if self.expiration_days is not None:
            rule["Expiration"] = {"Days": self.expiration_days}
        if self.expired_markers:
            rule["Expiration"] = {"ExpiredObjectDeleteMarker": True}
        if self.noncurrent_days is not None:
            kept = {} if self.noncurrent_kept is None else {"NewerNoncurrentVersions": self.noncurrent_kept}
            rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": self.noncurrent_days, **kept}
        if self.abort_uploads_days is not None:
            rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": self.abort_uploads_days}
        return rule

    def _filter(self) -> dict[str, Any]:
        """S3 takes one condition as it is, and several in an And."""
        conditions: dict[str, Any] = {"Prefix": self.prefix} if self.prefix else {}
        if self.larger_than is not None:
            conditions["ObjectSizeGreaterThan"] = self.larger_than
        if self.smaller_than is not None:
            conditions["ObjectSizeLessThan"] = self.smaller_than
        tags = _tags(self.tags)
        if len(conditions) + len(tags) > 1:
            return {"And": {**conditions, **({"Tags": tags} if tags else {})}}
        return {"Tag": tags[0]} if tags else conditions or {"Prefix": ""}


_ACTIONS = {
    "Transitions",
    "NoncurrentVersionTransitions",
    "Expiration",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
}


def _rank(transition: Transition) -> int:
    return TRANSITION_CLASSES.index(transition.storage_class)


def _tags(tags: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags]


def lifecycle_rule_from(said: Mapping[str, Any]) -> LifecycleRule:
    """The rule of a task's options."""
    return LifecycleRule(
        id=said["id"],
        prefix=said["prefix"],
        tags=tuple(sorted((said["tags"] or {}).items())),
        larger_than=said["larger_than"],
        smaller_than=said["smaller_than"],
        enabled=said["enabled"],
        transitions=_transitions_from(said["transitions"]),
        noncurrent_transitions=_transitions_from(said["noncurrent_transitions"]),
        expiration_days=said["expiration_days"],
        noncurrent_days=said["noncurrent_days"],
        noncurrent_kept=said["noncurrent_versions_kept"],
        expired_markers=said["expired_delete_markers"],
        abort_uploads_days=said["abort_uploads_days"],
    )


def _transitions_from(said: list[Mapping[str, Any]] | None) -> tuple[Transition, ...]:
    return tuple(Transition(one["days"], one["storage_class"]) for one in said or ())


@dataclass(frozen=True, slots=True)
class Tiering:
    """The archive tiers of S3 Intelligent-Tiering, which are opt-in; one configuration, known by its ID.

    Raises:
        InvalidInput: S3 would refuse it; nothing was asked of AWS.
    """

    id: str
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    enabled: bool = True
    archive_days: int | None = None
    deep_archive_days: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.id) <= 64:
            raise InvalidInput(f"intelligent_tiering '{self.id[:60]}': S3 takes an ID of 1 to 64 characters.")
        if self.archive_days is None and self.deep_archive_days is None:
            raise InvalidInput(f"intelligent_tiering '{self.id}': set `archive_days`, `deep_archive_days` or both.")
        for option, days, least in (
            ("archive_days", self.archive_days, _ARCHIVE_DAYS),
            ("deep_archive_days", self.deep_archive_days, _DEEP_ARCHIVE_DAYS),
        ):
            if days is not None and not least <= days <= _MOST_TIER_DAYS:
                raise InvalidInput(
                    f"intelligent_tiering '{self.id}': {option} is {days}. Use {least} to {_MOST_TIER_DAYS}."
                )

    def document(self) -> Document:
        """As S3 takes it."""
        tiers = (("ARCHIVE_ACCESS", self.archive_days), ("DEEP_ARCHIVE_ACCESS", self.deep_archive_days))
        prefix, tags = {"Prefix": self.prefix} if self.prefix else {}, _tags(self.tags)
        chosen: dict[str, Any] = prefix or ({"Tag": tags[0]} if tags else {})
        if len(prefix) + len(tags) > 1:
            chosen = {"And": {**prefix, "Tags": tags}}
        return {
            "Id": self.id,
            "Status": "Enabled" if self.enabled else "Disabled",
            **({"Filter": chosen} if chosen else {}),
            "Tierings": [{"Days": days, "AccessTier": tier} for tier, days in tiers if days is not None],
        }


def tiering_from(said: Mapping[str, Any]) -> Tiering:
    """The configuration of a task's options."""
    return Tiering(
        id=said["id"],
        prefix=said["prefix"],
        tags=tuple(sorted((said["tags"] or {}).items())),
        enabled=said["enabled"],
        archive_days=said["archive_days"],
        deep_archive_days=said["deep_archive_days"],
    )
