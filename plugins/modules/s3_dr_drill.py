#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_drill
short_description: Rehearse the recovery of a pair on canary objects, and measure RTO and RPO
version_added: 0.1.0
description:
  - Writes objects of several sizes where applications write now, and waits until they are replicated. Then it declares
    a failure, and from there on uses nothing but STS and S3 of the recovery Region. It reads the replicas back and
    compares every byte, writes a new object, restores an overwritten version, overwrites an object, and deletes one
    and brings it back.
  - The RTO is the time from the declared failure until a read and a write were verified. The RPO is the age of the
    oldest object that was not there at the failure; for it, small objects are written all the time before.
  - It recovers as a role that may use the drill's objects in that Region and nothing else, which is made for the time,
    or as O(dr_role_arn).
  - Only keys below C(.s3-dr-canary/) after the rule's prefix are written. They are those of a drill, and
    M(crossregion.s3_dr.s3_dr_verify) never counts them. No other object is touched.
  - All that the drill made is removed at both ends, version by version, also after a failure, C(SIGINT) or C(SIGTERM),
    or when the playbook is gone. What a drill left behind that was killed is removed by the next one, or by
    O(state=absent).
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  active:
    description:
      - The end where applications write now. One recovers at the other end.
      - V(dr) is for a pair in both directions that has failed over.
    type: str
    choices: [primary, dr]
    default: primary
  rule:
    description: The ID of the rule through which the objects go. Without it, the first one that leads to the other end.
    type: str
  object_sizes:
    description:
      - The sizes of the objects in bytes. Replication times are told for each. Above 5 MiB an object is uploaded in
        parts.
    type: list
    elements: int
    default: [1024, 1048576, 8388608]
  objects_per_class:
    description: How many objects of each size are written.
    type: int
    default: 5
  max_transfer_bytes:
    description: The drill is refused when it would write and read more than this.
    type: int
    default: 268435456
  deadline_seconds:
    description: How long to wait for the objects to be replicated, in seconds.
    type: int
    default: 900
  rto_target_seconds:
    description: The drill fails if the RTO is above this.
    type: int
  rpo_target_seconds:
    description: The drill fails if the RPO is above this.
    type: int
  dr_role_arn:
    description:
      - The role as which is recovered, in the account of the recovery end. These credentials must be allowed to assume
        it.
      - Without it, the drill makes a role C(s3-dr-<name>-drill-<digest>) that may use the drill's objects in the
        recovery Region and their key, is denied everything in other Regions, and is removed afterwards.
    type: str
  application_role_arn:
    description:
      - The role of the application. A replica is read as it in the recovery Region, which proves that it may decrypt
        there. These credentials must be allowed to assume it, and it must be allowed to read the drill's keys.
      - Without it, that is skipped and said.
    type: str
  fis_experiment_template_id:
    description:
      - An experiment template of AWS FIS in the Region of the end where applications write, with the action
        C(aws:s3:bucket-pause-replication). The drill runs it, proves that an object that is written then stays away,
        stops it, and measures how long replication takes to catch up.
      - The experiment pauses the rules that its template says, so live objects wait as well. The pair's composite
        alarm, if there is one, is kept quiet meanwhile, by the metric C(DrillRunning) in the namespace C(S3Dr).
    type: str
  pause_seconds:
    description: How long the object must stay away while replication is paused.
    type: int
    default: 60
  report_dir:
    description:
      - A directory on the host that runs the task, as an absolute path, that gets the evidence of each drill, as JSON,
        HTML and JUnit, in C(drills/<name>/<run>/). Each run's manifest holds the SHA-256 of its files and of the
        manifest before.
    type: path
  state:
    description:
      - V(present) runs the drill.
      - V(absent) only removes what a drill left behind that was killed.
    type: str
    choices: [present, absent]
    default: present
notes:
  - In check mode nothing is written. RV(steps) tells the steps in their order, with the seconds that the last drill in
    O(report_dir) took for each.
  - RV(ignore:changed) tells whether anything is different afterwards. A drill that removes all that it made changes
    nothing.
  - The role is made through IAM, and the objects are removed, by the credentials of the task. Between the declared
    failure and the last step of the recovery nothing is asked of another Region.
  - What Object Lock keeps stays and is told in RV(left_behind). Object Lock is never bypassed.
  - One drill of a pair at a time; one on the same machine is waited for. Drills of other pairs may run beside it.
  - A replica counts as arrived when a listing shows it. Listings are made every 0.25 seconds, and every 2 seconds after
    half a minute, so times are no finer than that.
  - AWS says of O(fis_experiment_template_id) that existing objects may go on being replicated for up to an hour after
    the action begins. So an object that arrives nevertheless is a warning.
  - To remove an experiment that a killed drill left running, name its O(fis_experiment_template_id) again. It ends by
    itself after the duration in its template.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_dr_verify
  - module: crossregion.s3_dr.s3_dr_alarm_drill
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Rehearse the recovery of the orders
  crossregion.s3_dr.s3_dr_drill:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    rto_target_seconds: 60
    rpo_target_seconds: 900
    report_dir: /srv/s3-dr-evidence

- name: Remove what a drill left behind that was killed
  crossregion.s3_dr.s3_dr_drill:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    state: absent
"""

RETURN = r"""
pair:
  description: The name of the pair.
  returned: when O(state=present)
  type: str
  sample: orders
verdict:
  description:
    - V(proven) when objects arrived, were recovered, and the targets were met. V(failed) when something of that did not
      work. V(unknown) when the drill could not be carried out to its end, and in check mode.
  returned: when O(state=present)
  type: str
  sample: proven
problems:
  description: What keeps the verdict from V(proven), one sentence each, with the next step.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
summary:
  description: The drill in a few lines.
  returned: when O(state=present)
  type: list
  elements: str
  sample:
    - >-
      orders: proven. Reading and writing in us-west-2 worked 0.4 s after the declared failure; what was written in the
      last 12 s was not there.
active_bucket:
  description: Where the objects were written.
  returned: when O(state=present)
  type: str
  sample: example-orders
active_region:
  description: Its Region.
  returned: when O(state=present)
  type: str
  sample: us-east-1
recovery_bucket:
  description: Where was recovered.
  returned: when O(state=present)
  type: str
  sample: example-orders-dr
recovery_region:
  description: Its Region.
  returned: when O(state=present)
  type: str
  sample: us-west-2
rule:
  description: The ID of the rule through which the objects went.
  returned: when O(state=present)
  type: str
  sample: s3-dr-orders
encryption:
  description: With what the objects were written, V(default) of the bucket or V(aws:kms) with the pair's key.
  returned: when O(state=present)
  type: str
  sample: aws:kms
declared_at:
  description: When the failure was declared, by the clock of the host. None if it did not come to that.
  returned: when O(state=present)
  type: str
  sample: '2026-11-23T15:00:41.210313Z'
rto_seconds:
  description: From the declared failure until a read and a write were verified. None if one of them was not.
  returned: when O(state=present)
  type: float
  sample: 0.412
rto_target_seconds:
  description: The option of the same name.
  returned: when O(state=present)
  type: float
  sample: 60.0
rpo_seconds:
  description:
    - The age, at the declared failure, of the oldest object that was not there. Zero when all that was written was
      there. None if it did not come to that.
  returned: when O(state=present)
  type: float
  sample: 11.9
rpo_target_seconds:
  description: The option of the same name.
  returned: when O(state=present)
  type: float
  sample: 900.0
replication:
  description: How long replication took, for each size, from the end of the upload until the version was seen.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    size:
      description: The size in bytes.
      type: int
      returned: always
      sample: 1048576
    objects:
      description: How many were written.
      type: int
      returned: always
      sample: 5
    arrived:
      description: How many arrived in time.
      type: int
      returned: always
      sample: 5
    p50:
      description: Within so many seconds half of them arrived. None if none did.
      type: float
      returned: always
      sample: 12.3
    p90:
      description: The same for 90 of a hundred.
      type: float
      returned: always
      sample: 14.8
    p99:
      description: The same for 99 of a hundred.
      type: float
      returned: always
      sample: 14.8
    max:
      description: The slowest of those that arrived.
      type: float
      returned: always
      sample: 14.8
pause:
  description: What was seen while AWS FIS paused replication. None without O(fis_experiment_template_id).
  returned: when O(state=present)
  type: dict
  contains:
    held_seconds:
      description: How long the object that was written then was watched.
      type: float
      returned: always
      sample: 60.2
    not_paused:
      description: Whether it arrived all the same.
      type: bool
      returned: always
      sample: false
    catch_up_seconds:
      description: How long after the end of the experiment it arrived. None if it did not.
      type: float
      returned: always
      sample: 21.7
    resumed_seconds:
      description: How long an object took that was written after the experiment. None if it did not arrive.
      type: float
      returned: always
      sample: 14.0
steps:
  description: The steps in their order. In check mode, those that would be taken.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    name:
      description: The name of the step.
      type: str
      returned: always
      sample: restore_version
    what:
      description: What it does.
      type: str
      returned: always
      sample: an overwritten version is read by its ID and made current again
    status:
      description: V(done) or V(failed).
      type: str
      returned: not in check mode
      sample: done
    began_after_seconds:
      description: When it began, in seconds after the drill did.
      type: float
      returned: not in check mode
      sample: 31.2
    seconds:
      description: How long it took.
      type: float
      returned: not in check mode
      sample: 0.3
    expected_seconds:
      description: How long it took in the last drill. None if nobody knows.
      type: float
      returned: in check mode
      sample: 0.3
checks:
  description: What was tried, and how each ended.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    area:
      description: One of V(replication), V(pause), V(recovery), V(targets) and V(clean_up).
      type: str
      returned: always
      sample: recovery
    name:
      description: What was tried, the same in each drill.
      type: str
      returned: always
      sample: read
    subject:
      description: Of what.
      type: str
      returned: always
      sample: example-orders-dr
    status:
      description: One of V(passed), V(warning), V(at_risk), V(broken), V(unknown) and V(skipped).
      type: str
      returned: always
      sample: passed
    message:
      description: What was seen, and what to do if it is not well.
      type: str
      returned: always
      sample: A replica of 1.0 kB was read, and is what was written.
notes:
  description: What a person should know, one sentence each.
  returned: always
  type: list
  elements: str
  sample: []
left_behind:
  description: What may be left, and how to remove it, one sentence each.
  returned: always
  type: list
  elements: str
  sample: []
cleared:
  description: What a former drill had left behind and was removed. In check mode it is still there.
  returned: always
  type: list
  elements: str
  sample: []
evidence:
  description: The directory of the run below O(report_dir). None without it, and in check mode.
  returned: when O(state=present)
  type: str
  sample: /srv/s3-dr-evidence/drills/orders/20261123T150012Z
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
      sample: {ListObjectVersions: 2, GetCallerIdentity: 1}
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.drill_task import DrillTask, drill_argument_spec
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec


def main() -> None:
    """From parameters to a pair, from the pair to its drill, from the drill to the exit."""
    module = AnsibleAWSModule(
        argument_spec={**pair_argument_spec(), **drill_argument_spec()},
        supports_check_mode=True,
    )
    DrillTask(module).run()


if __name__ == "__main__":
    main()
