"""A clone without its older commits is not taken for the whole history."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_history import require_history
from mlops_ci.errors import ConfigurationError
from tests.cli.repository import Repository, make_repository


def _shallow(folder: Path) -> Repository:
    made = make_repository(folder / "made")
    made.commit("first")
    made.write("notes.md", "words\n")
    made.commit("second")
    made.git("clone", "-q", "--depth", "1", f"file://{made.folder}", str(folder / "clone"))
    return Repository(folder / "clone")


def test_a_whole_clone_is_fine_and_a_shallow_one_is_named(tmp_path: Path) -> None:
    clone = _shallow(tmp_path)
    require_history(GitRepository(tmp_path / "made"))

    with pytest.raises(ConfigurationError, match="lacks older commits"):
        require_history(GitRepository(clone.folder))


@pytest.mark.parametrize("command", [["verify-log"], ["audit", "--out", "audit.zip"], ["store", "verify"]])
def test_what_git_vouches_for_is_not_looked_for_in_a_shallow_clone(tmp_path: Path, command: list[str]) -> None:
    answer = _shallow(tmp_path).run(*command)

    assert answer.code == 2
    assert "fetch-depth: 0" in answer.said
