"""What is wrong with workflow files is found from the files alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mlops_ci.adapters.workflow_files import read_workflows
from mlops_ci.core.workflow import Workflow
from mlops_ci.pipeline.doctor import Finding
from mlops_ci.pipeline.doctor_workflows import EVENTS, GRANTS, wiring, workflow_findings

TOOLKIT = "mlops-ci/mlops-ci/.github/workflows"
GOOD = f"""
name: Model pull request
on: [pull_request]
permissions: {{}}
jobs:
  model:
    uses: {TOOLKIT}/model-pull-request.yml@v1
    permissions: {{contents: read, id-token: write}}
"""
REPORT = f"""
name: Model report
on: {{workflow_run: {{workflows: [Model pull request], types: [completed]}}}}
permissions: {{}}
jobs:
  model:
    uses: {TOOLKIT}/model-report.yml@v1
    permissions: {{actions: read, checks: write, contents: read, pull-requests: write}}
"""
RELEASE = f"""
on: {{push: {{branches: [main]}}}}
permissions: {{}}
jobs:
  model:
    uses: {TOOLKIT}/model-release.yml@v1
    permissions:
      {{contents: write, pull-requests: write, checks: write, deployments: write, packages: write, id-token: write}}
    secrets:
      app-private-key: ${{{{ secrets.MLOPS_APP_PRIVATE_KEY }}}}
"""
PROMOTE = f"""
on: {{pull_request_review: {{types: [submitted]}}, push: {{branches: [main]}}}}
permissions: {{}}
jobs:
  model:
    uses: {TOOLKIT}/model-promote.yml@v1
    permissions: write-all
"""
ALL = {"pull-request.yml": GOOD, "report.yml": REPORT, "release.yml": RELEASE, "promote.yml": PROMOTE}


def read(folder: Path, **texts: str) -> list[Workflow]:
    place = folder / ".github" / "workflows"
    place.mkdir(parents=True)
    for name, text in texts.items():
        (place / name.replace("_yml", ".yml")).write_text(text, encoding="utf-8")
    return read_workflows(folder)


def found(folder: Path, **changes: str) -> list[Finding]:
    return list(workflow_findings(read(folder, **(ALL | changes))))


def test_what_is_as_it_should_be_gives_rise_to_nothing(tmp_path: Path) -> None:
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "level", "named"),
    [
        (
            "pull-request.yml",
            "id-token: write",
            "id-token: read",
            "error",
            "model-pull-request needs more than the job grants, so GitHub does not start it: id-token",
        ),
        (
            "pull-request.yml",
            "permissions: {contents: read, id-token: write}",
            "permissions: {}",
            "error",
            "contents: read, id-token: write",
        ),
        ("pull-request.yml", "@v1", "@v1.2.0", "error", "from mlops-ci/mlops-ci@v1 and from mlops-ci/mlops-ci@v1.2.0"),
        (
            "pull-request.yml",
            "on: [pull_request]",
            "on: push",
            "error",
            "model-pull-request is not started on pull_request",
        ),
        (
            "pull-request.yml",
            "name: Model pull request\n",
            "name: Renamed\n",
            "error",
            "it waits for a workflow that there is not, so no pull request gets a report: Model",
        ),
        (
            "pull-request.yml",
            "on: [pull_request]",
            "on: [pull_request, pull_request_target]",
            "warning",
            "runs with secrets, also for a stranger's",
        ),
        ("release.yml", "      app-private-key: ${{ secrets.MLOPS_APP_PRIVATE_KEY }}\n", "", "", ""),
        ("release.yml", "permissions: {}\njobs", "jobs", "", ""),
        (
            "promote.yml",
            "permissions: {}\njobs",
            "permissions: write-all\njobs",
            "warning",
            "every job may write everything",
        ),
        ("promote.yml", "    permissions: write-all\n", "    permissions: read-all\n", "error", "actions: write"),
        ("report.yml", "jobs:", "jobs: [", "error", "GitHub cannot read this workflow"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, file: str, before: str, after: str, level: str, named: str) -> None:
    assert before in ALL[file]
    findings = found(tmp_path, **{file: ALL[file].replace(before, after)})
    if not level:
        assert findings == []
        return
    assert (level, True) in {(one.level, named in one.what) for one in findings}, findings
    assert all(one.fix for one in findings)


def test_secrets_are_named_and_actions_pinned(tmp_path: Path) -> None:
    secrets = "    secrets:\n      app-private-key: ${{ secrets.MLOPS_APP_PRIVATE_KEY }}\n"
    inherited = RELEASE.replace(secrets, "    secrets: inherit\n")
    own = """
on: push
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - uses: actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0
      - uses: ./local
      - uses: docker://alpine@sha256:0000
      - uses: mlops-ci/mlops-ci/actions/setup@v1
      - run: echo "${{ secrets.TOKEN_OF_OURS }} ${{ secrets.GITHUB_TOKEN }}"
"""
    workflows = read(tmp_path, **(ALL | {"release.yml": inherited, "own.yml": own}))
    findings = {(one.level, one.where): one.what for one in workflow_findings(workflows)}
    assert "hands over every secret" in findings["warning", ".github/workflows/release.yml, job model"]
    assert "actions/checkout@v6 is whatever" in findings["warning", ".github/workflows/own.yml:7"]
    assert "the job lint has whatever permissions" in findings["warning", ".github/workflows/own.yml"]
    assert not any("mlops-ci/mlops-ci" in what for what in findings.values())
    assert wiring(workflows).secrets == {"TOKEN_OF_OURS"}


def test_a_branch_of_the_toolkit_is_no_release(tmp_path: Path) -> None:
    findings = found(tmp_path, **{name: text.replace("@v1", "@main") for name, text in ALL.items()})
    assert {(one.level, "is a branch of the toolkit" in one.what) for one in findings} == {("warning", True)}


def test_who_calls_only_some_is_told_of_the_others(tmp_path: Path) -> None:
    findings = list(workflow_findings(read(tmp_path, pull_yml=GOOD)))
    assert [(one.level, one.what) for one in findings] == [
        ("note", f"no workflow calls {name}") for name in ("model-promote", "model-release", "model-report")
    ]


def test_a_repository_without_workflows_of_ours_is_left_alone(tmp_path: Path) -> None:
    assert list(workflow_findings(read_workflows(tmp_path))) == []
    other = "on: push\npermissions: {}\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n"
    assert list(workflow_findings(read(tmp_path, other_yml=other))) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "on: push\njobs: 7\n", "on: 7\njobs: {a: 7, b: {uses: 7}}\n", "name: [", "a: &a [*a]"]
)
def test_whatever_a_file_holds_it_is_no_crash(tmp_path: Path, text: str) -> None:
    workflows = read(tmp_path, strange_yml=text)
    list(workflow_findings(workflows))
    assert wiring(workflows).gates == ()


def test_a_project_in_a_folder_has_to_be_known_to_the_callers(tmp_path: Path) -> None:
    workflows = read(tmp_path, **ALL)
    (one,) = workflow_findings(workflows, way="models/late/")
    assert (one.level, one.fix) == ("error", "add `with: {directory: models/late}` to the jobs that call the toolkit")
    told = {name: f"{text.rstrip()}\n    with: {{directory: ./models/late}}\n" for name, text in ALL.items()}
    workflows = read(tmp_path / "other", **told)
    assert list(workflow_findings(workflows, way="models/late/")) == []
    assert [found.level for found in workflow_findings(workflows)] == ["error"]


def test_names_that_a_terminal_would_obey_are_shown_as_text(tmp_path: Path) -> None:
    hostile = 'on: push\npermissions: {}\njobs: {a: {steps: [{uses: "evil/x@\x1b[2J"}]}}\n'
    hostile += f"  # {TOOLKIT}\n"
    named = f'on: push\njobs: {{"a\\n::error::b": {{uses: {TOOLKIT}/model-report.yml@main}}}}\n'
    for one in workflow_findings(read(tmp_path, hostile_yml=hostile, named_yml=named)):
        assert all(text.isprintable() for text in (one.where, one.what, one.fix))


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    place = tmp_path / ".github" / "workflows"
    place.mkdir(parents=True)
    (place / "a.yml").write_bytes(b"\xff\xfe")
    (place / "b.yml").mkdir()
    (place / "c.yml").symlink_to("nowhere")
    (place / "d.yml").write_text("#" * 1_000_001, encoding="utf-8")
    assert [one.fault for one in read_workflows(tmp_path)] == [
        "it is no UTF-8 text", "Is a directory", "No such file or directory", "it has more than 1,000,000 bytes",
    ]  # fmt: skip


def test_the_wiring_is_what_the_callers_say(tmp_path: Path) -> None:
    shown = wiring(read(tmp_path, **ALL))
    assert shown.called == set(EVENTS)
    assert shown.gates == ("model / gate",)
    assert shown.keys == {"app-private-key": "${{ secrets.MLOPS_APP_PRIVATE_KEY }}"}
    assert shown.secrets == set()
    assert shown.pushes == {".github/workflows/release.yml": ("main",)}


@pytest.mark.parametrize("name", sorted(GRANTS))
def test_what_callers_have_to_grant_is_what_the_reusable_workflows_ask_for(name: str) -> None:
    path = Path(__file__).parents[2] / ".github" / "workflows" / f"{name}.yml"
    asked: dict[str, str] = {}
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
        for permission, level in (job.get("permissions") or {}).items():
            asked[permission] = max(asked.get(permission, "read"), level)  # "read" < "write"
    assert GRANTS[name] == asked
