#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_bucket_options
short_description: Set what else the buckets of a pair need, and tell what it does to disaster recovery
version_added: 0.1.0
description:
  - Sets Transfer Acceleration, Object Lock's default retention, lifecycle, Intelligent-Tiering, default encryption,
    public access, ownership, TLS, the access log and tags of each end of a pair. What is not named stays as it is.
  - Lifecycle rules and configurations of Intelligent-Tiering are merged by ID, tags by key, and statements of the
    bucket policy by Sid. Those of others are kept.
  - RV(notes) says what the choices do, and do not do, to replication, failback, drills, teardown and the bill. It says
    so in check mode, too.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  primary_options:
    description: What the bucket of O(primary) gets.
    type: dict
    suboptions: &options
      accelerate:
        description:
          - Whether clients may use the accelerated endpoint. Only for buckets whose names have no dot, and not in all
            Regions.
          - It speeds up clients that are far away. It does not change replication.
        type: str
        choices: [enabled, suspended]
      object_lock:
        description:
          - The default retention of versions that are written from now on. The end needs C(object_lock=true) in the
            pair.
          - Versions that are there already get none.
        type: dict
        suboptions:
          mode:
            description:
              - V(governance) can be bypassed with a permission, V(compliance) by nobody, so it asks for
                O(confirm_compliance).
              - V(none) takes the default retention away. Versions keep theirs, and Object Lock stays enabled for ever.
            type: str
            choices: [governance, compliance, none]
            required: true
          days:
            description: So many days, or else C(years).
            type: int
          years:
            description: So many years.
            type: int
      lifecycle:
        description: Rules of the bucket's lifecycle.
        type: list
        elements: dict
        suboptions:
          id:
            description: The rule's ID.
            type: str
            required: true
          state:
            description: V(absent) removes the rule of that ID.
            type: str
            choices: [present, absent]
            default: present
          enabled:
            description: Whether the rule acts.
            type: bool
            default: true
          prefix:
            description: Only keys that begin so.
            type: str
            default: ''
          tags:
            description: Only objects with all of these tags.
            type: dict
          larger_than:
            description: Only objects with more bytes.
            type: int
          smaller_than:
            description: Only objects with fewer bytes.
            type: int
          transitions:
            description: To which class current versions go, in order.
            type: list
            elements: dict
            suboptions: &transition
              days:
                description: After so many days.
                type: int
                required: true
              storage_class:
                description: The class.
                type: str
                choices: [STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER, DEEP_ARCHIVE]
                required: true
          noncurrent_transitions:
            description: To which class versions go after they were replaced or deleted, in order.
            type: list
            elements: dict
            suboptions: *transition
          expiration_days:
            description: After so many days a current version gets a delete marker.
            type: int
          noncurrent_days:
            description: After so many days without being current a version is deleted for good.
            type: int
          noncurrent_versions_kept:
            description: So many newer noncurrent versions stay, however old. 1 to 100.
            type: int
          expired_delete_markers:
            description: Whether delete markers go that hide nothing any more.
            type: bool
            default: false
          abort_uploads_days:
            description: After so many days multipart uploads that were not completed are aborted.
            type: int
      intelligent_tiering:
        description: The archive tiers of S3 Intelligent-Tiering, for objects of that class.
        type: list
        elements: dict
        suboptions:
          id:
            description: The configuration's ID.
            type: str
            required: true
          state:
            description: V(absent) removes the configuration of that ID.
            type: str
            choices: [present, absent]
            default: present
          enabled:
            description: Whether it acts.
            type: bool
            default: true
          prefix:
            description: Only keys that begin so.
            type: str
            default: ''
          tags:
            description: Only objects with all of these tags.
            type: dict
          archive_days:
            description: After so many days without access an object goes to the Archive Access tier. 90 to 730.
            type: int
          deep_archive_days:
            description: After so many days without access it goes to the Deep Archive Access tier. 180 to 730.
            type: int
      encryption:
        description: The default encryption of new objects.
        type: dict
        suboptions:
          algorithm:
            description: S3's own keys, KMS, or KMS twice (DSSE).
            type: str
            choices: [AES256, 'aws:kms', 'aws:kms:dsse']
            required: true
          kms_key_arn:
            description: The KMS key, in the bucket's Region. Name it in the pair, too, so that its objects replicate.
            type: str
          bucket_key:
            description: Whether a Bucket Key saves requests to KMS.
            type: bool
          block_sse_c:
            description: Whether objects with keys of the client (SSE-C) are refused, or taken.
            type: bool
      block_public_access:
        description: Whether all four settings that block public access are on, or off.
        type: bool
      ownership:
        description: Who owns objects. V(BucketOwnerEnforced) turns ACLs off.
        type: str
        choices: [BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter]
      tls_only:
        description: Whether the bucket policy denies requests without TLS. V(false) removes this module's statements.
        type: bool
      minimum_tls_version:
        description: The bucket policy denies requests with an older TLS, too.
        type: str
        choices: ['1.2', '1.3']
      access_log:
        description: Where S3 delivers the log of requests to the bucket.
        type: dict
        suboptions:
          enabled:
            description: V(false) turns the log off.
            type: bool
            default: true
          bucket:
            description:
              - A bucket of the same account and Region, which is there already. Its policy gets a statement that lets
                the log in.
            type: str
          prefix:
            description: How the keys of the log begin.
            type: str
            default: ''
      tags:
        description: Tags of the bucket.
        type: dict
      removed_tags:
        description: Tags that are removed, by key.
        type: list
        elements: str
  dr_options:
    description: What the bucket of O(dr) gets.
    type: dict
    suboptions: *options
  carry_over:
    description:
      - What replication never copies and the bucket of O(dr) gets as the bucket of O(primary) has it, with the ARNs,
        Region and account of that end. Other parts of the same settings at O(dr) are kept.
      - V(policy) leaves out statements of this module and those that would cut replication off. V(notifications) need
        targets of the same names in the Region of O(dr). V(lifecycle), V(tags) and V(policy) give way to O(dr_options).
      - A log of requests is not carried over, since it goes to a bucket of one Region. Name one in O(dr_options).
      - Run it in check mode with diff first.
    type: list
    elements: str
    choices: [policy, cors, lifecycle, notifications, tags]
    default: []
  confirm_compliance:
    description: Must name each bucket that gets a default retention in compliance mode.
    type: list
    elements: str
    default: []
notes:
  - An end of an account without credentials of this task is left alone, and RV(notes) says so.
seealso:
  - module: crossregion.s3_dr.s3_replication_pair
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Replicas get cheaper with time, and locked for a month
  crossregion.s3_dr.s3_dr_bucket_options:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
      object_lock: true
    dr_options:
      object_lock:
        mode: governance
        days: 30
      lifecycle:
        - id: cheaper
          transitions:
            - days: 90
              storage_class: GLACIER_IR
          noncurrent_days: 365
          abort_uploads_days: 7
      tls_only: true
      block_public_access: true

- name: Clients far away write faster, and every request is logged
  crossregion.s3_dr.s3_dr_bucket_options:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
    primary_options:
      accelerate: enabled
      access_log:
        bucket: example-logs-us-east-1
        prefix: orders/
"""

RETURN = r"""
notes:
  description: What the choices do to disaster recovery, and what was left alone, one sentence or two each.
  returned: success
  type: list
  elements: str
  sample:
    - "example-orders-dr: the rule 'cheaper' takes replicas to archives."
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
      description: The kind of document, for example V(bucket_lifecycle).
      type: str
      returned: always
      sample: bucket_lifecycle
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
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.bucket_advice import (
    Choice,
    advice,
    choices_of,
    refuse_unconfirmed,
    refuse_unprepared,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.bucket_options import (
    options_addresses,
    options_from,
    options_unwanted,
    options_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput, Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.parity import (
    KINDS_OF,
    carried,
    carry_addresses,
    carry_notes,
    together,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish, applied, plan
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.bucket_option_spec import bucket_option_spec
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


def change(
    module: AnsibleAWSModule,
    clients: Clients,
    gateway: Gateway,
    pair: Pair,
    choices: tuple[Choice, Choice],
    notes: list[str],
) -> dict:
    """Set the options of both ends, as far as there are credentials."""
    accounts = clients.accounts_of(pair, credentials_from(module.params))
    subjects = module.params["carry_over"]
    if subjects and not all(accounts[end.bucket].ours for end in (pair.primary, pair.dr)):
        raise InvalidInput(
            f"pair '{pair.name}': `carry_over` needs credentials of both ends. Name those of the other account, or "
            "leave it out."
        )
    ours = [choice for choice in choices if accounts[choice.end.bucket].ours]
    for choice in choices:
        if choice not in ours:
            whose = f"{choice.end.bucket} belongs to account {accounts[choice.end.bucket].id}"
            notes.append(f"{whose}, of which this task has no credentials. Its options were left as they are.")
    addresses = [address for one in ours for address in options_addresses(one.end, accounts, one.options)]
    addresses += carry_addresses(pair, accounts, subjects)

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        wish, unwanted = {}, {}
        for one in ours:
            refuse_unprepared(one, accounts, observed)
            refuse_unconfirmed(one, accounts, observed, module.params["confirm_compliance"])
            wish |= options_wish(one.end, accounts, one.options)
            unwanted |= options_unwanted(one.end, accounts, one.options)
        unwanted = {address: document for address, document in unwanted.items() if observed[address] is not None}
        then = applied(plan(wish, observed, unwanted), observed)  # what this very task sets is carried over, too
        for address, document in carried(pair, accounts, then, subjects).items():
            wish[address] = together(document, wish.get(address), address.kind)
        notes.extend(carry_notes(pair, accounts, then, subjects))
        return wish, unwanted

    return reconcile(module, gateway, dict.fromkeys(addresses), goal)


def main() -> None:
    """From parameters to choices, from choices to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "primary_options": {"type": "dict", "options": bucket_option_spec()},
            "dr_options": {"type": "dict", "options": bucket_option_spec()},
            "carry_over": {"type": "list", "elements": "str", "choices": list(KINDS_OF), "default": []},
            "confirm_compliance": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        params = module.params
        pair = pair_from(params)
        primary = options_from(params["primary_options"], pair.primary)
        choices = choices_of(pair, primary, options_from(params["dr_options"], pair.dr))
        notes = advice(pair, choices)
        result = change(module, clients, gateway, pair, choices, notes)
        return {**result, "notes": notes, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
