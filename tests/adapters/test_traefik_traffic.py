"""What the router counts of each release, and copies for a shadow, with services that do as they are told."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlops_ci.adapters import processes
from mlops_ci.adapters.traefik import Traefik
from mlops_ci.adapters.traefik_configuration import COPIED_BYTES, COPIES, COPY_ID, Part
from mlops_ci.adapters.traefik_metrics import BOUNDS_MS, live_counts
from mlops_ci.core.traffic import LiveCounts
from tests.scoring.serving import Reply, read, wait_until

OLD, NEW = "a" * 64, "b" * 64


class Service(ThreadingHTTPServer):
    """Answers with the status that the path ends with, and remembers what it was sent; health checks aside."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.before = before
        self.asked: list[tuple[str, str, int]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        last = self.path.rpartition("/")[2]
        if last != "ready":
            self.server.asked.append((self.path, self.headers.get("x-request-id", ""), len(body)))
            self.server.before()
        if last == "broken":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning")
            return
        self.send_response(int(last) if last.isdigit() else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(before: Callable[[], object] = lambda: None) -> Iterator[Service]:
    with Service(before) as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()


@pytest.fixture
def old() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def new() -> Iterator[Service]:
    with running() as service:
        yield service


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Traefik]:
    router = Traefik(tmp_path / "router")
    try:
        yield router
    finally:
        router.stop()


def ask(router: Traefik, path: str = "score", *, model: str = "delay", body: bytes = b"", **headers: str) -> Reply:
    host, _, prefix = router.url("qa", model).removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request(
            "POST", f"/{prefix}/{path}", body, {name.replace("_", "-"): headers[name] for name in headers}
        )
        return read(connection)
    finally:
        connection.close()


def counts(router: Traefik, release: str, requests: int, model: str = "delay") -> LiveCounts:
    """Once they are complete: a user may read an answer a moment before the router counts it."""

    def now() -> LiveCounts:
        return router.counts("qa", model).get(release, LiveCounts())

    wait_until(lambda: now().requests >= requests)
    return now()


def part(service: Service, percent: int = 100) -> Part:
    return Part(percent=percent, url=service.url)


def nowhere() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_errors_are_what_the_release_failed(router: Traefik, old: Service) -> None:
    assert router.counts("qa", "delay") == {}
    router.divide("qa", "delay", {OLD: part(old)})
    for path in ("score", "200", "204", "400", "404", "413", "422", "429", "500", "503"):
        ask(router, path)
    ask(router, connection="upgrade", upgrade="websocket")
    with pytest.raises(http.client.HTTPException):
        ask(router, "broken")
    ask(router)

    found = counts(router, OLD, 12)

    # What breaks off in the middle is not counted at all: Traefik gives such a request up before it counts.
    assert (found.requests, found.errors) == (12, 2)
    assert tuple(found.within) == BOUNDS_MS
    assert sorted(found.within.values()) == list(found.within.values())
    assert set(router.counts("qa", "delay")) == {OLD}


def test_models_and_environments_do_not_mix(router: Traefik, old: Service, new: Service) -> None:
    router.divide("qa", "delay", {OLD: part(old)})
    router.divide("qa", "delay-2", {OLD: part(old), NEW: part(new, 0)})
    router.divide("production", "delay", {OLD: part(old, 50), NEW: part(new, 50)})
    for model, times in (("delay", 2), ("delay-2", 3)):
        for _ in range(times):
            ask(router, model=model)

    assert counts(router, OLD, 2).requests == 2
    assert counts(router, OLD, 3, "delay-2").requests == 3
    assert router.counts("production", "delay") == router.counts("qa", "dela") == router.counts("q", "delay") == {}


def test_a_slow_answer_is_beyond_the_bounds_that_it_passed(router: Traefik) -> None:
    go_on = threading.Event()
    with running(go_on.wait) as slow:
        router.divide("qa", "delay", {OLD: part(slow)})
        user = threading.Thread(target=ask, args=(router,))
        user.start()
        wait_until(lambda: bool(slow.asked))
        threading.Event().wait(0.03)
        go_on.set()
        user.join()

        found = counts(router, OLD, 1)
    assert found.requests - found.within[20.0] == 1
    assert found.errors == 0


def test_counts_go_on_through_divisions_until_the_release_has_no_part(
    router: Traefik, old: Service, new: Service
) -> None:
    asked = 0
    for parts in (
        {OLD: part(old)},
        {OLD: part(old, 90), NEW: part(new, 10)},
        {OLD: part(old, 50), NEW: part(new, 50)},
        {OLD: part(old)},
    ):
        router.divide("qa", "delay", parts)
        for _ in range(10):
            ask(router)
        asked += 10
        wait_until(lambda asked=asked: len(old.asked) + len(new.asked) == asked)
        assert counts(router, OLD, len(old.asked)).requests == len(old.asked)
        if NEW in parts:
            assert counts(router, NEW, len(new.asked)).requests == len(new.asked) > 0

    assert set(router.counts("qa", "delay")) == {OLD}
    router.divide("qa", "delay", {OLD: part(old, 50), NEW: part(new, 50)})
    assert NEW not in router.counts("qa", "delay")


def test_a_router_that_was_restarted_counts_from_nothing(router: Traefik, old: Service) -> None:
    router.divide("qa", "delay", {OLD: part(old)})
    ask(router)
    before = counts(router, OLD, 1)
    router.stop()

    assert router.counts("qa", "delay") == {}
    ask(router, "500")
    after = counts(router, OLD, 1).since(before)
    assert (after.requests, after.errors) == (1, 1), "as many as before are not none"


def test_a_request_that_nobody_could_answer_is_one_error_however_often_it_was_tried(router: Traefik) -> None:
    router.divide("qa", "delay", {OLD: Part(percent=100, url=nowhere())})

    assert ask(router).status == 502

    found = counts(router, OLD, 1)
    assert (found.requests, found.errors, found.requests - found.within[500.0]) == (1, 1, 1)


def test_what_the_other_release_answered_instead_is_an_error_of_the_dead_one(router: Traefik, old: Service) -> None:
    router.divide("qa", "delay", {OLD: part(old, 50), NEW: Part(percent=50, url=nowhere())})

    assert {ask(router).status for _ in range(10)} == {200}

    answered = counts(router, OLD, 10)
    assert (answered.requests, answered.errors) == (10, 0)
    dead = router.counts("qa", "delay").get(NEW, LiveCounts())
    assert dead.errors == dead.requests, "it may have been found dead before it was asked anything"


def test_what_is_counted_is_told_to_this_machine_alone(router: Traefik, old: Service) -> None:
    router.divide("qa", "delay", {OLD: part(old)})
    host = router.url("qa", "delay").removeprefix("http://").partition("/")[0]
    for path in ("/metrics", "/api/rawdata", "/qa/metrics"):
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("GET", path)
        assert read(connection).status == 404
        connection.close()


def test_metrics_that_are_not_ours_say_nothing() -> None:
    mine = f'router="r",service="qa~delay~{OLD}~alone@file"'
    text = f"""\
# HELP traefik_router_request_duration_seconds How long
traefik_router_request_duration_seconds_count{{code="200",{mine}}} 1e+06
traefik_router_request_duration_seconds_bucket{{code="200",{mine},le="0.005"}} 7
traefik_router_request_duration_seconds_bucket{{code="200",{mine},le="+Inf"}} 1e+06
traefik_service_request_duration_seconds_count{{code="200",service="qa~delay~{OLD}~alone@file"}} 3
traefik_router_request_duration_seconds_count{{code="500",router="r",service="qa~delay~{OLD}~sharing@file"}} 3
traefik_service_request_duration_seconds_count{{code="500",service="qa~delay~{OLD}@file"}} 3
traefik_service_request_duration_seconds_count{{code="500",service="api@internal"}} 3
something_else 3
"""
    found = live_counts(text, "qa", "delay")

    assert list(found) == [OLD]
    assert (found[OLD].requests, found[OLD].errors, found[OLD].within[5.0]) == (1_000_000, 0, 7)
    assert live_counts("", "qa", "delay") == {}


def test_a_shadow_gets_a_marked_copy_and_users_see_nothing_of_it(router: Traefik, old: Service, new: Service) -> None:
    router.divide("qa", "delay", {OLD: part(old)}, shadow=(NEW, new.url))
    most = COPIED_BYTES
    ask(router, body=b"x" * 10, x_request_id="7")
    ask(router, "503")
    ask(router, body=b"x" * most)
    ask(router, body=b"x" * (most + 1))
    wait_until(lambda: len(new.asked) == 3)

    assert old.asked == [("/score", "7", 10), ("/503", "", 0), ("/score", "", most), ("/score", "", most + 1)]
    assert sorted(new.asked) == [("/503", COPY_ID, 0), ("/score", COPY_ID, 10), ("/score", COPY_ID, most)]
    copied = counts(router, NEW, 3)
    assert (copied.requests, copied.errors) == (3, 1)
    assert counts(router, OLD, 4).requests == 4

    router.divide("qa", "delay", {OLD: part(old, 50), NEW: part(new, 50)})
    router.divide("qa", "delay", {OLD: part(old)})
    ask(router)
    assert len(new.asked) == 3


def test_a_shadow_of_two(router: Traefik, old: Service, new: Service) -> None:
    with running() as third:
        router.divide("qa", "delay", {OLD: part(old, 50), NEW: part(new, 50)}, shadow=("c" * 64, third.url))
        for _ in range(6):
            ask(router)
        wait_until(lambda: len(third.asked) == 6)
    assert (len(old.asked), len(new.asked)) == (3, 3)
    assert router.in_force("qa", "delay").parts == {OLD: part(old, 50), NEW: part(new, 50)}


def test_a_dead_shadow_harms_nobody_and_is_seen(router: Traefik, old: Service) -> None:
    router.divide("qa", "delay", {OLD: part(old)}, shadow=(NEW, nowhere()))

    assert {ask(router).status for _ in range(10)} == {200}

    copied = counts(router, NEW, 10)
    assert (copied.requests, copied.errors) == (10, 10)
    assert counts(router, OLD, 10).errors == 0


def test_a_shadow_that_hangs_harms_nobody_and_piles_nothing_up(router: Traefik, old: Service) -> None:
    go_on = threading.Event()
    with running(go_on.wait) as hanging:
        router.divide("qa", "delay", {OLD: part(old)}, shadow=(NEW, hanging.url))
        try:
            # All users are answered while not one copy is.
            assert {ask(router).status for _ in range(2 * COPIES)} == {200}
            wait_until(lambda: len(hanging.asked) == COPIES)
            ask(router)
            assert NEW not in router.counts("qa", "delay")
        finally:
            go_on.set()
        assert counts(router, NEW, COPIES).requests == COPIES
        ask(router)
        assert counts(router, NEW, COPIES + 1).requests == COPIES + 1


def test_copies_find_their_way_when_the_router_had_to_take_another_port(
    router: Traefik, old: Service, new: Service, tmp_path: Path
) -> None:
    router.divide("qa", "delay", {OLD: part(old)}, shadow=(NEW, new.url))
    record = tmp_path / "router" / "router.json"
    before = json.loads(record.read_text())
    (process,) = processes.find(f"--providers.file.directory={tmp_path / 'router' / 'routes'}")
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(process))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before["api"]))
        other.listen()
        assert router.in_force("qa", "delay").shadow is not None
        router.divide("qa", "delay", {OLD: part(old)}, shadow=(NEW, new.url))
        ask(router)
        wait_until(lambda: len(new.asked) == 1)

    after = json.loads(record.read_text())
    assert (after["web"], after["api"] == before["api"]) == (before["web"], False)
