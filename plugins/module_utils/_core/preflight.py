# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Whether objects will replicate, judged before anything is changed, on documents that were already read.

S3 takes a replication configuration whose role, keys or buckets do not work, and each object fails later, for good.
A check names that later failure by S3's own code, as far as AWS documents one.

Sources: S3 User Guide, "Amazon S3 replication failure reasons", "Troubleshooting replication", "Requirements and
considerations for replication", "Managing Object Lock", "Replicating encrypted objects", "Blocking or unblocking
SSE-C"; KMS Developer Guide, "Key states".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from .denials import Denial, Need, compare, conditions, denials, listed, mapping, names_action, plain, texts
from .kinds import canonical
from .model import UNSEEN, Account, Accounts, Address, Document, End, Link, Pair, Refused, Rule, is_seen
from .plan import Observed, Wish
from .policies import DECRYPT, key_uses, role_policy
from .replication import bucket_address, key_address, role_address, role_arn
from .rules import bucket_arn, selects_kms_objects

Decisions: TypeAlias = "Mapping[Any, str]"
"""What AWS's simulation says of a role: (action, resource) -> `allowed`, `explicitDeny`, `implicitDeny`, or
`undecided: KEYS` where the answer hangs on condition keys that a simulation does not know. Where the credentials may
not simulate, the one key `Unseen` says why."""

UNDECIDED = "undecided"

_MOST_PREFIXES = 20
"""Of how many prefixes an object is simulated: one call holds every action with every resource."""


class Status(StrEnum):
    """How a check ended. Unknown: the credentials do not reach what it looks at."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        subject: the bucket's name, the key's ARN or the role's ARN.
        failure_code: the reason that S3 would give for each object later, out of its documented list.
    """

    name: str
    subject: str
    status: Status
    message: str
    failure_code: str | None = None

    def as_result(self) -> dict[str, str | None]:
        """The check as plain values."""
        return {
            "name": self.name,
            "subject": self.subject,
            "status": self.status.value,
            "message": self.message,
            "failure_code": self.failure_code,
        }


class PreflightFailed(Refused):
    """Objects would fail to replicate. `result` is what the task returns with the failure, all checks among it."""

    def __init__(self, checks: Iterable[Check], result: Mapping[str, Any]) -> None:
        checks = tuple(checks)
        super().__init__(" ".join(_failure(check) for check in checks if check.status is Status.FAILED))
        self.result = dict(result)


def _failure(check: Check) -> str:
    later = f" Else S3 fails objects with {check.failure_code}." if check.failure_code else ""
    return f"{check.message}{later}"


def require(checks: Iterable[Check], result: Mapping[str, Any]) -> None:
    """Raise PreflightFailed with the result when a check failed."""
    checks = tuple(checks)
    if any(check.status is Status.FAILED for check in checks):
        raise PreflightFailed(checks, result)


# --- what is read for it -------------------------------------------------------------------------------------


def fact_addresses(pair: Pair, accounts: Accounts) -> list[Address]:
    """What is read for the checks alone, of accounts of which the task has credentials. Nothing here is ever wished."""
    ends = [end for end in pair.ends() if accounts[end.bucket].ours]
    addresses = dict.fromkeys(bucket_address(end, accounts, "bucket_encryption") for end in ends)
    for link in pair.links():
        keys = [key_address(key) for key, _end, _actions in key_uses(link)]
        addresses.update(dict.fromkeys(key for key in keys if key.account in _our_accounts(accounts)))
    return list(addresses)


def facts_of_a_change(pair: Pair, accounts: Accounts) -> list[Address]:
    """What is read in addition when there is something to change: who owns and pays for what other accounts send."""
    return [
        bucket_address(end, accounts, kind)
        for link in pair.links()
        for end in _destinations(link)
        if accounts[end.bucket].ours and _crosses(link, end, accounts)
        for kind in ("bucket_ownership", "bucket_payer")
    ]


def _destinations(link: Link) -> list[End]:
    """The link's destination buckets, each once."""
    return list({end.bucket: end for end in reversed(link.destinations())}.values())[::-1]


def _crosses(link: Link, end: End, accounts: Accounts) -> bool:
    return accounts[end.bucket].id != accounts[link.source.bucket].id


def _our_accounts(accounts: Accounts) -> set[str]:
    return {account.id for account in accounts.values() if account.ours}


@dataclass(frozen=True, slots=True)
class _World:
    """What is known of AWS, and what is going to be put right."""

    accounts: Accounts
    observed: Observed
    wish: Wish

    def account(self, end: End) -> Account:
        """Whose the end is."""
        return self.accounts[end.bucket]

    def at(self, end: End, kind: str) -> Address:
        """The address of a document of the end's bucket."""
        return bucket_address(end, self.accounts, kind)

    def unseen(self, address: Address) -> str | None:
        """Why the document is not known, None if it is."""
        if address not in self.observed:
            return "it was not looked at"
        document = self.observed[address]
        return None if document is None or is_seen(document) else str(document[UNSEEN])

    def seen(self, address: Address) -> Document | None:
        """The document, None if there is none or it is not known."""
        document = self.observed.get(address)
        return document if is_seen(document) else None

    def will_be_made(self, end: End) -> bool:
        """Whether the plan creates the end's bucket."""
        bucket = self.at(end, "bucket")
        return bucket in self.wish and bucket in self.observed and self.observed[bucket] is None

    def has_object_lock(self, end: End) -> bool | None:
        """Whether the bucket has Object Lock when the plan is carried out, None if that is not known."""
        address = self.at(end, "bucket_object_lock")
        if address in self.wish:  # where it is declared on an end of ours
            return True
        if self.unseen(address):
            return None
        return (self.seen(address) or {}).get("ObjectLockEnabled") == "Enabled"


def _unknown(name: str, subject: str, what: str, why: str) -> Check:
    return Check(name, subject, Status.UNKNOWN, f"{what} could not be checked: {why}.")


# --- all checks ----------------------------------------------------------------------------------------------


def preflight(
    pair: Pair, accounts: Accounts, observed: Observed, wish: Wish, simulated: Mapping[str, Decisions]
) -> list[Check]:
    """All checks of a pair, in the order of its links, each once.

    Args:
        observed: what AWS holds for the addresses of `replication.pair_addresses` and `fact_addresses`.
        wish: what the plan makes; what it puts right has passed.
        simulated: by the role's ARN; a role that is not there was not simulated, and is not judged by it.
    """
    world = _World(accounts, observed, wish)
    requests = _requests_by_role(pair, world)
    checks = [
        check
        for link in pair.links()
        for check in (*_link_checks(link, world), *_permission_checks(link, world, requests, simulated))
    ]
    return _once(checks)


def _once(checks: Iterable[Check]) -> list[Check]:
    """A bucket of both links is told of once, with its code as a destination where only that one is documented."""
    found: dict[tuple[str, str, str], Check] = {}
    for check in checks:
        same = (check.name, check.subject, check.message)
        if same not in found or found[same].failure_code is None:
            found[same] = check
    return list(found.values())


def _link_checks(link: Link, world: _World) -> Iterator[Check]:
    for end in (link.source, *_destinations(link)):
        if world.account(end).ours:
            yield _bucket_check(end, link, world)
            yield _versioning_check(end, link, world)
        else:
            yield _foreign_check(end, world)
    for end in _destinations(link):
        yield _object_lock_check(end, link, world)
        if world.account(end).ours:
            yield _sse_c_check(end, link, world)
            yield from _cross_account_checks(end, link, world)
    yield _default_encryption_check(link, world)
    for key, end, actions in key_uses(link):
        yield _key_check(key, end, actions is DECRYPT, link, world)
    yield _trust_check(link, world)
    for end in (link.source, *_destinations(link)):
        if world.account(end).ours:
            yield from _policy_checks(end, link, world)


# --- buckets -------------------------------------------------------------------------------------------------


def _side(end: End, link: Link) -> str:
    """How S3's codes begin."""
    return "Src" if end.bucket == link.source.bucket else "Dst"


def _foreign_check(end: End, world: _World) -> Check:
    account = world.account(end).id
    return Check(
        "account",
        end.bucket,
        Status.UNKNOWN,
        f"Bucket '{end.bucket}' belongs to account {account}, of which this task has no credentials, so nothing there "
        "was looked at: versioning, Object Lock, policy, encryption, payer. Let its owner run the same checks.",
    )


def _bucket_check(end: End, link: Link, world: _World) -> Check:
    address, side = world.at(end, "bucket"), _side(end, link)
    why = world.unseen(address)
    if why:
        return _unknown("bucket", end.bucket, f"Bucket '{end.bucket}'", why)
    if world.will_be_made(end):
        message = f"Bucket '{end.bucket}' will be created in {end.region}, in account {address.account}."
        return Check("bucket", end.bucket, Status.PASSED, message)
    document = world.seen(address)
    if document is None:
        message = f"Bucket '{end.bucket}' does not exist. Create it in {end.region} first."
        return Check("bucket", end.bucket, Status.FAILED, message, f"{side}BucketNotFound")
    if document.get("Region") != end.region:
        message = (
            f"Bucket '{end.bucket}' is in {document.get('Region')}, not in {end.region} as declared. Correct the "
            "`region` of this end, or name another bucket."
        )
        return Check("bucket", end.bucket, Status.FAILED, message, f"{side}BucketInvalidRegion")
    message = f"Bucket '{end.bucket}' is in {end.region} and belongs to account {address.account}."
    return Check("bucket", end.bucket, Status.PASSED, message)


def _versioning_check(end: End, link: Link, world: _World) -> Check:
    address = world.at(end, "bucket_versioning")
    if (world.seen(address) or {}).get("Status") == "Enabled":
        return Check("versioning", end.bucket, Status.PASSED, f"Bucket '{end.bucket}' has versioning enabled.")
    if world.wish.get(address, {}).get("Status") == "Enabled":
        return Check("versioning", end.bucket, Status.PASSED, f"Versioning of '{end.bucket}' will be enabled.")
    why = world.unseen(address)
    if why:
        return _unknown("versioning", end.bucket, f"Versioning of '{end.bucket}'", why)
    message = f"Bucket '{end.bucket}' has no versioning, without which S3 does not replicate. Enable its versioning."
    # S3 has no such code for the source: it refuses the configuration itself.
    code = "DstBucketUnversioned" if _side(end, link) == "Dst" else None
    return Check("versioning", end.bucket, Status.FAILED, message, code)


def _object_lock_check(end: End, link: Link, world: _World) -> Check:
    source, target = link.source.bucket, end.bucket
    at_source, at_target = world.has_object_lock(link.source), world.has_object_lock(end)
    if at_source and at_target is False:
        message = (
            f"Bucket '{source}' has Object Lock and '{target}' has not, so S3 refuses every replica. Set "
            f"`object_lock: true` on the end '{target}'; that cannot be undone."
        )
        return Check("object_lock", target, Status.FAILED, message, "DstBucketObjectLockConfigMissing")
    if at_source is False and at_target and not link.two_way and target == link.destination.bucket:
        message = (
            f"Bucket '{target}' has Object Lock and '{source}' has not, so replicating back after a failover would "
            f"fail with DstBucketObjectLockConfigMissing. Set `object_lock: true` on the end '{source}' before that "
            "is needed; it cannot be undone."
        )
        return Check("object_lock", target, Status.WARNING, message)
    if at_source is None or (at_source and at_target is None):
        why = f"whether '{target if at_source else source}' has it is not known, and a source that has needs it there"
        return _unknown("object_lock", target, f"Object Lock from '{source}' to '{target}'", why)
    return Check("object_lock", target, Status.PASSED, f"Object Lock lets '{source}' replicate to '{target}'.")


# --- encryption ----------------------------------------------------------------------------------------------


def _sse_c_check(end: End, link: Link, world: _World) -> Check:
    source, target = link.source.bucket, end.bucket
    at_source, at_target = _blocks_sse_c(link.source, world), _blocks_sse_c(end, world)
    if at_source or at_target is False:
        message = f"Bucket '{target}' takes the encryption types that '{source}' takes, as far as S3 can block them."
        return Check("sse_c", target, Status.PASSED, message)
    if at_target is None or at_source is None:
        address = world.at(end if at_target is None else link.source, "bucket_encryption")
        return _unknown("sse_c", target, f"Whether '{address.name}' blocks SSE-C", world.unseen(address) or "no answer")
    message = (
        f"Bucket '{target}' blocks objects encrypted with SSE-C and '{source}' does not, so replicas of such objects "
        f"would be refused (403). Unblock SSE-C on '{target}', or block it on '{source}' too if nobody uses it."
    )
    return Check("sse_c", target, Status.WARNING, message)


def _blocks_sse_c(end: End, world: _World) -> bool | None:
    """Since April 2026 S3 blocks SSE-C on every new bucket, so on one that the plan makes."""
    if world.will_be_made(end):
        return True
    address = world.at(end, "bucket_encryption")
    if world.unseen(address):
        return None
    blocked = [mapping(rule.get("BlockedEncryptionTypes")) for rule in listed(world.seen(address), "Rules")]
    return any("SSE-C" in texts(types.get("EncryptionType")) for types in blocked)


def _default_encryption_check(link: Link, world: _World) -> Check:
    source = link.source
    address = world.at(source, "bucket_encryption")
    why = None if world.will_be_made(source) else world.unseen(address)
    if why:
        return _unknown("default_encryption", source.bucket, f"Default encryption of '{source.bucket}'", why)
    algorithm, key = _default_encryption(world.seen(address))
    if algorithm not in ("aws:kms", "aws:kms:dsse"):
        message = f"Bucket '{source.bucket}' does not encrypt with KMS by default."
        return Check("default_encryption", source.bucket, Status.PASSED, message)
    said = f"Objects written to '{source.bucket}' without naming an encryption are encrypted with KMS, by " + (
        f"the key {key}" if key else "the AWS managed key aws/s3"
    )
    if not any(rule.enabled and selects_kms_objects(rule, link.destination_of(rule)) for rule in link.rules):
        message = (
            f"{said}, and no rule replicates them. Name keys as `kms_key_arn` of both ends, or change the default."
        )
        return Check("default_encryption", source.bucket, Status.WARNING, message)
    return _default_key_check(key, said, link)


def _default_key_check(key: str, said: str, link: Link) -> Check:
    bucket, named = link.source.bucket, _is_named(key, link.source)
    if named:
        message = f"{said}, which is named for the end."
        return Check("default_encryption", bucket, Status.PASSED, message)
    if named is None:  # an alias, a bare ID or aws/s3: which key it means is not known here
        message = (
            f"{said}. Whether that is one of the end's keys cannot be told from this name: see that its ARN is there "
            "as `kms_key_arn` or in `more_kms_key_arns`, else the role may not decrypt these objects."
        )
        return Check("default_encryption", bucket, Status.WARNING, message)
    message = (
        f"{said}, which is not among the end's keys, so the role may not decrypt them. Add it as `kms_key_arn` or to "
        "`more_kms_key_arns`, or change the default."
    )
    if link.source.replication_role_arn:  # the user's own role may be allowed more than is declared here
        return Check("default_encryption", bucket, Status.WARNING, message)
    return Check("default_encryption", bucket, Status.FAILED, message, "SrcGetObjectNotPermitted")


def _default_encryption(document: Document | None) -> tuple[str, str]:
    """The algorithm and the key, each empty where there is none."""
    for rule in listed(document, "Rules"):
        default = mapping(rule.get("ApplyServerSideEncryptionByDefault"))
        if default:
            return str(default.get("SSEAlgorithm") or ""), str(default.get("KMSMasterKeyID") or "")
    return "", ""


def _is_named(key: str, end: End) -> bool | None:
    """Whether the key is one of the end's, None when an ARN and another form of a name cannot be compared."""
    if any(key in (arn, arn.rsplit("/", 1)[1]) for arn in end.kms_keys()):
        return True
    return False if ":key/" in key else None


# --- keys ----------------------------------------------------------------------------------------------------

_USABLE_STATES = ("Enabled", "Updating")
"""In the seconds for which a multi-Region key is Updating, KMS encrypts and decrypts with it as ever."""


def _key_check(key: str, end: End, decrypts: bool, link: Link, world: _World) -> Check:
    address = key_address(key)
    if address.account not in _our_accounts(world.accounts):
        why = f"account {address.account} was not looked at, since this task has no credentials of it"
        return _unknown("kms_key", key, f"Key {key}", why)
    why_unseen = world.unseen(address)
    if why_unseen:
        return _unknown("kms_key", key, f"Key {key}", why_unseen)
    document = world.seen(address)
    use = f"with which '{end.bucket}' " + ("has encrypted objects" if decrypts else "encrypts replicas")
    invalid = "SrcKmsKeyInvalidState" if decrypts else "DstKmsKeyInvalidState"
    if document is None:
        message = f"The key {key}, {use}, does not exist. Correct its ARN."
        return Check("kms_key", key, Status.FAILED, message, invalid if decrypts else "DstKmsKeyNotFound")
    flaw = _key_flaw(document)
    if flaw:
        return Check("kms_key", key, Status.FAILED, f"The key {key}, {use}, {flaw}", invalid)
    abroad = {world.account(end).id, address.account} != {world.account(link.source).id}
    if abroad and document.get("KeyManager") == "AWS":
        message = (
            f"The key {key}, {use}, is managed by AWS, and nobody can let a role of another account use it. Name a "
            "customer managed key instead."
        )
        code = "SrcGetObjectNotPermitted" if decrypts else "DstPutObjectNotPermitted"
        return Check("kms_key", key, Status.FAILED, message, code)
    return Check("kms_key", key, Status.PASSED, f"The key {key} is symmetric and can be used.")


def _key_flaw(document: Document) -> str | None:
    """Why S3 cannot use a key, as the end of a sentence, and what to do."""
    usage, spec = document.get("KeyUsage"), document.get("KeySpec")
    if usage not in (None, "ENCRYPT_DECRYPT") or spec not in (None, "SYMMETRIC_DEFAULT"):
        return f"is for {usage} with {spec}, and S3 uses symmetric encryption keys only. Name another key."
    state = document.get("KeyState")
    if state not in _USABLE_STATES:
        return f"is in the state {state}. Enable it, or cancel its deletion, or name another key."
    return None


# --- another account -----------------------------------------------------------------------------------------


def _cross_account_checks(end: End, link: Link, world: _World) -> Iterator[Check]:
    if not _crosses(link, end, world.accounts) or world.will_be_made(end):
        return  # a new bucket has no ACLs, and its owner pays
    if world.at(end, "bucket_payer") not in world.observed:
        return  # nothing is going to be changed
    yield _payer_check(end, world)
    yield _ownership_check(end, link, world)


def _payer_check(end: End, world: _World) -> Check:
    why = world.unseen(world.at(end, "bucket_payer"))
    if why:
        return _unknown("payer", end.bucket, f"Who pays for requests to '{end.bucket}'", why)
    if (world.seen(world.at(end, "bucket_payer")) or {}).get("Payer") == "Requester":
        message = (
            f"Bucket '{end.bucket}' is of another account and Requester Pays, which S3 does not replicate to. Let its "
            "owner set the payer to BucketOwner."
        )
        return Check("payer", end.bucket, Status.FAILED, message)
    return Check("payer", end.bucket, Status.PASSED, f"The owner of '{end.bucket}' pays for requests.")


def _ownership_check(end: End, link: Link, world: _World) -> Check:
    why = world.unseen(world.at(end, "bucket_ownership"))
    if why:
        return _unknown("ownership", end.bucket, f"Object ownership of '{end.bucket}'", why)
    rules = listed(world.seen(world.at(end, "bucket_ownership")), "Rules")
    # A bucket without ownership controls is older than they are, and works like ObjectWriter.
    ownership = next((str(rule["ObjectOwnership"]) for rule in rules if "ObjectOwnership" in rule), "ObjectWriter")
    arriving = [rule for rule in link.rules if link.destination_of(rule).bucket == end.bucket]
    if ownership != "BucketOwnerEnforced" and not all(rule.owner_override for rule in arriving):
        message = (
            f"Bucket '{end.bucket}' has object ownership {ownership}, so replicas there belong to the account "
            f"{world.account(link.source).id} of their source. Set `owner_override: true` on the rules, or "
            "BucketOwnerEnforced on the bucket."
        )
        return Check("ownership", end.bucket, Status.WARNING, message)
    message = f"Replicas in '{end.bucket}' belong to the account {world.account(end).id}."
    return Check("ownership", end.bucket, Status.PASSED, message)


# --- what the role must be allowed ---------------------------------------------------------------------------

_CODES = {
    "s3:GetObjectVersionForReplication": "SrcGetObjectNotPermitted",
    "s3:ReplicateObject": "DstPutObjectNotPermitted",
    "s3:GetReplicationConfiguration": "InitiateReplicationNotPermitted",
    "s3:ListBucket": "InitiateReplicationNotPermitted",
    "s3:GetObjectVersionAcl": "SrcGetAclNotPermitted",
    "s3:GetObjectVersionTagging": "SrcGetTaggingNotPermitted",
    "s3:GetObjectRetention": "SrcGetRetentionNotPermitted",
    "s3:GetObjectLegalHold": "SrcGetLegalHoldNotPermitted",
    "s3:ReplicateDelete": "DstDelObjNotPermitted",
    "s3:ReplicateTags": "DstPutTaggingNotPermitted",
    "s3:ObjectOwnerOverrideToBucketOwner": "DstPutAclNotPermitted",
    "s3:GetObjectVersionAnnotationForReplication": "SrcGetObjectAnnotationNotPermitted",
}
"""What S3 says when the role may not; of several, the first decides for every object."""

_ANNOTATIONS = "s3:GetObjectVersionAnnotationForReplication"
"""Without it objects replicate all the same, only their annotations do not."""


def _code(actions: Iterable[str]) -> str | None:
    actions = set(actions)
    return next((code for action, code in _CODES.items() if action in actions), None)


def _needs(link: Link, world: _World, most_prefixes: int | None = None) -> list[Need]:
    """What the policy of the link's role allows of S3, for the objects that the rules select."""
    lock = world.has_object_lock(link.source) is True
    needs: dict[Need, None] = {}
    for statement in role_policy(link, world.accounts, object_lock=lock)["Statement"]:
        for action in statement["Action"]:
            for resource in statement["Resource"] if action.startswith("s3:") else ():
                needs.update(dict.fromkeys(_needs_on(action, resource, link, most_prefixes)))
    return list(needs)


def _needs_on(action: str, resource: str, link: Link, most_prefixes: int | None) -> list[Need]:
    bucket = resource.removesuffix("/*")
    if bucket == resource:
        return [Need(action, resource, objects=False)]
    # A DR copy in which no rule ever deletes anything is well protected, not broken.
    rules = [rule for rule in link.rules if action != "s3:ReplicateDelete" or rule.delete_markers]
    prefixes = _prefixes(rules, link, bucket.rsplit(":", 1)[1])[:most_prefixes]
    return [Need(action, f"{bucket}/{prefix}", objects=True) for prefix in prefixes]


def _prefixes(rules: Iterable[Rule], link: Link, bucket: str) -> list[str]:
    """The prefixes under which objects leave or arrive; one that begins with another is left out."""
    here = [rule for rule in rules if bucket in (link.source.bucket, link.destination_of(rule).bucket)]
    kept: list[str] = []
    for prefix in sorted({rule.prefix for rule in here}):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept


# --- simulated permissions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Simulation:
    """What AWS is asked about a role: its ARN, its account, and (action, resource) for each question."""

    role: str
    account: str
    requests: tuple[tuple[str, str], ...]


def simulations(pair: Pair, accounts: Accounts, observed: Observed, wish: Wish) -> list[Simulation]:
    """What to ask of roles that are there and stay as they are: one simulation a role, S3's actions only.

    Of a role that the plan makes or changes, AWS would tell how it was before.
    """
    world = _World(accounts, observed, wish)
    requests = _requests_by_role(pair, world)
    found: dict[str, Simulation] = {}
    for link in pair.links():
        source, role = accounts[link.source.bucket], role_arn(link, accounts)
        if source.ours and _stays(link, world):
            found[role] = Simulation(role, source.id, requests[role])
    return list(found.values())


def _stays(link: Link, world: _World) -> bool:
    role, policy = (role_address(link, world.accounts, kind) for kind in ("iam_role", "iam_role_policy"))
    there = world.seen(role)
    if there is None:
        return False
    if link.source.replication_role_arn:
        return True
    wished = world.wish.get(role, {})
    if wished.get("PermissionsBoundary", there.get("PermissionsBoundary")) != there.get("PermissionsBoundary"):
        return False
    unchanged = canonical(policy.kind, world.wish.get(policy)) == canonical(policy.kind, world.seen(policy))
    return unchanged and policy in world.wish


def _requests_by_role(pair: Pair, world: _World) -> dict[str, tuple[tuple[str, str], ...]]:
    """Both directions may replicate as one role of the user's."""
    found: dict[str, dict[tuple[str, str], None]] = {}
    for link in pair.links():
        needs = _needs(link, world, _MOST_PREFIXES)
        requests = found.setdefault(role_arn(link, world.accounts), {})
        requests.update(dict.fromkeys((need.action, need.example()) for need in needs))
    return {role: tuple(requests) for role, requests in found.items()}


def _permission_checks(
    link: Link,
    world: _World,
    requests: Mapping[str, tuple[tuple[str, str], ...]],
    simulated: Mapping[str, Decisions],
) -> Iterator[Check]:
    role = role_arn(link, world.accounts)
    decisions = simulated.get(role)
    if decisions is None:
        return
    what = f"What the role {role} may do"
    if UNSEEN in decisions:
        yield _unknown("role_permissions", role, what, decisions[UNSEEN])
        return
    answers = {request: decisions.get(request, "") for request in requests[role]}
    allowed = [request for request, answer in answers.items() if answer == "allowed"]
    denied = {request: answer for request, answer in answers.items() if answer in ("explicitDeny", "implicitDeny")}
    undecided = {request: answer for request, answer in answers.items() if answer.startswith(UNDECIDED)}
    if denied:
        yield _denied_check(role, denied)
    if undecided:
        yield _undecided_check(role, undecided)
    if len(denied) + len(undecided) + len(allowed) < len(answers):
        yield _unknown("role_permissions", role, what, "AWS's simulation left out some of the actions")
    if len(allowed) == len(answers):
        message = f"AWS's simulation lets the role {role} do all that replication needs."
        yield Check("role_permissions", role, Status.PASSED, message)


def _denied_check(role: str, denied: Iterable[tuple[str, str]]) -> Check:
    actions = {action for action, _resource in denied}
    message = (
        f"AWS's simulation denies the role {role} {_questions(denied)}. Its policies do not allow it, or another "
        "policy of the role, its permissions boundary or a policy of the organization denies it: correct that one."
    )
    if actions == {_ANNOTATIONS}:
        message += " Objects replicate without it, only their annotations do not; or set `annotations: false`."
        return Check("role_permissions", role, Status.WARNING, message, _code(actions))
    return Check("role_permissions", role, Status.FAILED, message, _code(actions))


def _undecided_check(role: str, undecided: Mapping[tuple[str, str], str]) -> Check:
    keys = sorted({answer.removeprefix(UNDECIDED).lstrip(": ") for answer in undecided.values()})
    message = (
        f"Whether the role {role} may {_questions(undecided)} hangs on {', '.join(keys)}, which a simulation does not "
        "know. See in the policies with these condition keys that replication is let through."
    )
    return Check("role_permissions", role, Status.WARNING, message)


def _questions(requests: Iterable[tuple[str, str]]) -> str:
    """Each action once, with one of its resources."""
    return ", ".join(f"{action} on {resource}" for action, resource in sorted(dict(sorted(requests)).items()))


# --- who may assume the role ---------------------------------------------------------------------------------

_SERVICE = "s3.amazonaws.com"
_ASSUME = "sts:AssumeRole"
_NO_TRUST = "AssumeRoleNotPermitted"


def _trust_check(link: Link, world: _World) -> Check:
    address, role = role_address(link, world.accounts), role_arn(link, world.accounts)
    document = world.wish.get(address)  # a role of ours gets this trust, whatever it has
    why = world.unseen(address) if document is None else None
    if why:
        return _unknown("role_trust", role, f"Who may assume the role {role}", why)
    document = document or world.seen(address)
    if document is None or str(document.get("Path") or _path(role)) != _path(role):
        message = f"The role {role} does not exist, so S3 cannot replicate as it. Make it, or correct its ARN."
        return Check("role_trust", role, Status.FAILED, message, _NO_TRUST)
    return _trust_verdict(mapping(document.get("AssumeRolePolicyDocument")), role, world.account(link.source).id)


def _path(role: str) -> str:
    folder = role.split(":role/", 1)[1].rpartition("/")[0]
    return f"/{folder}/" if folder else "/"


def _trust_verdict(policy: Document, role: str, account: str) -> Check:
    about = [one for one in listed(policy, "Statement") if names_action(one, _ASSUME) and _names_service(one)]
    allowing = [_trust_doubts(one, account) for one in about if one.get("Effect") == "Allow"]
    denying = [_condition_keys(one) for one in about if one.get("Effect") == "Deny"]
    if [] in denying or not allowing:
        message = (
            f"The role {role} does not let S3 assume it. Let its trust policy allow sts:AssumeRole to the service "
            f"{_SERVICE}, and deny it nowhere."
        )
        return Check("role_trust", role, Status.FAILED, message, _NO_TRUST)
    conditional = denying if [] in allowing else [*allowing, *denying]
    doubts = sorted({key for keys in conditional for key in keys})
    if doubts:
        message = (
            f"The role {role} lets S3 assume it on conditions only ({', '.join(doubts)}). AWS does not document that "
            f"S3 sends these when it replicates; if it does not, every object fails with {_NO_TRUST}. Leave them out."
        )
        return Check("role_trust", role, Status.WARNING, message)
    return Check("role_trust", role, Status.PASSED, f"The role {role} lets S3 assume it.")


def _names_service(statement: Document) -> bool:
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping):
        return principal == "*"
    return _SERVICE in texts(principal.get("Service")) or "*" in texts(principal.get("AWS"))


def _trust_doubts(statement: Document, account: str) -> list[str]:
    """The conditions under which S3 may assume the role, without those that hold whether their key is sent or not."""
    return [
        key
        for operator, key, values in conditions(statement)
        if not (
            key.lower() == "aws:sourceaccount"
            and operator.lower().endswith("ifexists")
            and compare(plain(operator), account, values)
        )
    ]


def _condition_keys(statement: Document) -> list[str]:
    return [key for _operator, key, _values in conditions(statement)]


# --- policies of buckets -------------------------------------------------------------------------------------


def _policy_checks(end: End, link: Link, world: _World) -> Iterator[Check]:
    address, role = world.at(end, "bucket_policy"), role_arn(link, world.accounts)
    why = None if world.will_be_made(end) else world.unseen(address)
    if why:
        yield _unknown("bucket_policy", end.bucket, f"The policy of bucket '{end.bucket}'", why)
        return
    own = bucket_arn(end, world.account(end).partition)
    needs = [need for need in _needs(link, world) if need.resource.split("/", 1)[0] == own]
    found = denials(world.seen(address), role, needs)
    if not found:
        message = f"The policy of bucket '{end.bucket}' denies the role {role} nothing that it needs."
        yield Check("bucket_policy", end.bucket, Status.PASSED, message)
    yield from (_denial_check(denial, end, role) for denial in found)


def _denial_check(denial: Denial, end: End, role: str) -> Check:
    where = f"{denial.name} in the policy of bucket '{end.bucket}'"
    actions = ", ".join(denial.actions)
    exempt = f'exempt the role in that statement with "ArnNotLike": {{"aws:PrincipalArn": "{role}"}}'
    if denial.doubts:
        message = (
            f"{where} may deny the role {role} {actions}, which depends on {', '.join(denial.doubts)}. "
            f"If that is not meant, {exempt}."
        )
        return Check("bucket_policy", end.bucket, Status.WARNING, message)
    if denial.places:
        message = (
            f"{where} denies the role {role} {actions} unless the request comes from where {', '.join(denial.places)} "
            "says. S3 replicates from inside AWS and never through a VPC endpoint or from an address of yours: "
            f"{exempt}."
        )
    else:
        message = f"{where} denies the role {role} {actions}, whatever else allows it. Narrow it, or {exempt}."
    status = Status.WARNING if denial.actions == (_ANNOTATIONS,) else Status.FAILED
    return Check("bucket_policy", end.bucket, status, message, _code(denial.actions))
