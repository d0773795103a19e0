# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Tests of the development tools, where a mistake would let other mistakes pass."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import archive
import hygiene
import tree
from local_aws_server import exported
from runner import Log, StageFailed, run_stages, summary


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder


def write(folder: Path, name: str, text: str = "text") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_tree_follows_the_checkout_and_keeps_what_tools_wrote(checkout: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    write(checkout, ".gitignore", "*.log\n")
    write(checkout, "roles/a/main.yml")
    write(checkout, "noise.log")
    before = tree.listed(checkout)
    tree.synchronize(checkout, target, before, set())
    write(target, "tests/output/result.json")

    (checkout / "roles/a/main.yml").unlink()
    write(checkout, "roles/b/main.yml", "newer")
    tree.synchronize(checkout, target, tree.listed(checkout), before)

    found = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert found == {".gitignore", "roles/b/main.yml", "tests/output/result.json"}
    assert not (target / "roles" / "a").exists()


def test_tree_copies_a_change_and_leaves_out_the_link_to_itself(checkout: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    write(checkout, "file", "one")
    write(checkout, ".collections/link")
    tree.synchronize(checkout, target, tree.listed(checkout), set())
    write(checkout, "file", "two!")
    tree.synchronize(checkout, target, tree.listed(checkout), {"file"})
    assert (target / "file").read_text(encoding="utf-8") == "two!"
    assert [path.name for path in target.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("name", "line", "found"),
    [
        ("plugins/a.py", "path = '/" + "home/somebody/key'", True),
        ("plugins/a.py", "arn:aws:iam::111122223333:root", False),
        ("requirements/a.txt", "--index-url https://py" + "pi.org/simple", True),
        ("README.md", "[design](docs/design.md)", True),
        ("README.md", "[design](https://github.com/crossregion/s3_dr/blob/main/docs/design.md)", False),
        ("docs/design.md", "[verify](verify.md)", False),
    ],
)
def test_hygiene(checkout: Path, name: str, line: str, found: bool) -> None:
    write(checkout, name, line)
    assert bool(hygiene.problems(checkout)) is found


def test_archive_names() -> None:
    good = sorted(archive.NEEDED)
    assert archive.problems_of(good) == []
    assert len(archive.problems_of([*good, "Makefile", "plugins/__pycache__/a.cpython-311.pyc"])) == 2
    assert archive.problems_of(good[1:]) == [f"{good[0]} is missing from the archive"]


def test_exported() -> None:
    assert exported("export A=1\nexport B='x y'\n\n") == {"A": "1", "B": "x y"}


def test_stages_go_on_after_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def bad(log: Log) -> None:
        log.say("the reason")
        raise StageFailed("it broke")

    results = run_stages({"bad": bad, "good": lambda log: log.say("fine")}, tmp_path)
    assert "the reason" in capsys.readouterr().out
    assert [result.failure for result in results] == ["it broke", None]
    assert summary(results).splitlines()[-1] == "checks: 1 passed, 1 failed"
