# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The documents that a pair wishes: buckets, versioning, one role per direction, and the rules.

Sources: S3 User Guide, "Setting up permissions for live replication" (role), "Replication configuration file
elements" (rules), "Using S3 Replication metrics" and "S3 Replication Time Control" (observation).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .kinds import KINDS, owner_tags
from .model import GLOBAL, Account, Address, Direction, Document, End, InvalidInput, Link, Observation, Pair, Rule
from .plan import Observed, Wish

ROLE_POLICY_NAME = "s3-dr-replication"


def bucket_arn(end: End, partition: str) -> str:
    """The ARN of an end's bucket."""
    return f"arn:{partition}:s3:::{end.bucket}"


def role_arn(link: Link, account: Account) -> str:
    """The ARN that the role of this direction has, known before it exists."""
    return f"arn:{account.partition}:iam::{account.id}:role/{link.role_name}"


def pair_wish(pair: Pair, account: Account) -> dict[Address, Document]:
    """Everything that must hold for the pair to replicate."""
    wish: dict[Address, Document] = {}
    for end in pair.ends():
        wish[bucket_address(end, account)] = {"Region": end.region}
        wish[Address("bucket_versioning", end.bucket, end.region, account.id)] = {"Status": "Enabled"}
    for link in pair.links():
        wish.update(_link_wish(link, account))
    return wish


def unwanted_direction(pair: Pair, account: Account) -> dict[Address, Document]:
    """What a one-way pair may still hold from a time when it was two-way."""
    if pair.direction is Direction.TWO_WAY:
        return {}
    return _link_wish(pair.both_links()[1], account)


def pair_removal_wish(pair: Pair, account: Account, delete_buckets: Iterable[str] = ()) -> dict[Address, Document]:
    """What of the pair is taken away: rules and roles of both directions, and the buckets named. Others stay."""
    wish: dict[Address, Document] = {}
    for link in pair.both_links():
        wish.update(_link_wish(link, account))
    for end in pair.ends():
        if end.bucket in delete_buckets:
            wish.update(bucket_deletion_wish(end, account))
    return wish


def without_roles_in_use(unwanted: Wish, observed: Observed) -> dict[Address, Document]:
    """Leave out the roles as which rules replicate that are not ours and stay: they would fail without them."""
    in_use = set(_roles_in_use(unwanted, observed))
    return {
        address: document
        for address, document in unwanted.items()
        if not (address.region == GLOBAL and address.name.split("/")[0] in in_use)
    }


def roles_kept_notes(unwanted: Wish, observed: Observed) -> list[str]:
    """One sentence for each role that stays for the sake of foreign rules."""
    return [
        f"The role {role} stays: bucket {bucket} has rules that are not this pair's and replicate as it."
        for role, bucket in _roles_in_use(unwanted, observed).items()
    ]


def _roles_in_use(unwanted: Wish, observed: Observed) -> dict[str, str]:
    """The names of our roles that foreign rules use, and the bucket of those rules."""
    in_use = {}
    for address, ours in unwanted.items():
        if address.kind == "bucket_replication":
            rest = KINDS[address.kind].take(ours, observed[address])
            if rest is not None and rest["Role"] == ours["Role"]:
                in_use[ours["Role"].rsplit("/", 1)[1]] = address.name
    return in_use


def bucket_deletion_wish(end: End, account: Account) -> dict[Address, Document]:
    """A bucket and everything in it: versions, delete markers, unfinished multipart uploads."""
    return {
        bucket_address(end, account): {"Region": end.region},
        Address("bucket_contents", end.bucket, end.region, account.id): {},
    }


def bucket_address(end: End, account: Account) -> Address:
    """The address of an end's bucket."""
    return Address("bucket", end.bucket, end.region, account.id)


def _link_wish(link: Link, account: Account) -> dict[Address, Document]:
    role = link.role_name
    replication: Document = {
        "Role": role_arn(link, account),
        "Rules": [rule_document(rule, link, account.partition) for rule in link.rules],
    }
    return {
        Address("iam_role", role, GLOBAL, account.id): _role_document(link),
        Address("iam_role_policy", f"{role}/{ROLE_POLICY_NAME}", GLOBAL, account.id): role_policy(
            link, account.partition
        ),
        Address("bucket_replication", link.source.bucket, link.source.region, account.id): replication,
    }


def rule_document(rule: Rule, link: Link, partition: str) -> Document:
    """The rule in S3's V2 schema, in which Filter, Priority and DeleteMarkerReplication stand together."""
    document: dict[str, Any] = {
        "ID": rule.id,
        "Priority": rule.priority,
        "Status": _status(rule.enabled),
        "Filter": {"Prefix": rule.prefix},
        "DeleteMarkerReplication": {"Status": _status(rule.delete_markers)},
        "Destination": {"Bucket": bucket_arn(link.destination, partition), **_observation(rule.observation)},
    }
    if link.destination.storage_class:
        document["Destination"]["StorageClass"] = link.destination.storage_class
    if link.two_way:  # else a change of a replica's tags or ACL at one end never reaches the other
        document["SourceSelectionCriteria"] = {"ReplicaModifications": {"Status": "Enabled"}}
    return document


def _status(enabled: bool) -> str:
    return "Enabled" if enabled else "Disabled"


def _observation(observation: Observation) -> dict[str, Any]:
    """Replication time control exists only with metrics, and 15 minutes is the only value that S3 takes."""
    if observation is Observation.NONE:
        return {}
    if observation is Observation.METRICS:
        return {"Metrics": {"Status": "Enabled"}}
    return {
        "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
        "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
    }


def _role_document(link: Link) -> Document:
    return {
        "Path": "/",
        "Description": f"S3 replicates {link.source.bucket} to {link.destination.bucket} as this role.",
        # No aws:SourceArn or aws:SourceAccount: AWS does not document that replication sends them, and a condition
        # on a key that is not sent would turn every object's replication into FAILED.
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "S3Replicates",
                    "Effect": "Allow",
                    "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        "Tags": owner_tags(**{"s3-dr-pair": link.pair}),
    }


def role_policy(link: Link, partition: str) -> Document:
    """The least that S3 needs to replicate from source to destination."""
    source, destination = bucket_arn(link.source, partition), bucket_arn(link.destination, partition)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadConfigurationOfSource",
                "Effect": "Allow",
                "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
                "Resource": [source],
            },
            {
                "Sid": "ReadVersionsOfSource",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObjectVersionAcl",
                    "s3:GetObjectVersionForReplication",
                    "s3:GetObjectVersionTagging",
                ],
                "Resource": [f"{source}/*"],
            },
            {
                "Sid": "WriteReplicasToDestination",
                "Effect": "Allow",
                "Action": ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"],
                "Resource": [f"{destination}/*"],
            },
        ],
    }


def check_buckets(
    ends: Iterable[End], account: Account, observed: Observed, *, create: bool, option: str = "create_buckets"
) -> None:
    """Refuse what a plan could not make right: a bucket in another Region, or none where none may be created.

    Args:
        option: the user's option that allows to create buckets.

    Raises:
        InvalidInput: names every bucket that is wrong.
    """
    problems = []
    for end in ends:
        bucket = observed[bucket_address(end, account)]
        if bucket is None and not create:
            problems.append(
                f"bucket '{end.bucket}' does not exist. Create it in {end.region}, or set `{option}: true`."
            )
        elif bucket is not None and bucket["Region"] != end.region:
            problems.append(
                f"bucket '{end.bucket}' is in {bucket['Region']}, not in {end.region} as declared. "
                "Correct the `region` of this end, or name another bucket."
            )
    if problems:
        raise InvalidInput(" ".join(problems))


def notes(steps_wish: Wish, observed: Observed) -> list[str]:
    """What a person should know after the change, one sentence each."""
    newly_versioned = sorted(
        address.name
        for address in steps_wish
        if address.kind == "bucket_versioning" and (observed[address] or {}).get("Status") != "Enabled"
    )
    if not newly_versioned:
        return []
    return [
        f"Versioning is new on {', '.join(newly_versioned)}: AWS advises to wait 15 minutes before writing objects."
    ]
