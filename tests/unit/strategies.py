# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Pairs as users may declare them, and AWS as it may be found: empty, foreign, ours, or ours and changed by hand."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple

from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.access_points import (
    BLOCKS,
    READY,
    AccessPoint,
    Member,
    access_point_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import (
    Subscription,
    Topics,
    topics_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import AlarmSettings, OpsItems, alarms_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.bucket_options import (
    OWNERSHIPS,
    AccessLog,
    BucketOptions,
    options_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboard_body import dashboards_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboards import (
    DashboardSettings,
    dashboard_body,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.event_targets import EventSettings, events_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.lifecycle_rules import Tiering
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.log_bucket import (
    TRANSITION_CLASSES,
    LockMode,
    LogFiles,
    ObjectLock,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.merging import owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    STORAGE_CLASSES,
    UNSEEN,
    Account,
    Accounts,
    Address,
    Direction,
    Document,
    End,
    InvalidInput,
    Observation,
    Pair,
    RoleSettings,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.operations import (
    Place,
    Runbook,
    addresses,
    runbook_wish,
    state_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    GAP_FROM,
    GAP_UNTIL,
    Intent,
    leftovers,
    pair_addresses,
    pair_removal_wish,
    pair_wish,
    without_overlap,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.selectors import DataEvents, RecordedPair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import Trail, trail_wish
from ansible_collections.crossregion.s3_dr.tests.unit.samples import ACCOUNTS, DR, a_scheduled_drill, address, drilled

REGIONS_OF = {
    "aws": ("us-east-1", "us-west-2", "eu-central-1"),
    "aws-us-gov": ("us-gov-west-1", "us-gov-east-1"),
}
REGIONS = [region for regions in REGIONS_OF.values() for region in regions]
accounts = st.sampled_from([Account("111122223333"), Account("444455556666", "aws-us-gov")])
words = st.sampled_from(["abc", "abc-d", "abcd", "x0y1z2", "zzz"])
statuses = st.sampled_from(["Enabled", "Disabled"])
classes = st.none() | st.sampled_from(STORAGE_CLASSES)


# --- pairs ---------------------------------------------------------------------------------------------------


class Declared(NamedTuple):
    """A pair, and whose its buckets are."""

    pair: Pair
    accounts: Accounts


PAIR_TRAITS = (
    "two_way",
    "same_region",
    "two_accounts",
    "not_ours",  # the DR bucket, of a pair that never replicates out of it
    "kms",
    "more_keys",
    "object_lock",
    "own_role",
    "own_role_back",
    "account_ids",
)
RULE_TRAITS = (
    "disabled",
    "prefix",
    "tag",
    "tags",
    "delete_markers",
    "reverse_delete_markers",
    "modifications",
    "no_modifications",
    "unobserved",
    "rtc",
    "kms_objects",
    "no_kms_objects",
    "owner_override",
    "cheaper",
    "other_key",
    "further",
)
ROLE_SETTINGS = (
    RoleSettings(),
    RoleSettings("{source_bucket}+{destination_bucket}", "/replication/", annotations=False),
    RoleSettings(
        "to-{destination}",
        permissions_boundary="arn:aws:iam::111122223333:policy/fence",
        tags=(("cost", "shared"), ("team", "red")),
    ),
)


@st.composite
def declared(draw: st.DrawFn, *always: str) -> Declared:
    """Any pair that a user may declare, and whose its buckets may be.

    Args:
        always: traits that the pair has in any case; the others are drawn. A trait that contradicts another is left.
    """
    traits = {*always, *draw(st.sets(st.sampled_from(PAIR_TRAITS)))}
    partition = draw(st.sampled_from(sorted(REGIONS_OF)))
    here, there = draw(st.sampled_from(list(permutations(REGIONS_OF[partition], 2))))
    there = here if "same_region" in traits else there
    ours = "two_way" in traits or "not_ours" not in traits
    home = Account("111122223333", partition)
    away = Account("222233334444", partition, ours) if "two_accounts" in traits else home
    primary = _end(draw, draw(words) + "-primary", here, home, traits)
    dr = _end(draw, draw(words) + "-dr", there, away, traits)
    further_account = draw(st.sampled_from([home, away, Account("333344445555", partition, ours=False)]))
    further = _end(draw, "further", there, further_account, traits)
    whose = {primary.bucket: home, dr.bucket: away, further.bucket: further_account}
    primary, dr = _leaving_ends(primary, dr, whose, traits)
    pair = Pair(
        name=draw(st.sampled_from(["o", "orders", "orders-eu", "A_b.c-9", "p" * 39])),
        primary=primary,
        dr=dr,
        rules=draw(_rules(primary, dr, further, whose)),
        direction=Direction.TWO_WAY if "two_way" in traits else Direction.ONE_WAY,
        allow_same_region="same_region" in traits,
        roles=draw(st.sampled_from(ROLE_SETTINGS)),
    )
    return Declared(pair, {end.bucket: whose[end.bucket] for end in pair.ends()})


def pairs() -> st.SearchStrategy[Pair]:
    """Any pair that a user may declare."""
    return declared().map(lambda found: found.pair)


def _end(draw: st.DrawFn, bucket: str, region: str, account: Account, traits: set[str]) -> End:
    return End(
        bucket,
        region,
        draw(classes),
        kms_key_arn=_key(region, account, bucket) if "kms" in traits else None,
        object_lock="object_lock" in traits,
        account_id=account.id if "account_ids" in traits else None,
    )


def _key(region: str, account: Account, name: str) -> str:
    return f"arn:{account.partition}:kms:{region}:{account.id}:key/{name}"


def _leaving_ends(primary: End, dr: End, whose: Accounts, traits: set[str]) -> tuple[End, End]:
    """Both ends with what matters where objects leave: a further key, and a role of the user's."""
    ends = []
    for end, own_role in ((primary, "own_role"), (dr, "own_role_back")):
        account = whose[end.bucket]
        if "more_keys" in traits and "kms" in traits:
            end = replace(end, more_kms_key_arns=(_key(end.region, account, f"more-{end.bucket}"),))
        if own_role in traits:
            role = f"arn:{account.partition}:iam::{account.id}:role/theirs/{own_role}"
            end = replace(end, replication_role_arn=role)
        ends.append(end)
    return ends[0], ends[1]


@st.composite
def _rules(draw: st.DrawFn, primary: End, dr: End, further: End, whose: Accounts) -> tuple[Rule, ...]:
    """One to three rules with IDs and priorities of their own, the first of them to the DR bucket."""
    found = []
    for priority, rule_id in enumerate(draw(st.lists(words, min_size=1, max_size=3, unique=True))):
        traits = draw(st.sets(st.sampled_from(RULE_TRAITS), max_size=5))
        destination = _destination(traits - {"further"} if priority == 0 else traits, dr, further)
        rule = _rule(rule_id, priority, traits, destination)
        key = (destination or dr).kms_key_arn
        if key and traits & {"kms_objects", "no_kms_objects"}:
            rule = replace(rule, kms_objects="no_kms_objects" not in traits)
        if "owner_override" in traits and whose[(destination or dr).bucket].id != whose[primary.bucket].id:
            rule = replace(rule, owner_override=True)
        if primary.region.startswith("us-gov-") and rule.observation is Observation.METRICS_AND_RTC:
            rule = replace(rule, observation=Observation.METRICS)
        found.append(rule)
    return tuple(found)


def _rule(rule_id: str, priority: int, traits: set[str], destination: End | None) -> Rule:
    tags = (("team", "red"), ("tier", "")) if "tags" in traits else (("team", "red"),) if "tag" in traits else ()
    markers = not tags and "delete_markers" in traits
    return Rule(
        rule_id,
        priority,
        "b/c" if "prefix" in traits else "",
        tags,
        enabled="disabled" not in traits,
        delete_markers=markers,
        reverse_delete_markers=not markers and not tags if "reverse_delete_markers" in traits else None,
        observation=_observation(traits),
        replica_modifications=_choice(traits, "modifications", "no_modifications"),
        destination=destination,
    )


def _choice(traits: set[str], yes: str, no: str) -> bool | None:
    """True or False if the traits say so."""
    return yes in traits if traits & {yes, no} else None


def _observation(traits: set[str]) -> Observation:
    if "unobserved" in traits:
        return Observation.NONE
    return Observation.METRICS_AND_RTC if "rtc" in traits else Observation.METRICS


def _destination(traits: set[str], dr: End, further: End) -> End | None:
    if "further" in traits:
        return replace(further, storage_class="GLACIER_IR") if "cheaper" in traits else further
    if "cheaper" in traits:
        dr = replace(dr, storage_class="DEEP_ARCHIVE")
    if "other_key" in traits and dr.kms_key_arn:
        return replace(dr, kms_key_arn=f"{dr.kms_key_arn}-other")
    return dr if "cheaper" in traits else None


PAUSE_AT, RESUME_AT = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
intents = st.sampled_from(
    [
        Intent(now=RESUME_AT),
        Intent(paused=True, now=PAUSE_AT),
        Intent(purge=True, now=RESUME_AT),
        Intent(paused=True, purge=True, now=PAUSE_AT),
    ]
)


# --- what the modules wish -----------------------------------------------------------------------------------


@st.composite
def trails(draw: st.DrawFn) -> Trail:
    """A trail that records up to three pairs, with any settings of its log bucket."""
    region = draw(st.sampled_from(REGIONS))
    key = draw(st.sampled_from([None, *(_key(region, Account(f"{n}11122223333"), "logs") for n in (1, 9))]))
    log_bucket = End(draw(words) + "-logs", region, kms_key_arn=key)
    prefix = draw(st.sampled_from(["", "logs", "a/b"]))
    return Trail(draw(words), log_bucket, prefix, draw(recorded_pairs), draw(data_events), draw(log_files))


recorded_pairs = st.lists(words, max_size=3, unique=True).map(
    lambda names: tuple(RecordedPair(name, (f"{name}-primary", f"{name}-dr")) for name in names)
)
data_events = st.sampled_from(DataEvents)
log_files = st.builds(
    LogFiles,
    st.none() | st.integers(100, 200),
    st.none() | st.integers(30, 99),
    st.sampled_from(TRANSITION_CLASSES),
    st.none() | st.builds(ObjectLock, st.sampled_from(LockMode), years=st.integers(1, 3)),
)


@st.composite
def topics(draw: st.DrawFn) -> Topics:
    """Topics in one to three Regions, with up to two subscriptions, some of them encrypted."""
    regions = draw(st.lists(st.sampled_from(REGIONS), min_size=1, max_size=3, unique=True))
    protocols = draw(st.lists(st.sampled_from(["email", "sms"]), max_size=2, unique=True))
    encrypted = draw(st.lists(st.sampled_from(regions), unique=True))
    keys = {region: f"arn:aws:kms:{region}:111122223333:key/of-{region}" for region in encrypted}
    return Topics(draw(words), tuple(regions), tuple(Subscription(one, "someone") for one in protocols), keys)


alarm_settings = st.builds(
    AlarmSettings,
    st.just("alarms"),
    latency_seconds=st.sampled_from([900, 60]),
    bytes_pending=st.sampled_from([None, 0, 5]),
    operations_pending=st.sampled_from([0, 5]),
    ops_items=st.none() | st.builds(OpsItems, st.integers(1, 4)),
)


@st.composite
def alarms_wishes(draw: st.DrawFn, account: Account) -> Wish:
    """The alarms of a pair, with one that acts for all where CloudWatch takes that."""
    pair, settings = draw(pairs()), draw(alarm_settings)
    try:
        return alarms_wish(pair, replace(settings, composite=draw(st.booleans())), account)
    except InvalidInput:
        return alarms_wish(pair, settings, account)


MOMENTS = ("2026-11-23T14:03:22Z", "2026-11-23T14:04:03Z", "2026-11-24T00:00:00Z")


@st.composite
def verify_results(draw: st.DrawFn, *verdicts: str) -> dict[str, Any]:
    """What a verify may return, of a run that broke off too."""
    verdict = draw(st.sampled_from(verdicts or ("proven", "at_risk", "broken", "unknown")))
    if verdict == "unknown" and draw(st.booleans()):
        return {"msg": draw(st.text(max_size=3000)), "failed": True}
    measured = draw(st.sampled_from(MOMENTS))
    return {
        "verdict": verdict,
        "problems": draw(st.lists(st.text(max_size=600), max_size=30)),
        "summary": draw(st.lists(st.text(max_size=600), max_size=2)),
        "prefixes": draw(st.sampled_from([[], [], ["a/"]])),
        "evidence": draw(st.none() | st.text(max_size=3000)),
        "recovery": draw(
            st.none()
            | st.fixed_dictionaries(
                {
                    "measured_at": st.just(measured),
                    "recovery_point": st.just(MOMENTS[0]),
                    "rpo_seconds": st.integers(0, 10**6),
                    "rpo_target_seconds": st.just(900),
                }
            )
        ),
        "comparisons": [{"began": measured}],
    }


@st.composite
def operations_wishes(draw: st.DrawFn, account: Account) -> Wish:
    """What Systems Manager should hold of a pair that is not proven, in two Regions that hold nothing."""
    regions = tuple(REGIONS[:2])
    place = Place(draw(words), regions, ops_item_region=regions[1])
    result = draw(st.none() | verify_results("at_risk", "broken", "unknown"))
    runbook = Runbook(regions, function=draw(words))
    wish: dict[Address, Document] = {}
    for region in regions:
        observed = dict.fromkeys(addresses(place, account, region))
        told, _unwanted = state_wish(place, account, region, result, observed)
        wish |= {**told, **runbook_wish(runbook, account, region)}
    return wish


@st.composite
def events_wishes(draw: st.DrawFn, account: Account, target: str | None = None, *, encrypted: bool = False) -> Wish:
    """Where the failures of a pair should be told, with a key in each Region or without."""
    pair = draw(pairs())
    keys = {region: f"arn:aws:kms:{region}:{account.id}:key/of-events" for region in REGIONS}
    target = target or draw(st.sampled_from(["sqs", "sns"]))
    settings = EventSettings(target, kms_key_arns=keys if encrypted or draw(st.booleans()) else {})
    return events_wish(pair, settings, {end.bucket: account for end in pair.ends()}, {})


def dashboards_wishes(account: Account) -> st.SearchStrategy[Wish]:
    """The dashboard of a pair."""
    settings = st.builds(DashboardSettings, request_metrics_filter_id=st.none() | st.just("all"))
    bodies = st.builds(lambda pair, chosen: dashboard_body([pair], account, chosen), pairs(), settings)
    return bodies.map(lambda body: dashboards_wish({"s3-dr": body}, account))


@st.composite
def access_points_wishes(draw: st.DrawFn, account: Account) -> Wish:
    """An access point of up to three Regions, with up to two statements of its policy."""
    regions = draw(st.lists(st.sampled_from(REGIONS), min_size=1, max_size=3, unique=True))
    sids = draw(st.lists(words, min_size=1, max_size=2, unique=True))
    point = AccessPoint(
        draw(words),
        tuple(Member(f"bucket-in-{region}", region) for region in regions),
        draw(st.dictionaries(st.sampled_from(BLOCKS), st.booleans())),
        tuple(_statement(sid) for sid in sids),
        draw(st.sampled_from([(), ("gone",)])),
    )
    return access_point_wish(point, account, draw(st.sampled_from([None, {"Alias": "mabc.mrap"}])))


def _statement(sid: str) -> Document:
    of = {"abc": "arn:aws:s3::111122223333:accesspoint/mabc.mrap"}.get(sid, "{access_point}")
    principal = {"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::222233334444:root"]}
    actions = ["s3:PutObject", "s3:GetObject"]
    return {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": f"{of}/object/*"}


@st.composite
def pair_wishes(draw: st.DrawFn, *traits: str) -> Wish:
    """What a pair wishes of an AWS that holds nothing."""
    pair, whose = draw(declared(*traits))
    return pair_wish(pair, whose, dict.fromkeys(pair_addresses(pair, whose)), draw(intents))


def _module_wishes(account: Account) -> dict[str, st.SearchStrategy[Wish]]:
    """What each module may wish."""
    return {
        "pair": pair_wishes(),
        "alarms": alarms_wishes(account),
        "trail": trails().map(lambda trail: trail_wish(trail, account)),
        "topics": topics().map(lambda wanted: topics_wish(wanted, account)),
        "operations": operations_wishes(account),
        "events": events_wishes(account),
        "dashboards": dashboards_wishes(account),
        "access points": access_points_wishes(account),
    }


def wishes(*modules: str) -> st.SearchStrategy[Wish]:
    """All that one of the modules, or any module, may wish."""
    by_module = accounts.map(_module_wishes)
    return by_module.flatmap(lambda found: st.one_of(*(found[one] for one in modules or found)))


def ours(kind: str) -> st.SearchStrategy[Document]:
    """A document of the kind, as a pair, a trail or topics wish it."""
    if kind == "bucket_contents":
        return st.just({})
    module = next((module for start, module in _MODULES.items() if kind.startswith(start)), "pair")
    found = _WISHES[kind] if kind in _WISHES else wishes(module)
    return found.map(lambda wish: _of_kind(wish, kind)).filter(bool).flatmap(st.sampled_from)


_MODULES = {
    "metric_alarm": "alarms",
    "composite_alarm": "alarms",
    "trail": "trail",
    "bucket_public_access_block": "trail",
    "bucket_encryption": "trail",
    "bucket_lifecycle": "trail",
    "sns": "topics",
    "bucket_notification": "events",
    "ssm": "operations",
    "ops_item": "operations",
    "cloudwatch_dashboard": "dashboards",
    "multi_region_access_point": "access points",
}
_QUEUES = accounts.flatmap(lambda account: events_wishes(account, "sqs", encrypted=True))
_DRILLS = st.builds(
    lambda **settings: _without_code(drilled(a_scheduled_drill(**settings))),
    schedule=st.sampled_from(["rate(1 day)", "cron(0 3 * * ? *)"]),
    flexible_minutes=st.sampled_from([0, 15]),
    enabled=st.booleans(),
    memory_mb=st.integers(256, 2048),
    concurrency=st.integers(1, 40),
    reserved_concurrency=st.integers(1, 100),
    tracing=st.booleans(),
    ops_items=st.booleans(),
)
_OPTIONS = st.builds(
    lambda **settings: options_wish(DR, ACCOUNTS, BucketOptions(**settings)),
    accelerate=st.booleans(),
    ownership=st.sampled_from(OWNERSHIPS),
    access_log=st.builds(AccessLog, st.sampled_from([None, "example-logs"]), st.sampled_from(["", "orders/"])),
    tags=st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]), min_size=1),
    removed_tags=st.sampled_from([(), ("theirs",)]),
    tiering=st.builds(
        Tiering,
        st.just("cold"),
        tags=st.sampled_from([(), (("a", "1"),), (("a", "1"), ("b", "2"))]),
        archive_days=st.integers(90, 99),
        deep_archive_days=st.none() | st.just(180),
    ).map(lambda one: (one,)),
)
_CORS = st.lists(
    st.builds(
        lambda methods, origin: {"AllowedMethods": methods, "AllowedOrigins": [origin]},
        st.sampled_from([["GET"], ["GET", "PUT"]]),
        st.sampled_from(["*", "https://example.com"]),
    ),
    min_size=1,
    max_size=2,
    unique_by=repr,
)
_WISHES = {
    "bucket_cors": _CORS.map(lambda rules: {address("bucket_cors", DR.bucket): {"CORSRules": rules}}),
    **dict.fromkeys(
        ("bucket_accelerate", "bucket_ownership", "bucket_logging", "bucket_tags", "bucket_tiering"), _OPTIONS
    ),
    **dict.fromkeys(
        ("iam_managed_policy", "log_group", "lambda_function", "function_concurrency", "state_machine", "schedule"),
        _DRILLS,
    ),
    "sqs_queue": _QUEUES,
    "sqs_queue_encryption": _QUEUES,
    "sqs_queue_policy": _QUEUES,
    "bucket_policy": st.one_of(pair_wishes("two_accounts", "two_way"), wishes("trail")),
    "kms_key_policy": st.one_of(pair_wishes("kms"), wishes("trail")),
    "bucket_object_lock": st.one_of(pair_wishes("object_lock"), wishes("trail")),
}


def _without_code(wish: Wish) -> Wish:
    """JSON, by which these tests change a document by hand, has no bytes."""
    return {at: {name: one for name, one in document.items() if name != "ZipFile"} for at, document in wish.items()}


def _of_kind(wish: Wish, kind: str) -> list[Document]:
    return [document for address, document in wish.items() if address.kind == kind]


# --- what others may have put there --------------------------------------------------------------------------


@st.composite
def foreign_rules(draw: st.DrawFn) -> list[Document]:
    """Rules of the new schema, with IDs and priorities that no pair has."""
    filters: list[Document] = [
        {},
        {"Prefix": ""},
        {"Prefix": "x/"},
        {"Tag": {"Key": "k", "Value": "v"}},
        {"And": {"Prefix": "y/", "Tags": [{"Key": "k", "Value": "v"}, {"Key": "a", "Value": "b"}]}},
        {"And": {"Prefix": "y/"}},
    ]
    found = []
    for number in range(draw(st.integers(1, 3))):
        rule: dict[str, Any] = {
            "ID": f"theirs {number}",
            "Priority": 1000 + number,
            "Status": draw(statuses),
            "Filter": draw(st.sampled_from(filters)),
            "Destination": {"Bucket": f"arn:aws:s3:::theirs-{number}", "Account": "999999999999"},
        }
        if draw(st.booleans()):
            rule["DeleteMarkerReplication"] = {"Status": draw(statuses)}
        if draw(st.booleans()):
            rule["ExistingObjectReplication"] = {"Status": draw(statuses)}
        found.append(rule)
    return found


@st.composite
def foreign_statements(draw: st.DrawFn) -> list[Document]:
    """Policy statements as people write them: single values or lists, with or without a Sid."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        statement: dict[str, Any] = {
            "Effect": draw(st.sampled_from(["Allow", "Deny"])),
            "Principal": draw(st.sampled_from(["*", {"AWS": ["a", "b"]}, {"AWS": "a", "Service": "s"}])),
            "Action": draw(st.sampled_from(["s3:*", ["s3:GetObject", "s3:PutObject"]])),
            "Resource": draw(st.sampled_from(["*", ["arn:1", "arn:2"]])),
        }
        if draw(st.booleans()):
            statement["Sid"] = f"Theirs{number}"
        if draw(st.booleans()):
            statement["Condition"] = {"Bool": {"aws:SecureTransport": draw(st.sampled_from([False, "false"]))}}
        found.append(statement)
    return found


def foreign_policies() -> st.SearchStrategy[Document]:
    """A policy without anything of ours."""
    versions = st.sampled_from(["2012-10-17", "2008-10-17"])
    return st.fixed_dictionaries({"Version": versions, "Statement": foreign_statements()})


@st.composite
def foreign_selectors(draw: st.DrawFn) -> list[Document]:
    """Advanced event selectors, one of them without a name."""
    return [
        {
            **({"Name": f"theirs {number}"} if number else {}),
            "FieldSelectors": [
                {"Field": "eventCategory", "Equals": ["Data"]},
                {"Field": "resources.type", "Equals": draw(st.sampled_from([["AWS::S3::Object"], ["X", "Y"]]))},
            ],
        }
        for number in range(draw(st.integers(1, 3)))
    ]


def foreign_encryptions() -> st.SearchStrategy[Document]:
    """Default encryptions as S3 tells them."""
    kinds = [{"SSEAlgorithm": "AES256"}, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "theirs"}]
    rule = st.fixed_dictionaries(
        {"ApplyServerSideEncryptionByDefault": st.sampled_from(kinds)},
        optional={
            "BucketKeyEnabled": st.booleans(),
            "BlockedEncryptionTypes": st.just({"EncryptionType": ["SSE-C"]}),
        },
    )
    return rule.map(lambda found: {"Rules": [found]})


@st.composite
def foreign_lifecycles(draw: st.DrawFn) -> Document:
    """Lifecycle rules of the old schema and the new, one of them without an ID."""
    scopes: list[Document] = [{"Prefix": ""}, {"Filter": {}}, {"Filter": {"Prefix": "x/"}}]
    rules = [
        {**({"ID": f"theirs {number}"} if number else {}), "Status": draw(statuses), **draw(st.sampled_from(scopes))}
        for number in range(draw(st.integers(1, 3)))
    ]
    size: list[Document] = [{}, {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}]
    return {"Rules": rules, **draw(st.sampled_from(size))}


@st.composite
def foreign_notifications(draw: st.DrawFn) -> Document:
    """Notifications of other events, and what goes to EventBridge."""
    rules = st.sampled_from([{}, {"Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}]}}}])
    events = st.sampled_from([["s3:ObjectCreated:*"], ["s3:ObjectRemoved:*", "s3:LifecycleTransition"]])
    more: list[Document] = [{}, {"EventBridgeConfiguration": {}}]
    return {
        "QueueConfigurations": [{"Id": "theirs", "QueueArn": "arn:q", "Events": draw(events), **draw(rules)}],
        **draw(st.sampled_from(more)),
    }


def _ours_by_tag(document: Document, more: Document | None = None) -> Document:
    return {**document, "Tags": {**owner_tags(), "team": "red", **(more or {})}}


gaps = st.sampled_from(
    [
        {},
        {GAP_FROM: "2025-01-01T00:00:00Z", GAP_UNTIL: ""},
        {GAP_FROM: "2025-01-01T00:00:00Z", GAP_UNTIL: "2025-01-02T00:00:00Z"},
    ]
)
"""The tags of a role whose direction was never paused, is paused, and was paused."""
DELEGATING = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
        for account in ("111122223333", "222233334444")
    ],
}
"""A key's policy that leaves it to IAM who may use the key, as the default one does."""
_LOCKED_FOR_A_DAY = {
    "ObjectLockEnabled": "Enabled",
    "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
}
_BASIC = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}


def foreign(kind: str, mine: Document) -> st.SearchStrategy[Document]:
    """What AWS may hold without our part, and beside which our part can stand."""
    flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    table: dict[str, st.SearchStrategy[Any]] = {
        "bucket": st.just(mine),
        "bucket_contents": st.just({"versions": 1, "bytes": 0, "delete_markers": 0, "uploads": 0}),
        "bucket_object_lock": st.sampled_from([{"ObjectLockEnabled": "Enabled"}, _LOCKED_FOR_A_DAY]),
        "kms_key_policy": foreign_policies() | st.just(DELEGATING),
        "bucket_versioning": st.sampled_from(["Enabled", "Suspended"]).map(lambda status: {"Status": status}),
        "bucket_public_access_block": st.fixed_dictionaries({flag: st.booleans() for flag in flags}),
        "bucket_accelerate": st.sampled_from(["Enabled", "Suspended"]).map(lambda status: {"Status": status}),
        "bucket_ownership": st.sampled_from(OWNERSHIPS).map(lambda one: {"Rules": [{"ObjectOwnership": one}]}),
        "bucket_logging": st.sampled_from([{}, {"TargetBucket": "b", "TargetPrefix": "p", "TargetGrants": []}]).map(
            lambda log: {"LoggingEnabled": log}
        ),
        "bucket_tags": st.just({"Tags": {"others": "1"}}),
        "bucket_cors": _CORS.map(lambda rules: {"CORSRules": rules}),
        "bucket_tiering": st.just({**mine, "Status": "Disabled"}),
        "bucket_encryption": foreign_encryptions(),
        "bucket_lifecycle": foreign_lifecycles(),
        "iam_role": gaps.map(lambda gap: _ours_by_tag({**mine, "Description": "changed by hand"}, gap)),
        "iam_role_policy": foreign_policies(),
        "bucket_policy": foreign_policies(),
        "bucket_replication": foreign_rules().map(lambda found: {"Role": mine.get("Role"), "Rules": found}),
        "trail": st.just(_ours_by_tag({**mine, "LogFileValidationEnabled": False})),
        "trail_logging": st.just({"IsLogging": True}),
        "trail_event_selectors": st.one_of(
            st.just({"EventSelectors": [_BASIC]}),
            foreign_selectors().map(lambda found: {"AdvancedEventSelectors": found}),
        ),
        "sns_topic": st.sampled_from([{"Tags": {}}, {"Tags": {"team": "red"}}]),
        "sns_topic_policy": foreign_policies(),
        "sqs_queue": st.sampled_from([{"Tags": {}}, {"Tags": {"team": "red"}}]),
        "sqs_queue_policy": foreign_policies(),
        "sqs_queue_encryption": st.just({"KmsMasterKeyId": "theirs"}),
        "bucket_notification": foreign_notifications(),
        "cloudwatch_dashboard": st.just({"Body": {"widgets": [], "start": "-P1D"}}),
        "sns_topic_encryption": st.sampled_from(["alias/aws/sns", "alias/mine"]).map(
            lambda key: {"KmsMasterKeyId": key}
        ),
        "sns_subscription": st.sampled_from(["PendingConfirmation", "arn:a"]).map(
            lambda arn: {**mine, "SubscriptionArn": arn}
        ),
        "ssm_parameter": st.just(_ours_by_tag({**mine, "Value": "changed by hand"})),
        "ssm_document": st.just(_ours_by_tag({**mine, "Content": {}})),
        "ops_item": st.just({**mine, "Severity": "4"}),
        "iam_managed_policy": foreign_policies().map(lambda found: _ours_by_tag({"Policy": found, "Attached": False})),
        "log_group": st.just(_ours_by_tag({"RetentionInDays": 7})),
        "lambda_function": st.just(_ours_by_tag({**mine, "CodeSha256": "another", "Timeout": 3})),
        "function_concurrency": st.just({"ReservedConcurrentExecutions": 1}),
        "state_machine": st.just(_ours_by_tag({**mine, "Definition": {}})),
        "schedule": st.just({**mine, "State": "DISABLED"}),
        "multi_region_access_point": st.just(
            {
                **mine,
                "PublicAccessBlock": {**dict.fromkeys(BLOCKS, True), **mine.get("PublicAccessBlock", {})},
                "Status": READY,
                "Alias": "mabc.mrap",
            }
        ),
        "multi_region_access_point_policy": foreign_policies(),
        "metric_alarm": st.just({**mine, "Threshold": 7.0, "Unit": "Count", "AlarmActions": []}),
        "composite_alarm": st.just({**mine, "AlarmRule": "FALSE", "ActionsEnabled": False}),
    }
    return table[kind]


def theirs(kind: str, mine: Document) -> st.SearchStrategy[Document | None]:
    """What AWS may hold: nothing, foreign things, our part beside them, or our part changed by hand."""
    found = foreign(kind, mine)
    built = found.map(lambda document: KINDS[kind].put(mine, document))
    return st.none() | found | built | built.map(_changed_by_hand)


def _changed_by_hand(document: Document) -> Document:
    """Something of ours has another value."""
    text = json.dumps(document)
    for before, after in (
        ('"Disabled"', '"Enabled"'),
        ('"s3:PutObject"', '"s3:GetObject"'),
        ('"kms:Encrypt"', '"kms:*"'),
        (": 900.0", ": 901.0"),
    ):
        text = text.replace(before, after)
    return dict(json.loads(text))


@st.composite
def merges(draw: st.DrawFn, kind: str) -> tuple[Document, Document | None]:
    """Our part of a document, and what AWS holds."""
    mine = draw(ours(kind))
    return mine, draw(theirs(kind, mine))


@st.composite
def worlds(draw: st.DrawFn, wish: Wish) -> Observed:
    """What AWS may hold for each address of a wish."""
    return {address: draw(theirs(address.kind, mine)) for address, mine in wish.items()}


@st.composite
def pair_worlds(draw: st.DrawFn, found: Declared) -> Observed:
    """What AWS may hold for all that a pair reads, and what the credentials may not read of it."""
    nothing = dict.fromkeys(pair_addresses(*found))
    mine = {**pair_removal_wish(*found, nothing), **pair_wish(*found, nothing)}
    return {address: draw(_held(address, mine.get(address))) for address in nothing}


def _held(address: Address, mine: Document | None) -> st.SearchStrategy[Document | None]:
    if address.kind == "kms_key_policy":  # a key has a policy as long as it exists
        return _unseen | theirs(address.kind, mine or {"Statement": []}).filter(bool)
    if address.kind == "bucket_policy":
        return _unseen | theirs(address.kind, mine or _NO_STATEMENTS)
    if mine is None:  # what is read and never ours: a role of the user's, Object Lock that nobody asked for
        return st.none() | foreign(address.kind, _THEIR_ROLE)
    return theirs(address.kind, mine)


_THEIR_ROLE: Document = {"Path": "/theirs/", "Description": "", "AssumeRolePolicyDocument": {}, "Tags": {}}
_NO_STATEMENTS: Document = {"Version": "2012-10-17", "Statement": []}
_unseen = st.just({UNSEEN: "these credentials may not read it"})


@st.composite
def wishes_and_worlds(draw: st.DrawFn) -> tuple[Wish, Observed]:
    """All that one module may wish, and what AWS may hold."""
    if draw(st.booleans()):
        wish = draw(wishes("alarms", "trail", "topics", "operations", "events", "access points"))
        return wish, draw(worlds(wish))
    found = draw(declared())
    world = draw(pair_worlds(found))
    wish, _unwanted = without_overlap(pair_wish(*found, world, draw(intents)), leftovers(*found, world))
    return wish, world


dice = st.integers(0, 99).map(random.Random)
"""A source of random choices. Hypothesis' own would record each throw, which takes long."""


def shuffled(document: Any, dice: random.Random) -> Any:
    """The same document with all its lists and mappings in another order, however deep."""
    if isinstance(document, dict):
        items = [(key, shuffled(value, dice)) for key, value in document.items()]
        return dict(dice.sample(items, len(items)))
    if isinstance(document, list):
        return dice.sample([shuffled(one, dice) for one in document], len(document))
    return document
