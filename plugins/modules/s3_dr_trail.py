#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_trail
short_description: Record who writes to the buckets of pairs
version_added: 0.1.0
description:
  - Makes one multi-Region CloudTrail trail with log-file validation and global service events, and its log bucket. The
    bucket is versioned and encrypted, blocks public access, refuses requests without TLS, and lets this trail alone
    write. On request, log files expire, move to another storage class, are encrypted with a KMS key, or stand under
    Object Lock.
  - The trail records all management events, and the data events of exactly the pairs' buckets, those that write or all.
  - Each pair has an advanced event selector of its own name, so that runs for different pairs share one trail.
  - A trail that exists can be adopted. It then gets these selectors and keeps everything else.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  name:
    description: The trail's name.
    type: str
    default: s3-dr
  home_region:
    description: The Region of the trail and of its log bucket. Only there can the trail be changed.
    type: str
    required: true
  adopt:
    description:
      - Whether the pairs are recorded by a trail that exists and that this collection did not make. Its log bucket,
        key, prefix and settings stay as they are, and only selectors are merged into it. RV(notes) say what it lacks.
      - It must be at home in O(home_region) and logging, and its log bucket may not be an end of a pair.
      - Which management events it records is its owner's choice. Only where CloudTrail's own selector had it record all
        of them, one selector more does so, since the pairs' take the place of CloudTrail's own.
      - With O(state=absent), only the pairs' selectors are taken out again. With the last of all selectors goes the one
        of management events, and CloudTrail's own comes back.
    type: bool
    default: false
  log_bucket:
    description:
      - The bucket that receives the log files. It may not be an end of a pair.
      - Required unless O(adopt=true). There, it is only compared with the bucket that the trail has.
    type: str
  key_prefix:
    description: What the keys of the log files begin with. No slash at either end. Not used with O(adopt=true).
    type: str
    default: ''
  pairs:
    description: The pairs whose data events are recorded. Selectors of other pairs are kept.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The pair's name.
        type: str
        required: true
      buckets:
        description: The names of its buckets.
        type: list
        elements: str
        required: true
  data_events:
    description:
      - Which calls on the objects of the pairs' buckets are recorded.
      - V(writes) are those that put, copy, delete or tag. V(all) are those that read, too. AWS charges for each event.
    type: str
    choices: [writes, all]
    default: writes
  kms_key_arn:
    description:
      - The ARN of a KMS key with which log files and digest files are encrypted, in O(home_region). It becomes the log
        bucket's default encryption as well, with an S3 Bucket Key.
      - The statements that CloudTrail needs are merged into the key's policy. If these credentials may not read that
        policy, or the key is another account's, RV(statements_to_apply) holds them for its owner.
      - Without it, a key that the trail has is kept, and so is the log bucket's default encryption. A bucket without
        one, as a new one, gets S3's own keys (SSE-S3).
    type: str
  log_retention_days:
    description:
      - After how many days a log file of this trail expires, by a lifecycle rule on the trail's own prefix. What is
        deleted, by lifecycle or by a person, stays 30 days longer as a noncurrent version, or as long as files are kept
        if that is less. Unfinished uploads go after 7 days.
      - Without it, log files stay for ever, and no lifecycle rule is touched.
      - Refused where another trail keeps its log files below the same prefix of the bucket. So is
        O(log_transition_days). Trails of one other Region alone are not seen.
      - The rule stays with O(state=absent), since the log files stay, too.
    type: int
  log_transition_days:
    description:
      - After how many days a log file moves to O(log_transition_class). Files below 128 KB usually stay where they are,
        since S3 does not move them unless the bucket says otherwise.
    type: int
  log_transition_class:
    description: The storage class that log files move to with O(log_transition_days).
    type: str
    choices: [STANDARD_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER, DEEP_ARCHIVE]
    default: GLACIER_IR
  object_lock:
    description:
      - The default retention of the log bucket, so that log files cannot be deleted before its end. Object Lock can
        never be disabled again. Look after an hour whether log files still arrive (C(aws cloudtrail get-trail-status)).
      - Without it, Object Lock and its default retention are not touched.
    type: dict
    suboptions:
      mode:
        description:
          - V(governance) can be bypassed by those who may C(s3:BypassGovernanceRetention). V(compliance) can be
            bypassed by nobody.
        type: str
        choices: [governance, compliance]
        required: true
      days:
        description: The retention in days. Exactly one of this and O(object_lock.years) is needed.
        type: int
      years:
        description: The retention in years.
        type: int
  confirm_object_lock:
    description:
      - Must be the log bucket's name for Object Lock to be set on a bucket that exists, and for V(compliance) on any
        bucket, since neither can be undone.
    type: str
  create_bucket:
    description: Whether the log bucket is created if it does not exist. If not, that is an error.
    type: bool
    default: true
  state:
    description:
      - V(present) makes the trail record the pairs.
      - V(absent) removes the pairs' selectors. When the trail then records no other pair, it is stopped and deleted,
        and its statements leave the policies of the log bucket and of the key. The log bucket and the logs stay, with
        their encryption, lifecycle rule and Object Lock, unless O(delete_log_bucket) names it.
    type: str
    choices: [present, absent]
    default: present
  delete_log_bucket:
    description:
      - With O(state=absent), the name of the log bucket, if it is deleted with all logs when the trail goes. This
        cannot be undone. Versions under Object Lock are never forced. The task then fails and names them.
    type: str
  confirm_deletion:
    description: Must be the trail's name for O(delete_log_bucket) to be carried out.
    type: str
notes:
  - Data events are charged by their number. So is a second copy of management events in an account.
  - CloudTrail takes 5 trails a Region, and 500 values in the selectors of a trail. Both are checked before anything is
    changed.
  - The common option O(region) is not used, since O(home_region) says where the trail is.
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Record who writes to the buckets of two pairs
  crossregion.s3_dr.s3_dr_trail:
    home_region: us-east-1
    log_bucket: example-trail-logs
    key_prefix: s3-dr
    pairs:
      - name: orders
        buckets: [example-orders, example-orders-dr]
      - name: invoices
        buckets: [example-invoices, example-invoices-dr]

- name: The same with reads, a KMS key, and log files that stay for a year and cannot be deleted for 90 days
  crossregion.s3_dr.s3_dr_trail:
    home_region: us-east-1
    log_bucket: example-trail-logs
    key_prefix: s3-dr
    pairs:
      - name: orders
        buckets: [example-orders, example-orders-dr]
    data_events: all
    kms_key_arn: arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
    log_retention_days: 365
    object_lock:
      mode: governance
      days: 90

- name: Record a pair by the trail that the account has already
  crossregion.s3_dr.s3_dr_trail:
    name: management
    home_region: us-east-1
    adopt: true
    pairs:
      - name: orders
        buckets: [example-orders, example-orders-dr]

- name: Stop recording one of them
  crossregion.s3_dr.s3_dr_trail:
    home_region: us-east-1
    log_bucket: example-trail-logs
    key_prefix: s3-dr
    pairs:
      - name: invoices
        buckets: [example-invoices, example-invoices-dr]
    state: absent

- name: Stop and delete the trail when it records no other pair, and its logs with it
  crossregion.s3_dr.s3_dr_trail:
    home_region: us-east-1
    log_bucket: example-trail-logs
    key_prefix: s3-dr
    pairs:
      - name: orders
        buckets: [example-orders, example-orders-dr]
    state: absent
    delete_log_bucket: example-trail-logs
    confirm_deletion: s3-dr
"""

RETURN = r"""
trail_arn:
  description: The ARN of the trail.
  returned: success
  type: str
  sample: arn:aws:cloudtrail:us-east-1:111122223333:trail/s3-dr
notes:
  description: What a person should know after the change, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - 'The trail s3-dr stays, since it also records: s3-dr pair invoices.'
statements_to_apply:
  description:
    - What the policy of the key must allow and these credentials may not add, one entry for each policy.
  returned: when O(state=present) and not O(adopt=true)
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of document, V(kms_key_policy).
      type: str
      returned: always
      sample: kms_key_policy
    name:
      description: The ARN of the key.
      type: str
      returned: always
    region:
      description: Its Region.
      type: str
      returned: always
      sample: us-east-1
    account:
      description: The 12-digit ID of its account.
      type: str
      returned: always
      sample: '111122223333'
    statements:
      description: The statements, to be added as they are.
      type: list
      elements: dict
      returned: always
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.log_bucket import (
    TRANSITION_CLASSES,
    LockMode,
    LogFiles,
    ObjectLock,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, End, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    bucket_deletion_wish,
    check_buckets,
    one_account,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.selectors import DataEvents, RecordedPair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.trail import (
    AdoptedTrail,
    AnyTrail,
    Trail,
    adopted_notes,
    check_adopted,
    check_home,
    check_trail,
    former_log_bucket,
    former_policies,
    key_hints,
    known_keys,
    left_behind,
    logging_address,
    removal_notes,
    selectors_address,
    selectors_removal_wish,
    selectors_wish,
    statements_owed,
    trail_address,
    trail_notes,
    trail_removal_wish,
    trail_wish,
    trails_address,
    why_trail_stays,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run

OF_OUR_OWN = (
    "kms_key_arn",
    "log_retention_days",
    "log_transition_days",
    "object_lock",
    "delete_log_bucket",
)


def trail_from(params: dict) -> AnyTrail:
    """The trail that the task declares."""
    pairs = tuple(RecordedPair(pair["name"], tuple(pair["buckets"])) for pair in params["pairs"])
    data_events = DataEvents(params["data_events"])
    if params["adopt"]:
        return AdoptedTrail(params["name"], params["home_region"], pairs, data_events, params["log_bucket"] or None)
    return Trail(
        name=params["name"],
        log_bucket=End(
            bucket=params["log_bucket"], region=params["home_region"], kms_key_arn=params["kms_key_arn"] or None
        ),
        key_prefix=params["key_prefix"],
        pairs=pairs,
        data_events=data_events,
        log_files=log_files_from(params),
    )


def log_files_from(params: dict) -> LogFiles:
    """What becomes of the log files with time."""
    lock = params["object_lock"]
    return LogFiles(
        params["log_retention_days"],
        params["log_transition_days"],
        params["log_transition_class"],
        ObjectLock(LockMode(lock["mode"]), lock["days"], lock["years"]) if lock else None,
    )


def check_options(params: dict) -> None:
    """Refuse options that contradict each other, above all a deletion that is not meant."""
    foreign = [option for option in OF_OUR_OWN if params[option]]
    if params["adopt"] and foreign:
        raise InvalidInput(
            f"trail '{params['name']}': with `adopt: true` the trail and its log bucket keep their settings. "
            f"Leave out {', '.join(f'`{option}`' for option in foreign)}."
        )
    if not params["adopt"] and not params["log_bucket"]:
        raise InvalidInput(
            f"trail '{params['name']}': it needs a bucket for its log files. Name one as `log_bucket`, or set "
            "`adopt: true` to record the pairs by a trail that exists."
        )
    check_deletion(params)


def check_deletion(params: dict) -> None:
    """Refuse to delete a bucket that is not the log bucket, or to delete while the trail should be present."""
    named = params["delete_log_bucket"]
    if named and named != params["log_bucket"]:
        raise InvalidInput(
            f"trail '{params['name']}': `delete_log_bucket` names {named}, but the log bucket is "
            f"{params['log_bucket']}. Name the same bucket, or leave it out to keep the logs."
        )
    if named and params["state"] != "absent":
        raise InvalidInput(
            f"trail '{params['name']}': `delete_log_bucket` goes only with `state: absent`. Remove one of them."
        )
    if named and params["confirm_deletion"] != params["name"]:
        raise InvalidInput(
            f"trail '{params['name']}': deleting {named} with all logs cannot be undone. "
            f"Set `confirm_deletion: {params['name']}` if that is meant."
        )


def set_up(module: AnsibleAWSModule, gateway: Gateway, trail: Trail, account: Account) -> dict:
    """Make the trail record the pairs."""
    hints = gateway.observe([trail_address(trail, account)])
    keys = known_keys(trail, account, hints) if trail.log_bucket.kms_key_arn else []
    optional = [*keys, *former_log_bucket(trail, account, hints), trails_address(trail, account)]
    found: dict = {}
    unwanted: Wish = {}

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        nonlocal unwanted
        create = module.params["create_bucket"]
        accounts = one_account(account, trail.log_bucket)
        check_buckets([trail.log_bucket], accounts, observed, create=create, option="create_bucket")
        check_trail(trail, account, observed, module.params["confirm_object_lock"])
        found["notes"] = trail_notes(trail, account, observed)
        found["statements_to_apply"] = statements_owed(trail, account, observed)
        unwanted = former_policies(trail, account, observed)
        return trail_wish(trail, account, observed), unwanted

    every = [address for address in trail_wish(trail, account) if address not in keys]
    try:
        result = reconcile(module, gateway, every, goal, optional)
    except AwsFailure as failure:
        left = left_behind(trail, account, unwanted, [step.address for step in gateway.done])
        raise AwsFailure(f"{failure} {left}".strip()) from failure
    return {**result, **found}


def take_down(module: AnsibleAWSModule, gateway: Gateway, trail: Trail, account: Account) -> dict:
    """Stop recording the pairs; the trail goes with the last of them."""
    delete_logs = bool(module.params["delete_log_bucket"])
    hints = gateway.observe(key_hints(trail, account))
    former = [*known_keys(trail, account, hints), *former_log_bucket(trail, account, hints)]
    addresses = set(trail_wish(trail, account)).difference(former)
    if delete_logs:
        addresses.update(bucket_deletion_wish(trail.log_bucket, one_account(account, trail.log_bucket)))

    said: list[str] = []

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        check_home(trail, account, observed)
        unwanted = trail_removal_wish(trail, account, observed, delete_log_bucket=delete_logs)
        stays = why_trail_stays(trail, account, observed)
        if stays:
            kept = f" So does its log bucket {trail.log_bucket.bucket}." if delete_logs else ""
            said.append(f"{stays}{kept}")
        said.extend(removal_notes(trail, account, observed, unwanted))
        return {}, unwanted

    return {**reconcile(module, gateway, addresses, goal, former), "notes": said}


def adopt(module: AnsibleAWSModule, gateway: Gateway, trail: AdoptedTrail, account: Account) -> dict:
    """Make somebody else's trail record the pairs, too, or no more; nothing else of it is touched."""
    present, said = module.params["state"] == "present", []

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        if present:
            check_adopted(trail, account, observed)
            said.extend(adopted_notes(trail, account, observed))
            return selectors_wish(trail, account, observed), {}
        check_home(trail, account, observed)
        unwanted = selectors_removal_wish(trail, account, observed)
        said.extend(removal_notes(trail, account, observed, unwanted))
        return {}, unwanted

    addresses = [place(trail, account) for place in (trail_address, logging_address, selectors_address)]
    return {**reconcile(module, gateway, addresses, goal), "notes": said}


def change(module: AnsibleAWSModule, gateway: Gateway, trail: AnyTrail, account: Account) -> dict:
    """Do what the task asks for."""
    if isinstance(trail, AdoptedTrail):
        return adopt(module, gateway, trail, account)
    return (set_up if module.params["state"] == "present" else take_down)(module, gateway, trail, account)


def argument_spec() -> dict:
    """The options."""
    return {
        "name": {"type": "str", "default": "s3-dr"},
        "home_region": {"type": "str", "required": True},
        "adopt": {"type": "bool", "default": False},
        "log_bucket": {"type": "str"},
        "key_prefix": {"type": "str", "default": "", "no_log": False},
        "pairs": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "buckets": {"type": "list", "elements": "str", "required": True},
            },
        },
        "data_events": {"type": "str", "choices": ["writes", "all"], "default": "writes"},
        "kms_key_arn": {"type": "str", "no_log": False},
        "log_retention_days": {"type": "int"},
        "log_transition_days": {"type": "int"},
        "log_transition_class": {"type": "str", "choices": list(TRANSITION_CLASSES), "default": "GLACIER_IR"},
        "object_lock": {
            "type": "dict",
            "options": {
                "mode": {"type": "str", "choices": ["governance", "compliance"], "required": True},
                "days": {"type": "int"},
                "years": {"type": "int"},
            },
        },
        "confirm_object_lock": {"type": "str"},
        "create_bucket": {"type": "bool", "default": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "delete_log_bucket": {"type": "str"},
        "confirm_deletion": {"type": "str"},
    }


def main() -> None:
    """From parameters to a trail, from the trail to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    clients = Clients(module, home_region=module.params["home_region"])
    gateway = Gateway(clients)

    def body() -> dict:
        check_options(module.params)
        trail = trail_from(module.params)
        account = clients.caller()
        result = change(module, gateway, trail, account)
        return {**result, "trail_arn": trail.arn(account), "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
