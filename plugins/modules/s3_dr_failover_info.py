#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_failover_info
short_description: Which end of a pair is active, and what its failovers and failbacks did
version_added: 0.1.0
description:
  - Reads the journal of a pair from the recovery buckets of both its Regions, and returns the newer one. A Region that
    does not answer within 10 seconds is named and stops nothing.
  - A pair that was never failed over has no journal, and its primary is active.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return changed status prediction without modifying target.
    details:
      - It only reads, in check mode as in any other.
  diff_mode:
    support: none
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    details:
      - It only reads, so there is no difference to show.
  idempotent:
    support: full
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
    details:
      - Never indicates a change, since it only reads.
options:
  recovery_bucket:
    description:
      - The bucket that holds the journal, in each end's Region. C({account}) stands for the account's ID and
        C({region}) for the Region.
    type: str
    default: s3-dr-{account}-{region}
notes:
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_dr_failover
  - module: crossregion.s3_dr.s3_dr_failback
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Which end of the orders is active?
  crossregion.s3_dr.s3_dr_failover_info:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
  register: orders
"""

RETURN = r"""
pair:
  description: The pair's name.
  returned: success
  type: str
  sample: orders
active:
  description: The end where clients write, V(primary) or V(dr).
  returned: success
  type: str
  sample: dr
since:
  description: Since when. None if it never changed.
  returned: success
  type: str
  sample: '2026-11-23T14:04:41Z'
summary:
  description: The same and the last run in one line.
  returned: success
  type: str
  sample: >-
    orders: dr is active since 2026-11-23T14:04:41Z; last: failover to dr 20261123T140403Z-failover-3f9a2c by
    ops@bastion, done 2026-11-23T14:04:52Z, RTO 38 s, RPO 0 s.
open_run:
  description: The run that has not ended. None if there is none.
  returned: success
  type: dict
  contains: &run
    id:
      description: Its ID.
      type: str
      returned: always
      sample: 20261123T140403Z-failover-3f9a2c
    journey:
      description: V(failover) or V(failback).
      type: str
      returned: always
      sample: failover
    to:
      description: The end that is to be active.
      type: str
      returned: always
      sample: dr
    mode:
      description: V(planned) or V(unplanned).
      type: str
      returned: always
      sample: planned
    reason:
      description: Why it was begun.
      type: str
      returned: always
      sample: maintenance of us-east-1
    state:
      description: One of V(running), V(waiting) for tasks of the user's, V(failed), V(done) and V(abandoned).
      type: str
      returned: always
      sample: done
    began:
      description: When it was begun.
      type: str
      returned: always
      sample: '2026-11-23T14:04:03Z'
    ended:
      description: When it ended. None if it has not.
      type: str
      returned: always
      sample: '2026-11-23T14:04:52Z'
    last_sign_of_life:
      description: When it last said that it lives, which it does every five seconds.
      type: str
      returned: always
      sample: '2026-11-23T14:04:48Z'
    operator:
      description: Who was at it last.
      type: str
      returned: always
      sample: ops@bastion (arn:aws:sts::111122223333:assumed-role/ops/me)
    operators:
      description: Everybody who was at it, in order.
      type: list
      elements: str
      returned: always
      sample: ['ops@bastion (arn:aws:sts::111122223333:assumed-role/ops/me)']
    inputs:
      description: The options with which it was begun.
      type: dict
      returned: always
      sample: {declared_at: '2026-11-23T14:04:03Z', fence: true}
    steps:
      description: Its steps in order, as the C(timeline) of M(crossregion.s3_dr.s3_dr_failover).
      type: list
      elements: dict
      returned: always
      sample:
        - step: assess
          state: done
          began: '2026-11-23T14:04:03Z'
          ended: '2026-11-23T14:04:05Z'
          seconds: 2.0
          attempts: 1
          error:
          result: {}
    result:
      description: What it came to, when it is done.
      type: dict
      returned: always
      sample: {rto_seconds: 38, rpo_seconds: 0}
last_run:
  description: The last run that has ended, if none is open. None if there was never one.
  returned: success
  type: dict
  contains: *run
read_in:
  description: The Regions that answered.
  returned: success
  type: list
  elements: str
  sample: [us-west-2]
not_read:
  description: Why others did not, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ['us-east-1: there was no answer within 10 s.']
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_bucket import DEFAULT_NAME
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.journals_of import read_status
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run


def main() -> None:
    """From parameters to a pair, from its journals to what they say."""
    module = AnsibleAWSModule(
        argument_spec={**pair_argument_spec(), "recovery_bucket": {"type": "str", "default": DEFAULT_NAME}},
        supports_check_mode=True,
    )
    run(module, None, lambda: {"changed": False, **read_status(module, pair_from(module.params))})


if __name__ == "__main__":
    main()
