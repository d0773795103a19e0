# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The rows of Multi-Region Access Points and their policies, which S3 changes in the background.

Source: S3 User Guide, "Managing Multi-Region Access Points": the answer to a change is a token, by which the operation
can be asked for until it has succeeded or failed. All of it is asked in us-west-2.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from .._core.access_points import (
    BLOCKS,
    CREATING,
    DELETING,
    PARTIALLY_CREATED,
    PROPOSED,
    READY,
    arn_of,
    with_arn,
    with_stand_in,
)
from .._core.model import Address, Document
from .row import Client, Eventual, Row, never_removed
from .sdk_errors import ClientError, error_code

_GONE = frozenset({"NoSuchMultiRegionAccessPoint"})
_MOST_SECONDS = 3600.0
"""AWS names no time. A run that waits longer fails, and the next one waits on."""
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0


def _pauses(operation: str) -> Iterator[None]:
    """Sleep between one look and the next, as long as the time lasts.

    Raises:
        ClientError: the time is over. What is not over yet must not look as if it were.
    """
    deadline, pause = time.monotonic() + _MOST_SECONDS, _FIRST_PAUSE_SECONDS
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    still = f"S3 still works on it after {_MOST_SECONDS / 60:.0f} minutes. Run again, which waits on"
    raise ClientError({"Error": {"Code": "StillGoingOn", "Message": still}}, operation)


def _until_done(client: Client, address: Address, answer: Document) -> None:
    """Wait for the operation that an answer names.

    Raises:
        ClientError: it failed, and the error is the one that the operation tells; or it takes too long.
    """
    token = answer["RequestTokenARN"]
    for _look in _pauses("DescribeMultiRegionAccessPointOperation"):
        found = client.describe_multi_region_access_point_operation(AccountId=address.account, RequestTokenARN=token)
        operation = found["AsyncOperation"]
        if operation["RequestStatus"] == "SUCCEEDED":
            return
        if operation["RequestStatus"] == "FAILED":
            details = operation.get("ResponseDetails", {}).get("ErrorDetails", {})
            raise ClientError({"Error": {"Code": "", "Message": "", **details}}, operation["Operation"])


# --- access points -------------------------------------------------------------------------------------------


def _get(client: Client, address: Address) -> Document:
    found: Document = client.get_multi_region_access_point(AccountId=address.account, Name=address.name)["AccessPoint"]
    return found


def _read_access_point(client: Client, address: Address) -> Document:
    found = _get(client, address)
    blocks = found.get("PublicAccessBlock", {})
    return {
        "Alias": found.get("Alias"),
        "Status": found["Status"],
        "PublicAccessBlock": {name: blocks.get(name, True) for name in BLOCKS},
        "Regions": [
            {
                "Bucket": region["Bucket"],
                "Region": region["Region"],
                "BucketAccountId": region.get("BucketAccountId", address.account),
            }
            for region in found["Regions"]
        ],
    }


def _status(client: Client, address: Address) -> str | None:
    """Its status now, which a try before this one may have changed; None: it is not there."""
    try:
        return str(_get(client, address)["Status"])
    except ClientError as error:
        if error_code(error) not in _GONE:
            raise
        return None


def _while_it_is(status: str, client: Client, address: Address) -> None:
    for _look in _pauses("GetMultiRegionAccessPoint"):
        if _status(client, address) != status:
            return


def _create_access_point(client: Client, address: Address, before: Document | None, after: Document) -> None:
    """Also finishes what an earlier run began. With a status in the wish, it is waited for."""
    if _status(client, address) not in (None, PARTIALLY_CREATED):
        _while_it_is(CREATING, client, address)
        return
    regions = [{"Bucket": one["Bucket"], **_foreign_owner(one, address)} for one in after["Regions"]]
    details = {"Name": address.name, "PublicAccessBlock": after["PublicAccessBlock"], "Regions": regions}
    answer = client.create_multi_region_access_point(AccountId=address.account, Details=details)
    if after.get("Status") == READY:
        _until_done(client, address, answer)


def _foreign_owner(region: Document, address: Address) -> dict[str, Any]:
    owner = region["BucketAccountId"]
    return {} if owner == address.account else {"BucketAccountId": owner}


def _delete_access_point(client: Client, address: Address, before: Document) -> None:
    if _status(client, address) != DELETING:
        answer = client.delete_multi_region_access_point(AccountId=address.account, Details={"Name": address.name})
        _until_done(client, address, answer)
    _while_it_is(DELETING, client, address)


# --- their policies ------------------------------------------------------------------------------------------


def _arn(client: Client, address: Address) -> str | None:
    """The access point's ARN; None as long as it has none."""
    alias = _get(client, address).get("Alias")
    return arn_of(alias, address.account, client.meta.partition) if alias else None


def _read_policy(client: Client, address: Address) -> Document | None:
    """The established policy, and beside it the proposed one as long as that is another.

    The access point's ARN is held as a stand-in, since a wish is made before there is one.
    """
    arn = _arn(client, address)
    found = client.get_multi_region_access_point_policy(AccountId=address.account, Name=address.name)["Policy"]
    texts = {state: found.get(state, {}).get("Policy") for state in ("Established", PROPOSED)}
    read = {state: with_stand_in(json.loads(text), arn) for state, text in texts.items() if text and arn}
    established, proposed = read.get("Established"), read.get(PROPOSED)
    if proposed is None or proposed == established:
        return established
    return {"Statement": [], **(established or {}), PROPOSED: proposed}


def _write_policy(client: Client, address: Address, before: Document | None, after: Document) -> None:
    policy = with_arn(after, _arn(client, address) or "")
    answer = client.put_multi_region_access_point_policy(
        AccountId=address.account, Details={"Name": address.name, "Policy": json.dumps(policy)}
    )
    _until_done(client, address, answer)


# --- the table -----------------------------------------------------------------------------------------------

_BUSY = Eventual("OperationAborted")
_WAIT = "s3:DescribeMultiRegionAccessPointOperation, s3:GetMultiRegionAccessPoint, s3:ListAllMyBuckets"

ROWS = {
    "multi_region_access_point": Row(
        "s3control",
        _read_access_point,
        _create_access_point,
        _delete_access_point,
        {
            "read": "s3:GetMultiRegionAccessPoint",
            "write": f"s3:CreateMultiRegionAccessPoint, {_WAIT}",
            "remove": f"s3:DeleteMultiRegionAccessPoint, {_WAIT}",
        },
        missing=_GONE,
        eventual=(_BUSY,),
    ),
    "multi_region_access_point_policy": Row(
        "s3control",
        _read_policy,
        _write_policy,
        never_removed,
        {
            "read": "s3:GetMultiRegionAccessPointPolicy, s3:GetMultiRegionAccessPoint",
            "write": f"s3:PutMultiRegionAccessPointPolicy, {_WAIT}",
            "remove": "nothing",
        },
        missing=_GONE | {"NoSuchMultiRegionAccessPointPolicy"},
        eventual=(_BUSY,),
        shared=True,
    ),
}
