"""Azure Pipelines' files with their templates put in, as the service does it before anything runs, as far as ours ask
for it: parameters with defaults, `${{ if }}` with `${{ else }}`, `trim`, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
Values = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Job:
    """`name` is unique in its file; `variables` are those of the file, `groups` what it takes from the library."""

    file: str
    stage: str
    condition: str
    name: str
    environment: str
    steps: tuple[dict[str, Any], ...]
    variables: Values = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    @property
    def connections(self) -> set[str]:
        return {step["inputs"]["azureSubscription"] for step in self.steps if "task" in step}

    def script(self, number: int) -> str:
        step = self.steps[number]
        return str(step["bash"] if "bash" in step else step["inputs"]["inlineScript"])

    @property
    def scripts(self) -> list[tuple[str, dict[str, str]]]:
        """Text and variables of each step that has a text."""
        numbers = [number for number, step in enumerate(self.steps) if "bash" in step or "task" in step]
        return [(self.script(number), dict(self.steps[number].get("env", {}))) for number in numbers]


def read(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text, lists, mappings


def pipelines(folder: Path) -> list[Path]:
    return sorted((folder / ".azure-pipelines").glob("*.yml"))


def jobs(path: Path, **parameters: str) -> list[Job]:
    """Every job of the pipeline, whatever starts it."""
    whole = _filled(read(path), path.parent, parameters)
    variables = {one["name"]: one["value"] for one in whole["variables"] if "name" in one}
    groups = tuple(one["group"] for one in whole["variables"] if "group" in one)
    return [
        Job(
            file=path.name, stage=stage["stage"], condition=stage.get("condition", ""),
            name=job.get("job") or job["deployment"], environment=job.get("environment", ""),
            steps=tuple(job.get("steps") or job["strategy"]["runOnce"]["deploy"]["steps"]),
            variables=variables, groups=groups,
        )
        for stage in whole["stages"]
        for job in stage["jobs"]
    ]  # fmt: skip


def _filled(template: Mapping[str, Any], folder: Path, given: Values) -> dict[str, Any]:
    declared = {one["name"]: one.get("default") for one in template.get("parameters", ())}
    assert given.keys() <= declared.keys(), f"{given.keys() - declared.keys()} are declared nowhere"
    values = {**declared, **given}
    assert None not in values.values(), f"{[name for name, value in values.items() if value is None]} are not given"
    rest = {key: value for key, value in template.items() if key != "parameters"}
    return {key: _expanded(value, folder, values) for key, value in rest.items()}


def _expanded(value: Any, folder: Path, values: Values) -> Any:
    if isinstance(value, str):
        return _EXPRESSION.sub(lambda found: _said(found[1], values), value)
    if isinstance(value, Mapping):
        return {_said_key(key): _expanded(item, folder, values) for key, item in value.items()}
    return list(_items(value, folder, values))


def _items(items: list[Any], folder: Path, values: Values) -> Iterator[Any]:
    taken = True
    for item in items:
        condition = next(iter(item)) if isinstance(item, Mapping) else ""
        asked = _EXPRESSION.fullmatch(condition)
        if asked:
            taken = not taken if asked[1] == "else" else bool(_said(asked[1].removeprefix("if "), values))
            if taken:
                yield from _items(item[condition], folder, values)
        elif isinstance(item, Mapping) and "template" in item:
            path = folder / item["template"]
            given = _expanded(item.get("parameters", {}), folder, values)
            (kind, found), *_ = _filled(read(path), path.parent, given).items()
            assert kind in ("jobs", "steps", "variables")
            yield from found
        else:
            yield _expanded(item, folder, values)


def _said(expression: str, values: Values) -> str:
    found = re.fullmatch(r"(trim\()?parameters\.(\w+)\)?", expression)
    assert found, f"{expression} is no expression that this reads"
    value = values[found[2]]
    return value.strip() if found[1] else value


def _said_key(key: str) -> str:
    assert "${{" not in key, key
    return key
