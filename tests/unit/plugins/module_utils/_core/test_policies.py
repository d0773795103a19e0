# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Roles may do only what replication needs, and bucket and key policies are told only what they must allow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Account,
    Accounts,
    Document,
    End,
    Link,
    RoleSettings,
    Rule,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.policies import (
    DECRYPT,
    ENCRYPT,
    delegates_to_iam,
    destination_statements,
    key_policy_statement,
    key_uses,
    role_policy,
    trust_policy,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import one_account
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ACCOUNTS,
    ARCHIVE,
    DR,
    EAST,
    KEYS,
    OTHER,
    PRIMARY,
    TWO_ACCOUNTS,
    WEST,
    a_pair,
    everything,
    two_way,
)

SOURCE, DESTINATION = "arn:aws:s3:::example-orders", "arn:aws:s3:::example-orders-dr"
ROLE = "arn:aws:iam::111122223333:role/replicator"
ENCRYPTED = {
    "primary": replace(PRIMARY, kms_key_arn=KEYS[PRIMARY.bucket]),
    "dr": replace(DR, kms_key_arn=KEYS[DR.bucket]),
}


def a_link(**changes: Any) -> Link:
    """The way from the primary to where its rules go."""
    return a_pair(**changes).links()[0]


def allowed(policy: Document) -> set[tuple[str, str]]:
    """Each action with each resource that a policy allows."""
    return {
        (action, resource)
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
        if statement["Effect"] == "Allow"
    }


PLAIN = {
    ("s3:GetReplicationConfiguration", SOURCE),
    ("s3:ListBucket", SOURCE),
    ("s3:GetObjectVersionForReplication", f"{SOURCE}/*"),
    ("s3:GetObjectVersionAcl", f"{SOURCE}/*"),
    ("s3:GetObjectVersionTagging", f"{SOURCE}/*"),
    ("s3:GetObjectVersionAnnotationForReplication", f"{SOURCE}/*"),
    ("s3:ReplicateObject", f"{DESTINATION}/*"),
    ("s3:ReplicateDelete", f"{DESTINATION}/*"),
    ("s3:ReplicateTags", f"{DESTINATION}/*"),
}


def test_the_role_may_do_exactly_what_aws_documents() -> None:
    assert allowed(role_policy(a_link(), ACCOUNTS)) == PLAIN


def test_a_partition_without_annotations_may_leave_them_out() -> None:
    link = a_link(roles=RoleSettings(annotations=False))
    annotations = ("s3:GetObjectVersionAnnotationForReplication", f"{SOURCE}/*")
    assert allowed(role_policy(link, ACCOUNTS)) == PLAIN - {annotations}


def test_retention_and_legal_holds_are_read_where_the_source_has_object_lock() -> None:
    more = allowed(role_policy(a_link(), ACCOUNTS, object_lock=True)) - PLAIN
    assert more == {("s3:GetObjectLegalHold", f"{SOURCE}/*"), ("s3:GetObjectRetention", f"{SOURCE}/*")}


def test_replicas_may_be_written_to_every_bucket_of_a_rule() -> None:
    link = a_link(rules=(Rule("a"), Rule("b", 2, destination=ARCHIVE)))
    writing = ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags")
    assert allowed(role_policy(link, ACCOUNTS)) - PLAIN == {
        (action, "arn:aws:s3:::example-archive/*") for action in writing
    }


def test_replicas_may_be_given_away_only_where_a_rule_does_so() -> None:
    rules = (Rule("a", owner_override=True), Rule("b", 2, destination=ARCHIVE))
    given = [one for one in allowed(role_policy(a_link(rules=rules), TWO_ACCOUNTS)) if "Owner" in one[0]]
    assert given == [("s3:ObjectOwnerOverrideToBucketOwner", f"{DESTINATION}/*")]


def test_no_action_on_objects_is_a_wildcard() -> None:
    for link in everything().links():
        actions = {action for action, _resource in allowed(role_policy(link, TWO_ACCOUNTS, object_lock=True))}
        assert {action for action in actions if "*" in action} == {"kms:GenerateDataKey*"}


def test_the_roles_trust_has_no_conditions_that_replication_may_not_send() -> None:
    (statement,) = trust_policy()["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
    assert "Condition" not in statement


# --- keys ----------------------------------------------------------------------------------------------------


def key_statements(link: Link, accounts: Accounts = ACCOUNTS) -> list[Document]:
    """What a role's policy says of keys."""
    return [one for one in role_policy(link, accounts)["Statement"] if one["Action"][0].startswith("kms:")]


def test_a_role_decrypts_with_the_keys_of_the_source_and_encrypts_with_that_of_the_replicas() -> None:
    primary = replace(ENCRYPTED["primary"], more_kms_key_arns=(f"{KEYS[PRIMARY.bucket]}-2",))
    found = key_statements(a_link(primary=primary, dr=ENCRYPTED["dr"]))
    assert [(one["Resource"], one["Action"]) for one in found] == [
        ([KEYS[PRIMARY.bucket]], ["kms:Decrypt"]),
        ([f"{KEYS[PRIMARY.bucket]}-2"], ["kms:Decrypt"]),
        ([KEYS[DR.bucket]], ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"]),
    ]


@pytest.mark.parametrize(("number", "bucket", "region"), [(0, SOURCE, EAST), (1, DESTINATION, WEST)])
def test_a_key_is_used_through_s3_of_its_region_and_for_its_bucket_with_or_without_bucket_key(
    number: int, bucket: str, region: str
) -> None:
    assert key_statements(a_link(**ENCRYPTED))[number]["Condition"] == {
        "StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]},
    }


def test_in_china_s3_has_another_suffix() -> None:
    accounts = one_account(Account(ACCOUNT.id, "aws-cn"), PRIMARY, DR)
    for statement in key_statements(a_link(**ENCRYPTED), accounts):
        assert statement["Condition"]["StringEquals"]["kms:ViaService"].endswith(".amazonaws.com.cn")


def test_each_key_of_a_destination_is_used_once_for_each_bucket() -> None:
    other = replace(ENCRYPTED["dr"], kms_key_arn=f"{KEYS[DR.bucket]}-2")
    archive = replace(ARCHIVE, kms_key_arn=KEYS[ARCHIVE.bucket])
    rules = [Rule(f"r{one}", one, destination=end) for one, end in enumerate((None, None, other, archive))]
    link = a_link(**ENCRYPTED, rules=tuple(rules))
    assert [(key, end.bucket) for key, end, actions in key_uses(link) if actions == ENCRYPT] == [
        (KEYS[DR.bucket], DR.bucket),
        (f"{KEYS[DR.bucket]}-2", DR.bucket),
        (KEYS[ARCHIVE.bucket], ARCHIVE.bucket),
    ]


def test_without_objects_under_kms_no_key_is_used() -> None:
    assert key_uses(a_link(**ENCRYPTED, rules=(Rule("r", kms_objects=False),))) == []
    assert key_uses(a_link()) == []


def test_a_key_is_not_used_for_a_rule_that_leaves_kms_out() -> None:
    archive = replace(ARCHIVE, kms_key_arn=KEYS[ARCHIVE.bucket])
    link = a_link(**ENCRYPTED, rules=(Rule("a"), Rule("b", 2, kms_objects=False, destination=archive)))
    assert KEYS[ARCHIVE.bucket] not in [key for key, _end, _actions in key_uses(link)]


@pytest.mark.parametrize("actions", [DECRYPT, ENCRYPT])
def test_a_keys_policy_allows_the_role_exactly_what_the_role_is_allowed(actions: tuple[str, ...]) -> None:
    link = a_link(**ENCRYPTED)
    use = next(use for use in key_uses(link) if use[2] == actions)
    key, statement = key_policy_statement(use, link, ROLE, ACCOUNTS)
    (in_role,) = (one for one in key_statements(link) if one["Resource"] == [key])
    assert statement["Principal"] == {"AWS": ROLE}
    assert statement["Resource"] == "*"  # in a key's policy that is the key
    for part in ("Effect", "Action", "Condition"):
        assert statement[part] == in_role[part]


def delegation(**changes: Any) -> Document:
    """The statement that AWS writes into a new key's policy."""
    root = {"AWS": f"arn:aws:iam::{ACCOUNT.id}:root"}
    return {"Sid": "Enable", "Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*", **changes}


@pytest.mark.parametrize(
    "policy",
    [
        {"Statement": [delegation()]},
        {"Statement": delegation()},
        {"Statement": [delegation(Effect="Deny", Action="kms:Delete*"), delegation()]},
        {"Statement": [delegation(Action=["kms:*"])]},
        {"Statement": [delegation(Principal={"AWS": ACCOUNT.id})]},
        {"Statement": [delegation(Principal={"AWS": ["arn:aws:iam::9:root", f"arn:aws-cn:iam::{ACCOUNT.id}:root"]})]},
    ],
)
def test_a_keys_policy_leaves_the_decision_to_iam(policy: Document) -> None:
    assert delegates_to_iam(policy, ACCOUNT.id)


@pytest.mark.parametrize(
    "policy",
    [
        None,
        {},
        {"Statement": [delegation(Effect="Deny")]},
        {"Statement": [delegation(Action="kms:Decrypt")]},
        {"Statement": [delegation(Principal="*")]},
        {"Statement": [delegation(Principal={"Service": "s3.amazonaws.com"})]},
        {"Statement": [delegation(Principal={"AWS": f"arn:aws:iam::{OTHER.id}:root"})]},
        {"Statement": [delegation(Principal={"AWS": f"arn:aws:iam::{ACCOUNT.id}:user/root"})]},
        {"Statement": [delegation(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})]},
    ],
)
def test_a_keys_policy_does_not_leave_the_decision_to_iam(policy: Document | None) -> None:
    assert not delegates_to_iam(policy, ACCOUNT.id)


# --- destinations in another account -------------------------------------------------------------------------


def of_destination(link: Link, end: End = DR) -> dict[str, tuple[Any, Any]]:
    """What the bucket policy must allow: the end of the Sid, and actions with their resource."""
    statements = destination_statements(end, link, ROLE, TWO_ACCOUNTS)
    assert {one["Effect"] for one in statements} == {"Allow"}
    assert [one["Principal"] for one in statements] == [{"AWS": ROLE}] * 2
    return {one["Sid"][-6:]: (one["Action"], one["Resource"]) for one in statements}


def test_another_accounts_bucket_allows_the_role_to_write_replicas_and_never_to_change_its_versioning() -> None:
    assert of_destination(a_link()) == {
        "plicas": (["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"], f"{DESTINATION}/*"),
        "Bucket": (["s3:GetBucketVersioning", "s3:ListBucket"], DESTINATION),
    }


def test_another_accounts_bucket_allows_to_be_given_replicas_where_a_rule_does_so() -> None:
    rules = (Rule("a", owner_override=True), Rule("b", 2, destination=ARCHIVE))
    given = "s3:ObjectOwnerOverrideToBucketOwner"
    assert given in of_destination(a_link(rules=rules))["plicas"][0]
    assert given not in of_destination(a_link(rules=rules), ARCHIVE)["plicas"][0]


# --- names of statements -------------------------------------------------------------------------------------


def sids(link: Link) -> list[str]:
    """The Sids of all that a link needs of bucket and key policies."""
    statements = [key_policy_statement(use, link, ROLE, TWO_ACCOUNTS)[1] for use in key_uses(link)]
    for end in {end.bucket: end for end in link.destinations()}.values():
        statements += destination_statements(end, link, ROLE, TWO_ACCOUNTS)
    return [statement["Sid"] for statement in statements]


@pytest.mark.parametrize("name", ["orders", "A_b.c-9"])
def test_a_sid_has_only_letters_and_digits_and_begins_alike_for_a_pair(name: str) -> None:
    for link in two_way(name=name, **ENCRYPTED).links():
        assert all(sid.isalnum() and sid.isascii() for sid in sids(link))
        assert {sid.startswith(f"S3Dr{''.join(filter(str.isalnum, name))}") for sid in sids(link)} == {True}


def test_no_two_links_and_no_two_uses_of_one_policy_share_a_sid() -> None:
    """Pairs whose names differ only in what a Sid cannot hold, both directions and two buckets, on one key."""
    key = KEYS[PRIMARY.bucket]
    ends = {"primary": replace(PRIMARY, kms_key_arn=key), "dr": End(DR.bucket, EAST, kms_key_arn=key)}
    rules = (Rule("r"), Rule("far", 2, destination=End(ARCHIVE.bucket, EAST, kms_key_arn=key)))
    links = [
        link
        for name in ("a.b", "ab", "a_b")
        for link in two_way(name=name, rules=rules, allow_same_region=True, **ends).links()
    ]
    uses = [key_policy_statement(use, link, ROLE, ACCOUNTS)[1]["Sid"] for link in links for use in key_uses(link)]
    assert len(uses) == len(set(uses)) == 3 * (3 + 2)
    of_buckets = [one["Sid"] for link in links for one in destination_statements(DR, link, ROLE, ACCOUNTS)]
    assert len(of_buckets) == len(set(of_buckets)) == 6 * 2


def test_no_two_statements_of_a_role_share_a_sid() -> None:
    primary = replace(ENCRYPTED["primary"], more_kms_key_arns=(f"{KEYS[PRIMARY.bucket]}-2",))
    archive = replace(ARCHIVE, kms_key_arn=KEYS[ARCHIVE.bucket])
    rules = (Rule("r", owner_override=True), Rule("far", 2, destination=archive))
    link = a_link(primary=primary, dr=ENCRYPTED["dr"], rules=rules)
    found = [one["Sid"] for one in role_policy(link, TWO_ACCOUNTS)["Statement"]]
    assert len(found) == len(set(found)) == 8
    assert all(sid.isalnum() and sid.isascii() for sid in found)


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
def test_every_arn_is_of_the_accounts_partition(partition: str) -> None:
    accounts = one_account(Account(ACCOUNT.id, partition), PRIMARY, DR)
    link = a_link(rules=(Rule("r", owner_override=True),))
    arns = {resource for _action, resource in allowed(role_policy(link, accounts))}
    arns |= {one["Resource"] for one in destination_statements(DR, link, ROLE, accounts)}
    assert {arn.split(":")[1] for arn in arns} == {partition}


def test_the_way_back_of_a_one_way_pair_uses_no_key_where_none_is_named() -> None:
    """The removal of a way back is planned for every one-way pair, also where none was possible."""
    primary = replace(PRIMARY, more_kms_key_arns=(KEYS[PRIMARY.bucket],))
    pair = a_pair(primary=primary, dr=ENCRYPTED["dr"], rules=(Rule("r", kms_objects=True),))
    assert key_uses(pair.both_links()[1]) == []


def test_the_policy_of_a_key_that_aws_manages_leaves_it_to_the_callers_of_its_account() -> None:
    """Such a policy cannot be written, so no statement may be wished for it."""
    managed = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["kms:Encrypt", "kms:Decrypt"],
                "Resource": "*",
                "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT.id, "kms:ViaService": "s3.us-east-1"}},
            }
        ]
    }
    assert delegates_to_iam(managed, ACCOUNT.id)
    assert not delegates_to_iam(managed, OTHER.id)
