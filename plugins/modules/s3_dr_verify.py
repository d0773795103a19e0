#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_verify
short_description: Prove that the DR copy of a pair is complete, and say up to which moment
version_added: 0.1.0
description:
  - Compares every version of both buckets by their listings, on the version ID. Each difference gets one cause and a
    remedy. What is suspicious is looked at once more by C(HeadObject), under a budget.
  - States the recovery point, which is the newest moment up to which nothing that was written is missing, for the pair
    and for each rule.
  - Compares the configuration of both ends with the declared pair, by the plan that
    M(crossregion.s3_dr.s3_replication_pair) would carry out. Nothing of it is carried out.
  - Looks whether CloudWatch holds the metrics of each rule, and whether there are alarms on them that can fire.
  - Compares what replication never copies, such as bucket policy, lifecycle, CORS, notifications, encryption and tags.
  - Sends one canary object through each enabled rule of each direction, and one more encrypted with KMS where the rule
    selects such objects. Waits until S3 says that it is replicated and
    its bytes are read at the other end, or until the deadline. Then removes its versions at both ends. A canary that is
    late is left to arrive, and the result names it.
  - Fails on the verdicts of O(fail_on), after everything has been looked at and written.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
attributes:
  check_mode:
    support: partial
    description: Can run in check mode and return changed status prediction without modifying target.
    details:
      - Everything is looked at. No canary is written, and the result says so.
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    details:
      - The diff shows in which documents AWS differs from the declared pair.
  idempotent:
    support: full
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
    details:
      - Never indicates a change, since it removes what it writes to AWS.
options:
  rpo_seconds:
    description:
      - The recovery point objective, in seconds. A version that has not arrived after it is late, and a recovery point
        that is further behind puts the pair at risk.
    type: int
    default: 900
  prefixes:
    description:
      - Only keys that begin with one of these are compared. Without them, all keys.
      - The recovery point then speaks of these keys only.
    type: list
    elements: str
    default: []
  accepted_causes:
    description:
      - Causes of differences that do not fail the run. What is accepted does not count for the recovery point.
      - What has not arrived yet, is wrong, or is not understood, counts always.
    type: list
    elements: str
    choices:
      - failed
      - written_before_rule
      - written_while_rule_off
      - no_rule_matches
      - tagged_after_creation
      - archived_class
      - kms_not_selected
      - delete_marker_by_choice
      - delete_marker_by_lifecycle
      - version_deleted_at_source
      - version_deleted_at_destination
      - replica_of_another_source
      - conflict
      - foreign_object_at_destination
    default:
      - no_rule_matches
      - delete_marker_by_choice
      - delete_marker_by_lifecycle
      - version_deleted_at_source
      - foreign_object_at_destination
  max_head_requests:
    description:
      - How many requests may be spent on single versions. What is left over is counted as unexamined.
    type: int
    default: 10000
  head_requests_per_second:
    description:
      - How many of these requests are made a second at most, for this pair. They share the request rate of the bucket's
        prefixes with its users.
    type: int
    default: 200
  max_findings:
    description:
      - How many differences the result holds, the unexpected ones first. All of them are counted, and all of them are
        in the file that O(report_dir) gets.
    type: int
    default: 100
  content:
    description:
      - How deep content is proven.
      - V(none) compares sizes, V(etag) sizes and ETags of all versions.
      - V(checksum) compares, besides, the checksums that S3 keeps of a sample.
      - V(sample) reads, besides, a sample from the DR side and checks its bytes.
    type: str
    choices: [none, etag, checksum, sample]
    default: etag
  sample_size:
    description:
      - How many versions the sample holds. 300 without a defect say that less than 1 % is defective, with 95 %
        confidence.
    type: int
    default: 300
  max_transfer_bytes:
    description:
      - How many bytes may be read for O(content=sample). What does not fit is left out and counted.
    type: int
    default: 1073741824
  canary:
    description:
      - Whether canary objects are written. Their keys begin with the rule's prefix and C(.s3-dr-canary/). No other
        keys are touched, and such keys are left out of the comparison.
    type: bool
    default: true
  deadline_seconds:
    description:
      - How long to wait for each canary.
      - AWS promises no time without replication time control. Most objects arrive within 15 minutes.
    type: int
    default: 900
  warnings:
    description:
      - What is said without changing the verdict when it is not as it should be.
    type: list
    elements: str
    choices: [monitoring, readiness]
    default: [readiness]
  fail_on:
    description:
      - The verdicts on which the task fails.
    type: list
    elements: str
    choices: [at_risk, broken, unknown]
    default: [at_risk, broken, unknown]
  report_dir:
    description:
      - A directory on the host that runs the module, which gets the evidence in C(pairs/NAME/TIME/). An absolute path.
      - That is C(evidence.json), C(report.html), C(junit.xml), all differences in C(findings.jsonl), and
        C(manifest.json) with their SHA-256 sums and that of the run before.
      - It is made if it does not exist.
    type: path
notes:
  - The common option O(region) is not used, since each end names its own Region.
  - Needs C(s3:ListBucketVersions) on both buckets. With C(s3:GetObjectVersion) and C(s3:ListBucket) differences are
    explained, with C(s3:GetObjectVersionTagging) those of rules with tags. Reading the configuration needs the
    permissions that M(crossregion.s3_dr.s3_replication_pair) reads with, monitoring C(cloudwatch:DescribeAlarms),
    C(cloudwatch:ListMetrics), C(sns:GetTopicAttributes) and C(sns:ListSubscriptionsByTopic). Checksums of objects
    encrypted with KMS need C(kms:Decrypt), canaries C(s3:PutObject) and C(s3:DeleteObjectVersion). The README has the
    whole list. What may not be read is named. Without listings, rules or alarms the verdict is V(unknown).
  - With O(canary=false) and in check mode nothing tells whether what is written from now on arrives.
  - Ages are told by AWS's clock, not by the one of the host.
seealso:
  - module: crossregion.s3_dr.s3_replication_pair
  - module: crossregion.s3_dr.s3_dr_fleet_report
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Prove that the orders are in the DR Region, and keep the evidence
  crossregion.s3_dr.s3_dr_verify:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    rpo_seconds: 900
    report_dir: /srv/s3-dr-evidence

- name: Read 300 replicas, too, and be told of risks without failing
  crossregion.s3_dr.s3_dr_verify:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    content: sample
    max_transfer_bytes: 100000000
    fail_on: [broken, unknown]

- name: Only look, at buckets whose older objects were never meant to be copied
  crossregion.s3_dr.s3_dr_verify:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    canary: false
    accepted_causes:
      - written_before_rule
      - no_rule_matches
      - delete_marker_by_choice
      - delete_marker_by_lifecycle
      - version_deleted_at_source
"""

RETURN = r"""
pair:
  description: The pair's name.
  returned: always
  type: str
  sample: orders
verdict:
  description:
    - V(proven) means that the copy is complete up to the recovery point and that the pair works.
    - V(at_risk) means that something that was written is not in the copy, or that its loss would not be
      noticed.
    - V(broken) means that the pair does not replicate, or that the copy is wrong.
    - V(unknown) means that something could not be looked at, so that nothing is proven.
  returned: always
  type: str
  sample: proven
problems:
  description: What keeps the verdict from V(proven), one sentence each with the next step, the worst first.
  returned: always
  type: list
  elements: str
  sample: []
prefixes:
  description: The prefixes that were compared. Empty when it was all keys.
  returned: always
  type: list
  elements: str
  sample: []
recovery:
  description:
    - The recovery point of the pair, the worst of its directions. Null when something could not be
      compared.
  returned: always
  type: dict
  contains:
    recovery_point:
      description: The newest second up to which nothing that was written is missing, in UTC.
      returned: always
      type: str
      sample: '2026-11-23T14:03:22Z'
    measured_at:
      description: The second before the comparison began, by AWS's clock. What was written later is not judged.
      returned: always
      type: str
      sample: '2026-11-23T14:04:03Z'
    rpo_seconds:
      description: How far the recovery point is behind that.
      returned: always
      type: int
      sample: 41
    rpo_target_seconds:
      description: The target, which is O(rpo_seconds).
      returned: always
      type: int
      sample: 900
    within_target:
      description: Whether it is within the target.
      returned: always
      type: bool
      sample: true
    versions_at_risk:
      description: How many versions are not in the copy.
      returned: always
      type: int
      sample: 3
    bytes_at_risk:
      description: How many bytes they hold.
      returned: always
      type: int
      sample: 1200000
    oldest_missing:
      description: The oldest of them, as in RV(findings). Null when there is none.
      returned: always
      type: dict
      sample: null
    rules:
      description: The same for each rule and direction.
      returned: always
      type: list
      elements: dict
      contains:
        source:
          description: The source bucket.
          returned: always
          type: str
          sample: example-orders
        destination:
          description: The destination bucket.
          returned: always
          type: str
          sample: example-orders-dr
        rule:
          description: The rule's ID.
          returned: always
          type: str
          sample: s3-dr-orders
        prefix:
          description: The rule's prefix.
          returned: always
          type: str
          sample: ""
        recovery_point:
          description: The newest second up to which nothing that was written is missing, in UTC.
          returned: always
          type: str
          sample: '2026-11-23T14:03:22Z'
        measured_at:
          description: The second before the comparison began, by AWS's clock. What was written later is not judged.
          returned: always
          type: str
          sample: '2026-11-23T14:04:03Z'
        rpo_seconds:
          description: How far the recovery point is behind that.
          returned: always
          type: int
          sample: 41
        rpo_target_seconds:
          description: The target, which is O(rpo_seconds).
          returned: always
          type: int
          sample: 900
        within_target:
          description: Whether it is within the target.
          returned: always
          type: bool
          sample: true
        versions_at_risk:
          description: How many versions are not in the copy.
          returned: always
          type: int
          sample: 3
        bytes_at_risk:
          description: How many bytes they hold.
          returned: always
          type: int
          sample: 1200000
        oldest_missing:
          description: The oldest of them, as in RV(findings). Null when there is none.
          returned: always
          type: dict
          sample: null
comparisons:
  description: What was compared, one entry for each two buckets.
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: The bucket whose versions should be in the other.
      returned: always
      type: str
      sample: example-orders
    source_region:
      description: Its Region.
      returned: always
      type: str
      sample: us-east-1
    destination:
      description: The other bucket.
      returned: always
      type: str
      sample: example-orders-dr
    destination_region:
      description: Its Region.
      returned: always
      type: str
      sample: us-west-2
    engine:
      description: What was compared, V(listing), or V(inventory) for reports of S3 Inventory in a scheduled drill.
      returned: always
      type: str
      sample: listing
    complete:
      description: Whether both were listed to their end. Else nothing is proven.
      returned: always
      type: bool
      sample: true
    reason:
      description: Why not.
      returned: always
      type: str
      sample: ""
    began:
      description: When it began, by AWS's clock, in UTC.
      returned: always
      type: str
      sample: '2026-11-23T14:04:03Z'
    seconds:
      description: How long it took.
      returned: always
      type: float
      sample: 12.5
    source_versions:
      description: How many versions the source holds.
      returned: always
      type: int
      sample: 12000
    source_delete_markers:
      description: How many delete markers the source holds.
      returned: always
      type: int
      sample: 40
    source_bytes:
      description: How many bytes the source holds.
      returned: always
      type: int
      sample: 4800000
    destination_versions:
      description: How many versions the destination holds.
      returned: always
      type: int
      sample: 12000
    destination_delete_markers:
      description: How many delete markers the destination holds.
      returned: always
      type: int
      sample: 40
    destination_bytes:
      description: How many bytes the destination holds.
      returned: always
      type: int
      sample: 4800000
    matched:
      description: How many versions and delete markers are at both ends.
      returned: always
      type: int
      sample: 12037
    in_flight:
      description: How many are newer than the beginning of the comparison, and were not judged.
      returned: always
      type: int
      sample: 0
    canaries:
      description: How many are canaries of this or another run.
      returned: always
      type: int
      sample: 0
    head_requests:
      description: How many requests were spent on single versions, those of the content proof among them.
      returned: always
      type: int
      sample: 3
    max_head_requests:
      description: How many could have been spent by all comparisons together.
      returned: always
      type: int
      sample: 10000
    unexamined:
      description: How many differences were not examined.
      returned: always
      type: int
      sample: 0
    solved:
      description:
        - How many differences were none after a second look, since the version was C(gone) or had C(arrived),
          had the C(same_content), is C(not_comparable), or was C(not_looked_at).
      returned: always
      type: dict
      sample: {gone: 0, arrived: 0, same_content: 0, not_comparable: 0, not_looked_at: 0}
    causes:
      description:
        - How many C(versions) and C(bytes) differ for each cause, and how many of them are C(unexpected), or
          C(excepted), which means not there by an accepted cause.
      returned: always
      type: dict
      sample: {pending: {versions: 3, bytes: 1200000, unexpected: 0, excepted: 0}}
    oldest_arrived:
      description: When the oldest version was written that both ends hold.
      returned: always
      type: str
      sample: '2026-01-02T08:00:00Z'
    content:
      description: How deep the content was proven. Null when the comparison is not complete.
      returned: always
      type: dict
      contains: &content
        method:
          description: What was compared, which is O(content).
          returned: always
          type: str
          sample: sample
        population:
          description: How many versions both ends hold, of which the sample was taken.
          returned: always
          type: int
          sample: 12000
        sampled:
          description: How many of them were drawn.
          returned: always
          type: int
          sample: 300
        versions:
          description: How many of these were proven or found defective.
          returned: always
          type: int
          sample: 300
        vanished:
          description: How many of the sample were deleted meanwhile.
          returned: always
          type: int
          sample: 0
        seed:
          description: What the sample was drawn with. The same seed draws the same versions.
          returned: always
          type: str
          sample: '2026-11-23T14:04:03.123456+00:00'
        bytes_read:
          description: How many bytes were read.
          returned: always
          type: int
          sample: 1200000
        defects:
          description: How many differ.
          returned: always
          type: int
          sample: 0
        left_out:
          description: How many of the sample were not looked at, for each reason.
          returned: always
          type: dict
          sample: {}
        statement:
          description: What that proves.
          returned: always
          type: str
          sample: "No defect in 300 samples: below 1 % defective with 95 % confidence."
causes:
  description:
    - How many C(versions) and C(bytes) differ for each cause, and how many of them are C(unexpected), or
      C(excepted), which means not there by an accepted cause. Over all comparisons.
  returned: always
  type: dict
  sample: {pending: {versions: 3, bytes: 1200000, unexpected: 0, excepted: 0}}
findings:
  description: The explained differences, at most O(max_findings), the unexpected ones first.
  returned: always
  type: list
  elements: dict
  contains:
    cause:
      description:
        - Why the ends differ, one of the choices of O(accepted_causes), or V(pending), V(late),
          V(unexplained), V(unexamined).
      returned: always
      type: str
      sample: pending
    source:
      description: The bucket from which the version should have come.
      returned: always
      type: str
      sample: example-orders
    destination:
      description: The bucket that differs.
      returned: always
      type: str
      sample: example-orders-dr
    key:
      description: The object's key.
      returned: always
      type: str
      sample: orders/2026/11/23/0001
    version_id:
      description: The version.
      returned: always
      type: str
      sample: 3HL4kqtJlcpXroDTDmJ
    modified:
      description: When it was written, in UTC.
      returned: always
      type: str
      sample: '2026-11-23T14:03:23Z'
    age_seconds:
      description: How long ago that was at RV(recovery.measured_at).
      returned: always
      type: int
      sample: 40
    size:
      description: Its size in bytes.
      returned: always
      type: int
      sample: 400000
    delete_marker:
      description: Whether it is a delete marker.
      returned: always
      type: bool
      sample: false
    missing:
      description: Whether the destination lacks it, or holds it with other content.
      returned: always
      type: bool
      sample: true
    rule:
      description: The rule that selects the key. Null when none does.
      returned: always
      type: str
      sample: s3-dr-orders
    detail:
      description: What was seen, if that says more than the cause.
      returned: always
      type: str
      sample: ""
    remedy:
      description: What to do about it.
      returned: always
      type: str
      sample: "Nothing yet: S3 is still replicating it, and it is within the target."
findings_total:
  description: How many there are.
  returned: always
  type: int
  sample: 3
findings_file:
  description: The file that holds all of them, one JSON object a line. Null without O(report_dir).
  returned: always
  type: str
  sample: /srv/s3-dr-evidence/pairs/orders/20261123T140403Z/findings.jsonl
content:
  description: That of the first comparison, which is that of the pair's two buckets. Null when it is not complete.
  returned: always
  type: dict
  contains: *content
checks:
  description: Everything that was looked at.
  returned: always
  type: list
  elements: dict
  contains:
    area:
      description:
        - What it is about. One of V(versions), V(recovery_point), V(content), V(canary), V(configuration),
          V(monitoring), V(readiness).
      returned: always
      type: str
      sample: monitoring
    name:
      description: What was looked at.
      returned: always
      type: str
      sample: latency alarm
    subject:
      description: Of what.
      returned: always
      type: str
      sample: "s3-dr-orders: example-orders -> example-orders-dr"
    status:
      description: How it ended. One of V(passed), V(warning), V(at_risk), V(broken), V(unknown), V(skipped).
      returned: always
      type: str
      sample: passed
    message:
      description: What was seen, with the next step.
      returned: always
      type: str
      sample: AWS holds exactly what the pair declares.
summary:
  description: What was seen, a line each.
  returned: always
  type: list
  elements: str
  sample:
    - 'orders: proven. Everything written up to 14:04:02 UTC on 23 November 2026 is in us-west-2. ...'
    - 'example-orders -> example-orders-dr: a canary object arrived intact in 3.2 s (rule s3-dr-orders).'
drift:
  description: The steps that M(crossregion.s3_dr.s3_replication_pair) would carry out. Empty when nothing differs.
  returned: always
  type: list
  elements: dict
  sample: []
canaries:
  description: What became of each canary.
  returned: always
  type: list
  elements: dict
  contains:
    rule:
      description: The rule that it was sent through.
      returned: always
      type: str
      sample: s3-dr-orders
    source:
      description: The bucket that it was written to.
      returned: always
      type: str
      sample: example-orders
    destination:
      description: The bucket that it should arrive in.
      returned: always
      type: str
      sample: example-orders-dr
    key:
      description: Its key.
      returned: always
      type: str
      sample: .s3-dr-canary/6f1c0b9be5d04c6c8ee1c5d5bb9b4a37
    version_id:
      description: Its version ID, the same at both ends.
      returned: always
      type: str
      sample: 3HL4kqtJlcpXroDTDmJ
    encryption:
      description: The encryption that was asked for, the bucket's V(default) or V(aws:kms).
      returned: always
      type: str
      sample: default
    status:
      description:
        - V(replicated) means that it was compared with its replica at the other end.
        - V(late) means that the deadline passed, V(failed) that S3 gave up, V(differs) that the bytes are
          others, V(not_written) that it could not be written, V(unreadable) that it may not be read.
      returned: always
      type: str
      sample: replicated
    seconds:
      description: The time from writing it to the outcome.
      returned: always
      type: float
      sample: 3.2
    compared:
      description:
        - What was compared with the replica. V(bytes), or V(size) in a class that must be restored to be
          read.
      returned: always
      type: str
      sample: bytes
    reason:
      description: Why it did not arrive.
      returned: always
      type: str
      sample: null
    left_behind:
      description: What was not removed, with the reason. A late canary is left to arrive.
      returned: always
      type: list
      elements: str
      sample: []
metrics:
  description: The replication metrics of each rule and direction.
  returned: always
  type: list
  elements: dict
  contains:
    metric:
      description: The metric's name.
      returned: always
      type: str
      sample: ReplicationLatency
    region:
      description: The Region where AWS publishes it.
      returned: always
      type: str
      sample: us-west-2
    rule:
      description: The rule.
      returned: always
      type: str
      sample: s3-dr-orders
    source:
      description: The source bucket.
      returned: always
      type: str
      sample: example-orders
    destination:
      description: The destination bucket.
      returned: always
      type: str
      sample: example-orders-dr
    published:
      description: Whether CloudWatch holds it. AWS takes about 15 minutes to publish the first values.
      returned: always
      type: bool
      sample: true
notes:
  description: What a person should know, one sentence each.
  returned: always
  type: list
  elements: str
  sample: []
evidence:
  description: The directory of this run's evidence. Null without O(report_dir).
  returned: always
  type: str
  sample: /srv/s3-dr-evidence/pairs/orders/20261123T140403Z
api_calls:
  description: How many calls to AWS the task made.
  returned: always
  type: dict
  contains:
    total:
      description: All calls.
      returned: always
      type: int
      sample: 64
    reads:
      description: Calls that only read.
      returned: always
      type: int
      sample: 61
    writes:
      description: Calls that may change something.
      returned: always
      type: int
      sample: 3
    by_operation:
      description: The number of calls of each operation.
      returned: always
      type: dict
      sample: {HeadBucket: 2, PutObject: 1}
    seconds:
      description: The sum of the calls' times. Calls run side by side.
      returned: always
      type: float
      sample: 1.2
    wall_seconds:
      description: How long the task worked.
      returned: always
      type: float
      sample: 0.4
"""

from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.verify_wishes import Wishes
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Verdict
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_run import EvidenceRun
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.progress_file import ProgressFile
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.verification import (
    Verification,
    written_down,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.verify_options import verify_argument_spec


def argument_spec() -> dict:
    """The pair's options and those of a verify."""
    verdicts = [Verdict.AT_RISK.value, Verdict.BROKEN.value, Verdict.UNKNOWN.value]
    return {
        **pair_argument_spec(),
        **verify_argument_spec(max_transfer_bytes=1073741824),
        "canary": {"type": "bool", "default": True},
        "fail_on": {"type": "list", "elements": "str", "choices": verdicts, "default": verdicts},
        "report_dir": {"type": "path"},
    }


def main() -> None:
    """From parameters to a pair, from what is seen of it to the verdict."""
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair, wishes = pair_from(module.params), Wishes.of(module.params)
        evidence = None
        if module.params["report_dir"] and not Path(module.params["report_dir"]).is_absolute():
            raise InvalidInput(
                f"report_dir is '{module.params['report_dir']}', and modules run in a directory of Ansible's. "
                "Write an absolute path."
            )
        if module.params["report_dir"]:
            evidence = EvidenceRun.begin(module.params["report_dir"], pair.name, datetime.now(UTC))
        progress = ProgressFile.of_the_task()
        result = Verification(module, gateway, clients, pair, wishes, evidence, progress).run()
        progress.flush()
        if evidence:
            try:
                result = written_down(evidence, result)
            except InvalidInput as error:
                module.fail_json(msg=f"The verdict is {result['verdict']}, but {error}", **result)
        if Verdict(result["verdict"]) in wishes.fail_on:
            module.fail_json(msg=" ".join([result["summary"][0], *result["problems"]]), **result)
        return result

    run(module, gateway, body)


if __name__ == "__main__":
    main()
