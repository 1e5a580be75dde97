from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mlops_ci.core.predictions import Predictions
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring.app import Application
from mlops_ci.scoring.lanes import Costs, Lane
from mlops_ci.scoring.service import ScoringService

PATIENCE = 60.0
LARGE = 4_000
COSTS = {100: 1e-5, LARGE: 2e-3}
"""What is about as large as LARGE goes to the lane."""


class EchoModel:
    """Answers with its one input; waits for leave where a row says so, fails where a row says so."""

    signature = Signature(task="regression", inputs=(Column(name="x", kind="number"),))

    def __init__(self) -> None:
        self.waiting, self.leave = threading.Event(), threading.Event()

    def run(self, feeds: Mapping[str, Any], rows: int, pause: Callable[[], None]) -> Predictions:
        values = feeds["x"].reshape(-1)
        if (values == -1).any():
            self.waiting.set()
            assert self.leave.wait(PATIENCE)
            pause()
        if (values == -2).any():
            raise RuntimeError("a defect")
        assert len(values) == rows
        return Predictions(values=values)


class Client:
    """Calls the application as a server would, one request at a time."""

    def __init__(self, **options: Any) -> None:
        self.model = EchoModel()
        self.service = ScoringService(self.model, name="m", version=1, release="abc")  # type: ignore[arg-type]
        self.app = Application(self.service, costs=Costs(COSTS), **options)

    async def ask(
        self,
        method: str,
        path: str,
        *parts: bytes,
        headers: Mapping[str, str] = {},
        leaves: bool = False,
        left: asyncio.Event | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        """`leaves` in place of the last part; `left` tells when, after it."""
        messages: list[Any] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        messages.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b""})
        sent: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop(0)
            await (left or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.app({"type": "http", "method": method, "path": path, "headers": encoded}, receive, send)
        if not sent:
            return 0, {}, None
        start, body = sent
        got = {name.decode(): value.decode() for name, value in start["headers"]}
        assert int(got["content-length"]) == len(body["body"])
        return start["status"], got, json.loads(body["body"])

    async def text(self, path: str) -> bytes:
        """The body of an answer that is no JSON."""
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)
        body: bytes = sent[1]["body"]
        return body


def records(*values: float, large: bool = False) -> bytes:
    filler = [0.0] * (LARGE // 10) if large else []
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


def test_who_goes_away_frees_the_place(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[int, int, float]:
        client, left = Client(), asyncio.Event()
        first = asyncio.create_task(client.ask("POST", "/score", records(-1, large=True)))
        while not client.model.waiting.is_set():
            await asyncio.sleep(0)
        second = asyncio.create_task(client.ask("POST", "/score", records(-2, large=True), left=left))
        third = asyncio.create_task(client.ask("POST", "/score", records(3, large=True)))
        await asyncio.sleep(0)
        left.set()
        gone, _, _ = await second
        client.model.leave.set()
        await first
        _, _, answer = await third
        return gone, (await first)[0], answer["predictions"][0]["value"]

    assert asyncio.run(asyncio.wait_for(scenario(), PATIENCE)) == (0, 200, 3.0)
    assert "a defect" not in caplog.text  # which the request of the one who left would have met


def test_who_goes_away_while_the_model_works_stops_it_at_the_next_pause(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[int, int]:
        client, left = Client(), asyncio.Event()
        first = asyncio.create_task(client.ask("POST", "/score", records(-1, -2, large=True), left=left))
        while not client.model.waiting.is_set():
            await asyncio.sleep(0)
        left.set()
        gone, _, _ = await first
        client.model.leave.set()
        status, _, _ = await client.ask("POST", "/score", records(1, large=True))
        return gone, status

    assert asyncio.run(asyncio.wait_for(scenario(), PATIENCE)) == (0, 200)
    assert "a defect" not in caplog.text


def test_too_much_waiting_work_is_refused_and_what_is_cheap_is_not() -> None:
    async def scenario() -> list[Any]:
        client = Client(lane=Lane(patience=0.005))
        tasks = [asyncio.create_task(client.ask("POST", "/score", records(-1, large=True)))]
        while not client.model.waiting.is_set():
            await asyncio.sleep(0)
        tasks += [asyncio.create_task(client.ask("POST", "/score", records(1, large=True))) for _ in range(10)]
        cheap, _, _ = await client.ask("POST", "/score", records(1))
        health, _, _ = await client.ask("GET", "/v2/health/ready")
        client.model.leave.set()
        answers = await asyncio.gather(*tasks)
        after, _, _ = await client.ask("POST", "/score", records(1, large=True))
        shed = [headers for status, headers, _ in answers if status == 503]
        assert all(headers["retry-after"] == "1" for headers in shed)
        return [cheap, health, after, {status for status, _, _ in answers}, 0 < len(shed) < len(tasks)]

    assert asyncio.run(asyncio.wait_for(scenario(), PATIENCE)) == [200, 200, 200, {200, 503}, True]


def test_bodies_that_arrive_slowly_are_bounded_together() -> None:
    async def scenario() -> tuple[int, int]:
        client = Client(arriving_bytes=100)
        status, headers, _ = await client.ask("POST", "/score", b" " * 60, b" " * 60, records(1))
        assert int(headers["retry-after"]) > 0
        after, _, _ = await client.ask("POST", "/score", b" " * 60, records(1))
        return status, after

    assert asyncio.run(scenario()) == (503, 200)


def test_what_asks_for_work_is_refused_where_there_are_too_many_connections() -> None:
    async def scenario() -> list[Any]:
        client = Client()
        client.app.connections = range(1_001)
        answers = [
            await client.ask("POST", "/score", records(1, large=True)),
            await client.ask("POST", "/score", records(1)),
            await client.ask("GET", "/v2/health/live"),
        ]
        return [(status, headers["connection"]) for status, headers, _ in answers]

    assert asyncio.run(scenario()) == [(503, "close"), (503, "close"), (200, "close")]


def test_what_was_answered_is_counted() -> None:
    async def scenario() -> str:
        client = Client()
        await client.ask("POST", "/score", records(1, 2))
        await client.ask("POST", "/score", records(1, large=True))
        await client.ask("POST", "/score", b"{")
        await client.ask("GET", "/v2/models/m")
        await client.ask("GET", "/v2/models/m/versions/1/")
        await client.ask("GET", "/../../etc/passwd")
        await client.ask("POST", "/score", b"", leaves=True)
        return (await client.text("/metrics")).decode()

    lines = asyncio.run(scenario()).splitlines()

    assert 'mlops_ci_requests_total{path="/score",status="200"} 2' in lines
    assert 'mlops_ci_requests_total{path="/score",status="400"} 1' in lines
    assert 'mlops_ci_requests_total{path="/v2/models/{model}",status="200"} 2' in lines
    assert 'mlops_ci_requests_total{path="other",status="404"} 1' in lines
    assert f"mlops_ci_rows_total {2 + 1 + LARGE // 10}" in lines
    assert "mlops_ci_request_seconds_count 2" in lines
    assert "mlops_ci_in_flight 1" in lines  # the one that asks
    assert not any("passwd" in line for line in lines)
