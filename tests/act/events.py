"""Which workflows an event starts: act runs whatever file it is given, so the filters of `on` are applied here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

# What GitHub takes where `types` says nothing.
DEFAULT_TYPES = {"pull_request": ("opened", "synchronize", "reopened")}


class Loader(yaml.SafeLoader):
    """YAML as GitHub reads it, where `on` is a word and no truth value."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)  # noqa: S506 (a SafeLoader)
    return document


def started_by(folder: Path, event: str, payload: Mapping[str, Any], changed: list[str]) -> list[str]:
    """The names of the workflow files in the checkout's `.github/workflows` that the event starts.

    `changed` are the files that a push or a pull request touches.
    """
    files = sorted((folder / ".github" / "workflows").glob("*.yml"))
    return [file.name for file in files if accepts(read(file)["on"], event, payload, changed)]


def accepts(on: Any, event: str, payload: Mapping[str, Any], changed: list[str]) -> bool:
    if isinstance(on, str):
        on = [on]
    if event not in on:
        return False
    declared = (on[event] if isinstance(on, Mapping) else None) or {}
    if event == "schedule":
        return payload["schedule"] in [entry["cron"] for entry in declared]
    types = listed(declared.get("types")) or DEFAULT_TYPES.get(event)
    if types and payload.get("action") and payload["action"] not in types:
        return False
    branch = branch_of(event, payload)
    if "branches" in declared and not matches(branch, listed(declared["branches"])):
        return False
    if "branches-ignore" in declared and matches(branch, listed(declared["branches-ignore"])):
        return False
    if "paths" in declared and not any(matches(path, listed(declared["paths"])) for path in changed):
        return False
    if "paths-ignore" in declared and all(matches(path, listed(declared["paths-ignore"])) for path in changed):
        return False
    return event != "workflow_run" or payload["workflow"]["name"] in listed(declared["workflows"])


def branch_of(event: str, payload: Mapping[str, Any]) -> str:
    """The branch that `branches` is about: of a pull request the one it goes into."""
    if event.startswith("pull_request"):
        return str(payload["pull_request"]["base"]["ref"])
    if event == "workflow_run":
        return str(payload["workflow_run"]["head_branch"])
    return str(payload.get("ref", "")).removeprefix("refs/heads/")


def matches(name: str, patterns: list[str]) -> bool:
    """The last pattern that matches decides; one with `!` in front excludes."""
    found = False
    for pattern in patterns:
        negative = pattern.startswith("!")
        if fits(name, pattern.removeprefix("!")):
            found = not negative
    return found


def fits(name: str, pattern: str) -> bool:
    """`*` stays within one folder, `**` does not."""
    if "**" in pattern:
        return fnmatchcase(name, pattern.replace("**/", "*").replace("**", "*"))
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)


def listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(each) for each in value]
