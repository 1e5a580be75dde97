"""A scoring service as its own process, for as long as a test needs it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_ci.core.records import MODEL_FILE, SIGNATURE_FILE
from tests.scoring.tiny_models import TinyModel

ROOT = Path(__file__).parents[2]
RELEASE = "f" * 64
PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Served:
    process: subprocess.Popen[bytes]
    port: int
    predictions: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def get(self, path: str) -> Reply:
        return self.request("GET", path)

    def post(self, path: str, content: Any, **headers: str) -> Reply:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        given = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.request("POST", path, body, given)

    def request(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, headers: Mapping[str, str] = {}
    ) -> Reply:
        connection = self.connection()
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            return read(connection)
        finally:
            connection.close()


def read(connection: http.client.HTTPConnection) -> Reply:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(status=response.status, headers=headers, body=response.read())


def files_of(model: TinyModel) -> dict[str, bytes]:
    """What a release of the model holds for its service."""
    return {MODEL_FILE: model.onnx, SIGNATURE_FILE: json.dumps(model.signature.to_json()).encode()}


def command(folder: Path, *more: str) -> list[str]:
    options = [f"--files={folder}", "--model=delay", "--version=3", f"--release={RELEASE}", "--port=0"]
    return [sys.executable, "-m", "mlops_ci.scoring", *options, *more]


@contextmanager
def served(model: TinyModel, folder: Path, *more: str, files: Mapping[str, bytes] | None = None) -> Iterator[Served]:
    """Serves the model (and further `files`) from `folder`; the process is gone after the block, whatever happened."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {**files_of(model), **(files or {})}.items():
        (folder / name).write_bytes(data)
    announcement, predictions = folder / "service.json", folder / "predictions.jsonl"
    arguments = command(folder, f"--announce={announcement}", f"--log={predictions}", *more)
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(arguments, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_until(lambda: announcement.exists() or process.poll() is not None)
        assert announcement.exists(), (folder / "service.log").read_text()
        announced = json.loads(announcement.read_text())
        assert announced["pid"] == process.pid
        yield Served(process=process, port=announced["port"], predictions=predictions)
    finally:
        process.kill()
        process.wait()


def wait_until(condition: Any) -> None:
    """Returns as soon as the condition holds; fails the test where it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
