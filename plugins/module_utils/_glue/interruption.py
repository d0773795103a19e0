# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""SIGINT and SIGTERM as an exception, and a time in which both have to wait.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """Somebody ended the run; the message is the signal's name."""


@contextmanager
def interruptible() -> Iterator[None]:
    """The first of both signals raises Interrupted; whoever sends another one cannot end what is done about it.

    What whoever started the run has it ignore stays ignored.
    """

    def interrupt(number: int, frame: object) -> None:
        for one in _ENDING:
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    with _answered_by(interrupt):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Neither signal ends what must be done; one that comes meanwhile is heard when it is done."""
    waiting: list[int] = []

    def keep(number: int, frame: object) -> None:
        waiting.append(number)

    try:
        with _answered_by(keep):
            yield
    finally:
        if waiting:
            os.kill(os.getpid(), waiting[0])


@contextmanager
def _answered_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Both signals have this handler, unless they are ignored; then they have again what they had."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    heard = {number: former for number, former in before.items() if former not in (signal.SIG_IGN, None)}
    try:
        for number in heard:
            signal.signal(number, handler)
        yield
    finally:
        for number, former in heard.items():
            signal.signal(number, former)


def end_when_nobody_listens(output: int = 1) -> None:
    """From now on, SIGTERM for this process when nobody reads its output any more.

    Ansible's workers have a session of their own, so Ctrl-C never reaches a module: it would go on for minutes after
    its playbook is gone. Does nothing where the output is no pipe.
    """
    if not stat.S_ISFIFO(os.fstat(output).st_mode):
        return

    def watch() -> None:
        broken = select.poll()
        broken.register(output, 0)  # only what is always told: that the other end is closed
        if broken.poll():
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="listener", daemon=True).start()
