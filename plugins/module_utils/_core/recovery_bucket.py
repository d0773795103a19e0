# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The recovery bucket of an account and Region: journals of journeys, manifests and reports of S3 Batch Operations.

It is made beforehand, since on the day of a disaster nobody should have to make anything. Sources: S3 User Guide,
"Managing the lifecycle of objects", "Blocking public access to your Amazon S3 storage".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from .log_bucket import encryption
from .model import Account, Address, Document, End, InvalidInput, check_bucket_name
from .plan import Observed
from .policies import VERSION, tls_only
from .replication import bucket_address, bucket_deletion_wish, one_account
from .rules import bucket_arn

DEFAULT_NAME = "s3-dr-{account}-{region}"

JOURNALS = "journal/"
"""What the keys of all journals begin with."""
REPORTS = "batch/reports"
"""The prefix that S3 Batch Operations is given for reports. It adds a slash and a folder for each job."""
MANIFESTS = "batch/manifests"
"""The same for manifests."""

BATCH_DAYS = 90
"""So long S3 Batch Operations itself remembers a job."""
NONCURRENT_DAYS = 30
_ABORT_UPLOADS_DAYS = 7
_TLS_ONLY = "S3DrRecoveryTlsOnly"


def bucket_name(template: str, account_id: str, region: str) -> str:
    """The name of the recovery bucket of an account and Region. A name without placeholders is taken as it is.

    Raises:
        InvalidInput: it is no name of a bucket, or has other placeholders than {account} and {region}.
    """
    name = template.replace("{account}", account_id).replace("{region}", region)
    if "{" in name or "}" in name:
        raise InvalidInput(
            f"recovery bucket '{template}': it takes {{account}} and {{region}} and nothing else in braces. Correct it."
        )
    check_bucket_name(name)
    return name


def recovery_bucket_wish(
    name: str, region: str, account: Account, kms_key_arn: str | None = None, observed: Observed | None = None
) -> dict[Address, Document]:
    """All that a recovery bucket is.

    Args:
        kms_key_arn: encrypts what is written from now on.
        observed: what AWS holds. A bucket that has a default encryption keeps it unless a key is named.

    Raises:
        InvalidInput: the key is none, or of another Region.
    """
    end = End(name, region, kms_key_arn=kms_key_arn)
    accounts = one_account(account, end)
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    wish: dict[Address, Document] = {
        bucket_address(end, accounts): {"Region": region},
        bucket_address(end, accounts, "bucket_versioning"): {"Status": "Enabled"},
        bucket_address(end, accounts, "bucket_public_access_block"): dict.fromkeys(closed, True),
        bucket_address(end, accounts, "bucket_lifecycle"): {"Rules": [_batch_rule(), _journal_rule()]},
        bucket_address(end, accounts, "bucket_policy"): {
            "Version": VERSION,
            "Statement": [tls_only(_TLS_ONLY, bucket_arn(end, account.partition))],
        },
    }
    at = bucket_address(end, accounts, "bucket_encryption")
    if kms_key_arn or (observed or {}).get(at) is None:
        wish[at] = encryption(end)
    return wish


def _batch_rule() -> Document:
    """Reports and manifests go with the jobs that they tell of."""
    return {**_rule("batch", "batch/"), "Expiration": {"Days": BATCH_DAYS}}


def _journal_rule() -> Document:
    """A journal stays, and its former states for a while: a journey that runs writes it every few seconds."""
    return _rule("journal", JOURNALS)


def _rule(what: str, prefix: str) -> dict[str, object]:
    """Below our prefixes only, since somebody may name a bucket that holds other things, too."""
    return {
        "ID": f"s3-dr {what}",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "NoncurrentVersionExpiration": {"NoncurrentDays": NONCURRENT_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_UPLOADS_DAYS},
    }


def recovery_bucket_removal_wish(name: str, region: str, account: Account) -> dict[Address, Document]:
    """The bucket with everything in it."""
    end = End(name, region)
    return bucket_deletion_wish(end, one_account(account, end))
