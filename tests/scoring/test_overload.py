"""A model that takes its time, and more clients than it can serve."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scoring.load import Connection, Load, post
from tests.scoring.serving import Served, served, wait_until
from tests.scoring.slow_model import slow

HEALTH = b"GET /v2/health/ready HTTP/1.1\r\nhost: x\r\n\r\n"
ONE = post("/score", b'[{"x": 1}]')


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(slow(), tmp_path_factory.mktemp("service")) as running:
        yield running


def batch(rows: int) -> bytes:
    return post("/score", json.dumps([{"x": number} for number in range(rows)]).encode())


def metric(service: Served, name: str) -> float:
    (line,) = [line for line in service.get("/metrics").body.decode().splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def test_overload_sheds_while_health_stays_green_and_is_over_when_the_load_is(service: Served) -> None:
    enough = threading.Event()
    load = Load(service.port)
    load.start(12, batch(200), keep_alive=True, until=enough.is_set)
    health = Connection(service.port)

    seen = []
    while not (load.statuses[200] >= 2 and load.statuses[503] >= 20 and len(seen) >= 100):
        seen.append(health.ask(HEALTH)[0])
    enough.set()
    load.join()
    health.close()

    assert set(seen) == {200}
    assert set(load.statuses) == {200, 503}
    assert load.lost == []
    assert metric(service, "mlops_ci_shed_total") == load.statuses[503]
    wait_until(lambda: service.post("/score", [{"x": 1}]).status == 200)
    assert [row["value"] for row in service.post("/score", [{"x": 3}, {"x": 4}]).json["predictions"]] == [3.0, 4.0]


def test_who_is_refused_is_told_when_to_come_again(service: Served) -> None:
    enough = threading.Event()
    load = Load(service.port)
    load.start(12, batch(200), keep_alive=True, until=enough.is_set)
    try:
        replies = []
        wait_until(lambda: replies.append(service.post("/score", [{"x": 1}] * 200)) or replies[-1].status == 503)
    finally:
        enough.set()
        load.join()

    assert 1 <= int(replies[-1].headers["retry-after"]) <= 60
    assert "try again later" in replies[-1].json["error"]


def test_a_small_request_overtakes_a_large_one_that_came_before(service: Served) -> None:
    order = []

    def ask(name: str, request: bytes) -> None:
        connection = Connection(service.port)
        status, _ = connection.ask(request)
        order.append((name, status))
        connection.close()

    large = threading.Thread(target=ask, args=("large", batch(500)))
    large.start()
    wait_until(lambda: metric(service, "mlops_ci_in_flight") == 2)  # it, and the one that asks
    ask("small", ONE)
    large.join()

    assert order == [("small", 200), ("large", 200)]


def test_who_goes_away_leaves_no_work_behind(service: Served) -> None:
    done = metric(service, "mlops_ci_rows_total")
    for _ in range(5):
        connection = Connection(service.port)
        connection.send(batch(500))
        wait_until(lambda: metric(service, "mlops_ci_in_flight") == 2)
        connection.close()
        wait_until(lambda: metric(service, "mlops_ci_in_flight") == 1)

    assert service.post("/score", [{"x": 1}]).status == 200
    assert metric(service, "mlops_ci_rows_total") == done + 1
    assert not (Path(service.predictions).parent / "service.log").read_text().count("Traceback")
