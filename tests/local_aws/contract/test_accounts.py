# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Two accounts: the source and the role in one, the destination in the other."""

from __future__ import annotations

import json
import os

import pytest

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("CONTRACT_AGAINST_AWS")), reason="needs the credentials of a second account"
)

ON = {"Status": "Enabled"}
OBJECTS = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
OVERRIDE = "s3:ObjectOwnerOverrideToBucketOwner"
REQUESTER_PAYS = {"Payer": "Requester"}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal, action, resource, **more):
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": resource, **more}


@pytest.fixture
def source(world):
    return world.bucket()


@pytest.fixture
def destination(world):
    """A bucket of the other account."""
    return world.bucket(world.dr_region, account=world.other_account)


@pytest.fixture
def role(world, source, destination):
    return world.role(source, destination)


@pytest.fixture
def there(world):
    """The owner of the destination, at S3."""
    return world.client("s3", world.dr_region, world.other_account)


def let_in(there, destination, role, actions=tuple(OBJECTS)):
    """The destination's policy that AWS documents."""
    statement = allow(role, list(actions), f"arn:aws:s3:::{destination}/*")
    there.put_bucket_policy(Bucket=destination, Policy=document(statement))


def use_acls(there, bucket, ownership="ObjectWriter"):
    there.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]})


def to_owner(world):
    """Destination settings that give the replica to the owner of the destination."""
    return {"Account": world.other_account, "AccessControlTranslation": {"Owner": "Destination"}}


def add_to_role(world, role, action, resource):
    iam, name = world.client("iam"), role.rpartition("/")[2]
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    iam.put_role_policy(RoleName=name, PolicyName="more", PolicyDocument=document(statement))
    world.cleanup.callback(iam.delete_role_policy, RoleName=name, PolicyName="more")


def versions(there, bucket, kind="Versions"):
    return {version["VersionId"] for version in there.list_object_versions(Bucket=bucket).get(kind, [])}


def owner_of(s3, bucket, key="key"):
    return s3.get_object_acl(Bucket=bucket, Key=key)["Owner"]["ID"]


def owner_id(s3):
    """How S3 calls the account."""
    return s3.list_buckets()["Owner"]["ID"]


# Replication


def test_without_a_bucket_policy(world, source, destination, role, there):
    """S3 User Guide, replication-walkthrough-2: the owner of the destination has to allow the role."""
    world.replicate(source, role, world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "FAILED"
    assert versions(there, destination) == set()


def test_with_a_bucket_policy(world, source, destination, role, there):
    """S3 User Guide, replication-walkthrough-2: ReplicateObject and ReplicateDelete, tags where there are some."""
    let_in(there, destination, role)
    world.replicate(source, role, world.rule(destination, DeleteMarkerReplication=ON))
    version = world.put(source, Tagging="team=blue")
    assert world.until_final(source) == "COMPLETED"
    assert versions(there, destination) == {version}
    assert there.head_object(Bucket=destination, Key="key")["ReplicationStatus"] == "REPLICA"
    assert there.get_object_tagging(Bucket=destination, Key="key")["TagSet"] == [{"Key": "team", "Value": "blue"}]
    marker = world.s3_of(source).delete_object(Bucket=source, Key="key")["VersionId"]
    world.until(lambda: versions(there, destination, "DeleteMarkers") == {marker}, "the marker arrived")


@pytest.mark.parametrize("missing", ["s3:ReplicateObject", "s3:ReplicateTags"])
def test_bucket_policy_without_an_action(world, source, destination, role, there, missing):
    """S3 User Guide, replication-walkthrough-2: the role's own policy is not enough across accounts."""
    let_in(there, destination, role, [action for action in OBJECTS if action != missing])
    world.replicate(source, role, world.rule(destination))
    world.put(source, Tagging="team=blue")
    assert world.until_final(source) == "FAILED"


def test_bucket_policy_is_not_enough(world, source, destination, there):
    """IAM User Guide, reference_policies_evaluation-logic-cross-account: both accounts have to allow it."""
    role = world.role(source, destination, without="s3:ReplicateObject")
    let_in(there, destination, role)
    world.replicate(source, role, world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "FAILED"


def test_bucket_policy_for_another_role(world, source, destination, role, there):
    """S3 User Guide, replication-walkthrough-2: the principal is the replication role."""
    let_in(there, destination, world.role(source, destination))
    world.replicate(source, role, world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "FAILED"


def test_bucket_policy_for_the_account(world, source, destination, role, there):
    """IAM User Guide, reference_policies_elements_principal: the root of an account stands for all in it."""
    let_in(there, destination, f"arn:aws:iam::{world.account_id()}:root")
    world.replicate(source, role, world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "COMPLETED"


def test_account_that_does_not_own_the_bucket(world, source, destination, role, refused):
    """S3 User Guide, replication-troubleshoot: Account has to be the owner of the destination."""
    with refused("InvalidArgument"):
        world.replicate(source, role, world.rule(destination, to={"Account": world.account_id()}))
    world.replicate(source, role, world.rule(destination, to={"Account": world.other_account}))


def test_requester_pays_destination_of_another_account(world, source, destination, role, there):
    """S3 User Guide, replication-requirements: the destination cannot be a Requester Pays bucket."""
    let_in(there, destination, role)
    there.put_bucket_request_payment(Bucket=destination, RequestPaymentConfiguration=REQUESTER_PAYS)
    world.replicate(source, role, world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "FAILED"


def test_requester_pays_destination_of_the_same_account(world):
    """S3 User Guide, replication-requirements: that is a requirement across accounts."""
    source, destination = world.pair()
    world.s3_of(destination).put_bucket_request_payment(Bucket=destination, RequestPaymentConfiguration=REQUESTER_PAYS)
    world.put(source)
    assert world.until_final(source) == "COMPLETED"


# Who owns the replica


def test_replica_belongs_to_the_owner_of_the_source(world, source, destination, role, there):
    """S3 User Guide, replication-change-owner: so it is by default, in a bucket that uses ACLs."""
    use_acls(there, destination)
    let_in(there, destination, role)
    world.replicate(source, role, world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "COMPLETED"
    here = world.client("s3", world.dr_region)  # the owner of an object may read its ACL
    assert owner_of(here, destination) == owner_id(here) != owner_id(there)


def test_owner_of_the_bucket_cannot_read_a_replica_of_the_source(world, source, destination, role, there, refused):
    """S3 User Guide, access-policy-language-overview: not what another account owns, but it can delete it."""
    use_acls(there, destination)
    let_in(there, destination, role)
    world.replicate(source, role, world.rule(destination))
    version = world.put(source)
    assert world.until_final(source) == "COMPLETED"
    with refused("403"):
        there.head_object(Bucket=destination, Key="key")
    with refused("AccessDenied"):
        there.get_object_acl(Bucket=destination, Key="key")
    there.delete_object(Bucket=destination, Key="key", VersionId=version)
    assert versions(there, destination) == set()


def test_replica_in_a_bucket_without_acls(world, source, destination, role, there):
    """S3 User Guide, about-object-ownership: with BucketOwnerEnforced, the default, all is the bucket owner's."""
    let_in(there, destination, role)
    world.replicate(source, role, world.rule(destination))
    world.put(source)
    assert world.until_final(source) == "COMPLETED"
    assert owner_of(there, destination) == owner_id(there)


def test_owner_override(world, source, destination, role, there):
    """S3 User Guide, replication-change-owner: allowed to the role on both sides, it gives the replica away."""
    use_acls(there, destination)
    let_in(there, destination, role, [*OBJECTS, OVERRIDE])
    add_to_role(world, role, OVERRIDE, f"arn:aws:s3:::{destination}/*")
    world.replicate(source, role, world.rule(destination, to=to_owner(world)))
    world.put(source)
    assert world.until_final(source) == "COMPLETED"
    assert owner_of(there, destination) == owner_id(there)
    assert there.get_object(Bucket=destination, Key="key")["Body"].read() == b"data"


def test_owner_override_leaves_the_acl_behind(world, source, destination, role, there):
    """S3 User Guide, replication-change-owner: the ACL of the source object is not that of the replica."""
    use_acls(world.s3_of(source), source)
    use_acls(there, destination)
    let_in(there, destination, role, [*OBJECTS, OVERRIDE])
    add_to_role(world, role, OVERRIDE, f"arn:aws:s3:::{destination}/*")
    world.replicate(source, role, world.rule(destination, to=to_owner(world)))
    world.put(source, ACL="authenticated-read")
    assert world.until_final(source) == "COMPLETED"
    (grant,) = there.get_object_acl(Bucket=destination, Key="key")["Grants"]
    assert grant["Grantee"]["ID"] == owner_id(there)


@pytest.mark.parametrize("missing", ["role", "bucket policy"])
def test_owner_override_that_one_side_does_not_allow(world, source, destination, role, there, missing):
    """S3 User Guide, replication-change-owner: the role and the bucket policy both have to allow it."""
    use_acls(there, destination)
    let_in(there, destination, role, OBJECTS if missing == "bucket policy" else [*OBJECTS, OVERRIDE])
    if missing != "role":
        add_to_role(world, role, OVERRIDE, f"arn:aws:s3:::{destination}/*")
    world.replicate(source, role, world.rule(destination, to=to_owner(world)))
    world.put(source)
    assert world.until_final(source) == "FAILED"


def test_owner_override_without_acls_needs_no_permission(world, source, destination, role, there):
    """S3 User Guide, replication-change-owner: not needed where Object Ownership is BucketOwnerEnforced."""
    let_in(there, destination, role)
    world.replicate(source, role, world.rule(destination, to=to_owner(world)))
    world.put(source)
    assert world.until_final(source) == "COMPLETED"
    assert owner_of(there, destination) == owner_id(there)


# Keys


def new_key(world, region, account):
    kms = world.client("kms", region, account)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    world.cleanup.callback(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    return key


@pytest.fixture
def foreign_key(world):
    """A key of the other account, at the destination."""
    return new_key(world, world.dr_region, world.other_account)


def open_key(world, key, principal, *actions):
    """Let the principal use the key, beside its owner."""
    owner = f"arn:aws:iam::{world.other_account}:root"
    policy = document(allow(owner, "kms:*", "*"), allow(principal, list(actions), "*"))
    world.client("kms", world.dr_region, world.other_account).put_key_policy(KeyId=key, Policy=policy)


@pytest.mark.parametrize(("key_policy", "status"), [(True, "COMPLETED"), (False, "FAILED")])
def test_replica_key_of_the_other_account(world, source, destination, role, there, foreign_key, key_policy, status):
    """S3 User Guide, replication-config-for-kms-objects: the key's own policy has to allow the role, too."""
    own_key = new_key(world, world.source_region, world.account_id())
    let_in(there, destination, role)
    add_to_role(world, role, ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], [own_key, foreign_key])
    if key_policy:
        open_key(world, foreign_key, role, "kms:Encrypt", "kms:GenerateDataKey")
    encrypted = {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": ON},
        "to": {"EncryptionConfiguration": {"ReplicaKmsKeyID": foreign_key}},
    }
    world.replicate(source, role, world.rule(destination, **encrypted))
    world.put(source, ServerSideEncryption="aws:kms", SSEKMSKeyId=own_key)
    assert world.until_final(source) == status
    if key_policy:
        assert there.head_object(Bucket=destination, Key="key")["SSEKMSKeyId"] == foreign_key


def test_key_that_its_policy_does_not_open(world, foreign_key, refused):
    """KMS Developer Guide, key-policy-modifying-external-accounts: AccessDeniedException for everybody else."""
    kms = world.client("kms", world.dr_region)
    with refused("AccessDeniedException"):
        kms.describe_key(KeyId=foreign_key)
    with refused("AccessDeniedException"):
        kms.get_key_policy(KeyId=foreign_key)
    with refused("AccessDeniedException"):
        kms.put_key_policy(KeyId=foreign_key, Policy=document())


def test_key_that_its_policy_opens(world, foreign_key, refused):
    """KMS API, DescribeKey and GetKeyPolicy: the first works across accounts, the second does not."""
    open_key(world, foreign_key, f"arn:aws:iam::{world.account_id()}:root", "kms:DescribeKey", "kms:GetKeyPolicy")
    kms = world.client("kms", world.dr_region)
    assert kms.describe_key(KeyId=foreign_key)["KeyMetadata"]["Arn"] == foreign_key
    with refused("AccessDeniedException"):
        kms.get_key_policy(KeyId=foreign_key)
    with refused("AccessDeniedException"):
        kms.generate_data_key(KeyId=foreign_key, KeySpec="AES_256")


# Buckets of another account

READS = [
    "get_bucket_encryption",
    "get_bucket_location",
    "get_bucket_ownership_controls",
    "get_bucket_policy",
    "get_bucket_replication",
    "get_bucket_request_payment",
    "get_bucket_versioning",
    "get_object_lock_configuration",
    "get_public_access_block",
    "list_object_versions",
]


@pytest.mark.parametrize("read", READS)
def test_bucket_that_is_not_open(world, destination, refused, read):
    """S3 User Guide, access-control-overview: without a permission by the owner, 403."""
    with refused("AccessDenied"):
        getattr(world.client("s3", world.dr_region), read)(Bucket=destination)


@pytest.mark.parametrize("read", READS)
def test_own_bucket_with_another_expected_owner(world, source, refused, read):
    """S3 User Guide, bucket-owner-condition: 403, whatever is asked."""
    with refused("AccessDenied"):
        getattr(world.s3_of(source), read)(Bucket=source, ExpectedBucketOwner=world.other_account)


def test_policy_of_an_open_bucket(world, destination, there, refused):
    """S3 API, GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy: 405 for another account with the permission."""
    account = f"arn:aws:iam::{world.account_id()}:root"
    policy = document(allow(account, "s3:*", [f"arn:aws:s3:::{destination}", f"arn:aws:s3:::{destination}/*"]))
    there.put_bucket_policy(Bucket=destination, Policy=policy)
    s3 = world.client("s3", world.dr_region)
    s3.get_bucket_versioning(Bucket=destination)
    with refused("MethodNotAllowed"):
        s3.get_bucket_policy(Bucket=destination)
    with refused("MethodNotAllowed"):
        s3.put_bucket_policy(Bucket=destination, Policy=policy)
    with refused("MethodNotAllowed"):
        s3.delete_bucket_policy(Bucket=destination)
    assert json.loads(there.get_bucket_policy(Bucket=destination)["Policy"]) == json.loads(policy)
