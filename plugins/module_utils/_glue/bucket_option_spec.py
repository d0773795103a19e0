# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The options of one end's bucket, as a task gives them.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

from typing import Any

from .._core.bucket_options import ALGORITHMS, OWNERSHIPS
from .._core.lifecycle_rules import TRANSITION_CLASSES

_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
_TRANSITIONS = {
    "type": "list",
    "elements": "dict",
    "options": {
        "days": {"type": "int", "required": True},
        "storage_class": {"type": "str", "choices": list(TRANSITION_CLASSES), "required": True},
    },
}
_CHOSEN = {
    "id": {"type": "str", "required": True},
    "state": _STATE,
    "enabled": {"type": "bool", "default": True},
    "prefix": {"type": "str", "default": ""},
    "tags": {"type": "dict"},
}
_LIFECYCLE = {
    **_CHOSEN,
    "larger_than": {"type": "int"},
    "smaller_than": {"type": "int"},
    "transitions": _TRANSITIONS,
    "noncurrent_transitions": _TRANSITIONS,
    "expiration_days": {"type": "int"},
    "noncurrent_days": {"type": "int"},
    "noncurrent_versions_kept": {"type": "int"},
    "expired_delete_markers": {"type": "bool", "default": False},
    "abort_uploads_days": {"type": "int"},
}
_TIERING = {**_CHOSEN, "archive_days": {"type": "int"}, "deep_archive_days": {"type": "int"}}


def bucket_option_spec() -> dict[str, Any]:
    """The argument spec of one end's options."""
    return {
        "accelerate": {"type": "str", "choices": ["enabled", "suspended"]},
        "object_lock": {
            "type": "dict",
            "options": {
                "mode": {"type": "str", "choices": ["governance", "compliance", "none"], "required": True},
                "days": {"type": "int"},
                "years": {"type": "int"},
            },
        },
        "lifecycle": {"type": "list", "elements": "dict", "options": _LIFECYCLE},
        "intelligent_tiering": {"type": "list", "elements": "dict", "options": _TIERING},
        "encryption": {
            "type": "dict",
            "options": {
                "algorithm": {"type": "str", "choices": list(ALGORITHMS), "required": True},
                "kms_key_arn": {"type": "str", "no_log": False},
                "bucket_key": {"type": "bool", "no_log": False},
                "block_sse_c": {"type": "bool"},
            },
        },
        "block_public_access": {"type": "bool"},
        "ownership": {"type": "str", "choices": list(OWNERSHIPS)},
        "tls_only": {"type": "bool"},
        "minimum_tls_version": {"type": "str", "choices": ["1.2", "1.3"]},
        "access_log": {
            "type": "dict",
            "options": {
                "enabled": {"type": "bool", "default": True},
                "bucket": {"type": "str"},
                "prefix": {"type": "str", "default": ""},
            },
        },
        "tags": {"type": "dict"},
        "removed_tags": {"type": "list", "elements": "str"},
    }
