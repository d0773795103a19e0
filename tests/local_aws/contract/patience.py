# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""How long something may take to come true."""

from __future__ import annotations

import os

SECONDS = float(os.environ.get("CONTRACT_SECONDS", "20"))
