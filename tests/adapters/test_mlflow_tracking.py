"""Against a real MLflow server, and against servers that do what no server should."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.mlflow_tracking import MlflowTracker
from mlops_ci.core.tracking import TrackedRun
from tests.mlflow_server import WHY_NOT, serve
from tests.pipeline.team import Listener

RUN = TrackedRun(
    model="flight-delay",
    name="0123456789ab superior",
    params={"max_depth": "4", "solver.tol": "0.1", "odd [key]": "x" * 2_000, **{f"p{n}": str(n) for n in range(150)}},
    metrics={"roc_auc": 0.75, "train.roc_auc": 0.8, "gate.lower": -0.01},
    tags={"mlops_ci.verdict": "superior", "mlops_ci.lock": "a" * 64, "mlflow.source.git.commit": "c" * 40},
    files={"report.md": "# Bericht für München\n".encode(), "report.html": b"<!doctype html>" + b"x" * 200_000},
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    with serve(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


def recorded(address: str, run: TrackedRun = RUN, **settings: Any) -> Listener:
    console = Listener()
    MlflowTracker(address, **{"credentials": {}, "console": console, "seconds": 120.0, **settings}).record(run)
    return console


def asked(address: str, what: str, value: dict[str, Any] | None = None) -> dict[str, Any]:
    """The server's own answer, by its REST API."""
    data = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/{what}", data=data, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def runs_of(address: str, experiment: str) -> list[dict[str, Any]]:
    found = asked(address, f"experiments/get-by-name?experiment_name={experiment}")["experiment"]["experiment_id"]
    return list(asked(address, "runs/search", {"experiment_ids": [found]}).get("runs", []))


def test_a_run_arrives_whole(server: str) -> None:
    console = recorded(server)

    assert console.warned == []
    (said,) = console.said
    assert said.startswith(f"flight-delay: recorded in MLflow: {server}/#/experiments/")
    (run,) = runs_of(server, "flight-delay")
    info, data = run["info"], run["data"]
    assert (info["run_name"], info["status"]) == (RUN.name, "FINISHED")
    assert said.endswith(info["run_id"])
    assert info["start_time"] <= info["end_time"]
    params = {each["key"]: each["value"] for each in data["params"]}
    assert len(params) == len(RUN.params)
    assert (params["max_depth"], params["solver.tol"], params["p149"]) == ("4", "0.1", "149")
    assert params["odd _key_"] == f"{'x' * 499}…"
    assert {each["key"]: each["value"] for each in data["metrics"]} == RUN.metrics
    assert {each["key"]: each["value"] for each in data["tags"]}.items() >= RUN.tags.items()
    for name, content in RUN.files.items():
        kept = f"{server}/get-artifact?path={name}&run_uuid={info['run_id']}"
        with urllib.request.urlopen(kept, timeout=30) as answer:
            assert answer.read() == content


def test_each_judgement_is_a_run_of_the_same_experiment(server: str) -> None:
    run = TrackedRun(model="again & again/2", name="one", params={}, metrics={}, tags={})

    assert recorded(server, run).warned == recorded(server, run).warned == []
    assert len(runs_of(server, "again%20%26%20again/2")) == 2


def test_mlflow_s_own_client_reads_it(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    assert recorded(server, TrackedRun(**{**vars(RUN), "model": "read-back"})).warned == []
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("read-back")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics == RUN.metrics
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == set(RUN.files)


def test_what_the_server_refuses_is_said_in_its_words(server: str) -> None:
    console = recorded(server, TrackedRun(model="", name="x", params={}, metrics={}, tags={}))

    assert console.said == []
    (warned,) = console.warned
    assert warned.startswith(f": not recorded in MLflow at {server}: HTTP 400 INVALID_PARAMETER_VALUE ")


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server that gives this answer to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer(self)

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def replying(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # bound, and nobody listens
        console = recorded(f"http://127.0.0.1:{port}")

    assert console.warned == [
        f"flight-delay: not recorded in MLflow at http://127.0.0.1:{port}: it cannot be reached (ConnectionError); "
        "going on without"
    ]


@pytest.mark.parametrize("dripping", [False, True])
def test_a_server_that_hangs_is_left_behind(dripping: bool) -> None:
    """Also one that sends a byte now and then, for which no time limit of a socket ever ends."""
    over = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        if dripping:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000000")
            handler.end_headers()
        while not over.wait(0.02):
            if dripping:
                handler.wfile.write(b" ")
                handler.wfile.flush()

    with answering(hang) as host:
        started = time.monotonic()
        console = recorded(f"http://{host}", seconds=0.3)
        seconds = time.monotonic() - started
        over.set()

    assert console.warned == [
        f"flight-delay: not recorded in MLflow at http://{host}: there was no answer in time; going on without"
    ]
    assert seconds < 60  # and not for ever


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (replying(200, b"<html>welcome</html>"), "the answer is no JSON object"),
        (replying(200, b"[1, 2]"), "the answer is no JSON object"),
        (replying(200, b"{}"), "its answers are not those of a tracking server (KeyError)"),
        (replying(500, b""), "HTTP 500"),
        (replying(302, b"", Location="http://127.0.0.1:1/login"), "HTTP 302"),
        (replying(403, b'{"error_code": "PERMISSION_DENIED", "message": "not you"}'), "HTTP 403 PERMISSION_DENIED not"),
        (replying(400, b'{"error_code": 7, "message": {"a": 1}}'), "HTTP 400 7 {'a': 1}"),
    ],
)
def test_an_answer_that_makes_no_sense_is_warned_of(answer: Answer, said: str) -> None:
    with answering(answer) as host:
        console = recorded(f"http://{host}")

    assert console.said == []
    (warned,) = console.warned
    assert said in warned


@pytest.mark.parametrize(
    ("address", "credentials", "sent"),
    [
        ("http://ada:hunter2%68unter2@{}", {}, "Basic YWRhOmh1bnRlcjJodW50ZXIy"),
        ("http://{}", {"username": "ada", "password": "hunter2hunter2"}, "Basic YWRhOmh1bnRlcjJodW50ZXIy"),
        ("http://{}?key=hunter2hunter2", {"token": "hunter2hunter2"}, "Bearer hunter2hunter2"),
    ],
)
def test_secrets_are_sent_and_never_said(address: str, credentials: dict[str, str], sent: str) -> None:
    given: list[str | None] = []

    def parrot(handler: BaseHTTPRequestHandler) -> None:
        given.append(handler.headers["Authorization"])
        body = json.dumps({"error_code": "NO", "message": "wrong password hunter2hunter2"}).encode()
        replying(401, body)(handler)

    with answering(parrot) as host:
        console = recorded(address.format(host), credentials=credentials)

    assert given == [sent]
    assert console.warned == [
        f"flight-delay: not recorded in MLflow at http://{host}: HTTP 401 NO wrong password ***; going on without"
    ]


@pytest.mark.parametrize("address", ["sqlite:///mlflow.db", "databricks", "./mlruns", "file:///tmp/mlruns", "http://"])
def test_other_places_than_servers_are_not_written_to(address: str, tmp_path: Path) -> None:
    console = recorded(address)

    assert console.said == []
    assert len(console.warned) == 1
    assert "MLFLOW_TRACKING_URI" in console.warned[0] or "cannot be reached" in console.warned[0]


def test_an_address_that_is_none_does_not_show_its_password() -> None:
    console = recorded("http://ada:hunter2hunter2@[bad")

    (warned,) = console.warned
    assert "hunter2" not in warned
