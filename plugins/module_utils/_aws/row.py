# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What a kind of document needs of AWS: how to read it, write it and remove it, and how its errors are meant.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._core.model import Address, Document

Client = Any
"""A boto3 client. boto3 makes its classes at run time, so there is no better type without stubs."""


ClientFor = Callable[[str, str, str], Client]
"""(service, Region, account) -> a boto3 client with the credentials of that account's end."""


@dataclass(frozen=True, slots=True)
class Eventual:
    """An answer that AWS documents as passing: what was changed a moment ago is not seen everywhere yet."""

    code: str
    text: str = ""

    def matches(self, code: str, message: str) -> bool:
        """Whether this is the answer."""
        return code == self.code and self.text in message


class Running:
    """Between a run and those of its steps that take long.

    Attributes:
        stopped: set when the run is to end: such a step then ends with the call that it is in.
        progress: how far each of them is, by the name of the thing.
        not_after: by bucket, the last second of whose versions it is known that another bucket holds them. What was
            written later is kept.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.progress: dict[str, str] = {}
        self.not_after: dict[str, datetime] = {}


MOST_AT_ONCE = 100
"""How many documents `read_many` is asked for: the most names that CloudWatch's DescribeAlarms takes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind's calls.

    `write` gets the document before and after; `missing` are the codes for "nothing there"; `seen_later` says that
    later steps need what this one wrote, and AWS may take a while to see it: it is read back until it does. `shared`
    says that others write parts of the document, and that a write replaces all of it; `is_new` whether a document is
    what AWS gives a thing that was made a moment ago. `read_many` reads several
    documents of one Region at once, in their order, at most `MOST_AT_ONCE`. `writes_per_second` is AWS's limit for an
    account and Region, where it is so low that a plan reaches it. `remove_at_length` is called in place of
    `remove` where that may take minutes.
    """

    service: str
    read: Callable[[Client, Address], Document | None]
    write: Callable[[Client, Address, Document | None, Document], None]
    remove: Callable[[Client, Address, Document], None]
    permissions: dict[str, str]
    missing: frozenset[str] = frozenset()
    eventual: tuple[Eventual, ...] = ()
    seen_later: bool = False
    shared: bool = False
    is_new: Callable[[Document], bool] = lambda document: False
    read_many: Callable[[Client, Sequence[Address]], list[Document | None]] | None = None
    writes_per_second: float | None = None
    remove_at_length: Callable[[Client, Address, Running], None] | None = None


def never_written(client: Client, address: Address, before: Document | None, after: Document) -> None:
    """For a kind of which no plan ever makes a writing step."""
    raise NotImplementedError(f"{address} is never written")


def never_removed(client: Client, address: Address, before: Document) -> None:
    """For a kind of which no plan ever makes a removing step."""
    raise NotImplementedError(f"{address} is never removed")
