"""Layers are archives that every program reads, and that depend on nothing but what is in them."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import tarfile
from pathlib import Path

import pytest

from mlops_ci.adapters.layer_archive import archive, read_layer, stream, write_layer
from mlops_ci.errors import OutsideError

FILES = {
    "opt/mlops-ci/numpy/__init__.py": b"x" * 700,
    "opt/mlops-ci/empty": b"",
    "model/model.onnx": b"\x00\xff" * 512,
    "opt/mlops-ci/" + "deep/" * 20 + "name.py": b"deep",
    "opt/mlops-ci/Größe.txt": "ä".encode(),
}


def opened(data: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(data))


def test_another_program_reads_what_was_written() -> None:
    with opened(b"".join(archive(FILES))) as found:
        contents = {one.name: found.extractfile(one).read() for one in found if one.isreg()}  # type: ignore[union-attr]

    assert contents == FILES


def test_everything_belongs_to_root_is_from_1970_and_comes_in_order() -> None:
    with opened(b"".join(archive(FILES))) as found:
        members = found.getmembers()

    assert {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in members} == {(0, 0, "root", "root", 0)}
    assert {one.mode for one in members if one.isreg()} == {0o644}
    assert {one.mode for one in members if one.isdir()} == {0o755}
    assert [one.name for one in members] == sorted(one.name for one in members)


def test_every_folder_is_listed() -> None:
    """An engine makes up rights and times for a folder that is not, and would lay them over the base's."""
    with opened(b"".join(archive({"opt/a/b/c": b""}))) as found:
        assert [(one.name, one.isdir()) for one in found] == [
            ("opt", True), ("opt/a", True), ("opt/a/b", True), ("opt/a/b/c", False),
        ]  # fmt: skip


def test_the_bytes_are_always_these() -> None:
    """The digest of a layer is in images that people have: it must not change by accident."""
    digest = hashlib.sha256(b"".join(archive(dict(reversed(FILES.items()))))).hexdigest()

    assert digest == hashlib.sha256(b"".join(archive(FILES))).hexdigest()
    assert digest == "e80366485eaa51513708a1741ba97d1329ce7d64210b2180eaae4751cea4c6e6"


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\0b", "x" * 101, "", "."])
def test_a_name_that_is_no_place_in_an_image_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no place|too long"):
        b"".join(archive({name: b""}))


def test_files_on_disk_are_streamed_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(b"y" * 3_000_000)

    with opened(b"".join(stream({"b": b"first", "a": tmp_path / "layer"}))) as found:
        contents = {one.name: found.extractfile(one).read() for one in found}  # type: ignore[union-attr]

    assert contents == {"b": b"first", "a": b"y" * 3_000_000}


def test_the_digest_is_of_the_file(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        layer = write_layer(tmp_path / "new" / "layer.tar", FILES)
    finally:
        os.umask(old)

    assert layer == read_layer(layer.path)
    assert layer.digest == "sha256:" + hashlib.sha256(layer.path.read_bytes()).hexdigest()
    assert layer.size == layer.path.stat().st_size


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutsideError, match="cannot be written") as raised:
            write_layer(tmp_path / "layer.tar", {"a": b"x" * 1_000_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert raised.value.exit_code == 20
    assert list(tmp_path.iterdir()) == []
