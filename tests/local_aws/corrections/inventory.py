# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3 Inventory: its configurations, which MiniStack does not keep, and their reports, delivered when a test says so.

POST /_local_aws/inventory   {"bucket": "name", "id": "configuration"}
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ministack.core.responses import get_account_id, request_scope
from ministack.services import s3

from . import inventory_report, shapes
from .fitting import corrects, uses
from .inventory_report import NotDelivered
from .versions import name_of

uses(
    "services.s3",
    "_error(code, message, status, resource, extra, headers)",
    "_no_such_bucket(name)",
    "_qp(params, key, default)",
    "_xml_body(root)",
    "_bucket_owner_account(name)",
    "bucket_region(name)",
)

PATH = "/_local_aws/inventory"
PAGE = 100
Answer = tuple[int, dict[str, str], bytes]

# Per bucket, known by its name and the time of its creation: ID and configuration, as it was sent.
_kept: dict[tuple[str, str], dict[str, bytes]] = {}


@corrects("services.s3", "_dispatch(method, bucket, key, headers, body, query_params)")
def answer_inventory_requests(
    original: Callable[..., Answer],
    method: str,
    bucket: str,
    key: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Answer:
    """S3 API, Put, Get, List and DeleteBucketInventoryConfiguration: what is put stays until it is deleted."""
    if key or not bucket or "inventory" not in query_params:
        return original(method, bucket, key, headers, body, query_params)
    if bucket not in s3._buckets:
        return s3._no_such_bucket(bucket)
    name = s3._qp(query_params, "id")
    if method == "PUT":
        return put(bucket, name, body)
    if method == "GET" and not name:
        return list_all(bucket, s3._qp(query_params, "continuation-token"))
    if name not in configurations(bucket):
        return s3._error("NoSuchConfiguration", "The specified configuration does not exist.", 404, f"/{bucket}")
    if method == "DELETE":
        del configurations(bucket)[name]
        return 204, {}, b""
    return 200, {"Content-Type": "application/xml"}, configurations(bucket)[name]


def configurations(bucket: str) -> dict[str, bytes]:
    return _kept.setdefault((bucket, s3._buckets[bucket]["created"]), {})


def read(body: bytes) -> dict[str, Any]:
    shape = shapes.model("s3").shape_for("InventoryConfiguration")
    configuration = shapes.parse(shape, body)
    shapes.check(shape, configuration)
    return configuration


def put(bucket: str, name: str, body: bytes) -> Answer:
    """S3 User Guide, configure-inventory: the destination is in the same Region as the bucket."""
    try:
        configuration = read(body)
    except shapes.Malformed:
        return s3._error("MalformedXML", s3._MALFORMED_XML, 400, f"/{bucket}")
    if configuration["Id"] != name:
        return s3._error("IdMismatch", "Document ID does not match the specified configuration ID.", 400)
    destination = name_of(configuration["Destination"]["S3BucketDestination"]["Bucket"])
    if region_of(destination) != s3.bucket_region(bucket):
        message = "The inventory's destination must be a bucket of the same Region."
        return s3._error("InvalidS3DestinationBucket", message, 400, f"/{bucket}")
    configurations(bucket)[name] = body
    return 200, {}, b""


def region_of(bucket: str) -> str | None:
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return None
    with request_scope(owner, ""):
        return str(s3.bucket_region(bucket))


def list_all(bucket: str, after: str) -> Answer:
    """S3 API, ListBucketInventoryConfigurations: 100 at a time. The token is the last ID of the page before."""
    names = sorted(name for name in configurations(bucket) if name > after)
    root = Element("ListInventoryConfigurationsResult", xmlns=s3.S3_NS)
    for name in names[:PAGE]:
        root.append(_without_namespace(ElementTree.fromstring(configurations(bucket)[name])))
    SubElement(root, "IsTruncated").text = str(len(names) > PAGE).lower()
    if len(names) > PAGE:
        SubElement(root, "NextContinuationToken").text = names[PAGE - 1]
    return 200, {"Content-Type": "application/xml"}, s3._xml_body(root)


def _without_namespace(element: Element) -> Element:
    for part in element.iter():
        part.tag = part.tag.rpartition("}")[2]
    return element


@corrects("app", "_handle_post_body_shortcuts(method, path, headers, body, query_params, request_id)")
async def answer_control_requests(
    original: Callable[..., Awaitable[Answer | None]], method: str, path: str, *rest: Any
) -> Answer | None:
    """No fact of AWS: it delivers within 48 hours, which is too long for a test."""
    if path != PATH:
        return await original(method, path, *rest)
    try:
        wish = json.loads(rest[1])
        answer = 200, {"manifest": deliver(str(wish["bucket"]), str(wish["id"]))}
    except (ValueError, TypeError, KeyError):
        answer = 400, {"error": 'expected {"bucket": name, "id": configuration}'}
    except NotDelivered as problem:
        answer = 409, {"error": str(problem)}
    return answer[0], {"Content-Type": "application/json"}, json.dumps(answer[1]).encode()


def deliver(bucket: str, name: str) -> str:
    """Deliver the reports of a configuration now. The answer is the key of manifest.json."""
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        raise NotDelivered(f"there is no bucket {bucket}")
    with request_scope(owner, region_of(bucket) or ""):
        if name not in configurations(bucket):
            raise NotDelivered(f"{bucket} has no inventory configuration {name}")
        configuration = read(configurations(bucket)[name])
        if not configuration["IsEnabled"]:
            raise NotDelivered(f"the configuration {name} is disabled")
        return inventory_report.deliver(bucket, get_account_id(), configuration)
