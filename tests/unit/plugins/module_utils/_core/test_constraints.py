# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What AWS would refuse, or take and never do, is refused before AWS is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.constraints import (
    check_accounts,
    check_declaration,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Accounts,
    End,
    InvalidInput,
    Observation,
    Pair,
    Rule,
)
from ansible_collections.crossregion.s3_dr.tests.unit import strategies
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNTS,
    ARCHIVE,
    DR,
    EAST,
    KEYS,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    a_pair,
    everything,
    two_way,
)
from ansible_collections.crossregion.s3_dr.tests.unit.strategies import Declared

SOURCE = replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket])
ENCRYPTED = replace(DR, kms_key_arn=KEYS[DR.bucket])
ROLE = "arn:aws:iam::111122223333:role/replicator"
NOT_OURS: Accounts = {**ACCOUNTS, DR.bucket: replace(OTHER, ours=False)}


def to(end: End, **rule: Any) -> tuple[Rule, ...]:
    """A rule to the DR bucket, and one to another end."""
    return (Rule("r"), Rule("far", 2, destination=end, **rule))


def gov(end: str) -> dict[str, Any]:
    """Ends of which one is in GovCloud, and a rule with time control."""
    rules = (Rule("r", observation=Observation.METRICS_AND_RTC),)
    where = {"primary": PRIMARY, "dr": DR}
    return {"rules": rules, end: replace(where[end], region="us-gov-west-1")}


BAD: dict[str, tuple[Pair, str]] = {
    "a rule back to its own bucket": (
        a_pair(rules=to(replace(PRIMARY, storage_class="GLACIER"))),
        "rule 'far': its destination is 'example-orders', the bucket that it replicates from. Leave",
    ),
    "the DR bucket in two Regions": (
        a_pair(rules=to(replace(DR, region="eu-west-1"))),
        "rule 'far': bucket 'example-orders-dr' is in us-west-2 according to `dr`, and in eu-west-1",
    ),
    "a further bucket in the source's Region": (
        a_pair(rules=to(replace(ARCHIVE, region=EAST))),
        "rule 'far': its destination 'example-archive' is in us-east-1, as the source is.*Choose another Region",
    ),
    "time control in GovCloud at the primary": (
        a_pair(**gov("primary")),
        "rule 'r': S3 has no replication time control in us-gov-west-1. Write `observation: metrics`",
    ),
    "time control in GovCloud at the DR end": (a_pair(**gov("dr")), "no replication time control in us-gov-west-1"),
    "time control in GovCloud at a further bucket": (
        a_pair(rules=to(replace(ARCHIVE, region="us-gov-east-1"), observation=Observation.METRICS_AND_RTC)),
        "rule 'far': S3 has no replication time control in us-gov-east-1",
    ),
    "a further bucket in two Regions": (
        a_pair(rules=(*to(ARCHIVE), Rule("again", 3, destination=replace(ARCHIVE, region="eu-west-1")))),
        "rule 'again': bucket 'example-archive' is described differently elsewhere in this pair. Its `region`,",
    ),
    "a further bucket in two accounts": (
        a_pair(rules=(*to(ARCHIVE), Rule("again", 3, destination=replace(ARCHIVE, account_id=OTHER.id)))),
        "rule 'again': bucket 'example-archive' is described differently",
    ),
    "a further bucket with and without Object Lock": (
        a_pair(rules=(*to(ARCHIVE), Rule("again", 3, destination=replace(ARCHIVE, object_lock=True)))),
        "rule 'again': bucket 'example-archive' is described differently",
    ),
    "KMS without a key for the replicas": (
        a_pair(primary=SOURCE, rules=(Rule("r", kms_objects=True),)),
        "rule 'r': `kms_objects` is true, and no key is named for the .* 'example-orders-dr'.*a key in us-west-2",
    ),
    "KMS without a key of the source": (
        a_pair(dr=ENCRYPTED),
        "rule 's3-dr-orders'.*no key of the source 'example-orders' is named.*or write `kms_objects: false`",
    ),
    "KMS without a key on the way back": (
        two_way(
            primary=replace(PRIMARY, more_kms_key_arns=SOURCE.kms_keys()),
            dr=ENCRYPTED,
            rules=(Rule("r", kms_objects=True),),
        ),
        "no key is named for the replicas in 'example-orders'.*a key in us-east-1",
    ),
    "KMS without a key of the source on the way back": (
        two_way(primary=SOURCE),
        "no key of the source 'example-orders-dr' is named",
    ),
}


@pytest.mark.parametrize(("pair", "said"), BAD.values(), ids=BAD)
def test_a_declaration_that_cannot_be_right_is_refused(pair: Pair, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_declaration(pair)


@pytest.mark.parametrize(
    "pair",
    [
        a_pair(),
        everything(),
        a_pair(dr=replace(DR, region=EAST), rules=to(replace(ARCHIVE, region=EAST)), allow_same_region=True),
        a_pair(rules=(*to(ARCHIVE), Rule("again", 3, destination=replace(ARCHIVE, storage_class="GLACIER")))),
        a_pair(primary=SOURCE),
        a_pair(dr=ENCRYPTED, rules=(Rule("r", kms_objects=False),)),
        a_pair(primary=replace(PRIMARY, more_kms_key_arns=SOURCE.kms_keys()), dr=ENCRYPTED),
        two_way(primary=replace(PRIMARY, more_kms_key_arns=SOURCE.kms_keys()), dr=ENCRYPTED),
        a_pair(dr=replace(DR, region="us-gov-west-1")),
    ],
)
def test_a_declaration_that_can_be_right_is_taken(pair: Pair) -> None:
    check_declaration(pair)


@given(strategies.declared())
def test_the_pairs_of_the_laws_are_such_as_a_user_may_declare(found: Declared) -> None:
    check_declaration(found.pair)
    check_accounts(*found)


# --- accounts ------------------------------------------------------------------------------------------------

OWN_ROLE = replace(PRIMARY, replication_role_arn=ROLE)
BAD_ACCOUNTS: dict[str, tuple[Pair, Accounts, str]] = {
    "a source that is not ours": (
        a_pair().reversed(),
        NOT_OURS,
        r"'example-orders-dr' belongs to account 222233334444, and this task has no.*or `assume_role_arn`\.$",
    ),
    "a two-way pair to a bucket that is not ours": (
        two_way(),
        NOT_OURS,
        "'example-orders-dr' belongs to account 222233334444.*or set `direction: one_way`",
    ),
    "a role of another account": (
        two_way(dr=replace(DR, replication_role_arn=ROLE)),
        TWO_ACCOUNTS,
        "bucket 'example-orders-dr': the role .*/replicator is of another account than 222233334444.*Name a role of",
    ),
    "replicas given to the same account": (
        a_pair(rules=(Rule("r", owner_override=True),)),
        ACCOUNTS,
        "rule 'r': `owner_override` gives replicas to another account, and 'example-orders-dr' belongs to the same one",
    ),
    "replicas given to the same account in a further bucket": (
        a_pair(rules=(Rule("r", owner_override=True), *to(ARCHIVE, owner_override=True)[1:])),
        TWO_ACCOUNTS,
        "rule 'far': .*'example-archive' belongs to the same one as the source. Leave `owner_override` out",
    ),
}


@pytest.mark.parametrize(("pair", "accounts", "said"), BAD_ACCOUNTS.values(), ids=BAD_ACCOUNTS)
def test_accounts_that_make_it_impossible_are_refused(pair: Pair, accounts: Accounts, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_accounts(pair, accounts)


@pytest.mark.parametrize(
    ("pair", "accounts"),
    [
        (a_pair(), NOT_OURS),
        (a_pair(rules=(Rule("r", owner_override=True),)), NOT_OURS),
        (two_way(rules=(Rule("r", owner_override=True),)), TWO_ACCOUNTS),
        (a_pair(primary=OWN_ROLE), TWO_ACCOUNTS),
        (a_pair(dr=replace(DR, replication_role_arn=ROLE)), TWO_ACCOUNTS),  # never used: nothing replicates out of it
    ],
)
def test_accounts_that_make_it_possible_are_taken(pair: Pair, accounts: Accounts) -> None:
    check_accounts(pair, accounts)


def test_a_pair_across_partitions_is_refused() -> None:
    pair = a_pair()
    accounts = {**ACCOUNTS, DR.bucket: Account("222233334444", "aws-us-gov")}
    with pytest.raises(InvalidInput, match=r"pair 'orders'.*partitions aws, aws-us-gov.*Choose buckets of one"):
        check_accounts(pair, accounts)
