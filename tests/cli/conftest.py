from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.repository import Repository, copied, make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Files that nothing has been done with, and no Git."""
    return make_repository(tmp_path / "team")


@pytest.fixture(scope="session")
def once_judged(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The same after one `ci`, to be copied and never written to."""
    made = make_repository(tmp_path_factory.mktemp("judged") / "team")
    answer = made.run("ci")
    assert answer.code == 0, answer.stderr
    assert answer.value["verdict"] == "first"
    return made


@pytest.fixture
def judged(once_judged: Repository, tmp_path: Path) -> Repository:
    """A repository whose candidate is trained, exported and judged; no Git."""
    return copied(once_judged, tmp_path / "team")
