#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_recovery_bucket
short_description: The private bucket that a recovery needs in an account and Region
version_added: 0.1.0
description:
  - Makes one bucket in one Region for what recovery leaves and needs, that is the journals of failovers and failbacks,
    and the manifests and reports of S3 Batch Replication.
  - It is versioned and encrypted, takes no public access, and answers by TLS only.
  - Below C(batch/), objects expire after 90 days. Below C(batch/) and C(journal/), noncurrent versions go after 30 days
    and unfinished uploads after 7. Nothing else in the bucket has a lifecycle rule of this module.
  - A bucket of that name that exists in the account already gets these settings, and keeps its content, other
    lifecycle rules and other statements of its policy.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  region:
    description: The Region of the bucket.
    type: str
    required: true
    aliases: [aws_region]
  recovery_bucket:
    description:
      - The bucket's name. C({account}) stands for the account's ID and C({region}) for O(region).
      - It must be no bucket of a pair.
    type: str
    default: s3-dr-{account}-{region}
  credentials:
    description: Credentials of the bucket's account, if they are not the task's own. As those of an end of a pair.
    type: dict
    suboptions:
      profile:
        description: A profile of the AWS configuration.
        type: str
      assume_role_arn:
        description: A role that is assumed, with the credentials of O(credentials.profile) or the task's own.
        type: str
      external_id:
        description: The external ID that the role demands.
        type: str
  account_id:
    description:
      - The 12-digit ID of the account that the bucket belongs to, in quotes.
      - If the task's own credentials are of another account and there are no O(credentials), nothing is done, and
        RV(notes) says so.
    type: str
  kms_key_arn:
    description:
      - The KMS key, in the bucket's Region, by which new objects are encrypted. Whoever runs the playbooks must be
        allowed to use it.
      - Without it, the bucket keeps the default encryption that it has, which is S3's own for a new one.
    type: str
  state:
    description:
      - V(present) makes the bucket as described.
      - V(absent) changes nothing unless O(delete) is set, since journals are evidence.
    type: str
    choices: [present, absent]
    default: present
  delete:
    description:
      - With O(state=absent), whether the bucket is deleted with all versions, journals and reports in it. This cannot
        be undone.
    type: bool
    default: false
  confirm_deletion:
    description: Must hold the bucket's name for O(delete) to be carried out.
    type: list
    elements: str
    default: []
notes:
  - Permissions needed are those to create the bucket and to read and write its versioning, encryption, public access
    block, lifecycle and policy.
seealso:
  - module: crossregion.s3_dr.s3_batch_replication
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: What a recovery needs in both Regions
  crossregion.s3_dr.s3_dr_recovery_bucket:
    region: "{{ item }}"
  loop: [us-east-1, us-west-2]

- name: Under a name of our own
  crossregion.s3_dr.s3_dr_recovery_bucket:
    region: us-west-2
    recovery_bucket: example-recovery-{region}

- name: Delete it with all journals
  crossregion.s3_dr.s3_dr_recovery_bucket:
    region: us-west-2
    recovery_bucket: example-recovery-{region}
    state: absent
    delete: true
    confirm_deletion: example-recovery-us-west-2
"""

RETURN = r"""
bucket:
  description: The name of the bucket.
  returned: when the task has credentials of its account
  type: str
  sample: s3-dr-111122223333-us-west-2
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
      description: The kind of document, for example V(bucket_lifecycle).
      type: str
      returned: always
      sample: bucket_lifecycle
    name:
      description: The name of the thing in AWS.
      type: str
      returned: always
      sample: s3-dr-111122223333-us-west-2
    region:
      description: Its Region.
      type: str
      returned: always
      sample: us-west-2
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
      sample: 7
    reads:
      description: Calls that only read.
      type: int
      returned: always
      sample: 7
    writes:
      description: Calls that may change something.
      type: int
      returned: always
      sample: 0
    by_operation:
      description: The number of calls of each operation.
      type: dict
      returned: always
      sample: {GetCallerIdentity: 1, HeadBucket: 1}
    seconds:
      description: The sum of the calls' times. Calls run side by side.
      type: float
      returned: always
      sample: 0.3
    wall_seconds:
      description: How long the task worked.
      type: float
      returned: always
      sample: 0.2
"""

from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, End, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed, Wish
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_bucket import (
    DEFAULT_NAME,
    bucket_name,
    recovery_bucket_removal_wish,
    recovery_bucket_wish,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import check_buckets, one_account
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients, Credentials
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import reconcile, run


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bucket is to be. It signs in as the end of a pair does."""

    end: End

    @classmethod
    def of(cls, params: dict) -> "Place":
        """Before the account is known, and with it the name, `account` stands for it."""
        name = bucket_name(params["recovery_bucket"], "account", params["region"])
        return cls(End(name, params["region"], account_id=params["account_id"] or None))

    def ends(self) -> tuple[End, ...]:
        """The one end."""
        return (self.end,)

    def account(self, clients: Clients, credentials: Credentials) -> Account:
        """Whose the bucket is."""
        own = credentials != Credentials()
        return clients.accounts_of(self, {self.end.bucket: credentials} if own else {})[self.end.bucket]


def credentials_from(params: dict) -> Credentials:
    """The credentials of the bucket's account; empty, the task's own."""
    given = params["credentials"] or {}
    if given.get("external_id") and not given.get("assume_role_arn"):
        raise InvalidInput("credentials: `external_id` goes only with `assume_role_arn`. Add that, or leave it out.")
    return Credentials(**{name: value or None for name, value in given.items()})


def check_deletion(params: dict, name: str) -> None:
    """Refuse a deletion that is not meant."""
    if not params["delete"]:
        return
    if params["state"] != "absent":
        raise InvalidInput(f"recovery bucket '{name}': `delete` goes only with `state: absent`. Remove one of them.")
    if name not in params["confirm_deletion"]:
        raise InvalidInput(
            f"recovery bucket '{name}': deleting it with all journals and reports cannot be undone. "
            f"Set `confirm_deletion: {name}` if that is meant."
        )


def set_up(module: AnsibleAWSModule, gateway: Gateway, name: str, account: Account) -> dict:
    """Make the bucket as it should be."""
    region, key = module.params["region"], module.params["kms_key_arn"] or None

    def goal(observed: Observed) -> tuple[Wish, Wish]:
        end = End(name, region)
        check_buckets([end], one_account(account, end), observed, create=True)
        return recovery_bucket_wish(name, region, account, key, observed), {}

    return {**reconcile(module, gateway, recovery_bucket_wish(name, region, account, key), goal), "notes": []}


def take_down(module: AnsibleAWSModule, gateway: Gateway, name: str, account: Account) -> dict:
    """Delete the bucket with its content, if that is wished."""
    unwanted = recovery_bucket_removal_wish(name, module.params["region"], account) if module.params["delete"] else {}
    stays = (
        f"The recovery bucket {name} stays with its journals and reports. Set `delete: true` and "
        f"`confirm_deletion: {name}` to delete it."
    )
    result = reconcile(module, gateway, unwanted, lambda observed: ({}, unwanted))
    return {**result, "notes": [] if unwanted else [stays]}


def left_alone(region: str, account: Account) -> dict:
    """The account is somebody else's."""
    note = (
        f"This task has no credentials of account {account.id}, so its recovery bucket in {region} was neither made "
        "nor looked at. Let its owner make it, or give that end `profile` or `assume_role_arn`."
    )
    return {"changed": False, "steps": [], "diff": [], "notes": [note]}


def main() -> None:
    """From parameters to a bucket, from the bucket to a plan, from the plan to the exit."""
    module = AnsibleAWSModule(
        argument_spec={
            "region": {"type": "str", "required": True, "aliases": ["aws_region"]},
            "recovery_bucket": {"type": "str", "default": DEFAULT_NAME},
            "credentials": {"type": "dict", "options": {name: {"type": "str"} for name in Credentials.__slots__}},
            "account_id": {"type": "str"},
            "kms_key_arn": {"type": "str", "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "delete": {"type": "bool", "default": False},
            "confirm_deletion": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        params = module.params
        account = Place.of(params).account(clients, credentials_from(params))
        if not account.ours:
            return {**left_alone(params["region"], account), "api_calls": clients.api_calls()}
        name = bucket_name(params["recovery_bucket"], account.id, params["region"])
        check_deletion(params, name)
        change = set_up if params["state"] == "present" else take_down
        return {**change(module, gateway, name, account), "bucket": name, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
