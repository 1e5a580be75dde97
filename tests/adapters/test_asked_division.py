"""Who answers behind a load balancer, asked until the answers say what was wanted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat

import pytest

from mlops_ci.adapters.asked_division import wait_until_divided, wait_until_ready, who_answers, why_not_ready
from mlops_ci.errors import OutsideError
from mlops_ci.ports import PROBE

A, B = "a" * 64, "b" * 64


@contextmanager
def answering(first: Sequence[tuple[int, str]], then: Sequence[tuple[int, str]]) -> Iterator[tuple[str, list[str]]]:
    """The address, and the ids of the requests that came; `then` is answered in turn when `first` is used up."""
    answers, asked = chain(first, chain.from_iterable(repeat(then))), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, release = next(answers)
            asked.append(self.headers["x-request-id"])
            self.send_response(status if self.path == "/qa/late/v2/health/ready" else 404)
            if release:
                self.send_header("x-mlops-release", release)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/qa/late", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_division_is_waited_for() -> None:
    with answering([(200, B), (502, ""), (200, A), (200, B)], [(200, A)]) as (url, asked):
        wait_until_divided(url, {A: 100, B: 0}, patience=60)
    assert len(asked) == 24
    assert all(each.startswith(PROBE) for each in asked)
    with answering([(200, A)] * 99, [(200, B), *[(200, A)] * 99]) as (url, asked):
        wait_until_divided(url, {A: 99, B: 1}, patience=60)
    assert len(asked) == 100


def test_what_never_comes_is_said() -> None:
    with answering([], [(200, A), (200, B)]) as (url, _), pytest.raises(OutsideError) as refused:
        wait_until_divided(url, {A: 100}, patience=0.3)
    assert "not in force after 0.3 s: of the latest" in str(refused.value)
    assert A[:12] in str(refused.value)
    # One per cent is not missed by chance: it is asked for often enough, however short the patience.
    with answering([], [(200, A)]) as (url, asked), pytest.raises(OutsideError, match="20 by aaaaaaaaaaaa"):
        wait_until_divided(url, {A: 50, B: 50}, patience=0.0)
    assert len(asked) >= 20
    with pytest.raises(OutsideError, match="by nobody"):
        wait_until_divided("http://127.0.0.1:9/qa/late", {A: 100}, patience=0.0)


def test_a_release_that_is_not_ready_says_why() -> None:
    with answering([(503, A), (503, A), (200, B)], [(200, A)]) as (url, _):
        assert why_not_ready(url, A) == "status 503"
        assert why_not_ready(url, B) == f"release {A[:12]} answers there"
        assert wait_until_ready(url, A, patience=60) == ""
        assert who_answers(url) == A
    with answering([], [(200, "")]) as (url, _):
        assert wait_until_ready(url, A, patience=0.2) == "status 200"
        assert who_answers(url) == ""
    assert "connection refused" in wait_until_ready("http://127.0.0.1:9", A, patience=0.2)
