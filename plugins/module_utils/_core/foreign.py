# SPDX-License-Identifier: BSD-2-Clause
# Copyright: Contributors to the crossregion.s3_dr project
"""Rules of a source bucket that are not the pair's, and where they and the pair's stand in each other's way.

Source: S3 User Guide, "Replication configuration file elements": every rule that matches an object applies, but of
those with the same destination bucket only the one with the highest priority.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

from .model import Accounts, Document, Pair
from .plan import Observed
from .replication import foreign_rules
from .rules import rule_document


def rules_beside(pair: Pair, accounts: Accounts, observed: Observed) -> list[dict[str, Any]]:
    """The rules of the pair's source buckets that are not the pair's: each with `bucket` and `rule`."""
    return [
        {"bucket": link.source.bucket, "rule": rule}
        for link in pair.links()
        for rule in foreign_rules(link, accounts, observed)
    ]


def warnings_about(pair: Pair, accounts: Accounts, observed: Observed) -> list[str]:
    """One sentence for each foreign rule that keeps a rule of the pair from applying, or that one of ours supersedes.

    Only enabled rules with the same destination bucket and an object in common are in each other's way.
    """
    said = []
    for link in pair.links():
        ours = [rule_document(rule, link, accounts) for rule in link.rules]
        for foreign in foreign_rules(link, accounts, observed):
            said += [_warning(link.source.bucket, foreign, own) for own in ours if _compete(foreign, own)]
    return said


def _compete(foreign: Document, own: Document) -> bool:
    """S3 refuses two rules of one priority, and so does the plan: that is no matter of a warning."""
    return (
        foreign["Status"] == own["Status"] == "Enabled"
        and foreign["Destination"]["Bucket"] == own["Destination"]["Bucket"]
        and _priority(foreign) != _priority(own)
        and overlaps(filter_of(foreign), filter_of(own))
    )


def _warning(bucket: str, foreign: Document, own: Document) -> str:
    theirs, mine = f"'{foreign['ID']}' (priority {_priority(foreign)})", f"'{own['ID']}' (priority {_priority(own)})"
    both = f"bucket '{bucket}': the rule {theirs}, which is not this pair's,"
    target = own["Destination"]["Bucket"].rsplit(":", 1)[1]
    if _priority(own) > _priority(foreign):
        return (
            f"{both} doubles the pair's rule {mine}, which supersedes it for {_common(foreign, own)}: its settings do "
            f"not apply to their replicas in '{target}'; remove it, or set `purge_rules: true`."
        )
    if covers(filter_of(foreign), filter_of(own)):
        effect = f"shadows the pair's rule {mine}, which never applies, since both replicate to '{target}'"
    else:
        effect = (
            f"partly shadows the pair's rule {mine}, which does not apply to {_common(foreign, own)}, since both "
            f"replicate to '{target}'"
        )
    return (
        f"{both} {effect}: give '{own['ID']}' a `priority` above {_priority(foreign)}, lower the other's or remove it, "
        "or set `purge_rules: true`."
    )


def _priority(rule: Document) -> int:
    """A rule of the old schema has none, and gives way to any."""
    return int(rule.get("Priority", 0))


def _common(one: Document, other: Document) -> str:
    """The objects that both rules match, in words."""
    (prefix, tags), (other_prefix, other_tags) = selected_by(filter_of(one)), selected_by(filter_of(other))
    prefix = max(prefix, other_prefix, key=len)
    words = [f"keys that begin with '{prefix}'"] if prefix else []
    words += [f"the tag {key}={value}" for key, value in sorted({**tags, **other_tags}.items())]
    return f"objects with {' and '.join(words)}" if words else "all objects"


# --- filters -------------------------------------------------------------------------------------------------


def filter_of(rule: Document) -> Document:
    """What a rule selects by; a rule of the old schema has its prefix beside the other fields."""
    found: Document = rule["Filter"] if "Filter" in rule else {"Prefix": rule.get("Prefix", "")}
    return found


def selected_by(rule_filter: Document) -> tuple[str, dict[str, str]]:
    """The prefix and the tags that an object must have; S3's filter is {}, Prefix, Tag, or And of Prefix and Tags."""
    parts = rule_filter.get("And", rule_filter)
    tags = [*parts.get("Tags", []), *([parts["Tag"]] if "Tag" in parts else [])]
    return parts.get("Prefix", ""), {tag["Key"]: tag["Value"] for tag in tags}


def covers(wide: Document, narrow: Document) -> bool:
    """Whether every object that the second filter matches is matched by the first."""
    (prefix, tags), (longer_prefix, more_tags) = selected_by(wide), selected_by(narrow)
    return longer_prefix.startswith(prefix) and tags.items() <= more_tags.items()


def overlaps(one: Document, other: Document) -> bool:
    """Whether an object can be matched by both filters."""
    (prefix, tags), (other_prefix, other_tags) = selected_by(one), selected_by(other)
    agree = all(tags[key] == other_tags[key] for key in tags.keys() & other_tags.keys())
    return agree and (prefix.startswith(other_prefix) or other_prefix.startswith(prefix))
