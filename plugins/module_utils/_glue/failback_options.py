# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""From the options of a failback that are not the pair's to its wishes, validated without asking AWS.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._core.causes import ACCEPTED, NEVER_ACCEPTED, Cause
from .._core.conflicts import Policy
from .._core.failback import FailbackWishes
from .._core.failover import Phase
from .._core.model import InvalidInput, Pair
from .._core.recovery_bucket import DEFAULT_NAME

_MAY_BE_ACCEPTED = [cause.value for cause in Cause if cause not in (*NEVER_ACCEPTED, Cause.CONFLICT)]


def failback_argument_spec() -> dict[str, Any]:
    """The options that are not the pair's."""
    return {
        "phase": {"type": "str", "choices": [phase.value for phase in Phase], "default": Phase.ALL.value},
        "confirm": {"type": "str", "default": ""},
        "reason": {"type": "str", "default": ""},
        "conflicts": {"type": "str", "choices": [policy.value for policy in Policy], "default": Policy.STOP.value},
        "accepted_causes": {
            "type": "list",
            "elements": "str",
            "choices": _MAY_BE_ACCEPTED,
            "default": [cause.value for cause in ACCEPTED],
        },
        "max_missing_objects": {"type": "int", "default": 0},
        "max_head_requests": {"type": "int", "default": 10000},
        "budget_usd": {"type": "float"},
        "prices": {"type": "dict", "default": {}},
        "backfill_seconds": {"type": "int", "default": 86400},
        "fence": {"type": "bool", "default": True},
        "fence_exempt_principals": {"type": "list", "elements": "str", "default": []},
        "drain_seconds": {"type": "int", "default": 900},
        "mrap": {"type": "str", "default": ""},
        "pointer_path": {"type": "str", "default": ""},
        "topics": {"type": "list", "elements": "str", "default": []},
        "recovery_bucket": {"type": "str", "default": DEFAULT_NAME},
        "take_over": {"type": "str", "default": ""},
        "abandon": {"type": "str", "default": ""},
    }


def wishes_from(params: Mapping[str, Any]) -> FailbackWishes:
    """The wishes of the task.

    Raises:
        InvalidInput: they cannot be right.
    """
    alike = ("reason", "budget_usd", "backfill_seconds", "fence", "drain_seconds", "mrap", "pointer_path")
    return FailbackWishes(
        phase=Phase(params["phase"]),
        conflicts=Policy(params["conflicts"]),
        accepted=frozenset(Cause(cause) for cause in params["accepted_causes"]),
        max_missing=params["max_missing_objects"],
        max_head_requests=params["max_head_requests"],
        exempt=tuple(params["fence_exempt_principals"]),
        topics=tuple(params["topics"]),
        recovery_bucket=params["recovery_bucket"],
        take_over=params["take_over"],
        abandon=params["abandon"],
        **{name: params[name] for name in alike},
    )


def check_confirmation(module: AnsibleAWSModule, pair: Pair, wishes: FailbackWishes) -> None:
    """Refuse to fail back what nobody named.

    Raises:
        InvalidInput: with what to set.
    """
    if module.check_mode or wishes.abandon or module.params["confirm"] == pair.name:
        return
    raise InvalidInput(
        f"pair '{pair.name}': a failback moves all its clients, so it must be named. Set `confirm: {pair.name}` (in "
        f"the role, `failback_confirm: [{pair.name}]`), or look at it first in check mode."
    )
