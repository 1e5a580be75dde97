"""A data plane, and the image of a small web server that takes the place of a scoring service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataplane.plane import DataPlane
from tests.docker_engine import DockerEngine, ImageRegistry

SERVER = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        bad = sys.argv[1] == "sick" and self.path == "/v2/health/ready" or self.path.endswith("/fails")
        text = sys.argv[1].encode()
        self.send_response(500 if bad else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        if self.path.endswith("/dies"):
            sys.stdout.write("dying\\n")
            sys.stdout.flush()
            import os; os._exit(3)
    def log_message(self, *_): pass
if sys.argv[1] == "crashes":
    sys.exit("I cannot start")
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def image(docker_engine: DockerEngine, image_registry: ImageRegistry) -> str:
    """By digest in the registry, and not under that name in the engine."""
    client = docker_engine.client
    name = f"{image_registry.address}/plane/server"
    made = client.containers.create(docker_engine.base, ["true"], labels=docker_engine.labels)
    made.commit(repository=name, tag="1", conf={"Entrypoint": ["python3", "-c", SERVER]})
    made.remove()
    client.images.push(name, tag="1")
    client.images.remove(f"{name}:1", force=True)
    return f"{name}@{image_registry.digest('plane/server', '1')}"


@pytest.fixture
def plane(tmp_path: Path, docker_engine: DockerEngine) -> Iterator[DataPlane]:
    with DataPlane(tmp_path / "plane", docker_engine) as plane:
        yield plane
