#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: s3_dr_fleet_report
short_description: One table and one page over all pairs, worst first
version_added: 0.1.0
description:
  - Takes what M(crossregion.s3_dr.s3_dr_verify) returned for each pair, and makes one table of it, the worst pair
    first.
  - Writes the evidence of the whole run, too, when O(report_dir) is set. It holds a record in JSON, a page, JUnit XML,
    and a manifest with the hashes of these files, of the pairs' manifests, and of the manifest of the run before.
  - Runs on the controller and calls nothing of AWS. It fails on no verdict, so that the table is seen in any case.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return changed status prediction without modifying target.
    details:
      - The table is made. No file is written, and the result says so.
  diff_mode:
    support: none
    description: Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
  idempotent:
    support: full
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled or queried by the module has not changed in a relevant way.
    details:
      - Never indicates a change. Evidence is written to a new directory each time.
options:
  results:
    description: The pairs, in any order.
    type: list
    elements: dict
    required: true
    suboptions:
      pair:
        description: The pair's name.
        type: str
        required: true
      result:
        description:
          - What M(crossregion.s3_dr.s3_dr_verify) returned for it, also when it failed.
          - A pair without it, or whose result has no verdict, is V(unknown).
        type: dict
  report_dir:
    description:
      - The directory for the evidence, the same as that of M(crossregion.s3_dr.s3_dr_verify).
      - Without it, nothing is written.
    type: path
  check_chain:
    description:
      - Also compares every file of every run in O(report_dir), of the fleet and of the pairs in O(results), with its
        manifest, and the manifests with each other. RV(problems) says what was changed or removed since, what was
        removed on purpose too, and which runs have not ended.
      - Without it, only the run of the fleet before this one is looked at. M(crossregion.s3_dr.s3_dr_verify) does the
        same for the run of the pair before.
      - It reads all of the evidence, so it takes the longer the more runs there are.
      - Needs O(report_dir).
    type: bool
    default: false
notes:
  - This module is not in the collection's action group, since it takes no options of AWS.
seealso:
  - module: crossregion.s3_dr.s3_dr_verify
extends_documentation_fragment:
  - crossregion.s3_dr.attributes
"""

EXAMPLES = r"""
- name: All pairs in one table
  crossregion.s3_dr.s3_dr_fleet_report:
    results:
      - pair: orders
        result: "{{ orders_result }}"
      - pair: invoices
        result: "{{ invoices_result }}"
    report_dir: /var/lib/s3-dr
  register: fleet

- name: Show it
  ansible.builtin.debug:
    msg: "{{ fleet.table }}"

- name: Stop unless everything is proven
  ansible.builtin.assert:
    that: fleet.verdict == 'proven'
"""

RETURN = r"""
table:
  description: The pairs as lines of text in columns, the worst first.
  returned: always
  type: list
  elements: str
  sample:
    - 'PAIR      VERDICT  RECOVERY POINT        LAG   AT RISK     WHY'
    - 'orders    at_risk  2026-11-23 14:03:22Z  41 s  3 (1.2 MB)  orders: 3 versions are late.'
    - 'invoices  proven   2026-11-23 14:04:03Z  0 s   0'
verdict:
  description: The worst of all, of which V(broken) is the worst, then V(unknown), V(at_risk), V(proven).
  returned: always
  type: str
  sample: at_risk
counts:
  description: How many pairs have each verdict.
  returned: always
  type: dict
  sample: {broken: 0, unknown: 0, at_risk: 1, proven: 1}
totals:
  description: What is at risk over all pairs, and how far the one is behind that is farthest.
  returned: always
  type: dict
  contains:
    pairs:
      description: How many pairs there are.
      type: int
      returned: always
      sample: 2
    versions_at_risk:
      description: The versions at risk, of the pairs that know theirs.
      type: int
      returned: always
      sample: 3
    bytes_at_risk:
      description: Their size.
      type: int
      returned: always
      sample: 1200000
    worst_rpo_seconds:
      description: How far the recovery point is behind, of the pair where it is farthest. None if no pair knows.
      type: float
      returned: always
      sample: 41
    without_recovery_point:
      description: How many pairs cannot state a recovery point.
      type: int
      returned: always
      sample: 0
evidence:
  description: The directory that the evidence was written to. None if none was.
  returned: always
  type: str
  sample: /var/lib/s3-dr/fleet/20261123T140410Z
manifest_sha256:
  description: The hash of the manifest. Kept elsewhere, it shows whether anybody changed the evidence.
  returned: always
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
problems:
  description:
    - Where the evidence of the run before is not as it was written, one sentence each.
    - With O(check_chain), that of all runs.
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
"""

from datetime import UTC, datetime

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.fleet import (
    counts_of,
    fleet_table,
    result_of,
    rows_of,
    totals_of,
    worst_of,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.evidence_run import (
    check_chains,
    unfinished_notes,
    write_fleet,
)


def report(params: dict, check_mode: bool, now: datetime) -> dict:
    """The table over all pairs, and the evidence of it if that is wished for."""
    results = [result_of(one) for one in params["results"]]
    rows = rows_of(results)
    seen = {
        "changed": False,
        "table": fleet_table(rows),
        "verdict": worst_of(rows).value,
        "counts": counts_of(rows),
        "totals": totals_of(rows),
        "evidence": None,
        "manifest_sha256": None,
        "problems": [],
        "notes": [],
    }
    if not params["report_dir"]:
        return seen
    if check_mode:
        notes = ["No evidence was written, since this is check mode."]
        return {**seen, "problems": _broken(params, results), "notes": notes}
    ended = write_fleet(params["report_dir"], results, now)
    return {
        **seen,
        "evidence": str(ended.directory),
        "manifest_sha256": ended.manifest_sha256,
        "problems": list(dict.fromkeys([*ended.broken, *_broken(params, results)])),
        "notes": unfinished_notes(ended),
    }


def _broken(params: dict, results: list) -> list:
    """What does not fit in the evidence of all runs, if somebody wishes to know."""
    pairs = dict.fromkeys(one["pair"] for one in results)
    return check_chains(params["report_dir"], pairs) if params["check_chain"] else []


def main() -> None:
    """From the results of the pairs to one report."""
    module = AnsibleModule(
        argument_spec={
            "results": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"pair": {"type": "str", "required": True}, "result": {"type": "dict"}},
            },
            "report_dir": {"type": "path"},
            "check_chain": {"type": "bool", "default": False},
        },
        required_if=[("check_chain", True, ("report_dir",))],
        supports_check_mode=True,
    )
    try:
        result = report(module.params, module.check_mode, datetime.now(UTC))
    except InvalidInput as error:
        module.fail_json(msg=str(error))
    for problem in result["problems"]:
        module.warn(problem)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
