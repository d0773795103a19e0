#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: cloudwatch_dashboard
short_description: A CloudWatch dashboard
version_added: 0.1.0
description:
  - Makes, changes and removes a dashboard of Amazon CloudWatch. Any body will do; the filter
    P(crossregion.s3_dr.dashboard_body#filter) composes one for replicated buckets.
  - Bodies are compared by what they mean. The order of keys, of widgets that say where they are and of a metric's
    dimensions, shortened and full metrics, V(6) and V(6.0), and defaults that are written or left out make no
    difference, so that a second run changes nothing.
  - A body that is more than a dashboard may hold, 500 widgets or 2500 metrics, is divided by whole rows of widgets into
    dashboards O(name), C(name-2), C(name-3) and so on. Each begins with a text that links them all. Of these, those
    that are no longer needed are removed.
  - What CloudWatch would certainly refuse is refused before anything is changed, also in check mode.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  name:
    description: The name, 1 to 255 letters, digits, V(-) and V(_).
    type: str
    required: true
  body:
    description:
      - What the dashboard shows, as a mapping with the list C(widgets) or as JSON text, in the form of CloudWatch's
        "Dashboard body structure and syntax".
      - Required when O(state=present).
    type: json
  mark:
    description:
      - A text that a text widget of the dashboard contains. A dashboard of this name that does not contain it is
        somebody else's. Such a one is never changed, and O(state=absent) leaves it.
      - Without it, whatever dashboard has this name is taken over.
    type: str
    default: ""
  state:
    description: Whether the dashboard should exist.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Dashboards belong to an account and to no Region. The common option O(region) decides which Region's endpoint is
    asked and where the links lead; without one, V(us-east-1).
  - What CloudWatch finds odd in a body that it takes nevertheless is known only after it was put, so check mode cannot
    say it.
seealso:
  - plugin: crossregion.s3_dr.dashboard_body
    plugin_type: filter
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: A dashboard with a text and a graph
  crossregion.s3_dr.cloudwatch_dashboard:
    name: web
    body:
      widgets:
        - type: text
          x: 0
          y: 0
          width: 24
          height: 2
          properties:
            markdown: "# Web servers\n\nMade by Ansible"
        - type: metric
          x: 0
          y: 2
          width: 12
          height: 6
          properties:
            title: Load
            region: eu-central-1
            stat: Average
            metrics:
              - [AWS/EC2, CPUUtilization, AutoScalingGroupName, web]

- name: The same from a file, unless somebody else has a dashboard of this name
  crossregion.s3_dr.cloudwatch_dashboard:
    name: web
    body: "{{ lookup('ansible.builtin.file', 'web.json') }}"
    mark: Made by Ansible

- name: No such dashboard
  crossregion.s3_dr.cloudwatch_dashboard:
    name: web
    mark: Made by Ansible
    state: absent
"""

RETURN = r"""
names:
  description: The names of the dashboards that there are now, more than one if the body was divided.
  returned: success
  type: list
  elements: str
  sample: [web]
console_urls:
  description: Where a person looks at each of them.
  returned: success
  type: dict
  sample:
    web: https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards/dashboard/web
widgets:
  description: How many widgets the body has, without those that link the parts of a divided one.
  returned: success
  type: int
  sample: 2
notes:
  description: What a person should know, one sentence each, with what CloudWatch found odd in the body.
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
      description: The kind of document, for example V(cloudwatch_dashboard).
      type: str
      returned: always
      sample: cloudwatch_dashboard
    name:
      description: The name of the thing in AWS.
      type: str
      returned: always
      sample: web
    region:
      description: Its Region, or V(global).
      type: str
      returned: always
      sample: global
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

import json

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.dashboard_rows import (
    dashboards_named,
    hear_warnings,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboard_body import (
    carries,
    check_body,
    check_dashboard_name,
    console_url,
    dashboard_address,
    dashboards_goal,
    dashboards_wish,
    divided,
    is_part_name,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import GLOBAL, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def body_from(params: dict) -> dict:
    """The body that the task declares; without widgets when there should be no dashboard.

    Raises:
        InvalidInput: CloudWatch would refuse it, or it would not be known again as ours.
    """
    name, mark = params["name"], params["mark"]
    check_dashboard_name(name)
    if params["state"] == "absent":
        return {"widgets": []}
    try:
        body = json.loads(params["body"])
    except ValueError as error:
        raise InvalidInput(f"dashboard '{name}': its `body` is no JSON ({error}). Correct it.") from error
    try:
        check_body(body)
    except InvalidInput as error:
        raise InvalidInput(f"dashboard '{name}': {error}") from error
    if mark and not carries(body, mark):
        raise InvalidInput(
            f"dashboard '{name}': no text widget of its `body` says '{mark}', so that the next run would take it for "
            "somebody else's. Add one, or correct `mark`."
        )
    return body


def main() -> None:
    """From parameters to bodies, from the bodies to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "body": {"type": "json"},
            "mark": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["body"])],
        supports_check_mode=True,
    )
    region = module.region or "us-east-1"
    clients = Clients(module, home_region=region)
    gateway = Gateway(clients)

    def body() -> dict:
        name, mark = module.params["name"], module.params["mark"]
        wished = body_from(module.params)
        account = clients.caller()
        present = module.params["state"] == "present"
        bodies = divided(name, wished, account, region, mark) if present else {}
        wish = dashboards_wish(bodies, account)
        client = clients("cloudwatch", GLOBAL, account.id)
        with asking(f"the parts of dashboard '{name}'", "cloudwatch:ListDashboards"):
            parts = [found for found in dashboards_named(client, f"{name}-") if is_part_name(found, name)]
        notes: list = []
        hear_warnings(client, notes.append)

        def goal(observed: Observed) -> tuple[Wish, Wish]:
            unwanted, kept = dashboards_goal(name, wish, observed, mark)
            notes.extend(kept)
            return wish, unwanted

        addresses = [dashboard_address(one, account) for one in (name, *bodies, *parts)]
        result = reconcile(module, gateway, addresses, goal)
        return {
            **result,
            "names": list(bodies),
            "console_urls": {one: console_url(one, account, region) for one in bodies},
            "widgets": len(wished["widgets"]),
            "notes": notes,
            "api_calls": clients.api_calls(),
        }

    run(module, gateway, body)


if __name__ == "__main__":
    main()
