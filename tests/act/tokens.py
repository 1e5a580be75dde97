"""A token of its own for each job, with the permissions that the job declares and no others.

act knows one token for a whole run and enforces no permissions. So in the copy of the toolkit that the tests run, what
a job says of its token names a variable of the run, and GitHub (the stand-in) refuses what the job did not ask for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.act.events import read

# They are asked of a cloud and of a registry, not of the API.
ELSEWHERE = ("id-token", "packages")
LEVELS = ("none", "read", "write")
OWN_ACTION = re.compile("mlops-ci/mlops-ci/(actions/[^@]+)@")
TOKEN = re.compile(r"github\.token|secrets\.GITHUB_TOKEN")


def variable(job: str) -> str:
    return f"TOKEN_OF_{job.upper().replace('-', '_')}"


def separate(toolkit: Path, workflow: Path) -> None:
    """Rewrites a reusable workflow so that each job uses its own token, given by name or not."""
    document = read(workflow)
    for name, job in document["jobs"].items():
        own = f"vars.{variable(name)}"
        for step in job.get("steps", []):
            action = OWN_ACTION.match(step.get("uses", ""))
            if action and takes_token(toolkit / action[1] / "action.yml"):
                step.setdefault("with", {}).setdefault("token", "${{ github.token }}")
        document["jobs"][name] = replaced(job, own)
    workflow.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def takes_token(action: Path) -> bool:
    inputs = read(action).get("inputs") or {}
    return TOKEN.search(str(inputs.get("token", {}).get("default", ""))) is not None


def replaced(value: Any, own: str) -> Any:
    if isinstance(value, str):
        return TOKEN.sub(own, value)
    if isinstance(value, list):
        return [replaced(each, own) for each in value]
    if isinstance(value, dict):
        return {key: replaced(each, own) for key, each in value.items()}
    return value


def declared(workflow: Path, granted: Mapping[str, str], most: str = "write") -> dict[str, dict[str, str]]:
    """What the token of each job of a reusable workflow may, where its caller grants that much; at the most `most`.

    Raises AssertionError where a job asks for more than the caller grants, which GitHub refuses before anything runs.
    """
    found: dict[str, dict[str, str]] = {}
    for name, job in read(workflow)["jobs"].items():
        asked: Mapping[str, Any] = job.get("permissions") or {}
        beyond = {key: level for key, level in asked.items() if above(level, granted.get(key, "none"))}
        assert not beyond, f"{workflow.name}: {name} asks for {beyond}, and its caller grants {dict(granted)}"
        found[name] = {
            key.replace("-", "_"): min(level, most, key=LEVELS.index)
            for key, level in asked.items()
            if key not in ELSEWHERE
        }
    return found


def above(level: str, other: str) -> bool:
    return LEVELS.index(level) > LEVELS.index(other)
