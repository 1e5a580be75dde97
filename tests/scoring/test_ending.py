"""The end of the service in the middle of its work: nothing that was taken is lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from mlops_ci.scoring.server import FINISH_SECONDS
from tests.scoring.load import Connection, Load, post
from tests.scoring.serving import PATIENCE, served, wait_until
from tests.scoring.slow_model import slow
from tests.scoring.tiny_models import binary

RECORD = {"distance": 900, "hour": 8, "carrier": "UA"}


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_is_lost_when_the_service_is_stopped_under_load(tmp_path: Path, workers: int) -> None:
    with served(binary(), tmp_path / "service", f"--workers={workers}") as service:
        load = Load(service.port)
        single, batch = (post("/score", json.dumps([RECORD] * rows).encode()) for rows in (1, 5_000))
        load.start(3, single, keep_alive=True, until=lambda: False)
        load.start(3, single, keep_alive=False, until=lambda: False)
        load.start(2, batch, keep_alive=True, until=lambda: False)
        wait_until(lambda: load.statuses[200] > 200)

        service.process.send_signal(signal.SIGTERM)
        load.join()

        assert service.process.wait(PATIENCE) == 0
    assert load.lost == []
    assert set(load.statuses) <= {200, 503}
    assert load.statuses[200] > 200


def test_what_takes_long_is_finished(tmp_path: Path) -> None:
    with served(slow(), tmp_path / "service") as service:
        waiting, working = Connection(service.port), Connection(service.port)
        for connection in (working, waiting):
            connection.send(post("/score", json.dumps([{"x": 1}] * 200).encode()))
        wait_until(lambda: b"mlops_ci_in_flight 3" in service.get("/metrics").body)

        service.process.send_signal(signal.SIGTERM)

        assert [connection.answer() for connection in (working, waiting)] == [(200, False)] * 2
        assert service.process.wait(PATIENCE) == 0
        working.close()
        waiting.close()


def test_a_connection_on_which_nothing_was_asked_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with served(binary(), tmp_path / "service") as service:
        silent, idle = Connection(service.port), Connection(service.port)
        assert idle.ask(b"GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n") == (200, True)

        service.process.send_signal(signal.SIGTERM)

        assert service.process.wait(FINISH_SECONDS / 2) == 0, "it waited for clients that want nothing"
        silent.close()
        idle.close()
