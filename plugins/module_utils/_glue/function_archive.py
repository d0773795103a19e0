# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The archive of the function: the sources that its handler imports, and its settings; the same bytes every time.

Only files that a module imports travel with it, so the handler is imported here, and with it all that it needs.

This module util is PRIVATE to the collection.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from .._function import handler
from .._function.settings import FILE

_LAYERS = ("_core", "_aws", "_function")
_PACKAGE = "s3_dr"
_DATE = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


@dataclass(frozen=True, slots=True)
class Archive:
    """What is deployed; `sha256` is the hash as Lambda tells it, in Base64."""

    content: bytes
    sha256: str


def archive_of(settings: Mapping[str, Any]) -> Archive:
    """The archive with these settings."""
    files = {**sources(), FILE: json.dumps(settings, indent=1, sort_keys=True)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # stored: packers differ between Pythons
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = _READABLE
            entry.create_system = 3
            archive.writestr(entry, files[name])
    content = buffer.getvalue()
    return Archive(content, base64.b64encode(hashlib.sha256(content).digest()).decode())


def sources() -> dict[str, str]:
    """The sources of the layers that the function stands on, by their path in the archive."""
    root = handler.__name__.removesuffix("._function.handler")
    found = {}
    for name in sorted(sys.modules):
        layer, _dot, rest = name.removeprefix(f"{root}.").partition(".")
        if name.startswith(f"{root}.") and layer in _LAYERS and rest:
            found[f"{_PACKAGE}/{layer}/{rest}.py"] = _source(name)
    return found


def _source(name: str) -> str:
    spec = find_spec(name)
    source = spec.loader.get_source(name) if spec and spec.loader else None
    if source is None:
        raise ImportError(f"the source of {name} cannot be read")
    return str(source)
