# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What the function is deployed with: the pairs, and how they are to be proven.

The file `settings.json` lies beside the code in the function's archive, so code and settings change at once.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._aws.verify_wishes import Wishes
from .._core.declaration import pair_from
from .._core.model import Account, InvalidInput, Pair

FILE = "settings.json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the function is deployed with.

    Attributes:
        region: the DR Region, in which the function and all that it writes are.
        account: whose the function is.
        pairs: the options of each pair by its name, complete.
        verify: the options of a verify.
        inventory: above how many objects inventory reports are compared, and how old these may be; None: never.
    """

    name: str
    region: str
    account: Account
    evidence_bucket: str
    recovery_bucket: str
    pairs: Mapping[str, Mapping[str, Any]]
    verify: Mapping[str, Any]
    topic_arns: tuple[str, ...] = ()
    ops_items: bool = True
    inventory: Mapping[str, int] | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Settings:
        """From the file's content."""
        return cls(
            name=said["name"],
            region=said["region"],
            account=Account(said["account"], said["partition"]),
            evidence_bucket=said["evidence_bucket"],
            recovery_bucket=said["recovery_bucket"],
            pairs=said["pairs"],
            verify=said["verify"],
            topic_arns=tuple(said["topic_arns"]),
            ops_items=said["ops_items"],
            inventory=said["inventory"],
        )

    @classmethod
    def read(cls, directory: Path) -> Settings:
        """From the directory into which Lambda unpacks the archive."""
        return cls.of(json.loads((directory / FILE).read_text(encoding="utf-8")))

    def pair(self, name: str) -> Pair:
        """The pair of that name.

        Raises:
            InvalidInput: there is none: it was removed since the run began, or never declared.
        """
        return pair_from(dict(self.options(name)))

    def options(self, name: str) -> Mapping[str, Any]:
        """The options of the pair, with what tells how its ends are reached.

        Raises:
            InvalidInput: there is no such pair.
        """
        if name not in self.pairs:
            known = ", ".join(self.pairs) or "none"
            raise InvalidInput(
                f"pair '{name}' is not among those that the function {self.name} in {self.region} is deployed with "
                f"({known}). Run the role scheduled_drill with it, or start the drill without it."
            )
        return self.pairs[name]

    def wishes(self) -> Wishes:
        """How each pair is verified."""
        return Wishes.of({**self.verify, "canary": True, "fail_on": []})
