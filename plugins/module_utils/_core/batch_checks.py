# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What must hold before a Batch Replication job is made, and which times without replication it has made good.

Source: S3 User Guide, "Replicating existing objects with Batch Replication": the source needs an enabled rule.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .batch_selection import Sorting
from .model import Accounts, Address, Direction, Document, End, InvalidInput, Link, Pair, Refused, is_seen
from .plan import Observed
from .replication import GAP_FROM, GAP_UNTIL, bucket_address, one_account, role_address
from .rules import bucket_arn
from .scopes import scope_addresses

# --- what is declared ----------------------------------------------------------------------------------------


def link_from(pair: Pair, source: End) -> Link:
    """The direction in which versions of the source replicate.

    Raises:
        InvalidInput: the pair has no such direction.
    """
    forward, back = pair.both_links()
    if source.bucket == pair.primary.bucket:
        return forward
    if pair.direction is Direction.ONE_WAY:
        raise InvalidInput(
            f"pair '{pair.name}': it replicates one way, so S3 brings nothing from {pair.dr.bucket} back. Set "
            "`direction: two_way`, run setup.yml, then backfill from `dr`."
        )
    return back


def destination_from(link: Link, bucket: str | None) -> End:
    """The bucket that lacks versions: the other end, or a further one to which a rule leads.

    Raises:
        InvalidInput: no rule of the pair leads there.
    """
    found = {end.bucket: end for end in (*link.destinations(), link.destination)}
    if bucket is not None and bucket not in found:
        raise InvalidInput(
            f"pair '{link.pair}': no rule leads from {link.source.bucket} to '{bucket}'. Name one of "
            f"{', '.join(sorted(found))} as `destination`, or leave it out."
        )
    return found[bucket or link.destination.bucket]


def further_ends(link: Link, destination: End) -> tuple[End, ...]:
    """One end of each other bucket to which a job may write, too, since it works by all rules of its source."""
    return tuple({end.bucket: end for end in link.destinations() if end.bucket != destination.bucket}.values())


def check_places(link: Link, destination: End, accounts: Accounts, recovery_bucket: str) -> None:
    """Refuse places in which a job cannot be, or must not leave its papers.

    Raises:
        InvalidInput: says which place is wrong.
    """
    if not accounts[link.source.bucket].ours:
        raise InvalidInput(
            f"pair '{link.pair}': this task has no credentials of account {accounts[link.source.bucket].id}, to which "
            f"{link.source.bucket} belongs, and a job is made there. Give that end `profile` or `assume_role_arn`."
        )
    if recovery_bucket in (link.source.bucket, destination.bucket):
        raise InvalidInput(
            f"recovery bucket '{recovery_bucket}': it is a bucket of the pair '{link.pair}', so reports would be "
            "replicated, too. Name another one."
        )


# --- what AWS holds ------------------------------------------------------------------------------------------


def needed_addresses(link: Link, accounts: Accounts, recovery_bucket: str) -> list[Address]:
    """What must be readable."""
    return [
        bucket_address(link.source, accounts, "bucket_replication"),
        _of_recovery_bucket("bucket", link, accounts, recovery_bucket),
        _of_recovery_bucket("bucket_encryption", link, accounts, recovery_bucket),
    ]


def _of_recovery_bucket(kind: str, link: Link, accounts: Accounts, recovery_bucket: str) -> Address:
    papers = End(recovery_bucket, link.source.region)
    return bucket_address(papers, one_account(accounts[link.source.bucket], papers), kind)


def useful_addresses(pair: Pair, link: Link, accounts: Accounts, recovery_bucket: str) -> list[Address]:
    """What explains why versions are missing, as far as it may be read."""
    needed = needed_addresses(link, accounts, recovery_bucket)
    found = []
    for one in pair.links():
        if accounts[one.source.bucket].ours:
            found += [bucket_address(one.source, accounts, "bucket_replication"), role_address(one, accounts)]
    ours = [end for end in pair.ends() if accounts[end.bucket].ours]
    found += [bucket_address(end, accounts, "bucket_object_lock") for end in ours]
    return [address for address in dict.fromkeys([*found, *scope_addresses(pair, accounts)]) if address not in needed]


def check_ready(link: Link, destination: End, accounts: Accounts, observed: Observed, recovery_bucket: str) -> None:
    """Refuse what no job could do.

    Raises:
        Refused: names what is missing and the playbook that makes it.
    """
    way = f"pair '{link.pair}': {link.source.bucket} to {destination.bucket}"
    there = observed[bucket_address(link.source, accounts, "bucket_replication")]
    target = bucket_arn(destination, accounts[destination.bucket].partition)
    wanted = {rule.id for rule in link.rules if link.destination_of(rule).bucket == destination.bucket}
    rules = [rule for rule in (there or {"Rules": []})["Rules"] if rule.get("ID") in wanted]
    leading = [rule for rule in rules if rule["Destination"]["Bucket"] == target]
    if not leading:
        raise Refused(
            f"{way}: replication is not set up, and Batch Replication works by its rules. Run setup.yml, then again."
        )
    if not any(rule["Status"] == "Enabled" for rule in leading):
        names = ", ".join(str(rule["ID"]) for rule in leading)
        raise Refused(
            f"{way}: {names} is disabled, and Batch Replication works by enabled rules. Run setup.yml, which enables "
            "what the pair declares, then again."
        )
    if observed[_of_recovery_bucket("bucket", link, accounts, recovery_bucket)] is None:
        raise Refused(
            f"{way}: there is no recovery bucket '{recovery_bucket}' in {link.source.region} for the papers of a job. "
            "Run setup.yml, which makes it, then again."
        )


def recovery_key(link: Link, accounts: Accounts, observed: Observed, recovery_bucket: str) -> str | None:
    """The KMS key by which the recovery bucket encrypts; None: it does so by S3's own."""
    document = observed[_of_recovery_bucket("bucket_encryption", link, accounts, recovery_bucket)] or {"Rules": []}
    keys = (rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for rule in document["Rules"])
    return next((str(key) for key in keys if key), None)


# --- times without replication -------------------------------------------------------------------------------


def gap_of(link: Link, accounts: Accounts, observed: Observed) -> tuple[str, str] | None:
    """From when to when the direction was paused; the end may be empty. None: it was not, or nobody knows."""
    role = observed.get(role_address(link, accounts))
    tags: Mapping[str, str] = (role or {}).get("Tags", {}) if is_seen(role) else {}
    return (tags[GAP_FROM], tags.get(GAP_UNTIL, "")) if tags.get(GAP_FROM) else None


def why_gap_stays(link: Link, gap: tuple[str, str], seen: Sorting, until: datetime) -> str | None:
    """Why what was written in a pause cannot be said to be there; None: it is there.

    Args:
        seen: what the destination was found to lack after the job.
        until: the last moment of which every version was looked at, by AWS's clock.
    """
    if not seen.selection.is_whole:
        return "this run looked at a part of the versions only: backfill by `select: filter` without narrowing it"
    if len({end.bucket for end in link.destinations()}) > 1:
        return "the direction has further destinations: backfill each of them, then let a verify tell"
    end = _moment(gap[1])
    if end is None:
        return "it has no end yet: run setup.yml"
    if end > until:
        return f"its end is written as {gap[1]}, when the rules were surely in force again: run again after that"
    if seen.rule_was_off:
        return f"{seen.rule_was_off} versions from that time, or of which that is not known, are still missing"
    return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def closing_wish(link: Link, accounts: Accounts, observed: Observed) -> dict[Address, Document]:
    """The replication role with the gap's tags empty. A tag without a value says the same as none."""
    at = role_address(link, accounts)
    role: dict[str, Any] = dict(observed[at] or {})
    return {at: {**role, "Tags": {**role["Tags"], GAP_FROM: "", GAP_UNTIL: ""}}}


# --- the job beside the steps of the plan --------------------------------------------------------------------


def job_step(at: Address, job: Document) -> dict[str, Any]:
    """The making of a job, told as a step of a plan is."""
    return {
        "action": "create",
        "kind": "batch_job",
        "name": at.name,
        "region": at.region,
        "account": at.account,
        "before": None,
        "after": job,
    }


def job_diff(at: Address, job: Document) -> dict[str, Any]:
    """The same as a diff."""
    return {"before_header": str(at), "after_header": str(at), "before": "", "after": job}
