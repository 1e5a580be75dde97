"""The bare repository behind the stand-in, by Git's own plumbing: what the API, act and `git push` see is the same."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NOTHING = "0" * 40


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who made a commit, and when (ISO 8601)."""

    name: str
    email: str
    date: str


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit as its object says."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


class GitStore:
    """Reads and writes one bare repository; what is not there is None."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *arguments: str, data: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """What `git` printed. Raises CalledProcessError where it failed."""
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments],
            input=data, capture_output=True, check=True, env={**os.environ, **(env or {})},
        )  # fmt: skip
        return done.stdout

    def ask(self, *arguments: str) -> str | None:
        """What `git` printed, without the last line's end; None where it failed."""
        try:
            return self.run(*arguments).decode().removesuffix("\n")
        except subprocess.CalledProcessError:
            return None

    def refs(self, *patterns: str) -> dict[str, str]:
        """Commits, or tag objects, by full name of the ref."""
        text = self.run("for-each-ref", "--format=%(refname) %(objectname)", *patterns).decode()
        return dict(line.rsplit(" ", 1) for line in text.splitlines())  # type: ignore[misc]

    def kind(self, sha: str) -> str | None:
        """blob, tree, commit or tag."""
        return self.ask("cat-file", "-t", sha) if _is_sha(sha) else None

    def sha(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a (shortened) hash names."""
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            found = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}")
            if found:
                return found
        return None

    def commit(self, sha: str) -> Commit | None:
        text = self.ask(
            "show", "--no-patch", "--format=%H%n%T%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B", f"{sha}^{{commit}}"
        )
        if text is None:
            return None
        lines = text.split("\n", 9)
        return Commit(
            sha=lines[0], tree=lines[1], parents=tuple(lines[2].split()),
            author=Person(name=lines[3], email=lines[4], date=lines[5]),
            committer=Person(name=lines[6], email=lines[7], date=lines[8]),
            message=lines[9].rstrip("\n"),
        )  # fmt: skip

    def set_ref(self, name: str, sha: str) -> None:
        self.run("update-ref", name, sha)

    def delete_ref(self, name: str) -> None:
        self.run("update-ref", "-d", name)

    def write_blob(self, data: bytes) -> str:
        return self.run("hash-object", "-w", "--stdin", data=data).decode().strip()

    def blob(self, sha: str) -> bytes:
        return self.run("cat-file", "blob", sha)

    def entries(self, tree: str, *, recursive: bool = False) -> list[tuple[str, str, str, str]]:
        """Mode, kind, hash and path of each entry."""
        text = self.run("ls-tree", "-z", *(("-r", "-t") if recursive else ()), tree).decode()
        found = []
        for line in filter(None, text.split("\0")):
            about, path = line.split("\t", 1)
            mode, kind, sha = about.split()
            found.append((mode, kind, sha, path))
        return found

    def entry(self, commit: str, path: str) -> tuple[str, str, str, str] | None:
        """Mode, kind, hash and path of the file or folder in the commit."""
        text = self.run("ls-tree", "-z", commit, "--", path.strip("/")).decode().strip("\0")
        if not text:
            return None
        about, name = text.split("\t", 1)
        mode, kind, sha = about.split()
        return mode, kind, sha, name

    def write_tree(self, base: str | None, changes: Sequence[tuple[str, str, str | None]], scratch: Path) -> str:
        """The tree `base` with changes: mode, path, and the hash of a blob or tree or None to delete."""
        env = {"GIT_INDEX_FILE": str(scratch)}
        scratch.unlink(missing_ok=True)
        try:
            self.run("read-tree", *((base,) if base else ("--empty",)), env=env)
            for mode, path, sha in changes:
                if mode == "040000" and sha is not None:
                    self.run("read-tree", f"--prefix={path}/", sha, env=env)
                else:
                    line = f"0 {NOTHING}\t{path}\0" if sha is None else f"{mode} {sha}\t{path}\0"
                    self.run("update-index", "-z", "--index-info", data=line.encode(), env=env)
            return self.run("write-tree", env=env).decode().strip()
        finally:
            scratch.unlink(missing_ok=True)

    def write_commit(self, tree: str, parents: Sequence[str], message: str, author: Person, committer: Person) -> str:
        env = {
            "GIT_AUTHOR_NAME": author.name, "GIT_AUTHOR_EMAIL": author.email, "GIT_AUTHOR_DATE": author.date,
            "GIT_COMMITTER_NAME": committer.name, "GIT_COMMITTER_EMAIL": committer.email,
            "GIT_COMMITTER_DATE": committer.date,
        }  # fmt: skip
        flags = [flag for parent in parents for flag in ("-p", parent)]
        return self.run("commit-tree", tree, *flags, data=message.encode(), env=env).decode().strip()

    def ancestor(self, one: str, other: str) -> bool:
        """Whether `other` rests on `one`."""
        return self.ask("merge-base", "--is-ancestor", one, other) is not None

    def merge_base(self, one: str, other: str) -> str | None:
        return self.ask("merge-base", one, other)

    def merged_tree(self, one: str, other: str) -> str | None:
        """The tree of both together; None where they are in conflict."""
        text = self.ask("merge-tree", "--write-tree", "--allow-unrelated-histories", one, other)
        return text.split("\n")[0] if text else None

    def commits(self, *arguments: str) -> list[str]:
        """Hashes, newest first."""
        return self.run("rev-list", *arguments).decode().split()

    def changes(self, before: str, after: str) -> list[dict[str, str]]:
        """The files that differ, each with `status` (A, M, D, R …), `filename`, `previous` and `sha`."""
        fields = self.run("diff-tree", "-r", "-z", "-M", "--no-commit-id", before, after).decode().split("\0")
        found, position = [], 0
        while position + 1 < len(fields):
            _, _, old, new, status = fields[position].split(" ")
            renamed = status[0] in "RC"
            names = fields[position + 1 : position + (3 if renamed else 2)]
            found.append(
                {
                    "status": status[0],
                    "filename": names[-1],
                    "previous": names[0] if renamed else "",
                    "sha": old if status == "D" else new,
                }
            )
            position += 1 + len(names)
        return found

    def counts(self, before: str, after: str) -> dict[str, tuple[int, int]]:
        """Lines added and removed by file."""
        text = self.run("diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-commit-id", before, after).decode()
        rows = (line.split("\t", 2) for line in filter(None, text.split("\0")))
        return {
            path: (int(plus) if plus != "-" else 0, int(minus) if minus != "-" else 0) for plus, minus, path in rows
        }

    def patch(self, before: str, after: str, path: str) -> str:
        text = self.run("diff", before, after, "--", path).decode(errors="replace")
        return text[text.find("@@") :].rstrip("\n") if "@@" in text else ""


def _is_sha(text: str) -> bool:
    return len(text) == 40 and set(text) <= set("0123456789abcdef")
