# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Takes away what a recovery drill wrote: its own keys, version by version, wherever a rule may have taken them.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .._core.evidence_words import number_of
from .._core.model import Accounts, Pair
from .._core.proofs import flights_of_rules
from .._core.recovery_drill import stem_of
from .canary import Route
from .drill_objects import Place, Row, abort_uploads, remains, sweep, together
from .gateway import AwsFailure, Gateway
from .row import ClientFor
from .sdk_errors import in_short

_PAUSE_SECONDS = 1.0
_SETTLING_SECONDS = 5.0
"""How long is looked once more where what was written at one end may still come back to the other."""


def places_of(pair: Pair, accounts: Accounts, client_for: ClientFor) -> list[Place]:
    """Wherever objects of a drill may be, by whatever rule it sent them, also by one that was disabled since."""
    rules = tuple(replace(rule, enabled=True) for rule in pair.rules)
    found: dict[tuple[str, str], Place] = {}
    for flight in flights_of_rules(replace(pair, rules=rules), accounts):
        stem = stem_of(pair.name, flight.rule)
        for side in Route.of(flight, accounts, client_for).sides:
            found.setdefault((side.end.bucket, stem), Place(side, stem))
    return list(found.values())


class Cleaning:
    """Removes, and says what could not be removed."""

    def __init__(
        self,
        gateway: Gateway,
        pair: Pair,
        accounts: Accounts,
        places: list[Place],
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._gateway, self._pair, self._accounts = gateway, pair, accounts
        self._places, self._sleep, self._clock = places, sleep, clock
        self._returns = len(pair.links()) > 1
        self._kept: dict[tuple[str, Row], str] = {}
        self.left_behind: list[str] = []
        self.notes: list[str] = []

    def begin(self) -> None:
        """Forget what was told before: all of it is tried again."""
        self.left_behind = []

    def found(self) -> list[str]:
        """What is there, a line each.

        Raises:
            AwsFailure: an end cannot be looked at.
        """
        rows = together(remains, self._places)
        return [
            f"{'delete marker' if row.marker else 'version'} {place.side.end.bucket}/{row.key} ({row.version})"
            for place, there in zip(self._places, rows, strict=True)
            for row in there
        ]

    def run(self, grace: float) -> None:
        """Remove all that is there; wait so long for what is on its way, since it could only be lost or come back."""
        self._kept = {}
        deadline, places = self._clock() + grace, self._places
        quiet_since: float | None = None
        while places:
            found = [(place, self._clear(place)) for place in places]
            places = [place for place, rows in found if rows is not None]
            if any(rows for _place, rows in found):
                quiet_since = None
                if self._clock() >= deadline:
                    self._tell_what_stays(places)
                    break
            elif not self._returns or (quiet_since is not None and self._clock() - quiet_since >= _SETTLING_SECONDS):
                break
            elif quiet_since is None:
                quiet_since = self._clock()
            self._sleep(_PAUSE_SECONDS)
        for (bucket, row), reason in self._kept.items():
            self._tell(f"S3 keeps {bucket}/{row.key} ({row.version}), for example by Object Lock ({reason})")

    def _clear(self, place: Place) -> list[Row] | None:
        """Remove what may go from a place; what was there, None if nobody knows."""
        try:
            abort_uploads(place)
            there = self._remaining(place)
            if there:
                kept = sweep(place, there)
                self._kept |= {(place.side.end.bucket, row): reason for row, reason in kept}
        except AwsFailure as failure:
            self._tell(f"Objects of the drill may still be at {place} ({failure})")
            return None
        return there

    def _remaining(self, place: Place) -> list[Row]:
        """What is there and that S3 has not refused to remove."""
        return [row for row in remains(place) if (place.side.end.bucket, row) not in self._kept]

    def _tell_what_stays(self, places: list[Place]) -> None:
        for place in places:
            rows = self._remaining(place)
            if rows:
                self._tell(f"{number_of(len(rows), 'version')} at {place} still on the way and left to arrive")

    def trying(self, what: str, undo: Callable[[], None], by_hand: str) -> None:
        """Undo one thing; what cannot be undone is told with the way to do it by hand."""
        try:
            undo()
        except Exception as error:  # whatever it is: the rest is undone nevertheless
            self._tell(f"{what} may still be there ({in_short(error)}); by hand: {by_hand}")

    def _tell(self, said: str) -> None:
        text = f"{said}. Run the module with `state: absent` later.".replace("..", ".")
        if text not in self.left_behind:
            self.left_behind.append(text)
