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
    dashboards,
    deliveries,
    documents,
    events,
    faults,
    inventory,
    key_access,
    listings,
    log_files,
    metric_math,
    multipart,
    notifications,
    objects,
    ops_items,
    parameters,
    rates,
    replication,
    replication_config,
    sessions,
    simulation,
    sse_c,
    subscriptions,
    suppression,
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
    "dashboards",
    "deliveries",
    "documents",
    "events",
    "faults",
    "inventory",
    "key_access",
    "listings",
    "log_files",
    "metric_math",
    "misfits",
    "multipart",
    "notifications",
    "objects",
    "ops_items",
    "parameters",
    "rates",
    "replication",
    "replication_config",
    "sessions",
    "simulation",
    "sse_c",
    "subscriptions",
    "suppression",
    "trails",
]
