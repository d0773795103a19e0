#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_legal_hold
short_description: Put legal holds on versions of a pair's bucket, or release them
version_added: 0.1.0
description:
  - A version with a legal hold cannot be deleted, by whomever, until the hold is released. It has no end of its own.
  - A hold is of one version of one bucket. Replicas get it only when they are made, so a hold that is put later at
    O(primary) does not reach O(dr), and the other way round.
  - The bucket needs Object Lock. A teardown keeps a bucket with held versions, and lifecycle leaves them.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
options:
  end:
    description: Of which end of the pair the bucket is meant.
    type: str
    choices: [primary, dr]
    default: dr
  keys:
    description: The keys that are meant. Each must have a version.
    type: list
    elements: str
    default: []
  prefixes:
    description: All keys that begin so are meant. An empty one means the whole bucket.
    type: list
    elements: str
    default: []
  versions:
    description: Whether the current version of each key is meant, or all of them. Delete markers are left out.
    type: str
    choices: [current, all]
    default: current
  hold:
    description: V(true) puts the holds, V(false) releases them.
    type: bool
    default: true
  most_versions:
    description: More versions than that are refused before any is changed.
    type: int
    default: 1000
notes:
  - Permissions needed are C(s3:ListBucketVersions), C(s3:GetBucketObjectLockConfiguration), C(s3:GetObjectLegalHold)
    and C(s3:PutObjectLegalHold).
seealso:
  - module: crossregion.s3_dr.s3_dr_bucket_options
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Hold the evidence of a case in the DR copy
  crossregion.s3_dr.s3_dr_legal_hold:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
      object_lock: true
    dr:
      bucket: example-orders-dr
      region: us-west-2
      object_lock: true
    prefixes: [cases/4711/]
    versions: all

- name: Release it
  crossregion.s3_dr.s3_dr_legal_hold:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
      object_lock: true
    dr:
      bucket: example-orders-dr
      region: us-west-2
      object_lock: true
    prefixes: [cases/4711/]
    versions: all
    hold: false
"""

RETURN = r"""
bucket:
  description: The bucket.
  returned: success
  type: str
  sample: example-orders-dr
versions:
  description: How many versions are meant.
  returned: success
  type: int
  sample: 12
changed_versions:
  description: Those whose hold was put or released, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: The key.
      type: str
      returned: always
      sample: cases/4711/letter.pdf
    version_id:
      description: The version.
      type: str
      returned: always
      sample: 3HL4kqtJvjVBH40Nrjfkd
api_calls:
  description: How many calls to AWS the task made.
  returned: success
  type: dict
  contains:
    total:
      description: All calls.
      type: int
      returned: always
      sample: 6
    reads:
      description: Calls that only read.
      type: int
      returned: always
      sample: 6
    writes:
      description: Calls that may change something.
      type: int
      returned: always
      sample: 0
    by_operation:
      description: The number of calls of each operation.
      type: dict
      returned: always
      sample: {ListObjectVersions: 1, GetObjectLegalHold: 2}
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.canary import Side
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure, Gateway
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.legal_hold import held, meant_versions, set_holds
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.version_listing import ListingFailed
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, End, InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import bucket_address, one_account
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run


def change(module: AnsibleAWSModule, clients: Clients, gateway: Gateway, end: End, account: Account) -> dict:
    """Put or release the holds."""
    params = module.params
    at = bucket_address(end, one_account(account, end), "bucket_object_lock")
    if (gateway.observe([at])[at] or {}).get("ObjectLockEnabled") != "Enabled":
        raise InvalidInput(
            f"bucket '{end.bucket}' in {end.region} has no Object Lock, so no version of it can be held. Declare "
            "`object_lock: true` at that end of the pair, and run the role replication_pair."
        )
    side = Side(end, account.id, clients("s3", end.region, account.id))
    try:
        versions = meant_versions(
            side, params["keys"], params["prefixes"], params["versions"] == "all", params["most_versions"]
        )
    except ListingFailed as error:
        raise AwsFailure(str(error)) from error
    wanted, are_held = params["hold"], held(side, versions)
    others = [version for version, is_held in zip(versions, are_held, strict=True) if is_held is not wanted]
    if others and not module.check_mode:
        set_holds(side, others, wanted)
    names = [{"key": version.key, "version_id": version.version_id} for version in others]
    before, after = ({"legal_hold": names if there else []} for there in (not wanted, wanted))
    return {
        "changed": bool(others),
        "bucket": end.bucket,
        "versions": len(versions),
        "changed_versions": names,
        "diff": [{"before": before, "after": after}] if others else [],
    }


def main() -> None:
    """From parameters to versions, from these to the ones whose hold is not as wished."""
    module = AnsibleAWSModule(
        argument_spec={
            **pair_argument_spec(),
            "end": {"type": "str", "choices": ["primary", "dr"], "default": "dr"},
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "prefixes": {"type": "list", "elements": "str", "default": []},
            "versions": {"type": "str", "choices": ["current", "all"], "default": "current"},
            "hold": {"type": "bool", "default": True},
            "most_versions": {"type": "int", "default": 1000},
        },
        supports_check_mode=True,
    )
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)

    def body() -> dict:
        pair, params = pair_from(module.params), module.params
        if not params["keys"] and not params["prefixes"]:
            raise InvalidInput("Neither `keys` nor `prefixes` are given. Name the versions that are meant.")
        if params["most_versions"] < 1:
            raise InvalidInput(f"most_versions is {params['most_versions']}. Use 1 or more.")
        end = pair.primary if params["end"] == "primary" else pair.dr
        account = clients.accounts_of(pair, credentials_from(params))[end.bucket]
        if not account.ours:
            raise InvalidInput(
                f"bucket '{end.bucket}' belongs to account {account.id}, of which this task has no credentials. Name "
                "some for that end."
            )
        result = change(module, clients, gateway, end, account)
        return {**result, "api_calls": clients.api_calls()}

    run(module, gateway, body)


if __name__ == "__main__":
    main()
