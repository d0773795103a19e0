# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One call to the fake AWS, its errors, and what all services share."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

OWNER = "111122223333"
READING = ("Get", "Head", "List", "Describe", "Simulate")

Answer = dict[str, Any]


def client_error(code: str, message: str = "", operation: str = "Anything") -> ClientError:
    """The exception that boto3 raises for an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class Call:
    """One call that reached AWS, with the credentials of an account."""

    service: str
    region: str
    operation: str
    params: dict[str, Any]
    account: str = OWNER

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return not self.operation.startswith(READING)


class Service:
    """What each service knows of the call that it answers."""

    def __init__(self) -> None:
        self._answering = threading.local()

    @property
    def account(self) -> str:
        """Whose credentials the call has that this thread answers."""
        return str(self._answering.account)

    @account.setter
    def account(self, account: str) -> None:
        self._answering.account = account


def tag_map(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
