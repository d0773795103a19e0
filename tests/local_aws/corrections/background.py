# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Work besides requests, on MiniStack's own event loop.

MiniStack changes S3 state only on its event loop, one request at a time. Background work runs there too, so it
never meets half a request and needs no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

logger = logging.getLogger("local_aws")

_repeated: list[tuple[float, Callable[[], None]]] = []
_loop: asyncio.AbstractEventLoop | None = None


def every(seconds: float) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Mark a function to be run again and again, ``seconds`` after its last end."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        _repeated.append((seconds, function))
        return function

    return register


def ensure_started() -> None:
    """Start the repeated work. Called with each request; only the first one on the loop does something."""
    global _loop
    if _loop is not None:
        return
    _loop = asyncio.get_running_loop()
    for seconds, function in _repeated:
        _repeat(seconds, function)


def soon(function: Callable[[], None]) -> None:
    """Run ``function`` on the loop after the current request, from whatever thread the caller is on."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
        if _loop is not None:
            _loop.call_soon_threadsafe(function)


def later(seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle | None:
    return _loop.call_later(seconds, function) if _loop is not None else None


def _repeat(seconds: float, function: Callable[[], None]) -> None:
    try:
        function()
    except Exception:
        # One failure must not end the repetition; the log shows it.
        logger.exception("background work failed")
    later(seconds, lambda: _repeat(seconds, function))
