from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.repository import Repository

KIND = "tabular-classification"


@pytest.fixture
def place(tmp_path: Path) -> Repository:
    (tmp_path / "place").mkdir()
    return Repository(tmp_path / "place")


def test_a_new_folder_can_be_checked_at_once(place: Repository) -> None:
    answer = place.run("init", KIND, "team", "--answer", "model=tides")

    assert answer.code == 0
    assert (answer.value["kind"], answer.value["destination"]) == (KIND, str(place.folder / "team"))
    assert {"mlops.yaml", "train.py"} <= set(answer.value["files"])
    checked = Repository(place.folder / "team").run("check")
    assert (checked.code, checked.value["model"], checked.value["ok"]) == (0, "tides", True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tabular", "team"], "there is no template 'tabular'"),
        ([KIND, "team", "--answer", "model"], "has no ="),
        ([KIND, "team", "--answer", "model=Not A Name"], "'Not A Name' cannot be taken"),
        ([KIND, "team", "--answer", "colour=red"], "the template asks no such question"),
        ([KIND, "occupied"], "is not empty, and no Git repository: mine.txt"),
        ([KIND, "occupied/mine.txt"], "is a file"),
        ([KIND, "occupied/mine.txt/below"], "cannot write to"),
    ],
)
def test_what_cannot_be_is_refused_and_writes_nothing(place: Repository, arguments: list[str], says: str) -> None:
    place.write("occupied/mine.txt", "mine")
    before = place.fingerprint()

    answer = place.run("init", *arguments)

    assert answer.code == 2
    assert says in answer.said
    assert place.fingerprint() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_killed_while_it_writes_it_leaves_no_half_folder(place: Repository, number: signal.Signals) -> None:
    """The folder is watched: as soon as anything is written the process is stopped where it is, and then killed."""
    process = place.start("init", KIND, "team", "--defaults")
    while not any(place.folder.iterdir()) and process.poll() is None:
        pass
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
    whole = place.folder / "team"
    process.send_signal(number)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGCONT)
    process.communicate()

    if whole.exists():  # it was faster than the signal
        assert (whole / ".mlops-template.yaml").exists()
        assert (whole / "data" / "flights-2013-q4.parquet").exists()
        return
    assert process.returncode == (130 if number == signal.SIGTERM else -signal.SIGKILL)
    left = [path.name for path in place.folder.iterdir()]
    # Nobody can clean up after SIGKILL, but what is left is hidden and in nobody's way.
    assert [name for name in left if not (number == signal.SIGKILL and name.startswith(".mlops-init-"))] == []
    assert place.run("init", KIND, "team").code == 0
