from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.release_files import materialise
from mlops_ci.core.digest import sha256
from mlops_ci.core.records import Release
from mlops_ci.errors import IntegrityError

FILES = {"model.onnx": b"graph", "signature.json": b"{}"}


def release(files: dict[str, bytes] = FILES) -> Release:
    digests = {name: sha256(data) for name, data in files.items()}
    return Release(model="m", version=1, lock="l", commit="c", files=digests, image=None, evidence={})


def test_the_files_are_put_below_the_releases_id(tmp_path: Path) -> None:
    place = materialise(tmp_path / "files", release(), FILES)

    assert place == tmp_path / "files" / release().id
    assert {path.name: path.read_bytes() for path in place.iterdir()} == FILES
    assert list((tmp_path / "files").iterdir()) == [place]


def test_files_that_are_there_and_intact_stay_untouched(tmp_path: Path) -> None:
    place = materialise(tmp_path, release(), FILES)
    inode = place.stat().st_ino

    assert materialise(tmp_path, release(), FILES) == place
    assert place.stat().st_ino == inode


@pytest.mark.parametrize("damage", ["changed", "missing", "a file in the way"])
def test_damaged_files_are_replaced(tmp_path: Path, damage: str) -> None:
    place = materialise(tmp_path, release(), FILES)
    if damage == "changed":
        (place / "model.onnx").write_bytes(b"other")
    else:
        (place / "model.onnx").unlink()
    if damage == "a file in the way":
        (place / "signature.json").unlink()
        place.rmdir()
        place.write_text("in the way")

    assert materialise(tmp_path, release(), FILES) == place
    assert {path.name: path.read_bytes() for path in place.iterdir()} == FILES
    assert list(tmp_path.iterdir()) == [place]


def test_files_that_are_not_the_releases_are_refused_all_at_once(tmp_path: Path) -> None:
    given = {"model.onnx": b"other", "extra": b""}

    with pytest.raises(IntegrityError) as caught:
        materialise(tmp_path / "files", release(), given)

    assert [problem.where for problem in caught.value.problems] == ["extra", "model.onnx", "signature.json"]
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("name", ["../model.onnx", "/model.onnx", "a/b", ".hidden", ""])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError):
        materialise(tmp_path / "files", release({name: b"x"}), {name: b"x"})

    assert list(tmp_path.rglob("*")) == []
