"""`request-promotion`, with the rights that its job is granted and none more, against the stand-in of GitHub."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.cli.main import main
from tests.github.hub import Hub
from tests.github.serving import serving

PROMOTION = "mlops-ci/promote/production/rain"
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    work, bare = tmp_path / "work", tmp_path / "bare.git"

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", work, *arguments], check=True, capture_output=True)

    subprocess.run(["git", "init", "-q", "-b", "main", work], check=True)
    for branch in ("main", PROMOTION, "change"):
        if branch != "main":
            git("switch", "-q", "-c", branch, "main")
        (work / ".github/workflows").mkdir(parents=True, exist_ok=True)
        (work / ".github/workflows/promote.yml").write_text("on: {workflow_dispatch: {}}\n")
        (work / "file").write_text(branch)
        git("add", "-A")
        git("commit", "-q", "-m", branch)
    subprocess.run(["git", "clone", "-q", "--bare", work, bare], check=True)
    return bare


@pytest.fixture
def hub(bare: Path) -> Iterator[Hub]:
    with serving(bare) as hub:
        yield hub


@pytest.fixture
def ask(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs it as the job does: in an empty folder, with the job's own token."""
    empty = tmp_path / "empty"
    empty.mkdir()

    def ask(number: int, *options: str) -> tuple[int, dict[str, Any]]:
        for name, value in {
            "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": hub.repository, "GITHUB_API_URL": hub.url,
            "GITHUB_TOKEN": hub.new_token(actions="write", pull_requests="read"),
            "GITHUB_WORKFLOW_REF": f"{hub.repository}/.github/workflows/promote.yml@refs/pull/1/merge",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        code = main(["request-promotion", str(number), "--json", "-C", str(empty), *options])
        return code, json.loads(capsys.readouterr().out)

    return ask


def test_a_promotion_is_started_on_main(hub: Hub, ask: Ask) -> None:
    number = hub.open_pull_request(branch=PROMOTION, user="dana", title="Promote")
    assert ask(number) == (
        0,
        {
            "pull_request": number, "workflow": "promote.yml", "model": "rain", "environment": "production",
            "outcome": "requested",
        },
    )  # fmt: skip
    (dispatch,) = hub.dispatches
    assert (dispatch["workflow"], dispatch["ref"]) == ("promote.yml", "main")
    assert dispatch["inputs"] == {"model": "rain", "environment": "production", "pull-request": str(number)}


def test_any_other_pull_request_starts_nothing(hub: Hub, ask: Ask) -> None:
    change = hub.open_pull_request(branch="change", user="dana", title="A change")
    hub.fork("mallory")
    forged = hub.open_pull_request(branch=PROMOTION, user="mallory", title="Promote", fork="mallory/models")
    for number in (change, forged):
        code, value = ask(number)
        assert (code, value["outcome"]) == (0, "not-a-promotion")
    assert hub.dispatches == []


def test_a_closed_promotion_starts_nothing(hub: Hub, ask: Ask) -> None:
    number = hub.open_pull_request(branch=PROMOTION, user="dana", title="Promote")
    hub.close(number, "dana")
    assert ask(number)[1]["outcome"] == "closed"
    assert hub.dispatches == []


def test_a_merged_one_is_started_so_that_the_environment_follows(hub: Hub, ask: Ask) -> None:
    number = hub.open_pull_request(branch=PROMOTION, user="dana", title="Promote")
    hub.merge(number, "dana")
    assert ask(number)[1]["outcome"] == "requested"


def test_there_are_no_workflows_without_github(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert main(["request-promotion", "1", "--workflow", "promote.yml", "-C", str(tmp_path)]) == 2
    assert "only GitHub has workflows" in capsys.readouterr().err
