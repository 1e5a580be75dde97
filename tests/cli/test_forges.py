"""Which forge a command takes, by what its environment says, and that it never takes another one instead."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlops_ci.adapters.environment import TOKENS, read_environment
from mlops_ci.cli import forges
from mlops_ci.cli.context import Context
from mlops_ci.errors import ConfigurationError
from tests.adapters.github_team import Console

GITLAB = {
    "GITLAB_CI": "true",
    "GITLAB_USER_LOGIN": "dana",
    "CI_SERVER_URL": "https://gitlab.acme.example",
    "CI_API_V4_URL": "https://gitlab.acme.example/api/v4",
    "CI_PROJECT_PATH": "acme/ml/late",
    "CI_PROJECT_URL": "https://gitlab.acme.example/acme/ml/late",
    "CI_COMMIT_REF_NAME": "main",
    "CI_JOB_URL": "https://gitlab.acme.example/acme/ml/late/-/jobs/7",
    "CI_JOB_TOKEN": "job-token-of-this-test",
    "MLOPS_GITLAB_TOKEN": "glpat-of-this-test",
}
AZURE = {
    "TF_BUILD": "True",
    "BUILD_REQUESTEDFOREMAIL": "dana@acme.com",
    "BUILD_REPOSITORY_NAME": "late",
    "BUILD_BUILDID": "17",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
    "SYSTEM_TEAMPROJECT": "Our Models",
    "SYSTEM_DEFINITIONID": "3",
    "SYSTEM_ACCESSTOKEN": "run-token-of-this-test",
}


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("MLOPS_FORGE", "GITHUB_ACTIONS", *GITLAB, *AZURE, *TOKENS):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def context(folder: Path) -> Context:
    return Context(directory=folder, store_url=None, environment=read_environment(), console=Console())


def test_in_gitlab_s_pipelines_it_is_gitlab(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in GITLAB.items():
        env.setenv(name, text)
    made = context(tmp_path)
    known = forges.gitlab_of(made)
    assert (known.token, known.project) == ("glpat-of-this-test", "acme/ml/late")
    assert (known.api_url, made.environment.actor) == ("https://gitlab.acme.example/api/v4", "dana")
    assert (made.on_forge, made.on_github, made.environment.in_pipeline, made.environment.in_actions) == (
        True, False, True, False,
    )  # fmt: skip
    assert forges.run_url_of(made) == GITLAB["CI_JOB_URL"]
    assert made.environment.builder.invocation == GITLAB["CI_JOB_URL"]
    assert made.environment.builder.id.startswith("https://gitlab.acme.example/acme/ml/late//.gitlab-ci.yml")
    assert not set(TOKENS) & set(os.environ)
    assert "of-this-test" not in f"{made.environment!r} {known!r} {known}"


def test_in_azure_s_pipelines_it_is_azure_devops(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in AZURE.items():
        env.setenv(name, text)
    made = context(tmp_path)
    known = forges.azure_devops_of(made)
    assert (known.token, known.collection_url) == ("run-token-of-this-test", "https://dev.azure.com/acme")
    assert (known.project, known.repository, made.environment.actor) == ("Our Models", "late", "dana@acme.com")
    run = "https://dev.azure.com/acme/Our%20Models/_build/results?buildId=17"
    assert forges.run_url_of(made) == made.environment.builder.invocation == run
    assert not set(TOKENS) & set(os.environ)
    assert "of-this-test" not in f"{made.environment!r} {known!r} {known}"


@pytest.mark.parametrize(
    ("variables", "token", "what"),
    [(GITLAB, "MLOPS_GITLAB_TOKEN", "CI_JOB_TOKEN"), (AZURE, "SYSTEM_ACCESSTOKEN", "no token for Azure DevOps")],
)
def test_without_a_token_it_stops(
    env: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], token: str, what: str
) -> None:
    for name, text in variables.items():
        env.setenv(name, text)
    env.delenv(token)
    made = context(tmp_path)
    with pytest.raises(ConfigurationError, match=what) as caught:
        forges.forge_of(made)
    assert token in caught.value.fix
    with pytest.raises(ConfigurationError, match="people review on"):
        forges.local_forge_of(made)


@pytest.mark.parametrize(
    ("forge", "token", "origin", "known"),
    [
        ("gitlab", "MLOPS_GITLAB_TOKEN", "git@gitlab.com:acme/late.git", ("acme/late",)),
        ("azure-devops", "MLOPS_AZURE_DEVOPS_TOKEN", "https://acme@dev.azure.com/acme/Our%20Models/_git/late",
         ("https://dev.azure.com/acme", "Our Models", "late")),
    ],
)  # fmt: skip
def test_on_a_laptop_the_origin_tells(
    env: pytest.MonkeyPatch, tmp_path: Path, forge: str, token: str, origin: str, known: tuple[str, ...]
) -> None:
    env.setenv("MLOPS_FORGE", forge)
    env.setenv(token, "of-this-test")
    with pytest.raises(ConfigurationError, match="is known"):
        forges.forge_of(context(tmp_path))
    env.setenv(token, "of-this-test")
    for command in ("init -q -b main", f"remote add origin {origin}", "commit -q --allow-empty -m x"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    made = context(tmp_path)
    found = forges.gitlab_of(made) if forge == "gitlab" else forges.azure_devops_of(made)
    assert all(text in vars(found).values() for text in known)
    assert not made.environment.in_pipeline


def test_no_forge_of_that_name(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("MLOPS_FORGE", "gitea")
    with pytest.raises(ConfigurationError, match="MLOPS_FORGE is 'gitea'") as caught:
        forges.forge_of(context(tmp_path))
    assert "azure-devops" in caught.value.fix


def test_a_token_never_goes_over_the_network_unencrypted(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in (GITLAB | {"CI_API_V4_URL": "http://gitlab.acme.example/api/v4"}).items():
        env.setenv(name, text)
    with pytest.raises(ConfigurationError, match="would get the token unencrypted"):
        forges.forge_of(context(tmp_path))
