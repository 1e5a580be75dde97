"""The templates that the package carries, and rendering one of them into a folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from mlops_ci.adapters.atomic_file import write_atomically
from mlops_ci.adapters.template_record import ANSWERS_FILE, PRISTINE_FILE, Record, record_files
from mlops_ci.adapters.template_text import DECLARATION, EVERY_KIND, QUESTIONS, rendered, require_free_places
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import ConfigurationError, OutsideError, Problem

_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a template asks: `pattern` is a regular expression that the whole answer has to match, `rule` says so in
    words.
    """

    name: str
    prompt: str
    default: str
    pattern: str
    rule: str = ""

    def problem_with(self, answer: str) -> Problem | None:
        if re.fullmatch(self.pattern, answer):
            return None
        rule = self.rule or f"what matches {self.pattern}"
        return Problem(
            where=self.name, what=f"'{shown_name(answer)}' cannot be taken", fix=f"write {rule}, such as {self.default}"
        )


@dataclass(frozen=True, kw_only=True)
class Template:
    kind: str
    folder: Path
    description: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """`files` were written, and `kept` were there already and stay as the team has them; relative to the folder."""

    files: tuple[str, ...]
    kept: tuple[str, ...] = ()


def kinds() -> list[str]:
    """The names that `mlops-ci init` takes."""
    return sorted(path.parent.name for path in _templates().glob(f"*/{DECLARATION}"))


def load(kind: str) -> Template:
    """Raises ConfigurationError naming the kinds there are."""
    import yaml

    if kind not in kinds():
        raise ConfigurationError(f"there is no template '{shown_name(kind)}'", fix=f"one of {', '.join(kinds())}")
    folder = _templates() / kind
    declared = yaml.safe_load((folder / DECLARATION).read_text(encoding="utf-8"))
    asked: dict[str, Any] = dict(declared["questions"] or {})
    asked |= yaml.safe_load((folder.parent / EVERY_KIND / QUESTIONS).read_text(encoding="utf-8"))
    questions = tuple(Question(name=name, **item) for name, item in asked.items())
    return Template(kind=kind, folder=folder, description=declared["description"], questions=questions)


def contents(template: Template, answers: Mapping[str, str], *, own: frozenset[str] = frozenset()) -> dict[str, bytes]:
    """Every file of a repository that is rendered with these answers, the toolkit's two records of it included.

    `own` are the files that the team keeps as its own. Raises ConfigurationError with all that is wrong with answers.
    """
    chosen = {question.name: answers.get(question.name, question.default) for question in template.questions}
    _check(template, answers, chosen)
    files = rendered(template.folder, chosen)
    record = Record(kind=template.kind, answers=chosen, own=own, pristine=files)
    return files | record_files(record)


def render(template: Template, answers: Mapping[str, str], destination: Path) -> Rendering:
    """Writes the rendered template into the folder; files that a Git repository there has already stay as they are.

    A new folder is there whole or not at all. Into a Git repository goes one file after the other, the record of it
    last: after an error they are taken away again, and after a kill the next run writes what is missing. Raises
    ConfigurationError where the folder is no place for it, naming all that is in the way.
    """
    files = contents(template, answers)
    try:
        if _require_place(destination):
            return _add(template, answers, destination)
        _write_whole(files, destination)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write to {destination}: {error.strerror}", fix="name another folder"
        ) from error
    return Rendering(files=tuple(files))


def _add(template: Template, answers: Mapping[str, str], folder: Path) -> Rendering:
    if (folder / ANSWERS_FILE).exists():
        raise ConfigurationError(
            f"{folder} was made from a template already", where=ANSWERS_FILE, fix=f"mlops-ci update -C {folder}"
        )
    files = contents(template, answers)
    there = {name for name in files if (folder / name).is_file() and (folder / name).read_bytes() != files[name]}
    # The pristine text belongs to this run, whatever a killed one with other answers has left.
    kept = frozenset(there - {PRISTINE_FILE})
    require_free_places(files, folder, kept)
    files = contents(template, answers, own=kept)
    missing = [name for name in files if name not in kept and name not in (ANSWERS_FILE, PRISTINE_FILE)]
    order = [*(name for name in missing if not (folder / name).exists()), PRISTINE_FILE, ANSWERS_FILE]
    written: list[Path] = []
    try:
        for name in order:
            written.append(folder / name)
            write_atomically(folder / name, files[name])
    except BaseException as error:
        _take_away(written, folder)
        if isinstance(error, OutsideError):
            raise ConfigurationError(error.what, where=error.where, fix="make the folder writable") from error
        raise
    return Rendering(files=tuple(order), kept=tuple(sorted(kept)))


def _take_away(written: list[Path], folder: Path) -> None:
    for path in written:
        path.unlink(missing_ok=True)
        for parent in path.relative_to(folder).parents:
            place = folder / parent
            if place != folder and place.is_dir() and not any(place.iterdir()):
                place.rmdir()


def _write_whole(files: Mapping[str, bytes], destination: Path) -> None:
    # The name is known before there is a folder, so that an interrupt at any moment finds what to take away.
    scratch = destination.parent / f".mlops-init-{uuid4().hex}"
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(mode=0o700)
        draft = scratch / "draft"  # the scratch folder itself is for its owner's eyes only
        for name, data in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(data)
        draft.rename(destination)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _require_place(destination: Path) -> bool:
    """Whether it is a Git repository, or a folder of one. Raises ConfigurationError where it is neither, nor empty."""
    if destination.exists() and not destination.is_dir():
        raise ConfigurationError(f"{destination} is a file", fix="name a new folder")
    names = sorted(path.name for path in destination.iterdir()) if destination.is_dir() else []
    if not names:
        return False
    if not any((folder / ".git").exists() for folder in (destination.resolve(), *destination.resolve().parents)):
        what = f"{destination} is not empty, and no Git repository: {', '.join(map(shown_name, names[:5]))}"
        raise ConfigurationError(what, fix="name a new folder, or begin with `git init`")
    return True


def _check(template: Template, answers: Mapping[str, str], chosen: Mapping[str, str]) -> None:
    names = [question.name for question in template.questions]
    problems = [
        Problem(
            where=shown_name(name), what="the template asks no such question", fix=f"it asks for {', '.join(names)}"
        )
        for name in answers
        if name not in names
    ]
    problems += [
        problem for question in template.questions if (problem := question.problem_with(chosen[question.name]))
    ]
    if problems:
        raise ConfigurationError(f"the answers do not fit template {template.kind}", problems=problems)


def _templates() -> Path:
    """In a wheel the templates are inside the package; in a checkout they are beside it."""
    packaged = _PACKAGE / "resources" / "templates"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "templates"
