# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Legal holds on versions of a bucket: which ones are meant, which are held, and those that are put or released.

Source: S3 User Guide, "Legal holds" (a hold has no end; it is of one version, and a replica gets that of its source).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from .._core.model import InvalidInput
from .._core.versions import Version
from .canary import Side
from .gateway import asking
from .sdk_errors import ClientError, error_code
from .version_listing import VersionListing

THREADS = 16
_NONE = "NoSuchObjectLockConfiguration"
"""The answer of S3 for a version that never had a hold."""


def meant_versions(
    side: Side, keys: Sequence[str], prefixes: Sequence[str], all_versions: bool, most: int
) -> list[Version]:
    """The versions of these keys and below these prefixes, the current ones or all; delete markers hold nothing.

    Raises:
        ListingFailed: the bucket cannot be listed.
        InvalidInput: they are more than `most`, or a key has no version.
    """
    with VersionListing(side, [*keys, *prefixes]) as listing:
        found = list(islice(_meant(listing.rows(), set(keys), tuple(prefixes), all_versions), most + 1))
    if len(found) > most:
        raise InvalidInput(
            f"bucket '{side.end.bucket}': more than {most} versions are meant. Raise `most_versions`, name fewer, or "
            "use S3 Batch Operations for so many."
        )
    missing = sorted(set(keys) - {version.key for version in found})
    if missing:
        which = "no version" if all_versions else "no current version"
        raise InvalidInput(f"bucket '{side.end.bucket}': '{missing[0]}' has {which}. Correct the key.")
    return found


def _meant(rows: Iterable[Version], keys: set[str], prefixes: tuple[str, ...], all_versions: bool) -> Iterator[Version]:
    for row in rows:
        chosen = row.key in keys or (bool(prefixes) and row.key.startswith(prefixes))
        if chosen and not row.is_delete_marker and (all_versions or row.is_latest):
            yield row


def held(side: Side, versions: Sequence[Version]) -> list[bool]:
    """Whether each of the versions has a hold.

    Raises:
        AwsFailure: S3 does not tell.
    """
    with asking(f"The legal holds of {side.end.bucket}", "s3:GetObjectLegalHold"), ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda version: _is_held(side, version), versions))


def _is_held(side: Side, version: Version) -> bool:
    try:
        answer = side.client.get_object_legal_hold(**side.bucket, Key=version.key, VersionId=version.version_id)
    except ClientError as error:
        if error_code(error) == _NONE:
            return False
        raise
    return bool(answer.get("LegalHold", {}).get("Status") == "ON")


def set_holds(side: Side, versions: Sequence[Version], hold: bool) -> None:
    """Put or release the hold of each of the versions.

    Raises:
        AwsFailure: S3 refuses one; others may have it already, and the next run goes on with the rest.
    """
    status = {"Status": "ON" if hold else "OFF"}

    def put(version: Version) -> None:
        side.client.put_object_legal_hold(
            **side.bucket, Key=version.key, VersionId=version.version_id, LegalHold=status
        )

    with asking(f"Legal holds of {side.end.bucket}", "s3:PutObjectLegalHold"), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, versions))
