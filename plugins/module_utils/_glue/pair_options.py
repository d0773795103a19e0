# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The options by which every module of this collection is told a pair. Documented in the fragment `pair`.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

from .._core.model import STORAGE_CLASSES, Direction, End, InvalidInput, Observation, Pair, Rule, default_rule_id

_END = {
    "bucket": {"type": "str", "required": True},
    "region": {"type": "str", "required": True},
    "storage_class": {"type": "str", "choices": list(STORAGE_CLASSES)},
}
_RULE = {
    "id": {"type": "str"},
    "priority": {"type": "int", "default": 1},
    "prefix": {"type": "str", "default": ""},
    "status": {"type": "str", "choices": ["enabled", "disabled"], "default": "enabled"},
    "delete_markers": {"type": "bool", "default": False},
    "observation": {
        "type": "str",
        "choices": [choice.value for choice in Observation],
        "default": Observation.METRICS.value,
    },
}


def pair_argument_spec() -> dict[str, Any]:
    """The argument spec of a pair."""
    return {
        "name": {"type": "str", "required": True},
        "primary": {"type": "dict", "required": True, "options": _END},
        "dr": {"type": "dict", "required": True, "options": _END},
        "direction": {
            "type": "str",
            "choices": [choice.value for choice in Direction],
            "default": Direction.ONE_WAY.value,
        },
        "rules": {"type": "list", "elements": "dict", "options": _RULE},
        "allow_same_region": {"type": "bool", "default": False},
    }


def pair_from(params: dict[str, Any]) -> Pair:
    """The pair that the task declares.

    Raises:
        InvalidInput: it cannot be right.
    """
    return Pair(
        name=params["name"],
        primary=_end(params["primary"]),
        dr=_end(params["dr"]),
        rules=_rules(params["name"], params["rules"]),
        direction=Direction(params["direction"]),
        allow_same_region=params["allow_same_region"],
    )


def _end(options: dict[str, Any]) -> End:
    return End(bucket=options["bucket"], region=options["region"], storage_class=options["storage_class"])


def _rules(pair: str, options: list[dict[str, Any]] | None) -> tuple[Rule, ...]:
    if options is None:
        return (Rule(id=default_rule_id(pair)),)
    return tuple(_rule(pair, one, alone=len(options) == 1) for one in options)


def _rule(pair: str, options: dict[str, Any], *, alone: bool) -> Rule:
    rule_id = options["id"] or (default_rule_id(pair) if alone else "")
    if not rule_id:
        raise InvalidInput(
            f"pair '{pair}': a rule has no `id`. With several rules each needs one, since rules are known by it."
        )
    return Rule(
        id=rule_id,
        priority=options["priority"],
        prefix=options["prefix"],
        enabled=options["status"] == "enabled",
        delete_markers=options["delete_markers"],
        observation=Observation(options["observation"]),
    )


def pair_result(pair: Pair) -> dict[str, Any]:
    """The pair in the words of the options, with the defaults filled in."""
    return {
        "name": pair.name,
        "primary": _end_result(pair.primary),
        "dr": _end_result(pair.dr),
        "direction": pair.direction.value,
        "rules": [
            {
                "id": rule.id,
                "priority": rule.priority,
                "prefix": rule.prefix,
                "status": "enabled" if rule.enabled else "disabled",
                "delete_markers": rule.delete_markers,
                "observation": rule.observation.value,
            }
            for rule in pair.rules
        ],
        "allow_same_region": pair.allow_same_region,
    }


def _end_result(end: End) -> dict[str, Any]:
    return {"bucket": end.bucket, "region": end.region, "storage_class": end.storage_class}
