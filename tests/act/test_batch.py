"""The template for batch scoring: released by hand, scored and monitored every night, trained again when told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.act.github_actions import names_of, passed
from tests.act.leaks import leaks
from tests.act.starting import QUICK, rendered, replace, thin_out
from tests.act.team import Team, team_with

SMALL = (
    ("max_iter: 100", "max_iter: 20"),
    ("metric: log_loss, max: 0.28", "metric: log_loss, max: 0.6"),
    ("metric: brier_score, max: 0.075", "metric: brier_score, max: 0.2"),
    ("min_rows: 200", "min_rows: 20"),
)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, toolkit: Path) -> Iterator[Team]:
    """With a first release in qa."""
    folder = tmp_path_factory.mktemp("batch")
    repository = rendered("batch-scoring", folder / "repository")
    (repository / "docs").mkdir()
    shutil.copy(repository / "data" / "readings-2013-q4.parquet", repository / "docs" / "newer.parquet")
    for file in sorted((repository / "data").glob("*.parquet")):
        thin_out(file, rows=500)
    replace(repository / "mlops.yaml", *SMALL, *QUICK)
    with team_with(repository, folder / "team", toolkit) as made:
        passed(made.dispatch("model-release"))
        yield made


def test_every_night_what_came_in_is_scored(team: Team) -> None:
    [run] = passed(team.tick("model-score"))
    assert names_of([run]) == ["schedule: model-score"]
    assert list(run.uploaded) == ["scored"]
    [file] = run.uploaded["scored"]
    scored = pd.read_parquet(run.artifacts / "scored" / file)
    came_in = sum(len(pd.read_parquet(file)) for file in (team.clone / "incoming").glob("*.parquet"))
    assert len(scored) == came_in
    assert leaks(team) == []


def give(team: Team, workflow: str, said: str) -> None:
    """Has the caller of a workflow pass something on, as a team would that keeps newer data somewhere."""
    file = team.clone / ".github" / "workflows" / team.caller(workflow)
    text = file.read_text(encoding="utf-8").rstrip()
    text = text.replace("    secrets:\n", f"    with: {{{said}}}\n    secrets:\n")
    file.write_text(f"{text}\n", encoding="utf-8")


def test_an_alarm_is_one_issue(team: Team) -> None:
    team.branch("watched")
    newer = team.clone / "docs" / "newer.parquet"
    rows = pd.read_parquet(newer)
    rows.assign(pressure=rows["pressure"] + 60).to_parquet(newer, index=False)
    give(team, "model-monitor", "input: docs/newer.parquet")
    merged(team, "Watch the newest readings")
    [run] = passed(team.tick("model-monitor"))
    assert run.results == {"plan": "success", "monitor": "success"}
    assert team.hub.issues, run.log
    passed(team.tick("model-monitor"))
    [issue] = team.hub.issues.values()
    assert (issue["state"], "pressure" in issue["body"]) == ("open", True)
    assert issue["user"]["login"] == "github-actions[bot]"
    assert leaks(team) == []


def test_a_retrain_is_a_pull_request_like_any_other(team: Team) -> None:
    team.branch("more-data")
    rows = pd.read_parquet(team.clone / "data" / "readings-2013-q4.parquet")
    later = rows.assign(
        time_hour=pd.to_datetime(rows["time_hour"]) + pd.Timedelta(days=92), reading_id=rows["reading_id"] + 10**8
    )
    later.astype(rows.dtypes.to_dict()).to_parquet(team.clone / "docs" / "readings-2014-q1.parquet", index=False)
    give(team, "model-retrain", "data: docs/readings-2014-q1.parquet, reason: a new quarter")
    merged(team, "The next quarter")
    runs = passed(team.tick("model-retrain"))
    assert names_of(runs) == [
        "schedule: model-retrain", "pull_request: model-pull-request", "workflow_run: model-report",
    ]  # fmt: skip
    [pull] = [pull for pull in team.hub.pulls.values() if pull["head"]["ref"].startswith("mlops-ci/retrain/")]
    assert pull["user"]["login"] == "acme-mlops[bot]"
    assert pull["title"] == "Retrain rain-soon: a new quarter"
    assert any(comment["issue_number"] == pull["number"] for comment in team.hub.comments)
    assert leaks(team) == []


def merged(team: Team, title: str) -> None:
    team.push(title)
    branch = team.git("rev-parse", "--abbrev-ref", "HEAD")
    number = team.hub.open_pull_request(branch=branch, user="dana", title=title)
    team.hub.merge(number, "dana")
    passed(team.settle())
