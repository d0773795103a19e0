# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The operations of Systems Manager that MiniStack does not have; the modules of their subjects say what they do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response

from .fitting import corrects, uses

uses(
    "core.responses",
    "json_response(data, status, content_type)",
    "error_response_json(code, message, status, extra, message_key, content_type)",
)

Answer = tuple[int, dict[str, str], bytes]
Data = dict[str, Any]
Operation = Callable[[Data], Data | None]

_operations: dict[str, Operation] = {}


class Refused(Exception):
    """An answer of AWS: its error code and message."""


def operation(name: str) -> Callable[[Operation], Operation]:
    """Mark what answers an operation; None leaves the answer to MiniStack."""

    def register(function: Operation) -> Operation:
        _operations[name] = function
        return function

    return register


@corrects("services.ssm", "handle_request(method, path, headers, body, query_params)")
async def answer(
    original: Callable[..., Awaitable[Answer]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, Any],
) -> Answer:
    """Systems Manager API: the operations on OpsItems, documents and parameters."""
    function = _operations.get(headers.get("x-amz-target", "").rpartition(".")[2])
    try:
        found = function(json.loads(body)) if function else None
    except Refused as refused:
        code, message = refused.args
        refusal: Answer = error_response_json(code, message, 400)
        return refusal
    if found is None:
        return await original(method, path, headers, body, query_params)
    answer: Answer = json_response(found)
    return answer
