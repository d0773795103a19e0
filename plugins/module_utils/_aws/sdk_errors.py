# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The families of errors that the AWS SDK raises, importable where there is no SDK.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
except ImportError:  # AnsibleAWSModule reports it with the way to install it; until then nothing can raise these

    class BotoCoreError(Exception):
        """Stands in for the SDK's error when there is no SDK."""

    class ClientError(Exception):
        """Stands in for the SDK's error when there is no SDK."""

        response: dict[str, Any]

    class ResponseParserError(Exception):
        """Stands in for the SDK's error when there is no SDK."""


__all__ = [
    "DENIED",
    "NO_ANSWER",
    "THROTTLED",
    "BotoCoreError",
    "ClientError",
    "ResponseParserError",
    "error_code",
    "in_short",
]

NO_ANSWER = (BotoCoreError, ResponseParserError)
"""What the SDK raises when there is no answer of AWS, or one that cannot be read, since it broke off."""

DENIED = ("403", "AccessDenied", "AccessDeniedException", "Forbidden", "AuthorizationError", "MethodNotAllowed")
"""The codes by which AWS says that somebody may not."""


THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "500",
    "503",
    "ServiceUnavailable",
    "InternalError",
    "InternalFailure",
    "ServiceFailure",
    "KMSInternalException",
)
"""Answers that any service may give for a while, and gives again after the SDK's own five attempts when it is busy."""


def error_code(error: ClientError) -> str:
    """AWS's code of the error; of an answer without a body the HTTP status."""
    return str(error.response["Error"].get("Code", ""))


def in_short(error: Exception) -> str:
    """The error's first line: the SDK puts all of an answer that it cannot read into the lines after it."""
    return str(error).partition("\n")[0].rstrip(": ")
