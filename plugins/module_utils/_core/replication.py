# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The documents that a pair wishes: buckets, versioning, one role per direction, policies, and the rules.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .drill_names import denial_sid
from .kinds import KINDS
from .merging import owner_tags, statements_of
from .model import GLOBAL, Account, Accounts, Address, Direction, Document, End, InvalidInput, Link, Pair, is_seen
from .plan import Observed, Wish
from .policies import (
    VERSION,
    delegates_to_iam,
    destination_statements,
    key_policy_statement,
    key_uses,
    role_policy,
    statement_id,
    trust_policy,
)
from .rules import check_size, rule_document

ROLE_POLICY_NAME = "s3-dr-replication"
GAP_FROM, GAP_UNTIL = "s3-dr-gap-from", "s3-dr-gap-until"
"""Tags of a role: the time in which its direction was paused, so that a backfill can close the gap. ISO 8601, UTC."""


_POLICIES = ("bucket_policy", "kms_key_policy")


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to become of a pair.

    Attributes:
        paused: whether our rules are to be disabled.
        purge: whether rules that are not ours are removed.
        now: the time, ISO 8601 in UTC, at which a pause begins.
        until: the time at which it is over for certain, since its end is written before the rules are enabled.
    """

    paused: bool = False
    purge: bool = False
    now: str = ""
    until: str = ""


def bucket_address(end: End, accounts: Accounts, kind: str = "bucket") -> Address:
    """The address of an end's bucket, or of another document of that bucket."""
    return Address(kind, end.bucket, end.region, accounts[end.bucket].id)


def role_arn(link: Link, accounts: Accounts) -> str:
    """The ARN of the role of this direction, the user's own or ours, known before it exists."""
    if link.source.replication_role_arn:
        return link.source.replication_role_arn
    account = accounts[link.source.bucket]
    return f"arn:{account.partition}:iam::{account.id}:role{link.roles.path}{link.role_name}"


def role_address(link: Link, accounts: Accounts, kind: str = "iam_role") -> Address:
    """The address of the role of this direction, or of its policy."""
    name = role_arn(link, accounts).rsplit("/", 1)[1]
    if kind == "iam_role_policy":
        name = f"{name}/{ROLE_POLICY_NAME}"
    return Address(kind, name, GLOBAL, accounts[link.source.bucket].id)


# --- what is wished ------------------------------------------------------------------------------------------


def pair_wish(pair: Pair, accounts: Accounts, observed: Observed, intent: Intent = Intent()) -> dict[Address, Document]:
    """Everything that must hold for the pair to replicate, as far as the task has credentials for it.

    Args:
        observed: what AWS holds for all addresses of `pair_addresses`.
    """
    wish: dict[Address, Document] = {}
    for end in pair.ends():
        if accounts[end.bucket].ours:
            wish.update(_end_wish(end, accounts))
    for link in pair.links():
        wish.update(_link_wish(link, accounts, observed, intent))
    statements = _statements(pair.links(), accounts, observed)
    wish.update({address: _policy(found) for address, found in statements.items() if _may_merge(address, observed)})
    return wish


def statements_owed(pair: Pair, accounts: Accounts, observed: Observed) -> list[dict[str, Any]]:
    """What somebody else must allow, since these credentials may not: one entry for each policy.

    Each has `kind`, `name`, `region`, `account` and `statements`.
    """
    owed = [
        (address, found)
        for address, found in sorted(_statements(pair.links(), accounts, observed).items())
        if not _may_merge(address, observed)
    ]
    for link in pair.links():
        if link.source.replication_role_arn:
            policy = role_policy(link, accounts, object_lock=_has_object_lock(link.source, accounts, observed))
            owed.append((role_address(link, accounts), list(policy["Statement"])))
    return [
        {
            "kind": address.kind,
            "name": address.name,
            "region": address.region,
            "account": address.account,
            "statements": statements,
        }
        for address, statements in owed
    ]


def _end_wish(end: End, accounts: Accounts) -> dict[Address, Document]:
    wish: dict[Address, Document] = {
        bucket_address(end, accounts): {"Region": end.region},
        bucket_address(end, accounts, "bucket_versioning"): {"Status": "Enabled"},
    }
    if end.object_lock:
        wish[bucket_address(end, accounts, "bucket_object_lock")] = {"ObjectLockEnabled": "Enabled"}
    return wish


def _link_wish(link: Link, accounts: Accounts, observed: Observed, intent: Intent) -> dict[Address, Document]:
    at = bucket_address(link.source, accounts, "bucket_replication")
    replication: dict[str, Any] = _replication(link, accounts)
    if intent.paused:
        replication["Rules"] = [{**rule, "Status": "Disabled"} for rule in replication["Rules"]]
    if intent.purge:
        targets = {(rule["ID"], rule["Destination"]["Bucket"]) for rule in replication["Rules"]}
        there = (observed.get(at) or {"Rules": []})["Rules"]
        replication["Removed"] = [r["ID"] for r in there if (r["ID"], r["Destination"]["Bucket"]) not in targets]
    wish: dict[Address, Document] = {at: replication}
    if link.source.replication_role_arn is None:
        role = role_address(link, accounts)
        wish[role] = _role_document(link, _gap(link, observed.get(role), observed.get(at), intent))
        wish[role_address(link, accounts, "iam_role_policy")] = role_policy(
            link, accounts, object_lock=_has_object_lock(link.source, accounts, observed)
        )
    return wish


def _replication(link: Link, accounts: Accounts) -> dict[str, Any]:
    rules = [rule_document(rule, link, accounts) for rule in link.rules]
    replication = {"Role": role_arn(link, accounts), "Rules": rules}
    check_size(replication, link.source.bucket)
    return replication


def foreign_rules(link: Link, accounts: Accounts, observed: Observed) -> list[Document]:
    """The rules of the link's source that are not this pair's."""
    there = observed.get(bucket_address(link.source, accounts, "bucket_replication")) or {"Rules": []}
    ours = {rule.id for rule in link.rules}
    return [rule for rule in there["Rules"] if rule.get("ID") not in ours]


def _has_object_lock(end: End, accounts: Accounts, observed: Observed) -> bool:
    lock = observed.get(bucket_address(end, accounts, "bucket_object_lock"))
    return end.object_lock or (lock or {}).get("ObjectLockEnabled") == "Enabled"


def _gap(link: Link, role: Document | None, there: Document | None, intent: Intent) -> dict[str, str]:
    """The tags that say from when to when a direction was paused. An open gap has an empty end.

    A gap that nobody has closed by a backfill yet grows: its first beginning stays. It ends when a rule is enabled; if
    a run wrote the end and could not enable the rules, the next one writes a new end.
    """
    tags = (role or {}).get("Tags", {})
    since, until = tags.get(GAP_FROM, ""), tags.get(GAP_UNTIL, "")
    if intent.paused:
        return {GAP_FROM: since or intent.now, GAP_UNTIL: ""}
    if not since:
        return {}
    if not any(rule.enabled for rule in link.rules):
        return {GAP_FROM: since, GAP_UNTIL: ""}
    resumed = bool(_enabled_by_this_run(link, there))
    return {GAP_FROM: since, GAP_UNTIL: (intent.until or intent.now) if resumed or not until else until}


def _enabled_by_this_run(link: Link, there: Document | None) -> list[str]:
    """The rules that are to be enabled and that AWS holds as disabled."""
    disabled = {rule.get("ID") for rule in (there or {"Rules": []})["Rules"] if rule["Status"] == "Disabled"}
    return [rule.id for rule in link.rules if rule.enabled and rule.id in disabled]


def _role_document(link: Link, gap: Mapping[str, str]) -> Document:
    boundary = link.roles.permissions_boundary
    return {
        "Path": link.roles.path,
        "Description": f"S3 replicates {link.source.bucket} to {link.destination.bucket} as this role.",
        "AssumeRolePolicyDocument": trust_policy(),
        "Tags": {**dict(link.roles.tags), **owner_tags(**{"s3-dr-pair": link.pair}), **gap},
        **({"PermissionsBoundary": boundary} if boundary else {}),
    }


# --- statements in policies of buckets and keys --------------------------------------------------------------


def _statements(links: Iterable[Link], accounts: Accounts, observed: Observed) -> dict[Address, list[Document]]:
    """What the policies of destination buckets and of keys must allow the links' roles, whoever may write them."""
    statements: dict[Address, list[Document]] = {}
    for link in links:
        for address, statement in _link_statements(link, accounts):
            if address.kind == "kms_key_policy" and _is_delegated(address, link, accounts, observed):
                continue
            statements.setdefault(address, []).append(statement)
    return statements


def _link_statements(link: Link, accounts: Accounts) -> Iterator[tuple[Address, Document]]:
    role, source = role_arn(link, accounts), accounts[link.source.bucket]
    for end in {end.bucket: end for end in link.destinations()}.values():
        if accounts[end.bucket].id != source.id:
            for statement in destination_statements(end, link, role, accounts):
                yield bucket_address(end, accounts, "bucket_policy"), statement
    for use in key_uses(link):
        key, statement = key_policy_statement(use, link, role, accounts)
        yield key_address(key, "kms_key_policy"), statement


def key_address(key: str, kind: str = "kms_key") -> Address:
    """The address of a KMS key, or of its policy."""
    _arn, _partition, _service, region, account, _resource = key.split(":", 5)
    return Address(kind, key, region, account)


def _is_delegated(address: Address, link: Link, accounts: Accounts, observed: Observed) -> bool:
    """Within one account a key's policy usually leaves the decision to IAM, where the role has its permission."""
    policy = observed.get(address)
    account = accounts[link.source.bucket].id
    if account != address.account:
        return False
    return not is_seen(policy) or delegates_to_iam(policy, account)


def _policy(statements: list[Document]) -> Document:
    return {"Version": VERSION, "Statement": statements}


def _may_merge(address: Address, observed: Observed) -> bool:
    return address in observed and is_seen(observed[address])


# --- what is read --------------------------------------------------------------------------------------------


def pair_addresses(pair: Pair, accounts: Accounts) -> list[Address]:
    """All documents that a pair may wish or want removed, in accounts of which the task has credentials."""
    addresses: dict[Address, None] = {}
    for end in pair.ends():
        if accounts[end.bucket].ours:
            kinds = ("bucket", "bucket_versioning", "bucket_object_lock", "bucket_policy")
            addresses.update(dict.fromkeys(bucket_address(end, accounts, kind) for kind in kinds))
    ours = {account.id for account in accounts.values() if account.ours}
    for link in pair.both_links():
        if accounts[link.source.bucket].ours:
            addresses[bucket_address(link.source, accounts, "bucket_replication")] = None
            addresses[role_address(link, accounts)] = None
            if link.source.replication_role_arn is None:
                addresses[role_address(link, accounts, "iam_role_policy")] = None
        ends = (link.source, *link.destinations())
        keys = [key_address(key, "kms_key_policy") for end in ends for key in end.kms_keys()]
        addresses.update(dict.fromkeys(key for key in keys if key.account in ours))
    return list(addresses)


def optional_addresses(addresses: Iterable[Address]) -> list[Address]:
    """Those that the credentials need not be allowed to read: without them somebody else is told what to allow."""
    return [address for address in addresses if address.kind in _POLICIES]


# --- what is unwanted ----------------------------------------------------------------------------------------


def leftovers(pair: Pair, accounts: Accounts, observed: Observed) -> dict[Address, Document]:
    """What is the pair's and no longer wished.

    That is the way back of a one-way pair, from a time when it was two-way, and statements for keys and buckets that it
    uses no more. What a drill of the alarms denies for a while is the drill's to remove: it may run at this moment.
    """
    wish: dict[Address, Document] = {}
    if pair.direction is Direction.ONE_WAY:
        wish = _link_removal(pair.both_links()[1], accounts)
    wanted = _statements(pair.links(), accounts, observed)
    drilled = {denial_sid(link) for link in pair.both_links()}
    return {**wish, **_our_statements(pair, observed, wanted, drilled)}


def pair_removal_wish(
    pair: Pair, accounts: Accounts, observed: Observed, delete_buckets: Iterable[str] = ()
) -> dict[Address, Document]:
    """What of the pair is taken away: rules and roles of both directions, and the buckets named. Others stay."""
    wish = _our_statements(pair, observed, {})
    for link in pair.both_links():
        wish.update(_link_removal(link, accounts))
    for end in pair.ends():
        if end.bucket in delete_buckets:
            wish.update(bucket_deletion_wish(end, accounts))
    return wish


def _link_removal(link: Link, accounts: Accounts) -> dict[Address, Document]:
    if not accounts[link.source.bucket].ours:
        return {}
    wish: dict[Address, Document] = {
        bucket_address(link.source, accounts, "bucket_replication"): _replication(link, accounts)
    }
    if link.source.replication_role_arn is None:
        wish[role_address(link, accounts)] = _role_document(link, {})
        wish[role_address(link, accounts, "iam_role_policy")] = role_policy(link, accounts)
    return wish


def _our_statements(
    pair: Pair, observed: Observed, wanted: Mapping[Address, Iterable[Document]], others: Iterable[str] = ()
) -> dict[Address, Document]:
    """The statements that this pair once put into policies of buckets and keys, known by their Sid, but the wanted.

    Args:
        others: Sids that are not asked for.
    """
    beginnings = tuple(statement_id(link, "") for link in pair.both_links())
    found = {}
    for address, policy in observed.items():
        if address.kind in _POLICIES and policy is not None and is_seen(policy):
            kept = {*others, *(statement["Sid"] for statement in wanted.get(address, ()))}
            ours = [
                statement
                for statement in statements_of(policy)
                if str(statement.get("Sid", "")).startswith(beginnings) and statement["Sid"] not in kept
            ]
            if ours:
                found[address] = _policy(ours)
    return found


def without_overlap(wish: Wish, unwanted: Wish) -> tuple[dict[Address, Document], dict[Address, Document]]:
    """The two wishes with no address in both: of one document, what is unwanted is removed by the step that puts ours.

    Only policies of buckets and keys can be in both.
    """
    build = dict(wish)
    for address in wish.keys() & unwanted.keys():
        build[address] = {**wish[address], "Removed": [one["Sid"] for one in unwanted[address]["Statement"]]}
    return build, {address: ours for address, ours in unwanted.items() if address not in wish}


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
    leaving = {address.name for address in unwanted if address.kind == "iam_role"}
    return [
        f"The role {role} stays: bucket {bucket} has rules that are not this pair's and replicate as it."
        for role, bucket in _roles_in_use(unwanted, observed).items()
        if role in leaving
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


def bucket_deletion_wish(end: End, accounts: Accounts) -> dict[Address, Document]:
    """A bucket and everything in it: versions, delete markers, unfinished multipart uploads."""
    return {
        bucket_address(end, accounts): {"Region": end.region},
        bucket_address(end, accounts, "bucket_contents"): {},
    }


# --- what a person should know -------------------------------------------------------------------------------


def check_buckets(
    ends: Iterable[End], accounts: Accounts, observed: Observed, *, create: bool, option: str = "create_buckets"
) -> None:
    """Refuse what a plan could not make right: a bucket in another Region, or none where none may be created.

    Args:
        option: the user's option that allows to create buckets.

    Raises:
        InvalidInput: names every bucket that is wrong.
    """
    problems = []
    for end in ends:
        if not accounts[end.bucket].ours:
            continue
        bucket = observed[bucket_address(end, accounts)]
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


def notes(wish: Wish, observed: Observed) -> list[str]:
    """What a person should know after the change, one sentence each."""
    said = []
    newly_versioned = sorted(
        address.name
        for address in wish
        if address.kind == "bucket_versioning" and (observed[address] or {}).get("Status") != "Enabled"
    )
    if newly_versioned:
        said.append(
            f"Versioning is new on {', '.join(newly_versioned)}: AWS advises to wait 15 minutes before writing objects."
        )
    for address, ours in wish.items():
        before = observed[address] if address.kind == "bucket_replication" else None
        if before and before["Role"] != ours["Role"]:
            said.append(
                f"{address.name} replicated as {before['Role']} and is to replicate as {ours['Role']}. The other role "
                "stays: delete it if nobody needs it."
            )
    return said


def enabled_again_notes(pair: Pair, accounts: Accounts, observed: Observed) -> list[str]:
    """One sentence for each direction with rules that somebody had disabled, so that nothing records since when."""
    said = []
    for link in pair.links():
        role = observed.get(role_address(link, accounts)) or {}
        again = _enabled_by_this_run(link, observed.get(bucket_address(link.source, accounts, "bucket_replication")))
        if again and not role.get("Tags", {}).get(GAP_FROM):
            said.append(
                f"{link.source.bucket}: {', '.join(again)} was disabled, and nothing records since when. What was "
                "written meanwhile stays behind until it is backfilled by S3 Batch Replication."
            )
    return said


def beyond_reach_notes(pair: Pair, accounts: Accounts) -> list[str]:
    """One sentence for each end of which nothing could be removed, for want of credentials."""
    beginnings = " or ".join(sorted({statement_id(link, "") for link in pair.both_links()}))
    return [
        f"Nothing was removed at {end.bucket}: this task has no credentials of account {accounts[end.bucket].id}. "
        f"Let its owner take out the statements of bucket and key policies whose Sid begins with {beginnings}."
        for end in pair.ends()
        if not accounts[end.bucket].ours
    ]


def unrecorded_pauses(pair: Pair) -> list[str]:
    """One sentence for each direction of which no role of ours can keep the time of the pause."""
    return [
        f"{link.source.replication_role_arn} is not this pair's role, so nothing records since when "
        f"{link.source.bucket} is paused: note the time, a backfill will need it."
        for link in pair.links()
        if link.source.replication_role_arn
    ]


def object_lock_newly(wish: Wish, observed: Observed) -> list[str]:
    """The existing buckets on which Object Lock would be enabled, which nobody can undo."""
    existing = {address.name for address in wish if address.kind == "bucket" and observed[address] is not None}
    return sorted(
        address.name
        for address in wish
        if address.kind == "bucket_object_lock" and observed[address] is None and address.name in existing
    )


def gaps(pair: Pair, accounts: Accounts, world: Observed) -> list[dict[str, str | None]]:
    """The times in which a direction was paused, and that no backfill has closed yet.

    Each has `source`, `destination`, `from` and `until`; `until` is None while it is paused.
    """
    found: list[dict[str, str | None]] = []
    for link in pair.links():
        tags = (world.get(role_address(link, accounts)) or {}).get("Tags", {})
        if tags.get(GAP_FROM):
            gap = {"source": link.source.bucket, "from": tags[GAP_FROM], "until": tags.get(GAP_UNTIL) or None}
            buckets = dict.fromkeys(end.bucket for end in link.destinations())
            found += [{**gap, "destination": bucket} for bucket in buckets]
    return found


def gap_notes(found: Iterable[Mapping[str, str | None]]) -> list[str]:
    """One sentence for each of these gaps."""
    return [
        f"{gap['source']} was not replicated to {gap['destination']} from {gap['from']} "
        + (f"until {gap['until']}" if gap["until"] else "on, and still is not")
        + ": what was written in that time stays behind until it is backfilled by S3 Batch Replication."
        for gap in found
    ]


def one_account(account: Account, *ends: End) -> dict[str, Account]:
    """The accounts of ends that are all of one account."""
    return {end.bucket: account for end in ends}
