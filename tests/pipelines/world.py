"""A machine on which the rendered pipelines run for real but for what they call: a toolkit to clone, whose installer
puts a recording `mlops-ci` on PATH, and whatever a stranger may have written into names and titles.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_ci.adapters import templates
from mlops_ci.cli.main import build_parser

ROOT = Path(__file__).parents[2]
MODELS = ("tides", "rain-soon")
SECRETS = {
    "MLOPS_GITLAB_TOKEN": "the-token", "MLOPS_GITHUB_TOKEN": "the-token", "MLOPS_AZURE_DEVOPS_TOKEN": "the-token",
    "MLOPS_SIGNING_KEY": "the-key", "MLOPS_REGISTRY_PASSWORD": "the-password",
}  # fmt: skip
HOSTILE = """"; touch owned #'$(touch owned)`touch owned` && touch owned | {} * --all\\"""
"""What somebody may call a branch, a title or a reason."""
_RECORDER = """\
#!{python}
import json, os, sys
with open({calls!r}, "a") as stream:
    json.dump({{"argv": sys.argv[1:], "environment": dict(os.environ)}}, stream)
    stream.write("\\n")
if sys.argv[1:2] == ["plan"]:
    print({models!r})
sys.exit({failing!r} in sys.argv[1:] and 16)
"""
_INSTALLER = """\
import os, sys
assert sys.argv[1:] == ["--shell"] and sys.flags.isolated, sys.argv
print("requirements:", os.environ.get("MLOPS_REQUIREMENTS"), file=sys.stderr)
print("export PATH={folder}:\\"$PATH\\"")
"""
_COLLECTOR = """\
import pathlib, sys
for run in (7, 8):
    for name in ("reports", "candidates", "checkout"):
        (pathlib.Path(sys.argv[1]) / str(run) / name).mkdir(parents=True)
"""


@dataclass(frozen=True, kw_only=True)
class Call:
    argv: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def secrets(self) -> set[str]:
        return {name for name in SECRETS if self.environment.get(name)}


@dataclass(frozen=True, kw_only=True)
class World:
    """`folder` has the recording program, the toolkit, and whatever a test puts there."""

    folder: Path

    @property
    def toolkit(self) -> str:
        return f"{self.folder / 'toolkit'}@v1"

    def calls(self) -> list[Call]:
        """Those of `mlops-ci` since this was asked last; each one is what the real command line takes."""
        path = self.folder / "calls"
        found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        for call in found:
            build_parser().parse_args(call["argv"])
        assert not [str(owned) for owned in self.folder.rglob("owned")]
        return [Call(argv=tuple(call["argv"]), environment=call["environment"]) for call in found]

    def put_program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def bash(self, script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """As an agent runs a step: a file, in the checkout."""
        path = self.folder / "step.sh"
        path.write_text(script)
        environment = {"PATH": f"{self.folder / 'tools'}:{os.environ['PATH']}", "HOME": str(self.folder), **variables}
        return subprocess.run(
            ["bash", str(path)], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )


def make_world(folder: Path, *, failing: str = "") -> World:
    world = World(folder=folder)
    recorder = _RECORDER.format(
        python=sys.executable, calls=str(folder / "calls"), models="\n".join(MODELS), failing=failing or None
    )
    world.put_program("mlops-ci", recorder)
    files = {
        "actions/setup/install.py": _INSTALLER.format(folder=folder / "bin"),
        "actions/publish-report/collect.py": _COLLECTOR,
        "actions/identity/variables.py": (ROOT / "actions/identity/variables.py").read_text(),
    }
    for name, text in files.items():
        (folder / "toolkit" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "toolkit" / name).write_text(text)
    commit(folder / "toolkit")
    subprocess.run(["git", "tag", "v1"], cwd=folder / "toolkit", check=True)
    return world


def commit(folder: Path) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@acme.example")
    for command in (("init", "-q", "-b", "main"), ("add", "--all"), (*who, "commit", "-q", "-m", "all of it")):
        subprocess.run(["git", *command], cwd=folder, check=True)


def render(folder: Path, pipelines: str, kind: str, **answers: str) -> Path:
    """A team's repository, without its data, which no pipeline here reads."""
    templates.render(templates.load(kind), {"pipelines": pipelines, **answers}, folder)
    for name in ("data", "incoming"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return folder


def commands(calls: list[Call]) -> list[str]:
    return [" ".join(call.argv) for call in calls]
