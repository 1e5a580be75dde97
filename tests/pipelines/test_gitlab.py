"""GitLab's pipelines: run by `gitlab-ci-local`, event by event, and read for who has which right."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipelines import gitlab
from tests.pipelines.world import HOSTILE, MODELS, SECRETS, World, commit, make_world, render

BASE, BEFORE = "a" * 40, "b" * 40
STRANGER = {
    "CI_MERGE_REQUEST_TITLE": HOSTILE, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": HOSTILE, "CI_COMMIT_MESSAGE": HOSTILE,
}  # fmt: skip
MERGE_REQUEST = {
    "CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_PROJECT_ID": "1",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1", "CI_MERGE_REQUEST_DIFF_BASE_SHA": BASE, "MLOPS_STORE": "s3://store",
    "MLOPS_AWS_READ_ROLE": "arn:aws:iam::1:role/read", "MLOPS_AWS_TOKEN": "jwt", "MLOPS_AWS_REGION": "eu-central-1",
    **STRANGER,
}  # fmt: skip
MAIN = {
    "CI_COMMIT_BEFORE_SHA": BEFORE, "MLOPS_STORE": "s3://store", "MLOPS_AWS_ROLE": "arn:aws:iam::1:role/write",
    "MLOPS_AWS_TOKEN": "jwt", "MLOPS_AWS_REGION": "eu-central-1", **SECRETS, **STRANGER,
}  # fmt: skip
PLAN_ALL = "plan --all --names"
JUDGED = "ci --outbox=.mlops/candidates --reports=.mlops/reports"
EVENTS: dict[str, tuple[dict[str, str], list[str]]] = {
    "a merge request": (
        MERGE_REQUEST, [f"plan --base={BASE} --share=1/1 --names", f"{JUDGED} -- tides rain-soon"],
    ),
    "a merge request of a fork": (
        MERGE_REQUEST | {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"},
        [f"plan --base={BASE} --share=1/1 --names", f"{JUDGED} --limits-only -- tides rain-soon"],
    ),
    "a merge": (
        MAIN | {"CI_PIPELINE_SOURCE": "push"},
        [
            f"plan --before={BEFORE} --names", "release -- tides", "release -- rain-soon",
            f"reconcile --since={BEFORE} --environment=qa", f"reconcile --since={BEFORE} --environment=production",
        ],
    ),
    "a webhook of merge requests": (
        MAIN | {"CI_PIPELINE_SOURCE": "trigger"},
        [
            "promote --open --environment=production",
            "publish-report RUNS/7/reports --run=7", "publish-report RUNS/8/reports --run=8",
            "admit -C RUNS/7/checkout --all --run=7 RUNS/7/candidates",
            "admit -C RUNS/8/checkout --all --run=8 RUNS/8/candidates",
        ],
    ),
    "the schedule of every night": (
        MAIN | {"CI_PIPELINE_SOURCE": "schedule", "MLOPS_EVENT": "night"},
        [
            *[PLAN_ALL] * 3, "monitor --issue -- tides", "monitor --issue -- rain-soon",
            *(f"verify --environment={where} -- {model}" for where in ("qa", "production") for model in MODELS),
            "score --input=incoming/*.parquet --output=scored/week.parquet -- rain-soon",
        ],
    ),
    "the schedule of every week": (
        MAIN | {"CI_PIPELINE_SOURCE": "schedule", "MLOPS_EVENT": "week"},
        [PLAN_ALL, "retrain -- tides", "retrain -- rain-soon", "update --pull-request"],
    ),
    "a rollback by hand": (
        MAIN | {
            "CI_PIPELINE_SOURCE": "web", "MLOPS_EVENT": "rollback", "MLOPS_ENVIRONMENT": "qa", "MLOPS_REASON": HOSTILE,
            "MLOPS_RELEASE": "abc",
        },
        [f"rollback --environment=qa --reason={HOSTILE} --release=abc -- rain-soon"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = render(tmp_path_factory.mktemp("gitlab") / "team", "gitlab", "batch-scoring")
    commit(folder)
    for command in (
        ("remote", "add", "origin", "https://gitlab.acme.example/ml/rain.git"),
        ("update-ref", "refs/remotes/origin/main", "HEAD"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    # what has changed since, as `rules: changes` asks
    (folder / "environments/qa/rain-soon.yaml").write_text("release: abc\n")
    commit(folder)
    return folder


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_calls_its_commands_whatever_strangers_have_written(project: Path, world: World, event: str) -> None:
    variables, expected = EVENTS[event]
    ran = gitlab.run(project, world.folder, {**variables, "MLOPS_TOOLKIT": world.toolkit})
    calls = world.calls()
    said = [" ".join(map(_short, call.argv)) for call in calls]
    assert (ran.returncode, sorted(said)) == (0, sorted(expected)), ran.stdout + ran.stderr
    assert not list(project.rglob("owned"))
    for call in calls:
        assert call.environment["MLOPS_FORGE"] == "gitlab"
        if "merge request" in event and "webhook" not in event:
            assert call.secrets == set()


def _short(part: str) -> str:
    _, found, after = part.rpartition("/runs/")
    return f"RUNS/{after}" if found else part


RIGHTS = {"id_tokens", "environment", "secrets"}
MERGE_REQUESTS = {"judge", "judge by limits"}
ON_MAIN = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && "


@pytest.fixture(scope="module")
def jobs(project: Path) -> dict[str, dict[str, Any]]:
    return gitlab.jobs(project)


def test_jobs_of_merge_requests_and_of_main_are_never_the_same(jobs: dict[str, dict[str, Any]]) -> None:
    for name, job in jobs.items():
        asked = [rule["if"] for rule in job["rules"]]
        wanted = '$CI_PIPELINE_SOURCE == "merge_request_event" && ' if name in MERGE_REQUESTS else ON_MAIN
        assert [condition for condition in asked if not condition.startswith(wanted)] == [], name
        assert "when" not in job, "a job that waits for somebody passes while it waits"


def test_a_merge_requests_code_runs_without_environment_and_a_forks_without_identity(
    jobs: dict[str, dict[str, Any]],
) -> None:
    assert {name: RIGHTS & job.keys() for name, job in jobs.items() if name in MERGE_REQUESTS} == {
        "judge": {"id_tokens"}, "judge by limits": set(),
    }  # fmt: skip
    own, strangers = jobs["judge"], jobs["judge by limits"]
    assert [line for line in own["before_script"] if "identity" in line] == [
        'IDENTITY=$(python3 -I "$RUNNER_TEMP/toolkit/actions/identity/variables.py" --read)'
    ]
    same = "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID"
    assert all(same in rule["if"] and "$MLOPS_STORE" in rule["if"] for rule in own["rules"])
    assert strangers["before_script"][0] == "unset MLOPS_STORE"
    assert not any("identity" in line for line in strangers["before_script"] + strangers["script"])
    text = str([own, strangers])
    assert [name for name in ("TOKEN}", "SIGNING", "PASSWORD", "MLOPS_GITLAB") if name in text] == []


def test_what_has_rights_runs_no_code_of_a_merge_request(jobs: dict[str, dict[str, Any]]) -> None:
    """What `collect` fetches is only read: nothing of the team is installed, and no folder of it is entered."""
    job = jobs["collect"]
    assert job["variables"]["MLOPS_REQUIREMENTS"] == ""
    assert job["variables"]["PYTHONSAFEPATH"] == "1"
    assert not any(line.startswith(("cd ", "pip ", "python ")) for line in job["script"])
    assert all(job.get("needs", []) == [] and "dependencies" not in job for job in jobs.values())


def test_deliveries_wait_for_their_turn_and_a_rollback_for_none(jobs: dict[str, dict[str, Any]]) -> None:
    groups = {name: job.get("resource_group") for name, job in jobs.items() if name not in MERGE_REQUESTS}
    assert {name for name, group in groups.items() if group is None} == {"update template"}
    assert [name for name, group in groups.items() if group == groups["rollback"]] == ["rollback"]
    assert groups["promote"] == groups["reconcile"] == "mlops-ci-$ENVIRONMENT"
    assert [name for name, job in jobs.items() if name not in MERGE_REQUESTS and job["interruptible"]] == []


def test_no_later_push_to_main_takes_away_what_an_earlier_one_has_to_do(project: Path) -> None:
    """A release that waits for its turn knows what its own push has changed, and nobody else does."""
    rules = yaml.safe_load((project / ".gitlab-ci.yml").read_text().replace("!reference", ""))["workflow"]["rules"]
    assert [rule["auto_cancel"]["on_new_commit"] for rule in rules] == ["interruptible", "none"]


def test_everything_is_pinned_limited_and_called_by_quoted_values(jobs: dict[str, dict[str, Any]]) -> None:
    for name, job in jobs.items():
        assert re.fullmatch(r"python:3\.\d+\.\d+-\w+", job["image"]), name
        assert job["timeout"], name
        assert job["after_script"] == ['rm -rf "$RUNNER_TEMP"']
        for line in [*job["before_script"], *job["script"]]:
            unquoted = re.sub(r'"[^"]*"', "", re.sub(r'\$\{\w+:\+"[^"]*"\}', "", line)).replace("$LIMITS_ONLY", "")
            assert re.findall(r"\$(?!\(|\?)", unquoted) == [], f"{name}: the shell splits a value: {line}"


def test_several_models_are_judged_side_by_side(tmp_path: Path) -> None:
    several = gitlab.jobs(render(tmp_path / "several", "gitlab", "monorepo"))
    assert several["judge"]["parallel"] == several["judge by limits"]["parallel"] == 4
    assert "score" not in several
