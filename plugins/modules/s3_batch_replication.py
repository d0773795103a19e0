#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_batch_replication
short_description: Existing, failed or missing versions replicated by S3 Batch Replication
version_added: 0.1.0
description:
  - Compares both ends of a pair, prices what the destination lacks, and has S3 Batch Operations replicate it by the
    pair's own rules, in the account and Region of the source. Nothing is copied by this module.
  - Where nothing is lacking that a job could bring, no job is made and nothing changes.
  - A job that wants the same and has not ended is found again and waited for, also after this task was killed, so no
    second one is made beside it. What it brings was chosen when it was made. So both ends are compared when it has
    ended, and what is still missing gets a job of its own.
  - Its report is read, with the checksums of its files. A job that is complete while some of its tasks failed fails
    this task, with their error codes, causes and remedies. One that had fewer tasks than there were versions to bring
    is followed by another comparison, and fails this task if versions are still missing.
  - The replication role does the copying. What made objects fail before must be mended first.
  - A job takes versions by what S3 says of their replication. AWS documents no status of delete markers, so whether a
    job brought one is told by M(crossregion.s3_dr.s3_dr_verify).
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  source:
    description:
      - The end that holds the versions. V(dr) is for the way back of a two-way pair.
    type: str
    choices: [primary, dr]
    default: primary
  destination:
    description: The bucket that lacks versions, if it is not the pair's other end but a further one of its rules.
    type: str
  select:
    description:
      - V(filter) lets S3 find the versions by O(statuses), O(prefix), O(created_after) and O(created_before), among
        those that the rules select.
      - V(findings) gives the job a list of exactly the versions that are missing, as O(findings_file) tells them or, if
        there is none, as this task finds them. What no job brings as it is, as a version that was deleted by its ID at
        the destination, is left out and told in RV(left_out) with its remedy.
    type: str
    choices: [filter, findings]
    default: filter
  statuses:
    description:
      - Which versions, by what S3 says of their replication.
      - V(NONE) were there before the rule or while it was off. V(FAILED) could not be replicated.
      - V(COMPLETED) went to another destination, or to a destination bucket that has been made anew since. V(REPLICA)
        came from another bucket, as in a failback to a primary bucket that was made anew. With it, delete markers that
        are still pending are brought, too, since those from the time without the bucket are lost and look the same.
    type: list
    elements: str
    choices: [NONE, FAILED, COMPLETED, REPLICA]
    default: [NONE, FAILED]
  prefix:
    description: Only keys that begin with this.
    type: str
    default: ""
  created_after:
    description: Only versions written at this time or later, in ISO 8601 such as V(2026-11-01T00:00:00Z).
    type: str
  created_before:
    description: Only versions written at this time or earlier.
    type: str
  findings_file:
    description:
      - With O(select=findings), the absolute path of the C(findings.jsonl) of a verify on this machine, which
        M(crossregion.s3_dr.s3_dr_verify) returns as C(findings_file). Only what it tells of O(destination) is used.
    type: path
  budget_usd:
    description:
      - If the estimate is more than this, in US dollars, the task fails before anything is made.
      - Cannot be combined with O(prefix) and O(select=filter). S3 then goes through the whole bucket and charges for
        it, and how much that is, is not known.
    type: float
  prices:
    description:
      - Prices for the estimate, in place of the known ones, which are those of us-east-1 of November 2026. Each has
        C(usd) and C(confirmed).
      - They are C(job), C(million_objects), C(million_listed) (versions that S3 goes through for the filter),
        C(transfer_gb), and below C(put_1000) one for each storage class. C(date) says as of when.
    type: dict
    default: {}
  recovery_bucket:
    description:
      - The bucket for the list and the report of the job, which M(crossregion.s3_dr.s3_dr_recovery_bucket) makes.
        C({account}) and C({region}) stand for those of the source.
    type: str
    default: s3-dr-{account}-{region}
  priority:
    description: The priority of the job. Those with a higher number come first.
    type: int
    default: 10
  max_head_requests:
    description:
      - How many requests the comparison may spend on single versions, to find out why they are missing. The rest is
        counted as V(unexamined), and a job brings it if it can.
    type: int
    default: 1000
  wait:
    description: Whether to wait until the job has ended. Otherwise nobody looks at what became of it.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait for a job, in seconds from when it is made or found. The job goes on after that, and the next
        run waits for it.
    type: int
    default: 86400
  state:
    description:
      - V(present) brings what is missing.
      - V(absent) removes the role of the jobs, for each end of the pair. Papers of jobs expire by themselves.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The job's role is C(s3-dr-PAIR-batch-HASH). It may start replication in the source, read the list of versions and
    write the report, and nothing else.
  - Besides those for the buckets, the credentials need C(s3:CreateJob), C(s3:DescribeJob), C(s3:ListJobs), the
    permissions to make a role, and C(iam:PassRole) on it.
  - S3 Replication Time Control does not apply to what a job replicates.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_dr_verify
  - module: crossregion.s3_dr.s3_dr_recovery_bucket
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Bring what was there before the pair, for at most 50 dollars
  crossregion.s3_dr.s3_batch_replication:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    budget_usd: 50

- name: Bring exactly what a verify found missing
  crossregion.s3_dr.s3_batch_replication:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    select: findings
    findings_file: "{{ verify_result.findings_file }}"

- name: Fill a primary bucket that was made anew
  crossregion.s3_dr.s3_batch_replication:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    direction: two_way
    source: dr
    select: findings
    statuses: [NONE, FAILED, COMPLETED, REPLICA]
"""

RETURN = r"""
plan:
  description: >-
    What the destination lacks and a job could bring, with an estimate. None if a job was found and its end is not
    waited for, or if it has the versions of O(findings_file).
  returned: success or a refusal for its cost, with O(state=present)
  type: dict
  sample:
    source: example-orders
    destination: example-orders-dr
    select: filter
    versions: 120000
    delete_markers: 0
    bytes: 96636764160
    unexamined: 119000
    in_flight: 0
    usd: {job: 0.25, objects: 0.12, manifest: 0.0018, put: 0.6, transfer: 1.8, total: 2.7718}
    hours: 0.21
    prices_date: '2026-11-23'
    unconfirmed_prices: [transfer_gb]
    assumptions:
      - >-
        The time assumes 1000 objects and 1 gigabit a second. AWS promises neither, and a job may wait for others.
      - Prices differ by Region. Requests to KMS and the storage of the replicas are not counted.
left_out:
  description: What the destination lacks and the job does not bring, by cause, with the remedy for each.
  returned: success or a refusal for its cost, with O(state=present)
  type: list
  elements: dict
  sample:
    - cause: archived_class
      versions: 3
      bytes: 3072
      remedy: >-
        S3 does not replicate what is archived. Restore it and copy it onto itself into a class that is replicated, or
        keep a copy by other means.
job:
  description: The job that was made or found, the last one if there were two. None if there was none.
  returned: success or a failure of the job, with O(state=present)
  type: dict
  sample:
    id: 00112233-4455-6677-8899-aabbccddeeff
    region: us-east-1
    status: Complete
    description: 'crossregion.s3_dr backfill of orders: example-orders to example-orders-dr [0123456789abcdef]'
    created: '2026-11-23T14:04:03Z'
    ended: '2026-11-23T14:16:40Z'
    active_seconds: 612
    tasks: {total: 120000, succeeded: 120000, failed: 0}
    reasons: []
    found_nothing: false
attached:
  description: Whether a job that wants the same was under way already.
  returned: success, with O(state=present)
  type: bool
  sample: false
still_missing:
  description: How many versions are still missing behind a job that ended without a failed task and did not bring them.
  returned: a failure for that reason
  type: int
  sample: 3
failures:
  description: The failed tasks of the job, by their error code.
  returned: success or a failure of the job, with O(state=present)
  type: list
  elements: dict
  sample: []
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
      description: The kind of document, for example V(iam_role), or V(batch_job) for the job.
      type: str
      returned: always
      sample: iam_role
    name:
      description: The name of the thing in AWS.
      type: str
      returned: always
      sample: s3-dr-orders-batch-6f1c0f3e
    region:
      description: Its Region, or V(global).
      type: str
      returned: always
      sample: global
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

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_checks import destination_from, link_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.backfill import Backfill
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.backfill_options import (
    BackfillWishes,
    backfill_argument_spec,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.backfill_roles import remove_roles
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.interruption import (
    Interrupted,
    end_when_nobody_listens,
    interruptible,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.progress_file import ProgressFile
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run


def bring(module: AnsibleAWSModule, gateway: Gateway, clients: Clients, pair: Pair, wishes: BackfillWishes) -> dict:
    """Bring what is missing. A job goes on in AWS when this run is ended."""
    source = pair.primary if module.params["source"] == "primary" else pair.dr
    destination_from(link_from(pair, source), wishes.destination)  # refused before AWS is asked who we are
    accounts = clients.accounts_of(pair, credentials_from(module.params))
    progress = ProgressFile.of_the_task()
    backfill = Backfill(module, gateway, clients, pair, accounts, source, wishes, progress)
    try:
        with interruptible():
            end_when_nobody_listens()
            return backfill.run()
    except Interrupted as signal_name:
        job = f"The job {backfill.job_id} goes on in AWS: run again to wait for it" if backfill.job_id else "Run again"
        raise AwsFailure(f"pair '{pair.name}': the run was ended by {signal_name}. {job}.") from signal_name
    finally:
        progress.flush()


def main() -> None:
    """From parameters to a pair and what is missing of it, from that to a job, from its end to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            **backfill_argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair, wishes = pair_from(module.params), BackfillWishes.of(module.params)
        if module.params["state"] == "absent":
            accounts = clients.accounts_of(pair, credentials_from(module.params))
            result = remove_roles(module, gateway, clients, pair, accounts)
        else:
            result = bring(module, gateway, clients, pair, wishes)
        return {**result, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
