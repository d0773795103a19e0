# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The documents of the trail that records who wrote to the pairs' buckets, and of its log bucket.

A trail is ours, with a log bucket and all its settings, or somebody else's that is adopted: then only selectors are
put into it. Sources: CloudTrail User Guide, "Logging data events", "Quotas", "Multi-Region trails".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from .kinds import canonical
from .log_bucket import (
    LockMode,
    LogFiles,
    encryption,
    key_policy,
    leaving_statements,
    log_bucket_policy,
    log_prefix,
    trail_mark,
)
from .merging import is_ours, names_of, owner_tags, statements_of
from .model import KEY_ARN, UNSEEN, Account, Address, Document, End, InvalidInput, Refused, check_region, is_seen
from .plan import Observed, Wish
from .replication import bucket_address, bucket_deletion_wish, key_address, one_account
from .selectors import (
    MANAGEMENT,
    DataEvents,
    RecordedPair,
    advanced,
    check_not_recorded,
    check_recorded,
    is_a_pairs,
    management_is_ours,
    others,
    records_management,
    records_writes_to,
    selectors,
)

TRAILS_PER_REGION = 5
"""CloudTrail's limit, which AWS does not raise. A multi-Region trail counts in each Region."""

_TRAIL_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[A-Za-z0-9](?:[._-]?[A-Za-z0-9])+")


@dataclass(frozen=True, slots=True)
class Trail:
    """A multi-Region trail at home in `log_bucket`'s Region, with the pairs whose data events it records.

    Raises:
        InvalidInput: the declaration cannot be right; nothing was asked of AWS.
    """

    name: str
    log_bucket: End
    key_prefix: str
    pairs: tuple[RecordedPair, ...]
    data_events: DataEvents = DataEvents.WRITES
    log_files: LogFiles = field(default_factory=LogFiles)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.key_prefix != self.key_prefix.strip("/") or len(self.key_prefix) > 200:
            raise InvalidInput(
                f"trail '{self.name}': the key prefix '{self.key_prefix[:80]}' must have at most 200 characters and "
                "no slash at either end, since CloudTrail adds one. Change `key_prefix`."
            )
        check_not_recorded(self.name, self.log_bucket.bucket, self.pairs)
        check_recorded(self.name, self.pairs, self.data_events)

    @property
    def region(self) -> str:
        """Where the trail is at home."""
        return self.log_bucket.region

    def arn(self, account: Account) -> str:
        """The ARN that the trail has, known before it exists."""
        return _arn(self, account)


@dataclass(frozen=True, slots=True)
class AdoptedTrail:
    """A trail that somebody else made and keeps, and that is to record pairs, too.

    Attributes:
        region: where it is at home.
        log_bucket: the log bucket that it must have; None: whichever it has.

    Raises:
        InvalidInput: the declaration cannot be right; nothing was asked of AWS.
    """

    name: str
    region: str
    pairs: tuple[RecordedPair, ...]
    data_events: DataEvents = DataEvents.WRITES
    log_bucket: str | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        check_region(self.region, f"trail '{self.name}'")
        if self.log_bucket is not None:
            check_not_recorded(self.name, self.log_bucket, self.pairs)
        check_recorded(self.name, self.pairs, self.data_events)

    def arn(self, account: Account) -> str:
        """The trail's ARN."""
        return _arn(self, account)


AnyTrail: TypeAlias = "Trail | AdoptedTrail"


def _arn(trail: AnyTrail, account: Account) -> str:
    return f"arn:{account.partition}:cloudtrail:{trail.region}:{account.id}:trail/{trail.name}"


def _check_name(name: str) -> None:
    if not (3 <= len(name) <= 128 and _TRAIL_NAME.fullmatch(name)):
        raise InvalidInput(
            f"trail '{name}': CloudTrail takes 3 to 128 letters, digits, '.', '_' and '-' as a name, "
            "beginning and ending with a letter or digit, and nothing like an IP address. Choose another `name`."
        )


# --- what is wished ------------------------------------------------------------------------------------------


def trail_wish(trail: Trail, account: Account, observed: Observed | None = None) -> dict[Address, Document]:
    """The log bucket with its policy, the trail, its selectors, and that it is logging.

    Args:
        observed: what AWS holds. A bucket that has a default encryption keeps it unless a key is named, and the policy
            of a key is wished only if the credentials may read it.
    """
    held = observed or {}
    bucket, region = trail.log_bucket.bucket, trail.region
    wish: dict[Address, Document] = {
        _of_log_bucket("bucket", trail, account): {"Region": region},
        _of_log_bucket("bucket_versioning", trail, account): {"Status": "Enabled"},
        _of_log_bucket("bucket_public_access_block", trail, account): {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
        _of_log_bucket("bucket_policy", trail, account): log_bucket_policy(
            trail.log_bucket, log_prefix(trail.key_prefix, account), trail.arn(account), account.partition
        ),
        trail_address(trail, account): {
            "S3BucketName": bucket,
            "S3KeyPrefix": trail.key_prefix,
            "IncludeGlobalServiceEvents": True,
            "IsMultiRegionTrail": True,
            "LogFileValidationEnabled": True,
            "Tags": owner_tags(),
        },
        logging_address(trail, account): {"IsLogging": True},
        **selectors_wish(trail, account, held),
    }
    _add_settings(wish, trail, account, held)
    return wish


def _add_settings(wish: dict[Address, Document], trail: Trail, account: Account, held: Observed) -> None:
    """What the log bucket and the trail have only on request, and the encryption of a bucket without one."""
    key, at = trail.log_bucket.kms_key_arn, _of_log_bucket("bucket_encryption", trail, account)
    if key or held.get(at) is None:
        wish[at] = encryption(trail.log_bucket)
    if key:
        wish[trail_address(trail, account)] = {**wish[trail_address(trail, account)], "KmsKeyId": key}
        policy = key_address(key, "kms_key_policy")
        if policy.account == account.id and is_seen(held.get(policy)):
            wish[policy] = key_policy(trail.arn(account), account)
    rule = trail.log_files.rule(trail.name, log_prefix(trail.key_prefix, account))
    if rule:
        wish[_of_log_bucket("bucket_lifecycle", trail, account)] = {"Rules": [rule]}
    if trail.log_files.object_lock:
        wish[_of_log_bucket("bucket_object_lock", trail, account)] = trail.log_files.object_lock.document()


def selectors_wish(trail: AnyTrail, account: Account, observed: Observed) -> dict[Address, Document]:
    """All that an adopted trail gets, and a part of what one of ours is."""
    at = selectors_address(trail, account)
    management = isinstance(trail, Trail) or management_is_ours(observed.get(at))
    return {at: selectors(trail.pairs, account.partition, trail.data_events, management=management)}


def statements_owed(trail: Trail, account: Account, observed: Observed) -> list[dict[str, Any]]:
    """What the owner of the key must allow, since these credentials may not: `kind`, `name`, `region`, `account`,
    `statements`."""
    key = trail.log_bucket.kms_key_arn
    if not key:
        return []
    at = key_address(key, "kms_key_policy")
    if at.account == account.id and is_seen(observed.get(at)):
        return []
    return [
        {
            "kind": at.kind,
            "name": at.name,
            "region": at.region,
            "account": at.account,
            "statements": key_policy(trail.arn(account), account)["Statement"],
        }
    ]


def former_policies(trail: Trail, account: Account, observed: Observed) -> dict[Address, Document]:
    """Our part of the policies of what the trail uses no more: another key, another log bucket.

    They go behind the change of the trail. Before it, the trail could not deliver a log file until it names the new
    ones, and if a run ended there, for as long as nobody runs it again.
    """
    wanted = trail.log_bucket.kms_key_arn
    keys = _our_key_policies(trail, account, observed) if wanted else {}
    buckets = _our_bucket_policies(trail, account, observed, former_log_bucket(trail, account, observed))
    return {**{at: ours for at, ours in keys.items() if at.name != wanted}, **buckets}


def _our_bucket_policies(
    trail: Trail, account: Account, observed: Observed, places: list[Address]
) -> dict[Address, Document]:
    prefix = log_prefix(trail.key_prefix, account)
    ours = log_bucket_policy(trail.log_bucket, prefix, trail.arn(account), account.partition)
    sids = names_of(ours["Statement"], "Sid")
    return {
        at: leaving_statements(ours, observed.get(at))
        for at in places
        if is_seen(observed.get(at)) and sids & {one.get("Sid") for one in statements_of(observed.get(at))}
    }


def _our_key_policies(trail: Trail, account: Account, observed: Observed) -> dict[Address, Document]:
    ours = key_policy(trail.arn(account), account)
    sids = names_of(ours["Statement"], "Sid")
    return {
        at: ours
        for at, policy in observed.items()
        if at.kind == "kms_key_policy" and is_seen(policy) and sids & {s.get("Sid") for s in statements_of(policy)}
    }


# --- addresses -----------------------------------------------------------------------------------------------


def trail_address(trail: AnyTrail, account: Account) -> Address:
    """The address of the trail itself."""
    return Address("trail", trail.name, trail.region, account.id)


def selectors_address(trail: AnyTrail, account: Account) -> Address:
    """The address of the trail's event selectors."""
    return Address("trail_event_selectors", trail.name, trail.region, account.id)


def logging_address(trail: AnyTrail, account: Account) -> Address:
    """The address of whether the trail is logging."""
    return Address("trail_logging", trail.name, trail.region, account.id)


def trails_address(trail: AnyTrail, account: Account) -> Address:
    """The address of the list of all trails that count in the trail's Region."""
    return Address("trails", "of the Region", trail.region, account.id)


def _of_log_bucket(kind: str, trail: Trail, account: Account) -> Address:
    return bucket_address(trail.log_bucket, one_account(account, trail.log_bucket), kind)


def known_keys(trail: Trail, account: Account, observed: Observed) -> list[Address]:
    """The policies of the keys that the trail has, had or shall have, as far as they are of this account.

    The default encryption of the log bucket still names the key when a run was cut short behind the trail's deletion.
    """
    rules = (observed.get(_of_log_bucket("bucket_encryption", trail, account)) or {}).get("Rules", [])
    keys = [
        trail.log_bucket.kms_key_arn,
        (observed.get(trail_address(trail, account)) or {}).get("KmsKeyId"),
        *(rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for rule in rules),
    ]
    policies = [key_address(key, "kms_key_policy") for key in keys if key and KEY_ARN.fullmatch(key)]
    return [policy for policy in dict.fromkeys(policies) if policy.account == account.id]


def former_log_bucket(trail: Trail, account: Account, observed: Observed) -> list[Address]:
    """The policy of the log bucket that the trail has, if that is to be another one."""
    there = observed.get(trail_address(trail, account))
    at = _of_log_bucket("bucket_policy", trail, account)
    found = (there or {}).get("S3BucketName", at.name)
    return [replace(at, name=found)] if found != at.name and is_ours(there) else []


def key_hints(trail: Trail, account: Account) -> list[Address]:
    """What names the keys of a trail."""
    return [trail_address(trail, account), _of_log_bucket("bucket_encryption", trail, account)]


# --- what is unwanted ----------------------------------------------------------------------------------------


def trail_removal_wish(
    trail: Trail, account: Account, observed: Observed, *, delete_log_bucket: bool
) -> dict[Address, Document]:
    """What is taken away when these pairs leave.

    While the trail records anything else, or is not ours, only the pairs' selectors go. Else the trail goes, stopped
    first, and its statements leave the policies of the log bucket and of its key. The logs stay unless their bucket is
    named for deletion, and so does all that says how long they stay and who may see them.
    A trail that is gone already is on that way too: a run may have been interrupted behind its deletion.
    """
    wish = trail_wish(trail, account)
    if why_trail_stays(trail, account, observed):
        return selectors_removal_wish(trail, account, observed)
    removal = {address: document for address, document in wish.items() if address.kind in ("trail", "trail_logging")}
    places = [_of_log_bucket("bucket_policy", trail, account), *former_log_bucket(trail, account, observed)]
    removal.update(_our_bucket_policies(trail, account, observed, places))
    removal.update(_our_key_policies(trail, account, observed))
    if delete_log_bucket:
        removal.update(bucket_deletion_wish(trail.log_bucket, one_account(account, trail.log_bucket)))
    return removal


def selectors_removal_wish(trail: AnyTrail, account: Account, observed: Observed) -> dict[Address, Document]:
    """The pairs' selectors; and from a trail that is not ours that of management events, if nothing else is left.

    Then CloudTrail's own selector comes back. Beside any other, ours is all that selects management events.
    """
    at = selectors_address(trail, account)
    foreign = not is_ours(observed.get(trail_address(trail, account)))
    last = foreign and not others(observed.get(at), trail.pairs)
    return {at: selectors(trail.pairs, account.partition, trail.data_events, management=last)}


def why_trail_stays(trail: Trail, account: Account, observed: Observed) -> str | None:
    """Why the trail is not deleted when these pairs leave, in one sentence; None when it goes."""
    there = observed[trail_address(trail, account)]
    if there is None:
        return None
    if not is_ours(there):
        return f"The trail {trail.name} stays, since it was not made by this collection."
    recorded = others(observed[selectors_address(trail, account)], trail.pairs)
    names = ", ".join(str(selector.get("Name", "")) for selector in recorded)
    return f"The trail {trail.name} stays, since it also records: {names}." if recorded else None


# --- what must hold ------------------------------------------------------------------------------------------


def check_home(trail: AnyTrail, account: Account, observed: Observed) -> None:
    """Refuse to speak to a trail anywhere but at home.

    Raises:
        InvalidInput: it is at home in another Region.
    """
    home = (observed.get(trail_address(trail, account)) or {}).get("HomeRegion")
    if home:
        raise InvalidInput(
            f"trail '{trail.name}': it is at home in {home}, and CloudTrail changes a trail only there (elsewhere it "
            f"answers InvalidHomeRegionException). Set `home_region: {home}`, or choose another `name`."
        )


def check_trail(trail: Trail, account: Account, observed: Observed, confirmed: str | None) -> None:
    """Refuse what a plan could not make right.

    Args:
        confirmed: the bucket whose Object Lock is confirmed.

    Raises:
        InvalidInput: the declaration and AWS contradict each other.
        Refused: the trail is somebody else's, or there are too many.
    """
    check_home(trail, account, observed)
    there = observed[trail_address(trail, account)]
    if there is not None and not is_ours(there):
        raise Refused(
            f"trail '{trail.name}': a trail of this name exists in {trail.region} and was not made by this collection, "
            "so its settings are left alone. Set `adopt: true` to record the pairs by it as it is, or choose another "
            "`name`."
        )
    names = [found["Name"] for found in _trails(trail, account, observed)]
    if there is None and len(names) >= TRAILS_PER_REGION:
        raise Refused(
            f"trail '{trail.name}': {trail.region} has {len(names)} trails already ({', '.join(sorted(names))}), and "
            f"CloudTrail takes {TRAILS_PER_REGION} a Region, those of several Regions counted in each. Set "
            "`adopt: true` with the `name` of one of them, or delete one."
        )
    key = trail.log_bucket.kms_key_arn
    if key and observed.get(at := key_address(key, "kms_key_policy"), {}) is None:
        raise InvalidInput(f"trail '{trail.name}': there is no key {key} in {at.region}. Correct `kms_key_arn`.")
    _check_log_files_alone(trail, account, observed)
    check_object_lock(trail, account, observed, confirmed)


def _trails(trail: AnyTrail, account: Account, observed: Observed) -> list[Document]:
    return list((observed.get(trails_address(trail, account)) or {}).get("Trails", []))


def _check_log_files_alone(trail: Trail, account: Account, observed: Observed) -> None:
    """Refuse a lifecycle rule that would be one for the log files of another trail, too."""
    bucket, prefix = trail.log_bucket.bucket, log_prefix(trail.key_prefix, account)
    for other in _trails(trail, account, observed):
        own = (other["Name"], other["HomeRegion"]) == (trail.name, trail.region)
        covered = other["S3BucketName"] == bucket and log_prefix(other["S3KeyPrefix"], account).startswith(prefix)
        if covered and not own and trail.log_files.rule(trail.name, prefix):
            raise InvalidInput(
                f"trail '{trail.name}': the trail {other['Name']} keeps its log files in {bucket} below {prefix}, too, "
                "so they would expire or move with this one's. Set another `key_prefix` or `log_bucket`, or leave out "
                "`log_retention_days` and `log_transition_days`."
            )


def check_object_lock(trail: Trail, account: Account, observed: Observed, confirmed: str | None) -> None:
    """Refuse to lock what nobody can unlock again, unless the bucket is named.

    Raises:
        InvalidInput: says what cannot be undone, and how to confirm it.
    """
    lock, bucket = trail.log_files.object_lock, trail.log_bucket.bucket
    if lock is None or confirmed == bucket:
        return
    at = _of_log_bucket("bucket_object_lock", trail, account)
    changes = canonical(at.kind, observed[at]) != canonical(at.kind, {**(observed[at] or {}), **lock.document()})
    if not changes:
        return
    if lock.mode is LockMode.COMPLIANCE:
        raise InvalidInput(
            f"trail '{trail.name}': under compliance mode nobody, not even the account's root user, can delete a log "
            f"file of {bucket} for {lock.length} days, and Object Lock can never be disabled. "
            f"Set `confirm_object_lock: {bucket}` if that is meant."
        )
    if observed[_of_log_bucket("bucket", trail, account)] is not None:
        raise InvalidInput(
            f"trail '{trail.name}': Object Lock would be set on {bucket}, which exists already, and can never be "
            f"disabled again. Set `confirm_object_lock: {bucket}` if that is meant."
        )


def check_adopted(trail: AdoptedTrail, account: Account, observed: Observed) -> None:
    """Refuse a trail that would not record the pairs, or that would record its own log files.

    Raises:
        InvalidInput: there is no such trail here, or its log bucket is not the one that was named, or that of a pair.
        Refused: it is not logging.
    """
    check_home(trail, account, observed)
    there = observed[trail_address(trail, account)]
    if there is None:
        raise InvalidInput(
            f"trail '{trail.name}': there is none of this name in {trail.region} to adopt. Correct `name`, or name the "
            "Region where it is at home as `home_region`; leave `adopt` out to make a new one."
        )
    if trail.log_bucket is not None and trail.log_bucket != there["S3BucketName"]:
        raise InvalidInput(
            f"trail '{trail.name}': its log bucket is {there['S3BucketName']}, not {trail.log_bucket}, and an adopted "
            "trail keeps it. Correct `log_bucket`, or leave it out."
        )
    check_not_recorded(trail.name, there["S3BucketName"], trail.pairs)
    if observed[logging_address(trail, account)] is None:
        raise Refused(
            f"trail '{trail.name}': it is not logging, so it would record nothing, and whether it shall is up to its "
            f"owner. Start it first: aws cloudtrail start-logging --name {trail.name} --region {trail.region}"
        )


# --- what a person should know -------------------------------------------------------------------------------


def trail_notes(trail: Trail, account: Account, observed: Observed) -> list[str]:
    """What a person should know after the change, one sentence each."""
    said = recording_notes(trail, account, observed, trail.log_bucket.bucket)
    lock = trail.log_files.object_lock
    if lock and trail.log_files.locked_longer():
        said.append(
            f"Object Lock keeps each log file for {lock.length} days: after {trail.log_files.retention_days} days "
            "lifecycle only hides it, and removes it when its retention is over."
        )
    for owed in statements_owed(trail, account, observed):
        said.append(
            f"The policy of the key {owed['name']} was not changed, since these credentials may not read it or it is "
            f"another account's: let the owner in {owed['account']} add what `statements_to_apply` holds."
        )
    trails = observed.get(trails_address(trail, account))
    if not is_seen(trails) and trail.log_files.rule(trail.name, ""):
        said.append(
            f"Whether another trail keeps its log files below the same prefix of {trail.log_bucket.bucket}, where they "
            f"expire or move, too, was not looked at: {(trails or {})[UNSEEN]}."
        )
    return said + _unseen_notes(trail, account, observed, but=trail.log_bucket.kms_key_arn)


def _unseen_notes(trail: AnyTrail, account: Account, observed: Observed, but: str | None = None) -> list[str]:
    """One sentence for each policy that may hold statements of ours and that the credentials may not read."""
    things = {"kms_key_policy": "key", "bucket_policy": "bucket"}
    return [
        f"The policy of the {things[at.kind]} {at.name} was not looked at: {(policy or {})[UNSEEN]}. Let its owner "
        f"take out the statements whose Sid begins with {trail_mark(trail.arn(account))}."
        for at, policy in observed.items()
        if at.kind in things and at.name != but and not is_seen(policy)
    ]


def left_behind(trail: Trail, account: Account, unwanted: Wish, done: Collection[Address]) -> str:
    """What no later run will find, in one sentence: what the trail named until this run, which was cut short."""
    left = [at.name for at in unwanted if at not in done]
    if not left or trail_address(trail, account) not in done:
        return ""
    return (
        f"The trail names {' and '.join(left)} no more. No later run will find them: take the statements whose Sid "
        f"begins with {trail_mark(trail.arn(account))} out of the policy of {' and of '.join(left)}."
    )


def recording_notes(trail: AnyTrail, account: Account, observed: Observed, log_bucket: str) -> list[str]:
    """One sentence if selectors of others record the log bucket itself."""
    foreign = others(observed.get(selectors_address(trail, account)), trail.pairs)
    loops = records_writes_to(log_bucket, account.partition, foreign)
    said = (
        f"The trail {trail.name} also records writes to its own log bucket {log_bucket}, by selectors that are not "
        f"these pairs' ({', '.join(loops)}), so each log file is recorded in a next one: exclude the bucket there."
    )
    return [said] if loops else []


def adopted_notes(trail: AdoptedTrail, account: Account, observed: Observed) -> list[str]:
    """What an adopted trail lacks, and what it records from now on, one sentence each."""
    there = observed[trail_address(trail, account)] or {}
    lacks = {
        "IsMultiRegionTrail": f"is of {trail.region} alone, so events of buckets in other Regions are not recorded",
        "LogFileValidationEnabled": "has no log-file validation, so nothing proves that a log file is unchanged",
        "IncludeGlobalServiceEvents": "has no global service events, so changes of IAM roles are not recorded",
    }
    said = [f"The trail {trail.name} {lack}." for setting, lack in lacks.items() if not there.get(setting)]
    if not records_management(observed[selectors_address(trail, account)]):
        said.append(
            f"The trail {trail.name} records no management events, so changes of buckets and roles are not recorded: "
            "its owner has not selected them."
        )
    return said + recording_notes(trail, account, observed, there.get("S3BucketName", ""))


def removal_notes(trail: AnyTrail, account: Account, observed: Observed, unwanted: Wish) -> list[str]:
    """What remains of a removal, one sentence each."""
    if trail_address(trail, account) in unwanted:
        return _unseen_notes(trail, account, observed)
    there = observed.get(selectors_address(trail, account))
    remaining = others(there, trail.pairs)
    kept = MANAGEMENT in [selector.get("Name") for selector in advanced(there)] and remaining
    if is_ours(observed.get(trail_address(trail, account))) or not kept or any(map(is_a_pairs, remaining)):
        return []
    said = (
        f"The selector '{MANAGEMENT}' stays in the trail {trail.name}, which without it might record no management "
        "events any more. If its other selectors are all that it shall record, take it out."
    )
    return [said]
