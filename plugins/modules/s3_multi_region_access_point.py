#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_multi_region_access_point
short_description: A Multi-Region Access Point of Amazon S3, and its policy
version_added: 0.1.0
description:
  - Makes a Multi-Region Access Point of one bucket in each of several Regions, and waits until S3 has made it. Clients
    that use it are sent to another Region by M(crossregion.s3_dr.s3_multi_region_access_point_routes).
  - Its buckets can never be changed, and the API of S3 has no call that changes what it blocks of public access.
    Another wish than what is there is refused, and the message says the way out.
  - Of its policy, only the statements of O(policy) are set and those of O(policy_removed_sids) removed. All others
    stay.
  - S3 makes, deletes and gives policies in the background, which takes minutes. A task that was killed meanwhile goes
    on waiting when it is run again.
  - All of it is asked in us-west-2, wherever the buckets are. So have the access point before you need it. What is
    needed in a disaster are its routes, which other Regions take as well.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  name:
    description:
      - The name of the access point, unique in its account.
      - 3 to 50 lower-case letters, digits and V(-), beginning and ending with a letter or digit. S3 gives the access
        point an alias of its own choice, and clients use that.
    type: str
    required: true
  buckets:
    description: Its buckets, at most one in each Region. They must exist. Required with O(state=present).
    type: list
    elements: dict
    default: []
    suboptions:
      bucket:
        description: The bucket's name.
        type: str
        required: true
      region:
        description: The bucket's Region.
        type: str
        required: true
      account_id:
        description:
          - The account of the bucket, if it is another than that of the access point. Its bucket policy must let the
            access point in.
        type: str
  public_access_block:
    description:
      - What the access point blocks of public access. What is not said is blocked by a new one, and is not looked at in
        one that exists.
    type: dict
    default: {}
    suboptions:
      block_public_acls:
        description: Whether public ACLs are refused.
        type: bool
      ignore_public_acls:
        description: Whether public ACLs count for nothing.
        type: bool
      block_public_policy:
        description: Whether a policy that lets the public in is refused.
        type: bool
      restrict_public_buckets:
        description: Whether the public is kept out whatever a policy says.
        type: bool
  policy:
    description:
      - Statements of the policy of the access point, each with a C(Sid) of its own. Other statements of it stay.
      - C({access_point}) stands for the ARN of the access point, which nobody knows before it is made, as in
        C({access_point}/object/*).
    type: list
    elements: dict
    default: []
  policy_removed_sids:
    description:
      - The C(Sid) of each statement that the policy should not have. The last statement of a policy cannot be removed,
        since S3 deletes a policy only with its access point.
    type: list
    elements: str
    default: []
  wait:
    description:
      - Whether to wait until a new access point is ready. With V(false), no policy can be set by the same task.
      - A deletion and a policy are always waited for.
    type: bool
    default: true
  confirm_deletion:
    description:
      - The name of the access point, as a confirmation that it is to be deleted. Required with O(state=absent).
    type: str
  state:
    description:
      - V(present) makes the access point if there is none.
      - V(absent) deletes it. Its buckets and their objects stay. One that is made again later has another alias, so
        clients have to be told.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The common option O(region) is not used, since S3 manages access points in us-west-2 only.
  - Access points carry no tags, so who made one is not known. Deleting one therefore needs its name twice.
  - Clients need support for Signature Version 4A, in Python the package C(awscrt).
seealso:
  - module: crossregion.s3_dr.s3_multi_region_access_point_routes
  - module: crossregion.s3_dr.s3_replication_pair
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: One name for both buckets of the orders
  crossregion.s3_dr.s3_multi_region_access_point:
    name: example-orders
    buckets:
      - {bucket: example-orders, region: us-east-1}
      - {bucket: example-orders-dr, region: us-west-2}
    policy:
      - Sid: Applications
        Effect: Allow
        Principal: {AWS: "arn:aws:iam::111122223333:root"}
        Action: ["s3:GetObject", "s3:PutObject"]
        Resource: "{access_point}/object/*"
  register: orders_access_point

- name: Send requests to the primary only
  crossregion.s3_dr.s3_multi_region_access_point_routes:
    mrap: "{{ orders_access_point.access_point.arn }}"
    routes:
      - {bucket: example-orders, active: true}
      - {bucket: example-orders-dr, active: false}

- name: Delete it
  crossregion.s3_dr.s3_multi_region_access_point:
    name: example-orders
    state: absent
    confirm_deletion: example-orders
"""

RETURN = r"""
access_point:
  description: The access point. Empty with O(state=absent), and in check mode if it is not there yet.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: example-orders
    alias:
      description: The alias that S3 gave it.
      type: str
      returned: always
      sample: mfzwi23gnjvgw.mrap
    arn:
      description: Its ARN, which clients use as the name of a bucket. Nothing has to be looked up to fail over by it.
      type: str
      returned: always
      sample: arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap
    status:
      description: Its status as S3 tells it.
      type: str
      returned: always
      sample: READY
    buckets:
      description: Its buckets.
      type: list
      elements: dict
      returned: always
      sample: [{bucket: example-orders, region: us-east-1, account_id: '111122223333'}]
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

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.access_points import (
    MANAGED_IN,
    AccessPoint,
    Member,
    access_point_address,
    access_point_wish,
    arn_of,
    bucket_addresses,
    check_buckets,
    check_confirmation,
    check_name,
    policy_address,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run

_BLOCKS = {
    "block_public_acls": "BlockPublicAcls",
    "ignore_public_acls": "IgnorePublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "restrict_public_buckets": "RestrictPublicBuckets",
}


def access_point_from(params: dict[str, Any]) -> AccessPoint:
    """The access point that the task declares."""
    blocks = params["public_access_block"]
    return AccessPoint(
        name=params["name"],
        members=tuple(Member(one["bucket"], one["region"], one["account_id"]) for one in params["buckets"]),
        blocks={name: blocks[option] for option, name in _BLOCKS.items() if blocks.get(option) is not None},
        statements=tuple(params["policy"]),
        removed_sids=tuple(params["policy_removed_sids"]),
        wait=params["wait"],
    )


def present(module: AnsibleAWSModule, gateway: Gateway, clients: Clients) -> dict[str, Any]:
    """The access point is there, with our part of its policy."""
    point = access_point_from(module.params)
    account = clients.caller()
    address = access_point_address(point.name, account)
    held = {}

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        held["before"] = observed[address]
        if observed[address] is None:
            check_buckets(point, account, observed)
        return access_point_wish(point, account, observed[address]), {}

    addresses = [address, *([policy_address(point.name, account)] if point.has_policy else [])]
    result = reconcile(module, gateway, addresses, goal, optional=bucket_addresses(point, account))
    there = gateway.observe([address])[address] if gateway.done else held["before"]
    return {**result, "access_point": told(point.name, account, there)}


def absent(module: AnsibleAWSModule, gateway: Gateway, clients: Clients) -> dict[str, Any]:
    """The access point is gone. Its policy goes with it."""
    name = module.params["name"]
    check_name(name)
    check_confirmation(name, module.params["confirm_deletion"])
    address = access_point_address(name, clients.caller())
    result = reconcile(module, gateway, [address], lambda observed: ({}, {address: {}}))
    return {**result, "access_point": {}}


def told(name: str, account: Account, there) -> dict[str, Any]:
    """The access point in the words of the options."""
    if there is None:
        return {}
    alias = there["Alias"]
    return {
        "name": name,
        "alias": alias,
        "arn": arn_of(alias, account.id, account.partition) if alias else None,
        "status": there["Status"],
        "buckets": [
            {"bucket": one["Bucket"], "region": one["Region"], "account_id": one["BucketAccountId"]}
            for one in there["Regions"]
        ],
    }


def main() -> None:
    """From parameters to a wish, from the wish to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "buckets": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "bucket": {"type": "str", "required": True},
                    "region": {"type": "str", "required": True},
                    "account_id": {"type": "str"},
                },
            },
            "public_access_block": {
                "type": "dict",
                "default": {},
                "options": {option: {"type": "bool"} for option in _BLOCKS},
            },
            "policy": {"type": "list", "elements": "dict", "default": []},
            "policy_removed_sids": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "bool", "default": True},
            "confirm_deletion": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=MANAGED_IN)
    gateway = Gateway(clients)

    def body() -> dict[str, Any]:
        make = present if module.params["state"] == "present" else absent
        return {**make(module, gateway, clients), "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
