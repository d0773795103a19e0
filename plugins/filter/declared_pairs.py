# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several pairs share, a trail or topics, needs to know of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: declared_pairs
short_description: The pairs that hosts declare
version_added: 0.1.0
description:
  - Gathers what the hosts of a play declare in their variable C(s3_dr_pair), for tasks that run once for all pairs.
  - Hosts without that variable are left out.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
positional: hostvars
options:
  _input:
    description: The names of hosts, for example C(ansible_play_hosts).
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Record who writes to the buckets of all pairs
  crossregion.s3_dr.s3_dr_trail:
    home_region: us-east-1
    log_bucket: example-trail-logs
    pairs: "{{ ansible_play_hosts | crossregion.s3_dr.declared_pairs(hostvars) | map(attribute='trail') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - One mapping a pair, with its C(name), its C(regions), and as C(trail) what M(crossregion.s3_dr.s3_dr_trail) takes
      as an element of O(crossregion.s3_dr.s3_dr_trail#module:pairs).
    - As C(pair) the whole declaration, with the name.
  type: list
  elements: dict
  sample:
    - name: orders
      regions: [us-east-1, us-west-2]
      trail: {name: orders, buckets: [example-orders, example-orders-dr]}
      pair:
        name: orders
        primary: {bucket: example-orders, region: us-east-1}
        dr: {bucket: example-orders-dr, region: us-west-2}
"""


def declared_pairs(hosts: Iterable[str], hostvars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pairs of the hosts that declare one, in the order of the hosts."""
    return [_declared(host, hostvars[host]["s3_dr_pair"]) for host in hosts if "s3_dr_pair" in hostvars[host]]


def _declared(host: str, pair: Mapping[str, Any]) -> dict[str, Any]:
    ends = _ends(pair)
    name = pair.get("name", host)
    return {
        "name": name,
        "regions": list(dict.fromkeys(ends.values())),
        "trail": {"name": name, "buckets": list(ends)},
        "pair": {**pair, "name": name},
    }


def _ends(pair: Mapping[str, Any]) -> dict[str, str]:
    """The Region of each bucket: of both ends, and of the further ones to which rules send replicas."""
    ends = {end["bucket"]: end["region"] for end in (pair["primary"], pair["dr"])}
    for rule in pair.get("rules") or []:
        destination = rule.get("destination") or {}
        if destination.get("bucket"):
            ends.setdefault(destination["bucket"], destination.get("region"))
    return ends


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        """The filter by its name."""
        return {"declared_pairs": declared_pairs}
