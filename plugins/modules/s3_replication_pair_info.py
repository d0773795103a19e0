#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_replication_pair_info
short_description: Read a pair of replicating S3 buckets from AWS
version_added: 0.1.0
description:
  - Reads what two buckets have of a pair, whoever made it, and returns it in the words of
    M(crossregion.s3_dr.s3_replication_pair). Given back to that module with RV(state), it changes nothing.
  - Also returns the rules of both buckets that are not the pair's or that its options cannot say, and the times in
    which a direction was paused.
  - Only the names and Regions of the two buckets are needed. With O(rules), only rules with the IDs named there are the
    pair's. Without it, every rule that the options can say is.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return changed status prediction without modifying target.
    details:
      - It only reads, in check mode as in any other.
  diff_mode:
    support: none
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    details:
      - It only reads, so there is no difference to show.
  idempotent:
    support: full
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
    details:
      - Never indicates a change, since it only reads.
notes:
  - What AWS does not tell is returned as declared. That is O(name), O(replication_role.name_template) and the accounts.
    Where a bucket replicates as a role of yours, it is also the KMS keys of its own objects. Credentials are never
    returned.
  - The account of a further destination bucket is known only from a rule that gives replicas to that account. Otherwise
    it is taken to be the source's.
  - The common option O(region) is not used, since each end names its own Region.
seealso:
  - module: crossregion.s3_dr.s3_replication_pair
  - module: crossregion.s3_dr.s3_dr_verify
extends_documentation_fragment:
  - crossregion.s3_dr.pair
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Read what replicates between two buckets
  crossregion.s3_dr.s3_replication_pair_info:
    name: orders
    primary:
      bucket: example-orders
      region: us-east-1
    dr:
      bucket: example-orders-dr
      region: us-west-2
  register: found

- name: Write it down as a declaration
  ansible.builtin.copy:
    content: "{{ [found.pair] | to_nice_yaml }}"
    dest: pairs.yml
    mode: "0644"
  when: found.pair is not none

- name: Change one thing of it and leave the rest
  crossregion.s3_dr.s3_replication_pair:
    name: "{{ found.pair.name }}"
    primary: "{{ found.pair.primary }}"
    dr: "{{ found.pair.dr | combine({'storage_class': 'STANDARD_IA'}) }}"
    direction: "{{ found.pair.direction }}"
    rules: "{{ found.pair.rules }}"
    replication_role: "{{ found.pair.replication_role }}"
    allow_same_region: "{{ found.pair.allow_same_region }}"
    state: "{{ found.state }}"
  when: found.state in ['present', 'paused']
"""

RETURN = r"""
exists:
  description: Whether both buckets exist. One in an account without credentials here is taken to exist.
  returned: success
  type: bool
  sample: true
state:
  description:
    - V(present) means that RV(pair) is whole and replicates, V(paused) that it is whole and all its rules are disabled.
    - V(absent) means that nothing of the pair is there. The buckets may exist.
    - V(partial) means that something of the pair is missing or differs. Given RV(pair),
      M(crossregion.s3_dr.s3_replication_pair) would correct it.
  returned: success
  type: str
  sample: present
pair:
  description:
    - The pair as AWS holds it, in the words of the options and without what is not set.
    - None when no rule replicates from the primary's bucket to the DR bucket.
  returned: success
  type: dict
  sample:
    name: orders
    primary: {bucket: example-orders, region: us-east-1, object_lock: false, more_kms_key_arns: []}
    dr: {bucket: example-orders-dr, region: us-west-2, object_lock: false, more_kms_key_arns: []}
    direction: one_way
    rules:
      - id: s3-dr-orders
        priority: 1
        prefix: ''
        tags: {}
        status: enabled
        delete_markers: false
        observation: metrics
        owner_override: false
    replication_role:
      name_template: s3-dr-{pair}-to-{destination}
      path: /
      tags: {}
      annotations: true
    allow_same_region: false
ends:
  description: What AWS holds of the two buckets, as V(primary) and V(dr).
  returned: success
  type: dict
  contains:
    primary: &end
      description: One end.
      type: dict
      returned: always
      contains:
        bucket:
          description: The bucket's name.
          type: str
          returned: always
          sample: example-orders
        region:
          description: The Region where it is declared to be, which is where it is if it exists.
          type: str
          returned: always
          sample: us-east-1
        account:
          description: The 12-digit ID of its account.
          type: str
          returned: always
          sample: '111122223333'
        exists:
          description: Whether it exists. None if it is in an account without credentials here.
          type: bool
          returned: always
          sample: true
        versioning:
          description: V(Enabled) or V(Suspended). None if it never was enabled or cannot be seen.
          type: str
          returned: always
          sample: Enabled
        object_lock:
          description: Whether it has Object Lock. None if that cannot be seen.
          type: bool
          returned: always
          sample: false
        rules:
          description: The number of its replication rules, whosever they are. None if they cannot be seen.
          type: int
          returned: always
          sample: 1
    dr: *end
foreign_rules:
  description: The replication rules of both buckets that RV(pair) does not say.
  returned: success
  type: list
  elements: dict
  contains:
    bucket:
      description: The bucket of the rule.
      type: str
      returned: always
      sample: example-orders
    rule:
      description: The rule as AWS holds it.
      type: dict
      returned: always
      sample: {ID: logs, Prefix: logs/, Status: Enabled, Destination: {Bucket: 'arn:aws:s3:::example-orders-dr'}}
    reason:
      description: Why it is not among the pair's.
      type: str
      returned: always
      sample: the options of a pair cannot say it
gaps:
  description: The times in which a direction was paused, and that no backfill has closed yet.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: The bucket that did not replicate.
      type: str
      returned: always
      sample: example-orders
    destination:
      description: The bucket that misses objects.
      type: str
      returned: always
      sample: example-orders-dr
    from:
      description: When it began.
      type: str
      returned: always
      sample: '2026-01-01T00:00:00Z'
    until:
      description: When it ended. None while it is paused.
      type: str
      returned: always
      sample: null
api_calls:
  description: How many calls to AWS the task made.
  returned: success
  type: dict
  contains:
    total:
      description: All calls.
      type: int
      returned: always
      sample: 15
    reads:
      description: Calls that only read.
      type: int
      returned: always
      sample: 15
    writes:
      description: Calls that may change something.
      type: int
      returned: always
      sample: 0
    by_operation:
      description: The number of calls of each operation.
      type: dict
      returned: always
      sample: {HeadBucket: 2, GetBucketReplication: 2}
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

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.bucket_region import bucket_region
from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import Gateway, asking
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.constraints import check_accounts
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from, pair_result
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Accounts, Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.plan import Observed
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.reading import further_buckets, pair_as_found
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.replication import (
    check_buckets,
    gaps,
    optional_addresses,
    pair_addresses,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import (
    credentials_from,
    pair_argument_spec,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import run


def regions_of_further_buckets(clients: Clients, pair: Pair, accounts: Accounts, observed: Observed) -> dict[str, str]:
    """The Regions of the buckets to which rules replicate and that the task does not name."""
    regions = {}
    client = clients("s3", pair.primary.region, accounts[pair.primary.bucket].id)
    for bucket in further_buckets(pair, accounts, observed):
        with asking(f"bucket '{bucket}'", "s3:ListBucket"):
            region = bucket_region(client, bucket)
        if region:
            regions[bucket] = region
    return regions


def read(module: AnsibleAWSModule, gateway: Gateway, clients: Clients) -> dict:
    """Look at everything that a pair of these names may have, and say it as a pair."""
    pair = pair_from(module.params)
    accounts = clients.accounts_of(pair, credentials_from(module.params))
    check_accounts(pair, accounts)
    addresses = pair_addresses(pair, accounts)
    observed = gateway.observe(addresses, optional_addresses(addresses))
    check_buckets(pair.ends(), accounts, observed, create=True)
    rule_ids = None if module.params["rules"] is None else [rule.id for rule in pair.rules]
    regions = regions_of_further_buckets(clients, pair, accounts, observed)
    found = pair_as_found(pair, accounts, observed, regions, rule_ids)
    return {
        "changed": False,
        "exists": all(end["exists"] is not False for end in found.ends.values()),
        "state": found.state.value,
        "pair": pair_result(found.pair) if found.pair else None,
        "ends": found.ends,
        "foreign_rules": list(found.foreign_rules),
        "gaps": gaps(found.pair or pair, accounts, observed),
        "api_calls": clients.api_calls(),
    }


def main() -> None:
    """From parameters to a pair's names, from what AWS holds of them to a pair."""
    module = AnsibleAWSModule(argument_spec=pair_argument_spec(), supports_check_mode=True)
    clients = Clients(module, home_region=module.params["primary"]["region"])
    gateway = Gateway(clients)
    run(module, gateway, lambda: read(module, gateway, clients))


if __name__ == "__main__":
    main()
