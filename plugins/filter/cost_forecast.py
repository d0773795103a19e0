# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What pairs cost in a month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.forecast import (
    Extras,
    Forecast,
    price_list_from,
    usage_from,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import complete_pair

DOCUMENTATION = r"""
name: cost_forecast
short_description: What a pair costs in a month, by the item, and what other choices would cost
version_added: 0.1.0
description:
  - An estimate of storage, transfer, requests, replication time control, metrics, alarms, data events, keys and the
    first copy, each with what it rests on.
  - A figure that cannot be known is V(none), and says why; it is not taken for nothing.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
positional: usage, prices
options:
  _input:
    description: The pair, as M(crossregion.s3_dr.s3_replication_pair) takes it.
    type: dict
    required: true
  usage:
    description:
      - By bucket, C(stored_bytes) by storage class, C(objects), C(monthly_bytes), C(monthly_objects) and a C(basis), as
        RV(crossregion.s3_dr.s3_dr_usage_info#module:usage) or as you know it. What is missing is not known.
    type: dict
    required: true
  prices:
    description: Prices in US dollars, in the form of the list in C(roles/forecast/vars/prices.yml) of this collection.
    type: dict
    required: true
  alarms:
    description: Whether the pair has the alarms of P(crossregion.s3_dr.alarms#role).
    type: bool
    default: true
  data_events:
    description: Whether a trail records writes to both buckets.
    type: bool
    default: false
  bucket_keys:
    description: Whether Bucket Keys save requests to KMS.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: What a terabyte with ten million new objects a month costs
  ansible.builtin.debug:
    msg: "{{ s3_dr_pair | crossregion.s3_dr.cost_forecast(usage, forecast_prices) }}"
  vars:
    usage:
      example-orders:
        stored_bytes: {STANDARD: 1099511627776}
        objects: 20000000
        monthly_bytes: 107374182400
        monthly_objects: 10000000
"""

RETURN = r"""
_value:
  description:
    - C(pair); C(usd_month), the sum of what is known; C(items), each with C(item), C(of), C(usd), C(per) month or once,
      C(basis), C(price) and C(price_confirmed); C(unknown) and C(unconfirmed_prices); C(prices_date); C(options), each
      with C(storage_class), C(rtc), C(usd_month) and a C(note); C(text), the same for people, line by line.
  type: dict
"""


def cost_forecast(
    declared: Mapping[str, Any],
    usage: Mapping[str, Any],
    prices: Mapping[str, Any],
    alarms: bool = True,
    data_events: bool = False,
    bucket_keys: bool = False,
) -> dict[str, Any]:
    """The forecast of one pair."""
    try:
        pair = pair_from(complete_pair(declared))
        known = {bucket: usage_from(said, bucket) for bucket, said in usage.items() if said.get("stored_bytes")}
        extras = Extras(alarms, data_events, bucket_keys)
        return Forecast(pair, known, price_list_from(prices), extras).as_result()
    except InvalidInput as error:
        raise AnsibleFilterError(f"cost_forecast: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """By name."""
        return {"cost_forecast": cost_forecast}
