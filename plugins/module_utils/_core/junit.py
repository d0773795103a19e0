# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""A verify as JUnit XML, which CI systems show: one test suite a pair, one test case a check.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from .checks import Status, Verdict
from .evidence_words import mapping, mappings, number, printable, text, texts, verdict_in

_FAILURES = (Status.AT_RISK.value, Status.BROKEN.value)


def junit(results: Iterable[Mapping[str, Any]]) -> bytes:
    """The results of pairs as one XML document.

    A pair that is not proven has at least one test case that says so, even if its run ended before any check: a CI
    that sees nothing wrong would call it good.
    """
    root = ElementTree.Element("testsuites", {"name": "crossregion.s3_dr"})
    for result in results:
        root.append(_suite(result))
    _add_up(root, list(root))
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(result: Mapping[str, Any]) -> ElementTree.Element:
    pair = printable(text(result, "pair")) or "pair"
    suite = ElementTree.Element("testsuite", {"name": pair})
    suite.extend([_case(check, result) for check in mappings(result, "checks")])
    verdict = verdict_in(result)
    if verdict is not Verdict.PROVEN and not any(case.tag in ("failure", "error") for case in suite.iter()):
        status = Status(verdict.value)
        said = " ".join(texts(result, "problems")) or "The run ended before a verdict."
        suite.append(_case({"area": "verdict", "name": "verdict", "status": status.value, "message": said}, result))
    _count(suite)
    seconds = number(mapping(result, "api_calls"), "wall_seconds")
    if seconds is not None:
        suite.set("time", f"{seconds:.3f}")
    if text(result, "created"):
        suite.set("timestamp", printable(text(result, "created")).removesuffix("Z"))
    return suite


def _case(check: Mapping[str, Any], result: Mapping[str, Any]) -> ElementTree.Element:
    name, subject = printable(text(check, "name")), printable(text(check, "subject"))
    case = ElementTree.Element(
        "testcase", {"classname": printable(text(check, "area")), "name": f"{name}: {subject}" if subject else name}
    )
    seconds = _seconds(check, result)
    if seconds is not None:
        case.set("time", f"{seconds:.3f}")
    status, message = text(check, "status"), printable(text(check, "message"))
    if status in _FAILURES:
        _add(case, "failure", status, message)
    elif status == Status.SKIPPED.value:
        ElementTree.SubElement(case, "skipped", {"message": message})
    elif status == Status.WARNING.value:
        ElementTree.SubElement(case, "system-out").text = f"Warning: {message}"
    elif status != Status.PASSED.value:
        _add(case, "error", Status.UNKNOWN.value, message)
    return case


def _add(case: ElementTree.Element, tag: str, kind: str, message: str) -> None:
    ElementTree.SubElement(case, tag, {"type": kind, "message": message}).text = message


def _seconds(check: Mapping[str, Any], result: Mapping[str, Any]) -> float | None:
    """How long the slowest canary took of those that the check is about."""
    if text(check, "area") != "canary":
        return None
    subject = text(check, "subject")
    flown = [
        canary
        for canary in mappings(result, "canaries")
        if f"{text(canary, 'source')} -> {text(canary, 'destination')}" in subject or text(canary, "rule") == subject
    ]
    for name in ("rule", "encryption"):
        named = [canary for canary in flown if text(canary, name) and text(canary, name) in subject]
        flown = named or flown
    found = [number(canary, "seconds") for canary in flown]
    return max((seconds for seconds in found if seconds is not None), default=None)


def _count(suite: ElementTree.Element) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))


def _add_up(root: ElementTree.Element, suites: list[ElementTree.Element]) -> None:
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
