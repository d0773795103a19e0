# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Results of verifies as the module returns them, and any JSON that may stand in their place."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

WAY = {"source": "example-orders", "destination": "example-orders-dr"}
HOSTILE = "x</code><script>alert('1')</script>&\"'\u202eexe.\u200b\n\x07"
LONG_KEY = "bücher/日本語/עברית/" + "a-very-long-name-without-any-space-" * 8 + "🦊.pdf"

undecodable = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
"""What Python makes of bytes that are not UTF-8."""

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters() | undecodable),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def check(status: str = "passed", area: str = "versions", **changes: str) -> dict[str, Any]:
    """One check."""
    said = {"name": "all versions", "subject": "example-orders -> example-orders-dr", "message": "All are equal."}
    return {"area": area, "status": status, **said, **changes}


def finding(**changes: Any) -> dict[str, Any]:
    """One finding."""
    return {
        "cause": "late",
        **WAY,
        "key": "invoices/2026/11/0001.pdf",
        "version_id": "3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
        "modified": "2026-11-23T14:03:23Z",
        "age_seconds": 41,
        "size": 400_000,
        "delete_marker": False,
        "missing": True,
        "rule": "s3-dr-orders",
        "detail": "",
        "remedy": "Wait.",
        **changes,
    }


def comparison(**changes: Any) -> dict[str, Any]:
    """One whole comparison."""
    return {
        **WAY,
        "source_region": "us-east-1",
        "destination_region": "us-west-2",
        "complete": True,
        "reason": "",
        "began": "2026-11-23T14:04:04Z",
        "seconds": 128.4,
        "source_versions": 1_204_311,
        "source_delete_markers": 5_120,
        "source_bytes": 8_812_345_678_901,
        "destination_versions": 1_204_308,
        "destination_delete_markers": 5_120,
        "destination_bytes": 8_812_344_478_901,
        "matched": 1_209_428,
        "in_flight": 12,
        "canaries": 2,
        "head_requests": 3,
        "max_head_requests": 100_000,
        "unexamined": 0,
        "solved": {"gone": 0, "arrived": 2, "same_content": 0, "not_comparable": 0},
        "causes": {},
        "oldest_arrived": "2025-01-02T03:04:05Z",
        **changes,
    }


def exposure(**changes: Any) -> dict[str, Any]:
    """What `recovery` holds when nothing is at risk."""
    return {
        "recovery_point": "2026-11-23T14:04:04Z",
        "measured_at": "2026-11-23T14:04:04Z",
        "rpo_seconds": 0,
        "rpo_target_seconds": 900,
        "within_target": True,
        "versions_at_risk": 0,
        "bytes_at_risk": 0,
        "oldest_missing": None,
        **changes,
    }


def recovery(**changes: Any) -> dict[str, Any]:
    """`recovery` as a whole, with one rule."""
    rule = {**WAY, "rule": "s3-dr-orders", "prefix": ""}
    return {**exposure(**changes), "rules": [{**rule, **exposure(**changes)}]}


def canary(**changes: Any) -> dict[str, Any]:
    """One canary that arrived."""
    return {
        "rule": "s3-dr-orders",
        **WAY,
        "key": ".s3-dr-canary/6f1c0b9be5d04c6c8ee1c5d5bb9b4a37",
        "version_id": "Jd3dIbrHY3HL4kqtJlcpXroDTDmJ.rmSpX",
        "encryption": "default",
        "status": "replicated",
        "seconds": 3.2,
        "compared": "bytes",
        "reason": None,
        "left_behind": [],
        **changes,
    }


def proven(**changes: Any) -> dict[str, Any]:
    """A result with which nothing is wrong."""
    return {
        "changed": False,
        "pair": "orders",
        "verdict": "proven",
        "problems": [],
        "checks": [
            check(),
            check(area="recovery_point", name="recovery point", message="It is 0 s behind; the target is 15 min."),
            check(area="content", name="content", message="No defect in 300 samples."),
            check(area="canary", name="canary", message="It arrived intact in 3.2 s."),
            check(area="configuration", name="drift", subject="orders", message="AWS holds what the pair declares."),
            check(area="monitoring", name="latency alarm", message="It watches the right metric and can notify."),
            check("skipped", area="readiness", name="CORS", message="Not wished for."),
            check(area="readiness", name="bucket policy", message="Both policies say the same."),
        ],
        "recovery": recovery(),
        "comparisons": [comparison()],
        "causes": {},
        "findings": [],
        "findings_total": 0,
        "findings_file": None,
        "content": {
            "method": "sample",
            "versions": 300,
            "bytes_read": 73_400_320,
            "defects": 0,
            "left_out": 0,
            "statement": "No defect in 300 samples: below 1 % defective with 95 % confidence.",
        },
        "drift": [],
        "canaries": [canary(), canary(encryption="aws:kms", seconds=4.1)],
        "metrics": [{"metric": "ReplicationLatency", "region": "us-west-2", "rule": "r", **WAY, "published": True}],
        "summary": ["orders: proven."],
        "notes": [],
        "api_calls": {"total": 2460, "reads": 2456, "writes": 4, "by_operation": {}, "wall_seconds": 131.2},
        "evidence": None,
        **changes,
    }


def at_risk(**changes: Any) -> dict[str, Any]:
    """A result with three late versions, as in the documentation's sentence."""
    behind = {"recovery_point": "2026-11-23T14:03:22Z", "rpo_seconds": 42, "versions_at_risk": 3}
    behind |= {"bytes_at_risk": 1_200_000, "oldest_missing": finding()}
    said = "example-orders -> example-orders-dr: 3 versions are late. Look at ReplicationLatency."
    return {
        **proven(),
        "verdict": "at_risk",
        "problems": [said],
        "checks": [check("at_risk", message=said), *proven()["checks"][1:]],
        "recovery": recovery(**behind),
        "causes": {"late": {"versions": 3, "bytes": 1_200_000, "unexpected": 3, "excepted": 0}},
        "findings": [finding(), finding(key=LONG_KEY), finding(key=HOSTILE, version_id=HOSTILE)],
        "findings_total": 3,
        **changes,
    }
