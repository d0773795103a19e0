# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Steps as results and diffs: the same values in check mode and in the run.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .kinds import canonical
from .model import Document, Step


def as_results(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """One plain mapping a step: `action`, `kind`, `name`, `region`, `account`, `before`, `after`."""
    return [
        {
            "action": step.action,
            "kind": step.address.kind,
            "name": step.address.name,
            "region": step.address.region,
            "account": step.address.account,
            "before": canonical(step.address.kind, step.before),
            "after": canonical(step.address.kind, step.after),
        }
        for step in steps
    ]


def as_diffs(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """One Ansible diff a step, headed by the address."""
    return [
        {
            "before_header": str(step.address),
            "after_header": str(step.address),
            "before": _side(step, step.before),
            "after": _side(step, step.after),
        }
        for step in steps
    ]


def _side(step: Step, document: Document | None) -> Document | str:
    """Ansible prints a mapping as YAML; a document that does not exist is an empty file."""
    return canonical(step.address.kind, document) or ""
