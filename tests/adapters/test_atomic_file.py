from __future__ import annotations

from pathlib import Path

import pytest

from mlops_ci.adapters.atomic_file import write_atomically
from mlops_ci.errors import OutsideError


@pytest.mark.parametrize(
    ("content", "expected"),
    [("ü\n", "ü\n".encode()), (b"\x00\r\n\xff", b"\x00\r\n\xff"), ("half \ud800", b"half \\ud800"), ("", b"")],
)
def test_a_file_is_replaced_by_exactly_these_bytes(content: str | bytes, expected: bytes, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    write_atomically(path, "what was there before, and was longer")
    write_atomically(path, content)
    assert path.read_bytes() == expected
    assert [file.name for file in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o044, "others may read it"


def test_a_place_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "model.onnx"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OutsideError, match="cannot write"):
        write_atomically(folder, b"graph")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
