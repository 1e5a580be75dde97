from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_ci.adapters.inference import OUR_ID
from mlops_ci.adapters.scoring_client import HttpScoringClient
from mlops_ci.core.load import LoadPlan
from mlops_ci.errors import OutsideError
from mlops_ci.ports import PROBE, Answer, ScoringClient
from mlops_ci.scoring.model import OnnxRuntime
from tests.scoring.serving import RELEASE, Served, served, wait_until
from tests.scoring.tiny_models import TinyModel, binary, multiclass, regression

Stub = Callable[..., str]


@pytest.fixture
def client() -> Iterator[HttpScoringClient]:
    with HttpScoringClient(timeout=5) as open_client:
        yield open_client


@pytest.fixture(scope="module", params=[binary, multiclass, regression], ids=["binary", "multiclass", "regression"])
def model(request: pytest.FixtureRequest) -> TinyModel:
    fitted: TinyModel = request.param()
    return fitted


@pytest.fixture(scope="module")
def service(model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(model, tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Serves one canned answer to everything, at the address that it returns."""
    servers: list[ThreadingHTTPServer] = []

    def _stub(body: bytes, *, status: int = 200, **headers: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the name that the base class calls

            def log_message(self, *_: object) -> None:
                """Nothing: the test's output is not its log."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield _stub
    for server in servers:
        server.shutdown()
        server.server_close()


def test_it_is_a_scoring_client(client: HttpScoringClient) -> None:
    checked: ScoringClient = client
    assert checked is client


def test_a_live_service_answers_exactly_as_the_model_offline(
    client: HttpScoringClient, service: Served, model: TinyModel
) -> None:
    offline = OnnxRuntime().load(model.onnx, model.signature).predict(model.columns)

    answer = client.score(service.url, model.records, model.signature)

    assert answer.error == ""
    assert answer.release == RELEASE
    assert answer.milliseconds > 0
    assert answer.predictions is not None
    np.testing.assert_array_equal(answer.predictions.scores, offline.scores)
    if offline.labels is None:
        assert answer.predictions.labels is None
    else:
        assert answer.predictions.labels is not None
        assert answer.predictions.labels.dtype == offline.labels.dtype
        assert answer.predictions.labels.tolist() == offline.labels.tolist()


def test_records_as_a_data_frame_gives_them_are_understood(
    client: HttpScoringClient, service: Served, model: TinyModel
) -> None:
    rows = [{name: model.frame[name].iloc[row] for name in model.frame} for row in range(3)]
    assert isinstance(rows[1]["distance"], np.float64)

    answer = client.score(service.url, rows, model.signature)

    same = client.score(service.url, model.records[:3], model.signature)
    assert answer.predictions is not None
    assert same.predictions is not None
    np.testing.assert_array_equal(answer.predictions.scores, same.predictions.scores)


def test_no_records_give_no_answers(client: HttpScoringClient, service: Served, model: TinyModel) -> None:
    answer = client.score(service.url, [], model.signature)

    assert answer.predictions is not None
    assert answer.predictions.scores.shape == (0, len(model.signature.classes) or 1)


def test_what_the_service_refuses_is_in_the_answer(
    client: HttpScoringClient, service: Served, model: TinyModel
) -> None:
    answer = client.score(service.url, [{"distance": "far"}], model.signature)

    assert answer.predictions is None
    assert answer.release == RELEASE
    assert answer.error == "status 422, for rows 0 of those sent"
    assert '"field":"distance"' in answer.words


def test_metadata_and_readiness(client: HttpScoringClient, service: Served) -> None:
    assert client.ready(service.url)
    assert client.metadata(service.url, "delay")["properties"]["release"] == RELEASE
    with pytest.raises(OutsideError, match="there is no metadata of other: status 404"):
        client.metadata(service.url, "other")


def test_where_nobody_listens(client: HttpScoringClient) -> None:
    nobody = "http://127.0.0.1:9"

    answer = client.score(nobody, binary().records, binary().signature)

    assert (answer.predictions, answer.release) == (None, "")
    assert "refused" in answer.error
    assert not client.ready(nobody)
    with pytest.raises(OutsideError, match="there is no metadata of delay: connection refused"):
        client.metadata(nobody, "delay")


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"predictions": 3}',
        b'{"predictions": []}',
        b'{"predictions": [{"label": 1}]}',
        b'{"predictions": [{"label": 7, "probabilities": {"0": 0.5, "1": 0.5}}]}',
        b'{"predictions": [{"label": 1, "probabilities": {"0": 0.5}}]}',
        b'{"predictions": [{"label": 1, "probabilities": {"0": "half", "1": 0.5}}]}',
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error_and_no_exception(
    client: HttpScoringClient, stub: Stub, answer: bytes
) -> None:
    url = stub(answer, **{"x-mlops-release": "abc"})

    got = client.score(url, binary().records[:1], binary().signature)

    assert got.predictions is None
    assert got.release == "abc"
    assert "makes no sense" in got.error


@pytest.mark.parametrize("body", [b"[]", b"<html>"])
def test_metadata_that_make_no_sense_are_an_error(client: HttpScoringClient, stub: Stub, body: bytes) -> None:
    with pytest.raises(OutsideError, match="the metadata of delay are not"):
        client.metadata(stub(body), "delay")


def test_nobody_is_sent_elsewhere(client: HttpScoringClient, stub: Stub) -> None:
    good = json.dumps({"predictions": [{"label": 1, "probabilities": {"0": 0.5, "1": 0.5}}]}).encode()
    url = stub(b"", status=307, location=stub(good))

    assert client.score(url, binary().records[:1], binary().signature).error.startswith("status 307, a redirect to")
    assert not client.ready(url)


def test_its_requests_are_marked_as_probes_unless_it_stands_for_a_user(
    service: Served, client: HttpScoringClient, model: TinyModel
) -> None:
    marks = [f"mark-{secrets.token_hex(8)}" for _ in range(2)]  # what other tests asked may be logged only now
    with HttpScoringClient(probe=False) as user:
        service.post("/score", model.records[:1], x_request_id=marks[0])
        for one in (client, user, client):
            assert one.score(service.url, model.records[:1], model.signature).error == ""
        service.post("/score", model.records[:1], x_request_id=marks[1])
    wait_until(lambda: marks[1].encode() in service.predictions.read_bytes())

    logged = [json.loads(line)["request_id"] for line in service.predictions.read_bytes().splitlines()]
    ids = logged[logged.index(marks[0]) + 1 : logged.index(marks[1])]

    assert [request_id.startswith(PROBE) for request_id in ids] == [True, False, True]
    assert len(set(ids)) == 3


def test_proxies_and_credentials_of_the_environment_have_no_part(
    service: Served, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    with HttpScoringClient() as client:
        assert client.ready(service.url)


@pytest.mark.parametrize("binary_data", [False, True], ids=["json", "binary"])
def test_infer_answers_exactly_as_the_model_offline(
    client: HttpScoringClient, service: Served, model: TinyModel, binary_data: bool
) -> None:
    offline = OnnxRuntime().load(model.onnx, model.signature).predict(model.columns)

    answer = client.infer(service.url, "delay", model.records, model.signature, binary=binary_data)

    assert answer.error == ""
    assert answer.predictions is not None
    np.testing.assert_array_equal(answer.predictions.scores, offline.scores)
    assert (answer.predictions.labels is None) == (offline.labels is None)
    if answer.predictions.labels is not None and offline.labels is not None:
        assert answer.predictions.labels.tolist() == offline.labels.tolist()


def tensors(*outputs: dict[str, Any], id_: str = OUR_ID) -> bytes:
    return json.dumps({"id": id_, "outputs": outputs}).encode()


LABEL = {"name": "label", "datatype": "INT64", "shape": [1], "data": [1]}
SHARES = {"name": "probabilities", "datatype": "FP64", "shape": [1, 2], "data": [0.5, 0.5]}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"<html>", "an HTML page"),
        (b"[]", "AttributeError"),
        (tensors(LABEL), "KeyError"),
        (tensors(LABEL, SHARES, id_="another"), "the id of another request"),
        (tensors(LABEL, {**SHARES, "shape": [2, 2]}), "another number of values"),
        (tensors(LABEL, {**SHARES, "shape": [1, 3], "data": [0.1, 0.2, 0.7]}), "ValueError"),
        (tensors(LABEL, {**SHARES, "data": ["0.5", "0.5"]}), "a text or a boolean"),
        (tensors({**LABEL, "data": [7]}, SHARES), "labels that are not among the classes"),
        (tensors(LABEL, {**SHARES, "parameters": {"binary_data_size": 8}}), "a binary tensor that is cut off"),
        (tensors(LABEL, SHARES) + b"more", "JSONDecodeError"),
    ],
)
def test_an_inference_that_makes_no_sense_is_an_error_and_no_exception(
    client: HttpScoringClient, stub: Stub, answer: bytes, problem: str
) -> None:
    got = client.infer(stub(answer), "delay", binary().records[:1], binary().signature, binary=False)
    assert got.predictions is None
    assert "makes no sense" in got.error
    assert problem in got.error


@pytest.mark.parametrize(
    ("tail", "problem"),
    [
        (b"\x01\x00\x00\x00\x00\x00\x00\x00" + b"\x00" * 16, ""),
        (b"\x01\x00\x00\x00\x00\x00\x00\x00" + b"\x00" * 17, "bytes after the last tensor"),
        (b"\x01\x00\x00\x00\x00\x00\x00\x00" + b"\x00" * 15, "a binary tensor that is cut off"),
    ],
)
def test_binary_tensors_that_are_cut_off_or_too_long_are_an_error(
    client: HttpScoringClient, stub: Stub, tail: bytes, problem: str
) -> None:
    sizes = {"label": 8, "probabilities": 16}

    def without_data(one: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in one.items() if key != "data"} | {
            "parameters": {"binary_data_size": sizes[one["name"]]}
        }

    head = tensors(without_data(LABEL), without_data(SHARES))
    url = stub(head + tail, **{"Inference-Header-Content-Length": str(len(head))})
    got = client.infer(url, "delay", binary().records[:1], binary().signature, binary=True)
    assert problem in got.error
    assert (got.predictions is None) == bool(problem)


def test_tensors_in_json_where_binary_ones_were_asked_for_are_an_error(client: HttpScoringClient, stub: Stub) -> None:
    got = client.infer(stub(tensors(LABEL, SHARES)), "delay", binary().records[:1], binary().signature, binary=True)
    assert "as JSON, and it was asked for in binary" in got.error


def test_a_load_hands_each_answer_to_the_judge(client: HttpScoringClient, service: Served, model: TinyModel) -> None:
    asked: list[int] = []

    def judge(row: int, answer: Answer) -> str:
        asked.append(row)
        return "as planted" if row == 2 else answer.error

    traffic = client.load(service.url, LoadPlan(rate=200, seconds=0), model.records[:3], model.signature, judge)

    assert sorted(asked) == sorted(number % 3 for number in range(20))
    assert sorted(each.error for each in traffic.sent) == [""] * 14 + ["as planted"] * 6
    assert all(each.answered for each in traffic.sent)


def test_a_load_of_what_json_cannot_say_is_refused_before_it_begins(client: HttpScoringClient) -> None:
    for records in ([], [{"distance": float("inf")}]):
        with pytest.raises(ValueError, match=r"records to send|JSON cannot say"):
            client.load("http://127.0.0.1:9", LoadPlan(rate=1, seconds=0), records, binary().signature, _nothing)


def _nothing(_row: int, _answer: Answer) -> str:
    return ""


def test_what_a_service_says_of_an_error_is_kept_apart_from_its_name(client: HttpScoringClient, stub: Stub) -> None:
    said = json.dumps({"error": "Jane Doe", "problems": [{"row": 7, "field": "Jane Doe"}, {"row": "Jane Doe"}]})
    got = client.score(stub(said.encode(), status=422), binary().records[:1], binary().signature)
    assert got.error == "status 422, for rows 7 of those sent"
    assert "Jane Doe" in got.words
    odd = json.dumps({"predictions": [{"label": "Jane Doe", "probabilities": {"0": "Jane Doe", "1": 0.5}}]})
    assert "Jane" not in client.score(stub(odd.encode()), binary().records[:1], binary().signature).error
