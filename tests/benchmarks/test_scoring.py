"""The benchmark of the scoring service measures, says what it cannot have, and leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.serving.load import Load
from benchmarks.serving.measures import Cell, Results, ratio
from benchmarks.serving.tables import markdown

ROOT = Path(__file__).parents[2]
SMALL = ("--workloads=light", "--rows=1", "--clients=1", "--seconds=0.2")


@contextmanager
def started(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks", "scoring", *SMALL, f"--out={folder / 'out'}", *options]
    # its servers hold their files below the folder, by which they are found
    env = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def left_behind(folder: Path) -> list[str]:
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(path.read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [command for command in commands if str(folder) in command]


def test_our_service_and_the_floor_are_raced_and_ended(tmp_path: Path) -> None:
    with started(tmp_path, "--only=ours,floor", "--parts=race", "--rounds=2") as run:
        output, errors = run.communicate()

    assert run.returncode == 0, errors
    found = json.loads((tmp_path / "out" / "scoring.json").read_text())
    assert {raced["contender"] for raced in found["loads"]} == {"ours", "floor"}
    assert [[load["failed"] for load in raced["rounds"]] for raced in found["loads"]] == [[0, 0], [0, 0]]
    assert not found["missing"]
    assert (tmp_path / "out" / "scoring.md").read_text() in output
    assert "| mlops-ci, /score |" in output
    assert not left_behind(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_servers(tmp_path: Path, how: signal.Signals) -> None:
    with started(tmp_path, "--only=ours,floor", "--parts=race", "--rounds=100000") as run:
        assert run.stderr is not None
        assert "round 0" in run.stderr.readline()
        assert left_behind(tmp_path)
        run.send_signal(how)
        output, errors = run.communicate()

    assert run.returncode == 130
    assert "|" not in output
    assert "interrupted" in errors
    assert not left_behind(tmp_path)


def test_servers_and_those_who_ask_them_have_a_core_each() -> None:
    script = """
import os, subprocess, sys
from pathlib import Path
from benchmarks.serving.servers import alone_at_home, free_port, started

port = free_port()
serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
with alone_at_home(), started(serve, port=port, ready="/", log=Path(os.devnull), cwd=Path.cwd()) as server:
    print(*os.sched_getaffinity(server.process.pid), *os.sched_getaffinity(0))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    allowed = os.sched_getaffinity(0)
    assert done.stdout.split() == [str(min(allowed)), str(max(allowed))]


def test_a_ratio_is_taken_by_rounds() -> None:
    """A spell that slows both down by half changes neither the ratio nor its interval."""
    assert ratio([100, 50, 100], [10, 5, 10]) == pytest.approx((10, 10, 10))

    found = ratio([110, 100, 90], [10, 10, 10])
    assert found.low < 9.9 < found.value < 10 < found.high
    assert ratio([20], [10]) == pytest.approx((2, 2, 2))


def test_aims_are_judged_against_the_fastest_peer_of_each_runtime() -> None:
    cell = Cell("pipeline", 1, 32)
    results = Results(machine="a machine", generator="wrk", seconds=1, rounds=1)
    rates = {"ours": 1000.0, "slow": 5.0, "quick": 25.0, "graph": 100.0}
    results.runtimes = {"ours": "ours", "slow": "sklearn", "quick": "sklearn", "graph": "onnx"}
    results.titles = dict.fromkeys(rates, "") | {"quick": "Quick", "graph": "Graph"}
    results.loads[cell] = {
        name: [Load(requests=1, rate=rate, p50_ms=1, p99_ms=2, failed=0, busy=0.1)] for name, rate in rates.items()
    }
    for name in rates:
        results.ready[name], results.megabytes["pipeline", name] = [0.1], 50.0
    results.missing["Absent"] = "did not install: no such version"

    text = markdown(results)

    sklearn, onnx = (line for line in text.splitlines() if "times the fastest" in line)
    assert "40 times Quick | missed" in sklearn
    assert "10.0 times Graph | reached" in onnx
    assert "- not compared: Absent did not install: no such version" in text
