"""The toolkit learns something new: every week the template's update comes as a pull request."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.act.github_actions import names_of
from tests.act.leaks import leaks
from tests.act.starting import rendered, replace, thin_out
from tests.act.team import Team, team_with

LEARNT = "# what the template has learnt\n"


@pytest.fixture
def team(tmp_path: Path, toolkit: Path) -> Iterator[Team]:
    """Rendered from the template as it is, and run with a toolkit whose template is newer."""
    repository = rendered("tabular-regression", tmp_path / "repository")
    for file in sorted((repository / "data").glob("*.parquet")):
        thin_out(file, rows=400)
    replace(repository / "mlops.yaml", ("max_iter: 80", "max_iter: 10"))
    newer = tmp_path / "newer"
    shutil.copytree(toolkit.parent, newer)
    for name in ("requirements.txt", "when/pipelines/github/.github/workflows/monitor.yml.jinja"):
        file = newer / "code" / "templates" / "all" / name
        file.write_text(LEARNT + file.read_text(encoding="utf-8"), encoding="utf-8")
    with team_with(repository, tmp_path / "team", newer / toolkit.name) as made:
        yield made


def test_an_update_is_proposed_once_and_keeps_what_the_team_changed(team: Team) -> None:
    replace(team.clone / "mlops.yaml", ("max_depth: 4", "max_depth: 5"))
    team.push("Deeper trees")
    team.hub.events.clear()
    runs = team.tick("template-update")
    # the pull request's own run judges a model of few rows, which is not good enough; that is not what is asked here
    assert runs[0].ok, runs[0].log
    assert names_of(runs)[0] == "schedule: template-update"
    [pull] = team.hub.pulls.values()
    assert (pull["head"]["ref"], pull["user"]["login"]) == ("mlops-ci/update/template", "acme-mlops[bot]")
    branch = pull["head"]["ref"]
    for name in ("requirements.txt", ".github/workflows/monitor.yml"):
        assert team.git("show", f"{branch}:{name}", cwd=team.remote).startswith(LEARNT.strip())
    assert "max_depth: 5" in team.git("show", f"{branch}:mlops.yaml", cwd=team.remote)

    assert team.tick("template-update")[0].ok
    assert len(team.hub.pulls) == 1
    assert leaks(team) == []
