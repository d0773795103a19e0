# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""SIGINT and SIGTERM as an exception, and a time in which neither is heard.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """Somebody ended the run; the message is the signal's name."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Both signals raise Interrupted. What whoever started the run has it ignore stays ignored."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in _ENDING}
    heard = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in heard:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Neither signal is heard until what must be done is done."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    try:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
