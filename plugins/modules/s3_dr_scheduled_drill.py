#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_scheduled_drill
short_description: Prove pairs every day without a playbook, by a function in the DR Region
version_added: 0.1.0
description:
  - Deploys to one DR Region a Lambda function, a Step Functions state machine that calls it step by step, and a
    schedule of EventBridge Scheduler that starts the state machine. Also their roles, a dead-letter queue, a log group,
    a bucket for the evidence, and for each pair an alarm that fires when it was not proven for too long.
  - Of each pair the drill reads the configuration, sends canaries, compares all versions slice by slice, restores a few
    of them in the DR Region alone, judges, and writes evidence of the same form as M(crossregion.s3_dr.s3_dr_verify).
  - It sends metrics to the namespace C(S3DR), and of a pair that is not proven a message to the topics and an OpsItem.
  - The function is made of the very code that the other modules run. The same collection makes the same archive, so
    that a second run changes nothing.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  name:
    description:
      - The name of the function, the state machine and the schedule. The names of all else begin with it.
      - 1 to 30 letters, digits and hyphens.
    type: str
    default: s3-dr-scheduled-drill
  region:
    description: The DR Region of the pairs. Everything is made there.
    type: str
    required: true
    aliases: [aws_region]
  state:
    description:
      - V(present) makes everything as described.
      - V(absent) removes it. The evidence stays, unless O(delete_evidence) is set.
      - V(started) starts a drill now.
    type: str
    choices: [present, absent, started]
    default: present
  pairs:
    description:
      - The pairs, in the words of M(crossregion.s3_dr.s3_replication_pair). Their DR buckets are in O(region).
      - Some 58 at most, fewer with a longer O(verify.deadline_seconds), since one execution has 25,000 events at most.
      - An end may have C(assume_role_arn) and C(external_id), but no C(profile), which a function does not have.
    type: list
    elements: dict
    default: []
  evidence_bucket:
    description:
      - The name of the evidence bucket. C({account}) stands for the account's ID and C({region}) for O(region).
    type: str
    default: s3-dr-evidence-{account}-{region}
  evidence_lock:
    description:
      - Sets a default retention by Object Lock, so that nobody removes evidence before its time.
      - In V(compliance) mode not even the root user can, and the retention of what is written cannot be shortened.
      - Without it, the bucket's Object Lock is left as it is.
    type: dict
    suboptions:
      mode:
        description: The mode of the retention.
        type: str
        choices: [governance, compliance]
        required: true
      days:
        description: How many days each object is kept.
        type: int
        required: true
  evidence_days:
    description: After so many days a lifecycle rule removes evidence. Without it, evidence stays for good.
    type: int
  recovery_bucket:
    description:
      - The recovery bucket of O(region), as M(crossregion.s3_dr.s3_dr_recovery_bucket) makes it. What a run works with
        lies there, below C(scheduled-drill/).
    type: str
    default: s3-dr-{account}-{region}
  schedule:
    description: When drills begin, as EventBridge Scheduler spells it, with C(cron), C(rate) or C(at).
    type: str
    default: cron(15 3 * * ? *)
  schedule_timezone:
    description: The time zone of O(schedule), by its IANA name.
    type: str
    default: UTC
  flexible_window_minutes:
    description: Within so many minutes after its time a drill may begin. V(0) means at its time.
    type: int
    default: 0
  enabled:
    description: Whether the schedule starts drills. If not, there are no alarms on missing proofs either.
    type: bool
    default: true
  runtime:
    description: The runtime of the function.
    type: str
    choices: [python3.12, python3.13]
    default: python3.12
  memory_mb:
    description: The memory of the function, in MB. Lambda gives more processor time with more memory.
    type: int
    default: 512
  timeout_seconds:
    description: How long one step may take, 60 to 900. A comparison goes on in the next one.
    type: int
    default: 300
  run_timeout_seconds:
    description: How long a whole drill may take.
    type: int
    default: 21600
  concurrency:
    description: How many pairs are drilled at the same time.
    type: int
    default: 5
  reserved_concurrency:
    description:
      - How many instances of the function Lambda reserves, and allows at most.
      - Lambda keeps at least 100 of an account's instances unreserved, so accounts with a low limit cannot reserve any.
      - V(0) removes a reservation. Without it, what is there is left as it is.
    type: int
  log_days:
    description: How long the function's log is kept.
    type: int
    choices: [7, 14, 30, 60, 90, 180, 365, 400, 731, 1827, 3653]
    default: 90
  tracing:
    description: Whether X-Ray traces the function and the state machine.
    type: bool
    default: false
  topic_arns:
    description:
      - SNS topics in O(region) that are told of pairs that are not proven, such as those of the alarms.
      - C({partition}), C({region}) and C({account}) stand for those of the drill.
    type: list
    elements: str
    default: []
  ops_items:
    description: Whether a pair that is not proven opens an OpsItem, which the next proof resolves.
    type: bool
    default: true
  no_proof_hours:
    description: After so many hours without a proof of a pair its alarm fires.
    type: int
    default: 26
  permissions_boundary:
    description: The ARN of a managed policy that bounds the roles.
    type: str
  verify:
    description: How each pair is verified, as M(crossregion.s3_dr.s3_dr_verify) takes it.
    type: dict
    suboptions:
      rpo_seconds:
        description:
          - The recovery point objective, in seconds. A version that has not arrived after it is late, and a recovery
            point that is further behind puts the pair at risk.
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
          - How many of these requests are made a second at most, for this pair. They share the request rate of the
            bucket's prefixes with its users.
        type: int
        default: 200
      max_findings:
        description:
          - How many differences the result holds, the unexpected ones first. All of them are counted, and all of them
            are in the files of findings.
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
          - How many bytes may be read for O(verify.content=sample). What does not fit is left out and counted.
        type: int
        default: 67108864
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
  inventory:
    description:
      - When reports of S3 Inventory are compared in place of the listings, which takes less time where a bucket holds
        very many objects. Without it, never.
      - Both buckets need a configuration for all versions in CSV, with the fields C(Size), C(LastModifiedDate) and
        C(ETag). Where no such report is found, the listings are compared, and a note says why.
      - The recovery point is then an hour before the older one of both reports, since these are eventually consistent.
    type: dict
    suboptions:
      threshold:
        description: Of buckets with more objects than that, by CloudWatch's daily figure. All versions count.
        type: int
        default: 10000000
      max_age_hours:
        description: A report older than that is not compared.
        type: int
        default: 50
      buckets:
        description: The buckets in which the reports of both ends are. The function may read them.
        type: list
        elements: str
        required: true
      kms_key_arns:
        description: The keys by which these buckets encrypt the reports, if it is not by S3's own.
        type: list
        elements: str
        default: []
  only:
    description: With O(state=started), the names of the pairs to drill. Without it, all.
    type: list
    elements: str
    default: []
  wait:
    description: With O(state=started), whether the task waits for the end, and fails if a pair is not proven.
    type: bool
    default: true
  wait_seconds:
    description: How long to wait.
    type: int
    default: 3600
  delete_evidence:
    description:
      - With O(state=absent), whether the evidence bucket is deleted with all evidence. This cannot be undone.
    type: bool
    default: false
  confirm_deletion:
    description: Must hold the name of the evidence bucket for O(delete_evidence) to be carried out.
    type: list
    elements: str
    default: []
notes:
  - Needs the recovery bucket of O(region).
  - Permissions needed are those to create, read, change and delete IAM roles and policies, the function, the state
    machine, the schedule, the queue, the log group, the alarms and the evidence bucket, and C(iam:PassRole) for the
    three roles. For O(state=started) C(states:StartExecution), C(states:DescribeExecution) and
    C(states:GetExecutionHistory).
seealso:
  - module: crossregion.s3_dr.s3_dr_verify
  - module: crossregion.s3_dr.s3_dr_recovery_bucket
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Prove a pair every day
  crossregion.s3_dr.s3_dr_scheduled_drill:
    region: us-west-2
    topic_arns: [arn:aws:sns:us-west-2:111122223333:s3-dr-alarms]
    pairs:
      - name: orders
        primary:
          bucket: example-orders
          region: us-east-1
        dr:
          bucket: example-orders-dr
          region: us-west-2

- name: Drill it now, and wait for the verdict
  crossregion.s3_dr.s3_dr_scheduled_drill:
    region: us-west-2
    state: started
    only: [orders]

- name: Remove it, and keep the evidence
  crossregion.s3_dr.s3_dr_scheduled_drill:
    region: us-west-2
    state: absent
"""

RETURN = r"""
evidence_bucket:
  description: The name of the evidence bucket.
  returned: success
  type: str
  sample: s3-dr-evidence-111122223333-us-west-2
function_arn:
  description: The ARN of the function.
  returned: with O(state=present)
  type: str
  sample: arn:aws:lambda:us-west-2:111122223333:function:s3-dr-scheduled-drill
state_machine_arn:
  description: The ARN of the state machine.
  returned: with O(state=present)
  type: str
  sample: arn:aws:states:us-west-2:111122223333:stateMachine:s3-dr-scheduled-drill
execution:
  description: What the drill came to. None in check mode.
  returned: with O(state=started)
  type: dict
  contains:
    arn:
      description: The ARN of the execution.
      type: str
      returned: always
    status:
      description: V(SUCCEEDED) if all pairs are proven, V(RUNNING) if it goes on, else how it failed.
      type: str
      returned: always
      sample: SUCCEEDED
    error:
      description: The name of the error, V(NotProven) if a pair is not proven. None if there is none.
      type: str
      returned: always
    cause:
      description: The cause of the error. None if there is none.
      type: str
      returned: always
    verdicts:
      description: The verdict of each pair.
      type: dict
      returned: always
      sample: {orders: proven}
    seconds:
      description: How long it took. None while it runs.
      type: float
      returned: always
      sample: 41.5
history:
  description: How many C(events) the execution had, and how often each state was entered.
  returned: with O(state=started)
  type: dict
  sample: {events: 108, Compare: 1}
notes:
  description: What a person should know, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
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
      description: The kind of document, for example V(lambda_function).
      type: str
      returned: always
      sample: lambda_function
    name:
      description: The name of the thing in AWS.
      type: str
      returned: always
      sample: s3-dr-scheduled-drill
    region:
      description: Its Region.
      type: str
      returned: always
      sample: us-west-2
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
api_calls:
  description: How many calls to AWS the task made.
  returned: success
  type: dict
  contains:
    total:
      description: All calls.
      type: int
      returned: always
      sample: 7
    reads:
      description: Calls that only read.
      type: int
      returned: always
      sample: 7
    writes:
      description: Calls that may change something.
      type: int
      returned: always
      sample: 0
    by_operation:
      description: The number of calls of each operation.
      type: dict
      returned: always
      sample: {GetCallerIdentity: 1, HeadBucket: 1}
    seconds:
      description: The sum of the calls' times. Calls run side by side.
      type: float
      returned: always
      sample: 0.3
    wall_seconds:
      description: How long the task worked.
      type: float
      returned: always
      sample: 0.2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_bucket import (
    DEFAULT_NAME as EVIDENCE_BUCKET,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_bucket import (
    DEFAULT_NAME as RECOVERY_BUCKET,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.scheduled_drill import (
    DEFAULT_NAME,
    DEFAULT_SCHEDULE,
    RUNTIMES,
    check_name,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.scheduled_drill_task import Task, check_deletion
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.verify_options import verify_argument_spec

SPEC = {
    "name": {"type": "str", "default": DEFAULT_NAME},
    "region": {"type": "str", "required": True, "aliases": ["aws_region"]},
    "state": {"type": "str", "choices": ["present", "absent", "started"], "default": "present"},
    "pairs": {"type": "list", "elements": "dict", "default": []},
    "evidence_bucket": {"type": "str", "default": EVIDENCE_BUCKET},
    "evidence_lock": {
        "type": "dict",
        "options": {
            "mode": {"type": "str", "choices": ["governance", "compliance"], "required": True},
            "days": {"type": "int", "required": True},
        },
    },
    "evidence_days": {"type": "int"},
    "recovery_bucket": {"type": "str", "default": RECOVERY_BUCKET},
    "schedule": {"type": "str", "default": DEFAULT_SCHEDULE},
    "schedule_timezone": {"type": "str", "default": "UTC"},
    "flexible_window_minutes": {"type": "int", "default": 0},
    "enabled": {"type": "bool", "default": True},
    "runtime": {"type": "str", "choices": list(RUNTIMES), "default": RUNTIMES[0]},
    "memory_mb": {"type": "int", "default": 512},
    "timeout_seconds": {"type": "int", "default": 300},
    "run_timeout_seconds": {"type": "int", "default": 21600},
    "concurrency": {"type": "int", "default": 5},
    "reserved_concurrency": {"type": "int"},
    "log_days": {"type": "int", "choices": [7, 14, 30, 60, 90, 180, 365, 400, 731, 1827, 3653], "default": 90},
    "tracing": {"type": "bool", "default": False},
    "topic_arns": {"type": "list", "elements": "str", "default": []},
    "ops_items": {"type": "bool", "default": True},
    "no_proof_hours": {"type": "int", "default": 26},
    "permissions_boundary": {"type": "str"},
    "verify": {"type": "dict", "options": verify_argument_spec(max_transfer_bytes=67108864), "apply_defaults": True},
    "inventory": {
        "type": "dict",
        "options": {
            "threshold": {"type": "int", "default": 10_000_000},
            "max_age_hours": {"type": "int", "default": 50},
            "buckets": {"type": "list", "elements": "str", "required": True},
            "kms_key_arns": {"type": "list", "elements": "str", "default": [], "no_log": False},
        },
    },
    "only": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "bool", "default": True},
    "wait_seconds": {"type": "int", "default": 3600},
    "delete_evidence": {"type": "bool", "default": False},
    "confirm_deletion": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """From parameters to a drill, from the drill to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(argument_spec=SPEC, supports_check_mode=True)
    clients = Clients(module, home_region=module.params["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        params = module.params
        check_name(params["name"])
        task = Task(module, clients, gateway, clients.caller())
        check_deletion(params, task.evidence)
        act = {"present": task.deploy, "absent": task.take_down, "started": task.start}[params["state"]]
        result = act()
        notes = []
        if params["state"] == "absent" and not params["delete_evidence"]:
            notes = [f"The evidence bucket {task.evidence} stays. Name it in `confirm_deletion` to delete it."]
        return {**result, "evidence_bucket": task.evidence, "notes": notes, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
