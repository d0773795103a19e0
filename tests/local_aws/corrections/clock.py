# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""AWS's clock, which need not be that of whoever asks: settings.py has ``clock_seconds``, by which it is ahead.

What S3 and IAM write is dated by it, and the Date of every answer is. What is due, such as replication after its lag,
is not moved. AWS refuses requests whose own time is more than 15 minutes off; this does not, so that a test can write
objects of the past.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from . import settings
from .fitting import corrects

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]


def now() -> float:
    """Seconds since 1970, by AWS's clock."""
    return time.time() + settings.number("clock_seconds")


def date() -> bytes:
    """Now, as RFC 9110 writes the header Date."""
    return formatdate(now(), usegmt=True).encode()


@corrects("services.s3", "now_iso()")
def time_of_write(original: Callable[[], str]) -> str:
    """S3 API, Object: LastModified is S3's time."""
    return datetime.fromtimestamp(now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@corrects("services.iam", "_now()")
def time_of_creation(original: Callable[[], str]) -> str:
    """IAM API, Role: CreateDate is IAM's time."""
    return datetime.fromtimestamp(now(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@corrects("app", "_with_date_header(send)")
def date_answers(original: Callable[[Send], Send], send: Send) -> Send:
    """S3 API, common response headers: Date is "the date and time that Amazon S3 responded"."""

    async def send_with_date(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [header for header in message.get("headers", []) if header[0].lower() != b"date"]
            message = {**message, "headers": [*others, (b"date", date())]}
        await send(message)

    return send_with_date
