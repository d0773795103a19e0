# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Which operation of which service a request is, under the names boto3 knows them by."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import botocore.exceptions
import botocore.session
from ministack.core import router

from .fitting import uses

uses("core.router", "extract_signed_region(headers, query_params)", "_credential_from_query(query_params)")

Query = dict[str, list[str]]

# Where the name a request is signed for is not the name of the service.
NAMES = {"monitoring": "cloudwatch"}
# One endpoint for all Regions, and where it is. Clients with an endpoint of their own sign for their own Region.
GLOBAL = {"iam": "us-east-1", "cloudfront": "us-east-1", "route53": "us-east-1", "organizations": "us-east-1"}
S3_CONTROL = "/v20180820/"


@dataclass(frozen=True)
class Request:
    """What is needed of an HTTP request."""

    method: str
    path: str
    headers: dict[str, str]
    query: Query
    body: bytes


@dataclass(frozen=True)
class Call:
    """A signed request: who is called, where, and for what. The operation is empty when nobody knows it."""

    service: str
    operation: str
    region: str


@dataclass(frozen=True)
class Route:
    """An operation of a REST service: what its requests have in common."""

    operation: str
    method: str
    path: re.Pattern[str]
    query: tuple[tuple[str, str], ...]  # with these values; an empty value is any
    headers: tuple[str, ...]

    def fits(self, request: Request) -> bool:
        return (
            self.method == request.method
            and self.path.fullmatch(request.path) is not None
            and all(name in request.query and value in ("", request.query[name][0]) for name, value in self.query)
            and all(name in request.headers for name in self.headers)
        )

    @property
    def weight(self) -> int:
        """Of several operations that fit, the one that asks for most is meant: UploadPart is a PutObject, too."""
        return len(self.query) + len(self.headers)


def call_of(request: Request) -> Call | None:
    """None when the request is not signed: it is not for AWS, or a browser's."""
    signed = re.search(r"Credential=([^,\s]+)", request.headers.get("authorization", ""))
    scope = (signed.group(1) if signed else router._credential_from_query(request.query)).split("/")
    region = router.extract_signed_region(request.headers, request.query)
    if len(scope) < 4 or region is None:
        return None
    service = NAMES.get(scope[-2], scope[-2])
    if service == "s3" and request.path.startswith(S3_CONTROL):
        service = "s3control"
    return Call(service, operation_of(service, request), GLOBAL.get(service, region))


def operation_of(service: str, request: Request) -> str:
    """Each protocol has its own place for the name; REST has none, but method, path, query and headers tell."""
    if target := request.headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if smithy := re.search(r"/operation/(\w+)$", request.path):
        return smithy.group(1)
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        form = parse_qs(request.body.decode(errors="replace"))
        if "Action" in form:
            return form["Action"][0]
    if "Action" in request.query:
        return request.query["Action"][0]
    fitting = [route for route in routes(service) if route.fits(request)]
    return max(fitting, key=lambda route: route.weight).operation if fitting else ""


@functools.cache
def routes(service: str) -> tuple[Route, ...]:
    try:
        model = botocore.session.get_session().get_service_model(service)
    except botocore.exceptions.UnknownServiceError:
        return ()
    if not model.protocol.startswith("rest"):
        return ()
    operations = [model.operation_model(name) for name in model.operation_names]
    return tuple(route(operation) for operation in operations if not operation.deprecated)


def route(operation: Any) -> Route:
    path, _mark, literals = operation.http["requestUri"].partition("?")
    needed = list(required(operation.input_shape))
    query = [(name, values[0]) for name, values in parse_qs(literals, keep_blank_values=True).items()]
    query += [(name, "") for location, name in needed if location == "querystring"]
    headers = tuple(name.lower() for location, name in needed if location == "header")
    return Route(operation.name, operation.http["method"], compiled(path), tuple(query), headers)


def required(shape: Any) -> Iterator[tuple[str, str]]:
    """Where each required member of an input is found, and under which name."""
    for name in shape.required_members if shape else ():
        place = shape.members[name].serialization
        yield place.get("location", ""), place.get("name", name)


def compiled(path: str) -> re.Pattern[str]:
    """The pattern of a path; ``{Key+}`` takes slashes, ``{Bucket}`` does not."""
    labels = {"+}": ".+", "}": "[^/]+"}
    parts = re.split(r"(\{[^}]+\})", path)
    return re.compile(
        "".join(
            (labels["+}"] if part.endswith("+}") else labels["}"]) if part.startswith("{") else re.escape(part)
            for part in parts
        )
        + "/?",
        re.DOTALL,
    )
