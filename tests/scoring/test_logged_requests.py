"""What of a request comes into the prediction log, by whichever way it was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_ci import ports
from mlops_ci.adapters.traefik_configuration import COPY_ID
from mlops_ci.scoring.messages import Request
from mlops_ci.scoring.model import OnnxRuntime
from mlops_ci.scoring.prediction_log import PredictionLog
from mlops_ci.scoring.service import PROBE, ScoringService
from tests.scoring.test_service import binary_request, inputs
from tests.scoring.tiny_models import TinyModel, binary

JSON = {"content-type": "application/json"}
INFER = "/v2/models/delay/infer"
MODEL = binary()


def logged(
    folder: Path, *requests: tuple[str, bytes, dict[str, str]], name: str = "header", **options: Any
) -> list[dict[str, Any]]:
    """The lines that a service writes of requests (path, body, headers), each of which has an id of its own."""
    log = PredictionLog(folder / "log", release="abc", **options)
    loaded = OnnxRuntime().load(MODEL.onnx, MODEL.signature)
    service = ScoringService(loaded, name="delay", version=3, release="abc", log=log)
    for number, (path, body, headers) in enumerate(requests):
        service.respond(Request(method="POST", path=path, headers=headers, id=f"{name}-{number}", body=body))
    log.close(60)
    assert log.dropped == 0
    if not (folder / "log").exists():
        return []
    lines = (folder / "log").read_bytes().split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line) for line in lines]


def tensors(model: TinyModel, rows: int, **more: Any) -> bytes:
    return json.dumps({"inputs": inputs(model, rows), **more}).encode()


def every_way(rows: int) -> list[tuple[str, bytes, dict[str, str]]]:
    records = MODEL.records[:rows]
    columns = {name: [record[name] for record in records] for name in records[0]}
    body, length = binary_request(MODEL, rows)
    return [
        ("/score", json.dumps(records).encode(), JSON),
        ("/score", json.dumps(records, indent=2).replace("\n", "\r\n").encode(), JSON),
        ("/score", json.dumps({"records": records}).encode(), JSON),
        ("/score", json.dumps({"columns": columns}).encode(), JSON),
        (INFER, tensors(MODEL, rows), JSON),
        (INFER, body, {"content-type": "application/octet-stream", "inference-header-content-length": str(length)}),
    ]


@pytest.mark.parametrize("rows", [1, 3])
def test_each_way_of_asking_is_logged_alike(tmp_path: Path, rows: int) -> None:
    entries = logged(tmp_path, *every_way(rows))

    assert [entry["request_id"] for entry in entries] == [f"header-{number}" for number in range(6)]
    for entry in entries:
        assert entry["records"] == MODEL.records[:rows]
        assert entry["answers"] == entries[0]["answers"]
        assert len(entry["answers"]) == rows


def test_each_way_of_asking_is_redacted(tmp_path: Path) -> None:
    entries = logged(tmp_path, *every_way(2), redact=["carrier"])

    assert len(entries) == 6
    for entry in entries:
        assert entry["redacted"] == ["carrier"]
        assert entry["records"] == [
            {name: value for name, value in record.items() if name != "carrier"} for record in MODEL.records[:2]
        ]


def test_tensors_are_logged_by_their_own_id_whatever_it_is(tmp_path: Path) -> None:
    ids = ['"}\n{"request_id": "forged', "\x00\x1f", "\u2028é\U0001f600", "x" * 5_000]
    entries = logged(tmp_path, *((INFER, tensors(MODEL, 1, id=name), JSON) for name in ids))

    assert [entry["request_id"] for entry in entries] == ids


def test_what_is_marked_as_ours_is_logged_as_ours_whatever_it_says_itself(tmp_path: Path) -> None:
    (entry,) = logged(tmp_path, (INFER, tensors(MODEL, 1, id="a user's"), JSON), name="mlops-probe")

    assert entry["request_id"] == "mlops-probe-0"
    assert PROBE == ports.PROBE
    assert COPY_ID.startswith(PROBE)


def test_half_of_a_character_in_an_id_is_refused_and_harms_nobody(tmp_path: Path) -> None:
    half = tensors(MODEL, 1, id="x").replace(b'"id": "x"', b'"id": "\\ud800"')
    assert logged(tmp_path, (INFER, half, JSON), every_way(1)[0], sample=0.999999)[-1]["request_id"] == "header-1"


def test_what_is_refused_or_empty_is_not_logged(tmp_path: Path) -> None:
    refused = [
        ("/score", b"[{", JSON),
        ("/score", b'[{"distance": "far"}]', JSON),
        ("/score", b"[]", JSON),
        ("/score", b"[{}]", {"content-type": "text/csv"}),
        (INFER, b'{"inputs": 1}', JSON),
        ("/nowhere", b"[]", JSON),
    ]
    assert logged(tmp_path, *refused) == []
