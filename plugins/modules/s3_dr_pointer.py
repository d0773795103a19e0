#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_pointer
short_description: A parameter in both Regions that tells clients which bucket of a pair is active
version_added: 0.1.0
description:
  - Makes a parameter of Systems Manager, of one name in both Regions of the pair. Its value is one line of JSON that
    says which end is active, with its bucket and Region. A client reads it in its own Region and needs no other one.
  - A new pointer says that the primary is active. One that is there keeps saying what it says. Only a failover or
    failback switches it.
  - Where the two Regions differ, since one was lost during a switch, the one that was switched last is right, and the
    other is made to say the same.
  - A Region that cannot be reached does not keep the other one from being looked after. Only a pointer that is missing
    is not made then, since nobody knows which end is active. The task fails at its end and names what is written and
    what is not.
  - A parameter of that name that does not carry this collection's tag, or that says something else, is refused and left
    alone.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  path:
    description:
      - What the parameter's name begins with. The name is this, a slash and O(name).
      - It begins with a slash, and its first part does not begin with C(aws) or C(ssm).
      - It must differ from the path of M(crossregion.s3_dr.s3_dr_status), whose parameter has the same name below it.
    type: str
    required: true
  state:
    description:
      - V(present) makes the pointer where it is missing.
      - V(absent) deletes it. Clients that read it then find nothing.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The common option O(region) is not used, since the ends of the pair say where the parameters are.
  - The parameters are in the account of the task's own credentials, whatever credentials an end has.
seealso:
  - module: crossregion.s3_dr.s3_dr_status
  - module: crossregion.s3_dr.s3_multi_region_access_point_routes
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Tell clients which bucket of the orders is active
  crossregion.s3_dr.s3_dr_pointer:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    path: /s3-dr-active

- name: Remove what tells it
  crossregion.s3_dr.s3_dr_pointer:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    path: /s3-dr-active
    state: absent
"""

RETURN = r"""
parameter:
  description: The name of the parameter, the same in both Regions.
  returned: success
  type: str
  sample: /s3-dr-active/orders
pointer:
  description: What the parameter of each Region says. Empty with O(state=absent).
  returned: success
  type: dict
  sample:
    us-east-1: &pointer
      schema: crossregion.s3_dr/pointer/1
      pair: orders
      active: primary
      bucket: example-orders
      region: us-east-1
      primary: {bucket: example-orders, region: us-east-1}
      dr: {bucket: example-orders-dr, region: us-west-2}
      since: null
      run: null
    us-west-2: *pointer
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
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.pointer import pointer_name, pointer_regions
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.by_region import signed_in
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pointing import Pointing
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run


def main() -> None:
    """From parameters to a pair, from what both Regions say to a plan for each, from the plans to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "path": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair, path = pair_from(module.params), module.params["path"]
        parameter, regions = pointer_name(pair.name, path), pointer_regions(pair)
        pointing = Pointing(module, gateway, signed_in(module, clients, regions), pair, path)
        result = pointing.declare() if module.params["state"] == "present" else pointing.forget()
        said = {region: pointing.wished[region] for region in regions if region in pointing.wished}
        return {**result, "parameter": parameter, "pointer": said, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
