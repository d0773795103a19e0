# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The test of a restore: versions are read in the DR Region alone, written anew there, read back and compared.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .._aws.canary import Side
from .._aws.sdk_errors import DENIED, NO_ANSWER, ClientError, error_code, in_short
from .._core.causes import ARCHIVE_CLASSES
from .._core.checks import Area, Check, Status
from .._core.versions import Version

MOST_VERSIONS = 5
MOST_BYTES = 16 * 1024 * 1024
"""Of all restored versions together: what is restored is held in memory, a version at a time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to restore to: a bucket of the DR Region, and what the keys begin with."""

    side: Side
    prefix: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of one version; `reason` None: what was read back is what the DR bucket holds."""

    version: Version
    reason: str | None = None
    denied: bool = False


def chosen(versions: Iterable[Version]) -> list[Version]:
    """The versions to restore: the smallest ones that can be read at once, a few of them."""
    readable = [one for one in versions if not one.is_delete_marker and one.storage_class not in ARCHIVE_CLASSES]
    readable.sort(key=lambda one: (one.size or 0, one.key, one.version_id))
    taken: list[Version] = []
    for one in readable[:MOST_VERSIONS]:
        if sum(other.size or 0 for other in (*taken, one)) <= MOST_BYTES:
            taken.append(one)
    return taken


def restore(dr: Side, versions: Sequence[Version], place: Place) -> list[Restored]:
    """Restore each version, and remove the copy again."""
    return [_restore(dr, version, place) for version in versions]


def _restore(dr: Side, version: Version, place: Place) -> Restored:
    key = place.prefix + hashlib.sha256(f"{version.key}\n{version.version_id}".encode("utf-8", "replace")).hexdigest()
    copy: dict[str, Any] = {**place.side.bucket, "Key": key}
    try:
        answer = dr.client.get_object(**dr.bucket, Key=version.key, VersionId=version.version_id)
        content = answer["Body"].read()
        written = place.side.client.put_object(**copy, Body=content)
        back = place.side.client.get_object(**copy)["Body"].read()
        place.side.client.delete_object(**copy, VersionId=written.get("VersionId", "null"))
    except ClientError as error:
        return Restored(version, in_short(error), error_code(error) in DENIED)
    except NO_ANSWER as error:
        return Restored(version, in_short(error))
    if len(content) != (version.size or 0):
        return Restored(version, f"{len(content)} bytes were read, and the bucket lists {version.size}")
    return Restored(version, None if back == content else "what was read back is not what was written")


def restore_check(dr: Side, found: Sequence[Restored]) -> Check:
    """What the test says."""
    wrong = [one for one in found if one.reason is not None]
    if not found:
        said = "no version that both ends hold could be read at once, so no restore was tried"
        return _check(dr, Status.SKIPPED, f"{said}.")
    if not wrong:
        return _check(
            dr, Status.PASSED, f"{len(found)} versions were restored in {dr.end.region} alone, byte for byte."
        )
    first = wrong[0]
    what = f"version {first.version.version_id} of '{first.version.key}' could not be restored: {first.reason}"
    if all(one.denied for one in wrong):
        step = f"Allow s3:GetObjectVersion, and kms:Decrypt with its key, on {dr.end.bucket} to the function's role."
        return _check(dr, Status.UNKNOWN, f"{what}. {step}")
    return _check(dr, Status.BROKEN, f"{what}. {len(wrong)} of {len(found)} failed; look at it by hand.")


def _check(dr: Side, status: Status, message: str) -> Check:
    return Check(
        Area.RECOVERY_POINT, "restore", dr.end.bucket, status, f"{dr.end.bucket} in {dr.end.region}: {message}"
    )
