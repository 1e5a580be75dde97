"""The life of a model through GitHub's events: first release, a better challenger, its promotion, and the way back."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.cli.main import main
from tests.act.github_actions import names_of, passed
from tests.act.leaks import leaks
from tests.act.starting import QUICK, rendered, replace, thin_out
from tests.act.team import Team, team_with

MODEL = "flight-delay"
SMALL = (("max_iter: 150", "max_iter: 1"), ("max_depth: 4", "max_depth: 1"))
"""One tree with one question: the first model, which is easily beaten."""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, toolkit: Path) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("story")
    repository = rendered("tabular-classification", folder / "repository")
    for later in ("q2", "q3", "q4"):
        (repository / "data" / f"flights-2013-{later}.parquet").unlink()
    thin_out(repository / "data" / "flights-2013-q1.parquet", rows=3000)
    replace(repository / "mlops.yaml", *SMALL, *QUICK)
    with team_with(repository, folder / "team", toolkit) as made:
        made.hub.team("ml-owners", ["alice"])
        yield made


@pytest.fixture(scope="module")
def first(team: Team) -> str:
    return first_release(team)


@pytest.fixture(scope="module")
def second(team: Team, first: str) -> str:
    return better_challenger(team)


def test_the_first_model_is_released_by_hand_and_promoted_by_a_review(team: Team, first: str) -> None:
    assert first in team.main(f"environments/production/{MODEL}.yaml")
    assert leaks(team) == []


def test_a_better_one_goes_from_a_pull_request_to_production(team: Team, first: str, second: str) -> None:
    assert second != first
    assert leaks(team) == []


def test_a_person_goes_back_to_the_release_before(team: Team, first: str, second: str) -> None:
    runs = passed(
        team.dispatch("model-rollback", model=MODEL, environment="production", reason="complaints", release="")
    )
    assert names_of(runs)[0] == "workflow_dispatch: model-rollback"
    assert serving_version(team, "production") == "1"
    assert first in team.main(f"environments/production/{MODEL}.yaml")
    [row] = [row for row in asked(team, "status")["environments"] if row["environment"] == "production"]
    assert (row["release"], row["version"]) == (first, 1)
    assert leaks(team) == []


def first_release(team: Team) -> str:
    """Somebody starts the release by hand, and an owner approves what it proposes."""
    runs = passed(team.dispatch("model-release"))
    assert names_of(runs)[0] == "workflow_dispatch: model-release"
    return released_and_promoted(team, version=1)


def released_and_promoted(team: Team, *, version: int) -> str:
    """What was released is verified in qa, proposed, approved by alice, and serves production; its id."""
    [proposal] = [pull for pull in team.hub.pulls.values() if pull["state"] == "open"]
    assert proposal["head"]["ref"] == f"mlops-ci/promote/production/{MODEL}"
    assert serving_version(team, "qa") == str(version)
    team.hub.review(proposal["number"], "alice", "APPROVED")
    runs = passed(team.settle())
    assert "workflow_dispatch: model-promote" in names_of(runs), names_of(runs)
    assert team.hub.pulls[proposal["number"]]["merged"]
    assert serving_version(team, "production") == str(version)
    why = asked(team, "why", "--environment", "production")
    assert (why["version"], why["approved_by"]) == (version, ["alice"])
    return str(why["release"])


def better_challenger(team: Team) -> str:
    """A pull request is judged, and its one comment follows its commits; the merge releases what it trained."""
    team.branch("more-trees")
    team.edit("mlops.yaml", "l2_regularization: 10.0", "l2_regularization: 11.0")
    team.push("Another regularisation")
    number = team.hub.open_pull_request(branch="more-trees", user="dana", title="More trees")
    runs = passed(team.settle())
    assert names_of(runs) == ["pull_request: model-pull-request", "workflow_run: model-report"]
    assert runs[0].results == {"plan": "success", "train": "success", "admit": "success", "gate": "success"}
    [before] = reports(team, number)
    assert "Better than" not in before

    team.edit("mlops.yaml", "max_iter: 1\n", "max_iter: 30\n")
    team.edit("mlops.yaml", "max_depth: 1\n", "max_depth: 3\n")
    head = team.push("Thirty trees with three questions")
    runs = passed(team.settle())
    assert names_of(runs) == ["pull_request: model-pull-request", "workflow_run: model-report"]
    [after] = reports(team, number)
    assert "Better than" in after
    assert [check["conclusion"] for check in team.hub.checks if check["head_sha"] == head] == ["success"]

    trained = len(candidates(team))
    team.hub.merge(number, "dana")
    runs = passed(team.settle())
    assert "push: model-release" in names_of(runs)
    assert len(candidates(team)) == trained, "what the pull request trained is not trained again"
    return released_and_promoted(team, version=2)


def candidates(team: Team) -> list[str]:
    return sorted(path.name for path in (team.store / "candidates" / MODEL).glob("*"))


def reports(team: Team, number: int) -> list[str]:
    return [comment["body"] for comment in team.hub.comments if comment["issue_number"] == number]


def serving_version(team: Team, environment: str) -> str:
    """The version that answers at the address which the environment's deployment names."""
    deployment = [each for each in team.hub.deployments if each["environment"] == environment][-1]
    url = next(status["environment_url"] for status in deployment["statuses"] if status["environment_url"])
    with urllib.request.urlopen(f"{url}/v2/models/{MODEL}", timeout=10) as answer:
        [version] = json.load(answer)["versions"]
    return str(version)


def asked(team: Team, *command: str) -> dict[str, Any]:
    """What a person who has the store is told on her own machine."""
    team.git("pull", "-q", "--ff-only", str(team.remote), "main")
    said = io.StringIO()
    with redirect_stdout(said):
        code = main([*command, "--json", "-C", str(team.clone), "--store", str(team.store)])
    assert code == 0, said.getvalue()
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer
