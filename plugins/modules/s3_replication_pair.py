#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_replication_pair
short_description: Replicate an S3 bucket to another Region
version_added: 0.1.0
description:
  - Makes one pair of buckets in two Regions replicate, in one task. Both buckets, versioning on both, one IAM role for
    each direction with the least permissions, what policies of buckets and keys must allow that role, and the rules.
  - Only what carries this pair's names is managed. Other rules of the buckets, other roles and other statements of
    policies are kept.
  - Before anything is changed, and in check mode, it looks for what would make objects fail to replicate, and names the
    failure that S3 would report.
  - After a change it sends canary objects, since a wrong role or key makes objects fail for good without any error.
  - Objects that exist already are not replicated by a rule. They are counted, and need S3 Batch Replication.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  state:
    description:
      - V(present) makes the pair replicate.
      - V(paused) disables the pair's rules and records since when, as tags of its roles. What is written meanwhile is
        not replicated later by itself; RV(gaps) says which time a backfill has to cover.
      - V(absent) removes the pair's rules and roles. Buckets and their data stay, unless O(delete_buckets) names them.
    type: str
    choices: [present, paused, absent]
    default: present
  create_buckets:
    description: Whether a bucket that does not exist is created. If not, it is an error.
    type: bool
    default: true
  purge_rules:
    description:
      - Whether rules of the source buckets that are not this pair's are removed. Check mode lists them.
      - Also the way to be rid of rules that this pair had under other IDs.
    type: bool
    default: false
  on_failed_check:
    description:
      - What to do when a check before the change says that objects would fail to replicate.
      - V(warn) goes on, for surroundings that you know better than the checks. The proof then tells.
      - Pausing always goes on.
    type: str
    choices: [fail, warn]
    default: fail
  wait:
    description:
      - Whether a change is proven. One object for each direction, destination and encryption is written under the
        rule's prefix and C(.s3-dr-canary/), watched until it arrives, compared, and removed at both ends.
      - Needs the permissions s3:PutObject, s3:GetObjectVersion and s3:DeleteObjectVersion on these keys, for rules with
        tags s3:PutObjectTagging, and for KMS the use of the source's and the replicas' key. Without them the task warns
        that nothing was proven.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait for the proof, in seconds. AWS promises no time without replication time control.
      - As long as time is left, another canary follows one that failed, since a new role or new versioning may take a
        while to be seen everywhere.
    type: int
    default: 300
  confirm_object_lock:
    description:
      - Must be the pair's name for Object Lock to be enabled on a bucket that exists, since it can never be disabled
        again. Without it, check mode warns and the task fails before anything is changed.
    type: str
  delete_buckets:
    description:
      - With O(state=absent), the names of the pair's buckets that are deleted with all versions, delete markers and
        unfinished uploads. This cannot be undone.
      - If one end is named and the other is not, both are compared before anything is changed, as
        M(crossregion.s3_dr.s3_dr_verify) compares them, without canaries. Where the named bucket holds the only copy of
        any version, or that cannot be told, the task refuses and names what would be lost. Delete markers hold no data
        and do not count.
      - If both ends are named, everything is meant to go, and nothing is compared.
      - Versions under Object Lock are never forced, in neither mode. All else is deleted, and then the task fails,
        names them and says until when they are locked.
      - A task that was ended anywhere is repeated, and goes on with what is left.
    type: list
    elements: str
    default: []
  accept_loss:
    description:
      - Buckets of O(delete_buckets) that are deleted even if they hold the only copy of something.
    type: list
    elements: str
    default: []
  report_dir:
    description:
      - A directory on the host that runs the module, as an absolute path. Gets the evidence of the comparison before a
        deletion, as O(crossregion.s3_dr.s3_dr_verify#module:report_dir) does, and for each bucket of which S3 kept
        something C(not_deleted/BUCKET.jsonl) with a line for each version that was kept.
    type: path
  confirm_deletion:
    description: Must be the pair's name for O(delete_buckets) to be carried out.
    type: str
notes:
  - Running again after a failed proof changes nothing and therefore sends no canary.
    M(crossregion.s3_dr.s3_dr_verify) sends one through each rule, whenever it is asked.
  - Permissions of the role are looked at by IAM's policy simulation where the role exists already. It knows nothing of
    keys, which the canaries prove.
  - Deleting a bucket needs s3:DeleteBucket, s3:ListBucketVersions, s3:ListBucketMultipartUploads, s3:DeleteObject,
    s3:DeleteObjectVersion and s3:AbortMultipartUpload on it. With s3:GetObjectVersion, s3:GetObjectRetention and
    s3:GetObjectLegalHold it is told until when versions are locked, with s3:ListMultiRegionAccessPoints whether a
    Multi-Region Access Point must go first.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_dr_verify
  - module: crossregion.s3_dr.s3_replication_pair_info
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Replicate the orders to us-west-2
  crossregion.s3_dr.s3_replication_pair:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2

- name: Replicate both ways, with delete markers and a cheaper class for the DR copy
  crossregion.s3_dr.s3_replication_pair:
    name: invoices
    primary:
      bucket: example-invoices
      region: us-east-1
    dr:
      bucket: example-invoices-dr
      region: us-west-2
      storage_class: STANDARD_IA
    direction: two_way
    rules:
      - delete_markers: true

- name: Several rules, encryption with KMS, and a second DR bucket
  crossregion.s3_dr.s3_replication_pair:
    name: ledger
    primary:
      bucket: example-ledger
      region: us-east-1
      kms_key_arn: "{{ key_in_us_east_1 }}"
    dr:
      bucket: example-ledger-dr
      region: us-west-2
      kms_key_arn: "{{ key_in_us_west_2 }}"
    rules:
      - id: ledger-all
        priority: 1
        observation: metrics_and_rtc
      - id: ledger-reports
        priority: 2
        prefix: reports/
        tags:
          keep: long
        destination:
          storage_class: GLACIER_IR
      - id: ledger-eu
        priority: 3
        prefix: eu/
        destination:
          bucket: example-ledger-eu
          region: eu-central-1
        kms_objects: false

- name: Replicate into another account
  crossregion.s3_dr.s3_replication_pair:
    name: archive
    primary:
      bucket: example-archive
      region: us-east-1
    dr:
      bucket: example-archive-dr
      region: us-west-2
      assume_role_arn: "{{ operator_role_in_dr_account }}"
      external_id: "{{ operator_external_id }}"

- name: Pause replication, for example while the DR bucket is rebuilt
  crossregion.s3_dr.s3_replication_pair:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    state: paused

- name: Stop replicating, keep both buckets and all data
  crossregion.s3_dr.s3_replication_pair:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    state: absent

- name: Stop replicating and delete the DR bucket, if the primary holds all that it holds
  crossregion.s3_dr.s3_replication_pair:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    state: absent
    delete_buckets:
      - example-orders-dr
    confirm_deletion: orders
    report_dir: /srv/s3-dr-evidence

- name: Stop replicating and delete both buckets with everything in them
  crossregion.s3_dr.s3_replication_pair:
    name: invoices
    primary:
      bucket: example-invoices
      region: us-east-1
    dr:
      bucket: example-invoices-dr
      region: us-west-2
    state: absent
    delete_buckets:
      - example-invoices
      - example-invoices-dr
    confirm_deletion: invoices
"""

RETURN = r"""
steps:
  description: What was changed, in order. In check mode, what would be changed.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: One of V(create), V(update) and V(delete).
      type: str
      returned: always
      sample: create
    kind:
      description: The kind of document, for example V(bucket_replication).
      type: str
      returned: always
      sample: bucket_replication
    name:
      description: The name of the thing in AWS.
      type: str
      returned: always
      sample: example-orders
    region:
      description: Its Region, or V(global).
      type: str
      returned: always
      sample: us-east-1
    account:
      description: The 12-digit ID of its account.
      type: str
      returned: always
      sample: '111122223333'
    before:
      description: The document before the step. None if it did not exist.
      type: dict
      returned: always
    after:
      description: The document after the step. None if it is deleted.
      type: dict
      returned: always
pair:
  description: The pair in the words of the options, with the defaults filled in and without credentials.
  returned: success
  type: dict
  sample:
    name: orders
    primary: {bucket: example-orders, region: us-east-1, object_lock: false, more_kms_key_arns: []}
    dr: {bucket: example-orders-dr, region: us-west-2, object_lock: false, more_kms_key_arns: []}
    direction: one_way
    rules:
      - id: s3-dr-orders
        priority: 1
        prefix: ''
        tags: {}
        status: enabled
        delete_markers: false
        observation: metrics
        owner_override: false
    replication_role: {name_template: 's3-dr-{pair}-to-{destination}', path: /, tags: {}, annotations: true}
    allow_same_region: false
preflight:
  description: What was looked at before the change, also in check mode, and whether objects will replicate.
  returned: when O(state) is not V(absent)
  type: list
  elements: dict
  contains:
    name:
      description: The check.
      type: str
      returned: always
      sample: object_lock
    subject:
      description: The bucket, key or role that it is about.
      type: str
      returned: always
      sample: example-orders-dr
    status:
      description: One of V(passed), V(warning), V(failed) and V(unknown). One that failed fails the task.
      type: str
      returned: always
      sample: passed
    message:
      description: What was seen, and what to do.
      type: str
      returned: always
      sample: Bucket 'example-orders-dr' has versioning enabled.
    failure_code:
      description: The reason that S3 would give for objects that do not replicate.
      type: str
      returned: always
      sample: null
foreign_rules:
  description: The rules of the source buckets that are not this pair's. They are kept, unless O(purge_rules).
  returned: success
  type: list
  elements: dict
  contains:
    bucket:
      description: The bucket.
      type: str
      returned: always
      sample: example-orders
    rule:
      description: The rule, as S3 returns it.
      type: dict
      returned: always
existing_objects:
  description:
    - What the sources held before a rule that is new. It is not replicated by the rule.
    - Of a large bucket the first 100,000 versions are counted.
  returned: when O(state) is not V(absent)
  type: list
  elements: dict
  contains:
    bucket:
      description: The bucket.
      type: str
      returned: always
      sample: example-orders
    prefixes:
      description: The prefixes that the new rules select. Their tags are not looked at.
      type: list
      elements: str
      returned: always
      sample: ['']
    versions:
      description: How many versions.
      type: int
      returned: always
      sample: 12
    bytes:
      description: How many bytes they have.
      type: int
      returned: always
      sample: 4711
    complete:
      description: Whether these are all. If not, there are at least so many.
      type: bool
      returned: always
      sample: true
deletions:
  description: The buckets that are deleted, with what they hold. Counted before the deletion, also in check mode.
  returned: when O(state=absent)
  type: list
  elements: dict
  contains:
    bucket:
      description: The bucket.
      type: str
      returned: always
      sample: example-orders-dr
    versions:
      description: How many versions it holds.
      type: int
      returned: always
      sample: 12000
    bytes:
      description: How many bytes they have.
      type: int
      returned: always
      sample: 4711000
    delete_markers:
      description: How many delete markers it holds.
      type: int
      returned: always
      sample: 12
    uploads:
      description: How many unfinished uploads it holds.
      type: int
      returned: always
      sample: 0
    object_lock:
      description: Whether it has Object Lock, so that versions may be kept.
      type: bool
      returned: always
      sample: false
    expected_seconds:
      description: How long the deletion takes at 2,000 versions a second, which is assumed.
      type: int
      returned: always
      sample: 6
losses:
  description:
    - What a comparison says that would be lost with each bucket. Empty when nothing had to be compared.
    - The task fails if any of them holds versions, or is not known.
  returned: when O(state=absent)
  type: list
  elements: dict
  contains:
    bucket:
      description: The bucket that is named.
      type: str
      returned: always
      sample: example-orders-dr
    other:
      description: The bucket that should hold the same. None if that one is named, too.
      type: str
      returned: always
      sample: example-orders
    versions:
      description: How many versions only the named bucket holds.
      type: int
      returned: always
      sample: 0
    bytes:
      description: How many bytes they have.
      type: int
      returned: always
      sample: 0
    delete_markers:
      description: How many delete markers only the named bucket holds. They hold no data.
      type: int
      returned: always
      sample: 0
    causes:
      description: How many versions for each cause, as M(crossregion.s3_dr.s3_dr_verify) names them.
      type: dict
      returned: always
      sample: {}
    first:
      description: Some of them.
      type: list
      elements: str
      returned: always
      sample: []
    unknown:
      description: Why it cannot be told. Empty if it can.
      type: str
      returned: always
      sample: ''
not_deleted:
  description: What S3 kept of the buckets that were to be deleted. Empty when the task failed for another reason.
  returned: when a call to AWS failed with O(state=absent)
  type: list
  elements: dict
  contains:
    bucket:
      description: The bucket.
      type: str
      returned: always
      sample: example-orders-dr
    kept:
      description: How many versions, delete markers and uploads were kept.
      type: int
      returned: always
      sample: 7
    deleted:
      description: How many C(versions), with delete markers, and C(uploads) went.
      type: dict
      returned: always
      sample: {versions: 11993, uploads: 0}
    reasons:
      description: How many were kept for each reason that S3 gave.
      type: dict
      returned: always
      sample: {AccessDenied (Access Denied because object protected by object lock.): 7}
    first:
      description: The first ones of each reason, with C(key), C(version_id), C(code) and C(message).
      type: list
      elements: dict
      returned: always
    file:
      description: The file with all of them. None without O(report_dir).
      type: str
      returned: always
      sample: /srv/s3-dr-evidence/not_deleted/example-orders-dr.jsonl
statements_to_apply:
  description:
    - What somebody else has to allow for the pair to replicate, since these credentials may not write it, as
      statements of the policies of buckets, keys and roles of your own.
  returned: when O(state) is not V(absent)
  type: list
  elements: dict
  contains:
    kind:
      description: One of V(bucket_policy), V(kms_key_policy) and V(iam_role).
      type: str
      returned: always
      sample: bucket_policy
    name:
      description: The bucket, the key's ARN, or the role.
      type: str
      returned: always
      sample: example-orders-dr
    region:
      description: Its Region, or V(global).
      type: str
      returned: always
      sample: us-west-2
    account:
      description: The 12-digit ID of its account.
      type: str
      returned: always
      sample: '444455556666'
    statements:
      description: The statements to put into its policy, as they are.
      type: list
      elements: dict
      returned: always
gaps:
  description: The times in which a direction was paused, and that no backfill has closed yet.
  returned: when O(state) is not V(absent)
  type: list
  elements: dict
  contains:
    source:
      description: The bucket whose objects were not replicated.
      type: str
      returned: always
      sample: example-orders
    destination:
      description: The bucket that lacks them.
      type: str
      returned: always
      sample: example-orders-dr
    from:
      description: Since when, in UTC.
      type: str
      returned: always
      sample: '2026-11-01T08:00:00Z'
    until:
      description: Until when, in UTC. None while it is paused.
      type: str
      returned: always
      sample: '2026-11-01T09:30:00Z'
canaries:
  description: What became of each canary that was sent after the change.
  returned: when O(state) is not V(absent)
  type: list
  elements: dict
  contains:
    rule:
      description: The rule that it was sent through.
      type: str
      returned: always
      sample: s3-dr-orders
    source:
      description: The bucket that it was written to.
      type: str
      returned: always
      sample: example-orders
    destination:
      description: The bucket that it should arrive in.
      type: str
      returned: always
      sample: example-orders-dr
    key:
      description: Its key.
      type: str
      returned: always
      sample: .s3-dr-canary/6f1c0b9be5d04c6c8ee1c5d5bb9b4a37
    version_id:
      description: Its version ID, the same at both ends.
      type: str
      returned: always
      sample: 3HL4kqtJlcpXroDTDmJ
    encryption:
      description: The encryption that was asked for, the bucket's V(default) or V(aws:kms).
      type: str
      returned: always
      sample: default
    status:
      description:
        - V(replicated) means that it was compared with its replica at the other end.
        - V(late) means that the deadline passed, V(failed) that S3 gave up, V(differs) that the bytes are others,
          V(not_written) that it could not be written.
      type: str
      returned: always
      sample: replicated
    seconds:
      description: The time from writing it to the outcome.
      type: float
      returned: always
      sample: 3.2
    compared:
      description:
        - What was compared with the replica. V(bytes), or V(size) in a class that must be restored to be read.
      type: str
      returned: always
      sample: bytes
    reason:
      description: Why it did not arrive.
      type: str
      returned: always
      sample: null
    left_behind:
      description: What was not removed, with the reason. A late canary is left to arrive.
      type: list
      elements: str
      returned: always
      sample: []
notes:
  description: What a person should know after the change, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - 'Versioning is new on example-orders: AWS advises to wait 15 minutes before writing objects.'
api_calls:
  description: How many calls to AWS the task made.
  returned: success
  type: dict
  contains:
    total:
      description: All calls.
      type: int
      returned: always
      sample: 12
    reads:
      description: Calls that only read.
      type: int
      returned: always
      sample: 12
    writes:
      description: Calls that may change something.
      type: int
      returned: always
      sample: 0
    by_operation:
      description: The number of calls of each operation.
      type: dict
      returned: always
      sample: {HeadBucket: 2, GetBucketVersioning: 2}
    seconds:
      description: The sum of the calls' times. Calls run side by side.
      type: float
      returned: always
      sample: 1.2
    wall_seconds:
      description: How long the task worked.
      type: float
      returned: always
      sample: 0.4
"""

from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from, pair_result
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.interruption import end_when_nobody_listens
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_change import Setup
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_removal import Removal
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run


def check_options(pair: Pair, params: dict) -> None:
    """Refuse options that do not go together, and a deletion that nobody confirmed."""
    named = params["delete_buckets"]
    foreign = sorted(set(named) - {end.bucket for end in pair.ends()})
    if foreign:
        raise InvalidInput(
            f"pair '{pair.name}': `delete_buckets` names {', '.join(foreign)}, which is no bucket of this pair. "
            f"Its buckets are {', '.join(end.bucket for end in pair.ends())}."
        )
    if named and params["state"] != "absent":
        raise InvalidInput(f"pair '{pair.name}': `delete_buckets` goes only with `state: absent`. Remove one of them.")
    if named and params["confirm_deletion"] != pair.name:
        raise InvalidInput(
            f"pair '{pair.name}': deleting {', '.join(named)} with all versions cannot be undone. "
            f"Set `confirm_deletion: {pair.name}` if that is meant."
        )
    unnamed = sorted(set(params["accept_loss"]) - set(named))
    if unnamed:
        raise InvalidInput(
            f"pair '{pair.name}': `accept_loss` names {', '.join(unnamed)}, which `delete_buckets` does not. Name it "
            "in both, or in neither."
        )
    if params["report_dir"] and not Path(params["report_dir"]).is_absolute():
        raise InvalidInput(
            f"report_dir is '{params['report_dir']}', and modules run in a directory of Ansible's. Write an absolute "
            "path."
        )
    if params["purge_rules"] and params["state"] == "absent":
        raise InvalidInput(f"pair '{pair.name}': `purge_rules` does not go with `state: absent`. Remove one of them.")
    if params["wait_timeout"] < 1:
        raise InvalidInput("wait_timeout must be at least 1 second. Without waiting, set `wait: false`.")


def main() -> None:
    """From parameters to a pair, from the pair to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "state": {"type": "str", "choices": ["present", "paused", "absent"], "default": "present"},
            "create_buckets": {"type": "bool", "default": True},
            "purge_rules": {"type": "bool", "default": False},
            "on_failed_check": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 300},
            "confirm_object_lock": {"type": "str"},
            "delete_buckets": {"type": "list", "elements": "str", "default": []},
            "accept_loss": {"type": "list", "elements": "str", "default": []},
            "report_dir": {"type": "path"},
            "confirm_deletion": {"type": "str"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair = pair_from(module.params)
        check_options(pair, module.params)
        if module.params["state"] == "absent":
            end_when_nobody_listens()
            result = Removal(module, clients, gateway, pair).run()
        else:
            result = Setup(module, clients, gateway, pair).run()
        return {**result, "pair": pair_result(pair), "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
