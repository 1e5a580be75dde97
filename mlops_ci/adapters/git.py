"""The team's Git repository, by the `git` command; commits are made without touching what the user has checked out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mlops_ci.adapters.processes import run
from mlops_ci.errors import ConfigurationError, OutsideError

NOTHING = "0" * 40
"""What Git calls a ref, or a file, that does not exist."""
TOOLKIT_NAME = "mlops-ci[bot]"
TOOLKIT_EMAIL = "mlops-ci@localhost"


class _File(NamedTuple):
    mode: str
    blob: str


class GitRepository:
    """Implements `ports.Repository` for the project in the folder `root`, which may lie inside a larger repository.

    Paths are relative to `root`. Every move of a branch is guarded by the commit that it is expected to show.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._prefix: str | None = None

    @property
    def root(self) -> Path:
        return self._root

    @property
    def exists(self) -> bool:
        """Whether the folder lies in a repository with at least one commit."""
        return self.commit("HEAD") is not None

    @property
    def branch(self) -> str | None:
        """The branch that is checked out; None where HEAD is detached."""
        return self.git("symbolic-ref", "-q", "--short", "HEAD", check=False) or None

    @property
    def main(self) -> str:
        shown = self.branch
        if shown is None:
            return "HEAD"
        origin = self.git("symbolic-ref", "-q", "--short", "refs/remotes/origin/HEAD", check=False)
        for name in (origin.removeprefix("origin/"), "main", "master"):
            if name and self.commit(_ref(name)):
                return name
        return shown

    @property
    def user(self) -> str:
        """The name that Git would put on a commit made here; empty where none is configured."""
        return self.git("config", "user.name", check=False)

    def commit(self, ref: str = "HEAD") -> str | None:
        return self.git("rev-parse", "-q", "--verify", f"{ref}^{{commit}}", check=False) or None

    def committer(self, commit: str) -> str:
        return self.git("show", "-s", "--format=%cn", commit)

    def settings(self, key: str) -> list[str]:
        """All values of a key in Git's configuration."""
        return self.git("config", "--get-all", key, check=False).splitlines()

    def uncommitted(self, paths: Sequence[str]) -> list[str]:
        """Those of the files (absolute, or relative to the project) that differ from HEAD or are not in Git at all.

        Files that Git is told to ignore are none of its business and are left out.
        """
        text = self.git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *paths)
        return [entry[3:] for entry in text.split("\0") if entry]

    def messages_of(self, pattern: str) -> str:
        """The messages of all commits, on any branch, that touched the files that the pattern matches."""
        pathspec = f":(top,glob){self._inside(pattern)}"
        return self.git("log", "--all", "--full-history", "--format=%B", "--", pathspec, check=False)

    def is_ancestor(self, commit: str, of: str) -> bool:
        return run(["git", "merge-base", "--is-ancestor", commit, of], cwd=self._root, check=False).code == 0

    def read(self, path: str, *, ref: str) -> bytes | None:
        done = run(["git", "cat-file", "blob", f"{ref}:{self._inside(path)}"], cwd=self._root, check=False)
        return done.stdout if done.code == 0 else None

    def commit_files(
        self,
        files: Mapping[str, bytes],
        *,
        branch: str,
        onto: str,
        message: str,
        author: str = "",
        replace: bool = False,
    ) -> str:
        changes = {self._inside(path): _File("100644", self._blob(data)) for path, data in files.items()}
        before = self.commit(_ref(branch))
        if before not in (None, onto) and not replace:
            raise OutsideError(
                f"branch {branch} moved from {onto[:12]} to {before and before[:12]} meanwhile",
                fix="run the command again",
            )
        return self._commit(changes, branch=branch, before=before, parents=[onto], message=message, author=author)

    def merge(self, head: str, *, into: str, message: str, author: str = "") -> str:
        """Merges commit `head` into branch `into` and returns the merge commit.

        Whole files are taken from `head`. Where both sides changed the same file since they parted nothing is done,
        and a ConfigurationError names the files.
        """
        onto = self._require(into)
        if self.is_ancestor(head, onto):  # a run before this one was killed after it had merged
            return self.git("rev-list", "--ancestry-path", "--reverse", f"{head}..{onto}").split("\n")[0] or onto
        base = self.git("merge-base", onto, head)
        changes, theirs = self._changes(base, head), self._changes(base, onto)
        conflicts = [path for path, file in changes.items() if theirs.get(path, file) != file]
        if conflicts:
            raise ConfigurationError(
                f"{head[:12]} does not merge into {into}: both changed {', '.join(conflicts)}",
                fix=f"bring the branch up to date with {into} and try again",
            )
        return self._commit(changes, branch=into, before=onto, parents=[onto, head], message=message, author=author)

    @contextmanager
    def checked_out(self, ref: str) -> Iterator[Path]:
        """The project's folder as it is at `ref`, in a work tree of its own that is gone when the block ends."""
        with tempfile.TemporaryDirectory() as scratch:
            top = Path(scratch) / "tree"
            self.git("worktree", "add", "-q", "--detach", str(top), self._require(ref))
            try:
                yield top / self._inside("")
            finally:
                self.git("worktree", "remove", "--force", str(top), check=False)

    def delete_branch(self, branch: str) -> None:
        self.git("update-ref", "-d", _ref(branch), check=False)

    def create_ref(self, ref: str, data: bytes) -> bool:
        """Keeps `data` as a blob under a new ref; False where the ref exists already."""
        return run(["git", "update-ref", ref, self._blob(data), NOTHING], cwd=self._root, check=False).code == 0

    def replace_ref(self, ref: str, data: bytes, *, before: bytes) -> bool:
        """Keeps `data` under the ref if it still holds `before`; False where it does not."""
        return (
            run(["git", "update-ref", ref, self._blob(data), self._blob(before)], cwd=self._root, check=False).code == 0
        )

    def refs(self, prefix: str) -> dict[str, bytes]:
        """What is kept under the refs below `prefix`, by the ref's name."""
        names = self.git("for-each-ref", "--format=%(refname)", prefix).splitlines()
        return {name: run(["git", "cat-file", "blob", name], cwd=self._root).stdout for name in names}

    def git(self, *arguments: str, data: bytes = b"", env: Mapping[str, str] | None = None, check: bool = True) -> str:
        """What the command prints, without the last newline; with `check=False` a failure is the empty text."""
        done = run(["git", *arguments], cwd=self._root, input=data, env=env, check=check)
        return done.stdout.decode(errors="surrogateescape").rstrip("\n") if done.code == 0 else ""

    def _require(self, ref: str) -> str:
        commit = self.commit(ref)
        if commit is None:
            raise ConfigurationError(f"there is no commit {ref}", where=str(self._root), fix="commit your files first")
        return commit

    def _inside(self, path: str) -> str:
        if self._prefix is None:
            self._prefix = self.git("rev-parse", "--show-prefix")
        return self._prefix + path

    def _blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", data=data)

    def _changes(self, base: str, head: str) -> dict[str, _File]:
        """Each path that differs between two commits, from the repository's top, with what `head` has there."""
        text = self.git("diff-tree", "-r", "-z", "--no-renames", base, head).strip("\0")
        fields = text.split("\0") if text else []
        pairs = zip(fields[::2], fields[1::2], strict=True)
        return {path: _File(meta.split()[1], meta.split()[3]) for meta, path in pairs}

    def _commit(
        self,
        changes: Mapping[str, _File],
        *,
        branch: str,
        before: str | None,
        parents: list[str],
        message: str,
        author: str,
    ) -> str:
        shown = branch in (self.branch, "HEAD")
        if shown:
            self._refuse_dirty(changes)
        tree = self._tree(parents[0], changes)
        lineage = [argument for parent in parents for argument in ("-p", parent)]
        env = {
            "GIT_AUTHOR_NAME": author or TOOLKIT_NAME,
            "GIT_AUTHOR_EMAIL": "" if author else TOOLKIT_EMAIL,
            "GIT_COMMITTER_NAME": TOOLKIT_NAME,
            "GIT_COMMITTER_EMAIL": TOOLKIT_EMAIL,
        }
        commit = self.git("commit-tree", tree, *lineage, data=message.encode(), env=env)
        moved = run(["git", "update-ref", _ref(branch), commit, before or NOTHING], cwd=self._root, check=False)
        if moved.code != 0:
            raise OutsideError(f"branch {branch} moved while mlops-ci committed to it", fix="run the command again")
        if shown:
            self._show(commit, changes)
        return commit

    def _tree(self, parent: str, changes: Mapping[str, _File]) -> str:
        """The parent's tree with the changes, made in an index of its own so that the user's stays as it is."""
        lines = "".join(
            f"{file.mode if file.blob != NOTHING else '0'} {file.blob}\t{path}\0" for path, file in changes.items()
        )
        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.git("read-tree", parent, env=env)
            self.git("update-index", "-z", "--index-info", data=lines.encode(errors="surrogateescape"), env=env)
            return self.git("write-tree", env=env)

    def _refuse_dirty(self, changes: Mapping[str, _File]) -> None:
        top = self.git("rev-parse", "--show-toplevel")
        dirty = self.git("-C", top, "status", "--porcelain", "--", *changes) if changes else ""
        if dirty:
            files = ", ".join(line[3:] for line in dirty.splitlines())
            raise ConfigurationError(f"{files} has changes that are not committed", fix="commit or discard them first")

    def _show(self, commit: str, changes: Mapping[str, _File]) -> None:
        """Brings the changed files of the work tree and the index to the commit that the branch now shows."""
        top = self.git("rev-parse", "--show-toplevel")
        kept = [path for path, file in changes.items() if file.blob != NOTHING]
        gone = [path for path, file in changes.items() if file.blob == NOTHING]
        if kept:
            self.git("-C", top, "checkout", "-q", commit, "--", *kept)
        if gone:
            self.git("-C", top, "rm", "-q", "-f", "--ignore-unmatch", "--", *gone)


def _ref(branch: str) -> str:
    return branch if branch == "HEAD" else f"refs/heads/{branch}"
