"""docs/reference/actions.md and workflows.md, from the YAML of the actions and of the reusable workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.reference.markdown import code, page, table

Document = Mapping[str, Any]

ACTIONS = """\
Each action passes its inputs on through the environment and calls `mlops-ci` once, which `setup` has installed; what is
decided is decided by [the command](commands.md). Call them as `uses: mlops-ci/mlops-ci/actions/NAME@v1`, after
`actions/setup` in the same job. Most teams call the [reusable workflows](workflows.md), which are made of these."""
ACTIONS_README = """\
Composite actions, each a thin one: its inputs go through the environment into one call of `mlops-ci`, which `setup`
installs from this very checkout. Inputs and outputs are in [the reference](../docs/reference/actions.md). Teams call
the [reusable workflows](../docs/reference/workflows.md), which are made of these."""
WORKFLOWS = """\
Call them as `uses: mlops-ci/mlops-ci/.github/workflows/NAME.yml@v1` from a job of your own; the templates have a caller
for each. The job that calls has to grant the permissions that are listed, since a called workflow never has more than
its caller. [How they hang together](../github.md)."""
_LEVELS = ("none", "read", "write")


def actions_page(root: Path) -> str:
    documents = {path.parent.name: _load(path) for path in sorted(root.glob("actions/*/action.yml"))}
    return page("Actions", ACTIONS, *_overview(documents), *(_action(name, each) for name, each in documents.items()))


def actions_readme(root: Path) -> str:
    """The page that GitHub shows in the folder of the actions: what there is, and where more is said."""
    documents = {path.parent.name: _load(path) for path in sorted(root.glob("actions/*/action.yml"))}
    return page("Actions", ACTIONS_README, *_overview(documents, "../docs/reference/actions.md"))


def workflows_page(root: Path) -> str:
    files = [path for path in sorted(root.glob(".github/workflows/*.yml")) if _call(_load(path)) is not None]
    return page(
        "Reusable workflows",
        WORKFLOWS,
        table(
            ["workflow", "does"],
            [[f"[{code(path.stem)}](#{path.stem})", _first_sentence(_comment(path))] for path in files],
        ),
        *(_workflow(path) for path in files),
    )


def permissions_needed(workflow: Document) -> dict[str, str]:
    """What a caller has to grant: for each scope the most that any job of the workflow asks for."""
    needed: dict[str, str] = {}
    for job in workflow["jobs"].values():
        for scope, level in (job.get("permissions") or {}).items():
            needed[scope] = max(needed.get(scope, "none"), level, key=_LEVELS.index)
    return dict(sorted((scope, level) for scope, level in needed.items() if level != "none"))


def action_tables(action: Document, level: str = "###") -> Iterator[str]:
    """The inputs and the outputs of one action."""
    rows = [
        [code(name), str(given.get("description", "")), _default(given)]
        for name, given in (action.get("inputs") or {}).items()
    ]
    yield from _titled(f"{level} Inputs", table(["input", "meaning", "default"], rows))
    outputs = [[code(name), str(given.get("description", ""))] for name, given in (action.get("outputs") or {}).items()]
    yield from _titled(f"{level} Outputs", table(["output", "is"], outputs))


def _overview(documents: Mapping[str, Document], target: str = "") -> Iterator[str]:
    rows = [[f"[{code(name)}]({target}#{name})", str(each.get("description", ""))] for name, each in documents.items()]
    yield table(["action", "does"], rows)


def _action(name: str, action: Document) -> str:
    return "\n\n".join([f"## {code(name)}", str(action.get("description", "")), *action_tables(action)])


def _workflow(path: Path) -> str:
    document = _load(path)
    call = _call(document) or {}
    inputs = [
        [code(name), str(given.get("description", "")), str(given.get("type", "")), _default(given)]
        for name, given in (call.get("inputs") or {}).items()
    ]
    secrets = [
        [code(name), str(given.get("description", "")), "**required**" if given.get("required") else ""]
        for name, given in (call.get("secrets") or {}).items()
    ]
    outputs = [[code(name), str(given.get("description", ""))] for name, given in (call.get("outputs") or {}).items()]
    granted = [[code(scope), level] for scope, level in permissions_needed(document).items()]
    jobs = [[code(name), _permissions(job), _environment(job)] for name, job in document["jobs"].items()]
    parts = [f"## {code(path.stem)}", _comment(path)]
    parts += _titled("### Inputs", table(["input", "meaning", "type", "default"], inputs))
    parts += _titled("### Secrets", table(["secret", "meaning", ""], secrets))
    parts += _titled("### Outputs", table(["output", "is"], outputs))
    parts += _titled("### Permissions that the caller grants", table(["scope", "level"], granted))
    parts += _titled("### Jobs", table(["job", "its permissions", "environment"], jobs))
    return "\n\n".join(part for part in parts if part)


def _permissions(job: Document) -> str:
    asked = job.get("permissions") or {}
    return ", ".join(f"{code(scope)} {level}" for scope, level in asked.items()) or "none"


def _environment(job: Document) -> str:
    named = job.get("environment", "")
    return code(str(named["name"] if isinstance(named, Mapping) else named))


def _titled(title: str, body: str) -> list[str]:
    return [title, body] if body else []


def _default(given: Document) -> str:
    if given.get("required"):
        return "**required**"
    value = given.get("default")
    return "" if value in (None, "") else code(str(value).lower() if isinstance(value, bool) else str(value))


def _call(document: Document) -> Document | None:
    """What the workflow declares for its callers; None where nobody can call it."""
    # YAML 1.1 reads the key `on` as true
    events = document.get("on", document.get(True))  # type: ignore[call-overload]
    if not isinstance(events, Mapping) or "workflow_call" not in events:
        return None
    return events["workflow_call"] or {}


def _comment(path: Path) -> str:
    """The comment at the top of the file, which says what the workflow is for; linter directives are no part of it."""
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return _wrapped(line for line in lines if not line.startswith("zizmor:"))


def _wrapped(lines: Iterator[str]) -> str:
    return "\n".join(lines).strip()


def _first_sentence(text: str) -> str:
    """Up to its end; dots inside file names end none.

    >>> _first_sentence("Reads mlops.yaml and trains. Then more.")
    'Reads mlops.yaml and trains.'
    """
    words: Sequence[str] = text.split()
    for number, word in enumerate(words, start=1):
        if word.endswith((".", ":")):
            return " ".join(words[:number])
    return " ".join(words)


def _load(path: Path) -> Document:
    document: Document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document
