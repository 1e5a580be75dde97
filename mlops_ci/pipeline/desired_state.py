"""`environments/<environment>/<model>.yaml`: which release an environment is to serve, said in Git by one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_ci.errors import ConfigurationError, OutsideError
from mlops_ci.ports import Repository

_RELEASE = re.compile(r"^release:[ \t]*(?P<release>[^\s#]*)[^\r\n]*", re.MULTILINE)
_ID = re.compile(r"[0-9a-f]{64}")
ATTEMPTS = 50
"""How often a commit to main is tried: each failure is a commit of somebody else, so only as many rivals exhaust it."""
_NEW = """\
# What the environment {environment} is to serve of {model}. mlops-ci edits the line below; the rest is yours.
model: {model}
{line}
"""


@dataclass(frozen=True, kw_only=True)
class DesiredState:
    """The release that Git names for an environment, and the commit that named it."""

    environment: str
    model: str
    release: str
    commit: str


def path_of(environment: str, model: str) -> str:
    return f"environments/{environment}/{model}.yaml"


def read_desired(repository: Repository, environment: str, model: str, *, ref: str = "") -> DesiredState | None:
    """What the main branch (or `ref`) says; None where the environment has no file, or one that names no release yet.

    Raises ConfigurationError where the file names something that is no release id.
    """
    at = ref or repository.main
    commit = repository.commit(at)
    content = repository.read(path_of(environment, model), ref=commit) if commit else None
    if content is None or commit is None:
        return None
    release = parse_release(content.decode(errors="surrogateescape"), where=path_of(environment, model))
    return DesiredState(environment=environment, model=model, release=release, commit=commit) if release else None


def named_at(repository: Repository, environment: str, model: str, ref: str) -> str:
    """The release that is named there; empty where there is none, or where people have written something else."""
    try:
        desired = read_desired(repository, environment, model, ref=ref)
    except ConfigurationError:
        return ""
    return desired.release if desired else ""


def proposes(repository: Repository, environment: str, model: str, release: str | None, *, head: str) -> bool:
    """Does the commit bring main's file, as it is now, to this release (None: to none)?"""
    path, main = path_of(environment, model), repository.main
    base = repository.merge_base(head, main)  # None where the commit is not there (any more)
    if base is None:
        return False
    same = repository.read(path, ref=base) == repository.read(path, ref=main)
    return same and named_at(repository, environment, model, head) == (release or "")


def changed_by(repository: Repository, head: str) -> Sequence[str] | None:
    """The paths, from the repository's top, of all files that `head` has otherwise than where it left main.

    None where the two have no history in common, or the commit is not there (any more).
    """
    base = repository.merge_base(head, repository.main)
    return None if base is None else repository.changed(base, head)


def touches_more(repository: Repository, environment: str, model: str, *, head: str) -> bool:
    """Whether the commit changes, since it left main, another file than the one that names the release, or none."""
    changed = changed_by(repository, head)
    return changed is not None and list(changed) != [repository.from_top(path_of(environment, model))]


def parse_release(text: str, *, where: str) -> str:
    """The release id in the file's text; empty where the line is there without one."""
    lines = list(_RELEASE.finditer(text))
    if len(lines) != 1:
        raise ConfigurationError(
            f"needs exactly one line `release: <id>`, has {len(lines)}",
            where=where,
            fix="restore the file from Git's history",
        )
    release = lines[0]["release"].strip("\"'")
    if release and not _ID.fullmatch(release):
        line = text.count("\n", 0, lines[0].start()) + 1
        raise ConfigurationError(
            f"{release!r} is no release id (64 hexadecimal digits)",
            where=f"{where}:{line}",
            fix="name a release that `mlops-ci history` lists",
        )
    return release


def edit(content: bytes | None, *, environment: str, model: str, release: str | None, version: int | None) -> bytes:
    """The file with another release (None: none) in it: one line differs, people's comments and order stay."""
    line = f"release: {release}  # version {version}" if release else "release:"
    if content is None:
        return _NEW.format(environment=environment, model=model, line=line).encode()
    text = content.decode(errors="surrogateescape")
    parse_release(text, where=path_of(environment, model))
    return _RELEASE.sub(line, text).encode(errors="surrogateescape")


def commit_desired(
    repository: Repository,
    *,
    environment: str,
    model: str,
    release: str | None,
    version: int | None,
    branch: str,
    message: str,
) -> str:
    """Commits the edited file onto the head of the main branch and returns the commit; `branch` may be main itself.

    Where somebody else commits to main at the same moment it is done again on theirs. Raises OutsideError where that
    happens time and again, ConfigurationError where the file is not what it has to be or is being edited.
    """
    path, main = path_of(environment, model), repository.main
    attempt = 0
    while True:
        attempt += 1
        onto = repository.commit(main)
        if onto is None:
            raise ConfigurationError(
                "the repository has no commit yet", where=str(repository.root), fix="commit your files first"
            )
        before = repository.read(path, ref=onto)
        after = edit(before, environment=environment, model=model, release=release, version=version)
        if after == before and branch == main:
            return onto
        try:
            return repository.commit_files(
                {path: after}, branch=branch, onto=onto, message=message, replace=branch != main
            )
        except OutsideError:
            if attempt == ATTEMPTS or repository.commit(main) == onto:
                raise
