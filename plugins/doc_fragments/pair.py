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
      storage_class:
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
        description: Decides between rules that match the same object. The higher number wins. Unique in a bucket.
        type: int
        default: 1
      prefix:
        description: Only objects whose key begins so are replicated. Empty means all.
        type: str
        default: ''
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
        type: bool
        default: false
      observation:
        description:
          - How the rule is observed.
          - V(metrics) publishes the replication metrics that the alarms watch.
          - V(metrics_and_rtc) adds S3 Replication Time Control, which is charged by the gigabyte.
          - V(none) publishes nothing, so no alarm can tell when the rule stops working.
        type: str
        choices: [none, metrics, metrics_and_rtc]
        default: metrics
  allow_same_region:
    description: Allow both buckets in one Region. The loss of that Region then loses both.
    type: bool
    default: false
"""
