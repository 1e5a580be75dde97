"""`update --pull-request`: the scheduled workflow's way, on plain Git and on a stand-in of GitHub."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_ci import __version__
from tests.github.serving import serving
from tests.template.toolkit import Team, Toolkit, facts, make_team, make_toolkit

BRANCH = "mlops-ci/update/template"


@pytest.fixture
def toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolkit:
    return make_toolkit(tmp_path / "toolkit", monkeypatch)


@pytest.fixture
def team(toolkit: Toolkit, tmp_path: Path) -> Team:
    return make_team(tmp_path / "team")


def on_branch(team: Team, name: str) -> str:
    return team.git("show", f"{BRANCH}:{name}")


def test_it_is_committed_to_a_branch_of_its_own_and_the_work_tree_stays(toolkit: Toolkit, team: Team) -> None:
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    toolkit.remove("small/train.py")
    team.write("train.py.orig", "an editor's")
    before = team.state()

    answer = team.update("--pull-request")

    assert (answer.code, answer.value["outcome"], answer.value["pull_request"]) == (0, "proposed", 1)
    assert facts(answer) == {"changed": ["mlops.yaml"], "removed": ["train.py"]}
    assert team.state() == before
    assert "looks: 30" in on_branch(team, "mlops.yaml")
    assert "train.py" not in team.git("ls-tree", "--name-only", BRANCH).split()
    team.git("merge", "-q", "--ff-only", BRANCH)
    assert team.update("--pull-request").value["outcome"] == "up-to-date"


def test_the_next_week_it_is_the_same_pull_request(toolkit: Toolkit, team: Team) -> None:
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    first, head = team.update("--pull-request"), team.git("rev-parse", BRANCH)
    again = team.update("--pull-request")
    assert (again.value["outcome"], again.value["pull_request"]) == ("proposed", first.value["pull_request"])
    assert team.git("rev-parse", BRANCH) == head

    toolkit.edit("small/mlops.yaml.jinja", "looks: 30", "looks: 40")
    later = team.update("--pull-request")
    assert later.value["pull_request"] == first.value["pull_request"]
    assert "looks: 40" in on_branch(team, "mlops.yaml")
    team.write("notes.md", "main goes on\n")
    team.commit("notes")
    assert team.update("--pull-request").value["outcome"] == "proposed"
    assert team.git("merge-base", "main", BRANCH) == team.git("rev-parse", "main")


def test_conflicts_are_in_the_pull_request_with_their_lines(toolkit: Toolkit, team: Team) -> None:
    team.edit("mlops.yaml", "looks: 20", "looks: 5")
    team.commit("ours")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    answer = team.update("--pull-request")
    assert (answer.code, answer.value["outcome"]) == (0, "proposed")
    assert [problem["where"] for problem in answer.value["conflicts"]] == ["mlops.yaml:10"]
    assert "<<<<<<< your repository\n  looks: 5\n" in on_branch(team, "mlops.yaml")


def test_what_people_have_pushed_to_it_stays(toolkit: Toolkit, team: Team) -> None:
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    team.update("--pull-request")
    team.git("switch", "-q", BRANCH)
    team.write("README.md", "mended by hand\n")
    team.commit("mended")
    head = team.git("rev-parse", "HEAD")
    team.git("switch", "-q", "main")
    toolkit.edit("small/mlops.yaml.jinja", "looks: 30", "looks: 40")
    answer = team.update("--pull-request")
    assert (answer.code, answer.value["outcome"]) == (0, "in-progress")
    assert team.git("rev-parse", BRANCH) == head


def test_check_proposes_nothing(toolkit: Toolkit, team: Team) -> None:
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    assert team.update("--pull-request", "--check").value["outcome"] == "behind"
    assert BRANCH not in team.git("branch", "--list", BRANCH)


@dataclass(frozen=True)
class OnGitHub:
    team: Team
    hub: Any

    def update(self, monkeypatch: pytest.MonkeyPatch, token: str) -> Any:
        """As a workflow runs it; reading the environment takes the token out of it."""
        for name, value in {
            "MLOPS_FORGE": "github", "MLOPS_GITHUB_TOKEN": token, "GITHUB_REPOSITORY": self.hub.repository,
            "GITHUB_API_URL": self.hub.url, "GITHUB_SERVER_URL": self.hub.server_url,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        return self.team.update("--pull-request")


@pytest.fixture
def world(team: Team, tmp_path: Path) -> Iterator[OnGitHub]:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(team.folder), str(bare)], check=True)
    team.git("remote", "add", "origin", str(bare))
    with serving(bare) as hub:
        yield OnGitHub(team, hub)


def test_on_github(world: OnGitHub, toolkit: Toolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    toolkit.edit("small/mlops.yaml.jinja", "looks: 20", "looks: 30")
    toolkit.edit("all/.github/workflows/ci.yml", "@v1", "@v2")
    toolkit.remove("small/train.py")

    answer = world.update(monkeypatch, world.hub.app_token)

    assert (answer.code, answer.value["outcome"]) == (0, "proposed"), answer.said
    (pull,) = world.hub.pulls.values()
    assert (pull["title"], pull["head"]["ref"]) == (f"Update the template to mlops-ci {__version__}", BRANCH)
    assert "Changed: .github/workflows/ci.yml, mlops.yaml" in pull["body"]
    assert "Gone: train.py" in pull["body"]
    world.team.git("fetch", "-q", "origin", f"{BRANCH}:{BRANCH}")
    assert "looks: 30" in on_branch(world.team, "mlops.yaml")
    assert "train.py" not in world.team.git("ls-tree", "--name-only", BRANCH).split()

    assert world.update(monkeypatch, world.hub.app_token).value["outcome"] == "proposed"
    world.hub.close(pull["number"], "alice")
    declined = world.update(monkeypatch, world.hub.app_token)
    assert (declined.code, declined.value["outcome"], len(world.hub.pulls)) == (0, "declined", 1)
    toolkit.edit("small/mlops.yaml.jinja", "looks: 30", "looks: 40")
    assert world.update(monkeypatch, world.hub.app_token).value["outcome"] == "proposed"
    assert len(world.hub.pulls) == 2


def test_a_token_that_may_not_change_workflows_is_told_what_is_missing(
    world: OnGitHub, toolkit: Toolkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolkit.edit("all/.github/workflows/ci.yml", "@v1", "@v2")
    answer = world.update(monkeypatch, world.hub.token)
    assert answer.code != 0
    assert "workflows" in answer.said
    assert world.hub.token not in answer.said + answer.stderr
    assert not world.hub.pulls
