"""Workflows and actions as the rules of this folder look at them: the text, and what YAML makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
OWN = "mlops-ci/mlops-ci/"


@dataclass(frozen=True, kw_only=True)
class Document:
    """One workflow or action; `name` is its file without the ending, an action's its folder."""

    name: str
    text: str

    @cached_property
    def value(self) -> dict[str, Any]:
        # Every scalar stays text: YAML 1.1 would make `on` a boolean.
        return yaml.load(self.text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text, lists, mappings

    @property
    def events(self) -> dict[str, Any]:
        on = self.value.get("on", {})
        return on if isinstance(on, dict) else {name: {} for name in ([on] if isinstance(on, str) else on)}

    @property
    def call(self) -> dict[str, Any]:
        """What it takes from its callers, where it is a reusable workflow."""
        return self.events.get("workflow_call") or {}

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return self.value.get("jobs", {})

    def steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each step with the name of its job; of an action the steps belong to `runs`."""
        for name, job in self.jobs.items():
            yield from ((name, step) for step in job.get("steps", ()))
        yield from (("runs", step) for step in self.value.get("runs", {}).get("steps", ()))

    def replaced(self, old: str, new: str, count: int = -1) -> Document:
        """The document with something changed, for the tests of the rules."""
        assert old in self.text, f"{self.name} has no {old!r}"
        return Document(name=self.name, text=self.text.replace(old, new, count))


def workflow(name: str) -> Document:
    return Document(name=name, text=(ROOT / f".github/workflows/{name}.yml").read_text())


def action(name: str) -> Document:
    return Document(name=name, text=(ROOT / f"actions/{name}/action.yml").read_text())


def reusable_workflows() -> list[Document]:
    found = [workflow(path.stem) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))]
    return [document for document in found if document.call or "workflow_call" in document.events]


def actions() -> list[Document]:
    return [action(path.parent.name) for path in sorted(ROOT.glob("actions/*/action.yml"))]


def own_action(step: Mapping[str, Any]) -> str:
    """The name of the toolkit's action that a step uses; empty for any other step."""
    found = re.fullmatch(rf"{OWN}actions/([a-z-]+)@\S+", step.get("uses", ""))
    return found[1] if found else ""


def grants(job: Mapping[str, Any]) -> dict[str, str]:
    return job.get("permissions") or {}


def strings(value: Any) -> Iterator[str]:
    """Every text in a value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from strings(item)
    else:
        for item in value:
            yield from strings(item)
