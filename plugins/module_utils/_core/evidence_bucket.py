# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The bucket in the DR Region that keeps the evidence of scheduled drills.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .log_bucket import encryption
from .model import Account, Address, Document, End, InvalidInput
from .plan import Observed
from .policies import VERSION, tls_only
from .replication import bucket_address, one_account
from .rules import bucket_arn

DEFAULT_NAME = "s3-dr-evidence-{account}-{region}"
_MODES = ("GOVERNANCE", "COMPLIANCE")
_SID = "S3DrEvidenceTlsOnly"
_ABORT_UPLOADS_DAYS = 7


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long evidence is kept.

    Attributes:
        lock_mode: of Object Lock, by which nobody may remove evidence for so many `lock_days`; None: no lock is set.
        days: after so many, a lifecycle rule removes it; None: never.

    Raises:
        InvalidInput: the choices do not go together.
    """

    lock_mode: str | None = None
    lock_days: int | None = None
    days: int | None = None

    def __post_init__(self) -> None:
        if (self.lock_mode is None) != (self.lock_days is None):
            raise InvalidInput(
                "evidence bucket: Object Lock needs both `mode` and `days`. Add the other, or leave both."
            )
        if self.lock_mode is not None and self.lock_mode not in _MODES:
            raise InvalidInput(
                f"evidence bucket: Object Lock has no mode '{self.lock_mode}', but {' and '.join(_MODES)}."
            )
        for name, days in (("Object Lock's `days`", self.lock_days), ("`evidence_days`", self.days)):
            if days is not None and not 1 <= days <= 36500:
                raise InvalidInput(f"evidence bucket: {name} is {days}. Use 1 to 36500.")
        if self.days is not None and self.lock_days is not None and self.days < self.lock_days:
            raise InvalidInput(
                f"evidence bucket: `evidence_days` is {self.days}, and Object Lock keeps each object {self.lock_days} "
                "days, so the rule could not remove them. Raise it."
            )


def evidence_bucket_wish(
    name: str, region: str, account: Account, keeping: Keeping, observed: Observed | None = None
) -> dict[Address, Document]:
    """The bucket: versioned, encrypted, not public, by TLS only.

    Args:
        observed: what AWS holds. A bucket that has a default encryption keeps it.
    """
    end = End(name, region)
    accounts = one_account(account, end)
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    wish: dict[Address, Document] = {
        bucket_address(end, accounts): {"Region": region},
        bucket_address(end, accounts, "bucket_versioning"): {"Status": "Enabled"},
        bucket_address(end, accounts, "bucket_public_access_block"): dict.fromkeys(closed, True),
        bucket_address(end, accounts, "bucket_lifecycle"): {"Rules": [_rule(keeping)]},
        bucket_address(end, accounts, "bucket_policy"): {
            "Version": VERSION,
            "Statement": [tls_only(_SID, bucket_arn(end, account.partition))],
        },
    }
    at = bucket_address(end, accounts, "bucket_encryption")
    if (observed or {}).get(at) is None:
        wish[at] = encryption(end)
    if keeping.lock_mode:
        wish[bucket_address(end, accounts, "bucket_object_lock")] = _lock(keeping)
    return wish


def _lock(keeping: Keeping) -> Document:
    retention = {"Mode": keeping.lock_mode, "Days": keeping.lock_days}
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}


def _rule(keeping: Keeping) -> Document:
    """Former states of the index go soon; the index is made anew by each run."""
    rule: dict[str, Any] = {
        "ID": "s3-dr evidence",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_UPLOADS_DAYS},
    }
    if keeping.days is not None:
        rule |= {"Expiration": {"Days": keeping.days}, "NoncurrentVersionExpiration": {"NoncurrentDays": keeping.days}}
    return rule
