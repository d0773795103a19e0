# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Multi-Region Access Points take their time. MiniStack does everything at once.

AWS takes a minute or two; here it is the replication lag.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import s3

from . import background
from .fitting import corrects, uses
from .queue import queue

uses("services.s3", "delete_mrap(name)", "s3control_error(code, message, status, extra)")

uses("services.s3", "mrap_routes(record)", "resolve_mrap_bucket(alias)", "bucket_region(name)")

Answer = tuple[int, dict[str, str], bytes]
Record = dict[str, Any]
Finish = Callable[[], object]

HOST = re.compile(r"([a-z0-9]+\.mrap)\.accesspoint\.s3-global\.amazonaws\.com(:\d+)?", re.IGNORECASE)
# Where an access point's record in MiniStack keeps its status, and whether a change of its routes is under way.
STATUS = "_local_aws_status"
REROUTING = "_local_aws_rerouting"


@corrects("services.s3", "_mrap_async(op_segment, body, signed_region)")
def take_time(original: Callable[..., Answer], op_segment: str, body: bytes, signed_region: str | None) -> Answer:
    """S3 User Guide, MrapOperations: the answer is a token; the operation goes on and can be asked for by it."""
    policies = {record["Alias"]: record.get("Policy") for record in s3._mraps.values()}
    before = {record["Name"]: record for record in s3._mraps.values()}
    answer = original(op_segment, body, signed_region)
    operation = _operation_of(answer)
    if operation is None or operation["RequestStatus"] != "SUCCEEDED":
        return answer
    name = operation["RequestParameters"]["Name"]
    if op_segment == "create":
        finish = _create(next(record for record in s3._mraps.values() if record["Name"] == name))
    elif op_segment == "delete":
        finish = _delete(before[name])
    else:
        finish = _put_policy(before[name], policies[before[name]["Alias"]])
    _set_progress(operation, "INPROGRESS")
    _later(lambda: (finish(), _set_progress(operation, "SUCCEEDED")))
    return answer


def _operation_of(answer: Answer) -> Record | None:
    """MiniStack's record of the operation that this answer names."""
    token = ElementTree.fromstring(answer[2]).findtext(f"{{{s3.S3CONTROL_NS}}}RequestTokenARN")
    return s3._mrap_operations.get(token) if token else None


def _set_progress(operation: Record, status: str) -> None:
    for part in (operation, *operation["Regions"]):
        part["RequestStatus"] = status


def _create(record: Record) -> Finish:
    record[STATUS] = "CREATING"
    return lambda: record.update({STATUS: "READY"})


def _delete(record: Record) -> Finish:
    record[STATUS] = "DELETING"
    s3._mraps[record["Alias"]] = record
    return lambda: s3.delete_mrap(record["Name"])


def _put_policy(record: Record, established: str | None) -> Finish:
    proposed, record["Policy"] = record["Policy"], established
    return lambda: record.update({"Policy": proposed})


def _later(work: Finish) -> None:
    account, region = get_account_id(), get_region()

    def do() -> None:
        with request_scope(account, region):
            work()

    background.later(queue.default_lag, do)


@corrects("services.s3", "_mrap_report_xml(parent, record, tag)")
def tell_status(original: Callable[..., None], parent: Element, record: Record, tag: str = "AccessPoint") -> None:
    """S3 API, MultiRegionAccessPointReport: CREATING and DELETING while that goes on."""
    original(parent, record, tag)
    status = parent[-1].find("Status")
    if status is not None:
        status.text = record.get(STATUS, "READY")


@corrects("services.s3", "_mrap_submit_routes(record, body)")
def reroute_after_a_while(original: Callable[..., Answer], record: Record, body: bytes) -> Answer:
    """S3 API, SubmitMultiRegionAccessPointRoutes: it takes up to two minutes; MrapFailover: no routes with one Region,
    and no change while another one is under way."""
    if len(record["Regions"]) < 2:
        message = "The specified method is not allowed against this resource."
        return s3.s3control_error("MethodNotAllowed", message, 405)
    if record.get(REROUTING):
        message = "A conflicting operation is in progress against this resource. Try again."
        return s3.s3control_error("OperationAborted", message, 409)
    wanted = dict(record)
    answer = original(wanted, body)
    if answer[0] == 200:
        record[REROUTING] = True
        _later(lambda: record.update({"Routes": wanted["Routes"], REROUTING: False}))
    return answer


def routed_to(host: str) -> tuple[str, str] | None:
    """The bucket and its Region that a request through an access point reaches, or None when the host is none.

    S3 User Guide, MultiRegionAccessPointRequestRouting: the closest active Region. Whether that one is down is not
    looked at: only a change of the routes leads requests elsewhere.
    """
    alias = found[1].lower() if (found := HOST.fullmatch(host)) else ""
    owner = next((account for account, known in s3._mraps._data if known == alias), None)
    if owner is None:
        return None
    with request_scope(owner, ""):
        bucket = s3.resolve_mrap_bucket(alias)
        return (bucket, s3.bucket_region(bucket) or "") if bucket else None
