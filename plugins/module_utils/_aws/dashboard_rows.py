# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The row of CloudWatch dashboards, and what CloudWatch says of a body that it took.

A dashboard belongs to an account and to no Region. Its document is `{"Body": ...}` with the body as a value, not text.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .._core.model import Address, Document
from .row import Client, Row
from .sdk_errors import ClientError


def _read_dashboard(client: Client, address: Address) -> Document:
    body = client.get_dashboard(DashboardName=address.name)["DashboardBody"]
    return {"Body": json.loads(body)}


def _write_dashboard(client: Client, address: Address, before: Document | None, after: Document) -> None:
    body = json.dumps(after["Body"], separators=(",", ":"))
    try:
        client.put_dashboard(DashboardName=address.name, DashboardBody=body)
    except ClientError as error:
        said = _sentences(error.response)
        if said:
            error.response["Error"]["Message"] = " ".join([error.response["Error"].get("Message", ""), *said])
        raise


def _delete_dashboard(client: Client, address: Address, before: Document) -> None:
    client.delete_dashboards(DashboardNames=[address.name])


def dashboards_named(client: Client, prefix: str) -> list[str]:
    """The names of the account's dashboards that begin so."""
    pages = client.get_paginator("list_dashboards").paginate(DashboardNamePrefix=prefix)
    return [entry["DashboardName"] for page in pages for entry in page.get("DashboardEntries", [])]


def hear_warnings(client: Client, say: Callable[[str], None]) -> None:
    """From now on, hand on what CloudWatch finds odd in a body that it takes nevertheless."""

    def hear(parsed: dict[str, Any], **_rest: Any) -> None:
        if "Error" not in parsed:
            for sentence in _sentences(parsed):
                say(sentence)

    client.meta.events.register("after-call.cloudwatch.PutDashboard", hear)


def _sentences(answer: dict[str, Any]) -> list[str]:
    """CloudWatch's findings, each with the place in the body that it means."""
    found = answer.get("DashboardValidationMessages") or answer.get("dashboardValidationMessages") or []
    return [": ".join(one[key] for key in ("DataPath", "Message") if one.get(key)) for one in found]


ROWS: dict[str, Row] = {
    "cloudwatch_dashboard": Row(
        "cloudwatch",
        _read_dashboard,
        _write_dashboard,
        _delete_dashboard,
        {
            "read": "cloudwatch:GetDashboard",
            "write": "cloudwatch:PutDashboard",
            "remove": "cloudwatch:DeleteDashboards",
        },
        missing=frozenset({"ResourceNotFound", "DashboardNotFoundError"}),
    ),
}
