# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The clients of a module: of the right account, counted, and able to reach S3 Control at an IP address. No network."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import NoCredentialsError, ProfileNotFound
from botocore.parsers import ResponseParserError

from ansible_collections.crossregion.s3_dr.plugins.module_utils._aws.gateway import AwsFailure
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.model import Accounts, InvalidInput, Rule
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue import clients as glue_clients
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.clients import Clients, Credentials
from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import Call, FakeAws, client_error
from ansible_collections.crossregion.s3_dr.tests.unit.samples import (
    ACCOUNT,
    ARCHIVE,
    DR,
    EAST,
    OTHER,
    PRIMARY,
    WEST,
    a_pair,
)


class Options:
    """What of an AnsibleAWSModule says how AWS is reached: the task's own options."""

    def __init__(self, **params: Any) -> None:
        self.params = {"access_key": "key", "secret_key": "secret", **params}


def clients_of(options: Options) -> Clients:
    """The clients of a task at home in us-east-1. Of an AnsibleAWSModule they need nothing but what Options has."""
    return Clients(cast(Any, options), EAST)


class Sent(Exception):
    """The URL of a request that would go to the network."""


def stop(request: Any, **_rest: Any) -> None:
    """Keep the request from the network."""
    raise Sent(request.url)


def test_s3_control_is_reached_at_an_ip_address() -> None:
    clients = clients_of(Options(endpoint_url="http://127.0.0.1:1234"))
    client = clients("s3control", "us-west-2", ACCOUNT.id)
    client.meta.events.register("before-send", stop)
    with pytest.raises(Sent, match=r"^http://127\.0\.0\.1:1234/v20180820/jobs$"):
        client.list_jobs(AccountId=ACCOUNT.id)
    assert clients.api_calls()["by_operation"] == {"ListJobs": 1}
    assert clients("s3control", "us-west-2", ACCOUNT.id) is client


def test_the_options_of_the_task_reach_the_client() -> None:
    options = Options(endpoint_url="http://127.0.0.1:1234", validate_certs=False, aws_config={"read_timeout": 7})
    client = clients_of(options)("s3", WEST, ACCOUNT.id)
    config = client.meta.config
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:1234", WEST)
    assert (config.read_timeout, config.connect_timeout, config.retries["mode"]) == (7, 10, "standard")
    assert "crossregion.s3_dr" in config.user_agent_extra
    assert client._endpoint.http_session._verify is False


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"profile": "nowhere", "access_key": None, "secret_key": None}, "no usable AWS credentials .*nowhere"),
        ({"endpoint_url": "nowhere"}, "Invalid endpoint: nowhere"),
    ],
)
def test_what_makes_no_client_is_said(params: dict[str, Any], said: str) -> None:
    with pytest.raises(AwsFailure, match=said):
        clients_of(Options(**params))("s3", WEST, ACCOUNT.id)


# --- whose each bucket is ------------------------------------------------------------------------------------


class Module(Options):
    """A task on the fake AWS. Its sessions make clients by the credentials of the connection."""

    def __init__(self, aws: FakeAws) -> None:
        super().__init__(access_key=None, secret_key=None)
        self.aws = aws
        self.made: list[dict[str, Any]] = []
        self.sessions: list[str | None] = []

    def session(self, botocore_session: Any, profile_name: str | None) -> Any:
        """In place of boto3's."""
        self.sessions.append(profile_name)
        return SimpleNamespace(client=partial(self.client, profile_name))

    def client(self, profile: str | None, service: str, region_name: str, **options: Any) -> Any:
        """A client of the account that the credentials belong to; the profile `elsewhere` is of the other one."""
        self.made.append({"service": service, "region": region_name, "profile_name": profile, **options})
        account = PROFILES[profile] if profile else ACCOUNT.id
        if options["aws_access_key_id"]:
            account = options["aws_access_key_id"].removeprefix("key of ")
        return self.aws.client_for(service, region_name, account)


PROFILES = {"here": ACCOUNT.id, "elsewhere": OTHER.id}
OPS = f"arn:aws:iam::{OTHER.id}:role/ops"
ELSEWHERE = Credentials(profile="elsewhere")
ASSUMED = Credentials(assume_role_arn=OPS, external_id="secret")


@pytest.fixture
def module(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Module:
    """A module on the fake AWS, where one role can be assumed by who knows a secret."""
    aws.external_ids[OPS] = "secret"
    made = Module(aws)
    monkeypatch.setattr(glue_clients, "Session", made.session)
    return made


@pytest.fixture
def clients(module: Module) -> Clients:
    """The clients of a task whose home is the primary's Region."""
    return clients_of(module)


def asked(aws: FakeAws) -> list[tuple[str, str, str]]:
    """What was asked of STS: operation, Region, and whose credentials asked."""
    return [(call.operation, call.region, call.account) for call in aws.calls if call.service == "sts"]


def test_without_credentials_of_their_own_all_ends_are_the_tasks_and_sts_is_asked_once(
    aws: FakeAws, clients: Clients
) -> None:
    pair = a_pair(rules=(Rule("r"), Rule("far", 2, destination=ARCHIVE)))
    assert clients.accounts_of(pair, {}) == dict.fromkeys((PRIMARY.bucket, DR.bucket, ARCHIVE.bucket), ACCOUNT)
    assert asked(aws) == [("GetCallerIdentity", EAST, ACCOUNT.id)]


@pytest.mark.parametrize("credentials", [ELSEWHERE, ASSUMED], ids=["profile", "role"])
def test_an_end_with_credentials_of_its_own_is_of_their_account(clients: Clients, credentials: Credentials) -> None:
    assert clients.accounts_of(a_pair(), {DR.bucket: credentials}) == {PRIMARY.bucket: ACCOUNT, DR.bucket: OTHER}


@pytest.mark.parametrize("credentials", [ELSEWHERE, ASSUMED], ids=["profile", "role"])
def test_whose_credentials_are_can_be_asked_of_any_region_and_makes_no_use_of_them(
    aws: FakeAws, clients: Clients, credentials: Credentials
) -> None:
    assert clients.account_of(DR, credentials, "eu-central-1") == OTHER
    assert {call.region for call in aws.calls} == {"eu-central-1"}
    clients("sts", WEST, OTHER.id).get_caller_identity()
    assert asked(aws)[-1] == ("GetCallerIdentity", WEST, ACCOUNT.id)


def test_when_every_end_has_its_own_the_task_needs_none(aws: FakeAws, clients: Clients) -> None:
    both = {PRIMARY.bucket: Credentials(profile="here"), DR.bucket: ELSEWHERE}
    assert clients.accounts_of(a_pair(), both) == {PRIMARY.bucket: ACCOUNT, DR.bucket: OTHER}
    assert asked(aws) == [("GetCallerIdentity", EAST, ACCOUNT.id), ("GetCallerIdentity", WEST, OTHER.id)]


def test_a_role_is_assumed_in_the_region_of_its_end_with_the_external_id(aws: FakeAws, clients: Clients) -> None:
    clients.accounts_of(a_pair(), {DR.bucket: ASSUMED})
    (assumed,) = (call for call in aws.calls if call.operation == "AssumeRole")
    assert assumed.region == WEST
    assert assumed.account == ACCOUNT.id
    assert {name: assumed.params[name] for name in ("RoleArn", "ExternalId")} == {
        "RoleArn": OPS,
        "ExternalId": "secret",
    }


def test_a_role_is_assumed_with_the_profile_of_its_end(aws: FakeAws, clients: Clients) -> None:
    clients.accounts_of(a_pair(), {DR.bucket: replace(ASSUMED, profile="elsewhere")})
    assert ("AssumeRole", WEST, OTHER.id) in asked(aws)


def test_no_external_id_is_sent_where_none_is_given(aws: FakeAws, clients: Clients) -> None:
    aws.external_ids.clear()
    clients.accounts_of(a_pair(), {DR.bucket: Credentials(assume_role_arn=OPS)})
    (assumed,) = (call for call in aws.calls if call.operation == "AssumeRole")
    assert "ExternalId" not in assumed.params


def test_keys_of_the_task_never_stand_beside_a_profile_or_an_assumed_role(module: Module, clients: Clients) -> None:
    """amazon.aws refuses a profile beside keys, and keys beside a profile."""
    both = {PRIMARY.bucket: Credentials(profile="here"), DR.bucket: ASSUMED}
    accounts = clients.accounts_of(a_pair(), both)
    for end in (PRIMARY, DR):
        clients("s3", end.region, accounts[end.bucket].id)
    with_profile, with_role = (made for made in module.made if made["service"] == "s3")
    keys = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    assert [with_profile["profile_name"], *(with_profile[key] for key in keys)] == ["here", None, None, None]
    assert [with_role["profile_name"], *(with_role[key] for key in keys)] == [
        None,
        f"key of {OTHER.id}",
        "secret",
        "token",
    ]


def test_an_end_of_another_account_without_credentials_is_not_ours(clients: Clients) -> None:
    pair = a_pair(dr=replace(DR, account_id=OTHER.id))
    assert clients.accounts_of(pair, {})[DR.bucket] == replace(OTHER, ours=False)


def test_an_end_of_an_account_that_another_end_has_credentials_of_is_ours(clients: Clients) -> None:
    archive = replace(ARCHIVE, account_id=OTHER.id)
    pair = a_pair(rules=(Rule("r"), Rule("far", 2, destination=archive)))
    assert clients.accounts_of(pair, {DR.bucket: ELSEWHERE})[ARCHIVE.bucket] == OTHER


def test_an_account_id_that_is_right_changes_nothing(clients: Clients) -> None:
    pair = a_pair(primary=replace(PRIMARY, account_id=ACCOUNT.id), dr=replace(DR, account_id=OTHER.id))
    assert clients.accounts_of(pair, {DR.bucket: ELSEWHERE}) == {PRIMARY.bucket: ACCOUNT, DR.bucket: OTHER}


def test_credentials_of_another_account_than_the_end_says_are_refused(clients: Clients) -> None:
    pair = a_pair(dr=replace(DR, account_id="999999999999"))
    with pytest.raises(InvalidInput, match=r"'example-orders-dr': its `account_id` is 999999999999, .* account 2222"):
        clients.accounts_of(pair, {DR.bucket: ELSEWHERE})


# --- the clients of an account -------------------------------------------------------------------------------


def caller(clients: Clients, service_region: str, account: str) -> str:
    """Whose credentials a client has."""
    identity: dict[str, str] = clients("sts", service_region, account).get_caller_identity()
    return identity["Account"]


def test_a_client_has_the_credentials_of_its_account_in_every_region(clients: Clients) -> None:
    accounts: Accounts = clients.accounts_of(a_pair(), {DR.bucket: ELSEWHERE})
    for bucket, account in ((PRIMARY.bucket, ACCOUNT), (DR.bucket, OTHER)):
        assert accounts[bucket] == account
        for region in (EAST, WEST, "global", "eu-central-1"):
            assert caller(clients, region, account.id) == account.id


def test_a_service_without_regions_is_asked_from_the_home_region(module: Module, clients: Clients) -> None:
    clients("iam", "global", ACCOUNT.id)
    assert [(made["service"], made["region"]) for made in module.made] == [("iam", EAST)]


def test_of_two_ends_of_one_account_each_has_its_credentials_in_its_region(module: Module, clients: Clients) -> None:
    clients.accounts_of(a_pair(), {DR.bucket: Credentials(profile="here")})
    for region in (EAST, WEST, "global"):
        clients("s3", region, ACCOUNT.id)
    profiles = {made["region"]: made.get("profile_name") for made in module.made if made["service"] == "s3"}
    assert profiles == {EAST: None, WEST: "here"}


def test_a_client_is_made_once_for_each_account(module: Module, clients: Clients) -> None:
    clients.accounts_of(a_pair(), {DR.bucket: ELSEWHERE})
    for account in (ACCOUNT.id, OTHER.id, ACCOUNT.id, OTHER.id):
        clients("s3", EAST, account)
    made = [made["profile_name"] for made in module.made if made["service"] == "s3"]
    assert made == [None, "elsewhere"]


def test_all_clients_of_a_profile_share_one_session(module: Module, clients: Clients) -> None:
    clients.accounts_of(a_pair(), {DR.bucket: ELSEWHERE})
    for region in (EAST, WEST):
        clients("s3", region, ACCOUNT.id)
        clients("s3", region, OTHER.id)
    assert module.sessions == [None, "elsewhere"]


def test_sts_is_asked_in_the_region_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The global endpoint is in us-east-1, and a failover must not need it."""
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    client = clients_of(Options())("sts", WEST, ACCOUNT.id)
    assert client.meta.endpoint_url == f"https://sts.{WEST}.amazonaws.com"


def test_the_calls_of_all_accounts_are_counted(clients: Clients) -> None:
    clients.accounts_of(a_pair(), {DR.bucket: ASSUMED})
    counted = clients.api_calls()
    assert {name: counted[name] for name in ("total", "reads", "writes", "by_operation")} == {
        "total": 3,
        "reads": 3,
        "writes": 0,
        "by_operation": {"AssumeRole": 1, "GetCallerIdentity": 2},
    }


@pytest.mark.parametrize("failing", [False, True])
def test_the_time_of_calls_is_added_up_whether_they_succeed_or_not(
    aws: FakeAws, clients: Clients, *, failing: bool
) -> None:
    def interrupt(call: Call) -> None:
        time.sleep(0.02)
        if failing:
            raise client_error("ExpiredToken", "", call.operation)

    aws.interrupt = interrupt
    for _time in range(2):
        with pytest.raises(AwsFailure) if failing else nullcontext():
            clients.caller()
    took = clients.api_calls()
    assert 0.04 <= took["seconds"] <= took["wall_seconds"]


# --- what fails ----------------------------------------------------------------------------------------------


def test_a_role_that_may_not_be_assumed_is_named_with_its_bucket_and_the_next_step(clients: Clients) -> None:
    with pytest.raises(AwsFailure) as failure:
        clients.accounts_of(a_pair(), {DR.bucket: replace(ASSUMED, external_id="wrong")})
    for part in ("bucket 'example-orders-dr'", OPS, "trust", "`external_id`", "allow them sts:AssumeRole"):
        assert part in str(failure.value)


@pytest.mark.parametrize("operation", ["GetCallerIdentity", "AssumeRole"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), "no usable AWS credentials.*AWS_PROFILE"),
        (ProfileNotFound(profile="elsewhere"), "no usable AWS credentials.*elsewhere"),
        (ResponseParserError("no closing tag"), "the answer broke off.*Run again"),
    ],
)
def test_who_the_credentials_of_an_end_are_cannot_be_told_and_its_bucket_is_named(
    aws: FakeAws, clients: Clients, operation: str, error: Exception, said: str
) -> None:
    def interrupt(call: Call) -> None:
        if call.operation == operation:
            raise error

    aws.interrupt = interrupt
    both = dict.fromkeys((PRIMARY.bucket, DR.bucket), ASSUMED)
    with pytest.raises(AwsFailure, match=f"^bucket 'example-orders': .*{said}"):
        clients.accounts_of(a_pair(), both)


def test_credentials_that_aws_does_not_accept_are_refused_with_the_next_step(aws: FakeAws, clients: Clients) -> None:
    def interrupt(call: Call) -> None:
        raise client_error("ExpiredToken", "The token has expired", call.operation)

    aws.interrupt = interrupt
    with pytest.raises(AwsFailure, match=r"AWS does not accept the credentials .*ExpiredToken.*Renew them, or choose"):
        clients.accounts_of(a_pair(), {})
