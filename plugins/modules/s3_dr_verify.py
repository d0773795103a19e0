#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_verify
short_description: Prove that a pair replicates
version_added: 0.1.0
description:
  - Compares the configuration of both ends with the declared pair, by the plan that
    M(crossregion.s3_dr.s3_replication_pair) would carry out. Nothing of it is carried out.
  - Sends one canary object through each enabled rule of each direction, and one more encrypted with KMS where the rule
    selects such objects. Waits until S3 says that it is replicated and
    its bytes are read at the other end, or until the deadline. Then removes its versions at both ends. A canary that is
    late is left to arrive, and the result names it.
  - Says which replication metrics CloudWatch holds, in the Region where AWS publishes each.
  - Fails when the configuration differs or a canary did not arrive, after everything has been looked at.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
attributes:
  check_mode:
    support: partial
    description: Can run in check mode and return changed status prediction without modifying target.
    details:
      - The configuration and the metrics are looked at. No canary is written, and the result says so.
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    details:
      - The diff shows in which documents AWS differs from the declared pair.
  idempotent:
    support: full
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
    details:
      - Never indicates a change, since it removes what it writes.
options:
  canary:
    description:
      - Whether canary objects are written. Their keys begin with the rule's prefix and C(.s3-dr-canary/). No other
        keys are touched.
    type: bool
    default: true
  deadline_seconds:
    description:
      - How long to wait for each canary.
      - AWS promises no time without replication time control. Most objects arrive within 15 minutes.
    type: int
    default: 900
notes:
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_replication_pair
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Prove that the orders replicate, within a minute
  crossregion.s3_dr.s3_dr_verify:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    deadline_seconds: 60

- name: Look at the configuration only
  crossregion.s3_dr.s3_dr_verify:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    canary: false
"""

RETURN = r"""
problems:
  description: What is wrong, one sentence each with the next step. Empty when the pair replicates.
  returned: always
  type: list
  elements: str
  sample: []
summary:
  description: What was seen, a line each.
  returned: always
  type: list
  elements: str
  sample:
    - 'orders: AWS holds exactly what the pair declares.'
    - 'example-orders -> example-orders-dr: a canary object arrived intact in 3.2 s (rule s3-dr-orders).'
drift:
  description: The steps that M(crossregion.s3_dr.s3_replication_pair) would carry out. Empty when nothing differs.
  returned: always
  type: list
  elements: dict
  sample: []
canaries:
  description: What became of each canary.
  returned: always
  type: list
  elements: dict
  contains:
    rule:
      description: The rule that it was sent through.
      type: str
      returned: always
      sample: s3-dr-orders
    source:
      description: The bucket that it was written to.
      type: str
      returned: always
      sample: example-orders
    destination:
      description: The bucket that it should arrive in.
      type: str
      returned: always
      sample: example-orders-dr
    key:
      description: Its key.
      type: str
      returned: always
      sample: .s3-dr-canary/6f1c0b9be5d04c6c8ee1c5d5bb9b4a37
    version_id:
      description: Its version ID, the same at both ends.
      type: str
      returned: always
      sample: 3HL4kqtJlcpXroDTDmJ
    encryption:
      description: The encryption that was asked for, the bucket's V(default) or V(aws:kms).
      type: str
      returned: always
      sample: default
    status:
      description:
        - V(replicated) means that it was compared with its replica at the other end.
        - V(late) means that the deadline passed, V(failed) that S3 gave up, V(differs) that the bytes are others,
          V(not_written) that it could not be written.
      type: str
      returned: always
      sample: replicated
    seconds:
      description: The time from writing it to the outcome.
      type: float
      returned: always
      sample: 3.2
    compared:
      description:
        - What was compared with the replica. V(bytes), or V(size) in a class that must be restored to be read.
      type: str
      returned: always
      sample: bytes
    reason:
      description: Why it did not arrive.
      type: str
      returned: always
      sample: null
    left_behind:
      description: What was not removed, with the reason. A late canary is left to arrive.
      type: list
      elements: str
      returned: always
      sample: []
metrics:
  description: The replication metrics of each rule and direction.
  returned: always
  type: list
  elements: dict
  contains:
    metric:
      description: The metric's name.
      type: str
      returned: always
      sample: ReplicationLatency
    region:
      description: The Region where AWS publishes it.
      type: str
      returned: always
      sample: us-west-2
    rule:
      description: The rule.
      type: str
      returned: always
      sample: s3-dr-orders
    source:
      description: The source bucket.
      type: str
      returned: always
      sample: example-orders
    destination:
      description: The destination bucket.
      type: str
      returned: always
      sample: example-orders-dr
    published:
      description: Whether CloudWatch holds it. AWS takes about 15 minutes to publish the first values.
      type: bool
      returned: always
      sample: true
notes:
  description: What a person should know, one sentence each.
  returned: always
  type: list
  elements: str
  sample: []
api_calls:
  description: How many calls to AWS the task made.
  returned: always
  type: dict
  contains:
    total:
      description: All calls.
      type: int
      returned: always
      sample: 24
    reads:
      description: Calls that only read.
      type: int
      returned: always
      sample: 21
    writes:
      description: Calls that may change something.
      type: int
      returned: always
      sample: 3
    by_operation:
      description: The number of calls of each operation.
      type: dict
      returned: always
      sample: {HeadBucket: 2, PutObject: 1}
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Canary, Route, each, fly
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.metrics import published_metrics
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import (
    Accounts,
    InvalidInput,
    Link,
    Pair,
    Step,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.proofs import flights_of_rules, unproven
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.render import as_diffs, as_results
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    check_buckets,
    leftovers,
    optional_addresses,
    pair_addresses,
    pair_wish,
    without_overlap,
    without_roles_in_use,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.verdict import (
    canary_problems,
    drift_problem,
    metric_notes,
    summary,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
    pair_from,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run


def drift_of(gateway: Gateway, pair: Pair, accounts: Accounts) -> tuple[Step, ...]:
    """The plan that would bring AWS back to the declared pair."""
    addresses = pair_addresses(pair, accounts)
    observed = gateway.observe(addresses, optional_addresses(addresses))
    check_buckets(pair.ends(), accounts, observed, create=True)
    unwanted = without_roles_in_use(leftovers(pair, accounts, observed), observed)
    wish, unwanted = without_overlap(pair_wish(pair, accounts, observed), unwanted)
    return plan(wish, observed, unwanted)


def fly_canaries(clients: Clients, pair: Pair, accounts: Accounts, deadline_seconds: int) -> list[Canary]:
    """One canary through each enabled rule of each direction, in each encryption, all at the same time."""
    routes = [Route.of(flight, accounts, clients) for flight in flights_of_rules(pair, accounts)]
    return each(lambda route: fly(route, deadline_seconds), routes)


def metrics_of(clients: Clients, pair: Pair, accounts: Accounts) -> list[dict]:
    """The replication metrics of each enabled rule in each direction whose source is of an account of the task."""
    with asking(f"the replication metrics of pair '{pair.name}'", "cloudwatch:ListMetrics"):
        return [
            metric
            for link in pair.links()
            if accounts[link.source.bucket].ours
            for rule in link.rules
            if rule.enabled
            for metric in published_metrics(rule, link, cloudwatch_of(clients, link, accounts))
        ]


def cloudwatch_of(clients: Clients, link: Link, accounts: Accounts):
    """CloudWatch of a Region, in the account of the link's source, whose rule publishes the metrics."""
    return lambda region: clients("cloudwatch", region, accounts[link.source.bucket].id)


def verify(module: AnsibleAWSModule, gateway: Gateway, clients: Clients) -> dict:
    """Look at everything, then judge."""
    if module.params["deadline_seconds"] < 1:
        raise InvalidInput("deadline_seconds must be at least 1. Without waiting, set `canary: false`.")
    pair = pair_from(module.params)
    accounts = clients.accounts_of(pair, credentials_from(module.params))
    drift = drift_of(gateway, pair, accounts)
    notes, canaries = [], []
    if module.check_mode or not module.params["canary"]:
        notes.append("No canary object was written, so nothing proves that objects arrive.")
    else:
        canaries = fly_canaries(clients, pair, accounts, module.params["deadline_seconds"])
        notes += unproven(pair, accounts)
    metrics = metrics_of(clients, pair, accounts)
    flights = [canary.as_result() for canary in canaries]
    return {
        "changed": False,
        "problems": [*drift_problem(pair, drift), *canary_problems(flights)],
        "summary": summary(pair, drift, flights),
        "drift": as_results(drift),
        "diff": as_diffs(drift),
        "canaries": flights,
        "metrics": metrics,
        "notes": [*notes, *metric_notes(metrics)],
        "api_calls": clients.api_calls(),
    }


def main() -> None:
    """From parameters to a pair, from what is seen of it to the verdict."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "canary": {"type": "bool", "default": True},
            "deadline_seconds": {"type": "int", "default": 900},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        result = verify(module, gateway, clients)
        if result["problems"]:
            module.fail_json(msg=" ".join(result["problems"]), **result)
        return result

    run(module, gateway, body)


if __name__ == "__main__":
    main()
