# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""How our part is put into somebody else's document and taken out again, whatever the kind.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .model import Document, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER_TAG = "managed-by"
OWNER = "crossregion.s3_dr"
SNS_DEFAULT_SID = "__default_statement_ID"
"""Of the statement that SNS gives each new topic: whom the account's own policies allow it, may publish."""

Put: TypeAlias = "Callable[[Document, Document | None], Document]"
Take: TypeAlias = "Callable[[Document, Document | None], Document | None]"


def owner_tags(**more: str) -> dict[str, str]:
    """The tags by which this collection knows again what it made."""
    return {OWNER_TAG: OWNER, **more}


def is_ours(document: Document | None) -> bool:
    """Whether the thing carries this collection's tag."""
    return document is not None and document.get("Tags", {}).get(OWNER_TAG) == OWNER


# --- documents that are ours from the first to the last byte -------------------------------------------------


def replace_fields(ours: Document, theirs: Document | None) -> Document:
    """Set exactly what we wish; fields that we do not name keep their value."""
    return {**(theirs or {}), **ours}


def replace_all(ours: Document, theirs: Document | None) -> Document:
    """Set exactly what we wish; fields that we do not name go, as with a call that replaces all of it."""
    return ours


def keep(ours: Document, theirs: Document | None) -> Document | None:
    """A setting that cannot be unset without harm, or that may have been there before us, stays."""
    return theirs


def remove(ours: Document, theirs: Document | None) -> None:
    """Nothing remains of it."""
    return


def create_only(ours: Document, theirs: Document | None) -> Document:
    """A thing that only needs to exist: somebody else's serves as well and is not touched."""
    return ours if theirs is None else theirs


# --- things known by their tag -------------------------------------------------------------------------------


def put_owned(ours: Document, theirs: Document | None) -> Document:
    """Ours on top of what carries our tag.

    Raises:
        Refused: what is there does not carry it.
    """
    if theirs is None:
        return ours
    if not is_ours(theirs):
        raise Refused(
            f"a thing of this name exists already and does not carry the tag {OWNER_TAG}={OWNER}, so it is somebody "
            "else's and is left alone. Rename it or ours, or add that tag to hand it over."
        )
    return {**theirs, **ours, "Tags": {**theirs["Tags"], **ours["Tags"]}}


def take_owned(ours: Document, theirs: Document | None) -> Document | None:
    """What carries our tag goes; anything else stays."""
    return None if is_ours(theirs) else theirs


# --- lists in which we own the entries with our names --------------------------------------------------------


def names_of(entries: Iterable[Document], key: str) -> set[str]:
    """The names of the entries."""
    return {entry[key] for entry in entries}


def without(entries: Iterable[Document], names: set[str], key: str) -> list[Document]:
    """The entries that have none of the names, in their order."""
    return [entry for entry in entries if entry.get(key) not in names]


def merge(
    ours: Iterable[Document], theirs: Iterable[Document], key: str, removed: Iterable[str] = ()
) -> list[Document]:
    """Foreign entries in their order without the removed ones, then ours."""
    ours = list(ours)
    return [*without(theirs, {*names_of(ours, key), *removed}, key), *ours]


# --- policies ------------------------------------------------------------------------------------------------


def put_statements(ours: Document, theirs: Document | None) -> Document:
    """Foreign statements of a policy, then ours, known by their Sid."""
    return {
        **(theirs or {"Version": ours["Version"]}),
        "Statement": merge(ours["Statement"], statements_of(theirs), "Sid", ours.get("Removed", ())),
    }


def take_statements(ours: Document, theirs: Document | None) -> Document | None:
    """The foreign statements; None when there are none."""
    foreign = without(statements_of(theirs), names_of(ours["Statement"], "Sid"), "Sid")
    return {**theirs, "Statement": foreign} if theirs and foreign else None


def take_all_but_last(ours: Document, theirs: Document | None) -> Document | None:
    """A topic or key has a policy as long as it exists, so its last statement stays until the thing goes."""
    return take_statements(ours, theirs) or theirs


def statements_of(policy: Document | None) -> list[Document]:
    """The statements of a policy; a single one may stand without its list."""
    statement = (policy or {}).get("Statement", [])
    return [statement] if isinstance(statement, Mapping) else list(statement)


def canonical_policy(policy: Document) -> Document:
    """The policy in the one form that all policies of the same meaning share."""
    statements = [_canonical_statement(statement) for statement in statements_of(policy)]
    return {**policy, "Statement": sorted(statements, key=as_text)}


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


def as_text(value: Any) -> str:
    """A key to sort by."""
    return json.dumps(value, sort_keys=True)
