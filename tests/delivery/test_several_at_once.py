"""Two commands at the same moment: both end well, or one stops with a clear message; nothing is half written."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlops_ci.errors import MlopsError, OutsideError
from mlops_ci.pipeline.desired_state import ATTEMPTS, commit_desired
from tests.delivery.world import MODEL, Line, World

ONE, TWO = Line(slope=1.0), Line(slope=1.01)


def both(one: World, other: World) -> list[str | OutsideError]:
    def release(world: World, line: Line) -> str | OutsideError:
        try:
            return world.release(line).id
        except OutsideError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(release, (one, other), (ONE, TWO)))


@pytest.mark.parametrize("attempt", range(3))
def test_two_releases_in_one_repository(world: World, attempt: int) -> None:
    results = both(world, world)
    for result in results:
        if isinstance(result, OutsideError):
            assert result.exit_code == 20
            assert "at work on tides in qa" in result.what or "Git changed meanwhile" in result.what
    assert any(isinstance(result, str) for result in results)
    for line in (ONE, TWO):  # whoever was turned away comes again
        world.release(line)
    world.require_settled()
    assert sorted(world.log.state(MODEL).versions) == [1, 2]
    assert world.git("status", "--porcelain") == ""
    assert world.count("registered") == 2
    open_ones = [number for number in (1, 2) if world.repository.refs(f"refs/mlops-ci/pulls/{number}")]
    assert open_ones == [1]


def test_two_clones_that_share_a_store(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    subprocess.run(["git", "clone", "-q", world.root, tmp_path / "other" / "repository"], check=True)
    (tmp_path / "other" / "store").symlink_to(tmp_path / "world" / "store")
    (tmp_path / "world" / "store").mkdir(exist_ok=True)
    other = World(tmp_path / "other")
    assert all(isinstance(result, str) for result in both(world, other))
    state = world.log.state(MODEL)
    assert sorted(state.versions) == [1, 2]
    assert state.environments["qa"].verified == set(state.versions.values())
    assert not world.verified_log()
    assert not other.verified_log()


def test_a_second_reconcile_is_turned_away(world: World) -> None:
    world.deliver(ONE)
    with world.site().exclusive(), pytest.raises(OutsideError, match="at work on tides in production"):
        world.reconcile()
    assert world.reconcile().outcome == "unchanged"


def test_commits_to_main_that_race_are_all_made(world: World) -> None:
    def commit(number: int) -> str:
        return commit_desired(
            world.repository, environment=f"e{number}", model=MODEL, release=f"{number:064x}", version=number,
            branch="main", message=f"number {number}",
        )  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(commit, range(8)))
    assert len(set(made)) == 8
    assert world.git("rev-list", "--count", "HEAD") == "9"
    assert world.git("status", "--porcelain") == ""


def test_a_branch_that_never_stands_still_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_ci.adapters.git import GitRepository

    tried = []

    def always_late(repository: GitRepository, *_: object, **__: object) -> str:
        tried.append(1)
        world.git("commit", "-q", "--allow-empty", "-m", "somebody else")
        raise OutsideError("branch main moved")

    monkeypatch.setattr(GitRepository, "commit_files", always_late)
    with pytest.raises(MlopsError, match="moved"):
        commit_desired(
            world.repository, environment="qa", model=MODEL, release="a" * 64, version=1, branch="main", message="m"
        )
    assert len(tried) == ATTEMPTS
