# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""From the documents that AWS holds back to a pair: what would have to be declared for a plan to change nothing.

It goes in three moves: each rule is read by itself with every choice spelled out, what all rules of an end share is
lifted to that end, and what a pair means without saying so is left unsaid.

Source: S3 User Guide, "Replication configuration file elements".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from .foreign import selected_by
from .kinds import canonical
from .merging import OWNER_TAG, is_ours
from .model import (
    Account,
    Accounts,
    Direction,
    Document,
    End,
    InvalidInput,
    Link,
    Observation,
    Pair,
    Refused,
    RoleSettings,
    Rule,
)
from .plan import Observed, Wish, plan
from .policies import source_actions
from .replication import (
    GAP_FROM,
    GAP_UNTIL,
    Intent,
    bucket_address,
    leftovers,
    pair_removal_wish,
    pair_wish,
    role_address,
    role_arn,
    without_overlap,
    without_roles_in_use,
)
from .rules import rule_document

_NOT_THE_USERS_TAGS = (OWNER_TAG, "s3-dr-pair", GAP_FROM, GAP_UNTIL)


class State(StrEnum):
    """What AWS holds of a pair. Whole means that a plan for the pair as it was found has no steps."""

    PRESENT = "present"
    PAUSED = "paused"
    ABSENT = "absent"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Found:
    """A pair as AWS holds it.

    Attributes:
        pair: None when the primary's bucket has no rule of the pair.
        foreign_rules: the rules of both buckets that `pair` does not say: each with `bucket`, `rule` and `reason`.
        ends: by `primary` and `dr`, what `end_facts` gives.
    """

    pair: Pair | None
    state: State
    foreign_rules: tuple[dict[str, Any], ...]
    ends: Mapping[str, dict[str, Any]]


def pair_as_found(
    pair: Pair,
    accounts: Accounts,
    observed: Observed,
    regions_of_further_buckets: Mapping[str, str],
    rule_ids: Collection[str] | None = None,
) -> Found:
    """The pair that AWS holds between two buckets.

    Args:
        pair: names the ends; of what AWS cannot tell, what it says stays.
        observed: what AWS holds for all addresses of `pair_addresses`.
        regions_of_further_buckets: where the other buckets are to which rules replicate; rules to others stay unsaid.
        rule_ids: the IDs of the pair's rules; None: every rule that can be said is the pair's.
    """
    out, back = pair.both_links()
    places = _places(pair, documents_of(out, accounts, observed), regions_of_further_buckets)
    going = [rule for rule in _rules(documents_of(out, accounts, observed), places) if _is_named(rule, rule_ids)]
    with_way_back = {rule.id for rule in going if _arrival(rule).bucket == pair.dr.bucket}
    toward_primary = _rules(documents_of(back, accounts, observed), {pair.primary.bucket: pair.primary})
    coming = {rule.id: rule for rule in toward_primary if rule.id in with_way_back}
    found = _assembled(pair, accounts, observed, going, coming)
    everyone = accounts if found is None else accounts_of_all(found, accounts)
    return Found(
        pair=found,
        state=_state(found, pair, everyone, observed),
        foreign_rules=tuple(_unsaid(found, pair, everyone, observed, rule_ids)),
        ends={name: end_facts(end, accounts, observed) for name, end in (("primary", pair.primary), ("dr", pair.dr))},
    )


def further_buckets(pair: Pair, accounts: Accounts, observed: Observed) -> list[str]:
    """The buckets to which rules of the primary's bucket replicate, and of which the declaration says nothing."""
    documents = documents_of(pair.both_links()[0], accounts, observed)
    declared = {end.bucket for end in pair.ends()}
    return [bucket for bucket in dict.fromkeys(map(bucket_of, documents)) if bucket not in declared]


def accounts_of_all(pair: Pair, accounts: Accounts) -> Accounts:
    """The accounts, with those of the further buckets: what their rule says, or the primary's."""
    primary = accounts[pair.primary.bucket]
    further: dict[str, Account] = {}
    for end in pair.ends():
        other = end.account_id not in (None, primary.id)
        further[end.bucket] = Account(str(end.account_id), primary.partition, ours=False) if other else primary
    return {**further, **accounts}


def end_facts(end: End, accounts: Accounts, observed: Observed) -> dict[str, Any]:
    """What AWS holds of an end: `bucket`, `region`, `account`, `exists`, `versioning`, `object_lock` and `rules`.

    `rules` is the number of all replication rules of the bucket. What the credentials cannot see is None.
    """
    at = bucket_address(end, accounts)
    seen = at in observed
    facts: dict[str, Any] = {"bucket": end.bucket, "region": end.region, "account": at.account}
    configuration = _held(end, "bucket_replication", accounts, observed)
    return {
        **facts,
        "exists": observed[at] is not None if seen else None,
        "versioning": _held(end, "bucket_versioning", accounts, observed).get("Status"),
        "object_lock": _has_lock(end, accounts, observed) if seen else None,
        "rules": len(configuration.get("Rules", [])) if seen else None,
    }


def documents_of(link: Link, accounts: Accounts, observed: Observed) -> list[Document]:
    """All rules of a link's source bucket."""
    return list(_held(link.source, "bucket_replication", accounts, observed).get("Rules", []))


def bucket_of(document: Document) -> str:
    """The name of the bucket to which a rule replicates."""
    return str(document["Destination"]["Bucket"]).rsplit(":", 1)[1]


def _held(end: End, kind: str, accounts: Accounts, observed: Observed) -> Document:
    return observed.get(bucket_address(end, accounts, kind)) or {}


def _has_lock(end: End, accounts: Accounts, observed: Observed) -> bool:
    return _held(end, "bucket_object_lock", accounts, observed).get("ObjectLockEnabled") == "Enabled"


# --- one rule ------------------------------------------------------------------------------------------------


def rule_from(document: Document, destination: End) -> Rule | None:
    """The rule with all that the document says spelled out, or None when a rule of a pair cannot say all of it.

    Args:
        destination: the end to which the document replicates; the rule's own has the document's class and key.
    """
    try:
        rule = _spelled_out(document, destination)
    except (InvalidInput, KeyError):  # a value that no pair has; or the old schema, which has no Filter
        return None
    return rule if _is_said_by(document, rule, destination) else None


def _spelled_out(document: Document, destination: End) -> Rule:
    target, selection = document["Destination"], document.get("SourceSelectionCriteria", {})
    prefix, tags = selected_by(document["Filter"])
    key = target.get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID")
    return Rule(
        id=document["ID"],
        priority=document.get("Priority", 0),
        prefix=prefix,
        tags=tuple(tags.items()),
        enabled=_is_on(document),
        delete_markers=_is_on(document.get("DeleteMarkerReplication", {})),
        observation=_observation(target),
        replica_modifications=_is_on(selection.get("ReplicaModifications", {})),
        kms_objects=_is_on(selection.get("SseKmsEncryptedObjects", {})),
        owner_override="AccessControlTranslation" in target,
        destination=replace(destination, storage_class=target.get("StorageClass"), kms_key_arn=key),
    )


def _observation(target: Document) -> Observation:
    if _is_on(target.get("ReplicationTime", {})):
        return Observation.METRICS_AND_RTC
    return Observation.METRICS if _is_on(target.get("Metrics", {})) else Observation.NONE


def _is_on(option: Document) -> bool:
    return option.get("Status") == "Enabled"


def _is_said_by(document: Document, rule: Rule, destination: End) -> bool:
    """Whether writing the rule gives the document again: so nothing is lost, not even what this collection ignores."""
    _arn, partition, _rest = document["Destination"]["Bucket"].split(":", 2)
    account = Account(document["Destination"].get("Account", ""), partition)
    alone = Link("", destination, destination, (rule,), two_way=False)
    return _meaning(rule_document(rule, alone, {destination.bucket: account})) == _meaning(document)


def _meaning(document: Document) -> Document:
    """What a rule of the new schema means, however its filter is written and what is off is left out."""
    configuration = canonical("bucket_replication", {"Role": "", "Rules": [document]}) or {}
    return {
        **configuration["Rules"][0],
        "Filter": _filter_meaning(document["Filter"]),
        "Destination": _switched_on(document["Destination"]),
        "SourceSelectionCriteria": _switched_on(document.get("SourceSelectionCriteria", {})),
    }


def _filter_meaning(rule_filter: Document) -> tuple[Any, ...]:
    unknown = (rule_filter.keys() | rule_filter.get("And", {}).keys()) - {"And", "Prefix", "Tag", "Tags"}
    return (*selected_by(rule_filter), sorted(unknown))


def _switched_on(options: Document) -> Document:
    off = [name for name, value in options.items() if isinstance(value, Mapping) and value.get("Status") == "Disabled"]
    return {name: value for name, value in options.items() if name not in off}


# --- all rules of a bucket -----------------------------------------------------------------------------------


def _rules(documents: Iterable[Document], places: Mapping[str, End]) -> list[Rule]:
    """The rules toward the places that can be said."""
    known = [document for document in documents if bucket_of(document) in places]
    return [rule for rule in (rule_from(one, places[bucket_of(one)]) for one in known) if rule]


def _is_named(rule: Rule, rule_ids: Collection[str] | None) -> bool:
    return rule_ids is None or rule.id in rule_ids


def _places(pair: Pair, documents: Iterable[Document], regions: Mapping[str, str]) -> dict[str, End]:
    """Where rules of the primary may replicate to, by the bucket's name: as declared, or else as AWS says."""
    places = {end.bucket: end for end in pair.ends() if end.bucket != pair.primary.bucket}
    targets = {bucket_of(one): one["Destination"]["Account"] for one in documents if "Account" in one["Destination"]}
    for bucket, region in regions.items():
        if bucket not in places:
            try:
                places[bucket] = End(bucket, region, account_id=targets.get(bucket))
            except InvalidInput:  # a name from before S3's present rules for names, which no pair can say
                continue
    return places


# --- the pair ------------------------------------------------------------------------------------------------


def _assembled(
    pair: Pair, accounts: Accounts, observed: Observed, going: list[Rule], coming: Mapping[str, Rule]
) -> Pair | None:
    """The pair of these rules; None when they make none."""
    out, back = pair.both_links()
    roles = _roles_found(pair, accounts, observed)
    try:
        primary = _primary_found(pair.primary, _source_keys(out, accounts, observed), list(coming.values()))
        dr = _dr_found(pair.dr, _source_keys(back, accounts, observed), going, coming)
        primary = _end_found(primary, out, roles, accounts, observed)
        dr = _end_found(dr, back, roles, accounts, observed)
        going = [replace(rule, destination=_with_lock(_arrival(rule), accounts, observed)) for rule in going]
        rules = [_condensed(rule, coming.get(rule.id), primary, dr, bool(coming)) for rule in going]
        return replace(
            pair,
            primary=primary,
            dr=dr,
            rules=tuple(rules),
            direction=Direction.TWO_WAY if coming else Direction.ONE_WAY,
            allow_same_region=pair.allow_same_region or _stays(rules, primary),
            roles=roles,
        )
    except InvalidInput:  # no rule, or none to the DR bucket
        return None


def _stays(rules: Iterable[Rule], primary: End) -> bool:
    return any(rule.destination is not None and rule.destination.region == primary.region for rule in rules)


def _condensed(rule: Rule, way_back: Rule | None, primary: End, dr: End, two_way: bool) -> Rule:
    """The rule without what it would mean unsaid."""
    destination = _own_destination(rule, dr)
    kms_and_defaults = [(rule.kms_objects, (destination or dr).kms_key_arn is not None)]
    if way_back is not None:
        kms_and_defaults.append((way_back.kms_objects, primary.kms_key_arn is not None))
    markers_differ = way_back is not None and way_back.delete_markers != rule.delete_markers
    return replace(
        rule,
        destination=destination,
        kms_objects=None if all(kms == default for kms, default in kms_and_defaults) else rule.kms_objects,
        replica_modifications=None if rule.replica_modifications == two_way else rule.replica_modifications,
        reverse_delete_markers=not rule.delete_markers if markers_differ else None,
    )


def _own_destination(rule: Rule, dr: End) -> End | None:
    """What a rule must say of its destination beside what the DR end says; a rule cannot take the end's key away."""
    arrival = _arrival(rule)
    if arrival.bucket != dr.bucket:
        return arrival
    key = arrival.kms_key_arn or dr.kms_key_arn
    own = replace(dr, storage_class=arrival.storage_class, kms_key_arn=key)
    return None if own == dr else own


def _arrival(rule: Rule) -> End:
    """Where a rule that is spelled out replicates to."""
    if rule.destination is None:
        raise AssertionError(f"rule '{rule.id}' is not spelled out")
    return rule.destination


def _with_lock(end: End, accounts: Accounts, observed: Observed) -> End:
    """The end with what AWS says of Object Lock, if that was asked."""
    if end.bucket not in accounts or bucket_address(end, accounts, "bucket_object_lock") not in observed:
        return end
    return replace(end, object_lock=_has_lock(end, accounts, observed))


# --- the ends ------------------------------------------------------------------------------------------------


def _primary_found(declared: End, keys: tuple[str, ...], coming: list[Rule]) -> End:
    """The primary, with the class and key of the replicas that come back, and the keys of its own objects."""
    if not coming:
        if keys and keys != declared.kms_keys():
            return replace(declared, kms_key_arn=keys[0], more_kms_key_arns=keys[1:])
        return declared
    arrivals = [_arrival(rule) for rule in coming]
    key = next((end.kms_key_arn for end in arrivals if end.kms_key_arn), None)
    return _with_keys(replace(declared, storage_class=arrivals[0].storage_class), key, keys or declared.kms_keys())


def _dr_found(declared: End, keys: tuple[str, ...], going: list[Rule], coming: Mapping[str, Rule]) -> End:
    """The DR end, with the class and the key on which all rules to it agree."""
    to_dr = [rule for rule in going if _arrival(rule).bucket == declared.bucket]
    classes = {_arrival(rule).storage_class for rule in to_dr}
    declared = replace(declared, storage_class=classes.pop() if len(classes) == 1 else None)
    if not any(rule.kms_objects for rule in coming.values()):
        return _with_keys(declared, _shared_key(to_dr, coming), declared.more_kms_key_arns)
    keys = keys or declared.kms_keys()
    key = _shared_key(to_dr, coming)
    # The end's key is also the first with which the way back may read: another one is the rules' own.
    return _with_keys(declared, key if keys[:1] in ((), (key,)) else None, keys)


def _shared_key(to_dr: Iterable[Rule], coming: Mapping[str, Rule]) -> str | None:
    """The key of all rules to the DR end, unless one of them could not say that it takes none."""
    keys = set()
    for rule in to_dr:
        if rule.kms_objects:
            keys.add(_arrival(rule).kms_key_arn)
        elif rule.id in coming and coming[rule.id].kms_objects:
            return None  # `kms_objects: false` would be said of the way back, too
    return keys.pop() if len(keys) == 1 else None


def _with_keys(end: End, key: str | None, keys: Iterable[str]) -> End:
    return replace(end, kms_key_arn=key, more_kms_key_arns=tuple(one for one in keys if one != key))


def _end_found(end: End, link: Link, roles: RoleSettings, accounts: Accounts, observed: Observed) -> End:
    """The end as the source of a link: its Object Lock, and its role if that is not ours."""
    role = _role_of_user(link, roles, accounts, observed)
    return replace(_with_lock(end, accounts, observed), replication_role_arn=role)


# --- the roles -----------------------------------------------------------------------------------------------


def _as_named(link: Link) -> Link:
    """The link as if the user had named no role."""
    return replace(link, source=replace(link.source, replication_role_arn=None))


def _role_made(link: Link, accounts: Accounts, observed: Observed) -> Document | None:
    """The role that the pair made for a direction, if the bucket's rules replicate as it."""
    link = _as_named(link)
    role = observed.get(role_address(link, accounts))
    if role is None or not is_ours(role):
        return None
    arn = role_arn(replace(link, roles=replace(link.roles, path=role["Path"])), accounts)
    return role if _role_in_use(link, accounts, observed) == arn else None


def _role_in_use(link: Link, accounts: Accounts, observed: Observed) -> str | None:
    return _held(link.source, "bucket_replication", accounts, observed).get("Role")


def _role_of_user(link: Link, roles: RoleSettings, accounts: Accounts, observed: Observed) -> str | None:
    """The role of a direction, if it is none that the pair would make."""
    in_use = _role_in_use(link, accounts, observed)
    if in_use is None:
        return link.source.replication_role_arn
    named = replace(_as_named(link), roles=roles)
    there = observed.get(role_address(named, accounts))
    return None if in_use == role_arn(named, accounts) and (there is None or is_ours(there)) else in_use


def _roles_found(pair: Pair, accounts: Accounts, observed: Observed) -> RoleSettings:
    """How the pair's roles are made. What the two directions do not share is left out, which leaves it as it is."""
    made = {link: role for link in pair.both_links() if (role := _role_made(link, accounts, observed))}
    if not made:
        return pair.roles
    boundaries = {role.get("PermissionsBoundary") for role in made.values()}
    first, *others = [role["Tags"].items() for role in made.values()]
    tags = [tag for tag in first if all(tag in other for other in others) and _is_users_tag(tag[0])]
    return replace(
        pair.roles,
        path=next(iter(made.values()))["Path"],
        permissions_boundary=boundaries.pop() if len(boundaries) == 1 else None,
        tags=tuple(sorted(tags)),
        annotations=all(_reads_annotations(link, accounts, observed) for link in made),
    )


def _is_users_tag(key: str) -> bool:
    """AWS keeps the prefix aws: to itself."""
    return key not in _NOT_THE_USERS_TAGS and not key.startswith("aws:")


def _reads_annotations(link: Link, accounts: Accounts, observed: Observed) -> bool:
    """Whether the role's policy has what only a pair with annotations wishes; without a policy, as declared."""
    statements = _statements(link, accounts, observed, "ReadVersionsOfSource")
    if not statements:
        return link.roles.annotations
    without, with_them = (
        set(source_actions(replace(link, roles=replace(link.roles, annotations=wish)), object_lock=False))
        for wish in (False, True)
    )
    return any(with_them - without <= set(statement.get("Action", ())) for statement in statements)


def _source_keys(link: Link, accounts: Accounts, observed: Observed) -> tuple[str, ...]:
    """The keys with which the role that the pair made may read the source's objects, in their order."""
    if _role_made(link, accounts, observed) is None:
        return ()
    statements = _statements(link, accounts, observed, "DecryptWithKeyOfSource")
    named = [key for statement in statements for key in statement.get("Resource", ())]
    return tuple(key for key in dict.fromkeys(named) if _is_key_for(link.source, key))


def _is_key_for(end: End, key: str) -> bool:
    try:
        return bool(replace(end, more_kms_key_arns=(key,)))
    except InvalidInput:
        return False


def _statements(link: Link, accounts: Accounts, observed: Observed, sid: str) -> list[Document]:
    """The statements of a made role's policy whose Sid begins so."""
    policy = observed.get(role_address(_as_named(link), accounts, "iam_role_policy")) or {}
    return [one for one in policy.get("Statement", []) if one.get("Sid", "").startswith(sid)]


# --- what does not fit ---------------------------------------------------------------------------------------


def _unsaid(
    found: Pair | None, pair: Pair, accounts: Accounts, observed: Observed, rule_ids: Collection[str] | None
) -> list[dict[str, Any]]:
    """The rules of both buckets that the pair as it was found does not say, and why."""
    said = {} if found is None else _said(found, accounts)
    unsaid = []
    for link in pair.both_links():
        for document in documents_of(link, accounts, observed):
            mine = said.get((link.source.bucket, document.get("ID", "")))
            if mine is None or "Filter" not in document or _meaning(mine) != _meaning(document):
                reason = _reason(document, link, pair, said, rule_ids)
                unsaid.append({"bucket": link.source.bucket, "rule": document, "reason": reason})
    return unsaid


def _said(pair: Pair, accounts: Accounts) -> dict[tuple[str, str], Document]:
    """The pair's rules as documents, by the bucket and the ID."""
    return {
        (link.source.bucket, rule.id): rule_document(rule, link, accounts)
        for link in pair.links()
        for rule in link.rules
    }


def _reason(
    document: Document,
    link: Link,
    pair: Pair,
    said: Collection[tuple[str, str]],
    rule_ids: Collection[str] | None,
) -> str:
    rule_id, primary = document.get("ID", ""), pair.primary.bucket
    if rule_ids is not None and rule_id not in rule_ids:
        return "its ID is not among the declared `rules`"
    if link.source.bucket == primary:
        if not said and bucket_of(document) != pair.dr.bucket:
            return f"no rule beside it replicates to '{pair.dr.bucket}'"
        return "the options of a pair cannot say it"
    if bucket_of(document) != primary:
        return f"it does not replicate to '{primary}'"
    if (primary, rule_id) not in said:
        return f"'{primary}' has no rule of the same ID that is the pair's"
    return f"it differs from the rule of the same ID of '{primary}', and a pair has one for both directions"


# --- the state -----------------------------------------------------------------------------------------------


def _state(found: Pair | None, declared: Pair, accounts: Accounts, observed: Observed) -> State:
    if found is None:
        unwanted = pair_removal_wish(declared, accounts, observed)
        return State.PARTIAL if _has_steps({}, unwanted, observed) else State.ABSENT
    whole = not _differs(found, accounts, observed, Intent(now="now"))
    if not any(rule.enabled for rule in found.rules):
        paused = not _differs(found, accounts, observed, Intent(paused=True, now="now"))
        return State.PAUSED if whole or paused else State.PARTIAL
    return State.PRESENT if whole else State.PARTIAL


def _differs(found: Pair, accounts: Accounts, observed: Observed, intent: Intent) -> bool:
    """Whether the pair as it was found would be changed by declaring it so."""
    wish = pair_wish(found, accounts, observed, intent)
    build, unwanted = without_overlap(wish, leftovers(found, accounts, observed))
    return _has_steps(build, unwanted, observed)


def _has_steps(build: Wish, unwanted: Wish, observed: Observed) -> bool:
    """Of further buckets only the Region was asked, so they are left out."""
    build = {address: ours for address, ours in build.items() if address in observed}
    try:
        return bool(plan(build, observed, without_roles_in_use(unwanted, observed)))
    except Refused:
        return True
