# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Who the credentials are.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from .._core.model import Account
from .row import Client


def caller(sts: Client) -> Account:
    """The account and partition of the client's credentials, by STS GetCallerIdentity, which needs no permission."""
    return Account.of_caller(sts.get_caller_identity()["Arn"])
