# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""S3's XML, read and written by botocore's own description of the API."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import botocore.session
from botocore.model import ServiceModel, Shape
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator


class Malformed(Exception):
    """What does not fit the API's description."""


@functools.cache
def model(service: str) -> ServiceModel:
    return botocore.session.Session().get_service_model(service)


def parse(shape: Shape, body: bytes) -> dict[str, Any]:
    """The members of a request's body. Raises Malformed for what the shape does not know or misses."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as problem:
        raise Malformed(str(problem)) from problem
    return dict(read(shape, root))


def check(shape: Shape, members: dict[str, Any]) -> None:
    """Raise Malformed for missing members and for values out of range."""
    report = ParamValidator().validate(members, shape)
    if report.has_errors():
        raise Malformed(report.generate_report())


def read(shape: Shape, element: Element) -> Any:
    if shape.type_name == "structure":
        return _read_structure(shape, element)
    if shape.type_name == "list":
        return [read(shape.member, item) for item in element]
    text = element.text or ""
    if text not in (getattr(shape, "enum", None) or [text]):
        raise Malformed(f"{text!r} is not a {shape.name}")
    try:
        return _SCALARS.get(shape.type_name, str)(text)
    except ValueError as problem:
        raise Malformed(f"{text!r} is not a {shape.name}") from problem


def _read_structure(shape: Shape, element: Element) -> dict[str, Any]:
    names = {_wire_name(name, member): (name, member) for name, member in shape.members.items()}
    found: dict[str, Any] = {}
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if tag not in names:
            raise Malformed(f"{shape.name} has no {tag}")
        name, member = names[tag]
        if member.serialization.get("flattened"):
            found.setdefault(name, []).append(read(member.member, child))
        else:
            found[name] = read(member, child)
    return found


def document(name: str, namespace: str, shape: Shape, members: dict[str, Any]) -> bytes:
    """An answer's body."""
    return ElementTree.tostring(_root(name, namespace, shape, members), encoding="utf-8", xml_declaration=True)


def fragment(name: str, namespace: str, shape: Shape, members: dict[str, Any]) -> bytes:
    """The same as a part of a larger answer."""
    return ElementTree.tostring(_root(name, namespace, shape, members), encoding="utf-8", xml_declaration=False)


def _root(name: str, namespace: str, shape: Shape, members: dict[str, Any]) -> Element:
    root = Element(name, xmlns=namespace)
    _write_structure(root, shape, members)
    return root


def _write(parent: Element, name: str, shape: Shape, value: Any) -> None:
    element = SubElement(parent, name)
    if shape.type_name == "structure":
        _write_structure(element, shape, value)
    elif shape.type_name == "list":
        for item in value:
            _write(element, shape.member.serialization.get("name", "member"), shape.member, item)
    else:
        element.text = _text(value)


def _write_structure(element: Element, shape: Shape, members: dict[str, Any]) -> None:
    for name, member in shape.members.items():
        if members.get(name) is not None:
            _write(element, _wire_name(name, member), member, members[name])


def _wire_name(name: str, member: Shape) -> str:
    return str(member.serialization.get("name", name))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else str(value)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


_SCALARS: dict[str, Any] = {"boolean": _boolean, "integer": int, "long": int, "timestamp": parse_timestamp}
