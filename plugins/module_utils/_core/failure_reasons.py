# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Why S3 could not replicate an object: each reason that AWS documents, with its cause and its remedy.

Sources: S3 User Guide, "Receiving replication failure events with Amazon S3 Event Notifications" (the reasons and their
descriptions), "Setting up permissions for live replication" (permissions), "Getting replication status information"
(FAILED is final).

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence each. S3 never retries what FAILED, so a remedy ends with how the object replicates after all."""

    cause: str
    remedy: str


_AGAIN = "then replicate the object by S3 Batch Replication or write it again"
_JOB_AGAIN = "then create the Batch Replication job again"


def _missing_at_source(what: str, action: str) -> Reason:
    return Reason(
        f"The replication role may not {what} in the source bucket.",
        f"Allow the role {action} on the source's objects and see that no statement of the bucket's policy denies it, "
        f"{_AGAIN}.",
    )


def _missing_at_destination(what: str, action: str) -> Reason:
    return Reason(
        f"The replication role may not {what} in the destination bucket.",
        f"Allow the role {action} on the destination's objects, in another account by that bucket's policy too, and "
        f"see that no statement denies it, {_AGAIN}.",
    )


def _not_enabled(end: str, actions: str) -> Reason:
    return Reason(
        f"The KMS key of the {end} is disabled, waits for its deletion, or is otherwise in a state in which it cannot "
        "be used.",
        f"Enable the key or cancel its deletion, see that the role may use it ({actions}), {_AGAIN}.",
    )


REASONS: Mapping[str, Reason] = {
    "AssumeRoleNotPermitted": Reason(
        "S3 cannot assume the replication role, or the role of the Batch Replication job.",
        "See that the role exists and that its trust policy allows sts:AssumeRole to s3.amazonaws.com, that of a job's "
        f"role to batchoperations.s3.amazonaws.com, {_AGAIN}.",
    ),
    "DstBucketInvalidRegion": Reason(
        "The destination bucket is not in the Region that the Batch Replication job expects.",
        f"Correct the destination in the source's replication configuration, {_JOB_AGAIN}.",
    ),
    "DstBucketNotFound": Reason(
        "The destination bucket of the rule does not exist.",
        f"Make the bucket again with versioning, or correct the rule's destination, by running setup, {_AGAIN}.",
    ),
    "DstBucketObjectLockConfigMissing": Reason(
        "The source bucket has Object Lock and the destination has not.",
        f"Enable Object Lock on the destination (s3:PutBucketObjectLockConfiguration), {_AGAIN}.",
    ),
    "DstBucketUnversioned": Reason(
        "Versioning is not enabled on the destination bucket.",
        f"Set its versioning to Enabled (s3:PutBucketVersioning), {_AGAIN}.",
    ),
    "DstDelObjNotPermitted": Reason(
        "The replication role may not replicate delete markers to the destination bucket.",
        "Allow the role s3:ReplicateDelete on the destination's objects, in another account by that bucket's policy "
        "too, then replicate the marker by S3 Batch Replication or delete the object again.",
    ),
    "DstKmsKeyInvalidState": _not_enabled("destination", "kms:Encrypt and kms:GenerateDataKey*"),
    "DstKmsKeyNotFound": Reason(
        "The KMS key that the rule names for replicas does not exist.",
        f"Name an existing key of the destination's Region as the destination's `kms_key_arn`, run setup, {_AGAIN}.",
    ),
    "DstMultipartCompleteNotPermitted": _missing_at_destination("complete a multipart upload", "s3:ReplicateObject"),
    "DstMultipartInitNotPermitted": _missing_at_destination("begin a multipart upload", "s3:ReplicateObject"),
    "DstMultipartUploadNotPermitted": _missing_at_destination(
        "upload the parts of a multipart upload", "s3:ReplicateObject"
    ),
    "DstObjectHardDeleted": Reason(
        "This version was deleted by its ID in the destination bucket, and S3 Batch Replication does not replicate "
        "such a version again.",
        "Copy the object onto itself in the source bucket, so that a new version replicates, and find out who or which "
        "lifecycle rule deletes versions in the destination.",
    ),
    "DstPutAclNotPermitted": _missing_at_destination("write an object's ACL", "s3:ReplicateObject"),
    "DstPutLegalHoldNotPermitted": _missing_at_destination(
        "set the legal hold of a locked object", "s3:PutObjectLegalHold"
    ),
    "DstPutObjectNotPermitted": Reason(
        "The replication role may not write the replica: a permission on the destination's objects is missing or "
        "denied, or on the key that encrypts it there.",
        "Allow the role s3:ReplicateObject on the destination's objects (with a change of owner also "
        "s3:ObjectOwnerOverrideToBucketOwner), in another account by that bucket's policy too, and for encrypted "
        f"replicas kms:Encrypt, kms:Decrypt and kms:GenerateDataKey* by the policy of the key too, {_AGAIN}.",
    ),
    "DstPutRetentionNotPermitted": _missing_at_destination(
        "set the retention of a locked object", "s3:PutObjectRetention"
    ),
    "DstPutTaggingNotPermitted": _missing_at_destination(
        "write an object's tags", "s3:ReplicateTags and s3:ReplicateObject"
    ),
    "DstVersionNotFound": Reason(
        "The replica of the version whose metadata changed is not in the destination bucket.",
        "Find out whether it never arrived or was deleted there, then replicate the version by S3 Batch Replication "
        "or copy the object onto itself in the source bucket.",
    ),
    "InitiateReplicationNotPermitted": Reason(
        "The role of the Batch Replication job may not start the replication of objects.",
        f"Allow the job's role s3:InitiateReplication on the source's objects, {_JOB_AGAIN}.",
    ),
    "SrcBucketInvalidRegion": Reason(
        "The source bucket is not in the Region of the Batch Replication job.",
        "Create the job in the source bucket's Region.",
    ),
    "SrcBucketNotFound": Reason(
        "The source bucket does not exist any more.",
        "See in CloudTrail who deleted it (DeleteBucket), and fail over to the destination or make the bucket again.",
    ),
    "SrcBucketReplicationConfigMissing": Reason(
        "The source bucket has no replication configuration.",
        f"Run setup for the pair, see in CloudTrail who removed the configuration (DeleteBucketReplication), {_AGAIN}.",
    ),
    "SrcGetAclNotPermitted": Reason(
        "The replication role may not read the object's ACL, or the object does not belong to the owner of the source "
        "bucket.",
        "Allow the role s3:GetObjectVersionAcl on the source's objects and set the source's Object Ownership to "
        f"BucketOwnerEnforced, {_AGAIN}.",
    ),
    "SrcGetLegalHoldNotPermitted": _missing_at_source("read an object's legal hold", "s3:GetObjectLegalHold"),
    "SrcGetObjectNotPermitted": Reason(
        "The replication role may not read the object in the source bucket.",
        "Allow the role s3:GetObjectVersionForReplication on the source's objects, for encrypted ones also kms:Decrypt "
        f"on their key, by its policy too, and see that no statement denies it, {_AGAIN}.",
    ),
    "SrcGetRetentionNotPermitted": _missing_at_source("read an object's retention", "s3:GetObjectRetention"),
    "SrcGetTaggingNotPermitted": _missing_at_source("read an object's tags", "s3:GetObjectVersionTagging"),
    "SrcHeadObjectNotPermitted": _missing_at_source("read an object's metadata", "s3:GetObjectVersionForReplication"),
    "SrcKeyNotFound": Reason(
        "The object was not found in the source bucket: it may have been deleted before it was replicated.",
        "Nothing if it was meant to be deleted; else write it again.",
    ),
    "SrcKmsKeyInvalidState": _not_enabled("source", "kms:Decrypt"),
    "SrcObjectNotEligible": Reason(
        "The object cannot be replicated: its storage class is archived, or its tags do not match the rule.",
        "Restore an archived object and copy it onto itself into a class that is replicated, or widen the rule, "
        f"{_AGAIN}.",
    ),
    "SrcObjectNotFound": Reason(
        "The object does not exist in the source bucket any more.",
        "Nothing if it was meant to be deleted; else write it again.",
    ),
    "SrcReplicationNotPending": Reason(
        "The object is replicated already and no longer pending.",
        "Nothing: verify the pair to see that its replica is there.",
    ),
    "SrcVersionNotFound": Reason(
        "The version was not found in the source bucket: it may have been deleted before it was replicated.",
        "Nothing if it was meant to be deleted; else write the object again.",
    ),
    # Annotations: the object itself replicates, and its status does not show that one of them did not.
    "SrcAnnotationNotFound": Reason(
        "An annotation of the object does not exist in the source bucket any more.",
        "Nothing if it was meant to be deleted; else put the annotation again.",
    ),
    "SrcGetObjectAnnotationNotPermitted": Reason(
        "The replication role may not read the object's annotations in the source bucket.",
        "Allow the role s3:GetObjectVersionAnnotationForReplication on the source's objects, then put the annotation "
        "again.",
    ),
    "DstPutObjectAnnotationNotPermitted": Reason(
        "The replication role may not write annotations in the destination bucket.",
        "Allow the role s3:ReplicateObject on the destination's objects and see that no statement there denies "
        "s3:ReplicateObjectAnnotation, then put the annotation again.",
    ),
    "SrcAnnotationEncryptionUnsupported": Reason(
        "An annotation of the object is encrypted in a way that S3 does not replicate.",
        "Copy the object onto itself with SSE-S3 or SSE-KMS, since annotations are encrypted as their object, and put "
        "the annotation on the new version.",
    ),
    "AnnotationLimitExceeded": Reason(
        "The object version would have more annotations than S3 allows, which is 1,000.",
        "Delete annotations that nobody needs from the version at both ends, then put the missing ones again.",
    ),
}

_OLDER_NAMES = {"DstMultipartPartUploadNotPermitted": "DstMultipartUploadNotPermitted"}
"""As the User Guide wrote some of them before."""


def reason_of(name: str) -> Reason:
    """What a reason means. AWS adds reasons, so one that is not known here is named as it is."""
    known = REASONS.get(_OLDER_NAMES.get(name, name))
    if known:
        return known
    said = f"S3 gives the reason '{name}'" if name else "S3 gives no reason"
    return Reason(
        f"{said}, which this version of crossregion.s3_dr does not know." if name else f"{said}.",
        "Look at the role, both buckets' policies and keys, and at the event in CloudTrail, mend what is wrong, "
        f"{_AGAIN}.",
    )
