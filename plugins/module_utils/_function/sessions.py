# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The clients of the function: its own role, and the roles that lead to ends of other accounts.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from .._aws.gateway import AwsFailure, explain_connection
from .._aws.row import Client
from .._aws.s3control import reach_ip_addresses
from .._aws.sdk_errors import NO_ANSWER, ClientError
from .._core.model import GLOBAL, Account, InvalidInput, Pair

try:
    from boto3.session import Session
    from botocore.config import Config
except ImportError:
    pass  # the modules import this file for its source alone, and say themselves what is missing

_SESSION_NAME = "s3-dr-scheduled-drill"


def _config() -> Any:
    """Shorter than a playbook's: the function has minutes, and a Region that is down must not take them all."""
    return Config(
        retries={"mode": "standard", "max_attempts": 4},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=32,
        user_agent_extra="crossregion.s3_dr",
    )


class Sessions:
    """Makes each client once. Call it with service, Region and account."""

    def __init__(self, region: str, account: Account) -> None:
        self._region = region
        self._account = account
        self._session = Session()
        self._making = threading.RLock()
        self._made: dict[tuple[str, str, str], Client] = {}
        self._assumed: dict[tuple[str, str], Mapping[str, Any]] = {}
        """The options of the end that leads to an account in a Region."""

    def __call__(self, service: str, region: str, account: str) -> Client:
        """The client; a service without Regions is asked from the function's own.

        Raises:
            AwsFailure: the role that leads to the account cannot be assumed.
        """
        region = self._region if region == GLOBAL else region
        with self._making:
            if (service, region, account) not in self._made:
                self._made[service, region, account] = self._make(service, region, self._keys(region, account))
            return self._made[service, region, account]

    def own(self, service: str) -> Client:
        """A client of the function's own account and Region."""
        return self(service, self._region, self._account.id)

    def accounts_of(self, pair: Pair, options: Mapping[str, Any]) -> dict[str, Account]:
        """Whose each bucket of the pair is, without a call; from now on the roles that reach them are known."""
        accounts = accounts_of(pair, options, self._account)
        for end in ends_with_roles(options):
            self._assumed[accounts[end["bucket"]].id, end["region"]] = end
        return accounts

    def _keys(self, region: str, account: str) -> dict[str, str]:
        """The credentials for an account; none for those that the function has anyway."""
        of_account = [one for (owner, _where), one in self._assumed.items() if owner == account]
        end = self._assumed.get((account, region), next(iter(of_account), None))
        if end is None:
            return {}
        role, external_id = end["assume_role_arn"], end.get("external_id")
        options = {"ExternalId": external_id} if external_id else {}
        try:
            answer = self._make("sts", self._region, {}).assume_role(
                RoleArn=role, RoleSessionName=_SESSION_NAME, **options
            )
        except ClientError as error:
            raise AwsFailure(
                f"bucket '{end['bucket']}': the role {role} cannot be assumed ({error}). Let its trust policy allow "
                "the role of the function, with the right external ID."
            ) from error
        except NO_ANSWER as error:
            raise AwsFailure(f"bucket '{end['bucket']}': {explain_connection(error)}") from error
        keys = answer["Credentials"]
        return {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }

    def _make(self, service: str, region: str, keys: Mapping[str, str]) -> Client:
        client = self._session.client(service, region_name=region, config=_config(), **keys)
        reach_ip_addresses(client)
        return client


def account_of_role(arn: str) -> Account:
    """The account that a role belongs to.

    Raises:
        InvalidInput: it is no ARN of a role.
    """
    parts = arn.split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[4]:
        raise InvalidInput(f"'{arn}' is not the ARN of a role. Write arn:aws:iam::111122223333:role/name.")
    return Account(parts[4], parts[1])


def accounts_of(pair: Pair, options: Mapping[str, Any], own: Account) -> dict[str, Account]:
    """Whose each bucket of a pair is: the ARN of the role that leads to it tells, or what is declared.

    Args:
        options: of the pair.
        own: the function's account.

    Raises:
        InvalidInput: a role is none.
    """
    taken = {end["bucket"]: account_of_role(end["assume_role_arn"]) for end in ends_with_roles(options)}
    reached = {own.id, *(account.id for account in taken.values())}
    accounts = {}
    for end in pair.ends():
        account = taken.get(end.bucket) or Account(end.account_id or own.id, own.partition)
        accounts[end.bucket] = Account(account.id, account.partition, account.id in reached)
    return accounts


def ends_with_roles(options: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The ends of a pair that are reached by a role of their own."""
    rules = options.get("rules") or ()
    ends = [options["primary"], options["dr"], *(rule["destination"] for rule in rules if rule.get("destination"))]
    return [end for end in ends if end.get("assume_role_arn") and end.get("bucket")]
