# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Pairs as users may declare them, and AWS as it may be found: empty, foreign, ours, or ours and changed by hand."""

from __future__ import annotations

import json
import random
from itertools import permutations
from typing import Any

from hypothesis import strategies as st

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    AlarmSettings,
    Subscription,
    Topics,
    alarms_wish,
    topics_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.kinds import KINDS, owner_tags
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    STORAGE_CLASSES,
    Account,
    Direction,
    Document,
    End,
    Observation,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import pair_wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import RecordedPair, Trail, trail_wish

REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "us-gov-west-1")
accounts = st.sampled_from([Account("111122223333"), Account("444455556666", "aws-us-gov")])
words = st.sampled_from(["abc", "abc-d", "abcd", "x0y1z2", "zzz"])
statuses = st.sampled_from(["Enabled", "Disabled"])


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    """One to three rules with IDs and priorities of their own."""
    ids = draw(st.lists(words, min_size=1, max_size=3, unique=True))
    return tuple(
        Rule(
            rule_id,
            priority,
            draw(st.sampled_from(["", "a/", "b/c"])),
            draw(st.booleans()),
            draw(st.booleans()),
            draw(st.sampled_from(Observation)),
        )
        for priority, rule_id in enumerate(ids)
    )


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Any pair that a user may declare."""
    same_region = draw(st.booleans())
    regions = draw(st.sampled_from(list(permutations(REGIONS, 2))))
    classes = st.none() | st.sampled_from(STORAGE_CLASSES)
    return Pair(
        name=draw(st.sampled_from(["o", "orders", "orders-eu", "A_b.c-9", "p" * 39])),
        primary=End(draw(words) + "-primary", regions[0], draw(classes)),
        dr=End(draw(words) + "-dr", regions[0 if same_region else 1], draw(classes)),
        rules=draw(rules()),
        direction=draw(st.sampled_from(Direction)),
        allow_same_region=same_region,
    )


@st.composite
def trails(draw: st.DrawFn) -> Trail:
    """A trail that records up to three pairs."""
    names = draw(st.lists(words, max_size=3, unique=True))
    recorded = tuple(RecordedPair(name, (f"{name}-primary", f"{name}-dr")) for name in names)
    log_bucket = End(draw(words) + "-logs", draw(st.sampled_from(REGIONS)))
    return Trail(draw(words), log_bucket, draw(st.sampled_from(["", "logs", "a/b"])), recorded)


@st.composite
def topics(draw: st.DrawFn) -> Topics:
    """Topics in one to three Regions, with up to two subscriptions."""
    regions = draw(st.lists(st.sampled_from(REGIONS), min_size=1, max_size=3, unique=True))
    protocols = draw(st.lists(st.sampled_from(["email", "sms"]), max_size=2, unique=True))
    return Topics(draw(words), tuple(regions), tuple(Subscription(one, "someone") for one in protocols))


def _module_wishes(account: Account) -> dict[str, st.SearchStrategy[Wish]]:
    """What each module may wish."""
    return {
        "pair": pairs().map(lambda pair: pair_wish(pair, account)),
        "alarms": pairs().map(lambda pair: alarms_wish(pair, AlarmSettings("alarms"), account)),
        "trail": trails().map(lambda trail: trail_wish(trail, account)),
        "topics": topics().map(lambda wanted: topics_wish(wanted, account)),
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
    return wishes(module).map(lambda wish: _of_kind(wish, kind)).filter(bool).flatmap(st.sampled_from)


_MODULES = {
    "metric_alarm": "alarms",
    "trail": "trail",
    "bucket_policy": "trail",
    "bucket_public_access_block": "trail",
    "sns": "topics",
}


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


def _ours_by_tag(document: Document) -> Document:
    return {**document, "Tags": {**owner_tags(), "team": "red"}}


_BASIC = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}


def foreign(kind: str, mine: Document) -> st.SearchStrategy[Document]:
    """What AWS may hold without our part, and beside which our part can stand."""
    flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    table: dict[str, st.SearchStrategy[Any]] = {
        "bucket": st.just(mine),
        "bucket_contents": st.just({"versions": 1, "bytes": 0, "delete_markers": 0, "uploads": 0}),
        "bucket_versioning": st.sampled_from(["Enabled", "Suspended"]).map(lambda status: {"Status": status}),
        "bucket_public_access_block": st.fixed_dictionaries({flag: st.booleans() for flag in flags}),
        "iam_role": st.just(_ours_by_tag({**mine, "Description": "changed by hand"})),
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
        "sns_subscription": st.just(mine),
        "metric_alarm": st.just({**mine, "Threshold": 7.0, "Unit": "Count", "AlarmActions": []}),
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
    for before, after in (('"Disabled"', '"Enabled"'), ('"s3:PutObject"', '"s3:GetObject"'), (": 900.0", ": 901.0")):
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
def wishes_and_worlds(draw: st.DrawFn) -> tuple[Wish, Observed]:
    """All that one module may wish, and what AWS may hold."""
    wish = draw(wishes())
    return wish, draw(worlds(wish))


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
