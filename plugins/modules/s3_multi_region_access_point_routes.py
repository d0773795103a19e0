#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_multi_region_access_point_routes
short_description: To which Regions a Multi-Region Access Point sends requests
version_added: 0.1.0
description:
  - Makes routes of a Multi-Region Access Point active or passive, all in one change, and waits until S3 shows it. AWS
    says that a change takes up to two minutes. Requests that are under way end where they began.
  - Works while a Region is lost. Routes are read and changed through us-east-1, us-west-2, ap-southeast-2,
    ap-northeast-1 and eu-west-1, whichever of them answers, and never through one of O(avoid_regions).
  - What is not named in O(routes) stays as it is.
  - Another change of the same routes that is under way is waited for, since S3 takes one at a time.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  mrap:
    description:
      - The ARN of the access point, its alias or its name.
      - Only us-west-2 knows which access point has a name, so a name cannot be used while that Region is lost. With an
        ARN or alias nothing has to be looked up.
    type: str
    required: true
  routes:
    description:
      - The routes that should be active or passive, each named by its bucket or by its Region. At least one of them
        must be active.
    type: list
    elements: dict
    required: true
    suboptions:
      bucket:
        description: The bucket's name.
        type: str
      region:
        description: The bucket's Region.
        type: str
      active:
        description: Whether it gets requests. S3 knows nothing in between.
        type: bool
        required: true
  avoid_regions:
    description: Regions of which nothing is asked, as those that are lost.
    type: list
    elements: str
    default: []
  wait:
    description: Whether to wait until S3 shows the routes as wished.
    type: bool
    default: true
  timeout:
    description: How long to wait, in seconds, for another change that is under way and for this one.
    type: int
    default: 300
notes:
  - The common option O(region) is not used, since any of the five Regions will do.
  - An object that is not replicated yet is not found in the other Region. S3 does not look for it elsewhere.
seealso:
  - module: crossregion.s3_dr.s3_multi_region_access_point
  - module: crossregion.s3_dr.s3_dr_pointer
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Send all requests to the DR bucket, while us-east-1 is lost
  crossregion.s3_dr.s3_multi_region_access_point_routes:
    mrap: arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap
    routes:
      - {bucket: example-orders-dr, active: true}
      - {bucket: example-orders, active: false}
    avoid_regions: [us-east-1]
"""

RETURN = r"""
arn:
  description: The ARN of the access point.
  returned: success
  type: str
  sample: arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap
routes:
  description: All routes of the access point after the change. In check mode, what they would be.
  returned: success
  type: list
  elements: dict
  sample:
    - {bucket: example-orders, region: us-east-1, active: false}
    - {bucket: example-orders-dr, region: us-west-2, active: true}
before:
  description: The same before the change.
  returned: success
  type: list
  elements: dict
  sample:
    - {bucket: example-orders, region: us-east-1, active: true}
    - {bucket: example-orders-dr, region: us-west-2, active: true}
control_region:
  description: The Region through which S3 was asked last.
  returned: success
  type: str
  sample: us-west-2
shown:
  description: Whether S3 shows the routes as wished. Only with O(wait=false) and in check mode it may not.
  returned: success
  type: bool
  sample: true
seconds:
  description: How long that took.
  returned: success
  type: float
  sample: 84.2
diff:
  description: The routes before and after.
  returned: success
  type: list
  elements: dict
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

from collections.abc import Iterable
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.routes import RouteControl, route_control
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.routes import (
    Dial,
    Route,
    applied_to,
    changed_routes,
    check_dials,
    check_mrap,
    control_regions,
    owner_in,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.by_region import signed_in
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients


class Rerouting:
    """One wish for the routes of an access point, checked before AWS is asked for anything.

    Raises:
        InvalidInput: it cannot be right.
    """

    def __init__(self, module: AnsibleAWSModule) -> None:
        params = module.params
        self._module = module
        self._mrap, self._avoid = params["mrap"], params["avoid_regions"]
        self._dials = tuple(Dial(one["active"], one["bucket"], one["region"]) for one in params["routes"])
        self._regions = control_regions(self._avoid)
        check_dials(self._dials)
        check_mrap(self._mrap, self._avoid)
        if params["timeout"] < 1:
            raise InvalidInput("timeout must be at least 1 second. Without waiting, set `wait: false`.")
        self._clients = Clients(module, home_region=self._regions[0])
        self.control = None

    def result(self) -> dict[str, Any]:
        """What the task returns."""
        account = owner_in(self._mrap) or signed_in(self._module, self._clients, self._regions)
        self.control = route_control(self._clients, account, self._mrap, self._avoid)
        result = self._predicted(self.control) if self._module.check_mode else self._done(self.control)
        before, after = result["before"], result["routes"]
        return {
            **result,
            "arn": self.control.arn,
            "control_region": self.control.region,
            "diff": [{"before": before, "after": after}] if result["changed"] else [],
            "api_calls": self._clients.api_calls(),
        }

    def _predicted(self, control: RouteControl) -> dict[str, Any]:
        there = control.read()
        changed = changed_routes(self._dials, there)
        after = applied_to(there, changed)
        return {
            "changed": bool(changed),
            "before": told(there),
            "routes": told(after),
            "shown": not changed,
            "seconds": 0.0,
        }

    def _done(self, control: RouteControl) -> dict[str, Any]:
        done = control.set(self._dials, self._module.params["timeout"], self._module.params["wait"])
        return {
            "changed": done.changed,
            "before": told(done.before),
            "routes": told(done.after),
            "shown": done.shown,
            "seconds": done.seconds,
        }


def told(routes: Iterable[Route]) -> list[dict[str, Any]]:
    """The routes in the words of the options."""
    return [{"bucket": route.bucket, "region": route.region, "active": route.active} for route in routes]


def main() -> None:
    """From parameters to a wish, from the routes that are there to a change of them, from that to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            "mrap": {"type": "str", "required": True},
            "routes": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "bucket": {"type": "str"},
                    "region": {"type": "str"},
                    "active": {"type": "bool", "required": True},
                },
            },
            "avoid_regions": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    rerouting = None
    try:
        rerouting = Rerouting(module)
        result = rerouting.result()
    except (InvalidInput, Refused, AwsFailure) as error:
        submitted = bool(rerouting and rerouting.control and rerouting.control.submitted)
        module.fail_json(msg=f"{error}{'' if submitted else ' Nothing was changed.'}", changed=submitted)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
