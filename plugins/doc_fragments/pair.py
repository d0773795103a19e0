# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Documentation that several modules share: how a pair is declared."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of a pair."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - The pair's name. It becomes part of the names of the IAM roles and alarms.
      - 1 to 39 letters, digits, V(_), V(.) or V(-), beginning with a letter or digit.
    type: str
    required: true
  primary:
    description: The end where applications write.
    type: dict
    required: true
    suboptions: &end
      bucket:
        description: The bucket's name.
        type: str
        required: true
      region:
        description: The bucket's Region.
        type: str
        required: true
      storage_class: &storage_class
        description:
          - The storage class that replicas get when they arrive in this bucket.
          - Without it, a replica has the class of its source object.
          - Mind minimum durations, minimum billable sizes and retrieval fees of the colder classes.
        type: str
        choices:
          - STANDARD
          - STANDARD_IA
          - ONEZONE_IA
          - INTELLIGENT_TIERING
          - GLACIER_IR
          - GLACIER
          - DEEP_ARCHIVE
          - REDUCED_REDUNDANCY
      kms_key_arn: &kms_key_arn
        description:
          - The ARN of a KMS key in the bucket's Region. Replicas of objects that are encrypted with KMS are encrypted
            with it when they arrive here, and the role may decrypt objects that are written here with it.
          - An ARN of a key, not of an alias, since an alias means another key in each account and Region. Of a
            multi-Region key, the ARN in this Region.
        type: str
      object_lock: &object_lock
        description:
          - Whether Object Lock is enabled, on a new bucket or on one that exists. No retention is set.
          - It can never be disabled again, and versioning can then never be suspended, so on a bucket that exists it
            has to be confirmed.
          - If the source has Object Lock the destination must have it, else every object fails to replicate.
          - V(false) and nothing leave the bucket as it is.
        type: bool
      account_id: &account_id
        description:
          - The 12-digit ID of the account that owns the bucket, in quotes. Without it, the account of the credentials.
          - If the task has no credentials of this account, nothing there is read or written. The result then says what
            its owner has to allow.
        type: str
      profile: &profile
        description: The profile of credentials for this end, if they are not the task's own.
        type: str
      assume_role_arn: &assume_role_arn
        description: A role that is assumed to work on this end, with the credentials of C(profile) or the task's own.
        type: str
      external_id: &external_id
        description: What the trust policy of that role demands as C(sts:ExternalId).
        type: str
      more_kms_key_arns:
        description: Other KMS keys with which objects in this bucket are encrypted. The role may decrypt with them.
        type: list
        elements: str
      replication_role_arn:
        description:
          - A role of your own, as which S3 replicates out of this bucket. No role is then made for this direction, and
            the result says what its policy must allow.
          - Also the way to have rules of others beside the pair's, since a bucket has one role for all its rules.
        type: str
  dr:
    description: The end in the other Region, for the disaster.
    type: dict
    required: true
    suboptions: *end
  direction:
    description:
      - V(one_way) replicates from O(primary) to O(dr).
      - V(two_way) also replicates from O(dr) to O(primary), with a role of its own, and carries changes of tags and
        ACLs made on replicas. Failover and failback need it, set up before the disaster.
    type: str
    choices: [one_way, two_way]
    default: one_way
  rules:
    description:
      - The replication rules of the pair. Without it, one rule for the whole bucket.
      - A bucket's rules with other IDs are not this pair's and are never touched.
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - The rule's ID, which is also the dimension C(RuleId) of its metrics.
          - Required when there are several rules. A single rule is called C(s3-dr-) and the pair's name.
        type: str
      priority:
        description:
          - Decides between rules for the same destination that match the same object. The higher number wins.
          - Unique in a bucket.
        type: int
        default: 1
      prefix:
        description: Only objects whose key begins so are replicated. Empty means all.
        type: str
        default: ''
      tags:
        description:
          - Only objects that carry all these tags when they are written are replicated. Tags that are added later do
            not count.
        type: dict
      status:
        description:
          - V(disabled) stops replication by this rule. What is written meanwhile is not replicated later by itself.
        type: str
        choices: [enabled, disabled]
        default: enabled
      delete_markers:
        description:
          - Whether delete markers are replicated, so that an object deleted at the source disappears at the
            destination, too. Its older versions stay.
          - Off unless asked for, as AWS does, since it carries accidental and malicious deletions to the DR copy.
          - Not possible in a rule with O(rules[].tags).
        type: bool
        default: false
      reverse_delete_markers:
        description:
          - The same for the way from O(dr) to O(primary), if it shall differ. Then the two buckets come to list
            different objects.
        type: bool
      observation:
        description:
          - How the rule is observed.
          - V(metrics) publishes the replication metrics that the alarms watch.
          - V(metrics_and_rtc) adds S3 Replication Time Control, which is charged by the gigabyte and does not cover
            delete markers.
          - V(none) publishes nothing, so no alarm can tell when the rule stops working.
        type: str
        choices: [none, metrics, metrics_and_rtc]
        default: metrics
      replica_modifications:
        description:
          - Whether changes of tags, ACL or retention that are made on replicas are replicated.
          - Without it, when the pair is V(two_way).
        type: bool
      kms_objects:
        description:
          - Whether objects that are encrypted with KMS are replicated.
          - Without it, when the destination has a O(dr.kms_key_arn). The source must then name its keys, too.
        type: bool
      owner_override:
        description:
          - Whether replicas belong to the account of the destination. Only for a destination in another account.
          - Not needed where the destination's object ownership is bucket owner enforced, as it is on new buckets.
        type: bool
        default: false
      destination:
        description:
          - Where replicas by this rule go, and how they arrive, if not simply as O(dr) says. With another
            O(rules[].destination.bucket) the objects fan out to several buckets.
          - It counts for the way there only.
        type: dict
        suboptions:
          bucket:
            description: Another bucket. Without it, the one of O(dr).
            type: str
          region:
            description: The other bucket's Region. Required with O(rules[].destination.bucket).
            type: str
          storage_class: *storage_class
          kms_key_arn: *kms_key_arn
          object_lock: *object_lock
          account_id: *account_id
          profile: *profile
          assume_role_arn: *assume_role_arn
          external_id: *external_id
  replication_role:
    description: How the roles that this collection makes are named and fenced in.
    type: dict
    suboptions:
      name_template:
        description:
          - The roles' name, with C({pair}), C({source}) and C({destination}) for the Regions, C({source_bucket}) and
            C({destination_bucket}). Each direction needs a name of its own.
          - A pair within one Region gets 8 characters made of the bucket's name in place of the Region.
          - After a change of the name, the role of the old name stays until you delete it.
        type: str
        default: s3-dr-{pair}-to-{destination}
      path:
        description: The roles' path. IAM never changes the path of a role that exists.
        type: str
        default: /
      permissions_boundary:
        description: The ARN of the policy that bounds the roles' permissions. Without it, none is set or removed.
        type: str
      tags:
        description: Tags of the roles. Others that they carry stay.
        type: dict
      annotations:
        description:
          - Whether the roles may read annotations of objects, with which S3 replicates them.
        type: bool
        default: true
  allow_same_region:
    description: Allow both buckets in one Region. The loss of that Region then loses both.
    type: bool
    default: false
"""
