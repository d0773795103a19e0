# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The journal of a pair as both Regions have it, where one that is lost keeps the other from nothing.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure, Gateway
from .._core.journal import Journal, Side, newest
from .._core.journey_words import status_of
from .._core.model import InvalidInput, Pair
from .clients import Clients
from .journal_homes import store_of
from .site import Meanwhile, end_of, sign_in

SECONDS = 10.0
"""So long each Region is given to answer."""


def read_status(module: AnsibleAWSModule, pair: Pair) -> dict[str, Any]:
    """What the newer one of both journals says.

    Raises:
        AwsFailure: neither Region answers.
    """
    asked = {side: Meanwhile(lambda side=side: _read(module, pair, side), SECONDS) for side in Side}
    journals: dict[Side, Journal | None] = {}
    failures: dict[Side, str] = {}
    for side, meanwhile in asked.items():
        try:
            journals[side] = meanwhile.answer()
        except (AwsFailure, InvalidInput) as failure:
            failures[side] = f"{end_of(pair, side).region}: {failure}"
    if not journals:
        raise AwsFailure(f"pair '{pair.name}': its journal is not known. {' '.join(failures.values())}")
    status = status_of(newest(journals.values(), pair.name))
    read_in = [end_of(pair, side).region for side in journals]
    return {**status, "read_in": read_in, "not_read": list(failures.values())}


def _read(module: AnsibleAWSModule, pair: Pair, side: Side) -> Journal | None:
    """Signed in to the Region of that side, and with clients of its own, since nothing may wait for the other."""
    clients = Clients(module, home_region=end_of(pair, side).region)
    site, _look = sign_in(module, Gateway(clients), clients, pair, side)
    return store_of(site, module.params["recovery_bucket"], side).read()
