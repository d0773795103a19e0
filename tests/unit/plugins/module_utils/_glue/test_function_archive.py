# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The archive is the same every time, holds all that the handler needs, and runs without Ansible."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.scheduled_drill import HANDLER, RUNTIMES
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.function_archive import archive_of, sources

SETTINGS = {"name": "s3-dr-scheduled-drill", "pairs": {}}


def test_the_same_settings_make_the_same_bytes() -> None:
    one, two = archive_of(SETTINGS), archive_of(dict(reversed(SETTINGS.items())))
    assert one == two
    assert one.sha256 == base64.b64encode(hashlib.sha256(one.content).digest()).decode()
    assert archive_of({**SETTINGS, "name": "another"}).sha256 != one.sha256


def test_nothing_of_this_machine_is_in_it() -> None:
    with zipfile.ZipFile(io.BytesIO(archive_of(SETTINGS).content)) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.compress_type == zipfile.ZIP_STORED
            assert (entry.external_attr >> 16) & 0o777 == 0o644
        names = archive.namelist()
        assert names == sorted(names)
        assert json.loads(archive.read("settings.json")) == SETTINGS


def test_no_layer_that_knows_ansible_is_in_it() -> None:
    found = sources()
    assert {name.split("/")[1] for name in found} == {"_core", "_aws", "_function"}
    assert not any("import ansible" in source or "from ansible" in source for source in found.values())


def test_the_handler_is_imported_from_it_without_anything_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive_of(SETTINGS).content)) as archive:
        archive.extractall(tmp_path)
    module, _dot, function = HANDLER.rpartition(".")
    code = f"""
import sys
import {module} as handler

assert callable(handler.{function})
assert not [name for name in sys.modules if "ansible" in name]
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_runtimes_are_those_that_the_code_runs_on() -> None:
    assert all(tuple(map(int, one.removeprefix("python").split("."))) >= (3, 12) for one in RUNTIMES)
