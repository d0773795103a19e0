# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""How a correction takes the place of a MiniStack function, and how it is known to fit."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[..., Any]

TABLES = ("_DISPATCH", "_IAM_HANDLERS", "_ACTION_MAP")  # where services of MiniStack look up their handlers


@dataclass(frozen=True)
class Place:
    """A function of MiniStack, as the corrections expect it: ``module`` below ``ministack``, name and parameters."""

    module: str
    signature: str

    @property
    def name(self) -> str:
        return self.signature.partition("(")[0]

    def misfit(self) -> str | None:
        """What is different from the expectation, or None."""
        try:
            function = getattr(importlib.import_module(f"ministack.{self.module}"), self.name)
        except (ImportError, AttributeError):
            return f"ministack.{self.module}.{self.name} is gone"
        expected = re.findall(r"\w+", self.signature.partition("(")[2])
        found = list(inspect.signature(function).parameters)
        if found != expected:
            return f"ministack.{self.module}.{self.name} takes ({', '.join(found)}), expected ({', '.join(expected)})"
        return None


_used: list[Place] = []
_corrections: list[tuple[Place, Function]] = []


def uses(module: str, *signatures: str) -> None:
    """Name MiniStack functions that a correction calls."""
    _used.extend(Place(module, signature) for signature in signatures)


def corrects(module: str, signature: str) -> Callable[[Function], Function]:
    """Mark a function as the correction of a MiniStack function, which it gets as its first argument."""

    def register(correction: Function) -> Function:
        _corrections.append((Place(module, signature), correction))
        return correction

    return register


def misfits() -> list[str]:
    """Every expectation this MiniStack does not meet, as lines for the user."""
    places = dict.fromkeys([*_used, *(place for place, _correction in _corrections)])
    return [problem for problem in (place.misfit() for place in places) if problem]


def apply() -> None:
    """Put every correction in its place."""
    for place, correction in _corrections:
        module = importlib.import_module(f"ministack.{place.module}")
        original = getattr(module, place.name)
        corrected = _standing_in(original, correction)
        setattr(module, place.name, corrected)
        # Some services look their handlers up in a table that holds the function itself.
        for table in (getattr(module, name, {}) for name in TABLES):
            for action, handler in list(table.items()):
                if handler is original:
                    table[action] = corrected


def _standing_in(original: Function, correction: Function) -> Function:
    if inspect.iscoroutinefunction(original):
        # The web server tells an application by its being a coroutine function.
        @functools.wraps(original)
        async def corrected_later(*arguments: Any, **options: Any) -> Any:
            return await correction(original, *arguments, **options)

        return corrected_later

    @functools.wraps(original)
    def corrected(*arguments: Any, **options: Any) -> Any:
        return correction(original, *arguments, **options)

    return corrected
