"""A store and a Git repository in memory: thousands of commands a minute, for sequences that nobody would wait for.

They keep the promises of the real ones (an object is created once, a ref moves only from where it was expected), and
nothing else of them; the same sequences run with the real ones, too.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from mlops_ci.adapters.git_commit import TOOLKIT_NAME
from mlops_ci.errors import ConfigurationError, NotFoundError, OutsideError

Around = Callable[[str, Callable[[], None]], None]
"""Is given each change by name, and makes it; what interrupts commands hooks in here."""


class MemoryStore:
    """Implements `ports.ObjectStore`."""

    url = "memory://store"

    def __init__(self, around: Around) -> None:
        self.objects: dict[str, bytes] = {}
        self._around = around

    def get(self, path: str) -> bytes:
        if path not in self.objects:
            raise NotFoundError(f"there is no {path} in the store", where=self.url)
        return self.objects[path]

    def create(self, path: str, data: bytes) -> bool:
        if path in self.objects:
            return False
        self._around(f"create {path}", lambda: self.objects.__setitem__(path, data))
        return True

    def list(self, prefix: str) -> list[str]:
        return [path for path in self.objects if path.startswith(f"{prefix}/" if prefix else "")]

    def folders(self, prefix: str) -> list[str]:
        rests = [path.removeprefix(f"{prefix}/") for path in self.list(prefix)]
        return sorted({rest.split("/")[0] for rest in rests if "/" in rest})


@dataclass(frozen=True, kw_only=True)
class Commit:
    name: str
    number: int
    parents: tuple[str, ...]
    files: Mapping[str, bytes]
    message: str
    committer: str


@dataclass
class MemoryRepository:
    """Implements `ports.Repository`, and what the local forge needs of Git besides."""

    around: Around
    root: Path = Path("/repository")
    main: str = "main"
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.branches["main"] = self.add({"train.py": b""}, parents=(), message="first", committer="Ada")

    def commit(self, ref: str = "HEAD") -> str | None:
        name = ref.removeprefix("refs/heads/")
        return name if name in self.commits else self.branches.get("main" if name == "HEAD" else name)

    def read(self, path: str, *, ref: str, from_top: bool = False) -> bytes | None:
        commit = self.commit(ref)
        return self.commits[commit].files.get(path) if commit else None

    def from_top(self, path: str) -> str:
        return path

    def changed(self, before: str, after: str) -> list[str]:
        old, new = self.commits[before].files, self.commits[after].files
        return [path for path in old | new if old.get(path) != new.get(path)]

    def committer(self, commit: str) -> str:
        return self.commits[commit].committer

    def settings(self, key: str) -> list[str]:
        return []

    def history(self, commit: str) -> Iterator[Commit]:
        """The commit and all that it rests on, each after those that rest on it."""
        waiting = {commit}
        while waiting:
            newest = max((self.commits[name] for name in waiting), key=lambda each: each.number)
            waiting |= set(newest.parents)
            waiting.remove(newest.name)
            yield newest

    def is_ancestor(self, commit: str, of: str) -> bool:
        return any(one.name == commit for one in self.history(of))

    def merge_base(self, one: str, other: str) -> str | None:
        ours = {commit.name for commit in self.history(self.commit(one) or one)}
        return next((commit.name for commit in self.history(self.commit(other) or other) if commit.name in ours), None)

    def merged(self, head: str, *, into: str) -> str | None:
        onto = self.commit(into)
        if onto is None or not self.is_ancestor(head, onto):
            return None
        after = [commit.name for commit in self.history(onto) if commit.name != head]
        return next((name for name in reversed(after) if self.is_ancestor(head, name)), onto)

    def messages_of(self, pattern: str) -> str:
        """Of the commits that changed what the pattern matches, against their first parent."""
        found = []
        for commit in self.commits.values():
            changed = self.changed(commit.parents[0], commit.name) if commit.parents else [*commit.files]
            if any(fnmatch.fnmatch(path, pattern) for path in changed):
                found.append(commit.message)
        return "\n".join(found)

    def origin(self, path: str) -> Commit:
        """The commit on main, merges among them, that made the file what it is."""
        commit = self.commits[self.branches["main"]]
        while commit.parents and self.commits[commit.parents[0]].files.get(path) == commit.files.get(path):
            commit = self.commits[commit.parents[0]]
        return commit

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def add(self, files: Mapping[str, bytes], *, parents: tuple[str, ...], message: str, committer: str) -> str:
        """A commit that no branch shows yet."""
        name = sha256(repr((sorted(files.items()), parents, message, len(self.commits))).encode()).hexdigest()[:40]
        self.commits[name] = Commit(
            name=name, number=len(self.commits), parents=parents, files=files, message=message, committer=committer
        )
        return name

    def commit_files(
        self, files: Mapping[str, bytes], *, branch: str, onto: str, message: str, author: str = "",
        replace: bool = False,
    ) -> str:  # fmt: skip
        if self.branches.get(branch, onto) != onto and not replace:
            raise OutsideError(f"branch {branch} moved meanwhile")
        whole = {**self.commits[onto].files, **files}
        return self._move(branch, self.add(whole, parents=(onto,), message=message, committer=TOOLKIT_NAME))

    def merge(self, head: str, *, into: str, message: str, author: str = "") -> str:
        known = self.merged(head, into=into)
        if known:
            return known
        onto = self.branches[into]
        base, theirs, ours = (self.commits[name].files for name in (self.merge_base(onto, head) or "", head, onto))
        changed = {path for path in base | theirs if base.get(path) != theirs.get(path)}
        conflicts = [path for path in changed if ours.get(path) not in (base.get(path), theirs.get(path))]
        if conflicts:
            raise ConfigurationError(f"{head[:12]} does not merge into {into}: both changed {conflicts}")
        taken = {path: theirs[path] for path in changed if path in theirs}
        kept = {path: data for path, data in ours.items() if path not in changed}
        return self._move(into, self.add(kept | taken, parents=(onto, head), message=message, committer=TOOLKIT_NAME))

    def delete_branch(self, branch: str) -> None:
        if branch in self.branches:
            self.around(f"delete {branch}", lambda: self.branches.__delitem__(branch))

    def create_ref(self, ref: str, data: bytes) -> bool:
        if ref in self.blobs:
            return False
        self.around(f"ref {ref}", lambda: self.blobs.__setitem__(ref, data))
        return True

    def replace_ref(self, ref: str, data: bytes, *, before: bytes) -> bool:
        if self.blobs.get(ref) != before:
            return False
        self.around(f"ref {ref}", lambda: self.blobs.__setitem__(ref, data))
        return True

    def refs(self, prefix: str) -> dict[str, bytes]:
        return {ref: data for ref, data in self.blobs.items() if ref == prefix or ref.startswith(f"{prefix}/")}

    def _move(self, branch: str, commit: str) -> str:
        self.around(f"branch {branch}", lambda: self.branches.__setitem__(branch, commit))
        return commit
