# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows on a terminal how a long s3_batch_replication gets on, as s3_dr_verify does."""

from __future__ import annotations

from ansible_collections.crossregion.s3_dr.plugins.action.s3_dr_verify import ActionModule

__all__ = ["ActionModule"]
