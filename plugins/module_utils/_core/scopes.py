# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""From what AWS holds for a pair to what each of its directions replicates, and since when.

Sources: S3 User Guide, "Lifecycle and versioning", "Lifecycle configuration elements", "Blocking or unblocking SSE-C".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from .causes import Expiration, Gap, Scope
from .denials import listed, mapping, texts
from .merging import is_ours
from .model import Accounts, Address, Document, End, Link, Pair, Rule, is_seen
from .plan import Observed
from .replication import bucket_address, gaps, role_address
from .rules import bucket_arn, selects_kms_objects

Way: TypeAlias = "tuple[str, str]"
"""The names of a source bucket and of a destination bucket."""


def scope_addresses(pair: Pair, accounts: Accounts) -> list[Address]:
    """What is read in addition to `replication.pair_addresses`; the credentials need not be allowed to read it."""
    addresses = [
        bucket_address(end, accounts, kind)
        for end in pair.ends()
        if accounts[end.bucket].ours
        for kind in ("bucket_lifecycle", "bucket_encryption")
    ]
    return [*addresses, *(_made_address(link, accounts) for link in pair.links() if _has_own_role(link, accounts))]


def scopes_of(pair: Pair, accounts: Accounts, observed: Observed) -> dict[Way, Scope]:
    """One scope for each direction and destination bucket; that from primary to DR comes first.

    What is not in `observed`, or could not be read, explains nothing: rules are then as declared, and nothing is
    known of the rest.

    Args:
        observed: what AWS holds for the addresses of `replication.pair_addresses` and `scope_addresses`.
    """
    found: dict[Way, Scope] = {}
    for link in pair.links():
        for end in (link.destination, *link.destinations()):
            way = (link.source.bucket, end.bucket)
            if way not in found:
                found[way] = _scope(link, end, pair, accounts, observed)
    return found


def _scope(link: Link, end: End, pair: Pair, accounts: Accounts, observed: Observed) -> Scope:
    way = (link.source.bucket, end.bucket)
    return Scope(
        source=link.source,
        destination=end,
        rules=tuple(_rules(link, end, accounts, observed)),
        since=_since(link, accounts, observed),
        gaps=tuple(_gaps(way, pair, accounts, observed)),
        expirations=_expirations(link.source, accounts, observed),
        destination_expirations=_expirations(end, accounts, observed),
        destination_has_object_lock=_has_object_lock(end, accounts, observed),
        destination_blocks_sse_c=_blocks_sse_c(end, accounts, observed),
        fan_out=bool(_targets(link, accounts, observed) - {_target(end, accounts)}),
    )


# --- rules ---------------------------------------------------------------------------------------------------


def _rules(link: Link, end: End, accounts: Accounts, observed: Observed) -> Iterator[Rule]:
    """Those that go to the end's bucket, on or off as AWS holds them.

    A bucket can be the destination of rules with keys of their own, so each says itself whether it takes KMS objects.
    """
    held = _enabled_rules(link, accounts, observed)
    for rule in link.rules:
        destination = link.destination_of(rule)
        if destination.bucket == end.bucket:
            enabled = rule.enabled if held is None else (rule.id, _target(destination, accounts)) in held
            yield replace(rule, enabled=enabled, kms_objects=selects_kms_objects(rule, destination))


def _enabled_rules(link: Link, accounts: Accounts, observed: Observed) -> set[tuple[str, str]] | None:
    """ID and destination of each rule that replicates; None: it is not known. A rule that AWS lacks is off."""
    if not _is_known(link.source, "bucket_replication", accounts, observed):
        return None
    held = listed(_document(link.source, "bucket_replication", accounts, observed), "Rules")
    return {(str(rule.get("ID")), _held_target(rule)) for rule in held if rule.get("Status") == "Enabled"}


def _targets(link: Link, accounts: Accounts, observed: Observed) -> set[str]:
    """The buckets to which any rule of the source goes: declared, or held by AWS, whoever made it."""
    held = listed(_document(link.source, "bucket_replication", accounts, observed), "Rules")
    return {*(_target(end, accounts) for end in link.destinations()), *(_held_target(rule) for rule in held)}


def _held_target(rule: Document) -> str:
    return str(mapping(rule.get("Destination")).get("Bucket"))


def _target(end: End, accounts: Accounts) -> str:
    return bucket_arn(end, accounts[end.bucket].partition)


# --- times ---------------------------------------------------------------------------------------------------


def _has_own_role(link: Link, accounts: Accounts) -> bool:
    """Whether the direction replicates as a role that this collection made for it alone.

    A role of the user's may be older than the rule by years, or younger after it was exchanged.
    """
    return link.source.replication_role_arn is None and accounts[link.source.bucket].ours


def _made_address(link: Link, accounts: Accounts) -> Address:
    return role_address(link, accounts, "iam_role_made")


def _since(link: Link, accounts: Accounts, observed: Observed) -> datetime | None:
    if not _has_own_role(link, accounts):
        return None
    role, made = observed.get(role_address(link, accounts)), observed.get(_made_address(link, accounts))
    if role is not None and is_seen(role) and not is_ours(role):
        return None
    return _moment((made or {}).get("CreateDate"))


def _gaps(way: Way, pair: Pair, accounts: Accounts, observed: Observed) -> Iterator[Gap]:
    """A tag that somebody wrote by hand and that is no time says nothing."""
    for gap in gaps(pair, accounts, observed):
        begin, until = _moment(gap["from"]), _moment(gap["until"])
        if (gap["source"], gap["destination"]) == way and begin and (until or not gap["until"]):
            yield Gap(begin, until)


def _moment(text: str | None) -> datetime | None:
    """A time of ISO 8601, in UTC unless it says otherwise; None for what is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# --- lifecycle, lock and encryption --------------------------------------------------------------------------


def _expirations(end: End, accounts: Accounts, observed: Observed) -> tuple[Expiration, ...]:
    """The rules that certainly put delete markers on whatever is under their prefix, that many days after its writing.

    A marker that a lifecycle rule explains is accepted, so what is uncertain must not explain any: a rule that also
    selects by tags or size, since a listing does not tell whether it took the object that a marker hides; and one with
    a date, since before it a marker is somebody's own. Their markers stay findings.
    """
    found = []
    for rule in listed(_document(end, "bucket_lifecycle", accounts, observed), "Rules"):
        days = mapping(rule.get("Expiration")).get("Days")
        prefix = prefix_alone(rule)
        if rule.get("Status") == "Enabled" and isinstance(days, int) and prefix is not None:
            found.append((prefix, days))
    return tuple(Expiration(prefix, days) for prefix, days in sorted(found))


def prefix_alone(rule: Document) -> str | None:
    """The prefix by which a lifecycle rule selects, None when it selects by tags or size as well."""
    if "Filter" not in rule:  # the old schema
        return str(rule.get("Prefix") or "")
    outer = mapping(rule["Filter"])
    chosen = {**outer, **mapping(outer.get("And"))}
    given = {name for name, value in chosen.items() if name != "And" and value not in (None, "", [])}
    return str(chosen.get("Prefix") or "") if given <= {"Prefix"} else None


def _has_object_lock(end: End, accounts: Accounts, observed: Observed) -> bool | None:
    if not _is_known(end, "bucket_object_lock", accounts, observed):
        return None
    return (_document(end, "bucket_object_lock", accounts, observed) or {}).get("ObjectLockEnabled") == "Enabled"


def _blocks_sse_c(end: End, accounts: Accounts, observed: Observed) -> bool | None:
    if not _is_known(end, "bucket_encryption", accounts, observed):
        return None
    rules = listed(_document(end, "bucket_encryption", accounts, observed), "Rules")
    return any("SSE-C" in texts(mapping(rule.get("BlockedEncryptionTypes")).get("EncryptionType")) for rule in rules)


def _is_known(end: End, kind: str, accounts: Accounts, observed: Observed) -> bool:
    address = bucket_address(end, accounts, kind)
    return address in observed and is_seen(observed[address])


def _document(end: End, kind: str, accounts: Accounts, observed: Observed) -> Document | None:
    """The document, None if there is none or it is not known."""
    document = observed.get(bucket_address(end, accounts, kind))
    return document if is_seen(document) else None
