# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""From the options of a failover that are not the pair's to its wishes, validated without asking AWS.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._core.failover import FailoverWishes, Phase
from .._core.journal import Mode, Side
from .._core.loss import Limits
from .._core.model import InvalidInput, Pair
from .._core.recovery_bucket import DEFAULT_NAME

BOTOCORE = "1.35.69"
"""Knows `IfMatch` of PutObject, by which the journal is written."""
_AHEAD = timedelta(minutes=5)
"""So much the clocks of two machines may differ."""


def failover_argument_spec() -> dict[str, Any]:
    """The options that are not the pair's."""
    return {
        "to": {"type": "str", "choices": ["dr", "primary"], "default": "dr"},
        "mode": {"type": "str", "choices": [mode.value for mode in Mode], "default": Mode.PLANNED.value},
        "phase": {"type": "str", "choices": [phase.value for phase in Phase], "default": Phase.ALL.value},
        "confirm": {"type": "str", "default": ""},
        "reason": {"type": "str", "default": ""},
        "accept_data_loss": {"type": "bool", "default": False},
        "max_loss_seconds": {"type": "int", "default": 900},
        "max_loss_objects": {"type": "int", "default": 0},
        "fence": {"type": "bool", "default": True},
        "fence_exempt_principals": {"type": "list", "elements": "str", "default": []},
        "drain_seconds": {"type": "int", "default": 900},
        "mrap": {"type": "str", "default": ""},
        "pointer_path": {"type": "str", "default": ""},
        "status_path": {"type": "str", "default": ""},
        "topics": {"type": "list", "elements": "str", "default": []},
        "recovery_bucket": {"type": "str", "default": DEFAULT_NAME},
        "take_over": {"type": "str", "default": ""},
        "abandon": {"type": "str", "default": ""},
        "declared_at": {"type": "str", "default": ""},
    }


def wishes_from(params: Mapping[str, Any]) -> FailoverWishes:
    """The wishes of the task.

    Raises:
        InvalidInput: they cannot be right.
    """
    alike = ("reason", "accept_data_loss", "fence", "drain_seconds", "mrap", "pointer_path", "status_path")
    return FailoverWishes(
        to=Side(params["to"]),
        mode=Mode(params["mode"]),
        phase=Phase(params["phase"]),
        limits=Limits(params["max_loss_seconds"], params["max_loss_objects"]),
        exempt=tuple(params["fence_exempt_principals"]),
        topics=tuple(params["topics"]),
        recovery_bucket=params["recovery_bucket"],
        take_over=params["take_over"],
        abandon=params["abandon"],
        declared_at=_moment(params["declared_at"]),
        **{name: params[name] for name in alike},
    )


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(f"declared_at: '{text}' is no time with a time zone. Write it like 2026-11-23T14:03:22Z.")
    if moment > datetime.now(UTC) + _AHEAD:
        raise InvalidInput(f"declared_at: {text} has not come yet. Correct it, or leave it out.")
    return moment.astimezone(UTC)


def check_confirmation(module: AnsibleAWSModule, pair: Pair, wishes: FailoverWishes) -> None:
    """Refuse to fail over what nobody named.

    Raises:
        InvalidInput: with what to set.
    """
    if module.check_mode or wishes.abandon or module.params["confirm"] == pair.name:
        return
    raise InvalidInput(
        f"pair '{pair.name}': a failover moves all its clients, so it must be named. Set `confirm: {pair.name}` (in "
        f"the role, `failover_confirm: [{pair.name}]`), or look at it first in check mode."
    )
