"""A repository that no template made: its model in a folder of its own, its callers written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.act.github_actions import names_of, passed
from tests.act.leaks import leaks
from tests.act.team import Team, team_with
from tests.cli.repository import make_repository

CALLER = """\
name: {name}
on: {on}
permissions: {{}}
jobs:
  models:
    uses: mlops-ci/mlops-ci/.github/workflows/{name}.yml@v1
    permissions: {permissions}
{more}"""
WITHIN = "    with: {directory: ml/late}\n"
SECRETS = "    secrets: {app-private-key: '${{ secrets.MLOPS_APP_PRIVATE_KEY }}'}\n"
CALLERS = {
    "model-pull-request": ("[pull_request]", "{contents: read, id-token: write}", WITHIN),
    "model-report": (
        "{workflow_run: {workflows: [model-pull-request], types: [completed]}}",
        "{actions: read, checks: write, pull-requests: write}",
        "",
    ),
    "model-release": (
        "{push: {branches: [main]}}",
        "{checks: write, contents: write, deployments: write, id-token: write, packages: write, pull-requests: write}",
        WITHIN + SECRETS,
    ),
}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, toolkit: Path) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("subfolder")
    repository = folder / "repository"
    (repository / "ml" / "late").mkdir(parents=True)
    make_repository(repository / "ml" / "late")
    for name, (on, permissions, more) in CALLERS.items():
        file = repository / ".github" / "workflows" / f"{name}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(CALLER.format(name=name, on=on, permissions=permissions, more=more), encoding="utf-8")
    with team_with(repository, folder / "team", toolkit) as made:
        yield made


def test_it_is_judged_in_a_pull_request_and_released_by_its_merge(team: Team) -> None:
    team.branch("stronger")
    team.edit("ml/late/mlops.yaml", "C: 1.0", "C: 2.0")
    team.push("Less regularisation")
    number = team.hub.open_pull_request(branch="stronger", user="dana", title="Less regularisation")
    model, report = passed(team.settle())
    assert model.results == {"plan": "success", "train": "success", "admit": "success", "gate": "success"}
    assert report.ok
    assert [comment["issue_number"] for comment in team.hub.comments] == [number]
    trained = sorted(path.name for path in (team.store / "candidates" / "late").iterdir())

    team.hub.merge(number, "dana")
    runs = passed(team.settle())
    assert "push: model-release" in names_of(runs)
    assert sorted(path.name for path in (team.store / "candidates" / "late").iterdir()) == trained
    assert "release" in team.main("ml/late/environments/qa/late.yaml")
    assert [each["environment"] for each in team.hub.deployments] == ["qa"]
    assert leaks(team) == []
