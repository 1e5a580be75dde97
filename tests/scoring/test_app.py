from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.app import INLINE_BYTES, application
from mlops_ci.scoring.service import ScoringService

PATIENCE = 60.0


class EchoModel:
    """Answers with its one input; waits for leave where a row says so, fails where a row says so."""

    signature = Signature(task="regression", inputs=(Column(name="x", kind="number"),))

    def __init__(self) -> None:
        self.waiting, self.leave = threading.Event(), threading.Event()

    def predict(self, columns: Mapping[str, Any]) -> Predictions:
        if (columns["x"] == -1).any():
            self.waiting.set()
            assert self.leave.wait(PATIENCE)
        if (columns["x"] == -2).any():
            raise RuntimeError("a defect")
        return Predictions(values=np.asarray(columns["x"], dtype=np.float64))


class Client:
    """Calls the application as a server would, one request at a time."""

    def __init__(self, **options: Any) -> None:
        self.model = EchoModel()
        self.service = ScoringService(self.model, name="m", version=1, release="abc")  # type: ignore[arg-type]
        self._app = application(self.service, **options)

    async def ask(
        self, method: str, path: str, *parts: bytes, headers: Mapping[str, str] = {}, leaves: bool = False
    ) -> tuple[int, dict[str, str], Any]:
        messages: list[Any] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b""})
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._app({"type": "http", "method": method, "path": path, "headers": encoded}, receive, send)
        if not sent:
            return 0, {}, None
        start, body = sent
        got = {name.decode(): value.decode() for name, value in start["headers"]}
        assert int(got["content-length"]) == len(body["body"])
        return start["status"], got, json.loads(body["body"])


def records(*values: float, large: bool = False) -> bytes:
    filler = [0.0] * (INLINE_BYTES // 8) if large else []
    return json.dumps([{"x": value} for value in [*values, *filler]]).encode()


def test_a_body_in_pieces_is_put_together() -> None:
    body = records(1, 2)

    status, headers, answer = asyncio.run(Client().ask("POST", "/score", body[:5], body[5:9], body[9:]))

    assert status == 200
    assert [row["value"] for row in answer["predictions"]] == [1.0, 2.0]
    assert headers["content-type"] == "application/json"
    assert headers["x-mlops-release"] == "abc"
    assert "connection" not in headers


def test_an_id_of_the_client_is_kept_and_an_unfit_one_replaced() -> None:
    async def ids(*given: str) -> list[str]:
        client = Client()
        answers = [await client.ask("GET", "/v2/health/live", headers={"x-request-id": one}) for one in given]
        return [headers["x-request-id"] for _, headers, _ in answers]

    kept, *replaced = asyncio.run(ids("a-1", "", "x" * 129, "a\tb", "ü", "x"))

    assert (kept, replaced.pop()) == ("a-1", "x")
    assert all(len(one) == 32 and one.isalnum() for one in replaced)
    assert len(set(replaced)) == len(replaced)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused(announced: bool) -> None:
    body = records(*range(10))
    headers = {"content-length": str(len(body))} if announced else {}

    async def ask(limit: int) -> tuple[int, Any]:
        status, _, answer = await Client(max_body_bytes=limit).ask("POST", "/score", body, headers=headers)
        return status, answer

    assert asyncio.run(ask(len(body)))[0] == 200
    status, answer = asyncio.run(ask(len(body) - 1))
    assert (status, "larger than" in answer["error"]) == (413, True)


def test_a_client_that_leaves_gets_no_answer() -> None:
    assert asyncio.run(Client().ask("POST", "/score", b"[", leaves=True))[0] == 0


def test_a_large_batch_does_not_hold_up_the_others() -> None:
    async def scenario() -> tuple[int, int, int]:
        client = Client()
        batch = asyncio.create_task(client.ask("POST", "/score", records(-1, large=True)))
        while not client.model.waiting.is_set():
            await asyncio.sleep(0)
        # the batch is within the model now and stays there until it is given leave
        health, _, _ = await client.ask("GET", "/v2/health/live")
        single, _, _ = await client.ask("POST", "/score", records(1))
        assert not batch.done()
        client.model.leave.set()
        return health, single, (await batch)[0]

    assert asyncio.run(asyncio.wait_for(scenario(), PATIENCE)) == (200, 200, 200)


@pytest.mark.parametrize("large", [False, True])
def test_a_defect_is_a_500_that_gives_nothing_away(large: bool, caplog: pytest.LogCaptureFixture) -> None:
    body = records(-2, large=large)

    status, _, answer = asyncio.run(Client().ask("POST", "/score", body, headers={"x-request-id": "r7"}))

    assert (status, answer) == (500, {"error": "the service failed; its log says why", "request_id": "r7"})
    assert "r7" in caplog.text
    assert "RuntimeError: a defect" in caplog.text


def test_a_service_that_is_about_to_end_asks_its_clients_to_leave() -> None:
    client = Client()
    client.service.ready = False

    status, headers, _ = asyncio.run(client.ask("POST", "/score", records(1)))

    assert (status, headers["connection"]) == (200, "close")
