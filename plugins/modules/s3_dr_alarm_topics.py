#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_alarm_topics
short_description: One SNS topic for alarms in each Region
version_added: 0.1.0
description:
  - Makes an SNS topic of one name in each Region, lets the CloudWatch alarms of the same account and Region publish to
    it, and subscribes those who should be told.
  - An alarm can only notify a topic of its own Region, and the metrics of one pair are published in two Regions.
  - A topic of that name that exists already is used as it is, with its encryption unless O(kms_key_arns) names another.
    Statements of its policy that are not ours are kept, and it is never deleted.
  - Each Region is set up by itself. When one does not answer, the others are as wished all the same, and the task fails
    with a message that names both.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  name:
    description: The name of the topic, the same in each Region.
    type: str
    default: s3-dr-alarms
  regions:
    description: The Regions.
    type: list
    elements: str
    required: true
  subscriptions:
    description:
      - Who is told. Subscriptions that are not listed are kept.
      - AWS sends no alarm to an email address or URL that has not confirmed its subscription. The RV(notes) name those.
      - Queues and functions must let SNS in by their own policies, which are not changed.
    type: list
    elements: dict
    default: []
    suboptions:
      protocol:
        description: How.
        type: str
        choices: [email, email-json, http, https, lambda, sms, sqs]
        required: true
      endpoint:
        description:
          - The address, URL, number or ARN.
          - A URL with a password (C(https://user:password@host)) is refused, since SNS hides it from whoever asks for
            the subscription. Anything else in a URL, such as a token, is shown in RV(steps) and by SNS.
        type: str
        required: true
      region:
        description: The Region whose topic is meant. Without it, every Region's.
        type: str
  kms_key_arns:
    description:
      - For a Region, the ARN of the customer managed KMS key there with which its topic is encrypted. Topics of other
        Regions keep the encryption that they have.
      - The policies of keys of the same account get a statement that lets CloudWatch and S3 use them on behalf of the
        account (C(kms:Decrypt), C(kms:GenerateDataKey*), C(aws:SourceAccount)). For other keys the RV(notes) say it.
      - The key that a topic had until now, if it is another, loses that statement.
      - The key C(alias/aws/sns) is refused, since nobody can let CloudWatch use it.
    type: dict
    default: {}
  state:
    description:
      - V(present) makes the topics.
      - V(absent) deletes the topics that this module made, that alarms of no other pair notify, and whose policy lets
        nobody else publish. The RV(notes) say why one stays; its key keeps what lets in its other users.
    type: str
    choices: [present, absent]
    default: present
  leaving_pairs:
    description:
      - With O(state=absent), the names of the pairs whose alarms are removed in the same run, and which therefore do
        not keep a topic in use.
    type: list
    elements: str
    default: []
notes:
  - The common option O(region) is not used, since O(regions) says where the topics are.
seealso:
  - module: crossregion.s3_dr.s3_replication_alarms
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Tell the operators by email in both Regions
  crossregion.s3_dr.s3_dr_alarm_topics:
    regions: [us-east-1, us-west-2]
    subscriptions:
      - protocol: email
        endpoint: operators@example.com

- name: Encrypt the topics, and tell a queue
  crossregion.s3_dr.s3_dr_alarm_topics:
    regions: [us-east-1, us-west-2]
    kms_key_arns:
      us-east-1: arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
      us-west-2: arn:aws:kms:us-west-2:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321
    subscriptions:
      - protocol: sqs
        endpoint: arn:aws:sqs:us-west-2:111122223333:alarms
        region: us-west-2

- name: Delete the topics when no other pair's alarms notify them
  crossregion.s3_dr.s3_dr_alarm_topics:
    regions: [us-east-1, us-west-2]
    leaving_pairs: [orders]
    state: absent
"""

RETURN = r"""
topic_arns:
  description: The ARN of the topic of each Region.
  returned: success
  type: dict
  sample:
    us-east-1: arn:aws:sns:us-east-1:111122223333:s3-dr-alarms
    us-west-2: arn:aws:sns:us-west-2:111122223333:s3-dr-alarms
notes:
  description:
    - What keeps alarms from arriving and is to be seen to by a person, one sentence or two each.
    - With O(state=absent), why a topic stays.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      operators@example.com hears nothing from arn:aws:sns:us-east-1:111122223333:s3-dr-alarms before it has confirmed
      its subscription. Follow the link in the message that SNS sends there.
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.alarm_rows import alarms_notifying
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_topics import (
    PROTOCOLS,
    Subscription,
    Topics,
    Users,
    check_keys,
    encryption_addresses,
    former_key_policies,
    key_policies,
    removal_notes,
    topic_addresses,
    topics_notes,
    topics_removal_wish,
    topics_wish,
    without_unseen,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import topic_arn
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, Address, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.by_region import in_each_region, signed_in
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def topics_from(params: dict) -> Topics:
    """The topics that the task declares."""
    if not params["regions"]:
        raise InvalidInput(f"topic '{params['name']}': `regions` is empty. Name the Regions of the alarms.")
    return Topics(
        name=params["name"],
        regions=tuple(sorted(set(params["regions"]))),
        subscriptions=tuple(
            Subscription(one["protocol"], one["endpoint"], one["region"]) for one in params["subscriptions"]
        ),
        kms_key_arns={region: str(key) for region, key in params["kms_key_arns"].items()},
    )


class Change:
    """The topics, Region by Region, and what is to be said of each."""

    def __init__(
        self, module: AnsibleAWSModule, clients: Clients, gateway: Gateway, topics: Topics, account: Account
    ) -> None:
        self._module = module
        self._clients = clients
        self._gateway = gateway
        self._topics = topics
        self._account = account
        self.notes: dict[str, list[str]] = {}

    def in_region(self, region: str) -> dict:
        """Make the topic of a Region, or delete it when nobody needs it any more."""
        topics = self._topics.only(region)
        before = self._gateway.observe(encryption_addresses(topics, self._account))
        keys = key_policies(topics, self._account, before)
        change = self._make if self._module.params["state"] == "present" else self._take_down
        return change(region, topics, keys)

    def _make(self, region: str, topics: Topics, keys: list[Address]) -> dict:
        wish = topics_wish(topics, self._account)

        def goal(observed: Observed) -> tuple[Wish, Wish]:
            check_keys(topics, self._account, observed)
            self.notes[region] = topics_notes(topics, self._account, observed)
            former = former_key_policies(topics, self._account, observed)
            return without_unseen(wish, observed), without_unseen(former, observed)

        addresses = {*wish, *encryption_addresses(topics, self._account)}.difference(keys)
        return reconcile(self._module, self._gateway, addresses, goal, keys)

    def _take_down(self, region: str, topics: Topics, keys: list[Address]) -> dict:
        arn = topic_arn(topics.name, region, self._account)
        with asking(f"the alarms of {region}", "cloudwatch:DescribeAlarms"):
            alarms = alarms_notifying(self._clients("cloudwatch", region, self._account.id), arn)
        users = Users({region: alarms}, self._module.params["leaving_pairs"])

        def goal(observed: Observed) -> tuple[Wish, Wish]:
            self.notes[region] = removal_notes(topics, self._account, users, observed)
            return {}, without_unseen(topics_removal_wish(topics, self._account, users, observed), observed)

        return reconcile(self._module, self._gateway, topic_addresses(topics, self._account), goal, keys)


def main() -> None:
    """From parameters to topics, from the topics to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "default": "s3-dr-alarms"},
            "regions": {"type": "list", "elements": "str", "required": True},
            "subscriptions": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "protocol": {"type": "str", "required": True, "choices": list(PROTOCOLS)},
                    "endpoint": {"type": "str", "required": True},
                    "region": {"type": "str"},
                },
            },
            "kms_key_arns": {"type": "dict", "default": {}, "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "leaving_pairs": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=min(module.params["regions"], default=""))
    gateway = Gateway(clients)

    def body() -> dict:
        topics = topics_from(module.params)
        account = signed_in(module, clients, topics.regions)
        change = Change(module, clients, gateway, topics, account)
        return {
            **in_each_region(topics.regions, change.in_region),
            "notes": [note for region in topics.regions for note in change.notes[region]],
            "topic_arns": {region: topic_arn(topics.name, region, account) for region in topics.regions},
            "api_calls": clients.api_calls(),
        }

    run(module, gateway, body)


if __name__ == "__main__":
    main()
