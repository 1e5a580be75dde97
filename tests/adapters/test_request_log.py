from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_ci.adapters import request_log
from mlops_ci.adapters.request_log import latest_records
from mlops_ci.ports import PROBE


def line(*numbers: int) -> str:
    return json.dumps({"request_id": "r", "records": [{"x": number} for number in numbers]}) + "\n"


def latest(path: Path, limit: int) -> list[int]:
    return [record["x"] for record in latest_records(path, limit)]


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_the_latest_come_last_whatever_the_size_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(request_log, "BLOCK", block)
    path = tmp_path / "log"
    path.with_name("log.1").write_text(line(1, 2) + line(3))
    path.write_text(line(4) + line(5, 6, 7))

    assert latest(path, 2) == [6, 7]
    assert latest(path, 4) == [4, 5, 6, 7]
    assert latest(path, 6) == [2, 3, 4, 5, 6, 7]
    assert latest(path, 100) == [1, 2, 3, 4, 5, 6, 7]
    assert latest(path, 0) == []


def test_no_log_holds_no_records(tmp_path: Path) -> None:
    assert latest(tmp_path / "log", 5) == []
    (tmp_path / "log").touch()
    assert latest(tmp_path / "log", 5) == []


def test_what_is_no_whole_request_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(line(1) + '{"dropped": 3}\n' + "torn{\n" + "[]\n\n" + line(2) + line(3)[:-5])

    assert latest(path, 5) == [1, 2]


def test_our_own_probes_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(line(1) + line(2).replace('"r"', f'"{PROBE}7"') + line(3))

    assert latest(path, 5) == [1, 3]


def test_a_long_log_is_not_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(200 * 1024**3)  # a hole: reading it would take minutes
        file.seek(0, 2)
        file.write(b"\n" + line(1).encode() + line(2).encode())

    assert latest(path, 2) == [1, 2]
