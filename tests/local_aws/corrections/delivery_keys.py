# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The KMS keys of topics and queues, which a service that sends there has to be let use. MiniStack asks no key."""

from __future__ import annotations

from dataclasses import dataclass

from ministack.core.responses import request_scope
from ministack.services import kms

from .fitting import uses
from .role import service_may

uses("services.kms", "_resolve_key(key_id_or_arn)")

ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")
OF_AWS = "alias/aws/"


@dataclass(frozen=True)
class Sending:
    """A message of a service of AWS on its way to an encrypted topic or queue."""

    service: str
    source: str  # the ARN of the alarm, bucket or topic it comes from
    account: str  # and whose that is
    target: str  # the ARN of the topic or queue

    def may_use(self, key: str) -> bool:
        """SNS Developer Guide, sns-key-management: the key's policy must let the service generate data keys and
        decrypt. That of a key of AWS, such as alias/aws/sns, does not, and cannot be changed."""
        kind, region, account = self.target.split(":")[2:5]
        home, owner = key.split(":")[3:5] if key.startswith("arn:") else (region, account)
        if OF_AWS in key:
            return False
        with request_scope(owner, home):
            found = kms._resolve_key(key)
        if found is None or found["KeyState"] != "Enabled":
            return False
        keys = {
            "aws:SourceArn": self.source,
            "aws:SourceAccount": self.account,
            "kms:ViaService": f"{kind}.{region}.amazonaws.com",
            f"kms:EncryptionContext:aws:{kind}:{'topicArn' if kind == 'sns' else 'arn'}": self.target,
        }
        policy = found.get("Policy") or ""
        return all(service_may(self.service, action, found["Arn"], policy, keys) for action in ACTIONS)
