"""The address of a repository is the same however it was cloned, and holds no credentials."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mlops_ci.adapters.git import GitRepository
from mlops_ci.adapters.git_origin import address_of, committed_at, origin


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/acme/late.git", "https://github.com/acme/late"),
        ("https://x-access-token:ghs_secret@github.com/acme/late", "https://github.com/acme/late"),
        ("git@github.com:acme/late.git", "https://github.com/acme/late"),
        ("ssh://git@git.acme.example:2222/acme/late.git", "https://git.acme.example/acme/late"),
        ("http://localhost:3000/acme/late/", "http://localhost:3000/acme/late"),
        ("https://github.com/acme/late?token=secret", "https://github.com/acme/late"),
        ("/srv/git/late.git", ""),
        ("../late", ""),
        ("file:///srv/late", ""),
        ("C:\\repositories\\late", ""),
        ("https://host:99999999/x", ""),
        ("", ""),
    ],
)
def test_addresses(remote: str, address: str) -> None:
    assert address_of(remote) == address


def test_a_real_repository(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    subprocess.run(
        ["git", "commit", "-q", "--allow-empty", "-m", "x", "--date", "2020-01-01T00:00:00Z"],
        cwd=tmp_path,
        check=True,
        env={"GIT_COMMITTER_DATE": "2026-03-04T05:06:07+02:00", "HOME": str(Path.home()), "PATH": "/usr/bin:/bin"},
    )
    repository = GitRepository(tmp_path)
    assert origin(repository) == ""
    git("remote", "add", "origin", "https://ada:secret@example.com/acme/late.git")

    assert origin(repository) == "https://example.com/acme/late"
    assert committed_at(repository, "HEAD") == "2026-03-04T03:06:07Z"
    assert committed_at(repository, "0" * 40) == ""
