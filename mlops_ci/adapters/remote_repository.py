"""The team's repository as a forge has it, by plain Git from any checkout of it, which stays as it is.

What a hash names never changes. What a branch shows is asked for each time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_commit import write_commit
from mlops_ci.adapters.git_remote import HEADS, GitRemote
from mlops_ci.errors import ConfigurationError, OutsideError

OWN = "mlops-ci/"
"""How the branches begin that mlops-ci makes, replaces and deletes."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BEGINNING = re.compile(r"[0-9a-f]{7,63}")


class Host(Protocol):
    """The forge's API, which knows its branches faster than Git asks for them."""

    @property
    def default_branch(self) -> str: ...

    def shown(self, branch: str) -> str | None:
        """The commit that the branch shows now; None where there is no such branch."""


class RemoteRepository:
    """Implements `ports.Repository`. `HEAD` is what the default branch shows.

    The checkout may be detached and shallow; it is completed once an answer depends on it.
    """

    def __init__(self, checkout: GitRepository, remote: GitRemote, host: Host) -> None:
        self._checkout = checkout
        self._remote = remote
        self._host = host
        self._here: set[str] = set()
        self._complete = False

    @property
    def root(self) -> Path:
        return self._checkout.root

    @property
    def main(self) -> str:
        return self._host.default_branch

    def commit(self, ref: str = "HEAD") -> str | None:
        if ref in ("HEAD", self.main):
            found = self._host.shown(self.main)
            if found is None:
                raise ConfigurationError(
                    f"there is no branch {self.main} at {self._remote.url}", fix="push to it first"
                )
            return found
        if _HASH.fullmatch(ref):
            return ref if self._is_here(ref) else None
        shown = None if ref.startswith("refs/") else self._host.shown(ref)
        return shown or self._resolved(ref)

    def read(self, path: str, *, ref: str, from_top: bool = False) -> bytes | None:
        commit = self.commit(ref)
        if commit is None or not self._is_here(commit):
            return None
        return self._checkout.read(path, ref=commit, from_top=from_top)

    def from_top(self, path: str) -> str:
        return self._checkout.from_top(path)

    def changed(self, before: str, after: str) -> Sequence[str]:
        return self._checkout.changed(self._require(before), self._require(after))

    def merge_base(self, one: str, other: str) -> str | None:
        ends = self.commit(one), self.commit(other)
        if ends[0] is None or ends[1] is None or not all(map(self._is_here, ends)):
            return None
        self._complete_history(ends[0], ends[1])
        return self._checkout.merge_base(ends[0], ends[1])

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
        """As `ports.Repository`. Only our own branches are ever replaced.

        Raises ApprovalError where the rules of the branch keep us from it.
        """
        before = self._host.shown(branch)
        if before not in (None, onto) and not (replace and branch.startswith(OWN)):
            raise OutsideError(f"branch {branch} moved while mlops-ci committed to it", fix="run the command again")
        parent = self._require(onto)
        changes = self._checkout.changes(files)
        commit = write_commit(self._checkout.git, changes, parents=[parent], message=message, author=author)
        self._remote.push(commit, branch, expected=before)
        return commit

    def _require(self, ref: str) -> str:
        commit = self.commit(ref)
        if commit is None or not self._is_here(commit):
            raise ConfigurationError(f"there is no commit {ref} at {self._remote.url}", fix="push it first")
        return commit

    def _resolved(self, ref: str) -> str | None:
        """The commit that a tag, a whole name of a ref or the beginning of a hash stands for."""
        name = ref if ref.startswith("refs/") else f"refs/tags/{ref}"
        refs = self._remote.refs(name, f"{name}^{{}}")
        found = refs.get(f"{name}^{{}}") or refs.get(name)
        return self._checkout.commit(ref) if found is None and _BEGINNING.fullmatch(ref) else found

    def _is_here(self, commit: str | None) -> bool:
        """Whether the checkout has the commit by now; it is fetched where it had not."""
        if commit is None or not _HASH.fullmatch(commit):
            return False
        if commit not in self._here and (self._checkout.commit(commit) is not None or self._fetched(commit)):
            self._here.add(commit)
        return commit in self._here

    def _fetched(self, commit: str) -> bool:
        # Not every forge gives a commit by its hash, so then all that branches show is asked for.
        if self._remote.fetch(commit) and self._checkout.commit(commit) is not None:
            return True
        return self._remote.fetch(*self._remote.refs(f"{HEADS}*")) and self._checkout.commit(commit) is not None

    def _complete_history(self, *commits: str) -> None:
        """In a shallow checkout two commits may seem to have nothing in common, or only something old."""
        if self._complete:
            return
        if self._checkout.git("rev-parse", "--is-shallow-repository") == "true" and not self._remote.fetch(
            *commits, whole=True
        ):
            self._remote.fetch(*self._remote.refs(f"{HEADS}*"), whole=True)
        self._complete = True
