"""What bringing a repository up to its template would change, and changing it in the work tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlops_ci import __version__
from mlops_ci.adapters import templates
from mlops_ci.adapters.atomic_file import write_atomically
from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.template_merge import Merge, merge
from mlops_ci.adapters.template_record import ANSWERS_FILE, RECORDS, Record, read_record, reduced
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import ConfigurationError, Problem


@dataclass(frozen=True, kw_only=True)
class Update:
    """`merge` with the two records in its files; nothing is in it where nothing is behind."""

    record: Record
    template: templates.Template
    merge: Merge
    new_questions: tuple[str, ...] = ()

    @property
    def is_behind(self) -> bool:
        return bool(self.merge.files)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Files of the template that the team has otherwise than the template gave them; None: that is not on record."""

    changed: tuple[str, ...]
    deleted: tuple[str, ...]


def record_in(folder: Path) -> Record | None:
    """As the work tree has it; None where the folder was made from no template."""
    return read_record(lambda name: (folder / name).read_bytes() if (folder / name).is_file() else None)


def behind(folder: Path) -> tuple[str, ...] | None:
    """The files in which the template has moved on since the folder was last brought up to it; None where it was made
    from no template. Raises ConfigurationError where the record of it cannot be used.
    """
    record = record_in(folder)
    if record is None:
        return None
    template = templates.load(record.kind)
    return _moved_on(record, _without_records(templates.contents(template, _answers(template, record, {}))))


def drifted(folder: Path) -> Drift | None:
    """How the folder differs from what the template gave; None where that is not on record."""
    record = record_in(folder)
    if record is None or record.pristine is None:
        return None
    given = {name: data for name, data in sorted(record.pristine.items()) if name not in record.own}
    there = {name: (folder / name).read_bytes() for name in given if (folder / name).is_file()}
    return Drift(
        changed=tuple(name for name, data in given.items() if name in there and reduced(there[name]) != data),
        deleted=tuple(name for name in given if name not in there),
    )


def plan_update(repository: GitRepository, answers: Mapping[str, str], record: Record) -> Update:
    """What has to change in what HEAD has of the project; `answers` go before those on record.

    Raises ConfigurationError where the record cannot be used, or is by a later toolkit than this.
    """
    template = templates.load(record.kind)
    chosen = _answers(template, record, answers)
    whole = templates.contents(template, chosen, own=record.own)
    later = _without_records(whole)
    merged = merge(repository, record, later)
    if merged.files or _moved_on(record, later) or chosen != dict(record.answers):
        merged = replace(merged, files={**merged.files, **{name: whole[name] for name in RECORDS}})
    new = tuple(question.name for question in template.questions if question.name not in record.answers)
    return Update(record=record, template=template, merge=merged, new_questions=new)


def committed_record(repository: GitRepository) -> Record:
    """Raises ConfigurationError where HEAD was made from no template."""
    record = read_record(lambda name: repository.read(name, ref="HEAD"))
    if record is None:
        raise ConfigurationError(
            "this repository was made from no template, or that is not committed", where=ANSWERS_FILE,
            fix="commit the file if it is there; `mlops-ci init KIND .` adds a template to a repository",
        )  # fmt: skip
    if _version(record.toolkit) > _version(__version__):
        raise ConfigurationError(
            f"the repository is of mlops-ci {shown_name(record.toolkit)}, and this is {__version__}",
            where=ANSWERS_FILE, fix="install that version or a later one",
        )  # fmt: skip
    return record


def require_clean(repository: GitRepository, files: Mapping[str, bytes | None]) -> None:
    """Raises ConfigurationError naming what people have not committed, or what is in the way of a new file.

    What an update that was killed has already brought is no such thing.
    """
    text = repository.git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", ".")
    prefix = repository.from_top("")
    entries = [(entry[:2], entry[3:].removeprefix(prefix)) for entry in text.split("\0") if entry]
    edited = [path for kind, path in entries if kind != "??" and not (path in files and _is(repository, path, files))]
    if edited:
        names = ", ".join(map(shown_name, edited[:5])) + (" …" if len(edited) > 5 else "")
        raise ConfigurationError(f"not committed yet: {names}", fix="commit or discard it, then update")
    problems = [
        Problem(where=shown_name(path), what=what, fix="move it elsewhere, then update")
        for path in files
        if (what := _in_the_way(repository, path, files))
    ]
    if problems:
        raise ConfigurationError("something is in the way of the template's files", problems=problems)


def write(root: Path, files: Mapping[str, bytes | None]) -> None:
    """Brings the files into the work tree, each whole or not at all, the record of the update last.

    Whoever is killed in between runs it again: HEAD is as it was, so the same comes out.
    """
    for path in sorted(files, key=lambda name: (name in RECORDS, name == ANSWERS_FILE, name)):
        data, place = files[path], root / path
        if data is None:
            place.unlink(missing_ok=True)
            _remove_empty(place.parent, root)
        elif not place.is_file() or place.read_bytes() != data:
            mode = place.stat().st_mode if place.is_file() else None
            write_atomically(place, data)
            if mode is not None:
                place.chmod(mode)


def _without_records(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name not in RECORDS}


def _moved_on(record: Record, later: Mapping[str, bytes]) -> tuple[str, ...]:
    """The files that the template gives otherwise than it did, but for those that the team has taken over."""
    now = {name: reduced(data) for name, data in later.items()}
    before = record.pristine or {}
    return tuple(name for name in sorted({*now, *before} - record.own) if now.get(name) != before.get(name))


def _answers(template: templates.Template, record: Record, answers: Mapping[str, str]) -> dict[str, str]:
    """Those on record, less those of questions that are asked no longer; defaults for new questions."""
    asked = {question.name: question.default for question in template.questions}
    known = {name: answer for name, answer in record.answers.items() if name in asked}
    return asked | known | dict(answers)


def _is(repository: GitRepository, path: str, files: Mapping[str, bytes | None]) -> bool:
    """Whether the work tree has the file as the update would leave it."""
    place = repository.root / path
    return (place.read_bytes() if place.is_file() and not place.is_symlink() else None) == files[path]


def _in_the_way(repository: GitRepository, path: str, files: Mapping[str, bytes | None]) -> str:
    root, place = repository.root, repository.root / path
    above = [root.joinpath(*Path(path).parts[:depth]) for depth in range(1, len(Path(path).parts))]
    if any(each.is_symlink() or (each.exists() and not each.is_dir()) for each in above):
        return "a link or a file is where a folder has to be"
    if place.is_symlink() or place.is_dir():
        return "a link or a folder is where a file has to be"
    untracked = place.exists() and not repository.git("ls-files", "--", path)
    return "a file that is not in Git is there" if untracked and not _is(repository, path, files) else ""


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _version(text: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in text.partition("+")[0].split(".")[:3]]
