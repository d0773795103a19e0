#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_trail
short_description: Record who writes to the buckets of pairs
version_added: 0.1.0
description:
  - Makes one multi-Region CloudTrail trail with log-file validation and global service events, and its log bucket. The
    bucket is versioned, blocks public access, refuses requests without TLS, and lets this trail alone write.
  - The trail records all management events, and the data events that write objects of exactly the pairs' buckets.
  - Each pair has an advanced event selector of its own name, so that runs for different pairs share one trail.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  name:
    description: The trail's name.
    type: str
    default: s3-dr
  home_region:
    description: The Region of the trail and of its log bucket. Only there can the trail be changed.
    type: str
    required: true
  log_bucket:
    description: The bucket that receives the log files. It may not be an end of a pair.
    type: str
    required: true
  key_prefix:
    description: What the keys of the log files begin with. No slash at either end.
    type: str
    default: ''
  pairs:
    description: The pairs whose data events are recorded. Selectors of other pairs are kept.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The pair's name.
        type: str
        required: true
      buckets:
        description: The names of its buckets.
        type: list
        elements: str
        required: true
  create_bucket:
    description: Whether the log bucket is created if it does not exist. If not, that is an error.
    type: bool
    default: true
  state:
    description:
      - V(present) makes the trail record the pairs.
      - V(absent) removes the pairs' selectors. When the trail then records no other pair, it is stopped and deleted.
        The log bucket and the logs stay, unless O(delete_log_bucket) names it.
    type: str
    choices: [present, absent]
    default: present
  delete_log_bucket:
    description:
      - With O(state=absent), the name of the log bucket, if it is deleted with all logs when the trail goes. This
        cannot be undone.
    type: str
  confirm_deletion:
    description: Must be the trail's name for O(delete_log_bucket) to be carried out.
    type: str
notes:
  - Data events are charged by their number.
  - The common option O(region) is not used, since O(home_region) says where the trail is.
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Record who writes to the buckets of two pairs
  crossregion.s3_dr.s3_dr_trail:
    home_region: us-east-1
    log_bucket: example-trail-logs
    key_prefix: s3-dr
    pairs:
      - name: orders
        buckets: [example-orders, example-orders-dr]
      - name: invoices
        buckets: [example-invoices, example-invoices-dr]

- name: Stop recording one of them
  crossregion.s3_dr.s3_dr_trail:
    home_region: us-east-1
    log_bucket: example-trail-logs
    key_prefix: s3-dr
    pairs:
      - name: invoices
        buckets: [example-invoices, example-invoices-dr]
    state: absent

- name: Stop and delete the trail when it records no other pair, and its logs with it
  crossregion.s3_dr.s3_dr_trail:
    home_region: us-east-1
    log_bucket: example-trail-logs
    key_prefix: s3-dr
    pairs:
      - name: orders
        buckets: [example-orders, example-orders-dr]
    state: absent
    delete_log_bucket: example-trail-logs
    confirm_deletion: s3-dr
"""

RETURN = r"""
trail_arn:
  description: The ARN of the trail.
  returned: success
  type: str
  sample: arn:aws:cloudtrail:us-east-1:111122223333:trail/s3-dr
notes:
  description: What a person should know after the change, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - 'The trail s3-dr stays, since it also records: s3-dr pair invoices.'
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
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, End, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    bucket_deletion_wish,
    check_buckets,
    one_account,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import (
    RecordedPair,
    Trail,
    trail_removal_wish,
    trail_wish,
    why_trail_stays,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def trail_from(params: dict) -> Trail:
    """The trail that the task declares."""
    return Trail(
        name=params["name"],
        log_bucket=End(bucket=params["log_bucket"], region=params["home_region"]),
        key_prefix=params["key_prefix"],
        pairs=tuple(RecordedPair(pair["name"], tuple(pair["buckets"])) for pair in params["pairs"]),
    )


def check_deletion(params: dict) -> None:
    """Refuse to delete a bucket that is not the log bucket, or to delete while the trail should be present."""
    named = params["delete_log_bucket"]
    if named and named != params["log_bucket"]:
        raise InvalidInput(
            f"trail '{params['name']}': `delete_log_bucket` names {named}, but the log bucket is "
            f"{params['log_bucket']}. Name the same bucket, or leave it out to keep the logs."
        )
    if named and params["state"] != "absent":
        raise InvalidInput(
            f"trail '{params['name']}': `delete_log_bucket` goes only with `state: absent`. Remove one of them."
        )
    if named and params["confirm_deletion"] != params["name"]:
        raise InvalidInput(
            f"trail '{params['name']}': deleting {named} with all logs cannot be undone. "
            f"Set `confirm_deletion: {params['name']}` if that is meant."
        )


def set_up(module: AnsibleAWSModule, gateway: Gateway, trail: Trail, account: Account) -> dict:
    """Make the trail record the pairs."""
    wish = trail_wish(trail, account)

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        create = module.params["create_bucket"]
        accounts = one_account(account, trail.log_bucket)
        check_buckets([trail.log_bucket], accounts, observed, create=create, option="create_bucket")
        return wish, {}

    return {**reconcile(module, gateway, wish, goal), "notes": []}


def take_down(module: AnsibleAWSModule, gateway: Gateway, trail: Trail, account: Account) -> dict:
    """Stop recording the pairs; the trail goes with the last of them."""
    delete_logs = bool(module.params["delete_log_bucket"])
    addresses = set(trail_wish(trail, account))
    if delete_logs:
        addresses.update(bucket_deletion_wish(trail.log_bucket, one_account(account, trail.log_bucket)))

    said: list[str] = []

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        stays = why_trail_stays(trail, account, observed)
        if stays:
            kept = f" So does its log bucket {trail.log_bucket.bucket}." if delete_logs else ""
            said.append(f"{stays}{kept}")
        return {}, trail_removal_wish(trail, account, observed, delete_log_bucket=delete_logs)

    return {**reconcile(module, gateway, addresses, goal), "notes": said}


def main() -> None:
    """From parameters to a trail, from the trail to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "default": "s3-dr"},
            "home_region": {"type": "str", "required": True},
            "log_bucket": {"type": "str", "required": True},
            "key_prefix": {"type": "str", "default": "", "no_log": False},
            "pairs": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "buckets": {"type": "list", "elements": "str", "required": True},
                },
            },
            "create_bucket": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "delete_log_bucket": {"type": "str"},
            "confirm_deletion": {"type": "str"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["home_region"])
    gateway = Gateway(clients)

    def body() -> dict:
        trail = trail_from(module.params)
        check_deletion(module.params)
        change = set_up if module.params["state"] == "present" else take_down
        account = clients.caller()
        result = change(module, gateway, trail, account)
        return {**result, "trail_arn": trail.arn(account), "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
