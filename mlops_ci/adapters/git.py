"""The team's Git repository, by the `git` command; commits are made without touching what the user has checked out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlops_ci.adapters.file_lock import locked
from mlops_ci.adapters.git_commit import write_commit
from mlops_ci.adapters.git_refs import read_refs
from mlops_ci.adapters.git_tree import NOTHING, File
from mlops_ci.adapters.processes import run
from mlops_ci.errors import ConfigurationError, OutsideError

LOCK_PATIENCE = 60.0  # seconds; another command's commit takes far less


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
        """The messages of all commits, on any branch, that touched the files that the pattern matches.

        A merge touches what it changes on the branch that it is made on, not all that the merged one did not know of.
        """
        pathspec = f":(top,glob){self.from_top(pattern)}"
        text = self.git(
            "log", "--all", "--full-history", "--diff-merges=first-parent", "--name-only", "--format=%x00%B%x01",
            "--", pathspec, check=False,
        )  # fmt: skip
        commits = [entry.partition("\1") for entry in text.split("\0")]
        return "\n".join(message for message, _, names in commits if names.strip())

    def is_ancestor(self, commit: str, of: str) -> bool:
        return run(["git", "merge-base", "--is-ancestor", commit, of], cwd=self._root, check=False).code == 0

    def merge_base(self, one: str, other: str) -> str | None:
        return self.git("merge-base", one, other, check=False) or None

    def merged(self, head: str, *, into: str) -> str | None:
        """The commit that brought `head` into the branch (`head` itself after a fast-forward); None where none did."""
        onto = self.commit(_ref(into))
        if onto is None or not self.is_ancestor(head, onto):
            return None
        return self.git("rev-list", "--ancestry-path", "--reverse", f"{head}..{onto}").split("\n")[0] or onto

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps the other commands of mlops-ci from changing the repository. Raises OutsideError after a long wait."""
        what = "another command of mlops-ci is changing the repository"
        with locked(self._git_folder / "mlops-ci.lock", what=what, wait=LOCK_PATIENCE):
            yield

    def read(self, path: str, *, ref: str, from_top: bool = False) -> bytes | None:
        where = path if from_top else self.from_top(path)
        done = run(["git", "cat-file", "blob", f"{ref}:{where}"], cwd=self._root, check=False)
        return done.stdout if done.code == 0 else None

    def changed(self, before: str, after: str) -> list[str]:
        return list(self._changes(before, after))

    def from_top(self, path: str) -> str:
        if self._prefix is None:
            self._prefix = self.git("rev-parse", "--show-prefix")
        return self._prefix + path

    def commit_files(
        self,
        files: Mapping[str, bytes | None],
        *,
        branch: str,
        onto: str,
        message: str,
        author: str = "",
        replace: bool = False,
    ) -> str:
        changes = self.changes(files)
        with self.exclusive():
            before = self.commit(_ref(branch))
            if before not in (None, onto) and not replace:
                what = f"branch {branch} moved from {onto[:12]} to {str(before)[:12]} meanwhile"
                raise OutsideError(what, fix="run the command again")
            return self._commit(changes, branch=branch, before=before, parents=[onto], message=message, author=author)

    def changes(self, files: Mapping[str, bytes | None]) -> dict[str, File]:
        """The files, kept as blobs, by their paths from the top of the repository."""
        return {
            self.from_top(path): File("0", NOTHING) if data is None else File("100644", self._blob(data))
            for path, data in files.items()
        }

    def merge(self, head: str, *, into: str, message: str, author: str = "") -> str:
        """Merges commit `head` into branch `into` and returns the merge commit, also when it is merged already.

        Whole files are taken from `head`. A ConfigurationError names those that both sides have changed.
        """
        with self.exclusive():
            # A run before this one may have been killed after it had merged.
            return self.merged(head, into=into) or self._merge(head, into=into, message=message, author=author)

    def _merge(self, head: str, *, into: str, message: str, author: str) -> str:
        onto = self._require(into)
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
                yield top / self.from_top("")
            finally:
                self.git("worktree", "remove", "--force", str(top), check=False)

    def delete_branch(self, branch: str) -> None:
        self.git("update-ref", "-d", _ref(branch), check=False)

    def create_ref(self, ref: str, data: bytes) -> bool:
        """Keeps `data` as a blob under a new ref; False where the ref exists already."""
        return run(["git", "update-ref", ref, self._blob(data), NOTHING], cwd=self._root, check=False).code == 0

    def replace_ref(self, ref: str, data: bytes, *, before: bytes) -> bool:
        """Keeps `data` under the ref if it still holds `before`; False where it does not."""
        args = ["git", "update-ref", ref, self._blob(data), self._blob(before)]
        return run(args, cwd=self._root, check=False).code == 0

    def refs(self, prefix: str) -> dict[str, bytes]:
        """What is kept under the refs below `prefix`, by the ref's name; nothing under one that names no blob."""
        return read_refs(self._root, prefix)

    def git(self, *arguments: str, data: bytes = b"", env: Mapping[str, str] | None = None, check: bool = True) -> str:
        """What the command prints, without the last newline; with `check=False` a failure is the empty text."""
        done = run(["git", *arguments], cwd=self._root, input=data, env=env, check=check)
        return done.stdout.decode(errors="surrogateescape").rstrip("\n") if done.code == 0 else ""

    @property
    def _git_folder(self) -> Path:
        """Git's own folder, which all work trees of the repository share."""
        return (self._root / self.git("rev-parse", "--git-common-dir")).resolve()

    def _require(self, ref: str) -> str:
        commit = self.commit(ref)
        if commit is None:
            raise ConfigurationError(f"there is no commit {ref}", where=str(self._root), fix="commit your files first")
        return commit

    def _blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", data=data)

    def _changes(self, base: str, head: str) -> dict[str, File]:
        """Each path that differs between two commits, from the repository's top, with what `head` has there."""
        text = self.git("diff-tree", "-r", "-z", "--no-renames", base, head).strip("\0")
        fields = text.split("\0") if text else []
        pairs = zip(fields[::2], fields[1::2], strict=True)
        return {path: File(meta.split()[1], meta.split()[3]) for meta, path in pairs}

    def _commit(
        self,
        changes: Mapping[str, File],
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
        commit = write_commit(self.git, changes, parents=parents, message=message, author=author)
        # First the files, then the branch: a run that is killed between the two leaves files that the next one would
        # write in the same way. The other way round they would be old ones, and a person's next commit would undo ours.
        if shown:
            self._show(commit, changes)
        moved = run(["git", "update-ref", _ref(branch), commit, before or NOTHING], cwd=self._root, check=False)
        if moved.code != 0:
            if shown:
                self._show("HEAD", self._files_at("HEAD", changes))
            if self.commit(_ref(branch)) == before:  # a lock, a hook, a disk
                words = moved.stderr.strip() or f"exit code {moved.code}"
                raise OutsideError(
                    f"Git does not let branch {branch} move: {words}", where=str(self._root),
                    fix="mend what Git says, and run the command again",
                )  # fmt: skip
            raise OutsideError(f"branch {branch} moved while mlops-ci committed to it", fix="run the command again")
        return commit

    def _refuse_dirty(self, changes: Mapping[str, File]) -> None:
        """Raises ConfigurationError where a file is being edited; what it would become by the change is no edit."""
        if not changes:
            return
        top = self.git("rev-parse", "--show-toplevel")
        text = self.git(
            "-C", top, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *changes
        )
        dirty = [entry[3:] for entry in text.split("\0") if entry]
        edited = ", ".join(path for path in dirty if self._in_work_tree(Path(top) / path) != changes[path].blob)
        if edited:
            raise ConfigurationError(f"{edited} has changes that are not committed", fix="commit or discard them first")

    def _in_work_tree(self, file: Path) -> str:
        """The blob that the file would be if it were committed as it is."""
        return self.git("hash-object", "--", str(file)) if file.is_file() else NOTHING

    def _files_at(self, commit: str, paths: Iterable[str]) -> dict[str, File]:
        """What the commit has at each of the paths, which are from the repository's top."""
        text = self.git("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
        pairs = [entry.split("\t", 1) for entry in text.split("\0") if entry]
        found = {path: File(meta.split()[0], meta.split()[2]) for meta, path in pairs}
        return {path: found.get(path, File("0", NOTHING)) for path in paths}

    def _show(self, commit: str, changes: Mapping[str, File]) -> None:
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
