#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_report
short_description: Fetch the evidence of scheduled drills, check that nobody changed it, and show all runs
version_added: 0.1.0
description:
  - Copies the evidence of M(crossregion.s3_dr.s3_dr_scheduled_drill) from its bucket into a directory. What is there
    already is not fetched again, and what was fetched of a run that had ended is never replaced.
  - Checks each file against the manifest of its run, and each manifest against that of the run after it, for all pairs
    and the fleet. The task fails if something does not fit.
  - Renders C(index.html) over all runs of all pairs.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return changed status prediction without modifying target.
    details:
      - Says what would be fetched. The chains of what lies in the directory are checked.
  diff_mode:
    support: none
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
  idempotent:
    support: full
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
    details:
      - The page is made anew each time, since it tells ages, and does not count as a change.
options:
  region:
    description: The Region of the evidence bucket, which is the DR Region.
    type: str
    required: true
    aliases: [aws_region]
  evidence_bucket:
    description: The name of the bucket. C({account}) stands for the account's ID and C({region}) for O(region).
    type: str
    default: s3-dr-evidence-{account}-{region}
  dest:
    description: The directory, as an absolute path. It is made if it is not there.
    type: path
    required: true
  pairs:
    description: The pairs to fetch. Without it, all that have evidence, and the evidence of the fleet.
    type: list
    elements: str
    default: []
  fail_on_broken_chain:
    description: Whether the task fails if evidence was changed or removed.
    type: bool
    default: true
notes:
  - Permissions needed are C(s3:ListBucket) and C(s3:GetObject) on the bucket, and C(kms:Decrypt) if a key encrypts it.
seealso:
  - module: crossregion.s3_dr.s3_dr_scheduled_drill
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
  - amazon.aws.common.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: What the auditor gets
  crossregion.s3_dr.s3_dr_report:
    region: us-west-2
    dest: /srv/s3-dr-report
"""

RETURN = r"""
evidence_bucket:
  description: The name of the bucket.
  returned: always
  type: str
  sample: s3-dr-evidence-111122223333-us-west-2
index:
  description: The path of the page.
  returned: outside check mode
  type: str
  sample: /srv/s3-dr-report/index.html
fetched:
  description: The paths of the files that were fetched, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: [pairs/orders/20261124T031500Z/evidence.json]
broken:
  description: Where evidence was changed or removed, one sentence each.
  returned: always
  type: list
  elements: str
  sample: []
pairs:
  description: What the evidence says of each pair.
  returned: always
  type: list
  elements: dict
  contains:
    pair:
      description: The name of the pair.
      type: str
      returned: always
      sample: orders
    verdict:
      description: The verdict of the newest run.
      type: str
      returned: always
      sample: proven
    runs:
      description: How many runs there are.
      type: int
      returned: always
      sample: 30
    not_proven:
      description: How many of them did not prove the pair.
      type: int
      returned: always
      sample: 1
    last_proof:
      description: When it was proven for the last time. None if it never was.
      type: str
      returned: always
      sample: '2026-11-24T03:15:42Z'
    days_since_last_proof:
      description: How long ago that was, in days. None if it never was.
      type: float
      returned: always
      sample: 0.4
notes:
  description: What a person should know, one sentence each.
  returned: always
  type: list
  elements: str
  sample: []
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
      sample: {GetCallerIdentity: 1, ListObjectsV2: 1}
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

from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.evidence_download import Evidence
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.causes import iso
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.checks import Verdict
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.drill_index import PairRuns
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.evidence_bucket import DEFAULT_NAME
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.recovery_bucket import bucket_name
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_report import (
    INDEX,
    fetch,
    flaws,
    pair_runs,
    write_index,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.reconcile import NotProven, run

MOST_NAMED = 5


def told_of(one: PairRuns, now: datetime) -> dict:
    """What the evidence says of a pair."""
    proof, days = one.last_proof(), one.days_since_proof(now)
    return {
        "pair": one.pair,
        "verdict": one.verdict.value,
        "runs": len(one.runs),
        "not_proven": sum(found.verdict is not Verdict.PROVEN for found in one.runs),
        "last_proof": iso(proof) if proof else None,
        "days_since_last_proof": None if days is None else round(days, 3),
    }


def notes_of(strange: list, gone: list) -> list:
    """What is no flaw of the chain, and yet should be known."""
    notes = []
    if strange:
        notes.append(f"The bucket holds {len(strange)} objects that no drill writes, the first is {strange[0]!r}.")
    if gone:
        notes.append(f"{len(gone)} files that were fetched before are no longer in the bucket, the first is {gone[0]}.")
    return notes


def report(params: dict, check_mode: bool, evidence: Evidence, now: datetime) -> dict:
    """Fetch, check, show."""
    root = Path(params["dest"])
    objects, strange = evidence.objects()
    there = sorted({one.path.split("/")[1] for one in objects if one.path.startswith("pairs/")})
    names = params["pairs"] or there
    if missing := sorted(set(names) - set(there)):
        raise InvalidInput(
            f"there is no evidence of {', '.join(missing)} in the bucket. It has {', '.join(there) or 'none'}."
        )
    wanted = [one for one in objects if one.path.split("/")[1] in names or not params["pairs"]]
    fetched = fetch(evidence, wanted, root, check_mode)
    runs = pair_runs(root, names)
    broken = [*fetched.changed, *flaws(root, names, fleet=not params["pairs"])]
    if not check_mode:
        write_index(root, runs, now, broken)
    return {
        "changed": bool(fetched.new),
        "fetched": fetched.new,
        "broken": broken,
        "pairs": [told_of(one, now) for one in runs],
        "notes": notes_of(strange, fetched.gone),
        **({} if check_mode else {"index": str(root / INDEX)}),
    }


def main() -> None:
    """From a bucket to a directory."""
    module = AnsibleAWSModule(
        argument_spec={
            "region": {"type": "str", "required": True, "aliases": ["aws_region"]},
            "evidence_bucket": {"type": "str", "default": DEFAULT_NAME},
            "dest": {"type": "path", "required": True},
            "pairs": {"type": "list", "elements": "str", "default": []},
            "fail_on_broken_chain": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    clients = Clients(module, home_region=params["region"])

    def body() -> dict:
        if not Path(params["dest"]).is_absolute():
            raise InvalidInput(
                f"dest is '{params['dest']}', and modules run in a directory of Ansible's. Write an absolute path."
            )
        account = clients.caller()
        bucket = bucket_name(params["evidence_bucket"], account.id, params["region"])
        client = clients("s3", params["region"], account.id)
        result = report(params, module.check_mode, Evidence(client, bucket, account.id), datetime.now(UTC))
        result |= {"evidence_bucket": bucket, "api_calls": clients.api_calls()}
        for flaw in result["broken"]:
            module.warn(flaw)
        if result["broken"] and params["fail_on_broken_chain"]:
            more = len(result["broken"]) - MOST_NAMED
            said = " ".join([*result["broken"][:MOST_NAMED], *([f"And {more} more."] if more > 0 else [])])
            raise NotProven(f"The evidence in {bucket} was changed: {said}", result)
        return result

    run(module, None, body)


if __name__ == "__main__":
    main()
