"""The workflows of every template as a team gets them: they call ours, with what these take, need and no more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.environment import GATE
from mlops_ci.cli.main import main
from tests.contract.callers import caller_problems
from tests.workflows import rules
from tests.workflows.documents import OWN, ROOT, Document, grants, strings, workflow

KINDS = sorted(path.parent.name for path in ROOT.glob("templates/*/template.yaml"))
EVENTS = {
    "model-pull-request": {"pull_request", "merge_group", "workflow_dispatch"},
    "model-report": {"workflow_run"},
    "model-release": {"push", "workflow_dispatch"},
    "model-promote": {"pull_request_review", "push", "schedule", "workflow_dispatch"},
    "model-rollback": {"workflow_dispatch"},
    "model-monitor": {"schedule", "workflow_dispatch"},
    "model-retrain": {"schedule", "workflow_dispatch", "repository_dispatch"},
    "model-score": {"schedule", "workflow_dispatch"},
    "template-update": {"schedule", "workflow_dispatch"},
}
"""What each of ours is made for; a caller may leave some out."""
LEVELS = ("none", "read", "write")


@pytest.fixture(scope="module", params=KINDS)
def callers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The workflows of a rendered template by the name of that of ours which they call."""
    folder = tmp_path_factory.mktemp("callers") / request.param
    assert main(["init", request.param, str(folder), "--defaults", "--quiet"]) == 0
    found = {}
    for path in sorted(folder.glob(".github/workflows/*.yml")):
        (called,) = re.findall(rf"uses: {OWN}\.github/workflows/([a-z-]+)\.yml@\S+", path.read_text())
        found[called] = path
    return found


def read(path: Path) -> Document:
    return Document(name=path.stem, text=path.read_text())


def needed(name: str) -> Mapping[str, str]:
    """The most that any job of ours asks for; a caller that grants less starts nothing."""
    most: dict[str, str] = {}
    for job in workflow(name).jobs.values():
        for scope, level in grants(job).items():
            most[scope] = max(most.get(scope, "none"), level, key=LEVELS.index)
    return most


def test_they_pass_what_ours_take(callers: dict[str, Path]) -> None:
    assert {name: caller_problems(path, ROOT) for name, path in callers.items()} == {key: [] for key in callers}


def test_they_grant_what_ours_need_and_no_more(callers: dict[str, Path]) -> None:
    granted = {name: [grants(job) for job in read(path).jobs.values()] for name, path in callers.items()}
    assert granted == {name: [needed(name)] for name in callers}
    assert {name: rules.permissions_are_empty_at_the_top(read(path)) for name, path in callers.items()} == {
        key: [] for key in callers
    }


def test_they_hand_secrets_on_by_name(callers: dict[str, Path]) -> None:
    for name, path in callers.items():
        (job,) = read(path).jobs.values()
        assert set(job.get("secrets", {})) == set(workflow(name).call.get("secrets", {})), name
        assert all(re.fullmatch(r"\$\{\{ secrets\.[A-Z_]+ \}\}", text) for text in job.get("secrets", {}).values()), (
            name
        )


def test_they_wait_for_nobody(callers: dict[str, Path]) -> None:
    """Groups are ours: one that the caller had as well would wait for itself."""
    for path in callers.values():
        document = read(path)
        assert "concurrency" not in document.value
        assert not any("concurrency" in job for job in document.jobs.values())


def test_they_start_on_what_ours_are_made_for(callers: dict[str, Path]) -> None:
    for name, path in callers.items():
        events = read(path).events
        assert set(events) <= EVENTS[name], name
        assert rules.starts_for_no_stranger(read(path)) == []
        main_only: list[Any] = [said for event, said in events.items() if event == "push"]
        assert all(said.get("branches") == ["main"] for said in main_only), name


def test_the_report_follows_the_pull_requests_workflow_by_its_name(callers: dict[str, Path]) -> None:
    followed = read(callers["model-report"]).events["workflow_run"]
    assert followed == {"workflows": [read(callers["model-pull-request"]).value["name"]], "types": ["completed"]}


def test_a_bots_pull_request_can_be_judged_and_a_review_can_start_a_promotion(callers: dict[str, Path]) -> None:
    """Both by `workflow_dispatch`: what a job's own token does starts nothing else."""
    assert "workflow_dispatch" in read(callers["model-pull-request"]).events
    promote = read(callers["model-promote"])
    assert set(promote.events["workflow_dispatch"]["inputs"]) == {"model", "environment", "pull-request"}
    (job,) = promote.jobs.values()
    assert job["with"] == {name: f"${{{{ inputs.{name} }}}}" for name in ("model", "environment", "pull-request")}


def test_the_check_to_require_is_named_as_mlops_ci_names_it(callers: dict[str, Path]) -> None:
    (job,) = read(callers["model-pull-request"]).jobs
    assert f"{job} / gate" == GATE


def test_they_decide_nothing(callers: dict[str, Path]) -> None:
    for path in callers.values():
        (job,) = read(path).jobs.values()
        assert set(job) <= {"uses", "permissions", "with", "secrets", "name"}
        assert not any("||" in text or "&&" in text for text in strings(job)), path.name


def test_every_workflow_of_ours_has_a_caller_in_some_template() -> None:
    named = set()
    for path in (ROOT / "templates").glob("**/.github/workflows/*"):
        named |= set(re.findall(r"\.github/workflows/([a-z-]+)\.yml@", path.read_text()))
    assert named == set(EVENTS)
