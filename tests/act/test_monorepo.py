"""A repository of two models: each is planned, trained, reported and released by itself, or both at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.act.github_actions import names_of, passed
from tests.act.leaks import leaks
from tests.act.starting import QUICK, rendered, replace, thin_out
from tests.act.team import Team, team_with

FEW_ROWS = ("min_rows: 200", "min_rows: 50")
"""What a model may be off by that was trained on a tenth of the rows."""
SMALL = {
    "air-time": (
        ("max_iter: 80", "max_iter: 30"), ("metric: rmse, max: 14", "metric: rmse, max: 40"),
        ("metric: mae, max: 10", "metric: mae, max: 20"), FEW_ROWS,
    ),
    "flight-delay": (FEW_ROWS,),
}  # fmt: skip


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, toolkit: Path) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("monorepo")
    repository = rendered("monorepo", folder / "repository")
    for file in sorted((repository / "data").glob("*.parquet")):
        thin_out(file, rows=400)
    for model, changes in SMALL.items():
        replace(repository / "models" / model / "mlops.yaml", *changes, *QUICK)
    with team_with(repository, folder / "team", toolkit) as made:
        yield made


def test_one_model_is_trained_then_both_and_a_merge_releases_both(team: Team) -> None:
    team.branch("air")
    team.edit("models/air-time/mlops.yaml", "max_depth: 4", "max_depth: 3")
    team.push("Shallower trees")
    number = team.hub.open_pull_request(branch="air", user="dana", title="Shallower trees")
    model, _ = passed(team.settle())
    assert [job.matrix for job in model.all("train")] == [{"models": "air-time", "name": "air-time"}]
    assert sorted(model.uploaded) == ["mlops-ci-candidates-air-time", "mlops-ci-reports-air-time"]

    shared = team.clone / "libs" / "flight_columns.py"
    shared.write_text(shared.read_text(encoding="utf-8") + "# a word more\n", encoding="utf-8")
    team.push("A word in the shared code")
    model, report = passed(team.settle())
    assert sorted(job.matrix["name"] for job in model.all("train")) == ["air-time", "flight-delay"]
    [comment] = [each["body"] for each in team.hub.comments if each["issue_number"] == number]
    assert "air-time" in comment
    assert "flight-delay" in comment
    assert report.ok

    team.hub.merge(number, "dana")
    runs = passed(team.settle())
    release = next(run for run in runs if names_of([run]) == ["push: model-release"])
    assert sorted(job.matrix["name"] for job in release.all("release")) == ["air-time", "flight-delay"]
    assert sorted(each["environment"] for each in team.hub.deployments) == ["qa", "qa"]
    proposals = sorted(pull["head"]["ref"] for pull in team.hub.pulls.values() if pull["state"] == "open")
    assert proposals == ["mlops-ci/promote/production/air-time", "mlops-ci/promote/production/flight-delay"]
    assert leaks(team) == []
