#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_alarm_drill
short_description: A fire drill that proves that the alarms of a pair reach somebody
version_added: 0.1.0
description:
  - First judges each alarm of the pair by what can be read. Whether it stands where AWS publishes its metric, has all
    three dimensions, and notifies a topic that lets CloudWatch publish and has a confirmed subscription. What is wrong
    there ends the drill before anything is provoked.
  - Then provokes a real failure. The policy of the destination denies the replication role one key, that of a canary
    below C(.s3-dr-canary/) after the rule's prefix, and the canary is written. S3 gives it up, the failure is counted,
    the alarm fires, and its message is awaited at a queue that is subscribed for the drill.
  - For alarms on what AWS publishes in the destination's Region (latency, what is pending, the heartbeat) there is no
    harm to provoke. A twin of each, on the same metric with the same topics, fires at any data point. That proves
    metric, dimensions, action and delivery, and not the threshold.
  - Everything is restored, also after a failure, C(SIGINT) or C(SIGTERM), or when the playbook is gone, and one canary
    through each rule proves that objects arrive again. What a drill left behind that was killed is removed by the next
    one, or by O(state=absent).
  - Who is subscribed to the topics is told, too. The messages of twins say that they are a drill; that of the provoked
    failure is the real one.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  deadline_seconds:
    description:
      - How long to wait for the messages, in seconds. The same time is given to alarms to become calm before, and to
        the canaries after the drill.
      - AWS publishes the metrics each minute as well as it can, the first some 15 minutes after a rule was made.
    type: int
    default: 900
  state:
    description:
      - V(present) runs the drill.
      - V(absent) only removes what a drill left behind that was killed.
    type: str
    choices: [present, absent]
    default: present
notes:
  - In check mode the alarms are judged by what can be read, whether each metric has ever had a data point is looked
    up, and O(ignore:steps) says what would be put for the time of the drill. It fails on what is wrong.
  - RV(ignore:changed) tells whether anything is different afterwards. A drill that restores everything changes
    nothing.
  - One drill of a pair at a time; one on the same machine is waited for. Drills of other pairs may run beside it, and
    so may M(crossregion.s3_dr.s3_dr_verify). Where pairs share a destination, drill them from one machine, since S3
    has no way to change a policy that another one changes at that moment.
  - A canary that Object Lock keeps, or that S3 has not given up yet, stays and is told in RV(ignore:left_behind). It
    is no failure, since it harms nobody.
  - The statement that denies names the one key of the drill's canary and no other.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_replication_alarms
  - module: crossregion.s3_dr.s3_dr_alarm_topics
  - module: crossregion.s3_dr.s3_dr_verify
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Prove that somebody is told when the orders stop arriving
  crossregion.s3_dr.s3_dr_alarm_drill:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2

- name: Remove what a drill left behind that was killed
  crossregion.s3_dr.s3_dr_alarm_drill:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    state: absent
"""

RETURN = r"""
verdict:
  description:
    - V(proven) when each alarm fired and its message came. V(failed) when one cannot, or did not. V(unknown) when
      something could not be provoked or looked at, and in check mode when nothing wrong was seen.
  returned: when O(state=present)
  type: str
  sample: proven
alarms:
  description: Each alarm, and how it was proven.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    alarm:
      description: Its name. Empty where there is none.
      type: str
      returned: always
      sample: s3-dr/orders/example-orders/s3-dr-orders/failed
    region:
      description: Its Region.
      type: str
      returned: always
      sample: us-east-1
    metric:
      description: What it watches.
      type: str
      returned: always
      sample: OperationsFailedReplication
    rule:
      description: The ID of the rule that it watches.
      type: str
      returned: always
      sample: s3-dr-orders
    source:
      description: Where the rule replicates from.
      type: str
      returned: always
      sample: example-orders
    destination:
      description: Where the rule replicates to.
      type: str
      returned: always
      sample: example-orders-dr
    proven_by:
      description: V(failure) of a real object, or a V(twin) on the same metric, which any data point fires.
      type: str
      returned: always
      sample: failure
    sender:
      description:
        - The alarm that is named in the message. That is the alarm, the composite alarm that fires with it, or the
          twin.
      type: str
      returned: always
      sample: s3-dr/orders/example-orders/s3-dr-orders/failed
    status:
      description: One of V(proven), V(failed) and V(unknown).
      type: str
      returned: always
      sample: proven
    state_changed:
      description: When the sender changed its state, as its message says.
      type: str
      returned: always
      sample: '2026-11-23T15:00:41.210+0000'
    seconds:
      description: Seconds after the canary was written, or the twin was put. None where it did not come to that.
      type: dict
      returned: always
      contains:
        to_failed:
          description: Until S3 was seen to have given the canary up. None for a twin.
          type: float
          returned: always
          sample: 2.1
        to_alarm:
          description: Until the alarm was seen in ALARM.
          type: float
          returned: always
          sample: 63.9
        to_message:
          description: Until the last message was received at the queue, one from each of its topics.
          type: float
          returned: always
          sample: 64.4
    problem:
      description: Why it is not proven, and what to do. None when it is.
      type: str
      returned: always
checks:
  description: What was looked at, and how each ended.
  returned: when O(state=present)
  type: list
  elements: dict
  sample:
    - area: monitoring
      name: failure alarm
      subject: s3-dr/orders/example-orders/s3-dr-orders/failed
      status: passed
      message: >-
        The alarm 's3-dr/orders/example-orders/s3-dr-orders/failed' (us-east-1) was made to fire by a real failure, and
        its message came by arn:aws:sns:us-east-1:111122223333:s3-dr-alarms after 64.4 s.
problems:
  description: What keeps the verdict from V(proven), one sentence each, with the next step.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
canaries:
  description:
    - What became of the canaries that were sent after the drill, as M(crossregion.s3_dr.s3_dr_verify) returns them.
  returned: when O(state=present)
  type: list
  elements: dict
  sample: []
restored:
  description: Whether nothing of the drill is left.
  returned: always
  type: bool
  sample: true
left_behind:
  description: What may be left, and how to remove it, one sentence each.
  returned: always
  type: list
  elements: str
  sample: []
cleared:
  description: What a former drill had left behind. In check mode it is still there.
  returned: always
  type: list
  elements: str
  sample: []
notes:
  description: What a person should know, one sentence each.
  returned: always
  type: list
  elements: str
  sample: []
steps:
  description:
    - What was removed of a former drill, then what was put for the time of the drill, in order. In check mode, what
      would be.
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

from contextlib import nullcontext
from functools import partial

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.alarm_drill import AlarmDrill
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarm_drill import FAILED, PROVEN
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Refused
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.interruption import (
    Interrupted,
    end_when_nobody_listens,
    interruptible,
    undisturbed,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.one_at_a_time import one_at_a_time
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)

_SAID = 5
"""So many problems are told in the message of a failure; all of them are in the result."""


def run(drill: AlarmDrill, pair: str, state: str, check_mode: bool) -> "str | None":
    """Do what is asked; why that ended early, if it did. Another drill of the pair on this machine is waited for."""
    try:
        with interruptible():
            end_when_nobody_listens()
            with nullcontext() if check_mode else one_at_a_time(f"alarm-drill-{pair}"):
                if state == "absent":
                    drill.clear(pretend=check_mode)
                elif check_mode:
                    drill.predict()
                else:
                    drill.run()
    except Interrupted as end:
        return f"The drill was ended by {end}. Run it again."
    except (AwsFailure, Refused) as failure:
        return str(failure)
    return None


def main() -> None:
    """From parameters to a pair, from the pair to its drill, from the drill to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "deadline_seconds": {"type": "int", "default": 900},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    state, check_mode = module.params["state"], module.check_mode
    try:
        pair = pair_from(module.params)
        accounts = clients.accounts_of(pair, credentials_from(module.params))
    except (InvalidInput, AwsFailure) as error:
        module.fail_json(msg=f"{error} Nothing was changed.", changed=False)
    deadline = float(module.params["deadline_seconds"])
    drill = AlarmDrill(
        Gateway(clients),
        clients,
        pair,
        accounts,
        deadline,
        shielded=undisturbed,
        alone=partial(one_at_a_time, "alarm-drill-policies"),
    )
    trouble = run(drill, pair.name, state, check_mode)
    result = {**drill.result(), "api_calls": clients.api_calls()}
    result["changed"] = bool(drill.cleared or drill.left_behind)
    result["diff"] = {"before": "\n".join([*drill.cleared, ""]), "after": "\n".join([*drill.left_behind, ""])}
    if state == "absent":
        asked = ("restored", "left_behind", "cleared", "steps", "notes", "api_calls", "changed", "diff")
        result = {name: result[name] for name in asked}
    elif trouble:
        result["problems"] = [trouble, *result["problems"]]
    if trouble or drill.left_in_the_way:
        module.fail_json(msg=" ".join([*([trouble] if trouble else []), *drill.left_behind]), **result)
    result["notes"] = [*result["notes"], *drill.left_behind]  # canaries, which harm nobody
    if state == "present" and result["verdict"] != PROVEN and not (check_mode and result["verdict"] != FAILED):
        first, more = result["problems"][:_SAID], len(result["problems"][_SAID:])
        said = " ".join([*first, *([f"And {more} more; see `problems`."] if more else [])])
        module.fail_json(msg=f"pair '{pair.name}': its alarms are not proven ({result['verdict']}). {said}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
