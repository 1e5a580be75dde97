"""The three-way merge of a later template into a team's repository, by Git's own merge, which follows renamed files.

What the template gave is the base, what it gives now one side, and what the team has committed the other. All three are
trees in the repository's object database: neither the work tree nor the index nor any branch is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_commit import TOOLKIT_EMAIL, TOOLKIT_NAME
from mlops_ci.adapters.git_tree import NOTHING, File, changed_tree
from mlops_ci.adapters.processes import run
from mlops_ci.adapters.template_record import Record, is_digest, reduced
from mlops_ci.core.naming import shown_name
from mlops_ci.errors import ConfigurationError, OutsideError, Problem

OLDEST_GIT = (2, 38)
"""The first with `git merge-tree --write-tree`."""
_TEAM, _TEMPLATE = "2", "3"
_NO_FILE = "you have a link there, or another repository"
_PLAIN = frozenset({"100644", "100755"})
_WHO = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", TOOLKIT_NAME), ("EMAIL", TOOLKIT_EMAIL), ("DATE", "2000-01-01T00:00:00+00:00"))
}


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What has to change in the team's files: the new content by path, None where a file goes.

    `conflicts` name the places, file and line, that people have to look at; `kept` the files that stay the team's
    although the template has another by now, and why.
    """

    files: Mapping[str, bytes | None]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    conflicts: tuple[Problem, ...]
    kept: tuple[Problem, ...]


def merge(repository: GitRepository, record: Record, later: Mapping[str, bytes]) -> Merge:
    """Brings the template's `later` files into what HEAD has of the project.

    Raises ConfigurationError where Git is too old for it, OutsideError where it fails.
    """
    _require_git(repository)
    team = _Team(repository)
    sides = _Sides()
    for path in sorted({*later, *(record.pristine or {})} - record.own):
        if record.pristine is None:
            _adopt(path, later, team, sides)
        else:
            _place(path, record.pristine.get(path), later.get(path), team, sides)
    return _outcome(team, sides)


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """The template's two sides of the merge. What is on neither stays as the team has it."""

    base: dict[str, File] = field(default_factory=dict)
    template: dict[str, File] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, *, before: File | None, after: File | None) -> None:
        for side, file in ((self.base, before), (self.template, after)):
            if file is not None:
                side[path] = file


class _Team:
    """What HEAD has of the project; contents are read when they are asked for."""

    def __init__(self, repository: GitRepository) -> None:
        self.repository = repository
        self.tree = repository.git("rev-parse", f"HEAD:{repository.from_top('')}")
        self.files = files_of(repository, self.tree)

    def is_plain(self, path: str) -> bool:
        """Whether the team has no file there, or one that is neither a link nor another repository."""
        return path not in self.files or self.files[path].mode in _PLAIN

    def reduced(self, path: str) -> bytes | None:
        """As a record has it; None where the team has no such file."""
        if path not in self.files:
            return None
        return reduced(read_blob(self.repository, self.files[path].blob))

    def file(self, path: str, data: bytes | None) -> File | None:
        """With the team's own permissions."""
        if data is None:
            return None
        mode = self.files[path].mode if path in self.files else "100644"
        return File(mode, self.repository.git("hash-object", "-w", "--stdin", data=data))


def files_of(repository: GitRepository, tree: str) -> dict[str, File]:
    text = repository.git("ls-tree", "-r", "-z", "--full-tree", tree)
    pairs = [entry.split("\t", 1) for entry in text.split("\0") if entry]
    return {path: File(about.split()[0], about.split()[2]) for about, path in pairs}


def read_blob(repository: GitRepository, blob: str) -> bytes:
    return run(["git", "cat-file", "blob", blob], cwd=repository.root).stdout


def _place(path: str, before: bytes | None, after: bytes | None, team: _Team, sides: _Sides) -> None:
    """Puts the file into both sides of the merge; where no merge may touch it, it stays as the team has it."""
    offered = None if after is None else reduced(after)
    if offered == before:
        return
    if not team.is_plain(path):
        sides.kept[path] = _NO_FILE
        return
    theirs = team.reduced(path)
    if not any(data is not None and is_digest(data) for data in (theirs, before, offered)):
        sides.put(path, before=team.file(path, before), after=team.file(path, after))
    elif theirs == before:  # data, as the template gave them
        sides.put(path, before=team.files.get(path), after=team.file(path, after))
    elif theirs not in (None, offered):
        sides.kept[path] = "data are not merged, and yours differ from what the template gave"


def _adopt(path: str, later: Mapping[str, bytes], team: _Team, sides: _Sides) -> None:
    """Where what the template gave is not on record, all that the team has, or has deleted, counts as its own."""
    if not team.is_plain(path):
        sides.kept[path] = _NO_FILE
        return
    theirs = team.reduced(path)
    if theirs is not None and theirs != reduced(later[path]):
        sides.kept[path] = "it differs from the template, and what the template gave at first is not on record"
    elif theirs is None and not team.repository.git("log", "-1", "--format=%H", "--", path):
        sides.put(path, before=None, after=team.file(path, later[path]))


def _outcome(team: _Team, sides: _Sides) -> Merge:
    repository = team.repository
    merged, stages, labels = _run_merge(team, sides)
    result = files_of(repository, merged)
    kept = dict(sides.kept)
    for path, present in stages.items():
        if _TEAM not in present:  # deleted by the team, and so it stays
            result.pop(path, None)
        elif _TEMPLATE not in present:
            kept[path] = "the template has it no longer, and you have changed it"
    differing = [path for path in sorted({*result, *team.files}) if result.get(path) != team.files.get(path)]
    files: dict[str, bytes | None] = {
        path: _relabelled(read_blob(repository, result[path].blob), labels) if path in result else None
        for path in differing
    }
    disputed = [path for path, present in stages.items() if {_TEAM, _TEMPLATE} <= present]
    return Merge(
        files=files,
        added=tuple(path for path in differing if path not in team.files),
        removed=tuple(path for path in differing if path not in result),
        changed=tuple(path for path in differing if path in result and path in team.files),
        conflicts=tuple(problem for path in disputed for problem in _conflicts(path, files.get(path))),
        kept=tuple(Problem(where=path, what=what) for path, what in sorted(kept.items())),
    )


def _run_merge(team: _Team, sides: _Sides) -> tuple[str, dict[str, set[str]], dict[str, str]]:
    """The merged tree, the stages that each file in dispute has there, and what Git's names of the sides mean."""
    git = team.repository.git

    def tree(side: Mapping[str, File]) -> str:
        paths = {*side, *team.files}
        changes = {path: side.get(path, File("0", NOTHING)) for path in paths if side.get(path) != team.files.get(path)}
        return changed_tree(git, team.tree, changes)

    base = git("commit-tree", tree(sides.base), data=b"base", env=_WHO)
    ours, theirs = (
        git("commit-tree", one, "-p", base, data=b"side", env=_WHO) for one in (team.tree, tree(sides.template))
    )
    settings = ("-c", "merge.directoryRenames=false", "-c", "merge.conflictStyle=merge")
    done = run(
        ["git", *settings, "merge-tree", "--write-tree", "-z", "--no-messages", ours, theirs],
        cwd=team.repository.root, check=False,
    )  # fmt: skip
    if done.code not in (0, 1):
        words = done.stderr.strip() or f"exit code {done.code}"
        raise OutsideError(f"Git cannot merge the template: {words}", where=str(team.repository.root))
    merged, *entries = done.stdout.decode(errors="surrogateescape").split("\0")
    stages: dict[str, set[str]] = {}
    for entry in filter(None, entries):
        about, _, path = entry.partition("\t")
        stages.setdefault(path, set()).add(about.split()[2])
    return merged, stages, {ours: "your repository", theirs: "the template"}


def _relabelled(data: bytes, labels: Mapping[str, str]) -> bytes:
    for commit, label in labels.items():
        data = data.replace(commit.encode(), label.encode())
    return data


def _conflicts(path: str, data: bytes | None) -> Iterator[Problem]:
    fix = "keep what is right between <<<<<<< and >>>>>>>, and take the markers out"
    lines = [] if data is None else data.split(b"\n")
    found = [number for number, line in enumerate(lines, 1) if line.startswith(b"<<<<<<< your repository")]
    for number in found:
        yield Problem(where=f"{shown_name(path)}:{number}", what="you and the template have changed it", fix=fix)
    if not found:
        yield Problem(where=shown_name(path), what="you and the template have changed it", fix="look at both")


def _require_git(repository: GitRepository) -> None:
    words = repository.git("version").split()
    version = tuple(int(part) for part in words[2].split(".")[:2] if part.isdigit())
    if version < OLDEST_GIT:
        needed = ".".join(map(str, OLDEST_GIT))
        raise ConfigurationError(f"this needs Git {needed} or newer, and here is {words[2]}", fix="install a newer Git")
