from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters import request_log
from mlops_ci.adapters.request_log import entries_at, is_log, latest_requests, logged_entries
from mlops_ci.core.log_entry import LogEntry
from mlops_ci.errors import DataGateError
from mlops_ci.ports import PROBE, RecentRequests
from mlops_ci.scoring.prediction_log import PredictionLog, worker_log


def line(*numbers: int, second: int = 0, **more: Any) -> str:
    entry = {
        "time": f"2026-01-31T12:00:{second:02}.000000Z",
        "request_id": "r",
        "release": "abc",
        "records": [{"x": number} for number in numbers],
        "answers": [{"value": 1.0}] * len(numbers),
    }
    return json.dumps(entry | more) + "\n"


def latest(path: Path, limit: int) -> list[int]:
    return [record["x"] for record in latest_requests(path, limit).records]


def asked(entries: Iterable[LogEntry]) -> list[int]:
    return [record["x"] for entry in entries for record in entry.records]


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_the_latest_come_last_whatever_the_size_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(request_log, "BLOCK", block)
    path = tmp_path / "log"
    path.with_name("log.2").write_text(line(0))
    path.with_name("log.1").write_text(line(1, 2) + line(3))
    path.write_text(line(4) + line(5, 6, 7))

    assert latest(path, 2) == [6, 7]
    assert latest(path, 4) == [4, 5, 6, 7]
    assert latest(path, 6) == [2, 3, 4, 5, 6, 7]
    assert latest(path, 100) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert latest(path, 0) == []
    assert asked(logged_entries([path])) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_the_requests_of_all_workers_are_in_the_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line(2, second=2) + line(5, second=5))
    (tmp_path / "p-1.jsonl").write_text(line(3, second=3) + line(6, second=6))
    (tmp_path / "p-1.jsonl.1").write_text(line(1, second=1))
    (tmp_path / "p-12.jsonl").write_text(line(4, second=4))
    for other in ("p-x.jsonl", "pp-1.jsonl", "p-1.jsonl.bak", "p-1.json"):
        (tmp_path / other).write_text(line(99, second=59))

    assert latest(path, 100) == [1, 2, 3, 4, 5, 6]
    assert latest(path, 3) == [4, 5, 6]
    assert sorted(asked(logged_entries([path]))) == [1, 2, 3, 4, 5, 6]


def test_what_a_worker_has_just_put_aside_is_not_missed(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl.1").write_text(line(1))
    (tmp_path / "p-1.jsonl.1").write_text(line(2))

    assert latest(tmp_path / "p.jsonl", 5) == [2, 1]


def test_a_file_that_is_put_aside_while_it_is_read_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line(1) + line(2))
    files = request_log._newest_first(path)
    first = next(files)
    path.replace(tmp_path / "p.jsonl.1")
    path.write_text(line(3))

    with first:
        assert list(files) == []


def test_no_log_holds_no_records(tmp_path: Path) -> None:
    assert latest(tmp_path / "nowhere" / "log", 5) == []
    (tmp_path / "log").touch()
    assert latest_requests(tmp_path / "log", 5) == RecentRequests(records=[])
    assert list(logged_entries([tmp_path / "log", tmp_path / "other"])) == []


WRONG: list[dict[str, Any]] = [
    {"time": "now"},
    {"time": "2026-01-31T12:00:00"},
    {"time": None},
    {"time": 3},
    {"release": 1},
    {"request_id": ["r"]},
    {"records": {"x": 1}},
    {"records": [1]},
    {"answers": []},
    {"redacted": "x"},
    {"redacted": [1]},
    {"sample": 2},
    {"sample": None},
    {"sample": float("nan")},
    {"dropped": -1},
    {"dropped": "3"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_no_line_of_a_log_is_left_out(tmp_path: Path, wrong: dict[str, Any]) -> None:
    path = tmp_path / "log"
    path.write_text(line(1) + line(2, **wrong) + line(3))

    assert latest(path, 5) == [1, 3]


def test_what_is_no_whole_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    torn = f'torn{{\n[]\n\n3\n"a"\n\x00\x00\n{"[" * 100_000}\n'
    path.write_text(line(1) + torn + line(2) + line(3)[:-5])
    with path.open("ab") as file:
        file.write(b'\n{"not UTF-8": "\xff"}\n')

    assert latest(path, 5) == [1, 2]
    assert asked(logged_entries([path])) == [1, 2]


def test_our_own_probes_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(line(1) + line(2, request_id=f"{PROBE}7") + line(3))

    assert latest(path, 5) == [1, 3]


def test_requests_that_are_not_whole_are_passed_over_and_it_is_said_why(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(line(1) + line(2, redacted=["ssn"]) + line(3) + line(4, redacted=["name", "ssn"]))

    assert latest_requests(path, 5) == RecentRequests(records=[{"x": 1}, {"x": 3}], redacted=("name", "ssn"))


def test_a_long_log_is_not_read_from_its_beginning(tmp_path: Path) -> None:
    for count, more in enumerate(({}, {"redacted": ["ssn"]})):
        path = tmp_path / f"log{count}"
        with path.open("wb") as file:
            file.truncate(200 * 1024**3)  # a hole: reading it would take minutes
            file.seek(0, 2)
            file.write(b"\n" + line(1, **more).encode() + line(2, **more).encode())

        assert latest(path, 2) == ([] if more else [1, 2])


def test_a_log_is_known_by_its_name() -> None:
    logs = ("predictions.jsonl", "a/b/p.jsonl.1", "p-2.jsonl.12", "logs/*.jsonl", "logs/*.jsonl*", "p.jsonl.[12]")
    assert [name for name in logs if not is_log(name)] == []
    assert [name for name in ("data.csv", "data/*.parquet", "p.jsonl.csv", "p.json", "jsonl") if is_log(name)] == []


def test_a_log_is_read_with_all_that_belongs_to_it_and_a_pattern_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(line(1))
    (tmp_path / "p.jsonl.1").write_text(line(2))
    (tmp_path / "p-1.jsonl").write_text(line(3))
    (tmp_path / "q.jsonl").write_text(line(4))

    assert sorted(asked(entries_at("p.jsonl", tmp_path))) == [1, 2, 3]
    assert asked(entries_at("p.jsonl.1", tmp_path)) == [2]
    assert sorted(asked(entries_at("*.jsonl", tmp_path))) == [1, 3, 4]
    assert sorted(asked(entries_at(str(tmp_path / "p*.jsonl*"), Path("/")))) == [1, 2, 3]
    for missing in ("r.jsonl", "r*.jsonl"):
        with pytest.raises(DataGateError, match="no such prediction log"):
            entries_at(missing, tmp_path)


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    for worker in range(2):
        log = PredictionLog(worker_log(path, worker), release=f"r{worker}", sample=0.999999, redact=["y"])
        log.add("5", 10, lambda worker=worker: ([{"x": worker, "y": "Jane"}], [{"value": 1.5}]))
        log.add("6", 10_000_000_000, lambda: ([], []))  # cannot wait
        log.close(60)

    entries = sorted(logged_entries([path]), key=lambda entry: (entry.release, entry.dropped))

    assert [(entry.release, entry.dropped, entry.sample) for entry in entries] == [
        ("r0", 0, 0.999999), ("r0", 1, 0.999999), ("r1", 0, 0.999999), ("r1", 1, 0.999999),
    ]  # fmt: skip
    assert (entries[2].records, entries[2].redacted) == ([{"x": 1}], ("y",))
    assert (entries[2].request_id, entries[2].answers) == ("5", [{"value": 1.5}])


def test_what_a_container_may_have_put_there_instead_is_no_log(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(line(1))
    log = tmp_path / "log" / "predictions.jsonl"
    log.parent.mkdir()
    log.symlink_to(secret)
    log.with_name("predictions-1.jsonl").mkdir()
    os.mkfifo(log.with_name("predictions-2.jsonl"))
    log.with_name("predictions-3.jsonl").write_text(line(2))

    assert latest(log, 9) == [2]
    assert asked(logged_entries([log])) == [2]
    assert asked(entries_at(str(log), tmp_path)) == [1], "a person who names a link means where it leads"
