# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What replication never copies, carried over from the primary bucket to the DR bucket, with the names of that end.

Source: S3 User Guide, "What does Amazon S3 replicate?" (bucket-level subresources are not replicated).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .events import pair_of
from .merging import merge, statements_of
from .model import Accounts, Address, Document, Pair
from .notification_lists import LISTS
from .plan import Observed
from .policies import VERSION
from .readiness import at_dr
from .replication import bucket_address

KINDS_OF = {
    "policy": "bucket_policy",
    "cors": "bucket_cors",
    "lifecycle": "bucket_lifecycle",
    "notifications": "bucket_notification",
    "tags": "bucket_tags",
}
"""What may be carried over, and the kind of its documents."""
_OURS = "S3Dr"
"""How the Sids of this collection begin: what it puts into a policy it puts there itself, for each end."""
_PLACES = ("aws:sourcevpce", "aws:sourcevpc", "aws:sourceip", "aws:vpcsourceip")


def carry_addresses(pair: Pair, accounts: Accounts, subjects: Iterable[str]) -> list[Address]:
    """What is read of both buckets."""
    return [bucket_address(end, accounts, KINDS_OF[one]) for one in subjects for end in (pair.primary, pair.dr)]


def carried(pair: Pair, accounts: Accounts, observed: Observed, subjects: Iterable[str]) -> dict[Address, Document]:
    """What the DR bucket is to have of the primary's settings; nothing where that has none."""
    wish: dict[Address, Document] = {}
    for one in subjects:
        there = observed[bucket_address(pair.primary, accounts, KINDS_OF[one])]
        part = _PARTS[one](at_dr(there, pair, accounts)) if there else None
        if part:
            wish[bucket_address(pair.dr, accounts, KINDS_OF[one])] = part
    return wish


def carry_notes(pair: Pair, accounts: Accounts, observed: Observed, subjects: Sequence[str]) -> list[str]:
    """What was not carried over, and why."""
    notes = []
    if "policy" in subjects:
        policy = observed[bucket_address(pair.primary, accounts, "bucket_policy")]
        notes += [
            f"The statement '{statement.get('Sid', '')}' of {pair.primary.bucket} denies what does not come from some "
            "network, and replication never does. It was not carried over: write it for "
            f"{pair.dr.bucket} so that the replication role is left out."
            for statement in _theirs(policy)
            if _cuts_off(statement)
        ]
    if "notifications" in subjects:
        there = observed[bucket_address(pair.primary, accounts, "bucket_notification")] or {}
        if "EventBridgeConfiguration" in there:
            notes.append(
                f"The delivery of {pair.primary.bucket} to EventBridge was not carried over: its rules are of one "
                f"Region. Turn it on at {pair.dr.bucket} when there are rules."
            )
    return notes


def together(carried_part: Document | None, chosen: Document | None, kind: str) -> Document:
    """Our part of a document of the DR bucket: what is carried over, and on top of it what is chosen for that end."""
    if carried_part is None or chosen is None:
        return carried_part or chosen or {}
    if kind == "bucket_tags":
        return {**chosen, "Tags": {**carried_part["Tags"], **chosen["Tags"]}}
    field, key = ("Rules", "ID") if kind == "bucket_lifecycle" else ("Statement", "Sid")
    return {**carried_part, **chosen, field: merge(chosen[field], carried_part[field], key)}


# --- parts ---------------------------------------------------------------------------------------------------


def _policy(document: Document) -> Document | None:
    """Statements that would cut replication off stay away."""
    statements = [_named(dict(one)) for one in _theirs(document) if not _cuts_off(one)]
    return {"Version": document.get("Version", VERSION), "Statement": statements} if statements else None


def _theirs(document: Document | None) -> list[Document]:
    return [one for one in statements_of(document) if not str(one.get("Sid", "")).startswith(_OURS)]


def _named(statement: dict[str, Any]) -> dict[str, Any]:
    """Statements are known by their Sid, so one without gets one."""
    text = json.dumps(statement, sort_keys=True)
    return {"Sid": f"Carried{hashlib.sha256(text.encode()).hexdigest()[:8]}", **statement}


def _cuts_off(statement: Mapping[str, Any]) -> bool:
    """Whether it denies what comes from elsewhere than some network: S3 replicates from none of the user's."""
    keys = {key.lower() for operator in statement.get("Condition", {}).values() for key in operator}
    return statement.get("Effect") == "Deny" and bool(keys & set(_PLACES))


def _cors(document: Document) -> Document | None:
    return {"CORSRules": list(document["CORSRules"])}


def _lifecycle(document: Document) -> Document | None:
    """A rule of the old schema is written in the new one, beside which S3 takes no other."""
    rules = [
        rule if "Filter" in rule else {**_without(rule, "Prefix"), "Filter": {"Prefix": rule.get("Prefix", "")}}
        for rule in document["Rules"]
    ]
    return {"Rules": rules} if rules else None


def _without(rule: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key != name}


def _notifications(document: Document) -> Document | None:
    """Those of this collection follow the direction of replication."""
    found = {name: [one for one in document.get(name, []) if not pair_of(one.get("Id"))] for name in LISTS}
    return {name: entries for name, entries in found.items() if entries} or None


def _tags(document: Document) -> Document | None:
    """Tags that begin with `aws:` are AWS's own."""
    tags = {key: value for key, value in document["Tags"].items() if not key.lower().startswith("aws:")}
    return {"Tags": tags} if tags else None


_PARTS: Mapping[str, Callable[[Document], Document | None]] = {
    "policy": _policy,
    "cors": _cors,
    "lifecycle": _lifecycle,
    "notifications": _notifications,
    "tags": _tags,
}
