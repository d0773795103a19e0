# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""The completion report of a Batch Replication job: which tasks failed, by their code, with cause and remedy.

Source: S3 User Guide, "Tracking job status and completion reports", "Examples of S3 Batch Operations completion
reports".

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .failure_reasons import reason_of

_LEAST_COLUMNS = 6
"""Bucket, key, version ID, status of the task, error code and HTTP status. A message follows."""
_OF_FAILED = ("failed", "")


class BadReport(ValueError):
    """The report is not one that S3 documents; the message says in what."""


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One CSV file of a report."""

    key: str
    md5: str


def files_of_failed(manifest: bytes) -> list[ReportFile]:
    """The files of a report's manifest.json that may tell of failed tasks.

    Raises:
        BadReport: it is no such manifest.
    """
    try:
        results = json.loads(manifest)["Results"]
        return [
            ReportFile(one["Key"], one["MD5Checksum"])
            for one in results
            if one.get("TaskExecutionStatus", "").lower() in _OF_FAILED
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadReport(f"its manifest cannot be read ({error})") from error


@dataclass(frozen=True, slots=True)
class FailedTask:
    """One line of a report."""

    key: str
    version_id: str
    code: str
    message: str


def failed_task(row: Sequence[str], decoded: Callable[[str], str]) -> FailedTask | None:
    """Of a row of the CSV, which has no header; None: the task did not fail.

    The report's schema names the error code before the HTTP status, and every example of AWS has them the other way
    round. So the one that is a number is the HTTP status.

    Raises:
        BadReport: it has too few columns.
    """
    if len(row) < _LEAST_COLUMNS:
        raise BadReport(f"a line has {len(row)} columns: {','.join(row)[:80]}")
    _bucket, key, version_id, status, first, second, *message = row
    if status.strip().lower() == "succeeded":
        return None
    code, http_status = (second, first) if first.strip().isdigit() else (first, second)
    return FailedTask(decoded(key), version_id, code.strip() or f"HTTP {http_status.strip()}", ",".join(message))


@dataclass(slots=True)
class Failures:
    """Failed tasks, counted by their code; of each code the first ones are kept."""

    most: int
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[FailedTask]] = field(default_factory=dict)

    def add(self, task: FailedTask) -> None:
        """Count one."""
        self.counts[task.code] += 1
        shown = self.examples.setdefault(task.code, [])
        if len(shown) < self.most:
            shown.append(task)

    def as_result(self) -> list[dict[str, Any]]:
        """Plain values, the most frequent code first."""
        return [
            {
                "code": code,
                "tasks": count,
                "cause": reason_of(code).cause,
                "remedy": reason_of(code).remedy,
                "examples": [
                    {"key": task.key, "version_id": task.version_id, "message": task.message}
                    for task in self.examples[code]
                ],
            }
            for code, count in self.counts.most_common()
        ]

    def sentences(self) -> list[str]:
        """One for each code."""
        return [
            f"{count} with {code}, as '{self.examples[code][0].key}': {reason_of(code).cause} {reason_of(code).remedy}"
            for code, count in self.counts.most_common()
        ]
