# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Each layer imports only what stands below it, and only one file can change AWS."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
COLLECTION = "ansible_collections.crossregion.s3_dr.plugins"
AMAZON = "ansible_collections.amazon.aws.plugins.module_utils.modules"
AMAZON_CONNECTION = "ansible_collections.amazon.aws.plugins.module_utils.botocore"
WARNINGS = "ansible.module_utils.common.warnings"
ARGUMENTS = "ansible.module_utils.common.arg_spec"
PLAIN = "ansible.module_utils.basic"
"""For a module that calls no AWS."""
LAYERS = {
    "_core": {"_core"},
    "_aws": {"_core", "_aws", "boto3", "botocore"},
    "_function": {"_core", "_aws", "_function", "boto3", "botocore"},
    "_glue": {
        "_core",
        "_aws",
        "_function",
        "_glue",
        "boto3",
        "botocore",
        AMAZON,
        AMAZON_CONNECTION,
        ARGUMENTS,
        WARNINGS,
    },
    "modules": {"_core", "_aws", "_function", "_glue", AMAZON, PLAIN},
    "action": {"_core", "_glue", "action", "ansible", "ansible.plugins.action.normal", "ansible.utils.display"},
    "filter": {"_core", "_glue", "ansible.errors", ARGUMENTS},
    "doc_fragments": set(),
}
IMPURE = {
    "asyncio", "concurrent", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "queue",
    "random", "secrets", "shutil", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
    "uuid",
}  # fmt: skip
"""I/O, clocks, randomness, threads: `_core` has none of it."""
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
CLOCKS = {"now", "today", "utcnow"}
"""What reads the clock of a `datetime`, whose values the core may handle."""


def files() -> list[Path]:
    """Every file of the collection's plugins that belongs to a layer."""
    return sorted(path for path in PLUGINS.rglob("*.py") if layer_of(path))


def layer_of(path: Path) -> str | None:
    """The layer in whose folder the file is."""
    return next((part for part in path.relative_to(PLUGINS).parts if part in LAYERS), None)


def imports(source: str, path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, wherever in it."""
    package = [*COLLECTION.split("."), *path.relative_to(PLUGINS).parent.parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            ours = stem.startswith(COLLECTION)
            yield from (f"{stem}.{alias.name}" for alias in node.names) if ours else (stem,)


def reaches(name: str) -> str:
    """What an import reaches: a layer, the module of amazon.aws, or a distribution."""
    for layer in LAYERS:
        if name.startswith((f"{COLLECTION}.module_utils.{layer}", f"{COLLECTION}.{layer}")):
            return layer
    return name if name.startswith("ansible") else name.split(".", 1)[0]


def upward_imports(source: str, path: Path) -> list[str]:
    """The imports that the file's layer does not allow."""
    layer = layer_of(path) or ""
    found = sorted({reaches(name) for name in imports(source, path)})
    allowed = LAYERS[layer] | set(sys.stdlib_module_names)
    return [name for name in found if name not in allowed or (layer == "_core" and name in IMPURE)]


def impure_calls(source: str) -> list[str]:
    """Calls of builtins that do I/O or run text, and of what reads the clock."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    builtins = [call.id for call in calls if isinstance(call, ast.Name) and call.id in IMPURE_CALLS]
    return builtins + [call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS]


def doors(source: str) -> list[str]:
    """Where the file calls, or hands on, the `write` or `remove` of a row."""
    tree = ast.parse(source)
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("write", "remove") and isinstance(node.ctx, ast.Load)
    ]


def ids(path: Path) -> str:
    """A file's name below plugins."""
    return path.relative_to(PLUGINS).as_posix()


@pytest.mark.parametrize("path", files(), ids=ids)
def test_a_layer_imports_only_what_stands_below_it(path: Path) -> None:
    assert upward_imports(path.read_text(), path) == []


@pytest.mark.parametrize("path", [path for path in files() if layer_of(path) == "_core"], ids=ids)
def test_the_core_does_no_input_or_output(path: Path) -> None:
    assert impure_calls(path.read_text()) == []


def test_only_the_gateway_writes_and_removes() -> None:
    with_door = [ids(path) for path in files() if doors(path.read_text())]
    assert with_door == ["module_utils/_aws/gateway.py"]


def test_every_layer_has_files() -> None:
    assert {layer_of(path) for path in files()} == set(LAYERS)


def test_no_file_of_the_collection_is_outside_the_layers() -> None:
    assert sorted(path for path in PLUGINS.rglob("*.py") if not layer_of(path)) == []


BAD = [
    ("_core", "import boto3", "boto3"),
    ("_core", "from botocore.config import Config", "botocore"),
    ("_core", "import os.path", "os"),
    ("_core", "def f():\n    from time import sleep", "time"),
    ("_core", "import time", "time"),
    ("_core", "from .._aws.row import Row", "_aws"),
    ("_core", "from .. import _aws", "_aws"),
    ("_core", f"from {COLLECTION}.module_utils import _glue", "_glue"),
    ("_core", f"import {COLLECTION}.module_utils._glue.clients", "_glue"),
    ("_core", "import yaml", "yaml"),
    ("_aws", "from .._glue.clients import Clients", "_glue"),
    ("_aws", f"from {AMAZON} import AnsibleAWSModule", AMAZON),
    ("_aws", "from ansible.module_utils.basic import AnsibleModule", "ansible.module_utils.basic"),
    ("_glue", "import requests", "requests"),
    ("_glue", "from ansible.errors import AnsibleError", "ansible.errors"),
    ("modules", "import boto3", "boto3"),
    ("modules", "from ansible_collections.community.aws.plugins.x import y", None),
    ("filter", f"from {COLLECTION}.module_utils._aws import row", "_aws"),
]


@pytest.mark.parametrize(("layer", "source", "found"), BAD, ids=lambda value: str(value)[:40])
def test_this_test_finds_an_import_that_goes_upwards(layer: str, source: str, found: str | None) -> None:
    folder = PLUGINS / "module_utils" / layer if layer.startswith("_") else PLUGINS / layer
    seen = upward_imports(source, folder / "bad.py")
    assert seen == [found] if found else len(seen) == 1


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("_core", "import json, re\nfrom dataclasses import dataclass\nfrom .model import Pair"),
        ("_aws", "import time, uuid\nfrom .._core.model import Pair\nfrom . import s3_rows\nimport botocore.config"),
        ("_glue", f"from {AMAZON} import AnsibleAWSModule\nfrom .._aws.gateway import Gateway"),
        ("modules", f"from {COLLECTION}.module_utils._core.model import Pair"),
    ],
)
def test_this_test_lets_pass_what_is_allowed(layer: str, source: str) -> None:
    folder = PLUGINS / "module_utils" / layer if layer.startswith("_") else PLUGINS / layer
    assert upward_imports(source, folder / "good.py") == []


@pytest.mark.parametrize(
    "source", ["ROWS['bucket'].remove(client, address, before)", "row.write(c, a, b, d)", "do(row.write)"]
)
def test_this_test_finds_a_second_door(source: str) -> None:
    assert doors(source)


def test_this_test_finds_output_in_the_core() -> None:
    assert impure_calls("def f():\n    print(open('x').read())") == ["print", "open"]
    assert impure_calls("def f():\n    return datetime.now(UTC)") == ["now"]
