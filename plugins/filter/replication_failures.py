# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an object did not replicate, from the message that S3 sent."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.events import failures_of
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import InvalidInput

DOCUMENTATION = r"""
name: replication_failures
short_description: The cause and the remedy of S3's failure events
version_added: 0.1.0
description:
  - Reads the events of replication out of a message, with the pair, the object, and the cause and remedy of each.
  - It takes the event of S3 as it is, in the message of SQS, in the envelope of SNS, in what Lambda and Event-Driven
    Ansible make of them, or a list of these, as a value or as JSON.
  - Other events of S3, its test event, and confirmations of SNS are left out.
options:
  _input:
    description: The message.
    type: raw
    required: true
notes:
  - S3 never retries an object that failed. Each remedy says how it replicates after all.
seealso:
  - module: crossregion.s3_dr.s3_replication_events
"""

EXAMPLES = r"""
- name: Say why objects did not replicate
  ansible.builtin.debug:
    msg: "{{ item.key }}: {{ item.cause }} {{ item.remedy }}"
  loop: "{{ message.Body | crossregion.s3_dr.replication_failures }}"
"""

RETURN = r"""
_value:
  description:
    - One mapping an event. C(event) is C(OperationFailedReplication), or, of rules with replication time control,
      C(OperationMissedThreshold), C(OperationReplicatedAfterThreshold) or C(OperationNotTracked).
    - C(pair) is none when the notification is not one of this collection's, C(reason) is AWS's word and empty for an
      event that is no failure, C(version_id) and C(size) are none where S3 does not say them.
  type: list
  elements: dict
  sample:
    - event: OperationFailedReplication
      pair: orders
      bucket: example-orders
      region: us-east-1
      key: in/order 1.json
      version_id: abcdeH0Xp66ep__QDjR76LK7Gc9X4wKO
      size: 520080
      rule: s3-dr-orders
      destination: example-orders-dr
      reason: DstBucketUnversioned
      cause: Versioning is not enabled on the destination bucket.
      remedy: >-
        Set its versioning to Enabled (s3:PutBucketVersioning), then replicate the object by S3 Batch Replication or
        write it again.
      time: '2024-09-05T21:04:32.527Z'
"""


def replication_failures(message: Any) -> list[dict[str, Any]]:
    """The events of replication that a message holds."""
    try:
        return [found.as_result() for found in failures_of(message)]
    except InvalidInput as error:
        raise AnsibleFilterError(f"replication_failures: {error}") from error


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, Any]:
        """The filter by its name."""
        return {"replication_failures": replication_failures}
