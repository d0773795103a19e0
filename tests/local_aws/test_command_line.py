# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Starting and stopping a local AWS, and setting its replication lag.

LOCAL_AWS_PYTHON names the interpreter that has ministack, by default this one.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

PYTHON = os.environ.get("LOCAL_AWS_PYTHON", sys.executable)


def run(*arguments, **environment):
    command = [sys.executable, "-m", "local_aws", *map(str, arguments)]
    paths = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    return subprocess.run(command, env=os.environ | paths | environment, capture_output=True, text=True, check=False)


@pytest.fixture
def state(tmp_path):
    yield tmp_path
    run("stop", "--state-dir", tmp_path)


@pytest.fixture
def url(state):
    started = run("start", "--state-dir", state, "--python", PYTHON, "--lag", "5")
    assert started.returncode == 0, started.stderr
    return started.stdout.strip()


def control(url, **wish):
    body = json.dumps(wish).encode() if wish else None
    with urllib.request.urlopen(f"{url}/_local_aws/replication", data=body, timeout=5) as answer:
        return json.load(answer)


def test_second_start_finds_the_first(state, url):
    again = run("start", "--state-dir", state, "--python", PYTHON)
    assert (again.returncode, again.stdout.strip()) == (0, url)


def test_stop_ends_it_and_may_be_repeated(state, url):
    assert "stopped" in run("stop", "--state-dir", state).stdout
    assert not (state / "pid").exists()
    assert not (state / "url").exists()
    assert run("stop", "--state-dir", state).returncode == 0
    with pytest.raises(urllib.error.URLError):
        control(url)


def test_stop_leaves_a_foreign_process_alone(state):
    (state / "pid").write_text(f"{os.getpid()}\n")
    assert "nothing is running" in run("stop", "--state-dir", state).stdout


def test_environment_for_the_shell(state, url):
    lines = run("env", "--state-dir", state).stdout.splitlines()
    assert f"export AWS_ENDPOINT_URL={url}" in lines
    assert "export AWS_SECRET_ACCESS_KEY=not-a-secret" in lines


def test_environment_without_a_server(state):
    answer = run("env", "--state-dir", state)
    assert answer.returncode == 2
    assert "start" in answer.stderr


def test_listens_on_this_machine_only(url):
    port = int(url.rpartition(":")[2])
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {
        line[1].split(":")[0] for line in listening if int(line[1].split(":")[1], 16) == port and line[3] == "0A"
    }
    assert addresses == {"0100007F"}


def test_busy_port_is_named(state):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = run("start", "--state-dir", state, "--python", PYTHON, "--port", port)
    assert answer.returncode == 2
    assert str(port) in answer.stderr
    assert "--port" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_missing_ministack_is_named(state):
    without = state / "python"
    without.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    without.chmod(0o755)
    answer = run("start", "--state-dir", state, "--python", without)
    assert answer.returncode == 2
    assert "requirements.in" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_lag_can_be_set_for_one_bucket_and_for_all(url):
    assert control(url)["default_lag_seconds"] == 5.0
    control(url, bucket=None, lag_seconds=1.5)
    settings = control(url, bucket="a-bucket", lag_seconds=2.5)
    assert (settings["default_lag_seconds"], settings["lag_seconds"]) == (1.5, {"a-bucket": 2.5})


def test_wrong_wish_is_refused(url):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control(url, bucket="a-bucket", lag_seconds=-1)
