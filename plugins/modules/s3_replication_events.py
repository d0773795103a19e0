#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_replication_events
short_description: Failure events of a pair's replication, sent to a queue or topic
version_added: 0.1.0
description:
  - Lets S3 send the event of each object that fails to replicate to an SQS queue or SNS topic in the Region and account
    of the source bucket, which S3 demands. A pair that replicates both ways has one at each end.
  - The notification, C(s3-dr/PAIR/replication), is merged into the bucket's configuration. Others are kept, also the
    delivery to EventBridge, which gets no events of replication.
  - A queue or topic of that name that exists already is used as it is. One that is missing is made. Its policy gets one
    statement for the bucket, others are kept.
  - The filter P(crossregion.s3_dr.replication_failures#filter) tells the cause and the remedy of a message.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  target:
    description:
      - Whether S3 sends the events to a queue (V(sqs)) or to a topic (V(sns)).
      - Changing it or O(target_name) moves the notification. What it pointed to goes as with O(state=absent).
    type: str
    choices: [sqs, sns]
    default: sqs
  target_name:
    description: The name of the queue or topic, the same in each Region. All pairs may share it.
    type: str
    default: s3-dr-events
  former_targets:
    description:
      - Queues and topics that the pair used before and that are still there, since a run that changed
        O(target_name) was cut short behind the notification, which then no longer tells of them.
      - What has the same name under the other service is found without it.
    type: list
    elements: dict
    default: []
    suboptions:
      target:
        description: Whether it is a queue (V(sqs)) or a topic (V(sns)).
        type: str
        choices: [sqs, sns]
        required: true
      target_name:
        description: Its name.
        type: str
        required: true
  kms_key_arns:
    description:
      - For each Region that has one, the ARN of the customer managed KMS key with which the queue or topic is
        encrypted, of the same account. Its policy gets a statement that lets S3 use it for this account's buckets,
        which leaves the policy of the former key.
      - Without it, the encryption stays as it is. SQS encrypts a new queue with its own keys.
    type: dict
    default: {}
  state:
    description:
      - V(present) sends the events.
      - V(absent) removes the pair's notifications and statements, and the queue or topic if it carries the tag
        C(managed-by=crossregion.s3_dr) and its policy lets nobody else in. Messages in it are lost then. The policy of
        its key loses this module's statement only with it, whether O(kms_key_arns) is given or not.
    type: str
    choices: [present, absent]
    default: present
notes:
  - S3 publishes failure events only of rules with metrics, and the events of objects that take longer than 15 minutes
    only of rules with replication time control. See C(observation) of O(rules).
  - S3 takes no two notifications of a bucket for the same event and overlapping keys. If somebody else's has the
    events of replication already, the task fails before anything is changed.
  - Pairs of one source share its one notification, that of the pair that was set up first. When that pair goes,
    RV(notes) names the rules whose failures nobody is told of any more.
  - S3 sends a test event (C(s3:TestEvent)) when it is set up, which the filter leaves out.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - plugin: crossregion.s3_dr.replication_failures
    plugin_type: filter
  - module: crossregion.s3_dr.s3_replication_alarms
  - name: Receiving replication failure events
    description: AWS's list of the events and of the reasons.
    link: https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-metrics-events.html
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Send each failure of the orders to a queue
  crossregion.s3_dr.s3_replication_events:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2

- name: Send them to an encrypted topic
  crossregion.s3_dr.s3_replication_events:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    target: sns
    kms_key_arns:
      us-east-1: "{{ key_in_us_east_1 }}"

- name: Send no events any more
  crossregion.s3_dr.s3_replication_events:
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
targets:
  description: The ARN of the queue or topic of each source bucket.
  returned: success
  type: dict
  sample:
    example-orders: arn:aws:sqs:us-east-1:111122223333:s3-dr-events
notes:
  description: What a person should know, one sentence each. For example which rule publishes no events.
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.event_targets import (
    EventSettings,
    encryption_addresses,
    event_addresses,
    event_targets,
    events_leftovers,
    events_notes,
    events_wish,
    leaving_notes,
    notification_addresses,
    optional_addresses,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.one_at_a_time import one_at_a_time
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def change(module: AnsibleAWSModule, clients: Clients, gateway: Gateway, pair: Pair, settings: EventSettings) -> dict:
    """Send the events, or no more."""
    present = module.params["state"] == "present"
    accounts = clients.accounts_of(pair, credentials_from(module.params))
    before = gateway.observe(notification_addresses(pair, accounts))
    before |= gateway.observe([], encryption_addresses(pair, settings, accounts, before))
    notes: list[str] = events_notes(pair, accounts, before) if present else []

    def wished(observed: Observed) -> Wish:
        return events_wish(pair, settings, accounts, observed) if present else {}

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        wish = wished(observed)
        notes.extend(leaving_notes(pair, settings, accounts, observed, wish))
        return wish, events_leftovers(pair, settings, accounts, observed, wish)

    addresses = event_addresses(pair, settings, accounts, before)
    optional = optional_addresses(pair, settings, accounts, before, wished(before))
    result = reconcile(module, gateway, addresses, goal, optional)
    return {**result, "targets": event_targets(pair, settings, accounts) if present else {}, "notes": notes}


def main() -> None:
    """From parameters to a pair's notifications, from these to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "target": {"type": "str", "choices": ["sqs", "sns"], "default": "sqs"},
            "target_name": {"type": "str", "default": "s3-dr-events"},
            "former_targets": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "target": {"type": "str", "choices": ["sqs", "sns"], "required": True},
                    "target_name": {"type": "str", "required": True},
                },
            },
            "kms_key_arns": {"type": "dict", "default": {}, "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair, params = pair_from(module.params), module.params
        keys = {region: str(key) for region, key in params["kms_key_arns"].items()}
        former = tuple((one["target"], one["target_name"]) for one in params["former_targets"])
        settings = EventSettings(params["target"], params["target_name"], keys, former)
        with one_at_a_time(f"events-{settings.name}"):
            result = change(module, clients, gateway, pair, settings)
        return {**result, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
