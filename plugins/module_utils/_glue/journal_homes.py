# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Where the journal of a pair is: in the recovery bucket of its home, with a copy in that of the other Region.

The home is the DR Region, since it is there when the primary is lost. When the DR Region itself is lost, it is the
primary's. Of both, the newer one counts.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from contextlib import suppress

from .._aws.gateway import AwsFailure
from .._aws.journal_store import JournalStore
from .._aws.sdk_errors import in_short
from .._core.journal import Journal, Mode, Side, newest
from .._core.model import Refused
from .._core.recovery_bucket import bucket_name
from .site import LOOK_SECONDS, Meanwhile, Site


def home_of(to: Side, mode: Mode) -> Side:
    """Whose Region holds the journal of a journey."""
    return Side.PRIMARY if to is Side.PRIMARY and mode is Mode.UNPLANNED else Side.DR


class Homes:
    """The journals of one pair at both ends.

    Attributes:
        store: the one that is written.
        unread: why the copy at the other end was not read, so that it may be the newer one; empty: it was.
    """

    def __init__(self, pair: str, store: JournalStore, other: JournalStore | None, unread: str = "") -> None:
        self._pair = pair
        self._other = other
        self.store = store
        self.unread = unread
        self._uncopied = ""
        self._copied = -1

    @classmethod
    def of(cls, site: Site, template: str, home: Side) -> Homes:
        """The homes in the recovery buckets that the template names.

        Raises:
            InvalidInput: the template is none.
        """
        account = site.account(home.other)
        if account.ours:
            return cls(site.pair.name, store_of(site, template, home), store_of(site, template, home.other))
        unread = f"These are no credentials of account {account.id}."
        return cls(site.pair.name, store_of(site, template, home), None, unread)

    @property
    def notes(self) -> list[str]:
        """What could not be read or written at the other end, one sentence each."""
        if self._other is None:
            return []
        unread = f"The copy of the journal at the other end was not read. {self.unread}"
        uncopied = f"The journal was not copied to the other end; the next run does it. {self._uncopied}"
        return [*([unread] if self.unread else []), *([uncopied] if self._uncopied else [])]

    def read(self, seconds: float = LOOK_SECONDS) -> Journal:
        """The newer one of both. That of the other end is given a few seconds to answer.

        Raises:
            AwsFailure: the home does not answer, or has no recovery bucket.
        """
        meanwhile = Meanwhile(self._other.read, seconds) if self._other else None
        here, there = self.store.read(), None
        if meanwhile:
            try:
                there, self.unread = meanwhile.answer(), ""
            except AwsFailure as failure:
                self.unread = in_short(failure)
        return newest((here, there), self._pair)

    def require_all_read(self) -> None:
        """For a journey that must not go by a copy that may be the older one.

        Raises:
            Refused: the other copy was not read; with the next step.
        """
        if self.unread:
            where = self._other.name if self._other else "the copy of the journal at the other end"
            raise Refused(
                f"pair '{self._pair}': {where} was not read, and it may be the newer one: {self.unread.rstrip('.')}. "
                "Make it readable for this task (setup.yml makes a recovery bucket that is missing), and run again."
            )

    def look(self) -> Journal:
        """The newer one of both, for the sake of a sign of life: the other end need not answer."""
        here, there = self.store.read(), None
        if self._other and not self.unread:
            with suppress(AwsFailure):
                there = Meanwhile(self._other.read).answer()
        return newest((here, there), self._pair)

    def copy(self, journal: Journal, seconds: float = LOOK_SECONDS) -> bool:
        """Put a copy to the other end, if it answers; and say whether it is there."""
        other = self._other
        if other is None:
            return False
        if self._copied == journal.serial:
            return True
        try:
            Meanwhile(lambda: other.copy_here(journal), seconds).answer()
        except AwsFailure as failure:
            self._uncopied = in_short(failure)
            return False
        self._copied, self._uncopied = journal.serial, ""
        return True


def store_of(site: Site, template: str, side: Side) -> JournalStore:
    """The journal at one end."""
    end, account = site.end(side), site.account(side)
    name = bucket_name(template, account.id, end.region)
    return JournalStore(site.clients("s3", end.region, account.id), name, account.id, site.pair.name)
