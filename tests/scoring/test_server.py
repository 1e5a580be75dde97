from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scoring.serving import PATIENCE, RELEASE, ROOT, Served, command, files_of, read, served, wait_until
from tests.scoring.tiny_models import binary

RECORD = {"distance": 900, "hour": 8, "carrier": "UA"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(binary(), tmp_path / "service") as running:
        yield running


def test_the_announced_service_answers(service: Served) -> None:
    reply = service.post("/score", [RECORD], x_request_id="mine")

    assert reply.status == 200
    assert reply.json["version"] == 3
    assert reply.json["request_id"] == "mine"
    assert (reply.headers["x-request-id"], reply.headers["x-mlops-release"]) == ("mine", RELEASE)
    assert "server" not in reply.headers


def test_requests_in_flight_finish_after_the_signal(service: Served) -> None:
    body = json.dumps([RECORD]).encode()
    connection = service.connection()
    connection.putrequest("POST", "/score")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body[:10])
    assert service.get("/v2/health/ready").status == 200  # so the request before it has arrived, too

    service.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_listening(service.port))
    connection.send(body[10:])
    reply = read(connection)
    connection.close()

    assert (reply.status, len(reply.json["predictions"])) == (200, 1)
    assert service.process.wait(PATIENCE) == 0
    (entry,) = [json.loads(line) for line in service.predictions.read_bytes().splitlines()]
    assert entry["records"] == [RECORD]


def test_it_still_answers_for_a_while_after_the_signal_but_is_not_ready(tmp_path: Path) -> None:
    with served(binary(), tmp_path / "service", "--drain=600") as service:
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: service.get("/v2/health/ready").status == 503)

        late = service.post("/score", [RECORD])
        assert (late.status, late.headers["connection"]) == (200, "close")
        assert all(service.get("/v2/health/live").status == 200 for _ in range(500))

        service.process.send_signal(signal.SIGTERM)  # the second one does not wait
        assert service.process.wait(PATIENCE) == 0


def test_a_large_body_is_refused_however_it_comes(service: Served) -> None:
    size = 17 * 1024 * 1024

    announced = service.post("/score", b" " * size)
    chunked = service.request("POST", "/score", iter([b" " * (size // 16)] * 16), {"content-type": "application/json"})

    assert (announced.status, chunked.status) == (413, 413)
    assert service.post("/score", [RECORD]).status == 200


def test_a_head_request_has_no_body(service: Served) -> None:
    reply = service.request("HEAD", "/v2/health/ready")

    assert (reply.status, reply.body) == (200, b"")


def test_garbage_on_the_wire_is_a_client_error(service: Served) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as wire:
        wire.sendall(b"GARBAGE \x00\r\n\r\n")
        assert wire.recv(64).startswith(b"HTTP/1.1 400")

    assert service.get("/v2/health/live").status == 200


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"model.onnx": b"junk"}, "the ONNX graph cannot be loaded"),
        ({"model.onnx": None}, "model.onnx"),
        ({"signature.json": b"{"}, "signature.json"),
        ({"signature.json": b"{}"}, "signature.json: KeyError('task')"),
        ({"signature.json": None}, "signature.json"),
    ],
)
def test_a_service_that_cannot_serve_says_why_and_ends(
    tmp_path: Path, damage: dict[str, bytes | None], said: str
) -> None:
    for name, data in (files_of(binary()) | damage).items():
        if data is not None:
            (tmp_path / name).write_bytes(data)

    done = run(tmp_path, f"--announce={tmp_path / 'a'}")

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a").exists()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    for name, data in files_of(binary()).items():
        (tmp_path / name).write_bytes(data)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run(tmp_path, f"--port={port}")

    assert done.returncode == 1
    assert f"127.0.0.1:{port}: [Errno" in done.stderr


def test_serving_imports_nothing_that_trains(tmp_path: Path) -> None:
    program = "import sys; from mlops_ci.scoring import __main__, app, server, service; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    heavy = {"pandas", "sklearn", "scipy", "onnx", "skl2onnx", "matplotlib", "requests", "jsonschema", "pyarrow"}
    assert not heavy & set(done.stdout.split())


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = command(folder, *more)
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
