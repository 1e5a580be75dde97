"""A Git tree with some files changed, made without an index: the user's stays as it is, and a kill leaves nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple, Protocol

NOTHING = "0" * 40
"""What Git calls a ref, or a file, that does not exist."""
_FOLDER = "040000"
_KINDS = {_FOLDER: "tree", "160000": "commit"}


class File(NamedTuple):
    """What a tree has at a path; a file that is to be taken away is `NOTHING`."""

    mode: str
    blob: str


class Git(Protocol):
    """Runs a Git command, and returns what it prints."""

    def __call__(self, *arguments: str, data: bytes = b"") -> str: ...


def changed_tree(git: Git, tree: str, changes: Mapping[str, File]) -> str:
    """The tree with the changes, whose paths begin at its top; `tree` may be a commit, or empty for no tree."""
    entries = _entries(git, tree) if tree else {}
    below: dict[str, dict[str, File]] = defaultdict(dict)
    for path, file in changes.items():
        name, _, rest = path.partition("/")
        if rest:
            below[name][rest] = file
        else:
            entries[name] = file
    for name, inner in below.items():
        there = entries.get(name)
        folder = there.blob if there is not None and there.mode == _FOLDER else ""
        made = changed_tree(git, folder, inner)
        entries[name] = File(_FOLDER, made if _entries(git, made) else NOTHING)
    kept = ((name, file) for name, file in entries.items() if file.blob != NOTHING)
    lines = "".join(f"{file.mode} {_KINDS.get(file.mode, 'blob')} {file.blob}\t{name}\0" for name, file in kept)
    return git("mktree", "-z", data=lines.encode(errors="surrogateescape"))


def _entries(git: Git, tree: str) -> dict[str, File]:
    pairs = [entry.split("\t", 1) for entry in git("ls-tree", "-z", "--full-tree", tree).split("\0") if entry]
    return {name: File(meta.split()[0], meta.split()[2]) for meta, name in pairs}
