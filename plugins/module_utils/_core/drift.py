# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""How far AWS is from a declared pair.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from .constraints import check_accounts
from .model import Accounts, Pair, Step, is_seen
from .plan import Observed, plan
from .replication import check_buckets, leftovers, pair_wish, without_overlap, without_roles_in_use


def drift_of(pair: Pair, accounts: Accounts, observed: Observed) -> tuple[Step, ...]:
    """The steps that would bring AWS back to the declared pair, without what may not be read.

    A plan knows of no document but policies that it may be unseen. So it is told that there is none, and what it would
    do about that is left out.

    Raises:
        InvalidInput, Refused: no plan can bring it there.
    """
    unseen = {address for address, document in observed.items() if not is_seen(document)}
    held = {address: None if address in unseen else document for address, document in observed.items()}
    check_accounts(pair, accounts)
    check_buckets(pair.ends(), accounts, held, create=True)
    unwanted = without_roles_in_use(leftovers(pair, accounts, held), held)
    wish, unwanted = without_overlap(pair_wish(pair, accounts, held), unwanted)
    return tuple(step for step in plan(wish, held, unwanted) if step.address not in unseen)
