"""What can come over the wire: never a 500, never a service that is gone, never a client that holds up the others."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.scoring.load import Connection, post
from tests.scoring.serving import PATIENCE, RELEASE, ROOT, Served, files_of, served, wait_until
from tests.scoring.tiny_models import binary

BODY = json.dumps([{"distance": 900, "hour": 8, "carrier": "UA"}]).encode()
HEAD = b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
LENGTH = b"content-length: %d\r\n\r\n" % len(BODY)
CHUNK = b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)
LIVE = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(binary(), tmp_path_factory.mktemp("service")) as running:
        yield running
        log = (running.predictions.parent / "service.log").read_text()
        assert log.count("\n") == 1, log  # nothing that a client sends fills the log


def talk(port: int, data: bytes, answers: int = 1) -> bytes:
    """What comes back until the end of the connection, or as many answers as are awaited."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as wire:
        got = b""
        try:
            wire.sendall(data)
            while got.count(b"HTTP/1.1 ") < answers or not is_whole(got, of=data):
                part = wire.recv(65_536)
                if not part:
                    break
                got += part
        except ConnectionResetError:  # it closed before it had read all, which is fair where it refuses
            pass
        return got


def is_whole(answers: bytes, of: bytes) -> bool:
    head, end, body = answers.rpartition(b"HTTP/1.1 ")[2].partition(b"\r\n\r\n")
    (length,) = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.startswith(b"content-length:")] or [
        b"0"
    ]
    return bool(end) and (of.startswith(b"HEAD ") or len(body) >= int(length))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (HEAD + LENGTH + BODY, 200),
        (b"\x00\x01garbage\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /v2/health/live HTTP/1.0\r\n\r\n", 200),
        (b"MADEUP /score HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"PROPFIND /score HTTP/1.1\r\nhost: x\r\n\r\n", 405),
        (b"TRACE /score HTTP/1.1\r\nhost: x\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", 404),
        (b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET http://x/v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n", 200),
        (b"GET //v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n", 200),
        (b"GET /%zz%f HTTP/1.1\r\nhost: x\r\n\r\n", 404),
        (b"GET /%00%ff%ed%a0%80 HTTP/1.1\r\nhost: x\r\n\r\n", 404),
        (b"GET /\xc3\xa4 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /\xff?\xff HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET  HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 431),
        (HEAD + b"x: " + b"a" * 1_000_000 + b"\r\n" + LENGTH + BODY, 431),
        (HEAD + b"".join(b"x%d: y\r\n" % number for number in range(3_000)) + LENGTH + BODY, 200),
        (HEAD + b"x: a\x00b\r\n" + LENGTH + BODY, 400),
        (HEAD + b"x: a\r\n b\r\n" + LENGTH + BODY, 400),
        (HEAD + b": a\r\n" + LENGTH + BODY, 400),
        (HEAD + b"x-request-id: \xff\r\n" + LENGTH + BODY, 200),
        (HEAD + b"content-type: \xff\r\n" + LENGTH + BODY, 415),
        (HEAD + b"content-length: 3\r\n" + LENGTH + BODY, 400),
        (HEAD + b"transfer-encoding: chunked\r\n" + LENGTH + CHUNK + b"\r\n", 400),
        (HEAD + b"transfer-encoding: gzip\r\n\r\n" + BODY, 400),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n" + CHUNK + b"\r\n", 200),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n" + CHUNK + b"a: b\r\n\r\n", 200),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400),
        (HEAD + b"content-length: -1\r\n\r\n", 400),
        (HEAD + b"content-length: +5\r\n\r\n12345", 400),
        (HEAD + b"content-length: 99999999999999999999999\r\n\r\n", 400),
        (HEAD + b"content-length: 99999999999\r\n\r\n", 413),
        (HEAD + b"expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n", 413),
        (HEAD + b"expect: 42-sandwiches\r\n" + LENGTH + BODY, 200),
        (HEAD + b"\r\n", 400),
        (HEAD + b"content-encoding: gzip\r\n" + LENGTH + BODY, 415),
        (HEAD + b"content-length: 3\r\n\r\n[\x00]", 400),
        (HEAD + b'content-length: 5\r\n\r\n["\xff"]', 400),
        (b"\r\n\r\n" + HEAD + LENGTH + BODY, 200),
        (LIVE + b"content-length: 5\r\n\r\nhello", 200),
        (b"HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n", 200),
    ],
)
def test_every_request_gets_its_status_and_the_service_goes_on(service: Served, request_: bytes, status: int) -> None:
    answer = talk(service.port, request_)

    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert service.get("/v2/health/live").status == 200


def test_what_is_refused_before_it_is_a_request_is_told_in_json(service: Served) -> None:
    head, _, body = talk(service.port, b"garbage\r\n\r\n").partition(b"\r\n\r\n")

    assert b"connection: close" in head
    assert json.loads(body) == {"error": "this is no HTTP request that can be read"}
    assert b'mlops_ci_requests_total{path="other",status="400"}' in service.get("/metrics").body


def test_leave_is_given_to_who_asks_for_it_before_sending(service: Served) -> None:
    answer = talk(service.port, HEAD + b"expect: 100-continue\r\n" + LENGTH + BODY, answers=2)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_who_is_refused_leave_is_not_heard_on_that_connection_again(service: Served) -> None:
    refused = talk(service.port, HEAD + b"expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n")

    assert b"connection: close\r\n" in refused


def test_requests_may_be_sent_ahead(service: Served) -> None:
    answer = talk(service.port, HEAD + LENGTH + BODY + LIVE + b"\r\n" + HEAD + LENGTH + BODY, answers=3)

    kinds = [part.rpartition(b"\r\n\r\n")[2][:8] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert kinds == [b'{"model"', b'{"live":', b'{"model"']


BATCH = json.dumps([{"distance": 900, "hour": 8, "carrier": "UA"}] * 4_000).encode()  # goes the longer way
IN_TURN = [
    HEAD + b"x-request-id: first\r\n" + LENGTH + BODY,
    HEAD + b"x-request-id: second\r\ncontent-length: %d\r\n\r\n" % len(BATCH) + BATCH,
    HEAD + b"x-request-id: third\r\n" + LENGTH + BODY,
    HEAD + b"x-request-id: fourth\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNK + b"\r\n",
    HEAD + b"x-request-id: fifth\r\ncontent-length: 1\r\n\r\n{",
    LIVE + b"x-request-id: sixth\r\n\r\n",
    HEAD + b"x-request-id: last\r\n" + LENGTH + BODY,
]


@pytest.mark.parametrize("size", [1_000_000, 1_000, 97])
def test_answers_come_in_turn_however_the_bytes_are_cut(service: Served, size: int) -> None:
    address = ("127.0.0.1", service.port)
    with socket.create_connection(address, timeout=PATIENCE) as wire, wire.makefile("rb") as answers:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b"".join(IN_TURN)
        for start in range(0, len(data), size):
            wire.sendall(data[start : start + size])
        got = [read_answer(answers) for _ in IN_TURN]

    assert [(head["x-request-id"], status) for status, head, _ in got] == [
        *[("first", 200), ("second", 200), ("third", 200), ("fourth", 200), ("fifth", 400), ("sixth", 200)],
        ("last", 200),
    ]
    predictions = [json.loads(body).get("predictions") for _, _, body in got]
    assert predictions[0] == predictions[2] == predictions[3] == predictions[6] == predictions[1][:1]
    assert len(predictions[1]) == 4_000


def read_answer(wire: BinaryIO) -> tuple[int, dict[str, str], bytes]:
    status = int(wire.readline().split()[1])
    fields = {}
    while (line := wire.readline()) != b"\r\n":
        name, _, value = line.decode().strip().partition(": ")
        fields[name] = value
    return status, fields, wire.read(int(fields["content-length"]))


@pytest.mark.parametrize("offer", [b"Upgrade: h2c", b"upgrade: h2c", b"Upgrade: websocket"])
def test_an_offer_to_speak_another_protocol_is_declined(service: Served, offer: bytes) -> None:
    head = HEAD + b"connection: Upgrade, HTTP2-Settings\r\n" + offer + b"\r\nhttp2-settings: AAMAAABk\r\n"

    connection = Connection(service.port)
    assert connection.ask(head + LENGTH + BODY) == (200, True)
    assert connection.ask(post("/score", BODY)) == (200, True)
    connection.close()


@contextmanager
def changed(folder: Path, changes: str) -> Iterator[int]:
    """A service with other limits than those that a test could wait for; gives its port."""
    for name, data in files_of(binary()).items():
        (folder / name).write_bytes(data)
    announcement = folder / "service.json"
    start = "import sys; from mlops_ci.scoring import __main__, app, connection"
    program = f"{start}; {changes}; sys.exit(__main__.main(sys.argv[1:]))"
    given = [f"--files={folder}", "--model=delay", "--version=3", f"--release={RELEASE}", "--port=0"]
    command = [sys.executable, "-c", program, *given, f"--announce={announcement}"]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until(lambda: announcement.exists() or process.poll() is not None)
        yield json.loads(announcement.read_text())["port"]
    finally:
        process.kill()
        process.wait()


def opened(port: int, begin: bytes = b"") -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    wire.sendall(begin)
    return wire


def test_a_client_that_takes_its_time_is_told_so_and_the_others_do_not_notice(tmp_path: Path) -> None:
    chunked = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    begun = [b"", b"POST /sc", HEAD, HEAD + LENGTH, HEAD + LENGTH + BODY[:5], chunked, chunked + CHUNK[:9]]
    with changed(tmp_path, "connection.REQUEST_SECONDS, connection.BYTES_PER_SECOND = 0.5, 1e6") as port:
        wires = [opened(port, part) for part in begun]
        other = Connection(port)
        while not all(ended(wire) for wire in wires):
            assert other.ask(post("/score", BODY)) == (200, True)  # meanwhile
        other.close()
        for wire in wires:
            assert wire.recv(1_000).startswith(b"HTTP/1.1 408 ")
            wire.close()


def test_connections_are_bounded_and_health_has_some_in_reserve(tmp_path: Path) -> None:
    with changed(tmp_path, "app.CONNECTIONS = connection.CONNECTIONS = 5; connection.RESERVE = 1") as port:
        others = [Connection(port) for _ in range(5)]
        assert [other.ask(LIVE + b"\r\n") for other in others] == [(200, True)] * 5
        health = Connection(port)  # the last one that is taken
        # which it is once the service has looked
        wait_until(lambda: others[0].ask(post("/score", BODY)) == (503, False))
        others[0].close()
        others[0] = Connection(port)
        assert talk(port, LIVE + b"\r\n").startswith(b"HTTP/1.1 503 ")
        assert health.ask(LIVE + b"\r\n")[0] == 200
        for other in [*others, health]:
            other.close()
        wait_until(lambda: talk(port, post("/score", BODY)).startswith(b"HTTP/1.1 200 "))


def test_who_goes_on_sending_what_was_refused_is_cut_off(tmp_path: Path) -> None:
    with changed(tmp_path, "connection.MAX_BODY_BYTES = 100_000; app.MAX_BODY_BYTES = 100_000") as port:
        wire = opened(port, HEAD + b"content-length: 99999999999\r\n\r\n")
        assert wire.recv(1_000).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(OSError, match=r"reset|pipe"):
            send_for_ever(wire)
        wire.close()


def ended(wire: socket.socket) -> bool:
    """Whether something came, without taking it."""
    wire.setblocking(False)
    try:
        return bool(wire.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def send_for_ever(wire: socket.socket) -> None:
    while True:
        wire.sendall(b" " * 65_536)
