from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops_ci.scoring.rotating_file import RotatingFile


def names(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted(folder.iterdir())}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a disk that takes no more: a write stops where a file has that size. Python ignores the signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_a_full_file_is_put_aside_and_so_many_are_kept(tmp_path: Path, keep: int) -> None:
    file = RotatingFile(tmp_path / "log", max_bytes=4, keep=keep)
    for letter in "abcdef":
        file.append(f"{letter}1\n".encode())
    file.close()

    older = {f"log.{number}": f"{letter}1\n" for number, letter in enumerate("edcba"[:keep], start=1)}
    assert names(tmp_path) == {"log": "f1\n", **older}


def test_what_fits_is_not_put_aside(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", max_bytes=6, keep=1)
    for _ in range(3):
        file.append(b"a\n")
    file.close()

    assert names(tmp_path) == {"log": "a\na\na\n"}


def test_what_is_larger_than_a_file_may_be_gets_one_of_its_own(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", max_bytes=4, keep=2)
    for data in (b"a\n", b"a long line\n", b"b\n"):
        file.append(data)
    file.close()

    assert names(tmp_path) == {"log": "b\n", "log.1": "a long line\n", "log.2": "a\n"}


def test_fewer_are_kept_than_before(tmp_path: Path) -> None:
    for number in range(1, 5):
        (tmp_path / f"log.{number}").write_text("old\n")
    (tmp_path / "log").write_text("full\n")
    file = RotatingFile(tmp_path / "log", max_bytes=4, keep=1)
    file.append(b"a\n")
    file.close()

    assert names(tmp_path) == {"log": "a\n", "log.1": "full\n"}


def test_a_file_that_was_there_is_continued_and_its_size_counts(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old\n")
    file = RotatingFile(tmp_path / "log", max_bytes=6, keep=1)
    file.append(b"a\n")
    assert names(tmp_path) == {"log": "old\na\n"}
    file.append(b"b\n")
    file.close()

    assert names(tmp_path) == {"log": "b\n", "log.1": "old\na\n"}


def test_a_line_that_a_killed_writer_left_half_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("whole\nha")
    file = RotatingFile(tmp_path / "log", max_bytes=100, keep=1)
    file.append(b"a\n")
    file.close()

    assert names(tmp_path) == {"log": "whole\nha\na\n"}


def test_another_writer_may_leave_half_a_line_or_put_the_file_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatingFile(path, max_bytes=100, keep=1)
    file.append(b"a\n")
    with path.open("a") as other:
        other.write("ha")
    file.append(b"b\n")
    path.replace(tmp_path / "log.1")
    file.append(b"c\n")
    file.close()

    assert names(tmp_path) == {"log": "c\n", "log.1": "a\nha\nb\n"}


def test_what_was_removed_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    file = RotatingFile(folder / "log", max_bytes=100, keep=1)
    file.append(b"a\n")
    (folder / "log").unlink()
    file.append(b"b\n")
    assert names(folder) == {"log": "b\n"}
    shutil.rmtree(folder)
    file.append(b"c\n")
    file.close()

    assert names(folder) == {"log": "c\n"}


def test_where_there_is_no_room_nothing_is_left_half_and_it_goes_on_when_there_is(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", max_bytes=10_000, keep=1)
    file.append(b"first\n")
    with largest_file(10):
        with pytest.raises(OSError, match="File too large"):
            file.append(b"second, which is longer\n")
        assert names(tmp_path) == {"log": "first\n"}
        file.append(b"abc\n")
    file.append(b"third\n")
    file.close()

    assert names(tmp_path) == {"log": "first\nabc\nthird\n"}


def test_a_folder_in_its_place_is_an_error_until_it_is_gone(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", max_bytes=100, keep=1)
    (tmp_path / "log").mkdir()
    with pytest.raises(IsADirectoryError):
        file.append(b"a\n")
    (tmp_path / "log").rmdir()
    file.append(b"b\n")
    file.close()

    assert names(tmp_path) == {"log": "b\n"}
