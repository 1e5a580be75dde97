"""A folder that somebody else filled: only plain files in plain folders are read, and none that is too large."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mlops_ci.adapters.handed_over import ArtifactFolder
from mlops_ci.errors import ConfigurationError, IntegrityError, NotFoundError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "a" / "b").mkdir(parents=True)
    (tmp_path / "root" / "a" / "b" / "file").write_bytes(b"12345")
    (tmp_path / "root" / "a" / ".hidden").write_bytes(b"")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "root"


def test_files_and_folders(root: Path) -> None:
    folder = ArtifactFolder(root)
    assert folder.read("a/b/file", 5) == b"12345"
    assert folder.names("a", 1) == ["b"]
    assert folder.names("", 1) == ["a"]
    assert folder.names("nowhere", 1) == ()
    with pytest.raises(NotFoundError):
        folder.read("a/none", 5)
    with pytest.raises(ConfigurationError):
        ArtifactFolder(root / "none")


def test_no_more_than_was_asked_for(root: Path) -> None:
    with pytest.raises(IntegrityError, match="5 bytes, and 4 are allowed"):
        ArtifactFolder(root).read("a/b/file", 4)
    for number in range(5):
        (root / str(number)).touch()
    with pytest.raises(IntegrityError, match="more than 5"):
        ArtifactFolder(root).names("", 5)


def link(root: Path, target: str) -> None:
    (root / "a" / "evil").symlink_to(target)


def test_no_link_is_followed_wherever_it_stands(root: Path) -> None:
    (root / "a" / "evil").symlink_to(root.parent / "secret")
    (root / "a" / "evil-folder").symlink_to(root.parent)
    (root / "a" / "loop").symlink_to("loop")
    for path in ("a/evil", "a/evil-folder/secret", "a/loop", "a/loop/x"):
        with pytest.raises(IntegrityError):
            ArtifactFolder(root).read(path, 100)
    with pytest.raises(IntegrityError):
        ArtifactFolder(root).names("a/evil-folder", 100)


@pytest.mark.parametrize(
    "path", ["../secret", "a/../../secret", "/etc/passwd", "a//b/file", "", ".", "a/b/../b/file", "a\0"]
)
def test_no_path_leads_out(root: Path, path: str) -> None:
    with pytest.raises(IntegrityError):
        ArtifactFolder(root).read(path, 100)


def test_what_is_no_file_is_not_read(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)  # the name of a socket is short
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        for path in ("pipe", "socket", "a", "a/b"):
            with pytest.raises(IntegrityError):
                ArtifactFolder(root).read(path, 100)
    with pytest.raises(IntegrityError):
        ArtifactFolder(root).names("a/b/file", 5)


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert ArtifactFolder(tmp_path / "link").read("a/b/file", 5) == b"12345"
