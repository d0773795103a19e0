# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""What the options of a pair's buckets do, and do not do, to replication, failback, drills, teardown and the bill.

It is told before anything is changed, in check mode, too. Sources: S3 User Guide, "Object Lock considerations", "What
does Amazon S3 replicate?", "Lifecycle and other bucket configurations", "Troubleshooting replication".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .bucket_options import BucketOptions, log_address
from .lifecycle_rules import MINIMUM_DAYS, LifecycleRule
from .log_bucket import LockMode
from .model import Accounts, Direction, End, InvalidInput, Pair
from .plan import Observed
from .replication import bucket_address


@dataclass(frozen=True, slots=True)
class Choice:
    """One end of a pair with its options.

    Attributes:
        sends: whether objects are replicated out of this end.
    """

    end: End
    options: BucketOptions
    sends: bool
    receives: bool


def choices_of(pair: Pair, primary: BucketOptions, dr: BucketOptions) -> tuple[Choice, Choice]:
    """Both ends with theirs."""
    both = pair.direction is Direction.TWO_WAY
    return Choice(pair.primary, primary, True, both), Choice(pair.dr, dr, both, True)


# --- what is refused -----------------------------------------------------------------------------------------


def refuse_unprepared(choice: Choice, accounts: Accounts, observed: Observed) -> None:
    """Refuse what cannot be done to the bucket as it is.

    Raises:
        InvalidInput: a bucket is not there, has no Object Lock, or cannot hold a log.
    """
    end, options = choice.end, choice.options
    if observed[bucket_address(end, accounts)] is None:
        raise InvalidInput(
            f"bucket '{end.bucket}' is not there in {end.region}. Run the role replication_pair first, which makes it."
        )
    lock = observed[bucket_address(end, accounts, "bucket_object_lock")] or {}
    if (options.lock or options.unlock) and lock.get("ObjectLockEnabled") != "Enabled":
        raise InvalidInput(
            f"bucket '{end.bucket}': Object Lock is not enabled yet. Run the role replication_pair first, which "
            "enables it where `object_lock: true` is declared."
        )
    log = options.access_log.bucket if options.access_log else None
    if log is None:
        return
    if observed[log_address(end, accounts, log, "bucket")] is None:
        raise InvalidInput(
            f"bucket '{end.bucket}': there is no bucket '{log}' in {end.region} for its access log. Make it first."
        )
    kept = (observed[log_address(end, accounts, log, "bucket_object_lock")] or {}).get("Rule")
    if kept:
        raise InvalidInput(
            f"bucket '{end.bucket}': '{log}' has a default retention, and S3 delivers no access log to such a bucket. "
            "Name another `access_log.bucket`."
        )


def refuse_unconfirmed(choice: Choice, accounts: Accounts, observed: Observed, confirmed: list[str]) -> None:
    """Compliance mode cannot be shortened by anybody, so it is asked for by the bucket's name.

    Raises:
        InvalidInput: it was not.
    """
    end, lock = choice.end, choice.options.lock
    if lock is None or lock.mode is not LockMode.COMPLIANCE or end.bucket in confirmed:
        return
    held = observed[bucket_address(end, accounts, "bucket_object_lock")] or {}
    if held.get("Rule") == lock.document()["Rule"]:
        return  # it is so already
    raise InvalidInput(
        f"bucket '{end.bucket}': in compliance mode nobody, not even the account's root user, can delete a version or "
        f"shorten its retention of {lock.length} days, whatever it costs. If that is meant, set "
        f"`confirm_compliance: [{end.bucket}]`."
    )


# --- what is said --------------------------------------------------------------------------------------------


def advice(pair: Pair, choices: tuple[Choice, Choice]) -> list[str]:
    """What to know of the choices, one sentence or two each."""
    said = [sentence for choice in choices for sentence in _of_end(pair, choice)]
    primary, dr = choices
    if dr.options.lock and not pair.primary.object_lock and dr.sends:
        said.append(
            f"{dr.end.bucket} has Object Lock and {primary.end.bucket} has not: what is locked cannot be replicated "
            "back. Declare `object_lock: true` at both ends."
        )
    said += _expiries(primary, dr)
    return said


def _of_end(pair: Pair, choice: Choice) -> Iterator[str]:
    end, options = choice.end, choice.options
    if options.accelerate:
        yield (
            f"{end.bucket}: Transfer Acceleration speeds up clients that use the endpoint "
            f"{end.bucket}.s3-accelerate.amazonaws.com, for ingest and restore. It does not change replication, and "
            "costs extra for each byte that it speeds up."
        )
    if options.lock:
        yield from _of_lock(choice, options.lock.mode, options.lock.length)
    for rule in options.lifecycle:
        yield from _of_rule(choice, rule)
    if options.tiering:
        yield _archived(choice, "The archive tiers of Intelligent-Tiering")
    if options.lifecycle and choice.sends:
        yield (
            f"{end.bucket}: lifecycle does not act on a version whose replication is PENDING or FAILED. Versions that "
            "failed stay, and are billed, until they are replicated or deleted."
        )
    if options.encryption and options.encryption.algorithm != "AES256" and choice.sends:
        yield _of_kms(pair, choice, options.encryption.kms_key_arn)


def _of_lock(choice: Choice, mode: LockMode, days: int) -> Iterator[str]:
    end = choice.end
    who = "nobody" if mode is LockMode.COMPLIANCE else "nobody without s3:BypassGovernanceRetention"
    yield (
        f"{end.bucket}: for {days} days {who} can delete a version that is written from now on, and each is billed so "
        "long. Lifecycle waits for it, a teardown keeps the bucket, and a drill leaves its objects behind. Delete "
        "markers can still hide an object. Versions that are there already get no retention."
    )
    if choice.receives:
        yield (
            f"{end.bucket}: a replica of a locked version keeps its source's retention; the default of this bucket is "
            "for replicas of versions without one."
        )


def _of_rule(choice: Choice, rule: LifecycleRule) -> Iterator[str]:
    end = choice.end
    if rule.archives:
        yield _archived(choice, f"The rule '{rule.id}'")
    if any(one.days == 0 for one in rule.transitions) and rule.archives:
        yield (
            f"{end.bucket}: the rule '{rule.id}' archives objects at once, so that neither verify nor a drill can read "
            "replicas. Both still compare versions."
        )
    yield from _early(end, rule)
    if rule.enabled and rule.transitions and rule.larger_than is None:
        yield (
            f"{end.bucket}: objects under 128 KB stay where they are unless the rule '{rule.id}' says `larger_than`; "
            "S3 does not take them to another class by default."
        )


def _archived(choice: Choice, what: str) -> str:
    end = choice.end
    if choice.sends:
        return (
            f"{end.bucket}: {what[0].lower()}{what[1:]} takes objects to archives, from which S3 replicates nothing: "
            "what has not arrived by then, and what a backfill or failback should copy, must be restored first."
        )
    return (
        f"{end.bucket}: {what[0].lower()}{what[1:]} takes replicas to archives. After a failover they must be restored "
        "before they are read, which takes minutes to two days, and a failback cannot replicate them until then."
    )


def _early(end: End, rule: LifecycleRule) -> Iterator[str]:
    """Who leaves a class before its minimum duration pays for the rest of it."""
    for transitions, last in (
        (rule.transitions, rule.expiration_days),
        (rule.noncurrent_transitions, rule.noncurrent_days),
    ):
        ends: list[int | None] = [*(one.days for one in transitions), last]
        for one, leaving in zip(transitions, ends[1:], strict=True):
            least = MINIMUM_DAYS.get(one.storage_class, 0)
            if leaving is not None and leaving - one.days < least:
                yield (
                    f"{end.bucket}: by the rule '{rule.id}' objects leave {one.storage_class} after "
                    f"{leaving - one.days} days, and at least {least} are billed."
                )


def _of_kms(pair: Pair, choice: Choice, key: str | None) -> str:
    end = choice.end
    if key and key in end.kms_keys():
        return (
            f"{end.bucket}: what is encrypted with KMS replicates only where a rule selects it; this pair's rules do "
            f"for the key {key}."
        )
    return (
        f"{end.bucket}: new objects are encrypted with a key that the pair '{pair.name}' does not name as "
        "`kms_key_arn` or `more_kms_key_arns` of this end, so they will not replicate. Name it there, and run the role "
        "replication_pair."
    )


def _expiries(primary: Choice, dr: Choice) -> Iterator[str]:
    """Expiration is each bucket's own: where the DR bucket forgets earlier, the copy is not complete."""
    kept = _soonest(primary.options)
    for prefix, days in _soonest(dr.options).items():
        longer = kept.get(prefix)
        if longer is None or longer > days:
            whole = f"keys below '{prefix}'" if prefix else "all keys"
            yield (
                f"{dr.end.bucket}: versions of {whole} go after {days} days, "
                + (f"and at {primary.end.bucket} after {longer}. " if longer else f"and stay at {primary.end.bucket}. ")
                + "From then on they are not in the DR copy, and verify says so."
            )


def _soonest(options: BucketOptions) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for rule in options.lifecycle:
        days = [one for one in (rule.expiration_days, rule.noncurrent_days) if one is not None and rule.enabled]
        for one in days:
            found[rule.prefix] = min(one, found.get(rule.prefix, one))
    return found
