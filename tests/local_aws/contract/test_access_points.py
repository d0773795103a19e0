# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Multi-Region Access Points: made and removed in the background, failed over by their routes."""

from __future__ import annotations

import contextlib
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from local_aws.contract.batch import control

HOME = "us-west-2"
ROUTE_REGIONS = ["us-east-1", "us-west-2", "ap-southeast-2", "ap-northeast-1", "eu-west-1"]
GONE = "NoSuchMultiRegionAccessPoint"


class AccessPoint:
    """A Multi-Region Access Point of one test."""

    def __init__(self, world, *buckets):
        self.world, self.buckets = world, buckets
        self.account = world.account_id()
        self.client = control(world, HOME)
        self.name = f"contract-{uuid.uuid4().hex[:12]}"
        self.token = self.client.create_multi_region_access_point(
            AccountId=self.account,
            ClientToken=str(uuid.uuid4()),
            Details={"Name": self.name, "Regions": [{"Bucket": bucket} for bucket in buckets]},
        )["RequestTokenARN"]
        world.cleanup.callback(self.remove)

    @property
    def arn(self):
        return f"arn:aws:s3::{self.account}:accesspoint/{self.describe()['Alias']}"

    def describe(self):
        return self.client.get_multi_region_access_point(AccountId=self.account, Name=self.name)["AccessPoint"]

    def operation(self, token):
        return self.client.describe_multi_region_access_point_operation(AccountId=self.account, RequestTokenARN=token)[
            "AsyncOperation"
        ]

    def until_done(self, token):
        return self.world.until(
            lambda: (found := self.operation(token))["RequestStatus"] in ("SUCCEEDED", "FAILED") and found,
            "the operation ended",
        )

    def delete(self):
        return self.client.delete_multi_region_access_point(
            AccountId=self.account, ClientToken=str(uuid.uuid4()), Details={"Name": self.name}
        )["RequestTokenARN"]

    def remove(self):
        with contextlib.suppress(ClientError):
            self.until_done(self.token)
            if self.describe()["Status"] != "DELETING":
                self.until_done(self.delete())

    def route(self, *, region=HOME, by="Bucket", **dials):
        """Set the dials, by bucket or by Region."""
        updates = [{by: name, "TrafficDialPercentage": dial} for name, dial in dials.pop("to").items()]
        control(self.world, region).submit_multi_region_access_point_routes(
            AccountId=self.account, Mrap=self.arn, RouteUpdates=updates
        )

    def routes(self, region=HOME):
        found = control(self.world, region).get_multi_region_access_point_routes(AccountId=self.account, Mrap=self.arn)
        return {route["Bucket"]: route["TrafficDialPercentage"] for route in found["Routes"]}

    def until_routed(self, dials):
        self.world.until(lambda: self.routes() == dials, f"the routes are {dials}")


@pytest.fixture(name="pair")
def pair_fixture(world):
    """An access point for a bucket in each of two Regions, once it is ready."""
    point = AccessPoint(world, world.bucket(), world.bucket(world.dr_region))
    point.until_done(point.token)
    return point


def refusal(call, **request):
    """Error code and HTTP status."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_creation_goes_on_after_the_answer(world):
    """S3 User Guide, MrapOperations: the answer is a token; the access point is CREATING, then READY."""
    buckets = world.bucket(), world.bucket(world.dr_region)
    point = AccessPoint(world, *buckets)
    assert point.operation(point.token)["RequestStatus"] not in ("SUCCEEDED", "FAILED")
    with contextlib.suppress(point.client.exceptions.ClientError):
        assert point.describe()["Status"] == "CREATING"
    done = point.until_done(point.token)
    assert (done["Operation"], done["RequestStatus"]) == ("CreateMultiRegionAccessPoint", "SUCCEEDED")
    found = point.describe()
    assert found["Status"] == "READY"
    assert found["Alias"].endswith(".mrap")
    assert {region["Bucket"]: region["Region"] for region in found["Regions"]} == {
        bucket: world.regions[bucket] for bucket in buckets
    }


def test_removal_goes_on_after_the_answer(pair):
    """S3 User Guide, MrapOperations: DELETING, and then it is gone."""
    token = pair.delete()
    assert pair.operation(token)["RequestStatus"] not in ("SUCCEEDED", "FAILED")
    assert pair.describe()["Status"] == "DELETING"
    assert pair.until_done(token)["RequestStatus"] == "SUCCEEDED"
    assert refusal(pair.describe) == (GONE, 404)


def test_policy_is_established_later(pair):
    """S3 User Guide, MrapOperations: a policy takes effect when its operation has ended."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": pair.account},
        "Action": "s3:GetObject",
        "Resource": f"{pair.arn}/object/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    token = pair.client.put_multi_region_access_point_policy(
        AccountId=pair.account, ClientToken=str(uuid.uuid4()), Details={"Name": pair.name, "Policy": policy}
    )["RequestTokenARN"]
    assert not _established(pair)
    assert pair.until_done(token)["Operation"] == "PutMultiRegionAccessPointPolicy"
    assert json.loads(_established(pair)) == json.loads(policy)


def _established(pair):
    found = pair.client.get_multi_region_access_point_policy(AccountId=pair.account, Name=pair.name)["Policy"]
    return found.get("Established", {}).get("Policy")


def test_listing(pair):
    """S3 API, ListMultiRegionAccessPoints."""
    found = pair.client.list_multi_region_access_points(AccountId=pair.account, MaxResults=1000)["AccessPoints"]
    assert pair.name in {point["Name"] for point in found}


def test_one_bucket_for_a_region(world):
    """S3 User Guide, multiregionaccesspointrestrictions: one bucket for each Region; the operation fails."""
    point = AccessPoint(world, world.bucket(), world.bucket())
    assert point.until_done(point.token)["RequestStatus"] == "FAILED"


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_only_one_region_manages(pair, region):
    """S3 User Guide, multiregionaccesspointrestrictions: all but the routes is asked in us-west-2."""
    elsewhere = control(pair.world, region)
    assert refusal(elsewhere.get_multi_region_access_point, AccountId=pair.account, Name=pair.name)[1] == 301
    create = elsewhere.create_multi_region_access_point
    details = {"Name": "elsewhere", "Regions": [{"Bucket": pair.buckets[0]}]}
    assert refusal(create, AccountId=pair.account, ClientToken="token", Details=details)[1] == 301


def test_bucket_of_an_access_point_stays(pair):
    """S3 User Guide, MultiRegionAccessPoints: it must be deleted before its buckets."""
    bucket = pair.buckets[0]
    assert refusal(pair.world.s3_of(bucket).delete_bucket, Bucket=bucket)[1] in (400, 409)


def test_failover(pair):
    """S3 User Guide, MrapFailover: one Region gets nothing, the other all, a while after the answer."""
    first, second = pair.buckets
    assert pair.routes() == {first: 100, second: 100}
    pair.route(to={first: 0})
    pair.until_routed({first: 0, second: 100})
    pair.route(by="Region", to={pair.world.regions[first]: 100, pair.world.regions[second]: 0})
    pair.until_routed({first: 100, second: 0})


def test_failover_takes_a_while(pair):
    """S3 API, SubmitMultiRegionAccessPointRoutes: up to two minutes; meanwhile no other change (409)."""
    first, second = pair.buckets
    pair.route(to={first: 0})
    assert refusal(pair.route, to={first: 100})[1] == 409
    assert pair.routes() == {first: 100, second: 100}
    pair.until_routed({first: 0, second: 100})


@pytest.mark.parametrize("region", ROUTE_REGIONS)
def test_regions_that_take_routes(pair, region):
    """S3 User Guide, MrapFailover: five Regions take routes."""
    first, second = pair.buckets
    pair.route(region=region, to={first: 0})
    pair.until_routed({first: 0, second: 100})
    assert pair.routes(region) == {first: 0, second: 100}


@pytest.mark.parametrize("region", ["us-east-2", "eu-central-1"])
def test_regions_that_take_no_routes(pair, region):
    """S3 User Guide, MrapFailover: other Regions do not."""
    assert refusal(pair.route, region=region, to={pair.buckets[0]: 0})[1] == 301
    assert refusal(pair.routes, region=region)[1] == 301


@pytest.mark.parametrize("dial", [1, 50, 99, 101])
def test_dial_is_all_or_nothing(pair, dial):
    """S3 API, MultiRegionAccessPointRoute: 0 or 100."""
    assert refusal(pair.route, to={pair.buckets[0]: dial})[1] == 400


def test_one_region_stays_active(pair):
    """S3 API, SubmitMultiRegionAccessPointRoutes: at least one Region must be active at all times."""
    assert refusal(pair.route, to=dict.fromkeys(pair.buckets, 0))[1] == 400
    assert pair.routes() == dict.fromkeys(pair.buckets, 100)


def test_bucket_that_is_not_part_of_it(pair):
    """S3 API, SubmitMultiRegionAccessPointRoutes: only its own buckets."""
    assert refusal(pair.route, to={pair.world.bucket("eu-west-1"): 0})[1] == 400


def test_no_failover_with_one_region(world):
    """S3 User Guide, MrapFailover: 405 for an access point of one Region."""
    point = AccessPoint(world, world.bucket())
    point.until_done(point.token)
    assert refusal(point.route, to={point.buckets[0]: 100})[1] == 405
