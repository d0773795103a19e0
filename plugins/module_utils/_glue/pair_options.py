# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The options by which every module of this collection is told a pair. Documented in the fragment `pair`.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._core.model import (
    STORAGE_CLASSES,
    Direction,
    InvalidInput,
    Observation,
    RoleSettings,
)
from .clients import Credentials

_ARRIVAL = {
    "storage_class": {"type": "str", "choices": list(STORAGE_CLASSES)},
    "kms_key_arn": {"type": "str", "no_log": False},
    "object_lock": {"type": "bool"},
    "account_id": {"type": "str"},
    "profile": {"type": "str"},
    "assume_role_arn": {"type": "str"},
    "external_id": {"type": "str"},
}
_END = {
    "bucket": {"type": "str", "required": True},
    "region": {"type": "str", "required": True},
    **_ARRIVAL,
    "more_kms_key_arns": {"type": "list", "elements": "str", "no_log": False},
    "replication_role_arn": {"type": "str"},
}
_RULE = {
    "id": {"type": "str"},
    "priority": {"type": "int", "default": 1},
    "prefix": {"type": "str", "default": ""},
    "tags": {"type": "dict"},
    "status": {"type": "str", "choices": ["enabled", "disabled"], "default": "enabled"},
    "delete_markers": {"type": "bool", "default": False},
    "reverse_delete_markers": {"type": "bool"},
    "observation": {
        "type": "str",
        "choices": [choice.value for choice in Observation],
        "default": Observation.METRICS.value,
    },
    "replica_modifications": {"type": "bool"},
    "kms_objects": {"type": "bool"},
    "owner_override": {"type": "bool", "default": False},
    "destination": {
        "type": "dict",
        "options": {"bucket": {"type": "str"}, "region": {"type": "str"}, **_ARRIVAL},
    },
}
_ROLE = {
    "name_template": {"type": "str", "default": RoleSettings().name_template},
    "path": {"type": "str", "default": RoleSettings().path},
    "permissions_boundary": {"type": "str"},
    "tags": {"type": "dict"},
    "annotations": {"type": "bool", "default": RoleSettings().annotations},
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
        "replication_role": {"type": "dict", "options": _ROLE},
        "allow_same_region": {"type": "bool", "default": False},
    }


def complete_pair(declared: Mapping[str, Any]) -> dict[str, Any]:
    """A pair that stands in a list, with its options checked and the defaults filled in, as a module gets its own.

    Raises:
        InvalidInput: an option is missing, unknown or of the wrong type.
    """
    checked = ArgumentSpecValidator(pair_argument_spec()).validate(dict(declared))
    if checked.error_messages:
        name = declared.get("name", "without a name")
        raise InvalidInput(f"pair '{name}': {' '.join(checked.error_messages)}. Correct that.")
    found: dict[str, Any] = checked.validated_parameters
    return found


def credentials_from(params: dict[str, Any]) -> dict[str, Credentials]:
    """The credentials of each end's bucket that has its own."""
    ends = [params["primary"], params["dr"], *(rule.get("destination") or {} for rule in params["rules"] or [])]
    found: dict[str, Credentials] = {}
    for end in ends:
        bucket, credentials = end.get("bucket"), _credentials(end)
        if not bucket or credentials == Credentials():
            continue
        if found.setdefault(bucket, credentials) != credentials:
            raise InvalidInput(f"bucket '{bucket}' is given two kinds of credentials. Give it one of them.")
    return found


def _credentials(options: dict[str, Any]) -> Credentials:
    if options.get("external_id") and not options.get("assume_role_arn"):
        raise InvalidInput(
            f"bucket '{options.get('bucket')}': `external_id` goes only with `assume_role_arn`. Add that, or leave it."
        )
    return Credentials(options.get("profile"), options.get("assume_role_arn"), options.get("external_id"))
