# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""The checks, one function each. All work on the tree that tree.py keeps, unless they say otherwise."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import archive
import hygiene
import tree
from local_aws_server import LAUNCHER_PATH, local_aws, stop_local_aws
from moto_server import moto
from paths import (
    CACHE,
    COLLECTION,
    HOME,
    LOCAL_AWS_PYTHON,
    MOTO_TREE,
    RECOVERY_TREE,
    ROOT,
    STATE,
    TREE,
    alone,
    collection_in,
    tool,
    tool_environment,
)
from rulebook import ansible_rulebook
from runner import Log, Stage, StageFailed

PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
CORE = "ansible_collections.crossregion.s3_dr.plugins.module_utils._core"


def run(log: Log, name: str, *arguments: str, **env: str) -> None:
    """Run a tool of the development environment in the tree."""
    run_in(TREE, log, name, *arguments, **env)


def run_in(top: Path, log: Log, name: str, *arguments: str, **env: str) -> None:
    """Run a tool of the development environment in another tree."""
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(top), "PYTHONPATH": str(top)}
    log.run(tool(name), *arguments, cwd=collection_in(top), env=tool_environment(**paths | env))


def unit(log: Log) -> None:
    """What the documents are: no AWS, no Ansible run."""
    pytest(log, "tests/unit", "tests/dev")


def contract(log: Log) -> None:
    """The local AWS behaves as the facts about AWS say."""
    python_path = f"{TREE}:{LAUNCHER_PATH}"
    pytest(log, "tests/local_aws/contract", LOCAL_AWS_PYTHON=str(LOCAL_AWS_PYTHON), PYTHONPATH=python_path)


def eda(log: Log) -> None:
    """The rulebook, by ansible-rulebook itself, against a local AWS of its own."""
    program = ansible_rulebook()
    with alone("eda-run"), local_aws(log, "eda") as aws:
        pytest(log, "tests/eda", **aws, **program)


def pytest(log: Log, *folders: str, **env: str) -> None:
    cache = f"cache_dir={CACHE / 'pytest'}"
    run(log, "python", "-m", "pytest", "--quiet", "-o", cache, *folders, *log.arguments, **env)


def ruff(log: Log) -> None:
    cache = f"--cache-dir={CACHE / 'ruff'}"
    run(log, "ruff", "check", cache, ".")
    run(log, "ruff", "format", "--check", "--diff", cache, ".")


def mypy(log: Log) -> None:
    cache = f"--cache-dir={CACHE / 'mypy'}"
    run(log, "mypy", cache, "--package", CORE, MYPYPATH=str(TREE))
    run(log, "mypy", cache, "tests/dev", MYPYPATH="tests/dev")


def ansible_lint(log: Log) -> None:
    run(log, "ansible-lint", "--strict", "--offline")


def sanity(log: Log) -> None:
    if ignored := sorted(COLLECTION.glob("tests/sanity/ignore-*.txt")):
        raise StageFailed(f"{ignored[0].name}: cure the error instead of ignoring it")
    try:
        run(log, "ansible-test", "sanity", "--local", "--python", PYTHON_VERSION, "--color", "no", *log.arguments)
    except StageFailed:
        repeat_errors(log)
        raise


def repeat_errors(log: Log) -> None:
    """Say the errors once more at the end, where they are seen: between them lies much output of installations."""
    errors = [line for line in log.text().splitlines() if line.startswith(("ERROR: ", "FATAL: "))]
    log.say("\n".join(["", "The errors again:", *errors]))


def docs(log: Log) -> None:
    run(log, "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=all", ".")
    run(log, "antsibull-changelog", "lint")


def build(log: Log) -> None:
    """Build the archive from the checkout, as a maintainer does, with all that lies around in it."""
    folder = CACHE / "dist"
    options = ["--force", "--output-path", str(folder)]
    log.run(tool("ansible-galaxy"), "collection", "build", *options, cwd=ROOT, env=tool_environment())
    report(log, archive.problems(folder))


RECOVERY_TARGETS = "recovery/"
"""The alias of the targets of recovery: half of all, so that both halves can run at the same time."""


def integration(log: Log) -> None:
    """One target per module, against a local AWS of its own. See README.md here for how its address gets there."""
    chosen = log.arguments or ("--exclude", RECOVERY_TARGETS)
    with alone("integration"), local_aws(log, "integration") as aws:
        run_targets(log, TREE, aws, *chosen, replicates=True)


def integration_recovery(log: Log) -> None:
    """The targets of recovery, against a local AWS of their own."""
    tree.main(RECOVERY_TREE)
    with alone("integration-recovery"), local_aws(log, "integration-recovery") as aws:
        run_targets(log, RECOVERY_TREE, aws, *(log.arguments or (RECOVERY_TARGETS,)), replicates=True)


# Targets that moto can stand under, less the tasks with these tags. README.md here says what it lacks.
MOTO_TARGETS = ("bad_input", "s3_dr_alarm_topics", "s3_dr_trail", "s3_replication_alarms", "s3_replication_pair")
MOTO_LACKS = ("composes_alarms", "honours_conditions", "replicates", "several_accounts")


def integration_moto(log: Log) -> None:
    """The same targets against a second emulator, to see what is true of the local AWS only."""
    tree.main(MOTO_TREE)
    with alone("integration-moto"), moto(log) as aws:
        run_targets(
            log, MOTO_TREE, aws, "--skip-tags", ",".join(MOTO_LACKS), *(log.arguments or MOTO_TARGETS), replicates=False
        )


def run_targets(log: Log, top: Path, aws: dict[str, str], *arguments: str, replicates: bool) -> None:
    """Tell the targets by a file where AWS is, since ansible-test keeps most of the environment from them."""
    variables = {
        "local_aws_environment": aws,
        "local_aws_endpoint_url": aws["AWS_ENDPOINT_URL"],
        "local_aws_access_key": aws["AWS_ACCESS_KEY_ID"],
        "local_aws_secret_key": aws["AWS_SECRET_ACCESS_KEY"],
        "local_aws_replicates": replicates,  # else nothing that waits for an object can be asked for
    }
    config = collection_in(top) / "tests" / "integration" / "integration_config.yml"
    config.write_text(json.dumps(variables, indent=2), encoding="utf-8")
    try:
        options = ["--local", "--python", PYTHON_VERSION, "--color", "no", "--continue-on-error"]
        run_in(top, log, "ansible-test", "integration", *options, *arguments)
    finally:
        config.unlink()
    if not re.search(r"^Running \S+ integration test (role|script)", log.text(), re.MULTILINE):
        raise StageFailed("no target ran")


def molecule(log: Log) -> None:
    """One scenario per journey. The scenario `default` starts and stops the local AWS, with these variables."""
    variables = {
        "LOCAL_AWS_PYTHON": str(LOCAL_AWS_PYTHON),
        "LOCAL_AWS_STATE_DIR": str(STATE / "molecule"),
        "LOCAL_AWS_LAUNCHER_PYTHONPATH": str(LAUNCHER_PATH),
    }
    with alone("molecule"):
        stop_local_aws(log, "molecule")
        for leftover in (HOME / ".ansible" / "tmp").glob("molecule.*"):  # an interrupted run's idea of what exists
            shutil.rmtree(leftover)
        try:
            run(log, "molecule", "test", *(log.arguments or ["--all"]), **variables)
        finally:
            stop_local_aws(log, "molecule")


def check_hygiene(log: Log) -> None:
    report(log, hygiene.problems(COLLECTION))


def report(log: Log, problems: list[str]) -> None:
    for problem in problems:
        log.say(problem)
    if problems:
        raise StageFailed(f"{len(problems)} problems")


# In this order: the longest first, then what takes seconds, then the others.
STAGES: dict[str, Stage] = {
    "integration": integration,
    "hygiene": check_hygiene,
    "ruff": ruff,
    "mypy": mypy,
    "unit": unit,
    "build": build,
    "contract": contract,
    "eda": eda,
    "sanity": sanity,
    "integration-recovery": integration_recovery,
    "molecule": molecule,
    "ansible-lint": ansible_lint,
    "docs": docs,
    "integration-moto": integration_moto,
}
