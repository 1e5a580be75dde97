"""A router that goes by the files of `composition/plane.py`: by path to one release, else by weights, read each time.

It takes nothing of the path away, and counts what it has sent to each release, as a cloud's load balancer does.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mlops_ci.core.traffic import LiveCounts
from mlops_ci.ports import PROBE

BOUNDS = (10.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0)
LARGEST = 1024 * 1024
"""What is larger is announced to the service, and not sent."""
HOP = {"connection", "transfer-encoding", "keep-alive", "date", "server", "content-length"}


class PlaneRouter:
    """`url` is its address; `plane` holds a folder for each environment."""

    def __init__(self, plane: Path) -> None:
        self._plane = plane
        self._lock = threading.Lock()
        self._turn: Counter[str] = Counter()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()
        self._within: Counter[tuple[str, str, float]] = Counter()
        self.url = ""
        self.failing: set[tuple[str, str]] = set()
        """Releases, with their environment, that answer every user with 500."""

    def counts(self, environment: str, release: str) -> LiveCounts:
        """Of the requests of users; the probes of mlops-ci say nothing of them."""
        key = environment, release
        with self._lock:
            return LiveCounts(
                requests=self._requests[key],
                errors=self._errors[key],
                within={bound: self._within[*key, bound] for bound in BOUNDS},
                counter="router",
            )

    def chosen(self, path: str) -> tuple[str, str]:
        """The environment that is asked, and the release that is to answer; empty where there is none."""
        _, environment, model, *rest = [*path.split("/"), "", ""]
        plane = self._plane / environment
        if not environment or not model or not plane.is_dir():
            return "", ""
        if rest[0] == "releases":
            return environment, next((each.name for each in (plane / "services").glob(f"{rest[1]}*")), "")
        with suppress(FileNotFoundError):
            return environment, self._weighted(environment, json.loads((plane / "routes.json").read_text()))
        return environment, ""

    def _weighted(self, environment: str, shares: dict[str, int]) -> str:
        with self._lock:
            self._turn[environment] += 1
            place = self._turn[environment] * 37 % 100  # every hundred requests each release has its share, well mixed
        for release, share in shares.items():
            place -= share
            if place < 0:
                return release
        return ""

    def sent(self, environment: str, release: str, status: int, seconds: float) -> None:
        key = environment, release
        with self._lock:
            self._requests[key] += 1
            self._errors[key] += status >= 500
            for bound in BOUNDS:
                self._within[*key, bound] += seconds * 1000 <= bound

    def port(self, environment: str, release: str) -> int | None:
        try:
            return int(
                json.loads((self._plane / environment / "services" / release / "service.json").read_text())["port"]
            )
        except FileNotFoundError:
            return None


@contextmanager
def routing(plane: Path) -> Iterator[PlaneRouter]:
    router = PlaneRouter(plane)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length) if length <= LARGEST else b""
            (environment, release), began = router.chosen(self.path), time.monotonic()
            status, headers, content = _forward(router.port(environment, release) if release else None, self, body)
            if release and not self.headers.get("x-request-id", "").startswith(PROBE):
                status = 500 if (environment, release) in router.failing else status
                router.sent(environment, release, status, time.monotonic() - began)
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def handle_expect_100(self) -> bool:  # that is the service's to say
            return True

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    router.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield router
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _forward(port: int | None, asked: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    if port is None:
        return 503, [], b"nobody is there"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(asked.command, asked.path, skip_host=True, skip_accept_encoding=True)
        for name, value in asked.headers.items():
            if name.lower() not in HOP - {"content-length"}:
                connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    except (OSError, http.client.HTTPException):
        return 502, [], b"it does not answer"
    finally:
        connection.close()
