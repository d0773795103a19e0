# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""How many alarms an account may write in a second. No limit unless a test sets one; see settings.py."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch

from . import settings
from .fitting import corrects

Answer = tuple[int, dict[str, str], bytes]

_taken: dict[tuple[str, str], deque[float]] = defaultdict(deque)  # by account and Region: the times of the last writes


@corrects("services.cloudwatch", "_put_metric_alarm(params, cbor_data, is_cbor, is_json)")
@corrects("services.cloudwatch", "_put_composite_alarm(params, cbor_data, is_cbor, is_json)")
def throttle(
    original: Callable[..., Answer],
    params: dict[str, Any],
    data: dict[str, Any],
    is_cbor: bool,
    is_json: bool = False,
) -> Answer:
    """CloudWatch User Guide, cloudwatch_limits: so many PutMetricAlarm a second for an account and Region; what is
    above that is refused with Throttling. Here both kinds of alarms are counted together."""
    if is_too_fast():
        answer: Answer = cloudwatch._error("Throttling", "Rate exceeded", 400, use_json=is_json, use_cbor=is_cbor)
        return answer
    return original(params, data, is_cbor, is_json)


def is_too_fast() -> bool:
    limit = settings.number("alarm_writes_per_second")
    if not limit:
        return False
    taken, now = _taken[get_account_id(), get_region()], time.monotonic()
    while taken and now - taken[0] > 1.0:
        taken.popleft()
    if len(taken) >= limit:
        return True
    taken.append(now)
    return False
