# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The row of a KMS key's policy. Its name is the key's ARN.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json

from .._core.model import Address, Document
from .row import Client, Eventual, Row, never_removed

_THE_ONLY_NAME = "default"
"""KMS knows no other name of a key policy."""


def _read_policy(client: Client, address: Address) -> Document:
    answer = client.get_key_policy(KeyId=address.name, PolicyName=_THE_ONLY_NAME)
    policy: Document = json.loads(answer["Policy"])
    return policy


def _write_policy(client: Client, address: Address, before: Document | None, after: Document) -> None:
    client.put_key_policy(KeyId=address.name, PolicyName=_THE_ONLY_NAME, Policy=json.dumps(after))


ROWS = {
    "kms_key_policy": Row(
        "kms",
        _read_policy,
        _write_policy,
        never_removed,
        {"read": "kms:GetKeyPolicy", "write": "kms:PutKeyPolicy", "remove": ""},
        missing=frozenset({"NotFoundException"}),
        eventual=(Eventual("MalformedPolicyDocumentException", "principal"),),  # a role made a moment ago
        shared=True,
    ),
}
