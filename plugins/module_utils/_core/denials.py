# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Which statements of a bucket's policy deny the replication role what it needs, as far as that can be told.

Sources: IAM User Guide, "IAM JSON policy elements", "Condition operators", "AWS global condition context keys".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .model import Document


@dataclass(frozen=True, slots=True)
class Need:
    """An action that the role needs on a bucket, or on every object whose ARN begins with `resource`."""

    action: str
    resource: str
    objects: bool

    def example(self) -> str:
        """The ARN of the bucket, or of one such object."""
        return f"{self.resource}object" if self.objects else self.resource


@dataclass(frozen=True, slots=True)
class Denial:
    """A statement that denies the role what it needs.

    Attributes:
        places: condition keys that say from which network a request must come.
        doubts: what decides whether the statement holds for S3's requests, and is not known.
    """

    name: str
    actions: tuple[str, ...]
    places: tuple[str, ...]
    doubts: tuple[str, ...]


def denials(policy: Document | None, role: str, needs: Sequence[Need]) -> list[Denial]:
    """The statements of a bucket's policy that deny the role one of the needs, for certain or perhaps."""
    found = []
    for number, statement in enumerate(listed(policy, "Statement"), start=1):
        verdicts = [(key, _holds(operator, key, values, role)) for operator, key, values in conditions(statement)]
        never = any(holds is False for _key, holds in verdicts)
        denied = [] if never else _denied_needs(statement, role, needs)
        if not denied:
            continue
        doubts = [key for key, holds in verdicts if holds is None]
        if "Principal" not in statement and _is_principal(statement, role):
            doubts.append("NotPrincipal")  # AWS compares it with the account and the role's session as well
        if any("${" in text for field in ("Resource", "NotResource") for text in texts(statement.get(field))):
            doubts.append("a policy variable in Resource")
        if _names_a_part(statement, denied, needs):
            doubts.append("Resource, which names a part of the objects")
        places = [key for key, _verdict in verdicts if key.lower() in _PLACES]
        name = f"Statement '{statement['Sid']}'" if statement.get("Sid") else f"Statement {number}"
        found.append(Denial(name, tuple(denied), _unique(places), _unique(doubts)))
    return found


def _names_a_part(statement: Document, denied: Iterable[str], needs: Sequence[Need]) -> bool:
    """Whether the statement leaves out most objects: a quarantine folder may be meant to stay behind."""
    reached = [need for need in needs if need.action in denied and _reaches(statement, need.resource, need.objects)]
    patterns = [_without_variables(text) for text in texts(statement.get("Resource"))]
    return "Resource" in statement and not any(
        not need.objects or (pattern.endswith("*") and _matches(pattern, need.resource))
        for need in reached
        for pattern in patterns
    )


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _denied_needs(statement: Document, role: str, needs: Sequence[Need]) -> list[str]:
    """The actions that the statement denies the role when its conditions hold."""
    if statement.get("Effect") != "Deny":
        return []
    if "Principal" in statement and not _is_principal(statement, role):
        return []
    if not {"Principal", "NotPrincipal"} & set(statement) or "*" in _principals(statement.get("NotPrincipal")):
        return []
    actions = {action for action in {need.action for need in needs} if names_action(statement, action)}
    places = {(need.resource, need.objects) for need in needs if need.action in actions}
    reached = {place for place in places if _reaches(statement, *place)}
    return sorted(
        {need.action for need in needs if need.action in actions and (need.resource, need.objects) in reached}
    )


def _principals(principal: Any) -> list[str]:
    return ["*"] if principal == "*" else texts(mapping(principal).get("AWS"))


def _is_principal(statement: Document, role: str) -> bool:
    """Whether Principal names the role, its account or everybody, or NotPrincipal the role."""
    if "Principal" not in statement:
        return role in _principals(statement.get("NotPrincipal"))
    _arn, partition, _service, _region, account, _resource = role.split(":", 5)
    ours = {"*", role, account, f"arn:{partition}:iam::{account}:root"}
    return not ours.isdisjoint(_principals(statement["Principal"]))


def names_action(statement: Document, action: str) -> bool:
    """Whether Action or NotAction takes the action in. Their letters' case means nothing."""
    if "Action" in statement:
        return any(_matches(text.lower(), action.lower()) for text in texts(statement["Action"]))
    if "NotAction" in statement:
        return not any(_matches(text.lower(), action.lower()) for text in texts(statement["NotAction"]))
    return False


def _reaches(statement: Document, resource: str, objects: bool) -> bool:
    """Whether Resource or NotResource takes in the bucket, or one of the objects whose ARNs begin so."""
    if "Resource" in statement:
        patterns = [_without_variables(text) for text in texts(statement["Resource"])]
        return any(_matches(pattern, resource, more=objects) for pattern in patterns)
    # All objects are left out only by a pattern with an open end; one with a policy variable leaves out who knows what.
    whole = [pattern for pattern in texts(statement.get("NotResource")) if not objects or pattern.endswith("*")]
    return "NotResource" in statement and not any(_matches(pattern, resource) for pattern in whole)


def _without_variables(pattern: str) -> str:
    """A policy variable may become any text."""
    head, *rest = pattern.split("${")
    return head + "".join("*" + part.partition("}")[2] for part in rest)


def _matches(pattern: str, text: str, *, more: bool = False) -> bool:
    """Whether a pattern with * and ? matches the text, or with `more` some text that begins with it.

    It goes through all ways at once, so that no pattern takes long.
    """
    head = pattern.partition("*")[0].partition("?")[0]
    if not text.startswith(head) and not (more and head.startswith(text)):
        return False
    ways = _after_stars({0}, pattern)
    for character in text:
        step = {way + 1 for way in ways if way < len(pattern) and pattern[way] in ("?", character)}
        stay = {way for way in ways if way < len(pattern) and pattern[way] == "*"}
        ways = _after_stars(step | stay, pattern)
    return bool(ways) if more else len(pattern) in ways


def _after_stars(ways: Iterable[int], pattern: str) -> set[int]:
    """The positions in a pattern, with those behind a star, which may stand for nothing."""
    found = set()
    for way in ways:
        found.add(way)
        while way < len(pattern) and pattern[way] == "*":
            way += 1
            found.add(way)
    return found


# --- conditions ----------------------------------------------------------------------------------------------

_NEVER_SENT = ("aws:sourcevpce", "aws:sourcevpc", "aws:vpcsourceip")
"""Keys of requests through somebody's VPC endpoint."""
_PLACES = (*_NEVER_SENT, "aws:sourceip")

_ANSWERS = {
    "aws:securetransport": "true",
    # IAM User Guide: both are false when a service makes the call in a service role.
    "aws:principalisawsservice": "false",
    "aws:viaawsservice": "false",
}


def _holds(operator: str, key: str, values: Sequence[str], role: str) -> bool | None:
    """Whether one condition holds for the requests that S3 makes as the role, None when that is not known."""
    name, key = plain(operator), key.lower()
    if ":" in name:  # ForAllValues or ForAnyValue, which mean something else where a key is missing
        return None
    if key in _NEVER_SENT:
        # Where a key is missing, a negated comparison holds, and so does every one with IfExists.
        return _has_null(values) if name == "null" else _is_negated(name) or operator.lower().endswith("ifexists")
    if key == "aws:sourceip":
        return True if _is_negated(name) else None
    if key == "s3:tlsversion":
        return False if name == "numericlessthan" else None
    account = role.split(":")[4]
    answer = {**_ANSWERS, "aws:principalarn": role, "aws:principalaccount": account}.get(key)
    if answer is None:
        return None
    return not _has_null(values) if name == "null" else compare(name, answer, values)


def conditions(statement: Document) -> list[tuple[str, str, list[str]]]:
    """Each condition of a statement: operator, key, values."""
    return [
        (str(operator), str(key), texts(values))
        for operator, keys in mapping(statement.get("Condition")).items()
        for key, values in mapping(keys).items()
    ]


def plain(operator: str) -> str:
    """The operator in lower case, without IfExists."""
    return operator.lower().removesuffix("ifexists")


def _is_negated(name: str) -> bool:
    return "not" in name


def _has_null(values: Iterable[str]) -> bool:
    """What the operator Null asks for: `true` is that the key is missing."""
    return "true" in [value.lower() for value in values]


def compare(name: str, answer: str, values: Sequence[str]) -> bool | None:
    """The comparison of a known answer with the values of a condition, None for an operator that is not known here."""
    if any("${" in value for value in values):
        return None
    kind = name.replace("not", "", 1)
    if kind in ("stringequals", "stringequalsignorecase", "bool"):
        fold = kind != "stringequals"
        found = any(value == answer or (fold and value.lower() == answer.lower()) for value in values)
    elif kind in ("stringlike", "arnlike", "arnequals"):
        found = any(_matches(value, answer) for value in values)
    else:
        return None
    return found != _is_negated(name)


# --- documents as AWS may return them ------------------------------------------------------------------------


def mapping(value: Any) -> Mapping[str, Any]:
    """The mapping, or an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def listed(document: Document | None, field: str) -> list[Mapping[str, Any]]:
    """The mappings in a field; a single one may stand without its list."""
    value = (document or {}).get(field)
    values = value if isinstance(value, list | tuple) else [value]
    return [one for one in values if isinstance(one, Mapping)]


def texts(value: Any) -> list[str]:
    """One value, or those of a list, as text."""
    values = value if isinstance(value, list | tuple) else [value]
    return [str(one) for one in values if one is not None]
