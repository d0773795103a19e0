# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""KMS in memory: keys with their policies."""

from __future__ import annotations

from dataclasses import dataclass

from .calls import Answer, client_error
from .iam import FakeIam


@dataclass
class Key:
    """One key; the policy is the JSON text that was put."""

    policy: str
    state: str = "Enabled"
    manager: str = "CUSTOMER"


class FakeKms(FakeIam):
    """KMS of all accounts; keys are known by their ARN. It asks IAM who is named in a policy."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, Key] = {}

    def _key(self, params: Answer, region: str) -> Key:
        _arn, _partition, _service, where, account, _resource = params["KeyId"].split(":", 5)
        if params["KeyId"] not in self.keys or where != region:
            raise client_error("NotFoundException", "Key does not exist")
        if account != self.account:
            raise client_error("AccessDeniedException", "The key belongs to another account")
        return self.keys[params["KeyId"]]

    def _kms_DescribeKey(self, params: Answer, region: str) -> Answer:
        key = self._key(params, region)
        about = {"KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT", "KeyManager": key.manager}
        return {"KeyMetadata": {"KeyId": params["KeyId"], "KeyState": key.state, **about}}

    def _kms_GetKeyPolicy(self, params: Answer, region: str) -> Answer:
        return {"Policy": self._key(params, region).policy}

    def _kms_PutKeyPolicy(self, params: Answer, region: str) -> None:
        if not self.has_principals_of(params["Policy"]):
            raise client_error("MalformedPolicyDocumentException", "Policy contains an invalid principal")
        self._key(params, region).policy = params["Policy"]
