"""`mlops-ci doctor` as a user would run it: on a laptop, in a job, with and without a token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.cli.main import main
from tests.github.hub import Hub
from tests.github.serving import serving
from tests.github.settings import EnvironmentSettings
from tests.github.world import git, team

KINDS = ("tabular-classification", "tabular-regression", "batch-scoring", "monorepo")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository as the template gives it, and no Git."""
    return rendered("tabular-classification", tmp_path / "team")


@pytest.fixture
def hub(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The same on GitHub, where everything is set up as the documentation says."""
    bare, _ = team(tmp_path)
    git("init", "--quiet", "--initial-branch=main", cwd=project)
    with serving(bare) as hub:
        monkeypatch.setenv("MLOPS_FORGE", "github")
        monkeypatch.setenv("GITHUB_API_URL", hub.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", hub.repository)
        hub.settings.variables = {"MLOPS_STORE": "s3://acme/store", "MLOPS_AWS_ROLE": "arn:write",
                                  "MLOPS_AWS_READ_ROLE": "arn:read", "MLOPS_APP_ID": "7"}  # fmt: skip
        hub.settings.secrets = ["MLOPS_APP_PRIVATE_KEY"]
        hub.settings.environments = {"production": EnvironmentSettings()}
        hub.team("ml-owners", ["alice", "bob"])
        hub.protect("main", reviews=1, checks=("model / gate",), code_owners=True, ruleset=True)
        yield hub


def rendered(kind: str, folder: Path) -> Path:
    assert main(["init", kind, str(folder), "--defaults", "--quiet"]) == 0
    return folder


def doctor(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["doctor", "-C", str(folder), "--json"])
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, value


def errors(value: dict[str, Any]) -> list[str]:
    return [f"{one['where']}: {one['what']}" for one in value["findings"] if one["level"] == "error"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_template_gives_is_healthy_and_the_rest_was_not_looked_at(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, value = doctor(rendered(kind, tmp_path / "team"), capsys)
    assert (code, value["ok"], value["findings"]) == (0, True, [])
    assert [one["what"] for one in value["not_looked_at"]] == ["the settings on GitHub"]
    assert "GITHUB_TOKEN" in value["not_looked_at"][0]["why"]


def test_for_people_it_is_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "mlops.yaml").write_text("schema: 1\nmodel: Late!\n", encoding="utf-8")
    assert main(["doctor", "-C", str(project)]) == 2
    text = capsys.readouterr().out
    assert "error: mlops.yaml:2" in text
    assert text.rstrip().endswith("0 warnings, 0 notes, 1 not looked at")


def test_a_folder_with_nothing_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, value = doctor(tmp_path, capsys)
    assert (code, errors(value)) == (2, [f"{tmp_path}: there is no mlops.yaml, here or in models/*/"])


def test_what_the_team_did_to_the_templates_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workflows = project / ".github" / "workflows"
    (workflows / "report.yml").unlink()
    with (workflows / "release.yml").open("a", encoding="utf-8") as file:
        file.write("# ours\n")
    (project / "README.md").write_text("our own\n", encoding="utf-8")
    code, value = doctor(project, capsys)
    found = {(one["level"], one["where"]): one["what"] for one in value["findings"]}
    assert code == 0
    assert "the team has none" in found["note", ".github/workflows/report.yml"]
    assert "the team has changed" in found["note", ".github/workflows/release.yml"]
    assert found["note", ".github/workflows"] == "no workflow calls model-report"
    assert len(found) == 3


def test_a_template_that_has_moved_on(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".mlops-template.zip").unlink()
    _, value = doctor(project, capsys)
    assert [one["level"] for one in value["findings"]] == ["warning"]
    assert "nobody kept what the template" in value["findings"][0]["what"]
    (project / ".mlops-template.zip").write_bytes(b"PK")
    code, value = doctor(project, capsys)
    assert (code, len(errors(value))) == (2, 1)


def test_everything_set_up_is_healthy(
    hub: Hub, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", hub.person_token("olga"))
    code, value = doctor(project, capsys)
    assert (code, value["findings"], value["not_looked_at"]) == (0, [], [])


def test_a_new_repository_is_told_all_that_is_to_be_done(
    hub: Hub, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.unprotect("main")
    hub.settings.variables = {}
    hub.settings.secrets = []
    hub.settings.actions_may_open_pull_requests = False
    monkeypatch.setenv("GITHUB_TOKEN", hub.person_token("olga"))
    code, value = doctor(project, capsys)
    named = errors(value)
    assert code == 2
    for part in ("main: the branch is not protected", "variable MLOPS_STORE: no store", "Actions: they may not open",
                 "@acme/ml-owners: a job's own token cannot read"):  # fmt: skip
        assert any(part in one for one in named), named
    assert all(one["fix"] for one in value["findings"])


def test_little_rights_are_no_clean_bill_of_health(
    hub: Hub, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", hub.read_token)
    hub.settings.variables = {}
    code, value = doctor(project, capsys)
    assert (code, errors(value)) == (0, [])
    unseen = {one["what"]: one["why"] for one in value["not_looked_at"]}
    assert {"variables", "the names of secrets", "Actions: what jobs may by default"} <= set(unseen)
    assert all("it takes `" in why for why in unseen.values())
    assert hub.read_token not in json.dumps(value)


def test_a_job_without_a_token_is_an_error(
    hub: Hub, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLOPS_FORGE")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    code, value = doctor(project, capsys)
    assert (code, errors(value)) == (2, [": there is no token for GitHub"])


def test_a_token_that_is_not_accepted_says_so(
    hub: Hub, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_a_secret_that_is_of_no_use")
    code, value = doctor(project, capsys)
    assert code == 0
    assert [one["what"] for one in value["not_looked_at"]] == ["the settings on GitHub"]
    assert "Bad credentials" in value["not_looked_at"][0]["why"]
    assert "ghp_a_secret" not in json.dumps(value)


def test_the_settings_of_another_forge_are_said_not_to_be_looked_at(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_FORGE", "gitlab")
    code, value = doctor(project, capsys)
    assert code == 0
    (one,) = value["not_looked_at"]
    assert one["what"] == "the settings on GitHub"
    assert "docs/other-forges.md" in one["why"]


def test_a_project_in_a_folder_of_a_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    team(tmp_path)
    project = rendered("tabular-classification", tmp_path / "clone" / "late")
    git("add", "--all", cwd=project)
    git("commit", "--quiet", "--message", "a model", cwd=project)
    code, value = doctor(project, capsys)
    found = {one["where"]: one["what"] for one in value["findings"]}
    assert (code, set(found)) == (0, {"late/.github/workflows", "late/environments/production/flight-delay.yaml"})
    assert "at the repository's top only" in found["late/.github/workflows"]
