#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_failback
short_description: Send the clients of a pair back to the primary, with all that was written at the DR bucket
version_added: 0.1.0
description:
  - V(healthy) looks whether both ends are as declared and replicate both ways. Nothing is mended. The role
    P(crossregion.s3_dr.failback#role) does that first.
  - V(drain_reverse) waits until replication from the DR bucket keeps up.
  - V(backfill) lets S3 Batch Replication bring exactly what the primary lacks, with the version IDs. If the primary was
    lost and made anew, that is everything.
  - V(verify) compares all versions of both buckets, both ways. V(conflicts) lists the keys that both ends wrote, and
    stops at them unless O(conflicts) says who wins.
  - V(fence) denies writing to the DR bucket. V(drain) then waits until the rest has arrived. V(lift_primary) takes the
    fence of the failover off the primary.
  - V(resolve) makes the winner of each conflict the current version at both ends, now that nobody writes.
  - V(flip) sends clients back by the routes of a Multi-Region Access Point, by a parameter of Systems Manager, or both.
    Tasks of your own can do the same between O(phase=switch) and O(phase=confirm).
  - V(lift_dr) takes the fence off the DR bucket. V(confirm) reads and writes at the primary, and sends a canary each
    way. V(announce) publishes a message to O(topics).
  - Every step is kept in the journal in the recovery bucket of the DR Region, with who, when and why. A run that was
    ended in any way goes on where it was when the task is run again. Until clients are sent back, what was looked at
    is looked at again. Once V(flip) or your own tasks have begun, only they and what follows are done, since clients
    may write at the primary already.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
requirements:
  - botocore >= 1.35.69
attributes:
  diff_mode:
    support: partial
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    details:
      - The fences, the role and the job of the backfill, and the pointer are shown. Routes, the journal and the
        versions of resolved conflicts are not documents of a plan.
options:
  phase:
    description:
      - V(all) does everything.
      - V(switch) ends after the flip and leaves the run open for tasks of your own. V(confirm) then opens the DR
        bucket, verifies and announces.
    type: str
    choices: [all, switch, confirm]
    default: all
  confirm:
    description: The pair's name, so that nobody fails back by accident. Not needed in check mode and with O(abandon).
    type: str
    default: ""
  reason:
    description: Why. It is kept in the journal and told to O(topics).
    type: str
    default: ""
  conflicts:
    description:
      - Who wins where both ends wrote a key without knowing of the other's version, or show different versions.
      - V(stop) lists them and ends the run, before anything is closed.
      - V(keep_dr) is what was written last at the DR bucket, V(keep_primary) what was written last at the primary,
        V(newest) the later one of both. Two versions of the same second have no newest one.
      - The winner is copied onto its own key by S3, in its own bucket, with metadata, tags, class and encryption. A
        delete marker is put once more. Then it is current at both ends, whichever order S3 keeps versions in. Nothing
        is deleted, and all versions stay at both ends.
      - Object Lock and ACL are not copied. What holds more than 5 GB, is archived, or is under a customer's key is
        listed with the way out, and stops the run.
    type: str
    choices: [stop, keep_dr, keep_primary, newest]
    default: stop
  accepted_causes:
    description:
      - Causes of differences between the ends that are no obstacle.
      - Where the primary was made anew, V(version_deleted_at_source) is one whatever this says, since what only the DR
        bucket holds was lost there.
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
      - foreign_object_at_destination
    default:
      - no_rule_matches
      - delete_marker_by_choice
      - delete_marker_by_lifecycle
      - version_deleted_at_source
      - foreign_object_at_destination
  max_missing_objects:
    description:
      - So many versions may stay behind that cannot be replicated again, as archived ones. They stay in the DR bucket.
    type: int
    default: 0
  max_head_requests:
    description: How many requests each comparison may spend on single versions.
    type: int
    default: 10000
  budget_usd:
    description: If the backfill is estimated to cost more than this, in US dollars, the run ends before it.
    type: float
  prices:
    description: Prices for the estimate, as M(crossregion.s3_dr.s3_batch_replication) takes them.
    type: dict
    default: {}
  backfill_seconds:
    description: So long the job of the backfill is waited for, in seconds. The next run waits on.
    type: int
    default: 86400
  fence:
    description: Whether writers are kept from the DR bucket. With V(false) you do that yourself.
    type: bool
    default: true
  fence_exempt_principals:
    description: ARNs of users and roles that may write to the DR bucket in spite of the fence. C(*) is any text.
    type: list
    elements: str
    default: []
  drain_seconds:
    description: So long each wait for replication may take, in seconds.
    type: int
    default: 900
  mrap:
    description: The ARN, the alias or the name of a Multi-Region Access Point that has both buckets.
    type: str
    default: ""
  pointer_path:
    description: The path of the pair's pointer, as M(crossregion.s3_dr.s3_dr_pointer) takes it.
    type: str
    default: ""
  topics:
    description: ARNs of SNS topics that are told.
    type: list
    elements: str
    default: []
  recovery_bucket:
    description:
      - The bucket that holds the journal, and the list and the report of the backfill, in each end's Region.
        C({account}) stands for the account's ID and C({region}) for the Region.
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
      - The ID of an open run that is to be given up. The DR bucket is opened again, and the primary closed if the
        failover had closed it. Refused once the flip, or your own tasks, have begun.
      - This works while the primary Region is lost. Then the primary is not closed again, which RV(ignore:notes) says.
    type: str
    default: ""
notes:
  - A pair that is one-way is refused. Declare it as two-way, run setup, then the backfill from the DR bucket.
  - S3 tells no replication status of delete markers. One that both ends hold and that was put since the failover counts
    as written at the DR bucket.
  - What was written at the primary after the recovery point of the failover counts as not known at the DR bucket.
  - Both copies of the journal must be readable, since the newer one counts. Only O(abandon) goes without that of a
    primary Region that is lost.
  - Keys that come from C(assume_role_arn) of an end are not renewed. A run that outlasts their session, which is one
    hour, fails at the next call. Run it again to go on.
  - Lifecycle rules, and AWS services that write for you, go on in a bucket that is fenced.
  - Needs what M(crossregion.s3_dr.s3_dr_failover) and M(crossregion.s3_dr.s3_batch_replication) need, and to resolve
    conflicts C(s3:GetObjectVersion), C(s3:GetObjectVersionTagging), C(s3:PutObject), C(s3:PutObjectTagging) and
    C(s3:DeleteObject) on both buckets.
  - In check mode nothing is written, not even the journal. RV(ignore:timeline) says the steps and how long each is
    expected to take, RV(ignore:missing) and RV(ignore:conflicts) what there is to do now, RV(ignore:refused) why the
    run would end.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_dr_failover
  - module: crossregion.s3_dr.s3_dr_failover_info
  - module: crossregion.s3_dr.s3_batch_replication
  - module: crossregion.s3_dr.s3_dr_verify
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: See what the way back takes
  crossregion.s3_dr.s3_dr_failback: &orders
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    direction: two_way
    pointer_path: /s3-dr-active
  check_mode: true

- name: Move the orders back, and keep what was written at the DR bucket where both ends wrote
  crossregion.s3_dr.s3_dr_failback:
    <<: *orders
    confirm: orders
    reason: us-east-1 is back
    conflicts: keep_dr
    budget_usd: 50
"""

RETURN = r"""
active:
  description: The end that is active now.
  returned: when the journal could be read
  type: str
  sample: primary
since:
  description: Since when. None if it never changed.
  returned: when the journal could be read
  type: str
  sample: '2026-11-24T09:12:31Z'
run:
  description: The run, as M(crossregion.s3_dr.s3_dr_failover_info) returns it. None if there was never one.
  returned: when the journal could be read
  type: dict
  sample:
    id: 20261124T091003Z-failback-77c01d
    journey: failback
    to: primary
    mode: planned
    reason: us-east-1 is back
    state: done
    began: '2026-11-24T09:10:03Z'
    ended: '2026-11-24T09:12:52Z'
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
      sample: '2026-11-24T09:11:11Z'
    ended:
      description: When it ended. None if it has not.
      type: str
      returned: outside check mode
      sample: '2026-11-24T09:11:30Z'
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
      sample: {recovery_point: '2026-11-24T09:11:28Z', looks: 3, objects: 0}
    expected_seconds:
      description: How long it is expected to take.
      type: float
      returned: in check mode
      sample: 120.0
    expected_by:
      description: V(measured) by the last failback of the pair, V(documented) by AWS, or V(estimated).
      type: str
      returned: in check mode
      sample: documented
    skipped:
      description: Why the step would be left out. None if it would not.
      type: str
      returned: in check mode
missing:
  description:
    - What the primary lacked, as far as a job can bring it. In check mode, what it lacks now. None if nobody looked.
  returned: when the journal could be read
  type: dict
  contains:
    versions:
      description: How many versions and delete markers.
      type: int
      returned: always
      sample: 1200
    bytes:
      description: How many bytes they hold.
      type: int
      returned: always
      sample: 480000000
    usd:
      description: What it costs, estimated, in US dollars.
      type: float
      returned: always
      sample: 0.26
    left_out:
      description: What no job brings, by cause, with the remedy for each.
      type: list
      elements: dict
      returned: always
      sample: []
    job:
      description: The job, as M(crossregion.s3_dr.s3_batch_replication) returns it. None if none was needed.
      type: dict
      returned: always
    failures:
      description: What the job could not bring, as M(crossregion.s3_dr.s3_batch_replication) returns it.
      type: list
      elements: dict
      returned: always
      sample: []
conflicts:
  description: The first 100 conflicts.
  returned: when the journal could be read
  type: list
  elements: dict
  contains:
    key:
      description: The key.
      type: str
      returned: always
      sample: orders/2026/11/23/0001
    clash:
      description:
        - V(other_current) means that the ends show different versions, V(deleted_at_dr) that the DR bucket shows a
          delete marker that never replicates, V(both_wrote) that both ends wrote it.
      type: str
      returned: always
      sample: other_current
    primary:
      description: What was written last at the primary. None if the DR bucket alone wrote the key.
      type: dict
      returned: always
      sample: {version_id: 3HL4kqtJlcpXroDTDmJ, modified: '2026-11-23T14:03:20Z', size: 4000, delete_marker: false}
    dr:
      description: What was written last at the DR bucket. None if the primary alone wrote the key.
      type: dict
      returned: always
      sample: {version_id: rmSlXd2XRZvKhGkQpb7, modified: '2026-11-23T15:30:00Z', size: 4100, delete_marker: false}
    shown_at_primary:
      description: The version that is current at the primary.
      type: str
      returned: always
      sample: rmSlXd2XRZvKhGkQpb7
    shown_at_dr:
      description: The version that is current at the DR bucket.
      type: str
      returned: always
      sample: 3HL4kqtJlcpXroDTDmJ
    winner:
      description: Whose version wins, V(primary) or V(dr). None if that is not decided.
      type: str
      returned: always
      sample: dr
    action:
      description: What makes it current at both ends. One of V(none), V(copy), V(delete), V(by_hand).
      type: str
      returned: always
      sample: copy
    why:
      description: What to know about it.
      type: str
      returned: always
      sample: ""
conflicts_total:
  description: How many conflicts there are.
  returned: when the journal could be read
  type: int
  sample: 1
refused:
  description: In check mode, why the run would end, one sentence each.
  returned: when the journal could be read
  type: list
  elements: str
  sample: []
seconds_without_writes:
  description: From the fence around the DR bucket to the flip. None without a fence, and before the end of the run.
  returned: when the journal could be read
  type: int
  sample: 24
notes:
  description: What a person should know, one sentence each.
  returned: when the journal could be read
  type: list
  elements: str
  sample: []
steps:
  description: The changes of AWS's documents, in order.
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
      sample: 120
    reads:
      description: Calls that only read.
      type: int
      returned: always
      sample: 80
    writes:
      description: Calls that may change something.
      type: int
      returned: always
      sample: 40
    by_operation:
      description: The number of calls of each operation.
      type: dict
      returned: always
      sample: {HeadBucket: 2, PutObject: 28}
    seconds:
      description: The sum of the calls' times. Calls run side by side.
      type: float
      returned: always
      sample: 3.2
    wall_seconds:
      description: How long the task worked.
      type: float
      returned: always
      sample: 24.4
"""

from contextlib import nullcontext

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.batch_prices import prices_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.failback import Failback
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.failback_options import (
    check_confirmation,
    failback_argument_spec,
    wishes_from,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.failover_options import BOTOCORE
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.interruption import (
    Interrupted,
    end_when_nobody_listens,
    interruptible,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import DidNotSettle, NotProven


def main() -> None:
    """From parameters to a pair and its wishes, from them to a failback, from that to the exit."""
    module = AnsibleAWSModule(
        argument_spec={**pair_argument_spec(), **failback_argument_spec()}, supports_check_mode=True
    )
    module.require_botocore_at_least(BOTOCORE, reason="to write the journal only on top of what was read")
    try:
        pair, wishes, prices = pair_from(module.params), wishes_from(module.params), prices_of(module.params["prices"])
        wishes.check_for(pair)
        check_confirmation(module, pair, wishes)
    except InvalidInput as error:
        module.fail_json(msg=f"{error} Nothing was changed.", changed=False)
    home = pair.dr if wishes.abandon else pair.primary  # a run can be given up while the primary Region is lost
    clients = Clients(module, home_region=home.region)
    failback = Failback(module, Gateway(clients), clients, pair, wishes, prices)
    try:
        with nullcontext() if module.check_mode else interruptible():
            end_when_nobody_listens()
            result = failback.run()
    except Interrupted as end:
        again = "The journal has what is done: run again to go on."
        module.fail_json(msg=f"pair '{pair.name}': the failback was ended by {end}. {again}", **failback.result())
    except (InvalidInput, Refused, AwsFailure, DidNotSettle, NotProven) as error:
        module.fail_json(msg=f"{error} {failback.how_to_go_on()}", **failback.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
