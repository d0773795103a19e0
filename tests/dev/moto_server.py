# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A second, independent AWS on this machine: what holds on both is not a peculiarity of the first."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from paths import COLLECTION, tool_environment
from runner import Log, StageFailed
from venvs import made_when_used

START_SECONDS = 30.0
ACCOUNT = "111122223333"


@contextmanager
def moto(log: Log) -> Iterator[dict[str, str]]:
    """Yield the environment variables that lead to a fresh moto server, and stop it afterwards whatever happens."""
    port = free_port()
    command = [str(made_when_used("moto") / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with log.path.with_name("moto-server.log").open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=COLLECTION,
            env=tool_environment(MOTO_ACCOUNT_ID=ACCOUNT),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_it_answers(server, port)
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        }
    finally:
        server.terminate()
        server.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_it_answers(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise StageFailed("moto's server does not answer; its log is moto-server.log beside this one")
