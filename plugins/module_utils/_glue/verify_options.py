# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The options by which a module is told how to verify a pair.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

from .._core.causes import ACCEPTED, NEVER_ACCEPTED, Cause
from .._core.checks import Area


def verify_argument_spec(max_transfer_bytes: int) -> dict[str, Any]:
    """The argument spec of what a verify looks at and how deep.

    Args:
        max_transfer_bytes: the default of the option of that name.
    """
    return {
        "rpo_seconds": {"type": "int", "default": 900},
        "prefixes": {"type": "list", "elements": "str", "default": []},
        "accepted_causes": {
            "type": "list",
            "elements": "str",
            "choices": [cause.value for cause in Cause if cause not in NEVER_ACCEPTED],
            "default": [cause.value for cause in ACCEPTED],
        },
        "max_head_requests": {"type": "int", "default": 10000},
        "head_requests_per_second": {"type": "int", "default": 200},
        "max_findings": {"type": "int", "default": 100},
        "content": {"type": "str", "choices": ["none", "etag", "checksum", "sample"], "default": "etag"},
        "sample_size": {"type": "int", "default": 300},
        "max_transfer_bytes": {"type": "int", "default": max_transfer_bytes},
        "deadline_seconds": {"type": "int", "default": 900},
        "warnings": {
            "type": "list",
            "elements": "str",
            "choices": [Area.MONITORING.value, Area.READINESS.value],
            "default": [Area.READINESS.value],
        },
    }
