# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Faults on demand, which AWS does not offer: tests break the calls they want to see broken.

GET    /_local_aws/faults    all faults, with how many calls each ``matched`` and how many it ``struck``
POST   /_local_aws/faults    one more, as below
DELETE /_local_aws/faults    none any more

    {"kind": "throttle", "region": "us-west-2", "service": "s3", "operation": "PutObject", "when": "before", "nth": 3}

``kind``: ``down`` (the connection is cut, and replication holds, too), ``reset``, ``timeout`` (no answer for
``seconds``), ``slow`` (an answer after ``seconds``), ``throttle``, ``error``, ``denied``, ``truncate`` (half of the
answer's body, with its status), and ``count``, which only counts. ``region`` is the one a request is signed for, which
is us-east-1 for IAM; ``service`` and ``operation`` (one or a list) have boto3's names; what is left out matches all.
``when`` is ``before`` or ``after`` the operation took effect. ``nth`` strikes one call, ``times`` the next ones,
``probability`` some, always the same ones for the same ``seed``; ``skip`` lets the first ones through, so that a
listing breaks after some pages and stays broken.
``control_plane`` strikes only the writes that depend on us-east-1 wherever they are made: those of IAM and of the
configuration of buckets. With ``down`` it is the outage in which these fail in all Regions and the data plane goes on.
A repetition by the SDK is a call like any other. ``{"kind": "slow", "seconds": 0.05}`` slows every call, of
every service in every Region.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from . import access_points, clock
from .fitting import corrects
from .operations import Call, Request, call_of, operation_of

PATH = "/_local_aws/faults"
# Whitepaper "AWS Fault Isolation Boundaries", global-services: IAM's control plane, and the configuration of buckets.
CONTROL_PLANE_WRITES = {
    "iam": re.compile(r"(?!Get|List|Simulate|Generate)\w+"),
    "s3": re.compile(r"CreateBucket|DeleteBucket|(Put|Delete)(Bucket\w+|PublicAccessBlock)|PutObjectLockConfiguration"),
}
KINDS = ("down", "reset", "timeout", "slow", "throttle", "error", "denied", "truncate", "count")

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass
class Fault:
    kind: str
    region: str | None = None
    service: str | None = None
    operation: list[str] = field(default_factory=list)
    when: str = "before"
    seconds: float = 1.0
    nth: int | None = None
    times: int | None = None
    probability: float | None = None
    skip: int = 0
    control_plane: bool = False
    seed: int = 0
    matched: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def strikes(self, call: Call) -> bool:
        """Whether this call is broken. Each call is asked about once, since asking counts."""
        if not self.matches(call):
            return False
        self.matched += 1
        hit = self.kind != "count" and self._is_chosen()
        self.struck += hit
        return hit

    def matches(self, call: Call) -> bool:
        return (
            self.region in (None, call.region)
            and self.service in (None, call.service)
            and (not self.operation or call.operation in self.operation)
            and (not self.control_plane or is_control_plane_write(call))
        )

    def _is_chosen(self) -> bool:
        number = self.matched - self.skip
        if number <= 0:
            return False
        if self.nth is not None:
            return number == self.nth
        if self.times is not None:
            return number <= self.times
        return self.probability is None or self.chance.random() < self.probability

    def shown(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "chance" and value is not None}


_faults: list[Fault] = []


def is_control_plane_write(call: Call) -> bool:
    """Whether the call needs us-east-1, wherever it is made."""
    writes = CONTROL_PLANE_WRITES.get(call.service)
    return writes is not None and writes.fullmatch(call.operation) is not None


def is_down(region: str) -> bool:
    """Whether S3 in this Region is out of order for everybody, so for S3's own replication as well."""
    return any(
        fault.kind == "down"
        and fault.region in (None, region)
        and fault.service in (None, "s3")
        and not fault.operation
        and fault.nth is fault.times is fault.probability is None
        and not fault.skip
        and not fault.control_plane
        for fault in _faults
    )


def control(method: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer a request to the control path."""
    if method == "DELETE":
        _faults.clear()
    elif method == "POST":
        try:
            _faults.append(fault_from(json.loads(body)))
        except (ValueError, TypeError) as problem:
            return 400, {"error": str(problem)}
    return 200, {"faults": [fault.shown() for fault in _faults]}


def fault_from(wish: dict[str, Any]) -> Fault:
    if not isinstance(wish, dict) or {"matched", "struck"} & wish.keys():
        raise ValueError("expected an object with kind, and what else there is to say")
    operation = wish.get("operation") or []
    fault = Fault(**wish | {"operation": [operation] if isinstance(operation, str) else list(operation)})
    if fault.kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}")
    if fault.when not in ("before", "after"):
        raise ValueError("when is before or after")
    if sum(limit is not None for limit in (fault.nth, fault.times, fault.probability)) > 1:
        raise ValueError("give one of nth, times and probability")
    return fault


@corrects("app", "app(scope, receive, send)")
async def break_calls(
    original: Callable[..., Awaitable[None]], scope: dict[str, Any], receive: Receive, send: Send
) -> None:
    """No fact of AWS: every request passes here, and while there are faults each is looked at."""
    if not _faults or scope["type"] != "http" or scope["path"].startswith("/_"):
        await original(scope, receive, send)
        return
    request = await whole_request(scope, receive)
    call = addressed(request)
    struck = [fault for fault in _faults if call and fault.strikes(call)]
    receive_again = again(request.body, receive)
    if call is None or not struck:
        await original(scope, receive_again, send)
        return
    fate = Fate(call, request, scope, receive, send)
    for fault in (fault for fault in struck if fault.when == "before"):
        if await fate.meets(fault):
            return
    kept: list[Message] = []

    async def keep(message: Message) -> None:
        kept.append(message)

    await original(scope, receive_again, keep)
    for fault in (fault for fault in struck if fault.when == "after"):
        if await fate.meets(fault):
            return
    for message in truncated(kept) if any(fault.kind == "truncate" for fault in struck) else kept:
        await send(message)


def addressed(request: Request) -> Call | None:
    """What is called, and where. Through a Multi-Region Access Point that is the Region it leads to."""
    reached = access_points.routed_to(request.headers.get("host", ""))
    if reached is None:
        return call_of(request)
    bucket, region = reached
    operation = operation_of("s3", replace(request, path=f"/{bucket}{request.path}"))
    return Call("s3", operation, region)


def truncated(messages: list[Message]) -> list[Message]:
    """The answer as a proxy passes it on that lost the rest: complete as HTTP, and its XML or JSON is not."""
    body = b"".join(message.get("body", b"") for message in messages)
    if not body:
        return messages
    start = next(message for message in messages if message["type"] == "http.response.start")
    rest = body[: len(body) // 2]
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    start = {**start, "headers": [*headers, (b"content-length", str(len(rest)).encode())]}
    return [start, {"type": "http.response.body", "body": rest, "more_body": False}]


@dataclass
class Fate:
    """What becomes of one request."""

    call: Call
    request: Request
    scope: dict[str, Any]
    receive: Receive
    send: Send

    async def meets(self, fault: Fault) -> bool:
        """Let it happen. The answer is whether the request has come to its end with it."""
        if fault.kind == "truncate":
            return False  # this is done to the answer
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return False
        if fault.kind in ("down", "reset"):
            await self.cut()
        elif fault.kind == "timeout":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.gone(), fault.seconds)
            await self.cut()
        else:
            await self.refuse(fault.kind)
        return True

    async def gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def cut(self) -> None:
        """Reset the connection: what was sent is lost, and the client gets no answer."""
        # asyncio has no public way from a request to its socket; a contract test notices when this one is gone.
        for transport in list(asyncio.get_running_loop()._transports.values()):  # type: ignore[attr-defined]
            if transport.get_extra_info("peername") == tuple(self.scope["client"]):
                at_once = struct.pack("ii", 1, 0)
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                transport.abort()
        await self.gone()

    async def refuse(self, kind: str) -> None:
        status, content_type, body = refusal(kind, self.call.service, self.request.headers)
        headers = {
            "content-type": content_type,
            "content-length": str(len(body)),
            "x-amzn-requestid": str(uuid.uuid4()),
            "x-amz-request-id": str(uuid.uuid4()),
        }
        if "cbor" in content_type:
            headers["smithy-protocol"] = "rpc-v2-cbor"
        raw = [(name.encode(), value.encode()) for name, value in headers.items()] + [(b"date", clock.date())]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


S3_ANSWERS = {
    "throttle": (503, "SlowDown", "Please reduce your request rate."),
    "error": (500, "InternalError", "We encountered an internal error. Please try again."),
    "denied": (403, "AccessDenied", "Access Denied"),
}
ANSWERS = {
    "throttle": (400, "ThrottlingException", "Rate exceeded"),
    "error": (500, "InternalFailure", "The request processing has failed because of an unknown error."),
    "denied": (403, "AccessDenied", "User is not authorized to perform this action."),
}


def refusal(kind: str, service: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
    """S3 API, ErrorResponses; the common errors of the other services' APIs. Each protocol has its own form."""
    of_s3 = service in ("s3", "s3control")
    status, code, text = (S3_ANSWERS if of_s3 else ANSWERS)[kind]
    error = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
    if service == "s3":
        return status, "application/xml", error.encode()
    if kind == "denied" and (headers.get("x-amz-target") or headers.get("smithy-protocol")):
        status, code = 400, "AccessDeniedException"
    if "cbor" in headers.get("smithy-protocol", ""):
        return status, "application/cbor", cbor({"__type": code, "message": text})
    if headers.get("x-amz-target"):
        return status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": text}).encode()
    return status, "text/xml", f"<ErrorResponse>{error}</ErrorResponse>".encode()


def cbor(texts: dict[str, str]) -> bytes:
    """A map of short texts."""

    def encoded(text: str) -> bytes:
        return bytes([0x78, len(text)]) + text.encode()

    return bytes([0xA0 + len(texts)]) + b"".join(encoded(name) + encoded(text) for name, text in texts.items())


async def whole_request(scope: dict[str, Any], receive: Receive) -> Request:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    return Request(scope["method"], scope["path"], headers, query, body)


def again(body: bytes, receive: Receive) -> Receive:
    """The body that was read, for the next reader."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
