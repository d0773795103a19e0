# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Where MiniStack differs from AWS in what replication touches, and what is right instead.

Each module holds the corrections of one subject. A correction is a function marked with ``@corrects``, which names
the MiniStack function it stands in for; its docstring names the AWS fact. ``uses`` names the MiniStack functions a
correction relies on, so that a MiniStack that moved them is refused at start instead of going wrong later.
"""

from __future__ import annotations

from . import (
    access_points,
    alarms,
    batch_api,
    buckets,
    changes,
    clock,
    consistency,
    control,
    deliveries,
    events,
    faults,
    inventory,
    key_access,
    listings,
    log_files,
    multipart,
    objects,
    ops_items,
    replication,
    replication_config,
    sessions,
    simulation,
    sse_c,
    trails,
)
from .fitting import apply, misfits

__all__ = [
    "access_points",
    "alarms",
    "apply",
    "batch_api",
    "buckets",
    "changes",
    "clock",
    "consistency",
    "control",
    "deliveries",
    "events",
    "faults",
    "inventory",
    "key_access",
    "listings",
    "log_files",
    "misfits",
    "multipart",
    "objects",
    "ops_items",
    "replication",
    "replication_config",
    "sessions",
    "simulation",
    "sse_c",
    "trails",
]
