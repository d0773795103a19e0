# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The command line: start, stop and describe one local AWS, which lives in one directory."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SERVER_MODULE = "local_aws.server"
HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
ACCOUNT = "111122223333"
REGION = "us-east-1"


class CannotStart(Exception):
    """One line for the user: what is in the way and what to do next."""


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        return options.run(options)
    except CannotStart as problem:
        print(f"local_aws: {problem}", file=sys.stderr)
        return 2


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_aws", description="A local AWS for demo and tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run in (("start", start), ("stop", stop), ("env", env)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("--state-dir", type=Path, required=True, help="everything the server writes goes here")
        if name == "start":
            command.add_argument("--port", type=int, help="default: a free port")
            command.add_argument("--python", default=sys.executable, help="an interpreter that has ministack")
            command.add_argument("--lag", type=float, default=1.0, help="seconds until an object is replicated")
    return parser.parse_args(arguments)


def start(options: argparse.Namespace) -> int:
    """Start the server in the background and print its URL once it answers."""
    state = options.state_dir.resolve()
    if running_pid(state):
        print((state / "url").read_text().strip())
        return 0
    require_ministack(options.python)
    port = options.port or free_port()
    require_free(port)
    for part in ("state", "s3", "tmp", "home"):
        (state / part).mkdir(parents=True, exist_ok=True)
    url = f"http://{HOST}:{port}"
    process = launch(options.python, state, port, options.lag)
    wait_until_healthy(process, url, state / "server.log")
    (state / "pid").write_text(f"{process.pid}\n")
    (state / "url").write_text(f"{url}\n")
    print(url)
    return 0


def stop(options: argparse.Namespace) -> int:
    """Stop the server of this directory, and no other process."""
    state = options.state_dir.resolve()
    pid = running_pid(state)
    if pid is None:
        print("local_aws: nothing is running here")
    else:
        end(pid)
        print(f"local_aws: stopped (pid {pid})")
    for name in ("pid", "url"):
        (state / name).unlink(missing_ok=True)
    return 0


def env(options: argparse.Namespace) -> int:
    """Print what a shell needs to talk to this server."""
    state = options.state_dir.resolve()
    if running_pid(state) is None:
        raise CannotStart(f"nothing is running in {state}; run 'start --state-dir {state}' first")
    variables = {
        "AWS_ENDPOINT_URL": (state / "url").read_text().strip(),
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }
    for name, value in variables.items():
        print(f"export {name}={value}")
    return 0


def running_pid(state: Path) -> int | None:
    """The pid of this directory's server, if that process still is our server and not a later reuse of the number."""
    try:
        pid = int((state / "pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if SERVER_MODULE.encode() in words and str(state).encode() in words else None


def end(pid: int) -> None:
    """Ask the process to end, and insist if it does not."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, request)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if has_ended(pid):
                return
            time.sleep(0.05)


def has_ended(pid: int) -> bool:
    """Whether the process is gone. A zombie counts as gone: only its parent can remove it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def require_ministack(python: str) -> None:
    probe = [python, "-c", "import importlib.util as u, sys; sys.exit(0 if u.find_spec('ministack') else 3)"]
    try:
        found = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError as problem:
        raise CannotStart(f"cannot run {python} ({problem.strerror}); name an interpreter with --python") from problem
    if not found:
        requirements = Path(__file__).with_name("requirements.in")
        raise CannotStart(f"{python} has no ministack; install it with: {python} -m pip install -r {requirements}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as problem:
            raise CannotStart(
                f"port {port} on {HOST} cannot be used ({problem.strerror}); "
                "choose another with --port, or leave --port out to get a free one"
            ) from problem


def launch(python: str, state: Path, port: int, lag: float) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own, so that it outlives the shell that started it."""
    with (state / "server.log").open("wb") as log:
        return subprocess.Popen(
            [str(Path(python).absolute()), "-m", SERVER_MODULE, str(state)],
            env=server_environment(state, port, lag),
            cwd=state,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def server_environment(state: Path, port: int, lag: float) -> dict[str, str]:
    """Everything MiniStack is told. The caller's AWS_* variables are for clients, so the server does not see them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(state / "home"),
        "TMPDIR": str(state / "tmp"),
        "STATE_DIR": str(state / "state"),
        "S3_DATA_DIR": str(state / "s3"),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "CLOUDTRAIL_RECORDING": "1",
        "LOG_LEVEL": "WARNING",
        "LOCAL_AWS_LAG_SECONDS": str(lag),
    }


def wait_until_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_healthy(url):
            return
        time.sleep(0.05)
    what = "ended at once" if process.poll() is not None else f"did not answer within {START_SECONDS:.0f} s"
    process.kill()
    process.wait()
    last_lines = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise CannotStart(f"the server {what}; the last lines of {log}:\n{last_lines}")


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_local_aws/replication", timeout=2) as answer:
            return "default_lag_seconds" in json.load(answer)
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(main())
