from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.scoring.messages import Request, Response
from mlops_ci.scoring.model import OnnxRuntime
from mlops_ci.scoring.prediction_log import PredictionLog
from mlops_ci.scoring.service import ScoringService
from tests.scoring.cards import card_json, card_of
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


def binary_request(model: TinyModel, rows: int, **more: Any) -> tuple[bytes, int]:
    """A body with the model's first rows as bytes behind the JSON, and the length of the JSON."""
    tensors, chunks = [], []
    for tensor in inputs(model, rows):
        data = tensor.pop("data")
        chunks.append(encoded(data, tensor["datatype"]))
        tensors.append({**tensor, "parameters": {"binary_data_size": len(chunks[-1])}})
    head = json.dumps({"inputs": tensors, **more}).encode()
    return b"".join([head, *chunks]), len(head)


def encoded(values: list[Any], datatype: str) -> bytes:
    if datatype == "FP64":
        return struct.pack(f"<{len(values)}d", *(math.nan if value is None else value for value in values))
    texts = [(value or "").encode() for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def decoded(data: bytes, datatype: str) -> list[Any]:
    if datatype != "BYTES":
        return list(struct.unpack(f"<{len(data) // 8}{'d' if datatype == 'FP64' else 'q'}", data))
    texts = []
    while data:
        end = 4 + struct.unpack("<I", data[:4])[0]
        texts.append(data[4:end].decode())
        data = data[end:]
    return texts


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
    assert (status, server["name"], server["extensions"]) == (200, "mlops-ci", ["binary_tensor_data"])
    assert ask(service, "GET", "/v2/") == (200, server)
    status, model = ask(service, "GET", "/v2/models/delay")
    assert (status, model["versions"]) == (200, ["3"])
    assert ask(service, "GET", "/v2/models/delay/versions/3") == (200, model)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/page", 404),
        ("POST", "/", 405),
        ("POST", "/model", 405),
        ("GET", "/v2/models/delay/versions/3/infer/more", 404),
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


@pytest.mark.parametrize("model", [binary(), multiclass(), regression()], ids=["binary", "multiclass", "regression"])
def test_binary_tensors_give_the_answers_that_json_gives(model: TinyModel) -> None:
    service, rows = serving(model), len(model.records)
    path = "/v2/models/delay/versions/3/infer"
    _, plain = ask(service, "POST", path, {"inputs": inputs(model, rows)})
    body, json_length = binary_request(model, rows, parameters={"binary_data_output": True})
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(json_length)}

    response = service.respond(Request(method="POST", path=path, headers=headers, id="r1", body=body))

    assert (response.status, response.headers["content-type"]) == (200, "application/octet-stream")
    length = int(response.headers["inference-header-content-length"])
    answer, rest = json.loads(response.body[:length]), response.body[length:]
    for output, expected in zip(answer["outputs"], plain["outputs"], strict=True):
        data, rest = rest[: output["parameters"]["binary_data_size"]], rest[output["parameters"]["binary_data_size"] :]
        assert "data" not in output
        assert {key: output[key] for key in ("name", "datatype", "shape")}.items() <= expected.items()
        assert decoded(data, output["datatype"]) == expected["data"]
    assert rest == b""


def test_outputs_may_be_binary_one_by_one() -> None:
    model = binary()
    outputs = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "label"}]
    body, json_length = binary_request(model, 2, outputs=outputs)
    headers = JSON | {"inference-header-content-length": str(json_length)}

    response = serving(model).respond(
        Request(method="POST", path="/v2/models/delay/infer", headers=headers, id="r1", body=body)
    )

    length = int(response.headers["inference-header-content-length"])
    probabilities, label = json.loads(response.body[:length])["outputs"]
    assert probabilities["parameters"] == {"binary_data_size": 32}
    assert len(response.body) == length + 32
    assert [type(one) for one in label["data"]] == [int, int]


def test_a_binary_body_without_its_header_is_of_another_media_type() -> None:
    headers = {"content-type": "application/octet-stream"}

    status, answer = ask(serving(binary()), "POST", "/v2/models/delay/infer", b"\0" * 8, headers)

    assert (status, answer["error"]) == (
        415,
        "the content type has to be application/json, not application/octet-stream",
    )


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


def get(service: ScoringService, path: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return service.respond(Request(method="GET", path=path, headers=named, id="r1"))


def test_there_is_a_page_at_the_root_whatever_is_accepted() -> None:
    service = serving(binary(), card=card_of(binary()))

    for accept in ("text/html", "application/json", "image/png", ""):
        page = get(service, "/", accept=accept)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("application/json;q=0.5, text/html", "html"),
        ("TEXT/HTML", "html"),
        ("application/json", "json"),
        ("text/html;q=0.5, application/json", "json"),
        ("text/html;q=0", "json"),
        ("text/html;q=much", "json"),
        ("*/*", "json"),
        ("image/png", "json"),
        ("", "json"),
        (";;,=,q", "json"),
    ],
)
def test_the_model_card_is_json_unless_html_is_asked_for(accept: str, kind: str) -> None:
    response = get(serving(binary(), card=card_of(binary())), "/model", accept=accept)

    assert (response.status, response.headers["vary"]) == (200, "accept")
    if kind == "html":
        assert response.body.startswith(b"<!doctype html>")
    else:
        assert json.loads(response.body) == {**card_json(), "release": "abc"}


def test_without_a_card_the_columns_of_the_signature_are_told() -> None:
    status, card = ask(serving(binary()), "GET", "/model")

    assert (status, card["task"], card["version"]) == (200, "binary-classification", 3)
    assert [(column["name"], column["type"]) for column in card["columns"]] == [
        ("distance", "number"),
        ("hour", "number"),
        ("carrier", "text"),
    ]


def test_columns_are_scored_and_logged_as_records_are(tmp_path: Path) -> None:
    model = binary()
    log = PredictionLog(tmp_path / "log", release="abc")
    service = serving(model, log=log)
    columns = {name: [record[name] for record in model.records] for name in model.records[0]}

    by_column = ask(service, "POST", "/score", {"columns": columns})
    assert by_column == ask(service, "POST", "/score", model.records)
    assert ask(service, "POST", "/score", {"columns": {name: [] for name in columns}})[1]["predictions"] == []
    log.close(60)

    entries = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert entries[0]["records"] == entries[1]["records"] == model.records
    assert entries[0]["answers"] == entries[1]["answers"] == by_column[1]["predictions"]


def test_what_is_taken_instead_is_said_in_headers() -> None:
    service = serving(binary())
    request = {"method": "POST", "path": "/score", "id": "r1", "body": b"[]"}

    wrong = service.respond(Request(**request, headers={"content-type": "text/csv"}))
    packed = service.respond(Request(**request, headers={"content-encoding": "gzip"}))

    assert (wrong.status, wrong.headers["accept-post"]) == (415, "application/json")
    assert (packed.status, packed.headers["accept-encoding"]) == (415, "identity")
    assert service.respond(Request(method="DELETE", path="/model", headers={}, id="r1")).headers["allow"] == "GET, HEAD"


def test_of_a_field_that_comes_twice_the_last_counts() -> None:
    service = serving(binary())
    twice = json.dumps(RECORD)[:-1].encode() + b', "hour": 20}'

    assert ask(service, "POST", "/score", b"[" + twice + b"]") == ask(
        service, "POST", "/score", [RECORD | {"hour": 20}]
    )


@pytest.mark.parametrize(
    ("number", "status"), [("9007199254740992", 200), ("9007199254740993", 422), ("1e300", 200), ("1" + "0" * 30, 200)]
)
def test_huge_numbers(number: str, status: int) -> None:
    body = json.dumps([RECORD]).replace("900", number).encode()

    assert ask(serving(binary()), "POST", "/score", body)[0] == status


@pytest.mark.parametrize("model", [binary(), multiclass(), regression()], ids=["binary", "multiclass", "regression"])
def test_no_rows_are_a_request_like_any_other(model: TinyModel) -> None:
    service, path = serving(model), "/v2/models/delay/infer"
    body, json_length = binary_request(model, 0, parameters={"binary_data_output": True})
    headers = {"inference-header-content-length": str(json_length)}

    _, plain = ask(service, "POST", path, {"inputs": inputs(model, 0)})
    packed = service.respond(Request(method="POST", path=path, headers=headers, id="r1", body=body))

    assert [(output["shape"][0], output["data"]) for output in plain["outputs"]] == [(0, [])] * len(plain["outputs"])
    assert packed.headers["inference-header-content-length"] == str(len(packed.body))
    assert {output["parameters"]["binary_data_size"] for output in json.loads(packed.body)["outputs"]} == {0}
