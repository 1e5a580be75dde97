"""What is read from the environment of a run of GitHub Actions, and what is left in it for those who come after."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from mlops_ci.adapters import processes
from mlops_ci.adapters.environment import TOKENS, read_environment

IN_ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "dana",
    "GITHUB_API_URL": "https://ghe.example/api/v3/",
    "GITHUB_EVENT_PATH": "/tmp/event.json",
    "GITHUB_REPOSITORY": "acme/late",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_RUN_ID": "17",
    "GITHUB_SERVER_URL": "https://ghe.example",
    "GITHUB_TOKEN": "ghs_run-token-of-this-test",
    "GITHUB_WORKFLOW_REF": "acme/late/.github/workflows/promote.yml@refs/heads/main",
}


@pytest.fixture
def in_actions(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in IN_ACTIONS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_outside_of_actions_the_forge_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_somebodys-own")

    environment = read_environment()

    assert (environment.forge, environment.github) == ("local", None)
    assert "GITHUB_TOKEN" not in os.environ


def test_in_actions_it_is_the_github_of_the_run(in_actions: pytest.MonkeyPatch) -> None:
    environment = read_environment()
    github = environment.github

    assert github is not None
    assert (environment.forge, environment.actor) == ("github", "dana")
    assert (github.token, github.repository) == ("ghs_run-token-of-this-test", "acme/late")
    assert (github.api_url, github.server_url) == ("https://ghe.example/api/v3", "https://ghe.example")
    assert github.run_url == "https://ghe.example/acme/late/actions/runs/17/attempts/2"
    assert (github.workflow_file, github.event_path) == ("promote.yml", Path("/tmp/event.json"))
    assert not github.starts_workflows


@pytest.mark.parametrize(
    ("server", "api"),
    [("", "https://api.github.com"), ("https://github.com/", "https://api.github.com"),
     ("https://ghe.example", "https://ghe.example/api/v3")],
)  # fmt: skip
def test_the_token_of_a_server_of_ones_own_is_for_no_other(
    in_actions: pytest.MonkeyPatch, server: str, api: str
) -> None:
    in_actions.setenv("GITHUB_SERVER_URL", server)
    in_actions.delenv("GITHUB_API_URL")
    github = read_environment().github

    assert github is not None
    assert github.api_url == api


def test_the_token_of_an_app_comes_first_and_starts_workflows(in_actions: pytest.MonkeyPatch) -> None:
    in_actions.setenv("MLOPS_GITHUB_TOKEN", "ghs_app-token-of-this-test\n")

    github = read_environment().github

    assert github is not None
    assert (github.token, github.starts_workflows) == ("ghs_app-token-of-this-test", True)


def test_a_laptop_may_choose_github_and_a_run_may_choose_not_to(in_actions: pytest.MonkeyPatch) -> None:
    in_actions.setenv("MLOPS_FORGE", "local")
    assert read_environment().github is None

    in_actions.setenv("MLOPS_FORGE", "github")
    in_actions.delenv("GITHUB_ACTIONS")
    in_actions.setenv("GITHUB_TOKEN", "ghp_somebodys-own")
    github = read_environment().github

    assert github is not None
    assert github.starts_workflows


def test_who_ran_it_again_is_who_acts(in_actions: pytest.MonkeyPatch) -> None:
    in_actions.setenv("GITHUB_TRIGGERING_ACTOR", "erin")

    assert read_environment().actor == "erin"


def test_no_token_is_left_behind_or_shown(in_actions: pytest.MonkeyPatch) -> None:
    for name in TOKENS:
        in_actions.setenv(name, f"secret-of-{name}")

    environment = read_environment()

    assert not set(TOKENS) & set(os.environ)
    shown = f"{environment!r} {environment} {environment.github!r} {environment.github}"
    assert "secret-of" not in shown


def test_what_is_started_sees_no_token_and_is_not_tracked_by_the_runner(
    in_actions: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A runner ends every process that carries its RUNNER_TRACKING_ID when the job is over; services have to stay."""
    in_actions.setenv("RUNNER_TRACKING_ID", "github_0c3f8a4e")
    for name in (*TOKENS, "AWS_SECRET_ACCESS_KEY", "MLOPS_SIGNING_KEY"):
        in_actions.setenv(name, f"secret-of-{name}")
    command = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)), flush=True)"]

    ran = json.loads(processes.run(command).stdout)
    log = tmp_path / "service.log"
    identity = processes.start_service(command, log_path=log)
    while processes.is_running(identity):
        pass
    started = json.loads(log.read_text())
    git = processes.run(["git", "-c", "alias.show-env=!env", "show-env"]).text

    for seen in (json.dumps(ran), json.dumps(started), git):
        assert "secret-of" not in seen
        assert "RUNNER_TRACKING_ID" not in seen
        assert "github_0c3f8a4e" not in seen
