# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What cannot be right about a declared pair, beyond its single values: found before AWS is asked for anything.

Sources: S3 User Guide, "Troubleshooting replication", "Requirements and considerations for replication",
"Replicating encrypted objects", "Changing the replica owner".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from .model import Accounts, Direction, End, InvalidInput, Link, Observation, Pair, Rule
from .rules import selects_kms_objects


def check_declaration(pair: Pair) -> None:
    """Refuse what AWS would refuse, or would accept and never do.

    Raises:
        InvalidInput: names the rule, the reason, and what to write instead.
    """
    for rule in pair.rules:
        _check_destination(pair, rule)
        _check_regions(pair, rule)
    _check_further_buckets(pair)
    for link in pair.links():
        for rule in link.rules:
            _check_kms(rule, link)


def _check_destination(pair: Pair, rule: Rule) -> None:
    end = rule.destination
    if end is None:
        return
    if end.bucket == pair.primary.bucket:
        raise InvalidInput(
            f"rule '{rule.id}': its destination is '{end.bucket}', the bucket that it replicates from. Leave "
            "`destination.bucket` out; settings for the way back stand in `primary`."
        )
    if end.bucket == pair.dr.bucket and end.region != pair.dr.region:
        raise InvalidInput(
            f"rule '{rule.id}': bucket '{end.bucket}' is in {pair.dr.region} according to `dr`, and in {end.region} "
            "according to the rule's `destination`. Leave the rule's `destination.region` out."
        )
    if end.region == pair.primary.region and not pair.allow_same_region:
        raise InvalidInput(
            f"rule '{rule.id}': its destination '{end.bucket}' is in {end.region}, as the source is, so the loss of "
            "that Region loses both. Choose another Region, or set `allow_same_region: true` if this is meant."
        )


def _check_regions(pair: Pair, rule: Rule) -> None:
    for end in (pair.primary, pair.dr, rule.destination):
        if end and end.region.startswith("us-gov-") and rule.observation is Observation.METRICS_AND_RTC:
            raise InvalidInput(
                f"rule '{rule.id}': S3 has no replication time control in {end.region}. Write `observation: metrics`."
            )


def _check_further_buckets(pair: Pair) -> None:
    """A bucket that several rules name is one bucket, whatever its storage class and key are for each of them."""
    for rule in pair.rules:
        for end in pair.ends():
            if rule.destination and rule.destination.bucket == end.bucket and _place(rule.destination) != _place(end):
                raise InvalidInput(
                    f"rule '{rule.id}': bucket '{end.bucket}' is described differently elsewhere in this pair. Its "
                    "`region`, `account_id` and `object_lock` must be the same wherever it is named."
                )


def _place(end: End) -> tuple[object, ...]:
    return (end.region, end.account_id, end.object_lock)


def _check_kms(rule: Rule, link: Link) -> None:
    destination = link.destination_of(rule)
    if selects_kms_objects(rule, destination) and destination.kms_key_arn is None:
        raise InvalidInput(
            f"rule '{rule.id}': `kms_objects` is true, and no key is named for the replicas in "
            f"'{destination.bucket}'. S3 takes one only with the other: add `kms_key_arn`, a key in "
            f"{destination.region}, to that end."
        )
    if selects_kms_objects(rule, destination) and not link.source.kms_keys():
        raise InvalidInput(
            f"rule '{rule.id}': objects encrypted with KMS are to replicate, and no key of the source "
            f"'{link.source.bucket}' is named, so the role could not decrypt them. Add `kms_key_arn` or "
            "`more_kms_key_arns` to that end, or write `kms_objects: false`."
        )


def check_accounts(pair: Pair, accounts: Accounts) -> None:
    """Refuse what the accounts of the ends, known only now, make impossible. Still before anything is changed.

    Raises:
        InvalidInput: names the bucket or rule, the reason, and what to write instead.
    """
    partitions = {accounts[end.bucket].partition for end in pair.ends()}
    if len(partitions) > 1:
        raise InvalidInput(
            f"pair '{pair.name}': its buckets are in the partitions {', '.join(sorted(partitions))}, and S3 does not "
            "replicate between partitions. Choose buckets of one."
        )
    for link in pair.links():
        source = accounts[link.source.bucket]
        if not source.ours:
            raise InvalidInput(
                f"bucket '{link.source.bucket}' belongs to account {source.id}, and this task has no credentials of "
                "it, which setting a bucket's replication needs. Give that end `profile` or `assume_role_arn`"
                + (", or set `direction: one_way`." if pair.direction is Direction.TWO_WAY else ".")
            )
        role = link.source.replication_role_arn
        if role and role.split(":")[4] != source.id:
            raise InvalidInput(
                f"bucket '{link.source.bucket}': the role {role} is of another account than {source.id}, and AWS "
                "does not pass roles between accounts. Name a role of the bucket's account."
            )
        for rule in link.rules:
            _check_owner_override(rule, link, accounts)


def _check_owner_override(rule: Rule, link: Link, accounts: Accounts) -> None:
    destination = link.destination_of(rule)
    if rule.owner_override and accounts[destination.bucket].id == accounts[link.source.bucket].id:
        raise InvalidInput(
            f"rule '{rule.id}': `owner_override` gives replicas to another account, and '{destination.bucket}' "
            "belongs to the same one as the source. Leave `owner_override` out."
        )
