from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.scoring.prediction_log import PredictionLog, worker_log

PATIENCE = 60.0


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def one(number: int) -> Callable[[], tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    return lambda: ([{"x": number}], [{"value": float(number)}])


def test_each_request_becomes_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before = datetime.now(UTC)
    log = PredictionLog(path, release="abc")
    log.add("first", 10, one(1))
    log.add("second", 10, one(2))
    log.close(PATIENCE)

    first, second = lines(path)

    assert before <= datetime.fromisoformat(first.pop("time")) <= datetime.fromisoformat(second["time"])
    assert second["time"].endswith("Z")
    assert first == {
        "request_id": "first",
        "release": "abc",
        "sample": 1.0,
        "redacted": [],
        "records": [{"x": 1}],
        "answers": [{"value": 1.0}],
    }
    assert second["request_id"] == "second"


def test_json_text_is_spliced_in_and_stays_one_line(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", release="abc")
    records = '[\r\n  {"x": "a\\nb \u2028 \u0085 \\u0000"}\n]'.encode()
    log.add("pretty", 10, lambda: (records, b'[{"value": 1.5}]'))
    log.close(PATIENCE)

    data = (tmp_path / "log").read_bytes()

    assert data.count(b"\n") == 1
    assert json.loads(data)["records"] == json.loads(records)
    assert json.loads(data)["answers"] == [{"value": 1.5}]


def test_no_id_breaks_a_line(tmp_path: Path) -> None:
    ids = ['"}\n{"request_id": "forged', "\\", "é\u2028\u2029\x85", "\x00\x1f\x7f", "x" * 10_000]
    log = PredictionLog(tmp_path / "log", release="abc")
    for name in ids:
        log.add(name, 10, one(1))
    log.close(PATIENCE)

    written = (tmp_path / "log").read_bytes().split(b"\n")[:-1]
    assert [json.loads(line)["request_id"] for line in written] == ids


def test_a_second_start_appends(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for name in ("first", "second"):
        log = PredictionLog(path, release="abc")
        log.add(name, 10, one(1))
        log.close(PATIENCE)

    assert [line["request_id"] for line in lines(path)] == ["first", "second"]


def test_the_sample_is_the_share_that_it_says(tmp_path: Path) -> None:
    ids = [sha256(str(number).encode()).hexdigest()[:32] for number in range(2_000)]
    log = PredictionLog(tmp_path / "log", release="abc", sample=0.25)
    for name in ids:
        log.add(name, 10, one(1))
    log.close(PATIENCE)

    kept = [line["request_id"] for line in lines(tmp_path / "log")]
    # binomial(2000, 0.25) is outside of this with a probability of 2e-7; these ids are always the same
    assert 400 <= len(kept) <= 600
    assert {line["sample"] for line in lines(tmp_path / "log")} == {0.25}
    assert log.dropped == 0


@pytest.mark.parametrize("ids", [[f"req-{number:06}" for number in range(4_000)], [str(n) for n in range(4_000)]])
def test_ids_that_count_are_sampled_as_any_other(tmp_path: Path, ids: list[str]) -> None:
    log = PredictionLog(tmp_path / "log", release="abc", sample=0.5)
    kept = [log.keeps(name) for name in ids]
    log.close(PATIENCE)

    assert 1_800 <= sum(kept) <= 2_200
    assert 800 <= sum(one and other for one, other in pairwise(kept)) <= 1_200


def test_the_same_requests_are_kept_everywhere_and_a_larger_share_keeps_them_too(tmp_path: Path) -> None:
    ids = [str(number) for number in range(1_000)]
    kept = []
    for number, sample in enumerate((0.1, 0.1, 0.4, 1.0)):
        log = PredictionLog(tmp_path / f"log{number}", release=f"release{number}", sample=sample)
        kept.append({name for name in ids if log.keeps(name)})
        log.close(PATIENCE)

    assert kept[0] == kept[1] < kept[2] < kept[3] == set(ids)


def test_the_rule_of_the_sample_is_the_documented_one(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", release="abc", sample=0.3)
    for name in ("a", "b", "c", "0", "ü", "a-long-request-id"):
        share = int(sha256(name.encode()).hexdigest()[:16], 16) / 2**64
        assert log.keeps(name) == (share < 0.3)
    log.close(PATIENCE)


def test_a_sample_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", release="abc", sample=0.0)
    for number in range(50):
        log.add(str(number), 10, one(number))
    log.close(PATIENCE)

    assert not (tmp_path / "log").exists()
    assert log.dropped == 0


@pytest.mark.parametrize("as_text", [False, True])
def test_what_is_redacted_is_not_there_and_the_line_says_so(tmp_path: Path, as_text: bool) -> None:
    records = [{"x": 1, "name": "Jane Doe", "y": None}, {"x": 2, "name": None, "y": 3}]
    content: Any = json.dumps(records).encode() if as_text else records
    log = PredictionLog(tmp_path / "log", release="abc", redact=["name", "y", "name"])
    log.add("r", 10, lambda: (content, [{"value": 1.0}, {"value": 2.0}]))
    log.close(PATIENCE)

    (line,) = lines(tmp_path / "log")
    assert line["records"] == [{"x": 1}, {"x": 2}]
    assert line["redacted"] == ["name", "y"]
    assert "Jane" not in (tmp_path / "log").read_text()


def held(log: PredictionLog, size: int) -> threading.Event:
    """Keeps the log busy with a request until the event is set."""
    taken, go_on = threading.Event(), threading.Event()

    def slow() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        taken.set()
        assert go_on.wait(PATIENCE)
        return [], []

    log.add("slow", size, slow)
    assert taken.wait(PATIENCE)
    return go_on


def test_what_comes_faster_than_it_is_written_is_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = PredictionLog(path, release="abc", sample=1.0, pending_bytes=10)
    go_on = held(log, 4)
    log.add("fits", 6, one(1))
    log.add("too much", 1, one(2))
    log.add("also", 1, one(3))
    assert log.dropped == 2
    go_on.set()
    log.close(PATIENCE)

    written = lines(path)
    assert [line["request_id"] for line in written if "request_id" in line] == ["slow", "fits"]
    assert [(line["dropped"], line["sample"]) for line in written if "dropped" in line] == [(2, 1.0)]


def test_there_is_room_again_once_what_waited_is_written(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", release="abc", pending_bytes=10)
    for _ in range(3):
        go_on = held(log, 10)
        go_on.set()
        while log._bytes:
            threading.Event().wait(0.001)
    log.close(PATIENCE)

    assert log.dropped == 0
    assert len(lines(tmp_path / "log")) == 3


def test_every_request_is_written_or_counted_whoever_asks(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", release="abc", pending_bytes=2_000)

    def ask(thread: int) -> None:
        for number in range(500):
            log.add(f"{thread}-{number}", 10, one(number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close(PATIENCE)

    written = lines(tmp_path / "log")
    requests = [line["request_id"] for line in written if "request_id" in line]
    assert len(set(requests)) == len(requests) == 2_000 - log.dropped
    assert sum(line.get("dropped", 0) for line in written) == log.dropped


def test_the_files_are_put_aside_when_they_are_full(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = PredictionLog(path, release="abc", max_bytes=400, keep=2)
    for number in range(6):
        log.add(str(number), 10, lambda: ([{"x": "y" * 300}], []))
        while log._bytes:
            threading.Event().wait(0.001)
    log.close(PATIENCE)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    kept = [line["request_id"] for name in ("log.2", "log.1", "log") for line in lines(tmp_path / name)]
    assert kept == ["3", "4", "5"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_loses_lines_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    log = PredictionLog(Path("/dev/full"), release="abc")
    log.add("lost", 10, one(1))
    log.add("lost", 10, one(2))
    log.close(PATIENCE)

    assert log.dropped == 2
    assert capfd.readouterr().err.count("No space left") == 1


def test_it_goes_on_when_there_is_room_again_and_says_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    log = PredictionLog(folder / "log", release="abc")

    def add(name: str) -> None:
        log.add(name, 10, one(1))
        while log._bytes:
            threading.Event().wait(0.001)

    add("first")
    shutil.rmtree(folder)
    folder.write_text("in the way")
    add("lost")
    add("lost as well")
    folder.unlink()
    add("last")
    log.close(PATIENCE)

    note, last = lines(folder / "log")
    assert note["dropped"] == log.dropped == 2
    assert last["request_id"] == "last"


def test_a_request_that_cannot_be_written_down_is_counted_and_its_values_are_not_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Any:
        raise KeyError("Jane Doe")

    log = PredictionLog(tmp_path / "log", release="abc")
    log.add("broken", 10, broken)
    log.add("not JSON", 10, lambda: ([{"x": "half of a character: \ud800"}], []))
    log.add("fine", 10, one(1))
    log.close(PATIENCE)

    note, fine = lines(tmp_path / "log")
    assert note["dropped"] == log.dropped == 2
    assert fine["request_id"] == "fine"
    assert "Jane" not in capfd.readouterr().err


def test_what_comes_after_the_end_is_dropped(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log", release="abc")
    log.close(PATIENCE)
    log.add("late", 10, one(1))

    assert log.dropped == 1


def test_each_worker_has_a_file() -> None:
    log = Path("logs") / "predictions.jsonl"

    assert [worker_log(log, number).name for number in range(3)] == [
        "predictions.jsonl",
        "predictions-1.jsonl",
        "predictions-2.jsonl",
    ]
    assert worker_log(Path("log"), 1) == Path("log-1")
