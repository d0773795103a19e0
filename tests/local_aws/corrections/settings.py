# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Numbers that tests set, because AWS takes its time and tests do not want to wait for it.

GET    /_local_aws/settings
POST   /_local_aws/settings   {"name": number, ...}
DELETE /_local_aws/settings   back to the defaults
"""

from __future__ import annotations

import json

PATH = "/_local_aws/settings"

DEFAULTS = {
    # Until newly enabled versioning is seen by PutBucketReplication; AWS says up to 15 minutes.
    "versioning_seconds": 0.0,
    # Until a new role can be assumed and a changed policy counts; on AWS some seconds.
    "role_seconds": 0.0,
    # How long after a write a read of bucket configuration still gives the old one.
    "bucket_configuration_seconds": 0.0,
    # When an object of a rule with time control is late: 15 minutes, no other value is possible on AWS.
    "rtc_threshold_seconds": 900.0,
    # From the call to the log file that tells of it; CloudTrail takes about five minutes.
    "trail_seconds": 1.0,
    # By how much AWS's clock is ahead of this machine's, or behind if negative; see clock.py.
    "clock_seconds": 0.0,
    # 1: what arrives last is current at a destination, 0: what was written last. AWS documents neither.
    "order_by_arrival": 0.0,
    # How long an experiment of FIS runs. 0: as long as its template says, which on AWS is a minute at least.
    "experiment_seconds": 0.0,
    # How many alarms an account may write in a second in a Region; AWS lets about 3. 0: as many as it likes.
    "alarm_writes_per_second": 0.0,
}
SIGNED = ("clock_seconds",)
_values = dict(DEFAULTS)


def number(name: str) -> float:
    return _values[name]


def is_on(name: str) -> bool:
    return bool(_values[name])


def control(method: str, body: bytes) -> tuple[int, dict[str, float | str]]:
    """Answer a request to the control path."""
    if method == "DELETE":
        _values.update(DEFAULTS)
    elif method == "POST":
        try:
            wish = {str(name): float(value) for name, value in json.loads(body).items()}
        except (ValueError, TypeError, AttributeError):
            return 400, {"error": 'expected {"name": number, ...}'}
        negative = [name for name, value in wish.items() if value < 0 and name not in SIGNED]
        if not wish.keys() <= DEFAULTS.keys() or negative:
            return 400, {"error": f"only clock_seconds may be negative, and the names are {', '.join(DEFAULTS)}"}
        _values.update(wish)
    return 200, dict(_values)
