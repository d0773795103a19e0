# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Signals end a run by an exception, and are not heard where something must be done to its end."""

from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.interruption import (
    Interrupted,
    interruptible,
    undisturbed,
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_exception_with_its_name(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=number.name), interruptible():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_undisturbed_is_done_to_its_end(number: signal.Signals) -> None:
    done = []
    with interruptible():
        with undisturbed():
            os.kill(os.getpid(), number)
            done.append("restored")
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), number)
    assert done == ["restored"]


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
