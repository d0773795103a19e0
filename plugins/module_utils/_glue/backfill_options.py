# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""From the options of a backfill that are not the pair's to its wishes, validated without asking AWS.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._core.batch_prices import Prices, prices_of
from .._core.batch_selection import Select, Selection, Status, moment_of
from .._core.model import InvalidInput
from .._core.recovery_bucket import DEFAULT_NAME, bucket_name

_MOST_PRIORITY = 2**31 - 1


@dataclass(frozen=True, slots=True)
class BackfillWishes:
    """What a backfill shall bring, at what cost, and how long it is waited for.

    Attributes:
        findings_file: the findings of a verify; None with `Select.FINDINGS`: both ends are compared, and the job gets
            exactly what the destination lacks.
        destination: the bucket that lacks versions; None: the pair's other end.
        budget_usd: None: any cost will do.
        recovery_bucket: its name, with {account} and {region}.
        max_head_requests: how many requests the comparison may spend on single versions.

    Raises:
        InvalidInput: one of them cannot be right; nothing was asked of AWS.
    """

    selection: Selection = field(default_factory=Selection)
    prices: Prices = field(default_factory=lambda: prices_of({}))
    findings_file: Path | None = None
    destination: str | None = None
    budget_usd: float | None = None
    recovery_bucket: str = DEFAULT_NAME
    priority: int = 10
    wait: bool = True
    wait_timeout: int = 86400
    max_head_requests: int = 1000

    def __post_init__(self) -> None:
        if self.findings_file is not None:
            _check_findings_file(self.findings_file, self.selection)
        self._check_budget()
        bucket_name(self.recovery_bucket, "111122223333", "us-east-1")  # whatever they are, the template must be right
        for name, value, least, most in (
            ("priority", self.priority, 0, _MOST_PRIORITY),
            ("wait_timeout", self.wait_timeout, 1, None),
            ("max_head_requests", self.max_head_requests, 0, None),
        ):
            if value < least or (most is not None and value > most):
                limit = f"{least} or more" if most is None else f"{least} to {most}"
                raise InvalidInput(f"{name} is {value}. Use {limit}.")

    def _check_budget(self) -> None:
        if self.budget_usd is None:
            return
        if self.budget_usd < 0:
            raise InvalidInput(f"budget_usd is {self.budget_usd}. Use 0 or more, or leave it out for any cost.")
        if self.selection.prefix and self.selection.select is Select.FILTER:
            raise InvalidInput(
                "budget_usd cannot be kept with `prefix` and `select: filter`: S3 goes through all of the bucket and "
                "charges for it, and only what is below the prefix is counted here. Set `select: findings`, which "
                "costs no such search, or leave one of them out."
            )

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> BackfillWishes:
        """From the parameters of the task."""
        selection = Selection(
            Select(params["select"]),
            tuple(Status(status) for status in dict.fromkeys(params["statuses"])),
            params["prefix"],
            moment_of(params["created_after"], "created_after"),
            moment_of(params["created_before"], "created_before"),
        )
        return cls(
            selection=selection,
            prices=prices_of(params["prices"]),
            findings_file=Path(params["findings_file"]) if params["findings_file"] else None,
            destination=params["destination"] or None,
            budget_usd=params["budget_usd"],
            recovery_bucket=params["recovery_bucket"],
            priority=params["priority"],
            wait=params["wait"],
            wait_timeout=params["wait_timeout"],
            max_head_requests=params["max_head_requests"],
        )


def _check_findings_file(path: Path, selection: Selection) -> None:
    if selection.select is not Select.FINDINGS:
        raise InvalidInput("findings_file goes only with `select: findings`. Set that, or leave it out.")
    if not path.is_absolute():
        raise InvalidInput(
            f"findings_file is '{path}', and modules run in a directory of Ansible's. Write it absolute."
        )
    if not path.is_file():
        raise InvalidInput(
            f"findings_file: there is no file {path}. Name the findings.jsonl of a verify that has ended; its result "
            "tells it as `findings_file`."
        )


def backfill_argument_spec() -> dict[str, Any]:
    """The options of a backfill that are not the pair's."""
    return {
        "source": {"type": "str", "choices": ["primary", "dr"], "default": "primary"},
        "destination": {"type": "str"},
        "select": {"type": "str", "choices": [one.value for one in Select], "default": Select.FILTER.value},
        "statuses": {
            "type": "list",
            "elements": "str",
            "choices": [one.value for one in Status],
            "default": [Status.NONE.value, Status.FAILED.value],
        },
        "prefix": {"type": "str", "default": ""},
        "created_after": {"type": "str"},
        "created_before": {"type": "str"},
        "findings_file": {"type": "path"},
        "budget_usd": {"type": "float"},
        "prices": {"type": "dict", "default": {}},
        "recovery_bucket": {"type": "str", "default": DEFAULT_NAME},
        "priority": {"type": "int", "default": 10},
        "max_head_requests": {"type": "int", "default": 1000},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 86400},
    }
