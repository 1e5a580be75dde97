"""What a workflow that calls the toolkit relies on, held against the toolkit as it is now.

GitHub refuses to start a workflow that passes an input or a secret which is not declared, that lacks a required one, or
that calls a workflow which asks for more permissions than its caller grants. Nobody sees that before an event comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.reference.github import permissions_needed

_OURS = re.compile(r"[\w.-]+/[\w.-]+/(?P<path>(?:actions/[\w-]+|\.github/workflows/[\w-]+\.yml))@[\w./-]+")
_LEVELS = ("none", "read", "write")

Document = Mapping[str, Any]


def caller_problems(caller: Path, toolkit: Path) -> list[str]:
    """Everything in the workflow `caller` that the actions and workflows of the folder `toolkit` do not take."""
    document: Document = yaml.safe_load(caller.read_text(encoding="utf-8"))
    problems = []
    for name, job in document["jobs"].items():
        granted = job.get("permissions", document.get("permissions"))
        problems += [f"job {name}: {problem}" for problem in _job_problems(job, granted, toolkit)]
    return problems


def _job_problems(job: Document, granted: object, toolkit: Path) -> Iterator[str]:
    called = _OURS.fullmatch(str(job.get("uses", "")))
    if called:
        yield from _workflow_problems(job, granted, toolkit / called["path"])
    for step in job.get("steps", ()):
        used = _OURS.fullmatch(str(step.get("uses", "")))
        if used:
            yield from _action_problems(step, toolkit / used["path"] / "action.yml")


def _workflow_problems(job: Document, granted: object, path: Path) -> Iterator[str]:
    if not path.is_file():
        yield f"there is no workflow {path.name}"
        return
    workflow: Document = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true
    events: Any = workflow.get("on", workflow.get(True))  # type: ignore[call-overload]
    if not isinstance(events, Mapping) or "workflow_call" not in events:
        yield f"{path.name} cannot be called"
        return
    declared = events["workflow_call"] or {}
    yield from _passed("input", job.get("with") or {}, declared.get("inputs") or {}, path.name)
    if job.get("secrets") != "inherit":
        yield from _passed("secret", job.get("secrets") or {}, declared.get("secrets") or {}, path.name)
    if not isinstance(granted, Mapping):
        return
    for scope, level in permissions_needed(workflow).items():
        if _LEVELS.index(granted.get(scope, "none")) < _LEVELS.index(level):
            yield f"{path.name} needs `{scope}: {level}`, which the caller does not grant"


def _action_problems(step: Document, path: Path) -> Iterator[str]:
    if not path.is_file():
        yield f"there is no action {path.parent.name}"
        return
    action: Document = yaml.safe_load(path.read_text(encoding="utf-8"))
    yield from _passed("input", step.get("with") or {}, action.get("inputs") or {}, path.parent.name)


def _passed(kind: str, given: Document, declared: Document, name: str) -> Iterator[str]:
    for key in given:
        if key not in declared:
            yield f"{name} declares no {kind} {key}"
    for key, about in declared.items():
        if (about or {}).get("required") and key not in given:
            yield f"{name} requires the {kind} {key}, which is not passed"
