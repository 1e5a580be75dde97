"""Each template, as rendered, on its way to production: the gate lets its first model ship, and people promote it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from mlops_ci.adapters import templates
from mlops_ci.config.loading import declared
from tests.cli.repository import Repository


@pytest.fixture(params=templates.kinds())
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repository]:
    templates.render(templates.load(request.param), {"owner": "@acme/reviewers"}, tmp_path / "team")
    repository = Repository(tmp_path / "team")
    repository.commit("from the template")
    yield repository
    repository.stop_services()


@pytest.mark.slow
def test_it_goes_the_whole_way_to_production(team: Repository) -> None:
    models = sorted(declared(team.folder))
    judged = team.run("ci", *models)
    assert judged.code == 0, judged.said
    each = judged.value.get("models", [judged.value])
    assert [(one["failed"], one["verdict"]) for one in each] == [(None, "first")] * len(models)

    released = team.run("release", models[0])
    assert (released.code, released.value["verified"]) == (0, True), released.said
    team.git("config", "--add", "mlops-ci.acme/reviewers.member", "Grace")
    approved = team.run("approve", str(released.value["pull_request"]), "--reviewer", "Grace")
    assert approved.code == 0, approved.said
    promoted = team.run("promote", models[0], "--to", "production")
    assert (promoted.code, promoted.value["release"]) == (0, released.value["release"]), promoted.said

    if (team.folder / "incoming").is_dir():
        scored = team.run("score", "--input", "incoming/*.parquet", "--output", "scored/week.parquet")
        assert (scored.code, scored.value["rejected"]) == (0, 0), scored.said
        rows = pd.read_parquet(team.folder / "scored" / "week.parquet")
        assert (len(rows), set(rows["release"])) == (scored.value["rows"], {released.value["release"]})
