"""The templates that the package carries, and rendering one of them into a folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from mlops_ci import __version__
from mlops_ci.errors import ConfigurationError, Problem

ANSWERS_FILE = ".mlops-template.yaml"
_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a template asks: `pattern` is a regular expression that the whole answer has to match."""

    name: str
    prompt: str
    default: str
    pattern: str

    def problem_with(self, answer: str) -> Problem | None:
        if re.fullmatch(self.pattern, answer):
            return None
        return Problem(
            where=self.name, what=f"{answer!r} does not match {self.pattern}", fix=f"for example {self.default}"
        )


@dataclass(frozen=True, kw_only=True)
class Template:
    kind: str
    folder: Path
    description: str
    questions: tuple[Question, ...]


def kinds() -> list[str]:
    """The names that `mlops-ci init` takes."""
    return sorted(path.parent.name for path in _templates().glob("*/template.yaml"))


def load(kind: str) -> Template:
    """Raises ConfigurationError naming the kinds there are."""
    import yaml

    if kind not in kinds():
        raise ConfigurationError(f"there is no template {kind!r}", fix=f"one of {', '.join(kinds())}")
    folder = _templates() / kind
    declared = yaml.safe_load((folder / "template.yaml").read_text(encoding="utf-8"))
    questions = (
        Question(name=name, prompt=item["prompt"], default=item["default"], pattern=item.get("pattern", r"[^\s\"'\\]+"))
        for name, item in declared["questions"].items()
    )
    return Template(kind=kind, folder=folder, description=declared["description"], questions=tuple(questions))


def render(template: Template, answers: Mapping[str, str], destination: Path) -> list[str]:
    """Writes the rendered template into `destination` and returns the paths written, relative to it.

    All or nothing, but where a Git repository is there already: its folder gets one file after the other. A folder
    that holds more than that is refused. Raises ConfigurationError where nothing can be written there.
    """
    chosen = {question.name: answers.get(question.name, question.default) for question in template.questions}
    _check(template, answers, chosen)
    # The name is known before there is a folder, so that an interrupt at any moment finds what to take away.
    scratch = destination.parent / f".mlops-init-{uuid4().hex}"
    try:
        repository = _require_free(destination)
        destination.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(mode=0o700)
        draft = scratch / "draft"  # the scratch folder itself is for its owner's eyes only
        draft.mkdir()
        written = _write(template, chosen, draft)
        if repository:
            for path in sorted(draft.iterdir()):
                path.rename(destination / path.name)
        else:
            draft.rename(destination)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {destination}: {error.strerror}", fix="name another folder"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return written


def _require_free(destination: Path) -> bool:
    """Whether it is a Git repository, and nothing else. Raises ConfigurationError where there is more."""
    if destination.exists() and not destination.is_dir():
        raise ConfigurationError(f"{destination} is a file", fix="name a new folder")
    names = sorted(path.name for path in destination.iterdir()) if destination.is_dir() else []
    others = [name for name in names if name != ".git"]
    if others:
        raise ConfigurationError(f"{destination} is not empty: {', '.join(others[:5])}", fix="name a new folder")
    return bool(names)


def _check(template: Template, answers: Mapping[str, str], chosen: Mapping[str, str]) -> None:
    names = [question.name for question in template.questions]
    problems = [
        Problem(where=name, what="the template asks no such question", fix=f"it asks for {', '.join(names)}")
        for name in answers
        if name not in names
    ]
    problems += [
        problem for question in template.questions if (problem := question.problem_with(chosen[question.name]))
    ]
    if problems:
        raise ConfigurationError(f"the answers do not fit template {template.kind}", problems=problems)


def _write(template: Template, answers: Mapping[str, str], scratch: Path) -> list[str]:
    import jinja2
    import yaml

    # GitHub's own `${{ }}` has to pass through untouched, so the template's marks are others.
    engine = jinja2.Environment(
        variable_start_string="[[", variable_end_string="]]", block_start_string="[%", block_end_string="%]",
        comment_start_string="[#", comment_end_string="#]", undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True, autoescape=False,  # noqa: S701 - YAML and Markdown, not HTML
    )  # fmt: skip
    written = []
    for source in sorted(path for path in template.folder.rglob("*") if path.is_file()):
        path = source.relative_to(template.folder)
        if path.name in {"template.yaml"} or "__pycache__" in path.parts:
            continue
        target = scratch / path.with_suffix("") if path.suffix == ".jinja" else scratch / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jinja":
            target.write_text(engine.from_string(source.read_text(encoding="utf-8")).render(answers), encoding="utf-8")
        else:
            shutil.copyfile(source, target)
        written.append(str(target.relative_to(scratch)))
    record: dict[str, Any] = {"kind": template.kind, "toolkit": __version__, "answers": dict(answers)}
    (scratch / ANSWERS_FILE).write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")
    return [*written, ANSWERS_FILE]


def _templates() -> Path:
    """In a wheel the templates are inside the package; in a checkout they are beside it."""
    packaged = _PACKAGE / "resources" / "templates"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "templates"
