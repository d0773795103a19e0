# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""From the options of a verify that are not the pair's to its wishes, validated without asking AWS.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._core.causes import Cause
from .._core.checks import Area, Verdict
from .._core.content import Method
from .._core.model import InvalidInput
from .version_listing import separate


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of a verify that are not the pair's.

    Raises:
        InvalidInput: one of them cannot be right; nothing was asked of AWS.
    """

    rpo_seconds: int
    prefixes: tuple[str, ...]
    accepted: frozenset[Cause]
    max_head_requests: int
    head_requests_per_second: int
    max_findings: int
    content: Method
    sample_size: int
    max_transfer_bytes: int
    canary: bool
    deadline_seconds: int
    warnings: frozenset[Area]
    fail_on: frozenset[Verdict]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Wishes:
        """From the parameters of the task."""
        parsed = {
            "prefixes": tuple(prefix for prefix in separate(params["prefixes"]) if prefix),  # the empty one means all
            "accepted": frozenset(Cause(cause) for cause in params["accepted_causes"]),
            "content": Method(params["content"]),
            "warnings": frozenset(Area(area) for area in params["warnings"]),
            "fail_on": frozenset(Verdict(verdict) for verdict in params["fail_on"]),
        }
        return cls(**parsed, **{name: params[name] for name in cls.__slots__ if name not in parsed})

    def __post_init__(self) -> None:
        if self.deadline_seconds < 1:
            raise InvalidInput("deadline_seconds must be at least 1. Without waiting, set `canary: false`.")
        for name, least in (
            ("rpo_seconds", 1),
            ("max_head_requests", 0),
            ("head_requests_per_second", 1),
            ("max_findings", 0),
            ("sample_size", 1),
            ("max_transfer_bytes", 0),
        ):
            if getattr(self, name) < least:
                raise InvalidInput(f"{name} is {getattr(self, name)}. Use {least} or more.")
        too_long = [prefix for prefix in self.prefixes if len(prefix.encode("utf-8", "surrogatepass")) > 1024]
        if too_long:
            raise InvalidInput(f"prefixes: '{too_long[0][:60]}...' is longer than a key, 1024 bytes. Shorten it.")
