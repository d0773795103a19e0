#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_replication_pair
short_description: Replicate an S3 bucket to another Region
version_added: 0.1.0
description:
  - Makes one pair of buckets in two Regions replicate, in one task. Both buckets, versioning on both, one IAM role for
    each direction with the least permissions, and the replication rules.
  - Only what carries this pair's names is managed. Other rules of the buckets and other roles are kept.
  - Objects that exist already are not replicated by a rule. They need S3 Batch Replication.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  state:
    description:
      - V(present) makes the pair replicate.
      - V(absent) removes the pair's rules and roles. Buckets and their data stay, unless O(delete_buckets) names them.
    type: str
    choices: [present, absent]
    default: present
  create_buckets:
    description: Whether a bucket that does not exist is created. If not, it is an error.
    type: bool
    default: true
  delete_buckets:
    description:
      - With O(state=absent), the names of the pair's buckets that are deleted with all versions, delete markers and
        unfinished uploads. This cannot be undone.
      - Versions under Object Lock are never forced. The task then fails and names them.
    type: list
    elements: str
    default: []
  confirm_deletion:
    description: Must be the pair's name for O(delete_buckets) to be carried out.
    type: str
notes:
  - A role that is new may take some seconds to be seen everywhere by AWS. Objects written before that can fail to
    replicate for good. M(crossregion.s3_dr.s3_dr_verify) sends an object through each rule to prove that it works.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_dr_verify
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Replicate the orders to us-west-2
  crossregion.s3_dr.s3_replication_pair:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2

- name: Replicate both ways, with delete markers and a cheaper class for the DR copy
  crossregion.s3_dr.s3_replication_pair:
    name: invoices
    primary:
      bucket: example-invoices
      region: us-east-1
    dr:
      bucket: example-invoices-dr
      region: us-west-2
      storage_class: STANDARD_IA
    direction: two_way
    rules:
      - delete_markers: true

- name: Stop replicating, keep both buckets and all data
  crossregion.s3_dr.s3_replication_pair:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    state: absent

- name: Stop replicating and delete both buckets with everything in them
  crossregion.s3_dr.s3_replication_pair:
    name: invoices
    primary:
      bucket: example-invoices
      region: us-east-1
    dr:
      bucket: example-invoices-dr
      region: us-west-2
    state: absent
    delete_buckets:
      - example-invoices
      - example-invoices-dr
    confirm_deletion: invoices
"""

RETURN = r"""
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
pair:
  description: The pair in the words of the options, with the defaults filled in.
  returned: success
  type: dict
  sample:
    name: orders
    primary: {bucket: example-orders, region: us-east-1, storage_class: null}
    dr: {bucket: example-orders-dr, region: us-west-2, storage_class: null}
    direction: one_way
    rules:
      - id: s3-dr-orders
        priority: 1
        prefix: ''
        status: enabled
        delete_markers: false
        observation: metrics
    allow_same_region: false
notes:
  description: What a person should know after the change, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - 'Versioning is new on example-orders: AWS advises to wait 15 minutes before writing objects.'
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
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, InvalidInput, Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    check_buckets,
    notes,
    pair_removal_wish,
    pair_wish,
    roles_kept_notes,
    unwanted_direction,
    without_roles_in_use,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    pair_argument_spec,
    pair_from,
    pair_result,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def check_deletion(pair: Pair, params: dict) -> None:
    """Refuse a deletion that does not name the pair's own buckets, or that nobody confirmed."""
    named = params["delete_buckets"]
    foreign = sorted(set(named) - {end.bucket for end in pair.ends()})
    if foreign:
        raise InvalidInput(
            f"pair '{pair.name}': `delete_buckets` names {', '.join(foreign)}, which is no bucket of this pair. "
            f"Its buckets are {pair.primary.bucket} and {pair.dr.bucket}."
        )
    if named and params["state"] != "absent":
        raise InvalidInput(f"pair '{pair.name}': `delete_buckets` goes only with `state: absent`. Remove one of them.")
    if named and params["confirm_deletion"] != pair.name:
        raise InvalidInput(
            f"pair '{pair.name}': deleting {', '.join(named)} with all versions cannot be undone. "
            f"Set `confirm_deletion: {pair.name}` if that is meant."
        )


def set_up(module: AnsibleAWSModule, gateway: Gateway, pair: Pair, account: Account) -> dict:
    """Make the pair replicate."""
    wish, unwanted = pair_wish(pair, account), unwanted_direction(pair, account)
    said: list[str] = []

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        check_buckets(pair.ends(), account, observed, create=module.params["create_buckets"])
        said.extend([*notes(wish, observed), *roles_kept_notes(unwanted, observed)])
        return wish, without_roles_in_use(unwanted, observed)

    result = reconcile(module, gateway, [*wish, *unwanted], goal)
    return {**result, "notes": said}


def take_down(module: AnsibleAWSModule, gateway: Gateway, pair: Pair, account: Account) -> dict:
    """Remove what is the pair's, and the buckets that are named."""
    unwanted = pair_removal_wish(pair, account, module.params["delete_buckets"])
    said: list[str] = []

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        said.extend(roles_kept_notes(unwanted, observed))
        return {}, without_roles_in_use(unwanted, observed)

    result = reconcile(module, gateway, unwanted, goal)
    return {**result, "notes": said}


def main() -> None:
    """From parameters to a pair, from the pair to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "create_buckets": {"type": "bool", "default": True},
            "delete_buckets": {"type": "list", "elements": "str", "default": []},
            "confirm_deletion": {"type": "str"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair = pair_from(module.params)
        check_deletion(pair, module.params)
        change = set_up if module.params["state"] == "present" else take_down
        result = change(module, gateway, pair, clients.caller())
        return {**result, "pair": pair_result(pair), "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
