# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A pair as plain values, in the words of the modules' options, and back.

The options are documented in the fragment `pair`. They are complete: what the user did not set is None or its default,
as an argument spec leaves it.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .constraints import check_declaration
from .model import Direction, End, InvalidInput, Observation, Pair, RoleSettings, Rule, default_rule_id

_ALONE = ("object_lock", "account_id", "profile", "assume_role_arn", "external_id")
"""What a rule's destination can only say of a bucket of its own; of the pair's bucket, `dr` says it."""


def pair_from(params: dict[str, Any]) -> Pair:
    """The pair that the options declare.

    Raises:
        InvalidInput: it cannot be right.
    """
    dr = _end(params["dr"])
    pair = Pair(
        name=params["name"],
        primary=_end(params["primary"]),
        dr=dr,
        rules=_rules(params["name"], params["rules"], dr),
        direction=Direction(params["direction"]),
        allow_same_region=params["allow_same_region"],
        roles=_roles(params["replication_role"]),
    )
    check_declaration(pair)
    return pair


def _end(options: dict[str, Any]) -> End:
    return End(
        bucket=options["bucket"],
        region=options["region"],
        storage_class=options["storage_class"],
        kms_key_arn=options["kms_key_arn"],
        more_kms_key_arns=tuple(options["more_kms_key_arns"] or ()),
        object_lock=bool(options["object_lock"]),
        replication_role_arn=options["replication_role_arn"],
        account_id=options["account_id"],
    )


def _rules(pair: str, options: list[dict[str, Any]] | None, dr: End) -> tuple[Rule, ...]:
    if options is None:
        return (Rule(id=default_rule_id(pair)),)
    return tuple(_rule(pair, one, dr, alone=len(options) == 1) for one in options)


def _rule(pair: str, options: dict[str, Any], dr: End, *, alone: bool) -> Rule:
    rule_id = options["id"] or (default_rule_id(pair) if alone else "")
    if not rule_id:
        raise InvalidInput(
            f"pair '{pair}': a rule has no `id`. With several rules each needs one, since rules are known by it."
        )
    return Rule(
        id=rule_id,
        priority=options["priority"],
        prefix=options["prefix"],
        tags=_tags(options["tags"]),
        enabled=options["status"] == "enabled",
        delete_markers=options["delete_markers"],
        reverse_delete_markers=options["reverse_delete_markers"],
        observation=Observation(options["observation"]),
        replica_modifications=options["replica_modifications"],
        kms_objects=options["kms_objects"],
        owner_override=options["owner_override"],
        destination=_destination(rule_id, options["destination"], dr),
    )


def _destination(rule: str, options: dict[str, Any] | None, dr: End) -> End | None:
    """Where a rule's replicas go: another bucket, or the pair's with another storage class or key."""
    if not options:
        return None
    if options["bucket"] in (None, dr.bucket):
        wrong = [name for name in _ALONE if options[name] is not None]
        if wrong:
            raise InvalidInput(
                f"rule '{rule}': its `destination` is the pair's own bucket, of which `dr` says {', '.join(wrong)}. "
                "Move that there, or name another `destination.bucket`."
            )
        return replace(
            dr,
            region=options["region"] or dr.region,
            storage_class=options["storage_class"] or dr.storage_class,
            kms_key_arn=options["kms_key_arn"] or dr.kms_key_arn,
        )
    if not options["region"]:
        raise InvalidInput(
            f"rule '{rule}': its `destination` names bucket '{options['bucket']}' without `region`. Add its Region."
        )
    return _end({**options, "more_kms_key_arns": None, "replication_role_arn": None})


def _roles(options: dict[str, Any] | None) -> RoleSettings:
    if options is None:
        return RoleSettings()
    return RoleSettings(**{**options, "tags": _tags(options["tags"])})


def _tags(options: dict[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(key), str(value)) for key, value in (options or {}).items()))


def pair_result(pair: Pair) -> dict[str, Any]:
    """The pair in the words of the options, with the defaults filled in and without credentials.

    What is not set is left out, so that the result can be given to a module again.
    """
    return {
        "name": pair.name,
        "primary": _end_result(pair.primary),
        "dr": _end_result(pair.dr),
        "direction": pair.direction.value,
        "rules": [_rule_result(rule, pair) for rule in pair.rules],
        "replication_role": _set(
            {
                "name_template": pair.roles.name_template,
                "path": pair.roles.path,
                "permissions_boundary": pair.roles.permissions_boundary,
                "tags": dict(pair.roles.tags),
                "annotations": pair.roles.annotations,
            }
        ),
        "allow_same_region": pair.allow_same_region,
    }


def _set(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _end_result(end: End) -> dict[str, Any]:
    leaving = {"more_kms_key_arns": list(end.more_kms_key_arns), "replication_role_arn": end.replication_role_arn}
    return {**_arrival_result(end), **_set(leaving)}


def _arrival_result(end: End) -> dict[str, Any]:
    return _set(
        {
            "bucket": end.bucket,
            "region": end.region,
            "storage_class": end.storage_class,
            "kms_key_arn": end.kms_key_arn,
            "object_lock": end.object_lock,
            "account_id": end.account_id,
        }
    )


def _rule_result(rule: Rule, pair: Pair) -> dict[str, Any]:
    return _set(
        {
            "id": rule.id,
            "priority": rule.priority,
            "prefix": rule.prefix,
            "tags": dict(rule.tags),
            "status": "enabled" if rule.enabled else "disabled",
            "delete_markers": rule.delete_markers,
            "reverse_delete_markers": rule.reverse_delete_markers,
            "observation": rule.observation.value,
            "replica_modifications": rule.replica_modifications,
            "kms_objects": rule.kms_objects,
            "owner_override": rule.owner_override,
            "destination": _destination_result(rule.destination, pair.dr) if rule.destination else None,
        }
    )


def _destination_result(end: End, dr: End) -> dict[str, Any]:
    result = _arrival_result(end)
    return {name: result[name] for name in result if end.bucket != dr.bucket or name not in _ALONE}
