#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_replication_alarms
short_description: CloudWatch alarms that notice when a pair stops replicating
version_added: 0.1.0
description:
  - For each rule and direction of a pair that is observed by metrics, makes three alarms in the Region where AWS
    publishes the metric, with all three of its dimensions.
  - C(latency) fires when objects take longer than O(latency_seconds) to arrive (C(ReplicationLatency), destination
    Region, 3 of 5 minutes).
  - C(failed) fires when an object could not be replicated at all (C(OperationsFailedReplication), source Region).
  - C(heartbeat) fires when the metrics have been missing for half an hour (C(OperationsPendingReplication),
    destination Region), since silence would keep the other two quiet.
  - Each alarm notifies the SNS topic of its own Region, when it fires and when it is well again.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  topic_name:
    description: The name of the SNS topic, the same in each Region. M(crossregion.s3_dr.s3_dr_alarm_topics) makes it.
    type: str
    default: s3-dr-alarms
  latency_seconds:
    description: The target for the time that objects take to arrive, in seconds.
    type: int
    default: 900
  state:
    description: Whether the alarms should exist.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_dr_alarm_topics
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Be told when the orders stop arriving
  crossregion.s3_dr.s3_replication_alarms:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2

- name: Remove the alarms
  crossregion.s3_dr.s3_replication_alarms:
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
alarms:
  description: The names of the alarms of each Region.
  returned: success
  type: dict
  sample:
    us-east-1:
      - s3-dr/orders/example-orders/s3-dr-orders/failed
    us-west-2:
      - s3-dr/orders/example-orders/s3-dr-orders/heartbeat
      - s3-dr/orders/example-orders/s3-dr-orders/latency
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.alarm_rows import alarms_named
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import (
    AlarmSettings,
    alarm_names,
    alarm_prefix,
    alarms_wish,
    leftover_alarms,
    unwatched_rules,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec, pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def alarms_of(pair: Pair, clients: Clients, account: Account) -> dict[str, list[str]]:
    """The names of the pair's alarms that each of its two Regions holds."""
    names = {}
    for end in pair.ends():
        with asking(f"the alarms of pair '{pair.name}' in {end.region}", "cloudwatch:DescribeAlarms"):
            names[end.region] = alarms_named(clients("cloudwatch", end.region, account.id), alarm_prefix(pair.name))
    return names


def main() -> None:
    """From parameters to a pair's alarms, from the alarms to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "topic_name": {"type": "str", "default": "s3-dr-alarms"},
            "latency_seconds": {"type": "int", "default": 900},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair = pair_from(module.params)
        settings = AlarmSettings(module.params["topic_name"], module.params["latency_seconds"])
        account = clients.caller()
        wish = alarms_wish(pair, settings, account) if module.params["state"] == "present" else {}
        unwanted = leftover_alarms(pair, wish, alarms_of(pair, clients, account), account)
        result = reconcile(module, gateway, [*wish, *unwanted], lambda observed: (wish, unwanted))
        said = unwatched_rules(pair) if module.params["state"] == "present" else []
        return {**result, "alarms": alarm_names(wish), "notes": said, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
