# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Multi-Region Access Points in memory. What is begun is done when it has been asked for often enough."""

from __future__ import annotations

from dataclasses import dataclass, field

from .calls import Answer, Service, client_error

HOME = "us-west-2"
ROUTE_REGIONS = ("us-east-1", "us-west-2", "ap-southeast-2", "ap-northeast-1", "eu-west-1")
ACTIVE, PASSIVE = 100, 0


@dataclass
class Point:
    """One access point."""

    details: Answer
    alias: str
    status: str = "CREATING"
    established: str | None = None
    proposed: str | None = None
    routes: dict[str, int] = field(default_factory=dict)
    coming: dict[str, int] | None = None
    """The routes after the change that is under way."""
    asked: int = 0
    """How often its routes were asked for since the change."""


@dataclass
class Operation:
    """One change in the background."""

    name: str
    kind: str
    asked: int = 0
    error: Answer | None = None


class FakeAccessPoints(Service):
    """S3 Control's Multi-Region Access Points of the account."""

    def __init__(self) -> None:
        super().__init__()
        self.points: dict[str, Point] = {}
        self.operations: dict[str, Operation] = {}
        self.looks = 2
        """How often an operation, or the routes after a change, are asked for until it is done."""
        self.failing: Answer | None = None
        """The error with which the next operation fails."""
        self.bucket_regions: dict[str, str] = {}
        """Of buckets that the fake S3 does not have."""

    # --- what is asked of the Region of management ---

    def _managed(self, region: str) -> None:
        if region != HOME:
            raise client_error("PermanentRedirect", "This API operation is only available in us-west-2.")

    def _point(self, params: Answer, region: str) -> Point:
        self._managed(region)
        assert params["AccountId"] == self.account
        name = params.get("Name") or params["Details"]["Name"]
        if name not in self.points:
            raise client_error("NoSuchMultiRegionAccessPoint", "The specified access point does not exist.")
        return self.points[name]

    def _s3control_GetMultiRegionAccessPoint(self, params: Answer, region: str) -> Answer:
        point = self._point(params, region)
        self._go_on(params["Name"])
        return {
            "AccessPoint": {
                "Name": params["Name"],
                "Alias": point.alias,
                "Status": point.status,
                "PublicAccessBlock": point.details["PublicAccessBlock"],
                "Regions": [
                    {"Bucket": one["Bucket"], "Region": self._region_of(one["Bucket"])}
                    | ({"BucketAccountId": one["BucketAccountId"]} if "BucketAccountId" in one else {})
                    for one in point.details["Regions"]
                ],
            }
        }

    def _region_of(self, bucket: str) -> str:
        held = getattr(self, "buckets", {}).get(bucket)
        return held.region if held else self.bucket_regions[bucket]

    def _go_on(self, name: str) -> None:
        """Asking for the access point lets its operations go on, too, for those who have lost the token."""
        for operation in self.operations.values():
            if operation.name == name:
                self._look_at(operation)

    def _s3control_GetMultiRegionAccessPointPolicy(self, params: Answer, region: str) -> Answer:
        point = self._point(params, region)
        states = {"Established": point.established, "Proposed": point.proposed}
        return {"Policy": {state: {"Policy": text} for state, text in states.items() if text}}

    def _s3control_CreateMultiRegionAccessPoint(self, params: Answer, region: str) -> Answer:
        self._managed(region)
        name = params["Details"]["Name"]
        there = self.points.get(name)
        if there and there.status != "PARTIALLY_CREATED":
            return self._begin(name, "Create again", {"Code": "MultiRegionAccessPointAlreadyOwnedByYou"})
        routes = {one["Bucket"]: ACTIVE for one in params["Details"]["Regions"]}
        alias = there.alias if there else f"m{len(self.operations)}abc.mrap"
        self.points[name] = Point(params["Details"], alias, routes=routes)
        return self._begin(name, "Create")

    def _s3control_DeleteMultiRegionAccessPoint(self, params: Answer, region: str) -> Answer:
        self._point(params, region).status = "DELETING"
        return self._begin(params["Details"]["Name"], "Delete")

    def _s3control_PutMultiRegionAccessPointPolicy(self, params: Answer, region: str) -> Answer:
        point = self._point(params, region)
        if point.status != "READY":
            raise client_error("OperationAborted", "A conflicting operation is in progress.")
        point.proposed = params["Details"]["Policy"]
        return self._begin(params["Details"]["Name"], "PutPolicy")

    def _begin(self, name: str, kind: str, error: Answer | None = None) -> Answer:
        token = f"arn:aws:s3:us-west-2:{self.account}:async-request/mrap/{kind.lower()}/{len(self.operations)}"
        self.operations[token] = Operation(name, kind, error=error or self.failing)
        self.failing = None
        return {"RequestTokenARN": token}

    def _s3control_DescribeMultiRegionAccessPointOperation(self, params: Answer, region: str) -> Answer:
        self._managed(region)
        operation = self.operations[params["RequestTokenARN"]]
        done = self._look_at(operation)
        status = "INPROGRESS" if not done else "FAILED" if operation.error else "SUCCEEDED"
        details = {"ErrorDetails": operation.error} if operation.error and done else {}
        kinds = {"PutPolicy": "PutMultiRegionAccessPointPolicy"}
        return {
            "AsyncOperation": {
                "Operation": kinds.get(operation.kind, f"{operation.kind}MultiRegionAccessPoint"),
                "RequestStatus": status,
                "ResponseDetails": details,
            }
        }

    def _look_at(self, operation: Operation) -> bool:
        """Whether it is done."""
        operation.asked += 1
        if operation.asked == self.looks:
            self._end(operation)
        return operation.asked >= self.looks

    def _end(self, operation: Operation) -> None:
        point = self.points[operation.name]
        failed_creation = operation.kind == "Create" and operation.error
        if operation.kind == "Delete" or failed_creation:
            del self.points[operation.name]
        elif operation.kind == "Create":
            point.status = "READY"
        elif operation.kind == "PutPolicy" and not operation.error:
            point.established = point.proposed

    # --- routes ---

    def _routed(self, params: Answer, region: str) -> Point:
        if region not in ROUTE_REGIONS:
            raise client_error("PermanentRedirect", "This API operation is only available in other Regions.")
        assert params["Mrap"].startswith("arn:"), "S3 takes routes by the ARN only"
        for point in self.points.values():
            if params["Mrap"] == f"arn:aws:s3::{self.account}:accesspoint/{point.alias}":
                return point
        raise client_error("NoSuchMultiRegionAccessPoint", "The specified access point does not exist.")

    def _s3control_GetMultiRegionAccessPointRoutes(self, params: Answer, region: str) -> Answer:
        point = self._routed(params, region)
        point.asked += 1
        if point.coming is not None and point.asked >= self.looks:
            point.routes, point.coming = point.coming, None
        return {
            "Mrap": params["Mrap"],
            "Routes": [
                {"Bucket": bucket, "Region": self._region_of(bucket), "TrafficDialPercentage": dial}
                for bucket, dial in point.routes.items()
            ],
        }

    def _s3control_SubmitMultiRegionAccessPointRoutes(self, params: Answer, region: str) -> None:
        point = self._routed(params, region)
        if len(point.routes) == 1:
            raise client_error("MethodNotAllowed", "The specified method is not allowed against this resource.")
        if point.coming is not None:
            raise client_error("OperationAborted", "A conflicting operation is in progress. Try again.")
        wanted = dict(point.routes)
        for update in params["RouteUpdates"]:
            if update["Bucket"] not in wanted or update["TrafficDialPercentage"] not in (ACTIVE, PASSIVE):
                raise client_error("InvalidRequest", "Request invalid")
            wanted[update["Bucket"]] = update["TrafficDialPercentage"]
        if ACTIVE not in wanted.values():
            raise client_error("InvalidRequest", "At least one Region must be active.")
        point.coming, point.asked = wanted, 0
