# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Signals end a run by an exception, and are not heard where something must be done to its end."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.interruption import (
    Interrupted,
    end_when_nobody_listens,
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
def test_what_is_undisturbed_is_done_to_its_end_and_the_signal_is_heard_then(number: signal.Signals) -> None:
    done = []

    def run() -> None:
        with undisturbed():
            os.kill(os.getpid(), number)
            done.append("restored")
        done.append("went on")

    with pytest.raises(Interrupted, match=number.name), interruptible():
        run()
    assert done == ["restored"]


def test_a_second_signal_does_not_end_what_is_done_about_the_first() -> None:
    done = []
    before = signal.getsignal(signal.SIGTERM)

    def run() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("restored")

    with pytest.raises(Interrupted, match="SIGINT"), interruptible():
        run()
    assert done == ["restored"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_is_left_alone_ends() -> None:
    reading, writing = os.pipe()

    def run() -> None:
        end_when_nobody_listens(writing)
        os.close(reading)
        time.sleep(10)

    with pytest.raises(Interrupted, match="SIGTERM"), interruptible():
        run()
    os.close(writing)


def test_an_output_that_is_no_pipe_is_not_watched(tmp_path: Path) -> None:
    threads = threading.active_count()
    with (tmp_path / "output").open("w") as file:
        end_when_nobody_listens(file.fileno())
    assert threading.active_count() == threads


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
