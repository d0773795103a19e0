# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What AWS does not have: tests set the replication lag here, and what corruption.py, faults.py, filling.py,
inventory.py, lifecycle.py, loss.py, settings.py and subscriptions.py tell of themselves.

GET  /_local_aws/replication
POST /_local_aws/replication   {"bucket": "name", or null for the default, "lag_seconds": 2.5}
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from . import background, corruption, faults, filling, lifecycle, loss, subscriptions
from . import settings as numbers
from .fitting import corrects
from .queue import queue
from .replication import recent_failures

PATH = "/_local_aws/replication"
Answer = tuple[int, dict[str, str], bytes]

# What else can be controlled, each by a function from method and body to status and answer.
OTHERS: dict[str, Callable[[str, bytes], tuple[int, dict[str, Any]]]] = {
    corruption.PATH: corruption.control,
    faults.PATH: faults.control,
    filling.PATH: filling.control,
    lifecycle.PATH: lifecycle.control,
    loss.PATH: loss.control,
    numbers.PATH: numbers.control,
    subscriptions.PATH: subscriptions.control,
}


@corrects("app", "_handle_post_body_shortcuts(method, path, headers, body, query_params, request_id)")
async def answer_control_requests(
    original: Callable[..., Awaitable[Answer | None]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
    request_id: str,
) -> Answer | None:
    """No fact of AWS: every request passes here once its body is read, so this is where the control path is met and
    where the background work finds the running event loop."""
    background.ensure_started()
    if path in OTHERS:
        return reply(*OTHERS[path](method, body))
    if path != PATH:
        return await original(method, path, headers, body, query_params, request_id)
    if method == "POST" and (problem := change(body)):
        return reply(400, {"error": problem})
    return reply(200, settings())


def change(body: bytes) -> str | None:
    """Apply the wish. The answer is what is wrong with it, or None."""
    try:
        wish = json.loads(body)
        bucket, seconds = wish["bucket"], float(wish["lag_seconds"])
    except (ValueError, TypeError, KeyError):
        return 'expected {"bucket": name or null, "lag_seconds": number}'
    if seconds < 0 or not (bucket is None or isinstance(bucket, str)):
        return "lag_seconds must not be negative, bucket must be a name or null"
    queue.set_lag(bucket, seconds)
    return None


def settings() -> dict[str, Any]:
    return {
        "default_lag_seconds": queue.default_lag,
        "lag_seconds": queue.lags,
        "pending": {bucket: len(jobs) for bucket, jobs in queue.waiting.items()},
        "held": len(queue.held),
        "recent_failures": list(recent_failures),
    }


def reply(status: int, body: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()
