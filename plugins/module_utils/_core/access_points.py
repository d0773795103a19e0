# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Multi-Region Access Points and their policies.

Sources: S3 User Guide, "Rules for choosing buckets for Amazon S3 Multi-Region Access Points" (one bucket a Region, and
never another one); S3 API Reference, "MultiRegionAccessPointReport" (states). That API has no call that changes what an
access point blocks of public access.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .merging import canonical_policy, put_statements, take_all_but_last
from .model import Account, Address, Document, InvalidInput, Refused, check_bucket_name, check_region

if TYPE_CHECKING:
    from .plan import Wish

MANAGED_IN = "us-west-2"
"""The one Region that makes and removes access points, wherever their buckets are."""

ARN_STAND_IN = "{access_point}"
"""Stands in a policy for the access point's ARN, which nobody knows before AWS has made its alias."""

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

READY, CREATING, DELETING = "READY", "CREATING", "DELETING"
PARTIALLY_CREATED, PARTIALLY_DELETED = "PARTIALLY_CREATED", "PARTIALLY_DELETED"
INCONSISTENT = "INCONSISTENT_ACROSS_REGIONS"

_NAME = re.compile(r"[a-z0-9][-a-z0-9]{1,48}[a-z0-9]")
_ACCOUNT_ID = re.compile(r"\d{12}")
_WHAT_IS_WRONG = {
    DELETING: "it is being deleted. Wait until it is gone, or choose another name",
    PARTIALLY_DELETED: (
        "a deletion of it ended halfway. Finish it with `state: absent` and `confirm_deletion`, then make it again"
    ),
    INCONSISTENT: (
        "S3 says that its Regions differ about it, so requests may be answered by some of them only. Wait some minutes "
        "and run again; if it stays so, delete it and make it again"
    ),
}


@dataclass(frozen=True, slots=True)
class Member:
    """One bucket of an access point."""

    bucket: str
    region: str
    account_id: str | None = None

    def __post_init__(self) -> None:
        check_bucket_name(self.bucket)
        check_region(self.region, f"bucket '{self.bucket}'")
        if self.account_id is not None and not _ACCOUNT_ID.fullmatch(self.account_id):
            raise InvalidInput(
                f"bucket '{self.bucket}': an account ID has 12 digits, '{self.account_id}' has not. Write `account_id` "
                "in quotes, since YAML drops leading zeros."
            )


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """A Multi-Region Access Point as a user declares it.

    Attributes:
        blocks: of `BLOCKS`, which are on or off; what is not named is on in a new one and stays in one that is there.
        statements: those of its policy that are ours, by Sid; None: the policy is not looked at.
        removed_sids: statements of the policy that go.
        wait: whether it is to be ready.

    Raises:
        InvalidInput: S3 does not take it.
    """

    name: str
    members: tuple[Member, ...]
    blocks: Mapping[str, bool]
    statements: tuple[Document, ...] | None = None
    removed_sids: tuple[str, ...] = ()
    wait: bool = True

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.members:
            raise InvalidInput(f"access point '{self.name}': `buckets` is empty. Name one in each of its Regions.")
        for what, values in (
            ("bucket", [member.bucket for member in self.members]),
            ("Region", [member.region for member in self.members]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise InvalidInput(
                    f"access point '{self.name}': the {what} {', '.join(twice)} is given twice, and S3 takes one "
                    "bucket a Region. Leave one out."
                )
        self._check_statements()

    def _check_statements(self) -> None:
        sids = [str(statement.get("Sid", "")) for statement in self.statements or ()]
        if "" in sids or len(set(sids)) < len(sids):
            raise InvalidInput(
                f"access point '{self.name}': each statement of `policy` needs a `Sid` of its own, since by it the "
                "statement is known again. Add it."
            )
        both = sorted(set(sids) & set(self.removed_sids))
        if both:
            raise InvalidInput(
                f"access point '{self.name}': the statement {', '.join(both)} is in `policy` and in "
                "`policy_removed_sids`. Leave it out of one of them."
            )
        if (sids or self.removed_sids) and not self.wait:
            raise InvalidInput(
                f"access point '{self.name}': a policy can only be given to one that is ready. Leave out "
                "`wait: false`, or set the policy by a later task."
            )

    @property
    def has_policy(self) -> bool:
        """Whether anything is wished of its policy."""
        return bool(self.statements or self.removed_sids)


def is_access_point_name(name: str) -> bool:
    """Whether S3 takes the name."""
    return bool(_NAME.fullmatch(name))


def check_name(name: str) -> None:
    """Raise InvalidInput when S3 would refuse the name."""
    if not is_access_point_name(name):
        raise InvalidInput(
            f"access point '{name[:80]}': S3 takes 3 to 50 lower-case letters, digits and '-' as its name, beginning "
            "and ending with a letter or digit. Choose another name."
        )


def check_confirmation(name: str, confirmed: str | None) -> None:
    """Raise InvalidInput when the deletion is not confirmed by name."""
    if confirmed != name:
        raise InvalidInput(
            f"access point '{name}': its deletion is not confirmed. Clients that use it fail then, and one that is "
            f"made again has another alias. If this is meant, set `confirm_deletion: {name}`."
        )


# --- wishes --------------------------------------------------------------------------------------------------


def access_point_address(name: str, account: Account) -> Address:
    """The address of an access point."""
    return Address("multi_region_access_point", name, MANAGED_IN, account.id)


def policy_address(name: str, account: Account) -> Address:
    """The address of an access point's policy."""
    return Address("multi_region_access_point_policy", name, MANAGED_IN, account.id)


def bucket_addresses(point: AccessPoint, account: Account) -> list[Address]:
    """The buckets that it is to have, which must exist."""
    return [
        Address("bucket", member.bucket, member.region, member.account_id or account.id) for member in point.members
    ]


def check_buckets(point: AccessPoint, account: Account, observed: Mapping[Address, Document | None]) -> None:
    """Refuse to make an access point of what does not exist: its creation would fail minutes later.

    Raises:
        Refused: a bucket is not there.
    """
    missing = [address.name for address in bucket_addresses(point, account) if observed.get(address, {}) is None]
    if missing:
        raise Refused(
            f"access point '{point.name}': there is no bucket {', '.join(missing)}. Make it first, for example with "
            "the role replication_pair."
        )


def access_point_wish(point: AccessPoint, account: Account, there: Document | None) -> Wish:
    """The access point and our part of its policy.

    Args:
        there: the access point as AWS holds it.
    """
    regions = [
        {"Bucket": one.bucket, "Region": one.region, "BucketAccountId": one.account_id or account.id}
        for one in point.members
    ]
    status = {"Status": READY} if point.wait else {}
    ours: Document = {"Regions": regions, "PublicAccessBlock": dict(point.blocks), **status}
    wish = {access_point_address(point.name, account): ours}
    if point.has_policy:
        wish[policy_address(point.name, account)] = _policy_part(point, account, there)
    return wish


def _policy_part(point: AccessPoint, account: Account, there: Document | None) -> Document:
    part = {"Version": "2012-10-17", "Statement": list(point.statements or ()), "Removed": list(point.removed_sids)}
    alias = (there or {}).get("Alias")
    return with_stand_in(part, arn_of(alias, account.id, account.partition)) if alias else part


def arn_of(alias: str, account: str, partition: str = "aws") -> str:
    """The ARN by which an access point is named in policies and by clients."""
    return f"arn:{partition}:s3::{account}:accesspoint/{alias}"


def with_stand_in(policy: Document, arn: str) -> dict[str, Any]:
    """The policy with the stand-in wherever the ARN stands."""
    return dict(json.loads(json.dumps(policy).replace(arn, ARN_STAND_IN)))


def with_arn(policy: Document, arn: str) -> dict[str, Any]:
    """The policy as AWS holds it."""
    return dict(json.loads(json.dumps(policy).replace(ARN_STAND_IN, arn)))


# --- how an access point merges ------------------------------------------------------------------------------


def put_access_point(ours: Document, theirs: Document | None) -> Document:
    """Ours if nothing is there; one that is there must be as wished, since nothing of it can be changed.

    Raises:
        Refused: it is not.
    """
    blocks = {**dict.fromkeys(BLOCKS, True), **ours["PublicAccessBlock"]}
    if theirs is None:
        return {**ours, "PublicAccessBlock": blocks}
    status = theirs.get("Status", READY)
    if status in _WHAT_IS_WRONG:
        raise Refused(f"its status is {status}: {_WHAT_IS_WRONG[status]}.")
    if _buckets(ours) != _buckets(theirs):
        raise Refused(
            f"it has {_listed(theirs)}, and should have {_listed(ours)}. S3 never changes the buckets of an access "
            "point. Make one of another name and move the clients to it; or delete this one with `state: absent` and "
            "`confirm_deletion`, and make it again, which gives it another alias."
        )
    differing = [
        name for name, value in ours["PublicAccessBlock"].items() if theirs["PublicAccessBlock"][name] != value
    ]
    if differing:
        raise Refused(
            f"its {', '.join(differing)} should be another, and S3 has no call that changes what an access point "
            "blocks of public access. Leave `public_access_block` as it is, or make an access point of another name."
        )
    if status == PARTIALLY_CREATED or "Status" in ours:
        return {**theirs, "Status": READY}
    return theirs


def _buckets(document: Document) -> set[tuple[str, str]]:
    return {(one["Bucket"], one["Region"]) for one in document["Regions"]}


def _listed(document: Document) -> str:
    return ", ".join(f"{bucket} ({region})" for bucket, region in sorted(_buckets(document)))


def canonical_access_point(document: Document) -> Document:
    """Its alias is AWS's choice, and is not ours to wish; nor is the order of its Regions."""
    kept = {name: value for name, value in document.items() if name != "Alias"}
    return {**kept, "Regions": sorted(document["Regions"], key=_bucket_name)}


def _bucket_name(region: Document) -> str:
    return str(region["Bucket"])


# --- how its policy merges -----------------------------------------------------------------------------------


PROPOSED = "Proposed"
"""Of a policy that is being established: the one that will be. The rest of the document is the one that counts yet."""


def put_policy(ours: Document, theirs: Document | None) -> Document:
    """Our statements beside the foreign ones of the policy that was proposed last.

    Raises:
        Refused: no statement would be left.
    """
    merged = put_statements(ours, _newest(theirs))
    if not merged["Statement"]:
        raise Refused(
            "no statement of its policy would be left, and S3 has no call that deletes the policy of an access point. "
            "Keep one, for example one that denies what nobody should do."
        )
    return merged


def take_policy(ours: Document, theirs: Document | None) -> Document | None:
    """The foreign statements; the last one stays, since the policy goes with its access point only."""
    return take_all_but_last(ours, _newest(theirs))


def _newest(policy: Document | None) -> Document | None:
    return None if policy is None else policy.get(PROPOSED, policy)


def canonical_access_policy(policy: Document) -> Document:
    """Both policies in the one form that all policies of the same meaning share."""
    if PROPOSED not in policy:
        return canonical_policy(policy)
    established = {name: value for name, value in policy.items() if name != PROPOSED}
    return {**canonical_policy(established), PROPOSED: canonical_policy(policy[PROPOSED])}
