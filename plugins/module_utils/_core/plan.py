# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The difference between a wish and AWS, as an ordered list of steps.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TypeAlias

from .kinds import KINDS, canonical
from .model import Address, Document, Refused, Step

Wish = Mapping[Address, Document]
"""Our part of each document that should exist."""

Observed: TypeAlias = "Mapping[Address, Document | None]"
"""What AWS holds for each address of a wish; None where there is nothing."""


def plan(wish: Wish, observed: Observed, unwanted: Wish | None = None) -> tuple[Step, ...]:
    """The steps that make AWS as wished, in the order in which they must be carried out.

    Args:
        wish: our part of each document that should exist; what is built first comes first.
        observed: what AWS holds for each address of both wishes.
        unwanted: our part of each document that should not exist; what was built last goes first.

    Raises:
        Refused: a step would lose something that is not ours; the message names the address.
    """
    build = [_put_step(address, ours, observed[address]) for address, ours in wish.items()]
    removal = [_take_step(address, ours, observed[address]) for address, ours in (unwanted or {}).items()]
    build.sort(key=lambda step: (_rank(step), step.address))
    removal.sort(key=lambda step: (-_rank(step), step.address))
    return tuple(step for step in (*build, *removal) if _differs(step))


def _put_step(address: Address, ours: Document, theirs: Document | None) -> Step:
    try:
        return Step(address, before=theirs, after=KINDS[address.kind].put(ours, theirs))
    except Refused as refusal:
        raise Refused(f"{address}: {refusal}") from None


def _take_step(address: Address, ours: Document, theirs: Document | None) -> Step:
    return Step(address, before=theirs, after=KINDS[address.kind].take(ours, theirs))


def _rank(step: Step) -> int:
    return KINDS[step.address.kind].rank_of(step.before, step.after)


def _differs(step: Step) -> bool:
    return canonical(step.address.kind, step.before) != canonical(step.address.kind, step.after)


def waves(steps: Iterable[Step]) -> list[list[list[Step]]]:
    """Steps grouped for carrying out: waves one after the other, the chains of a wave side by side.

    Steps of one rank do not depend on each other. Those on the same thing still form one chain, since S3 answers
    409 OperationAborted to two changes of one bucket at the same time.
    """
    by_rank = groupby(steps, key=_rank)
    return [_chains(wave) for _rank, wave in by_rank]


def _chains(steps: Iterable[Step]) -> list[list[Step]]:
    chains: dict[tuple[str, str, str], list[Step]] = {}
    for step in steps:
        thing = (step.address.account, step.address.region, step.address.name)
        chains.setdefault(thing, []).append(step)
    return list(chains.values())


def applied(steps: Iterable[Step], observed: Observed) -> dict[Address, Document | None]:
    """What AWS holds after the steps."""
    return {**observed, **{step.address: step.after for step in steps}}
