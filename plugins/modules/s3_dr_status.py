#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_status
short_description: The state of a pair as a parameter of Systems Manager and an OpsItem
version_added: 0.1.0
description:
  - Writes what the last verify said of a pair into a parameter of one name in each Region, so that it can still be read
    when a Region is lost.
  - With O(ops_item_region), opens an OpsItem there when the pair is not proven, and resolves it when it is. There is
    one at a time for a pair.
  - A Region that cannot be reached does not keep the others from being written. The task then fails at its end and
    names what is written and what is not.
  - A parameter of that name that does not carry this collection's tag is refused and left alone.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  name:
    description: The pair's name.
    type: str
    required: true
  regions:
    description: The Regions that hold the parameter, which should be both Regions of the pair.
    type: list
    elements: str
    required: true
  path:
    description:
      - What the parameter's name begins with. The name is this, a slash and O(name).
      - It begins with a slash, and its first part does not begin with C(aws) or C(ssm).
    type: str
    default: /s3-dr
  result:
    description:
      - What M(crossregion.s3_dr.s3_dr_verify) returned, also when it failed. Used are C(verdict), C(problems),
        C(recovery), C(comparisons), C(summary), C(evidence), C(prefixes) and C(msg).
      - Without it, the pair is told of as V(declared), unless a verify has said something of it, which stays.
      - A result that is older than what the parameter tells, or that proves some prefixes only, changes nothing.
    type: dict
  ops_item_region:
    description:
      - The Region of the OpsItem, one of O(regions). It should be the one that stays when the primary is lost.
      - Without it, no OpsItem is made, changed or resolved.
    type: str
  ops_item:
    description:
      - Whether an OpsItem is wished in O(ops_item_region). With V(false), one that was opened before is resolved, if
        the credentials may look for it.
    type: bool
    default: true
  state:
    description:
      - V(present) writes the parameter.
      - V(absent) deletes the parameter where it carries this collection's tag, and resolves the OpsItem.
    type: str
    choices: [present, absent]
    default: present
notes:
  - The common option O(region) is not used, since O(regions) says where the parameters are.
seealso:
  - module: crossregion.s3_dr.s3_dr_verify
  - module: crossregion.s3_dr.s3_dr_runbook
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Verify the orders
  crossregion.s3_dr.s3_dr_verify:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    fail_on: []
  register: verified

- name: Tell both Regions what was seen, and the operators if it is not well
  crossregion.s3_dr.s3_dr_status:
    name: orders
    regions: [us-east-1, us-west-2]
    ops_item_region: us-west-2
    result: "{{ verified }}"

- name: Remove what was told
  crossregion.s3_dr.s3_dr_status:
    name: orders
    regions: [us-east-1, us-west-2]
    ops_item_region: us-west-2
    state: absent
"""

RETURN = r"""
parameter:
  description: The name of the parameter, the same in each Region.
  returned: success
  type: str
  sample: /s3-dr/orders
status:
  description: What the parameter of each Region tells. Empty with O(state=absent).
  returned: success
  type: dict
  sample:
    us-east-1: &status
      schema: crossregion.s3_dr/status/1
      pair: orders
      state: proven
      verified_at: '2026-11-23T14:04:03Z'
      recovery_point: '2026-11-23T14:03:22Z'
      rpo_seconds: 41
      rpo_target_seconds: 900
      last_proven: {verified_at: '2026-11-23T14:04:03Z', recovery_point: '2026-11-23T14:03:22Z'}
      summary: 'orders: proven. Everything written up to 14:03:22 UTC on 23 November 2026 is in us-west-2.'
      evidence: /srv/s3-dr-evidence/pairs/orders/20261123T140403Z
      problems_total: 0
      problems: []
    us-west-2: *status
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

from functools import partial

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.operations import (
    Place,
    addresses,
    item_addresses,
    item_note,
    removal_wish,
    state_wish,
    told_of,
    why_it_stays,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.by_region import in_each_region, signed_in
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


class Telling:
    """What is told of a pair, Region by Region."""

    def __init__(self, module: AnsibleAWSModule, gateway: Gateway, place: Place, account: Account) -> None:
        self._module = module
        self._gateway = gateway
        self._place = place
        self._account = account
        self.status: dict[str, dict] = {}
        self.notes: dict[str, list[str]] = {region: [] for region in place.regions}

    def in_region(self, region: str) -> dict:
        """Reconcile one Region."""
        present = self._module.params["state"] == "present"
        goal = partial(self._tell if present else self._forget, region)
        place, account = self._place, self._account
        optional = [] if present and place.ops_item else item_addresses(place, account, region)
        return reconcile(self._module, self._gateway, addresses(place, account, region), goal, optional)

    def _tell(self, region: str, observed: Observed) -> tuple[Wish, Wish]:
        result = self._module.params["result"]
        wish, unwanted = state_wish(self._place, self._account, region, result, observed)
        there = told_of(self._place, self._account, region, observed)
        if result is not None and there and (why := why_it_stays(result, there)):
            self.notes[region].append(f"{region}: the parameter {self._place.parameter} stays as it is: {why}.")
        self._note_item(region, observed)
        self.status[region] = told_of(self._place, self._account, region, wish)
        return wish, unwanted

    def _forget(self, region: str, observed: Observed) -> tuple[Wish, Wish]:
        self._note_item(region, observed)
        return {}, removal_wish(self._place, self._account, region, observed)

    def _note_item(self, region: str, observed: Observed) -> None:
        if note := item_note(self._place, self._account, region, observed):
            self.notes[region].append(note)


def main() -> None:
    """From parameters to a state, from the state to a plan for each Region, from the plans to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "regions": {"type": "list", "elements": "str", "required": True},
            "path": {"type": "str", "default": "/s3-dr"},
            "result": {"type": "dict"},
            "ops_item_region": {"type": "str"},
            "ops_item": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    regions = list(dict.fromkeys(module.params["regions"]))
    clients = Clients(module, home_region=next(iter(regions), ""))
    gateway = Gateway(clients)

    def body() -> dict:
        params = module.params
        place = Place(params["name"], tuple(regions), params["path"], params["ops_item_region"], params["ops_item"])
        telling = Telling(module, gateway, place, signed_in(module, clients, regions))
        result = in_each_region(regions, telling.in_region)
        return {
            **result,
            "parameter": place.parameter,
            "status": {region: telling.status[region] for region in regions if region in telling.status},
            "notes": [note for region in regions for note in telling.notes[region]],
            "api_calls": clients.api_calls(),
        }

    run(module, gateway, body)


if __name__ == "__main__":
    main()
