"""The walk of `crash_walk.py` as far as a test can wait for it, and what a kill in the middle of a change leaves.

Every third change of a promotion and of a rollback, every ninth of the other commands; `nox -s crashes` walks all of
it, and test_crashes.py kills each command at each of its changes in memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from mlops_ci.adapters.local_store import LocalStore
from tests.delivery.crash_walk import STORIES, beginning, walk
from tests.delivery.killing import run

pytestmark = pytest.mark.slow
CLOSELY = ("promote", "rollback")


@pytest.mark.long
@pytest.mark.parametrize("name", STORIES)
def test_what_a_killed_command_began_is_finished_or_undone_by_the_next(name: str, tmp_path: Path) -> None:
    with beginning(tmp_path / "world") as begun:
        kills = walk(begun, STORIES[name], stride=3 if name in CLOSELY else 9)
        assert kills > (3 if name in CLOSELY else 0)
        assert begun.users.asked


def create(folder: Path, data: bytes) -> None:
    LocalStore(folder).create("events/tides/1.json", data)


def test_a_record_is_there_whole_or_not_at_all_and_nothing_else_is(tmp_path: Path) -> None:
    whole = run(partial(create, tmp_path / "whole", b"x" * 100_000), every=True)
    assert any("events/tides" in change for change in whole.changes)
    for number in range(1, len(whole.changes) + 1):
        folder = tmp_path / str(number)
        assert run(partial(create, folder, b"x" * 100_000), kill_before=number, every=True).killed
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert [path.read_bytes() for path in files] in ([], [b"x" * 100_000])
        LocalStore(folder).create("events/tides/1.json", b"y")
        assert LocalStore(folder).list("events") == ["events/tides/1.json"]
