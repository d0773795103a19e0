#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_usage_info
short_description: How much the buckets of a pair hold, and how much is written to them
version_added: 0.1.0
description:
  - Reads the storage metrics that S3 publishes once a day, for P(crossregion.s3_dr.cost_forecast#filter).
  - A bucket of an account without credentials of this task, and one without metrics yet, has no figures, and its
    RV(usage) says why.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  days:
    description:
      - Over how many days the growth is taken, 1 to 400. Of days on which a bucket shrank nothing is known, so much
        deletion makes the figure too low.
    type: int
    default: 30
notes:
  - The permission needed is C(cloudwatch:GetMetricData) in the Region of each bucket.
seealso:
  - plugin: crossregion.s3_dr.cost_forecast
    plugin_type: filter
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: How much the orders are
  crossregion.s3_dr.s3_dr_usage_info:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
  register: orders_usage
"""

RETURN = r"""
usage:
  description: By bucket.
  returned: success
  type: dict
  sample:
    example-orders:
      stored_bytes:
        STANDARD: 5000000000
      objects: 12000
      monthly_bytes: 400000000
      monthly_objects: 900
      basis: CloudWatch's daily figures, growth of 30 days
api_calls:
  description: How many calls to AWS the task made.
  returned: success
  type: dict
  contains:
    total:
      description: All calls.
      type: int
      returned: always
      sample: 3
    reads:
      description: Calls that only read.
      type: int
      returned: always
      sample: 3
    writes:
      description: Calls that may change something.
      type: int
      returned: always
      sample: 0
    by_operation:
      description: The number of calls of each operation.
      type: dict
      returned: always
      sample: {GetCallerIdentity: 1, GetMetricData: 2}
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.usage import bucket_usage
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run

MOST_DAYS = 400


def main() -> None:
    """From parameters to a pair, from the pair to the metrics of its buckets."""
    module = AnsibleAWSModule(
        argument_spec={**pair_argument_spec(), "days": {"type": "int", "default": 30}}, supports_check_mode=True
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])

    def body() -> dict:
        pair, days = pair_from(module.params), module.params["days"]
        if not 1 <= days <= MOST_DAYS:
            raise InvalidInput(f"days is {days}. Use 1 to {MOST_DAYS}.")
        accounts = clients.accounts_of(pair, credentials_from(module.params))
        usage = {}
        for end in pair.ends():
            account = accounts[end.bucket]
            if account.ours:
                usage[end.bucket] = bucket_usage(clients("cloudwatch", end.region, account.id), end.bucket, days)
            else:
                usage[end.bucket] = {"stored_bytes": {}, "basis": f"no credentials of account {account.id}"}
        return {"changed": False, "usage": usage, "api_calls": clients.api_calls()}

    run(module, None, body)


if __name__ == "__main__":
    main()
