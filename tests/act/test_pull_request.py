"""A pull request of the template for regression: from a branch, from a fork, with bad data, with nothing to train."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.act.github_actions import names_of, passed
from tests.act.leaks import leaks
from tests.act.running import Run
from tests.act.starting import rendered, replace, thin_out
from tests.act.team import Team, team_with

MODEL = "air-time"
BOTH = ["pull_request: model-pull-request", "workflow_run: model-report"]
SMALL = (
    ("max_iter: 80", "max_iter: 30"),
    ("metric: rmse, max: 14", "metric: rmse, max: 40"),
    ("metric: mae, max: 10", "metric: mae, max: 20"),
    ("min_rows: 200", "min_rows: 50"),
)
"""A model of few rows is neither judged by airport, nor as good as one of all of them."""
HOSTILE = """
import atexit
import json
import os
import sys
from pathlib import Path

print("SEEN", json.dumps(dict(os.environ)), file=sys.stderr)


def tamper():
    for name in sys.argv:
        if name.startswith("--reports="):
            folder = Path(name.partition("=")[2])
            for file in folder.glob("*.json"):
                report = json.loads(file.read_text())
                report |= {"pull_request": 1, "number": 1, "conclusion": "success"}
                report["reasons"] = ["@acme/ml-owners <img src=x> [approved](https://example.com) superior"]
                file.write_text(json.dumps(report))
            (folder / "report.md").write_text("HOSTILE WORDS")
            (folder / "other.json").write_text(json.dumps({"pull_request": 1, "body": "HOSTILE WORDS"}))


atexit.register(tamper)
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, toolkit: Path) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("regression")
    repository = rendered("tabular-regression", folder / "repository")
    for file in sorted((repository / "data").glob("*.parquet")):
        thin_out(file, rows=400)
    replace(repository / "mlops.yaml", *SMALL)
    with team_with(repository, folder / "team", toolkit) as made:
        made.variables |= {"MLOPS_AWS_REGION": "eu-west-1", "MLOPS_AWS_READ_ROLE": "reader", "MLOPS_AWS_ROLE": "writer"}
        yield made


def comments(team: Team, number: int) -> list[str]:
    return [comment["body"] for comment in team.hub.comments if comment["issue_number"] == number]


def identities(team: Team) -> list[tuple[str, str]]:
    """Which job asked AWS for which role since the last time."""
    file = team.folder / "kept" / "logins"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [(line.split()[1], line.split()[2].removeprefix("role-to-assume=")) for line in lines]


def proposed(team: Team, branch: str) -> tuple[int, list[Run]]:
    """The number of the pull request of what was edited, and what it started."""
    team.push(branch)
    number = team.hub.open_pull_request(branch=branch, user="dana", title=branch)
    return number, team.settle()


def test_what_it_trains_is_admitted_and_reported(team: Team) -> None:
    team.branch("deeper")
    team.edit("mlops.yaml", "max_depth: 4", "max_depth: 5")
    number, runs = proposed(team, "deeper")
    model, report = passed(runs)
    assert names_of(runs) == BOTH
    assert model.results == {"plan": "success", "train": "success", "admit": "success", "gate": "success"}
    assert sorted(model.uploaded) == [f"mlops-ci-candidates-{MODEL}", f"mlops-ci-reports-{MODEL}"]
    [lock] = [path.stem for path in (team.store / "candidates" / MODEL).iterdir()]
    assert f"candidates/{MODEL}/{lock}.json" in model.uploaded[f"mlops-ci-candidates-{MODEL}"]
    assert report.results == {"report": "success"}
    assert identities(team) == [("train", "reader"), ("admit", "writer")]
    [comment] = comments(team, number)
    assert MODEL in comment
    assert "first" in comment
    head = team.hub.pulls[number]["head"]["sha"]
    assert [check["conclusion"] for check in team.hub.checks if check["head_sha"] == head] == ["success"]
    assert all(run.summary for run in runs)
    assert leaks(team) == []


def test_words_alone_train_nothing_and_pass(team: Team) -> None:
    team.branch("words")
    (team.clone / "README.md").write_text("Other words.\n", encoding="utf-8")
    number, runs = proposed(team, "words")
    model, _ = passed(runs)
    assert model.results == {"plan": "success", "gate": "success"}
    assert model.job("plan").outputs["plan.count"] == "0"
    assert comments(team, number) == []


def test_bad_data_fail_the_gate_and_are_named(team: Team) -> None:
    team.branch("export")
    file = sorted((team.clone / "data").glob("*.parquet"))[0]
    rows = pd.read_parquet(file)
    rows.loc[rows.index[:5], "carrier"] = None
    rows["air_time"] = -999.0
    rows.to_parquet(file)
    number, runs = proposed(team, "export")
    model, report = runs
    assert model.results == {"plan": "success", "train": "failure", "admit": "success", "gate": "failure"}
    assert report.ok, report.log
    [comment] = comments(team, number)
    assert "air_time" in comment
    head = team.hub.pulls[number]["head"]["sha"]
    assert [check["conclusion"] for check in team.hub.checks if check["head_sha"] == head] == ["failure"]


def test_a_hostile_fork_sees_no_secret_and_says_nothing_of_its_own(team: Team) -> None:
    team.branch("mine")
    (team.clone / "train.py").write_text((team.clone / "train.py").read_text() + HOSTILE, encoding="utf-8")
    team.push("Harmless", to=team.hub.fork("mallory"))
    identities(team)  # of other pull requests
    before = {number: comments(team, number) for number in team.hub.pulls}
    known = sorted(path.name for path in (team.store / "candidates" / MODEL).glob("*"))
    number = team.hub.open_pull_request(branch="mine", user="mallory", title="Harmless", fork="mallory/models")
    runs = team.settle()
    assert names_of(runs) == BOTH
    model, report = runs
    assert model.results == {"plan": "success", "train": "success", "gate": "success"}
    seen = next(line for line in model.job("train").log.splitlines() if line.startswith("SEEN"))
    assert [name for name, secret in team.every_secret().items() if secret in seen] == []
    assert {other: comments(team, other) for other in before} == before
    assert "HOSTILE" not in str(comments(team, number)) + report.summary
    assert "<img" not in str(comments(team, number))
    assert not any("](https://example.com)" in said or "@acme/ml-owners " in said for said in comments(team, number))
    assert sorted(path.name for path in (team.store / "candidates" / MODEL).glob("*")) == known
    assert identities(team) == []
    assert leaks(team) == []


def test_a_fork_is_judged_by_the_declared_limits_alone(team: Team) -> None:
    team.branch("theirs")
    team.edit("mlops.yaml", "max_iter: 30", "max_iter: 31")
    team.push("One more tree", to=team.hub.fork("frank"))
    number = team.hub.open_pull_request(branch="theirs", user="frank", title="One more", fork="frank/models")
    model, report = passed(team.settle())
    assert model.results == {"plan": "success", "train": "success", "gate": "success"}
    assert report.ok
    [comment] = comments(team, number)
    assert "Judged without the" in comment
