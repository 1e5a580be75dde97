"""`mlops-ci demo` as a newcomer runs it: a process of its own, twice, and after it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_ci.adapters.process_target import ProcessTarget
from mlops_ci.cli.console import StderrConsole
from mlops_ci.cli.demo import MARKER, STORY
from mlops_ci.cli.demo_world import REPOSITORY
from tests.cli.repository import ROOT


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mlops_ci", "demo", "--json", "--dir", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def end_in_the_middle(folder: Path, number: signal.Signals) -> int:
    """Sends the signal when the second release is about to be judged, while the first serves; returns the exit code."""
    process = start(folder)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[Ada] Use gradient boosting"):
            break
    assert left_over(folder), "services of the first release should be running"
    process.send_signal(number)
    process.communicate()
    return process.returncode


def left_over(folder: Path) -> list[str]:
    """The command lines of all processes that have to do with the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "demo"
    yield place
    ProcessTarget(place / REPOSITORY / ".mlops" / "run", console=StderrConsole(quiet=True)).shut_down()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_demo_runs_after_it_was_killed_and_leaves_no_process(folder: Path) -> None:
    assert end_in_the_middle(folder, signal.SIGKILL) == -signal.SIGKILL
    assert left_over(folder), "a killed demo cannot end its services, so the next one has to"
    require_the_whole_story(folder)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_demo_ends_cleanly_when_asked_to_and_runs_again_and_again(folder: Path) -> None:
    assert end_in_the_middle(folder, signal.SIGTERM) == 130
    assert left_over(folder) == []
    for _ in range(2):
        require_the_whole_story(folder)


def require_the_whole_story(folder: Path) -> None:
    process = start(folder)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    value = json.loads(stdout)
    assert [step["name"] for step in value["steps"]] == [name for name, _ in STORY]
    assert [step for step in value["steps"] if not step["ok"]] == []
    assert value["ok"] is True
    assert all(step.keys() >= {"name", "ok", "seconds", "result"} for step in value["steps"])
    report = Path(value["report"]).read_text(encoding="utf-8")
    assert [name for name, _ in STORY if name not in report] == []
    assert left_over(folder) == []


def test_a_folder_of_somebody_else_is_refused_and_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")

    process = start(folder)
    stdout, stderr = process.communicate()

    assert process.returncode == 2
    assert "not an earlier demo" in json.loads(stdout)["error"]["what"]
    assert "error: " in stderr
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("thesis.tex", "years of work")]


def test_a_file_in_the_way_is_no_surprise(folder: Path) -> None:
    folder.write_text("a file")

    process = start(folder)
    stdout, _ = process.communicate()

    assert process.returncode == 2
    assert str(folder) in json.loads(stdout)["error"]["what"]
    assert folder.read_text() == "a file"


def test_a_demo_that_was_killed_while_it_cleared_the_folder_knows_it_again(folder: Path) -> None:
    """All that is sure to be there by then is the mark."""
    from mlops_ci.adapters.environment import read_environment
    from mlops_ci.cli.context import Context
    from mlops_ci.cli.demo import _prepare

    (folder / "later").mkdir(parents=True)
    (folder / MARKER).write_text("made by `mlops-ci demo`")
    (folder / "report.html").write_text("old")
    (folder / "link").symlink_to(folder.parent)
    context = Context(
        directory=folder.parent, store_url=None, environment=read_environment(), console=StderrConsole(quiet=True)
    )

    _prepare(folder, context)

    assert [path.name for path in folder.iterdir()] == [MARKER]
