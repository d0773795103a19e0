# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Each reason for which S3 fails to replicate has a cause and a remedy, and what is new is named as it is."""

from __future__ import annotations

import re

import pytest

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.failure_reasons import REASONS, reason_of

# S3 User Guide, "Receiving replication failure events with Amazon S3 Event Notifications", 2026.
DOCUMENTED = [
    "AssumeRoleNotPermitted", "DstBucketInvalidRegion", "DstBucketNotFound", "DstBucketObjectLockConfigMissing",
    "DstBucketUnversioned", "DstDelObjNotPermitted", "DstKmsKeyInvalidState", "DstKmsKeyNotFound",
    "DstMultipartCompleteNotPermitted", "DstMultipartInitNotPermitted", "DstMultipartUploadNotPermitted",
    "DstObjectHardDeleted", "DstPutAclNotPermitted", "DstPutLegalHoldNotPermitted", "DstPutObjectNotPermitted",
    "DstPutRetentionNotPermitted", "DstPutTaggingNotPermitted", "DstVersionNotFound",
    "InitiateReplicationNotPermitted", "SrcBucketInvalidRegion", "SrcBucketNotFound",
    "SrcBucketReplicationConfigMissing", "SrcGetAclNotPermitted", "SrcGetLegalHoldNotPermitted",
    "SrcGetObjectNotPermitted", "SrcGetRetentionNotPermitted", "SrcGetTaggingNotPermitted",
    "SrcHeadObjectNotPermitted", "SrcKeyNotFound", "SrcKmsKeyInvalidState", "SrcObjectNotEligible",
    "SrcObjectNotFound", "SrcReplicationNotPending", "SrcVersionNotFound", "SrcAnnotationNotFound",
    "SrcGetObjectAnnotationNotPermitted", "DstPutObjectAnnotationNotPermitted",
    "SrcAnnotationEncryptionUnsupported", "AnnotationLimitExceeded",
]  # fmt: skip

PERMISSIONS = {
    "DstDelObjNotPermitted": "s3:ReplicateDelete",
    "DstMultipartUploadNotPermitted": "s3:ReplicateObject",
    "DstPutAclNotPermitted": "s3:ReplicateObject",
    "DstPutLegalHoldNotPermitted": "s3:PutObjectLegalHold",
    "DstPutObjectNotPermitted": "s3:ObjectOwnerOverrideToBucketOwner",
    "DstPutRetentionNotPermitted": "s3:PutObjectRetention",
    "InitiateReplicationNotPermitted": "s3:InitiateReplication",
    "SrcGetAclNotPermitted": "s3:GetObjectVersionAcl",
    "SrcGetLegalHoldNotPermitted": "s3:GetObjectLegalHold",
    "SrcGetObjectNotPermitted": "s3:GetObjectVersionForReplication",
    "SrcGetRetentionNotPermitted": "s3:GetObjectRetention",
    "SrcGetTaggingNotPermitted": "s3:GetObjectVersionTagging",
    "SrcHeadObjectNotPermitted": "s3:GetObjectVersionForReplication",
    "SrcGetObjectAnnotationNotPermitted": "s3:GetObjectVersionAnnotationForReplication",
}


def test_the_reasons_are_those_that_aws_documents() -> None:
    assert sorted(REASONS) == sorted(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_reason_has_one_sentence_of_cause_and_one_of_remedy(name: str) -> None:
    for sentence in (REASONS[name].cause, REASONS[name].remedy):
        assert re.fullmatch(r"[A-Z][^.]*(\.[^ .][^.]*)*\.", sentence), sentence


@pytest.mark.parametrize("name", DOCUMENTED)
def test_no_two_reasons_have_the_same_cause(name: str) -> None:
    assert [other for other in REASONS if REASONS[other].cause == REASONS[name].cause] == [name]


@pytest.mark.parametrize(("name", "permission"), PERMISSIONS.items(), ids=PERMISSIONS)
def test_a_remedy_names_the_permission_that_aws_names(name: str, permission: str) -> None:
    assert permission in REASONS[name].remedy


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if name.endswith("NotPermitted")])
def test_after_a_permission_is_given_something_is_done_again(name: str) -> None:
    """S3 never retries what FAILED."""
    assert "again" in REASONS[name].remedy


def test_an_older_spelling_means_the_same() -> None:
    assert reason_of("DstMultipartPartUploadNotPermitted") == REASONS["DstMultipartUploadNotPermitted"]


def test_a_reason_that_is_new_is_named() -> None:
    assert "DstMoonNotFull" in reason_of("DstMoonNotFull").cause
    assert "S3 Batch Replication" in reason_of("DstMoonNotFull").remedy


def test_no_reason_is_said_so() -> None:
    assert reason_of("").cause == "S3 gives no reason."
