"""Azure DevOps' pipelines with their templates put in: every step run, and read for who has which right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pipelines import azure
from tests.pipelines.world import HOSTILE, SECRETS, World, commands, commit, make_world, render

JUDGED = "ci --outbox=.mlops/handed-over/candidates --reports=.mlops/handed-over/reports"
PLANNED = "plan --base=origin/{} --share=2/4 --names"
ALL = "plan --all --names"
MODELS = ("tides", "rain-soon")
EXPECTED = {
    ("pull-request.yml", "judge"): [PLANNED.format(HOSTILE), f"{JUDGED} -- tides rain-soon"],
    ("pull-request.yml", "judge_by_limits"): [PLANNED.format(HOSTILE), f"{JUDGED} --limits-only -- tides rain-soon"],
    ("release.yml", "release"): [ALL, "release -- tides", "release -- rain-soon"],
    ("reconcile.yml", "reconcile"): ["reconcile --all --environment=qa", "reconcile --all --environment=production"],
    ("approvals.yml", "approvals"): [
        "promote --open --environment=production",
        "publish-report RUNS/7/reports --run=7", "publish-report RUNS/8/reports --run=8",
    ],
    ("night.yml", "night"): [
        ALL, *(f"monitor --issue -- {model}" for model in MODELS),
        ALL, *(f"verify --environment=qa -- {model}" for model in MODELS),
        ALL, *(f"verify --environment=production -- {model}" for model in MODELS),
        "score --input=incoming/*.parquet --output=scored/week.parquet -- rain-soon",
    ],
    ("week.yml", "week"): [ALL, *(f"retrain -- {model}" for model in MODELS)],
    ("update-template.yml", "update"): ["update --pull-request"],
    ("rollback.yml", "rollback"): [f"rollback --environment=qa --reason={HOSTILE} --release=abc -- rain-soon"],
}  # fmt: skip
BY_HAND = {"rollback.yml": {"environment": "qa", "reason": HOSTILE, "release": " abc "}}
ON_MAIN = "eq(variables['Build.SourceBranch'], 'refs/heads/main')"
AZ = """#!/usr/bin/env bash
[[ $* == "account get-access-token --resource 499b84ac-1321-427f-aa17-267ca6975798 --query accessToken --output tsv" ]]
echo a-bearer-token
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = render(tmp_path_factory.mktemp("azure") / "team", "azure-devops", "batch-scoring")
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def jobs(project: Path) -> list[azure.Job]:
    return [job for path in azure.pipelines(project) for job in azure.jobs(path, **BY_HAND.get(path.name, {}))]


def carried_out(job: azure.Job, project: Path, world: World) -> None:
    """Every step that has a text, as an agent runs it: variables by their names in capitals, each step a file."""
    groups = {"mlops-ci": {"MLOPS_STORE": "s3://store"}, "mlops-ci-main": SECRETS}
    known = dict(job.variables)
    for group in job.groups:
        known |= groups[group]
    secret = known.keys() & SECRETS.keys()
    temporary = world.folder / f"temporary-{job.name}"
    temporary.mkdir()
    agent = {
        "AGENT_TEMPDIRECTORY": str(temporary), "SYSTEM_PULLREQUEST_TARGETBRANCH": f"refs/heads/{HOSTILE}",
        "SYSTEM_PULLREQUEST_SOURCEBRANCH": HOSTILE, "BUILD_SOURCEVERSIONMESSAGE": HOSTILE,
        "SYSTEM_JOBPOSITIONINPHASE": "2", "SYSTEM_TOTALJOBSINPHASE": "4",
    }  # fmt: skip
    for script, given in job.scripts:
        own = {name: re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], value) for name, value in given.items()}
        own |= {"MLOPS_TOOLKIT": world.toolkit} if "MLOPS_TOOLKIT" in own else {}
        shown = {name: value for name, value in known.items() if name not in secret}
        done = world.bash(script, project, **{**agent, **shown, **own})
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("file", "stage"), EXPECTED)
def test_each_event_calls_its_commands_whatever_strangers_have_written(
    jobs: list[azure.Job], project: Path, tmp_path: Path, file: str, stage: str
) -> None:
    world = make_world(tmp_path)
    world.put_program("az", AZ)
    (tmp_path / "tools").symlink_to(tmp_path / "bin")
    for job in jobs:
        if (job.file, job.stage) == (file, stage):
            carried_out(job, project, world)
    calls = world.calls()
    said = [re.sub(r"\S+/runs/", "RUNS/", command) for command in commands(calls)]
    assert said == EXPECTED[file, stage]
    for call in calls:
        strangers = file == "pull-request.yml"
        assert call.secrets == (set() if strangers else {"MLOPS_AZURE_DEVOPS_TOKEN", "MLOPS_SIGNING_KEY"})
        assert call.environment["MLOPS_FORGE"] == "azure-devops"
        assert ("MLOPS_STORE" in call.environment) == (stage != "judge_by_limits")


def test_every_job_is_executed_above(jobs: list[azure.Job]) -> None:
    assert {(job.file, job.stage) for job in jobs} == EXPECTED.keys()


def test_a_pull_requests_code_has_the_reading_connection_and_a_forks_none(jobs: list[azure.Job]) -> None:
    strangers = {job.stage: job for job in jobs if job.file == "pull-request.yml"}
    assert {stage: (job.connections, job.environment, job.groups) for stage, job in strangers.items()} == {
        "judge": ({"mlops-ci-read"}, "", ("mlops-ci",)), "judge_by_limits": (set(), "", ("mlops-ci",)),
    }  # fmt: skip
    assert "ne(variables['System.PullRequest.IsFork'], 'True')" in strangers["judge"].condition
    assert "eq(variables['System.PullRequest.IsFork'], 'True')" in strangers["judge_by_limits"].condition
    text = str([job.steps for job in strangers.values()])
    assert [name for name in ("SIGNING", "PASSWORD", "TOKEN", "System.AccessToken") if name in text] == []


def test_all_else_is_for_main_by_the_connection_of_its_environment(jobs: list[azure.Job]) -> None:
    for job in jobs:
        if job.file != "pull-request.yml":
            assert job.condition == ON_MAIN, job.file
            assert job.connections == {job.environment}, job.name
            assert job.environment in {"mlops-ci-main", "mlops-ci-qa", "mlops-ci-production"}
            assert job.groups == ("mlops-ci", "mlops-ci-main")


def test_what_the_jobs_have_in_common(jobs: list[azure.Job]) -> None:
    for job in jobs:
        checkouts = [step for step in job.steps if "checkout" in step]
        assert [step["persistCredentials"] for step in checkouts] == ["false"]
        for script, _ in job.scripts:
            assert script.startswith("set -euo pipefail\n")
            assert "${{" not in script


def test_no_pipeline_starts_by_itself_for_a_pull_request_and_values_are_no_text_of_a_program(project: Path) -> None:
    """`pr:` is not looked at for Azure Repos; a policy starts the build, and for other places nothing does."""
    for path in azure.pipelines(project):
        read = azure.read(path)
        assert read["pr"] == "none", path.name
        started = {"trigger": read["trigger"] != "none", "schedules": "schedules" in read}
        assert sum(started.values()) == (path.name not in {"pull-request.yml", "rollback.yml"}), path.name
    text = (project / ".azure-pipelines/rollback.yml").read_text()
    assert not re.search(r"script: .*\$\{\{", text)


def test_several_models_are_judged_side_by_side(tmp_path: Path) -> None:
    text = (
        render(tmp_path / "several", "azure-devops", "monorepo") / ".azure-pipelines/templates/judge.yml"
    ).read_text()
    assert 'strategy: {parallel: "4"}' in text
