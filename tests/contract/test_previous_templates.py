"""Teams that began with the release before this one go on to work with the present code, without changing anything.

They have what its templates gave them: workflows that call ours with certain inputs, secrets and permissions, an
`mlops.yaml`, commands in their README. Where the clone has release tags, the newest one of this major version is
rendered by its own code; else `rendered/`, which `python -m tests.contract.freeze TAG` makes anew after each release.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import mlops_ci
from mlops_ci.cli.main import build_parser
from mlops_ci.errors import ConfigurationError
from tests.cli.repository import Repository
from tests.contract.callers import caller_problems
from tests.contract.freeze import FROZEN, ROOT, export, render_all
from tools.release_toolkit.version import Version, of_tag, parse


def previous_tag(tags: list[str], version: Version) -> str:
    """The newest release of the same major version up to this one; "" where there is none."""
    found = [one for tag in tags if (one := of_tag(tag)) is not None and one.major == version.major and one <= version]
    return max(found).tag if found else ""


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which every template of the release before is rendered."""
    listing = subprocess.run(["git", "tag"], cwd=ROOT, capture_output=True, text=True, check=False)
    tag = previous_tag(listing.stdout.split() if listing.returncode == 0 else [], parse(mlops_ci.__version__))
    if not tag:
        return FROZEN
    scratch = tmp_path_factory.mktemp("previous")
    export(tag, scratch / "code")
    render_all(scratch / "code", scratch / "rendered")
    return scratch / "rendered"


def kinds(previous: Path) -> list[Path]:
    found = sorted(path for path in previous.iterdir() if path.is_dir())
    assert found
    return found


def team(rendered: Path, folder: Path) -> Repository:
    """A repository as a team has it; data that were not frozen are today's."""
    shutil.copytree(rendered, folder)
    for data in (ROOT / "templates" / rendered.name).rglob("*"):
        target = folder / data.relative_to(ROOT / "templates" / rendered.name)
        if data.suffix in (".parquet", ".csv") and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data, target)
    repository = Repository(folder)
    repository.commit("from the template of the release before")
    return repository


def test_workflows_of_teams_are_still_taken(previous: Path) -> None:
    problems = {
        f"{kind.name}/{caller.name}": found
        for kind in kinds(previous)
        for caller in sorted(kind.glob(".github/workflows/*.y*ml"))
        if (found := caller_problems(caller, ROOT))
    }
    assert problems == {}


def test_the_check_that_branch_rules_of_teams_require_is_still_reported() -> None:
    """Its name is the caller's job and this one's; a name that nobody reports stays pending for ever."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "model-pull-request.yml").read_text("utf-8"))
    gate = workflow["jobs"]["gate"]
    assert gate["name"] == "gate"
    assert gate["if"] == "always()"


def test_configurations_and_data_of_teams_pass_as_before(previous: Path, tmp_path: Path) -> None:
    for kind in kinds(previous):
        repository = team(kind, tmp_path / kind.name)
        planned = repository.run("plan", "--all")
        assert planned.code == 0, planned.said
        assert planned.value["models"], kind.name
        for model in planned.value["models"][:2]:
            checked = repository.run("check", model)
            assert (checked.code, checked.value["problems"]) == (0, []), checked.said


def test_templates_of_teams_can_be_updated(previous: Path, tmp_path: Path) -> None:
    for kind in kinds(previous):
        repository = team(kind, tmp_path / kind.name)
        answer = repository.run("update", "--check")
        assert answer.code == 0, answer.said
        assert answer.value["conflicts"] == []


def test_commands_that_teams_were_told_are_still_taken(previous: Path) -> None:
    told = {command for kind in kinds(previous) for command in commands_in(kind)}
    assert told
    refused = {}
    for command in sorted(told):
        try:
            build_parser().parse_args(shlex.split(command, comments=True)[1:])
        except ConfigurationError as error:
            refused[command] = str(error)
    assert refused == {}


def commands_in(folder: Path) -> Iterator[str]:
    """Every call of `mlops-ci` in the shell blocks of a team's documents and in the steps of its workflows."""
    for document in folder.rglob("*.md"):
        for block in re.findall(r"```(?:sh|bash|shell)\n(.*?)```", document.read_text("utf-8"), flags=re.DOTALL):
            yield from re.findall(r"^\s*(mlops-ci .+)$", block.replace("\\\n", " "), flags=re.MULTILINE)
    for workflow in folder.glob(".github/workflows/*.yml"):
        yield from re.findall(
            r"^\s*(?:- )?(?:run: )?(mlops-ci [^|&>]+)$", workflow.read_text("utf-8"), flags=re.MULTILINE
        )


@pytest.mark.parametrize(
    ("tags", "version", "expected"),
    [
        ([], "1.0.0", ""),
        (["v1", "v0.9.0", "v1.0.0-rc1"], "1.1.0", ""),
        (["v1", "v1.2.0", "v1.10.0", "v2.0.0"], "1.11.0", "v1.10.0"),
        (["v1.2.0", "v1.10.0"], "1.2.0", "v1.2.0"),
    ],
)
def test_which_release_is_the_one_before(tags: list[str], version: str, expected: str) -> None:
    assert previous_tag(tags, parse(version)) == expected


TOOLKIT = """\
on:
  workflow_call:
    inputs:
      python-version: {type: string, default: "3.11"}
      model: {type: string, required: true}
    secrets:
      app-private-key: {required: false}
jobs:
  train:
    permissions: {contents: read, pull-requests: write}
"""


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        ("with: {model: a}", []),
        ("with: {model: a, modle: b}", ["job x: model.yml declares no input modle"]),
        ("with: {}", ["job x: model.yml requires the input model, which is not passed"]),
        ("with: {model: a}\n    secrets: {key: k}", ["job x: model.yml declares no secret key"]),
        ("with: {model: a}\n    secrets: inherit", []),
        (
            "with: {model: a}\n    permissions: {contents: write}",
            ["job x: model.yml needs `pull-requests: write`, which the caller does not grant"],
        ),
    ],
)
def test_what_a_caller_may_not_do_is_seen(tmp_path: Path, caller: str, expected: list[str]) -> None:
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "model.yml").write_text(TOOLKIT)
    (tmp_path / "caller.yml").write_text(
        "jobs:\n  x:\n    uses: acme/ml/.github/workflows/model.yml@v1\n    "
        f"{caller}\n" + ("" if "permissions" in caller else "    permissions: {contents: read, pull-requests: write}\n")
    )
    assert caller_problems(tmp_path / "caller.yml", tmp_path) == expected


def test_what_is_no_longer_there_is_seen(tmp_path: Path) -> None:
    (tmp_path / "caller.yml").write_text(
        "jobs:\n  x:\n    uses: acme/ml/.github/workflows/gone.yml@v1\n"
        "  y:\n    steps:\n      - uses: acme/ml/actions/gone@v1\n      - uses: actions/checkout@v6\n"
    )
    assert caller_problems(tmp_path / "caller.yml", tmp_path) == [
        "job x: there is no workflow gone.yml", "job y: there is no action gone"
    ]  # fmt: skip
