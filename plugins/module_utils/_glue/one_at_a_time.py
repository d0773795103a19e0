# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Tasks of one play that change the same document of AWS, one after the other.

Ansible runs the tasks of several pairs side by side, and what they share, such as a queue's policy, is written as a
whole: two that read it at the same time would each write it without the other's part.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Wait until no other task of this user on this machine is at it.

    Where no file can be locked, nothing is waited for: the gateway still refuses to undo what changed meanwhile.
    """
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"crossregion-s3-dr-{os.getuid()}-{name}.lock"
    file = None
    with suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if file is not None:
            os.close(file)
