"""`.gitlab-ci.yml` with what it includes, `extends` and `!reference` resolved; and `gitlab-ci-local`, which runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipelines.world import ROOT

_TOP = {"include", "workflow", "stages", "variables", "default"}


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!reference", lambda loader, node: tuple(loader.construct_sequence(node)))


def jobs(folder: Path) -> dict[str, dict[str, Any]]:
    """By their names, the hidden ones left out."""
    texts = [folder / ".gitlab-ci.yml", *sorted(folder.glob(".gitlab/ci/*.yml"))]
    found: dict[str, Any] = {}
    for path in texts:
        read = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a safe one with one more tag
        assert not found.keys() & read.keys(), path
        found |= {name: job for name, job in read.items() if name not in _TOP}
    whole = {name: _resolved(job, found) for name, job in found.items()}
    for job in whole.values():
        for key in ("before_script", "script", "after_script"):
            if key in job:
                job[key] = [line for part in job[key] for line in _lines(part, whole)]
    return {name: job for name, job in whole.items() if not name.startswith(".")}


def _resolved(job: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    above = job.get("extends", [])
    merged: dict[str, Any] = {}
    for name in [above] if isinstance(above, str) else above:
        merged = _merged(merged, _resolved(found[name], found))
    return _merged(merged, {key: value for key, value in job.items() if key != "extends"})


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings key by key, anything else by the later one, as GitLab does it."""
    both = dict(one)
    for key, value in other.items():
        mappings = isinstance(value, Mapping) and isinstance(both.get(key), Mapping)
        both[key] = _merged(both[key], value) if mappings else value
    return both


def _lines(part: Any, whole: Mapping[str, Any]) -> list[str]:
    if isinstance(part, str):
        return [part]
    name, key = part
    return [line for each in whole[name][key] for line in _lines(each, whole)]


def gitlab_ci_local() -> Path:
    """Skips where it is not installed; in CI it has to be."""
    program = ROOT / "build/gitlab-ci-local/node_modules/.bin/gitlab-ci-local"
    if not (program.exists() and shutil.which("node")):
        reason = "gitlab-ci-local is not there: bash .ci/services up installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def run(folder: Path, home: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """One pipeline of the committed folder, each job by a shell of its own."""
    given = [argument for name, value in variables.items() for argument in ("--variable", f"{name}={value}")]
    options = ("--force-shell-executor", "--no-color", "--concurrency=2", "--json-schema-validation=false")
    return subprocess.run(
        ["node", str(gitlab_ci_local()), *options, *given],
        cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
    )  # fmt: skip
