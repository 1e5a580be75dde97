"""Defects planted in real services, and in what stands before them: each is caught by its own name."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.config.types import ParityConfig, VerificationConfig
from mlops_ci.core.digest import sha256
from mlops_ci.core.predictions import Predictions
from mlops_ci.core.records import BUILD_FILE, MODEL_FILE, Release
from mlops_ci.core.signature import Column, Signature
from mlops_ci.errors import OutsideError, VerificationError
from mlops_ci.pipeline.checks import Verification
from mlops_ci.pipeline.golden import GoldenRows
from mlops_ci.pipeline.verify import verify
from mlops_ci.ports import Answer
from mlops_ci.scoring.model import OnnxRuntime
from tests.scoring.serving import RELEASE, Served, served
from tests.scoring.tiny_models import TinyModel, binary

QUICK = VerificationConfig(rate=200, duration=timedelta(0), latency_p99_ms=5000)
BUILD = b'{"model":"delay","version":3}'


class NamedRelease(Release):
    """A release that goes by the id that the served process was given."""

    @property
    def id(self) -> str:  # type: ignore[override]
        return RELEASE


def golden_of(model: TinyModel) -> GoldenRows:
    answers = OnnxRuntime().load(model.onnx, model.signature).predict(model.columns)
    return GoldenRows(records=model.records, answers=answers)


def asked(
    url: str, model: TinyModel, *, golden: GoldenRows | None = None, load: VerificationConfig | None = QUICK,
    release: type[Release] = NamedRelease, client: HttpScoringClient | None = None, **record: Any,
) -> Verification:  # fmt: skip
    facts: dict[str, Any] = {"version": 3, "image": None, "evidence": {}, **record}
    made = release(model="delay", lock="l", commit="c", files={MODEL_FILE: sha256(model.onnx)}, **facts)
    with client or HttpScoringClient(timeout=10) as open_client:
        return verify(
            open_client, url, release=made, signature=model.signature, golden=golden or golden_of(model),
            limits=ParityConfig(atol=1e-5, max_flips=0), in_image=made.image is not None, load=load,
        )  # fmt: skip


def failed(verification: Verification) -> list[str]:
    """The names of the checks that failed; that is exit 13."""
    with pytest.raises(VerificationError) as caught:
        verification.require()
    assert caught.value.exit_code == 13
    names = [check.name for check in verification.failed]
    assert [problem.name for problem in caught.value.problems] == names
    json.dumps(verification.to_json(), allow_nan=False)
    return names


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(binary(), tmp_path_factory.mktemp("service"), files={BUILD_FILE: BUILD}) as running:
        yield running


# The service itself.


def test_a_good_service_passes_all_of_it(service: Served) -> None:
    found = asked(service.url, binary(), image="r@sha256:1", evidence={"build": sha256(BUILD)})
    assert found.ok, found.failed
    assert [check.name for check in found.checks] == [
        "health", "metadata", "wrong-release", "wrong-model", "wrong-image", "golden-rows", "contract",
        "errors", "latency", "rate", "memory",
    ]  # fmt: skip
    assert found.load is not None
    assert (found.load["requests"], found.load["failed"]) == (20, 0)
    assert 10 < found.load["memory_mb"] < 1000


def test_another_model_of_the_same_shape(tmp_path: Path) -> None:
    with served(binary(shift=0.4), tmp_path) as running:
        assert failed(asked(running.url, binary())) == ["wrong-model", "golden-rows", "errors"]


def test_another_release(service: Served) -> None:
    assert failed(asked(service.url, binary(), release=Release)) == ["wrong-release", "errors"]


def test_another_version(service: Served) -> None:
    assert failed(asked(service.url, binary(), version=4)) == ["metadata"]


def test_another_image(service: Served) -> None:
    assert failed(asked(service.url, binary(), image="r@sha256:1", evidence={"build": "0" * 64})) == ["wrong-image"]


def test_a_service_that_runs_from_no_image_where_one_is_due(tmp_path: Path) -> None:
    with served(binary(), tmp_path) as running:
        found = asked(running.url, binary(), image="r@sha256:1", evidence={"build": sha256(BUILD)})
    assert failed(found) == ["wrong-image"]


def test_a_model_that_has_no_number_for_some_rows(tmp_path: Path) -> None:
    """The logarithm of what is below zero: the service says 422 rather than NaN, and the native model had an answer."""
    model = graph_of([helper.make_node("Log", ["x"], ["prediction"])])
    golden = GoldenRows(records=[{"x": 1.0}, {"x": -1.0}], answers=Predictions(values=np.array([0.0, 0.0])))
    with served(model, tmp_path) as running:
        found = asked(running.url, model, golden=golden)
    assert failed(found) == ["golden-rows", "errors"]
    assert "status 422, for rows 1" in found.failed[0].detail
    assert "10 of 20 requests failed" in found.failed[1].detail


def test_a_slow_model(tmp_path: Path) -> None:
    model = heavy(times=20)
    with served(model, tmp_path) as running:
        found = asked(running.url, model, load=replace(QUICK, rate=20, latency_p99_ms=5))
    assert failed(found) == ["latency"]
    assert "the limit of p99 is 5 ms" in found.failed[0].detail


def test_a_service_that_stalls_cannot_hide_it(tmp_path: Path) -> None:
    """It is stopped for as long as 40 requests are due, and then goes on: one request in flight would look slow."""
    with served(binary(), tmp_path) as running:
        resume = threading.Timer(0.5, os.kill, [running.process.pid, signal.SIGCONT])

        def stall(number: int) -> None:
            if number == 20:
                os.kill(running.process.pid, signal.SIGSTOP)
                resume.start()

        load = VerificationConfig(rate=80, duration=timedelta(seconds=1), latency_p99_ms=250)
        found = asked(running.url, binary(), load=load, client=Meddling(stall))
        resume.join()
    assert failed(found) == ["latency"]
    assert found.load is not None
    assert found.load["max_ms"] > 250


def test_a_service_that_dies_in_the_middle_of_the_load(tmp_path: Path) -> None:
    with served(binary(), tmp_path) as running:

        def kill(number: int) -> None:
            if number == 5:
                running.process.kill()
                running.process.wait()

        found = asked(running.url, binary(), client=Meddling(kill))
    assert failed(found) == ["errors", "memory"]
    assert "connection" in found.failed[0].detail, "refused, or reset where it was in flight"
    assert not found.undecided, "it was there before, so that it is gone is its own fault"


def test_a_service_that_takes_too_much_memory(tmp_path: Path) -> None:
    large = heavy(times=1, size=3000)
    with served(large, tmp_path) as running:
        found = asked(running.url, large, load=replace(QUICK, memory_mb=100))
    assert failed(found) == ["memory"]
    assert "the limit is 100 MB" in found.failed[0].detail


# What stands before the service.

Meddle = Callable[[int, str, bytes], tuple[int, Mapping[str, str], bytes] | None]
"""Is given the number of the request, its path and its body; answers itself, or None to let the service answer."""


@contextmanager
def before(service: Served, meddle: Meddle) -> Iterator[str]:
    """The address of a proxy that sometimes answers by itself."""
    numbers = iter(range(1, 1_000_000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            announced = int(self.headers.get("content-length", 0))
            body = self.rfile.read(announced) if announced < 2**20 else b""
            own = meddle(next(numbers), self.path, body)
            status, headers, content = own or self._passed_on(body)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the name that the base class calls

        def handle_expect_100(self) -> bool:
            return True

        def _passed_on(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", service.port)
            kept = ("content-type", "content-length", "x-request-id", "inference-header-content-length")
            connection.putrequest(self.command, self.path)
            for name in kept:
                if name in self.headers:
                    connection.putheader(name, self.headers[name])
            connection.endheaders(body)
            reply = connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            content = reply.read()
            connection.close()
            for name in ("content-length", "connection", "transfer-encoding"):
                headers.pop(name, None)
            return reply.status, headers, content

        def log_message(self, *_: object) -> None:
            """Nothing: the test's output is not its log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


JSON = {"content-type": "application/json"}
FAILURE = (500, JSON, b'{"error": "a defect"}')
SHED = (503, {**JSON, "retry-after": "1"}, b'{"error": "overloaded"}')
LOGIN = (200, {"content-type": "text/html"}, b"<!doctype html><title>Sign in</title>")


def test_a_proxy_that_does_nothing_harms_nothing(service: Served) -> None:
    with before(service, lambda *_: None) as url:
        found = asked(url, binary())
    assert found.ok, found.failed


def test_a_service_that_fails_at_every_fiftieth_request(service: Served) -> None:
    def meddle(number: int, path: str, _body: bytes) -> Any:
        return FAILURE if path == "/score" and number % 50 == 0 else None

    with before(service, meddle) as url:
        found = asked(url, binary(), load=replace(QUICK, duration=timedelta(seconds=1)))
    assert "errors" in failed(found)
    assert "times status 500" in next(check.detail for check in found.failed if check.name == "errors")


def test_a_service_that_fails_on_some_rows(service: Served) -> None:
    def meddle(_number: int, path: str, body: bytes) -> Any:
        return FAILURE if path == "/score" and b"never seen" in body else None

    with before(service, meddle) as url:
        found = asked(url, binary())
    assert failed(found) == ["golden-rows", "errors"]
    assert found.failed[0].detail == "status 500"


def test_a_service_that_sheds_under_load(service: Served) -> None:
    seen = threading.Event()

    def meddle(_number: int, path: str, _body: bytes) -> Any:
        if path == "/metrics":
            seen.set()
        return SHED if seen.is_set() and path == "/score" else None

    with before(service, meddle) as url:
        found = asked(url, binary())
    assert failed(found) == ["errors", "latency"]
    assert "20 times status 503" in found.failed[0].detail


@pytest.mark.parametrize(
    ("own", "detail"),
    [
        (LOGIN, "with an HTML page"),
        ((307, {"location": "https://login.example/?to=x"}, b""), "a redirect to https://login.example/"),
        ((502, {"content-type": "text/html"}, b"<html>Bad Gateway"), "status 502 with an HTML page"),
    ],
)
def test_a_proxy_that_answers_for_the_service(service: Served, own: Any, detail: str) -> None:
    with before(service, lambda _number, path, _body: None if path.startswith("/v2/health") else own) as url:
        found = asked(url, binary())
    names = failed(found)
    assert {"metadata", "golden-rows", "contract", "errors"} <= set(names)
    for check in found.failed:
        if check.name in ("golden-rows", "contract", "errors"):
            assert detail in check.detail


def test_a_login_page_in_place_of_health_is_no_health(service: Served) -> None:
    with before(service, lambda *_: LOGIN) as url:
        assert failed(asked(url, binary())) == ["health"]


def test_a_service_that_takes_whatever_it_is_sent(service: Served) -> None:
    def meddle(_number: int, path: str, body: bytes) -> Any:
        wrong = path == "/score" and not body.startswith(b'[{"distance"')
        return (200, JSON, b'{"predictions": []}') if wrong or b"no such column" in body else None

    with before(service, meddle) as url:
        assert failed(asked(url, binary())) == ["contract"]


def test_where_nobody_listens_nothing_is_known_of_the_release() -> None:
    found = asked("http://127.0.0.1:9", binary())
    with pytest.raises(OutsideError, match=r"health: .*connection refused") as caught:
        found.require()
    assert caught.value.exit_code == 20


def test_what_a_service_says_of_private_values_is_repeated_nowhere(service: Served) -> None:
    """A failing service may well quote the row that it failed on."""

    def meddle(_number: int, path: str, body: bytes) -> Any:
        return (500, JSON, json.dumps({"error": body.decode()}).encode()) if path != "/metrics" and body else None

    with before(service, meddle) as url:
        found = asked(url, binary())
    with pytest.raises(VerificationError) as caught:
        found.require()
    for said in (json.dumps(found.to_json()), str(caught.value)):
        assert "never seen" not in said
        assert not any(str(record["distance"]) in said for record in binary().records if record["distance"])


# Models that are made to be slow and large.


def graph_of(nodes: list[Any], initializers: Mapping[str, Any] | None = None) -> TinyModel:
    """A regressor of one number."""
    graph = helper.make_graph(
        nodes, "planted",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, 1])],
        [numpy_helper.from_array(array, name) for name, array in (initializers or {}).items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    signature = Signature(task="regression", inputs=(Column(name="x", kind="number"),))
    frame = pd.DataFrame({"x": [0.5, 1.0, 2.0]})
    return TinyModel(estimator=None, onnx=model.SerializeToString(), signature=signature, frame=frame)


def heavy(*, times: int, size: int = 1500) -> TinyModel:
    """x times 1 by a detour over `times` products with a matrix of `size` squared doubles."""
    arrays = {
        "wide": np.full((1, size), 1.0 / size),
        "mean": np.full((size, size), 1.0 / size),
        "narrow": np.ones((size, 1)),
    }
    steps = [helper.make_node("MatMul", ["x", "wide"], ["h0"])]
    steps += [helper.make_node("MatMul", [f"h{step}", "mean"], [f"h{step + 1}"]) for step in range(times)]
    return graph_of([*steps, helper.make_node("MatMul", [f"h{times}", "narrow"], ["prediction"])], arrays)


@dataclass
class Meddling(HttpScoringClient):
    """Does something after so many answers of a load, with the prober going on."""

    after: Callable[[int], None]

    def __post_init__(self) -> None:
        super().__init__(timeout=10)
        self._count = iter(range(1, 1_000_000))

    def load(self, url: str, plan: Any, records: Any, signature: Signature, judge: Callable[[int, Answer], str]) -> Any:
        def meddling(row: int, answer: Answer) -> str:
            self.after(next(self._count))
            return judge(row, answer)

        return super().load(url, plan, records, signature, meddling)
