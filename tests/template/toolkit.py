"""A toolkit of ours whose templates a test may change, as a later version would, and a team's repository made by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import templates
from tests.cli.repository import Answer, Repository

KIND = "small"
MLOPS = """\
schema: 1
model: [[ model ]]
task: regression

data:
  source: data.csv
  target: y

gate:
  looks: 20

environments:
  qa: {target: process}
  production: {target: process}
"""
FILES = {
    "all/questions.yaml": 'owner: {prompt: Who, default: "@acme/ml", pattern: "@[a-z]+/[a-z]+", rule: "@org/team"}\n',
    "all/.github/CODEOWNERS.jinja": "/environments/production/ [[ owner ]]\n",
    "all/.github/workflows/ci.yml": "on: push\njobs:\n  a:\n    uses: mlops-ci/mlops-ci/x.yml@v1\n",
    "small/template.yaml": "schema: 1\ndescription: A small one\nquestions:\n  model: {prompt: Name, default: tides, "
    'pattern: "[a-z][a-z-]{0,20}", rule: small letters}\n',
    "small/mlops.yaml.jinja": MLOPS,
    "small/README.md.jinja": "# [[ model ]]\n\nOne.\n\nTwo.\n\nThree.\n\nFour.\n\nFive.\n\nSix.\n",
    "small/train.py": "def build_model(params):\n    return None\n",
    "small/data/rows.parquet": "PAR1\0first",
}


@dataclass(frozen=True)
class Toolkit:
    """`folder` is like a checkout of ours: the package, and templates beside it."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        path = self.folder / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, before: str, after: str) -> None:
        text = (self.folder / "templates" / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {name}"
        self.write(name, text.replace(before, after))

    def remove(self, name: str) -> None:
        (self.folder / "templates" / name).unlink()


@dataclass(frozen=True)
class Team(Repository):
    """A repository whose project may lie in a folder of it."""

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def update(self, *arguments: str) -> Answer:
        return self.run("update", *arguments)

    def state(self) -> dict[str, bytes]:
        """Every file that is not Git's, with its content."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and ".git" not in path.parts]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


def make_toolkit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Toolkit:
    """From here on, commands in this process take their templates from it."""
    folder.mkdir()
    (folder / "mlops_ci").symlink_to(Path(templates.__file__).parents[1], target_is_directory=True)
    toolkit = Toolkit(folder)
    for name, text in FILES.items():
        toolkit.write(name, text)
    monkeypatch.setattr(templates, "_PACKAGE", folder / "mlops_ci")
    return toolkit


def make_team(folder: Path, *, inside: str = "", **answers: str) -> Team:
    """As a person makes it: `init` with these answers, and a first commit; `inside` is a folder of the repository."""
    (folder / inside).mkdir(parents=True)
    team = Team(folder / inside)
    Team(folder).git("init", "-q", "-b", "main")
    given = [argument for name, answer in answers.items() for argument in ("--answer", f"{name}={answer}")]
    made = team.run("init", KIND, ".", "--defaults", *given)
    assert made.code == 0, made.said
    Team(folder).commit("from the template")
    return team


def facts(answer: Answer) -> dict[str, Any]:
    """What an update has done, by path."""
    value = {kind: answer.value[kind] for kind in ("changed", "added", "removed") if answer.value[kind]}
    return value | {
        kind: [problem["where"] for problem in answer.value[kind]]
        for kind in ("conflicts", "kept")
        if answer.value[kind]
    }
