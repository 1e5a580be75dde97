"""A stand-in of a Prometheus server: it visits the pods of a cluster, and answers the two queries that we ask.

It evaluates `last_over_time(a{..}[..]) * on (..) group_left (..) last_over_time(b{..}[..])`, and refuses anything else,
as many-to-many matches.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kubernetes_api.node import Node

Labels = tuple[tuple[str, str], ...]
SIDE = r"last_over_time\((?P<{0}name>\w+)(\{{(?P<{0}labels>[^}}]*)\}})?\[(?P<{0}window>\d+)s\]\)"
JOINED = re.compile(
    SIDE.format("l") + r" \* on \((?P<on>[\w, ]+)\) group_left \((?P<kept>[\w, ]+)\) " + SIDE.format("r")
)
MATCHER = re.compile(r'(\w+)(=~|=)"((?:[^"\\]|\\.)*)"')
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


class Prometheus:
    """`with Prometheus(node) as server:`; `visit` is one round, at the moment that it is made in."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._samples: list[tuple[float, str, dict[str, str], float]] = []
        self._lock = Lock()
        self.broken = False

    def __enter__(self) -> Prometheus:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Says nothing."""

            def do_GET(self) -> None:
                code, value = server.answer(self.path)
                data = json.dumps(value).encode()
                self.send_response(code)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def visit(self) -> None:
        for (_, pod), container in list(self._node.containers.items()):
            if not container.ready:
                continue
            with urllib.request.urlopen(f"{container.address}/metrics") as reply:
                text = reply.read().decode()
            target = {"job": "scoring", "instance": f"{pod}:8080", "pod": pod}
            with self._lock:
                for line in text.splitlines():
                    found = SAMPLE.fullmatch(line)
                    if found:
                        labels = {name: value for name, _, value in MATCHER.findall(found[2] or "")}
                        self._samples.append((time.time(), found[1], {**labels, **target}, float(found[3])))

    def answer(self, path: str) -> tuple[int, Any]:
        parts = urlsplit(path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        found = JOINED.fullmatch(query.get("query", ""))
        if self.broken or parts.path != "/api/v1/query" or found is None:
            return 400, {"status": "error", "errorType": "bad_data", "error": f"cannot be parsed: {query}"}
        at = float(query["time"])
        left, right = (self._last(found, side, at) for side in "lr")
        on = [name.strip() for name in found["on"].split(",")]
        kept = [name.strip() for name in found["kept"].split(",")]
        infos: dict[Labels, Mapping[str, str]] = {}
        for labels, _ in right:
            key = tuple((name, labels.get(name, "")) for name in on)
            if key in infos:
                return 422, {"status": "error", "error": "found duplicate series for the match group on the right side"}
            infos[key] = labels
        result = []
        for labels, value in left:
            info = infos.get(tuple((name, labels.get(name, "")) for name in on))
            if info is not None:
                metric = {**labels, **{name: info[name] for name in kept}}
                result.append({"metric": metric, "value": [at, repr(value)]})
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}

    def _last(self, found: re.Match[str], side: str, at: float) -> list[tuple[dict[str, str], float]]:
        name, window = found[f"{side}name"], float(found[f"{side}window"])
        wanted = [
            (label, how, value.replace('\\"', '"'))
            for label, how, value in MATCHER.findall(found[f"{side}labels"] or "")
        ]
        last: dict[Labels, tuple[dict[str, str], float]] = {}
        with self._lock:
            for moment, own, labels, value in self._samples:
                fits = all(
                    re.fullmatch(text, labels.get(label, "")) if how == "=~" else labels.get(label, "") == text
                    for label, how, text in wanted
                )
                if own == name and at - window < moment <= at and fits:
                    last[tuple(sorted(labels.items()))] = (labels, value)
        return list(last.values())
