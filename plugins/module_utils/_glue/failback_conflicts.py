# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The conflicts of a failback: listed while clients still write, resolved when nobody does.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

from .._aws.conflict_resolution import Ends, Resolved, await_agreement, resolve
from .._aws.conflict_search import find_conflicts
from .._aws.examination import Budget
from .._core.conflicts import Action, Clash, Conflict, Decision, Policy, Ways, as_result, as_shown_at_dr, decide
from .._core.failback import FailbackWishes, conflicts_message
from .._core.journal import Side
from .._core.replication import pair_addresses
from .._core.scopes import scope_addresses, scopes_of
from .failback_steps import StepFailed
from .site import Site

MOST_TOLD = 100
"""Conflicts that the result and the journal hold; all of them are counted and resolved."""
_HEAD_REQUESTS_PER_SECOND = 200

Decided: TypeAlias = list[tuple[Conflict, Decision]]


class Conflicts:
    """Finds them, says who wins, and has the winners shown at both ends."""

    def __init__(
        self, site: Site, wishes: FailbackWishes, since: tuple[datetime, datetime], made_anew: bool, resolved: bool
    ) -> None:
        """Nothing is asked yet.

        Args:
            since: from when on writes at the primary, and at the DR bucket, may not have been known to the other.
            made_anew: then all that the primary holds had come to the DR bucket, where it was known.
            resolved: whether an earlier attempt of this run resolved all that there were.
        """
        self._site = site
        self._wishes = wishes
        self._since = (since[1], since[1]) if made_anew else since
        self._made_anew = made_anew
        self._resolved = resolved
        self._ways: Ways | None = None

    def listed(self) -> dict[str, Any]:
        """Each conflict with who wins; nothing is written.

        Raises:
            StepFailed: one of them stops the failback.
        """
        decided, told = self._decided()
        self._require_decided(decided, told)
        return told

    def seen(self) -> dict[str, Any]:
        """The same, whatever there is."""
        return self._decided()[1]

    def resolve(self) -> dict[str, Any]:
        """Have each winner shown at both ends.

        Raises:
            StepFailed: one of them cannot be resolved. The others are.
            NotAgreed: both ends do not show the winners in time.
        """
        decided, told = self._decided()
        self._require_decided(decided, told)
        wanted = [one for one in decided if one[1].action is not Action.NONE]
        if not wanted:
            return {"skipped": "both ends show the same of every key", **told}
        done = resolve(self._ends(), wanted)
        await_agreement(self._ends(), done, self._directions(), self._wishes.drain_seconds)
        told = {**told, "written": sum(bool(one.written) for one in done), "notes": _notes(done)}
        by_hand = [one for one in done if one.by_hand]
        if by_hand:
            raise StepFailed(
                f"pair '{self._site.pair.name}': {len(by_hand)} conflicts cannot be resolved, for example "
                f"'{by_hand[0].conflict.key}': {by_hand[0].by_hand}. The fence stands until the run goes on or is "
                "abandoned.",
                told,
            )
        return told

    def _decided(self) -> tuple[Decided, dict[str, Any]]:
        ends, wishes = self._ends(), self._wishes
        budget = Budget(wishes.max_head_requests, _HEAD_REQUESTS_PER_SECOND)
        found = find_conflicts(
            ends[Side.PRIMARY], ends[Side.DR], self._directions(), self._since, budget, self._made_anew
        )
        conflicts = [one for one in found.conflicts if not self._is_settled(one)]
        if self._made_anew:
            conflicts = [as_shown_at_dr(one) for one in conflicts]
        decided = [(one, decide(one, wishes.conflicts, self._directions())) for one in conflicts]
        told = {
            "policy": wishes.conflicts.value,
            "conflicts": [as_result(*one) for one in decided[:MOST_TOLD]],
            "conflicts_total": len(decided),
            "keys": found.keys,
        }
        if found.unasked:
            raise StepFailed(
                f"pair '{self._site.pair.name}': of {found.unasked} keys that were written since the failover nobody "
                f"asked who wrote them, since `max_head_requests` is {wishes.max_head_requests}. Raise it.",
                told,
            )
        return decided, told

    def _is_settled(self, conflict: Conflict) -> bool:
        """Who resolved all by a policy need not name it again to go on."""
        return self._resolved and self._wishes.conflicts is Policy.STOP and conflict.clash is Clash.BOTH_WROTE

    def _require_decided(self, decided: Decided, told: dict[str, Any]) -> None:
        undone = [one for one in decided if one[1].action is Action.BY_HAND]
        if undone:
            raise StepFailed(
                conflicts_message(self._site.pair.name, len(decided), undone, self._wishes.conflicts), told
            )

    def _ends(self) -> Ends:
        return {side: self._site.bucket(side) for side in Side}

    def _directions(self) -> Ways:
        """What replicates does not change meanwhile, so it is read once."""
        if self._ways is None:
            pair, accounts = self._site.pair, self._site.accounts
            wanted = [*pair_addresses(pair, accounts), *scope_addresses(pair, accounts)]
            scopes = scopes_of(pair, accounts, self._site.gateway.observe(wanted, wanted))
            way = (pair.primary.bucket, pair.dr.bucket)
            self._ways = Ways(scopes[way], scopes[way[::-1]])
        return self._ways


def _notes(done: Iterable[Resolved]) -> list[str]:
    """What to know of single versions, the first ones."""
    return [f"{one.conflict.key}: {one.note}" for one in done if one.note][:MOST_TOLD]
