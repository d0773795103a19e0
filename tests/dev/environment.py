# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Make the two virtual environments below `.cache/venv`, from the locks in `requirements/`.

`dev` holds the tools and amazon.aws; `local-aws` holds the AWS that runs on this machine. Nothing happens when they are
there already and were made from the same locks by the same Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from paths import CACHE, DEV_VENV, HOME, LOCAL_AWS_VENV, LOGS, ROOT, alone

REQUIREMENTS = ROOT / "requirements"
STAMP = CACHE / "venv" / "made-from"
DEPENDENCY = "ansible_collections/amazon/aws/"

# ansible-test wants to download this program to put pip into the environments of its sanity tests. It looks into its
# cache first, so that a program of the same name that runs a pip from this machine makes the download unnecessary.
PIP_BOOTSTRAP = """\
import runpy
import sys

sys.path.insert(0, {folder!r})
options = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.argv[1:] = ["install", *options]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def main() -> None:
    with alone("environment"):
        wanted = fingerprint()
        if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted:
            return
        started = time.monotonic()
        print("env: installing the tools below .cache (about a minute, once) ...", flush=True)
        STAMP.unlink(missing_ok=True)
        try:
            make_all()
        except subprocess.CalledProcessError as error:
            sys.exit(
                f"env: '{describe(error)}' failed; its output is above. Check that the package index can be reached."
            )
        STAMP.write_text(wanted, encoding="utf-8")
        print(f"env: ready after {time.monotonic() - started:.0f} s", flush=True)


def fingerprint() -> str:
    """Name everything that the environments are made from."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in (REQUIREMENTS / name for name in ("dev.txt", "local-aws.txt", "collections.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.lstrip().startswith("#"):  # a new comment makes no new environment
                digest.update(line.encode())
    return "\n".join([digest.hexdigest(), sys.version, sys.base_prefix, str(CACHE)])


def make_all() -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        dev = pool.submit(make_venv, DEV_VENV, REQUIREMENTS / "dev.txt")
        local_aws = pool.submit(make_venv, LOCAL_AWS_VENV, REQUIREMENTS / "local-aws.txt")
        local_aws.result()
        dev.result()
    add_dependency()
    make_home()


def make_venv(venv: Path, lock: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    run(sys.executable, "-m", "venv", str(venv))
    # What is not used need not be compiled, and Python compiles the rest by itself when it is first imported.
    options = ["--no-deps", "--no-compile", "--require-hashes", "--only-binary", ":all:"]
    pip(venv, "install", *options, "--requirement", str(lock))


def add_dependency() -> None:
    """Put amazon.aws where Ansible looks by itself. The package that carries it is too big to install whole."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        lock = REQUIREMENTS / "collections.txt"
        pip(DEV_VENV, "download", "--no-deps", "--require-hashes", "--requirement", str(lock), "--dest", folder)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.startswith(DEPENDENCY)]
            archive.extractall(site_packages(), members)


def make_home() -> None:
    """Prepare the home folder of the tools: pip for ansible-test's own environments, and the user's package index."""
    pip_home = HOME / "pip"
    shutil.rmtree(pip_home, ignore_errors=True)
    shutil.copytree(site_packages() / "pip", pip_home / "pip")
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    name = f"get_pip_{pip_of_ansible_test().replace('.', '_')}.py"
    (cache / name).write_text(PIP_BOOTSTRAP.format(folder=str(pip_home)), encoding="utf-8")

    settings, link = Path.home() / ".config" / "pip", HOME / ".config" / "pip"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    if settings.is_dir():
        link.symlink_to(settings)


def pip_of_ansible_test() -> str:
    source = site_packages() / "ansible_test" / "_internal" / "python_requirements.py"
    found = re.search(r"pip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if found is None:
        sys.exit(f"env: {source} does not name the pip it wants any more: update tests/dev/environment.py")
    return found[1]


def site_packages() -> Path:
    (folder,) = DEV_VENV.glob("lib/python*/site-packages")
    return folder


def pip(venv: Path, *arguments: str) -> None:
    run(str(venv / "bin" / "python"), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", *arguments)


def run(*command: str) -> None:
    """Run a command; its output is shown only when it fails."""
    env = os.environ | {"PIP_REQUIRE_VIRTUALENV": "0"}
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"):
        env.pop(name, None)
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout, end="", flush=True)
        done.check_returncode()


def describe(error: subprocess.CalledProcessError) -> str:
    return " ".join(str(word) for word in error.cmd[1:5])


if __name__ == "__main__":
    main()
