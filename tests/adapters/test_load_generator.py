"""An open load against servers that stall, shed, die and drip: nothing is hidden, and it ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from mlops_ci.adapters.http_exchange import Exchange, Origin
from mlops_ci.adapters.load_generator import UNANSWERED, generate
from mlops_ci.core.load import IN_FLIGHT, LoadPlan, Traffic, measured
from mlops_ci.ports import Reply
from tests.adapters.scripted import Script, answer, reset, scripted

FINE = answer(b"{}")
PLAN = LoadPlan(rate=200, seconds=0.3)


def send(exchange: Exchange, number: int) -> Reply:
    return exchange.ask("/score", body=str(number).encode(), watched=False)


def named(_number: int, reply: Reply) -> str:
    return "" if reply.status == 200 else reply.summary


def load(
    script: Script, plan: LoadPlan = PLAN, *, patience: float = 10.0, judge: Callable[[int, Reply], str] = named
) -> Traffic:
    with scripted(script) as url:
        return generate(Origin.of(url), plan, send, judge, patience=patience)


class Counting:
    """Numbers the requests that a server gets, over all its connections."""

    def __init__(self, then: Callable[[int, socket.socket], None]) -> None:
        self.then = then
        self.count = 0
        self.lock = threading.Lock()

    def __call__(self, connection: socket.socket, _head: bytes) -> None:
        with self.lock:
            self.count += 1
            count = self.count
        self.then(count, connection)


def test_each_request_of_the_plan_is_sent_once_and_never_before_it_is_due() -> None:
    traffic = load(lambda connection, _: connection.sendall(FINE))
    assert len(traffic.sent) == PLAN.requests == 60
    assert traffic.unsent == 0
    assert sorted(each.due for each in traffic.sent) == [PLAN.due(number) for number in range(60)]
    assert all(each.due <= each.sent <= each.done for each in traffic.sent)
    assert not measured(traffic).errors
    assert traffic.core_share > 0


def test_no_more_connections_are_opened_than_are_needed() -> None:
    connections: set[int] = set()

    def script(connection: socket.socket, _head: bytes) -> None:
        connections.add(connection.fileno())
        connection.sendall(FINE)

    load(script, LoadPlan(rate=50, seconds=0.4))
    assert len(connections) < 20, "one for each request would be 20"


def test_a_stall_is_seen_by_every_request_that_was_due_in_it() -> None:
    """The server answers nothing for as long as 40 requests are due; then everybody at once."""
    enough = threading.Event()

    def stall(count: int, connection: socket.socket) -> None:
        if count == 50:
            enough.set()
        if count > 10:
            enough.wait(20)
        connection.sendall(FINE)

    found = measured(load(Counting(stall)))
    # request 11 waits until request 50 is there: at least 39 intervals of 5 ms
    assert not found.errors
    assert found.max_ms >= 190
    assert found.p50_ms > 2, "in a closed loop all but one would look fast"


def test_what_is_shed_fails_reset_or_html_is_counted_by_name() -> None:
    kinds = [
        answer(b'{"error": "busy"}', status="503 Service Unavailable", retry_after="1"),
        answer(b"<html>", status="502 Bad Gateway"),
        answer(b"", status="301 Moved", location="https://elsewhere"),
        b"",
    ]

    def script(count: int, connection: socket.socket) -> None:
        if count > len(kinds):
            connection.sendall(FINE)
        elif kinds[count - 1]:
            connection.sendall(kinds[count - 1])
        else:
            reset(connection)

    found = measured(load(Counting(script)))
    assert found.errors == {
        "status 503": 1,
        "status 502 with an HTML page, as a proxy or a web server sends it": 1,
        "status 301, a redirect to https://elsewhere": 1,
        "the connection was reset": 1,
    }
    assert found.requests == 60


def test_every_fiftieth_request_is_found() -> None:
    def script(count: int, connection: socket.socket) -> None:
        connection.sendall(answer(b"{}", status="500 Oops") if count % 50 == 0 else FINE)

    assert measured(load(Counting(script))).errors == {"status 500": 1}


def test_a_service_that_never_answers_ends_the_load_when_patience_ends() -> None:
    plan = LoadPlan(rate=500, seconds=0.4)
    traffic = load(lambda *_: None, plan, patience=0.2)
    assert len(traffic.sent) == IN_FLIGHT
    assert traffic.unsent == plan.requests - IN_FLIGHT
    assert {each.error for each in traffic.sent} == {UNANSWERED}
    found = measured(traffic)
    assert found.error_rate == 1.0


def test_a_service_that_drips_ends_the_load_too() -> None:
    over = threading.Event()

    def drip(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not over.wait(0.02):
            connection.sendall(b"a")

    with scripted(drip) as url:
        traffic = generate(Origin.of(url), LoadPlan(rate=100, seconds=0.0), send, named, patience=0.3)
        over.set()
    assert {each.error for each in traffic.sent} == {UNANSWERED}


def test_a_defect_of_the_judge_is_raised_and_ends_the_load() -> None:
    def judge(_number: int, _reply: Reply) -> str:
        raise RuntimeError("a defect of ours")

    with pytest.raises(RuntimeError, match="a defect of ours"):
        load(lambda connection, _: connection.sendall(FINE), judge=judge)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("load-")]


def test_an_interrupt_ends_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_thread: threading.Thread, _timeout: float | None = None) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    with scripted(lambda *_: None) as url:
        monkeypatch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            generate(Origin.of(url), LoadPlan(rate=1, seconds=600), send, named)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("load-")]
