# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What buckets that have a life already keep when a pair takes them over: objects that no new rule will replicate.

Source: S3 User Guide, "What does Amazon S3 replicate?".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .foreign import covers, filter_of
from .model import Accounts, Document, End, Link, Pair
from .plan import Observed
from .replication import bucket_address
from .rules import rule_document


@dataclass(frozen=True, slots=True)
class Adopted:
    """A bucket with objects that may be older than its rules, and under which prefixes those rules are new."""

    end: End
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Existing:
    """What a bucket held before its rules: `versions` and `bytes`, at least so many if it is not `complete`."""

    bucket: str
    prefixes: tuple[str, ...]
    versions: int
    bytes: int
    complete: bool

    def as_result(self) -> dict[str, Any]:
        """A plain mapping."""
        return {**asdict(self), "prefixes": list(self.prefixes)}


def adopted(pair: Pair, accounts: Accounts, observed: Observed) -> list[Adopted]:
    """The sources that exist already and get an enabled rule that they did not have."""
    found = []
    for link in pair.links():
        prefixes = _new_prefixes(link, accounts, observed)
        if prefixes and observed.get(bucket_address(link.source, accounts)) is not None:
            found.append(Adopted(link.source, prefixes))
    return found


def _new_prefixes(link: Link, accounts: Accounts, observed: Observed) -> tuple[str, ...]:
    there = observed.get(bucket_address(link.source, accounts, "bucket_replication")) or {"Rules": []}
    held = {rule.get("ID"): rule for rule in there["Rules"]}
    return _widest(
        rule.prefix
        for rule in link.rules
        if rule.enabled and not _did_the_same(held.get(rule.id), rule_document(rule, link, accounts))
    )


def _did_the_same(held: Document | None, wished: Document) -> bool:
    """Whether a rule that is there has replicated already what the wished one selects, and to the same bucket."""
    return (
        held is not None
        and held.get("Status") == "Enabled"
        and held["Destination"]["Bucket"] == wished["Destination"]["Bucket"]
        and covers(filter_of(held), filter_of(wished))
    )


def _widest(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The prefixes that no other of them covers, so that no object is counted twice."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):  # a prefix sorts before all that it covers
        if not any(prefix.startswith(wider) for wider in kept):
            kept.append(prefix)
    return tuple(kept)


def existing_notes(existing: Iterable[Existing]) -> list[str]:
    """One sentence for each bucket that holds objects which stay behind."""
    return [
        f"{one.bucket} holds {'' if one.complete else 'at least '}{one.versions} versions ({one.bytes} bytes) from "
        f"before the rule{_under(one.prefixes)}. A rule replicates only what is written after it: replicate these by "
        "S3 Batch Replication (backfill)."
        for one in existing
        if one.versions
    ]


def _under(prefixes: tuple[str, ...]) -> str:
    return "" if prefixes == ("",) else f" under {', '.join(prefixes)}"
