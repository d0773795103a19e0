#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_replication_alarms
short_description: CloudWatch alarms that notice when a pair stops replicating
version_added: 0.1.0
description:
  - For each rule and direction of a pair that is observed by metrics, makes five alarms in the Region where AWS
    publishes the metric, with all three of its dimensions. The description of each says what it means and what to do.
  - C(latency) fires when objects take longer than O(latency_seconds) to arrive (C(ReplicationLatency), destination
    Region).
  - C(bytes_pending) and C(operations_pending) fire when more than O(bytes_pending) bytes or O(operations_pending)
    operations wait (C(BytesPendingReplication) and C(OperationsPendingReplication), destination Region, 3 of 5
    minutes).
  - C(failed) fires when an object could not be replicated at all (C(OperationsFailedReplication), source Region).
  - C(heartbeat) fires when the metrics have been missing for O(heartbeat_minutes) (C(OperationsPendingReplication),
    destination Region), since silence would keep the others quiet.
  - A direction is watched in the account of its source, where AWS publishes its metrics. If that is not the account of
    the task's own credentials, it gets no alarms, and RV(notes) says so. The way back from a DR bucket in another
    account is such a direction.
  - Each alarm notifies the SNS topic of its own Region, when it fires and when it is well again. With O(composite), one
    alarm for each Region does, and is quiet while a drill of the pair runs.
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
  latency_datapoints:
    description: In how many minutes out of O(latency_periods) the target must be missed before C(latency) fires.
    type: int
    default: 3
  latency_periods:
    description: How many minutes C(latency) looks back, at most 1440.
    type: int
    default: 5
  heartbeat_minutes:
    description:
      - After how many minutes without metrics C(heartbeat) fires, at most 1440.
      - AWS publishes the metrics as a best effort, so a few minutes may be missing without a cause.
    type: int
    default: 30
  bytes_pending:
    description:
      - How many bytes may wait before C(bytes_pending) fires. V(0) makes no such alarm.
      - By default what AWS's default quota of replication traffic, 1 Gbps, moves within O(latency_seconds).
    type: int
  operations_pending:
    description: How many operations may wait before C(operations_pending) fires. V(0) makes no such alarm.
    type: int
    default: 100000
  composite:
    description:
      - Whether one composite alarm, C(s3-dr/PAIR/health), acts for all alarms of the pair in a Region. The others then
        have no actions, so one trouble sends one message.
      - It tells nobody while the alarm C(s3-dr/PAIR/drill-running) is on, which a drill keeps on. That ends by itself a
        few minutes after the drill, also after one that was interrupted. Every message waits 10 seconds for it.
      - C(failed) is then on for 5 minutes after the last failure, so several in a row are one message.
      - CloudWatch takes 100 alarms in a composite one.
    type: bool
    default: false
  ops_items:
    description: Have each alarm that notifies open an OpsItem of Systems Manager in its Region, too, when it fires.
    type: dict
    suboptions:
      severity:
        description: From 1, the most severe, to 4.
        type: int
        choices: [1, 2, 3, 4]
        default: 2
      category:
        description: The category of the OpsItem.
        type: str
        choices: [Availability, Cost, Performance, Recovery, Security]
        default: Availability
  incident_response_plan_arn:
    description:
      - The response plan of Incident Manager that each alarm that notifies starts, too, when it fires.
      - AWS closed Incident Manager to new customers in November 2025.
    type: str
  former_regions:
    description:
      - Further Regions in which the pair had alarms that are not wished any more, as of a bucket that left it.
      - The Regions of the buckets that the pair names are looked through anyway.
    type: list
    elements: str
    default: []
  state:
    description: Whether the alarms should exist.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The common option O(region) is not used, since each end names its own Region.
  - CloudWatch takes three alarms a second in an account and Region, so hundreds of new ones take minutes.
  - Each Region is worked on by itself. When one does not answer, the alarms of the others are made nevertheless, and
    the task fails with what was done and what was not.
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

- name: One message for each trouble, an OpsItem, and quiet drills
  crossregion.s3_dr.s3_replication_alarms:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    latency_seconds: 300
    composite: true
    ops_items:
      severity: 1

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
      - s3-dr/orders/example-orders/s3-dr-orders/bytes_pending
      - s3-dr/orders/example-orders/s3-dr-orders/heartbeat
      - s3-dr/orders/example-orders/s3-dr-orders/latency
      - s3-dr/orders/example-orders/s3-dr-orders/operations_pending
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
    CATEGORIES,
    AlarmSettings,
    OpsItems,
    alarm_names,
    alarm_prefix,
    alarms_wish,
    leftover_alarms,
    unwatched_rules,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Address,
    Document,
    Pair,
    check_region,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.by_region import (
    in_each_region,
    owners_of_sources,
    signed_in,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def settings_from(params: dict) -> AlarmSettings:
    """What the task declares of all alarms."""
    ops_items = params["ops_items"]
    return AlarmSettings(
        topic_name=params["topic_name"],
        latency_seconds=params["latency_seconds"],
        latency_datapoints=params["latency_datapoints"],
        latency_periods=params["latency_periods"],
        heartbeat_minutes=params["heartbeat_minutes"],
        bytes_pending=params["bytes_pending"],
        operations_pending=params["operations_pending"],
        composite=params["composite"],
        ops_items=OpsItems(ops_items["severity"], ops_items["category"]) if ops_items else None,
        incident_response_plan_arn=params["incident_response_plan_arn"],
    )


class Watch:
    """The alarms of a pair, Region by Region."""

    def __init__(
        self, module: AnsibleAWSModule, clients: Clients, gateway: Gateway, pair: Pair, settings: AlarmSettings
    ) -> None:
        self._module = module
        self._clients = clients
        self._gateway = gateway
        self._pair = pair
        self._regions = list(dict.fromkeys([end.region for end in pair.ends()] + module.params["former_regions"]))
        self._present = module.params["state"] == "present"
        self._account = signed_in(module, clients, self._regions)
        self.wish: dict[Address, Document] = {}
        self.notes: list[str] = []
        if self._present:
            accounts = owners_of_sources(clients, pair, credentials_from(module.params), self._regions)
            self.wish = alarms_wish(pair, settings, self._account, accounts)
            self.notes = unwatched_rules(pair, self._account, accounts)

    def reconcile(self) -> dict:
        """Make them as wished in every Region that answers."""
        return in_each_region(sorted(self._regions), self._in_region)

    def _in_region(self, region: str) -> dict:
        wish = {address: ours for address, ours in self.wish.items() if address.region == region}
        found = {region: self._names(region)}
        unwanted = leftover_alarms(self._pair, wish, found, self._account, twins=not self._present)
        return reconcile(self._module, self._gateway, [*wish, *unwanted], lambda observed: (wish, unwanted))

    def _names(self, region: str) -> list[str]:
        with asking(f"the alarms of pair '{self._pair.name}' in {region}", "cloudwatch:DescribeAlarms"):
            client = self._clients("cloudwatch", region, self._account.id)
            return alarms_named(client, alarm_prefix(self._pair.name))


def main() -> None:
    """From parameters to a pair's alarms, from the alarms to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "topic_name": {"type": "str", "default": "s3-dr-alarms"},
            "latency_seconds": {"type": "int", "default": 900},
            "latency_datapoints": {"type": "int", "default": 3},
            "latency_periods": {"type": "int", "default": 5},
            "heartbeat_minutes": {"type": "int", "default": 30},
            "bytes_pending": {"type": "int"},
            "operations_pending": {"type": "int", "default": 100_000},
            "composite": {"type": "bool", "default": False},
            "ops_items": {
                "type": "dict",
                "options": {
                    "severity": {"type": "int", "choices": [1, 2, 3, 4], "default": 2},
                    "category": {"type": "str", "choices": list(CATEGORIES), "default": "Availability"},
                },
            },
            "incident_response_plan_arn": {"type": "str"},
            "former_regions": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair = pair_from(module.params)
        settings = settings_from(module.params)
        for region in module.params["former_regions"]:
            check_region(region, f"former_regions of pair '{pair.name}'")
        watch = Watch(module, clients, gateway, pair, settings)
        result = watch.reconcile()
        return {
            **result,
            "alarms": alarm_names(watch.wish),
            "notes": watch.notes,
            "api_calls": clients.api_calls(),
        }

    run(module, gateway, body)


if __name__ == "__main__":
    main()
