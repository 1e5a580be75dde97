"""A service behind a load balancer that takes nothing of the path away, its output collected by the platform."""

from __future__ import annotations

import argparse
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from os import pipe, read
from pathlib import Path

import pytest

from mlops_ci.adapters.request_log import entry_of
from mlops_ci.scoring.base_path import bare_path, base_path, below
from mlops_ci.scoring.prediction_log import PredictionLog
from mlops_ci.scoring.standard_output import LONGEST, StandardOutput
from tests.scoring.serving import RELEASE, served
from tests.scoring.tiny_models import binary

OWN = f"/qa/delay/releases/{RELEASE[:12]}"


def test_it_answers_below_its_paths_and_logs_to_its_output(tmp_path: Path) -> None:
    with served(binary(), tmp_path, "--base-path=/qa/delay/", "--log=-", "--workers=2", "--drain=0") as service:
        for path in ("", "/", "/score", "/metrics", "/model", "/v2/health/ready", "/v2/models/delay"):
            bare = service.get(path or "/")
            for prefix in ("/qa/delay", OWN):
                reply = service.get(prefix + path)
                assert (reply.status, reply.headers["x-mlops-release"]) == (bare.status, RELEASE), prefix + path
                if path == "/score":
                    assert reply.body == bare.body.replace(b"/score", f"{prefix}/score".encode())
                elif path != "/metrics":
                    assert reply.body == bare.body
        for path in ("/qa", "/qa/other", "/qa/delay/releases", f"/qa/delay/releases/{'e' * 12}/v2/health/ready",
                     f"/qa/delay/releases/{RELEASE}", f"/qa/delayed/{OWN}", "/qa/delay/qa/delay/score"):  # fmt: skip
            assert service.get(path).status == 404, path

        def ask(number: int) -> int:
            prefix = ("", "/qa/delay", OWN)[number % 3]
            return service.post(f"{prefix}/score", binary().records * 4, x_request_id=f"r{number}").status

        with ThreadPoolExecutor(8) as users:
            assert set(users.map(ask, range(90))) == {200}
        counted = re.findall(r'mlops_ci_requests_total\{[^}]*path="([^"]+)"', service.get("/metrics").body.decode())
        assert counted
        assert not any("qa" in path for path in counted), "paths are counted by one name each"
        service.process.terminate()
        service.process.wait()
    lines = (tmp_path / "service.log").read_text().splitlines()
    entries = [entry for entry in map(entry_of, lines) if entry is not None]
    assert sorted(entry.request_id for entry in entries) == sorted(f"r{number}" for number in range(90))
    assert {len(entry.records) for entry in entries} == {160}
    assert not service.predictions.exists()


def test_a_line_that_would_be_cut_is_dropped_and_counted(tmp_path: Path) -> None:
    reading, writing = pipe()
    log = PredictionLog(StandardOutput(tmp_path, descriptor=writing), release="abc")
    log.add("long", 1, lambda: ([{"x": "y" * LONGEST}], [{"value": 1.0}]))
    log.add("short", 1, lambda: ([{"x": "y"}], [{"value": 1.0}]))
    log.close(60)
    assert log.dropped == 1
    entries = [entry_of(line) for line in read(reading, 65536).splitlines()]
    assert [(entry.request_id, entry.dropped) for entry in entries if entry] in (
        [("short", 0), ("", 1)], [("", 1), ("short", 0)],
    )  # fmt: skip


def test_nobody_waits_for_a_reader_that_does_not_read(tmp_path: Path) -> None:
    reading, writing = pipe()
    log = PredictionLog(StandardOutput(tmp_path, descriptor=writing), release="abc", pending_bytes=1_000_000)
    added = threading.Event()

    def add() -> None:
        for number in range(300):
            log.add(f"{number}", 10_000, lambda: ([{"x": "y" * 10_000}], [{"value": 1.0}]))
        added.set()

    threading.Thread(target=add, daemon=True).start()
    assert added.wait(60)
    assert log.dropped > 0
    written = b""
    while written.count(b"\n") < 300 - log.dropped:
        written += read(reading, 65536)
    log.close(60)


@pytest.mark.parametrize(
    ("text", "path"),
    [("/qa/late", "/qa/late"), ("/qa/late/", "/qa/late"), ("/", ""), ("", ""), ("/a.b/c-d", "/a.b/c-d")],
)
def test_a_base_path(text: str, path: str) -> None:
    assert base_path(text) == path


@pytest.mark.parametrize("text", ["qa", "//", "/qa//late", "/qa/../x", "/qa late", "/qa?x", "/qa#x", "/ü", "/qa\n"])
def test_what_is_no_base_path(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a path such as"):
        base_path(f"x{text}" if text == "//" else text)


def test_prefixes_and_what_they_leave() -> None:
    prefixes = below("/qa/late", "a" * 64)
    assert prefixes == (f"/qa/late/releases/{'a' * 12}", "/qa/late")
    assert below("/qa/late", "") == ("/qa/late",)
    assert below("", "a" * 64) == ()
    assert [bare_path(path, prefixes) for path in ("/qa/late", "/qa/late/score", f"{prefixes[0]}/x", "/qa/later")] == [
        "/", "/score", "/x", "/qa/later",
    ]  # fmt: skip
