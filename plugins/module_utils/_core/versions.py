# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""One row of a version listing as a value.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

NULL = "null"
"""The version ID of everything that was written while versioning was not enabled."""

Identity: TypeAlias = "str | tuple[str, datetime]"


@dataclass(frozen=True, slots=True)
class Version:
    """An object's version or a delete marker, as ListObjectVersions tells it.

    Attributes:
        modified: when it was written, in UTC; replicas keep the time of their source.
        size: in bytes; None: it is a delete marker.
        etag: without quotation marks; empty for a delete marker.
    """

    key: str
    version_id: str
    modified: datetime
    size: int | None = None
    etag: str = ""
    storage_class: str = "STANDARD"
    is_latest: bool = False

    @property
    def is_delete_marker(self) -> bool:
        """Whether it is a delete marker, which holds nothing and hides what is older."""
        return self.size is None

    @property
    def identity(self) -> Identity:
        """What is the same at both ends, within one key.

        S3 User Guide, "Replicating objects": replicas keep version IDs and times. `null` names whatever was written
        without versioning, so it names the same only if the time is the same.
        """
        return (NULL, self.modified) if self.version_id == NULL else self.version_id


def listing_order(version: Version) -> tuple[str, bool, float]:
    """How versions follow each other in a bucket: by key, within a key the current one first, then the newest."""
    return version.key, not version.is_latest, -version.modified.timestamp()
