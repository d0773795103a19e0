#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_runbook
short_description: An Automation runbook of Systems Manager that verifies a pair
version_added: 0.1.0
description:
  - Makes a runbook of one name in each Region that invokes the function of the scheduled drill and returns what it says
    of a pair. It takes the parameters C(Pair), C(FunctionName) and C(AutomationAssumeRole).
  - The runbook changes nothing by itself. It can be started from an OpsItem, from the console or by
    C(aws ssm start-automation-execution).
  - Systems Manager waits 300 seconds at most for a function.
  - A document of that name that does not carry this collection's tag, or that verifies the pairs below another O(path),
    is refused and left alone.
  - A Region that cannot be reached does not keep the others from being written. The task then fails at its end and
    names what is written and what is not.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  name:
    description:
      - The name of the runbook, the same in each Region.
      - Without it, O(path) without its first slash, with C(-) in place of each other one and C(-verify) after it, so
        C(s3-dr-verify) of V(/s3-dr). Inventories that each have a path of their own so have a runbook of their own.
    type: str
  regions:
    description: The Regions.
    type: list
    elements: str
    required: true
  function_name:
    description: The name of the function that the runbook invokes unless it is started with another.
    type: str
    default: s3-dr-scheduled-drill
  state:
    description:
      - V(present) makes the runbook.
      - V(absent) deletes it in each Region where no parameter below O(path) tells of another pair. That of another path
        stays.
    type: str
    choices: [present, absent]
    default: present
  path:
    description: Where M(crossregion.s3_dr.s3_dr_status) tells of the pairs that the runbook verifies.
    type: str
    default: /s3-dr
  leaving_pairs:
    description:
      - With O(state=absent), the names of the pairs that are removed in the same run, and which therefore do not keep
        the runbook.
    type: list
    elements: str
    default: []
notes:
  - The common option O(region) is not used, since O(regions) says where the runbooks are.
seealso:
  - module: crossregion.s3_dr.s3_dr_status
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: A runbook in both Regions
  crossregion.s3_dr.s3_dr_runbook:
    regions: [us-east-1, us-west-2]

- name: Delete it where no other pair needs it
  crossregion.s3_dr.s3_dr_runbook:
    regions: [us-east-1, us-west-2]
    leaving_pairs: [orders]
    state: absent
"""

RETURN = r"""
runbook:
  description: The name of the runbook, the same in each Region.
  returned: success
  type: str
  sample: s3-dr-verify
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.systems_manager_rows import values_below
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.operations import (
    Runbook,
    check_runbook,
    runbook_address,
    runbook_name,
    runbook_removal_wish,
    runbook_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.by_region import in_each_region, signed_in
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def main() -> None:
    """From parameters to a runbook, from the runbook to a plan for each Region, from the plans to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str"},
            "regions": {"type": "list", "elements": "str", "required": True},
            "function_name": {"type": "str", "default": "s3-dr-scheduled-drill"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "str", "default": "/s3-dr"},
            "leaving_pairs": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    regions = list(dict.fromkeys(module.params["regions"]))
    clients = Clients(module, home_region=next(iter(regions), ""))
    gateway = Gateway(clients)

    def body() -> dict:
        params = module.params
        path = params["path"]
        runbook = Runbook(tuple(regions), params["name"] or runbook_name(path), params["function_name"], path)
        account = signed_in(module, clients, regions)

        def make(region: str) -> dict:
            wish = runbook_wish(runbook, account, region)

            def goal(observed: Observed) -> tuple[Wish, Wish]:
                check_runbook(runbook, observed[runbook_address(runbook, account, region)])
                return wish, {}

            return reconcile(module, gateway, wish, goal)

        def delete(region: str) -> dict:
            with asking(f"the parameters below {path} in {region}", "ssm:GetParametersByPath"):
                states = values_below(clients("ssm", region, account.id), path)
            at = runbook_address(runbook, account, region)

            def goal(observed: Observed) -> tuple[Wish, Wish]:
                leaving = params["leaving_pairs"]
                return {}, runbook_removal_wish(runbook, account, region, states, leaving, observed[at])

            return reconcile(module, gateway, [at], goal)

        result = in_each_region(regions, make if params["state"] == "present" else delete)
        return {**result, "runbook": runbook.name, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
