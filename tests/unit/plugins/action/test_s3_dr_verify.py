# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""A person at a terminal sees how a long verification gets on, and nobody else notices anything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.crossregion.s3_dr.plugins.action import s3_dr_verify as action
from ansible_collections.crossregion.s3_dr.plugins.module_utils._core.progress import Count
from ansible_collections.crossregion.s3_dr.plugins.module_utils._glue.progress_file import VARIABLE
from ansible_collections.crossregion.s3_dr.tests.unit.clock import Time

RESULT = {"failed": True, "msg": "The pair differs.", "diff": [{"before": "a", "after": "b"}], "warnings": ["w"]}
LINE = "orders: 14,000 versions compared, 2,000 a second"


class Watched:
    """A watch whose clock and file the test moves on."""

    def __init__(self, folder: Path) -> None:
        self.time = Time()
        self.time.sleep(1_000)
        self.path = folder / "progress.json"
        self.shown: list[str] = []
        self.watch = action.Watch(self.path, "orders", self.shown.append, self.time.clock)

    def second(self, compared: int | None, expected: int | None = None) -> None:
        """Let a second pass, after which so many versions have been compared; None: nothing is written."""
        self.time.sleep(1)
        if compared is not None:
            self.path.write_text(Count(compared, expected).as_text())
        self.watch.look()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A watch over a run that begins now."""
    return Watched(tmp_path)


def test_a_line_is_shown_every_five_seconds(watched: Watched) -> None:
    for second in range(1, 15):
        watched.second(2_000 * second, 100_000)
    assert watched.shown == [
        "orders: 12,000 versions compared, 2,000 a second, about 40 s left",
        "orders: 22,000 versions compared, 2,000 a second, about 40 s left",
    ]


def test_the_first_line_waits_until_versions_were_compared_for_a_while(watched: Watched) -> None:
    for _again in range(60):
        watched.second(None)
    for second in range(5):
        watched.second(2_000 * second)
        assert watched.shown == []
    watched.second(10_000)
    assert watched.shown == ["orders: 10,000 versions compared, 2,000 a second"]


def test_while_nothing_is_compared_nothing_is_shown(watched: Watched) -> None:
    for second in range(1, 7):
        watched.second(2_000 * second)
    for _again in range(60):
        watched.second(12_000, 50_000)
    assert len(watched.shown) == 1
    watched.second(12_600)
    assert watched.shown[1:] == ["orders: 12,600 versions compared, 20 a second"]


def test_the_last_line_says_what_was_written_last(watched: Watched) -> None:
    for second in range(1, 8):
        watched.second(2_000 * second)
    watched.path.write_text(Count(15_500).as_text())
    watched.watch.end()
    assert watched.shown[1:] == ["orders: 15,500 versions compared in 7 s"]


def test_a_short_run_shows_nothing(watched: Watched) -> None:
    for second in range(1, 6):
        watched.second(2_000 * second)
    watched.time.sleep(5)
    watched.watch.end()
    assert watched.shown == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_a_file_that_makes_no_sense_shows_nothing(watched: Watched, content: bytes) -> None:
    watched.path.write_bytes(content)
    for _again in range(10):
        watched.second(None)
    watched.watch.end()
    assert watched.shown == []


def test_trouble_with_showing_ends_the_lines_and_not_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def broken(text: str) -> None:
        asked.append(text)
        raise BrokenPipeError

    monkeypatch.setattr(action, "LOOK_SECONDS", 0.0)
    time = Time()
    watch = action.Watch(tmp_path / "progress.json", "orders", broken, time.clock)
    for second in range(5):
        (tmp_path / "progress.json").write_text(Count(second).as_text())
        watch.look()
        time.sleep(1)
    (tmp_path / "progress.json").write_text(Count(9).as_text())
    watch.until_over()
    watch.end()
    assert asked == ["orders: 9 versions compared, 1.8 a second", "orders: 9 versions compared in 5 s"]


class Task:
    """The task as an action knows it."""

    def __init__(self) -> None:
        self.args = {"name": "orders"}
        self.environment: list[dict[str, str]] | None = [{"FOO": "bar"}]
        self.async_val = 0
        self.no_log = False


class Run:
    """The action with a stand-in for the module, in place of Ansible's own execution."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.task = Task()
        self.connection = SimpleNamespace(transport="local")
        self.folder = folder
        self.shown: list[str] = []
        self.environment: list[dict[str, str]] | None = []
        self.in_folder: list[str] = []
        self.module: Callable[[Path | None], dict[str, Any]] = lambda path: RESULT
        monkeypatch.setattr(action, "ON_TERMINAL", True)
        monkeypatch.setattr(action, "show", self.shown.append)
        monkeypatch.setattr(action.constants, "DEFAULT_LOCAL_TMP", str(folder))

        def execute(plugin: action.ActionModule, tmp: object, task_vars: object) -> dict[str, Any]:
            return self._execute(plugin, tmp, task_vars)

        monkeypatch.setattr(NormalAction, "run", execute)

    def __call__(self) -> dict[str, Any]:
        """Run the task."""
        plugin = action.ActionModule(self.task, self.connection, None, None, None, None)
        result: dict[str, Any] = plugin.run(None, {"a": "variable"})
        return result

    def _execute(self, plugin: action.ActionModule, tmp: object, task_vars: object) -> dict[str, Any]:
        assert (tmp, task_vars) == (None, {"a": "variable"})
        self.environment = plugin._task.environment
        self.in_folder = [path.name for path in self.folder.iterdir()]
        return self.module(self.path())

    def path(self) -> Path | None:
        """The path that the module is told."""
        told = [variables[VARIABLE] for variables in self.environment or [] if VARIABLE in variables]
        return Path(told[0]) if told else None


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A task on this machine, at whose terminal a person looks."""
    return Run(monkeypatch, tmp_path)


def lines_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look of the thread take a second, in which 2,000 versions are compared, until two lines are shown."""
    time = Time()
    both = threading.Event()
    monkeypatch.setattr(action, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(action.Watch.__init__, "__defaults__", (time.clock,))

    def show(text: str) -> None:
        run.shown.append(text)
        if len(run.shown) == 2:
            both.set()

    read = action.Watch._read

    def another_second(watch: action.Watch) -> None:
        if not both.is_set():
            time.sleep(1)
            watch._path.write_text(Count(round(2_000 * time.now)).as_text())
        read(watch)

    def module(path: Path | None) -> dict[str, Any]:
        assert both.wait(60)
        return RESULT

    run.module = module
    monkeypatch.setattr(action, "show", show)
    monkeypatch.setattr(action.Watch, "_read", another_second)


def test_lines_are_shown_while_the_module_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lines_of(run, monkeypatch)
    assert run() == RESULT
    assert run.shown == [
        "orders: 12,000 versions compared, 2,000 a second",
        "orders: 22,000 versions compared, 2,000 a second",
        "orders: 22,000 versions compared in 11 s",
    ]


def test_the_result_is_what_the_module_returned(run: Run) -> None:
    assert run() is RESULT
    assert run.shown == []


def test_the_module_is_told_a_path_that_only_this_user_can_read(run: Run) -> None:
    modes = []
    run.module = lambda path: modes.append(path and path.parent.stat().st_mode & 0o777) or RESULT
    run()
    assert modes == [0o700]
    assert run.environment == [{"FOO": "bar"}, {VARIABLE: str(run.path())}]


@pytest.mark.parametrize("environment", [None, [], [{"FOO": "bar"}]])
def test_the_environment_of_the_task_is_as_before(run: Run, environment: list[dict[str, str]] | None) -> None:
    run.task.environment = environment
    run()
    assert run.path()
    assert run.task.environment is environment
    assert environment in (None, [], [{"FOO": "bar"}])


def remote(run: Run) -> None:
    """The module runs on another machine, which does not have the file."""
    run.connection.transport = "ssh"


def in_the_background(run: Run) -> None:
    """The action ends before the module."""
    run.task.async_val = 60


def hidden(run: Run) -> None:
    """Nobody may know anything of the task."""
    run.task.no_log = True


@pytest.mark.parametrize("unseen", [remote, in_the_background, hidden])
def test_where_nobody_can_look_the_module_is_told_nothing(run: Run, unseen: Callable[[Run], None]) -> None:
    unseen(run)
    assert run() is RESULT
    assert run.environment == [{"FOO": "bar"}]
    assert run.in_folder == []


def test_without_a_terminal_the_module_is_told_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action, "ON_TERMINAL", False)
    assert run() is RESULT
    assert run.environment == [{"FOO": "bar"}]
    assert run.in_folder == []


def test_without_room_for_a_folder_the_module_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action.constants, "DEFAULT_LOCAL_TMP", str(run.folder / "gone"))
    assert run() is RESULT
    assert run.environment == [{"FOO": "bar"}]


def test_without_another_thread_the_module_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    assert run() is RESULT
    assert list(run.folder.iterdir()) == []


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, SystemExit, RuntimeError, OSError])
def test_after_any_end_nothing_is_left(run: Run, trouble: type[BaseException]) -> None:
    before = threading.active_count()

    def module(path: Path | None) -> dict[str, Any]:
        assert path
        path.write_text(Count(1).as_text())
        path.with_name("progress.json.new").write_text("{")
        assert threading.active_count() == before + 1
        raise trouble("the module's own")

    run.module = module
    with pytest.raises(trouble, match="the module's own"):
        run()
    assert threading.active_count() == before
    assert list(run.folder.iterdir()) == []
    assert run.task.environment == [{"FOO": "bar"}]


def test_the_thread_has_ended_and_the_folder_is_gone_when_the_task_has(run: Run) -> None:
    before = threading.active_count()
    run()
    assert run.in_folder
    assert threading.active_count() == before
    assert list(run.folder.iterdir()) == []


def test_the_task_ends_after_a_line_that_is_just_being_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    def slow(watch: action.Watch) -> None:
        watch._over.wait(60)
        threading.Event().wait(0.05)
        ended.append(True)

    monkeypatch.setattr(action.Watch, "until_over", slow)
    run()
    assert ended == [True]


def test_what_is_shown_stays_out_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(
        action, "Display", lambda: SimpleNamespace(display=lambda *text, **how: shown.append((text, how)))
    )
    action.show(LINE)
    assert shown == [((LINE,), {"screen_only": True})]


def test_a_task_in_check_mode_or_in_the_background_is_not_refused() -> None:
    assert action.ActionModule._supports_check_mode
    assert action.ActionModule._supports_async
