"""A commit of mlops-ci, made without a work tree and before any branch shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mlops_ci.adapters.git_tree import File, changed_tree

TOOLKIT_NAME = "mlops-ci[bot]"
TOOLKIT_EMAIL = "mlops-ci@localhost"


class Git(Protocol):
    """Runs a Git command, and returns what it prints."""

    def __call__(self, *arguments: str, data: bytes = b"", env: Mapping[str, str] | None = None) -> str: ...


def write_commit(git: Git, changes: Mapping[str, File], *, parents: Sequence[str], message: str, author: str) -> str:
    """The hash of a commit that has the first parent's files with the changes; without an `author` it is ours alone."""
    tree = changed_tree(git, parents[0], changes)
    lineage = [argument for parent in parents for argument in ("-p", parent)]
    env = {
        "GIT_AUTHOR_NAME": author or TOOLKIT_NAME,
        "GIT_AUTHOR_EMAIL": "" if author else TOOLKIT_EMAIL,
        "GIT_COMMITTER_NAME": TOOLKIT_NAME,
        "GIT_COMMITTER_EMAIL": TOOLKIT_EMAIL,
    }
    return git("commit-tree", tree, *lineage, data=message.encode(), env=env)
