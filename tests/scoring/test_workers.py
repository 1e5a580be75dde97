"""Several processes at one port: what one of them loses, the others do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.scoring.load import Load, post
from tests.scoring.serving import PATIENCE, ROOT, Served, command, files_of, served, wait_until
from tests.scoring.tiny_models import binary

RECORD = {"distance": 900, "hour": 8, "carrier": "UA"}
SINGLE = post("/score", json.dumps([RECORD]).encode())


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(binary(), tmp_path / "service", "--workers=2") as running:
        yield running


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def total(service: Served, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(service.get("/metrics").body.decode())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def ask_until_both_have_answered(service: Served) -> int:
    """How many requests it took until both workers had written to their logs."""
    asked = 0
    logs = [service.predictions, service.predictions.with_name("predictions-1.jsonl")]

    def both() -> bool:
        nonlocal asked
        asked += 1
        assert service.post("/score", [RECORD]).status == 200
        return all(log.exists() and log.stat().st_size for log in logs)

    wait_until(both)
    return asked


def test_all_workers_answer_and_what_they_count_adds_up(service: Served) -> None:
    assert len(children(service.process.pid)) == 2
    asked = ask_until_both_have_answered(service)

    assert {total(service, "mlops_ci_requests_total", path="/score", status="200") for _ in range(20)} == {asked}
    assert total(service, "mlops_ci_rows_total") == asked
    assert total(service, "mlops_ci_ready") == 1
    assert total(service, "process_resident_memory_bytes") > 50e6


def test_a_killed_worker_takes_only_its_own_requests_with_it_and_is_replaced(service: Served) -> None:
    ask_until_both_have_answered(service)
    load = Load(service.port)
    ended = False
    load.start(8, SINGLE, keep_alive=False, until=lambda: ended)
    wait_until(lambda: load.statuses[200] > 50)
    first, second = before = children(service.process.pid)
    counted = total(service, "mlops_ci_requests_total", path="/score", status="200")

    os.kill(second, signal.SIGKILL)
    wait_until(lambda: len(children(service.process.pid)) == 2 and children(service.process.pid) != before)
    wait_until(lambda: total(service, "mlops_ci_ready") == 1)
    ended = True
    load.join()

    assert first in children(service.process.pid)
    assert len(load.lost) <= 8  # what each client had going on
    assert set(load.statuses) == {200}
    assert total(service, "mlops_ci_requests_total", path="/score", status="200") >= counted
    assert total(service, "mlops_ci_in_flight") == 1
    log = (service.predictions.parent / "service.log").read_text()
    assert f"ended with {-signal.SIGKILL} and is started again" in log


def test_all_workers_end_with_the_parent_however_it_ends(service: Served) -> None:
    workers = children(service.process.pid)

    service.process.kill()
    service.process.wait(PATIENCE)

    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_ctrl_c_ends_all_of_them_once(service: Served) -> None:
    # as a terminal does it: to all of them at a time
    for pid in [*children(service.process.pid), service.process.pid]:
        os.kill(pid, signal.SIGINT)

    assert service.process.wait(PATIENCE) == 0


def test_a_model_that_cannot_be_served_ends_all_workers_with_its_reason(tmp_path: Path) -> None:
    for name, data in {**files_of(binary()), "model.onnx": b"junk"}.items():
        (tmp_path / name).write_bytes(data)

    arguments = command(tmp_path, "--workers=3", f"--announce={tmp_path / 'a'}")
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 1
    assert "the ONNX graph cannot be loaded" in done.stderr
    assert "is not started again: it did not get ready" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a").exists()


def test_workers_that_keep_dying_are_not_started_for_ever() -> None:
    program = """
import os, socket, sys
from mlops_ci.scoring.workers import DEATHS, Workers
other_is_ready, tell = os.pipe()
def serve(worker, ready, life):
    os.write(1, b"born ")
    ready()
    if worker == 1:
        os.read(other_is_ready, 1)  # who dies before all were ready is not started again
        os.kill(os.getpid(), 11)
    os.write(tell, b"." * 100)
    os.read(life, 1)
    return 0
print(Workers(2, serve, listener=socket.socket(), ready=lambda: print("ready"), ended=lambda *_: None).run(), DEATHS)
"""
    arguments = [sys.executable, "-u", "-c", program]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)

    code, deaths = done.stdout.split()[-2:]
    assert code == "1"
    assert 2 <= done.stdout.count("born") <= 2 + int(deaths) + 2
    assert "is not started again" in done.stderr


@pytest.mark.parametrize("number", ["0", "-1", "x"])
def test_the_number_of_workers_has_to_be_one(tmp_path: Path, number: str) -> None:
    arguments = command(tmp_path, f"--workers={number}")
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 2
    assert "--workers" in done.stderr
