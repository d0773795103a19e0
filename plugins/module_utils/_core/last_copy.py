# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What would be lost with a bucket of a pair, since no other bucket holds it: judged by the findings of a verify.

A delete marker holds no data, so it is counted and loses nothing. What a rule leaves out, what was written before it,
and what was deleted at the other end counts like anything else: it is in no other bucket, whoever accepted that.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .causes import Cause
from .deletion import counted
from .model import Pair

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Copy:
    """A bucket that is to be deleted, and the one that should hold the same. None: that one is to be deleted, too."""

    bucket: str
    other: str | None


def copies(pair: Pair, named: Collection[str]) -> tuple[Copy, ...]:
    """The buckets that are named for deletion, each with its other copy.

    None at all, when both ends are named: then everything is meant to go.
    """
    primary, dr = pair.primary.bucket, pair.dr.bucket
    if {primary, dr} <= set(named):
        return ()
    others = {primary: dr, dr: primary}
    return tuple(
        Copy(end.bucket, others.get(end.bucket, None if primary in named else primary))
        for end in pair.ends()
        if end.bucket in named
    )


@dataclass(slots=True)
class Loss:
    """What would go for good with a bucket.

    Attributes:
        size: in bytes.
        first: some of the versions.
        unknown: why it cannot be told; empty: it can.
        alone: whether the other bucket does not exist.
    """

    copy: Copy
    versions: int = 0
    size: int = 0
    delete_markers: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    first: list[str] = field(default_factory=list)
    unknown: str = ""
    alone: bool = False

    def __bool__(self) -> bool:
        return bool(self.versions or self.unknown)

    def add(self, finding: Mapping[str, Any]) -> None:
        """Count a finding, if it is about a version that only this bucket holds."""
        if not is_only_in(finding, self.copy):
            return
        if finding["delete_marker"]:
            self.delete_markers += 1
            return
        self.versions += 1
        self.size += int(finding["size"])
        self.causes[str(finding["cause"])] += 1
        if len(self.first) < _MOST_NAMED:
            self.first.append(f"'{finding['key']}' ({finding['version_id']})")

    def sentence(self) -> str:
        """What would be lost, and how to go on."""
        bucket, other = self.copy.bucket, self.copy.other
        forced = f"To delete {bucket} all the same, name it in `accept_loss`, the role's `teardown_accept_loss`."
        if self.unknown:
            return f"Whether another bucket holds all that {bucket} holds is not known: {self.unknown} {forced}"
        what = f"{counted(self.versions, 'version')} with {counted(self.size, 'byte')}"
        if self.alone:
            return f"The bucket {other} does not exist, so {bucket} holds the only copy of {what}. {forced}"
        causes = ", ".join(f"{count:,} {cause}" for cause, count in self.causes.most_common())
        return (
            f"{bucket} holds what {other} lacks: {what} ({causes}), for example {', '.join(self.first)}. Verify tells "
            f"each with its remedy; replicate them first, or copy them. {forced}"
        )

    def as_result(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "bucket": self.copy.bucket,
            "other": self.copy.other,
            "versions": self.versions,
            "bytes": self.size,
            "delete_markers": self.delete_markers,
            "causes": dict(self.causes.most_common()),
            "first": list(self.first),
            "unknown": self.unknown,
        }


def is_only_in(finding: Mapping[str, Any], copy: Copy) -> bool:
    """Whether the finding is about a version, or a content, that the bucket holds and the other one does not.

    A finding is `missing` where its destination lacks the version, or holds it with other content. Otherwise its
    destination holds what its source does not; or both hold it and show another version, which counts as well, since
    then somebody has to decide which one is right.
    """
    ends = (finding["source"], finding["destination"])
    if set(ends) != {copy.bucket, copy.other}:
        return False
    if finding["cause"] == Cause.CONTENT_DIFFERS.value:
        return True
    return bool(copy.bucket == (ends[0] if finding["missing"] else ends[1]))


def loss_of(
    copy: Copy, comparisons: Iterable[Mapping[str, Any]], findings: Iterable[Mapping[str, Any]], *, two_way: bool
) -> Loss:
    """What would be lost with a bucket, by what a verify compared and found.

    Args:
        two_way: whether both buckets are written, so that what is in flight may be of either.
    """
    loss = Loss(copy)
    compared = next(
        (one for one in comparisons if {one["source"], one["destination"]} == {copy.bucket, copy.other}), None
    )
    if compared is None:
        loss.unknown = f"it was not compared with {copy.other or 'one that stays'}."
    elif not compared["complete"]:
        loss.unknown = str(compared["reason"])
    elif compared["in_flight"] and (two_way or compared["source"] == copy.bucket):
        loss.unknown = (
            f"while it was compared with {copy.other}, {counted(compared['in_flight'], 'version')} came or went. Stop "
            "what writes, wait until it has replicated, and run again."
        )
    else:
        for finding in findings:
            loss.add(finding)
    return loss


def alone(copy: Copy, contents: Mapping[str, Any]) -> Loss:
    """All that the bucket holds, since the other one does not exist."""
    return Loss(copy, int(contents["versions"]), int(contents["bytes"]), int(contents["delete_markers"]), alone=True)
