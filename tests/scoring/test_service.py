from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.scoring.model import OnnxRuntime
from mlops_ci.scoring.prediction_log import PredictionLog
from mlops_ci.scoring.service import Request, Response, ScoringService
from tests.scoring.tiny_models import TinyModel, binary, multiclass, regression

JSON = {"content-type": "application/json"}
RECORD = {"distance": 900, "hour": 8, "carrier": "UA"}


def serving(model: TinyModel, **options: Any) -> ScoringService:
    loaded = OnnxRuntime().load(model.onnx, model.signature)
    return ScoringService(loaded, name="delay", version=3, release="abc", **options)


def ask(
    service: ScoringService, method: str, path: str, content: Any = None, headers: dict[str, str] = JSON
) -> tuple[int, Any]:
    body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
    response: Response = service.respond(Request(method=method, path=path, headers=headers, id="r1", body=body))
    return response.status, json.loads(response.body)


def inputs(model: TinyModel, rows: int) -> list[dict[str, Any]]:
    """The model's first rows as tensors."""
    return [
        {
            "name": column.name,
            "shape": [rows, 1],
            "datatype": "FP64" if column.kind == "number" else "BYTES",
            "data": [record[column.name] for record in model.records[:rows]],
        }
        for column in model.signature.inputs
    ]


def test_records_are_scored() -> None:
    model = binary()

    status, answer = ask(serving(model), "POST", "/score", model.records)

    predictions = answer.pop("predictions")
    assert (status, answer) == (200, {"model": "delay", "version": 3, "release": "abc", "request_id": "r1"})
    native = model.estimator.predict_proba(model.frame)[:, 1].tolist()
    assert [row["probability"] for row in predictions] == pytest.approx(native, abs=1e-6)
    assert [row["label"] for row in predictions] == model.estimator.predict(model.frame).tolist()
    assert all(row["probabilities"]["1"] == row["probability"] for row in predictions)


def test_the_list_of_records_may_be_wrapped_and_may_be_empty() -> None:
    service = serving(binary())

    assert ask(service, "POST", "/score", {"records": [RECORD]}) == ask(service, "POST", "/score", [RECORD])
    assert ask(service, "POST", "/score", {"records": []})[1]["predictions"] == []
    assert ask(service, "POST", "/score", [])[0] == 200


@pytest.mark.parametrize("model", [binary(), multiclass(), regression()], ids=["binary", "multiclass", "regression"])
def test_both_ways_to_ask_give_the_same_answers(model: TinyModel) -> None:
    service = serving(model)

    _, scored = ask(service, "POST", "/score", model.records)
    status, inferred = ask(service, "POST", "/v2/models/delay/infer", {"inputs": inputs(model, len(model.records))})

    assert status == 200
    outputs = {output["name"]: output for output in inferred["outputs"]}
    rows, predictions = len(model.records), scored["predictions"]
    if model.signature.task == "regression":
        assert outputs["prediction"]["shape"] == [rows, 1]
        assert outputs["prediction"]["data"] == [row["value"] for row in predictions]
    else:
        assert outputs["label"]["data"] == [row["label"] for row in predictions]
        assert outputs["probabilities"]["shape"] == [rows, len(model.signature.classes)]
        assert outputs["probabilities"]["data"] == [
            value for row in predictions for value in row["probabilities"].values()
        ]


def test_the_threshold_of_the_signature_decides_in_the_service_too() -> None:
    service = serving(binary(threshold=0.9))

    _, scored = ask(service, "POST", "/score", binary().records)
    _, inferred = ask(service, "POST", "/v2/models/delay/infer", {"inputs": inputs(binary(), 40)})

    labels = [int(row["probability"] >= 0.9) for row in scored["predictions"]]
    assert [row["label"] for row in scored["predictions"]] == labels
    assert inferred["outputs"][0]["data"] == labels
    assert labels != [int(row["probability"] >= 0.5) for row in scored["predictions"]]


def test_an_id_of_the_request_comes_back() -> None:
    service = serving(binary())
    body = {"inputs": inputs(binary(), 1)}

    assert ask(service, "POST", "/v2/models/delay/infer", body | {"id": "7"})[1]["id"] == "7"
    assert ask(service, "POST", "/v2/models/delay/infer", body)[1]["id"] == "r1"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/delay/ready", {"name": "delay", "ready": True}),
        ("/v2/models/delay/versions/3/ready", {"name": "delay", "ready": True}),
    ],
)
def test_health(path: str, content: Any) -> None:
    service = serving(binary())
    assert ask(service, "GET", path) == (200, content)
    assert ask(service, "HEAD", path)[0] == 200

    service.ready = False

    status, content = ask(service, "GET", path)
    assert (status, content.get("ready")) == ((200, None) if path.endswith("live") else (503, False))


def test_metadata() -> None:
    service = serving(binary())

    status, server = ask(service, "GET", "/v2")
    assert (status, server["name"], server["extensions"]) == (200, "mlops-ci", [])
    assert ask(service, "GET", "/v2/") == (200, server)
    status, model = ask(service, "GET", "/v2/models/delay")
    assert (status, model["versions"]) == (200, ["3"])
    assert ask(service, "GET", "/v2/models/delay/versions/3") == (200, model)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v3", 404),
        ("GET", "/v2/models", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/delay/versions/4", 404),
        ("POST", "/v2/models/delay/versions/4/infer", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", "/v2/models/delay/versions", 404),
        ("GET", "/v2/models/delay/weather", 404),
        ("GET", "/score", 405),
        ("GET", "/v2/models/delay/infer", 405),
        ("POST", "/v2/health/ready", 405),
        ("DELETE", "/score", 405),
        ("HEAD", "/score", 405),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int) -> None:
    got, answer = ask(serving(binary()), method, path, [RECORD])

    assert got == status
    assert isinstance(answer["error"], str)


def test_the_method_that_is_taken_is_named() -> None:
    response = serving(binary()).respond(Request(method="GET", path="/score", headers={}, id="r1"))

    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/score", "/v2/models/delay/infer"])
@pytest.mark.parametrize(
    ("body", "headers", "status", "error"),
    [
        (b"{", JSON, 400, "the body is not JSON"),
        (b"", JSON, 400, "the body is not JSON"),
        (b"[NaN]", JSON, 400, "the body is not JSON"),
        (b'["\xff"]', JSON, 400, "the body is not JSON"),
        (b"[" * 100_000, JSON, 400, "the body is not JSON"),
        (b"[]", {"content-type": "text/csv"}, 415, "the content type has to be application/json, not text/csv"),
        (b"[]", {"content-type": "application/x-www-form-urlencoded"}, 415, "the content type"),
        (b"[]", JSON | {"content-encoding": "gzip"}, 415, "a compressed body is not taken"),
    ],
)
def test_bodies_that_cannot_be_read(path: str, body: bytes, headers: dict[str, str], status: int, error: str) -> None:
    got, answer = ask(serving(binary()), "POST", path, body, headers)

    assert (got, error in answer["error"]) == (status, True), answer


@pytest.mark.parametrize("headers", [{}, {"content-type": "Application/JSON; charset=utf-8"}])
def test_content_types_that_are_taken(headers: dict[str, str]) -> None:
    assert ask(serving(binary()), "POST", "/score", [RECORD], headers)[0] == 200


@pytest.mark.parametrize("body", [5, "x", None, {}, {"records": 5}, {"records": [], "x": 1}, {"instances": []}])
def test_bodies_that_hold_no_list_of_records(body: Any) -> None:
    status, answer = ask(serving(binary()), "POST", "/score", json.dumps(body).encode())

    assert (status, "a list of records" in answer["error"]) == (422, True), answer


def test_what_is_wrong_is_said_by_row_and_field() -> None:
    records = [RECORD, {"distance": "far", "hour": 8, "carriers": "UA"}]

    status, answer = ask(serving(binary()), "POST", "/score", records)

    assert (status, answer["problems_total"]) == (422, 3)
    assert answer["problems"] == [
        {"row": 1, "field": "distance", "what": "has to be a number or null, not a text"},
        {"row": 1, "field": "carrier", "what": "is missing; null says so explicitly"},
        {"row": 1, "field": "carriers", "what": "is not a column of this model"},
    ]


def test_a_bad_tensor_is_a_bad_request_by_the_protocol() -> None:
    status, answer = ask(serving(binary()), "POST", "/v2/models/delay/infer", {"inputs": inputs(binary(), 2)[:2]})

    assert (status, answer) == (400, {"error": "there is no input carrier"})


def test_the_binary_extension_is_refused() -> None:
    headers = JSON | {"inference-header-content-length": "10"}

    status, answer = ask(serving(binary()), "POST", "/v2/models/delay/infer", {"inputs": inputs(binary(), 2)}, headers)

    assert (status, "binary tensor extension" in answer["error"]) == (400, True)


def test_answers_that_are_no_numbers_are_refused_by_row() -> None:
    records = [RECORD, RECORD | {"distance": None}]

    status, answer = ask(serving(multiclass()), "POST", "/score", records)

    assert status == 422
    assert answer["problems"] == [{"row": 1, "field": "", "what": "the model's answer is not a finite number"}]


def test_too_many_rows_are_refused() -> None:
    service = serving(binary(), max_rows=3)

    assert ask(service, "POST", "/score", [RECORD] * 3)[0] == 200
    assert ask(service, "POST", "/score", [RECORD] * 4)[0] == 413
    assert ask(service, "POST", "/v2/models/delay/infer", {"inputs": inputs(binary(), 4)})[0] == 413


def test_what_was_asked_and_answered_is_logged_either_way(tmp_path: Path) -> None:
    model = binary()
    log = PredictionLog(tmp_path / "log", release="abc")
    service = serving(model, log=log)

    _, scored = ask(service, "POST", "/score", model.records[:3])
    ask(service, "POST", "/v2/models/delay/infer", {"inputs": inputs(model, 3)})
    ask(service, "POST", "/score", [])
    ask(service, "POST", "/score", [{}])
    log.close(60)

    entries = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert [entry["records"] for entry in entries] == [model.records[:3]] * 2
    assert [entry["answers"] for entry in entries] == [scored["predictions"]] * 2
    assert {entry["request_id"] for entry in entries} == {"r1"}
