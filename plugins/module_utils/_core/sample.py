# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A uniform sample of the versions that both ends hold, drawn while they stream by.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import heapq
from hashlib import blake2b

from .march import Match

_PERSON = b"s3-dr sample"


class Sample:
    """The versions whose hashes are the smallest ("bottom-k"): each version is as likely to be among them as any other.

    Nobody knows how many versions there will be, and the core has no randomness. So a hash over seed, key and version
    ID stands in for the draw: the same seed draws the same versions, in whatever order they come, and a new seed draws
    new ones. Memory is that of `size` versions.
    """

    def __init__(self, size: int, seed: str) -> None:
        """Draw at most `size` versions."""
        self.size = size
        self.population = 0
        """How many objects were offered; delete markers hold no content, so they are not drawn from."""
        self._seed = _framed(seed)
        self._heap: list[tuple[int, str, str]] = []
        self._matches: dict[tuple[str, str], Match] = {}

    def offer(self, match: Match) -> None:
        """Let one version take part. Each may be offered once."""
        version = match.left
        if version.is_delete_marker:
            return
        self.population += 1
        if not self.size:
            return
        draw = (-self._lot(version.key, version.version_id), version.key, version.version_id)
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, draw)
        else:
            highest = heapq.heappushpop(self._heap, draw)
            if highest == draw:
                return
            del self._matches[highest[1:]]
        self._matches[draw[1:]] = match

    @property
    def chosen(self) -> list[Match]:
        """The versions that were drawn, sorted by key and version ID."""
        return [self._matches[name] for name in sorted(self._matches)]

    def _lot(self, key: str, version_id: str) -> int:
        digest = blake2b(self._seed + _framed(key) + _framed(version_id), digest_size=16, person=_PERSON).digest()
        return int.from_bytes(digest, "big")


def _framed(text: str) -> bytes:
    """The text with its length before it, so that no two series of texts become the same bytes."""
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "big") + encoded
