# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""One client for each service, Region and account, with its calls counted.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .._aws.gateway import AwsFailure, explain_connection
from .._aws.identity import caller
from .._aws.s3control import reach_ip_addresses
from .._aws.sdk_errors import NO_ANSWER, BotoCoreError, ClientError
from .._core.model import GLOBAL, Account, Accounts, End, InvalidInput, Pair

try:
    from boto3.session import Session
    from botocore.config import Config
    from botocore.session import Session as BotocoreSession
except ImportError:
    pass  # AnsibleAWSModule reports it with the way to install it

_READING = ("Get", "Head", "List", "Describe", "Simulate", "Assume")
_SESSION_NAME = "crossregion-s3-dr"

Connection = dict[str, Any]
"""What amazon.aws needs to know beyond the task's own options; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one end. Each `None` means the task's own."""

    profile: str | None = None
    assume_role_arn: str | None = None
    external_id: str | None = None


_TASK = ""
"""The name of the task's own connection; that of an end's is its bucket."""
_NO_KEYS: Connection = {"aws_access_key_id": None, "aws_secret_access_key": None, "aws_session_token": None}


def _config() -> Any:
    return Config(
        retries={"mode": "standard", "max_attempts": 5},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=32,
        user_agent_extra="crossregion.s3_dr",
    )


def _connection_of(keys: Mapping[str, str]) -> Connection:
    """What STS gives for a role."""
    return {
        "profile_name": None,
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


class Clients:
    """Makes each client once and counts what is called. Call it with service, Region and account."""

    def __init__(self, module: AnsibleAWSModule, home_region: str) -> None:
        self._module = module
        self._home_region = home_region
        self._made: dict[tuple[str, str, str], Any] = {}  # by service, Region, and the name of the connection
        self._making = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._begun = time.monotonic()
        self._seconds = 0.0
        self._sessions: dict[str | None, Any] = {}
        self._running = threading.local()
        self._connections: dict[str, Connection] = {_TASK: {}}
        self._connected_by: dict[tuple[str, str], str] = {}

    def __call__(self, service: str, region: str, account: str) -> Any:
        """The client; a service without Regions is asked from the home Region.

        Where two ends of one account have credentials of their own, those of the Region are taken.
        """
        name = self._connected_by.get((account, region), self._connected_by.get((account, GLOBAL), _TASK))
        return self._client(service, region, name)

    def _client(self, service: str, region: str, connection: str) -> Any:
        region = self._home_region if region == GLOBAL else region
        with self._making:
            if (service, region, connection) not in self._made:
                self._made[service, region, connection] = self._make(service, region, self._connections[connection])
            return self._made[service, region, connection]

    def _make(self, service: str, region: str, connection: Connection) -> Any:
        """A client as AnsibleAWSModule.client makes it, but with one session for all clients of a profile.

        A session reads the description of a service once; reading that of S3 takes longer than a call.

        Raises:
            AwsFailure: there is no such profile, or the endpoint is no URL.
        """
        _task_region, endpoint_url, options = get_aws_connection_info(self._module)
        options |= connection
        profile, users_config = options.pop("profile_name", None), options.pop("aws_config", None) or Config()
        try:
            client = self._session(profile).client(
                service, region_name=region, endpoint_url=endpoint_url, config=_config().merge(users_config), **options
            )
        except (BotoCoreError, ValueError) as error:  # no such profile; an endpoint that is no URL
            raise AwsFailure(explain_connection(error)) from error
        client.meta.events.register("before-call", self._count)
        for end in ("after-call", "after-call-error"):
            client.meta.events.register(end, self._time)
        reach_ip_addresses(client)
        return client

    def acting_with(self, service: str, region: str, keys: Mapping[str, str]) -> Any:
        """A client that acts with what STS gave for a role, and with nothing else."""
        with self._making:
            return self._make(service, region, _connection_of(keys))

    def _session(self, profile: str | None) -> Any:
        if profile not in self._sessions:
            session = BotocoreSession()
            # Before 1.40, botocore asks the STS of us-east-1 for several Regions, unless it is told otherwise.
            session.set_config_variable("sts_regional_endpoints", "regional")
            self._sessions[profile] = Session(botocore_session=session, profile_name=profile)
        return self._sessions[profile]

    def accounts_of(self, pair: Pair, credentials: Mapping[str, Credentials]) -> Accounts:
        """Whose each bucket of the pair is, and from now on the clients that reach it.

        An end of another account of which nobody gave credentials is `Account.ours` false.

        Args:
            credentials: those of the buckets that have their own.

        Raises:
            InvalidInput: an end's `account_id` is not the account of its own credentials.
            AwsFailure: credentials are missing or not valid, a role cannot be assumed, or AWS cannot be reached.
        """
        accounts: dict[str, Account] = {}
        without = [end for end in pair.ends() if end.bucket not in credentials]
        if without:
            task = self._caller_meanwhile_making([end.region for end in without])
            self._connected_by[task.id, GLOBAL] = _TASK
            accounts = {end.bucket: task for end in without}
        for end in pair.ends():
            if end.bucket in credentials:
                accounts[end.bucket] = self._sign_in(end, credentials[end.bucket])
        known = {account.id: account for account in accounts.values()}
        for end in without:
            if end.account_id not in (None, task.id):
                accounts[end.bucket] = known.get(end.account_id, Account(end.account_id, task.partition, ours=False))
        return accounts

    def _caller_meanwhile_making(self, regions: Iterable[str]) -> Account:
        """The account of the task's credentials. Making clients takes as long as the call, so both go on at once."""
        sts = self._client("sts", self._home_region, _TASK)
        with ThreadPoolExecutor(max_workers=1) as pool:
            identified = pool.submit(self._identify, sts, "")
            for region in regions:
                self._client("s3", region, _TASK)
            self._client("iam", GLOBAL, _TASK)
            return identified.result()

    def account_of(self, end: End, credentials: Credentials, region: str) -> Account:
        """Whose the end's credentials are, as STS of the given Region tells it. They are used for nothing else.

        Raises:
            AwsFailure: they are not valid, a role cannot be assumed, or AWS cannot be reached.
        """
        return self._connect(End(end.bucket, region, account_id=end.account_id), credentials)[0]

    def _sign_in(self, end: End, credentials: Credentials) -> Account:
        account, connection = self._connect(end, credentials)
        self._connections[end.bucket] = connection
        self._connected_by[account.id, end.region] = end.bucket
        self._connected_by.setdefault((account.id, GLOBAL), end.bucket)
        return account

    def _connect(self, end: End, credentials: Credentials) -> tuple[Account, Connection]:
        connection: Connection = {}
        if credentials.profile:
            connection = {**_NO_KEYS, "profile_name": credentials.profile}
        if credentials.assume_role_arn:
            connection = self._assume(end, credentials, connection)
        try:
            sts = self._make("sts", end.region, connection)
        except AwsFailure as failure:
            raise AwsFailure(f"bucket '{end.bucket}': {failure}") from failure
        account = self._identify(sts, f"bucket '{end.bucket}': ")
        if end.account_id not in (None, account.id):
            raise InvalidInput(
                f"bucket '{end.bucket}': its `account_id` is {end.account_id}, and its credentials are of account "
                f"{account.id}. Correct one of them."
            )
        return account, connection

    def _assume(self, end: End, credentials: Credentials, connection: Connection) -> Connection:
        """The Regional endpoint of STS is asked, so that nothing depends on another Region."""
        external_id = {"ExternalId": credentials.external_id} if credentials.external_id else {}
        role = credentials.assume_role_arn
        try:
            answer = self._make("sts", end.region, connection).assume_role(
                RoleArn=role, RoleSessionName=_SESSION_NAME, **external_id
            )
        except ClientError as error:
            raise AwsFailure(
                f"bucket '{end.bucket}': the role {role} cannot be assumed ({error}). Check its name, that its trust "
                "policy allows these credentials, and `external_id`; and allow them sts:AssumeRole on it."
            ) from error
        except NO_ANSWER as error:
            raise AwsFailure(f"bucket '{end.bucket}': {explain_connection(error)}") from error
        return _connection_of(answer["Credentials"])

    def _count(self, model: Any, **_rest: Any) -> None:
        self._calls[model.name] += 1
        self._running.since = time.monotonic()

    def _time(self, **_rest: Any) -> None:
        """A thread makes one call at a time, so the call that ends is the one that it began last."""
        with self._making:
            self._seconds += time.monotonic() - self._running.since

    def caller(self) -> Account:
        """The account of the task's credentials.

        Raises:
            AwsFailure: there are no credentials, they are not valid, or AWS cannot be reached.
        """
        return self._identify(self("sts", self._home_region, ""), "")

    def _identify(self, sts: Any, whose: str) -> Account:
        try:
            return caller(sts)
        except ClientError as error:
            raise AwsFailure(
                f"{whose}AWS does not accept the credentials ({error}). Renew them, or choose others with AWS_PROFILE "
                "or the option `profile`, then run again."
            ) from error
        except NO_ANSWER as error:
            raise AwsFailure(f"{whose}{explain_connection(error)}") from error

    def api_calls(self) -> dict[str, Any]:
        """How many calls were made: `total`, `reads`, `writes`, `by_operation`; and how long they took.

        `seconds` is the sum of the calls' times, `wall_seconds` the time that has passed: calls run side by side.
        """
        reads = sum(count for name, count in self._calls.items() if name.startswith(_READING))
        total = sum(self._calls.values())
        return {
            "total": total,
            "reads": reads,
            "writes": total - reads,
            "by_operation": dict(sorted(self._calls.items())),
            "seconds": round(self._seconds, 3),
            "wall_seconds": round(time.monotonic() - self._begun, 3),
        }
