# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Which canaries prove that a pair replicates.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from .model import Accounts, End, Link, Pair, Rule
from .rules import selects_kms_objects

RESERVED_PREFIX = ".s3-dr-canary/"
"""How the keys of canaries go on after their rule's prefix."""

_TOKEN = re.compile("[0-9a-f]{32}")
"""How they end: a UUID."""


def is_canary(key: str, prefixes: Collection[str]) -> bool:
    """Whether the key is one that a canary gets, by a rule with one of these prefixes. Canaries come and go.

    Nothing else is left out of a comparison, so the whole form of the key counts.
    """
    prefix, mark, token = key.rpartition(RESERVED_PREFIX)
    return bool(mark) and prefix in prefixes and _TOKEN.fullmatch(token) is not None


@dataclass(frozen=True, slots=True)
class Flight:
    """One canary to be sent: through which rule of which link, and with which key; None: the bucket's default."""

    link: Link
    rule: Rule
    kms_key_arn: str | None = None

    def destinations(self) -> tuple[End, ...]:
        """Where the canary arrives, the rule's own destination first: every rule that matches takes it along."""
        prefix = self.rule.prefix + RESERVED_PREFIX
        ends = {self.link.destination_of(self.rule).bucket: self.link.destination_of(self.rule)}
        for rule in self.link.rules:
            if rule.enabled and prefix.startswith(rule.prefix) and set(rule.tags) <= set(self.rule.tags):
                ends.setdefault(self.link.destination_of(rule).bucket, self.link.destination_of(rule))
        return tuple(ends.values())


def flights_of_rules(pair: Pair, accounts: Accounts) -> list[Flight]:
    """One flight for each enabled rule, direction and encryption, where the task has credentials for both ends."""
    return [
        flight
        for link in pair.links()
        for rule in link.rules
        if rule.enabled
        for flight in _flights(link, rule)
        if not _unreachable(flight, accounts)
    ]


def flights_of_destinations(pair: Pair, accounts: Accounts) -> list[Flight]:
    """One flight for each direction, destination and encryption: a thousand rules share a role and a few keys."""
    first: dict[tuple[str, End, str | None], Flight] = {}
    for flight in flights_of_rules(pair, accounts):
        way = (flight.link.source.bucket, flight.link.destination_of(flight.rule), flight.kms_key_arn)
        first.setdefault(way, flight)
    return list(first.values())


def unproven(pair: Pair, accounts: Accounts) -> list[str]:
    """One sentence for each destination that no canary can prove, since it would arrive in another's account."""
    said = {
        (link.source.bucket, link.destination_of(rule).bucket, bucket)
        for link in pair.links()
        for rule in link.rules
        if rule.enabled
        for bucket in _unreachable(Flight(link, rule), accounts)[:1]
    }
    return [
        f"No canary was sent from {source} to {destination}: it would arrive in {bucket}, and this task has no "
        f"credentials of account {accounts[bucket].id}, so it could neither look at the replica nor remove it."
        for source, destination, bucket in sorted(said)
    ]


def _unreachable(flight: Flight, accounts: Accounts) -> list[str]:
    """The buckets to which the canary would come and of which the task has no credentials."""
    ends = (flight.link.source, *flight.destinations())
    return [end.bucket for end in ends if not accounts[end.bucket].ours]


def _flights(link: Link, rule: Rule) -> Iterator[Flight]:
    yield Flight(link, rule)
    if selects_kms_objects(rule, link.destination_of(rule)):
        yield Flight(link, rule, link.source.kms_keys()[0])
