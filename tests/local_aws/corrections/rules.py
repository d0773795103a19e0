# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Which replication rules apply to an object. Plain functions over the stored configuration."""

from __future__ import annotations

from typing import Any

Rule = dict[str, Any]


def for_object(rules: list[Rule], key: str, tags: dict[str, str], is_kms: bool) -> list[Rule]:
    """The rules that replicate an object version, at most one for each destination.

    S3 User Guide, replication-add-config: rules with different destinations all apply; among rules with the same
    destination the one with the highest priority wins. A rule with tags needs all of them, given with the write.
    """
    candidates = [
        rule for rule in rules if is_enabled(rule) and matches(rule, key, tags) and (not is_kms or selects_kms(rule))
    ]
    return _winners(candidates)


def for_delete_marker(rules: list[Rule], key: str) -> list[Rule]:
    """The rules that replicate a delete marker made at ``key``.

    S3 User Guide, delete-marker-replication: a rule does it only if it says so, and never one with a tag filter.
    A rule of the old schema (no Filter) always does.
    """
    candidates = [rule for rule in rules if is_enabled(rule) and matches(rule, key, tags={})]
    return [rule for rule in _winners(candidates) if replicates_markers(rule)]


def is_enabled(rule: Rule) -> bool:
    return rule.get("Status") == "Enabled"


def matches(rule: Rule, key: str, tags: dict[str, str]) -> bool:
    wanted = tags_of(rule)
    return key.startswith(prefix_of(rule)) and all(tags.get(name) == value for name, value in wanted.items())


def prefix_of(rule: Rule) -> str:
    """The old schema has Prefix in the rule itself, the current one in Filter or in Filter.And."""
    selection = rule.get("Filter") or {}
    return rule.get("Prefix") or selection.get("Prefix") or selection.get("And", {}).get("Prefix") or ""


def tags_of(rule: Rule) -> dict[str, str]:
    selection = rule.get("Filter") or {}
    tags = [selection["Tag"]] if "Tag" in selection else selection.get("And", {}).get("Tags", [])
    return {tag["Key"]: tag["Value"] for tag in tags}


def selects_kms(rule: Rule) -> bool:
    """S3 User Guide, replication-config-for-kms-objects: SSE-KMS objects only where the rule opts in."""
    criteria = rule.get("SourceSelectionCriteria") or {}
    return criteria.get("SseKmsEncryptedObjects", {}).get("Status") == "Enabled"


def replicates_markers(rule: Rule) -> bool:
    return "Filter" not in rule or rule.get("DeleteMarkerReplication", {}).get("Status") == "Enabled"


def has_metrics(rule: Rule) -> bool:
    return (rule.get("Destination", {}).get("Metrics") or {}).get("Status") == "Enabled"


def has_time_control(rule: Rule) -> bool:
    return (rule.get("Destination", {}).get("ReplicationTime") or {}).get("Status") == "Enabled"


def destination_of(rule: Rule) -> str:
    """The name of the destination bucket."""
    return str(rule["Destination"]["Bucket"]).rpartition(":")[2]


def _winners(rules: list[Rule]) -> list[Rule]:
    best: dict[str, Rule] = {}
    for rule in rules:
        rival = best.get(destination_of(rule))
        if rival is None or rule.get("Priority", 0) > rival.get("Priority", 0):
            best[destination_of(rule)] = rule
    return list(best.values())
