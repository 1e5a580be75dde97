from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.scoring.prediction_log import PredictionLog

PATIENCE = 60.0


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def one(number: int) -> Callable[[], tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    return lambda: ([{"x": number}], [{"value": float(number)}])


def test_each_request_becomes_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before = datetime.now(UTC)
    log = PredictionLog(path, release="abc")
    log.add("first", 1, one(1))
    log.add("second", 1, one(2))
    log.close(PATIENCE)

    first, second = lines(path)

    assert before <= datetime.fromisoformat(first.pop("time")) <= datetime.fromisoformat(second["time"])
    assert second["time"].endswith("Z")
    assert first == {"request_id": "first", "release": "abc", "records": [{"x": 1}], "answers": [{"value": 1.0}]}
    assert second["request_id"] == "second"


def test_a_second_start_appends(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for name in ("first", "second"):
        log = PredictionLog(path, release="abc")
        log.add(name, 1, one(1))
        log.close(PATIENCE)

    assert [line["request_id"] for line in lines(path)] == ["first", "second"]


def test_a_line_that_a_killed_writer_left_half_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"request_id": "ha')
    log = PredictionLog(path, release="abc")
    log.add("whole", 1, one(1))
    log.close(PATIENCE)

    half, whole = path.read_bytes().splitlines()

    assert half == b'{"request_id": "ha'
    assert json.loads(whole)["request_id"] == "whole"


def test_what_comes_faster_than_it_is_written_is_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = PredictionLog(path, release="abc", pending_rows=10)
    taken, go_on = threading.Event(), threading.Event()

    def slow() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        taken.set()
        assert go_on.wait(PATIENCE)
        return [], []

    log.add("slow", 4, slow)
    assert taken.wait(PATIENCE)
    log.add("fits", 6, one(1))
    log.add("too much", 1, one(2))
    log.add("also", 1, one(3))
    assert log.dropped == 2
    go_on.set()
    log.close(PATIENCE)

    written = lines(path)
    assert [line["request_id"] for line in written if "request_id" in line] == ["slow", "fits"]
    assert [line["dropped"] for line in written if "dropped" in line] == [2]


def test_one_request_may_be_larger_than_what_may_wait(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", release="abc", pending_rows=10)
    log.add("large", 1_000, one(1))
    log.close(PATIENCE)

    assert log.dropped == 0
    assert [line["request_id"] for line in lines(tmp_path / "log")] == ["large"]


def test_a_full_file_is_put_aside_and_one_old_one_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = PredictionLog(path, release="abc", max_bytes=400)
    for number in range(20):
        log.add(str(number), 1, one(number))
    log.close(PATIENCE)

    kept = [int(line["request_id"]) for file in (tmp_path / "log.1", path) for line in lines(file)]

    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1"]
    assert all(file.stat().st_size <= 400 for file in tmp_path.iterdir())
    assert len(kept) >= 3
    assert kept == list(range(20))[-len(kept) :]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_loses_lines_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    log = PredictionLog(Path("/dev/full"), release="abc")
    log.add("lost", 1, one(1))
    log.add("lost", 1, one(2))
    log.close(PATIENCE)

    assert log.dropped == 2
    assert "No space left" in capfd.readouterr().err


def test_what_comes_after_the_end_is_dropped(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", release="abc")
    log.close(PATIENCE)
    log.add("late", 1, one(1))

    assert log.dropped == 1
