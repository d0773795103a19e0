# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From pairs to the body of the dashboard that shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.alarms import AlarmSettings
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboards import (
    RUNBOOK,
    DashboardSettings,
    prices_from,
)
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.dashboards import dashboard_body as compose
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.declaration import pair_from
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Account, InvalidInput, Pair
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.pair_options import pair_argument_spec

DOCUMENTATION = r"""
name: dashboard_body
short_description: The body of a CloudWatch dashboard for replicated buckets
version_added: 0.1.0
description:
  - Composes one dashboard for all pairs and Regions, for M(crossregion.s3_dr.cloudwatch_dashboard).
  - It begins with links and the state of all alarms. Then for each pair and direction come the latency against its
    target, what is pending, what failed and how much is replicated; for each pair the storage of both ends, the errors
    of requests, and an estimate of the cost.
  - Each graph asks the Region in which AWS publishes the metric.
  - A rule without metrics has no graph; the text says so.
author:
  - Contributors to the crossregion.s3_dr project (@crossregion)
positional: account_id
options:
  _input:
    description:
      - The pairs, each with O(crossregion.s3_dr.s3_replication_pair#module:name),
        O(crossregion.s3_dr.s3_replication_pair#module:primary), O(crossregion.s3_dr.s3_replication_pair#module:dr) and
        what else M(crossregion.s3_dr.s3_replication_pair) takes of a pair. Other keys are ignored.
    type: list
    elements: dict
    required: true
  account_id:
    description: The account that holds the alarms, 12 digits.
    type: str
    required: true
  partition:
    description: Its partition.
    type: str
    default: aws
  name:
    description: The name of the dashboard, which its text says.
    type: str
    default: s3-dr
  latency_seconds:
    description: The target for the time that objects take to arrive, in seconds. It is drawn into the latencies.
    type: int
    default: 900
  alarms:
    description:
      - How M(crossregion.s3_dr.s3_replication_alarms) was told to make the alarms, as far as it decides which there
        are, in C(bytes_pending), C(operations_pending) and C(composite). An empty mapping means its defaults.
      - Without it, no alarms are shown.
    type: dict
  request_metrics_filter_id:
    description:
      - The ID of the request metrics configuration of the buckets, the same in all of them. S3 publishes errors of
        requests only with such a configuration, and charges for it.
      - Without it, no errors are shown.
    type: str
  storage_classes:
    description:
      - Storage classes that the buckets hold beside V(STANDARD) and those in the declaration of the pairs, for example
        because lifecycle rules move objects there.
    type: list
    elements: str
    default: []
  prices:
    description:
      - Prices in US dollars, in the form of the list in C(roles/dashboard/vars/prices.yml) of this collection.
      - Without it, no cost is estimated.
    type: dict
  runbook_url:
    description: Where a person reads what to do.
    type: str
    default: https://github.com/crossregion/s3_dr/blob/main/docs/troubleshooting.md
seealso:
  - module: crossregion.s3_dr.cloudwatch_dashboard
"""

EXAMPLES = r"""
- name: A dashboard of two pairs
  crossregion.s3_dr.cloudwatch_dashboard:
    name: s3-dr
    body: "{{ pairs | crossregion.s3_dr.dashboard_body('111122223333', latency_seconds=600, alarms={}) }}"
  vars:
    pairs:
      - name: orders
        primary: {bucket: example-orders, region: us-east-1}
        dr: {bucket: example-orders-dr, region: us-west-2}
      - name: invoices
        primary: {bucket: example-invoices, region: eu-west-1}
        dr: {bucket: example-invoices-dr, region: eu-central-1}
        direction: two_way
"""

RETURN = r"""
_value:
  description: The body.
  type: dict
  contains:
    widgets:
      description: Its widgets, from top to bottom.
      type: list
      elements: dict
"""

_ALARM_CHOICES = ("bytes_pending", "operations_pending", "composite")


def dashboard_body(
    pairs: Iterable[Mapping[str, Any]],
    account_id: str,
    *,
    partition: str = "aws",
    alarms: Mapping[str, Any] | None = None,
    prices: Mapping[str, Any] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """The body of the dashboard of all pairs."""
    wrong = sorted(set(settings) - _SETTINGS)
    if wrong:
        raise AnsibleFilterError(f"dashboard_body: it has no option '{wrong[0]}'. Choose of {', '.join(_SETTINGS)}.")
    try:
        chosen = DashboardSettings(
            name=str(settings.get("name", "s3-dr")),
            alarms=None if alarms is None else _alarms(alarms),
            latency_seconds=int(settings.get("latency_seconds", 900)),
            request_metrics_filter_id=settings.get("request_metrics_filter_id"),
            storage_classes=tuple(map(str, settings.get("storage_classes", ()))),
            prices=prices_from(_plain(prices)) if prices else None,
            runbook_url=str(settings.get("runbook_url", RUNBOOK)),
        )
        return dict(compose([_pair(pair) for pair in pairs], Account(str(account_id), partition), chosen))
    except InvalidInput as error:
        raise AnsibleFilterError(f"dashboard_body: {error}") from error


_SETTINGS = frozenset({"name", "latency_seconds", "request_metrics_filter_id", "storage_classes", "runbook_url"})


def _alarms(choices: Mapping[str, Any]) -> AlarmSettings:
    wrong = sorted(set(choices) - set(_ALARM_CHOICES))
    if wrong:
        raise InvalidInput(f"alarms: there is no choice '{wrong[0]}'. Choose of {', '.join(_ALARM_CHOICES)}.")
    return AlarmSettings("s3-dr-alarms", **{name: _plain(value) for name, value in choices.items()})


def _pair(declared: Mapping[str, Any]) -> Pair:
    """The pair as a module would take it: its options checked, and the defaults filled in."""
    spec = pair_argument_spec()
    checked = ArgumentSpecValidator(spec).validate(
        {name: value for name, value in _plain(declared).items() if name in spec}
    )
    name = declared.get("name", "without a name")
    if checked.error_messages:
        raise AnsibleFilterError(f"dashboard_body: pair '{name}': {' '.join(checked.error_messages)}")
    try:
        return pair_from(checked.validated_parameters)
    except InvalidInput as error:
        said = str(error)
        raise InvalidInput(said if f"'{name}'" in said else f"pair '{name}': {said}") from error


def _plain(value: Any) -> Any:
    """What Ansible templates as it is read, read."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        """The filter by its name."""
        return {"dashboard_body": dashboard_body}
