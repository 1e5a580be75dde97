"""Trees made without an index are the ones that Git makes with one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_tree import NOTHING, File, changed_tree

NAMES = ("a.txt", "deep/er/b.txt", "deep/c.txt", "other/line\nfeed", "other/é \udcff", "run.sh", "link")


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    for name in NAMES[:-1]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(ascii(name))
    (tmp_path / "link").symlink_to("a.txt")
    (tmp_path / "run.sh").chmod(0o755)
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return GitRepository(tmp_path)


def with_an_index(repository: GitRepository, changes: dict[str, File]) -> str:
    lines = "".join(f"{'0' if f.blob == NOTHING else f.mode} {f.blob}\t{path}\0" for path, f in changes.items())
    env = {"GIT_INDEX_FILE": str(repository.root / ".git" / "another")}
    repository.git("read-tree", "HEAD", env=env)
    repository.git("update-index", "-z", "--index-info", data=lines.encode(errors="surrogateescape"), env=env)
    return repository.git("write-tree", env=env)


@pytest.mark.parametrize(
    ("changed", "gone"),
    [
        (["a.txt"], []),
        (["deep/er/b.txt", "deep/new.txt", "new/deep/er.txt"], []),
        ([], ["deep/er/b.txt"]),
        ([], ["deep/er/b.txt", "deep/c.txt", "other/line\nfeed"]),
        (["other/é \udcff"], ["run.sh"]),
        ([], []),
    ],
)
def test_a_tree_is_the_one_that_an_index_gives(repository: GitRepository, changed: list[str], gone: list[str]) -> None:
    blob = repository.git("hash-object", "-w", "--stdin", data=b"new")
    changes = {path: File("100644", blob) for path in changed} | {path: File("0", NOTHING) for path in gone}
    assert changed_tree(repository.git, "HEAD", changes) == with_an_index(repository, changes)


def test_a_file_may_become_a_folder(repository: GitRepository) -> None:
    blob = repository.git("hash-object", "-w", "--stdin", data=b"new")
    made = changed_tree(repository.git, "HEAD", {"a.txt/inside": File("100644", blob)})
    assert repository.git("ls-tree", "-r", "--name-only", made, "a.txt") == "a.txt/inside"
