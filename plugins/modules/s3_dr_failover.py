#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_failover
short_description: Send the clients of a pair to its other end, planned or when a Region is lost
version_added: 0.1.0
description:
  - V(assess) says what would be lost, and ends the run if that is more than is allowed. A planned failover compares all
    versions of both buckets. An unplanned one asks CloudWatch in the Region that is left for the last data points of
    C(ReplicationLatency) and C(OperationsPendingReplication). What is not known counts as more than is allowed, and
    the number of objects is not known if the last data point is more than three minutes before O(declared_at).
  - V(fence), when planned, denies writing to the old bucket by a statement of its policy. Replication, this task and
    O(fence_exempt_principals) are spared.
  - V(drain), when planned, compares the buckets until nothing that was written before the fence is still on its way.
    What failed meanwhile is held against the limits once more.
  - V(open) lifts a fence that an earlier run left around the new bucket. It is done only if one stands there.
  - V(flip) sends clients to the other end by the routes of a Multi-Region Access Point, by a parameter of Systems
    Manager, or both. Tasks of your own can do the same between O(phase=switch) and O(phase=confirm).
  - V(verify) lists the new active bucket, reads its newest objects, and writes, reads and removes one object. It fails
    as long as a fence of this collection stands there. An unplanned failover is not stopped by objects that these
    credentials cannot read; they are told in RV(ignore:notes).
  - V(announce) publishes a message to O(topics).
  - Every step is kept in a journal in the recovery bucket of the DR Region, with who, when and why. A run that was
    ended in any way goes on where it was when the task is run again. What is done is not done again.
  - An unplanned failover needs nothing of the Region that is lost, and writes no configuration of a bucket, but for
    V(open) where a fence is left, and nothing of IAM, since both depend on us-east-1. It looks for three seconds
    whether the old bucket answers, and gives each later call to its Region three seconds.
  - An unplanned failover takes the place of an open run of the other direction, which is then abandoned.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
requirements:
  - botocore >= 1.35.69
attributes:
  diff_mode:
    support: partial
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    details:
      - The fence and the pointer are shown, in check mode only the fence. Routes and the journal are not shown.
options:
  to:
    description:
      - The end that is to be active.
      - V(primary) is for the loss of the DR Region while it is active, so it is unplanned. The planned way back is
        M(crossregion.s3_dr.s3_dr_failback).
    type: str
    choices: [dr, primary]
    default: dr
  mode:
    description:
      - V(planned) needs both ends and both copies of the journal, keeps the writers away, and loses nothing that can
        still arrive.
      - V(unplanned) takes the other end for lost.
    type: str
    choices: [planned, unplanned]
    default: planned
  phase:
    description:
      - V(all) does everything.
      - V(switch) ends after the flip and leaves the run open for tasks of your own. V(confirm) then verifies and
        announces.
    type: str
    choices: [all, switch, confirm]
    default: all
  confirm:
    description: The pair's name, so that nobody fails over by accident. Not needed in check mode and with O(abandon).
    type: str
    default: ""
  reason:
    description: Why. It is kept in the journal and told to O(topics).
    type: str
    default: ""
  accept_data_loss:
    description: Go on although more would be lost than is allowed, or nobody knows how much. Needs a O(reason).
    type: bool
    default: false
  max_loss_seconds:
    description:
      - So many seconds the recovery point may be behind. When planned, only versions count that cannot arrive any more,
        as those that failed.
      - When unplanned, the time counts from the recovery point to O(declared_at).
    type: int
    default: 900
  max_loss_objects:
    description: So many versions may be lost.
    type: int
    default: 0
  fence:
    description: Whether a planned failover keeps writers from the old bucket. With V(false) you do that yourself.
    type: bool
    default: true
  fence_exempt_principals:
    description: ARNs of users and roles that may write to the old bucket in spite of the fence. C(*) is any text.
    type: list
    elements: str
    default: []
  drain_seconds:
    description: So long a planned failover waits for what is on its way, in seconds.
    type: int
    default: 900
  mrap:
    description:
      - The ARN, the alias or the name of a Multi-Region Access Point that has both buckets.
      - A name is looked up in us-west-2, so it is refused when that Region is the one that is lost.
    type: str
    default: ""
  pointer_path:
    description: The path of the pair's pointer, as M(crossregion.s3_dr.s3_dr_pointer) takes it.
    type: str
    default: ""
  status_path:
    description:
      - The path of what M(crossregion.s3_dr.s3_dr_status) told of the last verify. An unplanned failover takes its
        recovery point where it is later than that of the metrics.
    type: str
    default: ""
  topics:
    description: ARNs of SNS topics that are told. One in the Region that is lost is left out.
    type: list
    elements: str
    default: []
  recovery_bucket:
    description:
      - The bucket that holds the journal, in each end's Region. C({account}) stands for the account's ID and
        C({region}) for the Region.
    type: str
    default: s3-dr-{account}-{region}
  take_over:
    description:
      - The ID of an open run that is known to be dead. Without it, a run of somebody else is watched for 15 seconds,
        and gone on with if it gives no sign of life.
    type: str
    default: ""
  abandon:
    description:
      - The ID of an open run that is to be given up. Its fence is lifted.
      - Refused once the flip has begun, unless it failed and routes and pointer, read again, show that it sent nobody.
    type: str
    default: ""
  declared_at:
    description:
      - When the failure was declared, ISO 8601 with a time zone, such as V(2026-11-23T14:03:22Z). The RTO counts from
        then. Without it, from the begin of the run.
    type: str
    default: ""
notes:
  - One failover of a pair at a time. A second operator is refused with the name of the first one and the time.
  - Lifecycle rules, and AWS services that write for you, go on in a bucket that is fenced.
  - In check mode nothing is written, not even the journal. RV(ignore:timeline) says the steps and how long each is
    expected to take, and what would be refused is a warning or a failure.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_dr_failover_info
  - module: crossregion.s3_dr.s3_dr_failback
  - module: crossregion.s3_dr.s3_dr_recovery_bucket
  - module: crossregion.s3_dr.s3_dr_pointer
  - module: crossregion.s3_dr.s3_multi_region_access_point_routes
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Move the orders to the DR Region, with nothing lost
  crossregion.s3_dr.s3_dr_failover:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    direction: two_way
    pointer_path: /s3-dr-active
    confirm: orders
    reason: maintenance of us-east-1

- name: Fail over since us-east-1 is lost, and tell the operators
  crossregion.s3_dr.s3_dr_failover:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    direction: two_way
    pointer_path: /s3-dr-active
    confirm: orders
    mode: unplanned
    reason: us-east-1 does not answer since 14:00 UTC
    accept_data_loss: true
    topics: ["arn:aws:sns:us-west-2:111122223333:s3-dr-alarms"]
"""

RETURN = r"""
active:
  description: The end that is active now.
  returned: when the journal could be read
  type: str
  sample: dr
since:
  description: Since when. None if it never changed.
  returned: when the journal could be read
  type: str
  sample: '2026-11-23T14:04:41Z'
run:
  description: The run, as M(crossregion.s3_dr.s3_dr_failover_info) returns it. None if there was never one.
  returned: when the journal could be read
  type: dict
  sample:
    id: 20261123T140403Z-failover-3f9a2c
    journey: failover
    to: dr
    mode: planned
    reason: maintenance of us-east-1
    state: done
    began: '2026-11-23T14:04:03Z'
    ended: '2026-11-23T14:04:52Z'
    operator: ops@bastion (arn:aws:sts::111122223333:assumed-role/ops/me)
timeline:
  description:
    - The steps of the run in order. In check mode those that would be done.
    - Empty if nothing was to be done.
  returned: when the journal could be read
  type: list
  elements: dict
  contains:
    step:
      description: Its name.
      type: str
      returned: always
      sample: drain
    state:
      description: One of V(running), V(done), V(failed), V(skipped), in check mode V(expected) or V(skipped).
      type: str
      returned: always
      sample: done
    began:
      description: When it was first begun.
      type: str
      returned: outside check mode
      sample: '2026-11-23T14:04:11Z'
    ended:
      description: When it ended. None if it has not.
      type: str
      returned: outside check mode
      sample: '2026-11-23T14:04:30Z'
    seconds:
      description: The time between both.
      type: float
      returned: outside check mode
      sample: 19.0
    attempts:
      description: How often it was begun.
      type: int
      returned: outside check mode
      sample: 1
    error:
      description: Why it failed, if it did.
      type: str
      returned: outside check mode
    result:
      description: What it returned.
      type: dict
      returned: outside check mode
      sample: {recovery_point: '2026-11-23T14:04:28Z', looks: 3, objects: 0}
    expected_seconds:
      description: How long it is expected to take.
      type: float
      returned: in check mode
      sample: 120.0
    expected_by:
      description: V(measured) by the last run of the pair, V(documented) by AWS, or V(estimated).
      type: str
      returned: in check mode
      sample: documented
    skipped:
      description: Why the step would be left out. None if it would not.
      type: str
      returned: in check mode
loss:
  description: What was lost, or in check mode would be lost now. None before anything is known.
  returned: when the journal could be read
  type: dict
  contains:
    recovery_point:
      description: Everything written up to then is in the copy. None if it is not known.
      type: str
      returned: always
      sample: '2026-11-23T14:03:22Z'
    seconds:
      description: How far the recovery point is behind. None if it is not known.
      type: int
      returned: always
      sample: 41
    objects:
      description: How many versions are not in the copy. None if it is not known.
      type: int
      returned: always
      sample: 0
    source_of_knowledge:
      description: One of V(comparison), V(metrics), V(last_verify) and V(none).
      type: str
      returned: always
      sample: metrics
    why:
      description: The same in a sentence.
      type: str
      returned: always
      sample: 'CloudWatch in us-west-2 said so in the minute of 2026-11-23T14:03:00Z: 0 operations pending.'
rto_seconds:
  description: From O(declared_at) to the first verified read and write. None before.
  returned: when the journal could be read
  type: int
  sample: 38
rpo_seconds:
  description: The same as RV(loss.seconds).
  returned: when the journal could be read
  type: int
  sample: 41
notes:
  description: What a person should know, one sentence each.
  returned: when the journal could be read
  type: list
  elements: str
  sample: []
steps:
  description: The changes of AWS's documents, in order. In check mode, that of the fence.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: One of V(create), V(update) and V(delete).
      type: str
      returned: always
      sample: update
    kind:
      description: The kind of document, for example V(bucket_policy).
      type: str
      returned: always
      sample: bucket_policy
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

from contextlib import nullcontext

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.failover import Failover
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.failover_options import (
    BOTOCORE,
    check_confirmation,
    failover_argument_spec,
    wishes_from,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.interruption import (
    Interrupted,
    end_when_nobody_listens,
    interruptible,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import DidNotSettle


def main() -> None:
    """From parameters to a pair and its wishes, from them to a failover, from that to the exit."""
    module = AnsibleAWSModule(
        argument_spec={**pair_argument_spec(), **failover_argument_spec()}, supports_check_mode=True
    )
    module.require_botocore_at_least(BOTOCORE, reason="to write the journal only on top of what was read")
    try:
        pair, wishes = pair_from(module.params), wishes_from(module.params)
        wishes.check_for(pair)
        check_confirmation(module, pair, wishes)
    except InvalidInput as error:
        module.fail_json(msg=f"{error} Nothing was changed.", changed=False)
    clients = Clients(module, home_region=(pair.dr if wishes.to == "dr" else pair.primary).region)
    failover = Failover(module, Gateway(clients), clients, pair, wishes)
    try:
        with nullcontext() if module.check_mode else interruptible():
            end_when_nobody_listens()
            result = failover.run()
    except Interrupted as end:
        again = "The journal has what is done: run again to go on."
        module.fail_json(msg=f"pair '{pair.name}': the failover was ended by {end}. {again}", **failover.result())
    except (InvalidInput, Refused, AwsFailure, DidNotSettle) as error:
        module.fail_json(msg=f"{error} {failover.how_to_go_on()}", **failover.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
